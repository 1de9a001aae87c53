"""The pattern language of layouts."""

from __future__ import annotations

import polars as pl
import pytest

from etl.patterns import Pattern, PatternError, cell, compile_find, compile_row, compile_search

UNITS = {"amount": "usd", "rate": "fraction", "loans": "count", "day": "date", "met": "flag", "note": "text"}


def _row(source: str) -> Pattern:
    return compile_row(source, UNITS.get)


def _find(source: str) -> Pattern:
    return compile_find(source, UNITS.get)


def _captured(pattern: Pattern, text: str) -> dict[str, tuple[str | None, int]] | None:
    """Text and start of each cell, or None where the pattern does not fit."""
    if not pattern.whole_line:
        (place,) = pattern.places([text])
        if place is None:
            return None
        return {name: (raw, start) for name, (start, raw) in zip(pattern.fields, place.cells, strict=True)}
    frame = pattern.capture(pl.LazyFrame({"text": [text]}), "text").collect()
    if frame.is_empty():
        return None
    row = frame.row(0, named=True)
    return {name: (row[str(index)], row[f"{index}_start"]) for index, name in enumerate(pattern.fields)}


def _fits(pattern: Pattern, text: str) -> bool:
    return bool(pl.select(pattern.matches(pl.lit(text))).item())


@pytest.mark.parametrize(
    ("source", "text", "cells"),
    [
        ("{class_id} {amount}", "  A-1    1,234 ", {"class_id": ("A-1", 2), "amount": ("1,234", 9)}),
        ("{class_id} {amount}", "A-1\t(5)", {"class_id": ("A-1", 0), "amount": ("(5)", 4)}),
        ("{class_id} {amount} {rate}", "A 1 2%", {"class_id": ("A", 0), "amount": ("1", 2), "rate": ("2%", 4)}),
        ("(?P<note>[A-Z] [a-z]+) {amount}", "A  b 7", {"note": ("A  b", 0), "amount": ("7", 5)}),
        ("Fee ?{amount}", "Fee12", {"amount": ("12", 3)}),
        ("Fee ?{amount}", "Fee   12", {"amount": ("12", 6)}),
        ("é— {amount}", "é—  7", {"amount": ("7", 4)}),
        ("(?:Fee|Cost) {amount}", "Cost 7", {"amount": ("7", 5)}),
        (r"\(net\) {amount}", "(net) 7", {"amount": ("7", 6)}),
        (r"[ab ]x {amount}", " x 7", {"amount": ("7", 3)}),
        ("(?P<note>[a-z ]+) {amount}", "two words 7", {"note": ("two words", 0), "amount": ("7", 10)}),
        ("{day} {met}", "17-Nov-03 YES", {"day": ("17-Nov-03", 0), "met": ("YES", 10)}),
        ("{day}", "November 17, 2003", {"day": ("November 17, 2003", 0)}),
        ("{cusip}", "04541GDP4", {"cusip": ("04541GDP4", 0)}),
        ("{class_id}? {amount}", " 5", {"class_id": (None, 1), "amount": ("5", 1)}),
        ("{class_id} {cusip}? {amount}", "A-1 5", {"class_id": ("A-1", 0), "cusip": (None, 4), "amount": ("5", 4)}),
        (
            "{class_id}? {cusip}? {amount}",
            "04541GDP4\t5",
            {"class_id": (None, 0), "cusip": ("04541GDP4", 0), "amount": ("5", 10)},
        ),
        (
            "{class_id} {cusip}? {amount}",
            "A-1 04541GDP4 5",
            {"class_id": ("A-1", 0), "cusip": ("04541GDP4", 4), "amount": ("5", 14)},
        ),
        ("{class_id} {cusip}?", "A-1", {"class_id": ("A-1", 0), "cusip": (None, 3)}),
        (
            "{class_id} {cusip}? {day}?",
            "A-1 04541GDP4",
            {"class_id": ("A-1", 0), "cusip": ("04541GDP4", 4), "day": (None, 13)},
        ),
        (
            "{class_id} {cusip}? {day}?",
            "A-1 17-Nov-03",
            {"class_id": ("A-1", 0), "cusip": (None, 3), "day": ("17-Nov-03", 4)},
        ),
        ("{class_id} {cusip}?", "A-1 04541GDP4", {"class_id": ("A-1", 0), "cusip": ("04541GDP4", 4)}),
    ],
)
def test_cells_are_captured_with_their_places(source: str, text: str, cells: dict[str, tuple[str | None, int]]) -> None:
    pattern = _row(source)
    assert _captured(pattern, text) == cells
    assert _fits(pattern, text)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("{class_id} {amount}", "A-1 1,23"),
        ("{class_id} {amount}", "A-1 1,234 5"),
        ("{class_id} {amount}", "note A-1 1,234"),
        ("{class_id} {amount}", "A-1"),
        ("{class_id} {amount}", "a-1 5"),
        ("{amount}", "(5"),
        ("{amount}", "5%"),
        ("{amount}", "5O0"),
        ("{rate}", "5"),
        ("{loans}", "5.0"),
        ("{day}", "17-11-03"),
        ("{met}", "MAYBE"),
        ("{cusip}", "04541GDP"),
        ("Fee {amount}", "Fee12"),
        ("{class_id} {cusip}? {amount}", "A-1 04541GDP45"),
        ("{class_id} {cusip}? {amount}", "A-15,000,"),
    ],
)
def test_a_row_fits_the_whole_line_or_not_at_all(source: str, text: str) -> None:
    assert _captured(_row(source), text) is None
    assert not _fits(_row(source), text)


