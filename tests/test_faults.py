"""Runs that are killed, stopped, interrupted or left without room: nothing is lost, torn or left behind.

Real processes and real kills. TRUSTEE_ETL_KILLS=50 asks for 50 kills in runs of 500 reports, and for a crash
at every single step; without it there are fewer, so that the tests take a minute.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

import polars as pl
import pytest

from etl import run
from etl.commits import LakeLock
from etl.compaction import compact
from etl.manifest import read_manifest
from etl.partitions import PartitionBy

from .conftest import REPOSITORY
from .faults_driver import GUARDS, Fault, quietly
from .faults_lakes import Amended, Known, copy, report_ids, restate, truth, wait_for, write_inbox
from .lakes import hashes
from .processes import forkserver
from .remembered import Remembered

pytestmark = pytest.mark.usefixtures("remembered")

KILLS = int(os.environ.get("TRUSTEE_ETL_KILLS", "0"))


# --- processes ------------------------------------------------------------------------------------------------


def _start(
    fault: Fault, *arguments: str | Path, start_new_session: bool = False, under: Sequence[str] = ()
) -> subprocess.Popen[str]:
    """The command, with a fault, as a process; perhaps started by another command."""
    call = [*under, sys.executable, "-m", "tests.faults_driver", json.dumps(asdict(fault)), *map(str, arguments)]
    return subprocess.Popen(
        call,
        cwd=REPOSITORY,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        start_new_session=start_new_session,
    )


def _end(process: subprocess.Popen[str]) -> str:
    """Wait for the end of a process; what it said on standard error."""
    _, said = process.communicate(timeout=300)
    return said


def _etl(fault: Fault, *arguments: str | Path) -> tuple[int, str]:
    """Exit code and standard error of the command."""
    process = _start(fault, *arguments)
    said = _end(process)
    return process.returncode, said


def _workers_of(pid: int) -> list[int]:
    """The worker processes of a run."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(status.read_text().rpartition(")")[2].split()[1])
            line = status.with_name("cmdline").read_bytes()
        except (OSError, IndexError):
            continue
        if parent == pid and b"worker" in line:
            found.append(int(status.parent.name))
    return found


def _is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True


def _is_stopped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


class Forked:
    """Runs in processes that have the program loaded already; tests/faults_driver.py says what goes wrong in them. What
    the tests have read already they do not read again."""

    def __init__(self, readings: Path) -> None:
        self._readings = readings
        self._context = forkserver()

    def __call__(self, fault: Fault, *arguments: str | Path) -> int:
        """The exit code of the command; that of a signal is negative."""
        fault = replace(fault, readings=str(self._readings))
        process = self._context.Process(target=quietly, args=(fault, [*map(str, arguments)]))
        process.start()
        process.join(120)
        assert process.exitcode is not None
        return process.exitcode

    def steps(self, fault: Fault, trace: Path, *arguments: str | Path) -> list[str]:
        """The steps of a run to which nothing happens."""
        assert self(Fault(**asdict(fault) | {"trace": str(trace)}), *arguments) == 0
        return trace.read_text().splitlines()


@pytest.fixture(scope="session")
def forked(readings: Remembered) -> Forked:
    return Forked(readings.folder)


# --- lakes ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Small(Amended[dict[str, str]]):
    """The same, and what a reader may find in it while it is amended."""

    @property
    def known(self) -> Known:
        return Known(hashes(self.lake), hashes(self.clean), frozenset(report_ids(self.lake)))


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Small:
    return Small.made(tmp_path_factory.mktemp("small"), hashes)


ONE_BY_ONE = Fault(batch=1, few=1000)


def _chosen(steps: Sequence[str]) -> list[int]:
    """The steps before which a process is to die: each rename and removal of files, and some of the others."""
    if KILLS:
        return list(range(1, len(steps) + 1))
    files = [number for number, step in enumerate(steps, 1) if step.startswith(("os.rename", "os.remove", "faults"))]
    others = [number for number in range(1, len(steps) + 1) if number not in files]
    return sorted(files[::2] + others[::12])


# --- a crash at one step after the other ------------------------------------------------------------------------


def _run(forked: Forked, without: str, *arguments: str | Path) -> None:
    """A run to its end: here, or where a guard is missing in a process of its own."""
    if without:
        assert forked(Fault(without=without, few=1000), "run", *arguments) == 0
    else:
        *inputs, _, output = arguments
        run(inputs, output)


