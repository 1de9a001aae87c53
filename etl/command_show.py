"""`etl show`: a lake in the terminal."""

from __future__ import annotations

from typing import Annotated

import typer

from etl import completion
from etl.arguments import Output
from etl.errors import UsageError
from etl.lake import Lake
from etl.lake_folders import lake_folder
from etl.overview import deals_of, history_of, rejected_documents, reports_of
from etl.show_overview import reports_as_json, show_deals, show_history, show_reports, write_frame, write_reports


def show_command(
    output: Output,
    deal: Annotated[
        str | None,
        typer.Argument(
            help="A deal, or enough of its name: its history.", metavar="DEAL", autocompletion=completion.deals
        ),
    ] = None,
    date: Annotated[
        str | None,
        typer.Argument(
            help="Such as 2003-11-17, 2003-11, latest: its report.", metavar="DATE", autocompletion=completion.dates
        ),
    ] = None,
    *,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print everything as CSV.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """Show a lake: its deals with their months, the history of a deal, or a report as its tables with their checks."""
    if as_csv and as_json:
        raise UsageError("--csv and --json do not go together; choose one")
    with lake_folder(output) as folder:
        lake = Lake(folder)
        if deal is None:
            _deals(lake, output, as_csv=as_csv, as_json=as_json)
        elif date is None:
            _history(lake, deal, as_csv=as_csv, as_json=as_json)
        else:
            _reports(lake, deal, date, as_csv=as_csv, as_json=as_json)


def _deals(lake: Lake, output: str, *, as_csv: bool, as_json: bool) -> None:
    deals = deals_of(lake)
    if as_csv or as_json:
        write_frame(deals, as_json=as_json)
    else:
        show_deals(deals, rejected_documents(lake), output)


def _history(lake: Lake, deal: str, *, as_csv: bool, as_json: bool) -> None:
    history = history_of(lake, lake.find_deal(deal))
    if as_csv or as_json:
        write_frame(history.frame(), as_json=as_json)
    else:
        show_history(history)


def _reports(lake: Lake, deal: str, date: str, *, as_csv: bool, as_json: bool) -> None:
    slug = lake.find_deal(deal)
    day = lake.find_date(slug, date)
    reports = reports_of(lake, slug, day)
    if as_json:
        typer.echo(reports_as_json(reports))
    elif as_csv:
        write_reports(reports)
    else:
        show_reports(reports, slug, str(day))
