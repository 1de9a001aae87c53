"""Documents that look like distribution reports and are none: what they are, by what only they say."""

from __future__ import annotations

import re
from dataclasses import dataclass

# Only so many characters are looked at: what a document is, its beginning says.
LOOKED_AT = 400_000


@dataclass(frozen=True)
class _Kind:
    """A kind of document: its name, and marks of which so many must stand in it."""

    name: str
    marks: tuple[re.Pattern[str], ...]
    least: int = 2


def _marks(*words: str) -> tuple[re.Pattern[str], ...]:
    """Expressions of words in any capitals, however they are parted."""
    return tuple(re.compile(rf"\b{word}\b".replace(" ", r"\s+"), re.IGNORECASE) for word in words)


# The first that fits counts. No single mark is enough: a report may name a prospectus or an agreement.
_KINDS = (
    _Kind(
        "a term sheet with decrement tables",
        _marks(
            "(?:structural |collateral |preliminary )?term sheet", "computational materials", "decrement tables?",
            "percent(?:age)? of (?:the )?(?:initial|original)[a-z ]{0,40}balance outstanding", "prepayment assumption",
            "weighted average li(?:fe|ves) to (?:call|maturity)",
        ),
    ),
    _Kind(
        "a prospectus",
        _marks(
            "prospectus supplement", "offered certificates", "risk factors", "underwriters?", "plan of distribution",
            "erisa considerations", "federal income tax consequences", "use of proceeds",
        ),
        least=3,
    ),
    _Kind(
        "static pool data",
        _marks(
            "static pool(?: data| information| analysis)?", "cumulative (?:net )?loss(?:es)? by vintage",
            "prior securitized pools", "vintage (?:year|month|quarter|pool|data)s?", "item 1105",
        ),
    ),
    _Kind(
        "an annual report or a servicer's statement of compliance",
        _marks(
            "form 10-k(?:/a)?", "annual report pursuant", "annual statement as to compliance",
            "(?:annual )?statement of compliance", "report on assessment of compliance", "item 1122", "item 1123",
            "uniform single attestation program", "independent accountants'? report",
            "fulfilled (?:all )?(?:of )?its obligations",
        ),
    ),
    _Kind(
        "an agreement",
        _marks(
            "pooling and servicing agreement", "witnesseth", "in consideration of the mutual agreements", "article i",
            r"section 1\.01\.? definitions", "sale and servicing agreement", "the parties hereto",
            "in witness whereof",
        ),
        least=3,
    ),
)  # fmt: skip


def looks_like(text: str) -> str | None:
    """What a document looks like that is no distribution report; None where nothing says so."""
    beginning = text[:LOOKED_AT]
    for kind in _KINDS:
        found = [match.group() for mark in kind.marks if (match := mark.search(beginning)) is not None]
        if len(found) >= kind.least:
            words = "', '".join(" ".join(mark.split()) for mark in found[: kind.least])
            return f"{kind.name} ('{words}')"
    return None
