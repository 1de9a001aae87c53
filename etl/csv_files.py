"""A deal → a CSV file for each of its tables, with every digit: for programs, which take text for what it is."""

from __future__ import annotations

import json
from collections.abc import Iterator

import polars as pl

from etl.deal_tables import DealTables


def csv_files(deal: DealTables) -> Iterator[tuple[str, bytes]]:
    """The name of each table, and its file: UTF-8, quoted as RFC 4180 says, lines end in LF.

    The columns are `deal`, `distribution_date`, then the declared ones. Decimals are exact, dates ISO, lists JSON;
    null is empty, an empty text is `""`.
    """
    for name, rows in deal.tables.items():
        written = rows.select(pl.lit(deal.deal).alias("deal"), *(_written(rows[column]) for column in rows.columns))
        yield name, written.write_csv().encode()


def _written(column: pl.Series) -> pl.Series:
    """A column as CSV can hold it."""
    if not isinstance(column.dtype, pl.List):
        return column
    texts = [None if value is None else json.dumps(value, ensure_ascii=False) for value in column.to_list()]
    return pl.Series(column.name, texts, pl.String)
