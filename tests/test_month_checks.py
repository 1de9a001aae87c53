"""From one distribution to the next: one lake, in which each deal has one thing wrong, or nothing.

A story takes the months of a generated deal, whose reports follow from one another, and tells what it changes; what
has to break is written beside it.
"""

from __future__ import annotations

import datetime as dt
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import count, islice
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from etl import run
from etl.deals import deal_slug
from etl.identities import catalogue
from etl.lake import Lake
from etl.lake_checks import LakeChecks, check_lake
from etl.month_checks import pair_reports

from .kit import Report, make_deal, render, simulate
from .kit.figures import parse, whole
from .kit.report import ClassRow

BETWEEN = {check.name for check in catalogue().between}

Months = Sequence[Report]
# The month that breaks (from 0), check, subject, and by how much (None: no number).
Break = tuple[int, str, str, int | None]


def amount(text: str) -> int:
    return int(parse(text) or 0)


def plus(text: str, change: int) -> str:
    """The printed amount, so much larger."""
    return whole(amount(text) + change)


def with_class(report: Report, key: str, change: Callable[[ClassRow], ClassRow]) -> Report:
    """The report with another row for one class."""
    return replace(report, classes=tuple(change(row) if row.class_id == key else row for row in report.classes))


def without_class(report: Report, key: str) -> Report:
    return replace(report, classes=tuple(row for row in report.classes if row.class_id != key))


def without_first_group(report: Report) -> Report:
    return replace(report, pools=report.pools[1:], loans=report.loans[1:])


def with_measure(report: Report, name: str, change: int) -> Report:
    measures = tuple((measure, plus(text, change) if measure == name else text) for measure, text in report.measures)
    return replace(report, measures=measures)


def class_row(report: Report, key: str) -> ClassRow:
    return next(row for row in report.classes if row.class_id == key)


def on(report: Report, day: dt.date) -> Report:
    return replace(report, distribution_date=day)


# --- stories ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Story:
    """What is printed instead of the months of a deal, and what breaks by that."""

    change: Callable[[Months], Months]
    breaks: Callable[[Months], list[Break]] = lambda _: []


def from_third(change: Callable[[Report], Report]) -> Callable[[Months], Months]:
    """Change the third month and all that follow."""
    return lambda months: [*months[:2], *map(change, months[2:])]


def only_third(change: Callable[[Report], Report]) -> Callable[[Months], Months]:
    return lambda months: [*months[:2], change(months[2]), *months[3:]]


def other_cusip(row: ClassRow) -> ClassRow:
    return replace(row, cusip="037833100")


def larger_original(row: ClassRow) -> ClassRow:
    return replace(row, original_balance=plus(row.original_balance, 5_000))


def larger_beginning(row: ClassRow) -> ClassRow:
    return replace(row, beginning_balance=plus(row.beginning_balance, 1_000))


def larger_pool(report: Report) -> Report:
    first = report.pools[0]
    return replace(
        report, pools=(replace(first, beginning_balance=plus(first.beginning_balance, -70)), *report.pools[1:])
    )


def a_day_later(months: Months) -> Months:
    return [*months[:2], on(months[2], months[2].distribution_date + dt.timedelta(1)), *months[3:]]


def three_months_apart(months: Months) -> Months:
    """The same reports, dated three months apart, on a Monday to Friday."""
    days = [dt.date(2003, 1, 15), dt.date(2003, 4, 15), dt.date(2003, 7, 15), dt.date(2003, 10, 15)]
    return [on(month, day) for month, day in zip(months, days, strict=False)]


def quarterly(months: Months) -> Months:
    """The same with interest for three months: by 30/360 where it was so, else for the days by the calendar."""
    dated = three_months_apart(months)
    spans = [90, *(days(dated, at) for at in range(1, len(dated)))]
    return [
        replace(report, classes=tuple(for_a_quarter(row, span) for row in report.classes))
        for report, span in zip(dated, spans, strict=True)
    ]


def for_a_quarter(row: ClassRow, by_calendar: int) -> ClassRow:
    yearly = (parse(row.beginning_balance) or Decimal(0)) * (parse(row.pass_through_rate) or Decimal(0))
    nominal = abs(amount(row.interest_distribution) - yearly * 30 / 360) < 1
    return replace(row, interest_distribution=whole(round(yearly * (90 if nominal else by_calendar) / 360)))


