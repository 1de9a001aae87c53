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
from etl.patterns import Pattern
from etl.rules import RuleBook

# How often one pattern is looked for in one paragraph.
MAX_REPEATS = 20
# Every look at a paragraph costs time for its whole length. So in long ones a pattern is looked for less often: only
# as long as what it has looked through is not more than so many bytes. A paragraph of a report has some hundred.
MAX_SCANNED = 100_000
# A place within a number: what stands around it, with a bar in between.
_WITHIN_NUMBER = r"[0-9]\|[.,]?[0-9]|[0-9][.,]\|[0-9]"

_TEXT_CELLS = pl.Schema(
    {
        "number": pl.UInt32,
        "start": pl.Int32,
        "raw": pl.String,
        "rule": pl.Int32,
        "row_label": pl.String,
    }
)


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
    found = [pl.DataFrame(schema=_TEXT_CELLS)]
    fitting = texts.select(find.pattern.matches(pl.col("text")).alias(str(n)) for n, find in enumerate(layout.finds))
    for number, find in enumerate(layout.finds):
        rules = [book.of_find(find, name) for name in find.pattern.fields]
        if fitting[str(number)].any():
            texts, claimed = _claim(find.pattern, texts, fitting[str(number)], rules)
            found += claimed
    located = _locate(pl.concat([*found, _unclaimed(texts)]), texts)
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
    """The paragraphs with `number` (of their text) in place of `text`, and the distinct texts.

    These have `number`, `text` (the lines as printed, without the blank ones) and `rest` (of the same
    length, claims blanked). Paragraphs recur from report to report; each text is read once.
    """
    texts = paragraphs.select(pl.col("text").unique(maintain_order=True)).with_row_index("number")
    numbered = paragraphs.join(texts, on="text", how="inner", maintain_order="left")
    return numbered.drop("text"), texts.with_columns(rest="text")


def _claim(
    pattern: Pattern, texts: pl.DataFrame, fitting: pl.Series, rules: list[int]
) -> tuple[pl.DataFrame, list[pl.DataFrame]]:
    """All places where the pattern fits: the texts with those cells blanked, and the cells.

    `fitting` says which texts have such a place at all. A place where a cell would end within a number
    (Exhibit No. 1 of 1,250), or would hold what another cell has claimed, is none; the pattern is not looked
    for below it.
    """
    cells: list[pl.DataFrame] = []
    rest = texts["rest"]
    pending = texts.filter(fitting)
    for repeat in range(MAX_REPEATS):
        scanned = pl.col("rest").str.len_bytes().cast(pl.Int64) * repeat
        read = _captured(pattern, pending.lazy().filter(scanned <= MAX_SCANNED), len(rules)).collect()
        read = read.rechunk()  # see rejections
        if read.is_empty():
            break
        rest.scatter(read["number"], read["rest"])
        cells += [_cells(read, index, rule) for index, rule in enumerate(rules)]
        pending = read.select("number", "text", "rest").filter(read["again"])
        if pending.is_empty():
            break
    return texts.with_columns(rest), cells


def _captured(pattern: Pattern, texts: pl.LazyFrame, fields: int) -> pl.LazyFrame:
    """The texts in which the next place where the pattern fits is one, with its cells: what `Pattern.capture` says of
    each, and `<i>_label`, what the pattern fits before it. In `rest` the cells are blanked; `again` says whether the
    pattern fits that."""
    captured = pattern.capture(texts, "rest")
    # A loose pattern fits the blanks of a claim again; that is no cell.
    printed = [pl.col(str(index)).str.contains(r"\S") for index in range(fields)]
    cell = [_is_free(index) & ~_cuts_a_number(index) for index in range(fields)]
    rest = pl.col("rest")
    for index in range(fields):
        rest = _blanked(rest, pl.col(f"{index}_start"), pl.col(str(index)))
    return (
        captured.filter(pl.all_horizontal(*printed, *cell))
        .with_columns(rest, *(_label(index).alias(f"{index}_label") for index in range(fields)))
        .with_columns(again=pattern.matches(pl.col("rest")))
    )


def _is_free(index: int) -> pl.Expr:
    """Whether nothing within cell `index` of a pattern has been claimed and blanked."""
    cell = pl.col(str(index))
    return cell == pl.col("text").str.slice(pl.col(f"{index}_start"), cell.str.len_chars())


def _cuts_a_number(index: int) -> pl.Expr:
    """Whether cell `index` of a pattern begins or ends within a number, so that the number would count twice."""
    text, start = pl.col("rest"), pl.col(f"{index}_start")
    end = start + pl.col(str(index)).str.len_chars()
    around = [pl.concat_str(text.str.head(at).str.tail(2), pl.lit("|"), text.str.slice(at, 2)) for at in (start, end)]
    return pl.any_horizontal(place.str.contains(_WITHIN_NUMBER) for place in around)


def _label(index: int) -> pl.Expr:
    """What a pattern fits before its cell `index`."""
    label = pl.col("rest").str.slice(pl.col("match_start"), pl.col(f"{index}_start") - pl.col("match_start"))
    label = label.str.strip_chars().str.replace_all(r"\s+", " ")
    return pl.when(label != "").then(label)


def _cells(read: pl.DataFrame, index: int, rule: int) -> pl.DataFrame:
    """Cell `index` of each place, as `_TEXT_CELLS`."""
    return pl.DataFrame(
        {
            "number": read["number"],
            "start": read[f"{index}_start"],
            "raw": read[str(index)],
            "rule": pl.repeat(rule, read.height, dtype=pl.Int32, eager=True),
            "row_label": read[f"{index}_label"],
        }
    )


def _blanked(text: pl.Expr, start: pl.Expr, raw: pl.Expr) -> pl.Expr:
    """`text` with the characters of `raw` at `start` replaced by as many blanks."""
    length = raw.str.len_chars()
    return pl.concat_str(text.str.head(start), pl.lit("").str.pad_start(length), text.str.slice(start + length))


def _unclaimed(texts: pl.DataFrame) -> pl.DataFrame:
    """The numbers that are left in the texts."""
    number_token = re.compile(NUMBER)
    left = texts.filter(pl.col("rest").str.contains("[0-9]"))
    rows = [
        (number, found.start(), found.group(), None, None)
        for number, rest in left.select("number", "rest").iter_rows()
        for found in number_token.finditer(rest)
    ]
    return pl.DataFrame(rows, schema=_TEXT_CELLS, orient="row")


def _footnotes(block: Block, lines: pl.DataFrame, below: pl.DataFrame, book: RuleBook) -> pl.DataFrame:
    """What footnotes below the heads of a block say. All prose below a head is one text, wherever
    blank lines stand."""
    assert block.footnote is not None
    pattern = block.footnote.pattern
    here = lines.join(below, on="head", how="inner", maintain_order="left")
    regions = here.group_by("head", maintain_order=True).agg(pl.col("position"), pl.col("text").str.join("\n"))
    notes, texts = _numbered(regions)
    fitting = texts.select(pattern.matches(pl.col("rest"))).to_series()
    _, found = _claim(pattern, texts, fitting, [book.of_block(block, pattern.fields[0])])
    return _in_documents(_locate(pl.concat([pl.DataFrame(schema=_TEXT_CELLS), *found]), texts), notes)


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
