"""The pattern language of layouts: a regular expression that looks like the printed line.

- a blank stands for any run of blanks, and ` ?` for one that may be missing (in a `find`, line
  breaks count as blanks);
- `{field}` stands for a printed cell of that field; what a cell may look like follows from the unit
  that the schema gives the field;
- `(?P<field>...)` gives a cell its own expression;
- `?` behind a field of a row: the cell may be missing there;
- the rest is a regular expression in Rust's dialect, which polars compiles and runs in linear time.
  Groups are written `(?:...)`; fields stand outside of groups.

Every stretch between two cells is captured as well. So the lengths of the captures say where each
cell stands on its line, for a whole column of lines at once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from itertools import accumulate

import polars as pl

NOT_APPLICABLE = ("N/A", "n/a", "NA")
# Asterisks stand for a number that was too long for its place in the print.
OVERFLOW = r"\*{3}[*.,]*(?:[ \t]*%)?"
_NOT_APPLICABLE = "|".join((*NOT_APPLICABLE, OVERFLOW))
# The sign of a percentage; blanks may stand before it.
_PERCENT = r"[ \t]*%"
_DIGITS = r"(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)"
_DECIMAL = rf"(?:{_DIGITS}(?:\.[0-9]*)?|\.[0-9]+)"


def _number(number: str, percent: str = "") -> str:
    """A number with its sign: a leading minus, or parentheses around it; `$` may stand before it."""
    return rf"(?:-?\$?{number}{percent}|\$?\(-?\$?{number}{percent}\))"


_DATE = (
    r"(?:[0-9]{1,2}-[A-Za-z]{3,9}-[0-9]{2,4}|[0-9]{1,2}/[0-9]{1,2}/[0-9]{2,4}"
    r"|[0-9]{4}-[0-9]{2}-[0-9]{2}|[A-Z][a-z]{2,8}\s+[0-9]{1,2},?\s+[0-9]{4})"
)
# How dates are parsed, and what they must look like first: the parser itself would read a month and a year as a day.
DATE_FORMATS = {
    "%d-%B-%y": "[0-9]{1,2}-[A-Za-z]{3,9}-[0-9]{2}",
    "%d-%B-%Y": "[0-9]{1,2}-[A-Za-z]{3,9}-[0-9]{4}",
    "%m/%d/%y": "[0-9]{1,2}/[0-9]{1,2}/[0-9]{2}",
    "%m/%d/%Y": "[0-9]{1,2}/[0-9]{1,2}/[0-9]{4}",
    "%Y-%m-%d": "[0-9]{4}-[0-9]{2}-[0-9]{2}",
    "%B %d, %Y": "[A-Za-z]{3,9} [0-9]{1,2}, ?[0-9]{4}",
    "%B %d %Y": "[A-Za-z]{3,9} [0-9]{1,2} [0-9]{4}",
}

# What a cell of a unit may look like. A percentage needs its sign: 12 is not read as 12%, but where the layout says
# that the family prints a field without it (`UNSIGNED`).
UNSIGNED = "unsigned percentage"
CELLS = {
    "usd": rf"(?:{_number(_DECIMAL)}|{_NOT_APPLICABLE})",
    "per_1000": rf"(?:{_number(_DECIMAL)}|{_NOT_APPLICABLE})",
    "months": rf"(?:{_number(_DECIMAL)}|{_NOT_APPLICABLE})",
    "fraction": rf"(?:{_number(_DECIMAL, _PERCENT)}|{_NOT_APPLICABLE})",
    UNSIGNED: rf"(?:{_number(_DECIMAL, f'(?:{_PERCENT})?')}|{_NOT_APPLICABLE})",
    "count": rf"(?:{_number(_DIGITS)}|{_NOT_APPLICABLE})",
    "date": _DATE,
    "flag": r"(?:YES|NO|Yes|No|N/A)",
}
# Text cells that have one look everywhere.
TEXT_CELLS = {
    "class_id": r"[A-Z][A-Za-z0-9]*(?:[-_][A-Za-z0-9]+)*",
    "cusip": r"(?:[0-9A-Z*@#]{9}|0(?:\.00)?|N/A)",
    "group_id": r"[A-Z][A-Za-z]*(?: [0-9]+)?",
}
# Any cell that may stand at the end of a labelled line; its field's own look is checked afterwards.
ANY_CELL = rf"(?:{_DATE}|{_number(_DECIMAL, f'(?:{_PERCENT})?')}|YES|NO|Yes|No|{_NOT_APPLICABLE})"


# So many expressions are kept; layouts that are made for one document come and go.
_KEPT = 2000
# What a pattern may be at the most: its length, how deep its groups stand in each other, its share of the 10 MiB that
# the engine allows a compiled expression.
MAX_LENGTH = 4000
MAX_DEPTH = 40
MAX_SHARE = 1 / 4


def printed_unit(unit: str, name: str, unsigned: Collection[str]) -> str:
    """How a field of a unit is printed: as its unit, but for those whose percentages have no sign."""
    return UNSIGNED if unit == "fraction" and name in unsigned else unit


class PatternError(ValueError):
    """A pattern cannot be compiled; the text says which part and what to write instead."""


@dataclass(frozen=True)
class Place:
    """A place where a pattern fits: where it begins, and the first character and the text of each cell."""

    start: int
    cells: tuple[tuple[int, str], ...]


@dataclass(frozen=True)
class Pattern:
    """A compiled pattern.

    `search` fits where the pattern does.
    `expression` captures what stands before the match, then gap, cell, gap, cell, ..., gap;
    `fields` names the cells in order, `optional` those that may be missing. `starts` fit where the line begins as the
    pattern does, up to each of the cells.
    """

    source: str
    search: str
    expression: str
    fields: tuple[str, ...]
    whole_line: bool = False
    optional: tuple[str, ...] = ()
    starts: tuple[str, ...] = ()

    def matches(self, text: pl.Expr) -> pl.Expr:
        """Whether the pattern fits `text`."""
        return text.str.contains(self.search)

    def capture(self, frame: pl.LazyFrame, column: str) -> pl.LazyFrame:
        """The rows of `frame` whose `column` is a line that the pattern of a row fits, with new columns for cell i:
        `<i>` (its text; null where it is missing) and `<i>_start` (its first character)."""
        captured = frame.with_columns(groups_of(column, self.expression).alias(_GROUPS))
        fitting = captured.filter(pl.col(_GROUPS).struct.field("1").is_not_null())
        return fitting.with_columns(_captured_cells(len(self.fields))).drop(_GROUPS)

    def places(self, texts: Sequence[str]) -> Iterator[Place | None]:
        """The first place in each text where a pattern that may stand anywhere fits; None where it fits nowhere.

        To capture costs many times what it costs to find, for each character from the first on. A line is short, but a
        paragraph may be the whole document: so only what stands from the match on is captured.
        """
        found = pl.Series(_TEXT, texts, dtype=pl.String).str.find(self.search)
        starts = [_characters(text, start) for text, start in zip(texts, found, strict=True)]
        content = [None if start is None else text[start:] for text, start in zip(texts, starts, strict=True)]
        captured = pl.DataFrame({_TEXT: content}, schema={_TEXT: pl.String}).select(groups_of(_TEXT, self.expression))
        for start, groups in zip(starts, captured.to_series().struct.unnest().iter_rows(), strict=True):
            if start is None or groups[0] is None:
                yield None
            else:
                ends = list(accumulate(map(len, groups), initial=start))  # groups: before, gap, cell, gap, ..., gap
                yield Place(ends[1], tuple(zip(ends[2:-1:2], groups[2::2], strict=True)))


_GROUPS, _TEXT = "captured groups", "text from the match on"


@lru_cache(_KEPT)
def groups_of(column: str, expression: str) -> pl.Expr:
    """What each group of the expression captures in a column. To build this compiles the expression, so it is kept."""
    return pl.col(column).str.extract_groups(expression)


@cache
def _captured_cells(count: int) -> list[pl.Expr]:
    """The text and the first character of each cell, from the groups of an expression."""

    def length(group: int) -> pl.Expr:
        return pl.col(_GROUPS).struct.field(str(group)).str.len_chars().cast(pl.Int32)

    parts = []
    for index in range(count):
        before = [length(group) for group in range(1, 2 * index + 3)]
        cell_text = pl.col(_GROUPS).struct.field(str(2 * index + 3))
        parts += [cell_text.alias(f"{index}"), pl.sum_horizontal(before).alias(f"{index}_start")]
    return parts


def _characters(text: str, end: int | None) -> int | None:
    """How many characters stand before a byte of a text."""
    return end if end is None or text.isascii() else len(text.encode()[:end].decode())


def cell(field: str, unit: str | None) -> str:
    """The expression of a printed cell of `field`.

    Raises PatternError where the unit does not say what the cell looks like.
    """
    if field in TEXT_CELLS:
        return TEXT_CELLS[field]
    if unit in CELLS:
        return CELLS[unit]
    raise PatternError(f"{{{field}}}: a text field needs its own expression: write (?P<{field}>...)")


def compile_row(source: str, unit_of: Callable[[str], str | None]) -> Pattern:
    """A pattern that must fit a whole line."""
    return _compile(source, unit_of, flags="", whole_line=True)


def compile_find(source: str, unit_of: Callable[[str], str | None], *, any_case: bool = False) -> Pattern:
    """A pattern that may stand anywhere in a paragraph, with `any_case` whatever its capitals."""
    return _compile(source, unit_of, flags="(?si)" if any_case else "(?s)", whole_line=False)


def compile_search(source: str) -> str:
    """A plain expression in which a blank stands for any run of blanks; it holds no fields.

    Raises PatternError where it does not compile.
    """
    parts = _parse(source, lambda _field: None)
    if any(isinstance(part, _Cell) for part in parts):
        raise PatternError("this expression takes no fields")
    expression = _optional_blanks("".join(part for part in parts if isinstance(part, str)))
    _check(expression)
    return expression


def fitting_start(pattern: Pattern, line: str) -> tuple[int, str]:
    """Of a row's pattern that does not fit a line: how many of its fields stand there, and what follows them."""
    text = pl.Series([line])
    for count in range(len(pattern.starts), 0, -1):
        start = text.str.extract(f"({pattern.starts[count - 1]})", 1).item()
        rest = line[len(start or "") :]
        if start is not None and not (start[-1:].isalnum() and rest[:1].isalnum()):  # within a word is no end of a cell
            return count, rest.strip()
    return 0, line.strip()


