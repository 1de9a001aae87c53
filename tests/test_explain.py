"""Where a value is printed: the caret stands under it, its source is shown, its checks are told."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from unittest import mock

import pyarrow.parquet as pq
import pytest

from etl import UsageError, run
from etl.explain import EXPLAINED, Explanation, explain
from etl.identities import checks_on
from etl.lake import Lake
from etl.schema import table
from etl.show_explanation import as_json_text, show_explanation
from etl.sources import source_file

from .kit import absc_2003_he2, make_deal, random_style, render, simulate

pytestmark = pytest.mark.usefixtures("remembered")

SEED_TEXT = render(absc_2003_he2.report())
DEAL, DAY = "2003-he2", "2003-11"


def _lake(folder: Path, *texts: str, keep_sources: bool = True, inbox: bool = False) -> Lake:
    """A lake of these reports, whose inbox is gone."""
    (folder / "inbox").mkdir()
    for number, text in enumerate(texts):
        (folder / "inbox" / f"{number}.txt").write_bytes(text.encode())
    summary = run([folder / "inbox"], folder / "output", keep_sources=keep_sources)
    assert summary.reports_read == len(texts)
    if not inbox:
        shutil.rmtree(folder / "inbox")
    return Lake(folder / "output")


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    others = [render(simulate(make_deal(seed), 1)[0], random_style(seed)) for seed in (0, 2)]
    return _lake(tmp_path_factory.mktemp("explain"), SEED_TEXT, *others)


def _shown(explanation: Explanation, width: int = 80) -> str:
    with redirect_stdout(io.StringIO()) as printed, mock.patch.dict(os.environ, {"COLUMNS": str(width)}):
        show_explanation(explanation)
    return printed.getvalue()


def _above_carets(shown: str) -> list[str]:
    """What stands above each caret line, with the line number before it."""
    lines = shown.splitlines()
    found = []
    for number, line in enumerate(lines):
        if carets := re.fullmatch(r" {6} \|[ <]( *)(\^+)", line):
            start, end = carets.span(2)
            found.append(f"{lines[number - 1][:6].strip()}: {lines[number - 1][start:end]}")
    return found


def _in_printed_order(explanation: Explanation) -> list[str]:
    pieces = [piece for report in explanation.reports for cell in report.cells for piece in cell.pieces]
    return [f"{piece.line}: {piece.raw}" for piece in pieces]


# --- the caret ----------------------------------------------------------------------------------------------


def _questions(lake: Lake, deal: str, name: str) -> Iterator[list[str]]:
    """The words for the cells of a table."""
    declared = table(name)
    keys = [column for column in declared.key if column != "report_id"]
    columns = {"measures": ["value"], "triggers": ["occurred"]}.get(
        name, [column.name for column in declared.columns if column.name != "report_id"]
    )
    for row in lake.read(name, [deal]).iter_rows(named=True):
        key = [row[column] for column in keys if row[column] is not None]
        for column in columns:
            yield [name, *key, *([] if name in ("measures", "triggers") else [column])]


@pytest.mark.parametrize("name", EXPLAINED)
def test_the_caret_stands_under_the_printed_text(lake: Lake, name: str) -> None:
    """Of many cells every fourth, of very many every eleventh: so each column has its turn."""
    seen = 0
    for deal in lake.deals():
        questions = list(_questions(lake, deal, name))
        step = 1 if len(questions) < 10 else 4 if len(questions) < 150 else 11
        for words in questions[::step]:
            explanation = explain(lake, deal, "latest", words)
            above = _above_carets(_shown(explanation, width=200))
            pieces = _in_printed_order(explanation)
            assert [text for text, piece in zip(above, pieces, strict=True) if not piece.endswith(": ")] == [
                piece for piece in pieces if not piece.endswith(": ")
            ], words
            seen += len(above)
    assert seen > 5


def test_the_value_is_that_of_the_table_and_of_the_cell(lake: Lake) -> None:
    deal = lake.find_deal(DEAL)
    for row in lake.read("classes", [deal]).iter_rows(named=True):
        (report,) = explain(lake, DEAL, DAY, ["classes", row["class_key"], "ending_balance"]).reports
        assert report.value == row["ending_balance"] == report.cells[0].value
        assert report.status == report.cells[0].status == "reported"


@pytest.mark.parametrize("width", [40, 80, 120])
def test_it_fits_the_terminal(lake: Lake, width: int) -> None:
    explanation = explain(lake, DEAL, DAY, ["GROUP 2", "30-59", "balance"])
    shown = _shown(explanation, width)
    assert _above_carets(shown) == ["234: 6197784.4"]
    excerpt = [line for line in shown.splitlines() if re.match(r" *[0-9]* \|", line)]
    assert len(excerpt) == 6
    assert max(map(len, excerpt)) <= width


def test_a_cell_that_is_wider_than_the_terminal_is_cut(lake: Lake) -> None:
    shown = _shown(explain(lake, DEAL, DAY, ["deal_name"]), 40)
    above = _above_carets(shown)
    assert all("Asset Backed Securities Corporation, Home".startswith(text.partition(": ")[2][:20]) for text in above)
    assert max(len(line) for line in shown.splitlines() if " |" in line) <= 40


def test_tabs_do_not_shift_the_caret(tmp_path: Path) -> None:
    text = re.sub(r"(O/C Target Amt) +", r"\1\t\t\t", SEED_TEXT)
    text = text.replace("      A-1        397,000,000    345", "\t A-1\t397,000,000\t 345")
    lake = _lake(tmp_path, text)
    for words in (["oc_target"], ["A-1", "original_balance"], ["classes", "A-1", "principal_distribution"]):
        explanation = explain(lake, DEAL, DAY, words)
        assert _above_carets(_shown(explanation)) == _in_printed_order(explanation)
        assert "\t" not in _shown(explanation)
        assert any("\t" in line.text for line in explanation.reports[0].source.lines)


def test_wide_characters_do_not_shift_the_caret(tmp_path: Path) -> None:
    """A terminal gives them two columns, and none to accents that stand alone."""
    text = SEED_TEXT.replace("On   17-Nov-03", "報告\u0301書 On   17-Nov-03")
    shown = _shown(explain(_lake(tmp_path, text), DEAL, DAY, ["distribution_date"]))
    lines = shown.splitlines()
    (number,) = [number for number, line in enumerate(lines) if "On   17-Nov-03" in line]
    assert lines[number + 1].index("^") == lines[number].index("17-Nov-03") + 3 - 1  # three wide signs, one accent


def test_a_wrapped_cell_has_several_pieces(lake: Lake) -> None:
    (deal,) = [deal for deal in lake.deals() if deal.startswith("tamarind")]
    explanation = explain(lake, deal, "latest", ["deal_name"])
    (report,) = explanation.reports
    assert [len(cell.pieces) for cell in report.cells] == [2] * len(report.cells)
    assert {cell.raw for cell in report.cells} == {report.value}
    assert _above_carets(_shown(explanation)) == _in_printed_order(explanation)


def test_two_lines_stand_above_and_below(lake: Lake) -> None:
    (report,) = explain(lake, DEAL, DAY, ["A-1", "ending_balance"]).reports
    (piece,) = report.cells[0].pieces
    lines = SEED_TEXT.split("\n")
    around = range(piece.line - 2, piece.line + 3)
    assert [(line.number, line.text) for line in report.source.lines] == [(no, lines[no - 1]) for no in around]


def test_the_first_and_the_last_line_have_less_around_them(tmp_path: Path) -> None:
    lines = SEED_TEXT.split("\n")
    form = next(number for number, line in enumerate(lines) if line.startswith("FORM"))
    lake = _lake(tmp_path, "\n".join(lines[form:]).rstrip())
    (report,) = explain(lake, DEAL, DAY, ["form_type"]).reports
    assert [line.number for line in report.source.lines] == [1, 2, 3]
    (report,) = explain(lake, DEAL, DAY, ["trustee"]).reports
    assert report.source.lines[-1].number == report.cells[0].pieces[0].line


# --- other places, and values that are not printed ---------------------------------------------------------


def test_every_other_place_is_shown(lake: Lake) -> None:
    explanation = explain(lake, DEAL, DAY, ["distribution_date"])
    (report,) = explanation.reports
    assert [cell.raw for cell in report.cells] == ["17-Nov-03"] * 4
    assert str(report.value) == "2003-11-17"
    assert "also at   3 other places" in _shown(explanation)


def test_the_place_that_says_what_the_table_has_comes_first(tmp_path: Path) -> None:
    """The cover says another day; the statement counts."""
    lake = _lake(tmp_path, SEED_TEXT.replace("On   17-Nov-03", "On   18-Nov-03"))
    explanation = explain(lake, DEAL, DAY, ["distribution_date"])
    (report,) = explanation.reports
    assert report.cells[0].raw == "17-Nov-03"
    assert "18-Nov-03" in [cell.raw for cell in report.cells[1:]]
    assert [(check.check, check.outcome) for check in report.checks] == [("repeated_fields_agree", "fail")]


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["P", "pass_through_rate"], "not_applicable", "the report prints that there is none"),
        (["1", "foreclosure", "market_value"], "blank", "the report leaves the place blank"),
        (["cik"], "not_printed", "this report does not print it"),
        (["1", "foreclosure", "method"], "not_printed", "this report does not print it"),
        (["trigger_event"], "reported", "= false"),
        (["classes", "B-IO", "is_notional"], "derived", "= true"),
        (["B-IO", "class_key"], "derived", "= B-IO"),
        (["reports", "deal"], "derived", "follows from what is printed here"),
        (["numbers_found"], "computed", "not printed; this program knows it"),
        (["1", "30-59", "excludes"], "derived", "= foreclosure, bankruptcy, reo"),
        (["reports", "items"], "reported", "= 5, 7"),
        (["1", "foreclosure", "status"], "derived", "= foreclosure"),
        (["1", "30-59", "status"], "derived", "= delinquent"),
        (["1", "30-59", "bucket"], "derived", "= 30-59"),
    ],
)
def test_the_status_says_what_kind_of_value_it_is(lake: Lake, words: list[str], status: str, said: str) -> None:
    explanation = explain(lake, DEAL, DAY, words)
    (report,) = explanation.reports
    assert report.status == status
    assert said in _shown(explanation)
    assert (report.value is None) == ("has no value" in _shown(explanation))


def test_a_measure_that_is_not_printed_is_told(tmp_path: Path) -> None:
    text = "\n".join(line for line in SEED_TEXT.split("\n") if not line.startswith(("O/C Target", "Trigger Event")))
    lake = _lake(tmp_path, text)
    for name in ("oc_target", "trigger_event"):
        explanation = explain(lake, DEAL, DAY, [name])
        (report,) = explanation.reports
        assert (report.value, report.status, report.cells) == (None, "not_printed", ())
        assert f"{name} has no value" in _shown(explanation)


# --- the words ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["A-1", "ending_balance"], "classes A-1 ending_balance"),
        (["a-1", "Ending Balance"], "classes A-1 ending_balance"),
        (["A1", "ENDING_BALANCE"], "classes A-1 ending_balance"),
        (["BIO", "cusip"], "classes B-IO cusip"),
        (["AIOINV", "cusip"], "classes A-IO-INV cusip"),
        (["Classes", "total", "ending_balance"], "classes TOTAL ending_balance"),
        (["pools", "TOTAL", "ending_balance"], "pools TOTAL ending_balance"),
        (["GROUP 1", "prepayments"], 'pools "GROUP 1" prepayments'),
        (["group", "1", "prepayments"], 'pools "GROUP 1" prepayments'),
        (["1", "prepayments"], 'pools "GROUP 1" prepayments'),
        (["delinquencies", "GROUP 2", "30-59", "balance"], 'delinquencies "GROUP 2" delinquent 30-59 balance'),
        (["GROUP", "2", "30-59", "balance"], 'delinquencies "GROUP 2" delinquent 30-59 balance'),
        (["90", "2", "balance"], 'delinquencies "GROUP 2" delinquent 90+ balance'),
        (["TOTAL", "foreclosure", "loan_count"], "delinquencies TOTAL foreclosure loan_count"),
        (["oc_amount"], "measures TOTAL oc_amount"),
        (["OC-Amount"], "measures TOTAL oc_amount"),
        (["measures", "TOTAL", "oc_amount"], "measures TOTAL oc_amount"),
        (["measures", "oc_amount", "value"], "measures TOTAL oc_amount"),
        (["trigger_event"], "triggers trigger_event"),
        (["triggers", "trigger_event"], "triggers trigger_event"),
        (["trustee"], "reports trustee"),
        (["reports", "trustee"], "reports trustee"),
    ],
)
def test_a_value_is_found_by_short_words(lake: Lake, words: list[str], name: str) -> None:
    assert explain(lake, DEAL, DAY, words).name == name


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["TOTAL", "ending_balance"], "fits 2 values: classes TOTAL ending_balance, pools TOTAL ending_balance; write"),
        (["delinquencies", "TOTAL", "delinquent", "balance"], "fits 3 values: delinquencies TOTAL delinquent 30-59"),
        (["classes", "ending_balance"], "fits 14 values: .* and 4 more"),
        (["Z-9", "ending_balance"], r"no row fits 'Z-9 ending_balance'; classes has A-1, .*; pools has GROUP 1"),
        (["A-1", "A-1", "ending_balance"], "no row fits"),
        (["1", "trustee"], "no row fits '1 trustee'; reports has one row"),
        (["A-1", "endng_balance"], r"no table has a column, .* 'endng_balance'; did you mean ending_balance"),
        (["classes", "A-1", "prepayments"], "table classes has no column, measure or trigger 'prepayments'"),
        (["classes"], "no table has a column, measure or trigger 'classes'"),
        (["records", "raw"], "no table has a column, measure or trigger 'raw'"),
        (["A-1", "x" * 10_000], "no table has a column"),
        (["../../etc", "ending_balance"], "no row fits"),
        (["", ""], "no table has a column, measure or trigger ''"),
        (["-", "ending_balance"], "no row fits"),
    ],
)
def test_words_that_fit_nothing_or_several_values_are_told(lake: Lake, words: Sequence[str], said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        explain(lake, DEAL, DAY, words)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1000


def test_the_name_of_a_value_finds_it_again(lake: Lake) -> None:
    for words in (["A1", "cusip"], ["1", "30-59", "balance"], ["oc_amount"], ["trigger_event"], ["trustee"]):
        name = explain(lake, DEAL, DAY, words).name
        again = [part.strip('"') for part in re.findall(r'"[^"]*"|\S+', name)]
        assert explain(lake, DEAL, DAY, again).name == name


# --- the source ---------------------------------------------------------------------------------------------


def test_without_kept_sources_the_file_itself_is_shown(tmp_path: Path) -> None:
    lake = _lake(tmp_path, SEED_TEXT, keep_sources=False, inbox=True)
    explanation = explain(lake, DEAL, DAY, ["A-1", "ending_balance"])
    assert _above_carets(_shown(explanation)) == _in_printed_order(explanation) == ["131: 328,979,574"]
    assert explanation.reports[0].source.note == "the source was not kept; shown from its path"


@pytest.mark.parametrize("source", ["hdfs://node:8020/inbox/0.txt", "dbfs://inbox/0.zip!/0.txt"])
def test_a_source_in_another_store_leaves_the_records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    """Spark reads from stores that are not read here."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")  # nobody is there
    lake = _lake(tmp_path, SEED_TEXT, keep_sources=False)
    (file,) = (lake.output / "reports").rglob("*.parquet")
    reports = pq.ParquetFile(file).read()
    place = reports.schema.get_field_index("source")
    pq.write_table(reports.set_column(place, reports.schema.field(place), [[source]]), file)
    (report,) = explain(Lake(lake.output), DEAL, DAY, ["A-1", "ending_balance"]).reports
    assert report.source.note is not None
    assert report.source.note.startswith("the source was not kept, and is not at its path any more")
    assert report.source.path == source