STORIES = {
    "nothing is wrong": Story(lambda months: months),
    "a balance in one month": Story(
        only_third(lambda report: with_class(report, "M-1", larger_beginning)),
        lambda _: [(2, "class_balance_continues", "M-1", 1_000)],
    ),
    "the balance of a loan group": Story(
        only_third(larger_pool), lambda _: [(2, "pool_balance_continues", "GROUP 1", -70)]
    ),
    "another CUSIP from the third month on": Story(
        from_third(lambda report: with_class(report, "M-1", other_cusip)),
        lambda _: [(2, "identifiers_stay", "M-1", None)],
    ),
    "another CUSIP in one month": Story(
        only_third(lambda report: with_class(report, "M-1", other_cusip)),
        lambda _: [(2, "identifiers_stay", "M-1", None), (3, "identifiers_stay", "M-1", None)],
    ),
    "another original balance": Story(
        from_third(lambda report: with_class(report, "M-1", larger_original)),
        lambda _: [(2, "original_balance_stays", "M-1", 5_000)],
    ),
    "losses to date that fall": Story(
        only_third(lambda report: with_measure(report, "realized_losses_cumulative", -900_000)),
        lambda months: [
            (2, "losses_never_fall", "realized_losses_cumulative", losses(months, 2) - 900_000),
            (2, "losses_add_up", "realized_losses_cumulative", -900_000),
            (3, "losses_add_up", "realized_losses_cumulative", 900_000),
        ],
    ),
    "a month is missing": Story(
        lambda months: [*months[:2], *months[3:]], lambda _: [(2, "no_month_missing", "report", 1)]
    ),
    "two months are missing": Story(
        lambda months: [*months[:2], *months[4:]], lambda _: [(2, "no_month_missing", "report", 2)]
    ),
    "two reports alone, three months apart": Story(
        lambda months: [months[0], months[3]], lambda _: [(1, "no_month_missing", "report", 2)]
    ),
    "a CUSIP changes while a month is missing": Story(
        lambda months: [*months[:2], *(with_class(month, "M-1", other_cusip) for month in months[3:])],
        lambda _: [(2, "no_month_missing", "report", 1), (2, "identifiers_stay", "M-1", None)],
    ),
    "a quarterly deal": Story(lambda months: quarterly(months[:4])),
    "two quarterly reports alone": Story(lambda months: quarterly(months[:2])),
    "a monthly deal of which every third report is there": Story(
        lambda months: three_months_apart(months[:4]),
        lambda _: [(at, "no_month_missing", "report", 2) for at in (1, 2, 3)],
    ),
    "two reports of a date": Story(
        lambda months: [*months[:3], with_measure(months[2], "servicing_fee", 1), *months[3:]],
        lambda _: [(2, "one_report_a_distribution", "report", None), (3, "one_report_a_distribution", "report", None)],
    ),
    "two dates in a month": Story(
        lambda months: [*months[:3], on(months[2], months[2].distribution_date + dt.timedelta(1)), *months[3:]],
        lambda _: [
            (2, "one_report_a_distribution", "report", None),
            (3, "one_report_a_distribution", "report", None),
            (3, "accrual_days_are_the_days_between", "report", -1),
            (4, "accrual_days_are_the_days_between", "report", 1),
        ],
    ),
    "a corrected balance in a second report of a date": Story(
        lambda months: [*months[:3], with_class(months[2], "M-1", larger_beginning), *months[3:]],
        lambda _: [
            (3, "class_balance_continues", "M-1", 1_000),
            (2, "one_report_a_distribution", "report", None),
            (3, "one_report_a_distribution", "report", None),
        ],
    ),
    "a CUSIP that the second of two dates in a month changes": Story(
        lambda months: [
            *months[:3],
            on(with_class(months[2], "M-1", other_cusip), months[2].distribution_date + dt.timedelta(1)),
        ],
        lambda _: [
            (2, "one_report_a_distribution", "report", None),
            (3, "one_report_a_distribution", "report", None),
            (3, "accrual_days_are_the_days_between", "report", -1),
            *[(3, "identifiers_stay", "M-1", None)] * 2,
        ],
    ),
    "a class that goes with a balance": Story(
        from_third(lambda report: without_class(report, "M-1")),
        lambda months: [(2, "same_classes", "M-1", -amount(class_row(months[1], "M-1").ending_balance))],
    ),
    "a loan group that goes with a balance": Story(
        from_third(without_first_group),
        lambda months: [(2, "same_groups", "GROUP 1", -amount(months[1].pools[0].ending_balance))],
    ),
    "a loan group that comes": Story(
        lambda months: [*map(without_first_group, months[:2]), *months[2:]],
        lambda _: [(2, "same_groups", "GROUP 1", None)],
    ),
    "a class that goes without one": Story(from_third(lambda report: without_class(report, "R"))),
    "a class that comes": Story(
        lambda months: [*(without_class(month, "M-1") for month in months[:2]), *months[2:]],
        lambda _: [(2, "same_classes", "M-1", None)],
    ),
    "a report of the day after": Story(
        a_day_later,
        lambda _: [
            (2, "accrual_days_are_the_days_between", "report", -1),
            (3, "accrual_days_are_the_days_between", "report", 1),
        ],
    ),
}


