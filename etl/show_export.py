"""What people see of an export."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from etl.terminal import printable
from etl.workbook import OFF, OK, Made


def show_workbook(file: Path, made: Made) -> None:
    """Print which workbook was written, and how its reconciliation comes out."""
    result = f"{made.off:,} {OFF}" if made.off else f"all {OK}"
    left = f", {made.not_computed:,} not computed" if made.not_computed else ""
    _print(f"{file}  {made.lines:,} lines of reconciliation, {result}{left}")


def show_csv(file: Path, rows: int) -> None:
    """Print which file was written, with its rows."""
    _print(f"{file}  {rows:,} rows")


def show_package(file: Path) -> None:
    """Print which descriptor was written."""
    _print(f"{file}  describes the tables; runs and compactions leave it current")


def _print(line: str) -> None:
    Console(highlight=False, soft_wrap=True, emoji=False, markup=False).print(printable(line))
