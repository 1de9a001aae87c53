"""A lake → everything in it that does not add up: the stored checks of its reports, and those between months."""

from __future__ import annotations

import datetime as dt
import os
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from etl.errors import LakeError
from etl.figures import RECORD_COLUMNS
from etl.identities import REPORT
from etl.lake import Lake
from etl.manifest import MAY_HAVE_NUMBERS, READ, REJECTED, WITH_NUMBERS, files_of, read_manifest
from etl.month_checks import COMPARED_TABLES, Reports, check_months, compared_fields
from etl.parquet import read_parquet
from etl.partitions import (
    PLACES,
    REJECTED_RECORDS_FOLDER,
    SUPERSEDED_FOLDER,
    PartitionBy,
    date_of,
    deal_of,
    foreign_entries,
    partitioning_of,
    rejected_file,
)
from etl.schema import TABLES, arrow_schema
from etl.stores import FolderStore
from etl.versions import SUPERSEDED

# So many reports are compared at a time; a deal's reports stay together.
REPORTS_AT_A_TIME = 500

_BREAK_COLUMNS = (
    "deal", "distribution_date", "report_id", "check", "subject", "outcome", "expected", "actual", "difference",
    "tolerance", "explanation", "source", "lines",
)  # fmt: skip


@dataclass
class LakeChecks:
    """How the checks of a lake came out: counts by check and outcome, and a row for each that failed. `damaged`: files
    that cannot be read."""

    deals: int = 0
    reports: int = 0
    within_reports: Counter[tuple[str, str]] = field(default_factory=Counter)
    between_reports: Counter[tuple[str, str]] = field(default_factory=Counter)
    breaks: list[dict[str, Any]] = field(default_factory=list)
    damaged: list[Path] = field(default_factory=list)


def check_lake(
    lake: Lake, deals: Sequence[str] | None = None, reports_at_a_time: int = REPORTS_AT_A_TIME
) -> LakeChecks:
    """Check all deals of a lake, or those given, some hundred reports at a time.

    The checks within reports are those that the runs wrote. Files of tables that cannot be read are breaks too, the
    first of all, and what stood in them counts as lost; then comes what strangers left below the tables.
    """
    lake = lake.passing_over_damage()
    result = LakeChecks()
    found: set[str] = set()
    for group in lake.chunks(deals, reports_at_a_time):
        given = read_reports(lake, group)
        stored, between = given.checks, check_months(given)
        result.deals += len(group)
        result.reports += given.reports.height
        result.within_reports.update(_counts(stored))
        result.between_reports.update(_counts(between))
        result.breaks += _breaks([stored, between], given.reports)
        found |= set(given.reports["report_id"])
    unlisted = list(lake.without_report("records", deals))
    result.breaks += [_without_report(*lost) for lost in unlisted]
    found |= {report_id for _, _, report_id in unlisted}
    rejected: Iterable[dict[str, Any]] = ()
    try:
        listed = read_manifest(lake.output).rows
    except LakeError as error:
        result.breaks.append(_not_whole(str(error), deal=""))
    else:
        result.breaks += _lost_reports(lake, listed, deals, found)
        rejected = _rejected(lake, listed) if deals is None else ()
    damaged = _damaged(lake)
    result.damaged = sorted(lake.damaged or ())
    if damaged:
        result.breaks = [_of_damaged(row, damaged) for row in result.breaks]
    result.breaks[:0] = [*damaged, *_foreign(lake, deals), *rejected]
    return result


