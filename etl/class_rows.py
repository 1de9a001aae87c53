"""Blocks with a row for each class → cells.

A block that repeats the class labels names its rows itself. A block without labels joins its
neighbour by row order, and only if the row counts agree; otherwise the report is rejected. Where such a
block prints labels all the same, they must be those that its rows take.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from etl.cells import Cells
from etl.layout import Block, Classes, Layout
from etl.patterns import Pattern
from etl.rejections import reject
from etl.rules import TOTAL, RuleBook

# Key of a class that a report prints without name and CUSIP, as its only one.
UNNAMED = "UNNAMED"

# Rows of a block without labels beside those of the block whose labels it takes.
JOINS = pl.Schema({"document": pl.UInt32, "block": pl.String, "expected": pl.Int64, "actual": pl.Int64})

_COMPARE = "compare the two blocks with the filed report: a row is missing, doubled or illegible"


@dataclass(frozen=True)
class BlockRows:
    """What one block gave.

    `cells`: the cells, as `records` takes them. `keys`: `document`, `ordinal`, `line`, `position`,
    `row_label`, `class_key` of each row. `region`: all lines of the block. `rejections`: reports
    that cannot be read because of this block. `joins`: as `JOINS`, a row for each report in which the
    block joined its neighbour by row order.
    """

    cells: list[Cells]
    keys: pl.DataFrame
    region: pl.DataFrame
    rejections: list[pl.DataFrame]
    joins: pl.DataFrame


def read_class_blocks(lines: pl.DataFrame, layout: Layout, book: RuleBook) -> list[BlockRows]:
    """All blocks of the layout that have a row for each class. `lines` as `blocks.label_lines` gives them."""
    read: dict[str, BlockRows] = {}
    documents = lines.select("document").unique(maintain_order=True)
    for block, region, rows, total_rows in _matched(lines, layout):
        neighbour = read.get(block.labels_from or block.same_rows_as or "")
        if not block.has_head:
            assert neighbour is not None
            read[block.name] = _read_anywhere(block, rows, neighbour.keys, layout.classes, book)
            continue
        read[block.name] = _read_block(block, region, rows, total_rows, neighbour, layout.classes, book)
        if block.required:
            read[block.name].rejections.append(_missing_block(block, documents, read[block.name].keys))
    return list(read.values())


def _matched(
    lines: pl.DataFrame, layout: Layout
) -> Iterator[tuple[Block, pl.DataFrame, pl.DataFrame, pl.DataFrame | None]]:
    """For each block: its lines, and those that fit its row and its total row, with their captures."""
    blocks = [(index, block) for index, block in enumerate(layout.blocks) if block.row is not None]
    outside = lines.lazy().filter(~pl.col("is_head"))
    regions = [
        outside.filter(pl.col("block") == index)
        if block.has_head
        else outside.filter(block.row.matches(pl.col("text")))  # type: ignore[union-attr]
        for index, block in blocks
    ]
    columns = ["document", "line", "position", "text"]
    collected = iter(
        pl.collect_all(
            [
                frame
                for region, (_, block) in zip(regions, blocks, strict=True)
                for frame in (
                    region,
                    *(
                        pattern.capture(region.select(columns), "text").drop("text")
                        for pattern in (block.row, block.total_row)
                        if pattern is not None
                    ),
                )
            ]
        )
    )
    for _, block in blocks:
        yield block, next(collected), next(collected), next(collected) if block.total_row else None


def _read_block(
    block: Block,
    region: pl.DataFrame,
    rows: pl.DataFrame,
    total_rows: pl.DataFrame | None,
    neighbour: BlockRows | None,
    classes: Classes,
    book: RuleBook,
) -> BlockRows:
    assert block.row is not None
    keys = _row_keys(block, rows, total_rows, classes)
    rejections: list[pl.DataFrame] = []
    joins = pl.DataFrame(schema=JOINS)
    if block.labels_from is not None and neighbour is not None:
        others = _without_omitted(block, keys, neighbour.keys)
        counts = _span(keys).join(_span(others), on="document", how="inner", suffix="_ref", maintain_order="left")
        rejections.append(_different_counts(block, counts, keys, region, neighbour))
        joins = counts.select("document", block=pl.lit(block.name), expected="rows_ref", actual="rows")
        labels = others.select("document", "ordinal", "row_label", "class_key")
        printed = keys.select("document", "line", "position", "ordinal", printed="row_label")
        keys = printed.join(labels, on=["document", "ordinal"], how="left", maintain_order="left")
        rejections.append(_other_labels(block, keys))
        keys = keys.drop("printed")
    elif block.same_rows_as is not None and neighbour is not None:
        keys = _resolve(keys, neighbour.keys)
        rejections += _different_rows(block, keys, neighbour.keys)
    else:
        rejections.append(_nameless(block, keys))
    rejections += [_doubled(block, keys), _total_before_others(block, keys)]
    cells = _cells(block, block.row, rows, book)
    if block.total_row is not None and total_rows is not None:
        cells += _cells(block, block.total_row, total_rows, book)
    return BlockRows(cells, keys, region, rejections, joins)


def _row_keys(block: Block, rows: pl.DataFrame, total_rows: pl.DataFrame | None, classes: Classes) -> pl.DataFrame:
    """Document, line, position, ordinal, printed label and class key of each row, in printed order.

    The key is the class. Where a row may do without one (`{class_id}?`), it is the CUSIP of rows that have none, or
    one that other rows of the report have too; a report's only row that has neither is `UNNAMED`.
    """
    assert block.row is not None
    label, cusip = (
        pl.col(str(block.row.fields.index(name))) if name in block.row.fields else pl.lit(None, pl.String)
        for name in ("class_id", "cusip")
    )
    key = pl.when(label.is_in(classes.totals)).then(pl.lit(TOTAL)).otherwise(label.replace(dict(classes.aliases)))
    keys = rows.select("document", "line", "position", row_label=label, class_key=key, cusip=cusip)
    if "class_id" in block.row.optional and block.labels_from is None:
        several = pl.col("class_key").is_not_null() & (pl.len().over("document", "class_key") > 1)
        keys = keys.with_columns(
            class_key=pl.when(several)
            .then(pl.coalesce("cusip", "class_key"))
            .otherwise(pl.coalesce("class_key", "cusip"))
        )
        alone = pl.col("class_key").is_null() & (pl.len().over("document") == 1)
        keys = keys.with_columns(class_key=pl.when(alone).then(pl.lit(UNNAMED)).otherwise("class_key"))
    keys = keys.drop("cusip")
    if total_rows is not None:
        blank = pl.lit(None, pl.String)
        totals = total_rows.select("document", "line", "position", row_label=blank, class_key=pl.lit(TOTAL))
        keys = pl.concat([keys, totals]).sort("position")
    return keys.with_columns(ordinal=pl.int_range(pl.len(), dtype=pl.Int32).over("document"))


def _read_anywhere(
    block: Block, rows: pl.DataFrame, reference: pl.DataFrame, classes: Classes, book: RuleBook
) -> BlockRows:
    """Rows that stand by themselves anywhere. One for a class that the reference does not have is not read, so its
    numbers are left unclaimed; one that is printed again counts once."""
    assert block.row is not None
    keys = _resolve(_row_keys(block, rows, None, classes), reference)
    # The class of a row whose key is its CUSIP is known by its name alone.
    named = reference.filter(pl.len().over("document", "row_label") == 1)
    keys = (
        keys.join(named.select("document", "row_label", named="class_key"), on=["document", "row_label"], how="left")
        .with_columns(class_key=pl.coalesce("named", "class_key"))
        .drop("named")
        .join(reference, on=["document", "class_key"], how="semi", maintain_order="left")
        .sort("position")
    )
    rows = rows.join(keys.select("position", "class_key"), on="position", how="inner", maintain_order="left")
    cells = [str(index) for index in range(len(block.row.fields))]
    once = rows.unique(["document", "class_key", *cells], keep="first", maintain_order=True).select("position")
    different = keys.join(once, on="position", how="semi", maintain_order="left")
    read = _cells(block, block.row, rows, book)
    return BlockRows(read, keys, rows.clear(), [_doubled(block, different)], pl.DataFrame(schema=JOINS))


def _without_omitted(block: Block, keys: pl.DataFrame, reference: pl.DataFrame) -> pl.DataFrame:
    """The rows of the reference, without those that the block may omit where it then has as many rows."""
    kept = reference.filter(~pl.col("class_key").is_in(block.may_omit))
    counts = keys.group_by("document").len().join(kept.group_by("document").len(), on=["document", "len"], how="inner")
    omitting = pl.col("document").is_in(counts["document"].implode())
    rows = pl.concat([reference.filter(~omitting), kept.filter(omitting)]).sort("position")
    return rows.with_columns(ordinal=pl.int_range(pl.len(), dtype=pl.Int32).over("document"))


def _other_labels(block: Block, keys: pl.DataFrame) -> pl.DataFrame:
    """Reports in which a row prints another label than the one that it takes, or none where others print theirs."""
    labelled = pl.col("printed").is_not_null().any().over("document")
    other = pl.col("class_key").is_not_null() & pl.col("printed").ne_missing(pl.col("row_label"))
    wrong = keys.filter(labelled & other)
    message = pl.format(
        "block {} has {} in line {}, where block {} has {}",
        pl.lit(block.name), pl.col("printed").fill_null("no label"), "line",
        pl.lit(block.labels_from), pl.col("row_label").fill_null("no label"),
    )  # fmt: skip
    return reject(wrong, "row_order_mismatch", message, _COMPARE)


def _nameless(block: Block, keys: pl.DataFrame) -> pl.DataFrame:
    """Reports with rows of which nothing says which class they are for."""
    nameless = keys.filter(pl.col("class_key").is_null())
    message = pl.format("line {} of block {} has neither a class nor a CUSIP", "line", pl.lit(block.name))
    return reject(nameless, "unknown_class", message, _COMPARE)


def _resolve(keys: pl.DataFrame, reference: pl.DataFrame) -> pl.DataFrame:
    """Class keys that are spelled without the reference's punctuation take the reference's spelling.

    Only where exactly one class of the same report has the same letters and digits, so that two
    classes are never taken for one.
    """
    unknown = keys.join(reference, on=["document", "class_key"], how="anti").select("document", "class_key")
    if unknown.is_empty():
        return keys
    bare = pl.col("class_key").str.replace_all("[^A-Za-z0-9]", "").str.to_uppercase()
    spelled = reference.select("document", bare=bare, spelled="class_key").filter(
        pl.len().over("document", "bare") == 1
    )
    known = keys.select("document", spelled="class_key")
    found = (
        unknown.with_columns(bare=bare)
        .join(spelled, on=["document", "bare"], how="inner")
        .join(known, on=["document", "spelled"], how="anti")
    )
    found = found.filter(pl.len().over("document", "spelled") == 1).select("document", "class_key", "spelled")
    joined = keys.join(found, on=["document", "class_key"], how="left", maintain_order="left")
    return joined.with_columns(class_key=pl.coalesce("spelled", "class_key")).drop("spelled")


def _span(keys: pl.DataFrame) -> pl.DataFrame:
    """Number of rows, first and last line of the block in each document."""
    return keys.group_by("document", maintain_order=True).agg(
        rows=pl.len().cast(pl.Int64), first=pl.col("line").min(), last=pl.col("line").max()
    )


def _different_counts(
    block: Block, counts: pl.DataFrame, keys: pl.DataFrame, region: pl.DataFrame, neighbour: BlockRows
) -> pl.DataFrame:
    """Reports in which the block has more or fewer rows than the one whose labels it takes. `counts` has
    the spans of both."""
    wrong = counts.filter(pl.col("rows") != pl.col("rows_ref"))
    for lines, rows, suffix in ((region, keys, ""), (neighbour.region, neighbour.keys, "_ref")):
        unread = _unread_line(lines, rows, wrong.select("document", last=f"last{suffix}"))
        wrong = wrong.join(unread, on="document", how="left", suffix="_ref", maintain_order="left")
    message = pl.format(
        "block {} has {} rows (lines {}-{}) and no labels, block {} has {} (lines {}-{}){}{}",
        pl.lit(block.name), "rows", "first", "last",
        pl.lit(block.labels_from), "rows_ref", "first_ref", "last_ref",
        pl.col("unread").fill_null(""), pl.col("unread_ref").fill_null(""),
    )  # fmt: skip
    return reject(wrong, "row_count_mismatch", message, _COMPARE)


def _unread_line(region: pl.DataFrame, keys: pl.DataFrame, documents: pl.DataFrame) -> pl.DataFrame:
    """`document` and `unread`: the first line of the block, above its `last` row, that was not read."""
    between = (
        region.join(documents, on="document", how="inner", maintain_order="left")
        .join(keys.select("position"), on="position", how="anti", maintain_order="left")
        .filter(pl.col("line") <= pl.col("last"))
    )
    text = pl.col("text").first().str.strip_chars()
    return between.group_by("document", maintain_order=True).agg(
        unread=pl.format("; line {} was not read: {}", pl.col("line").first(), text)
    )


def _different_rows(block: Block, keys: pl.DataFrame, reference: pl.DataFrame) -> list[pl.DataFrame]:
    """Reports in which the block has not the reference's classes."""
    here = keys.select("document").unique()
    wanted = reference.filter(~pl.col("class_key").is_in(block.may_omit)).join(
        here, on="document", how="semi", maintain_order="left"
    )
    missing = wanted.join(keys, on=["document", "class_key"], how="anti", maintain_order="left")
    unknown = keys.join(reference, on=["document", "class_key"], how="anti", maintain_order="left")
    unknown = unknown.join(reference.select("document").unique(), on="document", how="semi", maintain_order="left")
    lost = pl.format(
        "block {} has no row for {}, which block {} has in line {}",
        pl.lit(block.name), "class_key", pl.lit(block.same_rows_as), "line",
    )  # fmt: skip
    extra = pl.format(
        "line {} of block {} is for {}, which block {} does not have",
        "line", pl.lit(block.name), "class_key", pl.lit(block.same_rows_as),
    )  # fmt: skip
    hint = f"{_COMPARE}; if the family prints it so, add may_omit or an alias to the layout"
    return [
        reject(missing, "missing_row", lost, hint),
        reject(unknown, "unknown_class", extra, hint),
        _different_order(block, keys, reference),
    ]


