"""A real statement of Bankers Trust, read by a plain parser that knows this filing alone.

It shares nothing with the program: what both read alike was read twice.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

from .kit.report import Row

FILING = "aames-1998-c_1998-12-15_8-K.txt"


def statement(file: Path) -> str:
    """The text of the filing's second document; the first is the cover."""
    document = file.read_bytes().decode("cp1252").split("<DOCUMENT>")[2]
    return document[document.index("<TEXT>") + len("<TEXT>") : document.index("</TEXT>")]


def printed_tables(text: str) -> dict[str, list[Row]]:
    """The rows of classes, loans that are behind, and pools, with their keys."""
    lines = text.split("\n")
    classes: list[Row] = [
        {"section": section, "class_key": key, **dict.fromkeys((*DOLLARS, *FACTORS, *INTERESTS, "cusip")), **row}
        for (section, key), row in printed_classes(lines).items()
    ]
    loans: list[Row] = [
        {"group_id": group, "status": status, "bucket": bucket, **row}
        for (group, status, bucket), row in printed_delinquencies(lines).items()
    ]
    pools: list[Row] = [{"group_id": group, **row} for group, row in printed_pools(lines).items()]
    return {"classes": classes, "delinquencies": loans, "pools": pools}


def number(text: str) -> Decimal | None:
    """What a printed number says, percentages as fractions."""
    if not re.fullmatch(r"\(?[0-9][0-9,.]*%?\)?", text):
        return None
    value = Decimal(text.strip("()%").replace(",", ""))
    value = value / 100 if "%" in text else value
    return -value if text.startswith("(") else value


def table(lines: list[str], first: str, last: str) -> Iterator[tuple[str, list[Decimal]]]:
    """Label and numbers (the words at the end) of each line between two lines that begin with these words."""
    start = next(at for at, line in enumerate(lines) if line.strip().startswith(first))
    end = next(at for at in range(start + 1, len(lines)) if lines[at].strip().startswith(last))
    for line in lines[start + 1 : end]:
        words = line.split()
        values: list[Decimal] = []
        while words and (value := number(words[-1])) is not None:
            values.insert(0, value)
            words.pop()
        if values:
            yield " ".join(words), values


DOLLARS = (
    "original_balance", "beginning_balance", "interest_distribution", "principal_distribution", "total_distribution",
    "realized_loss", "deferred_interest", "ending_balance",
)  # fmt: skip
FACTORS = (
    "beginning_balance_per_1000", "interest_per_1000", "principal_per_1000", "total_per_1000",
    "ending_balance_per_1000", "pass_through_rate", "next_pass_through_rate",
)  # fmt: skip
INTERESTS = ("prior_interest_accrued", "interest_accrued", "prior_interest_carryforward", "interest_carryforward")


def printed_classes(lines: list[str]) -> dict[tuple[str, str], dict[str, object]]:
    """The classes by section and key, by a plain parser that knows this filing alone."""
    rows: dict[tuple[str, str], dict[str, object]] = {}
    starts = [at for at, line in enumerate(lines) if line.strip() in ("REMIC I", "REMIC II")]
    for start in starts:
        section, page = lines[start].strip(), lines[start:]
        for label, values in table(page, "CLASS  ", "</TABLE>"):
            key = "TOTAL" if label == "TOTALS" else label
            rows[section, key] = dict(zip(DOLLARS, values, strict=True)) | {"class_id": label}
        for label, values in table(page[20:], "CLASS          CUSIP", "SELLER"):
            name, *cusip = label.split()
            if len(values) == len(FACTORS):
                rows[section, name] |= dict(zip(FACTORS, values, strict=True)) | {"cusip": cusip[0] if cusip else None}
    tables: tuple[tuple[str, tuple[str, ...]], ...] = (
        ("ACCRUED CERTIFICATE INTEREST", ("prior_interest_accrued", "interest_accrued")),
        ("INTEREST CARRY FORWARD", ("prior_interest_carryforward", "interest_carryforward")),
    )
    for first, names in tables:
        for label, values in table(lines, first, "CERTIFICATE INSURER"):
            row = rows["REMIC II", label.removeprefix("CLASS ")]
            row |= {name: value for name, value in zip(names, values, strict=True) if name not in row}
    return rows


STATUSES = {"DELINQUENT": "delinquent", "FORECLOSURE": "foreclosure", "REO": "reo", "BANKRUPTCY": "bankruptcy"}
MEASURED = {
    "PRINCIPAL BALANCE": "balance",
    "PERCENTAGE OF POOL BALANCE": "balance_fraction",
    "NUMBER OF LOANS": "loan_count",
    "PERCENTAGE OF POOL LOANS": "loan_count_fraction",
}


