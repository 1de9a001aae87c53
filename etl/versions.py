"""The reports of one deal and day → which of them holds.

A report may be filed again: as an amendment (8-K/A, 10-D/A), with a REVISED mark, or simply twice. What
is said here follows from the set of the reports alone, so it does not matter in which order they came.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

CURRENT, CONFLICT, SUPERSEDED = "current", "conflict", "superseded"


@dataclass(frozen=True)
class Version:
    """What orders the reports of one deal and day.

    `content` is the same for reports that say the same, figure by figure.
    """

    report_id: str
    filed_date: dt.date | None
    revised: bool  # an amendment, or marked as revised
    report_date: dt.date | None
    content: str

    @property
    def place(self) -> tuple[dt.date | None, bool, dt.date | None]:
        """All that says whether it is later than another one."""
        return (self.filed_date, self.revised, self.report_date)


def standings(versions: Sequence[Version]) -> dict[str, str]:
    """The standing of each report, by its id.

    A report is superseded by a later one: filed later, or where that is not known or the same day, an
    amendment or revision of an original, or dated later on its cover. Of those that nothing supersedes,
    the ones that say the same count as one: one whose filing is known, of those the one with the smallest id. If one
    is left, it is current; several are a conflict.
    """
    places = {version.place for version in versions}
    latest = {place for place in places if not any(_later(other, place) for other in places)}
    # Evidence that runs in a circle orders nothing.
    holding = [version for version in versions if version.place in latest] or list(versions)
    first: dict[str, str] = {}
    for version in sorted(holding, key=lambda version: (version.filed_date is None, version.report_id)):
        first.setdefault(version.content, version.report_id)
    standing = CURRENT if len(first) == 1 else CONFLICT
    kept = set(first.values())
    return {version.report_id: standing if version.report_id in kept else SUPERSEDED for version in versions}


def version_of(report: Mapping[str, object], content: str) -> Version:
    """The version that a row of `reports` describes."""
    filed, dated = report["filed_date"], report["report_date"]
    return Version(
        report_id=str(report["report_id"]),
        filed_date=filed if isinstance(filed, dt.date) else None,
        revised=bool(report["is_amendment"]) or report["revision_mark"] is not None,
        report_date=dated if isinstance(dated, dt.date) else None,
        content=content,
    )


def _later(one: Iterable[object], other: Iterable[object]) -> bool:
    """Whether the first place is later: by the first kind of evidence that both have and that differs."""
    for here, there in zip(one, other, strict=True):
        if here is not None and there is not None and here != there:
            return bool(here > there)  # type: ignore[operator]
    return False
