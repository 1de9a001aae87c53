"""`etl check` as a person or a script meets it, and the strict run that knows unclaimed numbers."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import etl
from etl import run
from etl.identities import catalogue
from etl.lake import Lake
from etl.lake_checks import check_lake
from etl.partitions import PartitionBy

from .kit import absc_2003_he2, make_deal, render, simulate
from .lakes import POISON, hashes, rearranged


def _etl(*arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from etl.cli import main; main()", *map(str, arguments)]
    done = subprocess.run(command, cwd=cwd, capture_output=True, encoding="utf-8", check=False)
    assert "Traceback" not in done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def lakes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`sound`: three months of two deals. `broken`: the same, but one ending balance of the first deal is
    larger by 1,000 in the second month."""
    place = tmp_path_factory.mktemp("lakes")
    for name in ("sound", "broken"):
        (place / name).mkdir()
        for seed in (3, 5):
            for month, report in enumerate(simulate(make_deal(seed), 3)):
                text = render(report)
                if (name, seed, month) == ("broken", 3, 1):
                    text = _with_larger_ending(text, report.classes[0].ending_balance)
                (place / name / f"{seed}-{month}.txt").write_text(text)
        etl.run([place / name], place / f"{name}-lake")
    return place


def _with_larger_ending(text: str, printed: str) -> str:
    assert text.count(printed) == 1
    return text.replace(printed, f"{int(printed.replace(',', '')) + 1000:,}")


def test_nothing_breaks_in_sound_reports(lakes: Path) -> None:
    done = _etl("check", lakes / "sound-lake", "--strict")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("2 deals, 6 reports\nwithin reports:  ")
    assert done.stdout.endswith("\nnothing breaks\n")


def test_a_break_is_told_with_its_size_and_its_line(lakes: Path) -> None:
    done = _etl("check", lakes / "broken-lake")
    assert (done.returncode, done.stderr) == (0, "")
    first = simulate(make_deal(3), 3)[1]
    larger = f"{int(first.classes[0].ending_balance.replace(',', '')) + 1000:,}"
    text = (lakes / "broken" / "3-1.txt").read_text().split("\n")
    (number,) = [number for number, line in enumerate(text, 1) if larger in line]
    began = first.classes[0].beginning_balance
    (before,) = [number for number, line in enumerate(text, 1) if f"{began} " in line and "A-1" in line]
    told = done.stdout
    assert f"{first.distribution_date}  class_roll_forward: A-1, off by 1,000\n" in told
    assert f"{lakes}/broken/3-1.txt, lines {before}, {number}" in told.replace("\n            ", " ")
    assert "class_balance_continues: A-1, off by -1,000\n" in told
    assert "class_totals: ending_balance, off by -1,000\n" in told


def test_what_was_explained_is_counted_by_check(lakes: Path) -> None:
    shown = _etl("check", lakes / "sound-lake").stdout
    counts = json.loads(_etl("check", lakes / "sound-lake", "--json").stdout)["within_reports"]
    explained = {check: outcomes["explained"] for check, outcomes in counts.items() if "explained" in outcomes}
    assert {"class_totals", "interest_accrual"} <= explained.keys()
    lines = [line for line in shown.splitlines() if line.startswith("explained: ")]
    assert lines == [f"explained: {check}: {count:,}" for check, count in sorted(explained.items())]


@pytest.mark.parametrize("strict", [[], ["--strict"]])
def test_a_lake_without_reports_says_so(tmp_path: Path, strict: list[str]) -> None:
    (tmp_path / "letter.txt").write_text("Dear Sirs")
    etl.run([tmp_path / "letter.txt"], tmp_path / "lake")
    done = _etl("check", tmp_path / "lake", *strict)
    assert done.returncode == len(strict), "what was not checked is not proven"
    assert done.stdout.endswith("\nthe lake holds no report: nothing was checked\n")
    assert "nothing breaks" not in done.stdout


def test_a_lost_table_of_a_report_is_a_break(lakes: Path, tmp_path: Path) -> None:
    shutil.copytree(lakes / "sound-lake", tmp_path / "lake")
    next((tmp_path / "lake" / "classes").rglob("*.parquet")).unlink()
    done = _etl("check", tmp_path / "lake", "--strict")
    assert done.returncode == 1
    assert "  tables_are_whole: report\n" in done.stdout
    assert "the report has no rows in classes any more" in " ".join(done.stdout.split())