def printed_delinquencies(lines: list[str]) -> dict[tuple[str, str, str | None], dict[str, Decimal]]:
    """The loans that are behind by group, status and bucket, by the same plain parsing."""
    rows: dict[tuple[str, str, str | None], dict[str, Decimal]] = {}
    start = next(at for at, line in enumerate(lines) if "DELINQUENT LOAN INFORMATION" in line)
    end = next(at for at in range(start, len(lines)) if "Page 3 of 6" in lines[at])
    status = group = ""
    for line in lines[start:end]:
        words = line.split()
        if "LOAN INFORMATION" in line:
            status = STATUSES[words[0]]
        elif words == ["TOTAL"]:
            status = "total"
        values = [value for word in words[-4:] if (value := number(word)) is not None]
        if len(values) == 4:
            label = " ".join(words[:-4])
            head = re.match(r"(Fixed|FIXED|ADJ) (Group|GROUP) ", label)
            if head:
                group, label = head[0].strip().upper(), label[head.end() :]
            for bucket, value in zip(("30-59", "60-89", "90+", None), values, strict=True):
                rows.setdefault((group, status, bucket), {})[MEASURED[label]] = value
    return rows


POOLS = (
    ("SOURCES OF PRINCIPAL", {
        "SCHEDULED PRINCIPAL RECEIVED": "scheduled_principal", "PREPAYMENTS & CURTAILMENTS": "prepayments",
        "REPURCHASES/SUBSTITUTIONS": "repurchases", "NET LIQUIDATION PROCEEDS": "liquidation_proceeds",
        "INSURANCE PROCEEDS": "insurance_proceeds", "OTHER PRINCIPAL": "other_principal",
        "PREFUNDING ACCOUNT TERMINATION": "prefunding_principal", "LESS: REALIZED LOSSES": "realized_loss",
        "TOTAL PRINCIPAL": "total_principal",
    }),
    ("SOURCES OF INTEREST", {
        "SCHEDULED INTEREST": "scheduled_interest", "REPURCHASES/SUBSTITUTIONS": "repurchase_interest",
        "LIQUIDATION PROCEEDS": "liquidation_interest", "INSURANCE PROCEEDS": "insurance_interest",
        "OTHER INTEREST": "other_interest", "LESS: DELINQUENT INTEREST": "delinquent_interest",
        "LESS: PPIS": "prepayment_interest_shortfall", "LESS: PPIS CIVIL RELIEF SHORTFALL": "relief_act_shortfall",
        "LESS: CURRENT SERVICING FEES": "servicing_fee", "LESS: REALIZED LOSSES": "interest_realized_loss",
        "PLUS: COMPENSATING INTEREST": "compensating_interest", "PLUS: INTEREST ADVANCED AMOUNT": "interest_advances",
        "PLUS: CAPITALIZED INTEREST AMOUNT": "capitalized_interest",
        "PLUS: CLOSING DATE DEPOSIT": "closing_date_deposit", "TOTAL INTEREST": "total_interest",
    }),
    ("PERMITTED WITHDRAWALS", {"": "permitted_withdrawals"}),
    ("TOTAL SOURCES", {"": "total_sources"}),
    ("POOL INFORMATION", {
        "PRIOR PRINCIPAL BALANCE OF POOL:": "beginning_balance", "CURRENT PRINCIPAL BALANCE OF POOL:": "ending_balance",
        "GROUP FACTOR": "factor", "PRIOR NUMBER OF LOANS:": "beginning_count",
        "CURRENT NUMBER OF LOANS:": "ending_count",
        "NUMBER OF LOANS PURCHASED FROM Mortgage Replacement": "purchased_count",
        "CURRENT PRINCIPAL BAL. OF LOANS PURCHASED FROM MORT REPLACEMENT": "purchased_balance",
        "NUMBER OF LOANS PAID IN FULL:": "paid_in_full_count",
    }),
)  # fmt: skip
ENDS = ("SOURCES OF INTEREST", "PERMITTED", "TOTAL SOURCES", "CAPITALIZED INTEREST DEPOSIT", "TRIGGER EVENTS")
GROUPS = ("FIXED GROUP", "ADJ GROUP", "TOTAL")


def printed_pools(lines: list[str]) -> dict[str, dict[str, Decimal]]:
    """The figures of the pool by group."""
    printed: dict[str, dict[str, Decimal]] = {group: {} for group in GROUPS}
    for (title, fields), end in zip(POOLS, ENDS, strict=True):
        for label, values in table(lines, title, end):
            if label in fields:
                for group, value in zip(GROUPS, values, strict=True):
                    printed[group][fields[label]] = value
    return printed
