"""Interest = balance x rate x days / basis, where the report prints no days.

Fixed classes usually accrue over months of 30 days in a 360-day year, floating ones over the days by the calendar
since the distribution before. Both are the same for all classes of a report, so both are inferred from what most
classes agree with: a period of 1, 3, 6 or 12 months, and a number of days. A class then must agree with one of
them; nothing else is tried for it. Where a single class asks for days by the calendar, they must lead back to a
weekday and by whole months, but for the days that a distribution is put off, and its interest must be large
enough that it fits them by no accident. Where it fits such days and is not, it can be held to none: with rates of
three decimals that is so of classes of any size.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import polars as pl

from etl.cells import VALUE
from etl.formulas import Figure, error_column
from etl.identities import REPORT, Accrual
from etl.identity_checks import KIND, ReportFigures, plain, with_printed_figures

_SATURDAY = 6
# A distribution is put off by a weekend and a holiday at the most.
_DAYS_PUT_OFF = 4
# How much interest fits some number of days is told by a stretch as long as the interest of a day: there two numbers
# of days lie at the most, on each of two bases. How likely an accident may be.
_DAYS_IN_A_STRETCH = 2 * 2
_DAYS_OF_A_YEAR = 360
_CHANCE = 0.01
# Of the numbers of days that the classes of a report propose, so many are looked at, the most frequent first.
_MAX_PROPOSALS = 20
# So many classes must be paid the same part of their interest.
_ALIKE = 3
# What days are held against.
_NEEDED = ("interest", "half_unit", "yearly", "yearly_error", "shortfall", "shortfall_error")
# Decimals of what is computed here, which are those that floats have to spare.
_DECIMALS = 6
_REPORT = ("document", "distribution_date")
_UNTOLD = "{} days by the calendar fit, but the class alone is too small to tell them"


def check_accruals(figures: ReportFigures, accruals: Sequence[Accrual], identity: pl.DataFrame) -> pl.DataFrame:
    """The outcome for each class, and the days that were inferred for each report.

    `identity` has `document` and `distribution_date`. Columns as `outcomes.SCHEMA`.
    """
    return pl.concat([part for accrual in accruals for part in _checked(figures, accrual, identity)], how="diagonal")


def _checked(figures: ReportFigures, accrual: Accrual, identity: pl.DataFrame) -> list[pl.DataFrame]:
    rows = _rows(figures, accrual)
    rows = rows.join(_periods(rows, accrual), on="document", how="left", maintain_order="left")
    rows = rows.join(identity.select("document", "distribution_date"), on="document", how="left", maintain_order="left")
    rows = rows.join(_parts(rows, accrual), on="document", how="left", maintain_order="left")
    days = _days(rows, accrual)
    judged = _judged(rows.join(days, on="document", how="left", maintain_order="left").rechunk(), accrual)
    return [_with_figures(judged, figures, accrual), _inferred(judged, accrual)]


def _with_figures(judged: pl.DataFrame, figures: ReportFigures, accrual: Accrual) -> pl.DataFrame:
    """The outcomes with the printed figures: those of classes that accrue on another balance with that too."""
    names = (accrual.interest, accrual.balance, accrual.rate, accrual.shortfall, accrual.deferred)
    named = tuple(Figure(None, None, name) for name in names)
    on_other = f"{accrual.name} on another balance"
    compared = {
        accrual.name: (accrual.table, named),
        on_other: (accrual.table, (*named, accrual.other_balance)),
    }
    checks = judged.with_columns(check=pl.when("on_other_balance").then(pl.lit(on_other)).otherwise("check"))
    checks = checks.drop("method", "method_days", "accrues", "on_other_balance")
    return with_printed_figures(checks, figures, compared).with_columns(check=pl.lit(accrual.name))


def _rows(figures: ReportFigures, accrual: Accrual) -> pl.DataFrame:
    """A row for each class, in floats: `interest` (paid and deferred) with the half unit of its last digit, a year's
    interest with its error, the same on the other balance, the shortfall; whether it was issued with a balance, and
    whether the identity speaks of it."""
    rows = figures.rows(accrual.table, [accrual.other_balance])
    cells = figures.first.filter((pl.col("table") == accrual.table) & (pl.col("field") == accrual.interest))
    halves = cells.select("document", "key", "half_unit")
    rows = rows.join(halves, on=["document", "key"], how="left", maintain_order="left").rechunk()  # see rejections

    rows = rows.select(_in_floats(accrual))
    return rows.with_columns(accrues=(pl.col("lacking") == "") & ~pl.col("excluded") & (pl.col("yearly") != 0))


@cache
def _in_floats(accrual: Accrual) -> list[pl.Expr]:
    def as_float(name: str) -> pl.Expr:
        return pl.col(name).cast(pl.Float64)

    rate, rate_error = as_float(accrual.rate), as_float(error_column(accrual.rate))
    yearly, yearly_error = _product(
        as_float(accrual.balance), as_float(error_column(accrual.balance)), rate, rate_error
    )
    other = accrual.other_balance.name
    other_yearly, other_error = _product(as_float(other), as_float(error_column(other)), rate, rate_error)
    needed = (accrual.interest, accrual.balance, accrual.rate)
    missing = [pl.when(pl.col(name).is_null()).then(pl.lit(name)) for name in needed]
    columns = {
        "kind": pl.col(KIND),
        "interest": as_float(accrual.interest) + as_float(accrual.deferred).fill_null(0),
        "printed": pl.col(accrual.interest) + pl.col(accrual.deferred).fill_null(0),
        "half_unit": as_float("half_unit") + as_float(error_column(accrual.deferred)).fill_null(0),
        "issued": (pl.col(accrual.issued) != 0).fill_null(value=True),
        "yearly": yearly,
        "yearly_error": yearly_error,
        "other_yearly": other_yearly,
        "other_error": other_error,
        "shortfall": as_float(accrual.shortfall).fill_null(0),
        "shortfall_error": as_float(error_column(accrual.shortfall)).fill_null(0),
        "lacking": pl.concat_str(missing, separator=", ", ignore_nulls=True),
        "excluded": pl.col(KIND).is_in(list(accrual.not_for)).fill_null(value=False),
    }
    return [pl.col("document", "key"), *(column.alias(name) for name, column in columns.items())]


def _product(left: pl.Expr, left_error: pl.Expr, right: pl.Expr, right_error: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    """A product and its error."""
    return left * right, left.abs() * right_error + right.abs() * left_error + left_error * right_error


def _off(years: float | pl.Expr) -> pl.Expr:
    return (pl.col("interest") - pl.col("yearly") * years).abs()


def _allowed(years: float | pl.Expr) -> pl.Expr:
    return pl.col("half_unit") + pl.col("yearly_error") * years


def _fits(years: float | pl.Expr) -> pl.Expr:
    return _off(years) <= _allowed(years)


def _fits_unpaid(years: float | pl.Expr) -> pl.Expr:
    """Whether interest fits together with a printed shortfall, which was not paid (one in parentheses: paid too)."""
    return (pl.col("shortfall") != 0) & (_off_unpaid(years) <= _allowed(years) + pl.col("shortfall_error"))


def _off_unpaid(years: float | pl.Expr) -> pl.Expr:
    return (pl.col("interest") + pl.col("shortfall") - pl.col("yearly") * years).abs()


def _off_at_best(years: float | pl.Expr) -> pl.Expr:
    """How far interest is off, alone or together with a printed shortfall."""
    return pl.min_horizontal(_off(years), pl.when(pl.col("shortfall") != 0).then(_off_unpaid(years)))


def _agrees(years: float | pl.Expr) -> pl.Expr:
    return _fits(years) | _fits_unpaid(years)


def _periods(rows: pl.DataFrame, accrual: Accrual) -> pl.DataFrame:
    """`document` and `nominal`: the years that fixed classes accrue over, by the period that most classes fit."""
    fitting, nominal = _by_months(accrual)
    counted = rows.filter("accrues").group_by("document", maintain_order=True).agg(fitting)
    return counted.select("document", nominal=nominal)


@cache
def _by_months(accrual: Accrual) -> tuple[list[pl.Expr], pl.Expr]:
    """How many classes fit each period, and the years of the one that most fit."""
    years = {months: months * accrual.nominal_days / accrual.nominal_basis for months in accrual.months}
    fitting = [_agrees(nominal).sum().alias(str(months)) for months, nominal in years.items()]
    most = pl.max_horizontal([str(months) for months in years])
    # A single class is no proof of a longer period.
    known = [(pl.col(str(months)) == most) & ((most > 1) | (months == 1)) for months in years]
    nominal = pl.coalesce([pl.when(is_so).then(nominal) for is_so, nominal in zip(known, years.values(), strict=True)])
    return fitting, nominal


_PARTS = pl.Schema({"document": pl.UInt32(), "part": pl.Float64(), "part_error": pl.Float64(), "alike": pl.UInt32()})


def _parts(rows: pl.DataFrame, accrual: Accrual) -> pl.DataFrame:
    """`document` and `part`: what part of their interest most classes of a report are paid, where it is less than all
    and the same for at least `_ALIKE` of them that are not paid all. Classes with much interest propose it."""
    accrued = rows.filter("accrues").with_columns(
        due=pl.col("yearly") * pl.col("nominal"), allowed=_allowed(pl.col("nominal")), whole=_agrees(pl.col("nominal"))
    )
    part = pl.col("interest") / pl.col("due")
    less = accrued.filter(~pl.col("whole") & (part >= accrual.alike_least) & (part < 1))
    less = less.select("document", "interest", "due", "allowed")
    if less.is_empty():
        return pl.DataFrame(schema=_PARTS)
    proposals = less.sort("document", "due", descending=[False, True], maintain_order=True)
    proposals = proposals.group_by("document", maintain_order=True).head(_MAX_PROPOSALS)
    proposals = proposals.select(
        "document", part=pl.col("interest") / pl.col("due"), part_error=pl.col("allowed") / pl.col("due")
    )
    off = (pl.col("interest") - pl.col("part") * pl.col("due")).abs()
    alike = off <= pl.col("allowed") + pl.col("part_error") * pl.col("due")
    counted = (
        proposals.join(less, on="document", how="inner", maintain_order="left_right")
        .group_by("document", "part", "part_error", maintain_order=True)
        .agg(alike=alike.sum())
    )
    classes = accrued.group_by("document").agg(classes=pl.len())
    best = counted.join(classes, on="document", how="left", maintain_order="left").filter(
        (pl.col("alike") >= _ALIKE) & (2 * pl.col("alike") > pl.col("classes"))
    )
    best = best.sort("document", "alike", "part_error", descending=[False, True, False], maintain_order=True)
    return best.unique("document", keep="first", maintain_order=True).drop("classes")


def _is_alike() -> pl.Expr:
    """Whether a class is paid the part of its interest that most classes of its report are paid."""
    due = pl.col("yearly") * pl.col("nominal")
    off = (pl.col("interest") - pl.col("part") * due).abs()
    return (off <= _allowed(pl.col("nominal")) + pl.col("part_error") * due.abs()).fill_null(value=False)


def _days(rows: pl.DataFrame, accrual: Accrual) -> pl.DataFrame:
    """`document` and `days` by the calendar, for the reports that have a class which agrees with them.

    `rows` has `nominal` too. Each class that does not fit it proposes the days that its interest is for.
    """
    asking = rows.filter(pl.col("accrues") & ~_agrees(pl.col("nominal")))
    if asking.is_empty():
        return pl.DataFrame(schema={"document": pl.UInt32, "days": pl.Int32})
    days = pl.col("days")
    counts = asking.select(*_REPORT, days=_proposed(accrual)).explode("days").group_by(*_REPORT, "days").len()
    spans = counts.filter(days.is_between(accrual.shortest_days, accrual.longest_days)).sort(
        "document", "len", "days", descending=[False, True, False]
    )
    spans = spans.group_by("document", maintain_order=True).head(_MAX_PROPOSALS)
    possible = spans.with_columns(days.cast(pl.Int32)).select("document", "days", *_of_days(accrual))
    counted = (
        possible.join(asking.select("document", *_NEEDED), on="document", how="inner", maintain_order="left")
        .with_columns(_agreeing(accrual))
        .group_by("document", "days", maintain_order=True)
        .agg(pl.col("put_off", "weekday").first(), pl.col("agreeing").sum(), pl.col("sure").any())
    )
    alone = (pl.col("agreeing") == 1) & (pl.col("put_off") <= _DAYS_PUT_OFF) & pl.col("weekday") & pl.col("sure")
    order = ["document", "agreeing", "weekday", "put_off", "days"]
    best = counted.filter((pl.col("agreeing") > 1) | alone).sort(
        order, descending=[name in ("agreeing", "weekday") for name in order]
    )
    return best.unique("document", keep="first", maintain_order=True).select("document", "days")


@cache
def _proposed(accrual: Accrual) -> pl.Expr:
    """The days that the interest of a class is for, with a shortfall and without, on each basis."""
    for_a_year = [due / pl.col("yearly") for due in (pl.col("interest"), pl.col("interest") + pl.col("shortfall"))]
    return pl.concat_list([(years * basis).round() for years in for_a_year for basis in accrual.calendar_bases])


@cache
def _of_days(accrual: Accrual) -> list[pl.Expr]:
    """How far days are from whole months, and whether they lead back to a weekday."""
    days = pl.col("days")
    put_off = pl.min_horizontal([(days - length).abs() for length in _whole_months(accrual)])
    return [put_off.alias("put_off"), _from_a_weekday(days).alias("weekday")]


@cache
def _agreeing(accrual: Accrual) -> list[pl.Expr]:
    """Whether a class agrees with days by the calendar, and whether by no accident."""
    agreeing = _agrees_by_calendar(pl.col("days"), accrual)
    return [agreeing.alias("agreeing"), (agreeing & _tells(pl.col("days"))).alias("sure")]


def _whole_months(accrual: Accrual) -> list[pl.Expr]:
    """The days of each period of a deal, back from the distribution."""
    date = pl.col("distribution_date")
    return [(date - date.dt.offset_by(f"-{months}mo")).dt.total_days() for months in accrual.months]


def _from_a_weekday(days: pl.Expr) -> pl.Expr:
    return (pl.col("distribution_date") - pl.duration(days=days)).dt.weekday() < _SATURDAY


def _agrees_by_calendar(days: pl.Expr, accrual: Accrual) -> pl.Expr:
    return pl.any_horizontal([_agrees(days / basis) for basis in accrual.calendar_bases])


def _tells(days: pl.Expr) -> pl.Expr:
    """Whether a class's interest fits a number of days by no accident: of any stretch that is as long as the interest
    of a day, what fits one covers little. Where a shortfall is printed, interest fits with it or without."""
    a_day = pl.col("yearly").abs() / _DAYS_OF_A_YEAR
    readings = pl.when(pl.col("shortfall") != 0).then(2).otherwise(1)
    window = 2 * (_allowed(days / _DAYS_OF_A_YEAR) + pl.col("shortfall_error"))
    return readings * _DAYS_IN_A_STRETCH * window < _CHANCE * a_day


def _untold(near: pl.DataFrame, accrual: Accrual) -> pl.DataFrame:
    """`place` of classes that break, and the `untold` days that each fits all the same, where it is too small to tell
    them alone and no other class does. Days so many months long come first."""
    asked = near.filter(pl.col("accrues") & pl.col("days").is_null() & (pl.col("outcome") == "fail"))
    if asked.is_empty():  # the expressions alone take long
        return pl.DataFrame(schema={"place": near.schema["place"], "untold": pl.Int64()})
    tried = [
        length + put_off
        for put_off in sorted(range(-_DAYS_PUT_OFF, _DAYS_PUT_OFF + 1), key=abs)
        for length in _whole_months(accrual)
    ]
    fitting = [
        pl.when(_from_a_weekday(days) & _agrees_by_calendar(days, accrual) & ~_tells(days)).then(days) for days in tried
    ]
    return asked.select("place", untold=pl.coalesce(fitting)).drop_nulls()


def _judged(rows: pl.DataFrame, accrual: Accrual) -> pl.DataFrame:
    """The outcome for each class, with the `method` that it agrees with and the `method_days`."""
    near = _with_nearest_method(rows, accrual).with_columns(_readings(accrual)).with_columns(_outcome())
    judged = near.with_row_index("place")
    untold = _untold(judged, accrual)
    if not untold.is_empty():
        judged = judged.join(untold, on="place", how="left", maintain_order="left").rechunk()
        known = pl.col("untold").is_null()
        judged = judged.with_columns(
            outcome=pl.when(known).then("outcome").otherwise(pl.lit("not_applicable")),
            reason=pl.when(known).then("reason").otherwise(pl.format(_UNTOLD, "untold")),
        )
    # A break is measured against the reading that comes nearest.
    by_other = (pl.col("outcome") == "fail") & pl.col("on_other_balance") & (pl.col("other_off") < pl.col("off"))
    return judged.with_columns(by_other=by_other).with_columns(_measured()).select(_told(accrual))


@cache
def _readings(accrual: Accrual) -> list[pl.Expr]:
    """Why the identity does not speak of a class, which other reading holds, and whether the class is paid the same
    part of its interest as most."""
    fits = pl.col("off") <= pl.col("allowed")
    alike = ~fits & ~pl.col("unpaid") & ~pl.col("on_other_balance") & _is_alike()
    return [
        _reason(accrual).alias("reason"),
        _other_reading(accrual).alias("because"),
        fits.alias("fits"),
        alike.alias("paid alike"),
    ]


@cache
def _outcome() -> pl.Expr:
    return (
        pl.when(pl.col("reason").is_not_null()).then(pl.lit("not_applicable"))
        .when(pl.col("off") <= pl.col("half_unit")).then(pl.lit("pass"))
        .when("fits").then(pl.lit("rounding"))
        .when(pl.col("because").is_not_null()).then(pl.lit("explained"))
        .otherwise(pl.lit("fail"))
    ).alias("outcome")  # fmt: skip


@cache
def _measured() -> list[pl.Expr]:
    """What a class is held against, and how far it may be off."""
    applies = pl.col("reason").is_null()
    due = pl.when("by_other").then("other_due").otherwise(pl.col("yearly") * pl.col("years"))
    error = pl.when("by_other").then("other_allowed").otherwise("allowed")
    return [
        pl.when(applies).then(_decimal(due)).alias("expected"),
        pl.when(applies).then(_decimal(error)).alias("tolerance"),
        pl.when(applies).then("printed").alias("actual"),
    ]


@cache
def _told(accrual: Accrual) -> list[pl.Expr]:
    alike = pl.col("paid alike")
    by_method = (pl.col("outcome") == "explained") & (pl.col("unpaid") | alike)
    method = pl.when(alike).then(_nominal_name(accrual)).otherwise("method")
    return [
        *map(pl.col, ("document", "accrues", "on_other_balance")),
        pl.lit(accrual.name).alias("check"),
        pl.col("key").alias("subject"),
        *map(pl.col, ("outcome", "expected", "actual")),
        (pl.col("actual") - pl.col("expected")).alias("difference"),
        pl.col("tolerance"),
        _explanation(accrual).alias("explanation"),
        pl.when((pl.col("fits") | by_method) & pl.col("accrues")).then(method).alias("method"),
        pl.when(alike).then(_nominal_days(accrual)).otherwise("method_days").alias("method_days"),
    ]


def _nominal_name(accrual: Accrual) -> pl.Expr:
    return pl.lit(f"{accrual.nominal_days}/{accrual.nominal_basis}")


def _nominal_days(accrual: Accrual) -> pl.Expr:
    return (pl.col("nominal") * accrual.nominal_basis).round().cast(pl.Int32)


def _with_nearest_method(rows: pl.DataFrame, accrual: Accrual) -> pl.DataFrame:
    """The rows with the method that comes nearest (`years`, `method`, `method_days`, `off`, `allowed`), whether it
    pays a printed shortfall less (`unpaid`), and what the other balance gives (`other_due`, `other_off`,
    `other_allowed`) where the class is of a kind for which that counts (`on_other_balance`)."""
    rows = rows.with_columns(pl.col("nominal").fill_null(accrual.nominal_days / accrual.nominal_basis))
    for step in _steps_to_nearest(accrual):
        rows = rows.with_columns(step)
    return rows


@cache
def _steps_to_nearest(accrual: Accrual) -> list[list[pl.Expr]]:
    nominal_days = _nominal_days(accrual)
    methods = [(pl.col("nominal"), _nominal_name(accrual), nominal_days)]
    methods += [(pl.col("days") / basis, pl.lit(f"ACT/{basis}"), pl.col("days")) for basis in accrual.calendar_bases]
    numbers = range(len(methods))
    # Methods that no class of the report agrees with are no measure for those that agree with none.
    agrees = [_agrees(years) & pl.col("accrues") for years, _, _ in methods]
    none_used = ~pl.any_horizontal([f"used {number}" for number in numbers])
    offs = [
        pl.when(pl.col(f"used {number}") | none_used).then(_off_at_best(methods[number][0])).alias(f"off {number}")
        for number in numbers
    ]
    nearest = pl.min_horizontal([f"off {number}" for number in numbers])
    years, name, days = (  # the plainest first
        pl.coalesce([pl.when(pl.col(f"off {number}") == nearest).then(methods[number][part]) for number in numbers])
        for part in range(3)
    )
    return [
        [agrees[number].any().over("document").alias(f"used {number}") for number in numbers],
        [*offs, (pl.col("other_yearly") * pl.col("nominal")).alias("other_due")],
        [
            years.alias("years"),
            name.alias("method"),
            days.alias("method_days"),
            pl.col("kind").is_in(list(accrual.other_kinds)).fill_null(value=False).alias("on_other_balance"),
            (pl.col("half_unit") + pl.col("other_error") * pl.col("nominal")).alias("other_allowed"),
            (pl.col("interest") - pl.col("other_due")).abs().alias("other_off"),
        ],
        [
            _off(pl.col("years")).alias("off"),
            _allowed(pl.col("years")).alias("allowed"),
            _fits_unpaid(pl.col("years")).alias("unpaid"),
        ],
    ]


def _reason(accrual: Accrual) -> pl.Expr:
    """Why the identity does not speak of a class; null where it does."""
    leftover = pl.col("kind").is_in(list(accrual.leftover_kinds)) & (pl.col("yearly") == 0) & (pl.col("interest") != 0)
    misses_own = ~pl.col("issued") & (pl.col("yearly") == 0) & (pl.col("interest") != 0)
    misses_other = pl.col("on_other_balance") & pl.col("other_yearly").is_null() & (pl.col("off") > pl.col("allowed"))
    return pl.coalesce(
        pl.col("kind").replace_strict(dict(accrual.not_for), default=None, return_dtype=pl.String),
        pl.when(pl.col("lacking") != "").then(pl.format("not printed: {}", "lacking")),
        pl.when(leftover).then(pl.lit(accrual.leftover_because)),
        pl.when(misses_own).then(pl.lit(accrual.issued_because)),
        pl.when(misses_other).then(pl.lit(f"not printed: {accrual.other_balance.name}")),
    )


def _other_reading(accrual: Accrual) -> pl.Expr:
    """Which other reading holds: a rate on another balance, or interest of which a printed part was not paid."""
    due = (pl.col("interest") + pl.col("shortfall") - pl.col("other_due")).abs()
    less_shortfall = (pl.col("shortfall") != 0) & (due <= pl.col("other_allowed") + pl.col("shortfall_error"))
    on_other = pl.col("on_other_balance") & ((pl.col("other_off") <= pl.col("other_allowed")) | less_shortfall)
    gives = plain(_decimal(pl.col("other_due")))
    return (
        pl.when(on_other).then(pl.format("{}, which gives {}", pl.lit(accrual.other_because), gives))
        .when("unpaid").then(pl.lit(accrual.shortfall_because))
        .when(_is_alike() & pl.col("accrues")).then(
            pl.format(
                "{} classes are paid {} % of their interest: {}",
                "alike", (pl.col("part") * 100).round(4), pl.lit(accrual.alike_because),
            )
        )
    )  # fmt: skip


def _explanation(accrual: Accrual) -> pl.Expr:
    named = pl.format("{}, {} days", "method", "method_days")
    implied = pl.col("interest") * accrual.nominal_basis / pl.col("yearly")
    for_days = pl.format(f"interest for {{}} days of {accrual.nominal_basis}; nearest is {{}}", implied.round(3), named)
    failed = (
        pl.when("by_other").then(pl.format("nearest is: {}", pl.lit(accrual.other_because)))
        .when(implied.is_finite()).then(for_days)
        .otherwise(pl.lit("interest without balance or rate"))
    )  # fmt: skip
    return pl.coalesce(
        "reason",
        pl.when(pl.col("outcome") == "explained").then("because"),
        pl.when(pl.col("outcome") == "fail").then(failed),
        pl.when(pl.col("accrues")).then(named),
    )


def _decimal(value: pl.Expr) -> pl.Expr:
    return value.round(_DECIMALS).cast(VALUE, strict=False)


def _inferred(judged: pl.DataFrame, accrual: Accrual) -> pl.DataFrame:
    """The days of each report by method (the subject), and the classes that accrue so."""
    by_method = (
        judged.drop_nulls("method")
        .group_by("document", "method", maintain_order=True)
        .agg(actual=pl.col("method_days").first().cast(VALUE), explanation=pl.col("subject").str.join(", "))
        .select("document", "actual", "explanation", subject="method", outcome=pl.lit("pass"))
    )
    asked = judged.group_by("document", maintain_order=True).agg(
        pl.col("accrues").any(), broken=(pl.col("accrues") & (pl.col("outcome") == "fail")).any()
    )
    rest = asked.join(by_method, on="document", how="anti", maintain_order="left").select(
        "document",
        subject=pl.lit(REPORT),
        outcome=pl.when("broken").then(pl.lit("fail")).otherwise(pl.lit("not_applicable")),
        explanation=pl.when("broken")
        .then(pl.lit("no number of days fits the interest of any class"))
        .when("accrues")
        .then(pl.lit("no class tells the days by its interest"))
        .otherwise(pl.lit("no class has a balance and a rate")),
    )
    return pl.concat([by_method, rest], how="diagonal").with_columns(check=pl.lit(accrual.days_name))