def losses(months: Months, at: int) -> int:
    return amount(months[at].measure("realized_losses_current"))


def days(months: Months, at: int) -> int:
    return (months[at].distribution_date - months[at - 1].distribution_date).days


def can_tell(months: Months) -> bool:
    """Whether all stories can be told of this deal: it has a mezzanine class, two loan groups and a month that is
    not of 30 days."""
    third = months[2].distribution_date
    return (
        any(row.class_id == "M-1" for row in months[0].classes)
        and len(months[0].pools) > 2  # the total is one of them
        and third.weekday() < 4
        and months[1].distribution_date.weekday() < 4
        and 30 not in (days(months, 2), days(months, 3))
        and losses(months, 2) < 900_000
    )


def _deals() -> dict[str, list[Report]]:
    """The months of a deal for each story."""
    fitting = (months for seed in count() if can_tell(months := simulate(make_deal(seed), 5)))
    return dict(zip(STORIES, islice(fitting, len(STORIES)), strict=True))


DEALS = _deals()
PRINTED = {name: list(story.change(DEALS[name])) for name, story in STORIES.items()}
SLUGS = {name: deal_slug(months[0].heading.deal_name) for name, months in DEALS.items()}


# --- the lake ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def inbox(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("months") / "inbox"
    folder.mkdir()
    for deal, months in enumerate(PRINTED.values()):
        for number, report in enumerate(months):
            (folder / f"{deal:02d}-{number}.txt").write_text(render(report))
    return folder


@pytest.fixture(scope="module")
def lake(inbox: Path) -> Lake:
    summary = run([inbox], inbox.parent / "output")
    assert summary.rejects == []
    return Lake(inbox.parent / "output")


@pytest.fixture(scope="module")
def checked(lake: Lake) -> LakeChecks:
    return check_lake(lake)


def broken(checked: LakeChecks, name: str) -> list[dict[str, Any]]:
    """The checks between distributions that break in the deal of a story."""
    return [row for row in checked.breaks if row["check"] in BETWEEN and row["deal"] == SLUGS[name]]


def place(row: Mapping[str, Any]) -> int:
    """Which of the deal's printed reports a row speaks of."""
    return int(Path(row["source"]).stem.partition("-")[2])


@pytest.mark.parametrize("name", STORIES)
def test_what_is_wrong_breaks_and_nothing_else(checked: LakeChecks, name: str) -> None:
    found = [
        (place(row), row["check"], row["subject"], None if row["difference"] is None else int(row["difference"]))
        for row in broken(checked, name)
    ]
    assert sorted(found, key=str) == sorted(STORIES[name].breaks(DEALS[name]), key=str)


def test_a_break_shows_both_figures_and_their_lines(checked: LakeChecks) -> None:
    name = "a balance in one month"
    (row,) = broken(checked, name)
    before, here = PRINTED[name][1:3]
    ended, begins = class_row(before, "M-1").ending_balance, class_row(here, "M-1").beginning_balance
    assert (row["expected"], row["actual"], row["tolerance"]) == (amount(ended), amount(begins), 0)
    assert f"beginning_balance {begins} (line " in row["explanation"]
    assert f"previous ending_balance {ended} (line " in row["explanation"]
    (line,) = [
        number for number, text in enumerate(render(here).split("\n"), 1) if text.split()[:3:2] == ["M-1", begins]
    ]
    (line_before,) = [
        number for number in range(1, 400) if f"previous ending_balance {ended} (line {number})" in row["explanation"]
    ]
    assert f"beginning_balance {begins} (line {line})" in row["explanation"]
    assert ended in render(before).split("\n")[line_before - 1]


def test_a_changed_identifier_shows_both(checked: LakeChecks) -> None:
    name = "another CUSIP from the third month on"
    (row,) = broken(checked, name)
    before = class_row(PRINTED[name][1], "M-1").cusip
    assert "cusip is 037833100 (line " in row["explanation"]
    assert f"it was {before} (line " in row["explanation"]


