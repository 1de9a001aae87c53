"""Bytes of a file → the documents of an EDGAR submission, cut out as they stand.

A full submission has a header and one or more parts, each between `<TEXT>` and `</TEXT>`. The header comes with tabs
(`<SEC-HEADER>`, in early years `<IMS-HEADER>`) or as tags (`<SUBMISSION>`, the form of the daily feed); early ones are
wrapped in a privacy-enhanced message. Nothing is decoded, trimmed or unwrapped: the bytes of a part are found again in
the file at its `first_line`, the escapes of such a message among them. So a part that is a picture or a PDF in
uuencoding is a part like any other.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date

from etl.decoding import count_lines, decode
from etl.errors import RejectedError

# The largest filings have some thousand parts; each costs some memory, however short it is.
MAX_PARTS = 10_000
# The headers of some hundred filers have less. What stands further down is no fact of the header.
MAX_HEADER_BYTES = 1024 * 1024
# A privacy-enhanced message begins with so much at the most, and no more stands above a submission.
_MAX_PREAMBLE_BYTES = 8 * 1024
# The last mark of a submission, and the blanks behind it.
_MAX_END_BYTES = 1024

_END = rb"(?:\r\n|\r|\n|\Z)"


def _mark(mark: bytes) -> bytes:
    """An expression for a mark at the beginning of a line; it begins with the mark, for so it is found fast."""
    return mark + rb"(?<![^\r\n]" + mark + rb")"


_HEADED = rb"(?<![^\r\n])<(?:SEC-DOCUMENT|IMS-DOCUMENT|SEC-HEADER|IMS-HEADER|SUBMISSION)>"
_HEADER_BEGINS = re.compile(_HEADED)
_BEGINNING = re.compile(_HEADED + rb"|(?<![^\r\n])<DOCUMENT>")
# Some tools write the marks in small letters.
_ANY_HEADER = re.compile(_HEADED, re.IGNORECASE)
_ANY_MARK = re.compile(
    rb"</?(?:SEC-DOCUMENT|IMS-DOCUMENT|SEC-HEADER|IMS-HEADER|SUBMISSION|DOCUMENT|TYPE|SEQUENCE|FILENAME|DESCRIPTION|TEXT)>",
    re.IGNORECASE,
)
_ENVELOPE = b"-----BEGIN PRIVACY-ENHANCED MESSAGE-----"
_ENVELOPE_END = b"-----END PRIVACY-ENHANCED MESSAGE-----"
_ENDS = (b"</SEC-DOCUMENT>", b"</IMS-DOCUMENT>", b"</SUBMISSION>")
# What a privacy-enhanced message puts before a line that begins with a hyphen (RFC 1421, 4.3.1).
_ESCAPE = re.compile(rb"(?<![^\r\n])- (?=-)")
_BLANKS = b" \t\r\n\xef\xbb\xbf"  # and the bytes of a byte order mark
_PART = re.compile(_mark(b"<DOCUMENT>") + rb"[ \t]*+" + _END)
_PART_ENDS = [
    re.compile(_mark(b"</DOCUMENT>")),
    re.compile(_mark(b"</SEC-DOCUMENT>")),
    re.compile(_mark(b"</IMS-DOCUMENT>")),
    re.compile(_mark(b"</SUBMISSION>")),
    re.compile(_mark(_ENVELOPE_END)),
]
_TEXT = re.compile(_mark(b"<TEXT>") + rb"([ \t]*+" + _END + rb")?")
_TEXT_END = re.compile(rb"</TEXT>[ \t]*+" + _END)
_PART_HEAD = re.compile(rb"(?<![^\r\n])<(TYPE|SEQUENCE|FILENAME|DESCRIPTION)>([^\r\n]*+)" + _END)
_HEADER_END = re.compile(rb"(?<![^\r\n])</(?:SEC|IMS)-HEADER>")
# `<TAG>value` of the tag form, `KEY: value` of the form with tabs.
_TAG = re.compile(r"<(/?[A-Za-z0-9-]+)>(.*)")
_KEY = re.compile(r"([A-Z][A-Z0-9 -]*):(.*)")

# The names that the two forms have for one fact.
_SAME = {
    "CONFORMED SUBMISSION TYPE": "TYPE",
    "CONFORMED PERIOD OF REPORT": "PERIOD",
    "FILED AS OF DATE": "FILING-DATE",
    "ITEM INFORMATION": "ITEMS",
    "COMPANY CONFORMED NAME": "CONFORMED-NAME",
    "CENTRAL INDEX KEY": "CIK",
    "STANDARD INDUSTRIAL CLASSIFICATION": "ASSIGNED-SIC",
    "SEC FILE NUMBER": "FILE-NUMBER",
}
# Where the header begins to speak of somebody.
_PARTIES = {"FILER", "FILED-BY", "FILED-FOR", "SUBJECT-COMPANY", "ISSUER", "REPORTING-OWNER", "SERIAL-COMPANY"}
# Whoever has one of these numbers is not the issuing entity.
_OTHER_ROLES = ("DEPOSITOR-CIK", "SPONSOR-CIK")


@dataclass(frozen=True)
class Header:
    """The facts of a submission as its header prints them; dates are typed. None where it has none.

    A filing of asset-backed securities may have several filers. The company is the first one that is neither the
    depositor nor the sponsor, if the header says who these are, and otherwise the first one.
    """

    accession_number: str | None = None
    cik: str | None = None
    company_name: str | None = None
    form_type: str | None = None
    period: date | None = None
    filed_date: date | None = None
    items: tuple[str, ...] = ()
    sic: str | None = None
    state_of_incorporation: str | None = None
    irs_number: str | None = None
    commission_file_number: str | None = None
    is_amendment: bool | None = None


@dataclass(frozen=True)
class Part:
    """A document of a submission.

    `content` has the bytes between the line of `<TEXT>` and that of `</TEXT>`. Where text shares a line with `<TEXT>`,
    the whole line belongs to it, so that its columns are those of the file. `first_line` counts from 1 in the file of
    the submission, whose lines end with a line feed, a carriage return, or both. `header` is that of its own
    submission, where several follow each other in a file.
    """

    type: str | None
    sequence: int | None
    filename: str | None
    description: str | None
    first_line: int
    content: bytes
    header: Header


@dataclass(frozen=True)
class Submission:
    """A full submission: its header and its documents, in their order; those of others that follow in the file come
    after them. `is_escaped`: it is wrapped in a privacy-enhanced message, in which a leading hyphen is escaped."""

    header: Header
    parts: tuple[Part, ...]
    is_escaped: bool = False


@dataclass
class _Party:
    """One of those that a header speaks of, and what it says of it."""

    role: str
    facts: dict[str, str] = field(default_factory=dict)


def split_submission(content: bytes) -> Submission | None:
    """The submission in a file, or None if it is none. A single document with its tags is one without a header.

    Raises RejectedError where it has more parts than are read.
    """
    found = _beginning(content)
    if found is None:
        return None
    marked, begin = found
    starts = list(_starts(marked, begin))
    header = _header(_bounded(marked, begin, starts[0].start() if starts else len(content)))
    return Submission(header, tuple(_parts(content, marked, starts, header)), _is_enveloped(content))


def submission_header(content: bytes) -> Header | None:
    """The header of the first submission in a file, or None if it is none; its documents are not cut out."""
    found = _beginning(content)
    if found is None:
        return None
    marked, begin = found
    first = _PART.search(marked, begin)
    return _header(_bounded(marked, begin, first.start() if first else len(content)))


def is_whole(content: bytes) -> bool:
    """Whether a full submission comes to its end: its own mark stands there, or that of the message around it."""
    end = content[-_MAX_END_BYTES:].rstrip(_BLANKS).upper()
    return end.endswith(_ENVELOPE_END) if _is_enveloped(content) else end.endswith(_ENDS)


def without_escapes(content: bytes, instead: bytes) -> bytes:
    """A part of a privacy-enhanced message with something else where a leading hyphen is escaped."""
    return _ESCAPE.sub(instead, content)


def _in_capitals(content: bytes) -> bytes:
    """The bytes with the marks of a submission in capitals, if it has them in small letters; as many bytes, so what is
    found in them is found in the file. (Where they are in capitals, small letters are those of a document in XML.)"""
    if b"<DOCUMENT>" in content or not _ANY_HEADER.search(content[:_MAX_PREAMBLE_BYTES]):
        return content
    return _ANY_MARK.sub(lambda mark: mark[0].upper(), content)


def _beginning(content: bytes) -> tuple[bytes, int] | None:
    """The bytes of a file with the marks of a submission in capitals, and where it begins: after blanks, in a
    privacy-enhanced message, or where its header stands below something else, such as the lines of a mail. None where
    there is none."""
    if b"<" not in content[:_MAX_PREAMBLE_BYTES]:  # as in most; the expressions take far longer to find that out
        return None
    marked = _in_capitals(content)
    head = marked[:_MAX_PREAMBLE_BYTES]
    blanks = len(head) - len(head.lstrip(_BLANKS))
    if _BEGINNING.match(head[blanks:]):
        return marked, blanks
    found = (_BEGINNING if _is_enveloped(head) else _HEADER_BEGINS).search(head)
    return (marked, found.start()) if found else None


def _bounded(content: bytes, begin: int, end: int) -> bytes:
    """The lines of a header."""
    return content[begin : min(end, begin + MAX_HEADER_BYTES)]


def _is_enveloped(content: bytes) -> bool:
    return content[:_MAX_PREAMBLE_BYTES].lstrip(_BLANKS).startswith(_ENVELOPE)


def _starts(content: bytes, begin: int) -> Iterator[re.Match[bytes]]:
    """The lines `<DOCUMENT>`."""
    for number, start in enumerate(_PART.finditer(content, begin), 1):
        if number > MAX_PARTS:
            message = f"the submission has more than {MAX_PARTS:,} documents; at most so many are read"
            raise RejectedError("too_large", message, "split it into its documents")
        yield start


def _parts(content: bytes, marked: bytes, starts: list[re.Match[bytes]], header: Header) -> Iterator[Part]:
    """The documents. One whose end is missing goes to the next one, or to the end of the file."""
    counted, lines, end = 0, 1, len(content)
    bounds = [*(start.start() for start in starts), len(content)]
    for start, bound in zip(starts, bounds[1:], strict=True):
        if other := _HEADER_BEGINS.search(marked, end, start.start()):
            header = _header(_bounded(marked, other.start(), start.start()))
        begin, end = _span(marked, start.end(), bound)
        # No stretch that is counted ends between a carriage return and its line feed.
        lines += count_lines(content[counted:begin]) - 1
        counted = begin
        head = _part_head(marked[start.end() : begin])
        sequence = head.get("SEQUENCE", "")
        yield Part(
            type=head.get("TYPE"),
            sequence=int(sequence) if re.fullmatch(r"[0-9]{1,9}", sequence) else None,
            filename=head.get("FILENAME"),
            description=head.get("DESCRIPTION"),
            first_line=lines,
            content=content[begin:end],
            header=header,
        )


def _span(content: bytes, begin: int, bound: int) -> tuple[int, int]:
    """Where the text of a part begins and ends: the part's own lines begin at `begin`, the next part at `bound`."""
    end = bound
    for mark in _PART_ENDS:
        stop = mark.search(content, begin, end)
        end = stop.start() if stop else end
    text = _TEXT.search(content, begin, end)
    if text is None:
        while head := _PART_HEAD.match(content, begin, end):
            begin = head.end()
        return begin, end
    # The last mark of an end is the part's; others are text.
    closings = [closing.start() for closing in _TEXT_END.finditer(content, text.end(), end)]
    return text.start() if text[1] is None else text.end(), closings[-1] if closings else end


