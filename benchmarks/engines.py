"""Compares one core with two, and Spark on two cores with the local engine, on the same reports in one run.

python -m benchmarks.engines                     prints the table
python -m benchmarks.engines --write             and puts it into docs/sizing.md

Each run is a process of its own, into a new lake; memory is that of all its processes together (their proportional set
sizes, asked for five times a second), Spark's Java among them. What an engine costs before it reads anything is the
time of a run over a single report. At the end the tables of all lakes must be the same, byte for byte.
"""

from __future__ import annotations

import argparse
import compileall
import os
import platform
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import etl
from benchmarks.extraction import DifferentValuesError
from benchmarks.inbox import write_inbox
from benchmarks.page import publish
from etl.schema import TABLES

PAGE = Path(__file__).parent.parent / "docs" / "sizing.md"
_COMMAND = [sys.executable, "-P", "-c", "from etl.cli import main; main()", "run"]
# Options of a run, and the cores that it may use.
ENGINES = {
    "local, one core": (["--workers", "1"], "0"),
    "local, two cores": (["--workers", "2"], "0,1"),
    "Spark, `local[2]`": (["--engine", "spark"], "0,1"),
}
SPARK = {"SPARK_CONF_DIR": "", "PYSPARK_SUBMIT_ARGS": "--master local[2] --driver-memory 2g pyspark-shell"}


@dataclass
class Measured:
    """What an engine took, run by run: seconds for one report, and for all; seconds of cores; MiB at the most."""

    start: list[float] = field(default_factory=list)
    clock: list[float] = field(default_factory=list)
    cores: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)


class Watcher(threading.Thread):
    """Asks what memory a process and all that it started have, and what time they have taken, until that ends."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid = pid
        self._ended = threading.Event()
        self.memory = 0.0
        self._cores: dict[int, float] = {}

    def run(self) -> None:
        """Ask five times a second."""
        while not self._ended.wait(0.2):
            family = list(_family(self._pid))
            self.memory = max(self.memory, sum(map(_memory, family)))
            self._cores |= {pid: taken for pid in family if (taken := _core_seconds(pid))}

    def end(self) -> float:
        """The seconds of cores that all of them had taken when they were last seen."""
        self._ended.set()
        self.join()
        return sum(self._cores.values())


def _family(pid: int) -> Iterator[int]:
    """A process and all that it started, as far as they are there."""
    yield pid
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = task.read_text().split()
        except OSError:
            continue
        for child in children:
            yield from _family(int(child))


def _memory(pid: int) -> float:
    """The proportional set size of a process in MiB: pages that several have count once."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def _core_seconds(pid: int) -> float:
    """The time of cores that a process has taken."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def timed(inbox: Path, lake: Path, options: Sequence[str], cores: str) -> tuple[float, float, float]:
    """Seconds, seconds of cores, and MiB of a run."""
    os.sync()
    begun = time.perf_counter()
    process = subprocess.Popen(  # noqa: S603 - this program
        ["taskset", "-c", cores, *_COMMAND, inbox, "--out", lake, *options],  # noqa: S607
        stdout=subprocess.DEVNULL,
        env=os.environ | SPARK,
    )
    watcher = Watcher(process.pid)
    watcher.start()
    code = process.wait()
    seconds, used = time.perf_counter() - begun, watcher.end()
    if code:
        raise subprocess.CalledProcessError(code, process.args)
    return seconds, used, watcher.memory


def compare(place: Path, reports: int, repeat: int) -> dict[str, Measured]:
    """Every engine on the same reports, in turns."""
    inbox, one = place / "inbox", place / "one"
    write_inbox(inbox, reports)
    one.mkdir()
    shutil.copy(next(inbox.rglob("*.txt")), one)
    measured = {name: Measured() for name in ENGINES}
    for turn in range(repeat):
        lakes = []
        for number, (name, (options, cores)) in enumerate(ENGINES.items()):
            lake = place / f"lake-{turn}-{number}"
            start, _, _ = timed(one, place / f"start-{turn}-{number}", options, cores)
            seconds, used, memory = timed(inbox, lake, options, cores)
            taken = measured[name]
            taken.start.append(start)
            taken.clock.append(seconds)
            taken.cores.append(used)
            taken.memory.append(memory)
            lakes.append(lake)
            print(
                f"{name}: {seconds:.1f} s, {used:.1f} core s, {memory:,.0f} MiB; one report {start:.1f} s", flush=True
            )
        _compare(lakes)
    return measured


def _compare(lakes: Sequence[Path]) -> None:
    """Raise DifferentValuesError where lakes have not the same tables."""
    first, *others = lakes
    files = [file.relative_to(first) for name in TABLES for file in (first / name).rglob("*.parquet")]
    for other in others:
        if sum(1 for name in TABLES for _ in (other / name).rglob("*.parquet")) != len(files):
            raise DifferentValuesError(f"{other} has other files than {first}")
        for file in files:
            if (first / file).read_bytes() != (other / file).read_bytes():
                raise DifferentValuesError(f"{file} is another one in {other}")


def table(measured: dict[str, Measured], reports: int, repeat: int) -> str:
    """The table of the page."""
    base = median(measured["local, two cores"].clock)
    lines = [
        (
            f"{reports:,} generated reports, {'one turn' if repeat == 1 else f'medians of {repeat} turns'}, "
            f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores, Python {platform.python_version()}."
        ),
        "",
        (
            "| engine | s | reports/s | time beside the local engine on two cores | core ms a report | most MiB | "
            "s for a single report |"
        ),
        "| --- | --: | --: | --: | --: | --: | --: |",
    ]
    for name, taken in measured.items():
        clock = median(taken.clock)
        lines.append(
            f"| {name} | {clock:.1f} | {reports / clock:,.0f} | {clock / base:.2f} | "
            f"{1000 * median(taken.cores) / reports:.1f} | {max(taken.memory):,.0f} | {median(taken.start):.1f} |"
        )
    return "\n".join(lines)


def main(arguments: Sequence[str]) -> int:
    """Measure, and print or write the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engines", description=__doc__.partition("\n")[0])
    parser.add_argument("--reports", type=int, default=20_000, help="how many (20,000)")
    parser.add_argument("--repeat", type=int, default=1, help="turns (1)")
    parser.add_argument("--folder", type=Path, default=None, help="where everything is written")
    parser.add_argument("--write", action="store_true", help="put the table into docs/sizing.md")
    given = parser.parse_args(arguments)
    compileall.compile_dir(Path(etl.__file__).parent, quiet=1)  # as an installation has it
    with TemporaryDirectory(dir=given.folder) as place:
        text = table(compare(Path(place), given.reports, given.repeat), given.reports, given.repeat)
    return publish(text, PAGE, writes=given.write)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
