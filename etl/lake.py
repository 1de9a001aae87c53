"""Reading an output folder: which deals and dates there are, and the rows of a table.

A report stands in the lake once its `reports` file stands there; what an interrupted run left of
another is not read. Names that a person gives are looked up among those that exist, so none of them
leads out of the folder.
"""

from __future__ import annotations

import copy
import datetime as dt
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path

import polars as pl

from etl.commits import refuse_delta
from etl.deals import MAX_LENGTH, deal_slug, plain_slug
from etl.errors import LakeError, UsageError, first_line
from etl.parquet import REREAD
from etl.partitions import RUNS_FOLDER, PartitionBy, date_of, deal_of, partition_file, table_partitioning
from etl.schema import TABLES, table
from etl.tables import polars_type

MAX_NAMES_LISTED = 10

_DATE = pl.Schema({"distribution_date": pl.Date})
SHORT_DATE = re.compile(r"[0-9]{4}(-[0-9]{2}){0,2}")
# Where every table's rows come from.
_KEYS = pl.Schema({"deal": pl.String, "distribution_date": pl.Date})
_UNREADABLE = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError)

_Types = Mapping[str, pl.DataType | type[pl.DataType]]


class Lake:
    """The tables of an output folder. Raises UsageError where there is none."""

    def __init__(self, output: Path) -> None:
        if not output.is_dir():
            raise UsageError(f"{output}: there is no such folder; name the folder that `etl run --out` wrote")
        if not any((output / name).is_dir() for name in ("reports", RUNS_FOLDER)):
            raise UsageError(f"{output}: holds no tables; name the folder that `etl run --out` wrote")
        refuse_delta(output, "`etl sql`, `check`, `explain` and `diff` read them, and engines by their logs")
        self.output = output
        # The files that could not be read; None where the first of them is an error.
        self.damaged: dict[Path, LakeError] | None = None
        # Of each table: while a lake is compacted they differ.
        self._partition_by = {name: table_partitioning(output / name) or PartitionBy.DATE for name in TABLES}

    def passing_over_damage(self) -> Lake:
        """The same lake, but files that cannot be read count as lost and are put into `damaged`, with what is wrong."""
        lake = copy.copy(self)
        lake.damaged = {}
        return lake

    def deals(self) -> list[str]:
        """The slugs of all deals, sorted."""
        found = (deal_of(entry.name) for entry in (self.output / "reports").glob("deal=*") if entry.is_dir())
        return sorted(deal for deal in found if deal)

    def dates(self, deal: str) -> list[dt.date]:
        """The distribution dates of a deal of which a report stands there, sorted."""
        if self._partition_by["reports"].dates_in_files:
            return (
                self.read("reports", [deal], columns=["distribution_date"])["distribution_date"]
                .unique()
                .sort()
                .to_list()
            )
        return sorted({date for folder in self._folders(deal) if (date := date_of(folder))})

    def find_deal(self, short: str) -> str:
        """The deal that a person means: a slug, a printed name, or a part of one.

        An exact name comes first, then the only deal that ends with these words (2003-he2), then the
        only one that has them anywhere. Raises UsageError, with the deals that may be meant, where there is
        none or where there are several.
        """
        deals = self.deals()
        for exact in (short.strip().casefold(), deal_slug(short)):
            if exact in deals:
                return exact
        words = plain_slug(short)
        ending = [deal for deal in deals if words and _unhashed(deal).endswith(f"-{words}")]
        having = ending or [deal for deal in deals if words and words in deal]
        if len(having) == 1:
            return having[0]
        if having:
            raise UsageError(f"{len(having)} deals fit {quoted(short)}: {listed(having)}; give more of the name")
        if not deals:
            raise UsageError(f"{self.output}: holds no report yet; `etl run` reads reports into it")
        raise UsageError(f"no deal fits {quoted(short)}; there {_are(_close(words, deals), len(deals))}")

    def find_date(self, deal: str, short: str) -> dt.date:
        """The distribution date of a deal that a person means: 2003-11-17, 2003-11, 2003, or latest.

        Raises UsageError, with the dates that there are, where there is none or where there are several.
        """
        dates = self.dates(deal)
        wanted = short.strip().casefold()
        if wanted == "latest" and dates:
            return dates[-1]
        if not SHORT_DATE.fullmatch(wanted) and wanted != "latest":
            raise UsageError(f"{quoted(short)} is no date; write such as 2003-11-17, 2003-11, 2003 or latest")
        fitting = [date for date in dates if f"{date}-".startswith(f"{wanted}-")]
        if len(fitting) == 1:
            return fitting[0]
        if fitting:
            raise UsageError(f"{deal} has {len(fitting)} dates in {short}: {listed(fitting)}; give the whole date")
        raise UsageError(f"{deal} has no report of {quoted(short)}; it has {listed(dates) or 'none at all'}")

    def read(
        self,
        name: str,
        deals: Sequence[str] | None = None,
        dates: Sequence[dt.date] | None = None,
        columns: Sequence[str] | None = None,
    ) -> pl.DataFrame:
        """`deal`, `distribution_date` and the declared columns of a table (or those asked for), typed.

        Rows come in the order of deal, date, file name and place in the file. A column that a file of
        an older run lacks is null there. Raises UsageError for a table or a column that is not
        declared, LakeError for a file that cannot be read.
        """
        schema = _declared(name, columns)
        parts = [(file, deal) for deal in self._sorted(deals) for file in self._files(name, deal, dates)]
        if not parts:
            return pl.DataFrame(schema={**_KEYS, **schema})
        files = [file for file, _ in parts]
        days = [date_of(file.parent.as_posix()) for file in files]
        origin = {"file": [str(file) for file in files], "deal": [deal for _, deal in parts], "day": days}
        origins = pl.DataFrame(origin, schema={"file": pl.String, "deal": pl.String, "day": pl.Date})
        rows = self._rows(files, {**_DATE, **schema}).join(origins, on="file", how="left", maintain_order="left")
        dated = rows.with_columns(distribution_date=pl.coalesce("distribution_date", "day"))
        if dates is not None:
            dated = dated.filter(pl.col("distribution_date").is_in(list(dates)))
        return dated.select(*_KEYS, *schema)

    def chunks(self, deals: Sequence[str] | None = None, max_reports: int = 1000) -> Iterator[list[str]]:
        """The deals in groups that have at most `max_reports` together, for callers that go
        through any number of deals in bounded memory. A deal with more stands alone."""
        group: list[str] = []
        size = 0
        for deal in self._sorted(deals):
            count = self._count(deal)
            if group and size + count > max_reports:
                yield group
                group, size = [], 0
            group.append(deal)
            size += count
        if group:
            yield group

    def without_report(self, name: str, deals: Sequence[str] | None = None) -> Iterator[tuple[str, dt.date, str]]:
        """Deal, date and report id of rows of a table beside whose file no `reports` file stands: what an interrupted
        run left, or reports whose file is lost."""
        wanted = None if deals is None else set(deals)
        depth = "deal=*/*.parquet" if self._partition_by[name] is PartitionBy.DEAL else "deal=*/*/*.parquet"
        for file in sorted((self.output / name).glob(depth)):
            folder = file.parent.relative_to(self.output / name).as_posix()
            deal = deal_of(folder)
            if deal and (wanted is None or deal in wanted) and not self._file("reports", folder).exists():
                rows = self._rows([file], {**_DATE, "report_id": pl.String}).unique(maintain_order=True)
                dated = rows.with_columns(pl.col("distribution_date").fill_null(date_of(folder)))
                yield from ((deal, *row) for row in dated.select("distribution_date", "report_id").iter_rows())

    def file(self, name: str, deal: str, date: dt.date) -> Path:
        """The file that has the rows of a deal and day, or would have them."""
        return self._file(name, self._partition_by[name].folder(_slug(deal), date))

    def _file(self, name: str, folder: str) -> Path:
        return self.output / name / partition_file(folder)

    def _sorted(self, deals: Sequence[str] | None) -> list[str]:
        return self.deals() if deals is None else sorted(set(deals))

    def _folders(self, deal: str, name: str = "reports") -> list[str]:
        """The partitions of a deal in a table, in order: those that have a file."""
        start = f"deal={_slug(deal)}"
        if self._partition_by[name] is PartitionBy.DEAL:
            folders = [start]
        else:
            folders = sorted(f"{start}/{entry.name}" for entry in (self.output / name / start).glob("*=*"))
        return [folder for folder in folders if self._file(name, folder).is_file()]

    def _count(self, deal: str) -> int:
        """How many reports of a deal there are."""
        if self._partition_by["reports"].dates_in_files:
            return self.read("reports", [deal], columns=["report_id"]).height
        return len(self._folders(deal))

    def _files(self, name: str, deal: str, dates: Sequence[dt.date] | None) -> Iterator[Path]:
        """The files of a table for a deal, in order: those beside which one of `reports` stands. While a lake is
        compacted the two may be partitioned otherwise, and all of them count."""
        partition_by = self._partition_by[name]
        folders = self._folders(deal, name)
        if partition_by is self._partition_by["reports"]:
            listed_too = set(self._folders(deal))
            folders = [folder for folder in folders if folder in listed_too]
        if dates is not None:
            asked = {partition_by.folder(deal, date) for date in dates}
            folders = [folder for folder in folders if folder in asked]
        files = (self._file(name, folder) for folder in folders)
        yield from (file for file in files if file not in (self.damaged or ()))

    def _rows(self, files: Sequence[Path], schema: _Types) -> pl.DataFrame:
        """The rows of the files with these columns, and `file`."""
        try:
            return _read(files, schema)
        except _UNREADABLE as error:
            damaged = {file: damage for file in files if (damage := _damage(file, schema))}
            if not damaged:
                raise LakeError(files[0], f"cannot be read: {first_line(error)}", REREAD) from error
            if self.damaged is None:
                raise next(iter(damaged.values())) from error
        self.damaged |= damaged
        return self._rows([file for file in files if file not in damaged], schema)


