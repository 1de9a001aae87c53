"""Two reports of a deal → what moved between them, and whether what was paid and lost explains it.

A balance that is known before, and all that moves it until after, give the balance after: the roll-forward
identities of `identities.toml`, over any number of distributions. Each printed figure adds its own rounding to
what the sum may be off by. Where a report in between is missing or doubled nothing is added up, and the rows say so.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import polars as pl

from etl.cells import VALUE
from etl.errors import LakeError, UsageError
from etl.figures import RECORD_COLUMNS, class_row, figures, first_of_each, is_total
from etl.formulas import outcome, tolerance_of
from etl.identities import catalogue
from etl.lake import Lake, listed, quoted
from etl.lake_checks import read_reports
from etl.month_checks import accrual_days, pair_reports
from etl.rules import TOTAL
from etl.schema import table

# The tables that are compared, in the order in which they are shown.
COMPARED = ("classes", "pools", "delinquencies", "measures", "triggers")
NOTIONAL, OVER_COLLATERALIZATION = "notional", "over_collateralization"

_BALANCE = "ending_balance"
# Numbers the reports that are read: 0 is FROM, the last is TO.
_NUMBER = "document"
_MONEY = pl.Decimal(38, 2)
# The declared identity that says why the balance of some classes is not added up.
_CLASS_IDENTITY = "class_roll_forward"


class Flow(NamedTuple):
    """A figure that moves a balance. One that is not needed counts as nothing where it is not printed."""

    field: str
    adds: bool
    needed: bool = True


# What moves the balance of a class, of a class that stands for the over-collateralization (by measures of the
# deal), and of a loan group.
CLASS_FLOWS = (
    Flow("principal_distribution", adds=False),
    Flow("realized_loss", adds=False, needed=False),
    Flow("deferred_interest", adds=True, needed=False),
)
OC_FLOWS = (Flow("oc_increase", adds=True), Flow("oc_release", adds=False, needed=False))
POOL_FLOWS = (Flow("total_principal", adds=False), Flow("realized_loss", adds=False, needed=False))


@dataclass(frozen=True)
class ReadReport:
    """A report that is compared, or that lies between."""

    distribution_date: dt.date
    report_id: str
    source: str


@dataclass(frozen=True)
class Gap:
    """Two neighbouring dates over which nothing can be added up, and why."""

    after: dt.date
    before: dt.date
    reason: str


@dataclass(frozen=True)
class Movements:
    """What moved between two reports: a frame for each table, a row for each key that either report has.

    A figure has the columns `<name>_before`, `<name>_after` and `<name>_change`; `only_in` is the date of the
    only report that has the row. In `classes` and `pools` what was paid and lost since stands under its declared
    name, and `outcome` (pass, rounding, fail, not_applicable), `expected`, `difference`, `tolerance` and
    `reason` say whether it explains the balance. The other frames have `changed`.
    """

    deal: str
    before: ReadReport
    after: ReadReport
    between: tuple[ReadReport, ...]
    gaps: tuple[Gap, ...]
    classes: pl.DataFrame
    pools: pl.DataFrame
    delinquencies: pl.DataFrame
    measures: pl.DataFrame
    triggers: pl.DataFrame

    @property
    def tables(self) -> dict[str, pl.DataFrame]:
        """The frames by name."""
        return {name: getattr(self, name) for name in COMPARED}


@dataclass(frozen=True)
class _Span:
    """The reports from FROM to TO, in the order of their dates, and where one is missing or doubled."""

    reports: tuple[ReadReport, ...]
    gaps: tuple[Gap, ...]

    @property
    def last(self) -> int:
        """The number of the report of TO; so many reports say what was paid since FROM."""
        return len(self.reports) - 1


def movements(lake: Lake, start: str, end: str, deal: str | None = None, report_ids: Sequence[str] = ()) -> Movements:
    """What moved between two distribution dates of a deal; names and dates in short forms too.

    `report_ids` choose where a date has several reports. Raises UsageError where the call fits nothing or
    several things, LakeError for a damaged file.
    """
    slug = lake.find_deal(deal) if deal is not None else _only_deal(lake)
    first, last = lake.find_date(slug, start), lake.find_date(slug, end)
    if first >= last:
        same = "are the same date" if first == last else "stand in the wrong order"
        raise UsageError(f"{first} and {last} {same}; give an earlier date and then a later one")
    reports = lake.read("reports", [slug], columns=["report_id", "source"])
    here = reports.filter(pl.col("distribution_date").is_between(first, last))
    checks = lake.read("checks", [slug], columns=["report_id", "check", "subject", "actual"])
    gaps = tuple(gap for gap in _gaps(reports, checks) if first <= gap.after < last)
    span = _Span(tuple(_one_a_date(here, report_ids)), gaps)
    dates = [report.distribution_date for report in span.reports]
    _refuse_lost_tables(lake, slug, span)
    tables = {name: _numbered(lake.read(name, [slug], dates), span) for name in COMPARED}
    records = _numbered(lake.read("records", [slug], dates, ["report_id", *RECORD_COLUMNS]), span)
    return _movements(slug, span, tables, first_of_each(figures(records)))


def _refuse_lost_tables(lake: Lake, deal: str, span: _Span) -> None:
    """What a lost file held would be missing from the sums. Raises LakeError."""
    given = read_reports(lake, [deal], [report.distribution_date for report in span.reports])
    read = {report.report_id for report in span.reports}
    lost = given.lost.join(given.reports, on="document", how="inner").filter(pl.col("report_id").is_in(list(read)))
    for name, date, report_id in lost.select("table", "distribution_date", "report_id").iter_rows():
        message = f"the rows of report {report_id} are lost"
        raise LakeError(lake.file(name, deal, date), message, "run `etl run` over it again")


# --- which reports -------------------------------------------------------------------------------------------


def _only_deal(lake: Lake) -> str:
    deals = lake.deals()
    if len(deals) == 1:
        return deals[0]
    if not deals:
        raise UsageError(f"{lake.output}: holds no report yet; `etl run` reads reports into it")
    raise UsageError(f"{lake.output}: holds {len(deals):,} deals: {listed(deals)}; name one with --deal")


def _one_a_date(reports: pl.DataFrame, report_ids: Sequence[str]) -> Iterator[ReadReport]:
    """The report of each date. Raises UsageError where one must be chosen, or cannot be as was asked."""
    for wanted in report_ids:
        if not wanted or not reports["report_id"].str.starts_with(wanted).any():
            raise UsageError(f"no report {quoted(wanted)} from FROM to TO; there are {listed(reports['report_id'])}")
    open_dates = []
    for (date,), of_date in reports.group_by("distribution_date", maintain_order=True):
        named = pl.any_horizontal(pl.lit(value=False), *(pl.col("report_id").str.starts_with(i) for i in report_ids))
        chosen = of_date.filter(named)
        left = of_date if chosen.is_empty() else chosen
        if left.height > 1:
            names = [f"{report_id} ({source})" for report_id, source in left.select("report_id", "source").iter_rows()]
            open_dates.append(f"{date} has {left.height} reports: {listed(names)}")
        else:
            yield ReadReport(*left.select("distribution_date", "report_id", "source").row(0))
    if open_dates:
        raise UsageError(f"{'; '.join(open_dates)}; choose one a date with --report ID")


def _gaps(reports: pl.DataFrame, checks: pl.DataFrame) -> Iterator[Gap]:
    """The steps of a deal that are not its interval, as the checks between months see them."""
    numbered = reports.with_row_index("document")
    keys = ["deal", "distribution_date", "report_id"]
    accrued = accrual_days(checks.join(numbered.select("document", *keys), on=keys, how="inner"))
    steps = pair_reports(numbered, accrued).filter(pl.col("previous_date") < pl.col("distribution_date"))
    dates = ("previous_date", "distribution_date")
    reason = (
        pl.when(pl.col("months") > pl.col("interval"))
        .then(pl.format("a report is missing between {} and {}", *dates))
        .when(pl.col("months") == 0)
        .then(pl.format("{} and {} are less than half a month apart, so one may repeat the other", *dates))
    )
    odd = steps.select(*dates, reason=reason).drop_nulls("reason").unique("distribution_date", maintain_order=True)
    yield from (Gap(*row) for row in odd.iter_rows())


def _numbered(rows: pl.DataFrame, span: _Span) -> pl.DataFrame:
    """The rows of the reports of the span, with their number."""
    numbers = pl.DataFrame(
        [(number, report.distribution_date, report.report_id) for number, report in enumerate(span.reports)],
        schema={_NUMBER: pl.UInt32, "distribution_date": pl.Date, "report_id": pl.String},
        orient="row",
    )
    return rows.join(numbers, on=["distribution_date", "report_id"], how="inner", maintain_order="left")


# --- what moved ----------------------------------------------------------------------------------------------


def _movements(deal: str, span: _Span, tables: Mapping[str, pl.DataFrame], known: pl.DataFrame) -> Movements:
    """`tables` and `known` (as `figures.figures` gives them) have the number of their report in `document`."""
    *before, after = span.reports
    return Movements(
        deal=deal,
        before=before[0],
        after=after,
        between=tuple(before[1:]),
        gaps=span.gaps,
        classes=_classes(tables["classes"], tables["measures"], known, span),
        pools=_pools(tables["pools"], known, span),
        delinquencies=_flagged(_both("delinquencies", tables["delinquencies"], ("loan_count", "balance"), (), span)),
        measures=_flagged(_both("measures", tables["measures"], ("value",), ("label", "unit"), span)),
        triggers=_flagged(
            _both("triggers", tables["triggers"], ("occurred", "test_value", "threshold"), ("label",), span)
        ),
    )


def _both(name: str, rows: pl.DataFrame, columns: Sequence[str], kept: Sequence[str], span: _Span) -> pl.DataFrame:
    """The rows of either report with both values of `columns`, totals last. `kept` is as it was printed last."""
    key = [column for column in table(name).key if column != "report_id"]
    before, after = (
        rows.filter(pl.col(_NUMBER) == number).select(
            *key, *(pl.col(column).name.suffix(side) for column in (*columns, *kept)), pl.lit(1).alias(f"here{side}")
        )
        for number, side in ((0, "_before"), (span.last, "_after"))
    )
    joined = before.join(after, on=key, how="full", coalesce=True, nulls_equal=True, maintain_order="left_right")
    compared: list[pl.Expr] = []
    for column in columns:
        was, is_now = pl.col(f"{column}_before"), pl.col(f"{column}_after")
        numbers = [] if rows.schema[column] == pl.Boolean else [(is_now - was).alias(f"{column}_change")]
        compared += [was, is_now, *numbers]
    total = is_total(pl.col("class_key" if name == "classes" else key[0]))
    return joined.sort(total.fill_null(value=False), maintain_order=True).select(
        *key,
        *(pl.coalesce(f"{column}_after", f"{column}_before").alias(column) for column in kept),
        *compared,
        only_in=pl.when(pl.col("here_after").is_null())
        .then(span.reports[0].distribution_date)
        .when(pl.col("here_before").is_null())
        .then(span.reports[-1].distribution_date),
    )


def _flagged(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with `changed`."""
    columns = [name.removesuffix("_before") for name in rows.columns if name.endswith("_before")]
    differ = [pl.col(f"{column}_before").ne_missing(pl.col(f"{column}_after")) for column in columns]
    return rows.with_columns(changed=pl.any_horizontal(pl.col("only_in").is_not_null(), *differ))


