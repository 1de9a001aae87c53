"""A document that no layout knows → a layout made for it, if its own arithmetic proves what it says.

The draft of its tables becomes a layout named `generic`, and the engine reads the document by it. What the engine
reads must be, cell by cell, what the draft says. All other numbers of the document stand in the records as unclaimed,
with the label of their row and the head of their column.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path

import polars as pl

from etl.cells import VALUE, date
from etl.class_proofs import Proof, Unproved, prove
from etl.deals import deal_slug
from etl.drafting import Draft, DraftColumn, DraftRow, DraftTable, draft, escaped
from etl.label_paths import Number, numbers_in
from etl.layout import Block, Classes, Find, Layout
from etl.lookalikes import looks_like, may_be_report
from etl.near_misses import nearest
from etl.patterns import Pattern, PatternError, compile_find, compile_row
from etl.records import Extraction
from etl.rejections import SCHEMA, Refusal, reject
from etl.rules import TOTAL
from etl.schema import unit_of

NAME = "generic"
# A report is not larger; a file of many is, and needs a layout that says where each begins.
MAX_CHARACTERS = 500_000
# Heads of other tables that end the class table.
_MAX_OTHERS = 60
# Behind the end of every line.
_ENDLESS = 2**31
_HINT = "a report of another family, or a damaged copy: its family needs a layout"
_NO_REPORT_HINT = "take it out of the inbox if it is no distribution report; else its family needs a layout"


@dataclass(frozen=True)
class Cell:
    """A cell of the class table: where it stands, and what it says of which class."""

    line: int
    start: int
    raw: str
    field: str
    class_key: str


@dataclass(frozen=True)
class Proposal:
    """A layout for one document, and what the engine must read by it."""

    layout: Layout
    cells: frozenset[Cell]
    heads: Mapping[str, str]  # block and field → the printed head
    tables: tuple[DraftTable, ...]


def propose(text: str, first_line: int, layouts: Sequence[Layout], marks: str | None) -> Proposal | Refusal:
    """The layout that fits a document which none of `layouts` knows, or why there is none.

    `marks` says which marks of the nearest layout were found, if any were.
    """
    if len(text) > MAX_CHARACTERS:
        return _refusal(
            text, layouts, marks, f"it has more than {MAX_CHARACTERS:,} characters, as no report has", near=False
        )
    tables = draft(text, first_line)
    proof = prove(tables)
    days = _dates(text)
    if isinstance(proof, Unproved):
        near = proof.near or bool(days and tables.tables)
        return _refusal(text, layouts, marks, proof.message, near=near, is_dated=proof.near and bool(days))
    other = _other_figures(text, first_line, proof)
    if other is not None:
        return _refusal(text, layouts, marks, other, near=True)
    names = _deal_names(text)
    problem = _identity_problem(names, days)
    if problem is not None:
        return problem
    try:
        layout = _layout(proof, tables, names[0], days[0])
    except PatternError as error:
        return _refusal(text, layouts, marks, f"its class table is no pattern: {error}", near=True)
    return Proposal(layout, frozenset(_wanted(proof)), dict(_printed_heads(proof, layout)), tables.tables)


def completed(extraction: Extraction, text: str, first_line: int, proposal: Proposal) -> Extraction:
    """What the engine read by the layout of a proposal, with all numbers that it left.

    Rejected where the engine did not read exactly the cells of the proposal.
    """
    kept = extraction.records.filter((pl.col("status") != "unclaimed") & (pl.col("raw") != ""))
    place = pl.concat_str(pl.col("block", "field").cast(pl.String), separator=" ")
    heads = place.replace_strict(dict(proposal.heads), default=None, return_dtype=pl.String)
    kept = kept.with_columns(column_label=heads)
    numbers = numbers_in(text, first_line, proposal.tables)
    left = pl.DataFrame(_left(numbers, kept), schema=_LEFT, orient="row")
    records = (
        pl.concat([kept, left.cast({"status": kept.schema["status"]})], how="diagonal")
        .sort("line", "column_start", maintain_order=True)
        .with_columns(record_no=pl.int_range(1, pl.len() + 1, dtype=pl.Int32))
    )
    rejections = extraction.rejections
    if rejections.is_empty() and _read(kept) != proposal.cells:
        message = pl.lit("read without a layout, its class table is not what its heads and columns say")
        rejections = reject(
            pl.DataFrame({"document": [0]}, schema={"document": pl.UInt32}), "no_layout", message, _HINT
        )
    else:
        told = pl.format("read without a layout: {}", "message")
        rejections = (
            rejections.rechunk().with_columns(reason_code=pl.lit("no_layout"), message=told).select(list(SCHEMA))
        )
    return Extraction(records, extraction.rules, extraction.numbers, extraction.joins, rejections)


def all_numbers(text: str, first_line: int) -> Iterator[Number]:
    """All numbers of a document that is not read. One that is too long to be a report has no tables."""
    return numbers_in(text, first_line, draft(text, first_line).tables if len(text) <= MAX_CHARACTERS else ())


# --- refusals ----------------------------------------------------------------------------------------------------


def _refusal(
    text: str, layouts: Sequence[Layout], marks: str | None, why: str, *, near: bool, is_dated: bool = False
) -> Refusal:
    """The reject of a document that is not read: what it looks like, which layout comes near, what was not proved.

    `is_dated`: whether it has a class table and the day of a distribution. Then it is a report, whatever else it names.
    """
    alike = None if is_dated else looks_like(text)
    if alike is not None:
        return Refusal("not_a_report", f"it looks like {alike}", _NO_REPORT_HINT)
    miss = nearest(text, layouts)
    if marks is None and miss is None and not near and not may_be_report(text):
        return Refusal("not_a_report", "no mark of any known report layout stands in the text", _NO_REPORT_HINT)
    said = [*([marks] if marks is not None else []), *([str(miss)] if miss is not None else [])]
    return Refusal("no_layout", "; ".join([*said, f"without a layout it is not read: {why}"]), _HINT)


def _identity_problem(names: Sequence[_Name], days: Sequence[_Day]) -> Refusal | None:
    """What keeps a report from saying of which deal and of which day it is."""
    hint = "without it the report has no place in the output; its family needs a layout"
    if not days:
        return Refusal("missing_field", "no distribution date was found, by general patterns", hint)
    if len({day.date for day in days}) > 1:
        several = ", ".join(sorted({day.printed for day in days}))
        return Refusal("conflicting_values", f"the report gives several distribution dates: {several}", hint)
    if not names:
        return Refusal("missing_field", "no name of an issuer with its series was found, by general patterns", hint)
    if len({name.slug for name in names}) > 1:
        several = "; ".join(dict.fromkeys(name.printed for name in names))
        return Refusal("conflicting_values", f"the report names several deals: {several}", hint)
    return None


# --- figures of something else -----------------------------------------------------------------------------------


_OTHER_UNIT = re.compile(
    r"(?<![0-9A-Za-z,.])(?:in\s+(?:thousands|millions)|\$?000'?s|\(\$?000\)|euros?|pounds?\s+sterling"
    r"|canadian\s+dollars|yen)(?![0-9A-Za-z])",
    re.IGNORECASE,
)
_OTHER_PERIOD = re.compile(
    r"(?<![0-9A-Za-z,.])(?:per\s+\$?1,?000|(?:year-|life-)?to[-\s]date|since\s+(?:closing|inception|issuance)"
    r"|annual\s+(?:totals?|statements?|reports?|summary)|year\s+ended|twelve\s+months"
    r"|(?:prior|previous)\s+(?:period|month)|projected|hypothetical)(?![0-9A-Za-z])",
    re.IGNORECASE,
)
# So many lines above a strip may be its titles, and so many of them are looked at where lines are blank.
_TITLE_LINES = 4
_LINES_ABOVE = 20


def _other_figures(text: str, first_line: int, proof: Proof) -> str | None:
    """What the text says its figures are, where they are not the dollars of one distribution: all equations would hold
    for them too."""
    if said := _OTHER_UNIT.search(text):
        return f"the text says of amounts {' '.join(said[0].split())!r}"
    lines = text.split("\n")
    for strip in proof.strips:
        begins = strip.first_line - first_line
        above = [line for line in lines[max(begins - _LINES_ABOVE, 0) : begins] if line.strip()]
        if said := _OTHER_PERIOD.search("\n".join(above[-_TITLE_LINES:])):
            return f"the words above the table in line {strip.first_line} say {' '.join(said[0].split())!r}"
    return None


# --- the day -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Day:
    label: str
    printed: str
    date: dt.date


_MONTH = r"[A-Za-z]{3,9}"
_PRINTED_DAY = (
    rf"[0-9]{{1,2}}-{_MONTH}-[0-9]{{2,4}}|[0-9]{{1,2}}/[0-9]{{1,2}}/[0-9]{{2,4}}|[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}"
    rf"|{_MONTH} {{1,3}}[0-9]{{1,2}},? {{1,3}}[0-9]{{4}}"
)
_DATED = re.compile(
    rf"(?<![A-Za-z])((?:distribution|payment|remittance) {{1,3}}date:?)[ \t.:]{{1,80}}({_PRINTED_DAY})(?![0-9A-Za-z])",
    re.IGNORECASE,
)
# Words that make it another day's.
_OTHER_DAY = re.compile(
    r"\b(?:next|prior|previous|preceding|last|first|following|final|expected|scheduled|initial)\s*$", re.IGNORECASE
)
_BEFORE = 30


def _dates(text: str) -> list[_Day]:
    """The distribution dates that the text prints behind their label."""
    found = [
        match
        for match in _DATED.finditer(text)
        if not _OTHER_DAY.search(text[max(match.start() - _BEFORE, 0) : match.start()])
    ]
    printed = pl.DataFrame({"printed": [match[2] for match in found]}, schema={"printed": pl.String})
    days = printed.select(date(pl.col("printed"))).to_series()
    return [_Day(match[1], match[2], day) for match, day in zip(found, days, strict=True) if day is not None]


# --- the deal ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Name:
    printed: str
    slug: str


_SERIES = re.compile(r"\bseries:?[ \t]{1,10}([0-9A-Z]++(?:-[0-9A-Z]++)*+)", re.IGNORECASE)
_ISSUER = re.compile(
    r"\b(?:corp|corporation|inc|incorporated|company|trust|llc|l\.l\.c|l\.p|ltd|limited|association)\b", re.IGNORECASE
)
_ROLE = re.compile(r"\b(?:trustee|servicer|administrator|seller|underwriter|custodian|insurer)\b", re.IGNORECASE)
_NOT_IN_NAMES = re.compile(r"[0-9:$%/]")
_SMALL_WORDS = frozenset(("of", "and", "the", "for", "in", "to", "on", "by", "&", "-"))
_GOES_ON = (",", "-", "&", " and", " of")
_LINES_OF_NAME = 4
_LONGEST_LINE = 200


def _deal_names(text: str) -> list[_Name]:
    """The names of issuers with their series, as titles print them."""
    lines = text.split("\n")
    names = []
    for number, line in enumerate(lines):
        found = _SERIES.search(line) if len(line) <= _LONGEST_LINE else None
        if found is None or not any(character.isdigit() for character in found[1]):
            continue
        if _is_title(line[: found.start()]) or not line[: found.start()].strip():
            printed = _whole_name(lines, number, line[: found.end()])
            if printed is not None:
                names.append(_Name(printed, deal_slug(printed)))
    return names


def _whole_name(lines: Sequence[str], number: int, ending: str) -> str | None:
    """The name that ends with `ending` in a line: lines above belong to it until one names an issuer."""
    parts = [ending.strip()]
    named = bool(_ISSUER.search(ending[: _SERIES.search(ending).start()]))  # type: ignore[union-attr]
    for above in range(number - 1, max(number - _LINES_OF_NAME, -1), -1):
        line = lines[above].strip()
        if (named and not line.lower().endswith(_GOES_ON)) or not _is_title(line) or _ROLE.search(line):
            break
        parts.insert(0, line)
        named = named or bool(_ISSUER.search(line))
    return " ".join(" ".join(parts).split()) if named else None


def _is_title(text: str) -> bool:
    """Whether words look like those of a title: capitals first, no figures."""
    words = text.split()
    if not words or len(text) > _LONGEST_LINE or _NOT_IN_NAMES.search(text) or not words[0].lstrip("(")[:1].isupper():
        return False
    return all(word.lower() in _SMALL_WORDS or word.strip("(\"'")[:1].isupper() for word in words)


# --- the layout ----------------------------------------------------------------------------------------------------


def _layout(proof: Proof, tables: Draft, name: _Name, day: _Day) -> Layout:
    """The layout that reads the proved class table, and nothing else, of one document."""
    blocks: list[Block] = []
    for strip in proof.strips:
        blocks.append(_strip_block(strip, proof, blocks[0].name if blocks else None, f"class_table_{len(blocks) + 1}"))
    heads = {block.columns for block in blocks}
    others = dict.fromkeys(tuple(_heads(table)) for table in tables.tables if table not in proof.strips)
    ends = [columns for columns in others if columns and columns not in heads][:_MAX_OTHERS]
    blocks += [Block(f"other_table_{number}", "measures", columns) for number, columns in enumerate(ends, 1)]
    return Layout(
        name=NAME,
        version=0,
        title="A report of no known layout, read by its heads and proved by its arithmetic",
        file=Path(NAME),
        identify={},
        report_begins=None,
        classes=Classes(aliases={}, totals=(), types={}),
        blocks=tuple(blocks),
        finds=(
            _find("deal_name", rf"(?:^|\n)\s*(?P<deal_name>{escaped(name.printed)})"),
            _find("distribution_date", rf"{escaped(day.label)}[ \t.:]+(?P<distribution_date>{escaped(day.printed)})"),
        ),
    )


def _find(name: str, pattern: str) -> Find:
    return Find(name, compile_find(pattern, partial(unit_of, "reports")))


def _heads(table: DraftTable) -> Iterator[str]:
    yield from (column.head for column in table.columns if column.head)


def _strip_block(strip: DraftTable, proof: Proof, first: str | None, name: str) -> Block:
    compile_ = partial(compile_row, unit_of=partial(unit_of, "classes"))
    total = strip.rows[-1]
    named = strip.labelled
    row, total_row = _row_pattern(strip, proof), None
    if named and total.is_total:
        total_row = _total_pattern(strip, total, proof)
    return Block(
        name=name,
        table="classes",
        columns=tuple(_heads(strip)),
        row=compile_(row),
        total_row=_optional(compile_, total_row),
        labels_from=None if named else first,
        same_rows_as=first if named else None,
    )


def _optional(compile_: Callable[[str], Pattern], source: str | None) -> Pattern | None:
    return None if source is None else compile_(source)


_SKIPPED_NUMBER = r"(?:\S+(?:\s+%)?)"
_SKIPPED_TEXT = r"(?:\S.*?)?"


def _row_pattern(strip: DraftTable, proof: Proof) -> str:
    """The pattern of the rows of classes; cells that are not given are not captured."""
    rows = [row for row in strip.rows if not row.is_total]
    parts = []
    for index, column in enumerate(strip.columns):
        if index == 0 and strip.labelled:
            labels = "|".join(escaped(row.label) for row in rows)
            parts.append(f"(?P<class_id>(?:{labels}))")
        elif column.field in proof.fields:
            parts.append(_given(column))
        elif column.is_text or any(row.cells[index] is None for row in rows):
            parts.append(_SKIPPED_TEXT)
        else:
            parts.append(_SKIPPED_NUMBER)
    return " ".join(parts)


def _given(column: DraftColumn) -> str:
    """The pattern of a cell that is given; a CUSIP may be missing."""
    return "(?P<cusip>(?:[0-9A-Z]{9})?)" if column.field == "cusip" else "{" + str(column.field) + "}"


def _total_pattern(strip: DraftTable, total: DraftRow, proof: Proof) -> str | None:
    """The pattern of the total row: its label, if it has one, and the cells that it prints."""
    parts = [escaped(total.label)] if total.label else []
    given = False
    for column, cell in list(zip(strip.columns, total.cells, strict=True))[1:]:
        if cell is None:
            continue
        is_given = column.field in proof.fields and not column.is_text
        given |= is_given
        parts.append(_given(column) if is_given else _SKIPPED_TEXT if column.is_text else _SKIPPED_NUMBER)
    return " ".join(parts) if given else None


def _wanted(proof: Proof) -> Iterator[Cell]:
    """The cells that the engine must read."""
    keys = [TOTAL if row.is_total else row.label for row in proof.rows]
    for strip, row, number in proof.keyed_rows:
        for index, (column, cell) in enumerate(zip(strip.columns, row.cells, strict=True)):
            if cell is None:
                continue
            if index == 0 and strip.labelled:
                if not row.is_total:
                    yield Cell(row.line, cell.start, cell.raw, "class_id", keys[number])
            elif column.field in proof.fields and not (row.is_total and column.is_text):
                yield Cell(row.line, cell.start, cell.raw, str(column.field), keys[number])


def _printed_heads(proof: Proof, layout: Layout) -> Iterator[tuple[str, str]]:
    """Block and field of each column that is given, and its printed head."""
    for strip, block in zip(proof.strips, layout.blocks, strict=False):
        for index, column in enumerate(strip.columns):
            field = "class_id" if index == 0 and strip.labelled else column.field
            if column.head and (field == "class_id" or field in proof.fields):
                yield f"{block.name} {field}", column.head


def _read(records: pl.DataFrame) -> frozenset[Cell]:
    """The cells of the class table that the engine read."""
    names = pl.col("table", "field").cast(pl.String)
    read = records.select("line", "column_start", "raw", names, "class_key").filter(pl.col("table") == "classes")
    return frozenset(Cell(*row) for row in read.drop("table").iter_rows())


# --- the numbers that are left ---------------------------------------------------------------------------------------

_LEFT = pl.Schema(
    {
        "document": pl.UInt32(),
        "line": pl.Int32(),
        "column_start": pl.Int32(),
        "column_end": pl.Int32(),
        "raw": pl.String(),
        "row_label": pl.String(),
        "column_label": pl.String(),
        "value": VALUE,
        "printed_decimals": pl.Int32(),
        "status": pl.String(),
        "piece": pl.Int32(),
    }
)


def _left(numbers: Iterable[Number], records: pl.DataFrame) -> Iterator[tuple[object, ...]]:
    """The numbers that lie in no record. Those in the line of a class bear its label, also if the line does not."""
    claimed: dict[int, list[tuple[int, int]]] = {}
    labels: dict[int, str] = {}
    for line, start, end, label in records.select("line", "column_start", "column_end", "row_label").iter_rows():
        claimed.setdefault(line, []).append((start, end))
        labels[line] = label
    for line, several in groupby(numbers, lambda number: number.line):
        spans = iter([*sorted(claimed.get(line, [])), (_ENDLESS, _ENDLESS)])
        span = next(spans)
        for number in several:
            first, last = number.digits
            while span[1] <= first:
                span = next(spans)
            if not (span[0] <= first and last <= span[1]):
                path = number.row_label or labels.get(line), number.column_label
                yield 0, *number.place, number.raw, *path, number.value, number.decimals, "unclaimed", 0
