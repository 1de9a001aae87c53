"""Every partitioning of a lake as DuckDB, polars and pyarrow read it, and the SQL views for DuckDB."""

from __future__ import annotations

import datetime as dt
import re
import shutil
from collections.abc import Callable
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.dataset as pads
import pyarrow.parquet as pq
import pytest

import etl
from etl.errors import LakeError, OutputError, UsageError
from etl.partitions import table_partitioning
from etl.queries import duckdb_script
from etl.schema import TABLES, arrow_schema, table
from etl.sql import ask
from etl.views import find_views, script, write_views

from .kit import make_deal, random_style, render, simulate
from .lakes import MONTHS, PARTITIONINGS, POISON, deal_of, make_lake, poison_last, rearranged

VIEWS = (*TABLES, "rejects", *(f"superseded_{name}" for name in TABLES))


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_lake(tmp_path_factory.mktemp("made"))


@pytest.fixture(scope="module")
def lakes(lake: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("rearranged")
    return {by: rearranged(lake, by, folder / f"it's {by}") for by in PARTITIONINGS}


def _asked(lake: Path, query: str) -> list[tuple[Any, ...]]:
    with ask(lake, query) as answer:
        return list(answer.rows)


def _columns(lake: Path, name: str) -> dict[str, str]:
    with ask(lake, f"SELECT * FROM {name}") as answer:  # noqa: S608
        return dict(zip(answer.columns, answer.types, strict=True))


@cache
def _duckdb_type(arrow_type: pa.DataType) -> str:
    """The type in which DuckDB shows an Arrow type, by DuckDB's own reading of it."""
    empty = pa.table({"x": pa.array([], arrow_type)})
    description = duckdb.connect().register("given", empty).execute("SELECT x FROM given").description
    assert description is not None
    return str(description[0][1])


def _declared(name: str) -> dict[str, str]:
    keys = {"deal": "VARCHAR", "distribution_date": "DATE"} if table(name).partition else {}
    return keys | {field.name: _duckdb_type(field.type) for field in arrow_schema(name)}


# --- every partitioning is read alike ---------------------------------------------------------------------


@pytest.mark.parametrize("by", PARTITIONINGS)
def test_every_view_has_the_declared_columns_in_their_order(lakes: dict[str, Path], by: str) -> None:
    for name in VIEWS:
        found = _columns(lakes[by], name)
        wanted = _declared(name.removeprefix("superseded_"))
        assert list(found.items()) == list(wanted.items()), name


@pytest.mark.parametrize("by", PARTITIONINGS[1:])
def test_every_partitioning_gives_the_same_rows(lakes: dict[str, Path], by: str) -> None:
    for name in VIEWS:
        query = f"SELECT * FROM {name} ORDER BY ALL"  # noqa: S608
        rows = _asked(lakes[by], query)
        assert rows == _asked(lakes["deal,date"], query)
        assert rows


@pytest.mark.parametrize("by", PARTITIONINGS)
def test_decimals_are_exact_in_every_reader(lakes: dict[str, Path], by: str) -> None:
    files = sorted((lakes[by] / "classes").rglob("*.parquet"))
    values = [value for file in files for value in pq.read_table(file, partitioning=None)["ending_balance"].to_pylist()]
    wanted = sum((value for value in values if value is not None), Decimal(0))
    assert wanted != int(wanted) or wanted > 1_000_000
    dataset = pads.dataset(lakes[by] / "classes", partitioning=etl.partitioning())
    sums = {
        "duckdb": _asked(lakes[by], "SELECT sum(ending_balance) FROM classes")[0][0],
        "polars": pl.scan_parquet(lakes[by] / "classes").select(pl.col("ending_balance").sum()).collect().item(),
        "pyarrow": sum((value for value in dataset.to_table()["ending_balance"].to_pylist() if value), Decimal(0)),
    }
    assert sums == dict.fromkeys(sums, wanted)
    assert all(isinstance(value, Decimal) for value in sums.values())


@pytest.mark.parametrize("by", PARTITIONINGS)
@pytest.mark.parametrize("name", TABLES)
def test_polars_and_pyarrow_read_dates_decimals_and_texts(lakes: dict[str, Path], by: str, name: str) -> None:
    types = dict(pl.scan_parquet(lakes[by] / name, hive_partitioning=True).collect_schema())
    year = {"year": pl.Int64()} if by == "deal,year" else {}
    declared = pl.DataFrame(arrow_schema(name).empty_table()).schema
    assert types == {"deal": pl.String(), "distribution_date": pl.Date(), **year, **declared}
    schema = pads.dataset(lakes[by] / name, partitioning=etl.partitioning()).schema
    assert schema.field("deal").type == pa.string()
    assert schema.field("distribution_date").type == pa.date32()
    for field in arrow_schema(name):
        assert schema.field(field.name).equals(field, check_metadata=True)


@pytest.mark.parametrize("by", PARTITIONINGS)
@pytest.mark.parametrize("name", TABLES)
def test_one_schema_over_all_files(lakes: dict[str, Path], by: str, name: str) -> None:
    files = sorted((lakes[by] / name).rglob("*.parquet"))
    schemas = [pq.read_schema(file) for file in files]
    assert schemas
    first = schemas[0]
    assert all(schema.equals(first, check_metadata=True) for schema in schemas)
    assert pa.unify_schemas(schemas).equals(first, check_metadata=True)
    dated = [] if by == "deal,date" else ["distribution_date"]
    assert first.names == [*dated, *arrow_schema(name).names]


# --- a filter reads the files that it needs ---------------------------------------------------------------


def _duckdb(lake: Path, deal: str) -> int:
    return int(_asked(lake, f"SELECT count(ending_balance) FROM classes WHERE deal = '{deal}'")[0][0])  # noqa: S608


def _polars(lake: Path, deal: str) -> int:
    rows = pl.scan_parquet(lake / "classes", hive_partitioning=True).filter(pl.col("deal") == deal)
    return int(rows.select(pl.col("ending_balance").count()).collect().item())


def _pyarrow(lake: Path, deal: str) -> int:
    dataset = pads.dataset(lake / "classes", partitioning=etl.partitioning())
    balances = dataset.to_table(filter=pads.field("deal") == deal)["ending_balance"]
    return len(balances) - int(balances.null_count)


READERS: dict[str, Callable[[Path, str], int]] = {"duckdb": _duckdb, "polars": _polars, "pyarrow": _pyarrow}
# What a reader says of a file that it cannot read.
UNREADABLE = (etl.EtlError, pl.exceptions.PolarsError, OSError, pa.ArrowInvalid)


@pytest.mark.parametrize("by", PARTITIONINGS)
@pytest.mark.parametrize("reader", READERS)
def test_a_filter_on_the_deal_touches_no_file_of_another(
    lakes: dict[str, Path], by: str, reader: str, tmp_path: Path
) -> None:
    """A file of the other deal cannot be read: so it is seen whether it is touched."""
    copy = shutil.copytree(lakes[by], tmp_path / "lake")
    poisoned, others = poison_last(copy, "classes")
    deal = deal_of(others[0])
    assert deal != deal_of(poisoned)
    assert READERS[reader](copy, deal) == READERS[reader](lakes[by], deal) > 0
    with pytest.raises(UNREADABLE):
        READERS[reader](copy, deal_of(poisoned))


def test_a_filter_on_the_date_touches_no_file_of_another(lakes: dict[str, Path], tmp_path: Path) -> None:
    copy = shutil.copytree(lakes["deal,date"], tmp_path / "lake")
    poisoned, _ = poison_last(copy, "classes")
    bad = poisoned.parent.name.removeprefix("distribution_date=")
    condition = f"distribution_date < DATE '{bad}' AND deal = '{deal_of(poisoned)}'"
    (counted,) = _asked(copy, f"SELECT count(DISTINCT distribution_date) FROM classes WHERE {condition}")  # noqa: S608
    assert counted == (MONTHS - 1,)
    before = (pl.col("distribution_date") < pl.lit(bad).str.to_date()) & (pl.col("deal") == deal_of(poisoned))
    rows = pl.scan_parquet(copy / "classes", hive_partitioning=True).filter(before)
    assert rows.select(pl.col("distribution_date").n_unique()).collect().item() == MONTHS - 1
    dataset = pads.dataset(copy / "classes", partitioning=etl.partitioning())
    when = pads.field("distribution_date") < pa.scalar(bad).cast(pa.date32())
    found = dataset.to_table(filter=when & (pads.field("deal") == deal_of(poisoned)))
    assert len(set(found["distribution_date"].to_pylist())) == MONTHS - 1


@pytest.mark.parametrize(("by", "files_of_a_deal"), [("deal,date", MONTHS), ("deal,year", 1), ("deal", 1)])
def test_duckdb_says_how_many_files_it_scans(lakes: dict[str, Path], by: str, files_of_a_deal: int) -> None:
    deal, date = _asked(lakes[by], "SELECT deal, min(distribution_date) FROM reports GROUP BY ALL ORDER BY ALL")[0]
    when = f"AND distribution_date = DATE '{date}'" if by == "deal,date" else ""
    files = 1 if when else files_of_a_deal
    query = f"EXPLAIN ANALYZE SELECT sum(ending_balance) FROM classes WHERE deal = '{deal}' {when}"  # noqa: S608
    (plan,) = _asked(lakes[by], query)
    assert re.findall(r"Scanning Files: (\d+)/(\d+)", plan[1]) == [(str(files), str(2 * files_of_a_deal))]


@pytest.mark.parametrize("by", ["deal,year", "deal"])
def test_filters_skip_row_groups_where_no_folder_is_named_for_them(tmp_path: Path, by: str) -> None:
    """A row group holds the rows of one year, with the first and last date and the classes that there are."""
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    for month, report in enumerate(simulate(make_deal(0), 14)):
        (inbox / f"{month}.txt").write_text(render(report, random_style(0)))
    etl.run([inbox], tmp_path / "lake", partition_by=by)
    years = []
    for file in sorted((tmp_path / "lake" / "classes").rglob("*.parquet")):
        for number in range(pq.read_metadata(file).num_row_groups):
            group = pq.read_metadata(file).row_group(number)
            column = {group.column(place).path_in_schema: group.column(place) for place in range(group.num_columns)}
            dates, classes = column["distribution_date"].statistics, column["class_key"].statistics
            assert dates.min.year == dates.max.year
            assert classes.min < classes.max
            years.append(dates.min.year)
        probe = "SELECT bool_and(bloom_filter_excludes) FROM parquet_bloom_probe(?, 'class_key', ?)"
        said = [duckdb.execute(probe, [str(file), value]).fetchall() for value in ("A-1", "B-77")]
        assert said == [[(False,)], [(True,)]]
    assert years == [2003, 2004]
    fragments = list(pads.dataset(tmp_path / "lake" / "classes", partitioning=etl.partitioning()).get_fragments())
    late = pads.field("distribution_date") >= pa.scalar(dt.date(2004, 1, 1))
    assert sum(fragment.subset(late).num_row_groups for fragment in fragments) == 1


# --- the views as files -----------------------------------------------------------------------------------


@pytest.mark.parametrize("by", PARTITIONINGS)
def test_the_views_run_in_duckdb(lakes: dict[str, Path], by: str, tmp_path: Path) -> None:
    """In a database that is a file, and again over themselves."""
    written = write_views(lakes[by], tmp_path / "views")
    for _ in range(2):
        with duckdb.connect(tmp_path / "own.db") as database:
            database.execute(written["duckdb"].read_text())
    with duckdb.connect(tmp_path / "own.db") as database:
        for name in VIEWS:
            described = database.execute(f"DESCRIBE {name}").fetchall()
            assert [(row[0], row[1]) for row in described] == list(_columns(lakes[by], name).items())
            comments = dict(
                database.execute(
                    "SELECT column_name, comment FROM duckdb_columns() WHERE table_name = ?", [name]
                ).fetchall()
            )
            declared = table(name.removeprefix("superseded_"))
            assert comments.items() >= {column.name: column.description for column in declared.columns}.items()
            assert all(comments.values())
        (counted,) = database.execute("SELECT count(*) FROM classes").fetchall()
        assert [counted] == _asked(lakes[by], "SELECT count(*) FROM classes")
        (told,) = database.execute("SELECT comment FROM duckdb_views() WHERE view_name = 'pools'").fetchall()
        assert told == (table("pools").description,)


def test_the_views_stand_below_the_lake_and_harm_no_reader(lakes: dict[str, Path], tmp_path: Path) -> None:
    copy = shutil.copytree(lakes["deal,date"], tmp_path / "lake")
    written = write_views(copy)
    assert written == {"duckdb": copy / "_views" / "duckdb.sql", "spark": copy / "_views" / "spark.sql"}
    before = {engine: file.read_bytes() for engine, file in written.items()}
    assert before == {engine: script(copy, engine).encode() for engine in before}
    write_views(copy)
    assert {engine: file.read_bytes() for engine, file in written.items()} == before
    assert {file.name for file in (copy / "_views").iterdir()} == {"duckdb.sql", "spark.sql"}
    summary = etl.run([tmp_path], tmp_path / "again")  # the lake is no inbox
    assert summary.reports_read == 0
    assert _asked(copy, "SELECT count(*) FROM reports") == [(2 * MONTHS,)]


@pytest.mark.parametrize("below", ["classes", "classes/deal=a", "_manifest", ".", "link"])
def test_views_are_not_written_among_the_files_of_the_lake(lakes: dict[str, Path], tmp_path: Path, below: str) -> None:
    """Readers of a table take each file below it for a part of it."""
    copy = shutil.copytree(lakes["deal,date"], tmp_path / "lake")
    (copy / "link").symlink_to("classes")
    before = sorted(copy.rglob("*"))
    with pytest.raises(UsageError, match="stands in the lake"):
        write_views(copy, copy / below)
    assert sorted(copy.rglob("*")) == before
    assert write_views(copy, copy / "_views") == write_views(copy)


def test_a_file_in_the_way_of_the_views_is_an_error(lakes: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("in the way")
    with pytest.raises(OutputError, match=r"taken/duckdb\.sql: cannot be written: .*--to"):
        write_views(lakes["deal"], tmp_path / "taken")


def test_a_lake_without_files_has_typed_and_empty_views(tmp_path: Path) -> None:
    (tmp_path / "inbox").mkdir()
    etl.run([tmp_path / "inbox"], tmp_path / "lake")
    for name in VIEWS:
        assert _columns(tmp_path / "lake", name) == _declared(name.removeprefix("superseded_"))
    assert _asked(tmp_path / "lake", "SELECT count(*) FROM classes") == [(0,)]
    database = duckdb.connect()
    database.execute(duckdb_script(find_views(tmp_path / "lake")))
    assert database.execute("SELECT count(*), count(deal) FROM classes").fetchall() == [(0, 0)]


@pytest.mark.parametrize("name", ["a*b", "a[b]", "a?", "{a}", "a\\b", "a\nb"])
def test_a_path_that_engines_take_for_a_pattern_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name / "reports").mkdir(parents=True)
    with pytest.raises(UsageError, match="for a pattern"):
        find_views(tmp_path / name)


@pytest.mark.parametrize("by", PARTITIONINGS)
def test_what_strangers_left_does_not_tell_the_partitioning(lakes: dict[str, Path], by: str, tmp_path: Path) -> None:
    """It follows from the lake's own files, for the views as for runs."""
    copy = shutil.copytree(lakes[by], tmp_path / "lake")
    expected = {view.name: view.partition for view in find_views(copy)}
    deal = min((copy / "reports").iterdir())
    for stray in (copy / "reports" / "a.parquet", deal / "a.parquet", deal / "a=1" / "a.parquet"):
        stray.parent.mkdir(exist_ok=True)
        stray.write_bytes(POISON)
    assert table_partitioning(copy / "reports") == by
    assert {view.name: view.partition for view in find_views(copy)} == expected
    shutil.rmtree(copy / "classes")
    (copy / "classes" / "month=1").mkdir(parents=True)
    (copy / "classes" / "month=1" / "a.parquet").write_bytes(POISON)
    assert table_partitioning(copy / "classes") is None
    assert _asked(copy, "SELECT count(*) FROM classes") == [(0,)]


def test_a_folder_that_cannot_be_listed_is_named(lakes: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(folder: Path) -> list[str]:
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr("etl.partitions.os.listdir", refused)
    with pytest.raises(LakeError, match=r"reports: cannot be listed: Permission denied; check its rights"):
        find_views(lakes["deal"])
