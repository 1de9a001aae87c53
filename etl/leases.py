"""A lock in object storage: a lease, which its holder renews, and which is taken over from a holder that died.

The lock is one object, put by requests that have a condition: where there is none, or in the place of the very version
that was seen. Nobody compares clocks: who waits takes over when the object has not changed for `LEASE_SECONDS` of its
own clock; who holds stops when it could not renew it for half as long.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from threading import Event, Lock, Thread
from types import TracebackType
from typing import Self

from etl.errors import OutputError
from etl.objects import Bucket, StoredObject

# A lock that does not change for so long is that of a dead run.
LEASE_SECONDS = 30.0
# It is renewed, and asked for, so many times in that time.
RENEWALS = 6
_MOST_BYTES = 1000


class Lease:
    """Holds a lake for one run. `waiting` is called once if another run holds it."""

    def __init__(self, bucket: Bucket, key: str, waiting: Callable[[], None] | None = None) -> None:
        self._bucket = bucket
        self._key = key
        self._waiting = waiting
        self._holder = uuid.uuid4().hex
        self._beat = 0
        self._seconds = LEASE_SECONDS
        self._held: StoredObject | None = None
        self._renewed = 0.0
        self._renewing = Lock()
        self._ended = Event()
        self._thread = Thread(target=self._keep, daemon=True)

    def __enter__(self) -> Self:
        self._held = self._taken()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()
        with suppress(OutputError):  # then others wait until it has run out
            self.renew()  # so that for a while nobody takes over what is deleted here
            self._bucket.delete([self._key])

    def check(self) -> None:
        """Raise OutputError where the lease may be another run's by now; what is to be decided must not be."""
        if self._held is None or _clock() - self._renewed > self._seconds / 2:
            self.renew()

    def renew(self) -> None:
        """Renew the lease. Raises OutputError where that cannot be."""
        with self._renewing:
            if self._held is not None:
                begun = _clock()
                content = self._content()
                self._held = self._bucket.replace(self._held, content) or self._mine(content)
                self._renewed = begun
            if self._held is None:
                raise OutputError(
                    f"{self._bucket.location(self._key).url}: another run has taken over the lock, as this one did not "
                    "renew it in time; run again, to see what is still to be done"
                )

    def _keep(self) -> None:
        while not self._ended.wait(self._seconds / RENEWALS):
            with suppress(OutputError):  # it is tried again, and `check` tells of it
                self.renew()

    def _taken(self) -> StoredObject:
        seen, since, told = None, 0.0, False
        while True:
            begun, content = _clock(), self._content()
            held = self._bucket.create(self._key, content) or self._mine(content)
            other = None if held else self._bucket.head(self._key)
            if held is None and other is not None and other == seen and begun - since > self._seconds:
                held = self._bucket.replace(other, content) or self._mine(content)
            if held is not None:
                self._renewed = begun
                return held
            if other != seen:
                # Not `begun`: the requests may have been sent again for long, and the lock renewed a moment ago.
                seen, since = other, _clock()
            if self._waiting is not None and not told:
                self._waiting()
            told = True
            time.sleep(self._seconds / RENEWALS / 2)

    def _mine(self, content: bytes) -> StoredObject | None:
        """The lock as it stands, if it is what was put just now: a request that was sent twice may have been refused
        the second time."""
        there = self._bucket.read(self._key, _MOST_BYTES)
        return there[0] if there is not None and there[1] == content else None

    def _content(self) -> bytes:
        """Another one each time, or two versions would have one name."""
        self._beat += 1
        return json.dumps({"holder": self._holder, "renewed": self._beat, "lease_seconds": self._seconds}).encode()


def _clock() -> float:
    """Seconds, those in which the machine slept too, where the system tells."""
    with suppress(AttributeError, OSError):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()
