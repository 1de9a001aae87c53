"""Measures how well the checks of a report notice a wrong figure.

python -m benchmarks.detection                 prints the tables
python -m benchmarks.detection --write         and puts them into docs/detection.md
python -m benchmarks.detection --reports 3     fewer generated reports, for a quick look
python -m benchmarks.detection --unnoticed     lists each wrong figure that no check of its report notices
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from pathlib import Path
from random import Random

import polars as pl

from benchmarks.mutations import (
    ANY_DIGIT,
    DIGITS,
    LEADING_DIGIT,
    STRUCTURAL,
    TABLES,
    Cell,
    Mutation,
    cells,
    changed_digits,
    structural,
)
from benchmarks.neighbours import Compared, Failure, compared, failures
from benchmarks.page import publish
from etl.batch import Batch, read_safely
from etl.documents import Document, Reject, document_from_bytes
from etl.layout import Layout, load_layouts
from tests.kit import absc_2003_he2, make_deal, random_style, render, simulate

REPORTS = 20
MONTHS = 8
BATCH = 500
PAGE = Path(__file__).parent.parent / "docs" / "detection.md"

# A column below this rate is called undetectable, below the other one partly detectable.
UNDETECTABLE = 0.10
DETECTABLE = 0.95

_TIDY = ("reports", "classes", "pools", "delinquencies", "measures", "triggers")
# A number in an explanation; the 1 of class A-1 is none.
_NUMBER = re.compile(r"(?<![\w-])[0-9][0-9,.]*")
# Columns that tell which text was read, not what it says.
_OF_THE_TEXT = ("report_id", "source", "source_sha256", "source_bytes", "checks_passed", "checks_failed")

VERDICTS = pl.Schema(
    {
        "report": pl.String(),
        "real": pl.Boolean(),
        "kind": pl.String(),
        "table": pl.String(),
        "field": pl.String(),
        "unit": pl.String(),
        "what": pl.String(),
        "change": pl.Decimal(38, 10),
        "changed": pl.Boolean(),
        "rejected": pl.Boolean(),
        "noticed": pl.Boolean(),
        "explained": pl.Boolean(),
        "taken_up": pl.Boolean(),
        "with_neighbours": pl.Boolean(),
    }
)


@dataclass(frozen=True)
class Reading:
    """What became of one text: the reason why it was rejected, or what its checks and its tables say.

    `failed`: check and subject of the checks that failed. `explained`: check, subject and reason of those
    that are explained; a reason is an explanation without its numbers. `explanations`: the same with the numbers.
    `compared`: what the checks between distributions compare.
    """

    rejected: str | None
    failed: frozenset[tuple[str, str]]
    explained: frozenset[tuple[str, str, str]]
    explanations: frozenset[tuple[str, str, str]]
    tables: dict[str, pl.DataFrame]
    compared: Compared


@dataclass(frozen=True)
class Months:
    """The text of a report, and those of the months next to it."""

    before: tuple[str, ...]
    text: str
    after: tuple[str, ...]

    @property
    def all(self) -> tuple[str, ...]:
        """The texts in the order of the months."""
        return (*self.before, self.text, *self.after)


@dataclass(frozen=True)
class Original:
    """A report without a mistake: its text, its figures, and how it is read. `real` says that the figures are
    a real deal's.

    `before` and `after`: the months next to it. `failures`: the checks between distributions that fail among
    them without a mistake.
    """

    name: str
    real: bool
    text: str
    layout: Layout
    figures: list[Cell]
    reading: Reading
    before: tuple[Compared, ...]
    after: tuple[Compared, ...]
    failures: frozenset[Failure]

    def months_with(self, reading: Reading) -> list[Compared]:
        """The months of the deal with this reading in place of the report's own."""
        return [*self.before, reading.compared, *self.after]


# --- reading ----------------------------------------------------------------------------------------------


def readings(texts: Iterable[str], layouts: Sequence[Layout]) -> Iterator[Reading]:
    """What became of each text, in their order; they are read in batches."""
    pending = iter(texts)
    while batch := list(islice(pending, BATCH)):
        read: dict[str, Reading] = {}
        for part in read_safely(_documents(batch), layouts):
            read |= {reject.source: _rejected(reject) for reject in part.rejects}
            if part.tables:
                read |= _read(part)
        yield from (read[str(number)] for number in range(len(batch)))


