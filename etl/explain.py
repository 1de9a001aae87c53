"""A tidy value → where it is printed, what read it, and which checks speak of it.

Nothing is read again: the records of the lake say where a value stands, its kept source shows it, and
the checks of the same report, and those between it and its neighbours, say whether it holds.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import polars as pl

from etl.cells import date as printed_day
from etl.documents import STANDARD_INPUT, Document, document_from_bytes, source_place
from etl.errors import LakeError, UsageError
from etl.identities import ANY_SUBJECT, between_checks_on, checks_on
from etl.lake import Lake, listed, quoted
from etl.lake_checks import read_reports
from etl.layout import load_layouts
from etl.month_checks import check_months
from etl.object_files import stored
from etl.objects import Location
from etl.outcomes import WORST_FIRST
from etl.schema import Table, table, unit_of
from etl.sources import read_source, source_file
from etl.splits import reports_in

# Tables whose values a report prints.
EXPLAINED = ("reports", "classes", "pools", "delinquencies", "measures", "triggers")
CONTEXT = 2
# Checks between distributions look at so many dates before and after.
_NEAR = 2
# What the status of a value says beside those of records.
NOT_PRINTED, DERIVED, COMPUTED, RECORDS_LOST = "not_printed", "derived", "computed", "records_lost"

# Tables with a name in the row rather than over the column: where that name stands, and its value.
NAME_OF = {"measures": "measure", "triggers": "trigger"}
_VALUE_OF = {"measures": ("value",), "triggers": ("occurred", "test_value", "threshold")}
# Columns that are no words of the report, and the cells that they come from.
_DERIVED = {
    ("reports", "deal"): ("deal_name", "registrant"),
    ("reports", "is_amendment"): ("form_type",),
    ("classes", "class_key"): ("class_id",),
    ("classes", "class_type"): ("class_id",),
    ("classes", "is_notional"): ("class_id",),
    ("delinquencies", "status"): ("status", "bucket"),  # 30-59 days says delinquent too
    ("delinquencies", "bucket"): ("bucket",),
    ("delinquencies", "excludes"): ("excludes",),
}
_OTHER_FIELDS = {("reports", "deal_name"): ("deal_name", "registrant")}
# Where no cell says a value, those that it is made of, or that stand for it.
_STANDING_IN = {
    ("reports", "deal"): ("issuer", "series"),
    ("reports", "deal_name"): ("issuer", "series"),
    ("classes", "class_key"): ("cusip",),
}
# Where records spell a key column otherwise.
_IN_RECORDS = {"status": "loan_status"}

Key = dict[str, str | None]


@dataclass(frozen=True)
class Piece:
    """The part of a printed cell that stands on one line; columns as in `records`."""

    record_no: int
    line: int
    column_start: int
    column_end: int
    raw: str


@dataclass(frozen=True)
class Cell:
    """A printed cell: one piece, or several where it is wrapped."""

    raw: str
    value: Any
    status: str
    rule: str
    block: str
    row_label: str | None
    column_label: str | None
    pieces: tuple[Piece, ...]


@dataclass(frozen=True)
class Line:
    """A line of the source, as it stands there."""

    number: int
    text: str


@dataclass(frozen=True)
class Source:
    """The document, and the lines around the first cell if its text could be had; `note` says what is odd."""

    path: str
    sha256: str
    note: str | None
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Verdict:
    """The outcome of a check that uses the value; `later` is the date of the report after, where it is one of
    that."""

    check: str
    subject: str
    outcome: str
    difference: Any
    explanation: str | None
    later: dt.date | None = None


@dataclass(frozen=True)
class Explained:
    """A value of one report. The first of `cells` is the one that the table has; the others repeat it."""

    report_id: str
    layout: str
    value: Any
    unit: str
    status: str
    source: Source
    cells: tuple[Cell, ...]
    checks: tuple[Verdict, ...]


@dataclass(frozen=True)
class Explanation:
    """What was asked for, and the answer of each report of that deal and date."""

    deal: str
    distribution_date: dt.date
    table: str
    key: Key
    column: str
    reports: tuple[Explained, ...]

    @property
    def name(self) -> str:
        """The value's name, in the words that find it."""
        return _spelled(_Row(self.table, self.key, self.column))


