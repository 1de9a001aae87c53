"""A batch of documents → its tables and rejects, in memory: the order of the steps, nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial

import polars as pl
import pyarrow as pa

from etl.checks import evaluate
from etl.documents import Document, Reject
from etl.errors import first_line
from etl.generic import completed, propose
from etl.layout import Layout, choose_layout
from etl.lines import lines_frame
from etl.outcomes import counted
from etl.records import Extraction, extract, without
from etl.rejected_records import OF_REPORTS, rejected_records
from etl.rejections import SCHEMA, Refusal, reject
from etl.schema import TABLES, conform
from etl.tables import (
    IDENTITY,
    declared_columns,
    different_names,
    field_values,
    identify_reports,
    tidy_tables,
    with_deal_names,
)

# The reason code of a document that was not read by no fault of its own.
INTERNAL_ERROR = "internal_error"
# What marks have of expressions, and a reader need not see.
_MARK_SIGNS = re.compile(r"\\b|\\|\(\?i\)")
# Messages quote documents, which may be long.
MAX_MESSAGE = 500


@dataclass(frozen=True)
class Batch:
    """What a batch of documents gave.

    `identity`: `document` (position in the batch), `deal`, `distribution_date` and `report_id` of the
    reports that were read. `tables`: one frame for each declared table, with `document` and the
    declared columns; rows of a report stand together, in printed order. `rejects`: the documents
    that could not be read. `rejected`: the numbers of those that may be reports, by SHA-256.
    """

    identity: pl.DataFrame
    tables: dict[str, pl.DataFrame]
    rejects: list[Reject]
    rejected: Mapping[str, pl.DataFrame] = field(default_factory=dict)

    @cached_property
    def arrow(self) -> dict[str, pa.Table]:
        """The tables with exactly their declared schemas. Raises SchemaError where one does not fit."""
        return {name: conform(frame.to_arrow().drop_columns("document"), name) for name, frame in self.tables.items()}


@dataclass(frozen=True)
class _Part:
    """What the documents of one layout gave; `document` counts within the part."""

    identity: pl.DataFrame | None  # None where nothing was read at all
    tables: dict[str, pl.DataFrame]
    rejections: pl.DataFrame

    def renumbered(self, numbers: Sequence[int]) -> _Part:
        """The part with the documents' positions in the batch."""
        positions = pl.Series(numbers, dtype=pl.UInt32)

        def renumber(frame: pl.DataFrame) -> pl.DataFrame:
            return frame.with_columns(document=positions[frame["document"]])

        tables = {name: renumber(frame) for name, frame in self.tables.items()}
        identity = None if self.identity is None else renumber(self.identity)
        return _Part(identity, tables, renumber(self.rejections))


def read_batch(documents: Sequence[Document], layouts: Sequence[Layout]) -> Batch:
    """Read all documents that a layout knows, and those whose own arithmetic proves them; reject the others, each
    with its reason."""
    if not documents:
        return Batch(pl.DataFrame(schema=IDENTITY), {}, [])
    choice = _choose(documents, layouts)
    parts: list[_Part] = []
    for index, numbers in sorted(choice.known.items()):
        part = _read_with(layouts[index], [documents[number] for number in numbers])
        parts.append(part if len(numbers) == len(documents) else part.renumbered(numbers))
    parts += [_read_unknown(number, documents[number], layouts, marks) for number, marks in choice.unknown]
    rejects = _rejects(documents, pl.concat([choice.claimed, *(part.rejections for part in parts)]))
    rejected = _numbers_of(documents, rejects)
    parts = [part for part in parts if part.tables]
    if not parts:
        return Batch(pl.DataFrame(schema=IDENTITY), {}, rejects, rejected)
    tables = {name: _in_order([part.tables[name] for part in parts]) for name in TABLES}
    identities = [part.identity for part in parts if part.identity is not None]
    return Batch(_in_order(identities), tables, rejects, rejected)


def read_safely(documents: Sequence[Document], layouts: Sequence[Layout]) -> list[Batch]:
    """The batch; if a document breaks the program, the batch in pieces, with that document rejected.

    The tables of what comes back fit their declared schemas.
    """
    try:
        batch = read_batch(documents, layouts)
        _ = batch.arrow
    except (Exception, pl.exceptions.PanicException) as error:  # noqa: BLE001 - one must not stop the others
        if len(documents) > 1:
            half = len(documents) // 2
            return read_safely(documents[:half], layouts) + read_safely(documents[half:], layouts)
        said = f"{type(error).__name__}: {first_line(error)[:MAX_MESSAGE]}"
        reject = defect(documents[0], said)
        return [Batch(pl.DataFrame(schema=IDENTITY), {}, [reject])]
    return [batch]


def defect(document: Document, said: str) -> Reject:
    """The reject for a document that was left because of a defect of the program."""
    message = f"a defect of the program: {said}"
    hint = "report it with the document; the other documents were read"
    return Reject(document.source, document.sha256, document.size, INTERNAL_ERROR, message, hint, document.file)


