"""A batch of documents → the files of its partitions, in a staging folder.

What is here runs in a worker process: it reads documents and writes staged files, and tells in small
rows what it did. It sees no more of the lake than the partitions that it is told to rebuild.
"""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date as Date  # noqa: N812 - the name of a field here is date
from itertools import groupby
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa

from etl.batch import Batch, read_safely
from etl.commits import stage_file
from etl.documents import Document, Reject
from etl.layout import Layout
from etl.manifest import READ, REJECTED, list_bytes
from etl.parquet import parquet_bytes, read_parquet, stretches
from etl.partitions import (
    DATE_COLUMN,
    PLACES,
    PartitionBy,
    deal_of,
    file_schema,
    partition_file,
    partition_files,
    rejected_file,
)
from etl.schema import TABLES
from etl.sources import compressed, source_file
from etl.versions import CURRENT, SUPERSEDED, Version, standings, version_of

# Of the numbers of a report that no rule claims, so many are named.
UNCLAIMED_TOLD = 5
# What two filings of one report may differ in, though they say the same.
_NOT_SAID = ("reports", "records", "checks")


@dataclass(frozen=True)
class ReportRows:
    """The rows of one report, with the declared schemas; tables without rows are left out."""

    deal: str
    date: Date
    report_id: str
    tables: Mapping[str, pa.Table]


@dataclass
class Staged:
    """What became of a batch.

    `files`: paths below the staging folder. `documents`: rows of the manifest. `rows`, `checks`: numbers
    of rows by table, of checks by outcome. `failed_checks` and `unclaimed` tell of each, with `source`. `deposited`
    tells the commit of files that are not in the staging folder.
    """

    files: list[str] = field(default_factory=list)
    documents: list[dict[str, Any]] = field(default_factory=list)
    rows: Counter[str] = field(default_factory=Counter)
    checks: Counter[str] = field(default_factory=Counter)
    failed_checks: list[dict[str, Any]] = field(default_factory=list)
    unclaimed: list[dict[str, Any]] = field(default_factory=list)
    deposited: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Rebuilt:
    """What became of a partition: its staged files, and of each report that is in it now the standing, and the tables
    in which rows of it were found."""

    folder: str
    files: list[str]
    standings: dict[str, str]
    tables: dict[str, tuple[str, ...]]


def stage_batch(
    staging: Path,
    given: Sequence[Document],
    layouts: Sequence[Layout],
    partition_by: PartitionBy,
    *,
    keep_sources: bool,
) -> Staged:
    """Read documents (given without their texts), and stage the partitions of their reports as if there were no others.

    Raises OutputError where a file cannot be written.
    """
    begun = time.perf_counter()
    documents = [document.with_text() for document in given]
    staged = Staged()
    batches = read_safely(documents, layouts)
    staged.seconds["extract"] = time.perf_counter() - begun
    begun = time.perf_counter()
    staged.files, standing = stage_reports(staging, batches, partition_by)
    if keep_sources:
        read = set(standing)
        kept = {document.sha256: document for document in documents if document.report_id in read}
        staged.files += [_stage_source(staging, document) for document in kept.values()]
    staged.files += [
        _stage_rejected(staging, sha256, numbers) for batch in batches for sha256, numbers in batch.rejected.items()
    ]
    for batch in batches:
        _tell(batch, staged, standing, keep_sources=keep_sources)
    staged.seconds["write"] = time.perf_counter() - begun
    return staged


def stage_reports(
    staging: Path, batches: Iterable[Batch], partition_by: PartitionBy
) -> tuple[list[str], dict[str, str]]:
    """Stage the partitions of all reports of some batches; their files, and the standing of each report among them."""
    reports = [report for batch in batches for report in _reports(batch)]
    standing = _arranged(reports)
    files: list[str] = []
    for folder, group in _by_folder(reports, partition_by):
        files += write_partition(staging, folder, list(group), standing, partition_by)
    return files, standing


def rebuild(
    output: Path, staging: Path, folders: Mapping[str, Collection[str]], partition_by: PartitionBy
) -> list[Rebuilt]:
    """Stage partitions anew, from what is staged for them and from those reports of the lake (ids by folder) that stay.

    Raises LakeError where a file of the lake cannot be read, OutputError where one cannot be written.
    """
    return [_rebuilt(output, staging, folder, ids, partition_by) for folder, ids in folders.items()]


