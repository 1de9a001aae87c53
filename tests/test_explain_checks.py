"""What `etl explain` says of a value beside its place: the checks between distributions, and lost records."""

from __future__ import annotations

import datetime as dt
import io
import json
import os
import shutil
from contextlib import redirect_stdout
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from unittest import mock

import pytest

from etl import run
from etl.explain import Explanation, Verdict, explain
from etl.lake import Lake
from etl.lake_checks import check_lake
from etl.show_explanation import as_json_text, show_explanation

from .kit import Report, make_deal, render, simulate
from .kit.figures import parse, whole

BETWEEN = {
    "class_balance_continues", "original_balance_stays", "pool_balance_continues", "losses_never_fall", "losses_add_up",
    "identifiers_stay",
}  # fmt: skip
# Where the first class stands, no report is without it.
KEY = "A-1"


def larger_beginning(report: Report) -> Report:
    """The report in which the first class begins with 1,000 more."""
    first = report.classes[0]
    assert first.class_id == KEY
    balance = whole(int(parse(first.beginning_balance) or 0) + 1_000)
    return replace(report, classes=(replace(first, beginning_balance=balance), *report.classes[1:]))


MONTHS = simulate(make_deal(0), 4)
PRINTED = [*MONTHS[:2], larger_beginning(MONTHS[2]), MONTHS[3]]
DATES = [report.distribution_date for report in PRINTED]


def written(folder: Path, reports: list[Report]) -> Lake:
    (folder / "inbox").mkdir(parents=True)
    for number, report in enumerate(reports):
        (folder / "inbox" / f"{number}.txt").write_text(render(report))
    assert run([folder / "inbox"], folder / "output").reports_read == len(reports)
    return Lake(folder / "output")


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """Four months of a deal, in the third of which a class begins with 1,000 more than it ended with."""
    return written(tmp_path_factory.mktemp("neighbours"), PRINTED)


def explained(lake: Lake, month: dt.date, *words: str) -> Explanation:
    (deal,) = lake.deals()
    return explain(lake, deal, str(month), words)


def verdicts(lake: Lake, month: dt.date, *words: str) -> list[Verdict]:
    """The checks between distributions that are told."""
    (report,) = explained(lake, month, *words).reports
    return [check for check in report.checks if check.check in BETWEEN]


def told(lake: Lake, month: dt.date, *words: str) -> list[tuple[str, str, dt.date | None]]:
    """Check and outcome, and the date of the report after where it is one of that."""
    return [(check.check, check.outcome, check.later) for check in verdicts(lake, month, *words)]


def shown(explanation: Explanation) -> str:
    with redirect_stdout(io.StringIO()) as printed, mock.patch.dict(os.environ, {"COLUMNS": "200"}):
        show_explanation(explanation)
    return printed.getvalue()


def test_what_ends_is_held_against_what_begins_in_the_next_report(lake: Lake) -> None:
    (check,) = verdicts(lake, DATES[1], "classes", KEY, "ending_balance")
    assert (check.check, check.subject, check.outcome) == ("class_balance_continues", KEY, "fail")
    assert (check.difference, check.later) == (Decimal(1_000), DATES[2])
    text = shown(explained(lake, DATES[1], "classes", KEY, "ending_balance"))
    assert f"class_balance_continues: {KEY}, of {DATES[2]}, difference 1000\n" in text


def test_what_begins_is_held_against_what_ended_in_the_report_before(lake: Lake) -> None:
    (check,) = verdicts(lake, DATES[2], "classes", KEY, "beginning_balance")
    assert (check.check, check.outcome, check.difference, check.later) == (
        "class_balance_continues", "fail", Decimal(1_000), None,
    )  # fmt: skip
    text = shown(explained(lake, DATES[2], "classes", KEY, "beginning_balance"))
    assert f"class_balance_continues: {KEY}, difference 1000\n" in text


@pytest.mark.parametrize(("at", "later"), [(0, [DATES[1]]), (1, [None, DATES[2]]), (2, [None, DATES[3]]), (3, [None])])
def test_what_stays_is_held_against_both_neighbours(lake: Lake, at: int, later: list[dt.date | None]) -> None:
    stays = [("original_balance_stays", "pass", date) for date in later]
    assert told(lake, DATES[at], "classes", KEY, "original_balance") == stays
    same = [("identifiers_stay", "pass", date) for date in later]
    assert told(lake, DATES[at], "classes", KEY, "cusip") == same


def test_the_last_report_has_none_after_it_and_the_first_none_before(lake: Lake) -> None:
    assert told(lake, DATES[3], "classes", KEY, "ending_balance") == []
    assert told(lake, DATES[0], "classes", KEY, "beginning_balance") == []


def test_groups_and_measures_are_held_against_neighbours_too(lake: Lake) -> None:
    assert told(lake, DATES[1], "pools", "TOTAL", "ending_balance") == [("pool_balance_continues", "pass", DATES[2])]
    losses = told(lake, DATES[1], "realized_losses_cumulative")
    assert sorted(losses, key=str) == sorted(
        [(check, "pass", later) for check in ("losses_add_up", "losses_never_fall") for later in (None, DATES[2])],
        key=str,
    )


def test_nothing_is_held_against_a_report_over_a_missing_month_but_what_stays(tmp_path: Path) -> None:
    gapped = written(tmp_path, [PRINTED[0], PRINTED[1], PRINTED[3]])
    assert told(gapped, DATES[1], "classes", KEY, "ending_balance") == []
    stays = [("original_balance_stays", "pass", None), ("original_balance_stays", "pass", DATES[3])]
    assert told(gapped, DATES[1], "classes", KEY, "original_balance") == stays


def test_explain_and_check_say_the_same(lake: Lake) -> None:
    broken = {
        (row["distribution_date"], row["check"], row["subject"], row["difference"], row["explanation"])
        for row in check_lake(lake).breaks
        if row["check"] in BETWEEN
    }
    found = {
        (check.later or day, check.check, check.subject, check.difference, check.explanation)
        for day in DATES
        for column in ("beginning_balance", "ending_balance", "original_balance", "cusip")
        for check in verdicts(lake, day, "classes", KEY, column)
        if check.outcome == "fail"
    }
    assert found == broken
    assert len(broken) == 1


def test_as_json_later_is_a_date_or_nothing(lake: Lake) -> None:
    said = json.loads(as_json_text(explained(lake, DATES[1], "classes", KEY, "original_balance")))
    later = [check["later"] for check in said["reports"][0]["checks"] if check["check"] == "original_balance_stays"]
    assert later == [None, str(DATES[2])]
    within = [check for check in said["reports"][0]["checks"] if check["check"] == "class_totals"]
    assert [check["later"] for check in within] == [None]


# --- lost records ---------------------------------------------------------------------------------------------------


def test_lost_records_are_told_and_the_value_is_still_shown(lake: Lake, tmp_path: Path) -> None:
    shutil.copytree(lake.output, tmp_path / "output")
    lost = Lake(tmp_path / "output")
    for file in (tmp_path / "output" / "records").rglob(f"distribution_date={DATES[1]}/*.parquet"):
        file.unlink()
    explanation = explained(lost, DATES[1], "classes", KEY, "ending_balance")
    (report,) = explanation.reports
    assert (report.status, report.cells) == ("records_lost", ())
    assert report.value == parse(PRINTED[1].classes[0].ending_balance)
    assert "the records of this report are lost: run `etl run` over it again" in shown(explanation)
    (whole_report,) = explained(lost, DATES[2], "classes", KEY, "ending_balance").reports
    assert whole_report.status == "reported"
