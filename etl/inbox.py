"""The inbox, batch by batch: what is new in it, and what the lake knows already."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from etl.documents import Document, Reject, read_document
from etl.layout import Layout
from etl.manifest import Manifest, reader
from etl.partitions import SUPERSEDED_FOLDER, PartitionBy, partition_file
from etl.sources import source_file
from etl.summary import Outcome, Summary, add_bounded, read_outcome, rejected_outcome
from etl.versions import SUPERSEDED

# A batch has so much text and so many documents at the most (one document more than fills it), so that
# memory stays bounded whatever the size of the inbox; and it goes over so many documents of the inbox,
# most of which may be unchanged.
BATCH_BYTES = 16 * 1024 * 1024
BATCH_DOCUMENTS = 500
BATCH_INPUTS = 5000


@dataclass(frozen=True)
class Copy:
    """A document with the bytes of another one, which comes first in the inbox."""

    source: str
    sha256: str
    size: int
    first: str


@dataclass
class InboxBatch:
    """A stretch of the inbox.

    `documents` are to be read. `rejects` are none, `settled` need not be read again, and `copies` have the
    bytes of an earlier document of the run. `sources` are the paths of all of them.
    """

    documents: list[Document] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    settled: list[Outcome] = field(default_factory=list)
    copies: list[Copy] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)

    @property
    def is_full(self) -> bool:
        """Whether no more documents should come to it."""
        many = len(self.documents) >= BATCH_DOCUMENTS or len(self.sources) >= BATCH_INPUTS
        return many or _bytes_of(self.documents) >= BATCH_BYTES

    def halves(self) -> tuple[InboxBatch, InboxBatch]:
        """The batch in two: the first has half of its documents and their paths, the second all the rest."""
        half = len(self.documents) // 2
        first = [document.source for document in self.documents[:half]]
        others = [source for source in self.sources if source not in set(first)]
        rest = InboxBatch(self.documents[half:], self.rejects, self.settled, self.copies, others)
        return InboxBatch(self.documents[:half], sources=first), rest


class Inbox:
    """Reads the inbox and tells what is new from what the lake knows."""

    def __init__(
        self,
        output: Path,
        manifest: Manifest,
        layouts: Sequence[Layout],
        partition_by: PartitionBy,
        summary: Summary,
        *,
        keep_sources: bool,
        force: bool,
    ) -> None:
        self._output = output
        self._manifest = manifest
        self._partition_by = partition_by
        self._summary = summary
        self._keep_sources = keep_sources
        self._force = force
        self._readers = {reader(layouts), *(reader([layout]) for layout in layouts)}
        self._seen: dict[str, str] = {}

    def batches(self, found: Iterable[Path | Reject]) -> Iterator[InboxBatch]:
        """The inbox in batches, in its order."""
        batch = InboxBatch()
        for chunk in self._chunks(found):
            self._sort(chunk, batch)
            if batch.is_full:
                yield batch
                batch = InboxBatch()
        yield batch

    def _chunks(self, found: Iterable[Path | Reject]) -> Iterator[list[Document | Reject]]:
        """What stands in the inbox, some hundred documents at a time."""
        chunk: list[Document | Reject] = []
        size = 0
        for item in found:
            begun = time.perf_counter()
            chunk.append(read_document(item) if isinstance(item, Path) else item)
            self._summary.seconds["read"] += time.perf_counter() - begun
            size += chunk[-1].size or 0 if isinstance(chunk[-1], Document) else 0
            if len(chunk) >= BATCH_DOCUMENTS or size >= BATCH_BYTES:
                yield chunk
                chunk, size = [], 0
        yield chunk

    def _sort(self, chunk: Sequence[Document | Reject], batch: InboxBatch) -> None:
        """Put each document where it belongs in the batch."""
        batch.sources += [item.source for item in chunk]
        documents = [item for item in chunk if isinstance(item, Document)]
        batch.rejects += [item for item in chunk if isinstance(item, Reject)]
        known = self._manifest.reports({item.sha256 for item in documents})
        read = known.rows_by_key("sha256", include_key=True, named=True, unique=True)
        refused = self._manifest.rejects(item.source for item in documents)
        rejected = refused.rows_by_key("source", include_key=True, named=True, unique=True)
        for item in documents:
            row = read.get(item.sha256)
            if item.sha256 in self._seen:
                batch.copies.append(Copy(item.source, item.sha256, item.size, self._seen[item.sha256]))
            elif row is not None and self._holds(item, row):
                batch.settled.append(self._skipped(item, row))
            elif row is None and self._is_rejected_still(item, rejected.get(item.source)):
                batch.settled.append(rejected_outcome(item.source, rejected[item.source]))
            else:
                batch.documents.append(_under_first_path(item, row))
            self._seen.setdefault(item.sha256, item.source)

    def _holds(self, item: Document, row: Mapping[str, Any]) -> bool:
        """Whether the lake has the report, as this program would read it."""
        as_read = row["read_by"] in self._readers and row["source"] <= item.source
        kept = row["source_kept"] or not self._keep_sources
        return not self._force and as_read and kept and self._stands(row)

    def _is_rejected_still(self, item: Document, row: Mapping[str, Any] | None) -> bool:
        """Whether this program has rejected the same bytes at the same path."""
        if row is None or self._force:
            return False
        return row["sha256"] == item.sha256 and row["read_by"] in self._readers

    def _stands(self, row: Mapping[str, Any]) -> bool:
        """Whether the files with the rows of a report, and its source, are there."""
        file = partition_file(self._partition_by.folder(row["deal"], row["distribution_date"]))
        place = f"{SUPERSEDED_FOLDER}/" if row["standing"] == SUPERSEDED else ""
        files = [f"{self._output}/{place}{name}/{file}" for name in row["tables"]]
        files += [os.fspath(source_file(self._output, row["sha256"]))] if row["source_kept"] else []
        return all(os.path.exists(file) for file in files)  # noqa: PTH110

    def _skipped(self, item: Document, row: Mapping[str, Any]) -> Outcome:
        """The outcome of a report that the lake has; what is to be said of it is said again."""
        summary = self._summary
        summary.numbers_found += row["numbers_found"]
        summary.numbers_claimed += row["numbers_claimed"]
        summary.skipped_checks_failed += row["checks_failed"]
        unclaimed = row["numbers_found"] - row["numbers_claimed"]
        if unclaimed:
            add_bounded(summary.unclaimed, [{"source": item.source, "numbers": unclaimed, "first": None}])
        return read_outcome(item.source, row, "skipped")


def _bytes_of(documents: Iterable[Document]) -> int:
    return sum(document.size for document in documents)


def _under_first_path(document: Document, row: Mapping[str, Any] | None) -> Document:
    """The document under the first of all paths at which it was ever seen, so that their order does not matter."""
    if row is None or row["source"] >= document.source:
        return document
    return Document(row["source"], document.sha256, document.size, document.text, document.content)