def _classes(classes: pl.DataFrame, measures: pl.DataFrame, known: pl.DataFrame, span: _Span) -> pl.DataFrame:
    # Rows are joined by section and class; the class alone stands beside.
    classes = classes.with_columns(printed_key="class_key", class_key=class_row())
    kept = ("class_id", "class_type", "printed_key")
    rows = _both("classes", classes, (_BALANCE, "pass_through_rate"), kept, span).select(
        "class_key", pl.exclude("class_key")
    )
    of_deal = measures.filter((pl.col(_NUMBER) > 0) & (pl.col("group_id") == TOTAL))
    oc = of_deal.select(
        class_type=pl.lit(OVER_COLLATERALIZATION),
        **{
            flow.field: _summed(pl.col("value").filter(pl.col("measure") == flow.field).cast(_MONEY), flow, span)
            for flow in OC_FLOWS
        },
    )
    moved = rows.join(
        _paid(classes, "class_key", (*CLASS_FLOWS, Flow("interest_distribution", adds=False)), span),
        on="class_key",
        how="left",
        maintain_order="left",
    ).join(oc, on="class_type", how="left", maintain_order="left")
    is_oc = (pl.col("class_type") == OVER_COLLATERALIZATION).fill_null(value=False)
    rolled = [
        _rolled(rows.filter(~is_oc), "classes", CLASS_FLOWS, known, span),
        _rolled(rows.filter(is_oc), "classes", OC_FLOWS, known, span, "measures"),
    ]
    (declared,) = (identity for identity in catalogue().identities if identity.name == _CLASS_IDENTITY)
    notional = pl.when(pl.col("class_type") == NOTIONAL).then(pl.lit(declared.not_for[NOTIONAL]))
    paid = [flow.field for flow in (*CLASS_FLOWS, *OC_FLOWS)]
    judged = _judged(moved, "class_key", pl.concat(rolled), (*paid, "interest_distribution"), notional, span)
    return judged.with_columns(class_key="printed_key").drop("printed_key")


