"""Lines → blocks: find the printed heads, and say of each line in which block it stands.

Heads are read by their words, never by line numbers. The heads of a table may stand on one line,
be stacked over several, or be wrapped: what counts is that each line's words, read from left to
right, continue the columns from left to right.

Few distinct lines can be part of a head, and they recur in every report. So the reading is decided
once for each distinct run of such lines and joined back to all documents.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from etl.layout import Block, Layout

MAX_HEAD_LINES = 4
MAX_GROUPS = 12

# Lines with amounts are no heads; this spares most lines the closer look.
AMOUNT = r"[0-9][,.][0-9]|[0-9]{3}"


@dataclass(frozen=True)
class _HeadLine:
    """A line that may be part of a head: its words, the group labels in it, and the words beside those.

    The labels stand by the expression that found them, as layouts may have several.
    """

    words: list[str]
    groups: Mapping[str, tuple[str, ...]]
    beside: list[str]


@dataclass(frozen=True)
class _Reading:
    """A run of lines read as the head of a block: how many lines it takes, and the printed groups."""

    block: int
    lines: int
    groups: tuple[str, ...]


def find_heads(lines: pl.DataFrame, layout: Layout) -> pl.DataFrame:
    """The heads of the layout's blocks.

    `lines` as `lines.lines_frame` gives them. Columns: `position` (of the head's last line), `block`
    (index into `layout.blocks`), `head_lines` (how many lines it takes), `groups` (printed group
    labels from left to right; empty where the head has none).
    """
    candidates, texts = _candidates(lines, layout)
    runs = _runs(candidates)
    distinct = runs.select(_RUN).unique()
    rows = [
        (*run, reading.block, reading.lines, list(reading.groups))
        for run in distinct.iter_rows()
        if (reading := _read_head([texts[line] for line in run if line is not None], layout))
    ]
    readings = pl.DataFrame(rows, schema=pl.Schema({**distinct.schema, **_READING}), orient="row")
    found = runs.join(readings, on=_RUN, how="inner", nulls_equal=True)
    return found.select("position", *_READING).sort("position")


def label_lines(lines: pl.DataFrame, heads: pl.DataFrame) -> pl.DataFrame:
    """`lines` with `block` (index, null before the first head), `head` (position of the head's last
    line), `groups` (of that head) and `is_head`."""
    heads = heads.with_columns(head=pl.col("position"))
    in_head = (
        heads.select(position=pl.int_ranges(pl.col("position") - pl.col("head_lines") + 1, pl.col("position") + 1))
        .explode("position")
        .select(pl.col("position").cast(pl.UInt32), is_head=pl.lit(True))
        .unique("position")
    )
    # A document's first line ends the last block of the document before it.
    first = pl.col("document") != pl.col("document").shift(1).fill_null(pl.col("document") + 1)
    marked = lines.join(heads.drop("head_lines", "groups"), on="position", how="left", maintain_order="left")
    marked = marked.join(in_head, on="position", how="left", maintain_order="left").with_columns(
        pl.when(first & pl.col("block").is_null()).then(-1).otherwise(pl.col("block")).forward_fill().alias("block"),
        pl.when(first & pl.col("head").is_null()).then(None).otherwise(pl.col("head")).forward_fill().alias("head"),
        pl.col("is_head").fill_null(value=False),
    )
    block = pl.when(pl.col("block") >= 0).then(pl.col("block"))
    return marked.with_columns(block=block, head=pl.when(block.is_not_null()).then(pl.col("head")))


_READING = pl.Schema({"block": pl.Int32(), "head_lines": pl.Int32(), "groups": pl.List(pl.String)})
_RUN = [f"line_{back}" for back in range(MAX_HEAD_LINES - 1, -1, -1)]


def _candidates(lines: pl.DataFrame, layout: Layout) -> tuple[pl.DataFrame, list[_HeadLine]]:
    """Lines all of whose words are words of heads, as numbers into the list of distinct head lines."""
    words = {layout.folded(word) for block in layout.blocks for word in block.head_words}
    plain = lines.filter(~pl.col("text").str.contains(AMOUNT)).select("document", "position", "text")
    distinct = plain.select(pl.col("text").unique(maintain_order=True))
    groups = list(dict.fromkeys(block.groups for block in layout.blocks if block.groups))
    rest = pl.col("text")
    for group in groups:
        rest = rest.str.replace_all(group, " ")
    found = distinct.with_columns(
        rest.alias("rest"), *(pl.col("text").str.extract_all(group).alias(group) for group in groups)
    )
    longest = MAX_GROUPS * max((len(block.head_words) for block in layout.blocks), default=0)
    head_lines: list[_HeadLine] = []
    known: dict[tuple[object, ...], int] = {}  # lines that differ in their blanks alone are one
    numbers: list[tuple[str, int]] = []
    for text, leftover, *labels in found.iter_rows():
        beside = layout.folded(leftover).split(maxsplit=longest)
        if words.issuperset(beside):  # a line may have millions of words
            texts = [tuple(" ".join(label.split()) for label in several) for several in labels]
            found_here = dict(zip(groups, texts, strict=True))
            number = known.setdefault((*text.split(), *found_here.items(), *beside), len(head_lines))
            if number == len(head_lines):
                head_lines.append(_HeadLine(layout.folded(text).split(), found_here, beside))
            numbers.append((text, number))
    numbered = pl.DataFrame(numbers, schema={"text": pl.String, "line_0": pl.Int32}, orient="row")
    return plain.join(numbered, on="text", how="inner", maintain_order="left").drop("text"), head_lines


def _runs(candidates: pl.DataFrame) -> pl.DataFrame:
    """Each candidate line with the candidates that stand directly above it, nulls above those."""
    backs = []
    for back in range(1, MAX_HEAD_LINES):
        adjacent = (pl.col("position") - pl.col("position").shift(back) == back) & (
            pl.col("document") == pl.col("document").shift(back)
        )
        backs.append(pl.when(adjacent).then(pl.col("line_0").shift(back)).alias(f"line_{back}"))
    return candidates.with_columns(backs)


def _read_head(run: Sequence[_HeadLine], layout: Layout) -> _Reading | None:
    """The head that ends with the run's last line; the one with most lines where several fit."""
    for count in range(len(run), 0, -1):
        for index, block in enumerate(layout.blocks):
            groups = _read_block_head(run[-count:], block, layout)
            if groups is not None:
                return _Reading(index, count, groups)
    return None


def _read_block_head(lines: Sequence[_HeadLine], block: Block, layout: Layout) -> tuple[str, ...] | None:
    """The printed groups if the lines are the head of `block` (empty if it has none), else None."""
    if not block.has_head:
        return None
    groups: tuple[str, ...] = ()
    title = layout.folded(block.title or "").split()
    if block.groups:
        groups = lines[0].groups.get(block.groups, ())
        beside = bool(title) and lines[0].beside == title and len(lines) == 1 and not block.columns
        if lines[0].beside and not beside:
            groups = ()
        may_lack = block.columns_of is not None or block.may_lack_groups
        if len(groups) > MAX_GROUPS or (not groups and not may_lack):
            return None
        if groups and beside:
            return groups  # the title stands left of them
        lines = lines[1:] if groups else lines
    if block.title:
        if lines and lines[-1].words == title:
            lines = lines[:-1]
        elif block.columns and lines and lines[0].words == title:
            lines = lines[1:]
        else:
            return None
    columns = [layout.folded(column).split() for column in block.columns] * max(len(groups), 1)
    if sum(len(line.words) for line in lines) != sum(len(column) for column in columns):
        return None
    return groups if reads_as([line.words for line in lines], columns) else None


def reads_as(lines: Sequence[Sequence[str]], columns: Sequence[Sequence[str]]) -> bool:
    """Whether the words of `lines` are the heads `columns`, however they are stacked or wrapped.

    Each line must continue columns from left to right, and all words must be used.

    >>> reads_as([["Tot", "Real"], ["Unpaid", "Losses"]], [["Tot", "Unpaid"], ["Real", "Losses"]])
    True
    >>> reads_as([["Real", "Losses", "Tot", "Unpaid"]], [["Tot", "Unpaid"], ["Real", "Losses"]])
    False
    """
    if Counter(word for line in lines for word in line) != Counter(word for column in columns for word in column):
        return False
    states = {tuple(0 for _ in columns)}
    for line in lines:
        states = {state for before in states for state in _continue(line, columns, before)}
    return any(all(read == len(column) for read, column in zip(state, columns, strict=True)) for state in states)


def _continue(
    line: Sequence[str], columns: Sequence[Sequence[str]], read: tuple[int, ...]
) -> Iterator[tuple[int, ...]]:
    """How many words of each column are read after `line`, in every way in which it can be read."""
    states = {(0, read)}  # words of the line used, words of each column read
    for index, column in enumerate(columns):
        reached = set()
        for before, state in states:
            used, taken = before, state[index]
            reached.add((used, state))
            while used < len(line) and taken < len(column) and line[used] == column[taken]:
                used, taken = used + 1, taken + 1
                reached.add((used, (*state[:index], taken, *state[index + 1 :])))
        states = reached
    yield from (state for used, state in states if used == len(line))
