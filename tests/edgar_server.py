"""An EDGAR on this machine, which the tests start: a real server that gives out made-up filings at the paths of EDGAR.

It notes each request with its own clock, and goes wrong where a test says so.
"""

from __future__ import annotations

import gzip
import json
import ssl
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from .filings import COVER, submission
from .kit import make_deal, random_style, render, simulate

WHO = "Robin Sample robin@example.org"
DEPOSITOR, TRUST, BANK = 1234567, 1250001, 70858
OVER_LIMIT = b"<html><head><title>SEC.gov | Request Rate Threshold Exceeded</title></head></html>"
PAGE = b"<html><body>Under maintenance</body></html>"
_HEAD = "Description:           Master Index of EDGAR Dissemination Feed\nComments:              none\n \n \n"
_COLUMNS = "CIK|Company Name|Form Type|Date Filed|Filename\n" + "-" * 80 + "\n"


@dataclass(frozen=True)
class Filed:
    """A filing as its filers see it: who they are (CIK, name, SIC), and the full submission."""

    number: str
    form: str
    day: date
    text: str
    filers: Sequence[tuple[int, str, str]] = ((DEPOSITOR, "SAMPLE DEPOSITOR CORP", "6189"),)

    @property
    def path(self) -> str:
        """Where it stands below the first of its filers."""
        return f"/Archives/edgar/data/{self.filers[0][0]}/{self.number}.txt"


def filed(number: str, form: str, day: date, document: str, filers: Sequence[tuple[int, str, str]] = ()) -> Filed:
    """A filing with a cover and a document; its header names the first of the filers."""
    who = tuple(filers) or Filed.filers
    cik, name, sic = who[0]
    text = submission([COVER, document], form, f"{day:%Y%m%d}", number)
    text = text.replace("0001234567", f"{cik:010}").replace("SAMPLE DEPOSITOR CORP", name).replace("[6189]", f"[{sic}]")
    return Filed(number, form, day, text, who)


def made_filings() -> list[Filed]:
    """Reports of two deals, an annual report and the letter of a bank, over three quarters."""
    trust = (TRUST, "HARBOR LIGHT HOME EQUITY TRUST SERIES 2002-HE1", "6189")
    first = simulate(make_deal(0), 3)
    second = simulate(make_deal(2), 2)
    days = (date(2003, 9, 26), date(2003, 10, 28), date(2004, 1, 27))
    made = [
        filed(f"0000950000-{day:%y}-{at:06}", "8-K", day, render(report, random_style(0)))
        for at, (day, report) in enumerate(zip(days, first, strict=True), 1)
    ]
    made += [
        filed(f"0000950000-03-{at:06}", form, day, render(report, random_style(2)), (trust, *Filed.filers))
        for at, (form, day, report) in enumerate(
            zip(("8-K", "8-K/A"), (date(2003, 10, 29), date(2003, 12, 1)), second, strict=True), 101
        )
    ]
    made.append(filed("0000950000-03-000201", "10-K", date(2003, 11, 3), "An annual report\n"))
    bank = ((BANK, "TRUST BANK OF 2003 /DE/", "6021"),)
    made.append(filed("0000950000-03-000301", "8-K", date(2003, 11, 4), "A letter\n", bank))
    return made


# What a server does instead of answering; given the bytes that it would have given.
Fault = Callable[["_Handler", bytes], None]


def answers(status: int, body: bytes = b"", **headers: str) -> Fault:
    """Another answer."""
    return lambda handler, _: handler.answer(
        status, body, {name.replace("_", "-"): value for name, value in headers.items()}
    )


