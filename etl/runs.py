"""A run: inbox → batches → Parquet, rejects and a manifest, with a summary of what happened."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from etl.batch import Batch, read_safely
from etl.documents import RUNS_FOLDER, SOURCES_FOLDER, Document, Found, Reject, find_inputs, read_document
from etl.layout import Layout, usable_layouts
from etl.parquet import REJECTS_FOLDER, STAGING_FOLDER, LakeWriter
from etl.schema import CONTRACT_VERSION, TABLES
from etl.version import __version__

# A batch holds as much as the largest document that is read, so that memory stays bounded whatever the inbox holds.
BATCH_DOCUMENTS = 1000
# Of the numbers of a report that no rule claims, so many are named in the summary.
UNCLAIMED_TOLD = 5


@dataclass(frozen=True)
class Outcome:
    """What became of one input document."""

    source: str
    sha256: str | None
    bytes: int | None
    outcome: str  # read, rejected or duplicate
    report_id: str | None = None
    deal: str | None = None
    distribution_date: str | None = None
    reason_code: str | None = None
    message: str | None = None
    hint: str | None = None


@dataclass
class Summary:
    """The result of a run, as `--json` prints it and the manifest keeps it."""

    run_id: str
    program_version: str
    contract_version: int
    layouts: list[str]
    inputs: list[str]
    output: str
    documents: int = 0
    reports_read: int = 0
    rejected: int = 0
    duplicates: int = 0
    rows: dict[str, int] = field(default_factory=lambda: dict.fromkeys(TABLES, 0))
    numbers_found: int = 0
    numbers_claimed: int = 0
    numbers_unclaimed: int = 0
    unclaimed: list[dict[str, Any]] = field(default_factory=list)
    checks: dict[str, int] = field(default_factory=dict)
    failed_checks: list[dict[str, Any]] = field(default_factory=list)
    same_deal_and_date: list[dict[str, Any]] = field(default_factory=list)
    rejects: list[dict[str, Any]] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=lambda: {"read": 0.0, "extract": 0.0, "write": 0.0, "total": 0.0})


class _Done:
    """Tells a caller how many documents are done."""

    def __init__(self, progress: Callable[[int, int], None] | None, total: int) -> None:
        self._progress = progress
        self._total = total
        self._count = 0

    def one_more(self) -> None:
        self.at(self._count + 1)

    def at(self, count: int) -> None:
        self._count = count
        if self._progress is not None:
            self._progress(count, self._total)


def run(
    inputs: Iterable[str | os.PathLike[str]],
    output: str | os.PathLike[str],
    layouts: Sequence[Layout] | None = None,
    progress: Callable[[int, int], None] | None = None,
    *,
    keep_sources: bool = True,
) -> Summary:
    """Read all reports of `inputs` (files, folders, globs) into Parquet below `output`.

    The sources of the reports are kept there too, unless `keep_sources` is False.

    `progress` is called with the numbers of documents done and to do. Raises UsageError for inputs
    that do not exist, LayoutError for a wrong layout and OutputError where nothing can be written;
    a document that cannot be read is a reject, no error.
    """
    started, clock = datetime.now(UTC), time.perf_counter()
    layouts = usable_layouts(layouts)
    given = [os.fspath(path) for path in inputs]
    found = find_inputs(given, (*TABLES, REJECTS_FOLDER, RUNS_FOLDER, SOURCES_FOLDER, STAGING_FOLDER))
    summary = Summary(
        run_id=f"{started:%Y%m%dT%H%M%S%f}Z-{os.getpid()}",
        program_version=__version__,
        contract_version=CONTRACT_VERSION,
        layouts=[layout.label for layout in layouts],
        inputs=given,
        output=os.fspath(output),
    )
    outcomes: list[Outcome] = []
    with LakeWriter(Path(output), summary.run_id) as writer:
        known: dict[str, str] = {}
        done = _Done(progress, len(found))
        for documents, unreadable in _batches(found, known, outcomes, summary):
            sources = {document.sha256: document.content for document in documents if keep_sources}
            _do_batch(documents, unreadable, layouts, sources, writer, outcomes, summary, done)
            done.at(len(outcomes))
        writer.clear_rejects(outcome.source for outcome in outcomes if outcome.outcome != "rejected")
        _finish(summary, outcomes, started, clock, writer, Path(output))
    return summary


def _batches(
    found: Sequence[Found | Reject], known: dict[str, str], outcomes: list[Outcome], summary: Summary
) -> Iterator[tuple[list[Document], list[Reject]]]:
    """The inputs as batches; documents with the bytes of an earlier one are left out and noted."""
    documents: list[Document] = []
    rejects: list[Reject] = []
    share = 0.0
    for item in found:
        begun = time.perf_counter()
        document = item if isinstance(item, Reject) else read_document(item)
        summary.seconds["read"] += time.perf_counter() - begun
        if isinstance(document, Reject):
            rejects.append(document)
        elif document.sha256 in known:
            message = f"the same bytes as {known[document.sha256]}"
            outcomes.append(Outcome(document.source, document.sha256, document.size, "duplicate", message=message))
        else:
            known[document.sha256] = document.source
            share += document.share
            if share > 1:
                yield documents, rejects
                documents, rejects, share = [], [], document.share
            documents.append(document)
        if len(documents) + len(rejects) >= BATCH_DOCUMENTS:
            yield documents, rejects
            documents, rejects, share = [], [], 0.0
    yield documents, rejects


def _do_batch(
    documents: Sequence[Document],
    unreadable: Sequence[Reject],
    layouts: Sequence[Layout],
    sources: Mapping[str, bytes],
    writer: LakeWriter,
    outcomes: list[Outcome],
    summary: Summary,
    done: _Done,
) -> None:
    begun = time.perf_counter()
    parts = read_safely(documents, layouts)
    extracted = time.perf_counter()
    rejects = [*unreadable, *(reject for part in parts for reject in part.rejects)]
    for part in parts:
        summary.same_deal_and_date += writer.write_tables(part, sources, done.one_more)
    writer.write_rejects(rejects)
    summary.seconds["extract"] += extracted - begun
    summary.seconds["write"] += time.perf_counter() - extracted
    outcomes += [
        Outcome(
            reject.source,
            reject.sha256,
            reject.size,
            "rejected",
            reason_code=reject.reason_code,
            message=reject.message,
            hint=reject.hint,
        )
        for reject in rejects
    ]
    for part in parts:
        _count(part, outcomes, summary)


def _count(batch: Batch, outcomes: list[Outcome], summary: Summary) -> None:
    """Add what the batch gave to the summary."""
    if not batch.tables:
        return
    reports = batch.tables["reports"]
    columns = ["source", "source_sha256", "source_bytes", "report_id", "deal", "distribution_date"]
    named = reports.join(
        batch.identity.select("document", "deal", "distribution_date"), on="document", maintain_order="left"
    )
    for source, sha256, size, report_id, deal, date in named.select(columns).iter_rows():
        outcomes.append(Outcome(source, sha256, size, "read", report_id, deal, date.isoformat()))
    for name, frame in batch.tables.items():
        summary.rows[name] += frame.height
    summary.numbers_found += int(reports["numbers_found"].sum())
    summary.numbers_claimed += int(reports["numbers_claimed"].sum())
    summary.numbers_unclaimed = summary.numbers_found - summary.numbers_claimed
    checks = Counter(summary.checks)
    checks.update(dict(batch.tables["checks"].group_by("outcome").len().iter_rows()))
    summary.checks = dict(sorted(checks.items()))
    sources = reports.select("document", "source")
    failed = (
        batch.tables["checks"].filter(pl.col("outcome") == "fail").join(sources, on="document", maintain_order="left")
    )
    summary.failed_checks += failed.select(
        "source", "check", "subject", pl.col("difference").cast(pl.String), "explanation"
    ).to_dicts()
    unclaimed = batch.tables["records"].filter(pl.col("status") == "unclaimed").rechunk()  # see rejections
    places = unclaimed.group_by("document", maintain_order=True).agg(
        numbers=pl.len(), first=pl.format("{} in line {}", "raw", "line").head(UNCLAIMED_TOLD).str.join(", ")
    )
    summary.unclaimed += (
        places.join(sources, on="document", maintain_order="left").select("source", "numbers", "first").to_dicts()
    )


def _finish(
    summary: Summary, outcomes: list[Outcome], started: datetime, clock: float, writer: LakeWriter, output: Path
) -> None:
    """Complete the summary and write the manifest, the last file of the run."""
    outcomes.sort(key=lambda outcome: outcome.source)
    kinds = Counter(outcome.outcome for outcome in outcomes)
    summary.documents = len(outcomes)
    summary.reports_read = kinds["read"]
    summary.rejected = kinds["rejected"]
    summary.duplicates = kinds["duplicate"]
    summary.rejects = [
        {key: getattr(outcome, key) for key in ("source", "reason_code", "message", "hint")}
        for outcome in outcomes
        if outcome.outcome == "rejected"
    ]
    summary.failed_checks.sort(key=lambda failed: str(failed["source"]))
    summary.unclaimed.sort(key=lambda unclaimed: str(unclaimed["source"]))
    several = {(one["deal"], one["distribution_date"]): one for one in summary.same_deal_and_date}
    summary.same_deal_and_date = [several[key] for key in sorted(several)]
    summary.seconds["total"] = time.perf_counter() - clock
    summary.seconds = {name: round(seconds, 3) for name, seconds in summary.seconds.items()}
    manifest = {
        **asdict(summary),
        "started": started.isoformat(),
        "finished": datetime.now(UTC).isoformat(),
        "polars_version": pl.__version__,
        "documents_read": [asdict(outcome) for outcome in outcomes],
    }
    text = json.dumps(manifest, indent=1, ensure_ascii=False)
    writer.write_text(text + "\n", output / RUNS_FOLDER / f"{summary.run_id}.json")
