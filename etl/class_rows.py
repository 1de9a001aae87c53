"""Blocks with a row for each class → cells.

A block that repeats the class labels names its rows itself. A block without labels joins its
neighbour by row order, and only if the row counts agree; otherwise the report is rejected. Where such a
block prints labels all the same, they must be those that its rows take.

A report may print its classes in sections (REMIC I, REMIC II). Then each block stands once in each of them: all that
is said here of a block holds for a block within one section.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from etl.cells import Cells
from etl.layout import Block, Classes, Layout
from etl.patterns import Pattern
from etl.rejections import SCHEMA as REJECTIONS
from etl.rejections import reject
from etl.rules import TOTAL, RuleBook

# Key of a class that a report prints without name and CUSIP, as its only one.
UNNAMED = "UNNAMED"

# Rows of a block without labels beside those of the block whose labels it takes.
JOINS = pl.Schema({"document": pl.UInt32, "block": pl.String, "expected": pl.Int64, "actual": pl.Int64})

# Rows with the same values here are of one table; `section` is empty where a report has no sections.
_TABLE = ["document", "section"]
_ROW = [*_TABLE, "class_key"]

_COMPARE = "compare the two blocks with the filed report: a row is missing, doubled or illegible"


@dataclass(frozen=True)
class BlockRows:
    """What one block gave.

    `cells`: the cells, as `records` takes them. `keys`: `document`, `ordinal`, `line`, `position`,
    `row_label`, `section`, `class_key` of each row. `region`: all lines of the block. `rejections`: reports
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
    lines = _in_sections(lines, layout.classes)
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


def read_sections(lines: pl.DataFrame, layout: Layout, book: RuleBook) -> tuple[list[Cells], list[pl.DataFrame]]:
    """The lines that name a section of the classes, as cells, and as keys of these lines."""
    if layout.classes.sections is None:
        return [], []
    named = _section_names(lines, layout.classes.sections).filter(pl.col("named").is_not_null())
    start = pl.col("text").str.len_chars() - pl.col("text").str.strip_chars_start().str.len_chars()
    rule = pl.lit(book.of_classes("section"), pl.Int32)
    cells = named.select("position", start=start.cast(pl.Int32), raw=pl.col("text").str.strip_chars(), rule=rule)
    return [Cells(cells, "text")], [named.select("position", section="named")]


def _in_sections(lines: pl.DataFrame, classes: Classes) -> pl.DataFrame:
    """`lines` with the `section` that the nearest line above names."""
    if classes.sections is None:
        return lines.with_columns(section=pl.lit(""))
    named = _section_names(lines, classes.sections)
    return named.with_columns(section=pl.col("named").forward_fill().over("document").fill_null("")).drop("named")


def _section_names(lines: pl.DataFrame, sections: str) -> pl.DataFrame:
    text = pl.col("text").str.strip_chars().str.replace_all(r"\s+", " ")
    return lines.with_columns(named=pl.when(text.str.contains(f"^(?:{sections})$")).then(text))


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
    columns = [*_TABLE, "line", "position", "text"]
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
        counts = _span(keys).join(_span(others), on=_TABLE, how="inner", suffix="_ref", maintain_order="left")
        rejections.append(_different_counts(block, counts, keys, region, neighbour))
        name = pl.format("{} {}", "section", pl.lit(block.name)).str.strip_chars_start()
        joins = counts.rechunk().select("document", block=name, expected="rows_ref", actual="rows")
        labels = others.select(*_TABLE, "ordinal", "row_label", "class_key")
        printed = keys.select(*_TABLE, "line", "position", "ordinal", printed="row_label")
        keys = printed.join(labels, on=[*_TABLE, "ordinal"], how="left", maintain_order="left")
        rejections.append(_other_labels(block, keys))
        keys = keys.drop("printed")
    elif block.same_rows_as is not None and neighbour is not None:
        keys = _resolve(_in_section_of_class(keys, neighbour.keys), neighbour.keys)
        rejections += _different_rows(block, keys, neighbour.keys)
    else:
        rejections.append(_nameless(block, keys))
    rejections += [_doubled(block, keys), _total_before_others(block, keys)]
    cells = _cells(block, block.row, rows, book)
    if block.total_row is not None and total_rows is not None:
        cells += _cells(block, block.total_row, total_rows, book)
    return BlockRows(cells, keys, region, rejections, joins)


