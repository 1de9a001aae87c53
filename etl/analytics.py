"""Tidy tables → figures that no report prints: factors, speeds of prepayment and default, severities of loss.

They stand apart from what is reported: nothing of them is written into a lake. Each is declared once, with its
formula in words, where the formula comes from and the printed figures that go into it. What a report does not print
is named, and never made up: such a figure is null, with the reason.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext

import polars as pl

from etl.cells import VALUE
from etl.figures import class_row
from etl.month_checks import accrual_days, pair_reports

# All formulas are quotients and whole powers, so decimals suffice and nothing needs a root or a float. Polars has no
# powers of decimals, hence Python's: with so many digits on the way, and so many places behind the point in the end.
_EXACT = Context(prec=60, rounding=ROUND_HALF_EVEN)
_PLACES = Decimal(1).scaleb(-10)
_MONTHS_OF_A_YEAR = 12
NOTIONAL = "a notional balance: interest is computed on it, and nothing of it is owed"

SCHEMA = pl.Schema(
    {"report_id": pl.String(), "name": pl.String(), "key": pl.String(), "value": VALUE, "missing": pl.String()}
)


class NotDefinedError(Exception):
    """The formula has no value for these figures; the text says why."""


@dataclass(frozen=True)
class Derived:
    """A derived figure: of each row of a table, from printed figures of the same row.

    `formula` names the inputs as the table does. `is_monthly`: it is one of a period of a month. `compute` takes
    the inputs in their order, and raises NotDefinedError where the formula has no value.
    """

    name: str
    title: str
    table: str
    inputs: tuple[str, ...]
    formula: str
    reference: str
    is_monthly: bool
    compute: Callable[..., Decimal]


def factor(ending_balance: Decimal, original_balance: Decimal) -> Decimal:
    """What is left of the original balance, as a fraction: above one where interest was added to the balance."""
    return _left(ending_balance) / _whole(original_balance, "original")


def smm(beginning_balance: Decimal, scheduled_principal: Decimal, ending_balance: Decimal) -> Decimal:
    """The part of the scheduled balance that went before its time in a month, whether prepaid or lost."""
    scheduled = _whole(_whole(beginning_balance, "beginning") - scheduled_principal, "scheduled")
    if _left(ending_balance) > scheduled:
        raise NotDefinedError("the balance ends above the scheduled one, so something was added to the pool")
    return (scheduled - ending_balance) / scheduled


def cpr(beginning_balance: Decimal, scheduled_principal: Decimal, ending_balance: Decimal) -> Decimal:
    """The monthly speed of prepayment as that of a year."""
    return _of_a_year(smm(beginning_balance, scheduled_principal, ending_balance))


def mdr(beginning_balance: Decimal, liquidation_proceeds: Decimal, realized_loss: Decimal) -> Decimal:
    """The part of the balance that was liquidated in a month."""
    whole = _whole(beginning_balance, "beginning")
    liquidated = _liquidated(liquidation_proceeds, realized_loss)
    if liquidated > whole:
        raise NotDefinedError("proceeds and losses are more than the beginning balance, so they are no part of it")
    return liquidated / whole


def cdr(beginning_balance: Decimal, liquidation_proceeds: Decimal, realized_loss: Decimal) -> Decimal:
    """The monthly rate of default as that of a year."""
    return _of_a_year(mdr(beginning_balance, liquidation_proceeds, realized_loss))


def severity(liquidation_proceeds: Decimal, realized_loss: Decimal) -> Decimal:
    """The part of the liquidated balance that was lost."""
    liquidated = _liquidated(liquidation_proceeds, realized_loss)
    if liquidated == 0:
        raise NotDefinedError("nothing was liquidated")
    return realized_loss / liquidated


_STANDARD = "The Bond Market Association (now SIFMA), Uniform Practices, chapter SF, Standard Formulas"
_AT_LIQUIDATION = "counted when loans are liquidated: what is recovered and what is lost is the balance that goes"
_SPEED = ("beginning_balance", "scheduled_principal", "ending_balance")
_LIQUIDATION = ("liquidation_proceeds", "realized_loss")
_DEFAULT = ("beginning_balance", *_LIQUIDATION)

DERIVED = (
    Derived(
        "class_factor",
        "Class factor",
        "classes",
        ("ending_balance", "original_balance"),
        "ending_balance / original_balance",
        "Factor as market participants use it: what is left of each dollar at issue",
        is_monthly=False,
        compute=factor,
    ),
    Derived(
        "smm",
        "Single monthly mortality (SMM)",
        "pools",
        _SPEED,
        "(beginning_balance - scheduled_principal - ending_balance) / (beginning_balance - scheduled_principal)",
        f"{_STANDARD}, section B; prepayments, liquidations, repurchases and losses together",
        is_monthly=True,
        compute=smm,
    ),
    Derived(
        "cpr",
        "Conditional prepayment rate (CPR)",
        "pools",
        _SPEED,
        "1 - (1 - SMM)^12",
        f"{_STANDARD}, section B",
        is_monthly=True,
        compute=cpr,
    ),
    Derived(
        "mdr",
        "Monthly default rate (MDR)",
        "pools",
        _DEFAULT,
        "(liquidation_proceeds + realized_loss) / beginning_balance",
        f"{_STANDARD}, section C; {_AT_LIQUIDATION}",
        is_monthly=True,
        compute=mdr,
    ),
    Derived(
        "cdr",
        "Conditional default rate (CDR)",
        "pools",
        _DEFAULT,
        "1 - (1 - MDR)^12",
        f"{_STANDARD}, section C; {_AT_LIQUIDATION}",
        is_monthly=True,
        compute=cdr,
    ),
    Derived(
        "loss_severity",
        "Loss severity",
        "pools",
        _LIQUIDATION,
        "realized_loss / (liquidation_proceeds + realized_loss)",
        f"{_STANDARD}, section C; {_AT_LIQUIDATION}",
        is_monthly=False,
        compute=severity,
    ),
)


def analytics(reports: pl.DataFrame, classes: pl.DataFrame, pools: pl.DataFrame, checks: pl.DataFrame) -> pl.DataFrame:
    """All derived figures of some reports, in the order of `DERIVED` and of the rows: `report_id`, `name`, `key` (the
    class behind its section, or the group), `value` (a fraction with 10 places), and where that is null `missing`.

    The frames have the columns of the declared tables, `reports` with `deal` and `distribution_date` too; whole deals,
    as the months between distributions are looked at.
    """
    months = months_of_periods(reports, checks)
    tables = {
        "classes": classes.with_columns(key=class_row()),
        "pools": pools.with_columns(key=pl.col("group_id"), is_notional=pl.lit(value=False)),
    }
    found = [
        (row[0], derived.name, row[1], *_computed(derived, row[4:], row[2], is_notional=row[3]))
        for derived in DERIVED
        for row in tables[derived.table]
        .join(months, on="report_id", how="left", maintain_order="left")
        .select("report_id", "key", "months", "is_notional", *derived.inputs)
        .iter_rows()
    ]
    return pl.DataFrame(found, schema=SCHEMA, orient="row")


def months_of_periods(reports: pl.DataFrame, checks: pl.DataFrame) -> pl.DataFrame:
    """`report_id` and `months`: those of the period that a report tells of, by the days that interest was computed for,
    else by the steps between the deal's distributions; one where neither says it."""
    numbered = reports.select("deal", "distribution_date", "report_id", "source").with_row_index("document")
    ids = numbered.select("document", "report_id")
    accrued = accrual_days(checks.join(ids, on="report_id", how="inner", maintain_order="left"))
    pairs = pair_reports(numbered, accrued).filter(pl.col("months") > 0)
    known = pairs.group_by("document").agg(months=pl.col("interval").max())
    usual = pl.col("months").mode().min().over("deal")
    return (
        numbered.join(known, on="document", how="left", maintain_order="left")
        .with_columns(months=pl.coalesce("months", usual, pl.lit(1)))
        .select("report_id", "months")
    )