def _check_crash(forked: Forked, small: Small, output: Path, at: int, without: str = "") -> None:
    """A run that dies before a step leaves a whole lake, the next one finishes or forgets each commit, and the one
    after it makes what a clean run makes."""
    fault = Fault(**asdict(ONE_BY_ONE) | {"die_at": at, "without": without})
    assert forked(fault, "run", small.new, "--out", copy(small.lake, output)) == -signal.SIGKILL
    small.known.check(output)
    _run(forked, without, small.empty, "--out", output)
    assert hashes(output) in small.boundaries, "neither the lake before a commit nor the one after it"
    assert not (output / "_staging").exists()
    _run(forked, without, small.new, "--out", output)
    assert hashes(output) == small.boundaries[-1]


def test_a_run_that_dies_at_any_step_leaves_a_whole_lake(forked: Forked, small: Small, tmp_path: Path) -> None:
    arguments = ("run", small.new, "--out", copy(small.lake, tmp_path / "output"))
    steps = forked.steps(ONE_BY_ONE, tmp_path / "trace", *arguments)
    for at in _chosen(steps)[:: 1 if KILLS else 3]:
        _check_crash(forked, small, tmp_path / "output", at)


def _decisions(steps: Sequence[str]) -> list[int]:
    """The steps by which a folder becomes ready: of each document, and of the last commit."""
    found = [
        number for number, step in enumerate(steps, 1) if re.fullmatch(r"os\.rename .*/_staging/[^/]+/\d{8}", step)
    ]
    assert len(found) == 3
    return found


def test_a_recovery_that_dies_at_any_step_is_finished_by_the_next(forked: Forked, small: Small, tmp_path: Path) -> None:
    cut = tmp_path / "cut"
    arguments = ("run", small.new, "--out", cut)
    copy(small.lake, cut)
    steps = forked.steps(ONE_BY_ONE, tmp_path / "trace", *arguments)
    copy(small.lake, cut)
    assert forked(Fault(**asdict(ONE_BY_ONE) | {"die_at": _decisions(steps)[1] + 1}), *arguments) == -signal.SIGKILL
    assert list(cut.glob("_staging/*/*.ready"))
    assert hashes(cut) not in small.boundaries
    output = tmp_path / "output"
    again = ("run", small.empty, "--out", output)
    copy(cut, output)
    recovery = forked.steps(ONE_BY_ONE, tmp_path / "trace", *again)
    for at in _chosen(recovery):
        copy(cut, output)
        assert forked(Fault(**asdict(ONE_BY_ONE) | {"die_at": at}), *again) == -signal.SIGKILL
        small.known.check(output)
        run([small.empty], output)
        assert hashes(output) == small.boundaries[2]
        assert not (output / "_staging").exists()


def _check_compaction(forked: Forked, small: Small, folder: Path, without: str = "") -> None:
    """A compaction that dies has happened or not."""
    output = folder / "output"
    compact(copy(small.clean, folder / "compacted"), PartitionBy.DEAL, workers=1)
    ways = [small.boundaries[-1], hashes(folder / "compacted")]
    fault = Fault(without=without)
    arguments = ("compact", output, "--workers", "1")
    copy(small.clean, output)
    steps = forked.steps(fault, folder / "trace", *arguments)
    outcomes = set()
    for at in _chosen(steps):
        copy(small.clean, output)
        assert forked(Fault(**asdict(fault) | {"die_at": at}), *arguments) == -signal.SIGKILL
        _run(forked, without, small.empty, "--out", output)
        assert hashes(output) in ways
        outcomes.add(ways.index(hashes(output)))
        compact(output, PartitionBy.DEAL, workers=1)
        assert hashes(output) == ways[1]
        assert not (output / "_staging").exists()
    assert outcomes == {0, 1}


def test_a_compaction_that_dies_at_any_step_has_happened_or_not(forked: Forked, small: Small, tmp_path: Path) -> None:
    _check_compaction(forked, small, tmp_path)


# --- kill -9 at any moment --------------------------------------------------------------------------------------


