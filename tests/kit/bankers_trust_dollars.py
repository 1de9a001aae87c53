# ruff: noqa: E501 - lines of a report are wide
"""A report in Bankers Trust's layout "Distributions in Dollars": made-up figures that add up, as text and as truth."""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any

from .expected import cell

if TYPE_CHECKING:
    from pathlib import Path

Row = dict[str, Any]
Truth = dict[str, list[Row]]

CENT, MICRO, PERCENT = Decimal("0.01"), Decimal("0.000001"), Decimal("0.00001")
ZERO = Decimal("0.00")
MONTH = 30
STATUSES = (
    ("delinquent", "DELINQUENT LOAN INFORMATION"),
    ("foreclosure", "FORECLOSURE LOAN INFORMATION"),
    ("reo", "REO LOAN INFORMATION"),
    ("bankruptcy", "BANKRUPTCY LOAN INFORMATION"),
    ("total", "TOTAL"),
)
BUCKETS = ("30-59", "60-89", "90+", None)
RULE = f"- {'-' * 129}"


def rounded(value: Decimal, unit: Decimal = CENT) -> Decimal:
    """The value as a report rounds it."""
    return value.quantize(unit, ROUND_HALF_UP)


@dataclass(frozen=True)
class Class:
    """A class: name, group (None: none), original and beginning balance, annual rate in per cent, CUSIP."""

    name: str
    group: int | None
    original: Decimal
    beginning: Decimal
    rate: Decimal = ZERO
    cusip: str = ""
    days: int = 30
    deferred: Decimal = ZERO
    in_factors: bool = True


@dataclass(frozen=True)
class Group:
    """A loan group, its pool before the distribution, and the loans that are behind: (number, balance) of those that
    miss one, two, three or more payments, by status."""

    name: str  # as the heads print it
    beginning: Decimal
    scheduled: Decimal
    prepaid: Decimal
    extra: Decimal
    target: Decimal
    coupon: Decimal
    term: int
    count: int
    paid_in_full: int
    behind: dict[str, tuple[tuple[int, str], ...]] = field(default_factory=dict)
    in_rows: str = ""  # as its first row of delinquencies prints it, if otherwise

    @property
    def principal(self) -> Decimal:
        """All principal of the group."""
        return self.scheduled + self.prepaid

    @property
    def ending(self) -> Decimal:
        """The pool after the distribution."""
        return self.beginning - self.principal

    @property
    def ending_count(self) -> int:
        """The loans after the distribution."""
        return self.count - self.paid_in_full

    @property
    def interest(self) -> Decimal:
        """Interest of the group, net of the servicing fee of half a per cent."""
        return rounded(self.beginning * (self.coupon - Decimal("0.5")) / 1200)


@dataclass(frozen=True)
class Report:
    """A report: an issuer, its series, its loan groups, the pool's regular interests and the certificates.

    Without `pool_classes` there is a single REMIC, whose pages do not name it. With one group the report prints no
    heads of groups."""

    issuer: str
    series: str
    groups: tuple[Group, ...]
    certificates: tuple[Class, ...]
    pool_classes: tuple[Class, ...] = ()
    distribution_date: str = "March 15, 1999"
    record_date: str = "February 26, 1999"

    @property
    def record_day(self) -> dt.date:
        """The record date as a day."""
        return dt.datetime.strptime(self.record_date, "%B %d, %Y").date()  # noqa: DTZ007 - a day has no zone

    @property
    def sections(self) -> list[tuple[str | None, tuple[Class, ...]]]:
        """The sections with their classes, in printed order."""
        if not self.pool_classes:
            return [(None, self.certificates)]
        return [("REMIC I", self.pool_classes), ("REMIC II", self.certificates)]


# --- figures ------------------------------------------------------------------------------------------------------


