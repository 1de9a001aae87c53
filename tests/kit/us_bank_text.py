"""Prints a report in the trustee's terse text layout, with its quirks, in a chosen style.

The default style is the look of the report of November 2003. Columns are centred on fixed positions or end
at fixed ones; a label may touch its number; the right halves of the class tables have no labels. Positions
count from 0; a `centre` is twice the middle of a column, so that halves need no fractions.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Literal

from .figures import short_date
from .report import MEASURES, TOTAL, ClassRow, LoanTable, PoolColumn, Report, TriggerLine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

Heads = Literal["file", "one_line", "split"]

# the groups that may change places, and the sections that stay together in each
GROUPS: dict[str, tuple[str, ...]] = {
    "class_table": ("class_balances", "class_interest", "class_losses", "class_endings"),
    "unit_table": ("unit_principal", "unit_interest", "unit_endings"),
    "principal": ("group_principal", "pool_scalars"),
    "interest": ("group_interest", "servicing_fee"),
    "advances": ("advances", "termination_test"),
    "delinquencies": ("delinquencies",),
    "loan_status": ("loan_status",),
    "shortfalls": ("class_shortfalls", "class_carryovers"),
    "scalars": (
        "premiums",
        "losses",
        "averages",
        "loan_count",
        "over_collateralization",
        "cash_flow",
        "triggers",
    ),
}
DEFAULT_ORDER = tuple(GROUPS)
SECTION_NAMES = ("cover", "title", *(name for names in GROUPS.values() for name in names), "signatures")


@dataclass(frozen=True, slots=True)
class Style:
    """How a report looks; the defaults are the look of the real file.

    `title_wrap`: the deal's name goes on after so many words on a second line (0: one line).
    `section_blanks`, `row_blanks`: additional blank lines after each section and each table row.
    `indent`: additional blanks before every line. `gap`: additional blanks between columns.
    `label_wrap`: labels of scalars with at least so many characters leave their last two words to the next
    line, where the value stands (0: none). `order`: the names of GROUPS in the order to print them.
    `heads`: as in the file, stacked heads on one line, or one-line heads of two words on two lines.
    """

    title_wrap: int = 0
    section_blanks: int = 0
    row_blanks: int = 0
    indent: int = 0
    gap: int = 0
    label_wrap: int = 0
    order: tuple[str, ...] = DEFAULT_ORDER
    heads: Heads = "file"


@dataclass(frozen=True, slots=True)
class Section:
    """One printed block with the blank lines that follow it."""

    name: str
    lines: tuple[str, ...]


DEFAULT_STYLE = Style()


def random_style(seed: int) -> Style:
    """Return a style that differs from the default in several ways; the same seed gives the same style."""
    rng = Random(f"style {seed}")
    order = list(DEFAULT_ORDER)
    if rng.randrange(2):
        rng.shuffle(order)
    return Style(
        title_wrap=rng.choice((0, 2, 3, 4)),
        section_blanks=rng.randrange(3),
        row_blanks=rng.choice((0, 0, 0, 1)),
        indent=rng.choice((0, 0, 1, 4, 9)),
        gap=rng.choice((0, 0, 2, 5)),
        label_wrap=rng.choice((0, 0, 40, 30)),
        order=tuple(order),
        heads=rng.choice(("file", "one_line", "split")),
    )


def render(report: Report, style: Style = DEFAULT_STYLE) -> str:
    """Return the text of the report; every line ends with a line feed."""
    return "".join(f"{line}\n" for section in sections(report, style) for line in section.lines)


def sections(report: Report, style: Style = DEFAULT_STYLE) -> list[Section]:
    """Return the blocks of the report in printed order; `render` is their lines joined."""
    if sorted(style.order) != sorted(GROUPS):
        raise ValueError(f"order must name each of {', '.join(GROUPS)} once")
    printed = [
        _dressed("cover", _cover(report, style), style),
        _dressed("title", _title(report, style), style),
    ]
    before = "title"
    for group in style.order:
        for name in GROUPS[group]:
            lines = _RENDERERS[name](report, style)
            if name == "group_interest" and before != "principal":
                lines.insert(0, _group_heads(report, style))
            if style.order != DEFAULT_ORDER and lines[-1]:
                lines.append("")
            printed.append(_dressed(name, lines, style))
        before = group
    return [*printed, _dressed("signatures", _signatures(report, style), style)]


def _dressed(name: str, lines: list[str], style: Style) -> Section:
    margin = " " * style.indent
    return Section(name, (*(margin + line if line else "" for line in lines), *[""] * style.section_blanks))


# --- placing text ----------------------------------------------------------------------------------------


def _line(cells: Iterable[tuple[int, str]]) -> str:
    """Texts at their start positions; a text that would run into the one before it moves to the right."""
    line = ""
    for start, text in cells:
        if text:
            line = line.ljust(max(start, len(line) + 1 if line else 0)) + text
    return line


def _centred(centre: int, text: str) -> tuple[int, str]:
    return max(0, (centre - len(text)) // 2), text


def _ending(edge: int, text: str) -> tuple[int, str]:
    """Right-aligned on the digits: a closing parenthesis or a percent sign hangs over the edge."""
    return edge + (1 if text.endswith((")", "%")) else 0) - len(text), text


def _numbers(label: str, edges: Sequence[int], texts: Sequence[str], least: int = 1) -> str:
    """Join a label and its right-aligned numbers; all move together if the label needs the room.

    `least` is the smallest number of blanks between the label and the first number.
    """
    cells = [_ending(edge, text) for edge, text in zip(edges, texts, strict=True)]
    push = max(0, len(label) + (least if label else 0) - cells[0][0])
    line = label
    for start, text in cells:
        line = line.ljust(start + push) + text
    return line


def _spaced(rows: Iterable[str], style: Style) -> list[str]:
    """Table rows with the style's blank lines after each."""
    return [line for row in rows for line in (row, *[""] * style.row_blanks)]


