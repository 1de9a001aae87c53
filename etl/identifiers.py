"""CUSIPs and ISINs: the check digit that each should end in."""

from __future__ import annotations

import re
import string

# ANSI X9.6: digits count as themselves, letters from 10 on, then these three.
_VALUES = {character: value for value, character in enumerate(string.digits + string.ascii_uppercase + "*@#")}
# What a character adds to the sum of digits, and where its value is doubled.
_SINGLE = {character: value // 10 + value % 10 for character, value in _VALUES.items()}
_DOUBLED = {character: 2 * value // 10 + 2 * value % 10 for character, value in _VALUES.items()}
LENGTHS = {"cusip": 9, "isin": 12}
# As trustees print them; the three other characters are those of private placements.
_PLAIN_CUSIP = re.compile("[0-9A-Z]{8}[0-9]")


def check_digit(code: str, method: str) -> str:
    """The check digit that `code` should end in; `code` has the form of its kind.

    A CUSIP doubles the value of each second character; an ISIN spells letters as numbers first and then
    doubles each second digit from the right. The digits of the results are added up.

    >>> check_digit("037833100", "cusip")
    '0'
    >>> check_digit("US0378331005", "isin")
    '5'
    """
    body = code[:-1]
    if method == "isin":
        # Reversed, so that the zero makes the last digit a second one.
        body = "0" + "".join([str(_VALUES[character]) for character in body])[::-1]
    singles = sum([_SINGLE[character] for character in body[::2]])
    doubled = sum([_DOUBLED[character] for character in body[1::2]])
    return str(-(singles + doubled) % 10)


def is_cusip(text: str) -> bool:
    """Whether a text is a CUSIP: nine capital letters and digits, the last of which checks the others.

    >>> is_cusip("04541GDP4"), is_cusip("04541GDP5")
    (True, False)
    """
    return bool(_PLAIN_CUSIP.fullmatch(text)) and check_digit(text, "cusip") == text[-1]