def _computed(
    derived: Derived, inputs: tuple[Decimal | None, ...], months: int, *, is_notional: bool | None
) -> tuple[Decimal | None, str | None]:
    """The value, or the reason why there is none."""
    if is_notional:
        return None, NOTIONAL
    absent = [name for name, value in zip(derived.inputs, inputs, strict=True) if value is None]
    if absent:
        return None, f"not printed: {', '.join(absent)}"
    if derived.is_monthly and months != 1:
        return None, f"the period has {months} months, and this is a figure of one"
    try:
        with localcontext(_EXACT):
            value = derived.compute(*inputs)
    except NotDefinedError as error:
        return None, str(error)
    return _EXACT.quantize(value, _PLACES), None


def _whole(balance: Decimal, name: str) -> Decimal:
    """A balance that something can be a part of."""
    if balance <= 0:
        raise NotDefinedError(f"the {name} balance is {'below zero' if balance else 'zero'}")
    return balance


def _left(ending_balance: Decimal) -> Decimal:
    """A balance that can be left of another."""
    if ending_balance < 0:
        raise NotDefinedError("the ending balance is below zero")
    return ending_balance


def _liquidated(proceeds: Decimal, loss: Decimal) -> Decimal:
    """The balance of the loans that were liquidated."""
    if proceeds < 0 or loss < 0:
        raise NotDefinedError("proceeds or losses are printed below zero, so they are no balance that was liquidated")
    return proceeds + loss


def _of_a_year(monthly: Decimal) -> Decimal:
    """What a rate of each month is in a year. It must lie between 0 and 1: an even power makes one above look right."""
    return 1 - (1 - monthly) ** _MONTHS_OF_A_YEAR
