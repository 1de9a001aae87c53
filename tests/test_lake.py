"""Reading an output folder: names that a person gives, rows in their order, files that are damaged."""

from __future__ import annotations

import datetime as dt
import os
from dataclasses import replace
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest

from etl import LakeError, UsageError, run
from etl.lake import Lake
from etl.schema import TABLES, table
from etl.tables import polars_type

from .kit import absc_2003_he2, make_deal, render, simulate

SEED = "asset-backed-securities-corporation-home-equity-loan-trust-series-2003-he2"
MONTHS = [absc_2003_he2.report(), *absc_2003_he2.following_months(2)]
DAYS = [report.distribution_date for report in MONTHS]


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lake")
    (folder / "inbox").mkdir()
    texts = [render(report) for report in MONTHS]
    texts += [render(report) for seed in (0, 2) for report in simulate(make_deal(seed), 2)]
    texts.append(texts[0].replace("278,036", "278,037"))  # a second report of the first day
    for number, text in enumerate(texts):
        (folder / "inbox" / f"{number}.txt").write_text(text)
    # A folder whose own name looks like a pattern and like a partition.
    run([folder / "inbox"], folder / "env=test [1]" / "output")
    return folder / "env=test [1]" / "output"


@pytest.fixture(scope="module")
def lake(output: Path) -> Lake:
    return Lake(output)


# --- names ------------------------------------------------------------------------------------------------


def test_deals_and_dates_are_listed_in_order(lake: Lake) -> None:
    assert len(lake.deals()) == 3
    assert lake.deals() == sorted(lake.deals())
    assert lake.dates(SEED) == DAYS
    assert lake.dates("no-such-deal") == []


@pytest.mark.parametrize(
    "short",
    [
        SEED,
        SEED.upper(),
        "2003-he2",
        "2003-HE2",
        "HE2",
        " Series 2003-HE2 ",
        "asset-backed",
        "Asset Backed Securities Corporation,  Home Equity Loan Trust,\nSeries 2003-HE2",
    ],
)
def test_a_deal_is_found_by_a_part_of_its_name(lake: Lake, short: str) -> None:
    assert lake.find_deal(short) == SEED


def test_an_ending_at_a_word_comes_before_a_part(tmp_path: Path) -> None:
    for deal in ("trust-2003-1", "trust-12003-1", "trust-2003-1-b", "trust-2003-1-c--0123456789"):
        (tmp_path / "reports" / f"deal={deal}").mkdir(parents=True)
    lake = Lake(tmp_path)
    assert lake.find_deal("2003-1") == "trust-2003-1"
    assert lake.find_deal("1-c") == "trust-2003-1-c--0123456789"
    with pytest.raises(UsageError, match=r"4 deals fit 'trust': trust-12003-1, .*; give more of the name"):
        lake.find_deal("trust")


@pytest.mark.parametrize("short", ["", "2009-xx", "../../etc", "..", "/", "*", "deal=x/../..", "\x00", "x" * 5000])
def test_an_unknown_deal_lists_those_that_there_are(lake: Lake, short: str) -> None:
    with pytest.raises(UsageError, match=SEED) as caught:
        lake.find_deal(short)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


def test_of_many_deals_only_the_most_alike_are_listed(tmp_path: Path) -> None:
    for number in range(300):
        (tmp_path / "reports" / f"deal=some-long-name-of-a-trust-series-2003-he{number}").mkdir(parents=True)
    lake = Lake(tmp_path)
    with pytest.raises(UsageError, match=r"there are 300 deals, most alike .*2003-he") as caught:
        lake.find_deal("2003-hx20")
    assert str(caught.value).count("some-long") == 10
    with pytest.raises(UsageError, match=r"300 deals fit .* and 290 more; give") as caught:
        lake.find_deal("trust-series-2003")
    assert str(caught.value).count("some-long") == 10
    with pytest.raises(UsageError, match="300 deals, none with such a name"):
        lake.find_deal("zzzzzzzzz")


