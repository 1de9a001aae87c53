"""A lake whose shares and rates are hard to round: half way between two that can be shown, or of extreme amounts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import ROUND_HALF_UP, Context, Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

import etl
from etl.schema import arrow_schema

from .conftest import REPOSITORY

CASES = 4_000
# The largest amounts of the tables, and of measures.
MOST, LARGEST = Decimal("9999999999999999.99"), Decimal("9999999999999999999999999999.9999999999")
CENT = Decimal("0.01")
POOL = Decimal(2_620_000)
# Wholes and parts that are as far apart as they can be, and some that are nothing.
_EXTREMES = [
    (CENT, MOST), (MOST, CENT), (MOST, -CENT), (-MOST, CENT), (Decimal(0), MOST), (Decimal(0), Decimal(0)),
    (MOST, MOST), (Decimal(3), CENT), (CENT, Decimal("999.99")), (CENT, Decimal(-1000)), (Decimal(100_000), MOST),
]  # fmt: skip
# Where the part is so many times the whole, none is computed.
_TIMES = 100_000
_EXACT = Context(prec=60)

Pairs = list[tuple[Decimal, Decimal]]


def rounded(part: Decimal | None, whole: Decimal, places: int, times: int = 100) -> Decimal | None:
    """A share as it has to be: a half goes away from zero."""
    if part is None or abs(part) >= _TIMES * whole:
        return None
    return _EXACT.divide(times * part, whole).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP, _EXACT)


def lake_of_ties(output: Path) -> Path:
    """Make the lake: one deal and date, a report for each case."""
    etl.run([REPOSITORY / "samples" / "inbox" / "absc-2003-he2_2003-11-17.txt"], output)
    for name, rows in _tables().items():
        (file,) = (output / name).rglob("*.parquet")
        schema = pa.schema([pa.field(field.name, field.type) for field in arrow_schema(name)])
        pq.write_table(
            pa.Table.from_pylist([{key: row.get(key) for key in schema.names} for row in rows], schema), file
        )
    return output


def _tables() -> Mapping[str, list[dict[str, Any]]]:
    tables: dict[str, list[dict[str, Any]]] = {"classes": [], "pools": [], "delinquencies": [], "measures": []}
    factors, shares, rates = _halves()
    for at, ((issued, left), (pool, late), (base, lost)) in enumerate(zip(factors, shares, rates, strict=True)):
        report = {"report_id": f"{at:016}"}
        whole = report | {"group_id": "TOTAL"}
        loss = LARGEST if lost == MOST else lost
        tables["classes"] += [
            report | {"class_id": "A", "class_key": "A", "original_balance": issued, "ending_balance": left},
            report | {"class_id": "Total", "class_key": "TOTAL", "original_balance": base},
        ]
        tables["pools"].append(whole | {"beginning_balance": base, "ending_balance": pool})
        tables["delinquencies"] += [
            whole | {"status": "delinquent", "bucket": "60-89", "balance": late},
            whole | {"status": "delinquent", "bucket": "90+", "balance": MOST if late == MOST else Decimal(0)},
        ]
        tables["measures"] += [
            whole | {"measure": f"realized_losses_{when}", "value": loss} for when in ("current", "cumulative")
        ]
    return tables


def _halves() -> Iterator[Pairs]:
    """Wholes and parts for a factor of 8 decimals, a share in percent of 4, and a rate in percent of 6."""
    for unit, whole in ((Decimal("0.5e-8"), Decimal(2_000_000)), (Decimal("0.5e-6"), POOL), (Decimal("0.5e-8"), POOL)):
        odd = ((2 * at + 1) * (1 if at % 3 else -1) for at in range(CASES))
        yield [*((whole, number * unit * whole) for number in odd), *_EXTREMES]
