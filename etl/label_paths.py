"""The numbers of a text that no layout reads, each with its path: the label of its row and the head of its column.

Both are as printed, and nothing is concluded from them. The label is what stands before the number: in a row of a table
that of the row, elsewhere the words since the figure before it. A line that begins with its number takes those of
the line right above, if that has no number. The head is that of the column of a table in which the number stands.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from etl.cells import NUMBER, VALUE
from etl.drafting import DraftRow, DraftTable

MAX_LABEL = 200

_NUMBER = re.compile(NUMBER)
_AMOUNT = re.compile(r"(?:[0-9]{1,3}(?:,[0-9]{3})++|[0-9]++)(?:\.[0-9]++)?")
_WORD = re.compile(r"[^\W\d_]")
# Lines above a table that have one are rows of another kind, and no heads; years and `per $1,000` are none.
_FIGURE = re.compile(
    r"(?<![0-9/.,-])(?!1,?000\b|(?:19|20)[0-9]{2}\b)(?:[0-9]{3}|[0-9]{1,2},[0-9]{3}|[0-9]{1,2}\.[0-9])"
)
# Of a word of so many characters more is never looked at.
_LONGEST_WORD = 40
# What stands between a label and its number and belongs to neither.
_LEADERS = re.compile(r"[._$|=*:]+")
_TAG = "<"
_LEADER_DOTS = "..", "__"
# So many digits before the point does a record hold.
_MAX_WHOLE = VALUE.precision - VALUE.scale


@dataclass(frozen=True)
class Number:
    """A printed number: its line and characters, its path, and what it stands for, with its printed decimals."""

    line: int
    start: int
    end: int
    raw: str
    row_label: str | None
    column_label: str | None
    value: Decimal | None
    decimals: int | None

    @property
    def place(self) -> tuple[int, int, int]:
        """Its line, its first character and the first one after it."""
        return self.line, self.start, self.end

    @property
    def digits(self) -> tuple[int, int]:
        """Where it stands, without the signs around it."""
        return self.end - len(self.raw.lstrip("(-$")), self.start + len(self.raw.rstrip("%)"))


def numbers_in(text: str, first_line: int, tables: Sequence[DraftTable]) -> Iterator[Number]:
    """All numbers of a text, in printed order, in time that is linear in its length."""
    rows = {row.line: (table, row) for table in tables for row in table.rows}
    above = ""  # the line above, if it has no number
    for line_number, line in enumerate(text.split("\n"), first_line):
        numbers = list(_NUMBER.finditer(line))
        if not numbers:
            above = line
            continue
        placed = rows.get(line_number)
        paths = _of_line(line, numbers, above) if placed is None else _of_row(*placed, numbers)
        for found, path in zip(numbers, paths, strict=True):
            value, decimals = _value(line, found) if path.is_figure else (None, None)
            place = line_number, found.start(), found.end()
            yield Number(*place, found[0], path.row or None, path.column or None, value, decimals)
        above = ""


@dataclass(frozen=True)
class _Path:
    """Where a number belongs, and whether it is a figure by itself, not a part of a word."""

    row: str
    column: str
    is_figure: bool


# --- labels ------------------------------------------------------------------------------------------------------


def _of_line(line: str, numbers: Sequence[re.Match[str]], above: str) -> Iterator[_Path]:
    """The path of each number of a line that is no row of a table."""
    label, end, after_figure = "", 0, False
    above = "" if above.lstrip().startswith(_TAG) else _label(above)
    for found in numbers:
        between = line[end : found.start()]
        goes_on = after_figure and not _WORD.search(between)
        text = between if after_figure and not goes_on else f"{label}{between}"
        after_figure = _is_figure(line, found, between)
        if after_figure:
            label = label if goes_on else _label(text)
            yield _Path(label or above, "", is_figure=True)
        else:
            before, word = _parted(text)
            said = _label(before) or _whole_word(line, found.start() - len(word)) or above
            yield _Path(said, "", is_figure=False)
            label = f"{text}{found[0]}"[-MAX_LABEL:]
        end = found.end()


def _is_figure(line: str, found: re.Match[str], between: str) -> bool:
    """Whether a number is a figure, and not a part of a word such as A-1, 30-59 or 12/31/2003.

    A label may touch its figure, if that is printed as an amount.
    """
    after = line[found.end() : found.end() + 2]
    touches = bool(after) and (after[0].isalnum() or (after[0] in "-/'\u2013" and after[1:].isalnum()))
    last = between[-1:]
    joined = bool(last) and not last.isspace() and last not in "$(|=:;,_."
    return not touches and (not joined or "," in found[0] or "." in found[0])


def _parted(text: str) -> tuple[str, str]:
    """The text before a number, in two: what stands before the word that it is in, and the beginning of that word."""
    words = text.rsplit(maxsplit=1)
    if not words or text[-1].isspace():
        return text, ""
    return text[: -len(words[-1])], words[-1]


def _whole_word(line: str, start: int) -> str:
    """The word that begins there, if it has letters."""
    words = line[start : start + _LONGEST_WORD].split(maxsplit=1)
    return words[0] if words and _WORD.search(words[0]) else ""


def _label(text: str) -> str:
    """A text as a label: its words, the leaders that lead to the number left out; empty where it has no letters."""
    if not _WORD.search(text):
        return ""
    words = text.split()
    while words and _LEADERS.fullmatch(words[-1]):
        words.pop()
    words = [word for word in words if not word.startswith(_LEADER_DOTS) and word != "|"]
    if words and words[-1].endswith(_LEADER_DOTS):
        words[-1] = words[-1].rstrip("._")
    return _shown(" ".join(words))


def _shown(label: str) -> str:
    return " ".join(label[-4 * MAX_LABEL :].split())[-MAX_LABEL:].strip()


# --- tables ------------------------------------------------------------------------------------------------------


def _of_row(table: DraftTable, row: DraftRow, numbers: Sequence[re.Match[str]]) -> Iterator[_Path]:
    """The path of each number of a row."""
    label = _shown(row.label)
    headed = not any(_FIGURE.search(line) for line in table.heads)
    cells = [(cell, column) for cell, column in zip(row.cells, table.columns, strict=True) if cell is not None]
    at = 0
    for found in numbers:
        while at < len(cells) and cells[at][0].end <= found.start():
            at += 1
        if at < len(cells) and cells[at][0].start < found.end():
            column = cells[at][1]
            yield _Path(label, _shown(column.head) if headed else "", is_figure=not column.is_text)
        else:
            yield _Path(label, "", is_figure=False)


# --- values ------------------------------------------------------------------------------------------------------


def _value(line: str, found: re.Match[str]) -> tuple[Decimal | None, int | None]:
    """What a figure stands for, percentages as fractions, and its decimals; nothing where it is no plain amount, has
    half of its parentheses or more digits than a record holds, or where a point before it may belong to it."""
    raw = found[0]
    digits = raw.strip("($-%)")
    before = line[max(found.start() - 2, 0) : found.start()]
    doubtful = before.endswith(".") and (before != ".." or digits.isdigit())
    if doubtful or not _AMOUNT.fullmatch(digits) or raw.startswith("(") != raw.endswith(")"):
        return None, None
    whole, _, decimals = digits.replace(",", "").partition(".")
    is_percentage = "%" in raw
    if len(whole) > _MAX_WHOLE or len(decimals) + 2 * is_percentage > VALUE.scale:
        return None, None
    value = Decimal(f"{whole}.{decimals or 0}").scaleb(-2 * is_percentage)
    return (-value if raw.startswith(("(", "-")) else value), len(decimals)
