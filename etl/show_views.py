"""What people see of the files with views."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console

from etl.terminal import printable

_USE = {"duckdb": "duckdb -init {file}", "spark": "spark-sql -i {file}"}


def show_views(written: Mapping[str, Path]) -> None:
    """Print which files were written, and how each is used."""
    console = Console(highlight=False, soft_wrap=True, emoji=False, markup=False)
    for engine, file in written.items():
        console.print(printable(f"{file}  use: {_USE[engine].format(file=shlex.quote(str(file)))}"))
    console.print("write them again where the lake has moved, or where a table that was empty got its first file")
