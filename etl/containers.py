"""stub until merged"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from etl.documents import Reject


@dataclass(frozen=True)
class Member:
    source: str
    content: bytes


def is_archive(beginning: bytes) -> bool:
    return False


def members(source: str, stream: BinaryIO) -> Iterator[Member | Reject]:
    yield from ()
