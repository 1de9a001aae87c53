"""A lake of small files → one of larger files, or back: the same rows, partitioned in another way.

The new tables are made beside the old ones and take their places whole, table by table. Runs go on as
before, in the new partitioning.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from etl.commits import LakeLock, Staging, refuse_delta
from etl.errors import LakeError, UsageError
from etl.manifest import READ, has_reports, read_manifest, with_folder
from etl.partitions import PartitionBy, partitioning_of
from etl.staging import read_partition, write_partition
from etl.versions import SUPERSEDED
from etl.workers import Workers, processor_cores, result_of

# A deal: its folders, and of each of its reports the standing and the number of tables that have rows of it.
_Deal = tuple[Sequence[str], Mapping[str, tuple[str, int]]]
# So many reports are rewritten by one job.
REPORTS_AT_ONCE = 240
_NEW_LAKE = "make a new lake of larger files: etl run INBOX --out OTHER --format delta --partition-by deal"


@dataclass(frozen=True)
class Compacted:
    """How a lake was and is partitioned, and numbers of files; `was` is `now` where nothing had to be done."""

    was: str
    now: str
    reports: int
    files_before: int
    files_now: int


def compact(
    output: Path,
    partition_by: PartitionBy,
    workers: int | None = None,
    waiting: Callable[[], None] | None = None,
) -> Compacted:
    """Partition a lake by `partition_by`. Its rows, the manifest and the rejects stay as they are.

    A reader that has listed the old files must list again. Raises UsageError where there is no lake,
    LakeError where rows that it should have are lost, OutputError where it cannot be written; then it is
    as it was.
    """
    if not output.is_dir():
        raise UsageError(f"{output}: there is no such folder; name the folder that `etl run --out` wrote")
    refuse_delta(output, _NEW_LAKE)
    count = workers or processor_cores()
    with LakeLock(output, waiting), _staging(output) as staging, Workers(count) as processes:
        manifest = read_manifest(output)
        present = partitioning_of(output) if has_reports(manifest.rows) else None
        if present is None:
            raise UsageError(f"{output}: holds no report yet; `etl run` reads reports into it")
        reports = manifest.rows.filter(pl.col("outcome") == READ)
        if present is partition_by:
            files = _count(reports, present)
            return Compacted(present, present, reports.height, files, files)
        folder = staging.next_folder()
        jobs = [
            processes.submit(rewrite, output, folder, deals, present, partition_by)
            for deals in _portions(reports, present)
        ]
        for job in jobs:
            result_of(job)
        staging.swap(folder, partition_by)
        before, now = _count(reports, present), _count(reports, partition_by)
        return Compacted(present, partition_by, reports.height, before, now)


def _staging(output: Path) -> Staging:
    """The staging folder. Raises UsageError where the lake has Delta tables, perhaps only since this waits for it."""
    refuse_delta(output, _NEW_LAKE)
    return Staging(output, f"compact-{os.getpid()}")


def rewrite(
    output: Path,
    staging: Path,
    deals: Sequence[_Deal],
    was: PartitionBy,
    now: PartitionBy,
) -> None:
    """Stage all tables of some deals.

    Raises LakeError where the rows of one are not there.
    """
    for folders, expected in deals:
        standing = {report_id: stands for report_id, (stands, _) in expected.items()}
        reports = [report for folder in folders for report in read_partition(output, folder, was)]
        found = {report.report_id: len(report.tables) for report in reports}
        if lost := sorted(name for name, (_, tables) in expected.items() if found.get(name, 0) < tables):
            message = f"the rows of report {lost[0]} are lost"
            raise LakeError(output / "reports" / folders[0], message, "run `etl run` over it again, then compact")
        places: dict[str, list[str]] = {}
        by_id = {report.report_id: report for report in reports}
        for report in reports:
            places.setdefault(now.folder(report.deal, report.date), []).append(report.report_id)
        for folder, ids in places.items():
            write_partition(staging, folder, [by_id[report_id] for report_id in ids], standing, now)


def _portions(reports: pl.DataFrame, partition_by: PartitionBy) -> list[list[_Deal]]:
    """What each job is to do: some deals."""
    portions: list[list[_Deal]] = [[]]
    size = 0
    for _, rows in with_folder(reports, partition_by).sort("deal", "folder").group_by("deal", maintain_order=True):
        columns = rows.select("report_id", "standing", pl.col("tables").list.len())
        expected = {report_id: (standing, tables) for report_id, standing, tables in columns.iter_rows()}
        if size >= REPORTS_AT_ONCE:
            portions.append([])
            size = 0
        portions[-1].append((rows["folder"].unique(maintain_order=True).to_list(), expected))
        size += rows.height
    return portions


def _count(reports: pl.DataFrame, partition_by: PartitionBy) -> int:
    """How many files the reports have."""
    rows = with_folder(reports, partition_by).explode("tables")
    return rows.select(pl.struct("folder", "tables", pl.col("standing") == SUPERSEDED).n_unique()).item()  # type: ignore[no-any-return]
