"""How much of what reports print is read as it is printed, by layout and table.

python -m benchmarks.accuracy                 prints the tables
python -m benchmarks.accuracy --write         and puts them into docs/accuracy.md
python -m benchmarks.accuracy --corpus DIR    reads the real filings there; without them only made reports are read

The truth is never what the program has read: it is what the test kit has put into the reports that it made, or, of
real filings, what was typed by hand or read by a second, plain parser of that one filing.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.page import write
from tests import bankers_printed, rfmsi_printed
from tests.kit import bankers_trust_dollars, make_deal, random_style, render, residential_funding_text, simulate, truth
from tests.kit.absc_2003_he2 import report as seed_report
from tests.kit.report import Row
from tests.reading import KEYS, Outcome, read_texts

PAGE = Path(__file__).parent.parent / "docs" / "accuracy.md"
DEALS, MONTHS = 25, 4
REAL, MADE = "real", "made"
_OUTCOMES = ("pass", "rounding", "explained", "fail")

Tables = Mapping[str, Sequence[Row]]


@dataclass(frozen=True)
class Sample:
    """Reports of one layout and what they print; `told` says by what this is known."""

    layout: str
    kind: str
    told: str
    texts: Mapping[str, str]
    printed: Mapping[str, Tables]


@dataclass
class Score:
    """What was read of a sample. `cells` and `equal` are by table, `checks` by outcome."""

    reports: int = 0
    rejected: int = 0
    cells: Counter[str] = field(default_factory=Counter)
    equal: Counter[str] = field(default_factory=Counter)
    found: int = 0
    claimed: int = 0
    checks: Counter[str] = field(default_factory=Counter)


def made_samples() -> Iterator[Sample]:
    """Reports that the test kit makes, with all that it has put into them."""
    reports = {
        f"{seed}-{month}": (report, random_style(seed))
        for seed in range(DEALS)
        for month, report in enumerate(simulate(make_deal(seed), MONTHS))
    }
    yield Sample(
        "us-bank-text", MADE, "the test kit, each deal in a style of its own",
        {name: render(report, style) for name, (report, style) in reports.items()},
        {name: truth(report) for name, (report, _) in reports.items()},
    )  # fmt: skip
    yield Sample(
        "residential-funding-text", MADE, "the test kit",
        {"a": residential_funding_text.render_statement()}, {"a": residential_funding_text.statement_tables()},
    )  # fmt: skip
    kit = bankers_trust_dollars
    several = {"a": kit.two_remics(), "b": kit.one_group(), "c": kit.three_groups()}
    yield Sample(
        "bankers-trust-dollars", MADE, "the test kit",
        {name: kit.render(report) for name, report in several.items()},
        {name: kit.truth(report) for name, report in several.items()},
    )  # fmt: skip


def real_samples(corpus: Path) -> Iterator[Sample]:
    """The real filings of a folder."""
    text = (corpus / "absc-2003-he2_2003-11-17_8-K.txt").read_bytes().decode("cp1252").replace("\r\n", "\n")
    yield Sample("us-bank-text", REAL, "typed by hand", {"a": text}, {"a": truth(seed_report())})
    text = (corpus / rfmsi_printed.NAME).read_text(encoding="ascii")
    texts = {f"{number:03}": report for number, report in enumerate(rfmsi_printed.cut_reports(text))}
    printed = {
        name: {
            "classes": rfmsi_printed.class_rows(rfmsi_printed.printed_report(report)),
            **rfmsi_printed.pool_tables(report),
        }
        for name, report in texts.items()
    }
    yield Sample("residential-funding-text", REAL, "a second parser", texts, printed)
    text = bankers_printed.statement(corpus / bankers_printed.FILING)
    yield Sample(
        "bankers-trust-dollars", REAL, "a second parser", {"a": text}, {"a": bankers_printed.printed_tables(text)}
    )


def score(sample: Sample) -> Score:
    """Read a sample, and hold what was read against what it prints."""
    result = Score()
    for name, outcome in read_texts(dict(sample.texts)).items():
        result.reports += 1
        result.rejected += outcome.reject is not None
        for table, rows in sample.printed[name].items():
            for is_equal in _compared(outcome, table, rows):
                result.cells[table] += 1
                result.equal[table] += is_equal
        if outcome.reject is None:
            report = outcome.tables["reports"].row(0, named=True)
            result.found += report["numbers_found"]
            result.claimed += report["numbers_claimed"]
            result.checks.update(outcome.tables["checks"]["outcome"].to_list())
    return result


def _compared(outcome: Outcome, table: str, rows: Sequence[Row]) -> Iterator[bool]:
    """For each printed cell whether it was read so; rows that are not printed count as one wrong cell each."""
    frame = outcome.tables[table].to_dicts() if outcome.reject is None else []
    read = {_key(table, row): row | {"distribution_date": outcome.date} for row in frame}
    wanted = {_key(table, row): row for row in rows}
    for key, row in wanted.items():
        for name, value in row.items():
            if value is not None or read.get(key, {}).get(name) is not None:
                yield key in read and _plain(read[key].get(name)) == _plain(value)
    yield from (False for key in read.keys() - wanted.keys())


def _key(table: str, row: Row) -> tuple[object, ...]:
    return tuple(row.get(name) for name in KEYS[table])


def _plain(value: object) -> object:
    """Days as ISO dates, as some of the truth has them."""
    return value.isoformat() if hasattr(value, "isoformat") else value


def cells_table(scores: Iterable[tuple[Sample, Score]]) -> str:
    """Cells by layout and table, as Markdown."""
    lines = [
        "| layout | reports | what they print is known by | table | cells | read as printed | |",
        "| --- | ---: | --- | --- | ---: | ---: | ---: |",
    ]
    for sample, found in scores:
        for table, cells in found.cells.items():
            equal = found.equal[table]
            lines.append(
                f"| {sample.layout} | {found.reports:,} {sample.kind} | {sample.told} | `{table}` | {cells:,} "
                f"| {equal:,} | {equal / cells:.2%} |"
            )
    return "\n".join(lines)


def reading_table(scores: Iterable[tuple[Sample, Score]]) -> str:
    """Numbers claimed and outcomes of checks by layout, as Markdown."""
    lines = [
        f"| layout | reports | rejected | numbers claimed of found | {' | '.join(_OUTCOMES)} |",
        f"| --- | ---: | ---: | ---: |{' ---: |' * len(_OUTCOMES)}",
    ]
    for sample, found in scores:
        counts = " | ".join(f"{found.checks[outcome]:,}" for outcome in _OUTCOMES)
        lines.append(
            f"| {sample.layout} | {found.reports:,} {sample.kind} | {found.rejected:,} "
            f"| {found.claimed:,} of {found.found:,} | {counts} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Measure and print, or write the page."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--corpus", type=Path, help="folder of the real filings")
    parser.add_argument("--write", action="store_true", help="rewrite the tables in docs/accuracy.md")
    given = parser.parse_args()
    samples = [*(real_samples(given.corpus) if given.corpus else ()), *made_samples()]
    scores = [(sample, score(sample)) for sample in samples]
    text = f"{cells_table(scores)}\n\n{reading_table(scores)}"
    if given.write:
        write(text, PAGE)
    else:
        print(text)


if __name__ == "__main__":
    main()
