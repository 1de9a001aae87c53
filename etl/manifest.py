"""What a lake knows: a row for each document, what became of it, and where its rows stand.

    OUTPUT/_manifest/documents.parquet             all documents, while no run is going on
    OUTPUT/_manifest/documents-<number>.parquet    what a run that goes on has added or changed, in order

A later row of a document takes the place of an earlier one, and `removed` takes it out. A report is known
by its bytes and its filing (`report_id`), wherever it lies; what was rejected is known by its path.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from etl.batch import INTERNAL_ERROR
from etl.errors import LakeError, first_line
from etl.layout import Layout
from etl.parquet import parquet_bytes
from etl.partitions import (
    MANIFEST_FOLDER,
    REJECTS_FOLDER,
    SOURCES_FOLDER,
    SUPERSEDED_FOLDER,
    PartitionBy,
    partition_file,
)
from etl.rejected_records import OF_REPORTS
from etl.schema import TABLES, conform, table
from etl.tables import polars_type
from etl.version import __version__
from etl.versions import SUPERSEDED

READ, REJECTED, ATTACHED, REMOVED = "read", "rejected", "attached", "removed"
MERGED_FILE = f"{MANIFEST_FOLDER}/documents.parquet"
REJECTS_FILE = f"{REJECTS_FOLDER}/rejects.parquet"

SCHEMA = pl.Schema({column.name: polars_type(column) for column in table("documents").columns})
_STILL_THERE = f"{SOURCES_FOLDER} of this one has those that were kept, compressed with gzip"
MERGED_UPDATES = 64
# What is rejected for these reasons has its numbers in the lake.
WITH_NUMBERS = pl.col("reason_code").is_in(list(OF_REPORTS))
# This may have some from before: where a defect keeps a document from being read, what was known of it stays.
MAY_HAVE_NUMBERS = WITH_NUMBERS | (pl.col("reason_code") == INTERNAL_ERROR)
# What a document is known by.
KEY = (
    pl.when(pl.col("report_id").is_not_null())
    .then("report:" + pl.col("sha256") + pl.col("report_id"))
    .otherwise("path:" + pl.col("source"))
)


class Manifest:
    """The documents of a lake, as they stand before and during a run."""

    def __init__(self, rows: pl.DataFrame, files: Sequence[str] = (), untold: Sequence[pl.DataFrame] = ()) -> None:
        self.rows = rows
        self._files = list(files)
        # What runs have changed that did not come to their end: none of them may have told of it.
        self.untold = pl.concat([pl.DataFrame(schema=SCHEMA), *untold])

    @property
    def segments(self) -> list[str]:
        """The files of unfinished runs, and of this one: `merged` takes their place."""
        return [file for file in self._files if file != MERGED_FILE]

    def update(self, changes: pl.DataFrame) -> tuple[str, bytes]:
        """Take in changed rows; the path and the bytes of the file that says so."""
        number = len(self.segments) + 1
        file = f"{MANIFEST_FOLDER}/documents-{number:08}.parquet"
        self._files.append(file)
        last = changes.unique(KEY, keep="last", maintain_order=True)
        known = KEY.is_in(last.select(KEY.alias("key"))["key"].implode())
        stay = self.rows.filter(~known) if self.rows.select(known.any()).item() else self.rows
        # Most often all rows stay as they are, and are not even copied; now and then their pieces are put together.
        together = number % MERGED_UPDATES == 0
        self.rows = pl.concat([stay, last.filter(pl.col("outcome") != REMOVED)], rechunk=together)
        return file, list_bytes(changes, "documents")

    def merged(self) -> bytes:
        """The bytes of the one file that holds all documents, whatever way led here."""
        return list_bytes(self.rows.sort("source", "sha256", "report_id"), "documents")

    def reports(self, hashes: Iterable[str]) -> pl.DataFrame:
        """The rows of the reports in documents with these SHA-256."""
        return self.rows.filter((pl.col("outcome") == READ) & pl.col("sha256").is_in(list(hashes)))

    def unread(self, sources: Iterable[str]) -> pl.DataFrame:
        """The rows of what was rejected, or is attached to reports, at these paths."""
        unread = pl.col("outcome").is_in([REJECTED, ATTACHED])
        return self.rows.filter(unread & pl.col("source").is_in(list(sources)))

    def with_numbers(self, hashes: Iterable[str]) -> set[str]:
        """Those of these SHA-256 at which a rejected document stands whose numbers the lake may have."""
        wanted = list(hashes)
        if not wanted:
            return set()
        rejected = self.rows.filter(pl.col("outcome") == REJECTED, MAY_HAVE_NUMBERS)
        return set(rejected.filter(pl.col("sha256").is_in(wanted))["sha256"])

    def parts(self, files: Iterable[str], outcome: str) -> pl.DataFrame:
        """The rows with this outcome of parts of these files."""
        wanted = list(files)
        if not wanted:  # as most often: the rows of a whole lake need not be looked through
            return self.rows.clear()
        return self.rows.filter((pl.col("outcome") == outcome) & pl.col("file").is_in(wanted))

    def unseen(self) -> dict[str, str]:
        """The sources of the rejects of whose contents nothing is known, as there was no reading them, and the paths
        of their files."""
        unseen = (pl.col("outcome") == REJECTED) & pl.col("sha256").is_null()
        return dict(self.rows.filter(unseen).select("source", pl.coalesce("file", "source")).iter_rows())

    def unread_parts(self) -> dict[str, str]:
        """The sources of all documents that are no reports, and the files that they are parts of, or are."""
        unread = self.rows.filter(pl.col("outcome").is_in([REJECTED, ATTACHED]))
        return dict(unread.select("source", pl.coalesce("file", "source")).iter_rows())

    def in_partitions(self, folders: Iterable[str], partition_by: PartitionBy) -> pl.DataFrame:
        """The rows of the reports that stand in these partitions, and `folder`."""
        read = with_folder(self.rows.filter(pl.col("outcome") == READ), partition_by)
        return read.filter(pl.col("folder").is_in(list(folders)))


def read_manifest(output: Path) -> Manifest:
    """The manifest of a lake. Raises LakeError where it cannot be read, or where a lake has none."""
    folder = output / MANIFEST_FOLDER
    segments = sorted(file.name for file in folder.glob("documents-*.parquet"))
    merged = output / MERGED_FILE
    names = [merged.name] * merged.is_file() + segments
    if not names and any((output / name).is_dir() and any((output / name).iterdir()) for name in TABLES):
        raise without_manifest(folder)
    frames = [_read(folder / name) for name in names]
    rows = _applied([pl.DataFrame(schema=SCHEMA), *frames])
    return Manifest(rows, [f"{MANIFEST_FOLDER}/{name}" for name in names], frames[len(names) - len(segments) :])


def has_manifest(output: Path) -> bool:
    """Whether a folder has a list of the documents of its lake."""
    return next((output / MANIFEST_FOLDER).glob("documents*.parquet"), None) is not None


def without_manifest(folder: Path | str) -> LakeError:
    """The error for a lake that has tables and no manifest."""
    return LakeError(
        folder,
        "is not there, so nothing says which reports the tables hold",
        f"choose another output folder, and run over all reports again; {_STILL_THERE}",
    )


def has_reports(rows: pl.DataFrame) -> bool:
    """Whether there is a report among these rows."""
    return not rows.filter(pl.col("outcome") == READ).is_empty()


def document_rows(rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """Rows of the manifest; what they leave out is null."""
    return pl.DataFrame([{name: row.get(name) for name in SCHEMA} for row in rows], schema=SCHEMA, orient="row")


def removed(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows that take these documents out."""
    return rows.select(SCHEMA.names()).with_columns(outcome=pl.lit(REMOVED))


