"""Reports of families that no layout knows, with invented figures: what proves itself is read, of the others no number
is lost, and what is no report is told from both."""

from __future__ import annotations

from decimal import Decimal

import polars as pl
import pytest

from etl import Layout
from etl.documents import Document, document_from_bytes
from etl.rejected_records import OF_REPORTS, rejected_records

from .reading import Outcome, read_texts, scan_numbers

CLASS_IN_THE_COLUMNS = """\
Contracts Trust                          Remittance Date:       07-Apr-00
Certificates Series 2000A                For the Period Ended:  25-Mar-00
<TABLE>
<CAPTION>
                                            Class I A-1     Class I A-2
 (a) Distribution Amount                   1,234,567.89      234,567.89
 (b) Formula Amount
   (a) Scheduled Principal Due               456,789.01
 Total Principal Distribution                513,578.02
"""

PER_UNIT_IN_SENTENCES = """\
                 Example Card Master Trust, Series 1995-1
   The Trustee states for the Distribution Date of March 15, 1998:
(A)  Distributions to Certificateholders per $1,000
     1.  The total amount of the distribution to Class A
         Certificateholders                                   $5.416667
     2.  The amount of principal                              $0.000000
(B)  Investor Charge-offs for the 37 Monthly Period           $1,234,567.89
"""

LEDGER = """\
MORTGAGE PASS-THROUGH CERTIFICATES
05/2000 DISTRIBUTION REPORT
SERIES: 2000-3   WEIGHTED AVERAGE PC RATE: 7.12345%
CERTIFICATE BALANCE AT ISSUE: $300,123,456.78
BALANCES FROM LAST FISCAL MONTH-END:    1234    $299,000,000.00
PRINCIPAL POOL COLLECTION(S):
  Scheduled Principal Collection Due Current Month      $99,999.99
                                                        $101,111.10     $298,898,888.90
"""

DATES_OVER_COLUMNS = """\
Student Trust 2004-4 Quarterly Servicing Report
Distribution Date 07/26/2004

                                       03/31/04          06/30/04
Student Loan Portfolio Balance     1,000,000.00        987,654.32
Interest to be Capitalized             1,234.00          2,345.00
"""

STACKED = """\
COPIER LEASE NOTES, SERIES 1999-1
Payment Date: 10/15/2003

Class A-4 Notes
   Beginning Note Balance     45,000,000.00
   Less: Principal paid        2,000,000.00
   Ending Note Balance        43,000,000.00
"""

NOT_READ = {
    "classes in the columns": CLASS_IN_THE_COLUMNS,
    "amounts per unit in sentences": PER_UNIT_IN_SENTENCES,
    "a ledger": LEDGER,
    "dates over columns": DATES_OVER_COLUMNS,
    "stacked": STACKED,
}

TABLE_IN_HTML = """\
<html><body><p>Elmwood Home Loan Trust, Series 2004-RES1</p><p>October 25, 2004 Distribution</p>
<table><tr><td>Distribution Date</td><td>October 25, 2004</td></tr></table>
<p>Current Period Distribution - REMIC II</p>
<table>
<tr><td></td><td>Class</td><td></td><td>Original</td><td>Prior Principal</td><td></td><td></td><td>Total</td>
<td>Realized</td><td>Deferred</td><td>Current Principal</td></tr>
<tr><td>Class</td><td>Type</td><td>Cur</td><td>Face Value</td><td>Balance</td><td>Interest</td><td>Principal</td><td>
Distribution</td><td>Loss</td><td>Interest</td><td>Balance</td></tr>
<tr><td></td><td></td><td></td><td></td><td>(1)</td><td>(2)</td><td>(3)</td><td>(4)=(2)+(3)</td><td>(5)</td><td>(6)</td>
<td>(7)=(1)-(3)-(5)+(6)</td></tr>
<tr><td>A-1</td><td>SEN</td><td>$</td><td>115,000,000.00</td><td>98,900,000.00</td><td>406,314.16</td><td>1,500,459.56</td>
<td>1,906,773.72</td><td>0.00</td><td>0.00</td><td>97,399,540.44</td></tr>
<tr><td>M-1</td><td>MEZ</td><td>$</td><td>76,000,000.00</td><td>75,240,000.00</td><td>292,809.00</td><td>170,052.84</td>
<td>462,861.84</td><td>0.00</td><td>0.00</td><td>75,069,947.16</td></tr>
<tr><td>Total</td><td></td><td></td><td>191,000,000.00</td><td>174,140,000.00</td><td>699,123.16</td><td>1,670,512.40</td>
<td>2,369,635.56</td><td>0.00</td><td>0.00</td><td>172,469,487.60</td></tr>
</table>
<table><tr><td>Class</td><td>Principal</td><td>Interest</td></tr>
<tr><td>A-1</td><td>13.047474</td><td>3.533167</td></tr><tr><td>M-1</td><td>2.237537</td><td>3.852750</td></tr></table>
</body></html>
"""

