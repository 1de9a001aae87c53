"""What a URL of an inbox stands for: an object, all objects below a prefix, or those that fit a pattern."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from glob import has_magic

from etl.errors import NothingFoundError, NotListedError, StorageError
from etl.objects import Bucket, Location, StoredObject, location_of
from etl.partitions import FETCH_FOLDER, OUTPUT_MARKS


@dataclass(frozen=True)
class ListedUrl:
    """The objects that a URL stands for, and the prefix of which all was listed, if it is one."""

    objects: list[StoredObject]
    prefix: Location | None = None


def list_url(url: str, output_folders: Collection[str]) -> ListedUrl:
    """What a URL stands for. Where a lake lies below a prefix, its `output_folders` are left out.

    Raises NothingFoundError where there is nothing, NotListedError where the store cannot be asked.
    """
    location = location_of(url)
    try:
        return _listed(Bucket(location), location, output_folders, is_prefix=url.endswith("/") or not location.key)
    except StorageError as error:
        raise NotListedError(str(error)) from error


def _listed(bucket: Bucket, location: Location, output_folders: Collection[str], *, is_prefix: bool) -> ListedUrl:
    if not is_prefix and (single := bucket.head(location.key)) is not None:
        return ListedUrl([single])
    parts = location.key.split("/") if location.key else []
    fixed = [*parts[: next((at for at, part in enumerate(parts) if has_magic(part)), len(parts))]]
    pattern = parts[len(fixed) :]
    found = [item for item in bucket.listed("/".join(fixed)) if fits(_below(item, fixed), pattern)]
    chosen = list(_without_markers(bucket, _without_lakes(found, len(fixed), output_folders)))
    if not found:
        missing = (
            "the pattern fits no object; check it"
            if pattern
            else "there is no such object, and none below it; check the URL"
        )
        raise NothingFoundError(f"{location.url}: {missing}")
    return ListedUrl(chosen, None if pattern else location)


def _below(item: StoredObject, fixed: Sequence[str]) -> tuple[str, ...]:
    return tuple(item.location.key.split("/")[len(fixed) :])


def fits(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    """Whether an object fits a pattern as a file does: it or a folder above it, part by part; `**` is any folders."""
    if not pattern:
        return True
    if not parts:
        return False
    name, wanted = parts[0], pattern[0]
    if wanted == "**":
        deeper = len(parts) > 1 and not name.startswith(".") and fits(parts[1:], pattern)
        return deeper or fits(parts, pattern[1:])
    is_shown = wanted.startswith(".") or not name.startswith(".")
    return (name == wanted or (fnmatchcase(name, wanted) and is_shown)) and fits(parts[1:], pattern[1:])


def _without_lakes(
    found: Iterable[StoredObject], depth: int, output_folders: Collection[str]
) -> Iterator[StoredObject]:
    """Those that are not in a lake that lies below the prefix, which has so many parts, nor in a fetch's folder."""
    given = [(item, item.location.key.split("/")) for item in found]
    lakes = {tuple(parts[:at]) for _, parts in given for at in range(depth, len(parts)) if parts[at] in OUTPUT_MARKS}
    for item, parts in given:
        tops = (at for at in range(depth, len(parts)) if parts[at] in output_folders)
        if FETCH_FOLDER not in parts[depth:-1] and not any(tuple(parts[:at]) in lakes for at in tops):
            yield item


def _without_markers(bucket: Bucket, found: Iterable[StoredObject]) -> Iterator[StoredObject]:
    """Those that are no markers of folders: these are empty, and their keys end in a slash, which a listing hides."""
    for item in found:
        if item.size or bucket.head(item.location.key) is not None:
            yield item
