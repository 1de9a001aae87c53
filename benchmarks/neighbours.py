"""A report between the months before and after it: which checks between distributions fail there.

Any number of deals are compared in one call. Each gets a name of its own, so months of different deals never
meet, not even if they are copies of the same report.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from etl.batch import Batch
from etl.figures import RECORD_COLUMNS
from etl.month_checks import COMPARED_TABLES, Reports, check_months, compared_fields

# What the checks between distributions compare of one report: the frames of `Reports`, without `document`.
Compared = dict[str, pl.DataFrame]
# A check between distributions that fails: the position of its month within the deal, the check, the subject.
Failure = tuple[int, str, str]


def compared(batch: Batch) -> dict[int, Compared]:
    """What the checks between distributions compare of each report of the batch, by its document."""
    tables = batch.tables
    sources = tables["reports"].select("document", "source")
    frames = {
        "reports": batch.identity.select("document", "distribution_date", "report_id").join(sources, on="document"),
        "records": tables["records"].select("document", *RECORD_COLUMNS).filter(_is_compared()),
        "classes": tables["classes"].select("document", "section", "class_key", "class_type", "ending_balance"),
        "checks": tables["checks"].select("document", "check", "subject", "outcome", "actual", "explanation"),
    }
    texts = {name: frame.with_columns(pl.col(pl.Enum).cast(pl.String)) for name, frame in frames.items()}
    parts = {
        name: frame.partition_by("document", as_dict=True, include_key=False, maintain_order=True)
        for name, frame in texts.items()
    }
    empty = {name: frame.drop("document").clear() for name, frame in texts.items()}
    documents: list[int] = batch.identity["document"].to_list()
    return {
        document: {name: of_name.get((document,), empty[name]) for name, of_name in parts.items()}
        for document in documents
    }


def _is_compared() -> pl.Expr:
    """Records that a check between distributions compares."""
    table, field = pl.col("table").cast(pl.String), pl.col("field").cast(pl.String)
    return pl.any_horizontal([(table == name) & field.is_in(compared_fields(name)) for name in COMPARED_TABLES])


def failures(deals: Sequence[Sequence[Compared]]) -> list[frozenset[Failure]]:
    """The checks between distributions that fail in each deal; a deal is its months in order."""
    places = [(deal, position) for deal, months in enumerate(deals) for position in range(len(months))]
    found: list[set[Failure]] = [set() for _ in deals]
    if places:
        checks = check_months(_reports([month for months in deals for month in months], [deal for deal, _ in places]))
        failed = checks.filter(pl.col("outcome") == "fail").select("document", "check", "subject")
        for document, check, subject in failed.iter_rows():
            deal, position = places[document]
            found[deal].add((position, check, subject))
    return [frozenset(of_deal) for of_deal in found]


def _reports(months: Sequence[Compared], deals: Sequence[int]) -> Reports:
    """The months, each of the deal with that number; documents are numbered in the same order."""

    def together(name: str) -> pl.DataFrame:
        numbered = [month[name].with_columns(document=pl.lit(number, pl.UInt32)) for number, month in enumerate(months)]
        return pl.concat(numbered, rechunk=True)

    named = together("reports").with_columns(deal=pl.Series([f"deal {deal}" for deal in deals]))
    return Reports(named, together("records"), together("classes"), together("checks"))
