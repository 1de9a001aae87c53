"""Measures the generic reading: each report read without the layout that knows it, and damaged copies.

python -m benchmarks.generic [--corpus FOLDER]            prints the tables
python -m benchmarks.generic [--corpus FOLDER] --write    and puts them into docs/generic.md

What is read is held against what the report prints: by its own layout, by the generator that made it, or by a
second reading in this file that knows nothing of drafts.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import polars as pl

from benchmarks.page import write
from etl.batch import read_batch
from etl.documents import Document, Reject, document_from_bytes
from etl.generic import Proposal, propose
from etl.layout import Layout, choose_layout, load_layouts
from etl.schema import unit_of
from tests.kit import make_deal, random_style, render, simulate
from tests.unknown_reports import MONEY, STYLES, unknown_report

PAGE = Path(__file__).parent.parent / "docs" / "generic.md"
BEGIN, END = "<!-- generic: begin -->", "<!-- generic: end -->"
RESIDENTIAL = "rfmsi_2000-12-26_8-K_reports-001-100.txt"
AAMES = "aames-1998-c_1998-12-15_8-K.txt"
ABSC = "absc-2003-he2_2003-11-17_8-K.txt"

# The raw cells of a class table: class key → field → text.
Printed = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class Sample:
    """A report and what it prints of its classes in dollars."""

    name: str
    text: str
    printed: Printed

    @property
    def cells(self) -> int:
        """How many cells in dollars its class table prints."""
        return sum(field != "cusip" for row in self.printed.values() for field in row)


@dataclass(frozen=True)
class Reading:
    """What became of a report: its cells in dollars that were given, the wrong ones in words, or the reject."""

    cells: int
    wrong: tuple[str, ...]
    reject: Reject | None


# --- the reports ---------------------------------------------------------------------------------------------------


def unknown_samples(number: int) -> list[Sample]:
    """Generated reports of layouts that the program does not know."""
    reports = [(seed, unknown_report(seed)) for seed in range(number)]
    return [
        Sample(f"{report.style}, {seed}", report.text, _as_printed(report.text, report.printed))
        for seed, report in reports
    ]


def _as_printed(text: str, figures: Printed) -> Printed:
    """The figures of the fields whose columns the report has at all: every style leaves some out."""
    style = next((heads for _, heads in STYLES.values() if _heads_in(text, heads)), {})
    return {
        key: {field: raw for field, raw in row.items() if field in style or field == "cusip"}
        for key, row in figures.items()
    }


def _heads_in(text: str, heads: Mapping[str, tuple[str, ...]]) -> bool:
    return all(line in text for head in heads.values() for line in head)


def us_bank_samples(layouts: Sequence[Layout], deals: int) -> list[Sample]:
    """Generated reports of a known layout, two months of each deal; what they print by their own layout's reading."""
    reports = [(seed, report) for seed in range(deals) for report in simulate(make_deal(seed), 2)]
    texts = {f"deal {seed}, {report.distribution_date}": render(report, random_style(seed)) for seed, report in reports}
    return list(_by_layout(texts, layouts))


def _by_layout(texts: Mapping[str, str], layouts: Sequence[Layout]) -> Iterator[Sample]:
    documents = [_document(name, text) for name, text in texts.items()]
    batch = read_batch(documents, layouts)
    names = pl.col("table", "field").cast(pl.String)
    cells = batch.tables["records"].select("document", "class_key", "raw", names).filter(pl.col("table") == "classes")
    printed: dict[int, dict[str, dict[str, str]]] = {}
    for number, key, raw, _, field in cells.iter_rows():
        if unit_of("classes", field) == "usd":
            printed.setdefault(number, {}).setdefault(key, {})[field] = raw
    for number, document in enumerate(documents):
        yield Sample(document.source, document.text, printed[number])


def corpus_samples(folder: Path, layouts: Sequence[Layout]) -> dict[str, list[Sample]]:
    """The real filings that are there, cut into their reports."""
    found: dict[str, list[Sample]] = {}
    if (folder / ABSC).is_file():
        found["a real report with notional classes"] = list(_by_layout({ABSC: _text(folder / ABSC)}, layouts))
    if (folder / AAMES).is_file():
        text = _text(folder / AAMES).split("<TEXT>")[2].partition("</TEXT>")[0]
        found["a real report with two class tables"] = [Sample(AAMES, text, _aames_printed(text))]
    if (folder / RESIDENTIAL).is_file():
        found["real reports with three strips"] = residential_samples(folder / RESIDENTIAL)
    return found


def residential_samples(file: Path) -> list[Sample]:
    """The reports of one real filing, with a reading of their class tables by the places of their words alone."""
    lines = _text(file).split("\n")
    begins = [
        number
        for number in range(len(lines) - 1)
        if lines[number].startswith("Run:") and re.match("Page: +1 of", lines[number + 1])
    ]
    texts = ["\n".join(lines[first:after]) for first, after in zip(begins, [*begins[1:], len(lines)], strict=True)]
    return [Sample(f"report {number}", text, _residential_printed(text)) for number, text in enumerate(texts, 1)]


