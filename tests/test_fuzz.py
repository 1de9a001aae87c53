"""Damaged reports and arbitrary bytes: each is read as printed, or refused with a reason, and nothing else happens."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from random import Random

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import etl.prose
from etl import Layout, RejectedError, Report, read_report, run

from .conftest import REPOSITORY
from .fuzz.damage import SNIPPETS, damaged
from .fuzz.properties import REASONS, broken_promises
from .kit import absc_2003_he2, make_deal, random_style, render, simulate

REPORT = render(absc_2003_he2.report()).encode()
REPORTS = [REPORT] + [render(simulate(make_deal(n), 2)[-1], random_style(n)).encode() for n in range(12)]
# Documents that are read at once: a batch of some costs little more than one.
BATCH = 24


@settings(max_examples=8)
@given(st.randoms(use_true_random=False), st.lists(st.sampled_from(REPORTS), min_size=BATCH, max_size=BATCH))
def test_damaged_reports_keep_every_promise(layouts: Sequence[Layout], draw: Random, reports: list[bytes]) -> None:
    assert broken_promises([damaged(report, draw) for report in reports], layouts) == {}


@settings(max_examples=5)
@given(st.lists(st.binary(max_size=400), min_size=BATCH, max_size=BATCH))
def test_arbitrary_bytes_keep_every_promise(layouts: Sequence[Layout], contents: list[bytes]) -> None:
    """As they are, and in the midst of a report."""
    half = len(REPORT) // 2
    within = [REPORT[:half] + content + REPORT[half:] for content in contents]
    assert broken_promises([*contents, *within], layouts) == {}


@settings(max_examples=5)
@given(st.lists(st.lists(st.sampled_from(SNIPPETS), max_size=60), min_size=BATCH, max_size=BATCH), st.data())
def test_any_words_in_any_order_keep_every_promise(
    layouts: Sequence[Layout], parts: list[list[bytes]], data: st.DataObject
) -> None:
    glue = data.draw(st.sampled_from([b" ", b"\n", b"\n\n", b"   "]))
    marks = b"STATEMENT TO CERTIFICATEHOLDERS Distribution Date: AMOUNTS PER $1,000 UNIT Orig"
    assert broken_promises([marks + b"\n" + glue.join(part) for part in parts], layouts) == {}


@settings(max_examples=10)
@given(st.randoms(use_true_random=False), st.sampled_from(REPORTS))
def test_read_report_gives_a_report_or_a_reason(layouts: Sequence[Layout], draw: Random, report: bytes) -> None:
    try:
        read = read_report(damaged(report, draw), layouts)
    except RejectedError as error:
        assert error.reason_code in REASONS  # noqa: PT017 - both ways are right
        return
    assert isinstance(read, Report)


def test_a_paragraph_that_is_too_long_to_search_keeps_every_promise(layouts: Sequence[Layout]) -> None:
    """A pattern is looked for less often there; the numbers that it then does not claim are listed as unclaimed."""
    long = REPORT.replace(b"Item 5. Other", b"x" * 150_000 + b" Exhibit No. 12" * 5 + b"\nItem 5. Other", 1)
    assert broken_promises([long], layouts) == {}
    records = read_report(long, layouts).records.filter(raw="12")
    assert records["status"].to_list() == ["reported", *["unclaimed"] * 4]


def test_damaged_reports_are_written_or_named(tmp_path: Path) -> None:
    """A whole run over them; most of them are named, some are read."""
    draw = Random(7)
    (tmp_path / "inbox").mkdir()
    contents = {damaged(draw.choice(REPORTS), draw) for _ in range(60)}
    for number, content in enumerate(contents):
        (tmp_path / "inbox" / f"{number}.txt").write_bytes(content)
    summary = run([tmp_path / "inbox"], tmp_path / "output")
    assert summary.reports_read + summary.rejected == len(contents)
    assert summary.reports_read > 5
    assert {str(reject["reason_code"]) for reject in summary.rejects} <= REASONS
    assert len({reject["reason_code"] for reject in summary.rejects}) > 4


def test_broken_promises_are_seen(layouts: Sequence[Layout], monkeypatch: pytest.MonkeyPatch) -> None:
    """So the tests above can fail: each promise is broken on purpose."""
    digits = pl.col("text").str.count_matches("[0-9]").sum().cast(pl.Int64)
    monkeypatch.setattr(
        "etl.records._numbers_found", lambda lines: lines.group_by("document").agg(numbers_found=digits)
    )
    assert any("numbers found" in said for said in broken_promises([REPORT], layouts).get(REPORT, []))
    monkeypatch.undo()
    monkeypatch.setattr("etl.prose._unclaimed", lambda _texts: 1 / 0)
    assert any("internal_error" in said for said in broken_promises([REPORT], layouts)[REPORT])
    monkeypatch.undo()
    lost = REPORT + b"\n7\n"
    monkeypatch.setattr("etl.prose._unclaimed", lambda _texts: pl.DataFrame(schema=etl.prose._TEXT_CELLS))  # noqa: SLF001
    assert broken_promises([lost], layouts) == {}  # what is passed over is looked for once more
    monkeypatch.setattr("etl.records._passed_over", lambda *_: None)
    assert any("in no record" in said for said in broken_promises([lost], layouts).get(lost, []))


def test_the_fuzzer_runs(tmp_path: Path) -> None:
    """Some hundred documents, so that it works when somebody lets it run for a night. Each run reads 25."""
    if importlib.util.find_spec("atheris") is None:
        pytest.skip("atheris is not installed: pip install --editable '.[fuzz]'")
    (tmp_path / "inputs").mkdir()
    for number, report in enumerate(REPORTS[:3]):
        (tmp_path / "inputs" / f"{number}").write_bytes(report)
    command = [sys.executable, "-m", "tests.fuzz", str(tmp_path / "inputs"), "-runs=12", "-seed=1"]
    variables = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(
        command, cwd=tmp_path, env=variables, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "Done 12 runs" in done.stderr
    assert " cov: " in done.stderr  # the program is watched
    assert list(tmp_path.glob("broken-*")) == []
