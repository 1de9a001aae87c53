"""Every check of the sample report against the same arithmetic in plain decimals, and checks of hostile reports.

What is expected is computed here, from the figures that tests/kit holds as text: no frame, no formula, no float.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, replace
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
import pytest

import etl
from etl.identities import catalogue
from etl.identity_checks import check_identities
from etl.layout import PACKAGED, load_layouts
from etl.outcomes import shaped
from etl.total_checks import check_totals

from .editing import GROUP_TABLES
from .kit import Report, Style, absc_2003_he2, make_deal, render, sections, simulate
from .kit.figures import parse
from .kit.model import check_digit
from .kit.report import MEASURES, ClassRow, LoanLine, PoolColumn
from .printed import Printed, half_unit, report_figures
from .reading import Outcome, read_text, read_texts

SEED = absc_2003_he2.report()
CLASSES = {row.class_id.replace("Total", "TOTAL"): row for row in SEED.classes}
POOLS = {pool.group_id: pool for pool in SEED.pools}
LOANS = {table.group_id: table for table in SEED.loans}
UNITS = {name: unit for name, _, unit in MEASURES}

NOTIONAL = ("A-IO", "A-IO-INV", "B-IO")
SUBORDINATE = ("M-1", "M-2", "M-3", "M-4", "M-5")
ZERO = Decimal(0)


class Figure(NamedTuple):
    """A printed figure and half a unit of its last digit; nothing for counts and amounts printed as 0."""

    value: Decimal
    error: Decimal


class Verdict(NamedTuple):
    """What a check says. The expected side may be known to some decimals only."""

    outcome: str
    expected: Decimal | None = None
    actual: Decimal | None = None
    tolerance: Decimal | None = None


NOT_APPLICABLE = Verdict("not_applicable")
Verdicts = dict[str, Verdict]


def figure(raw: str | None, *, amount: bool = True, count: bool = False) -> Figure | None:
    """The figure that is printed so; None for `N/A` and what is not printed."""
    value = parse(raw)
    if value is None or raw is None:
        return None
    exact = count or (amount and value == 0 and "(" not in raw)
    return Figure(value, ZERO if exact else half_unit(raw))


def of_class(key: str, field: str) -> Figure | None:
    return figure(getattr(CLASSES[key], field), amount=not field.endswith("1000") and field != "pass_through_rate")


def of_pool(key: str, field: str) -> Figure:
    found = figure(getattr(POOLS[key], field), count=field == "ending_count")
    assert found is not None
    return found


def measure(name: str) -> Figure:
    found = figure(SEED.measure(name), amount=UNITS[name] == "usd", count=UNITS[name] == "count")
    assert found is not None
    return found


def minus(one: Figure | None) -> Figure | None:
    return None if one is None else Figure(-one.value, one.error)


def room(errors: Iterable[Decimal]) -> Decimal:
    """What rounding explains: the sum of the errors; of two figures, which are one, only the finer decimals."""
    uncertain = [error for error in errors if error]
    if len(uncertain) == 2:
        return ZERO if uncertain[0] == uncertain[1] else max(uncertain)
    return sum(uncertain, ZERO)


def verdict(actual: Decimal, expected: Decimal, exact: Decimal, tolerance: Decimal) -> Verdict:
    off = abs(actual - expected)
    outcome = "pass" if off <= exact else "rounding" if off <= tolerance else "fail"
    return Verdict(outcome, expected, actual, tolerance)


def summed(actual: Figure | None, *terms: Figure | None) -> Verdict:
    """Actual = the sum of the terms, of those that are printed."""
    assert actual is not None
    printed = [term for term in terms if term is not None]
    expected = sum((term.value for term in printed), ZERO)
    return verdict(actual.value, expected, ZERO, room([actual.error, *(term.error for term in printed)]))


def divided(actual: Figure, over: Figure, below: Figure, times: int = 1) -> Verdict:
    """Actual = over / below * times."""
    quotient = over.value / below.value
    error = (over.error + abs(quotient) * below.error) / (below.value - below.error) * times
    return verdict(actual.value, quotient * times, actual.error, actual.error + error)


# --- the checks, one by one ------------------------------------------------------------------------------------


def class_roll_forward() -> Verdicts:
    return {
        key: NOT_APPLICABLE
        if key in (*NOTIONAL, "X")
        else summed(
            of_class(key, "ending_balance"),
            of_class(key, "beginning_balance"),
            minus(of_class(key, "principal_distribution")),
            minus(of_class(key, "realized_loss")),
        )
        for key in CLASSES
    }


def oc_class_roll_forward() -> Verdicts:
    change = (measure("oc_increase"), minus(measure("oc_release")))
    return {"X": summed(of_class("X", "ending_balance"), of_class("X", "beginning_balance"), *change)}


def total_distribution() -> Verdicts:
    parts = ("principal_distribution", "interest_distribution")
    return {
        key: summed(of_class(key, "total_distribution"), *(of_class(key, part) for part in parts)) for key in CLASSES
    }


def ending_within_original() -> Verdicts:
    verdicts = {}
    for key in CLASSES:
        ending, original = of_class(key, "ending_balance"), of_class(key, "original_balance")
        assert ending is not None
        assert original is not None
        verdicts[key] = Verdict("pass", original.value, ending.value, ZERO)
        assert ending.value <= original.value or key == "X"
    return verdicts | {"X": NOT_APPLICABLE}


def per_1000(name: str, dollars: str, **otherwise: str) -> Callable[[], Verdicts]:
    """The amounts per 1,000; `otherwise` has the classes that print something else, which is explained."""

    def verdicts() -> Verdicts:
        return {key: _per_1000(key, name, dollars) for key in CLASSES} | {
            key: _per_1000(key, name, dollars)._replace(outcome=outcome) for key, outcome in otherwise.items()
        }

    return verdicts


def _per_1000(key: str, name: str, dollars: str) -> Verdict:
    actual, over, below = of_class(key, name), of_class(key, dollars), of_class(key, "original_balance")
    if actual is None or over is None or below is None:
        return NOT_APPLICABLE
    if not below.value:
        return Verdict("fail", None, actual.value) if actual.value else NOT_APPLICABLE
    return divided(actual, over, below._replace(error=ZERO), 1000)  # what was issued is exact


def total_per_1000_adds_up() -> Verdicts:
    parts = ("principal_per_1000", "interest_per_1000")
    return {key: summed(of_class(key, "total_per_1000"), *(of_class(key, part) for part in parts)) for key in CLASSES}


# What the printed total leaves out, found by hand.
LEFT_OUT = dict.fromkeys(("original_balance", "beginning_balance", "ending_balance"), (*NOTIONAL, "X")) | dict.fromkeys(
    ("principal_distribution", "interest_distribution", "total_distribution"), ("B-IO",)
)
CLASS_COLUMNS = (
    *LEFT_OUT, "realized_loss", "interest_shortfall", "unpaid_interest_shortfall", "realized_loss_shortfall",
    "prepayment_interest_shortfall", "relief_act_shortfall", "net_wac_carryover",
)  # fmt: skip


def class_totals() -> Verdicts:
    verdicts = {}
    for column in CLASS_COLUMNS:
        rows = {key: of_class(key, column) for key in CLASSES if key != "TOTAL"}
        every = summed(of_class("TOTAL", column), *rows.values())
        covered = summed(of_class("TOTAL", column), *(rows[key] for key in rows if key not in LEFT_OUT.get(column, ())))
        assert covered.outcome in ("pass", "rounding"), column
        explained = every.outcome == "fail"
        # Columns of a family have the room of the rows that its totals cover.
        verdicts[column] = every._replace(
            outcome="explained" if explained else every.outcome,
            tolerance=covered.tolerance if column in LEFT_OUT else every.tolerance,
        )
    return verdicts


GROUPS = [key for key in POOLS if key != "TOTAL"]


def group_totals() -> Verdicts:
    columns = [field.name for field in fields(PoolColumn)[1:]]
    return {column: summed(of_pool("TOTAL", column), *(of_pool(key, column) for key in GROUPS)) for column in columns}


def loan_lines(key: str) -> dict[str, LoanLine]:
    table = LOANS[key]
    buckets = [f"delinquent {bucket}" for bucket in ("30-59", "60-89", "90+")]
    return dict(
        zip(
            [*buckets, "outstanding", "foreclosure", "bankruptcy", "reo"],
            [*table.delinquent, *table.statuses],
            strict=True,
        )
    )


def delinquency_totals() -> Verdicts:
    verdicts = {}
    for name, total in loan_lines("TOTAL").items():
        lines = [loan_lines(key)[name] for key in GROUPS]
        verdicts[f"{name} loan_count"] = summed(
            figure(total.loan_count, count=True), *(figure(line.loan_count, count=True) for line in lines)
        )
        verdicts[f"{name} balance"] = summed(figure(total.balance), *(figure(line.balance) for line in lines))
        if total.market_value is not None:
            values = [figure(line.market_value) for line in lines]
            verdicts[f"{name} market_value"] = summed(figure(total.market_value), *values)
    return verdicts


def of_groups(actual: str, *terms: str) -> Callable[[], Verdicts]:
    """Actual = the sum of terms, for each loan group and the total; `-` before a term takes it away."""

    def verdicts() -> Verdicts:
        return {
            key: summed(
                of_pool(key, actual),
                *(minus(of_pool(key, term[1:])) if term[0] == "-" else of_pool(key, term) for term in terms),
            )
            for key in POOLS
        }

    return verdicts


def outstanding(field: str, loans: str) -> Callable[[], Verdicts]:
    def verdicts() -> Verdicts:
        count = loans == "loan_count"
        return {
            key: summed(of_pool(key, field), figure(getattr(loan_lines(key)["outstanding"], loans), count=count))
            for key in POOLS
        }

    return verdicts


def of_report(actual: Callable[[], Figure | None], *terms: Callable[[], Figure | None]) -> Callable[[], Verdicts]:
    return lambda: {"report": summed(actual(), *(term() for term in terms))}


def total(field: str) -> Callable[[], Figure | None]:
    return lambda: of_class("TOTAL", field)


def of_x(field: str) -> Callable[[], Figure | None]:
    return lambda: of_class("X", field)


def pool(field: str) -> Callable[[], Figure | None]:
    return lambda: of_pool("TOTAL", field)


def said(name: str) -> Callable[[], Figure | None]:
    return lambda: measure(name)


def less(name: str) -> Callable[[], Figure | None]:
    return lambda: minus(measure(name))


def oc_deficiency() -> Verdicts:
    """1,041,976 is 14,344,337 - 13,320,411 + 18,051, but for a dollar."""
    return {"report": summed(measure("oc_deficiency"), measure("oc_target"), minus(of_class("X", "beginning_balance")),
                             measure("realized_losses_current"))}  # fmt: skip


def credit_enhancement() -> Verdicts:
    """Computed on the over-collateralization before the distribution, so it is explained."""
    juniors = [of_class(key, "ending_balance") for key in (*SUBORDINATE, "P")]
    pool_ending = of_pool("TOTAL", "ending_balance")

    def over_pool(oc: Figure | None) -> Verdict:
        parts = [part for part in (*juniors, oc) if part is not None]
        over = Figure(sum((part.value for part in parts), ZERO), sum((part.error for part in parts), ZERO))
        return divided(measure("credit_enhancement"), over, pool_ending)

    assert over_pool(of_class("X", "beginning_balance")).outcome in ("pass", "rounding")
    after = over_pool(of_class("X", "ending_balance"))
    assert after.outcome == "fail"
    return {"report": after._replace(outcome="explained")}


def at_most(actual: str, limit: str) -> Callable[[], Verdicts]:
    """One measure is no larger than another, which is printed alike."""

    def verdicts() -> Verdicts:
        smaller, larger = measure(actual).value, measure(limit).value
        return {"report": Verdict("pass" if smaller <= larger else "fail", larger, smaller, ZERO)}

    return verdicts


def losses_to_date() -> Verdicts:
    to_date, now = measure("realized_losses_cumulative").value, measure("realized_losses_current").value
    return {"report": Verdict("pass" if to_date >= now else "fail", now, to_date, ZERO)}


def cusip_check_digit() -> Verdicts:
    digits = {key: Decimal(check_digit(row.cusip[:8])) for key, row in CLASSES.items() if key != "TOTAL"}
    return {key: Verdict("pass", digit, Decimal(CLASSES[key].cusip[-1])) for key, digit in digits.items()} | {
        "TOTAL": NOT_APPLICABLE
    }


def interest_accrual() -> Verdicts:
    """33 days over 360 for the floating classes, 30 for the fixed ones; X has a rate on the pool."""
    verdicts = {"P": NOT_APPLICABLE, "TOTAL": NOT_APPLICABLE}
    for key in CLASSES.keys() - verdicts.keys():
        balance, rate = of_class(key, "beginning_balance"), of_class(key, "pass_through_rate")
        interest = of_class(key, "interest_distribution")
        assert balance is not None
        assert rate is not None
        assert interest is not None
        years = Decimal(30 if key in ("A-IO", "B-IO", "R", "X") else 33) / 360
        if key == "X":  # nearest to what is paid is the longest period
            years = Decimal(33) / 360
        half = half_unit(CLASSES[key].interest_distribution)
        errors = balance.value * rate.error + rate.value * balance.error + balance.error * rate.error
        told = verdict(interest.value, balance.value * rate.value * years, half, half + errors * years)
        verdicts[key] = told._replace(outcome="explained") if key == "X" else told
    return verdicts


def without_class(key: str) -> Callable[[], Figure | None]:
    """What a class still owes, taken away."""
    return lambda: minus(of_class(key, "ending_balance"))


CHECKS: dict[str, Callable[[], Verdicts]] = {
    "class_roll_forward": class_roll_forward,
    "oc_class_roll_forward": oc_class_roll_forward,
    "total_distribution": total_distribution,
    "ending_within_original": ending_within_original,
    "beginning_balance_per_1000": lambda: dict.fromkeys(CLASSES, NOT_APPLICABLE),
    "deferred_interest_per_1000": lambda: dict.fromkeys(CLASSES, NOT_APPLICABLE),
    "principal_per_1000": per_1000("principal_per_1000", "principal_distribution", TOTAL="explained"),
    "interest_per_1000": per_1000("interest_per_1000", "interest_distribution", TOTAL="explained"),
    "total_per_1000": per_1000("total_per_1000", "total_distribution", TOTAL="explained"),
    "ending_balance_per_1000": per_1000("ending_balance_per_1000", "ending_balance", P="explained", R="explained"),
    "interest_carryforward_per_1000": per_1000("interest_carryforward_per_1000", "interest_shortfall"),
    "total_per_1000_adds_up": total_per_1000_adds_up,
    "interest_accrual": interest_accrual,
    "class_totals": class_totals,
    "group_totals": group_totals,
    "delinquency_totals": delinquency_totals,
    "pool_principal": of_groups(
        "total_principal", "scheduled_principal", "prepayments", "liquidation_proceeds", "repurchases"
    ),
    "pool_roll_forward": of_groups("ending_balance", "beginning_balance", "-total_principal", "-realized_loss"),
    "pool_interest": of_groups(
        "total_interest", "scheduled_interest", "-relief_act_shortfall", "-prepayment_interest_shortfall",
        "-nonrecoverable_advances",
    ),
    "outstanding_balance": outstanding("ending_balance", "balance"),
    "outstanding_count": outstanding("ending_count", "loan_count"),
    "certificates_and_oc_are_the_pool_at_the_beginning": of_report(
        pool("beginning_balance"), total("beginning_balance"), of_x("beginning_balance")
    ),
    "certificates_and_oc_are_the_pool_at_the_end": of_report(
        pool("ending_balance"), total("ending_balance"), said("oc_amount")
    ),
    "oc_amount_is_the_pool_less_certificates": of_report(
        said("oc_amount"), pool("ending_balance"), *map(without_class, ("A-1", "A-2", *SUBORDINATE, "P"))
    ),
    "oc_class_is_the_oc_amount": of_report(said("oc_amount"), of_x("ending_balance")),
    "certificate_principal": of_report(
        total("principal_distribution"), pool("total_principal"), pool("realized_loss"), said("oc_increase"),
        less("oc_release"),
    ),
    "premiums_go_to_their_class": of_report(
        said("prepayment_premiums"), lambda: of_class("P", "interest_distribution")
    ),
    "excess_cash_flow_is_distributed": of_report(
        said("excess_cash_flow"), of_x("interest_distribution"), said("oc_increase"), less("oc_release")
    ),
    "oc_deficiency": oc_deficiency,
    "oc_increase_within_deficiency": at_most("oc_increase", "oc_deficiency"),
    "oc_increase_within_excess_cash_flow": at_most("oc_increase", "excess_cash_flow"),
    "oc_release_within_excess": at_most("oc_release", "oc_excess"),
    "credit_enhancement": credit_enhancement,
    "ending_pool_balance": of_report(said("ending_pool_balance"), pool("ending_balance")),
    "pool_loan_count": of_report(said("pool_loan_count"), pool("ending_count")),
    "realized_losses": of_report(said("realized_losses_current"), pool("realized_loss")),
    "losses_to_date": losses_to_date,
    "net_coupon_below_gross": at_most("weighted_average_net_coupon", "weighted_average_gross_coupon"),
    "cusip_check_digit": cusip_check_digit,
}  # fmt: skip
# What tests/test_variations.py and others hold to the text: these checks compare no figures.
OF_THE_READING = {check.name for check in catalogue().readings} | {"accrual_days"}
# Checks of figures that this report does not print.
NOT_PRINTED = {
    "beginning_balance_per_1000",
    "accrued_interest_is_paid",
    "total_sources",
    "fraction_of_balance",
    "fraction_of_loans",
    "servicing_fee_collected",
    "remittance_is_what_was_collected",
}


@pytest.fixture(scope="module")
def sample() -> Outcome:
    return read_text(render(SEED))


def near(told: Decimal | None, computed: Decimal | None, decimals: int = 8) -> bool:
    """Equal, but for the decimals that a computed number is told to, and the fifteen digits of a float."""
    if told is None or computed is None:
        return told is computed
    return abs(told - computed) <= Decimal("0.51").scaleb(-decimals) + abs(computed) / 10**14


@pytest.mark.parametrize("name", CHECKS)
def test_a_check_says_what_plain_arithmetic_says(sample: Outcome, name: str) -> None:
    rows = {row["subject"]: row for row in sample.tables["checks"].filter(check=name).iter_rows(named=True)}
    wanted, decimals = CHECKS[name](), 6 if name == "interest_accrual" else 8
    assert rows.keys() == wanted.keys()
    for subject, (outcome, expected, actual, tolerance) in wanted.items():
        row = rows[subject]
        assert row["outcome"] == outcome, (subject, row)
        if outcome == "not_applicable":
            assert row["explanation"]
            assert (row["expected"], row["actual"], row["difference"]) == (None, None, None)
            continue
        assert row["actual"] == actual, subject
        assert near(row["expected"], expected, decimals), (subject, row["expected"], expected)
        assert near(row["tolerance"], tolerance, decimals), (subject, row["tolerance"], tolerance)
        if name != "cusip_check_digit" and expected is not None:
            assert row["difference"] == row["actual"] - row["expected"], subject


def test_no_check_is_left_out_here(sample: Outcome) -> None:
    assert set(sample.tables["checks"]["check"]) == {*CHECKS, *OF_THE_READING, *NOT_PRINTED}


@pytest.mark.parametrize("name", sorted(NOT_PRINTED))
def test_what_is_not_printed_is_not_checked(sample: Outcome, name: str) -> None:
    checks = sample.tables["checks"].filter(check=name)
    assert set(checks["outcome"]) == {"not_applicable"}
    assert checks["explanation"].str.starts_with("not printed: ").all()


def unclaimed(text: str) -> dict[str, Any]:
    """The check of the sample with a text after it."""
    checks = read_text(f"{render(SEED)}{text}").tables["checks"]
    return checks.filter(check="every_number_claimed").row(0, named=True)


def test_a_number_that_nothing_claims_is_a_break_of_one_that_is_named() -> None:
    row = unclaimed("see note 12,345 there\n")
    line = len(render(SEED).split("\n"))
    assert (row["outcome"], row["difference"], row["tolerance"]) == ("fail", -1, 0)
    assert row["explanation"].endswith(f" numbers are claimed by a record; unclaimed: 12,345 (line {line})")
    assert row["lines"] == [line]


def test_of_many_unclaimed_numbers_the_first_are_named() -> None:
    row = unclaimed("".join(f"see note {number}\n" for number in range(101, 151)))
    first = len(render(SEED).split("\n"))
    assert (row["difference"], row["lines"]) == (-50, list(range(first, first + 20)))
    assert f"unclaimed: 101 (line {first}), 102 " in row["explanation"]
    assert row["explanation"].endswith(f"120 (line {first + 19})")


def test_a_failing_cusip_says_its_line() -> None:
    row = CLASSES["M-1"]
    wrong = row.cusip[:-1] + str((int(row.cusip[-1]) + 1) % 10)
    text = render(SEED).replace(row.cusip, wrong)
    (line,) = [number for number, one in enumerate(text.split("\n"), 1) if wrong in one]
    checks = read_text(text).tables["checks"].filter(check="cusip_check_digit", outcome="fail")
    assert checks.select("subject", "lines").rows() == [("M-1", [line])]


# --- batches, order, bytes ---------------------------------------------------------------------------------------

MANY = {"sample": SEED} | {f"deal {seed}": simulate(make_deal(seed), 1)[0] for seed in range(4)}


def test_a_report_has_the_same_checks_in_a_batch_as_alone() -> None:
    texts = {name: render(report) for name, report in MANY.items()}
    together = read_texts(texts)
    for name, text in texts.items():
        assert together[name].tables["checks"].equals(read_text(text).tables["checks"]), name


def test_reports_of_deals_that_add_up_break_nothing() -> None:
    """Twelve deals have what the sample has not: shortfalls, releases, repurchases, one group or four, no M classes."""
    reports = [report for seed in range(12) for report in simulate(make_deal(seed), 2)]
    outcomes = read_texts({str(number): render(report) for number, report in enumerate(reports)})
    assert {name: outcome.failed_checks() for name, outcome in outcomes.items() if outcome.failed_checks()} == {}
    printed = [report.pools[-1].relief_act_shortfall for report in reports]
    assert set(printed) > {"0"}


@pytest.mark.parametrize(
    ("seed", "day"),
    [
        pytest.param(1320, "2002-09-25", id="losses take the over-collateralization below its target"),
        pytest.param(7809, "2001-06-15", id="the class that the total leaves out is paid about what another is"),
        pytest.param(532, "2004-01-26", id="one class alone accrues by the calendar"),
    ],
)
def test_a_rare_report_that_adds_up_breaks_nothing(seed: int, day: str) -> None:
    (report,) = [month for month in simulate(make_deal(seed), 12) if month.distribution_date.isoformat() == day]
    assert read_text(render(report)).failed_checks() == []


def test_of_excess_and_deficiency_of_the_over_collateralization_one_is_nothing() -> None:
    for seed in (*range(12), 1320):
        for report in simulate(make_deal(seed), 12):
            printed = dict(report.measures)
            assert "0" in (printed["oc_excess"], printed["oc_deficiency"])
            assert "0" in (printed["oc_release"], printed["oc_deficiency"])


def test_checks_come_in_declared_order(sample: Outcome) -> None:
    names = list(dict.fromkeys(sample.tables["checks"]["check"]))
    declared = [check.name for check in catalogue().checks]
    days = names.index("accrual_days")
    assert names[days - 1] == "interest_accrual"
    rest = [name for name in names if name != "accrual_days"]
    assert rest == [name for name in declared if name in rest]


def test_classes_come_in_printed_order(sample: Outcome) -> None:
    subjects = sample.tables["checks"].filter(check="class_roll_forward")["subject"].to_list()
    assert subjects == list(CLASSES)


def test_two_runs_write_the_same_bytes(tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    for name, report in MANY.items():
        (inbox / f"{name}.txt").write_text(render(report))
    written = []
    for output in (tmp_path / "one", tmp_path / "two"):
        etl.run([inbox], output)
        written.append({file.relative_to(output): file.read_bytes() for file in output.glob("checks/**/*.parquet")})
    assert len(written[0]) == len(MANY)
    assert written[0] == written[1]


# --- hostile reports -----------------------------------------------------------------------------------------------

HUGE = "9,999,999,999,999,999"


def each_class(change: Callable[[ClassRow], Mapping[str, Any]]) -> Callable[[Report], Report]:
    return lambda report: replace(report, classes=tuple(replace(row, **change(row)) for row in report.classes))


def numbers(row: ClassRow, text: str) -> dict[str, str]:
    """All dollars of a class printed so."""
    names = [field.name for field in fields(row)][3:12]
    return {name: text for name in names if name != "pass_through_rate"}


def huge(report: Report) -> Report:
    classes = tuple(replace(row, **numbers(row, HUGE)) for row in report.classes)
    pools = tuple(PoolColumn(one.group_id, *[HUGE] * 14) for one in report.pools)
    measures = tuple((name, HUGE if UNITS[name] == "usd" else text) for name, text in report.measures)
    return replace(report, classes=classes, pools=pools, measures=measures)


def tiny_originals(row: ClassRow) -> dict[str, str]:
    return {**numbers(row, HUGE), "original_balance": "0.01"}


def nothing_printed(row: ClassRow) -> dict[str, str]:
    return {**numbers(row, "N/A"), "pass_through_rate": "N/A"}


HOSTILE: dict[str, Callable[[Report], Report]] = {
    "amounts of 16 digits": huge,
    "16 digits over a cent": each_class(tiny_originals),
    "no original balances": each_class(lambda _: {"original_balance": "0"}),
    "zeros everywhere": each_class(lambda row: {**numbers(row, "0"), "pass_through_rate": "0.00000%"}),
    "N/A everywhere": each_class(nothing_printed),
    "negative balances": each_class(lambda row: numbers(row, "(5)")),
    "one group": lambda report: replace(report, pools=report.pools[1:], loans=report.loans[1:]),
    "no total row": lambda report: replace(report, classes=report.classes[:-1]),
    "a total row only": lambda report: replace(report, classes=report.classes[-1:]),
    "two classes": lambda report: replace(report, classes=report.classes[:2]),
    "rates of thousands of per cent": each_class(lambda _: {"pass_through_rate": "999999.00000%"}),
}


@pytest.fixture(scope="module")
def hostile() -> dict[str, Outcome]:
    """All in one batch, with reports that are right."""
    texts = {name: render(change(SEED), Style(gap=10)) for name, change in HOSTILE.items()}
    texts["no groups"] = "\n".join(
        line for section in sections(SEED) if section.name not in GROUP_TABLES for line in section.lines
    )
    return read_texts(texts | {"right": render(SEED)})


@pytest.mark.parametrize("name", [*HOSTILE, "no groups"])
def test_hostile_numbers_raise_nothing(hostile: dict[str, Outcome], name: str) -> None:
    """What is read has checks with known outcomes; what is not read has a reason."""
    outcome = hostile[name]
    if outcome.reject is not None:
        assert outcome.reason in ("missing_row", "missing_block", "conflicting_values", "value_does_not_fit")
        return
    checks = outcome.tables["checks"]
    assert set(checks["outcome"]) <= {"pass", "rounding", "explained", "fail", "not_applicable"}
    assert checks.filter(pl.col("outcome").is_in(["fail", "rounding", "explained"]))["explanation"].null_count() == 0


@pytest.mark.parametrize(
    "name", ["amounts of 16 digits", "no original balances", "zeros everywhere", "N/A everywhere", "no groups"]
)
def test_hostile_numbers_are_read(hostile: dict[str, Outcome], name: str) -> None:
    assert hostile[name].message == ""


def test_hostile_reports_do_not_touch_the_others(hostile: dict[str, Outcome], sample: Outcome) -> None:
    assert hostile["right"].tables["checks"].equals(sample.tables["checks"])


def test_what_is_not_printed_is_not_judged(hostile: dict[str, Outcome]) -> None:
    checks = hostile["N/A everywhere"].tables["checks"]
    of_classes = ("class_roll_forward", "total_distribution", "principal_per_1000", "interest_accrual")
    for name in (*of_classes, "premiums_go_to_their_class", "oc_class_is_the_oc_amount"):
        assert set(checks.filter(check=name)["outcome"]) == {"not_applicable"}


BALANCES = {"beginning_balance": "5", "principal_distribution": "2", "ending_balance": "3"}


@pytest.mark.parametrize(
    ("printed", "judged"),
    [
        (Printed({}), {}),
        (Printed({"TOTAL": BALANCES}), {"TOTAL": "pass"}),
        (Printed({"A-1": BALANCES}), {"A-1": "pass"}),
        (Printed({"M-1": {**BALANCES, "realized_loss": "1", "ending_balance": "2"}}), {"M-1": "pass"}),
        (Printed({"M-1": {**BALANCES, "realized_loss": "4", "ending_balance": "3"}}), {"M-1": "fail"}),
        (Printed({"M-1": {**BALANCES, "deferred_interest": "9", "ending_balance": "12"}}), {"M-1": "pass"}),
        (Printed({"A-1": {"beginning_balance": "5"}}), {"A-1": "not_applicable"}),
        (Printed({"A-1": BALANCES}, {"A-1": "notional"}), {"A-1": "not_applicable"}),
    ],
)
def test_any_rows_may_be_missing(printed: Printed, judged: dict[str, str]) -> None:
    """No class at all, a total row only, no total row: each row is judged by itself, and totals need rows."""
    figures = report_figures([printed])
    checks = check_identities(figures, catalogue().identities)
    forward = checks.filter(check="class_roll_forward")
    assert dict(forward.select("subject", "outcome").iter_rows()) == judged
    assert set(checks.filter(subject="report")["outcome"]) == {"not_applicable"}
    assert set(check_totals(figures, catalogue().totals)["outcome"]) <= {"not_applicable"}


Outcomes = dict[tuple[str, str], dict[str, Any]]


def judged_figures(printed: Printed) -> Outcomes:
    """The identities of a report, by check and subject."""
    checks = check_identities(report_figures([printed]), catalogue().identities)
    return {(row["check"], row["subject"]): row for row in checks.iter_rows(named=True)}


def test_a_class_that_prints_no_figure_is_not_judged() -> None:
    judged = judged_figures(Printed({"A-1": BALANCES, "R": {}}))
    of_r = {check: row for (check, subject), row in judged.items() if subject == "R"}
    assert {check for check, subject in judged if subject == "A-1"} == of_r.keys()
    assert {row["outcome"] for row in of_r.values()} == {"not_applicable"}
    said = "not printed: ending_balance, beginning_balance, principal_distribution"
    assert of_r["class_roll_forward"]["explanation"] == said


@pytest.mark.parametrize(
    ("check", "column"),
    [
        ("certificates_and_oc_are_the_pool_at_the_beginning", "beginning_balance"),
        ("certificates_and_oc_are_the_pool_at_the_end", "ending_balance"),
    ],
)
@pytest.mark.parametrize(
    ("kinds", "pool", "outcome"),
    [
        ({"A-1": "senior", "M-1": "subordinate"}, "75,000,001", "pass"),
        ({"A-1": "senior", "M-1": "subordinate"}, "76,000,000", "fail"),
        ({}, "75,000,001", "not_applicable"),
        ({}, "76,000,000", "not_applicable"),
    ],
)
def test_certificates_are_the_pool_where_there_is_no_over_collateralization(
    check: str, column: str, kinds: dict[str, str], pool: str, outcome: str
) -> None:
    """Where a layout tells no kinds, a class of over-collateralization may be among the others."""
    classes = {"A-1": {column: "70,000,000"}, "M-1": {column: "5,000,001"}, "TOTAL": {column: "75,000,001"}}
    judged = judged_figures(Printed(classes, kinds, {"TOTAL": {column: pool}}))
    assert judged[check, "report"]["outcome"] == outcome


@pytest.mark.parametrize(
    ("shortfall", "unpaid", "carried", "outcome"),
    [
        ("100", "2,500", "0.02", "pass"),
        ("100", "2,500", "0.50", "explained"),
        ("100", "2,500", "0.52", "fail"),
        ("100", "0", "0.00", "fail"),
        ("N/A", "2,500", "0.50", "not_applicable"),
    ],
)
def test_interest_carried_forward_is_a_shortfall_of_this_period_or_of_all(
    shortfall: str, unpaid: str, carried: str, outcome: str
) -> None:
    """Of 5,000,000 dollars, 100 are 0.02 per 1,000, and 2,500 are 0.50."""
    printed = {"original_balance": "5,000,000", "interest_shortfall": shortfall, "unpaid_interest_shortfall": unpaid}
    told = judged_figures(Printed({"M-1": {**printed, "interest_carryforward_per_1000": carried}}))
    row = told["interest_carryforward_per_1000", "M-1"]
    assert row["outcome"] == outcome
    if outcome == "explained":
        assert row["explanation"].startswith(
            "it is the unpaid shortfall, that of earlier periods included, which gives 0.5; printed: "
        )


@pytest.mark.parametrize(
    ("check", "smaller", "limit"),
    [
        ("oc_increase_within_deficiency", "oc_increase", "oc_deficiency"),
        ("oc_increase_within_excess_cash_flow", "oc_increase", "excess_cash_flow"),
        ("oc_release_within_excess", "oc_release", "oc_excess"),
    ],
)
def test_the_over_collateralization_moves_within_its_bounds(check: str, smaller: str, limit: str) -> None:
    for printed, outcome in (("1,499", "pass"), ("1,500", "pass"), ("1,501", "fail")):
        texts = {smaller: printed, limit: "1,500"}
        measures = tuple((name, texts.get(name, text)) for name, text in SEED.measures)
        assert read_text(render(replace(SEED, measures=measures))).check(check, "report")[0] == outcome


def test_an_explanation_names_some_figures_and_counts_the_others() -> None:
    """The pool, the total and thirty classes are 32 figures."""
    classes = {f"X-{number}": {"beginning_balance": "1,000"} for number in range(30)}
    kinds = dict.fromkeys(classes, "over_collateralization") | {"A-1": "senior"}
    others = {"A-1": {"beginning_balance": "50,000"}, "TOTAL": {"beginning_balance": "50,000"}}
    judged = judged_figures(Printed({**classes, **others}, kinds, {"TOTAL": {"beginning_balance": "99,000"}}))
    row = judged["certificates_and_oc_are_the_pool_at_the_beginning", "report"]
    assert (row["outcome"], row["difference"]) == ("fail", 19_000)
    assert row["explanation"].count("(line ") == 20
    assert row["explanation"].endswith(" and 12 more")
    assert len(row["lines"]) == 20


@pytest.mark.parametrize(("length", "kept"), [(1_999, 1_999), (2_000, 2_000), (2_001, 2_003), (50_000, 2_003)])
def test_a_long_explanation_is_cut(length: int, kept: int) -> None:
    row = shaped([pl.DataFrame({"document": [0], "check": ["a"], "explanation": ["x" * length]})]).row(0, named=True)
    assert row["explanation"] == "x" * min(length, 2_000) + "..." * (kept > length or kept < length)


def test_an_amount_per_1000_of_nothing_is_told(hostile: dict[str, Outcome]) -> None:
    """Dollars per 1,000 are printed, but there is no original balance to divide by."""
    checks = hostile["no original balances"].tables["checks"].filter(check="principal_per_1000")
    outcomes = dict(checks.select("subject", "outcome").iter_rows())
    assert (outcomes["A-1"], outcomes["M-1"]) == ("fail", "not_applicable")


# --- layouts that tell no kinds of classes ------------------------------------------------------------


def test_a_bucket_with_blanks_is_added_up_as_others(tmp_path: Path) -> None:
    (tmp_path / "blanks").mkdir()
    text = (PACKAGED / "us_bank_text" / "layout.toml").read_text().replace('"90+"', '"90 days or more"')
    assert '"90 days or more"' in text
    (tmp_path / "blanks" / "layout.toml").write_text(text)
    outcome = read_texts({"a": render(SEED)}, load_layouts(tmp_path))["a"]
    for field in ("loan_count", "balance"):
        assert outcome.check("delinquency_totals", f"delinquent 90 days or more {field}")[0] in ("pass", "rounding")


def test_a_layout_without_kinds_of_classes_still_rolls_forward(tmp_path: Path) -> None:
    """Notional classes and X are classes as others there, so that theirs fail; nothing is passed over in silence."""
    folder = tmp_path / "plain"
    folder.mkdir()
    lines = (PACKAGED / "us_bank_text" / "layout.toml").read_text().split("\n")
    start = lines.index("[classes.types]")
    end = next(number for number in range(start + 1, len(lines)) if not lines[number].strip())
    (folder / "layout.toml").write_text("\n".join([*lines[:start], *lines[end:]]))
    checks = read_texts({"a": render(SEED)}, load_layouts(tmp_path))["a"].tables["checks"]
    forward = dict(checks.filter(check="class_roll_forward").select("subject", "outcome").iter_rows())
    assert forward.keys() == CLASSES.keys()
    assert {key for key, outcome in forward.items() if outcome == "fail"} == {"A-IO", "A-IO-INV", "X"}
    assert "oc_class_roll_forward" not in set(checks["check"])
    sums = checks.filter(pl.col("check").str.starts_with("certificates_and_oc_are_the_pool"))
    assert sums["outcome"].to_list() == ["not_applicable"] * 2
    told = dict(checks.filter(check="class_totals").select("subject", "outcome").iter_rows())
    assert told["principal_distribution"] == "pass"
    assert told["interest_distribution"] == "explained"