def _text(file: Path) -> str:
    return file.read_bytes().decode("cp1252").replace("\r\n", "\n")


_FIRST = ("original_balance", "beginning_balance", "principal_distribution")
_SECOND = ("interest_distribution", "total_distribution", "deferred_interest", "realized_loss", "ending_balance")
_LABEL = 8


def _residential_printed(text: str) -> Printed:
    printed: dict[str, dict[str, str]] = {}
    fields: tuple[str, ...] = ()
    for line in text.split("\n"):
        if line.startswith("CLASS   CUSIP"):
            fields = _FIRST
        elif line.strip().startswith("DISTRIBUTION   DISTRIBUTION     INTEREST"):
            fields = _SECOND
        elif line.startswith("CLASS"):
            fields = ()
        words = [word for word in line.split() if re.fullmatch(r"[0-9,]*[.][0-9]{2,6}", word)]
        if fields == _FIRST and "%" in line:
            words.pop(-2)  # the rate
        if fields and len(words) == len(fields):
            key = line[:_LABEL].strip() or ("TOTAL" if "%" not in line else "?")
            row = printed.setdefault(key, {})
            row.update(zip(fields, words, strict=True))
            if cusip := re.search(r"\b7609[0-9A-Z]{5}\b", line):
                row["cusip"] = cusip.group()
    return printed


_AAMES = (
    "original_balance", "beginning_balance", "interest_distribution", "principal_distribution", "total_distribution",
    "realized_loss", "deferred_interest", "ending_balance",
)  # fmt: skip


def _aames_printed(text: str) -> Printed:
    rows = [line.split() for line in text.split("\n")]
    return {
        row[0] if row[0] != "TOTALS" else f"TOTAL above line {number}": dict(zip(_AAMES, row[1:], strict=True))
        for number, row in enumerate(rows, 1)
        if len(row) == len(_AAMES) + 1 and re.fullmatch("[A-Z][A-Z0-9-]*", row[0]) and "," in row[1] + row[2] + ",."
        and all(re.fullmatch(r"[0-9,]+[.][0-9]{2}", word) for word in row[1:])
    }  # fmt: skip


# --- the reading ---------------------------------------------------------------------------------------------------


def read_generically(samples: Sequence[Sample], layouts: Sequence[Layout]) -> list[Reading]:
    """Each report read by the layouts that do not know it."""
    readings = []
    for sample in samples:
        batch = read_batch([_document(sample.name, sample.text)], _without_own(sample.text, layouts))
        if batch.rejects:
            readings.append(Reading(0, (), batch.rejects[0]))
        else:
            cells, wrong = _compared(batch.tables["classes"], sample.printed)
            readings.append(Reading(cells, tuple(wrong), None))
    return readings


def _without_own(text: str, layouts: Sequence[Layout]) -> list[Layout]:
    scores = choose_layout([text], layouts)
    own = set(scores.filter(pl.col("found") == pl.col("wanted"))["layout"])
    return [layout for number, layout in enumerate(layouts) if number not in own]


def _compared(classes: pl.DataFrame, printed: Printed) -> tuple[int, list[str]]:
    """How many cells in dollars are given, and those that are not as printed."""
    cells, wrong = 0, []
    for row in classes.iter_rows(named=True):
        said = printed.get(row["class_key"], {})
        for field in MONEY:
            if row[field] is None:
                continue
            cells += 1
            if field not in said or row[field] != _value(said[field]):
                wrong.append(f"{row['class_key']} {field}: {row[field]}, printed {said.get(field)}")
        if row["cusip"] is not None and row["cusip"] != said.get("cusip"):
            wrong.append(f"{row['class_key']} cusip: {row['cusip']}, printed {said.get('cusip')}")
        if row["class_id"] not in (None, row["class_key"]):
            wrong.append(f"{row['class_key']} is printed {row['class_id']}")
    return cells, wrong


def _value(raw: str) -> object:
    return pl.Series([raw.strip("()").replace(",", "")]).cast(pl.Decimal(18, 2))[0] * (-1 if "(" in raw else 1)


def _document(name: str, text: str) -> Document:
    document = document_from_bytes(text.encode(), name)
    if isinstance(document, Reject):
        raise TypeError(f"{name} is no text: {document.message}")
    return document


# --- damage --------------------------------------------------------------------------------------------------------


def changed_digit(text: str, random: Random) -> str:
    """The text with one digit changed, anywhere."""
    at = random.choice([place for place, character in enumerate(text) if character.isdigit()])
    other = random.choice([digit for digit in "0123456789" if digit != text[at]])
    return text[:at] + other + text[at + 1 :]


def dropped_line(text: str, random: Random) -> str:
    """The text without one of its lines that have numbers."""
    lines = text.split("\n")
    at = random.choice([number for number, line in enumerate(lines) if any(map(str.isdigit, line))])
    return "\n".join(lines[:at] + lines[at + 1 :])


def swapped_lines(text: str, random: Random) -> str:
    """The text with two neighbouring lines that have numbers in each other's place."""
    lines = text.split("\n")
    numeric = [
        number for number, line in enumerate(lines[:-1]) if any(map(str.isdigit, line)) and lines[number + 1].strip()
    ]
    at = random.choice(numeric)
    return "\n".join([*lines[:at], lines[at + 1], lines[at], *lines[at + 2 :]])


