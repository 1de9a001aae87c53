"""Interest for a number of days that no report prints: the days are inferred, and wrong interest is noticed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

import polars as pl
import pytest

from etl.accrual_checks import check_accruals
from etl.identities import catalogue

from .kit import make_deal, render, simulate
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
    explanation: str


Outcomes = dict[tuple[str, str], Told]


def row(balance: str, rate: str, paid: str) -> dict[str, str]:
    return {"beginning_balance": balance, "pass_through_rate": rate, "interest_distribution": paid}


def paid(classes: Classes, days: int, basis: int = 360) -> dict[str, dict[str, str]]:
    """The classes with their interest for these days."""
    return {key: row(balance, rate, interest(balance, rate, days, basis)) for key, (balance, rate) in classes.items()}


def judge(
    rows: Mapping[str, Mapping[str, str]], day: dt.date = dt.date(2003, 11, 17), pool: str | None = None
) -> Outcomes:
    """The outcomes of a report of that day, by check and subject."""
    pools = {} if pool is None else {"TOTAL": {"beginning_balance": pool}}
    figures = report_figures([Printed(rows, KINDS, pools)])
    identity = pl.DataFrame(
        {"document": [0], "distribution_date": [day]}, schema={"document": pl.UInt32, "distribution_date": pl.Date}
    )
    checks = check_accruals(figures, catalogue().accruals, identity)
    columns = ("check", "subject", "outcome", "actual", "difference", "tolerance", "explanation")
    return {(check, subject): Told(*told) for check, subject, *told in checks.select(columns).iter_rows()}


def days_of(outcomes: Outcomes) -> tuple[str, int | None, str]:
    told = outcomes["accrual_days", "report"]
    return told.outcome, None if told.actual is None else int(told.actual), told.explanation


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
    assert days_of(outcomes) == ("pass", days, f"ACT/{basis}, {days} days: A-1, A-2, M-1, M-2")
    assert set(by_class(outcomes).values()) <= {"pass", "rounding"}


def test_thirty_days_by_the_calendar_are_thirty_days() -> None:
    assert days_of(judge(paid(FLOATING, 30), weekday_after(30))) == ("pass", 30, "30/360: A-1, A-2, M-1, M-2")


def test_fixed_classes_alone_accrue_by_30_360() -> None:
    outcomes = judge(paid(FIXED, 30))
    assert days_of(outcomes) == ("pass", 30, "30/360: A-IO, B-IO")
    assert by_class(outcomes) == {"A-IO": "pass", "B-IO": "pass"}


@pytest.mark.parametrize("days", [28, 31, 35])
def test_each_class_accrues_in_its_own_way(days: int) -> None:
    outcomes = judge(paid(FLOATING, days) | paid(FIXED, 30), weekday_after(days))
    said = f"ACT/360, {days} days: A-1, A-2, M-1, M-2; 30/360: A-IO, B-IO"
    assert days_of(outcomes) == ("pass", days, said)


def test_a_single_floating_class_has_a_month_of_about_a_month() -> None:
    """33 days lead back to 15 October, two days off a month; 25 days lead back to 23 October, six days off."""
    one = {"A-1": FLOATING["A-1"]}
    assert days_of(judge(paid(one, 33) | paid(FIXED, 30)))[:2] == ("pass", 33)
    off = judge(paid(one, 25) | paid(FIXED, 30))
    assert days_of(off) == ("pass", 30, "30/360: A-IO, B-IO")
    assert by_class(off) == {"A-1": "fail", "A-IO": "pass", "B-IO": "pass"}


def test_no_distribution_is_on_a_weekend() -> None:
    """30 days before 17 November 2003 were a Saturday, 29 days a Sunday."""
    assert dt.date(2003, 10, 19).weekday() == 6
    outcomes = judge(paid(FLOATING, 29))
    assert days_of(outcomes)[0] == "fail"
    assert set(by_class(outcomes).values()) == {"fail"}


def test_the_days_that_most_classes_agree_with_count() -> None:
    rows = paid(FLOATING, 33) | paid({"M-2": FLOATING["M-2"]}, 31)
    outcomes = judge(rows)
    assert days_of(outcomes)[:2] == ("pass", 33)
    assert by_class(outcomes)["M-2"] == "fail"


def test_a_long_first_period_is_told() -> None:
    """47 days are no month: each class fails, with the days that its interest is for."""
    outcomes = judge(paid(FLOATING, 47), dt.date(2003, 11, 17))
    assert days_of(outcomes) == ("fail", None, "no number of days fits the interest of any class")
    assert set(by_class(outcomes).values()) == {"fail"}
    assert outcomes["interest_accrual", "A-1"].explanation.startswith("interest for 47.0 days of 360; ")


@pytest.mark.parametrize("seed", range(4))
def test_the_days_are_those_between_the_dates_of_a_deal(seed: int) -> None:
    """Generated deals compute interest by the calendar; their reports do not print the days."""
    deal = make_deal(seed)
    reports = simulate(deal, 12)
    days = [deal.opening.previous_date, *(report.distribution_date for report in reports)]
    outcomes = read_texts({str(number): render(report) for number, report in enumerate(reports)})
    for start, outcome in zip(days, outcomes.values(), strict=False):
        checks = outcome.tables["checks"]
        told = checks.filter(check="accrual_days").row(0, named=True)
        assert (told["outcome"], told["actual"]) == ("pass", (outcome.date - start).days)
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
    assert told.explanation.startswith(f"interest for {implied:.2f}"[:-1])
    assert "nearest is ACT/360, 33 days" in told.explanation
    assert days_of(outcomes) == ("pass", 33, "ACT/360, 33 days: A-1, A-2, M-2")
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
    assert by_class(outcomes)["R"] == "pass"
    told = outcomes["interest_accrual", "S"]
    assert told.outcome == "fail"
    assert told.explanation.startswith("interest without balance or rate; ")


X_RATE, POOL = "2.45469%", "667,569,136"


@pytest.mark.parametrize(
    ("paid_to_x", "outcome"), [(interest(POOL, X_RATE, 30), "explained"), (interest(POOL, X_RATE, 31), "fail")]
)
def test_the_rate_of_the_over_collateralization_is_one_on_the_pool(paid_to_x: str, outcome: str) -> None:
    rows = paid(FLOATING, 33) | {"X": row("13,320,411", X_RATE, paid_to_x)}
    told = judge(rows, pool=POOL)["interest_accrual", "X"]
    assert told.outcome == outcome
    assert (outcome == "explained") == told.explanation.startswith(
        "the rate is one on the beginning balance of the pool"
    )


def test_no_other_class_has_a_rate_on_the_pool() -> None:
    rows = paid(FLOATING, 33) | {"M-3": row("13,320,411", X_RATE, interest(POOL, X_RATE, 30))}
    assert by_class(judge(rows, pool=POOL))["M-3"] == "fail"


def test_a_report_without_interest_has_no_days() -> None:
    classes: Sequence[str] = ["A-1", "M-1"]
    assert ("accrual_days", "report") not in judge({key: {"beginning_balance": "100"} for key in classes})