@dataclass(frozen=True)
class _Cell:
    field: str
    expression: str
    optional: bool = False


def _compile(source: str, unit_of: Callable[[str], str | None], *, flags: str, whole_line: bool) -> Pattern:
    parts = _parse(source, unit_of)
    if "|" in _top_level(source):
        raise PatternError("alternatives stand in a group: (?:a|b)")
    cells = [part for part in parts if isinstance(part, _Cell)]
    if not whole_line and any(part.optional for part in cells):
        raise PatternError("only a row may lack a field; write two finds")
    gaps = _gaps(parts)
    if whole_line:
        gaps[0], gaps[-1] = rf"\s*{gaps[0]}", rf"{gaps[-1]}\s*$"
    search, captures, starts = gaps[0], f"({gaps[0]})", []
    at_end = _first_at_end(cells, gaps)
    for index, (part, gap) in enumerate(zip(cells, gaps[1:], strict=True)):
        found, captured, times = f"(?:{part.expression})", f"({part.expression})", "?" if part.optional else ""
        # Blanks beside a cell that may be missing stand there only if it does: behind it, or before it at the end.
        if index >= at_end:
            found, captured = f"(?:{gaps[index]}{found})", f"(?:({gaps[index]}){captured})"
        starts.append(_optional_blanks(f"{flags}^{search}{found}{times}"))
        if at_end - 1 <= index < len(cells) - 1:  # its blanks come with the next cell
            search, captures = f"{search}{found}{times}", f"{captures}{captured}{times}"
        elif part.optional and gap == _BLANKS:
            search, captures = f"{search}(?:{found}{gap})?", f"{captures}(?:{captured}({gap}))?"
        else:
            search, captures = f"{search}{found}{times}{gap}", f"{captures}{captured}{times}({gap})"
    search = _optional_blanks(f"{flags}{'^' if whole_line else ''}{search}")
    expression = _optional_blanks(f"{flags}^({'' if whole_line else '.*?'}){captures}")
    fields = [part.field for part in cells]
    optional = [part.field for part in cells if part.optional]
    _check(search)
    _check(expression)
    if not fields:
        raise PatternError("the pattern has no field: write {field} where a cell stands")
    if len(set(fields)) < len(fields):
        raise PatternError("the pattern has a field twice; each cell needs its own")
    return Pattern(source, search, expression, tuple(fields), whole_line, tuple(optional), tuple(starts))


