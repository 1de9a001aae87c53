"""Derived figures: against figures computed by hand, and with the reason where there are none."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from decimal import Decimal
from itertools import product
from typing import Any

import polars as pl
import pytest

import etl
from etl.analytics import (
    DERIVED,
    NOTIONAL,
    Derived,
    NotDefinedError,
    analytics,
    cdr,
    cpr,
    factor,
    mdr,
    months_of_periods,
    severity,
    smm,
)
from etl.schema import TABLES, table

from .conftest import REPOSITORY

MONEY = pl.Decimal(18, 2)
POOL = {
    "group_id": "TOTAL",
    "beginning_balance": Decimal("1000000.00"),
    "scheduled_principal": Decimal("10000.00"),
    "ending_balance": Decimal("980100.00"),
    "liquidation_proceeds": Decimal("600.00"),
    "realized_loss": Decimal("400.00"),
}
CLASS = {
    "section": "REMIC I",
    "class_key": "A-1",
    "original_balance": Decimal("400.00"),
    "ending_balance": Decimal("150.01"),
}


def _frames(
    pools: Sequence[dict[str, Any]], classes: Sequence[dict[str, Any]] = (), step: int = 1, reports: int = 1
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Reports of a deal, so many months apart; rows of pools and classes are of the last."""
    days = [dt.date(2003 + month // 12, month % 12 + 1, 25) for month in range(0, reports * step, step)]
    ids = [f"r{number}" for number in range(reports)]
    listed = pl.DataFrame({"deal": "d", "distribution_date": days, "report_id": ids, "source": ids})
    money = dict.fromkeys([*POOL, *CLASS], MONEY) | dict.fromkeys(("group_id", "section", "class_key"), pl.String)

    def frame(rows: Sequence[dict[str, Any]], names: Sequence[str]) -> pl.DataFrame:
        typed = {"report_id": pl.String, "is_notional": pl.Boolean, **{name: money[name] for name in names}}
        return pl.DataFrame([{"report_id": ids[-1], **row} for row in rows], schema=typed)

    checks = pl.DataFrame(schema=dict.fromkeys(("report_id", "check", "subject"), pl.String)).with_columns(
        actual=pl.lit(None, dtype=pl.Decimal(38, 10))
    )
    return listed, frame(classes, [*CLASS]), frame(pools, [*POOL]), checks


def _found(*given: Any, **options: Any) -> dict[str, tuple[Decimal | None, str | None]]:
    rows = analytics(*_frames(*given, **options)).select("name", "value", "missing")
    return {name: (value, missing) for name, value, missing in rows.iter_rows()}


def test_the_formulas_by_hand() -> None:
    """990,000 is scheduled, 9,900 of it is gone: a hundredth. 1,000 of 1,000,000 was liquidated: a thousandth."""
    found = _found([POOL], [CLASS])
    assert found == {
        "class_factor": (Decimal("0.3750250000"), None),  # 150.01 / 400
        "smm": (Decimal("0.0100000000"), None),
        "cpr": (Decimal("0.1136151283"), None),  # 1 - 0.99^12 = 1 - 0.886384871716...
        "mdr": (Decimal("0.0010000000"), None),
        "cdr": (Decimal("0.0119342195"), None),  # 1 - 0.999^12 = 1 - 0.988065780494...
        "loss_severity": (Decimal("0.4000000000"), None),  # 400 / 1,000
    }


def test_the_formulas_alone() -> None:
    assert factor(Decimal(0), Decimal(7)) == 0
    assert smm(Decimal(100), Decimal(0), Decimal(0)) == 1
    assert cpr(Decimal(100), Decimal(0), Decimal(50)) == 1 - Decimal("0.5") ** 12
    assert mdr(Decimal(200), Decimal(1), Decimal(1)) == Decimal("0.01")
    assert cdr(Decimal(200), Decimal(50), Decimal(50)) == 1 - Decimal("0.5") ** 12
    assert severity(Decimal(3), Decimal(1)) == Decimal("0.25")


@pytest.mark.parametrize(
    ("compute", "inputs", "reason"),
    [
        (factor, (5, 0), "the original balance is zero"),
        (factor, (5, -10), "the original balance is below zero"),
        (factor, (-5, 10), "the ending balance is below zero"),
        (smm, (100, 100, 0), "the scheduled balance is zero"),
        (smm, (100, 1, 100), "the balance ends above the scheduled one, so something was added to the pool"),
        (smm, (100, 101, 0), "the scheduled balance is below zero"),
        (smm, (100, 120, -24), "the scheduled balance is below zero"),  # -0.2 by the formula
        (smm, (0, -5, 0), "the beginning balance is zero"),
        (smm, (-100, -200, 50), "the beginning balance is below zero"),
        (cpr, (100, 0, -5), "the ending balance is below zero"),  # an SMM of 1.05, which a year would hide
        (severity, (0, 0), "nothing was liquidated"),
        (mdr, (0, 5, 1), "the beginning balance is zero"),
        (mdr, (-100, 5, 1), "the beginning balance is below zero"),
        (cdr, (100, 120, 30), "proceeds and losses are more than the beginning balance, so they are no part of it"),
        (cdr, (100, 150, 150), "proceeds and losses are more than the beginning balance, so they are no part of it"),
        (mdr, (100, 5, -1), "proceeds or losses are printed below zero, so they are no balance that was liquidated"),
    ],
)
def test_where_a_formula_has_no_value_it_says_why(compute: Any, inputs: tuple[int, ...], reason: str) -> None:
    with pytest.raises(NotDefinedError, match=f"^{reason}$"):
        compute(*map(Decimal, inputs))


@pytest.mark.parametrize("absent", ["scheduled_principal", "realized_loss", "liquidation_proceeds", "ending_balance"])
def test_what_is_not_printed_is_not_made_up(absent: str) -> None:
    found = _found([POOL | {absent: None}])
    for derived in DERIVED:
        if derived.table == "pools":
            value, missing = found[derived.name]
            assert (missing == f"not printed: {absent}") == (absent in derived.inputs)
            assert (value is None) == (absent in derived.inputs)


def test_a_monthly_rate_is_only_said_of_a_month() -> None:
    found = _found([POOL], [CLASS], step=3, reports=4)
    assert found["smm"] == (None, "the period has 3 months, and this is a figure of one")
    assert found["cdr"] == (None, "the period has 3 months, and this is a figure of one")
    assert found["loss_severity"] == (Decimal("0.4000000000"), None)
    assert _found([POOL], step=1, reports=4)["smm"] == (Decimal("0.0100000000"), None)


def test_a_month_without_a_report_makes_no_longer_period() -> None:
    reports, _, _, checks = _frames([], reports=6)
    gone = reports.filter(pl.col("report_id") != "r3")
    assert set(months_of_periods(gone, checks)["months"]) == {1}


def test_a_rate_lies_between_nothing_and_all() -> None:
    """Whatever is printed: a rate above one would look right as that of a year, the power being even."""
    printed = [Decimal(value) for value in ("-120", "-5", "-0.01", "0", "0.01", "60", "100", "120")]
    for monthly, annual in ((smm, cpr), (mdr, cdr)):
        values = [(_value(monthly, inputs), _value(annual, inputs)) for inputs in product(printed, repeat=3)]
        assert all((month is None) == (year is None) for month, year in values)
        defined = [(month, year) for month, year in values if month is not None and year is not None]
        assert len(defined) > 20
        assert all(0 <= month <= year <= 1 for month, year in defined)
    severities = [_value(severity, inputs) for inputs in product(printed, repeat=2)]
    assert all(0 <= value <= 1 for value in severities if value is not None)


def _value(compute: Callable[..., Decimal], inputs: tuple[Decimal, ...]) -> Decimal | None:
    try:
        return compute(*inputs)
    except NotDefinedError:
        return None


def test_what_looks_right_and_is_not_is_said() -> None:
    """100 at the beginning, -5 at the end, 150 liquidated: the formulas give 1.05, 1.0000, 1.5 and 0.99976."""
    odd = {"beginning_balance": Decimal(100), "scheduled_principal": Decimal(0), "ending_balance": Decimal(-5)}
    found = _found([POOL | odd | {"liquidation_proceeds": Decimal(120), "realized_loss": Decimal(30)}])
    more = "proceeds and losses are more than the beginning balance, so they are no part of it"
    assert found == {
        **dict.fromkeys(("smm", "cpr"), (None, "the ending balance is below zero")),
        **dict.fromkeys(("mdr", "cdr"), (None, more)),
        "loss_severity": (Decimal("0.2000000000"), None),
    }


def test_the_widest_figures_are_held() -> None:
    widest, least = Decimal("9999999999999999.99"), Decimal("0.01")
    whole = {"beginning_balance": widest, "scheduled_principal": -widest, "ending_balance": least}
    found = _found([POOL | whole], [CLASS | {"original_balance": least, "ending_balance": widest}])
    assert found["class_factor"] == (Decimal("999999999999999999.0000000000"), None)
    assert found["smm"] == found["cpr"] == (Decimal("1.0000000000"), None)
    assert found["mdr"] == (Decimal("0.0000000000"), None)


def test_each_row_has_its_own_key() -> None:
    rows = analytics(*_frames([POOL, POOL | {"group_id": "GROUP 1"}], [CLASS]))
    assert rows.filter(name="class_factor")["key"].to_list() == ["REMIC I A-1"]
    assert rows.filter(name="smm")["key"].to_list() == ["TOTAL", "GROUP 1"]
    assert rows.columns == ["report_id", "name", "key", "value", "missing"]


def test_a_notional_balance_has_no_factor() -> None:
    rows = analytics(*_frames([], [CLASS | {"is_notional": True}, CLASS | {"class_key": "A-2", "is_notional": False}]))
    assert rows.select("key", "missing").rows() == [("REMIC I A-1", NOTIONAL), ("REMIC I A-2", None)]
    assert rows["value"].to_list() == [None, Decimal("0.3750250000")]


def test_a_report_without_rows_has_no_figures() -> None:
    assert analytics(*_frames([])).is_empty()


@pytest.mark.parametrize("derived", DERIVED, ids=lambda derived: derived.name)
def test_each_is_declared_whole(derived: Derived) -> None:
    names = [column.name for column in table(derived.table).columns]
    assert set(derived.inputs) <= set(names)
    assert derived.reference
    assert all(name in derived.formula for name in derived.inputs) or "^12" in derived.formula
    assert not [name for name in TABLES if derived.name in table(name).fields]  # nothing of it is in a lake


def test_a_real_report_by_other_means() -> None:
    """The pools of the sample, in fractions of integers and not in decimals."""
    report = etl.read_report(REPOSITORY / "samples/inbox/absc-2003-he2_2003-11-17.txt")
    keyed = {"deal": pl.lit("d"), "distribution_date": pl.lit(dt.date(2003, 11, 17))}
    frames = {name: report.tables[name].with_columns(**keyed) for name in ("reports", "classes", "pools", "checks")}
    rows = analytics(frames["reports"], frames["classes"], frames["pools"], frames["checks"])
    found = dict(rows.filter(key="GROUP 1").select("name", "value").iter_rows())
    # 434,639,952 at the beginning, 352,121 scheduled, 419,062,880 at the end
    assert found["smm"] == Decimal("0.0350572821")
    assert round(found["smm"] * (434639952 - 352121)) == 434639952 - 352121 - 419062880
    assert found["loss_severity"] is None
