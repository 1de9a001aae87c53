"""A place like that of somebody who reads the pages, and the running of their examples there."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

from .conftest import REPOSITORY
from .pages import Block
from .storage import Storage, put, upload

SECONDS = 180
INSTALLED = Path(sys.executable).parent
_SECONDS = re.compile(r"\bin [0-9.,]+ s\b")
_SQL = "import duckdb, sys; duckdb.sql(sys.stdin.read()).show()"


def write_workplace(place: Path) -> Path:
    """What the pages speak of: the samples and examples, an `inbox` of reports, `report.txt`, which no layout knows,
    `filing.txt`, and `output`, a lake of the samples."""
    for name in ("samples", "examples"):
        shutil.copytree(REPOSITORY / name, place / name)
    reports = sorted((place / "samples" / "inbox").glob("*-he*.txt"))
    (place / "inbox").mkdir()
    for report in reports:
        shutil.copy(report, place / "inbox")
    shutil.copy(reports[0], place / "filing.txt")
    (unknown,) = (place / "samples" / "tutorial").iterdir()
    shutil.copy(unknown, place / "report.txt")
    assert _called(["etl", "run", "samples/inbox", "--out", "output"], place).returncode == 0
    return place


def fill_bucket(storage: Storage, place: Path) -> None:
    """What the pages speak of in object storage: `s3://bucket/inbox`, an archive in `s3://bucket/feeds`, and a lake."""
    bucket = storage.bucket("bucket")
    upload(bucket, "inbox", place / "inbox")
    upload(bucket, "lake", place / "output")
    feed = place / "feed.zip"
    with zipfile.ZipFile(feed, "w") as archive:
        archive.write(place / "filing.txt", "filing.txt")
    put(bucket, {"feeds/2003.zip": feed.read_bytes()})


def run_example(block: Block, place: Path, commands: Path = INSTALLED) -> None:
    """Run a block in a folder, with `etl` from another; it must end well, and print what the page shows behind it."""
    printed = "".join(_printed(command, block, place, commands) for command in _commands(block))
    said = _plain(printed.replace(f"{place}/", ""))
    position = 0
    for piece in re.split(r"^\.\.\.\n", _plain(block.prints or ""), flags=re.MULTILINE):
        found = said.find(piece, position)
        assert found >= 0, f"{block}: the page shows\n{piece}\nbut this is printed:\n{said}"
        position = found + len(piece)


def _commands(block: Block) -> list[str]:
    """A block whole, or each command of it by itself where one goes on until it is stopped."""
    return block.text.splitlines() if "--watch" in block.text else [block.text]


def _printed(command: str, block: Block, place: Path, commands: Path) -> str:
    if "--watch" in command:
        return _watched(command, place)
    if block.language == "sh":
        done = _called(["bash", "-euo", "pipefail", "-c", command], place, commands=commands)
    elif block.language == "python":
        done = _called([sys.executable, "-c", command], place)
    else:
        done = _called([sys.executable, "-c", _SQL], place, command)
    assert done.returncode == 0, f"{block}: {done.stdout}"
    return done.stdout


def _watched(command: str, place: Path) -> str:
    """Run a command that watches until it has read something, then stop it as a scheduler does."""
    (lake,) = re.findall(r"--out (\S+)", command)
    runs = place / lake / "_runs"
    before = len(list(runs.glob("*.json")))
    process = subprocess.Popen(
        ["bash", "-c", f"exec {command}"],
        cwd=place,
        env=_environment(INSTALLED),  # a signal is for the command itself
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    end = time.monotonic() + SECONDS
    while len(list(runs.glob("*.json"))) == before and process.poll() is None and time.monotonic() < end:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    printed, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 128 + signal.SIGTERM, printed
    assert len(list(runs.glob("*.json"))) > before, printed
    return printed


def _called(
    command: list[str], place: Path, given: str = "", commands: Path = INSTALLED
) -> subprocess.CompletedProcess[str]:
    """What a command prints, on both streams as they come."""
    return subprocess.run(
        command,
        cwd=place,
        env=_environment(commands),
        input=given,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=SECONDS,
        check=False,
    )


def _environment(commands: Path) -> dict[str, str]:
    """That of the tests, with the commands of a folder and of their Python first, and 80 columns without colours."""
    path = os.pathsep.join(map(str, (commands, INSTALLED, os.environ["PATH"])))
    return {**os.environ, "PATH": path, "COLUMNS": "80", "NO_COLOR": "1", "POLARS_FMT_MAX_ROWS": "100"}


def _plain(text: str) -> str:
    """Without what a page cannot show: tabs, blanks at the ends of lines, and how long something took this time."""
    lines = text.replace("\t", " ").splitlines()
    return "".join(f"{_SECONDS.sub('in - s', line).rstrip()}\n" for line in lines)
