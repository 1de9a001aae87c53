"""A lake as a person first sees it: its deals with their months, the history of one, a report as its tables.

All values are those of the lake, as printed; only reports, months and outcomes of checks are counted.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from etl.explain import NAME_OF, between_checks, printed_cell
from etl.identities import between_checks_on, catalogue, checks_on
from etl.lake import Lake
from etl.lake_checks import read_reports
from etl.losses import losses, refuse_losses
from etl.manifest import REJECTS_FILE
from etl.month_checks import accrual_days, check_months, missing_months, pair_reports
from etl.outcomes import OUTCOMES, WORST_FIRST
from etl.parquet import read_parquet
from etl.rules import TOTAL
from etl.schema import arrow_schema, table, unit_of

REPORTS_AT_A_TIME = 1000
# The tables of a report that people look at, each with the columns that say what a row is.
SHOWN = {
    "classes": ("section", "class_key"),
    "pools": ("group_id",),
    "delinquencies": ("group_id", "status", "bucket"),
    "measures": ("group_id", "measure"),
    "triggers": ("group_id", "trigger"),
}
# Columns beside them that are words of the row or its key once more.
_NO_FIGURES = ("deal", "distribution_date", "report_id", "class_type", "label", "unit")
# What the history of a deal has of each report beside the balances of its classes: figures as `etl explain` names them.
_HISTORY = {
    "pools": ("ending_balance", "ending_count", "total_principal", "realized_loss"),
    "classes": ("principal_distribution", "interest_distribution", "realized_loss", "ending_balance"),
    "delinquencies": ("balance",),
    "measures": ("value",),
}
_MEASURES = ("realized_losses_cumulative", "oc_amount", "oc_target", "credit_enhancement")
_COUNTS = ("numbers_found", "numbers_claimed", "checks_passed", "checks_failed")


# --- a lake ---------------------------------------------------------------------------------------------------------


def deals_of(lake: Lake, deals: Sequence[str] | None = None) -> pl.DataFrame:
    """A row for each deal, or each of those given, in the order of their slugs.

    `deal`, `deal_name` (of its last report), `first_date`, `last_date`, `reports`, `missing_months` (a list: those
    between its reports of which it should have one, by the interval that `etl check` infers), and the sums of
    `numbers_found`, `numbers_claimed`, `checks_passed`, `checks_failed` (those within its reports), and `conflicts`:
    dates with several reports. Raises LakeError for a file that is damaged or lost.
    """
    refuse_losses(losses(lake, deals, ("reports", "checks")), lake)
    parts = [_deals(lake, group) for group in lake.chunks(deals, REPORTS_AT_A_TIME)]
    return pl.concat(parts) if parts else _deals(lake, [])


def rejected_documents(lake: Lake) -> int:
    """How many documents the runs could not read. Raises LakeError where their list is damaged."""
    file = lake.output / REJECTS_FILE
    return read_parquet(file, arrow_schema("rejects")).num_rows if file.is_file() else 0


def _deals(lake: Lake, deals: Sequence[str]) -> pl.DataFrame:
    reports = lake.read("reports", deals, columns=["report_id", "deal_name", "source", *_COUNTS])
    reports = reports.with_row_index("document")
    keys = ["deal", "distribution_date", "report_id"]
    checks = lake.read("checks", deals, columns=["report_id", "check", "subject", "actual"])
    checks = checks.join(reports.select("document", *keys), on=keys)
    steps = missing_months(pair_reports(reports, accrual_days(checks)))
    missing = steps.group_by("deal").agg(missing_months=pl.col("missing").list.explode().drop_nulls().sort())
    return (
        reports.group_by("deal", maintain_order=True)
        .agg(
            deal_name=pl.col("deal_name").last(),
            first_date=pl.col("distribution_date").min(),
            last_date=pl.col("distribution_date").max(),
            reports=pl.len().cast(pl.Int64),
            conflicts=(pl.len() - pl.col("distribution_date").n_unique()).cast(pl.Int64),
            **{name: pl.col(name).sum() for name in _COUNTS},
        )
        .join(missing, on="deal", how="left", maintain_order="left")
        .with_columns(pl.col("missing_months").fill_null(pl.lit([], pl.List(pl.String))))
        .select("deal", "deal_name", "first_date", "last_date", "reports", "conflicts", "missing_months", *_COUNTS)
    )


# --- a deal ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Series:
    """A figure of a deal over its reports: `name` as `etl explain` takes it (`classes A-1 ending_balance`)."""

    table: str
    row: str
    column: str
    unit: str
    type: pl.DataType
    values: tuple[Any, ...]

    @property
    def name(self) -> str:
        """Table, row and column; of measures the row alone."""
        return f"{self.table} {self.row}" if self.column == "value" else f"{self.table} {self.row} {self.column}"


@dataclass(frozen=True)
class History:
    """The reports of a deal in the order of their dates (`distribution_date`, `report_id`, `form_type`, `layout`,
    `source`, `revision_mark`, numbers, checks, and `months_failed`: checks that fail between it and the distribution
    before), and its figures: a value for each report, null where it prints none.
    """

    deal: str
    reports: pl.DataFrame
    series: tuple[Series, ...]

    def frame(self) -> pl.DataFrame:
        """A row for each report: what `reports` has, then a column for each figure."""
        return self.reports.with_columns(pl.Series(one.name, one.values, one.type) for one in self.series)


def history_of(lake: Lake, deal: str) -> History:
    """The history of a deal, by its slug. Raises LakeError for a file that is damaged or lost."""
    refuse_losses(losses(lake, [deal]), lake)
    reports = lake.read(
        "reports", [deal], columns=["report_id", "form_type", "layout", "source", "revision_mark", *_COUNTS]
    ).sort("distribution_date", "report_id")
    given = read_reports(lake, [deal])
    between = check_months(given).filter(pl.col("outcome") == "fail")
    broken = between.join(given.reports, on="document").group_by("report_id").agg(months_failed=pl.len().cast(pl.Int64))
    reports = reports.join(broken, on="report_id", how="left", maintain_order="left")
    reports = reports.with_columns(pl.col("months_failed").fill_null(0))
    place = {report: number for number, report in enumerate(reports["report_id"])}
    found: dict[tuple[str, str, str], list[Any]] = {}
    kinds: dict[tuple[str, str, str], tuple[str, pl.DataType]] = {}
    for name, columns in _HISTORY.items():
        rows = lake.read(name, [deal])
        for row in rows.iter_rows(named=True):
            for column in columns:
                which = (name, row_name(name, row), column)
                if row[column] is not None and _is_history(name, row, column) and row["report_id"] in place:
                    found.setdefault(which, [None] * reports.height)[place[row["report_id"]]] = row[column]
                    kinds[which] = (row.get("unit") or unit_of(name, column) or "", rows.schema[column])
    order = sorted(found, key=lambda which: _rank(*which[:2]))
    series = tuple(Series(*which, *kinds[which], tuple(found[which])) for which in order)
    return History(deal, reports.drop("deal"), series)


def _is_history(name: str, row: Mapping[str, Any], column: str) -> bool:
    """Whether a figure stands in the history of its deal: totals, and the balance of each class."""
    if name == "classes":
        return row["class_key"] == TOTAL or column == "ending_balance"
    if name == "measures":
        return row["measure"] in _MEASURES
    return name == "pools" or (row["group_id"] == TOTAL and row["status"] != "outstanding")


def _rank(name: str, row: str) -> tuple[bool, int, bool, int]:
    """Totals before classes; else (as sorting is stable) in the order of the reports."""
    is_class = name == "classes" and not row.endswith(TOTAL)
    measure = _MEASURES.index(row) if row in _MEASURES else 0
    return is_class, list(_HISTORY).index(name), row != TOTAL, measure


# --- a report -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ShownRow:
    """A row of a table: `key`, the columns that say what it is; `values` by column; `marks`, the worst outcome of the
    checks that use each of them (those that do not apply count for nothing); and how all checks of the row came out.
    """

    name: str
    key: Mapping[str, Any]
    values: Mapping[str, Any]
    marks: Mapping[str, str]
    outcomes: Mapping[str, int]


@dataclass(frozen=True)
class ShownReport:
    """A report: its row of `reports`, the rows of the tables that people look at, and all of its checks: its own, then
    those between it and the reports before."""

    report: Mapping[str, Any]
    tables: Mapping[str, tuple[ShownRow, ...]]
    checks: tuple[Mapping[str, Any], ...]


def reports_of(lake: Lake, deal: str, date: dt.date) -> list[ShownReport]:
    """The reports of a deal (its slug) and day. Raises LakeError for a file that is damaged or lost."""
    refuse_losses(losses(lake, [deal]).filter(pl.col("distribution_date") == date), lake)
    reports = lake.read("reports", [deal], [date]).sort("report_id")
    tables = {name: lake.read(name, [deal], [date]) for name in SHOWN}
    own = lake.read("checks", [deal], [date]).drop("deal", "distribution_date")
    between = between_checks(lake, deal, date)
    shown = []
    for report in reports.iter_rows(named=True):
        mine = {"report_id": report["report_id"]}
        checks = [
            *own.filter(**mine).drop("report_id").iter_rows(named=True),
            *between.filter(pl.col("later").is_null(), **mine).drop("later", "report_id").iter_rows(named=True),
        ]
        outcomes = {(check["check"], check["subject"]): check["outcome"] for check in checks}
        rows = {name: tuple(_rows(name, frame.filter(**mine), outcomes)) for name, frame in tables.items()}
        shown.append(ShownReport(report, rows, tuple(checks)))
    return shown


def row_name(name: str, row: Mapping[str, Any]) -> str:
    """What a row of a table is called: a class behind its section, a group, a measure behind its group."""
    parts = [row[column] for column in SHOWN[name]]
    if name in NAME_OF and parts[0] == TOTAL:
        parts = parts[1:]
    return " ".join(filter(None, parts))


def figure_columns(name: str) -> list[str]:
    """The columns of a table that are no words of its key."""
    return [column.name for column in table(name).columns if column.name not in (*_NO_FIGURES, *SHOWN[name])]


def _rows(name: str, frame: pl.DataFrame, outcomes: Mapping[tuple[str, str], str]) -> Iterator[ShownRow]:
    columns = figure_columns(name)
    for row in frame.iter_rows(named=True):
        used = {
            column: checks_using(name, row, column) & outcomes.keys() for column in columns if row[column] is not None
        }
        counted = Counter(outcomes[check] for check in set().union(*used.values()))
        marks = {
            column: worst
            for column, checks in used.items()
            if (worst := _worst(outcomes[check] for check in checks)) not in (None, "not_applicable")
        }
        values = {column: row[column] for column in columns} | ({"unit": row["unit"]} if "unit" in row else {})
        ordered = {outcome: counted[outcome] for outcome in OUTCOMES if counted[outcome]}
        key = {column: row[column] for column in (*SHOWN[name], "class_type", "label") if column in row}
        yield ShownRow(row_name(name, row), key, values, marks, ordered)


def checks_using(name: str, row: Mapping[str, Any], column: str) -> set[tuple[str, str]]:
    """Check and subject of those that use a value of a table of `SHOWN`, of its report and between that and the one
    before.

    A printed total is checked against all rows that it covers: that speaks of the total's row alone, or a wrong figure
    would mark every row.
    """
    key, field = printed_cell(name, {part: row[part] for part in SHOWN[name]}, column)
    within = checks_on(name, key, field, row.get("class_type"), row.get("section"))
    if TOTAL not in (row.get("class_key"), row.get("group_id")):
        totals = {total.name for total in catalogue().totals}
        within = [(check, subject) for check, subject in within if check not in totals]
    return {*within, *((check, subject) for check, subject, later in between_checks_on(name, key, field) if not later)}


def _worst(outcomes: Iterator[str]) -> str | None:
    return min(outcomes, key=WORST_FIRST.index, default=None)