# --- cover, title, signatures ----------------------------------------------------------------------------


def _name_lines(report: Report, style: Style) -> list[str]:
    heading = report.heading
    words = heading.deal_name.split(" ")
    cut = style.title_wrap if 0 < style.title_wrap < len(words) else len(words)
    parts = [" ".join(words[:cut]), " ".join(words[cut:])]
    return [*(part for part in parts if part), f"{heading.certificate_title}, Series {heading.series}"]


def _cover(report: Report, style: Style) -> list[str]:
    return [*_form_head(report, style), *_registrant(report), *_items(report)]


def _form_head(report: Report, style: Style) -> list[str]:
    day = short_date(report.distribution_date)
    return [
        "SECURITIES AND EXCHANGE COMMISSION",
        "Washington, D.C.  20549",
        "",
        "FORM 8-K",
        "",
        "CURRENT REPORT",
        "",
        "Report under Section 13 or 15(d) of the Exchange Act of 1934",
        "",
        "",
        f"Date of Report (date of earliest event reported):              {day}",
        "",
        *_name_lines(report, style),
        "(Exact name of registrant as specified in its charter)",
        "",
        "",
    ]


def _registrant(report: Report) -> list[str]:
    heading = report.heading
    return [
        _line(((10, heading.state), (31, heading.commission_file_number), (53, heading.irs_number))),
        "(State or Other Jurisdiction           (Commission      (I.R.S. Employer",
        "of Incorporation)                        File Number)     Identification No.)",
        "",
        "",
        heading.street,
        _line(((0, heading.city), (69, heading.zip_code))),
        "(Address of Principal Executive Offices)                        (Zip Code)",
        "",
        "",
        "",
        f"Registrant's telephone number, including area code:      {heading.telephone}",
    ]


def _items(report: Report) -> list[str]:
    day = short_date(report.distribution_date)
    return [
        "Item 5. Other Events",
        "",
        f"             On   {day}   a scheduled distribution was made",
        "                on the Certificates of the Trust. The Trustee sends",
        "\t\t\t to",
        f"                the Commission the Monthly Report dated       {day}",
        "                as the staff's earlier letters (1) and its current",
        "                practice (2) provide.",
        *[""] * 5,
        "                A.   Monthly Report Information",
        "                     See Exhibit No.1",
        "",
        "",
        "                B.   Have and deficiencies occurred?  NO.",
        "                              Date:",
        "                              Amount:",
        "",
        "                C.   Item 1: Legal Proceedings:  NONE",
        "",
        "                D.   Item 2: Changes in Securities:   NONE",
        "",
        "                E.   Item 4: Matters put to a Vote of",
        "                     Certificateholders:  NONE",
        "",
        "F. Item 5: Other Information - Form 10-Q, PartII - Items",
        "\t 1,2,4,5",
        "                     where they apply:  NOT APPLICABLE",
        "",
        "",
        "Item 7. Monthly Statements and Exhibits",
        "                Exhibit No.",
        "",
        f"   1.)              Monthly Distribution Report Dated        {day}",
        "",
        "",
    ]


