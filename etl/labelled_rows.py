"""Blocks whose lines name themselves by a label → cells.

In a table by loan group, what stands right of the label repeats for each group of the head. In one whose columns are
buckets of loans, the group stands left of the label, for the rows below it too. Lines that stand by themselves
(`Servicing Fee 278,036`) may stand anywhere, and their label may be wrapped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import polars as pl

from etl.cells import Cells, cells_of
from etl.layout import Block, Layout
from etl.patterns import ANY_CELL, CELLS, Pattern, compile_row, groups_of
from etl.rejections import reject
from etl.rules import TOTAL, RuleBook

# Stands for the printed group in a table that has no groups; its figures are totals.
NO_GROUP = ""
# Tables with rows by loan group: a line that stands by itself is for all of them.
_GROUPED = ("pools", "delinquencies", "measures")
_STATUS = {"loan_status": pl.String, "bucket": pl.String}
# Above how many lines the label of a wrapped line may begin.
MAX_WRAPPED_LINES = 2


@dataclass(frozen=True)
class LabelledRows:
    """Cells as `records` takes them; `keys`: `position`, `row_label`, `loan_status` and `bucket` of the
    lines that were read; rejections."""

    cells: list[Cells]
    keys: list[pl.DataFrame]
    rejections: list[pl.DataFrame]


def read_group_blocks(lines: pl.DataFrame, heads: pl.DataFrame, layout: Layout, book: RuleBook) -> LabelledRows:
    """All blocks with a head and labelled rows. `lines` and `heads` as `blocks` gives them."""
    result = LabelledRows([], [], [])
    labelled = [index for index, block in enumerate(layout.blocks) if block.labels and block.has_head]
    inside = lines.filter(pl.col("block").is_in(labelled) & ~pl.col("is_head"))
    regions = inside.partition_by("block", as_dict=True, include_key=False, maintain_order=True)
    head_lines = lines.filter(pl.col("is_head")).select("document", head="position", head_line="line")
    groups = heads.select(head="position", head_block="block", groups="groups")
    groups = groups.join(head_lines, on="head", how="inner", maintain_order="left")
    wanted, read = [], []
    for index in labelled:
        if (index,) not in regions:
            continue
        block = layout.blocks[index]
        columns = _columns(index, block, layout, groups)
        groups_of_head = dict(columns.select("head", "groups").iter_rows())
        region = regions[index,].join(columns.drop("groups"), on="head", how="inner", maintain_order="left")
        rows = [
            _rows(block, layout, part, count, book)
            for (count,), part in region.partition_by("columns", as_dict=True, maintain_order=True).items()
        ]
        for frame in rows:
            result.cells.extend(_group_cells(block, layout, frame, groups_of_head, book))
            result.keys.append(_keys(block, frame))
        occurrences = region.select("document", "head", row_group=pl.lit(NO_GROUP)).unique(maintain_order=True)
        if block.row_groups:
            printed = [frame.select("document", "head", "row_group") for frame in rows]
            occurrences = pl.concat([occurrences.clear(), *printed]).unique(maintain_order=True)
        wanted.append(occurrences.select(pl.lit(index, pl.Int32).alias("block"), pl.all()))
        read += [_read_rows(index, block, frame) for frame in rows]
    if read:
        result.rejections.append(_missing_or_doubled(layout, pl.concat(wanted), pl.concat(read), head_lines))
    return result


def read_group_heads(lines: pl.DataFrame, heads: pl.DataFrame, layout: Layout, book: RuleBook) -> list[Cells]:
    """The group labels printed in heads, as cells."""
    cells = []
    first = heads.filter(pl.col("groups").list.len() > 0).with_columns(
        (pl.col("position") - pl.col("head_lines") + 1).cast(pl.UInt32).alias("position"),
        count=pl.col("groups").list.len(),
    )
    located = first.join(
        lines.select("position", "document", "line", "text"), on="position", how="inner", maintain_order="left"
    )
    for (number, count), part in located.partition_by("block", "count", as_dict=True, maintain_order=True).items():
        block = layout.blocks[number]
        assert block.groups is not None
        pattern = _head_of_groups(block.title or "", block.groups, count, any_case=layout.any_case)
        rows = pattern.capture(part.lazy().select("position", "text"), "text").collect()
        for column in range(count):
            label = rows[str(column)]
            rule = _group_rules(block, layout, label, book)
            cells.append(Cells(cells_of(rows, rows[f"{column}_start"], label, rule), "text"))
    return cells


@lru_cache(1000)
def _head_of_groups(title: str, groups: str, count: int, *, any_case: bool) -> Pattern:
    """The line of a head that has so many groups; the title may stand left of them."""
    words = " ".join(re.escape(word) for word in title.split())
    beside = f"(?:{'(?i)' if any_case else ''}{words})? ?"
    labels = " ".join(f"(?P<group_{number}>{groups})" for number in range(count))
    return compile_row(f"{beside}{labels}", lambda _field: "text")


def _group_rules(block: Block, layout: Layout, labels: pl.Series, book: RuleBook) -> pl.Series:
    """The rule of each printed group label."""
    distinct = labels.unique(maintain_order=True)
    rules = {label: book.of_block(block, "group_id", None, _group_id(label, layout)) for label in distinct}
    return pl.Series([rules[label] for label in labels], dtype=pl.Int32)


def _group_id(label: str, layout: Layout) -> str:
    """The group that a label means: its runs of blanks do not matter, nor where the layout says so its capitals."""
    words = " ".join(label.split())
    return (words.upper() if layout.any_case else words) or TOTAL


def read_single_lines(lines: pl.DataFrame, layout: Layout, book: RuleBook) -> LabelledRows:
    """Lines that stand by themselves, in `lines` (those that no table has read)."""
    result = LabelledRows([], [], [])
    meanings = _single_line_labels(layout, book)
    if meanings.is_empty():
        return result
    ended = lines.with_columns(tail=pl.col("text").str.extract(rf"({ANY_CELL}\s*)$"))
    candidates = ended.with_columns(
        label=pl.col("text").str.head(pl.col("text").str.len_chars() - pl.col("tail").str.len_chars())
    ).filter(pl.col("tail").is_not_null())
    above = ended.select("position", above_document="document", above="text", above_tail="tail")
    pending = candidates.with_columns(row_label=_collapsed(pl.col("label")))
    readings = []
    for wrapped in range(MAX_WRAPPED_LINES + 1):
        if wrapped:
            pending = _with_line_above(pending, above, wrapped)
        readings.append(_with_meanings(pending, meanings, layout))
    # A label that goes on above says more than its last line alone.
    found = pl.concat(reversed(readings)).unique("position", keep="first", maintain_order=True)
    result.cells.append(Cells(_single_cells(found)))
    result.cells.append(Cells(_labels_with_digits(found), "text"))
    result.keys.append(found.select("position", "row_label", "loan_status", "bucket"))
    return result


def _with_meanings(pending: pl.DataFrame, meanings: pl.DataFrame, layout: Layout) -> pl.DataFrame:
    """The pending lines whose label is known, with what it means."""
    known = meanings.rename({"row_label": "folded"})
    named = pending.with_columns(folded=_folded("row_label", layout))
    return named.join(known, on="folded", how="inner", maintain_order="left").drop("folded")


def _columns(index: int, block: Block, layout: Layout, groups: pl.DataFrame) -> pl.DataFrame:
    """For each head of the block: the groups of its columns and how many there are. `groups` has `head`, `document`,
    `head_block` and `groups` of all heads."""
    own = groups.filter(pl.col("head_block") == index)
    if block.buckets:
        return _bucket_columns(block, layout, groups, own)
    printed = pl.col("groups")
    if block.columns_of is not None:
        theirs = groups.filter(pl.col("head_block") == _number_of(block.columns_of, layout))
        theirs = theirs.select("head", "document", theirs="groups")
        alone = theirs.filter(pl.len().over("document") == 1).select("document", alone="theirs")
        own = own.sort("head").join_asof(
            theirs.sort("head"), on="head", by="document", strategy="backward", check_sortedness=False
        )
        own = own.join(alone, on="document", how="left", maintain_order="left")
        # The nearest such head above, or the only one of the report.
        printed = pl.when(printed.list.len() > 0).then(printed).otherwise(pl.coalesce("theirs", "alone"))
    elif block.groups is None:
        printed = pl.lit([NO_GROUP])
    if block.may_lack_groups:  # then the only column is that of the total
        printed = pl.when(printed.list.len() == 0).then(pl.lit([NO_GROUP])).otherwise(printed)
    own = own.select("head", groups=printed)
    if block.columns_of is not None:
        own = own.drop_nulls()
    return own.with_columns(columns=pl.col("groups").list.len())


def _bucket_columns(block: Block, layout: Layout, groups: pl.DataFrame, own: pl.DataFrame) -> pl.DataFrame:
    """For each head of a block whose columns are buckets: their heads in place of groups. Where they stand above
    another block, only heads below such a one count."""
    heads = _bucket_heads(block, layout)
    if block.columns_of is not None:
        theirs = groups.filter(pl.col("head_block") == _number_of(block.columns_of, layout))
        first = theirs.group_by("document").agg(first=pl.col("head").min())
        own = own.join(first, on="document", how="inner", maintain_order="left").filter(
            pl.col("first") < pl.col("head")
        )
    return own.select("head", groups=pl.lit(heads), columns=pl.lit(len(heads), pl.UInt32))


def _number_of(name: str, layout: Layout) -> int:
    return next(number for number, known in enumerate(layout.blocks) if known.name == name)


def _bucket_heads(block: Block, layout: Layout) -> list[str]:
    """The printed heads of the columns that are buckets."""
    above = next((known for known in layout.blocks if known.name == block.columns_of), block)
    return list(above.columns[-len(block.buckets) :])


def _rows(block: Block, layout: Layout, region: pl.DataFrame, columns: int, book: RuleBook) -> pl.DataFrame:
    """The labelled rows of the region: those that print all columns, and of sparse blocks those that leave some
    blank. Columns as `_split` gives them."""
    whole = _split(block, layout, region, columns, book)
    if not block.sparse:
        return whole
    parts, left = [whole], region
    for count in range(columns - 1, 0, -1):
        left = left.join(parts[-1], on="position", how="anti", maintain_order="left")
        parts.append(_under_heads(_split(block, layout, left, count, book), whole, count, columns))
    return pl.concat(parts, how="diagonal").sort("position")


def _under_heads(rows: pl.DataFrame, whole: pl.DataFrame, count: int, columns: int) -> pl.DataFrame:
    """Rows with `count` cells, each under the one of the `columns` whose right edge is nearest in whole rows of the
    same head. Rows of which two cells would share a column are none."""

    def end(index: int) -> pl.Expr:
        return pl.col(f"{index}_start") + pl.col(str(index)).str.len_chars().cast(pl.Int32)

    edges = whole.group_by("head", maintain_order=True).agg(
        end(at).median().alias(f"edge {at}") for at in range(columns)
    )
    placed = rows.join(edges, on="head", how="inner", maintain_order="left")
    nearest = [
        pl.concat_list([(end(index) - pl.col(f"edge {at}")).abs() for at in range(columns)]).list.arg_min()
        for index in range(count)
    ]
    placed = placed.with_columns(nearest[index].alias(f"under {index}") for index in range(count))
    apart = [pl.col(f"under {index}") < pl.col(f"under {index + 1}") for index in range(count - 1)]
    placed = placed.filter(pl.lit(value=True), *apart)

    def under(at: int, name: str) -> pl.Expr:
        cells = [pl.when(pl.col(f"under {index}") == at).then(f"{index}{name}") for index in range(count)]
        return pl.coalesce(cells).alias(f"{at}{name}")

    cells = [under(at, name) for at in range(columns) for name in ("", "_start")]
    return placed.with_columns(cells).select(whole.columns)


def _split(block: Block, layout: Layout, region: pl.DataFrame, groups: int, book: RuleBook) -> pl.DataFrame:
    """The labelled rows of the region: `label`, `row_label`, `known` (the number of the block's label), `row_group`
    (the label of the group that stands left of it, or above), and `<i>`, `<i>_start` of each cell."""
    blank = {name for meaning in block.labels.values() for name in meaning.blank}
    names = list(block.cells or [""] * _columns_of(block)) * groups
    looks = [_looks(block, column, book) for column in range(_columns_of(block))] * groups
    kinds = ["|".join(dict.fromkeys(CELLS[look] for look in several)) for several in looks]
    expression = f"({kinds[0]})" + "".join(
        rf"(?:(\s+)({kind}))?" if name in blank else rf"(\s+)({kind})"
        for name, kind in zip(names[1:], kinds[1:], strict=True)
    )
    captured = region.select(
        "document", "line", "position", "head", "text", parts=groups_of("text", rf"{expression}(\s*)$")
    )
    captured = captured.filter(pl.col("parts").struct.field("1").is_not_null())
    rows = captured.drop("parts").hstack(_cells_at_end(captured, len(kinds)))
    rows = rows.with_columns(label=pl.col("text").str.head(pl.col("0_start")))
    rows = _with_known_labels(block, layout, rows.drop("text"))
    return rows.filter(_prints_what_it_must(block, names))


def _cells_at_end(captured: pl.DataFrame, count: int) -> pl.DataFrame:
    """`<i>` and `<i>_start` of each of the cells at the end of a text, from its `parts`: cell, gap, ..., cell, gap."""
    parts = captured["parts"].struct.unnest()
    lengths = parts.select(pl.all().str.len_chars().fill_null(0).cast(pl.Int32))
    total = captured["text"].str.len_chars().cast(pl.Int32)
    ends = [f"{number}" for number in range(1, 2 * count + 1)]
    starts = lengths.select(
        (total - pl.sum_horizontal(ends[2 * index :])).alias(f"{index}_start") for index in range(count)
    )
    cells = [parts[f"{2 * index + 1}"].alias(f"{index}") for index in range(count)]
    return pl.DataFrame(cells).hstack(starts)


def _with_known_labels(block: Block, layout: Layout, rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with `row_label`, `known` and `row_group`, and where the group is printed `own_group`, `group_start`."""
    numbers = {layout.folded(label): number for number, label in enumerate(block.labels)}
    known = _folded("row_label", layout).replace_strict(numbers, default=None, return_dtype=pl.UInt32)
    if block.row_groups is None:
        named = rows.with_columns(row_label=_collapsed(pl.col("label")))
        return named.with_columns(known=known, row_group=pl.lit(NO_GROUP))
    labels = "|".join(r"\s+".join(re.escape(word) for word in label.split()) for label in block.labels)
    case = "(?i)" if layout.any_case else ""
    parts = groups_of("label", rf"^\s*(?:({block.row_groups})\s+)?({case}{labels})\s*$").struct
    first = pl.col("label").str.len_chars() - pl.col("label").str.strip_chars_start().str.len_chars()
    named = rows.with_columns(
        row_label=_collapsed(parts.field("2")), own_group=parts.field("1"), group_start=first.cast(pl.Int32)
    )
    row_group = _collapsed(pl.col("own_group")).forward_fill().over("head").fill_null(NO_GROUP)
    return named.with_columns(known=known, row_group=row_group)


def _prints_what_it_must(block: Block, names: Sequence[str]) -> pl.Expr:
    """Whether a row has a known label, and the cells that rows of this label print and no others.

    So a cell that is blank by mistake does not take the value of its neighbour.
    """
    by_blank: dict[tuple[str, ...], list[int]] = {}
    for number, meaning in enumerate(block.labels.values()):
        by_blank.setdefault(meaning.blank, []).append(number)
    fitting = pl.lit(value=False)
    for blank, numbers in by_blank.items():
        printed = [
            pl.col(str(index)).is_null() if name in blank else pl.col(str(index)).is_not_null()
            for index, name in enumerate(names)
        ]
        known = pl.col("known").is_in(numbers) if len(by_blank) > 1 else pl.col("known").is_not_null()
        fitting |= known & pl.all_horizontal(printed)
    return fitting


def _columns_of(block: Block) -> int:
    """How many columns of cells the block has for each group."""
    return len(block.cells) or max(1, *(len(meaning.fields) for meaning in block.labels.values()))


def _fields_of(block: Block, column: int) -> dict[str, tuple[str, str]]:
    """For each label whose rows have a cell in the column: the table and the field of this cell."""
    if block.cells:
        return dict.fromkeys(block.labels, (block.table, block.cells[column]))
    named = {label: meaning.fields[column] for label, meaning in block.labels.items() if meaning.fields}
    named |= {label: meaning.field for label, meaning in block.labels.items() if meaning.field}
    return {label: (block.labels[label].table or block.table, name) for label, name in named.items()}


def _looks(block: Block, column: int, book: RuleBook) -> list[str]:
    """What the cells of a column look like: as the units of its fields ask; a text is looked for as a number."""
    looks = [book.look_of(table, name) for table, name in _fields_of(block, column).values()]
    return list(dict.fromkeys(look if look in CELLS else "usd" for look in looks))


def _common_look(looks: Sequence[str]) -> str | None:
    """The look of all cells of a column, or of numbers alike; None where it differs from row to row."""
    if len(looks) == 1:
        return looks[0]
    return "usd" if set(looks) <= {"usd", "per_1000", "months", "count"} else None


def _group_cells(
    block: Block, layout: Layout, rows: pl.DataFrame, groups: Mapping[int, Sequence[str]], book: RuleBook
) -> list[Cells]:
    """The cells of the rows, and the labels where they are keys or have digits. `groups` has those of each head."""
    cells = _label_cells(block, rows, book)
    if block.row_groups:
        printed = rows.filter(pl.col("own_group").is_not_null()).rechunk()
        label = printed["own_group"]
        rule = _group_rules(block, layout, label, book)
        cells.append(Cells(cells_of(printed, printed["group_start"], label, rule), "text"))
    rows = rows.rechunk()  # joins of texts panic over empty chunks, see rejections
    if rows.is_empty():
        return cells
    count = _columns_of(block)
    for group, (labels, place) in enumerate(_places(block, rows, groups)):
        for column in range(count):
            index = group * count + column
            rule = pl.Series(_rules(block, layout, labels, index, book), dtype=pl.Int32)[place]
            raw = rows[str(index)] if block.sparse else rows[str(index)].fill_null("")
            frame = cells_of(rows, rows[f"{index}_start"], raw, rule)
            cells.append(Cells(frame, _common_look(_looks(block, column, book))))
    return cells


def _places(
    block: Block, rows: pl.DataFrame, groups: Mapping[int, Sequence[str]]
) -> Iterator[tuple[list[str], pl.Series]]:
    """For each group of columns: the labels that are printed above it, or left of its rows where the columns are
    buckets; and for each row which of these it has, times the number of the block's labels, plus that of its own."""
    heads = rows["head"].unique(maintain_order=True)
    table = rows["head"].rle_id()  # the rows below a head stand together
    for labels in zip(*(groups[head] for head in heads), strict=True):
        if block.buckets:
            distinct = rows["row_group"].unique(maintain_order=True).to_list()
            number = rows["row_group"].replace_strict(distinct, range(len(distinct)), return_dtype=pl.UInt32)
        else:
            distinct = list(dict.fromkeys(labels))
            numbers = {label: number for number, label in enumerate(distinct)}
            number = pl.Series([numbers[label] for label in labels], dtype=pl.UInt32)[table]
        yield distinct, number * len(block.labels) + rows["known"]


def _rules(block: Block, layout: Layout, groups: Sequence[str], index: int, book: RuleBook) -> list[int | None]:
    """Number of the rule of a cell, for each group and in it for each label of a row, as `_places` numbers them: by its
    group and column, or by its group and what its row means."""
    column = index % _columns_of(block)
    fields = _fields_of(block, column)
    bucket = block.buckets[index] or None if block.buckets else None
    rules: list[int | None] = []
    for group in groups:
        printed, group_id = _column_label(block, layout, group, index), _group_id(group, layout)
        if block.cells:
            rules += [book.of_block(block, block.cells[column], printed, group_id)] * len(block.labels)
            continue
        for label in block.labels:
            table, name = fields.get(label, (None, None))
            number = book.of_block(block, name, printed, group_id, table=table, bucket=bucket) if name else None
            rules.append(number)
    return rules


def _column_label(block: Block, layout: Layout, group: str, index: int) -> str | None:
    """What is printed above a column of a group."""
    if block.buckets:
        return _bucket_heads(block, layout)[index]
    column = block.label_heads + index % _columns_of(block)
    if block.cells:
        return f"{group} {block.columns[column]}".strip()
    over = block.columns[column] if any(meaning.fields for meaning in block.labels.values()) else None
    return over or group or None


def _keys(block: Block, rows: pl.DataFrame) -> pl.DataFrame:
    """What the labels of the rows mean."""
    meanings = block.labels.values()
    statuses = pl.Series("loan_status", [meaning.status for meaning in meanings], dtype=pl.String)
    buckets = pl.Series("bucket", [meaning.bucket for meaning in meanings], dtype=pl.String)
    known = rows["known"]
    return pl.DataFrame([rows["position"], rows["row_label"], statuses[known], buckets[known]])


def _label_cells(block: Block, rows: pl.DataFrame, book: RuleBook) -> list[Cells]:
    """Labels that say status or bucket, and any label with digits, are cells too."""
    rules: list[int | None] = []
    for text, meaning in block.labels.items():
        if meaning.status is not None and meaning.field is None:
            rules.append(book.of_block(block, "bucket" if meaning.bucket else "status"))
        else:
            rules.append(_digits_rule(text, block, book))
    rule = pl.Series(rules, dtype=pl.Int32)[rows["known"]]
    printed = rows.filter(rule.is_not_null())
    if printed.is_empty():
        return []
    stripped = printed["label"].str.strip_chars_start()
    start = (printed["label"].str.len_chars() - stripped.str.len_chars()).cast(pl.Int32)
    return [Cells(cells_of(printed, start, stripped.str.strip_chars_end(), rule.drop_nulls()), "text")]


def _meanings(block: Block) -> list[int]:
    """A number for what each label means, the same where two mean the same."""
    numbers: dict[object, int] = {}
    return [numbers.setdefault(replace(meaning, blank=()), len(numbers)) for meaning in block.labels.values()]


# A row of a block: rows with the same values here are one that is printed twice.
_ROW = ["block", "document", "head", "row_group", "meaning"]


def _read_rows(index: int, block: Block, rows: pl.DataFrame) -> pl.DataFrame:
    """The rows that were read of a block, with what they mean: `_ROW`, `line` and `row_label`."""
    known = rows["known"]
    label = pl.Series("row_label", list(block.labels))[known]
    meaning = pl.Series("meaning", _meanings(block), dtype=pl.Int32)[known]
    number = pl.Series("block", [index], dtype=pl.Int32).new_from_index(0, rows.height)
    return pl.DataFrame([*rows["document", "head", "row_group", "line"], number, meaning, label])


def _missing_or_doubled(
    layout: Layout, tables: pl.DataFrame, read: pl.DataFrame, head_lines: pl.DataFrame
) -> pl.DataFrame:
    """Heads under which a row of their block is missing, or stands twice. `tables` has `block`, `document`, `head` and
    `row_group`, `read` the rows as `_read_rows` gives them."""
    rows = [
        (index, layout.blocks[index].name, label, meaning)
        for index in tables["block"].unique(maintain_order=True)
        for label, meaning in _required(layout.blocks[index]).items()
    ]
    schema = {"block": pl.Int32, "name": pl.String, "row_label": pl.String, "meaning": pl.Int32}
    required = pl.DataFrame(rows, schema=schema, orient="row")
    wanted = tables.join(required, on="block", how="inner", maintain_order="left_right")
    missing = wanted.join(read, on=_ROW, how="anti", maintain_order="left")
    missing = missing.join(head_lines.drop("document"), on="head", how="left", maintain_order="left")
    doubled = read.filter(~pl.struct(_ROW).is_first_distinct())
    names = {index: block.name for index, block in enumerate(layout.blocks)}
    name = pl.col("block").replace_strict(names, return_dtype=pl.String)
    label = pl.when(pl.col("row_label") == "").then(pl.lit("without a label")).otherwise(pl.format("'{}'", "row_label"))
    lost = pl.format("block {} below line {} has no row {}", name, "head_line", label)
    twice = pl.format("block {} has a second row {} in line {}", name, label, "line")
    hint = "compare the block with the filed report; if the family prints it so, change its labels in the layout"
    unread = f"{hint}; if the row is there, one of its cells is no number that can be read"
    told = [
        reject(missing, "missing_row", lost, unread).with_columns(missing["block"]),
        reject(doubled, "doubled_row", twice, hint).with_columns(doubled["block"]),
    ]
    return pl.concat(told).sort("block", maintain_order=True).drop("block")


def _required(block: Block) -> dict[str, int]:
    """The labels of which a block must have one for each meaning, with these: of each meaning the first."""
    first: dict[int, str] = {}
    for label, meaning in zip(block.labels, _meanings(block), strict=True):
        first.setdefault(meaning, label)
    required = {label: meaning for meaning, label in first.items()}
    if block.may_omit is None:
        return required
    omitted = pl.Series(list(required)).str.contains(block.may_omit)
    return {label: required[label] for label, may in zip(required, omitted, strict=True) if not may}


def _single_line_labels(layout: Layout, book: RuleBook) -> pl.DataFrame:
    blocks = [block for block in layout.blocks if block.labels and not block.has_head]
    rows = [
        (
            layout.folded(label),
            book.of_block(
                block, meaning.field or "", None, _whole_deal(meaning.table or block.table), table=meaning.table
            ),
            _digits_rule(label, block, book),
            meaning.status,
            meaning.bucket,
        )
        for block in blocks
        for label, meaning in block.labels.items()
    ]
    schema = {"row_label": pl.String, "rule": pl.Int32, "digits": pl.Int32, **_STATUS}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _digits_rule(label: str, block: Block, book: RuleBook) -> int | None:
    """The rule of a label with digits, which are numbers of the report too; None where it has none."""
    return book.of_block(block, "row_label") if any(character.isdigit() for character in label) else None


def _labels_with_digits(found: pl.DataFrame) -> pl.DataFrame:
    """What stands of labels with digits in the line of their figure, as cells."""
    label = pl.col("label").str.strip_chars()
    blanks = pl.col("label").str.len_chars() - pl.col("label").str.strip_chars_start().str.len_chars()
    return found.filter(pl.col("digits").is_not_null() & label.str.contains("[0-9]")).select(
        "position",
        start=blanks.cast(pl.Int32),
        raw=label,
        rule="digits",
    )


def _whole_deal(table: str) -> str | None:
    """The group of a figure that stands on a line by itself."""
    return TOTAL if table in _GROUPED else None


def _with_line_above(pending: pl.DataFrame, above: pl.DataFrame, distance: int) -> pl.DataFrame:
    """The pending lines whose line `distance` above has no value, with its text before their label."""
    shifted = above.with_columns((pl.col("position") + distance).cast(pl.UInt32).alias("position"))
    joined = pending.join(shifted, on="position", how="inner", maintain_order="left")
    alone = (pl.col("above_document") == pl.col("document")) & pl.col("above_tail").is_null()
    wrapped = joined.filter(alone).rechunk()  # joins of texts panic over empty chunks, see rejections
    longer = _collapsed(pl.concat_str("above", "row_label", separator=" "))
    return wrapped.with_columns(row_label=longer).drop("above_document", "above", "above_tail")


def _single_cells(found: pl.DataFrame) -> pl.DataFrame:
    return found.select(
        "position",
        start=pl.col("label").str.len_chars().cast(pl.Int32),
        raw=pl.col("tail").str.strip_chars_end(),
        rule="rule",
    )


def _collapsed(text: pl.Expr) -> pl.Expr:
    return text.str.strip_chars().str.replace_all(r"\s+", " ")


def _folded(column: str, layout: Layout) -> pl.Expr:
    """A column of labels as `Layout.folded` folds one."""
    return pl.col(column).str.to_lowercase() if layout.any_case else pl.col(column)
