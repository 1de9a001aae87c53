"""The page about accuracy says what its command measures now."""

from __future__ import annotations

from pathlib import Path

from benchmarks.accuracy import PAGE, Sample, cells_table, made_samples, reading_table, real_samples, score


def _is_told(sample: Sample) -> None:
    found = score(sample)
    page = PAGE.read_text(encoding="utf-8").splitlines()
    for table in (cells_table, reading_table):
        rows = table([(sample, found)]).splitlines()[2:]
        assert rows
        assert set(rows) <= set(page)
    assert found.rejected == 0
    assert found.equal == found.cells


def test_the_page_tells_how_made_reports_are_read() -> None:
    for sample in made_samples():
        _is_told(sample)


def test_the_page_tells_how_real_filings_are_read(corpus: Path) -> None:
    for sample in real_samples(corpus):
        _is_told(sample)
