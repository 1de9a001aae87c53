"""The report of 17 November 2003 of one deal, every printed figure typed in, and the months that follow.

The figures are kept as printed, odd ones too: the Total's rate, class P per 1,000, the zero and 1000.00000
of class R, two totals that leave out B-IO.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from .figures import parse
from .model import Bond, Deal, LoanGroup, State, simulate
from .report import (
    TOTAL,
    ClassRow,
    Heading,
    LoanLine,
    LoanTable,
    PoolColumn,
    Report,
    trigger_lines,
)

DISTRIBUTION_DATE = date(2003, 11, 17)

HEADING = Heading(
    deal_name="Asset Backed Securities Corporation, Home Equity Loan Trust, Series 2003-HE2",
    series="2003-HE2",
    certificate_title="Asset Backed Pass-Through Certificates",
    state="New York",
    commission_file_number="333-86750",
    irs_number="13-3354848",
    servicer="Fairbanks",
)

# class, original, beginning, principal | rate, interest | loss, total | shortfall, ending
_DOLLARS = """
A-1       397,000,000  345,199,023  16,219,450  1.50000%    474,649  N/A   16,694,098  0  328,979,574
A-2       213,560,000  183,979,701  10,089,470  1.50000%    252,972  N/A   10,342,443  0  173,890,231
A-IO       60,000,000   52,800,000           0  4.00000%    176,000  N/A      176,000  0   51,608,000
A-IO-INV  730,000,000  562,900,000           0  0.22000%    113,518  N/A      113,518  0  539,000,000
M-1        44,140,000   44,140,000           0  2.02000%     81,733  0.00      81,733  0   44,140,000
M-2        40,460,000   40,460,000           0  3.02000%    112,007  0.00     112,007  0   40,460,000
M-3        11,035,000   11,035,000           0  3.37000%     34,089  0.00      34,089  0   11,035,000
M-4        18,400,000   18,400,000           0  4.97000%     83,827  0.00      83,827  0   18,400,000
M-5        11,034,900   11,034,900           0  5.62000%     56,848  0.00      56,848  0   11,034,900
P                 100          100           0  N/A         498,927  0.00     498,927  0          100
X                   0   13,320,411           0  2.45469%  1,365,560  N/A    1,365,560  0   14,344,337
R                   0            0           0  0.00000%          0  N/A            0  0            0
B-IO       64,000,000   64,000,000           0  3.50000%    186,667  N/A      186,667  0   64,000,000
Total     735,630,000  654,248,725  26,308,920  1.12000%  3,250,130  0.00  29,559,050  0  627,939,804
"""

# class, CUSIP, principal | interest, total | interest carry-forward, ending balance ("-": not printed)
_PER_THOUSAND = """
A-1       04541GDP4  40.85504        1.19559       42.05063  0.00000   828.66391
A-2       04541GDQ2  47.24420        1.18455       48.42874  0.00000   814.24532
A-IO      04541GDR0   0.00000        2.93333        2.93333  0.00000   860.13333
A-IO-INV  04541GDX7   0.00000        0.15550        0.15550  0.00000   738.35616
M-1       04541GDS8   0.00000        1.85167        1.85167  0.00000  1000.00000
M-2       04541GDT6   0.00000        2.76833        2.76833  0.00000  1000.00000
M-3       04541GDU3   0.00000        3.08917        3.08917  0.00000  1000.00000
M-4       04541GDV1   0.00000        4.55583        4.55583  0.00000  1000.00000
M-5       04541GDW9   0.00000        5.15166        5.15166  0.00000  1000.00000
P         04541GEB4   0.00000  4989269.00000  4989269.00000  0.00000     0.00000
X         04541GDZ2   0.00000        0.00000        0.00000  0.00000     0.00000
R         04541GEA6   0.00000        0.00000        0.00000  0.00000  1000.00000
B-IO      04541GDY5   0.00000        2.91667        2.91667        -           -
Total          0.00   0.00000        0.00000        0.00000        -           -
"""

# class, label there | unpaid, real losses, prepayment interest | RAISF, net WAC carryover ("-": not printed)
_SHORTFALLS = """
A-1       A-1       0.00  0.00  0.00  0.00  0.00
A-2       A-2       0.00  0.00  0.00  0.00  0.00
A-IO      A-IO      0.00  0.00  0.00  0.00  0.00
A-IO-INV  A-IO-INV  0.00  0.00  0.00  0.00  0.00
M-1       M-1       0.00  0.00  0.00  0.00  0.00
M-2       M-2       0.00  0.00  0.00  0.00  0.00
M-3       M-3       0.00  0.00  0.00  0.00  0.00
M-4       M-4       0.00  0.00  0.00  0.00  0.00
M-5       M-5       0.00  0.00  0.00  0.00  0.00
P         P         0.00  0.00  0.00  0.00  0.00
X         X         0.00  0.00  0.00  0.00  0.00
R         -            -     -     -     -     -
B-IO      BIO       0.00  0.00  0.00  0.00  0.00
Total     none      0.00  0.00  0.00  0.00  0.00
"""

# one line a printed row, in the order of PoolColumn: GROUP 1, GROUP 2, TOTAL
_POOLS = """
434,639,952  232,929,184  667,569,136
352,121      202,841      554,962
15,224,950   9,158,555    24,383,505
(0)          328,477      328,477
0            0            0
15,577,071   9,689,873    25,266,944
0            18,051       18,051
419,062,880  223,221,261  642,284,141
2,858        1,283        4,141
2,587,917    1,400,710    3,988,626
0            0            0
0            0            0
0            (4,179)      (4,179)
2,587,917    1,404,889    3,992,806
"""

# group | 30-59, 60-89, 90+ | outstanding, foreclosure, bankruptcy, REO with market value
_LOANS = {
    "GROUP 1": """82 11,291,931 21 3,328,214 15 2,022,563
        2,858 419,062,880 69 9,099,012 22 2,467,370 2 248,556 232,000""",
    "GROUP 2": """32 6197784.4 6 548522.9 14 930510.76
        1,283 223,221,261 25 4474196.7 14 2227127.81 0 0 0""",
    TOTAL: """114 17489715.08 27 3876736.76 29 2953074.18
        4,141 642,284,141 94 13573208.6 36 4694498.02 2 248556.1 232000""",
}

_MEASURES = (
    ("ending_pool_balance", "642,284,141"),
    ("oc_amount", "14,344,337"),
    ("liquidated_loan_count", "2"),
    ("servicing_fee", "278,036"),
    ("advances_current", "3596151.44"),
    ("advances_outstanding_prior", "1533662.51"),
    ("prepayment_premium_loan_count", "88"),
    ("prepayment_premium_loan_count_2", "91"),
    ("prepayment_premium_loan_balance", "17,315,757"),
    ("prepayment_premiums", "498,927"),
    ("realized_losses_current", "18,051"),
    ("realized_losses_cumulative", "22,480"),
    ("weighted_average_remaining_term", "344"),
    ("weighted_average_gross_coupon", "7.67408%"),
    ("weighted_average_net_coupon", "7.17408%"),
    ("pool_loan_count", "4,141"),
    ("oc_target", "14,344,337"),
    ("credit_enhancement", "21.546603%"),
    ("oc_increase", "1,023,926"),
    ("oc_release", "0"),
    ("oc_deficiency", "1,041,976"),
    ("oc_excess", "0"),
    ("yield_maintenance_payment", "0"),
    ("excess_cash_flow", "2,389,486"),
    ("extraordinary_expenses", "0"),
)

# class: kind, and margin over the index, fixed rate or strike in units of 1e-7; notional step in dollars
_TERMS = {
    "A-1": Bond("A-1", "senior", rate=38_000),
    "A-2": Bond("A-2", "senior", rate=38_000),
    "A-IO": Bond("A-IO", "io", rate=400_000, step=1_192_000),
    "A-IO-INV": Bond("A-IO-INV", "io_inv", rate=134_000, step=23_900_000),
    "M-1": Bond("M-1", "mezzanine", rate=90_000),
    "M-2": Bond("M-2", "mezzanine", rate=190_000),
    "M-3": Bond("M-3", "mezzanine", rate=225_000),
    "M-4": Bond("M-4", "mezzanine", rate=385_000),
    "M-5": Bond("M-5", "mezzanine", rate=450_000),
    "P": Bond("P", "premium"),
    "X": Bond("X", "excess"),
    "R": Bond("R", "residual"),
    "B-IO": Bond("B-IO", "sub_io", rate=350_000),
}


def report() -> Report:
    """Return the report of 17 November 2003 as printed."""
    return Report(
        heading=HEADING,
        distribution_date=DISTRIBUTION_DATE,
        classes=_class_rows(),
        pools=_pool_columns(),
        loans=tuple(_loan_table(group, text.split()) for group, text in _LOANS.items()),
        measures=_MEASURES,
        triggers=trigger_lines("Fairbanks", failed=False, event=False, stepped_down=False),
    )


def following_months(n: int) -> list[Report]:
    """Return the next `n` reports of the deal, from the printed ending balances on."""
    return simulate(deal(), n)


def deal() -> Deal:
    """Return the deal with the terms that the printed report shows, opened at its ending balances."""
    last = report()
    bonds = tuple(_TERMS[row.class_id].sized(_dollars(row.original_balance), row.cusip) for row in last.classes[:-1])
    return Deal(
        seed=20032,
        heading=HEADING,
        groups=(LoanGroup("GROUP 1", 765_000), LoanGroup("GROUP 2", 772_000)),
        bonds=bonds,
        index_rate=112_000,
        rate_cap=900_000,
        oc_target=_dollars(last.measure("oc_target")),
        step_down_month=37,
        trigger_month=0,
        pay_day=15,
        opening=_state(last),
    )


def _state(last: Report) -> State:
    return State(
        month=9,
        previous_date=last.distribution_date,
        balances=tuple(_dollars(row.ending_balance) for row in last.classes[:-1]),
        pools=tuple(_dollars(pool.ending_balance) for pool in last.pools[:-1]),
        counts=tuple(_dollars(pool.ending_count) for pool in last.pools[:-1]),
        cumulative_losses=_dollars(last.measure("realized_losses_cumulative")),
        remaining_term=int(last.measure("weighted_average_remaining_term")),
    )


def _dollars(text: str) -> int:
    return int(parse(text) or 0)


def _cells(text: str) -> list[list[str | None]]:
    return [[None if cell == "-" else cell for cell in line.split()] for line in text.strip().splitlines()]


def _class_rows() -> tuple[ClassRow, ...]:
    rows = []
    tables = (_cells(_DOLLARS), _cells(_PER_THOUSAND), _cells(_SHORTFALLS))
    for dollars, thousand, short in zip(*tables, strict=True):
        label = "" if short[1] == "none" else short[1]
        cells: list[Any] = [dollars[0], label, thousand[1], *dollars[1:], *thousand[2:], *short[2:]]
        rows.append(ClassRow(*cells))
    return tuple(rows)


def _pool_columns() -> tuple[PoolColumn, ...]:
    columns = zip(*(line.split() for line in _POOLS.strip().splitlines()), strict=True)
    return tuple(PoolColumn(group, *cells) for group, cells in zip(_LOANS, columns, strict=True))


def _loan_table(group: str, cells: list[str]) -> LoanTable:
    first, second, third, out, foreclosed, bankrupt, owned = (
        LoanLine(count, balance) for count, balance in zip(cells[0:14:2], cells[1:14:2], strict=True)
    )
    owned = LoanLine(owned.loan_count, owned.balance, cells[14])
    return LoanTable(group, (first, second, third), (out, foreclosed, bankrupt, owned))