@dataclass(frozen=True)
class _Row:
    """A column of a row of a table."""

    table: str
    key: Key
    column: str


def explain(lake: Lake, deal: str, date: str, words: Sequence[str]) -> Explanation:
    """Where the value that `words` name is printed: [TABLE] KEY... COLUMN, each in short form too.

    Raises UsageError where they fit nothing or several values, LakeError for a damaged file.
    """
    slug = lake.find_deal(deal)
    day = lake.find_date(slug, date)
    asked = _find_row(lake, slug, day, words)
    tidy = _only(lake.read(asked.table, [slug], [day]), asked.key)
    every_record = lake.read("records", [slug], [day])
    records = every_record.filter(_belongs(asked, _fields(asked)))
    if records.is_empty():
        records = every_record.filter(_belongs(asked, _STANDING_IN.get((asked.table, asked.column), ())))
    checks = lake.read("checks", [slug], [day])
    reports = lake.read("reports", [slug], [day])
    between = between_checks(lake, slug, day)
    answers = (
        _explained(
            lake,
            asked,
            report,
            next(tidy.filter(report_id=report["report_id"]).iter_rows(named=True), {}),
            records.filter(report_id=report["report_id"]),
            pl.concat(
                [checks.filter(report_id=report["report_id"]), _own(between, report["report_id"])], how="diagonal"
            ),
            lost=every_record.filter(report_id=report["report_id"]).is_empty(),
        )
        for report in reports.iter_rows(named=True)
    )
    return Explanation(slug, day, asked.table, asked.key, asked.column, tuple(answers))


# --- what is asked for --------------------------------------------------------------------------------------


def _find_row(lake: Lake, deal: str, day: dt.date, words: Sequence[str]) -> _Row:
    """The one value that the words name."""
    named = list(_readings(words))
    if not named:
        raise UsageError(_no_such_column(words))
    rows = {name: _keys(lake, deal, day, name) for name in dict.fromkeys(reading.name for reading, _, _ in named)}
    found = [
        _Row(declared.name, key, column)
        for declared, parts, column in named
        for key in _fitting(rows[declared.name], parts)
    ]
    if len(found) == 1:
        return found[0]
    if found:
        fitting = listed(map(_spelled, found))
        raise UsageError(f"{quoted(' '.join(words))} fits {len(found)} values: {fitting}; write the one that you mean")
    for declared, parts, column in named:
        if declared.name in NAME_OF and len(parts) == 1 and parts[0] in _terms(declared):
            return _Row(declared.name, {NAME_OF[declared.name]: parts[0]}, column)  # declared, but not printed
    raise UsageError(_no_such_row(words, rows))


def _readings(words: Sequence[str]) -> Iterator[tuple[Table, list[str], str]]:
    """Table, parts of the key and column, each time that the words may mean one."""
    *parts, last = words
    tables: Sequence[str] = EXPLAINED
    if parts and (first := parts[0].casefold()) in EXPLAINED:
        tables, parts = (first,), parts[1:]
    for declared in map(table, tables):
        if column := _named(last, _columns(declared)):
            yield declared, parts, column
        if term := _named(last, _terms(declared)):
            yield declared, [*parts, term], _VALUE_OF[declared.name][0]


def _columns(declared: Table) -> list[str]:
    """The columns that can be asked for."""
    names = [column.name for column in declared.columns]
    if declared.name == "reports":
        names += declared.partition
    return [name for name in names if name in _VALUE_OF.get(declared.name, names) and name != "report_id"]


def _terms(declared: Table) -> list[str]:
    return [term.name for term in declared.terms]


def _named(word: str, names: Sequence[str]) -> str | None:
    """The name that is meant: the same but for capitals, else the same letters and digits."""
    return next((name for alike in (_same, _same_letters) for name in names if alike(word, name)), None)


def _keys(lake: Lake, deal: str, day: dt.date, name: str) -> list[Key]:
    """The keys of a table's rows; several reports of a day mostly have the same."""
    columns = _key_columns(name)
    if not columns:
        return [{}]
    rows = lake.read(name, [deal], [day], columns).select(columns).unique(maintain_order=True)
    return rows.to_dicts()


