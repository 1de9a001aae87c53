"""A run: inbox → batches → the lake, with a summary of what happened.

The inbox is read here, batch by batch; workers make the files of a batch; here again the batches come
into the lake, one commit each, in the order of the inbox. So neither the number of workers nor the way
in which an inbox is split into runs changes a byte of the tables.
"""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from tempfile import TemporaryFile
from typing import IO, Any

import polars as pl

from etl.commits import cannot_write, stage_file
from etl.documents import Found, Reject, find_inputs, gone_sources, size_of
from etl.errors import UsageError
from etl.inbox import Inbox
from etl.landing import Landed, Landing
from etl.layout import Layouts, usable_layouts
from etl.local_engine import LocalEngine
from etl.manifest import (
    ATTACHED,
    MERGED_FILE,
    READ,
    REJECTED,
    REJECTS_FILE,
    REMOVED,
    Manifest,
    has_reports,
    list_bytes,
    read_manifest,
    readers,
)
from etl.object_lake import open_store
from etl.objects import StoredObject
from etl.partitions import OUTPUT_FOLDERS, RUNS_FOLDER, PartitionBy
from etl.schema import CONTRACT_VERSION, TABLES, table
from etl.stores import LakeStore, StagingArea
from etl.summary import Outcome, Summary, add_bounded, read_outcome, unread_outcome
from etl.version import __version__
from etl.versions import CONFLICT, SUPERSEDED
from etl.workers import Workers, processor_cores

# What is read in one process.
FEW_DOCUMENTS = 100
FEW_BYTES = 4 * 1024 * 1024


def run(
    inputs: Iterable[str | os.PathLike[str]],
    output: str | os.PathLike[str],
    layouts: Layouts = None,
    progress: Callable[[int, int], None] | None = None,
    *,
    keep_sources: bool = True,
    force: bool = False,
    partition_by: PartitionBy | str | None = None,
    workers: int | None = None,
    waiting: Callable[[], None] | None = None,
) -> Summary:
    """Read all reports of `inputs` (files, folders, globs) into Parquet below `output`.

    Documents that the lake knows and that have not changed are skipped, unless `force`. The sources of
    the reports are kept there too, unless `keep_sources` is False. `partition_by` is that of the lake, or
    `deal,date` for a new one. `workers` processes read, by default one for each core; the result does not
    depend on it. `layouts` are those to read with, or a folder of a user's own, which adds to the packaged ones.

    `progress` is called with the numbers of documents done and to do, `waiting` if another run writes
    into `output`. Raises UsageError for inputs that do not exist or another partitioning than the lake
    has, LayoutError for a wrong layout, LakeError where a file of the lake cannot be read and OutputError
    where nothing can be written; a document that cannot be read is a reject, no error.
    """
    started, clock = datetime.now(UTC), time.perf_counter()
    layouts = usable_layouts(layouts)
    given = [os.fspath(path) for path in inputs]
    wanted = _partition_by(partition_by)
    inputs_found = find_inputs(given, OUTPUT_FOLDERS)
    found = inputs_found.found
    count = 1 if _few(found) else workers or processor_cores()
    run_id = f"{started:%Y%m%dT%H%M%S%f}Z-{os.getpid()}"
    store = open_store(os.fspath(output))
    with store.lock(waiting), store.staging(run_id) as staging, Workers(count) as processes, _writing(output):
        manifest = read_manifest(store.root)
        chosen = _chosen_partitioning(output, store, manifest, wanted)
        summary = Summary(
            run_id=run_id,
            program_version=__version__,
            contract_version=CONTRACT_VERSION,
            layouts=[layout.label for layout in layouts],
            inputs=given,
            output=os.fspath(output),
            partition_by=chosen.value,
            workers=count,
        )
        read_by = readers(layouts)
        inbox = Inbox(store, manifest, layouts, read_by, chosen, summary, keep_sources=keep_sources, force=force)
        engine = LocalEngine(store, staging, processes, layouts, chosen, keep_sources=keep_sources)
        landing = Landing(store, staging, manifest, read_by, chosen, engine.rebuild)
        with TemporaryFile("w+", encoding="utf-8", dir=staging.next_folder()) as told:
            teller = _Teller(summary, told)
            for landed in engine.land_all(landing, inbox.batches(inbox.chunks(found))):
                teller.tell(landed)
                if progress is not None:
                    progress(inbox.files_done, len(found))
            gone = gone_sources(manifest.unseen(), inputs_found.folders, found)
            landing.forget([*gone, *inbox.no_longer_parts()])
            teller.tell_conflicts(manifest)
            teller.tell_standings(manifest)
            _finish(store, staging, manifest, summary, told, started, clock)
    return summary


