"""What a lake of Delta tables holds, as its readers see it."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import DeltaTable

from etl.partitions import PLACES
from etl.schema import TABLES

from .lakes import hashes

NAMES = tuple(f"{place}{name}" for place in PLACES for name in TABLES)


def opened(lake: Path, name: str, version: int | None = None) -> DeltaTable:
    """A table of a lake, in its newest version or another."""
    return DeltaTable(str(lake / name), version=version)


def rows(lake: Path, name: str, version: int | None = None) -> pa.Table:
    """All rows of a table."""
    return opened(lake, name, version).to_pyarrow_table()


def by_report(table: DeltaTable) -> dict[str, int]:
    """How many rows of each report a table has."""
    return dict(sorted(Counter(table.to_pyarrow_table(columns=["report_id"])["report_id"].to_pylist()).items()))


def state(lake: Path) -> dict[str, object]:
    """What a lake holds now: of each table its files, with the SHA-256 of what is in them; and the files beside the
    tables. Versions are not looked at."""
    found: dict[str, object] = {
        file: digest
        for file, digest in hashes(lake).items()
        if not file.startswith(tuple(f"{name}/" for name in NAMES))
    }
    for name in NAMES:
        table = opened(lake, name)
        paths = sorted(pa.table(table.get_add_actions(flatten=True))["path"].to_pylist())
        found[name] = [(path, hashlib.sha256((lake / name / path).read_bytes()).hexdigest()) for path in paths]
    return found


def versions(lake: Path) -> dict[str, int]:
    """The newest version of each table."""
    return {name: opened(lake, name).version() for name in NAMES}


def log(lake: Path, name: str, version: int) -> dict[str, list[dict[str, Any]]]:
    """What one commit did, by the kind of its actions."""
    actions: dict[str, list[dict[str, Any]]] = {}
    for line in (lake / name / "_delta_log" / f"{version:020}.json").read_text().splitlines():
        for kind, said in json.loads(line).items():
            actions.setdefault(kind, []).append(said)
    return actions
