"""Prose → cells: the cover, footnotes and signatures, read paragraph by paragraph.

A paragraph is a run of lines that stand as close as lines of this document ever do (without a blank
line between, unless the whole document is double-spaced), so that a name or a sentence may be wrapped
anywhere. What one pattern has claimed is blanked before the next one looks, so no number is
claimed twice; numbers that are left at the end are the unclaimed ones.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import polars as pl

from etl.cells import NUMBER, Cells
from etl.layout import Block, Layout
from etl.patterns import Pattern, Place
from etl.rules import RuleBook

# How often one pattern is looked for in one paragraph.
MAX_REPEATS = 20
# Every look at a paragraph costs time for its whole length. So in long ones a pattern is looked for less often: only
# as long as what it has looked through is not more than so many bytes. A paragraph of a report has some hundred.
MAX_SCANNED = 100_000
# What follows a place within a number.
_REST_OF_NUMBER = re.compile("(?<=[0-9])[.,]?[0-9]|(?<=[0-9][.,])[0-9]")
# Blanks as the engine of the patterns knows them: for Python's the separators of information are blanks too.
_BLANKS = re.compile(r"[^\S\x1c-\x1f]+")
_PRINTED = re.compile(r"[\S\x1c-\x1f]")
_NUMBER = re.compile(NUMBER)

_TEXT_CELLS = pl.Schema(
    {
        "number": pl.UInt32,
        "start": pl.Int32,
        "raw": pl.String,
        "rule": pl.Int32,
        "row_label": pl.String,
    }
)
_TextCell = tuple[int, int, str, int, str | None]  # as `_TEXT_CELLS`


def line_spacing(lines: pl.DataFrame) -> pl.DataFrame:
    """`document` and `spacing`: the smallest distance between two of its non-blank lines."""
    same = pl.col("document") == pl.col("document").shift(1)
    distance = pl.when(same & (pl.col("line").shift(1) < pl.col("line"))).then(pl.col("line") - pl.col("line").shift(1))
    return lines.select("document", spacing=distance).group_by("document", maintain_order=True).agg(pl.min("spacing"))


def read_prose(
    lines: pl.DataFrame, spacing: pl.DataFrame, heads: pl.DataFrame, layout: Layout, book: RuleBook
) -> list[Cells]:
    """Cells of all paragraphs of `lines` (those that no block has read). `spacing` as `line_spacing`
    gives it for all lines of the documents.

    Numbers that no pattern claims come back too, with a null `rule`.
    """
    paragraphs, texts = _paragraphs(lines, spacing)
    cells = []
    for index, block in enumerate(layout.blocks):
        if block.footnote is not None:
            below = heads.filter(pl.col("block") == index).select(head="position")
            cells.append(Cells(_footnotes(block, lines, below, book), "text"))
    found: list[_TextCell] = []
    rests: dict[int, str] = {}
    for find in layout.finds:
        rules = [book.of_find(find, name) for name in find.pattern.fields]
        found += _claim(find.pattern, texts, rests, rules)
    left = texts.with_columns(texts["text"].alias("rest").scatter(list(rests), list(rests.values())))
    located = _locate(pl.concat([_text_cells(found), _unclaimed(left)]), texts)
    rest = _in_documents(located, paragraphs)
    if cells:
        rest = _outside(rest, [footnotes.frame for footnotes in cells])
    return [*cells, Cells(rest)]


def _paragraphs(lines: pl.DataFrame, spacing: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The paragraphs and their distinct texts, as `_numbered` gives them."""
    spaced = lines.join(spacing, on="document", how="left", maintain_order="left")
    adjacent = pl.col("position") - pl.col("position").shift(1) == 1
    distance = pl.col("line") - pl.col("line").shift(1)
    same = pl.col("document") == pl.col("document").shift(1)
    follows = same & adjacent & (distance <= pl.col("spacing"))
    runs = spaced.with_columns(run=(~follows).fill_null(value=True).cum_sum())
    paragraphs = runs.group_by("run", maintain_order=True).agg(pl.col("position"), pl.col("text").str.join("\n"))
    return _numbered(paragraphs)


