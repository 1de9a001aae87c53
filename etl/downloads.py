"""URLs → bytes, within the agency's rules: never too often, never again without a pause, never more than fits.

One request is under way at a time. The gate counts a request when its answer has begun, which is after it has reached
the server: so whatever the network does to the distances between requests, the server never counts more of them in
any second than the rate.
"""

from __future__ import annotations

import math
import re
import time
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import TYPE_CHECKING, Self

from etl.edgar import Edgar
from etl.errors import FetchError, UsageError

if TYPE_CHECKING:
    from httpx2 import Response

MOST_RATE, RATE = 10, 8
# A little more than a second, for clocks that do not go alike.
_SECOND = 1.01
_REDIRECTS = 3
# What the agency's page says to who was too fast.
_OVER_LIMIT = b"request rate threshold"
_PAGE_BYTES = 64 * 1024
# Who is asked to wait longer than that is told so, and not how long.
_DAY = 86_400.0
_MOST_DIGITS = 10
_FORBIDDEN, _MISSING, _GONE, _TOO_MANY, _TIMEOUT, _SERVER = 403, 404, 410, 429, 408, 500


@dataclass(frozen=True)
class Patience:
    """How often something is asked for, and for how many seconds is waited: from try to try, doubling from the first to
    the longest pause; when the agency's limit was passed; for as long as the server itself asks for, but no longer than
    `longest_asked` before it serves again; for the next bytes of an answer; for all of it; and before the first
    request, for another process may just have ended."""

    tries: int = 5
    first_pause: float = 0.5
    longest_pause: float = 30.0
    over_limit: float = 600.0
    longest_asked: float = 900.0
    silence: float = 30.0
    answer: float = 600.0
    settling: float = _SECOND


class MissingError(FetchError):
    """What was asked for is not there."""


class UnservedError(FetchError):
    """The server does not serve, though it was asked several times; or refuses to."""


class PassingError(UnservedError):
    """It may be served another time. `pause`: the seconds to wait for it, where that is known."""

    def __init__(self, message: str, pause: float | None = None) -> None:
        super().__init__(message)
        self.pause = pause


class Gate:
    """Lets through so many requests a second, the first after `settling` seconds."""

    def __init__(self, rate: int, settling: float) -> None:
        self._answered = deque([time.monotonic() + settling - _SECOND] * rate, rate)

    @contextmanager
    def passed(self) -> Iterator[None]:
        """A request, up to the beginning of its answer."""
        time.sleep(max(0.0, self._answered[0] + _SECOND - time.monotonic()))
        try:
            yield
        finally:
            self._answered.append(time.monotonic())


def needs_libraries() -> None:
    """Raise UsageError where the libraries are not there."""
    try:
        import httpx2  # noqa: F401, PLC0415
        import stamina  # noqa: F401, PLC0415
    except ImportError as error:
        raise UsageError("etl fetch needs libraries: pip install 'trustee-etl[fetch]'") from error


