"""From one distribution of a deal to the next: does each report begin where the one before ended?

Frames of any number of reports of any number of deals go in, outcomes come out. Reports of a deal are taken in
the order of their dates; where a distribution has several, the next one is held against each of the first few.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import polars as pl

from etl.cells import VALUE
from etl.figures import FIGURE_TABLES, class_row, figures
from etl.formulas import Figure, Formula, compared, error_column
from etl.identities import REPORT, Between, catalogue
from etl.identity_checks import ReportFigures, plain, with_printed_figures
from etl.outcomes import SCHEMA, shaped
from etl.rules import TOTAL

# Days of a month on average: 16 days or more after a distribution comes another one.
_DAYS_OF_A_MONTH = 30.44
# Months from one distribution to the next that deals have: monthly, quarterly, twice a year, yearly.
_INTERVALS = (1, 3, 6, 12)
# How often a deal must go from one distribution to the next in so many months that this is its interval.
_ENOUGH_STEPS = 2
# Where a distribution has several reports, so many are held against the next one.
_MAX_COMPARED = 5
_MAX_NAMED = 10
_BY_CALENDAR = "ACT/"
LOST = pl.Schema({"document": pl.UInt32(), "table": pl.String()})


@dataclass(frozen=True)
class Reports:
    """Reports of whole deals, and what of them is compared.

    `reports`: `document` (numbers them), `deal`, `distribution_date`, `report_id`, `source`. `records`, `classes`
    and `checks`: the declared columns and `document`. `lost`: `document` and `table` of files that are not there
    though others of the report tell of them.
    """

    reports: pl.DataFrame
    records: pl.DataFrame
    classes: pl.DataFrame
    checks: pl.DataFrame
    lost: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=LOST))

    @cached_property
    def figures(self) -> ReportFigures:
        """The figures of the reports."""
        kinds = self.classes.select("document", key=class_row(), kind="class_type")
        return ReportFigures(figures(self.records), self.reports.select("document"), kinds)

    @cached_property
    def pairs(self) -> pl.DataFrame:
        """The reports that are held against each other, as `pair_reports` gives them."""
        return pair_reports(self.reports, accrual_days(self.checks))

    @cached_property
    def neighbours(self) -> pl.DataFrame:
        """The pairs between which no report is missing, and of which no table is lost."""
        lost = self.lost["document"].unique().implode()
        whole = ~pl.col("document").is_in(lost) & ~pl.col("previous_document").is_in(lost)
        return self.pairs.filter(whole & (pl.col("months") > 0) & (pl.col("months") <= pl.col("interval")))


def accrual_days(checks: pl.DataFrame) -> pl.DataFrame:
    """`document`, `days` (the most that interest was computed for) and `by_calendar` (those by the calendar), as
    the reports' own checks inferred them."""
    names = [accrual.days_name for accrual in catalogue().accruals]
    inferred = checks.filter(pl.col("check").is_in(names) & pl.col("actual").is_not_null())
    by_calendar = pl.col("actual").filter(pl.col("subject").str.starts_with(_BY_CALENDAR)).first()
    return inferred.group_by("document", maintain_order=True).agg(
        days=pl.col("actual").max().cast(pl.Int32), by_calendar=by_calendar.cast(pl.Int32)
    )


