"""What people see of layouts: which there are, whether their samples read as expected, and a new one."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from etl.layout import PACKAGED, Layout
from etl.new_layouts import NewLayout
from etl.samples import A_ROW, Difference, LayoutResult, SampleResult, samples_of
from etl.terminal import MIN_WIDTH, OUTCOME_STYLES, hanging, printable

MAX_DIFFERENCES_SHOWN = 20


def layouts_as_json(layouts: Sequence[Layout]) -> str:
    """The layouts as one JSON array."""
    return json.dumps([_described(layout) for layout in layouts], indent=2)


def show_layouts(layouts: Sequence[Layout]) -> None:
    """Print a line for each layout."""
    grid = Grid("layout", "version", "samples", "title", "folder", box=None, pad_edge=False)
    grid.columns[0].no_wrap = True
    grid.columns[4].overflow = "fold"
    for layout in layouts:
        said = _described(layout)
        folder = "(packaged)" if layout.file.parent.parent == PACKAGED else said["folder"]
        cells = [said["name"], said["version"], said["samples"] or "none", said["title"], folder]
        grid.add_row(*(Text(printable(str(cell))) for cell in cells))
    Console(highlight=False, emoji=False, markup=False).print(grid)


def _described(layout: Layout) -> dict[str, str | int]:
    return {
        "name": layout.name,
        "version": layout.version,
        "title": layout.title,
        "folder": str(layout.file.parent),
        "samples": len(samples_of(layout)),
    }


def show_results(results: Sequence[LayoutResult]) -> None:
    """Print what became of the samples, with what is wrong and what differs."""
    console = Console(highlight=False, soft_wrap=True, emoji=False, markup=False)
    width = max(MIN_WIDTH, console.width)
    for result in results:
        if not result.samples:
            said = f"has no sample; put a report as sample.txt into {result.layout.file.parent}"
            console.print(printable(f"{result.layout.label}: {said}"))
        for sample in result.samples:
            for line in _sample(result.layout, sample, width):
                console.print(line)


def show_accepted(files: Sequence[Path]) -> None:
    """Print which expected tables were written."""
    console = Console(highlight=False, soft_wrap=True, emoji=False, markup=False)
    for file in files:
        console.print(printable(f"{'written' if file.is_file() else 'removed'}: {file}"))
    if not files:
        console.print("the expected tables are what is read; nothing was written")


def show_new(new: NewLayout, out: str) -> None:
    """Print what was written, and what to do next."""
    console = Console(highlight=False, soft_wrap=True, emoji=False, markup=False)
    for file in (new.layout, new.sample):
        console.print(printable(f"written: {file}"))
    if new.problem:
        console.print(printable(f"not all of the draft can be read yet; mend first: {new.problem}"))
    command = shlex.join(["etl", "layout", "why", str(new.sample), "--layout", new.name, "--layouts", out])
    console.print(printable(f"it is a draft, made by the shape of the lines; see what it reads: {command}"))


def _sample(layout: Layout, sample: SampleResult, width: int) -> Iterator[Text]:
    place = sample.sample.relative_to(layout.file.parent)
    if sample.is_good:
        good = Text(printable(f"{layout.label}: {place}: reads as expected, {sample.numbers_found:,} numbers"))
        good.stylize(OUTCOME_STYLES["pass"], 0, len(layout.label))
        yield good
        return
    wrong = len(sample.problems) + len(sample.differences)
    head = Text(printable(f"{layout.label}: {place}: {wrong:,} {'thing is' if wrong == 1 else 'things are'} wrong"))
    head.stylize(OUTCOME_STYLES["fail"], 0, len(layout.label))
    yield head
    for problem in sample.problems:
        yield from hanging("  ", problem, width)
    for found in sample.differences[:MAX_DIFFERENCES_SHOWN]:
        yield Text(printable(f"  {_difference(found)}"))
    if len(sample.differences) > MAX_DIFFERENCES_SHOWN:
        yield Text(f"  ... and {len(sample.differences) - MAX_DIFFERENCES_SHOWN:,} more differences")


def _difference(found: Difference) -> str:
    """Such as: classes A-1 ending_balance: expected 100, read 200."""
    row = " ".join([found.table, *filter(None, found.key)])
    if found.column is None:
        return (
            f"{row}: {'is expected, and was not read' if found.expected == A_ROW else 'was read, and is not expected'}"
        )
    return f"{row} {found.column}: expected {found.expected or 'nothing'}, read {found.read or 'nothing'}"
