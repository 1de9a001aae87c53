"""What is wanted → listings → filings → files in the inbox, each with its outcome."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import polars as pl

from etl.documents import GZIP, MAX_FILE_BYTES
from etl.downloads import RATE, Downloads, PassingError, Patience, UnservedError, needs_libraries, unpacked
from etl.edgar import (
    Edgar,
    Filer,
    Filing,
    Listing,
    Wanted,
    chosen,
    filer_listing,
    filers_in,
    index_listing,
    page_listing,
    quarters,
    submission_fault,
)
from etl.errors import FetchError
from etl.fetched_files import FetchedFile, FetchedFiles

_T = TypeVar("_T")

# What becomes of a filing: it was fetched; it was there; it is not there, in a dry run; it could not be had; the server
# did not serve any more when its turn came.
FETCHED, THERE, WANTED, FAILED, UNTRIED = "fetched", "there", "wanted", "failed", "untried"
_MIB = 1024 * 1024
# The index of a quarter has some ten MiB, and a few times as much unpacked.
MAX_PACKED_INDEX_BYTES, MAX_INDEX_BYTES = 64 * _MIB, 128 * _MIB
# A JSON takes some 25 times its size in memory. One with thousands of filings has a few MiB.
MAX_LISTING_BYTES = 16 * _MIB
# A hundred filers have some 200 KiB.
MAX_FILERS_BYTES = _MIB
# More filings than all deals ever filed are not held.
_MOST_FILINGS = 1_000_000
# After so many filings in a row that the server did not serve, no more are asked for.
_GIVEN_UP_AFTER = 3
# An industry has at most so many pages of filers.
_MOST_PAGES = 2000


@dataclass(frozen=True)
class FilingOutcome:
    """What became of a filing, where its file is if it has one, and what there is to say about it."""

    outcome: str
    filing: Filing
    file: FetchedFile | None = None
    reason: str | None = None

    @property
    def bytes(self) -> int | None:
        """Those of the file, or those that a listing gives where there is none yet."""
        return self.filing.size if self.file is None else self.file.bytes

    def as_json(self) -> dict[str, Any]:
        """Names and values, with those of the filing."""
        said = asdict(self.filing) | {
            "outcome": self.outcome,
            "file": None if self.file is None else str(self.file.path),
            "bytes": self.bytes,
            "sha256": None if self.file is None else self.file.sha256,
            "reason": self.reason,
        }
        del said["size"]
        return said


@dataclass
class Fetch:
    """What a fetch did. `unlisted` says which listings could not be had, `malformed` how many of their lines are no
    filings, `left` how many filings fit and were left for a limit."""

    inbox: str
    filings: list[FilingOutcome] = field(default_factory=list)
    unlisted: list[str] = field(default_factory=list)
    malformed: int = 0
    left: int = 0
    requests: int = 0
    seconds: float = 0.0
    is_dry: bool = False

    def count(self, outcome: str) -> int:
        """How many filings have this outcome."""
        return sum(filing.outcome == outcome for filing in self.filings)

    @property
    def is_complete(self) -> bool:
        """Whether all that was asked for is there, as far as it was to be fetched."""
        return not (self.unlisted or self.count(FAILED) or self.count(UNTRIED))


@dataclass(frozen=True)
class Heard:
    """Who hears of a fetch while it goes on: how many filings are done of how many; a line where something takes long;
    that another fetch has the inbox."""

    progress: Callable[[int, int], None] = lambda _done, _of: None
    told: Callable[[str], None] = lambda _line: None
    waiting: Callable[[], None] | None = None


def fetch(
    inbox: Path,
    asked: Wanted,
    user_agent: str,
    edgar: Edgar,
    *,
    rate: int = RATE,
    limit: int | None = None,
    is_dry: bool = False,
    patience: Patience = Patience(),  # noqa: B008 - frozen
    heard: Heard = Heard(),
) -> Fetch:
    """Fill a folder with the filings that are wanted; those that it has are not fetched again.

    At most `limit` filings are fetched. What cannot be had is told in the result, and the rest goes on. Raises
    UsageError where the libraries are missing, OutputError where the folder cannot be written.
    """
    needs_libraries()
    begun = time.monotonic()
    result = Fetch(str(inbox), is_dry=is_dry)
    files = FetchedFiles(inbox)
    with (
        files.held(heard.waiting, is_read_only=is_dry),
        Downloads(edgar, user_agent, rate, patience, heard.told) as downloads,
    ):
        filings = _Lister(downloads, edgar, result).filings(asked)
        for outcome in _outcomes(filings, files, downloads, edgar, limit, is_dry=is_dry):
            result.filings.append(outcome)
            heard.progress(len(result.filings), len(filings))
        result.left = len(filings) - len(result.filings)
        result.requests = downloads.requests
    result.seconds = round(time.monotonic() - begun, 3)
    return result


def _outcomes(
    filings: Sequence[Filing],
    files: FetchedFiles,
    downloads: Downloads,
    edgar: Edgar,
    limit: int | None,
    *,
    is_dry: bool,
) -> Iterator[FilingOutcome]:
    """What becomes of each filing, up to the limit."""
    tried = unserved = 0
    for filing in filings:
        try:
            file = files.standing(filing)
        except FetchError as error:
            yield FilingOutcome(FAILED, filing, reason=str(error))
            continue
        if file is not None:
            yield FilingOutcome(THERE, filing, file)
            continue
        if tried == limit:
            return
        if unserved == _GIVEN_UP_AFTER:
            yield FilingOutcome(UNTRIED, filing, reason="the server did not serve those before; fetch again later")
            continue
        tried += 1
        if is_dry:
            yield FilingOutcome(WANTED, filing)
            continue
        outcome, is_unserved = _fetched(filing, files, downloads, edgar)
        unserved = unserved + 1 if is_unserved else 0
        yield outcome


def _fetched(filing: Filing, files: FetchedFiles, downloads: Downloads, edgar: Edgar) -> tuple[FilingOutcome, bool]:
    """Fetch a filing and put it into the inbox; and whether the server did not serve it."""
    url = edgar.submission(filing.cik, filing.accession_number)
    try:
        content = downloads.get(url, MAX_FILE_BYTES, lambda got: _refuse_fault(got, filing))
    except FetchError as error:
        return FilingOutcome(FAILED, filing, reason=f"{url} {error}"), isinstance(error, UnservedError)
    reason = "in place of a file that was not as it had been fetched" if files.path(filing).exists() else None
    return FilingOutcome(FETCHED, filing, files.put(filing, content, url), reason), False


def _refuse_fault(content: bytes, filing: Filing) -> None:
    """Raise FetchError for what is not the filing, its kind PassingError for what may be the beginning of it."""
    fault = submission_fault(content, filing.accession_number)
    if fault is not None:
        raise (PassingError if fault.is_cut else FetchError)(fault.message)


class _Lister:
    """Asks for listings. One that cannot be had is told in the result, and the others are asked for."""

    def __init__(self, downloads: Downloads, edgar: Edgar, result: Fetch) -> None:
        self._downloads = downloads
        self._edgar = edgar
        self._result = result
        self._unserved = 0  # in a row

    def filings(self, asked: Wanted) -> list[Filing]:
        """All filings that fit, each once."""
        listed = self._in_indices(asked) if asked.needs_index else self._of_filers(asked)
        by_number: dict[str, Filing] = {}
        for filing in listed:
            by_number[filing.accession_number] = filing
            if len(by_number) > _MOST_FILINGS:
                raise FetchError(f"more than {_MOST_FILINGS:,} filings fit; ask for fewer days")
        return sorted(by_number.values(), key=lambda filing: (filing.filed_date, filing.accession_number))

    def _in_indices(self, asked: Wanted) -> Iterator[Filing]:
        """Those in the indices of the quarters."""
        assert asked.first is not None
        of_industry = self._industry(asked)
        if asked.sic is not None and not of_industry:
            return
        today = datetime.now(UTC).date()
        for year, quarter in quarters(asked.first, min(asked.last or today, today)):
            url = self._edgar.index(year, quarter)
            listing = self._asked(url, lambda content: index_listing(_opened(content)), MAX_PACKED_INDEX_BYTES)
            if listing is not None:
                yield from chosen(self._counted(listing), asked, of_industry)

    def _of_filers(self, asked: Wanted) -> Iterator[Filing]:
        """Those of the filers that are known."""
        for cik in asked.ciks:
            for listing in self._of_filer(cik, asked):
                yield from chosen(self._counted(listing), asked)

    def _of_filer(self, cik: int, asked: Wanted) -> Iterator[Listing]:
        """The listings of a filer, one after the other; none of one that is of another industry."""
        filer = self._filer(cik, asked)
        if filer is None:
            return
        name, pages = filer.name, filer.pages
        yield filer.recent
        del filer
        for page in pages:
            listing = self._asked(self._edgar.page(page), lambda content: page_listing(content, cik, name))
            if listing is not None:
                yield listing

    def _filer(self, cik: int, asked: Wanted) -> Filer | None:
        """A filer, if it is of the industry that is asked for."""
        filer = self._asked(
            self._edgar.filer(cik), lambda content: filer_listing(content, cik, asked.first, asked.last)
        )
        return filer if filer is not None and asked.sic in (None, filer.sic) else None

    def _industry(self, asked: Wanted) -> frozenset[int] | None:
        """The CIKs of the filers of an industry: of those that are asked for, else of all."""
        if asked.sic is None:
            return None
        if asked.ciks:
            return frozenset(cik for cik in asked.ciks if self._filer(cik, asked) is not None)
        return self._all_of(asked.sic)

    def _all_of(self, sic: str) -> frozenset[int]:
        """The CIKs of all filers of an industry: page by page, until one has nobody new."""
        found: dict[int, None] = {}
        start = 0
        for _ in range(_MOST_PAGES):
            url = self._edgar.filers(sic, start)
            page = self._asked(url, filers_in, MAX_FILERS_BYTES)
            if page == [] and not found:
                self._result.unlisted.append(f"{url} lists nobody")
            if page is None or found.keys() >= set(page):
                break
            found |= dict.fromkeys(page)
            start += len(page)
        return frozenset(found)

    def _counted(self, listing: Listing) -> pl.DataFrame:
        self._result.malformed += listing.malformed
        return listing.filings

    def _asked(self, url: str, read: Callable[[bytes], _T], most: int = MAX_LISTING_BYTES) -> _T | None:
        """What a listing of at most so many bytes says; None where it cannot be had, which is told."""
        try:
            listing = read(self._content(url, most))
        except FetchError as error:
            self._unserved += isinstance(error, UnservedError)
            self._result.unlisted.append(f"{url} {error}")
            return None
        self._unserved = 0
        return listing

    def _content(self, url: str, most: int) -> bytes:
        if self._unserved == _GIVEN_UP_AFTER:
            raise FetchError("was not asked for: the server did not serve those before; fetch again later")
        return self._downloads.get(url, most)


def _opened(content: bytes) -> bytes:
    """An index as it was before it was packed."""
    return unpacked(content, MAX_INDEX_BYTES) if content.startswith(GZIP) else content
