"""Text of a cell → its value. One grammar for everybody; nothing is guessed or rounded."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import polars as pl

from etl.patterns import CELLS, DATE_FORMATS, NOT_APPLICABLE, OVERFLOW, UNSIGNED

VALUE = pl.Decimal(38, 10)
STATUS = pl.Enum(["reported", "not_applicable", "blank", "unparsable", "unclaimed"])

# What `typed` adds to cells.
VALUED = ("value", "status", "printed_decimals")

NUMERIC_UNITS = ("usd", "fraction", "count", "months", "per_1000")
# Decimals that a unit can hold in the tidy tables, and digits before the point.
SCALES = {"usd": 2, "fraction": 10, "count": 0, "months": 10, "per_1000": 8}
INTEGER_DIGITS = {"usd": 16, "fraction": 4, "count": 18, "months": 18, "per_1000": 10}

# Decimals that a unit can print and hold. A number with at most so many characters before its
# decimals fits; others are looked at more closely.
PRINTED_DECIMALS = {**SCALES, "fraction": 8}
FITTING_LENGTH = {"usd": 14, "fraction": 6, "count": 14, "months": 14, "per_1000": 11}

# A numeric token, wherever it stands: digits with commas and points between them, with the signs
# around them. The scan with it knows no layout. It is for Python's engine, which with `++` and `*+` never goes back
# over what it has read, so neither time nor memory grow with the length of a number.
NUMBER = r"(?:(?<![A-Za-z0-9])[(]?-?\$?)?[0-9]++(?:[.,][0-9]++)*+%?[)]?"
_DIGITS = r"[0-9]+(?:[.,][0-9]+)*"


def count_numbers(text: pl.Expr) -> pl.Expr:
    """How many numeric tokens `text` has; null counts as none."""
    return text.str.count_matches(_DIGITS).fill_null(0).cast(pl.Int64)


@dataclass(frozen=True)
class Cells:
    """Printed cells: `position`, `start`, `raw`, `rule`, and of prose `piece` and `row_label`.

    `unit` is theirs if all have the same, or units of the same look (dollars and counts are numbers);
    None where it differs from rule to rule.
    """

    frame: pl.DataFrame
    unit: str | None = None


def cells_of(rows: pl.DataFrame, start: pl.Series, raw: pl.Series, rule: pl.Series) -> pl.DataFrame:
    """The cells of a column of `rows`, as `Cells` has them, of the rows that have one.

    A frame of given columns costs a fifth of a query.
    """
    cells = pl.DataFrame([rows["position"], start.alias("start"), raw.alias("raw"), rule.alias("rule")])
    return cells.drop_nulls("raw") if raw.null_count() else cells


def typed(cells: pl.LazyFrame, unit: str | None, *, seen: bool) -> pl.LazyFrame:
    """`cells` with `value`, `status` and `printed_decimals` of their `raw`, all of one unit.

    `value` is decimal128(38, 10): parentheses and minus are negative, per cent is divided by 100. It
    is null for text, dates and flags, and where `raw` is no number or has more digits than fit.
    Without a unit the cells are numbers that no rule claims. `seen` says that the pattern that found
    them saw to it that they look like cells of this unit; else they are held against that look.
    """
    for columns in _readings(unit, seen=seen):
        cells = cells.with_columns(**columns)
    return cells


@cache
def _readings(unit: str | None, *, seen: bool) -> tuple[dict[str, pl.Expr], ...]:
    """The columns that `typed` adds, one step after the other; each unit's are made once."""
    raw = pl.col("raw")
    if unit is None or unit not in (*NUMERIC_UNITS, UNSIGNED):
        readable = {"date": date(raw).is_not_null(), "flag": flag(raw).is_not_null()}.get(
            unit or "", pl.lit(value=True)
        )
        status = _status(raw, readable) if unit else pl.lit("unclaimed", STATUS)
        return ({"value": pl.lit(None, VALUE), "status": status, "printed_decimals": pl.lit(None, pl.Int32)},)
    digits = raw.str.strip_chars("()$% -")
    point = digits.str.find(".", literal=True)
    decimals = pl.when(point.is_null()).then(0).otherwise(digits.str.len_bytes() - point - 1).cast(pl.Int32)
    value = digits.str.replace_all(",", "", literal=True).cast(VALUE, strict=False)
    percentage = unit in ("fraction", UNSIGNED)
    if percentage:
        value = value / 100
    negative = pl.any_horizontal([raw.str.starts_with(sign) for sign in ("(", "-", "$(", "$-")])
    exact = pl.col("printed_decimals") <= VALUE.scale - (2 if percentage else 0)
    signed = pl.when(negative).then(-pl.col("value")).otherwise("value")
    if not seen:
        signed = pl.when(raw.str.contains(f"^{CELLS[unit]}$")).then(signed)
    read = pl.col("value").is_not_null()
    return (
        {"value": value, "printed_decimals": decimals},
        {"value": pl.when(exact).then(signed)},
        {"status": _status(raw, read), "printed_decimals": pl.when(read).then("printed_decimals")},
    )


def _status(raw: pl.Expr, readable: pl.Expr) -> pl.Expr:
    return (
        pl.when(raw == "").then(pl.lit("blank", STATUS))
        .when(is_not_applicable(raw)).then(pl.lit("not_applicable", STATUS))
        .when(readable).then(pl.lit("reported", STATUS))
        .otherwise(pl.lit("unparsable", STATUS))
    )  # fmt: skip


def fits(value: pl.Expr, unit: pl.Expr) -> pl.Expr:
    """Whether a value keeps all its digits in the type that the contract gives its unit."""
    checks = [value.is_null()]
    for name in NUMERIC_UNITS:
        rounded = value.cast(pl.Decimal(38, SCALES[name]), strict=False).cast(VALUE, strict=False)
        bound = pl.lit(10 ** INTEGER_DIGITS[name]).cast(VALUE)
        checks.append((unit == name) & (rounded == value) & (value.abs() < bound))
    return pl.any_horizontal(checks)


def is_not_applicable(raw: pl.Expr) -> pl.Expr:
    """Whether the report prints that there is no value."""
    return raw.is_in(NOT_APPLICABLE) | raw.str.contains(f"^{OVERFLOW}$")


def date(raw: pl.Expr) -> pl.Expr:
    """The day that a printed date names; null where it names none."""
    text = raw.str.replace_all(r"\s+", " ")
    readings = []
    for form, look in DATE_FORMATS.items():
        readings.append(pl.when(text.str.contains(f"^{look}$")).then(text).str.to_date(form, strict=False))
    return pl.coalesce(readings)


def flag(raw: pl.Expr) -> pl.Expr:
    """True for YES, False for NO, null for the rest."""
    return raw.str.to_uppercase().replace_strict({"YES": True, "NO": False}, default=None, return_dtype=pl.Boolean)
