"""`etl fetch` against a real server: what it asks for, how often, what it leaves, and what it makes of trouble."""

from __future__ import annotations

import gzip
import hashlib
import itertools
import json
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

import etl
from etl.documents import find_inputs
from etl.downloads import MOST_RATE, Gate, Patience
from etl.edgar import (
    Filing,
    Wanted,
    chosen,
    edgar_at,
    filer_listing,
    filers_in,
    index_listing,
    quarters,
    submission_fault,
    user_agent,
    wanted,
)
from etl.errors import FetchError, OutputError, UsageError
from etl.fetching import FAILED, FETCHED, THERE, UNTRIED, Fetch, Heard, fetch

from .edgar_server import (
    BANK,
    DEPOSITOR,
    OVER_LIMIT,
    PAGE,
    TRUST,
    WHO,
    EdgarServer,
    Fault,
    Filed,
    answers,
    cuts,
    drips,
    filed,
    holds,
    made_filings,
    packs,
    packs_and_cuts,
    serving,
    shortens,
    sleeps,
    withholds,
)
from .filings import submission
from .processes import call_etl, on_terminal

PROGRAM = [sys.executable, "-c", "from etl.cli import main; main()"]
# Of which no test waits long. Only what is silent for good is taken for silent: a machine may have much to do.
SOON = Patience(tries=3, first_pause=0.02, longest_pause=0.05, over_limit=0.05, silence=60, longest_asked=5, settling=0)
# A process that ends by itself ends by then.
SECONDS = 60
ALL = Wanted(ciks=(DEPOSITOR,))
OF_DEPOSITOR = [filing for filing in made_filings() if filing.form.startswith("8-K") and filing.filers[0][0] != BANK]
MIB = 1024 * 1024
NUMBERS = sorted(filing.number for filing in OF_DEPOSITOR)
FIRST = f"/Archives/edgar/data/{DEPOSITOR}/{OF_DEPOSITOR[0].number}.txt"


@pytest.fixture(scope="module")
def made() -> list[Filed]:
    return made_filings()


@pytest.fixture
def server(made: list[Filed]) -> Iterator[EdgarServer]:
    with serving(list(made)) as running:
        yield running


def _fetch(server: EdgarServer, inbox: Path, asked: Wanted = ALL, **options: Any) -> Fetch:
    return fetch(inbox, asked, WHO, edgar_at(server.url), rate=MOST_RATE, patience=SOON, **options)


