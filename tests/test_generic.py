"""Reports of no known layout: read where their own arithmetic proves them, and never wrongly."""

from __future__ import annotations

import time
from collections import Counter
from decimal import Decimal
from pathlib import Path
from random import Random

import polars as pl
import pytest

from benchmarks.generic import (
    AAMES,
    DAMAGE,
    RESIDENTIAL,
    Sample,
    corpus_samples,
    damaged_copies,
    read_generically,
    residential_samples,
    swapped_heads,
    unknown_samples,
    us_bank_samples,
    wrong_cells,
)
from etl import Layout, load_layouts, run
from etl.batch import read_batch
from etl.class_proofs import amount
from etl.documents import MAX_BYTES, Document, document_from_bytes
from etl.generic import MAX_CHARACTERS, NAME

from .fuzz.properties import broken_promises
from .kit import Report, render
from .reading import Outcome, read_texts
from .unknown_reports import STYLES, unknown_report

SEEDS = range(4)  # one report of each style


# One of the styles is like a packaged layout, which would read it.
KNOWN = [layout for layout in load_layouts() if layout.name == "us-bank-text"]


def _read(text: str) -> Outcome:
    return read_texts({"a": text}, KNOWN)["a"]


@pytest.fixture(scope="module")
def readings() -> dict[int, Outcome]:
    read = read_texts({str(seed): unknown_report(seed).text for seed in SEEDS}, KNOWN)
    return {int(seed): outcome for seed, outcome in read.items()}


# --- what is read -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_a_report_of_an_unknown_layout_is_read(readings: dict[int, Outcome], seed: int) -> None:
    outcome = readings[seed]
    assert outcome.reason is None, outcome.message
    report = outcome.tables["reports"].row(0, named=True)
    assert report["layout"] == NAME == "generic"
    assert report["deal_name"].rpartition("eries ")[2] or report["deal_name"].rpartition("ERIES ")[2]
    assert outcome.date.month == 12
    printed = unknown_report(seed).printed
    rows = {row["class_key"]: row for row in outcome.tables["classes"].iter_rows(named=True)}
    assert rows.keys() == printed.keys()
    for key, row in rows.items():
        for field in ("beginning_balance", "principal_distribution", "ending_balance", "total_distribution"):
            assert row[field] == amount(printed[key][field])


def test_cells_bear_the_heads_of_their_columns(readings: dict[int, Outcome]) -> None:
    for seed in SEEDS:
        records = readings[seed].tables["records"].filter(pl.col("field") == "ending_balance")
        assert set(records["column_label"]) == {" ".join(STYLES[unknown_report(seed).style][1]["ending_balance"])}
        cusips = readings[seed].tables["records"].filter(pl.col("field") == "cusip")
        assert set(cusips["column_label"]) <= {"CUSIP"}


@pytest.mark.parametrize("seed", SEEDS)
def test_no_number_is_lost(layouts: tuple[Layout, ...], seed: int) -> None:
    assert broken_promises([unknown_report(seed).text.encode()], layouts) == {}


@pytest.mark.parametrize("seed", SEEDS)
def test_all_other_numbers_stand_as_unclaimed_with_their_labels(readings: dict[int, Outcome], seed: int) -> None:
    records = readings[seed].tables["records"]
    unclaimed = records.filter(status="unclaimed")
    assert unclaimed["field"].null_count() == unclaimed.height > 0
    lines = unknown_report(seed).text.split("\n")
    columns = ("line", "column_start", "column_end", "raw")
    assert all(lines[line - 1][start:end] == raw for line, start, end, raw in unclaimed.select(columns).iter_rows())
    labels = dict(unclaimed.select("line", "row_label").iter_rows())
    assert all(label is None or label in " ".join(lines[line - 1].split()) for line, label in labels.items())
    assert records["record_no"].to_list() == list(range(1, records.height + 1))


