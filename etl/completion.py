"""What a shell may complete: deals and dates of the lake that a command names, tables, layouts.

A shell that asks gets what there is, and nothing where that cannot be known: no error stands in its prompt.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import typer

from etl.errors import EtlError
from etl.explain import EXPLAINED
from etl.lake import Lake
from etl.layout import load_layouts
from etl.objects import is_url
from etl.schema import LISTS, TABLES, table

MAX_OFFERED = 100


def deals(context: typer.Context, incomplete: str) -> list[str]:
    """Deals of the lake that begin with these letters; else ends of their names that do: 2003-he2."""
    lake = _lake(context)
    known = lake.deals() if lake else []
    found = [deal for deal in known if deal.startswith(incomplete)]
    ends = (deal[at.end() :] for deal in known for at in re.finditer("-+", deal) if incomplete)
    return (found or [end for end in dict.fromkeys(ends) if end.startswith(incomplete)])[:MAX_OFFERED]


def dates(context: typer.Context, incomplete: str) -> list[str]:
    """Dates of the deal that is named before, and `latest`."""
    lake, deal = _lake(context), context.params.get("deal")
    if lake is None or not isinstance(deal, str):
        return []
    try:
        found = [*map(str, lake.dates(lake.find_deal(deal))), "latest"]
    except EtlError:
        return []
    return [date for date in found if date.startswith(incomplete)]


def tables(incomplete: str) -> list[str]:
    """Tables that are declared."""
    return [name for name in (*TABLES, *LISTS) if name.startswith(incomplete)]


def values(incomplete: str) -> list[str]:
    """Tables whose values can be explained, their columns, and names of measures and triggers."""
    declared = [table(name) for name in EXPLAINED]
    columns = [column.name for one in declared for column in one.columns]
    names = [*EXPLAINED, *columns, *(term.name for one in declared for term in one.terms)]
    return [name for name in dict.fromkeys(names) if name.startswith(incomplete)]


def layouts(incomplete: str) -> list[str]:
    """Packaged layouts."""
    return [layout.name for layout in load_layouts() if layout.name.startswith(incomplete)]


def one_of(*words: str) -> Callable[[str], list[str]]:
    """These words."""
    return lambda incomplete: [word for word in words if word.startswith(incomplete)]


def _lake(context: typer.Context) -> Lake | None:
    """The lake that the command names, where it is a folder of this machine."""
    output = context.params.get("output")
    if not isinstance(output, str) or is_url(output):
        return None
    try:
        return Lake(Path(output))
    except EtlError:
        return None