def class_rows(report: Report) -> Iterator[Row]:
    """Classes and totals of all sections, in printed order."""
    for section, classes in report.sections:
        rows = []
        left = [group.principal + (group.extra if classes is report.certificates else ZERO) for group in report.groups]
        for each in classes:
            principal = ZERO
            if each.group is not None:
                principal = min(left[each.group], each.beginning)
                left[each.group] -= principal
            interest = rounded(each.beginning * each.rate * each.days / 36000)
            ending = each.beginning - principal + each.deferred
            row: Row = {
                "section": section,
                "class_id": each.name,
                "class_key": each.name,
                "cusip": each.cusip or None,
                "original_balance": each.original,
                "beginning_balance": each.beginning,
                "interest_distribution": interest,
                "principal_distribution": principal,
                "total_distribution": interest + principal,
                "realized_loss": ZERO,
                "deferred_interest": each.deferred,
                "ending_balance": ending,
            }
            if each.in_factors:
                row |= _factors(each, row)
            if classes is report.certificates and each.name[0] != "R":
                row |= {
                    "prior_interest_accrued": interest + 1000,
                    "interest_accrued": interest,
                    "prior_interest_carryforward": ZERO,
                    "interest_carryforward": ZERO,
                }
            rows.append(row)
        amounts = [name for name in rows[0] if name in _DOLLARS]
        total: Row = {name: sum((row[name] for row in rows), ZERO) for name in amounts}
        yield from rows
        yield {"section": section, "class_id": "TOTALS", "class_key": "TOTAL", "cusip": None, **total}


_DOLLARS = (
    "original_balance", "beginning_balance", "interest_distribution", "principal_distribution", "total_distribution",
    "realized_loss", "deferred_interest", "ending_balance",
)  # fmt: skip


def _factors(each: Class, row: Row) -> Row:
    def per_1000(name: str) -> Decimal:
        amount = row[name]
        assert isinstance(amount, Decimal)
        return rounded(amount * 1000 / each.original, MICRO) if each.original else MICRO * 0

    principal, interest = per_1000("principal_distribution"), per_1000("interest_distribution")
    return {
        "beginning_balance_per_1000": per_1000("beginning_balance"),
        "interest_per_1000": interest,
        "principal_per_1000": principal,
        "total_per_1000": principal + interest,
        "ending_balance_per_1000": per_1000("ending_balance"),
        "pass_through_rate": each.rate / 100,
        "next_pass_through_rate": each.rate / 100,
    }


def group_id(report: Report, group: Group | None) -> str:
    """The key of a group: in capitals; a group that is the only one has no name and is the total."""
    return "TOTAL" if group is None or len(report.groups) == 1 else group.name.upper()


def delinquency_rows(report: Report) -> Iterator[Row]:
    """Loans by status, group and bucket, in printed order."""
    for status, _ in STATUSES:
        for group in report.groups:
            cells = [_behind(group, status, number) for number in range(3)]
            cells.append((sum(count for count, _ in cells), sum((balance for _, balance in cells), ZERO)))
            for bucket, (count, balance) in zip(BUCKETS, cells, strict=True):
                yield {
                    "group_id": group_id(report, group),
                    "status": status,
                    "bucket": bucket,
                    "loan_count": count,
                    "balance": balance,
                    "balance_fraction": rounded(balance * 100 / group.ending, PERCENT) / 100,
                    "loan_count_fraction": rounded(Decimal(count) * 100 / group.ending_count, PERCENT) / 100,
                }


def _behind(group: Group, status: str, bucket: int) -> tuple[int, Decimal]:
    if status == "total":
        parts = [_behind(group, other, bucket) for other, _ in STATUSES[:-1]]
        return sum(count for count, _ in parts), sum((balance for _, balance in parts), ZERO)
    cells = group.behind.get(status)
    return (cells[bucket][0], Decimal(cells[bucket][1])) if cells else (0, ZERO)


def pool_rows(report: Report) -> list[Row]:
    """The groups, and where there are several their total."""
    rows = [{"group_id": group_id(report, group), **_pool(group)} for group in report.groups]
    if len(rows) > 1:
        sums = {name: sum((row[name] for row in rows[1:]), rows[0][name]) for name in rows[0] if name != "group_id"}
        original = sum((group.beginning * 2 for group in report.groups), ZERO)
        rows.append({"group_id": "TOTAL", **sums, "factor": _factor(sums["ending_balance"], original)})
    return rows


def _factor(ending: Decimal, original: Decimal) -> Decimal:
    return rounded(ending * 100 / original, PERCENT) / 100