def test_numbers_that_are_left_have_their_values(readings: dict[int, Outcome]) -> None:
    unclaimed = readings[0].tables["records"].filter(status="unclaimed")
    values = {raw: rest for raw, *rest in unclaimed.select("raw", "row_label", "value", "printed_decimals").iter_rows()}
    assert values["8.123456%"] == ["Weighted Average Coupon", Decimal("0.08123456"), 6]
    assert values["1,234"] == ["Beginning Loan Count", Decimal(1234), 0]
    assert unclaimed["unit"].null_count() == unclaimed.height


def test_numbers_of_other_tables_have_the_label_of_their_row_and_the_head_of_their_column(
    readings: dict[int, Outcome],
) -> None:
    lines = unknown_report(1).text.split("\n")
    (head,) = [at for at, line in enumerate(lines, 1) if line.split() == ["CLASS", "PRINCIPAL", "INTEREST", "BALANCE"]]
    records = readings[1].tables["records"].filter(pl.col("line") > head, pl.col("raw").str.contains(r"[.]"))
    first = records.head(3).select("row_label", "column_label", "status").rows()
    assert first == [("A-1", label, "unclaimed") for label in ("PRINCIPAL", "INTEREST", "BALANCE")]
    classes = readings[1].tables["classes"].filter(pl.col("class_key") != "TOTAL")
    assert records["row_label"].unique(maintain_order=True).to_list() == classes["class_key"].to_list()


def test_a_number_in_the_line_of_a_class_bears_its_label_though_the_line_does_not_print_it() -> None:
    text = unknown_report(2).text
    strip = next(line for line in text.split("\n") if line.split() == ["Int", "Total", "Dist"])
    (before, inside, after) = text.partition(strip + "\n")
    rows, blank, rest = after.partition("\n\n")
    odd = "\n".join(f"{row}{7 + number:>12}" for number, row in enumerate(rows.split("\n")))
    outcome = _read(before + inside.replace("Total Dist", "Total Dist         Odd") + odd + blank + rest)
    assert outcome.reason is None, outcome.message
    left = outcome.tables["records"].filter(status="unclaimed", column_label="Odd")
    named = [key for key in outcome.tables["classes"]["class_key"] if key != "TOTAL"]
    assert left["raw"].to_list() == [str(7 + number) for number in range(len(named) + 1)]
    assert left["row_label"].to_list()[:-1] == named


def test_what_no_equation_confirms_is_not_given(readings: dict[int, Outcome]) -> None:
    classes = readings[3].tables["classes"]
    for field in ("pass_through_rate", "interest_shortfall", "is_notional", "class_type", "principal_per_1000"):
        assert classes[field].null_count() == classes.height


def test_its_checks_pass_but_for_the_numbers_that_are_left(readings: dict[int, Outcome]) -> None:
    for outcome in readings.values():
        assert outcome.failed_checks() == [("every_number_claimed", "report")]
        assert outcome.check("class_roll_forward", "TOTAL")[0] == "pass"


def test_an_unknown_report_is_read_among_known_ones(seed_report: Report) -> None:
    texts = [unknown_report(0).text, render(seed_report), "Dear Sirs,", unknown_report(1).text]
    documents = [document_from_bytes(text.encode(), str(number)) for number, text in enumerate(texts)]
    batch = read_batch([document for document in documents if isinstance(document, Document)], KNOWN)
    assert batch.identity["document"].to_list() == [0, 1, 3]
    assert batch.tables["reports"]["layout"].to_list() == ["generic", "us-bank-text@1", "generic"]
    assert [reject.source for reject in batch.rejects] == ["2"]
    assert batch.arrow.keys() == batch.tables.keys()


def test_it_is_read_once_into_a_lake(tmp_path: Path) -> None:
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox" / "a.txt").write_text(unknown_report(0).text)
    first, again = (run([str(tmp_path / "inbox")], tmp_path / "output", workers=1) for _ in range(2))
    assert (first.rejects, again.rejects) == ([], [])
    assert again.skipped == 1


# --- what is not read, and why ----------------------------------------------------------------------------------------


