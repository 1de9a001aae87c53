"""Outcomes of checks, as frames: a row for a report, check and subject."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from etl.cells import VALUE

PASSED = ("pass", "rounding", "explained")
OUTCOMES = (*PASSED, "fail", "not_applicable")

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
    return pl.concat([empty, *columns])


def counted(checks: pl.DataFrame) -> pl.DataFrame:
    """`document`, `checks_passed` and `checks_failed`."""
    outcome = pl.col("outcome")
    return checks.group_by("document", maintain_order=True).agg(
        checks_passed=outcome.is_in(PASSED).sum().cast(pl.Int64), checks_failed=(outcome == "fail").sum().cast(pl.Int64)
    )
