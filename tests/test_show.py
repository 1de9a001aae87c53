"""`etl show` as a person or a script meets it."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

import etl
from etl.grids import figure

from .conftest import REPOSITORY
from .lakes import POISON
from .processes import call_etl, on_terminal

INBOX = REPOSITORY / "samples" / "inbox"
DEAL = "asset-backed-securities-corporation-home-equity-loan-trust-series-2003-he2"
WRONG = "absc-2003-he2_2003-12-15.txt"


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("lake") / "output"
    etl.run([INBOX], output)
    return output


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake with a wrong figure, a missing month, and a name that would steer a terminal."""
    folder = tmp_path_factory.mktemp("broken")
    shutil.copytree(INBOX, folder / "in\x1b[31mbox")
    (report,) = folder.glob(f"*/{WRONG}")
    report.write_text(report.read_text().replace("328,979,574", "328,979,674"))
    (other,) = folder.glob("*/tamarind-row-2002-he1_2003-04-15.txt")
    other.write_text(other.read_text().replace("15-Apr-03", "16-Jun-03"))
    etl.run([report.parent], folder / "output")
    return folder / "output"


def _rows(*arguments: str | Path) -> list[dict[str, str]]:
    done = call_etl("show", *arguments, "--csv")
    assert done.returncode == 0, done.stderr
    return list(csv.DictReader(io.StringIO(done.stdout)))


def test_a_lake_is_its_deals_with_their_months_coverage_and_failed_checks(lake: Path) -> None:
    rows = _rows(lake)
    found = duckdb.connect().execute(
        f"""SELECT deal, min(distribution_date) AS first_date, max(distribution_date) AS last_date,
        count(*) AS reports, sum(numbers_found) AS numbers_found, sum(numbers_claimed) AS numbers_claimed,
        sum(checks_failed) AS checks_failed
        FROM read_parquet('{lake}/reports/**/*.parquet', hive_partitioning = true) GROUP BY deal ORDER BY deal"""  # noqa: S608
    )
    names = [column[0] for column in found.description or ()]
    assert [[row[name] for name in names] for row in rows] == [list(map(str, row)) for row in found.fetchall()]
    assert {row["missing_months"] for row in rows} == {"[]"}
    assert json.loads(call_etl("show", lake, "--json").stdout)[0]["deal"] == rows[0]["deal"]


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_deals_fit_the_terminal(lake: Path, columns: int) -> None:
    lines = on_terminal("show", lake, columns=columns, NO_COLOR="1").splitlines()
    names = [line for line in lines if "2003-he2" in line and "etl sql" not in line]
    assert len(names) == 1
    assert ("all 1,488" in names[0]) == (columns == 200)
    assert any("all 1,488" in line for line in lines)
    assert "3 deals, 7 reports" in lines
    assert any("1 document rejected" in line for line in lines)


def test_months_that_are_missing_are_named(broken: Path) -> None:
    (row,) = [row for row in _rows(broken) if row["deal"].startswith("tamarind")]
    assert json.loads(row["missing_months"]) == ["2003-04", "2003-05"]
    assert "missing 2003-04, 2003-05" in on_terminal("show", broken, columns=80)


def test_the_history_of_a_deal_is_what_its_reports_print(lake: Path) -> None:
    rows = _rows(lake, "2003-he2")
    assert [row["distribution_date"] for row in rows] == ["2003-11-17", "2003-12-15", "2004-01-15"]
    assert [row["classes A-1 ending_balance"] for row in rows] == ["328979574.00", "312351414.00", "299806080.00"]
    assert rows[0]["pools TOTAL ending_balance"] == "642284141.00"
    assert rows[0]["measures oc_amount"] == "14344337.0000000000"
    words = next(name for name in rows[0] if name.startswith("delinquencies TOTAL delinquent 90+"))
    explained = call_etl("explain", lake, "2003-he2", "2003-11", *words.split(), "--json")
    assert json.loads(explained.stdout)["reports"][0]["value"] == rows[0][words]


