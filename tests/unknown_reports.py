"""Reports of layouts that the program does not know, with made-up figures, and what they print of each class.

Four ways to print a table of classes, as trustees did: in two strips that repeat the class, on one page with a table of
factors below, in strips without labels, and in strips between rules with a total without a label.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random

# Fields in dollars, in cents.
Figures = dict[str, int]
# Heads as printed lines, by field.
Heads = Mapping[str, tuple[str, ...]]
MONEY = (
    "original_balance", "beginning_balance", "principal_distribution", "interest_distribution", "total_distribution",
    "realized_loss", "deferred_interest", "ending_balance",
)  # fmt: skip


@dataclass(frozen=True)
class Unknown:
    """A report: its style and text, and the figures of each class and of `TOTAL`, by field, as printed."""

    style: str
    text: str
    printed: Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class _Deal:
    labels: Sequence[str]
    figures: Mapping[str, Figures]
    cusips: Mapping[str, str]
    series: str
    day: str

    def total(self, field: str) -> int:
        return sum(self.figures[label][field] for label in self.labels)

    def printed(self, fields: Sequence[str]) -> dict[str, dict[str, str]]:
        rows = {
            label: {**{field: money(self.figures[label][field]) for field in fields}, "cusip": self.cusips[label]}
            for label in self.labels
        }
        return {**rows, "TOTAL": {field: money(self.total(field)) for field in fields}}


def money(cents: int) -> str:
    """Cents as dollars are printed."""
    text = f"{abs(cents) // 100:,}.{abs(cents) % 100:02}"
    return f"({text})" if cents < 0 else text


def unknown_report(seed: int, swapped: tuple[str, str] | None = None) -> Unknown:
    """The report of this number; with `swapped`, the heads of two fields stand in each other's place."""
    random = Random(seed)
    deal = _deal(random)
    style = list(STYLES)[seed % len(STYLES)]
    write, heads = STYLES[style]
    if swapped is not None and all(field in heads for field in swapped):
        heads = {**heads, swapped[0]: heads[swapped[1]], swapped[1]: heads[swapped[0]]}
    return Unknown(style, write(deal, heads), deal.printed(MONEY))


def _deal(random: Random) -> _Deal:
    seniors = [f"A-{number}" for number in range(1, random.randint(3, 12))]
    labels = [*seniors, "M-1", "M-2", "B-1", "R"][: random.randint(3, len(seniors) + 4)]
    figures = {label: _figures(random, label) for label in labels}
    cusips = {label: _cusip(random) for label in labels}
    year = random.randint(1996, 2004)
    return _Deal(
        labels, figures, cusips, f"{year}-{random.randint(1, 9)}", f"December 2{random.randint(0, 8)}, {year + 1}"
    )


