"""The output as its users read it: with DuckDB, polars and pyarrow."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.dataset as pads
import pyarrow.parquet as pq
import pytest

from etl import OutputError, arrow_schema, load_layouts, partitioning, run
from etl.schema import TABLES

from .kit import absc_2003_he2, make_deal, random_style, render, simulate, truth
from .lakes import hashes

REPORTS = {
    f"deal-{seed}/{month}.txt": report
    for seed in (0, 1, 2)
    for month, report in enumerate(simulate(make_deal(seed), 3))
}


def _inbox(folder: Path) -> Path:
    for number, (name, report) in enumerate(REPORTS.items()):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(render(report, random_style(number)))
    (folder / "letter.txt").write_text("Dear Sirs")
    return folder


@pytest.fixture(scope="module")
def inbox(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _inbox(tmp_path_factory.mktemp("inbox"))


@pytest.fixture(scope="module")
def lake(inbox: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("lake") / "output"
    summary = run([inbox], output)
    assert (summary.reports_read, summary.rejected) == (len(REPORTS), 1)
    return output


def _files(lake: Path, table: str) -> list[Path]:
    return sorted((lake / table).rglob("*.parquet"))


# --- readers ----------------------------------------------------------------------------------------------


def _sql(query: str) -> duckdb.DuckDBPyRelation:
    relation = duckdb.sql(query)
    assert relation is not None
    return relation


def _duckdb(lake: Path, table: str) -> pa.Table:
    source = f"{lake}/{table}/**/*.parquet"
    return _sql(f"SELECT * FROM read_parquet('{source}', hive_partitioning=true)").to_arrow_table()  # noqa: S608


def _polars(lake: Path, table: str) -> pa.Table:
    return pl.scan_parquet(lake / table, hive_partitioning=True).collect().to_arrow()


def _pyarrow(lake: Path, table: str) -> pa.Table:
    return pads.dataset(lake / table, partitioning=partitioning()).to_table()


READERS: dict[str, Callable[[Path, str], pa.Table]] = {"duckdb": _duckdb, "polars": _polars, "pyarrow": _pyarrow}


def _kind(arrow_type: pa.DataType) -> str:
    """The type without the reader's own spelling of text."""
    wide = pa.types.is_large_string(arrow_type) or pa.types.is_string_view(arrow_type)
    return "string" if wide or pa.types.is_string(arrow_type) else str(arrow_type)


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("table", TABLES)
def test_readers_see_dates_and_decimals(lake: Path, reader: str, table: str) -> None:
    data = READERS[reader](lake, table)
    kinds = {field.name: _kind(field.type) for field in data.schema}
    wanted = {field.name: _kind(field.type) for field in arrow_schema(table)}
    assert kinds.pop("distribution_date") == "date32[day]"
    assert kinds.pop("deal") == "string"
    lists = [name for name, kind in wanted.items() if kind.startswith("list")]
    assert {kinds.pop(name).split("<")[0].removeprefix("large_") for name in lists} <= {"list"}
    assert kinds == {name: kind for name, kind in wanted.items() if name not in lists}
    assert data.num_rows == sum(pq.read_metadata(file).num_rows for file in _files(lake, table)) > 0


def test_the_path_alone_tells_duckdb_and_polars_of_dates(lake: Path) -> None:
    """What DuckDB and polars infer from the path alone."""
    described = _sql(f"DESCRIBE SELECT * FROM read_parquet('{lake}/reports/**/*.parquet')").fetchall()  # noqa: S608
    assert {row[0]: row[1] for row in described if row[0] in ("deal", "distribution_date")} == {
        "deal": "VARCHAR",
        "distribution_date": "DATE",
    }
    assert pl.scan_parquet(lake / "reports").collect_schema()["distribution_date"] == pl.Date


@pytest.mark.parametrize("reader", READERS)
def test_readers_see_the_printed_values(lake: Path, reader: str) -> None:
    data = pl.DataFrame(READERS[reader](lake, "classes"))
    for report in REPORTS.values():
        rows = data.filter(
            pl.col("distribution_date") == report.distribution_date,
            pl.col("deal").str.ends_with(f"series-{report.heading.series.lower()}"),
            pl.col("deal").str.starts_with(report.heading.deal_name.split()[0].lower()),
        )
        ending = dict(rows.select("class_key", "ending_balance").iter_rows())
        assert ending == {row["class_key"]: row["ending_balance"] for row in truth(report)["classes"]}


def test_a_users_question_in_sql(lake: Path) -> None:
    sql = f"""
        SELECT c.deal, c.distribution_date, sum(c.ending_balance), max(m.value)
        FROM read_parquet('{lake}/classes/**/*.parquet', hive_partitioning=true) c
        JOIN read_parquet('{lake}/measures/**/*.parquet', hive_partitioning=true) m
          ON m.report_id = c.report_id AND m.measure = 'ending_pool_balance'
        WHERE NOT c.is_notional AND c.distribution_date >= DATE '2002-01-01' GROUP BY ALL ORDER BY ALL"""  # noqa: S608
    rows = _sql(sql).fetchall()
    assert len(rows) == len(REPORTS)
    assert all(isinstance(row[1], dt.date) and isinstance(row[2], Decimal) for row in rows)


