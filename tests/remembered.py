"""Readings that are remembered, for tests of what becomes of a reading: of what a lake is after many runs.

The same documents, filed alike, are read as the same tables, wherever they lie, so they are read once; all else that a
run does it does each time. That reading is so is for other tests to say, which remember nothing: tests/test_parquet.py
among them.
"""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import polars as pl

from etl import batch
from etl.documents import Document
from etl.layout import Layout
from etl.records import Extraction

# The real one: nearly all that reading costs.
read_with = batch._read_with  # noqa: SLF001


class Remembered:
    """Takes the place of `etl.batch._read_with`. A folder has what was read, for other processes; those that only
    look into it (`learns` is False) write nothing."""

    def __init__(self, folder: Path, *, learns: bool = True) -> None:
        self.folder = folder
        self._learns = learns
        self._known: dict[str, batch._Part] = {}

    def __call__(
        self, layout: Layout, documents: Sequence[Document], complete: Callable[[Extraction], Extraction] | None = None
    ) -> batch._Part:
        """What these documents are read as, together and in this order. What no layout knows is not remembered."""
        if complete is not None:
            return read_with(layout, documents, complete)
        given = [(document.sha256, document.first_line, document.header) for document in documents]
        parts = [hashlib.sha256(layout.file.read_bytes()).hexdigest(), *map(repr, given)]
        key = hashlib.sha256("".join(parts).encode()).hexdigest()
        if key not in self._known:
            self._known[key] = self._read(self.folder / key, layout, documents)
        part = self._known[key]
        sources = pl.Series([document.source for document in documents], dtype=pl.String)
        reports = part.tables["reports"]
        named = reports.with_columns(source=sources.gather(reports["document"]))
        return replace(part, tables=part.tables | {"reports": named})

    def _read(self, file: Path, layout: Layout, documents: Sequence[Document]) -> batch._Part:
        if file.exists():
            known: batch._Part = pickle.loads(file.read_bytes())  # noqa: S301 - from these tests
            return known
        part = read_with(layout, documents)
        if self._learns:
            file.write_bytes(pickle.dumps(part))
        return part