def pair_reports(reports: pl.DataFrame, accrued: pl.DataFrame) -> pl.DataFrame:
    """Each report with those of the distribution before, and with the one before it of the same distribution.

    `reports` as in `Reports`, `accrued` as `accrual_days` gives it. Reports of dates less than half a month apart are
    of one distribution. Columns: `document`, `previous_document`, `deal`, the two dates, `previous_source`, `months`
    from one to the other (0: the same distribution), and `interval`: the months that should lie between them, by the
    days that interest was computed for, else by the step that the deal takes most often, else one.
    """
    dates = reports.select("deal", "distribution_date").unique().sort("deal", "distribution_date")
    gap = _months("distribution_date", pl.col("distribution_date").shift(1).over("deal"))
    dates = dates.with_columns(gap=gap)
    dates = dates.with_columns(distribution=(pl.col("gap") > 0).fill_null(value=True).cum_sum().over("deal"))
    usual = dates.filter(pl.col("gap").is_in(_INTERVALS)).group_by("deal", "gap").len()
    usual = usual.filter(pl.col("len") >= _ENOUGH_STEPS)
    usual = usual.sort("deal", "len", "gap", descending=[False, True, False]).unique("deal", keep="first")
    here = (
        reports.join(dates, on=["deal", "distribution_date"], how="left")
        .sort("document")
        .select("document", "deal", "distribution_date", "distribution", "source")
    )
    before = {"document": "previous_document", "distribution_date": "previous_date", "source": "previous_source"}
    several = pl.int_range(pl.len()).over("deal", "distribution") < _MAX_COMPARED
    earlier = here.filter(several).with_columns(pl.col("distribution") + 1).rename(before)
    ordered = here.sort("deal", "distribution", "distribution_date", "document")
    shifted = [pl.col(name).shift(1).over("deal", "distribution").alias(new) for name, new in before.items()]
    same = ordered.with_columns(shifted).drop_nulls("previous_document")
    columns = ["document", "previous_document", "deal", "distribution_date", "previous_date", "previous_source"]
    after = here.join(earlier, on=["deal", "distribution"], how="inner")
    pairs = pl.concat([after.select(columns), same.select(columns)])
    own = accrued.select("document", own=(pl.col("days") / _DAYS_OF_A_MONTH).round().cast(pl.Int32).clip(1))
    pairs = pairs.join(own, on="document", how="left").join(usual.select("deal", "gap"), on="deal", how="left")
    months = _months("distribution_date", pl.col("previous_date"))
    found = pairs.with_columns(months=months, interval=pl.coalesce("own", "gap", pl.lit(1)).cast(pl.Int32))
    return found.drop("own", "gap").sort("document", "previous_document").rechunk()


def _months(date: str, before: pl.Expr) -> pl.Expr:
    return ((pl.col(date) - before).dt.total_days() / _DAYS_OF_A_MONTH).round().cast(pl.Int32)


def check_months(given: Reports) -> pl.DataFrame:
    """All checks between distributions: the columns of `outcomes.SCHEMA`, in the order of the reports."""
    if given.reports.is_empty():
        return pl.DataFrame(schema=SCHEMA)
    found = [frame for check in catalogue().between for frame in _checked(given, check)]
    return shaped(found).sort("document", maintain_order=True)


def compared_by_formula(given: Reports) -> Iterator[tuple[Between, pl.DataFrame]]:
    """Each check between distributions that is a formula, with its outcomes: the columns of `outcomes.SCHEMA`, and
    `previous_document`, the report that each is held against."""
    for check in catalogue().between:
        if check.table and check.formula:
            yield check, _formula(given, check, check.table, check.formula)


def _checked(given: Reports, check: Between) -> Iterator[pl.DataFrame]:
    if check.table and check.formula:
        yield _formula(given, check, check.table, check.formula)
    elif check.unchanged:
        yield from (_unchanged(given, check, column) for column in check.unchanged)
    else:
        yield _BY_REPORTS[check.name](given).with_columns(check=pl.lit(check.name))


def _compared_pairs(given: Reports, check: Between) -> pl.DataFrame:
    pairs = given.pairs if check.over_gaps else given.neighbours
    return pairs.select("document", "previous_document", "previous_source")


def _with_source_before(checks: pl.DataFrame) -> pl.DataFrame:
    """The checks; those that break say in their explanation where the report before stands."""
    told = pl.format("{}; previous: {}", "explanation", "previous_source")
    compared_alike = pl.col("outcome").is_in(["pass", "not_applicable"])
    explanation = pl.when(compared_alike).then("explanation").otherwise(told)
    return checks.rechunk().with_columns(explanation=explanation)  # see rejections


