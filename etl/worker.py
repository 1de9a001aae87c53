"""A process that carries out the jobs of a run: python -m etl.worker, started by `etl.workers` and nobody else.

Jobs come in on standard input and results go out on standard output, both pickled. It ends, in the
middle of a job if need be, when standard input does: a run that is killed leaves no worker behind.
"""

from __future__ import annotations

import os
import pickle
import sys
from queue import SimpleQueue
from threading import Thread
from typing import Any, BinaryIO

from etl.errors import EtlError, WorkerError


def main() -> None:
    """Carry out jobs until there are no more."""
    results = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # whatever prints must not get among the results
    jobs: SimpleQueue[Any] = SimpleQueue()
    Thread(target=_receive, args=(sys.stdin.buffer, jobs), daemon=True).start()
    while True:
        function, arguments, named = jobs.get()
        try:
            result: object = function(*arguments, **named)
        except EtlError as error:
            result = error
        except BaseException as error:  # noqa: BLE001 - told to the run, which knows what was to be done
            result = WorkerError(f"{type(error).__name__}: {error}")
        pickle.dump(result, results, pickle.HIGHEST_PROTOCOL)
        results.flush()


def _receive(stream: BinaryIO, jobs: SimpleQueue[Any]) -> None:
    """Put jobs into the queue; end the process with the stream."""
    try:
        while True:
            jobs.put(pickle.load(stream))  # noqa: S301 - from the run that started this process
    finally:
        os._exit(0)


if __name__ == "__main__":
    main()
