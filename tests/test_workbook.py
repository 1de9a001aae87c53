"""Workbooks as a spreadsheet program takes them: what their cells are, and what their formulas give."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import xlsxwriter
from openpyxl import load_workbook

import etl
from etl.deal_tables import DealTables, deal_tables
from etl.excel_formulas import (
    MAX_ARGUMENTS,
    MAX_DIGITS,
    MAX_FORMULA,
    Cell,
    cell_name,
    column_name,
    expression,
    fits,
    missed,
    sum_of,
)
from etl.formulas import Figure, parse
from etl.identities import catalogue
from etl.lake import Lake
from etl.reconciliation import Line, reconciliation
from etl.sheets import Sheets
from etl.workbook import NOT_COMPUTED, OFF, OK, SHEETS, workbook

from .conftest import REPOSITORY
from .spreadsheets import computed

INBOX = REPOSITORY / "samples" / "inbox"
PAGE = (REPOSITORY / "docs" / "exports.md").read_text()
ABSC = "asset-backed-securities-corporation-home-equity-loan-trust-series-2003-he2"


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    output = tmp_path_factory.mktemp("made") / "lake"
    samples = sorted((REPOSITORY / "etl" / "layouts").glob("*/sample.txt"))
    etl.run([INBOX, *samples], output)
    return Lake(output)


def _rows(file: Path, sheet: str) -> list[dict[str, Any]]:
    """The rows of a sheet, with the values that stand in its cells."""
    heads, *rows = load_workbook(file, data_only=True)[sheet].iter_rows(values_only=True)
    return [dict(zip(map(str, heads), row, strict=True)) for row in rows]


def _written(deal: DealTables, file: Path) -> Path:
    file.write_bytes(workbook(deal).data)
    return file


def _same(said: object, computed_value: object) -> bool:
    if isinstance(said, float | int) and isinstance(computed_value, float | int):
        return abs(said - computed_value) <= 1e-8  # checks round computed numbers to so many decimals
    return said == computed_value


# --- formulas as text -----------------------------------------------------------------------------------------------


def test_columns_have_their_letters() -> None:
    assert [column_name(number) for number in (0, 25, 26, 51, 701, 702)] == ["A", "Z", "AA", "AZ", "ZZ", "AAA"]
    assert cell_name(9, 2) == "C10"


@pytest.mark.parametrize(
    ("formula", "written"),
    [
        ("a = b - (c - d)", "=b!A1-(c!A1-d!A1)"),
        ("a = b - c - d", "=b!A1-c!A1-d!A1"),
        ("a = (b + c) * 1000 / d!", "=(b!A1+c!A1)*1000/d!A1"),
        ("a = b / (c * d)", "=b!A1/(c!A1*d!A1)"),
        ("a <= positive(b - c) * 2", "=MAX(0,b!A1-c!A1)*2"),
    ],
)
def test_a_tree_keeps_its_order(formula: str, written: str) -> None:
    node = parse(formula).expected
    assert "=" + expression(node, lambda figure: [Cell(figure.field, 0, 0, None)]) == written


def test_sums_name_ranges_without_gaps() -> None:
    cells = [Cell("pools", row, 3, Decimal(1)) for row in (7, 2, 3, 4, 9)]
    assert sum_of(cells) == "SUM(pools!D3:D5,pools!D8,pools!D10)"
    assert (sum_of([]), sum_of(cells[:1])) == ("0", "pools!D8")


@pytest.mark.parametrize("rows", [255, 256, 300, 700])
def test_a_sum_of_many_scattered_cells_is_computed(tmp_path: Path, rows: int) -> None:
    """A function takes 255 arguments at the most."""
    cells = [Cell("pools", 2 * row, 3, Decimal(row)) for row in range(rows)]
    formula = sum_of(cells)
    assert len(formula) < MAX_FORMULA
    assert all(call.count(",") < MAX_ARGUMENTS for call in re.findall(r"SUM\(([^()]*)\)", formula))
    with xlsxwriter.Workbook(tmp_path / "sum.xlsx") as book:
        pools = book.add_worksheet("pools")
        for cell in cells:
            pools.write_number(cell.row, cell.column, int(cell.value or 0))
        book.add_worksheet("sum").write_formula(0, 0, f"={formula}")
    (file,) = computed([tmp_path / "sum.xlsx"], tmp_path)
    assert load_workbook(file, data_only=True)["sum"]["A1"].value == sum(range(rows))


def test_relations_say_what_is_missed() -> None:
    assert [missed("H2", relation) for relation in ("=", "<=", ">=")] == ["ABS(H2)", "MAX(H2,0)", "MAX(-H2,0)"]


def test_every_declared_formula_can_be_written() -> None:
    formulas = [formula for identity in catalogue().identities for formula in identity.formulas]
    formulas += [check.formula for check in catalogue().between if check.formula]
    for formula in formulas:
        named: list[Figure] = []

        def cells_of(figure: Figure, into: list[Figure] = named) -> list[Cell]:
            into.append(figure)
            return [Cell("a", 0, 0, None)]

        assert expression(formula.expected, cells_of).count("a!A1") == len(named)
        assert dict.fromkeys((formula.actual, *named)) == dict.fromkeys(formula.figures)


@pytest.mark.parametrize(
    ("value", "whole"),
    [("123456789012345", True), ("1234567890123456", False), ("-12345678901234.5", True), ("1E+20", True)],
)
def test_a_spreadsheet_has_fifteen_digits(value: str, whole: bool) -> None:  # noqa: FBT001 - a table of cases
    assert fits(Decimal(value)) is whole
    assert (Decimal(f"{float(value):.{MAX_DIGITS}g}") == Decimal(value)) is whole


# --- what the formulas give -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def both(lake: Lake, tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Path, Path]]:
    """The workbooks of all deals, and the same computed anew."""
    folder = tmp_path_factory.mktemp("books")
    files = [_written(deal_tables(lake, deal), folder / f"{deal}.xlsx") for deal in lake.deals()]
    return list(zip(files, computed(files, folder), strict=True))


def test_every_line_gives_what_its_check_found(both: list[tuple[Path, Path]]) -> None:
    for written, anew in both:
        told, given = _rows(written, "Reconciliation"), _rows(anew, "Reconciliation")
        assert len(told) > 10
        assert [
            row for row, other in zip(told, given, strict=True) if not all(map(_same, row.values(), other.values()))
        ] == []
        assert {row["result"] for row in given} == {OK}


def test_the_lines_are_the_checks_that_are_computed(lake: Lake) -> None:
    declared = catalogue()
    names = {check.name for check in (*declared.identities, *declared.totals)}
    said = set()
    for name in lake.deals():
        deal = deal_tables(lake, name)
        lines = reconciliation(Sheets(deal))
        stored = deal.tables["checks"].filter(pl.col("outcome") != "not_applicable", pl.col("check").is_in(names))
        of_reports = [(line.report_id, line.check, line.subject) for line in lines if line.check in names]
        assert sorted(of_reports) == sorted(stored.select("report_id", "check", "subject").iter_rows())
        said |= {line.check for line in lines}
    assert {check.name for check in declared.between if check.formula} <= said
    assert len(said & names) > 35


def _changed(file: Path, into: Path, sheet: str, column: str, value: float, **row: object) -> Path:
    """A copy of a workbook in which one figure is another."""
    book = load_workbook(file)
    heads, *rows = book[sheet].iter_rows()
    places = {head.value: number for number, head in enumerate(heads)}
    (found,) = [cells for cells in rows if all(cells[places[name]].value == wanted for name, wanted in row.items())]
    found[places[column]].value = value
    book.save(into)
    return into


def test_a_changed_figure_is_flagged(both: list[tuple[Path, Path]], tmp_path: Path) -> None:
    (written,) = [written for written, _ in both if ABSC in written.name]
    november = dt.datetime(2003, 11, 17)  # noqa: DTZ001 - as a spreadsheet has it
    place = {"distribution_date": november, "class_id": "A-1"}
    file = _changed(written, tmp_path / "a.xlsx", "classes", "ending_balance", 328979674, **place)
    place = {"distribution_date": november, "measure": "oc_amount"}
    other = _changed(written, tmp_path / "b.xlsx", "measures", "value", 14344237, **place)
    (first, second) = (_rows(anew, "Reconciliation") for anew in computed([file, other], tmp_path))
    assert {
        (str(row["distribution_date"])[:10], row["check"], row["subject"]) for row in first if row["result"] == OFF
    } == {
        ("2003-11-17", "class_roll_forward", "A-1"),
        ("2003-11-17", "ending_balance_per_1000", "A-1"),
        ("2003-11-17", "oc_amount_is_the_pool_less_certificates", "report"),
        ("2003-11-17", "class_totals", "ending_balance"),
        ("2003-12-15", "class_balance_continues", "A-1"),
    }
    (off,) = [row for row in first if row["check"] == "class_roll_forward" and row["result"] == OFF]
    assert (off["expected"], off["actual"], off["difference"]) == (328979573, 328979674, 101)
    assert off["tolerance"] == 1.5
    assert {row["check"] for row in second if row["result"] == OFF} == {
        "oc_amount_is_the_pool_less_certificates",
        "oc_class_is_the_oc_amount",
    }
    counts = {row[0]: row[1] for row in load_workbook(tmp_path / "computed" / "a.xlsx", data_only=True)["About"].values}
    assert (counts["lines that are OFF"], counts["lines that are OK"]) == (5, len(first) - 5)


def test_what_failed_when_it_was_read_is_off(tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    for month in ("2003-11-17", "2003-12-15"):
        text = (INBOX / f"absc-2003-he2_{month}.txt").read_text()
        (inbox / f"{month}.txt").write_text(text.replace("328,979,574", "328,979,674") if "12" in month else text)
    etl.run([inbox], tmp_path / "lake")
    deal = deal_tables(Lake(tmp_path / "lake"), ABSC)
    lines = reconciliation(Sheets(deal))
    failed = {(line.check, line.subject) for line in lines if not line.holds}
    assert {
        ("class_roll_forward", "A-1"),
        ("class_balance_continues", "A-1"),
        ("class_totals", "beginning_balance"),
    } <= failed
    written = _written(deal, tmp_path / "a.xlsx")
    told, given = _rows(written, "Reconciliation"), _rows(computed([written], tmp_path)[0], "Reconciliation")
    assert {(row["check"], row["subject"]) for row in given if row["result"] == OFF} == failed
    assert all(_same(row["difference"], other["difference"]) for row, other in zip(told, given, strict=True))
    assert all(
        "previous:" in str(row["recorded explanation"])
        for row in given
        if row["check"] == "class_balance_continues" and row["result"] == OFF
    )


def test_the_page_shows_what_stands_there(both: list[tuple[Path, Path]]) -> None:
    (written,) = [written for written, _ in both if ABSC in written.name]
    sheet = load_workbook(written)["Reconciliation"]
    heads, *rows = sheet.iter_rows(values_only=True)
    formulas = {str(row[5]) for row in rows}
    shown = re.findall(r"(?<=`|\n)=[^`\n]+", PAGE.split("### What a spreadsheet")[0])
    assert len(shown) == 2
    assert set(shown) <= formulas
    (table_head,) = re.findall(r"\| check \| subject \|.*", PAGE)
    assert [head.strip() for head in table_head.strip("|").split("|")] == [
        heads[at] for at in (2, 3, 5, 6, 7, 8, 9, 10)
    ]


# --- what the cells are -----------------------------------------------------------------------------------------------


def test_the_sheets_have_the_tables_to_the_last_digit(lake: Lake, both: list[tuple[Path, Path]]) -> None:
    for deal, (written, _) in zip(lake.deals(), both, strict=True):
        book = load_workbook(written)
        assert book.sheetnames == ["About", "Reconciliation", *SHEETS, "Columns"]
        for name in SHEETS:
            rows = lake.read(name, [deal]).drop("deal")
            heads, *cells = book[name].iter_rows(values_only=True)
            assert list(heads) == rows.columns
            assert [tuple(map(_plain, row)) for row in cells] == [tuple(map(_plain, row)) for row in rows.iter_rows()]


def _plain(value: object) -> object:
    """A value of a table or of a cell, so that both can be compared."""
    if isinstance(value, bool | None):
        return value
    if isinstance(value, dt.datetime):
        return value.date()
    if isinstance(value, int | float | Decimal):
        return Decimal(str(value)).normalize()
    return ", ".join(map(str, value)) if isinstance(value, list) else value


def test_numbers_look_as_they_are_printed(lake: Lake, tmp_path: Path) -> None:
    book = load_workbook(_written(deal_tables(lake, ABSC), tmp_path / "a.xlsx"))
    sheet = book["classes"]
    columns = {cell.value: number for number, cell in enumerate(next(sheet.iter_rows()))}
    row = next(sheet.iter_rows(min_row=2))
    shown = {
        name: row[columns[name]].number_format for name in ("ending_balance", "pass_through_rate", "total_per_1000")
    }
    assert shown == {"ending_balance": "#,##0", "pass_through_rate": "0.00000%", "total_per_1000": "#,##0.00000"}
    assert row[0].number_format == "yyyy-mm-dd"
    assert (sheet.freeze_panes, sheet.auto_filter.ref) == ("C2", f"A1:{cell_name(42, len(columns) - 1)}")


HOSTILE = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "1E5",
    "007",
    "2003-11-17",
    "1/2",
    "http://a.b",
    "a\tb\x07\n=c",
    "_x0041_",
    "",
]


def test_text_stays_text(lake: Lake, tmp_path: Path) -> None:
    deal = deal_tables(lake, ABSC)
    classes = deal.tables["classes"]
    texts = (HOSTILE * 4)[: classes.height]
    hostile = DealTables(deal.deal, {**deal.tables, "classes": classes.with_columns(cusip=pl.Series(texts))})
    written = _written(hostile, tmp_path / "a.xlsx")
    (anew,) = computed([written], tmp_path)
    for file in (written, anew):
        sheet = load_workbook(file)["classes"]
        at = [cell.value for cell in next(sheet.iter_rows())].index("cusip")
        cells = [row[at] for row in sheet.iter_rows(min_row=2)]
        assert {cell.data_type for cell in cells} <= {"s", "n"}
        assert all(isinstance(cell.value, str) or not text for cell, text in zip(cells, texts, strict=True))
        assert not [cell.hyperlink for cell in cells if cell.hyperlink]
    told = [row["cusip"] for row in _rows(anew, "classes")]
    assert [text for text in told[:9] if text] == HOSTILE[:9]


def test_what_has_too_many_digits_is_text_and_is_not_computed(lake: Lake, tmp_path: Path) -> None:
    deal = deal_tables(lake, ABSC)
    huge = Decimal("1234567890123456.78")
    classes = deal.tables["classes"]
    changed = pl.when(pl.int_range(pl.len()) == 0).then(pl.lit(huge)).otherwise("ending_balance")
    classes = classes.with_columns(changed.cast(classes.schema["ending_balance"]).alias("ending_balance"))
    made = workbook(DealTables(deal.deal, {**deal.tables, "classes": classes}))
    (tmp_path / "a.xlsx").write_bytes(made.data)
    sheet = load_workbook(tmp_path / "a.xlsx")["classes"]
    at = [cell.value for cell in next(sheet.iter_rows())].index("ending_balance")
    cell = next(sheet.iter_rows(min_row=2))[at]
    assert (cell.value, cell.data_type) == ("1234567890123456.78", "s")
    assert cell.comment is not None
    assert "15 digits" in cell.comment.text
    rows = [row for row in _rows(tmp_path / "a.xlsx", "Reconciliation") if row["result"] == NOT_COMPUTED]
    assert made.not_computed == len(rows) > 3
    assert {"class_roll_forward", "class_totals", "class_balance_continues"} <= {row["check"] for row in rows}
    assert all(row["expected"] is None and "more digits" in row["recorded explanation"] for row in rows)


def test_an_explanation_in_other_words_is_not_computed(lake: Lake) -> None:
    deal = deal_tables(lake, ABSC)
    words = pl.col("explanation").str.replace("^computed on", "once computed on")
    told = DealTables(deal.deal, {**deal.tables, "checks": deal.tables["checks"].with_columns(words)})
    unwritten = [line for line in reconciliation(Sheets(told)) if line.unwritten]
    assert {(line.check, line.outcome) for line in unwritten} == {("credit_enhancement", "explained")}
    assert "another version" in str(unwritten[0].unwritten)


def test_a_text_that_no_cell_holds_is_cut_and_says_so(lake: Lake, tmp_path: Path) -> None:
    deal = deal_tables(lake, ABSC)
    reports = deal.tables["reports"].with_columns(servicer=pl.lit("x" * 40_000))
    written = _written(DealTables(deal.deal, {**deal.tables, "reports": reports}), tmp_path / "a.xlsx")
    servicer = _rows(written, "reports")[0]["servicer"]
    assert len(servicer) == 32_767
    assert servicer.endswith("(cut: a cell holds no more)")


def test_the_same_lake_gives_the_same_bytes(lake: Lake) -> None:
    one, two = (workbook(deal_tables(lake, ABSC)).data for _ in range(2))
    assert one == two


def test_about_says_what_it_is_and_where_it_comes_from(lake: Lake, both: list[tuple[Path, Path]]) -> None:
    (written,) = [written for written, _ in both if ABSC in written.name]
    rows = list(load_workbook(written, data_only=True)["About"].values)
    texts = {str(value) for row in rows for value in row if value is not None}
    reports = lake.read("reports", [ABSC])
    assert {ABSC, "2003-11-17 to 2004-01-15, 3 reports", f"trustee-etl {etl.__version__}", *SHEETS} <= texts
    assert {*reports["source"], *reports["source_sha256"]} <= texts


def _in_order(lines: list[Line]) -> Iterator[bool]:
    yield from (one.distribution_date <= two.distribution_date for one, two in pairwise(lines))


def test_lines_stand_in_the_order_of_the_reports(lake: Lake) -> None:
    assert all(_in_order(reconciliation(Sheets(deal_tables(lake, ABSC)))))
