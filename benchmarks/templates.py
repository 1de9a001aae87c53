"""Compares the program on one core with a ttp template and with plain `re`, in one run.

POLARS_MAX_THREADS=1 python -m benchmarks.templates             prints the table
POLARS_MAX_THREADS=1 python -m benchmarks.templates --write     and puts it into docs/benchmarks.md

Needs the extra `bench`. The template, ttp_classes.txt, knows the default style of the generated reports only,
so all reports here are printed in it.
"""

from __future__ import annotations

import argparse
import platform
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib.metadata import version
from itertools import count, islice
from pathlib import Path

import polars as pl
from ttp import ttp

from benchmarks import line_by_line
from benchmarks.extraction import DifferentValuesError, Measured, measure, verify
from benchmarks.page import PAGE, publish
from etl.batch import read_batch
from etl.documents import Document, Reject, document_from_bytes
from etl.layout import Layout, load_layouts
from etl.lines import lines_frame
from etl.records import extract
from etl.tables import field_values, identify_reports, tidy_tables
from tests.kit import make_deal, render, simulate

MONTHS = 12
AIM_TTP, AIM_RE = 50, 3
BEGIN, END = "<!-- one core: begin -->", "<!-- one core: end -->"
TEMPLATE = Path(__file__).parent / "ttp_classes.txt"

# The printed texts of each block and field, from the top of a report to its end.
Strips = dict[tuple[str, str], list[str]]


def reports(number: int) -> list[Document]:
    """So many generated reports in the default style: twelve months of each deal."""
    return list(islice(_all_reports(), number))


def _all_reports() -> Iterator[Document]:
    for seed in count():
        for month, report in enumerate(simulate(make_deal(seed), MONTHS)):
            document = document_from_bytes(render(report).encode(), f"deal-{seed}-month-{month}.txt")
            if isinstance(document, Reject):
                raise TypeError(f"the generated report is no text: {document.message}")
            yield document


def read_by_template(parser: ttp, texts: Sequence[str]) -> list[Strips]:
    """The class tables of each text; `parser` has compiled the template."""
    parser.clear_input()
    parser.clear_result()
    for text in texts:
        parser.add_input(text)
    parser.parse(one=True)
    return [
        {(block, field): printed.split() for block, fields in found.items() for field, printed in fields.items()}
        for found in parser.result(structure="flat_list")
    ]


def read_without_checks(documents: Sequence[Document], layout: Layout) -> dict[str, pl.DataFrame]:
    """Documents → records → tidy tables, as `etl.batch` does it, and nothing after that."""
    extraction = extract(lines_frame([document.text for document in documents]), layout)
    said = field_values(extraction.records)
    identity = identify_reports(said, documents)
    return tidy_tables(extraction.records, said, identity, documents, layout)


def verify_template(records: pl.DataFrame, read: Sequence[Strips]) -> int:
    """How many printed class values both read alike; `records` are those of the batch.

    Raises DifferentValuesError where one differs, or one of them has a value that the other lacks.
    """
    names = pl.col("block", "field", "table").cast(pl.String)
    cells = records.select("document", names, "raw").filter(pl.col("table") == "classes")
    wanted: list[Strips] = [{} for _ in read]
    for document, block, field, _, raw in cells.iter_rows():
        wanted[document].setdefault((block, field), []).append(raw)
    for document, (ours, theirs) in enumerate(zip(wanted, read, strict=True)):
        for strip in ours.keys() | theirs.keys():
            if ours.get(strip) != theirs.get(strip):
                raise DifferentValuesError(f"{document}, {strip}: {ours.get(strip)} here, {theirs.get(strip)} by ttp")
    return cells.height


def compare(documents: Sequence[Document], repeat: int) -> str:
    """The measurements, as the Markdown that the page holds."""
    (layout,) = layouts = [layout for layout in load_layouts() if layout.name == "us-bank-text"]
    texts = [document.text for document in documents]
    parser = ttp(template=TEMPLATE.read_text(encoding="utf-8"), log_level="ERROR")
    batch = read_batch(documents, layouts)
    verify(batch, line_by_line.read(texts))
    alike = verify_template(batch.tables["records"], read_by_template(parser, texts))
    del batch
    designs: dict[str, Callable[[], object]] = {
        "ttp": partial(read_by_template, parser, texts),
        "re": partial(line_by_line.read, texts),
        "no checks": partial(read_without_checks, documents, layout),
        "batch": partial(read_batch, documents, layouts),
    }
    return _table(measure(designs, repeat), len(documents), repeat, alike)


def _table(measured: dict[str, Measured], number: int, repeat: int, alike: int) -> str:
    does = {
        "ttp": "the class tables, as texts",
        "re": "all tables and the places of their cells, one layout, no checks and no rejects",
        "no checks": "all records and tidy tables of the program",
        "batch": "the program: the same, rejects, and all checks",
    }
    seconds = {name: one.core_seconds for name, one in measured.items()}
    rows = [
        f"| `{name}` | {what} | {seconds[name] / number * 1e3:.2f} | {seconds['ttp'] / seconds[name]:.2f} "
        f"| {seconds['re'] / seconds[name]:.2f} |"
        for name, what in does.items()
    ]
    setting = (
        f"{number:,} generated reports in the default style. Core time, medians of {repeat} repetitions, one core, "
        f"one thread of polars. Python {platform.python_version()}, polars {pl.__version__}, ttp {version('ttp')}."
    )
    return "\n".join(
        [
            setting,
            "",
            "| | what it reads | ms per report | `ttp` / this | `re` / this |",
            "| --- | --- | ---: | ---: | ---: |",
            *rows,
            "",
            f"`ttp` and `batch` agree on {alike:,} printed class values; `re` and `batch` on all that `re` reads.",
            "",
            *(
                f"Aim: at least {aim} times as fast as `{name}`. Measured without checks: {ratio:.1f} times, "
                f"{'reached' if ratio >= aim else 'not reached'}."
                for name, aim in (("ttp", AIM_TTP), ("re", AIM_RE))
                for ratio in [seconds[name] / seconds["no checks"]]
            ),
        ]
    )


def main(arguments: Sequence[str]) -> int:
    """Measure, print, and write if asked to."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.templates", description=__doc__.partition("\n")[0])
    parser.add_argument("--reports", type=int, default=500, help="reports in the batch (500)")
    parser.add_argument("--repeat", type=int, default=5, help="repetitions that count (5)")
    parser.add_argument("--write", action="store_true", help="rewrite the table in docs/benchmarks.md")
    given = parser.parse_args(arguments)
    if given.reports < 1 or given.repeat < 1:
        parser.error("--reports and --repeat must be at least 1")
    if pl.thread_pool_size() != 1:
        parser.error("set POLARS_MAX_THREADS=1: ttp and re use one core, so must the program")
    text = compare(reports(given.reports), given.repeat)
    return publish(text, PAGE, BEGIN, END, writes=given.write)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