def _row_keys(block: Block, rows: pl.DataFrame, total_rows: pl.DataFrame | None, classes: Classes) -> pl.DataFrame:
    """Document, section, line, position, ordinal, printed label and class key of each row, in printed order.

    The key is the class. Where a row may do without one (`{class_id}?`), it is the CUSIP of rows that have none, or
    one that other rows of the section have too; a section's only row that has neither is `UNNAMED`.
    """
    assert block.row is not None
    label, cusip = (
        pl.col(str(block.row.fields.index(name))) if name in block.row.fields else pl.lit(None, pl.String)
        for name in ("class_id", "cusip")
    )
    key = pl.when(label.is_in(classes.totals)).then(pl.lit(TOTAL)).otherwise(label.replace(dict(classes.aliases)))
    keys = rows.select(*_TABLE, "line", "position", row_label=label, class_key=key, cusip=cusip)
    if "class_id" in block.row.optional and block.labels_from is None:
        several = pl.col("class_key").is_not_null() & (pl.len().over(_ROW) > 1)
        keys = keys.with_columns(
            class_key=pl.when(several)
            .then(pl.coalesce("cusip", "class_key"))
            .otherwise(pl.coalesce("class_key", "cusip"))
        )
        alone = pl.col("class_key").is_null() & (pl.len().over(_TABLE) == 1)
        keys = keys.with_columns(class_key=pl.when(alone).then(pl.lit(UNNAMED)).otherwise("class_key"))
    keys = keys.drop("cusip")
    if total_rows is not None:
        blank = pl.lit(None, pl.String)
        totals = total_rows.select(*_TABLE, "line", "position", row_label=blank, class_key=pl.lit(TOTAL))
        keys = pl.concat([keys, totals]).sort("position")
    return keys.with_columns(ordinal=pl.int_range(pl.len(), dtype=pl.Int32).over(_TABLE))


def _in_section_of_class(keys: pl.DataFrame, reference: pl.DataFrame) -> pl.DataFrame:
    """Rows of classes that the reference lists in one other section only are of that section: a table further
    below need not name it again."""
    if pl.concat([keys["section"], reference["section"]]).n_unique() <= 1:
        return keys
    alone = reference.filter(pl.len().over("document", "class_key") == 1)
    elsewhere = keys.join(reference, on=_ROW, how="anti").select("document", "class_key").unique()
    theirs = alone.join(elsewhere, on=["document", "class_key"], how="semi")
    theirs = theirs.select("document", "class_key", theirs="section")
    moved = keys.join(theirs, on=["document", "class_key"], how="left", maintain_order="left")
    moved = moved.with_columns(section=pl.coalesce("theirs", "section")).drop("theirs")
    return moved.with_columns(ordinal=pl.int_range(pl.len(), dtype=pl.Int32).over(_TABLE))


def _read_anywhere(
    block: Block, rows: pl.DataFrame, reference: pl.DataFrame, classes: Classes, book: RuleBook
) -> BlockRows:
    """Rows that stand by themselves anywhere. One for a class that the reference does not have is not read, so its
    numbers are left unclaimed; one that is printed again counts once."""
    assert block.row is not None
    keys = _known_by_name(_row_keys(block, rows, None, classes), reference)
    keys = _resolve(_in_section_of_class(keys, reference), reference)
    keys = keys.join(reference, on=_ROW, how="semi", maintain_order="left").sort("position")
    theirs = keys.select("position", "section", "class_key")
    rows = rows.drop("section").join(theirs, on="position", how="inner", maintain_order="left")
    cells = [str(index) for index in range(len(block.row.fields))]
    once = rows.unique([*_ROW, *cells], keep="first", maintain_order=True).select("position")
    different = keys.join(once, on="position", how="semi", maintain_order="left")
    read = _cells(block, block.row, rows, book)
    return BlockRows(read, keys, rows.clear(), [_doubled(block, different)], pl.DataFrame(schema=JOINS))


def _known_by_name(keys: pl.DataFrame, reference: pl.DataFrame) -> pl.DataFrame:
    """Rows with the key of the only class of their name in the section, else in the report: it may be a CUSIP."""
    for table in (["document"], _TABLE):
        alone = reference.filter(pl.len().over(*table, "row_label") == 1)
        named = alone.select(*table, "row_label", named="class_key")
        keys = keys.join(named, on=[*table, "row_label"], how="left", maintain_order="left")
        keys = keys.with_columns(class_key=pl.coalesce("named", "class_key")).drop("named")
    return keys


def _without_omitted(block: Block, keys: pl.DataFrame, reference: pl.DataFrame) -> pl.DataFrame:
    """The rows of the reference, without those that the block may omit where it then has as many rows."""
    if block.may_omit is None:
        return reference
    kept = reference.filter(~pl.col("class_key").str.contains(block.may_omit))
    omitting = keys.group_by(_TABLE).len().join(kept.group_by(_TABLE).len(), on=[*_TABLE, "len"], how="inner")
    others = reference.join(omitting, on=_TABLE, how="anti")
    rows = pl.concat([others, kept.join(omitting, on=_TABLE, how="semi")]).sort("position")
    return rows.with_columns(ordinal=pl.int_range(pl.len(), dtype=pl.Int32).over(_TABLE))


def _other_labels(block: Block, keys: pl.DataFrame) -> pl.DataFrame:
    """Reports in which a row prints another label than the one that it takes, or none where others print theirs."""
    labelled = pl.col("printed").is_not_null().any().over(_TABLE)
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
    unknown = keys.join(reference, on=_ROW, how="anti").select(_ROW)
    if unknown.is_empty():
        return keys
    bare = pl.col("class_key").str.replace_all("[^A-Za-z0-9]", "").str.to_uppercase()
    spelled = reference.select(*_TABLE, bare=bare, spelled="class_key").filter(pl.len().over(*_TABLE, "bare") == 1)
    known = keys.select(*_TABLE, spelled="class_key")
    found = (
        unknown.with_columns(bare=bare)
        .join(spelled, on=[*_TABLE, "bare"], how="inner")
        .join(known, on=[*_TABLE, "spelled"], how="anti")
    )
    found = found.filter(pl.len().over(*_TABLE, "spelled") == 1).select(*_ROW, "spelled")
    joined = keys.join(found, on=_ROW, how="left", maintain_order="left")
    return joined.with_columns(class_key=pl.coalesce("spelled", "class_key")).drop("spelled")