@contextmanager
def _reader(lake: Path, known: Path) -> Iterator[dict[str, Any]]:
    """A DuckDB reader in a process of its own, which never fails and never sees anything but whole partitions."""
    call = [sys.executable, "-m", "tests.faults_reader", str(lake), str(known)]
    said: dict[str, Any] = {}
    with subprocess.Popen(call, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield said
        said.update(json.loads(process.communicate()[0]))
    assert (said["failures"], said["torn"], said["lost"]) == ([], [], [])


def _kill(process: subprocess.Popen[str], moment: float) -> bool:
    """Kill the process of a run, and it alone, after so many seconds; whether it had not ended by itself. Its workers
    vanish."""
    try:
        process.wait(moment)
    except subprocess.TimeoutExpired:
        workers = _workers_of(process.pid)
        process.kill()
        _end(process)
        assert wait_for(lambda: all(map(_is_gone, workers))), "a worker outlives its run"
        return True
    _end(process)
    return False


def _state(lake: Path) -> str:
    """Where in its work a run was killed."""
    if not (lake / "_staging").exists():
        return "before or after the run"
    if any(lake.glob("_staging/*/*.ready")):
        return "in a commit"
    return "between commits" if any(lake.glob("_manifest/documents-*")) else "before the first commit"


def test_kill_9_at_any_moment(tmp_path: Path) -> None:
    """New lakes, lakes that are restated, lakes that are read anew, and recoveries."""
    kills, deals, batches = (KILLS, 42, (20, 60, 500)) if KILLS else (8, 3, (3, 5))
    random = Random(20031117)
    old = write_inbox(tmp_path / "inbox" / "old", range(deals), 12)
    new = restate(old, tmp_path / "inbox" / "new", 4)
    faults = [Fault(batch=batch, few=10) for batch in batches]
    calls: dict[str, tuple[str | Path, ...]] = {"new": (old,), "restated": (old, new), "anew": (old, "--force")}
    lakes = {way: tmp_path / "clean" / way for way in calls}
    seconds: dict[str, float] = {}
    for way, lake in lakes.items():
        if way != "new":
            copy(lakes["new"], lake)
        begun = time.monotonic()
        assert _etl(faults[0], "run", *calls[way], "--out", lake, "--workers", "2") == (0, "")
        seconds[way] = time.monotonic() - begun
    wanted = {way: hashes(lake) for way, lake in lakes.items()}
    assert wanted["anew"] == wanted["new"]
    known = tmp_path / "known.json"
    known.write_text(json.dumps(truth(*lakes.values())))
    moments = [(number + random.random()) / kills * 1.05 for number in range(kills)]  # from the start to the end
    random.shuffle(moments)
    done, polls = 0, 0
    states: list[tuple[str, int, float, str]] = []
    while done < kills:
        way = random.choice(("new", "restated", "restated", "anew"))
        output = tmp_path / f"output-{len(states)}"
        if way == "new":
            output.mkdir()
        else:
            copy(lakes["new"], output)
        with _reader(output, known) as said:
            for again in range(1 + random.randrange(2)):  # the second kill comes upon the recovery of the first
                moment = seconds[way] * (moments.pop() * (0.5 if again else 1) if moments else random.random())
                process = _start(random.choice(faults), "run", *calls[way], "--out", output, "--workers", "2")
                killed = _kill(process, moment)
                done += killed
                states.append((way, again, round(moment, 2), _state(output) if killed else "it had ended"))
                print(*states[-1], flush=True)  # noqa: T201 - what was tried
            assert _etl(random.choice(faults), "run", *calls[way], "--out", output, "--workers", "2") == (0, "")
            assert hashes(output) == wanted[way], states[-1]
            assert not (output / "_staging").exists()
        shutil.rmtree(output)
        polls += said["polls"]
        assert said["joined"] <= 12 * deals
    print(f"{done} kills, {polls} answers, seconds of a clean run {seconds}")  # noqa: T201
    assert polls > len(states)


# --- several at once --------------------------------------------------------------------------------------------


def _inboxes(kind: str, old: Path) -> list[list[Path]]:
    """What two processes read: each a list of inputs."""
    files = sorted(old.iterdir())
    return {"same": [[old], [old]], "overlapping": [files[:4], files[2:]], "disjoint": [files[:3], files[3:]]}[kind]


@pytest.mark.parametrize("kind", ["same", "overlapping", "disjoint"])
def test_two_runs_at_once_leave_what_one_leaves(small: Small, tmp_path: Path, kind: str) -> None:
    output = tmp_path / "output"
    first, second = _inboxes(kind, small.old)
    paused = _start(Fault(batch=1, stop_at=20), "run", *first, "--out", output, "--workers", "2")
    assert wait_for(lambda: _is_stopped(paused.pid)), "the first run has not come so far"
    other = _start(Fault(batch=1), "run", *second, "--out", output, "--workers", "2")
    assert other.stderr is not None
    said = other.stderr.readline()  # comes while the first one stands still
    assert said == f"etl: another run writes into {output}; waiting for it to end\n"
    assert other.poll() is None
    paused.send_signal(signal.SIGCONT)
    assert (_end(paused), paused.returncode) == ("", 0)
    assert (_end(other), other.returncode) == ("", 0)
    assert hashes(output) == small.boundaries[0]


def test_three_runs_and_a_compaction_at_once(small: Small, tmp_path: Path) -> None:
    output = copy(small.lake, tmp_path / "output")
    compact(copy(small.clean, tmp_path / "compacted"), PartitionBy.DEAL)
    inputs = [[small.old], [small.new], [small.old, small.new]]
    runs = [_start(Fault(batch=1), "run", *given, "--out", output, "--workers", "2") for given in inputs]
    runs.append(_start(Fault(), "compact", output, "--workers", "2"))
    for process in runs:
        said = _end(process)
        assert process.returncode == 0
        assert said in ("", f"etl: another run writes into {output}; waiting for it to end\n")
    assert hashes(output) == hashes(tmp_path / "compacted")


def test_the_lock_of_a_killed_run_blocks_nobody(small: Small, tmp_path: Path) -> None:
    output = tmp_path / "output"
    killed = _start(Fault(batch=1, stop_at=20), "run", small.old, "--out", output, "--workers", "2")
    assert wait_for(lambda: _is_stopped(killed.pid))
    killed.kill()
    _end(killed)
    assert _etl(Fault(batch=1), "run", small.old, "--out", output) == (0, "")
    assert hashes(output) == small.boundaries[0]


# --- no room, no rights -----------------------------------------------------------------------------------------


@contextmanager
def _disk(folder: Path, options: str) -> Iterator[Callable[[str], None]]:
    """A small file system of its own; what comes in changes its options."""
    folder.mkdir()

    def mount(said: str) -> None:
        subprocess.run(["mount", "-t", "tmpfs", "-o", said, "tmpfs", folder], check=True, capture_output=True)

    try:
        mount(options)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"needs the right to mount a tmpfs: {error}")
    try:
        yield lambda said: mount(f"remount,{said}")
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def _is_told(code: int, said: str, *words: str) -> None:
    """One line with all of these words, and the exit code 1."""
    assert code == 1, said
    (line,) = said.splitlines()
    assert line.startswith("etl: ")
    for word in words:
        assert word in line


