"""`etl fetch`: fills an inbox from EDGAR."""

from __future__ import annotations

import logging
import sys
from datetime import date
from typing import Annotated

import typer

from etl.downloads import MOST_RATE, RATE
from etl.edgar import FORMS, edgar_at, user_agent, wanted
from etl.ending import FAILED, stopping
from etl.errors import UsageError
from etl.fetched_files import inbox_folder
from etl.fetching import Heard, fetch
from etl.logs import tell
from etl.show_fetch import fetch_as_json, fetching_bar, log_fetch, show_fetch


def fetch_command(
    inbox: Annotated[str, typer.Argument(help="Folder to fill; it is made where there is none.", metavar="INBOX")],
    *,
    ciks: Annotated[
        list[str] | None, typer.Option("--cik", help="Filings of this filer; may be repeated.", metavar="NUMBER")
    ] = None,
    deals: Annotated[
        list[str] | None,
        typer.Option("--deal", help="Of filers whose name has these words; may be repeated.", metavar="NAME"),
    ] = None,
    sic: Annotated[
        str | None,
        typer.Option("--sic", help="Of filers of this industry; 6189 are asset-backed securities.", metavar="CODE"),
    ] = None,
    forms: Annotated[
        list[str] | None,
        typer.Option("--form", help=f"Of this form; may be repeated. By default {', '.join(FORMS)}.", metavar="FORM"),
    ] = None,
    first: Annotated[
        str | None, typer.Option("--from", help="Filed on this day or later.", metavar="YYYY-MM-DD")
    ] = None,
    last: Annotated[
        str | None, typer.Option("--to", help="Filed on this day or earlier.", metavar="YYYY-MM-DD")
    ] = None,
    declared: Annotated[
        str | None,
        typer.Option(
            "--user-agent",
            help="Who fetches: a name and an e-mail address, as the agency demands; or ETL_USER_AGENT.",
            metavar="WHO",
        ),
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="Fetch at most so many that are not there yet.")
    ] = None,
    rate: Annotated[
        int, typer.Option("--rate", help=f"Requests a second at the most; no more than {MOST_RATE}.", metavar="NUMBER")
    ] = RATE,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="List what would be fetched; only listings are asked for.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as one JSON object.")] = False,
    base_url: Annotated[
        str | None, typer.Option("--base-url", help="A mirror that has the paths of EDGAR's hosts.", metavar="URL")
    ] = None,
) -> None:
    """Fill an inbox with filings from EDGAR (extra [fetch]); what is there already is not fetched again."""
    if not 1 <= rate <= MOST_RATE:
        raise UsageError(f"--rate {rate}: the agency allows {MOST_RATE} requests a second; give 1 to {MOST_RATE}")
    who = user_agent(declared)
    asked = wanted(ciks or (), deals or (), sic, forms or (), _day("--from", first), _day("--to", last))
    edgar, folder = edgar_at(base_url), inbox_folder(inbox)
    logging.getLogger("stamina").addHandler(logging.NullHandler())  # what is tried again is told below
    with (
        stopping("what was fetched is whole, fetch again to go on"),
        fetching_bar(shown=sys.stderr.isatty() and not as_json) as bar,
    ):
        heard = Heard(bar.update, bar.tell, lambda: tell(f"another fetch fills {inbox}; waiting for it to end"))
        done = fetch(folder, asked, who, edgar, rate=rate, limit=limit, is_dry=dry_run, heard=heard)
    log_fetch(done)
    if as_json:
        typer.echo(fetch_as_json(done))
    else:
        show_fetch(done)
    if not done.is_complete:
        raise typer.Exit(FAILED)


def _day(option: str, given: str | None) -> date | None:
    if given is None:
        return None
    try:
        return date.fromisoformat(given)
    except ValueError as error:
        raise UsageError(f"{option} {given!r} is no day; give one such as 2003-11-17") from error
