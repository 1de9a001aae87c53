"""Figures: what the printed decimals say of the error of each, and which of two printed figures counts."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from etl.cells import VALUE, typed
from etl.figures import figures, first_of_each, number_fields, wide
from etl.formulas import error_column

NOTHING = dict.fromkeys(("section", "class_key", "group_id", "loan_status", "bucket"))


def records(*cells: tuple[str, str, str, str], **keys: Any) -> pl.DataFrame:
    """Records of printed cells: `table`, `field`, `unit`, `raw`; of class A-1, where `keys` do not say otherwise."""
    rows = [
        {"document": 0, "table": table, "field": field, "unit": unit, "raw": raw, "line": line}
        | NOTHING
        | (keys or {"class_key": "A-1"})
        for line, (table, field, unit, raw) in enumerate(cells, 1)
    ]
    frame = pl.DataFrame(
        rows, schema_overrides={"document": pl.UInt32, "line": pl.Int32, **dict.fromkeys(NOTHING, pl.String)}
    )
    read = [typed(part.lazy(), str(part["unit"][0]), seen=False).collect() for part in frame.partition_by("unit")]
    return pl.concat(read).sort("line")


def figure(raw: str, unit: str) -> tuple[Decimal, Decimal, Decimal]:
    """Value, half a unit and error of one printed figure."""
    row = figures(records(("classes", "ending_balance", unit, raw))).row(0, named=True)
    return row["value"], row["half_unit"], row["error"]


@pytest.mark.parametrize(
    ("unit", "raw", "value", "half_unit"),
    [
        ("usd", "1,234", "1234", "0.5"),
        ("usd", "1,234.5", "1234.5", "0.05"),
        ("usd", "1,234.56", "1234.56", "0.005"),
        ("usd", "(4,179)", "-4179", "0.5"),
        ("usd", "-4,179.10", "-4179.1", "0.005"),
        ("per_1000", "40.85504", "40.85504", "0.000005"),
        ("per_1000", "0.00000", "0", "0.000005"),
        ("fraction", "1.50000%", "0.015", "0.00000005"),
        ("fraction", "21.546603%", "0.21546603", "0.000000005"),
        ("fraction", "5%", "0.05", "0.005"),
        ("fraction", "0.00000%", "0", "0.00000005"),
        ("fraction", "1.12345678%", "0.0112345678", "0.0000000001"),  # no finer than the tables hold
        ("months", "344", "344", "0.5"),
        ("usd", "(0)", "0", "0.5"),
        ("usd", "-0.00", "0", "0.005"),
    ],
)
def test_the_error_is_half_a_unit_of_the_last_digit(unit: str, raw: str, value: str, half_unit: str) -> None:
    assert figure(raw, unit) == (Decimal(value), Decimal(half_unit), Decimal(half_unit))


@pytest.mark.parametrize(
    ("unit", "raw", "half_unit"),
    [("usd", "0", "0.5"), ("usd", "0.00", "0.005"), ("count", "0", "0.5"), ("count", "2,858", "0.5")],
)
def test_counts_and_amounts_printed_as_zero_are_exact(unit: str, raw: str, half_unit: str) -> None:
    assert figure(raw, unit)[1:] == (Decimal(half_unit), Decimal(0))


@pytest.mark.parametrize("raw", ["N/A", "n/a", "", "---"])
def test_what_is_no_number_is_no_figure(raw: str) -> None:
    assert figures(records(("classes", "ending_balance", "usd", raw))).is_empty()


def test_only_numbers_of_tables_are_figures() -> None:
    """A cover has numbers too, and an unclaimed number has no key."""
    assert figures(records(("reports", "cik", "usd", "1,234"))).is_empty()
    assert figures(records(("classes", "ending_balance", "usd", "1,234"), class_key=None)).is_empty()


@pytest.mark.parametrize(
    ("table", "keys", "key"),
    [
        ("classes", {"class_key": "M-1", "group_id": "GROUP 1"}, "M-1"),
        ("classes", {"class_key": "A-1", "section": "REMIC II"}, "REMIC II A-1"),
        ("pools", {"group_id": "GROUP 2"}, "GROUP 2"),
        (
            "delinquencies",
            {"group_id": "GROUP 2", "loan_status": "delinquent", "bucket": "30-59"},
            "GROUP 2 delinquent 30-59",
        ),
        ("delinquencies", {"group_id": "TOTAL", "loan_status": "reo"}, "TOTAL reo"),
        ("measures", {"group_id": "GROUP 1"}, "GROUP 1"),
        ("measures", {"group_id": None}, "TOTAL"),
    ],
)
def test_a_figure_has_the_key_of_its_row(table: str, keys: dict[str, str | None], key: str) -> None:
    assert figures(records((table, "balance", "usd", "1"), **keys))["key"].to_list() == [key]


def test_of_doubled_figures_the_first_counts() -> None:
    """An amount that is printed again with other decimals: value and error come from the first."""
    known = figures(records(
        ("classes", "ending_balance", "usd", "1,234"),
        ("classes", "ending_balance", "usd", "1,234.49"),
        ("classes", "beginning_balance", "usd", "7.5"),
    ))  # fmt: skip
    assert known.height == 3
    assert first_of_each(known)["raw"].to_list() == ["1,234", "7.5"]
    row = wide(first_of_each(known))["classes"].row(0, named=True)
    assert (row["ending_balance"], row[error_column("ending_balance")]) == (1234, Decimal("0.5"))
    assert (row["beginning_balance"], row[error_column("beginning_balance")]) == (Decimal("7.5"), Decimal("0.05"))


def test_a_table_has_a_column_for_every_number_it_may_hold() -> None:
    known = figures(records(("pools", "ending_balance", "usd", "1"), group_id="GROUP 1"))
    table = wide(first_of_each(known))["pools"]
    fields = number_fields("pools")
    assert table.columns == ["document", "key", *fields, *(error_column(field) for field in fields)]
    assert {"beginning_balance", "ending_count", "total_interest"} <= set(fields)
    assert "group_id" not in fields
    assert table.schema["prepayments"] == VALUE
    assert table.select("prepayments", error_column("prepayments")).row(0) == (None, 0)


def test_each_measure_is_a_number() -> None:
    assert {"oc_amount", "credit_enhancement", "realized_losses_cumulative"} <= set(number_fields("measures"))
