"""The declared tables → a Data Package descriptor (https://datapackage.org, version 2) of a lake.

It says what a lake holds whatever reports it has: paths are patterns, and nothing is counted, so neither a run nor a
compaction makes it out of date. Patterns are no part of the standard; programs that read it with DuckDB, polars or
frictionless understand them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from etl.commits import refuse_delta
from etl.lake import Lake
from etl.manifest import REJECTS_FILE
from etl.partitions import DESCRIPTOR, REJECTED_RECORDS_FOLDER, SUPERSEDED_FOLDER
from etl.schema import CONTRACT_VERSION, PARTITION_COLUMNS, TABLES, Column, Table, table
from etl.version import __version__
from etl.whole_files import write_whole

_PROFILES = "https://datapackage.org/profiles/2.0"
_MEDIA_TYPE = "application/vnd.apache.parquet"
_TYPES = {"string": "string", "bool": "boolean", "int32": "integer", "int64": "integer", "date32": "date"}
_DESCRIPTION = (
    "Trustee distribution reports of asset-backed and mortgage-backed securities as tables: every figure as it was "
    "printed, with its source and line in the resource `records`. The files of each table are partitioned by the "
    "folders deal=... and distribution_date=... or year=...; a column that stands in the names of folders may lack in "
    "the files. The licence of the data is not stated."
)
_SOURCE = "Distribution reports of trustees; `source` and `source_sha256` of the resource `reports` name each"
_EARLIER = "Earlier versions of restated reports."


def write_data_package(output: Path) -> Path:
    """Write the descriptor into a lake, over one that stands there; comes back: the file.

    Raises UsageError where there is no lake or its tables are Delta tables, whose folders also have files that no
    table holds any more, and OutputError where it cannot be written.
    """
    refuse_delta(output, "the log of each says which files it has now: read them as docs/delta.md says")
    file = Lake(output).output / DESCRIPTOR
    text = json.dumps(data_package(), indent=2, ensure_ascii=False)
    write_whole(file, f"{text}\n".encode(), "check the rights of the folder")
    return file


def data_package() -> dict[str, Any]:
    """The descriptor of any lake of this version of the contract."""
    return {
        "$schema": f"{_PROFILES}/datapackage.json",
        "name": "trustee-distribution-reports",
        "title": "Trustee distribution reports",
        "description": _DESCRIPTION,
        "version": f"{CONTRACT_VERSION}.0.0",
        "sources": [{"title": _SOURCE}],
        "madeBy": f"trustee-etl {__version__}",
        "resources": list(_resources()),
    }


def _resources() -> Iterator[dict[str, Any]]:
    for name in TABLES:
        yield _resource(name, table(name), f"{name}/**/*.parquet", table(name).description)
    rejected = table("rejected_records")
    yield _resource("rejects", table("rejects"), REJECTS_FILE, table("rejects").description)
    yield _resource("rejected_records", rejected, f"{REJECTED_RECORDS_FOLDER}/*.parquet", rejected.description)
    for name in TABLES:
        path = f"{SUPERSEDED_FOLDER}/{name}/**/*.parquet"
        yield _resource(f"superseded_{name}", table(name), path, f"{table(name).description} {_EARLIER}")


def _resource(name: str, declared: Table, path: str, description: str) -> dict[str, Any]:
    partitioned = {"partitionColumns": list(declared.partition)} if declared.partition else {}
    return {
        "$schema": f"{_PROFILES}/dataresource.json",
        "name": name,
        "type": "table",
        "description": description,
        "path": path,
        "format": "parquet",
        "mediatype": _MEDIA_TYPE,
        **partitioned,
        "schema": _schema(name, declared),
    }


def _schema(name: str, declared: Table) -> dict[str, Any]:
    columns = (*(PARTITION_COLUMNS if declared.partition else ()), *declared.columns)
    required = {column.name for column in declared.columns if not column.nullable}
    key = {"primaryKey": list(declared.key)} if required.issuperset(declared.key) else _unique(declared)
    reports = name.replace(declared.name, "reports")
    refers = {"fields": ["report_id"], "reference": {"resource": reports, "fields": ["report_id"]}}
    has_report = declared.partition and declared.name != "reports"
    return {
        "$schema": f"{_PROFILES}/tableschema.json",
        "fieldsMatch": "superset",  # partition columns stand in the names of folders, or in the files
        "fields": list(map(_field, columns)),
        **key,
        **({"foreignKeys": [refers]} if has_report else {}),
    }


def _unique(declared: Table) -> dict[str, Any]:
    """A key of which a part may be null, which no primary key may."""
    return {"uniqueKeys": [list(declared.key)]}


def _field(column: Column) -> dict[str, Any]:
    """A column; `unit`, `standardTerm` and `arrowType` are beyond the standard."""
    return {
        "name": column.name,
        "type": "array" if column.type.startswith("list<") else _TYPES.get(column.type, "number"),
        "description": column.description,
        **({} if column.nullable else {"constraints": {"required": True}}),
        "unit": column.unit,
        **({"standardTerm": column.standard_term} if column.standard_term else {}),
        "arrowType": column.type,
    }
