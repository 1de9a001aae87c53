"""A draft → its class table, if the report's own arithmetic proves what its heads are taken to mean.

The arithmetic must hold to the last printed digit, for every class. So a number that was changed, a row that was
lost or a head that was taken for another breaks it. A column that no equation confirms is not given.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from etl.drafting import DOLLAR_DECIMALS, Draft, DraftCell, DraftRow, DraftTable, decimals
from etl.identifiers import is_cusip
from etl.patterns import NOT_APPLICABLE

# Without these nothing can be proved.
CORE = ("beginning_balance", "principal_distribution", "ending_balance")
# What else may change a balance: what a class loses, and what is added to it.
_CHANGES = {"realized_loss": -1, "deferred_interest": 1}
_PAYMENTS = ("interest_distribution", "total_distribution")
# The two equations, as sums that are zero.
_EQUATIONS: tuple[Mapping[str, int], ...] = (
    {"beginning_balance": 1, "principal_distribution": -1, "ending_balance": -1, **_CHANGES},
    {"principal_distribution": 1, "interest_distribution": 1, "total_distribution": -1},
)
# Columns that do not add up over the classes.
_NOT_ADDITIVE = ("class_id", "cusip", "pass_through_rate")
# A table in which nothing moves proves nothing.
MIN_MOVING = 2
# Where no class has more, the amounts may be per 1,000 dollars of original balance: the equations hold for these too.
PER_UNIT = 1000
# More rows are no table of classes.
MAX_CLASSES = 400
MAX_LABEL = 40


@dataclass(frozen=True)
class Unproved:
    """Why a draft has no class table that is proved. `near`: whether it has one at all."""

    message: str
    near: bool = True


@dataclass(frozen=True)
class Proof:
    """A class table that its arithmetic proves: its strips, and the fields of it that are given."""

    strips: tuple[DraftTable, ...]
    fields: frozenset[str]

    @property
    def keyed_rows(self) -> Iterator[tuple[DraftTable, DraftRow, int]]:
        """Each row of each strip, with its number in the table."""
        for strip in self.strips:
            yield from ((strip, row, number) for number, row in enumerate(strip.rows))

    @property
    def rows(self) -> tuple[DraftRow, ...]:
        """The rows of the first strip, which names the classes."""
        return self.strips[0].rows


@dataclass(frozen=True)
class _Column:
    """A column of the whole table: a cell for each row, the total among them."""

    field: str
    head: str
    cells: tuple[DraftCell | None, ...]
    lines: tuple[int, ...]

    def value(self, row: int) -> Decimal | None:
        """The number in a row; None where there is none."""
        cell = self.cells[row]
        return None if cell is None else amount(cell.raw)


class _NotProvedError(Exception):
    """Carries what does not hold to where it is told."""


def prove(draft: Draft) -> Proof | Unproved:
    """The class table of a draft, or the first thing that keeps it from being one."""
    begins = _beginnings(draft)
    if not begins:
        return Unproved("no table of classes with known heads was found", near=False)
    strips = tuple(
        table
        for number, table in enumerate(draft.tables)
        if number == begins[0] or (table.continues == begins[0] and _belongs(table, draft.tables[begins[0]]))
    )
    try:
        return _proved(strips, draft, [draft.tables[number] for number in begins[1:]])
    except _NotProvedError as error:
        return Unproved(str(error))


def amount(raw: str) -> Decimal | None:
    """The value of a printed amount; None for `N/A` and dashes."""
    digits = raw.strip("()$% -").replace(",", "")
    if not any(character.isdigit() for character in digits):
        return None
    value = Decimal(digits)
    return -value if raw.lstrip("$").startswith(("(", "-")) else value


def _beginnings(draft: Draft) -> list[int]:
    """The tables that may be the first strip of a class table: they name the classes and have figures of them."""
    continued = {table.continues for table in draft.tables}
    return [
        number
        for number, table in enumerate(draft.tables)
        if table.names_classes and table.continues is None and (number in continued or _is_in_dollars(table))
    ]


def _belongs(strip: DraftTable, begun: DraftTable) -> bool:
    """Whether a strip is a part of the table. One that repeats its labels, has a total where it has none or none where
    it has one, and says nothing that is proved, is a table of its own, such as that of factors."""
    as_many = len(strip.rows) == len(begun.rows) and strip.rows[-1].is_total == begun.rows[-1].is_total
    return not strip.labelled or as_many or not _fields(strip).isdisjoint((*CORE, *_CHANGES, *_PAYMENTS))


def _is_in_dollars(table: DraftTable) -> bool:
    """Whether a table has balances or principal of classes, with decimals as dollars have them."""
    indices = [index for index, column in enumerate(table.columns) if column.field in CORE]
    raws = [cell.raw for row in table.rows for index in indices if (cell := row.cells[index]) is not None]
    return bool(indices) and all(decimals(raw) <= DOLLAR_DECIMALS for raw in raws)


def _proved(strips: Sequence[DraftTable], draft: Draft, others: Sequence[DraftTable]) -> Proof:
    """The proof; `others` are tables that could as well be the class table. Raises _NotProvedError."""
    table = strips[0]
    if others:
        raise _NotProvedError(
            f"two tables name classes and their balances or principal: lines {table.first_line}-{table.last_line} "
            f"and {others[0].first_line}-{others[0].last_line}"
        )
    _named(table)
    _same_shape(strips)
    columns = {column.field: column for column in _whole_columns(strips)}
    lacking = [field for field in CORE if field not in columns]
    if lacking:
        raise _NotProvedError(f"no known head says which column is {' or '.join(lacking)}")
    classes = [row for row in range(len(table.rows)) if not table.rows[row].is_total]
    _readable(columns, classes)
    _in_whole_dollars(columns, classes)
    _rolls_forward(columns, classes, table)
    _adds_up(columns, classes, table)
    paid = _payments(columns, classes, table)
    _not_interchangeable(columns, classes, confirmed=bool(paid))
    _listed(columns, classes, strips, draft)
    given = {*CORE, *(field for field in _CHANGES if field in columns), *paid}
    given -= _without_place(columns, classes, strips, given)
    beside_labels = {field for strip in strips if strip.labelled for field in _fields(strip)}
    original = "original_balance" in beside_labels and _is_original(columns, classes, table)
    given |= {"original_balance"} if original else set()
    given |= {"cusip"} if "cusip" in columns and _are_cusips(columns["cusip"]) else set()
    return Proof(tuple(strip for strip in strips if _fields(strip) & given), frozenset(given))


def _fields(strip: DraftTable) -> set[str]:
    return {column.field for column in strip.columns if column.field is not None}


# --- is it one whole table? ------------------------------------------------------------------------------------------


def _named(table: DraftTable) -> None:
    """Every row bears the name of another class; the total, if there is one, stands last."""
    if len(table.rows) > MAX_CLASSES:
        raise _NotProvedError(f"the table of classes has {len(table.rows):,} rows; at most {MAX_CLASSES} are looked at")
    seen: dict[str, int] = {}
    for number, row in enumerate(table.rows):
        if row.is_total:
            if number < len(table.rows) - 1:
                raise _NotProvedError(f"rows follow the total in line {row.line}")
            continue
        if not row.label or len(row.label) > MAX_LABEL:
            raise _NotProvedError(f"line {row.line} does not name its class")
        if row.label in seen:
            raise _NotProvedError(f"class {row.label} stands in lines {seen[row.label]} and {row.line}")
        seen[row.label] = row.line


def _same_shape(strips: Sequence[DraftTable]) -> None:
    """All strips have a total row, or none has; strips without labels have as many rows as the first."""
    first = strips[0].rows
    for strip in strips[1:]:
        if len(strip.rows) != len(first) or (strip.labelled and strip.rows[-1].is_total != first[-1].is_total):
            raise _NotProvedError(
                f"the strip in lines {strip.first_line}-{strip.last_line} has {len(strip.rows)} rows, "
                f"the table that it continues {len(first)}"
            )


def _whole_columns(strips: Sequence[DraftTable]) -> Iterator[_Column]:
    for strip in strips:
        lines = tuple(row.line for row in strip.rows)
        for index, column in enumerate(strip.columns):
            if column.field is not None and column.field != "class_id":
                yield _Column(column.field, column.head, tuple(row.cells[index] for row in strip.rows), lines)


def _readable(columns: Mapping[str, _Column], classes: Sequence[int]) -> None:
    """Each amount of a class is printed, in dollars."""
    for column in columns.values():
        if column.field in _NOT_ADDITIVE:
            continue
        for row in classes:
            cell = column.cells[row]
            where = f"line {column.lines[row]}"
            if cell is None:
                raise _NotProvedError(f"{where} has no number below {column.head!r}")
            nothing = cell.raw in NOT_APPLICABLE and column.field not in CORE
            if not nothing and (amount(cell.raw) is None or "%" in cell.raw or decimals(cell.raw) > DOLLAR_DECIMALS):
                raise _NotProvedError(f"{where}: {cell.raw!r} below {column.head!r} is no amount in dollars")


def _in_whole_dollars(columns: Mapping[str, _Column], classes: Sequence[int]) -> None:
    """Some balance is more than a unit, so that the amounts are not per unit."""
    largest = max((_number(columns, "beginning_balance", row) for row in classes), default=Decimal(0))
    if largest <= PER_UNIT:
        raise _NotProvedError(f"no balance is more than {PER_UNIT:,}: the amounts may be per {PER_UNIT:,}")


# --- the equations ---------------------------------------------------------------------------------------------------


def _number(columns: Mapping[str, _Column], field: str, row: int) -> Decimal:
    """The number of a field in a row; nothing where it is not printed or not applicable."""
    return (columns[field].value(row) if field in columns else None) or Decimal(0)


def _rolls_forward(columns: Mapping[str, _Column], classes: Sequence[int], table: DraftTable) -> None:
    """Beginning balance less principal and losses, with deferred interest, is the ending balance, of every class."""
    moving = 0
    for row in classes:
        beginning, principal, ending = (_number(columns, field, row) for field in CORE)
        changes = [sign * _number(columns, field, row) for field, sign in _CHANGES.items()]
        expected = beginning - principal + sum(changes)
        if expected != ending:
            raise _NotProvedError(
                f"class {table.rows[row].label} (line {table.rows[row].line}): the balance rolls forward to "
                f"{expected:,}, printed is {ending:,}"
            )
        moving += bool(principal or any(changes))
    if moving < MIN_MOVING:
        raise _NotProvedError(f"the balances of {moving} classes move; at least {MIN_MOVING} must, to prove anything")


def _adds_up(columns: Mapping[str, _Column], classes: Sequence[int], table: DraftTable) -> None:
    """Each printed total is the sum of its column."""
    if not table.rows[-1].is_total:
        return
    last = len(table.rows) - 1
    for column in columns.values():
        total = None if column.field in _NOT_ADDITIVE else column.value(last)
        if total is None:
            continue
        expected = sum((_number(columns, column.field, row) for row in classes), Decimal(0))
        if expected != total:
            raise _NotProvedError(
                f"total of {column.head!r} (line {column.lines[last]}): the classes add up to {expected:,}, "
                f"printed is {total:,}"
            )


def _payments(columns: Mapping[str, _Column], classes: Sequence[int], table: DraftTable) -> tuple[str, ...]:
    """Interest and total distribution, where principal + interest is the total of every class."""
    if not all(field in columns for field in _PAYMENTS):
        return ()
    paid = 0
    for row in classes:
        interest, total = (_number(columns, field, row) for field in _PAYMENTS)
        expected = _number(columns, "principal_distribution", row) + interest
        if expected != total:
            raise _NotProvedError(
                f"class {table.rows[row].label} (line {columns[_PAYMENTS[1]].lines[row]}): principal and interest are "
                f"{expected:,}, printed is a total of {total:,}"
            )
        paid += bool(interest)
    return _PAYMENTS if paid >= MIN_MOVING else ()


def _not_interchangeable(columns: Mapping[str, _Column], classes: Sequence[int], *, confirmed: bool) -> None:
    """No two heads could stand in each other's place, and the balances would still roll forward.

    The equation is the same for the ending balance, the losses and the principal, each taken for another; so is it for
    the beginning balance and deferred interest. Sizes tell balances from what changes them in a period; that principal
    is not losses, only `confirmed` payments tell, of which it is a part.
    """
    size = {field: sum(abs(_number(columns, field, row)) for row in classes) for field in (*CORE, *_CHANGES)}
    if not confirmed and any(field in columns for field in _CHANGES):
        raise _NotProvedError("no total of principal and interest tells principal from losses and deferred interest")
    if size["realized_loss"] >= size["ending_balance"] or (
        not confirmed and size["principal_distribution"] >= size["ending_balance"]
    ):
        raise _NotProvedError("losses or principal are no less than the ending balances: one may be the other")
    if size["deferred_interest"] >= size["beginning_balance"]:
        raise _NotProvedError("deferred interest is no less than the beginning balances: one may be the other")


def _without_place(
    columns: Mapping[str, _Column], classes: Sequence[int], strips: Sequence[DraftTable], given: set[str]
) -> set[str]:
    """Payments of strips without labels of which two rows could change places, and all equations would still hold.

    They would where both rows contribute the same to each equation, and yet are not the same. Where the strip has
    balances or what changes them, the whole table is not proved.
    """
    unplaced: set[str] = set()
    for strip in strips:
        fields = sorted(_fields(strip) & given)
        if strip.labelled or not fields:
            continue
        seen: dict[tuple[Decimal, ...], tuple[Decimal, ...]] = {}
        for row in classes:
            numbers = {field: _number(columns, field, row) for field in fields}
            parts = tuple(
                sum((sign * numbers[field] for field, sign in equation.items() if field in numbers), Decimal(0))
                for equation in _EQUATIONS
            )
            cells = tuple(numbers.values())
            if seen.setdefault(parts, cells) == cells:
                continue
            if not set(fields) <= set(_PAYMENTS):
                raise _NotProvedError(
                    f"rows of the strip in lines {strip.first_line}-{strip.last_line}, which names no classes, could "
                    "change places"
                )
            unplaced |= set(fields)
    return unplaced


def _is_original(columns: Mapping[str, _Column], classes: Sequence[int], table: DraftTable) -> bool:
    """Whether a column of original balances is one: its total is printed (and right), and no class began with more."""
    column = columns.get("original_balance")
    if column is None or not table.rows[-1].is_total or column.value(len(table.rows) - 1) is None:
        return False
    within = [_number(columns, "beginning_balance", row) <= _number(columns, column.field, row) for row in classes]
    return all(within) and all(column.value(row) is not None for row in classes)


def _are_cusips(column: _Column) -> bool:
    """Whether all texts below the head of CUSIPs have the check digit of one."""
    printed = [cell.raw for cell in column.cells if cell is not None]
    return bool(printed) and all(is_cusip(text) for text in printed)


# --- are all classes there, by their right names? ---------------------------------------------------------------------


def _listed(columns: Mapping[str, _Column], classes: Sequence[int], strips: Sequence[DraftTable], draft: Draft) -> None:
    """Another table or strip lists the same classes: no equation proves a name, or notices a class without amounts
    that is lost."""
    labels = strips[0].labels
    known = set(labels)
    again: set[str] = set()
    whole = strips[0].rows[-1].is_total
    for table in draft.tables:
        if table is strips[0] or not table.labelled:
            continue
        shared = known & set(table.labels)
        if 2 * len(shared) < len(table.labels) or len(shared) < MIN_MOVING:
            continue
        for listed in table.rows:
            if not listed.is_total and listed.label not in known:
                raise _NotProvedError(f"{listed.label or 'a row'} in line {listed.line} is not in the table of classes")
        again |= shared
        whole |= shared == known
    amounts = [column for column in columns.values() if column.field not in _NOT_ADDITIVE]
    for row in classes:
        label = strips[0].rows[row].label
        if label not in again and any(column.value(row) for column in amounts):
            raise _NotProvedError(f"class {label} (line {strips[0].rows[row].line}) is named in no second table")
    if not whole:
        raise _NotProvedError("neither a total nor a second list of all classes says that none is missing")
