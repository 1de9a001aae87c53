"""EDGAR submissions: their headers, and their documents cut out as they stand."""

from __future__ import annotations

import re
import time
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.errors import RejectedError
from etl.submissions import MAX_HEADER_BYTES, MAX_PARTS, Header, Part, split_submission

TAGS = b"""<SUBMISSION>
<ACCESSION-NUMBER>0001234567-03-000012
<TYPE>8-K/A
<PUBLIC-DOCUMENT-COUNT>2
<PERIOD>20031117
<ITEMS>5
<ITEMS>7
<FILING-DATE>20031201
<FILER>
<COMPANY-DATA>
<CONFORMED-NAME>A MADE UP TRUST 2003-1
<CIK>0000012345
<ASSIGNED-SIC>6189
<IRS-NUMBER>000000000
<STATE-OF-INCORPORATION>DE
<FISCAL-YEAR-END>1231
</COMPANY-DATA>
<FILING-VALUES>
<FORM-TYPE>8-K/A
<ACT>34
<FILE-NUMBER>333-12345-01
<FILM-NUMBER>1
</FILING-VALUES>
<BUSINESS-ADDRESS>
<STREET1>1 A STREET
<STATE>NY
</BUSINESS-ADDRESS>
<FORMER-COMPANY>
<FORMER-CONFORMED-NAME>ANOTHER TRUST
<DATE-CHANGED>19870506
</FORMER-COMPANY>
</FILER>
"""
TABS = b"""<SEC-DOCUMENT>0001234567-03-000012.txt : 20031201
<SEC-HEADER>0001234567-03-000012.hdr.sgml : 20031201
<ACCEPTANCE-DATETIME>20031201123456
ACCESSION NUMBER:\t\t0001234567-03-000012
CONFORMED SUBMISSION TYPE:\t8-K/A
PUBLIC DOCUMENT COUNT:\t\t2
CONFORMED PERIOD OF REPORT:\t20031117
ITEM INFORMATION:\t\t5
ITEM INFORMATION:\t\t7
FILED AS OF DATE:\t\t20031201

FILER:

\tCOMPANY DATA:\t
\t\tCOMPANY CONFORMED NAME:\t\t\tA MADE UP TRUST 2003-1
\t\tCENTRAL INDEX KEY:\t\t\t0000012345
\t\tSTANDARD INDUSTRIAL CLASSIFICATION:\tASSET-BACKED SECURITIES [6189]
\t\tIRS NUMBER:\t\t\t\t000000000
\t\tSTATE OF INCORPORATION:\t\t\tDE

\tFILING VALUES:
\t\tFORM TYPE:\t\t8-K/A
\t\tSEC FILE NUMBER:\t333-12345-01

\tBUSINESS ADDRESS:\t
\t\tSTATE:\t\t\tNY

\tFORMER COMPANY:\t
\t\tFORMER CONFORMED NAME:\tANOTHER TRUST
\t\tDATE OF NAME CHANGE:\t19870506
</SEC-HEADER>
"""
ENVELOPE = b"""-----BEGIN PRIVACY-ENHANCED MESSAGE-----
Proc-Type: 2001,MIC-CLEAR
Originator-Key-Asymmetric:
 MFgwCgYEVQgBAQICAf8DSgAw
MIC-Info: RSA-MD5,RSA,
 gAxnIySNoudrd65SscJALg==

"""
SAID = Header(
    accession_number="0001234567-03-000012",
    cik="0000012345",
    company_name="A MADE UP TRUST 2003-1",
    form_type="8-K/A",
    period=date(2003, 11, 17),
    filed_date=date(2003, 12, 1),
    items=("5", "7"),
    sic="6189",
    state_of_incorporation="DE",
    irs_number="000000000",
    commission_file_number="333-12345-01",
    is_amendment=True,
)
PARTS = b"""<DOCUMENT>
<TYPE>8-K/A
<SEQUENCE>1
<FILENAME>cover.txt
<DESCRIPTION>A COVER
<TEXT>

  The cover
</TEXT>
</DOCUMENT>
<DOCUMENT>
<TYPE>EX-99.1
<SEQUENCE>2
<TEXT>
Class    Balance
- ------ -------
</TEXT>
</DOCUMENT>
"""
CONTENTS = [b"\n  The cover\n", b"Class    Balance\n- ------ -------\n"]


