"""The layout `bankers-trust-dollars`: a real filing to the last figure, and reports of other deals."""

from __future__ import annotations

import re
from collections import Counter
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from etl import load_layouts, run
from etl.batch import read_batch
from etl.documents import Document, document_from_bytes
from etl.explain import explain
from etl.lake import Lake
from etl.lake_checks import check_lake
from etl.layout import PACKAGED
from etl.movements import movements

from .bankers_printed import (
    DOLLARS,
    FACTORS,
    FILING,
    GROUPS,
    INTERESTS,
    MEASURED,
    printed_classes,
    printed_delinquencies,
    printed_pools,
    statement,
)
from .kit import bankers_trust_dollars as kit
from .reading import Outcome, differences, read_text, scan_numbers, wrong_spans

FOLDER = PACKAGED / "bankers_trust_dollars"


# --- the real filing ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def exhibit(corpus: Path) -> str:
    """The text of the filing's second document; the first is the cover."""
    file = corpus / FILING
    if not file.is_file():
        pytest.skip(f"needs the real filing {FILING}, which is not in {corpus}")
    return statement(file)


@pytest.fixture(scope="module")
def read(exhibit: str) -> Outcome:
    return read_text(exhibit)


def test_every_class_is_as_printed(read: Outcome, exhibit: str) -> None:
    printed = printed_classes(exhibit.split("\n"))
    classes = read.tables["classes"]
    assert [(row["section"], row["class_key"]) for row in classes.iter_rows(named=True)] == list(printed)
    compared = 0
    for row in classes.iter_rows(named=True):
        wanted = printed[row["section"], row["class_key"]]
        for name in ("class_id", "cusip", *DOLLARS, *FACTORS, *INTERESTS):
            assert row[name] == wanted.get(name), (row["section"], row["class_key"], name)
            compared += name in wanted
    assert compared == 403


def test_some_cells_typed_by_hand(read: Outcome) -> None:
    rows = {(row["section"], row["class_key"]): row for row in read.tables["classes"].iter_rows(named=True)}
    assert len(rows) == 23
    c = rows["REMIC II", "C"]
    assert (c["original_balance"], c["beginning_balance"]) == (0, Decimal("3532291.89"))
    assert (c["deferred_interest"], c["ending_balance"]) == (Decimal("1833007.72"), Decimal("5365299.61"))
    assert (c["cusip"], c["class_type"], c["pass_through_rate"]) == (None, None, 0)
    a = rows["REMIC II", "A-1A"]
    assert (a["cusip"], a["pass_through_rate"]) == ("00253CFK8", Decimal("0.0553781"))
    assert (a["next_pass_through_rate"], a["class_type"]) == (Decimal("0.0579547"), "senior")
    assert (a["interest_accrued"], a["prior_interest_accrued"]) == (Decimal("853113.39"), Decimal("975243.32"))
    first = rows["REMIC I", "I-1F"]
    assert (first["cusip"], first["beginning_balance_per_1000"]) == (None, Decimal("976.726571"))
    assert rows["REMIC I", "R-I"]["ending_balance_per_1000"] is None
    assert rows["REMIC II", "R-II"]["ending_balance_per_1000"] == 0
    assert rows["REMIC I", "TOTAL"]["total_distribution"] == Decimal("9835561.08")
    assert rows["REMIC II", "TOTAL"]["ending_balance"] == Decimal("640393402.90")


def test_every_delinquency_is_as_printed(read: Outcome, exhibit: str) -> None:
    printed = printed_delinquencies(exhibit.split("\n"))
    assert len(printed) == 40
    rows = read.tables["delinquencies"].rows_by_key(["group_id", "status", "bucket"], named=True, unique=True)
    assert {key: {name: row[name] for name in MEASURED.values()} for key, row in rows.items()} == printed
    assert rows["FIXED GROUP", "foreclosure", "60-89"]["loan_count"] == 33
    assert rows["ADJ GROUP", "total", None]["balance"] == Decimal("13718729.80")