def _few(found: Sequence[Found | StoredObject | Reject]) -> bool:
    """Whether there are so few documents that other processes would not have started before they are done. A large
    file may have many."""
    if len(found) > FEW_DOCUMENTS:
        return False
    sizes = (size_of(item) for item in found if not isinstance(item, Reject))
    return sum(sizes) <= FEW_BYTES


@contextmanager
def _writing(output: str | os.PathLike[str]) -> Iterator[None]:
    """Whatever else cannot be written, such as what is to be said of the run, is an OutputError."""
    try:
        yield
    except OSError as error:
        raise cannot_write(os.fspath(output), error) from error


def _partition_by(given: PartitionBy | str | None) -> PartitionBy | None:
    if given is None:
        return None
    try:
        return PartitionBy(given)
    except ValueError as error:
        ways = ", ".join(repr(way.value) for way in PartitionBy)
        raise UsageError(f"a lake cannot be partitioned by {given!r}; the ways are {ways}") from error


def _chosen_partitioning(
    output: str | os.PathLike[str], store: LakeStore, manifest: Manifest, wanted: PartitionBy | None
) -> PartitionBy:
    """The partitioning of the lake, which a run does not change."""
    present = store.partitioning() if has_reports(manifest.rows) else None
    if present is not None and wanted not in (None, present):
        raise UsageError(
            f"{output}: is partitioned by {present.value}; leave --partition-by out, or first "
            f"run `etl compact {output} --partition-by {wanted}`"
        )
    return present or wanted or PartitionBy.DATE


class _Teller:
    """Adds up the summary, and writes down what became of each document."""

    def __init__(self, summary: Summary, told: IO[str]) -> None:
        self._summary = summary
        self._told = told
        self._rows: Counter[str] = Counter(dict.fromkeys(TABLES, 0))
        self._checks: Counter[str] = Counter()
        self._keys: set[tuple[str, str]] = set()

    def tell(self, landed: Landed) -> None:
        """Add what became of a batch."""
        summary, staged = self._summary, landed.staged
        outcomes = [*landed.batch.settled, *self._read_or_rejected(landed)]
        for outcome in sorted(outcomes, key=lambda outcome: outcome.source):
            self._tell_one(outcome)
        summary.numbers_unclaimed = summary.numbers_found - summary.numbers_claimed
        self._rows.update(staged.rows)
        self._checks.update(staged.checks)
        summary.rows, summary.checks = dict(self._rows), dict(sorted(self._checks.items()))
        add_bounded(summary.failed_checks, sorted(staged.failed_checks, key=lambda failed: str(failed["source"])))
        add_bounded(summary.unclaimed, sorted(staged.unclaimed, key=lambda unclaimed: str(unclaimed["source"])))
        for name, seconds in (*staged.seconds.items(), ("write", landed.seconds)):
            summary.seconds[name] += seconds
        changed = landed.changes.filter((pl.col("outcome") == READ) & (pl.col("standing") == SUPERSEDED))
        columns = ("deal", "distribution_date", "report_id", "source")
        add_bounded(summary.superseded, map(_with_text_date, changed.select(columns).to_dicts()))
        mine = [row["sha256"] for row in staged.documents if row["sha256"]]
        lost = landed.changes.filter(
            pl.col("report_id").is_not_null()
            & ((pl.col("read_by") == "") | (pl.col("outcome") == REMOVED))
            & ~pl.col("sha256").is_in(mine)
        )
        add_bounded(summary.lost, map(_with_text_date, lost.select(columns).to_dicts()))
        conflicts = landed.changes.filter((pl.col("outcome") == READ) & (pl.col("standing") == CONFLICT))
        self._keys |= {(deal, date.isoformat()) for deal, date in conflicts.select(columns[:2]).iter_rows()}

    def _read_or_rejected(self, landed: Landed) -> Iterator[Outcome]:
        """What became of the documents that were read, and of copies of others."""
        summary = self._summary
        mine = {(row["outcome"], row["sha256"], row["source"]) for row in landed.staged.documents}
        for row in landed.changes.iter_rows(named=True):
            if (row["outcome"], row["sha256"], row["source"]) not in mine:
                continue  # taken out, or a report of an earlier run that has another standing now
            if row["outcome"] != READ:
                yield unread_outcome(row["source"], row)
                continue
            summary.numbers_found += row["numbers_found"]
            summary.numbers_claimed += row["numbers_claimed"]
            yield read_outcome(row["source"], row, "read")
        for copy in landed.batch.copies:
            if not {(outcome, copy.sha256, copy.source) for outcome in (REJECTED, ATTACHED)} & mine:
                message = f"the same bytes as {copy.first}"
                yield Outcome(copy.source, copy.sha256, copy.size, "duplicate", message=message)

    def _tell_one(self, outcome: Outcome) -> None:
        summary = self._summary
        summary.documents += 1
        summary.reports_read += outcome.outcome == "read"
        summary.skipped += outcome.outcome == "skipped"
        summary.duplicates += outcome.outcome == "duplicate"
        summary.attached += outcome.outcome == "attached"
        if outcome.outcome == "rejected":
            summary.rejected += 1
            said = {key: getattr(outcome, key) for key in ("source", "reason_code", "message", "hint")}
            add_bounded(summary.rejects, [said])
        if outcome.standing == CONFLICT and outcome.deal and outcome.distribution_date:
            self._keys.add((outcome.deal, outcome.distribution_date))
        self._told.write(json.dumps(asdict(outcome), ensure_ascii=False) + "\n")

    def tell_conflicts(self, manifest: Manifest) -> None:
        """Add the deals and days of which this run saw reports in conflict."""
        conflicts = manifest.rows.filter(pl.col("standing") == CONFLICT)
        grouped = conflicts.sort("source").group_by("deal", "distribution_date").agg("report_id", "source")
        for row in grouped.sort("deal", "distribution_date").iter_rows(named=True):
            said = _with_text_date(row)
            if (said["deal"], said["distribution_date"]) in self._keys:
                said = said | {"report_ids": said.pop("report_id"), "sources": said.pop("source")}
                add_bounded(self._summary.conflicts, [said])

    def tell_standings(self, manifest: Manifest) -> None:
        """Say of each failed check how its report stands now, after all of the run."""
        ids = {failed["report_id"] for failed in self._summary.failed_checks}
        rows = manifest.rows.filter(pl.col("report_id").is_in(list(ids)))
        standing = dict(rows.select("report_id", "standing").iter_rows())
        for failed in self._summary.failed_checks:
            failed["standing"] = standing.get(failed["report_id"])


