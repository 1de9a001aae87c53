"""From one distribution of a deal to the next: does each report begin where the one before ended?

Frames of any number of reports of any number of deals go in, outcomes come out. Reports of a deal are taken in
the order of their dates; where a date has several, each is held against each of the date before.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import polars as pl

from etl.cells import VALUE
from etl.figures import FIGURE_TABLES, figures
from etl.formulas import Figure, Formula, compared, error_column
from etl.identities import REPORT, Between, catalogue
from etl.identity_checks import ReportFigures, with_printed_figures
from etl.outcomes import SCHEMA, shaped

# Months from one distribution to the next that deals have: monthly, quarterly, twice a year, yearly. Two
# reports alone say nothing of a deal's interval.
_INTERVALS = (12, 6, 3)
_ENOUGH_STEPS = 2
_BY_CALENDAR = r"ACT/[0-9]+, ([0-9]+) days"


@dataclass(frozen=True)
class Reports:
    """Reports of whole deals, and what of them is compared.

    `reports`: `document` (numbers them), `deal`, `distribution_date`, `report_id`, `source`. `records`, `classes`
    and `checks`: the declared columns and `document`.
    """

    reports: pl.DataFrame
    records: pl.DataFrame
    classes: pl.DataFrame
    checks: pl.DataFrame

    @cached_property
    def figures(self) -> ReportFigures:
        """The figures of the reports."""
        kinds = self.classes.select("document", key="class_key", kind="class_type")
        return ReportFigures(figures(self.records), self.reports.select("document"), kinds)

    @cached_property
    def pairs(self) -> pl.DataFrame:
        """Each report with each of the distribution before: `document`, `previous_document`, `deal`, the two
        dates, `previous_source`, `months` from one to the other, and `interval` (that of the deal in months)."""
        dates = self.reports.select("deal", "distribution_date").unique().sort("deal", "distribution_date")
        month = pl.col("distribution_date").dt.year().cast(pl.Int32) * 12 + pl.col("distribution_date").dt.month()
        steps = dates.with_columns(
            previous_date=pl.col("distribution_date").shift(1).over("deal"),
            months=(month - month.shift(1)).over("deal"),
        ).drop_nulls("previous_date")
        of_deal = steps.filter(pl.col("months") > 0).group_by("deal").agg(interval=_interval())
        steps = steps.join(of_deal, on="deal", how="left").with_columns(pl.col("interval").fill_null(1))
        earlier = self.reports.select(
            "deal", previous_date="distribution_date", previous_document="document", previous_source="source"
        )
        here = self.reports.select("deal", "distribution_date", "document")
        return (
            here.join(steps, on=["deal", "distribution_date"], how="inner", maintain_order="left")
            .join(earlier, on=["deal", "previous_date"], how="inner", maintain_order="left_right")
            .sort("document", "previous_document")
        )

    @cached_property
    def neighbours(self) -> pl.DataFrame:
        """The pairs between which no report is missing."""
        return self.pairs.filter(pl.col("months") == pl.col("interval"))


def _interval() -> pl.Expr:
    """The longest usual interval that all steps of a deal are a multiple of."""
    months = pl.col("months")
    enough = pl.len() >= _ENOUGH_STEPS
    longest = pl.lit(1, pl.Int32)
    for interval in reversed(_INTERVALS):
        longest = pl.when((months % interval == 0).all() & enough).then(interval).otherwise(longest)
    return longest


def check_months(given: Reports) -> pl.DataFrame:
    """All checks between distributions: the columns of `outcomes.SCHEMA`, in the order of the reports."""
    if given.reports.is_empty():
        return pl.DataFrame(schema=SCHEMA)
    found = [frame for check in catalogue().between for frame in _checked(given, check)]
    return shaped(found).sort("document", maintain_order=True)


def _checked(given: Reports, check: Between) -> Iterator[pl.DataFrame]:
    if check.table and check.formula:
        yield _formula(given, check, check.table, check.formula)
    elif check.unchanged:
        yield from (_unchanged(given, check, column) for column in check.unchanged)
    else:
        yield _BY_DATES[check.name](given).with_columns(check=pl.lit(check.name))


def _compared_pairs(given: Reports, check: Between) -> pl.DataFrame:
    pairs = given.pairs.filter(pl.col("months") > 0) if check.over_gaps else given.neighbours
    return pairs.select("document", "previous_document", "previous_source")


def _with_source_before(checks: pl.DataFrame) -> pl.DataFrame:
    """The checks; those that break say in their explanation where the report before stands."""
    told = pl.format("{}; previous: {}", "explanation", "previous_source")
    explanation = pl.when(pl.col("outcome") == "pass").then("explanation").otherwise(told)
    return checks.rechunk().with_columns(explanation=explanation)  # see rejections


def _formula(given: Reports, check: Between, table: str, formula: Formula) -> pl.DataFrame:
    """The outcome for each row that both reports have and that prints what the formula needs."""
    here = given.figures.tables[table]
    named = [figure for figure in formula.figures if figure.previous]
    before = here.select(
        previous_document="document",
        key="key",
        **{figure.name: figure.field for figure in named},
        **{error_column(figure.name): error_column(figure.field) for figure in named},
    )
    rows = (
        _compared_pairs(given, check)
        .join(here, on="document", how="inner", maintain_order="left_right")
        .join(before, on=["previous_document", "key"], how="inner", maintain_order="left")
    )
    sides = compared(rows.rechunk().lazy(), formula, "main").filter(pl.col("main lacking") == "").collect()
    judged = sides.select(
        "document",
        "previous_document",
        "previous_source",
        check=pl.lit(check.name),
        subject="key",
        outcome="main outcome",
        expected="main expected",
        actual="main actual",
        difference=pl.col("main actual") - pl.col("main expected"),
        tolerance="main tolerance",
        explanation=pl.lit(None, pl.String),
    )
    told = _with_source_before(with_printed_figures(judged, given.figures, {check.name: (table, formula.figures)}))
    # A measure is known by its name, not by the group that it is printed for.
    return told.with_columns(subject=pl.lit(formula.actual.field)) if table == "measures" else told


def _unchanged(given: Reports, check: Between, column: str) -> pl.DataFrame:
    """Whether a text of each class is that of the distribution before."""
    cells = given.records.filter(
        (pl.col("table").cast(pl.String) == "classes") & (pl.col("field").cast(pl.String) == column)
    )
    printed = cells.select("document", "raw", "line", key="class_key").unique(["document", "key"], keep="first")
    before = printed.select(previous_document="document", key="key", raw_before="raw", line_before="line")
    rows = (
        _compared_pairs(given, check)
        .join(printed, on="document", how="inner", maintain_order="left_right")
        .join(before, on=["previous_document", "key"], how="inner", maintain_order="left")
        .rechunk()
    )
    same = pl.col("raw") == pl.col("raw_before")
    changed = pl.format(
        "{} is {} (line {}), it was {} (line {})", pl.lit(column), "raw", "line", "raw_before", "line_before"
    )
    checked = rows.sort("document", "line").select(
        "document",
        "previous_source",
        check=pl.lit(check.name),
        subject="key",
        outcome=pl.when(same).then(pl.lit("pass")).otherwise(pl.lit("fail")),
        explanation=pl.when(~same).then(changed),
        lines=pl.when(~same).then(pl.concat_list("line")),
    )
    return _with_source_before(checked)


# --- checks of dates and classes --------------------------------------------------------------------------------


def _no_month_missing(given: Reports) -> pl.DataFrame:
    """Steps of a deal that are longer than its interval."""
    steps = given.pairs.filter(pl.col("months") > 0).unique("document", keep="first", maintain_order=True).rechunk()
    missing = pl.col("months") - pl.col("interval")
    step = pl.format("{}mo", "interval")
    first = pl.col("previous_date").dt.month_start().dt.offset_by(step)
    until = pl.col("distribution_date").dt.month_start()
    between = pl.date_ranges(first, until, "1mo", closed="left").list.gather_every(pl.col("interval"))
    text = pl.format("no report for {}", between.list.eval(pl.element().dt.strftime("%Y-%m")).list.join(", "))
    return steps.select(
        "document",
        subject=pl.lit(REPORT),
        outcome=pl.when(missing == 0).then(pl.lit("pass")).otherwise(pl.lit("fail")),
        expected=pl.col("interval").cast(VALUE),
        actual=pl.col("months").cast(VALUE),
        difference=missing.cast(VALUE),
        explanation=pl.when(missing != 0).then(text),
    )


def _one_report_a_distribution(given: Reports) -> pl.DataFrame:
    """Dates that have several reports, and months that have several dates."""
    month = pl.col("distribution_date").dt.strftime("%Y-%m")
    named = pl.format("{} of {} in {}", "report_id", "distribution_date", "source")
    counted = (
        given.reports.rechunk()
        .with_columns(month=month)
        .with_columns(
            count=pl.len().over("deal", "month"),
            all=named.implode().over("deal", "month").list.join("; "),
        )
    )
    several = pl.col("count") > 1
    return counted.select(
        "document",
        subject=pl.lit(REPORT),
        outcome=pl.when(several).then(pl.lit("fail")).otherwise(pl.lit("pass")),
        expected=pl.lit(1).cast(VALUE),
        actual=pl.col("count").cast(VALUE),
        difference=(pl.col("count").cast(pl.Int64) - 1).cast(VALUE),
        explanation=pl.when(several).then(pl.format("{} reports in {}: {}", "count", "month", "all")),
    )


def _same_classes(given: Reports) -> pl.DataFrame:
    """Classes that go with a balance left, and classes that come."""
    balances = given.classes.select("document", "class_key", "ending_balance")
    before = balances.rename({"document": "previous_document"})
    pairs = given.neighbours.select("document", "previous_document")
    here = pairs.join(balances, on="document", how="inner", maintain_order="left_right")
    there = pairs.join(before, on="previous_document", how="inner", maintain_order="left_right")
    gone = there.join(here, on=["document", "previous_document", "class_key"], how="anti", maintain_order="left")
    new = here.join(there, on=["document", "previous_document", "class_key"], how="anti", maintain_order="left")
    left = pl.col("ending_balance").cast(VALUE)
    stayed = here.join(new, on=["document", "previous_document", "class_key"], how="anti", maintain_order="left")
    return pl.concat(
        [
            stayed.select("document", subject="class_key", outcome=pl.lit("pass")),
            gone.filter(left > 0)
            .rechunk()
            .select(
                "document",
                subject="class_key",
                outcome=pl.lit("fail"),
                expected=left,
                difference=-left,
                explanation=pl.format("the class had a balance of {} and is not printed any more", "ending_balance"),
            ),
            new.select(
                "document",
                subject="class_key",
                outcome=pl.lit("fail"),
                explanation=pl.lit("the class was not printed one distribution earlier"),
            ),
        ],
        how="diagonal",
    )


def _accrual_days(given: Reports) -> pl.DataFrame:
    """The inferred days by the calendar against those between the dates."""
    days_name = [accrual.days_name for accrual in catalogue().accruals]
    inferred = given.checks.filter(pl.col("check").is_in(days_name)).select(
        "document", days=pl.col("explanation").str.extract(_BY_CALENDAR).cast(pl.Int32)
    )
    known = given.neighbours.join(inferred.drop_nulls(), on="document", how="inner", maintain_order="left").rechunk()
    between = (pl.col("distribution_date") - pl.col("previous_date")).dt.total_days()
    off = pl.col("days") - between
    text = pl.format("interest is for {} days; {} lie between the distributions", "days", between)
    return known.select(
        "document",
        subject=pl.lit(REPORT),
        outcome=pl.when(off == 0).then(pl.lit("pass")).otherwise(pl.lit("fail")),
        expected=between.cast(VALUE),
        actual=pl.col("days").cast(VALUE),
        difference=off.cast(VALUE),
        explanation=pl.when(off != 0).then(text),
    )


_BY_DATES = {
    "same_classes": _same_classes,
    "accrual_days_are_the_days_between": _accrual_days,
    "no_month_missing": _no_month_missing,
    "one_report_a_distribution": _one_report_a_distribution,
}


def compared_fields(table: str) -> list[str]:
    """The fields of a table's records that checks between distributions compare."""
    declared = [check for check in catalogue().between if check.table == table]
    figured: Sequence[Figure] = [figure for check in declared if check.formula for figure in check.formula.figures]
    return sorted({figure.field for figure in figured} | {column for check in declared for column in check.unchanged})


COMPARED_TABLES = FIGURE_TABLES
