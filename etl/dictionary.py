"""What is declared as pages for people: the data dictionary and the catalogue of checks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from etl.identities import Accrual, Between, Check, CheckDigit, Identity, Total
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


# --- checks ------------------------------------------------------------------------------------------------------

_CHECKS_HEAD = """# Checks

Generated from `etl/identities.toml` by `etl check --list --markdown`; change that file, not this page.

A check never changes a value. Its tolerance follows from the decimals that its figures are printed with: half a unit of
the last digit for each of them. Counts and amounts printed as zero are taken as exact, and where only two figures are
not exact, they must be printed alike. The reasons stand in [the design](design.md). Outcomes:

| outcome | meaning |
| --- | --- |
| `pass` | it holds to the last digit |
| `rounding` | it is off by no more than printed rounding explains |
| `explained` | it is off by more, and rows that a total leaves out, or another known reading, account for all of it |
| `fail` | it is off, and nothing explains it; `difference` is the size of the break |
| `not_applicable` | it cannot be asked: a figure is not printed, a balance is notional, a divisor is zero |

In formulas, `name` is a column of the row, `table.name` the total of another table, `table[kind].name` the sum of its
rows of a kind, `previous.name` the same column one distribution earlier; `name?` counts as nothing where it is not
printed; `name!` is taken as exact.
"""


def checks_page(checks: Iterable[Check]) -> str:
    """The catalogue of checks, in Markdown."""
    return "\n".join([_CHECKS_HEAD, *(_check_section(check) for check in checks)])


def described(check: Check) -> dict[str, str]:
    """A check as texts: `name`, `over` (what it is evaluated for), `formula`, `statement`, `reference`."""
    over, formula = _speaks_of(check)
    said = {"name": check.name, "over": over, "formula": formula}
    return {**said, "statement": check.statement, "reference": check.reference}


def _speaks_of(check: Check) -> tuple[str, str]:
    """What a check is evaluated for, and its formula."""
    if isinstance(check, Identity):
        kinds = f" of kind {', '.join(check.only_for)}" if check.only_for else ""
        return f"each row of {check.table}{kinds}" if check.table != "report" else "each report", check.formula.text
    if isinstance(check, Accrual):
        days = f"{check.nominal_days} or the days by the calendar"
        return f"each row of {check.table}", f"{check.interest} = {check.balance} * {check.rate} * days / basis; {days}"
    if isinstance(check, Total):
        rows = f" over {check.over}" if check.over else ""
        return f"each column of {check.table}", f"sum{rows} of {', '.join(check.columns)} = the printed total"
    if isinstance(check, CheckDigit):
        return f"each {check.column} of {check.table}", ""
    if isinstance(check, Between):
        over = f"each row of {check.table} and the same row" if check.table else "each report and that"
        formula = check.formula.text if check.formula else ""
        same = " and ".join(f"{column} = previous.{column}" for column in check.unchanged)
        return f"{over} one distribution earlier", formula or same
    return "each report, block or field", ""


def _check_section(check: Check) -> str:
    shown = described(check)
    lines = [f"## {check.name}", "", check.statement, "", f"For {shown['over']}."]
    lines += ["", f"    {shown['formula']}"] if shown["formula"] else []
    if isinstance(check, Identity | Accrual) and check.not_for:
        lines += ["", "Not applicable:", ""]
        lines += [f"- {kind}: {reason}" for kind, reason in check.not_for.items()]
    if isinstance(check, Identity) and check.only_if:
        lines += ["", f"Only where {' and '.join(f'`{condition.text}`' for condition in check.only_if)}."]
    if isinstance(check, Between) and check.over_gaps:
        lines += ["", "Also over missing reports, and within one distribution."]
    if others := list(_other_readings(check)):
        lines += ["", "Explained where this holds instead:", "", *others]
    return "\n".join([*lines, "", f"Reference: {check.reference}.", ""])


def _other_readings(check: Check) -> Iterator[str]:
    if isinstance(check, Identity):
        for other in check.otherwise:
            kinds = f" ({', '.join(other.only_for)})" if other.only_for else ""
            printed = ", where it is not zero" if other.not_zero else ""
            yield f"- `{other.formula.text}`{printed}{kinds}: {other.because}"
    elif isinstance(check, Accrual):
        yield f"- balance `{check.other_balance.name}` ({', '.join(check.other_kinds)}): {check.other_because}"
        yield f"- interest and `{check.shortfall}` together: {check.shortfall_because}"
        yield f"- the same part of the interest of most classes, of at least three: {check.alike_because}"
