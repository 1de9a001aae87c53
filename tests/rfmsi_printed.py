"""A second reading of Residential Funding's class tables, by the places of their columns and without the engine.

It knows nothing of layouts: it walks the lines from one head to the next and cuts each row where the print has its
columns. What it gives is held against what the layout reads.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from .kit.report import Row

# The last head line of each strip, and the columns of its figures.
STRIPS = {
    "CLASS CUSIP FACE VALUE DISTRIBUTION RATE DISTRIBUTION": (
        "original_balance", "beginning_balance", "pass_through_rate", "principal_distribution",
    ),
    "DISTRIBUTION DISTRIBUTION INTEREST LOSSES BALANCE": (
        "interest_distribution", "total_distribution", "deferred_interest", "realized_loss", "ending_balance",
    ),
    "CLASS FACTOR FACTOR FACTOR DISTRIBUTION INTEREST FACTOR": (
        "beginning_balance_per_1000", "principal_per_1000", "interest_per_1000", "total_per_1000",
        "deferred_interest_per_1000", "ending_balance_per_1000",
    ),
}  # fmt: skip
NAME = "rfmsi_2000-12-26_8-K_reports-001-100.txt"
FIGURES = tuple(name for names in STRIPS.values() for name in names)
CLASS_COLUMNS, CUSIP_COLUMNS = slice(0, 8), slice(8, 17)


@dataclass
class PrintedReport:
    """A report as it is printed: its rows in printed order, the total last."""

    series: str = ""
    pool: str = ""
    rows: list[dict[str, object]] = field(default_factory=list)


def cut_reports(text: str) -> list[str]:
    """The reports of an exhibit: each begins at a line `Run:` above the first page of its count."""
    lines = text.split("\n")
    first = [
        number
        for number, line in enumerate(lines[:-1])
        if line.startswith("Run:") and re.match(r"Page: +1 of ", lines[number + 1])
    ]
    return ["\n".join(lines[start:end]) for start, end in zip(first, [*first[1:], len(lines)], strict=True)]


def printed_report(text: str) -> PrintedReport:
    """What a report prints of its classes."""
    report = PrintedReport()
    series = re.search(r"CERTIFICATES SERIES (\S+?) ?\(POOL # +(\d+)\)", text)
    assert series is not None
    report.series, report.pool = series[1], series[2]
    strips: dict[str, list[tuple[str, str, list[Decimal]]]] = {head: [] for head in STRIPS}
    head = ""
    for line in text.split("\n"):
        words = " ".join(line.split())
        if words in STRIPS:
            head = words
        elif re.match(r"DETERMINATION DATE|Run:", words) and "FACTOR" in head:
            head = ""
        elif head and (row := _row(line)):
            strips[head].append(row)
    balances, payments, units = strips.values()
    assert len(balances) == len(payments) == len(units) + 1, report.series
    for number, (name, cusip, _) in enumerate(balances):
        cells: dict[str, object] = {"class_id": name or None, "cusip": cusip or None}
        for names, rows in zip(STRIPS.values(), (balances, payments, units), strict=True):
            if number < len(rows):
                total = number == len(balances) - 1 and names[2] == "pass_through_rate"
                wanted = [column for column in names if column != "pass_through_rate"] if total else names
                cells |= dict(zip(wanted, rows[number][2], strict=True))
                assert rows[number][0] == name, (report.series, rows[number])
        report.rows.append(cells)
    return report


def _row(line: str) -> tuple[str, str, list[Decimal]] | None:
    """Class, CUSIP and figures of a line; None where it has no figure with cents."""
    first, cusip = (line.split() or [""])[0], line[CUSIP_COLUMNS].strip()
    name, figures = (first, line[len(first) :]) if line.startswith(first) else ("", line)
    if re.fullmatch(r"[A-Z0-9]{9}", cusip):
        name, figures = line[CLASS_COLUMNS].strip(), line[CUSIP_COLUMNS.stop :]
    else:
        cusip = ""
    values = list(_figures(figures))
    return (name, cusip, values) if values else None


def _figures(text: str) -> Iterator[Decimal]:
    for found in re.finditer(r"(?<![\w.])([\d,]+\.\d+)(\s+%)?", text):
        value = Decimal(found[1].replace(",", ""))
        yield value / 100 if found[2] else value


def class_rows(report: PrintedReport) -> list[Row]:
    """The rows of table `classes` that a report prints. A class without a name, or with the name of another one, goes
    by its CUSIP; the last row is the total."""
    rows = report.rows
    names = [row["class_id"] for row in rows[:-1]]
    keys = [
        row["class_id"] if names.count(row["class_id"]) == 1 and row["class_id"] else row["cusip"] for row in rows[:-1]
    ]
    cells = ("class_id", "cusip", *FIGURES)
    return [
        {"section": None, "class_key": key, **{name: row.get(name) for name in cells}}
        for key, row in zip([*keys, "TOTAL"], rows, strict=True)
    ]


# --- the page of the pool ----------------------------------------------------------------------------------------

# What stands before a figure, in a text whose blanks are one and whose commas are left out.
POOL = {
    "ending_balance": "MORTGAGE LOANS AFTER DISTRIBUTION",
    "ending_count": "AS OF THE DETERMINATION DATE",
    "prepayments": "TOTAL PREPAYMENTS INCLUDED IN THIS DISTRIBUTION",
    "repurchases": "TOTAL REPURCHASES INCLUDED IN THIS DISTRIBUTION",
}
AMOUNTS = {
    "subservicing_fee": "RECEIVED BY SUB-SERVICER",
    "master_servicing_fee": "RECEIVED BY MASTER SERVICER",
    "spread": "SPREAD",
    "subservicer_advances": "SUBSERVICER ADVANCES THIS MONTH",
    "master_servicer_advances": "MASTER SERVICER ADVANCES THIS MONTH",
    "reo_book_value": "DEED IN LIEU OF FORECLOSURE INCLUDING ANY PENDING CASH LIQUIDATIONS",
    "remaining_subclass_interest_shortfall": "REMAINING SUBCLASS INTEREST SHORTFALL",
    "class_a_principal_shortfall": r"CLASS A SHORTFALL \(PRINCIPAL\)",
    "class_a_interest_shortfall": r"CLASS A SHORTFALL \(INTEREST\)",
    "letter_of_credit_available": "LETTER OF CREDIT - TOTAL AVAILABLE AMOUNT",
    "bankruptcy_amount_available": "BANKRUPTCY AMOUNT AVAILABLE",
    "fraud_amount_available": "FRAUD AMOUNT AVAILABLE",
    "special_hazard_amount_available": "SPECIAL HAZARD AMOUNT AVAILABLE",
    "weighted_average_remaining_term": "ENDING WEIGHTED AVERAGE MATURITY IN MONTHS",
    "converted_loans_balance": "CONVERTED LOANS REMAINING IN POOL:",
    "converted_loans_repurchased": "CONVERTING AND CONVERTED LOANS IN THIS DISTRIBUTION:",
    "special_reserve_paid": "AMOUNT PAID FROM SPECIAL RESERVE ACCT FOR [A-Z0-9-]+ SHORTFALL",
    "special_reserve_earnings_paid": "FROM EARNINGS ON RESERVE ACCOUNT",
    "special_reserve_balance": "AMOUNT ON DEPOSIT IN SPECIAL RESERVE ACCOUNT",
}
PERCENTAGES = {
    "weighted_average_gross_coupon": "ENDING GROSS WEIGHTED AVERAGE INTEREST RATE",
    "pool_factor": "POOL TRADING FACTOR:",
    "libor_index": "LIBOR INDEX:",
    "cofi_index": "COFI INDEX:",
    "treasury_index": "(?<!YEAR )TREASURY INDEX:",
    "treasury_index_1_year": "1 YEAR TREASURY INDEX:",
    "treasury_index_5_year": "5 YEAR TREASURY INDEX:",
    "next_pass_through_rate": "(?<!STRIP )PASS THROUGH RATE FOR NEXT DISTRIBUTION:",
}
# Three lines of two percentages, or of three.
SENIOR = {
    "DISTRIBUTION PERCENTAGES: SENIOR SUBORDINATE": ("senior", "subordinate"),
    "DISTRIBUTION PERCENTAGES: SENIOR CLASS M CLASS B": ("senior", "class_m", "class_b"),
}
_LOANS = {
    ("delinquent", "30-59"): r"\(A\) ONE MONTHLY PAYMENT:",
    ("delinquent", "60-89"): r"\(B\) TWO MONTHLY PAYMENTS:",
    ("delinquent", "90+"): r"\(C\) THREE OR MORE MONTHLY PAYMENTS:",
    ("foreclosure", None): "FORECLOSURES NUMBER OF LOANS",
    ("reo", None): "NUMBER OF REO LOANS ACQUIRED INCLUDING ANY PENDING CASH LIQUIDATIONS",
}


def pool_tables(text: str) -> dict[str, list[Row]]:
    """The rows of `pools`, `delinquencies` and `measures` that a report prints."""
    words = " ".join(text.split()).replace(",", "")
    total: Row = {"group_id": "TOTAL"}
    pool: Row = {name: value for name, label in POOL.items() if (value := _behind(label, words)) is not None}
    return {
        "pools": [total | pool],
        "delinquencies": [total | row for row in _loans(words)],
        "measures": [total | {"measure": name, "value": value} for name, value in _measures(words).items()],
    }


def _behind(label: str, words: str) -> Decimal | None:
    found = re.search(rf"{label} (\d+(?:\.\d+)?)(?![\d.])", words)
    return None if found is None else Decimal(found[1])


def _loans(words: str) -> Iterator[Row]:
    for (status, bucket), label in _LOANS.items():
        found = re.search(rf"{label} (\d+)(?: AGGREGATE PRINCIPAL BALANCE)?(?: (\d+\.\d\d))?", words)
        if found is not None:
            balance = None if found[2] is None else Decimal(found[2])
            yield {"status": status, "bucket": bucket, "loan_count": int(found[1]), "balance": balance}


def _measures(words: str) -> dict[str, Decimal | None]:
    measures: dict[str, Decimal | None] = {}
    for names, scale in ((AMOUNTS, 1), (PERCENTAGES, 100)):
        for name, label in names.items():
            if (value := _behind(label, words)) is not None:
                measures[name] = value / scale
    for head, kinds in SENIOR.items():
        line = r"[A-Z ]+ ((?:[\d*]+\.[\d*]+ % ?)+)"  # asterisks: not computed
        if found := re.search(rf"{head} {line}{line}{line}", words):
            for lead, end, cells in zip(("", "", "next_"), ("", "_prepayment", ""), found.groups(), strict=True):
                named = (f"{lead}{kind}{end}_percentage" for kind in kinds)
                for name, cell in zip(named, re.findall(r"[\d*]+\.[\d*]+", cells), strict=True):
                    measures[name] = None if "*" in cell else Decimal(cell) / 100
    return measures