def _etl(server: EdgarServer, inbox: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return call_etl("fetch", inbox, "--base-url", server.url, *options, ETL_USER_AGENT=WHO)


def _texts(inbox: Path) -> dict[str, str]:
    return {file.name: file.read_bytes().decode("cp1252") for file in inbox.glob("*.txt")}


def _as_filed(made: list[Filed], numbers: list[str]) -> dict[str, str]:
    return {f"{filing.number}.txt": filing.text for filing in made if filing.number in numbers}


def _outcomes(done: Fetch) -> list[tuple[str, str]]:
    return [(outcome.filing.accession_number, outcome.outcome) for outcome in done.filings]


# What a process of its own holds at its peak for a listing, in bytes beyond what it held before.
HELD = """
import sys
from pathlib import Path
from etl.edgar import filers_in, index_listing
from etl.errors import FetchError

def memory(which):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(which))

head, unit, end = (part.encode() for part in sys.argv[2:5])
read = {"index": index_listing, "filers": filers_in}[sys.argv[1]]
read(head + unit + end)
content = b"".join([head, unit * (int(sys.argv[5]) // len(unit)), end])
before = memory("VmRSS")
try:
    read(content)
except FetchError:
    pass
print(memory("VmHWM") - before)
"""


def _held(kind: str, head: str, unit: str, end: str, size: int) -> int:
    done = subprocess.run(
        [sys.executable, "-c", HELD, kind, head, unit, end, str(size)], capture_output=True, text=True, check=True
    )
    return int(done.stdout)


def _row(number: str, **other: Any) -> dict[str, Any]:
    usual = {"cik": 1, "company_name": "A", "form_type": "8-K", "filed_date": date(2003, 1, 1), "size": None}
    return {"accession_number": number, **usual, **other}


# --- what stands in listings ----------------------------------------------------------------------------------

HEAD = b"Description: an index\n\nCIK|Company Name|Form Type|Date Filed|Filename\n" + b"-" * 60 + b"\n"


def test_the_lines_of_an_index_are_filings() -> None:
    rows = (
        b"12|CAF\xc9 TRUST|8-k |2003-11-21|edgar/data/12/0000950000-03-000042.txt\r\n"
        b"1234567890||10-D|2007-01-02|edgar/data/1/0000950000-07-000001.txt\n"
    )
    listing = index_listing(HEAD + rows)
    assert listing.malformed == 0
    assert listing.filings.rows() == [
        ("0000950000-03-000042", 12, "CAFÉ TRUST", "8-K", date(2003, 11, 21), None),
        ("0000950000-07-000001", 1234567890, "", "10-D", date(2007, 1, 2), None),
    ]


@pytest.mark.parametrize(
    "line",
    [
        b"12|A|8-K|2003-11-21|../../../etc/passwd",
        b"12|A|8-K|2003-11-21|edgar/data/../../0000950000-03-000042.txt",
        b"12|A|8-K|2003-11-21|edgar/data/12/../0000950000-03-000042.txt",
        b"12|A|8-K|2003-11-21|edgar/data/12/0000950000-03-000042.txt/../x",
        b"12|A|8-K|2003-02-30|edgar/data/12/0000950000-03-000042.txt",
        b"12|A|8-K|20031121|edgar/data/12/0000950000-03-000042.txt",
        b"twelve|A|8-K|2003-11-21|edgar/data/12/0000950000-03-000042.txt",
        b"12|A|B|8-K|2003-11-21|edgar/data/12/0000950000-03-000042.txt",
        b"\x00\xff\xfe",
    ],
)
def test_a_line_that_is_no_filing_is_counted(line: bytes) -> None:
    good = b"12|A|8-K|2003-11-21|edgar/data/12/0000950000-03-000043.txt\n"
    listing = index_listing(HEAD + line + b"\n" + good)
    assert (listing.filings["accession_number"].to_list(), listing.malformed) == (["0000950000-03-000043"], 1)


def test_a_page_without_the_head_of_an_index_is_none() -> None:
    with pytest.raises(FetchError, match="no index of filings"):
        index_listing(PAGE)


@pytest.mark.parametrize("unit", ["\n", "ab\n", "x" * 99, "1||A|2003-01-01|edgar/data/1/0000950000-03-000042.txt\n"])
def test_an_index_takes_a_few_times_its_size_in_memory(unit: str) -> None:
    size = 12 * MIB
    assert _held("index", HEAD.decode(), unit, "\n", size) < 4 * size


def test_an_index_is_read_in_pieces_and_none_is_lost() -> None:
    row = b"12|A|8-K|2003-11-21|edgar/data/12/0000950000-03-%06d.txt\r\n"
    listing = index_listing(HEAD + b"".join(row % at + b"no row\n" * (at % 3) for at in range(20_000)))
    assert listing.filings["accession_number"].to_list() == [f"0000950000-03-{at:06}" for at in range(20_000)]
    assert listing.malformed == sum(at % 3 for at in range(20_000))


def test_an_index_has_no_line_without_end() -> None:
    with pytest.raises(FetchError, match="it has a line of more than"):
        index_listing(HEAD + b"x" * MIB + b"\n")


def _json(**other: Any) -> bytes:
    recent = {"accessionNumber": ["0000950000-03-000042"], "form": ["8-K"], "filingDate": ["2003-11-21"], "size": [7]}
    said = {"name": "A", "sic": "6189", "filings": {"recent": recent, "files": []}}
    return json.dumps(said | other).encode()


def test_the_json_of_a_filer_is_its_filings_and_the_pages_that_matter() -> None:
    names = [f"CIK0000000012-submissions-00{at}.json" for at in (1, 2, 3)]
    years = [("2003-01-01", "2003-12-31"), ("2001-01-01", "2002-12-31"), ("1999-01-01", "2000-12-31")]
    files = [
        {"name": name, "filingFrom": begin, "filingTo": end} for name, (begin, end) in zip(names, years, strict=True)
    ]
    recent = {
        "accessionNumber": ["0000950000-03-000042", "../x", "0000950000-03-000043", 5],
        "form": ["8-K", "8-K", "8-K", "8-K"],
        "filingDate": ["2003-11-21", "2003-11-21", None, "2003-11-21"],
        "size": [7, 7, 7, 7],
    }
    content = _json(filings={"recent": recent, "files": files})
    filer = filer_listing(content, 12, date(2001, 6, 1), date(2002, 6, 1))
    assert (filer.name, filer.sic, filer.pages) == ("A", "6189", (names[1],))
    assert filer.recent.filings.rows() == [("0000950000-03-000042", 12, "A", "8-K", date(2003, 11, 21), 7)]
    assert filer.recent.malformed == 3
    assert filer_listing(content, 12, None, None).pages == tuple(names)


NOTHING: dict[str, list[str]] = {"accessionNumber": [], "form": [], "filingDate": [], "size": []}


def test_a_page_that_is_named_again_is_asked_for_once() -> None:
    pages = [{"name": f"CIK0000000012-submissions-{at:03}.json"} for at in (2, 1)]
    filer = filer_listing(_json(filings={"recent": NOTHING, "files": pages * 400}), 12, None, None)
    assert filer.pages == tuple(page["name"] for page in pages)


def test_halves_of_characters_do_no_harm() -> None:
    recent = {"accessionNumber": ["\ud800"], "form": ["\ud800"], "filingDate": ["\ud800"], "size": ["\ud800"]}
    filer = filer_listing(_json(name="A \ud800", filings={"recent": recent}), 12, None, None)
    assert (filer.name, filer.recent.malformed) == ("A ?", 1)


@pytest.mark.parametrize(
    "content",
    [
        PAGE,
        b"[]",
        b"[" * 100_000,
        _json(filings=None),
        _json(filings={"recent": {"accessionNumber": [], "form": [], "filingDate": [], "size": []}, "files": 5}),
        _json(filings={"recent": {"accessionNumber": [], "form": [], "filingDate": [], "size": []}, "files": [5]}),
        _json(filings={"recent": NOTHING, "files": [{"name": "CIK0000000012-submissions-001.json"}] * 1001}),
        _json(name="A" * 1001),
        _json(filings={"recent": {}}),
        _json(filings={"recent": {"accessionNumber": [], "form": [], "filingDate": [], "size": ["1"]}}),
        _json(
            filings={
                "recent": {"accessionNumber": [], "form": [], "filingDate": [], "size": []},
                "files": [{"name": "../../CIK0000000012-submissions-001.json"}],
            }
        ),
        _json(
            filings={
                "recent": {"accessionNumber": [], "form": [], "filingDate": [], "size": []},
                "files": [{"name": "CIK0000000013-submissions-001.json"}],
            }
        ),
    ],
)
def test_other_json_is_no_listing(content: bytes) -> None:
    with pytest.raises(FetchError):
        filer_listing(content, 12, None, None)


def test_the_filers_of_an_industry_are_those_of_its_entries() -> None:
    feed = b"""<feed xmlns="http://www.w3.org/2005/Atom"><cik>3</cik><entry title="ARRAY(0x1)"><content><company-info>
        <cik>0000000012</cik></company-info></content></entry><entry><cik>x</cik></entry></feed>"""
    assert filers_in(feed) == [12]


@pytest.mark.parametrize(
    "content",
    [
        PAGE,
        b"no XML",
        b"",
        b'<!DOCTYPE feed [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><html>&b;</html>',
    ],
)
def test_other_xml_is_no_list_of_filers(content: bytes) -> None:
    with pytest.raises(FetchError, match="no list of filers"):
        filers_in(content)


def test_a_page_lists_no_more_filers_than_were_asked_for() -> None:
    entries = b"<entry><cik>7</cik></entry>" * 100
    assert len(filers_in(b"<feed>" + entries + b"</feed>")) == 100
    with pytest.raises(FetchError, match="lists 101 filers"):
        filers_in(b"<feed>" + entries + b"<entry><cik>7</cik></entry></feed>")


@pytest.mark.parametrize("unit", ["<a/>", "<entry><a b='c'>d</a></entry>", "<entry><cik>x</cik></entry>"])
def test_a_list_of_filers_is_not_held_in_memory(unit: str) -> None:
    size = 2 * MIB
    assert _held("filers", "<feed>", unit, "</feed>", size) < 2 * size


# --- what is wanted -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "fits"),
    [
        ("home equity", True),
        ("EQUITY home", True),
        ("2003-HE2", True),
        ("2003 he2 corp.", True),
        ("2003-he", False),
        ("equit", False),
        ("he2-2003", False),
        ("home 2004", False),
    ],
)
def test_a_name_fits_by_its_words(name: str, fits: bool) -> None:  # noqa: FBT001
    row = _row("0000950000-03-000042", company_name="ASSET CORP. HOME EQUITY LOAN TRUST, SERIES 2003-HE2 /DE/")
    assert bool(chosen(pl.DataFrame([row]), wanted([], [name], None, [], date(2003, 1, 1), None))) is fits