DAMAGE: Mapping[str, Callable[[str, Random], str]] = {
    "a digit changed": changed_digit,
    "a line dropped": dropped_line,
    "two lines swapped": swapped_lines,
}


def damaged_copies(samples: Sequence[Sample], times: int) -> Iterator[tuple[str, str, Printed]]:
    """Kinds of damage, damaged copies, and what the undamaged report prints."""
    random = Random(0)  # noqa: S311 - made-up damage
    for sample in samples:
        for kind, damage in DAMAGE.items():
            for _ in range(times):
                yield kind, damage(sample.text, random), sample.printed


def swapped_heads(number: int) -> Iterator[tuple[str, str, Printed]]:
    """Generated reports in which the heads of two columns stand in each other's place."""
    random = Random(1)  # noqa: S311 - made-up damage
    for seed in range(number):
        first, second = random.sample(MONEY, 2)
        report, swapped = unknown_report(seed), unknown_report(seed, (first, second))
        if swapped.text != report.text:
            yield "two heads swapped", swapped.text, report.printed


def wrong_cells(text: str, printed: Printed) -> list[str] | None:
    """The cells that a generic reading of the text gives and that are not `printed`; None where it is refused.

    What is proposed is what the engine reads, or the document is rejected: so the engine need not run here.
    """
    proposal = propose(text, 1, (), None)
    if not isinstance(proposal, Proposal):
        return None
    return [
        f"{cell.class_key} {cell.field}: {cell.raw}"
        for cell in proposal.cells
        if (printed.get(cell.class_key, {}).get(cell.field) if cell.field != "class_id" else cell.class_key) != cell.raw
        or cell.class_key not in printed
    ]


# --- the page --------------------------------------------------------------------------------------------------------


def measure(corpus: Path | None) -> Iterator[str]:
    """The tables of the page."""
    layouts = load_layouts()
    sets = {
        "generated reports of four unknown layouts": unknown_samples(100),
        "generated reports with notional classes": us_bank_samples(layouts, 30),
        **(corpus_samples(corpus, layouts) if corpus is not None else {}),
    }
    yield "| reports | number | read | class cells in dollars | given | wrong | ms each |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: | ---: |"
    refused: dict[str, Counter[str]] = {}
    read: dict[str, list[Sample]] = {}
    for name, samples in sets.items():
        begun = time.process_time()
        readings = read_generically(samples, layouts)
        each = (time.process_time() - begun) / len(samples) * 1000
        accepted = [sample for sample, reading in zip(samples, readings, strict=True) if reading.reject is None]
        read[name] = accepted
        refused[name] = Counter(_reason(reading.reject) for reading in readings if reading.reject is not None)
        cells, given = sum(sample.cells for sample in samples), sum(reading.cells for reading in readings)
        wrong = sum(len(reading.wrong) for reading in readings)
        yield f"| {name} | {len(samples)} | {len(accepted)} | {cells:,} | {given:,} | {wrong} | {each:.0f} |"
    yield "\nWhy the others were not read:\n\n| reports | why | number |\n| --- | --- | ---: |"
    for name, reasons in refused.items():
        for reason, number in reasons.most_common():
            yield f"| {name} | {reason} | {number} |"
    yield "\nDamaged copies of the reports that were read:\n\n| damage | copies | read all the same | wrong cells |"
    yield "| --- | ---: | ---: | ---: |"
    copies = [*damaged_copies([sample for accepted in read.values() for sample in accepted], 10), *swapped_heads(1000)]
    outcomes: dict[str, list[list[str] | None]] = {}
    for kind, text, printed in copies:
        outcomes.setdefault(kind, []).append(wrong_cells(text, printed))
    for kind, results in outcomes.items():
        got = [result for result in results if result is not None]
        yield f"| {kind} | {len(results):,} | {len(got):,} | {sum(map(len, got))} |"


_KINDS = {
    "rolls forward": "the balance of a class does not roll forward to the last digit",
    "classes move": "fewer than two balances move",
    "two tables": "two tables name classes",
    "no table of classes": "no table of classes with known heads",
    "add up": "the classes do not add up to the printed total",
}


def _reason(reject: Reject | None) -> str:
    message = "" if reject is None else reject.message
    return next((kind for words, kind in _KINDS.items() if words in message), message.rpartition(": ")[2])


def main(arguments: Sequence[str]) -> int:
    """Measure, print, and write if asked to."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.generic", description=__doc__.partition("\n")[0])
    parser.add_argument("--corpus", type=Path, default=os.environ.get("TRUSTEE_ETL_CORPUS"), help="the real filings")
    parser.add_argument("--write", action="store_true", help=f"rewrite the tables in {PAGE.name}")
    given = parser.parse_args(arguments)
    lines = []
    for line in measure(Path(given.corpus) if given.corpus else None):
        print(line, flush=True)
        lines.append(line)
    if given.write:
        write("\n".join(lines), PAGE, BEGIN, END)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