def test_every_figure_of_the_pool_is_as_printed(read: Outcome, exhibit: str) -> None:
    printed = printed_pools(exhibit.split("\n"))
    rows = read.tables["pools"].rows_by_key("group_id", named=True, unique=True)
    assert list(rows) == list(GROUPS)
    for group, cells in printed.items():
        assert len(cells) == 34
        assert {name: rows[group][name] for name in cells} == cells


def test_measures_and_triggers_typed_by_hand(read: Outcome) -> None:
    measures = read.tables["measures"].rows_by_key(["measure", "group_id"], named=True, unique=True)
    said = {key: row["value"] for key, row in measures.items()}
    assert said == {
        (name, group): Decimal(value)
        for name, groups, values in MEASURES
        for group, value in zip(groups, values.split(), strict=True)
    }
    assert measures["oc_increase", "ADJ GROUP"]["label"] == "EXTRA PRINCIPAL DISTRIBUTION AMOUNT"
    triggers = read.tables["triggers"].select("trigger", "group_id", "occurred").rows()
    events = ("rolling_loss_rate_event", "cumulative_loss_rate_event", "delinquency_rate_event")
    assert triggers == [(event, group, False) for event in events for group in GROUPS[:2]]


MEASURES = (
    ("capitalized_interest_deposit", GROUPS[2:], "0"),
    ("prefunding_deposit", GROUPS[2:], "0"),
    ("total_remittance", GROUPS[2:], "9835561.08"),
    ("servicing_fee_accrued", GROUPS, "161351.84 107401.66 268753.50"),
    ("servicing_fee_for_shortfalls", GROUPS, "0 0 0"),
    ("servicing_fee_delinquent", GROUPS, "-22746.88 -16425.38 -39172.26"),
    ("servicing_fee", GROUPS, "138604.96 90976.28 229581.24"),
    ("weighted_average_gross_coupon", GROUPS[:2], "0.1000753 0.0958265"),
    ("next_weighted_average_gross_coupon", GROUPS[:2], "0.1000437 0.0958135"),
    ("weighted_average_remaining_term", GROUPS[:2], "306 354"),
    ("oc_increase", GROUPS[:2], "1026400.75 747743.10"),
    ("oc_amount", GROUPS[:2], "2889683.52 2274161.53"),
    ("oc_target", GROUPS[:2], "10335000 16510000"),
    ("insurer_premium", GROUPS[2:], "74855.52"),
    ("insured_amounts", GROUPS[2:], "0"),
    ("insured_amounts_unpaid", GROUPS[2:], "0"),
    ("supplemental_interest_paid", GROUPS[2:], "0"),
    ("supplemental_interest_unpaid", GROUPS[2:], "0"),
)


def test_the_report_says_who_it_is(read: Outcome) -> None:
    assert read.deal == "aames-capital-corporation-series-1998-c"
    assert str(read.date) == "1998-12-15"
    report = read.tables["reports"].row(0, named=True)
    said = {
        "deal_name": "AAMES CAPITAL CORPORATION SERIES 1998-C",
        "issuer": "AAMES CAPITAL CORPORATION",
        "series": "1998-C",
        "trustee": "Bankers Trust Company",
        "seller": "Aames Capital Corporation",
        "servicer": "Aames Capital Corporation",
        "underwriter": "NationsBanc Montgomery Securities LLC",
        "administrator": "David West",
        "layout": "bankers-trust-dollars@1",
    }
    assert {name: report[name] for name in said} == said
    assert str(report["record_date"]) == "1998-11-30"


def test_all_numbers_are_claimed_once(read: Outcome, exhibit: str) -> None:
    report = read.tables["reports"].row(0, named=True)
    assert report["numbers_claimed"] == report["numbers_found"] == len(scan_numbers(exhibit)) == 777
    records = read.tables["records"]
    assert not records["status"].is_in(["unclaimed", "unparsable"]).any()
    assert wrong_spans(records, exhibit) == []
    spans = records.select("line", "column_start", "column_end").rows()
    holders = Counter(
        sum(at == line and first <= start and end <= last for at, first, last in spans)
        for line, start, end in scan_numbers(exhibit)
    )
    assert set(holders) == {1}, holders