def test_a_filing_of_several_filers_fits_by_any_of_them() -> None:
    rows = [
        _row("0000950000-03-000042", cik=12, company_name="DEPOSITOR"),
        _row("0000950000-03-000042", cik=13, company_name="TRUST 2003-1"),
        _row("0000950000-03-000043", cik=12, company_name="DEPOSITOR"),
        _row("0000950000-03-000044", cik=14, company_name="TRUST 2003-1"),
    ]
    asked = wanted(["12"], ["2003-1"], None, [], date(2003, 1, 1), None)
    (one,) = chosen(pl.DataFrame(rows), asked)
    assert one.accession_number == "0000950000-03-000042"
    assert [filing.cik for filing in chosen(pl.DataFrame(rows), Wanted(forms=("8-K",)), of_industry={13, 14})] == [
        13,
        14,
    ]


@pytest.mark.parametrize("names", [[], ["harbor"]])
def test_the_number_and_the_industry_are_of_one_filer(server: EdgarServer, tmp_path: Path, names: list[str]) -> None:
    """A trust and its bank file together: the bank is none of the trust's industry, whatever else is asked for."""
    both = ((TRUST, "HARBOR LIGHT HOME EQUITY TRUST", "6189"), (BANK, "TRUST BANK OF 2003 /DE/", "6021"))
    server.filings = [filed("0000950000-03-000888", "8-K", date(2003, 11, 5), "x", both)]
    found = {
        (cik, sic): _fetch(
            server, tmp_path, wanted([str(cik)], names, sic, [], date(2003, 10, 1), date(2003, 12, 31)), is_dry=True
        )
        for cik in (TRUST, BANK)
        for sic in ("6189", "6021")
    }
    assert all(done.is_complete for done in found.values())
    assert {given for given, done in found.items() if done.filings} == {(TRUST, "6189"), (BANK, "6021")}
    assert not [path for path in server.paths() if "browse-edgar" in path]  # the filer itself says its industry


def test_days_and_forms_are_exact() -> None:
    rows = [
        _row(f"0000950000-03-00000{at}", form_type=form, filed_date=date(2003, 1, day))
        for at, (form, day) in enumerate([("8-K", 1), ("8-K", 2), ("8-K/A", 2), ("8-K", 3), ("10-K", 2)])
    ]
    asked = wanted(["1"], [], None, [" 8-k"], date(2003, 1, 2), date(2003, 1, 2))
    assert [filing.accession_number[-1] for filing in chosen(pl.DataFrame(rows), asked)] == ["1"]


def test_the_quarters_of_days() -> None:
    assert quarters(date(2003, 9, 30), date(2004, 4, 1)) == [(2003, 3), (2003, 4), (2004, 1), (2004, 2)]
    assert quarters(date(1900, 1, 1), date(1993, 5, 1)) == [(1993, 1), (1993, 2)]
    assert quarters(date(2004, 1, 1), date(2003, 1, 1)) == []


@pytest.mark.parametrize(
    "given",
    [
        None,
        "",
        "Robin Sample",
        "robin@example.org",
        "R robin@example.org",
        "Robin <robin@example>",
        "Röbin r@example.org",
    ],
)
def test_a_user_agent_has_a_name_and_an_address(given: str | None) -> None:
    with pytest.raises(UsageError, match="ETL_USER_AGENT"):
        user_agent(given)
    assert user_agent(" Sample Research\n robin@example.org ") == "Sample Research robin@example.org"


# --- what is fetched ------------------------------------------------------------------------------------------


def test_what_is_fetched_is_read_by_a_run(server: EdgarServer, made: list[Filed], tmp_path: Path) -> None:
    done = _etl(server, tmp_path / "inbox", "--cik", str(DEPOSITOR), "--json")
    assert (done.returncode, done.stderr) == (0, "")
    said = json.loads(done.stdout)
    assert (said["fetched"], said["requests"], said["unlisted"], said["malformed"]) == (5, 6, [], 0)
    assert _texts(tmp_path / "inbox") == _as_filed(made, NUMBERS)
    assert all(
        hashlib.sha256(Path(filing["file"]).read_bytes()).hexdigest() == filing["sha256"] for filing in said["filings"]
    )
    assert {who for _, _, who in server.requests} == {WHO}
    summary = etl.run([tmp_path / "inbox"], tmp_path / "lake")
    assert (summary.reports_read, summary.rejected) == (5, 0)
    reports = pl.read_parquet(tmp_path / "lake" / "reports" / "**" / "*.parquet")
    found = reports.select("accession_number", "form_type", "filed_date").sort("accession_number").rows()
    assert found == sorted((filing.number, filing.form, filing.day) for filing in OF_DEPOSITOR)
    assert set(reports["cik"]) == {f"{DEPOSITOR:010}", f"{TRUST:010}"}


def test_a_second_call_asks_for_listings_alone(server: EdgarServer, tmp_path: Path) -> None:
    first = _fetch(server, tmp_path)
    before = {file: file.stat().st_mtime_ns for file in tmp_path.glob("*.txt")}
    count = len(server.requests)
    heard: list[tuple[int, int]] = []
    again = _fetch(server, tmp_path, heard=Heard(progress=lambda done, of: heard.append((done, of))))
    assert heard == [(done, 5) for done in range(1, 6)]
    assert server.paths()[count:] == [f"/submissions/CIK{DEPOSITOR:010}.json"]
    assert _outcomes(again) == [(number, THERE) for number, _ in _outcomes(first)]
    assert {file: file.stat().st_mtime_ns for file in tmp_path.glob("*.txt")} == before
    assert [outcome.file for outcome in again.filings] == [outcome.file for outcome in first.filings]


def test_pages_with_older_filings_are_asked_for_where_they_matter(server: EdgarServer, tmp_path: Path) -> None:
    server.recent = 2
    done = _fetch(server, tmp_path, Wanted(ciks=(DEPOSITOR,), first=date(2003, 12, 1)))
    assert (done.count(FETCHED), len(done.filings)) == (2, 2)
    assert not [path for path in server.paths() if "submissions-001" in path]
    assert _fetch(server, tmp_path).count(FETCHED) == 3


