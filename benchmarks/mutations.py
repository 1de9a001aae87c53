"""Wrong figures on purpose: a report's text and its records → texts in which one thing is wrong.

Every edit goes by the lines and columns of the records, so it works for any layout. What is drawn at
random is drawn from the given `Random` alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from itertools import combinations, groupby, pairwise
from random import Random

import polars as pl

from etl.cells import NUMERIC_UNITS
from etl.layout import Layout
from etl.patterns import cell as grammar

TABLES = ("classes", "pools", "delinquencies", "measures")
CUSIP = "cusip"

ANY_DIGIT = "any digit"
LEADING_DIGIT = "leading digit"
SWAPPED_ROWS = "swapped rows"
DROPPED_ROW = "dropped row"
SHIFTED_COLUMN = "shifted column"
EXCHANGED_CELLS = "exchanged cells"
DIGITS = (ANY_DIGIT, LEADING_DIGIT)
STRUCTURAL = (SWAPPED_ROWS, DROPPED_ROW, SHIFTED_COLUMN, EXCHANGED_CELLS)

# Pairs of rows that are no neighbours, drawn from each block without labels.
OTHER_PAIRS = 20


@dataclass(frozen=True)
class Cell:
    """A printed figure: what it is, and where it stands. `line` counts from 0; `value` is null for `N/A`, a
    blank and a CUSIP."""

    table: str
    block: str
    column: str
    field: str
    unit: str
    raw: str
    value: Decimal | None
    line: int
    start: int

    @property
    def end(self) -> int:
        """Where the cell ends on its line."""
        return self.start + len(self.raw)

    @property
    def has_digits(self) -> bool:
        """Whether there is a digit to change."""
        return self.value is not None or (self.field == CUSIP and bool(re.search("[0-9]", self.raw)))


@dataclass(frozen=True)
class Mutation:
    """A text with one thing wrong. `cell` is the changed one, or the first of the changed ones; `change` is
    by how much its value changed, where one digit was changed."""

    kind: str
    cell: Cell
    text: str
    what: str
    change: Decimal | None = None


def cells(records: pl.DataFrame) -> list[Cell]:
    """The figures among the records of one report, in printed order."""
    figures = records.with_columns(pl.col("table", "block", "field", "unit", "column_label").cast(pl.String))
    figures = figures.filter(
        pl.col("table").is_in(TABLES) & (pl.col("unit").is_in(NUMERIC_UNITS) | (pl.col("field") == CUSIP))
    )
    column = pl.coalesce("column_label", "field")  # the labels of columns name their group too
    shaped = figures.sort("line", "column_start", maintain_order=True).select(
        "table", "block", column, "field", "unit", "raw", "value", pl.col("line") - 1, "column_start"
    )
    return [Cell(*row) for row in shaped.iter_rows()]


# --- one digit --------------------------------------------------------------------------------------------


def changed_digits(kind: str, text: str, figures: Sequence[Cell], rng: Random) -> Iterator[Mutation]:
    """For each cell with digits, the text with one digit of it changed; `kind` says which digit."""
    for cell in figures:
        choices = _changeable(cell)
        if choices:
            position = _leading(cell.raw, choices) if kind == LEADING_DIGIT else rng.choice(list(choices))
            raw = rng.choice(choices[position])
            what = f"{_place(cell)}: {raw} for {cell.raw}"
            yield Mutation(kind, cell, _with_lines(text, _edited(text, [(cell, raw)])), what, _change(cell, raw))


def _changeable(cell: Cell) -> dict[int, list[str]]:
    """For each position of a digit, the texts with another digit there that the cell's grammar reads."""
    if not cell.has_digits:
        return {}
    expression = _grammar(cell.field, cell.unit)
    choices = {}
    for found in re.finditer("[0-9]", cell.raw):
        at = found.start()
        others = [cell.raw[:at] + digit + cell.raw[at + 1 :] for digit in "0123456789" if digit != found.group()]
        if readable := [raw for raw in others if expression.fullmatch(raw)]:
            choices[at] = readable
    return choices


@cache
def _grammar(field: str, unit: str) -> re.Pattern[str]:
    return re.compile(grammar(field, unit))


def _leading(raw: str, positions: dict[int, list[str]]) -> int:
    """The first digit that is not zero; of a zero, and of a CUSIP that begins with letters, the first."""
    return next((at for at in positions if raw[at] != "0"), min(positions))


def _change(cell: Cell, raw: str) -> Decimal | None:
    """By how much the value of the cell has changed, whatever the sign."""
    if cell.value is None:
        return None
    old, new = (Decimal(re.sub("[^0-9.]", "", text)) for text in (cell.raw, raw))
    return abs(new - old) / (100 if cell.unit == "fraction" else 1)


# --- rows and columns -------------------------------------------------------------------------------------


