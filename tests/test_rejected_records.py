"""The numbers of documents that are rejected: none is lost, and they go when the document is read."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

import etl
from etl import commits
from etl.errors import OutputError
from etl.lake import Lake
from etl.lake_checks import check_lake
from etl.partitions import REJECTED_RECORDS_FOLDER, rejected_file
from etl.rejected_records import OF_REPORTS, rejected_records
from etl.schema import arrow_schema
from etl.sql import ask

from .conftest import REPOSITORY
from .filings import submission
from .kit import residential_funding_text
from .lakes import POISON, hashes
from .reading import scan_numbers, wrong_spans
from .unknown_reports import unknown_report

LAYOUTS = REPOSITORY / "examples" / "layouts"
# A report of the example's layout, which is not packaged; its equations do not hold, so that nothing else reads it.
REPORT = (LAYOUTS / "wells_fargo_text" / "sample.txt").read_text().replace("Cumulative", "Accumulated", 1)
LOST = unknown_report(1).text.replace("DISTRIBUTION DATE:", "DAY:")  # it does not say of which day it is


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    (tmp_path / "inbox").mkdir()
    return tmp_path / "inbox"


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "output"


def _files(output: Path) -> list[Path]:
    return sorted((output / REJECTED_RECORDS_FOLDER).glob("*"))


def _rows(output: Path, query: str) -> list[tuple[Any, ...]]:
    with ask(output, query) as answer:
        return list(answer.rows)


def _breaks(output: Path) -> list[tuple[str, str]]:
    found = check_lake(Lake(output)).breaks
    return [(row["subject"], row["explanation"]) for row in found if row["check"] == "tables_are_whole"]


# --- what is kept -----------------------------------------------------------------------------------------------------


def test_the_numbers_of_a_rejected_document_are_kept(inbox: Path, output: Path) -> None:
    (inbox / "a.txt").write_text(LOST)
    (inbox / "b.txt").write_text("Dear Sirs, here are 12 pages.")
    etl.run([inbox], output, workers=1)
    (file,) = _files(output)
    relation = duckdb.sql(f"SELECT * FROM '{file}' ORDER BY record_no")  # noqa: S608
    assert relation is not None
    rows = relation.pl()
    assert file.name == f"{rows['source_sha256'][0]}.parquet"
    assert rows["record_no"].to_list() == list(range(1, len(scan_numbers(LOST)) + 1))
    assert rows["status"].unique().to_list() == ["unclaimed"]
    assert wrong_spans(rows, LOST) == []
    principal = rows.filter(row_label="A-1", column_label="ORIGINAL FACE VALUE")
    printed = unknown_report(1).printed["A-1"]["original_balance"]
    assert principal.select("raw", "value").rows() == [(printed, Decimal(printed.replace(",", "")))]
    null = ("table", "block", "field", "section", "class_key", "group_id", "loan_status", "bucket", "unit", "rule")
    assert [name for name in null if rows[name].null_count() != rows.height] == []


def test_they_have_the_columns_of_records() -> None:
    mine, records = arrow_schema("rejected_records"), arrow_schema("records")
    assert mine.names == ["source_sha256", *(name for name in records.names if name != "report_id")]
    assert [mine.field(name).type for name in mine.names[1:]] == [records.field(name).type for name in mine.names[1:]]


def test_they_are_a_view_beside_the_rejects(inbox: Path, output: Path) -> None:
    (inbox / "a.txt").write_text(LOST)
    assert etl.run([inbox], output, workers=1).rejects[0]["reason_code"] == "missing_field"
    query = (
        "SELECT source, count(*) FROM rejects JOIN rejected_records ON sha256 = source_sha256 "
        "WHERE column_label = 'FACTOR' OR row_label = 'TOTALS' GROUP BY ALL"
    )
    ((source, count),) = _rows(output, query)
    assert source == f"{inbox}/a.txt"
    assert count == 8


def test_the_view_is_empty_where_nothing_was_rejected(inbox: Path, output: Path) -> None:
    (inbox / "b.txt").write_text("Dear Sirs, here are 12 pages.")
    etl.run([inbox], output, workers=1)
    assert _rows(output, "SELECT * FROM rejected_records") == []
    assert not (output / REJECTED_RECORDS_FOLDER).exists()


def test_every_reason_keeps_the_numbers_but_those_of_what_is_no_report() -> None:
    page = (REPOSITORY / "docs" / "reason-codes.md").read_text().split("| --- |")[-1]
    codes = {code for row in page.splitlines() for code in re.findall("`([a-z_]+)`", row.partition(" | ")[0])}
    assert codes >= OF_REPORTS
    assert codes - OF_REPORTS == {
        *("empty", "binary", "unreadable", "not_a_file", "too_large", "archive_damaged", "archive_encrypted"),
        *("archive_unsupported", "archive_too_large", "nested_too_deep", "several_reports", "changed"),
        *("not_a_report", "internal_error"),
    }


def test_a_document_too_long_for_a_report_keeps_its_numbers_without_tables() -> None:
    text = LOST * (500_000 // len(LOST) + 1)
    numbers = rejected_records(text, "0" * 64)
    assert numbers.height == len(scan_numbers(text))
    assert numbers["column_label"].null_count() == numbers.height


# --- as long as the document is a reject ------------------------------------------------------------------------------


def test_they_go_when_a_layout_reads_the_document(inbox: Path, output: Path) -> None:
    (inbox / "a.txt").write_text(REPORT)
    (inbox / "b.txt").write_text(LOST)
    assert etl.run([inbox], output, workers=1).rejected == 2
    assert len(_files(output)) == 2
    assert etl.run([inbox], output, _own_layout(inbox.parent), workers=1).reports_read == 1
    ((sha256,),) = _rows(output, "SELECT sha256 FROM rejects")
    assert [path.name for path in _files(output)] == [f"{sha256}.parquet"]
    assert _breaks(output) == []


def test_the_same_documents_give_the_same_bytes(inbox: Path, output: Path) -> None:
    (inbox / "a.txt").write_text(REPORT)
    (inbox / "b.txt").write_text(LOST)
    etl.run([inbox], output, workers=1)
    before = {path.name: path.read_bytes() for path in _files(output)}
    assert etl.run([inbox], output, workers=1).rejected == 2
    etl.run([inbox], output, workers=1, force=True)
    other = inbox.parent / "other"
    for name in ("b.txt", "a.txt"):
        etl.run([inbox / name], other, workers=2)
    for lake in (output, other):
        assert {path.name: path.read_bytes() for path in _files(lake)} == before
    assert hashes(output) == hashes(other)


def test_copies_have_one_file_until_the_last_of_them_has_changed(inbox: Path, output: Path) -> None:
    for name in ("a.txt", "b.txt"):
        (inbox / name).write_text(LOST)
    assert etl.run([inbox], output, workers=1).rejected == 2
    assert len(_files(output)) == 1
    (inbox / "a.txt").write_text("Dear Sirs")
    etl.run([inbox], output, workers=1)
    assert len(_files(output)) == 1
    (inbox / "b.txt").write_text("Dear Madam")
    etl.run([inbox], output, workers=1)
    assert _files(output) == []
    assert _breaks(output) == []


def test_a_changed_document_has_the_numbers_that_it_has_now(inbox: Path, output: Path) -> None:
    (inbox / "a.txt").write_text(LOST)
    etl.run([inbox], output, workers=1)
    (inbox / "a.txt").write_text(LOST + "Fee 17\n")
    etl.run([inbox], output, workers=1)
    assert len(_files(output)) == 1
    assert _rows(output, "SELECT raw FROM rejected_records WHERE row_label = 'Fee'") == [("17",)]


def test_a_document_that_has_gone_keeps_its_numbers_as_its_reject(inbox: Path, output: Path) -> None:
    (inbox / "a.txt").write_text(LOST)
    etl.run([inbox], output, workers=1)
    (inbox / "a.txt").unlink()
    (inbox / "b.txt").write_text("Dear Sirs")
    etl.run([inbox], output, workers=1)
    assert len(_files(output)) == 1
    assert _breaks(output) == []


def test_what_only_another_layout_reads_stays_when_its_filing_turns_up(inbox: Path, output: Path) -> None:
    """A run without that layout cannot read the filing, so it takes nothing away."""
    bare = REPORT.rstrip("\n")
    mine = _own_layout(inbox.parent)
    (inbox / "a.txt").write_text(f"{bare}\n")
    assert etl.run([inbox], output, mine, workers=1).reports_read == 1
    before = _rows(output, "SELECT report_id, accession_number FROM reports")
    (inbox / "a.txt").unlink()
    (inbox / "b.txt").write_text(submission([bare]))
    for force in (False, True):
        summary = etl.run([inbox], output, workers=1, force=force)
        assert (summary.rejected, summary.lost, sum(summary.other_layouts.values())) == (0, [], 1)
        assert _rows(output, "SELECT report_id, accession_number FROM reports") == before
    assert etl.run([inbox], output, mine, workers=1).reports_read == 1
    ((report_id, number),) = _rows(output, "SELECT report_id, accession_number FROM reports")
    assert number is not None
    assert [(report_id,)] != before


def test_they_go_when_the_file_is_read_as_several_reports(inbox: Path, output: Path) -> None:
    text = "".join(residential_funding_text.render_statement() for _ in range(2))
    (inbox / "a.txt").write_text(text)
    (us_bank,) = (layout for layout in etl.load_layouts() if layout.name == "us-bank-text")
    assert etl.run([inbox], output, [us_bank], workers=1).rejected == 1
    assert len(_files(output)) == 1
    summary = etl.run([inbox], output, workers=1)
    assert summary.rejected == 0
    assert summary.reports_read > 0
    assert _rows(output, "SELECT source FROM rejects") == []
    assert _files(output) == []
    assert _breaks(output) == []


def test_a_defect_takes_no_numbers_away(inbox: Path, output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (inbox / "a.txt").write_text(LOST)
    etl.run([inbox], output, workers=1)
    before = hashes(output)

    def fails(*_: object) -> None:
        raise RuntimeError("a defect")

    with monkeypatch.context() as patched:
        patched.setattr("etl.batch.read_batch", fails)
        etl.run([inbox], output, workers=1, force=True)
    assert _rows(output, "SELECT reason_code FROM rejects") == [("internal_error",)]
    assert len(_files(output)) == 1
    assert _breaks(output) == []
    etl.run([inbox], output, workers=1)
    assert hashes(output) == before
    (inbox / "a.txt").write_text("Dear Sirs")
    etl.run([inbox], output, workers=1)
    assert _files(output) == []


def test_they_go_when_the_file_has_other_parts(inbox: Path, output: Path) -> None:
    (inbox / "a.txt").write_text(submission([LOST]))
    etl.run([inbox], output, workers=1)
    assert _rows(output, "SELECT source FROM rejects") == [(f"{inbox}/a.txt#1",)]
    (inbox / "a.txt").write_text("Dear Sirs")
    etl.run([inbox], output, workers=1)
    assert _rows(output, "SELECT source FROM rejects") == [(f"{inbox}/a.txt",)]
    assert _files(output) == []
    assert _breaks(output) == []


def _own_layout(folder: Path) -> Path:
    """The example's layout, changed so that it reads `REPORT`."""
    mine = folder / "layouts"
    shutil.copytree(LAYOUTS, mine)
    file = mine / "wells_fargo_text" / "layout.toml"
    file.write_text(file.read_text().replace("Cumulative", "Accumulated"))
    return mine


