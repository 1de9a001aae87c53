"""Blocks with a row for each class → cells.

A block that repeats the class labels names its rows itself. A block without labels joins its
neighbour by row order, and only if the row counts agree; otherwise the report is rejected. Where such a
block prints labels all the same, they must be those that its rows take.

A report may print its classes in sections (REMIC I, REMIC II). Then each block stands once in each of them: all that
is said here of a block holds for a block within one section.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import polars as pl

from etl.cells import Cells, cells_of
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
class ClassRows:
    """What the blocks gave.

    `cells`: the cells, as `records` takes them. `keys`: `position`, `row_label`, `section` and `class_key` of each row,
    a frame for each block. `rejections`: reports that cannot be read because of a block, as `rejections.SCHEMA`.
    `joins`: as `JOINS`, a row for each report in which a block joined its neighbour by row order.
    """

    cells: list[Cells]
    keys: list[pl.DataFrame]
    rejections: pl.DataFrame
    joins: pl.DataFrame


@dataclass(frozen=True)
class _Matched:
    """A block by its number, all its lines, those that fit its row and its total row, with their captures, and the keys
    of these: `document`, `section`, `line`, `position`, `row_label`, `class_key`, `ordinal`, and `printed`, the label
    that a row has which takes another block's."""

    index: int
    block: Block
    region: pl.DataFrame
    keys: pl.DataFrame
    rows: pl.DataFrame
    total_rows: pl.DataFrame | None


@dataclass(frozen=True)
class _BlockRows:
    """What one block gave: its lines, its cells and the keys of its rows, with the labels that they take.

    `distinct`: the keys that must be of classes of their own. `neighbour`: the name of the block whose labels or
    classes it has, `reference` the keys of that one where the classes must be the same. `rejections` and `joins`: of a
    block that joined its neighbour by row order.
    """

    matched: _Matched
    cells: list[Cells]
    keys: pl.DataFrame
    distinct: pl.DataFrame
    neighbour: str | None = None
    reference: pl.DataFrame | None = None
    rejections: pl.DataFrame | None = None
    joins: pl.DataFrame | None = None


def read_class_blocks(lines: pl.DataFrame, layout: Layout, book: RuleBook) -> ClassRows:
    """All blocks of the layout that have a row for each class. `lines` as `blocks.label_lines` gives them."""
    read: dict[str, _BlockRows] = {}
    for matched in _matched(_in_sections(lines, layout.classes), layout):
        block = matched.block
        neighbour = read.get(block.labels_from or block.same_rows_as or "")
        if block.has_head:
            read[block.name] = _read_block(matched, neighbour, book)
        else:
            assert neighbour is not None
            read[block.name] = _read_anywhere(matched, neighbour.keys, book)
    blocks = list(read.values())
    return ClassRows(
        cells=[cell for rows in blocks for cell in rows.cells],
        keys=[rows.keys.select("position", "row_label", "section", "class_key") for rows in blocks],
        rejections=_rejections(blocks, lines),
        joins=pl.concat([pl.DataFrame(schema=JOINS), *(rows.joins for rows in blocks if rows.joins is not None)]),
    )


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


def _matched(lines: pl.DataFrame, layout: Layout) -> Iterator[_Matched]:
    """The lines of each block."""
    blocks = [(index, block) for index, block in enumerate(layout.blocks) if block.row is not None]
    outside = lines.lazy().filter(~pl.col("is_head"))
    columns = [*_TABLE, "line", "position", "text"]
    wanted: list[pl.LazyFrame] = []
    for index, block in blocks:
        assert block.row is not None
        region = outside.filter(pl.col("block") == index if block.has_head else block.row.matches(pl.col("text")))
        patterns = [pattern for pattern in (block.row, block.total_row) if pattern is not None]
        wanted += [region, *(pattern.capture(region.select(columns), "text").drop("text") for pattern in patterns)]
    collected = iter(pl.collect_all(wanted))
    for index, block in blocks:
        found, rows = next(collected), next(collected)
        total_rows = next(collected) if block.total_row else None
        keys = _row_keys(block, rows, total_rows, layout.classes)
        yield _Matched(index, block, found, keys, rows, total_rows)


def _read_block(matched: _Matched, neighbour: _BlockRows | None, book: RuleBook) -> _BlockRows:
    block, keys = matched.block, matched.keys
    assert block.row is not None
    cells = _cells(block, block.row, matched.rows, book)
    if block.total_row is not None and matched.total_rows is not None:
        cells += _cells(block, block.total_row, matched.total_rows, book)
    if block.labels_from is not None and neighbour is not None:
        return _joined_by_order(matched, cells, neighbour)
    if block.same_rows_as is not None and neighbour is not None:
        keys = _resolve(_in_section_of_class(keys, neighbour.keys), neighbour.keys)
        return _BlockRows(matched, cells, keys, keys, neighbour.matched.block.name, neighbour.keys)
    return _BlockRows(matched, cells, keys, keys)


