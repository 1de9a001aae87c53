"""The ten questions: each is answered by DuckDB and by Spark from one text, cell by cell the same, and as printed."""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import etl
from etl.lake import Lake
from etl.overview import deals_of
from etl.sql import ask
from etl.views import script

from .conftest import REPOSITORY
from .kit import make_deal, render, simulate
from .processes import call_etl
from .spark_sessions import started_spark
from .test_month_checks import for_a_quarter, on
from .ties import CASES, LARGEST, MOST, lake_of_ties, rounded

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# Spark's own way of talking to its Java leaves sockets to the collector.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")

INBOX = REPOSITORY / "samples" / "inbox"
QUESTIONS = sorted((REPOSITORY / "examples" / "questions").glob("*.sql"))
ABSC = "asset-backed-securities-corporation-home-equity-loan-trust-series-2003-he2"
NOVEMBER = dt.date(2003, 11, 17)

# What the report prints, by hand: of each question a row that its answer must have.
PRINTED: dict[str, dict[str, Any]] = {
    "01": {"class_id": "A-1", "ending_balance": Decimal(328979574), "factor": Decimal("0.82866391")},
    "02": {"class_id": "A-1", "principal_distribution": Decimal(12545334), "interest_distribution": Decimal(398075)},
    "03": {"status": "delinquent", "bucket": "30-59", "loan_count": 114, "percent_of_pool": Decimal("2.7230")},
    "04": {"current_losses": Decimal(18051), "losses_to_date": Decimal(22480)},
    "05": {"oc_amount": Decimal(14344337), "oc_deficiency": Decimal(1041976), "trigger_event": False},
    "06": {"deal": ABSC, "place": 2, "percent_60_plus": Decimal("1.2031"), "reo": Decimal("108260.69")},
    "07": {"distribution_date": NOVEMBER, "checks_failed": 0, "failed_check": None},
    "08": {"field": "beginning_balance", "raw": "312,351,414", "line": 79, "column_start": 32},
    "09": {"kind": "rejected document", "reason": "not_a_report"},
    "10": {"distribution_date": NOVEMBER, "earlier_source": None},
}


def _number(question: Path) -> str:
    return question.name[:2]


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("made") / "lake"
    etl.run([INBOX], output)
    return output


@pytest.fixture(scope="module")
def altered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake in which a report was restated, one does not tie, and a month is missing."""
    folder = tmp_path_factory.mktemp("altered")
    inbox = folder / "inbox"
    inbox.mkdir()
    text = (INBOX / "absc-2003-he2_2003-11-17.txt").read_text()
    (inbox / "a.txt").write_text(text.replace("328,979,574", "328,979,674"))
    (inbox / "b.txt").write_text(f"REVISED\n\n{text}")
    (inbox / "c.txt").write_text(
        (INBOX / "absc-2003-he2_2004-01-15.txt").read_text().replace("312,351,414", "312,351,514")
    )
    etl.run([inbox], folder / "lake")
    return folder / "lake"


@pytest.fixture(scope="module")
def ties(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return lake_of_ties(tmp_path_factory.mktemp("ties") / "lake")


@pytest.fixture(scope="module")
def quarterly(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake of two deals that report four times a year: one whole, of the other the fourth report is missing."""
    folder = tmp_path_factory.mktemp("quarterly")
    (folder / "inbox").mkdir()
    days = [dt.date(2003, 1, 15), dt.date(2003, 4, 15), dt.date(2003, 7, 15), dt.date(2003, 10, 15)]
    days.append(dt.date(2004, 1, 15))
    for seed, missing in ((0, None), (2, 3)):
        for at, (report, day) in enumerate(zip(simulate(make_deal(seed), len(days)), days, strict=True)):
            if at != missing:
                classes = tuple(for_a_quarter(row, 91) for row in report.classes)
                text = render(replace(on(report, day), classes=classes))
                (folder / "inbox" / f"{seed}-{at}.txt").write_text(text)
    etl.run([folder / "inbox"], folder / "lake")
    return folder / "lake"


@pytest.fixture(scope="module")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    folder = tmp_path_factory.mktemp("warehouse")
    with started_spark(folder, "local[2]", **{"spark.sql.shuffle.partitions": "2"}) as session:
        yield session


def _by_duckdb(lake: Path, question: Path) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
    with ask(lake, question.read_text()) as answer:
        return answer.columns, list(answer.rows)


def _answer(lake: Path, number: str) -> list[dict[str, Any]]:
    (question,) = [question for question in QUESTIONS if _number(question) == number]
    columns, rows = _by_duckdb(lake, question)
    return [dict(zip(columns, row, strict=True)) for row in rows]


def test_there_are_ten_and_each_says_what_it_asks() -> None:
    assert [_number(question) for question in QUESTIONS] == sorted(PRINTED)
    for question in QUESTIONS:
        title, sentence, *_ = question.read_text().splitlines()
        assert title.startswith("-- ")
        assert title.endswith("?")
        assert sentence.startswith("-- A row ")
        assert ";" not in "".join(line for line in question.read_text().splitlines() if not line.startswith("--"))


