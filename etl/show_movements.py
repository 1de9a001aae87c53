"""What people see of the movements between two distributions."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from decimal import Decimal
from typing import Any

from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from etl.grids import ANY_WIDTH, Column, Rows, figure, figures, grid_of, texts
from etl.movements import Movements
from etl.rules import TOTAL
from etl.terminal import MIN_WIDTH, OUTCOME_STYLES, hanging, json_value, printable


def movements_as_json(moved: Movements) -> str:
    """All that is known of what moved as one JSON object; decimals are strings."""
    shown = {
        "deal": moved.deal,
        "from": asdict(moved.before),
        "to": asdict(moved.after),
        "between": [asdict(report) for report in moved.between],
        "gaps": [asdict(gap) for gap in moved.gaps],
        **{name: frame.to_dicts() for name, frame in moved.tables.items()},
    }
    return json.dumps(shown, default=json_value)


def show_movements(moved: Movements) -> None:
    """Print all classes and groups and whether they add up, and of the other tables what changed."""
    width = max(MIN_WIDTH, Console().width)
    console = Console(highlight=False, soft_wrap=True, emoji=False, markup=False, width=ANY_WIDTH)
    console.print(printable(moved.deal), style="bold")
    count = len(moved.between)
    for name, report in (("from", moved.before), ("to", moved.after)):
        console.print(printable(f"{name:<6}{report.distribution_date}  {report.report_id}  {report.source}"))
    console.print(f"{count or 'no'} report{'' if count == 1 else 's'} in between")
    for gap in moved.gaps:
        console.print(gap.reason, style="yellow")
    for table, key, shown in (("classes", "class_key", _class_grid), ("pools", "group_id", _group_grid)):
        rows = moved.tables[table].to_dicts()
        console.print(f"\n{table}: does what was paid and lost explain the balances?", style="bold")
        console.print(_roll_forward_grid(rows, key, moved))
        for line in _reasons(rows, key, width):
            console.print(line)
        console.print()
        console.print(shown(rows, moved))
    for table, grids in (
        ("delinquencies", _loan_grids),
        ("measures", _measure_grids),
        ("triggers", _trigger_grids),
    ):
        rows = moved.tables[table].to_dicts()
        changed = [row for row in rows if row["changed"]]
        console.print(f"\n{table}: {len(changed):,} changed, {len(rows) - len(changed):,} did not", style="bold")
        for part in grids(changed, moved) if changed else ():
            console.print(part)


def _roll_forward_grid(rows: Rows, key: str, moved: Movements) -> Grid:
    """The balance before, what moved it, the balance after, and whether that is what follows."""
    principal = "principal_distribution" if key == "class_key" else "total_principal"
    added = [_added(row) for row in rows]
    return grid_of(
        texts(key.partition("_")[0], (_row_name(row, key) for row in rows)),
        figures(str(moved.before.distribution_date), rows, "ending_balance_before"),
        figures("principal", rows, principal),
        figures("lost", rows, "realized_loss") if any(row["realized_loss"] for row in rows) else None,
        figures("added", [{"added": value} for value in added], "added") if any(added) else None,
        figures(str(moved.after.distribution_date), rows, "ending_balance_after"),
        Column("adds up", [_adds_up(row) for row in rows]),
    )


def _added(row: Mapping[str, Any]) -> Decimal | None:
    """Deferred interest, or what the over-collateralization grew by."""
    signs = {"deferred_interest": 1, "oc_increase": 1, "oc_release": -1}
    parts = [sign * row[name] for name, sign in signs.items() if row.get(name) is not None]
    return sum(parts, Decimal(0)) if parts else None


def _adds_up(row: Mapping[str, Any]) -> Text:
    size = figure(row["difference"])
    words = {"pass": "adds up", "rounding": f"rounding, {size}", "fail": f"off by {size}"}
    return Text(words.get(row["outcome"], "-"), style=OUTCOME_STYLES.get(row["outcome"], ""))


def _reasons(rows: Rows, key: str, width: int) -> Iterator[Text]:
    """Why some rows are not added up, each reason once."""
    reasons: dict[str, list[str]] = {}
    for row in rows:
        if row["reason"]:
            reasons.setdefault(row["reason"], []).append(_row_name(row, key))
    for reason, names in reasons.items():
        yield from hanging("-  ", f"not applicable to {', '.join(names)}: {reason}", width)


def _row_name(row: Mapping[str, Any], key: str) -> str:
    """A class behind its section, or a group."""
    return " ".join(filter(None, (row.get("section"), row[key])))


def _class_grid(rows: Rows, moved: Movements) -> Grid:
    return grid_of(
        texts("class", (_row_name(row, "class_key") for row in rows)),
        figures("balance moved", rows, "ending_balance_change", signed=True),
        figures("interest paid", rows, "interest_distribution"),
        figures(f"rate {moved.before.distribution_date}", rows, "pass_through_rate_before", "%"),
        figures(f"rate {moved.after.distribution_date}", rows, "pass_through_rate_after", "%"),
    )


def _group_grid(rows: Rows, moved: Movements) -> Grid:
    return grid_of(
        texts("group", (row["group_id"] for row in rows)),
        figures("balance moved", rows, "ending_balance_change", signed=True),
        figures(f"loans {moved.before.distribution_date}", rows, "ending_count_before"),
        figures(f"loans {moved.after.distribution_date}", rows, "ending_count_after"),
        figures("moved", rows, "ending_count_change", signed=True),
    )


def _loan_grids(rows: Rows, moved: Movements) -> Iterator[Grid]:
    """A grid for each group, close together so that its lines fit."""
    for group in dict.fromkeys(row["group_id"] for row in rows):
        its = [row for row in rows if row["group_id"] == group]
        yield grid_of(
            texts(group, (" ".join(filter(None, (row["status"], row["bucket"]))) for row in its)),
            figures("loans", its, "loan_count_before"),
            figures("to", its, "loan_count_after"),
            figures("moved", its, "loan_count_change", signed=True),
            figures("balance", its, "balance_before"),
            figures("to", its, "balance_after"),
            figures("moved", its, "balance_change", signed=True),
            _only_in(its, moved),
            padding=(0, 1, 0, 0),
        )


def _measure_grids(rows: Rows, moved: Movements) -> Iterator[Grid]:
    def shown(field: str, *, signed: bool = False) -> list[Text]:
        marks = ["%" if row["unit"] == "fraction" else "" for row in rows]
        return [figure(row[field], mark=mark, signed=signed) for row, mark in zip(rows, marks, strict=True)]

    yield grid_of(
        texts("measure", (" ".join([row["measure"], *[row["group_id"]] * (row["group_id"] != TOTAL)]) for row in rows)),
        Column(str(moved.before.distribution_date), shown("value_before"), "right"),
        Column(str(moved.after.distribution_date), shown("value_after"), "right"),
        Column("moved", shown("value_change", signed=True), "right"),
        _only_in(rows, moved),
    )


def _trigger_grids(rows: Rows, moved: Movements) -> Iterator[Grid]:
    def said(row: Mapping[str, Any], side: str) -> str:
        answer = {True: "yes", False: "no", None: "-"}[row[f"occurred_{side}"]]
        numbers = [(name, row[f"{name}_{side}"]) for name in ("test_value", "threshold")]
        return ", ".join(
            [answer, *(f"{name} {figure(value, mark='%')}" for name, value in numbers if value is not None)]
        )

    yield grid_of(
        texts("trigger", (" ".join(filter(None, [row["trigger"], row["group_id"]])) for row in rows)),
        texts(str(moved.before.distribution_date), (said(row, "before") for row in rows)),
        texts(str(moved.after.distribution_date), (said(row, "after") for row in rows)),
        _only_in(rows, moved),
    )


def _only_in(rows: Rows, moved: Movements) -> Column | None:
    """Which rows came and which went, where there are such."""
    if not any(row["only_in"] for row in rows):
        return None
    words = {moved.before.distribution_date: "gone", moved.after.distribution_date: "new"}
    return texts("", (words.get(row["only_in"], "") for row in rows))