def _part_head(lines: bytes) -> dict[str, str]:
    """What the lines above a text say of it. What they say twice counts as first said."""
    said: dict[str, str] = {}
    for name, value in _PART_HEAD.findall(lines):
        if text := decode(value).strip():
            said.setdefault(name.decode(), text)
    return said


def _header(lines: bytes) -> Header:
    """The facts in the lines of a header."""
    end = _HEADER_END.search(lines)
    filing: dict[str, str] = {}
    items: list[str] = []
    parties: list[_Party] = []
    for name, value in _named(decode(lines[: end.start()] if end else lines)):
        if name in _PARTIES or (name == "COMPANY-DATA" and not parties):
            parties.append(_Party(name))
        elif name == "/FILER":
            parties.append(_Party(name))  # what follows is not said of this filer
        elif not value:
            continue
        elif parties:
            parties[-1].facts.setdefault(name, value)
        elif name == "ITEMS":
            items.append(value)
        else:
            filing.setdefault(name, value)
    company = _company(parties, {filing.get(role) for role in _OTHER_ROLES})
    form_type = filing.get("TYPE")
    return Header(
        accession_number=filing.get("ACCESSION-NUMBER"),
        cik=company.get("CIK"),
        company_name=company.get("CONFORMED-NAME"),
        form_type=form_type,
        period=_date(filing.get("PERIOD")),
        filed_date=_date(filing.get("FILING-DATE")),
        items=tuple(items),
        sic=_sic(company.get("ASSIGNED-SIC")),
        state_of_incorporation=company.get("STATE-OF-INCORPORATION"),
        irs_number=company.get("IRS-NUMBER"),
        commission_file_number=company.get("FILE-NUMBER"),
        is_amendment=None if form_type is None else form_type.endswith("/A"),
    )


