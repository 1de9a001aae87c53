"""The declared checks: `identities.toml` as objects, and which of them speak of a printed cell.

The file is held against the declared tables when it is loaded: a formula that names no column of theirs is a
defect of the program, told by name.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any, TypeVar

from etl.errors import SchemaError
from etl.formulas import Figure, Formula, FormulaError, parse
from etl.layout import CLASS_TYPES, LOAN_STATUSES
from etl.rules import TOTAL
from etl.schema import table as declared_table

_Declared = TypeVar("_Declared")

# Kind of the printed total row, beside the kinds of classes that a layout tells apart.
TOTAL_ROW = "total"
# Status and bucket at the end of the key of loans, behind their group.
LOANS_OF_A_GROUP = rf" ((?:{'|'.join(LOAN_STATUSES)})(?: .+)?)$"
# The whole key: group, status and bucket.
LOANS = rf"^(.+) ({'|'.join(LOAN_STATUSES)})(?: (.+))?$"
# What a printed total over statuses adds up; `outstanding` are all loans, those that are paid too.
ADDED_STATUSES = tuple(status for status in LOAN_STATUSES if status not in ("outstanding", "total"))
# Subject of a check that speaks of the report as a whole.
REPORT = "report"


@dataclass(frozen=True)
class Check:
    """What every check has: its name, what it says and where that comes from."""

    name: str
    statement: str
    reference: str


@dataclass(frozen=True)
class Otherwise:
    """Another reading that is known to be printed, and why."""

    formula: Formula
    because: str
    only_for: tuple[str, ...] = ()
    not_zero: bool = False


@dataclass(frozen=True, eq=False)
class Identity(Check):
    """A formula over the rows of a table, or (table `report`) over the figures of a report."""

    table: str
    formula: Formula
    only_for: tuple[str, ...] = ()
    not_for: Mapping[str, str] = field(default_factory=dict)
    only_if: tuple[Formula, ...] = ()
    otherwise: tuple[Otherwise, ...] = ()

    @property
    def formulas(self) -> tuple[Formula, ...]:
        """All formulas that it is evaluated with."""
        return (self.formula, *self.only_if, *(other.formula for other in self.otherwise))


@dataclass(frozen=True)
class Total(Check):
    """Rows of a table that add up to its printed total; columns by family, which leave out the same rows."""

    table: str
    families: Mapping[str, tuple[str, ...]]
    may_leave_out: bool
    over: str | None = None  # of loans: `buckets` or `statuses` add up, else the groups

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns."""
        return tuple(column for family in self.families.values() for column in family)


