"""Compares two ways to read a batch of reports, in one run, side by side.

python -m benchmarks.extraction                     prints the tables
python -m benchmarks.extraction --write             and puts them into docs/benchmarks.md
python -m benchmarks.extraction --reports 200 --repeat 3
"""

from __future__ import annotations

import argparse
import gc
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count, islice
from unittest import mock

import polars as pl

import etl.batch
import etl.records
from benchmarks import line_by_line
from benchmarks.page import PAGE, publish
from etl.batch import Batch, read_batch
from etl.documents import Document, Reject, document_from_bytes
from etl.layout import Layout, load_layouts
from tests.kit import make_deal, random_style, render, simulate

MONTHS = 12
AIM = 40

_EXTRACT = "extract the records"
_WITHIN_EXTRACT = "extract: "
_LAST_OF_EXTRACT = "extract: cover and other prose"
_REST_OF_EXTRACT = "extract: type, order and check the cells"
_REST = "all other steps"
# Steps of a batch whose time is taken, by the module that calls them. A step within a step counts in both.
STEPS = (
    (etl.batch, "choose_layout", "choose the layout"),
    (etl.batch, "lines_frame", "split into lines"),
    (etl.batch, "extract", _EXTRACT),
    (etl.records, "find_heads", "extract: find heads"),
    (etl.records, "label_lines", "extract: say in which block each line stands"),
    (etl.records, "read_class_blocks", "extract: blocks with a row for each class"),
    (etl.records, "read_group_blocks", "extract: tables by loan group"),
    (etl.records, "read_single_lines", "extract: lines that stand by themselves"),
    (etl.records, "read_prose", _LAST_OF_EXTRACT),
    (etl.batch, "field_values", "tidy: what the report says of itself"),
    (etl.batch, "identify_reports", "tidy: deal and date"),
    (etl.batch, "tidy_tables", "tidy: the tables"),
    (etl.batch, "evaluate", "checks"),
)


class DifferentValuesError(Exception):
    """The two designs do not read the same values, so their times must not be compared."""


@dataclass(frozen=True)
class Measured:
    """Seconds of each repetition: on the clock, and of all processor cores together."""

    clock: list[float]
    cores: list[float]

    @property
    def seconds(self) -> float:
        """The median on the clock."""
        return statistics.median(self.clock)

    @property
    def core_seconds(self) -> float:
        """The median over all cores."""
        return statistics.median(self.cores)

    @property
    def spread(self) -> str:
        """The fastest and the slowest repetition."""
        return f"{_seconds(min(self.clock))} to {_seconds(max(self.clock))}"


def reports(number: int) -> list[Document]:
    """So many generated reports: twelve months of each deal, each deal in a style of its own."""
    return list(islice(_all_reports(), number))


def _all_reports() -> Iterator[Document]:
    for seed in count():
        for month, report in enumerate(simulate(make_deal(seed), MONTHS)):
            text = render(report, random_style(seed))
            document = document_from_bytes(text.encode(), f"deal-{seed}-month-{month}.txt")
            if isinstance(document, Reject):
                raise TypeError(f"the generated report is no text: {document.message}")
            yield document


def split(frame: pl.DataFrame) -> pl.DataFrame:
    """The least that any reading in polars does: the texts as lines, and nothing else."""
    return frame.with_columns(pl.col("text").str.split("\n")).explode("text")


def measure(designs: dict[str, Callable[[], object]], repeat: int) -> dict[str, Measured]:
    """Each design `repeat` times, in turns, after one turn that does not count."""
    measured = {name: Measured([], []) for name in designs}
    for turn in range(repeat + 1):
        for name, work in designs.items():
            gc.collect()
            gc.disable()  # as timeit does: no design pays for what another one left behind
            clock, cores = time.perf_counter(), time.process_time()
            result = work()
            seconds, core_seconds = time.perf_counter() - clock, time.process_time() - cores
            gc.enable()
            del result
            if turn:
                measured[name].clock.append(seconds)
                measured[name].cores.append(core_seconds)
    return measured


