"""What holds for every report, every style and every name: found by Hypothesis, the same examples each time."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal
from random import Random

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl.cells import typed
from etl.deals import deal_slug
from etl.identities import catalogue

from .kit import Report, make_deal, random_style, render, scrambled, simulate, truth
from .reading import Outcome, differences, read_texts, scan_numbers, tidy, wrong_spans

SLUG = re.compile(r"[a-z][a-z0-9-]{0,99}")


@st.composite
def reports(draw: st.DrawFn) -> Report:
    """A month of some deal, often with other digits in every cell."""
    months = simulate(make_deal(draw(st.integers(0, 200))), draw(st.integers(1, 8)))
    digits = draw(st.none() | st.integers(0, 10_000))
    return months[-1] if digits is None else scrambled(months[-1], digits)


# The figures of scrambled reports do not add up; that they were read whole can be checked all the same.
READINGS = [check.name for check in catalogue().readings]


@st.composite
def printed(draw: st.DrawFn) -> tuple[Report, str]:
    """A report and its text in some style."""
    report = draw(reports())
    return report, render(report, random_style(draw(st.integers(0, 100_000))))


# --- reports ----------------------------------------------------------------------------------------------


@settings(max_examples=20)
@given(st.lists(printed(), min_size=4, max_size=12))
def test_every_printed_cell_is_read_back(batch: list[tuple[Report, str]]) -> None:
    outcomes = read_texts({str(number): text for number, (_, text) in enumerate(batch)})
    for number, (report, _) in enumerate(batch):
        outcome = outcomes[str(number)]
        assert differences(outcome, truth(report)) == []
        counts = outcome.tables["reports"].row(0, named=True)
        assert counts["numbers_claimed"] == counts["numbers_found"] == len(scan_numbers(outcome.text))
        assert wrong_spans(outcome.tables["records"], outcome.text) == []
        assert [failed for failed in outcome.failed_checks() if failed[0] in READINGS] == []


@settings(max_examples=8)
@given(st.lists(printed(), min_size=2, max_size=8), st.randoms(use_true_random=False), st.data())
def test_neighbours_in_the_batch_do_not_matter(
    batch: list[tuple[Report, str]], rng: Random, data: st.DataObject
) -> None:
    """Neither another order of the documents nor a split of the batch changes a table, nor do damaged neighbours."""
    texts: dict[str, str | bytes] = {str(number): text for number, (_, text) in enumerate(batch)}
    together = read_texts(texts)
    names = list(texts)
    rng.shuffle(names)
    cut = data.draw(st.integers(1, len(names) - 1))
    damaged: dict[str, str | bytes] = {"cut": batch[0][1][: len(batch[0][1]) // 2], "letter": "Dear holders\n1 2 3"}
    parts = [damaged | {name: texts[name] for name in part} for part in (names[:cut], names[cut:])]
    apart = read_texts(parts[0]) | read_texts(parts[1])
    for name in names:
        assert tidy(apart[name]) == tidy(together[name])
        assert apart[name].tables["records"].equals(together[name].tables["records"])
        assert apart[name].tables["checks"].equals(together[name].tables["checks"])


CHARACTERS = ("\u2019", "é", "—", "\xa0", "日本", "😀", "\u2028", "\x85", "\x0b")


@pytest.fixture(scope="module")
def with_characters() -> dict[str, Outcome]:
    """A report with each of these characters in a street."""
    report = simulate(make_deal(1), 1)[0]
    streets = {one: f"{one}St. {one}100 Street, {one} 2nd Floor" for one in CHARACTERS}
    return read_texts(
        {
            one: render(replace(report, heading=replace(report.heading, street=street)))
            for one, street in streets.items()
        }
    )


@pytest.mark.parametrize("character", CHARACTERS)
def test_other_characters_do_not_move_a_span(with_characters: dict[str, Outcome], character: str) -> None:
    """Columns count characters, not bytes."""
    outcome = with_characters[character]
    assert outcome.text.count(character) == 3
    assert wrong_spans(outcome.tables["records"], outcome.text) == []
    assert differences(outcome, truth(simulate(make_deal(1), 1)[0])) == []


# --- amounts ----------------------------------------------------------------------------------------------


def _typed(raw: str, unit: str) -> tuple[Decimal | None, str, int | None]:
    frame = typed(pl.LazyFrame({"raw": [raw]}), unit, seen=False).collect()
    value, status, decimals = frame.select("value", "status", "printed_decimals").row(0)
    return value, status, decimals


def amounts(places: int, largest: int) -> st.SearchStrategy[Decimal]:
    return st.decimals(-largest, largest, places=places, allow_nan=False, allow_infinity=False)


def _print(value: Decimal, *, comma: bool, minus: str, dollar: str) -> str:
    digits = f"{abs(value):,f}" if comma else f"{abs(value):f}"
    if value >= 0:
        return dollar + digits
    return f"-{dollar}{digits}" if minus == "-" else f"{dollar}({digits})"


@settings(max_examples=300)
@given(
    st.one_of([amounts(places, 10**15) for places in (0, 1, 2)]),
    st.booleans(),
    st.sampled_from(["-", "("]),
    st.sampled_from(["", "$"]),
)
def test_an_amount_reads_back_as_it_was_printed(value: Decimal, comma: bool, minus: str, dollar: str) -> None:  # noqa: FBT001
    read, status, decimals = _typed(_print(value, comma=comma, minus=minus, dollar=dollar), "usd")
    assert (read, status, decimals) == (value, "reported", -int(value.as_tuple().exponent))


@settings(max_examples=200)
@given(st.one_of([amounts(places, 10**3) for places in range(9)]))
def test_a_rate_reads_back_as_a_fraction(value: Decimal) -> None:
    read, status, _ = _typed(f"{value:f}%" if value >= 0 else f"({-value:f}%)", "fraction")
    assert (read, status) == (value.scaleb(-2), "reported")


@settings(max_examples=100)
@given(st.integers(0, 10**9), st.sampled_from(["count", "months", "per_1000"]))
def test_whole_numbers_read_back(value: int, unit: str) -> None:
    assert _typed(f"{value:,}", unit)[0] == _typed(str(value), unit)[0] == value


@pytest.mark.parametrize("unit", ["usd", "fraction", "count", "months", "per_1000"])
def test_words_for_no_value(unit: str) -> None:
    assert [_typed(raw, unit)[:2] for raw in ("N/A", "")] == [(None, "not_applicable"), (None, "blank")]


@pytest.mark.parametrize("raw", ["1" * 29, "0." + "1" * 11, "A", "1O", "--", "()", "1.2.3"])
def test_what_is_no_number_has_no_value(raw: str) -> None:
    assert _typed(raw, "usd") == (None, "unparsable", None)


@pytest.mark.parametrize("raw", ["0", "(0)", "-0.00", "$0.00"])
def test_a_printed_zero_is_zero(raw: str) -> None:
    assert _typed(raw, "usd")[:2] == (Decimal(0), "reported")


# --- names of deals ---------------------------------------------------------------------------------------

words = st.text("abcxyzABCXYZ0189", min_size=1, max_size=9)
names = st.lists(words, min_size=1, max_size=25)
separators = st.sampled_from([" ", ", ", "\n", "  \n   ", "-", ". ", "\t", "; ", " \u2013 "])


@settings(max_examples=200)
@given(st.text(max_size=300))
def test_a_slug_always_fits_a_folder(name: str) -> None:
    assert SLUG.fullmatch(deal_slug(name))


@settings(max_examples=200)
@given(names, st.data())
def test_wraps_commas_and_capitals_do_not_matter(parts: list[str], data: st.DataObject) -> None:
    name = " ".join(parts)
    other = parts[0]
    for part in parts[1:]:
        other += data.draw(separators) + data.draw(st.sampled_from([part, part.upper(), part.lower(), part.title()]))
    assert deal_slug(other) == deal_slug(name) == deal_slug(f"  {name},\n")


@settings(max_examples=300)
@given(names, names)
def test_other_words_give_another_slug(first: list[str], second: list[str]) -> None:
    same = [word.lower() for word in first] == [word.lower() for word in second]
    assert (deal_slug(" ".join(first)) == deal_slug(" ".join(second))) == same


@settings(max_examples=200)
@given(names, st.text("+&*#%é!?@=<>|\\ß😀", min_size=1, max_size=3), st.integers(0, 24))
def test_other_characters_give_another_slug(parts: list[str], marks: str, place: int) -> None:
    marked = list(parts)
    marked[place % len(parts)] += marks
    assert SLUG.fullmatch(deal_slug(" ".join(marked)))
    assert deal_slug(" ".join(marked)) != deal_slug(" ".join(parts))


@settings(max_examples=200)
@given(st.text("abAB01+é ,", max_size=130))
def test_a_slug_is_not_another_deals_slug(name: str) -> None:
    """A deal that is called as the slug of another one has a slug of its own."""
    slug = deal_slug(name)
    words = re.split("[ ,]+", name.strip(" ,").lower())
    if slug != "-".join(words):
        assert deal_slug(slug) != slug


HOSTILE = (
    "../../etc/passwd",
    "..",
    "",
    " ",
    "/",
    "deal=x",
    "a=b",
    "A",
    "A+",
    "A*",
    "A + B",
    "A B",
    "2003-HE2",
    "2003-HE3",
    "x\ny=1",
    "con",
    "NUL\x00",
    "$(rm -rf)",
    "`ls`",
    "%2e%2e",
    "名前",
    "名",
    "é",
    "e",
    "deal-x-a",
    "deal-x",
    "L" * 99 + "1",
    "L" * 99 + "2",
    "L" * 100 + "1",
    "L" * 100 + "2",
    "L" * 300,
    "L" * 301,
)


def test_hostile_names_have_slugs_of_their_own() -> None:
    slugs = {name: deal_slug(name) for name in HOSTILE}
    assert all(SLUG.fullmatch(slug) for slug in slugs.values())
    same = {frozenset({"..", "", " ", "/"}), frozenset({"a=b"})}
    groups: dict[str, set[str]] = {}
    for name, slug in slugs.items():
        groups.setdefault(slug, set()).add(name)
    assert [group for group in groups.values() if len(group) > 1 and frozenset(group) not in same] == []


def test_the_slug_of_the_first_deal_stays() -> None:
    name = "Asset Backed Securities Corporation,\nHome Equity Loan Trust, Series 2003-HE2"
    assert deal_slug(name) == "asset-backed-securities-corporation-home-equity-loan-trust-series-2003-he2"
