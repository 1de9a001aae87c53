"""An inbox that is being filled → runs over what is new in it.

Files are known by what the file system says of them (size, times, number), so old ones are not even opened. What was
read is kept in the lake, for a watch that begins anew:

    OUTPUT/_watched/<16 hex digits of the inputs>.parquet
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import signal
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from etl.commits import stage_file
from etl.documents import STANDARD_INPUT, Found, Inputs, Reject, find_inputs, source_of
from etl.errors import LakeError, NotListedError, UsageError
from etl.layout import Layouts, usable_layouts
from etl.manifest import REJECTED, Manifest, list_bytes, read_manifest, readers
from etl.objects import StoredObject, is_store, is_url, place_of
from etl.parquet import read_parquet
from etl.partitions import OUTPUT_NAMES, SUFFIX, WATCHED_FOLDER, PartitionBy
from etl.runs import LOCAL, check_call, open_lake, run, session
from etl.schema import arrow_schema
from etl.stores import LakeStore
from etl.summary import Summary

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# Seconds from one look at the inbox to the next.
EVERY = 10.0
# Rejected for these reasons, a file may be readable another time though nothing has changed about it. It is tried again
# after so many seconds, and then after pauses that double, up to the second.
_PASSING = ("unreadable", "changed", "internal_error")
TRIED_AFTER, TRIED_AFTER_AT_MOST = 60.0, 3600.0
# So many looks in a row may fail because object storage does not answer.
FAILED_LOOKS = 5
# Of fcntl of Linux: which signal tells that a lease is broken. By default it is one that ends the process.
_F_SETSIG = 10


def watch(
    inputs: Iterable[str | os.PathLike[str]],
    output: str | os.PathLike[str],
    layouts: Layouts = None,
    *,
    every: float = EVERY,
    keep_sources: bool = True,
    force: bool = False,
    partition_by: PartitionBy | str | None = None,
    workers: int | None = None,
    waiting: Callable[[], None] | None = None,
    lineage: bool = False,
    engine: str = LOCAL,
    spark: SparkSession | None = None,
    lake_format: str | None = None,
    pause: Callable[[float], object] = time.sleep,
    begun: Callable[[], None] | None = None,
) -> Iterator[Summary]:
    """Look at the inbox every so many seconds, without end, and read what is new in it; each run's summary.

    A file is new if it is not as it was when a watch over the same inputs last read it, with this program and these
    layouts. One that is still being written is left for another look: one that a process has open for writing, or that
    changed in the last `every` seconds or since the last look. The rest is as `etl.run` has it; with Spark there is one
    session for all of the watch.

    `begun` is called when nothing is wrong with the call, before anything is read. `pause` waits so many seconds; what
    it raises ends the watch.
    """
    given = [os.fspath(path) for path in inputs]
    _refuse_what_cannot_be_watched(given)
    check_call(partition_by, engine, workers, spark, lineage=lineage)
    known = usable_layouts(layouts)
    record = _Record(os.fspath(output), [*given, f"sources kept: {keep_sources}"], readers(known).together, lake_format)
    inbox = _Inbox(given, every)  # before anything is written, for it may not be there
    with session(engine, spark) as running:
        inbox.seen = {} if force else record.read(waiting)
        if begun is not None:
            begun()
        while True:
            found = inbox.look()
            if found is not None:
                summary = run(
                    found,
                    output,
                    known,
                    keep_sources=keep_sources,
                    force=force,
                    partition_by=partition_by,
                    workers=workers,
                    waiting=waiting,
                    lineage=lineage,
                    engine=engine,
                    spark=running,
                    lake_format=lake_format,
                )
                inbox.read(found)
                inbox.failed(record.write(inbox.seen, waiting))
                yield summary
            pause(every)


def _refuse_what_cannot_be_watched(given: Iterable[str]) -> None:
    """Raise UsageError for standard input, and for URLs that are read through Spark or not at all."""
    for name in given:
        if name == STANDARD_INPUT:
            raise UsageError("standard input cannot be watched; name files or folders")
        if is_url(name) and not is_store(place_of(name).scheme):
            scheme = place_of(name).scheme
            raise UsageError(f"what begins with {scheme}:// cannot be watched; let a scheduler run `etl run` over it")


class _Inbox:
    """The inbox as it was seen, look by look. Raises UsageError where it cannot be listed at all."""

    def __init__(self, given: list[str], every: float) -> None:
        self._given = given
        self._every = every
        self._listed: Inputs | None = self._list()  # for the first look
        self.seen: dict[str, str] = {}  # the state of each file that was read
        self._states: dict[str, str] = {}  # at the last look
        self._last: dict[str, str] = {}  # the same of those that were new
        self._failed_looks = 0
        self._tries: dict[str, int] = {}  # of what could not be read for a reason that may pass
        self._due: dict[str, float] = {}

    def _list(self) -> Inputs:
        return find_inputs(self._given, OUTPUT_NAMES, may_be_empty=True)

    def look(self) -> Inputs | None:
        """What is to be read now; None if that is nothing. Raises UsageError."""
        try:
            there, self._listed = self._listed or self._list(), None
        except NotListedError:
            self._failed_looks += 1
            if self._failed_looks == FAILED_LOOKS:
                raise
            return None
        self._failed_looks = 0
        states = {source_of(item): _state(item) for item in there.found}
        new = [item for item in there.found if self._is_new(source_of(item), states)]
        chosen = {source_of(item) for item in new if self._is_settled(item, states)}
        self._last = {source_of(item): states[source_of(item)] for item in new}
        self.seen = {source: state for source, state in self.seen.items() if source in states}
        if not chosen:
            return None
        self._states = states
        found = [item for item in there.found if source_of(item) in chosen]
        return replace(there, found=found, unread=[item for item in there.found if source_of(item) not in chosen])

    def read(self, found: Inputs) -> None:
        """Take note of what was read."""
        for source in map(source_of, found.found):
            self.seen[source] = self._states[source]
            self._due.pop(source, None)

    def failed(self, files: Collection[str]) -> None:
        """Take note of all that could not be read for a reason that may pass."""
        self._tries = {file: tries for file, tries in self._tries.items() if file in files}
        for file in files:
            if file not in self._due:
                self._tries[file] = self._tries.get(file, 0) + 1
                delay = min(TRIED_AFTER * 2 ** (self._tries[file] - 1), TRIED_AFTER_AT_MOST)
                self._due[file] = time.monotonic() + delay

    def _is_new(self, source: str, states: Mapping[str, str]) -> bool:
        is_due = source in self._due and time.monotonic() >= self._due[source]
        return is_due or self.seen.get(source) != states[source]

    def _is_settled(self, item: Found | StoredObject | Reject, states: Mapping[str, str]) -> bool:
        """Whether a file is no longer being written; objects are put whole."""
        if not isinstance(item, Found):
            return True
        is_old = self._last.get(item.source) == states[item.source] or _age(item) >= self._every
        return is_old and not is_being_written(item.path)


class _Record:
    """What the lake has of the files that were read; `given` is what makes it another record."""

    def __init__(self, output: str, given: list[str], read_by: str, lake_format: str | None) -> None:
        self._output = output
        self._read_by = read_by
        self._format = lake_format
        self._run_id = f"watch-{os.getpid()}"
        name = hashlib.sha256("\0".join(sorted(given)).encode("utf-8", "surrogatepass")).hexdigest()[:16]
        self._file = f"{WATCHED_FOLDER}/{name}{SUFFIX}"

    def _store(self) -> LakeStore:
        return open_lake(self._output, self._run_id, self._format)

    def read(self, waiting: Callable[[], None] | None) -> dict[str, str]:
        """The state of each file that this program with these layouts has read, by its source; none, where that cannot
        be known: then all are read again."""
        store = self._store()
        with store.lock(waiting), store.staging(self._run_id):
            store.fetch([self._file])
            try:
                rows = read_parquet(store.root / self._file, arrow_schema("watched"))
            except (FileNotFoundError, NotADirectoryError, LakeError):
                return {}
        mine = pl.DataFrame(rows).filter(pl.col("read_by") == self._read_by)
        return dict(mine.select("source", "state").iter_rows())

    def write(self, seen: Mapping[str, str], waiting: Callable[[], None] | None) -> set[str]:
        """Put it into the lake, but for files that could not be read for a reason that may pass: these come back."""
        store = self._store()
        with store.lock(waiting), store.staging(self._run_id) as staging:
            failed = _failed(read_manifest(store.root)).intersection(seen)
            rows = [(source, state, self._read_by) for source, state in sorted(seen.items()) if source not in failed]
            schema = {"source": pl.String, "state": pl.String, "read_by": pl.String}
            folder = staging.next_folder()
            stage_file(folder, self._file, list_bytes(pl.DataFrame(rows, schema, orient="row"), "watched"))
            staging.commit(folder, [self._file])
        return failed


def _failed(manifest: Manifest) -> set[str]:
    """The files with something that could not be read for a reason that may pass."""
    rejected = manifest.rows.filter(pl.col("outcome") == REJECTED, pl.col("reason_code").is_in(_PASSING))
    return set(rejected.select(pl.coalesce("file", "source")).to_series())


def _state(item: Found | StoredObject | Reject) -> str:
    """What tells that a file has changed; of what is none, why."""
    if isinstance(item, Reject):
        return f"{item.reason_code}: {item.message}"
    if isinstance(item, StoredObject):
        return f"{item.size} {item.e_tag} {item.version}"
    try:
        known = item.path.stat()
    except OSError as error:
        return f"unreadable: {error.strerror or error}"
    return f"{known.st_size} {known.st_mtime_ns} {known.st_ctime_ns} {known.st_ino}"


def _age(item: Found) -> float:
    """For how many seconds a file has not changed."""
    try:
        known = item.path.stat()
    except OSError:
        return 0.0
    return time.time() - max(known.st_mtime, known.st_ctime)


def is_being_written(path: Path) -> bool:
    """Whether a process has the file open for writing, where the system can tell: Linux, of one's own files."""
    setlease = getattr(fcntl, "F_SETLEASE", None)
    if setlease is None:
        return False
    try:
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        # A lease for reading is given only where nobody writes. It is given back at once; who would begin to write in
        # between waits for that, and the signal that tells so is one that does nothing.
        fcntl.fcntl(file, _F_SETSIG, signal.SIGURG)
        fcntl.fcntl(file, setlease, fcntl.F_RDLCK)
        fcntl.fcntl(file, setlease, fcntl.F_UNLCK)
    except BlockingIOError:
        return True
    except OSError:  # somebody else's file, or a file system without leases
        return False
    finally:
        os.close(file)
    return False
