"""What must hold of any bytes: they are a report, or refused with a reason, and what was read is as printed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import polars as pl

from etl import Layout
from etl.batch import Batch, read_safely
from etl.documents import Document, Reject, document_from_bytes
from tests.reading import scan_numbers, wrong_spans

# The README's, without the one for defects of the program.
REASONS = frozenset(
    (
        *("empty", "binary", "too_large", "not_a_report", "no_layout", "ambiguous_layout", "missing_field"),
        *("missing_block", "missing_row", "unknown_class", "doubled_row", "row_count_mismatch", "row_order_mismatch"),
        *("conflicting_values", "value_does_not_fit"),
    )
)
LONGEST_MESSAGE = 1000


def broken_promises(contents: Sequence[bytes], layouts: Sequence[Layout]) -> dict[bytes, list[str]]:
    """What does not hold of the documents with these bytes, read as one batch, in words; empty where all is well."""
    broken: dict[bytes, list[str]] = {}
    items = {content: document_from_bytes(content, str(number)) for number, content in enumerate(contents)}
    documents = {item.source: item for item in items.values() if isinstance(item, Document)}
    refused = {item.source: item for item in items.values() if isinstance(item, Reject)}
    read: dict[str, dict[str, pl.DataFrame]] = {}
    for batch in read_safely(list(documents.values()), layouts):
        refused |= {reject.source: reject for reject in batch.rejects}
        read |= _by_source(batch)
    for content, item in items.items():
        if (item.source in refused) == (item.source in read):
            broken[content] = ["the document is neither read nor refused, or both"]
        elif item.source in refused:
            broken[content] = list(_of_the_reject(refused[item.source]))
        else:
            broken[content] = list(_of_the_report(read[item.source], documents[item.source].text))
    return {content: said for content, said in broken.items() if said}


def _by_source(batch: Batch) -> dict[str, dict[str, pl.DataFrame]]:
    """The tables of each report of a batch."""
    if not batch.tables:
        return {}
    sources = dict(batch.tables["reports"].select("document", "source").iter_rows())
    parts = {name: frame.partition_by("document", as_dict=True) for name, frame in batch.tables.items()}
    empty = {name: frame.clear() for name, frame in batch.tables.items()}
    return {
        source: {name: part.get((document,), empty[name]) for name, part in parts.items()}
        for document, source in sources.items()
    }


def _of_the_reject(error: Reject) -> Iterator[str]:
    if error.reason_code not in REASONS:
        yield f"reason code {error.reason_code}: {error.message[:LONGEST_MESSAGE]}"
    if not error.message or not error.hint:
        yield "a reject without a message or a hint"
    if len(error.message) > LONGEST_MESSAGE:
        yield f"a message of {len(error.message)} characters"


def _of_the_report(tables: dict[str, pl.DataFrame], text: str) -> Iterator[str]:
    counts = tables["reports"].row(0, named=True)
    found, claimed = counts["numbers_found"], counts["numbers_claimed"]
    printed = scan_numbers(text)
    if found != len(printed):
        yield f"{found} numbers found, printed are {len(printed)}"
    if not 0 <= claimed <= found:
        yield f"{claimed} of {found} numbers claimed"
    yield from wrong_spans(tables["records"], text)[:3]
    yield from _not_held_once(tables["records"], printed, claimed)
    if tables["classes"]["class_key"].has_nulls() or tables["classes"].is_empty():
        yield "a class without a key, or no class"


def _not_held_once(records: pl.DataFrame, printed: list[tuple[int, int, int]], claimed: int) -> Iterator[str]:
    """Numbers that are in no record, or in several; and whether those in records with a rule are the claimed ones."""
    places = pl.DataFrame(printed, schema={"line": pl.Int32, "start": pl.Int32, "end": pl.Int32}, orient="row")
    inside = (pl.col("start") >= pl.col("column_start")) & (pl.col("end") <= pl.col("column_end"))
    cells = records.select("line", "column_start", "column_end", "status")
    held = places.join(cells, on="line").filter(inside)
    each = held.group_by("line", "start").len()
    if each.height != len(printed):
        yield f"{len(printed) - each.height} numbers are in no record"
    for line, start, times in each.filter(pl.col("len") > 1).iter_rows():
        yield f"the number in line {line}, column {start + 1} is in {times} records"
    ruled = held.filter(pl.col("status") != "unclaimed").unique(["line", "start"]).height
    if ruled != claimed:
        yield f"{claimed} numbers are said to be claimed, {ruled} are"
