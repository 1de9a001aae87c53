"""What people see when a page was written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from etl.terminal import counted, printable


def show_report(page: Path, size: int, deals: int, reports: int, left_out: Sequence[str]) -> None:
    """Print where the page is, what it has and what it leaves out."""
    console = Console(highlight=False, soft_wrap=True, emoji=False, markup=False)
    told = f"{counted(deals, 'deal')}, {counted(reports, 'report')}"
    console.print(Text(printable(f"{page}: {told}, {max(1, round(size / 1024)):,} KiB")))
    for said in left_out:
        console.print(Text(printable(said)), style="yellow")
