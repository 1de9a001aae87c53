"""A rejected document → its numbers, each with its place and its labels as printed, so that none is lost.

They follow from the text alone: whatever layouts there are, and wherever the document stands, they are the same.
"""

from __future__ import annotations

import polars as pl

from etl.generic import all_numbers
from etl.schema import table
from etl.tables import polars_type

# For these reasons a text is rejected that may be a report all the same.
OF_REPORTS = frozenset(
    (
        *("no_layout", "ambiguous_layout", "missing_field", "missing_block", "missing_row", "unknown_class"),
        *("doubled_row", "row_count_mismatch", "row_order_mismatch", "conflicting_values", "value_does_not_fit"),
    )
)

_SCHEMA = pl.Schema({column.name: polars_type(column) for column in table("rejected_records").columns})
_SAID = (
    "record_no", "line", "column_start", "column_end", "raw", "row_label", "column_label", "value", "printed_decimals",
)  # fmt: skip


def rejected_records(text: str, sha256: str) -> pl.DataFrame:
    """The numbers of a text, with the declared columns."""
    rows = (
        (count, *number.place, number.raw, number.row_label, number.column_label, number.value, number.decimals)
        for count, number in enumerate(all_numbers(text, 1), 1)
    )
    said = pl.DataFrame(rows, schema={name: _SCHEMA[name] for name in _SAID}, orient="row")
    whole = said.with_columns(source_sha256=pl.lit(sha256), status=pl.lit("unclaimed"))
    unknown = [pl.lit(None, kind).alias(name) for name, kind in _SCHEMA.items() if name not in whole.columns]
    return whole.with_columns(unknown).select(list(_SCHEMA))