def _pool(group: Group) -> Row:
    scheduled = rounded(group.beginning * group.coupon / 1200)
    fee, late = rounded(group.beginning / 2400), Decimal("-1234.56")
    collected = fee - Decimal("78.90")
    advances = group.interest - (scheduled + late - collected)
    return {
        "beginning_balance": group.beginning,
        "scheduled_principal": group.scheduled,
        "prepayments": group.prepaid,
        **dict.fromkeys(("repurchases", "liquidation_proceeds", "insurance_proceeds", "other_principal"), ZERO),
        **dict.fromkeys(("prefunding_principal", "realized_loss"), ZERO),
        "total_principal": group.principal,
        "ending_balance": group.ending,
        "beginning_count": group.count,
        "ending_count": group.ending_count,
        "factor": _factor(group.ending, group.beginning * 2),
        "purchased_count": 0,
        "purchased_balance": ZERO,
        "paid_in_full_count": group.paid_in_full,
        "scheduled_interest": scheduled,
        **dict.fromkeys(("repurchase_interest", "liquidation_interest", "insurance_interest", "other_interest"), ZERO),
        "delinquent_interest": late,
        **dict.fromkeys(("prepayment_interest_shortfall", "relief_act_shortfall"), ZERO),
        "servicing_fee": -collected,
        **dict.fromkeys(("interest_realized_loss", "compensating_interest"), ZERO),
        "interest_advances": advances,
        **dict.fromkeys(("capitalized_interest", "closing_date_deposit"), ZERO),
        "total_interest": group.interest,
        "permitted_withdrawals": ZERO,
        "total_sources": group.principal + group.interest,
    }


def measure_rows(report: Report) -> Iterator[Row]:
    """The measures, in printed order."""
    pools = {row["group_id"]: row for row in pool_rows(report)}
    several = len(report.groups) > 1
    names = [group_id(report, group) for group in report.groups] + ["TOTAL"] * several

    def for_groups(measure: str, label: str, values: Iterable[Decimal]) -> Iterator[Row]:
        for name, value in zip(names, values, strict=False):
            yield {"group_id": name, "measure": measure, "label": label, "value": value}

    collected = [-row["servicing_fee"] for row in pools.values()]
    accrued = [
        value + Decimal("78.90") * (2 if name == "TOTAL" and several else 1)
        for name, value in zip(names, collected, strict=True)
    ]
    yield _deal("capitalized_interest_deposit", "CAPITALIZED INTEREST DEPOSIT FOR CERTIFICATE ACCOUNT", ZERO)
    yield _deal("prefunding_deposit", "PREFUNDING DEPOSIT FOR CERTIFICATE ACCOUNT", ZERO)
    yield _deal("total_remittance", "TOTAL REMITTANCE DUE", pools["TOTAL"]["total_sources"])
    yield from for_groups("servicing_fee_accrued", FEES[0], accrued)
    yield from for_groups("servicing_fee_for_shortfalls", FEES[1], [ZERO] * len(names))
    yield from for_groups("servicing_fee_delinquent", FEES[2], [c - a for a, c in zip(accrued, collected, strict=True)])
    yield from for_groups("servicing_fee", FEES[3], collected)
    groups = report.groups
    yield from for_groups("weighted_average_gross_coupon", RATES[0], [group.coupon / 100 for group in groups])
    yield from for_groups("next_weighted_average_gross_coupon", RATES[1], [group.coupon / 100 for group in groups])
    yield from for_groups("weighted_average_remaining_term", RATES[2], [Decimal(group.term) for group in groups])
    yield from for_groups("oc_increase", OC[0], [group.extra for group in groups])
    owed = [
        sum((row["ending_balance"] for row, each in _certificates(report) if each.group == number), ZERO)
        for number in range(len(groups))
    ]
    yield from for_groups("oc_amount", OC[1], [g.ending - o for g, o in zip(groups, owed, strict=True)])
    yield from for_groups("oc_target", OC[2], [group.target for group in groups])
    yield _deal("insurer_premium", "MBIA PREMIUM PAID:", Decimal("74855.52"))
    yield _deal("insured_amounts", "INSURED AMOUNTS:", ZERO)
    yield _deal("insured_amounts_unpaid", "UNPAID INSURED AMOUNTS AND INTEREST ON THE AMOUNTS:", ZERO)
    yield _deal("supplemental_interest_paid", "SUPPLEMENTAL INTEREST AMOUNT (PAID)", ZERO)
    yield _deal("supplemental_interest_unpaid", "SUPPLEMENTAL INTEREST AMOUNT (REMAINING UNPAID)", ZERO)


