"""Every layout folder is whole: its sample reads as its expected tables say."""

from __future__ import annotations

import csv
from datetime import date
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from etl import Layout, Report, load_layout, read_report
from etl.layout import PACKAGED, choose_layout

from .conftest import REPOSITORY
from .kit import Report as Printed
from .kit import render, write_expected
from .kit.__main__ import main as write_inbox
from .kit.expected import cell

FOLDERS = sorted(file.parent for file in PACKAGED.glob("*/layout.toml"))
EXPECTED = [(folder, file) for folder in FOLDERS for file in sorted((folder / "expected").glob("*.csv"))]


def _name(value: Path) -> str:
    return value.stem


@pytest.fixture(scope="module")
def samples() -> dict[Path, Report]:
    return {folder: read_report(folder / "sample.txt") for folder in FOLDERS}


def spelled(value: object) -> str:
    """Like the CSV spells a value, decimals without the zeros that only say how wide their type is."""
    return cell(value.normalize() + 0) if isinstance(value, Decimal) else cell(value)


def spelled_as(text: str, kind: pl.DataType) -> str:
    """Return the CSV's text as `spelled` spells it."""
    return spelled(Decimal(text)) if text and kind.is_decimal() else text


def test_there_are_layouts() -> None:
    assert FOLDERS


@pytest.mark.parametrize("folder", FOLDERS, ids=_name)
def test_a_layout_has_a_sample_and_expected_tables(folder: Path) -> None:
    assert (folder / "sample.txt").read_text(encoding="utf-8").strip()
    assert {"reports", "classes"} <= {file.stem for file in (folder / "expected").glob("*.csv")}


@pytest.mark.parametrize(("folder", "file"), EXPECTED, ids=_name)
def test_the_sample_reads_as_expected(samples: dict[Path, Report], folder: Path, file: Path) -> None:
    head, *rows = csv.reader(file.read_text(encoding="utf-8").splitlines())
    frame = samples[folder].tables[file.stem].select(head)
    read = [[spelled(value) for value in row] for row in frame.rows()]
    wanted = [[spelled_as(text, kind) for text, kind in zip(row, frame.dtypes, strict=True)] for row in rows]
    assert wanted
    assert sorted(read) == sorted(wanted)


@pytest.mark.parametrize("folder", FOLDERS, ids=_name)
def test_every_number_of_the_sample_is_claimed(samples: dict[Path, Report], folder: Path) -> None:
    report = samples[folder].tables["reports"].row(0, named=True)
    assert report["numbers_claimed"] == report["numbers_found"] > 0
    assert report["checks_failed"] == 0 < report["checks_passed"]


@pytest.mark.parametrize("folder", FOLDERS, ids=_name)
def test_exactly_its_own_layout_knows_the_sample(layouts: tuple[Layout, ...], folder: Path) -> None:
    text = (folder / "sample.txt").read_text(encoding="utf-8")
    scores = choose_layout([text], layouts).filter(pl.col("found") == pl.col("wanted"))
    assert [layouts[number].name for number in scores["layout"]] == [load_layout(folder / "layout.toml").name]


def test_the_committed_sample_is_what_the_kit_writes(seed_report: Printed, tmp_path: Path) -> None:
    folder = PACKAGED / "us_bank_text"
    write_expected(seed_report, tmp_path)
    assert (folder / "sample.txt").read_bytes() == render(seed_report).encode("ascii")
    expected = _contents(folder / "expected")
    assert expected.pop("checks.csv"), "what the checks say is no print of the kit"
    assert expected == _contents(tmp_path)


def test_the_sample_inbox_is_what_the_kit_writes(tmp_path: Path) -> None:
    assert write_inbox([str(tmp_path)]) == 0
    assert _contents(REPOSITORY / "samples" / "inbox") == _contents(tmp_path)


def _contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_the_comparison_tells_values_apart() -> None:
    kind = pl.Decimal(18, 2)
    assert spelled_as("100.00", kind) == spelled(Decimal("100.0000")) == "100"
    assert spelled_as("-0.50", kind) == spelled(Decimal("-0.5")) != spelled(Decimal("0.5"))
    assert spelled_as("", kind) == spelled(None) != spelled(Decimal(0))
    assert spelled(["5", "7"]) == "5|7"
    assert [spelled(True), spelled(date(2003, 1, 2))] == ["true", "2003-01-02"]