@pytest.mark.parametrize("whole", [True, False])
def test_a_lost_file_of_reports_is_a_break(lakes: Path, tmp_path: Path, *, whole: bool) -> None:
    """Nothing that stands in the lake goes unchecked without a word."""
    shutil.copytree(lakes / "sound-lake", tmp_path / "lake")
    if whole:
        shutil.rmtree(tmp_path / "lake" / "reports")
    else:
        next((tmp_path / "lake" / "reports").rglob("*.parquet")).unlink()
    done = _etl("check", tmp_path / "lake", "--strict", "--json")
    found = [one for one in json.loads(done.stdout)["breaks"] if one["check"] == "tables_are_whole"]
    assert done.returncode == 1
    assert len(found) == (6 if whole else 1)
    assert "it is not in reports" in found[0]["explanation"]


def test_strict_tells_breaks_by_the_exit_code(lakes: Path) -> None:
    assert _etl("check", lakes / "broken-lake", "--strict").returncode == 1
    assert _etl("check", lakes / "broken-lake", "--strict", "--json").returncode == 1


def test_as_json_all_breaks_are_given(lakes: Path) -> None:
    found = json.loads(_etl("check", lakes / "broken-lake", "--json").stdout)
    assert (found["deals"], found["reports"]) == (2, 6)
    assert found["within_reports"]["class_roll_forward"]["fail"] == 1
    assert found["between_reports"]["class_balance_continues"]["fail"] == 1
    sizes = {one["check"]: Decimal(one["difference"]) for one in found["breaks"]}
    assert sizes["class_roll_forward"] == 1000
    assert sizes["class_balance_continues"] == -1000
    assert all(one["source"].endswith(".txt") and one["lines"] and one["explanation"] for one in found["breaks"])
    assert {one["outcome"] for one in found["breaks"]} == {"fail"}


def test_one_deal_may_be_chosen(lakes: Path) -> None:
    every = json.loads(_etl("check", lakes / "broken-lake", "--json").stdout)
    for seed, breaks in ((3, every["breaks"]), (5, [])):
        brand = make_deal(seed).name.split()[0]
        found = json.loads(_etl("check", lakes / "broken-lake", "--json", "--deal", brand).stdout)
        assert (found["deals"], found["reports"], found["breaks"]) == (1, 3, breaks)


def test_the_checks_are_listed() -> None:
    shown = _etl("check", "--list").stdout
    listed = json.loads(_etl("check", "--list", "--json").stdout)
    assert [check["name"] for check in listed] == [check.name for check in catalogue().checks]
    assert all(check["statement"].endswith(".") and check["reference"] for check in listed)
    assert all(check["name"] in shown for check in listed)


@pytest.mark.parametrize(
    "arguments", [[], ["nosuch"], ["."], [".", "--deal", "x"], ["lake", "--jsn"], [".", "--markdown"]]
)
def test_a_wrong_call_is_told_in_a_line(tmp_path: Path, arguments: list[str]) -> None:
    done = _etl("check", *arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1].startswith(("etl: ", "Error: "))


def test_names_of_files_do_not_steer_the_terminal(tmp_path: Path) -> None:
    report = simulate(make_deal(3), 1)[0]
    text = _with_larger_ending(render(report), report.classes[0].ending_balance)
    (tmp_path / "in\x1b[31m[bold].txt").write_text(text)
    _etl("run", "*.txt", "--out", "lake", cwd=tmp_path)
    done = _etl("check", "lake", cwd=tmp_path)
    assert "\x1b" not in done.stdout
    assert "in [31m[bold].txt, line" in done.stdout


# --- unclaimed numbers -------------------------------------------------------------------------------------------


@pytest.fixture
def unclaimed(tmp_path: Path) -> Path:
    text = render(simulate(make_deal(3), 1)[0])
    file = tmp_path / "report.txt"
    file.write_text(f"{text}Something else 1,234.56 and 7\n")
    return file


@pytest.mark.parametrize("more", [[], ["--json"]])
def test_a_strict_run_fails_for_an_unclaimed_number(unclaimed: Path, tmp_path: Path, more: list[str]) -> None:
    assert _etl("run", unclaimed, "--out", tmp_path / "lake", "--strict", *more).returncode == 1
    assert _etl("run", unclaimed, "--out", tmp_path / "lake", *more).returncode == 0


def test_the_summary_names_unclaimed_numbers(unclaimed: Path, tmp_path: Path) -> None:
    done = _etl("run", unclaimed, "--out", tmp_path / "lake")
    line = len(unclaimed.read_text().split("\n")) - 1
    assert ", 2 unclaimed\n" in done.stdout
    assert f"unclaimed in {unclaimed}: 2 numbers: 1,234.56 in line {line}, 7 in line {line}\n" in done.stdout
    summary = json.loads(_etl("run", unclaimed, "--out", tmp_path / "lake", "--json").stdout)
    assert summary["numbers_found"] - summary["numbers_claimed"] == summary["numbers_unclaimed"] == 2
    assert [one["numbers"] for one in summary["unclaimed"]] == [2]


