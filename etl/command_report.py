"""`etl report`: a lake as one web page."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any

import typer

from etl.arguments import Deals, Output
from etl.ending import FAILED, stopping
from etl.errors import UsageError
from etl.lake import Lake, listed
from etl.lake_folders import lake_folder
from etl.logs import tell
from etl.page_data import MAX_BREAKS, MAX_DEALS, PageOverview, deal_data, explanations, page_overview, tables_of_reports
from etl.show_report import show_report
from etl.terminal import counted, printable
from etl.web_page import MAX_DEALS_BYTES, chart_library, packed, web_page
from etl.whole_files import hold_off, place_of, write_whole

_DEALS = 50
_TITLE = "What the trustees reported"


def report_command(
    output: Output,
    *,
    page: Annotated[str, typer.Option("--html", help="File of the page; it is replaced whole.", metavar="FILE")],
    deals: Deals = None,
    max_deals: Annotated[
        int,
        typer.Option("--max-deals", min=1, max=MAX_DEALS, help="At most so many deals; those left out are counted."),
    ] = _DEALS,
    title: Annotated[str, typer.Option("--title", help="Title of the page.")] = _TITLE,
) -> None:
    """Write a lake as one web page that needs nothing beside it: charts, figures, and the lines that print them."""
    file = place_of("--html", page)
    hold_off(file, output)
    library = chart_library()
    with stopping("the page was not written"), lake_folder(output, with_sources=True) as folder:
        lake = Lake(folder)
        chosen = sorted({lake.find_deal(deal) for deal in deals}) if deals else None
        known = page_overview(lake, chosen, max_deals)
        if not known.deals:
            raise UsageError(f"{output}: holds no report yet; `etl run` reads reports into it")
        held = _held(lake, known)
        said = _left_out(known, held)
        listed_breaks = known.breaks[:MAX_BREAKS]
        index = {**asdict(known), "breaks": listed_breaks, "left_out": said, **explanations(known.breaks)}
        content = web_page(printable(title), index, held.deals, library)
        write_whole(file, content, "name another file")
    show_report(file, len(content), len(known.deals), held.reports, said)
    if lost := _lost(known):
        tell(f"{output}: {lost}, so the page lacks rows, and says where; `etl check` names all")
        raise typer.Exit(FAILED)


@dataclass
class _Held:
    """The deals as they stand in the page, slug → text, and how many reports they have there; those without room for
    their details; and how many earlier reports of a deal are left out."""

    deals: dict[str, str] = field(default_factory=dict)
    reports: int = 0
    full: list[str] = field(default_factory=list)
    earlier: dict[str, int] = field(default_factory=dict)


def _held(lake: Lake, known: PageOverview) -> _Held:
    """The deals, as long as there is room."""
    held = _Held()
    room = MAX_DEALS_BYTES
    breaks: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in known.breaks:
        breaks[row["deal"]].append(row)
    listed_rows = tables_of_reports(lake)
    for slug in (deal["slug"] for deal in known.deals):
        data = deal_data(lake, slug, breaks[slug], listed_rows)
        text = packed(data)
        if len(text) > room:
            held.full.append(slug)
            continue
        held.deals[slug] = text
        held.reports += len(data["reports"])
        if data["reports_left_out"]:
            held.earlier[slug] = data["reports_left_out"]
        room -= len(text)
    return held


def _lost(known: PageOverview) -> str:
    """How many files of the lake cannot be read or are lost; nothing where none is."""
    unreadable, lost = known.unreadable_files, known.lost_files
    said = [
        f"{counted(unreadable, 'file')} cannot be read" if unreadable else "",
        f"{_are(lost, 'file')} lost" if lost else "",
    ]
    return ", ".join(filter(None, said))


def _left_out(known: PageOverview, held: _Held) -> list[str]:
    """What the page leaves out, a line for each kind."""
    said = []
    if known.deals_left_out:
        shown = f"shown are the first {len(known.deals):,} by name (--max-deals)"
        said.append(f"{_are(known.deals_left_out, 'more deal')} left out; {shown}")
    if held.full:
        said.append(f"the page is full, and without the details of {listed(held.full)}; choose fewer with --deal")
    if held.earlier:
        left = _are(sum(held.earlier.values()), "earlier report")
        said.append(f"{left} left out, of deals with more numbers than a page holds: {listed(held.earlier)}")
    if known.all_breaks > MAX_BREAKS:
        said.append(
            f"of {known.all_breaks:,} checks that broke the first {MAX_BREAKS:,} are shown; `etl check` has all"
        )
    if known.years_left_out:
        said.append(
            f"of the coverage {_are(known.years_left_out, 'earlier year')} left out; fewer deals leave room for more"
        )
    return said


def _are(count: int, name: str) -> str:
    """Such as: 3 deals are."""
    return f"{counted(count, name)} {'is' if count == 1 else 'are'}"