FULL = ("cannot be written: No space left on device", "the disk", "run again to finish")


def _used(disk: Path) -> dict[str, int]:
    """What a file system holds, in the words of its options."""
    status = os.statvfs(disk)
    return {
        "size": (status.f_blocks - status.f_bfree) * status.f_frsize,
        "nr_inodes": status.f_files - status.f_ffree,
    }


@pytest.mark.parametrize("limit", ["size", "nr_inodes"])
@pytest.mark.parametrize("part", [0.0, 0.4, 0.95])
def test_a_disk_that_is_too_small(small: Small, tmp_path: Path, limit: str, part: float) -> None:
    """The lake fits, and so much of what the run adds to it."""
    with _disk(tmp_path / "disk", "size=64m,nr_inodes=8k") as remount:
        copy(small.clean, tmp_path / "disk" / "output")
        after = _used(tmp_path / "disk")[limit]
        output = copy(small.lake, tmp_path / "disk" / "output")
        before = _used(tmp_path / "disk")[limit]
        assert before < after
        remount(f"{limit}={before + int(part * (after - before))}")
        code, said = _etl(Fault(batch=1), "run", small.new, "--out", output, "--workers", "2")
        _is_told(code, said, str(output), *FULL)
        small.known.check(output)
        remount(f"{limit}={after * 8}")
        run([small.empty], output)
        assert hashes(output) in small.boundaries
        assert _etl(Fault(batch=1), "run", small.new, "--out", output, "--workers", "2") == (0, "")
        assert hashes(output) == small.boundaries[-1]
        assert not (output / "_staging").exists()


def _fill(folder: Path) -> None:
    """Leave no room at all."""
    with (folder / "filler").open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return


