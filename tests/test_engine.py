"""The engine with layouts that are not the packaged ones: what a family may print that US Bank does not."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

import etl
from etl.batch import read_batch
from etl.documents import Document, document_from_bytes
from etl.layout import Layout
from tests.kit import absc_2003_he2, render
from tests.reading import wrong_spans

LAYOUT = r"""
name = "small"
version = 1
title = "A small family"
identify = ['SMALL STATEMENT']

[classes]
totals = ["Sum"]

[[block]]
name = "balances"
table = "classes"
columns = ["Class", "Begin", "End"]
row = '{class_id} {beginning_balance} {ending_balance}'
total_row = '{beginning_balance} {ending_balance}'

[[block]]
name = "collections"
table = "pools"
required = false
groups = 'Pool [0-9]|All'
title = "Principal:"
[block.labels]
"Start" = "beginning_balance"

[[block]]
name = "interest"
table = "pools"
required = false
title = "Interest:"
columns_of = "collections"
[block.labels]
"Paid" = "total_interest"

[[block]]
name = "loans"
table = "delinquencies"
required = false
title = "Loans:"
columns = ["Number", "Amount"]
cells = ["loan_count", "balance"]
[block.labels]
"Late" = { status = "delinquent", bucket = "30-59" }

[[block]]
name = "lines"
table = "reports"
[block.labels]
"Paid on" = "distribution_date"

[[find]]
name = "name"
pattern = 'SMALL STATEMENT of (?P<deal_name>[A-Z]+ [0-9]+)'

[[find]]
name = "fee"
pattern = '(?:^|\n){servicing_fee} is the fee'
"""

REPORT = """SMALL STATEMENT of ALPHA {n}

Paid on 15-Jan-04

5{n} is the fee

  Class   Begin     End
  A       10{n}     9{n}
  B       20{n}     8{n}
          30{n}     17{n}

  Pool 1   All
  Principal:
  Start    1{n}  2{n}
  Interest:
  Paid     3{n}  4{n}
"""
SECOND_GROUPS = """
  Pool 2   Pool 3
  Principal:
  Start    51  52
  Interest:
  Paid     61  62
