"""What people see of checks: the catalogue, and what breaks in a lake."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from etl.dictionary import described
from etl.identities import Check
from etl.lake_checks import LakeChecks
from etl.outcomes import OUTCOMES
from etl.terminal import MIN_WIDTH, amount, hanging, json_value, printable

MAX_BREAKS_SHOWN = 40


def show_checks(checks: Sequence[Check]) -> None:
    """Print what is checked."""
    console = Console(highlight=False, markup=False)
    for check in checks:
        console.print(Text(check.name, style="bold"))
        for text in (described(check)["formula"], check.statement):
            for line in hanging("    ", text, max(MIN_WIDTH, console.width)) if text else ():
                console.print(line)


def lake_checks_as_json(result: LakeChecks) -> str:
    """The checks of a lake as one JSON object; decimals are strings."""

    def by_check(counts: Mapping[tuple[str, str], int]) -> dict[str, dict[str, int]]:
        found: dict[str, dict[str, int]] = {}
        for (check, outcome), count in sorted(counts.items()):
            found.setdefault(check, {})[outcome] = count
        return found

    shown = {
        "deals": result.deals,
        "reports": result.reports,
        "within_reports": by_check(result.within_reports),
        "between_reports": by_check(result.between_reports),
        "breaks": result.breaks,
    }
    return json.dumps(shown, default=json_value)


def show_lake_checks(result: LakeChecks) -> None:
    """Print what breaks in a lake: a table of the checks, then each break with its size and its lines."""
    console = Console(highlight=False, soft_wrap=True, emoji=False, markup=False)
    width = max(MIN_WIDTH, console.width)
    console.print(f"{result.deals:,} deals, {result.reports:,} reports")
    console.print(f"within reports:  {_by_outcome(result.within_reports)}")
    console.print(f"between reports: {_by_outcome(result.between_reports)}")
    for check, count in _explained_checks(result.within_reports).items():
        console.print(f"explained: {check}: {count:,}")
    if not result.breaks:
        console.print("nothing breaks" if result.reports else "the lake holds no report: nothing was checked")
        return
    console.print(_breaks_grid(result.breaks))
    deal = None
    for found in result.breaks[:MAX_BREAKS_SHOWN]:
        if found["deal"] != deal:
            deal = found["deal"]
            console.print(f"\n{printable(str(deal))}", style="bold")
        for line in _break(found, width):
            console.print(line)
    if len(result.breaks) > MAX_BREAKS_SHOWN:
        console.print(f"... and {len(result.breaks) - MAX_BREAKS_SHOWN:,} more; --json gives all of them")


def _by_outcome(counts: Mapping[tuple[str, str], int]) -> str:
    outcomes: Counter[str] = Counter()
    for (_, outcome), count in counts.items():
        outcomes[outcome] += count
    return ", ".join(f"{outcomes[outcome]:,} {outcome}" for outcome in OUTCOMES if outcomes[outcome]) or "none"


def _explained_checks(counts: Mapping[tuple[str, str], int]) -> dict[str, int]:
    """How many outcomes of each check were explained."""
    return {check: count for (check, outcome), count in sorted(counts.items()) if outcome == "explained"}


def _breaks_grid(breaks: Sequence[dict[str, Any]]) -> Grid:
    """How often each check breaks, and by how much at the most."""
    grid = Grid("check", "breaks", "largest", box=None, pad_edge=False)
    for column in grid.columns[1:]:
        column.justify = "right"
    for name in dict.fromkeys(found["check"] for found in breaks):
        sizes = [abs(found["difference"]) for found in breaks if found["check"] == name and found["difference"]]
        count = sum(found["check"] == name for found in breaks)
        grid.add_row(Text(name), f"{count:,}", amount(max(sizes)) if sizes else "")
    return grid


def _break(found: dict[str, Any], width: int) -> Iterator[Text]:
    date = f"{found['distribution_date']}  " if found["distribution_date"] else ""
    yield Text(printable(f"{date}{found['check']}: {found['subject']}{off_by(found)}"))
    yield from hanging("            ", f"{found['source']}{at_lines(found)}", width)
    yield from hanging("            ", found["explanation"] or "", width)


def at_lines(found: Mapping[str, Any]) -> str:
    """The lines that a check speaks of, where there are some."""
    lines = found["lines"] or ()
    return f", line{'s' if len(lines) > 1 else ''} {', '.join(map(str, lines))}" if lines else ""


def off_by(found: Mapping[str, Any]) -> str:
    """The size of a break, where it has one."""
    size = Decimal(found["difference"] or 0)
    return f", off by {amount(size)}" if size else ""
