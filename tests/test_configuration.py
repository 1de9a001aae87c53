"""Settings from files and the environment, completion, and what is said on standard error."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer

import etl
from etl.cli import app
from etl.command_config import options_of
from etl.configuration import (
    Option,
    defaults,
    find_file,
    marked_own,
    settings,
    unknown_variables,
    variables,
)
from etl.errors import UsageError

from .conftest import REPOSITORY
from .processes import call_etl

INBOX = REPOSITORY / "samples" / "inbox"
OUT = Option(("run",), "out", "out")
STRICT = Option(("run",), "strict", "strict", is_flag=True)
DEALS = Option(("check",), "deal", "deals", is_list=True)
LAYOUTS, DRAFTS = Option(("run",), "layouts", "layouts"), Option(("layout", "test"), "layouts", "layouts")
OPTIONS = [OUT, STRICT, DEALS, LAYOUTS, DRAFTS]


def _file(folder: Path, text: str, name: str = "etl.toml") -> Path:
    (folder / name).write_text(text)
    return folder / name


def test_the_environment_comes_before_the_file_and_each_commands_own_before_that_for_all(tmp_path: Path) -> None:
    file = _file(tmp_path, 'layouts = "all"\n[run]\nout = "lake"\nstrict = true\n[layout.test]\nlayouts = "drafts"\n')
    assert defaults(settings(OPTIONS, file, {})) == {
        "run": {"layouts": "all", "out": "lake", "strict": True},
        "layout": {"test": {"layouts": "drafts"}},
    }
    given = {"ETL_LAYOUTS": "e", "ETL_RUN_OUT": "o", "ETL_RUN_STRICT": "off", "ETL_CHECK_DEAL": "home equity\nb"}
    assert defaults(settings(OPTIONS, file, given)) == {
        "run": {"layouts": "e", "out": "o", "strict": False},
        "layout": {"test": {"layouts": "e"}},
        "check": {"deals": ["home equity", "b"]},
    }
    origins = {one.option: one.origin for one in settings(OPTIONS, file, {"ETL_RUN_OUT": "o"})}
    assert origins == {
        OUT: "ETL_RUN_OUT",
        STRICT: f"{file}, [run]",
        LAYOUTS: str(file),
        DRAFTS: f"{file}, [layout.test]",
    }


def test_the_file_is_the_one_that_is_named_else_that_of_the_folder(tmp_path: Path) -> None:
    assert find_file(None, tmp_path) is None
    project = _file(tmp_path, "[project]\n", "pyproject.toml")
    assert find_file(None, tmp_path) is None
    project.write_text('[tool.etl.run]\nout = "lake"\n[tool.other]\nx = 1\n')
    assert find_file(None, tmp_path) == project
    (found,) = settings(OPTIONS, project, {})
    assert (found.value, found.origin) == ("lake", f"{project}, [tool.etl.run]")
    own = _file(tmp_path, "")
    assert find_file(None, tmp_path) == own
    assert find_file(str(project), tmp_path) == project
    with pytest.raises(UsageError, match="nowhere: there is no such file"):
        find_file("nowhere", tmp_path)


def test_a_setting_gives_way_to_what_excludes_it(tmp_path: Path) -> None:
    csv, as_json = Option(("show",), "csv", "as_csv", is_flag=True), Option(("show",), "json", "as_json", is_flag=True)
    file = _file(tmp_path, "[show]\njson = true\n")
    assert defaults(settings([csv, as_json], file, {}, ["csv"])) == {}
    assert defaults(settings([csv, as_json], file, {}, ["deal"])) == {"show": {"as_json": True}}


def test_an_option_that_means_something_else_elsewhere_is_set_below_its_command(tmp_path: Path) -> None:
    flag, folder = Option(("show",), "csv", "as_csv", is_flag=True), Option(("export",), "csv", "csv")
    drafts = Option(("layout", "new"), "out", "out")
    options = marked_own([OUT, flag, folder, drafts], [(drafts.command, "out")])
    with pytest.raises(UsageError, match=r"csv means something else from command to command; set it in \[show\]"):
        settings(options, _file(tmp_path, "csv = true\n"), {})
    file = _file(tmp_path, 'out = "lake"\n[show]\ncsv = true\n[export]\ncsv = "folder"\n')
    told = {"run": {"out": "lake"}, "show": {"as_csv": True}, "export": {"csv": "folder"}}
    assert defaults(settings(options, file, {"ETL_CSV": "x"})) == told
    assert defaults(settings(options, None, {"ETL_LAYOUT_NEW_OUT": "x"})) == {"layout": {"new": {"out": "x"}}}


def test_a_project_that_does_not_speak_of_us_is_not_our_matter(tmp_path: Path) -> None:
    project = _file(tmp_path, "[tool.other\n", "pyproject.toml")
    assert find_file(None, tmp_path) is None
    project.write_text("[tool.etl.run\n")
    with pytest.raises(UsageError, match=r"pyproject.toml: is no TOML"):
        find_file(None, tmp_path)
    assert find_file(os.devnull, tmp_path) is None


def test_nothing_shows_what_may_be_a_secret(tmp_path: Path) -> None:
    place = "s3://AK1A:SE/KRET@bucket/inbox?sig=SEKRET"
    _file(tmp_path, f'[run]\nout = "{place}"\nstrict = "{place}"\n')
    for arguments in (["config"], ["run", "x"], ["run", place, "--out", "lake"]):
        done = call_etl(*arguments, cwd=tmp_path, ETL_LOG="json")
        assert (done.returncode, "KRET" in done.stdout + done.stderr) == (2, False)
    _file(tmp_path, f'[run]\nout = "{place}"\n')
    for arguments in (["config"], ["config", "--json"], ["run", "x"], ["run", place, "--out", "lake"]):
        done = call_etl(*arguments, cwd=tmp_path, ETL_LOG="json")
        assert "KRET" not in done.stdout + done.stderr
    assert "s3://***@bucket/inbox?***" in call_etl("config", cwd=tmp_path).stdout


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("layuots = 'x'", "layuots is no option of any command; did you mean layouts or layout?"),
        ("[run]\ndeal = 'x'", "[run]: deal is no option of etl run"),
        ("[rnu]\nout = 'x'", "rnu is no option of any command; did you mean run?"),
        ("run = 'x'", "run is a command, so it is a table: [run]"),
        ("[run]\nstrict = 'yes'", "[run]: strict is 'yes'; write true or false"),
        ("[run]\nout = ['a', 'b']", "[run]: out has several values; --out takes one"),
        ("[run]\nout = true", "[run]: out is True; write a text or a number"),
        ("[run]\nout = {a = 1}", "write a text or a number"),
        ("[run", "is no TOML"),
        ("a = '\x00'", "is no TOML"),
        ("a = " + "[" * 5000, "is no TOML"),
        ("#" * (1 << 20) + "\n", "has more than 1,048,576 bytes"),
    ],
)
def test_a_wrong_file_is_told_with_its_place(tmp_path: Path, text: str, told: str) -> None:
    file = _file(tmp_path, text)
    with pytest.raises(UsageError) as error:
        settings(OPTIONS, file, {})
    assert str(error.value).startswith(str(file))
    assert told in str(error.value)
    assert "\n" not in str(error.value)


def test_a_wrong_variable_is_told() -> None:
    with pytest.raises(UsageError, match="ETL_RUN_STRICT is 'maybe'; write one of 1, true"):
        settings(OPTIONS, None, {"ETL_RUN_STRICT": "maybe"})
    assert unknown_variables(OPTIONS, {"ETL_RUN_OUT": "", "ETL_RNU_OUT": "", "ETL_CONFIG": "", "HOME": ""}) == [
        "ETL_RNU_OUT"
    ]


def test_every_option_has_a_variable_of_its_own() -> None:
    options = options_of(typer.main.get_command(app))
    own = [variables(option)[1] for option in options]
    assert len(set(own)) == len(own)
    assert not set(own) & {variables(option)[0] for option in options}
    assert {("run",), ("layout", "test"), ("sql",)} <= {option.command for option in options}
    assert not {"help", "version", "config", "log"} & {option.flag for option in options}


def test_a_run_takes_what_its_call_leaves_out(tmp_path: Path) -> None:
    _file(tmp_path, 'strict = true\n[run]\nout = "lake"\npartition-by = "deal"\n')
    done = call_etl("run", str(INBOX), "--json", cwd=tmp_path)
    assert done.returncode == 1  # strict: the inbox has a letter
    assert (json.loads(done.stdout)["output"], json.loads(done.stdout)["partition_by"]) == ("lake", "deal")
    assert call_etl("run", str(INBOX), "--json", cwd=tmp_path, ETL_STRICT="0").returncode == 0
    assert (
        call_etl("run", str(INBOX), "--out", "other", cwd=tmp_path, ETL_RUN_OUT="third", ETL_STRICT="0").returncode == 0
    )
    assert {path.name for path in tmp_path.iterdir()} == {"etl.toml", "lake", "other"}


def test_config_shows_what_holds_and_where_it_comes_from(tmp_path: Path) -> None:
    assert call_etl("config", cwd=tmp_path).stdout.startswith("file: none")
    _file(tmp_path, '[run]\nout = "la\x7fke"\n'.replace("\x7f", "\\u001b"))
    shown = call_etl("config", cwd=tmp_path, ETL_RUN_FORCE="1", ETL_RUN_OUTT="x").stdout
    assert shown.splitlines() == [
        "file: etl.toml",
        "etl run --out la ke  (etl.toml, [run])",
        "etl run --force true  (ETL_RUN_FORCE)",
        "ignored, no option is called so: ETL_RUN_OUTT",
    ]
    told = json.loads(call_etl("config", "--json", cwd=tmp_path).stdout)
    assert told["settings"] == [{"command": "run", "option": "out", "value": "la\x1bke", "from": "etl.toml, [run]"}]


def test_a_value_that_an_option_cannot_take_is_told_with_its_origin(tmp_path: Path) -> None:
    _file(tmp_path, '[run]\nworkers = "many"\n')
    for arguments, origin in (([], "etl.toml, [run]: "), (["--workers", "few"], "")):
        done = call_etl("run", "x", "--out", "y", *arguments, cwd=tmp_path)
        assert done.returncode == 2
        assert done.stderr.startswith(f"etl: {origin}Invalid value for '--workers'")
        assert done.stderr.endswith("see etl run --help\n")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["rnu"], "No such command 'rnu'. Did you mean 'run'?; see etl --help"),
        (["run"], "Missing argument 'INBOX...'; see etl run --help"),
        (["run", "x"], "Missing option '--out' / '-o'; see etl run --help"),
        (["run", "x", "--out", "y", "--wrokers", "1"], "No such option: --wrokers"),
        (["layout", "tset"], "see etl layout --help"),
    ],
)
def test_a_wrong_call_is_one_line(tmp_path: Path, arguments: list[str], told: str) -> None:
    done = call_etl(*arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
    assert told in done.stderr
    (failed, ended) = map(json.loads, call_etl("--log", "json", *arguments, cwd=tmp_path).stderr.splitlines())
    assert (failed["event"], failed["level"], failed["exit_code"]) == ("failed", "error", 2)
    assert told in failed["message"]
    assert (ended["event"], ended["exit_code"]) == ("ended", 2)


def test_an_interruption_while_the_program_is_loaded_is_no_traceback(tmp_path: Path) -> None:
    code = """
