"""The command in processes of their own that have the program loaded already: a start costs a second, a fork nothing.

They are as any others, with an exit code and output that goes to no terminal. Some tests still start one from nothing.
"""

from __future__ import annotations

import fcntl
import multiprocessing
import os
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import Mapping, Sequence
from multiprocessing.context import ForkServerContext
from pathlib import Path
from tempfile import TemporaryDirectory

from etl import cli

SECONDS = 120
LINES = 40


def forkserver() -> ForkServerContext:
    """Starts processes that have the program loaded. There is one for all tests, as Python has no more."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.faults_driver", "tests.processes"])
    return context


def call_etl(*arguments: str | Path, cwd: Path | None = None, **variables: str) -> subprocess.CompletedProcess[str]:
    """What the command says, and its exit code; a defect of the program fails the test."""
    given = [*map(str, arguments)]
    with TemporaryDirectory() as folder:
        process = forkserver().Process(target=_command, args=(given, cwd or Path.cwd(), variables, folder))
        process.start()
        process.join(SECONDS)
        if process.exitcode is None:
            process.kill()
            raise TimeoutError(f"etl {' '.join(given)}: has not ended after {SECONDS} seconds")
        said, told = (Path(folder, name).read_text(encoding="utf-8") for name in ("out", "err"))
    assert "Traceback" not in said + told, told
    return subprocess.CompletedProcess(given, process.exitcode, said, told)


def on_terminal(*arguments: str | Path, columns: int, **variables: str) -> str:
    """What a terminal of this width gets of a command that does its work."""
    pid, terminal = pty.fork()
    if not pid:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, columns, 0, 0))
        os.environ |= {"COLUMNS": str(columns), "LINES": str(LINES), "TERM": "dumb", **variables}
        program = [sys.executable, "-c", "from etl.cli import main; main()"]
        os.execv(sys.executable, [*program, *map(str, arguments)])  # noqa: S606
    shown = b""
    try:
        while chunk := os.read(terminal, 65536):
            shown += chunk
    except OSError:
        pass  # the program has ended
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    return shown.decode().replace("\r\n", "\n")


def _command(arguments: Sequence[str], cwd: Path, variables: Mapping[str, str], folder: str) -> None:
    for name, stream in (("out", sys.stdout), ("err", sys.stderr)):
        with Path(folder, name).open("wb") as file:
            os.dup2(file.fileno(), stream.fileno())
    os.chdir(cwd)
    os.environ.update({"COLUMNS": "80", **variables})
    sys.argv = ["etl", *arguments]
    cli.main()
