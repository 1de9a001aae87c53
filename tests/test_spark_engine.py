"""Spark's executors leave the same lake as the local engine, byte for byte, whatever happens to them."""

from __future__ import annotations

import itertools
import os
import pickle
import re
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

import etl
from etl import spark_engine, spark_tasks
from etl.manifest import read_manifest

from .lakes import PARTITIONINGS, POISON, hashes
from .spark_inboxes import layouts, reports, simulated, write_few, write_later_inbox, write_mixed_inbox
from .spark_sessions import children, java_process, started_spark, task_context
from .test_filings import several

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


@pytest.fixture(scope="module")
def local(inbox: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The lake of the mixed inbox, by the local engine."""
    lake = tmp_path_factory.mktemp("lakes") / "local"
    etl.run([inbox], lake, layouts())
    return lake


@pytest.fixture
def few(tmp_path: Path) -> Path:
    return write_few(tmp_path / "few")


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
    _assert_no_bare_copies(tmp_path / "spark")
    etl.run([later], tmp_path / "local", layouts())
    again = etl.run([later], tmp_path / "spark", layouts(), engine="spark", spark=spark)
    assert hashes(tmp_path / "spark") == hashes(tmp_path / "local")
    assert again.superseded
    before = hashes(tmp_path / "spark")
    skipped = etl.run([inbox, later], tmp_path / "spark", layouts(), engine="spark", spark=spark)
    assert skipped.reports_read == 0
    assert hashes(tmp_path / "spark") == before


def _assert_no_bare_copies(lake: Path) -> None:
    """Reports of which a filing is in the inbox too, before or after them, are copies."""
    sources = read_manifest(lake).rows.filter(outcome="read")["source"]
    assert not [source for source in sources if "bare copy" in source]


def _same(left: Path, right: Path) -> bool:
    return hashes(left) == hashes(right)


def test_many_waves_give_the_lake_of_one(
    spark: SparkSession, inbox: Path, local: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A filing and its bare copy, a file of several documents and a copy of it, lie in different waves."""
    monkeypatch.setattr(spark_engine, "WAVE_FILES", 9)
    done: list[tuple[int, int]] = []
    etl.run(
        [inbox],
        tmp_path / "lake",
        layouts(),
        engine="spark",
        spark=spark,
        progress=lambda *numbers: done.append(numbers),
    )
    assert _same(tmp_path / "lake", local)
    _assert_no_bare_copies(tmp_path / "lake")
    total = done[-1][1]
    assert [number for number, _ in done] == [*range(9, total, 9), total]
    assert len(done) > 3


def test_each_engine_continues_the_lake_of_the_other(
    spark: SparkSession, few: Path, later: Path, tmp_path: Path
) -> None:
    etl.run([few, later], tmp_path / "wanted")
    etl.run([few], tmp_path / "spark first", engine="spark", spark=spark)
    etl.run([later], tmp_path / "spark first")
    etl.run([few], tmp_path / "local first")
    etl.run([later], tmp_path / "local first", engine="spark", spark=spark)
    for first in ("spark first", "local first"):
        etl.run([few, later], tmp_path / first)
        assert _same(tmp_path / first, tmp_path / "wanted"), first


def test_without_sources_and_by_force(spark: SparkSession, few: Path, tmp_path: Path) -> None:
    etl.run([few], tmp_path / "local", keep_sources=False)
    for force in (False, True):
        summary = etl.run([few], tmp_path / "lake", keep_sources=False, force=force, engine="spark", spark=spark)
        assert summary.reports_read > 0
        assert _same(tmp_path / "lake", tmp_path / "local")
    assert not (tmp_path / "lake/_sources").exists()


def test_an_active_session_is_used_and_left(spark: SparkSession, few: Path, tmp_path: Path) -> None:
    before, python = dict(spark.sparkContext.environment), spark.sparkContext.pythonExec
    settings = dict(spark.conf.getAll)
    etl.run([few], tmp_path / "lake", engine="spark")
    assert spark.range(3).count() == 3
    assert (dict(spark.sparkContext.environment), spark.sparkContext.pythonExec) == (before, python)
    assert dict(spark.conf.getAll) == settings


def test_relative_paths_are_those_of_the_driver(
    spark: SparkSession, few: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Java and the Python of tasks have been started in another folder."""
    monkeypatch.chdir(few.parent)
    etl.run([few.name, f"{few.name}/../{few.name}/0*"], tmp_path / "local")
    etl.run([few.name, f"{few.name}/../{few.name}/0*"], "spark-lake", engine="spark", spark=spark)
    assert _same(few.parent / "spark-lake", tmp_path / "local")


def test_the_folder_of_the_driver_need_not_be_there(
    spark: SparkSession, few: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on other machines: where all paths are whole, nobody asks for it."""
    etl.run([few], tmp_path / "local")
    gone = tmp_path / "gone"
    gone.mkdir()
    with monkeypatch.context() as patch:
        patch.chdir(gone)
        gone.rmdir()
        summary = etl.run([few], tmp_path / "lake", engine="spark", spark=spark)
    assert summary.reports_read == 3
    assert _same(tmp_path / "lake", tmp_path / "local")


def test_urls_come_through_spark(spark: SparkSession, few: Path, tmp_path: Path) -> None:
    """A mounted file system stands for those of a cluster; a `file:` URL is a path."""
    (few / "a [1]{2}*?#%20é.txt").write_text(simulated(11))
    hadoop = spark.sparkContext._jsc.hadoopConfiguration()  # noqa: SLF001 - there is no other way to set it later
    hadoop.set("fs.viewfs.mounttable.cluster.link./inbox", few.as_uri())
    local = etl.run([few], tmp_path / "local")
    spread = etl.run(["viewfs://cluster/inbox"], tmp_path / "lake", engine="spark", spark=spark)
    assert (spread.reports_read, spread.rejected) == (local.reports_read, local.rejected)
    wanted, found = hashes(tmp_path / "local"), hashes(tmp_path / "lake")
    named = {file for file in wanted if {"reports", "_manifest", "_rejects"} & set(file.split("/")[:2])}
    assert {file: found[file] for file in found if file not in named} == {
        file: wanted[file] for file in wanted if file not in named
    }
    sources = set(read_manifest(tmp_path / "lake").rows["source"])
    assert {source.removeprefix("viewfs://cluster/inbox") for source in sources} == {
        source.removeprefix(str(few)) for source in read_manifest(tmp_path / "local").rows["source"]
    }
    before = hashes(tmp_path / "lake")
    assert etl.run(["viewfs://cluster/inbox"], tmp_path / "lake", engine="spark", spark=spark).reports_read == 0
    assert hashes(tmp_path / "lake") == before
    etl.run([few.as_uri()], tmp_path / "of a file URL", engine="spark", spark=spark)
    assert _same(tmp_path / "of a file URL", tmp_path / "local")


def test_a_file_that_is_too_large_for_a_row_is_rejected(
    spark: SparkSession, few: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hadoop = spark.sparkContext._jsc.hadoopConfiguration()  # noqa: SLF001
    hadoop.set("fs.viewfs.mounttable.other.link./inbox", few.as_uri())
    monkeypatch.setattr(spark_engine, "MAX_ROW_BYTES", 100)
    summary = etl.run(["viewfs://other/inbox"], tmp_path / "lake", engine="spark", spark=spark)
    assert {reject["reason_code"] for reject in summary.rejects} == {"too_large", "not_a_report"}
    assert summary.reports_read == 0


# --- what may happen to tasks ---------------------------------------------------------------------------------


def test_a_task_that_fails_is_tried_again(
    spark: SparkSession, few: Path, later: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of each job a task fails at its first try, after it has given all its rows and put all its files."""
    seen = tmp_path / "seen"
    seen.mkdir()
    jobs = (spark_tasks.read_found, spark_tasks.stage_packs, spark_tasks.place_files)

    def failing(job: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
        def fails_once(rows: Iterator[Any], *given: Any, **named: Any) -> Iterator[Any]:
            context = task_context()
            (seen / f"{job.__name__}.{context.attemptNumber()}").touch()
            yield from job(rows, *given, **named)
            if context.partitionId() == 0 and context.attemptNumber() == 0:
                raise RuntimeError("the first try fails")

        return fails_once

    for job in jobs:
        monkeypatch.setattr(spark_engine, job.__name__, failing(job))
    etl.run([few, later], tmp_path / "local")
    etl.run([few], tmp_path / "lake", engine="spark", spark=spark)
    etl.run([few, later], tmp_path / "lake", engine="spark", spark=spark)
    assert _same(tmp_path / "lake", tmp_path / "local")
    assert {file.name for file in seen.iterdir()} == {f"{job.__name__}.{n}" for job in jobs for n in (0, 1)}


def test_a_killed_worker_is_replaced(spark: SparkSession, inbox: Path, local: Path, tmp_path: Path) -> None:
    java = java_process(spark)
    tracker = spark.sparkContext.statusTracker()
    failed: Counter[int] = Counter()
    killed: list[int] = []
    done = Event()

    def watch() -> None:
        while not done.wait(0.1):
            for stage in tracker.getActiveStageIds():
                info = tracker.getStageInfo(stage)
                failed[stage] = max(failed[stage], info.numFailedTasks if info else 0)
                workers = [worker for daemon in children(java) for worker in children(daemon)]
                if workers and stage not in killed and info and info.numActiveTasks and len(killed) < 5:
                    os.kill(workers[0], signal.SIGKILL)
                    killed.append(stage)

    watcher = Thread(target=watch)
    watcher.start()
    try:
        etl.run([inbox], tmp_path / "lake", layouts(), engine="spark", spark=spark)
    finally:
        done.set()
        watcher.join()
    assert _same(tmp_path / "lake", local)
    assert killed
    assert sum(failed.values()) > 0, "no task failed, so nothing was shown"


def test_a_document_that_ends_python_is_rejected_alone(
    spark: SparkSession, few: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (few / "poison.txt").write_text(simulated(12))

    def poisoned(rows: Iterator[Any], **named: Any) -> Iterator[Any]:
        batches = list(rows)
        if any(source.endswith("poison.txt") for batch in batches for source in batch.column("place").to_pylist()):
            os.kill(os.getpid(), signal.SIGKILL)
        yield from spark_tasks.stage_packs(iter(batches), **named)

    etl.run(sorted(set(few.iterdir()) - {few / "poison.txt"}), tmp_path / "local")
    monkeypatch.setattr(spark_engine, "stage_packs", poisoned)
    summary = etl.run([few], tmp_path / "lake", engine="spark", spark=spark)
    (reject,) = [reject for reject in summary.rejects if reject["reason_code"] == "internal_error"]
    assert reject["source"].endswith("poison.txt")
    assert "a worker process ended before its work was done" in reject["message"]
    lists = ("_manifest", "_rejects")
    assert {file: digest for file, digest in hashes(tmp_path / "lake").items() if file.split("/")[0] not in lists} == {
        file: digest for file, digest in hashes(tmp_path / "local").items() if file.split("/")[0] not in lists
    }
    monkeypatch.undo()
    (few / "poison.txt").unlink()


def test_a_document_that_ends_python_at_the_lake_is_rejected_alone(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the last job, for which files of the document are there already."""
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    for name, text in (("0.txt", reports()[0]), ("poison.txt", simulated(12))):
        (inbox / name).write_text(text)
    deal = f"deal={etl.read_report(simulated(12).encode()).deal}/"

    def poisoned(rows: Iterator[Any], **named: Any) -> Iterator[Any]:
        batches = list(rows)
        if any(owner.startswith(deal) for batch in batches for owner in batch.column("owner").to_pylist()):
            os.kill(os.getpid(), signal.SIGKILL)
        yield from spark_tasks.place_files(iter(batches), **named)

    etl.run([inbox / "0.txt"], tmp_path / "local")
    with monkeypatch.context() as patch:
        patch.setattr(spark_engine, "place_files", poisoned)
        summary = etl.run([inbox], tmp_path / "lake", engine="spark", spark=spark)
    assert summary.reports_read == 1
    (reject,) = [reject for reject in summary.rejects if reject["reason_code"] == "internal_error"]
    assert reject["source"].endswith("poison.txt")
    lists = ("_manifest", "_rejects")
    assert {file: digest for file, digest in hashes(tmp_path / "lake").items() if file.split("/")[0] not in lists} == {
        file: digest for file, digest in hashes(tmp_path / "local").items() if file.split("/")[0] not in lists
    }
    etl.run([inbox], tmp_path / "local")
    etl.run([inbox], tmp_path / "lake", engine="spark", spark=spark)
    assert _same(tmp_path / "lake", tmp_path / "local")


def test_a_lake_that_ends_python_is_told_of(
    spark: SparkSession, few: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A report is not read any more, so its partition is put together without a document."""
    (few / "more.txt").write_text(reports()[1])
    etl.run([few], tmp_path / "lake", partition_by="deal")
    before = hashes(tmp_path / "lake")

    def refusing(rows: Iterator[Any], **named: Any) -> Iterator[Any]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("etl.documents.MAX_BYTES", 100)
            yield from spark_tasks.read_found(rows, **named)

    def deadly(rows: Iterator[Any], **_: Any) -> Iterator[Any]:
        for _batch in rows:
            os.kill(os.getpid(), signal.SIGKILL)
        yield from ()

    monkeypatch.setattr(spark_engine, "read_found", refusing)
    monkeypatch.setattr(spark_engine, "place_files", deadly)
    said = r"\ASpark could not put the files of partitions together: a worker process ended [^\n]*run again"
    with pytest.raises(etl.EtlError, match=said):
        etl.run([few / "2.txt"], tmp_path / "lake", engine="spark", spark=spark)
    assert hashes(tmp_path / "lake") == before


def test_a_file_that_goes_before_spark_reads_it_is_told_of(
    spark: SparkSession, few: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Spark looks for files before there is a job."""
    hadoop = spark.sparkContext._jsc.hadoopConfiguration()  # noqa: SLF001
    hadoop.set("fs.viewfs.mounttable.going.link./inbox", few.as_uri())
    waves = spark_engine._waves  # noqa: SLF001 - the place between listing and reading

    def going(found: Any) -> Iterator[Any]:
        (few / "original.txt").unlink()
        yield from waves(found)

    monkeypatch.setattr(spark_engine, "_waves", going)
    with pytest.raises(etl.EtlError, match=r"\ASpark could not read the inbox: [^\n]*original.txt[^\n]*run again"):
        etl.run(["viewfs://going/inbox"], tmp_path / "lake", engine="spark", spark=spark)
    assert read_manifest(tmp_path / "lake").rows.is_empty()


def test_broadcasts_go_with_the_run(
    spark: SparkSession, few: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However a job ends."""
    from pyspark import Broadcast  # noqa: PLC0415

    made: list[Any] = []
    destroyed: list[Any] = []
    context = type(spark.sparkContext)
    broadcast, destroy = context.broadcast, Broadcast.destroy

    def broadcasting(given: Any, value: Any) -> Any:
        made.append(broadcast(given, value))
        return made[-1]

    def destroying(given: Any, *more: Any) -> None:
        destroyed.append(given)
        destroy(given, *more)

    def broken(rows: Iterator[Any], **_: Any) -> Iterator[Any]:
        yield from itertools.islice(rows, 0)
        raise ValueError("a disk is full")

    monkeypatch.setattr(context, "broadcast", broadcasting)
    monkeypatch.setattr(Broadcast, "destroy", destroying)
    monkeypatch.setattr(spark_engine, "place_files", broken)
    with pytest.raises(etl.EtlError):
        etl.run([few], tmp_path / "lake", engine="spark", spark=spark)
    assert len(made) == 2
    assert sorted(map(id, destroyed)) == sorted(map(id, made))


def test_what_an_engine_has_no_use_for_is_refused(spark: SparkSession, few: Path, tmp_path: Path) -> None:
    with pytest.raises(etl.UsageError, match="--workers 2 is for the local engine; leave it out"):
        etl.run([few], tmp_path / "lake", engine="spark", spark=spark, workers=2)
    with pytest.raises(
        etl.UsageError, match="a session of Spark was given with the engine 'local'; give engine='spark'"
    ):
        etl.run([few], tmp_path / "lake", spark=spark)
    assert not (tmp_path / "lake").exists()


def test_a_job_that_fails_changes_nothing(
    spark: SparkSession, few: Path, later: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    etl.run([few], tmp_path / "lake")
    before = hashes(tmp_path / "lake")
    monkeypatch.setattr(spark_engine, "TASKS_A_CORE", 1)  # each is tried four times

    def broken(rows: Iterator[Any], **_: Any) -> Iterator[Any]:
        yield from itertools.islice(rows, 0)
        raise ValueError("a disk is full")

    for job in ("read_found", "stage_packs", "place_files"):
        with monkeypatch.context() as patch:
            patch.setattr(spark_engine, job, broken)
            with pytest.raises(etl.EtlError, match=r"Spark could not [^\n]*ValueError: a disk is full[^\n]*run again"):
                etl.run([later], tmp_path / "lake", engine="spark", spark=spark)
        assert hashes(tmp_path / "lake") == before


def test_a_damaged_partition_is_named(spark: SparkSession, few: Path, later: Path, tmp_path: Path) -> None:
    """The executors read it, as an amendment must be held against what stands there."""
    etl.run([few], tmp_path / "lake")
    (file,) = (tmp_path / "lake/classes").rglob("*2003-he2_2003-11-17.parquet")
    file.write_bytes(POISON)
    with pytest.raises(etl.EtlError, match=rf"\A{re.escape(str(file))}: cannot be read: [^\n]*; delete it and run"):
        etl.run([later], tmp_path / "lake", engine="spark", spark=spark)


def test_a_file_that_executors_do_not_see_is_no_reject(
    spark: SparkSession, few: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def elsewhere(rows: Iterator[Any], slices: Any, **named: Any) -> Iterator[Any]:
        moved = [[replace(found, path=found.path / "x", below=None) for found in each] for each in slices.value]
        for batch in spark_tasks.read_found(rows, SimpleNamespace(value=moved), **named):
            items = [pickle.loads(item) for item in batch.column("item").to_pylist()]  # noqa: S301
            told = [pickle.dumps(replace(item, source=item.source.removesuffix("/x"))) for item in items]
            yield batch.set_column(4, "item", pa.array(told, pa.binary()))

    monkeypatch.setattr(spark_engine, "read_found", elsewhere)
    with pytest.raises(etl.UsageError, match="the executors of Spark cannot read it"):
        etl.run([few], tmp_path / "lake", engine="spark", spark=spark)
    assert read_manifest(tmp_path / "lake").rows.is_empty()


def test_one_file_of_many_reports_is_spread_over_all_tasks(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = reports()[0]
    text = several([first] + [f"{first}\n{number}" for number in range(299)])
    (tmp_path / "in").mkdir()
    (tmp_path / "in/many.txt").write_text(text)
    counts = tmp_path / "counts"
    counts.mkdir()

    def counting(rows: Iterator[Any], **named: Any) -> Iterator[Any]:
        batches = list(rows)
        (counts / str(task_context().partitionId())).write_text(str(sum(batch.num_rows for batch in batches)))
        yield from spark_tasks.stage_packs(iter(batches), **named)

    monkeypatch.setattr(spark_engine, "stage_packs", counting)
    summary = etl.run([tmp_path / "in"], tmp_path / "lake", layouts(), engine="spark", spark=spark)
    assert summary.documents == 300
    found = sorted(int(file.read_text()) for file in counts.iterdir())
    assert sum(found) == 300
    assert len(found) == spark.sparkContext.defaultParallelism * spark_engine.TASKS_A_CORE
    assert found[-1] - found[0] <= 2