@pytest.mark.parametrize("columns", [80, 200])
def test_grids_are_cut_into_strips_that_fit(lake: Path, columns: int) -> None:
    for arguments in (["2003-he2"], ["2003-he2", "2003-11"]):
        lines = on_terminal("show", lake, *arguments, columns=columns, NO_COLOR="1").splitlines()
        assert max(map(len, lines)) <= columns
        assert "…" not in "".join(lines)
        shown = [line for line in lines if "328,979,574" in line]
        assert len(shown) == 1
        assert shown[0].startswith(("A-1", "2003-11-17"))


def test_no_figure_is_cut_where_a_terminal_is_too_narrow_for_one_column(lake: Path) -> None:
    shown = on_terminal("show", lake, "2003-he2", "2003-11", columns=30, NO_COLOR="1")
    assert "…" not in shown
    assert "4,989,269.00000" in shown


def test_figures_have_all_their_digits() -> None:
    long = Decimal("1234567890123456789012345678.0123456789")
    assert figure(long).plain == f"{long:,f}"
    assert figure(Decimal("0.1234567891"), mark="%").plain == "12.34567891%"
    assert figure(long, mark="%").plain == "123,456,789,012,345,678,901,234,567,801.23456789%"


def test_a_report_is_every_value_of_its_tables(lake: Path) -> None:
    rows = _rows(lake, "2003-he2", "2003-11-17")
    classes = {(row["row"], row["column"]): row["value"] for row in rows if row["table"] == "classes"}
    asked = duckdb.connect().execute(
        f"""SELECT class_key, ending_balance, interest_per_1000 FROM read_parquet('{lake}/classes/**/*.parquet')
        WHERE deal = '{DEAL}' AND distribution_date = '2003-11-17'"""  # noqa: S608
    )
    for name, balance, per_1000 in asked.fetchall():
        assert classes[name, "ending_balance"] == str(balance)
        assert Decimal(classes[name, "interest_per_1000"]) == per_1000
    (reported,) = json.loads(call_etl("show", lake, "2003-he2", "2003-11-17", "--json").stdout)
    assert reported["report"]["report_id"] == rows[0]["report_id"]
    assert {check["outcome"] for check in reported["checks"]} == {"pass", "rounding", "explained", "not_applicable"}
    thirty = next(row for row in reported["tables"]["delinquencies"] if row["row"] == "GROUP 1 delinquent 30-59")
    assert (thirty["group_id"], thirty["status"], thirty["bucket"]) == ("GROUP 1", "delinquent", "30-59")
    assert reported["tables"]["measures"][0]["label"]
    values = [value for table in reported["tables"].values() for row in table for value in row.values()]
    assert sum(value is not None for value in values) >= len(rows)


def test_a_check_that_fails_stands_beside_its_figures(broken: Path) -> None:
    shown = on_terminal("show", broken, "2003-he2", "2003-12", columns=100, NO_COLOR="1")
    (row,) = [line for line in shown.splitlines() if "328,979,674" in line and line.startswith("A-1")]
    assert "328,979,674 !" in row
    first = next(line for line in shown.splitlines() if line.startswith("A-1"))
    assert " fail" in first
    assert "class_balance_continues: A-1, off by 100" in shown
    assert "! a check that uses the figure fails" in shown
    marked = [(row["row"], row["column"]) for row in _rows(broken, "2003-he2", "2003-12") if row["checks"] == "fail"]
    assert ("A-1", "beginning_balance") in marked
    assert ("M-1", "beginning_balance") not in marked


def test_nothing_steers_the_terminal(broken: Path) -> None:
    for arguments in ([], ["2003-he2"], ["2003-he2", "2003-12"]):
        shown = on_terminal("show", broken, *arguments, columns=80, NO_COLOR="1")
        assert "\x1b" not in shown
        assert "\x1b" not in call_etl("show", broken, *arguments).stdout
    shown = on_terminal("show", broken, "2003-he2", "2003-12", columns=80, NO_COLOR="1")
    assert "in[31mbox" in "".join(shown.split())  # long paths are wrapped


def test_colours_are_for_terminals_that_want_them(lake: Path) -> None:
    colour = re.compile(r"\x1b\[3[0-9]")
    assert colour.search(on_terminal("show", lake, columns=80, TERM="xterm-256color"))
    assert not colour.search(on_terminal("show", lake, columns=80, TERM="xterm-256color", NO_COLOR="1"))


