"""The Python face: read one document into frames without writing; a run is `etl.run`."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from etl.batch import Batch, read_safely
from etl.documents import Document, Reject
from etl.errors import RejectedError
from etl.filings import documents_of
from etl.layout import Layouts, usable_layouts
from etl.splits import named_reports, split_reports


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


def read_report(source: str | os.PathLike[str] | bytes, layouts: Layouts = None) -> Report:
    """Read the report in a file, at a URL of object storage, or in the bytes of a file; or that which a run names so:
    `file#2`, `archive.zip!/file#2/17`. Nothing is written.

    `layouts` are those to read with, or a folder of a user's own, which adds to the packaged ones.

    Raises RejectedError, with the reason code, where there is none that can be read, or more than one; UsageError where
    the file has nothing of the name.
    """
    reports = read_reports(source, layouts)
    if len(reports) > 1:
        message = f"{_name(source)}: {len(reports)} reports stand in the file"
        raise RejectedError("several_reports", message, "read them with read_reports")
    return reports[0]


def read_reports(source: str | os.PathLike[str] | bytes, layouts: Layouts = None) -> list[Report]:
    """Read all reports in a file (an archive, a submission, a text) or in a part of it, named as a run does, or in the
    bytes of a file. Nothing is written.

    Raises RejectedError, with the reason code of the first document, where none can be read. It holds all of them in
    memory; for archives there is `etl.run`.
    """
    known = usable_layouts(layouts)
    if isinstance(source, bytes):
        items = list(split_reports(list(documents_of(_name(source), source)), known))
    else:
        items = named_reports(os.fspath(source), known)
    batches = read_safely([item for item in items if isinstance(item, Document)], known)
    reports = [report for batch in batches for report in _reports(batch)]
    if not reports:
        rejects = [item for item in items if isinstance(item, Reject)]
        raise [*(reject for batch in batches for reject in batch.rejects), *rejects][0].error
    return reports


def _name(source: str | os.PathLike[str] | bytes) -> str:
    return "<bytes>" if isinstance(source, bytes) else os.fspath(source)


def _reports(batch: Batch) -> Iterator[Report]:
    for number, deal, date, report_id in batch.identity.iter_rows():
        keys = [pl.lit(deal).alias("deal"), pl.lit(date).alias("distribution_date")]
        tables = {
            name: frame.filter(pl.col("document") == number)
            .select(*keys, pl.exclude("document"))
            .with_columns(pl.col(pl.Enum).cast(pl.String))
            for name, frame in batch.tables.items()
        }
        yield Report(deal, date, report_id, tables)
