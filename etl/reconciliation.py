"""The tables of a deal + declared checks → lines of a reconciliation, whose formulas refer to the cells of its sheets.

Each line is an outcome that `checks` has, or that two distributions give together, with both sides written down as
formulas: from the same tree that the check was evaluated with. Where another reading of a check explains what is
printed, the line is that reading; where a printed total leaves rows out, the line leaves them out too.

What is inferred rather than computed has no line: accrual days, check digits, the reading itself.
"""

from __future__ import annotations

import datetime as dt
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import polars as pl

from etl.excel_formulas import MAX_FORMULA, Cell, expression, sum_of
from etl.figures import class_row
from etl.formulas import Figure, Formula, Relation, compared
from etl.identities import ADDED_STATUSES, LOANS, Identity, Otherwise, Total, catalogue, total_subjects
from etl.month_checks import compared_by_formula
from etl.outcomes import PASSED
from etl.rules import TOTAL
from etl.schema import unit_of
from etl.sheets import Sheets
from etl.total_checks import left_out

# Decimals to which both sides are compared: more than amounts are printed with, fewer than floats are sure of.
PLACES = {"usd": 4, "count": 0, "per_1000": 10, "fraction": 10, "months": 10}

_TOO_MANY_DIGITS = "a figure has more digits than a spreadsheet's numbers carry"
_OTHER_WORDS = "explained in the words of another version of the program: `etl run --force` reads the report anew"
_TOO_LONG = "the formula would be longer than a spreadsheet takes"


@dataclass(frozen=True)
class Line:
    """A check of a report, its sides as formulas without the equals sign.

    `places`: decimals to which they are compared. `tolerance`: how far they may be apart, by the printed decimals.
    `outcome` and `explanation` are those of the check. Where `unwritten` says why, there are no formulas.
    """

    distribution_date: dt.date
    report_id: str
    check: str
    subject: str
    statement: str
    relation: Relation
    expected: str
    actual: str
    expected_value: Decimal | None
    actual_value: Decimal | None
    places: int
    tolerance: Decimal
    outcome: str
    explanation: str | None
    unwritten: str | None = None

    @property
    def holds(self) -> bool:
        """Whether both sides agree, as far as the printed decimals tell."""
        return self.outcome in PASSED


def reconciliation(sheets: Sheets) -> list[Line]:
    """The lines of a deal, in the order of its reports, and of its checks within each."""
    declared = catalogue()
    lines = [
        *(line for identity in declared.identities for line in _of_identity(sheets, identity)),
        *(line for total in declared.totals for line in _of_total(sheets, total)),
        *_of_months(sheets),
    ]
    order = {report: number for number, report in enumerate(sheets.reports.values())}
    return sorted(lines, key=lambda line: order[line.distribution_date, line.report_id])


@dataclass(frozen=True)
class _Sides:
    """Both sides of a check as formulas, how they relate, the unit of the printed one, and all cells that they refer
    to."""

    expected: str
    actual: str
    relation: Relation
    unit: str
    cells: tuple[Cell, ...]


def _sides(sheets: Sheets, formula: Formula, own: str, document: int, key: str, previous: int | None = None) -> _Sides:
    """The sides of a formula over a row, and over the same row of a report before."""
    used: list[Cell] = []

    def cells_of(figure: Figure) -> list[Cell]:
        of_report = previous if figure.previous and previous is not None else document
        found = sheets.of(figure, own, of_report, key)
        used.extend(found)
        return found

    expected, actual = expression(formula.expected, cells_of), expression(formula.actual, cells_of)
    unit = unit_of(formula.actual.table or own, formula.actual.field) or "usd"
    return _Sides(expected, actual, formula.relation, unit, tuple(used))


def _line(sheets: Sheets, check: str, statement: str, sides: _Sides, said: Mapping[str, Any]) -> Line:
    """The line of an outcome: `said` has what `checks` says."""
    date, report_id = sheets.reports[said["document"]]
    unwritten = said.get("unwritten")
    if not all(cell.is_number for cell in sides.cells):
        unwritten = _TOO_MANY_DIGITS
    elif max(len(sides.expected), len(sides.actual)) >= MAX_FORMULA:
        unwritten = _TOO_LONG
    return Line(
        distribution_date=date,
        report_id=report_id,
        check=check,
        subject=said["subject"],
        statement=statement,
        relation=sides.relation,
        expected=sides.expected,
        actual=sides.actual,
        expected_value=said["expected"],
        actual_value=said["actual"],
        places=PLACES.get(sides.unit, PLACES["usd"]),
        tolerance=said["tolerance"] or Decimal(0),
        outcome=said["outcome"],
        explanation=said["explanation"],
        unwritten=unwritten,
    )


# --- identities ---------------------------------------------------------------------------------------------------


