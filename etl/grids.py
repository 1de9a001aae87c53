"""Grids of figures for a terminal: columns whose numbers have as many decimals, as wide as they need."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from typing import Any, Literal

from rich.cells import cell_len
from rich.table import Table as Grid
from rich.text import Text

from etl.terminal import printable

Rows = Sequence[Mapping[str, Any]]

# Grids are as wide as their figures: a terminal that is narrower wraps their lines, and nothing is cut off.
ANY_WIDTH = 1000
GAP = 2
# More digits than any declared type.
_EXACT = Context(prec=60)
WORDS_WIDTH = 14


@dataclass(frozen=True)
class Column:
    """A column of a grid."""

    head: str
    cells: Sequence[Text]
    justify: Literal["left", "right"] = "left"


def grid_of(*columns: Column | None, padding: tuple[int, int, int, int] = (0, GAP, 0, 0)) -> Grid:
    """The columns side by side, without those that are None."""
    shown = [column for column in columns if column is not None]
    grid = Grid(box=None, pad_edge=False, padding=padding)
    for column in shown:
        grid.add_column(Text("\n".join(map(printable, column.head.split("\n")))), justify=column.justify, no_wrap=True)
    for cells in zip(*(column.cells for column in shown), strict=True):
        grid.add_row(*cells)
    return grid


def texts(head: str, lines: Iterable[str]) -> Column:
    """A column of words."""
    return Column(head, [Text(printable(line)) for line in lines])


def figures(head: str, rows: Rows, field: str, mark: str = "", *, signed: bool = False) -> Column:
    """A column of figures; what stands before and after has as many decimals on both sides."""
    sides = [re.sub("_(before|after)$", side, field) for side in ("_before", "_after")]
    places = decimals([row[side] for side in dict.fromkeys(sides) for row in rows], mark)
    return Column(head, [figure(row[field], places, mark, signed=signed) for row in rows], "right")


def figure(value: Decimal | int | None, places: int | None = None, mark: str = "", *, signed: bool = False) -> Text:
    """A number with so many decimals, by default its own; `-` is not printed, `%` marks a fraction."""
    if value is None:
        return Text("-")
    number = scaled(value, mark)
    own = decimals([value], mark) if places is None else places
    return Text(f"{number:{'+' if signed and number else ''},.{own}f}{mark}")


def scaled(value: Decimal | int, mark: str) -> Decimal:
    """A number as it is shown: a fraction that is marked with % a hundred times as large, to the last digit."""
    return _EXACT.multiply(Decimal(value), 100) if mark else Decimal(value)


def decimals(values: Iterable[Decimal | int | None], mark: str = "") -> int:
    """How many decimals these numbers need, without zeros at their end; cents are two."""
    numbers = [scaled(value, mark) for value in values if value is not None]
    needed = max((len(f"{number:f}".partition(".")[2].rstrip("0")) for number in numbers), default=0)
    return 2 if needed == 1 else needed


def strips(columns: Sequence[Column], width: int) -> Iterator[Grid]:
    """The columns in as many grids as a width needs, each with the first of them: it says what the rows are."""
    key, *others = columns
    strip: list[Column] = []
    for column in others:
        if strip and width_of([key, *strip, column]) > width:
            yield grid_of(key, *strip)
            strip = []
        strip.append(column)
    yield grid_of(key, *strip)


def width_of(columns: Sequence[Column]) -> int:
    """How wide the columns are side by side."""
    return sum(map(_width, columns)) + GAP * (len(columns) - 1)


def _width(column: Column) -> int:
    return max(cell_len(line) for line in (*column.head.split("\n"), *(cell.plain for cell in column.cells)))


def stacked(name: str) -> str:
    """The name of a column as a head of several lines, none longer than a figure where its words let it:
    `principal_distribution` over two."""
    lines: list[str] = []
    for word in re.findall(r"[^_ ]++[_ ]*+|[_ ]++", name):
        if lines and cell_len(lines[-1] + word.rstrip()) <= WORDS_WIDTH:
            lines[-1] += word
        else:
            lines.append(word)
    return "\n".join(line.rstrip(" ") for line in lines)
