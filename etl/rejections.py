"""Reasons why a report of a known layout cannot be read, as frames: a row a report and reason."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

SCHEMA = pl.Schema({"document": pl.UInt32, "reason_code": pl.String, "message": pl.String, "hint": pl.String})


@dataclass(frozen=True)
class Refusal:
    """A reason for which one document is not read, or would not be."""

    reason_code: str
    message: str
    hint: str


def reject(documents: pl.DataFrame, reason_code: str, message: pl.Expr, hint: str) -> pl.DataFrame:
    """A rejection for each row of `documents`, whose columns `message` may use."""
    if documents.is_empty():  # as nearly always
        return pl.DataFrame(schema=SCHEMA)
    # polars 2.1 panics when it joins texts of a frame with an empty chunk; so in one chunk.
    return documents.rechunk().select(
        pl.col("document"),
        reason_code=pl.lit(reason_code),
        message=message,
        hint=pl.lit(hint),
    )