def _of_identity(sheets: Sheets, identity: Identity) -> Iterator[Line]:
    outcomes = sheets.checks.get(identity.name, ())
    otherwise = _otherwise(sheets, identity) if any(row["outcome"] == "explained" for row in outcomes) else {}
    for row in outcomes:
        document, key = row["document"], row["subject"]
        if row["outcome"] != "explained":
            formula, statement, said = identity.formula, identity.formula.text, row
        elif other := _explaining(identity, row["explanation"]):
            formula, statement = other.formula, f"{other.formula.text} ({other.because})"
            said = row | otherwise.get((formula.text, document, key), {})
        else:
            formula, statement, said = identity.formula, identity.formula.text, row | {"unwritten": _OTHER_WORDS}
        yield _line(sheets, identity.name, statement, _sides(sheets, formula, identity.table, document, key), said)


def _explaining(identity: Identity, explanation: str) -> Otherwise | None:
    """The other reading that an explanation begins with; None where this version of the program knows none such."""
    fitting = [other for other in identity.otherwise if explanation.startswith(other.because)]
    return max(fitting, key=lambda other: len(other.because), default=None)


def _otherwise(sheets: Sheets, identity: Identity) -> dict[tuple[str, int, str], dict[str, Any]]:
    """Both sides and the tolerance of the other readings of an identity, by formula, document and key."""
    found = {}
    for other in identity.otherwise:
        parts, _ = compared(other.formula, "main")
        rows = sheets.figures.rows(identity.table, other.formula.figures).with_columns(parts)
        for row in rows.select(
            "document", "key", expected="main expected", actual="main actual", tolerance="main tolerance"
        ).iter_rows(named=True):
            found[other.formula.text, row.pop("document"), row.pop("key")] = row
    return found


# --- totals -------------------------------------------------------------------------------------------------------


def _of_total(sheets: Sheets, total: Total) -> Iterator[Line]:
    outcomes = sheets.checks.get(total.name, ())
    if not outcomes:
        return
    covered, printed = _parts(sheets, total)
    omitted = {
        (document, family): tuple(keys) for document, family, keys in left_out(sheets.figures, total).iter_rows()
    }
    families = {column: family for family, columns in total.families.items() for column in columns}
    for row in outcomes:
        document, subject = row["document"], row["subject"]
        section, _, column = subject.rpartition(" ")
        family = " ".join(filter(None, (section, families.get(column)))) if total.may_leave_out else ""
        without = omitted.get((document, family), ()) if row["outcome"] in ("explained", "fail") else ()
        rows = [cell for key, cell in covered[document, subject] if key not in without]
        total_cells = printed[document, subject]
        if not total_cells:
            continue
        but = f" but {', '.join(without)}" if without else ""
        values = [cell.value for cell in rows if cell.value is not None]
        said = row | {"expected": sum(values, Decimal(0))}
        unit = unit_of(total.table, column) or "usd"
        sides = _Sides(sum_of(rows), sum_of(total_cells), "=", unit, (*rows, *total_cells))
        yield _line(sheets, total.name, f"{column}: the total = the sum of its rows{but}", sides, said)


def _parts(
    sheets: Sheets, total: Total
) -> tuple[Mapping[tuple[int, str], list[tuple[str, Cell]]], Mapping[tuple[int, str], list[Cell]]]:
    """The cells that a total may cover, with their keys, and its own; by document and subject."""
    covered: dict[tuple[int, str], list[tuple[str, Cell]]] = defaultdict(list)
    printed: dict[tuple[int, str], list[Cell]] = defaultdict(list)
    sections = _sections(sheets) if total.table == "classes" else {}
    for (document, key, field), cell in sheets.cells[total.table].items():
        if field not in total.columns or cell.value is None:
            continue
        for subject in total_subjects(total, key, field, sections.get((document, key))):
            if _is_of_all(total, key, sections.get((document, key))):
                printed[document, subject].append(cell)
            elif _is_added(total, key):
                covered[document, subject].append((key, cell))
    return covered, printed


def _sections(sheets: Sheets) -> dict[tuple[int, str], str | None]:
    classes = sheets.deal.with_document("classes").select("document", class_row().alias("key"), "section")
    return {(document, key): section for document, key, section in classes.iter_rows()}


def _is_of_all(total: Total, key: str, section: str | None) -> bool:
    """Whether a row is the printed total."""
    if total.table != "delinquencies":
        return key == (f"{section} {TOTAL}" if section else TOTAL)
    loans = re.search(LOANS, key)
    if total.over is None or loans is None:
        return key.startswith(f"{TOTAL} ")
    return loans[3] is None if total.over == "buckets" else loans[2] == "total"


def _is_added(total: Total, key: str) -> bool:
    """Whether a row that is not the total is one that it adds up."""
    loans = re.search(LOANS, key) if total.over == "statuses" else None
    return loans is None or loans[2] in ADDED_STATUSES


# --- between distributions ----------------------------------------------------------------------------------------


def _of_months(sheets: Sheets) -> Iterator[Line]:
    for check, outcomes in compared_by_formula(sheets.deal.compared):
        assert check.table is not None
        assert check.formula is not None
        field = check.formula.actual.field
        for row in outcomes.filter(pl.col("outcome") != "not_applicable").iter_rows(named=True):
            subject = row["subject"]
            key = subject
            if check.table == "measures":
                key = TOTAL if subject == field else subject.removesuffix(f" {field}")
            sides = _sides(sheets, check.formula, check.table, row["document"], key, row["previous_document"])
            yield _line(sheets, check.name, check.formula.text, sides, row)
