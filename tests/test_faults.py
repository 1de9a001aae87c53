"""Runs that are killed, stopped, interrupted or left without room: nothing is lost, torn or left behind.

Real processes and real kills. TRUSTEE_ETL_KILLS=50 asks for 50 kills in runs of 500 reports, and for a crash
at every single step; without it there are fewer, so that the tests take a minute.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from multiprocessing.context import ForkServerContext
from pathlib import Path
from random import Random
from typing import Any

import pytest

from etl import run
from etl.compaction import compact
from etl.partitions import PartitionBy

from .conftest import REPOSITORY
from .faults_driver import Fault, command
from .faults_lakes import Known, copy, hashes, report_ids, restate, truth, wait_for, write_inbox

KILLS = int(os.environ.get("TRUSTEE_ETL_KILLS", "0"))


# --- processes ------------------------------------------------------------------------------------------------


def _start(fault: Fault, *arguments: str | Path, **named: Any) -> subprocess.Popen[str]:
    """The command, with a fault, as a process."""
    call = [sys.executable, "-m", "tests.faults_driver", json.dumps(asdict(fault)), *map(str, arguments)]
    return subprocess.Popen(
        call, cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, encoding="utf-8", **named
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
    """Runs in processes that have the program loaded already; tests/faults_driver.py says what goes wrong in them."""

    def __init__(self) -> None:
        self._context: ForkServerContext = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["tests.faults_driver"])

    def __call__(self, fault: Fault, *arguments: str | Path) -> int:
        """The exit code of the command; that of a signal is negative."""
        process = self._context.Process(target=_quietly, args=(fault, [*map(str, arguments)]))
        process.start()
        process.join(120)
        assert process.exitcode is not None
        return process.exitcode

    def steps(self, fault: Fault, trace: Path, *arguments: str | Path) -> list[str]:
        """The steps of a run to which nothing happens."""
        assert self(Fault(**asdict(fault) | {"trace": str(trace)}), *arguments) == 0
        return trace.read_text().splitlines()


def _quietly(fault: Fault, arguments: Sequence[str]) -> None:
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
    command(fault, arguments)


@pytest.fixture(scope="session")
def forked() -> Forked:
    return Forked()


# --- lakes ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Small:
    """A lake of five documents, amendments to two of them, and the lakes in between.

    `boundaries` are the lakes after each document of the amendments: a run over them with one document a batch
    leaves one of these, whenever it ends.
    """

    old: Path
    new: Path
    empty: Path
    lake: Path
    clean: Path
    boundaries: list[dict[str, str]]

    @property
    def known(self) -> Known:
        return Known(hashes(self.lake), hashes(self.clean), frozenset(report_ids(self.lake)))


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Small:
    folder = tmp_path_factory.mktemp("small")
    old = write_inbox(folder / "old", range(2), 2)
    new = restate(old, folder / "new")
    (folder / "empty").mkdir()
    run([old], folder / "lake")
    copy(folder / "lake", folder / "steps")
    boundaries = [hashes(folder / "steps")]
    for file in sorted(new.iterdir()):
        run([file], folder / "steps")
        boundaries.append(hashes(folder / "steps"))
    run([old, new], folder / "clean")
    assert hashes(folder / "clean") == boundaries[-1]
    return Small(old, new, folder / "empty", folder / "lake", folder / "clean", boundaries)


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
    for at in _chosen(steps):
        _check_crash(forked, small, tmp_path / "output", at)


def _decided(forked: Forked, fault: Fault, trace: Path, suffix: str, arguments: Sequence[str | Path]) -> int:
    """The step right after the rename by which a folder becomes ready."""
    steps = forked.steps(fault, trace, *arguments)
    decisions = [number for number, step in enumerate(steps, 1) if step.endswith(suffix)]
    assert decisions, steps
    return decisions[-1] + 1


def test_a_recovery_that_dies_at_any_step_is_finished_by_the_next(forked: Forked, small: Small, tmp_path: Path) -> None:
    cut = tmp_path / "cut"
    arguments = ("run", small.new, "--out", cut)
    copy(small.lake, cut)
    steps = forked.steps(ONE_BY_ONE, tmp_path / "trace", *arguments)
    folders = [number for number, step in enumerate(steps, 1) if "/00000002" in step and step.startswith("os.rename")]
    copy(small.lake, cut)
    assert forked(Fault(**asdict(ONE_BY_ONE) | {"die_at": folders[0] + 1}), *arguments) == -signal.SIGKILL
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
    compact(copy(small.clean, folder / "compacted"), PartitionBy.DEAL)
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
        compact(output, PartitionBy.DEAL)
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