def verify(batch: Batch, read: line_by_line.Tables) -> int:
    """How many numbers of class, pool, loan and labelled rows both designs read alike.

    Raises DifferentValuesError where one value, or one place of a value, differs.
    """
    if batch.rejects:
        raise DifferentValuesError(f"{len(batch.rejects)} reports were rejected: {batch.rejects[0].message}")
    dated = batch.tables["reports"].join(batch.identity.select("document", "distribution_date"), on="document")
    _same_rows("reports", dated, read.reports, ["document"])
    _same_rows("classes", batch.tables["classes"], read.classes, ["document", "class_key"])
    _same_rows("pools", batch.tables["pools"], read.pools, ["document", "group_id"])
    loans = batch.tables["delinquencies"].rename({"status": "loan_status"})
    _same_rows("delinquencies", loans, read.delinquencies, ["document", "group_id", "loan_status", "bucket"])
    _same_rows("measures", batch.tables["measures"], read.measures, ["document", "measure"])
    _same_rows("triggers", batch.tables["triggers"], read.triggers, ["document", "trigger"])
    cells = pl.col("table").is_in(["classes", "pools", "delinquencies", "measures"]) & pl.col("value").is_not_null()
    place = ["document", "line", "column_start", "column_end", "field", "class_key", "group_id", "raw", "value"]
    names = pl.col("table", "field", "group_id").cast(pl.String)
    here = batch.tables["records"].with_columns(names).filter(cells).select(place).sort(place[:3])
    there = read.records.filter(cells).select(place).sort(place[:3])
    if here.height != there.height:
        raise DifferentValuesError(f"records: {here.height} numbers in the batch, {there.height} line by line")
    for name in place:
        if not here[name].equals(there[name]):
            row = (here[name].ne_missing(there[name])).arg_true()[0]
            raise DifferentValuesError(f"records, {name}: {here.row(row)} in the batch, {there.row(row)} line by line")
    return here.height


def _same_rows(table: str, here: pl.DataFrame, there: pl.DataFrame, keys: Sequence[str]) -> None:
    """Every column that reading line by line gives is the same in the batch, row by row."""
    here, there = here.with_columns(pl.col(pl.Enum).cast(pl.String)).sort(keys), there.sort(keys)
    if here.height != there.height:
        raise DifferentValuesError(f"{table}: {here.height} rows in the batch, {there.height} line by line")
    for name in there.columns:
        mine, theirs = here[name].cast(there.schema[name]), there[name]
        if not mine.equals(theirs):
            row = mine.ne_missing(theirs).arg_true()[0]
            raise DifferentValuesError(f"{table}, {name}: {here.row(row)} in the batch, {there.row(row)} line by line")
    numbers = [name for name, kind in here.schema.items() if kind.is_decimal() and here[name].count()]
    if missing := set(numbers) - set(there.columns):
        raise DifferentValuesError(f"{table}: not read line by line: {', '.join(sorted(missing))}")


@contextmanager
def timed_steps(seconds: dict[str, float]) -> Iterator[None]:
    """Adds to `seconds` the time of each step, while the program runs."""

    def timed(work: Callable[..., object], label: str) -> Callable[..., object]:
        def run(*arguments: object, **named: object) -> object:
            begun = time.perf_counter()
            try:
                return work(*arguments, **named)
            finally:
                seconds[label] = seconds.get(label, 0.0) + time.perf_counter() - begun

        return run

    with ExitStack() as stack:
        for module, name, label in STEPS:
            stack.enter_context(mock.patch.object(module, name, timed(getattr(module, name), label)))
        yield


