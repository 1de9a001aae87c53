"""Writes an inbox of generated reports: python -m benchmarks.inbox FOLDER --reports 100000.

A folder for each deal, a file for each month; each deal is printed in a style of its own.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from tests.kit import make_deal, random_style, render, simulate

MONTHS = 12


def write_deal(folder: Path, seed: int, months: int = MONTHS) -> int:
    """Write the months of a deal below a folder; how many there are."""
    place = folder / f"deal-{seed:06}"
    place.mkdir(parents=True, exist_ok=True)
    reports = simulate(make_deal(seed), months)
    for report in reports:
        text = render(report, random_style(seed))
        (place / f"{report.distribution_date.isoformat()}.txt").write_bytes(text.encode())
    return len(reports)


def write_inbox(folder: Path, reports: int, processes: int | None = None) -> int:
    """Write so many reports, a year of each deal (of the last one perhaps less); how many there are."""
    whole, rest = divmod(reports, MONTHS)
    with multiprocessing.get_context("spawn").Pool(processes or os.cpu_count()) as pool:
        written = sum(pool.imap_unordered(partial(write_deal, folder), range(whole), 16))
    return written + (write_deal(folder, whole, rest) if rest else 0)


def main(arguments: Sequence[str]) -> int:
    """Write the inbox."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.inbox", description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--reports", type=int, default=1000, help="how many (1000)")
    given = parser.parse_args(arguments)
    print(f"{write_inbox(given.folder, given.reports):,} reports below {given.folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