def _formula(given: Reports, check: Between, table: str, formula: Formula) -> pl.DataFrame:
    """The outcome for each row that both reports have and that prints what the formula needs."""
    named = [figure for figure in formula.figures if figure.previous]
    own = [figure.field for figure in formula.figures if not figure.previous]
    wide = given.figures.tables[table]
    here = wide.select("document", "key", *own, *(error_column(name) for name in own))
    before = wide.select(
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
    parts, outcome = compared(formula, "main")
    sides = rows.rechunk().lazy().with_columns(parts).with_columns(outcome).collect()
    lacking = pl.when(pl.col("main lacking") != "").then(pl.format("not printed: {}", "main lacking"))
    judged = sides.select(
        "document",
        "previous_document",
        "previous_source",
        check=pl.lit(check.name),
        subject="key",
        outcome=pl.col("main outcome").fill_null("not_applicable"),
        expected="main expected",
        actual="main actual",
        difference=pl.col("main actual") - pl.col("main expected"),
        tolerance=pl.when(pl.col("main lacking") == "").then("main tolerance"),
        explanation=lacking,
    )
    told = _with_source_before(with_printed_figures(judged, given.figures, {check.name: (table, formula.figures)}))
    if table != "measures":
        return told
    # A measure is known by its name, and by the group that it is printed for if that is not the whole deal.
    name, group = pl.lit(formula.actual.field), pl.col("subject")
    return told.with_columns(subject=pl.when(group == TOTAL).then(name).otherwise(pl.format("{} {}", group, name)))


def _unchanged(given: Reports, check: Between, column: str) -> pl.DataFrame:
    """Whether a text of each class is that of the distribution before."""
    cells = given.records.filter(
        (pl.col("table").cast(pl.String) == "classes") & (pl.col("field").cast(pl.String) == column)
    )
    printed = cells.select("document", "raw", "line", key=class_row()).unique(["document", "key"], keep="first")
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
    checked = rows.sort("document", "previous_document", "line").select(
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
    steps = missing_months(given.pairs)
    missing = pl.col("months") - pl.col("interval")
    named = pl.col("missing").list.head(_MAX_NAMED).list.join(", ")
    text = pl.format("no report for {}; the one before is of {}", named, "previous_date")
    late = missing > 0
    return steps.select(
        "document",
        subject=pl.lit(REPORT),
        outcome=pl.when(late).then(pl.lit("fail")).otherwise(pl.lit("pass")),
        expected=pl.col("interval").cast(VALUE),
        actual=pl.col("months").cast(VALUE),
        difference=missing.cast(VALUE),
        explanation=pl.when(late).then(text),
    )


def missing_months(pairs: pl.DataFrame) -> pl.DataFrame:
    """The step to each report from the distribution before it: the columns of `pairs`, as `pair_reports` gives them,
    and `missing`: the months in between (2003-12) of which the deal should have a report and has none."""
    later = pairs.filter(pl.col("months") > 0).sort("document", "previous_date", descending=[False, True])
    steps = later.unique("document", keep="first", maintain_order=True).rechunk()
    first = pl.col("previous_date").dt.month_start().dt.offset_by(pl.format("{}mo", "interval"))
    until = pl.col("distribution_date").dt.month_start()
    between = pl.date_ranges(first, until, "1mo", closed="left").list.gather_every(pl.col("interval"))
    named = between.list.eval(pl.element().dt.strftime("%Y-%m"))
    late = pl.col("months") > pl.col("interval")
    return steps.with_columns(missing=pl.when(late).then(named).otherwise(named.list.head(0)))


def _one_report_a_distribution(given: Reports) -> pl.DataFrame:
    """Distributions that have several reports, of one date or of dates less than half a month apart."""
    doubled = given.pairs.filter(pl.col("months") == 0).select("document", other="previous_document")
    both = pl.concat([doubled, doubled.select(document="other", other="document")])
    named = given.reports.select(
        "document", name=pl.format("{} of {} in {}", "report_id", "distribution_date", "source")
    ).rename({"document": "other"})
    others = both.join(named, on="other", how="left").sort("document", "other").rechunk()
    told = others.group_by("document", maintain_order=True).agg(
        text=pl.format("another report of this distribution: {}", "name").head(_MAX_NAMED).str.join("; ")
    )
    every = given.reports.select("document").join(told, on="document", how="left", maintain_order="left")
    several = pl.col("text").is_not_null()
    return every.select(
        "document",
        subject=pl.lit(REPORT),
        outcome=pl.when(several).then(pl.lit("fail")).otherwise(pl.lit("pass")),
        explanation="text",
    )


def _tables_are_whole(given: Reports) -> pl.DataFrame:
    """Reports of which a table is lost."""
    tables = given.lost.group_by("document", maintain_order=True).agg(pl.col("table").str.join(", "))
    every = given.reports.select("document").join(tables, on="document", how="left", maintain_order="left").rechunk()
    whole = pl.col("table").is_null()
    return every.select(
        "document",
        subject=pl.lit(REPORT),
        outcome=pl.when(whole).then(pl.lit("pass")).otherwise(pl.lit("fail")),
        explanation=pl.format("the report has no rows in {} any more: run `etl run` over it again", "table"),
    )


def _same_classes(given: Reports) -> pl.DataFrame:
    """Classes that go with a balance left, and classes that come."""
    return _same_rows(given, given.classes.select("document", "ending_balance", key=class_row()), "class")


def _same_groups(given: Reports) -> pl.DataFrame:
    """Loan groups that go with a balance left, and groups that come."""
    pools = given.figures.tables["pools"]
    printed = pools.filter(
        pl.any_horizontal(pl.col(name).is_not_null() for name in ("beginning_balance", "ending_balance"))
    )
    return _same_rows(given, printed.select("document", "ending_balance", "key"), "group")


def _same_rows(given: Reports, rows: pl.DataFrame, what: str) -> pl.DataFrame:
    """Rows that go with a balance left, and rows that come. `rows`: `document`, `key`, `ending_balance`."""
    pair = ["document", "previous_document", "key"]
    pairs = given.neighbours.select("document", "previous_document")
    here = pairs.join(rows, on="document", how="inner", maintain_order="left_right")
    before = rows.rename({"document": "previous_document"})
    there = pairs.join(before, on="previous_document", how="inner", maintain_order="left_right")
    gone = there.join(here, on=pair, how="anti", maintain_order="left")
    new = here.join(there, on=pair, how="anti", maintain_order="left")
    stayed = here.join(new, on=pair, how="anti", maintain_order="left")
    left = pl.col("ending_balance").cast(VALUE)
    lost = pl.format("the {} had a balance of {} and is not printed any more", pl.lit(what), plain(left))
    come = pl.format("the {} was not printed one distribution earlier", pl.lit(what))
    return pl.concat(
        [
            stayed.select("document", subject="key", outcome=pl.lit("pass")),
            gone.filter(left > 0)
            .rechunk()
            .select(
                "document", subject="key", outcome=pl.lit("fail"), expected=left, difference=-left, explanation=lost
            ),
            new.select("document", subject="key", outcome=pl.lit("fail"), explanation=come),
        ],
        how="diagonal",
    )


def _accrual_days(given: Reports) -> pl.DataFrame:
    """The inferred days by the calendar against those between the dates."""
    inferred = accrual_days(given.checks).drop_nulls("by_calendar")
    known = given.neighbours.join(inferred, on="document", how="inner", maintain_order="left").rechunk()
    between = (pl.col("distribution_date") - pl.col("previous_date")).dt.total_days()
    off = pl.col("by_calendar") - between
    text = pl.format("interest is for {} days; {} have passed since {}", "by_calendar", between, "previous_date")
    return known.select(
        "document",
        subject=pl.lit(REPORT),
        outcome=pl.when(off == 0).then(pl.lit("pass")).otherwise(pl.lit("fail")),
        expected=between.cast(VALUE),
        actual=pl.col("by_calendar").cast(VALUE),
        difference=off.cast(VALUE),
        explanation=pl.when(off != 0).then(text),
    )


_BY_REPORTS = {
    "same_classes": _same_classes,
    "same_groups": _same_groups,
    "accrual_days_are_the_days_between": _accrual_days,
    "no_month_missing": _no_month_missing,
    "one_report_a_distribution": _one_report_a_distribution,
    "tables_are_whole": _tables_are_whole,
}


def compared_fields(table: str) -> list[str]:
    """The fields of a table's records that checks between distributions compare."""
    declared = [check for check in catalogue().between if check.table == table]
    figured: Sequence[Figure] = [figure for check in declared if check.formula for figure in check.formula.figures]
    return sorted({figure.field for figure in figured} | {column for check in declared for column in check.unchanged})


COMPARED_TABLES = FIGURE_TABLES
