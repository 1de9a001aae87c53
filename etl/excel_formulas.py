"""Declared formulas → formulas of a spreadsheet: the tree that `formulas` evaluates over frames, as text over cells.

What a figure refers to is asked of the caller; here stands how cells are named and how a tree is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from decimal import Context, Decimal
from itertools import pairwise

from etl.formulas import Figure, Node, Number, Positive, Relation

# What a spreadsheet takes: characters of a formula, arguments of a function, and the digits that its numbers carry.
MAX_FORMULA = 8192
MAX_ARGUMENTS = 255
MAX_DIGITS = 15

_LETTERS = 26
# The tables have at most 38 digits; the default context would round to 28.
_EXACT = Context(prec=40)
# How tightly the parts of a tree bind; what binds less than its surroundings stands in parentheses.
_BINDING = {"+": 1, "-": 1, "*": 2, "/": 2}


@dataclass(frozen=True)
class Cell:
    """A cell of a sheet: row and column count from 0; `value` is None where nothing is printed."""

    sheet: str
    row: int
    column: int
    value: Decimal | None

    @property
    def reference(self) -> str:
        """The cell as formulas of other sheets name it."""
        return f"{self.sheet}!{cell_name(self.row, self.column)}"

    @property
    def is_number(self) -> bool:
        """Whether a spreadsheet can hold the value as a number, to the last digit."""
        return self.value is None or fits(self.value)


def fits(value: Decimal) -> bool:
    """Whether a number of a spreadsheet has all digits of a value.

    >>> fits(Decimal("9007199254740993.00")), fits(Decimal("123456789012.3400000000"))
    (False, True)
    """
    return len(_EXACT.normalize(value).as_tuple().digits) <= MAX_DIGITS


def cell_name(row: int, column: int) -> str:
    """The name of a cell.

    >>> cell_name(0, 0), cell_name(9, 27)
    ('A1', 'AB10')
    """
    return f"{column_name(column)}{row + 1}"


def column_name(column: int) -> str:
    """The letters of a column.

    >>> column_name(25), column_name(26), column_name(702)
    ('Z', 'AA', 'AAA')
    """
    letters = ""
    rest = column + 1
    while rest:
        rest, letter = divmod(rest - 1, _LETTERS)
        letters = chr(ord("A") + letter) + letters
    return letters


def sum_of(cells: Iterable[Cell]) -> str:
    """The sum of some cells of one column; nothing is 0.

    >>> sum_of([Cell("pools", 1, 3, None), Cell("pools", 2, 3, None), Cell("pools", 5, 3, None)])
    'SUM(pools!D2:D3,pools!D6)'
    """
    ordered = sorted(cells, key=lambda cell: cell.row)
    if not ordered:
        return "0"
    return ordered[0].reference if len(ordered) == 1 else _sum(list(_ranges(ordered)))


def _sum(terms: list[str]) -> str:
    """The sum of terms: of sums, where they are more than a function takes."""
    if len(terms) <= MAX_ARGUMENTS:
        return f"SUM({','.join(terms)})"
    return _sum([_sum(terms[at : at + MAX_ARGUMENTS]) for at in range(0, len(terms), MAX_ARGUMENTS)])


def expression(node: Node, cells_of: Callable[[Figure], Iterable[Cell]]) -> str:
    """A side of a formula, without the equals sign. `cells_of` gives the cells that a figure is the sum of."""
    return _written(node, cells_of, 0)


def missed(difference: str, relation: Relation) -> str:
    """By how much a relation is missed, given the difference of its sides.

    >>> missed("H2", "<=")
    'MAX(H2,0)'
    """
    return {"=": f"ABS({difference})", "<=": f"MAX({difference},0)", ">=": f"MAX(-{difference},0)"}[relation]


def _written(node: Node, cells_of: Callable[[Figure], Iterable[Cell]], around: int) -> str:
    if isinstance(node, Figure):
        return sum_of(cells_of(node))
    if isinstance(node, Number):
        return str(node.value)
    if isinstance(node, Positive):
        return f"MAX(0,{_written(node.inner, cells_of, 0)})"
    binding = _BINDING[node.sign]
    left, right = _written(node.left, cells_of, binding), _written(node.right, cells_of, binding + 1)
    text = f"{left}{node.sign}{right}"
    return f"({text})" if binding < around else text


def _ranges(ordered: list[Cell]) -> Iterator[str]:
    """Cells of one column as ranges without gaps."""
    starts = [0, *(at for at, (one, two) in enumerate(pairwise(ordered), 1) if two.row != one.row + 1), len(ordered)]
    for start, end in pairwise(starts):
        first, last = ordered[start], ordered[end - 1]
        yield first.reference if first is last else f"{first.reference}:{cell_name(last.row, last.column)}"
