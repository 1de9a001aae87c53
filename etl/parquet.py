"""Tables → Parquet, partitioned by deal and date: one file for each report and table.

A file is written in a staging folder beside the tables and renamed into its place, so a reader sees
a whole file or none. Its name is the report's identifier: the same report, read from the same path,
gives the same name and the same bytes.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from etl.batch import Batch
from etl.documents import Reject
from etl.errors import OutputError
from etl.schema import arrow_schema
from etl.sources import compressed, source_file

REJECTS_FOLDER = "_rejects"
STAGING_FOLDER = "_staging"


class LakeWriter:
    """Writes into one output folder; a context manager that leaves no staging behind."""

    def __init__(self, output: Path, run_id: str) -> None:
        self._output = output
        self._staging = output / STAGING_FOLDER / run_id
        self._count = 0

    def __enter__(self) -> Self:
        try:
            self._staging.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _cannot_write(self._output, error) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        shutil.rmtree(self._staging, ignore_errors=True)
        try:
            self._staging.parent.rmdir()
        except OSError:
            return  # another run is staging there

    def write_tables(
        self, batch: Batch, sources: Mapping[str, bytes], written: Callable[[], None] | None = None
    ) -> list[dict[str, Any]]:
        """Write the tables of a batch, report by report, and of each its source, if that is among
        `sources` (by SHA-256).

        `reports` comes last: a report that stands there is complete in the other tables, and its source
        is there. `written` is called after each report. Comes back: `deal`, `distribution_date` and
        `report_ids` where several different reports of one deal and date stand now, from this run or
        an earlier one.
        """
        names = sorted(batch.tables, key=lambda name: name == "reports")
        rows = {name: dict(batch.tables[name].group_by("document").len().iter_rows()) for name in names}
        start = dict.fromkeys(names, 0)
        hashes = dict(batch.tables["reports"].select("document", "source_sha256").iter_rows()) if names else {}
        for document, deal, date, report_id in batch.identity.iter_rows():
            self._keep_source(hashes[document], sources)
            for name in names:
                count = rows[name].get(document, 0)
                folder = self._output / name / f"deal={deal}" / f"distribution_date={date.isoformat()}"
                self._write_or_clear(batch.arrow[name].slice(start[name], count), folder / f"{report_id}.parquet")
                start[name] += count
            if written is not None:
                written()
        return self._several_reports(batch.identity)

    def _keep_source(self, sha256: str, sources: Mapping[str, bytes]) -> None:
        """Write a source; one that stands there already is the same."""
        file = source_file(self._output, sha256)
        if sha256 in sources and not file.is_file():
            self._write_bytes(compressed(sources[sha256]), file)

    def _several_reports(self, identity: pl.DataFrame) -> list[dict[str, Any]]:
        several = []
        for deal, date in identity.select("deal", "distribution_date").unique(maintain_order=True).iter_rows():
            folder = self._output / "reports" / f"deal={deal}" / f"distribution_date={date.isoformat()}"
            ids = sorted(file.stem for file in folder.glob("*.parquet"))
            if len(ids) > 1:
                several.append({"deal": deal, "distribution_date": date.isoformat(), "report_ids": ids})
        return several

    def write_rejects(self, rejects: Iterable[Reject]) -> None:
        """Write a row for each reject."""
        schema = arrow_schema("rejects")
        for reject in rejects:
            row = {
                "source": reject.source,
                "sha256": reject.sha256,
                "bytes": reject.size,
                "reason_code": reject.reason_code,
                "message": reject.message,
                "hint": reject.hint,
            }
            self._write_file(pa.Table.from_pylist([row], schema), self._reject_file(reject.source))

    def clear_rejects(self, sources: Iterable[str]) -> None:
        """Take out the rows of sources that are rejected no more."""
        if (self._output / REJECTS_FOLDER).is_dir():
            for source in sources:
                _take_out(self._reject_file(source))

    def write_text(self, text: str, file: Path) -> None:
        """Write a small text file, whole or not at all."""
        self._write_bytes(text.encode(), file)

    def _write_bytes(self, content: bytes, file: Path) -> None:
        staged = self._staged()
        try:
            staged.write_bytes(content)
            file.parent.mkdir(parents=True, exist_ok=True)
            staged.replace(file)
        except OSError as error:
            raise _cannot_write(file, error) from error

    def _write_or_clear(self, data: pa.Table, file: Path) -> None:
        """Write the rows of a report, or take out what an earlier run wrote where there are none."""
        if data.num_rows:
            self._write_file(data, file)
        else:
            _take_out(file)

    def _write_file(self, data: pa.Table, file: Path) -> None:
        staged = self._staged()
        try:
            pq.write_table(data, staged, compression="zstd")
            file.parent.mkdir(parents=True, exist_ok=True)
            staged.replace(file)
        except OSError as error:
            raise _cannot_write(file, error) from error

    def _staged(self) -> Path:
        self._count += 1
        return self._staging / f"{self._count}"

    def _reject_file(self, source: str) -> Path:
        return self._output / REJECTS_FOLDER / f"{hashlib.sha256(source.encode()).hexdigest()[:16]}.parquet"


def _take_out(file: Path) -> None:
    try:
        file.unlink(missing_ok=True)
    except OSError as error:
        raise _cannot_write(file, error) from error


def _cannot_write(file: Path, error: OSError) -> OutputError:
    return OutputError(
        f"{file}: cannot be written: {error.strerror or error}; check the folder, its rights and the disk"
    )
