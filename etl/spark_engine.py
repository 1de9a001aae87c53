"""The engine of a cluster: Spark's executors read documents and make files, the driver decides and commits.

The inbox goes in waves, each of which is one commit. Three jobs carry out a wave:

1. files → documents. The driver gets all that is said of them but neither texts nor bytes, and the same `Inbox` as
   that of the local engine tells what is new.
2. documents → files of partitions, packs of documents each as if there were no others. The driver says which document
   goes into which pack, by what it costs, so a file of hundreds of reports is spread over all cores.
3. files of partitions → the lake: one task owns a partition, puts together what several packs staged for it and what
   stays of it in the lake, and hands it to the staging area. The driver lands the wave as any other batch.

Only the driver commits, so a task may fail, be tried again or run twice: what it hands over has the same names and the
same bytes. Spark's own writer is not used: it cannot replace some partitions of a table safely on every store.

Files at paths are read where they stand by `documents_in`, as by the local engine: the executors must see these paths
in any case, Spark's `binaryFile` would leave out hidden files and those with names that are no UTF-8, and would hold
archives in memory whole. Contents of other places, such as hdfs:// or s3a://, come through `binaryFile`.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import pickle
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import polars as pl
import pyarrow as pa

from etl.batch import MAX_MESSAGE, defect
from etl.documents import STANDARD_INPUT, Document, Found, Reject, size_of, source_name, source_of
from etl.errors import EtlError, UsageError, WorkerError
from etl.inbox import BATCH_DOCUMENTS, BATCH_SHARE, Inbox, InboxBatch
from etl.landing import Landed, Landing
from etl.layout import Layout
from etl.object_files import beginning, stored
from etl.objects import StoredObject, has_query, is_store, with_secrets
from etl.partitions import PartitionBy, owner_of
from etl.spark_tasks import (
    Reading,
    Shared,
    Writing,
    found_slices,
    group_of,
    place_files,
    read_contents,
    read_found,
    stage_packs,
    staged_of,
)
from etl.staging import Rebuilt, Staged, reject_row
from etl.stores import LakeStore, StagingArea
from etl.workers import LOST

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

# A wave has so many files at the most, and so many bytes of them.
WAVE_FILES = 50_000
WAVE_BYTES = 2 * 1024**3
# A file that comes through Spark is one value of a row, which can be no larger than 2 GiB; several are held at once.
MAX_ROW_BYTES = 512 * 1024**2
# For each core there are so many tasks, if there is work for them: those that are slow leave others to the rest.
TASKS_A_CORE = 3
SLICE_FILES = 500
OWNERS_A_TASK = 500
# Rows hold whole documents and files: few of them go to a task at once, and few are kept in one piece.
_FEW_ROWS = {
    "spark.sql.execution.arrow.maxRecordsPerBatch": "16",
    "spark.sql.execution.arrow.maxBytesPerBatch": str(64 * 1024**2),
    "spark.sql.inMemoryColumnarStorage.batchSize": "16",
    "spark.sql.inMemoryColumnarStorage.compressed": "false",
}

_DOCUMENTS = "`group` string, number int, source string, sha256 string, item binary, content binary"
_STAGED = "owner string, pack int, file string, content binary"
_PLACED = "rebuilt binary, told string"
_NO_CONTENT = "CAST(NULL AS binary) AS content"
# What mends it where executors do not see a file, or an object.
_SEEN_BY_ALL = "put the inbox where all of them see it at this path, or name it by a URL such as hdfs:// or s3a://"
_READ_BY_ALL = "give all of them the credentials, the region and the endpoint that the driver has"
# How the URL of a file begins, and what follows upon it: whom it is asked of.
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/")
_AUTHORITY = re.compile(r"/{1,2}([^/]*)")
# A colon that is not before the number of a port.
_NO_PORT = re.compile(r":(?![0-9]+(?:[,;]|$))")
# What has a meaning in a pattern of paths.
_GLOB = re.compile(r"[\\*?\[\]{}]")


@dataclass(frozen=True)
class HadoopFile(Found):
    """A file that Spark reads, at a URL: spelled as Spark spells it."""

    size: int = 0
    url: str = ""

    @property
    def source(self) -> str:
        """The URL as text."""
        return source_name(self.url)


def split_inputs(given: Iterable[str]) -> tuple[list[str], list[str]]:
    """The paths among the inputs of a run and the URLs of object storage, which are both read without Spark's help, and
    the URLs of what Spark reads; `file:` URLs are paths.

    Raises UsageError for standard input, which executors have not got, and for URLs with what may be a secret.
    """
    paths: list[str] = []
    urls: list[str] = []
    for each in given:
        if each == STANDARD_INPUT:
            raise UsageError(
                "standard input is read by the local engine alone; leave --engine out, or save it as a file"
            )
        match = _URL.match(each)
        scheme = match[1].lower() if match else ""
        if scheme == "file":
            paths.append(unquote(urlsplit(each).path))
        elif not scheme or is_store(scheme):
            paths.append(each)
        else:
            _refuse_secrets(scheme, each.partition(":")[2])
            urls.append(each)
    return paths, urls


def _refuse_secrets(scheme: str, rest: str) -> None:
    """Raise UsageError for the URL of Spark's that goes on so behind its scheme, if it has credentials or a query:
    it would be written down as it is. A name alone, as that of a container before its account, is no secret."""
    authority = _AUTHORITY.match(rest)
    user, _, host = (authority[1] if authority else "").rpartition("@")
    # A secret may have a slash, and the @ comes behind it: then what is before it is no port. Buckets have none at all.
    is_cut = ":" in host if scheme.startswith("s3") else _NO_PORT.search(re.sub(r"\[[^]]*\]", "", host))
    if ":" in user or is_cut or has_query(rest):
        raise with_secrets(scheme, "in the settings of Spark for this file system; see docs/spark.md")


def with_urls(
    session: SparkSession, paths: Iterable[Found | StoredObject | Reject], urls: Iterable[str]
) -> list[Found | StoredObject | Reject]:
    """What was found at paths, and the files below some URLs that Spark sees, in the order of their sources; those that
    cannot be in a row come as rejects.

    Raises UsageError where a URL cannot be listed.
    """
    found: dict[str, Found | StoredObject | Reject] = {source_of(item): item for item in paths}
    for url in urls:
        files = session.read.format("binaryFile").option("recursiveFileLookup", "true")
        try:
            rows = files.load(url).select("path", "length").collect()
        except Exception as error:
            raise UsageError(
                f"{url}: Spark cannot list it: {_said(str(error))}; check the URL, and that Spark has what reads it "
                "(spark-submit --packages)"
            ) from error
        for path, size in rows:
            file = HadoopFile(Path(path), size=size, url=path)
            found[file.source] = file if size <= MAX_ROW_BYTES else _too_large(file)
    return [found[source] for source in sorted(found)]


def _too_large(file: HadoopFile) -> Reject:
    message = f"{file.size:,} bytes; of a file that comes through Spark at most {MAX_ROW_BYTES:,} are read"
    hint = "split the archive, or put it where the executors see it as a file of their own"
    return Reject(file.source, None, file.size, "too_large", message, hint)


class SparkEngine:
    """Has the waves of an inbox read by the executors of a Spark session."""

    def __init__(
        self,
        session: SparkSession,
        store: LakeStore,
        staging: StagingArea,
        layouts: Sequence[Layout],
        partition_by: PartitionBy,
        *,
        keep_sources: bool,
    ) -> None:
        with _failing("begin"):
            self._spark = session.newSession()  # with settings of its own
            for name, value in _FEW_ROWS.items():
                self._spark.conf.set(name, value)
            self._context = self._spark.sparkContext
            self._cores = max(1, self._context.defaultParallelism)
        self._store = store
        self._staging = staging
        self._layouts = layouts
        self._partition_by = partition_by
        self._writing = Writing(layouts, partition_by, keep_sources)
        # Of the wave that is being landed: what its packs staged, and the partitions and other files that they gave.
        self._staged = Staged()
        self._files: DataFrame | None = None
        self._owners: set[str] = set()

    @property
    def cores(self) -> int:
        """How many tasks the executors carry out at a time."""
        return self._cores

    def land_all(
        self, landing: Landing, inbox: Inbox, found: Iterable[Found | StoredObject | Reject]
    ) -> Iterator[Landed]:
        """The waves of an inbox, each when it has come into the lake. Raises as `Landing.land` does, and EtlError where
        a job fails."""
        for wave in _waves(found):
            yield from self._land(landing, inbox, wave)

    def rebuild(self, folder: Path, stay: pl.DataFrame) -> list[Rebuilt]:
        """Hand the files of the wave that is being landed to the staging area, those of each partition put together
        from what was staged for it and from the reports that stay in it."""
        ids = dict(stay.group_by("folder").agg("report_id").iter_rows())
        owners = sorted(self._owners | set(ids))
        if not owners:
            return []
        deposit = self._staging.deposit(folder)
        with _failing("put the files of partitions together"), self._shared(ids) as stays:
            job = partial(place_files, stays=stays, store=self._store, deposit=deposit, partition_by=self._partition_by)
            told = self._by_owner(owners).mapInArrow(job, _PLACED).collect()
        rebuilt = [each for row in told for each in pickle.loads(row["rebuilt"])]  # noqa: S301 - from tasks of this run
        if sorted(each.folder for each in rebuilt) != owners:
            raise EtlError("Spark has lost some files between two jobs; nothing of them is in the lake, run again")
        self._staged.deposited = [row["told"] for row in told if row["told"] is not None]
        return [each for each in rebuilt if each.folder not in self._staged.files]

    @contextmanager
    def _shared(self, value: object) -> Iterator[Shared]:
        """A value that all tasks share, while it is needed."""
        shared = self._context.broadcast(value)
        try:
            yield shared
        finally:
            with contextlib.suppress(Exception):  # where Spark itself has ended, its own error tells
                shared.destroy()

    def _by_owner(self, owners: Sequence[str]) -> DataFrame:
        """What packs staged, sorted by what it belongs to; all that belongs together goes to one task."""
        from pyspark.sql import functions as sql  # noqa: PLC0415

        count = self._tasks(len(owners), OWNERS_A_TASK)
        task_of = pa.table({"owner": owners, "task": pa.array([n % count for n in range(len(owners))], pa.int32())})
        named = self._spark.createDataFrame(task_of)
        asked = named.selectExpr("task", "owner", "0 AS pack", "CAST(NULL AS string) AS file", _NO_CONTENT)
        if self._files is not None:
            files = self._files.join(sql.broadcast(named), "owner")
            asked = asked.unionByName(files.select("task", "owner", "pack", "file", "content"))
        return asked.repartitionById(count, "task").sortWithinPartitions("owner", "file", "pack")

    def _land(self, landing: Landing, inbox: Inbox, wave: Sequence[Found | StoredObject | Reject]) -> Iterator[Landed]:
        rejects = [item for item in wave if isinstance(item, Reject)]
        found = [item for item in wave if not isinstance(item, Reject)]
        with self._documents(found, asks_for_layouts=inbox.asks_for_layouts) as (documents, told):
            inbox.files_done += len(wave)
            for batch in inbox.batches([[*rejects, *told]], bounded=False):
                yield from self._land_batch(landing, batch, documents)

    def _land_batch(
        self, landing: Landing, batch: InboxBatch, documents: DataFrame | None, *, again: bool = False
    ) -> Iterator[Landed]:
        """The batch as it has come into the lake. Where reading it ended Python again and again, the batch in halves,
        until the document that does so is alone, and rejected."""
        try:
            with self._stage(batch, documents) as staged:
                yield landing.land(batch, self._staging.next_folder(), staged)
        except WorkerError as error:  # nothing has come into the lake
            if len(batch.documents) > 1:
                for half in batch.halves():
                    yield from self._land_batch(landing, half, documents)
            elif not again:  # it may not have been the document
                yield from self._land_batch(landing, batch, documents, again=True)
            elif not batch.documents:  # it is what stands in the lake
                raise EtlError(f"Spark could not put the files of partitions together: {error}; {_WHOLE}") from error
            else:
                self._staged = Staged(documents=[reject_row(defect(batch.documents[0], str(error)))])
                yield landing.land(batch, self._staging.next_folder(), self._staged)

    # --- files → documents

    @contextmanager
    def _documents(
        self, found: Sequence[Found | StoredObject], *, asks_for_layouts: bool
    ) -> Iterator[tuple[DataFrame | None, list[Document | Reject]]]:
        """The documents in files, with their bytes for the executors and without for the driver."""
        if not found:
            yield None, []
            return
        reading = Reading(self._layouts, _folder_of(found), asks_for_layouts)
        with self._read(found, reading) as (rows, groups), _persisted(rows) as documents:
            try:
                with _failing("read the inbox"):
                    table = documents.select("group", "number", "item").toArrow()
            except WorkerError as error:
                raise EtlError(f"Spark could not read the inbox: {error}; {_WHOLE}") from error
            if lost := sorted(
                groups.difference(table.column("group").to_pylist())
            ):  # each file has a document or a reject
                raise EtlError(
                    f"Spark has left out files, such as {lost[0]}; nothing of them is in the lake, run again"
                )
            table = table.sort_by([("group", "ascending"), ("number", "ascending")])
            told = [pickle.loads(item.as_py()) for item in table.column("item")]  # noqa: S301 - from tasks of this run
            _refuse_unseen(found, told)
            yield documents, told

    @contextmanager
    def _read(self, found: Sequence[Found | StoredObject], reading: Reading) -> Iterator[tuple[DataFrame, set[str]]]:
        """The documents in files, and the groups that must be among them."""
        if isinstance(found[0], HadoopFile):
            with _failing("read the inbox"):  # it looks for the files already
                contents = self._binary_files([item.url for item in found if isinstance(item, HadoopFile)])
                job = partial(read_contents, reading=reading)
                rows = contents.select("path", "content").mapInArrow(job, _DOCUMENTS)
            yield rows, {source_of(item) for item in found}
            return
        slices = found_slices(found, [size_of(item) for item in found], self._cores * TASKS_A_CORE, SLICE_FILES)
        with contextlib.ExitStack() as sharing:
            with _failing("read the inbox"):
                shared = sharing.enter_context(self._shared(slices))
                numbers = self._spark.range(0, len(slices), 1, len(slices))
                rows = numbers.mapInArrow(partial(read_found, slices=shared, reading=reading), _DOCUMENTS)
            yield rows, {group_of(number) for number in range(len(slices))}

    def _binary_files(self, urls: Sequence[str]) -> DataFrame:
        return self._spark.read.format("binaryFile").load([_GLOB.sub(r"\\\g<0>", url) for url in urls])

    # --- documents → files of partitions

    @contextmanager
    def _stage(self, batch: InboxBatch, documents: DataFrame | None) -> Iterator[Staged]:
        """What becomes of the documents of a batch that are to be read; while it lands, `rebuild` has their files."""
        self._staged = Staged()
        if documents is None or not batch.documents:
            yield self._staged
            return
        with _failing("read the documents"):
            rows = self._packed(batch, documents).mapInArrow(partial(stage_packs, writing=self._writing), _STAGED)
        with _persisted(rows) as files:
            with _failing("read the documents"):
                told = files.where("owner = ''").select("content").toArrow().column("content")
            staged = staged_of(item.as_py() for item in told)
            if len(staged.documents) != len(batch.documents):
                raise EtlError(
                    "some documents changed while Spark read them; nothing of them is in the lake, run again"
                )
            self._owners = {owner_of(file) for file in staged.files}
            staged.files = sorted(self._owners.intersection(staged.files))  # those of no partition
            self._staged, self._files = staged, files.where("owner != ''")
            try:
                yield staged
            finally:  # whatever comes next, these are no files of its
                self._staged, self._files, self._owners = Staged(), None, set()

    def _packed(self, batch: InboxBatch, documents: DataFrame) -> DataFrame:
        """The documents of a batch, those of a pack in a partition of Spark's."""
        from pyspark.sql import functions as sql  # noqa: PLC0415

        given = sorted(batch.documents, key=lambda document: (document.source, document.sha256))
        packs = packs_of([document.share for document in given], self._cores * TASKS_A_CORE)
        chosen = pa.table(
            {
                "source": [batch.own_paths[document.source, document.sha256] for document in given],
                "sha256": [document.sha256 for document in given],
                "place": [document.source for document in given],
                "pack": pa.array(packs, pa.int32()),
            }
        )
        named = sql.broadcast(self._spark.createDataFrame(chosen))
        joined = documents.where("content IS NOT NULL").join(named, ["source", "sha256"])
        return joined.select("pack", "place", "item", "content").repartitionById(packs[-1] + 1, "pack")

    def _tasks(self, count: int, most: int) -> int:
        """How many tasks there are for so many things, of which one task gets no more than `most`."""
        return max(1, min(count, max(self._cores * TASKS_A_CORE, -(-count // most))))


def packs_of(shares: Sequence[float], tasks: int) -> list[int]:
    """The pack of each document, by what the documents cost: there are about as many packs as tasks, or more where one
    would have more than what is read together."""
    opening = BATCH_SHARE / BATCH_DOCUMENTS  # what a document costs at the least
    costs = [max(share, opening) for share in shares]
    room = min(BATCH_SHARE, sum(costs) / tasks)
    packs: list[int] = []
    pack, used = 0, 0.0
    for cost in costs:
        if used and used + cost / 2 > room:  # the document lies in the next pack with more than a half of it
            pack, used = pack + 1, 0.0
        packs.append(pack)
        used += cost
    return packs


def _waves(found: Iterable[Found | StoredObject | Reject]) -> Iterator[list[Found | StoredObject | Reject]]:
    """The inbox in its order, cut into waves; files that are read where they stand, and others, are not in one."""
    for _, kind in itertools.groupby(found, lambda item: isinstance(item, HadoopFile)):
        wave: list[Found | StoredObject | Reject] = []
        size = 0
        for item in kind:
            item_size = _size(item)
            if wave and (len(wave) >= WAVE_FILES or size + item_size > WAVE_BYTES):
                yield wave
                wave, size = [], 0
            wave.append(item)
            size += item_size
        yield wave


def _folder_of(found: Iterable[Found | StoredObject]) -> str | None:
    """The folder to which relative paths belong; None where there are none, for it need not stand anywhere else."""
    paths = (item.path for item in found if isinstance(item, Found) and not isinstance(item, HadoopFile))
    return None if all(path.is_absolute() for path in paths) else str(Path.cwd())


def _size(item: Found | StoredObject | Reject) -> int:
    if isinstance(item, Reject):
        return 0
    return item.size if isinstance(item, HadoopFile) else size_of(item)


def _refuse_unseen(found: Sequence[Found | StoredObject], told: Iterable[Document | Reject]) -> None:
    """Raise UsageError where executors cannot read what the driver can: they have other disks, or no credentials."""
    by_source = {source_of(item): item for item in found}
    for item in told:
        if isinstance(item, Reject) and item.reason_code == "unreadable" and item.source in by_source:
            here = by_source[item.source]
            if _is_readable(here):
                mend = _SEEN_BY_ALL if isinstance(here, Found) else _READ_BY_ALL
                raise UsageError(f"{item.source}: the executors of Spark cannot read it ({item.message}); {mend}")


def _is_readable(item: Found | StoredObject) -> bool:
    """Whether this machine can read it: of an object the beginning, for some that are listed may not be fetched."""
    if isinstance(item, Found):
        return os.access(item.path, os.R_OK)
    if not item.size:
        return stored(item.location) is not None
    return isinstance(beginning(item), bytes)


@contextmanager
def _persisted(rows: DataFrame) -> Iterator[DataFrame]:
    """A frame that is made once, and kept while it is needed: on disks, for it may be larger than any memory."""
    from pyspark import StorageLevel  # noqa: PLC0415

    with _failing("keep what it has made"):
        kept = rows.persist(StorageLevel.DISK_ONLY)
    try:
        yield kept
    finally:
        with contextlib.suppress(Exception):  # where Spark itself has ended, its own error tells
            kept.unpersist()


_WHOLE = "what was committed before is whole, run again to finish"
# What the traceback of a task ends with, where it ended with an error of this package.
_OWN_ERROR = re.compile(r"^etl\.errors\.\w+: (.+)$", re.MULTILINE)
# A worker of Python, or the executor with it, was killed or crashed.
_WORKER_LOST = re.compile(r"Python worker (?:exited|crashed)|ExecutorLostFailure|EXECUTOR_LOST")


@contextmanager
def _failing(doing: str) -> Iterator[None]:
    """An error of Spark's, which is a page long, in one line. Raises WorkerError where Python ended in a task."""
    try:
        yield
    except EtlError:
        raise
    except Exception as error:
        text = str(error)
        own = _OWN_ERROR.search(text)
        if own is not None:
            raise EtlError(own[1]) from error
        if _WORKER_LOST.search(text):
            raise WorkerError(LOST) from error
        raise EtlError(f"Spark could not {doing}: {_said(text)}; {_WHOLE}") from error


def _said(text: str) -> str:
    """The line of an error of Spark's that tells most: the last that names an error, for it caused the others."""
    lines = [*_errors_in(text)] or text.strip().split("\n")[:1]
    return str(lines[-1]).strip()[:MAX_MESSAGE]


def _errors_in(text: str) -> Iterator[str]:
    """The lines that name an error: what a traceback of Python ends with, and what Java says."""
    for line in text.splitlines():
        said = line.removeprefix("Caused by").removeprefix(": ")
        name = said.partition(": ")[0]
        if name.endswith(("Error", "Exception")) and name.replace(".", "").replace("_", "").isalnum():
            yield said
