"""What is said on standard error beside the work: lines for people, or JSON lines for machines.

The package itself says nothing; what the command does is told here, through Python's own logging (logger `etl`).
"""

from __future__ import annotations

import datetime as dt
import json
import logging
import sys
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from etl.summary import Summary
from etl.terminal import json_value, printable

_LOG = logging.getLogger("etl")
_WARNINGS = logging.getLogger("py.warnings")  # what libraries warn of
_FIELDS, _EVENT = "etl_fields", "etl_event"
# What people read too; the other events are for machines.
TOLD, FAILED, WARNED = "told", "failed", "warning"


class LogFormat(StrEnum):
    """How it is said."""

    TEXT = "text"
    JSON = "json"


class _Lines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return f"etl: {printable(record.getMessage())}"


class _JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        time = dt.datetime.fromtimestamp(record.created, dt.UTC).isoformat(timespec="milliseconds")
        head = {"time": time, "level": record.levelname.lower(), "event": getattr(record, _EVENT, WARNED)}
        said = {"message": record.getMessage()} if record.msg else {}
        return json.dumps({**head, **said, **getattr(record, _FIELDS, {})}, default=json_value)


def _for_people(record: logging.LogRecord) -> bool:
    return getattr(record, _EVENT, TOLD) in (TOLD, FAILED)


def log_as(form: LogFormat) -> None:
    """From now on say it so, on standard error."""
    handler = logging.StreamHandler(sys.stderr)
    if form is LogFormat.JSON:
        handler.setFormatter(_JsonLines())
    else:
        handler.setFormatter(_Lines())
        handler.addFilter(_for_people)
    _LOG.handlers[:] = [handler]
    logging.captureWarnings(form is LogFormat.JSON)
    _WARNINGS.handlers[:] = [handler] if form is LogFormat.JSON else []
    _LOG.setLevel(logging.INFO)
    _LOG.propagate = False


def logs_are(form: LogFormat) -> bool:
    """Whether it is said so."""
    return any(isinstance(handler.formatter, _JsonLines) for handler in _LOG.handlers) == (form is LogFormat.JSON)


def tell(message: str) -> None:
    """Say one line, to people too."""
    event(TOLD, message)


def event(name: str, message: str = "", level: int = logging.INFO, **fields: Any) -> None:
    """Say that something happened, with what belongs to it: a JSON line, where those are asked for."""
    if not _LOG.handlers:
        log_as(LogFormat.TEXT)
    _LOG.log(level, "%s" if message else "", *([message] if message else []), extra={_EVENT: name, _FIELDS: fields})


@dataclass
class Progress:
    """Says how far a run is, at most every so many seconds."""

    seconds: float = 10.0
    last: dt.datetime | None = None

    def __call__(self, done: int, total: int) -> None:
        """So many documents of so many are read."""
        now = dt.datetime.now(dt.UTC)
        if self.last is None or (now - self.last).total_seconds() >= self.seconds or done == total:
            self.last = now
            event("progress", documents_done=done, documents=total)


def log_summary(summary: Summary) -> None:
    """Say what a run did: a line for each document that was rejected or left numbers unclaimed, each check that failed,
    each conflict and each report that was superseded or lost; at last the counts."""
    told = asdict(summary)
    warned = {
        "rejects": "document_rejected",
        "unclaimed": "numbers_unclaimed",
        "failed_checks": "check_failed",
        "conflicts": "reports_conflict",
        "lost": "report_lost",
        "superseded": "report_superseded",
    }
    for name, called in warned.items():
        for row in told.pop(name):
            event(called, level=logging.INFO if name == "superseded" else logging.WARNING, **row)
    event("run_ended", **told)