def _numbered(paragraphs: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The paragraphs with `number` (of their text) in place of `text`, and the distinct texts: `number` (their
    positions) and `text` (the lines as printed, without the blank ones).

    Paragraphs recur from report to report; each text is read once.
    """
    texts = paragraphs.select(pl.col("text").unique(maintain_order=True)).with_row_index("number")
    numbered = paragraphs.join(texts, on="text", how="inner", maintain_order="left")
    return numbered.drop("text"), texts


def _claim(pattern: Pattern, texts: pl.DataFrame, rests: dict[int, str], rules: Sequence[int]) -> list[_TextCell]:
    """The cells of all places where the pattern fits. `rests` has the texts in which a cell was claimed before, with
    blanks in its place, and gets those of the cells found here.

    The pattern is looked for in texts that it fits as they are printed, not where blanked cells alone make it fit. A
    place where a cell would end within a number (Exhibit No. 1 of 1,250), or would hold what another cell has claimed,
    is none; the pattern is not looked for below it.
    """
    cells: list[_TextCell] = []
    numbers, printed = texts["number"], texts["text"]
    fitting = printed.str.contains(pattern.search)
    pending: dict[int, str] = dict(zip(numbers.filter(fitting), printed.filter(fitting), strict=True))
    for repeat in range(1, MAX_REPEATS + 1):
        if not pending:
            break
        looked_at = [rests.get(number, text) for number, text in pending.items()]
        places = pattern.places(looked_at)
        read = {}
        for (number, text), rest, place in zip(pending.items(), looked_at, places, strict=True):
            if place is not None and _is_free(place, text, rest):
                labels = [_label(rest[place.start : start]) for start, _ in place.cells]
                cells += [
                    (number, start, raw, rule, label)
                    for (start, raw), rule, label in zip(place.cells, rules, labels, strict=True)
                ]
                read[number] = _blanked(rest, place)
        rests |= read
        again = pl.Series(read.values(), dtype=pl.String).str.contains(pattern.search)
        pending = {
            number: pending[number]
            for (number, rest), fits in zip(read.items(), again, strict=True)
            if fits and len(rest.encode()) * repeat <= MAX_SCANNED
        }
    return cells


def _is_free(place: Place, text: str, rest: str) -> bool:
    """Whether the cells of a place are printed, nothing within them has been claimed and blanked, and none begins or
    ends within a number, so that the number would count twice.

    A loose pattern fits the blanks of a claim again; that is no cell.
    """
    return all(
        _PRINTED.search(raw) and text.startswith(raw, start) and not _cuts_a_number(rest, start, start + len(raw))
        for start, raw in place.cells
    )


def _cuts_a_number(text: str, start: int, end: int) -> bool:
    return any(_REST_OF_NUMBER.match(text, at) for at in (start, end))


def _label(text: str) -> str | None:
    """What a pattern fits before a cell."""
    return _BLANKS.sub(" ", text).strip(" ") or None


def _blanked(text: str, place: Place) -> str:
    """`text` with the cells of a place replaced by as many blanks."""
    for start, raw in place.cells:
        text = f"{text[:start]}{' ' * len(raw)}{text[start + len(raw) :]}"
    return text


def _unclaimed(texts: pl.DataFrame) -> pl.DataFrame:
    """The numbers that are left in the `rest` of the texts."""
    left = texts.filter(pl.col("rest").str.contains("[0-9]"))
    rows = [
        (number, found.start(), found.group(), None, None)
        for number, rest in left.select("number", "rest").iter_rows()
        for found in _NUMBER.finditer(rest)
    ]
    return pl.DataFrame(rows, schema=_TEXT_CELLS, orient="row")


def _text_cells(cells: Sequence[_TextCell]) -> pl.DataFrame:
    columns = zip(*cells, strict=True) if cells else [()] * len(_TEXT_CELLS)
    return pl.DataFrame(dict(zip(_TEXT_CELLS, columns, strict=True)), schema=_TEXT_CELLS)


def _footnotes(block: Block, lines: pl.DataFrame, below: pl.DataFrame, book: RuleBook) -> pl.DataFrame:
    """What footnotes below the heads of a block say. All prose below a head is one text, wherever
    blank lines stand."""
    assert block.footnote is not None
    pattern = block.footnote.pattern
    here = lines.join(below, on="head", how="inner", maintain_order="left")
    regions = here.group_by("head", maintain_order=True).agg(pl.col("position"), pl.col("text").str.join("\n"))
    notes, texts = _numbered(regions)
    found = _claim(pattern, texts, {}, [book.of_block(block, pattern.fields[0])])
    return _in_documents(_locate(_text_cells(found), texts), notes)


def _outside(numbers: pl.DataFrame, cells: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """The cells of `numbers` that lie within none of `cells`."""
    within = pl.concat([cell.select("position", from_="start", to=pl.col("raw").str.len_chars()) for cell in cells])
    before = (
        numbers.with_row_index("row")
        .sort("start")
        .join_asof(within.sort("from_"), left_on="start", right_on="from_", by="position", check_sortedness=False)
    )
    inside = (pl.col("start") < pl.col("from_") + pl.col("to")).fill_null(value=False)
    return before.filter(~inside).sort("row").select(numbers.columns)


def _locate(cells: pl.DataFrame, texts: pl.DataFrame) -> pl.DataFrame:
    """Cells with `offset` (lines below the paragraph's first) and `start` on their own line.

    A cell that runs over a line break becomes one for each line.
    """
    located = cells.sort("start", maintain_order=True).join_asof(
        _line_starts(texts), left_on="start", right_on="line_start", by="number", check_sortedness=False
    )
    pieces = located.with_columns(raw=pl.col("raw").str.split("\n")).with_columns(
        piece=pl.int_ranges(0, pl.col("raw").list.len(), dtype=pl.Int32)
    )
    pieces = pieces.explode("raw", "piece")
    blanks = (pl.col("raw").str.len_chars() - pl.col("raw").str.strip_chars_start().str.len_chars()).cast(pl.Int32)
    start = pl.when(pl.col("piece") == 0).then(pl.col("start") - pl.col("line_start")).otherwise(0)
    return pieces.select(
        "number",
        "rule",
        "row_label",
        offset=pl.col("offset") + pl.col("piece"),
        start=start + blanks,
        raw=pl.col("raw").str.strip_chars(),
        piece="piece",
    )


def _line_starts(texts: pl.DataFrame) -> pl.DataFrame:
    """`number`, `offset` and `line_start` (position of its first character) of each line of the texts."""
    lines = texts.select("number", pl.col("text").str.split("\n")).explode("text")
    length = pl.col("text").str.len_chars().cast(pl.Int32) + 1
    starts = lines.select(
        "number",
        offset=pl.int_range(pl.len(), dtype=pl.Int32).over("number"),
        line_start=(length.cum_sum() - length).over("number"),
    )
    return starts.sort("line_start", maintain_order=True)


def _in_documents(cells: pl.DataFrame, paragraphs: pl.DataFrame) -> pl.DataFrame:
    """The cells of each distinct text, for each paragraph that has this text."""
    offsets = pl.int_ranges(0, pl.col("position").list.len(), dtype=pl.Int32)
    lines = paragraphs.with_columns(offset=offsets).explode("position", "offset")
    placed = lines.join(cells, on=["number", "offset"], how="inner", maintain_order="left_right")
    return placed.select("position", "start", "raw", "rule", "row_label", "piece")
