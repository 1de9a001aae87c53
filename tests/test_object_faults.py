"""Runs on a lake in object storage that are killed, stopped or wait for each other: nothing is lost, torn or left.

Real processes and real kills. TRUSTEE_ETL_KILLS=1 asks for a kill at every single step.
"""

from __future__ import annotations

import hashlib
import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread

import obstore
import polars as pl
import pytest
from obstore.store import S3Store

import etl
from etl import object_lake
from etl.errors import OutputError
from etl.manifest import files_of, read_manifest
from etl.object_lake import lake_copy
from etl.partitions import PartitionBy

from .faults_lakes import Known, copy, report_ids, restate, wait_for, write_inbox
from .lakes import hashes
from .object_faults import Fault, end, start
from .storage import Storage, download, e_tags, object_hashes, upload

pytestmark = pytest.mark.usefixtures("storage", "remembered")

LEASE = Fault().lease
ALL = bool(os.environ.get("TRUSTEE_ETL_KILLS"))


@dataclass(frozen=True)
class Small:
    """A lake, an inbox that adds reports to it and restates some, and what comes of it."""

    inbox: Path
    before: Path
    after: Path
    later: Path  # an inbox that restates some of what the other one adds
    last: Path

    @property
    def known(self) -> Known:
        return Known(hashes(self.before), hashes(self.after), frozenset(report_ids(self.before)))


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory, remembered: None) -> Small:
    del remembered
    folder = tmp_path_factory.mktemp("small")
    old = write_inbox(folder / "old", (0,), 3)
    inbox = write_inbox(folder / "inbox", (2,), 2)
    later = restate(inbox, folder / "later", every=1)
    restate(old, inbox / "000-amended", every=1)
    etl.run([old], folder / "before")
    after = copy(folder / "before", folder / "after")
    etl.run([inbox], after)
    last = copy(after, folder / "last")
    etl.run([later], last)
    return Small(inbox, folder / "before", after, later, last)


@pytest.fixture(scope="module", autouse=True)
def _own_temporary_files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Runs that are killed leave their folders of temporary files: here, and not where all others are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(tmp_path_factory.mktemp("temporary")))
        yield


