"""A deal of a lake → the rows of its tables that are exported: all distributions, or those between two dates."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import polars as pl

from etl.errors import UsageError
from etl.lake import SHORT_DATE, Lake, listed, quoted
from etl.losses import losses, refuse_losses
from etl.month_checks import Reports
from etl.schema import TABLES

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
    the whole month or year included. Raises UsageError where none lies between them, or where they cannot be meant,
    LakeError where rows of one are lost."""
    for given in (start, end):
        if given is not None and not _is_date(given):
            raise UsageError(f"{quoted(given)} is no date; write such as 2003-11-17, 2003-11 or 2003")
    if start is not None and end is not None and start[: len(end)] > end:
        raise UsageError(f"{start} is later than {end}; give the earlier date first")
    lost = losses(lake, [deal])
    asked = [_is_between(date, start, end) for date in lost["distribution_date"]]
    refuse_losses(lost.filter(pl.Series(asked, dtype=pl.Boolean)), lake)
    every = lake.dates(deal)
    dates = [date for date in every if _is_between(date, start, end)]
    if not dates:
        between = " ".join(filter(None, (start and f"from {start}", end and f"to {end}")))
        raise UsageError(f"{deal} has no report {between}; it has {listed(every) or 'none at all'}")
    return DealTables(deal, {name: lake.read(name, [deal], dates).drop("deal") for name in TABLES})


def _is_between(date: dt.date, start: str | None, end: str | None) -> bool:
    text = date.isoformat()
    return (start is None or start <= text) and (end is None or text[: len(end)] <= end)


def _is_date(short: str) -> bool:
    """Whether there is such a year, month or day."""
    if not SHORT_DATE.fullmatch(short):
        return False
    try:
        dt.date.fromisoformat(f"{short}-01-01"[: len("2003-11-17")])
    except ValueError:
        return False
    return True
