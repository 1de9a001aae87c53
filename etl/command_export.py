"""`etl export`: a deal as a workbook or as CSV."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from etl import completion
from etl.arguments import Deal, Output
from etl.csv_files import csv_files
from etl.deal_tables import deal_tables
from etl.errors import UsageError
from etl.lake import Lake
from etl.lake_folders import lake_folder
from etl.schema import TABLES
from etl.show_export import show_csv, show_workbook
from etl.whole_files import hold_off, place_of, write_whole
from etl.workbook import needs_excel, workbook

_ANOTHER = "name another place"


def export_command(
    output: Output,
    deal: Deal,
    *,
    xlsx: Annotated[
        str | None, typer.Option("--xlsx", help="Write a workbook with live formulas.", metavar="FILE")
    ] = None,
    csv: Annotated[str | None, typer.Option("--csv", help="Write a CSV file for each table.", metavar="DIR")] = None,
    date: Annotated[
        str | None,
        typer.Option(
            "--date", help="One distribution only: 2003-11-17, 2003-11, latest.", autocompletion=completion.dates
        ),
    ] = None,
    start: Annotated[str | None, typer.Option("--from", help="From this date on: 2003-11-17, 2003-11, 2003.")] = None,
    end: Annotated[
        str | None, typer.Option("--to", help="Up to this date, or to the end of the month or year.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace files that are there.")] = False,
) -> None:
    """Write a deal as an Excel workbook with a live reconciliation, or as CSV files."""
    if xlsx is None and csv is None:
        raise UsageError("say what to write: --xlsx FILE, --csv DIR, or both")
    if date is not None and (start is not None or end is not None):
        raise UsageError("--date and --from or --to do not go together; choose one")
    book = None if xlsx is None else _book(xlsx)
    files = {} if csv is None else _csv_places(csv)
    for file in (*([] if book is None else [book]), *files.values()):
        hold_off(file, output)
        if file.exists() and not force:
            raise UsageError(f"{file}: is there already; --force replaces it")
    with lake_folder(output) as folder:
        lake = Lake(folder)
        slug = lake.find_deal(deal)
        if date is not None:
            start = end = lake.find_date(slug, date).isoformat()
        tables = deal_tables(lake, slug, start, end)
    if book is not None:
        made = workbook(tables)
        write_whole(book, made.data, _ANOTHER)
        show_workbook(book, made)
    if files:
        for name, data in csv_files(tables):
            write_whole(files[name], data, _ANOTHER)
            show_csv(files[name], tables.tables[name].height)


def _book(given: str) -> Path:
    """The file of the workbook. Raises UsageError where the call cannot mean one."""
    needs_excel()
    place = place_of("--xlsx", given)
    if place.suffix.lower() != ".xlsx":
        raise UsageError(f"--xlsx {given}: spreadsheets go by the name; name a file that ends in .xlsx")
    return place


def _csv_places(given: str) -> dict[str, Path]:
    """The file of each table."""
    folder = place_of("--csv", given)
    return {name: folder / f"{name}.csv" for name in TABLES}