# --- files ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("table", TABLES)
def test_every_file_has_the_declared_schema(lake: Path, table: str) -> None:
    files = _files(lake, table)
    assert len(files) == len(REPORTS)
    for file in files:
        schema = pq.read_schema(file)
        assert schema.equals(arrow_schema(table), check_metadata=True)
        assert not {"deal", "distribution_date"} & set(schema.names)


@pytest.mark.parametrize("table", TABLES)
def test_every_field_says_what_it_is(table: str) -> None:
    for field in arrow_schema(table):
        assert set(field.metadata) == {b"description", b"unit", b"standard_term"}
        assert field.metadata[b"description"]
        assert field.metadata[b"unit"]


def test_folders_are_partitions_and_nothing_else(lake: Path) -> None:
    assert {folder.name for folder in lake.iterdir()} == {*TABLES, "_manifest", "_rejects", "_runs", "_sources"}
    for table in TABLES:
        for file in (lake / table).rglob("*"):
            parts = file.relative_to(lake / table).parts
            assert parts[0].startswith("deal=")
            assert len(parts) == 1 or dt.date.fromisoformat(parts[1].removeprefix("distribution_date="))
            assert file.is_dir() == (len(parts) < 3)
            assert file.is_dir() or file.suffix == ".parquet"


def test_a_second_run_leaves_the_same_bytes(inbox: Path, lake: Path) -> None:
    before = hashes(lake)
    assert len(before) == (len(TABLES) + 1) * len(REPORTS) + 2  # the sources, the rejects, the manifest
    run([inbox], lake)
    assert hashes(lake) == before
    assert run([inbox], lake, force=True).reports_read == len(REPORTS)
    assert hashes(lake) == before


def test_neither_order_nor_split_of_the_inbox_changes_a_byte(inbox: Path, lake: Path, tmp_path: Path) -> None:
    files = sorted((file for file in inbox.rglob("*.txt")), reverse=True)
    for part in (files[:2], files[5:], files[2:5]):
        run(part, tmp_path / "output")
    assert hashes(tmp_path / "output") == hashes(lake)


def test_files_are_whole_after_a_run_that_was_cut(inbox: Path, lake: Path, tmp_path: Path) -> None:
    """What is left in the staging of a run that was killed does not harm the next one."""
    output = tmp_path / "output"
    (output / "_staging" / "killed").mkdir(parents=True)
    (output / "_staging" / "killed" / "1").write_bytes(b"PAR1")
    run([inbox], output)
    assert hashes(output, but="_staging").keys() >= hashes(lake).keys()


# --- rejects and manifests --------------------------------------------------------------------------------


def _rejects(output: Path) -> list[dict[str, object]]:
    files = sorted((output / "_rejects").glob("*"))
    tables = [pq.read_table(file) for file in files]
    assert all(table.schema.equals(arrow_schema("rejects"), check_metadata=True) for table in tables)
    return [row for table in tables for row in table.to_pylist()]


def test_rejects_have_a_row_each(inbox: Path, lake: Path) -> None:
    (row,) = _rejects(lake)
    content = (inbox / "letter.txt").read_bytes()
    assert row == {
        "source": (inbox / "letter.txt").as_posix(),
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
        "reason_code": "not_a_report",
        "message": row["message"],
        "hint": row["hint"],
    }
    assert row["message"]
    assert row["hint"]


def test_rejects_are_read_by_duckdb(lake: Path) -> None:
    rows = _sql(f"SELECT reason_code, bytes FROM '{lake}/_rejects/*.parquet'").fetchall()  # noqa: S608
    assert rows == [("not_a_report", 9)]


REPORT = render(absc_2003_he2.report())