def _changed(seed: int, before: str, after: str) -> Outcome:
    text = unknown_report(seed).text
    assert before in text
    return _read(text.replace(before, after, 1))


def _cell(field: str, seed: int = 0) -> str:
    printed = unknown_report(seed).printed
    return next(row[field] for row in printed.values() if row[field] not in ("0.00", row.get("total_distribution")))


def test_the_first_equation_that_fails_is_told() -> None:
    ending = _cell("ending_balance")
    outcome = _changed(0, ending, ending[:-1] + str((int(ending[-1]) + 1) % 10))
    assert outcome.reason == "no_layout"
    assert "rolls forward to" in outcome.message
    assert "class A-1 (line" in outcome.message


def test_a_total_that_is_wrong_is_told() -> None:
    total = unknown_report(0).printed["TOTAL"]["beginning_balance"]
    assert (
        "the classes add up to" in _changed(0, total, "1" + total[1:] if total[0] != "1" else "2" + total[1:]).message
    )


def test_a_class_that_is_named_once_is_told() -> None:
    text = unknown_report(1).text
    above, mark, factors = text.partition("FACTOR INFORMATION")
    assert "is named in no second table" in _read(above + mark + factors.replace("A-1 ", "A-X ", 1)).message or (
        "is not in the table of classes" in _read(above + mark + factors.replace("A-1 ", "A-X ", 1)).message
    )


def test_a_head_that_is_not_known_is_told() -> None:
    text = unknown_report(0).text.replace("Ending", "Odd")
    assert "no known head says which column is ending_balance" in _read(text).message


def test_two_tables_of_classes_are_not_one() -> None:
    text = unknown_report(1).text
    assert "two tables name classes" in _read(text + text).message


def test_a_report_without_a_date_or_a_deal_has_no_place() -> None:
    text = unknown_report(0).text
    assert _read(text.replace("Distribution Date", "Day")).reason == "missing_field"
    assert _read(text.replace("Series", "Sort")).reason == "missing_field"
    other = text + "\nDistribution Date: January 2, 1990\n"
    assert _read(other).reason == "conflicting_values"
    assert "several distribution dates" in _read(other).message
    named = text + "\nOther Funding Corporation\nCertificates, Series 1990-1\n"
    assert "names several deals" in _read(named).message


def test_another_day_is_not_the_distribution_date() -> None:
    text = unknown_report(0).text.replace("Record Date:", "Next Distribution Date:")
    assert _read(text).reason is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("STRUCTURAL TERM SHEET\n\nDecrement tables at 100% of the prepayment assumption\n", "a term sheet"),
        ("PROSPECTUS SUPPLEMENT\nRisk Factors\nUse of Proceeds\nPlan of distribution\n", "a prospectus"),
        ("Static Pool Information\nVintage Year 2003  1.00  2.00\n", "static pool data"),
        ("FORM 10-K\nAnnual report pursuant to section 13\nItem 1122 of Regulation AB\n", "an annual report"),
        ("POOLING AND SERVICING AGREEMENT\nWITNESSETH\nARTICLE I\nSection 1.01. Definitions.\n", "an agreement"),
    ],
)
def test_a_look_alike_is_named(text: str, words: str) -> None:
    outcome = _read(text)
    assert outcome.reason == "not_a_report"
    assert f"it looks like {words}" in outcome.message


def test_a_proved_report_is_no_look_alike() -> None:
    text = "Static pool data of vintage years stand in the prospectus supplement: risk factors, use of proceeds.\n\n"
    assert _read(text + unknown_report(0).text).reason is None


def test_a_dated_class_table_is_no_look_alike_though_it_is_not_proved() -> None:
    words = (
        "* As defined in the Prospectus Supplement for the Offered Certificates; see Risk Factors, Use of Proceeds.\n"
    )
    ending = _cell("ending_balance")
    text = unknown_report(0).text.replace(ending, ending[:-1] + str((int(ending[-1]) + 1) % 10), 1)
    assert _read(words).reason == "not_a_report"
    assert _read(text + words).reason == "no_layout"


