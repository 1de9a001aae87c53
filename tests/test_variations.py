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


@pytest.mark.parametrize("name", STYLES)
def test_a_report_with_three_groups_reads_in_every_style(name: str) -> None:
    assert differences(read_text(render(THREE_GROUPS, STYLES[name])), truth(THREE_GROUPS)) == []


def test_an_amendment_is_known_as_one(text: str) -> None:
    outcome = read_text(replaced(text, "FORM 8-K", "FORM 8-K/A"))
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


@pytest.mark.parametrize("section", [section.name for section in sections(SEED)])
def test_a_lost_section_is_noticed(section: str) -> None:
    rest = [line for part in sections(SEED) if part.name != section for line in part.lines]
    outcome = read_text("\n".join(rest))
    assert outcome.reject or outcome.failed_checks()


@pytest.mark.parametrize("section", ["delinquencies", "loan_status"])
@pytest.mark.parametrize("report", [SEED, THREE_GROUPS], ids=["two", "three"])
def test_the_lost_table_of_one_group_is_noticed(report: Report, section: str) -> None:
    """The last table, TOTAL, is taken out with its heads."""
    lines = next(list(part.lines) for part in sections(report) if part.name == section)
    start = max(number for number, line in enumerate(lines) if line.strip() == "TOTAL")
    text = replaced(render(report), "\n".join(lines), "\n".join(lines[:start]))
    outcome = read_text(text)
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


def test_the_largest_amount_that_fits_is_read(text: str) -> None:
    outcome = read_text(replaced(text, "397,000,000", "9999999999999999.99"))
    assert outcome.tables["classes"]["original_balance"][0] == Decimal("9999999999999999.99")


def test_commas_in_wrong_places_are_noticed(text: str) -> None:
    assert read_text(replaced(text, "397,000,000", "397,00,000")).reason in LOST


def test_a_rate_without_its_percent_sign_is_noticed(text: str) -> None:
    assert read_text(replaced(text, "1.12000%", "1.12000 ")).reason in LOST


def test_a_blank_cell_does_not_take_its_neighbours_value(text: str) -> None:
    """The count of the REO row is blank: the balance must not become the count."""
    row = "REO                   2           248,556         232,000"
    outcome = read_text(replaced(text, row, row.replace(" 2  ", "    ", 1)))
    if outcome.reject is None:
        rows = outcome.tables["delinquencies"].filter(group_id="GROUP 1", status="reo")
        assert rows.select("loan_count", "balance", "market_value").row(0) == (None, 248_556, 232_000)


# --- what a report says of itself --------------------------------------------------------------------------


def test_a_report_without_a_date_is_rejected(text: str) -> None:
    outcome = read_text(text.replace("17-Nov-03", ""))
    assert (outcome.reason, "distribution date" in outcome.message) == ("missing_field", True)


def test_a_report_without_a_deals_name_is_rejected(text: str) -> None:
    outcome = read_text(text.replace(NAME, "").replace(", Series 2003-HE2", ""))
    assert (outcome.reason, "name of a deal" in outcome.message) == ("missing_field", True)


def test_a_day_that_is_none_is_not_guessed(text: str) -> None:
    outcome = read_text(text.replace("17-Nov-03", "31-Nov-03"))
    assert (outcome.reason, "'31-Nov-03' is no date" in outcome.message) == ("value_does_not_fit", True)


def test_a_wrong_day_in_one_place_fails_a_check(text: str) -> None:
    outcome = read_text(re.sub(r"(On\s+)17-Nov-03", r"\g<1>18-Nov-03", text))
    assert outcome.date == SEED.distribution_date
    result, explanation = outcome.check("repeated_fields_agree", "distribution_date")
    assert result == "fail"
    assert "18-Nov-03" in str(explanation)
    assert differences(outcome, truth(SEED)) == []


def test_another_spelling_of_the_same_day_agrees(text: str) -> None:
    outcome = read_text(re.sub(r"(On\s+)17-Nov-03", r"\g<1>November 17, 2003", text))
    assert outcome.check("repeated_fields_agree", "distribution_date")[0] == "pass"


def test_a_report_that_names_two_deals_is_rejected(text: str) -> None:
    at = text.rindex(NAME)
    outcome = read_text(text[:at] + text[at:].replace("2003-HE2", "2003-HE3"))
    assert (outcome.reason, "names two deals" in outcome.message) == ("conflicting_values", True)


