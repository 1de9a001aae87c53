"""Files → the lake, all or nothing: a lock, a staging folder, and a commit that a later run can finish.

    OUTPUT/_staging/<run>/<n>/           files being written, at the paths that they will have
    OUTPUT/_staging/<run>/<n>.<name>/    files of other processes on their way into <n>
    OUTPUT/_staging/<run>/<n>.ready/     all of them are whole: they belong to the lake
    OUTPUT/_staging/<run>/<n>.swap/      whole folders that take the place of those of the lake

Where the tables have logs of their own (Delta), the files of tables do not take their places one by one: what is to
become of them is written down beside them, before that rename, and then said in the logs, table by table.

The files of a commit are written in a staging folder. Renaming that folder to `.ready` decides: before
it, nothing has happened; after it, every file will come to stand in its place, if need be by the next
run. Each takes its place by a rename, so a reader sees the old file or the new one. One run at a time
writes; the others wait.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self, TypeVar

from etl.errors import OutputError, UsageError
from etl.partitions import (
    DELTA_LOG,
    MANIFEST_FOLDER,
    PLACES,
    REJECTED_RECORDS_FOLDER,
    REJECTS_FOLDER,
    STAGING_FOLDER,
    SUPERSEDED_FOLDER,
    PartitionBy,
    partitioning_of,
    table_part,
    table_partitioning,
)
from etl.schema import TABLES

_T = TypeVar("_T")

# Who waits for another run asks again after so many seconds.
ASKED_EVERY = 0.2

_READY, _SWAP, _DONE = ".ready", ".swap", ".done"
# Within a folder that is to be swapped: what stood in the lake before.
_OLD = "old"
_WANTED = "partition_by"
# Of renameat2 of Linux: paths are relative to the working directory; both must be there and change places.
_HERE, _RENAME_EXCHANGE = -100, 2
# The files that a commit takes out of the lake; the last to be staged.
_REMOVALS = "removals.json"
# What becomes of the files of tables that have logs of their own.
_PLAN = "tables.json"


class TableLogs(Protocol):
    """Tables that have logs of their own, which say which files they have."""

    def plan(self, folder: Path, files: Iterable[str], removals: Iterable[str]) -> bytes:
        """What a commit changes in the tables: files in a staging folder come, files of the lake go; empty where
        nothing does. Other files than those of tables are passed over."""

    def apply(self, ready: Path, plan: bytes) -> None:
        """Carry out a plan with the files of a folder that is ready; what was carried out in an earlier try is not done
        again. Raises OutputError."""


class LakeLock:
    """Holds an output folder for one run; it ends with the process, however that ends.

    The lock is on the folder itself, so it leaves no file behind. `waiting` is called once if another
    run holds it.
    """

    def __init__(self, output: Path, waiting: Callable[[], None] | None = None) -> None:
        self._output = output
        self._waiting = waiting

    def __enter__(self) -> Self:
        try:
            self._output.mkdir(parents=True, exist_ok=True)
            self._folder = os.open(self._output, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            raise cannot_write(self._output, error) from error
        try:
            self._lock()
        except OSError as error:
            os.close(self._folder)
            raise OutputError(
                f"{self._output}: cannot be locked against other runs: {error.strerror or error}; "
                "choose a folder on a file system that has locks"
            ) from error
        except BaseException:
            os.close(self._folder)
            raise
        return self

    def _lock(self) -> None:
        told = False
        while True:
            try:
                fcntl.flock(self._folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if self._waiting is not None and not told:
                    self._waiting()
                told = True
                # Not inside of flock: polars lets system calls go on after Ctrl-C.
                time.sleep(ASKED_EVERY)
            else:
                return

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._folder)


class Staging:
    """The staging folder of one run; a context manager that leaves behind what is ready and nothing else.

    Entering it finishes what earlier runs left ready, and clears away what they left unfinished: so it
    must be entered with the lock held. Raises OutputError where the folder cannot be written.
    """

    def __init__(self, output: Path, run_id: str, tables: TableLogs | None = None) -> None:
        self._output = output
        self._tables = tables
        self._folder = output / STAGING_FOLDER / run_id
        self._count = 0

    def __enter__(self) -> Self:
        try:
            recover(self._output, self._tables)
            self._folder.mkdir(parents=True)
        except OSError as error:
            raise cannot_write(self._output / STAGING_FOLDER, error) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):  # then the next run goes on with it
            recover(self._output, self._tables)  # and clear away what a worker of a killed run wrote while it ended
        _take_away(self._folder.parent)

    def next_folder(self) -> Path:
        """A new folder for the files of one commit. Raises OutputError where it cannot be made."""
        self._count += 1
        folder = self._folder / f"{self._count:08}"
        try:
            folder.mkdir()
        except OSError as error:
            raise cannot_write(folder, error) from error
        return folder

    def deposit(self, folder: Path) -> FolderDeposit:
        """What other processes put files into such a folder with."""
        return FolderDeposit(folder.absolute())

    def commit(
        self, folder: Path, files: Iterable[str], removals: Sequence[str] = (), deposited: Iterable[str] = ()
    ) -> None:
        """Put the files of a folder (paths below it) in their places, and take out `removals` (paths below the lake).

        What was `deposited` must be in the folder by now. Raises OutputError where that fails; the next run goes on
        with it.
        """
        files = sorted(files, key=turn)
        if any(deposited):
            _require(folder, files)
        ready = folder.with_name(folder.name + _READY)
        try:
            if removals:
                (folder / _REMOVALS).write_text(json.dumps(list(removals)), encoding="utf-8")
            if self._tables is not None and (plan := self._tables.plan(folder, files, removals)):
                (folder / _PLAN).write_bytes(plan)
            folder.rename(ready)
            _apply(self._output, ready, files, removals, self._tables)
        except OSError as error:
            raise cannot_write(self._output, error) from error

    def swap(self, folder: Path, partition_by: PartitionBy) -> None:
        """Put whole tables, partitioned so, in the places of those that stand there.

        Raises OutputError where that fails; the next run goes on with it.
        """
        ready = folder.with_name(folder.name + _SWAP)
        try:
            (folder / _WANTED).write_text(partition_by, encoding="utf-8")
            folder.rename(ready)
            _swap(self._output, ready)
        except OSError as error:
            raise cannot_write(self._output, error) from error


@dataclass(frozen=True)
class FolderDeposit:
    """Puts files of other processes, maybe on other machines, into a staging folder, each whole or not at all.

    The same files may be put twice, as when a task is tried again. What comes after the commit finds no folder any
    more and fails: it must not make one, or the files of a commit would be those of another.
    """

    folder: Path

    def put(self, files: Mapping[str, bytes]) -> str:
        """Put files at these paths below the folder; what tells of them to the commit. Raises OutputError."""
        aside = self.folder.with_name(f"{self.folder.name}.{uuid.uuid4().hex}")
        try:
            aside.mkdir()
            for number, (file, content) in enumerate(files.items()):
                _write_file(aside, str(number), content)
                _with_folders(self.folder, file, partial(os.replace, f"{aside}/{number}"))
            aside.rmdir()
        except OSError as error:
            shutil.rmtree(aside, ignore_errors=True)
            raise cannot_write(self.folder, error) from error
        return aside.name


def _require(folder: Path, files: Iterable[str]) -> None:
    """Raise OutputError where files that other machines put there are not seen here: then nothing has happened yet."""
    missing = [file for file in files if not os.path.exists(f"{folder}/{file}")]  # noqa: PTH110 - one of thousands
    if missing:
        raise OutputError(
            f"{folder}/{missing[0]}: was written elsewhere and is not seen here ({len(missing):,} such files); "
            "put the lake where all machines see the same folder, and run again"
        )


def is_delta(output: Path) -> bool:
    """Whether the tables of a lake are Delta tables, or will be when a commit of a killed run is finished."""
    if any(os.path.isdir(output / f"{place}{name}" / DELTA_LOG) for place in PLACES for name in TABLES):  # noqa: PTH112
        return True
    return _plan(output) is not None


def _plan(output: Path) -> Path | None:
    """What a commit that is ready says of tables that have logs; of one of several. None where that cannot be seen: who
    writes there is told so."""
    try:
        return next((output / STAGING_FOLDER).glob(f"*/*{_READY}/{_PLAN}"), None)
    except PermissionError:
        return None


def refuse_delta(output: Path, hint: str) -> None:
    """Raise UsageError, with the hint, where the tables are Delta tables: their folders have files of the past too."""
    if is_delta(output):
        raise UsageError(f"{output}: its tables are Delta tables; {hint}")


def refuse_parquet(output: Path) -> None:
    """Raise UsageError where the tables are folders of Parquet files without a log."""
    if not is_delta(output) and (partitioning_of(output) or partitioning_of(output / SUPERSEDED_FOLDER)):
        told = "run again without --format, or name another folder with --out"
        raise UsageError(f"{output}: its tables are folders of Parquet files; {told}")


def recover(output: Path, tables: TableLogs | None = None) -> None:
    """Finish the commits that earlier runs left ready, in their order, and clear away what is not ready.

    Raises OutputError, with nothing done, where a commit to tables that have logs was left and these are not given: its
    files would come to stand as plain ones, of which no log tells.
    """
    if tables is None and (plan := _plan(output)) is not None:
        raise OutputError(f"{plan.parent}: a commit to Delta tables is not finished; run `etl run` to finish it")
    for run in sorted(_folders(output / STAGING_FOLDER)):
        _finish(output, run, tables)


def _finish(output: Path, run: Path, tables: TableLogs | None) -> None:
    """Clear away what a run has not finished, which may make room, and put in its place what it left ready."""
    for folder in _folders(run):
        if not folder.name.endswith((_READY, _SWAP)):
            shutil.rmtree(folder, ignore_errors=True)
    for ready in sorted(folder for folder in _folders(run) if folder.name.endswith(_READY)):
        removals = ready / _REMOVALS
        taken_out = json.loads(removals.read_text(encoding="utf-8")) if removals.is_file() else []
        files = [file for file in _files(ready) if file not in (_REMOVALS, _PLAN)]
        _apply(output, ready, sorted(files, key=turn), taken_out, tables)
    for ready in sorted(folder for folder in _folders(run) if folder.name.endswith(_SWAP)):
        _swap(output, ready)
    shutil.rmtree(run, ignore_errors=True)


def stage_file(folder: Path, file: str, content: bytes) -> None:
    """Write a file into a staging folder, at the path that it will have in the lake. Raises OutputError."""
    try:
        _write_file(folder, file, content)
    except OSError as error:
        raise cannot_write(folder / file, error) from error


def cannot_write(file: Path | str, error: OSError) -> OutputError:
    """The error that names the file and the mend."""
    named = error.filename2 or error.filename or file
    return OutputError(
        f"{named}: cannot be written: {error.strerror or error}; check the folder, its rights and the disk, "
        "then run again to finish"
    )


def _write_file(folder: Path, file: str, content: bytes) -> None:
    handle = _with_folders(folder, file, lambda path: os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666))
    with os.fdopen(handle, "wb", buffering=0) as stream:
        rest = memoryview(content)
        while rest.nbytes:
            rest = rest[stream.write(rest) :]


def _with_folders(folder: Path, file: str, act: Callable[[str], _T]) -> _T:
    """What is done at the path of a file below a staging folder, whose folders are made if they are not there."""
    path = f"{folder}/{file}"
    try:
        return act(path)
    except FileNotFoundError:
        place = file.rpartition("/")[0]
        if not place:
            raise
        _make_folders(folder, place)
        return act(path)


def _make_folders(folder: Path, place: str) -> None:
    """The folders of `place`, but not the staging folder itself: where that has gone, nothing is to be written."""
    try:
        os.mkdir(f"{folder}/{place}")  # noqa: PTH102 - one of many thousands
    except FileExistsError:
        return
    except FileNotFoundError:
        above = place.rpartition("/")[0]
        if not above:
            raise
        _make_folders(folder, above)
        _make_folders(folder, place)


# The first of the files of tables.
_TABLES_TURN = (1, "", 0)


def turn(file: str) -> tuple[int, str, int]:
    """The order in which files take their places: sources, then partition by partition its tables, `reports` last,
    then what tells of rejects, and the manifest at the very end."""
    top, _, rest = file.partition("/")
    standing = 2
    if top == SUPERSEDED_FOLDER:
        standing = 1
        top, _, rest = rest.partition("/")
    if top in TABLES:
        return standing, rest, len(TABLES) - TABLES.index(top)
    lists = {REJECTED_RECORDS_FOLDER: 3, REJECTS_FOLDER: 3, MANIFEST_FOLDER: 4}
    return lists.get(top, 0), file, 0


def _apply(
    output: Path, ready: Path, files: Sequence[str], removals: Iterable[str], tables: TableLogs | None = None
) -> None:
    """Put what is ready in its place; what stands there already from an earlier try is left."""
    made: set[str] = set()
    plan = ready / _PLAN
    if tables is not None and plan.is_file():
        first = [file for file in files if turn(file) < _TABLES_TURN]
        for file in first:
            _move(f"{ready}/{file}", f"{output}/{file}", made)
        tables.apply(ready, plan.read_bytes())
        files = [file for file in files if file not in set(first) and table_part(file) is None]
        removals = [file for file in removals if table_part(file) is None]
    for file in files:
        _move(f"{ready}/{file}", f"{output}/{file}", made)
    for file in removals:
        _remove(output, file)
    _discard(ready)


def _swap(output: Path, ready: Path) -> None:
    """Let each folder that is ready take the place of the one in the lake; those that did so already are in `old`."""
    old = ready / _OLD
    old.mkdir(exist_ok=True)
    wanted = (ready / _WANTED).read_text(encoding="utf-8")
    for folder in sorted(folder for folder in _folders(ready) if folder.name != _OLD):
        target = output / folder.name
        tables = folder / TABLES[0] if folder.name == SUPERSEDED_FOLDER else folder
        if table_partitioning(tables) != wanted:  # it came from the lake in an earlier try
            folder.rename(old / folder.name)
        elif not target.exists():
            folder.rename(target)
        else:
            _exchange(folder, target)
            folder.rename(old / folder.name)
    _discard(ready)


def _discard(ready: Path) -> None:
    """Clear away a folder all of which has taken its place; half of it would be no log of anything."""
    done = ready.with_name(f"{ready.name}{_DONE}")
    ready.rename(done)
    shutil.rmtree(done)


def _exchange(folder: Path, target: Path) -> None:
    """Let two folders change places: at once where the system can do that, else in two steps."""
    try:
        done = (
            ctypes.CDLL(None).renameat2(_HERE, os.fsencode(folder), _HERE, os.fsencode(target), _RENAME_EXCHANGE) == 0
        )
    except (OSError, AttributeError):  # macOS, or an old C library
        done = False
    if not done:
        aside = folder.with_name(f"{folder.name}.aside")
        target.rename(aside)
        folder.rename(target)
        aside.rename(folder)


def _move(staged: str, target: str, made: set[str]) -> None:
    """Rename a file into its place: with its folder, where there is none yet."""
    folder, target_folder = os.path.dirname(staged), os.path.dirname(target)  # noqa: PTH120
    parent = os.path.dirname(target_folder)  # noqa: PTH120
    if parent not in made:
        os.makedirs(parent, exist_ok=True)  # noqa: PTH103
        made.add(parent)
    if target_folder not in made:
        made.add(target_folder)
        if len(os.listdir(folder)) == 1:  # noqa: PTH208
            with contextlib.suppress(OSError):  # it stands there already
                os.rename(folder, target_folder)  # noqa: PTH104
                return
        os.makedirs(target_folder, exist_ok=True)  # noqa: PTH103
    os.replace(staged, target)  # noqa: PTH105


def _remove(output: Path, file: str) -> None:
    """Take a file out of the lake, and the folders that this leaves empty."""
    path = output / file
    path.unlink(missing_ok=True)
    for folder in list(path.relative_to(output).parents)[:-2]:
        if not _take_away(output / folder):
            return


def _take_away(folder: Path) -> bool:
    """Remove a folder if it is empty."""
    try:
        folder.rmdir()
    except OSError:
        return False
    return True


def _folders(folder: Path) -> list[Path]:
    try:
        return [entry for entry in folder.iterdir() if entry.is_dir() and not entry.is_symlink()]
    except (FileNotFoundError, NotADirectoryError):
        return []


def _files(folder: Path) -> Iterator[str]:
    """Paths of all files below a folder, below it."""
    for here, _, names in os.walk(folder):
        below = os.path.relpath(here, folder)
        yield from (name if below == "." else f"{below}/{name}" for name in names)
