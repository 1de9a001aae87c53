"""A deal of a lake → the rows of its tables that are exported: all distributions, or those between two dates."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import polars as pl

from etl.errors import UsageError
from etl.lake import Lake, listed, quoted
from etl.month_checks import Reports
from etl.schema import TABLES

_SHORT_DATE = re.compile(r"[0-9]{4}(-[0-9]{2}){0,2}")
_KEYS = ["distribution_date", "report_id"]


@dataclass(frozen=True)
class DealTables:
    """The tables of a deal: `distribution_date`, then the declared columns, in the order of the lake."""

    deal: str
    tables: Mapping[str, pl.DataFrame]

    @cached_property
    def numbered(self) -> pl.DataFrame:
        """The reports: `document` (numbers them), `distribution_date`, `report_id`, `source`."""
        return self.tables["reports"].select(*_KEYS, "source").with_row_index("document")

    @cached_property
    def compared(self) -> Reports:
        """The reports as checks take them."""
        reports = self.numbered.with_columns(deal=pl.lit(self.deal))
        return Reports(reports, *(self.with_document(name).drop(_KEYS) for name in ("records", "classes", "checks")))

    def with_document(self, name: str) -> pl.DataFrame:
        """A table with the numbers of its reports, in the same order."""
        return self.tables[name].join(
            self.numbered.select("document", *_KEYS), on=_KEYS, how="inner", maintain_order="left"
        )


def deal_tables(lake: Lake, deal: str, start: str | None = None, end: str | None = None) -> DealTables:
    """The tables of a deal, given by its slug, of the distributions from `start` to `end`: 2003, 2003-11 or 2003-11-17,
    the whole month or year included. Raises UsageError where none lies between them."""
    every = lake.dates(deal)
    dates = [date for date in every if _is_between(date, _checked(start), _checked(end))]
    if not dates:
        between = " ".join(filter(None, (start and f"from {start}", end and f"to {end}")))
        raise UsageError(f"{deal} has no report {between}; it has {listed(every) or 'none at all'}")
    return DealTables(deal, {name: lake.read(name, [deal], dates).drop("deal") for name in TABLES})


def _is_between(date: dt.date, start: str | None, end: str | None) -> bool:
    text = date.isoformat()
    return (start is None or start <= text) and (end is None or text[: len(end)] <= end)


def _checked(short: str | None) -> str | None:
    if short is not None and not _SHORT_DATE.fullmatch(short):
        raise UsageError(f"{quoted(short)} is no date; write such as 2003-11-17, 2003-11 or 2003")
    return short
