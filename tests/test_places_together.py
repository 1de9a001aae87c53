"""Engines, places and formats of lakes together: whoever reads, and wherever a lake is, it is the same lake."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import etl
from etl import UsageError
from etl.schema import TABLES
from etl.watching import watch

from .delta_lakes import opened, versions
from .kit import make_deal, random_style, render, simulate
from .lakes import hashes
from .processes import call_etl
from .spark_inboxes import started_spark, write_few, write_later_inbox, write_mixed_inbox
from .storage import Storage, object_hashes, objects, put, upload

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@pytest.fixture(scope="module")
def spark(storage: Storage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    assert storage.variables  # set before Python workers begin, which take them over
    with started_spark(tmp_path_factory.mktemp("warehouse")) as session:
        yield session


def _rows(lake: Path) -> dict[str, pl.DataFrame]:
    """The rows of all Delta tables, in an order of their own."""
    frames = {name: pl.DataFrame(opened(lake, name).to_pyarrow_table()) for name in TABLES}
    return {name: frame.sort(frame.select(~pl.selectors.list()).columns) for name, frame in frames.items()}


@pytest.mark.spark
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
def test_spark_reads_from_and_writes_to_object_storage(storage: Storage, spark: SparkSession, tmp_path: Path) -> None:
    bucket = storage.bucket()
    mixed = write_mixed_inbox(tmp_path / "inbox")
    for file in list(mixed.rglob("*")):
        if not str(file).isprintable():  # names of objects are UTF-8
            file.unlink()
    first = upload(bucket, "inbox", mixed)
    later = upload(bucket, "later", write_later_inbox(tmp_path / "later"))
    url = f"s3://{bucket}/lake"
    for inbox in (first, later):
        told = etl.run([inbox], tmp_path / "lake")
        again = etl.run([inbox], url, engine="spark", spark=spark)
        assert (again.reports_read, again.rejected, again.duplicates) == (
            told.reports_read,
            told.rejected,
            told.duplicates,
        )
    assert told.superseded
    assert object_hashes(bucket, "lake") == hashes(tmp_path / "lake")
    before = object_hashes(bucket, "lake")
    again = etl.run([first, later], url, engine="spark", spark=spark)
    assert (again.reports_read, object_hashes(bucket, "lake")) == (0, before)
    assert not [key for key in objects(bucket, "lake") if key.startswith("_staging/")]


@pytest.mark.spark
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
def test_spark_writes_delta_tables(spark: SparkSession, tmp_path: Path) -> None:
    inbox, later = write_mixed_inbox(tmp_path / "inbox"), write_later_inbox(tmp_path / "later")
    for given in (inbox, later):
        etl.run([given], tmp_path / "lake", lake_format="delta")
        etl.run([given], tmp_path / "other", lake_format="delta", engine="spark", spark=spark)
    for (name, frame), other in zip(_rows(tmp_path / "lake").items(), _rows(tmp_path / "other").values(), strict=True):
        assert_frame_equal(frame, other), name
    before = versions(tmp_path / "other")
    etl.run([inbox, later], tmp_path / "other", engine="spark", spark=spark)
    assert versions(tmp_path / "other") == before


def test_an_inbox_of_objects_is_watched(storage: Storage, tmp_path: Path) -> None:
    texts = [render(report, random_style(4)).encode() for report in simulate(make_deal(4), 3)]
    bucket = storage.bucket()
    url = f"s3://{bucket}/lake"
    pauses = []

    def pause(_seconds: float) -> None:
        pauses.append(len(objects(bucket, "lake/reports")))
        put(bucket, {f"inbox/{len(pauses) - 1}.txt": texts[0]} if len(pauses) == 1 else {})

    summaries = watch([f"s3://{bucket}/inbox"], url, every=0.1, pause=pause)  # there is nothing yet
    assert next(summaries).reports_read == 1
    put(bucket, {"inbox/1.txt": texts[1]})
    summary = next(summaries)
    assert (summary.documents, summary.reports_read) == (1, 1)
    summaries = watch([f"s3://{bucket}/inbox"], url, every=0.1)  # anew
    put(bucket, {"inbox/2.txt": texts[2]})
    summary = next(summaries)
    assert (summary.documents, summary.reports_read) == (1, 1)
    etl.run([f"s3://{bucket}/inbox"], tmp_path / "lake")
    found = {key: digest for key, digest in object_hashes(bucket, "lake").items() if not key.startswith("_watched/")}
    assert found == hashes(tmp_path / "lake")


def test_delta_tables_are_fed_by_a_watch(tmp_path: Path) -> None:
    inbox, lake = write_few(tmp_path / "inbox"), tmp_path / "lake"
    read = sum(1 for file in inbox.iterdir() if file.is_file())
    summaries = watch([inbox], lake, every=0.1, lake_format="delta")
    while read > 0:
        read -= next(summaries).documents
    (inbox / "more.txt").write_text(render(simulate(make_deal(7), 1)[0], random_style(7)))
    summary = next(summaries)
    assert (summary.documents, summary.reports_read) == (1, 1)
    assert opened(lake, "reports").to_pyarrow_table().num_rows > 1
    summaries = watch([inbox], lake, every=0.1)  # anew, in the format that there is
    (inbox / "again.txt").write_text(render(simulate(make_deal(8), 1)[0], random_style(8)))
    assert next(summaries).documents == 1


def test_delta_tables_stand_in_folders(storage: Storage, tmp_path: Path) -> None:
    inbox, url = write_few(tmp_path / "inbox"), f"s3://{storage.bucket()}/lake"
    with pytest.raises(UsageError, match="Delta tables are written into folders alone"):
        etl.run([inbox], url, lake_format="delta")
    said = call_etl("run", inbox, "--out", url, "--format", "delta")
    assert (said.returncode, said.stderr.count("\n")) == (2, 1)