def _parts(content: bytes) -> tuple[Part, ...]:
    submission = split_submission(content)
    assert submission is not None
    return submission.parts


def _header(content: bytes) -> Header:
    submission = split_submission(content)
    assert submission is not None
    return submission.header


def _cut_out(content: bytes, part: Part) -> bytes:
    """What stands in the file from the first line of a part on, as long as the part is."""
    lines = re.split(rb"(?<=\n)|(?<=\r)(?!\n)", content)
    return b"".join(lines[part.first_line - 1 :])[: len(part.content)]


@pytest.mark.parametrize(
    ("content", "first_lines"),
    [
        (TAGS + PARTS + b"</SUBMISSION>\n", [39, 47]),
        (TABS + PARTS + b"</SEC-DOCUMENT>\n", [38, 46]),
        (TABS.replace(b"SEC-HEADER", b"IMS-HEADER").replace(b"SEC-DOC", b"IMS-DOC") + PARTS, [38, 46]),
        (ENVELOPE + TABS + PARTS + b"</SEC-DOCUMENT>\n-----END PRIVACY-ENHANCED MESSAGE-----\n", [45, 53]),
        (b"\xef\xbb\xbf\n\n" + TAGS + PARTS, [41, 49]),
        (TAGS.replace(b"<SUBMISSION>", b"<SEC-HEADER>1.hdr.sgml : 1") + b"</SEC-HEADER>\n" + PARTS, [40, 48]),
    ],
    ids=["tags", "tabs", "early", "envelope", "blanks", "tags in a header"],
)
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"], ids=repr)
def test_all_forms_say_the_same(content: bytes, first_lines: list[int], end: bytes) -> None:
    content = content.replace(b"\n", end)
    assert _header(content) == SAID
    parts = _parts(content)
    assert [part.content for part in parts] == [text.replace(b"\n", end) for text in CONTENTS]
    assert [part.first_line for part in parts] == first_lines
    assert [_cut_out(content, part) for part in parts] == [part.content for part in parts]
    assert (parts[0].type, parts[0].sequence, parts[0].filename, parts[0].description) == (
        "8-K/A",
        1,
        "cover.txt",
        "A COVER",
    )
    assert (parts[1].type, parts[1].sequence, parts[1].filename, parts[1].description) == ("EX-99.1", 2, None, None)


@pytest.mark.parametrize(
    "content",
    [b"", b"Form 8-K\n<DOCUMENT>\n", b"<html>", ENVELOPE, b"x" + TAGS, b"see <SUBMISSION>", b" <SUBMISSIONS>"],
    ids=repr,
)
def test_what_is_no_submission(content: bytes) -> None:
    assert split_submission(content) is None


def test_a_document_alone_has_no_header() -> None:
    assert _header(PARTS) == Header()
    assert [part.first_line for part in _parts(PARTS)] == [7, 15]


def test_a_header_alone_has_no_documents() -> None:
    assert _header(TABS) == SAID
    assert _parts(TABS) == ()


# --- headers ----------------------------------------------------------------------------------------------


def test_what_a_header_does_not_print_is_none() -> None:
    header = _header(b"<SUBMISSION>\n<TYPE>10-D\n<PERIOD>\n<FILING-DATE>20030231\n<ITEMS>\n<FILER>\n</FILER>\n" + PARTS)
    assert header == Header(form_type="10-D", is_amendment=False)
    assert _header(b"<SUBMISSION>\n<PERIOD>031117\n").period is None


def _filer(name: bytes, cik: bytes) -> bytes:
    return b"FILER:\n\n\tCOMPANY DATA:\t\n\t\tCOMPANY CONFORMED NAME:\t%b\n\t\tCENTRAL INDEX KEY:\t%b\n" % (name, cik)


def test_of_several_filers_the_first_counts() -> None:
    header = _header(b"<SEC-HEADER>\n" + _filer(b"ONE", b"1") + _filer(b"TWO", b"2") + b"SEC FILE NUMBER:\t3\n")
    assert (header.company_name, header.cik, header.commission_file_number) == ("ONE", "1", None)


