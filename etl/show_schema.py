"""What people see of the declared tables."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from etl.schema import Table


def show_tables(tables: list[Table]) -> None:
    """Print a line for each table."""
    grid = Grid("table", "a row for", "columns", "description", box=None, pad_edge=False)
    for shown in tables:
        grid.add_row(shown.name, shown.grain, str(len(shown.columns)), shown.description)
    Console().print(grid)


def show_table(shown: Table) -> None:
    """Print the columns of a table, and the names of its measures or triggers."""
    console = Console()
    console.print(f"{shown.name}: {shown.description}", markup=False, highlight=False)
    partition = ", ".join(shown.partition) or "none"
    console.print(
        f"a row for {shown.grain}; key: {', '.join(shown.key)}; partition columns: {partition}", highlight=False
    )
    grid = Grid("column", "type", "null", "unit", "description", box=None, pad_edge=False)
    for column in shown.columns:
        null = "yes" if column.nullable else "no"
        grid.add_row(column.name, Text(column.type), null, column.unit, Text(column.description))
    console.print(grid)
    if shown.terms:
        console.print(f"\nnames in {shown.name}:", highlight=False)
        terms = Grid("name", "unit", "description", box=None, pad_edge=False)
        for term in shown.terms:
            terms.add_row(term.name, term.unit, Text(term.description))
        console.print(terms)