@pytest.mark.parametrize("victim", ["*/deal=*", "*/deal=*/distribution_date=2003-12-15", "_superseded", "_manifest"])
def test_lost_reports_are_noticed(tmp_path: Path, victim: str) -> None:
    """Though nothing of them is left in the tables."""
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    reports = [absc_2003_he2.report(), *absc_2003_he2.following_months(1)]
    for number, report in enumerate(reports):
        (inbox / f"{number}.txt").write_text(render(report))
    (inbox / "revised.txt").write_text(f"REVISED\n\n{render(reports[0])}")
    run([inbox], tmp_path / "output")
    lake = Lake(tmp_path / "output")
    assert check_lake(lake).breaks == []
    for folder in (tmp_path / "output").glob(victim):
        shutil.rmtree(folder)
    breaks = check_lake(Lake(tmp_path / "output")).breaks
    assert {one["check"] for one in breaks} == {"tables_are_whole"}
    assert len(breaks) == (2 if victim == "*/deal=*" else 1)


def test_failed_checks_of_superseded_reports_are_told_apart(lakes: Path, tmp_path: Path) -> None:
    """What holds has none, so `etl check` lists none, and a run must not say that it would."""
    wrong, right = (lakes / "broken" / "3-1.txt").read_text(), (lakes / "sound" / "3-1.txt").read_text()
    (tmp_path / "wrong.txt").write_text(wrong)
    (tmp_path / "x-right.txt").write_text(f"REVISED\n\n{right}")
    done = _etl("run", tmp_path / "wrong.txt", tmp_path / "x-right.txt", "--out", tmp_path / "lake")
    failed = [line for line in done.stdout.splitlines() if line.startswith("check failed in ")]
    assert failed
    assert all(line.startswith(f"check failed in {tmp_path}/wrong.txt (superseded): ") for line in failed)
    again = _etl("run", tmp_path / "wrong.txt", tmp_path / "x-right.txt", "--out", tmp_path / "lake")
    assert "checks of skipped reports failed" not in again.stdout
    assert check_lake(Lake(tmp_path / "lake")).breaks == []
    _etl("run", tmp_path / "wrong.txt", "--out", tmp_path / "alone")
    again = _etl("run", tmp_path / "wrong.txt", "--out", tmp_path / "alone", "--json")
    summary = json.loads(again.stdout)
    assert summary["skipped_checks_failed"] == len(failed)
    forced = json.loads(_etl("run", tmp_path / "wrong.txt", "--out", tmp_path / "alone", "--json", "--force").stdout)
    assert [check["standing"] for check in forced["failed_checks"]] == ["current"] * len(failed)


# --- damaged files -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def inbox(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two deals; of the first, one report was revised, and two others are in conflict."""
    folder = tmp_path_factory.mktemp("inbox")
    reports = [absc_2003_he2.report(), *absc_2003_he2.following_months(1)]
    texts = [render(report) for report in (*reports, *simulate(make_deal(3), 2))]
    for number, text in enumerate((*texts, f"REVISED\n\n{texts[0]}", texts[1].replace("274,141", "274,142"))):
        (folder / f"{number}.txt").write_text(text)
    return folder


