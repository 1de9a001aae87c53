"""A lock in object storage is taken over from a holder that is dead, and from no other."""

from __future__ import annotations

import pytest

from etl import leases
from etl.leases import LEASE_SECONDS, Lease
from etl.objects import Bucket, StoredObject, location_of

from .storage import Storage

KEY = "lake/_staging/lock.json"


class Clock:
    """Time that goes by where somebody waits, and not otherwise."""

    def __init__(self) -> None:
        self.now = 1000.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class Slow(Bucket):
    """Its first request takes longer than a lease lasts; meanwhile the holder renews the lock."""

    def __init__(self, url: str, clock: Clock, held: StoredObject) -> None:
        super().__init__(location_of(url))
        self._clock = clock
        self._held = held
        self._begun = clock.now

    def create(self, key: str, content: bytes) -> StoredObject | None:
        done = super().create(key, content)
        if self._clock.now == self._begun:
            self._clock.sleep(LEASE_SECONDS + 5)
            assert self.replace(self._held, b"renewed") is not None
        return done


def test_a_lock_that_was_renewed_a_moment_ago_is_left_alone(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(leases, "_clock", lambda: clock.now)
    monkeypatch.setattr(leases, "time", clock)
    url = f"s3://{storage.bucket()}"
    held = Bucket(location_of(url)).create(KEY, b"held")
    assert held is not None
    renewed = clock.now + LEASE_SECONDS + 5
    with Lease(Slow(url, clock, held), KEY):
        assert clock.now - renewed > LEASE_SECONDS
