"""A lake in object storage. A run works in a scratch folder on this machine; the objects are put in their places.

    LAKE/_staging/lock.json              the lock, while a run holds it
    LAKE/_staging/<run>/<n>.ready        all files of a commit in one tar: they belong to the lake
    LAKE/_staging/<run>/<n>/<hash>.tar   files that other processes give for that commit

The request that puts the `.ready` object decides: before it, nothing has happened; after it, every file will come to
stand in its place, if need be by the next run. Each takes its place by one request, so a reader has the old file or the
new one. A commit says which manifest it was made for. One that comes too late, from a run that had been held up until
another one took over the lock, finds another manifest, and is not gone on with.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import tarfile
import time
import weakref
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from tempfile import mkdtemp
from threading import Lock
from types import TracebackType
from typing import Self

from etl.commits import cannot_write, turn
from etl.errors import EtlError, OutputError, named_as
from etl.leases import Lease
from etl.manifest import without_manifest
from etl.objects import Bucket, StoredObject, in_parallel, location_of
from etl.parquet import SMALLEST
from etl.partitions import (
    MANIFEST_FOLDER,
    REJECTED_RECORDS_FOLDER,
    REJECTS_FOLDER,
    SOURCES_FOLDER,
    STAGING_FOLDER,
    SUPERSEDED_FOLDER,
    PartitionBy,
    partitioning_of_file,
)
from etl.schema import TABLES
from etl.stores import StagingArea

_LOCK = "lock.json"
_READY = ".ready"
# In a `.ready` object, what else the commit does: the objects that it takes out, and the bundles that it goes through.
_COMMIT = "commit.json"
# Of how many files of the lake it is remembered that they are there: some hundred bytes for each.
_REMEMBERED = 200_000
# Who reads a lake while a run commits looks again so many times, after so many seconds.
_LOOKS, PAUSE_SECONDS = 5, 1.0

# Lists the files below a folder of a lake.
_Listed = Callable[[str], Mapping[str, StoredObject]]


class ObjectStore:
    """A lake in object storage. It is pickled as its URL: elsewhere it has a scratch folder of its own."""

    def __init__(self, url: str) -> None:
        self.place = location_of(url)
        self.url = self.place.url
        self.bucket = Bucket(self.place)
        self.lease: Lease | None = None
        self._files = _Files()
        self._scratch: Path | None = None
        self._removed: Callable[[], object] | None = None
        self._making = Lock()

    def __reduce__(self) -> tuple[type[ObjectStore], tuple[str]]:
        return ObjectStore, (self.url,)

    @property
    def scratch(self) -> Path:
        """A folder on this machine, made when it is needed, which goes with this object. Raises OutputError."""
        with self._making:  # threads may ask for it at once
            if self._scratch is None:
                try:
                    self._scratch = Path(mkdtemp(prefix="trustee-etl-"))
                except OSError as error:
                    raise cannot_write("the folder of temporary files", error) from error
                self._removed = weakref.finalize(self, shutil.rmtree, self._scratch, ignore_errors=True)
            return self._scratch

    def close(self) -> None:
        """Remove the folder on this machine, if there is one."""
        with self._making:
            if self._removed is not None:
                self._removed()
            self._scratch = self._removed = None

    @property
    def root(self) -> Path:
        """Where files of the lake stand that were fetched."""
        return self.scratch / "lake"

    def key(self, file: str) -> str:
        """The key of a file of the lake."""
        return f"{self.place.key}/{file}" if self.place.key else file

    def listed(self, folder: str) -> dict[str, StoredObject]:
        """The files below a folder of the lake. Raises StorageError."""
        skipped = len(self.key(""))
        return {item.location.key[skipped:]: item for item in self.bucket.listed(self.key(folder).rstrip("/"))}

    def lock(self, waiting: Callable[[], None] | None) -> Lease:
        """Holds the lake for one run."""
        self.lease = Lease(self.bucket, self.key(f"{STAGING_FOLDER}/{_LOCK}"), waiting)
        return self.lease

    @contextmanager
    def staging(self, run_id: str) -> Iterator[StagingArea]:
        """The staging area of a run."""
        with named_as(self.root, self.url), ObjectStaging(self, run_id) as staging:
            yield staging

    def fetch(self, files: Iterable[str]) -> None:
        """See to it that those of these files that the lake has stand below `root`."""
        self.download(file for file in self.existing(files) if not (self.root / file).exists())

    def download(self, files: Iterable[str]) -> None:
        """Bring files below `root`; what is not there any more is left out. Raises OutputError."""
        try:
            in_parallel(lambda file: self.bucket.download(self.key(file), self.root / file), list(files))
        except OSError as error:
            raise cannot_write(self.root, error) from error

    def existing(self, files: Iterable[str]) -> list[str]:
        """Those of these files that the lake has, in the order given."""
        asked = list(files)
        sizes = self._files.sizes(asked, self.listed)
        return [file for file in asked if file in sizes]

    def stand_whole(self, files: Iterable[str]) -> bool:
        """Whether the lake has all of these Parquet files. An object is never cut."""
        asked = list(files)
        sizes = self._files.sizes(asked, self.listed)
        return all(sizes.get(file, 0) >= SMALLEST for file in asked)

    def partitioning(self) -> PartitionBy | None:
        """How the tables are partitioned, by the first that has a file."""
        for name in TABLES:
            for item in self.bucket.listed(self.key(name)):
                way = partitioning_of_file(item.location.key.removeprefix(self.key(f"{name}/")))
                if way is not None:
                    return way
        return None

    def clear(self) -> None:
        """Remove what was fetched, if anything was."""
        if self._scratch is not None:
            shutil.rmtree(self.root, ignore_errors=True)

    def note(self, file: str, size: int | None) -> None:
        """Remember that a file is there now, with this size, or no longer."""
        self._files.note(file, size)


@contextmanager
def lake_copy(url: str, *, with_sources: bool = False) -> Iterator[Path]:
    """A folder with the tables and lists of a lake in object storage, for the while, all of one state. What reads it
    may name the folder in an error: there the URL comes in its place. Raises OutputError."""
    store = ObjectStore(url)
    wanted = [*TABLES, SUPERSEDED_FOLDER, MANIFEST_FOLDER, REJECTS_FOLDER, REJECTED_RECORDS_FOLDER]
    try:
        with named_as(store.root, store.url):
            _fetch_one_state(store, [*wanted, SOURCES_FOLDER] if with_sources else wanted)
            yield store.root
    finally:
        store.close()


def _fetch_one_state(store: ObjectStore, folders: Sequence[str]) -> None:
    """Bring all files of some folders below the root of a store, with no commit half done. Raises OutputError where a
    run commits again and again, or has left a commit that is not finished."""
    for look in range(_LOOKS):
        if look:
            time.sleep(PAUSE_SECONDS)
        before = _standing(store)
        if before is None:
            continue
        listed = in_parallel(store.listed, folders)
        store.download(file for files in listed for file in files)
        if _standing(store) == before:
            return
        store.clear()
    raise OutputError(
        f"{store.url}: a run is writing there, or was killed while it did; run again when it has ended, or let "
        "`etl run` finish it"
    )


def _standing(store: ObjectStore) -> dict[str, str | None] | None:
    """The manifest, as its files and their versions; None while a commit is under way, which puts its
    `.ready` object before it touches anything, and the manifest after all the rest."""
    if any(file.endswith(_READY) for file in store.listed(STAGING_FOLDER)):
        return None
    return _manifest_versions(store)


def _manifest_versions(store: ObjectStore) -> dict[str, str | None]:
    """The files of the manifest, with what stands for their versions."""
    return {file: _version(item) for file, item in store.listed(MANIFEST_FOLDER).items()}


class _Files:
    """The files of a lake, remembered by stretches: those of a deal in a table, or of a folder; the ones that were
    asked for last."""

    def __init__(self) -> None:
        self._stretches: OrderedDict[str, dict[str, int]] = OrderedDict()

    def sizes(self, files: Sequence[str], listed_below: _Listed) -> dict[str, int]:
        """The sizes of those of these files that are there."""
        wanted = dict.fromkeys(map(_stretch, files))
        new = [stretch for stretch in wanted if stretch not in self._stretches]
        found = {stretch: self._stretches[stretch] for stretch in wanted if stretch not in new}
        for stretch, listed in zip(new, in_parallel(listed_below, new), strict=True):
            found[stretch] = {file: item.size for file, item in listed.items()}
        for stretch, sizes in found.items():
            self._stretches[stretch] = sizes
            self._stretches.move_to_end(stretch)
        self._forget()
        return {file: size for file in files if (size := found[_stretch(file)].get(file)) is not None}

    def note(self, file: str, size: int | None) -> None:
        listed = self._stretches.get(_stretch(file))
        if listed is not None and size is None:
            listed.pop(file, None)
        elif listed is not None and size is not None:
            listed[file] = size

    def _forget(self) -> None:
        count = sum(len(listed) + 1 for listed in self._stretches.values())
        while count > _REMEMBERED and len(self._stretches) > 1:
            count -= len(self._stretches.popitem(last=False)[1]) + 1


def _stretch(file: str) -> str:
    """The folder whose files are listed together with this one: that of the deal, where there is one."""
    folders = file.split("/")[:-1]
    deal = next((at for at, name in enumerate(folders) if name.startswith("deal=")), len(folders))
    return "/".join(folders[: deal + 1])


class ObjectStaging:
    """The staging area of one run; a context manager that leaves behind what is ready and nothing else.

    Entering it finishes what earlier runs left ready and clears away the rest, so it must be entered with the lock
    held. Then all of the manifest stands below the root of the store.
    """

    def __init__(self, store: ObjectStore, run_id: str) -> None:
        self._store = store
        self._place = f"{STAGING_FOLDER}/{run_id}"
        self._count = 0
        self._manifest: dict[str, str | None] = {}  # its files, with what stands for their versions

    def __enter__(self) -> Self:
        self._recover()
        self._manifest = _manifest_versions(self._store)
        if not self._manifest and set(TABLES) & set(self._store.bucket.folders(self._store.place.key)):
            raise without_manifest(f"{self._store.url}/{MANIFEST_FOLDER}")
        self._store.download(self._manifest)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if not isinstance(error, OutputError):  # else the store would not answer now either: the next run goes on
                self._recover()
        except EtlError:
            pass
        finally:
            self._store.close()

    def next_folder(self) -> Path:
        """A new folder for the files of one commit. Raises OutputError where it cannot be made."""
        self._count += 1
        return _new_folder(self._store.scratch / "staging" / f"{self._count:08}")

    def deposit(self, folder: Path) -> ObjectDeposit:
        """What other processes give the files of the commit with whose folder this is."""
        return ObjectDeposit(self._store, f"{self._place}/{folder.name}")

    def commit(
        self, folder: Path, files: Iterable[str], removals: Sequence[str] = (), deposited: Iterable[str] = ()
    ) -> None:
        """Bring the files of a folder (paths below it) into the lake, and take out `removals` (paths below the lake).
        Files that are not in the folder were `deposited`: what `ObjectDeposit.put` told of each.

        Raises OutputError where that fails; the next run goes on with it.
        """
        commit = _Commit(list(removals), sorted(set(deposited)), self._manifest)
        ready = f"{self._place}/{folder.name}{_READY}"
        try:
            own = [file for file in files if not commit.bundles or (folder / file).is_file()]
            packed = folder.with_name(f"{folder.name}{_READY}")
            _pack(packed, folder, sorted(own, key=turn), commit)
            self._check()
            self._store.bucket.put(self._store.key(ready), packed)
            packed.unlink()
            self._apply(ready, folder, own, commit)
            shutil.rmtree(folder)
        except OSError as error:
            raise cannot_write(folder, error) from error
        self._store.clear()

    def _check(self) -> None:
        assert self._store.lease is not None
        self._store.lease.check()

    def _recover(self) -> None:
        """Finish the commits that earlier runs left ready, in their order, and clear away what is not ready."""
        found = self._store.listed(STAGING_FOLDER)
        for ready in sorted(file for file in found if file.endswith(_READY)):
            folder = self.next_folder()
            files = self._unpacked(ready, folder)
            commit = _Commit(**json.loads((folder / _COMMIT).read_bytes()))
            if self._is_in_time(folder, files, commit):
                self._apply(ready, folder, [file for file in files if file != _COMMIT], commit)
            shutil.rmtree(folder)
        rest = self._store.listed(STAGING_FOLDER) if found else {}
        lock = f"{STAGING_FOLDER}/{_LOCK}"
        if rest.keys() - {lock}:
            self._check()
            self._store.bucket.delete(self._store.key(file) for file in rest if file != lock)

    def _is_in_time(self, folder: Path, files: Collection[str], commit: _Commit) -> bool:
        """Whether the manifest is the one that a commit was made for, but for what the commit does to it."""
        now = _manifest_versions(self._store)
        changed = {file for file in now.keys() | commit.manifest.keys() if now.get(file) != commit.manifest.get(file)}
        gone = {file for file in commit.removals if file not in now}
        put = [file for file in changed.intersection(files) if self._stands(file, (folder / file).read_bytes())]
        return changed <= gone.union(put)

    def _stands(self, file: str, content: bytes) -> bool:
        found = self._store.bucket.read(self._store.key(file), len(content))
        return found is not None and found[1] == content

    def _apply(self, ready: str, folder: Path, files: Sequence[str], commit: _Commit) -> None:
        """Put what is ready in its place, what is in bundles first; that which stands there already is put again."""
        for bundle in commit.bundles:
            apart = self.next_folder()
            self._put(apart, self._unpacked(bundle, apart))
            shutil.rmtree(apart)
        self._put(folder, files)
        for _, removals in groupby(sorted(commit.removals, key=_turn_to_go), _turn_to_go):
            gone = list(removals)
            self._check()
            self._store.bucket.delete(map(self._store.key, gone))
            for file in gone:
                self._store.note(file, None)
                self._manifest.pop(file, None)
        self._check()
        self._store.bucket.delete([self._store.key(ready)])  # first, or the bundles would be missed
        self._store.bucket.delete(map(self._store.key, commit.bundles))

    def _put(self, folder: Path, files: Sequence[str]) -> None:
        """Put files in their places, in the order of `turn`; partitions side by side, but each file by file."""
        for _, stage in groupby(sorted(files, key=turn), lambda file: turn(file)[0]):
            partitions = [list(partition) for _, partition in groupby(stage, lambda file: turn(file)[:2])]
            for done in in_parallel(lambda partition: self._put_in_turn(folder, partition), partitions):
                for file, item in done.items():
                    self._store.note(file, item.size)
                    if file.startswith(f"{MANIFEST_FOLDER}/"):
                        self._manifest[file] = _version(item)

    def _put_in_turn(self, folder: Path, files: Sequence[str]) -> dict[str, StoredObject]:
        return {file: self._put_one(folder, file) for file in files}

    def _put_one(self, folder: Path, file: str) -> StoredObject:
        self._check()
        return self._store.bucket.put(self._store.key(file), folder / file)

    def _unpacked(self, bundle: str, folder: Path) -> list[str]:
        """Fetch a tar of the lake and unpack it into a folder; the paths of its files."""
        packed = folder.with_name(f"{folder.name}.tar")
        if not self._store.bucket.download(self._store.key(bundle), packed):
            raise OutputError(f"{self._store.url}/{bundle}: is not there any more; has something else deleted it?")
        with tarfile.open(packed) as tar:
            tar.extractall(folder, filter="data")
            files = tar.getnames()
        packed.unlink()
        return files


@dataclass(frozen=True)
class ObjectDeposit:
    """Takes files for a commit from processes on any machine, each time as one object."""

    store: ObjectStore
    place: str

    def put(self, files: Mapping[str, bytes]) -> str:
        """Put files, given by the paths that they will have in the lake; what tells of them to the commit.

        The same files make the same object. Raises OutputError.
        """
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as tar:
            for file in sorted(files, key=turn):
                _add(tar, file, files[file])
        content = packed.getvalue()
        bundle = f"{self.place}/{hashlib.sha256(content).hexdigest()}.tar"
        self.store.bucket.put(self.store.key(bundle), content)
        return bundle


@dataclass(frozen=True)
class _Commit:
    """What a commit does besides putting the files that are packed with it, and the manifest that it was made for: its
    files, with what stands for their versions."""

    removals: list[str]
    bundles: list[str]
    manifest: dict[str, str | None]


def _version(item: StoredObject) -> str | None:
    """What stands for the version of an object, whether it was put or listed: some stores quote it only once."""
    return item.e_tag and item.e_tag.removeprefix("W/").strip('"')


def _turn_to_go(file: str) -> tuple[int, bool]:
    """The order in which files are taken out: those that hold before earlier versions, `reports` before other tables,
    as a table that has no report any more is no loss."""
    top = file.removeprefix(f"{SUPERSEDED_FOLDER}/").partition("/")[0]
    place = 2 if top not in TABLES else int(file.startswith(f"{SUPERSEDED_FOLDER}/"))
    return place, top != TABLES[0]


def _pack(target: Path, folder: Path, files: Iterable[str], commit: _Commit) -> None:
    with tarfile.open(target, "w") as tar:
        _add(tar, _COMMIT, json.dumps(asdict(commit)).encode())
        for file in files:
            _add(tar, file, (folder / file).read_bytes())


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))


def _new_folder(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise cannot_write(folder, error) from error
    return folder
