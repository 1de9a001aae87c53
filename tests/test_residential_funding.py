"""Statements of Residential Funding as the kit prints them: what a class goes by, and what is told of damaged ones."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from etl import Layout, load_layout
from etl.layout import PACKAGED

from .kit import residential_funding_text
from .kit.residential_funding_text import CLASSES, ISSUER, cusip, render_statement, write_statement
from .reading import Outcome, read_text, read_texts

FOLDER = PACKAGED / "residential_funding_text"
TEXT = render_statement()


def _classes(outcome: Outcome) -> dict[str, dict[str, object]]:
    return {row["class_key"]: row for row in outcome.tables["classes"].iter_rows(named=True)}


def _changed(*changes: tuple[str, str]) -> Outcome:
    text = TEXT
    for old, new in changes:
        assert re.search(old, text, re.MULTILINE), old
        text = re.sub(old, new, text, count=1, flags=re.MULTILINE)
    return read_text(text)


def test_the_committed_sample_is_what_the_kit_writes(tmp_path: Path) -> None:
    write_statement(tmp_path)
    assert (FOLDER / "sample.txt").read_bytes() == (tmp_path / "sample.txt").read_bytes()
    for file in (FOLDER / "expected").iterdir():
        if file.name == "checks.csv":  # what the checks say is no print of the kit
            continue
        assert file.read_bytes() == (tmp_path / "expected" / file.name).read_bytes()


def test_classes_go_by_their_name_or_their_cusip() -> None:
    read = _classes(read_text(TEXT))
    twice = [cusip(bond) for bond in CLASSES if bond.name == "A-2"]
    nameless = [cusip(bond) for bond in CLASSES if not bond.name]
    assert list(read) == ["A-1", *twice, "A-3", "A-4", *nameless, "R-I", "M-1", "B", "TOTAL"]
    assert [read[key]["class_id"] for key in (*twice, *nameless)] == ["A-2", "A-2", None]
    assert [read[key]["class_type"] for key in (*twice, *nameless)] == ["senior", "senior", None]
    assert read["B"]["cusip"] is None
    assert read["A-4"]["next_pass_through_rate"] == Decimal("0.003128")


@pytest.mark.parametrize(("with_cusip", "key"), [(True, "760999AH5"), (False, "UNNAMED")])
def test_a_single_class_may_have_neither(monkeypatch: pytest.MonkeyPatch, *, with_cusip: bool, key: str) -> None:
    alone = replace(CLASSES[7], name="", cusip=CLASSES[7].cusip if with_cusip else "")
    monkeypatch.setattr(residential_funding_text, "CLASSES", (alone,))
    outcome = read_text(render_statement().replace("CLASS A-4 - ", ""))
    assert outcome.message == ""
    read = _classes(outcome)
    assert list(read) == [key, "TOTAL"]
    assert read[key]["ending_balance"] == Decimal("2108505.29")


def test_two_classes_with_neither_are_refused() -> None:
    outcome = _changed(("^M-1     760999AH5", " " * 17), ("^B    ", "      "))
    assert outcome.reason == "unknown_class"
    assert "has neither a class nor a CUSIP" in outcome.message


@pytest.mark.parametrize(
    ("old", "new", "reason", "words"),
    [
        (r"^M-1( +12,)", r"M-2\1", "row_order_mismatch", "block class_payments has M-2 in line"),
        (r"^M-1( +12,)", r"   \1", "row_order_mismatch", "block class_payments has no label in line"),
        (r"^M-1 +12,.*\n", "", "row_count_mismatch", "block class_payments has 9 rows"),
        (r"^M-1 +882.*\n", "", "row_count_mismatch", "block unit_amounts has 8 rows"),
        (r"^AMOUNTS PER[\s\S]*?788\.350445", "", "missing_block", "unit_amounts"),
        (r"^PREPAYMENT PERCENT.*\n", "", "missing_row", "block class_percentages below line"),
        (r"(LIBOR INDEX: +)5", r"\g<1>x", None, ""),
        (r"SERIES 1994-X12 ", "SERIES 1994-X13 ", "conflicting_values", f"{ISSUER} SERIES 1994-X13"),
    ],
)
def test_a_damaged_statement_says_why(old: str, new: str, reason: str | None, words: str) -> None:
    outcome = _changed((old, new))
    assert outcome.reason == reason
    assert words in outcome.message
    if reason is None:
        assert ("every_number_claimed", "report") in outcome.failed_checks()


def test_a_strip_of_a_class_that_is_not_there_stays_unclaimed() -> None:
    outcome = _changed(("CLASS A-4 - STRIP", "CLASS A-9 - STRIP"))
    assert outcome.reason is None
    left = outcome.tables["records"].filter(status="unclaimed")["raw"].to_list()
    assert "0.3128" in "".join(left)


def test_a_strip_is_printed_once_or_alike() -> None:
    line = r"^(CLASS A-4 - STRIP .* 0\.)3128 %"
    assert _changed((line, r"\g<1>3128 %\n\g<1>3128 %")).reason is None
    assert _changed((line, r"\g<1>3128 %\n\g<1>3129 %")).reason == "doubled_row"


def test_the_second_part_may_be_printed_twice() -> None:
    second = TEXT[TEXT.index("Run:        12/21/98     10:04:02") :]
    once, twice = read_text(TEXT), read_text(TEXT + second)
    assert twice.message == ""
    assert twice.tables["measures"].drop("report_id").equals(once.tables["measures"].drop("report_id"))
    changed = read_text(TEXT + second.replace("1,207", "1,208"))
    assert changed.reason == "conflicting_values"
    assert "ending_count" in changed.message


def test_either_table_of_percentages_is_expected() -> None:
    gone = "\n".join(line for line in TEXT.split("\n") if "PERCENT" not in line and "CLASS M   " not in line)
    outcome = read_text(gone.replace("CURRENT DISTRIBUTION", "").replace("NEXT DISTRIBUTION       ", ""))
    assert outcome.check("expected_lines_found", "senior_percentages")[0] == "fail"
    assert ("expected_lines_found", "class_percentages") not in outcome.failed_checks()


def test_a_number_too_long_for_its_place_is_none() -> None:
    outcome = read_text(TEXT)
    row = outcome.tables["measures"].filter(measure="senior_prepayment_percentage").row(0, named=True)
    assert row["value"] is None
    (status,) = outcome.tables["records"].filter(field="senior_prepayment_percentage")["status"]
    assert status == "not_applicable"


# --- the same tables in two sections --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def with_sections(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    file = tmp_path_factory.mktemp("layout") / "layout.toml"
    declared = (FOLDER / "layout.toml").read_text(encoding="utf-8")
    file.write_text(declared.replace("[classes.types]", "[classes]\nsections = 'REMIC [IVX]+'\n\n[classes.types]"))
    return load_layout(file)


def _in_two_sections(layout: Layout, second: tuple[str, str]) -> Outcome:
    """The report with its class tables twice, the second time with a change."""
    start, end = TEXT.index("_" * 79), TEXT.index("788.350445") + len("788.350445\n")
    tables = TEXT[start:end]
    changed = re.sub(*second, tables, flags=re.MULTILINE)
    assert changed != tables
    text = f"{TEXT[:start]}REMIC I\n{tables}\nREMIC II\n{changed}{TEXT[end:]}"
    return read_texts({"a": text}, [layout])["a"]


def test_classes_go_by_name_or_cusip_in_each_section(with_sections: Layout) -> None:
    outcome = _in_two_sections(with_sections, ("^A-4", "A-9"))
    assert outcome.message == ""
    keys = list(_classes(read_text(TEXT)))
    rows = outcome.tables["classes"].select("section", "class_key", "next_pass_through_rate").rows()
    others = ["A-9" if key == "A-4" else key for key in keys]
    assert [row[:2] for row in rows] == [("REMIC I", key) for key in keys] + [("REMIC II", key) for key in others]
    # The row of A-4 stands below the second section; only the first has this class.
    assert [row[:2] for row in rows if row[2] is not None] == [("REMIC I", "A-4")]
    report = outcome.tables["reports"].row(0, named=True)
    assert report["numbers_claimed"] == report["numbers_found"]


@pytest.mark.parametrize(
    ("change", "reason", "words"),
    [
        ((r"^M-1( +12,)", r"M-2\1"), "row_order_mismatch", "block class_payments has M-2 in line"),
        ((r"^M-1 +12,.*\n", ""), "row_count_mismatch", "block class_payments has 9 rows"),
        ((r"^M-1 +882.*\n", ""), "row_count_mismatch", "block unit_amounts has 8 rows"),
        ((r"^(?:M-1     760999AH5|B                )", " " * 17), "unknown_class", "neither a class nor a CUSIP"),
    ],
)
def test_a_damaged_section_says_why(with_sections: Layout, change: tuple[str, str], reason: str, words: str) -> None:
    outcome = _in_two_sections(with_sections, change)
    assert outcome.reason == reason
    assert words in outcome.message