def _documents(texts: Sequence[str]) -> list[Document]:
    loaded = [document_from_bytes(text.encode(), str(number)) for number, text in enumerate(texts)]
    documents = [item for item in loaded if isinstance(item, Document)]
    if len(documents) < len(loaded):
        raise TypeError("a report is no text")
    return documents


def _rejected(reject: Reject) -> Reading:
    """The reading of a rejected text. A text that breaks the program is not noticed: it is a defect to mend."""
    if reject.reason_code == "internal_error":
        raise ValueError(f"a mutated text breaks the program: {reject.message}")
    return Reading(reject.reason_code, frozenset(), frozenset(), frozenset(), {}, {})


def _read(batch: Batch) -> dict[str, Reading]:
    """The reading of each report of the batch, by its source."""
    sources: dict[int, str] = dict(batch.tables["reports"].select("document", "source").iter_rows())
    failed: dict[int, set[tuple[str, str]]] = {document: set() for document in sources}
    explained: dict[int, set[tuple[str, str, str]]] = {document: set() for document in sources}
    checks = batch.tables["checks"].select("document", "check", "subject", "outcome", "explanation")
    for document, check, subject, outcome, explanation in checks.filter(
        pl.col("outcome").is_in(["fail", "explained"])
    ).iter_rows():
        if outcome == "fail":
            failed[document].add((check, subject))
        else:
            explained[document].add((check, subject, explanation))
    tables = {name: _by_document(batch.tables[name]) for name in (*_TIDY, "records")}
    between = compared(batch)
    return {
        source: Reading(
            None,
            frozenset(failed[document]),
            frozenset((check, subject, _NUMBER.sub("#", text)) for check, subject, text in explained[document]),
            frozenset(explained[document]),
            {name: parts[document] for name, parts in tables.items() if document in parts},
            between[document],
        )
        for document, source in sources.items()
    }


def _by_document(frame: pl.DataFrame) -> dict[int, pl.DataFrame]:
    said = frame.drop(*_OF_THE_TEXT, strict=False).with_columns(pl.col(pl.Enum).cast(pl.String))
    parts = said.partition_by("document", as_dict=True, include_key=False)
    return {document: part for (document,), part in parts.items()}


# --- reports and their mutations --------------------------------------------------------------------------


def originals(number: int, layouts: Sequence[Layout]) -> list[Original]:
    """The sample that the floors are set for, and so many generated reports: each of another deal, month and style."""
    samples = {layout.name: sample_months(layout) for layout in layouts if layout.name == "us-bank-text"}
    generated = {f"deal {seed}": generated_months(seed) for seed in range(number)}
    known = samples | generated
    read = readings((text for months in known.values() for text in months.all), layouts)
    return [
        _original(name, months, [*islice(read, len(months.all))], layouts, real=name in samples)
        for name, months in known.items()
    ]


def sample_months(layout: Layout) -> Months:
    """The sample of a layout; where the test kit goes on from its figures, with the month after it."""
    sample = (layout.file.parent / "sample.txt").read_text(encoding="utf-8")
    after = [render(month) for month in absc_2003_he2.following_months(1)] if layout.name == "us-bank-text" else []
    return Months((), sample, tuple(after))


def generated_months(seed: int) -> Months:
    """A month of deal `seed` between the months before and after it, in a style of its own."""
    style = random_style(seed)
    before, text, after = (render(month, style) for month in simulate(make_deal(seed), 3 + seed % MONTHS)[-3:])
    return Months((before,), text, (after,))


def generated_text(seed: int) -> str:
    """The month of deal `seed` that is measured."""
    return generated_months(seed).text


def _original(name: str, months: Months, read: Sequence[Reading], layouts: Sequence[Layout], *, real: bool) -> Original:
    """The report whose months were read so."""
    for reading in read:
        if reading.rejected:
            raise ValueError(f"{name} or a month next to it is rejected: {reading.rejected}")
    here = len(months.before)
    before, reading, after = read[:here], read[here], read[here + 1 :]
    (failed,) = failures([[month.compared for month in read]])
    return Original(
        name,
        real,
        months.text,
        _layout_of(reading, layouts),
        cells(reading.tables["records"]),
        reading,
        tuple(month.compared for month in before),
        tuple(month.compared for month in after),
        failed,
    )


