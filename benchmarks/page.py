"""The pages that the benchmarks write their tables into."""

from __future__ import annotations

from pathlib import Path

PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


def write(text: str, page: Path, begin: str = BEGIN, end: str = END) -> None:
    """Put `text` between the two markers of the page."""
    before, found_begin, rest = page.read_text(encoding="utf-8").partition(begin)
    _, found_end, after = rest.partition(end)
    if not found_begin or not found_end:
        raise ValueError(f"{page.name} must have the lines {begin} and {end}")
    page.write_text(f"{before}{begin}\n{text}\n{end}{after}", encoding="utf-8")


def publish(text: str, page: Path, begin: str = BEGIN, end: str = END, *, writes: bool) -> int:
    """Print what was measured, and if it is asked for put it into the page; the exit code."""
    print(text)
    if writes:
        write(text, page, begin, end)
    return 0
