"""The processes of a run: one for each core, each with one thread, so that all cores are used."""

from __future__ import annotations

import contextlib
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from queue import SimpleQueue
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar, cast

from etl.errors import EtlError, WorkerError

_P = ParamSpec("_P")
_T = TypeVar("_T")

# Of a worker: one thread of polars, and one arena of memory, which goes back to the system after a second: at once
# would cost a tenth of a run's time, for pages that the next query needs again. The Parquet library asks glibc for some
# thousand small pieces of memory for each file: kept at hand, they save a tenth of its time.
_PIECES_AT_HAND = "glibc.malloc.tcache_count=2000"
ENVIRONMENT = {
    "POLARS_MAX_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "_RJEM_MALLOC_CONF": "narenas:1,dirty_decay_ms:1000,muzzy_decay_ms:0",
    "GLIBC_TUNABLES": ":".join(filter(None, [os.environ.get("GLIBC_TUNABLES"), _PIECES_AT_HAND])),
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


def _own_cores(count: int) -> Sequence[int | None]:
    """A core for each of so many processes, if there are enough; runs beside this one begin with others."""
    try:
        cores = sorted(os.sched_getaffinity(0))
    except AttributeError:  # not on every system
        cores = []
    if count > len(cores):
        return [None] * count
    first = os.getpid() % len(cores)
    return [*cores[first:], *cores[:first]][:count]


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
        self._idle: SimpleQueue[_Worker] = SimpleQueue()
        self._all = [_Worker(core) for core in _own_cores(self.count)]
        self._ended = False
        for worker in self._all:
            self._idle.put(worker)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended = True
        self._threads.shutdown(wait=False, cancel_futures=True)
        for worker in self._all:
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
            worker.start()
            if self._ended:  # meanwhile; nobody else would end it
                worker.end()
            result = worker.ask(job, arguments, named)
        except BaseException:
            worker.end()  # a new process takes its place
            raise
        finally:
            self._idle.put(worker)
        if isinstance(result, EtlError):
            raise result
        return cast("_T", result)


class _Worker:
    """A process, on this core where one is given, that is started when it is needed.

    Polars hands each query to another thread and waits for it. Across cores that takes more than twice as long as on
    one, and a batch makes more than a thousand small queries.
    """

    def __init__(self, core: int | None) -> None:
        self._core = core
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the process if it is not there. Raises EtlError where the system has none to give."""
        if self._process is not None:
            return
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "etl.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=os.environ | ENVIRONMENT,
                start_new_session=True,  # an interrupt at the terminal is for the run, which ends its workers
            )
        except OSError as error:
            raise EtlError(f"a worker process cannot be started: {error.strerror or error}; try --workers 1") from error
        if self._core is not None:
            with contextlib.suppress(OSError):  # it has ended, or the core was taken from this run
                os.sched_setaffinity(self._process.pid, [self._core])  # it has no threads yet; later ones follow it

    def ask(self, job: Callable[..., Any], arguments: tuple[Any, ...], named: dict[str, Any]) -> object:
        """The result of a job, or the error that it ended with. Raises WorkerError where the process ends."""
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            raise WorkerError(LOST)
        try:
            pickle.dump((job, arguments, named), process.stdin, pickle.HIGHEST_PROTOCOL)
            process.stdin.flush()
            return pickle.load(process.stdout)  # noqa: S301 - from a process of this run
        except (OSError, EOFError, ValueError, pickle.UnpicklingError) as error:
            raise WorkerError(LOST) from error

    def end(self) -> None:
        """End the process, whatever it does."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            try:
                assert stream is not None
                stream.close()
            except OSError:
                continue  # what was still to be sent is of no use any more
