"""A deal → a workbook (.xlsx): a sheet for each table, and a reconciliation whose formulas refer to their cells.

The workbook is a copy of what the lake says, made for a spreadsheet: dates are dates, numbers are numbers with the
decimals that are printed, and text is text, whatever a spreadsheet would make of it. A spreadsheet's numbers carry 15
digits; a value with more is written as text, with a note. The same lake gives the same bytes.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from io import BytesIO
from typing import TYPE_CHECKING, Any

from etl.deal_tables import DealTables
from etl.errors import UsageError
from etl.excel_formulas import MAX_DIGITS, cell_name, column_name, fits, missed
from etl.reconciliation import Line, reconciliation
from etl.schema import TABLES, Column, table
from etl.sheets import Sheets, sheet_columns
from etl.version import __version__

if TYPE_CHECKING:
    from xlsxwriter import Workbook
    from xlsxwriter.format import Format
    from xlsxwriter.worksheet import Worksheet

ABOUT, RECONCILIATION, COLUMNS = "About", "Reconciliation", "Columns"
# All tables but `records`: the printed cells are many, and CSV has them.
SHEETS = tuple(name for name in TABLES if name != "records")
OK, OFF, NOT_COMPUTED = "OK", "OFF", "not computed"

MAX_ROWS = 1_048_576
MAX_TEXT = 32_767
# Longer texts are shown as #### by some spreadsheets where the format of their cells is that of text.
_MAX_AS_TEXT = 255
_FIRST_YEAR = 1900
_NO_DATE_OF_ITS_OWN = dt.datetime(2000, 1, 1, tzinfo=dt.UTC).replace(tzinfo=None)  # so that the bytes stay the same
_DIVIDED_BY_NOTHING = "#DIV/0!"
_DATE_FORMAT = "yyyy-mm-dd"
_FORMATS = {"usd": "#,##0.00", "count": "#,##0", "per_1000": "#,##0.000000", "fraction": "0.0000000000"}
_MIN_WIDTH, _MAX_WIDTH = 8, 60
_CUT = " ... (cut: a cell holds no more)"
_HEADS = (
    "distribution_date", "report_id", "check", "subject", "what must hold", "expected", "actual", "difference",
    "tolerance", "result", "recorded outcome", "recorded explanation",
)  # fmt: skip
_EXPECTED, _ACTUAL, _DIFFERENCE, _TOLERANCE, _RESULT = 5, 6, 7, 8, 9


def needs_excel() -> None:
    """Raise UsageError where the library is not there."""
    try:
        import xlsxwriter  # noqa: F401, PLC0415
    except ImportError as error:
        raise UsageError("--xlsx needs the extra [excel]: pip install 'trustee-etl[excel]'") from error


@dataclass(frozen=True)
class Made:
    """A workbook, and how many lines its reconciliation has: all, those that are off, those without formulas."""

    data: bytes
    lines: int
    off: int
    not_computed: int


def workbook(deal: DealTables) -> Made:
    """The workbook of a deal. Raises UsageError where a table has more rows than a sheet."""
    from xlsxwriter import Workbook  # noqa: PLC0415 - a part of an extra

    needs_rows = max(deal.tables[name].height for name in SHEETS)
    sheets = Sheets(deal)
    lines = reconciliation(sheets)
    if max(needs_rows, len(lines)) >= MAX_ROWS:
        raise UsageError(f"{deal.deal}: a table has more rows than a sheet; narrow the dates with --from and --to")
    memory = BytesIO()
    book = Workbook(memory, {"in_memory": True, "strings_to_numbers": False, "strings_to_urls": False})
    book.set_properties({"title": deal.deal, "comments": f"trustee-etl {__version__}", "created": _NO_DATE_OF_ITS_OWN})
    page = _Book(book)
    about = page.sheet(ABOUT)
    _write_reconciliation(page, lines)
    for name in SHEETS:
        _write_table(page, sheets, name)
    _write_columns(page)
    _write_about(page, about, deal, lines)
    book.close()
    counts = [sum(map(has, lines)) for has in (_is_off, _is_not_computed)]
    return Made(memory.getvalue(), len(lines), *counts)


class _Book:
    """A workbook that is being written: its formats, each made once, and how values go into cells."""

    def __init__(self, book: Workbook) -> None:
        self._book = book
        self._formats: dict[str, Format] = {}
        self.head = book.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "top"})
        self.title = book.add_format({"bold": True, "font_size": 14})
        self.good = book.add_format({"bg_color": "#E2F0D9"})
        self.bad = book.add_format({"bg_color": "#F8CBAD", "bold": True})

    def sheet(self, name: str) -> Worksheet:
        return self._book.add_worksheet(name)

    def format(self, number_format: str) -> Format:
        if number_format not in self._formats:
            self._formats[number_format] = self._book.add_format({"num_format": number_format})
        return self._formats[number_format]

    def write(self, sheet: Worksheet, row: int, column: int, value: Any, number_format: str = "General") -> None:
        """Write a value as what it is: no text becomes a number, a date or a formula."""
        if value is None:
            return
        if isinstance(value, bool):
            sheet.write_boolean(row, column, value)
        elif isinstance(value, Decimal | int):
            self._write_number(sheet, row, column, Decimal(value), number_format)
        elif isinstance(value, dt.date) and value.year >= _FIRST_YEAR:
            sheet.write_datetime(row, column, dt.datetime.combine(value, dt.time()), self.format(_DATE_FORMAT))
        else:
            text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
            whole = text if len(text) <= MAX_TEXT else text[: MAX_TEXT - len(_CUT)] + _CUT
            sheet.write_string(row, column, whole, self.format("@") if len(whole) <= _MAX_AS_TEXT else None)

    def _write_number(self, sheet: Worksheet, row: int, column: int, value: Decimal, number_format: str) -> None:
        if fits(value):
            sheet.write_number(row, column, float(value), self.format(number_format))
            return
        sheet.write_string(row, column, f"{value:f}", self.format("@"))
        sheet.write_comment(row, column, f"As text: a spreadsheet's numbers carry {MAX_DIGITS} digits.", {"author": ""})


# --- tables -----------------------------------------------------------------------------------------------------------


def _write_table(page: _Book, sheets: Sheets, name: str) -> None:
    columns = sheet_columns(name)
    kinds = [None, *table(name).columns]
    sheet = page.sheet(name)
    widths = list(map(len, columns))
    rows = sheets.deal.with_document(name).select(columns)
    for number, row in enumerate(rows.iter_rows(), 1):
        for column, value in enumerate(row):
            shown = sheets.formats.get((name, number, column)) or _format_of(kinds[column])
            page.write(sheet, number, column, value, shown)
            widths[column] = max(widths[column], len(str(value)) if value is not None else 0)
    _laid_out(page, sheet, columns, widths, rows.height)
    if rows.height:
        sheet.ignore_errors({"number_stored_as_text": f"A2:{cell_name(rows.height, len(columns) - 1)}"})


def _format_of(column: Column | None) -> str:
    """The number format of a value whose printed decimals are not known."""
    return _FORMATS.get(column.unit, "General") if column else "General"


def _laid_out(page: _Book, sheet: Worksheet, heads: Sequence[str], widths: Iterable[int], rows: int) -> None:
    """The head, which stays in sight, filters and widths."""
    for column, head in enumerate(heads):
        sheet.write_string(0, column, head, page.head)
    sheet.freeze_panes(1, 2)
    sheet.autofilter(0, 0, max(rows, 1), len(heads) - 1)
    for column, width in enumerate(widths):
        sheet.set_column(column, column, min(max(width + 2, _MIN_WIDTH), _MAX_WIDTH))


def _write_columns(page: _Book) -> None:
    heads = ("table", "column", "unit", "standard term", "description")
    rows = [
        (name, column.name, column.unit, column.standard_term, column.description)
        for name in SHEETS
        for column in table(name).columns
    ]
    sheet = page.sheet(COLUMNS)
    for number, row in enumerate(rows, 1):
        for column, text in enumerate(row):
            page.write(sheet, number, column, text)
    _laid_out(page, sheet, heads, (14, 30, 12, 30, 60), len(rows))


# --- the reconciliation -----------------------------------------------------------------------------------------------


def _write_reconciliation(page: _Book, lines: Sequence[Line]) -> None:
    sheet = page.sheet(RECONCILIATION)
    for row, line in enumerate(lines, 1):
        said = (line.distribution_date, line.report_id, line.check, line.subject, line.statement)
        for column, value in enumerate(said):
            page.write(sheet, row, column, value)
        page.write(sheet, row, _TOLERANCE, line.tolerance)
        page.write(sheet, row, _RESULT + 1, line.outcome)
        page.write(sheet, row, _RESULT + 2, "; ".join(filter(None, (line.unwritten, line.explanation))) or None)
        if line.unwritten is None:
            _write_formulas(page, sheet, row, line)
        else:
            page.write(sheet, row, _RESULT, NOT_COMPUTED)
    _laid_out(page, sheet, _HEADS, (16, 16, 28, 22, 48, 16, 16, 14, 12, 10, 16, 48), len(lines))
    where = f"{column_name(_RESULT)}2:{cell_name(max(len(lines), 1), _RESULT)}"
    for text, colours in ((OK, page.good), (OFF, page.bad)):
        equal = {"type": "cell", "criteria": "==", "value": f'"{text}"', "format": colours}
        sheet.conditional_format(where, equal)


def _write_formulas(page: _Book, sheet: Worksheet, row: int, line: Line) -> None:
    """Both sides, their difference and the result, with what they give, for readers that do not compute."""
    number = page.format(_with_places(line.places))
    expected, actual, difference, tolerance = (
        cell_name(row, column) for column in (_EXPECTED, _ACTUAL, _DIFFERENCE, _TOLERANCE)
    )
    gap = None
    if line.expected_value is not None and line.actual_value is not None:
        gap = round(line.actual_value - line.expected_value, line.places)
    holds = f"{missed(difference, line.relation)}<={tolerance}"
    formulas: list[tuple[int, str, Any]] = [
        (_EXPECTED, line.expected, _cached(line.expected_value)),
        (_ACTUAL, line.actual, _cached(line.actual_value)),
        (_DIFFERENCE, f"ROUND({actual}-{expected},{line.places})", _cached(gap)),
        (_RESULT, f'IFERROR(IF({holds},"{OK}","{OFF}"),"{OFF}")', OK if line.holds else OFF),
    ]
    for column, formula, value in formulas:
        sheet.write_formula(row, column, f"={formula}", number, value)


def _cached(value: Decimal | None) -> float | str:
    return _DIVIDED_BY_NOTHING if value is None else float(value)


def _with_places(places: int) -> str:
    return f"#,##0.{'#' * places}" if places else "#,##0"


# --- about ------------------------------------------------------------------------------------------------------------


def _write_about(page: _Book, sheet: Worksheet, deal: DealTables, lines: Sequence[Line]) -> None:
    for column, width in enumerate((24, 60, 68, 20, 24)):
        sheet.set_column(column, column, width)
    reports = deal.tables["reports"]
    dates = reports["distribution_date"]
    names = ", ".join(reports["deal_name"].unique(maintain_order=True))
    sheet.write_string(0, 0, names[:MAX_TEXT], page.title)
    rows: list[Sequence[Any]] = [
        ("deal", deal.deal),
        ("distributions", f"{dates.to_list()[0]} to {dates.to_list()[-1]}, {reports.height} reports"),
        ("made by", f"trustee-etl {__version__}"),
        (),
        *_results(lines),
        (),
        *_sheet_notes(),
        (),
        ("distribution_date", "source file", "SHA-256 of its report", "report_id", "layout"),
    ]
    for number, row in enumerate(rows, 2):
        for column, value in enumerate(row):
            if isinstance(value, _Counted):
                sheet.write_formula(number, column, value.formula, None, value.value)
            else:
                page.write(sheet, number, column, value)
    columns = ("distribution_date", "source", "source_sha256", "report_id", "layout")
    for number, row in enumerate(reports.select(columns).iter_rows(), 2 + len(rows)):
        for column, value in enumerate(row):
            page.write(sheet, number, column, value)


@dataclass(frozen=True)
class _Counted:
    formula: str
    value: int


def _results(lines: Sequence[Line]) -> Iterator[Sequence[Any]]:
    """How many lines of the reconciliation have each result, counted anew with every change."""
    column = column_name(_RESULT)
    counts: dict[str, Callable[[Line], bool]] = {OK: _is_ok, OFF: _is_off, NOT_COMPUTED: _is_not_computed}
    for result, has in counts.items():
        formula = f'=COUNTIF({RECONCILIATION}!{column}2:{column}{max(len(lines), 1) + 1},"{result}")'
        yield f"lines that are {result}", _Counted(formula, sum(map(has, lines)))


def _is_ok(line: Line) -> bool:
    return line.unwritten is None and line.holds


def _is_off(line: Line) -> bool:
    return line.unwritten is None and not line.holds


def _is_not_computed(line: Line) -> bool:
    return line.unwritten is not None


def _sheet_notes() -> Iterator[Sequence[str]]:
    yield (
        RECONCILIATION,
        (
            "What must hold, computed from the cells of the other sheets: change a figure there and its lines are OFF. "
            "The tolerance is what the printed decimals leave open. Recorded is what the checks found when the report "
            "was read. Formulas name cells: sort copies of the sheets, not the sheets."
        ),
    )
    for name in SHEETS:
        yield name, table(name).description
    yield COLUMNS, "What each column means."