def test_a_pipe_gets_lines_with_tabs(lake: Path) -> None:
    for arguments, column in (([], "deal"), (["2003-he2"], "distribution_date"), (["2003-he2", "latest"], "report_id")):
        lines = call_etl("show", lake, *arguments).stdout.splitlines()
        assert lines[0].split("\t")[0] == column
        assert {line.count("\t") for line in lines} == {lines[0].count("\t")}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nowhere"], "nowhere: there is no such folder"),
        (["LAKE", "no-such-deal"], "no deal fits 'no-such-deal'"),
        (["LAKE", "2003-he2", "1999"], "has no report of '1999'"),
        (["LAKE", "--csv", "--json"], "--csv and --json do not go together"),
    ],
)
def test_what_is_not_there_is_one_line(lake: Path, arguments: list[str], told: str) -> None:
    done = call_etl("show", *[str(lake) if word == "LAKE" else word for word in arguments])
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
    assert told in done.stderr


@pytest.mark.parametrize("table", ["classes", "reports", "checks"])
def test_rows_that_are_lost_are_not_taken_for_what_is_not_printed(lake: Path, tmp_path: Path, table: str) -> None:
    shutil.copytree(lake, tmp_path / "lost")
    next((tmp_path / "lost" / table / f"deal={DEAL}" / "distribution_date=2003-12-15").glob("*")).unlink()
    for arguments in ([], ["2003-he2"], ["2003-he2", "2003-12"]):
        done = call_etl("show", tmp_path / "lost", *arguments)
        if table == "classes" and not arguments:
            assert done.returncode == 0  # it is not looked at
            continue
        said = (done.returncode, done.stdout, len(done.stderr.splitlines()))
        assert said == ((2, "", 1) if table == "reports" and len(arguments) > 1 else (1, "", 1))
        assert "2003-12" in done.stderr
    assert call_etl("show", tmp_path / "lost", "2003-he2", "2003-11").returncode == 0


def test_reports_of_one_date_are_told_apart_and_checks_between_months_counted(lake: Path, tmp_path: Path) -> None:
    shutil.copytree(INBOX, tmp_path / "inbox")
    report = tmp_path / "inbox" / WRONG
    (tmp_path / "inbox" / "other.txt").write_text(report.read_text().replace("312,351,414", "312,351,514"))
    etl.run([tmp_path / "inbox"], tmp_path / "lake")
    row = _rows(tmp_path / "lake")[0]
    assert (row["reports"], row["conflicts"]) == ("4", "1")
    assert "4 reports, 1 conflict" in on_terminal("show", tmp_path / "lake", columns=80)
    assert "1 conflict" not in on_terminal("show", lake, columns=80)
    shown = on_terminal("show", tmp_path / "lake", "2003-he2", columns=80).splitlines()
    ids = {
        row["report_id"][:4] for row in _rows(tmp_path / "lake", "2003-he2") if row["distribution_date"] == "2003-12-15"
    }
    assert {line.split()[1] for line in shown if line.startswith("2003-12-15")} == ids
    failed = [int(row["months_failed"]) for row in _rows(tmp_path / "lake", "2003-he2")]
    breaks = json.loads(call_etl("check", tmp_path / "lake", "--json").stdout)["between_reports"]
    assert sum(failed) == sum(outcomes.get("fail", 0) for outcomes in breaks.values()) > 0


def test_an_empty_lake_and_a_damaged_one(lake: Path, tmp_path: Path) -> None:
    (tmp_path / "inbox").mkdir()
    etl.run([tmp_path / "inbox"], tmp_path / "empty")
    assert on_terminal("show", tmp_path / "empty", columns=80).splitlines() == ["0 deals, 0 reports"]
    assert json.loads(call_etl("show", tmp_path / "empty", "--json").stdout) == []
    shutil.copytree(lake, tmp_path / "damaged")
    next((tmp_path / "damaged" / "classes" / f"deal={DEAL}").rglob("*.parquet")).write_bytes(POISON)
    done = call_etl("show", tmp_path / "damaged", "2003-he2")
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert "cannot be read" in done.stderr
