"""Writes the sample inbox: python -m tests.kit FOLDER."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from . import absc_2003_he2
from .model import make_deal, simulate
from .us_bank_text import Style, random_style, render

if TYPE_CHECKING:
    from .report import Report

_LETTER = """\
Lantern Hollow Trust Services
100 Sample Street, 2nd Floor
New York, New York 10001

November 18, 2003

To the holders of the Certificates

The statement for this month's distribution follows by separate mail. It shows the amounts paid on each
class and the condition of the loans. Holders who have moved may write to the address above, and those who
prefer to receive their statements by wire service may say so on the enclosed card.

This letter holds no figures and needs no answer.

Yours truly,

Robin Sample
"""


def file_name(stem: str, report: Report) -> str:
    """Such as absc-2003-he2_2003-11-17.txt."""
    return f"{stem}_{report.distribution_date.isoformat()}.txt"


def sample_files() -> dict[str, str]:
    """Return the texts of the sample inbox by file name."""
    files = {"cover-letter_2003-11-18.txt": _LETTER}
    seed_deal = [absc_2003_he2.report(), *absc_2003_he2.following_months(2)]
    batches = (
        ("absc-2003-he2", seed_deal, Style()),
        ("harbor-light-2002-he1", simulate(make_deal(0), 2), Style()),
        ("tamarind-row-2002-he1", simulate(make_deal(2), 2), random_style(16)),
    )
    for stem, reports, style in batches:
        files.update((file_name(stem, report), render(report, style)) for report in reports)
    return files


def main(arguments: list[str]) -> int:
    """Write the files and return the exit code."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m tests.kit FOLDER\n")
        return 2
    folder = Path(arguments[0])
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in sorted(sample_files().items()):
        (folder / name).write_bytes(text.encode("ascii"))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
