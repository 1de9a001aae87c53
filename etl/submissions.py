"""stub until merged"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass


@dataclass(frozen=True)
class Header:
    accession_number: str | None = None
    cik: str | None = None
    company_name: str | None = None
    form_type: str | None = None
    period: dt.date | None = None
    filed_date: dt.date | None = None
    items: tuple[str, ...] = ()
    sic: str | None = None
    state_of_incorporation: str | None = None
    irs_number: str | None = None
    commission_file_number: str | None = None
    is_amendment: bool | None = None


@dataclass(frozen=True)
class Part:
    type: str | None
    sequence: str | None
    filename: str | None
    description: str | None
    first_line: int
    content: bytes


@dataclass(frozen=True)
class Submission:
    header: Header
    parts: tuple[Part, ...]


def split_submission(content: bytes) -> Submission | None:
    return None
