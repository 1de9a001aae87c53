"""Edits of printed reports: finds the lines of a table in a text, and takes out, doubles or changes them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .kit import GROUPS, Report, sections

# Sections of the kit whose lines are rows of a table; each is called as the layout's block.
CLASS_TABLES = (*GROUPS["class_table"], *GROUPS["unit_table"], *GROUPS["shortfalls"])
GROUP_TABLES = ("group_principal", "group_interest", "delinquencies", "loan_status")

_HEAD = re.compile(r"\s*(AMOUNTS PER .*|((GROUP \d+|TOTAL)\s*)+)")


@dataclass(frozen=True)
class Row:
    """A printed row of a table: its block, its number in the block, its line, and the line's place in the report."""

    block: str
    number: int
    text: str
    index: int

    def __str__(self) -> str:
        return f"{self.block}-{self.number:02d}-{self.text.split()[0]}"


def table_rows(report: Report) -> list[Row]:
    """All rows of class and group tables of the report in the default style."""
    rows: list[Row] = []
    index = 0
    for section in sections(report):
        number = 0
        for line in section.lines:
            if section.name in (*CLASS_TABLES, *GROUP_TABLES) and _is_row(line):
                number += 1
                rows.append(Row(section.name, number, line, index))
            index += 1
    return rows


def _is_row(line: str) -> bool:
    return bool(re.search(r"\d", line)) and not _HEAD.fullmatch(line)


def located(rows: list[Row], text: str) -> list[Row]:
    """Return the same rows in another print of the report, whose blanks may differ."""
    lines = [line.split() for line in text.split("\n")]
    found: list[Row] = []
    for row in rows:
        after = found[-1].index + 1 if found else 0
        index = lines.index(row.text.split(), after)
        found.append(Row(row.block, row.number, text.split("\n")[index], index))
    return found


def with_line(text: str, index: int, *lines: str) -> str:
    """Return the text with line `index` replaced by `lines`: none takes it out."""
    every = text.split("\n")
    return "\n".join([*every[:index], *lines, *every[index + 1 :]])


def replaced(text: str, old: str, new: str, times: int = 1) -> str:
    """Return the text with `old`, which stands there so many times, replaced."""
    assert text.count(old) == times, f"{old!r} stands {text.count(old)} times in the text"
    return text.replace(old, new)


def without_line(text: str, label: str) -> str:
    """Return the text without the one line that begins with `label`."""
    lines = text.split("\n")
    (index,) = [number for number, line in enumerate(lines) if line.strip().startswith(label)]
    return with_line(text, index)


def spaced(text: str, line: str) -> str:
    """Return the printed line that has the words of `line`."""
    return next(printed for printed in text.split("\n") if printed.split() == line.split())
