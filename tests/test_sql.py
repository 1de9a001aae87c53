"""`etl sql` and `etl views` as a person or a script meets them."""

from __future__ import annotations

import csv
import io
import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import pytest

from etl.errors import EtlError, UsageError
from etl.sql import ask

from .lakes import POISON, make_lake
from .processes import on_terminal

PROGRAM = [sys.executable, "-c", "from etl.cli import main; main()"]


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_lake(tmp_path_factory.mktemp("made"))


def _etl(*arguments: str | Path, given: str | bytes = b"", cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    given = given.encode() if isinstance(given, str) else given
    done = subprocess.run([*PROGRAM, *map(str, arguments)], input=given, cwd=cwd, capture_output=True, check=False)
    told = subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())
    assert "Traceback" not in told.stdout + told.stderr
    return told


def _hash(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


# --- what is printed --------------------------------------------------------------------------------------

QUERY = "SELECT distribution_date, class_id, ending_balance, cusip, is_notional FROM classes ORDER BY ALL"


def test_a_pipe_gets_all_rows_with_tabs(lake: Path) -> None:
    done = _etl("sql", lake, QUERY)
    with ask(lake, QUERY) as answer:
        rows = list(answer.rows)
    assert (done.returncode, done.stderr) == (0, "")
    lines = [line.split("\t") for line in done.stdout.splitlines()]
    assert lines[0] == ["distribution_date", "class_id", "ending_balance", "cusip", "is_notional"]
    assert lines[1:] == [
        [date.isoformat(), name, str(balance), cusip or "", "" if flag is None else str(flag).lower()]
        for date, name, balance, cusip, flag in rows
    ]


def test_csv_and_json_lose_nothing(lake: Path) -> None:
    query = """SELECT DATE '2003-11-17' AS d, 0.10::DECIMAL(38, 10) AS m, 12345678901234567890::HUGEINT AS h, NULL AS n,
        '' AS e, 'a,"b"' || chr(10) AS t, true AS b, ['x', NULL] AS l, 'nan'::DOUBLE AS f, {'k': 1.50} AS s, 1 AS d"""
    told = _etl("sql", lake, query, "--csv").stdout
    head, row = told.split("\n", 1)
    assert head == "d,m,h,n,e,t,b,l,f,s,d_2"
    assert row.startswith('2003-11-17,0.1000000000,12345678901234567890,,"","a,""b""\n",true,"[""x"", null]",nan,')
    assert list(csv.reader(io.StringIO(told)))[1][5] == 'a,"b"\n'
    (thing,) = json.loads(_etl("sql", lake, query, "--json").stdout)
    assert thing == {
        "d": "2003-11-17",
        "m": "0.1000000000",
        "h": 12345678901234567890,
        "n": None,
        "e": "",
        "t": 'a,"b"\n',
        "b": True,
        "l": ["x", None],
        "f": "nan",
        "s": {"k": "1.50"},
        "d_2": 1,
    }


def test_csv_is_read_back_by_duckdb(lake: Path, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(_etl("sql", lake, "SELECT raw, value FROM records ORDER BY ALL", "--csv").stdout)
    told = duckdb.connect().execute(
        "SELECT raw, value FROM read_csv(?, allow_quoted_nulls=false,"
        " types={'raw': 'VARCHAR', 'value': 'DECIMAL(38, 10)'})",
        [str(tmp_path / "a.csv")],
    )
    with ask(lake, "SELECT raw, value FROM records ORDER BY ALL") as answer:
        assert told.fetchall() == list(answer.rows)


@pytest.mark.parametrize(("query", "rows"), [("SELECT 1 AS a WHERE false", []), ("SELECT 1 AS a", [{"a": 1}])])
def test_json_is_an_array_of_any_length(lake: Path, query: str, rows: list[object]) -> None:
    assert json.loads(_etl("sql", lake, query, "--json").stdout) == rows


def test_a_terminal_gets_a_grid_and_is_told_of_more_rows(lake: Path) -> None:
    shown = on_terminal("sql", lake, "SELECT range AS n, 'x' || chr(27) AS t FROM range(101)", columns=60)
    lines = [line.rstrip() for line in shown.splitlines()]
    assert lines[0].split() == ["n", "t"]
    assert lines[1:3] == ["  0  x", "  1  x"] or lines[1:3] == [" 0  x", " 1  x"]
    assert lines[-1] == "the first 100 rows, there are more; all of them: --csv, --json, or pipe the output"
    assert "\x1b" not in shown
    assert "more" not in on_terminal("sql", lake, "FROM range(100)", columns=60)


def test_a_terminal_that_is_too_narrow_gets_a_block_for_each_row(lake: Path) -> None:
    shown = on_terminal("sql", lake, "SELECT * FROM reports ORDER BY ALL", columns=80)
    with ask(lake, "SELECT * FROM reports ORDER BY ALL LIMIT 1") as answer:
        names, row = answer.columns, next(answer.rows)
    first = shown.split("\n\n")[0]
    assert [name for name in names if f"{name} " not in first] == []
    assert max(map(len, shown.splitlines())) <= 80
    assert str(row[names.index("source_sha256")]) in first.replace("\n", "").replace(" ", "")
    assert "the first" not in shown


def test_an_explanation_keeps_its_lines(lake: Path) -> None:
    done = _etl("sql", lake, "EXPLAIN ANALYZE SELECT count(cusip) FROM classes")
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) > 5
    assert "READ_PARQUET" in done.stdout


def test_the_query_may_stand_in_a_file_or_come_in(lake: Path, tmp_path: Path) -> None:
    (tmp_path / "q.sql").write_text("-- how many\nSELECT count(*) AS n FROM reports;\n", encoding="utf-8-sig")
    wanted = "n\n8\n"
    assert _etl("sql", lake, "--file", tmp_path / "q.sql").stdout == wanted
    assert _etl("sql", lake, "-", given="SELECT count(*) AS n FROM reports").stdout == wanted


# --- what is wrong ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("SELECT class_idd FROM classes", 'etl: Binder Error: Referenced column "class_idd" not found'),
        ("SELECT class_idd FROM classes", '; Candidate bindings: "class_id"'),
        ("SELECT * FROM clases", 'Table with name clases does not exist!; Did you mean "classes"?'),
        ("selec 1", "etl: Parser Error: syntax error"),
        ("SELECT strptime('x', '%Y')", 'Could not parse string "x"'),
        ("", "the query is empty"),
        ("-- nothing", "the query is empty"),
        ("SELECT 1; SELECT 2", "2 statements"),
        ("DROP VIEW classes", "is no SELECT (DuckDB calls it DROP)"),
        ("PIVOT classes ON class_id USING sum(ending_balance)", "write PIVOT with its values"),
        ("SELECT '\ud800'", "etl: "),
    ],
)
def test_a_wrong_query_is_one_line(lake: Path, query: str, told: str) -> None:
    done = _etl("sql", lake, "-", given=query.encode("utf-8", "surrogatepass"))
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["SELECT 1", "--file", "x"], "give one query"),
        ([], "give one query"),
        (["--file", "/nowhere/x.sql"], "cannot be read"),
        (["SELECT 1", "--csv", "--json"], "do not go together"),
    ],
)
def test_a_wrong_call_is_one_line(lake: Path, arguments: list[str], told: str) -> None:
    done = _etl("sql", lake, *arguments)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert told in done.stderr


