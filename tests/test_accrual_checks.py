"""Interest for a number of days that no report prints: the days are inferred, and wrong interest is noticed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

import polars as pl
import pytest

from etl.accrual_checks import check_accruals
from etl.identities import catalogue

from .kit import make_deal, render, simulate
from .kit.figures import whole
from .printed import Printed, report_figures
from .reading import read_texts

# Class, beginning balance, rate; as of a deal with floating and fixed classes.
FLOATING = {
    "A-1": ("345,199,023", "1.50000%"),
    "A-2": ("183,979,701", "1.50000%"),
    "M-1": ("44,140,000", "2.02000%"),
    "M-2": ("40,460,000", "3.02000%"),
}
FIXED = {"A-IO": ("52,800,000", "4.00000%"), "B-IO": ("64,000,000", "3.50000%")}
KINDS = {"A-IO": "notional", "B-IO": "notional", "X": "over_collateralization", "P": "prepayment_premium"}

Classes = Mapping[str, tuple[str, str]]


def number(raw: str) -> Decimal:
    return Decimal(raw.replace(",", "").rstrip("%")) / (100 if raw.endswith("%") else 1)


def interest(balance: str, rate: str, days: int, basis: int = 360) -> str:
    """The interest that is paid for these days, in whole dollars."""
    amount = number(balance) * number(rate) * days / basis
    return f"{amount.quantize(Decimal(1), ROUND_HALF_UP):,}"


@dataclass(frozen=True)
class Told:
    """One check: outcome, figures and explanation."""

    outcome: str
    actual: Decimal | None
    difference: Decimal | None
    tolerance: Decimal | None
    explanation: str | None

    @property
    def says(self) -> str:
        """The explanation, which there is."""
        assert self.explanation is not None
        return self.explanation


Outcomes = dict[tuple[str, str], Told]


def row(balance: str, rate: str, paid: str) -> dict[str, str]:
    return {"beginning_balance": balance, "pass_through_rate": rate, "interest_distribution": paid}


def paid(classes: Classes, days: int, basis: int = 360) -> dict[str, dict[str, str]]:
    """The classes with their interest for these days."""
    return {key: row(balance, rate, interest(balance, rate, days, basis)) for key, (balance, rate) in classes.items()}


def judge(
    rows: Mapping[str, Mapping[str, str]],
    day: dt.date = dt.date(2003, 11, 17),
    pool: str | None = None,
    kinds: Mapping[str, str] = KINDS,
) -> Outcomes:
    """The outcomes of a report of that day, by check and subject."""
    pools = {} if pool is None else {"TOTAL": {"beginning_balance": pool}}
    figures = report_figures([Printed(rows, kinds, pools)])
    identity = pl.DataFrame(
        {"document": [0], "distribution_date": [day]}, schema={"document": pl.UInt32, "distribution_date": pl.Date}
    )
    checks = check_accruals(figures, catalogue().accruals, identity)
    columns = ("check", "subject", "outcome", "actual", "difference", "tolerance", "explanation")
    return {(check, subject): Told(*told) for check, subject, *told in checks.select(columns).iter_rows()}


def days_of(outcomes: Outcomes) -> dict[str, tuple[str, int | None, str | None]]:
    """Outcome, days and words of `accrual_days`, by method."""
    return {
        subject: (told.outcome, None if told.actual is None else int(told.actual), told.explanation)
        for (check, subject), told in outcomes.items()
        if check == "accrual_days"
    }


def by_class(outcomes: Outcomes) -> dict[str, str]:
    return {subject: told.outcome for (check, subject), told in outcomes.items() if check == "interest_accrual"}


def weekday_after(days: int) -> dt.date:
    """A weekday so many days after a weekday."""
    start = dt.date(2003, 10, 13)
    while (start + dt.timedelta(days)).weekday() > 4 or start.weekday() > 4:
        start += dt.timedelta(1)
    return start + dt.timedelta(days)


# --- days that are inferred ---------------------------------------------------------------------------------


@pytest.mark.parametrize("days", [28, 29, 31, 32, 33, 34, 35])
@pytest.mark.parametrize("basis", [360, 365])
def test_the_days_of_floating_classes_are_inferred(days: int, basis: int) -> None:
    outcomes = judge(paid(FLOATING, days, basis), weekday_after(days))
    assert days_of(outcomes) == {f"ACT/{basis}": ("pass", days, "A-1, A-2, M-1, M-2")}
    assert set(by_class(outcomes).values()) <= {"pass", "rounding"}


def test_thirty_days_by_the_calendar_are_thirty_days() -> None:
    assert days_of(judge(paid(FLOATING, 30), weekday_after(30))) == {"30/360": ("pass", 30, "A-1, A-2, M-1, M-2")}


@pytest.mark.parametrize("months", [1, 3, 6, 12])
def test_fixed_classes_alone_accrue_over_months_of_30_days(months: int) -> None:
    outcomes = judge(paid(FIXED, 30 * months))
    assert days_of(outcomes) == {"30/360": ("pass", 30 * months, "A-IO, B-IO")}
    assert by_class(outcomes) == {"A-IO": "pass", "B-IO": "pass"}


@pytest.mark.parametrize(
    ("days", "nominal"), [(28, 30), (31, 30), (35, 30), (91, 90), (92, 90), (181, 180), (184, 180), (365, 360)]
)
def test_each_class_accrues_in_its_own_way(days: int, nominal: int) -> None:
    """Over a month, a quarter, half a year, a year."""
    outcomes = judge(paid(FLOATING, days) | paid(FIXED, nominal), weekday_after(days))
    assert days_of(outcomes) == {
        "ACT/360": ("pass", days, "A-1, A-2, M-1, M-2"),
        "30/360": ("pass", nominal, "A-IO, B-IO"),
    }
    assert set(by_class(outcomes).values()) <= {"pass", "rounding"}


def test_a_class_says_how_it_accrues() -> None:
    outcomes = judge(paid(FLOATING, 33) | paid(FIXED, 30))
    assert outcomes["interest_accrual", "A-1"].explanation == "ACT/360, 33 days"
    assert outcomes["interest_accrual", "A-IO"].explanation == "30/360, 30 days"


def test_a_single_floating_class_has_a_month_of_about_a_month() -> None:
    """33 days lead back to 15 October, two days off a month; 25 days lead back to 23 October, six days off."""
    one = {"A-1": FLOATING["A-1"]}
    assert days_of(judge(paid(one, 33) | paid(FIXED, 30)))["ACT/360"] == ("pass", 33, "A-1")
    off = judge(paid(one, 25) | paid(FIXED, 30))
    assert days_of(off) == {"30/360": ("pass", 30, "A-IO, B-IO")}
    assert by_class(off) == {"A-1": "fail", "A-IO": "pass", "B-IO": "pass"}


def test_two_floating_classes_may_have_a_long_first_period() -> None:
    """45 days lead back to Friday, 3 October: no number of months, so one class alone does not tell it."""
    two = {key: FLOATING[key] for key in ("A-1", "M-1")}
    outcomes = judge(paid(two, 45) | paid(FIXED, 30))
    assert days_of(outcomes) == {"ACT/360": ("pass", 45, "A-1, M-1"), "30/360": ("pass", 30, "A-IO, B-IO")}
    assert set(by_class(outcomes).values()) <= {"pass", "rounding"}
    alone = judge(paid({"A-1": FLOATING["A-1"]}, 45) | paid(FIXED, 30))
    assert by_class(alone) == {"A-1": "fail", "A-IO": "pass", "B-IO": "pass"}
    assert alone["interest_accrual", "A-1"].says.startswith("interest for 45.0 days of 360; nearest is 30/360, 30 days")


@pytest.mark.parametrize("days", [19, 401])
def test_some_days_are_too_few_or_too_many(days: int) -> None:
    outcomes = judge(paid(FLOATING, days), weekday_after(days))
    assert days_of(outcomes) == {"report": ("fail", None, "no number of days fits the interest of any class")}
    assert set(by_class(outcomes).values()) == {"fail"}


def test_a_weekend_is_believed_to_several_classes_and_not_to_one() -> None:
    """29 days before 17 November 2003 were a Sunday."""
    assert dt.date(2003, 10, 19).weekday() == 6
    assert days_of(judge(paid(FLOATING, 29))) == {"ACT/360": ("pass", 29, "A-1, A-2, M-1, M-2")}
    alone = judge(paid({"A-1": FLOATING["A-1"]}, 29))
    assert days_of(alone) == {"report": ("fail", None, "no number of days fits the interest of any class")}
    assert by_class(alone) == {"A-1": "fail"}


# Of these, what fits 31 days covers 1.53 of the 2,745.45 dollars of a day.
LAST = {"A-1": ("63,356,470", "1.56000%")}
UNTOLD = "{} days by the calendar fit, but the class alone is too small to tell them"


@pytest.mark.parametrize("others", [{}, FIXED], ids=["alone", "beside fixed classes"])
def test_a_class_alone_tells_its_days_where_little_interest_fits_any(others: Classes) -> None:
    """In a stretch as long as the interest of a day two numbers of days lie at the most, on each of two bases."""
    outcomes = judge(paid(LAST, 31) | paid(others, 30), dt.date(2004, 1, 26))
    assert outcomes["interest_accrual", "A-1"].explanation == "ACT/360, 31 days"
    assert days_of(outcomes)["ACT/360"] == ("pass", 31, "A-1")


@pytest.mark.parametrize(("balance", "told"), [("7,730,000", True), ("7,710,000", False)])
def test_how_large_a_class_alone_must_be(balance: str, told: bool) -> None:  # noqa: FBT001
    """Four times the 1.07 dollars that fit 33 days are a hundredth of the interest of a day, some 429 dollars."""
    outcomes = judge(paid({"A-1": (balance, "2.00000%")}, 33))
    days = {"ACT/360": ("pass", 33, "A-1")}
    unknown = {"report": ("not_applicable", None, "no class tells the days by its interest")}
    assert days_of(outcomes) == (days if told else unknown)


@pytest.mark.parametrize("others", [{}, FIXED], ids=["alone", "beside fixed classes"])
@pytest.mark.parametrize("small", [("40,000", "4.00000%"), ("345,199,023", "1.500%")], ids=["balance", "decimals"])
def test_a_class_alone_that_fits_days_and_is_too_small_to_tell_them_is_held_to_none(
    small: tuple[str, str], others: Classes
) -> None:
    """Interest of some dollars a day, or such as a rate of few decimals gives, fits some number of days by accident."""
    outcomes = judge(paid({"A-1": small}, 33) | paid(others, 30))
    told = outcomes["interest_accrual", "A-1"]
    assert (told.outcome, told.explanation, told.difference) == ("not_applicable", UNTOLD.format(33), None)
    known = {"30/360": ("pass", 30, "A-IO, B-IO")}
    unknown = {"report": ("not_applicable", None, "no class tells the days by its interest")}
    assert days_of(outcomes) == (known if others else unknown)


@pytest.mark.parametrize("days", [25, 29, 36, 37])
def test_a_small_class_that_fits_no_days_is_a_break(days: int) -> None:
    """25 and 36 days are no month; 29 days lead back to a Sunday."""
    outcomes = judge(paid({"A-1": ("6,000,000", "2.00000%")}, days))
    assert outcomes["interest_accrual", "A-1"].outcome == "fail"
    assert days_of(outcomes) == {"report": ("fail", None, "no number of days fits the interest of any class")}


def test_a_small_class_is_held_to_the_days_of_the_others() -> None:
    small = {"M-3": ("6,000,000", "2.00000%")}
    assert by_class(judge(paid(FLOATING, 33) | paid(small, 31)))["M-3"] == "fail"
    assert by_class(judge(paid(FLOATING, 33) | paid(small, 33)))["M-3"] == "pass"


def test_a_printed_shortfall_leaves_two_readings_to_tell_the_days_by() -> None:
    """So a class must be twice as large, and more for the error of the shortfall."""
    rows = paid({"A-1": ("9,000,000", "2.00000%")}, 33)
    with_shortfall = {"A-1": rows["A-1"] | {"interest_shortfall": "1,000"}}
    assert by_class(judge(rows)) == {"A-1": "pass"}
    assert by_class(judge(with_shortfall)) == {"A-1": "not_applicable"}


def test_a_single_class_is_no_proof_of_a_longer_period() -> None:
    assert by_class(judge(paid({"A-IO": FIXED["A-IO"]}, 90))) == {"A-IO": "fail"}


def test_a_break_is_measured_by_a_method_of_the_report() -> None:
    """300 dollars less are 33.1 days of 365 or so, but no class accrues by 365."""
    wrong = row(*FLOATING["M-1"], "81,433")
    told = judge(paid(FLOATING, 33) | {"M-1": wrong})["interest_accrual", "M-1"]
    assert told.outcome == "fail"
    assert told.difference == pytest.approx(Decimal(-300), abs=1)


def test_what_is_left_over_goes_to_the_residual_class() -> None:
    kinds = dict(KINDS)
    kinds["R"] = "residual"
    rows = paid(FLOATING, 33) | {"R": row("0", "0.00000%", "12,345")}
    told = judge(rows, kinds=kinds)
    assert told["interest_accrual", "R"].outcome == "not_applicable"
    assert judge(rows)["interest_accrual", "R"].outcome == "fail"


def test_the_days_that_most_classes_agree_with_count() -> None:
    outcomes = judge(paid(FLOATING, 33) | paid({"M-2": FLOATING["M-2"]}, 31))
    assert days_of(outcomes) == {"ACT/360": ("pass", 33, "A-1, A-2, M-1")}
    assert by_class(outcomes)["M-2"] == "fail"


def test_the_months_that_most_classes_agree_with_count() -> None:
    outcomes = judge(paid(FIXED, 90) | paid({"F": FLOATING["M-2"]}, 30))
    assert days_of(outcomes) == {"30/360": ("pass", 90, "A-IO, B-IO")}
    assert by_class(outcomes) == {"A-IO": "pass", "B-IO": "pass", "F": "fail"}


@pytest.mark.parametrize("seed", range(4))
def test_the_days_are_those_between_the_dates_of_a_deal(seed: int) -> None:
    """Generated deals compute interest by the calendar; their reports do not print the days."""
    deal = make_deal(seed)
    reports = simulate(deal, 12)
    dates = [deal.opening.previous_date, *(report.distribution_date for report in reports)]
    outcomes = read_texts({str(number): render(report) for number, report in enumerate(reports)})
    for start, outcome in zip(dates, outcomes.values(), strict=False):
        checks = outcome.tables["checks"]
        told = checks.filter(check="accrual_days")
        days = (outcome.date - start).days
        assert set(told["outcome"]) == {"pass"}
        assert dict(told.select("subject", "actual").rows())["30/360" if days == 30 else "ACT/360"] == days
        assert "fail" not in set(checks.filter(check="interest_accrual")["outcome"])


# --- interest that is wrong, or that is no such interest -------------------------------------------------------


def test_wrong_interest_is_a_break_with_its_size_and_the_days_it_would_be_for() -> None:
    rows = paid(FLOATING, 33)
    right = rows["M-1"]["interest_distribution"]
    assert right == "81,733"
    outcomes = judge(rows | {"M-1": row(*FLOATING["M-1"], "81,833")})
    told = outcomes["interest_accrual", "M-1"]
    computed = Decimal(44140000) * Decimal("0.0202") * 33 / 360
    assert (told.outcome, told.actual) == ("fail", Decimal(81_833))
    assert told.difference == (81_833 - computed).quantize(Decimal("0.000001"))
    implied = Decimal(81_833) * 360 / (44_140_000 * Decimal("0.0202"))
    assert told.says.startswith(f"interest for {implied:.2f}"[:-1])
    assert "nearest is ACT/360, 33 days" in told.says
    assert days_of(outcomes) == {"ACT/360": ("pass", 33, "A-1, A-2, M-2")}
    assert {subject for subject, outcome in by_class(outcomes).items() if outcome == "fail"} == {"M-1"}


@pytest.mark.parametrize(
    ("off", "outcome"), [(0, "pass"), (1, "rounding"), (2, "fail"), (-1, "rounding"), (-2, "rounding"), (-3, "fail")]
)
def test_rounded_rates_leave_interest_so_much_room(off: int, outcome: str) -> None:
    """Half a dollar, and what half a unit of balance and rate give for the days: of A-1, whose
    interest is 474,648.66, some two dollars."""
    balance, rate, years = Decimal(345_199_023), Decimal("0.015"), Decimal(33) / 360
    half_rate = Decimal("0.00000005")
    allowed = Decimal("0.5") + (balance * half_rate + rate / 2 + half_rate / 2) * years
    printed = (balance * rate * years).quantize(Decimal(1)) + off
    told = judge(paid(FLOATING, 33) | {"A-1": row(*FLOATING["A-1"], f"{printed:,}")})["interest_accrual", "A-1"]
    assert (told.outcome, told.tolerance) == (outcome, allowed.quantize(Decimal("0.000001")))


@pytest.mark.parametrize(("interest_paid", "outcome"), [("474,649", "pass"), ("474,700", "fail")])
def test_a_negative_balance_leaves_as_much_room_as_a_positive_one(interest_paid: str, outcome: str) -> None:
    balance, rate = FLOATING["A-1"]
    positive = judge(paid(FLOATING, 33) | {"A-1": row(balance, rate, interest_paid)})["interest_accrual", "A-1"]
    printed = row(f"({balance})", rate, f"({interest_paid})")
    negative = judge(paid(FLOATING, 33) | {"A-1": printed})["interest_accrual", "A-1"]
    assert (positive.outcome, negative.outcome) == (outcome, outcome)
    assert positive.tolerance == negative.tolerance
    assert negative.tolerance is not None
    assert negative.tolerance > 0


def test_a_class_without_rate_is_not_judged() -> None:
    outcomes = judge(paid(FLOATING, 33) | {"M-2": row("40,460,000", "N/A", "112,007")})
    told = outcomes["interest_accrual", "M-2"]
    assert (told.outcome, told.explanation) == ("not_applicable", "not printed: pass_through_rate")


def test_the_total_and_the_class_of_premiums_have_no_rate_of_their_own() -> None:
    rows = paid(FLOATING, 33) | {
        "P": row("100", "1.00000%", "498,927"),
        "TOTAL": row("654,248,725", "1.1%", "3,250,130"),
    }
    outcomes = by_class(judge(rows))
    assert (outcomes["P"], outcomes["TOTAL"]) == ("not_applicable", "not_applicable")


def test_a_class_without_balance_has_no_interest() -> None:
    outcomes = judge(paid(FLOATING, 33) | {"R": row("0", "0.00000%", "0"), "S": row("0", "2.00000%", "5,000")})
    nothing = outcomes["interest_accrual", "R"]
    assert (nothing.outcome, nothing.explanation) == ("pass", None)
    told = outcomes["interest_accrual", "S"]
    assert told.outcome == "fail"
    assert told.says.startswith("interest without balance or rate; ")


@pytest.mark.parametrize(
    "rows",
    [
        {"A-1": {"beginning_balance": "100"}, "M-1": {"beginning_balance": "100"}},
        {"A-1": row("0", "1.50000%", "0"), "M-1": row("44,140,000", "0.00000%", "0")},
        {"P": row("100", "1.00000%", "498,927"), "TOTAL": row("100", "1.0%", "498,927")},
        {"A-1": {}},
    ],
)
def test_a_report_on_which_nothing_accrues_has_no_days(rows: Mapping[str, Mapping[str, str]]) -> None:
    outcomes = judge(rows)
    assert days_of(outcomes) == {"report": ("not_applicable", None, "no class has a balance and a rate")}
    assert set(by_class(outcomes).values()) <= {"pass", "not_applicable"}


# --- interest that was not paid -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("interest_paid", "shortfall", "outcome"),
    [
        ("71,733", "10,000", "explained"),
        ("71,732", "10,000", "explained"),
        ("0", "81,733", "explained"),
        ("81,733", "10,000", "pass"),
        ("71,733", "9,000", "fail"),
        ("71,733", "0", "fail"),
        ("71,733", "N/A", "fail"),
        ("91,733", "(10,000)", "explained"),
        ("91,733", "(9,000)", "fail"),
    ],
)
def test_interest_less_a_printed_shortfall_is_explained(interest_paid: str, shortfall: str, outcome: str) -> None:
    """M-1 is due 81,733 for 33 days."""
    printed = row(*FLOATING["M-1"], interest_paid) | {"interest_shortfall": shortfall}
    told = judge(paid(FLOATING, 33) | {"M-1": printed})["interest_accrual", "M-1"]
    assert told.outcome == outcome
    assert (outcome == "explained") == told.says.startswith("the printed interest shortfall was not paid; printed: ")


def test_a_shortfall_of_fixed_interest_is_one_of_months() -> None:
    """A-IO is due 176,000 for 30 days."""
    printed = row(*FIXED["A-IO"], "175,000") | {"interest_shortfall": "1,000"}
    told = judge(paid(FLOATING, 33) | paid(FIXED, 30) | {"A-IO": printed})["interest_accrual", "A-IO"]
    assert told.outcome == "explained"


def short_of(classes: Classes, days: int, shortfall: int) -> dict[str, dict[str, str]]:
    """The classes, each paid so much less than its interest for these days, and printing that."""
    return {
        key: printed
        | {
            "interest_distribution": f"{int(number(printed['interest_distribution'])) - shortfall:,}",
            "interest_shortfall": f"{shortfall:,}",
        }
        for key, printed in paid(classes, days).items()
    }


@pytest.mark.parametrize(("days", "nominal"), [(33, 30), (92, 90)])
def test_a_shortfall_of_every_class_does_not_hide_the_days(days: int, nominal: int) -> None:
    """Such as relief act shortfalls, which all classes bear."""
    outcomes = judge(short_of(FLOATING, days, 777) | short_of(FIXED, nominal, 77), weekday_after(days))
    assert days_of(outcomes) == {
        "ACT/360": ("pass", days, "A-1, A-2, M-1, M-2"),
        "30/360": ("pass", nominal, "A-IO, B-IO"),
    }
    assert set(by_class(outcomes).values()) == {"explained"}
    assert outcomes["interest_accrual", "A-IO"].difference == pytest.approx(Decimal(-77), abs=1)


def test_the_pool_is_named_where_its_balance_counts() -> None:
    rows = short_of(FLOATING, 33, 5) | {"X": row(X_BALANCE, X_RATE, interest(POOL, X_RATE, 30))}
    outcomes = judge(rows, pool=POOL)
    assert f"pool beginning_balance {POOL}" in outcomes["interest_accrual", "X"].says
    assert "pool" not in outcomes["interest_accrual", "A-1"].says


# --- the rate on the pool ---------------------------------------------------------------------------------------

X_BALANCE, X_RATE, POOL = "13,320,411", "2.45469%", "667,569,136"
ON_THE_POOL = "the rate is one on the beginning balance of the pool, over months of 30 days"


def of_x(interest_paid: str, pool: str | None) -> Told:
    rows = paid(FLOATING, 33) | {"X": row(X_BALANCE, X_RATE, interest_paid)}
    return judge(rows, pool=pool)["interest_accrual", "X"]


def test_the_rate_of_the_over_collateralization_is_one_on_the_pool() -> None:
    due = number(POOL) * number(X_RATE) * 30 / 360
    told = of_x(interest(POOL, X_RATE, 30), POOL)
    assert told.outcome == "explained"
    assert told.says.startswith(f"{ON_THE_POOL}, which gives {due.quantize(Decimal('0.000001')).normalize():,}; ")


def test_a_break_is_measured_against_the_reading_that_comes_nearest() -> None:
    """A day's interest more than the pool gives for 30 days; or 100 dollars more than the class itself gives for 33."""
    on_pool = of_x(interest(POOL, X_RATE, 31), POOL)
    assert on_pool.outcome == "fail"
    assert on_pool.difference == pytest.approx(number(POOL) * number(X_RATE) / 360, abs=1)
    assert on_pool.says.startswith(f"nearest is: {ON_THE_POOL}; ")
    on_class = of_x(whole(int(number(interest(X_BALANCE, X_RATE, 33))) + 100), POOL)
    assert on_class.outcome == "fail"
    assert on_class.difference == pytest.approx(Decimal(100), abs=1)
    assert "nearest is ACT/360, 33 days" in on_class.says


@pytest.mark.parametrize(
    ("interest_paid", "outcome"),
    [(interest(POOL, X_RATE, 30), "not_applicable"), (interest(X_BALANCE, X_RATE, 33), "pass")],
)
def test_without_the_pool_the_over_collateralization_is_held_to_its_own_balance(
    interest_paid: str, outcome: str
) -> None:
    told = of_x(interest_paid, None)
    assert told.outcome == outcome
    said = "not printed: pools.beginning_balance" if outcome == "not_applicable" else "ACT/360, 33 days"
    assert told.explanation == said


def test_no_other_class_has_a_rate_on_the_pool() -> None:
    rows = paid(FLOATING, 33) | {"M-3": row(X_BALANCE, X_RATE, interest(POOL, X_RATE, 30))}
    assert by_class(judge(rows, pool=POOL))["M-3"] == "fail"