def _damage(file: Path, schema: _Types) -> LakeError | None:
    """What is wrong with a file that cannot be read."""
    try:
        _read([file], schema)
    except FileNotFoundError:
        return LakeError(file, "has vanished", "run `etl run` over its reports")
    except _UNREADABLE as error:
        return LakeError(file, f"cannot be read: {first_line(error)}", REREAD)
    return None


def _read(files: Sequence[Path], schema: _Types) -> pl.DataFrame:
    if not files:
        return pl.DataFrame(schema={**schema, "file": pl.String})
    rows = pl.scan_parquet(
        list(files),
        schema=schema,
        missing_columns="insert",
        extra_columns="ignore",
        include_file_paths="file",
        hive_partitioning=False,
        glob=False,
    ).collect()
    if "report_id" in schema and rows["report_id"].has_nulls():  # columns that are not there are null
        raise pl.exceptions.SchemaError("it has rows without report_id, as no file of a lake has")
    return rows


def _declared(name: str, columns: Sequence[str] | None) -> _Types:
    """Names and types of the columns to be read."""
    if name not in TABLES:
        raise UsageError(f"there is no table {name!r}; the tables are {', '.join(TABLES)}")
    types = {column.name: polars_type(column) for column in table(name).columns}
    unknown = [column for column in columns or () if column not in types and column not in _KEYS]
    if unknown:
        raise UsageError(f"{name} has no column {unknown[0]!r}; its columns are {', '.join(types)}")
    return types if columns is None else {column: types[column] for column in columns if column in types}


