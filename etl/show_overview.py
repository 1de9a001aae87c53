"""What people see of a lake: its deals, the history of one, a report as its tables with the checks beside them.

On a terminal grids that fit its width; in a pipe lines with tabs; CSV and JSON have everything, decimals exact.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

import polars as pl
from rich.console import Console
from rich.text import Text

from etl.grids import ANY_WIDTH, Column, Rows, decimals, figures, grid_of, scaled, stacked, strips, texts, width_of
from etl.outcomes import OUTCOMES
from etl.overview import History, Series, ShownReport, ShownRow, figure_columns
from etl.schema import unit_of
from etl.show_answer import write_csv, write_json, write_tabs
from etl.show_checks import at_lines, off_by
from etl.sql import Answer
from etl.terminal import MIN_WIDTH, OUTCOME_STYLES, counted, hanging, json_value, printable, shown

MAX_DEALS_SHOWN, MAX_CHECKS_SHOWN = 100, 40

_LONG = ("report_id", "table", "row", "column", "value", "unit", "checks")


# --- as other programs read it --------------------------------------------------------------------------------------


def write_frame(frame: pl.DataFrame, *, as_json: bool) -> None:
    """Write a row for each deal, or each report of a deal, as CSV or as one JSON array."""
    (write_json if as_json else write_csv)(_answer(frame))


def write_reports(reports: Sequence[ShownReport]) -> None:
    """Write the values of reports as CSV: a row for each, with the worst outcome of the checks that use it."""
    write_csv(_long(reports))


def reports_as_json(reports: Sequence[ShownReport]) -> str:
    """The reports as a JSON array: each its cover, its tables, and its checks; decimals are strings."""
    described = [
        {
            "report": report.report,
            "tables": {
                name: [{"row": row.name, **row.key, **row.values, "checks": row.marks} for row in rows]
                for name, rows in report.tables.items()
            },
            "checks": report.checks,
        }
        for report in reports
    ]
    return json.dumps(described, default=json_value)


def _answer(frame: pl.DataFrame) -> Answer:
    return Answer(tuple(frame.columns), ("",) * frame.width, frame.iter_rows())


def _long(reports: Sequence[ShownReport]) -> Answer:
    values = (
        (
            report.report["report_id"], name, row.name, column, value,
            row.values.get("unit") if column == "value" else unit_of(name, column), row.marks.get(column),
        )
        for report in reports
        for name, rows in report.tables.items()
        for row in rows
        for column, value in row.values.items()
        if column != "unit" and value is not None
    )  # fmt: skip
    return Answer(_LONG, ("",) * len(_LONG), values)


# --- as people read it ----------------------------------------------------------------------------------------------


def show_deals(deals: pl.DataFrame, rejected: int, output: str) -> None:
    """Print the deals of a lake, and how many documents were rejected."""
    if not sys.stdout.isatty():
        write_tabs(_answer(deals))
        return
    console, width = _console()
    rows = deals.head(MAX_DEALS_SHOWN).to_dicts()
    console.print(f"{counted(deals.height, 'deal')}, {counted(int(deals['reports'].sum()), 'report')}", style="bold")
    if rows:
        console.print()
        _print_deals(rows, console, width)
        for line in hanging("", f"checks between months are not among them: etl check {output}", width):
            console.print(line, style="dim")
    if deals.height > MAX_DEALS_SHOWN:
        told = f"... and {deals.height - MAX_DEALS_SHOWN:,} more deals; --csv, --json or a pipe give all of them"
        console.print(told, style="yellow")
    if rejected:
        said = f"{counted(rejected, 'document')} rejected; which, and why: etl sql {output} 'from rejects'"
        console.print(printable(said), style="yellow")


def _print_deals(rows: Rows, console: Console, width: int) -> None:
    """A line for each deal, or where that is too long two: its name, and what there is of it."""
    of_each = [
        figures("reports", rows, "reports"),
        texts("from", (str(row["first_date"]) for row in rows)),
        texts("to", (str(row["last_date"]) for row in rows)),
        Column("months missing", [_missing(row["missing_months"]) for row in rows], "right"),
        Column("numbers claimed", [_claimed(row) for row in rows], "right"),
        Column("checks failed\nwithin reports", [_failed(row["checks_failed"]) for row in rows], "right"),
    ]
    if any(row["conflicts"] for row in rows):
        of_each.insert(1, figures("conflicts", rows, "conflicts"))
    named = texts("deal", (row["deal"] for row in rows))
    if width_of([named, *of_each]) <= width:
        console.print(grid_of(named, *of_each))
        return
    for row in rows:
        missing = f", missing {', '.join(row['missing_months'])}" if row["missing_months"] else ""
        console.print(Text(printable(row["deal"]), style="bold"))
        conflicts = f", {counted(row['conflicts'], 'conflict')}" if row["conflicts"] else ""
        said = f"{row['first_date']} to {row['last_date']}, {counted(row['reports'], 'report')}{conflicts}{missing}"
        for line in hanging("  ", said, width):
            console.print(line)
        line = Text("  numbers claimed ").append_text(_claimed(row)).append(", checks failed within reports ")
        console.print(line.append_text(_failed(row["checks_failed"])))


def show_history(history: History) -> None:
    """Print the reports of a deal, and its figures over time."""
    if not sys.stdout.isatty():
        write_tabs(_answer(history.frame()))
        return
    console, width = _console()
    rows = history.reports.to_dicts()
    for line in hanging("", history.deal, width):
        console.print(line, style="bold")
    dates = texts("date", _told_apart(rows))
    own = [
        texts("form", (row["form_type"] or "-" for row in rows)),
        texts("report", (row["report_id"] for row in rows)),
        Column("numbers claimed", [_claimed(row) for row in rows], "right"),
        Column("checks failed\nwithin", [_failed(row["checks_failed"]) for row in rows], "right"),
        Column("checks failed\nfrom month before", [_failed(row["months_failed"]) for row in rows], "right"),
    ]
    _print_strips([dates, *own], console, width)
    for title, series in _titled(history.series):
        console.print(f"\n{printable(title)}", style="bold")
        _print_strips([dates, *(_over_time(head, one) for head, one in series)], console, width)


def _told_apart(rows: Rows) -> Iterator[str]:
    """The dates of reports; of those that share one, with the beginning of their ids."""
    shared = Counter(row["distribution_date"] for row in rows)
    for row in rows:
        is_shared = shared[row["distribution_date"]] > 1
        yield f"{row['distribution_date']} {row['report_id'][:4]}" if is_shared else str(row["distribution_date"])


def _titled(series: Sequence[Series]) -> Iterator[tuple[str, list[tuple[str, Series]]]]:
    """The figures under titles: those of a total together, of classes and loans each under what they say."""
    groups: dict[str, list[tuple[str, Series]]] = {}
    for one in series:
        if one.table == "measures":
            title, head = "measures", one.row
        elif one.table == "pools" or (one.table == "classes" and one.row.endswith("TOTAL")):
            title, head = f"{one.table} {one.row}", one.column
        else:
            title, head = f"{one.table} {one.column}", one.row.removeprefix("TOTAL ")
        groups.setdefault(title, []).append((head, one))
    yield from groups.items()


def _over_time(head: str, one: Series) -> Column:
    mark = "%" if one.unit == "fraction" else ""
    places = decimals(one.values, mark)
    return Column(stacked(head), [_grouped(value, places, mark) for value in one.values], "right")


def show_reports(reports: Sequence[ShownReport], deal: str, date: str) -> None:
    """Print reports as their tables, with the checks beside them."""
    if not sys.stdout.isatty():
        write_tabs(_long(reports))
        return
    console, width = _console()
    for line in hanging("", f"{deal}, {date}", width):
        console.print(line, style="bold")
    for number, report in enumerate(reports, 1):
        if len(reports) > 1:
            console.print(f"\nreport {number} of {len(reports)} of that day", style="bold")
        _print_report(report, console, width)


def _print_report(report: ShownReport, console: Console, width: int) -> None:
    cover = report.report
    read = f"{cover['form_type'] or 'no form'}; layout {cover['layout']}; report {cover['report_id']}"
    for text in (f"{cover['deal_name']}; {read}", str(cover["source"])):
        for line in hanging("", text, width):
            console.print(line)
    console.print(Text("numbers claimed ").append_text(_claimed(cover)))
    for line in _outcomes(report).wrap(console, width):
        console.print(line)
    for name, rows in report.tables.items():
        if rows:
            console.print(f"\n{name}", style="bold")
            _print_strips(list(_table_columns(name, rows)), console, width)
    for outcome, title in (("fail", "checks that fail"), ("explained", "checks that are explained")):
        if checks := [check for check in report.checks if check["outcome"] == outcome]:
            console.print(f"\n{title}", style="bold")
            for line in _told(checks, width):
                console.print(line)
    console.print()
    if any("fail" in row.marks.values() for rows in report.tables.values() for row in rows):
        console.print("! a check that uses the figure fails", style=OUTCOME_STYLES["fail"])
    console.print("- is not printed; where a figure stands: etl explain", style="dim")


def _outcomes(report: ShownReport) -> Text:
    outcomes = Counter(check["outcome"] for check in report.checks)
    line = Text("checks          ")
    for outcome in OUTCOMES:
        if outcomes[outcome]:
            line.append(f"{outcomes[outcome]:,} {outcome}", style=OUTCOME_STYLES.get(outcome, "")).append("  ")
    return line


def _table_columns(name: str, rows: Sequence[ShownRow]) -> Iterator[Column]:
    """What the rows are, how their checks came out, and each column that any of them has."""
    yield texts(name, (row.name for row in rows))
    if any(row.outcomes for row in rows):
        yield Column("checks", [_came_out(row.outcomes) for row in rows])
    for column in figure_columns(name):
        if any(row.values[column] is not None for row in rows) and not _says_the_row(name, column, rows):
            yield _values(name, column, rows)


def _says_the_row(name: str, column: str, rows: Sequence[ShownRow]) -> bool:
    """Whether a column only says once more what the rows are called."""
    return (name, column) == ("classes", "class_id") and all(
        row.values[column] is None or row.name.casefold().endswith(row.values[column].casefold()) for row in rows
    )


def _values(name: str, column: str, rows: Sequence[ShownRow]) -> Column:
    values = [row.values[column] for row in rows]
    marks = [_mark(name, column, row) for row in rows]
    fails = [row.marks.get(column) == "fail" for row in rows]
    numbers = all(
        value is None or (isinstance(value, int | Decimal) and not isinstance(value, bool)) for value in values
    )
    alike = name != "measures"  # whose rows have each its own unit
    places = decimals(values, marks[0]) if numbers and alike else None
    cells = [
        _grouped(value, decimals([value], mark) if places is None else places, mark) if numbers else _word(value)
        for value, mark in zip(values, marks, strict=True)
    ]
    if any(fails):
        cells = [
            Text(f"{cell.plain} !", style=OUTCOME_STYLES["fail"]) if fails_here else Text(f"{cell.plain}  ")
            for cell, fails_here in zip(cells, fails, strict=True)
        ]
    return Column(stacked(column), cells, "right" if numbers else "left")


def _mark(name: str, column: str, row: ShownRow) -> str:
    unit = row.values.get("unit") if column == "value" else unit_of(name, column)
    return "%" if unit == "fraction" else ""


def _grouped(value: Any, places: int, mark: str) -> Text:
    """A number with its thousands parted."""
    if value is None:
        return Text("-")
    return Text(f"{scaled(value, mark):,.{places}f}{mark}")


def _word(value: Any) -> Text:
    if isinstance(value, bool):
        return Text("yes" if value else "no")
    return Text("-" if value is None else printable(shown(value)) or "none")


def _came_out(outcomes: Mapping[str, int]) -> Text:
    asked = sum(count for outcome, count in outcomes.items() if outcome != "not_applicable")
    if not asked:
        return Text("-")
    if failed := outcomes.get("fail"):
        return Text(f"{failed} of {asked} fail{'s' if failed == 1 else ''}", style=OUTCOME_STYLES["fail"])
    return Text(f"{asked} hold" if asked > 1 else "1 holds", style=OUTCOME_STYLES["pass"])


def _told(checks: Sequence[Mapping[str, Any]], width: int) -> Iterator[Text]:
    for check in checks[:MAX_CHECKS_SHOWN]:
        for line in hanging("", f"{check['check']}: {check['subject']}{off_by(check)}{at_lines(check)}", width):
            line.stylize(OUTCOME_STYLES[check["outcome"]])
            yield line
        yield from hanging("    ", check["explanation"] or "", width)
    if len(checks) > MAX_CHECKS_SHOWN:
        yield Text(f"... and {len(checks) - MAX_CHECKS_SHOWN:,} more; --json gives all of them")


# --- pieces ---------------------------------------------------------------------------------------------------------


def _console() -> tuple[Console, int]:
    """Where it is printed, and how wide lines should be. What is wider all the same, as one column of long names may
    be, the terminal wraps: no figure is cut."""
    width = max(MIN_WIDTH, Console().width)
    return Console(highlight=False, soft_wrap=True, emoji=False, markup=False, width=ANY_WIDTH), width


def _print_strips(columns: Sequence[Column], console: Console, width: int) -> None:
    for number, strip in enumerate(strips(columns, width)):
        if number:
            console.print()
        console.print(strip)


def _claimed(row: Mapping[str, Any]) -> Text:
    found, claimed = row["numbers_found"] or 0, row["numbers_claimed"] or 0
    style = OUTCOME_STYLES["pass" if found == claimed else "explained"]
    return Text(f"all {found:,}" if found == claimed else f"{claimed:,} of {found:,}", style=style)


def _failed(count: int | None) -> Text:
    return Text(f"{count or 0:,}", style=OUTCOME_STYLES["fail" if count else "pass"])


def _missing(months: Sequence[str]) -> Text:
    return Text(f"{len(months):,}", style=OUTCOME_STYLES["explained"] if months else "")
