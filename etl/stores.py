"""Where a lake is: what a run asks of the place at which its files stand.

A run sees the files of a lake below a folder, `root`. Of a lake in a folder that is the folder itself. Of one that
stands elsewhere it is a folder on this machine into which files are brought when they are asked for; so what reads
and makes partitions knows of folders alone.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from etl.commits import LakeLock, Staging, refuse_delta
from etl.parquet import has_end
from etl.partitions import PartitionBy, partitioning_of

ONE_FORMAT = "run again without --format, or name another folder with --out"


class Deposit(Protocol):
    """Takes the files of a commit from other processes; it goes to them pickled."""

    def put(self, files: Mapping[str, bytes]) -> str:
        """Take files, by the paths that they will have in the lake; what tells of them to the commit.

        The same files may come twice. Raises OutputError.
        """


class StagingArea(Protocol):
    """Where a run makes files, and brings them into the lake, all or nothing: `commits.Staging`, or the like of it."""

    def next_folder(self) -> Path:
        """A new folder on this machine for the files of one commit. Raises OutputError."""

    def deposit(self, folder: Path) -> Deposit:
        """What other processes give the files of the commit with whose folder this is."""

    def commit(
        self, folder: Path, files: Iterable[str], removals: Sequence[str] = (), deposited: Iterable[str] = ()
    ) -> None:
        """Bring the files of a folder (paths below it) into the lake, and take out `removals` (paths below the lake).
        Files that are not in the folder were `deposited`: what `Deposit.put` told of each.

        Raises OutputError where that fails; the next run goes on with it.
        """


class LakeStore(Protocol):
    """The place of a lake. Paths of files are below the lake."""

    @property
    def root(self) -> Path:
        """Where files of the lake stand on this machine, once they were fetched; below `staging`, all of the manifest
        stands there."""

    def lock(self, waiting: Callable[[], None] | None) -> AbstractContextManager[object]:
        """Holds the lake for one run. `waiting` is called once if another run holds it. Raises OutputError."""

    def staging(self, run_id: str) -> AbstractContextManager[StagingArea]:
        """The staging area of a run, to be entered with the lock held: it finishes what earlier runs left ready."""

    def fetch(self, files: Iterable[str]) -> None:
        """See to it that those of these files that the lake has stand below `root`. Raises LakeError."""

    def clear(self) -> None:
        """Remove the copies that were fetched."""

    def close(self) -> None:
        """Remove whatever this object made on this machine."""

    def existing(self, files: Iterable[str]) -> list[str]:
        """Those of these files that the lake has, in the order given."""

    def stand_whole(self, files: Iterable[str]) -> bool:
        """Whether the lake has all of these Parquet files, and each has its end."""

    def partitioning(self) -> PartitionBy | None:
        """How the tables are partitioned; None where there are none."""


class FolderStore:
    """A lake in a folder of this machine."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def __reduce__(self) -> tuple[type[FolderStore], tuple[Path]]:
        return FolderStore, (self.root.absolute(),)  # another process may work in another folder

    def lock(self, waiting: Callable[[], None] | None) -> LakeLock:
        """Holds the folder for one run."""
        return LakeLock(self.root, waiting)

    def staging(self, run_id: str) -> Staging:
        """The staging folder of a run. Raises UsageError where the lake has Delta tables, perhaps only since this run
        waits for it."""
        refuse_delta(self.root, ONE_FORMAT)
        return Staging(self.root, run_id)

    def fetch(self, files: Iterable[str]) -> None:
        """They are where they are."""

    def clear(self) -> None:
        """There are no copies."""

    def close(self) -> None:
        """There is nothing."""

    def existing(self, files: Iterable[str]) -> list[str]:
        """Those of these files that the lake has."""
        return [file for file in files if os.path.exists(f"{self.root}/{file}")]  # noqa: PTH110 - one of thousands

    def stand_whole(self, files: Iterable[str]) -> bool:
        """Whether the lake has all of these Parquet files, and each has its end."""
        return all(has_end(f"{self.root}/{file}") for file in files)

    def partitioning(self) -> PartitionBy | None:
        """How the tables are partitioned."""
        return partitioning_of(self.root)
