"""`etl export` as a person or a script meets it, and its CSV files as programs read them."""

from __future__ import annotations

import csv
import json
import os
import shutil
import sys
from decimal import Decimal
from pathlib import Path

import duckdb
import polars as pl
import pytest
from openpyxl import load_workbook

import etl
from etl.csv_files import csv_files
from etl.deal_tables import DealTables, deal_tables
from etl.errors import UsageError
from etl.lake import Lake
from etl.schema import TABLES, table
from etl.workbook import needs_excel

from .conftest import REPOSITORY
from .lakes import hashes
from .processes import call_etl
from .storage import Storage, upload

INBOX = REPOSITORY / "samples" / "inbox"
ABSC = "asset-backed-securities-corporation-home-equity-loan-trust-series-2003-he2"


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("made") / "it's a lake"
    etl.run([INBOX], output)
    return output


def _dates(folder: Path) -> list[str]:
    with (folder / "reports.csv").open() as file:
        return [row["distribution_date"] for row in csv.DictReader(file)]


# --- what is written --------------------------------------------------------------------------------------------------


def test_a_deal_as_a_workbook_and_as_csv(lake: Path, tmp_path: Path) -> None:
    before = hashes(lake, but="")
    done = call_etl("export", lake, "2003-he2", "--xlsx", "new/deal.xlsx", "--csv", "csv", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == "new/deal.xlsx  615 lines of reconciliation, all OK"
    assert lines[1:3] == ["csv/reports.csv  3 rows", "csv/classes.csv  42 rows"]
    assert sorted(file.name for file in (tmp_path / "csv").iterdir()) == sorted(f"{name}.csv" for name in TABLES)
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["deal.xlsx"]
    assert hashes(lake, but="") == before


def test_csv_is_read_back_to_the_last_digit(lake: Path, tmp_path: Path) -> None:
    call_etl("export", lake, ABSC, "--csv", tmp_path / "csv")
    for name in TABLES:
        rows = Lake(lake).read(name, [ABSC])
        types = {"deal": "VARCHAR", "distribution_date": "DATE"}
        types |= {column.name: _duckdb_type(column.type) for column in table(name).columns}
        told = duckdb.connect().execute(
            "FROM read_csv(?, columns=$types, header=true, allow_quoted_nulls=false, quote='\"', escape='\"')".replace(
                "$types", str(types)
            ),
            [str(tmp_path / "csv" / f"{name}.csv")],
        )
        lists = [column for column, kind in rows.schema.items() if isinstance(kind, pl.List)]
        wanted = [
            tuple(
                json.dumps(value) if column in lists and value is not None else value for column, value in row.items()
            )
            for row in rows.iter_rows(named=True)
        ]
        assert [column[0] for column in told.description or []] == rows.columns
        assert told.fetchall() == wanted, name


def _duckdb_type(declared: str) -> str:
    spelled = {"string": "VARCHAR", "bool": "BOOLEAN", "int32": "INTEGER", "int64": "BIGINT", "date32": "DATE"}
    return (
        "VARCHAR" if declared.startswith("list") else spelled.get(declared, declared.replace("decimal128", "DECIMAL"))
    )


def test_csv_tells_an_empty_text_from_none(lake: Path) -> None:
    deal = deal_tables(Lake(lake), ABSC)
    texts = pl.Series(["", None, 'a,"b"\n', "=1+1", "ä"] + [None] * 37)
    classes = deal.tables["classes"].select("distribution_date", "report_id", cusip=texts)
    files = dict(csv_files(DealTables(deal.deal, {"classes": classes})))
    first, *rows = files["classes"].decode().split(f"\n{ABSC},")
    assert first == "deal,distribution_date,report_id,cusip"
    assert [row.split(",", 2)[2] for row in rows[:5]] == ['""', "", '"a,""b""\n"', "=1+1", "ä"]


# --- which dates ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "dates"),
    [
        ([], ["2003-11-17", "2003-12-15", "2004-01-15"]),
        (["--date", "latest"], ["2004-01-15"]),
        (["--date", "2003-12"], ["2003-12-15"]),
        (["--from", "2003-12"], ["2003-12-15", "2004-01-15"]),
        (["--to", "2003"], ["2003-11-17", "2003-12-15"]),
        (["--from", "2003-12", "--to", "2003"], ["2003-12-15"]),
        (["--from", "2003", "--to", "2003-11"], ["2003-11-17"]),
        (["--from", "2003-11-18", "--to", "2003-12-15"], ["2003-12-15"]),
    ],
)
def test_the_dates_may_be_narrowed(lake: Path, tmp_path: Path, options: list[str], dates: list[str]) -> None:
    done = call_etl("export", lake, "2003-he2", "--csv", tmp_path / "csv", "--xlsx", tmp_path / "a.xlsx", *options)
    assert done.returncode == 0
    assert _dates(tmp_path / "csv") == dates
    sheet = load_workbook(tmp_path / "a.xlsx")["Reconciliation"]
    assert sorted({str(row[0])[:10] for row in sheet.iter_rows(min_row=2, values_only=True)}) == dates
    between = {row[2] for row in sheet.iter_rows(min_row=2, values_only=True)} & {"class_balance_continues"}
    assert bool(between) == (len(dates) > 1)