@pytest.mark.parametrize(
    ("short", "day"),
    [("2003-11-17", DAYS[0]), ("2003-11", DAYS[0]), ("2004", DAYS[2]), ("latest", DAYS[2]), (" Latest ", DAYS[2])],
)
def test_a_date_is_found_by_a_part_of_it(lake: Lake, short: str, day: dt.date) -> None:
    assert lake.find_date(SEED, short) == day


@pytest.mark.parametrize(
    ("short", "said"),
    [
        ("2003", "2 dates in 2003: 2003-11-17, 2003-12-15"),
        ("2003-1", "is no date"),
        ("2003-10", "has no report of '2003-10'; it has 2003-11-17, 2003-12-15, 2004-01-15"),
        ("../..", "is no date"),
        ("", "is no date"),
    ],
)
def test_another_date_lists_those_that_there_are(lake: Lake, short: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        lake.find_date(SEED, short)


@pytest.mark.parametrize("deal", ["..", "../x", "x/../../y", "a*", "", "A", "x\x00"])
def test_no_name_leads_out_of_the_folder(lake: Lake, deal: str) -> None:
    with pytest.raises(UsageError, match="is no deal"):
        lake.dates(deal)
    with pytest.raises(UsageError, match="is no deal"):
        lake.read("classes", [deal])
    with pytest.raises(UsageError, match="no table"):
        lake.read(deal)


def test_a_folder_without_tables_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such folder"):
        Lake(tmp_path / "none")
    with pytest.raises(UsageError, match="holds no tables"):
        Lake(tmp_path)
    run([], tmp_path / "output")
    assert Lake(tmp_path / "output").deals() == []
    with pytest.raises(UsageError, match="holds no report yet"):
        Lake(tmp_path / "output").find_deal("x")


# --- rows -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_read_whole_and_in_order(lake: Lake, name: str) -> None:
    frame = lake.read(name)
    declared = {column.name: polars_type(column) for column in table(name).columns}
    assert dict(frame.schema) == {"deal": pl.String, "distribution_date": pl.Date, **declared}
    assert list(frame.schema) == ["deal", "distribution_date", *declared]
    files = sorted((lake.output / name).rglob("*.parquet"), key=str)
    alone = pl.concat([pl.read_parquet(file, glob=False, hive_partitioning=False) for file in files])
    assert frame.drop("deal", "distribution_date").equals(alone)
    assert frame.select("deal", "distribution_date").rows() == sorted(frame.select("deal", "distribution_date").rows())


def test_deals_dates_and_columns_are_chosen(lake: Lake) -> None:
    frame = lake.read("classes", [SEED, SEED], [DAYS[1], DAYS[1]], ["class_key", "ending_balance"])
    assert frame.columns == ["deal", "distribution_date", "class_key", "ending_balance"]
    assert frame["distribution_date"].unique().to_list() == [DAYS[1]]
    assert frame.height == 14
    assert lake.read("classes", [SEED], [DAYS[1]], ["deal"]).shape == (14, 2)
    assert lake.read("reports", [SEED], [DAYS[0]]).height == 2
    with pytest.raises(UsageError, match="classes has no column 'x'"):
        lake.read("classes", columns=["x"])


@pytest.mark.parametrize(("deals", "dates"), [([], None), (["no-such"], None), ([SEED], []), ([SEED], [dt.date.min])])
def test_nothing_is_an_empty_frame(lake: Lake, deals: list[str], dates: list[dt.date] | None) -> None:
    frame = lake.read("classes", deals, dates)
    assert frame.is_empty()
    assert frame.schema == lake.read("classes").schema


def test_a_relative_folder_will_do(output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(output.parent)
    assert Lake(Path("output")).read("classes").equals(Lake(output).read("classes"))
    monkeypatch.chdir(output)
    assert Lake(Path()).read("classes").equals(Lake(output).read("classes"))


def test_groups_of_deals_have_so_many_reports(lake: Lake) -> None:
    """There are 4, 2 and 2 reports."""
    deals = lake.deals()
    assert list(lake.chunks()) == [deals]
    assert list(lake.chunks(max_reports=6)) == [deals[:2], deals[2:]]
    assert list(lake.chunks(max_reports=1)) == [[deal] for deal in deals]
    assert list(lake.chunks([SEED])) == [[SEED]]
    assert list(lake.chunks([])) == []


# --- files ------------------------------------------------------------------------------------------------


@pytest.fixture
def small(tmp_path: Path) -> Lake:
    for number, report in enumerate(MONTHS):
        (tmp_path / f"{number}.txt").write_text(render(report))
    run([tmp_path], tmp_path / "output")
    return Lake(tmp_path / "output")


def _file(lake: Lake, name: str, day: dt.date) -> Path:
    (file,) = (lake.output / name).glob(f"*/distribution_date={day}/*.parquet")
    return file


def test_a_column_that_an_older_file_lacks_is_null(small: Lake) -> None:
    file = _file(small, "classes", DAYS[1])
    pq.write_table(pq.read_table(file, partitioning=None).drop_columns(["net_wac_carryover", "cusip"]), file)
    frame = small.read("classes")
    assert frame.height == 3 * 14
    old = frame.filter(distribution_date=DAYS[1])
    assert old.select("net_wac_carryover", "cusip").null_count().row(0) == (14, 14)
    assert old["ending_balance"].null_count() == 0
    assert frame.filter(distribution_date=DAYS[0])["cusip"].null_count() < 14


@pytest.mark.parametrize("damage", [b"", b"PAR1", b"no parquet file is this", None])
def test_a_damaged_file_is_named(small: Lake, damage: bytes | None) -> None:
    file = _file(small, "classes", DAYS[1])
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2] if damage is None else damage)
    with pytest.raises(LakeError) as caught:
        small.read("classes")
    assert str(caught.value).startswith(f"{file}: cannot be read: ")
    assert str(caught.value).endswith("; delete it and run `etl run --force` over its reports")
    assert "\n" not in str(caught.value)
    assert small.read("classes", dates=[DAYS[0], DAYS[2]]).height == 28