def _in_order(frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
    if len(frames) == 1:
        return frames[0]
    texts = [frame.with_columns(pl.col(pl.Enum).cast(pl.String)) for frame in frames]  # each layout has its own names
    return pl.concat(texts).sort("document", maintain_order=True)


@dataclass(frozen=True)
class _Choice:
    """Which layout each document has: the documents of each layout, those that none knows, with what is said of their
    marks, and the rejections of those that several claim."""

    known: dict[int, list[int]]
    unknown: list[tuple[int, str | None]]
    claimed: pl.DataFrame


def _choose(documents: Sequence[Document], layouts: Sequence[Layout]) -> _Choice:
    whole: dict[int, list[int]] = {number: [] for number in range(len(documents))}
    best: dict[int, tuple[int, str]] = {}
    for number, index, found, wanted, missing in choose_layout([one.text for one in documents], layouts).iter_rows():
        if found == wanted:
            whole[number].append(index)
        elif found > best.get(number, (0, ""))[0]:
            marks = _MARK_SIGNS.sub("", "', '".join(missing))
            name = layouts[index].name
            best[number] = found, f"{found} of {wanted} marks of {name} were found; missing: '{marks}'"
    known: dict[int, list[int]] = {}
    unknown: list[tuple[int, str | None]] = []
    claimed: list[tuple[int, str, str, str]] = []
    hint = "make the marks in the layouts' identify lists stricter"
    for number, indices in whole.items():
        if len(indices) == 1:
            known.setdefault(indices[0], []).append(number)
        elif indices:
            names = ", ".join(layouts[index].name for index in indices)
            claimed.append((number, "ambiguous_layout", f"several layouts claim the document: {names}", hint))
        else:
            unknown.append((number, best[number][1] if number in best else None))
    return _Choice(known, unknown, pl.DataFrame(claimed, schema=SCHEMA, orient="row"))


def _read_unknown(number: int, document: Document, layouts: Sequence[Layout], marks: str | None) -> _Part:
    """What a document that no layout knows gives: its tables, if its own arithmetic proves them, or the reason."""
    proposal = propose(document.text, document.first_line, layouts, marks)
    if isinstance(proposal, Refusal):
        said = (proposal.reason_code, proposal.message, proposal.hint)
        return _Part(None, {}, pl.DataFrame([(number, *said)], schema=SCHEMA, orient="row"))
    read = partial(completed, text=document.text, first_line=document.first_line, proposal=proposal)
    return _read_with(proposal.layout, [document], read).renumbered([number])


def _read_with(
    layout: Layout, documents: Sequence[Document], complete: Callable[[Extraction], Extraction] | None = None
) -> _Part:
    """The tables of the documents that could be read, and the rejections of the others.

    `complete` adds to what the layout reads.
    """
    texts, first_lines = [document.text for document in documents], [document.first_line for document in documents]
    extraction = extract(lines_frame(texts, first_lines), layout)  # kept no longer than it is read
    extraction = extraction if complete is None else complete(extraction)
    said = with_deal_names(field_values(extraction.records), layout)
    identity = identify_reports(said, documents)
    rejections = pl.concat([extraction.rejections, _unidentified(identity), _two_deals(said)])
    refused = rejections["document"].unique()
    if not refused.is_empty():
        extraction, said, identity = extraction.without(refused), without(said, refused), without(identity, refused)
    tables = tidy_tables(extraction.records, said, identity, documents, layout)
    checks = evaluate(extraction, said, tables, identity, layout)
    tables["checks"] = declared_columns(checks, "checks", identity)
    tables["reports"] = _with_counts(tables["reports"], extraction.numbers, checks)
    return _Part(identity, tables, rejections)


def _unidentified(identity: pl.DataFrame) -> pl.DataFrame:
    """Reports that do not say of which deal or of which day they are."""
    no_deal = identity.filter(pl.col("deal").is_null())
    no_date = identity.filter(pl.col("distribution_date").is_null() & pl.col("deal").is_not_null())
    hint = "without it the report has no place in the output; compare with the filed report"
    return pl.concat(
        [
            reject(no_deal, "missing_field", pl.lit("no name of a deal with its series was found"), hint),
            reject(no_date, "missing_field", pl.lit("no distribution date was found"), hint),
        ]
    )


def _two_deals(said: pl.DataFrame) -> pl.DataFrame:
    """Reports that name two deals: nothing says which one it is."""
    message = pl.format("the report names two deals: {}", "names")
    hint = "compare the cover with the statement; one of the names is wrong, or lines above a name run into it"
    return reject(different_names(said), "conflicting_values", message, hint)


def _with_counts(reports: pl.DataFrame, numbers: pl.DataFrame, checks: pl.DataFrame) -> pl.DataFrame:
    """`reports` with the counts that the accounting and the checks give."""
    counts = numbers.join(counted(checks), on="document", how="left", maintain_order="left")
    counts = counts.select("document", "numbers_found", "numbers_claimed", "checks_passed", "checks_failed")
    joined = reports.drop(counts.columns[1:]).join(counts, on="document", how="left", maintain_order="left")
    return joined.select(reports.columns)


def _rejects(documents: Sequence[Document], rejections: pl.DataFrame) -> list[Reject]:
    """One reject for each document: its first reason, and how many more there are."""
    by_document = rejections.group_by("document", maintain_order=True).agg(
        pl.col("reason_code", "message", "hint").first(), more=pl.len() - 1
    )
    rejects = []
    for number, reason_code, message, hint, more in by_document.sort("document").iter_rows():
        document = documents[number]
        others = f" (and {more} more reasons)" if more > 1 else " (and 1 more reason)" if more else ""
        said = message if len(message) <= MAX_MESSAGE else f"{message[:MAX_MESSAGE]}..."
        told = (document.sha256, document.size, reason_code, said + others, hint, document.file)
        rejects.append(Reject(document.source, *told))
    return rejects


def _numbers_of(documents: Sequence[Document], rejects: Sequence[Reject]) -> dict[str, pl.DataFrame]:
    """The numbers of the rejected documents that may be reports."""
    refused = {reject.sha256 for reject in rejects if reject.reason_code in OF_REPORTS}
    texts = {document.sha256: document.text for document in documents if document.sha256 in refused}
    return {sha256: rejected_records(text, sha256) for sha256, text in texts.items()}