def _first_at_end(cells: Sequence[_Cell], gaps: Sequence[str]) -> int:
    """The first of the cells at the end of a row that may be missing, each behind blanks and all behind one that may
    not; the number of cells where there are none."""
    first = len(cells)
    while first > 1 and cells[first - 1].optional and gaps[first - 1] == _BLANKS:
        first -= 1
    return len(cells) if first == 0 or cells[first - 1].optional else first


def _gaps(parts: Sequence[str | _Cell]) -> list[str]:
    """What stands before, between and after the cells."""
    gaps = [""]
    for part in parts:
        if isinstance(part, _Cell):
            gaps.append("")
        else:
            gaps[-1] += part
    return gaps


_FIELD = re.compile(r"\{([a-z][a-z0-9_]*)\}")
_GROUP = re.compile(r"\(\?P<([a-z][a-z0-9_]*)>")
_NAMED = re.compile(r"\(\?P?<")


def _parse(source: str, unit_of: Callable[[str], str | None]) -> list[str | _Cell]:
    """The pattern as stretches of plain expression and cells."""
    if len(source) > MAX_LENGTH:
        raise PatternError(f"the pattern has {len(source):,} characters; at most {MAX_LENGTH:,} are read")
    parts: list[str | _Cell] = [""]

    def plain(text: str) -> None:
        if isinstance(parts[-1], str):
            parts[-1] += text
        else:
            parts.append(text)

    at = 0
    while at < len(source):
        if field := _FIELD.match(source, at):
            parts.append(_Cell(field[1], cell(field[1], unit_of(field[1]))))
            at = field.end()
        elif group := _GROUP.match(source, at):
            end = _end_of_group(source, at)
            parts.append(_Cell(group[1], _blanks(source[group.end() : end - 1])))
            at = end
        elif source[at] == "?" and isinstance(parts[-1], _Cell):
            parts[-1] = replace(parts[-1], optional=True)
            parts.append("")
            at += 1
        elif source[at] in "*+" and isinstance(parts[-1], _Cell):
            raise PatternError(f"a field stands once, not {source[at]!r} times")
        elif _NAMED.match(source, at):
            raise PatternError(f"write (?P<field>...) with a field in small letters at {source[at : at + 20]!r}")
        else:
            end = _end_of_group(source, at) if source[at] == "(" else _end_of_atom(source, at)
            plain(_blanks(source[at:end]))
            at = end
    return parts


