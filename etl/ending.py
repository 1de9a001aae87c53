"""How a command ends: exit codes, signals, and the line that says why."""

from __future__ import annotations

import logging
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

from etl import logs
from etl.logs import event, tell

FAILED, USAGE, INTERRUPTED, TERMINATED = 1, 2, 130, 143


class _Terminated(KeyboardInterrupt):
    """Somebody asked the process to end, as a scheduler or a container does."""


@contextmanager
def stopping(mend: str) -> Iterator[None]:
    """Let Ctrl-C and SIGTERM end the work in order, with a line.

    What is not finished is cleared away at once, and not by a next run that may never come.
    """

    def terminate(_number: int, _frame: object) -> NoReturn:
        raise _Terminated

    before = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    except _Terminated:
        fail(f"terminated; {mend}", TERMINATED)
    except KeyboardInterrupt:
        fail(f"interrupted; {mend}", INTERRUPTED)
    finally:
        signal.signal(signal.SIGTERM, before)


def waiting_for(output: str) -> Callable[[], None]:
    """What is called where another run has the lake: it says so."""
    return lambda: tell(f"another run writes into {output}; waiting for it to end")


def fail(message: str, code: int) -> NoReturn:
    """Say one line on standard error, and end with this code."""
    event(logs.FAILED, message, logging.ERROR, exit_code=code)
    sys.exit(code)
