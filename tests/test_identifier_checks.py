"""Check digits of CUSIPs and ISINs: those of real securities pass, every wrong digit is noticed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import polars as pl
import pytest

from etl.identifier_checks import check_digits
from etl.identities import catalogue

# Apple, Cisco, Google, Microsoft, Oracle, a class of a trust; three with the characters of private placements, whose
# check digits are computed by hand: 0 + 0 + 0 + (1 + 4) + 7 + the digits of twice 36, 37 or 38 + (1 + 0) + (2 + 2).
CUSIPS = (
    "037833100",
    "17275R102",
    "38259P508",
    "594918104",
    "68389X105",
    "04541GDP4",
    "00077*AB4",
    "00077@AB2",
    "00077#AB0",
)
# Apple, Treasury Corporation of Victoria, BAE Systems, Daimler.
ISINS = ("US0378331005", "AU0000XVGZA3", "GB0002634946", "DE0007100000")
METHODS = {"cusip": CUSIPS, "isin": ISINS}


def judged(method: str, codes: Sequence[str | None], keys: Sequence[str] | None = None) -> pl.DataFrame:
    """The outcomes for classes that print these identifiers, called C0, C1, ... where they have no names."""
    names = list(keys or [f"C{number}" for number in range(len(codes))])
    columns: dict[str, Sequence[str | None]] = {
        "class_key": names,
        "cusip": [None] * len(codes),
        "isin": [None] * len(codes),
    }
    classes = pl.DataFrame(
        {**columns, method: list(codes)}, schema={"class_key": pl.String, "cusip": pl.String, "isin": pl.String}
    )
    # Each class stands on a line of its own, from 11 on, and its identifier twice: the first place counts.
    printed = [(name, method, line) for line, name in enumerate(names, 11)] + [(name, method, 99) for name in names]
    records = pl.DataFrame(printed, schema={"class_key": pl.String, "field": pl.String, "line": pl.Int32}, orient="row")
    of_report = [pl.lit(0, pl.UInt32).alias("document"), pl.lit(None, pl.String).alias("section")]
    return check_digits(classes.with_columns(of_report), records.with_columns(of_report), catalogue().check_digits)


def outcome(method: str, code: str, key: str = "A-1") -> str:
    return str(judged(method, [code], [key])["outcome"].item())


def explanation(method: str, code: str, key: str = "A-1") -> str:
    return str(judged(method, [code], [key])["explanation"].item())


def luhn(code: str) -> str:
    """The check digit of an ISIN, written out: letters spelled, each second digit from the right doubled."""
    digits = [int(digit) for digit in "".join(str(int(character, 36)) for character in code[:-1])]
    doubled = [digit * 2 if place % 2 == 0 else digit for place, digit in enumerate(reversed(digits))]
    return str(-sum(digit // 10 + digit % 10 for digit in doubled) % 10)


def double_add_double(code: str) -> str:
    """The check digit of a CUSIP, written out."""
    values = ["0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ*@#".index(character) for character in code[:-1]]
    doubled = [value * 2 if place % 2 else value for place, value in enumerate(values)]
    return str(-sum(value // 10 + value % 10 for value in doubled) % 10)


@pytest.mark.parametrize(("method", "code"), [(method, code) for method, codes in METHODS.items() for code in codes])
def test_identifiers_of_real_securities_pass(method: str, code: str) -> None:
    row = judged(method, [code]).row(0, named=True)
    assert (row["check"], row["outcome"], row["explanation"]) == (f"{method}_check_digit", "pass", None)
    assert row["expected"] == row["actual"] == int(code[-1])


@pytest.mark.parametrize(("method", "code"), [(method, code) for method, codes in METHODS.items() for code in codes])
def test_every_wrong_digit_is_noticed(method: str, code: str) -> None:
    wrong = [
        code[:place] + digit + code[place + 1 :]
        for place, own in enumerate(code)
        if own.isdigit()
        for digit in "0123456789"
        if digit != own
    ]
    assert set(judged(method, wrong)["outcome"]) == {"fail"}
    assert len(wrong) >= 5 * 9


@pytest.mark.parametrize(("method", "by_hand"), [("cusip", double_add_double), ("isin", luhn)])
def test_any_characters_have_the_check_digit_of_the_standard(method: str, by_hand: Callable[[str], str]) -> None:
    letters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    length = len(METHODS[method][0])
    codes = ["".join(letters[(place * step + step) % 36] for place in range(length - 1)) + "0" for step in range(1, 80)]
    assert judged(method, codes)["expected"].to_list() == [int(by_hand(code)) for code in codes]


def test_a_wrong_digit_is_told_with_the_right_one() -> None:
    assert explanation("cusip", "037833101") == (
        "the check digit of 037833101 would be 0: misread, misprinted, or the trustee's own number"
    )
    row = judged("cusip", ["037833101"]).row(0, named=True)
    assert (row["expected"], row["actual"]) == (0, 1)


@pytest.mark.parametrize(
    ("method", "codes"), [("cusip", ["037833100", "037833101"]), ("isin", ["US0378331005", "US0378331006"])]
)
def test_what_fails_says_its_line(method: str, codes: list[str]) -> None:
    assert judged(method, codes).select("outcome", "lines").rows() == [("pass", None), ("fail", [12])]


@pytest.mark.parametrize(
    ("method", "code"),
    [
        ("cusip", "03783310"),
        ("cusip", "0378331005"),
        ("cusip", "17275r102"),
        ("cusip", "03783310O"),
        ("cusip", "0378331 0"),
        ("isin", "US037833100"),
        ("isin", "US03783310055"),
        ("isin", "us0378331005"),
    ],
)
def test_what_is_built_otherwise_is_no_identifier(method: str, code: str) -> None:
    assert outcome(method, code) == "fail"
    assert explanation(method, code).startswith(f"{code} is not built as a {method.upper()} is: ")


def test_what_is_no_identifier_at_all_is_not_judged() -> None:
    assert outcome("cusip", "N/A") == "not_applicable"
    assert explanation("cusip", "N/A") == "N/A is printed"
    assert outcome("cusip", "0.00", "TOTAL") == "not_applicable"
    assert explanation("cusip", "0.00", "TOTAL") == "the total row has no CUSIP; 0.00 is printed"


def test_a_class_without_identifier_has_no_check() -> None:
    assert judged("cusip", [None, "037833100"])["subject"].to_list() == ["C1"]
    assert judged("isin", [None]).is_empty()