def test_a_folder_without_a_lake_is_said(tmp_path: Path) -> None:
    for command in (("sql", str(tmp_path), "SELECT 1"), ("views", str(tmp_path))):
        done = _etl(*command)
        assert done.returncode == 2
        assert "holds no tables" in done.stderr


def test_a_damaged_file_is_named_and_harms_no_other_table(lake: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(lake, tmp_path / "lake")
    file = min((copy / "classes").rglob("*.parquet"))
    file.write_bytes(POISON)
    done = _etl("sql", copy, "SELECT * FROM classes")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert file.name in done.stderr
    assert _etl("sql", copy, "SELECT count(*) AS n FROM pools WHERE group_id = 'TOTAL'").stdout == "n\n8\n"
    assert "classes" in _etl("sql", copy, "SHOW TABLES").stdout


# --- shut in ----------------------------------------------------------------------------------------------


def _outside(lake: Path) -> Path:
    secret = lake.parent / "secret.csv"
    secret.write_text("a\n1\n")
    return secret


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM read_csv('{outside}')",
        "SELECT * FROM '{outside}'",
        "SELECT * FROM read_text('{lake}/../secret.csv')",
        "SELECT * FROM glob('{lake}/../*')",
        "SELECT * FROM sniff_csv('{outside}')",
        "SELECT * FROM read_csv('http://127.0.0.1:9/a.csv')",
        "ATTACH '{outside}.db'",
        "ATTACH '{lake}/own.db'",
        "COPY classes TO '{lake}/classes/a.csv'",
        "COPY (PIVOT classes ON class_id USING count(*)) TO '{lake}/classes/a.csv'",
        "EXPLAIN ANALYZE COPY classes TO '{lake}/classes/a.csv'",
        "explain analyze /* */ COPY classes TO '{lake}/classes/a.csv'",
        "/* */ EXPLAIN ANALYZE COPY classes TO '{lake}/classes/a.csv'",
        "WITH x AS (COPY (SELECT 1) TO '{lake}/classes/a.csv') SELECT 1",
        "WITH x AS (COPY (SELECT 1) TO '{lake}/classes/a.csv') FROM x",
        "EXPLAIN ANALYZE WITH x AS (COPY (SELECT 1) TO '{lake}/classes/a.csv') FROM x",
        "FROM query('WITH x AS (COPY (SELECT 1) TO ''{quoted}/classes/a.csv'') FROM x')",
        "EXPORT DATABASE '{lake}/export'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "CREATE TABLE x AS SELECT 1",
        "FROM enable_logging('QueryLog', storage = 'file', storage_config = {{'path': '{lake}/log'}})",
    ],
)
def test_a_query_reaches_nothing_but_the_lake_and_changes_nothing(lake: Path, query: str) -> None:
    outside = _outside(lake)
    before = _hash(lake.parent)
    doubled = str(lake).replace("'", "''")
    filled = query.format(lake=doubled, outside=str(outside).replace("'", "''"), quoted=doubled.replace("'", "''"))
    with pytest.raises(UsageError), ask(lake, filled) as answer:
        list(answer.rows)
    assert _hash(lake.parent) == before


