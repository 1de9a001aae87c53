"""The hundred statements of one real filing of Residential Funding, each as a document of its own."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from .reading import Outcome, differences, read_texts, scan_numbers, wrong_spans
from .rfmsi_printed import FIGURES, NAME, PrintedReport, class_rows, cut_reports, pool_tables, printed_report


@pytest.fixture(scope="module")
def texts(corpus: Path) -> dict[str, str]:
    file = corpus / NAME
    if not file.is_file():
        pytest.skip(f"needs the real filing {NAME}, which is not in {corpus}")
    reports = cut_reports(file.read_text(encoding="ascii"))
    return {f"{number:03}": text for number, text in enumerate(reports)}


@pytest.fixture(scope="module")
def outcomes(texts: dict[str, str]) -> dict[str, Outcome]:
    return read_texts(dict(texts))


@pytest.fixture(scope="module")
def printed(texts: dict[str, str]) -> dict[str, PrintedReport]:
    return {name: printed_report(text) for name, text in texts.items()}


def test_all_reports_are_read(outcomes: dict[str, Outcome]) -> None:
    assert len(outcomes) == 100
    assert [outcome.message for outcome in outcomes.values() if outcome.reject] == []
    assert len({outcome.deal for outcome in outcomes.values()}) == 100


def test_every_class_cell_is_as_printed(outcomes: dict[str, Outcome], printed: dict[str, PrintedReport]) -> None:
    compared, wrong = 0, []
    for name, report in printed.items():
        read = {row["class_key"]: row for row in outcomes[name].tables["classes"].iter_rows(named=True)}
        rows = class_rows(report)
        assert list(read) == [row["class_key"] for row in rows], report.series
        for key, row in zip(read, rows, strict=True):
            for column in ("class_id", "cusip", *FIGURES):
                compared += 1
                if read[key][column] != row[column]:
                    wrong.append((report.series, key, column, read[key][column], row[column]))
    assert wrong == []
    assert sum(len(report.rows) - 1 for report in printed.values()) == 1_449
    assert compared == 1_549 * 17


def test_the_reports_say_who_they_are(outcomes: dict[str, Outcome], printed: dict[str, PrintedReport]) -> None:
    issuer = "RESIDENTIAL FUNDING MORTGAGE SECURITIES I, INC."
    for name, report in printed.items():
        said = outcomes[name].tables["reports"].row(0, named=True)
        assert said["deal_name"] == f"{issuer} SERIES {report.series}"
        assert (said["issuer"], said["series"], said["pool_number"]) == (issuer, report.series, report.pool)
        assert said["servicer"] == "RESIDENTIAL FUNDING CORPORATION"
        assert said["determination_date"] < outcomes[name].date
    first = outcomes["000"]
    assert first.deal == "residential-funding-mortgage-securities-i-inc-series-1989-sw1a"
    assert str(first.date) == "2000-12-26"


def test_all_numbers_are_claimed_once(outcomes: dict[str, Outcome], texts: dict[str, str]) -> None:
    for name, outcome in outcomes.items():
        report = outcome.tables["reports"].row(0, named=True)
        numbers = scan_numbers(texts[name])
        assert report["numbers_claimed"] == report["numbers_found"] == len(numbers), name
        assert wrong_spans(outcome.tables["records"], texts[name]) == []
        spans = outcome.tables["records"].select("line", "column_start", "column_end").rows()
        by_line: dict[int, list[tuple[int, int]]] = {}
        for line, start, end in spans:
            by_line.setdefault(line, []).append((start, end))
        holders = Counter(
            sum(first <= start and end <= last for first, last in by_line.get(line, [])) for line, start, end in numbers
        )
        assert set(holders) == {1}, name


def test_every_figure_of_the_pool_is_as_printed(outcomes: dict[str, Outcome], texts: dict[str, str]) -> None:
    figures = 0
    for name, outcome in outcomes.items():
        printed = pool_tables(texts[name])
        assert differences(outcome, printed) == [], name
        figures += sum(value is not None for rows in printed.values() for row in rows for value in row.values())
    assert figures > 9_000


def test_what_does_not_add_up_is_told(outcomes: dict[str, Outcome], printed: dict[str, PrintedReport]) -> None:
    failed = {
        (printed[name].series, subject)
        for name, outcome in outcomes.items()
        for check, subject in outcome.failed_checks()
        if check == "class_roll_forward" and subject != "TOTAL"
    }
    broken = set()
    for report in printed.values():
        for row in report.rows[:-1]:
            values = {column: row[column] for column in FIGURES}
            ending = (
                values["beginning_balance"] - values["principal_distribution"]  # type: ignore[operator]
                - values["realized_loss"] + values["deferred_interest"]
            )  # fmt: skip
            if abs(ending - values["ending_balance"]) > 0:
                broken.add((report.series, row["class_id"] or row["cusip"]))
    assert len(failed) == 7
    assert failed <= broken


def test_totals_and_identifiers_hold(outcomes: dict[str, Outcome]) -> None:
    for outcome in outcomes.values():
        failed = {check for check, _ in outcome.failed_checks()}
        assert not failed & {
            "class_totals", "total_distribution", "cusip_check_digit", "expected_lines_found", "repeated_fields_agree",
            "every_number_claimed", "joined_blocks_have_equal_rows", "total_per_1000_adds_up",
        }  # fmt: skip