PRIORITIES = """\
Granite Auto Receivables Owner Trust, Series 2015-1
Payment Date: 06/15/2015

               Beginning    1st Priority       Regular         Total           Ending
Class            Balance       Principal     Principal     Principal          Balance       Interest
A-2        59,850,000.00            0.00    687,682.88    687,682.88    59,162,317.12     259,350.00
A-3       159,800,000.00            0.00     96,999.34     96,999.34   159,703,000.66     906,865.00
B         181,770,000.00            0.00  1,552,949.65  1,552,949.65   180,217,050.35     557,595.25
Total     401,420,000.00            0.00  2,337,631.87  2,337,631.87   399,082,368.13   1,723,810.25

                    Per $1000          Per $1000
Class               Principal           Interest
A-2                  7.238767           2.157750
A-3                  0.515954           4.823750
B                    7.091094           2.794333
"""


def _read(text: str, layouts: tuple[Layout, ...]) -> Outcome:
    return read_texts({"a": text}, layouts)["a"]


@pytest.mark.parametrize("family", NOT_READ)
def test_of_a_report_that_is_not_read_no_number_is_lost(layouts: tuple[Layout, ...], family: str) -> None:
    text = NOT_READ[family]
    outcome = _read(text, layouts)
    assert outcome.reason in OF_REPORTS, outcome.message
    assert "without a layout it is not read: " in outcome.message
    numbers = rejected_records(text, "0" * 64)
    assert numbers.height == len(scan_numbers(text))


@pytest.mark.parametrize(
    ("family", "raw", "path"),
    [
        ("classes in the columns", "234,567.89", ("(a) Distribution Amount", "Class I A-2")),
        ("classes in the columns", "456,789.01", ("(a) Scheduled Principal Due", None)),
        ("amounts per unit in sentences", "$5.416667", ("Certificateholders", None)),
        ("amounts per unit in sentences", "$1,234,567.89", ("Monthly Period", None)),
        ("a ledger", "$300,123,456.78", ("CERTIFICATE BALANCE AT ISSUE:", None)),
        ("dates over columns", "987,654.32", ("Student Loan Portfolio Balance", "06/30/04")),
        ("stacked", "2,000,000.00", ("Less: Principal paid", None)),
    ],
)
def test_its_numbers_say_where_they_stand(family: str, raw: str, path: tuple[str, str | None]) -> None:
    numbers = rejected_records(NOT_READ[family], "0" * 64).filter(raw=raw)
    assert numbers.select("row_label", "column_label").rows() == [path]
    assert numbers["value"].to_list() == [Decimal(raw.strip("$").replace(",", ""))]


def _classes(text: str, layouts: tuple[Layout, ...], *columns: str) -> list[tuple[object, ...]]:
    outcome = _read(text, layouts)
    assert outcome.reason is None, outcome.message
    classes = outcome.tables["classes"].select("class_key", pl.col(columns).cast(pl.String))
    return classes.rows()


def test_a_table_with_a_row_of_formulas_is_read(layouts: tuple[Layout, ...]) -> None:
    assert _classes(TABLE_IN_HTML, layouts, "beginning_balance", "principal_distribution", "ending_balance") == [
        ("A-1", "98900000.00", "1500459.56", "97399540.44"),
        ("M-1", "75240000.00", "170052.84", "75069947.16"),
        ("TOTAL", "174140000.00", "1670512.40", "172469487.60"),
    ]


def test_principal_in_parts_is_not_taken_for_all_of_it(layouts: tuple[Layout, ...]) -> None:
    columns = ("beginning_balance", "principal_distribution", "ending_balance", "interest_distribution")
    assert _classes(PRIORITIES, layouts, *columns) == [
        ("A-2", "59850000.00", "687682.88", "59162317.12", None),
        ("A-3", "159800000.00", "96999.34", "159703000.66", None),
        ("B", "181770000.00", "1552949.65", "180217050.35", None),
        ("TOTAL", "401420000.00", "2337631.87", "399082368.13", None),
    ]
    left = _read(PRIORITIES, layouts).tables["records"].filter(column_label="Regular Principal", row_label="A-2")
    assert left.select("raw", "status").rows() == [("687,682.88", "unclaimed")]


@pytest.mark.parametrize(
    "text",
    [
        "Dear Holder,\n\nyour certificateholder statement for the distribution date follows; call (800) 555-0100.\n",
        "FORM 8-K\nDate of Report: March 25, 2001\nCommission file 333-12345\nCertificates, Series 2001-1\n",
        "Invoice: 1,000.00, 2,000.00, 3,000.00 and 4,000.00 dollars.\n",
    ],
)
def test_letters_and_covers_are_no_reports(layouts: tuple[Layout, ...], text: str) -> None:
    document = document_from_bytes(text.encode(), "a")
    assert isinstance(document, Document)
    assert _read(text, layouts).reason == "not_a_report"