@pytest.mark.parametrize("place", ["first", "last", "between"])
def test_a_disk_that_fills_up_in_the_middle(forked: Forked, small: Small, tmp_path: Path, place: str) -> None:
    """Others write too: it is full from the moment on at which a commit is decided, or before the last is written."""
    steps = forked.steps(ONE_BY_ONE, tmp_path / "trace", "run", small.new, "--out", copy(small.lake, tmp_path / "lake"))
    decisions = _decisions(steps)
    at = {"first": decisions[0], "last": decisions[2], "between": decisions[2] - 1}[place]
    with _disk(tmp_path / "disk", "size=64m") as remount:
        output = copy(small.lake, tmp_path / "disk" / "output")
        process = _start(
            Fault(batch=1, few=1000, stop_at=at),
            *("run", small.new, "--out", output, "--workers", "1"),
        )
        assert wait_for(lambda: _is_stopped(process.pid))
        _fill(tmp_path / "disk")
        process.send_signal(signal.SIGCONT)
        said = _end(process)
        if process.returncode:
            _is_told(process.returncode, said, str(output), *FULL)
        else:
            assert said == ""
            assert hashes(output) == small.boundaries[-1]
        small.known.check(output)
        remount("size=128m")
        run([small.new], output)
        assert hashes(output) == small.boundaries[-1]
        assert not (output / "_staging").exists()


def test_an_output_that_is_read_only(small: Small, tmp_path: Path) -> None:
    with _disk(tmp_path / "disk", "size=64m") as remount:
        output = copy(small.lake, tmp_path / "disk" / "output")
        remount("ro")
        for arguments in (("run", small.new, "--out", output), ("compact", output)):
            code, said = _etl(Fault(), *arguments)
            _is_told(code, said, str(output), "Read-only file system")
            assert hashes(output) == small.boundaries[0]


@pytest.fixture
def ordinary() -> list[str]:
    """What starts a process that may not write everywhere: for root, one without that power."""
    return ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.getuid() == 0 else []


@pytest.mark.parametrize("place", ["output", "sealed/output", "sealed/new/output"])
@pytest.mark.parametrize("mode", [0o555, 0o000])
def test_a_place_without_rights(small: Small, tmp_path: Path, ordinary: list[str], place: str, mode: int) -> None:
    """An output that the user may not write, or whose parent he may not write."""
    folder = tmp_path / "place"
    (folder / "sealed").mkdir(parents=True)
    sealed = folder / place.partition("/")[0]
    if place == "output":
        copy(small.lake, sealed)
    before = hashes(folder)
    sealed.chmod(mode)
    process = _start(Fault(), "run", small.new, "--out", folder / place, under=ordinary)
    said = _end(process)
    sealed.chmod(0o755)
    _is_told(process.returncode, said, f"{sealed}", "cannot be written: Permission denied", "its rights")
    assert hashes(folder) == before


@pytest.mark.parametrize(("place", "code"), [("file", 2), ("file/output", 1), ("file/new/output", 1)])
def test_an_output_where_a_file_stands(small: Small, tmp_path: Path, place: str, code: int) -> None:
    (tmp_path / "file").write_text("a file")
    assert (line := _etl(Fault(), "run", small.new, "--out", tmp_path / place))[0] == code
    assert line[1].count("\n") == 1
    assert f"{tmp_path / 'file'}" in line[1]
    assert (tmp_path / "file").read_text() == "a file"


def test_an_output_whose_parent_does_not_exist_is_made(small: Small, tmp_path: Path) -> None:
    assert _etl(Fault(), "run", small.old, "--out", tmp_path / "a" / "b" / "output") == (0, "")
    assert hashes(tmp_path / "a" / "b" / "output") == small.boundaries[0]


# --- an inbox that does not keep still --------------------------------------------------------------------------


def _stopped_after_listing(inbox: Path, output: Path) -> subprocess.Popen[str]:
    """A run that knows its inbox and has read nothing of it yet."""
    process = _start(Fault(batch=1, few=1000, stop_at=1), "run", inbox, "--out", output)
    assert wait_for(lambda: _is_stopped(process.pid))
    return process


def _goes_on(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGCONT)
    assert (_end(process), process.returncode) == ("", 0)


def _rejects(output: Path) -> dict[str, str]:
    """Reason codes by the names of files."""
    rows = read_manifest(output).rows.filter(pl.col("outcome") == "rejected")
    return {Path(source).name: reason for source, reason in rows.select("source", "reason_code").iter_rows()}


