"""Compares what a run writes with the limit of the file system and with other writers, in one run.

python -m benchmarks.writing                          prints the tables
python -m benchmarks.writing --write                  and puts them into docs/benchmarks.md
python -m benchmarks.writing --growth 1000 100000     what a report costs in runs of so many

Everything is written below a temporary folder of `--folder`, by default the system's, and read back to see
that all writers wrote the same rows. Before each measurement the disk is told to write out what it owes. Nothing is
deleted before the end: for some minutes ext4 passes over deleted files one by one where it looks for room for new ones.
"""

from __future__ import annotations

import argparse
import compileall
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import wait
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.dataset as pads
import pyarrow.parquet as pq

import etl
from benchmarks.extraction import DifferentValuesError, Measured
from benchmarks.inbox import write_inbox
from benchmarks.page import PAGE, publish
from benchmarks.writing_worker import held_frames, hold, write_held
from etl.commits import LakeLock, Staging
from etl.documents import Found, find_inputs
from etl.schema import TABLES
from etl.workers import Workers

BEGIN, END = "<!-- writing: begin -->", "<!-- writing: end -->"
KEYS = ["deal", "distribution_date"]
LIMIT, SLOWEST = 3.0, 1.5
_COMMAND = [sys.executable, "-P", "-c", "from etl.cli import main; main()"]


@contextmanager
def timed(measured: Measured) -> Iterator[None]:
    """Adds the time of what is done, after the disk owes nothing."""
    os.sync()
    begun = time.perf_counter()
    yield
    measured.clock.append(time.perf_counter() - begun)


# --- a whole run beside plain files -----------------------------------------------------------------------


def whole_run(inbox: Path, place: Path, repeat: int) -> tuple[Measured, Measured, int, int]:
    """A run over an inbox, and the creation of the same files with the same bytes; how many files and bytes."""
    run, plain, count, size = Measured([], []), Measured([], []), 0, 0
    for turn in range(repeat):
        lake, copy = place / f"lake-{turn}", place / f"copy-{turn}"
        with timed(run):
            subprocess.run(  # noqa: S603 - this program
                [*_COMMAND, "run", inbox, "--out", lake], check=True, stdout=subprocess.DEVNULL
            )
        files = [(str(file.relative_to(lake)), file.read_bytes()) for file in lake.rglob("*") if file.is_file()]
        count, size = len(files), sum(len(content) for _, content in files)
        with timed(plain):
            create(copy, files)
    return run, plain, count, size


def create(folder: Path, files: Sequence[tuple[str, bytes]]) -> None:
    """Each file by open, write and rename; its folders as they are needed."""
    staging = f"{folder}/staging"
    os.makedirs(staging)  # noqa: PTH103
    made: set[str] = set()
    for number, (name, content) in enumerate(files):
        staged, target = f"{staging}/{number}", f"{folder}/{name}"
        with open(staged, "wb", buffering=0) as file:  # noqa: PTH123
            file.write(content)
        parent = os.path.dirname(target)  # noqa: PTH120
        if parent not in made:
            os.makedirs(parent, exist_ok=True)  # noqa: PTH103
            made.add(parent)
        os.rename(staged, target)  # noqa: PTH104


# --- the writers ------------------------------------------------------------------------------------------


def writers(inbox: Path, place: Path, repeat: int) -> tuple[dict[str, Measured], int]:
    """Every writer on the same rows, in turns; how many partitions there are.

    Two processes hold a half of the rows each, as in a run, and write it; then comes the commit. The
    others have all rows in this process, and use what threads they like.
    """
    found = [os.fspath(item.path) for item in find_inputs([os.fspath(inbox)]).found if isinstance(item, Found)]
    frames = held_frames(found)
    arrow = {name: frame.to_arrow() for name, frame in frames.items()}
    partitions = sum(frame.select(KEYS).n_unique() for frame in frames.values())
    os.environ["PYTHONPATH"] = os.fspath(Path(__file__).parent.parent)  # workers look for the jobs of this benchmark
    with Workers(2) as workers, duckdb.connect() as database:
        half = (len(found) + 1) // 2
        wait([workers.submit(hold, part) for part in (found[:half], found[half:])])
        designs: dict[str, Callable[[Path], None]] = {
            "this": lambda folder: _write_here(folder, workers),
            "polars": lambda folder: _write_by_polars(folder, frames),
            "write_dataset": lambda folder: _write_by_pyarrow(folder, arrow),
            "duckdb": lambda folder: _write_by_duckdb(folder, arrow, database),
        }
        measured = {name: Measured([], []) for name in designs}
        for turn in range(repeat):
            for name, design in designs.items():
                folder = place / f"{name}-{turn}"
                folder.mkdir()
                with timed(measured[name]):
                    design(folder)
                _same_rows(name, folder, frames)
    return measured, partitions