def _joined_by_order(matched: _Matched, cells: list[Cells], neighbour: _BlockRows) -> _BlockRows:
    """A block whose rows take the labels of its neighbour's."""
    block, keys = matched.block, matched.keys
    others = _without_omitted(block, keys, neighbour.keys)
    counts = _span(keys).join(_span(others), on=_TABLE, how="inner", suffix="_ref", maintain_order="left")
    rejections = _different_counts(matched, counts, neighbour)
    name = pl.format("{} {}", "section", pl.lit(block.name)).str.strip_chars_start()
    joins = counts.rechunk().select("document", block=name, expected="rows_ref", actual="rows")
    labels = others.select(*_TABLE, "ordinal", "row_label", "class_key")
    printed = keys.drop("row_label", "class_key")
    keys = printed.join(labels, on=[*_TABLE, "ordinal"], how="left", maintain_order="left")
    return _BlockRows(matched, cells, keys, keys, neighbour.matched.block.name, rejections=rejections, joins=joins)


def _row_keys(block: Block, rows: pl.DataFrame, total_rows: pl.DataFrame | None, classes: Classes) -> pl.DataFrame:
    """The keys of the rows and of the total rows, in printed order.

    The key is the class. Where a row may do without one (`{class_id}?`), it is the CUSIP of rows that have none, or
    one that other rows of the section have too; a section's only row that has neither is `UNNAMED`.
    """
    assert block.row is not None
    blank = pl.lit(None, pl.String)
    label, cusip = (
        pl.col(str(block.row.fields.index(name))) if name in block.row.fields else blank
        for name in ("class_id", "cusip")
    )
    key = label.replace({**classes.aliases, **dict.fromkeys(classes.totals, TOTAL)})
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
        totals = total_rows.select(*_TABLE, "line", "position", row_label=blank, class_key=pl.lit(TOTAL))
        keys = pl.concat([keys, totals]).sort("position")
    ordinal = pl.int_range(pl.len(), dtype=pl.Int32).over(_TABLE)
    return keys.with_columns(ordinal=ordinal, printed="row_label" if block.labels_from else blank)


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


def _read_anywhere(matched: _Matched, reference: pl.DataFrame, book: RuleBook) -> _BlockRows:
    """Rows that stand by themselves anywhere. One for a class that the reference does not have is not read, so its
    numbers are left unclaimed; one that is printed again counts once."""
    block, rows = matched.block, matched.rows
    assert block.row is not None
    keys = _known_by_name(matched.keys, reference)
    keys = _resolve(_in_section_of_class(keys, reference), reference)
    keys = keys.join(reference, on=_ROW, how="semi", maintain_order="left").sort("position")
    theirs = keys.select("position", "section", "class_key")
    rows = rows.drop("section").join(theirs, on="position", how="inner", maintain_order="left")
    cells = [str(index) for index in range(len(block.row.fields))]
    once = rows.unique([*_ROW, *cells], keep="first", maintain_order=True).select("position")
    different = keys.join(once, on="position", how="semi", maintain_order="left")
    read = _cells(block, block.row, rows, book)
    return _BlockRows(replace(matched, region=matched.region.clear()), read, keys, different)


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


def _different_counts(matched: _Matched, counts: pl.DataFrame, neighbour: _BlockRows) -> pl.DataFrame:
    """Reports in which the block has more or fewer rows than the one whose labels it takes. `counts` has
    the spans of both."""
    block = matched.block
    wrong = counts.filter(pl.col("rows") != pl.col("rows_ref"))
    if wrong.is_empty():
        return pl.DataFrame(schema=REJECTIONS)
    for lines, rows, suffix in ((matched.region, matched.keys, ""), (neighbour.matched.region, neighbour.keys, "_ref")):
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


def _cells(block: Block, pattern: Pattern, rows: pl.DataFrame, book: RuleBook) -> list[Cells]:
    """One frame for each column of the block."""
    unheaded = len(pattern.fields) - len(block.columns)
    cells = []
    for index, name in enumerate(pattern.fields):
        rule = book.of_block(block, name, block.columns[index - unheaded] if index >= unheaded else None)
        rules = pl.Series([rule], dtype=pl.Int32).new_from_index(0, rows.height)
        cells.append(Cells(cells_of(rows, rows[f"{index}_start"], rows[str(index)], rules), book.look(rule)))
    return cells


# --- what is held against the rows, of all blocks at once --------------------------------------------------------