def _top_level(source: str) -> str:
    """The characters of a pattern that stand outside of groups, classes and escapes."""
    at, characters = 0, ""
    while at < len(source):
        end = _end_of_group(source, at) if source[at] == "(" else _end_of_atom(source, at)
        characters += source[at] if end == at + 1 else ""
        at = end
    return characters


def _end_of_atom(source: str, at: int) -> int:
    """End of an escape, a character class, a run of blanks or one character."""
    if source[at] == "\\":
        if at + 1 == len(source):
            raise PatternError("the pattern ends with a backslash; write \\\\ for one")
        return at + 2
    if source[at] == " ":
        return at + len(source[at:]) - len(source[at:].lstrip(" "))
    if source[at] == "[":
        end = at + 1
        while end < len(source) and source[end] != "]":
            end += 2 if source[end] == "\\" else 1
        return end + 1
    return at + 1


def _end_of_group(source: str, at: int, depth: int = 1) -> int:
    """Position after the parenthesis that closes the one at `at`."""
    if depth > MAX_DEPTH:
        raise PatternError(f"groups stand in each other more than {MAX_DEPTH} deep")
    if not source.startswith("(?", at):
        raise PatternError(f"write (?:...) instead of (...) at {source[at : at + 20]!r}")
    end = at + 1
    while end < len(source) and source[end] != ")":
        if _NAMED.match(source, end):
            raise PatternError(f"a field stands outside of groups, not at {source[end : end + 20]!r}")
        end = _end_of_group(source, end, depth + 1) if source[end] == "(" else _end_of_atom(source, end)
    if end >= len(source):
        raise PatternError(f"a parenthesis is not closed at {source[at : at + 20]!r}")
    return end + 1


_BLANKS = r"\s+"


def _blanks(text: str) -> str:
    r"""Runs of blanks as `\s+`; a blank in a character class stays what it is."""
    return re.sub(r"(\[(?:\\.|[^\]])*\])|(\\.)| +", lambda found: found[1] or found[2] or _BLANKS, text)


def _optional_blanks(expression: str) -> str:
    return expression.replace(r"\s+?", r"\s*")


@lru_cache(_KEPT)
def _check(expression: str) -> None:
    """Raise PatternError where an expression does not compile. Layouts are loaded again and again, their expressions
    compiled for it once."""
    try:
        pl.Series([""]).str.contains(expression)
    except pl.exceptions.ComputeError as error:
        raise PatternError(f"the expression does not compile: {_reason(error)}") from error
    try:
        pl.Series([""]).str.contains(f"(?:{expression}){{{round(1 / MAX_SHARE)}}}")
    except pl.exceptions.ComputeError as error:
        raise PatternError("the expression is too large when it is compiled; repeat less in it") from error


def _reason(error: pl.exceptions.ComputeError) -> str:
    """What the engine says of an expression that it refuses, in a line."""
    said = str(error).partition("\n\nThis error occurred")[0].strip().splitlines()[-1]
    return said.removeprefix("regex error: ").removeprefix("error: ").rstrip(".")