def test_the_nearest_layout_is_named_with_its_missing_heads(seed_report: Report) -> None:
    text = render(seed_report).replace("AMOUNTS PER $1,000 UNIT", "UNITS").replace("O/C Target Amt", "Target")
    outcome = _read(text)
    assert outcome.reason == "no_layout"
    assert "heads of us-bank-text were found; missing: 'O/C Target Amt'" in outcome.message
    assert "without a layout it is not read: " in outcome.message


@pytest.mark.parametrize(
    "said", ["(in thousands)", "Amounts in millions", "$000's omitted", "($000)", "all amounts are in Euros"]
)
def test_amounts_that_are_no_dollars_are_not_read(said: str) -> None:
    outcome = _read(f"{said}\n\n{unknown_report(0).text}")
    assert outcome.reason == "no_layout"
    assert "without a layout it is not read: the text says of amounts " in outcome.message


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("Year-to-Date", "Year-to-Date"),
        ("Distribution to date:", "to date"),
        ("ANNUAL TOTALS", "ANNUAL TOTALS"),
        ("Prior  Period", "Prior Period"),
        ("PER $1,000", "PER $1,000"),
    ],
)
def test_figures_of_another_period_are_not_read(said: str, words: str) -> None:
    title = "Certificateholder Distribution Summary\n\n"
    outcome = _read(unknown_report(0).text.replace(title, f"{title}{said}\n\n", 1))
    assert outcome.reason == "no_layout"
    assert f"the words above the table in line 11 say '{words}'" in outcome.message


def test_words_of_another_period_elsewhere_keep_nothing_from_being_read() -> None:
    assert (
        _read(unknown_report(0).text + "\nLosses to date, and of the prior period, per $1,000: 5.00\n").reason is None
    )


PER_UNIT = """\
Example Trust, Series 2001-1
Distribution Date: March 25, 2001

     Class     Beginning Balance    Principal    Ending Balance
     A-1                  900.00        10.00            890.00
     A-2                  800.00        20.00            780.00

     Class         Rate       Factor
     A-1       5.00000%     0.900000
     A-2       6.00000%     0.800000
"""


def test_balances_per_unit_are_no_balances() -> None:
    assert "no balance is more than 1,000: the amounts may be per 1,000" in _read(PER_UNIT).message
    dollars = PER_UNIT.replace("     900.00", "  90,900.00").replace("     890.00", "  90,890.00")
    assert _read(dollars).reason is None


def test_a_table_of_factors_that_repeats_the_classes_is_no_strip_of_their_table() -> None:
    report = unknown_report(0)
    labels = [label for label in report.printed if label != "TOTAL"]
    rows = "\n".join(f"{label:<10}{'1,000,000.00':>20}{'0.90000000':>20}" for label in labels)
    outcome = _read(f"{report.text}\n\nClass          Original Face     Ending Factor\n{rows}\n")
    assert outcome.reason is None, outcome.message
    assert outcome.tables["classes"]["original_balance"].null_count() == len(report.printed)
    left = outcome.tables["records"].filter(status="unclaimed", column_label="Original Face")
    assert left["row_label"].to_list() == labels


def test_a_letter_is_no_report() -> None:
    assert _read("Dear Sirs,\n\nthe statement follows by mail.\n").reason == "not_a_report"