def _slug(deal: str) -> str:
    """The deal, if that is the slug of one: no other name leads to a folder."""
    if deal_of(f"deal={deal}") != deal:
        raise UsageError(f"{quoted(deal)} is no deal; a deal is named as `deals` lists it")
    return deal


def _unhashed(deal: str) -> str:
    """The slug without the hash that stands behind names with other characters."""
    return deal.partition("--")[0]


def _close(words: str, deals: Sequence[str]) -> list[str]:
    """The deals whose last words are most like these; all, where there are few."""
    if len(deals) <= MAX_NAMES_LISTED:
        return list(deals)
    count = words.count("-") + 1
    endings: dict[str, list[str]] = {}
    for deal in deals:
        endings.setdefault("-".join(_unhashed(deal).split("-")[-count:]), []).append(deal)
    near = get_close_matches(words, endings, MAX_NAMES_LISTED, cutoff=0.5)
    return [deal for ending in near for deal in endings[ending]][:MAX_NAMES_LISTED]


def _are(near: Sequence[str], count: int) -> str:
    """Such as: are 3 deals: a, b, c."""
    if not near:
        return f"are {count:,} deals, none with such a name"
    if len(near) == count:
        return f"{'is' if count == 1 else 'are'} {', '.join(near)}"
    return f"are {count:,} deals, most alike {', '.join(near)}"


def listed(names: Iterable[object]) -> str:
    """The first names, and how many more there are."""
    texts = [str(name) for name in names]
    more = len(texts) - MAX_NAMES_LISTED
    return ", ".join(texts[:MAX_NAMES_LISTED]) + (f" and {more:,} more" if more > 0 else "")


def quoted(text: str) -> str:
    """What a person gave, cut where it is long."""
    return repr(text if len(text) <= MAX_LENGTH else f"{text[:MAX_LENGTH]}...")
