"""Which layout comes near to a document: told as heads and marks are matched, so that a hint leads to the cause."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from etl import Layout
from etl.batch import read_batch
from etl.documents import Document, document_from_bytes
from etl.layout import Block, Meaning, find_named
from etl.lines import lines_frame
from etl.near_heads import nearest_head
from etl.near_misses import LOOKED_AT, nearest

TEXT = """\
                 Beg     End
  Class          Bal     Bal
  A-1           5.00    4.00
  O/C   Target Amt     17.00
"""


@pytest.fixture
def layout(layouts: tuple[Layout, ...]) -> Layout:
    """A layout of nine heads and labels."""
    labels = {label: Meaning(field="oc_target") for label in ("O/C Target Amt", "Credit Enhancement %", "Loan Count")}
    table = Block("table", "classes", ("Class", "Beg Bal", "End Bal", "Total Dist", "Loss"), title="Class Table")
    return replace(find_named("us-bank-text", layouts), blocks=(table, Block("rest", "measures", (), labels=labels)))


def test_the_missing_heads_are_named(layout: Layout) -> None:
    text = TEXT + "Class Table\nTotal Loss\n  Dist\nLoan Count\n"
    assert str(nearest(text, [layout])) == ("8 of 9 heads of us-bank-text were found; missing: 'Credit Enhancement %'")


def test_capitals_count_where_they_do_for_the_layout(layout: Layout) -> None:
    assert nearest(TEXT.upper(), [layout]) is None
    miss = nearest(TEXT.upper(), [layout, replace(layout, name="other", any_case=True)])
    assert miss is not None
    assert (miss.layout, miss.found) == ("other", 4)
    assert miss.missing == ("Total Dist", "Loss", "Class Table", "Credit Enhancement %", "Loan Count")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (TEXT, 4),
        (TEXT.replace("Beg", "Beg 1,000"), None),  # lines with amounts are no heads
        (TEXT.replace("Class ", "one\ntwo\nthree\n  Class "), None),  # a head is not taller than four lines
        (TEXT.replace("O/C   Target", "O/C\nTarget"), 3),  # a label stands on one line
    ],
)
def test_words_count_where_a_head_or_a_label_may_have_them(layout: Layout, text: str, found: int | None) -> None:
    """Fewer than three of nine are not near."""
    miss = nearest(text, [layout])
    assert (miss and miss.found) == found


def test_a_mark_is_told_without_the_signs_of_its_pattern(layout: Layout) -> None:
    marked = replace(layout, identify={r"\bReport\b": r"\bReport\b", "(?i)amounts": "(?i)amounts"})
    document = document_from_bytes(b"Report of 1.00 Amount", "a")
    assert isinstance(document, Document)
    (reject,) = read_batch([document], [marked]).rejects
    assert reject.message.startswith("1 of 2 marks of us-bank-text were found; missing: 'amounts'; ")


def test_the_lines_like_a_head_are_found_as_the_layout_compares_words(layout: Layout) -> None:
    lines = lines_frame([TEXT.upper()])
    block = layout.blocks[0]
    assert nearest_head(lines, replace(block, title=None), layout) is None
    near = nearest_head(lines, replace(block, title=None), replace(layout, any_case=True))
    assert near is not None
    assert (near.lines, near.found, near.missing) == ((1, 2), 5, ("total", "dist", "loss"))


@pytest.mark.parametrize("piece", ["Class Bal\n", "Class ", "Beg\n", "1.00 "])
def test_it_takes_little_time(layouts: tuple[Layout, ...], piece: str) -> None:
    begun = time.process_time()
    nearest(piece * (LOOKED_AT // len(piece)), layouts)
    assert time.process_time() - begun < 5