# As `_TABLE` and `_ROW`, where the rows of all blocks stand in one frame.
_BLOCK_TABLE = ["block", *_TABLE]
_BLOCK_ROW = ["block", *_ROW]
_KEYS = [*_TABLE, "line", "row_label", "class_key", "ordinal", "printed"]


@dataclass(frozen=True)
class _Check:
    """Rows that are wrong, and what is said of them: with the `name` of their block and that of its `neighbour`."""

    wrong: pl.LazyFrame
    reason_code: str
    message: pl.Expr
    hint: str = _COMPARE


def _rejections(blocks: Sequence[_BlockRows], lines: pl.DataFrame) -> pl.DataFrame:
    """What is wrong with the blocks, one block after the other."""
    if not blocks:
        return pl.DataFrame(schema=REJECTIONS)
    told = [
        rows.rejections.with_columns(block=pl.lit(rows.matched.index, pl.Int32))
        for rows in blocks
        if rows.rejections is not None
    ]
    schema = {"block": pl.Int32, "name": pl.String, "neighbour": pl.String}
    known = [(rows.matched.index, rows.matched.block.name, rows.neighbour) for rows in blocks]
    names = pl.DataFrame(known, schema=schema, orient="row")
    checks = _checks(blocks, lines)
    for check, wrong in zip(checks, pl.collect_all([check.wrong for check in checks]), strict=True):
        named = wrong.join(names, on="block", how="left", maintain_order="left")
        rejections = reject(named, check.reason_code, check.message, check.hint)
        told.append(rejections.with_columns(wrong["block"]))
    return pl.concat(told).sort("block", maintain_order=True).drop("block")


def _checks(blocks: Sequence[_BlockRows], lines: pl.DataFrame) -> list[_Check]:
    """What is asked of the blocks, in the order in which it is told of each. Of rows that may stand anywhere it is only
    asked whether two are of one class."""
    headed = [rows for rows in blocks if rows.matched.block.has_head]
    by_themselves = [rows.matched.index for rows in headed if rows.neighbour is None]
    all_keys, references = pl.collect_all([_stacked(blocks), _references(blocks)])
    missing = _missing_blocks([rows.matched for rows in headed], all_keys.lazy(), lines)
    doubtful = _doubtful(all_keys, references)
    if doubtful.is_empty():
        return [missing]
    keys, reference = (
        frame.join(doubtful, on=["block", "document"], how="semi", maintain_order="left").lazy()
        for frame in (all_keys, references)
    )
    tables = keys.filter(pl.col("block").is_in([rows.matched.index for rows in headed]))
    return [
        _other_labels(tables),
        *_different_rows(tables, reference),
        _nameless(keys.filter(pl.col("block").is_in(by_themselves))),
        _doubled(keys),
        _total_before_others(tables),
        missing,
    ]


def _doubtful(keys: pl.DataFrame, reference: pl.DataFrame) -> pl.DataFrame:
    """The `block` and `document` of the tables to look at closely: of nearly all one look says that nothing is wrong.

    They have a class in each row, none twice, nothing below the total and no labels of their own beside those that they
    take; and where they must have the classes of another table, they have these in its order, with or without those
    that they may omit.
    """
    classes = pl.col("class_key")
    tables = keys.group_by(_BLOCK_TABLE).agg(classes, printed=pl.col("printed").is_not_null().any())
    theirs = reference.group_by(_BLOCK_TABLE).agg(all_classes=classes, kept=classes.filter(~pl.col("omitted")))
    compared = tables.join(theirs, on=_BLOCK_TABLE, how="left")
    distinct = (classes.list.n_unique() == classes.list.len()) & ~classes.list.contains(None)
    ended = ~classes.list.head(classes.list.len() - 1).list.contains(TOTAL)
    same = classes.eq_missing(pl.col("all_classes")) | classes.eq_missing(pl.col("kept"))
    free = ~pl.col("block").is_in(reference["block"].unique().implode())
    fine = distinct & ended & ~pl.col("printed") & (same | free)
    return compared.filter(~fine).select("block", "document")


def _stacked(blocks: Sequence[_BlockRows]) -> pl.LazyFrame:
    """The rows of all blocks, with the numbers of these."""
    return pl.concat(
        [rows.distinct.lazy().select(_KEYS, block=pl.lit(rows.matched.index, pl.Int32)) for rows in blocks]
    )


def _references(blocks: Sequence[_BlockRows]) -> pl.LazyFrame:
    """For each block that must have the classes of another: the keys of that one, and whether it may omit them."""
    none = blocks[0].keys.clear().lazy().select(_KEYS, block=pl.lit(0, pl.Int32), omitted=pl.lit(value=False))
    frames = [none]
    for rows in blocks:
        if rows.reference is not None:
            omit = rows.matched.block.may_omit
            omitted = pl.lit(value=False) if omit is None else pl.col("class_key").str.contains(omit)
            index = pl.lit(rows.matched.index, pl.Int32)
            frames.append(rows.reference.lazy().select(_KEYS, block=index, omitted=omitted))
    return pl.concat(frames)