@dataclass(frozen=True, eq=False)
class Accrual(Check):
    """Interest = balance x rate x days / basis, with the days inferred."""

    days_name: str
    days_statement: str
    table: str
    interest: str
    balance: str
    rate: str
    nominal_days: int
    nominal_basis: int
    calendar_bases: tuple[int, ...]
    months: tuple[int, ...]
    shortest_days: int
    longest_days: int
    shortfall: str
    shortfall_because: str
    deferred: str
    issued: str
    issued_because: str
    alike_least: float
    alike_because: str
    not_for: Mapping[str, str]
    leftover_kinds: tuple[str, ...]
    leftover_because: str
    other_kinds: tuple[str, ...]
    other_balance: Figure
    other_because: str

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of its table that it uses."""
        return (self.interest, self.balance, self.rate, self.shortfall, self.deferred, self.issued)


@dataclass(frozen=True)
class CheckDigit(Check):
    """The last character of an identifier."""

    table: str
    column: str
    method: str


@dataclass(frozen=True)
class Between(Check):
    """From one distribution of a deal to the next."""

    table: str | None = None
    formula: Formula | None = None
    unchanged: tuple[str, ...] = ()
    over_gaps: bool = False


@dataclass(frozen=True)
class Catalogue:
    """All declared checks."""

    identities: tuple[Identity, ...]
    totals: tuple[Total, ...]
    accruals: tuple[Accrual, ...]
    check_digits: tuple[CheckDigit, ...]
    readings: tuple[Check, ...]
    between: tuple[Between, ...]

    @property
    def checks(self) -> tuple[Check, ...]:
        """All of them, in the order in which a reader wants them."""
        days = [Check(accrual.days_name, accrual.days_statement, accrual.reference) for accrual in self.accruals]
        return (
            *self.identities, *self.accruals, *days, *self.totals, *self.check_digits, *self.readings, *self.between,
        )  # fmt: skip


@cache
def catalogue() -> Catalogue:
    """The packaged checks. Raises SchemaError where the file is wrong."""
    text = (files("etl") / "identities.toml").read_text(encoding="utf-8")
    return read_catalogue(text)


def read_catalogue(text: str) -> Catalogue:
    """The checks that a file declares. Raises SchemaError that says what is wrong with which check."""
    try:
        declared = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SchemaError(f"identities.toml: is no valid TOML: {error}") from error

    def read(kind: str, make: Callable[[dict[str, Any]], _Declared]) -> tuple[_Declared, ...]:
        return tuple(_made(kind, make, check) for check in declared.get(kind, []))

    found = Catalogue(
        identities=read("identity", _identity),
        totals=read("total", _total),
        accruals=read("accrual", _accrual),
        check_digits=read("check_digit", lambda check: CheckDigit(**check)),
        readings=read("reading", lambda check: Check(**check)),
        between=read("between", _between),
    )
    _check(found)
    return found


def _made(kind: str, make: Callable[[dict[str, Any]], _Declared], declared: dict[str, Any]) -> _Declared:
    try:
        return make(declared)
    except (KeyError, TypeError) as error:
        name = declared.get("name", f"a {kind} without a name")
        raise SchemaError(f"identities.toml: {name}: {error}: declare it as its neighbours are") from error


def _check(found: Catalogue) -> None:
    """Hold the checks against the declared tables and the kinds of classes."""
    names = [check.name for check in found.checks]
    for name in names:
        if names.count(name) > 1:
            raise SchemaError(f"identities.toml: two checks are called {name!r}")
    for identity in found.identities:
        _check_identity(identity)
    for total in found.totals:
        _check_columns(total.name, total.table, total.columns)
    for accrual in found.accruals:
        _check_columns(accrual.name, accrual.table, accrual.columns)
        _check_figures(accrual.name, accrual.table, [accrual.other_balance])
        _check_kinds(accrual.name, (*accrual.not_for, *accrual.other_kinds, *accrual.leftover_kinds))
    for digit in found.check_digits:
        _check_columns(digit.name, digit.table, [digit.column])
    for check in found.between:
        if check.table:
            _check_columns(check.name, check.table, check.unchanged)
            _check_figures(check.name, check.table, check.formula.figures if check.formula else ())


def _check_identity(identity: Identity) -> None:
    for formula in identity.formulas:
        _check_figures(identity.name, identity.table, formula.figures)
    kinds = [kind for other in identity.otherwise for kind in other.only_for]
    _check_kinds(identity.name, (*identity.only_for, *identity.not_for, *kinds))


def _check_kinds(name: str, kinds: Iterable[str]) -> None:
    for kind in kinds:
        if kind not in (*CLASS_TYPES, TOTAL_ROW):
            raise SchemaError(f"identities.toml: {name}: there is no kind of class {kind!r}")


def _check_columns(name: str, table: str, columns: Iterable[str]) -> None:
    _check_figures(name, table, [Figure(None, None, column) for column in columns])


def checks_on(
    table: str, key: str, field: str, class_type: str | None, section: str | None = None
) -> list[tuple[str, str]]:
    """Check and subject of every check that uses a printed cell.

    `key` as `figures.figures` gives it: the class after its section, the group, or group, status and bucket of loans.
    """
    kind = TOTAL_ROW if key == (f"{section} {TOTAL}" if section else TOTAL) else class_type
    declared = catalogue()
    found = [
        (identity.name, subject)
        for identity in declared.identities
        if not identity.only_for or identity.table != table or kind in identity.only_for
        for formula in identity.formulas
        for figure in formula.figures
        for subject in _subjects(identity.table, figure, table, key, field, kind)
    ]
    for total in declared.totals:
        if total.table == table and field in total.columns:
            found += [(total.name, subject) for subject in total_subjects(total, key, field, section)]
    for accrual in declared.accruals:
        if accrual.table == table and field in accrual.columns:
            found += [(accrual.name, key), (accrual.days_name, ANY_SUBJECT)]
    found += [(check.name, key) for check in declared.check_digits if (check.table, check.column) == (table, field)]
    return list(dict.fromkeys(found))


def between_checks_on(table: str, key: str, field: str) -> list[tuple[str, str, bool]]:
    """Check and subject of every check between distributions that uses a printed cell, and whether it is that of
    the report after."""
    found = []
    for check in catalogue().between:
        if check.table != table:
            continue
        for figure in check.formula.figures if check.formula else ():
            if figure.field == field:
                of_group = f"{key} " if key != TOTAL else ""
                subject = f"{of_group}{check.formula.actual.field}" if table == "measures" and check.formula else key
                found.append((check.name, subject, figure.previous))
        if field in check.unchanged:
            found += [(check.name, key, later) for later in (False, True)]
    return list(dict.fromkeys(found))


def total_subjects(total: Total, key: str, column: str, section: str | None = None) -> Iterator[str]:
    """Subject of the check of a printed total that a row belongs to: the column, of classes with their section, of
    loans with what they have in common."""
    loans = re.search(LOANS, key) if total.table == "delinquencies" else None
    if loans is None:
        yield f"{section} {column}" if section else column
    elif total.over == "buckets":
        yield f"{loans[1]} {loans[2]} {column}"
    elif total.over == "statuses":
        if loans[2] in (*ADDED_STATUSES, "total"):
            yield " ".join(filter(None, (loans[1], loans[3], column)))
    else:
        yield " ".join(filter(None, (loans[2], loans[3], column)))


def _subjects(own: str, figure: Figure, table: str, key: str, field: str, kind: str | None) -> Iterator[str]:
    """The subjects of an identity over table `own` for which `figure` is the cell."""
    if figure.field != field or (figure.table or own) != table:
        return
    if figure.table is None:
        yield key
    elif own == "pools" and table == "delinquencies":
        group, _, rest = key.rpartition(" ")
        if rest == figure.kind:
            yield group
    elif (kind == TOTAL_ROW if table == "classes" else key == TOTAL) if figure.kind is None else kind == figure.kind:
        yield REPORT if own == REPORT else ANY_SUBJECT


# Stands for every subject of a check: a figure of the report that all its rows use.
ANY_SUBJECT = "*"


def _identity(declared: dict[str, Any]) -> Identity:
    name = declared["name"]
    others = tuple(
        Otherwise(
            _parsed(name, other["formula"]),
            other["because"],
            tuple(other.get("only_for", [])),
            not_zero=other.get("not_zero", False),
        )
        for other in declared.get("otherwise", [])
    )
    return Identity(
        **_said(declared),
        table=declared["table"],
        formula=_parsed(name, declared["formula"]),
        only_for=tuple(declared.get("only_for", [])),
        not_for=declared.get("not_for", {}),
        only_if=tuple(_parsed(name, condition) for condition in declared.get("only_if", [])),
        otherwise=others,
    )


def _total(declared: dict[str, Any]) -> Total:
    families = declared.get("families") or {"all": declared["columns"]}
    return Total(
        **_said(declared),
        table=declared["table"],
        families={family: tuple(columns) for family, columns in families.items()},
        may_leave_out="families" in declared,
        over=declared.get("over"),
    )


def _accrual(declared: dict[str, Any]) -> Accrual:
    other = declared["otherwise"]
    names = (
        "days_name", "days_statement", "table", "interest", "balance", "rate", "nominal_days", "nominal_basis",
        "shortest_days", "longest_days", "shortfall", "shortfall_because", "deferred", "issued", "issued_because",
        "alike_least", "alike_because", "not_for",
    )  # fmt: skip
    return Accrual(
        **_said(declared),
        **{name: declared[name] for name in names},
        calendar_bases=tuple(declared["calendar_bases"]),
        months=tuple(declared["months"]),
        leftover_kinds=tuple(declared["leftover"]["only_for"]),
        leftover_because=declared["leftover"]["because"],
        other_kinds=tuple(other["only_for"]),
        other_balance=_parsed(declared["name"], f"{other['balance']} = 0").actual,
        other_because=other["because"],
    )


def _between(declared: dict[str, Any]) -> Between:
    formula = _parsed(declared["name"], declared["formula"]) if "formula" in declared else None
    return Between(
        **_said(declared),
        table=declared.get("table"),
        formula=formula,
        unchanged=tuple(declared.get("unchanged", [])),
        over_gaps=declared.get("over_gaps", False),
    )


def _said(declared: Mapping[str, Any]) -> dict[str, Any]:
    return {name: declared[name] for name in ("name", "statement", "reference")}


def _parsed(name: str, text: str) -> Formula:
    try:
        return parse(text)
    except FormulaError as error:
        raise SchemaError(f"identities.toml: {name}: {error}") from error


def _check_figures(name: str, own: str, figures: Iterable[Figure]) -> None:
    """Refuse figures that no table declares."""
    for figure in figures:
        table = figure.table or own
        if table == REPORT or figure.field not in declared_table(table).fields:
            raise SchemaError(f"identities.toml: {name}: there is no figure {figure.name!r}")
