"""Where the rows of a report stand in a lake: its folders, the ways of partitioning, and the paths that they give.

    OUTPUT/<table>/deal=<deal>/distribution_date=<YYYY-MM-DD>/<deal>_<YYYY-MM-DD>.parquet    deal,date
    OUTPUT/<table>/deal=<deal>/year=<YYYY>/<deal>_<YYYY>.parquet                             deal,year
    OUTPUT/<table>/deal=<deal>/<deal>.parquet                                                deal

A partition of a table is one file, and its name follows from what it holds. So a new version takes the
place of the old one by a single rename, and a reader who has listed the files finds each of them. Where
the path does not say the distribution date, the file has it as its first column.
"""

from __future__ import annotations

import datetime as dt
import os
import re
from collections.abc import Collection, Iterator, Sequence
from enum import StrEnum
from functools import cache
from pathlib import Path

import pyarrow as pa

from etl.deals import MAX_LENGTH
from etl.errors import LakeError
from etl.schema import PARTITION_COLUMNS, TABLES, arrow_schema, table

SUFFIX = ".parquet"
# Earlier versions of restated reports: the same tables, below this folder.
SUPERSEDED_FOLDER = "_superseded"
STAGING_FOLDER = "_staging"
MANIFEST_FOLDER = "_manifest"
REJECTS_FOLDER = "_rejects"
REJECTED_RECORDS_FOLDER = "_rejected_records"
RUNS_FOLDER = "_runs"
SOURCES_FOLDER = "_sources"
VIEWS_FOLDER = "_views"
WATCHED_FOLDER = "_watched"
# All that an output folder holds.
OUTPUT_FOLDERS = (
    *TABLES, SUPERSEDED_FOLDER, REJECTS_FOLDER, REJECTED_RECORDS_FOLDER, MANIFEST_FOLDER, SOURCES_FOLDER, RUNS_FOLDER,
    VIEWS_FOLDER, WATCHED_FOLDER, STAGING_FOLDER,
)  # fmt: skip
# What `etl datapackage` writes into one.
DESCRIPTOR = "datapackage.json"
# What is no input of a run where an output folder lies in an inbox. Other files there are: it may be the inbox itself.
OUTPUT_NAMES = (*OUTPUT_FOLDERS, DESCRIPTOR)
# In an inbox: where `etl fetch` writes what is not whole yet, and what it has fetched. No document is read there.
FETCH_FOLDER = ".fetch"
# One of these stands in every output folder, from the start of its first run: by them an output inside an inbox is
# known.
OUTPUT_MARKS = (RUNS_FOLDER, MANIFEST_FOLDER, STAGING_FOLDER)
# The two places of a table: for the reports that hold, and for earlier versions.
PLACES = ("", f"{SUPERSEDED_FOLDER}/")

DATE_COLUMN = "distribution_date"
# Within the folder of a Delta table: which files the table has.
DELTA_LOG = "_delta_log"

_DEAL = re.compile(rf"deal=([a-z][a-z0-9-]{{0,{MAX_LENGTH - 1}}})")
_DAY = re.compile(rf"{DATE_COLUMN}=([0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}})")
_FOLDERS = {"deal": _DEAL, DATE_COLUMN: _DAY, "year": re.compile(r"year=[0-9]{4}")}


class PartitionBy(StrEnum):
    """The ways in which a lake may be partitioned; one lake has one of them."""

    DATE = "deal,date"
    YEAR = "deal,year"
    DEAL = "deal"

    def folder(self, deal: str, date: dt.date) -> str:
        """The folder of a partition, below that of its table.

        >>> PartitionBy.YEAR.folder("home-equity-2003-he2", dt.date(2003, 11, 17))
        'deal=home-equity-2003-he2/year=2003'
        """
        if self is PartitionBy.DATE:
            return f"deal={deal}/{DATE_COLUMN}={date.isoformat()}"
        return f"deal={deal}/year={date.year:04}" if self is PartitionBy.YEAR else f"deal={deal}"

    @property
    def keys(self) -> tuple[str, ...]:
        """The names of the folders, from the top."""
        return {PartitionBy.DATE: ("deal", DATE_COLUMN), PartitionBy.YEAR: ("deal", "year")}.get(self, ("deal",))

    @property
    def dates_in_files(self) -> bool:
        """Whether the files have the distribution date as a column."""
        return self is not PartitionBy.DATE


_WAYS = {way.keys: way for way in PartitionBy}


def partition_file(folder: str) -> str:
    """The file of a partition, below the folder of its table.

    >>> partition_file("deal=home-equity-2003-he2/year=2003")
    'deal=home-equity-2003-he2/year=2003/home-equity-2003-he2_2003.parquet'
    """
    values = [part.partition("=")[2] for part in folder.split("/")]
    return f"{folder}/{'_'.join(values)}{SUFFIX}"


def table_part(file: str) -> tuple[str, str] | None:
    """The table and the partition of a file of the lake; None where it is no file of a table.

    >>> table_part("_superseded/classes/deal=a/year=2003/a_2003.parquet")
    ('_superseded/classes', 'deal=a/year=2003')
    """
    place = next(place for place in reversed(PLACES) if file.startswith(place))
    name, _, rest = file.removeprefix(place).partition("/")
    return (f"{place}{name}", rest.rpartition("/")[0]) if name in TABLES else None


