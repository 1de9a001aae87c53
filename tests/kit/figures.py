"""How the reports print numbers, and how a printed number reads back.

Money is held in whole US dollars or in US cents, rates in units of 1e-7 (1.50000% is 150000), so that
nothing here depends on binary fractions.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date
    from random import Random

RATE_UNIT = 10_000_000
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_NUMBER = re.compile(r"\d[\d,]*(\.\d+)?")


def ratio(numerator: int, denominator: int) -> int:
    """Return the quotient rounded to an integer, halves away from zero; `denominator` is positive."""
    sign = -1 if numerator < 0 else 1
    return sign * ((2 * abs(numerator) + denominator) // (2 * denominator))


def whole(dollars: int) -> str:
    """Whole dollars or a count: 1,234,567; negative in parentheses: (4,179)."""
    return f"({-dollars:,})" if dollars < 0 else f"{dollars:,}"


def cents(amount: int) -> str:
    """US cents as dollars with two decimals: 0.00, 1,234.50."""
    return f"{amount // 100:,}.{amount % 100:02d}"


def trimmed(amount: int) -> str:
    """US cents as ungrouped dollars without trailing zeros: 6197784.4, 232000, 0."""
    text = f"{amount // 100}.{amount % 100:02d}"
    return text.rstrip("0").rstrip(".")


def fixed(amount: int, decimals: int) -> str:
    """Return an integer in units of 10**-decimals, ungrouped: (4085504, 5) is 40.85504."""
    unit = 10**decimals
    return f"{amount // unit}.{amount % unit:0{decimals}d}"


def percent(rate: int) -> str:
    """Return a rate in units of 1e-7, in percent with five decimals: 150000 is 1.50000%."""
    return fixed(rate, 5) + "%"


def per_thousand(dollars: int, original: int) -> str:
    """Whole dollars per 1,000 dollars of original balance, five decimals; 0.00000 if there is no balance."""
    return fixed(ratio(dollars * 10**8, original), 5) if original else "0.00000"


def short_date(day: date) -> str:
    """17-Nov-03, whatever the locale."""
    return f"{day.day:02d}-{_MONTHS[day.month - 1]}-{day.year % 100:02d}"


def parse(text: str | None) -> Decimal | None:
    """Return the value of a printed number: percent as a fraction, parentheses as minus; blank and N/A as None."""
    if text is None or text.strip() in ("", "N/A"):
        return None
    digits = text.strip().replace(",", "")
    negative = digits.startswith("(")
    value = Decimal(digits.strip("()%"))
    if digits.endswith("%"):
        value = value.scaleb(-2)
    return -value if negative and value else value


def reroll(text: str, rng: Random) -> str:
    """Another number in the same style (grouping, decimals, sign, percent); text without digits stays."""
    match = _NUMBER.search(text)
    if match is None:
        return text
    old = match.group()
    integer, _, decimals = old.partition(".")
    places = len(integer.replace(",", ""))
    number = rng.randrange(10 ** (places - 1), 10**places) if places > 1 else rng.randrange(1, 10)
    new = f"{number:,}" if "," in integer else str(number)
    if decimals:
        new += f".{rng.randrange(10 ** len(decimals)):0{len(decimals)}d}"
    return text[: match.start()] + new + text[match.end() :]