def test_the_issuing_entity_is_neither_depositor_nor_sponsor() -> None:
    roles = b"<SEC-HEADER>\n<DEPOSITOR-CIK>1\n<SPONSOR-CIK>2\n"
    one, two, three = _filer(b"ONE", b"1"), _filer(b"TWO", b"2"), _filer(b"THREE", b"3")
    assert _header(roles + one + two + three).company_name == "THREE"
    assert _header(roles + one + two).company_name == "ONE"


def test_others_than_filers_are_not_the_company() -> None:
    header = _header(b"<SEC-HEADER>\nSUBJECT COMPANY:\n" + _filer(b"ONE", b"1")[6:] + b"FILED BY:\n\tIRS NUMBER:\t5\n")
    assert header == Header()


def test_a_company_that_no_role_is_said_of_is_the_filer() -> None:
    assert _header(b"<SEC-HEADER>\n" + _filer(b"ONE", b"1").removeprefix(b"FILER:\n")).cik == "1"


def test_the_end_of_a_filer_ends_what_is_said_of_it() -> None:
    header = _header(b"<SUBMISSION>\n<FILER>\n<CIK>1\n</FILER>\n<CONFORMED-NAME>X\n<FILER>\n<IRS-NUMBER>2\n")
    assert header == Header(cik="1")


def test_text_is_no_header() -> None:
    """A part of a cut file, and what follows the end of a header, say nothing of the filing."""
    assert _header(b"<SEC-HEADER>\n</SEC-HEADER>\nACCESSION NUMBER:\t1\n<DOCUMENT>\nACCESSION NUMBER: 2\n") == Header()


# --- parts ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cut", "contents"),
    [
        (b"</TEXT>\n", [b"a\n", b"b\n"]),
        (b"</DOCUMENT>\n", [b"a\n", b"b\n"]),
        (b"</TEXT>\n</DOCUMENT>\n", [b"a\n", b"b\n"]),
        (b"</SUBMISSION>\n", [b"a\n", b"b\n"]),
        (b"<TEXT>\n", [b"a\n</TEXT>\n", b"b\n</TEXT>\n"]),
        (b"<TYPE>X\n", [b"a\n", b"b\n"]),
    ],
    ids=repr,
)
def test_marks_may_be_missing(cut: bytes, contents: list[bytes]) -> None:
    part = b"<DOCUMENT>\n<TYPE>X\n<TEXT>\n%b\n</TEXT>\n</DOCUMENT>\n"
    content = (b"<SUBMISSION>\n" + part % b"a" + part % b"b" + b"</SUBMISSION>\n").replace(cut, b"")
    parts = _parts(content)
    assert [part.content for part in parts] == contents
    assert [_cut_out(content, part) for part in parts] == contents


@pytest.mark.parametrize("at", range(len(PARTS)))
def test_a_file_may_be_cut_anywhere(at: int) -> None:
    content = TAGS + PARTS[:at]
    parts = _parts(content)
    assert len(parts) == len(re.findall(rb"<DOCUMENT>", content))
    assert [_cut_out(content, part) for part in parts] == [part.content for part in parts]
    begun = content.rpartition(b"<TEXT>\n")[2]
    if parts and b"<" not in begun:  # cut within a text
        assert parts[-1].content == begun


@pytest.mark.parametrize(
    ("lines", "content", "first_line"),
    [
        (b"<TEXT>\n</TEXT>\n", b"", 3),
        (b"<TEXT>  \na\n</TEXT> \n", b"a\n", 3),
        (b"<TEXT>a b\nc</TEXT>\n", b"<TEXT>a b\nc", 2),
        (b"<TEXT>\na\n</TEXT>\nb\n</TEXT>\n", b"a\n</TEXT>\nb\n", 3),
        (b"<TEXT>\na </TEXT> b\n</TEXT>\n", b"a </TEXT> b\n", 3),
        (b"<TEXT>\n<TEXT>\n</TEXT>\n", b"<TEXT>\n", 3),
        (b"<TEXT>\n <DOCUMENT>\n</TEXT>\n", b" <DOCUMENT>\n", 3),
        (b"<TEXT>\n<PDF>\nbegin 644 a.pdf\nM)5!$\n`\nend\n</PDF>\n</TEXT>\n", None, 3),
        (b"<TEXT>\n\x00\xff%PDF\r\r\n</TEXT>\n", b"\x00\xff%PDF\r\r\n", 3),
        (b"\n\n<TEXT>\na\n</TEXT>\n", b"a\n", 5),
    ],
    ids=repr,
)
def test_contents_are_what_stands_there(lines: bytes, content: bytes | None, first_line: int) -> None:
    (part,) = _parts(b"<DOCUMENT>\n" + lines + b"</DOCUMENT>\n")
    assert part.content == (b"<PDF>\nbegin 644 a.pdf\nM)5!$\n`\nend\n</PDF>\n" if content is None else content)
    assert part.first_line == first_line