@pytest.mark.parametrize("change", ["gone", "changed", "folder"])
def test_a_source_that_is_gone_leaves_the_records(tmp_path: Path, change: str) -> None:
    lake = _lake(tmp_path, SEED_TEXT, keep_sources=False, inbox=True)
    file = tmp_path / "inbox" / "0.txt"
    file.unlink()
    if change == "changed":
        file.write_text(SEED_TEXT.replace("328,979,574", "328,979,575"))
    elif change == "folder":
        file.mkdir()
    explanation = explain(lake, DEAL, DAY, ["A-1", "ending_balance"])
    (report,) = explanation.reports
    assert report.source.lines == ()
    shown = _shown(explanation)
    assert "was not kept, and is not at its path any more" in " ".join(shown.split())
    assert "   131 | ... 328,979,574 ..." in shown
    assert "328979574.00 usd" in shown
    assert "class_roll_forward" in shown


@pytest.mark.parametrize("inbox", [True, False])
def test_a_damaged_source_is_told(tmp_path: Path, inbox: bool) -> None:  # noqa: FBT001
    lake = _lake(tmp_path, SEED_TEXT, inbox=inbox)
    (file,) = (lake.output / "_sources").rglob("*.gz")
    file.write_bytes(file.read_bytes()[:-20])
    explanation = explain(lake, DEAL, DAY, ["A-1", "ending_balance"])
    (report,) = explanation.reports
    assert report.source.note
    assert report.source.note.startswith(f"{file}: is damaged: ")
    assert bool(report.source.lines) == inbox
    assert ("shown from its path" if inbox else "only the records can be shown") in report.source.note
    assert report.value == Decimal("328979574.00")


