"""Records → figures: the numbers of the tidy tables with the error that their printed decimals allow."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from itertools import accumulate

import polars as pl

from etl.cells import VALUE
from etl.formulas import error_column
from etl.rules import TOTAL
from etl.schema import table

# Tables whose numbers are figures.
FIGURE_TABLES = ("classes", "pools", "delinquencies", "measures")

# What figures are made of, beside their report.
RECORD_COLUMNS = (
    "table", "field", "section", "class_key", "group_id", "loan_status", "bucket", "raw", "value", "unit",
    "printed_decimals", "line",
)  # fmt: skip
# Half a unit of the last digit, by printed decimals; no unit finer than the tables hold.
_HALVES = pl.Series([max(Decimal(5).scaleb(-places - 1), Decimal(1).scaleb(-10)) for places in range(13)], dtype=VALUE)
# A percentage is held as a fraction.
_PERCENT_PLACES = 2
# An amount that is printed as zero is taken as one, in whole dollars too: docs/design.md says why. Amounts per
# 1,000 and rates are computed, and may be zero by rounding.
_AMOUNTS = ("usd", "count")


def figures(records: pl.DataFrame) -> pl.DataFrame:
    """All figures in printed order.

    `records` has the columns of the declared table and `document`. Columns: `document`, `table`, `key` (the class
    behind its section, the group, or group, status and bucket of loans), `section` (of a class), `field`, `raw`,
    `value`, `line`, `half_unit` (of the last printed digit) and `error`: the same, but 0 for counts and for amounts
    printed as zero. `(0)` is a small negative amount, so it has its error.
    """
    cells = (
        records.select("document", *RECORD_COLUMNS)
        .filter(pl.col("table").is_in(FIGURE_TABLES) & pl.col("value").is_not_null())
        .with_columns(pl.col("section", "class_key", "group_id", "loan_status", "bucket").cast(pl.String))
        .rechunk()  # joins of texts panic over empty chunks, see rejections
    )
    unit, value = pl.col("unit"), pl.col("value")
    places = pl.col("printed_decimals") + pl.when(unit == "fraction").then(_PERCENT_PLACES).otherwise(0)
    half_unit = pl.lit(_HALVES).gather(places.clip(0, _HALVES.len() - 1))
    printed_as_nothing = unit.is_in(_AMOUNTS) & (value == 0) & ~pl.col("raw").str.contains("[(-]")
    exact = (unit == "count") | printed_as_nothing
    found = cells.with_columns(half_unit=half_unit, key=record_key()).select(
        "document",
        pl.col("table").cast(pl.String),
        "key",
        "section",
        pl.col("field").cast(pl.String),
        "raw",
        "value",
        "line",
        "half_unit",
        error=pl.when(exact).then(pl.lit(0).cast(VALUE)).otherwise("half_unit"),
    )
    return found.filter(pl.col("key").is_not_null()) if found["key"].null_count() else found


def wide(first: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """The figures of each table: `document`, `key`, and for each field of the table its value and its error.

    `first`: none is printed twice, as `first_of_each` gives them. A field that no report prints is null. Each column
    of each table is a stretch of one column of cells, into which every figure is put at its place.
    """
    fields = {name: number_fields(name) for name in FIGURE_TABLES}
    columns = [(name, field) for name, of_table in fields.items() for field in of_table]
    declared = pl.DataFrame(columns, {"table": pl.String, "field": pl.String}, orient="row").with_row_index("column")
    cells = first.select("document", "table", "key", "field", "value", "error").join(
        declared, on=["table", "field"], how="inner", maintain_order="left"
    )
    rows = cells.select("table", "document", "key").unique(maintain_order=True)
    rows = rows.with_columns(row=pl.int_range(pl.len(), dtype=pl.UInt32).over("table")).rechunk()
    tables = {name: rows.filter(pl.col("table") == name) for name in FIGURE_TABLES}
    *starts, total = accumulate((tables[name].height for name, _ in columns), initial=0)
    start = pl.lit(pl.Series(starts, dtype=pl.UInt32)).gather(pl.col("column"))
    at = cells.join(rows, on=["table", "document", "key"], how="left", maintain_order="left")
    places = at.select(start + pl.col("row")).to_series()
    nothing = pl.Series([None], dtype=pl.UInt32).new_from_index(0, total)
    cell = nothing.scatter(places, pl.int_range(cells.height, dtype=pl.UInt32, eager=True))
    values, errors = cells["value"].gather(cell), cells["error"].gather(cell).fill_null(0)
    start_of = dict(zip(columns, starts, strict=True))

    def stretch(cells: pl.Series, name: str, field: str) -> pl.Series:
        return cells.slice(start_of[name, field], tables[name].height)

    return {
        name: tables[name]
        .select("document", "key")
        .hstack(
            [
                *(stretch(values, name, field).alias(field) for field in of_table),
                *(stretch(errors, name, field).alias(error_column(field)) for field in of_table),
            ]
        )
        for name, of_table in fields.items()
    }


def number_fields(name: str) -> list[str]:
    """The columns and terms of a table that hold numbers."""
    declared = table(name)
    terms = [term.name for term in declared.terms]
    return [
        *terms,
        *(
            column.name
            for column in declared.columns
            if not terms and column.unit not in ("text", "flag", "date", "none")
        ),
    ]


def first_of_each(known: pl.DataFrame, keys: Sequence[str] = ("document", "table", "key", "field")) -> pl.DataFrame:
    """The figures that count: where one is printed twice, the first."""
    return known.filter(pl.struct(keys).is_first_distinct())


def class_row() -> pl.Expr:
    """What tells a row of `classes` from the others: the class, after its section where the report has several."""
    row = pl.concat_str("section", "class_key", separator=" ", ignore_nulls=True)
    return pl.when(pl.col("class_key").is_not_null()).then(row)


def is_total(key: pl.Expr) -> pl.Expr:
    """Whether a row of `classes`, `pools` or `measures` is the total, or that of its section."""
    return (key == TOTAL) | key.str.ends_with(f" {TOTAL}")


def record_key() -> pl.Expr:
    """What tells the row of a record from the others of its table."""
    loans = pl.concat_str("group_id", "loan_status", "bucket", separator=" ", ignore_nulls=True)
    return (
        pl.when(pl.col("table") == "classes").then(class_row())
        .when(pl.col("table") == "delinquencies").then(loans)
        .when(pl.col("table") == "measures").then(pl.col("group_id").fill_null(TOTAL))
        .otherwise("group_id")
    )  # fmt: skip
