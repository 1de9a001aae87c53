"""Every layout folder is whole: its sample reads as its expected tables say."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from etl import Layout, load_layouts
from etl.layout import PACKAGED
from etl.samples import check_samples, samples_of, spelled, spelled_as

from .conftest import REPOSITORY
from .kit import Report as Printed
from .kit import render, write_expected
from .kit.__main__ import main as write_inbox
from .reading import read_text

LAYOUTS = load_layouts()


def _name(layout: Layout) -> str:
    return layout.name


def test_there_are_layouts() -> None:
    assert LAYOUTS


@pytest.mark.parametrize("layout", LAYOUTS, ids=_name)
def test_a_text_that_has_the_marks_of_a_layout_and_nothing_else_is_told_what_is_missing(layout: Layout) -> None:
    """No cell of it has a rule."""
    sample, _ = samples_of(layout)[0]
    text = sample.read_text(encoding="utf-8")
    marks = [re.search(mark, text) for mark in layout.identify.values()]
    outcome = read_text("\n\n".join([*(found[0] for found in marks if found), "7 and 8"]))
    assert outcome.reject is not None
    assert outcome.reject.reason_code == "missing_block"


@pytest.mark.parametrize("layout", LAYOUTS, ids=_name)
def test_a_layout_has_samples_and_expected_tables(layout: Layout) -> None:
    samples = samples_of(layout)
    assert samples
    for _, expected in samples:
        assert {"reports", "classes", "checks"} <= {file.stem for file in expected.glob("*.csv")}


@pytest.mark.parametrize("layout", LAYOUTS, ids=_name)
def test_the_samples_read_as_expected_and_by_their_own_layout_alone(layout: Layout) -> None:
    for sample in check_samples(layout, LAYOUTS).samples:
        assert (sample.problems, sample.differences) == ((), ())
        assert sample.numbers_found > sample.numbers_unclaimed == 0
        assert "pass" in sample.tables["checks"]["outcome"]


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
