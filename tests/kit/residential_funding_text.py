"""A made-up statement in the layout of Residential Funding, and the tables that a reader has to find in it.

Figures follow from a few balances and rates; the print is laid out as the filed ones are. The report has what they
have now and then: a class without a name, one without a CUSIP, a name that stands twice, a strip of interest without
a balance, deferred interest, and a percentage that was too long for its place.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

from .expected import cell
from .model import check_digit

D = Decimal
ISSUER, SERVICER = "EXAMPLE MORTGAGE SECURITIES I, INC.", "EXAMPLE FUNDING CORPORATION"
SERIES, POOL = "1994-X12", "9012"
CENT, MILLIONTH, NOTHING = D("0.01"), D("0.000001"), D("0.00")
RULE, BREAK, TOTAL_RULE = "_" * 79, "-" * 79, "=" * 79


@dataclass(frozen=True)
class Class:
    """A class; interest follows from its balance and rate, of which `deferred` is added to the balance."""

    name: str
    cusip: str
    original: Decimal
    beginning: Decimal
    rate: Decimal  # per cent
    principal: Decimal
    deferred: Decimal = NOTHING
    loss: Decimal = NOTHING
    strip: Decimal = NOTHING  # interest of a class without a balance
    kind: str = "senior"

    @property
    def interest(self) -> Decimal:
        """Interest that is paid."""
        accrued = (self.beginning * self.rate / 1200).quantize(CENT, ROUND_HALF_UP)
        return self.strip or accrued - self.deferred

    @property
    def ending(self) -> Decimal:
        """The balance after the distribution."""
        return self.beginning - self.principal - self.loss + self.deferred

    def unit(self, amount: Decimal) -> Decimal:
        """An amount per 1,000 of original balance."""
        return (amount * 1000 / self.original if self.original else D(0)).quantize(MILLIONTH, ROUND_HALF_UP)

    @property
    def units(self) -> tuple[Decimal, ...]:
        """The row of amounts per 1,000; the total is the sum of the other two, as it is printed."""
        principal, interest = self.unit(self.principal), self.unit(self.interest)
        ends = self.unit(self.beginning), self.unit(self.ending)
        return (ends[0], principal, interest, principal + interest, self.unit(self.deferred), ends[1])


BELOW = "subordinate"
CLASSES = (
    Class("A-1", "760999AA", D("40000000.00"), D("9283174.55"), D("6.500000"), D("412873.02")),
    Class("A-2", "760999AB", D("25500000.00"), D("25500000.00"), D("7.000000"), D("0.00")),
    Class("A-2", "760999AC", D("12250000.00"), D("6031447.18"), D("6.125000"), D("31204.66")),
    Class("A-3", "760999AD", D("9000000.00"), D("12406118.37"), D("7.250000"), D("0.00"), deferred=D("74953.63")),
    Class("A-4", "760999AE", D("0.00"), D("0.00"), D("0.312744"), D("0.00"), strip=D("14927.81")),
    Class("", "760999AF", D("1200000.00"), D("381227.40"), D("6.750000"), D("5120.19"), kind=""),
    Class("R-I", "760999AG", D("100.00"), D("0.00"), D("7.000000"), D("0.00"), kind="residual"),
    Class("M-1", "760999AH", D("2400000.00"), D("2118844.01"), D("7.000000"), D("10338.72"), kind=BELOW),
    Class("B", "", D("1900450.77"), D("1507203.96"), D("7.000000"), D("7102.35"), NOTHING, D("1880.40"), kind=BELOW),
)

# Labels and figures of the second page, in printed order; what they mean.
LINES: tuple[tuple[str, str, str], ...] = (
    ("SERVICING COMPENSATION RECEIVED BY SUB-SERVICER", "12,406.31", "subservicing_fee"),
    ("SERVICING COMPENSATION RECEIVED BY MASTER SERVICER", "5,977.08", "master_servicing_fee"),
    ("SUBSERVICER ADVANCES THIS MONTH", "8,114.90", "subservicer_advances"),
    ("MASTER SERVICER ADVANCES THIS MONTH", "0.00", "master_servicer_advances"),
)
SHORTFALLS = (
    ("REMAINING SUBCLASS INTEREST SHORTFALL", "0.00", "remaining_subclass_interest_shortfall"),
    ("CLASS A SHORTFALL (PRINCIPAL)", "0.00", "class_a_principal_shortfall"),
    ("CLASS A SHORTFALL (INTEREST)", "0.00", "class_a_interest_shortfall"),
)
PERCENTAGES = (
    ("CURRENT DISTRIBUTION", ("93.66182240", "3.70126410", "2.63691350"), "{}_percentage"),
    ("PREPAYMENT PERCENT", ("***.********", "0.00000000", "***.********"), "{}_prepayment_percentage"),
    ("NEXT DISTRIBUTION", ("93.64029910", "3.71120550", "2.64849540"), "next_{}_percentage"),
)
AVAILABLE = (
    ("BANKRUPTCY AMOUNT AVAILABLE", "150,000.00", "bankruptcy_amount_available"),
    ("FRAUD AMOUNT AVAILABLE", "0.00", "fraud_amount_available"),
    ("SPECIAL HAZARD AMOUNT AVAILABLE", "1,044,327.00", "special_hazard_amount_available"),
)
DELINQUENT = (("ONE MONTHLY PAYMENT:", 4, "802,117.36"), ("TWO MONTHLY PAYMENTS:", 1, "96,440.05"),
              ("THREE OR MORE MONTHLY PAYMENTS:", 0, "0.00"))  # fmt: skip
BUCKETS = ("30-59", "60-89", "90+")


def cusip(bond: Class) -> str:
    """The whole CUSIP, empty where the class has none."""
    return bond.cusip and bond.cusip + check_digit(bond.cusip)


def total(name: str) -> Decimal:
    """The sum of a figure over the classes."""
    return sum((getattr(bond, name) for bond in CLASSES), D("0.00"))


def page_head(number: int, program: str, page: str) -> Iterator[str]:
    """Who prints, which page, which series."""
    yield f"Run:        12/21/98     10:04:0{number}{program:>46}".rstrip()
    yield f"Page:         {page} of 3"
    yield from ("", "", "") if not program else ()
    yield f"{SERVICER} (MASTER SERVICER)".center(79).rstrip()
    yield f"{ISSUER} (COMPANY)".center(79).rstrip()
    gap = " " if program == "rept2.frg" else ""
    yield f"CONDUIT MORTGAGE PASS-THROUGH CERTIFICATES SERIES {SERIES}{gap}(POOL #  {POOL})".center(79).rstrip()


def class_pages() -> Iterator[str]:
    """The class table in its three strips, on two pages."""
    yield from page_head(1, "REPT1B.FRG", "1")
    yield from ("STATEMENT TO CERTIFICATEHOLDERS", "", f"DISTRIBUTION SUMMARY FOR POOL#   {POOL}", RULE)
    yield "                                       PRINCIPAL       CURRENT"
    yield "                     ORIGINAL       BALANCE BEFORE   PASS-THROUGH    PRINCIPAL"
    yield "CLASS   CUSIP       FACE VALUE       DISTRIBUTION       RATE       DISTRIBUTION"
    yield RULE
    for bond in CLASSES:
        left = f"{bond.name:<8}{cusip(bond):<9}{bond.original:>17,}{bond.beginning:>15,}"
        yield f"{left}{bond.rate:>13}  %{bond.principal:>14,}"
    yield from ("", BREAK)
    yield f"{total('original'):>34,}{total('beginning'):>15,}{total('principal'):>30,}"
    yield from (TOTAL_RULE, RULE)
    yield "                                                                      REMAINING"
    yield "            INTEREST         TOTAL         DEFERRED    REALIZED       PRINCIPAL"
    yield "           DISTRIBUTION   DISTRIBUTION     INTEREST     LOSSES         BALANCE"
    yield RULE
    for bond in CLASSES:
        paid = f"{bond.name:<8}{bond.interest:>11,}{bond.interest + bond.principal:>14,}"
        yield f"{paid}{bond.deferred:>16,}{bond.loss:>11,}{bond.ending:>19,}"
    yield from ("", BREAK)
    paid = f"{total('interest'):>19,}{total('interest') + total('principal'):>14,}"
    yield f"{paid}{total('deferred'):>16,}{total('loss'):>11,}{total('ending'):>19,}"
    yield from (TOTAL_RULE, "", "")
    yield from page_head(1, "", "2")
    yield from ("STATEMENT TO CERTIFICATEHOLDERS", f"DISTRIBUTION SUMMARY FOR POOL#   {POOL}", RULE, RULE, "", "")
    yield from ("AMOUNTS PER $1,000 UNIT", RULE)
    yield "       BEGINNING                                                        ENDING"
    yield "       BALANCE    PRINCIPAL     INTEREST      TOTAL      DEFERRED       BALANCE"
    yield "CLASS  FACTOR     FACTOR        FACTOR     DISTRIBUTION  INTEREST       FACTOR"
    yield RULE
    for bond in CLASSES:
        begin, principal, interest, both, deferred, end = bond.units
        yield f"{bond.name:<5}{begin:>13}{principal:>12}{interest:>13}{both:>13}{deferred:>11}{end:>12}"
    yield from ("", RULE, "", "", "DETERMINATION DATE       21-December-98", "DISTRIBUTION DATE        28-December-98")


def pool_page() -> Iterator[str]:
    """The second part: the pool."""
    yield from ("", *page_head(2, "rept2.frg", "3"), "STATEMENT TO CERTIFICATEHOLDERS".center(72).rstrip())
    yield from (f"ADDITIONAL RELATED INFORMATION FOR POOL {POOL}".center(73).rstrip(), RULE, "")
    yield from _lines(LINES)
    yield from ("", "", "                                                          NUMBER OF   PRINCIPAL")
    yield "DELINQUENCIES:                                              LOANS      BALANCE"
    for letter, (label, count, balance) in zip("ABC", DELINQUENT, strict=True):
        yield from ("", f"{f' ({letter})  {label}':<55}{count:>9}{balance:>15}")
    yield from ("", "", "FORECLOSURES", *_lines([("  NUMBER OF LOANS", "2", "")]))
    yield from _lines([("  AGGREGATE PRINCIPAL BALANCE", "315,902.77", "")])
    yield from ("", "SCHEDULED PRINCIPAL BALANCE OF MORTGAGE LOANS AFTER")
    yield from _lines([("DISTRIBUTION", f"{total('ending'):,}", "")])
    yield from ("", "AGGREGATE NUMBER OF LOANS IN THE POOL AS OF THE", *_lines([("DETERMINATION DATE", "1,207", "")]))
    yield from ("", "NUMBER OF REO LOANS ACQUIRED")
    yield from _lines([("INCLUDING ANY PENDING CASH LIQUIDATIONS", "1", "")])
    yield from ("", "BOOK VALUE OF REAL ESTATE ACQUIRED THROUGH", "FORECLOSURE OR GRANT OF A DEED IN LIEU OF")
    yield from _lines([("FORECLOSURE, INCLUDING ANY PENDING CASH LIQUIDATIONS", "188,406.12", "")])
    yield from ("", *_lines(SHORTFALLS), "")
    yield from _lines([("TOTAL PREPAYMENTS INCLUDED IN THIS DISTRIBUTION", "380,119.57", "")])
    yield from _lines([("TOTAL REPURCHASES INCLUDED IN THIS DISTRIBUTION", "0.00", "")])
    yield from ("", "DISTRIBUTION PERCENTAGES:")
    yield "                                     SENIOR        CLASS M        CLASS B"
    for label, values, _ in PERCENTAGES:
        yield f"{label:<27}" + "".join(f"{value:>13} %" for value in values)
    yield from ("", *_lines([("CLASS A-4 - STRIP PASS-THROUGH FOR NEXT DISTRIBUTION", "0.3128 %", "")]), "")
    yield from (f"      {label:<32}{value:>30}" for label, value, _ in AVAILABLE)
    yield from ("", *_lines([("ENDING GROSS WEIGHTED AVERAGE INTEREST RATE", "7.41806233", "")]))
    yield from _lines([("ENDING WEIGHTED AVERAGE MATURITY, IN MONTHS", "241.37", "")])
    yield from ("", *_lines([("POOL TRADING FACTOR:", f"{pool_factor()}", "")]), "")
    yield from _lines([("LIBOR INDEX:", "5.2188", ""), ("1 YEAR TREASURY INDEX:", "4.5100", "")])
    yield from ("", "                                                  PAC         COMPANION")
    yield "ENDING A-1 PRINCIPAL COMPONENT:                8,870,301.53           0.00"
    yield from ("", f" {'.' * 80}", "")


def pool_factor() -> Decimal:
    """What is left of the pool, in per cent."""
    return (total("ending") * 100 / total("original")).quantize(D("0.00000001"), ROUND_HALF_UP)


def _lines(lines: Iterable[tuple[str, str, str]]) -> Iterator[str]:
    yield from (f"{label}{value:>{79 - len(label)}}" for label, value, _ in lines)


def render_statement() -> str:
    """The text of the statement."""
    return "\n".join([*class_pages(), *pool_page()]) + "\n"


# --- what a reader has to find -----------------------------------------------------------------------------------

Row = dict[str, object]


def _number(text: str) -> Decimal:
    return D(text.replace(",", ""))


def statement_tables() -> dict[str, list[Row]]:
    """The tidy rows of the statement."""
    names = [bond.name for bond in CLASSES]
    classes: list[Row] = []
    for bond in CLASSES:
        own = bond.name and names.count(bond.name) == 1
        classes.append({
            "class_id": bond.name or None, "class_key": bond.name if own else cusip(bond),
            "cusip": cusip(bond) or None, "is_notional": False, "class_type": bond.kind or None,
            **_money(bond.original, bond.beginning, bond.principal),
            "pass_through_rate": bond.rate / 100,
            "next_pass_through_rate": D("0.003128") if bond.name == "A-4" else None,
            **_paid(bond.interest, bond.principal, bond.deferred, bond.loss, bond.ending),
            **dict(zip(UNITS, bond.units, strict=True)),
        })  # fmt: skip
    sums = (total("interest"), total("principal"), total("deferred"), total("loss"), total("ending"))
    classes.append({
        "class_id": None, "class_key": "TOTAL", "cusip": None, "is_notional": None, "class_type": None,
        **_money(total("original"), total("beginning"), total("principal")),
        "pass_through_rate": None, "next_pass_through_rate": None, **_paid(*sums), **dict.fromkeys(UNITS),
    })  # fmt: skip
    pool = {"group_id": "TOTAL", "prepayments": D("380119.57"), "repurchases": D("0.00"),
            "ending_balance": total("ending"), "ending_count": 1207}  # fmt: skip
    report: Row = {
        "deal_name": f"{ISSUER} SERIES {SERIES}", "issuer": ISSUER, "series": SERIES, "pool_number": POOL,
        "determination_date": "1998-12-21", "servicer": SERVICER, "layout": "residential-funding-text@1",
        "distribution_date": "1998-12-28",
    }  # fmt: skip
    return {"reports": [report], "classes": classes, "pools": [pool], "delinquencies": loans(), "measures": measures()}


UNITS = ("beginning_balance_per_1000", "principal_per_1000", "interest_per_1000", "total_per_1000",
         "deferred_interest_per_1000", "ending_balance_per_1000")  # fmt: skip


def _money(original: Decimal, beginning: Decimal, principal: Decimal) -> Row:
    return {"original_balance": original, "beginning_balance": beginning, "principal_distribution": principal}


def _paid(interest: Decimal, principal: Decimal, deferred: Decimal, loss: Decimal, ending: Decimal) -> Row:
    paid = {"interest_distribution": interest, "total_distribution": interest + principal}
    return {**paid, "deferred_interest": deferred, "realized_loss": loss, "ending_balance": ending}


def loans() -> list[Row]:
    """The rows of delinquencies."""
    rows: list[Row] = [
        {"group_id": "TOTAL", "status": "delinquent", "bucket": bucket, "loan_count": count, "balance": _number(owed)}
        for bucket, (_, count, owed) in zip(BUCKETS, DELINQUENT, strict=True)
    ]
    foreclosed = {"status": "foreclosure", "bucket": None, "loan_count": 2, "balance": D("315902.77")}
    owned = {"status": "reo", "bucket": None, "loan_count": 1, "balance": None}
    return [*rows, {"group_id": "TOTAL", **foreclosed}, {"group_id": "TOTAL", **owned}]


def measures() -> list[Row]:
    """The rows of measures, in printed order."""
    book = ("BOOK VALUE OF REAL ESTATE ACQUIRED THROUGH FORECLOSURE OR GRANT OF A DEED IN LIEU OF FORECLOSURE, "
            "INCLUDING ANY PENDING CASH LIQUIDATIONS")  # fmt: skip
    amounts = [(name, label, _number(value), "usd") for label, value, name in LINES]
    amounts.append(("reo_book_value", book, D("188406.12"), "usd"))
    amounts += [(name, label, _number(value), "usd") for label, value, name in SHORTFALLS]
    parts: list[tuple[str, str, Decimal | None, str]] = [
        (name.format(who), label, None if "*" in value else D(value) / 100, "fraction")
        for label, values, name in PERCENTAGES
        for who, value in zip(("senior", "class_m", "class_b"), values, strict=True)
    ]
    rest = [(name, label, _number(value), "usd") for label, value, name in AVAILABLE]
    last = [
        ("weighted_average_gross_coupon", "ENDING GROSS WEIGHTED AVERAGE INTEREST RATE", D("0.0741806233"), "fraction"),
        ("weighted_average_remaining_term", "ENDING WEIGHTED AVERAGE MATURITY, IN MONTHS", D("241.37"), "months"),
        ("pool_factor", "POOL TRADING FACTOR:", pool_factor() / 100, "fraction"),
        ("libor_index", "LIBOR INDEX:", D("0.052188"), "fraction"),
        ("treasury_index_1_year", "1 YEAR TREASURY INDEX:", D("0.0451"), "fraction"),
    ]
    rows = [*amounts, *parts, *rest, *last]
    return [
        {"group_id": "TOTAL", "measure": name, "label": label, "value": value, "unit": unit}
        for name, label, value, unit in rows
    ]


def write_statement(folder: Path) -> None:
    """Write `sample.txt` and the tables of `expected/` into `folder`."""
    (folder / "expected").mkdir(parents=True, exist_ok=True)
    (folder / "sample.txt").write_text(render_statement(), encoding="ascii")
    for name, rows in statement_tables().items():
        with (folder / "expected" / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(rows[0])
            writer.writerows([cell(value) for value in row.values()] for row in rows)
