"""A real filing of US Bank is read to the last figure; its layout turns those of other families away, with a reason."""

from __future__ import annotations

from collections import Counter
from datetime import date
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from etl import Layout

from .kit import Report, truth
from .reading import Outcome, differences, read_texts, scan_numbers, wrong_spans

OTHERS = ("aames-1998-c_1998-12-15_8-K.txt", "rfmsi_2000-12-26_8-K_reports-001-100.txt")


@pytest.mark.parametrize("table", ["reports", "classes", "pools", "delinquencies", "measures", "triggers"])
def test_every_cell_is_as_printed(real: Outcome, seed_report: Report, table: str) -> None:
    assert differences(real, {table: truth(seed_report)[table]}) == []


def test_rows_stand_in_printed_order(real: Outcome, seed_report: Report) -> None:
    printed = truth(seed_report)
    for table, column in (("classes", "class_key"), ("pools", "group_id"), ("measures", "measure")):
        assert real.tables[table][column].to_list() == [row[column] for row in printed[table]]


def test_the_report_says_who_it_is(real: Outcome) -> None:
    report = real.tables["reports"].row(0, named=True)
    deal = "Asset Backed Securities Corporation, Home Equity Loan Trust, Series 2003-HE2"
    said = {
        "deal_name": deal,
        "registrant": deal,
        "series": "2003-HE2",
        "form_type": "8-K",
        "report_date": date(2003, 11, 17),
        "state_of_incorporation": "New York",
        "commission_file_number": "333-86750",
        "irs_number": "13-3354848",
        "trustee": "US Bank, NA",
        "servicer": "Fairbanks",
        "items": ["5", "7"],
        "is_amendment": False,
        "cik": None,
        "accession_number": None,
        "filed_date": None,
        "layout": "us-bank-text@1",
        "source_bytes": 12_867,
    }
    assert {name: report[name] for name in said} == said


def test_deal_and_date(real: Outcome) -> None:
    assert real.deal == "asset-backed-securities-corporation-home-equity-loan-trust-series-2003-he2"
    assert real.date == date(2003, 11, 17)


def test_some_cells_typed_by_hand(real: Outcome) -> None:
    classes = {row["class_key"]: row for row in real.tables["classes"].iter_rows(named=True)}
    assert classes["A-1"]["pass_through_rate"] == Decimal("0.015")
    assert classes["A-1"]["realized_loss"] is None
    assert classes["M-1"]["realized_loss"] == 0
    assert classes["P"]["total_per_1000"] == 4_989_269
    assert classes["B-IO"]["unpaid_interest_shortfall"] == 0
    assert classes["R"]["unpaid_interest_shortfall"] is None
    assert classes["TOTAL"]["net_wac_carryover"] == 0
    pools = {row["group_id"]: row for row in real.tables["pools"].iter_rows(named=True)}
    assert pools["GROUP 1"]["prepayments"] == 15_224_950
    assert pools["GROUP 2"]["nonrecoverable_advances"] == -4_179
    assert pools["TOTAL"]["total_interest"] == 3_992_806


def test_every_check_passes_or_says_why_not(real: Outcome) -> None:
    checks = real.tables["checks"]
    assert set(checks["outcome"]) == {"pass", "rounding", "explained", "not_applicable"}
    told = checks.filter(outcome="rounding")
    assert (told["difference"].abs() <= told["tolerance"]).all()
    assert checks.filter(pl.col("outcome") != "pass")["explanation"].is_not_null().all()
    report = real.tables["reports"].row(0, named=True)
    passed = checks.filter(pl.col("outcome") != "not_applicable").height
    assert (report["checks_passed"], report["checks_failed"]) == (passed, 0)


# What a person with a calculator finds odd in the report: check, subject, difference, words of the explanation.
ODD = [
    ("class_totals", "original_balance", "-854000000", "leaves out A-IO, A-IO-INV, B-IO (notional) and X ("),
    ("class_totals", "beginning_balance", "-693020410", "leaves out A-IO, A-IO-INV, B-IO (notional) and X ("),
    ("class_totals", "ending_balance", "-668952338", "leaves out A-IO, A-IO-INV, B-IO (notional) and X ("),
    ("class_totals", "interest_distribution", "-186667", "leaves out B-IO (notional), together 186,667"),
    ("class_totals", "total_distribution", "-186667", "leaves out B-IO (notional), together 186,667"),
    ("principal_per_1000", "TOTAL", "-35.7637942988", "no amounts per 1,000"),
    ("interest_per_1000", "TOTAL", "-4.4181585852", "no amounts per 1,000"),
    ("total_per_1000", "TOTAL", "-40.1819528839", "no amounts per 1,000"),
    ("ending_balance_per_1000", "P", "-1000", "0 is printed for its nominal balance"),
    ("ending_balance_per_1000", "R", None, "the full 1,000 is printed"),
    ("credit_enhancement", "report", "-0.0015941901", "before this distribution"),
    ("interest_accrual", "X", "1335587.310296", "the beginning balance of the pool"),
]


