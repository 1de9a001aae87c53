"""The declared schemas as a page for people: the data dictionary."""

from __future__ import annotations

from collections.abc import Iterable

from etl.schema import Column, Table

_HEAD = """# Data dictionary

Generated from `schemas/*.toml` by `etl schema --markdown`; change those files, not this page.

Every table lies below `OUTPUT/<table>/deal=<deal>/distribution_date=<YYYY-MM-DD>/`. The two partition
columns, `deal` (text) and `distribution_date` (date), stand in the path alone.
"""


def dictionary_page(tables: Iterable[Table]) -> str:
    """The data dictionary of the tables, in Markdown."""
    return "\n".join([_HEAD, *(_section(shown) for shown in tables)])


def _section(shown: Table) -> str:
    lines = [f"## {shown.name}", "", shown.description, ""]
    lines += [f"A row for {shown.grain}; key: {', '.join(f'`{name}`' for name in shown.key)}.", ""]
    lines += _grid(("column", "type", "null", "unit", "standard term", "description"), map(_row, shown.columns))
    if shown.terms:
        lines += [f"Names in `{shown.name}`:", ""]
        rows = [(f"`{term.name}`", term.unit, term.standard_term, term.description) for term in shown.terms]
        lines += _grid(("name", "unit", "standard term", "description"), rows)
    return "\n".join(lines)


def _row(column: Column) -> tuple[str, ...]:
    null = "yes" if column.nullable else "no"
    return (f"`{column.name}`", f"`{column.type}`", null, column.unit, column.standard_term, column.description)


def _grid(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    marks = tuple("---" for _ in head)
    return [*(f"| {' | '.join(row)} |" for row in (head, marks, *rows)), ""]
