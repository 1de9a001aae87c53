"""Spark's executors leave the same lake as the local engine, byte for byte, whatever happens to them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import etl

from .lakes import PARTITIONINGS, hashes
from .spark_inboxes import layouts, started_spark, write_later_inbox, write_mixed_inbox

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# Spark's own way of talking to its Java leaves sockets to the collector.
pytestmark = [pytest.mark.spark, pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")]


@pytest.fixture(scope="module")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    with started_spark(tmp_path_factory.mktemp("warehouse")) as session:
        yield session


@pytest.fixture(scope="module")
def inbox(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_mixed_inbox(tmp_path_factory.mktemp("inboxes") / "mixed")


@pytest.fixture(scope="module")
def later(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_later_inbox(tmp_path_factory.mktemp("inboxes") / "later")


@pytest.mark.parametrize("by", PARTITIONINGS)
def test_a_mixed_inbox_gives_the_lake_of_the_local_engine(
    spark: SparkSession, inbox: Path, later: Path, by: str, tmp_path: Path
) -> None:
    local = etl.run([inbox], tmp_path / "local", layouts(), partition_by=by)
    spread = etl.run([inbox], tmp_path / "spark", layouts(), partition_by=by, engine="spark", spark=spark)
    assert hashes(tmp_path / "spark") == hashes(tmp_path / "local")
    for name in ("documents", "reports_read", "rejected", "duplicates", "attached", "rows", "checks", "numbers_found"):
        assert getattr(spread, name) == getattr(local, name), name
    for name in ("conflicts", "superseded", "rejects", "unclaimed", "failed_checks"):
        assert sorted(map(str, getattr(spread, name))) == sorted(map(str, getattr(local, name))), name
    assert min(local.reports_read, local.rejected, local.duplicates, local.attached, len(local.conflicts)) > 0
    etl.run([later], tmp_path / "local", layouts())
    again = etl.run([later], tmp_path / "spark", layouts(), engine="spark", spark=spark)
    assert hashes(tmp_path / "spark") == hashes(tmp_path / "local")
    assert again.superseded
    before = hashes(tmp_path / "spark")
    skipped = etl.run([inbox, later], tmp_path / "spark", layouts(), engine="spark", spark=spark)
    assert skipped.reports_read == 0
    assert hashes(tmp_path / "spark") == before
