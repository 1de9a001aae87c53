"""`etl layout`: which layouts there are, what they read in a report, whether their samples hold, a new one."""

from __future__ import annotations

import io
import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import astuple, dataclass
from pathlib import Path

import pytest

import etl
from etl import Layout, UsageError, known_layouts, load_layouts
from etl.cli import main
from etl.documents import Document, document_from_bytes
from etl.layout import PACKAGED, find_named
from etl.samples import accept, check_samples
from etl.why import Why, named_document, why

from .conftest import REPOSITORY
from .reading import read_texts
from .unknown_reports import unknown_report

EXAMPLE = REPOSITORY / "examples" / "layouts" / "wells_fargo_text"
NAME = "wells-fargo-text"
REPORT = (EXAMPLE / "sample.txt").read_text()


@dataclass(frozen=True)
class Done:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str


Command = Callable[..., Done]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """The command, called as from a shell, within this process."""

    def call(*arguments: str | Path) -> Done:
        monkeypatch.setattr(sys, "argv", ["etl", *map(str, arguments)])
        code = 0
        try:
            main()
        except SystemExit as ended:
            code = int(ended.code or 0)
        printed = capsys.readouterr()
        return Done(code, printed.out, printed.err)

    monkeypatch.setenv("COLUMNS", "80")
    return call


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A user's folder with a copy of the example's layout."""
    shutil.copytree(EXAMPLE, tmp_path / "mine" / "wells")
    return tmp_path / "mine"


def _written(folder: Path, text: str | bytes, name: str = "report.txt") -> Path:
    file = folder / name
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


def _change(folder: Path, old: str, new: str) -> None:
    file = folder / "wells" / "layout.toml"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


def _why(text: str, layouts: tuple[Layout, ...], name: str | None = None) -> Why:
    document = document_from_bytes(text.encode(), "a")
    assert isinstance(document, Document)
    return why(document, layouts, name)


# --- list ---------------------------------------------------------------------------------------------------


def test_the_layouts_are_listed(command: Command, mine: Path) -> None:
    done = command("layout", "list", "--layouts", mine)
    assert (done.code, done.err) == (0, "")
    names = [line.split()[0] for line in done.out.splitlines() if line[:1].strip()]
    assert names == ["layout", *(layout.name for layout in load_layouts()), NAME]
    listed = json.loads(command("layout", "list", "--layouts", mine, "--json").out)
    assert listed[-1] == {
        "name": NAME,
        "version": 1,
        "title": "Wells Fargo and Norwest, text statement to certificateholders (1998-2007)",
        "folder": str(mine / "wells"),
        "samples": 1,
    }
    assert len(json.loads(command("layout", "list", "--json").out)) == len(listed) - 1


@pytest.mark.parametrize(
    "arguments",
    [("layout", "list"), ("layout", "test"), ("layout", "why", "report.txt"), ("run", "inbox", "-o", "out")],
)
def test_a_wrong_layout_of_a_user_is_told_before_anything_is_read(
    command: Command, mine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    _change(mine, "{pass_through_rate}", "{pass_trough_rate}")
    text = (mine / "wells" / "layout.toml").read_text()
    line = text[: text.index("{pass_trough_rate}")].count("\n") + 1
    done = command(*arguments, "--layouts", mine)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"etl: {mine}/wells/layout.toml, line {line}: block class_table.row: ")
    assert done.err.count("\n") == 1
    assert not (tmp_path / "out").exists()


# --- why ----------------------------------------------------------------------------------------------------


def test_every_line_is_there_with_what_read_it(mine: Path) -> None:
    found = _why(REPORT, known_layouts(mine))
    assert (found.layout, found.by_run, found.refusals) == (f"{NAME}@1", True, ())
    assert [line.text for line in found.lines] == REPORT.splitlines()
    assert [line.number for line in found.lines] == list(range(1, len(found.lines) + 1))
    assert all(line.text[cell.start : cell.end] == cell.raw for line in found.lines for cell in line.cells)
    row = next(line for line in found.lines if "99000XAA7" in line.text)
    assert [(cell.block, cell.field) for cell in row.cells][:2] == [
        ("class_table", "class_id"),
        ("class_table", "cusip"),
    ]
    assert [line.head_of for line in found.lines if line.head_of] == ["class_table"] * 3 + ["class_table_continued"] * 3
    assert found.numbers_found == found.numbers_claimed == 156
    assert [(block.name, len(block.heads), len(block.rows)) for block in found.blocks] == [
        ("class_table", 1, 12),
        ("class_table_continued", 1, 12),
        ("collateral", 0, 6),
    ]


def test_a_number_that_nothing_claims_stands_out(command: Command, mine: Path, tmp_path: Path) -> None:
    report = _written(tmp_path, REPORT.replace("All distributions", "All 17 distributions"))
    done = command("layout", "why", report, "--layouts", mine)
    assert (done.code, done.err) == (0, "")
    assert "\x1b" not in done.out
    lines = done.out.splitlines()
    (at,) = [number for number, line in enumerate(lines) if "All 17 distributions" in line]
    gutter, _, text = lines[at].partition("| ")
    assert gutter.split() == ["68", "!"]
    assert lines[at + 1].partition("| ")[2] == " " * text.index("17") + "??"
    assert "157 found, 156 claimed, 1 unclaimed: 17 (line 68)" in done.out
    assert [line for line in lines if "!|" in line] == [lines[at]]


def test_a_head_that_is_misprinted_is_shown_with_what_it_lacks(command: Command, mine: Path, tmp_path: Path) -> None:
    report = _written(tmp_path, REPORT.replace("Class                 Loss", "Class                 Lose"))
    found = _why(report.read_text(), known_layouts(mine))
    assert {refusal.reason_code for refusal in found.refusals} >= {"missing_block"}
    block = next(block for block in found.blocks if block.name == "class_table_continued")
    assert block.nearest is not None
    assert (block.nearest.missing, block.nearest.other) == (("Loss",), ("Lose",))
    assert block.nearest.lines == (51, 52, 53)
    assert block.nearest.found == block.nearest.wanted - 1
    out = " ".join(command("layout", "why", report, "--layouts", mine).out.split())
    assert "not found (required); nearest is lines 51-53, with 11 of 12 words of its head; missing: 'Loss'" in out
    assert "rejected missing_block: " in out
    assert "class_table: head in lines 27-29; 12 lines read" in out


def test_heads_whose_words_stand_in_another_order_are_told(mine: Path) -> None:
    found = _why(
        REPORT.replace("Balance         Distribution        Losses", "Losses  Distribution  Balance"),
        known_layouts(mine),
    )
    block = next(block for block in found.blocks if block.name == "class_table_continued")
    assert block.nearest is not None
    assert (block.nearest.missing, block.nearest.other) == ((), ())


def test_a_line_that_is_no_row_is_told_with_the_place_where_it_ceases_to_be_one(mine: Path) -> None:
    found = _why(
        REPORT.replace("80499", "").replace("6.75000%       25,000,000.00", "6.75000        25,000,000.00"),
        known_layouts(mine),
    )
    (misfit,) = found.blocks[0].misfits
    assert (misfit.fits, misfit.next_field) == (("class_id", "cusip"), "pass_through_rate")
    assert misfit.rest.startswith("SEQ 6.75000 25,000,000.00")


def test_a_report_without_some_marks_is_shown_as_its_layout_would_read_it(mine: Path) -> None:
    found = _why(REPORT.replace("Certificateholder", "Holder"), known_layouts(mine))
    assert (found.layout, found.by_run) == (f"{NAME}@1", False)
    assert [refusal.reason_code for refusal in found.refusals] == ["missing_field"]
    marks = next(marks for marks in found.marks if marks.layout == NAME)
    assert (len(marks.found), marks.missing) == (1, ("Certificateholder Distribution Summary",))
    assert found.numbers_claimed == 156
    assert found.outcomes["pass"] > 50


def test_a_text_that_no_layout_knows_is_shown_all_the_same(command: Command, mine: Path, tmp_path: Path) -> None:
    letter = _written(tmp_path, "Dear Sirs,\n\nwe owe you 12.50 dollars.\n", "letter.txt")
    done = command("layout", "why", letter, "--layouts", mine)
    assert "     3  !| we owe you 12.50 dollars.\n         |            ?????\n" in done.out
    assert "rejected   not_a_report: " in done.out
    forced = _why(letter.read_text(), known_layouts(mine), NAME)
    assert forced.layout == f"{NAME}@1"
    assert {refusal.reason_code for refusal in forced.refusals} >= {"not_a_report", "missing_block"}


def test_a_report_that_no_layout_knows_is_shown_as_it_is_read_without_one(command: Command, tmp_path: Path) -> None:
    report = _written(tmp_path, unknown_report(0).text)
    done = command("layout", "why", report)
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    (at,) = [number for number, line in enumerate(lines) if line.split()[:1] == ["13"]]
    assert lines[at + 2].partition("= ")[2] == (
        "class_id ('Class'), cusip ('CUSIP'), beginning_balance ('Beginning Certificate Balance'), "
        "interest_distribution ('Interest Distribution'), principal_distribution ('Principal Distribution')"
    )
    assert set(lines[at + 1].partition("| ")[2]) == {"-", " "}
    (left,) = [number for number, line in enumerate(lines) if "| Weighted Average Coupon" in line]
    assert lines[left + 1].split()[-1] == "?" * len("8.123456%")
    assert lines[left + 2].split("? ")[1] == "Weighted Average Coupon"
    said = " ".join(done.out.split())
    assert "layout none knows it; its class table is read as etl run reads it, by its heads and its own" in said
    assert "4 unclaimed: 30 (line 4: Record Date: November)" in said
    assert "class_table_1: head in lines 9-11; 10 lines read, lines 13-23" in said
    assert "other_table" not in said
    assert lines[-1] == "rejected   no"


def test_what_is_shown_of_it_is_what_a_run_reads(layouts: tuple[Layout, ...]) -> None:
    for seed in (0, 2, 3):
        text = unknown_report(seed).text
        found = _why(text, layouts)
        assert (found.layout, found.by_run, found.refusals) == ("generic", True, ())
        records = read_texts({"a": text}, layouts)["a"].tables["records"]
        columns = ("line", "column_start", "column_end", "raw", "block", "field", "status", "row_label", "column_label")
        shown = [(line.number, *astuple(cell)) for line in found.lines for cell in line.cells]
        assert shown == records.sort("line", "column_start").select(columns).rows()
        assert found.numbers_claimed < found.numbers_found
        assert [block.name for block in found.blocks] == [f"class_table_{at + 1}" for at in range(len(found.blocks))]


def test_a_report_that_is_not_proved_is_shown_with_the_reason_and_its_labels(command: Command, tmp_path: Path) -> None:
    report = _written(tmp_path, unknown_report(0).text.replace("Ending", "Odd"))
    done = command("layout", "why", report)
    said = " ".join(done.out.split())
    assert "without a layout it is not read: no known head says which column is ending_balance" in said
    assert said.index("rejected no_layout: ") < said.index("numbers 112 found, 0 claimed, 112 unclaimed: ")
    assert "? A-1 / Class, CUSIP, Beginning Certificate Balance, Interest Distribution" in said
    assert "14,668,500.00 (line 13: A-1 / Beginning Certificate Balance)" in said
    assert "? Beginning Loan Count" in said
    found = json.loads(command("layout", "why", report, "--json").out)
    cells = [cell for line in found["lines"] for cell in line["cells"]]
    assert cells[-1]["row_label"] == "Beginning Loan Count"
    assert {cell["column_label"] for cell in cells} >= {"Class", "Odd Certificate Balance", None}
    assert {cell["block"] for cell in cells} == {None}


def test_labels_are_shown_only_where_no_layout_says_more(command: Command, mine: Path, tmp_path: Path) -> None:
    report = _written(tmp_path, REPORT.replace("All distributions", "All 17 distributions"))
    out = command("layout", "why", report, "--layouts", mine).out
    assert "says where it stands" not in out
    assert "1 unclaimed: 17 (line 68)" in out
    assert "('" not in out.partition("\nlayout ")[0]


def test_all_of_it_as_json(command: Command, mine: Path) -> None:
    done = command("layout", "why", mine / "wells" / "sample.txt", "--layouts", mine, "--json")
    found = json.loads(done.out)
    assert (found["layout"], found["numbers_claimed"]) == (f"{NAME}@1", 156)
    assert len(found["lines"]) == REPORT.count("\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nosuch.txt",), "nosuch.txt: there is no such file"),
        (("",), "an empty name"),
        ((".",), ".: is a folder; name a file"),
        (("report.txt", "--layout", "us-bank-txt"), "did you mean 'us-bank-text'?"),
        (("report.txt", "--layouts", "nosuch"), "nosuch is no folder"),
        (("report.txt#2/3",), "report.txt#2/3: there is no such document in report.txt"),
    ],
)
def test_a_wrong_call_is_told_in_a_line(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    _written(tmp_path, REPORT)
    done = command("layout", "why", *arguments)
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert done.err.count("\n") == 1


def test_what_is_no_text_is_told_with_its_reason(command: Command, tmp_path: Path) -> None:
    done = command("layout", "why", _written(tmp_path, b"%PDF-1.4 ..."))
    assert (done.code, done.out) == (1, "")
    assert "binary" in done.err


def test_one_report_of_several_is_named(mine: Path, tmp_path: Path) -> None:
    _change(mine, "version = 1\n", "version = 1\nreport_begins = 'Saltmarsh Residential'\n")
    file = _written(tmp_path, REPORT + REPORT.replace("2001-2", "2001-3"), "two.txt")
    layouts = known_layouts(mine)
    with pytest.raises(UsageError, match=r"2 documents stand there; name one: .*two\.txt#1/1, .*two\.txt#1/2$"):
        named_document(str(file), layouts)
    second = named_document(f"{file}#1/2", layouts)
    assert isinstance(second, Document)
    assert "2001-3" in second.text
    found = why(second, layouts)
    assert found.lines[0].number == REPORT.count("\n") + 1
    assert (found.source, found.numbers_claimed) == (f"{file}#1/2", 156)
    with pytest.raises(UsageError, match="name one"):
        named_document(f"{file}#1", layouts)


def test_colours_are_for_terminals(
    mine: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    for variables, coloured in (({"TERM": "xterm-256color"}, True), ({"TERM": "xterm", "NO_COLOR": "1"}, False)):
        with monkeypatch.context() as context:
            context.delenv("NO_COLOR", raising=False)
            for name, value in variables.items():
                context.setenv(name, value)
            shown = Terminal()
            context.setattr(sys, "stdout", shown)
            context.setattr(
                sys, "argv", ["etl", "layout", "why", str(mine / "wells" / "sample.txt"), "--layouts", str(mine)]
            )
            with pytest.raises(SystemExit):
                main()
            assert ("\x1b[3" in shown.getvalue()) is coloured
    capsys.readouterr()


# --- test ---------------------------------------------------------------------------------------------------


def _check(folder: Path) -> tuple[tuple[str, ...], tuple[object, ...]]:
    known = known_layouts(folder)
    (sample,) = check_samples(find_named(NAME, known), known).samples
    return sample.problems, sample.differences


def test_samples_that_read_as_expected_are_said(command: Command, mine: Path) -> None:
    done = command("layout", "test", "--layouts", mine)
    assert (done.code, done.err) == (0, "")
    tested = [line.partition(":")[0] for line in done.out.splitlines()]
    assert tested == [*(layout.label for layout in load_layouts()), f"{NAME}@1"]
    assert command("layout", "test", NAME, "--layouts", mine).out == done.out.splitlines()[-1] + "\n"


def test_a_value_that_is_read_otherwise_is_told(command: Command, mine: Path) -> None:
    _change(mine, "{realized_loss} {ending_balance} {total", "{ending_balance} {realized_loss} {total")
    done = command("layout", "test", NAME, "--layouts", mine)
    assert done.code == 1
    assert "classes A-1 realized_loss: expected 0, read 59721707.68" in done.out
    assert "classes A-1 ending_balance: expected 59721707.68, read 0" in done.out
    assert "a check fails: class_totals: ending_balance: " in done.out
    assert "more differences" in done.out


def test_rows_that_are_missing_or_new_are_told(command: Command, mine: Path) -> None:
    file = mine / "wells" / "expected" / "measures.csv"
    file.write_text(file.read_text().replace("servicing_fee", "oc_amount"))
    (mine / "wells" / "expected" / "reports.csv").unlink()
    done = command("layout", "test", NAME, "--layouts", mine)
    assert done.code == 1
    assert "measures TOTAL oc_amount: is expected, and was not read" in done.out
    assert "measures TOTAL servicing_fee: was read, and is not expected" in done.out
    assert "reports has 1 rows, and there is no expected reports.csv" in done.out


def test_a_check_that_fails_must_be_expected_to(mine: Path) -> None:
    assert _check(mine) == ((), ())
    file = mine / "wells" / "expected" / "checks.csv"
    file.write_text("\n".join(line for line in file.read_text().splitlines() if ",fail," not in line) + "\n")
    problems, differences = _check(mine)
    assert [problem.partition(": ")[2][:22] for problem in problems] == [
        "cusip_check_digit: B-3",
        "cusip_check_digit: B-4",
        "cusip_check_digit: B-5",
    ]
    assert len(differences) == 3


def test_a_number_that_nothing_claims_is_a_problem_and_cannot_be_accepted(command: Command, mine: Path) -> None:
    _change(mine, '"Gross Servicing Fee" = "servicing_fee"\n', "")
    expected = mine / "wells" / "expected" / "measures.csv"
    before = expected.read_bytes()
    done = command("layout", "test", NAME, "--layouts", mine, "--accept")
    assert done.code == 2
    assert "numbers that nothing claims: 23,538.19 (line 84)" in done.out
    assert "1 number is unclaimed" in done.err
    assert expected.read_bytes() == before
    done = command("layout", "test", NAME, "--layouts", mine, "--accept", "--force")
    assert (done.code, done.err) == (0, "")
    assert f"written: {expected}" in done.out
    assert b"servicing_fee" not in expected.read_bytes()


def test_what_is_accepted_is_expected_from_then_on(command: Command, mine: Path) -> None:
    shutil.rmtree(mine / "wells" / "expected")
    done = command("layout", "test", NAME, "--layouts", mine)
    assert done.code == 1
    assert "it has no expected tables" in done.out
    assert command("layout", "test", NAME, "--layouts", mine, "--accept").code == 0
    for file in (EXAMPLE / "expected").iterdir():
        assert (mine / "wells" / "expected" / file.name).read_bytes() == file.read_bytes()
    assert command("layout", "test", NAME, "--layouts", mine).code == 0
    assert "nothing was written" in command("layout", "test", NAME, "--layouts", mine, "--accept").out


def test_accepting_keeps_the_columns_that_are_expected_and_takes_away_empty_tables(mine: Path) -> None:
    expected = mine / "wells" / "expected"
    (expected / "classes.csv").write_text("class_key,realized_loss\nA-1,0\n")
    (expected / "pools.csv").write_text("group_id,ending_balance\nTOTAL,5\n")
    known = known_layouts(mine)
    (sample,) = check_samples(find_named(NAME, known), known).samples
    assert {file.name for file in accept(sample)} == {"classes.csv", "pools.csv"}
    assert (expected / "classes.csv").read_text().startswith("class_key,realized_loss\nA-1,0\nA-2,0\n")
    assert not (expected / "pools.csv").exists()
    assert _check(mine) == ((), ())


def test_a_layout_may_have_more_samples(command: Command, mine: Path) -> None:
    (mine / "wells" / "samples").mkdir()
    _written(mine / "wells" / "samples", REPORT.replace("2001-2", "2001-3"), "other.txt")
    assert command("layout", "test", NAME, "--layouts", mine, "--accept").code == 0
    done = command("layout", "test", NAME, "--layouts", mine)
    assert (done.code, done.out.count("reads as expected")) == (0, 2)
    assert "2001-3" in (mine / "wells" / "expected" / "other" / "reports.csv").read_text()


def test_a_layout_without_a_sample_is_told(command: Command, mine: Path) -> None:
    (mine / "wells" / "sample.txt").unlink()
    done = command("layout", "test", NAME, "--layouts", mine)
    assert (done.code, done.out) == (0, f"{NAME}@1: has no sample; put a report as sample.txt into {mine}/wells\n")


def test_another_layout_that_knows_the_sample_is_told(mine: Path) -> None:
    shutil.copytree(mine / "wells", mine / "twin")
    file = mine / "twin" / "layout.toml"
    file.write_text(file.read_text().replace(NAME, "twin", 1))
    problems, differences = _check(mine)
    assert problems == ("twin knows it as well: make the marks in identify stricter",)
    assert not differences


@pytest.mark.parametrize(
    ("sample", "said"),
    [
        ("Dear Sirs", "rejected: not_a_report: "),
        ("", "empty: "),
        (REPORT.replace("Class                 Loss", "Class"), "rejected: missing_block: "),
    ],
)
def test_a_sample_that_is_not_read_is_a_problem(command: Command, mine: Path, sample: str, said: str) -> None:
    (mine / "wells" / "sample.txt").write_text(sample)
    problems, differences = _check(mine)
    assert problems[0].startswith(said)
    assert not differences
    done = command("layout", "test", NAME, "--layouts", mine, "--accept")
    assert done.code == 2
    assert "nothing to accept" in done.err


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "is empty"),
        ("class_key,nosuch\nA-1,5\n", "table classes has no column 'nosuch'"),
        ("realized_loss\n5\n", "a row is known by class_key"),
        ("class_key,realized_loss\nA-1\n", "line 2: 1 values; there are 2 columns"),
        (b"\xff\xfe", "is no CSV in UTF-8"),
    ],
)
def test_an_expected_table_that_is_none_is_told(command: Command, mine: Path, content: str | bytes, said: str) -> None:
    _written(mine / "wells" / "expected", content, "classes.csv")
    done = command("layout", "test", NAME, "--layouts", mine)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"etl: {mine}/wells/expected/classes.csv")
    assert said in done.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--accept",), "name it"),
        ((NAME, "--force"), "--force goes with --accept"),
        (("nosuch",), "no layout 'nosuch'"),
    ],
)
def test_a_wrong_test_is_told_in_a_line(command: Command, mine: Path, arguments: tuple[str, ...], said: str) -> None:
    done = command("layout", "test", *arguments, "--layouts", mine)
    assert (done.code, done.out) == (2, "")
    assert said in done.err


# --- new ----------------------------------------------------------------------------------------------------


def test_a_new_layout_is_a_folder_with_a_draft_and_the_report(command: Command, tmp_path: Path) -> None:
    report = _written(tmp_path, REPORT, "SRMS 2001-2.txt")
    done = command("layout", "new", report, "--out", tmp_path / "own")
    assert (done.code, done.err) == (0, "")
    folder = tmp_path / "own" / "srms_2001_2"
    assert sorted(file.name for file in folder.iterdir()) == ["layout.toml", "sample.txt"]
    assert (folder / "sample.txt").read_bytes() == report.read_bytes()
    assert "srms-2001-2" in (folder / "layout.toml").read_text()
    assert f"etl layout why {folder}/sample.txt --layout srms-2001-2 --layouts {tmp_path}/own" in done.out


@pytest.mark.parametrize("there", ["layout.toml", "sample.txt"])
def test_nothing_is_overwritten(command: Command, tmp_path: Path, there: str) -> None:
    report = _written(tmp_path, REPORT)
    folder = tmp_path / "own" / "it"
    folder.mkdir(parents=True)
    (folder / there).write_text("mine")
    done = command("layout", "new", report, "--name", "it", "--out", tmp_path / "own")
    assert (done.code, done.out) == (2, "")
    assert "is not overwritten" in done.err
    assert [(file.name, file.read_text()) for file in folder.iterdir()] == [(there, "mine")]


@pytest.mark.parametrize("name", ["", "../x", "A", "a b", "us-bank-text", "1a", "a/b", "a--b"])
def test_a_name_that_is_none_or_taken_is_refused(command: Command, tmp_path: Path, name: str) -> None:
    done = command("layout", "new", _written(tmp_path, REPORT), "--name", name, "--out", tmp_path / "own")
    assert (done.code, done.out) == (2, "")
    assert "--name" in done.err
    assert not (tmp_path / "own").exists()


# --- runs ---------------------------------------------------------------------------------------------------


def test_a_run_reads_with_layouts_of_a_user_and_a_later_one_keeps_what_it_read(
    command: Command, mine: Path, tmp_path: Path
) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    report = _written(inbox, REPORT)
    lake = tmp_path / "lake"
    done = command("run", inbox, "--out", lake, "--layouts", mine)
    assert "1 reports read, 0 rejected" in done.out
    for more in ((), ("--force",)):
        done = command("run", inbox, "--out", lake, *more)
        assert "0 reports read, 0 rejected, 0 duplicates, 1 unchanged and skipped" in done.out
        assert f"1 report stays as {NAME}@1 read it" in done.out
    assert len(list((lake / "classes").rglob("*.parquet"))) == 1
    summary = json.loads(command("run", inbox, "--out", lake, "--json").out)
    assert summary["other_layouts"] == {f"{NAME}@1": 1}
    assert json.loads(command("run", inbox, "--out", lake, "--layouts", mine, "--json").out)["other_layouts"] == {}
    _change(mine, "version = 1", "version = 2")
    assert "1 reports read" in command("run", inbox, "--out", lake, "--layouts", mine).out
    _change(mine, NAME, "renamed")
    summary = json.loads(command("run", inbox, "--out", lake, "--layouts", mine, "--json").out)
    assert (summary["reports_read"], summary["other_layouts"]) == (1, {})
    report.write_text(REPORT.replace("Certificateholder", "Holder"))
    assert "0 reports read, 1 rejected" in command("run", inbox, "--out", lake).out


def test_the_python_face_takes_a_folder_of_layouts(mine: Path, tmp_path: Path) -> None:
    report = etl.read_report(EXAMPLE / "sample.txt", mine)
    assert report.tables["classes"].height == 12
    assert etl.run([EXAMPLE / "sample.txt"], tmp_path / "lake", str(mine)).reports_read == 1
    (own,) = [layout for layout in known_layouts(mine) if layout.file.parent.parent != PACKAGED]
    assert own.name == NAME