def test_a_mended_file_loses_its_row(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text(REPORT.replace("Rate  ", "Rat   "))
    assert run([file], tmp_path / "output").rejected == 1
    assert len(_rejects(tmp_path / "output")) == 1
    file.write_text(REPORT)
    assert run([file], tmp_path / "output").rejected == 0
    assert _rejects(tmp_path / "output") == []


def test_a_file_mended_by_a_copy_of_another_loses_its_row(tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    (inbox / "a.txt").write_text(REPORT)
    (inbox / "b.txt").write_text(REPORT[:2000])
    assert run([inbox], tmp_path / "output").rejected == 1
    (inbox / "b.txt").write_text(REPORT)
    assert run([inbox], tmp_path / "output").duplicates == 1
    assert _rejects(tmp_path / "output") == []


def test_another_reason_replaces_the_row(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    for content in ("", "Dear Sirs"):
        file.write_text(content)
        run([file], tmp_path / "output")
    assert [row["reason_code"] for row in _rejects(tmp_path / "output")] == ["not_a_report"]


def test_each_run_has_a_manifest(inbox: Path, tmp_path: Path) -> None:
    summaries = [run([inbox], tmp_path / "output", force=True) for _ in range(2)]
    manifests = {file.stem: json.loads(file.read_text()) for file in (tmp_path / "output" / "_runs").iterdir()}
    assert set(manifests) == {summary.run_id for summary in summaries}
    manifest = manifests[summaries[0].run_id]
    assert manifest["inputs"] == [str(inbox)]
    assert manifest["reports_read"] == len(REPORTS)
    assert manifest["rows"] == summaries[1].rows
    assert manifest["numbers_found"] == manifest["numbers_claimed"] > 0
    assert manifest["layouts"] == [layout.label for layout in load_layouts()]
    assert {"program_version", "contract_version", "polars_version", "started", "finished", "checks", "seconds"} <= set(
        manifest
    )
    assert sum(document["outcome"] == "read" for document in manifest["documents_read"]) == len(REPORTS)
    assert all(document["sha256"] for document in manifest["documents_read"])


def test_rows_are_counted_as_they_are_written(inbox: Path, tmp_path: Path) -> None:
    summary = run([inbox], tmp_path / "output")
    written = {
        table: sum(pq.read_metadata(file).num_rows for file in _files(tmp_path / "output", table)) for table in TABLES
    }
    assert summary.rows == written


# --- names and places that could do harm ------------------------------------------------------------------

HOSTILE = (
    "Trust ../../../../escape, Series 2003-1",
    "A/b=c\\d, Series 2003-1",
    "Deal=x%F.., Series 2003-1",
    "Été + Trust, Series 2003-1",
)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_deals_name_stays_in_the_output(tmp_path: Path, name: str) -> None:
    report = absc_2003_he2.report()
    hostile = replace(report, heading=replace(report.heading, deal_name=name, series="2003-1"))
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox" / "a.txt").write_text(render(hostile))
    summary = run([tmp_path / "inbox"], tmp_path / "output")
    assert summary.reports_read == 1
    assert {path.name for path in tmp_path.iterdir()} == {"inbox", "output"}
    (file,) = _files(tmp_path / "output", "reports")
    assert len(file.relative_to(tmp_path / "output").parts) == 4
    assert pq.read_table(file, partitioning=None)["deal_name"].to_pylist() == [name]


def test_two_reports_of_one_deal_and_day_are_both_kept_and_said(tmp_path: Path) -> None:
    (tmp_path / "inbox").mkdir()
    for number, text in enumerate((REPORT, REPORT.replace("278,036", "278,037"))):
        (tmp_path / "inbox" / f"{number}.txt").write_text(text)
    summary = run([tmp_path / "inbox"], tmp_path / "output")
    (file,) = _files(tmp_path / "output", "reports")
    (several,) = summary.conflicts
    assert sorted(several["report_ids"]) == pq.read_table(file, partitioning=None)["report_id"].to_pylist()


def test_a_changed_file_is_said_to_stand_beside_its_earlier_version(tmp_path: Path) -> None:
    report = tmp_path / "a.txt"
    report.write_text(REPORT)
    assert run([report], tmp_path / "output").conflicts == []
    report.write_text(REPORT.replace("278,036", "278,037"))
    (several,) = run([report], tmp_path / "output").conflicts
    assert len(several["report_ids"]) == 2


@pytest.mark.parametrize("blocked", ["", "classes", "reports", "triggers", "_rejects", "_runs", "_sources", "_staging"])
def test_an_output_that_cannot_be_written_is_an_output_error(tmp_path: Path, blocked: str) -> None:
    """A file stands where a folder should be."""
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    (inbox / "a.txt").write_text(REPORT)
    (inbox / "b.txt").write_text("Dear Sirs")
    output = tmp_path / "output"
    if blocked:
        output.mkdir()
    (output / blocked if blocked else output).write_text("in the way")
    with pytest.raises(OutputError, match="cannot be written"):
        run([inbox], output)


def test_a_table_without_rows_leaves_no_file(tmp_path: Path) -> None:
    lines = ("Trigger Event Occurrence", "Step Down Date Occurred", "Has Fairbanks failed")
    text = "\n".join(line for line in REPORT.split("\n") if not line.startswith(lines))
    (tmp_path / "a.txt").write_text(text)
    summary = run([tmp_path / "a.txt"], tmp_path / "output")
    assert (summary.reports_read, summary.rows["triggers"]) == (1, 0)
    assert _files(tmp_path / "output", "triggers") == []
    assert len(_files(tmp_path / "output", "measures")) == 1