"""


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    file = tmp_path_factory.mktemp("small") / "layout.toml"
    file.write_text(LAYOUT)
    return etl.load_layout(file)


def _document(text: str, name: str = "a") -> Document:
    document = document_from_bytes(text.encode(), name)
    assert isinstance(document, Document)
    return document


def _reports(count: int) -> list[Document]:
    return [_document(REPORT.format(n=number), str(number)) for number in range(1, count + 1)]


def test_a_total_without_a_label_stays_with_its_report(small: Layout, tmp_path: Path) -> None:
    for document in _reports(3):
        (tmp_path / f"{document.source}.txt").write_text(document.text)
    summary = etl.run([tmp_path], tmp_path / "output", layouts=[small])
    assert (summary.reports_read, summary.rejects) == (3, [])
    classes = pl.read_parquet(tmp_path / "output/classes/**/*.parquet", hive_partitioning=True)
    for number in (1, 2, 3):
        rows = classes.filter(pl.col("deal") == f"alpha-{number}").sort("class_key")
        assert rows["class_key"].to_list() == ["A", "B", "TOTAL"]
        assert rows["beginning_balance"].to_list() == [Decimal(f"{start}{number}") for start in (10, 20, 30)]
        assert rows["class_id"].to_list() == ["A", "B", None]


@pytest.mark.parametrize("cell", [r"\S+", "[0-9]+", ".*"])
def test_a_number_for_which_a_row_has_no_field_is_unclaimed(small: Layout, tmp_path: Path, cell: str) -> None:
    file = tmp_path / "layout.toml"
    row = "row = '{class_id} {beginning_balance} {ending_balance}'"
    assert row in LAYOUT
    text = LAYOUT.replace(row, f"row = '{{class_id}} {{beginning_balance}} {cell}'")
    file.write_text(text.replace('"Begin", "End"]', '"Begin End"]'))
    read = etl.read_report(REPORT.format(n=1).encode(), [etl.load_layout(file)])
    whole = etl.read_report(REPORT.format(n=1).encode(), [small])
    assert whole.tables["records"].filter(status="unclaimed").is_empty()
    left = read.tables["records"].filter(status="unclaimed")
    assert left.select("raw", "row_label", "class_key").rows() == [("91", "A", "A"), ("81", "B", "B")]
    claimed = read.tables["reports"].select("numbers_found", "numbers_claimed").row(0)
    assert claimed[0] - claimed[1] == 2
    assert wrong_spans(read.tables["records"], REPORT.format(n=1)) == []


@pytest.mark.parametrize(
    ("printed", "day"),
    [
        ("May 25, 2000", dt.date(2000, 5, 25)),
        ("MAY 25,2000", dt.date(2000, 5, 25)),
        ("25-May-00", dt.date(2000, 5, 25)),
        ("5/25/2000", dt.date(2000, 5, 25)),
        ("JUNE 2001", None),  # a month is no day
        ("MAY 2000", None),
        ("May 45, 2000", None),
        ("05/2000", None),
    ],
)
def test_a_day_is_read_or_refused(tmp_path: Path, printed: str, day: dt.date | None) -> None:
    file = tmp_path / "layout.toml"
    label = '"Paid on" = "distribution_date"'
    assert label in LAYOUT
    find = "\n[[find]]\nname = 'day'\npattern = 'Paid on (?P<distribution_date>[^\\n]+)'\n"
    file.write_text(LAYOUT.replace(label, '"Sent on" = "report_date"') + find)
    text = REPORT.format(n=1).replace("15-Jan-04", printed)
    batch = read_batch([_document(text)], [etl.load_layout(file)])
    if day is None:
        assert [reject.reason_code for reject in batch.rejects] == ["value_does_not_fit"]
    else:
        assert batch.identity["distribution_date"].to_list() == [day]


@pytest.mark.parametrize("printed", ["  Sums of classes\n{}", "  Sums of classes\n\n{}", "{}\n   Sums of classes"])
def test_a_title_stands_above_the_columns_or_below(tmp_path: Path, printed: str) -> None:
    file = tmp_path / "layout.toml"
    columns = 'columns = ["Class", "Begin", "End"]'
    assert columns in LAYOUT
    file.write_text(LAYOUT.replace(columns, f'{columns}\ntitle = "Sums of classes"'))
    head = "  Class   Begin     End"
    text = REPORT.format(n=1)
    assert head in text
    report = etl.read_report(text.replace(head, printed.format(head)).encode(), [etl.load_layout(file)])
    assert report.tables["classes"]["class_key"].to_list() == ["A", "B", "TOTAL"]
    batch = read_batch([_document(text)], [etl.load_layout(file)])
    assert [reject.reason_code for reject in batch.rejects] == ["missing_block"]


def test_a_layout_may_name_what_no_table_has(tmp_path: Path) -> None:
    file = tmp_path / "layout.toml"
    text = LAYOUT.replace("version = 1", 'version = 1\nother_figures = ["carried_over"]', 1)
    file.write_text(text.replace("{ending_balance}'\ntotal", "(?P<carried_over>[0-9]+)'\ntotal"))
    report = etl.read_report(REPORT.format(n=1).encode(), [etl.load_layout(file)])
    assert report.tables["records"].filter(status="unclaimed").is_empty()
    named = report.tables["records"].filter(field="carried_over")
    assert named.select("table", "raw", "class_key").rows() == [(None, "91", "A"), (None, "81", "B")]
    assert report.tables["classes"]["ending_balance"].to_list() == [None, None, Decimal("171.00")]


def test_a_measure_may_stand_in_a_sentence(small: Layout) -> None:
    report = etl.read_report(REPORT.format(n=1).encode(), [small])
    (fee,) = report.tables["measures"].iter_rows(named=True)
    assert (fee["measure"], fee["group_id"], fee["value"], fee["unit"]) == (
        "servicing_fee",
        "TOTAL",
        Decimal(51),
        "usd",
    )


def test_a_part_without_groups_has_those_of_the_nearest_head_above(small: Layout) -> None:
    report = etl.read_report((REPORT.format(n=1) + SECOND_GROUPS).encode(), [small])
    pools = {row["group_id"]: row["total_interest"] for row in report.tables["pools"].iter_rows(named=True)}
    assert pools == {"Pool 1": Decimal(31), "All": Decimal(41), "Pool 2": Decimal(61), "Pool 3": Decimal(62)}


def test_a_table_without_groups_is_of_the_whole_deal(small: Layout) -> None:
    text = REPORT.format(n=1) + "\n   Number  Amount\n Loans:\n Late  3  1,234.5\n"
    (row,) = etl.read_report(text.encode(), [small]).tables["delinquencies"].iter_rows(named=True)
    assert (row["group_id"], row["status"], row["loan_count"], row["balance"]) == (
        "TOTAL",
        "delinquent",
        3,
        Decimal("1234.5"),
    )


def test_two_families_are_read_in_one_batch(small: Layout) -> None:
    other = _document(render(absc_2003_he2.report()), "other")
    documents = [_reports(2)[0], other, _reports(2)[1]]
    batch = read_batch(documents, [*etl.load_layouts(), small])
    assert batch.rejects == []
    assert batch.identity["deal"].to_list()[::2] == ["alpha-1", "alpha-2"]
    for table, frame in batch.tables.items():
        assert frame["document"].is_sorted(), table
    alone = read_batch([other], etl.load_layouts())
    for table, frame in alone.tables.items():
        together = batch.tables[table].filter(document=1).drop("document")
        assert together.equals(frame.drop("document").with_columns(pl.col(pl.Enum).cast(pl.String))), table


@pytest.mark.parametrize(
    ("label", "cell"),
    [
        ("Servicing Fee", "27.8%"),
        ("Weighted Avg Term to Mat. of Mortg. Loans", "344%"),
        ("Credit Enhancement %", "21.546603"),
        ("Credit Enhancement %", "1000000.5%"),
        ("Step Down Date Occurred", "17-Nov-03"),
    ],
)
def test_a_cell_must_look_like_its_unit(label: str, cell: str) -> None:
    lines = render(absc_2003_he2.report()).split("\n")
    (at,) = (index for index, line in enumerate(lines) if line.startswith(label))
    lines[at] = f"{label}   {cell}"
    with pytest.raises(etl.RejectedError, match=f"value_does_not_fit.*line {at + 1}"):
        etl.read_report("\n".join(lines).encode())


def test_numbers_in_a_footnote_are_counted_once() -> None:
    text = render(absc_2003_he2.report()).replace("REO properties.", "REO properties at 31-Oct-03.")
    report = etl.read_report(text.encode())
    (counts,) = report.tables["reports"].iter_rows(named=True)
    assert counts["numbers_found"] == counts["numbers_claimed"]
    assert report.records.filter(status="unclaimed").is_empty()


def test_a_footnote_is_read_whatever_its_capitals() -> None:
    text = render(absc_2003_he2.report()).replace("foreclosure or bankruptcy", "Foreclosure or Bankruptcy")
    rows = etl.read_report(text.encode()).tables["delinquencies"].filter(status="delinquent")
    assert rows["excludes"].to_list() == [["foreclosure", "bankruptcy", "reo"]] * 9


def test_a_table_that_is_printed_twice_must_say_the_same() -> None:
    text = render(absc_2003_he2.report())
    lines = text.split("\n")
    start = next(index for index, line in enumerate(lines) if line.split() == ["GROUP", "1", "GROUP", "2", "TOTAL"])
    table = lines[start : start + 11]
    again = "\n".join([*lines, "", *table])
    assert etl.read_report(again.encode()).tables["pools"].height == 3
    with pytest.raises(etl.RejectedError, match="conflicting_values"):
        etl.read_report("\n".join([*lines, "", *table]).replace("352,121", "352,999", 1).encode())
