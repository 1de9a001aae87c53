"""`etl export`: a deal as a workbook or as CSV."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from etl.csv_files import csv_files
from etl.deal_tables import DealTables, deal_tables
from etl.errors import UsageError
from etl.lake import Lake
from etl.lake_folders import lake_folder
from etl.objects import is_url
from etl.schema import TABLES
from etl.show_export import show_csv, show_workbook
from etl.whole_files import write_whole
from etl.workbook import needs_excel, workbook

_ANOTHER = "name another place"


def export_command(
    output: Annotated[str, typer.Argument(help="Folder of the tables.", metavar="OUTPUT")],
    deal: Annotated[str, typer.Argument(help="A deal, or enough of its name: 2003-he2.", metavar="DEAL")],
    *,
    xlsx: Annotated[
        Path | None, typer.Option("--xlsx", help="Write a workbook with live formulas.", metavar="FILE")
    ] = None,
    csv: Annotated[Path | None, typer.Option("--csv", help="Write a CSV file for each table.", metavar="DIR")] = None,
    date: Annotated[
        str | None, typer.Option("--date", help="One distribution only: 2003-11-17, 2003-11, latest.")
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
    if xlsx is not None:
        needs_excel()
    for file in (*([] if xlsx is None else [xlsx]), *([] if csv is None else [csv / f"{name}.csv" for name in TABLES])):
        _hold_off(file, force=force)
    with lake_folder(output) as folder:
        lake = Lake(folder)
        slug = lake.find_deal(deal)
        if date is not None:
            start = end = lake.find_date(slug, date).isoformat()
        tables = deal_tables(lake, slug, start, end)
    if xlsx is not None:
        made = workbook(tables)
        write_whole(xlsx, made.data, _ANOTHER)
        show_workbook(xlsx, made)
    if csv is not None:
        _write_csv(tables, csv)


def _write_csv(tables: DealTables, folder: Path) -> None:
    for name, data in csv_files(tables):
        write_whole(folder / f"{name}.csv", data, _ANOTHER)
        show_csv(folder / f"{name}.csv", tables.tables[name].height)


def _hold_off(file: Path, *, force: bool) -> None:
    """Raise UsageError for a URL, and where something stands that is not to be replaced."""
    if is_url(str(file).replace(":/", "://", 1)):
        raise UsageError(f"{file}: an export is written to this machine; name a file or a folder")
    if file.is_dir():
        raise UsageError(f"{file} is a folder; name a file")
    if not file.name:
        raise UsageError("the file has no name; name one")
    if file.exists() and not force:
        raise UsageError(f"{file} is there already; --force replaces it")
