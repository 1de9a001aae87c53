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
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import polars as pl

from etl.commits import stage_file
from etl.documents import STANDARD_INPUT, Found, Reject, find_inputs, source_of
from etl.errors import LakeError, UsageError
from etl.layout import Layouts, usable_layouts
from etl.manifest import list_bytes, readers
from etl.objects import StoredObject
from etl.parquet import read_parquet
from etl.partitions import OUTPUT_FOLDERS, SUFFIX, WATCHED_FOLDER, PartitionBy
from etl.runs import LOCAL, open_lake, run
from etl.schema import arrow_schema
from etl.stores import LakeStore
from etl.summary import Summary

# Seconds from one look at the inbox to the next.
EVERY = 10.0
# Rejected for these reasons, a file may be readable another time though nothing has changed about it.
_TRIED_AGAIN = ("unreadable", "changed", "internal_error")
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
    lake_format: str | None = None,
    pause: Callable[[float], object] = time.sleep,
) -> Iterator[Summary]:
    """Look at the inbox every so many seconds, without end, and read what is new in it; each run's summary.

    A file is new if it is not as it was when a watch over the same inputs last read it, with this program and these
    layouts. One that is still being written is left for another look: one that a process has open for writing, or that
    changed in the last `every` seconds or since the last look. `pause` waits so many seconds; what it raises ends the
    watch. The rest is as `etl.run` has it.
    """
    given = [os.fspath(path) for path in inputs]
    if STANDARD_INPUT in given:
        raise UsageError("standard input cannot be watched; name files or folders")
    known = usable_layouts(layouts)
    record = _Record(os.fspath(output), [*given, f"sources kept: {keep_sources}"], readers(known).together, lake_format)
    find_inputs(given, OUTPUT_FOLDERS)  # before anything is written
    seen = {} if force else record.read(waiting)
    again: set[str] = set()  # what the next watch is to read once more
    last: Mapping[str, str] = {}
    while True:
        found = find_inputs(given, OUTPUT_FOLDERS)
        states = {source_of(item): _state(item) for item in found.found}
        new = [item for item in found.found if seen.get(source_of(item)) != states[source_of(item)]]
        settled = [item for item in new if _is_settled(item, states[source_of(item)], last, every)]
        if settled:
            chosen = {source_of(item) for item in settled}
            unread = [item for item in found.found if source_of(item) not in chosen]
            summary = run(
                replace(found, found=settled, unread=unread),
                output,
                known,
                keep_sources=keep_sources,
                force=force,
                partition_by=partition_by,
                workers=workers,
                waiting=waiting,
                lineage=lineage,
                engine=engine,
                lake_format=lake_format,
            )
            seen = {source: state for source, state in seen.items() if source in states}
            seen |= {source: states[source] for source in chosen}
            again = (again - chosen) | _to_try_again(summary)
            record.write({source: state for source, state in seen.items() if source not in again})
            yield summary
        last = {source_of(item): states[source_of(item)] for item in new}
        pause(every)


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

    def write(self, seen: Mapping[str, str]) -> None:
        """Put it into the lake."""
        rows = pl.DataFrame(
            {"source": list(seen), "state": list(seen.values())}, schema={"source": pl.String, "state": pl.String}
        )
        content = list_bytes(rows.sort("source").with_columns(read_by=pl.lit(self._read_by)), "watched")
        store = self._store()
        with store.lock(None), store.staging(self._run_id) as staging:
            folder = staging.next_folder()
            stage_file(folder, self._file, content)
            staging.commit(folder, [self._file])


def _to_try_again(summary: Summary) -> set[str]:
    """The files of documents that could not be read for a reason that may pass."""
    sources = (reject["source"] for reject in summary.rejects if reject["reason_code"] in _TRIED_AGAIN)
    return {source.partition("!/")[0].partition("#")[0] for source in sources}


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


def _is_settled(item: Found | StoredObject | Reject, state: str, last: Mapping[str, str], every: float) -> bool:
    """Whether a file is no longer being written; objects are put whole."""
    if isinstance(item, Reject | StoredObject):
        return True
    is_old = last.get(source_of(item)) == state or _age(item) >= every
    return is_old and not is_being_written(item.path)


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
