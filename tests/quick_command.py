"""A command `etl` for shells that does not load the program each time, as examples call it many times.

It hands its call to this process, which forks one that has the program loaded."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from socketserver import StreamRequestHandler, UnixStreamServer
from tempfile import TemporaryDirectory
from threading import Thread

from .processes import call_etl

# Python without its site packages starts in a few hundredths of a second. What reads standard input needs the command.
_COMMAND = """#!{python} -IS
import json, os, socket, sys
if "-" in sys.argv:
    os.execv({etl!r}, ["etl", *sys.argv[1:]])
with socket.socket(socket.AF_UNIX) as server:
    server.connect({address!r})
    server.sendall(json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode() + b"\\n")
    code, said, told = json.loads(server.makefile().readline())
sys.stdout.write(said)
sys.stderr.write(told)
sys.exit(code)
"""


class _Calls(StreamRequestHandler):
    def handle(self) -> None:
        arguments, folder, environment = json.loads(self.rfile.readline())
        done = call_etl(*arguments, cwd=Path(folder), **environment)
        self.wfile.write(json.dumps([done.returncode, done.stdout, done.stderr]).encode() + b"\n")


@contextmanager
def quick_command(folder: Path) -> Iterator[Path]:
    """The folder of the command, while it can be called."""
    etl = str(Path(sys.executable).with_name("etl"))
    command = folder / "etl"
    # The name of a socket is short, whatever the folders of the tests are called.
    with TemporaryDirectory(prefix="etl-") as short, UnixStreamServer(f"{short}/calls", _Calls) as server:
        text = _COMMAND.format(python=sys.executable, etl=etl, address=f"{short}/calls")
        command.write_text(text, encoding="utf-8")
        command.chmod(0o755)
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield folder
        finally:
            server.shutdown()
            thread.join()