def test_files_and_folders_that_vanish_after_they_were_found(small: Small, tmp_path: Path) -> None:
    inbox = copy(small.old, tmp_path / "inbox")
    copy(small.old, inbox / "folder")
    process = _stopped_after_listing(inbox, tmp_path / "output")
    gone = sorted(file.name for file in small.old.iterdir())
    shutil.rmtree(inbox / "folder")
    (inbox / "001-00.txt").unlink()
    _goes_on(process)
    assert _rejects(tmp_path / "output") == dict.fromkeys(gone, "unreadable") | {"letter.txt": "not_a_report"}
    run([small.old / "001-00.txt"], tmp_path / "part")
    assert report_ids(tmp_path / "output") == report_ids(small.lake) - report_ids(tmp_path / "part")


def test_an_inbox_that_vanishes_whole(small: Small, tmp_path: Path) -> None:
    process = _stopped_after_listing(copy(small.old, tmp_path / "inbox"), tmp_path / "output")
    shutil.rmtree(tmp_path / "inbox")
    _goes_on(process)
    assert set(_rejects(tmp_path / "output").values()) == {"unreadable"}
    copy(small.old, tmp_path / "inbox")
    run([tmp_path / "inbox"], tmp_path / "output")
    run([tmp_path / "inbox"], tmp_path / "clean")
    assert hashes(tmp_path / "output") == hashes(tmp_path / "clean")


CHANGES = """
import os, random, sys, time
path, whole, half = sys.argv[1], open(sys.argv[2], "rb").read(), int(sys.argv[3])
while True:
    with open(path, "wb", buffering=0) as file:
        file.write(whole[:half])
        time.sleep(random.random() / 50)
        file.write(whole[half:])
    time.sleep(random.random() / 50)
"""


