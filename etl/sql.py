"""A question in SQL to a lake: its tables by name, in DuckDB, which is shut in the lake's folder.

The database is in memory and holds nothing but views. It reads files of the lake alone, loads no
extension, reaches no network, and a query that would write a file is not run.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb

from etl.errors import EtlError, UsageError
from etl.partitions import refuse_unlistable
from etl.queries import View, duckdb_view
from etl.views import find_views
from etl.workers import result_of

MEMORY_LIMIT = "2GB"  # what does not fit spills into a folder for temporary files
SPILL_LIMIT = "20GB"
MAX_QUERY = 1_000_000

_ROWS_AT_ONCE = 1000
_EXPLAIN = re.compile(r"\s*explain\s+(analyze\s+)?", re.IGNORECASE)
_WRITING = re.compile(r'"name":\s*"[A-Z_]*COPY[A-Z_]*"')
# What is wrong with the machine rather than with the query.
_FAULTS = (duckdb.IOException, duckdb.OutOfMemoryException, duckdb.InternalException)


@dataclass(frozen=True)
class Answer:
    """What a query gives: names and DuckDB types of its columns, and its rows, once.

    Names are made unique (`deal`, `deal_2`), so that a row can be an object.
    """

    columns: tuple[str, ...]
    types: tuple[str, ...]
    rows: Iterator[tuple[Any, ...]]


@contextmanager
def ask(output: Path, query: str, linked: Path | None = None) -> Iterator[Answer]:
    """Ask a lake in SQL; the rows are read within the context. `linked`: a folder into which links of the lake lead.

    Raises UsageError, with DuckDB's message in one line, for a query that is wrong, that is no single
    SELECT or EXPLAIN, or that reaches out of the lake; EtlError where a file of the lake cannot be read or the
    memory does not suffice.
    """
    views = find_views(output)
    root = str(Path(views[0].folder).parent)
    roots = [root, *([] if linked is None else [os.path.abspath(linked)])]  # noqa: PTH100 - as `find_views` names it
    with TemporaryDirectory(prefix="etl-sql-") as spill, _shut_in(roots, spill) as database, _one_line(root):
        _make_views(database, views, query.casefold())
        database.execute("SET lock_configuration = true")
        _hold_to_reading(database, query)
        result = _run(database, query)
        columns = result.description or []
        names = _unique([column[0] for column in columns])
        yield Answer(names, tuple(str(column[1]) for column in columns), _rows(result))


@contextmanager
def _shut_in(roots: Sequence[str], spill: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """An empty database in memory that reaches the files below `roots` alone."""
    settings: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": MEMORY_LIMIT,
        "temp_directory": spill,
        "max_temp_directory_size": SPILL_LIMIT,
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }
    database = duckdb.connect(":memory:", config=settings)
    try:
        quoted = ", ".join("'" + root.replace("'", "''") + "/'" for root in roots)
        database.execute("SET enable_progress_bar = false")  # it would stand in the midst of the answer
        database.execute(f"SET allowed_directories = [{quoted}]")
        database.execute("SET enable_external_access = false")
        yield database
    finally:
        database.close()


def _make_views(database: duckdb.DuckDBPyConnection, views: Sequence[View], query: str) -> None:
    """Make the views. Those that the query does not name are empty: that lists no folder and opens no file, so
    a damaged table harms no query of another."""
    for view in views:
        # The functions `query` and `query_table` make up names from pieces.
        named = view.name in query or "query" in query
        if named:
            refuse_unlistable(Path(view.folder))
        try:
            database.execute(duckdb_view(view if named else replace(view, partition=None)))
        except duckdb.Error as error:
            raise EtlError(
                f"table {view.name} cannot be read: {_said(error)}; run `etl run` over its reports again"
            ) from error


def _hold_to_reading(database: duckdb.DuckDBPyConnection, query: str) -> None:
    """Raise UsageError for what is no single SELECT or EXPLAIN, or would write.

    What is allowed to be read is allowed to be written by DuckDB, and a COPY may stand in a WITH. So where
    the word stands anywhere, the plan is looked at before the query runs.
    """
    if len(query) > MAX_QUERY:
        raise UsageError(f"the query has {len(query):,} characters; at most {MAX_QUERY:,} are read")
    told = _statement(database, query)
    read = query[len(explained.group()) :] if (explained := _EXPLAIN.match(query)) else query
    if told == "EXPLAIN":
        told = _statement(database, read)
    if told != "SELECT":
        hint = "; write PIVOT with its values: ON column IN ('a', 'b')" if told == "MULTI" else ""
        raise UsageError(f"the query is no SELECT (DuckDB calls it {told}); `etl sql` reads and changes nothing{hint}")
    if "copy" in query.casefold():
        (plan,) = database.execute(f"EXPLAIN (FORMAT json) {read}").fetchall()
        if _WRITING.search(plan[1]):
            raise UsageError("the query has a COPY that would write a file; `etl sql` writes none, use --csv or --json")


def _statement(database: duckdb.DuckDBPyConnection, query: str) -> str:
    """The type of the one statement."""
    statements = database.extract_statements(query)
    if not statements:
        raise UsageError("the query is empty; write such as: select * from classes")
    if len(statements) > 1:
        raise UsageError(f"there are {len(statements)} statements; `etl sql` answers one SELECT")
    return statements[0].type.name


def _run(database: duckdb.DuckDBPyConnection, query: str) -> duckdb.DuckDBPyConnection:
    """Run the query in a thread of its own, so that it can be interrupted: DuckDB at work does not let Python see
    the signal."""
    with ThreadPoolExecutor(1) as pool:
        try:
            return result_of(pool.submit(database.execute, query))
        except KeyboardInterrupt:
            database.interrupt()
            raise


def _rows(result: duckdb.DuckDBPyConnection) -> Iterator[tuple[Any, ...]]:
    while rows := result.fetchmany(_ROWS_AT_ONCE):
        yield from rows


def _unique(names: list[str]) -> tuple[str, ...]:
    given: dict[str, None] = {}
    for name in names:
        number, free = 1, name
        while free in given:
            number += 1
            free = f"{name}_{number}"
        given[free] = None
    return tuple(given)


@contextmanager
def _one_line(root: str) -> Iterator[None]:
    """DuckDB's errors as ours: what names a file of the lake is the lake's fault and not the query's."""
    try:
        yield
    except duckdb.PermissionException as error:
        raise UsageError(f"{_said(error)}; `etl sql` reads the lake and nothing else") from error
    except duckdb.Error as error:
        kind = EtlError if isinstance(error, _FAULTS) or f"{root}/" in str(error) else UsageError
        raise kind(_said(error)) from error


def _said(error: duckdb.Error) -> str:
    """The first line of a message, and those that name what may have been meant."""
    lines = [line.strip() for line in str(error).partition("\nLINE ")[0].split("\n")]
    return "; ".join([lines[0], *(line for line in lines[1:] if line.startswith(("Candidate", "Did you mean")))])