@pytest.fixture(scope="module")
def steps(storage: Storage, small: Small, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The steps of a whole run."""
    url = upload(storage.bucket(), "lake", small.before)
    trace = tmp_path_factory.mktemp("steps") / "trace"
    assert end(start(Fault(trace=str(trace)), storage.variables, "run", small.inbox, "--out", url))[0] == 0
    return trace.read_text().splitlines()


def _chosen(steps: Sequence[str]) -> list[int]:
    """Steps at which to die: all, or those at which something is decided, those beside them, and some between."""
    if ALL:
        return list(range(1, len(steps) + 1))
    decisions = [at for at, step in enumerate(steps, 1) if step.startswith("put") and ".ready" in step]
    manifest = [at for at, step in enumerate(steps, 1) if "/_manifest/" in step]
    return sorted({decisions[0], decisions[1] + 1, decisions[1] + 9, manifest[0], manifest[-1], len(steps) - 1})


def test_a_run_that_dies_at_any_step_leaves_a_whole_lake(
    storage: Storage, small: Small, steps: list[str], tmp_path: Path
) -> None:
    assert sum(".ready" in step and step.startswith("put") for step in steps) >= 3
    for at in _chosen(steps):
        bucket = storage.bucket()
        url = upload(bucket, "lake", small.before)
        code, _ = end(start(Fault(die_at=at), storage.variables, "run", small.inbox, "--out", url))
        assert code == -9
        small.known.check(download(bucket, "lake", tmp_path / f"at {at}"))
        code, said = end(start(Fault(), storage.variables, "run", small.inbox, "--out", url))
        assert (code, "waiting" in said) == (0, at > 1), said  # before its first step it has no lock
        assert object_hashes(bucket, "lake") == hashes(small.after), f"killed before {steps[at - 1]}"


def test_what_was_decided_is_finished_by_a_run_over_another_inbox(
    storage: Storage, small: Small, steps: list[str], tmp_path: Path
) -> None:
    decided = next(at for at, step in enumerate(steps, 1) if step.startswith("put") and ".ready" in step)
    other = tmp_path / "other"
    other.mkdir()
    (other / "letter.txt").write_text("Dear Sirs")
    found = []
    for at in (decided, decided + 1, decided + 4):
        bucket = storage.bucket()
        url = upload(bucket, "lake", small.before)
        assert end(start(Fault(die_at=at), storage.variables, "run", small.inbox, "--out", url))[0] == -9
        assert end(start(Fault(), storage.variables, "run", other, "--out", url))[0] == 0
        lake = download(bucket, "lake", tmp_path / f"at {at}")
        small.known.check(lake)
        assert not (lake / "_staging").exists()
        rows = read_manifest(lake).rows
        for row in rows.filter(pl.col("outcome") == "read").iter_rows(named=True):
            assert all((lake / file).exists() for file in files_of(row, PartitionBy.DATE))
        found.append(len(report_ids(lake)))
        assert end(start(Fault(), storage.variables, "run", small.inbox, other, "--out", url))[0] == 0
        after = {key: digest for key, digest in object_hashes(bucket, "lake").items() if not key.startswith("_re")}
        tables = {key: digest for key, digest in hashes(small.after).items() if key.split("/")[0] in after}
        assert tables.items() <= after.items()
    assert found[0] == len(report_ids(small.before)) < found[1] == found[2]


def _read_on(bucket: str, known: Known, ended: Event, told: list[str]) -> None:
    """Ask again and again, by the manifest: the files of each report that it has are those of before or of after."""
    store = S3Store(bucket, prefix="lake", client_options={"allow_http": True})
    while not ended.is_set():
        told.append("polled")
        with TemporaryDirectory() as folder:
            for meta in obstore.list(store, "_manifest").collect():
                with suppress(FileNotFoundError):  # it may go between the listing and the reading
                    file = Path(folder, meta["path"])
                    content = obstore.get(store, meta["path"]).bytes()
                    file.parent.mkdir(exist_ok=True)
                    file.write_bytes(content)
            rows = read_manifest(Path(folder)).rows.filter(pl.col("outcome") == "read")
        for row in rows.iter_rows(named=True):
            for name in files_of(row, PartitionBy.DATE):
                allowed = known.before.get(name), known.after.get(name)
                try:
                    digest = hashlib.sha256(obstore.get(store, name).bytes()).hexdigest()
                except FileNotFoundError:
                    digest = None
                if digest not in allowed or (digest is None and None not in allowed):
                    told.append(f"{name}: {digest} and none of {allowed}")
            told.append("read")


def test_a_reader_that_goes_by_the_manifest_finds_whole_partitions(storage: Storage, small: Small) -> None:
    bucket = storage.bucket()
    url = upload(bucket, "lake", small.before)
    told: list[str] = []
    ended = Event()
    reader = Thread(target=_read_on, args=(bucket, small.known, ended, told))
    reader.start()
    try:
        for at in (12, 20):
            assert end(start(Fault(die_at=at), storage.variables, "run", small.inbox, "--out", url))[0] == -9
        assert end(start(Fault(), storage.variables, "run", small.inbox, "--out", url))[0] == 0
    finally:
        ended.set()
        reader.join()
    assert object_hashes(bucket, "lake") == hashes(small.after)
    assert set(told) == {"polled", "read"}
    assert told.count("polled") > 5


def _one_state(bucket: str, folder: Path, *, looks_for_commits: bool = True) -> Path | None:
    """The lake as a reader sees it who must be certain of one state, and looks as docs/object-storage.md says; None
    where it is not to be had now."""
    before = [e_tags(bucket, f"lake/{place}") for place in ("_staging", "_manifest")]
    if looks_for_commits and any(key.endswith(".ready") for key in before[0]):
        return None
    lake = download(bucket, "lake", folder)
    after = [e_tags(bucket, f"lake/{place}") for place in ("_staging", "_manifest")]
    return lake if after[1] == before[1] and (after[0] == before[0] or not looks_for_commits) else None


def _fits_its_manifest(lake: Path) -> bool:
    """Whether the tables have the reports that the manifest tells of, and no others."""
    rows = read_manifest(lake).rows.filter(pl.col("outcome") == "read")
    for place, chosen in (
        ("", pl.col("standing") != "superseded"),
        ("_superseded/", pl.col("standing") == "superseded"),
    ):
        for name in ("reports", "classes", "records"):
            files = sorted((lake / f"{place}{name}").rglob("*.parquet"))
            found = [set(pl.read_parquet(file, columns=["report_id"])["report_id"]) for file in files]
            if set().union(*found) != set(rows.filter(chosen)["report_id"]):
                return False
    return True


def test_a_reader_can_be_certain_of_one_state(storage: Storage, small: Small, steps: list[str], tmp_path: Path) -> None:
    """Wherever a run dies, it finds one state or has to wait; who looks at the manifest alone is misled."""
    decided = next(at for at, step in enumerate(steps, 1) if step.startswith("put") and ".ready" in step)
    seen, misled = set(), 0
    for number, at in enumerate((decided, decided + 1, decided + 6, decided + 14, decided + 24)):
        bucket = storage.bucket()
        url = upload(bucket, "lake", small.before)
        assert end(start(Fault(die_at=at), storage.variables, "run", small.inbox, "--out", url))[0] == -9
        lake = _one_state(bucket, tmp_path / f"certain {number}")
        seen.add(lake is None)
        assert lake is None or _fits_its_manifest(lake)
        careless = _one_state(bucket, tmp_path / f"careless {number}", looks_for_commits=False)
        misled += careless is not None and not _fits_its_manifest(careless)
    assert seen == {True, False}
    assert misled
    assert end(start(Fault(), storage.variables, "run", small.inbox, "--out", url))[0] == 0
    lake = _one_state(bucket, tmp_path / "at last")
    assert lake is not None
    assert _fits_its_manifest(lake)


def test_a_copy_is_of_one_state_or_an_error(
    storage: Storage, small: Small, steps: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(object_lake, "PAUSE_SECONDS", 0.01)
    decided = next(at for at, step in enumerate(steps, 1) if step.startswith("put") and ".ready" in step)
    url = upload(storage.bucket(), "lake", small.before)
    assert end(start(Fault(die_at=decided + 6), storage.variables, "run", small.inbox, "--out", url))[0] == -9
    told = rf"^{url}: a run is writing there.*; run again when it has ended"
    with pytest.raises(OutputError, match=told), lake_copy(url):
        pass
    assert end(start(Fault(), storage.variables, "run", small.inbox, "--out", url))[0] == 0
    with lake_copy(url, with_sources=True) as folder:
        assert hashes(folder) == hashes(small.after)


def test_two_runs_at_once_leave_what_one_leaves(storage: Storage, small: Small) -> None:
    bucket = storage.bucket()
    url = upload(bucket, "lake", small.before)
    runs = [start(Fault(lease=3), storage.variables, "run", small.inbox, "--out", url) for _ in range(2)]
    said = [end(run) for run in runs]
    assert [code for code, _ in said] == [0, 0], said
    assert sum("another run writes" in text for _, text in said) == 1
    assert object_hashes(bucket, "lake") == hashes(small.after)


def _is_stopped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


MOMENTS = {"before it decides": -1, "while it decides": 0, "after it decided": 1}


def _check_held_up(storage: Storage, small: Small, steps: list[str], moment: str, without: str = "") -> None:
    """Hold a run up around its second decision until another one has taken over the lock and ended; then let it go."""
    decisions = [at for at, step in enumerate(steps, 1) if step.startswith("put") and ".ready" in step]
    bucket = storage.bucket()
    url = upload(bucket, "lake", small.before)
    fault = Fault(stop_at=decisions[1] + MOMENTS[moment], without=without)
    held = start(fault, storage.variables, "run", small.inbox, "--out", url)
    assert wait_for(lambda: _is_stopped(held.pid))
    begun = time.monotonic()
    code, said = end(start(Fault(), storage.variables, "run", small.inbox, small.later, "--out", url))
    assert (code, "waiting" in said) == (0, True), said
    assert time.monotonic() - begun > LEASE
    assert object_hashes(bucket, "lake") == hashes(small.last)
    held.send_signal(signal.SIGCONT)
    code, said = end(held)
    assert code == 1
    assert "another run has taken over the lock" in said
    after = Fault(without=without)
    assert end(start(after, storage.variables, "run", small.inbox, "--out", url))[0] == 0
    assert object_hashes(bucket, "lake") == hashes(small.last)


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_run_that_is_held_up_until_another_took_over_commits_nothing(
    storage: Storage, small: Small, steps: list[str], moment: str
) -> None:
    _check_held_up(storage, small, steps, moment)


@pytest.mark.parametrize(
    ("moment", "without"),
    [("before it decides", "the lease is looked at"), ("while it decides", "commits in time alone")],
)
def test_a_missing_guard_is_noticed(
    storage: Storage, small: Small, steps: list[str], moment: str, without: str
) -> None:
    with pytest.raises(AssertionError):
        _check_held_up(storage, small, steps, moment, without)


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_run_that_is_stopped_finishes_what_it_decided_and_releases_the_lock(
    storage: Storage, small: Small, steps: list[str], tmp_path: Path, sent: signal.Signals, code: int
) -> None:
    decided = next(at for at, step in enumerate(steps, 1) if step.startswith("put") and ".ready" in step)
    bucket = storage.bucket()
    url = upload(bucket, "lake", small.before)
    held = start(Fault(stop_at=decided + 3, lease=30), storage.variables, "run", small.inbox, "--out", url)
    assert wait_for(lambda: _is_stopped(held.pid))
    held.send_signal(sent)
    held.send_signal(signal.SIGCONT)
    assert end(held)[0] == code
    lake = download(bucket, "lake", tmp_path / "lake")
    assert not (lake / "_staging").exists()
    small.known.check(lake)
    assert len(report_ids(lake)) > len(report_ids(small.before))
    done, said = end(start(Fault(lease=30), storage.variables, "run", small.inbox, "--out", url))
    assert (done, "waiting" in said) == (0, False), said
    assert object_hashes(bucket, "lake") == hashes(small.after)
