"""EDGAR as it is addressed and as it answers: URLs, and listings → filings. Nothing here asks it.

Four of its resources serve (docs/fetch.md says why these):

    data.sec.gov/submissions/CIK##########.json        the filings of one filer, and the names of older pages
    Archives/edgar/full-index/YYYY/QTRn/master.gz      all filings of a quarter: CIK|name|form|date|path
    cgi-bin/browse-edgar?action=getcompany&SIC=...     the filers of an industry, 100 at a time
    Archives/edgar/data/CIK/ACCESSION.txt              a filing, as a full submission

What they say comes from strangers. An accession number, a CIK and the name of a page are taken where they have their
own form and nothing else; a path that a listing gives is never followed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit

import polars as pl
from lxml import etree

from etl.errors import FetchError, UsageError
from etl.submissions import is_whole, submission_header

# The forms that carry distribution reports.
FORMS = ("8-K", "8-K/A", "10-D", "10-D/A")
# Those that nobody but issuers of asset-backed securities files.
FORMS_OF_ISSUERS = frozenset(("10-D", "10-D/A"))
# The first quarter with an index.
FIRST_DAY = date(1993, 1, 1)
# So many filers are asked for in one request.
COMPANIES_IN_PAGE = 100
# An index is read in pieces of about so many bytes, for a text of short lines takes many times its size. A line that is
# as long is none of an index.
_PIECE_BYTES = 256 * 1024
# The filers with the most filings have some hundred pages of them.
_MOST_PAGES = 1000
# The names of filers have at most 150 characters. One is held with each filing.
_MOST_NAME = 1000

LISTED = {
    "accession_number": pl.String,
    "cik": pl.Int64,
    "company_name": pl.String,
    "form_type": pl.String,
    "filed_date": pl.Date,
    "size": pl.Int64,
}
_ACCESSION = "[0-9]{10}-[0-9]{2}-[0-9]{6}"
_ROW = (
    r"^(?<cik>[0-9]{1,10})\|(?<company_name>[^|]*)\|(?<form_type>[^|]+)\|(?<filed_date>[0-9]{4}-[0-9]{2}-[0-9]{2})"
    rf"\|edgar/data/[0-9]{{1,10}}/(?<accession_number>{_ACCESSION})\.txt$"
)
_RULE = re.compile(rb"^-{20,}+[ \t]*+\r?$", re.MULTILINE)
_PAGE = re.compile(r"CIK[0-9]{10}-submissions-[0-9]{3,6}\.json")
_CIK = re.compile(r"(?:CIK)?0*([1-9][0-9]{0,9})", re.IGNORECASE)
_MAIL = re.compile(r"[^\s@<>(),;]+@[^\s@<>(),;]+\.[A-Za-z]{2,}")


@dataclass(frozen=True)
class Edgar:
    """Where EDGAR is: the host of the archives and that of the listings in JSON, or one mirror that serves both."""

    archives: str = "https://www.sec.gov"
    data: str = "https://data.sec.gov"

    def index(self, year: int, quarter: int) -> str:
        """All filings of a quarter."""
        return f"{self.archives}/Archives/edgar/full-index/{year}/QTR{quarter}/master.gz"

    def filer(self, cik: int) -> str:
        """The filings of a filer: the recent ones, and where the older ones are."""
        return f"{self.data}/submissions/CIK{cik:010}.json"

    def page(self, name: str) -> str:
        """Older filings of a filer."""
        return f"{self.data}/submissions/{name}"

    def filers(self, sic: str, start: int) -> str:
        """The filers of an industry, from one of them on."""
        asked = f"action=getcompany&SIC={sic}&owner=include&count={COMPANIES_IN_PAGE}&start={start}&output=atom"
        return f"{self.archives}/cgi-bin/browse-edgar?{asked}"

    def submission(self, cik: int, accession_number: str) -> str:
        """The full submission of a filing."""
        return f"{self.archives}/Archives/edgar/data/{cik}/{accession_number}.txt"

    def serves(self, url: str) -> bool:
        """Whether a redirect to this URL stays with EDGAR: with one of its two hosts, in the same scheme."""
        return _origin(url) in (_origin(self.archives), _origin(self.data))


def _origin(url: str) -> tuple[str, str]:
    try:
        parts = urlsplit(url)
    except ValueError:  # brackets that are not closed
        return "", ""
    return parts.scheme, parts.netloc


def edgar_at(base_url: str | None) -> Edgar:
    """EDGAR itself, or the mirror that a URL names. Raises UsageError, which does not repeat what may be a secret."""
    if base_url is None:
        return Edgar()
    match = re.fullmatch(r"(https?://[A-Za-z0-9._-]+(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~/-]*)?)", base_url)
    if match is None:
        raise UsageError("--base-url is no plain URL; give one such as https://mirror.example.org, without credentials")
    base = match[1].rstrip("/")
    return Edgar(base, base)


def user_agent(given: str | None) -> str:
    """The User-Agent that is declared. Raises UsageError where it names nobody, or no way to reach them."""
    said = " ".join((given or "").split())
    rest = _MAIL.sub("", said)
    if not said.isascii() or not said.isprintable() or rest == said or not re.search("[A-Za-z]{2}", rest):
        raise UsageError(
            "the agency asks who fetches: name yourself with an e-mail address, --user-agent 'Name name@example.org', "
            "or set ETL_USER_AGENT"
        )
    return said


@dataclass(frozen=True)
class Wanted:
    """What is to be fetched: filings that fit all that is given, number and industry by one of its filers, the name by
    that or another.

    `names` are words of a filer's name, `first` and `last` days of filing.
    """

    ciks: tuple[int, ...] = ()
    names: tuple[str, ...] = ()
    sic: str | None = None
    forms: tuple[str, ...] = FORMS
    first: date | None = None
    last: date | None = None

    @property
    def needs_index(self) -> bool:
        """Whether the indices are looked through: else the filers are known, and are asked for themselves."""
        return not self.ciks or bool(self.names)


def wanted(
    ciks: Sequence[str],
    names: Sequence[str],
    sic: str | None,
    forms: Sequence[str],
    first: date | None,
    last: date | None,
) -> Wanted:
    """What a person asks for, checked. Raises UsageError."""
    for name in names:
        if not _words(name):
            raise UsageError(f"--deal {name!r} has no word; give words of the name, such as 'home equity 2003-HE2'")
    if sic is not None and not re.fullmatch("[0-9]{4}", sic):
        raise UsageError(f"--sic {sic!r} is no code of four digits, such as 6189 for asset-backed securities")
    if first and last and first > last:
        raise UsageError(f"--from {first} is after --to {last}")
    chosen = tuple(dict.fromkeys(form.strip().upper() for form in forms)) or FORMS
    asked = Wanted(tuple(dict.fromkeys(map(_cik, ciks))), tuple(names), sic, chosen, first, last)
    if not (ciks or names or sic) and not FORMS_OF_ISSUERS.issuperset(chosen):
        raise UsageError(
            "name --cik, --deal or --sic: other forms than 10-D are filed by everybody (all 10-D: --form 10-D)"
        )
    if asked.needs_index and first is None:
        raise UsageError("give --from: without --cik the index of each quarter since then is looked through")
    return asked


def _cik(given: str) -> int:
    match = _CIK.fullmatch(given.strip())
    if match is None:
        raise UsageError(f"--cik {given!r} is no number of a filer; it has up to ten digits, such as 1234567")
    return int(match[1])


def quarters(first: date, last: date) -> list[tuple[int, int]]:
    """Year and quarter of all indices that have filings of these days.

    >>> quarters(date(2003, 11, 17), date(2004, 1, 2))
    [(2003, 4), (2004, 1)]
    """
    begin, end = (4 * day.year + (day.month - 1) // 3 for day in (max(first, FIRST_DAY), last))
    return [(number // 4, number % 4 + 1) for number in range(begin, end + 1)]


# --- listings ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Listing:
    """Filings as a listing has them, with the columns of `LISTED`: a row for each filer of each. `malformed` counts
    what stands in the listing and is no filing."""

    filings: pl.DataFrame
    malformed: int = 0


@dataclass(frozen=True)
class Filer:
    """A filer as EDGAR lists it: its name and industry, its latest filings, and the pages with the others."""

    name: str
    sic: str | None
    recent: Listing
    pages: tuple[str, ...] = field(default=())


def index_listing(content: bytes) -> Listing:
    """The filings in the index of a quarter. Raises FetchError where it is none."""
    rule = _RULE.search(content)
    if rule is None:
        raise FetchError("is no index of filings: it has no line of hyphens below its head")
    read = [_lines_listing(piece) for piece in _pieces(content, rule.end())]
    filings = pl.concat([listing.filings for listing in read]) if read else pl.DataFrame(schema=LISTED)
    return Listing(filings, sum(listing.malformed for listing in read))


def _pieces(content: bytes, begin: int) -> Iterator[bytes]:
    """The lines from there on, some at a time."""
    while begin < len(content):
        end = content.find(b"\n", begin + _PIECE_BYTES, begin + 2 * _PIECE_BYTES) + 1
        if end == 0 and len(content) - begin > 2 * _PIECE_BYTES:
            raise FetchError(f"is no index of filings: it has a line of more than {_PIECE_BYTES:,} bytes")
        end = end or len(content)
        yield content[begin:end]
        begin = end


def _lines_listing(piece: bytes) -> Listing:
    """The filings in some lines of an index."""
    lines = pl.DataFrame({"line": piece.decode("latin-1").split("\n")}).select(pl.col("line").str.strip_suffix("\r"))
    lines = lines.filter(pl.col("line").str.strip_chars() != "")
    return _listing(lines.select(pl.col("line").str.extract_groups(_ROW)).unnest("line").with_columns(size=None))


def filer_listing(content: bytes, cik: int, first: date | None, last: date | None) -> Filer:
    """What the JSON of a filer says; `pages` are those with filings of these days. Raises FetchError."""
    said = _object(content)
    filings = _mapping(said.get("filings"))
    files = filings.get("files") or []
    if not isinstance(files, list):
        raise FetchError("is no listing of filings: its pages are no list")
    name, sic = _plain(said.get("name")) or "", said.get("sic")
    if len(name) > _MOST_NAME:
        raise FetchError(f"is no listing of filings: its filer has a name of {len(name):,} characters")
    return Filer(
        name,
        sic if isinstance(sic, str) and sic else None,
        _columns_listing(_mapping(filings.get("recent")), cik, name),
        tuple(_pages(files, cik, first, last)),
    )


def page_listing(content: bytes, cik: int, name: str) -> Listing:
    """The filings in a page with older filings of a filer. Raises FetchError."""
    return _columns_listing(_object(content), cik, name)


def _pages(files: Sequence[Any], cik: int, first: date | None, last: date | None) -> list[str]:
    """The names of the pages with filings of these days, each once."""
    if len(files) > _MOST_PAGES:
        raise FetchError(f"names {len(files):,} pages with older filings; at most {_MOST_PAGES:,} are asked for")
    found: dict[str, None] = {}
    for page in map(_mapping, files):
        name = page.get("name")
        if not isinstance(name, str) or not _PAGE.fullmatch(name) or int(name[3:13]) != cik:
            raise FetchError("names a page with older filings that is none of this filer")
        begins, ends = (str(page.get(key) or "") for key in ("filingFrom", "filingTo"))
        too_late = last is not None and begins > last.isoformat()
        too_early = first is not None and ends != "" and ends < first.isoformat()
        if not too_late and not too_early:
            found[name] = None
    return list(found)


def _columns_listing(columns: Mapping[str, Any], cik: int, name: str) -> Listing:
    """Filings that are listed column by column."""
    given = {ours: columns.get(theirs) for ours, theirs in _COLUMNS.items()}
    counts = {len(values) if isinstance(values, list) else -1 for values in given.values()}
    if len(counts) > 1 or -1 in counts:
        raise FetchError("is no listing of filings: its columns are missing, or are not of one length")
    series = [pl.Series(ours, [_plain(value) for value in values or []], pl.String) for ours, values in given.items()]
    rows = pl.DataFrame(series).with_columns(
        pl.when(pl.col("accession_number").str.contains(f"^{_ACCESSION}$")).then(pl.col("accession_number")),
        cik=pl.lit(cik),
        company_name=pl.lit(name),
    )
    return _listing(rows)


_COLUMNS = {
    "accession_number": "accessionNumber",
    "form_type": "form",
    "filed_date": "filingDate",
    "size": "size",
}


def _plain(value: Any) -> str | None:
    """A text or a number as a text that can be written; JSON can have halves of characters."""
    return str(value).encode("utf-8", "replace").decode() if isinstance(value, str | int) else None


def _listing(rows: pl.DataFrame) -> Listing:
    """Rows of texts as filings; those that are none are counted."""
    typed = rows.select(
        pl.col("accession_number"),
        pl.col("cik").cast(pl.Int64, strict=False),
        pl.col("company_name").str.strip_chars(),
        pl.col("form_type").str.strip_chars().str.to_uppercase(),
        pl.col("filed_date").str.to_date("%Y-%m-%d", strict=False),
        pl.col("size").cast(pl.Int64, strict=False),
    )
    good = typed.drop_nulls([name for name in LISTED if name != "size"]).cast(LISTED)  # type: ignore[arg-type]
    return Listing(good, len(typed) - len(good))


def filers_in(content: bytes) -> list[int]:
    """The CIKs in a page of the filers of an industry, in their order. Raises FetchError where it is none."""
    elements = etree.iterparse(
        BytesIO(content), ("start", "end"), resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False
    )
    found: list[int] = []
    depth = 0  # of entries
    try:
        for event, element in elements:
            name = etree.QName(element).localname
            if event == "start":
                if element.getparent() is None and name != "feed":
                    raise FetchError("is no list of filers: it is another document")
                depth += name == "entry"
                continue
            number = _CIK.fullmatch((element.text or "").strip()) if name == "cik" and depth else None
            found += [int(number[1])] if number else []
            depth -= name == "entry"
            _forget(element)
    except etree.XMLSyntaxError as error:
        raise FetchError("is no list of filers: it is no XML") from error
    if len(found) > COMPANIES_IN_PAGE:
        raise FetchError(f"lists {len(found):,} filers, where {COMPANIES_IN_PAGE} were asked for")
    return found


def _forget(element: etree._Element) -> None:
    """Let go of an element that has been read, and of what stands before it: so no more is held than its parents."""
    element.clear()
    parent = element.getparent()
    while parent is not None and (before := element.getprevious()) is not None:
        parent.remove(before)


def _object(content: bytes) -> Mapping[str, Any]:
    try:
        return _mapping(json.loads(content))
    except (ValueError, RecursionError) as error:
        raise FetchError("is no listing of filings: it is no JSON") from error


def _mapping(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise FetchError("is no listing of filings: an object is missing in it")
    return value


# --- what is chosen ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Filing:
    """A filing to fetch. `size` has the bytes that a listing gives for it, where one does."""

    accession_number: str
    cik: int
    company_name: str
    form_type: str
    filed_date: date
    size: int | None = None


def chosen(listed: pl.DataFrame, asked: Wanted, of_industry: Collection[int] | None = None) -> list[Filing]:
    """The filings that fit, each once, in the order of filing.

    One filing may have several filers, each in a row. One of them must have a CIK that is asked for and be of the
    industry (`of_industry`: the CIKs of all its filers); one must have a name, which may be another.
    """
    days = [pl.col("filed_date") >= asked.first] if asked.first else []
    days += [pl.col("filed_date") <= asked.last] if asked.last else []
    fits: list[pl.Expr] = []
    numbers = [set(ciks) for ciks in (asked.ciks or None, of_industry) if ciks is not None]
    if numbers:
        fits.append(pl.col("cik").is_in(sorted(set.intersection(*numbers))))
    if asked.names:
        fits.append(pl.any_horizontal(*(_has_words(name) for name in asked.names)))
    rows = listed.filter(pl.col("form_type").is_in(asked.forms), *days)
    rows = rows.filter(*(fit.any().over("accession_number") for fit in fits))
    rows = rows.with_columns(fitting=pl.sum_horizontal(pl.lit(0), *fits))
    rows = rows.sort("fitting", "cik", descending=[True, False])
    once = rows.unique("accession_number", keep="first", maintain_order=True).sort("filed_date", "accession_number")
    return [Filing(**row) for row in once.select(*LISTED).iter_rows(named=True)]


def _words(text: str) -> str:
    """The words of a name, in small letters, each with a blank before and behind it.

    >>> _words("Series 2003-HE2")
    ' series 2003 he2 '
    """
    words = re.findall("[a-z0-9]+", text.lower())
    return f" {' '.join(words)} " if words else ""


def _has_words(name: str) -> pl.Expr:
    """Whether a filer's name has each of these words. Those with a hyphen stand in it one behind the other."""
    spelled = pl.concat_str(
        pl.lit(" "), pl.col("company_name").str.to_lowercase().str.replace_all("[^a-z0-9]+", " "), pl.lit(" ")
    )
    parts = [part for word in name.split() if (part := _words(word))]
    return pl.all_horizontal(*(spelled.str.contains(part, literal=True) for part in parts))


# --- what was got ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Fault:
    """Why bytes are not the submission that was asked for. `is_cut`: they may be the beginning of it."""

    message: str
    is_cut: bool = False


def submission_fault(content: bytes, accession_number: str) -> Fault | None:
    """What is wrong with the bytes of a full submission; None if they are whole, and of this filing."""
    header = submission_header(content)
    if header is None:
        return Fault("is no submission", is_cut=not content.strip())
    if header.accession_number is None:
        return Fault("its header has no accession number", is_cut=not is_whole(content))
    if header.accession_number != accession_number:
        return Fault(f"is another filing: its header has the accession number {header.accession_number[:30]!r}")
    return None if is_whole(content) else Fault("does not come to its end", is_cut=True)
