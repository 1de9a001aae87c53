"""Which of the reports of one deal and day holds: by what they say, never by the order in which they came."""

from __future__ import annotations

import datetime as dt
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.versions import CONFLICT, CURRENT, SUPERSEDED, Version, standings

DAY, NEXT_DAY = dt.date(2003, 11, 20), dt.date(2003, 11, 21)


def version(
    report_id: str,
    content: str = "",
    *,
    filed: dt.date | None = None,
    revised: bool = False,
    dated: dt.date | None = None,
) -> Version:
    return Version(report_id, filed, revised, dated, content or report_id)


@pytest.mark.parametrize(
    ("versions", "expected"),
    [
        ([version("a")], {"a": CURRENT}),
        ([version("a"), version("b", revised=True)], {"a": SUPERSEDED, "b": CURRENT}),
        ([version("a", filed=NEXT_DAY), version("b", filed=DAY)], {"a": CURRENT, "b": SUPERSEDED}),
        # filed later counts before what is printed
        ([version("a", filed=NEXT_DAY), version("b", filed=DAY, revised=True)], {"a": CURRENT, "b": SUPERSEDED}),
        # filed on one day: the amendment
        ([version("a", filed=DAY), version("b", filed=DAY, revised=True)], {"a": SUPERSEDED, "b": CURRENT}),
        # of those that say the same, one whose filing is known
        (
            [version("a", "x"), version("c", "x", filed=DAY), version("b", "x")],
            {"a": SUPERSEDED, "c": CURRENT, "b": SUPERSEDED},
        ),
        # of one the day of filing is not known
        ([version("a", filed=DAY), version("b", revised=True)], {"a": SUPERSEDED, "b": CURRENT}),
        ([version("a", dated=DAY), version("b", dated=NEXT_DAY)], {"a": SUPERSEDED, "b": CURRENT}),
        ([version("a", dated=NEXT_DAY), version("b", dated=DAY, revised=True)], {"a": SUPERSEDED, "b": CURRENT}),
        ([version("a", dated=DAY), version("b")], {"a": CONFLICT, "b": CONFLICT}),
        ([version("a"), version("b")], {"a": CONFLICT, "b": CONFLICT}),
        # two revisions, and nothing that orders them: the original is superseded all the same
        (
            [version("a"), version("b", revised=True), version("c", revised=True)],
            {"a": SUPERSEDED, "b": CONFLICT, "c": CONFLICT},
        ),
        # the same report twice is no conflict
        ([version("b", "same"), version("a", "same")], {"a": CURRENT, "b": SUPERSEDED}),
        (
            [version("b", "same"), version("a", "same"), version("c")],
            {"a": CONFLICT, "b": SUPERSEDED, "c": CONFLICT},
        ),
        ([version("a", "same"), version("b", "same", revised=True)], {"a": SUPERSEDED, "b": CURRENT}),
    ],
)
def test_standings(versions: list[Version], expected: dict[str, str]) -> None:
    for order in permutations(versions):
        assert standings(order) == expected


PLACES = st.tuples(st.sampled_from([None, DAY, NEXT_DAY]), st.booleans(), st.sampled_from([None, DAY, NEXT_DAY]))


@given(st.lists(st.tuples(PLACES, st.sampled_from("xyz")), min_size=1, max_size=7), st.randoms(use_true_random=False))
def test_order_does_not_matter_and_something_always_holds(
    given_versions: list[tuple[tuple[dt.date | None, bool, dt.date | None], str]],
    random: object,
) -> None:
    versions = [
        Version(str(number), filed, revised, dated, content)
        for number, ((filed, revised, dated), content) in enumerate(given_versions)
    ]
    expected = standings(versions)
    shuffled = list(versions)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert standings(shuffled) == expected
    holding = [standing for standing in expected.values() if standing != SUPERSEDED]
    assert holding == [CURRENT] or (len(holding) > 1 and set(holding) == {CONFLICT})


def test_evidence_that_runs_in_a_circle_orders_nothing() -> None:
    circle = [
        version("a", filed=NEXT_DAY, revised=False, dated=None),
        version("b", filed=DAY, revised=True, dated=None),
        version("c", filed=None, revised=True, dated=None),
    ]
    # a after b (filed), c after a (revised), b and c not ordered
    assert standings(circle) == {"a": SUPERSEDED, "b": SUPERSEDED, "c": CURRENT}