def test_the_kept_source_comes_before_the_file(tmp_path: Path) -> None:
    lake = _lake(tmp_path, SEED_TEXT, inbox=True)
    (tmp_path / "inbox" / "0.txt").write_text("Dear Sirs")
    explanation = explain(lake, DEAL, DAY, ["A-1", "ending_balance"])
    assert explanation.reports[0].source.note is None
    assert _above_carets(_shown(explanation)) == ["131: 328,979,574"]


def test_line_ends_and_encodings_do_not_shift_the_caret(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(
        SEED_TEXT.replace("Sample Street", "Sämple Street").replace("\n", "\r\n").encode("cp1252")
    )
    run([tmp_path / "a.txt"], tmp_path / "output")
    explanation = explain(Lake(tmp_path / "output"), DEAL, DAY, ["A-1", "ending_balance"])
    assert _above_carets(_shown(explanation)) == ["131: 328,979,574"]


# --- several reports, checks, JSON --------------------------------------------------------------------------


def test_each_report_of_a_day_is_explained(tmp_path: Path) -> None:
    without = "\n".join(line for line in SEED_TEXT.split("\n") if not line.startswith("O/C Target"))
    lake = _lake(tmp_path, SEED_TEXT, SEED_TEXT.replace("328,979,574", "328,979,500"), without)
    explanation = explain(lake, DEAL, DAY, ["A-1", "ending_balance"])
    assert {report.value for report in explanation.reports} == {Decimal(328979574), Decimal(328979500)}
    shown = _shown(explanation)
    assert [f"report {number} of 3 of that day" in shown for number in (1, 2, 3)] == [True] * 3
    assert sorted(_above_carets(shown)) == sorted(_in_printed_order(explanation))
    target = explain(lake, DEAL, DAY, ["oc_target"])
    assert sorted(report.status for report in target.reports) == ["not_printed", "reported", "reported"]
    assert len({report.source.sha256 for report in target.reports}) == 3


def test_the_checks_that_use_the_value_are_told(lake: Lake) -> None:
    explanation = explain(lake, DEAL, DAY, ["A-1", "ending_balance"])
    (report,) = explanation.reports
    wanted = dict(checks_on("classes", "A-1", "ending_balance", "senior"))
    assert {"class_roll_forward", "class_totals"} <= set(wanted)
    assert {check.check for check in report.checks} <= set(wanted)
    roll = next(check for check in report.checks if check.check == "class_roll_forward")
    assert (roll.subject, roll.outcome, roll.difference) == ("A-1", "rounding", Decimal(1))
    assert "class_roll_forward: A-1, difference 1\n" in _shown(explanation)


def test_contradictions_come_first(tmp_path: Path) -> None:
    lake = _lake(tmp_path, SEED_TEXT.replace("328,979,574", "328,979,075"))
    explanation = explain(lake, DEAL, DAY, ["A-1", "ending_balance"])
    outcomes = [check.outcome for check in explanation.reports[0].checks]
    order = ("fail", "explained", "rounding", "pass", "not_applicable")
    assert outcomes[0] == "fail"
    assert outcomes == sorted(outcomes, key=order.index)
    total = explain(lake, DEAL, DAY, ["classes", "TOTAL", "ending_balance"])
    assert "not_applicable" in [check.outcome for check in total.reports[0].checks][-1:]


def test_the_explanation_as_json(lake: Lake) -> None:
    explanation = explain(lake, DEAL, DAY, ["A-1", "ending_balance"])
    said = json.loads(as_json_text(explanation))
    assert (said["distribution_date"], said["table"], said["column"]) == ("2003-11-17", "classes", "ending_balance")
    assert said["key"] == {"section": None, "class_key": "A-1"}
    (report,) = said["reports"]
    assert (report["value"], report["unit"], report["status"]) == ("328979574.00", "usd", "reported")
    (piece,) = report["cells"][0]["pieces"]
    line = next(line["text"] for line in report["source"]["lines"] if line["number"] == piece["line"])
    assert line[piece["column_start"] : piece["column_end"]] == piece["raw"] == "328,979,574"
    assert all(isinstance(check["difference"], str | None) for check in report["checks"])
    zero = json.loads(as_json_text(explain(lake, DEAL, DAY, ["A-IO", "principal_distribution"])))
    assert zero["reports"][0]["value"] == "0.00"
    assert zero["reports"][0]["cells"][0]["value"] == "0.0000000000"


# --- texts that could do harm -------------------------------------------------------------------------------


def test_texts_of_documents_do_not_steer_the_terminal(tmp_path: Path) -> None:
    report = absc_2003_he2.report()
    name = "Trust [bold red]X[/] \x1bX\x07 \u202e, Series 2003-1"
    hostile = render(replace(report, heading=replace(report.heading, deal_name=name, series="2003-1")))
    hostile = hostile.replace(
        "Item 5. Other Events", "Item 5. Other Events\n\x1b[31m [link=x]y[/link] :smile: \x1b]0;t\x07\x9b"
    )
    lake = _lake(tmp_path, hostile)
    shown = _shown(explain(lake, "2003-1", "latest", ["deal_name"]))
    assert "[bold red]X[/]" in shown
    shown += _shown(explain(lake, "2003-1", "latest", ["items"]))
    assert " [31m [link=x]y[/link] :smile:  ]0;t" in shown
    assert not re.findall(r"[^\n\x20-\x7e]", shown)
    assert "\x1b" not in as_json_text(explain(lake, "2003-1", "latest", ["items"]))


def test_a_tampered_hash_leads_nowhere() -> None:
    with pytest.raises(ValueError, match="is no SHA-256"):
        source_file("../../../etc/passwd")
