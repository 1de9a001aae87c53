"""Every expression that sees a document runs in time that is linear in its length.

The patterns of layouts run in the engine of polars, which cannot backtrack. Python's own engine can: so each of its
expressions is looked at here, and those that could be slow are few, known, and measured.
"""

from __future__ import annotations

import ast
import importlib
import re
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from re import _constants as kinds  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

import polars as pl
import pytest

from etl import Layout
from etl.cells import NUMBER
from etl.patterns import PatternError, compile_find, compile_row, compile_search

from .conftest import REPOSITORY

PACKAGE = REPOSITORY / "etl"
_NAMES = ("compile", "search", "match", "fullmatch", "sub", "subn", "split", "findall", "finditer")
FUNCTIONS = tuple(f"re.{name}" for name in _NAMES)
# Modules whose expressions see what a layout or a formula is, and never a document.
OF_LAYOUTS = {"patterns", "formulas"}


def _expressions(file: Path) -> Iterator[str]:
    """What a module gives to Python's engine, with the values of its own names."""
    module = importlib.import_module("etl" if file.stem == "__init__" else f"etl.{file.stem}")
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in FUNCTIONS:
            value = eval(ast.unparse(node.args[0]), dict(vars(module)))  # noqa: S307 - the project's own code
            yield value.decode("latin-1") if isinstance(value, bytes) else value


def _repeats(parsed: Sequence[Any], inside: bool = False) -> Iterator[str]:  # noqa: FBT001, FBT002
    """Repeats without an end within such repeats, or next to each other: the only ways to be worse than linear."""
    before = False
    for kind, value in parsed:
        if kind in (kinds.POSSESSIVE_REPEAT, kinds.ATOMIC_GROUP):  # never read a second time
            before = False
            continue
        endless = kind in (kinds.MAX_REPEAT, kinds.MIN_REPEAT) and value[1] is kinds.MAXREPEAT
        if endless and (inside or before):
            yield "nested" if inside else "adjacent"
        if kind in (kinds.MAX_REPEAT, kinds.MIN_REPEAT):
            yield from _repeats(value[2], inside or endless)
        elif kind is kinds.SUBPATTERN:
            yield from _repeats(value[-1], inside)
        elif kind is kinds.BRANCH:
            for branch in value[1]:
                yield from _repeats(branch, inside)
        before = endless


def _doubtful(expression: str) -> list[str]:
    return list(_repeats(parser.parse(expression)))


@pytest.mark.parametrize("expression", ["(a+)+", "(?:a|b+)*", "a*a*", r"\s+.*", "(?:(?:x{2,})y)*"])
def test_doubtful_expressions_are_seen(expression: str) -> None:
    assert _doubtful(expression)


@pytest.mark.parametrize("file", sorted(PACKAGE.glob("*.py")), ids=lambda file: file.stem)
def test_no_expression_of_python_can_be_slow(file: Path) -> None:
    doubtful = {expression for expression in _expressions(file) if _doubtful(expression)}
    assert not doubtful or file.stem in OF_LAYOUTS


def test_expressions_are_found() -> None:
    found = {expression for file in PACKAGE.glob("*.py") for expression in _expressions(file)}
    assert {NUMBER, r"[a-z0-9]+", "[^a-z0-9]"} <= found


@pytest.mark.parametrize("expression", ["[0-9]++(?:[.,][0-9]++)*+", "(?>a+)b", "a+b?", "(?:ab)*"])
def test_expressions_that_do_not_go_back_are_not_doubtful(expression: str) -> None:
    assert not _doubtful(expression)


@pytest.mark.parametrize(
    "piece", ["1", "1,", "1.", "11,", "($1", "(-$", "1,1.%)", "12,345.67%)", "$", "1)(", "a1", "(((-"], ids=repr
)
def test_the_numbers_of_a_text_are_found_in_linear_time(piece: str) -> None:
    """Twice the text takes twice the time; with backtracking over it, four times or more."""
    number = re.compile(NUMBER)

    def seconds(text: str) -> float:
        taken = []
        for _ in range(5):
            begun = time.perf_counter()
            for _ in number.finditer(text):
                pass
            taken.append(time.perf_counter() - begun)
        return min(taken)

    short, long = (piece * (count // len(piece)) for count in (100_000, 800_000))
    assert seconds(long) < 8 * 3 * seconds(short) + 0.001


def test_every_pattern_of_a_layout_runs_in_the_engine_that_cannot_backtrack(layouts: Sequence[Layout]) -> None:
    """It takes each of them, and refuses what needs to look back or ahead."""
    patterns = [find.pattern for layout in layouts for find in layout.finds]
    blocks = [block for layout in layouts for block in layout.blocks]
    patterns += [pattern for block in blocks for pattern in (block.row, block.total_row) if pattern is not None]
    patterns += [block.footnote.pattern for block in blocks if block.footnote is not None]
    expressions = [text for pattern in patterns for text in (pattern.search, pattern.expression)]
    expressions += [text for layout in layouts for text in layout.identify.values()]
    assert len(expressions) > 60
    for expression in expressions:
        assert pl.select(pl.lit("").str.contains(expression)).height == 1
    for refused in (r"(?=a)", r"(?<!a)", r"(?>a+)", r"\1", "a++b(?!c)"):
        with pytest.raises(PatternError):
            compile_search(refused)


@pytest.mark.parametrize(
    "source", ["(?:a+)+ {amount}", "(?:a|aa)+ {amount}", "(?:a*)*b {amount}", r"(?:\s*\S*)* {amount}"]
)
def test_patterns_that_would_backtrack_take_no_time(source: str) -> None:
    """In Python's engine 40 letters of this take days. Here it is a million of them."""
    text = pl.Series(["a" * 1_000_000 + "!"])
    begun = time.perf_counter()
    for compile_ in (compile_row, compile_find):
        pattern = compile_(source, lambda _field: "usd")
        assert not text.to_frame("text").select(pattern.matches(pl.col("text"))).item()
        if pattern.whole_line:
            assert pattern.capture(text.to_frame("text").lazy(), "text").collect().is_empty()
        else:
            assert list(pattern.places(list(text))) == [None]
    assert time.perf_counter() - begun < 30