@pytest.fixture(scope="module")
def lake_by(inbox: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[PartitionBy, Path]:
    folder = tmp_path_factory.mktemp("by")
    run([inbox], folder / PartitionBy.DATE)
    return {way: rearranged(folder / PartitionBy.DATE, way, folder / f"by {way}") for way in PartitionBy}


def _other_types(file: Path) -> None:
    rows = pq.read_table(file, partitioning=None)
    numbers = [name for name in ("checks_failed", "total_interest", "line") if name in rows.column_names]
    place = rows.column_names.index(numbers[0])
    pq.write_table(rows.set_column(place, numbers[0], pa.array([1.5] * rows.num_rows)), file)


DAMAGE: dict[str, Callable[[Path], object]] = {
    "cut": lambda file: file.write_bytes(file.read_bytes()[:-100]),
    "empty": lambda file: file.write_bytes(b""),
    "no Parquet": lambda file: file.write_bytes(POISON),
    "another table": lambda file: pq.write_table(pa.table({"x": [1]}), file),
    "other types": _other_types,
}


@pytest.mark.parametrize("way", list(PartitionBy))
@pytest.mark.parametrize("table", ["reports", "pools", "records"])
@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_file_is_a_break_and_the_rest_is_checked(
    lake_by: dict[PartitionBy, Path], tmp_path: Path, way: PartitionBy, table: str, damage: str
) -> None:
    before = check_lake(Lake(lake_by[way])).breaks
    output = shutil.copytree(lake_by[way], tmp_path / "output")
    file = min((output / table).rglob("*.parquet"))
    DAMAGE[damage](file)
    breaks = check_lake(Lake(output)).breaks
    assert (breaks[0]["check"], breaks[0]["subject"]) == ("tables_are_whole", str(file))
    assert breaks[0]["explanation"].startswith("cannot be read: ")
    assert breaks[0]["explanation"].endswith("; delete it and run `etl run --force` over its reports")
    assert [one for one in breaks if one["subject"].endswith(".parquet")] == breaks[:1]
    other = max(Lake(lake_by[way]).deals())
    assert other not in str(file)
    assert [one for one in breaks if one["deal"] == other] == [one for one in before if one["deal"] == other]


@pytest.mark.parametrize("way", list(PartitionBy))
def test_the_mend_of_a_damaged_file_is_one(
    inbox: Path, lake_by: dict[PartitionBy, Path], tmp_path: Path, way: PartitionBy
) -> None:
    """Of one with reports in conflict too, or with those of several dates."""
    output = shutil.copytree(lake_by[way], tmp_path / "output")
    damaged = [max((output / table).rglob("*he2*.parquet")) for table in ("pools", "records")]
    for file in damaged:
        file.write_bytes(POISON)
    assert [one["subject"] for one in check_lake(Lake(output)).breaks[:2]] == [str(file) for file in damaged]
    for file in damaged:
        file.unlink()
    run([inbox], output, force=True)
    assert hashes(output) == hashes(lake_by[way])


def test_the_command_tells_a_damaged_file_as_it_does_failed_checks(lakes: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(lakes / "broken-lake", tmp_path / "lake")
    first, last = sorted((copy / "classes").rglob("*.parquet"))[::5]
    for file in (first, last):
        file.write_bytes(POISON)
    done = _etl("check", copy)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("2 deals, 6 reports\n")
    assert f"  tables_are_whole: {first}\n" in done.stdout
    assert "delete it and run `etl run --force` over its reports" in " ".join(done.stdout.split())
    told = _etl("check", copy, "--strict", "--json")
    assert told.returncode == 1
    breaks = json.loads(told.stdout)["breaks"]
    assert [one["subject"] for one in breaks[:2]] == [str(first), str(last)]
    assert {one["check"] for one in breaks} > {"tables_are_whole", "class_roll_forward"}


# --- what strangers left -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", list(PartitionBy))
@pytest.mark.parametrize("place", ["", "_superseded/"])
def test_what_is_not_of_the_lake_is_a_break(
    lake_by: dict[PartitionBy, Path], tmp_path: Path, way: PartitionBy, place: str
) -> None:
    before = check_lake(Lake(lake_by[way])).breaks
    assert not [one for one in before if one["check"] == "tables_are_whole"]
    output = shutil.copytree(lake_by[way], tmp_path / "output")
    own = min((output / f"{place}classes").rglob("*.parquet"))
    deal = own.relative_to(output / f"{place}classes").parts[0]
    strays = [
        own.parent / ".part-0.parquet.crc",
        own.parent / "part-0.parquet",
        output / f"{place}classes" / "_SUCCESS",
        output / f"{place}classes" / deal / "a.parquet",
        output / f"{place}classes" / "deal=Capital",
        output / f"{place}classes" / deal / "month=1",
    ]
    for stray in strays:
        if stray.suffix or stray.name == "_SUCCESS":
            shutil.copy(own, stray)
        else:
            stray.mkdir()
            shutil.copy(own, stray)
    breaks = check_lake(Lake(output)).breaks
    told = breaks[: len(strays)]
    assert {one["subject"] for one in told} == set(map(str, strays))
    assert breaks[len(strays) :] == before
    assert {one["explanation"].rpartition(": ")[2] for one in told} == {"take it out"}
    other = max(Lake(output).deals())
    assert [one for one in check_lake(Lake(output), [other]).breaks if one["check"] == "tables_are_whole"] == []
    mine = {one["subject"] for one in check_lake(Lake(output), [deal.removeprefix("deal=")]).breaks}
    assert {str(stray) for stray in strays if deal in stray.parts} <= mine
    done = _etl("check", output, "--strict")
    assert done.returncode == 1
    assert f"tables_are_whole: {own.parent}/part-0.parquet\n" in done.stdout
