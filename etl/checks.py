"""Tidy tables and records → checks: what a report's own arithmetic, its identifiers and its reading say.

A check never changes a value. What is checked is declared in `identities.toml`; how, stand in the modules for
identities, accruals, totals, identifiers and the reading itself. All reports of a batch are checked at once.
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from etl.accrual_checks import check_accruals
from etl.figures import class_row, figures
from etl.identifier_checks import check_digits
from etl.identities import catalogue
from etl.identity_checks import ReportFigures, check_identities
from etl.layout import Layout
from etl.outcomes import shaped
from etl.reading_checks import check_reading
from etl.records import Extraction
from etl.total_checks import check_totals


def evaluate(
    extraction: Extraction,
    said: pl.DataFrame,
    tables: Mapping[str, pl.DataFrame],
    identity: pl.DataFrame,
    layout: Layout,
) -> pl.DataFrame:
    """All checks of a batch: the columns of `outcomes.SCHEMA`, the checks of a report together, in the order in
    which they are declared.

    `said` as `tables.field_values`, `tables` and `identity` as `tables` gives them.
    """
    declared = catalogue()
    kinds = tables["classes"].select("document", key=class_row(), kind="class_type")
    printed = ReportFigures(figures(extraction.records), identity.select("document"), kinds)
    checks = shaped(
        [
            check_identities(printed, declared.identities),
            check_accruals(printed, declared.accruals, identity),
            check_totals(printed, declared.totals),
            check_digits(tables["classes"], extraction.records, declared.check_digits),
            *check_reading(extraction, said, tables["reports"], layout),
        ]
    )
    return checks.sort("document", maintain_order=True)
