"""Interest = balance x rate x days / basis, where the report prints no days.

Fixed classes usually accrue over 30 days of a 360-day year, floating ones over the days by the calendar since the
distribution before. Those are the same for all classes of a report, and the distribution before was on a
weekday. So for each report the number of days is taken that most classes agree with; a class then must
agree with it or with 30/360. Where a single class asks for it, the days must lead back about a month to the day.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from etl.cells import VALUE
from etl.figures import first_of_each
from etl.formulas import Figure, error_column
from etl.identities import REPORT, Accrual
from etl.identity_checks import KIND, ReportFigures, with_printed_figures

_SATURDAY = 6
# A distribution is put off by a weekend and a holiday at the most.
_DAYS_PUT_OFF = 4


def check_accruals(figures: ReportFigures, accruals: Sequence[Accrual], identity: pl.DataFrame) -> pl.DataFrame:
    """The outcome for each class, and the days that were inferred for each report.

    `identity` has `document` and `distribution_date`. Columns as `outcomes.SCHEMA`.
    """
    return pl.concat([part for accrual in accruals for part in _checked(figures, accrual, identity)], how="diagonal")


def _checked(figures: ReportFigures, accrual: Accrual, identity: pl.DataFrame) -> list[pl.DataFrame]:
    rows = _rows(figures, accrual)
    days = _days(rows, accrual, identity)
    judged = _judged(rows, days, accrual)
    named = (
        Figure(None, None, accrual.interest),
        Figure(None, None, accrual.balance),
        Figure(None, None, accrual.rate),
    )
    classes = with_printed_figures(judged.drop("method"), figures, {accrual.name: (accrual.table, named)})
    return [classes, _inferred(judged, days, accrual)]


def _rows(figures: ReportFigures, accrual: Accrual) -> pl.DataFrame:
    """A row for each class: `balance`, `rate`, `interest` as floats and their errors, and what 30/360 gives."""
    rows = figures.rows(accrual.table, [accrual.other_balance])
    cells = figures.known.filter((pl.col("table") == accrual.table) & (pl.col("field") == accrual.interest))
    halves = first_of_each(cells).select("document", "key", "half_unit")
    rows = rows.join(halves, on=["document", "key"], how="left", maintain_order="left").rechunk()  # see rejections

    def as_float(name: str) -> pl.Expr:
        return pl.col(name).cast(pl.Float64)

    balance, rate = as_float(accrual.balance), as_float(accrual.rate)
    balance_error, rate_error = as_float(error_column(accrual.balance)), as_float(error_column(accrual.rate))
    selected = rows.select(
        "document",
        "key",
        pl.col(KIND).alias("kind"),
        interest=as_float(accrual.interest),
        printed=pl.col(accrual.interest),
        half_unit=as_float("half_unit"),
        yearly=balance * rate,
        yearly_error=balance * rate_error + rate * balance_error + balance_error * rate_error,
        other_yearly=as_float(accrual.other_balance.name) * rate,
        other_error=as_float(accrual.other_balance.name) * rate_error,
        lacking=pl.concat_str(
            [
                pl.when(pl.col(name).is_null()).then(pl.lit(name))
                for name in (accrual.interest, accrual.balance, accrual.rate)
            ],
            separator=", ",
            ignore_nulls=True,
        ),
    )
    nominal = accrual.nominal_days / accrual.nominal_basis
    fits = _off(nominal) <= _allowed(nominal)
    applies = (pl.col("lacking") == "") & ~pl.col("kind").is_in(list(accrual.not_for)).fill_null(value=False)
    return selected.with_columns(applies=applies, nominal=fits)


def _off(years: float | pl.Expr) -> pl.Expr:
    return (pl.col("interest") - pl.col("yearly") * years).abs()


def _allowed(years: float | pl.Expr) -> pl.Expr:
    return pl.col("half_unit") + pl.col("yearly_error") * years


def _days(rows: pl.DataFrame, accrual: Accrual, identity: pl.DataFrame) -> pl.DataFrame:
    """`document` and `days` by the calendar, for the reports that have a class which agrees with them."""
    asking = rows.filter(pl.col("applies") & ~pl.col("nominal") & (pl.col("yearly") > 0))
    spans = pl.DataFrame({"days": range(accrual.shortest_days, accrual.longest_days + 1)}, schema={"days": pl.Int32})
    dated = identity.select("document", "distribution_date").join(spans, how="cross")
    before = pl.col("distribution_date") - pl.duration(days="days")
    a_month = pl.col("distribution_date") - pl.col("distribution_date").dt.offset_by("-1mo")
    possible = dated.filter(before.dt.weekday() < _SATURDAY).with_columns(
        put_off=(pl.col("days") - a_month.dt.total_days()).abs()
    )
    agreeing = pl.any_horizontal(
        [_off(pl.col("days") / basis) <= _allowed(pl.col("days") / basis) for basis in accrual.calendar_bases]
    )
    counted = (
        possible.join(asking, on="document", how="inner", maintain_order="left")
        .group_by("document", "days", maintain_order=True)
        .agg(agreeing=agreeing.sum(), put_off=pl.col("put_off").first())
        .filter((pl.col("agreeing") > 1) | ((pl.col("agreeing") == 1) & (pl.col("put_off") <= _DAYS_PUT_OFF)))
    )
    best = counted.sort("document", "agreeing", "put_off", "days", descending=[False, True, False, False])
    return best.unique("document", keep="first", maintain_order=True).select("document", "days")


def _judged(rows: pl.DataFrame, days: pl.DataFrame, accrual: Accrual) -> pl.DataFrame:
    """The outcome for each class, with the `method` that it agrees with."""
    calendar = [
        (pl.col("days") / basis, pl.format(f"ACT/{basis}, {{}} days", "days")) for basis in accrual.calendar_bases
    ]
    nominal = f"{accrual.nominal_days}/{accrual.nominal_basis}"
    methods = [(pl.lit(accrual.nominal_days / accrual.nominal_basis), pl.lit(nominal)), *calendar]
    dated = rows.join(days, on="document", how="left", maintain_order="left").rechunk()
    # The method that comes nearest, plainest first.
    nearest = pl.min_horizontal([_off(years) for years, _ in methods])
    years = pl.coalesce([pl.when(_off(years) == nearest).then(years) for years, _ in methods])
    method = pl.coalesce([pl.when(_off(years) == nearest).then(name) for years, name in methods])
    near = dated.with_columns(years=years, method=method)
    off, allowed = _off(pl.col("years")), _allowed(pl.col("years"))
    kept = accrual.nominal_days / accrual.nominal_basis
    by_other = (pl.col("interest") - pl.col("other_yearly") * kept).abs() <= pl.col("half_unit") + pl.col(
        "other_error"
    ) * kept
    otherwise = pl.col("kind").is_in(list(accrual.other_kinds)) & by_other
    reason = pl.coalesce(
        pl.col("kind").replace_strict(dict(accrual.not_for), default=None, return_dtype=pl.String),
        pl.when(pl.col("lacking") != "").then(pl.format("not printed: {}", "lacking")),
    )
    fits = pl.when(off <= pl.col("half_unit")).then(pl.lit("pass")).when(off <= allowed).then(pl.lit("rounding"))
    outcome = (
        pl.when(reason.is_not_null()).then(pl.lit("not_applicable"))
        .when(off <= allowed).then(fits)
        .when(otherwise).then(pl.lit("explained"))
        .otherwise(pl.lit("fail"))
    )  # fmt: skip
    implied = pl.col("interest") * accrual.nominal_basis / pl.col("yearly")
    implied_text = (
        pl.when(implied.is_finite())
        .then(pl.format("interest for {} days of 360", implied.round(3)))
        .otherwise(pl.lit("interest without balance or rate"))
    )
    told = near.with_columns(reason=reason, outcome=outcome)
    return told.select(
        "document",
        check=pl.lit(accrual.name),
        subject="key",
        outcome="outcome",
        expected=pl.when(pl.col("reason").is_null()).then(_decimal(pl.col("yearly") * pl.col("years"))),
        actual=pl.when(pl.col("reason").is_null()).then("printed"),
        difference=pl.when(pl.col("reason").is_null()).then(
            pl.col("printed") - _decimal(pl.col("yearly") * pl.col("years"))
        ),
        tolerance=pl.when(pl.col("reason").is_null()).then(_decimal(allowed)),
        explanation=pl.coalesce(
            "reason",
            pl.when(pl.col("outcome") == "explained").then(pl.lit(accrual.other_because)),
            pl.when(pl.col("outcome") == "fail").then(pl.format("{}; nearest is {}", implied_text, "method")),
            "method",
        ),
        method=pl.when(pl.col("outcome").is_in(["pass", "rounding"]) & (pl.col("yearly") > 0)).then("method"),
    )


def _decimal(value: pl.Expr) -> pl.Expr:
    return value.round(6).cast(VALUE, strict=False)


def _inferred(judged: pl.DataFrame, days: pl.DataFrame, accrual: Accrual) -> pl.DataFrame:
    """The days of each report, and which classes accrue in which way."""
    by_method = (
        judged.drop_nulls("method")
        .group_by("document", "method", maintain_order=True)
        .agg(classes=pl.col("subject").str.join(", "))
        .rechunk()
        .group_by("document", maintain_order=True)
        .agg(methods=pl.format("{}: {}", "method", "classes").str.join("; "))
    )
    asked = judged.filter(pl.col("outcome") != "not_applicable").select("document").unique(maintain_order=True)
    frame = asked.join(by_method, on="document", how="left", maintain_order="left")
    frame = frame.join(days, on="document", how="left", maintain_order="left")
    inferred = pl.coalesce("days", pl.lit(accrual.nominal_days))
    found = pl.when(pl.col("methods").is_not_null())
    return frame.select(
        "document",
        check=pl.lit(accrual.days_name),
        subject=pl.lit(REPORT),
        outcome=found.then(pl.lit("pass")).otherwise(pl.lit("fail")),
        expected=pl.lit(None, VALUE),
        actual=found.then(inferred).cast(VALUE),
        explanation=pl.coalesce("methods", pl.lit("no number of days fits the interest of any class")),
    )
