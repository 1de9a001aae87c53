"""Objects of an inbox as files: their bytes in one request, or a stream that asks for pieces of one version.

While a document is read, the next objects are fetched, in bounded memory; they come in their order.
"""

from __future__ import annotations

import io
import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from etl.documents import KIND_BYTES, MAX_FILE_BYTES, Found, Reject, changed, source_of, too_large_to_read
from etl.errors import StorageError, UsageError
from etl.objects import AT_ONCE, PIECE_BYTES, Bucket, Location, StoredObject, is_store

# What is fetched ahead has no more bytes than this together, or is a single object; larger objects are not.
AHEAD_BYTES = 32 * 1024 * 1024
_GONE = "the object is not there any more"
_HINT = "check that the object is there and may be read"


@dataclass(frozen=True)
class Fetched:
    """An object of the inbox with its bytes, or the reason why they cannot be had."""

    item: StoredObject
    content: bytes | Reject


class ChangedError(Exception):
    """An object has another version than the one that was begun."""


def fetched_ahead(found: Iterable[Found | StoredObject | Reject]) -> Iterator[Found | StoredObject | Fetched | Reject]:
    """The same in the same order; small objects come with their bytes, and some of them are fetched at once."""
    waiting: deque[tuple[int, Found | StoredObject | Reject | Future[Fetched]]] = deque()
    held = 0
    with ThreadPoolExecutor(AT_ONCE) as pool:
        try:
            for item in found:
                size = item.size if isinstance(item, StoredObject) and item.size <= PIECE_BYTES else 0
                while waiting and (held + size > AHEAD_BYTES or len(waiting) >= 2 * AT_ONCE):
                    held -= waiting[0][0]
                    yield _ready(waiting.popleft()[1])
                is_small = isinstance(item, StoredObject) and item.size <= PIECE_BYTES
                waiting.append((size, pool.submit(fetch, item) if is_small else item))  # type: ignore[arg-type]
                held += size
                while waiting and not isinstance(waiting[0][1], Future):  # a file is not fetched, nor waited for
                    held -= waiting[0][0]
                    yield _ready(waiting.popleft()[1])
            while waiting:
                yield _ready(waiting.popleft()[1])
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _ready(item: Found | StoredObject | Reject | Future[Fetched]) -> Found | StoredObject | Fetched | Reject:
    return item.result() if isinstance(item, Future) else item


def stored(place: Location) -> StoredObject | None:
    """The object at a place; None where there is none, or it cannot be known: Spark reads URLs of other stores too."""
    if not is_store(place.scheme):
        return None
    try:
        return Bucket(place).head(place.key)
    except (StorageError, UsageError):
        return None


def fetch(item: StoredObject) -> Fetched:
    """An object with its bytes."""
    try:
        found = Bucket(item.location).read(item.location.key, MAX_FILE_BYTES)
    except StorageError as error:
        return Fetched(item, _refused(item, error))
    if found is None:
        return Fetched(item, _unreadable(item, _GONE))
    now, content = found
    if now.size > MAX_FILE_BYTES or len(content) != now.size:
        return Fetched(item, changed(source_of(item), item.size, now.size))
    return Fetched(item, content)


def beginning(item: StoredObject) -> bytes | Reject:
    """The first bytes of an object, which say what it is."""
    try:
        begun = Bucket(item.location).read_piece(item, 0, min(item.size, KIND_BYTES)) if item.size else b""
    except StorageError as error:
        return _refused(item, error)
    return has_changed(item) if begun is None else begun


def large(item: StoredObject, begun: bytes) -> bytes | Reject:
    """The bytes of an object that is not fetched ahead."""
    if item.size > MAX_FILE_BYTES:
        return too_large_to_read(source_of(item), item.size, begun, MAX_FILE_BYTES)
    return fetch(item).content


def has_changed(item: StoredObject) -> Reject:
    """The reject for an object that is not what it was when it was listed, or not there."""
    try:
        now = Bucket(item.location).head(item.location.key)
    except StorageError as error:
        return _refused(item, error)
    return _unreadable(item, _GONE) if now is None else changed(source_of(item), item.size, now.size)


def stream_of(item: StoredObject) -> io.BufferedReader:
    """A stream of an object that can seek and holds a piece of it in memory. Reading raises OSError, and ChangedError
    where the object is another by now."""
    return io.BufferedReader(_Pieces(item), PIECE_BYTES)


class _Pieces(io.RawIOBase):
    """An object, read with a request for each piece."""

    def __init__(self, item: StoredObject) -> None:
        self._item = item
        self._bucket = Bucket(item.location)
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._item.size}[whence]
        if start + offset < 0:
            raise OSError("a place before the file")
        self._at = start + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
        end = min(self._at + len(buffer), self._item.size)
        if end <= self._at:
            return 0
        try:
            piece = self._bucket.read_piece(self._item, self._at, end)
        except StorageError as error:
            raise OSError(str(error)) from error
        if piece is None:
            raise ChangedError
        buffer[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)


def _refused(item: StoredObject, error: StorageError) -> Reject:
    """The reject for an object that the store does not give."""
    return _unreadable(item, str(error).removeprefix(f"{item.location.url}: "))


def _unreadable(item: StoredObject, message: str) -> Reject:
    return Reject(source_of(item), None, None, "unreadable", message, _HINT)
