"""Cells → records: the lossless base, one row for each printed cell, with its value and its place."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import polars as pl

from etl.blocks import find_heads, label_lines
from etl.cells import FITTING_LENGTH, NUMBER, PRINTED_DECIMALS, VALUED, Cells, count_numbers, fits, typed
from etl.class_rows import read_class_blocks, read_sections
from etl.labelled_rows import read_group_blocks, read_group_heads, read_single_lines
from etl.layout import Layout
from etl.prose import line_spacing, read_prose
from etl.rejections import SCHEMA as REJECTIONS
from etl.rejections import reject
from etl.rules import RuleBook

# What the steps before give of each cell; what a step does not know is null.
_CELL = pl.Schema(
    {
        "position": pl.UInt32(),
        "start": pl.Int32(),
        "raw": pl.String(),
        "rule": pl.Int32(),
        "piece": pl.Int32(),
        "row_label": pl.String(),
    }
)
_NUMBER = re.compile(NUMBER)
# Tables in which a figure stands once, and cells that only name a row or column of them. Of classes
# the blocks see to it: each reads other columns, and none has a class twice.
_ONCE = ("pools", "delinquencies", "measures", "triggers")
_LABELS = ("group_id", "status", "bucket", "row_label", "excludes")
# What they give of each line that they read.
_KEYS = pl.Schema(
    {
        "position": pl.UInt32(),
        "row_label": pl.String(),
        "section": pl.String(),
        "class_key": pl.String(),
        "loan_status": pl.String(),
        "bucket": pl.String(),
    }
)


@dataclass(frozen=True)
class Extraction:
    """What a layout read in a batch of documents.

    `records`: the columns of the declared table, `document`, `priority` (number of the rule: the lower
    wins where several cells of a report say the same) and `piece` (0 where a cell begins, 1, 2, ...
    where a wrapped cell goes on). `rules`: what the rules say, by their numbers. `numbers`:
    `document`, `numbers_found` and `numbers_claimed`. `joins`: `document`, `block`, `expected` and `actual`
    rows of blocks that joined by row order. `rejections`: as `rejections.SCHEMA`; their documents are in the
    other frames too.
    """

    records: pl.DataFrame
    rules: pl.DataFrame
    numbers: pl.DataFrame
    joins: pl.DataFrame
    rejections: pl.DataFrame

    def without(self, documents: pl.Series) -> Extraction:
        """The extraction of the other documents."""
        return Extraction(
            records=without(self.records, documents),
            rules=self.rules,
            numbers=without(self.numbers, documents),
            joins=without(self.joins, documents),
            rejections=without(self.rejections, documents),
        )


def without(frame: pl.DataFrame, documents: pl.Series) -> pl.DataFrame:
    """The rows of the other documents."""
    return frame.filter(~pl.col("document").is_in(documents.implode()))


def extract(lines: pl.DataFrame, layout: Layout) -> Extraction:
    """All records of a batch of documents of one layout. `lines` as `lines.lines_frame` gives them."""
    book = RuleBook(layout.unsigned_percentages, others=layout.other_figures)
    heads = find_heads(lines, layout)
    labelled = label_lines(lines, heads)
    class_rows = read_class_blocks(labelled, layout, book)
    group_blocks = read_group_blocks(labelled, heads, layout, book)
    group_heads = read_group_heads(labelled, heads, layout, book)
    section_cells, section_keys = read_sections(labelled, layout, book)
    keys = [*class_rows.keys, *section_keys, *group_blocks.keys]
    rest = _unread(labelled, [*keys, _grouped_head_lines(heads)])
    singles = read_single_lines(rest.filter(~pl.col("is_head")), layout, book)
    keys += singles.keys
    rest = _unread(rest, singles.keys)
    prose = read_prose(rest, line_spacing(lines), heads, layout, book)
    cells = [*class_rows.cells, *section_cells, *group_blocks.cells, *group_heads, *singles.cells, *prose]
    rules = book.frame()
    looks = pl.Series([book.look(number) for number in range(len(book.rules))], dtype=pl.String)
    records = _records(cells, keys, lines, rules, looks)
    numbers = _numbers_found(lines).join(_numbers_in(records), on="document", how="left", maintain_order="left")
    passed_over = _passed_over(records, lines, numbers)
    if passed_over is not None:
        records = _records([*cells, passed_over], keys, lines, rules, looks)
    rejections = [class_rows.rejections, *group_blocks.rejections]
    return Extraction(
        records=records,
        rules=rules,
        numbers=numbers.drop("numbers_recorded"),
        joins=class_rows.joins,
        rejections=pl.concat([*rejections, _misfits(records, book), _conflicts(records)]),
    )


def _unread(lines: pl.DataFrame, keys: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """The lines that are not among `keys`."""
    if not keys:
        return lines
    read = pl.concat([frame.select("position") for frame in keys])
    return lines.join(read, on="position", how="anti", maintain_order="left")


def _grouped_head_lines(heads: pl.DataFrame) -> pl.DataFrame:
    """Lines of heads whose group labels are cells: nothing is left in them to look for."""
    grouped = heads.filter(pl.col("groups").list.len() > 0)
    first = pl.col("position") - pl.col("head_lines") + 1
    positions = grouped.select(position=pl.int_ranges(first, pl.col("position") + 1)).explode("position")
    return positions.select(pl.col("position").cast(pl.UInt32))


def _numbers_found(lines: pl.DataFrame) -> pl.DataFrame:
    """Numeric tokens of each document, by a scan that knows no layout."""
    return lines.group_by("document", maintain_order=True).agg(numbers_found=count_numbers(pl.col("text")).sum())


def _numbers_in(records: pl.DataFrame) -> pl.DataFrame:
    """`document` and the numeric tokens within its records: `numbers_recorded`, and `numbers_claimed` without those of
    unclaimed records. The cell of a number is one token by the cell grammar; texts are scanned."""
    cells = records.lazy()
    texts = cells.filter(pl.col("value").is_null()).select("document", "status", tokens=count_numbers(pl.col("raw")))
    values = cells.filter(pl.col("value").is_not_null()).select("document", "status", tokens=pl.lit(1, pl.Int64))
    tokens = pl.col("tokens")
    counted = pl.concat([values, texts]).collect().group_by("document", maintain_order=True)
    return counted.agg(
        numbers_recorded=tokens.sum(), numbers_claimed=tokens.filter(pl.col("status") != "unclaimed").sum()
    )


def _passed_over(records: pl.DataFrame, lines: pl.DataFrame, numbers: pl.DataFrame) -> Cells | None:
    """The numbers that stand in no record: in lines that a pattern reads, where it has no field for them. They belong
    to no rule. Mostly there are none, and the counts say so."""
    missing = pl.col("numbers_found") > pl.col("numbers_recorded").fill_null(0)
    wanted = numbers.filter(missing).select("document")
    if wanted.is_empty():
        return None
    within: dict[tuple[int, int], list[tuple[int, int]]] = {}
    places = records.join(wanted, on="document", how="semi").select("document", "line", "column_start", "column_end")
    for document, line, start, end in places.iter_rows():
        within.setdefault((document, line), []).append((start, end))
    digits = lines.filter(pl.col("text").str.contains("[0-9]")).join(wanted, on="document", how="semi")
    rows = [
        (position, found.start(), found.group())
        for document, line, position, text in digits.select("document", "line", "position", "text").iter_rows()
        for found in _outside(text, within.get((document, line), []))
    ]
    schema = {name: _CELL[name] for name in ("position", "start", "raw")}
    found = pl.DataFrame(rows, schema=schema, orient="row")
    return Cells(found.with_columns(rule=pl.lit(None, pl.Int32)))


def _outside(text: str, spans: list[tuple[int, int]]) -> Iterator[re.Match[str]]:
    """The numbers of a line whose first digit stands in none of the spans."""
    following = iter(sorted(spans))
    start, end = next(following, (len(text), len(text)))
    for found in _NUMBER.finditer(text):
        digit = found.start() + len(found[0]) - len(found[0].lstrip("(-$"))
        while digit >= end and end < len(text):
            start, end = next(following, (len(text), len(text)))
        if digit < start:
            yield found


def _records(
    cells: Sequence[Cells], keys: Sequence[pl.DataFrame], lines: pl.DataFrame, rules: pl.DataFrame, looks: pl.Series
) -> pl.DataFrame:
    """Cells in printed order, with their values and what their rules and their lines say of them."""
    place = pl.col("position").cast(pl.UInt64) * 2**32 + pl.col("start").cast(pl.UInt64)
    valued = pl.concat(
        [
            typed(part.frame.lazy(), part.unit, seen=seen).select(*_CELL, *VALUED, place=place)
            for part, seen in _by_unit(cells, looks)
        ]
    )
    ordered = valued.sort("place", maintain_order=True).drop("place").collect()
    position, rule = ordered["position"], ordered["rule"]
    known = pl.concat([pl.DataFrame(schema=_KEYS), *keys], how="diagonal")
    known = known.with_columns(section=pl.when(pl.col("section") != "").then("section"))
    key_of_line = pl.Series([None], dtype=pl.UInt32).new_from_index(0, lines.height)
    key_of_line = key_of_line.scatter(known["position"], pl.int_range(known.height, dtype=pl.UInt32, eager=True))
    key = key_of_line[position]
    said = {name: lines[name][position] for name in ("document", "line")}
    said |= {name: known[name][key] for name in ("section", "class_key", "loan_status", "bucket")}
    meant = {name: rules[name].gather(rule) for name in rules.columns}
    for name in ("loan_status", "bucket"):  # of the line, or of the column
        said[name] = said[name].zip_with(said[name].is_not_null(), meant.pop(name).cast(pl.String))
    return (
        ordered.lazy()
        .drop("position", "start")
        .rename({"rule": "priority"})
        .with_columns(
            **said,
            **meant,
            piece=pl.col("piece").fill_null(0),
            row_label=pl.coalesce("row_label", known["row_label"][key]),
            column_start=ordered["start"],
            column_end=(ordered["start"] + ordered["raw"].str.len_chars()).cast(pl.Int32),
        )
        .with_columns(record_no=_count_from_one("document"))
        .collect()
    )


def _count_from_one(group: str) -> pl.Expr:
    """The number of each row within its group; the rows of a group stand together."""
    row = pl.int_range(pl.len(), dtype=pl.Int32)
    first = pl.when(pl.col(group).ne_missing(pl.col(group).shift(1))).then(row).forward_fill()
    return row - first + 1


def _by_unit(cells: Sequence[Cells], looks: pl.Series) -> Iterator[tuple[Cells, bool]]:
    """All cells by unit, and whether their patterns saw to it that they look like cells of this unit."""
    empty = pl.DataFrame(schema=_CELL)
    mixed = pl.concat([empty, *(part.frame for part in cells if part.unit is None)], how="diagonal")
    units = looks.gather(mixed["rule"])  # all may be null, which `[]` refuses
    parts = mixed.with_columns(unit=units).partition_by("unit", as_dict=True, include_key=False, maintain_order=True)
    yield from ((Cells(frame, unit), False) for (unit,), frame in parts.items())
    known: dict[str, list[pl.DataFrame]] = {}
    for part in cells:
        if part.unit is not None:
            known.setdefault(part.unit, [empty]).append(part.frame)
    yield from ((Cells(pl.concat(frames, how="diagonal"), unit), True) for unit, frames in known.items())


def _misfits(records: pl.DataFrame, book: RuleBook) -> pl.DataFrame:
    """Cells that are not what their field needs, or do not fit its type: an error, never rounded."""
    units = pl.Series([rule.unit for rule in book.rules], dtype=pl.String)
    places = pl.Series([PRINTED_DECIMALS.get(rule.unit, 0) for rule in book.rules], dtype=pl.Int32)
    length = pl.Series([FITTING_LENGTH.get(rule.unit, 0) for rule in book.rules], dtype=pl.Int32)
    priority = records["priority"]
    before = pl.col("raw").str.len_bytes() - pl.col("printed_decimals")
    doubtful = (before > length.gather(priority)) | (pl.col("printed_decimals") > places.gather(priority))
    columns = ["document", "line", "raw", "field", "value", "status", "printed_decimals", "priority"]
    looked_at = records.select(columns).filter(
        (pl.col("status") == "unparsable") | (doubtful & pl.col("value").is_not_null())
    )
    if looked_at.is_empty():
        return pl.DataFrame(schema=REJECTIONS)
    unit = units.gather(looked_at["priority"])
    wrong = looked_at.with_columns(unit=unit).filter(
        (pl.col("status") == "unparsable") | ~fits(pl.col("value"), pl.col("unit"))
    )
    message = pl.format("line {}: '{}' is no {} that fits field {}", "line", "raw", "unit", "field")
    return reject(wrong, "value_does_not_fit", message, "compare the line with the filed report")


def _conflicts(records: pl.DataFrame) -> pl.DataFrame:
    """Figures that a report prints twice, with different values. What it says of itself is compared
    by a check."""
    columns = ["document", "table", "field", "raw", "value", "line", "status"]
    keys = ["section", "class_key", "group_id", "loan_status", "bucket"]
    figures = records.select(*columns, *keys).filter(
        pl.col("table").is_in(_ONCE) & ~pl.col("field").is_in(_LABELS) & (pl.col("status") != "blank")
    )
    cell = ["document", "table", "field", *keys]
    again = figures.filter(~pl.struct(cell).is_first_distinct())
    if again.is_empty():
        return pl.DataFrame(schema=REJECTIONS)
    printed_twice = figures.join(
        again.select(cell).unique(), on=cell, how="semi", nulls_equal=True, maintain_order="left"
    )
    first = printed_twice.unique(cell, keep="first", maintain_order=True)
    twice = again.join(first, on=cell, how="inner", suffix="_first", nulls_equal=True, maintain_order="left")
    same_text = pl.col("raw") == pl.col("raw_first")
    wrong = twice.filter(~pl.coalesce(pl.col("value") == pl.col("value_first"), same_text))
    message = pl.format(
        "field {} is '{}' in line {} and '{}' in line {}", "field", "raw_first", "line_first", "raw", "line"
    )
    return reject(wrong, "conflicting_values", message, "compare both lines with the filed report")
