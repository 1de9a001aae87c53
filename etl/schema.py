"""The declared tables: `schemas/*.toml` as Arrow schemas, and the check that a table fits its own.

The files are language-neutral; they travel in the wheel as `etl/schemas/` and are read from the
repository's `schemas/` in an editable install.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from etl.errors import SchemaError

if TYPE_CHECKING:
    import pyarrow.dataset as pads

CONTRACT_VERSION = 1

# Contract order: one direction from the report to its smallest cell.
TABLES = ("reports", "classes", "pools", "delinquencies", "measures", "triggers", "checks", "records")
# Beside the tables: what could not be read, and the numbers in it; all documents that the lake knows.
LISTS = ("rejects", "rejected_records", "documents", "watched")

_SIMPLE_TYPES: dict[str, pa.DataType] = {
    "string": pa.string(),
    "bool": pa.bool_(),
    "int32": pa.int32(),
    "int64": pa.int64(),
    "date32": pa.date32(),
    "list<string>": pa.list_(pa.field("element", pa.string())),  # as Parquet spells it
    "list<int32>": pa.list_(pa.field("element", pa.int32())),
}
_DECIMAL = re.compile(r"decimal128\((\d+), (\d+)\)")


@dataclass(frozen=True)
class Column:
    """A declared column."""

    name: str
    type: str
    nullable: bool
    unit: str
    standard_term: str
    description: str

    @property
    def arrow(self) -> pa.Field:
        """The Arrow field, with description, unit and standard term as its metadata."""
        metadata = {"description": self.description, "unit": self.unit, "standard_term": self.standard_term}
        return pa.field(self.name, _arrow_type(self.type), self.nullable, metadata)


# What every table is partitioned by: in the paths, or in the files of a lake of larger ones.
PARTITION_COLUMNS = (
    Column("deal", "string", False, "text", "", "Slug of the deal's name, the same every month."),
    Column("distribution_date", "date32", False, "date", "Distribution date", "The day on which funds go to holders."),
)


@dataclass(frozen=True)
class Term:
    """A canonical measure or trigger: a name that stands in a row rather than over a column."""

    name: str
    unit: str
    standard_term: str
    description: str


@dataclass(frozen=True)
class Table:
    """A declared table: its grain, its key, its columns and, for measures and triggers, its terms."""

    name: str
    description: str
    grain: str
    key: tuple[str, ...]
    partition: tuple[str, ...]
    columns: tuple[Column, ...]
    terms: tuple[Term, ...]

    @property
    def fields(self) -> tuple[str, ...]:
        """Names of the columns and terms."""
        return (*(column.name for column in self.columns), *(term.name for term in self.terms))


@cache
def table(name: str) -> Table:
    """The declared table of that name.

    Raises SchemaError where no such table is declared or its file is damaged.
    """
    file = _schema_folder() / f"{name}.toml"
    if not file.is_file():
        raise SchemaError(f"there is no table {name!r}; the tables are {', '.join((*TABLES, *LISTS))}")
    try:
        return _read_table(tomllib.loads(file.read_text(encoding="utf-8")))
    except (tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise SchemaError(f"{file}: {error}: the file must hold a table as its neighbours do") from error


@cache
def arrow_schema(name: str) -> pa.Schema:
    """The Arrow schema of the files of a table; partition columns stand in the path alone."""
    metadata = {"table": name, "contract_version": str(CONTRACT_VERSION)}
    return pa.schema([column.arrow for column in table(name).columns], metadata)


@cache
def unit_of(table_name: str, field: str) -> str | None:
    """Unit of a column, partition date, measure or trigger; None where the table has no such field."""
    declared = table(table_name)
    units = {column.name: column.unit for column in declared.columns}
    units |= {term.name: term.unit for term in declared.terms}
    return units.get(field) or ("date" if field == "distribution_date" else None)


def find_field(field: str) -> tuple[str, str] | None:
    """Table and unit of a field that is named without its table: what a report says of itself, a
    trigger or a measure. None where there is none of that name."""
    for name in ("reports", "triggers", "measures"):
        if unit := unit_of(name, field):
            return name, unit
    return None


def partitioning() -> pads.Partitioning:
    """The Hive partitioning of every table, typed: without it pyarrow reads the date as text."""
    fields = [pa.field("deal", pa.string()), pa.field("distribution_date", pa.date32())]
    import pyarrow.dataset as pads  # noqa: PLC0415 - it brings pandas, where that is installed, and takes half of the start

    return pads.partitioning(pa.schema(fields), flavor="hive")


def conform(data: pa.Table, name: str) -> pa.Table:
    """`data` with exactly the declared schema of table `name`.

    Only the order of columns and lossless Arrow spellings (large_string for string) are changed.
    Raises SchemaError that names every column that is missing, unknown, of another type or null
    where it must not be.
    """
    wanted = arrow_schema(name)
    problems = list(_misfits(data, wanted))
    if problems:
        raise SchemaError(f"table {name} does not fit its schema: {'; '.join(problems)}")
    return data.select(wanted.names).cast(wanted)


def _misfits(data: pa.Table, wanted: pa.Schema) -> Iterable[str]:
    given, declared = data.column_names, frozenset(wanted.names)  # each asking makes them anew
    yield from (f"column {extra} is not declared" for extra in given if extra not in declared)
    for field in wanted:
        if field.name not in given:
            yield f"column {field.name} is missing"
            continue
        column = data.column(field.name)
        if _plain(column.type) != field.type:
            yield f"column {field.name} is {column.type}, declared {field.type}"
        elif not field.nullable and column.null_count:
            yield f"column {field.name} has {column.null_count} nulls, declared without"


def _plain(arrow_type: pa.DataType) -> pa.DataType:
    """The type with polars' wide or coded spellings of text and lists made plain."""
    if pa.types.is_dictionary(arrow_type):
        return _plain(arrow_type.value_type)
    if pa.types.is_large_string(arrow_type) or pa.types.is_string_view(arrow_type):
        return pa.string()
    if pa.types.is_large_list(arrow_type):
        return pa.list_(pa.field("element", _plain(arrow_type.value_type)))
    return arrow_type


def _arrow_type(spelling: str) -> pa.DataType:
    if spelling in _SIMPLE_TYPES:
        return _SIMPLE_TYPES[spelling]
    decimal = _DECIMAL.fullmatch(spelling)
    if decimal is None:
        known = ", ".join([*_SIMPLE_TYPES, "decimal128(p, s)"])
        raise SchemaError(f"type {spelling!r} is not known; write one of {known}")
    return pa.decimal128(int(decimal[1]), int(decimal[2]))


def _read_table(declared: dict[str, Any]) -> Table:
    terms = [*declared.get("measure", []), *declared.get("trigger", [])]
    return Table(
        name=declared["table"],
        description=declared["description"],
        grain=declared["grain"],
        key=tuple(declared["key"]),
        partition=tuple(declared["partition"]),
        columns=tuple(Column(**column) for column in declared["column"]),
        terms=tuple(Term(**term) for term in terms),
    )


def _schema_folder() -> Traversable:
    packaged = files("etl") / "schemas"
    return packaged if packaged.is_dir() else Path(__file__).parent.parent / "schemas"