def _key_columns(name: str) -> list[str]:
    return [column for column in table(name).key if column != "report_id"]


def _fitting(keys: Sequence[Key], parts: Sequence[str]) -> list[Key]:
    """The keys in which each part stands; the strictest way of comparing that finds one decides."""
    joined = [[*parts[:at], " ".join(parts[at : at + 2]), *parts[at + 2 :]] for at in range(len(parts) - 1)]
    for spelled in (parts, *joined):  # GROUP 1 may have come as two words
        for alike in (_same, _same_letters, _same_end):
            if found := [key for key in keys if _has_all(key, spelled, alike)]:
                return found
    return []


def _has_all(key: Key, parts: Sequence[str], alike: Callable[[str, str], bool]) -> bool:
    """Whether every part is the value of another key column."""
    left = [value for value in key.values() if value is not None]
    for part in parts:
        fitting = [value for value in left if _same(part, value)] or [value for value in left if alike(part, value)]
        if not fitting:
            return False
        left.remove(fitting[0])
    return True


def _same(word: str, name: str) -> bool:
    return word.strip().casefold() == name.casefold()


def _same_letters(word: str, name: str) -> bool:
    return bool(_letters(word)) and _letters(word) == _letters(name)


def _same_end(word: str, name: str) -> bool:
    """`1` for `GROUP 1`."""
    return _same_letters(word, name) or _same(word, name.rpartition(" ")[2])


def _letters(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.casefold())


def _spelled(row: _Row) -> str:
    """The words that name a value whatever else there is."""
    name = row.key.get(NAME_OF.get(row.table, ""))
    values = [value for column, value in row.key.items() if value is not None and column != NAME_OF.get(row.table)]
    parts = [*(f'"{value}"' if " " in value else value for value in values), *([name] if name else [])]
    last = [] if name and row.column == _VALUE_OF[row.table][0] else [row.column]
    return " ".join([row.table, *parts, *last])


def _no_such_column(words: Sequence[str]) -> str:
    *parts, last = words
    first = parts[0].casefold() if parts else ""
    tables = [first] if first in EXPLAINED else EXPLAINED
    names = [name for declared in map(table, tables) for name in (*_columns(declared), *_terms(declared))]
    near = get_close_matches(last.casefold(), names, 5, cutoff=0.5) if len(last) <= len(max(names, key=len)) * 2 else []
    where = f"table {first} has" if first in EXPLAINED else "no table has"
    no = "no " if first in EXPLAINED else "a "
    mend = f"did you mean {', '.join(dict.fromkeys(near))}?" if near else "`etl schema` lists the tables and columns"
    return f"{where} {no}column, measure or trigger {quoted(last)}; {mend}"


def _no_such_row(words: Sequence[str], rows: Mapping[str, Sequence[Key]]) -> str:
    has = []
    for name, keys in rows.items():
        values = [" ".join(value for value in key.values() if value) for key in keys]
        has.append(f"{name} has {listed(filter(None, values)) or 'one row for each report, without a key'}")
    return f"no row fits {quoted(' '.join(words))}; {'; '.join(has)}"


# --- the answer ---------------------------------------------------------------------------------------------


def _only(rows: pl.DataFrame, key: Key) -> pl.DataFrame:
    """The rows with this key."""
    return rows.filter(pl.lit(value=True), *(pl.col(column).eq_missing(pl.lit(value)) for column, value in key.items()))


def _belongs(asked: _Row, fields: Sequence[str]) -> pl.Expr:
    """Whether a record is a cell of the value. Labels are printed for several rows, so they lack parts of the key."""
    labels = (asked.table, asked.column) in _DERIVED or asked.column in asked.key
    conditions = [pl.col("table") == asked.table, pl.col("field").is_in(fields)]
    for column, value in asked.key.items():
        if column != NAME_OF.get(asked.table):
            part = pl.col(_IN_RECORDS.get(column, column))
            conditions.append(part.eq_missing(pl.lit(value)) | (part.is_null() & labels))
    return pl.all_horizontal(conditions)


