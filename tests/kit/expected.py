"""Writes what a reader has to find in a report: one CSV a table, in printed order."""

from __future__ import annotations

import csv
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

from .report import Report, truth

if TYPE_CHECKING:
    from pathlib import Path


def cell(value: object) -> str:
    """Return the text of one value: None empty, decimals in full, ISO dates, true/false, lists joined by "|"."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, list):
        return "|".join(map(str, value))
    return str(value)


def write_expected(report: Report, folder: Path) -> None:
    """Write reports.csv, classes.csv and so on into `folder`, which is made if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    for table, rows in truth(report).items():
        with (folder / f"{table}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(rows[0])
            writer.writerows([cell(value) for value in row.values()] for row in rows)
