"""Reading an output folder: which deals and dates there are, and the rows of a table.

A report stands in the lake once its `reports` file stands there; what an interrupted run left of
another is not read. Names that a person gives are looked up among those that exist, so none of them
leads out of the folder.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path

import polars as pl

from etl.deals import MAX_LENGTH, deal_slug, plain_slug
from etl.documents import RUNS_FOLDER
from etl.errors import LakeError, UsageError
from etl.schema import TABLES, table
from etl.tables import polars_type

MAX_NAMES_LISTED = 10

_SLUG = re.compile(rf"[a-z][a-z0-9-]{{0,{MAX_LENGTH - 1}}}")
_SHORT_DATE = re.compile(r"[0-9]{4}(-[0-9]{2}){0,2}")
# Where every table's rows come from.
_KEYS = pl.Schema({"deal": pl.String, "distribution_date": pl.Date})


class Lake:
    """The tables of an output folder. Raises UsageError where there is none."""

    def __init__(self, output: Path) -> None:
        if not output.is_dir():
            raise UsageError(f"{output}: there is no such folder; name the folder that `etl run --out` wrote")
        if not any((output / name).is_dir() for name in ("reports", RUNS_FOLDER)):
            raise UsageError(f"{output}: holds no tables; name the folder that `etl run --out` wrote")
        self.output = output

    def deals(self) -> list[str]:
        """The slugs of all deals, sorted."""
        return sorted(name for name in _values(self.output / "reports", "deal") if _SLUG.fullmatch(name))

    def dates(self, deal: str) -> list[dt.date]:
        """The distribution dates of a deal of which a report stands there, sorted."""
        folder = self.output / "reports" / f"deal={_slug(deal)}"
        return sorted({date for file in folder.glob("distribution_date=*/*.parquet") if (date := _date_of(file))})

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
        if not _SHORT_DATE.fullmatch(wanted) and wanted != "latest":
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
        files = [file for deal in self._sorted(deals) for file in self._files(name, deal, dates)]
        if not files:
            return pl.DataFrame(schema={**_KEYS, **schema})
        origins = pl.DataFrame(
            [(str(file), _value(file.parent.parent, "deal"), _date_of(file)) for file in files],
            schema={"file": pl.String, **_KEYS},
            orient="row",
        )
        rows = _rows(files, schema).join(origins, on="file", how="left", maintain_order="left")
        return rows.select(*_KEYS, *schema)

    def chunks(self, deals: Sequence[str] | None = None, max_files: int = 1000) -> Iterator[list[str]]:
        """The deals in groups that have at most `max_files` reports together, for callers that go
        through any number of deals in bounded memory. A deal with more stands alone."""
        group: list[str] = []
        size = 0
        for deal in self._sorted(deals):
            count = sum(1 for _ in self._files("reports", deal, None))
            if group and size + count > max_files:
                yield group
                group, size = [], 0
            group.append(deal)
            size += count
        if group:
            yield group

    def without_report(self, name: str, deals: Sequence[str] | None = None) -> Iterator[tuple[str, dt.date, str]]:
        """Deal, date and report id of the files of a table beside which no `reports` file stands: what an interrupted
        run left, or reports whose file is lost."""
        wanted = None if deals is None else set(deals)
        for file in sorted((self.output / name).glob("deal=*/distribution_date=*/*.parquet")):
            deal, date = _value(file.parent.parent, "deal"), _date_of(file)
            listed_too = (self.output / "reports").joinpath(*file.parts[-3:])
            if date is not None and (wanted is None or deal in wanted) and not listed_too.exists():
                yield deal, date, file.stem

    def _sorted(self, deals: Sequence[str] | None) -> list[str]:
        return self.deals() if deals is None else sorted(set(deals))

    def _files(self, name: str, deal: str, dates: Sequence[dt.date] | None) -> Iterator[Path]:
        """The files of a table for a deal, in order; a report without rows has none."""
        known = self.dates(deal)
        for date in known if dates is None else sorted(set(dates) & set(known)):
            partition = Path(f"deal={deal}", f"distribution_date={date}")
            wanted = self.output / name / partition
            written = {file.name for file in _parquet_files(wanted)}
            yield from (
                wanted / report.name
                for report in _parquet_files(self.output / "reports" / partition)
                if report.name in written
            )


def _rows(files: list[Path], schema: dict[str, pl.DataType | type[pl.DataType]]) -> pl.DataFrame:
    """The rows of the files with these columns, and `file`."""
    try:
        return _scanned(files, schema).collect()
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        raise _unreadable(files, schema, error) from error


def _scanned(files: list[Path], schema: dict[str, pl.DataType | type[pl.DataType]]) -> pl.LazyFrame:
    return pl.scan_parquet(
        files,
        schema=schema,
        missing_columns="insert",
        extra_columns="ignore",
        include_file_paths="file",
        hive_partitioning=False,
        glob=False,
    )


def _unreadable(
    files: list[Path], schema: dict[str, pl.DataType | type[pl.DataType]], error: BaseException
) -> LakeError:
    """The error that names the first file that cannot be read."""
    culprit = files[0]
    for file in files:
        try:
            _scanned([file], schema).collect()
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as its_error:
            culprit, error = file, its_error
            break
    gone = isinstance(error, FileNotFoundError)
    reason = "has vanished" if gone else f"cannot be read: {str(error).strip().partition(chr(10))[0]}"
    return LakeError(culprit, reason, "run `etl run` over its report again")


def _declared(name: str, columns: Sequence[str] | None) -> dict[str, pl.DataType | type[pl.DataType]]:
    """Names and types of the columns to be read."""
    if name not in TABLES:
        raise UsageError(f"there is no table {name!r}; the tables are {', '.join(TABLES)}")
    types = {column.name: polars_type(column) for column in table(name).columns}
    unknown = [column for column in columns or () if column not in types and column not in _KEYS]
    if unknown:
        raise UsageError(f"{name} has no column {unknown[0]!r}; its columns are {', '.join(types)}")
    return types if columns is None else {column: types[column] for column in columns if column in types}


def _parquet_files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.parquet"), key=lambda file: file.name)


def _values(folder: Path, key: str) -> Iterator[str]:
    """The values of a partition column that have a folder."""
    yield from (_value(entry, key) for entry in folder.glob(f"{key}=*") if entry.is_dir())


def _value(folder: Path, key: str) -> str:
    return folder.name.removeprefix(f"{key}=")


def _date_of(file: Path) -> dt.date | None:
    return _date(_value(file.parent, "distribution_date"))


def _date(text: str) -> dt.date | None:
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        return None


def _slug(deal: str) -> str:
    """The deal, if that is the slug of one: no other name leads to a folder."""
    if not _SLUG.fullmatch(deal):
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
