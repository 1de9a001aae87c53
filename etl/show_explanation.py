"""What people see of an explained value: its line, what read it, its checks."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from etl.explain import CONTEXT, Cell, Explained, Explanation, Line, Verdict
from etl.terminal import MIN_WIDTH, OUTCOME_STYLES, hanging, json_value, printable, shown

_STATUSES = {
    "reported": "as printed",
    "not_applicable": "the report prints that there is none",
    "blank": "the report leaves the place blank",
    "not_printed": "this report does not print it",
    "derived": "follows from what is printed here",
    "computed": "not printed; this program knows it",
    "records_lost": "the records of this report are lost: run `etl run` over it again",
}


def as_json_text(explanation: Explanation) -> str:
    """The explanation as one JSON object; decimals are strings."""
    return json.dumps(asdict(explanation), default=json_value)


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
    said = "has no value" if report.value is None else f"= {shown(report.value)}{_unit(report.unit)}"
    yield Text(printable(f"{name} {said}"), style="bold")
    yield from hanging("", f"({status})", width)
    yield Text("")
    yield Text(printable(f"source    {report.source.path}"))
    first = report.cells[0] if report.cells else None
    place = f", {_place(first)}" if first else ""
    yield Text(printable(f"          SHA-256 {report.source.sha256[:16]}{place}"))
    if report.source.note:
        yield from hanging("          ", report.source.note, width)
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
    yield from hanging("read by   ", f"{report.layout}, block {cell.block}, rule {cell.rule}", width)
    labels = [f"{name} {label}" for name, label in (("row", cell.row_label), ("column", cell.column_label)) if label]
    if labels:
        yield from hanging("          ", "; ".join(labels), width)


def _other_cell(cell: Cell, report: Explained, width: int) -> Iterator[Text]:
    numbers = {piece.line for piece in cell.pieces}
    lines = [line for line in report.source.lines if line.number in numbers]
    yield Text("")
    yield from _excerpt(cell, lines, width) if lines else _as_recorded(cell)
    yield from hanging("          ", f"{_place(cell)}, rule {cell.rule}", width)


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
    difference = f", difference {shown(check.difference.normalize())}" if differs else ""
    line = Text(f"{check.outcome:<15}", style=OUTCOME_STYLES.get(check.outcome, ""))
    later = f", of {check.later}" if check.later else ""
    line.append(printable(f"{check.check}: {check.subject}{later}{difference}"), style="default")
    yield line
    if check.explanation:
        yield from hanging(" " * 15, check.explanation, width)
