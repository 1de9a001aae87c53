"""Documents that look like distribution reports and are none: what they are, by what only they say; and what speaks for
a report where nothing in it could be read."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from etl.patterns import compile_search

# Only so many characters are looked at: what a document is, its beginning says.
LOOKED_AT = 400_000


@dataclass(frozen=True)
class _Kind:
    """A kind of document: its name, and marks (whatever their capitals) of which so many must stand in it."""

    name: str
    marks: tuple[str, ...]
    least: int = 2


# The first that fits counts. No single mark is enough: a report may name a prospectus or an agreement.
_KINDS = (
    _Kind(
        "a term sheet with decrement tables",
        (
            "(?:structural |collateral |preliminary )?term sheet", "computational materials", "decrement tables?",
            "percent(?:age)? of (?:the )?(?:initial|original)[a-z ]{0,40}balance outstanding", "prepayment assumption",
            "weighted average li(?:fe|ves) to (?:call|maturity)",
        ),
    ),
    _Kind(
        "a prospectus",
        (
            "prospectus supplement", "offered certificates", "risk factors", "underwriters?", "plan of distribution",
            "erisa considerations", "federal income tax consequences", "use of proceeds",
        ),
        least=3,
    ),
    _Kind(
        "static pool data",
        (
            "static pool(?: data| information| analysis)?", "cumulative (?:net )?loss(?:es)? by vintage",
            "prior securitized pools", "vintage (?:year|month|quarter|pool|data)s?", "item 1105",
        ),
    ),
    _Kind(
        "an annual report or a servicer's statement of compliance",
        (
            "form 10-k(?:/a)?", "annual report pursuant", "annual statement as to compliance",
            "(?:annual )?statement of compliance", "report on assessment of compliance", "item 1122", "item 1123",
            "uniform single attestation program", "independent accountants'? report",
            "fulfilled (?:all )?(?:of )?its obligations",
        ),
    ),
    _Kind(
        "an agreement",
        (
            "pooling and servicing agreement", "witnesseth", "in consideration of the mutual agreements", "article i",
            r"section 1\.01\.? definitions", "sale and servicing agreement", "the parties hereto",
            "in witness whereof",
        ),
        least=3,
    ),
)  # fmt: skip


# What reports speak of. Covers and letters do so too, but they print no factors, nor amounts in cents or of millions.
_SPOKEN_OF = (
    "(?:distribution|payment|remittance) dates?", "certificateholders?", "noteholders?", "distribution report",
    "servicing (?:report|certificate)", "(?:certificate|note|pool) balances?", "pass-through certificates",
    "asset[- ]backed (?:notes|certificates)",
)  # fmt: skip
_FIGURE = r"[0-9],[0-9]{3}\.[0-9]{2}\b|[0-9]\.[0-9]{5}|[0-9],[0-9]{3},[0-9]{3}\b"
_LEAST_FIGURES = 3


def may_be_report(text: str) -> bool:
    """Whether a document may be a report, though it has no table that could be read: it speaks of what reports do, and
    has amounts in cents or of millions, or factors."""
    beginning = pl.Series([text[:LOOKED_AT]])
    figures = beginning.str.count_matches(_FIGURE).item()
    spoken = "|".join(compile_search(words) for words in _SPOKEN_OF)
    return bool(figures >= _LEAST_FIGURES and beginning.str.contains(rf"(?i)\b(?:{spoken})\b").item())


def looks_like(text: str) -> str | None:
    """What a document looks like that is no distribution report; None where nothing says so."""
    beginning = pl.DataFrame({"text": [text[:LOOKED_AT]]})
    for kind in _KINDS:
        marks = [
            pl.col("text").str.extract(rf"(?i)\b({compile_search(mark)})\b").alias(str(number))
            for number, mark in enumerate(kind.marks)
        ]
        found = [mark for mark in beginning.select(marks).row(0) if mark is not None]
        if len(found) >= kind.least:
            words = "', '".join(" ".join(mark.split()) for mark in found[: kind.least])
            return f"{kind.name} ('{words}')"
    return None
