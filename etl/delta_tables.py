"""The tables of a lake as Delta tables: which files of partitions a table has is said by its log.

    OUTPUT/<table>/_delta_log/…                                             what the table was and is
    OUTPUT/<table>/deal=<deal>/distribution_date=<date>/<deal>_<date>-<16 hex digits>.parquet

The files are those of a lake of Parquet, byte for byte; only their names have a part of the SHA-256 of what
is in them. So no version takes the place of another on the disk: a file comes or goes by one line in the log. All
that a batch changes in a table is one commit to its log, which a reader sees whole or not at all.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import os
import re
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from etl.commits import LakeLock, Staging, refuse_parquet
from etl.errors import LakeError, OutputError, UsageError, first_line, named_as
from etl.manifest import read_manifest
from etl.parquet import REREAD, has_end
from etl.partitions import (
    DATE_COLUMN,
    MANIFEST_FOLDER,
    OUTPUT_FOLDERS,
    PLACES,
    STAGING_FOLDER,
    SUFFIX,
    SUPERSEDED_FOLDER,
    VIEWS_FOLDER,
    PartitionBy,
    partition_file,
    table_part,
    way_of,
)
from etl.schema import PARTITION_COLUMNS, TABLES, Column, table
from etl.stores import StagingArea

if TYPE_CHECKING:
    from deltalake import DeltaTable, Schema
    from deltalake.transaction import AddAction, CommitProperties, RemoveAction

# All tables, in the order of their commits: earlier versions first, `reports` last.
NAMES = tuple(f"{place}{name}" for place in reversed(PLACES) for name in reversed(TABLES))
# Who commits. The number of a commit stands beside it in the log, so that none is made twice.
APPLICATION = "trustee-etl"
# Beside the tables: what a reader of the lake may ask for.
BESIDE = tuple(
    name for name in OUTPUT_FOLDERS if name not in (*TABLES, SUPERSEDED_FOLDER, STAGING_FOLDER, VIEWS_FOLDER)
)

_YEAR = Column("year", "int32", False, "year", "", "Year of the distribution date.")
_DIGITS = 16
_OURS = re.compile(rf"(.+)-[0-9a-f]{{{_DIGITS}}}{re.escape(SUFFIX)}")
_RESTORE = "bring the table back to a version that `etl run` wrote: DeltaTable(TABLE).restore(VERSION)"


@dataclass(frozen=True)
class DataFile:
    """A file of a partition: its path below the folder of its table, its size in bytes, and what the log says of its
    rows (JSON)."""

    path: str
    size: int
    stats: str = ""


# What becomes of partitions of a table: a new file, or None where it goes.
Changes = Mapping[str, DataFile | None]


def need_deltalake() -> None:
    """Raise UsageError where the library for Delta tables is missing."""
    if importlib.util.find_spec("deltalake") is None:
        raise UsageError("Delta tables need the library deltalake: pip install 'trustee-etl[delta]'")


# --- the logs -------------------------------------------------------------------------------------------------


class DeltaTables:
    """The logs of the tables of a lake, wherever that is.

    Of each table the files are listed once, and then kept up to date with the commits that are made here: so to write,
    it must be used with the lake locked.
    """

    def __init__(self, base: str, storage_options: Mapping[str, str] | None = None) -> None:
        need_deltalake()
        self._base = base
        self._options = dict(storage_options or {})
        self._opened: dict[str, DeltaTable | None] = {}
        self._files: dict[str, dict[str, tuple[DataFile, ...]]] = {}

    def partitions(self, name: str) -> Mapping[str, tuple[DataFile, ...]]:
        """The files that a table has, by partition. Raises LakeError where its log cannot be read."""
        if name not in self._files:
            opened = self._open(name)
            self._files[name] = {} if opened is None else _listed(opened)
        return self._files[name]

    def file(self, name: str, partition: str) -> DataFile | None:
        """The file of a partition, if there is one. Raises LakeError where another program wrote what stands there."""
        files = self.partitions(name).get(partition, ())
        if not files:
            return None
        ours = _OURS.fullmatch(files[0].path)
        if len(files) > 1 or ours is None or f"{ours[1]}{SUFFIX}" != partition_file(partition):
            raise LakeError(Path(self._base, name, partition), "another program has rewritten it", _RESTORE)
        return files[0]

    def partitioning(self) -> PartitionBy | None:
        """How the tables are partitioned; None where there are none."""
        opened = next(filter(None, map(self._open, reversed(NAMES))), None)
        return None if opened is None else way_of(opened.metadata().partition_columns)

    def versions(self) -> dict[str, int]:
        """The version of each table that there is."""
        opened = {name: self._open(name) for name in reversed(NAMES)}
        return {name: there.version() for name, there in opened.items() if there is not None}

    def commit(self, name: str, changes: Changes, partition_by: PartitionBy, number: int, note: str) -> None:
        """Change partitions of a table, and no others, in one commit: none where it was made before, or where nothing
        changes. A table that is not there is made. Raises OutputError."""
        from deltalake.exceptions import DeltaError  # noqa: PLC0415 - only lakes of Delta tables need it

        try:
            there = self._open(name)
            if there is None or way_of(there.metadata().partition_columns) is not partition_by:
                self._create(name, changes, partition_by, _properties(number, note))
            elif there.transaction_version(APPLICATION) != number:
                self._replace(there, name, changes, partition_by, _properties(number, note))
        except DeltaError as error:
            told = f"cannot be written: {first_line(error)}; check the folder and the disk, then run again to finish"
            raise OutputError(f"{self._base}/{name}: {told}") from error

    def _create(self, name: str, changes: Changes, partition_by: PartitionBy, properties: CommitProperties) -> None:
        """Make a table with its first files. One that is there in another partitioning, as no report is left in the
        lake, becomes this one."""
        from deltalake.transaction import create_table_with_add_actions  # noqa: PLC0415

        declared = table(name.rpartition("/")[2])
        added = {partition: file for partition, file in changes.items() if file is not None}
        create_table_with_add_actions(
            f"{self._base}/{name}",
            delta_schema(declared.name, partition_by),
            [_add(partition, file) for partition, file in added.items()],
            mode="error" if self._opened[name] is None else "overwrite",
            partition_by=list(partition_by.keys),
            name=declared.name,
            description=declared.description,
            storage_options=self._options,
            commit_properties=properties,
        )
        del self._opened[name]
        self._files[name] = {partition: (replace(file, stats=""),) for partition, file in added.items()}

    def _replace(
        self, there: DeltaTable, name: str, changes: Changes, partition_by: PartitionBy, properties: CommitProperties
    ) -> None:
        """Let new files take the place of all that the same partitions had."""
        before = self.partitions(name)
        actions: list[AddAction | RemoveAction] = []
        for partition, new in changes.items():
            old = before.get(partition, ())
            stays = new is not None and new.path in {file.path for file in old}
            actions += [_remove(partition, file) for file in old if new is None or file.path != new.path]
            actions += [_add(partition, new)] if new is not None and not stays else []
        if not actions:
            return
        schema = delta_schema(name.rpartition("/")[2], partition_by)
        _widen(there, schema)
        there.create_write_transaction(actions, "append", schema, list(partition_by.keys), commit_properties=properties)
        there.update_incremental()
        for partition, new in changes.items():
            if new is None:
                self._files[name].pop(partition, None)
            else:
                self._files[name][partition] = (replace(new, stats=""),)

    def _open(self, name: str) -> DeltaTable | None:
        if name not in self._opened:
            self._opened[name] = _delta_table(f"{self._base}/{name}", self._options)
        return self._opened[name]


def _delta_table(uri: str, options: Mapping[str, str]) -> DeltaTable | None:
    """A table in its newest version; None where there is none. Raises LakeError where its log cannot be read."""
    from deltalake import DeltaTable  # noqa: PLC0415 - only lakes of Delta tables need it
    from deltalake.exceptions import DeltaError, TableNotFoundError  # noqa: PLC0415

    try:
        return DeltaTable(uri, storage_options=dict(options))
    except TableNotFoundError:
        return None
    except (DeltaError, OSError) as error:
        told = f"the log of the table cannot be read: {first_line(error)}"
        raise LakeError(Path(uri), told, "run over all reports again into another folder") from error


def _listed(there: DeltaTable) -> dict[str, tuple[DataFile, ...]]:
    """The files of a table by partition."""
    actions = pa.table(there.get_add_actions(flatten=True))
    files: dict[str, tuple[DataFile, ...]] = {}
    for path, size in zip(actions["path"].to_pylist(), actions["size_bytes"].to_pylist(), strict=True):
        partition = path.rpartition("/")[0]
        files[partition] = (*files.get(partition, ()), DataFile(path, size))
    return files


def _widen(there: DeltaTable, schema: Schema) -> None:
    """Give a table that an older program made the columns that it lacks: null in the files that it has."""
    from deltalake import Field  # noqa: PLC0415

    known = {field.name for field in there.schema().fields}
    new = [field for field in schema.fields if field.name not in known]
    if new:
        there.alter.add_columns(
            [Field(field.name, field.type, nullable=True, metadata=field.metadata) for field in new]
        )
        there.update_incremental()


def _add(partition: str, file: DataFile) -> AddAction:
    from deltalake.transaction import AddAction  # noqa: PLC0415

    return AddAction(file.path, file.size, _values(partition), _now(), True, file.stats)


def _remove(partition: str, file: DataFile) -> RemoveAction:
    from deltalake.transaction import RemoveAction  # noqa: PLC0415

    return RemoveAction(file.path, True, _now(), file.size, _values(partition))


def _properties(number: int, note: str) -> CommitProperties:
    """What stands beside a commit: its number, and of which run it is."""
    from deltalake.transaction import CommitProperties, Transaction  # noqa: PLC0415

    return CommitProperties({"userMetadata": note}, app_transactions=[Transaction(APPLICATION, number)])


def _now() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def _values(partition: str) -> dict[str, str | None]:
    """The values of the partition columns, as a log has them."""
    parts = (part.partition("=") for part in partition.split("/"))
    return {key: value for key, _, value in parts}


@cache
def table_schema(name: str, partition_by: PartitionBy) -> pa.Schema:
    """The columns of a Delta table: deal, distribution date, those that are declared, and where it is partitioned by it
    the year."""
    year = [_YEAR] if _YEAR.name in partition_by.keys else []
    return pa.schema([column.arrow for column in (*PARTITION_COLUMNS, *table(name).columns, *year)])


@cache
def delta_schema(name: str, partition_by: PartitionBy) -> Schema:
    """The same as a log has them; `comment` is what engines show as the description of a column."""
    from deltalake import Schema  # noqa: PLC0415

    fields = [
        field.with_metadata({**field.metadata, b"comment": field.metadata[b"description"]})
        for field in table_schema(name, partition_by)
    ]
    return Schema.from_arrow(pa.schema(fields))


# --- a lake in a folder ---------------------------------------------------------------------------------------


class FolderTables:
    """The Delta tables of a lake in a folder: their files are moved into it, then their logs tell of them."""

    def __init__(self, output: Path) -> None:
        self._output = output
        self.logs = DeltaTables(os.path.abspath(output))  # noqa: PTH100 - a link stays the name that was chosen

    def plan(self, folder: Path, files: Iterable[str], removals: Iterable[str]) -> bytes:
        """What a commit changes in the tables."""
        changes: dict[str, dict[str, Any]] = {}
        keys: tuple[str, ...] = ()
        for file, stays in (*((file, False) for file in removals), *((file, True) for file in files)):
            if (place := table_part(file)) is not None:
                name, partition = place
                keys = tuple(_values(partition))
                new = asdict(data_file(folder / file, partition)) if stays else None
                changes.setdefault(name, {})[partition] = new
        said = {"number": time.time_ns() // 1000, "partition_by": way_of(keys), "changes": changes}
        return json.dumps(said).encode() if changes else b""

    def apply(self, ready: Path, plan: bytes) -> None:
        """Move the files of a plan into their tables, and commit them, table by table. Raises OutputError."""
        said = json.loads(plan)
        for name in NAMES:
            changes = {
                partition: DataFile(**file) if file else None
                for partition, file in said["changes"].get(name, {}).items()
            }
            for partition, file in changes.items():
                if file is not None:
                    _move(ready / name / partition_file(partition), self._output / name / file.path)
            # A file that is nowhere was swept out of the table before it was committed: then it is lost, as the next
            # run finds.
            there = {
                partition: file if file and (self._output / name / file.path).exists() else None
                for partition, file in changes.items()
            }
            self.logs.commit(name, there, PartitionBy(said["partition_by"]), said["number"], ready.parent.name)


def data_file(staged: Path, partition: str) -> DataFile:
    """A staged file of a partition as a table will have it."""
    content = staged.read_bytes()
    stem = partition_file(partition).removesuffix(SUFFIX)
    digest = hashlib.sha256(content).hexdigest()[:_DIGITS]
    return DataFile(f"{stem}-{digest}{SUFFIX}", len(content), json.dumps(_stats(content)))


def _stats(content: bytes) -> dict[str, Any]:
    """What the log says of the rows of a file: their number, and where the file has them the first and the last date.
    Of decimals it says nothing, for a log has them as floats."""
    read = pq.read_metadata(pa.BufferReader(content))
    stats: dict[str, Any] = {"numRecords": read.num_rows}
    if read.schema.column(0).name == DATE_COLUMN:
        dates = [read.row_group(number).column(0).statistics for number in range(read.num_row_groups)]
        stats["minValues"] = {DATE_COLUMN: min(date.min for date in dates).isoformat()}
        stats["maxValues"] = {DATE_COLUMN: max(date.max for date in dates).isoformat()}
        stats["nullCount"] = {DATE_COLUMN: 0}
    return stats


def _move(staged: Path, target: Path) -> None:
    """Put a file in its place, unless an earlier try did; one that is there has the same bytes."""
    if staged.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        staged.replace(target)


class DeltaStore:
    """A lake of Delta tables in a folder of this machine.

    `root` has links to the files of partitions that were fetched, under the names that they have in a lake of Parquet,
    and to what stands beside the tables.
    """

    def __init__(self, output: Path, run_id: str) -> None:
        self._output = output
        self._run_id = run_id
        self._tables = FolderTables(output)
        self.root = output / STAGING_FOLDER / run_id / "lake"

    def __reduce__(self) -> tuple[type[DeltaStore], tuple[Path, str]]:
        return DeltaStore, (self._output.absolute(), self._run_id)  # another process may work in another folder

    def lock(self, waiting: Callable[[], None] | None) -> LakeLock:
        """Holds the folder for one run."""
        return LakeLock(self._output, waiting)

    @contextmanager
    def staging(self, run_id: str) -> Iterator[StagingArea]:
        """The staging folder of a run."""
        with Staging(self._output, run_id, self._tables) as staging:
            refuse_parquet(self._output)
            if not any((self._output / MANIFEST_FOLDER).glob(f"*{SUFFIX}")):
                read_manifest(self._output)  # raises where there are tables, and says so of this folder
            _link_lists(self._output, self.root, [MANIFEST_FOLDER])  # it may not be there yet
            with named_as(self.root, os.fspath(self._output)):
                yield staging

    def fetch(self, files: Iterable[str]) -> None:
        """Link to those of these files that the lake has now. Raises LakeError for one that is damaged."""
        wanted = list(files)
        _link_files(self._output, self.root, self._tables.logs, wanted)
        for link in (self.root / file for file in wanted):
            if link.exists() and not has_end(str(link)):  # what reads it would name the link
                raise LakeError(link.resolve(), "cannot be read: it does not end as a Parquet file does", REREAD)

    def clear(self) -> None:
        """There are no copies: links go with the staging folder, which other processes use too."""

    def close(self) -> None:
        """There is nothing."""

    def existing(self, files: Iterable[str]) -> list[str]:
        """Those of these files that the lake has."""
        return [file for file in files if self._has(file)]

    def stand_whole(self, files: Iterable[str]) -> bool:
        """Whether the tables have all of these files, and each has its size and its end."""
        return all(self._stands(file) for file in files)

    def partitioning(self) -> PartitionBy | None:
        """How the tables are partitioned."""
        return self._tables.logs.partitioning()

    def versions(self) -> dict[str, int]:
        """The version of each table."""
        return self._tables.logs.versions()

    def _has(self, file: str) -> bool:
        place = table_part(file)
        if place is None:
            return os.path.exists(f"{self._output}/{file}")  # noqa: PTH110 - one of thousands
        return bool(self._tables.logs.partitions(place[0]).get(place[1]))

    def _stands(self, file: str) -> bool:
        place = table_part(file)
        if place is None:
            return has_end(f"{self._output}/{file}")
        found = self._tables.logs.file(*place)
        return found is not None and _is_whole(f"{self._output}/{place[0]}/{found.path}", found.size)


@contextmanager
def as_folder(output: Path) -> Iterator[Path]:
    """A folder that has the tables of a lake, in the versions that they have now, as a lake of Parquet: with links to
    the files, below the names that they have there. It goes with the context.

    Raises UsageError where the library is missing, LakeError where a log cannot be read or another program has
    rewritten a table.
    """
    logs = DeltaTables(os.path.abspath(output))  # noqa: PTH100 - a link stays the name that was chosen
    with TemporaryDirectory(prefix="etl-delta-") as temporary:
        root = Path(os.path.realpath(temporary))
        _link_lists(output, root, [name for name in BESIDE if (output / name).is_dir()])
        for name in reversed(NAMES):
            _link_files(
                output, root, logs, (f"{name}/{partition_file(partition)}" for partition in logs.partitions(name))
            )
        with named_as(root, os.fspath(output)):
            yield root


def _link_lists(output: Path, root: Path, names: Iterable[str]) -> None:
    """Links to folders beside the tables."""
    root.mkdir(parents=True, exist_ok=True)
    for name in names:
        (root / name).symlink_to(os.path.abspath(output / name))  # noqa: PTH100 - a link stays the name that was chosen


def _link_files(output: Path, root: Path, logs: DeltaTables, files: Iterable[str]) -> None:
    """Let those of these files that are there stand below `root`, of the tables those that the logs tell of."""
    there = os.path.abspath(output)  # noqa: PTH100 - a link stays the name that was chosen
    for file in files:
        place = table_part(file)
        if place is None:
            if not os.path.exists(f"{root}/{file}"):  # noqa: PTH110 - its folder may be linked to as a whole
                _link(f"{there}/{file}", f"{root}/{file}")
        elif (found := logs.file(*place)) is not None:
            _link(f"{there}/{place[0]}/{found.path}", f"{root}/{file}")
        else:
            (root / file).unlink(missing_ok=True)


def _link(target: str, link: str) -> None:
    """Let a link lead to a file, in the place of an earlier one; none where the file is lost.

    Another try of the same task may look at this moment, and would take a link that is missing for no rows at all.
    """
    if not os.path.exists(target):  # noqa: PTH110 - one of thousands, as all below
        Path(link).unlink(missing_ok=True)
        return
    with contextlib.suppress(OSError):  # there is none
        if os.readlink(link) == target:  # noqa: PTH115
            return
    os.makedirs(os.path.dirname(link), exist_ok=True)  # noqa: PTH103, PTH120
    aside = f"{link}.{uuid.uuid4().hex}"
    os.symlink(target, aside)  # noqa: PTH211
    os.replace(aside, link)  # noqa: PTH105


def _is_whole(file: str, size: int) -> bool:
    """Whether a file is there, of this size, and ends as a Parquet file does."""
    return has_end(file) and os.path.getsize(file) == size  # noqa: PTH202 - one of thousands
