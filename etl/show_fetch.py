"""What people and programs see of a fetch: what became of each filing, and how far it is."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from etl.fetching import FAILED, FETCHED, THERE, UNTRIED, WANTED, Fetch, FilingOutcome
from etl.logs import LogFormat, event, logs_are, tell
from etl.logs import Progress as ProgressLines
from etl.terminal import counted, printable

# On a terminal; in a pipe are all of them.
MAX_LINES_SHOWN = 20


class Bar(Protocol):
    """Who hears how far a fetch is."""

    def update(self, done: int, of: int) -> None:
        """So many filings are done."""

    def tell(self, line: str) -> None:
        """Something takes longer."""


@contextmanager
def fetching_bar(*, shown: bool) -> Iterator[Bar]:
    """A bar with the remaining time on standard error; or only lines."""
    if not shown or logs_are(LogFormat.JSON):
        yield _Lines()
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True, highlight=False), transient=True) as progress:
        yield _Bar(progress, progress.add_task("listing", total=None))


class _Lines:
    def __init__(self) -> None:
        self._lines = ProgressLines()

    def update(self, done: int, of: int) -> None:
        self._lines(done, of)

    def tell(self, line: str) -> None:
        tell(line)


class _Bar:
    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress = progress
        self._task = task

    def update(self, done: int, of: int) -> None:
        self._progress.update(self._task, completed=done, total=of, description="fetching")

    def tell(self, line: str) -> None:
        self._progress.console.print(printable(f"etl: {line}"), markup=False, soft_wrap=True)


def log_fetch(done: Fetch) -> None:
    """Say what a fetch did, for machines: each filing that failed, each listing that could not be had, the counts."""
    for outcome in done.filings:
        if outcome.outcome == FAILED:
            number = outcome.filing.accession_number
            event("filing_failed", level=logging.WARNING, accession_number=number, reason=outcome.reason)
    for reason in done.unlisted:
        event("listing_failed", level=logging.WARNING, reason=reason)
    event("fetch_ended", **_counted(done))


def fetch_as_json(done: Fetch) -> str:
    """The result as one JSON object, with every filing."""
    said = _counted(done) | {
        "unlisted": done.unlisted,
        "filings": [outcome.as_json() for outcome in done.filings],
    }
    return json.dumps(said, default=str)


def _counted(done: Fetch) -> dict[str, Any]:
    return {
        "inbox": done.inbox,
        "dry_run": done.is_dry,
        **{outcome: done.count(outcome) for outcome in (FETCHED, THERE, WANTED, FAILED, UNTRIED)},
        "left": done.left,
        "malformed": done.malformed,
        "requests": done.requests,
        "seconds": done.seconds,
    }


def show_fetch(done: Fetch) -> None:
    """Print what became of the filings; those that were there are only counted."""
    console = Console(highlight=False, soft_wrap=True, emoji=False, markup=False)
    come = [outcome for outcome in done.filings if outcome.outcome in (FETCHED, WANTED)]
    most = MAX_LINES_SHOWN if sys.stdout.isatty() else len(come)
    for outcome in come[:most]:
        console.print(_line(outcome) + (f": {outcome.reason}" if outcome.reason else ""))
    if len(come) > most:
        console.print(f"... and {len(come) - most:,} more; all of them: --json, or pipe the output")
    for outcome in done.filings:
        if outcome.outcome == FAILED:
            console.print(f"{_line(outcome)}: {printable(outcome.reason or '')}")
    for reason in done.unlisted:
        console.print(printable(f"not listed: {reason}"))
    if done.malformed:
        console.print(f"{counted(done.malformed, 'line')} of the listings cannot be read, and were left out")
    if untried := done.count(UNTRIED):
        console.print(
            f"{counted(untried, 'filing')} not tried: the server did not serve those before; fetch again later"
        )
    if done.left:
        console.print(f"{counted(done.left, 'filing')} left for the limit; fetch again to go on")
    console.print(printable(_counts(done)))


def _counts(done: Fetch) -> str:
    """All of it in one line."""
    if not done.filings and not done.unlisted:
        said = "no filing fits"
    elif done.is_dry:
        said = f"{counted(done.count(WANTED), 'filing')} to fetch{_sizes(done, WANTED)}"
    else:
        said = f"{counted(done.count(FETCHED), 'filing')} fetched{_sizes(done, FETCHED)}"
    there, failed = done.count(THERE), done.count(FAILED)
    more = f", {there:,} already there, {failed:,} failed" if done.filings else ""
    return f"{done.inbox}: {said}{more}; {counted(done.requests, 'request')} in {done.seconds:.1f} s"


def _sizes(done: Fetch, outcome: str) -> str:
    known = [filing.bytes for filing in done.filings if filing.outcome == outcome and filing.bytes is not None]
    return f" ({sum(known):,} bytes)" if known and len(known) == done.count(outcome) else ""


def _line(outcome: FilingOutcome) -> str:
    filing = outcome.filing
    size = "-" if outcome.bytes is None else f"{outcome.bytes:,}"
    told = f"{outcome.outcome:<7}  {filing.accession_number}  {filing.form_type:<6}  {filing.filed_date}  {size:>9}"
    return printable(f"{told}  {filing.company_name}")