@pytest.mark.parametrize("header", [TAGS, TABS])
def test_marks_may_be_in_small_letters(header: bytes) -> None:
    content = re.sub(rb"(?m)^</?[A-Z-]+>", lambda mark: mark[0].lower(), header + PARTS)
    assert b"<document>\n<type>EX-99.1\n" in content
    assert _header(content) == SAID
    assert [part.content for part in _parts(content)] == CONTENTS
    assert [(part.type, part.sequence) for part in _parts(content)] == [("8-K/A", 1), ("EX-99.1", 2)]
    only_parts = re.sub(rb"(?m)^</?(?:DOCUMENT|TEXT)>", lambda mark: mark[0].lower(), header + PARTS)
    assert [part.content for part in _parts(only_parts)] == CONTENTS


def test_small_letters_are_those_of_a_document_where_the_marks_are_in_capitals() -> None:
    text = b"<?xml?>\n<document>\n<text>\na\n</text>\n</document>\n"
    (part,) = _parts(TAGS + b"<DOCUMENT>\n<TEXT>\n" + text + b"</TEXT>\n</DOCUMENT>\n")
    assert part.content == text
    assert split_submission(text[8:]) is None


@pytest.mark.parametrize("between", [b"", b"\n\n", ENVELOPE, b"</SUBMISSION>\n"])
def test_each_submission_of_a_file_has_its_own_header(between: bytes) -> None:
    other = TABS.replace(b"0001234567-03-000012", b"0001234567-03-000099")
    content = TAGS + PARTS + between + other + PARTS
    parts = _parts(content)
    assert [part.content for part in parts] == CONTENTS * 2
    assert [part.header for part in parts[:2]] == [SAID] * 2
    assert {part.header.accession_number for part in parts[2:]} == {"0001234567-03-000099"}
    assert [_cut_out(content, part) for part in parts] == CONTENTS * 2


def test_a_header_in_a_text_is_none() -> None:
    text = b"<SEC-HEADER>\nACCESSION NUMBER: 1\n</SEC-HEADER>\n"
    both = b"<DOCUMENT>\n<TEXT>\n" + text + b"</TEXT>\n</DOCUMENT>\n<DOCUMENT>\n<TEXT>\na\n</TEXT>\n</DOCUMENT>\n"
    assert [part.header for part in _parts(TAGS + both)] == [SAID] * 2


@pytest.mark.parametrize("above", [b"From: a@b\nSubject: <DOCUMENT>\n\n", b"HTTP/1.1 200 OK\r\n\r\n", b"\x00\xff\n"])
def test_something_may_stand_above_a_header(above: bytes) -> None:
    assert _header(above + TAGS + PARTS) == SAID
    assert [_cut_out(above + TABS + PARTS, part) for part in _parts(above + TABS + PARTS)] == CONTENTS
    assert split_submission(above + PARTS) is None
    assert split_submission(above + b" " * 8192 + b"\n" + TABS + PARTS) is None


def test_what_a_part_says_twice_counts_as_first_said() -> None:
    (part,) = _parts(b"<DOCUMENT>\n<TYPE>A\n<TYPE>B\n<SEQUENCE>x\n<DESCRIPTION>\n<FILENAME> \xe9 \n<TEXT>\n<TYPE>C\n")
    assert (part.type, part.sequence, part.filename, part.description) == ("A", None, "é", None)
    assert part.content == b"<TYPE>C\n"


# --- whatever the bytes -----------------------------------------------------------------------------------