def _title(report: Report, style: Style) -> list[str]:
    day = short_date(report.distribution_date)
    lines = [*_name_lines(report, style), "", "STATEMENT TO CERTIFICATEHOLDERS", ""]
    return [*lines, f"Distribution Date:                   {day}", ""]


def _signatures(report: Report, style: Style) -> list[str]:
    heading = report.heading
    return [
        "                SIGNATURES",
        "The registrant signs this report as the Exchange Act asks,",
        "through the officer of its Trustee who is named below.",
        "",
        *_name_lines(report, style),
        "",
        "",
        f"                        By: /s/ {heading.signer}",
        f"                        Name: {heading.signer}",
        "                        Title:  Vice President",
        f"                        {heading.trustee}, as Trustee",
    ]


# --- class tables ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a class table: its field, its centre, and its heads as (line, start, text)."""

    field: str
    centre: int
    heads: tuple[tuple[int, int, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Strip:
    """One strip of a class table: the lines before it, its columns, the blank lines after it."""

    title: tuple[str, ...]
    columns: tuple[Column, ...]
    blanks: int


_CLASS = Column("class_id", 16, ((0, 5, "Class"),))
_LABEL = Column("shortfall_label", 16)

_STRIPS = {
    "class_balances": Strip(
        ("DISTRIBUTION SUMMARY", ""),
        (
            _CLASS,
            Column("original_balance", 45, ((0, 19, "Orig Bal"),)),
            Column("beginning_balance", 75, ((0, 34, "Beg Bal"),)),
            Column("principal_distribution", 108, ((0, 52, "Prin"),)),
        ),
        2,
    ),
    "class_interest": Strip(
        (),
        (
            Column("pass_through_rate", 16, ((0, 6, "Rate"),)),
            Column("interest_distribution", 45, ((0, 21, "Int"),)),
        ),
        2,
    ),
    "class_losses": Strip(
        (),
        (
            _CLASS,
            Column("realized_loss", 46, ((0, 21, "Loss"),)),
            Column("total_distribution", 75, ((0, 33, "Total Dist"),)),
        ),
        3,
    ),
    "class_endings": Strip(
        (),
        (
            Column("interest_shortfall", 16, ((0, 3, "Int Short"),)),
            Column("ending_balance", 45, ((0, 19, "End Bal"),)),
        ),
        3,
    ),
    "unit_principal": Strip(
        ("AMOUNTS PER $1,000 UNIT", "", ""),
        (
            _CLASS,
            Column("cusip", 45, ((0, 20, "Cusip"),)),
            Column("principal_per_1000", 75, ((0, 36, "Prin"),)),
        ),
        1,
    ),
    "unit_interest": Strip(
        (),
        (
            Column("interest_per_1000", 16, ((0, 6, "Int"),)),
            Column("total_per_1000", 45, ((0, 20, "Total"),)),
        ),
        1,
    ),
    "unit_endings": Strip(
        (),
        (
            Column("class_id", 16, ((2, 5, "Class"),)),
            Column(
                "interest_carryforward_per_1000",
                45,
                ((0, 19, "Interest"), (1, 16, "Carry-forward"), (2, 20, "Amount")),
            ),
            Column("ending_balance_per_1000", 75, ((2, 34, "End Bal"),)),
        ),
        1,
    ),
    "class_shortfalls": Strip(
        ("Interest Shortfall",),
        (
            _LABEL,
            Column("unpaid_interest_shortfall", 45, ((0, 21, "Tot"), (1, 20, "Unpaid"))),
            Column("realized_loss_shortfall", 75, ((0, 36, "Real"), (1, 35, "Losses"))),
            Column("prepayment_interest_shortfall", 108, ((0, 52, "Prep"), (1, 53, "Int"), (2, 50, "Shortfall"))),
        ),
        2,
    ),
    "class_carryovers": Strip(
        (),
        (
            _LABEL,
            Column("relief_act_shortfall", 45, ((1, 20, "RAISF"),)),
            Column("net_wac_carryover", 75, ((0, 36, "Net"), (1, 34, "WAC Rate"), (2, 33, "Carryover"))),
        ),
        2,
    ),
}


def _strip(name: str) -> Callable[[Report, Style], list[str]]:
    """Return the function that prints one strip."""

    def lines(report: Report, style: Style) -> list[str]:
        strip = _STRIPS[name]
        heads, centres = _heads(strip.columns, style)
        rows = (_class_cells(strip.columns, row) for row in report.classes)
        printed = (_line(map(_centred, centres, cells)) for cells in rows if cells is not None)
        return [*strip.title, *heads, *_spaced(printed, style), *[""] * strip.blanks]

    return lines


def _class_cells(columns: tuple[Column, ...], row: ClassRow) -> list[str] | None:
    """Return the row's texts, or None if the table does not print the row."""
    texts: list[str | None] = [getattr(row, column.field) for column in columns]
    cells = [text for text in texts if text is not None]
    return cells if len(cells) == len(texts) else None


def _heads(columns: tuple[Column, ...], style: Style) -> tuple[list[str], list[int]]:
    """Return the head lines and the centres of the columns in the given style."""
    centres = [column.centre + 2 * style.gap * place for place, column in enumerate(columns)]
    if style.heads == "one_line" and any(len(column.heads) > 1 for column in columns):
        return _one_line_heads(columns, centres)
    if style.heads == "split":
        return _split_heads(columns, centres), centres
    count = 1 + max(head[0] for column in columns for head in column.heads)
    moved = [
        (number, start + style.gap * place, text)
        for place, column in enumerate(columns)
        for number, start, text in column.heads
    ]
    return [_line((start, text) for n, start, text in moved if n == number) for number in range(count)], centres


def _one_line_heads(columns: tuple[Column, ...], centres: list[int]) -> tuple[list[str], list[int]]:
    """Stacked heads side by side; columns move to the right where their heads need the room."""
    cells: list[tuple[int, str]] = []
    moved, end, push = [], -3, 0
    for column, centre in zip(columns, centres, strict=True):
        start, text = _centred(centre + 2 * push, " ".join(word for _, _, word in column.heads))
        more = max(0, end + 3 - start) if text else 0
        push += more
        moved.append(centre + 2 * push)
        cells.append((start + more, text))
        end = start + more + len(text) if text else end
    return [_line(cells)], moved


def _split_heads(columns: tuple[Column, ...], centres: list[int]) -> list[str]:
    """Heads of two words on one line become two lines; all heads end on the last line."""
    stacks = []
    for column in columns:
        words = [text for _, _, text in column.heads]
        stacks.append(words[0].split(" ") if len(words) == 1 else words)
    height = max(len(stack) for stack in stacks)
    padded = [[""] * (height - len(stack)) + stack for stack in stacks]
    return [_line(map(_centred, centres, texts)) for texts in zip(*padded, strict=True)]


# --- collateral ------------------------------------------------------------------------------------------


def _edges(report: Report, style: Style) -> list[int]:
    """Where the numbers of the groups and of the total end."""
    groups = len(report.pools) - 1
    edges = [30 + 16 * place for place in range(groups)]
    return [edge + style.gap * place for place, edge in enumerate([*edges, edges[-1] + 17], start=1)]


def _group_heads(report: Report, style: Style) -> str:
    places = enumerate(zip(_edges(report, style), report.pools, strict=True))
    return _line((edge - 4 - min(place, 2) - len(pool.group_id), pool.group_id) for place, (edge, pool) in places)


_PRINCIPAL_ROWS = (
    ("Beginning Balance", "beginning_balance"),
    ("     Scheduled Prin", "scheduled_principal"),
    ("     Prep(Incl Curt)", "prepayments"),
    ("     Net Liq Proc", "liquidation_proceeds"),
    ("     Loan Purch.", "repurchases"),
    ("     Total Prin", "total_principal"),
    ("     Net Real losses", "realized_loss"),
    ("Ending Balance", "ending_balance"),
    ("Ending Count", "ending_count"),
)
_INTEREST_ROWS = (
    ("Sched In(Net Serv fees)", "scheduled_interest"),
    ("Less RAIS", "relief_act_shortfall"),
    ("Less Net PPIS", "prepayment_interest_shortfall"),
    ("Less Nonrecov Adv", "nonrecoverable_advances"),
    ("", "total_interest"),
)


def _group_principal(report: Report, style: Style) -> list[str]:
    edges = _edges(report, style)
    rows = (_numbers(label, edges, _pool_cells(report.pools, field), 0) for label, field in _PRINCIPAL_ROWS)
    return [_group_heads(report, style), "Principal Distributions:", *_spaced(rows, style), ""]


def _group_interest(report: Report, style: Style) -> list[str]:
    edges = [edge - 1 for edge in _edges(report, style)]
    rows = (_numbers(label, edges, _pool_cells(report.pools, field)) for label, field in _INTEREST_ROWS)
    return ["Interest Distributions:", *_spaced(rows, style), ""]


def _pool_cells(pools: tuple[PoolColumn, ...], field: str) -> list[str]:
    return [getattr(pool, field) for pool in pools]


# --- scalars ---------------------------------------------------------------------------------------------

_LABELS = {name: label for name, label, _ in MEASURES}
_SCALAR_EDGE = 62


def _scalar(report: Report, style: Style, name: str, edge: int = _SCALAR_EDGE) -> list[str]:
    """Return the lines of one measure: its label and its value, which ends at `edge`."""
    *first, label = _label_lines(_LABELS[name], style)
    return [*first, _numbers(label, [edge], [report.measure(name)])]


def _label_lines(label: str, style: Style) -> list[str]:
    words = label.split(" ")
    if not style.label_wrap or len(label) < style.label_wrap or len(words) < 4:
        return [label]
    return [" ".join(words[:-2]), " ".join(words[-2:])]


def _block(*names: str, apart: bool = False) -> Callable[[Report, Style], list[str]]:
    """Return the function that prints some measures, one under the other or with a blank line after each."""

    def lines(report: Report, style: Style) -> list[str]:
        printed: list[str] = []
        for name in names:
            printed += [*_scalar(report, style, name), *([""] if apart else [])]
        return printed if apart else [*printed, ""]

    return lines


def _pool_scalars(report: Report, style: Style) -> list[str]:
    """Return the three measures under the collateral table, in its TOTAL column."""
    in_total = _edges(report, style)[-1] - 1
    names = ("ending_pool_balance", "oc_amount", "liquidated_loan_count")
    return [line for name in names for line in (*_scalar(report, style, name, in_total), "")]


def _servicing_fee(report: Report, style: Style) -> list[str]:
    return [*_scalar(report, style, "servicing_fee", _edges(report, style)[-1] - 1), ""]


def _advances(report: Report, style: Style) -> list[str]:
    names = ("advances_current", "advances_outstanding_prior")
    return ["Advances", *(line for name in names for line in _scalar(report, style, name, 63)), ""]


def _termination_test(report: Report, style: Style) -> list[str]:
    line = _trigger(report, "servicer_termination_test_failed")
    *first, label = _label_lines(line.label, style)
    return [*first, f"{label}     {line.answer}"]


def _triggers(report: Report, _style: Style) -> list[str]:
    lines = [_trigger(report, name) for name in ("trigger_event", "step_down_date")]
    return [text for line in lines for text in (line.label.ljust(53) + line.answer, "")]


def _trigger(report: Report, name: str) -> TriggerLine:
    return next(line for line in report.triggers if line.trigger == name)


# --- delinquencies and loan status -----------------------------------------------------------------------

_BUCKET_LABELS = ("30-59 days delinq", "60-89 days delinq", "90 + days delinq")
_STATUS_LABELS = ("Outstanding Loan", "Foreclosure", "Bankruptcy", "REO")
_FOOTNOTE = (
    "*Note:  The above statistics do not include loans in",
    "foreclosure or bankruptcy proceedings or REO properties.",
    "",
)


def _delinquencies(report: Report, style: Style) -> list[str]:
    groups = [table for table in report.loans if table.group_id != TOTAL]
    lines = ["Delinquency Information"]
    for first in range(0, len(groups), 2):
        lines += _delinquent_pair(groups[first : first + 2], style)
    for table in report.loans[len(groups) :]:
        lines += _delinquent_total(table, style)
    return lines


def _delinquent_pair(tables: list[LoanTable], style: Style) -> list[str]:
    """One or two groups side by side: the left one centred, the right one aligned to the right."""
    gap, pair = style.gap, len(tables) > 1
    starts = (20 + gap, 34 + 2 * gap, 49 + 3 * gap, 66 + 4 * gap)
    names = [(19 + gap, tables[0].group_id), (51 + 3 * gap, tables[-1].group_id)]
    heads = list(zip(starts, ("Count", "Balance", "Count", "Balance"), strict=True))
    rows = []
    for label, *lines in zip(_BUCKET_LABELS, *(table.delinquent for table in tables), strict=True):
        cells = [(0, label), _centred(45 + 2 * gap, lines[0].loan_count)]
        cells.append(_centred(75 + 4 * gap, lines[0].balance))
        if pair:
            cells.append(_ending(54 + 3 * gap, lines[1].loan_count))
            cells.append(_ending(74 + 4 * gap, lines[1].balance))
        rows.append(_line(cells))
    shown = (names, heads) if pair else (names[:1], heads[:2])
    return [*map(_line, shown), *_spaced(rows, style), *_FOOTNOTE]


def _name(table: LoanTable, gap: int) -> tuple[int, str]:
    return _centred(45 + 2 * gap, table.group_id)


def _delinquent_total(table: LoanTable, style: Style) -> list[str]:
    gap = style.gap
    edges = (30 + gap, 46 + 2 * gap)
    rows = (
        _numbers(label, edges, (line.loan_count, line.balance))
        for label, line in zip(_BUCKET_LABELS, table.delinquent, strict=True)
    )
    heads = (_line((_name(table, gap),)), _line(((20 + gap, "Count"), (34 + 2 * gap, "Balance"))))
    return [*heads, *_spaced(rows, style), *_FOOTNOTE]


def _loan_status(report: Report, style: Style) -> list[str]:
    return [line for table in report.loans for line in _status_table(table, style)]


def _status_table(table: LoanTable, style: Style) -> list[str]:
    gap, rows = style.gap, []
    for label, line in zip(_STATUS_LABELS, table.statuses, strict=True):
        texts = (line.loan_count, line.balance, line.market_value or "")
        rows.append(_status_row(table.group_id, label, texts, gap))
    heads = ((20 + gap, "Count"), (34 + 2 * gap, "Balance"), (46 + 3 * gap, "Market Value (REO)"))
    return [_line((_name(table, gap),)), _line(heads), *_spaced(rows, style), ""]


def _status_row(group: str, label: str, texts: tuple[str, str, str], gap: int) -> str:
    """Place one row: the first group's table is centred, in the others the first row ends one position further left."""
    if group == "GROUP 1":
        centres = (45 + 2 * gap, 75 + 4 * gap, 107 + 6 * gap)
        return _line([(0, label), *map(_centred, centres, texts)])
    less = 1 if label == _STATUS_LABELS[0] else 0
    edges = (30 + gap - less, 46 + 2 * gap - less, 63 + 3 * gap)
    return _line([(0, label), *map(_ending, edges, texts)])


_RENDERERS: dict[str, Callable[[Report, Style], list[str]]] = {
    **{name: _strip(name) for name in _STRIPS},
    "group_principal": _group_principal,
    "pool_scalars": _pool_scalars,
    "group_interest": _group_interest,
    "servicing_fee": _servicing_fee,
    "advances": _advances,
    "termination_test": _termination_test,
    "delinquencies": _delinquencies,
    "loan_status": _loan_status,
    "premiums": _block(
        "prepayment_premium_loan_count",
        "prepayment_premium_loan_count_2",
        "prepayment_premium_loan_balance",
        "prepayment_premiums",
    ),
    "losses": _block("realized_losses_current", "realized_losses_cumulative"),
    "averages": _block(
        "weighted_average_remaining_term",
        "weighted_average_gross_coupon",
        "weighted_average_net_coupon",
    ),
    "loan_count": _block("pool_loan_count"),
    "over_collateralization": _block(
        "oc_target",
        "credit_enhancement",
        "oc_increase",
        "oc_release",
        "oc_deficiency",
        "oc_excess",
        apart=True,
    ),
    "cash_flow": _block("yield_maintenance_payment", "excess_cash_flow", "extraordinary_expenses", apart=True),
    "triggers": _triggers,
}