def test_two_values_for_one_measure_are_rejected(text: str) -> None:
    outcome = read_text(_after(text, "Servicing Fee", "Servicing Fee       278,037"))
    assert outcome.reason == "conflicting_values"
    assert "servicing_fee is '278,036' in line" in outcome.message
    assert "'278,037' in line" in outcome.message


def test_two_answers_to_one_question_are_rejected(text: str) -> None:
    assert read_text(_after(text, "Trigger Event", "Trigger Event Occurrence   YES")).reason == "conflicting_values"


@pytest.mark.parametrize("again", ["278,036", "278036", "278,036.00", "$278,036"])
def test_a_measure_that_is_printed_twice_is_one(text: str, again: str) -> None:
    outcome = read_text(_after(text, "Servicing Fee", f"Servicing Fee     {again}"))
    assert differences(outcome, truth(SEED)) == []


def _after(text: str, label: str, line: str) -> str:
    """Return the text with a line below the one that begins with `label`."""
    lines = text.split("\n")
    (index,) = [number for number, printed in enumerate(lines) if printed.startswith(label)]
    return with_line(text, index, lines[index], line)


# --- lines that nobody knows -------------------------------------------------------------------------------

UNKNOWN = "Class Z Reserve Fund     1,234,567.89   (5)   7.5%"


@pytest.mark.parametrize("label", ["Servicing Fee", "Extra Ordinary", "Aggregate End Coll Bal", "Num. of Loans"])
def test_an_unknown_line_is_listed_as_unclaimed(text: str, label: str) -> None:
    changed = _after(text, label, UNKNOWN)
    outcome = read_text(changed)
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


def test_a_number_with_a_letter_in_it_is_no_measure(text: str) -> None:
    """278,O36 is not read as 36."""
    outcome = read_text(replaced(text, "278,036", "278,O36"))
    assert "servicing_fee" not in outcome.tables["measures"]["measure"]
    assert outcome.tables["records"].filter(status="unclaimed")["raw"].to_list() == ["278", "36"]
    assert {("expected_lines_found", "deal_figures"), ("every_number_claimed", "report")} <= set(
        outcome.failed_checks()
    )


# --- labels ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("block", ["class_balances", "class_losses", "unit_principal", "unit_endings"])
def test_rows_in_another_order_are_rejected(text: str, block: str) -> None:
    """The strips without labels could then belong to other classes."""
    first, second = (
        next(row for row in located(ROWS, text) if str(row) == f"{block}-{n}") for n in ("05-M-1", "06-M-2")
    )
    changed = with_line(text, first.index, first.text.replace("M-1", "M-2"))
    changed = with_line(changed, second.index, second.text.replace("M-2", "M-1"))
    outcome = read_text(changed)
    assert (outcome.reason, block in outcome.message or "class_losses" in outcome.message) == (
        "row_order_mismatch",
        True,
    )


def test_swapped_group_labels_move_their_figures(text: str) -> None:
    swapped = replaced(replaced(text, "Less RAIS", "Less ????"), "Less Nonrecov Adv", "Less RAIS")
    outcome = read_text(replaced(swapped, "Less ????", "Less Nonrecov Adv"))
    pools = {row["group_id"]: row for row in outcome.tables["pools"].iter_rows(named=True)}
    assert (pools["TOTAL"]["relief_act_shortfall"], pools["TOTAL"]["nonrecoverable_advances"]) == (-4_179, 0)


def test_a_row_for_an_unknown_class_is_rejected(text: str) -> None:
    row = next(row for row in located(ROWS, text) if str(row) == "class_losses-05-M-1")
    outcome = read_text(with_line(text, row.index, row.text.replace("M-1", "M-7")))
    assert outcome.reason in ("missing_row", "unknown_class")
    assert "block class_losses" in outcome.message


def test_a_class_is_never_taken_for_a_similar_one() -> None:
    """A11 may be A-11 or A-1-1; with both in the report it is neither."""
    changed = render(SEED).replace("A-1 ", "A-1-1 ").replace("A-2 ", "A-11 ")
    rows = [row for row in table_rows(SEED) if str(row) == "class_losses-01-A-1"]
    lines = changed.split("\n")
    outcome = read_text(with_line(changed, rows[0].index, lines[rows[0].index].replace("A-1-1", "A11")))
    assert outcome.reason in ("missing_row", "unknown_class")
