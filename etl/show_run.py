"""What people see of a run: counts, rows, and what was unclaimed, failed or rejected."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table as Grid

from etl.compaction import Compacted
from etl.show_checks import off_by
from etl.staging import UNCLAIMED_TOLD
from etl.summary import Summary
from etl.terminal import counted, printable
from etl.versions import SUPERSEDED

MAX_LINES_SHOWN = 20


def show_summary(summary: Summary) -> None:
    """Print what a run did."""
    console = Console(highlight=False, soft_wrap=True, emoji=False)
    if not summary.documents:
        console.print(printable(f"{' '.join(summary.inputs)}: the inbox is empty; nothing was read"), markup=False)
        return
    console.print(
        f"{summary.documents:,} documents in {summary.seconds['total']:.1f} s: {summary.reports_read:,} reports read, "
        f"{summary.rejected:,} rejected, {summary.duplicates:,} duplicates, {summary.skipped:,} unchanged and skipped"
        + (f", {summary.attached:,} attached to reports" if summary.attached else "")
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
        f"check failed in {check['source']}{' (superseded)' if check['standing'] == SUPERSEDED else ''}: "
        f"{check['check']}: {check['subject']}"
        f"{off_by(check)}; {check['explanation']}"
        for check in summary.failed_checks
    ]
    unclaimed = [
        f"unclaimed in {report['source']}: {counted(report['numbers'], 'number')}{_which(report)}"
        for report in summary.unclaimed
    ]
    rejected = [
        f"rejected {reject['source']}: {reject['reason_code']}: {reject['message']}; {reject['hint']}"
        for reject in summary.rejects
    ]
    _show_lines(unclaimed, f"{summary.output}/records", console)
    _show_lines(failed, f"{summary.output}/checks", console)
    _show_lines(rejected, f"{summary.output}/_rejects", console)
    if summary.skipped_checks_failed:
        count = summary.skipped_checks_failed
        said = "1 check of a skipped report" if count == 1 else f"{count:,} checks of skipped reports"
        told = f"{said} failed, as before: etl check {summary.output}"
        console.print(printable(told), markup=False)
    for label, count in sorted(summary.other_layouts.items()):
        told = f"{_reports(count)} as {label} read {'it' if count == 1 else 'them'}, which this run has not got"
        console.print(printable(f"{told}; to read anew, give its folder with --layouts"), markup=False)
    superseded = [
        f"superseded: {report['deal']} {report['distribution_date']}: {report['source']} ({report['report_id']}); "
        f"a later version, or one that says the same, took its place"
        for report in summary.superseded
    ]
    conflicts = [
        f"conflict: {several['deal']} {several['distribution_date']}: {len(several['sources'])} reports differ and "
        f"nothing says which is later, so the tables hold all of them: {_named_reports(several)}; choose by "
        f"report_id, or make the lake anew from an inbox without those that do not hold"
        for several in summary.conflicts
    ]
    lost = [
        f"lost: {report['deal']} {report['distribution_date']}: rows of {report['source']} "
        f"({report['report_id']}) are no longer all there; run over it again"
        for report in summary.lost
    ]
    _show_lines(lost, f"{summary.output}/_runs", console)
    _show_lines(superseded, f"{summary.output}/_superseded", console)
    _show_lines(conflicts, f"{summary.output}/_manifest", console)


def show_compacted(done: Compacted) -> None:
    """Print what was rewritten."""
    console = Console(highlight=False, soft_wrap=True, emoji=False)
    if done.was == done.now:
        console.print(f"partitioned by {done.now} already: {done.reports:,} reports in {done.files_now:,} files")
        return
    console.print(
        f"{done.reports:,} reports: {done.files_before:,} files by {done.was} are now {done.files_now:,} by {done.now}"
    )


def _named_reports(several: dict[str, Any]) -> str:
    pairs = zip(several["sources"], several["report_ids"], strict=True)
    return ", ".join(f"{source} ({report_id})" for source, report_id in pairs)


def _which(report: dict[str, Any]) -> str:
    """The first of the numbers; of a report that was skipped they are not at hand."""
    if report["first"] is None:
        return ", as before"
    more = report["numbers"] - UNCLAIMED_TOLD
    return f": {report['first']}" + (f" and {more:,} more" if more > 0 else "")


def _reports(count: int) -> str:
    return "1 report stays" if count == 1 else f"{count:,} reports stay"


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
