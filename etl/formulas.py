"""Identities as text → expressions over frames of figures, with the error that printed rounding allows.

A formula looks as a person would write it:

    ending_balance = beginning_balance - principal_distribution - realized_loss?
    measures.credit_enhancement = classes[subordinate].ending_balance / pools.ending_balance

- the left side is the printed figure that is held against the right side; `=`, `<=` and `>=` relate them;
- `name` is a column of the rows that the identity is about, `table.name` the total of another table,
  `table[kind].name` the sum of its rows of a kind;
- `previous.name` is the same column one distribution earlier;
- `name?` counts as nothing where the report does not print it; any other figure must be there;
- `name!` is exact as it is printed, whatever its decimals;
- `positive(...)` is nothing where it would be negative.

Every figure has a value and an error: half a unit of its last printed digit. Sums add errors up, products and
quotients propagate them. No tolerance is a constant.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal

import polars as pl

from etl.cells import VALUE

Relation = Literal["=", "<=", ">="]
_RELATIONS: tuple[Relation, ...] = ("<=", ">=", "=")
# Floats carry 15 digits; what is computed with them is compared and told to so many decimals, amounts and fractions.
_FLOAT_DECIMALS = 8
_FRACTION_DECIMALS = VALUE.scale
_FRACTIONS_BELOW = 1000
# What is computed must leave room for a difference in `VALUE`.
_TOO_LARGE = 10.0 ** (VALUE.precision - VALUE.scale - 1)


class FormulaError(ValueError):
    """A formula cannot be read; the text says where."""


@dataclass(frozen=True)
class Figure:
    """A printed figure: its table (None: that of the identity's rows), which rows of it, its column."""

    table: str | None
    kind: str | None
    field: str
    optional: bool = False
    previous: bool = False
    exact: bool = False

    @property
    def name(self) -> str:
        """The figure as the formula writes it; its column in a frame of figures."""
        table = f"{self.table}." if self.kind is None else f"{self.table}[{self.kind}]."
        return f"{'previous.' if self.previous else ''}{table if self.table else ''}{self.field}"


@dataclass(frozen=True)
class Number:
    """A number that the formula gives."""

    value: int


@dataclass(frozen=True)
class Positive:
    """What stands in it, or nothing where that would be negative."""

    inner: Node


@dataclass(frozen=True)
class Operation:
    """A sum, difference, product or quotient: `sign` is one of + - * /."""

    sign: str
    left: Node
    right: Node


Node = Figure | Number | Positive | Operation


@dataclass(frozen=True)
class Formula:
    """A figure, how it relates to the right side, and the right side."""

    text: str
    actual: Figure
    relation: Relation
    expected: Node

    @property
    def figures(self) -> tuple[Figure, ...]:
        """All figures, in the order in which the formula names them, each once."""
        return tuple(dict.fromkeys((self.actual, *_figures(self.expected))))

    @property
    def is_sum(self) -> bool:
        """Whether the right side only adds and subtracts, so that it is computed without rounding."""
        return _is_sum(self.expected)

    @property
    def is_constant(self) -> bool:
        """Whether the right side is a number that the formula gives, not the report."""
        return isinstance(self.expected, Number)


@dataclass(frozen=True)
class Comparison:
    """Expressions: both sides, how far they may be apart to be the same, the largest difference that printed
    rounding explains, and the names of the figures that are not printed, an empty text where all are.

    `outcome` is pass, rounding or fail; null where a figure that must be there is not, or a divisor is 0.
    """

    actual: pl.Expr
    expected: pl.Expr
    exact: pl.Expr
    tolerance: pl.Expr
    lacking: pl.Expr
    relation: Relation

    @property
    def outcome(self) -> pl.Expr:
        """How both sides compare."""
        return outcome(beyond(self.actual, pl.lit(self.relation), self.expected), self.exact, self.tolerance)


def error_column(name: str) -> str:
    """The column that holds the error of the figure `name`."""
    return f"{name} \u00b1"


def parse(text: str) -> Formula:
    """The formula that `text` writes. Raises FormulaError."""
    for relation in _RELATIONS:
        left, sign, right = text.partition(relation)
        if sign:
            actual = _Parser(left).whole()
            if not isinstance(actual, Figure):
                raise FormulaError(f"the left side of {text!r} must be one printed figure")
            return Formula(text, actual, relation, _Parser(right).whole())
    raise FormulaError(f"{text!r} has no =, <= or >=")


# What `sides` gives, as columns of a frame.
SIDES = pl.Schema(
    {
        "actual": VALUE,
        "expected": VALUE,
        "computed": pl.Float64(),
        "computed_error": pl.Float64(),
        "errors": VALUE,
        "largest": VALUE,
        "uncertain": pl.Int32(),
    }
)


def sides(formula: Formula) -> dict[str, pl.Expr]:
    """Both sides of a formula, over a frame with the columns `figure.name` and their errors: the `actual` figure and

    - of a sum what is `expected`, the `errors` of all its figures, the `largest` of them, how many are `uncertain`;
    - of any other formula what is `computed` and the `computed_error` of both sides, in floats, and the `errors` of
      the figure alone.
    """
    actual, expected = _evaluate(formula.actual), _evaluate(formula.expected)
    if not formula.is_sum:
        error = _float(actual.error) + _float(expected.error)
        computed = _float(expected.value)
        return {"actual": actual.value, "computed": computed, "computed_error": error, "errors": actual.error}
    named = [figure for figure in (formula.actual, *_figures(formula.expected)) if not figure.exact]
    errors = [pl.col(error_column(figure.name)) for figure in named]  # one that is not known counts as nothing
    return {
        "actual": actual.value,
        "expected": expected.value,
        "errors": pl.sum_horizontal(pl.lit(0).cast(VALUE), *errors),
        "largest": pl.max_horizontal(pl.lit(0).cast(VALUE), *errors),
        "uncertain": pl.sum_horizontal(pl.lit(value=False), *(error > 0 for error in errors)).cast(pl.Int32),
    }


def held(parts: Mapping[str, pl.Expr]) -> dict[str, pl.Expr]:
    """What is `expected`, how far it may be off to be the same (`exact`), and the largest difference that printed
    rounding explains (`tolerance`).

    `parts`: what `sides` gives of a sum or of another formula; or of both, as columns that are null where a formula
    does not give them.
    """
    held_sum, computed = {}, {}
    if "uncertain" in parts:
        held_sum = {
            "expected": parts["expected"],
            "exact": pl.lit(0).cast(VALUE),
            "tolerance": tolerance_of(parts["uncertain"], parts["errors"], parts["largest"]),
        }
    if "computed" in parts:
        computed = {
            "expected": _decimal(parts["computed"]),
            "exact": parts["errors"],  # what is computed has digits that are not printed
            "tolerance": _decimal(parts["computed_error"]),
        }
    if not (held_sum and computed):
        return held_sum or computed
    is_sum = parts["uncertain"].is_not_null()
    return {part: pl.when(is_sum).then(held_sum[part]).otherwise(computed[part]) for part in held_sum}


def compare(formula: Formula) -> Comparison:
    """The comparison of both sides, over a frame with the columns `figure.name` and their errors."""
    parts = sides(formula)
    return Comparison(actual=parts["actual"], **held(parts), lacking=lacking(formula), relation=formula.relation)


def lacking(formula: Formula) -> pl.Expr:
    """The names of the figures that must be there and are not printed, an empty text where all are."""
    needed = [figure.name for figure in formula.figures if not figure.optional]
    missing = [pl.when(pl.col(name).is_null()).then(pl.lit(name)) for name in needed]
    return pl.concat_str([pl.lit(None, pl.String), *missing], separator=", ", ignore_nulls=True)


@cache
def compared(formula: Formula, name: str) -> tuple[list[pl.Expr], list[pl.Expr]]:
    """The columns `<name> actual`, `expected`, `exact`, `tolerance` and `lacking`, and of a frame with them `<name>
    outcome`.

    Each side is computed once; an expression that only refers to others would be computed each time.
    """
    both = compare(formula)
    parts = ("actual", "expected", "exact", "tolerance", "lacking")
    actual, expected, exact, tolerance, missing = (pl.col(f"{name} {part}") for part in parts)
    known = Comparison(actual, expected, exact, tolerance, missing, both.relation)
    return [getattr(both, part).alias(f"{name} {part}") for part in parts], [known.outcome.alias(f"{name} outcome")]


def beyond(actual: pl.Expr, relation: pl.Expr, expected: pl.Expr) -> pl.Expr:
    """How far the relation is missed; 0 where it holds, null where a side is not known."""
    off = actual - expected
    off = pl.when(relation == "=").then(off.abs()).when(relation == "<=").then(off).otherwise(-off)
    return pl.when(off > 0).then(off).when(off <= 0).then(pl.lit(0).cast(VALUE))


def outcome(missed: pl.Expr, exact: pl.Expr, tolerance: pl.Expr) -> pl.Expr:
    """Pass within `exact`, rounding within `tolerance`, else fail; null where there is nothing to compare."""
    return (
        pl.when(missed.is_null())
        .then(None)
        .when(missed <= exact)
        .then(pl.lit("pass"))
        .when(missed <= tolerance)
        .then(pl.lit("rounding"))
        .otherwise(pl.lit("fail"))
    )


def tolerance_of(count: pl.Expr, total: pl.Expr, largest: pl.Expr) -> pl.Expr:
    """The largest difference that the rounding of a sum's figures explains: from the number of those that are not
    exact, the sum of their errors and the largest of them.

    Where only two figures are not exact, one must be the other: equal amounts are printed alike, unless
    one of them has fewer decimals.
    """
    alike = total == largest * 2
    return (
        pl.when((count == 2) & alike)  # noqa: PLR2004 - a figure and its equal
        .then(pl.lit(0).cast(VALUE))
        .when(count == 2)  # noqa: PLR2004
        .then(largest)
        .otherwise(total)
    )


# --- values and errors -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Quantity:
    """A value and its error; `exact` says that both are decimals, else they are floats."""

    value: pl.Expr
    error: pl.Expr
    exact: bool


def _evaluate(node: Node) -> _Quantity:
    if isinstance(node, Figure):
        value = pl.col(node.name)
        return _Quantity(value.fill_null(0) if node.optional else value, _error(node), exact=True)
    if isinstance(node, Number):
        return _Quantity(pl.lit(node.value).cast(VALUE), pl.lit(0).cast(VALUE), exact=True)
    if isinstance(node, Positive):
        inner = _evaluate(node.inner)
        positive = pl.when(inner.value < 0).then(inner.value * 0).otherwise(inner.value)
        return _Quantity(positive, inner.error, inner.exact)
    left, right = _evaluate(node.left), _evaluate(node.right)
    if node.sign not in "+-":
        return _product(node, _as_float(left), _as_float(right))
    if not (left.exact and right.exact):
        left, right = _as_float(left), _as_float(right)
    value = left.value + right.value if node.sign == "+" else left.value - right.value
    return _Quantity(value, left.error + right.error, left.exact)


def _product(node: Operation, left: _Quantity, right: _Quantity) -> _Quantity:
    """A product or quotient: the error is that of the factors at the far ends of their errors."""
    size, divisor = left.value.abs(), right.value.abs()
    if node.sign == "*" and isinstance(node.right, Number):
        return _Quantity(left.value * node.right.value, left.error * node.right.value, exact=False)
    if node.sign == "*":
        error = size * right.error + divisor * left.error + left.error * right.error
        return _Quantity(left.value * right.value, error, exact=False)
    safe = pl.when(divisor > right.error).then(divisor)
    quotient = pl.when(divisor > 0).then(left.value / right.value)
    return _Quantity(quotient, (left.error + quotient.abs() * right.error) / (safe - right.error), exact=False)


def _error(figure: Figure) -> pl.Expr:
    return pl.lit(0).cast(VALUE) if figure.exact else pl.col(error_column(figure.name)).fill_null(0)


def _as_float(quantity: _Quantity) -> _Quantity:
    return _Quantity(_float(quantity.value), _float(quantity.error), exact=False)


def _float(value: pl.Expr) -> pl.Expr:
    return value.cast(pl.Float64)


def _decimal(value: pl.Expr) -> pl.Expr:
    """A computed number as the tables hold it; null where it is too large for that."""
    fitting = pl.when(value.abs() < _TOO_LARGE).then(value)
    small = value.abs() < _FRACTIONS_BELOW
    rounded = pl.when(small).then(fitting.round(_FRACTION_DECIMALS)).otherwise(fitting.round(_FLOAT_DECIMALS))
    return rounded.cast(VALUE, strict=False)


def _figures(node: Node) -> Iterator[Figure]:
    if isinstance(node, Figure):
        yield node
    elif isinstance(node, Positive):
        yield from _figures(node.inner)
    elif isinstance(node, Operation):
        yield from _figures(node.left)
        yield from _figures(node.right)


def _is_sum(node: Node) -> bool:
    if isinstance(node, Operation):
        return node.sign in "+-" and _is_sum(node.left) and _is_sum(node.right)
    return _is_sum(node.inner) if isinstance(node, Positive) else True


# --- reading -----------------------------------------------------------------------------------------------

_TOKEN = re.compile(
    r"\s*(?:(?P<number>[0-9]+)|(?P<positive>positive(?=\())"
    r"|(?P<figure>(?:previous\.)?(?:[a-z_]+(?:\[[a-z_]+\])?\.)?[a-z][a-z0-9_]*[?!]?)|(?P<sign>[-+*/()]))"
)
_FIGURE = re.compile(
    r"(?P<previous>previous\.)?(?:(?P<table>[a-z_]+)(?:\[(?P<kind>[a-z_]+)\])?\.)?(?P<field>[a-z0-9_]+)(?P<mark>[?!])?"
)


class _Parser:
    """Reads one side of a formula: sums of products of factors."""

    def __init__(self, text: str) -> None:
        self._text = text.strip()
        self._tokens = list(self._split(self._text))
        self._at = 0

    def whole(self) -> Node:
        """The whole side."""
        node = self._sum()
        if self._at < len(self._tokens):
            raise FormulaError(f"{self._text!r}: {self._tokens[self._at][1]!r} was not expected there")
        return node

    def _split(self, text: str) -> Iterator[tuple[str, str]]:
        at = 0
        while at < len(text):
            token = _TOKEN.match(text, at)
            if token is None:
                raise FormulaError(f"{text!r}: {text[at:]!r} cannot be read")
            kind = str(token.lastgroup)
            yield kind, token[kind]
            at = token.end()

    def _next(self) -> tuple[str, str]:
        if self._at == len(self._tokens):
            raise FormulaError(f"{self._text!r} ends too early")
        self._at += 1
        return self._tokens[self._at - 1]

    def _sum(self) -> Node:
        return self._chain(self._product, "+-")

    def _product(self) -> Node:
        return self._chain(self._factor, "*/")

    def _chain(self, part: Callable[[], Node], signs: str) -> Node:
        node = part()
        while self._at < len(self._tokens) and self._tokens[self._at][1] in signs:
            sign = self._next()[1]
            node = Operation(sign, node, part())
        return node

    def _factor(self) -> Node:
        kind, text = self._next()
        if kind == "number":
            return Number(int(text))
        if kind == "figure":
            return _read_figure(text)
        if kind == "positive" or text == "(":
            if kind == "positive":
                self._next()
            inner = self._sum()
            if self._next()[1] != ")":
                raise FormulaError(f"{self._text!r}: a parenthesis is not closed")
            return Positive(inner) if kind == "positive" else inner
        raise FormulaError(f"{self._text!r}: {text!r} was not expected there")


def _read_figure(text: str) -> Figure:
    parts = _FIGURE.fullmatch(text)
    assert parts is not None, "a token of a figure has its form"
    return Figure(
        table=parts["table"],
        kind=parts["kind"],
        field=parts["field"],
        optional=parts["mark"] == "?",
        previous=bool(parts["previous"]),
        exact=parts["mark"] == "!",
    )