def test_a_document_of_many_reports_is_too_long_to_be_one() -> None:
    text = unknown_report(0).text
    outcome = _read(text * (MAX_CHARACTERS // len(text) + 1))
    assert outcome.reason == "no_layout"
    assert "as no report has" in outcome.message


# --- never wrongly -----------------------------------------------------------------------------------------------


def test_generated_reports_are_read_as_printed(layouts: tuple[Layout, ...]) -> None:
    samples = unknown_samples(24)
    readings = read_generically(samples, layouts)
    assert [reading.wrong for reading in readings] == [()] * len(samples)
    assert sum(reading.reject is None for reading in readings) > len(samples) * 3 // 4


def test_notional_balances_keep_a_report_from_being_read(layouts: tuple[Layout, ...]) -> None:
    readings = read_generically(us_bank_samples(layouts, 4), layouts)
    for reading in readings:
        assert reading.reject is not None
        assert reading.reject.reason_code == "no_layout"


def test_damaged_copies_are_never_read_wrongly() -> None:
    outcomes: Counter[tuple[str, bool]] = Counter()
    for kind, text, printed in damaged_copies(unknown_samples(24), 8):
        wrong = wrong_cells(text, printed)
        assert not wrong, (kind, wrong)
        outcomes[kind, wrong is None] += 1
    assert {kind for kind, refused in outcomes if refused} == set(DAMAGE)


def test_swapped_heads_are_never_read_wrongly() -> None:
    results = [wrong_cells(text, printed) for _, text, printed in swapped_heads(250)]
    assert len(results) > 100
    assert not [wrong for wrong in results if wrong]


@pytest.fixture(scope="module")
def residential(corpus: Path) -> list[Sample]:
    if not (corpus / RESIDENTIAL).is_file():
        pytest.skip(f"needs the real filing {RESIDENTIAL}, which is not in {corpus}")
    return residential_samples(corpus / RESIDENTIAL)


def test_real_reports_are_read_as_a_second_reading_has_them(
    residential: list[Sample], layouts: tuple[Layout, ...]
) -> None:
    chosen = residential[7:31]
    readings = read_generically(chosen, layouts)
    assert [reading.wrong for reading in readings] == [()] * len(chosen)
    assert sum(reading.reject is None for reading in readings) >= 15


def test_damaged_copies_of_real_reports_are_never_read_wrongly(residential: list[Sample]) -> None:
    sound = [sample for sample in residential if wrong_cells(sample.text, sample.printed) == []]
    assert len(sound) >= 70
    for kind, text, printed in damaged_copies(sound[::4], 5):
        assert not wrong_cells(text, printed), kind


def test_two_real_tables_of_classes_are_not_taken_for_one(corpus: Path, layouts: tuple[Layout, ...]) -> None:
    if not (corpus / AAMES).is_file():
        pytest.skip(f"needs the real filing {AAMES}, which is not in {corpus}")
    (sample,) = corpus_samples(corpus, layouts)["a real report with two class tables"]
    (reading,) = read_generically([sample], layouts)
    assert reading.reject is not None
    assert reading.reject.reason_code == "no_layout"
    assert "two tables name classes" in reading.reject.message


# --- what it costs -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "piece", ["1 2 3 4\n", "Class  Beg Bal  Prin  End Bal\nA-1  1.00  2.00  3.00\n", "The Trust Series 2000-1\n"]
)
def test_the_largest_unknown_documents_take_seconds(piece: str) -> None:
    begun = time.process_time()
    assert _read(piece * ((MAX_CHARACTERS - 1) // len(piece))).reason in ("no_layout", "not_a_report")
    assert time.process_time() - begun < 20


def test_larger_documents_are_not_drafted() -> None:
    text = "x " * (MAX_BYTES // 2 - 10)
    begun = time.process_time()
    assert _read(text).reason == "not_a_report"
    assert time.process_time() - begun < 20


def test_amounts_have_their_sign() -> None:
    assert amount("(1,234.50)") == Decimal("-1234.50")
    assert amount("-$5") == Decimal(-5)
    assert amount("N/A") is None


def test_damage_is_repeatable() -> None:
    text = unknown_report(0).text
    for damage in DAMAGE.values():
        assert damage(text, Random(1)) == damage(text, Random(1)) != text


def test_no_class_is_called_notional_or_not(readings: dict[int, Outcome]) -> None:
    assert all(
        outcome.tables["classes"].filter(pl.col("is_notional").is_not_null()).is_empty()
        for outcome in readings.values()
    )
