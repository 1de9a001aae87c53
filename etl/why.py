"""Why a document is read as it is: line by line, what a layout claims in it, and what is missing where it is refused.

It shows what matched in a document that is rejected, too: that is when it is wanted most.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from etl.batch import Batch, read_batch
from etl.blocks import find_heads, label_lines
from etl.cells import NUMERIC_UNITS
from etl.documents import STANDARD_INPUT, Document, Reject
from etl.errors import UsageError
from etl.generic import NAME as GENERIC_READING
from etl.generic import Proposal, all_numbers, completed, propose
from etl.layout import Block, Layout, choose_layout, find_named
from etl.lines import lines_frame
from etl.near_heads import ENOUGH, NearHead, nearest_head
from etl.patterns import fitting_start
from etl.records import Extraction, extract
from etl.rejections import Refusal
from etl.schema import unit_of
from etl.splits import named_file, named_reports

# Of the documents of a file, so many are named; of the lines below a head that are no rows, so many are told.
NAMED = 10
MISFITS_TOLD = 2


@dataclass(frozen=True)
class Cell:
    """A cell that was read, with the rule that read it; or a number that none claims. The labels are those of its row
    and its column."""

    start: int
    end: int
    raw: str
    block: str | None
    field: str | None
    status: str
    row_label: str | None
    column_label: str | None


@dataclass(frozen=True)
class Line:
    """A line: the block in whose head it stands, the block below whose head it stands, and its cells."""

    number: int
    text: str
    head_of: str | None
    below: str | None
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Marks:
    """The marks of a layout that stand in a document, and those that do not."""

    layout: str
    found: tuple[str, ...]
    missing: tuple[str, ...]


@dataclass(frozen=True)
class Misfit:
    """A line below the head of a block that is none of its rows: how far the row's pattern fits."""

    line: int
    fits: tuple[str, ...]  # the fields up to which it fits
    next_field: str | None  # None where the row would end
    rest: str  # what stands there instead


@dataclass(frozen=True)
class BlockSeen:
    """What became of a block: the lines of its heads, the lines that it read, and where it has no head how near one
    comes."""

    name: str
    required: bool
    heads: tuple[tuple[int, ...], ...]
    rows: tuple[int, ...]
    nearest: NearHead | None
    misfits: tuple[Misfit, ...]


@dataclass(frozen=True)
class Check:
    """A check that fails."""

    check: str
    subject: str
    difference: str | None
    explanation: str


@dataclass(frozen=True)
class Why:
    """What a layout reads in a document, and why not all of it.

    Where no layout knows the document, `layout` is that which its own arithmetic proves, or None if nothing is read.
    """

    source: str
    layout: str | None
    by_run: bool  # whether `etl run` would choose the layout
    marks: tuple[Marks, ...]
    lines: tuple[Line, ...]
    numbers_found: int
    numbers_claimed: int
    blocks: tuple[BlockSeen, ...]
    outcomes: dict[str, int]
    failed_checks: tuple[Check, ...]
    refusals: tuple[Refusal, ...]

    @property
    def without_layout(self) -> bool:
        """Whether no layout is shown: the labels in the document say all that is known of its numbers."""
        return self.layout in (None, GENERIC_READING)


def named_document(given: str, layouts: Sequence[Layout]) -> Document | Reject:
    """The document that a path or a URL names; of a file of several it is `file#n` or `file#n/m`, as a run names them.

    Raises UsageError where there is none, or where there are several and none is named.
    """
    file, _ = named_file(given)
    if given != STANDARD_INPUT and isinstance(file, Path) and not file.is_file():
        what = "is a folder; name a file" if file.is_dir() else "there is no such file"
        raise UsageError(f"{given or 'an empty name'}: {what}")
    items = named_reports(given, layouts)
    if len(items) > 1:
        names = ", ".join(item.source for item in items[:NAMED])
        more = f" and {len(items) - NAMED:,} more" if len(items) > NAMED else ""
        raise UsageError(f"{given}: {len(items):,} documents stand there; name one: {names}{more}")
    return items[0]