def put_together(
    output: Path,
    staged: Iterable[Path],
    target: Path,
    folder: str,
    stays: Collection[str],
    partition_by: PartitionBy,
) -> Rebuilt:
    """Write a partition into `target`, from what is staged for it in several folders and from those reports of the
    lake (ids) that stay. Raises as `rebuild` does."""
    new = {report.report_id: report for root in staged for report in read_partition(root, folder, partition_by)}
    old = read_partition(output, folder, partition_by) if stays else []
    stay = [report for report in old if report.report_id in stays and report.report_id not in new]
    reports = [*stay, *new.values()]
    standing = _arranged(reports)
    files = write_partition(target, folder, reports, standing, partition_by)
    return Rebuilt(folder, files, standing, {report.report_id: tuple(report.tables) for report in reports})


def read_partition(root: Path, folder: str, partition_by: PartitionBy) -> list[ReportRows]:
    """All reports of a partition, superseded ones too. Raises LakeError where a file cannot be read."""
    found: dict[tuple[Date, str], dict[str, pa.Table]] = {}
    for place in PLACES:
        for name in TABLES:
            file = root / f"{place}{name}" / partition_file(folder)
            try:
                data = read_parquet(file, file_schema(name, partition_by))
            except (FileNotFoundError, NotADirectoryError):
                continue
            for key, rows in _by_report(data, folder, partition_by):
                found.setdefault(key, {})[name] = rows
    deal = deal_of(folder) or ""
    return [ReportRows(deal, date, report_id, tables) for (date, report_id), tables in found.items()]


def write_partition(
    staging: Path,
    folder: str,
    reports: Sequence[ReportRows],
    standing: Mapping[str, str],
    partition_by: PartitionBy,
) -> list[str]:
    """Stage the files of a partition: the tables, and of superseded reports theirs. Comes back: their paths."""
    ordered = sorted(reports, key=lambda report: (report.date, report.report_id))
    files = []
    for place in PLACES:
        superseded = bool(place)
        chosen = [report for report in ordered if (standing[report.report_id] == SUPERSEDED) is superseded]
        for name in TABLES if chosen else ():
            parts = [_dated(report, name, partition_by) for report in chosen if name in report.tables]
            if not parts:
                continue
            data = parts[0] if len(parts) == 1 else pa.concat_tables(parts)
            file = f"{place}{name}/{partition_file(folder)}"
            stage_file(staging, file, parquet_bytes(data, file_schema(name, partition_by)))
            files.append(file)
    return files


def reject_row(reject: Reject) -> dict[str, Any]:
    """The row of the manifest for a document that could not be read."""
    return {
        "sha256": reject.sha256,
        "source": reject.source,
        "file": reject.file,
        "bytes": reject.size,
        "outcome": REJECTED,
        "source_kept": False,
        "reason_code": reject.reason_code,
        "message": reject.message,
        "hint": reject.hint,
    }


def _rebuilt(output: Path, staging: Path, folder: str, stays: Collection[str], partition_by: PartitionBy) -> Rebuilt:
    staged = {file for file in partition_files(folder) if (staging / file).exists()}
    rebuilt = put_together(output, [staging], staging, folder, stays, partition_by)
    for file in staged.difference(rebuilt.files):
        (staging / file).unlink()
    return rebuilt


def _arranged(reports: Iterable[ReportRows]) -> dict[str, str]:
    """The standing of each report among these."""
    by_key: dict[tuple[str, Date], list[ReportRows]] = {}
    for report in reports:
        by_key.setdefault((report.deal, report.date), []).append(report)
    standing: dict[str, str] = {}
    for versions in by_key.values():
        if len(versions) == 1:
            standing[versions[0].report_id] = CURRENT
        else:
            standing |= standings([_version(report) for report in versions])
    return standing


def _version(report: ReportRows) -> Version:
    if "reports" not in report.tables:  # its file is lost: nothing is known that would order it
        return Version(report.report_id, None, revised=False, report_date=None, content=report.report_id)
    said = {name: rows for name, rows in report.tables.items() if name not in _NOT_SAID}
    texts = (f"{name}{rows.drop_columns('report_id').to_pylist()}" for name, rows in sorted(said.items()))
    return version_of(report.tables["reports"].to_pylist()[0], hashlib.sha256("".join(texts).encode()).hexdigest())