@pytest.mark.parametrize("text", ["1", "1,234.50", "$1", "-1", "-$1", "(1)", "$(1)", "($1)", ".5", "5.", "N/A", "n/a"])
def test_spellings_of_an_amount(text: str) -> None:
    assert _captured(_row("{amount}"), text) == {"amount": (text, 0)}


def test_a_find_stands_anywhere_and_may_be_wrapped() -> None:
    pattern = _find("dated {day} by (?P<note>[A-Z]+)")
    text = "the report dated\n   17-Nov-03 by\nUS, as said"
    assert _captured(pattern, text) == {"day": ("17-Nov-03", 20), "note": ("US", 33)}


def test_a_find_takes_the_first_place() -> None:
    assert _captured(_find("No {loans}"), "No 1 and No 2") == {"loans": ("1", 3)}


@pytest.mark.parametrize("source", ["(?:A|B) {amount}", "(?:A |){amount}", "[|]?{amount}"])
@pytest.mark.parametrize("text", ["A", "B", "A 1", "B 1", "1", "x"])
def test_fitting_and_capturing_agree(source: str, text: str) -> None:
    pattern = _row(source)
    assert _fits(pattern, text) == (_captured(pattern, text) is not None)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("(a|b) {amount}", r"write \(\?:\.\.\.\) instead"),
        ("(?:a {amount}", "not closed"),
        ("(?P<note>a", "not closed"),
        ("{note}", r"write \(\?P<note>\.\.\.\)"),
        ("{nonsense}", r"write \(\?P<nonsense>\.\.\.\)"),
        ("Fee", "no field"),
        ("", "no field"),
        ("[a {amount}", "does not compile"),
        ("{amount} \\", "ends with a backslash"),
        ("{amount} {rate?}", "does not compile"),
        ("(?P<note>[a-z]+)* {amount}", "stands once"),
        ("A|B {amount}", "alternatives stand in a group"),
        ("A {amount}|{loans}", "alternatives stand in a group"),
        ("(?:x(?P<cusip>[a-z]+) )?{amount}", "outside of groups"),
        ("{amount}{3", "does not compile"),
        ("{Amount}", "compile|no field"),
        (r"(?=a){amount}", "does not compile"),
        (r"(?P<note>(a)) {amount}", r"write \(\?:"),
        (") {amount}", "does not compile"),
    ],
)
@pytest.mark.parametrize("compile_", [_row, _find])
def test_a_wrong_pattern_says_what_to_write(compile_: object, source: str, said: str) -> None:
    assert callable(compile_)
    with pytest.raises(PatternError, match=said):
        compile_(source)


@pytest.mark.parametrize(
    "source",
    [
        "(?:(?P<note>[a-z]+) )?{amount}",
        "(?P<note>a(?P<met>b)) {amount}",
        "(?:x(?<note>[a-z]+) )?{amount}",
        "(?:{loans} )?{amount}",
        "(?P<note>a {amount})",
    ],
)
def test_a_field_inside_a_group_is_refused(source: str) -> None:
    """It would be captured without a place of its own, and shift the cells after it."""
    with pytest.raises(PatternError):
        _row(source)


def test_a_field_that_is_named_twice_is_refused() -> None:
    with pytest.raises(PatternError):
        _row("{amount} {amount}")


@pytest.mark.parametrize("source", ["Orig  Bal", r"\bOrig\b", "Orig ?Bal|x", "[ ]Bal"])
def test_a_search_takes_blanks_as_runs_of_blanks(source: str) -> None:
    assert pl.Series(["the Orig \n Bal"]).str.contains(compile_search(source)).all()


@pytest.mark.parametrize("source", ["{class_id}", "(?P<note>a)", "(a)", "(?:", "[", "+"])
def test_a_wrong_search_is_refused(source: str) -> None:
    with pytest.raises(PatternError):
        compile_search(source)


def test_the_look_of_a_cell_follows_from_its_unit() -> None:
    assert cell("anything", "usd") == cell("other", "per_1000")
    assert cell("cusip", None) == cell("cusip", "text")
    with pytest.raises(PatternError, match="needs its own expression"):
        cell("remark", "text")
