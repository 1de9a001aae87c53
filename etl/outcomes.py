"""Outcomes of checks, as frames: a row for a report, check and subject."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

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
    whole = pl.concat([pl.DataFrame(schema=schema), *(_with_columns_of(frame, schema) for frame in frames)]).rechunk()
    explanation = pl.col("explanation")
    if (whole.select(explanation.str.len_bytes().max()).item() or 0) <= MAX_EXPLANATION:
        return whole
    cut = pl.when(explanation.str.len_chars() > MAX_EXPLANATION).then(explanation.str.head(MAX_EXPLANATION) + "...")
    return whole.with_columns(explanation=pl.coalesce(cut, explanation))


def _with_columns_of(frame: pl.DataFrame, schema: Mapping[str, pl.DataType]) -> pl.DataFrame:
    there = frame.schema
    return frame.select(
        (pl.col(name) if name in there else pl.lit(None)).cast(kind).alias(name) for name, kind in schema.items()
    )


def counted(checks: pl.DataFrame) -> pl.DataFrame:
    """`document`, `checks_passed` and `checks_failed`."""
    outcome = pl.col("outcome")
    return checks.group_by("document", maintain_order=True).agg(
        checks_passed=outcome.is_in(PASSED).sum().cast(pl.Int64), checks_failed=(outcome == "fail").sum().cast(pl.Int64)
    )
