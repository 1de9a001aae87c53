"""Every partitioning of a lake as Spark reads it: by its path, and by the SQL views."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest

import etl
from etl.schema import TABLES, arrow_schema, table
from etl.sql import ask
from etl.views import script

from .lakes import MONTHS, PARTITIONINGS, deal_of, make_lake, poison_last, rearranged
from .spark_sessions import started_spark

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

# Spark's own way of talking to its Java leaves sockets to the collector.
pytestmark = [pytest.mark.spark, pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")]

VIEWS = (*TABLES, "rejects", *(f"superseded_{name}" for name in TABLES))


@pytest.fixture(scope="module")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    folder = tmp_path_factory.mktemp("warehouse")
    with started_spark(folder, "local[2]", **{"spark.sql.shuffle.partitions": "2"}) as session:
        yield session


@pytest.fixture(scope="module")
def lakes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    lake = make_lake(tmp_path_factory.mktemp("made"))
    folder = tmp_path_factory.mktemp("rearranged")
    return {by: rearranged(lake, by, folder / f"it's `{by}`") for by in PARTITIONINGS}


def _make_views(spark: SparkSession, lake: Path, *names: str) -> None:
    """Run the file of views, or the statements of some of its views."""
    for statement in script(lake, "spark").split(";\n"):
        if statement.strip() and (not names or any(f"VIEW `{name}`" in statement for name in names)):
            spark.sql(statement)


def _types(frame: DataFrame) -> dict[str, str]:
    return {field.name: field.dataType.simpleString() for field in frame.schema}


def _declared(name: str) -> dict[str, str]:
    from pyspark.sql.pandas.types import from_arrow_schema  # noqa: PLC0415

    keys = {"deal": "string", "distribution_date": "date"} if table(name).partition else {}
    return keys | {field.name: field.dataType.simpleString() for field in from_arrow_schema(arrow_schema(name))}


def _plan(frame: DataFrame) -> str:
    return str(frame._jdf.queryExecution().executedPlan().toString())  # noqa: SLF001 - pyspark prints it only


def _asked(lake: Path, query: str) -> list[tuple[Any, ...]]:
    with ask(lake, query) as answer:
        return list(answer.rows)


@pytest.mark.parametrize("by", PARTITIONINGS)
def test_the_views_have_the_declared_columns_with_their_comments(
    spark: SparkSession, lakes: dict[str, Path], by: str
) -> None:
    _make_views(spark, lakes[by])
    for name in VIEWS:
        declared = table(name.removeprefix("superseded_"))
        frame = spark.table(name)
        assert list(_types(frame).items()) == list(_declared(declared.name).items()), name
        comments = {field.name: field.metadata.get("comment") for field in frame.schema}
        assert comments.items() >= {column.name: column.description for column in declared.columns}.items()
        assert all(comments.values())


@pytest.mark.parametrize("by", PARTITIONINGS)
def test_the_views_give_what_duckdb_gives(spark: SparkSession, lakes: dict[str, Path], by: str) -> None:
    names = ("reports", "classes", "delinquencies", "rejects", "superseded_classes", "superseded_pools")
    _make_views(spark, lakes[by], *names)
    for name in names:
        rows = [tuple(row) for row in spark.table(name).collect()]
        wanted = _asked(lakes[by], f"SELECT * FROM {name}")  # noqa: S608
        assert sorted(map(repr, rows)) == sorted(map(repr, wanted)), name
        assert wanted


@pytest.mark.parametrize("by", PARTITIONINGS)
def test_decimals_are_exact(spark: SparkSession, lakes: dict[str, Path], by: str) -> None:
    files = sorted((lakes[by] / "classes").rglob("*.parquet"))
    values = [value for file in files for value in pq.read_table(file, partitioning=None)["ending_balance"].to_pylist()]
    _make_views(spark, lakes[by], "classes")
    ((total,),) = spark.sql("SELECT sum(ending_balance) FROM classes").collect()
    assert total == sum((value for value in values if value is not None), Decimal(0)) > 0
    assert isinstance(total, Decimal)


@pytest.mark.parametrize("by", PARTITIONINGS)
def test_a_path_is_read_with_its_types(spark: SparkSession, lakes: dict[str, Path], by: str) -> None:
    year = {"year": "int"} if by == "deal,year" else {}
    assert _types(spark.read.parquet(str(lakes[by] / "classes"))) == _declared("classes") | year


@pytest.mark.parametrize("by", PARTITIONINGS)
def test_a_filter_on_the_deal_touches_no_file_of_another(
    spark: SparkSession, lakes: dict[str, Path], by: str, tmp_path: Path
) -> None:
    """A file of the other deal cannot be read: so it is seen whether it is touched."""
    copy = shutil.copytree(lakes[by], tmp_path / "lake")
    poisoned, others = poison_last(copy, "classes")
    _make_views(spark, copy, "classes")
    query = "SELECT count(ending_balance) FROM classes WHERE deal = '{}'"
    frame = spark.sql(query.format(deal_of(others[0])))
    assert "PartitionFilters: [isnotnull(deal" in _plan(frame)
    ((counted,),) = frame.collect()
    assert [(counted,)] == _asked(lakes[by], query.format(deal_of(others[0])))
    with pytest.raises(Exception, match="FAILED_READ_FILE"):
        spark.sql(query.format(deal_of(poisoned))).collect()


def test_a_filter_on_the_date_touches_no_file_of_another(
    spark: SparkSession, lakes: dict[str, Path], tmp_path: Path
) -> None:
    copy = shutil.copytree(lakes["deal,date"], tmp_path / "lake")
    poisoned, _ = poison_last(copy, "classes")
    bad = poisoned.parent.name.removeprefix("distribution_date=")
    _make_views(spark, copy, "classes")
    query = f"SELECT count(DISTINCT distribution_date), count(cusip) FROM classes WHERE deal = '{deal_of(poisoned)}'"  # noqa: S608
    frame = spark.sql(f"{query} AND distribution_date < DATE '{bad}'")
    plan = _plan(frame)
    assert f"< {bad}" in plan.split("PartitionFilters: ")[1].split("PushedFilters")[0]
    ((dates, _),) = frame.collect()
    assert dates == MONTHS - 1
    with pytest.raises(Exception, match="FAILED_READ_FILE"):
        spark.sql(query).collect()


def test_a_lake_without_files_has_typed_and_empty_views(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "inbox").mkdir()
    etl.run([tmp_path / "inbox"], tmp_path / "lake")
    _make_views(spark, tmp_path / "lake")
    for name in VIEWS:
        assert _types(spark.table(name)) == _declared(name.removeprefix("superseded_"))
    assert spark.table("classes").collect() == []


def test_a_view_sees_files_that_came_after_it(spark: SparkSession, lakes: dict[str, Path], tmp_path: Path) -> None:
    copy = shutil.copytree(lakes["deal,date"], tmp_path / "lake")
    _make_views(spark, copy, "reports")
    before = spark.sql("SELECT count(*) AS n FROM reports").collect()[0]["n"]
    file = next((copy / "reports").rglob("*.parquet"))
    shutil.copy(file, file.with_name("another.parquet"))
    assert spark.sql("SELECT count(*) AS n FROM reports").collect()[0]["n"] == before + 1