def _of_damaged(row: dict[str, Any], damaged: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A break; where rows of a report are lost with a file of its deal that cannot be read, that is the mend."""
    lost = row["check"] == "tables_are_whole" and any(row["deal"] == other["deal"] for other in damaged)
    return row | {"explanation": f"{row['explanation']}, after the damaged file is deleted"} if lost else row


def _damaged(lake: Lake) -> list[dict[str, Any]]:
    """The breaks that files cannot be read."""
    errors = (lake.damaged or {}).items()
    return [_of_file(lake, file, f"{error.message}; {error.hint}") for file, error in sorted(errors)]


def _foreign(lake: Lake, deals: Sequence[str] | None) -> list[dict[str, Any]]:
    """The breaks that something stands below the tables that is not the lake's."""
    told = "it is not the lake's, and readers may take it for a part of the table: take it out"
    places = [lake.output / f"{place}{name}" for place in PLACES for name in TABLES]
    return [_of_file(lake, path, told) for place in places for path in foreign_entries(place, deals)]


def _rejected(lake: Lake, listed: pl.DataFrame) -> Iterator[dict[str, Any]]:
    """The breaks that the numbers of a rejected document are lost or damaged, or that something else stands there.
    `listed`: the rows of the manifest."""
    rows = listed.filter(pl.col("outcome") == REJECTED, MAY_HAVE_NUMBERS).sort("source")
    folder = lake.output / REJECTED_RECORDS_FOLDER
    have = rows.filter(WITH_NUMBERS).select("sha256", pl.coalesce("file", "source"))
    sources = dict(have.reverse().iter_rows())
    for sha256, source in sorted(sources.items()):
        file = lake.output / rejected_file(sha256)
        if said := _damage(file, sha256):
            yield _of_file(lake, file, f"{said}; run `etl run --force` over {source}")
    wanted = {rejected_file(sha256) for sha256 in rows["sha256"].drop_nulls()}
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.relative_to(lake.output).as_posix() not in wanted:
            yield _of_file(lake, path, "no rejected document has it, and readers may take it for one's: take it out")


def _damage(file: Path, sha256: str) -> str | None:
    """What is wrong with the file of a rejected document's numbers."""
    try:
        data = read_parquet(file, arrow_schema("rejected_records"))
    except LakeError as error:
        return error.message
    except (FileNotFoundError, NotADirectoryError):
        return "the numbers of a rejected document are not there"
    mine = data.column("source_sha256").unique().to_pylist()
    return None if mine in ([], [sha256]) else "it has the numbers of another document"


def _of_file(lake: Lake, file: Path, told: str) -> dict[str, Any]:
    """The break that something is wrong with what stands below the tables."""
    parts = file.relative_to(lake.output).parts
    deal = next(filter(None, map(deal_of, parts)), "")
    date = next(filter(None, map(date_of, parts)), None)
    named = file.readlink() if file.is_symlink() else file
    return _not_whole(told, deal=deal, distribution_date=date, subject=os.fspath(named))


def _lost_reports(
    lake: Lake, listed: pl.DataFrame, deals: Sequence[str] | None, found: Collection[str]
) -> list[dict[str, Any]]:
    """The breaks that the manifest, whose rows are `listed`, has reports whose own rows are not there."""
    told = "the manifest lists it, but its rows are not there: run `etl run` over it again"
    known = listed.filter(pl.col("outcome") == READ)
    asked = known if deals is None else known.filter(pl.col("deal").is_in(list(deals)))
    superseded = pl.col("standing") == SUPERSEDED
    lost = asked.filter(~superseded & ~pl.col("report_id").is_in(list(found)))
    columns = ("deal", "distribution_date", "report_id", "source")
    earlier = partitioning_of(lake.output / SUPERSEDED_FOLDER) or PartitionBy.DATE
    store = FolderStore(lake.output)
    rows = [
        *lost.sort(columns).iter_rows(named=True),
        *(
            row
            for row in asked.filter(superseded).iter_rows(named=True)
            if not store.stand_whole(files_of(row, earlier))
        ),
    ]
    return [_not_whole(told, **{name: row[name] for name in columns}) for row in rows]


def _without_report(deal: str, date: dt.date, report_id: str) -> dict[str, Any]:
    """The break that the records of a report stand in the lake, and the report does not."""
    told = "its records are there, but it is not in reports, so nothing else was checked: run `etl run` over it again"
    return _not_whole(told, deal=deal, distribution_date=date, report_id=report_id)


def _not_whole(told: str, **key: Any) -> dict[str, Any]:
    """A break that something of the lake is lost."""
    said = {"check": "tables_are_whole", "subject": REPORT, "outcome": "fail", "source": "", "explanation": told}
    return dict.fromkeys(_BREAK_COLUMNS) | said | key


def read_reports(lake: Lake, deals: Sequence[str], dates: Sequence[dt.date] | None = None) -> Reports:
    """What the checks between months compare, of all reports of some deals; with `dates` the reports of other dates
    are only listed."""
    keys = ["deal", "distribution_date", "report_id"]
    # Whole but for the records, though not all is compared: so damage to any column is noticed.
    reports = lake.read("reports", deals).select(*keys, "source").with_row_index("document")
    numbers = reports.select("document", *keys)

    def read(name: str, columns: Sequence[str] | None = None) -> pl.DataFrame:
        rows = lake.read(name, deals, dates, columns)
        return rows.join(numbers, on=keys, how="inner", maintain_order="left").drop(keys)

    records, checks = read("records", ["report_id", *RECORD_COLUMNS]), read("checks")
    classes = read("classes")
    held = {"records": records, "checks": checks, "classes": classes}
    held |= {name: read(name) for name in TABLES if name not in (*held, "reports")}
    compared = pl.any_horizontal(
        [(pl.col("table") == table) & pl.col("field").is_in(compared_fields(table)) for table in COMPARED_TABLES]
    )
    asked = numbers if dates is None else numbers.filter(pl.col("distribution_date").is_in(list(dates)))
    return Reports(reports, records.filter(compared), classes, checks, _lost(asked, records, held))


def _lost(reports: pl.DataFrame, records: pl.DataFrame, held: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """Tables of a report that are not there: records and checks, which every report has, and those that its records
    tell of."""
    told = records.select("document", "table").unique().filter(pl.col("table").is_in(list(held)))
    always = reports.select("document").join(pl.DataFrame({"table": ["records", "checks"]}), how="cross")
    there = [frame.select("document").unique().with_columns(table=pl.lit(name)) for name, frame in held.items()]
    lost = pl.concat([always, told]).join(pl.concat(there), on=["document", "table"], how="anti")
    return lost.sort("document", "table")


def _counts(checks: pl.DataFrame) -> dict[tuple[str, str], int]:
    counted = checks.group_by("check", "outcome").len()
    return {(check, outcome): count for check, outcome, count in counted.iter_rows()}


def _breaks(checks: Sequence[pl.DataFrame], reports: pl.DataFrame) -> list[dict[str, Any]]:
    """What failed, report by report, with the source and its lines."""
    failed = pl.concat([frame.filter(pl.col("outcome") == "fail") for frame in checks], how="diagonal")
    placed = failed.join(reports, on="document", how="inner", maintain_order="left")
    return placed.sort("document", maintain_order=True).select(_BREAK_COLUMNS).to_dicts()