def _fields(asked: _Row) -> list[str]:
    """The fields of records that the value comes from."""
    if asked.table in NAME_OF:
        name = asked.key[NAME_OF[asked.table]]
        return [name] if name and asked.column == _VALUE_OF[asked.table][0] else []
    place = (asked.table, asked.column)
    return list(_DERIVED.get(place) or _OTHER_FIELDS.get(place) or (asked.column,))


def _explained(
    lake: Lake,
    asked: _Row,
    report: Mapping[str, Any],
    tidy: Mapping[str, Any],
    records: pl.DataFrame,
    checks: pl.DataFrame,
    *,
    lost: bool,
) -> Explained:
    value = tidy.get(asked.column)
    cells = _first_first(_cells(records), value)
    unit = tidy["unit"] if asked.table == "measures" and tidy else unit_of(asked.table, asked.column)
    return Explained(
        report_id=report["report_id"],
        layout=report["layout"],
        value=value,
        unit=_unit_of_term(asked) if unit is None else unit,
        status=RECORDS_LOST if lost else _status(asked, value, cells),
        source=_source(lake, report, cells),
        cells=cells,
        checks=tuple(_verdicts(checks, _checks_on(asked, tidy))),
    )


def _unit_of_term(asked: _Row) -> str:
    name = asked.key.get(NAME_OF.get(asked.table, ""))
    return (unit_of(asked.table, name) if name else None) or "text"


def _status(asked: _Row, value: Any, cells: Sequence[Cell]) -> str:
    if not cells:
        return NOT_PRINTED if value is None else COMPUTED
    return DERIVED if (asked.table, asked.column) in _DERIVED else cells[0].status


def _cells(records: pl.DataFrame) -> list[Cell]:
    """The printed cells, the pieces of a wrapped one together."""
    cells: list[list[dict[str, Any]]] = []
    for record in records.sort("record_no").iter_rows(named=True):
        if cells and _goes_on(cells[-1][-1], record):
            cells[-1].append(record)
        else:
            cells.append([record])
    return [_cell(pieces) for pieces in cells]


def _goes_on(piece: Mapping[str, Any], record: Mapping[str, Any]) -> bool:
    """Whether a record is the next piece of a wrapped cell: nothing was read between the two, and both stand
    behind the same label."""
    same = all(piece[name] == record[name] for name in ("rule", "row_label"))
    return same and record["record_no"] == piece["record_no"] + 1 and record["line"] > piece["line"]


def _cell(pieces: Sequence[Mapping[str, Any]]) -> Cell:
    first = pieces[0]
    places = ("record_no", "line", "column_start", "column_end", "raw")
    labels = ("value", "status", "rule", "block", "row_label", "column_label")
    return Cell(
        raw=" ".join(piece["raw"] for piece in pieces),
        **{name: first[name] for name in labels},
        pieces=tuple(Piece(**{name: piece[name] for name in places}) for piece in pieces),
    )


def _first_first(cells: Sequence[Cell], value: Any) -> tuple[Cell, ...]:
    """The cells, the first that says what the table has before the others."""
    said = next((number for number, cell in enumerate(cells) if _says(cell, value)), 0)
    return (*cells[said : said + 1], *cells[:said], *cells[said + 1 :])


def _says(cell: Cell, value: Any) -> bool:
    if isinstance(value, str):
        return " ".join(cell.raw.split()) == value
    if isinstance(value, dt.date):
        return bool(pl.select(printed_day(pl.lit(cell.raw)) == value).item())
    return isinstance(value, bool | list) or cell.value == value


def _source(lake: Lake, report: Mapping[str, Any], cells: Sequence[Cell]) -> Source:
    path, sha256 = report["source"], report["source_sha256"]
    document, note = _document(lake, path, sha256)
    first_line = report["source_line"] or 1
    lines: tuple[Line, ...] = ()
    if document is not None and cells:
        numbers = {piece.line for cell in cells for piece in cell.pieces}
        first = [piece.line for piece in cells[0].pieces]
        numbers |= set(range(first[0] - CONTEXT, first[-1] + CONTEXT + 1))
        texts = document.text.split("\n")
        at = {number: number - first_line for number in sorted(numbers)}
        lines = tuple(Line(number, texts[place]) for number, place in at.items() if 0 <= place < len(texts))
    return Source(path, sha256, note, lines)


