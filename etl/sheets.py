"""Where each figure of a deal stands on the sheets of its workbook: one sheet a table, the head above its rows."""

from __future__ import annotations

import datetime as dt
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import cached_property
from typing import Any

import polars as pl

from etl.deal_tables import DealTables
from etl.excel_formulas import Cell
from etl.figures import FIGURE_TABLES, class_row, number_fields
from etl.formulas import Figure
from etl.identity_checks import KIND
from etl.rules import TOTAL
from etl.schema import table

_KEYS = ("distribution_date", "report_id")


def sheet_columns(name: str) -> list[str]:
    """The columns of a table's sheet, in order."""
    return [_KEYS[0], *(column.name for column in table(name).columns)]


class Sheets:
    """Where each figure of a deal stands on the sheets of its workbook."""

    def __init__(self, deal: DealTables) -> None:
        self.deal = deal
        self.figures = deal.compared.figures
        self.reports: dict[int, tuple[dt.date, str]] = {
            number: (date, report_id)
            for number, date, report_id in deal.numbered.select("document", *_KEYS).iter_rows()
        }
        self.cells = {name: _cells(deal, name) for name in FIGURE_TABLES}
        self._measured: dict[tuple[int, str], list[Cell]] = defaultdict(list)
        for (number, _, field), cell in self.cells["measures"].items():
            self._measured[number, field].append(cell)
        self._class_totals: dict[int, str] = dict(self.figures.class_totals.select("document", "key").iter_rows())
        self._kinds: dict[tuple[int, str], list[str]] = defaultdict(list)
        for number, key, kind in self.figures.tables["classes"].select("document", "key", KIND).iter_rows():
            self._kinds[number, kind].append(key)

    @cached_property
    def checks(self) -> Mapping[str, Sequence[dict[str, Any]]]:
        """The stored outcomes by check, those that say something."""
        said = self.deal.with_document("checks").filter(pl.col("outcome") != "not_applicable")
        found: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for row in said.iter_rows(named=True):
            found[row["check"]].append(row)
        return found

    def of(self, figure: Figure, own: str, document: int, key: str) -> list[Cell]:
        """The cells whose sum a figure is, in a formula over the row `key` of the table `own`."""
        name = figure.table or own
        cells = self.cells[name]
        keys = [key] if figure.table is None else self._keys_elsewhere(figure, own, document, key)
        found = [cell for each in keys if (cell := cells.get((document, each, figure.field)))]
        if name == "measures" and figure.table is not None and not found:
            return self._measured[document, figure.field]  # one that is printed for the loan groups alone is their sum
        return found

    @cached_property
    def formats(self) -> Mapping[tuple[str, int, int], str]:
        """How a spreadsheet shows a number as it was printed, by table, row and column of its cell."""
        found = {}
        columns = ("document", "table", "key", "field", "raw", "value", "half_unit")
        for document, name, key, field, raw, value, half_unit in self.figures.first.select(columns).iter_rows():
            if cell := self.cells[name].get((document, key, field)):
                found[name, cell.row, cell.column] = _printed_format(raw, value, half_unit)
        return found

    def _keys_elsewhere(self, figure: Figure, own: str, document: int, key: str) -> list[str]:
        if figure.table == "delinquencies":
            return [f"{key if own == 'pools' else TOTAL} {figure.kind}"]
        if figure.kind is not None:
            return self._kinds[document, figure.kind]
        if figure.table == "classes":
            return [total] if (total := self._class_totals.get(document)) else []
        return [TOTAL]


def _printed_format(raw: str, value: Decimal, half_unit: Decimal) -> str:
    """The number format that shows a value with the decimals that are printed; a percentage as one.

    >>> _printed_format("1.50000%", Decimal("0.0150000000"), Decimal("0.00000005"))
    '0.00000%'
    """
    decimals = max(0, -(half_unit * 2).normalize().adjusted())
    digits = re.sub("[^0-9.]", "", raw)
    if value and re.fullmatch(r"[0-9]*\.?[0-9]+\.?", digits) and Decimal(digits) == abs(value) * 100:
        return f"{_with_decimals('0', max(0, decimals - 2))}%"
    return _with_decimals("#,##0", decimals)


def _with_decimals(whole: str, decimals: int) -> str:
    return f"{whole}.{'0' * decimals}" if decimals else whole


def _cells(deal: DealTables, name: str) -> dict[tuple[int, str, str], Cell]:
    """The numbers of a sheet by document, key (as `figures` gives it) and field; the head is row 0."""
    rows = deal.with_document(name).with_row_index("row", 1)
    columns = {column: number for number, column in enumerate(sheet_columns(name))}
    if name == "measures":
        found = rows.select("row", "document", key="group_id", field="measure", value="value", of=pl.lit("value"))
    else:
        fields = number_fields(name)
        loans = pl.concat_str("group_id", "status", "bucket", separator=" ", ignore_nulls=True)
        key = {"classes": class_row(), "delinquencies": loans}.get(name, pl.col("group_id"))
        wide = rows.select("row", "document", key.alias("key"), pl.col(fields).cast(pl.Decimal(38, 10)))
        found = wide.unpivot(fields, index=["row", "document", "key"], variable_name="field", value_name="value")
        found = found.with_columns(of="field")
    return {
        (document, key, field): Cell(name, row, columns[of], value)
        for row, document, key, field, value, of in found.select(
            "row", "document", "key", "field", "value", "of"
        ).iter_rows()
    }
