"""What the tasks of a Spark run do: functions from record batches to record batches, which need no Spark.

Files of the inbox become documents, packs of documents become files of partitions, and what several packs staged for
one partition is put together and handed to the lake. Each gives the same rows however often it is tried.
"""

from __future__ import annotations

import contextlib
import itertools
import pickle
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol, TypeAlias

import pyarrow as pa

from etl.containers import is_archive
from etl.documents import (
    KIND_BYTES,
    MAX_FILE_BYTES,
    Document,
    Found,
    Reject,
    ToldDocument,
    source_name,
    too_large_to_read,
)
from etl.errors import UsageError
from etl.filings import documents_of
from etl.inbox import documents_or_reject, in_chunks, is_known
from etl.layout import Layout
from etl.object_files import fetched_ahead
from etl.objects import StoredObject
from etl.partitions import PartitionBy, owner_of, partition_files
from etl.staging import Rebuilt, Staged, put_together, stage_batch
from etl.stores import Deposit, LakeStore

# So many bytes of files are handed to the lake at once, if there are as many.
BUNDLE_BYTES = 32 * 1024 * 1024

# The documents of files: `group` and `number` say in which order they stand in the inbox; `item` is the pickled
# document without its text and bytes, or the reject.
DOCUMENTS = pa.schema(
    [
        ("group", pa.string()),
        ("number", pa.int32()),
        ("source", pa.string()),
        ("sha256", pa.string()),
        ("item", pa.binary()),
        ("content", pa.binary()),
    ]
)
# Files that a pack of documents gives, by what they belong to: a partition, or the file alone. Where `owner` is empty,
# `content` is the pickled `Staged`.
STAGED = pa.schema([("owner", pa.string()), ("pack", pa.int32()), ("file", pa.string()), ("content", pa.binary())])
# What has been handed to the lake: pickled `Rebuilt`s, and what tells the commit of their files.
PLACED = pa.schema([("rebuilt", pa.binary()), ("told", pa.string())])

Rows: TypeAlias = Iterator[pa.RecordBatch]


class Shared(Protocol):
    """A value that all tasks of a job share, as a broadcast variable of Spark."""

    @property
    def value(self) -> Any:
        """The value."""


@dataclass(frozen=True)
class Reading:
    """What it takes to find the documents in files."""

    layouts: Sequence[Layout]
    folder: str | None  # to which relative paths belong; None where there are none
    asks_for_layouts: bool  # whether it is to be told if a layout knows a document


@dataclass(frozen=True)
class Writing:
    """What it takes to make the files of a lake out of documents."""

    layouts: Sequence[Layout]
    partition_by: PartitionBy
    keep_sources: bool


# --- files → documents ------------------------------------------------------------------------------------------


def read_found(rows: Rows, slices: Shared, reading: Reading) -> Rows:
    """The documents in files that are read where they stand: rows have `id`, the number of a slice of such files."""
    for batch in rows:
        for number in batch.column("id").to_pylist():
            with _working_in(reading.folder):
                found = fetched_ahead(slices.value[number])
                documents = itertools.chain.from_iterable(map(documents_or_reject, found))
                yield from _told(group_of(number), documents, reading)


def _working_in(folder: str | None) -> contextlib.AbstractContextManager[None]:
    """Work in the folder of the driver, where paths belong to it: executors on other machines may have none of that
    name. Raises UsageError."""
    if folder is None:
        return contextlib.nullcontext()
    if not Path(folder).is_dir():
        raise UsageError(
            f"{folder}: the executors of Spark do not see this folder, to which relative paths of the inbox belong; "
            "put the inbox where all of them see it, and name it by its whole path"
        )
    return contextlib.chdir(folder)


def group_of(number: int) -> str:
    """What the documents of a slice are known by; in their order."""
    return f"{number:08}"


def read_contents(rows: Rows, reading: Reading) -> Rows:
    """The documents in files that come with their bytes: rows have `path`, as Spark spells it, and `content`."""
    for batch in rows:
        for row in batch.to_pylist():
            source = source_name(row["path"])
            yield from _told(source, _documents_of(source, row["content"]), reading)


def _documents_of(source: str, content: bytes) -> Iterator[Document | Reject]:
    """The documents in these bytes of a whole file, which may be an archive of any size."""
    if len(content) > MAX_FILE_BYTES and not is_archive(content[:KIND_BYTES]):
        yield too_large_to_read(source, len(content), content[:KIND_BYTES], MAX_FILE_BYTES)
    else:
        yield from documents_of(source, content)


def _told(group: str, items: Iterator[Document | Reject], reading: Reading) -> Rows:
    number = 0
    for given in in_chunks(items, reading.layouts):
        yield _document_rows(group, number, given, reading)
        number += len(given)


def _document_rows(group: str, first: int, given: Sequence[Document | Reject], reading: Reading) -> pa.RecordBatch:
    columns = [
        [group] * len(given),
        range(first, first + len(given)),
        [item.source for item in given],
        [item.sha256 for item in given],
        [pickle.dumps(_without_content(item, reading)) for item in given],
        [item.content if isinstance(item, Document) else None for item in given],
    ]
    return _record_batch(columns, DOCUMENTS)


def _without_content(item: Document | Reject, reading: Reading) -> Document | Reject:
    if isinstance(item, Reject):
        return item
    knows = reading.asks_for_layouts and is_known(item, reading.layouts)
    said = {**vars(item), "text": "", "content": b""}
    return ToldDocument(**said, told_share=item.share, is_known=knows)


