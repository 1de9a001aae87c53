"""The Python face: one report into frames, a batch into Parquet."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import polars as pl
import pytest

import etl
from etl.layout import PACKAGED
from etl.schema import TABLES, arrow_schema
from etl.tables import polars_type

from .kit import Report, render

SAMPLE = PACKAGED / "us_bank_text" / "sample.txt"


@pytest.fixture(scope="module")
def report() -> etl.Report:
    return etl.read_report(SAMPLE)


def test_a_report_has_every_table_typed(report: etl.Report) -> None:
    assert set(report.tables) == set(TABLES)
    for name, frame in report.tables.items():
        declared = {column.name: polars_type(column) for column in etl.schema.table(name).columns}
        assert dict(frame.schema) == {"deal": pl.String, "distribution_date": pl.Date, **declared}
        assert frame.height > 0


def test_a_report_says_of_which_deal_and_day_it_is(report: etl.Report) -> None:
    assert report.deal == "asset-backed-securities-corporation-home-equity-loan-trust-series-2003-he2"
    assert report.distribution_date == date(2003, 11, 17)
    assert report.report_id == report.tables["reports"]["source_sha256"].item()[:16]
    assert report.records.equals(report.tables["records"])
    for frame in report.tables.values():
        assert set(frame["report_id"]) == {report.report_id}
        assert set(frame["deal"]) == {report.deal}


def test_columns_that_are_never_null_are_not(report: etl.Report) -> None:
    for name, frame in report.tables.items():
        wanted = [field.name for field in arrow_schema(name) if not field.nullable]
        assert sum(frame.select(wanted).null_count().row(0)) == 0


def test_path_text_and_bytes_give_the_same(report: etl.Report) -> None:
    from_text, from_bytes = etl.read_report(str(SAMPLE)), etl.read_report(SAMPLE.read_bytes())
    for name in set(TABLES) - {"reports"}:
        assert from_text.tables[name].equals(report.tables[name])
        assert from_bytes.tables[name].equals(report.tables[name])
    assert from_bytes.tables["reports"]["source"].to_list() == ["<bytes>"]


def test_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    etl.read_report(SAMPLE)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "empty"), (b"%PDF", "binary"), (b"Dear Sirs", "not_a_report"), (b"Distribution Date:", "no_layout")],
)
def test_a_document_that_cannot_be_read_raises_its_reason(content: bytes, reason: str) -> None:
    with pytest.raises(etl.RejectedError) as caught:
        etl.read_report(content)
    error = caught.value
    assert error.reason_code == reason
    assert error.message.startswith("<bytes>: ")
    assert str(error) == f"{reason}: {error.message} ({error.hint})"
    assert isinstance(error, etl.EtlError)


def test_a_damaged_report_raises_its_reason(seed_report: Report) -> None:
    with pytest.raises(etl.RejectedError, match="row_count_mismatch"):
        etl.read_report(render(seed_report).replace("    1.12000%      3,250,130\n", "").encode())


def test_a_file_that_is_not_there_raises_its_reason(tmp_path: Path) -> None:
    for name in ("none.txt", "none.txt#1", "n" * 1000):
        with pytest.raises(etl.RejectedError, match="unreadable"):
            etl.read_report(tmp_path / name)


def test_a_report_needs_a_layout() -> None:
    with pytest.raises(etl.UsageError, match="no layout"):
        etl.read_report(SAMPLE, layouts=[])


def test_two_layouts_that_claim_a_report_are_named() -> None:
    with pytest.raises(etl.RejectedError, match=r"ambiguous_layout.*us-bank-text, us-bank-text"):
        etl.read_report(SAMPLE, layouts=[*etl.load_layouts(), *etl.load_layouts()])


def test_a_run_gives_its_summary(tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    summary = etl.run([SAMPLE, str(SAMPLE)], tmp_path / "output", progress=lambda *numbers: calls.append(numbers))
    assert isinstance(summary, etl.Summary)
    assert (summary.documents, summary.reports_read, summary.rejected) == (1, 1, 0)
    assert (summary.rows["classes"], summary.rows["reports"]) == (14, 1)
    assert summary.numbers_claimed == summary.numbers_found
    assert summary.program_version == etl.__version__
    assert summary.seconds["total"] >= 0
    assert calls[-1] == (1, 1)


def test_frames_and_files_agree(tmp_path: Path, report: etl.Report) -> None:
    etl.run([SAMPLE], tmp_path)
    for name, frame in report.tables.items():
        written = pl.read_parquet(tmp_path / name, hive_partitioning=True)
        assert written.select(frame.columns).equals(frame)


def test_a_run_of_nothing_reads_nothing(tmp_path: Path) -> None:
    assert etl.run([], tmp_path / "output").documents == 0


def test_what_the_package_names_is_there() -> None:
    assert [name for name in etl.__all__ if not hasattr(etl, name)] == []
