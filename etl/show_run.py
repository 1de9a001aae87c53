"""What people see of a run: counts, rows, and what was unclaimed, failed or rejected."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table as Grid

from etl.runs import UNCLAIMED_TOLD, Summary
from etl.show_checks import off_by
from etl.terminal import printable

MAX_LINES_SHOWN = 20


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
        f"{off_by(check)}; {check['explanation']}"
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
