"""The command with a fault built in: python -m tests.faults_driver '{"die_at": 7, ...}' run INBOX --out OUTPUT.

Faults hook in below the program: an audit hook of the interpreter sees each rename, removal and new folder
before it happens, and kills or stops the process there. `without` takes one guard out of the program, so
that a test can show that it would notice.
"""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import polars as pl

from etl import batch, cli, commits, delta_tables, inbox, manifest, runs, worker

from .remembered import Remembered

STEPS = ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "faults.half", "faults.commit")


@dataclass(frozen=True)
class Fault:
    """What is to go wrong.

    `die_at`, `stop_at`: SIGKILL or SIGSTOP before the step of that number, from 1. `trace`: a file for the
    list of steps. `without`: a guard that is taken out. `batch`: documents of a batch. `few`: so many documents
    are read in one process. `poison`: the worker that gets a document with this text dies, `deaths` times at most,
    which the files of `grave` count. `readings`: a folder of remembered readings.
    """

    die_at: int = 0
    stop_at: int = 0
    trace: str = ""
    without: str = ""
    batch: int = inbox.BATCH_DOCUMENTS
    few: int = 0
    poison: str = ""
    job: str = "stage_batch"
    deaths: int = 0
    grave: str = ""
    readings: str = ""


class Steps:
    """Counts the steps of a process, but not the making of staging folders, and lets one be its last."""

    def __init__(self, fault: Fault) -> None:
        self.taken: list[str] = []
        self._fault = fault

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        """See one event of the interpreter."""
        if event not in STEPS or (event == "os.mkdir" and "_staging/" in os.fspath(arguments[0])):
            return
        self.taken.append(f"{event} {os.fspath(arguments[0])}")
        if len(self.taken) == self._fault.die_at:
            os.kill(os.getpid(), signal.SIGKILL)
        if len(self.taken) == self._fault.stop_at:
            os.kill(os.getpid(), signal.SIGSTOP)


def command(fault: Fault, arguments: Sequence[str]) -> None:
    """Carry out the command with its fault; ends with SystemExit."""
    inbox.BATCH_DOCUMENTS = fault.batch
    runs.FEW_DOCUMENTS = fault.few
    if fault.readings:
        batch._read_with = Remembered(Path(fault.readings), learns=False)  # noqa: SLF001
    if fault.die_at or fault.stop_at or fault.trace:
        setattr(delta_tables.DeltaTables, "commit", _commit_with_steps)  # noqa: B010
    if fault.without:
        {**GUARDS, **DELTA_GUARDS}[fault.without]()
    if fault.without == "workers end with the run" or fault.poison:
        _start_workers_here(fault)
    steps = Steps(fault)
    if fault.die_at or fault.stop_at or fault.trace:
        sys.addaudithook(steps)
    traced(arguments, fault.trace, steps.taken)


def traced(arguments: Sequence[str], trace: str, taken: Sequence[str]) -> None:
    """Carry out the command, and write down the steps that were taken, if a file for them is named."""
    sys.argv = ["etl", *arguments]
    try:
        cli.main()
    finally:
        if trace:
            steps = list(taken)  # to write is a step too
            Path(trace).write_text("\n".join(steps))


def quietly(fault: Fault, arguments: Sequence[str]) -> None:
    """The same, and nothing is seen of what it says."""
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
    command(fault, arguments)


# --- a program without one of its guards ----------------------------------------------------------------------

_commit_table = delta_tables.DeltaTables.commit
_apply, _turn, _commit = commits._apply, commits.turn, commits.Staging.commit  # noqa: SLF001


def _commit_with_steps(self: delta_tables.DeltaTables, name: str, *given: Any) -> None:
    """The commit to the log of a table, with a step before it and one after it."""
    sys.audit("faults.commit", f"before {name}")
    _commit_table(self, name, *given)
    sys.audit("faults.commit", f"after {name}")


def _commit_one_by_one(self: delta_tables.DeltaTables, name: str, changes: delta_tables.Changes, *given: Any) -> None:
    way, number, note = given
    for added, partition in enumerate(changes):
        _commit_with_steps(self, name, {partition: changes[partition]}, way, number + added, note)