def _layout_of(reading: Reading, layouts: Sequence[Layout]) -> Layout:
    label = reading.tables["reports"]["layout"].item()
    return next(layout for layout in layouts if layout.label == label)


def mutations(original: Original, kinds: Sequence[str] = DIGITS) -> Iterator[Mutation]:
    """The mutations of a report: of digits those `kinds`, and all of rows and columns."""
    for kind in kinds:
        yield from changed_digits(kind, original.text, original.figures, _draws(original, kind))
    yield from structural(original.text, original.figures, original.layout, _draws(original, "rows and columns"))


def _draws(original: Original, kind: str) -> Random:
    """The same draws for the same report, whatever else is measured."""
    return Random(f"{original.name}: {kind}")  # noqa: S311 - no secrets


# --- verdicts ---------------------------------------------------------------------------------------------


def verdicts(pairs: Iterable[tuple[Original, Mutation]], layouts: Sequence[Layout]) -> pl.DataFrame:
    """What became of each mutation.

    `changed`: the tidy tables differ from the original's, or there are none. `noticed`: the text is
    rejected, or a check fails that did not. `explained`: a check is explained that was not, or that was
    explained for another reason. `taken_up`: nothing notices the wrong figure, and it stands in the numbers of an
    explanation. `with_neighbours`, of any digit alone: it is noticed, or a check between
    distributions fails that did not, where the report stands between the months next to it.
    """
    rows = []
    pending = iter(pairs)
    while batch := list(islice(pending, BATCH)):
        read = [*readings((mutation.text for _, mutation in batch), layouts)]
        between = _failures_between(batch, read)
        rows += [_verdict(*pair, reading, failed) for pair, reading, failed in zip(batch, read, between, strict=True)]
    return pl.DataFrame(rows, schema=VERDICTS, orient="row")


def _failures_between(
    pairs: Sequence[tuple[Original, Mutation]], read: Sequence[Reading]
) -> list[frozenset[Failure] | None]:
    """The checks between distributions that fail with each mutation of any digit that is read; None for others."""
    measured = [
        number
        for number, ((_, mutation), reading) in enumerate(zip(pairs, read, strict=True))
        if mutation.kind == ANY_DIGIT and reading.rejected is None
    ]
    failed = failures([pairs[number][0].months_with(read[number]) for number in measured])
    by_number = dict(zip(measured, failed, strict=True))
    return [by_number.get(number) for number in range(len(pairs))]


def _verdict(
    original: Original, mutation: Mutation, read: Reading, between: frozenset[Failure] | None
) -> tuple[object, ...]:
    before, cell = original.reading, mutation.cell
    rejected = read.rejected is not None
    noticed = rejected or not read.failed <= before.failed
    together = noticed or (between is not None and not between <= original.failures)
    return (
        original.name,
        original.real,
        mutation.kind,
        cell.table,
        cell.field,
        cell.unit,
        mutation.what,
        mutation.change,
        rejected or not _same_tables(before, read),
        rejected,
        noticed,
        not read.explained <= before.explained,
        not noticed and not read.explanations <= before.explanations,
        together if mutation.kind == ANY_DIGIT else None,
    )


def _same_tables(one: Reading, other: Reading) -> bool:
    """Whether all tidy tables of two texts are equal."""
    return all(
        (name in one.tables) == (name in other.tables)
        and (name not in one.tables or one.tables[name].equals(other.tables[name]))
        for name in _TIDY
    )


# --- the page ---------------------------------------------------------------------------------------------

# What stands next to a report in its lake: to a generated one, and to the sample.
BEFORE_AND_AFTER = "with the months before and after"
AFTER = "with the month after"

DOLLARS = pl.col("table").is_in(["classes", "pools"]) & (pl.col("unit") == "usd")
GROUPS = {
    "dollar cells of classes and pools": DOLLARS,
    "class table": pl.col("table") == "classes",
    "pool table": pl.col("table") == "pools",
    "delinquency table": pl.col("table") == "delinquencies",
    "scalars (measures)": pl.col("table") == "measures",
    "all cells": pl.lit(value=True),
}