def _document(lake: Lake, path: str, sha256: str) -> tuple[Document | None, str | None]:
    """The source of a report from the lake, else from its path if it is still the same; and what is odd."""
    problem = None
    try:
        kept = document_from_bytes(read_source(lake.output, sha256), path)
        return (kept, None) if isinstance(kept, Document) else (None, kept.message)
    except LakeError as error:
        if (lake.output / source_file(sha256)).exists():
            problem = str(error)
    except ValueError as error:
        problem = str(error)
    if document := _original(path, sha256):
        return document, f"{problem or 'the source was not kept'}; shown from its path"
    lost = "the source was not kept, and is not at its path any more as it was read"
    return None, f"{problem or lost}; only the records can be shown"


def _original(path: str, sha256: str) -> Document | None:
    file = re.split("!/|#", path, maxsplit=1)[0]  # no name on the disk has these marks, see source_name
    if file == STANDARD_INPUT:
        return None
    try:
        place = source_place(file)
        found = stored(place) if isinstance(place, Location) else place
        inside = reports_in(found, load_layouts()) if found is not None else []
    except ValueError:  # no path at all
        return None
    return next((item for item in inside if isinstance(item, Document) and item.sha256 == sha256), None)


# --- the checks ---------------------------------------------------------------------------------------------


def _checks_on(asked: _Row, tidy: Mapping[str, Any]) -> list[tuple[str, str, bool]]:
    """Check and subject of those that use the value, and whether it is a check of the report after."""
    if asked.table == "reports":
        return [("repeated_fields_agree", field, False) for field in _fields(asked)]
    key, field = printed_cell(asked.table, asked.key, asked.column)
    within = checks_on(asked.table, key, field, tidy.get("class_type"), tidy.get("section"))
    between = between_checks_on(asked.table, key, field)
    return [*((check, subject, False) for check, subject in within), *between]


def printed_cell(name: str, row: Mapping[str, str | None], column: str) -> tuple[str, str]:
    """The row and the field that checks know a value by: `row` has the key columns of its table, in order."""
    named = NAME_OF.get(name)
    key = " ".join(value for part, value in row.items() if value and part != named)
    return key, (row[named] if named else column) or column


def between_checks(lake: Lake, deal: str, day: dt.date) -> pl.DataFrame:
    """The checks between the reports of this day and their neighbours, those of the next distribution too: the
    columns of `checks`, `report_id` and `later` (null for the reports of this day)."""
    dates = lake.dates(deal)
    place = dates.index(day)
    given = read_reports(lake, [deal], dates[max(0, place - _NEAR) : place + _NEAR + 1])
    reports = given.reports.select("document", "report_id", date="distribution_date")
    found = check_months(given).join(reports, on="document", how="inner", maintain_order="left")
    wanted = found.filter(pl.col("date").is_in(dates[place : place + 2]) & (pl.col("check") != "tables_are_whole"))
    return wanted.with_columns(later=pl.when(pl.col("date") > day).then("date")).drop("document", "date")


def _own(between: pl.DataFrame, report_id: str) -> pl.DataFrame:
    """Those of one report, and of the reports after."""
    return between.filter((pl.col("report_id") == report_id) | pl.col("later").is_not_null())


def _verdicts(checks: pl.DataFrame, uses_of: Sequence[tuple[str, str, bool]]) -> Iterator[Verdict]:
    """The outcomes of these checks, contradictions first."""
    uses = [
        (pl.col("check") == check)
        & ((pl.col("subject") == subject) | (subject == ANY_SUBJECT))
        & (pl.col("later").is_not_null() == later)
        for check, subject, later in uses_of
    ]
    found = checks.filter(pl.any_horizontal(uses)) if uses else checks.clear()
    order = {outcome: number for number, outcome in enumerate(WORST_FIRST)}
    ranked = found.sort(
        pl.col("outcome").replace_strict(order, default=len(order), return_dtype=pl.Int32), maintain_order=True
    )
    names = ("check", "subject", "outcome", "difference", "explanation", "later")
    yield from (Verdict(**row) for row in ranked.select(names).iter_rows(named=True))
