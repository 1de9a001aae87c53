"""What a worker process does in `benchmarks.writing`: it holds the rows of some reports, and writes them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from etl.batch import Batch, read_batch
from etl.documents import Document
from etl.filings import documents_in
from etl.layout import load_layouts
from etl.partitions import PartitionBy
from etl.schema import TABLES
from etl.staging import stage_reports

_held: list[Batch] = []


def hold(files: Sequence[str]) -> None:
    """Read reports, and keep their rows for `write_held`."""
    _held.append(_read(files))


def write_held(staging: Path) -> list[str]:
    """Stage the partitions of what this process holds; their files."""
    files, _ = stage_reports(staging, _held, PartitionBy.DATE)
    return files


def held_frames(files: Sequence[str]) -> dict[str, pl.DataFrame]:
    """The same rows as frames, with the partition columns."""
    batch = _read(files)
    identity = batch.identity.select("document", "deal", "distribution_date")
    return {
        name: batch.tables[name]
        .join(identity, on="document", maintain_order="left")
        .drop("document")
        .with_columns(pl.col(pl.Enum).cast(pl.String))
        for name in TABLES
    }


def _read(files: Sequence[str]) -> Batch:
    inside = (item for file in files for item in documents_in(Path(file)))
    documents = [item for item in inside if isinstance(item, Document)]
    batch = read_batch(documents, load_layouts())
    _ = batch.arrow
    return batch