def why(document: Document, layouts: Sequence[Layout], name: str | None = None) -> Why:
    """What the layout of a document claims in it: the named one; or that which knows it; or, where none does, what its
    own arithmetic proves; or what the layout would claim which has the most of its marks there, if these are half of
    them and a head of it is there too.

    Raises UsageError where no layout has the name.
    """
    scores = choose_layout([document.text], layouts)
    whole = scores.filter(pl.col("found") == pl.col("wanted"))["layout"].to_list()
    layout = find_named(name, layouts) if name is not None else _nearest(scores, layouts)
    by_run = len(whole) == 1 and layout is layouts[whole[0]]
    as_run = read_batch([document], layouts)
    marks = tuple(_marks(layouts[row["layout"]], row["missing"]) for row in scores.iter_rows(named=True))
    text_lines = lines_frame([document.text], [document.first_line])
    if name is None and not whole and as_run.tables:
        proposal = propose(document.text, document.first_line, layouts, None)
        if isinstance(proposal, Proposal):
            read = completed(extract(text_lines, proposal.layout), document.text, document.first_line, proposal)
            return _claimed(document, text_lines, proposal.layout, read, marks, (as_run, as_run), by_run=True)
    if layout is None or (name is None and not by_run and find_heads(text_lines, layout).is_empty()):
        return _unread(document, marks, as_run)
    batch = as_run if by_run else read_batch([document], [replace(layout, identify={"": ""})])  # whatever marks lack
    extraction = extract(text_lines, layout)
    return _claimed(document, text_lines, layout, extraction, marks, (as_run, batch), by_run=by_run)


def _claimed(
    document: Document,
    text_lines: pl.DataFrame,
    layout: Layout,
    extraction: Extraction,
    marks: tuple[Marks, ...],
    batches: tuple[Batch, Batch],
    *,
    by_run: bool,
) -> Why:
    """What a layout claims. `batches`: the document as a run reads it, and with this layout."""
    as_run, batch = batches
    heads = find_heads(text_lines, layout)
    labelled = label_lines(text_lines, heads)
    checks = batch.tables["checks"] if batch.tables else None
    lines = tuple(_lines(document, _places(labelled, layout), _cells(extraction)))
    refusals = [Refusal(*_said(reject)) for reject in as_run.rejects]
    return Why(
        source=document.source,
        layout=layout.label,
        by_run=by_run,
        marks=marks,
        lines=lines,
        numbers_found=int(extraction.numbers["numbers_found"].sum()),
        numbers_claimed=int(extraction.numbers["numbers_claimed"].sum()),
        blocks=tuple(_blocks(text_lines, labelled, heads, lines, layout)),
        outcomes={} if checks is None else dict(sorted(Counter(checks["outcome"].to_list()).items())),
        failed_checks=() if checks is None else tuple(_failed(checks)),
        refusals=tuple(_all_refusals(refusals, extraction, batch.rejects)),
    )


def _unread(document: Document, marks: tuple[Marks, ...], as_run: Batch) -> Why:
    """A document in which nothing is read: its numbers, and why."""
    cells: dict[int, list[Cell]] = {}
    for number in all_numbers(document.text, document.first_line):
        labels = number.row_label, number.column_label
        cell = Cell(number.start, number.end, number.raw, None, None, "unclaimed", *labels)
        cells.setdefault(number.line, []).append(cell)
    lines = tuple(_lines(document, {}, cells))
    refusals = tuple(Refusal(*_said(reject)) for reject in as_run.rejects)
    return Why(document.source, None, False, marks, lines, sum(map(len, cells.values())), 0, (), {}, (), refusals)


def _nearest(scores: pl.DataFrame, layouts: Sequence[Layout]) -> Layout | None:
    """The layout with the most of its marks in the document; None where no layout has half of them there."""
    near = scores.filter(pl.col("found") * 2 >= pl.col("wanted")).sort(
        pl.col("found") / pl.col("wanted"), descending=True
    )
    return None if near.is_empty() else layouts[near["layout"][0]]


def _marks(layout: Layout, missing: Sequence[str]) -> Marks:
    return Marks(layout.name, tuple(mark for mark in layout.identify if mark not in missing), tuple(missing))


def _said(reject: Reject) -> tuple[str, str, str]:
    return reject.reason_code, reject.message, reject.hint


def _all_refusals(by_run: Sequence[Refusal], extraction: Extraction, rejects: Sequence[Reject]) -> Iterator[Refusal]:
    """What a run says, and all reasons that the layout has: a run tells the first."""
    columns = ("reason_code", "message", "hint")
    reasons = [Refusal(*row) for row in extraction.rejections.select(columns).iter_rows()]
    own = [refusal for refusal in by_run if not any(_same(refusal, reason) for reason in reasons)]
    others = [Refusal(*_said(reject)) for reject in rejects]
    yield from own
    yield from reasons
    yield from (other for other in others if not any(_same(other, told) for told in (*own, *reasons)))