def _pools(pools: pl.DataFrame, known: pl.DataFrame, span: _Span) -> pl.DataFrame:
    rows = _both("pools", pools, (_BALANCE, "ending_count"), (), span)
    moved = rows.join(_paid(pools, "group_id", POOL_FLOWS, span), on="group_id", how="left", maintain_order="left")
    rolled = _rolled(rows, "pools", POOL_FLOWS, known, span)
    return _judged(moved, "group_id", rolled, [flow.field for flow in POOL_FLOWS], pl.lit(None, pl.String), span)


def _paid(rows: pl.DataFrame, key: str, flows: Sequence[Flow], span: _Span) -> pl.DataFrame:
    """What each row was paid and lost after FROM, up to and including TO."""
    since = rows.filter(pl.col(_NUMBER) > 0).group_by(key)
    return since.agg(_summed(pl.col(flow.field), flow, span).alias(flow.field) for flow in flows)


def _summed(cells: pl.Expr, flow: Flow, span: _Span) -> pl.Expr:
    """The sum of a figure, null where it is not printed: a needed one in every report, others in any."""
    return pl.when(cells.count() >= (span.last if flow.needed else 1)).then(cells.sum())


# --- does it add up --------------------------------------------------------------------------------------------


def _rolled(
    rows: pl.DataFrame, name: str, flows: Sequence[Flow], known: pl.DataFrame, span: _Span, of: str | None = None
) -> pl.DataFrame:
    """The balance that follows for each row: `key`, `expected`, `difference`, `tolerance`, `outcome`, and
    `lacking`, what had to be printed and is not. The flows are those of the row, or the deal's in table `of`.
    """
    own = of is None
    flow_table = of or name
    terms = [
        (0, name, True, _BALANCE, True, True),
        *(
            (at, flow_table, own, flow.field, flow.adds, flow.needed)
            for at in range(1, span.last + 1)
            for flow in flows
        ),
        (span.last, name, True, _BALANCE, None, True),
    ]
    schema = {
        _NUMBER: pl.UInt32(),
        "table": pl.String(),
        "own": pl.Boolean(),
        "field": pl.String(),
        "adds": pl.Boolean(),  # null: the balance that is to follow
        "needed": pl.Boolean(),
    }
    dates = dict(enumerate(str(report.distribution_date) for report in span.reports))
    cells = (
        rows.select(row=rows.columns[0])
        .join(pl.DataFrame(terms, schema=schema, orient="row"), how="cross", maintain_order="left_right")
        .with_columns(key=pl.when("own").then("row").otherwise(pl.lit(TOTAL)))
        .join(known, on=[_NUMBER, "table", "key", "field"], how="left", maintain_order="left")
    )
    value, error, adds = pl.col("value"), pl.col("error"), pl.col("adds")
    missing = pl.format("{} of {}", "field", pl.col(_NUMBER).replace_strict(dates, return_dtype=pl.String))
    summed = cells.group_by("row", maintain_order=True).agg(
        expected=value.filter(adds).sum() - value.filter(~adds).sum(),
        actual=value.filter(adds.is_null()).sum(),
        tolerance=tolerance_of((error > 0).sum().cast(pl.Int32), error.sum(), error.max()),
        lacking=missing.filter(pl.col("needed") & value.is_null()).first(),
    )
    difference = pl.col("actual") - pl.col("expected")
    return summed.select(
        key="row",
        expected=pl.col("expected").cast(_MONEY),
        difference=difference.cast(_MONEY),
        tolerance="tolerance",
        outcome=outcome(difference.abs(), pl.lit(0).cast(VALUE), pl.col("tolerance")),
        lacking="lacking",
    )