def owner_of(file: str) -> str:
    """The partition that a file of a lake belongs to; of one that belongs to none, the file itself.

    >>> owner_of("_superseded/classes/deal=a/a.parquet"), owner_of("_sources/00/00.gz")
    ('deal=a', '_sources/00/00.gz')
    """
    part = table_part(file)
    return file if part is None else part[1]


def way_of(keys: Sequence[str]) -> PartitionBy | None:
    """The partitioning with these names of folders."""
    return _WAYS.get(tuple(keys))


def rejected_file(sha256: str) -> str:
    """The file with the numbers of a rejected document, below the lake: named by what is in the document."""
    return f"{REJECTED_RECORDS_FOLDER}/{sha256}{SUFFIX}"


def partition_files(folder: str) -> list[str]:
    """All files that a partition may have, below the lake."""
    return [f"{place}{name}/{partition_file(folder)}" for place in PLACES for name in TABLES]


def partitioning_of(tables: Path) -> PartitionBy | None:
    """How the tables below a folder are partitioned, by the first that has a file; None where none has."""
    return next(filter(None, (table_partitioning(tables / name) for name in TABLES)), None)


def table_partitioning(folder: Path) -> PartitionBy | None:
    """How a table is partitioned, by the first file that stands where one belongs; None where none does.

    Raises LakeError where a folder cannot be listed.
    """
    for deal in filter(_DEAL.fullmatch, _names(folder)):
        for part in (deal, *(f"{deal}/{name}" for name in _names(folder / deal))):
            way = _WAYS.get(tuple(name.partition("=")[0] for name in part.split("/")))
            if way is not None and os.path.isfile(f"{folder}/{partition_file(part)}"):  # noqa: PTH113
                return way
    return None


def partitioning_of_file(file: str) -> PartitionBy | None:
    """The partitioning in which a file, given by its path below the folder of its table, has its place; None where it
    has one in none.

    >>> partitioning_of_file("deal=home-equity-2003-he2/year=2003/home-equity-2003-he2_2003.parquet")
    <PartitionBy.YEAR: 'deal,year'>
    """
    folder = file.rpartition("/")[0]
    names = folder.split("/")
    way = _WAYS.get(tuple(name.partition("=")[0] for name in names))
    is_one = way is not None and all(_FOLDERS[key].fullmatch(name) for key, name in zip(way.keys, names, strict=True))
    return way if is_one and partition_file(folder) == file else None


def foreign_entries(table: Path, deals: Collection[str] | None = None) -> Iterator[Path]:
    """What stands below the folder of a table (or of these deals in it) and is neither the folder nor the file of a
    partition, in order; of a folder its path alone. Raises LakeError where a folder cannot be listed."""
    keys = (table_partitioning(table) or PartitionBy.DATE).keys
    if deals is None:
        yield from _foreign(table, "", keys)
    for deal in sorted(deals or ()):
        yield from _foreign(table, f"deal={deal}/", keys[1:])


def _foreign(table: Path, below: str, keys: Sequence[str]) -> Iterator[Path]:
    """The same below a folder that ends in `/`; `keys` are those of the folders in it."""
    file = partition_file(below[:-1]) if not keys else None
    for name in _names(table / below):
        if keys and _FOLDERS[keys[0]].fullmatch(name) and os.path.isdir(f"{table}/{below}{name}"):  # noqa: PTH112
            yield from _foreign(table, f"{below}{name}/", keys[1:])
        elif f"{below}{name}" != file:
            yield table / below / name


def deal_of(folder: str) -> str | None:
    """The deal of a partition's folder, or of the first part of one; None where it is none."""
    found = _DEAL.fullmatch(folder.partition("/")[0])
    return found and found[1]


def date_of(folder: str) -> dt.date | None:
    """The distribution date that a partition's folder says; None where it says none."""
    found = _DAY.fullmatch(folder.rpartition("/")[2])
    try:
        return found and dt.date.fromisoformat(found[1])
    except ValueError:
        return None


@cache
def file_schema(name: str, partition_by: PartitionBy) -> pa.Schema:
    """The Arrow schema of the files of a table: the declared one, after the distribution date where the path does not
    say it."""
    declared = arrow_schema(name)
    if not partition_by.dates_in_files or not table(name).partition:
        return declared
    return pa.schema([PARTITION_COLUMNS[1].arrow, *declared], declared.metadata)


def refuse_unlistable(folder: Path) -> None:
    """Raise LakeError for a folder below a table that cannot be looked into: engines pass over it without a word."""
    for deal in _names(folder):
        place = folder / deal
        for inner in (place, *(place / name for name in _listed(place))):
            if inner.is_dir() and not os.access(inner, os.R_OK | os.X_OK):
                raise LakeError(inner, "cannot be listed: Permission denied", "check its rights")


def _listed(place: Path) -> list[str]:
    """What a folder holds, where that is known."""
    return _names(place) if place.is_dir() and os.access(place, os.R_OK | os.X_OK) else []


def _names(folder: Path) -> list[str]:
    """What a folder holds, in order; nothing where there is none."""
    try:
        return sorted(os.listdir(folder))  # noqa: PTH208 - names are all that is needed
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise LakeError(folder, f"cannot be listed: {error.strerror or error}", "check its rights") from error
