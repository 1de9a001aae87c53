"""What people see: summaries, tables and explanations, laid out for a terminal.

Text of documents and names of files are printed as they are, but for what could steer the terminal.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from textwrap import wrap
from typing import Any, Literal

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from etl.dictionary import described
from etl.explain import CONTEXT, Cell, Explained, Explanation, Line, Verdict
from etl.identities import Check
from etl.lake_checks import LakeChecks
from etl.movements import Movements
from etl.outcomes import OUTCOMES
from etl.rules import TOTAL
from etl.runs import UNCLAIMED_TOLD, Summary
from etl.schema import Table

MAX_LINES_SHOWN = 20
MAX_BREAKS_SHOWN = 40
MIN_WIDTH = 40
# Types with so many decimals have room for any figure; the zeros behind one say nothing.
_WIDE_DECIMALS = 8


def show_summary(summary: Summary) -> None:
    """Print what a run did."""
    console = Console(highlight=False, soft_wrap=True, emoji=False)
    if not summary.documents:
        console.print(printable(f"{' '.join(summary.inputs)}: the inbox is empty; nothing was read"), markup=False)
        return
    console.print(
        f"{summary.documents:,} documents in {summary.seconds['total']:.1f} s: {summary.reports_read:,} reports read, "
        f"{summary.rejected:,} rejected, {summary.duplicates:,} duplicates"
    )
    console.print(
        f"numbers: {summary.numbers_claimed:,} of {summary.numbers_found:,} claimed by a record, "
        f"{summary.numbers_unclaimed:,} unclaimed"
    )
    if summary.checks:
        console.print("checks: " + ", ".join(f"{count:,} {outcome}" for outcome, count in summary.checks.items()))
    if summary.reports_read:
        console.print(_rows_grid(summary))
    failed = [
        f"check failed in {check['source']}: {check['check']}: {check['subject']}"
        f"{_off_by(check)}; {check['explanation']}"
        for check in summary.failed_checks
    ]
    unclaimed = [
        f"unclaimed in {report['source']}: {_numbers(report['numbers'])}: {report['first']}"
        f"{_and_more(report['numbers'])}"
        for report in summary.unclaimed
    ]
    rejected = [
        f"rejected {reject['source']}: {reject['reason_code']}: {reject['message']}; {reject['hint']}"
        for reject in summary.rejects
    ]
    _show_lines(unclaimed, f"{summary.output}/records", console)
    _show_lines(failed, f"{summary.output}/checks", console)
    _show_lines(rejected, f"{summary.output}/_rejects", console)
    for several in summary.same_deal_and_date:
        ids = ", ".join(several["report_ids"])
        line = f"{several['deal']} {several['distribution_date']}: several different reports stand side by side: {ids}"
        console.print(printable(line), markup=False)


def _and_more(count: int) -> str:
    return f" and {count - UNCLAIMED_TOLD:,} more" if count > UNCLAIMED_TOLD else ""


def _numbers(count: int) -> str:
    return "1 number" if count == 1 else f"{count:,} numbers"


def _rows_grid(summary: Summary) -> Grid:
    grid = Grid("table", "rows", box=None, pad_edge=False)
    grid.columns[1].justify = "right"
    for name, rows in summary.rows.items():
        grid.add_row(name, f"{rows:,}")
    return grid


def _show_lines(lines: list[str], rest: str, console: Console) -> None:
    for line in lines[:MAX_LINES_SHOWN]:
        console.print(printable(line), markup=False)
    if len(lines) > MAX_LINES_SHOWN:
        console.print(printable(f"... and {len(lines) - MAX_LINES_SHOWN:,} more, in {rest}"), markup=False)


def printable(text: str) -> str:
    """One line without control characters: what a document prints must not steer the terminal."""
    return "".join(character if character.isprintable() else " " for character in text)


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


# --- checks -------------------------------------------------------------------------------------------------


def show_checks(checks: Sequence[Check]) -> None:
    """Print what is checked."""
    console = Console(highlight=False, markup=False)
    for check in checks:
        console.print(Text(check.name, style="bold"))
        for text in (described(check)["formula"], check.statement):
            for line in _hanging("    ", text, max(MIN_WIDTH, console.width)) if text else ():
                console.print(line)


def lake_checks_as_json(result: LakeChecks) -> str:
    """The checks of a lake as one JSON object; decimals are strings."""

    def by_check(counts: Mapping[tuple[str, str], int]) -> dict[str, dict[str, int]]:
        found: dict[str, dict[str, int]] = {}
        for (check, outcome), count in sorted(counts.items()):
            found.setdefault(check, {})[outcome] = count
        return found

    shown = {
        "deals": result.deals,
        "reports": result.reports,
        "within_reports": by_check(result.within_reports),
        "between_reports": by_check(result.between_reports),
        "breaks": result.breaks,
    }
    return json.dumps(shown, default=_json_value)


def show_lake_checks(result: LakeChecks) -> None:
    """Print what breaks in a lake: a table of the checks, then each break with its size and its lines."""
    console = Console(highlight=False, soft_wrap=True, emoji=False, markup=False)
    width = max(MIN_WIDTH, console.width)
    console.print(f"{result.deals:,} deals, {result.reports:,} reports")
    console.print(f"within reports:  {_by_outcome(result.within_reports)}")
    console.print(f"between reports: {_by_outcome(result.between_reports)}")
    for reason, count in _explained_checks(result.within_reports).items():
        console.print(f"explained: {reason}: {count:,}")
    if not result.breaks:
        console.print("nothing breaks" if result.reports else "the lake holds no report: nothing was checked")
        return
    console.print(_breaks_grid(result.breaks))
    deal = None
    for found in result.breaks[:MAX_BREAKS_SHOWN]:
        if found["deal"] != deal:
            deal = found["deal"]
            console.print(f"\n{printable(str(deal))}", style="bold")
        for line in _break(found, width):
            console.print(line)
    if len(result.breaks) > MAX_BREAKS_SHOWN:
        console.print(f"... and {len(result.breaks) - MAX_BREAKS_SHOWN:,} more; --json gives all of them")


def _by_outcome(counts: Mapping[tuple[str, str], int]) -> str:
    outcomes: Counter[str] = Counter()
    for (_, outcome), count in counts.items():
        outcomes[outcome] += count
    return ", ".join(f"{outcomes[outcome]:,} {outcome}" for outcome in OUTCOMES if outcomes[outcome]) or "none"


def _explained_checks(counts: Mapping[tuple[str, str], int]) -> dict[str, int]:
    """How many outcomes of each check were explained."""
    return {check: count for (check, outcome), count in sorted(counts.items()) if outcome == "explained"}


def _breaks_grid(breaks: Sequence[dict[str, Any]]) -> Grid:
    """How often each check breaks, and by how much at the most."""
    grid = Grid("check", "breaks", "largest", box=None, pad_edge=False)
    for column in grid.columns[1:]:
        column.justify = "right"
    for name in dict.fromkeys(found["check"] for found in breaks):
        sizes = [abs(found["difference"]) for found in breaks if found["check"] == name and found["difference"]]
        count = sum(found["check"] == name for found in breaks)
        grid.add_row(Text(name), f"{count:,}", _amount(max(sizes)) if sizes else "")
    return grid


def _break(found: dict[str, Any], width: int) -> Iterator[Text]:
    yield Text(printable(f"{found['distribution_date']}  {found['check']}: {found['subject']}{_off_by(found)}"))
    lines = found["lines"] or ()
    place = f", line{'s' if len(lines) > 1 else ''} {', '.join(map(str, lines))}" if lines else ""
    yield from _hanging("            ", f"{found['source']}{place}", width)
    yield from _hanging("            ", found["explanation"] or "", width)


def _off_by(found: Mapping[str, Any]) -> str:
    """The size of a break, where it has one."""
    size = Decimal(found["difference"] or 0)
    return f", off by {_amount(size)}" if size else ""


def _amount(value: Decimal) -> str:
    """A decimal with its thousands parted, without the zeros that only say how wide its type is."""
    text = f"{value:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


# --- explanations -------------------------------------------------------------------------------------------

_STATUSES = {
    "reported": "as printed",
    "not_applicable": "the report prints that there is none",
    "blank": "the report leaves the place blank",
    "not_printed": "this report does not print it",
    "derived": "follows from what is printed here",
    "computed": "not printed; this program knows it",
    "records_lost": "the records of this report are lost: run `etl run` over it again",
}
_STYLES = {"fail": "bold red", "explained": "yellow", "rounding": "yellow", "pass": "green"}


def as_json_text(explanation: Explanation) -> str:
    """The explanation as one JSON object; decimals are strings."""
    return json.dumps(asdict(explanation), default=_json_value)


def _json_value(value: Any) -> str:
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def show_explanation(explanation: Explanation) -> None:
    """Print where a value stands and what is known of it."""
    console = Console(highlight=False, soft_wrap=True, emoji=False, markup=False)
    width = max(MIN_WIDTH, console.width)
    count = len(explanation.reports)
    console.print(printable(f"{explanation.deal}, {explanation.distribution_date}"))
    for number, report in enumerate(explanation.reports, 1):
        if count > 1:
            console.print(f"\nreport {number} of {count} of that day: {printable(report.report_id)}")
        for line in _explained(explanation.name, report, width):
            console.print(line)


def _explained(name: str, report: Explained, width: int) -> Iterator[Text]:
    yield Text("")
    status = _STATUSES.get(report.status, report.status)
    said = "has no value" if report.value is None else f"= {_shown(report.value)}{_unit(report.unit)}"
    yield Text(printable(f"{name} {said}"), style="bold")
    yield from _hanging("", f"({status})", width)
    yield Text("")
    yield Text(printable(f"source    {report.source.path}"))
    first = report.cells[0] if report.cells else None
    place = f", {_place(first)}" if first else ""
    yield Text(printable(f"          SHA-256 {report.source.sha256[:16]}{place}"))
    if report.source.note:
        yield from _hanging("          ", report.source.note, width)
    if first is not None:
        yield from _first_cell(first, report, width)
    if report.cells[1:]:
        yield Text("")
        yield Text(f"also at   {_places(len(report.cells) - 1)}")
        for cell in report.cells[1:]:
            yield from _other_cell(cell, report, width)
    yield Text("")
    if not report.checks:
        yield Text("checks    none speaks of it")
        return
    yield Text(f"checks    {len(report.checks)}")
    for check in report.checks:
        yield from _verdict(check, width)


def _unit(unit: str) -> str:
    return "" if unit in ("text", "date", "flag") else f" {unit}"


def _places(count: int) -> str:
    return "another place" if count == 1 else f"{count} other places"


def _first_cell(cell: Cell, report: Explained, width: int) -> Iterator[Text]:
    numbers = range(cell.pieces[0].line - CONTEXT, cell.pieces[-1].line + CONTEXT + 1)
    lines = [line for line in report.source.lines if line.number in numbers]
    yield Text("")
    yield from _excerpt(cell, lines, width) if lines else _as_recorded(cell)
    yield Text("")
    yield from _hanging("read by   ", f"{report.layout}, block {cell.block}, rule {cell.rule}", width)
    labels = [f"{name} {label}" for name, label in (("row", cell.row_label), ("column", cell.column_label)) if label]
    if labels:
        yield from _hanging("          ", "; ".join(labels), width)


def _other_cell(cell: Cell, report: Explained, width: int) -> Iterator[Text]:
    numbers = {piece.line for piece in cell.pieces}
    lines = [line for line in report.source.lines if line.number in numbers]
    yield Text("")
    yield from _excerpt(cell, lines, width) if lines else _as_recorded(cell)
    yield from _hanging("          ", f"{_place(cell)}, rule {cell.rule}", width)


def _as_recorded(cell: Cell) -> Iterator[Text]:
    """A cell whose source cannot be shown."""
    for piece in cell.pieces:
        yield Text(printable(f"{piece.line:>6} | ... {piece.raw} ..."))


def _excerpt(cell: Cell, lines: Sequence[Line], width: int) -> Iterator[Text]:
    """The lines with their numbers, and carets under the cell. Long lines are cut around it."""
    room = width - len(_gutter(0)) - 1  # for the mark of a cut
    end = max(piece.column_end for piece in cell.pieces)
    start = min(piece.column_start for piece in cell.pieces)
    cut = 0 if end <= room else max(0, min(start, end - room))
    for line in lines:
        shown = printable(line.text).rstrip()[cut:]
        fitting = _fitting(shown, room)
        yield Text(f"{_gutter(line.number, cut=cut > 0)}{fitting}{'>' if fitting != shown else ''}".rstrip())
        for piece in (piece for piece in cell.pieces if piece.line == line.number):
            before = cell_len(shown[: max(0, piece.column_start - cut)])
            under = cell_len(shown[max(0, piece.column_start - cut) : piece.column_end - cut])
            carets = "^" * max(1, min(under, room - before))
            yield Text(f"{_gutter(None)}{' ' * before}{carets}", style="bold")


def _gutter(number: int | None, *, cut: bool = False) -> str:
    return f"{'' if number is None else number:>6} |{'<' if cut else ' '}"


def _fitting(text: str, room: int) -> str:
    """As much of a text as fits into so many places of the terminal."""
    while cell_len(text) > room:
        text = text[: max(len(text) - max(1, (cell_len(text) - room) // 2), 0)]
    return text


def _place(cell: Cell) -> str:
    """Such as: line 133, columns 16-27."""
    return "; ".join(f"line {piece.line}, columns {piece.column_start}-{piece.column_end}" for piece in cell.pieces)


def _verdict(check: Verdict, width: int) -> Iterator[Text]:
    differs = check.difference and check.outcome != "pass"  # an inequality may hold by millions
    difference = f", difference {_shown(check.difference.normalize())}" if differs else ""
    line = Text(f"{check.outcome:<15}", style=_STYLES.get(check.outcome, ""))
    later = f", of {check.later}" if check.later else ""
    line.append(printable(f"{check.check}: {check.subject}{later}{difference}"), style="default")
    yield line
    if check.explanation:
        yield from _hanging(" " * 15, check.explanation, width)


def _hanging(head: str, text: str, width: int) -> Iterator[Text]:
    """A text in as many lines as it needs, under each other behind its head."""
    rest = " " * len(head)
    lines = wrap(printable(text), width, initial_indent=head, subsequent_indent=rest, break_on_hyphens=False)
    yield from map(Text, lines)


def _shown(value: Any) -> str:
    if isinstance(value, Decimal):
        text = f"{value:f}"
        wide = len(text.partition(".")[2]) >= _WIDE_DECIMALS
        return text.rstrip("0").rstrip(".") if wide else text
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


# --- movements ----------------------------------------------------------------------------------------------

# Tables are as wide as their figures: a terminal that is narrower wraps their lines, and nothing is cut off.
_ANY_WIDTH = 1000
_Rows = Sequence[Mapping[str, Any]]


def movements_as_json(moved: Movements) -> str:
    """All that is known of what moved as one JSON object; decimals are strings."""
    shown = {
        "deal": moved.deal,
        "from": asdict(moved.before),
        "to": asdict(moved.after),
        "between": [asdict(report) for report in moved.between],
        "gaps": [asdict(gap) for gap in moved.gaps],
        **{name: frame.to_dicts() for name, frame in moved.tables.items()},
    }
    return json.dumps(shown, default=_json_value)


def show_movements(moved: Movements) -> None:
    """Print all classes and groups and whether they add up, and of the other tables what changed."""
    width = max(MIN_WIDTH, Console().width)
    console = Console(highlight=False, soft_wrap=True, emoji=False, markup=False, width=_ANY_WIDTH)
    console.print(printable(moved.deal), style="bold")
    count = len(moved.between)
    for name, report in (("from", moved.before), ("to", moved.after)):
        console.print(printable(f"{name:<6}{report.distribution_date}  {report.report_id}  {report.source}"))
    console.print(f"{count or 'no'} report{'' if count == 1 else 's'} in between")
    for gap in moved.gaps:
        console.print(gap.reason, style="yellow")
    for table, key, grid in (("classes", "class_key", _class_grid), ("pools", "group_id", _group_grid)):
        rows = moved.tables[table].to_dicts()
        console.print(f"\n{table}: does what was paid and lost explain the balances?", style="bold")
        console.print(_roll_forward_grid(rows, key, moved))
        for line in _reasons(rows, key, width):
            console.print(line)
        console.print()
        console.print(grid(rows, moved))
    for table, grids in (
        ("delinquencies", _loan_grids),
        ("measures", _measure_grids),
        ("triggers", _trigger_grids),
    ):
        rows = moved.tables[table].to_dicts()
        changed = [row for row in rows if row["changed"]]
        console.print(f"\n{table}: {len(changed):,} changed, {len(rows) - len(changed):,} did not", style="bold")
        for part in grids(changed, moved) if changed else ():
            console.print(part)


@dataclass(frozen=True)
class _Column:
    """A column of a grid."""

    head: str
    cells: Sequence[Text]
    justify: Literal["left", "right"] = "left"


def _grid(*columns: _Column | None, padding: tuple[int, int, int, int] = (0, 2, 0, 0)) -> Grid:
    shown = [column for column in columns if column is not None]
    grid = Grid(box=None, pad_edge=False, padding=padding)
    for column in shown:
        grid.add_column(Text(printable(column.head)), justify=column.justify, no_wrap=True)
    for cells in zip(*(column.cells for column in shown), strict=True):
        grid.add_row(*cells)
    return grid


def _names(head: str, names: Iterable[str]) -> _Column:
    return _Column(head, [Text(printable(name)) for name in names])


def _figures(head: str, rows: _Rows, field: str, mark: str = "", *, signed: bool = False) -> _Column:
    """A column of figures; what stands before and after has as many decimals on both sides."""
    sides = [re.sub("_(before|after)$", side, field) for side in ("_before", "_after")]
    places = _decimals([row[side] for side in dict.fromkeys(sides) for row in rows], mark)
    return _Column(head, [_figure(row[field], places, mark, signed=signed) for row in rows], "right")


def _figure(value: Decimal | int | None, places: int | None = None, mark: str = "", *, signed: bool = False) -> Text:
    """A number with so many decimals, by default its own; `-` is not printed, `%` marks a fraction."""
    if value is None:
        return Text("-")
    number = Decimal(value) * (100 if mark else 1)
    own = _decimals([value], mark) if places is None else places
    return Text(f"{number:{'+' if signed and number else ''},.{own}f}{mark}")


def _decimals(values: Iterable[Decimal | int | None], mark: str = "") -> int:
    """How many decimals these numbers need, without zeros at their end; cents are two."""
    numbers = [Decimal(value) * (100 if mark else 1) for value in values if value is not None]
    needed = max((len(f"{number:f}".partition(".")[2].rstrip("0")) for number in numbers), default=0)
    return 2 if needed == 1 else needed


def _roll_forward_grid(rows: _Rows, key: str, moved: Movements) -> Grid:
    """The balance before, what moved it, the balance after, and whether that is what follows."""
    principal = "principal_distribution" if key == "class_key" else "total_principal"
    added = [_added(row) for row in rows]
    return _grid(
        _names(key.partition("_")[0], (row[key] for row in rows)),
        _figures(str(moved.before.distribution_date), rows, "ending_balance_before"),
        _figures("principal", rows, principal),
        _figures("lost", rows, "realized_loss") if any(row["realized_loss"] for row in rows) else None,
        _figures("added", [{"added": value} for value in added], "added") if any(added) else None,
        _figures(str(moved.after.distribution_date), rows, "ending_balance_after"),
        _Column("adds up", [_adds_up(row) for row in rows]),
    )


def _added(row: Mapping[str, Any]) -> Decimal | None:
    """Deferred interest, or what the over-collateralization grew by."""
    signs = {"deferred_interest": 1, "oc_increase": 1, "oc_release": -1}
    parts = [sign * row[name] for name, sign in signs.items() if row.get(name) is not None]
    return sum(parts, Decimal(0)) if parts else None


def _adds_up(row: Mapping[str, Any]) -> Text:
    size = _figure(row["difference"])
    words = {"pass": "adds up", "rounding": f"rounding, {size}", "fail": f"off by {size}"}
    return Text(words.get(row["outcome"], "-"), style=_STYLES.get(row["outcome"], ""))


def _reasons(rows: _Rows, key: str, width: int) -> Iterator[Text]:
    """Why some rows are not added up, each reason once."""
    reasons: dict[str, list[str]] = {}
    for row in rows:
        if row["reason"]:
            reasons.setdefault(row["reason"], []).append(row[key])
    for reason, names in reasons.items():
        yield from _hanging("-  ", f"not applicable to {', '.join(names)}: {reason}", width)


def _class_grid(rows: _Rows, moved: Movements) -> Grid:
    return _grid(
        _names("class", (row["class_key"] for row in rows)),
        _figures("balance moved", rows, "ending_balance_change", signed=True),
        _figures("interest paid", rows, "interest_distribution"),
        _figures(f"rate {moved.before.distribution_date}", rows, "pass_through_rate_before", "%"),
        _figures(f"rate {moved.after.distribution_date}", rows, "pass_through_rate_after", "%"),
    )


def _group_grid(rows: _Rows, moved: Movements) -> Grid:
    return _grid(
        _names("group", (row["group_id"] for row in rows)),
        _figures("balance moved", rows, "ending_balance_change", signed=True),
        _figures(f"loans {moved.before.distribution_date}", rows, "ending_count_before"),
        _figures(f"loans {moved.after.distribution_date}", rows, "ending_count_after"),
        _figures("moved", rows, "ending_count_change", signed=True),
    )


def _loan_grids(rows: _Rows, moved: Movements) -> Iterator[Grid]:
    """A grid for each group, close together so that its lines fit."""
    for group in dict.fromkeys(row["group_id"] for row in rows):
        its = [row for row in rows if row["group_id"] == group]
        yield _grid(
            _names(group, (" ".join(filter(None, (row["status"], row["bucket"]))) for row in its)),
            _figures("loans", its, "loan_count_before"),
            _figures("to", its, "loan_count_after"),
            _figures("moved", its, "loan_count_change", signed=True),
            _figures("balance", its, "balance_before"),
            _figures("to", its, "balance_after"),
            _figures("moved", its, "balance_change", signed=True),
            _only_in(its, moved),
            padding=(0, 1, 0, 0),
        )


def _measure_grids(rows: _Rows, moved: Movements) -> Iterator[Grid]:
    def shown(field: str, *, signed: bool = False) -> list[Text]:
        marks = ["%" if row["unit"] == "fraction" else "" for row in rows]
        return [_figure(row[field], mark=mark, signed=signed) for row, mark in zip(rows, marks, strict=True)]

    yield _grid(
        _names(
            "measure", (" ".join([row["measure"], *[row["group_id"]] * (row["group_id"] != TOTAL)]) for row in rows)
        ),
        _Column(str(moved.before.distribution_date), shown("value_before"), "right"),
        _Column(str(moved.after.distribution_date), shown("value_after"), "right"),
        _Column("moved", shown("value_change", signed=True), "right"),
        _only_in(rows, moved),
    )


def _trigger_grids(rows: _Rows, moved: Movements) -> Iterator[Grid]:
    def said(row: Mapping[str, Any], side: str) -> str:
        answer = {True: "yes", False: "no", None: "-"}[row[f"occurred_{side}"]]
        numbers = [(name, row[f"{name}_{side}"]) for name in ("test_value", "threshold")]
        return ", ".join(
            [answer, *(f"{name} {_figure(value, mark='%')}" for name, value in numbers if value is not None)]
        )

    yield _grid(
        _names("trigger", (row["trigger"] for row in rows)),
        _names(str(moved.before.distribution_date), (said(row, "before") for row in rows)),
        _names(str(moved.after.distribution_date), (said(row, "after") for row in rows)),
        _only_in(rows, moved),
    )


def _only_in(rows: _Rows, moved: Movements) -> _Column | None:
    """Which rows came and which went, where there are such."""
    if not any(row["only_in"] for row in rows):
        return None
    words = {moved.before.distribution_date: "gone", moved.after.distribution_date: "new"}
    return _names("", (words.get(row["only_in"], "") for row in rows))