def _figures(random: Random, label: str) -> Figures:
    if label == "R":
        return dict.fromkeys(MONEY, 0)
    original = random.randint(1_000, 400_000) * 100_000
    beginning = original * random.randint(50, 100) // 100
    principal = random.choice([0, random.randint(1, beginning // 20), random.randint(1, beginning // 20)])
    loss = random.choice([0, 0, random.randint(1, 900_000)]) if label[0] in "MB" else 0
    interest = beginning * random.randint(300, 900) // 120_000
    return {
        "original_balance": original,
        "beginning_balance": beginning,
        "principal_distribution": principal,
        "interest_distribution": interest,
        "total_distribution": principal + interest,
        "realized_loss": loss,
        "deferred_interest": 0,
        "ending_balance": beginning - principal - loss,
    }


def _cusip(random: Random) -> str:
    body = "".join(random.choice("0123456789ABCDEFGH") for _ in range(8))
    doubled = [int(character, 36) * (1 + place % 2) for place, character in enumerate(body)]
    return f"{body}{-sum(value // 10 + value % 10 for value in doubled) % 10}"


# --- how they are printed -----------------------------------------------------------------------------------------


def _head(heads: Heads, fields: Sequence[str], widths: Sequence[int], before: str) -> list[str]:
    """Head lines, stacked from the bottom, right above their columns; `before` stands left on the last line."""
    height = max(len(heads[field]) for field in fields)
    lines = []
    for row in range(height):
        words = [
            heads[field][row - height + len(heads[field])] if row >= height - len(heads[field]) else ""
            for field in fields
        ]
        left = before if row == height - 1 else " " * len(before)
        lines.append(left + "".join(f"{word:>{width}}" for word, width in zip(words, widths, strict=True)))
    return lines


def _rows(deal: _Deal, fields: Sequence[str], left: Callable[[str], str], width: int) -> list[str]:
    return [
        left(label) + "".join(f"{money(deal.figures[label][field]):>{width}}" for field in fields)
        for label in deal.labels
    ]


def _total(deal: _Deal, fields: Sequence[str], left: str, width: int) -> str:
    return left + "".join(f"{money(deal.total(field)):>{width}}" for field in fields)


def _factors(deal: _Deal, left: Callable[[str], str]) -> list[str]:
    def factor(label: str, field: str) -> str:
        original = deal.figures[label]["original_balance"]
        return f"{deal.figures[label][field] * 1000 / original if original else 0:.6f}"

    fields = ("principal_distribution", "interest_distribution", "ending_balance")
    return [left(label) + "".join(f"{factor(label, field):>16}" for field in fields) for label in deal.labels]


def _two_strips(deal: _Deal, heads: Heads) -> str:
    first = ("beginning_balance", "interest_distribution", "principal_distribution")
    second = ("realized_loss", "ending_balance", "total_distribution")
    wide = [20, 20, 20]
    return "\n".join(
        [
            "Harbor Point Funding Corporation",
            f"Mortgage Pass-Through Certificates, Series {deal.series}",
            "",
            f"Record Date: November 30, {deal.day[-4:]}",
            f"Distribution Date: {deal.day}",
            "",
            "Certificateholder Distribution Summary",
            "",
            *_head(heads, first, wide, f"{'Class':<12}{'CUSIP':<14}"),
            f"{'-' * 5:<12}{'-' * 5:<14}" + f"{'-' * 12:>20}" * 3,
            *_rows(deal, first, lambda label: f"{label:<12}{deal.cusips[label]:<14}", 20),
            "=" * 80,
            _total(deal, first, f"{'Totals':<26}", 20),
            "",
            "Certificateholder Distribution Summary (continued)",
            "",
            *_head(heads, second, wide, f"{'Class':<12}"),
            f"{'-' * 5:<12}" + f"{'-' * 12:>20}" * 3,
            *_rows(deal, second, lambda label: f"{label:<12}", 20),
            "=" * 80,
            _total(deal, second, f"{'Totals':<12}", 20),
            "",
            "Collateral Statement",
            "Weighted Average Coupon                         8.123456%",
            "Beginning Loan Count                                1,234",
            "",
        ]
    )


def _one_page(deal: _Deal, heads: Heads) -> str:
    fields = (
        "original_balance", "beginning_balance", "interest_distribution", "principal_distribution",
        "total_distribution", "realized_loss", "deferred_interest", "ending_balance",
    )  # fmt: skip
    rule = "- " + "-" * 130
    return "\n".join(
        [
            "                         LINDEN ROW CAPITAL CORPORATION",
            "                       MORTGAGE PASS-THROUGH CERTIFICATES",
            f"                               SERIES {deal.series}",
            "                         STATEMENT TO CERTIFICATEHOLDERS",
            "<TABLE>",
            "<CAPTION>",
            rule,
            "                       DISTRIBUTIONS IN DOLLARS",
            *_head(heads, fields, [17] * 8, f"{'CLASS':<8}"),
            rule,
            "",
            "<S>     <C>              <C>              <C>              <C>             <C>         <C>      <C>   <C>",
            *_rows(deal, fields, lambda label: f"{label:>6}  ", 17),
            rule,
            _total(deal, fields, "TOTALS  ", 17),
            rule,
            "</TABLE>",
            "",
            "               FACTOR INFORMATION PER $1000 OF ORIGINAL FACE",
            f"{'CLASS':<8}{'PRINCIPAL':>16}{'INTEREST':>16}{'BALANCE':>16}",
            rule,
            *_factors(deal, lambda label: f"{label:>6}  "),
            "",
            f"DISTRIBUTION DATE:          {deal.day}            FACTOR INFORMATION:     (800) 555-0100",
            "",
        ]
    )


def _bare_strips(deal: _Deal, heads: Heads) -> str:
    strips = (
        ("original_balance", "beginning_balance", "principal_distribution"),
        ("interest_distribution", "total_distribution"),
        ("realized_loss", "ending_balance"),
    )
    lines = [
        f"Willow Creek Securities Company, Home Loan Trust, Series {deal.series}",
        f"Asset Backed Certificates, Series {deal.series}",
        "",
        f"Payment Date:       {deal.day}",
        "",
        *_head(heads, strips[0], [18] * 3, f"{'Class':>9}"),
        *_rows(deal, strips[0], lambda label: f"{label:>9}", 18),
        _total(deal, strips[0], f"{'Total':>9}", 18),
        "",
    ]
    for strip in strips[1:]:
        widths = [18] * len(strip)
        lines += [
            *_head(heads, strip, widths, ""),
            *_rows(deal, strip, lambda _: "", 18),
            _total(deal, strip, "", 18),
            "",
        ]
    lines += ["", "AMOUNTS PER $1,000 UNIT", "", f"{'Class':>9}{'Prin':>16}{'Int':>16}{'End Bal':>16}"]
    return "\n".join([*lines, *_factors(deal, lambda label: f"{label:>9}"), ""])


def _ruled_strips(deal: _Deal, heads: Heads) -> str:
    first = ("original_balance", "beginning_balance", "principal_distribution")
    second = (
        "interest_distribution", "total_distribution", "deferred_interest", "realized_loss", "ending_balance",
    )  # fmt: skip
    rule, double = "_" * 79, "=" * 79
    return "\n".join(
        [
            "               OLD MILL FUNDING CORPORATION (MASTER SERVICER)",
            "           OLD MILL MORTGAGE SECURITIES, INC. (COMPANY)",
            f"   CONDUIT MORTGAGE PASS-THROUGH CERTIFICATES SERIES {deal.series}(POOL #  4000)",
            "STATEMENT TO CERTIFICATEHOLDERS",
            rule,
            *_head(heads, first, [18] * 3, f"{'CLASS':<8}{'CUSIP':<12}"),
            rule,
            *_rows(deal, first, lambda label: f"{label:<8}{deal.cusips[label]:<12}", 18),
            "",
            "-" * 79,
            _total(deal, first, " " * 20, 18),
            double,
            rule,
            *_head(heads, second, [18] * 5, " " * 6),
            rule,
            *_rows(deal, second, lambda label: f"{label:<6}", 18),
            "",
            "-" * 79,
            _total(deal, second, " " * 6, 18),
            double,
            "",
            "DETERMINATION DATE       20-December-00",
            f"DISTRIBUTION DATE        {deal.day.split()[1].strip(',')}-December-{deal.day[-2:]}",
            "",
            "SERVICING COMPENSATION RECEIVED BY MASTER SERVICER                     1,034.49",
            "",
        ]
    )


STYLES: Mapping[str, tuple[Callable[[_Deal, Heads], str], Heads]] = {
    "two strips that repeat the class": (
        _two_strips,
        {
            "beginning_balance": ("Beginning", "Certificate", "Balance"),
            "interest_distribution": ("Interest", "Distribution"),
            "principal_distribution": ("Principal", "Distribution"),
            "realized_loss": ("Current", "Realized", "Loss"),
            "ending_balance": ("Ending", "Certificate", "Balance"),
            "total_distribution": ("Total", "Distribution"),
        },
    ),
    "one table with factors below": (
        _one_page,
        {
            "original_balance": ("ORIGINAL", "FACE VALUE"),
            "beginning_balance": ("PRIOR", "PRINCIPAL", "BALANCE"),
            "interest_distribution": ("INTEREST",),
            "principal_distribution": ("PRINCIPAL",),
            "total_distribution": ("TOTAL",),
            "realized_loss": ("REALIZED", "LOSSES"),
            "deferred_interest": ("DEFERRED", "INTEREST"),
            "ending_balance": ("CURRENT", "PRINCIPAL", "BALANCE"),
        },
    ),
    "strips without labels": (
        _bare_strips,
        {
            "original_balance": ("Orig Bal",),
            "beginning_balance": ("Beg Bal",),
            "principal_distribution": ("Prin",),
            "interest_distribution": ("Int",),
            "total_distribution": ("Total Dist",),
            "realized_loss": ("Loss",),
            "ending_balance": ("End Bal",),
        },
    ),
    "strips between rules": (
        _ruled_strips,
        {
            "original_balance": ("ORIGINAL", "FACE VALUE"),
            "beginning_balance": ("PRINCIPAL", "BALANCE BEFORE", "DISTRIBUTION"),
            "principal_distribution": ("PRINCIPAL", "DISTRIBUTION"),
            "interest_distribution": ("INTEREST", "DISTRIBUTION"),
            "total_distribution": ("TOTAL", "DISTRIBUTION"),
            "deferred_interest": ("DEFERRED", "INTEREST"),
            "realized_loss": ("REALIZED", "LOSSES"),
            "ending_balance": ("REMAINING", "PRINCIPAL", "BALANCE"),
        },
    ),
}
