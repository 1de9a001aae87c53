"""Numbers of a text that no layout reads: where they belong, as printed."""

from __future__ import annotations

import time
from decimal import Decimal

import pytest

from etl.drafting import draft
from etl.label_paths import MAX_LABEL, Number, numbers_in

from .reading import scan_numbers

TABLE = """\
                    Beginning          Odd
   Class              Balance        Thing
   A-1               1,000.00       10.00%
   Class B             500.00          N/A
   Total             1,500.00

   Pool figures
   30-59 days              12     4,000.00
   60-89 days               3       900.50
"""


def _numbers(text: str) -> list[Number]:
    return list(numbers_in(text, 1, draft(text).tables))


def _paths(text: str) -> dict[str, tuple[str | None, str | None]]:
    return {number.raw: (number.row_label, number.column_label) for number in _numbers(text)}


def _labels(text: str) -> list[tuple[str, str | None]]:
    return [(number.raw, number.row_label) for number in _numbers(text)]


def test_a_cell_has_the_label_of_its_row_and_the_head_of_its_column() -> None:
    paths = _paths(TABLE)
    assert paths["1,000.00"] == ("A-1", "Beginning Balance")
    assert paths["10.00%"] == ("A-1", "Odd Thing")
    assert paths["500.00"] == ("Class B", "Beginning Balance")
    assert paths["1,500.00"] == ("Total", None)  # a line with one number is no row of a table
    assert paths["1"] == ("A-1", "Class")


def test_a_table_whose_head_says_nothing_of_its_columns_gives_none() -> None:
    paths = _paths(TABLE)
    assert paths["4,000.00"] == ("30-59 days", None)
    assert paths["12"] == ("30-59 days", None)


def test_a_line_with_a_figure_is_no_head() -> None:
    text = "Servicing Fee      1,234.50\nTrustee    Fee  5.00    6.00\nOther      Fee  7.00    8.00\n"
    assert {number.column_label for number in _numbers(text)} == {None}
    assert {"Trustee", "Other"} <= {(number.row_label or "").split()[0] for number in _numbers(text)}


@pytest.mark.parametrize("head", ["Per $1,000", "12/31/2003", "Group 1", "Year 2003", "30/360"])
def test_heads_may_have_small_numbers_years_and_days(head: str) -> None:
    text = f"Class      Balance      {head}\nA        1,000.00         5.00\nB        2,000.00         6.00\n"
    assert _paths(text)["5.00"] == ("A", head)


@pytest.mark.parametrize(
    ("line", "labels"),
    [
        ("Beginning Balance: 1,000.00   Ending Balance: 900.00", ["Beginning Balance:", "Ending Balance:"]),
        ("Reserve Fund ........ $ 1,234.56", ["Reserve Fund"]),
        ("Reserve Fund....1,234.56", ["Reserve Fund"]),
        ("Prep(Incl Curt)15,224,950", ["Prep(Incl Curt)"]),
        ("Loans    12    4,000.00", ["Loans", "Loans"]),
        ("Class A-1  5,000.00", ["Class", "Class A-1"]),
        ("A-1  5,000.00", ["A-1", "A-1"]),
        ("Distribution Date: 12/31/2003", ["Distribution Date:"] * 3),
        ("Distribution Date: December 25, 2003", ["Distribution Date: December"] * 2),
        ("| Pool Factor |   0.5", ["Pool Factor"]),
        ("30-59 days", [None, None]),
        ("1,234.00", [None]),
    ],
)
def test_a_label_is_what_stands_before_the_number(line: str, labels: list[str | None]) -> None:
    assert [label for _, label in _labels(line)] == labels


@pytest.mark.parametrize(
    ("above", "label"),
    [
        ("Principal distributed to\nthe holders of class A\n", "the holders of class A"),
        ("the holders of class A\n\n", None),
        ("the holders of class A\n-----------\n", None),
        ("the 2 holders of class A\n", None),
        ("<S>   <C>\n", None),
    ],
)
def test_a_line_without_a_label_takes_the_words_right_above(above: str, label: str | None) -> None:
    assert _labels(f"{above}      1,234.00\n")[-1] == ("1,234.00", label)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1,234.56", Decimal("1234.56")),
        ("(1,234.56)", Decimal("-1234.56")),
        ("-5", Decimal(-5)),
        ("$5", Decimal(5)),
        ("6.50000%", Decimal("0.0650000")),
        ("Fee ..... 5.00", Decimal("5.00")),
        ("12/31/2003", None),
        ("A-1", None),
        ("(12 months", None),
        (".50", None),
        ("1.2.3", None),
        ("12,34", None),
        ("1" * 29, None),
        ("0." + "1" * 11, None),
        ("0." + "1" * 9 + "%", None),
    ],
)
def test_a_value_is_given_of_plain_figures_alone(text: str, value: Decimal | None) -> None:
    number = _numbers(text)[0]
    assert number.value == value
    assert (number.decimals is None) is (value is None)


def test_every_number_is_there_once_where_it_stands() -> None:
    found = [(number.line, *number.digits) for number in _numbers(TABLE)]
    assert found == scan_numbers(TABLE)


def test_lines_are_counted_from_the_first_of_the_document() -> None:
    assert next(numbers_in(TABLE, 100, draft(TABLE, 100).tables)).line == 102


def test_labels_are_bounded() -> None:
    labels = [number.row_label or "" for number in _numbers("word " * 1000 + "5.00 A-1 " + "word-1-" * 1000)]
    assert {len(label) <= MAX_LABEL for label in labels} == {True}


@pytest.mark.parametrize(
    "piece", ["1 2 3 4\n", "a1", "a ", "Fee 5.00  ", "1-", "A  5.00  6.00\n", "....", "1,2.", "(("]
)
def test_it_takes_linear_time(piece: str) -> None:
    def seconds(text: str) -> float:
        tables = draft(text).tables
        taken = []
        for _ in range(3):
            begun = time.process_time()
            for _number in numbers_in(text, 1, tables):
                pass
            taken.append(time.process_time() - begun)
        return min(taken)

    short, long = (piece * (count // len(piece)) + " 5.00" for count in (20_000, 160_000))
    assert seconds(long) < 8 * 3 * seconds(short) + 0.02
