"""What can be seen of a text without a layout: its tables, its columns, and a layout to begin with."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from etl.blocks import find_heads
from etl.drafting import draft, layout_text, normal_head, synonyms
from etl.identifiers import is_cusip
from etl.layout import load_layout
from etl.lines import lines_frame
from etl.schema import unit_of

from .kit import Report, render
from .unknown_reports import STYLES, unknown_report

TABLE = """\
SAMPLE FUNDING CORPORATION
STATEMENT TO NOTEHOLDERS

                 Beginning                          Odd      Ending
   Class           Balance     Principal          Thing     Balance
   ----------------------------------------------------------------
   A-1            1,000.00        100.00           5.00      900.00
   A-2            2,000.00        200.00            N/A    1,800.00
   Class B          500.00          0.00           0.00      500.00

   Total          3,500.00        300.00           5.00    3,200.00

   Prose below with 12 and 13 in it.
"""


def test_a_table_is_found_with_its_heads_and_rows() -> None:
    (table,) = draft(TABLE).tables
    assert [(column.head, column.field) for column in table.columns] == [
        ("Class", "class_id"),
        ("Beginning Balance", "beginning_balance"),
        ("Principal", "principal_distribution"),
        ("Odd Thing", None),
        ("Ending Balance", "ending_balance"),
    ]
    assert [row.label for row in table.rows] == ["A-1", "A-2", "Class B", "Total"]
    assert [row.is_total for row in table.rows] == [False, False, False, True]
    assert (table.first_line, table.last_line) == (4, 11)


def test_cells_stand_where_the_text_has_them() -> None:
    lines = TABLE.split("\n")
    for row in draft(TABLE).tables[0].rows:
        for cell in row.cells:
            assert cell is not None
            assert lines[row.line - 1][cell.start : cell.end] == cell.raw


def test_lines_are_counted_from_the_first_of_the_document() -> None:
    assert draft(TABLE, first_line=100).tables[0].first_line == 103


def test_a_row_may_lack_cells() -> None:
    lacking = TABLE.replace(
        "   A-2            2,000.00        200.00            N/A    1,800.00", "   A-2" + " " * 52 + "1,800.00"
    )
    lacking = lacking.replace("   A-2" + " " * 52, "   A-2            2,000.00" + " " * 32)
    (table,) = draft(lacking).tables
    assert [cell is None for cell in table.rows[1].cells] == [False, False, True, True, False]


def test_a_head_that_is_not_in_the_list_is_not_matched() -> None:
    (table,) = draft(TABLE.replace("Principal", "Principle")).tables
    assert [column.field for column in table.columns] == ["class_id", "beginning_balance", None, None, "ending_balance"]


def test_a_head_that_stands_twice_means_nothing() -> None:
    (table,) = draft(TABLE.replace("   Odd ", "Ending ").replace("  Thing", "Balance")).tables
    assert [column.field for column in table.columns][3:] == [None, None]


@pytest.mark.parametrize("seed", range(8))
def test_strips_belong_to_their_table(seed: int) -> None:
    report = unknown_report(seed)
    tables = draft(report.text).tables
    strips = [table for number, table in enumerate(tables) if table.continues == 0 or number == 0]
    assert {column.field for strip in strips for column in strip.columns} >= set(STYLES[report.style][1])


def test_rows_that_number_differently_are_no_strip() -> None:
    text = unknown_report(2).text
    row = next(line for line in text.split("\n") if len(line.split()) == 2 and line.startswith("  ") and "," in line)
    assert sum(table.continues == 0 for table in draft(text).tables) == 2
    assert sum(table.continues == 0 for table in draft(text.replace(row + "\n", "", 1)).tables) < 2


def test_the_list_of_heads_is_in_its_normal_form() -> None:
    assert len(synonyms()) > 100
    for head, field in synonyms().items():
        assert normal_head(head) == head
        assert unit_of("classes", field) is not None


def test_a_head_means_one_column() -> None:
    text = (Path(__file__).parent.parent / "etl" / "synonyms.toml").read_text(encoding="utf-8")
    heads = [part for number, part in enumerate(text.partition("[classes]")[2].split('"')) if number % 2]
    assert sorted(heads) == sorted(set(heads))


@pytest.mark.parametrize("head", ["Pass-Through Rate", "PASS-THROUGH\tRATE (1)", "pass through  rate*"])
def test_heads_are_compared_by_their_words(head: str) -> None:
    assert normal_head(head) == "pass through rate"


@pytest.mark.parametrize(
    ("text", "valid"), [("04541GDP4", True), ("760920VY1", True), ("04541GDP5", False), ("SMT00004B", False)]
)
def test_cusips_are_told_by_their_check_digit(text: str, *, valid: bool) -> None:
    assert is_cusip(text) is valid


@pytest.mark.parametrize("seed", range(4))
def test_a_drafted_layout_loads_and_is_known_again(tmp_path: Path, seed: int) -> None:
    report = unknown_report(seed)
    file = tmp_path / "layout.toml"
    file.write_text(layout_text(draft(report.text), "drafted"), encoding="utf-8")
    layout = load_layout(file)
    assert {name for block in layout.blocks if block.row for name in block.row.fields} >= set(STYLES[report.style][1])
    assert layout.identify


def test_a_layout_is_drafted_of_the_report_that_has_one(tmp_path: Path, seed_report: Report) -> None:
    file = tmp_path / "layout.toml"
    file.write_text(layout_text(draft(render(seed_report)), "drafted"), encoding="utf-8")
    assert [block.columns for block in load_layout(file).blocks][:2] == [
        ("Class", "Orig Bal", "Beg Bal", "Prin"),
        ("Rate", "Int"),
    ]


def test_columns_that_are_not_known_are_commented(tmp_path: Path) -> None:
    text = layout_text(draft(TABLE), "drafted")
    assert "# Not known: column 'Odd Thing'" in text
    (tmp_path / "layout.toml").write_text(text, encoding="utf-8")
    layout = load_layout(tmp_path / "layout.toml")
    assert layout.blocks[0].columns == ("Class", "Beginning Balance", "Principal", "Odd Ending Thing Balance")
    heads = find_heads(lines_frame([TABLE]), layout)
    assert heads["head_lines"].to_list() == [2]


def test_without_tables_the_draft_says_so() -> None:
    assert "No table with known heads" in layout_text(draft("Dear Sirs,\n\nall is well.\n"), "nothing")


@pytest.mark.parametrize(
    "piece", ["1 2 3 4\n", "Class  Beg Bal  Prin\nA-1  1.00  2.00\n", "a  b  c  1 2\n", "Aa Bb\n", "- -\n", "1 "]
)
def test_drafting_takes_linear_time(piece: str) -> None:
    def seconds(text: str) -> float:
        taken = []
        for _ in range(3):
            begun = time.process_time()
            draft(text)
            taken.append(time.process_time() - begun)
        return min(taken)

    short, long = (piece * (count // len(piece)) for count in (20_000, 160_000))
    assert seconds(long) < 8 * 3 * seconds(short) + 0.02
