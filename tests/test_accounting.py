"""Every number of a report is counted once: it lies in one record, claimed or unclaimed, whatever else is printed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random

import polars as pl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from benchmarks.detection import generated_text
from benchmarks.mutations import DIGITS, STRUCTURAL, cells, changed_digits, structural
from etl.layout import PACKAGED, Layout

from .reading import Outcome, read_texts, scan_numbers, wrong_spans

SAMPLES = {file.parent.name: file.read_text(encoding="utf-8") for file in sorted(PACKAGED.glob("*/sample.txt"))}
REPORTS = SAMPLES | {f"deal {seed}": generated_text(seed) for seed in range(3)}

# Numbers in odd shapes, and what may stand around them.
NUMBERS = (
    *("0", "7", "12", "1,234", "12.5", "1,234,567.89", "1,2,3", "1.2.3", "12.", ".5", "5,", ",5", "1.,", "(3)", "-4%"),
    *("3.5%", "$5", "$(5)", "($5)", "-$5", "1O2", "A1", "1A", "x7y", "4/5", "3-4", "3:4", "#9", "+6", "7th", "(212)"),
    *("13 or 15(d)", "17-Nov-03", "November 17, 2003", "2003-11-17", "11/17/03", "00501", "04541GDP4", "2003-HE2"),
    *(
        "\u0663",
        "\uff11\uff12",
        "½",
        "x²",
        "5\xa06",
        "1e5",
        "0x1F",
        "1_000",
        "1'000",
        "9)",
        "(9",
        "[1]",
        "12345678901234567890.5",
    ),
)
WORDS = (
    *("", "Series", "Item", "Total", "GROUP", "Class", "Section", "Exhibit No.", "Act of", "Form", "Items", "A-1"),
    *("see note", "Servicing Fee", "as Trustee", "Certificates", "N/A", "Distribution Date:", "On", "PER", "é—", "By:"),
    *("do not include loans in", "30-59 days delinq", "Trust", "(", ")", ".", ":", "D.C.", "New York", "Rate", "Int"),
)
GAPS = ("", " ", "  ", "      ", "\t", " \t ")


def accounting_errors(outcome: Outcome) -> list[str]:
    """Each number of the text that is not in exactly one record, and each count that says otherwise."""
    spans: dict[int, list[tuple[int, int, str]]] = {}
    for line, start, end, status in (
        outcome.tables["records"].select("line", "column_start", "column_end", "status").iter_rows()
    ):
        spans.setdefault(line, []).append((start, end, status))
    lines = outcome.text.split("\n")
    errors, claimed = [], 0
    tokens = scan_numbers(outcome.text)
    for line, start, end in tokens:
        touching = [span for span in spans.get(line, []) if span[0] < end and start < span[1]]
        whole = [span for span in touching if span[0] <= start and end <= span[1]]
        if len(touching) != 1 or len(whole) != 1:
            number = lines[line - 1][start:end]
            errors.append(f"{number!r} is in {len(touching)} records, line {line}: {lines[line - 1]!r}")
        claimed += any(status != "unclaimed" for _, _, status in whole)
    counts = outcome.tables["reports"].row(0, named=True)
    if counts["numbers_found"] != len(tokens):
        errors.append(f"numbers_found is {counts['numbers_found']}, the text has {len(tokens)}")
    if counts["numbers_claimed"] != claimed:
        errors.append(f"numbers_claimed is {counts['numbers_claimed']}, records claim {claimed}")
    return errors + wrong_spans(outcome.tables["records"], outcome.text)


def junk(rng: Random) -> str:
    """A line of numbers and words that no report prints."""
    parts = [rng.choice(rng.choice((NUMBERS, NUMBERS, WORDS))) + rng.choice(GAPS) for _ in range(rng.randint(1, 6))]
    return rng.choice(GAPS) + "".join(parts)


def with_junk(text: str, places: Sequence[tuple[float, str]]) -> str:
    """The text with each junk line put in beside a blank line, as far down as its place from 0 to 1 says."""
    lines = text.split("\n")
    for place, line in places:
        blank = [number for number, other in enumerate(lines) if not other.strip()]
        lines.insert(blank[int(place * (len(blank) - 1))], line)
    return "\n".join(lines)


def errors(texts: Sequence[str]) -> tuple[list[str], int]:
    """The accounting errors of all texts that are read, and how many are read."""
    outcomes = read_texts({str(number): text for number, text in enumerate(texts)}).values()
    read = [outcome for outcome in outcomes if outcome.reject is None]
    return [error for outcome in read for error in accounting_errors(outcome)], len(read)


def test_every_number_of_a_report_is_in_one_record() -> None:
    assert errors([*REPORTS.values()]) == ([], len(REPORTS))


def test_every_number_of_a_mutated_report_is_in_one_record(layouts: tuple[Layout, ...]) -> None:
    """Ten texts of each kind for each report."""
    rng = Random("mutated")
    read = read_texts(REPORTS)
    texts: list[str] = []
    for text, outcome in zip(REPORTS.values(), read.values(), strict=True):
        figures = cells(outcome.tables["records"])
        layout = next(known for known in layouts if known.label == outcome.tables["reports"]["layout"].item())
        found = [mutation for kind in DIGITS for mutation in changed_digits(kind, text, figures, rng)]
        found += structural(text, figures, layout, rng)
        for kind in (*DIGITS, *STRUCTURAL):
            of_kind = [one for one in found if one.kind == kind]  # a report without unlabelled rows has none of them
            texts += [mutation.text for mutation in rng.sample(of_kind, min(10, len(of_kind)))]
    wrong, number = errors(texts)
    assert wrong == []
    assert number > len(texts) / 2


def test_every_number_of_a_junk_line_is_in_one_record() -> None:
    rng = Random("junk")
    texts = [
        with_junk(text, [(rng.random(), junk(rng)) for _ in range(rng.randint(1, 5))])
        for text in REPORTS.values()
        for _ in range(100)
    ]
    wrong, number = errors(texts)
    assert wrong == []
    assert number > 0.9 * len(texts)


LINES = st.lists(
    st.sampled_from([*NUMBERS, *WORDS, *GAPS]) | st.text("0123456789.,()%$- \t", max_size=6), min_size=1, max_size=8
).map("".join)


PLACES = st.lists(st.tuples(st.floats(0, 1), LINES), min_size=1, max_size=3)


@settings(max_examples=5)
@given(st.lists(st.tuples(st.sampled_from([*REPORTS]), PLACES), min_size=4, max_size=12))
def test_every_number_of_any_line_is_in_one_record(changes: list[tuple[str, list[tuple[float, str]]]]) -> None:
    wrong, number = errors([with_junk(REPORTS[name], places) for name, places in changes])
    assume(number)
    assert wrong == []


@pytest.mark.parametrize(
    ("line", "number"),
    [
        ("                     See Exhibit No.1,250", "1,250"),
        ("Item 5.3.1 Other Events", "5.3.1"),
        ("of the Act of 1934,5", "1934,5"),
        ("Form 10-Q, Items 1,2.5", "1,2.5"),
    ],
)
def test_a_number_is_claimed_whole_or_not_at_all(line: str, number: str) -> None:
    """A pattern that fits the beginning of a number does not claim it."""
    outcome = _with_first_line(line)
    unclaimed = outcome.tables["records"].filter(status="unclaimed")["raw"].to_list()
    assert number in unclaimed
    assert accounting_errors(outcome) == []


def test_a_cell_does_not_reach_over_another_one() -> None:
    """A trustee of this name would hold the series, which is a cell already."""
    outcome = _with_first_line("Series 30-59 days late, as Trustee")
    first = outcome.tables["records"].filter(line=1).select("field", "raw").rows()
    assert first == [("series", "30-59")]
    assert accounting_errors(outcome) == []


def _with_first_line(line: str) -> Outcome:
    text = SAMPLES["us_bank_text"]
    outcome = read_texts({"a": f"{line}\n\n{text}"})["a"]
    assert outcome.reject is None, outcome.message
    return outcome


def test_lost_and_doubled_numbers_are_found() -> None:
    """The accounting itself can fail."""
    outcome = read_texts({"a": SAMPLES["us_bank_text"]})["a"]
    records = outcome.tables["records"]
    for other in (records.filter(pl.col("record_no") != 100), pl.concat([records, records.filter(record_no=100)])):
        assert accounting_errors(replace(outcome, tables=outcome.tables | {"records": other}))
