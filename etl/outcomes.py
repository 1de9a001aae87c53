"""Outcomes of checks, as frames: a row for a report, check and subject."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from etl.cells import VALUE

# So many figures are named in an explanation, and so many lines; of longer texts so many characters are kept.
MAX_LINES = 20
MAX_EXPLANATION = 2000

PASSED = ("pass", "rounding", "explained")
OUTCOMES = (*PASSED, "fail", "not_applicable")
# Contradictions before what confirms.
WORST_FIRST = ("fail", "explained", "rounding", "pass", "not_applicable")

SCHEMA = pl.Schema(
    {
        "document": pl.UInt32(),
        "check": pl.String(),
        "subject": pl.String(),
        "outcome": pl.String(),
        "expected": VALUE,
        "actual": VALUE,
        "difference": VALUE,
        "tolerance": VALUE,
        "explanation": pl.String(),
        "lines": pl.List(pl.Int32()),
    }
)


def shaped(frames: Iterable[pl.DataFrame], document: pl.DataType | None = None) -> pl.DataFrame:
    """The frames as one, with the columns of `SCHEMA`; those that one lacks are null."""
    schema = dict(SCHEMA)
    if document is not None:
        schema["document"] = document
    empty = pl.DataFrame(schema=schema)
    columns = [
        frame.select(
            (pl.col(name) if name in frame.columns else pl.lit(None)).cast(kind).alias(name)
            for name, kind in schema.items()
        )
        for frame in frames
    ]
    whole = pl.concat([empty, *columns])
    too_long = pl.col("explanation").str.len_chars() > MAX_EXPLANATION
    cut = pl.col("explanation").str.head(MAX_EXPLANATION) + "..."
    return whole.rechunk().with_columns(explanation=pl.when(too_long).then(cut).otherwise("explanation"))


def counted(checks: pl.DataFrame) -> pl.DataFrame:
    """`document`, `checks_passed` and `checks_failed`."""
    outcome = pl.col("outcome")
    return checks.group_by("document", maintain_order=True).agg(
        checks_passed=outcome.is_in(PASSED).sum().cast(pl.Int64), checks_failed=(outcome == "fail").sum().cast(pl.Int64)
    )