import sys
from importlib.abc import MetaPathFinder
class Interrupted(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "polars":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Interrupted())
from etl.command import main
main()
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "etl: interrupted\n")


def test_a_closed_output_is_no_defect(lake: Path) -> None:
    etl_command = Path(sys.executable).with_name("etl")
    for closed in (">&-", "2>&-", ">&- 2>&-"):
        done = subprocess.run(["sh", "-c", f"{etl_command} show '{lake}' {closed}"], capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
        assert b"defect" not in done.stdout + done.stderr


def test_a_call_without_words_says_how_the_program_is_used(tmp_path: Path) -> None:
    done = call_etl(cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("Usage: etl ")


def test_json_lines_tell_what_a_run_does(tmp_path: Path) -> None:
    shutil.copytree(INBOX, tmp_path / "inbox")
    report = tmp_path / "inbox" / "absc-2003-he2_2003-11-17.txt"
    report.write_text(report.read_text().replace("345,199,023", "345,199,123"))
    done = call_etl("--log", "json", "run", "inbox", "--out", "lake", "--json", cwd=tmp_path)
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    summary = json.loads(done.stdout)
    assert all(re.fullmatch(r"20\d\d-\d\d-\d\dT[\d:.]{12}\+00:00", line["time"]) for line in lines)
    events = [line["event"] for line in lines]
    assert events[0] == "run_started"
    assert events[-2:] == ["run_ended", "ended"]
    assert "progress" in events
    (rejected,) = [line for line in lines if line["event"] == "document_rejected"]
    assert (rejected["level"], rejected["reason_code"]) == ("warning", "not_a_report")
    assert events.count("check_failed") == len(summary["failed_checks"]) > 0
    (ended,) = [line for line in lines if line["event"] == "run_ended"]
    assert {name: ended[name] for name in ("documents", "rows", "numbers_claimed")} == {
        name: summary[name] for name in ("documents", "rows", "numbers_claimed")
    }
    plain = call_etl("run", "inbox", "--out", "lake2", cwd=tmp_path)
    assert plain.stderr == ""


def test_every_line_is_json_whatever_goes_wrong(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for arguments in (["run", "x", "--out", "file"], ["show", "file"], ["run", "no\x1bwhere", "--out", "lake"]):
        done = call_etl(*arguments, cwd=tmp_path, ETL_LOG="json")
        assert done.returncode == 2
        assert [json.loads(line)["event"] for line in done.stderr.splitlines()][-2:] == ["failed", "ended"]
    assert call_etl("schema", cwd=tmp_path, ETL_LOG="xml").returncode == 2


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("lake") / "output"
    etl.run([INBOX], output)
    return output


def _completed(*words: str) -> list[str]:
    """What bash is told when the last of the words is to be completed."""
    program = [sys.executable, "-c", "import sys; sys.argv[0] = 'etl'; from etl.cli import main; main()"]
    asked = {"_ETL_COMPLETE": "complete_bash", "COMP_WORDS": " ".join(("etl", *words)), "COMP_CWORD": str(len(words))}
    done = subprocess.run(program, env={**os.environ, **asked}, capture_output=True, text=True, check=True)
    assert not done.stderr
    return done.stdout.split()


def test_a_shell_completes_commands_deals_dates_and_names(lake: Path) -> None:
    assert _completed("sho") == ["show"]
    assert _completed("show", str(lake), "asset") == [
        "asset-backed-securities-corporation-home-equity-loan-trust-series-2003-he2"
    ]
    assert _completed("show", str(lake), "2003-h") == ["2003-he2"]
    assert _completed("explain", str(lake), "2003-he2", "2003-1") == ["2003-11-17", "2003-12-15"]
    assert "oc_amount" in _completed("explain", str(lake), "2003-he2", "latest", "oc_a")
    assert _completed("schema", "cl") == ["classes"]
    assert _completed("show", "/nowhere", "x") == []
    assert _completed("run", "x", "--engine", "s") == ["spark"]