@pytest.mark.parametrize("question", QUESTIONS, ids=_number)
def test_the_answer_is_as_printed(lake: Path, question: Path) -> None:
    done = call_etl("sql", lake, "--file", question, "--csv")
    assert (done.returncode, done.stderr) == (0, "")
    columns, rows = _by_duckdb(lake, question)
    assert next(csv.reader(io.StringIO(done.stdout))) == list(columns)
    wanted = PRINTED[_number(question)]
    answers = [dict(zip(columns, row, strict=True)) for row in rows]
    assert [row for row in answers if wanted.items() <= row.items()]
    assert not [value for row in rows for value in row if isinstance(value, float)]


@pytest.mark.spark
def test_spark_gives_the_same_answers(
    spark: SparkSession, lake: Path, altered: Path, ties: Path, quarterly: Path
) -> None:
    computed = [question for question in QUESTIONS if _number(question) in ("01", "03", "04", "06")]
    asked_of = ((lake, QUESTIONS), (altered, [QUESTIONS[6], *QUESTIONS[8:]]), (ties, computed), (quarterly, QUESTIONS))
    for output, asked in asked_of:
        for statement in filter(str.strip, script(output, "spark").split(";\n")):
            spark.sql(statement)
        for question in asked:
            columns, rows = _by_duckdb(output, question)
            frame = spark.sql(question.read_text())
            assert tuple(frame.columns) == columns, question.name
            assert [tuple(row) for row in frame.collect()] == rows, question.name
            assert rows, question.name


def test_what_does_not_tie_has_its_lines(altered: Path) -> None:
    rows = [row for row in _answer(altered, "07") if row["failed_check"] == "class_roll_forward"]
    assert [(row["subject"], row["difference"], row["lines"]) for row in rows] == [("A-1", -100, [79, 131])]


def test_a_month_that_is_missing_is_counted(altered: Path) -> None:
    assert [(row["reports"], row["reports_missing"]) for row in _answer(altered, "09")] == [(2, 1)]


def test_a_quarterly_deal_lacks_no_months_but_quarters(quarterly: Path) -> None:
    rows = _answer(quarterly, "09")
    assert sorted((row["reports"], row["every_months"], row["reports_missing"]) for row in rows) == [
        (4, 3, 1), (5, 3, 0),
    ]  # fmt: skip
    shown = {row["deal"]: len(row["missing_months"]) for row in deals_of(Lake(quarterly)).iter_rows(named=True)}
    assert shown == {row["name"]: row["reports_missing"] for row in rows}


def test_shares_and_rates_are_exact(ties: Path) -> None:
    """Half-way cases: division in floating numbers rounds many of them the wrong way."""
    late, worst, lost = (_answer(ties, number) for number in ("03", "06", "04"))
    factors = _answer(ties, "01")
    found: dict[str, list[tuple[Any, ...]]] = {
        "factor": [(row["factor"], row["ending_balance"], row["original_balance"], 8, 1) for row in factors],
        "share": [(row["percent_of_pool"], row["balance"], row["pool_balance"], 4) for row in late],
        "worst": [(row["percent_60_plus"], row["delinquent_60_plus"], row["pool_balance"], 4) for row in worst],
        "month": [(row["percent_of_pool_this_month"], row["current_losses"], row["pool_balance"], 6) for row in lost],
        "issue": [(row["percent_of_issue_to_date"], row["losses_to_date"], row["original_balance"], 6) for row in lost],
    }
    for name, rows in found.items():
        assert len(rows) > CASES, name
        assert [row for row in rows if row[0] != rounded(*row[1:])] == [], name
        assert {True, False} == {row[0] is None for row in rows}, name
    assert LARGEST in {row["losses_to_date"] for row in lost}
    assert 2 * MOST in {row["delinquent_60_plus"] for row in worst}


def test_a_restatement_shows_what_changed(altered: Path) -> None:
    changed = [row for row in _answer(altered, "10") if row["earlier_source"]]
    assert [(row["class_id"], row["ending_balance_before"], row["ending_balance_now"]) for row in changed] == [
        ("A-1", Decimal(328979674), Decimal(328979574))
    ]


def test_two_reports_of_one_date_are_not_added_up(tmp_path: Path) -> None:
    text = (INBOX / "absc-2003-he2_2003-11-17.txt").read_text()
    for name, balance in (("a", "328,979,574"), ("b", "328,979,674")):
        (tmp_path / f"{name}.txt").write_text(text.replace("328,979,574", balance))
    summary = etl.run([tmp_path / "a.txt", tmp_path / "b.txt"], tmp_path / "lake")
    assert len(summary.conflicts) == 1
    assert [row["percent_60_plus"] for row in _answer(tmp_path / "lake", "06")] == [Decimal("1.0634")] * 2
    assert len(_answer(tmp_path / "lake", "03")) == 2 * 6


def test_an_empty_lake_has_no_answer_and_no_error(tmp_path: Path) -> None:
    (tmp_path / "inbox").mkdir()
    etl.run([tmp_path / "inbox"], tmp_path / "lake")
    assert [rows for question in QUESTIONS if (rows := _by_duckdb(tmp_path / "lake", question)[1])] == []
