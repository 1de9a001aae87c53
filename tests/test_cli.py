"""The command as a person or a script meets it: a process of its own, whose output goes to no terminal."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from etl import __version__
from etl.schema import LISTS, TABLES

from .kit import absc_2003_he2, make_deal, render, simulate
from .processes import call_etl
from .unknown_reports import unknown_report

LETTER = "Dear Sirs, the statement follows."


@pytest.fixture(scope="module")
def inbox(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("given") / "inbox"
    folder.mkdir()
    (folder / "a.txt").write_text(render(absc_2003_he2.report()))
    (folder / "b.txt").write_text(render(simulate(make_deal(3), 1)[0]))
    (folder / "letter.txt").write_text(LETTER)
    (folder / "empty.txt").write_text("")
    return folder


def test_a_run_says_what_it_did(inbox: Path, tmp_path: Path) -> None:
    done = call_etl("run", inbox, "--out", tmp_path / "output")
    assert (done.returncode, done.stderr) == (0, "")
    assert "4 documents" in done.stdout
    assert "2 reports read, 2 rejected" in done.stdout
    assert all(table in done.stdout for table in TABLES)
    rejected = [line for line in done.stdout.splitlines() if line.startswith("rejected ")]
    assert len(rejected) == 2
    assert rejected[1].startswith(f"rejected {inbox}/letter.txt: not_a_report: ")
    assert rejected[1].endswith("its family needs a layout")
    assert (tmp_path / "output" / "classes").is_dir()


def test_the_summary_as_json_is_all_that_is_printed(inbox: Path, tmp_path: Path) -> None:
    done = call_etl("run", inbox, "--out", tmp_path / "output", "--json")
    summary = json.loads(done.stdout)
    assert (done.returncode, done.stderr) == (0, "")
    assert (summary["documents"], summary["reports_read"], summary["rejected"]) == (4, 2, 2)
    assert summary["numbers_claimed"] == summary["numbers_found"] > 0
    assert summary["rows"]["reports"] == 2
    assert {reject["reason_code"] for reject in summary["rejects"]} == {"not_a_report", "empty"}
    assert all(reject["hint"] and reject["message"] and reject["source"] for reject in summary["rejects"])


@pytest.mark.parametrize(("name", "code"), [("", 1), ("a.txt", 0), ("letter.txt", 1)])
@pytest.mark.parametrize("as_json", [True, False])
def test_strict_tells_by_its_exit_code(inbox: Path, tmp_path: Path, name: str, code: int, as_json: bool) -> None:  # noqa: FBT001
    done = call_etl("run", inbox / name, "--out", tmp_path / "output", "--strict", *["--json"] * as_json)
    assert done.returncode == code
    assert done.stdout


def test_a_report_read_without_a_layout_fails_a_strict_run(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(unknown_report(0).text)
    call = ("run", tmp_path / "a.txt", "--out", tmp_path / "output", "--json")
    summary = json.loads(call_etl(*call).stdout)
    assert (summary["reports_read"], summary["rejected"], summary["conflicts"]) == (1, 0, [])
    assert summary["numbers_unclaimed"] > 0
    done = call_etl(*call, "--strict")  # also where it is skipped
    assert (done.returncode, json.loads(done.stdout)["skipped"]) == (1, 1)


def test_an_empty_inbox_is_said(tmp_path: Path) -> None:
    (tmp_path / "inbox").mkdir()
    done = call_etl("run", tmp_path / "inbox", "--out", tmp_path / "output", "--strict")
    assert (done.returncode, done.stderr) == (0, "")
    assert "the inbox is empty" in done.stdout
    assert json.loads(call_etl("run", tmp_path / "inbox", "-o", tmp_path / "output", "--json").stdout)["documents"] == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "nosuch", "--out", "output"], "nosuch"),
        (["run", "nosuch/*.txt", "--out", "output"], "nosuch/*.txt"),
        (["run", "--out", "output"], "INBOX"),
        (["run", "inbox"], "--out"),
        (["run", "inbox", "--out", "file"], "file"),
        (["run", "inbox", "--out", "output", "--jsn"], "--jsn"),
        (["schema", "nosuch"], "nosuch"),
        (["schema", "../classes"], "classes"),
        (["schema", "classes", "--jsn"], "--jsn"),
        (["rum"], "rum"),
        (["--nosuch"], "--nosuch"),
    ],
)
def test_a_wrong_call_is_told_in_a_line(tmp_path: Path, arguments: list[str], said: str) -> None:
    (tmp_path / "inbox").mkdir()
    (tmp_path / "file").write_text("a file")
    done = call_etl(*arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    last = done.stderr.splitlines()[-1]
    assert said in last
    assert last.startswith(("etl: ", "Error: "))
    assert (tmp_path / "file").read_text() == "a file"
    assert not (tmp_path / "output").exists()


def test_an_output_that_cannot_be_written_is_told_in_a_line(inbox: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a file")
    done = call_etl("run", inbox, "--out", tmp_path / "file" / "output")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("etl: ")
    assert "cannot be written" in done.stderr
    assert done.stderr.count("\n") == 1


def test_names_of_files_do_not_steer_the_terminal(tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    (inbox / "a\x1b[31m\n.txt").write_text(LETTER)
    text = render(absc_2003_he2.report())
    (inbox / "b\x1b[31m.txt").write_text(text)
    (inbox / "c\x1b[31m.txt").write_text(text.replace("278,036", "278,037"))
    done = call_etl("run", inbox, "--out", tmp_path / "output")
    assert "conflict: " in done.stdout
    assert "\x1b" not in done.stdout
    assert len([line for line in done.stdout.splitlines() if "not_a_report" in line]) == 1


@pytest.mark.parametrize("name", ["[bold]x.txt", "a:x:b.txt", "[link=x]y.txt", "a b.txt", "é報.txt"])
def test_names_of_files_are_printed_as_they_are(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(LETTER)
    assert f"rejected {name}: not_a_report: " in call_etl("run", "*.txt", "--out", "output", cwd=tmp_path).stdout


def test_a_terminal_that_knows_few_characters_is_enough(tmp_path: Path) -> None:
    (tmp_path / "é報.txt").write_text(LETTER)
    for more in ([], ["--json"]):
        program = [sys.executable, "-c", "from etl.cli import main; main()", "run", "*.txt", "--out", "output", *more]
        environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
        done = subprocess.run(program, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")


def test_the_list_of_rejects_is_cut_and_says_so(tmp_path: Path) -> None:
    for number in range(23):
        (tmp_path / f"{number}.txt").write_text(f"{LETTER} {number}")
    done = call_etl("run", tmp_path, "--out", tmp_path / "output")
    assert done.stdout.count("not_a_report") == 20
    assert f"... and 3 more, in {tmp_path}/output/_rejects" in done.stdout


# --- explain ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def output(inbox: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("explained") / "output"
    assert call_etl("run", inbox, "--out", folder).returncode == 0
    return folder


@pytest.mark.parametrize(
    ("words", "printed"),
    [
        ("2003-he2 2003-11 A-1 ending_balance", "328,979,574"),
        ("2003-HE2 2003-11-17 classes A-1 ending_balance", "328,979,574"),
        ("2003-he2 latest GROUP 1 prepayments", "15,224,950"),
        ("2003-he2 2003 delinquencies GROUP 2 30-59 balance", "6197784.4"),
        ("2003-he2 2003 TOTAL foreclosure loan_count", "94"),
        ("2003-he2 2003 oc_amount", "14,344,337"),
        ("2003-he2 2003 trigger_event", "NO"),
        ("2003-he2 2003 reports trustee", "US Bank, NA"),
        ("2003-he2 2003 trustee", "US Bank, NA"),
    ],
)
def test_a_value_is_explained(output: Path, words: str, printed: str) -> None:
    done = call_etl("explain", output, *words.split())
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    (carets,) = [number for number, line in enumerate(lines) if set(line) == {" ", "|", "^"}]
    start, end = lines[carets].index("^"), len(lines[carets])
    assert lines[carets - 1][start:end] == printed
    assert all(len(line) <= 80 for line in lines if "|" in line)


def test_a_whole_deals_name_is_one_argument(output: Path) -> None:
    name = "Asset Backed Securities Corporation, Home Equity Loan Trust, Series 2003-HE2"
    done = call_etl("explain", output, name, "2003", "GROUP 1", "prepayments", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    said = json.loads(done.stdout)
    assert said["key"] == {"group_id": "GROUP 1"}
    assert said["reports"][0]["value"] == "15224950.00"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nosuch", "2003-he2", "2003", "trustee"], "nosuch: there is no such folder"),
        ([".", "2003-he2", "2003", "trustee"], "holds no tables"),
        (["output", "2003-xx", "2003", "trustee"], "no deal fits '2003-xx'; there are "),
        (["output", "series", "2003", "trustee"], "2 deals fit 'series'"),
        (["output", "2003-he2", "2009", "trustee"], "has no report of '2009'; it has 2003-11-17"),
        (["output", "2003-he2", "soon", "trustee"], "'soon' is no date"),
        (["output", "2003-he2", "2003", "TOTAL", "ending_balance"], "fits 2 values"),
        (["output", "2003-he2", "2003", "nosuch"], "no table has a column"),
        (["output", "../..", "2003", "trustee"], "no deal fits '../..'"),
        (["output", "2003-he2", "2003", "x\x1b[31m", "cusip"], "no row fits"),
        (["output", "2003-he2", "2003"], "COLUMN"),
    ],
)
def test_an_explanation_that_cannot_be_given_is_told_in_a_line(output: Path, arguments: list[str], said: str) -> None:
    done = call_etl("explain", *arguments, cwd=output.parent)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr.splitlines()[-1]
    assert "\x1b" not in done.stderr


def test_a_damaged_file_is_told_in_a_line(inbox: Path, tmp_path: Path) -> None:
    call_etl("run", inbox / "a.txt", "--out", tmp_path / "output")
    (file,) = (tmp_path / "output" / "classes").rglob("*.parquet")
    file.write_bytes(b"PAR1")
    done = call_etl("explain", tmp_path / "output", "2003-he2", "2003", "classes", "A-1", "cusip")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"etl: {file}: cannot be read: ")
    assert done.stderr.endswith("; delete it and run `etl run --force` over its reports\n")


def test_sources_are_left_out_when_asked(inbox: Path, tmp_path: Path) -> None:
    done = call_etl("run", inbox, "--out", tmp_path / "output", "--no-sources")
    assert (done.returncode, done.stderr) == (0, "")
    assert not (tmp_path / "output" / "_sources").exists()
    done = call_etl("explain", tmp_path / "output", "2003-he2", "2003", "oc_amount")
    assert "the source was not kept; shown from its path" in done.stdout


# --- schema -------------------------------------------------------------------------------------------------


def test_the_tables_are_listed() -> None:
    done = call_etl("schema")
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split()[0] for line in done.stdout.splitlines() if line[:1].strip()] == ["table", *TABLES, *LISTS]


def test_a_table_is_shown_with_its_columns() -> None:
    done = call_etl("schema", "classes")
    assert (done.returncode, done.stderr) == (0, "")
    assert "pass_through_rate" in done.stdout
    assert "decimal128(14, 10)" in done.stdout
    assert "deal, distribution_date" in done.stdout.replace("\n", " ").replace("  ", " ")


def test_canonical_names_are_shown() -> None:
    assert "credit_enhancement" in call_etl("schema", "measures").stdout
    assert "step_down_date" in call_etl("schema", "triggers").stdout


def test_the_schema_as_json() -> None:
    tables = json.loads(call_etl("schema", "--json").stdout)
    assert [table["name"] for table in tables] == [*TABLES, *LISTS]
    classes = json.loads(call_etl("schema", "classes", "--json").stdout)
    assert classes == tables[1]
    column = next(column for column in classes["columns"] if column["name"] == "pass_through_rate")
    assert (column["type"], column["nullable"], column["unit"]) == ("decimal128(14, 10)", True, "fraction")
    assert column["description"]


def test_the_version() -> None:
    done = call_etl("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"trustee-etl {__version__}\n", "")


def test_help_is_given_for_nothing() -> None:
    done = call_etl()
    assert "run" in done.stdout + done.stderr
    assert "explain" in done.stdout + done.stderr
    assert "schema" in done.stdout + done.stderr


def test_a_reader_that_goes_away_is_no_error() -> None:
    """Like `etl schema --json | head -1`."""
    code = "from etl.cli import main; main()"
    with subprocess.Popen(
        [sys.executable, "-c", code, "schema", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        assert process.stderr.read() == b""


def test_the_command_is_installed() -> None:
    command = Path(sys.executable).parent / "etl"
    if not command.exists():
        pytest.skip("the package is not installed in this environment: no command etl beside python")
    done = subprocess.run([command, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"trustee-etl {__version__}\n"