def _other_labels(keys: pl.LazyFrame) -> _Check:
    """Reports in which a row prints another label than the one that it takes, or none where others print theirs."""
    labelled = pl.col("printed").is_not_null().any().over(_BLOCK_TABLE)
    other = pl.col("class_key").is_not_null() & pl.col("printed").ne_missing(pl.col("row_label"))
    message = pl.format(
        "block {} has {} in line {}, where block {} has {}",
        "name", pl.col("printed").fill_null("no label"), "line",
        "neighbour", pl.col("row_label").fill_null("no label"),
    )  # fmt: skip
    return _Check(keys.filter(labelled & other), "row_order_mismatch", message)


def _different_rows(keys: pl.LazyFrame, reference: pl.LazyFrame) -> list[_Check]:
    """Reports in which the block has not the reference's classes, or lists them in another order: rows without labels
    that join by order may then belong to other classes."""
    here = keys.select(_BLOCK_TABLE).unique()
    wanted = reference.filter(~pl.col("omitted")).join(here, on=_BLOCK_TABLE, how="semi", maintain_order="left")
    missing = wanted.join(keys, on=_BLOCK_ROW, how="anti", maintain_order="left")
    # A class that stands twice is told elsewhere; here its copies would meet each other, thousands by thousands.
    theirs = reference.unique(_BLOCK_ROW, keep="first", maintain_order=True).select(*_BLOCK_ROW, theirs="ordinal")
    compared = keys.join(theirs, on=_BLOCK_ROW, how="left", maintain_order="left")
    reports = reference.select("block", "document").unique()
    unknown = compared.filter(pl.col("theirs").is_null()).join(
        reports, on=["block", "document"], how="semi", maintain_order="left"
    )
    common = compared.filter(pl.col("theirs").is_not_null())
    swapped = common.filter(pl.col("theirs") < pl.col("theirs").shift(1).over(_BLOCK_TABLE))
    lost = pl.format(
        "block {} has no row for {}, which block {} has in line {}", "name", "class_key", "neighbour", "line"
    )
    extra = pl.format(
        "line {} of block {} is for {}, which block {} does not have", "line", "name", "class_key", "neighbour"
    )
    order = pl.format(
        "block {} has {} in line {}, in another order than block {}", "name", "class_key", "line", "neighbour"
    )
    hint = f"{_COMPARE}; if the family prints it so, add may_omit or an alias to the layout"
    return [
        _Check(missing, "missing_row", lost, hint),
        _Check(unknown, "unknown_class", extra, hint),
        _Check(swapped, "row_order_mismatch", order),
    ]


def _nameless(keys: pl.LazyFrame) -> _Check:
    """Reports with rows of which nothing says which class they are for."""
    message = pl.format("line {} of block {} has neither a class nor a CUSIP", "line", "name")
    return _Check(keys.filter(pl.col("class_key").is_null()), "unknown_class", message)


def _doubled(keys: pl.LazyFrame) -> _Check:
    """Reports in which a block has a class twice."""
    doubled = keys.filter(pl.col("class_key").is_not_null() & ~pl.struct(_BLOCK_ROW).is_first_distinct())
    message = pl.format("block {} has a second row for {} in line {}", "name", "class_key", "line")
    return _Check(doubled, "doubled_row", message, "compare the block with the filed report")


def _total_before_others(keys: pl.LazyFrame) -> _Check:
    """Reports in which a row follows the total row."""
    after = keys.filter(pl.col("class_key").shift(1).over(_BLOCK_TABLE) == TOTAL)
    message = pl.format("block {} has a row below its total, in line {}", "name", "line")
    return _Check(after, "row_order_mismatch", message)


def _missing_blocks(tables: Sequence[_Matched], keys: pl.LazyFrame, lines: pl.DataFrame) -> _Check:
    """Reports without the rows of a block that they must have."""
    heads = [(rows.index, " ".join(rows.block.heads).strip()) for rows in tables if rows.block.required]
    required = pl.LazyFrame(heads, schema={"block": pl.Int32, "head": pl.String}, orient="row")
    wanted = lines.lazy().select("document").unique(maintain_order=True).join(required, how="cross")
    missing = wanted.join(keys, on=["block", "document"], how="anti", maintain_order="left")
    message = pl.format("no rows of block {} were found; its head reads: {}", "name", "head")
    hint = "check that the report is whole and that its head reads so"
    return _Check(missing, "missing_block", message, hint)
