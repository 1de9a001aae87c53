"""A lake in object storage is that of a folder, object by object and byte by byte."""

from __future__ import annotations

import gzip
import io
import shutil
import tarfile
import zipfile
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import etl
from etl.manifest import read_manifest
from etl.schema import TABLES

from .conftest import REPOSITORY
from .faults_lakes import restate, write_inbox
from .lakes import PARTITIONINGS, hashes
from .storage import Storage, e_tags, object_hashes, upload

pytestmark = pytest.mark.usefixtures("storage", "remembered")


@pytest.fixture(scope="module")
def inbox(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Reports in files and archives, an amendment, and what is none."""
    folder = tmp_path_factory.mktemp("inboxes") / "inbox"
    shutil.copytree(REPOSITORY / "samples" / "inbox", folder)
    reports = write_inbox(folder / "more", (0, 2), 3)
    amended = restate(reports, folder / "amended")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for file in sorted(amended.iterdir()):
            archive.write(file, file.name)
    (folder / "amended.zip").write_bytes(packed.getvalue())
    shutil.rmtree(amended)
    with tarfile.open(folder / "feed.tar.gz", "w:gz") as archive:
        archive.add(reports / "002-02.txt", "a #1 report.txt")
    (reports / "002-02.txt").unlink()
    (folder / "odd #1!.txt.gz").write_bytes(gzip.compress((reports / "000-02.txt").read_bytes() + b"\n"))
    (folder / "broken.zip").write_bytes(packed.getvalue()[:2000])
    (folder / "empty.txt").write_bytes(b"")
    return folder


@pytest.mark.parametrize("by", PARTITIONINGS)
def test_a_lake_at_a_url_has_the_objects_of_the_folder(storage: Storage, inbox: Path, tmp_path: Path, by: str) -> None:
    bucket = storage.bucket()
    lake = tmp_path / "lake"
    told = etl.run([inbox], lake, partition_by=by)
    again = etl.run([inbox], f"s3://{bucket}/a/lake", partition_by=by)
    assert object_hashes(bucket, "a/lake") == hashes(lake)
    assert (again.reports_read, again.rejected, again.rows) == (told.reports_read, told.rejected, told.rows)
    assert told.reports_read > 8
    assert told.rejected > 2
    assert told.superseded


def _rows(lake: Path) -> dict[str, pl.DataFrame]:
    """All tables without what tells where a report lies."""
    frames = {}
    for name in TABLES:
        frame = pl.read_parquet(lake / name, hive_partitioning=True)
        frames[name] = frame.drop("source", strict=False)
    return frames


def test_an_inbox_at_a_url_is_read_as_a_folder(storage: Storage, inbox: Path, tmp_path: Path) -> None:
    url = upload(storage.bucket(), "feeds/inbox", inbox)
    told = etl.run([inbox], tmp_path / "lake")
    again = etl.run([url], tmp_path / "other")
    for (name, frame), other in zip(_rows(tmp_path / "lake").items(), _rows(tmp_path / "other").values(), strict=True):
        assert_frame_equal(frame, other), name
    rejects = {(reject["reason_code"], reject["source"].replace(str(inbox), url)) for reject in told.rejects}
    assert rejects == {(reject["reason_code"], reject["source"]) for reject in again.rejects}
    sources = [set(read_manifest(tmp_path / name).rows["source"]) for name in ("lake", "other")]
    assert {source.replace(str(inbox), url) for source in sources[0]} == sources[1]
    assert any(r"odd \x231!.txt.gz!/" in source for source in sources[1])


def test_a_run_again_changes_nothing_and_a_later_one_what_it_must(storage: Storage, tmp_path: Path) -> None:
    reports = write_inbox(tmp_path / "inbox", (0, 2), 3)
    amended = restate(reports, tmp_path / "amended")
    bucket, lake = storage.bucket(), tmp_path / "lake"
    url = f"s3://{bucket}"
    etl.run([reports], url)
    before = e_tags(bucket)
    summary = etl.run([reports], url)
    assert (summary.reports_read, summary.skipped) == (0, 6)
    after = e_tags(bucket)
    assert {key: tag for key, tag in after.items() if "_runs" not in key} == {
        key: tag for key, tag in before.items() if "_runs" not in key
    }
    assert len(after) == len(before) + 1
    etl.run([reports], lake)
    for output in (url, lake):
        summary = etl.run([amended], output)
        assert (summary.reports_read, len(summary.superseded)) == (3, 3)
    assert object_hashes(bucket) == hashes(lake)
    assert any(key.startswith("_superseded/") for key in e_tags(bucket))
    summary = etl.run([reports, amended], url, force=True)
    assert (summary.reports_read, summary.skipped) == (9, 0)
    assert object_hashes(bucket) == hashes(lake)
