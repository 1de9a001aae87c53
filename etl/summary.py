"""What a run tells: what became of each document, and the summary of all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from etl.schema import TABLES

# How a run ended.
COMPLETE, FAILED, INTERRUPTED = "complete", "failed", "interrupted"
# Of what failed, was unclaimed or rejected, so many are told one by one; the tables have all of them.
LISTED = 1000


@dataclass(frozen=True)
class Outcome:
    """What became of one input document."""

    source: str
    sha256: str | None
    bytes: int | None
    outcome: str  # read, skipped (read by an earlier run, unchanged), rejected, attached or duplicate
    report_id: str | None = None
    deal: str | None = None
    distribution_date: str | None = None
    standing: str | None = None
    reason_code: str | None = None
    message: str | None = None
    hint: str | None = None


@dataclass
class Summary:
    """The result of a run, as `--json` prints it and the manifest of the run keeps it.

    `rows`, `checks` and `failed_checks` are those of the reports that this run read, superseded ones too, which
    `standing` tells; `skipped_checks_failed` are those that `etl check` lists. `partitions_changed` were
    written anew or taken out, in all tables that have rows of them. Numbers are those of all reports of the
    inbox. `other_layouts` counts reports that stay as layouts read them that this run has not got. Lists end after a
    thousand.
    """

    run_id: str
    program_version: str
    contract_version: int
    layouts: list[str]
    inputs: list[str]
    output: str
    partition_by: str
    workers: int
    documents: int = 0
    reports_read: int = 0
    skipped: int = 0
    rejected: int = 0
    duplicates: int = 0
    attached: int = 0
    rows: dict[str, int] = field(default_factory=lambda: dict.fromkeys(TABLES, 0))
    numbers_found: int = 0
    numbers_claimed: int = 0
    numbers_unclaimed: int = 0
    unclaimed: list[dict[str, Any]] = field(default_factory=list)
    checks: dict[str, int] = field(default_factory=dict)
    failed_checks: list[dict[str, Any]] = field(default_factory=list)
    skipped_checks_failed: int = 0
    partitions_changed: int = 0
    other_layouts: dict[str, int] = field(default_factory=dict)
    conflicts: list[dict[str, Any]] = field(default_factory=list)
    superseded: list[dict[str, Any]] = field(default_factory=list)
    lost: list[dict[str, Any]] = field(default_factory=list)
    rejects: list[dict[str, Any]] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(("read", "extract", "write", "total"), 0.0))


def unread_outcome(source: str, row: Mapping[str, Any]) -> Outcome:
    """The outcome of a document that the manifest says was rejected, or is attached to reports."""
    reasons = {name: row[name] for name in ("reason_code", "message", "hint")}
    return Outcome(source, row["sha256"], row["bytes"], row["outcome"], **reasons)


def read_outcome(source: str, row: Mapping[str, Any], outcome: str) -> Outcome:
    """The outcome of a document whose report the manifest has: read, or skipped."""
    return Outcome(
        source=source,
        sha256=row["sha256"],
        bytes=row["bytes"],
        outcome=outcome,
        report_id=row["report_id"],
        deal=row["deal"],
        distribution_date=row["distribution_date"].isoformat(),
        standing=row["standing"],
    )


def add_bounded(told: list[dict[str, Any]], more: Iterable[dict[str, Any]]) -> None:
    """Add to a list of the summary, up to its bound."""
    told += list(more)
    del told[LISTED:]