@pytest.mark.parametrize(
    ("given", "numbers", "listings"),
    [
        ({"names": ["harbor 2002-HE1"]}, ["0000950000-03-000101", "0000950000-03-000102"], 3),
        ({"names": ["harbor"], "ciks": [str(DEPOSITOR)], "forms": ["8-K"]}, ["0000950000-03-000101"], 3),
        ({"names": ["letter", "trust bank"]}, ["0000950000-03-000301"], 3),
        ({"sic": "6189"}, NUMBERS, 6),
        ({"sic": "6021", "ciks": [str(BANK), str(TRUST)]}, ["0000950000-03-000301"], 2),
        ({"forms": ["10-D", "10-d/a"]}, [], 3),
        ({"ciks": [str(TRUST), f"CIK{BANK:010}"]}, [*NUMBERS[2:4], "0000950000-03-000301"], 2),
    ],
)
def test_what_fits_is_fetched_and_nothing_else(
    server: EdgarServer, tmp_path: Path, given: dict[str, Any], numbers: list[str], listings: int
) -> None:
    server.in_page = 1
    days = {"first": date(2003, 7, 1), "last": date(2004, 1, 31)}
    asked = wanted(**{"ciks": [], "names": [], "sic": None, "forms": [], **days, **given})
    assert _fetch(server, tmp_path, asked).is_complete
    assert sorted(_texts(tmp_path)) == [f"{number}.txt" for number in sorted(numbers)]
    assert len(server.requests) == listings + len(numbers)


def test_the_options_say_what_fits(server: EdgarServer, tmp_path: Path) -> None:
    call = ["--sic", "6189", "--form", "8-K", "--form", "8-K/A", "--from", "2003-10-29", "--to", "2003-12-01"]
    done = _etl(server, tmp_path, *call, "--deal", "HE1", "--cik", str(DEPOSITOR), "--limit", "1")
    assert (done.returncode, sorted(_texts(tmp_path))) == (0, [f"{NUMBERS[2]}.txt"])
    assert "1 filing left for the limit; fetch again to go on" in done.stdout


def test_a_dry_run_lists_and_writes_nothing(server: EdgarServer, tmp_path: Path) -> None:
    done = _etl(server, tmp_path / "new", "--cik", str(DEPOSITOR), "--dry-run")
    size = len(OF_DEPOSITOR[0].text)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[0] == (
        f"wanted   {OF_DEPOSITOR[0].number}  8-K     2003-09-26     {size:,}  SAMPLE DEPOSITOR CORP"
    )
    assert "5 filings to fetch (" in done.stdout
    assert server.paths() == [f"/submissions/CIK{DEPOSITOR:010}.json"]
    assert not (tmp_path / "new").exists()


def test_a_limit_leaves_the_rest_to_the_next_call(server: EdgarServer, tmp_path: Path) -> None:
    counts = [(done.count(FETCHED), done.left) for done in (_fetch(server, tmp_path, limit=3) for _ in range(2))]
    assert counts == [(3, 2), (2, 0)]


# --- how often it asks ----------------------------------------------------------------------------------------


def test_the_server_never_counts_more_than_the_rate(tmp_path: Path) -> None:
    rate, count = 8, 20
    many = _many(count)
    with serving(many) as server:
        server.faults |= {many[3].path: [answers(503), cuts], many[5].path: [sleeps(0.2)]}
        done = fetch(tmp_path, ALL, WHO, edgar_at(server.url), rate=rate, patience=SOON)
        assert done.count(FETCHED) == count
        assert len(server.requests) == count + 3 == done.requests  # with the listing and what was asked for again
        assert server.most_in_a_second() <= rate