def _reports(batch: Batch) -> Iterator[ReportRows]:
    """The reports of a batch, each with its slices of the tables."""
    lengths = {name: dict(frame.group_by("document").len().iter_rows()) for name, frame in batch.tables.items()}
    start = dict.fromkeys(lengths, 0)
    for document, deal, date, report_id in batch.identity.iter_rows():
        tables = {}
        for name, by_document in lengths.items():
            count = by_document.get(document, 0)
            if count:
                tables[name] = batch.arrow[name].slice(start[name], count)
                start[name] += count
        yield ReportRows(deal, date, report_id, tables)


def _by_folder(reports: Iterable[ReportRows], partition_by: PartitionBy) -> Iterator[tuple[str, Iterator[ReportRows]]]:
    def folder(report: ReportRows) -> str:
        return partition_by.folder(report.deal, report.date)

    return groupby(sorted(reports, key=folder), folder)


def _by_report(data: pa.Table, folder: str, partition_by: PartitionBy) -> Iterator[tuple[tuple[Date, str], pa.Table]]:
    """Date and id of each report in the rows of a file, and its rows; those of a report stand together."""
    for report_id, rows in stretches(data, data.column("report_id")):
        if partition_by.dates_in_files:
            yield (rows.column(DATE_COLUMN)[0].as_py(), report_id), rows.drop_columns(DATE_COLUMN)
        else:
            yield (Date.fromisoformat(folder.rpartition("=")[2]), report_id), rows


def _dated(report: ReportRows, name: str, partition_by: PartitionBy) -> pa.Table:
    """The rows of a report as its file has them."""
    rows = report.tables[name]
    if not partition_by.dates_in_files:
        return rows
    date = file_schema(name, partition_by).field(DATE_COLUMN)
    return rows.add_column(0, date, pa.repeat(pa.scalar(report.date, date.type), rows.num_rows))


def _stage_source(staging: Path, document: Document) -> str:
    file = source_file(document.sha256)
    stage_file(staging, file, compressed(document.content))
    return file


def _stage_rejected(staging: Path, sha256: str, numbers: pl.DataFrame) -> str:
    file = rejected_file(sha256)
    stage_file(staging, file, list_bytes(numbers, "rejected_records"))
    return file


# --- what is told of a batch ----------------------------------------------------------------------------------


def _tell(batch: Batch, staged: Staged, standing: Mapping[str, str], *, keep_sources: bool) -> None:
    """Add what a batch gave: rows of the manifest, counts, and what failed or was unclaimed."""
    staged.documents += [reject_row(reject) for reject in batch.rejects]
    if not batch.tables:
        return
    for name, frame in batch.tables.items():
        staged.rows[name] += frame.height
    checks = batch.tables["checks"]
    staged.checks.update(dict(checks.group_by("outcome").len().iter_rows()))
    sources = batch.tables["reports"].select("document", "source")
    failed = checks.filter(pl.col("outcome") == "fail").join(sources, on="document", maintain_order="left")
    difference = pl.col("difference").cast(pl.String)
    said = failed.select("source", "report_id", "check", "subject", difference, "explanation")
    staged.failed_checks += said.to_dicts()
    unclaimed = batch.tables["records"].filter(pl.col("status") == "unclaimed").rechunk()  # see rejections
    places = unclaimed.group_by("document", maintain_order=True).agg(
        numbers=pl.len(), first=pl.format("{} in line {}", "raw", "line").head(UNCLAIMED_TOLD).str.join(", ")
    )
    told = places.join(sources, on="document", maintain_order="left")
    staged.unclaimed += told.select("source", "numbers", "first").to_dicts()
    staged.documents += list(_read_rows(batch, standing, keep_sources=keep_sources))


def _read_rows(batch: Batch, standing: Mapping[str, str], *, keep_sources: bool) -> Iterator[dict[str, Any]]:
    """The rows of the manifest for the reports of a batch."""
    columns = ["document", "layout", "source", "source_sha256", "source_bytes", "numbers_found", "numbers_claimed"]
    reports = batch.tables["reports"].select(*columns, "checks_failed")
    named = reports.join(batch.identity, on="document", maintain_order="left")
    having = {name: set(frame["document"].unique().to_list()) for name, frame in batch.tables.items()}
    for row in named.iter_rows(named=True):
        number = row.pop("document")
        tables = [name for name in TABLES if number in having[name]]
        row |= {"sha256": row.pop("source_sha256"), "bytes": row.pop("source_bytes"), "outcome": READ}
        yield row | {"standing": standing[row["report_id"]], "tables": tables, "source_kept": keep_sources}