# --- documents → files of partitions ----------------------------------------------------------------------------


def stage_packs(rows: Rows, writing: Writing) -> Rows:
    """The files that packs of documents give, as if there were no others: rows have `pack`, `place` (the source under
    which the document counts), `item` and `content`."""
    packs: dict[int, list[Document]] = {}
    for batch in rows:
        for row in batch.to_pylist():
            document = replace(pickle.loads(row["item"]), source=row["place"], content=row["content"])  # noqa: S301
            packs.setdefault(row["pack"], []).append(document)
    for pack in sorted(packs):
        documents = sorted(packs.pop(pack), key=lambda document: (document.source, document.sha256))
        yield from _staged(pack, documents, writing)


def _staged(pack: int, documents: Sequence[Document], writing: Writing) -> Rows:
    with TemporaryDirectory() as name:
        folder = Path(name)
        staged = stage_batch(
            folder, documents, writing.layouts, writing.partition_by, keep_sources=writing.keep_sources
        )
        for file in staged.files:
            yield _staged_row(owner_of(file), pack, file, (folder / file).read_bytes())
    yield _staged_row("", pack, "", pickle.dumps(staged))


def _staged_row(owner: str, pack: int, file: str, content: bytes) -> pa.RecordBatch:
    return _record_batch([[owner], [pack], [file], [content]], STAGED)


# --- files of partitions → the lake ------------------------------------------------------------------------------


def place_files(rows: Rows, stays: Shared, store: LakeStore, deposit: Deposit, partition_by: PartitionBy) -> Rows:
    """Hand the files of a commit to the lake, those of a partition put together: rows have `owner`, `pack`, `file` and
    `content`, sorted; `file` is null where they only say that an owner is to be looked at.

    `stays` has, by partition, the ids of those reports of the lake that stay there.
    """
    bundle: dict[str, bytes] = {}
    done: list[Rebuilt] = []
    try:
        for owner, parts in groupby(_each(rows), lambda row: row["owner"]):
            given = [part for part in parts if part["file"] is not None]
            rebuilt, files = _put_together(owner, given, stays.value.get(owner, ()), store, partition_by)
            bundle |= files
            done.append(rebuilt)
            if sum(map(len, bundle.values())) >= BUNDLE_BYTES:
                yield _handed_over(deposit, bundle, done)
                bundle, done = {}, []
        if done:
            yield _handed_over(deposit, bundle, done)
    finally:  # Spark ends the process without what Python does at its end
        store.close()


def _handed_over(deposit: Deposit, bundle: Mapping[str, bytes], done: Sequence[Rebuilt]) -> pa.RecordBatch:
    told = deposit.put(bundle) if bundle else None
    return _record_batch([[pickle.dumps(list(done))], [told]], PLACED)


def _put_together(
    owner: str, parts: Sequence[Mapping[str, Any]], stays: Sequence[str], store: LakeStore, partition_by: PartitionBy
) -> tuple[Rebuilt, dict[str, bytes]]:
    """What a partition is now, and its files. What is alone in it stands as it was staged, and so does what is no
    partition: several packs may have staged the same source, with the same bytes."""
    if not stays and (len({part["pack"] for part in parts}) < 2 or parts[0]["file"] == owner):  # noqa: PLR2004 - several
        files = {part["file"]: part["content"] for part in parts}
        return Rebuilt(owner, list(files), {}, {}), files
    store.fetch(partition_files(owner))
    with TemporaryDirectory() as name:
        here = Path(name)
        for part in parts:
            file = here / str(part["pack"]) / part["file"]
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(part["content"])
        staged = sorted(here.iterdir())
        target = here / "target"
        target.mkdir()
        rebuilt = put_together(store.root, staged, target, owner, stays, partition_by)
        store.clear()  # a task may own a large part of the lake
        return rebuilt, {file: (target / file).read_bytes() for file in rebuilt.files}


def _each(rows: Rows) -> Iterator[dict[str, Any]]:
    for batch in rows:
        for start in range(batch.num_rows):  # one at a time: they hold files
            yield batch.slice(start, 1).to_pylist()[0]


def _record_batch(columns: Sequence[Sequence[Any]], schema: pa.Schema) -> pa.RecordBatch:
    arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def staged_of(told: Iterable[bytes]) -> Staged:
    """What became of all packs, as if they had been one."""
    whole = Staged()
    for each in told:
        staged: Staged = pickle.loads(each)  # noqa: S301 - from a task of this run
        whole.files += staged.files
        whole.documents += staged.documents
        whole.rows += staged.rows
        whole.checks += staged.checks
        whole.failed_checks += staged.failed_checks
        whole.unclaimed += staged.unclaimed
        for name, seconds in staged.seconds.items():
            whole.seconds[name] = whole.seconds.get(name, 0.0) + seconds
    whole.documents.sort(key=lambda row: (row["source"], row["sha256"] or ""))
    return whole


def found_slices(
    found: Sequence[Found | StoredObject], sizes: Sequence[int], slices: int, most: int
) -> list[list[Found | StoredObject]]:
    """Files in their order, cut into about so many slices of about the same cost; a slice has `most` at the most."""
    opening = 64 * 1024  # to open a file costs as much as to read so many bytes
    target = (sum(sizes) + opening * len(sizes)) / slices
    cut: list[list[Found | StoredObject]] = []
    room = 0.0
    for item, size in zip(found, sizes, strict=True):
        if not cut or room <= 0 or len(cut[-1]) >= most:
            cut.append([])
            room = target
        cut[-1].append(item)
        room -= size + opening
    return cut
