"""The design that was not taken: plain `re`, line by line, document after document.

A state machine over the printed heads of one layout. It yields the same cells as the layout file does for the
class tables, the amounts per 1,000, pools, delinquencies, loan status and the labelled figures, and reads the
name of the deal and its dates. It stands here to be measured and is no part of the program.

It leaves out: layouts as data, rejects with reasons, records of labels and footnotes, what the cover says
besides deal and dates, the count of numbers that nothing claims, and the checks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

import polars as pl

TOTAL = "TOTAL"

_DIGITS = r"(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)"
_DECIMAL = rf"(?:{_DIGITS}(?:\.[0-9]*)?|\.[0-9]+)"
_SIGNED = rf"(?:-?\$?{_DECIMAL}%?|\$?\(-?\$?{_DECIMAL}%?\))"
_NUMBER = rf"({_SIGNED}|N/A)"
_CLASS = r"([A-Z][A-Za-z0-9]*(?:[-_][A-Za-z0-9]+)*)"
_CUSIP = r"([0-9A-Z*@#]{9}|0(?:\.00)?|N/A)"
_DATE = r"[0-9]{1,2}-[A-Za-z]{3}-[0-9]{2}"

Cell = tuple[int, int, int, int, str, str, str | None, str | None, str | None, str | None, str, Decimal | None]

SCHEMA: dict[str, pl.DataType] = {
    "document": pl.UInt32(),
    "line": pl.Int32(),
    "column_start": pl.Int32(),
    "column_end": pl.Int32(),
    "table": pl.String(),
    "field": pl.String(),
    "class_key": pl.String(),
    "group_id": pl.String(),
    "loan_status": pl.String(),
    "bucket": pl.String(),
    "raw": pl.String(),
    "value": pl.Decimal(38, 10),
}


@dataclass(frozen=True)
class _ClassBlock:
    """A strip with a row for each class. `labels_from` names the strip whose labels it takes by row order."""

    name: str
    head: str
    fields: tuple[str, ...]
    row: re.Pattern[str]
    total_row: re.Pattern[str] | None = None
    labels_from: str | None = None


def _strip(
    name: str, head: str, *fields: str, labels_from: str | None = None, has_total_row: bool = False
) -> _ClassBlock:
    looks = {"class_id": _CLASS, "cusip": _CUSIP}
    cells = [looks.get(field, _NUMBER) for field in fields]
    total = _row(cells[1:]) if has_total_row else None
    return _ClassBlock(name, head, fields, _row(cells), total, labels_from)


def _row(cells: Iterable[str], before: str = "", after: str = "") -> re.Pattern[str]:
    """A whole line: what stands before the cells, the cells with blanks between them, what stands after."""
    return re.compile(r"\s*" + before + r"\s+".join(cells) + after + r"\s*$")


_CLASS_BLOCKS = (
    _strip(
        "class_balances",
        "Class Orig Bal Beg Bal Prin",
        "class_id",
        "original_balance",
        "beginning_balance",
        "principal_distribution",
    ),
    _strip("class_interest", "Rate Int", "pass_through_rate", "interest_distribution", labels_from="class_balances"),
    _strip("class_losses", "Class Loss Total Dist", "class_id", "realized_loss", "total_distribution"),
    _strip("class_endings", "Int Short End Bal", "interest_shortfall", "ending_balance", labels_from="class_losses"),
    _strip("unit_principal", "Class Cusip Prin", "class_id", "cusip", "principal_per_1000"),
    _strip("unit_interest", "Int Total", "interest_per_1000", "total_per_1000", labels_from="unit_principal"),
    _strip(
        "unit_endings",
        "Class Interest Carry-forward Amount End Bal",
        "class_id",
        "interest_carryforward_per_1000",
        "ending_balance_per_1000",
    ),
    _strip(
        "class_shortfalls",
        "Tot Unpaid Real Losses Prep Int Shortfall",
        "class_id",
        "unpaid_interest_shortfall",
        "realized_loss_shortfall",
        "prepayment_interest_shortfall",
        has_total_row=True,
    ),
    _strip(
        "class_carryovers",
        "RAISF Net WAC Rate Carryover",
        "class_id",
        "relief_act_shortfall",
        "net_wac_carryover",
        has_total_row=True,
    ),
)
_CLASS_KEYS = {"BIO": "B-IO", "Total": TOTAL}


@dataclass(frozen=True)
class _GroupBlock:
    """A table whose rows have labels, and cells for each loan group of its head."""

    name: str
    table: str
    head: str
    fields: Mapping[str, tuple[str, str | None, str | None]]  # label: field (pools), loan status, bucket
    cells: tuple[str, ...] = ()


_GROUP_BLOCKS = (
    _GroupBlock(
        "group_principal",
        "pools",
        "Principal Distributions:",
        {
            "Beginning Balance": ("beginning_balance", None, None),
            "Scheduled Prin": ("scheduled_principal", None, None),
            "Prep(Incl Curt)": ("prepayments", None, None),
            "Net Liq Proc": ("liquidation_proceeds", None, None),
            "Loan Purch.": ("repurchases", None, None),
            "Total Prin": ("total_principal", None, None),
            "Net Real losses": ("realized_loss", None, None),
            "Ending Balance": ("ending_balance", None, None),
            "Ending Count": ("ending_count", None, None),
        },
    ),
    _GroupBlock(
        "group_interest",
        "pools",
        "Interest Distributions:",
        {
            "Sched In(Net Serv fees)": ("scheduled_interest", None, None),
            "Less RAIS": ("relief_act_shortfall", None, None),
            "Less Net PPIS": ("prepayment_interest_shortfall", None, None),
            "Less Nonrecov Adv": ("nonrecoverable_advances", None, None),
            "": ("total_interest", None, None),
        },
    ),
    _GroupBlock(
        "delinquencies",
        "delinquencies",
        "Count Balance",
        {
            "30-59 days delinq": ("", "delinquent", "30-59"),
            "60-89 days delinq": ("", "delinquent", "60-89"),
            "90 + days delinq": ("", "delinquent", "90+"),
        },
        ("loan_count", "balance"),
    ),
    _GroupBlock(
        "loan_status",
        "delinquencies",
        "Count Balance Market Value (REO)",
        {
            "Outstanding Loan": ("", "outstanding", None),
            "Foreclosure": ("", "foreclosure", None),
            "Bankruptcy": ("", "bankruptcy", None),
            "REO": ("", "reo", None),
        },
        ("loan_count", "balance", "market_value"),
    ),
)
_MAX_GROUPS = 12
_MAX_HEAD_LINES = 4

_SINGLES = {
    "Aggregate End Coll Bal": ("measures", "ending_pool_balance"),
    "Ending Overcollateralization Amount": ("measures", "oc_amount"),
    "Number of Liquidated Loans": ("measures", "liquidated_loan_count"),
    "Servicing Fee": ("measures", "servicing_fee"),
    "Curr Agg Adv as of determ. date": ("measures", "advances_current"),
    "Out. Agg. Adv as of end of prior calendar month": ("measures", "advances_outstanding_prior"),
    "Num. of Loans for which Prep.Prem. were collected": ("measures", "prepayment_premium_loan_count"),
    "Number of Loans for which Prepayment Premiums": ("measures", "prepayment_premium_loan_count_2"),
    "Prin. Bal. of Loans for which Prep. Prem. were": ("measures", "prepayment_premium_loan_balance"),
    "Curr. amt of Prep. Prems": ("measures", "prepayment_premiums"),
    "Real. Losses incurred during the related Due Per": ("measures", "realized_losses_current"),
    "Cum. Real. Losses since Startup Day": ("measures", "realized_losses_cumulative"),
    "Weighted Avg Term to Mat. of Mortg. Loans": ("measures", "weighted_average_remaining_term"),
    "Weighted Avg. Gross Coup. of Mortg. Loans": ("measures", "weighted_average_gross_coupon"),
    "Weighted Avg. Net Coupon of Mortg. Loans": ("measures", "weighted_average_net_coupon"),
    "Agg. Num. of Mortg. Loans in the pool": ("measures", "pool_loan_count"),
    "O/C Target Amt": ("measures", "oc_target"),
    "Credit Enhancement %": ("measures", "credit_enhancement"),
    "O/C Increase Amount": ("measures", "oc_increase"),
    "O/C Release Amt": ("measures", "oc_release"),
    "O/C Deficiency Amt": ("measures", "oc_deficiency"),
    "Excess O/C Amt": ("measures", "oc_excess"),
    "Pmt from Yield Maint. Agreement": ("measures", "yield_maintenance_payment"),
    "Net Monthly Excess Cash Flow": ("measures", "excess_cash_flow"),
    "Extra Ordinary Trust Fund Expenses": ("measures", "extraordinary_expenses"),
    "Trigger Event Occurrence": ("triggers", "trigger_event"),
    "Step Down Date Occurred": ("triggers", "step_down_date"),
    "Distribution Date:": ("reports", "distribution_date"),
    "Date of Report (date of earliest event reported):": ("reports", "report_date"),
}
_LAST_VALUE = re.compile(rf"(?:{_SIGNED}|{_DATE}|YES|NO|N/A)$")
_ENDS_OF_VALUES = tuple("0123456789.)%SOA")
_SERVICER_TEST = re.compile(r"Has (\S.*?) failed the Termination Test$")
_DEAL_NAME = re.compile(r"(\S.*?\bSeries [0-9A-Za-z-]*[0-9][0-9A-Za-z-]*)\s")
_GROUP_LINE = re.compile(r"\s*(?:(?:GROUP [0-9]+|TOTAL)\s*)+$")
_GROUP = re.compile(r"GROUP [0-9]+|TOTAL")


def _head_key(words: Iterable[str]) -> str:
    """The words of a head in any order: heads are stacked and wrapped in several ways."""
    return " ".join(sorted(words))


def _heads() -> dict[str, _ClassBlock | _GroupBlock]:
    heads: dict[str, _ClassBlock | _GroupBlock] = {}
    for strip in _CLASS_BLOCKS:
        heads[_head_key(strip.head.split())] = strip
    for block in _GROUP_BLOCKS:
        for count in range(1, _MAX_GROUPS + 1 if block.cells else 2):
            heads[_head_key(block.head.split() * count)] = block
    return heads


_HEADS = _heads()
_HEAD_WORDS = frozenset(word for key in _HEADS for word in key.split())


def _group_row(block: _GroupBlock, groups: int) -> re.Pattern[str]:
    """A labelled row with the cells of so many groups; a market value may be missing."""
    labels = "|".join(re.escape(label) for label in block.fields)
    cells = [_NUMBER] * (groups * max(len(block.cells), 1))
    if block.cells[-1:] == ("market_value",):
        return _row(cells[:-1], rf"({labels})\s*", rf"(?:\s+{_NUMBER})?")
    return _row(cells, rf"({labels})\s*")


_GROUP_ROWS = {
    (block.name, groups): _group_row(block, groups) for block in _GROUP_BLOCKS for groups in range(1, _MAX_GROUPS + 1)
}


@lru_cache(maxsize=100_000)
def number(raw: str) -> Decimal | None:
    """The value of a printed number: parentheses and minus are negative, per cent is divided by 100."""
    if raw in ("N/A", ""):
        return None
    value = Decimal(raw.strip("()$%-").replace(",", ""))
    if raw.endswith(("%", "%)")):
        value = value.scaleb(-2)
    return -value if "(" in raw or "-" in raw else value


class _Reader:
    """Reads one document; the state is the block whose head was read last."""

    def __init__(self, document: int, cells: list[Cell]) -> None:
        self.document = document
        self.cells = cells
        self.block: _ClassBlock | _GroupBlock | None = None
        self.group_row: re.Pattern[str] | None = None
        self.groups: list[str] = []
        self.pool_groups: list[str] = []
        self.heads: list[list[str]] = []  # lines of head words directly above
        self.above: list[str] = []  # lines without a value directly above
        self.paragraph: list[tuple[int, str]] = []
        self.labels: dict[str, list[str]] = {}

    def read(self, text: str) -> None:
        """Add the cells of the document."""
        for number_, line in enumerate(text.split("\n"), start=1):
            if not line or line.isspace():
                self.paragraph = []
            elif not (self._row(number_, line) or self._head(line)):
                self._single(number_, line)
        self._check_row_order()

    def _row(self, number_: int, line: str) -> bool:
        """A row of the block in which the line stands."""
        block = self.block
        if isinstance(block, _ClassBlock):
            return self._class_row(block, number_, line)
        if block is None or self.group_row is None:
            return False
        found = self.group_row.match(line)
        if found is None:
            return False
        field, status, bucket = block.fields[found[1]]
        width = max(len(block.cells), 1)
        for index in range(2, self.group_row.groups + 1):
            start, end = found.span(index)
            if start >= 0:
                group, place = divmod(index - 2, width)
                name = block.cells[place] if block.cells else field
                raw = line[start:end]
                self.cells.append(
                    (self.document, number_, start, end, block.table, name, None, self.groups[group], status, bucket,
                     raw, number(raw))
                )  # fmt: skip
        self._plain()
        return True

    def _class_row(self, block: _ClassBlock, number_: int, line: str) -> bool:
        found, first = block.row.match(line), 0
        if found is None:
            if block.total_row is None:
                return False
            found, first = block.total_row.match(line), 1
            if found is None:
                return False
        labels = self.labels[block.name]
        if block.labels_from is not None:
            known = self.labels.get(block.labels_from, [])
            key = known[len(labels)] if len(labels) < len(known) else ""
        elif first:
            key = TOTAL
        else:
            key = _CLASS_KEYS.get(found[1], found[1])
        labels.append(key)
        for index, field in enumerate(block.fields[first:], start=1):
            start, end = found.span(index)
            raw = line[start:end]
            value = None if field in ("class_id", "cusip") else number(raw)
            self.cells.append((self.document, number_, start, end, "classes", field, key, None, None, None, raw, value))
        self._plain()
        return True

    def _head(self, line: str) -> bool:
        """A line of a head, or a whole head."""
        if _GROUP_LINE.match(line):
            self.groups = _GROUP.findall(line)
            self.heads = [["GROUPS"]]
            return True
        words = line.split()
        if not _HEAD_WORDS.issuperset(words):
            self.heads = []
            return False
        self.heads = [*self.heads[-_MAX_HEAD_LINES + 1 :], words]
        for first in range(len(self.heads)):
            block = _HEADS.get(_head_key(word for head in self.heads[first:] for word in head))
            if block is not None:
                self._enter(block, grouped=self.heads[0] == ["GROUPS"])
                return True
        return False

    def _enter(self, block: _ClassBlock | _GroupBlock, *, grouped: bool) -> None:
        self.block = block
        self._plain()
        if isinstance(block, _ClassBlock):
            self.labels[block.name] = []
            return
        if not grouped:
            self.groups = self.pool_groups
        if block.name == "group_principal":
            self.pool_groups = self.groups
        self.group_row = _GROUP_ROWS[block.name, len(self.groups)] if self.groups else None

    def _single(self, number_: int, line: str) -> None:
        """A labelled figure; its label may begin up to two lines above."""
        line = line.rstrip()
        found = _LAST_VALUE.search(line) if line.endswith(_ENDS_OF_VALUES) else None
        if found is None:
            if line.lstrip().startswith("(Exact name"):
                self._deal()
            self.above = [*self.above[-1:], line]
            self.paragraph.append((number_, line))
            return
        start, end = found.span()
        label = " ".join(line[:start].split())
        meaning = _SINGLES.get(label) or self._servicer_test(label)
        for above in reversed(self.above):
            if meaning is not None:
                break
            label = f"{' '.join(above.split())} {label}"
            meaning = _SINGLES.get(label) or self._servicer_test(label)
        self.paragraph.append((number_, line))
        self.above = []
        if meaning is None:
            return
        table, field = meaning
        raw = line[start:end]
        group = TOTAL if table == "measures" else None
        value = number(raw) if table == "measures" else None
        self.cells.append((self.document, number_, start, end, table, field, None, group, None, None, raw, value))

    @staticmethod
    def _servicer_test(label: str) -> tuple[str, str] | None:
        return ("triggers", "servicer_termination_test_failed") if _SERVICER_TEST.match(label) else None

    def _deal(self) -> None:
        """The name of the deal stands above this line and may be wrapped."""
        found = _DEAL_NAME.match(" ".join(line.strip() for _, line in self.paragraph))
        if found is not None and self.paragraph:
            number_, line = self.paragraph[0]
            start, end = len(line) - len(line.lstrip()), len(line)
            self.cells.append(
                (self.document, number_, start, end, "reports", "deal_name", None, None, None, None, found[1], None)
            )

    def _plain(self) -> None:
        """Nothing above the next line belongs to it."""
        self.heads, self.above = [], []

    def _check_row_order(self) -> None:
        for strip in _CLASS_BLOCKS:
            rows, labels = (len(self.labels.get(name or "", ())) for name in (strip.name, strip.labels_from))
            if strip.labels_from is not None and rows != labels:
                raise ValueError(f"document {self.document}: {strip.name} and {strip.labels_from} differ in rows")


@dataclass(frozen=True)
class Tables:
    """The records, and the tables that are made of them."""

    records: pl.DataFrame
    reports: pl.DataFrame
    classes: pl.DataFrame
    pools: pl.DataFrame
    delinquencies: pl.DataFrame
    measures: pl.DataFrame
    triggers: pl.DataFrame


def read(texts: Sequence[str]) -> Tables:
    """Read all texts, one after the other, and reshape the records of all of them once."""
    cells: list[Cell] = []
    for document, text in enumerate(texts):
        _Reader(document, cells).read(text)
    return _tidy(pl.DataFrame(cells, schema=SCHEMA, orient="row"))


def _tidy(records: pl.DataFrame) -> Tables:
    parts = {name: records.filter(pl.col("table") == name) for name in ("classes", "pools", "delinquencies")}
    is_text = pl.col("field").is_in(["class_id", "cusip"])
    # Of several spellings of a class the one that is its key counts.
    printed = parts["classes"].filter(is_text).sort(pl.col("raw") != pl.col("class_key"), maintain_order=True)
    texts = _pivot(printed, ["document", "class_key"], "raw")
    numbers = _pivot(parts["classes"].filter(~is_text), ["document", "class_key"], "value")
    statuses = ["document", "group_id", "loan_status", "bucket"]
    return Tables(
        records=records,
        reports=_pivot(records.filter(pl.col("table") == "reports"), ["document"], "raw").with_columns(
            pl.col("distribution_date", "report_date").str.to_date("%d-%b-%y")
        ),
        classes=texts.join(numbers, on=["document", "class_key"], how="left", maintain_order="left"),
        pools=_pivot(parts["pools"], ["document", "group_id"], "value"),
        delinquencies=_pivot(parts["delinquencies"], statuses, "value"),
        measures=records.filter(pl.col("table") == "measures").select("document", "group_id", "value", measure="field"),
        triggers=records.filter(pl.col("table") == "triggers").select(
            "document", trigger="field", occurred=pl.col("raw") == "YES"
        ),
    )


def _pivot(cells: pl.DataFrame, keys: list[str], values: str) -> pl.DataFrame:
    fields = cells["field"].unique(maintain_order=True).to_list()
    return cells.pivot(
        on="field", on_columns=fields, index=keys, values=values, aggregate_function="first", maintain_order=True
    )
