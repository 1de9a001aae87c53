"""A layout against its samples: does each read exactly as its expected tables say, and by this layout alone?

    <layout>/sample.txt           with  <layout>/expected/<table>.csv
    <layout>/samples/<name>.txt   with  <layout>/expected/<name>/<table>.csv, where one sample is not enough

An expected table has the columns that its first line names; all rows, in any order. `checks.csv` has the outcomes of
the checks: one that fails there is expected to.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path

import polars as pl

from etl.batch import Batch, read_batch
from etl.documents import Document, Reject
from etl.errors import UsageError
from etl.layout import Layout, choose_layout
from etl.schema import TABLES, table
from etl.splits import reports_in

SAMPLE, SAMPLES, EXPECTED = "sample.txt", "samples", "expected"
# What stands in a difference for a row that is there on one side alone.
A_ROW = "a row"
# What says where a sample lies and how it was counted, not what it prints; `records` has all cells and is not held
# against a table of its own.
_COMPARED = tuple(name for name in TABLES if name != "records")
_UNPRINTED = (
    *("document", "report_id", "source", "source_sha256", "source_line", "source_bytes", "layout", "accession_number"),
    *("cik", "sic", "filed_date", "period_of_report"),
    *("numbers_found", "numbers_claimed", "checks_passed", "checks_failed"),
)
# Of a check its outcome is expected; how it is explained may be said better tomorrow.
_OF_CHECKS = ("check", "subject", "outcome", "difference")


@dataclass(frozen=True)
class Difference:
    """A value that is not as expected, or (without column) a row that is not there or not expected."""

    table: str
    key: tuple[str, ...]
    column: str | None
    expected: str | None
    read: str | None


@dataclass(frozen=True)
class SampleResult:
    """What became of a sample: what is wrong with it in words, and where its tables differ."""

    sample: Path
    expected: Path
    problems: tuple[str, ...] = ()
    differences: tuple[Difference, ...] = ()
    numbers_found: int = 0
    numbers_unclaimed: int = 0
    tables: Mapping[str, pl.DataFrame] = field(default_factory=dict)  # as read; empty where it was rejected

    @property
    def is_good(self) -> bool:
        """Whether it reads as expected."""
        return not self.problems and not self.differences


@dataclass(frozen=True)
class LayoutResult:
    """What became of the samples of a layout; it may have none."""

    layout: Layout
    samples: tuple[SampleResult, ...]


def samples_of(layout: Layout) -> list[tuple[Path, Path]]:
    """The samples of a layout, each with the folder of its expected tables."""
    folder = layout.file.parent
    alone = [(folder / SAMPLE, folder / EXPECTED)] if (folder / SAMPLE).is_file() else []
    several = sorted((folder / SAMPLES).glob("*.txt"))
    return alone + [(file, folder / EXPECTED / file.stem) for file in several]


def check_samples(layout: Layout, known: Sequence[Layout]) -> LayoutResult:
    """Hold all samples of a layout against their expected tables; `known` are all layouts that there are."""
    return LayoutResult(
        layout, tuple(_check(sample, expected, layout, known) for sample, expected in samples_of(layout))
    )


def accept(result: SampleResult, *, force: bool = False) -> list[Path]:
    """Write the expected tables of a sample from what was read; the files that were written or taken away.

    Raises UsageError where the sample was rejected, or while numbers are unclaimed, unless `force`.
    """
    if not result.tables:
        raise UsageError(f"{result.sample}: was not read, so there is nothing to accept; see etl layout why")
    if result.numbers_unclaimed and not force:
        count = result.numbers_unclaimed
        raise UsageError(
            f"{result.sample}: {'1 number is' if count == 1 else f'{count:,} numbers are'} unclaimed, so tables may "
            f"not be whole: etl layout why shows where; --force accepts them all the same"
        )
    result.expected.mkdir(parents=True, exist_ok=True)
    written = []
    for name in _COMPARED:
        file = result.expected / f"{name}.csv"
        content = _as_csv(result.tables[name], _columns_of(file, name, result.tables[name]))
        if content is None:
            if file.is_file():
                file.unlink()
                written.append(file)
        elif not file.is_file() or file.read_bytes() != content:
            file.write_bytes(content)
            written.append(file)
    return written


# --- reading ------------------------------------------------------------------------------------------------


def _check(sample: Path, expected: Path, layout: Layout, known: Sequence[Layout]) -> SampleResult:
    documents = reports_in(sample, [layout])
    if len(documents) != 1:
        names = ", ".join(item.source for item in documents[:3])
        problem = f"{len(documents)} documents stand in it ({names}, ...); a sample is one report"
        return SampleResult(sample, expected, (problem,))
    document = documents[0]
    if isinstance(document, Reject):
        return SampleResult(sample, expected, (f"{document.reason_code}: {document.message}",))
    batch = read_batch([document], [layout])
    problems = [*_identification(document, layout, known), *_rejected(batch)]
    tables = _tables(batch)
    if not tables:
        return SampleResult(sample, expected, tuple(problems))
    report = tables["reports"].row(0, named=True)
    unclaimed = tables["records"].filter(status="unclaimed")
    problems += _unclaimed(unclaimed)
    wanted = {name: _read_csv(file) for name in _COMPARED if (file := expected / f"{name}.csv").is_file()}
    if not wanted:
        problems.append(f"it has no expected tables in {expected}; --accept writes them from what is read")
    problems += _failing(tables["checks"], wanted.get("checks"))
    differences = [found for name, table_ in wanted.items() for found in _different(name, table_, tables[name])]
    if wanted:
        problems += _unexpected_tables(tables, wanted)
    return SampleResult(
        sample, expected, tuple(problems), tuple(differences), report["numbers_found"], unclaimed.height, tables
    )


def _tables(batch: Batch) -> dict[str, pl.DataFrame]:
    """The tables of the one report of a batch, with its date where it is a column of the tables; empty without one."""
    if batch.identity.is_empty():
        return {}
    day = batch.identity["distribution_date"][0]
    tables = {name: frame.with_columns(pl.col(pl.Enum).cast(pl.String)) for name, frame in batch.tables.items()}
    return tables | {"reports": tables["reports"].with_columns(distribution_date=pl.lit(day))}


def _identification(document: Document, layout: Layout, known: Sequence[Layout]) -> Iterator[str]:
    """Whether exactly this layout knows the sample by its marks."""
    scores = choose_layout([document.text], known)
    names = [known[number].name for number in scores.filter(pl.col("found") == pl.col("wanted"))["layout"]]
    others = [name for name in names if name != layout.name]
    if others:
        yield f"{', '.join(others)} knows it as well: make the marks in identify stricter"


def _rejected(batch: Batch) -> Iterator[str]:
    for reject in batch.rejects:
        yield f"rejected: {reject.reason_code}: {reject.message}"


def _unclaimed(unclaimed: pl.DataFrame) -> Iterator[str]:
    """The numbers that no rule claims: the first of them by their lines."""
    if not unclaimed.is_empty():
        named = [f"{raw} (line {line})" for raw, line in unclaimed.select("raw", "line").head(5).iter_rows()]
        more = f" and {unclaimed.height - 5:,} more" if unclaimed.height > 5 else ""  # noqa: PLR2004 - those named
        yield f"numbers that nothing claims: {', '.join(named)}{more}"


def _failing(checks: pl.DataFrame, expected: _Csv | None) -> Iterator[str]:
    """The checks that fail and are not expected to; a number that is not claimed is told by itself."""
    known = {tuple(row[:2]) for row in expected.select(_OF_CHECKS[:3]) if row[2] == "fail"} if expected else set()
    failed = checks.filter(pl.col("outcome") == "fail", pl.col("check") != "every_number_claimed")
    for check, subject, explanation in failed.select("check", "subject", "explanation").iter_rows():
        if (check, subject) not in known:
            yield f"a check fails: {check}: {subject}: {explanation}"


def _unexpected_tables(tables: Mapping[str, pl.DataFrame], wanted: Mapping[str, _Csv]) -> Iterator[str]:
    for name in _COMPARED:
        if name not in wanted and tables[name].height:
            yield f"{name} has {tables[name].height:,} rows, and there is no expected {name}.csv; --accept writes it"


# --- comparing ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Csv:
    """An expected table as texts."""

    file: Path
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def select(self, columns: Iterable[str]) -> Iterator[tuple[str, ...]]:
        """The values of these columns, row by row; nothing where one is not there."""
        names = list(columns)
        if set(names) <= set(self.columns):
            places = [self.columns.index(name) for name in names]
            yield from (tuple(row[place] for place in places) for row in self.rows)


def _read_csv(file: Path) -> _Csv:
    try:
        lines = list(csv.reader(io.StringIO(file.read_text(encoding="utf-8"), newline="")))
    except (UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{file}: is no CSV in UTF-8: {error}; save it so, or make it anew with --accept") from error
    if not lines:
        raise UsageError(f"{file}: is empty; it needs a line with the names of its columns")
    for number, row in enumerate(lines[1:], 2):
        if len(row) != len(lines[0]):
            raise UsageError(f"{file}, line {number}: {len(row)} values; there are {len(lines[0])} columns")
    return _Csv(file, tuple(lines[0]), tuple(map(tuple, lines[1:])))


def _different(name: str, expected: _Csv, frame: pl.DataFrame) -> Iterator[Difference]:
    """Where a table is not as expected, row by row, by the key of the table."""
    wrong = [column for column in expected.columns if column not in frame.columns]
    if wrong:
        raise UsageError(f"{expected.file}: table {name} has no column {wrong[0]!r}; see etl schema {name}")
    key = [column for column in _key_of(name) if column in expected.columns or not _is_empty(frame, column)]
    if not set(key) <= set(expected.columns):
        raise UsageError(f"{expected.file}: a row is known by {', '.join(key)}; the file needs these columns")
    kinds = [frame.schema[column] for column in expected.columns]
    texts = ([spelled_as(*cell) for cell in zip(row, kinds, strict=True)] for row in expected.rows)
    values = ([spelled(value) for value in row] for row in frame.select(expected.columns).iter_rows())
    wanted, read = (_by_key(expected.columns, rows, key) for rows in (texts, values))
    for row_key in dict.fromkeys((*wanted, *read)):
        there, here = wanted.get(row_key), read.get(row_key)
        if there is None or here is None:
            yield Difference(name, row_key[:-1], None, A_ROW if there else None, A_ROW if here else None)
            continue
        for column, text, value in zip(expected.columns, there, here, strict=True):
            if text != value:
                yield Difference(name, row_key[:-1], column, text, value)


def _by_key(
    columns: Sequence[str], rows: Iterable[Sequence[str]], key: Sequence[str]
) -> dict[tuple[str, ...], Sequence[str]]:
    """Rows by their key, with a count at its end: what stands there twice is compared twice."""
    places = [columns.index(name) for name in key]
    by_key: dict[tuple[str, ...], Sequence[str]] = {}
    for row in rows:
        own = tuple(row[place] for place in places)
        count = 0
        while (*own, str(count)) in by_key:
            count += 1
        by_key[(*own, str(count))] = row
    return by_key


def _key_of(name: str) -> tuple[str, ...]:
    """What tells a row of a table from the others of a report."""
    return tuple(column for column in table(name).key if column != "report_id")


def _is_empty(frame: pl.DataFrame, column: str) -> bool:
    """Whether a column that may be null has nothing in it: then it tells no rows apart."""
    return column in frame.columns and frame[column].null_count() == frame.height > 0


def spelled(value: object) -> str:
    """A value as an expected table has it: decimals without zeros at their end, lists joined by `|`."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return f"{value.normalize() + 0:f}"
    if isinstance(value, date):
        return value.isoformat()
    return "|".join(map(str, value)) if isinstance(value, list) else str(value)


def spelled_as(text: str, kind: pl.DataType) -> str:
    """The text of an expected table, spelled as `spelled` does."""
    if not text or not kind.is_decimal():
        return text
    try:
        return spelled(Decimal(text))
    except InvalidOperation:
        return text


# --- accepting ----------------------------------------------------------------------------------------------


def _columns_of(file: Path, name: str, frame: pl.DataFrame) -> list[str]:
    """The columns of an expected table: those that it has already, or all that are printed."""
    if file.is_file():
        return [column for column in _read_csv(file).columns if column in frame.columns]
    if name == "checks":
        return list(_OF_CHECKS)
    return [column for column in frame.columns if column not in _UNPRINTED]


def _as_csv(frame: pl.DataFrame, columns: Sequence[str]) -> bytes | None:
    """The rows of a table as CSV; None where there are none."""
    if frame.is_empty():
        return None
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([spelled(value) for value in row] for row in frame.select(columns).iter_rows())
    return text.getvalue().encode()
