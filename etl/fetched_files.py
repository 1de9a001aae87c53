"""The files that an inbox has been given, and the proof that they are what was fetched.

    INBOX/<accession number>.txt           a filing, whole: it comes here by one rename
    INBOX/.fetch/<accession number>.part   one that is being written
    INBOX/.fetch/fetched.jsonl             a line for each file that came: its SHA-256, size, source and time

A process may be killed anywhere. Then a file is there whole, with its line, or not at all.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from etl.commits import LakeLock, cannot_write
from etl.documents import MAX_FILE_BYTES, Reject, read_whole
from etl.edgar import Filing, submission_fault
from etl.errors import FetchError, OutputError, UsageError
from etl.objects import is_url, refuse_lost_slash
from etl.partitions import FETCH_FOLDER, OUTPUT_MARKS

_RECORD = "fetched.jsonl"
_PART = ".part"


def inbox_folder(given: str) -> Path:
    """The folder that is to be filled. Raises UsageError for what cannot be one."""
    refuse_lost_slash(given)
    if is_url(given):
        raise UsageError("etl fetch fills a folder of this machine; fetch into one and copy it to the URL")
    folder = Path(given)
    if not given or "\0" in given:
        raise UsageError("INBOX is no name of a folder; name the folder to fill")
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{given}: is a file; name the folder to fill")
    place = Path(os.path.realpath(folder))  # which takes links that go round for what they are
    for above in (place, *place.parents):
        if any((above / mark).is_dir() for mark in OUTPUT_MARKS):
            where = "is" if above == place else f"lies within {above}, which is"
            raise UsageError(f"{given}: {where} the output of runs; name another folder to fill")
    return folder


@dataclass(frozen=True)
class FetchedFile:
    """A filing in the inbox."""

    path: Path
    bytes: int
    sha256: str


class FetchedFiles:
    """The files of an inbox that came by fetching."""

    def __init__(self, inbox: Path) -> None:
        self.inbox = inbox
        self._folder = inbox / FETCH_FOLDER
        self._record = self._folder / _RECORD
        self._known: dict[str, str] = {}

    @contextmanager
    def held(self, waiting: Callable[[], None] | None, *, is_read_only: bool) -> Iterator[None]:
        """Hold the inbox against other fetches, and clear away what an earlier one did not finish. Where it is only
        read, nothing is made or cleared. `waiting` is called once if another fetch holds it. Raises OutputError."""
        if self._folder.is_symlink():
            raise OutputError(f"{self._folder}: is a link; take it away, then fetch again")
        if is_read_only and not self._folder.is_dir():
            yield
            return
        with LakeLock(self._folder, waiting):
            if not is_read_only:
                self._clear()
            self._known = dict(_recorded(self._record))
            yield

    def _clear(self) -> None:
        try:
            for left in self._folder.glob(f"*{_PART}"):
                left.unlink()
            if not _ends_a_line(self._record):
                _append(self._record, "")  # a line that was not written to its end ends here
        except OSError as error:
            raise cannot_write(self._folder, error) from error

    def path(self, filing: Filing) -> Path:
        """Where a filing stands, or will."""
        return self.inbox / f"{filing.accession_number}.txt"

    def standing(self, filing: Filing) -> FetchedFile | None:
        """The file of a filing, as it was fetched; or, if another program put it there, whole. None where there is
        none, or it is no longer as it was fetched.

        Raises FetchError where something else stands in its place: that is not taken away.
        """
        path = self.path(filing)
        known = self._known.get(filing.accession_number)
        try:
            content = _content(path)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise FetchError(f"{path} cannot be read: {error.strerror or error}; take it away") from error
        if known is None or content is None:
            fault = "is no file" if content is None else _fault(content, filing)
            if content is None or fault is not None:
                raise FetchError(f"{path} was not fetched, and {fault}; take it away")
        file = FetchedFile(path, len(content), hashlib.sha256(content).hexdigest())
        return file if known in (None, file.sha256) else None

    def put(self, filing: Filing, content: bytes, url: str) -> FetchedFile:
        """Put a filing where it belongs. Raises OutputError, also where the disk does not give back what was written.

        The record is written before the rename: a process that is killed between them leaves a filing that is fetched
        anew, and none that nobody can prove.
        """
        part = self._folder / f"{filing.accession_number}{_PART}"
        file = FetchedFile(self.path(filing), len(content), hashlib.sha256(content).hexdigest())
        said = {
            "accession_number": filing.accession_number,
            "sha256": file.sha256,
            "bytes": file.bytes,
            "url": url,
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        try:
            _write(part, content)
            _refuse_damage(part, file.sha256)
            _append(self._record, json.dumps(said))
            part.replace(file.path)
        except OSError as error:
            raise cannot_write(part, error) from error
        self._known[filing.accession_number] = file.sha256
        return file


def _write(part: Path, content: bytes) -> None:
    """Write a new file, to the disk."""
    with part.open("xb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
        if hasattr(os, "posix_fadvise"):  # then what is read back comes from the disk, not from memory
            os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _refuse_damage(part: Path, sha256: str) -> None:
    """Read back what was written, and raise OutputError where it is not that."""
    written = _content(part)
    if written is None or hashlib.sha256(written).hexdigest() != sha256:
        part.unlink()
        raise OutputError(f"{part}: is not what was written when it is read back; check the disk, then fetch again")


@contextmanager
def _opened(record: Path, flags: int) -> Iterator[BinaryIO]:
    """The record; nothing else that stands in its place is followed, waited for or written to. Raises OSError, and
    OutputError where something else does."""
    try:
        handle = os.open(record, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC, 0o666)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO, errno.EISDIR):  # a link; a pipe that nobody reads; a folder
            raise _no_record(record) from error
        raise
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise _no_record(record)
    with os.fdopen(handle, "ab" if flags & os.O_APPEND else "rb") as stream:
        yield stream


def _no_record(record: Path) -> OutputError:
    return OutputError(f"{record}: is a link, or no file; take it away, then fetch again")


def _append(record: Path, line: str) -> None:
    with _opened(record, os.O_WRONLY | os.O_APPEND | os.O_CREAT) as stream:
        stream.write(f"{line}\n".encode())


def _ends_a_line(record: Path) -> bool:
    """Whether the record ends with a line, or is not there."""
    try:
        with _opened(record, os.O_RDONLY) as stream:
            if stream.seek(0, os.SEEK_END) == 0:
                return True
            stream.seek(-1, os.SEEK_END)
            return stream.read() == b"\n"
    except FileNotFoundError:
        return True


def _content(path: Path) -> bytes | None:
    """The bytes of a file; None where it is none, or too large to have come here. Raises OSError."""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        content = read_whole(handle, str(path), MAX_FILE_BYTES)
    finally:
        os.close(handle)
    return None if isinstance(content, Reject) else content


def _fault(content: bytes, filing: Filing) -> str | None:
    fault = submission_fault(content, filing.accession_number)
    return None if fault is None else fault.message


def _recorded(record: Path) -> Iterator[tuple[str, str]]:
    """Accession number and SHA-256 of each line of the record; a line that was not written to its end says nothing."""
    try:
        with _opened(record, os.O_RDONLY) as stream:
            for line in stream:
                try:
                    said = json.loads(line)
                    number, sha256 = str(said["accession_number"]), str(said["sha256"])
                except (ValueError, KeyError, TypeError, RecursionError):
                    continue
                if re.fullmatch("[0-9a-f]{64}", sha256):
                    yield number, sha256
    except OSError:
        return