def shares(documents: Sequence[Document], layouts: Sequence[Layout], repeat: int) -> list[tuple[str, float]]:
    """Each step and its share of the batch's time, in the repetition with the median time."""
    turns: list[tuple[float, dict[str, float]]] = []
    for _ in range(repeat):
        seconds: dict[str, float] = {}
        with timed_steps(seconds):
            begun = time.perf_counter()
            read_batch(documents, layouts)
            turns.append((time.perf_counter() - begun, seconds))
    total, seconds = sorted(turns, key=lambda turn: turn[0])[len(turns) // 2]
    within = sum(spent for label, spent in seconds.items() if label.startswith(_WITHIN_EXTRACT))
    outer = sum(spent for label, spent in seconds.items() if not label.startswith(_WITHIN_EXTRACT))
    seconds |= {_REST_OF_EXTRACT: seconds[_EXTRACT] - within, _REST: total - outer}
    labels = [label for _, _, label in STEPS]
    labels.insert(labels.index(_LAST_OF_EXTRACT) + 1, _REST_OF_EXTRACT)
    return [(label, seconds[label] / total) for label in (*labels, _REST)]


def compare(documents: Sequence[Document], repeat: int) -> str:
    """All measurements, as the Markdown that the page holds."""
    layouts = load_layouts()
    texts = [document.text for document in documents]
    frame = pl.DataFrame({"text": texts}).with_row_index("document")
    batch = read_batch(documents, layouts)
    alike = verify(batch, line_by_line.read(texts))
    records, lines = batch.tables["records"].height, split(frame).height
    del batch
    sizes = sorted({1, *(max(1, len(documents) // part) for part in (8, 4, 2, 1))})
    designs: dict[str, Callable[[], object]] = {"split": partial(split, frame)}
    for size in sizes:
        designs[f"batch {size}"] = partial(read_batch, documents[:size], layouts)
        designs[f"re {size}"] = partial(line_by_line.read, texts[:size])
    measured = measure(designs, repeat)
    whole = {"split": measured["split"], **{name: measured[f"{name} {sizes[-1]}"] for name in ("batch", "re")}}
    parts = [
        _machine(len(documents), lines, sum(document.size for document in documents), repeat),
        _designs(whole, records, alike),
        _growth(measured, sizes),
        _steps(shares(documents, layouts, repeat)),
    ]
    return "\n\n".join(parts)


def _machine(number: int, lines: int, size: int, repeat: int) -> str:
    cores = os.cpu_count()
    return (
        f"{number:,} generated reports with {lines:,} lines, {size / 1e6:.1f} MB. Medians of {repeat} repetitions. "
        f"{cores} processor cores ({platform.machine()}), {pl.thread_pool_size()} threads of polars. "
        f"Python {platform.python_version()}, polars {pl.__version__}."
    )


def _designs(measured: dict[str, Measured], records: int, alike: int) -> str:
    base, batch = measured["split"], measured["batch"]
    does = {
        "split": "polars splits the texts into lines, nothing else",
        "batch": f"the program: {records:,} records, eight tables, rejects, checks",
        "re": "line by line in plain `re`: the same figures, without labels, footnotes, parties, rejects and checks",
    }
    rows = [
        f"| `{name}` | {does[name]} | {one.seconds / base.seconds:.1f} | {one.seconds / batch.seconds:.2f} "
        f"| {one.core_seconds / batch.core_seconds:.2f} | {_seconds(one.seconds)} | {one.spread} |"
        for name, one in measured.items()
    ]
    times = batch.seconds / base.seconds
    reached = "reached" if times <= AIM else "not reached"
    return "\n".join(
        [
            "| | what it does | time / `split` | time / `batch` | core time / `batch` | seconds | from, to |",
            "| --- | --- | ---: | ---: | ---: | ---: | --- |",
            *rows,
            "",
            f"`batch` and `re` agree on {alike:,} numbers: value, text, line, columns, class and group.",
            "",
            f"Aim: at most {AIM} times the time of `split`. Measured: {times:.0f} times, {reached}.",
        ]
    )


def _growth(measured: dict[str, Measured], sizes: Sequence[int]) -> str:
    whole = measured[f"batch {sizes[-1]}"].seconds / sizes[-1]
    rows = []
    for size in sizes:
        batch, other = measured[f"batch {size}"].seconds, measured[f"re {size}"].seconds
        rows.append(f"| {size:,} | {batch / size / whole:.2f} | {other / batch:.2f} | {batch / size * 1e3:.2f} |")
    head = f"| reports | `batch` per report / the same at {sizes[-1]:,} | `re` / `batch` | `batch`, ms per report |"
    return "\n".join([head, "| ---: | ---: | ---: | ---: |", *rows])


def _steps(steps: Sequence[tuple[str, float]]) -> str:
    rows = [f"| {label} | {share:.1%} |" for label, share in steps]
    return "\n".join(["| step of `batch` | share of its time |", "| --- | ---: |", *rows])


def _seconds(seconds: float) -> str:
    return f"{seconds:.3f}" if seconds < 1 else f"{seconds:.2f}"


def main(arguments: Sequence[str]) -> int:
    """Measure, print, and write if asked to."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.extraction", description=__doc__.partition("\n")[0])
    parser.add_argument("--reports", type=int, default=2000, help="reports in the batch (2000)")
    parser.add_argument("--repeat", type=int, default=5, help="repetitions that count (5)")
    parser.add_argument("--write", action="store_true", help="rewrite the tables in docs/benchmarks.md")
    given = parser.parse_args(arguments)
    if given.reports < 1 or given.repeat < 1:
        parser.error("--reports and --repeat must be at least 1")
    text = compare(reports(given.reports), given.repeat)
    return publish(text, PAGE, writes=given.write)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