def test_words_that_only_sound_like_writing_are_read(lake: Path) -> None:
    with ask(lake, "SELECT 'copy' AS copy, 'COPY x TO y' AS t") as answer:
        assert list(answer.rows) == [("copy", "COPY x TO y")]


def test_names_of_tables_that_are_put_together_are_found(lake: Path) -> None:
    with ask(lake, "SELECT count(*) FROM query_table('rep' || 'orts')") as answer:
        assert list(answer.rows) == [(8,)]


def test_what_does_not_fit_the_memory_is_said(lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("etl.sql.MEMORY_LIMIT", "20MB")
    monkeypatch.setattr("etl.sql.SPILL_LIMIT", "1MB")
    query = "SELECT list(a.range) FROM range(10000000) a"
    with pytest.raises(EtlError, match="Memory"), ask(lake, query) as answer:
        list(answer.rows)


def test_an_interrupt_stops_a_query_at_work(lake: Path) -> None:
    query = "SELECT count(*) FROM range(10000000000) a, range(1000) b"
    process = subprocess.Popen([*PROGRAM, "sql", str(lake), query], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        time.sleep(4)
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    finally:
        process.kill()
    assert (process.returncode, out) == (130, b"")
    assert b"Traceback" not in err


# --- views ------------------------------------------------------------------------------------------------


def test_views_says_what_it_wrote_and_how_to_use_it(lake: Path, tmp_path: Path) -> None:
    done = _etl("views", lake, "--to", tmp_path / "sql")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"{tmp_path}/sql/duckdb.sql  use: duckdb -init {tmp_path}/sql/duckdb.sql" in done.stdout
    assert f"spark-sql -i {tmp_path}/sql/spark.sql" in done.stdout
    printed = _etl("views", lake, "--print", "spark")
    assert printed.stdout == (tmp_path / "sql" / "spark.sql").read_text()
    assert not (lake / "_views").exists()


@pytest.mark.parametrize("arguments", [["--print", "oracle"], ["--print", "spark", "--to", "x"]])
def test_views_refuses_what_it_cannot_do(lake: Path, arguments: list[str]) -> None:
    done = _etl("views", lake, *arguments)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)


def test_views_of_a_relative_path_have_absolute_paths(lake: Path) -> None:
    done = _etl("views", lake.name, "--print", "duckdb", cwd=lake.parent)
    quoted = str(lake).replace("'", "''")
    assert f"read_parquet('{quoted}/classes/deal=*/distribution_date=*/*.parquet'" in done.stdout


def test_a_folder_that_cannot_be_looked_into_is_named(lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deal = next((lake / "classes").iterdir())
    monkeypatch.setattr("etl.partitions.os.access", lambda place, _mode: Path(place) != deal)
    with (
        pytest.raises(EtlError, match="cannot be listed: Permission denied; check its rights"),
        ask(lake, "FROM classes"),
    ):
        pass
    with ask(lake, "FROM pools") as answer:
        assert list(answer.rows)
