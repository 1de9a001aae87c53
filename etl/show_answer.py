"""What people and programs see of the answer to a query."""

from __future__ import annotations

import datetime as dt
import json
import math
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import islice
from typing import Any

from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from etl.sql import Answer
from etl.terminal import MIN_WIDTH, hanging, printable, shown

ROWS_IN_GRID, ROWS_IN_BLOCKS = 100, 10

_NUMBERS = re.compile(r"(U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|UINTEGER|DECIMAL\(.*\)|FLOAT|DOUBLE)")
_NEEDS_QUOTES = re.compile(r'[",\r\n]')
_GAP = 2


def show_answer(answer: Answer) -> None:
    """Print the answer: on a terminal as a grid, or where that is too narrow as a block for each row;
    in a pipe as lines with tabs, all of them."""
    if answer.columns == ("explain_key", "explain_value"):
        for _, plan in answer.rows:
            sys.stdout.write("".join(f"{printable(line)}\n" for line in plan.rstrip().split("\n")))
    elif sys.stdout.isatty():
        _show_on_terminal(answer)
    else:
        write_tabs(answer)


def answer_as_tabs(answer: Answer) -> Iterator[str]:
    """A head and a line for each row, with tabs between; null is empty, control characters are blanks."""
    yield "\t".join(map(printable, answer.columns))
    for row in answer.rows:
        yield "\t".join("" if value is None else printable(_text(value)) for value in row)


def answer_as_csv(answer: Answer) -> Iterator[str]:
    """A head and a line for each row; null is empty, an empty text is `""`."""
    yield ",".join(map(_csv_field, answer.columns))
    for row in answer.rows:
        yield ",".join(map(_csv_field, row))


def answer_as_json(answer: Answer) -> Iterator[str]:
    """One array with an object for each row. Decimals, dates and times are strings, so nothing is lost."""
    objects = (json.dumps(_plain(dict(zip(answer.columns, row, strict=True)))) for row in answer.rows)
    yield "["
    for is_last, line in _with_last(objects):
        yield line if is_last else f"{line},"
    yield "]"


def _with_last(lines: Iterable[str]) -> Iterator[tuple[bool, str]]:
    """Each line, with whether it is the last."""
    waiting: str | None = None
    for line in lines:
        if waiting is not None:
            yield False, waiting
        waiting = line
    if waiting is not None:
        yield True, waiting


def write_tabs(answer: Answer) -> None:
    """Write the answer as lines with tabs."""
    _write(answer_as_tabs(answer))


def write_csv(answer: Answer) -> None:
    """Write the answer as CSV; what a terminal could obey is made blank there."""
    lines = answer_as_csv(answer)
    _write(map(printable, lines) if sys.stdout.isatty() else lines)


def write_json(answer: Answer) -> None:
    """Write the answer as one JSON array."""
    _write(answer_as_json(answer))


def _write(lines: Iterable[str]) -> None:
    for line in lines:
        sys.stdout.write(f"{line}\n")


def _csv_field(value: Any) -> str:
    if value is None:
        return ""
    text = _text(value)
    doubled = text.replace('"', '""')
    return f'"{doubled}"' if not text or _NEEDS_QUOTES.search(text) else text


def _text(value: Any) -> str:
    """A value in full; what has parts, as JSON."""
    plain = _plain(value)
    if isinstance(plain, bool | dict | list):
        return json.dumps(plain)
    return str(plain)


def _plain(value: Any) -> Any:
    """A value as JSON has it."""
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, dict):
        return {str(name): _plain(part) for name, part in value.items()}
    if value is None or isinstance(value, bool | int | str) or (isinstance(value, float) and math.isfinite(value)):
        return value
    return _word(value)


def _word(value: Any) -> str:
    """A value that JSON has no type for."""
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, dt.date | dt.time):  # and so the two together
        return value.isoformat()
    return value.hex() if isinstance(value, bytes) else str(value)


def _show_on_terminal(answer: Answer) -> None:
    console = Console(highlight=False, soft_wrap=True, emoji=False, markup=False)
    width = max(MIN_WIDTH, console.width)
    rows = list(islice(answer.rows, ROWS_IN_GRID + 1))
    cells = [[_cell(value) for value in row] for row in rows[:ROWS_IN_GRID]]
    needed = [max(map(len, column)) for column in zip(map(printable, answer.columns), *cells, strict=True)]
    most = ROWS_IN_GRID
    if sum(needed) + _GAP * (len(needed) - 1) <= width:
        console.print(_grid(answer, cells))
    else:
        most = ROWS_IN_BLOCKS
        for row in cells[:most]:
            for line in _block(answer.columns, row, width):
                console.print(line)
            console.print()
    if len(rows) > most:
        console.print(
            f"the first {most} rows, there are more; all of them: --csv, --json, or pipe the output", style="yellow"
        )
    elif len(rows) != 1:
        console.print(f"{len(rows) or 'no'} rows", style="dim")


def _cell(value: Any) -> str:
    if value is None:
        return "null"
    return printable(shown(value) if isinstance(value, Decimal) else _text(value))


def _grid(answer: Answer, cells: Sequence[Sequence[str]]) -> Grid:
    grid = Grid(box=None, pad_edge=False, padding=(0, _GAP, 0, 0))
    for name, sql_type in zip(answer.columns, answer.types, strict=True):
        justify: Any = "right" if _NUMBERS.fullmatch(sql_type) else "left"
        grid.add_column(Text(printable(name)), justify=justify, no_wrap=True)
    for row in cells:
        grid.add_row(*map(Text, row))
    return grid


def _block(columns: Sequence[str], row: Sequence[str], width: int) -> Iterator[Text]:
    """A row as a line for each column; long texts go on below."""
    names = [printable(name) for name in columns]
    longest = min(max(map(len, names)), width // 2)
    for name, text in zip(names, row, strict=True):
        yield from hanging(f"{name:<{longest}}  ", text or " ", width)