def _span(keys: pl.DataFrame) -> pl.DataFrame:
    """Number of rows, first and last line of the block in each document and section."""
    return keys.group_by(_TABLE, maintain_order=True).agg(
        rows=pl.len().cast(pl.Int64), first=pl.col("line").min(), last=pl.col("line").max()
    )


def _different_counts(
    block: Block, counts: pl.DataFrame, keys: pl.DataFrame, region: pl.DataFrame, neighbour: BlockRows
) -> pl.DataFrame:
    """Reports in which the block has more or fewer rows than the one whose labels it takes. `counts` has
    the spans of both."""
    wrong = counts.filter(pl.col("rows") != pl.col("rows_ref"))
    if wrong.is_empty():
        return pl.DataFrame(schema=REJECTIONS)
    for lines, rows, suffix in ((region, keys, ""), (neighbour.region, neighbour.keys, "_ref")):
        unread = _unread_line(lines, rows, wrong.select(*_TABLE, last=f"last{suffix}"))
        wrong = wrong.join(unread, on=_TABLE, how="left", suffix="_ref", maintain_order="left")
    message = pl.format(
        "block {} has {} rows (lines {}-{}) and no labels, block {} has {} (lines {}-{}){}{}",
        pl.lit(block.name), "rows", "first", "last",
        pl.lit(block.labels_from), "rows_ref", "first_ref", "last_ref",
        pl.col("unread").fill_null(""), pl.col("unread_ref").fill_null(""),
    )  # fmt: skip
    return reject(wrong, "row_count_mismatch", message, _COMPARE)


def _unread_line(region: pl.DataFrame, keys: pl.DataFrame, documents: pl.DataFrame) -> pl.DataFrame:
    """`document`, `section`, `unread`: the first line of the block, above its `last` row, that was not read."""
    between = (
        region.join(documents, on=_TABLE, how="inner", maintain_order="left")
        .join(keys.select("position"), on="position", how="anti", maintain_order="left")
        .filter(pl.col("line") <= pl.col("last"))
    )
    text = pl.col("text").first().str.strip_chars()
    return between.group_by(_TABLE, maintain_order=True).agg(
        unread=pl.format("; line {} was not read: {}", pl.col("line").first(), text)
    )


def _different_rows(block: Block, keys: pl.DataFrame, reference: pl.DataFrame) -> list[pl.DataFrame]:
    """Reports in which the block has not the reference's classes."""
    here = keys.select(_TABLE).unique()
    wanted = reference.join(here, on=_TABLE, how="semi", maintain_order="left")
    if block.may_omit is not None:
        wanted = wanted.filter(~pl.col("class_key").str.contains(block.may_omit))
    missing = wanted.join(keys, on=_ROW, how="anti", maintain_order="left")
    unknown = keys.join(reference, on=_ROW, how="anti", maintain_order="left")
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
    theirs = reference.select(*_ROW, theirs="ordinal").unique(_ROW, keep="first", maintain_order=True)
    common = keys.join(theirs, on=_ROW, how="inner", maintain_order="left")
    before = pl.col("theirs").shift(1).over(_TABLE)
    wrong = common.filter(pl.col("theirs") < before)
    message = pl.format(
        "block {} has {} in line {}, in another order than block {}",
        pl.lit(block.name), "class_key", "line", pl.lit(block.same_rows_as),
    )  # fmt: skip
    return reject(wrong, "row_order_mismatch", message, _COMPARE)


def _total_before_others(block: Block, keys: pl.DataFrame) -> pl.DataFrame:
    """Reports in which a row follows the total row."""
    after = keys.filter(pl.col("class_key").shift(1).over(_TABLE) == TOTAL)
    message = pl.format("block {} has a row below its total, in line {}", pl.lit(block.name), "line")
    return reject(after, "row_order_mismatch", message, _COMPARE)


def _doubled(block: Block, keys: pl.DataFrame) -> pl.DataFrame:
    doubled = keys.filter(pl.col("class_key").is_not_null() & ~pl.struct(_ROW).is_first_distinct())
    message = pl.format("block {} has a second row for {} in line {}", pl.lit(block.name), "class_key", "line")
    return reject(doubled, "doubled_row", message, "compare the block with the filed report")


def _missing_block(block: Block, documents: pl.DataFrame, keys: pl.DataFrame) -> pl.DataFrame:
    missing = documents.join(keys, on="document", how="anti", maintain_order="left")
    head = pl.lit(" ".join(block.heads).strip())
    message = pl.format("no rows of block {} were found; its head reads: {}", pl.lit(block.name), head)
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