def test_the_checks_of_the_filing(read: Outcome) -> None:
    checks = read.tables["checks"]
    assert read.failed_checks() == []
    assert set(checks["outcome"]) == {"pass", "rounding", "not_applicable"}
    asked = checks.filter(pl.col("outcome").is_in(["pass", "rounding"]))
    subjects = asked.group_by("check").agg(pl.col("subject").n_unique()).rows()
    assert {name: count for name, count in subjects if name in APPLY} == APPLY
    days = asked.filter(check="accrual_days").select("subject", "actual", "explanation").rows()
    assert [(method, int(actual)) for method, actual, _ in days] == [("30/360", 30), ("ACT/360", 29)]
    assert days[1][2] == "REMIC II A-1A"


# Check → of how many subjects it says that they agree.
APPLY = {
    "class_roll_forward": 23,
    "total_distribution": 23,
    "class_totals": 16,
    "beginning_balance_per_1000": 18,
    "ending_balance_per_1000": 18,
    "interest_accrual": 19,
    "cusip_check_digit": 8,
    "accrued_interest_is_paid": 9,
    "pool_principal": 3,
    "pool_roll_forward": 3,
    "pool_interest": 3,
    "total_sources": 3,
    "fraction_of_balance": 2,
    "fraction_of_loans": 2,
    "group_totals": 33,
    "bucket_totals": 40,
    "status_totals": 32,
    "servicing_fee_collected": 3,
    "oc_amount_is_the_pool_less_certificates": 1,
    "certificate_principal": 1,
    "remittance_is_what_was_collected": 1,
}


# --- other reports ------------------------------------------------------------------------------------------------

REPORTS = {"two_remics": kit.two_remics(), "one_group": kit.one_group(), "three_groups": kit.three_groups()}


def test_the_committed_sample_is_what_the_kit_writes(tmp_path: Path) -> None:
    report = kit.two_remics()
    kit.write_expected(report, tmp_path)
    assert (FOLDER / "sample.txt").read_text(encoding="ascii") == kit.render(report)
    written = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    expected = {file.name: file.read_bytes() for file in (FOLDER / "expected").iterdir()}
    assert expected.pop("checks.csv"), "what the checks say is no print of the kit"
    assert written == expected


@pytest.mark.parametrize("name", REPORTS)
def test_every_cell_is_as_printed(name: str) -> None:
    report = REPORTS[name]
    outcome = read_text(kit.render(report))
    assert differences(outcome, kit.truth(report)) == []
    assert outcome.failed_checks() == []
    counts = outcome.tables["reports"].row(0, named=True)
    assert counts["numbers_claimed"] == counts["numbers_found"]


def test_rows_of_one_section_are_held_against_its_total() -> None:
    wrong = edited("TOTALS       65,000,000.00  64,500,840.46", "TOTALS       65,000,000.00  64,500,940.46")
    assert ("class_totals", "REMIC I beginning_balance") in wrong.failed_checks()
    assert wrong.check("class_totals", "REMIC II beginning_balance")[0] == "pass"


def test_a_class_of_another_section_is_no_class_of_this_one() -> None:
    odd = edited("      I-MF                     992", "      A-9F                     992")
    assert (odd.reason, "A-9F, which block class_balances does not have" in odd.message) == ("unknown_class", True)


def test_a_class_twice_in_a_section_is_refused() -> None:
    assert edited("     I-MF    38,881,600.00", "     I-1F    38,881,600.00").reason == "doubled_row"


def test_a_class_may_stand_in_two_sections() -> None:
    text = kit.render(kit.two_remics()).replace("R-II ", "R    ").replace("R-I  ", "R    ")
    outcome = read_text(text)
    residual = outcome.tables["classes"].filter(class_key="R")
    assert residual["section"].to_list() == ["REMIC I", "REMIC II"]
    assert outcome.failed_checks() == []


def test_a_section_without_a_name_of_its_own() -> None:
    """Interest by class stands on a page that names no REMIC; it is that of the classes that are named there."""
    outcome = read_text(kit.render(kit.two_remics()))
    accrued = outcome.tables["records"].filter(field="interest_accrued")
    assert set(accrued["section"]) == {"REMIC II"}