def _deal(measure: str, label: str, value: object) -> Row:
    return {"group_id": "TOTAL", "measure": measure, "label": label, "value": value}


def _certificates(report: Report) -> list[tuple[Row, Class]]:
    rows = [row for row in class_rows(report) if row["section"] in (None, "REMIC II") and row["class_key"] != "TOTAL"]
    return list(zip(rows, report.certificates, strict=True))


FEES = (
    "ACCRUED SERVICING FEE FOR THE CURRENT PERIOD:",
    "LESS:~ AMOUNTS TO COVER INTEREST SHORTFALLS:",
    "LESS:~ DELINQUENT SERVICE FEES:",
    "COLLECTED SERVICING FEES FOR CURRENT PERIOD:",
)
RATES = (
    "CURRENT WEIGHTED AVERAGE MORTGAGE RATE:",
    "NEXT WEIGHTED AVERAGE MORTGAGE RATE:",
    "WEIGHTED AVERAGE TERM TO MATURITY:",
)
OC = (
    "EXTRA PRINCIPAL DISTRIBUTION AMOUNT",
    "OVERCOLLATERALIZATION AMOUNT",
    "TARGET OVERCOLLATERALIZATION AMOUNT",
)
EVENTS = (
    ("rolling_loss_rate_event", "HAS A ROLLING LOSS RATE EVENT OCCURRED?"),
    ("cumulative_loss_rate_event", "HAS A CUMULATIVE LOSS RATE EVENT OCCURRED?"),
    ("delinquency_rate_event", "HAS A DELINQUENCY RATE EVENT OCCURRED?"),
)


def trigger_rows(report: Report) -> Iterator[Row]:
    """The events; the last one occurred in the first group."""
    for trigger, label in EVENTS:
        for number, group in enumerate(report.groups):
            happened = trigger == EVENTS[-1][0] and number == 0
            name = group_id(report, group)
            yield {"group_id": name, "trigger": trigger, "label": label, "occurred": happened}