def test_what_is_odd_is_explained(real: Outcome) -> None:
    odd = real.tables["checks"].filter(outcome="explained")
    found = {(check, subject): row for check, subject, *row in odd.select(
        "check", "subject", "difference", "explanation"
    ).iter_rows()}  # fmt: skip
    assert found.keys() == {(check, subject) for check, subject, _, _ in ODD}
    for check, subject, difference, words in ODD:
        assert found[check, subject][0] == (None if difference is None else Decimal(difference))
        assert words in found[check, subject][1]


def test_the_accrual_days_are_inferred(real: Outcome) -> None:
    checks = real.tables["checks"]
    days = checks.filter(check="accrual_days").select("subject", "outcome", "actual", "explanation").rows()
    assert days == [
        ("ACT/360", "pass", 33, "A-1, A-2, A-IO-INV, M-1, M-2, M-3, M-4, M-5"),
        ("30/360", "pass", 30, "A-IO, B-IO"),
    ]
    by_class = dict(checks.filter(check="interest_accrual").select("subject", "outcome").rows())
    assert by_class == {**dict.fromkeys(
        ["A-1", "A-2", "A-IO", "A-IO-INV", "M-1", "M-2", "M-3", "M-4", "M-5", "R", "B-IO"], "pass"
    ), "P": "not_applicable", "X": "explained", "TOTAL": "not_applicable"}  # fmt: skip


def test_records_can_be_cut_out_of_the_source(real: Outcome, real_text: str) -> None:
    assert wrong_spans(real.tables["records"], real_text) == []
    assert real.tables["records"].height > 500


def test_records_are_numbered_in_printed_order(real: Outcome) -> None:
    records = real.tables["records"]
    assert records["record_no"].to_list() == list(range(1, records.height + 1))
    places = records.select("line", "column_start").rows()
    assert places == sorted(places)


def test_all_numbers_are_claimed(real: Outcome, real_text: str) -> None:
    report = real.tables["reports"].row(0, named=True)
    assert report["numbers_claimed"] == report["numbers_found"] == len(scan_numbers(real_text))
    assert not real.tables["records"]["status"].is_in(["unclaimed", "unparsable"]).any()


def test_every_number_stands_in_exactly_one_record(real: Outcome, real_text: str) -> None:
    spans = real.tables["records"].select("line", "column_start", "column_end").rows()
    by_line: dict[int, list[tuple[int, int]]] = {}
    for line, start, end in spans:
        by_line.setdefault(line, []).append((start, end))
    holders = Counter(
        sum(first <= start and end <= last for first, last in by_line.get(line, []))
        for line, start, end in scan_numbers(real_text)
    )
    assert set(holders) == {1}, holders


def test_the_footnote_speaks_for_each_group(real: Outcome) -> None:
    notes = real.tables["records"].filter(field="excludes")
    assert notes["line"].to_list() == [240, 248]
    rows = real.tables["delinquencies"].filter(status="delinquent")
    assert set(rows["group_id"]) == {"GROUP 1", "GROUP 2", "TOTAL"}
    assert rows["excludes"].to_list() == [["foreclosure", "bankruptcy", "reo"]] * 9


def test_tidy_values_are_values_of_records(real: Outcome) -> None:
    """Nothing is derived: what `classes` holds, a record of that class and field holds."""
    records = real.tables["records"].filter(pl.col("table") == "classes")
    said = {(key, name): value for key, name, value in records.select("class_key", "field", "value").iter_rows()}
    classes = real.tables["classes"].drop("report_id", "class_id", "cusip", "isin", "is_notional", "class_type")
    for row in classes.iter_rows(named=True):
        for name, value in row.items():
            if name != "class_key":
                assert said.get((row["class_key"], name)) == value


@pytest.mark.parametrize("name", OTHERS)
def test_another_familys_filing_is_turned_away(corpus: Path, layouts: tuple[Layout, ...], name: str) -> None:
    file = corpus / name
    if not file.is_file():
        pytest.skip(f"needs the real filing {name}, which is not in {corpus}")
    this = [layout for layout in layouts if layout.name == "us-bank-text"]
    outcome = read_texts({name: file.read_bytes()}, this)[name]
    assert outcome.reason == "no_layout"
    assert " marks of " in outcome.message
