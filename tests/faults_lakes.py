"""Lakes to do harm to: inboxes, what a clean run makes of them, and what must hold at every moment."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Self, TypeVar

import duckdb

import etl
from etl.manifest import read_manifest
from etl.schema import TABLES

from .faults_reader import answers
from .kit import make_deal, random_style, render, simulate
from .lakes import hashes

Hashes = Mapping[str, str]
_State = TypeVar("_State")
TRIGGERS = ("Trigger Event", "Step Down Date", "Has ")


def write_inbox(folder: Path, deals: Iterable[int], months: int) -> Path:
    """Reports of so many months of each deal, and a letter that is none."""
    folder.mkdir(parents=True)
    for seed in deals:
        for month, report in enumerate(simulate(make_deal(seed), months)):
            (folder / f"{seed:03}-{month:02}.txt").write_text(render(report, random_style(seed)))
    (folder / "letter.txt").write_text("Dear Sirs")
    return folder


def restate(inbox: Path, folder: Path, every: int = 2) -> Path:
    """Amendments to some of the reports of an inbox; each second one has no triggers any more."""
    folder.mkdir(parents=True)
    for number, file in enumerate(sorted(inbox.glob("[0-9]*.txt"))[::every]):
        text = file.read_text().replace("FORM 8-K", "FORM 8-K/A", 1)
        assert "8-K/A" in text
        if number % 2:
            lines = text.split("\n")
            text = "\n".join(line for line in lines if not line.strip().startswith(TRIGGERS))
        (folder / f"{file.stem}-amended.txt").write_text(text)
    return folder


def truth(*lakes: Path) -> dict[str, list[object]]:
    """What a reader may see of each report, in any of these lakes."""
    return {f"{deal} {date} {report}": figures for lake in lakes for deal, date, report, *figures in answers(lake)}


def report_ids(lake: Path, *, superseded: bool = True) -> set[str]:
    """The reports that a reader finds in the tables, or among the superseded ones."""
    places = ("", "_superseded/") if superseded else ("",)
    found: set[str] = set()
    for place in places:
        if any((lake / place / "reports").glob("*/*/*.parquet")):
            query = f"SELECT report_id FROM read_parquet('{lake}/{place}reports/**/*.parquet')"  # noqa: S608
            found |= {row[0] for row in duckdb.sql(query).fetchall()}  # type: ignore[union-attr]
    return found


@dataclass(frozen=True)
class Known:
    """Two states of one lake, before and after some runs: what a reader may find in between is a part of either."""

    before: Hashes
    after: Hashes
    kept: frozenset[str] = frozenset()  # the reports of the first state

    def check(self, lake: Path) -> None:
        """Assert what holds at every moment of these runs, with no recovery."""
        here = {file: digest for file, digest in hashes(lake).items() if not file.startswith("_staging")}
        tables = {file: digest for file, digest in here.items() if file.split("/")[0] in TABLES}
        strange = [
            file for file, digest in tables.items() if digest not in (self.before.get(file), self.after.get(file))
        ]
        assert not strange, f"neither the old file nor the new one: {strange}"
        for file, digest in tables.items():
            table, _, partition = file.partition("/")
            if table == "reports":
                self._check_partition(here, partition, digest)
        assert self.kept <= report_ids(lake), "a report of the lake is in none of its tables"

    def _check_partition(self, here: Hashes, partition: str, digest: str) -> None:
        """Where a report stands in `reports`, the other tables have all of its rows."""
        is_new = digest == self.after.get(f"reports/{partition}")
        mine = self.after if is_new else self.before
        for table in TABLES:
            file = f"{table}/{partition}"
            if file in mine:
                assert file in here, f"{file} is missing beside its report"
                assert not is_new or here[file] == mine[file], f"{file} is older than its report"


@dataclass(frozen=True)
class Amended(Generic[_State]):
    """A lake of five documents, an inbox of amendments to two of them, one without any, and a lake made at once of
    all. `boundaries`: what the lake holds before and after each of the amendments; a run over these with one document a
    batch leaves one of these states, whenever it ends."""

    old: Path
    new: Path
    empty: Path
    lake: Path
    clean: Path
    boundaries: list[_State]

    @classmethod
    def made(cls, folder: Path, state_of: Callable[[Path], _State], lake_format: str | None = None) -> Self:
        """Make all of it in a folder."""
        old = write_inbox(folder / "old", range(2), 2)
        new = restate(old, folder / "new")
        (folder / "empty").mkdir()
        etl.run([old], folder / "lake", lake_format=lake_format)
        copy(folder / "lake", folder / "steps")
        boundaries = [state_of(folder / "steps")]
        for file in sorted(new.iterdir()):
            etl.run([file], folder / "steps")
            boundaries.append(state_of(folder / "steps"))
        etl.run([old, new], folder / "clean", lake_format=lake_format)
        assert state_of(folder / "clean") == boundaries[-1]
        return cls(old, new, folder / "empty", folder / "lake", folder / "clean", boundaries)


def copy(lake: Path, target: Path) -> Path:
    """A copy of a lake; an earlier one is replaced."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(lake, target)
    return target


def wait_for(what: Callable[[], bool], seconds: float = 20) -> bool:
    """Whether it comes to be true in time."""
    end = time.monotonic() + seconds
    while not what():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def documents(lake: Path) -> int:
    """How many documents the manifest knows."""
    return read_manifest(lake).rows.height