def write_expected(report: Report, folder: Path) -> None:
    """Write reports.csv, classes.csv and so on into `folder`; what a row does not print stays empty."""
    for table, rows in truth(report).items():
        head = list(dict.fromkeys(name for row in rows for name in row))
        with (folder / f"{table}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(head)
            writer.writerows([cell(row.get(name)) for name in head] for row in rows)


def truth(report: Report) -> Truth:
    """What a reader has to find, by table."""
    return {
        "reports": [
            {
                "deal_name": f"{report.issuer} SERIES {report.series}",
                "series": report.series,
                "issuer": report.issuer,
                "record_date": report.record_day,
                "trustee": "Bankers Trust Company",
                "servicer": "Sample Servicing Company",
                "seller": "Sample Lending Corporation",
                "underwriter": "Sample Securities LLC",
                "administrator": "Pat Example",
            }
        ],
        "classes": list(class_rows(report)),
        "pools": pool_rows(report),
        "delinquencies": list(delinquency_rows(report)),
        "measures": list(measure_rows(report)),
        "triggers": list(trigger_rows(report)),
    }


# --- text ---------------------------------------------------------------------------------------------------------


def amount(value: object, places: int = 2) -> str:
    """A number as it is printed: negative ones in parentheses."""
    assert isinstance(value, Decimal | int)
    return f"({-value:,.{places}f})" if value < 0 else f"{value:,.{places}f}"


def percent(value: object, places: int = 5) -> str:
    """A fraction as a percentage."""
    assert isinstance(value, Decimal)
    return f"{value * 100:.{places}f}%"


def render(report: Report) -> str:
    """The report as text."""
    rows = list(class_rows(report))
    lines = ["", "", f"{'EXHIBIT 20.1':>46}", ""]
    pages = len(report.sections) + 4
    for number, (section, _) in enumerate(report.sections, 1):
        here = [row for row in rows if row["section"] == section]
        lines += _class_page(report, section, here) + _foot(number, pages)
    number = len(report.sections)
    for page in (_delinquency_page, _collection_page, _fee_page, _interest_page):
        number += 1
        lines += [*_head(report, None), "<TABLE>", "<CAPTION>", "", RULE, ""]
        lines += [f"Distribution Date:             {report.distribution_date}", RULE, "", *page(report)]
        lines += _foot(number, pages)
    return "\n".join(lines).rstrip("\n") + "\n"


def _head(report: Report, section: str | None) -> list[str]:
    titles = [report.issuer, "MORTGAGE PASS-THROUGH CERTIFICATES", f"SERIES {report.series}"]
    titles += [section] if section else [""]
    return [title and f"{title:^80}".rstrip() for title in (*titles, "STATEMENT TO CERTIFICATEHOLDERS")]


def _foot(number: int, pages: int) -> list[str]:
    return [
        RULE,
        f"{'':>58}Page {number} of {pages}      (C) COPYRIGHT 1999 Bankers Trust Company",
        "</TABLE>",
        "",
        "",
        "",
    ]


def _class_page(report: Report, section: str | None, rows: Sequence[Row]) -> list[str]:
    lines = [*_head(report, section), "<TABLE>", "<CAPTION>", RULE]
    lines += [
        "                       DISTRIBUTIONS IN DOLLARS",
        "                                   PRIOR                                                                                  CURRENT",
        "                 ORIGINAL      PRINCIPAL                                                   REALIZED       DEFERRED      PRINCIPAL",
        "CLASS          FACE VALUE        BALANCE       INTEREST      PRINCIPAL         TOTAL         LOSSES       INTEREST        BALANCE",
        RULE,
        "",
        "<S>          <C>            <C>                <C>           <C>           <C>                 <C>            <C>    <C>",
    ]
    lines += [_dollars(f"     {row['class_id']}", row) for row in rows[:-1]]
    lines += ["", "", RULE, _dollars("TOTALS", rows[-1]), RULE, "</TABLE>", "", "<TABLE>", "<CAPTION>", RULE]
    lines += [
        "                         FACTOR INFORMATION PER $1000 OF ORIGINAL FACE                                       PASS-THROUGH",
        "                                    PRIOR                                                    CURRENT             RATES",
        "                                PRINCIPAL                                                  PRINCIPAL                     ESTIMATED",
        " CLASS          CUSIP             BALANCE       INTEREST      PRINCIPAL         TOTAL        BALANCE        CURRENT           NEXT",
        RULE,
        "",
    ]
    for row in rows:
        if "pass_through_rate" in row:
            cells = [amount(row[name], 6) for name in _FACTORS]
            rates = [percent(row[name], 6) for name in ("pass_through_rate", "next_pass_through_rate")]
            widths = (18, 15, 15, 14, 15, 15, 15)
            figures = "".join(f"{cell:>{width}}" for cell, width in zip((*cells, *rates), widths, strict=True))
            lines.append(f"      {row['class_id']:<8}{row['cusip'] or '':<9}{figures}")
    return [
        *lines,
        "",
        "",
        RULE,
        f"SELLER:                            {'Sample Lending Corporation':<46}ADMINISTRATOR:             Pat Example",
        f"SERVICER:                          {'Sample Servicing Company':<67}Bankers Trust Company",
        f"LEAD UNDERWRITER:                  {'Sample Securities LLC':<76}1 Sample Plaza",
        f"RECORD DATE:                       {report.record_date:<70}Sampletown, CA 92000",
        f"DISTRIBUTION DATE:                 {report.distribution_date:<46}FACTOR INFORMATION:     (800) 555-0100",
    ]


_FACTORS = (
    "beginning_balance_per_1000", "interest_per_1000", "principal_per_1000", "total_per_1000", "ending_balance_per_1000",
)  # fmt: skip


def _dollars(label: str, row: Row) -> str:
    widths = (15, 15, 15, 15, 14, 15, 15, 15)
    return f"{label:<11}" + "".join(
        f"{amount(row[name]):>{width}}" for name, width in zip(_DOLLARS, widths, strict=True)
    )


def _delinquency_page(report: Report) -> list[str]:
    rows = list(delinquency_rows(report))
    lines = [RULE, ""]
    lines += [
        "                                                                   1              2             3+",
        "                DELINQUENT LOAN INFORMATION                     Payment       Payments       Payments                 Total",
    ]
    for status, title in STATUSES:
        lines += [] if status == "delinquent" else [f"                {title}"]
        lines += [RULE]
        for number, group in enumerate(report.groups):
            cells = [row for row in rows if row["status"] == status][4 * number : 4 * number + 4]
            name = (group.in_rows or group.name) if status == "delinquent" else group.name
            name = "" if len(report.groups) == 1 else name
            lines += [
                _behind_row(name, "PRINCIPAL BALANCE", [amount(row["balance"]) for row in cells]),
                *(["- ----------------"] if name else []),
                _behind_row("", "PERCENTAGE OF POOL BALANCE", [percent(row["balance_fraction"]) for row in cells]),
                _behind_row("", "NUMBER OF LOANS", [amount(row["loan_count"], 0) for row in cells]),
                _behind_row("", "PERCENTAGE OF POOL LOANS", [percent(row["loan_count_fraction"]) for row in cells]),
                RULE,
            ]
    return lines


def _behind_row(group: str, label: str, cells: Sequence[str]) -> str:
    return f"  {group:<14}{label:<44}" + "".join(f"{c:>{w}}" for c, w in zip(cells, (15, 14, 15, 24), strict=True))


def _by_groups(report: Report, title: str, *, total: bool = True) -> str:
    """A title with the heads of the groups right of it."""
    if len(report.groups) == 1:
        return title
    heads = [*(group.name for group in report.groups), *(["Total"] if total else [])]
    return f"{title:<81}" + "".join(f"{head:>15}" for head in heads)


def _row(label: str, cells: Iterable[str]) -> str:
    return f"{label:<82}" + "".join(f"{cell:>15}" for cell in cells).rstrip()


def _collection_page(report: Report) -> list[str]:
    pools = pool_rows(report)

    def of_pools(label: str, name: str) -> str:
        return _row(f"                {label}" if label else "", [amount(row[name]) for row in pools])

    lines = [
        "COLLECTION ACCOUNT INFORMATION",
        RULE,
        "",
        _by_groups(report, "                SOURCES OF PRINCIPAL"),
        RULE,
    ]
    lines += [of_pools(label, name) for label, name in _PRINCIPAL]
    lines += [RULE, "                SOURCES OF INTEREST", RULE, ""]
    lines += [of_pools(label, name) for label, name in _INTEREST]
    lines += [RULE, "                PERMITTED WITHDRAWALS", RULE, of_pools("", "permitted_withdrawals"), ""]
    lines += [RULE, "                TOTAL SOURCES", RULE, "", of_pools("", "total_sources"), RULE, ""]
    lines += [_row(label, [amount(value)]) for label, value in _singles(report)[:3]]
    return lines


_PRINCIPAL = (
    ("SCHEDULED PRINCIPAL RECEIVED", "scheduled_principal"),
    ("PREPAYMENTS & CURTAILMENTS", "prepayments"),
    ("REPURCHASES/SUBSTITUTIONS", "repurchases"),
    ("NET LIQUIDATION PROCEEDS", "liquidation_proceeds"),
    ("INSURANCE PROCEEDS", "insurance_proceeds"),
    ("OTHER PRINCIPAL", "other_principal"),
    ("PREFUNDING ACCOUNT TERMINATION", "prefunding_principal"),
    ("LESS: REALIZED LOSSES", "realized_loss"),
    ("TOTAL  PRINCIPAL", "total_principal"),
)
_INTEREST = (
    ("SCHEDULED INTEREST", "scheduled_interest"),
    ("REPURCHASES/SUBSTITUTIONS", "repurchase_interest"),
    ("LIQUIDATION PROCEEDS", "liquidation_interest"),
    ("INSURANCE PROCEEDS", "insurance_interest"),
    ("OTHER INTEREST", "other_interest"),
    ("LESS: DELINQUENT INTEREST", "delinquent_interest"),
    ("LESS: PPIS", "prepayment_interest_shortfall"),
    ("LESS: PPIS CIVIL RELIEF SHORTFALL", "relief_act_shortfall"),
    ("LESS: CURRENT SERVICING FEES", "servicing_fee"),
    ("LESS: REALIZED LOSSES", "interest_realized_loss"),
    ("PLUS: COMPENSATING INTEREST", "compensating_interest"),
    ("PLUS: INTEREST ADVANCED AMOUNT", "interest_advances"),
    ("PLUS: CAPITALIZED INTEREST AMOUNT", "capitalized_interest"),
    ("PLUS: CLOSING DATE DEPOSIT", "closing_date_deposit"),
    ("TOTAL INTEREST", "total_interest"),
)


def _singles(report: Report) -> list[tuple[str, object]]:
    """Label and value of the measures that stand on lines by themselves."""
    labels = (*FEES, *RATES, *OC)
    return [(str(row["label"]), row["value"]) for row in measure_rows(report) if row["label"] not in labels]


def _fee_page(report: Report) -> list[str]:
    measures, pools = list(measure_rows(report)), pool_rows(report)

    def of_measures(label: str) -> list[object]:
        return [row["value"] for row in measures if row["label"] == label]

    lines = [_by_groups(report, "SERVICING FEES"), RULE]
    lines += [_row(label, map(amount, of_measures(label))) for label in FEES]
    lines += ["AMOUNT PER $1000 CERTIFICATE:", RULE, "", _by_groups(report, "POOL INFORMATION"), RULE]
    lines += [
        _row("PRIOR PRINCIPAL BALANCE OF POOL:", [amount(row["beginning_balance"]) for row in pools]),
        _row("CURRENT PRINCIPAL BALANCE OF POOL:", [amount(row["ending_balance"]) for row in pools]),
        _row("GROUP FACTOR", [percent(row["factor"]) for row in pools]),
        _row("PRIOR NUMBER OF LOANS:", [amount(row["beginning_count"], 0) for row in pools]),
        _row("CURRENT NUMBER OF LOANS:", [amount(row["ending_count"], 0) for row in pools]),
        _row("NUMBER OF LOANS PURCHASED FROM Mortgage Replacement", ["0"] * len(pools)),
        _row("CURRENT PRINCIPAL BAL. OF LOANS PURCHASED FROM MORT REPLACEMENT", ["0"] * len(pools)),
        "",
        _row("NUMBER OF LOANS PAID IN FULL:", [amount(row["paid_in_full_count"], 0) for row in pools]),
        "",
        *(_row(label, map(percent, of_measures(label))) for label in RATES[:2]),
        _row(RATES[2], [amount(value, 0) for value in of_measures(RATES[2])]),
        RULE,
        "",
        _by_groups(report, "TRIGGER EVENTS", total=False),
        RULE,
    ]
    events = list(trigger_rows(report))
    for _, label in EVENTS:
        lines.append(_row(label, ["YES" if row["occurred"] else "NO" for row in events if row["label"] == label]))
    lines += [RULE, "", _by_groups(report, "OVERCOLLATERALIZATION", total=False), RULE]
    return lines + [_row(label, map(amount, of_measures(label))) for label in OC]


def _interest_page(report: Report) -> list[str]:
    lines = []
    tables = (
        ("ACCRUED CERTIFICATE INTEREST", "prior_interest_accrued", "interest_accrued"),
        ("INTEREST CARRY FORWARD AMOUNT", "prior_interest_carryforward", "interest_carryforward"),
    )
    rows = [row for row in class_rows(report) if "interest_accrued" in row]
    for title, *names in tables:
        lines += [RULE, "", f"{title:<91}{'PRIOR':>12}{'CURRENT':>16}", RULE, ""]
        for row in rows:
            cells = "".join(f"{amount(row[name]):>15}" for name in names)
            lines.append(f"                CLASS {row['class_id']:<68}{cells}")
    lines += [RULE, "CERTIFICATE INSURER INFORMATION", RULE, ""]
    return lines + [_row(label, [amount(value)]) for label, value in _singles(report)[3:]]


def next_month(report: Report) -> Report:
    """The report of April 1999, which begins where this one ends; no loan was paid or lost but as in this one."""
    owed = {(row["section"], row["class_key"]): row["ending_balance"] for row in class_rows(report)}
    (pool, certificates) = (
        tuple(replace(each, beginning=owed[section, each.name]) for each in classes)
        for section, classes in (report.sections if report.pool_classes else [(None, ()), *report.sections])
    )
    return replace(
        report,
        groups=tuple(replace(group, beginning=group.ending, count=group.ending_count) for group in report.groups),
        pool_classes=pool,
        certificates=tuple(replace(each, days=each.days if each.days == MONTH else 31) for each in certificates),
        distribution_date="April 15, 1999",
        record_date="March 31, 1999",
    )


# --- reports ------------------------------------------------------------------------------------------------------


def two_remics() -> Report:
    """Two groups whose rows are labelled otherwise than their heads, two REMICs: the layout's sample."""
    fixed = Group(
        name="FIXED GROUP",
        in_rows="Fixed Group",
        beginning=Decimal("38724442.03"),
        scheduled=Decimal("42532.69"),
        prepaid=Decimal("214867.03"),
        extra=Decimal("102640.75"),
        target=Decimal("1033500.00"),
        coupon=Decimal("10.00753"),
        term=306,
        count=583,
        paid_in_full=4,
        behind={
            "delinquent": ((16, "880230.47"), (3, "192050.60"), (1, "5460.00")),
            "foreclosure": ((0, "0.00"), (3, "204650.00"), (2, "163675.19")),
            "bankruptcy": ((1, "8287.56"), (0, "0.00"), (0, "0.00")),
        },
    )
    adjustable = Group(
        name="ADJ GROUP",
        beginning=Decimal("25776398.43"),
        scheduled=Decimal("14163.39"),
        prepaid=Decimal("210083.01"),
        extra=Decimal("74774.10"),
        target=Decimal("1651000.00"),
        coupon=Decimal("9.58265"),
        term=354,
        count=257,
        paid_in_full=2,
        behind={
            "delinquent": ((8, "660345.86"), (2, "230126.71"), (0, "0.00")),
            "foreclosure": ((0, "0.00"), (2, "177911.32"), (3, "299891.01")),
            "bankruptcy": ((0, "0.00"), (0, "0.00"), (1, "35973.90")),
        },
    )
    return Report(
        issuer="SAMPLE ACCEPTANCE CORPORATION",
        series="1998-S",
        groups=(fixed, adjustable),
        pool_classes=(
            Class("I-1F", 0, Decimal("118400.00"), Decimal("115644.26"), Decimal("9.50753")),
            Class("I-MF", 0, Decimal("38881600.00"), Decimal("38608797.77"), Decimal("9.50753")),
            Class("I-MA", 1, Decimal("26000000.00"), Decimal("25776398.43"), Decimal("9.08265")),
            Class("R-I", None, ZERO, ZERO, in_factors=False),
        ),
        certificates=(
            Class("A-1F", 0, Decimal("19000000.00"), Decimal("18468114.32"), Decimal("6.239"), "00253CFD4"),
            Class("A-2F", 0, Decimal("20000000.00"), Decimal("20000000.00"), Decimal("6.037"), "00253CFE2"),
            Class("A-1A", 1, Decimal("26000000.00"), Decimal("25623756.70"), Decimal("5.53781"), "00253CFK8", days=28),
            Class("C", None, ZERO, Decimal("353229.18"), deferred=Decimal("183300.77")),
            Class("R-II", None, ZERO, ZERO),
        ),
    )


def one_group() -> Report:
    """A single REMIC, which the pages do not name, over a single group: no head names groups."""
    whole = two_remics().groups[0]
    return Report(
        issuer="SAMPLE ACCEPTANCE CORPORATION",
        series="1996-B",
        groups=(whole,),
        certificates=(
            Class("A-1", 0, Decimal("20000000.00"), Decimal("18468114.32"), Decimal("6.239"), "00253CFD4"),
            Class("A-2", 0, Decimal("20000000.00"), Decimal("20000000.00"), Decimal("6.037"), "00253CFE2"),
            Class("R", None, ZERO, ZERO, in_factors=False),
        ),
    )


def three_groups() -> Report:
    """Three numbered groups, with subordinate classes."""
    first, second = two_remics().groups
    groups = tuple(
        Group(**(vars(group) | {"name": f"Group {number}", "in_rows": ""}))
        for number, group in enumerate((first, second, first), 1)
    )
    return Report(
        issuer="ANOTHER MORTGAGE TRUST 1997-1",
        series="1997-1",
        groups=groups,
        certificates=(
            Class("A-1", 0, Decimal("40000000.00"), Decimal("38000000.00"), Decimal("6.239")),
            Class("A-2", 1, Decimal("26000000.00"), Decimal("25000000.00"), Decimal("6.037")),
            Class("A-3", 2, Decimal("40000000.00"), Decimal("30000000.00"), Decimal("7.1")),
            Class("M-1", 2, Decimal("9000000.00"), Decimal("8000000.00"), Decimal("7.5")),
            Class("R", None, ZERO, ZERO),
        ),
    )