def _write_here(folder: Path, workers: Workers) -> None:
    with LakeLock(folder), Staging(folder, "benchmark") as staging:
        staged = staging.next_folder()
        jobs = [workers.submit(write_held, staged) for _ in range(workers.count)]
        staging.commit(staged, [file for job in jobs for file in job.result()])


def _write_by_polars(folder: Path, frames: dict[str, pl.DataFrame]) -> None:
    for name, frame in frames.items():
        target = pl.PartitionBy(folder / name, key=KEYS, include_key=False)
        frame.lazy().sink_parquet(target, compression="zstd", mkdir=True)


def _write_by_pyarrow(folder: Path, arrow: dict[str, pa.Table]) -> None:
    for name, data in arrow.items():
        keys = pads.partitioning(pa.schema([data.schema.field(key) for key in KEYS]), flavor="hive")
        options = pads.ParquetFileFormat().make_write_options(compression="zstd")
        pads.write_dataset(
            data, folder / name, format="parquet", partitioning=keys, file_options=options, max_partitions=1_000_000,
            existing_data_behavior="overwrite_or_ignore",
        )  # fmt: skip


def _write_by_duckdb(folder: Path, arrow: dict[str, pa.Table], database: duckdb.DuckDBPyConnection) -> None:
    for name, data in arrow.items():
        database.register("given", data)
        database.execute(
            f"COPY given TO '{folder / name}' (FORMAT parquet, PARTITION_BY ({', '.join(KEYS)}), COMPRESSION zstd)"
        )


def _same_rows(writer: str, folder: Path, frames: dict[str, pl.DataFrame]) -> None:
    """Raises DifferentValuesError where a writer wrote another number of rows."""
    for name, frame in frames.items():
        rows = sum(pq.read_metadata(file).num_rows for file in (folder / name).rglob("*.parquet"))
        if rows != frame.height:
            raise DifferentValuesError(f"{writer}: {rows:,} rows in {name}, {frame.height:,} given")


# --- what a report costs in runs of any size --------------------------------------------------------------


@dataclass(frozen=True)
class Cost:
    """A run: reports, seconds on the clock and of all cores, and the most memory of all its processes (PSS)."""

    reports: int
    clock: float
    cores: float
    memory: int


def growth(inbox: Path, place: Path, sizes: Sequence[int]) -> list[Cost]:
    """What runs of so many reports cost."""
    costs = []
    deals = sorted(inbox.iterdir())
    for size in sizes:
        part, lake = place / f"inbox-{size}", place / f"lake-{size}"
        part.mkdir()
        reports = 0
        for deal in deals:
            if reports >= size:
                break
            files = sorted(deal.iterdir())[: size - reports]
            (part / deal.name).mkdir()
            for file in files:
                os.link(file, part / deal.name / file.name)
            reports += len(files)
        costs.append(_cost(part, lake, reports))
    return costs