def files_of(row: Mapping[str, Any], partition_by: PartitionBy) -> list[str]:
    """The files with the rows of a report, below the lake."""
    file = partition_file(partition_by.folder(row["deal"], row["distribution_date"]))
    place = f"{SUPERSEDED_FOLDER}/" if row["standing"] == SUPERSEDED else ""
    return [f"{place}{name}/{file}" for name in row["tables"]]


def with_folder(rows: pl.DataFrame, partition_by: PartitionBy) -> pl.DataFrame:
    """The rows with `folder`: what `PartitionBy.folder` says of their deal and date."""
    # There are few dates, so each is asked for once, and the deals are put in.
    dates = rows.select(pl.col("distribution_date").unique())
    folders = pl.Series([partition_by.folder("?", date) for date in dates.to_series()], dtype=pl.String)
    placed = rows.join(dates.with_columns(folder=folders), on="distribution_date", how="left", maintain_order="left")
    return placed.with_columns(pl.col("folder").str.replace("?", pl.col("deal"), literal=True))


@dataclass(frozen=True)
class Readers:
    """What stands for this program with each layout, by its label, and with all of them: documents that one of them has
    read, or that all have rejected, need not be read again."""

    by_layout: Mapping[str, str]
    together: str


def readers(layouts: Sequence[Layout]) -> Readers:
    """What stands for this program with these layouts. The bytes of their files count, not only their versions."""
    return Readers({layout.label: _reader([layout]) for layout in layouts}, _reader(layouts))


def _reader(layouts: Iterable[Layout]) -> str:
    digest = hashlib.sha256(__version__.encode())
    for layout in sorted(layouts, key=lambda layout: layout.name):
        content = layout.file.read_bytes() if layout.file.is_file() else b""
        digest.update(f"\0{layout.label}\0".encode() + hashlib.sha256(content).digest())
    return digest.hexdigest()[:16]


def _applied(frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """All rows, of each document the last one."""
    rows = pl.concat(frames).with_columns(key=KEY)
    last = rows.unique("key", keep="last", maintain_order=True)
    return last.filter(pl.col("outcome") != REMOVED).drop("key")


def _read(file: Path) -> pl.DataFrame:
    try:
        scanned = pl.scan_parquet(file, schema=SCHEMA, missing_columns="insert", extra_columns="ignore", glob=False)
        return scanned.collect()
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        message = f"cannot be read: {first_line(error)}"
        raise LakeError(file, message, f"run over all reports again into another folder; {_STILL_THERE}") from error


def list_bytes(rows: pl.DataFrame, name: str) -> bytes:
    """The bytes of one of the lists beside the tables."""
    data = conform(rows.to_arrow(), name)
    return parquet_bytes(data, data.schema)