@pytest.mark.parametrize(
    ("name", "missing"),
    [
        ("a month is missing", [2]),
        ("two months are missing", [2, 3]),
        ("two reports alone, three months apart", [1, 2]),
    ],
)
def test_missing_months_are_named(checked: LakeChecks, name: str, missing: list[int]) -> None:
    (row,) = broken(checked, name)
    months = [f"{DEALS[name][at].distribution_date:%Y-%m}" for at in missing]
    before = DEALS[name][missing[0] - 1].distribution_date
    assert row["explanation"] == f"no report for {', '.join(months)}; the one before is of {before}"
    assert (row["expected"], row["actual"]) == (1, 1 + len(missing))


def test_reports_of_a_date_name_one_another(checked: LakeChecks) -> None:
    rows = broken(checked, "two reports of a date")
    first, second = rows
    assert f"another report of this distribution: {second['report_id']} of " in first["explanation"]
    assert f"another report of this distribution: {first['report_id']} of " in second["explanation"]


def test_everything_else_was_compared(lake: Lake) -> None:
    """The clean deal has a check for each class, group, measure and step."""
    name = "nothing is wrong"
    alone = check_lake(lake, [SLUGS[name]]).between_reports
    steps, report = len(PRINTED[name]) - 1, PRINTED[name][0]
    classes, groups = len(report.classes), len(report.pools)
    assert {outcome for _, outcome in alone} == {"pass"}
    assert alone["class_balance_continues", "pass"] == steps * classes
    assert alone["original_balance_stays", "pass"] == steps * classes
    assert alone["pool_balance_continues", "pass"] == steps * groups
    assert alone["losses_never_fall", "pass"] == alone["losses_add_up", "pass"] == steps
    assert alone["identifiers_stay", "pass"] == alone["same_classes", "pass"] == steps * classes
    assert alone["no_month_missing", "pass"] == steps
    assert alone["one_report_a_distribution", "pass"] == steps + 1
    assert alone["accrual_days_are_the_days_between", "pass"] == sum(
        days(PRINTED[name], at) != 30 for at in (1, 2, 3, 4)
    )


def test_nothing_is_compared_over_a_missing_month_but_what_stays(lake: Lake) -> None:
    """Of four reports with one month missing, two steps have a report before; three have one some time before."""
    counts = check_lake(lake, [SLUGS["a month is missing"]]).between_reports
    classes = len(PRINTED["a month is missing"][0].classes)
    assert counts["class_balance_continues", "pass"] == 2 * classes
    assert counts["original_balance_stays", "pass"] == 3 * classes


# --- the same, in any order and in any chunks ---------------------------------------------------------------------


@pytest.mark.parametrize("reports_at_a_time", [1, 3, 7, 1000])
def test_chunks_do_not_matter(lake: Lake, checked: LakeChecks, reports_at_a_time: int) -> None:
    assert check_lake(lake, reports_at_a_time=reports_at_a_time) == checked


def test_the_order_of_the_inbox_does_not_matter(inbox: Path, tmp_path: Path, checked: LakeChecks) -> None:
    """Read in two runs, the later reports first."""
    files = sorted(inbox.iterdir(), reverse=True)
    later = [file for file in files if int(file.stem.partition("-")[2]) > 1]
    run(later, tmp_path / "output")
    run([file for file in files if file not in later], tmp_path / "output")
    again = check_lake(Lake(tmp_path / "output"))
    assert [_bare(row) for row in again.breaks] == [_bare(row) for row in checked.breaks]
    assert again.between_reports == checked.between_reports
    assert again.within_reports == checked.within_reports


def _bare(row: Mapping[str, Any]) -> dict[str, Any]:
    """A break without the words of its explanation, which name the source as it was given."""
    return {name: value for name, value in row.items() if name not in ("source", "explanation")}


def test_a_lake_counts_its_deals_and_reports(checked: LakeChecks) -> None:
    assert (checked.deals, checked.reports) == (len(STORIES), sum(map(len, PRINTED.values())))


