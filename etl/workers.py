"""The processes of a run: one for each core, each with one thread, so that all cores are used."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from queue import SimpleQueue
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar, cast

from etl.errors import EtlError, WorkerError

_P = ParamSpec("_P")
_T = TypeVar("_T")

# The Parquet library asks glibc for some thousand small pieces of memory for each file: kept at hand, they save a tenth
# of its time.
_PIECES_AT_HAND = "glibc.malloc.tcache_count=2000"
# Of a worker, here and in Spark: one thread of polars, and one arena of memory, which goes back to the system after a
# second: at once would cost a tenth of a run's time, for pages that the next query needs again. What the user has set
# for glibc stands last, and so holds.
ENVIRONMENT = {
    "POLARS_MAX_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "_RJEM_MALLOC_CONF": "narenas:1,dirty_decay_ms:1000,muzzy_decay_ms:0",
    "GLIBC_TUNABLES": ":".join(filter(None, [_PIECES_AT_HAND, os.environ.get("GLIBC_TUNABLES")])),
}

# What is said where a process ends in the middle of a job.
LOST = "a worker process ended before its work was done"
# A result is waited for in spells of so many seconds.
WAITED_AT_ONCE = 0.2


def processor_cores() -> int:
    """How many cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on every system
        return os.cpu_count() or 1


def result_of(job: Future[_T]) -> _T:
    """The result of a job, or its error. Ctrl-C ends the waiting soon: polars lets system calls go on after it, so a
    single wait would last as long as the job."""
    while not job.done():
        wait([job], WAITED_AT_ONCE)
    return job.result()


class Workers:
    """A number of worker processes, started when they are needed; a context manager that ends them.

    With a single one, jobs are carried out in this process, at once. A job is a function of this package
    with what it is called with, all of which can be pickled.
    """

    def __init__(self, count: int) -> None:
        self.count = max(1, count)
        self._threads = ThreadPoolExecutor(self.count)
        self._idle: SimpleQueue[_Worker | None] = SimpleQueue()
        self._all: list[_Worker] = []
        self._ended = False
        for _ in range(self.count):
            self._idle.put(None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended = True
        self._threads.shutdown(wait=False, cancel_futures=True)
        for worker in list(self._all):
            worker.end()
        self._threads.shutdown()

    def submit(self, job: Callable[_P, _T], *arguments: _P.args, **named: _P.kwargs) -> Future[_T]:
        """Have a job carried out. Its errors come from the future; WorkerError where the process ended."""
        if self.count > 1:
            return self._threads.submit(self._carry_out, job, arguments, named)
        future: Future[_T] = Future()
        try:
            future.set_result(job(*arguments, **named))
        except EtlError as error:
            future.set_exception(error)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # noqa: BLE001 - as a process tells it
            future.set_exception(WorkerError(f"{type(error).__name__}: {error}"))
        return future

    def _carry_out(self, job: Callable[..., _T], arguments: tuple[Any, ...], named: dict[str, Any]) -> _T:
        worker = self._idle.get()
        try:
            if worker is None:
                worker = _Worker()
                self._all.append(worker)
                if self._ended:  # meanwhile; nobody else would end it
                    worker.end()
            result = worker.ask(job, arguments, named)
        except WorkerError:
            if worker is not None:
                worker.end()
            self._idle.put(None)  # a new one takes its place
            raise
        except BaseException:
            self._idle.put(None)
            raise
        self._idle.put(worker)
        if isinstance(result, EtlError):
            raise result
        return cast("_T", result)


class _Worker:
    """One process."""

    def __init__(self) -> None:
        environment = os.environ | ENVIRONMENT
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "etl.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=environment,
                start_new_session=True,  # an interrupt at the terminal is for the run, which ends its workers
            )
        except OSError as error:
            raise EtlError(f"a worker process cannot be started: {error.strerror or error}; try --workers 1") from error

    def ask(self, job: Callable[..., Any], arguments: tuple[Any, ...], named: dict[str, Any]) -> object:
        """The result of a job, or the error that it ended with. Raises WorkerError where the process ends."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            pickle.dump((job, arguments, named), self._process.stdin, pickle.HIGHEST_PROTOCOL)
            self._process.stdin.flush()
            return pickle.load(self._process.stdout)  # noqa: S301 - from a process of this run
        except (OSError, EOFError, ValueError, pickle.UnpicklingError) as error:
            raise WorkerError(LOST) from error

    def end(self) -> None:
        """End the process, whatever it does."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            try:
                assert stream is not None
                stream.close()
            except OSError:
                continue  # what was still to be sent is of no use any more
