"""The same report printed otherwise reads the same; a damaged one is turned away, or a check fails.

Both the test kit's print and the real one (where the corpus is at hand) are edited.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from itertools import pairwise

import pytest

from .editing import Row, located, replaced, spaced, table_rows, with_line, without_line
from .kit import GROUPS, Report, Style, absc_2003_he2, make_deal, render, sections, simulate, truth
from .kit.report import MEASURES
from .reading import Outcome, differences, read_text, read_texts, scan_numbers, wrong_spans

SEED = absc_2003_he2.report()
THREE_GROUPS = simulate(make_deal(2), 1)[0]
PRINTS = ("kit", "real")
ROWS = table_rows(SEED)
NAME = "Asset Backed Securities Corporation, Home Equity Loan Trust, Series 2003-HE2"


@pytest.fixture(params=PRINTS, scope="module")
def text(request: pytest.FixtureRequest) -> str:
    """The report as the kit prints it, or as the trustee did."""
    return render(SEED) if request.param == "kit" else request.getfixturevalue("real_text")


# What single tests change in the report. All of it is read in one batch, as one text costs as much as many.
EDITS: dict[str, Callable[[str], str]] = {}


@pytest.fixture(scope="module")
def edited(text: str) -> dict[str, Outcome]:
    return read_texts({name: edit(text) for name, edit in EDITS.items()})


# --- printed otherwise ------------------------------------------------------------------------------------


def _each_line(change: Callable[[str], str]) -> Callable[[str], str]:
    return lambda text: "\n".join(change(line) for line in text.split("\n"))


def _blank_lines(text: str) -> str:
    rows = {row.index for row in located(ROWS, text)}
    return "\n".join(line + "\n\n" * (number in rows) for number, line in enumerate(text.split("\n")))


def _name_as(*lines: str) -> Callable[[str], str]:
    return lambda text: replaced(text, NAME, "\n".join(lines), 3)


def _stacked_balances(text: str) -> str:
    head = spaced(text, "Class Orig Bal Beg Bal Prin")
    return replaced(
        text, head, "                   Orig          Beg\n     Class         Bal           Bal           Prin"
    )


def _one_line_carry_forward(text: str) -> str:
    lines = "                   Interest\n                Carry-forward\n     Class          Amount        End Bal"
    return replaced(text, lines, "     Class     Interest Carry-forward Amount     End Bal")


def _one_line_shortfalls(text: str) -> str:
    start = text.index("                     Tot            Real            Prep")
    end = text.index("Shortfall\n", start) + len("Shortfall\n")
    return text[:start] + "      Tot Unpaid     Real Losses     Prep Int Shortfall\n" + text[end:]


def _one_line_carryovers(text: str) -> str:
    start = text.index("                                    Net\n")
    end = text.index("Carryover\n", start) + len("Carryover\n")
    return text[:start] + "     RAISF    Net WAC Rate Carryover\n" + text[end:]


def _wrapped_label(label: str, *parts: str) -> Callable[[str], str]:
    return lambda text: replaced(text, label, "\n".join(parts))


def _reversed_sections(text: str) -> str:
    """Whole tables change places; what follows a table directly stays with it."""
    starts = (
        "DISTRIBUTION SUMMARY\n",
        "AMOUNTS PER $1,000 UNIT\n",
        spaced(text, "GROUP 1 GROUP 2 TOTAL"),
        "Advances\n",
        "Delinquency Information\n",
        "                   GROUP 1\n                    Count         Balance     Market Value",
        "Interest Shortfall\n",
        "Num. of Loans for which",
        "Weighted Avg Term",
        "                SIGNATURES",
    )
    cuts = [text.index(start) for start in starts]
    parts = [text[first:last] for first, last in pairwise(cuts)]
    return text[: cuts[0]] + "\n".join(reversed(parts)) + text[cuts[-1] :]


TERM = "Weighted Avg Term to Mat. of Mortg. Loans"
ADVANCES = "Out. Agg. Adv as of end of prior calendar month"
VARIATIONS: dict[str, Callable[[str], str | bytes]] = {
    "as_it_is": str,
    "blank_lines_between_rows": _blank_lines,
    "indented": _each_line(lambda line: "       " + line if line else line),
    "indented_by_a_tab": _each_line(lambda line: "\t" + line if line else line),
    "not_indented": _each_line(str.lstrip),
    "trailing_blanks": _each_line(lambda line: line + "   "),
    "tabs_between_columns": lambda text: re.sub(r" {2,}", "\t", text),
    "single_blanks": lambda text: re.sub(r"(?<=\S) {2,}", " ", text),
    "wide_columns": lambda text: re.sub(r"(?<=\S) {3,}", " " * 12, text),
    "crlf": lambda text: text.replace("\n", "\r\n"),
    "cr": lambda text: text.replace("\n", "\r"),
    "byte_order_mark": lambda text: b"\xef\xbb\xbf" + text.encode(),
    "cp1252": lambda text: replaced(text, "Registrant's", "Registrant\u2019s").encode("cp1252"),
    "utf8": lambda text: replaced(text, "Registrant's", "Registrant\u2019s").encode(),
    "latin1": lambda text: replaced(text, "Registrant's", "Registrant\x81s").encode("latin-1"),
    "no_break_spaces": lambda text: re.sub(r" {3}", "\xa0\xa0 ", text),
    "form_feed": lambda text: replaced(text, "AMOUNTS PER $1,000 UNIT", "\f\nAMOUNTS PER $1,000 UNIT"),
    "form_feed_before_a_head": lambda text: replaced(text, "AMOUNTS PER $1,000 UNIT", "\fAMOUNTS PER $1,000 UNIT"),
    "no_line_end_at_the_end": str.rstrip,
    "name_on_two_lines": _name_as("Asset Backed Securities Corporation,", "Home Equity Loan Trust, Series 2003-HE2"),
    "name_on_three_lines": _name_as(
        "Asset Backed Securities Corporation,", "   Home Equity Loan Trust,", "  Series 2003-HE2"
    ),
    "series_wrapped": _name_as("Asset Backed Securities Corporation, Home Equity Loan Trust, Series", "2003-HE2"),
    "heads_stacked": _stacked_balances,
    "carry_forward_head_on_one_line": _one_line_carry_forward,
    "shortfall_heads_on_one_line": _one_line_shortfalls,
    "carryover_heads_on_one_line": _one_line_carryovers,
    "label_on_two_lines": _wrapped_label(ADVANCES, "Out. Agg. Adv as of end", "of prior calendar month"),
    "label_on_three_lines": _wrapped_label(TERM, "Weighted Avg Term", "to Mat. of", "Mortg. Loans"),
    "value_below_its_label": _wrapped_label("Servicing Fee", "Servicing", "Fee"),
    "sections_reversed": _reversed_sections,
    "group_title_touches_no_number": lambda text: replaced(text, "Prep(Incl Curt)15", "Prep(Incl Curt) 15"),
    "dollar_signs": lambda text: replaced(text, "    1533662.51", "   $1533662.51"),
    "minus_sign": lambda text: replaced(text, "(4,179)", "-4,179", 2),
}


@pytest.fixture(scope="module")
def varied(text: str) -> dict[str, Outcome]:
    return read_texts({name: change(text) for name, change in VARIATIONS.items()})


@pytest.mark.parametrize("name", VARIATIONS)
def test_another_print_reads_the_same(varied: dict[str, Outcome], name: str) -> None:
    assert differences(varied[name], truth(SEED)) == []


@pytest.mark.parametrize("name", VARIATIONS)
def test_another_print_passes_all_checks(varied: dict[str, Outcome], name: str) -> None:
    outcome = varied[name]
    assert outcome.failed_checks() == []
    assert outcome.tables["reports"]["numbers_claimed"].item() == len(scan_numbers(outcome.text))
    assert wrong_spans(outcome.tables["records"], outcome.text) == []


STYLES = {
    "reversed": Style(order=tuple(reversed(GROUPS))),
    "rotated": Style(order=(*tuple(GROUPS)[4:], *tuple(GROUPS)[:4])),
    "one_line_heads": Style(heads="one_line"),
    "split_heads": Style(heads="split"),
    "airy": Style(section_blanks=2, row_blanks=1, indent=9, gap=5, heads="split"),
    "wrapped": Style(title_wrap=3, label_wrap=30),
}


@pytest.fixture(scope="module")
def styled() -> dict[str, Outcome]:
    return read_texts({name: render(THREE_GROUPS, style) for name, style in STYLES.items()})


@pytest.mark.parametrize("name", STYLES)
def test_a_report_with_three_groups_reads_in_every_style(styled: dict[str, Outcome], name: str) -> None:
    assert differences(styled[name], truth(THREE_GROUPS)) == []


EDITS["amendment"] = lambda text: replaced(text, "FORM 8-K", "FORM 8-K/A")


def test_an_amendment_is_known_as_one(edited: dict[str, Outcome]) -> None:
    outcome = edited["amendment"]
    assert outcome.tables["reports"].select("form_type", "is_amendment").row(0) == ("8-K/A", True)


# --- rows that are missing, doubled or illegible -----------------------------------------------------------

LOST = ("row_count_mismatch", "missing_row", "unknown_class", "missing_block")


def _with_o(row: Row) -> str:
    """Return the row with a letter O for its last digit."""
    return re.sub(r"\d(?=\D*$)", "O", row.text)


def _damage(text: str) -> dict[str, Outcome]:
    rows = located(ROWS, text)
    texts = {f"lost {row}": with_line(text, row.index) for row in rows}
    texts |= {f"doubled {row}": with_line(text, row.index, row.text, row.text) for row in rows}
    texts |= {f"illegible {row}": with_line(text, row.index, _with_o(row)) for row in rows}
    return read_texts(texts)


@pytest.fixture(scope="module")
def damaged(text: str) -> dict[str, Outcome]:
    return _damage(text)


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_a_lost_row_is_noticed(damaged: dict[str, Outcome], row: Row) -> None:
    outcome = damaged[f"lost {row}"]
    assert outcome.reason in LOST
    assert f"block {row.block} " in outcome.message


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_a_doubled_row_is_noticed(damaged: dict[str, Outcome], row: Row) -> None:
    outcome = damaged[f"doubled {row}"]
    assert outcome.reason in ("doubled_row", "row_count_mismatch")
    assert f"block {row.block} " in outcome.message


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_a_letter_in_a_number_is_noticed(damaged: dict[str, Outcome], row: Row) -> None:
    outcome = damaged[f"illegible {row}"]
    assert outcome.reason in LOST
    assert f"block {row.block} " in outcome.message


def test_a_lost_row_is_noticed_in_a_report_with_three_groups() -> None:
    text, rows = render(THREE_GROUPS), table_rows(THREE_GROUPS)
    outcomes = read_texts({str(row): with_line(text, row.index) for row in rows})
    assert len(outcomes) == len(rows)
    silent = [name for name, outcome in outcomes.items() if outcome.reason not in LOST]
    unnamed = [str(row) for row in rows if f"block {row.block} " not in outcomes[str(row)].message]
    assert (silent, unnamed) == ([], [])


# --- lines that stand by themselves ------------------------------------------------------------------------

SCALARS = {
    **{name: label for name, label, _ in MEASURES},
    "trigger_event": "Trigger Event Occurrence",
    "step_down_date": "Step Down Date Occurred",
    "servicer_termination_test_failed": "Has Fairbanks failed the Termination Test",
    "distribution_date": "Distribution Date:",
    "report_date": "Date of Report",
}


@pytest.fixture(scope="module")
def without_scalar(text: str) -> dict[str, Outcome]:
    texts = {name: without_line(text, label) for name, label in SCALARS.items() if name != "distribution_date"}
    # The words of this line are a mark of the layout; so only its day is lost.
    texts["distribution_date"] = re.sub(r"(Distribution Date:\s+)17-Nov-03", r"\1", text)
    return read_texts(texts)


@pytest.mark.parametrize("name", SCALARS)
def test_a_lost_line_fails_a_check(without_scalar: dict[str, Outcome], name: str) -> None:
    outcome = without_scalar[name]
    assert outcome.reject is None
    failed = outcome.tables["checks"].filter(outcome="fail", check="expected_lines_found")
    assert [text for text in failed["explanation"] if name in str(text)]


@pytest.mark.parametrize("name", [name for name, _, _ in MEASURES])
def test_a_lost_measure_changes_nothing_else(without_scalar: dict[str, Outcome], name: str) -> None:
    printed = truth(SEED)
    printed["measures"] = [row for row in printed["measures"] if row["measure"] != name]
    assert differences(without_scalar[name], printed) == []


SECTIONS = [section.name for section in sections(SEED)]
GROUPED = {"two": SEED, "three": THREE_GROUPS}
LAST_TABLES = [(groups, section) for groups in GROUPED for section in ("delinquencies", "loan_status")]


def _without_section(section: str) -> str:
    return "\n".join(line for part in sections(SEED) if part.name != section for line in part.lines)


def _without_last_table(report: Report, section: str) -> str:
    """The last table of a section, TOTAL, is taken out with its heads."""
    lines = next(list(part.lines) for part in sections(report) if part.name == section)
    start = max(number for number, line in enumerate(lines) if line.strip() == "TOTAL")
    return replaced(render(report), "\n".join(lines), "\n".join(lines[:start]))


@pytest.fixture(scope="module")
def without_section() -> dict[str, Outcome]:
    texts = {section: _without_section(section) for section in SECTIONS}
    texts |= {f"{groups} {section}": _without_last_table(GROUPED[groups], section) for groups, section in LAST_TABLES}
    return read_texts(texts)


@pytest.mark.parametrize("section", SECTIONS)
def test_a_lost_section_is_noticed(without_section: dict[str, Outcome], section: str) -> None:
    outcome = without_section[section]
    assert outcome.reject or outcome.failed_checks()


@pytest.mark.parametrize(("groups", "section"), LAST_TABLES)
def test_the_lost_table_of_one_group_is_noticed(without_section: dict[str, Outcome], groups: str, section: str) -> None:
    outcome = without_section[f"{groups} {section}"]
    assert outcome.reject or outcome.failed_checks()


# --- values that cannot be right ---------------------------------------------------------------------------

MISFITS = {
    "three_decimals_in_a_class": ("397,000,000", "397,000,000.125", "original_balance"),
    "three_decimals_in_a_measure": ("   17,315,757", "17,315,757.001", "prepayment_premium_loan_balance"),
    "three_decimals_in_a_group": ("434,639,952", "434,639,952.001", "beginning_balance"),
    "half_a_loan": ("2,858           1,283", "2,858.5         1,283", "ending_count"),
    "rate_with_nine_decimals": ("1.12000%", "1.120000001%", "pass_through_rate"),
    "nine_decimals_per_1000": ("40.85504", "40.855040001", "principal_per_1000"),
    "25_digits_in_a_class": ("397,000,000", "3" * 25, "original_balance"),
    "17_digits_in_a_class": ("397,000,000", "3" * 17, "original_balance"),
    "25_digits_in_a_measure": ("   17,315,757", "1" * 25, "prepayment_premium_loan_balance"),
    "60_digits_in_a_group": ("434,639,952", "4" * 60, "beginning_balance"),
    "huge_count": ("114     17489715.08", f"{'1' * 25} 17489715.08", "loan_count"),
}


@pytest.fixture(scope="module")
def misfitting(text: str) -> dict[str, Outcome]:
    texts = {name: replaced(text, old, new, text.count(old)) for name, (old, new, _) in MISFITS.items() if old in text}
    return read_texts(texts)


@pytest.mark.parametrize("name", MISFITS)
def test_a_value_that_does_not_fit_is_never_rounded(misfitting: dict[str, Outcome], name: str) -> None:
    _, new, field = MISFITS[name]
    outcome = misfitting[name]
    assert outcome.reason == "value_does_not_fit"
    assert f"'{new.split()[0]}'" in outcome.message
    assert field in outcome.message


EDITS["largest amount"] = lambda text: replaced(text, "397,000,000", "9999999999999999.99")


def test_the_largest_amount_that_fits_is_read(edited: dict[str, Outcome]) -> None:
    outcome = edited["largest amount"]
    assert outcome.tables["classes"]["original_balance"][0] == Decimal("9999999999999999.99")


EDITS["commas in wrong places"] = lambda text: replaced(text, "397,000,000", "397,00,000")


def test_commas_in_wrong_places_are_noticed(edited: dict[str, Outcome]) -> None:
    assert edited["commas in wrong places"].reason in LOST


EDITS["rate without percent sign"] = lambda text: replaced(text, "1.12000%", "1.12000 ")


def test_a_rate_without_its_percent_sign_is_noticed(edited: dict[str, Outcome]) -> None:
    assert edited["rate without percent sign"].reason in LOST


REO = "REO                   2           248,556         232,000"
EDITS["blank cell"] = lambda text: replaced(text, REO, REO.replace(" 2  ", "    ", 1))


def test_a_blank_cell_does_not_take_its_neighbours_value(edited: dict[str, Outcome]) -> None:
    """The count of the REO row is blank: the balance must not become the count."""
    outcome = edited["blank cell"]
    if outcome.reject is None:
        rows = outcome.tables["delinquencies"].filter(group_id="GROUP 1", status="reo")
        assert rows.select("loan_count", "balance", "market_value").row(0) == (None, 248_556, 232_000)


# --- what a report says of itself --------------------------------------------------------------------------


EDITS["no date"] = lambda text: text.replace("17-Nov-03", "")


def test_a_report_without_a_date_is_rejected(edited: dict[str, Outcome]) -> None:
    outcome = edited["no date"]
    assert (outcome.reason, "distribution date" in outcome.message) == ("missing_field", True)


EDITS["no name"] = lambda text: text.replace(NAME, "").replace(", Series 2003-HE2", "")


def test_a_report_without_a_deals_name_is_rejected(edited: dict[str, Outcome]) -> None:
    outcome = edited["no name"]
    assert (outcome.reason, "name of a deal" in outcome.message) == ("missing_field", True)


EDITS["no such day"] = lambda text: text.replace("17-Nov-03", "31-Nov-03")


def test_a_day_that_is_none_is_not_guessed(edited: dict[str, Outcome]) -> None:
    outcome = edited["no such day"]
    assert (outcome.reason, "'31-Nov-03' is no date" in outcome.message) == ("value_does_not_fit", True)


EDITS["wrong day in one place"] = lambda text: re.sub(r"(On\s+)17-Nov-03", r"\g<1>18-Nov-03", text)


def test_a_wrong_day_in_one_place_fails_a_check(edited: dict[str, Outcome]) -> None:
    outcome = edited["wrong day in one place"]
    assert outcome.date == SEED.distribution_date
    result, explanation = outcome.check("repeated_fields_agree", "distribution_date")
    assert result == "fail"
    assert "18-Nov-03" in str(explanation)
    assert differences(outcome, truth(SEED)) == []


EDITS["another spelling of the day"] = lambda text: re.sub(r"(On\s+)17-Nov-03", r"\g<1>November 17, 2003", text)


def test_another_spelling_of_the_same_day_agrees(edited: dict[str, Outcome]) -> None:
    outcome = edited["another spelling of the day"]
    assert outcome.check("repeated_fields_agree", "distribution_date")[0] == "pass"


def _another_deal_at_the_end(text: str) -> str:
    at = text.rindex(NAME)
    return text[:at] + text[at:].replace("2003-HE2", "2003-HE3")


EDITS["two deals"] = _another_deal_at_the_end


def test_a_report_that_names_two_deals_is_rejected(edited: dict[str, Outcome]) -> None:
    outcome = edited["two deals"]
    assert (outcome.reason, "names two deals" in outcome.message) == ("conflicting_values", True)


EDITS["two values"] = lambda text: _after(text, "Servicing Fee", "Servicing Fee       278,037")


def test_two_values_for_one_measure_are_rejected(edited: dict[str, Outcome]) -> None:
    outcome = edited["two values"]
    assert outcome.reason == "conflicting_values"
    assert "servicing_fee is '278,036' in line" in outcome.message
    assert "'278,037' in line" in outcome.message


EDITS["two answers"] = lambda text: _after(text, "Trigger Event", "Trigger Event Occurrence   YES")


def test_two_answers_to_one_question_are_rejected(edited: dict[str, Outcome]) -> None:
    assert edited["two answers"].reason == "conflicting_values"


def _line_after(label: str, line: str) -> Callable[[str], str]:
    return lambda text: _after(text, label, line)


AGAIN = ("278,036", "278036", "278,036.00", "$278,036")
EDITS |= {f"fee {again} again": _line_after("Servicing Fee", f"Servicing Fee     {again}") for again in AGAIN}


@pytest.mark.parametrize("again", AGAIN)
def test_a_measure_that_is_printed_twice_is_one(edited: dict[str, Outcome], again: str) -> None:
    assert differences(edited[f"fee {again} again"], truth(SEED)) == []


def _after(text: str, label: str, line: str) -> str:
    """Return the text with a line below the one that begins with `label`."""
    lines = text.split("\n")
    (index,) = [number for number, printed in enumerate(lines) if printed.startswith(label)]
    return with_line(text, index, lines[index], line)


# --- lines that nobody knows -------------------------------------------------------------------------------

UNKNOWN = "Class Z Reserve Fund     1,234,567.89   (5)   7.5%"
ABOVE_IT = ("Servicing Fee", "Extra Ordinary", "Aggregate End Coll Bal", "Num. of Loans")
EDITS |= {f"unknown after {label}": _line_after(label, UNKNOWN) for label in ABOVE_IT}


@pytest.mark.parametrize("label", ABOVE_IT)
def test_an_unknown_line_is_listed_as_unclaimed(edited: dict[str, Outcome], text: str, label: str) -> None:
    changed = _after(text, label, UNKNOWN)
    outcome = edited[f"unknown after {label}"]
    assert differences(outcome, truth(SEED)) == []
    records = outcome.tables["records"]
    unclaimed = records.filter(status="unclaimed")
    line = changed.split("\n").index(UNKNOWN) + 1
    places = [(raw, line, UNKNOWN.index(raw), UNKNOWN.index(raw) + len(raw)) for raw in ("1,234,567.89", "(5)", "7.5%")]
    assert unclaimed.select("raw", "line", "column_start", "column_end").rows() == places
    assert set(unclaimed["table"]) | set(unclaimed["rule"]) | set(unclaimed["value"]) == {None}
    report = outcome.tables["reports"].row(0, named=True)
    assert report["numbers_found"] == report["numbers_claimed"] + 3 == len(scan_numbers(changed))
    assert outcome.check("every_number_claimed", "report")[0] == "fail"


EDITS["letter in a number"] = lambda text: replaced(text, "278,036", "278,O36")


def test_a_number_with_a_letter_in_it_is_no_measure(edited: dict[str, Outcome]) -> None:
    """278,O36 is not read as 36."""
    outcome = edited["letter in a number"]
    assert "servicing_fee" not in outcome.tables["measures"]["measure"]
    assert outcome.tables["records"].filter(status="unclaimed")["raw"].to_list() == ["278", "36"]
    assert {("expected_lines_found", "deal_figures"), ("every_number_claimed", "report")} <= set(
        outcome.failed_checks()
    )


# --- labels ------------------------------------------------------------------------------------------------


def _exchanged_labels(block: str) -> Callable[[str], str]:
    def exchange(text: str) -> str:
        rows = {str(row): row for row in located(ROWS, text)}
        first, second = rows[f"{block}-05-M-1"], rows[f"{block}-06-M-2"]
        changed = with_line(text, first.index, first.text.replace("M-1", "M-2"))
        return with_line(changed, second.index, second.text.replace("M-2", "M-1"))

    return exchange


ORDERED = ("class_balances", "class_losses", "unit_principal", "unit_endings")
EDITS |= {f"{block} in another order": _exchanged_labels(block) for block in ORDERED}


@pytest.mark.parametrize("block", ORDERED)
def test_rows_in_another_order_are_rejected(edited: dict[str, Outcome], block: str) -> None:
    """The strips without labels could then belong to other classes."""
    outcome = edited[f"{block} in another order"]
    assert (outcome.reason, block in outcome.message or "class_losses" in outcome.message) == (
        "row_order_mismatch",
        True,
    )


def _swapped_group_labels(text: str) -> str:
    swapped = replaced(replaced(text, "Less RAIS", "Less ????"), "Less Nonrecov Adv", "Less RAIS")
    return replaced(swapped, "Less ????", "Less Nonrecov Adv")


EDITS["swapped group labels"] = _swapped_group_labels


def test_swapped_group_labels_move_their_figures(edited: dict[str, Outcome]) -> None:
    pools = {row["group_id"]: row for row in edited["swapped group labels"].tables["pools"].iter_rows(named=True)}
    assert (pools["TOTAL"]["relief_act_shortfall"], pools["TOTAL"]["nonrecoverable_advances"]) == (-4_179, 0)


def _unknown_class(text: str) -> str:
    row = next(row for row in located(ROWS, text) if str(row) == "class_losses-05-M-1")
    return with_line(text, row.index, row.text.replace("M-1", "M-7"))


EDITS["unknown class"] = _unknown_class


def test_a_row_for_an_unknown_class_is_rejected(edited: dict[str, Outcome]) -> None:
    outcome = edited["unknown class"]
    assert outcome.reason in ("missing_row", "unknown_class")
    assert "block class_losses" in outcome.message


def test_a_class_is_never_taken_for_a_similar_one() -> None:
    """A11 may be A-11 or A-1-1; with both in the report it is neither."""
    changed = render(SEED).replace("A-1 ", "A-1-1 ").replace("A-2 ", "A-11 ")
    rows = [row for row in table_rows(SEED) if str(row) == "class_losses-01-A-1"]
    lines = changed.split("\n")
    outcome = read_text(with_line(changed, rows[0].index, lines[rows[0].index].replace("A-1-1", "A11")))
    assert outcome.reason in ("missing_row", "unknown_class")