@pytest.mark.parametrize("after", [LOST, "Dear Sirs"])
def test_a_run_that_dies_in_its_commit_is_finished(
    inbox: Path, output: Path, monkeypatch: pytest.MonkeyPatch, after: str
) -> None:
    (inbox / "a.txt").write_text(REPORT)
    etl.run([inbox], output, workers=1)
    (inbox / "a.txt").write_text(after)

    def dies(*_: object) -> None:
        raise OSError("dies")

    with monkeypatch.context() as patched:
        patched.setattr(commits, "_apply", dies)
        with pytest.raises(OutputError):
            etl.run([inbox], output, workers=1)
    etl.run([inbox], output, workers=1)
    rejects = _rows(output, "SELECT sha256 FROM rejects WHERE reason_code <> 'not_a_report'")
    assert [path.name for path in _files(output)] == [f"{sha256}.parquet" for (sha256,) in rejects]
    assert len(rejects) == (after == LOST)
    assert _breaks(output) == []


# --- etl check --------------------------------------------------------------------------------------------------------


def _cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-10])


def _another(file: Path) -> None:
    shutil.copy(file.with_name(f"{'0' * 64}.parquet"), file)


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (Path.unlink, "the numbers of a rejected document are not there; run `etl run --force` over "),
        (_cut, "cannot be read: "),
        (lambda file: file.write_bytes(POISON), "cannot be read: "),
        (_another, "it has the numbers of another document; run `etl run --force` over "),
    ],
)
def test_what_is_lost_or_damaged_is_told_and_mended(
    inbox: Path, output: Path, harm: Callable[[Path], object], said: str
) -> None:
    (inbox / "a.txt").write_text(LOST)
    etl.run([inbox], output, workers=1)
    (file,) = _files(output)
    whole = file.read_bytes()
    stranger = file.with_name(f"{'0' * 64}.parquet")
    other = rejected_records(REPORT, "0" * 64)
    other.write_parquet(stranger)
    harm(file)
    lost, foreign = _breaks(output)
    assert lost[0] == str(file)
    assert lost[1].startswith(said)
    assert lost[1].endswith(f"{inbox}/a.txt")
    assert foreign == (
        str(stranger),
        "no rejected document has it, and readers may take it for one's: take it out",
    )
    stranger.unlink()
    etl.run([inbox], output, workers=1, force=True)
    assert file.read_bytes() == whole
    assert _breaks(output) == []


def test_a_run_makes_a_lost_file_again(inbox: Path, output: Path) -> None:
    (inbox / "a.txt").write_text(LOST)
    etl.run([inbox], output, workers=1)
    (file,) = _files(output)
    whole = file.read_bytes()
    file.unlink()
    etl.run([inbox], output, workers=1)
    assert file.read_bytes() == whole
    assert file == output / rejected_file(file.stem)
