"""SQL of the views over a lake, for DuckDB and for Spark: texts from the declared schemas.

Every view has the same columns in the same order however the lake is partitioned: `deal`,
`distribution_date`, then those declared. A table of which no file stands there is an empty relation of
the declared types, because neither engine reads a folder without files.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from etl.schema import PARTITION_COLUMNS, Column, table

_DUCKDB = {
    "string": "VARCHAR",
    "bool": "BOOLEAN",
    "int32": "INTEGER",
    "int64": "BIGINT",
    "date32": "DATE",
    "list<string>": "VARCHAR[]",
    "list<int32>": "INTEGER[]",
}
_SPARK = {
    "string": "STRING",
    "bool": "BOOLEAN",
    "int32": "INT",
    "int64": "BIGINT",
    "date32": "DATE",
    "list<string>": "ARRAY<STRING>",
    "list<int32>": "ARRAY<INT>",
}
_AGAIN = (
    "-- The paths are absolute: write the views again where the lake has moved, or where a table that was empty\n"
    "-- got its first file."
)
_DUCKDB_HEAD = f"-- Views over the lake, for DuckDB 1.5 or later. Read them with:  duckdb -init FILE\n{_AGAIN}"
_SPARK_HEAD = (
    "-- Views over the lake, for Spark 4. Read them with:  spark-sql -i FILE\n"
    "-- They last as long as the session; take TEMPORARY out to keep them in a metastore.\n"
    f"{_AGAIN}"
)


@dataclass(frozen=True)
class View:
    """A view to be made: its name, the declared table that it shows, and where its files stand.

    `folder` is absolute, and may be a single file. `partition` names the folders below it, from the top,
    and is None where no file stands there. What is no folder stands in the files.
    """

    name: str
    table: str
    folder: str
    partition: tuple[str, ...] | None

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns of the view, in order."""
        declared = table(self.table)
        return (*(PARTITION_COLUMNS if declared.partition else ()), *declared.columns)

    @property
    def description(self) -> str:
        """What a row is."""
        earlier = " Earlier versions of restated reports." if self.name != self.table else ""
        return f"{table(self.table).description}{earlier}"


def duckdb_view(view: View) -> str:
    """The statement that makes a view in DuckDB."""
    return f"CREATE OR REPLACE VIEW {_quoted(view.name)} AS\n{_duckdb_select(view)};"


def duckdb_script(views: Iterable[View]) -> str:
    """The views with their descriptions, as a file for DuckDB."""
    parts = [_DUCKDB_HEAD]
    for view in views:
        parts += [duckdb_view(view), "\n".join(_duckdb_comments(view))]
    return "\n\n".join(parts) + "\n"


def spark_script(views: Iterable[View]) -> str:
    """The views with their descriptions, as a file for Spark: statements that end in `;` at the end of a line."""
    return "\n\n".join([_SPARK_HEAD, *map(_spark_view, views)]) + "\n"


def _duckdb_select(view: View) -> str:
    if view.partition is None:
        return _empty(view, _DUCKDB, _quoted)
    columns = ",\n".join(f"  {_quoted(column.name)}" for column in view.columns)
    files = [] if view.folder.endswith(".parquet") else ["*.parquet"]
    pattern = "/".join([view.folder, *(f"{key}=*" for key in view.partition), *files])
    # Typed, so that no folder's name is taken for a number; `year` may be inferred, for no view shows it.
    types = {column.name: _type(column, _DUCKDB) for column in PARTITION_COLUMNS if column.name in view.partition}
    typed = ", ".join(f"{_quoted(name)}: {sql_type}" for name, sql_type in types.items())
    options = f", hive_partitioning = true, hive_types = {{{typed}}}" if types else ", hive_partitioning = false"
    return f"SELECT\n{columns}\nFROM read_parquet({_duckdb_text(pattern)}{options})"


def _duckdb_comments(view: View) -> Iterator[str]:
    name = _quoted(view.name)
    yield f"COMMENT ON VIEW {name} IS {_duckdb_text(view.description)};"
    for column in view.columns:
        yield f"COMMENT ON COLUMN {name}.{_quoted(column.name)} IS {_duckdb_text(column.description)};"


def _spark_view(view: View) -> str:
    comments = ",\n".join(
        f"  {_ticked(column.name)} COMMENT {_spark_text(column.description)}" for column in view.columns
    )
    return (
        f"CREATE OR REPLACE TEMPORARY VIEW {_ticked(view.name)} (\n{comments}\n)\n"
        f"COMMENT {_spark_text(view.description)}\nAS {_spark_select(view)};"
    )


def _spark_select(view: View) -> str:
    if view.partition is None:
        return _empty(view, _SPARK, _ticked)
    columns = ",\n".join(f"  {_spark_column(column, view.partition)}" for column in view.columns)
    # A path and no table: the folder is listed anew for each query, so files that come or go are seen.
    return f"SELECT\n{columns}\nFROM parquet.{_ticked(view.folder)}"


def _spark_column(column: Column, partition: tuple[str, ...]) -> str:
    """The column; a folder's name is cast, for a session may be set to leave those texts."""
    name = _ticked(column.name)
    return f"CAST({name} AS {_type(column, _SPARK)}) AS {name}" if column.name in partition else name


def _empty(view: View, types: dict[str, str], quote: Callable[[str], str]) -> str:
    columns = ",\n".join(f"  CAST(NULL AS {_type(column, types)}) AS {quote(column.name)}" for column in view.columns)
    return f"SELECT\n{columns}\nWHERE FALSE"


def _type(column: Column, types: dict[str, str]) -> str:
    return types.get(column.type) or re.sub("^decimal128", "DECIMAL", column.type)


def _quoted(name: str) -> str:
    doubled = name.replace('"', '""')
    return f'"{doubled}"'


def _ticked(name: str) -> str:
    doubled = name.replace("`", "``")
    return f"`{doubled}`"


def _duckdb_text(text: str) -> str:
    doubled = text.replace("'", "''")
    return f"'{doubled}'"


def _spark_text(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