def _cost(inbox: Path, lake: Path, reports: int) -> Cost:
    os.sync()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begun = time.perf_counter()
    command = [*_COMMAND, "run", os.fspath(inbox), "--out", os.fspath(lake)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:  # noqa: S603 - this program
        memory = 0
        while process.poll() is None:
            memory = max(memory, sum(map(_memory, _family(process.pid))))
            time.sleep(0.2)
    clock = time.perf_counter() - begun
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cores = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(reports, clock, cores, memory)


def _family(process: int) -> list[int]:
    """A process and all that it has started."""
    family = [process]
    try:
        for thread in os.listdir(f"/proc/{process}/task"):  # noqa: PTH208
            children = Path(f"/proc/{process}/task/{thread}/children").read_text(encoding="ascii")
            family += [member for child in children.split() for member in _family(int(child))]
    except OSError:
        return family  # it has ended
    return family


def _memory(process: int) -> int:
    """Bytes of a process; memory that several share counts for each in part."""
    try:
        text = Path(f"/proc/{process}/smaps_rollup").read_text(encoding="ascii")
    except OSError:
        return 0
    return int(text.partition("Pss:")[2].split()[0]) * 1024 if "Pss:" in text else 0


# --- the page ---------------------------------------------------------------------------------------------


def compare(
    place: Path, reports: int, written: int, repeat: int, sizes: Sequence[int], inbox: Path | None = None
) -> str:
    """All measurements, as the Markdown that the page holds."""
    whole, small = place / "inbox", place / "small"
    write_inbox(whole, reports)
    write_inbox(small, written)
    runs, writing = place / "runs", place / "writers"
    runs.mkdir()
    writing.mkdir()
    parts = [_machine(repeat), _whole(reports, *whole_run(whole, runs, repeat))]
    parts.append(_writers(written, *writers(small, writing, repeat)))
    if sizes:
        if inbox is None:
            inbox = place / "growth"
            write_inbox(inbox, max(sizes))
        parts.append(_growth(growth(inbox, place, sizes)))
    return "\n\n".join(parts)


def _machine(repeat: int) -> str:
    return (
        f"Medians of {repeat} repetitions. {os.cpu_count()} processor cores ({platform.machine()}). "
        f"Python {platform.python_version()}, pyarrow {pa.__version__}, polars {pl.__version__}, "
        f"duckdb {duckdb.__version__}."
    )


def _whole(reports: int, run: Measured, plain: Measured, count: int, size: int) -> str:
    ratio = run.seconds / plain.seconds
    reached = "reached" if ratio <= LIMIT else "not reached"
    return "\n".join(
        [
            f"| {reports:,} reports, {count:,} files, {size / 1e6:.0f} MB | time / plain files | seconds | from, to |",
            "| --- | ---: | ---: | --- |",
            f"| plain files: open, write, rename | 1.00 | {plain.seconds:.1f} | {plain.spread} |",
            f"| `etl run` | {ratio:.2f} | {run.seconds:.1f} | {run.spread} |",
            "",
            f"Aim: at most {LIMIT:.0f} times the plain files. Measured: {ratio:.2f} times, {reached}.",
        ]
    )


def _writers(reports: int, measured: dict[str, Measured], partitions: int) -> str:
    does = {
        "this": "staged by two processes, one commit; nullability, field metadata, one schema",
        "polars": "`sink_parquet` with `PartitionBy`: no nullability, no metadata, not atomic",
        "write_dataset": "`pyarrow.dataset.write_dataset`: not atomic",
        "duckdb": "`COPY ... PARTITION_BY`: no nullability, no metadata, not atomic",
    }
    base = measured["this"].seconds
    rows = [
        f"| {name} | {does[name]} | {one.seconds / base:.2f} | {one.seconds:.1f} | {one.spread} |"
        for name, one in measured.items()
    ]
    faster = all(measured[name].seconds > base for name in ("write_dataset", "duckdb"))
    slower = base / measured["polars"].seconds
    said = f"Aim: faster than the last two: {'reached' if faster else 'not reached'}; at most {SLOWEST} times polars: "
    return "\n".join(
        [
            (
                f"| {reports:,} reports, {partitions:,} partitions of {len(TABLES)} tables | how | time / this "
                "| seconds | from, to |"
            ),
            "| --- | --- | ---: | ---: | --- |",
            *rows,
            "",
            f"{said}{slower:.2f} times, {'reached' if slower <= SLOWEST else 'not reached'}.",
        ]
    )


def _growth(costs: Sequence[Cost]) -> str:
    first = costs[0]
    rows = [
        f"| {cost.reports:,} | {cost.clock / cost.reports / (first.clock / first.reports):.2f} "
        f"| {cost.cores / cost.reports / (first.cores / first.reports):.2f} "
        f"| {cost.clock / cost.reports * 1e3:.2f} | {cost.cores / cost.reports * 1e3:.2f} | {cost.memory / 2**20:.0f} |"
        for cost in costs
    ]
    head = (
        f"| reports | time per report / the same at {first.reports:,} | core time / the same | ms per report "
        "| core ms per report | MiB |"
    )
    return "\n".join([head, "| ---: | ---: | ---: | ---: | ---: | ---: |", *rows])


def main(arguments: Sequence[str]) -> int:
    """Measure, print, and write if asked to."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.writing", description=__doc__.partition("\n")[0])
    parser.add_argument("--reports", type=int, default=5000, help="reports of the whole run (5000)")
    parser.add_argument("--written", type=int, default=1000, help="reports that the writers write (1000)")
    parser.add_argument("--repeat", type=int, default=3, help="repetitions (3)")
    parser.add_argument("--growth", type=int, nargs="*", default=[], help="sizes of runs whose cost is compared")
    parser.add_argument("--inbox", type=Path, help="inbox for --growth, made by benchmarks.inbox on the same disk")
    parser.add_argument("--folder", type=Path, help="where to write; by default the system's temporary folder")
    parser.add_argument("--write", action="store_true", help="rewrite the tables in docs/benchmarks.md")
    given = parser.parse_args(arguments)
    compileall.compile_dir(Path(etl.__file__).parent, quiet=1)  # as an installation has it
    with TemporaryDirectory(dir=given.folder, prefix="etl-writing-") as place:
        text = compare(Path(place), given.reports, given.written, given.repeat, given.growth, given.inbox)
    return publish(text, PAGE, BEGIN, END, writes=given.write)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
