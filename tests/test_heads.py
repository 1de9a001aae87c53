"""Heads are read by their words: on one line, stacked or wrapped, but never in another order."""

from __future__ import annotations

import polars as pl
import pytest

from etl import Layout
from etl.blocks import find_heads, label_lines, reads_as
from etl.lines import lines_frame

TWO = ["Tot Unpaid", "Real Losses"]


def _reads(lines: list[str], columns: list[str]) -> bool:
    return reads_as([line.split() for line in lines], [column.split() for column in columns])


@pytest.mark.parametrize(
    ("lines", "columns"),
    [
        (["Tot Unpaid Real Losses"], TWO),
        (["Tot Real", "Unpaid Losses"], TWO),
        (["Tot", "Unpaid Real Losses"], TWO),
        (["Tot Unpaid", "Real Losses"], TWO),
        (["Real Losses", "Tot Unpaid"], TWO),
        (["Tot", "Unpaid", "Real", "Losses"], TWO),
        (["Real", "Tot Losses", "Unpaid"], TWO),
        (["Interest", "Carry-forward", "Class Amount End Bal"], ["Class", "Interest Carry-forward Amount", "End Bal"]),
        (["Orig Beg", "Class Bal Bal Prin"], ["Class", "Orig Bal", "Beg Bal", "Prin"]),
        (["Count Balance Count Balance"], ["Count", "Balance", "Count", "Balance"]),
        ([], []),
    ],
)
def test_heads_read_however_they_are_broken(lines: list[str], columns: list[str]) -> None:
    assert _reads(lines, columns)


@pytest.mark.parametrize(
    ("lines", "columns"),
    [
        (["Real Losses Tot Unpaid"], TWO),
        (["Losses Real", "Tot Unpaid"], TWO),
        (["Unpaid Real", "Tot Losses"], TWO),
        (["Tot Unpaid Real"], TWO),
        (["Tot Unpaid Real Losses Losses"], TWO),
        (["tot Unpaid Real Losses"], TWO),
        (["Balance Count"], ["Count", "Balance"]),
        (["Count Count Balance Balance"], ["Count", "Balance", "Count", "Balance"]),
        ([], TWO),
        (["Tot"], []),
    ],
)
def test_other_words_or_another_order_are_no_head(lines: list[str], columns: list[str]) -> None:
    assert not _reads(lines, columns)


def test_many_equal_words_are_read_in_time() -> None:
    columns = ["Count", "Balance"] * 12
    assert _reads([" ".join(columns)], columns)
    assert not _reads([" ".join(columns[::-1])], columns)


def _heads(layouts: tuple[Layout, ...], *texts: str) -> list[tuple[str, int, list[str]]]:
    """Block, number of lines and groups of each head that is found."""
    layout = next(known for known in layouts if known.name == "us-bank-text")
    heads = find_heads(lines_frame(texts), layout)
    return [
        (layout.blocks[block].name, count, groups)
        for block, count, groups in heads.select("block", "head_lines", "groups").iter_rows()
    ]


@pytest.mark.parametrize(
    ("text", "head"),
    [
        ("  Class   Orig Bal  Beg Bal   Prin", ("class_balances", 1, [])),
        ("Rate Int", ("class_interest", 1, [])),
        ("Int Total", ("unit_interest", 1, [])),
        ("Int Short  End Bal", ("class_endings", 1, [])),
        ("  Int    End\n Short    Bal", ("class_endings", 2, [])),
        ("  Int    End\n\n Short    Bal", ("class_endings", 2, [])),
        ("Interest\nCarry-forward\nClass Amount End Bal", ("unit_endings", 3, [])),
        ("Net\nRAISF WAC Rate\nCarryover", ("class_carryovers", 3, [])),
        ("GROUP 1 TOTAL\nPrincipal Distributions:", ("group_principal", 2, ["GROUP 1", "TOTAL"])),
        ("Interest Distributions:", ("group_interest", 1, [])),
        ("GROUP 1 GROUP 2 TOTAL\nInterest Distributions:", ("group_interest", 2, ["GROUP 1", "GROUP 2", "TOTAL"])),
        ("GROUP 1 GROUP 2\nCount Balance Count Balance", ("delinquencies", 2, ["GROUP 1", "GROUP 2"])),
        ("TOTAL\nCount Balance", ("delinquencies", 2, ["TOTAL"])),
        ("GROUP 12\nCount Balance Market Value (REO)", ("loan_status", 2, ["GROUP 12"])),
    ],
)
def test_a_head_is_found(layouts: tuple[Layout, ...], text: str, head: tuple[str, int, list[str]]) -> None:
    assert _heads(layouts, text) == [head]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Class Prin Orig Bal Beg Bal",
        "Class Orig Bal Beg Bal",
        "Class Orig Bal Beg Bal Prin Loss",
        "Class Orig Bal\nof 1,000\nBeg Bal Prin",
        "Count Balance",
        "GROUP 1 GROUP 2\nCount Balance",
        "GROUP 1\nCount Balance Count Balance",
        "Principal Distributions:",
        "GROUP 1 of the TOTAL\nCount Balance",
        "GROUP 1 " * 13 + "\nPrincipal Distributions:",
        "Rate   1.50000%   Int",
    ],
)
def test_no_head_is_found(layouts: tuple[Layout, ...], text: str) -> None:
    assert _heads(layouts, text) == []


def test_a_head_does_not_run_over_the_end_of_a_document(layouts: tuple[Layout, ...]) -> None:
    assert _heads(layouts, "Int Short", "End Bal") == []
    assert _heads(layouts, "Interest\nCarry-forward", "Class Amount End Bal") == []


def test_a_word_above_a_head_does_not_hide_it(layouts: tuple[Layout, ...]) -> None:
    assert _heads(layouts, "Interest\nRate Int") == [("class_interest", 1, [])]


def test_lines_belong_to_the_head_above_them(layouts: tuple[Layout, ...]) -> None:
    layout = next(known for known in layouts if known.name == "us-bank-text")
    lines = lines_frame(["a\nRate Int\n1 2\n\n3 4\nInt Total\n5 6", "7 8\nRate Int\n9 0"])
    labelled = label_lines(lines, find_heads(lines, layout))
    names = [None if index is None else layout.blocks[index].name for index in labelled["block"]]
    rates, units = "class_interest", "unit_interest"
    assert names == [None, rates, rates, rates, units, units, None, rates, rates]
    assert labelled.filter("is_head")["text"].to_list() == ["Rate Int", "Int Total", "Rate Int"]
    assert labelled.filter(pl.col("block").is_null())["head"].null_count() == 2


def test_lines_are_counted_as_editors_count_them() -> None:
    lines = lines_frame(["a\n\n  b \n", "", "\n\nc"])
    assert lines.select("document", "line", "text").rows() == [(0, 1, "a"), (0, 3, "  b "), (2, 3, "c")]
    assert lines["position"].to_list() == [0, 1, 2]