_PIECES = st.sampled_from(
    [
        TAGS,
        PARTS,
        b"<SUBMISSION>",
        b"<DOCUMENT>",
        b"<TEXT>",
        b"</TEXT>",
        b"</DOCUMENT>",
        b"<TYPE>",
        b"a",
        b"\x00",
        b"\xff",
        b"\n",
        b"\r",
        b"\r\n",
        b" ",
        b"FILER:",
        b"<SEC-HEADER>",
        b"</SUBMISSION>",
        ENVELOPE,
    ]
)


@given(st.lists(_PIECES | st.binary(max_size=5), max_size=40).map(b"".join))
def test_parts_can_be_cut_out_of_the_file_again(content: bytes) -> None:
    for given_ in (content, TAGS + content, b"<SUBMISSION>\n" + content):
        submission = split_submission(given_)
        for part in submission.parts if submission else ():
            assert _cut_out(given_, part) == part.content


@given(st.binary(max_size=200))
def test_any_bytes_are_a_submission_or_none(content: bytes) -> None:
    split_submission(content)
    (part,) = _parts(b"<DOCUMENT>\n<TEXT>\n" + content.replace(b"<", b"") + b"\n</TEXT>\n</DOCUMENT>\n")
    assert part.content == content.replace(b"<", b"") + b"\n"


def test_so_many_documents_are_read() -> None:
    assert len(_parts(b"<DOCUMENT>\n" * MAX_PARTS)) == MAX_PARTS
    with pytest.raises(RejectedError) as caught:
        split_submission(b"<DOCUMENT>\n" * (MAX_PARTS + 1))
    assert caught.value.reason_code == "too_large"


def test_a_header_has_an_end() -> None:
    assert _header(b"<SUBMISSION>\n" + b" " * MAX_HEADER_BYTES + b"\n<TYPE>8-K\n").form_type is None


@pytest.mark.parametrize(
    "piece",
    [
        b"<TEXT>\n",
        b"</TEXT>\n",
        b"</TEXT> ",
        b"<TEXT>",
        b" ",
        b"\r",
        b"\n",
        b"<DOCUMENT>",
        b"<DOCUMENT> ",
        b"FILER:\n",
        b"<FILER>\n</FILER>\n",
        b"A",
        b"A:",
        b"<TYPE>\n",
        b"</DOCUMENT>\n",
        b"<",
        b"[6189",
        b"\r\n<TEXT> ",
    ],
    ids=repr,
)
@pytest.mark.parametrize("before", [b"<SUBMISSION>\n", b"<DOCUMENT>\n", b"<DOCUMENT>\n<TEXT>\n"], ids=repr)
def test_time_grows_with_the_length(before: bytes, piece: bytes) -> None:
    content = before + piece * (2**20 // len(piece))
    begun = time.process_time()
    split_submission(content)
    assert time.process_time() - begun < 5


# --- real filings -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "header", "first_lines", "sizes"),
    [
        (
            "rfmsi_2000-12-26_8-K_reports-001-100.txt",
            {"cik": "0000774352", "commission_file_number": "333-57481", "sic": "6189", "items": ("5",)}
            | {
                "period": date(2000, 12, 26),
                "filed_date": date(2001, 1, 2),
                "accession_number": "0000774352-01-000002",
            },
            [42, 229],
            [5_931, 943_714],
        ),
        (
            "aames-1998-c_1998-12-15_8-K.txt",
            {"cik": "0000913951", "commission_file_number": "033-70636", "sic": "6189", "items": ()}
            | {"period": date(1998, 12, 15), "filed_date": date(1998, 12, 31), "is_amendment": False},
            [56, 161],
            [3_017, 37_368],
        ),
    ],
)
def test_a_real_filing(
    corpus: Path, name: str, header: dict[str, object], first_lines: list[int], sizes: list[int]
) -> None:
    file = corpus / name
    if not file.is_file():
        pytest.skip(f"needs the real filing {name}, which is not in {corpus}")
    content = file.read_bytes()
    said = _header(content)
    assert {name: getattr(said, name) for name in header} == header
    parts = _parts(content)
    assert [part.first_line for part in parts] == first_lines
    assert [len(part.content) for part in parts] == sizes
    assert [_cut_out(content, part) for part in parts] == [part.content for part in parts]


def test_the_bare_text_of_a_filing_is_no_submission(real_file: Path) -> None:
    assert split_submission(real_file.read_bytes()) is None