# --- what is wrong ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["2003-he2"], "say what to write"),
        (["2003-he2", "--csv", "x", "--date", "2003-11", "--to", "2004"], "do not go together"),
        (["nothing", "--csv", "x"], "no deal fits"),
        (["he1", "--csv", "x"], "2 deals fit"),
        (["2003-he2", "--csv", "x", "--from", "2005"], "has no report from 2005; it has 2003-11-17"),
        (["2003-he2", "--csv", "x", "--from", "soon"], "'soon' is no date"),
        (["2003-he2", "--csv", "x", "--from", "2003-99"], "'2003-99' is no date"),
        (["2003-he2", "--csv", "x", "--to", "2004-02-30"], "'2004-02-30' is no date"),
        (["2003-he2", "--csv", "x", "--to", "0000"], "'0000' is no date"),
        (["2003-he2", "--csv", "x", "--to", "2004-1"], "'2004-1' is no date"),
        (["2003-he2", "--csv", "x", "--from", "2004", "--to", "2003"], "2004 is later than 2003"),
        (["2003-he2", "--csv", "x", "--from", "2003-12", "--to", "2003-11-17"], "2003-12 is later than 2003-11-17"),
        (["2003-he2", "--csv", "x", "--date", "2003"], "has 2 dates in 2003"),
        (["2003-he2", "--xlsx", "."], "ends in .xlsx"),
        (["2003-he2", "--xlsx", ""], "--xlsx is empty"),
        (["2003-he2", "--xlsx", "deal.csv"], "ends in .xlsx"),
        (["2003-he2", "--csv", ""], "--csv is empty"),
        (["2003-he2", "--csv", "-"], "nothing is written to standard output"),
        (["2003-he2", "--xlsx", "s3://bucket/a.xlsx"], "written to this machine"),
        (["2003-he2", "--csv", "s3://bucket/a"], "written to this machine"),
    ],
)
def test_a_wrong_call_is_one_line_and_writes_nothing(
    lake: Path, tmp_path: Path, arguments: list[str], told: str
) -> None:
    done = call_etl("export", lake, *arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert told in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_written_into_the_lake(lake: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(lake / "classes")
    for option, place in (("--csv", lake / "classes"), ("--xlsx", lake / "a.xlsx"), ("--csv", tmp_path / "link")):
        done = call_etl("export", lake, "2003-he2", option, place)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
        assert "stands in the lake" in done.stderr
    assert not [*lake.rglob("*.csv"), *lake.rglob("*.xlsx")]


def test_a_folder_where_a_file_belongs_is_said(lake: Path, tmp_path: Path) -> None:
    (tmp_path / "a.xlsx").mkdir()
    done = call_etl("export", lake, "2003-he2", "--xlsx", "a.xlsx", "--force", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (2, "etl: a.xlsx: is a folder; name a file\n")


def test_what_is_no_file_is_not_replaced_even_by_force(lake: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.xlsx")
    (tmp_path / "pools.csv").symlink_to("pipe.xlsx")
    for option, place, name in (("--xlsx", "pipe.xlsx", "pipe.xlsx"), ("--csv", ".", "pools.csv")):
        done = call_etl("export", lake, "2003-he2", option, place, "--force", cwd=tmp_path)
        assert (done.returncode, done.stderr) == (2, f"etl: {name}: is no regular file; name a file\n")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["pipe.xlsx", "pools.csv"]
    assert (tmp_path / "pipe.xlsx").is_fifo()


def test_what_is_there_is_replaced_only_by_force(lake: Path, tmp_path: Path) -> None:
    (tmp_path / "a.xlsx").write_text("notes of an analyst")
    (tmp_path / "pools.csv").write_text("mine")
    for place, name in (("a.xlsx", "--xlsx"), (".", "--csv")):
        done = call_etl("export", lake, "2003-he2", name, place, cwd=tmp_path)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert ": is there already; --force replaces it" in done.stderr
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.xlsx", "pools.csv"]
    assert (tmp_path / "a.xlsx").read_text() == "notes of an analyst"
    for _ in range(2):
        done = call_etl("export", lake, "2003-he2", "--xlsx", "a.xlsx", "--csv", ".", "--force", cwd=tmp_path)
        assert done.returncode == 0
    assert load_workbook(tmp_path / "a.xlsx").sheetnames[0] == "About"


def test_a_place_that_cannot_be_written_is_said(lake: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = call_etl("export", lake, "2003-he2", "--xlsx", tmp_path / "file" / "a.xlsx")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "cannot be written" in done.stderr


def test_a_folder_without_a_lake_and_an_empty_lake_are_said(tmp_path: Path) -> None:
    (tmp_path / "inbox").mkdir()
    etl.run([tmp_path / "inbox"], tmp_path / "lake")
    for output, told in ((tmp_path / "no", "no such folder"), (tmp_path / "lake", "holds no report yet")):
        done = call_etl("export", output, "2003-he2", "--csv", tmp_path / "csv")
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
        assert told in done.stderr


def test_a_missing_extra_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "xlsxwriter", None)
    with pytest.raises(UsageError, match=r"pip install 'trustee-etl\[excel\]'"):
        needs_excel()


def test_a_damaged_file_is_named(lake: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(lake, tmp_path / "lake")
    file = min((copy / "pools" / f"deal={ABSC}").rglob("*.parquet"))
    file.write_bytes(b"PAR1 no PAR1")
    done = call_etl("export", copy, "2003-he2", "--xlsx", tmp_path / "a.xlsx")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert file.name in done.stderr
    assert not (tmp_path / "a.xlsx").exists()


def test_a_lake_of_delta_tables_gives_the_same(lake: Path, tmp_path: Path) -> None:
    etl.run([INBOX], tmp_path / "delta", lake_format="delta")
    for number, output in enumerate((lake, tmp_path / "delta")):
        assert call_etl("export", output, "2003-he2", "--xlsx", tmp_path / f"{number}.xlsx").returncode == 0
    assert (tmp_path / "0.xlsx").read_bytes() == (tmp_path / "1.xlsx").read_bytes()


def test_a_lake_in_object_storage_gives_the_same(lake: Path, tmp_path: Path, storage: Storage) -> None:
    url = upload(storage.bucket(), "lake", lake)
    for number, output in enumerate((str(lake), url)):
        given = ("export", output, "2003-he2", "--xlsx", f"{number}.xlsx")
        done = call_etl(*given, cwd=tmp_path, **storage.variables)
        assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "0.xlsx").read_bytes() == (tmp_path / "1.xlsx").read_bytes()


def test_what_is_off_is_told(tmp_path: Path) -> None:
    text = (INBOX / "absc-2003-he2_2003-11-17.txt").read_text()
    (tmp_path / "a.txt").write_text(text.replace("328,979,574", "328,979,674"))
    etl.run([tmp_path / "a.txt"], tmp_path / "lake")
    failed = Lake(tmp_path / "lake").read("reports")["checks_failed"].item()
    done = call_etl("export", tmp_path / "lake", "2003-he2", "--xlsx", "a.xlsx", cwd=tmp_path)
    assert done.stdout == f"a.xlsx  {Decimal(183)} lines of reconciliation, {failed} OFF\n"


@pytest.mark.parametrize("table_lost", ["classes", "reports", "pools"])
def test_rows_that_are_lost_are_not_left_out(lake: Path, tmp_path: Path, table_lost: str) -> None:
    shutil.copytree(lake, tmp_path / "lost")
    next((tmp_path / "lost" / table_lost / f"deal={ABSC}" / "distribution_date=2003-12-15").glob("*")).unlink()
    for option, place in (("--xlsx", "a.xlsx"), ("--csv", "csv")):
        done = call_etl("export", "lost", "2003-he2", option, place, cwd=tmp_path)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
        assert f"{table_lost}/deal={ABSC}/distribution_date=2003-12-15" in done.stderr
        assert not (tmp_path / place).exists()
    assert call_etl("export", "lost", "2003-he2", "--date", "2003-11", "--csv", "csv", cwd=tmp_path).returncode == 0