def _different_order(block: Block, keys: pl.DataFrame, reference: pl.DataFrame) -> pl.DataFrame:
    """Reports in which the block lists the classes in another order: rows without labels that join by
    order may then belong to other classes."""
    # A class that stands twice is told elsewhere; here its copies would meet each other, thousands by thousands.
    theirs = reference.select("document", "class_key", theirs="ordinal").unique(
        ["document", "class_key"], keep="first", maintain_order=True
    )
    common = keys.join(theirs, on=["document", "class_key"], how="inner", maintain_order="left")
    before = pl.col("theirs").shift(1).over("document")
    wrong = common.filter(pl.col("theirs") < before)
    message = pl.format(
        "block {} has {} in line {}, in another order than block {}",
        pl.lit(block.name), "class_key", "line", pl.lit(block.same_rows_as),
    )  # fmt: skip
    return reject(wrong, "row_order_mismatch", message, _COMPARE)


def _total_before_others(block: Block, keys: pl.DataFrame) -> pl.DataFrame:
    """Reports in which a row follows the total row."""
    after = keys.filter(pl.col("class_key").shift(1).over("document") == TOTAL)
    message = pl.format("block {} has a row below its total, in line {}", pl.lit(block.name), "line")
    return reject(after, "row_order_mismatch", message, _COMPARE)