def _named(header: str) -> Iterator[tuple[str, str]]:
    """Names and values of the lines of a header, by the names of the tag form."""
    for line in re.split(r"[\r\n]", header):
        found = _TAG.match(line.lstrip()) or _KEY.match(line.lstrip())
        if found:
            name = found[1].strip().upper()
            yield _SAME.get(name, name.replace(" ", "-")), found[2].strip()


def _company(parties: list[_Party], others: set[str | None]) -> Mapping[str, str]:
    """What is said of the issuing entity, as far as the header tells it from other filers."""
    filers = [party.facts for party in parties if party.role in ("FILER", "COMPANY-DATA") and party.facts]
    issuing = [facts for facts in filers if facts.get("CIK") not in others]
    return next(iter(issuing or filers), {})


def _date(printed: str | None) -> date | None:
    """The day that is printed as eight digits."""
    if printed is None or not re.fullmatch(r"[0-9]{8}", printed):
        return None
    try:
        return date(int(printed[:4]), int(printed[4:6]), int(printed[6:]))
    except ValueError:
        return None


def _sic(printed: str | None) -> str | None:
    """The code of the industry: `6189`, or `ASSET-BACKED SECURITIES [6189]`."""
    found = re.search(r"(?:\A|\[)([0-9]{4})\]?\Z", printed or "")
    return found[1] if found else None
