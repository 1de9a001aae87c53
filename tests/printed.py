"""Printed figures → what the checks compare, without a text: the error of each figure is computed here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import polars as pl

from etl.cells import VALUE
from etl.identity_checks import ReportFigures

from .kit.figures import parse

KNOWN = pl.Schema(
    {
        "document": pl.UInt32(),
        "table": pl.String(),
        "key": pl.String(),
        "section": pl.String(),
        "field": pl.String(),
        "raw": pl.String(),
        "value": VALUE,
        "line": pl.Int32(),
        "half_unit": VALUE,
        "error": VALUE,
    }
)
KINDS = pl.Schema({"document": pl.UInt32(), "key": pl.String(), "kind": pl.String()})


@dataclass(frozen=True)
class Printed:
    """A report: the figures of its classes and groups by row and column, and the kinds of its classes."""

    classes: Mapping[str, Mapping[str, str]]
    kinds: Mapping[str, str] = field(default_factory=dict)
    pools: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def half_unit(raw: str) -> Decimal:
    """Half a unit of the last printed digit: 0.5 of `12`, 0.005 of `12.50`, 0.0000005 of `1.0000%`."""
    places = len(raw.strip("()%").partition(".")[2]) + 2 * raw.endswith("%")
    return Decimal(5).scaleb(-places - 1)


def report_figures(reports: Sequence[Printed]) -> ReportFigures:
    """The figures of a batch of reports, numbered in this order; each row stands on a line of its own.

    Each class has a kind, or none: one that prints no figure is a row too."""
    cells: list[tuple[Any, ...]] = []
    for document, report in enumerate(reports):
        rows = [("classes", *row) for row in report.classes.items()] + [("pools", *row) for row in report.pools.items()]
        for line, (table, key, columns) in enumerate(rows, 1):
            for column, raw in columns.items():
                value = parse(raw)
                if value is not None:
                    half = half_unit(raw)
                    error = half if value or raw.endswith("%") else Decimal(0)
                    cells.append((document, table, key, None, column, raw, value, line, half, error))
    kinds = [(number, key, report.kinds.get(key)) for number, report in enumerate(reports) for key in report.classes]
    documents = pl.DataFrame({"document": range(len(reports))}, schema={"document": pl.UInt32})
    return ReportFigures(pl.DataFrame(cells, KNOWN, orient="row"), documents, pl.DataFrame(kinds, KINDS, orient="row"))
