"""A small lake, and the same lake with each of the partitionings that there are."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import etl
from etl.compaction import compact
from etl.partitions import PartitionBy

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
    original = (inbox / "0-1.txt").read_text()
    (inbox / "0-1-revised.txt").write_text(f"REVISED\n\n{original}")
    output = folder / "the lake's output"
    summary = etl.run([inbox], output)
    assert (summary.reports_read, summary.rejected, len(summary.superseded)) == (2 * MONTHS + 1, 1, 1)
    return output


def rearranged(lake: Path, by: str, target: Path) -> Path:
    """A copy of a lake partitioned by deal and date with another partitioning."""
    shutil.copytree(lake, target, ignore=shutil.ignore_patterns("_views"))
    compact(target, PartitionBy(by), workers=1)
    return target


def poison_last(lake: Path, table: str) -> tuple[Path, list[Path]]:
    """Make the last file of a table unreadable; that file, and the others."""
    *others, last = sorted((lake / table).rglob("*.parquet"))
    last.write_bytes(POISON)
    return last, others


def deal_of(file: Path) -> str:
    """The deal in whose folder a file stands."""
    return next(part.removeprefix("deal=") for part in file.parts if part.startswith("deal="))


def hashes(lake: Path, *, but: str = "_runs") -> dict[str, str]:
    """SHA-256 of all files of a lake but those of one folder: of what is said of each run, where none is named."""
    files = [file for file in lake.rglob("*") if file.is_file() and but not in file.relative_to(lake).parts]
    return {str(file.relative_to(lake)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
