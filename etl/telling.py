"""What is told of a run: its summary, and the files that it leaves in `_runs`.

OUTPUT/_runs/<run>.json                what the run did, with every partition that changed and every document
OUTPUT/_runs/<run>.openlineage.jsonl   the same as OpenLineage events, if asked for
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import polars as pl

from etl.commits import stage_file
from etl.landing import Landed
from etl.lineage import lineage_events
from etl.manifest import ATTACHED, READ, REJECTED, REMOVED, Manifest, with_folder
from etl.partitions import RUNS_FOLDER, PartitionBy
from etl.schema import TABLES
from etl.summary import Outcome, Summary, add_bounded, read_outcome, unread_outcome
from etl.versions import CONFLICT, SUPERSEDED


class Teller:
    """Adds up the summary, and writes down what became of each document."""

    def __init__(self, summary: Summary, told: IO[str], started: datetime, *, lineage: bool) -> None:
        self._summary = summary
        self._told = told
        self._started = started
        self._lineage = lineage
        self._rows: Counter[str] = Counter(dict.fromkeys(TABLES, 0))
        self._checks: Counter[str] = Counter()
        self._keys: set[tuple[str, str]] = set()
        self._partitions: set[str] = set()

    def tell_untold(self, manifest: Manifest, partition_by: PartitionBy) -> None:
        """Add the partitions that runs have changed which did not come to their end."""
        reports = manifest.untold.filter(pl.col("report_id").is_not_null())
        self._partitions.update(with_folder(reports, partition_by)["folder"].unique())
        self._summary.partitions_changed = len(self._partitions)

    def tell(self, landed: Landed) -> None:
        """Add what became of a batch."""
        summary, staged = self._summary, landed.staged
        outcomes = [*landed.batch.settled, *self._read_or_rejected(landed)]
        for outcome in sorted(outcomes, key=lambda outcome: outcome.source):
            self._tell_one(outcome)
        summary.numbers_unclaimed = summary.numbers_found - summary.numbers_claimed
        self._rows.update(staged.rows)
        self._checks.update(staged.checks)
        self._partitions.update(landed.partitions)
        summary.partitions_changed = len(self._partitions)
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
        self._told.write(json.dumps(vars(outcome), ensure_ascii=False) + "\n")

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

    def stage(
        self, folder: Path, state: str, error: str | None = None, more: Mapping[str, Any] | None = None
    ) -> list[str]:
        """Stage what is told of the run, which ended so, and `more`; the files, below the lake.

        Raises OutputError, OSError.
        """
        summary = self._summary
        summary.seconds["total"] = (datetime.now(UTC) - self._started).total_seconds()
        summary.seconds = {name: round(seconds, 3) for name, seconds in summary.seconds.items()}
        files = [f"{RUNS_FOLDER}/{summary.run_id}.json"]
        stage_file(folder, files[0], b"")
        with (folder / files[0]).open("w", encoding="utf-8") as file:
            self._write(file, {"state": state, **({"error": error} if error else {}), **(more or {})})
        if self._lineage:
            files.append(f"{RUNS_FOLDER}/{summary.run_id}.openlineage.jsonl")
            stage_file(folder, files[1], lineage_events(summary, self._started, state, error).encode())
        return files

    def _write(self, file: IO[str], ended: Mapping[str, Any]) -> None:
        """The result of the run: the summary, the partitions that changed, and a line for each document."""
        said = {
            **ended,
            **asdict(self._summary),
            "started": self._started.isoformat(),
            "finished": datetime.now(UTC).isoformat(),
            "polars_version": pl.__version__,
            "changed_partitions": sorted(self._partitions),
        }
        file.write(json.dumps(said, indent=1, ensure_ascii=False).removesuffix("\n}"))
        file.write(',\n "documents_read": [')
        self._told.seek(0)
        between = "\n"
        for line in self._told:
            file.write(f"{between}  {line.rstrip()}")
            between = ",\n"
        file.write("\n ]\n}\n")


def _with_text_date(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"distribution_date": row["distribution_date"].isoformat()}