def _same(told: Refusal, reason: Refusal) -> bool:
    """Whether what a run tells begins with this reason: it says how many more there are."""
    return told.reason_code == reason.reason_code and told.message.startswith(reason.message[:200])


def _failed(checks: pl.DataFrame) -> Iterator[Check]:
    names = ("check", "subject", "difference", "explanation")
    for check, subject, difference, explanation in checks.filter(outcome="fail").select(names).iter_rows():
        size = None if difference is None else f"{difference.normalize():f}"
        yield Check(check, subject, size, explanation or "")


# --- the lines ----------------------------------------------------------------------------------------------


def _lines(
    document: Document,
    places: Mapping[int, tuple[str | None, str | None]],
    cells: Mapping[int, Sequence[Cell]],
) -> Iterator[Line]:
    """All lines of the document, blank ones too."""
    texts = document.text.split("\n")
    if texts[-1] == "":
        texts.pop()
    for number, text in enumerate(texts, document.first_line):
        head_of, below = places.get(number, (None, None))
        yield Line(number, text, head_of, below, tuple(cells.get(number, ())))


def _places(labelled: pl.DataFrame, layout: Layout) -> dict[int, tuple[str | None, str | None]]:
    """Of each line the block in whose head it stands, and the one below whose head it stands.

    Lines of a head stand above its last line, where `block` is still that of the block before.
    """
    rows = labelled.select("line", "block", "head", "position", "is_head").rows()
    places: dict[int, tuple[str | None, str | None]] = {}
    head_of: str | None = None
    for line, block, head, position, is_head in reversed(rows):
        name = None if block is None else layout.blocks[block].name
        if head == position:
            head_of = name
        places[line] = (head_of if is_head else None, None if is_head else name)
    return places


def _cells(extraction: Extraction) -> dict[int, list[Cell]]:
    columns = ("line", "column_start", "column_end", "raw", "block", "field", "status", "row_label", "column_label")
    rows = extraction.records.select(columns).with_columns(pl.col(pl.Enum).cast(pl.String)).sort("line", "column_start")
    cells: dict[int, list[Cell]] = {}
    for line, *cell in rows.iter_rows():
        cells.setdefault(line, []).append(Cell(*cell))
    return cells


# --- the blocks ---------------------------------------------------------------------------------------------


def _blocks(
    text_lines: pl.DataFrame, labelled: pl.DataFrame, heads: pl.DataFrame, lines: Sequence[Line], layout: Layout
) -> Iterator[BlockSeen]:
    number_of = dict(text_lines.select("position", "line").iter_rows())
    read = {cell.block: set[int]() for line in lines for cell in line.cells}
    for line in lines:
        for cell in line.cells if line.head_of is None else ():
            read[cell.block].add(line.number)
    unclaimed = {line.number: sum(cell.block is None for cell in line.cells) for line in lines}
    for index, block in enumerate(layout.blocks):
        if block.row is None and not block.labels:  # it only ends the block above
            continue
        its = heads.filter(pl.col("block") == index).select("position", "head_lines").iter_rows()
        found = tuple(
            tuple(number_of[at] for at in range(position - count + 1, position + 1)) for position, count in its
        )
        rows = tuple(sorted(read.get(block.name, ())))
        like_rows = [line for line, count in unclaimed.items() if count and count >= ENOUGH * _numbers_of(block)]
        below = labelled.filter((pl.col("block") == index) & pl.col("line").is_in(like_rows))
        yield BlockSeen(
            name=block.name,
            required=block.required,
            heads=found,
            rows=rows,
            nearest=None if found or not block.has_head else nearest_head(text_lines, block, layout),
            misfits=tuple(_misfits(below, block)),
        )


def _numbers_of(block: Block) -> int:
    """How many numbers a row of the block has."""
    units = (unit_of(block.table, name) for name in (block.row.fields if block.row is not None else ()))
    return sum(unit in NUMERIC_UNITS for unit in units)


def _misfits(unread: pl.DataFrame, block: Block) -> Iterator[Misfit]:
    """The first lines below the head of a block that nothing claims, though they look like rows."""
    if block.row is None:
        return
    for line, text in unread.select("line", "text").head(MISFITS_TOLD).iter_rows():
        count, rest = fitting_start(block.row, text)
        fields = block.row.fields
        yield Misfit(line, fields[:count], fields[count] if count < len(fields) else None, " ".join(rest.split()))
