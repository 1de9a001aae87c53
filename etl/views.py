"""Which tables a lake holds and how they are partitioned; the files with its views."""

from __future__ import annotations

import os
import re
from pathlib import Path

from etl.commits import refuse_delta
from etl.errors import UsageError
from etl.lake import Lake
from etl.manifest import MERGED_FILE, REJECTS_FILE
from etl.partitions import (
    REJECTED_RECORDS_FOLDER,
    SUFFIX,
    SUPERSEDED_FOLDER,
    VIEWS_FOLDER,
    table_partitioning,
)
from etl.queries import View, duckdb_script, spark_script
from etl.schema import TABLES
from etl.whole_files import keep_out, write_whole

SCRIPTS = {"duckdb": duckdb_script, "spark": spark_script}

# Both engines take these for patterns, and neither lets all of them be escaped.
_PATTERN = re.compile(r"[*?\[\]{}\\]")


def find_views(output: Path) -> list[View]:
    """A view for each table of a lake, in the order of the contract: the tables, `rejects`, `rejected_records`,
    `documents`, and `superseded_<table>` for the earlier versions of restated reports.

    Raises UsageError where there is no lake, its tables are Delta tables or its path has characters that the engines
    take for a pattern, LakeError where a folder cannot be listed.
    """
    refuse_delta(output, "read each with DuckDB's delta_scan('OUTPUT/<table>'), or as docs/delta.md says")
    root = Path(os.path.abspath(Lake(output).output))  # noqa: PTH100 - a link stays the name that was chosen
    if _PATTERN.search(str(root)) or not str(root).isprintable():
        raise UsageError(
            f"{output}: SQL engines take * ? [ ] {{ }} \\ in a path for a pattern, and a path with control characters"
            " cannot be written down; rename the folder, or reach it by a link"
        )
    places = {name: (name, root / name) for name in TABLES}
    lists = {"rejects": REJECTS_FILE, "rejected_records": REJECTED_RECORDS_FOLDER, "documents": MERGED_FILE}
    places |= {name: (name, root / place) for name, place in lists.items()}
    places |= {f"superseded_{name}": (name, root / SUPERSEDED_FOLDER / name) for name in TABLES}
    return [View(name, shown, str(folder), _partition(folder)) for name, (shown, folder) in places.items()]


def script(output: Path, engine: str) -> str:
    """The SQL that makes the views of a lake in an engine, duckdb or spark. Raises as `find_views` does."""
    return SCRIPTS[engine](find_views(output))


def write_views(output: Path, folder: Path | None = None) -> dict[str, Path]:
    """Write the SQL files into a folder, by default `_views` of the lake; comes back: engine → file.

    Each file is replaced whole, by a rename; the same lake gives the same bytes. Raises UsageError for a folder
    elsewhere in the lake, OutputError where they cannot be written, and as `find_views` does.
    """
    views = find_views(output)
    own = output / VIEWS_FOLDER
    place = own if folder is None else folder
    written = {engine: place / f"{engine}.sql" for engine in SCRIPTS}
    for file in written.values():
        if not Path(os.path.realpath(file)).is_relative_to(os.path.realpath(own)):
            keep_out(file, os.fspath(output))
    for engine, file in written.items():
        write_whole(file, SCRIPTS[engine](views).encode(), "name another folder with --to")
    return written


def _partition(place: Path) -> tuple[str, ...] | None:
    """The partitioning of a table, or of a list, which is one file or a folder of them; None where there is no file."""
    if place.suffix == SUFFIX:
        return () if place.is_file() else None
    if place.name == REJECTED_RECORDS_FOLDER:
        return () if next(place.glob(f"*{SUFFIX}"), None) else None
    way = table_partitioning(place)
    return way.keys if way else None