def rate(found: pl.DataFrame, outcome: str = "noticed") -> float:
    """The share of these mutations that have this outcome."""
    return int(found[outcome].sum()) / found.height if found.height else float("nan")


def page(reports: Sequence[Original], found: pl.DataFrame) -> str:
    """All measurements, as the Markdown that the page holds."""
    wrong = found.filter("changed")
    parts = [
        _counts(reports, found),
        _summary(wrong),
        _by_kind(wrong),
        _explained(wrong),
        _by_column(wrong),
        _hardly_noticed(wrong),
    ]
    return "\n\n".join(parts)


def _counts(reports: Sequence[Original], found: pl.DataFrame) -> str:
    figures = [cell for report in reports for cell in report.figures]
    empty = sum(not cell.has_digits for cell in figures)
    left = found.filter(kind=ANY_DIGIT).height
    fixed = len(figures) - empty - left
    real = ", ".join(report.name for report in reports if report.real)
    generated = sum(not report.real for report in reports)
    return (
        f"Reports: the sample of {real}, whose figures are real, and {generated} generated ones. "
        f"They print {len(figures):,} cells: {left:,} with a digit that was changed, {empty:,} blank or `N/A`, "
        f"and {fixed:,} in which any other digit would not be read as a cell. "
        f"{found.height:,} mutated texts; {found.height - found['changed'].sum():,} of them give the same tidy tables "
        "as the original and are left out."
    )


def _summary(wrong: pl.DataFrame) -> str:
    rows = []
    for name, group in GROUPS.items():
        columns = []
        for real in (True, False):
            here = wrong.filter(group & (pl.col("real") == real))
            columns += [f"{here.filter(kind=ANY_DIGIT).height:,}", *_of_digits(here)]
        rows.append(_row(name, *columns))
    real_columns, generated_columns = ("cells", *_digits(AFTER)), ("cells", *_digits(BEFORE_AND_AFTER))
    heads = [f"real: {name}" for name in real_columns] + [f"generated: {name}" for name in generated_columns]
    return _table("one digit changed in", heads, rows)


def _digits(neighbours: str) -> tuple[str, ...]:
    """The heads of the columns that `_of_digits` gives."""
    return (ANY_DIGIT, neighbours, LEADING_DIGIT)


def _of_digits(found: pl.DataFrame) -> tuple[str, ...]:
    """The rates of any digit, of any digit with neighbours, and of leading digits."""
    any_digit = found.filter(kind=ANY_DIGIT)
    return _percent(any_digit), _percent(any_digit, "with_neighbours"), _percent(found.filter(kind=LEADING_DIGIT))


def _by_kind(wrong: pl.DataFrame) -> str:
    rows = []
    for name, kinds in [*((kind, [kind]) for kind in STRUCTURAL), ("all of these", [*STRUCTURAL])]:
        columns = []
        for real in (True, False):
            here = wrong.filter(pl.col("kind").is_in(kinds) & (pl.col("real") == real))
            columns += [f"{here.height:,}", _percent(here), _percent(here, "rejected")]
        rows.append(_row(name, *columns))
    return _table("rows and columns", _beside("cases", "noticed", "rejected"), rows)


def _explained(wrong: pl.DataFrame) -> str:
    rows = []
    for name, kinds in [*((kind, [kind]) for kind in DIGITS), ("structural", [*STRUCTURAL])]:
        here = wrong.filter(pl.col("kind").is_in(kinds))
        here = here.with_columns(alone=pl.col("explained") & ~pl.col("noticed"))
        outcomes = ("explained", "alone", "taken_up")
        shares = [f"{here[outcome].sum():,} ({rate(here, outcome):.2%})" for outcome in outcomes]
        rows.append(_row(name, f"{here.height:,}", *shares))
    heads = ("cases", "explained by a check", "and not noticed by another", "taken up by an explanation, not noticed")
    return _table("wrong figures", heads, rows)


def _by_column(wrong: pl.DataFrame) -> str:
    rows = []
    for table, field, here in _columns(wrong):
        real = here.filter("real")
        rows.append(
            _row(
                f"{table} `{field}`",
                f"{here.filter(kind=ANY_DIGIT).height:,}",
                *_of_digits(here),
                *_of_digits(real),
            )
        )
    heads = ("cells", *_digits(BEFORE_AND_AFTER), *(f"real: {name}" for name in _digits(AFTER)))
    return _table("column", heads, rows)