def cuts(handler: _Handler, body: bytes) -> None:
    """Half of the bytes, then the end of the connection."""
    handler.answer(200, body[: len(body) // 2], {"Content-Length": str(len(body))})
    handler.close_connection = True


def withholds(handler: _Handler, body: bytes) -> None:
    """None of the bytes that are announced, then the end of the connection."""
    handler.answer(200, b"", {"Content-Length": str(len(body))})
    handler.close_connection = True


def shortens(handler: _Handler, body: bytes) -> None:
    """Half of the bytes, as though they were all."""
    handler.answer(200, body[: len(body) // 2])


def packs(handler: _Handler, body: bytes) -> None:
    """The bytes in gzip, as a server may send them."""
    handler.answer(200, gzip.compress(body), {"Content-Encoding": "gzip"})


def packs_and_cuts(handler: _Handler, body: bytes) -> None:
    """The bytes in gzip, without their end."""
    handler.answer(200, gzip.compress(body)[:-20], {"Content-Encoding": "gzip"})


def sleeps(seconds: float) -> Fault:
    """The answer, later."""

    def later(handler: _Handler, body: bytes) -> None:
        time.sleep(seconds)
        handler.answer(200, body)

    return later


def holds(released: threading.Event) -> Fault:
    """The answer, when it is released."""

    def later(handler: _Handler, body: bytes) -> None:
        released.wait(120)
        handler.answer(200, body)

    return later


def drips(status: int, seconds: int, hung_up: threading.Event) -> Fault:
    """Another answer, of which a byte comes each tenth of a second; notes if nobody wants it any more."""

    def slowly(handler: _Handler, _body: bytes) -> None:
        handler.answer(status, b"", {"Content-Length": str(10 * seconds)})
        try:
            for _ in range(10 * seconds):
                handler.wfile.write(b".")
                time.sleep(0.1)
        except ConnectionError:
            hung_up.set()
        handler.close_connection = True

    return slowly


@dataclass
class EdgarServer:
    """A running server. `faults` has for a path what goes wrong there, each once, in turn."""

    filings: list[Filed]
    url: str = ""
    requests: list[tuple[float, str, str]] = field(default_factory=list)
    faults: dict[str, list[Fault]] = field(default_factory=lambda: defaultdict(list))
    extra: dict[str, bytes] = field(default_factory=dict)
    in_page: int = 100
    recent: int = 1000

    def paths(self) -> list[str]:
        """The paths of all requests up to now."""
        return [path for _, path, _ in self.requests]

    def most_in_a_second(self) -> int:
        """The most requests in any second, of all that came up to now."""
        times = sorted(at for at, _, _ in self.requests)
        return max(sum(begin <= at < begin + 1 for at in times) for begin in times)

    def found(self, path: str) -> bytes | None:
        """What stands at a path."""
        if path in self.extra:
            return self.extra[path]
        for filing in self.filings:
            if any(path == f"/Archives/edgar/data/{cik}/{filing.number}.txt" for cik, _, _ in filing.filers):
                return filing.text.encode("cp1252")
        parts = urlsplit(path)
        if parts.path == "/cgi-bin/browse-edgar":
            asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
            return self._filers(asked["SIC"], int(asked["start"]))
        if path.startswith("/submissions/CIK"):
            return self._of_filer(path.removeprefix("/submissions/CIK"))
        if path.endswith("/master.gz"):
            return self._index(path)
        return None

    def _index(self, path: str) -> bytes | None:
        year, quarter = path.split("/")[4], path.split("/")[5].removeprefix("QTR")
        rows = [
            f"{cik}|{name}|{filing.form}|{filing.day}|edgar/data/{cik}/{filing.number}.txt\n"
            for filing in self.filings
            for cik, name, _ in filing.filers
            if (str(filing.day.year), str((filing.day.month + 2) // 3)) == (year, quarter)
        ]
        return gzip.compress((_HEAD + _COLUMNS + "".join(sorted(rows))).encode("latin-1")) if rows else None

    def _of_filer(self, name: str) -> bytes | None:
        cik = int(name[:10])
        own = [filing for filing in self.filings if any(cik == number for number, _, _ in filing.filers)]
        own.sort(key=lambda filing: filing.day, reverse=True)
        if not own:
            return None
        old = own[self.recent :]
        if "-submissions-" in name:
            return json.dumps(_columns(old)).encode()
        who = next(filer for filer in own[0].filers if filer[0] == cik)
        page = f"CIK{cik:010}-submissions-001.json"
        pages = [{"name": page, "filingFrom": str(old[-1].day), "filingTo": str(old[0].day)}] if old else []
        said = {
            "cik": f"{cik:010}",
            "name": who[1],
            "sic": who[2],
            "filings": {"recent": _columns(own[: self.recent]), "files": pages},
        }
        return json.dumps(said).encode()

    def _filers(self, sic: str, start: int) -> bytes:
        known = sorted({cik for filing in self.filings for cik, _, code in filing.filers if code == sic})
        entries = "".join(
            f'<entry title="ARRAY(0x1)"><content type="text/xml"><company-info name="ARRAY(0x2)"><cik>{cik:010}</cik>'
            f"<sic>{sic}</sic></company-info></content></entry>"
            for cik in known[start : start + self.in_page]
        )
        feed = '<?xml version="1.0" encoding="ISO-8859-1" ?>\n<feed xmlns="http://www.w3.org/2005/Atom">'
        return f"{feed}{entries}</feed>".encode("latin-1")


def _columns(filings: Sequence[Filed]) -> dict[str, list[object]]:
    return {
        "accessionNumber": [filing.number for filing in filings],
        "filingDate": [str(filing.day) for filing in filings],
        "form": [filing.form for filing in filings],
        "size": [len(filing.text) for filing in filings],
    }


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    edgar: EdgarServer

    def do_GET(self) -> None:
        edgar = self.edgar
        edgar.requests.append((time.monotonic(), self.path, self.headers.get("User-Agent", "")))
        body = edgar.found(self.path)
        faults = edgar.faults.get(self.path)
        with suppress(ConnectionError):  # whoever asked has been killed
            if faults:
                faults.pop(0)(self, body or b"")
            elif body is None:
                self.answer(404, b"<Error>NoSuchKey</Error>")
            else:
                self.answer(200, body)

    def answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | (headers or {})).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name in the library
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        pass  # whoever asked has been killed


@contextmanager
def serving(filings: list[Filed], certificate: Path | None = None) -> Iterator[EdgarServer]:
    """A server with these filings, while it runs; with TLS where it has a certificate."""
    edgar = EdgarServer(filings)
    handler = type("Handler", (_Handler,), {"edgar": edgar})
    with _Server(("127.0.0.1", 0), handler) as server:
        edgar.url = f"{'https' if certificate else 'http'}://127.0.0.1:{server.server_address[1]}"
        if certificate:
            tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            tls.load_cert_chain(certificate)
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield edgar
        finally:
            server.shutdown()
            thread.join()
