"""A user who reads Delta tables again and again while others write: python -m tests.delta_reader OUTPUT TRUTH, until
standard input ends.

The truth has of each table the states that it may be in, as the rows of each report. One JSON object comes out.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from threading import Thread
from typing import Any

from deltalake import DeltaTable
from deltalake.exceptions import TableNotFoundError

from .delta_lakes import by_report


def main(output: Path, truth: dict[str, list[dict[str, int]]]) -> dict[str, Any]:
    """Read until standard input ends."""
    asking = Thread(target=sys.stdin.read, daemon=True)
    asking.start()
    said: dict[str, Any] = {"polls": 0, "torn": [], "states": 0}
    seen: set[str] = set()
    last = dict.fromkeys(truth, -1)
    print("reading", flush=True)  # noqa: T201
    while asking.is_alive():
        for name, states in truth.items():
            try:
                table = DeltaTable(str(output / name))
            except TableNotFoundError:
                continue  # a lake that has not begun
            found = by_report(table)
            said["polls"] += 1
            if found not in states or table.version() < last[name]:
                said["torn"].append(f"{name} in version {table.version()}: {found}")
            last[name] = table.version()
            seen.add(f"{name} {states.index(found) if found in states else found}")
    said["states"] = len(seen)
    return said


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text()))))  # noqa: T201