# --- intervals ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("steps", "interval"),
    [
        ((1, 1, 1), 1), ((1, 2, 1), 1), ((2, 2, 2), 1), ((3, 3, 3), 3), ((3, 6, 3), 3), ((3, 3), 3), ((3, 4), 1),
        ((6, 6), 6), ((6, 12), 1), ((1, 3, 3, 3), 3), ((12, 12, 12), 12), ((3,), 1), ((12,), 1), ((1,), 1),
    ],
)  # fmt: skip
def test_the_interval_of_a_deal_is_its_most_frequent_step(steps: tuple[int, ...], interval: int) -> None:
    """Where the reports have no interest by which the days can be told."""
    months = [sum(steps[:number]) for number in range(len(steps) + 1)]
    dates = [dt.date(2003 + month // 12, month % 12 + 1, 25) for month in months]
    reports = pl.DataFrame(
        {
            "document": range(len(dates)),
            "deal": "a",
            "distribution_date": dates,
            "report_id": [str(date) for date in dates],
            "source": [f"{date}.txt" for date in dates],
        },
        schema_overrides={"document": pl.UInt32},
    )
    nothing = pl.DataFrame(schema={"document": pl.UInt32, "days": pl.Int32})
    pairs = pair_reports(reports, nothing)
    assert pairs["months"].to_list() == list(steps)
    assert set(pairs["interval"]) == {interval}


def test_amounts_are_decimals(checked: LakeChecks) -> None:
    (row,) = broken(checked, "a balance in one month")
    assert isinstance(row["difference"], Decimal)


# --- lost files -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("table", ["records", "checks", "classes", "pools", "delinquencies", "measures", "triggers"])
def test_a_report_that_lost_a_table_says_which(lake: Lake, tmp_path: Path, table: str) -> None:
    slug = SLUGS["nothing is wrong"]
    output = tmp_path / "output"
    shutil.copytree(lake.output, output)
    day = DEALS["nothing is wrong"][2].distribution_date
    for file in (output / table).rglob(f"deal={slug}/distribution_date={day}/*.parquet"):
        file.unlink()
    found = check_lake(Lake(output), [slug])
    lost = [row for row in found.breaks if row["check"] == "tables_are_whole"]
    assert [(row["distribution_date"], row["subject"], row["difference"]) for row in lost] == [(day, "report", None)]
    assert lost[0]["explanation"] == f"the report has no rows in {table} any more: run `etl run` over it again"
    assert found.between_reports["tables_are_whole", "pass"] == found.reports - 1 == 4


def test_all_lost_tables_are_named_in_one_break(lake: Lake, tmp_path: Path) -> None:
    slug = SLUGS["nothing is wrong"]
    shutil.copytree(lake.output, tmp_path / "output")
    for table in ("pools", "classes", "measures"):
        shutil.rmtree(tmp_path / "output" / table / f"deal={slug}")
    found = check_lake(Lake(tmp_path / "output"), [slug])
    said = {row["explanation"] for row in found.breaks if row["check"] == "tables_are_whole"}
    assert {text.partition(" any more")[0] for text in said} == {"the report has no rows in classes, measures, pools"}
    assert found.between_reports["tables_are_whole", "fail"] == found.reports


# --- many reports of a date -----------------------------------------------------------------------------------------

MANY = 60


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A deal with sixty reports of one date, and sixty of the next, which differ in the servicing fee only."""
    folder = tmp_path_factory.mktemp("crowded")
    (folder / "inbox").mkdir()
    for month, report in enumerate(simulate(make_deal(0), 2)):
        for number in range(MANY):
            text = render(with_measure(report, "servicing_fee", number))
            (folder / "inbox" / f"{month}-{number}.txt").write_text(text)
    summary = run([folder / "inbox"], folder / "output")
    assert summary.reports_read == 2 * MANY
    return Lake(folder / "output")


def test_many_reports_of_a_date_are_bounded_in_time(crowded: Lake) -> None:
    """Each is held against five of the date before, not against sixty."""
    classes = len(simulate(make_deal(0), 1)[0].classes)
    start = time.perf_counter()
    found = check_lake(crowded)
    assert time.perf_counter() - start < 10
    assert found.between_reports["class_balance_continues", "pass"] == MANY * 5 * classes
    # What stays is compared with the one before of the same date too.
    assert found.between_reports["original_balance_stays", "pass"] == (MANY * 5 + 2 * (MANY - 1)) * classes
    assert {row["check"] for row in found.breaks} == {"one_report_a_distribution"}


def test_of_many_reports_of_a_date_some_name_one_another(crowded: Lake) -> None:
    rows = check_lake(crowded).breaks
    assert len(rows) == 2 * MANY
    assert max(row["explanation"].count("another report of this distribution: ") for row in rows) <= 10
    assert {row["difference"] for row in rows} == {None}
