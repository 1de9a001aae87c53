"""Formulas as a person writes them: what they mean, what they give, and how far printed rounding may move that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from itertools import product
from typing import Any

import polars as pl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from etl.cells import VALUE
from etl.formulas import Figure, FormulaError, compare, error_column, parse


def half_unit(printed: str) -> Decimal:
    """Half a unit of the last printed digit: 0.5 of `12`, 0.005 of `12.50`."""
    return Decimal(5).scaleb(-len(printed.partition(".")[2]) - 1)


@dataclass(frozen=True)
class Judged:
    """What `compare` says of one row."""

    outcome: str | None
    expected: Decimal | None
    tolerance: Decimal | None
    lacking: str


def judge(formula: str, exact: tuple[str, ...] = (), /, **printed: str | None) -> Judged:
    """The comparison where a report prints so; `table.name` is written `table__name`, `None` is not printed."""
    return judge_figures(formula, {name.replace("__", "."): text for name, text in printed.items()}, exact)


def judge_figures(formula: str, printed: Mapping[str, str | None], exact: tuple[str, ...] = ()) -> Judged:
    columns: dict[str, Any] = {}
    for name, text in printed.items():
        error = None if text is None else Decimal(0) if name in exact else half_unit(text)
        columns[name] = pl.Series([None if text is None else Decimal(text)], dtype=VALUE)
        columns[error_column(name)] = pl.Series([error], dtype=VALUE)
    said = compare(parse(formula))
    row = pl.DataFrame(columns).select(
        outcome=said.outcome, expected=said.expected, tolerance=said.tolerance, lacking=said.lacking
    )
    return Judged(*row.row(0))


# --- what a formula means -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("right", "value"),
    [
        ("b - c - d", 100 - 7 - 3),
        ("b - (c - d)", 100 - (7 - 3)),
        ("b + c * d", 100 + 7 * 3),
        ("(b + c) * d", (100 + 7) * 3),
        ("b * d / 4", 75),
        ("b / 4 / 5", 5),
        ("b / (4 * 5)", 5),
        ("b - d * c / 7", 97),
        ("positive(b - c)", 93),
        ("positive(c - b)", 0),
        ("positive(c - b) + d", 3),
        ("b - positive(c - d)", 96),
        ("((b))", 100),
        ("  b+c  ", 107),
    ],
)
def test_operations_bind_as_in_arithmetic(right: str, value: int) -> None:
    assert judge(f"a = {right}", a="0", b="100", c="7", d="3").expected == value


def test_a_figure_says_where_it_stands() -> None:
    formula = parse("measures.x = y_1000? - previous.z + classes[senior].balance / previous.pools.w?")
    assert formula.figures == (
        Figure("measures", None, "x"),
        Figure(None, None, "y_1000", optional=True),
        Figure(None, None, "z", previous=True),
        Figure("classes", "senior", "balance"),
        Figure("pools", None, "w", optional=True, previous=True),
    )
    assert [figure.name for figure in formula.figures] == [
        "measures.x", "y_1000", "previous.z", "classes[senior].balance", "previous.pools.w",
    ]  # fmt: skip


def test_a_figure_may_be_exact() -> None:
    formula = parse("a! = b! / classes[senior].c!")
    assert formula.figures == (
        Figure(None, None, "a", exact=True),
        Figure(None, None, "b", exact=True),
        Figure("classes", "senior", "c", exact=True),
    )
    assert [figure.name for figure in formula.figures] == ["a", "b", "classes[senior].c"]


def test_a_figure_is_named_once() -> None:
    assert [figure.name for figure in parse("a = b + a * b").figures] == ["a", "b"]


@pytest.mark.parametrize(("text", "relation"), [("a = b", "="), ("a <= b", "<="), ("a >= b", ">=")])
def test_relations_are_told_apart(text: str, relation: str) -> None:
    assert parse(text).relation == relation


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("", "has no =, <= or >="),
        ("a", "'a' has no =, <= or >="),
        ("a < b", "'a < b' has no =, <= or >="),
        ("a = ", "ends too early"),
        ("a = b +", "'b +' ends too early"),
        ("a = (b", "'(b' ends too early"),
        ("a = (b c)", "'(b c)': a parenthesis is not closed"),
        ("a = b)", "'b)': ')' was not expected there"),
        ("a = b c", "'b c': 'c' was not expected there"),
        ("a = * b", "'* b': '*' was not expected there"),
        ("a = positive b", "'positive b': 'b' was not expected there"),
        ("a == b", "'= b' cannot be read"),
        ("a = b ! c", "' ! c' cannot be read"),
        ("a = b?!", "'!' cannot be read"),
        ("a = b!?", "'?' cannot be read"),
        ("a = 1.5 * b", "'.5 * b' cannot be read"),
        ("a = B", "'B' cannot be read"),
        ("a = classes[Senior].b", "'[Senior].b' cannot be read"),
        ("a = x.y.z", "'.z' cannot be read"),
        ("1 = b", "the left side of '1 = b' must be one printed figure"),
        ("a + b = c", "the left side of 'a + b = c' must be one printed figure"),
        ("positive(a) = b", "the left side of 'positive(a) = b' must be one printed figure"),
    ],
)
def test_an_error_names_its_place(text: str, place: str) -> None:
    with pytest.raises(FormulaError) as caught:
        parse(text)
    assert place in str(caught.value)


# --- figures that are not printed -----------------------------------------------------------------------------


def test_what_may_be_missing_counts_as_nothing() -> None:
    assert judge("a = b - c?", a="5", b="5", c=None) == Judged("pass", Decimal(5), Decimal(0), "")


def test_what_must_be_there_is_named() -> None:
    judged = judge("a = b - pools.c - d?", a=None, b="5", pools__c=None, d=None)
    assert (judged.outcome, judged.lacking) == (None, "a, pools.c")


# --- sums -----------------------------------------------------------------------------------------------------


def test_sums_are_exact_in_decimals() -> None:
    """In floats, 0.1 + 0.2 is more than 0.3, and 9007199254740993 is no number."""
    assert judge("a = b + c", ("a", "b", "c"), a="0.3", b="0.1", c="0.2").outcome == "pass"
    large = judge("a = b + c", a="9007199254740994.01", b="9007199254740993.00", c="1.01")
    assert (large.outcome, large.expected) == ("pass", Decimal("9007199254740994.01"))


@pytest.mark.parametrize(
    ("printed", "exact", "tolerance"),
    [
        ({"a": "11", "b": "8", "c": "3"}, (), "1.5"),
        ({"a": "11.00", "b": "8", "c": "3.0"}, (), "0.555"),
        ({"a": "11", "b": "11", "c": "0"}, ("c",), "0"),
        ({"a": "11.0", "b": "11.0", "c": "0"}, ("c",), "0"),
        ({"a": "11.00", "b": "11", "c": "0"}, ("c",), "0.5"),
        ({"a": "11", "b": "11.25", "c": "0"}, ("c",), "0.5"),
        ({"a": "11", "b": "8", "c": "3"}, ("b", "c"), "0.5"),
        ({"a": "11", "b": "8", "c": "3"}, ("a", "b", "c"), "0"),
    ],
)
def test_each_figure_that_is_not_exact_adds_half_a_unit(
    printed: dict[str, str], exact: tuple[str, ...], tolerance: str
) -> None:
    """But two figures that are one and the same are printed alike, as far as both have decimals."""
    assert judge_figures("a = b + c", printed, exact).tolerance == Decimal(tolerance)


@pytest.mark.parametrize(
    ("a", "outcome"), [("11", "pass"), ("12", "rounding"), ("10", "rounding"), ("13", "fail"), ("9", "fail")]
)
def test_a_sum_may_be_off_by_its_tolerance(a: str, outcome: str) -> None:
    assert judge("a = b + c", a=a, b="8", c="3").outcome == outcome


def test_two_equal_figures_have_no_room() -> None:
    assert judge("a = b", a="8", b="8").outcome == "pass"
    assert judge("a = b", a="9", b="8").outcome == "fail"
    assert judge("a = b", a="8", b="8.50").outcome == "rounding"
    assert judge("a = b", a="8", b="8.51").outcome == "fail"


@pytest.mark.parametrize(
    ("relation", "a", "outcome"),
    [
        ("<=", "7", "pass"), ("<=", "8", "pass"), ("<=", "9", "fail"),
        (">=", "9", "pass"), (">=", "8", "pass"), (">=", "7", "fail"),
    ],
)  # fmt: skip
def test_inequalities_hold_on_one_side(relation: str, a: str, outcome: str) -> None:
    assert judge(f"a {relation} b", a=a, b="8").outcome == outcome


@pytest.mark.parametrize("relation", ["=", "<=", ">="])
@pytest.mark.parametrize(("a", "b"), [(None, "8"), ("8", None), (None, None)])
def test_no_relation_holds_of_what_is_not_printed(relation: str, a: str | None, b: str | None) -> None:
    assert judge(f"a {relation} b", a=a, b=b).outcome is None
    assert judge(f"a {relation} 0", a=None, b="8").outcome is None


def test_an_inequality_of_several_figures_has_room_for_rounding() -> None:
    assert [judge("a <= b + c", a=a, b="8", c="3").outcome for a in ("11", "12", "13")] == ["pass", "rounding", "fail"]


# --- products and quotients -------------------------------------------------------------------------------------

Values = Mapping[str, Fraction]


def of_1000(of: Values) -> Fraction:
    return of["b"] / of["c"] * 1000


def a_rate(of: Values) -> Fraction:
    return (of["b"] + of["d"]) / of["c"]


def a_product(of: Values) -> Fraction:
    return of["b"] * of["c"] - of["d"]


FORMULAS = {
    "a = b / c * 1000": of_1000,
    "a = (b + d) / c": a_rate,
    "a = b * c - d": a_product,
}
PLACES = st.integers(0, 5)
AMOUNTS = st.one_of(st.integers(0, 10**6), st.integers(0, 10**15)).map(lambda number: Fraction(number, 1000))


def rounded(value: Fraction, places: int) -> str:
    """The number as it is printed: halves away from zero."""
    sign = "-" if value < 0 else ""
    units = (abs(value) * 10**places * 2 + 1) // 2
    digits = str(units).zfill(places + 1)
    return sign + (f"{digits[:-places]}.{digits[-places:]}" if places else digits)


def farthest(formula: str, printed: Mapping[str, str]) -> Fraction:
    """How far the true right side can be from the computed one: each figure at an end of what it may be."""
    of = FORMULAS[formula]
    ends = [
        [(name, Fraction(text) + sign * Fraction(half_unit(text))) for sign in (-1, 1)]
        for name, text in printed.items()
        if name != "a"
    ]
    middle = of({name: Fraction(text) for name, text in printed.items()})
    return max(abs(of(dict(corner)) - middle) for corner in product(*ends))


@st.composite
def printings(draw: st.DrawFn, formula: str) -> dict[str, str]:
    """True values for which the formula holds, as a report prints them."""
    true = {name: draw(AMOUNTS) for name in "bcd"}
    assume(true["c"] > 0)
    printed = {name: rounded(value, draw(PLACES)) for name, value in true.items()}
    assume(Fraction(printed["c"]) > 0)
    value = FORMULAS[formula](true)
    assume(abs(value) < 10**16)
    return {**printed, "a": rounded(value, draw(PLACES))}


@pytest.mark.parametrize("formula", FORMULAS)
@given(data=st.data())
@settings(max_examples=100)
def test_true_figures_never_fail(formula: str, data: st.DataObject) -> None:
    printed = data.draw(printings(formula))
    assert judge_figures(formula, printed).outcome in ("pass", "rounding")


@pytest.mark.parametrize("formula", FORMULAS)
@given(data=st.data(), times=st.floats(0.0, 3.0))
@settings(max_examples=100)
def test_the_tolerance_is_as_tight_as_rounding_allows(formula: str, data: st.DataObject, times: float) -> None:
    """A figure that is off by more than any true values can be is a fail; by no more, it is none."""
    printed = data.draw(printings(formula))
    half = Fraction(half_unit(printed["a"]))
    allowed = half + farthest(formula, printed)
    assume(allowed < 10**16)
    middle = FORMULAS[formula]({name: Fraction(text) for name, text in printed.items()})
    off = rounded(middle + allowed * Fraction(times), len(printed["a"].partition(".")[2]))
    distance = abs(Fraction(off) - middle)
    # Floats carry 15 digits, and eight decimals are compared.
    noise = Fraction(2, 10**8) + max(allowed, abs(middle)) / 10**14
    assume(min(abs(distance - allowed), abs(distance - half)) > noise)
    wanted = "pass" if distance < half else "rounding" if distance < allowed else "fail"
    assert judge_figures(formula, {**printed, "a": off}).outcome == wanted


@pytest.mark.parametrize(
    ("formula", "a", "outcome"),
    [
        ("a = b * c", "2.25", "rounding"),
        ("a = b * c", "2.26", "fail"),
        ("a = b / c", "3.00", "rounding"),
        ("a = b / c", "3.01", "fail"),
    ],
)
def test_errors_of_both_factors_count(formula: str, a: str, outcome: str) -> None:
    """What is printed as 1 may be 1.5: a product of two is 2.25 at the most, a quotient 1.5 over 0.5."""
    assert judge(formula, ("a",), a=a, b="1", c="1").outcome == outcome


@pytest.mark.parametrize(
    ("formula", "tolerance"),
    [
        # Half a unit of a; that of b over c; that of c times 3, over what c may be at least.
        ("a = b / c", 0.5 + (0.5 + 3 * 0.5) / 99.5),
        ("a = b / c!", 0.5 + 0.5 / 100),
        ("a = b! / c!", 0.5),
        ("a = b! / c", 0.5 + 3 * 0.5 / 99.5),
    ],
)
def test_an_exact_figure_has_no_room_whatever_its_decimals(formula: str, tolerance: float) -> None:
    """300 over 100: the class with the 100 dollars was issued with them, not with 99.5."""
    judged = judge(formula, a="3", b="300", c="100")
    assert judged.tolerance is not None
    assert float(judged.tolerance) == pytest.approx(tolerance, abs=1e-8)


def test_what_is_computed_is_told_to_eight_decimals_and_small_figures_to_ten() -> None:
    judged = judge("a = b / c * 1000", ("b", "c"), a="333.33333", b="1", c="3")
    assert judged == Judged("pass", Decimal("333.3333333333"), Decimal("0.000005"), "")
    judged = judge("a = b / c * 10000", ("b", "c"), a="3333.33333", b="1", c="3")
    assert judged == Judged("pass", Decimal("3333.33333333"), Decimal("0.000005"), "")


def test_nothing_is_expected_of_a_division_by_zero() -> None:
    assert judge("a = b / c", a="1", b="5", c="0") == Judged(None, None, None, "")
    assert judge("a = b / c", a="0", b="0", c="0").outcome is None


@pytest.mark.parametrize("formula", ["a = b * c", "a = b / d * 1000", "a = b * c * c / d * 1000"])
def test_what_is_too_large_for_the_tables_is_no_error(formula: str) -> None:
    printed = {"a": "1", "b": "9999999999999999.99", "c": "9999999999999999.99", "d": "0.0000000001"}
    judged = judge_figures(formula, printed)
    assert (judged.outcome, judged.expected) == (None, None)


def test_the_largest_amounts_are_added_and_cut_off() -> None:
    most = "9999999999999999.99"
    assert judge("a = b + c - d", a=most, b=most, c=most, d=most).outcome == "pass"
    assert judge("a = positive(b - c - d)", ("a",), a="0", b=most, c=most, d=most).outcome == "pass"