def _doubled(block: Block, keys: pl.DataFrame) -> pl.DataFrame:
    doubled = keys.filter(pl.col("class_key").is_not_null() & ~pl.struct("document", "class_key").is_first_distinct())
    message = pl.format("block {} has a second row for {} in line {}", pl.lit(block.name), "class_key", "line")
    return reject(doubled, "doubled_row", message, "compare the block with the filed report")


def _missing_block(block: Block, documents: pl.DataFrame, keys: pl.DataFrame) -> pl.DataFrame:
    missing = documents.join(keys, on="document", how="anti", maintain_order="left")
    heads = " ".join((*block.columns, block.title or "")).strip()
    message = pl.format("no rows of block {} were found; its head reads: {}", pl.lit(block.name), pl.lit(heads))
    return reject(missing, "missing_block", message, "check that the report is whole and that its head reads so")


def _cells(block: Block, pattern: Pattern, rows: pl.DataFrame, book: RuleBook) -> list[Cells]:
    """One frame for each column of the block."""
    unheaded = len(pattern.fields) - len(block.columns)
    cells = []
    for index, name in enumerate(pattern.fields):
        rule = book.of_block(block, name, block.columns[index - unheaded] if index >= unheaded else None)
        column = rows.select(
            "position",
            start=pl.col(f"{index}_start"),
            raw=pl.col(str(index)),
            rule=pl.lit(rule, pl.Int32),
        )
        if name in pattern.optional:
            column = column.drop_nulls("raw")
        cells.append(Cells(column, book.look(rule)))
    return cells