def _hardly_noticed(wrong: pl.DataFrame) -> str:
    """The columns in which a wrong digit is noticed never, only in a lake, or not always."""
    never, more, partly = [], [], []
    for table, field, here in _columns(wrong.filter(kind=ANY_DIGIT)):
        alone, together = rate(here), rate(here, "with_neighbours")
        row = (f"{table} `{field}`", f"{here.height:,}", _percent(here), _percent(here, "with_neighbours"))
        if together > alone:
            more.append(_row(*row, *_missed(here, "noticed")))
        if together < UNDETECTABLE:
            never.append(_row(*row))
        elif together < DETECTABLE:
            partly.append(_row(*row, *_missed(here, "with_neighbours")))
    rates = ("cells", ANY_DIGIT, BEFORE_AND_AFTER)
    by_how_much = "The last columns say by how much a value was wrong that"
    parts = [
        f"Not detectable, the rate of any digit is below {UNDETECTABLE:.0%} in both ways:",
        _table("column", rates, never),
        f"Noticed more often {BEFORE_AND_AFTER}. {by_how_much} the report's own checks did not notice:",
        _table("column", (*rates, "median", "largest"), more),
        f"Partly detectable, the rate is below {DETECTABLE:.0%} in both ways. {by_how_much} went unnoticed in both:",
        _table("column", (*rates, "median", "largest"), partly),
    ]
    return "\n\n".join(parts)


def _missed(found: pl.DataFrame, outcome: str) -> tuple[str, str]:
    """By how much the values were wrong that went unnoticed: the median and the largest."""
    missed = found.filter(~pl.col(outcome))["change"].drop_nulls().sort()
    return (_plain(missed[len(missed) // 2]), _plain(missed[-1])) if len(missed) else ("", "")


def _columns(wrong: pl.DataFrame) -> Iterator[tuple[str, str, pl.DataFrame]]:
    """The mutations of digits by table and column, in the order of the tables."""
    digits = wrong.filter(pl.col("kind").is_in(DIGITS))
    parts = digits.partition_by("table", "field", as_dict=True, maintain_order=True)
    for table, field in sorted(parts, key=lambda key: TABLES.index(key[0])):
        yield table, field, parts[table, field]


def _percent(found: pl.DataFrame, outcome: str = "noticed") -> str:
    """A share in per cent, rounded down, so that 100.0% is all of them."""
    return f"{found[outcome].sum() * 1000 // found.height / 10:.1f}%" if found.height else ""


def _plain(value: Decimal) -> str:
    return f"{value.normalize():,f}"


def _beside(*names: str) -> list[str]:
    """The same columns for the real figures and for the generated reports."""
    return [f"{side}: {name}" for side in ("real", "generated") for name in names]


def _table(first: str, others: Sequence[str], rows: Sequence[str]) -> str:
    """A table whose first column is text and whose other columns are numbers."""
    return "\n".join([_row(first, *others), _row("---", *("---:" for _ in others)), *rows])


def _row(*columns: str) -> str:
    return f"| {' | '.join(columns)} |"


def main(arguments: Sequence[str]) -> int:
    """Measure, print, and write if asked to."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.detection", description=__doc__.partition("\n")[0])
    parser.add_argument("--reports", type=int, default=REPORTS, help=f"generated reports ({REPORTS})")
    parser.add_argument("--write", action="store_true", help="rewrite the tables in docs/detection.md")
    parser.add_argument("--unnoticed", action="store_true", help="list each wrong figure that its report does not show")
    given = parser.parse_args(arguments)
    if given.reports < 0:
        parser.error("--reports must not be negative")
    layouts = load_layouts()
    reports = originals(given.reports, layouts)
    found = verdicts(((report, mutation) for report in reports for mutation in mutations(report)), layouts)
    if given.unnoticed:
        missed = found.filter(pl.col("changed") & ~pl.col("noticed"))
        for report, kind, what, in_lake in missed.select("report", "kind", "what", "with_neighbours").iter_rows():
            print(f"{report}: {kind}: {what}{f' (noticed {BEFORE_AND_AFTER})' if in_lake else ''}")
    text = page(reports, found)
    return publish(text, PAGE, writes=given.write)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
