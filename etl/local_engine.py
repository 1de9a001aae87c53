"""The engine of one machine: worker processes read batches and rebuild partitions, and the lake gets them in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path

import polars as pl

from etl.batch import defect
from etl.documents import Found, Reject
from etl.errors import WorkerError
from etl.inbox import Inbox, InboxBatch
from etl.landing import Landed, Landing
from etl.layout import Layout
from etl.objects import StoredObject
from etl.partitions import PartitionBy, partition_files
from etl.staging import Rebuilt, Staged, rebuild, reject_row, stage_batch
from etl.stores import LakeStore, StagingArea
from etl.workers import Workers, result_of

# Partitions are rebuilt so many at a time.
REBUILT_AT_ONCE = 50


class LocalEngine:
    """Has batches read by worker processes."""

    def __init__(
        self,
        store: LakeStore,
        staging: StagingArea,
        workers: Workers,
        layouts: Sequence[Layout],
        partition_by: PartitionBy,
        *,
        keep_sources: bool,
    ) -> None:
        self._store = store
        self._staging = staging
        self._workers = workers
        self._layouts = layouts
        self._partition_by = partition_by
        self._keep_sources = keep_sources

    def land_all(
        self, landing: Landing, inbox: Inbox, found: Iterable[Found | StoredObject | Reject]
    ) -> Iterator[Landed]:
        """The batches of an inbox in their order, each when it has come into the lake; more are being read meanwhile.

        Raises as `Landing.land` does, but for WorkerError.
        """
        reading: deque[tuple[InboxBatch, Path, Future[Staged]]] = deque()
        for batch in inbox.batches(inbox.chunks(found)):
            reading.append(self._begin(batch))
            while len(reading) > self._workers.count:
                yield from self._land(landing, *reading.popleft())
        while reading:
            yield from self._land(landing, *reading.popleft())

    def rebuild(self, folder: Path, stay: pl.DataFrame) -> list[Rebuilt]:
        """Rebuild the partitions in which other reports stay; those of the reports that were just read are staged.

        Raises WorkerError where a process ended.
        """
        ids = dict(stay.group_by("folder").agg("report_id").sort("folder").iter_rows())
        folders = list(ids)
        self._store.fetch(file for name in folders for file in partition_files(name))
        root, way = self._store.root, self._partition_by
        parts = [folders[start : start + REBUILT_AT_ONCE] for start in range(0, len(folders), REBUILT_AT_ONCE)]
        jobs = [self._workers.submit(rebuild, root, folder, {name: ids[name] for name in part}, way) for part in parts]
        return [partition for job in jobs for partition in result_of(job)]

    def _begin(self, batch: InboxBatch) -> tuple[InboxBatch, Path, Future[Staged]]:
        folder = self._staging.next_folder()
        given = batch.documents
        if given:
            keep = self._keep_sources
            reading = self._workers.submit(
                stage_batch, folder, given, self._layouts, self._partition_by, keep_sources=keep
            )
        else:
            reading = Future()
            reading.set_result(Staged())
        return batch, folder, reading

    def _land(
        self, landing: Landing, batch: InboxBatch, folder: Path, reading: Future[Staged], *, again: bool = False
    ) -> Iterator[Landed]:
        try:
            yield landing.land(batch, folder, result_of(reading))
        except WorkerError as error:  # nothing has come into the lake
            if len(batch.documents) > 1:  # the document that it came to grief over is among them
                for half in batch.halves():
                    yield from self._land(landing, *self._begin(half))
            elif not again:  # it may not have been the document
                yield from self._land(landing, *self._begin(batch), again=True)
            elif not batch.documents:  # the lake itself is what it came to grief over
                raise
            else:
                rejected = reject_row(defect(batch.documents[0], str(error)))
                yield landing.land(batch, self._staging.next_folder(), Staged(documents=[rejected]))
