"""What moved between two distributions: against sums of what the kit prints, done here by hand."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from etl import LakeError, UsageError, run
from etl.identities import catalogue
from etl.lake import Lake
from etl.movements import CLASS_FLOWS, COMPARED, OC_FLOWS, POOL_FLOWS, Flow, Movements, movements

from .editing import without_line
from .kit import Report, make_deal, render, simulate, truth
from .processes import call_etl
from .reading import KEYS

Rows = dict[tuple[Any, ...], dict[str, Any]]
MONTHS = 4


def write_lake(folder: Path, reports: Sequence[Report | str]) -> Lake:
    """A lake of these reports, or texts."""
    inbox = folder / "inbox"
    inbox.mkdir(parents=True)
    for number, report in enumerate(reports):
        text = report if isinstance(report, str) else render(report)
        (inbox / f"{number}.txt").write_text(text)
    summary = run([inbox], folder / "output")
    assert summary.rejected == 0, summary.rejects
    return Lake(folder / "output")


def between(lake: Lake, reports: Sequence[Report], first: int, last: int, *ids: str) -> Movements:
    days = [str(report.distribution_date) for report in reports]
    return movements(lake, days[first], days[last], report_ids=ids)


@pytest.mark.parametrize("table", ["pools", "classes", "records"])
def test_nothing_is_added_up_over_a_lost_file(tmp_path: Path, table: str) -> None:
    reports = simulate(make_deal(3), 3)
    lake = write_lake(tmp_path, reports)
    date = reports[1].distribution_date
    next((lake.output / table).glob(f"deal=*/distribution_date={date}/*.parquet")).unlink()
    with pytest.raises(LakeError, match=rf"{table}.*distribution_date={date}.*are lost"):
        between(lake, reports, 0, 2)


def by_key(name: str, frame: pl.DataFrame) -> Rows:
    return {tuple(row[part] for part in KEYS[name]): row for row in frame.to_dicts()}


def printed(report: Report, name: str) -> Rows:
    return {tuple(row[part] for part in KEYS[name]): row for row in truth(report)[name]}


def added(rows: Sequence[Mapping[str, Any]], field: str) -> Decimal | None:
    """The sum of what is printed, None where nothing is."""
    values = [row[field] for row in rows if row[field] is not None]
    return sum(values, Decimal(0)) if values else None


def zero(value: Decimal | None) -> Decimal:
    return value or Decimal(0)


def with_class(report: Report, class_id: str, **cells: str) -> Report:
    """The report with other cells of a class."""
    rows = tuple(replace(row, **cells) if row.class_id == class_id else row for row in report.classes)
    assert rows != report.classes
    return replace(report, classes=rows)


def with_measure(report: Report, name: str, value: str) -> Report:
    return replace(report, measures=tuple((known, value if known == name else was) for known, was in report.measures))


def figure(text: str) -> int:
    return int(text.replace(",", ""))


# --- it adds up as the model says ---------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(12))
def test_adjacent_months_and_months_apart_add_up(tmp_path: Path, seed: int) -> None:
    reports = simulate(make_deal(seed), MONTHS)
    lake = write_lake(tmp_path, reports)
    for first, last in ((0, 1), (2, 3), (0, MONTHS - 1)):
        moved = between(lake, reports, first, last)
        assert (moved.before.distribution_date, moved.after.distribution_date) == tuple(
            reports[place].distribution_date for place in (first, last)
        )
        assert len(moved.between) == last - first - 1
        assert moved.gaps == ()
        _compare_classes(moved, reports[first : last + 1])
        _compare_pools(moved, reports[first : last + 1])
        _compare_others(moved, reports[first], reports[last])


def _compare_classes(moved: Movements, reports: Sequence[Report]) -> None:
    before, *since = (printed(report, "classes") for report in reports)
    increase, release = (
        sum((printed(report, "measures")["TOTAL", name]["value"] for report in reports[1:]), Decimal(0))
        for name in ("oc_increase", "oc_release")
    )
    found = by_key("classes", moved.classes)
    assert found.keys() == before.keys()
    for key, row in found.items():
        flows = [rows[key] for rows in since]
        was, now = before[key], since[-1][key]
        assert (row["ending_balance_before"], row["ending_balance_after"]) == (
            was["ending_balance"],
            now["ending_balance"],
        )
        assert row["ending_balance_change"] == now["ending_balance"] - was["ending_balance"]
        assert (row["pass_through_rate_before"], row["pass_through_rate_after"]) == (
            was["pass_through_rate"],
            now["pass_through_rate"],
        )
        for field in ("principal_distribution", "realized_loss", "interest_distribution"):
            assert row[field] == added(flows, field), (key, field)
        assert row["deferred_interest"] is None
        if now["class_type"] == "notional":
            assert (row["outcome"], row["difference"], row["expected"]) == ("not_applicable", None, None)
            assert "notional" in row["reason"]
            continue
        if now["class_type"] == "over_collateralization":
            assert (row["oc_increase"], row["oc_release"]) == (increase, release)
            follows = was["ending_balance"] + increase - release
        else:
            assert (row["oc_increase"], row["oc_release"]) == (None, None)
            follows = was["ending_balance"] - row["principal_distribution"] - zero(row["realized_loss"])
        assert (row["expected"], row["difference"]) == (follows, now["ending_balance"] - follows)
        assert (row["outcome"], row["reason"], row["only_in"]) == ("pass", None, None), key


def _compare_pools(moved: Movements, reports: Sequence[Report]) -> None:
    before, *since = (printed(report, "pools") for report in reports)
    found = by_key("pools", moved.pools)
    assert found.keys() == before.keys()
    for key, row in found.items():
        flows, was, now = [rows[key] for rows in since], before[key], since[-1][key]
        assert row["total_principal"] == added(flows, "total_principal")
        assert row["realized_loss"] == added(flows, "realized_loss")
        assert row["ending_balance_change"] == now["ending_balance"] - was["ending_balance"]
        assert row["ending_balance_change"] == -row["total_principal"] - row["realized_loss"]
        assert row["ending_count_change"] == now["ending_count"] - was["ending_count"]
        assert (row["outcome"], row["difference"]) == ("pass", 0)


def _compare_others(moved: Movements, before: Report, after: Report) -> None:
    compared = {
        "delinquencies": ("loan_count", "balance"),
        "measures": ("value",),
        "triggers": ("occurred", "test_value", "threshold"),
    }
    for name, fields in compared.items():
        was, now = printed(before, name), printed(after, name)
        found = by_key(name, moved.tables[name])
        assert found.keys() == was.keys() | now.keys()
        for key, row in found.items():
            assert row["changed"] == any(was[key][field] != now[key][field] for field in fields)
            for field in fields:
                assert (row[f"{field}_before"], row[f"{field}_after"]) == (was[key][field], now[key][field])
                if field != "occurred" and was[key][field] is not None:
                    assert row[f"{field}_change"] == now[key][field] - was[key][field]


def test_the_flows_are_those_of_the_declared_identities() -> None:
    declared = {identity.name: identity.formula.text for identity in catalogue().identities}

    def spelled(flows: Sequence[Flow], table: str = "") -> str:
        terms = [f"{'+' if flow.adds else '-'} {table}{flow.field}{'' if flow.needed else '?'}" for flow in flows]
        return " ".join(["ending_balance = beginning_balance", *terms])

    assert declared["class_roll_forward"] == spelled(CLASS_FLOWS)
    assert declared["oc_class_roll_forward"] == spelled(OC_FLOWS, "measures.")
    assert declared["pool_roll_forward"] == spelled(POOL_FLOWS)


# --- it does not -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("last", "by", "outcome"),
    [
        # whole dollars: both balances and one payment may be off by a half each, so by 1.5 together
        (1, 1, "rounding"),
        (1, -1, "rounding"),
        (1, 2, "fail"),
        (1, 1_000_000, "fail"),
        # two payments: 2
        (2, 2, "rounding"),
        (2, -3, "fail"),
    ],
)
def test_a_balance_that_does_not_follow_is_told_with_its_size(tmp_path: Path, last: int, by: int, outcome: str) -> None:
    reports = simulate(make_deal(5), MONTHS)
    row = next(row for row in reports[last].classes if row.class_id == "A-1")
    wrong = with_class(reports[last], "A-1", ending_balance=f"{figure(row.ending_balance) + by:,}")
    moved = between(write_lake(tmp_path, [*reports[:last], wrong]), reports, 0, last)
    found = by_key("classes", moved.classes)
    assert (found["A-1",]["outcome"], found["A-1",]["difference"]) == (outcome, by)
    assert found["A-1",]["tolerance"] == Decimal("0.5") * (2 + last)
    assert {key for (key,), row in found.items() if row["outcome"] != "pass"} == {"A-1"}


def test_balances_that_nothing_moved_must_be_alike(tmp_path: Path) -> None:
    reports = simulate(make_deal(5), 2)
    row = next(row for row in reports[1].classes if row.class_id == "M-1")
    assert row.principal_distribution == "0"
    wrong = with_class(reports[1], "M-1", ending_balance=f"{figure(row.ending_balance) + 1:,}")
    moved = between(write_lake(tmp_path, [reports[0], wrong]), reports, 0, 1)
    found = by_key("classes", moved.classes)["M-1",]
    assert (found["outcome"], found["difference"], found["tolerance"]) == ("fail", 1, 0)


def test_the_tolerance_follows_from_the_printed_decimals(tmp_path: Path) -> None:
    reports = simulate(make_deal(5), 2)
    row = next(row for row in reports[1].classes if row.class_id == "A-1")
    cents = with_class(reports[1], "A-1", principal_distribution=f"{row.principal_distribution}.25")
    moved = between(write_lake(tmp_path, [reports[0], cents]), reports, 0, 1)
    found = by_key("classes", moved.classes)["A-1",]
    assert (found["outcome"], found["difference"]) == ("rounding", Decimal("0.25"))
    assert found["tolerance"] == Decimal("1.005")


def test_losses_are_taken_off_and_are_needed(tmp_path: Path) -> None:
    reports = simulate(make_deal(5), 3)
    last = next(row for row in reports[2].classes if row.class_id == "M-1")
    lost = [
        reports[0],
        with_class(reports[1], "M-1", realized_loss="700.00"),
        with_class(
            reports[2], "M-1", realized_loss="300.00", ending_balance=f"{figure(last.ending_balance) - 1_000:,}"
        ),
    ]
    found = by_key("classes", between(write_lake(tmp_path, lost), reports, 0, 2).classes)["M-1",]
    assert (found["realized_loss"], found["outcome"], found["difference"]) == (1_000, "pass", 0)


@pytest.mark.parametrize("seed", [0, 9])  # builds up, releases
def test_over_collateralization_that_does_not_follow_is_told(tmp_path: Path, seed: int) -> None:
    reports = simulate(make_deal(seed), 3)
    name = "oc_increase" if seed == 0 else "oc_release"
    amount = figure(reports[1].measure(name))
    assert amount > 0
    wrong = with_measure(reports[1], name, f"{amount + 5_000:,}")
    moved = between(write_lake(tmp_path, [reports[0], wrong, reports[2]]), reports, 0, 2)
    found = by_key("classes", moved.classes)["X",]
    assert (found["outcome"], found["difference"]) == ("fail", -5_000 if seed == 0 else 5_000)


def test_a_wrong_group_is_told(tmp_path: Path) -> None:
    reports = simulate(make_deal(5), 2)
    pools = list(reports[1].pools)
    pools[0] = replace(pools[0], total_principal=f"{figure(pools[0].total_principal) + 90:,}")
    moved = between(write_lake(tmp_path, [reports[0], replace(reports[1], pools=tuple(pools))]), reports, 0, 1)
    outcomes = {key: (row["outcome"], row["difference"]) for (key,), row in by_key("pools", moved.pools).items()}
    assert outcomes == {"GROUP 1": ("fail", 90), "GROUP 2": ("pass", 0), "TOTAL": ("pass", 0)}


# --- it cannot be added up ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kept", [(0, 1, 3), (0, 2), (0, 3)])
def test_a_report_that_is_missing_in_between(tmp_path: Path, kept: Sequence[int]) -> None:
    every = simulate(make_deal(6), MONTHS)
    reports = [every[place] for place in kept]
    lake = write_lake(tmp_path, reports)
    moved = between(lake, reports, 0, len(reports) - 1)
    ends = [report.distribution_date for report in reports[-2:]]
    assert [[gap.after, gap.before] for gap in moved.gaps] == [ends]
    for name, flow in (("classes", "principal_distribution"), ("pools", "total_principal")):
        rows = moved.tables[name]
        assert rows["outcome"].unique().to_list() == ["not_applicable"]
        assert rows[flow].null_count() == rows.height
        assert rows["ending_balance_change"].null_count() == 0
    reasons = by_key("classes", moved.classes)
    assert reasons["A-1",]["reason"] == f"a report is missing between {ends[0]} and {ends[1]}"
    assert "notional" in reasons["A-IO",]["reason"]
    if len(reports) > 2:  # a step without a gap adds up as ever
        assert between(lake, reports, 0, 1).gaps == ()
        _compare_classes(between(lake, reports, 0, 1), reports[:2])


def test_two_distributions_in_a_month_are_not_added_up(tmp_path: Path) -> None:
    """A report that is filed again with another date."""
    reports = simulate(make_deal(6), 3)
    day = reports[1].distribution_date
    again = replace(reports[1], distribution_date=day + dt.timedelta(days=1))
    lake = write_lake(tmp_path, [*reports, again])
    moved = between(lake, reports, 0, 2)
    assert [(gap.after, gap.before) for gap in moved.gaps] == [(day, again.distribution_date)]
    row = by_key("pools", moved.pools)["TOTAL",]
    assert (row["outcome"], row["total_principal"]) == ("not_applicable", None)
    said = f"{day} and {again.distribution_date} are less than half a month apart, so one may repeat the other"
    assert row["reason"] == moved.gaps[0].reason == said
    _compare_pools(between(lake, reports, 0, 1), reports[:2])
    _compare_pools(between(lake, [again, reports[2]], 0, 1), reports[1:])


def test_a_class_that_is_in_one_report_only(tmp_path: Path) -> None:
    full = simulate(make_deal(6), 2)
    for place, word in ((0, "new"), (1, "gone")):
        reports = list(full)
        fewer = tuple(row for row in full[place].classes if row.class_id != "M-2")
        reports[place] = replace(full[place], classes=fewer)
        moved = between(write_lake(tmp_path / word, reports), reports, 0, 1)
        found = by_key("classes", moved.classes)
        other = reports[1 - place].distribution_date
        row = found["M-2",]
        assert row["only_in"] == other
        assert (row["outcome"], row["reason"]) == ("not_applicable", f"only in the report of {other}")
        assert (row["ending_balance_before"] is None) == (word == "new")
        assert (row["ending_balance_after"] is None) == (word == "gone")
        assert list(found)[-1] == ("TOTAL",)
        assert found["M-1",]["outcome"] == "pass"


def test_a_class_that_a_report_in_between_leaves_out(tmp_path: Path) -> None:
    reports = simulate(make_deal(6), 3)
    fewer = replace(reports[1], classes=tuple(row for row in reports[1].classes if row.class_id != "M-2"))
    moved = between(write_lake(tmp_path, [reports[0], fewer, reports[2]]), reports, 0, 2)
    row = by_key("classes", moved.classes)["M-2",]
    day = reports[1].distribution_date
    assert (row["outcome"], row["reason"]) == ("not_applicable", f"not printed: principal_distribution of {day}")
    assert (row["principal_distribution"], row["interest_distribution"]) == (None, None)


def test_nothing_is_dropped(tmp_path: Path) -> None:
    """Each report lacks a class, a group and a measure that the other has."""
    first, last = simulate(make_deal(2), 2)

    def lacking(report: Report, class_id: str, group: int) -> Report:
        return replace(
            report,
            classes=tuple(row for row in report.classes if row.class_id != class_id),
            pools=tuple(pool for place, pool in enumerate(report.pools) if place != group),
            loans=tuple(table for place, table in enumerate(report.loans) if place != group),
        )

    reports = [lacking(first, "M-1", 2), lacking(last, "M-3", 1)]
    labels = {"oc_target": "O/C Target Amt", "oc_excess": "Excess O/C Amt"}
    texts = [without_line(render(report), label) for report, label in zip(reports, labels.values(), strict=True)]
    moved = between(write_lake(tmp_path, texts), reports, 0, 1)
    for name in COMPARED:
        was, now = (printed(report, name) for report in reports)
        for rows, measure in zip((was, now), labels, strict=True):
            rows.pop(("TOTAL", measure), None)
        found = by_key(name, moved.tables[name])
        assert found.keys() == was.keys() | now.keys()
        assert moved.tables[name].height == len(found)
        for key, row in found.items():
            days = [report.distribution_date for report, rows in zip(reports, (was, now), strict=True) if key in rows]
            assert row["only_in"] == (days[0] if len(days) == 1 else None)
            assert row.get("changed", True) or key in was.keys() & now.keys()
    assert moved.classes.filter(class_key="M-1")["only_in"].item() == last.distribution_date


# --- which reports ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def months() -> list[Report]:
    return simulate(make_deal(7), 3)


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory, months: list[Report]) -> Lake:
    """A lake of one deal with two reports of its second date."""
    corrected = with_measure(months[1], "servicing_fee", "1")
    return write_lake(tmp_path_factory.mktemp("several"), [*months, corrected])


def test_several_reports_of_a_date_are_not_chosen_from(several: Lake, months: list[Report]) -> None:
    ids = several.read("reports", dates=[months[1].distribution_date])["report_id"].to_list()
    assert len(ids) == 2
    for first, last in ((0, 1), (1, 2), (0, 2)):
        with pytest.raises(UsageError, match=rf"{months[1].distribution_date} has 2 reports: .*--report") as error:
            between(several, months, first, last)
        assert all(f"{i} (" in str(error.value) for i in ids)
        assert "1.txt" in str(error.value)
        assert "3.txt" in str(error.value)


def test_a_report_is_chosen_by_its_id(several: Lake, months: list[Report]) -> None:
    reports = several.read("measures", dates=[months[1].distribution_date]).filter(measure="servicing_fee")
    for report_id, fee in reports.select("report_id", "value").iter_rows():
        moved = between(several, months, 0, 1, report_id[:6])
        assert moved.after.report_id == report_id
        assert by_key("measures", moved.measures)["TOTAL", "servicing_fee"]["value_after"] == fee
        apart = between(several, months, 0, 2, report_id)
        assert [report.report_id for report in apart.between] == [report_id]
        _compare_pools(apart, months)


def test_reports_that_cannot_be_chosen(several: Lake, months: list[Report]) -> None:
    ids = several.read("reports", dates=[months[1].distribution_date])["report_id"].to_list()
    with pytest.raises(UsageError, match="no report 'nosuch' from FROM to TO; there are "):
        between(several, months, 0, 1, "nosuch")
    with pytest.raises(UsageError, match="no report ''"):
        between(several, months, 0, 1, "")
    with pytest.raises(UsageError, match="has 2 reports"):
        between(several, months, 0, 1, *ids)


@pytest.mark.parametrize(("first", "last"), [(1, 0), (2, 0), (0, 0)])
def test_dates_must_be_in_order(several: Lake, months: list[Report], first: int, last: int) -> None:
    with pytest.raises(UsageError, match="give an earlier date and then a later one"):
        between(several, months, first, last)


def test_the_deal_may_be_left_out_where_there_is_one(tmp_path: Path, several: Lake) -> None:
    (tmp_path / "empty" / "reports").mkdir(parents=True)
    with pytest.raises(UsageError, match="holds no report yet"):
        movements(Lake(tmp_path / "empty"), "2003-01", "2003-02")
    assert between(several, simulate(make_deal(7), 3), 0, 1, _ids(several)[1]).deal == several.deals()[0]
    two = write_lake(tmp_path / "two", [*simulate(make_deal(0), 2), *simulate(make_deal(1), 2)])
    with pytest.raises(UsageError, match=r"holds 2 deals: harbor-.*, quill-.*; name one with --deal"):
        movements(two, "2003-01", "2003-02")
    assert movements(two, "2003-01", "latest", "harbor").before.distribution_date == dt.date(2003, 1, 27)


def _ids(lake: Lake) -> list[str]:
    ids: list[str] = lake.read("reports")["report_id"].to_list()
    return ids


# --- the command --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("samples") / "output"
    run([Path(__file__).parent.parent / "samples" / "inbox"], folder)
    return folder


def test_the_json_is_what_the_frames_hold(samples: Path) -> None:
    done = call_etl("diff", samples, "2003-11", "2004-01", "--deal", "2003-he2", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    said = json.loads(done.stdout)
    moved = movements(Lake(samples), "2003-11", "2004-01", "2003-he2")
    for name, frame in moved.tables.items():
        assert said[name] == [{column: _plain(value) for column, value in row.items()} for row in frame.to_dicts()]
    assert said["deal"] == moved.deal
    assert (said["from"]["distribution_date"], said["to"]["distribution_date"]) == ("2003-11-17", "2004-01-15")
    assert said["from"]["source"].endswith("samples/inbox/absc-2003-he2_2003-11-17.txt")
    assert [report["distribution_date"] for report in said["between"]] == ["2003-12-15"]
    assert said["classes"][0]["ending_balance_before"] == "328979574.00"
    assert said["gaps"] == []


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return f"{value:f}"
    return str(value) if isinstance(value, dt.date) else value


@pytest.mark.parametrize("deal", ["2003-he2", "harbor-light", "tamarind"])
def test_the_screen_has_all_classes_and_groups(samples: Path, deal: str) -> None:
    lake = Lake(samples)
    dates = [str(date) for date in lake.dates(lake.find_deal(deal))]
    done = call_etl("diff", samples, dates[0], dates[-1], "--deal", deal)
    assert (done.returncode, done.stderr) == (0, "")
    moved = movements(lake, dates[0], dates[-1], deal)
    lines = [line.rstrip() for line in done.stdout.splitlines()]
    assert lines[0] == moved.deal
    assert max(len(line) for line in lines if "samples/inbox" not in line) <= 80
    for row in moved.classes.iter_rows(named=True):
        (first, second) = [line for line in lines if line.split(" ")[0] == row["class_key"]][:2]
        assert f"{row['ending_balance_before']:,.0f}" in first.split()
        assert f"{row['ending_balance_after']:,.0f}" in first.split()
        assert first.endswith("adds up" if row["outcome"] == "pass" else "-")
        assert f"{row['interest_distribution']:,.0f}" in second.split()
    changed = int(moved.measures["changed"].sum())
    assert f"measures: {changed} changed, {moved.measures.height - changed} did not" in lines
    for name, is_changed in moved.measures.select("measure", "changed").iter_rows():
        assert any(line.startswith(f"{name} ") for line in lines) == is_changed


def test_the_example_of_the_readme(samples: Path) -> None:
    readme = (Path(__file__).parent.parent / "README.md").read_text()
    (example,) = [block for block in re.findall(r"```text\n(.*?)```", readme, re.DOTALL) if block.startswith("group ")]
    shown = call_etl("diff", samples, "2003-11", "2003-12", "--deal", "2003-he2").stdout
    assert example in shown


def test_the_screen_tells_what_does_not_add_up(tmp_path: Path) -> None:
    reports = simulate(make_deal(6), 4)
    last = next(row for row in reports[1].classes if row.class_id == "A-1")
    wrong = with_class(reports[1], "A-1", ending_balance=f"{figure(last.ending_balance) - 12_345:,}")
    wrong = replace(wrong, classes=tuple(row for row in wrong.classes if row.class_id != "M-2"))
    triggers = tuple(replace(line, answer="YES" if line.answer == "NO" else "NO") for line in wrong.triggers)
    write_lake(tmp_path, [reports[0], replace(wrong, triggers=triggers), reports[3]])
    days = [str(report.distribution_date) for report in reports]
    shown = call_etl("diff", tmp_path / "output", *days[:2]).stdout
    assert re.search(r"^A-1 .* off by -12,345 *$", shown, re.MULTILINE)
    assert f"-  not applicable to M-2: only in the report of {days[0]}" in shown
    assert "triggers: 3 changed, 0 did not" in shown
    assert re.search(r"^trigger_event +(yes +no|no +yes) *$", shown, re.MULTILINE)
    gap = call_etl("diff", tmp_path / "output", days[0], "latest").stdout
    assert f"a report is missing between {days[1]} and {days[3]}" in gap
    assert "adds up" not in gap.replace("  adds up", "", 2)


def test_what_a_document_is_called_does_not_steer_the_terminal(tmp_path: Path) -> None:
    (tmp_path / "inbox").mkdir()
    for name, report in zip(("a\x1b[31m.txt", "[bold]b:x:.txt"), simulate(make_deal(7), 2), strict=True):
        (tmp_path / "inbox" / name).write_text(render(report))
    run([tmp_path / "inbox"], tmp_path / "output")
    done = call_etl("diff", tmp_path / "output", "2003-01", "2003-02")
    assert done.returncode == 0
    assert "\x1b" not in done.stdout
    assert "[bold]b:x:.txt" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["2003-12", "2003-11", "--deal", "2003-he2"], "2003-12-15 and 2003-11-17 stand in the wrong order; give"),
        (["2003-11", "2003-11-17", "--deal", "2003-he2"], "2003-11-17 and 2003-11-17 are the same date; give"),
        (["2003-11", "2003-12"], "holds 3 deals: asset-backed-"),
        (["2003-11", "2003-12", "--deal", "nosuch"], "no deal fits 'nosuch'"),
        (["2003-11", "2009", "--deal", "2003-he2"], "has no report of '2009'"),
        (["2003-11", "2003-12", "--deal", "2003-he2", "--report", "x\x1b[31m"], "no report "),
    ],
)
def test_a_wrong_call_is_told_in_a_line(samples: Path, arguments: list[str], said: str) -> None:
    done = call_etl("diff", samples, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert done.stderr.startswith("etl: ")
    assert done.stderr.count("\n") == 1
    assert "\x1b" not in done.stderr
