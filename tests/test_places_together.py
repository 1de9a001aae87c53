"""Engines, places and formats of lakes together: whoever reads, and wherever a lake is, it is the same lake."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa
import pytest
from polars.testing import assert_frame_equal

import etl
from etl import UsageError, spark_engine, spark_tasks
from etl.manifest import read_manifest, with_folder
from etl.object_lake import ObjectDeposit, ObjectStore
from etl.objects import Location, StoredObject
from etl.partitions import PLACES, PartitionBy
from etl.schema import TABLES
from etl.spark_engine import _is_readable
from etl.spark_tasks import place_files
from etl.watching import watch

from .delta_lakes import NAMES, opened, versions
from .kit import make_deal, random_style, render, simulate
from .lakes import hashes
from .processes import call_etl
from .spark_inboxes import write_few, write_later_inbox, write_mixed_inbox
from .spark_sessions import started_spark, task_context
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
    frames = {name: pl.DataFrame(opened(lake, name).to_pyarrow_table()) for name in NAMES}
    return {name: frame.sort(frame.select(~pl.selectors.list()).columns) for name, frame in frames.items()}


def _assert_same_rows(lake: Path, other: Path) -> None:
    """All tables have the same rows, those of superseded reports too, and there are some of both."""
    found, wanted = _rows(other), _rows(lake)
    for name, frame in wanted.items():
        assert_frame_equal(found[name], frame)
    assert {place: any(len(wanted[f"{place}{name}"]) for name in TABLES) for place in PLACES} == dict.fromkeys(
        PLACES, True
    )


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
def test_objects_that_executors_cannot_fetch_are_no_rejects(
    storage: Storage, spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where they have other credentials, or another endpoint, than the driver."""
    bucket = storage.bucket()
    url = upload(bucket, "inbox", write_few(tmp_path / "inbox"))
    monkeypatch.setitem(spark.sparkContext.environment, "AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(UsageError, match=rf"\A{url}/[^\n]*: the executors of Spark cannot read it [^\n]*credentials"):
        etl.run([url], tmp_path / "lake", engine="spark", spark=spark)
    assert read_manifest(tmp_path / "lake").rows.is_empty()
    missing = StoredObject(Location("s3", bucket, "inbox/none"), 1, "none")
    empty = replace(missing, size=0)
    assert not _is_readable(missing)
    assert not _is_readable(empty)
    put(bucket, {"inbox/none": b""})
    assert _is_readable(empty)


@pytest.mark.spark
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
def test_executors_leave_nothing_of_the_lake_on_their_disks(
    storage: Storage, spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setitem(spark.sparkContext.environment, "TMPDIR", str(scratch))
    url = f"s3://{storage.bucket()}/lake"
    etl.run([write_few(tmp_path / "few")], url)
    later = write_later_inbox(tmp_path / "later")
    seen = tmp_path / "seen"
    seen.mkdir()

    def looking(rows: Iterator[Any], *, store: ObjectStore, **named: Any) -> Iterator[Any]:
        made = store.scratch
        yield from spark_tasks.place_files(rows, store=store, **named)
        (seen / str(task_context().partitionId())).write_text(f"{made.parent} {made.exists()}")

    monkeypatch.setattr(spark_engine, "place_files", looking)
    summary = etl.run([later], url, engine="spark", spark=spark)
    assert summary.superseded
    assert {file.read_text() for file in seen.iterdir()} == {f"{scratch} False"}
    assert not list(scratch.glob("trustee-etl-*"))


def test_a_task_holds_one_partition_of_the_lake_at_a_time(
    storage: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spark_tasks, "BUNDLE_BYTES", 1)  # it hands over each
    bucket, lake = storage.bucket(), tmp_path / "lake"
    inbox = write_few(tmp_path / "few")
    for output in (lake, f"s3://{bucket}/lake"):
        etl.run([inbox], output)
    rows = with_folder(read_manifest(lake).rows.filter(outcome="read"), PartitionBy.DATE)
    ids = dict(rows.group_by("folder").agg("report_id").sort("folder").iter_rows())
    asked = pa.RecordBatch.from_pydict(
        {"owner": list(ids), "pack": [0] * len(ids), "file": [None] * len(ids), "content": [None] * len(ids)}
    )
    store = ObjectStore(f"s3://{bucket}/lake")
    given = place_files(
        iter([asked]), SimpleNamespace(value=ids), store, ObjectDeposit(store, "_staging/run/1"), PartitionBy.DATE
    )
    scratch = store.scratch
    next(given)
    assert scratch.exists()
    assert not store.root.exists()
    assert len(list(given)) == len(ids) - 1 > 0
    assert not scratch.exists()


@pytest.mark.spark
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
def test_a_task_that_is_tried_again_leaves_the_same_lake(
    storage: Storage, spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everywhere, after it has handed over all its files."""
    inboxes = write_few(tmp_path / "few"), write_later_inbox(tmp_path / "later")
    seen = tmp_path / "seen"
    seen.mkdir()

    def fails_once(rows: Iterator[Any], **named: Any) -> Iterator[Any]:
        context = task_context()
        (seen / str(context.attemptNumber())).touch()
        yield from spark_tasks.place_files(rows, **named)
        if context.partitionId() == 0 and context.attemptNumber() == 0:
            raise RuntimeError("the first try fails")

    monkeypatch.setattr(spark_engine, "place_files", fails_once)
    bucket = storage.bucket()
    for inbox in inboxes:
        etl.run([inbox], tmp_path / "lake")
        etl.run([inbox], f"s3://{bucket}/lake", engine="spark", spark=spark)
        etl.run([inbox], tmp_path / "tables", lake_format="delta")
        etl.run([inbox], tmp_path / "other tables", lake_format="delta", engine="spark", spark=spark)
    assert object_hashes(bucket, "lake") == hashes(tmp_path / "lake")
    assert not [key for key in objects(bucket, "lake") if key.startswith("_staging/")]
    _assert_same_rows(tmp_path / "tables", tmp_path / "other tables")
    assert {file.name for file in seen.iterdir()} == {"0", "1"}


@pytest.mark.spark
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
def test_spark_writes_delta_tables(spark: SparkSession, tmp_path: Path) -> None:
    inbox, later = write_mixed_inbox(tmp_path / "inbox"), write_later_inbox(tmp_path / "later")
    for given in (inbox, later):
        etl.run([given], tmp_path / "lake", lake_format="delta")
        etl.run([given], tmp_path / "other", lake_format="delta", engine="spark", spark=spark)
    _assert_same_rows(tmp_path / "lake", tmp_path / "other")
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