def test_a_file_that_vanishes_is_named(small: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    file = _file(small, "classes", DAYS[1])
    listed = [_file(small, "classes", day) for day in DAYS]
    file.unlink()
    monkeypatch.setattr(Lake, "_files", lambda *_: iter(listed))
    with pytest.raises(LakeError, match="has vanished; run"):
        small.read("classes", [SEED])


def test_what_an_interrupted_run_left_is_not_read(small: Lake) -> None:
    _file(small, "reports", DAYS[1]).unlink()
    assert small.dates(SEED) == DAYS[::2]
    assert small.read("classes")["distribution_date"].unique().sort().to_list() == DAYS[::2]


def test_other_things_in_the_folder_do_not_matter(small: Lake) -> None:
    before = small.read("classes")
    folder = small.output / "reports" / f"deal={SEED}"
    (folder / "distribution_date=soon").mkdir()
    (folder / "notes.txt").write_text("x")
    (small.output / "reports" / "deal=..").mkdir()
    (small.output / "reports" / "deal=Capital").mkdir()
    (small.output / "classes" / f"deal={SEED}" / f"distribution_date={DAYS[0]}" / "notes.txt").write_text("x")
    assert small.read("classes").equals(before)
    assert small.deals() == [SEED]
    assert small.dates(SEED) == DAYS


def test_hostile_names_of_deals_are_found(tmp_path: Path) -> None:
    name = "A/b=c\\d [x] *, Series 2003-1"
    report = absc_2003_he2.report()
    hostile = replace(report, heading=replace(report.heading, deal_name=name, series="2003-1"))
    (tmp_path / "a.txt").write_text(render(hostile))
    run([tmp_path / "a.txt"], os.fspath(tmp_path / "output"))
    lake = Lake(tmp_path / "output")
    (deal,) = lake.deals()
    assert "--" in deal
    assert lake.find_deal(name) == lake.find_deal("2003-1") == deal
    assert lake.read("classes", [deal]).height == 14
