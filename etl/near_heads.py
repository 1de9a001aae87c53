"""How near the lines of a document come to the head of a block that was not found in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import polars as pl

from etl.blocks import MAX_HEAD_LINES
from etl.layout import Block, Layout

# Of the words of a head so large a share must be there, or the lines are nothing like it.
ENOUGH = 0.5


@dataclass(frozen=True)
class NearHead:
    """The lines that come nearest to a head: how many of its words they have, which are missing, and which others stand
    there. Where neither is the case, the words do not stand as the layout has them from left to right."""

    lines: tuple[int, ...]
    found: int
    wanted: int
    missing: tuple[str, ...]
    other: tuple[str, ...]


def nearest_head(lines: pl.DataFrame, block: Block, layout: Layout) -> NearHead | None:
    """The run of lines that comes nearest to the head of a block of a layout, if any is like it.

    `lines` as `lines.lines_frame` gives them for one document.
    """
    wanted = Counter(map(layout.folded, block.head_words))
    if not wanted:
        return None
    text = pl.col("text").str.replace_all(block.groups, " ") if block.groups else pl.col("text")
    split = lines.select("line", words=text.str.split(" ")).iter_rows()
    rows = [(line, [word for cell in words for word in layout.folded(cell).split()]) for line, words in split]
    if block.groups:  # which stand there once for each group
        wanted = Counter(dict.fromkeys(wanted, 1))
        rows = [(line, list(dict.fromkeys(words))) for line, words in rows]
    found = (_compared(run, wanted, once=bool(block.groups)) for run in _runs(rows, wanted))
    near = [head for head in found if head.found >= ENOUGH * head.wanted]
    return max(near, key=lambda head: (head.found - len(head.other), -len(head.lines)), default=None)


_Row = tuple[int, Sequence[str]]


def _runs(rows: Sequence[_Row], wanted: Iterable[str]) -> Iterator[Sequence[_Row]]:
    """All runs of lines, each with a word of the head."""
    known = set(wanted)
    begun = 0
    for at, (_, words) in enumerate(rows):
        if known.isdisjoint(words):
            begun = at + 1
            continue
        for start in range(max(begun, at - MAX_HEAD_LINES + 1), at + 1):
            yield rows[start : at + 1]


def _compared(run: Sequence[_Row], wanted: Counter[str], *, once: bool) -> NearHead:
    there = Counter(word for _, words in run for word in words)
    if once:
        there = Counter(dict.fromkeys(there, 1))
    common = there & wanted
    return NearHead(
        lines=tuple(line for line, _ in run),
        found=common.total(),
        wanted=wanted.total(),
        missing=tuple((wanted - common).elements()),
        other=tuple((there - common).elements()),
    )
