"""What all that people see has in common: text that cannot steer the terminal, lines that fit, numbers.

Text of documents and names of files are printed as they are, but for what could steer the terminal.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from textwrap import wrap
from typing import Any

from rich.text import Text

MIN_WIDTH = 40
OUTCOME_STYLES = {"fail": "bold red", "explained": "yellow", "rounding": "yellow", "pass": "green"}
# Types with so many decimals have room for any figure; the zeros behind one say nothing.
_WIDE_DECIMALS = 8


def printable(text: str) -> str:
    """One line without control characters: what a document prints must not steer the terminal."""
    return "".join(character if character.isprintable() else " " for character in text)


def hanging(head: str, text: str, width: int) -> Iterator[Text]:
    """A text in as many lines as it needs, under each other behind its head."""
    rest = " " * len(head)
    lines = wrap(printable(text), width, initial_indent=head, subsequent_indent=rest, break_on_hyphens=False)
    yield from map(Text, lines)


def shown(value: Any) -> str:
    """A value as a person reads it."""
    if isinstance(value, Decimal):
        text = f"{value:f}"
        wide = len(text.partition(".")[2]) >= _WIDE_DECIMALS
        return text.rstrip("0").rstrip(".") if wide else text
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def counted(number: int, thing: str) -> str:
    """Such as: 1 report, 2,000 reports."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def amount(value: Decimal) -> str:
    """A decimal with its thousands parted, without the zeros that only say how wide its type is."""
    text = f"{value:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def json_value(value: Any) -> str:
    """What JSON has no type for: decimals and dates as texts."""
    return f"{value:f}" if isinstance(value, Decimal) else str(value)
