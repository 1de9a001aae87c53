"""The inbox, batch by batch: what is new in it, and what the lake knows already."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from etl.batch import INTERNAL_ERROR
from etl.documents import Document, Found, Reject, ToldDocument, bare_report_id
from etl.filings import documents_in
from etl.generic import NAME as GENERIC_READING
from etl.layout import Layout, choose_layout
from etl.manifest import READ, Manifest, Readers, files_of
from etl.object_files import Fetched, fetched_ahead
from etl.objects import StoredObject
from etl.partitions import PartitionBy, rejected_file
from etl.rejected_records import OF_REPORTS
from etl.sources import source_file
from etl.splits import split_reports
from etl.stores import LakeStore
from etl.summary import Outcome, Summary, add_bounded, read_outcome, unread_outcome
from etl.versions import SUPERSEDED

# Of the documents that are read together, none or all may be costly: this bounds what they cost together, as a share
# of what the largest document that is read costs. So memory stays bounded whatever the inbox holds.
BATCH_SHARE = 1.0
BATCH_DOCUMENTS = 250
# How much sooner or later a batch is full for the sake of files of several documents.
TOGETHER = 0.2
# A batch goes over so many documents of the inbox at the most, for most of them may be unchanged.
BATCH_INPUTS = 5000
# So much is looked at together, to find out what of it is new.
CHUNK_BYTES = 8 * 1024 * 1024
CHUNK_DOCUMENTS = 250

# A row of the manifest.
_Row = Mapping[str, Any]


@dataclass(frozen=True)
class Copy:
    """A document with the bytes of another one: of one that comes first in the inbox, or of a filed one if nothing
    says in which filing it came itself."""

    source: str
    sha256: str
    size: int
    first: str
    file: str | None


@dataclass
class InboxBatch:
    """A stretch of the inbox.

    `documents` are to be read. `rejects` are none, `settled` need not be read again, and `copies` have the
    bytes of another document. `sources` are the paths of all of them. Documents that the lake has seen elsewhere
    come under the first of their paths; `own_paths` has the one at which they stand here, by that and SHA-256.
    """

    documents: list[Document] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    settled: list[Outcome] = field(default_factory=list)
    copies: list[Copy] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)
    own_paths: dict[tuple[str, str], str] = field(default_factory=dict)
    share: float = 0.0
    last_file: str | None = None
    files_with_reports: set[str | None] = field(default_factory=set)

    def has_room(self, share: float, file: str | None) -> bool:
        """Whether a document that costs so much may be read together with those of the batch.

        Parts of one file stay together where they can: a file is not begun in a batch that is almost full, and may
        end in one that is a little more than full.
        """
        room = 1.0
        if file is not None:
            room = 1 + TOGETHER if file == self.last_file else 1 - TOGETHER
        fits = not self.documents or self.share + share <= BATCH_SHARE * room
        return fits and len(self.documents) < BATCH_DOCUMENTS * room and len(self.sources) < BATCH_INPUTS * room

    def without_copies(self, filed: Mapping[str, str]) -> InboxBatch:
        """The batch, with those of its documents as copies whose bytes turned out to be filed (SHA-256: source)."""
        bare = [document for document in self.documents if not document.is_filed and document.sha256 in filed]
        for document in bare:
            path = self.own_paths[document.source, document.sha256]
            self.copies.append(Copy(path, document.sha256, document.size, filed[document.sha256], document.file))
        if bare:
            self.documents = [given for given in self.documents if given.is_filed or given.sha256 not in filed]
        return self

    def halves(self) -> tuple[InboxBatch, InboxBatch]:
        """The batch in two: the first has half of its documents and their paths, the second all the rest."""
        half = len(self.documents) // 2
        first = [self.own_paths[document.source, document.sha256] for document in self.documents[:half]]
        others = [source for source in self.sources if source not in set(first)]
        rest = replace(self, documents=self.documents[half:], sources=others)
        return InboxBatch(self.documents[:half], sources=first, own_paths=self.own_paths), rest


class Inbox:
    """Reads the inbox and tells what is new from what the lake knows."""

    def __init__(
        self,
        store: LakeStore,
        manifest: Manifest,
        layouts: Sequence[Layout],
        readers: Readers,
        partition_by: PartitionBy,
        summary: Summary,
        *,
        keep_sources: bool,
        force: bool,
    ) -> None:
        self._store = store
        self._manifest = manifest
        self._readers = readers
        self._partition_by = partition_by
        self._summary = summary
        self._keep_sources = keep_sources
        self._force = force
        self.files_done = 0
        self._layouts = layouts
        self._names = {layout.name for layout in layouts} | {GENERIC_READING}
        self._readings = {readers.together, *readers.by_layout.values()}
        # Where documents were seen first: all by their ids, those that are filed by their bytes.
        self._seen: dict[str, str] = {}
        self._filed: dict[str, str] = {}
        # What was no report and has not been seen yet, by its source: its file; and those of these files that were.
        self._not_seen = manifest.unread_parts()
        self._files_of_unread = frozenset(self._not_seen.values())
        self._files_seen: set[str] = set()
        # Of all paths at which a document was ever seen the first counts, so that their order does not matter.
        self._first_paths: dict[str, str] = {}

    def batches(self, chunks: Iterable[Sequence[Document | Reject]], *, bounded: bool = True) -> Iterator[InboxBatch]:
        """The inbox in batches, in its order: what stands in it is given some documents at a time.

        All of it is one batch where none is to be `bounded`.
        """
        batch = InboxBatch()
        for chunk in chunks:
            for item, row in self._known(chunk):
                share = item.share if isinstance(item, Document) and row is None else 0.0
                if bounded and not batch.has_room(share, item.file):
                    yield batch.without_copies(self._filed)
                    batch = InboxBatch()
                self._put(item, row, share, batch)
        yield batch.without_copies(self._filed)

    def chunks(self, found: Iterable[Found | StoredObject | Reject]) -> Iterator[list[Document | Reject]]:
        """What stands in the inbox, some hundred documents at a time."""
        return in_chunks(self._documents(found), self._layouts)

    def _documents(self, found: Iterable[Found | StoredObject | Reject]) -> Iterator[Document | Reject]:
        """All documents of the inbox; what it takes to find them is added up."""
        for item in fetched_ahead(found):
            documents = documents_or_reject(item)
            while (document := self._next(documents)) is not None:
                yield document
            self.files_done += 1

    def _next(self, documents: Iterator[Document | Reject]) -> Document | Reject | None:
        begun = time.perf_counter()
        document = next(documents, None)
        self._summary.seconds["read"] += time.perf_counter() - begun
        return document

    def _known(self, chunk: Sequence[Document | Reject]) -> Iterator[tuple[Document | Reject, _Row | None]]:
        """Each document with the row of the manifest that makes it needless to read it, if there is one."""
        documents = [item for item in chunk if isinstance(item, Document)]
        reports = self._manifest.reports({item.sha256 for item in documents})
        read = reports.rows_by_key("report_id", include_key=True, named=True, unique=True)
        bare = {item.sha256 for item in documents if not item.is_filed}
        for report_id, known in read.items():
            is_filed = report_id != bare_report_id(known["sha256"])
            if is_filed and known["sha256"] in bare and self._stands(known):
                self._filed.setdefault(known["sha256"], known["source"])
        unread = self._manifest.unread(item.source for item in documents)
        rejected = unread.rows_by_key("source", include_key=True, named=True, unique=True)
        for item in chunk:
            if isinstance(item, Reject):
                yield item, None
                continue
            row = read.get(item.report_id) or self._read_as_bare(item, read)
            if row is None:
                refused = rejected.get(item.source)
                yield item, refused if refused is not None and self._is_rejected_still(item, refused) else None
            elif self._holds(item, row):
                yield item, row
            else:
                if item.file is None and row["file"] is None:  # what else is said of a part belongs to its own file
                    self._first_paths[item.report_id] = min(row["source"], item.source)
                yield item, None

    def _read_as_bare(self, item: Document, read: Mapping[str, _Row]) -> _Row | None:
        """The report that the lake has of the same bytes without their filing, if only another run can read it."""
        row = read.get(bare_report_id(item.sha256)) if item.is_filed else None
        return row if row is not None and self._only_another_reads(item, row) else None

    def _put(self, item: Document | Reject, row: _Row | None, share: float, batch: InboxBatch) -> None:
        """Put a document where it belongs in the batch."""
        batch.sources.append(item.source)
        batch.last_file = item.file
        self._not_seen.pop(item.source, None)
        file = item.file or item.source
        if file in self._files_of_unread:
            self._files_seen.add(file)
        if isinstance(item, Reject):
            batch.rejects.append(item)
            return
        first = self._first(item)
        if first != item.source:
            batch.copies.append(Copy(item.source, item.sha256, item.size, first, item.file))
        elif row is None:
            source = self._first_paths.pop(item.report_id, item.source)
            batch.documents.append(replace(item, source=source, text=""))  # a worker makes it again
            batch.own_paths[source, item.sha256] = item.source
            batch.share += share
        else:
            read = row["outcome"] == READ
            if read:
                batch.files_with_reports.add(item.file)
            batch.settled.append(self._skipped(item, row) if read else unread_outcome(item.source, row))

    def no_longer_parts(self) -> list[str]:
        """The sources of what was no report when its file was read before, and is no part of that file any more: it has
        other parts now, or other bytes."""
        return [source for source, file in self._not_seen.items() if file in self._files_seen]

    def _first(self, item: Document) -> str:
        """The source of the document that this one is a copy of; its own if it is none."""
        if item.is_filed:
            self._filed.setdefault(item.sha256, item.source)
        elif item.sha256 in self._filed:
            return self._filed[item.sha256]
        return self._seen.setdefault(item.report_id, item.source)

    def _holds(self, item: Document, row: _Row) -> bool:
        """Whether the lake has the report, as this program would read it, or as it no longer can."""
        if self._only_another_reads(item, row):
            return self._stands(row)
        as_read = row["read_by"] in self._readings and row["source"] <= item.source
        kept = row["source_kept"] or not self._keep_sources
        return not self._force and as_read and kept and self._stands(row)

    def _only_another_reads(self, item: Document, row: _Row) -> bool:
        """Whether a layout read the report that this run has not got, and none that it has knows the document: to read
        it again would only lose what the lake has of it."""
        if not row["read_by"] or _name(row["layout"]) in self._names:
            return False
        return not (item.is_known if isinstance(item, ToldDocument) else is_known(item, self._layouts))

    @property
    def asks_for_layouts(self) -> bool:
        """Whether it matters if a layout knows a document: the lake has reports that another run's layout read."""
        return any(_name(label) not in self._names for label in self._manifest.rows["layout"].unique().drop_nulls())

    def _is_rejected_still(self, item: Document, row: _Row) -> bool:
        """Whether this program, with all these layouts, has rejected the same bytes at the same path: for what they
        are, not for a defect or a process that was killed, which need not happen again. Its numbers must be there."""
        same = row["sha256"] == item.sha256 and row["read_by"] == self._readers.together
        if self._force or not same or row["reason_code"] == INTERNAL_ERROR:
            return False
        return row["reason_code"] not in OF_REPORTS or self._store.stand_whole([rejected_file(item.sha256)])

    def _stands(self, row: _Row) -> bool:
        """Whether the rows of a report and its source are where they belong."""
        if row["source_kept"] and not self._store.existing([source_file(row["sha256"])]):
            return False
        return self._store.stand_whole(files_of(row, self._partition_by))

    def _skipped(self, item: Document, row: _Row) -> Outcome:
        """The outcome of a report that the lake has; what is to be said of it is said again."""
        summary = self._summary
        summary.numbers_found += row["numbers_found"]
        summary.numbers_claimed += row["numbers_claimed"]
        if row["standing"] != SUPERSEDED:  # `etl check` lists those of the reports that hold
            summary.skipped_checks_failed += row["checks_failed"]
        if _name(row["layout"]) not in self._names:
            summary.other_layouts[row["layout"]] = summary.other_layouts.get(row["layout"], 0) + 1
        unclaimed = row["numbers_found"] - row["numbers_claimed"]
        if unclaimed:
            add_bounded(summary.unclaimed, [{"source": item.source, "numbers": unclaimed, "first": None}])
        return read_outcome(item.source, row, "skipped")


def in_chunks(documents: Iterable[Document | Reject], layouts: Sequence[Layout]) -> Iterator[list[Document | Reject]]:
    """Documents, so many at a time that memory is bounded, those of many reports taken apart."""
    chunk: list[Document | Reject] = []
    size = 0
    for document in documents:
        chunk.append(document)
        size += len(document.content) if isinstance(document, Document) else 0
        if len(chunk) >= CHUNK_DOCUMENTS or size >= CHUNK_BYTES:
            yield list(split_reports(chunk, layouts))
            chunk, size = [], 0
    if chunk:
        yield list(split_reports(chunk, layouts))


def documents_or_reject(item: Found | StoredObject | Fetched | Reject) -> Iterator[Document | Reject]:
    """The documents in what was found; what could not even be looked at is all that there is of it."""
    return iter([item]) if isinstance(item, Reject) else documents_in(item)


def is_known(document: Document, layouts: Sequence[Layout]) -> bool:
    """Whether a layout knows the document by all of its marks."""
    scores = choose_layout([document.text], layouts)
    return bool((scores["found"] == scores["wanted"]).any())


def _name(label: str | None) -> str:
    """The name of a layout, without its version."""
    return (label or "").partition("@")[0]