def _with_text_date(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"distribution_date": row["distribution_date"].isoformat()}


def _finish(
    store: LakeStore,
    staging: StagingArea,
    manifest: Manifest,
    summary: Summary,
    told: IO[str],
    started: datetime,
    clock: float,
) -> None:
    """The last commit: one file for the manifest, one for the rejects, and what is to be said of the run."""
    folder = staging.next_folder()
    segments = manifest.segments
    files = []
    if segments or not store.existing([REJECTS_FILE]):
        stage_file(folder, MERGED_FILE, manifest.merged())
        rejects = manifest.rows.filter(pl.col("outcome") == REJECTED).sort("source")
        names = [column.name for column in table("rejects").columns]
        stage_file(folder, REJECTS_FILE, list_bytes(rejects.select(names), "rejects"))
        files = [MERGED_FILE, REJECTS_FILE]
    summary.seconds["total"] = time.perf_counter() - clock
    summary.seconds = {name: round(seconds, 3) for name, seconds in summary.seconds.items()}
    name = f"{RUNS_FOLDER}/{summary.run_id}.json"
    stage_file(folder, name, b"")
    with (folder / name).open("w", encoding="utf-8") as file:
        _write_run(file, summary, told, started)
    staging.commit(folder, [*files, name], segments)


def _write_run(file: IO[str], summary: Summary, told: IO[str], started: datetime) -> None:
    """The manifest of the run: the summary, and a line for each document."""
    said = {
        **asdict(summary),
        "started": started.isoformat(),
        "finished": datetime.now(UTC).isoformat(),
        "polars_version": pl.__version__,
    }
    file.write(json.dumps(said, indent=1, ensure_ascii=False).removesuffix("\n}"))
    file.write(',\n "documents_read": [')
    told.seek(0)
    between = "\n"
    for line in told:
        file.write(f"{between}  {line.rstrip()}")
        between = ",\n"
    file.write("\n ]\n}\n")
