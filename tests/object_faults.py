"""The command on a lake in object storage, with a fault built in: python -m tests.object_faults '{"die_at": 7}' run ...

The fault hooks in where requests that change something are sent, below the protocol of the commits: each is a step,
and the process is killed or stopped before the step of some number. Renewals of the lock are no steps.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Lock
from typing import Any

from etl import inbox, leases, object_lake
from etl.objects import Bucket

from .conftest import REPOSITORY
from .faults_driver import traced


@dataclass(frozen=True)
class Fault:
    """What is to go wrong: SIGKILL (`die_at`) or SIGSTOP (`stop_at`) before the step of that number, from 1.

    `trace`: a file for the list of steps. `without`: a guard that is taken out. `batch`: documents of a batch. `lease`:
    its seconds.
    """

    die_at: int = 0
    stop_at: int = 0
    trace: str = ""
    without: str = ""
    batch: int = 2
    lease: float = 1.2


class Steps:
    """Counts the steps of a process, and lets one be its last."""

    def __init__(self, fault: Fault) -> None:
        self.taken: list[str] = []
        self._fault = fault
        self._counting = Lock()

    def before(self, name: str) -> None:
        """Wrap a method of `Bucket`."""
        method: Callable[..., Any] = getattr(Bucket, name)

        def counted(bucket: Bucket, keys: Any, *rest: Any) -> Any:
            given = keys if isinstance(keys, str) else list(keys)
            with self._counting:
                self.taken.append(f"{name} {given if isinstance(given, str) else ' '.join(given)}")
                for number, sent in ((self._fault.die_at, signal.SIGKILL), (self._fault.stop_at, signal.SIGSTOP)):
                    if len(self.taken) == number:
                        os.kill(os.getpid(), sent)
            return method(bucket, given, *rest)

        setattr(Bucket, name, counted)


def command(fault: Fault, arguments: Sequence[str]) -> None:
    """Carry out the command with its fault; ends with SystemExit."""
    inbox.BATCH_DOCUMENTS = fault.batch
    leases.LEASE_SECONDS = fault.lease
    if fault.without:
        GUARDS[fault.without]()
    steps = Steps(fault)
    for name in ("put", "delete", "create"):
        steps.before(name)
    traced(arguments, fault.trace, steps.taken)


def start(fault: Fault, variables: Mapping[str, str], *arguments: str | Path) -> subprocess.Popen[str]:
    """The command as a process."""
    call = [sys.executable, "-m", "tests.object_faults", json.dumps(asdict(fault)), *map(str, arguments)]
    environment = {**os.environ, **variables}
    return subprocess.Popen(
        call, cwd=REPOSITORY, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8"
    )


def end(process: subprocess.Popen[str]) -> tuple[int, str]:
    """The exit code of a process when it has ended, and what it said on standard error."""
    _, said = process.communicate(timeout=120)
    return process.returncode, said


# --- a program without one of its guards ----------------------------------------------------------------------


def _set(holder: object, name: str, value: object) -> Callable[[], None]:
    return lambda: setattr(holder, name, value)


GUARDS: Mapping[str, Callable[[], None]] = {
    "recovery": _set(object_lake.ObjectStaging, "_recover", lambda self: None),  # noqa: ARG005
    "the lease is looked at": _set(leases.Lease, "check", lambda self: None),  # noqa: ARG005
    "commits in time alone": _set(object_lake.ObjectStaging, "_is_in_time", lambda *given: True),  # noqa: ARG005
}


if __name__ == "__main__":
    command(Fault(**json.loads(sys.argv[1])), sys.argv[2:])