def _write_in_place(staged: str, target: str, made: set[str]) -> None:
    del made
    Path(target).parent.mkdir(parents=True, exist_ok=True)
    content = Path(staged).read_bytes()
    with Path(target).open("wb") as file:
        file.write(content[: len(content) // 2])
        file.flush()
        sys.audit("faults.half", target)
        file.write(content[len(content) // 2 :])


def _commit_undecided(
    self: commits.Staging, folder: Path, files: Iterable[str], removals: Sequence[str] = (), *_: object
) -> None:
    _apply(self._output, folder, sorted(files, key=_turn), removals)


def _commit_manifest_apart(
    self: commits.Staging, folder: Path, files: Iterable[str], removals: Sequence[str] = (), *_: object
) -> None:
    lists = [file for file in files if file.startswith("_manifest/")]
    rest = [file for file in files if file not in lists]
    apart = folder.with_name(f"{folder.name}-manifest")
    for file in lists:
        (apart / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).rename(apart / file)
    _commit(self, folder, rest, removals)
    if lists:
        _commit(self, apart, lists)


def _swap_undecided(self: commits.Staging, folder: Path) -> None:
    commits._swap(self._output, folder)  # noqa: SLF001


def _removals_first(output: Path, ready: Path, files: Sequence[str], removals: Iterable[str], *rest: Any) -> None:
    for file in removals:
        commits._remove(output, file)  # noqa: SLF001
    _apply(output, ready, files, (), *rest)


def _removals_backwards(output: Path, ready: Path, files: Sequence[str], removals: Iterable[str], *rest: Any) -> None:
    _apply(output, ready, files, list(removals)[::-1], *rest)


def _reports_first(file: str) -> tuple[int, str, int]:
    turn, partition, place = _turn(file)
    return turn, partition, -place


def _earlier_versions_last(file: str) -> tuple[int, str, int]:
    turn, partition, place = _turn(file)
    return (2.5 if turn == 1 else turn), partition, place  # type: ignore[return-value]


def _nothing_else_there(self: manifest.Manifest, folders: object, partition_by: object) -> pl.DataFrame:
    del self, folders, partition_by
    return pl.DataFrame(schema={**manifest.SCHEMA, "folder": pl.String})


def _set(holder: object, name: str, value: object) -> Callable[[], None]:
    return lambda: setattr(holder, name, value)


GUARDS: Mapping[str, Callable[[], None]] = {
    "files take their places by a rename": _set(commits, "_move", _write_in_place),
    "a rename decides": _set(commits.Staging, "commit", _commit_undecided),
    "a rename decides on a swap": _set(commits.Staging, "swap", _swap_undecided),
    "the lock": _set(commits.LakeLock, "_lock", lambda self: None),  # noqa: ARG005
    "recovery": _set(commits, "recover", lambda *given: None),  # noqa: ARG005
    "reports come last": _set(commits, "turn", _reports_first),
    "earlier versions come first": _set(commits, "turn", _earlier_versions_last),
    "the manifest comes in the same commit": _set(commits.Staging, "commit", _commit_manifest_apart),
    "partitions are rebuilt from all reports": _set(manifest.Manifest, "in_partitions", _nothing_else_there),
    "staging is outside the tables": _set(commits, "STAGING_FOLDER", "classes/_staging"),
    "removals come after their successors": _set(commits, "_apply", _removals_first),
    "removals go in their order": _set(commits, "_apply", _removals_backwards),
    "workers end with the run": lambda: None,  # in the workers, see below
}
# Of lakes of Delta tables.
DELTA_GUARDS = {"a batch is one commit": _set(delta_tables.DeltaTables, "commit", _commit_one_by_one)}


# --- workers with a fault -------------------------------------------------------------------------------------


def _start_workers_here(fault: Fault) -> None:
    """Let workers start as this module, with the fault."""
    start = subprocess.Popen

    def popen(given: Sequence[str], **named: Any) -> subprocess.Popen[bytes]:
        if given[-1] == "etl.worker":
            given = [sys.executable, "-m", "tests.faults_driver", json.dumps(asdict(fault)), "worker"]
        return start(given, **named)

    subprocess.Popen = popen  # type: ignore[misc,assignment]


def _worker(fault: Fault) -> None:
    """A worker that outlives its run, or that dies of some jobs."""
    if fault.poison:
        setattr(worker, "pickle", _Poisoned(fault))  # noqa: B010 - another module takes its place
    else:
        setattr(worker, "os", _WithoutEnd())  # noqa: B010
    worker.main()


class _WithoutEnd:
    """The module os, whose `_exit` does nothing."""

    def __getattr__(self, name: str) -> Any:
        return (lambda code: None) if name == "_exit" else getattr(os, name)  # noqa: ARG005


class _Poisoned:
    """The module pickle; a job with the poison in it is the end of the process."""

    def __init__(self, fault: Fault) -> None:
        self._fault = fault

    def __getattr__(self, name: str) -> Any:
        return getattr(pickle, name)

    def load(self, stream: Any) -> Any:
        fault = self._fault
        job = pickle.load(stream)  # noqa: S301 - from the run
        if job[0].__name__ == fault.job and fault.poison.encode() in repr(job[1]).encode():
            deaths = len(os.listdir(fault.grave))  # noqa: PTH208
            if deaths < fault.deaths:
                Path(fault.grave, str(os.getpid())).touch()
                os.kill(os.getpid(), signal.SIGKILL)
        return job


if __name__ == "__main__":
    FAULT = Fault(**json.loads(sys.argv[1]))
    if sys.argv[2] == "worker":
        _worker(FAULT)
    else:
        command(FAULT, sys.argv[2:])