def _judged(
    rows: pl.DataFrame, key: str, rolled: pl.DataFrame, flows: Sequence[str], not_for: pl.Expr, span: _Span
) -> pl.DataFrame:
    """The rows with what follows of their balances; `not_for` is the reason of rows that cannot be added up."""
    reason = pl.coalesce(
        pl.when(pl.col("only_in").is_not_null()).then(pl.format("only in the report of {}", "only_in")),
        not_for,
        pl.lit("; ".join(gap.reason for gap in span.gaps) or None, pl.String),
        pl.format("not printed: {}", "lacking"),
    )
    following = ("expected", "difference", "tolerance")
    judged = rows.join(rolled, left_on=key, right_on="key", how="left", maintain_order="left").with_columns(
        reason=reason
    )
    applies = pl.col("reason").is_null()
    kept = [column for column in rows.columns if column not in (*flows, "only_in")]
    # What reports say was paid is not all that was paid where one is missing, and too much where one is doubled.
    whole = [pl.lit(None).cast(rows.schema[flow]).alias(flow) if span.gaps else pl.col(flow) for flow in flows]
    return judged.select(
        *kept,
        *whole,
        "only_in",
        *(pl.when(applies).then(column).alias(column) for column in following),
        outcome=pl.when(applies).then("outcome").otherwise(pl.lit("not_applicable")),
        reason="reason",
    )