def test_a_file_that_is_written_while_it_is_read_is_never_half(small: Small, tmp_path: Path) -> None:
    """One is written again and again, in two pieces; it is read whole or rejected, and the other one is read.

    The first piece alone is no report. One that happens to be a report without its end cannot be told from
    a short report, as long as nobody writes on at that very moment.
    """
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    changing, other = (Path(shutil.copy(small.old / name, inbox)) for name in ("000-00.txt", "001-00.txt"))
    content = changing.read_bytes()
    call = [sys.executable, "-c", CHANGES, str(changing), str(small.old / changing.name), str(len(content) // 5)]
    mine, others = (hashlib.sha256(file.read_bytes()).hexdigest()[:16] for file in (changing, other))
    seen = set()
    with subprocess.Popen(call) as writer:
        try:
            for _ in range(30):
                run([inbox], tmp_path / "output", force=True)
                found = report_ids(tmp_path / "output")
                assert {others} <= found <= {others, mine}
                reason = _rejects(tmp_path / "output").get(changing.name)
                assert reason != "internal_error"
                assert reason is not None or mine in found
                seen.add(reason)
                if len(seen) > 2:
                    break
        finally:
            writer.kill()
    assert len(seen) > 1, "it did not change while it was read"
    changing.write_bytes(content)
    run([inbox], tmp_path / "output")
    run([inbox], tmp_path / "clean")
    assert hashes(tmp_path / "output") == hashes(tmp_path / "clean")


# --- signals ----------------------------------------------------------------------------------------------------


def _stop(process: subprocess.Popen[str], sent: signal.Signals, workers: list[int]) -> str:
    """Send a signal as it comes: Ctrl-C to all processes of the terminal, SIGTERM to the run."""
    if sent is signal.SIGINT:
        os.killpg(process.pid, sent)
    else:
        process.send_signal(sent)
    if _is_stopped(process.pid):
        process.send_signal(signal.SIGCONT)
    said = _end(process)
    assert wait_for(lambda: all(map(_is_gone, workers)), 5), "a worker outlives its run"
    return said


@pytest.mark.parametrize(
    ("sent", "code", "word"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")]
)
@pytest.mark.parametrize("part", [0.0, 0.3, 0.6, 0.95] if KILLS else [0.3, 0.6])
def test_a_signal_ends_a_run_in_order(
    forked: Forked, small: Small, tmp_path: Path, sent: signal.Signals, code: int, word: str, part: float
) -> None:
    output = copy(small.lake, tmp_path / "output")
    steps = forked.steps(ONE_BY_ONE, tmp_path / "trace", "run", small.new, "--out", output)
    copy(small.lake, output)
    at = 1 + int(part * len(steps))
    arguments = ("run", small.new, "--out", output, "--workers", "2")
    process = _start(Fault(batch=1, stop_at=at), *arguments, start_new_session=True)
    assert wait_for(lambda: _is_stopped(process.pid))
    said = _stop(process, sent, _workers_of(process.pid))
    assert (process.returncode, said) == (code, f"etl: {word}; what was written is whole, run again to finish\n")
    assert not (output / "_staging").exists()
    assert json.loads(max((output / "_runs").iterdir()).read_text(encoding="utf-8"))["state"] == "interrupted"
    small.known.check(output)
    run([small.empty], output)
    assert hashes(output) in small.boundaries
    run([small.new], output)
    assert hashes(output) == small.boundaries[-1]


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_waits_for_another_can_be_stopped(small: Small, tmp_path: Path, sent: signal.Signals) -> None:
    output = copy(small.lake, tmp_path / "output")
    with LakeLock(output):
        process = _start(Fault(), "run", small.new, "--out", output, start_new_session=True)
        assert process.stderr is not None
        assert "waiting" in process.stderr.readline()
        said = _stop(process, sent, [])
    assert (process.returncode, said.count("\n")) == (128 + sent, 1)
    assert hashes(output) == small.boundaries[0]


# --- workers that die -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """An inbox of nine documents, and what a clean run makes of it."""
    folder = tmp_path_factory.mktemp("many")
    inbox = write_inbox(folder / "inbox", range(4), 2)
    run([inbox], folder / "lake")
    return inbox, hashes(folder / "lake")


def test_a_worker_that_is_killed_is_replaced(many: tuple[Path, dict[str, str]], tmp_path: Path) -> None:
    inbox, wanted = many
    process = _start(Fault(batch=2), "run", inbox, "--out", tmp_path / "output", "--workers", "2")
    killed: set[int] = set()
    while process.poll() is None and len(killed) < 3:
        for pid in set(_workers_of(process.pid)) - killed:
            time.sleep(0.3)
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
            killed.add(pid)
    assert (_end(process), process.returncode) == ("", 0)
    assert killed
    assert hashes(tmp_path / "output") == wanted


@pytest.mark.parametrize("job", ["stage_batch", "rebuild"])
@pytest.mark.parametrize("batch", [1, 5])
def test_a_worker_that_dies_once_costs_nothing(small: Small, tmp_path: Path, job: str, batch: int) -> None:
    """While it reads a batch, while it reads a single document, while it rebuilds partitions."""
    output = copy(small.lake, tmp_path / "output")
    (tmp_path / "graves").mkdir()
    poison = "deal=" if job == "rebuild" else "-amended"
    fault = Fault(batch=batch, poison=poison, job=job, deaths=1, grave=str(tmp_path / "graves"))
    assert _etl(fault, "run", small.new, "--out", output, "--workers", "2") == (0, "")
    assert len(list((tmp_path / "graves").iterdir())) == 1
    assert hashes(output) == small.boundaries[-1]


@pytest.mark.parametrize("name", ["000-00", "003-01"])
def test_a_document_that_kills_its_worker_every_time_is_rejected(
    many: tuple[Path, dict[str, str]], tmp_path: Path, name: str
) -> None:
    inbox, _ = many
    (tmp_path / "graves").mkdir()
    output = tmp_path / "output"
    fault = Fault(batch=5, poison=f"{name}.txt", deaths=100, grave=str(tmp_path / "graves"))
    assert _etl(fault, "run", inbox, "--out", output, "--workers", "2") == (0, "")
    assert _rejects(output) == {f"{name}.txt": "internal_error", "letter.txt": "not_a_report"}
    rows = pl.read_parquet(output / "_rejects" / "rejects.parquet")
    assert rows["reason_code"].to_list() == ["internal_error", "not_a_report"]
    run([file for file in inbox.iterdir() if file.stem != name], tmp_path / "clean")
    assert report_ids(output) == report_ids(tmp_path / "clean")
    run([inbox], output, force=True)
    run([inbox], tmp_path / "whole")
    assert hashes(output) == hashes(tmp_path / "whole")


# --- each guard is needed ---------------------------------------------------------------------------------------


def _crash_checks(forked: Forked, small: Small, folder: Path, without: str) -> None:
    """Crashes while files take their places, as above."""
    fault = Fault(**asdict(ONE_BY_ONE) | {"without": without})
    output = copy(small.lake, folder / "output")
    steps = forked.steps(fault, folder / "trace", "run", small.new, "--out", output)
    moves = re.compile(r"(os.rename .*/_staging/|faults.half |os.remove .*/deal=).*")
    points = [number for number, step in enumerate(steps, 1) if moves.fullmatch(step)]
    for at in points[:: -2 if without else -20]:  # the last document has all that can go wrong
        _check_crash(forked, small, output, at, without)


def _last_commit_checks(forked: Forked, small: Small, folder: Path, without: str) -> None:
    """While the segments of a manifest go, a reader of it sees the newest rows."""
    fault = Fault(**asdict(ONE_BY_ONE) | {"without": without})
    inbox = folder / "inbox"
    inbox.mkdir()
    shutil.copy(small.old / "000-00.txt", inbox / "a.txt")
    shutil.copy(small.new / "000-00-amended.txt", inbox / "b.txt")  # changes the standing of the first
    run([inbox], folder / "clean")
    output = folder / "output"
    steps = forked.steps(fault, folder / "trace", "run", inbox, "--out", output)
    last = [number for number, step in enumerate(steps, 1) if step.endswith("/_manifest/documents-00000001.parquet")][
        -1
    ]
    for at in range(last - 1, last + 3):
        shutil.rmtree(output)
        assert forked(Fault(**asdict(fault) | {"die_at": at}), "run", inbox, "--out", output) == -signal.SIGKILL
        rows = [read_manifest(lake).rows.sort("source") for lake in (output, folder / "clean")]
        assert rows[0].equals(rows[1])


def _rebuild_checks(forked: Forked, small: Small, folder: Path, without: str) -> None:
    """Amendments take nothing away."""
    output = copy(small.lake, folder / "output")
    _run(forked, without, small.new, "--out", output)
    assert hashes(output) == small.boundaries[-1]


def _lock_checks(_: Forked, small: Small, folder: Path, without: str) -> None:
    """A second run does nothing while a first one is there."""
    fault = Fault(batch=1, few=1000, stop_at=20, without=without)
    output = folder / "output"
    first = _start(fault, "run", small.old, "--out", output)
    assert wait_for(lambda: _is_stopped(first.pid))
    before = hashes(output)
    second = _start(Fault(without=without), "run", small.new, "--out", output)
    try:
        assert second.stderr is not None
        assert "waiting" in second.stderr.readline()
        assert hashes(output) == before
    finally:
        for process in (first, second):
            process.kill()
            _end(process)


def _worker_checks(_: Forked, small: Small, folder: Path, without: str) -> None:
    """Workers vanish with a run that is killed."""
    fault = Fault(batch=1, stop_at=20, without=without)
    process = _start(fault, "run", small.old, "--out", folder / "output", "--workers", "2")
    assert wait_for(lambda: _is_stopped(process.pid))
    time.sleep(2)  # they have nothing to do any more
    workers = _workers_of(process.pid)
    assert workers
    process.kill()
    process.wait()  # its standard error stays open as long as a worker has it
    left = [pid for pid in workers if not wait_for(lambda pid=pid: _is_gone(pid), 4)]  # type: ignore[misc]
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    _end(process)
    assert not left, "a worker outlives its run"


NEEDED: dict[str, Callable[[Forked, Small, Path, str], None]] = {
    "files take their places by a rename": _crash_checks,
    "a rename decides": _crash_checks,
    "a rename decides on a swap": _check_compaction,
    "the lock": _lock_checks,
    "recovery": _crash_checks,
    "reports come last": _crash_checks,
    "earlier versions come first": _crash_checks,
    "the manifest comes in the same commit": _crash_checks,
    "partitions are rebuilt from all reports": _rebuild_checks,
    "staging is outside the tables": _crash_checks,
    "removals come after their successors": _crash_checks,
    "removals go in their order": _last_commit_checks,
    "workers end with the run": _worker_checks,
}


@pytest.mark.parametrize("guard", GUARDS)
def test_a_missing_guard_is_noticed(forked: Forked, small: Small, tmp_path: Path, guard: str) -> None:
    """The checks of this module fail where a guard is taken out of the program."""
    with pytest.raises(AssertionError) as noticed:
        NEEDED[guard](forked, small, tmp_path, guard)
    print(f"without {guard!r}: {str(noticed.value).splitlines()[0][:200]}")  # noqa: T201 - how it was noticed


@pytest.mark.parametrize("check", [_last_commit_checks, _lock_checks, _worker_checks, _rebuild_checks, _crash_checks])
def test_nothing_is_noticed_where_no_guard_is_missing(
    forked: Forked, small: Small, tmp_path: Path, check: Callable[[Forked, Small, Path, str], None]
) -> None:
    check(forked, small, tmp_path, "")