def test_the_gate_keeps_nobody_waiting_who_is_within_the_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time of this test goes on by waiting alone."""
    waited: list[float] = []
    clock = SimpleNamespace(monotonic=lambda: 1000 + sum(waited), sleep=waited.append)
    monkeypatch.setattr("etl.downloads.time", clock)
    gate = Gate(3, 0.0)
    for _ in range(9):
        with gate.passed():
            pass
    assert [round(seconds, 6) for seconds in waited] == [0, 0, 0, 1.01, 0, 0, 1.01, 0, 0]


def test_two_fetches_into_one_inbox_take_turns(server: EdgarServer, tmp_path: Path) -> None:
    listing = f"/submissions/CIK{DEPOSITOR:010}.json"
    released = threading.Event()
    server.faults[listing] = [holds(released)]  # then all that one asks for comes in full seconds, to its end
    one = _started(server, tmp_path, "--rate", "3")
    _until(lambda: listing in server.paths())
    other = _started(server, tmp_path, "--rate", "3")
    assert other.stderr is not None
    assert other.stderr.readline() == f"etl: another fetch fills {tmp_path}; waiting for it to end\n"
    released.set()
    said = [process.communicate(timeout=SECONDS) for process in (one, other)]
    assert [process.returncode for process in (one, other)] == [0, 0]
    assert "5 filings fetched" in said[0][0]
    assert "0 filings fetched, 5 already there" in said[1][0]
    assert [told for _, told in said] == ["", ""]
    assert len(server.requests) == 7
    assert server.most_in_a_second() <= 3


def _started(server: EdgarServer, inbox: Path, *options: str) -> subprocess.Popen[str]:
    command = [*PROGRAM, "fetch", str(inbox), "--cik", str(DEPOSITOR), "--base-url", server.url, *options]
    environment = os.environ | {"ETL_USER_AGENT": WHO}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def _until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + SECONDS
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.01)


# --- trouble --------------------------------------------------------------------------------------------------


def _many(count: int) -> list[Filed]:
    return [filed(f"0000950000-03-{at:06}", "8-K", date(2003, 11, 1), f"Report {at}\n") for at in range(count)]


PASSING: list[list[Fault]] = [
    [cuts],
    [shortens, cuts],
    [packs_and_cuts],
    [answers(429), answers(500)],
    [answers(503)],
    [answers(403, OVER_LIMIT)],
    [answers(408)],
    [answers(429, Retry_After="Wed, 01 Jan 2020 00:00:00 GMT"), answers(429, Retry_After="soon")],
    [packs],
    [withholds],
    [answers(204)],
]


def test_trouble_that_passes_is_waited_for(tmp_path: Path) -> None:
    filings = _many(len(PASSING) + 1)
    with serving(filings) as server:
        server.faults |= {filing.path: [*faults] for filing, faults in zip(filings, PASSING, strict=False)}
        server.faults[filings[-1].path] = [answers(302, Location=filings[-1].path)]
        done = _fetch(server, tmp_path)
    assert done.is_complete
    assert not any(server.faults.values())
    assert _texts(tmp_path) == {f"{filing.number}.txt": filing.text for filing in filings}
    assert done.requests == 1 + len(filings) + sum(map(len, PASSING)) - 1 + 1  # what is packed is no trouble


def test_silence_is_not_waited_for_without_end(server: EdgarServer, tmp_path: Path) -> None:
    released = threading.Event()
    server.faults[FIRST] = [holds(released), answers(200, b"", Content_Length="40")]  # and never so many
    patience = replace(SOON, silence=2, tries=9)
    try:
        done = fetch(tmp_path, ALL, WHO, edgar_at(server.url), rate=MOST_RATE, patience=patience)
    finally:
        released.set()
    assert done.count(FETCHED) == len(done.filings) == 5
    assert server.paths().count(FIRST) >= 3


def test_a_pause_that_is_asked_for_is_made_and_told(server: EdgarServer, tmp_path: Path) -> None:
    server.faults[FIRST] = [answers(429, Retry_After="2")]
    done = _etl(server, tmp_path, "--cik", str(DEPOSITOR))
    assert done.returncode == 0
    assert done.stderr == "etl: the server answers 429, and asks to wait 2 s; waiting 2 s\n"
    first, second = (at for at, path, _ in server.requests if path == FIRST)
    assert second - first >= 2


STAYING: list[tuple[Fault, int, str]] = [
    (answers(404), 1, "is not there (404)"),
    (answers(410), 1, "is not there (410)"),
    (
        answers(403, b"Your Request Originates from an Undeclared Automated Tool"),
        1,
        "is refused (403); look whether the User-Agent says who you are",
    ),
    (answers(403, b"AccessDenied"), 1, "is refused (403); look whether the User-Agent says who you are"),
    (answers(403, OVER_LIMIT), 3, "was asked too often from this address, or does not know the User-Agent (403)"),
    (
        answers(403, gzip.compress(OVER_LIMIT), Content_Encoding="gzip"),
        3,
        "was asked too often from this address, or does not know the User-Agent (403)",
    ),
    (answers(503), 3, "answers 503"),
    (answers(503, Retry_After="\xb2"), 3, "answers 503"),
    (answers(503, Retry_After="6"), 1, "answers 503, and asks to wait 6 s"),
    (answers(503, Retry_After="9" * 5000), 1, "answers 503, and asks to wait more than a day"),
    (answers(429, Retry_After="1" + "0" * 308), 1, "answers 429, and asks to wait more than a day"),
    (answers(429, Retry_After="999999999"), 1, "answers 429, and asks to wait more than a day"),
    (answers(429, Retry_After="Fri, 31 Dec 9999 23:59:59 GMT"), 1, "answers 429, and asks to wait more than a day"),
    (answers(204), 3, "is no submission"),
    (answers(304), 1, "answers 304"),
    (answers(200, PAGE), 1, "is no submission"),
    (
        answers(200, submission(["x"], number="0000950000-03-999999").encode()),
        1,
        "is another filing: its header has the accession number '0000950000-03-999999'",
    ),
    (answers(200, b"x", Content_Encoding="br"), 1, "answers in an encoding that was not asked for"),
    (answers(200, b"no gzip", Content_Encoding="gzip"), 3, "its packed bytes are damaged"),
    (
        answers(200, b"", Content_Length="99999999"),
        1,
        "has 99,999,999 bytes or more; at most 67,108,864 are fetched",
    ),
    (
        answers(200, gzip.compress(bytes(70_000_000)), Content_Encoding="gzip"),
        1,
        "has 67,108,865 bytes or more; at most 67,108,864 are fetched",
    ),
    (
        answers(302, Location="http://127.0.0.2:1/x"),
        1,
        "leads to http://127.0.0.2:1/x, which is another host; that is not followed",
    ),
    (answers(302, Location="/round"), 1, "leads from one place to another more than 3 times"),
    (answers(302, Location="http://127.0.0.1:port/x"), 1, "leads to what is no URL"),
    (cuts, 3, "the connection was cut"),
    (shortens, 3, "does not come to its end"),
]


def test_trouble_that_stays_is_told_and_the_rest_goes_on(tmp_path: Path) -> None:
    filings = _many(2 * len(STAYING))
    bad = filings[::2]
    with serving(filings) as server:
        server.faults |= {filing.path: [fault] * 9 for filing, (fault, _, _) in zip(bad, STAYING, strict=True)}
        server.faults["/round"] = [answers(302, Location="/round")] * 9
        done = _fetch(server, tmp_path)
        paths = server.paths()
        assert [(outcome.outcome, outcome.reason) for outcome in done.filings[::2]] == [
            (FAILED, f"{server.url}{filing.path} {said}") for filing, (_, _, said) in zip(bad, STAYING, strict=True)
        ]
        assert [paths.count(filing.path) for filing in bad] == [tries for _, tries, _ in STAYING]
        assert paths.count("/round") == 3
        assert [outcome.outcome for outcome in done.filings[1::2]] == [FETCHED] * len(bad)
        assert not done.is_complete
        assert [file.name for file in (tmp_path / ".fetch").iterdir()] == ["fetched.jsonl"]
        server.faults.clear()
        assert _fetch(server, tmp_path).count(FETCHED) == len(bad)
    assert _texts(tmp_path) == {f"{filing.number}.txt": filing.text for filing in filings}


def test_a_refusal_that_does_not_end_is_not_read_to_its_end(server: EdgarServer, tmp_path: Path) -> None:
    hung_up = threading.Event()
    server.faults[f"/submissions/CIK{BANK:010}.json"] = [drips(403, 30, hung_up)]
    done = fetch(tmp_path, Wanted(ciks=(BANK,)), WHO, edgar_at(server.url), patience=replace(SOON, silence=2))
    assert done.unlisted[0].endswith("is refused (403); look whether the User-Agent says who you are")
    assert hung_up.wait(40)


def _by_day() -> list[str]:
    return [filing.number for filing in sorted(OF_DEPOSITOR, key=lambda filing: (filing.day, filing.number))]


def test_what_failed_is_a_line_and_an_exit_code(server: EdgarServer, tmp_path: Path) -> None:
    server.faults[FIRST] = [answers(404)]
    done = _etl(server, tmp_path, "--cik", str(DEPOSITOR), "--cik", "99")
    assert (done.returncode, done.stderr) == (1, "")
    (failed,) = (line for line in done.stdout.splitlines() if line.startswith("failed "))
    assert NUMBERS[0] in failed
    assert failed.endswith(f"{server.url}{FIRST} is not there (404)")
    assert f"not listed: {server.url}/submissions/CIK0000000099.json is not there (404)" in done.stdout.splitlines()
    assert "4 filings fetched" in done.stdout.splitlines()[-1]


def test_pauses_come_to_an_end(server: EdgarServer, tmp_path: Path) -> None:
    """A server that asks for a pause again and again, and never serves, is not waited for at each filing anew."""
    for filing in OF_DEPOSITOR:
        server.faults[f"/Archives/edgar/data/{DEPOSITOR}/{filing.number}.txt"] = [answers(403, OVER_LIMIT)] * 9
    told: list[str] = []
    patience = replace(SOON, over_limit=0.2, longest_asked=0.3)
    done = fetch(tmp_path, ALL, WHO, edgar_at(server.url), patience=patience, heard=Heard(told=told.append))
    assert (done.count(FAILED), done.count(UNTRIED), done.requests, len(told)) == (3, 2, 5, 1)


def test_a_server_that_serves_no_more_is_left_alone(server: EdgarServer, tmp_path: Path) -> None:
    for filing in OF_DEPOSITOR:
        server.faults[f"/Archives/edgar/data/{DEPOSITOR}/{filing.number}.txt"] = [answers(403, b"no")] * 9
    done = _fetch(server, tmp_path)
    assert (done.count(FAILED), done.count(UNTRIED)) == (3, 2)
    assert len(server.requests) == 4
    assert not done.is_complete
    nobody = Wanted(ciks=tuple(range(1, 9)))
    for cik in nobody.ciks:
        server.faults[f"/submissions/CIK{cik:010}.json"] = [answers(403, b"no")]
    none = _fetch(server, tmp_path, nobody)
    assert (len(none.unlisted), none.requests) == (8, 3)


def test_listings_that_are_none_are_told(server: EdgarServer, tmp_path: Path) -> None:
    index = "/Archives/edgar/full-index/2003/QTR4/master.gz"
    server.extra |= {
        index: gzip.compress(HEAD + b"12|A|8-K|2003-11-21|../../../0000950000-03-000042.txt\n"),
        "/Archives/edgar/full-index/2003/QTR3/master.gz": PAGE,
    }
    done = _etl(server, tmp_path / "in", "--deal", "harbor", "--from", "2003-07-01", "--to", "2003-12-31")
    assert done.returncode == 1
    assert "1 line of the listings cannot be read, and were left out" in done.stdout
    assert "QTR3/master.gz is no index of filings" in done.stdout
    assert not _texts(tmp_path / "in")


@pytest.mark.parametrize(
    ("path", "asked", "most"),
    [
        (f"/submissions/CIK{BANK:010}.json", Wanted(ciks=(BANK,)), 16 * MIB),
        (
            "/cgi-bin/browse-edgar?action=getcompany&SIC=6189&owner=include&count=100&start=0&output=atom",
            Wanted(sic="6189", first=date(2003, 10, 1), last=date(2003, 10, 1)),
            MIB,
        ),
    ],
)
def test_a_listing_is_small(server: EdgarServer, tmp_path: Path, path: str, asked: Wanted, most: int) -> None:
    server.extra[path] = b" " * (most + 1)
    done = _fetch(server, tmp_path, asked)
    assert done.unlisted == [f"{server.url}{path} has {most + 1:,} bytes or more; at most {most:,} are fetched"]
    assert len(server.requests) == 1


def test_no_more_filings_are_held_than_all_deals_filed(
    server: EdgarServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("etl.fetching._MOST_FILINGS", len(OF_DEPOSITOR))
    assert _fetch(server, tmp_path / "fits").is_complete
    monkeypatch.setattr("etl.fetching._MOST_FILINGS", len(OF_DEPOSITOR) - 1)
    with pytest.raises(FetchError, match="more than 4 filings fit; ask for fewer days"):
        _fetch(server, tmp_path / "in")


def test_a_name_cannot_choose_a_path_or_steer_a_terminal(server: EdgarServer, tmp_path: Path) -> None:
    evil = "../../EVIL\x1b[31m[bold]"
    server.filings.append(filed("0000950000-03-000777", "8-K", date(2003, 11, 5), "x", ((66, evil, "6189"),)))
    done = _etl(server, tmp_path / "in", "--cik", "66")
    assert done.returncode == 0
    assert "../../EVIL [31m[bold]" in done.stdout
    assert "\x1b" not in done.stdout
    assert sorted(_texts(tmp_path / "in")) == ["0000950000-03-000777.txt"]


@pytest.mark.parametrize(
    "options",
    [
        ["--cik", "7", "--user-agent", "somebody"],
        ["--cik", "7", "--rate", "11"],
        ["--cik", "7", "--rate", "0"],
        ["--cik", "seven"],
        ["--cik", "0"],
        ["--sic", "abs", "--from", "2003-01-01"],
        ["--deal", "--", "--from", "2003-01-01"],
        ["--deal", "harbor"],
        ["--form", "8-K", "--from", "2003-01-01"],
        ["--cik", "7", "--from", "2003-02-30"],
        ["--cik", "7", "--from", "2003-02-03", "--to", "2003-02-02"],
        ["--cik", "7", "--base-url", "ftp://127.0.0.1"],
        ["--cik", "7", "--base-url", "http://user:secret@127.0.0.1"],
        [],
    ],
)
def test_a_wrong_call_makes_no_request(server: EdgarServer, tmp_path: Path, options: list[str]) -> None:
    done = _etl(server, tmp_path / "in", *options)
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert "secret" not in done.stderr
    assert not server.requests
    assert not (tmp_path / "in").exists()


def test_without_a_user_agent_no_request_is_made(server: EdgarServer, tmp_path: Path) -> None:
    done = call_etl("fetch", tmp_path / "in", "--cik", "7", "--base-url", server.url, ETL_USER_AGENT="")
    assert (done.returncode, server.requests) == (2, [])
    assert done.stderr.startswith("etl: the agency asks who fetches: name yourself with an e-mail address")


@pytest.mark.parametrize(
    "inbox", ["s3://bucket/inbox", "", "file.txt", "lake", "lake/classes", "lake/new/deeper", "link/new"]
)
def test_an_inbox_is_a_folder_of_this_machine(server: EdgarServer, tmp_path: Path, inbox: str) -> None:
    (tmp_path / "file.txt").touch()
    (tmp_path / "lake" / "_manifest").mkdir(parents=True)
    (tmp_path / "lake" / "classes").mkdir()
    (tmp_path / "link").symlink_to("lake/classes")
    done = call_etl("fetch", inbox, "--cik", "7", "--base-url", server.url, cwd=tmp_path, ETL_USER_AGENT=WHO)
    assert (done.returncode, len(done.stderr.splitlines()), server.requests) == (2, 1, [])


@pytest.mark.parametrize("library", ["httpx2", "stamina"])
def test_a_missing_library_is_one_line(tmp_path: Path, library: str) -> None:
    without = f"import sys; sys.modules[{library!r}] = None; from etl.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", without, "fetch", tmp_path, "--cik", "7", "--user-agent", WHO],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (2, "etl: etl fetch needs libraries: pip install 'trustee-etl[fetch]'\n")


# --- ended in the middle --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "code", "said"),
    [
        (signal.SIGKILL, -9, ""),
        (signal.SIGTERM, 143, "etl: terminated; what was fetched is whole, fetch again to go on\n"),
        (signal.SIGINT, 130, "etl: interrupted; what was fetched is whole, fetch again to go on\n"),
    ],
)
def test_a_fetch_that_was_ended_goes_on(
    server: EdgarServer, made: list[Filed], tmp_path: Path, number: signal.Signals, code: int, said: str
) -> None:
    third = f"/Archives/edgar/data/{DEPOSITOR}/{_by_day()[2]}.txt"
    released = threading.Event()
    server.faults[third] = [holds(released)]
    process = _started(server, tmp_path)
    _until(lambda: third in server.paths())
    process.send_signal(number)
    _, told = process.communicate(timeout=SECONDS)
    released.set()
    assert (process.returncode, told) == (code, said)
    assert _texts(tmp_path) == _as_filed(made, _by_day()[:2])
    # What a process leaves that is killed while it writes.
    (tmp_path / ".fetch" / f"{_by_day()[2]}.part").write_text("half a fil")
    with (tmp_path / ".fetch" / "fetched.jsonl").open("a") as record:
        record.write('{"accession_number": "0000')
    assert len(find_inputs([str(tmp_path)]).found) == 2
    count = len(server.requests)
    done = _fetch(server, tmp_path)
    assert [outcome for _, outcome in _outcomes(done)] == [THERE, THERE, FETCHED, FETCHED, FETCHED]
    assert len(server.requests) == count + 4
    assert _texts(tmp_path) == _as_filed(made, NUMBERS)
    assert [file.name for file in (tmp_path / ".fetch").iterdir()] == ["fetched.jsonl"]


def test_a_file_that_was_changed_is_fetched_anew(server: EdgarServer, made: list[Filed], tmp_path: Path) -> None:
    _fetch(server, tmp_path)
    changed = tmp_path / f"{NUMBERS[1]}.txt"
    changed.write_text(changed.read_text().replace("1", "2", 1))
    (tmp_path / f"{NUMBERS[3]}.txt").unlink()
    done = _fetch(server, tmp_path)
    told = {outcome.filing.accession_number: outcome.reason for outcome in done.filings if outcome.outcome == FETCHED}
    assert told == {NUMBERS[1]: "in place of a file that was not as it had been fetched", NUMBERS[3]: None}
    assert _texts(tmp_path) == _as_filed(made, NUMBERS)


def test_what_another_program_put_there_stays(server: EdgarServer, made: list[Filed], tmp_path: Path) -> None:
    """A whole filing is taken for what it is; anything else is left where it is, and told."""
    texts = _as_filed(made, NUMBERS)
    whole, half, folder, link = (tmp_path / f"{number}.txt" for number in NUMBERS[:4])
    whole.write_text(texts[whole.name])
    half.write_text(texts[half.name][:-40])
    folder.mkdir()
    link.symlink_to(whole)
    done = _fetch(server, tmp_path)
    outcomes = dict(_outcomes(done))
    assert [outcomes[number] for number in NUMBERS] == [THERE, FAILED, FAILED, FAILED, FETCHED]
    assert half.read_text() == texts[half.name][:-40]
    reasons = [outcome.reason or "" for outcome in done.filings if outcome.outcome == FAILED]
    assert all(reason.endswith("; take it away") for reason in reasons)
    assert f"{half} was not fetched, and does not come to its end; take it away" in reasons


def test_a_link_in_place_of_the_hidden_folder_is_refused(server: EdgarServer, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / ".fetch").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OutputError, match="is a link"):
        _fetch(server, tmp_path / "in")
    assert not server.requests


@pytest.mark.parametrize("is_dry", [False, True])
@pytest.mark.parametrize("kind", ["link", "pipe", "folder", "socket"])
def test_another_thing_in_place_of_the_record_is_refused(
    server: EdgarServer, tmp_path: Path, kind: str, *, is_dry: bool
) -> None:
    record = tmp_path / "in" / ".fetch" / "fetched.jsonl"
    record.parent.mkdir(parents=True)
    target = tmp_path / "target"
    target.write_text("a line without an end")
    if kind == "link":
        record.symlink_to(target)
    elif kind == "pipe":
        os.mkfifo(record)
    elif kind == "folder":
        record.mkdir()
    else:
        os.mknod(record, stat.S_IFSOCK | 0o600)
    done = _etl(server, tmp_path / "in", "--cik", str(DEPOSITOR), *(["--dry-run"] if is_dry else []))
    assert (done.returncode, server.requests) == (1, [])
    assert done.stderr == f"etl: {record}: is a link, or no file; take it away, then fetch again\n"
    assert target.read_text() == "a line without an end"
    assert not _texts(tmp_path / "in")


def test_a_link_that_comes_while_a_fetch_runs_is_not_followed(server: EdgarServer, tmp_path: Path) -> None:
    record, target = tmp_path / "in" / ".fetch" / "fetched.jsonl", tmp_path / "target"

    def replaces(done: int, _of: int) -> None:
        if done == 1:
            record.rename(target)
            record.symlink_to(target)

    with pytest.raises(OutputError, match="is a link, or no file"):
        _fetch(server, tmp_path / "in", heard=Heard(progress=replaces))
    assert len(target.read_text().splitlines()) == len(_texts(tmp_path / "in")) == 1


@pytest.mark.parametrize(
    "damage",
    [
        lambda file: os.pwrite(file, bytes([os.pread(file, 1, 99)[0] ^ 1]), 99),
        lambda file: os.ftruncate(file, os.fstat(file).st_size - 1),
        lambda file: os.ftruncate(file, os.fstat(file).st_size + 1),
    ],
)
def test_what_is_damaged_as_it_is_written_does_not_come_into_the_inbox(
    server: EdgarServer,
    made: list[Filed],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    damage: Callable[[int], Any],
) -> None:
    """The disk takes all bytes of the second filing, and has others."""
    synced = os.fsync
    count = itertools.count(1)

    def damages(file: int) -> None:
        synced(file)
        if next(count) == 2:
            with Path(f"/proc/self/fd/{file}").open("r+b", buffering=0) as again:
                damage(again.fileno())

    monkeypatch.setattr(os, "fsync", damages)
    with pytest.raises(OutputError, match="is not what was written when it is read back; check the disk"):
        _fetch(server, tmp_path)
    assert _texts(tmp_path) == _as_filed(made, _by_day()[:1])
    assert [file.name for file in (tmp_path / ".fetch").iterdir()] == ["fetched.jsonl"]
    assert len((tmp_path / ".fetch" / "fetched.jsonl").read_text().splitlines()) == 1
    assert [outcome for _, outcome in _outcomes(_fetch(server, tmp_path))] == [THERE] + [FETCHED] * 4
    assert _texts(tmp_path) == _as_filed(made, NUMBERS)


def test_the_hidden_folder_holds_no_documents(tmp_path: Path) -> None:
    (tmp_path / "deeper" / ".fetch").mkdir(parents=True)
    (tmp_path / "deeper" / ".fetch" / "a.part").write_text("half")
    (tmp_path / "deeper" / ".fetched").write_text("whole")
    assert [item.source for item in find_inputs([str(tmp_path)]).found] == [f"{tmp_path}/deeper/.fetched"]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda text: text, None),
        (lambda text: f"\n{text}\n\n", None),
        (lambda text: text[:-3], "does not come to its end"),
        (lambda text: text[: len(text) // 2], "does not come to its end"),
        (lambda text: text[:20], "its header has no accession number"),
        (lambda text: text.replace("0000950000-03-000042", "0000950000-03-000043"), "is another filing"),
        (lambda _: "", "is no submission"),
    ],
)
@pytest.mark.parametrize("wrapping", [{}, {"pem": True}, {"tags": True}])
def test_a_submission_is_whole_or_says_why_not(damage: Any, said: str | None, wrapping: dict[str, bool]) -> None:
    text = damage(submission(["x"], **wrapping))  # type: ignore[arg-type]
    if wrapping == {"pem": True} and len(text) == 20:
        said = "is no submission"  # the beginning of a message
    fault = submission_fault(text.encode(), "0000950000-03-000042")
    assert (fault is None) if said is None else (fault is not None and said in fault.message)


# --- how it reaches the server, and what people see -----------------------------------------------------------


def test_proxies_of_the_environment_are_used(server: EdgarServer, tmp_path: Path) -> None:
    listing = server.found(f"/submissions/CIK{BANK:010}.json")
    assert listing is not None
    server.extra[f"http://edgar.invalid/submissions/CIK{BANK:010}.json"] = listing
    done = call_etl(
        *("fetch", tmp_path, "--cik", str(BANK), "--dry-run", "--base-url", "http://edgar.invalid"),
        ETL_USER_AGENT=WHO,
        HTTP_PROXY=server.url,
    )
    assert done.returncode == 0, done.stdout
    assert server.paths() == [f"http://edgar.invalid/submissions/CIK{BANK:010}.json"]


def test_a_certificate_that_nobody_vouches_for_is_refused(server: EdgarServer, tmp_path: Path) -> None:
    with serving(server.filings, _own_certificate(tmp_path)) as secure:
        done = fetch(tmp_path / "in", ALL, WHO, edgar_at(secure.url), patience=SOON)
    assert len(done.unlisted) == 1
    assert "certificate" in done.unlisted[0]
    assert not secure.requests


def _own_certificate(folder: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=1))
    certificate = made.add_extension(
        x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False
    ).sign(key, hashes.SHA256())
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "both.pem").write_bytes(private + certificate.public_bytes(pem))
    return folder / "both.pem"


def test_a_terminal_sees_a_bar_and_no_more_lines_than_fit(server: EdgarServer, tmp_path: Path) -> None:
    server.filings += [filed(f"0000950000-05-{at:06}", "10-D", date(2005, 1, 1), "x") for at in range(17)]
    call = ["fetch", str(tmp_path), "--cik", str(DEPOSITOR), "--base-url", server.url, "--rate", "10"]
    shown = on_terminal(*call, columns=80, TERM="xterm", NO_COLOR="1", ETL_USER_AGENT=WHO)
    assert "fetching" in shown
    assert shown.count("fetched  0000950000-") == 20
    assert "... and 2 more; all of them: --json, or pipe the output" in shown
    assert "22 filings fetched" in shown


def test_machines_get_json_lines(server: EdgarServer, tmp_path: Path) -> None:
    server.faults[FIRST] = [answers(429, Retry_After="1"), answers(404)]
    call = ["--log", "json", "fetch", str(tmp_path), "--cik", str(DEPOSITOR), "--cik", "99", "--base-url", server.url]
    done = call_etl(*call, ETL_FETCH_USER_AGENT=WHO, ETL_USER_AGENT="nobody")
    events = [json.loads(line) for line in done.stderr.splitlines()]
    assert [said["event"] for said in events if said["event"] != "progress"] == [
        *("told", "filing_failed", "listing_failed", "fetch_ended", "ended")
    ]
    told = {said["event"]: said for said in events}
    assert told["filing_failed"]["accession_number"] == NUMBERS[0]
    assert told["filing_failed"]["reason"].endswith("is not there (404)")
    assert (told["progress"]["documents_done"], told["progress"]["documents"]) == (5, 5)
    assert (told["fetch_ended"]["fetched"], told["fetch_ended"]["failed"], told["ended"]["exit_code"]) == (4, 1, 1)


def test_a_filing_is_addressed_by_its_numbers() -> None:
    filing = Filing("0000950000-03-000042", 12, "../..", "8-K", date(2003, 1, 1))
    assert edgar_at(None).submission(filing.cik, filing.accession_number) == (
        "https://www.sec.gov/Archives/edgar/data/12/0000950000-03-000042.txt"
    )
    assert edgar_at(None).filer(12) == "https://data.sec.gov/submissions/CIK0000000012.json"
    assert edgar_at(None).serves("https://data.sec.gov/x")
    assert not edgar_at(None).serves("http://data.sec.gov/x")
    assert not edgar_at(None).serves("https://data.sec.gov.example.org/x")
    assert not edgar_at(None).serves("https://user@data.sec.gov/x")
    assert not edgar_at(None).serves("https://[data.sec.gov/x")
