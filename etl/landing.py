"""Batches that were read → the lake: what each changes in its partitions and in the manifest, in one commit."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from etl.batch import INTERNAL_ERROR
from etl.commits import stage_file
from etl.documents import bare_report_id
from etl.inbox import InboxBatch
from etl.manifest import (
    ATTACHED,
    MAY_HAVE_NUMBERS,
    READ,
    REJECTED,
    REMOVED,
    SCHEMA,
    Manifest,
    Readers,
    document_rows,
    removed,
    with_folder,
)
from etl.partitions import PartitionBy, partition_files, rejected_file
from etl.staging import Rebuilt, Staged, reject_row
from etl.stores import LakeStore, StagingArea
from etl.version import __version__

# For these reasons a part of a file is no report: where others are, it is attached to them.
ATTACHED_FOR = ("not_a_report", "empty", "binary")


@dataclass(frozen=True)
class Landed:
    """A batch that has come into the lake, the rows of the manifest that it changed (`outcome` may be removed), and the
    partitions of which it wrote or took out files."""

    batch: InboxBatch
    staged: Staged
    changes: pl.DataFrame
    partitions: list[str]
    seconds: float


@dataclass(frozen=True)
class _Placed:
    """The files of a commit, the files that it takes out, the rows of the manifest that it changes, and the partitions
    that it touches."""

    files: list[str]
    removals: list[str]
    rows: pl.DataFrame
    partitions: list[str]


# Makes the partitions anew that change, in a staging folder: from the reports that were just read, and from those, rows
# of the manifest with `folder`, which stay in the lake beside them.
Rebuilding = Callable[[Path, pl.DataFrame], list[Rebuilt]]


class Landing:
    """Brings batches into the lake, one after the other."""

    def __init__(
        self,
        store: LakeStore,
        staging: StagingArea,
        manifest: Manifest,
        readers: Readers,
        partition_by: PartitionBy,
        rebuild: Rebuilding,
    ) -> None:
        self._store = store
        self._staging = staging
        self._manifest = manifest
        self._readers = readers
        self._partition_by = partition_by
        self._rebuild = rebuild
        self._files_with_reports: set[str] = set()  # of all batches up to now

    def land(self, batch: InboxBatch, folder: Path, staged: Staged) -> Landed:
        """Bring a batch into the lake, with what was staged for it in a folder.

        Raises LakeError where a file of the lake cannot be read, OutputError where one cannot be written, and what
        `rebuild` raises; then nothing of it has come into the lake.
        """
        begun = time.perf_counter()
        files = {(document.source, document.sha256): document.file for document in batch.documents}
        for row in staged.documents:
            row["file"] = files[row["source"], row["sha256"]]
            if row["outcome"] == REJECTED:
                row["source"] = batch.own_paths[row["source"], row["sha256"]]
        staged.documents += [reject_row(reject) for reject in batch.rejects]
        staged.documents += list(self._rejected_copies(batch, staged))
        with_reports = self._with_reports(batch, staged)
        self._files_with_reports |= with_reports
        self._attach(staged)
        changes, partitions = self._commit(batch, folder, staged, with_reports)
        return Landed(batch, staged, changes, partitions, time.perf_counter() - begun)

    def _rejected_copies(self, batch: InboxBatch, staged: Staged) -> Iterator[dict[str, Any]]:
        """Rows of copies of documents that were rejected: for the same reason."""
        if not batch.copies:
            return
        here = {row["source"]: row for row in staged.documents if row["outcome"] == REJECTED}
        before = self._manifest.unread(copy.first for copy in batch.copies)
        refused = before.rows_by_key("source", include_key=True, named=True, unique=True) | here
        for copy in batch.copies:
            if (row := refused.get(copy.first)) is not None and row["sha256"] == copy.sha256:
                own = {"source": copy.source, "file": copy.file, "outcome": REJECTED}
                yield {name: row.get(name) for name in SCHEMA} | own

    def _with_reports(self, batch: InboxBatch, staged: Staged) -> set[str]:
        """The files of several documents of which this batch has a report: one that is read, a copy, or skipped."""
        read = [row for row in staged.documents if row["outcome"] == READ]
        files = batch.files_with_reports | {row["file"] for row in read}
        if any(copy.file for copy in batch.copies):
            known = {row["sha256"] for row in read}
            known |= set(self._manifest.reports({copy.sha256 for copy in batch.copies})["sha256"])
            files |= {copy.file for copy in batch.copies if copy.sha256 in known}
        return {file for file in files if file is not None}

    def _attach(self, staged: Staged) -> None:
        """Parts that are no reports, of files in which reports were found, are no rejects: covers, pictures. Nor are
        they where another part is a report that could not be read: its reject tells of the file."""
        rejected = [row for row in staged.documents if row["outcome"] == REJECTED and row["file"]]
        parts = [row for row in rejected if row["reason_code"] in ATTACHED_FOR]
        if not parts:
            return
        with_reports = self._files_with_reports | {
            row["file"] for row in rejected if row["reason_code"] not in ATTACHED_FOR
        }
        with_reports |= set(self._manifest.parts({row["file"] for row in parts}, READ)["file"])
        for row in parts:
            if row["file"] in with_reports:
                row["outcome"] = ATTACHED

    def _attached_now(self, with_reports: Iterable[str]) -> pl.DataFrame:
        """Rejected parts of files in which reports have been found only now."""
        refused = self._manifest.parts(with_reports, REJECTED)
        return refused.filter(pl.col("reason_code").is_in(ATTACHED_FOR)).with_columns(outcome=pl.lit(ATTACHED))

    def _commit(
        self, batch: InboxBatch, folder: Path, staged: Staged, with_reports: Collection[str]
    ) -> tuple[pl.DataFrame, list[str]]:
        """Bring the reports of a batch into the lake; the rows of the manifest that change, and the partitions.

        Raises what `rebuild` raises, before anything has changed.
        """
        rows = document_rows([self._with_reader(row) for row in staged.documents])
        read = rows.filter(pl.col("outcome") == READ)
        before = self._looked_at(batch, rows, set(read["report_id"]))
        placed = self._placed(folder, staged.files, read, before)
        refused = self._manifest.unread(batch.sources)
        settled = [outcome.source for outcome in batch.settled if outcome.outcome in (REJECTED, ATTACHED)]
        mended = refused.filter(~pl.col("source").is_in(settled))
        unread = before.join(read, on="report_id", how="anti")
        rejected = rows.filter(pl.col("outcome") != READ)
        changes = pl.concat([self._attached_now(with_reports), removed(mended), removed(unread), placed.rows, rejected])
        self._change(folder, changes, placed.files, placed.removals, staged.deposited)
        return changes, placed.partitions

    def _looked_at(self, batch: InboxBatch, rows: pl.DataFrame, read: Collection[str]) -> pl.DataFrame:
        """The rows of the reports of which it is known now what they are: not of those that were left because of a
        defect, for what the lake has of them stays.

        The same bytes with and without a filing are one report. So of a filed one that was `read`, the row without a
        filing is one of these; and of one without, those with a filing, for it is read only where they are lost."""
        failed = set(rows.filter(pl.col("reason_code") == INTERNAL_ERROR)["sha256"])
        given = [document for document in batch.documents if document.sha256 not in failed]
        by_bytes = {reject.sha256 for reject in batch.rejects if reject.sha256 is not None} - failed
        known = self._manifest.reports({document.sha256 for document in given} | by_bytes)
        if known.is_empty():
            return known
        ids = {item.report_id for item in given}
        ids |= {bare_report_id(item.sha256) for item in given if item.report_id in read}
        by_bytes |= {item.sha256 for item in given if item.report_id in read and not item.is_filed}
        return known.filter(pl.col("report_id").is_in(list(ids)) | pl.col("sha256").is_in(list(by_bytes)))

    def forget(self, sources: Sequence[str]) -> None:
        """Take the rejects of these paths out of the manifest."""
        self._change(self._staging.next_folder(), removed(self._manifest.unread(sources)))

    def _change(
        self,
        folder: Path,
        changes: pl.DataFrame,
        files: Sequence[str] = (),
        removals: Sequence[str] = (),
        deposited: Sequence[str] = (),
    ) -> None:
        """Commit changes of the manifest, with the files of the tables that they tell of.

        The numbers of a reject that is removed go too, if no other reject has the same bytes.
        """
        if not changes.is_empty():
            name, content = self._manifest.update(changes)
            stage_file(folder, name, content)
            had_numbers = changes.filter(pl.col("outcome") == REMOVED, MAY_HAVE_NUMBERS)["sha256"]
            gone = sorted(set(had_numbers) - self._manifest.with_numbers(had_numbers))
            self._staging.commit(folder, [*files, name], [*removals, *map(rejected_file, gone)], deposited)

    def _with_reader(self, row: dict[str, Any]) -> dict[str, Any]:
        """A row of the manifest, with what read the document."""
        read_by = self._readers.together  # also of what no layout knew: it is read again as soon as any layout changes
        if row["outcome"] == READ:
            read_by = self._readers.by_layout.get(row["layout"], read_by)
        return row | {"program_version": __version__, "read_by": read_by}

    def _placed(self, folder: Path, files: Sequence[str], read: pl.DataFrame, before: pl.DataFrame) -> _Placed:
        """What is staged, rebuilt where other reports stay in a partition.

        `read` are the reports of the batch, `before` those of its documents that the lake has.
        """
        touched = with_folder(pl.concat([read, before]), self._partition_by)["folder"].unique()
        present = self._manifest.in_partitions(touched, self._partition_by)
        batch = pl.concat([read, before])["report_id"].implode()
        stay = present.filter(~pl.col("report_id").is_in(batch))
        rebuilt = self._rebuild(folder, stay)
        redone = {file for partition in rebuilt for file in partition_files(partition.folder)}
        kept = [file for file in files if file not in redone]
        kept += [file for partition in rebuilt for file in partition.files]
        removals = self._without_successor(present["folder"].unique().sort(), set(kept))
        rows = _restated(read, stay.select(SCHEMA.names()), rebuilt)
        return _Placed(kept, removals, rows, touched.to_list())

    def _without_successor(self, folders: Iterable[str], staged: Collection[str]) -> list[str]:
        """Files of these partitions that stand in the lake and are not replaced."""
        return self._store.existing(
            file for folder in folders for file in partition_files(folder) if file not in staged
        )


def _restated(rows: pl.DataFrame, stay: pl.DataFrame, rebuilt: Sequence[Rebuilt]) -> pl.DataFrame:
    """The rows with the standing that their reports have now, and those of other reports that change: they have another
    standing, or something of them was not found and they must be read again."""
    if not rebuilt and stay.is_empty():
        return rows
    standing = {report_id: now for partition in rebuilt for report_id, now in partition.standings.items()}
    found = {report_id: len(tables) for partition in rebuilt for report_id, tables in partition.tables.items()}
    report_id = pl.col("report_id")
    now = report_id.replace_strict(standing, default=None, return_dtype=pl.String)
    whole = report_id.replace_strict(found, default=0, return_dtype=pl.UInt32) >= pl.col("tables").list.len()
    compared = stay.with_columns(now=now, whole=whole)
    lost = removed(compared.filter(pl.col("now").is_null()))
    changed = compared.filter((pl.col("now") != pl.col("standing")) | ~pl.col("whole"), pl.col("now").is_not_null())
    restated = changed.with_columns(standing="now", read_by=pl.when("whole").then("read_by").otherwise(pl.lit("")))
    mine = rows.with_columns(standing=pl.coalesce(now, "standing"))
    return pl.concat([lost, restated.select(SCHEMA.names()), mine])
