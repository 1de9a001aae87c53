"""A run: inbox → batches → the lake, with a summary of what happened.

The inbox is read here, batch by batch; workers make the files of a batch; here again the batches come
into the lake, one commit each, in the order of the inbox. So neither the number of workers nor the way
in which an inbox is split into runs changes a byte of the tables.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING

import polars as pl

from etl.commits import cannot_write, is_delta, stage_file
from etl.delta_tables import DeltaStore
from etl.documents import Found, Inputs, Reject, find_inputs, gone_sources, size_of
from etl.errors import EtlError, UsageError, first_line
from etl.inbox import Inbox
from etl.landing import Landing
from etl.layout import Layouts, usable_layouts
from etl.lineage import needs_lineage
from etl.local_engine import LocalEngine
from etl.manifest import (
    MERGED_FILE,
    REJECTED,
    REJECTS_FILE,
    Manifest,
    has_reports,
    list_bytes,
    read_manifest,
    readers,
)
from etl.object_lake import ObjectStore
from etl.objects import StoredObject, is_url, location_of, refuse_lost_slash
from etl.partitions import OUTPUT_NAMES, PartitionBy
from etl.schema import CONTRACT_VERSION, table
from etl.spark_engine import SparkEngine, split_inputs, with_urls
from etl.spark_session import spark_session
from etl.stores import FolderStore, LakeStore, StagingArea
from etl.summary import COMPLETE, FAILED, INTERRUPTED, Summary
from etl.telling import Teller
from etl.version import __version__
from etl.workers import Workers, processor_cores

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# The engines: processes of this machine, or the executors of Spark.
LOCAL, SPARK = "local", "spark"
# What the tables of a lake may be.
FORMATS = ("parquet", "delta")
# What is read in one process.
FEW_DOCUMENTS = 100
FEW_BYTES = 4 * 1024 * 1024


def run(
    inputs: Iterable[str | os.PathLike[str]] | Inputs,
    output: str | os.PathLike[str],
    layouts: Layouts = None,
    progress: Callable[[int, int], None] | None = None,
    *,
    keep_sources: bool = True,
    force: bool = False,
    partition_by: PartitionBy | str | None = None,
    lake_format: str | None = None,
    workers: int | None = None,
    waiting: Callable[[], None] | None = None,
    lineage: bool = False,
    engine: str = LOCAL,
    spark: SparkSession | None = None,
) -> Summary:
    """Read all reports of `inputs` (files, folders, globs, or what `find_inputs` found) into Parquet below `output`.

    Documents that the lake knows and that have not changed are skipped, unless `force`. The sources of
    the reports are kept there too, unless `keep_sources` is False. `partition_by` is that of the lake, or
    `deal,date` for a new one. `lake_format` is that of the lake, or `parquet` for a new one; with `delta` its tables
    are Delta tables. `workers` processes read, by default one for each core; the result does not
    depend on it. `layouts` are those to read with, or a folder of a user's own, which adds to the packaged ones.
    With the `engine` "spark" the executors of a Spark session read, `spark` or the one that there is, else one that is
    started; the result does not depend on that either.

    `lineage` writes OpenLineage events beside what `_runs` has of the run.

    `progress` is called with the numbers of documents done and to do, `waiting` if another run writes
    into `output`. Raises UsageError for inputs that do not exist, another partitioning or format than the lake
    has, or what the engine has no use for, LayoutError for a wrong layout, LakeError where a file of the lake cannot
    be read and OutputError where nothing can be written; a document that cannot be read is a reject, no error.
    """
    started = datetime.now(UTC)
    layouts = usable_layouts(layouts)
    wanted = check_call(partition_by, engine, workers, spark, lineage=lineage)
    asked, urls = _asked(inputs, engine)
    found = asked.found
    count = 1 if _few(found) else workers or processor_cores()
    run_id = f"{started:%Y%m%dT%H%M%S%f}Z-{os.getpid()}"
    store = open_lake(os.fspath(output), run_id, lake_format)
    with (
        session(engine, spark) as running,
        store.lock(waiting),
        store.staging(run_id) as staging,
        Workers(count) as processes,
        _writing(output),
    ):
        manifest = read_manifest(store.root)
        chosen = _chosen_partitioning(output, store, manifest, wanted)
        summary = Summary(
            run_id=run_id,
            program_version=__version__,
            contract_version=CONTRACT_VERSION,
            layouts=[layout.label for layout in layouts],
            inputs=asked.given,
            output=os.fspath(output),
            partition_by=chosen.value,
            workers=count,
        )
        read_by = readers(layouts)
        inbox = Inbox(store, manifest, layouts, read_by, chosen, summary, keep_sources=keep_sources, force=force)
        reading: LocalEngine | SparkEngine
        if running is None:
            reading = LocalEngine(store, staging, processes, layouts, chosen, keep_sources=keep_sources)
        else:
            found = with_urls(running, found, urls)
            reading = SparkEngine(running, store, staging, layouts, chosen, keep_sources=keep_sources)
            summary.workers = reading.cores
        landing = Landing(store, staging, manifest, read_by, chosen, reading.rebuild)
        with TemporaryFile("w+", encoding="utf-8", dir=staging.next_folder()) as told:
            teller = Teller(summary, told, started, lineage=lineage)
            teller.tell_untold(manifest, chosen)
            with _telling_failure(staging, teller):
                for landed in reading.land_all(landing, inbox, found):
                    teller.tell(landed)
                    if progress is not None:
                        progress(inbox.files_done, len(found))
                gone = gone_sources(manifest.unseen(), asked.folders, [*found, *asked.unread])
                landing.forget([*gone, *inbox.no_longer_parts()])
                teller.tell_conflicts(manifest)
                teller.tell_standings(manifest)
                _finish(store, staging, manifest, teller)
    return summary


def _asked(inputs: Iterable[str | os.PathLike[str]] | Inputs, engine: str) -> tuple[Inputs, list[str]]:
    """What is given to a run, and the URLs that Spark is to list."""
    if isinstance(inputs, Inputs):
        return inputs, []
    given = [os.fspath(path) for path in inputs]
    paths, urls = split_inputs(given) if _is_spark(engine) else (given, [])
    return replace(find_inputs(paths, OUTPUT_NAMES), given=given), urls


def open_lake(output: str, run_id: str, wanted: str | None = None) -> LakeStore:
    """The place of a lake, in the format that it has, or `wanted`. Raises UsageError."""
    if wanted not in (None, *FORMATS):
        raise UsageError(f"a lake cannot have the format {wanted!r}; the formats are {', '.join(map(repr, FORMATS))}")
    refuse_lost_slash(output)
    if is_url(output):
        if wanted == "delta":
            url = location_of(output).url
            raise UsageError(
                f"{url}: Delta tables are written into folders alone; leave --format out, or name a folder"
            )
        return ObjectStore(output)
    folder = Path(output)
    is_of_delta = wanted == "delta" or (wanted is None and is_delta(folder))
    return DeltaStore(folder, run_id) if is_of_delta else FolderStore(folder)


def _few(found: Sequence[Found | StoredObject | Reject]) -> bool:
    """Whether there are so few documents that other processes would not have started before they are done. A large
    file may have many."""
    if len(found) > FEW_DOCUMENTS:
        return False
    sizes = (size_of(item) for item in found if not isinstance(item, Reject))
    return sum(sizes) <= FEW_BYTES


@contextmanager
def _writing(output: str | os.PathLike[str]) -> Iterator[None]:
    """Whatever else cannot be written, such as what is to be said of the run, is an OutputError."""
    try:
        yield
    except OSError as error:
        raise cannot_write(os.fspath(output), error) from error


def _is_spark(engine: str) -> bool:
    if engine not in (LOCAL, SPARK):
        raise UsageError(f"there is no engine {engine!r}; the engines are {LOCAL!r} and {SPARK!r}")
    return engine == SPARK


def _refuse_unused(engine: str, workers: int | None, spark: SparkSession | None) -> None:
    """Raise UsageError for what the chosen engine has no use for: who gave it would think that it counts."""
    if _is_spark(engine):
        if workers is not None:
            raise UsageError(
                f"--workers {workers} is for the local engine; leave it out: the settings of Spark say how many tasks "
                "are carried out at a time"
            )
    elif spark is not None:
        raise UsageError(f"a session of Spark was given with the engine {engine!r}; give engine={SPARK!r} with it")


def session(engine: str, given: SparkSession | None) -> AbstractContextManager[SparkSession | None]:
    """The session of Spark that an engine needs: one that is given, or that there is, else one for the while."""
    return spark_session(given) if _is_spark(engine) else nullcontext()


def check_call(
    partition_by: PartitionBy | str | None,
    engine: str,
    workers: int | None,
    spark: SparkSession | None,
    *,
    lineage: bool,
) -> PartitionBy | None:
    """The partitioning that is asked for; whatever else is asked for can be had. Raises UsageError."""
    _refuse_unused(engine, workers, spark)
    if lineage:
        needs_lineage()
    return _partition_by(partition_by)


def _partition_by(given: PartitionBy | str | None) -> PartitionBy | None:
    if given is None:
        return None
    try:
        return PartitionBy(given)
    except ValueError as error:
        ways = ", ".join(repr(way.value) for way in PartitionBy)
        raise UsageError(f"a lake cannot be partitioned by {given!r}; the ways are {ways}") from error


def _chosen_partitioning(
    output: str | os.PathLike[str], store: LakeStore, manifest: Manifest, wanted: PartitionBy | None
) -> PartitionBy:
    """The partitioning of the lake, which a run does not change."""
    present = store.partitioning() if has_reports(manifest.rows) else None
    if present is not None and wanted not in (None, present):
        other = f"first run `etl compact {output} --partition-by {wanted}`"
        if isinstance(store, DeltaStore):
            other = "name another folder with --out"
        raise UsageError(f"{output}: is partitioned by {present.value}; leave --partition-by out, or {other}")
    return present or wanted or PartitionBy.DATE


@contextmanager
def _telling_failure(staging: StagingArea, teller: Teller) -> Iterator[None]:
    """Leave word of a run that does not come to its end, where that can be written."""
    try:
        yield
    except (Exception, KeyboardInterrupt) as error:
        state, said = (INTERRUPTED, None) if isinstance(error, KeyboardInterrupt) else (FAILED, first_line(error))
        with suppress(EtlError, OSError):
            folder = staging.next_folder()
            staging.commit(folder, teller.stage(folder, state, said))
        raise


def _finish(store: LakeStore, staging: StagingArea, manifest: Manifest, teller: Teller) -> None:
    """The last commit: one file for the manifest, one for the rejects, and what is to be said of the run."""
    folder = staging.next_folder()
    segments = manifest.segments
    files = []
    if segments or not store.existing([REJECTS_FILE]):
        stage_file(folder, MERGED_FILE, manifest.merged())
        rejects = manifest.rows.filter(pl.col("outcome") == REJECTED).sort("source")
        names = [column.name for column in table("rejects").columns]
        stage_file(folder, REJECTS_FILE, list_bytes(rejects.select(names), "rejects"))
        files = [MERGED_FILE, REJECTS_FILE]
    more = {"delta_versions": store.versions()} if isinstance(store, DeltaStore) else {}
    staging.commit(folder, [*files, *teller.stage(folder, COMPLETE, more=more)], segments)
