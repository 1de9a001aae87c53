"""A distribution report as it is printed, and the tidy rows that a reader has to find in it.

Every figure is held as printed text; `truth` reads it back, so that the expected value is the printed one
even where the printed one is odd. None means that the report does not print the cell.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from random import Random
from typing import TYPE_CHECKING, Any

from .figures import parse, reroll

if TYPE_CHECKING:
    from datetime import date
    from decimal import Decimal

Row = dict[str, object]
Truth = dict[str, list[Row]]

TOTAL = "TOTAL"
BUCKETS = ("30-59", "60-89", "90+")
STATUSES = ("outstanding", "foreclosure", "bankruptcy", "reo")

# measure, label as printed, unit; in the order of the report
MEASURES: tuple[tuple[str, str, str], ...] = (
    ("ending_pool_balance", "Aggregate End Coll Bal", "usd"),
    ("oc_amount", "Ending Overcollateralization Amount", "usd"),
    ("liquidated_loan_count", "Number of Liquidated Loans", "count"),
    ("servicing_fee", "Servicing Fee", "usd"),
    ("advances_current", "Curr Agg Adv as of determ. date", "usd"),
    ("advances_outstanding_prior", "Out. Agg. Adv as of end of prior calendar month", "usd"),
    ("prepayment_premium_loan_count", "Num. of Loans for which Prep.Prem. were collected", "count"),
    ("prepayment_premium_loan_count_2", "Number of Loans for which Prepayment Premiums", "count"),
    ("prepayment_premium_loan_balance", "Prin. Bal. of Loans for which Prep. Prem. were", "usd"),
    ("prepayment_premiums", "Curr. amt of Prep. Prems", "usd"),
    ("realized_losses_current", "Real. Losses incurred during the related Due Per", "usd"),
    ("realized_losses_cumulative", "Cum. Real. Losses since Startup Day", "usd"),
    ("weighted_average_remaining_term", "Weighted Avg Term to Mat. of Mortg. Loans", "months"),
    ("weighted_average_gross_coupon", "Weighted Avg. Gross Coup. of Mortg. Loans", "fraction"),
    ("weighted_average_net_coupon", "Weighted Avg. Net Coupon of Mortg. Loans", "fraction"),
    ("pool_loan_count", "Agg. Num. of Mortg. Loans in the pool", "count"),
    ("oc_target", "O/C Target Amt", "usd"),
    ("credit_enhancement", "Credit Enhancement %", "fraction"),
    ("oc_increase", "O/C Increase Amount", "usd"),
    ("oc_release", "O/C Release Amt", "usd"),
    ("oc_deficiency", "O/C Deficiency Amt", "usd"),
    ("oc_excess", "Excess O/C Amt", "usd"),
    ("yield_maintenance_payment", "Pmt from Yield Maint. Agreement", "usd"),
    ("excess_cash_flow", "Net Monthly Excess Cash Flow", "usd"),
    ("extraordinary_expenses", "Extra Ordinary Trust Fund Expenses", "usd"),
)


@dataclass(frozen=True, slots=True)
class Heading:
    """What the cover and the title say of the deal and the parties."""

    deal_name: str
    series: str
    certificate_title: str
    state: str
    commission_file_number: str
    irs_number: str
    servicer: str
    trustee: str = "US Bank, NA"
    street: str = "100 Sample Street, 2nd Floor"
    city: str = "New York, New York"
    zip_code: str = "10001"
    telephone: str = "(212) 555-0100"
    signer: str = "Jordan Avery"


@dataclass(frozen=True, slots=True)
class ClassRow:
    """The cells of one class in all class tables; the last row of a report is the total."""

    class_id: str
    shortfall_label: str | None
    cusip: str
    original_balance: str
    beginning_balance: str
    principal_distribution: str
    pass_through_rate: str
    interest_distribution: str
    realized_loss: str
    total_distribution: str
    interest_shortfall: str
    ending_balance: str
    principal_per_1000: str
    interest_per_1000: str
    total_per_1000: str
    interest_carryforward_per_1000: str | None
    ending_balance_per_1000: str | None
    unpaid_interest_shortfall: str | None
    realized_loss_shortfall: str | None
    prepayment_interest_shortfall: str | None
    relief_act_shortfall: str | None
    net_wac_carryover: str | None


@dataclass(frozen=True, slots=True)
class PoolColumn:
    """The collateral figures of one loan group, or of the total."""

    group_id: str
    beginning_balance: str
    scheduled_principal: str
    prepayments: str
    liquidation_proceeds: str
    repurchases: str
    total_principal: str
    realized_loss: str
    ending_balance: str
    ending_count: str
    scheduled_interest: str
    relief_act_shortfall: str
    prepayment_interest_shortfall: str
    nonrecoverable_advances: str
    total_interest: str


@dataclass(frozen=True, slots=True)
class LoanLine:
    """One line of a delinquency or loan status table."""

    loan_count: str
    balance: str
    market_value: str | None = None


@dataclass(frozen=True, slots=True)
class LoanTable:
    """Delinquencies (30-59, 60-89, 90+ days) and loan statuses of one group, or of the total."""

    group_id: str
    delinquent: tuple[LoanLine, LoanLine, LoanLine]
    statuses: tuple[LoanLine, LoanLine, LoanLine, LoanLine]


@dataclass(frozen=True, slots=True)
class TriggerLine:
    """A test that the report answers with YES or NO."""

    trigger: str
    label: str
    answer: str


@dataclass(frozen=True, slots=True)
class Report:
    """One monthly report, everything that it prints."""

    heading: Heading
    distribution_date: date
    classes: tuple[ClassRow, ...]
    pools: tuple[PoolColumn, ...]
    loans: tuple[LoanTable, ...]
    measures: tuple[tuple[str, str], ...]
    triggers: tuple[TriggerLine, ...]

    def measure(self, name: str) -> str:
        """Return the printed value of a measure."""
        return dict(self.measures)[name]


def trigger_lines(servicer: str, *, failed: bool, event: bool, stepped_down: bool) -> tuple[TriggerLine, ...]:
    """Return the three tests of a report."""
    asked = (
        ("servicer_termination_test_failed", f"Has {servicer} failed the Termination Test", failed),
        ("trigger_event", "Trigger Event Occurrence", event),
        ("step_down_date", "Step Down Date Occurred", stepped_down),
    )
    return tuple(TriggerLine(name, label, "YES" if yes else "NO") for name, label, yes in asked)


def truth(report: Report) -> Truth:
    """Return the rows of each table of the output that the printed report holds, in printed order."""
    return {
        "reports": [_report_row(report)],
        "classes": [_class_row(row) for row in report.classes],
        "pools": [_pool_row(pool) for pool in report.pools],
        "delinquencies": _delinquency_rows(report),
        "measures": _measure_rows(report),
        "triggers": [_trigger_row(line) for line in report.triggers],
    }


def _report_row(report: Report) -> Row:
    heading = report.heading
    return {
        "deal_name": heading.deal_name,
        "series": heading.series,
        "form_type": "8-K",
        "report_date": report.distribution_date,
        "registrant": heading.deal_name,
        "state_of_incorporation": heading.state,
        "commission_file_number": heading.commission_file_number,
        "irs_number": heading.irs_number,
        "is_amendment": False,
        "trustee": heading.trustee,
        "servicer": heading.servicer,
        "items": ["5", "7"],
        "distribution_date": report.distribution_date,
    }


_CLASS_VALUES = (
    "original_balance",
    "beginning_balance",
    "principal_distribution",
    "pass_through_rate",
    "interest_distribution",
    "realized_loss",
    "total_distribution",
    "interest_shortfall",
    "ending_balance",
    "principal_per_1000",
    "interest_per_1000",
    "total_per_1000",
    "interest_carryforward_per_1000",
    "ending_balance_per_1000",
    "unpaid_interest_shortfall",
    "realized_loss_shortfall",
    "prepayment_interest_shortfall",
    "relief_act_shortfall",
    "net_wac_carryover",
)


def _class_row(row: ClassRow) -> Row:
    is_total = row.class_id.upper() == TOTAL
    tidy: Row = {
        "class_id": row.class_id,
        "class_key": TOTAL if is_total else row.class_id,
        "cusip": row.cusip,
        "isin": None,
        "is_notional": None if is_total else "IO" in row.class_id.split("-"),
        "class_type": None if is_total else _class_type(row.class_id),
    }
    tidy.update((name, parse(getattr(row, name))) for name in _CLASS_VALUES)
    return tidy


def _class_type(class_id: str) -> str:
    if "IO" in class_id.split("-"):
        return "notional"
    kinds = {"A": "senior", "M": "subordinate", "P": "prepayment_premium", "X": "over_collateralization"}
    return kinds.get(class_id[0], "residual")


def _pool_row(pool: PoolColumn) -> Row:
    row: Row = {"group_id": pool.group_id}
    for field in fields(pool)[1:]:
        value = parse(getattr(pool, field.name))
        row[field.name] = _count(value) if field.name == "ending_count" else value
    return row


def _count(value: Decimal | None) -> int | None:
    return None if value is None else int(value)


def _delinquency_rows(report: Report) -> list[Row]:
    excluded = ["foreclosure", "bankruptcy", "reo"]
    rows: list[Row] = []
    for table in report.loans:
        for bucket, line in zip(BUCKETS, table.delinquent, strict=True):
            rows.append(_loan_row(table.group_id, "delinquent", bucket, line, list(excluded)))
    for table in report.loans:
        for status, line in zip(STATUSES, table.statuses, strict=True):
            rows.append(_loan_row(table.group_id, status, None, line, None))
    return rows


def _loan_row(group: str, status: str, bucket: str | None, line: LoanLine, excludes: list[str] | None) -> Row:
    return {
        "group_id": group,
        "status": status,
        "bucket": bucket,
        "loan_count": _count(parse(line.loan_count)),
        "balance": parse(line.balance),
        "market_value": parse(line.market_value),
        "method": None,
        "excludes": excludes,
    }


def _measure_rows(report: Report) -> list[Row]:
    printed = dict(report.measures)
    return [
        {"group_id": TOTAL, "measure": name, "label": label, "value": parse(printed[name]), "unit": unit}
        for name, label, unit in MEASURES
    ]


def _trigger_row(line: TriggerLine) -> Row:
    return {
        "trigger": line.trigger,
        "label": line.label,
        "occurred": line.answer == "YES",
        "test_value": None,
        "threshold": None,
    }


def scrambled(report: Report, seed: int) -> Report:
    """Return the same report with other digits in every numeric cell, so that no two columns agree by chance.

    The number styles stay; the arithmetic no longer holds. A reader that confuses two columns fails here.
    """
    rng = Random(seed)
    return replace(
        report,
        classes=tuple(_scrambled_class(row, rng) for row in report.classes),
        pools=tuple(_scrambled_pool(pool, rng) for pool in report.pools),
        loans=tuple(_scrambled_loans(table, rng) for table in report.loans),
        measures=tuple((name, reroll(text, rng)) for name, text in report.measures),
        triggers=tuple(replace(line, answer=rng.choice(("YES", "NO"))) for line in report.triggers),
    )


def _other_digits(text: str | None, rng: Random) -> str | None:
    return None if text is None else reroll(text, rng)


def _scrambled_class(row: ClassRow, rng: Random) -> ClassRow:
    cells: dict[str, Any] = {name: _other_digits(getattr(row, name), rng) for name in _CLASS_VALUES}
    return replace(row, **cells)


def _scrambled_pool(pool: PoolColumn, rng: Random) -> PoolColumn:
    names = [field.name for field in fields(pool)[1:]]
    return replace(pool, **{name: reroll(getattr(pool, name), rng) for name in names})


def _scrambled_loans(table: LoanTable, rng: Random) -> LoanTable:
    first, second, third = (_scrambled_line(line, rng) for line in table.delinquent)
    out, foreclosed, bankrupt, owned = (_scrambled_line(line, rng) for line in table.statuses)
    return LoanTable(table.group_id, (first, second, third), (out, foreclosed, bankrupt, owned))


def _scrambled_line(line: LoanLine, rng: Random) -> LoanLine:
    value = _other_digits(line.market_value, rng)
    return LoanLine(reroll(line.loan_count, rng), reroll(line.balance, rng), value)