def swapped_rows(text: str, figures: Sequence[Cell], layout: Layout, rng: Random) -> Iterator[Mutation]:
    """Two rows of a block without labels change places: all neighbours, and a sample of the other pairs."""
    unlabelled = {block.name for block in layout.blocks if block.labels_from is not None}
    lines = text.split("\n")
    for block, rows in _rows(figures).items():
        if block not in unlabelled:
            continue
        others = [(a, b) for a, b in combinations(range(len(rows)), 2) if b - a > 1]
        drawn = sorted(rng.sample(others, min(OTHER_PAIRS, len(others))))
        for a, b in [*pairwise(range(len(rows))), *drawn]:
            if _raws(rows[a]) != _raws(rows[b]):
                first, second = rows[a][0], rows[b][0]
                edits = {first.line: lines[second.line], second.line: lines[first.line]}
                what = f"{block}, lines {first.line + 1} and {second.line + 1}"
                yield Mutation(SWAPPED_ROWS, first, _with_lines(text, edits), what)


def dropped_rows(text: str, figures: Sequence[Cell]) -> Iterator[Mutation]:
    """Each row of each block is lost."""
    for block, rows in _rows(figures).items():
        for row in rows:
            what = f"{block}, line {row[0].line + 1}"
            yield Mutation(DROPPED_ROW, row[0], _with_lines(text, {row[0].line: None}), what)


def shifted_columns(text: str, figures: Sequence[Cell]) -> Iterator[Mutation]:
    """The cells of each column of numbers move down by one row; the last one moves to the top.

    Only where some number takes the place of another one: where `N/A` and zero change places, no figure is
    wrong. CUSIPs do not move: nothing in a report says which class has which.
    """
    for rows in _rows(figures).values():
        columns: dict[str, list[Cell]] = {}
        for cell in (cell for row in rows for cell in row if cell.field != CUSIP):
            columns.setdefault(cell.column, []).append(cell)
        for column, below in columns.items():
            above = [below[-1], *below[:-1]]
            edits = [(cell, other.raw) for cell, other in zip(below, above, strict=True)]
            if any(_differ(cell, other) for cell, other in zip(below, above, strict=True)):
                what = f"{below[0].block}, column {column}"
                yield Mutation(SHIFTED_COLUMN, below[0], _with_lines(text, _edited(text, edits)), what)


def exchanged_cells(text: str, figures: Sequence[Cell]) -> Iterator[Mutation]:
    """Two neighbouring numbers of one row change places."""
    for row in (row for rows in _rows(figures).values() for row in rows):
        for left, right in pairwise(row):
            if _differ(left, right):
                edits = [(left, right.raw), (right, left.raw)]
                what = f"{_place(left)}: {left.raw} and {right.raw}"
                yield Mutation(EXCHANGED_CELLS, left, _with_lines(text, _edited(text, edits)), what)


def structural(text: str, figures: Sequence[Cell], layout: Layout, rng: Random) -> Iterator[Mutation]:
    """All mutations of rows and columns."""
    yield from swapped_rows(text, figures, layout, rng)
    yield from dropped_rows(text, figures)
    yield from shifted_columns(text, figures)
    yield from exchanged_cells(text, figures)


def _rows(figures: Sequence[Cell]) -> dict[str, list[list[Cell]]]:
    """The rows of each block: the figures of a line."""
    rows: dict[str, list[list[Cell]]] = {}
    for (block, _), row in groupby(figures, key=lambda cell: (cell.block, cell.line)):
        rows.setdefault(block, []).append(list(row))
    return rows


def _differ(one: Cell, other: Cell) -> bool:
    """Whether both are numbers, and not the same one."""
    return one.value is not None and other.value is not None and one.value != other.value


def _raws(row: Sequence[Cell]) -> list[str]:
    return [cell.raw for cell in row]


def _place(cell: Cell) -> str:
    return f"{cell.block}.{cell.field}, line {cell.line + 1}"


# --- text -------------------------------------------------------------------------------------------------


def _edited(text: str, edits: Sequence[tuple[Cell, str]]) -> dict[int, str]:
    """The lines that change when each cell gets its new text."""
    lines = text.split("\n")
    changed: dict[int, str] = {}
    for cell, raw in sorted(edits, key=lambda edit: (edit[0].line, -edit[0].start)):  # the last cell of a line first
        changed[cell.line] = _placed(changed.get(cell.line, lines[cell.line]), cell, raw)
    return changed


def _placed(line: str, cell: Cell, raw: str) -> str:
    """The line with `raw` in place of the cell; what follows stays where it is if the blanks before suffice."""
    before, after = line[: cell.start], line[cell.end :]
    spare = len(before) - len(before.rstrip(" ")) - 1
    longer = len(raw) - len(cell.raw)
    before = before[: len(before) - max(0, min(longer, spare))] + " " * max(0, -longer)
    return before + raw + after


def _with_lines(text: str, edits: Mapping[int, str | None]) -> str:
    """The text with these lines replaced, or taken out."""
    lines: list[str | None] = list(text.split("\n"))
    for number, line in edits.items():
        lines[number] = line
    return "\n".join(line for line in lines if line is not None)