def test_a_wrong_bucket_breaks_both_totals() -> None:
    wrong = edited("880,230.47", "880,330.47")
    failed = wrong.failed_checks()
    assert ("bucket_totals", "FIXED GROUP delinquent balance") in failed
    assert ("status_totals", "FIXED GROUP 30-59 balance") in failed


def test_a_cell_stands_under_the_nearest_head() -> None:
    """A row that leaves the first column blank speaks of the others, and so says where its cells stand."""
    row = next(line for line in kit.render(kit.two_remics()).split("\n") if line.startswith("NEXT WEIGHTED"))
    outcome = edited(row, row.replace("10.00753%", "         "))
    said = outcome.tables["measures"].filter(measure="next_weighted_average_gross_coupon")
    assert said.select("group_id", "value").rows() == [("ADJ GROUP", Decimal("0.0958265"))]


def test_parts_below_a_head_that_is_not_there_are_not_read() -> None:
    """Foreclosures have no heads of their own: without those above nothing says what their columns are."""
    outcome = edited(
        "DELINQUENT LOAN INFORMATION                     Payment", "DELINQUENT LOAN INFORMATION            Payment X"
    )
    assert outcome.tables["delinquencies"].is_empty()
    assert ("every_number_claimed", "report") in outcome.failed_checks()
    assert ("expected_lines_found", "delinquent_loans") in outcome.failed_checks()


def test_realized_losses_may_be_printed_as_negative_amounts() -> None:
    text = kit.render(kit.one_group())
    found = re.search(r"LESS: REALIZED LOSSES.*\n.*TOTAL  PRINCIPAL.*", text)
    assert found is not None
    zero, total = "0.00", kit.amount(kit.one_group().groups[0].principal)
    less = kit.amount(kit.one_group().groups[0].principal - 1000)
    lines = found[0].replace(zero, "(1,000.00)", 1).replace(total, less)
    outcome = read_text(text.replace(found[0], lines))
    assert outcome.check("pool_principal", "TOTAL")[0] == "explained"


def edited(old: str, new: str) -> Outcome:
    """The sample with one text in place of another."""
    text = kit.render(kit.two_remics())
    assert text.count(old) >= 1, old
    return read_text(text.replace(old, new, 1))


@pytest.mark.parametrize("name", REPORTS)
def test_one_month_follows_the_other(tmp_path: Path, name: str) -> None:
    """A lake of two months: they continue, what moved adds up, and a value is found by its section."""
    inbox, output = tmp_path / "inbox", tmp_path / "output"
    inbox.mkdir()
    for number, report in enumerate((REPORTS[name], kit.next_month(REPORTS[name]))):
        (inbox / f"{number}.txt").write_text(kit.render(report), encoding="ascii")
    run([inbox], output)
    lake = Lake(output)
    assert check_lake(lake).breaks == []
    moved = movements(lake, "1999-03", "1999-04")
    assert set(moved.classes["outcome"]) | set(moved.pools["outcome"]) <= {"pass", "rounding"}
    assert moved.classes.select("section", "class_key").is_unique().all()
    section = ["REMIC II"] if name == "two_remics" else []
    found = explain(lake, moved.deal, "1999-04", ["classes", *section, "TOTAL", "ending_balance"])
    (answer,) = found.reports
    assert answer.cells[0].row_label == "TOTALS"
    subjects = {verdict.subject for verdict in answer.checks if verdict.check == "class_totals"}
    assert subjects == {" ".join([*section, "ending_balance"])}


def test_a_batch_of_several_layouts() -> None:
    """Each report keeps to its own layout, and the rows of all stand in the same tables."""
    texts = [kit.render(report).encode() for report in REPORTS.values()]
    texts.insert(1, (PACKAGED / "us_bank_text" / "sample.txt").read_bytes())
    documents = [document_from_bytes(text, str(place)) for place, text in enumerate(texts)]
    batch = read_batch([item for item in documents if isinstance(item, Document)], load_layouts())
    assert batch.rejects == []
    assert batch.arrow["classes"].num_rows == batch.tables["classes"].height
    assert [row[0] for row in batch.tables["reports"].select("layout").rows()][1] == "us-bank-text@1"
