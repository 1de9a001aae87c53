"""A small lake, and the same lake with each of the partitionings that there are."""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

import etl
from etl.schema import TABLES

from .kit import make_deal, random_style, render, simulate

# As `--partition-by` spells them.
PARTITIONINGS = ("deal,date", "deal,year", "deal")
MONTHS = 4
POISON = b"PAR1 this is no Parquet file PAR1"


def make_lake(folder: Path) -> Path:
    """A lake of two deals, one of whose reports has an earlier version."""
    inbox = folder / "inbox"
    inbox.mkdir(parents=True)
    for seed in (0, 2):
        for month, report in enumerate(simulate(make_deal(seed), MONTHS)):
            (inbox / f"{seed}-{month}.txt").write_text(render(report, random_style(seed)))
    (inbox / "letter.txt").write_text("Dear Sirs")
    output = folder / "the lake's output"
    summary = etl.run([inbox], output)
    assert (summary.reports_read, summary.rejected) == (2 * MONTHS, 1)
    for name in ("classes", "reports"):
        file = min((output / name).rglob("*.parquet"))
        earlier = output / "_superseded" / file.relative_to(output)
        earlier.parent.mkdir(parents=True)
        shutil.copy(file, earlier)
    return output


def rearranged(lake: Path, by: str, target: Path) -> Path:
    """A copy of a lake partitioned by deal and date with another partitioning."""
    shutil.copytree(lake, target, ignore=shutil.ignore_patterns("_views"))
    if by == "deal,date":
        return target
    for root in (target, target / "_superseded"):
        for name in TABLES:
            for file in sorted((root / name).glob("deal=*/distribution_date=*/*.parquet")):
                _move(file, by)
    return target


def _move(file: Path, by: str) -> None:
    date = dt.date.fromisoformat(file.parent.name.removeprefix("distribution_date="))
    data = pq.read_table(file, partitioning=None)
    field = pa.field("distribution_date", pa.date32(), nullable=False)
    data = data.add_column(0, field, pa.array([date] * data.num_rows, pa.date32()))
    deal = file.parent.parent
    folder = deal / f"year={date.year}" if by == "deal,year" else deal
    folder.mkdir(exist_ok=True)
    pq.write_table(data, folder / file.name, compression="zstd")
    shutil.rmtree(file.parent)


def poison_last(lake: Path, table: str) -> tuple[Path, list[Path]]:
    """Make the last file of a table unreadable; that file, and the others."""
    *others, last = sorted((lake / table).rglob("*.parquet"))
    last.write_bytes(POISON)
    return last, others


def deal_of(file: Path) -> str:
    """The deal in whose folder a file stands."""
    return next(part.removeprefix("deal=") for part in file.parts if part.startswith("deal="))
