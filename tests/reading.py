"""Reads texts in one batch, and says in words where what was read differs from what is printed."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from etl import Layout, load_layouts
from etl.batch import Batch, read_batch
from etl.documents import Document, Found, Reject, document_from_bytes
from etl.filings import documents_in

from .kit.report import Row, Truth

# What tells one row of a table from another, beside the report.
KEYS: dict[str, tuple[str, ...]] = {
    "reports": (),
    "classes": ("class_key",),
    "pools": ("group_id",),
    "delinquencies": ("group_id", "status", "bucket"),
    "measures": ("group_id", "measure"),
    "triggers": ("trigger",),
}
# What does so too, where a report prints it.
MORE_KEYS = {"classes": "section", "triggers": "group_id"}


@dataclass(frozen=True)
class Outcome:
    """What became of one text: its tables, or the reject."""

    text: str
    deal: str = ""
    date: dt.date = dt.date.min
    tables: dict[str, pl.DataFrame] = field(default_factory=dict)
    reject: Reject | None = None

    @property
    def reason(self) -> str | None:
        """The reason code, or None where the text was read."""
        return self.reject.reason_code if self.reject else None

    @property
    def message(self) -> str:
        """The message of the reject, empty where the text was read."""
        return self.reject.message if self.reject else ""

    def check(self, name: str, subject: str) -> tuple[str, str | None]:
        """Outcome and explanation of one check."""
        row = self.tables["checks"].filter(check=name, subject=subject).row(0, named=True)
        return row["outcome"], row["explanation"]

    def failed_checks(self) -> list[tuple[str, str]]:
        """Check and subject of those that failed."""
        return self.tables["checks"].filter(outcome="fail").select("check", "subject").rows()


def only_document(given: Path | Found) -> Document | Reject:
    """The only document in a file, as a run reads it."""
    (item,) = documents_in(given)
    return item


def read_text(text: str | bytes) -> Outcome:
    """Read one text."""
    return read_texts({"a": text})["a"]


def read_texts(texts: Mapping[str, str | bytes], layouts: Sequence[Layout] | None = None) -> dict[str, Outcome]:
    """Read all texts in one batch. What is no text at all comes back as the reject that it is."""
    loaded = [document_from_bytes(_bytes(text), name) for name, text in texts.items()]
    documents = [item for item in loaded if isinstance(item, Document)]
    outcomes = {item.source: Outcome("", reject=item) for item in loaded if isinstance(item, Reject)}
    batch = read_batch(documents, load_layouts() if layouts is None else layouts)
    outcomes |= {reject.source: Outcome("", reject=reject) for reject in batch.rejects}
    outcomes |= _outcomes(batch, documents)
    return {name: outcomes[name] for name in texts}


def _outcomes(batch: Batch, documents: Sequence[Document]) -> dict[str, Outcome]:
    parts = {
        name: frame.with_columns(pl.col(pl.Enum).cast(pl.String)).partition_by("document", as_dict=True)
        for name, frame in batch.tables.items()
    }
    outcomes = {}
    for number, deal, date, _ in batch.identity.iter_rows():
        empty = {name: frame.drop("document").clear() for name, frame in batch.tables.items()}
        read = {name: part[number,].drop("document") for name, part in parts.items() if (number,) in part}
        document = documents[number]
        outcomes[document.source] = Outcome(document.text, deal, date, empty | read)
    return outcomes


def _bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode()


# --- what was read against what is printed ----------------------------------------------------------------


def differences(outcome: Outcome, printed: Truth) -> list[str]:
    """Each cell that is not as printed, in words; rows are found by their keys, whatever their order."""
    if outcome.reject:
        return [f"rejected: {outcome.reason}: {outcome.message}"]
    return [text for table, rows in printed.items() for text in _table_differences(outcome, table, rows)]


def _table_differences(outcome: Outcome, table: str, rows: list[Row]) -> Iterable[str]:
    frame = outcome.tables[table].with_columns(distribution_date=pl.lit(outcome.date))
    read = _by_key(table, frame.iter_rows(named=True))
    wanted = _by_key(table, rows)
    if frame.height != len(rows):
        yield f"{table}: {frame.height} rows, printed are {len(rows)}"
    for key in wanted.keys() - read.keys():
        yield f"{table}: no row {key}"
    for key in read.keys() - wanted.keys():
        yield f"{table}: a row {key} that is not printed"
    for key in wanted.keys() & read.keys():
        for name, value in wanted[key].items():
            if read[key][name] != value:
                yield f"{table} {key} {name}: {read[key][name]!r}, printed is {value!r}"


def _by_key(table: str, rows: Iterable[Row]) -> dict[tuple[object, ...], Row]:
    more = MORE_KEYS.get(table, "")
    return {(*(row[name] for name in KEYS[table]), row.get(more)): row for row in rows}


def tidy(outcome: Outcome) -> Truth:
    """The tidy rows that were read, in the order of their keys, without what names the file."""
    assert outcome.reject is None, outcome.message
    own = ["report_id", "source", "source_sha256", "source_bytes", "checks_passed", "checks_failed"]
    frames = {name: outcome.tables[name].drop(own, strict=False) for name in KEYS}
    return {name: frame.sort(KEYS[name] or pl.first()).to_dicts() for name, frame in frames.items()}


# --- numbers and places -----------------------------------------------------------------------------------


def wrong_spans(records: pl.DataFrame, text: str) -> list[str]:
    """Records whose raw text does not stand in the source where they say."""
    lines = text.split("\n")
    columns = ("record_no", "raw", "line", "column_start", "column_end")
    cut = [(*row, lines[row[2] - 1][row[3] : row[4]]) for row in records.select(columns).iter_rows()]
    return [f"record {no}: {raw!r}, in line {line}: {found!r}" for no, raw, line, _, _, found in cut if raw != found]


def scan_numbers(text: str) -> list[tuple[int, int, int]]:
    """Line, start and end of every number, found by the characters alone: digits, and one point or comma that
    has a digit on both sides."""
    number = re.compile(r"[0-9](?:[0-9]|[.,](?=[0-9]))*")
    lines = enumerate(text.split("\n"), 1)
    return [(at, found.start(), found.end()) for at, line in lines for found in number.finditer(line)]
