"""Object storage: objects in buckets, named by URLs. What goes wrong is one line that names the URL and the mend.

    s3://bucket/key    gs://bucket/key    az://container/key

Credentials come from the environment and from the roles of the machine, never from a URL. Where a request fails for a
reason that may pass, it is sent again a few times, within bounds.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from etl.errors import StorageError, UsageError, first_line

if TYPE_CHECKING:
    from obstore import PutMode, UpdateVersion
    from obstore.store import AzureStore, ClientConfig, GCSStore, RetryConfig, S3Store

_T = TypeVar("_T")
_R = TypeVar("_R")

# Requests that are under way at once.
AT_ONCE = 16
# An object larger than this is sent and fetched in pieces of this size.
PIECE_BYTES = 8 * 1024 * 1024
# Seconds in which a connection must come about, and a request be done; after the second, none is sent again.
CONNECT_SECONDS, REQUEST_SECONDS, RETRY_SECONDS = 4, 40, 25
RETRIES = 4
# The store takes the names of so many objects to delete in one request.
_DELETED_AT_ONCE = 1000
_LISTED_AT_ONCE = 1000

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/]*)/?(.*)", re.DOTALL)
_QUERY = re.compile(r"\?[^/?]*=")
_CREDENTIALS = {
    "s3": "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run where a role gives them",
    "gs": "set GOOGLE_APPLICATION_CREDENTIALS to a file with them, or run where a role gives them",
    "az": "set AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY, or run where a role gives them",
}
_PLACES = {"s3": "AWS_REGION and AWS_ENDPOINT_URL", "gs": "the project", "az": "AZURE_STORAGE_ACCOUNT_NAME"}
# Where credentials of a role are asked for: what stands in the address.
_ROLES = re.compile(
    r"/latest/(api|meta-data)|computeMetadata|/metadata/identity|token request|credential", re.IGNORECASE
)
_NO_BUCKET = ("NoSuchBucket", "ContainerNotFound")
_DENIED = ("401", "403")
_UNREACHED = ("error sending request", "timed out", "error trying to connect", "connection")
_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")


def is_url(given: str) -> bool:
    """Whether it is a URL, and no path."""
    return _URL.fullmatch(given) is not None


def is_store(scheme: str) -> bool:
    """Whether URLs with this scheme are read here."""
    return scheme in _CREDENTIALS


def refuse_lost_slash(given: str) -> None:
    """Raise UsageError for what `pathlib` makes of a URL: else a folder of that name would be made."""
    if (lost := re.match(rf"({'|'.join(_CREDENTIALS)}):/(?!/)", given)) is not None:
        raise UsageError(f"{lost[0]}...: a URL needs two slashes, which a Path does not keep; give it as text")


@dataclass(frozen=True, order=True)
class Location:
    """A place in object storage: of one object, or of all whose keys begin with `key` and a slash."""

    scheme: str
    bucket: str
    key: str

    @property
    def url(self) -> str:
        """The URL, without a slash at its end."""
        return f"{self.scheme}://{self.bucket}/{self.key}".rstrip("/")

    def has(self, other: Location) -> bool:
        """Whether another place is this one or below it."""
        same = (self.scheme, self.bucket) == (other.scheme, other.bucket)
        return same and (not self.key or other.key == self.key or other.key.startswith(f"{self.key}/"))


def place_of(url: str) -> Location:
    """The place that the URL of something that was listed names. Raises ValueError where it is no URL."""
    match = _URL.fullmatch(url)
    if match is None:
        raise ValueError(f"{url[:200]} is no URL")
    return Location(*match.groups())


def location_of(url: str) -> Location:
    """The place that a URL names. Raises UsageError, which never repeats what may be a secret."""
    place = place_of(url)
    scheme, bucket, key = place.scheme, place.bucket, place.key.rstrip("/")
    if scheme not in _CREDENTIALS:
        known = ", ".join(f"{known}://" for known in _CREDENTIALS)
        raise UsageError(f"what begins with {scheme}:// is not read; URLs begin with {known}")
    if set("@:") & set(bucket) or has_query(bucket + key):
        raise with_secrets(scheme, f"in the environment: {_CREDENTIALS[scheme]}")
    if not bucket:
        raise UsageError(f"{url[:200]}: the name of the bucket is missing: {scheme}://BUCKET/...")
    if key and any(part in ("", ".", "..") for part in key.split("/")):
        raise UsageError(f"{url[:200]}: a key with an empty part, or one that is a point, cannot be read")
    return Location(scheme, bucket, key)


def has_query(path: str) -> bool:
    """Whether what stands in a URL behind its scheme has a query, as signed URLs do."""
    return _QUERY.search(path) is not None


def without_secrets(text: str) -> str:
    """A text whose URLs have lost what may be credentials, before an @ or behind a question mark: for what is shown or
    written down before a URL is refused."""
    without_users = re.sub(r"://\S*@", "://***@", text)
    return re.sub(r"(://[^\s?]*\?)\S*", r"\1***", without_users)


def with_secrets(scheme: str, mend: str) -> UsageError:
    """The error for a URL that has what may be a secret, none of which it repeats."""
    return UsageError(
        f"a URL {scheme}://... has credentials or a query in it, which would be written down with it; take them "
        f"out and give them {mend}"
    )


@dataclass(frozen=True)
class StoredObject:
    """An object as it was listed: where it is, its bytes, and what stands for its version."""

    location: Location
    size: int
    e_tag: str | None
    version: str | None = None


class Bucket:
    """The objects of a bucket. All methods raise StorageError where the store cannot be asked, or refuses."""

    def __init__(self, location: Location) -> None:
        self._root = Location(location.scheme, location.bucket, "")
        with _told(self._root):
            self._store = _client(location.scheme, location.bucket)

    def location(self, key: str) -> Location:
        """The place of a key."""
        return Location(self._root.scheme, self._root.bucket, key)

    def listed(self, prefix: str) -> Iterator[StoredObject]:
        """The objects whose keys begin with `prefix` and a slash, in no order that can be relied on."""
        import obstore  # noqa: PLC0415 - an optional library

        with _told(self.location(prefix)):
            for chunk in obstore.list(self._store, prefix or None, chunk_size=_LISTED_AT_ONCE):
                for meta in chunk:
                    yield StoredObject(self.location(meta["path"]), meta["size"], meta["e_tag"], meta["version"])

    def folders(self, prefix: str) -> list[str]:
        """The parts that follow upon `prefix` and a slash in the keys below it, where more parts follow upon these."""
        import obstore  # noqa: PLC0415

        with _told(self.location(prefix)):
            found = obstore.list_with_delimiter(self._store, prefix or None)["common_prefixes"]
            return sorted(key.rstrip("/").rpartition("/")[2] for key in found)

    def head(self, key: str) -> StoredObject | None:
        """The object with this key; None where there is none."""
        import obstore  # noqa: PLC0415

        with _told(self.location(key)):
            try:
                meta = obstore.head(self._store, key)
            except FileNotFoundError:
                return None
            return StoredObject(self.location(key), meta["size"], meta["e_tag"], meta["version"])

    def read(self, key: str, most: int) -> tuple[StoredObject, bytes] | None:
        """An object, and its bytes, but no more than `most`, in one request, so of one version; None where there is
        none."""
        import obstore  # noqa: PLC0415

        with _told(self.location(key)):
            try:
                result = obstore.get(self._store, key)
                meta = result.meta
                found = StoredObject(self.location(key), meta["size"], meta["e_tag"], meta["version"])
                return found, bytes(result.bytes()) if found.size <= most else b""
            except FileNotFoundError as error:
                _refuse_no_bucket(error)
                return None

    def read_piece(self, item: StoredObject, start: int, end: int) -> bytes | None:
        """Some bytes of the version of an object that was listed; None where it is another by now, or gone."""
        import obstore  # noqa: PLC0415
        from obstore.exceptions import PreconditionError  # noqa: PLC0415

        with _told(item.location):
            try:
                options = {"range": (start, end), **({} if item.e_tag is None else {"if_match": item.e_tag})}
                return bytes(obstore.get(self._store, item.location.key, options=options).bytes())  # type: ignore[arg-type]
            except (FileNotFoundError, PreconditionError):
                return None

    def download(self, key: str, file: Path) -> bool:
        """Write an object into a new file, in pieces; False where there is none. Raises OSError too."""
        import obstore  # noqa: PLC0415

        with _told(self.location(key)):
            try:
                result = obstore.get(self._store, key)
            except FileNotFoundError as error:
                _refuse_no_bucket(error)
                return False
            pieces = result.stream(min_chunk_size=PIECE_BYTES)
        return self._written(key, pieces, file)

    def _written(self, key: str, pieces: Iterable[object], file: Path) -> bool:
        given = iter(pieces)
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("wb") as stream:
            while True:
                with _told(self.location(key)):
                    piece = next(given, None)
                if piece is None:
                    return True
                stream.write(piece)  # type: ignore[arg-type]

    def put(self, key: str, content: bytes | Path) -> StoredObject:
        """Put an object in its place, whatever stands there: at once, so that a reader has the old one or the new."""
        put = self._put(key, content, "overwrite")
        assert put is not None
        return put

    def create(self, key: str, content: bytes) -> StoredObject | None:
        """Put an object where there is none; None where one is there."""
        return self._put(key, content, "create")

    def replace(self, held: StoredObject, content: bytes) -> StoredObject | None:
        """Put an object in the place of this version of it; None where it is another, or gone."""
        version: UpdateVersion = {}
        if held.e_tag is not None:
            version["e_tag"] = held.e_tag
        if held.version is not None:
            version["version"] = held.version
        return self._put(held.location.key, content, version)

    def _put(self, key: str, content: bytes | Path, mode: PutMode) -> StoredObject | None:
        import obstore  # noqa: PLC0415
        from obstore.exceptions import AlreadyExistsError, PreconditionError  # noqa: PLC0415

        size = len(content) if isinstance(content, bytes) else content.stat().st_size
        with _told(self.location(key)):
            try:
                done = obstore.put(self._store, key, content, mode=mode, chunk_size=PIECE_BYTES, max_concurrency=2)
            except (AlreadyExistsError, PreconditionError):
                return None
            return StoredObject(self.location(key), size, done["e_tag"], done["version"])

    def delete(self, keys: Iterable[str]) -> None:
        """Delete these objects; those that are not there are none to be deleted."""
        import obstore  # noqa: PLC0415

        wanted = list(keys)
        for start in range(0, len(wanted), _DELETED_AT_ONCE):
            part = wanted[start : start + _DELETED_AT_ONCE]
            with _told(self.location(part[0])):
                try:
                    obstore.delete(self._store, part)
                except FileNotFoundError as error:
                    _refuse_no_bucket(error)


def in_parallel(call: Callable[[_T], _R], items: Sequence[_T]) -> list[_R]:
    """What a function that waits for the store gives for each item, in order. The first error is raised, when what is
    under way has ended; then no more is begun."""
    if len(items) < 2:  # noqa: PLR2004 - nothing to do side by side
        return [call(item) for item in items]
    with ThreadPoolExecutor(min(AT_ONCE, len(items))) as pool:
        jobs = [pool.submit(call, item) for item in items]
        try:
            for job in as_completed(jobs):
                job.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        return [job.result() for job in jobs]


# --- the library, and what it says -----------------------------------------------------------------------------


@cache
def _client(scheme: str, bucket: str) -> S3Store | GCSStore | AzureStore:
    try:
        from obstore import store  # noqa: PLC0415
    except ImportError as error:
        raise UsageError(f"{scheme}://{bucket}: needs a library; pip install 'trustee-etl[objects]'") from error
    client: ClientConfig = {
        "connect_timeout": timedelta(seconds=CONNECT_SECONDS),
        "timeout": timedelta(seconds=REQUEST_SECONDS),
        "allow_http": _is_plain(),
    }
    retries: RetryConfig = {
        "max_retries": RETRIES,
        "retry_timeout": timedelta(seconds=RETRY_SECONDS),
        "backoff": {"init_backoff": timedelta(seconds=0.2), "max_backoff": timedelta(seconds=3), "base": 2},
    }
    if scheme == "gs":
        return store.GCSStore(bucket, client_options=client, retry_config=retries)
    if scheme == "az":
        return store.AzureStore(bucket, client_options=client, retry_config=retries)
    return store.S3Store(bucket, client_options=client, retry_config=retries)


def _is_plain() -> bool:
    """Whether somebody named a store that is reached without TLS, as those on the own machine are."""
    named = next((os.environ[name] for name in _ENDPOINTS if os.environ.get(name)), "")
    return named.startswith("http://") or os.environ.get("AWS_ALLOW_HTTP", "").lower() in ("1", "true")


@contextmanager
def _told(location: Location) -> Iterator[None]:
    """What the library raises becomes a StorageError."""
    try:
        yield
    except (StorageError, UsageError):
        raise
    except Exception as error:
        if not _is_of_store(error):
            raise
        raise StorageError(f"{location.url}: {_said(location, error)}") from error


def _is_of_store(error: Exception) -> bool:
    from obstore.exceptions import BaseError  # noqa: PLC0415

    # These two are raised with the library's own text, and without a number.
    ours = isinstance(error, FileNotFoundError | PermissionError | OSError | ValueError)
    return isinstance(error, BaseError) or (ours and getattr(error, "errno", None) is None)


def _refuse_no_bucket(error: FileNotFoundError) -> None:
    """Raise the error again where it is not only the object that is not there."""
    if any(code in str(error) for code in _NO_BUCKET):
        raise error


def _said(location: Location, error: Exception) -> str:
    """What is wrong, and the mend. What the library says goes into it in parts alone, for it may name anything."""
    text = str(error)
    code, status, path = (
        match[1] if match else ""
        for match in (
            re.search(r"<Code>([A-Za-z]+)</Code>", text),
            re.search(r"status code: ([0-9]{3})", text),
            re.search(r'Path "([^"]{0,100})', text),
        )
    )
    is_role = _ROLES.search(text) is not None and not code
    plain = re.sub(r"\S*://\S*", "...", first_line(error))[:200]
    credentials, place = _CREDENTIALS[location.scheme], _PLACES[location.scheme]
    said = {
        f"there is no such bucket; check its name, and {place}": code in _NO_BUCKET,
        f"an object there is named {path!r}; give it a name without empty parts and parts that are points": bool(path),
        f"no credentials were found; {credentials}": is_role or "Account must be specified" in text,
        f"access is denied ({code or status}); check the credentials and what they may do there": status in _DENIED,
        f"the bucket is in another region; check {place}": status == "301",
        f"the store answers {status} {code}".rstrip() + "; run again later": bool(status),
        f"the store cannot be reached; check the network, and {place}": any(words in text for words in _UNREACHED),
        f"the store cannot be used: {plain}": True,
    }
    return next(message for message, holds in said.items() if holds)
