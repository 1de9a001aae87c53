"""A user who asks again and again while others write: python -m tests.faults_reader OUTPUT TRUTH, until standard
input ends.

Each answer is held against the truth: what every partition may hold, and nothing else. One JSON object
comes out.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from threading import Thread
from typing import Any

import duckdb

QUERY = """
WITH r AS (SELECT deal, distribution_date, report_id, count(*) AS n
           FROM read_parquet('{0}/reports/**/*.parquet', hive_partitioning = true) GROUP BY ALL),
     c AS (SELECT deal, distribution_date, report_id, count(*) AS n, sum(ending_balance) AS total
           FROM read_parquet('{0}/classes/**/*.parquet', hive_partitioning = true) GROUP BY ALL),
     k AS (SELECT deal, distribution_date, report_id, count(*) AS n
           FROM read_parquet('{0}/checks/**/*.parquet', hive_partitioning = true) GROUP BY ALL)
SELECT deal, CAST(distribution_date AS VARCHAR), report_id, r.n, c.n, CAST(c.total AS VARCHAR), k.n
FROM r FULL JOIN c USING (deal, distribution_date, report_id) FULL JOIN k USING (deal, distribution_date, report_id)
"""


def answers(output: Path) -> list[tuple[Any, ...]]:
    """Of each report: deal, date, id, rows of reports, rows and balance of classes, rows of checks."""
    with duckdb.connect() as connection:
        connection.execute("SET threads = 1")
        return connection.execute(QUERY.format(output)).fetchall()


def torn(rows: list[tuple[Any, ...]], truth: dict[str, list[Any]]) -> list[str]:
    """What is not the whole of exactly one report, in any table."""
    found = []
    holding: Counter[tuple[str, str]] = Counter()
    for deal, date, report_id, *figures in rows:
        key = f"{deal} {date} {report_id}"
        wanted = truth.get(key)
        if wanted is None or any(
            figure is not None and figure != right for figure, right in zip(figures, wanted, strict=True)
        ):
            found.append(f"{key}: {figures} and not {wanted}")
        reports, classes, _, checks = figures
        for table, count in (("reports", reports), ("classes", classes), ("checks", checks)):
            holding[f"{deal} {date}", table] += count is not None
    found += [f"{place}: {count} reports in {table}" for (place, table), count in holding.items() if count > 1]
    return found


def main(output: Path, truth: dict[str, list[Any]]) -> dict[str, Any]:
    """Ask until standard input ends."""
    asking = Thread(target=sys.stdin.read, daemon=True)
    asking.start()
    said: dict[str, Any] = {"polls": 0, "joined": 0, "failures": [], "torn": [], "lost": []}
    seen: set[tuple[str, str]] = set()
    while asking.is_alive():
        try:
            rows = answers(output)
        except duckdb.Error as error:
            if seen or "No files found" not in str(error):  # a lake that has not begun has no files
                said["failures"].append(str(error))
            continue
        said["polls"] += 1
        said["torn"] += torn(rows, truth)
        here = {(deal, date) for deal, date, _, reports, *_ in rows if reports is not None}
        said["lost"] += [f"{deal} {date}" for deal, date in seen - here]
        seen |= here
        said["joined"] = max(said["joined"], sum(None not in row for row in rows))
    return said


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text()))))  # noqa: T201
