"""The Python face: read one document into frames without writing; a run is `etl.run`."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from etl.batch import read_safely
from etl.documents import Reject, document_from_bytes, read_document
from etl.errors import RejectedError
from etl.layout import Layout, usable_layouts


@dataclass(frozen=True)
class Report:
    """One report that was read.

    `tables` has one frame for each declared table, `records` among them, with the declared columns
    after `deal` and `distribution_date`.
    """

    deal: str
    distribution_date: dt.date
    report_id: str
    tables: dict[str, pl.DataFrame]

    @property
    def records(self) -> pl.DataFrame:
        """Every printed cell, with its value and its place in the source."""
        return self.tables["records"]


def read_report(source: str | os.PathLike[str] | bytes, layouts: Sequence[Layout] | None = None) -> Report:
    """Read the report in a file, or in the bytes of one. Nothing is written.

    Raises RejectedError, with the reason code, where the document cannot be read.
    """
    document = document_from_bytes(source, "<bytes>") if isinstance(source, bytes) else read_document(Path(source))
    if isinstance(document, Reject):
        raise _rejected(document)
    (batch,) = read_safely([document], usable_layouts(layouts))
    if batch.rejects:
        raise _rejected(batch.rejects[0])
    _, deal, date, report_id = batch.identity.row(0)
    keys = [pl.lit(deal).alias("deal"), pl.lit(date).alias("distribution_date")]
    tables = {
        name: frame.select(*keys, pl.exclude("document")).with_columns(pl.col(pl.Enum).cast(pl.String))
        for name, frame in batch.tables.items()
    }
    return Report(deal, date, report_id, tables)


def _rejected(reject: Reject) -> RejectedError:
    return RejectedError(reject.reason_code, f"{reject.source}: {reject.message}", reject.hint)