class Downloads:
    """Asks EDGAR for what stands at URLs. `told` gets a line where something takes longer, for a person."""

    def __init__(
        self, edgar: Edgar, user_agent: str, rate: int, patience: Patience, told: Callable[[str], None]
    ) -> None:
        import httpx2  # noqa: PLC0415

        self._edgar = edgar
        self._patience = patience
        self._told = told
        self._gate = Gate(rate, patience.settling)
        headers = {"User-Agent": user_agent, "Accept-Encoding": "gzip", "Accept": "*/*"}
        self._client = httpx2.Client(headers=headers, timeout=patience.silence, follow_redirects=False)
        self._paused = 0.0  # as the server asked, since it served
        self.requests = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def get(self, url: str, most: int, check: Callable[[bytes], None] = lambda _: None) -> bytes:
        """The bytes at a URL, at most so many. `check` raises FetchError for an answer that is not what was asked for,
        and its kind PassingError for one that is to be asked for again.

        Raises MissingError where there is nothing, UnservedError where the server does not serve after several tries,
        and FetchError for what is too large.
        """
        import stamina  # noqa: PLC0415

        patience = self._patience
        attempts = stamina.retry_context(
            on=self._again,
            attempts=patience.tries,
            timeout=None,
            wait_initial=patience.first_pause,
            wait_max=patience.longest_pause,
            wait_jitter=patience.first_pause,
        )
        for attempt in attempts:
            with attempt:
                content = self._asked(url, most)
                check(content)
                self._paused = 0.0
                return content
        raise AssertionError  # the last attempt raises

    def _again(self, error: Exception) -> bool | float:
        """Whether something is tried again, after the usual pause or one that is known."""
        if not isinstance(error, PassingError):
            return False
        if error.pause is None:
            return True
        if self._paused + error.pause > self._patience.longest_asked:
            return False
        self._paused += error.pause
        self._told(f"the server {error}; waiting {error.pause:,.0f} s")
        return max(error.pause, self._patience.first_pause)

    def _asked(self, url: str, most: int) -> bytes:
        """The answer to one try, with its redirects."""
        for _ in range(_REDIRECTS + 1):
            with self._answer(url) as response:
                if not response.has_redirect_location:
                    self._refuse(response)
                    return self._body(response, most, self._patience.answer)
                url = str(response.url.join(response.headers["location"]))
            if not self._edgar.serves(url):
                raise UnservedError(f"leads to {url[:200]}, which is another host; that is not followed")
        raise UnservedError(f"leads from one place to another more than {_REDIRECTS} times")

    @contextmanager
    def _answer(self, url: str) -> Iterator[Response]:
        """An answer of which the head is there; what goes wrong with it is told as a person understands it."""
        import httpx2  # noqa: PLC0415

        try:
            with self._gate.passed():
                self.requests += 1
                response = self._client.send(self._client.build_request("GET", url), stream=True)
            with closing(response):
                yield response
        except httpx2.TimeoutException as error:
            raise PassingError(f"does not answer within {self._patience.silence:g} s") from error
        except httpx2.RemoteProtocolError as error:
            raise PassingError("the connection was cut") from error
        except httpx2.RequestError as error:
            said = " ".join(str(error).split())[:200]
            raise PassingError(f"cannot be reached: {said or type(error).__name__}") from error
        except httpx2.InvalidURL as error:
            raise UnservedError("leads to what is no URL") from error

    def _refuse(self, response: Response) -> None:
        """Raise what an answer means that is not the thing itself."""
        status = response.status_code
        if status in (_MISSING, _GONE):
            raise MissingError(f"is not there ({status})")
        pause = _asked_pause(response.headers.get("retry-after"))
        if status == _FORBIDDEN:
            if pause is not None or _OVER_LIMIT in self._page(response).lower():
                message = "was asked too often from this address, or does not know the User-Agent (403)"
                raise PassingError(message, self._patience.over_limit if pause is None else pause)
            raise UnservedError("is refused (403); look whether the User-Agent says who you are")
        if status in (_TOO_MANY, _TIMEOUT) or status >= _SERVER:
            asked = "" if pause is None else f", and asks to wait {_long(pause)}"
            raise PassingError(f"answers {status}{asked}", pause)
        if not response.is_success:
            raise UnservedError(f"answers {status}")

    def _page(self, response: Response) -> bytes:
        """What a refusal says; nothing where it is long, or takes long."""
        try:
            return self._body(response, _PAGE_BYTES, self._patience.silence)
        except FetchError:
            return b""

    def _body(self, response: Response, most: int, seconds: float) -> bytes:
        """All bytes of an answer, unpacked. Whether there are as many as were announced, the client looks."""
        pieces: list[bytes] = []
        size, end = 0, time.monotonic() + seconds
        announced = response.headers.get("content-length", "")
        if announced.isdecimal() and int(announced) > most:
            raise too_large(int(announced), most)
        for piece in response.iter_raw():
            pieces.append(piece)
            size += len(piece)
            if size > most:
                raise too_large(size, most)
            if time.monotonic() > end:
                raise PassingError(f"does not end within {seconds:g} s")
        content = b"".join(pieces)
        packed = response.headers.get("content-encoding", "identity").strip().lower()
        if packed == "gzip":
            return unpacked(content, most)
        if packed not in ("identity", ""):
            raise UnservedError("answers in an encoding that was not asked for")
        return content


def unpacked(content: bytes, most: int) -> bytes:
    """What is packed with gzip, all of it, at most so many bytes. Raises FetchError."""
    opened = zlib.decompressobj(zlib.MAX_WBITS | 16)
    try:
        whole = opened.decompress(content, most + 1)
    except zlib.error as error:
        raise PassingError("its packed bytes are damaged") from error
    if len(whole) > most:
        raise too_large(len(whole), most)
    if not opened.eof or opened.unused_data:
        raise PassingError("its packed bytes do not come to their end, or go on behind it")
    return whole


def too_large(size: int, most: int) -> FetchError:
    """The error for what has so many bytes, or more."""
    return FetchError(f"has {size:,} bytes or more; at most {most:,} are fetched")


def _long(pause: float) -> str:
    return f"{pause:,.0f} s" if pause <= _DAY else "more than a day"


def _asked_pause(given: str | None) -> float | None:
    """The seconds of a header Retry-After, which has a number or a time; infinity for a number of many digits."""
    if given is None:
        return None
    if re.fullmatch("[0-9]+", digits := given.strip()):
        return float(digits) if len(digits) < _MOST_DIGITS else math.inf
    try:
        return max(0.0, parsedate_to_datetime(given).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None
