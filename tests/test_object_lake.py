"""A lake in object storage is that of a folder, object by object and byte by byte."""

from __future__ import annotations

import gc
import gzip
import io
import os
import pickle
import shutil
import tarfile
import tempfile
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import duckdb
import polars as pl
import pyarrow.dataset as ds
import pytest
from polars.testing import assert_frame_equal
from pyarrow import fs

import etl
from etl import object_lake
from etl.commits import stage_file
from etl.manifest import read_manifest
from etl.object_lake import ObjectStore, lake_copy
from etl.objects import PIECE_BYTES
from etl.partitions import PartitionBy
from etl.schema import TABLES

from .conftest import REPOSITORY
from .faults_lakes import restate, write_inbox
from .lakes import PARTITIONINGS, hashes
from .processes import call_etl
from .storage import KEY, SECRET, Storage, download, e_tags, object_hashes, objects, upload

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


# --- readers --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Both:
    """The same lake in a folder and in a bucket."""

    folder: Path
    bucket: str

    @property
    def url(self) -> str:
        return f"s3://{self.bucket}/lake"


@pytest.fixture(scope="module")
def both(storage: Storage, remembered: None, tmp_path_factory: pytest.TempPathFactory) -> Both:
    del remembered
    folder = tmp_path_factory.mktemp("both")
    reports = write_inbox(folder / "inbox", (0, 2), 3)
    lakes = Both(folder / "lake", storage.bucket())
    for output in (lakes.folder, lakes.url):
        etl.run([reports], output)
    return lakes


def test_polars_reads_it(storage: Storage, both: Both) -> None:
    options = {
        "aws_access_key_id": KEY,
        "aws_secret_access_key": SECRET,
        "aws_endpoint_url": storage.endpoint,
        "aws_region": "us-east-1",
        "aws_allow_http": "true",
    }
    for name in TABLES:
        found = pl.scan_parquet(f"{both.url}/{name}/", hive_partitioning=True, storage_options=options).collect()
        assert_frame_equal(found, pl.read_parquet(both.folder / name, hive_partitioning=True))


def test_pyarrow_reads_it(storage: Storage, both: Both) -> None:
    endpoint = storage.endpoint.removeprefix("http://")
    place = fs.S3FileSystem(access_key=KEY, secret_key=SECRET, endpoint_override=endpoint, scheme="http")
    for name in TABLES:
        found = ds.dataset(f"{both.bucket}/lake/{name}", filesystem=place, partitioning=etl.partitioning()).to_table()
        assert found.equals(ds.dataset(both.folder / name, partitioning=etl.partitioning()).to_table())
        assert found.num_rows


def test_duckdb_reads_a_copy(both: Both, tmp_path: Path) -> None:
    lake = download(both.bucket, "lake", tmp_path / "copy")
    query = "SELECT * FROM read_parquet('{}/classes/**/*.parquet', hive_partitioning = true) ORDER BY ALL"
    with duckdb.connect() as connection:
        rows = [connection.execute(query.format(place)).fetchall() for place in (lake, both.folder)]
    assert rows[0] == rows[1]
    assert rows[0]


@pytest.mark.parametrize(
    "command",
    [
        ("check", "LAKE", "--json"),
        ("sql", "LAKE", "select * from reports order by all", "--csv"),
        ("explain", "LAKE", "{deal}", "latest", "A-1", "ending_balance"),
        ("diff", "LAKE", "{first}", "latest", "--deal", "{deal}", "--json"),
    ],
)
def test_commands_that_read_a_lake_read_it_at_a_url(
    storage: Storage, both: Both, tmp_path: Path, command: tuple[str, ...]
) -> None:
    reports = pl.read_parquet(both.folder / "reports", hive_partitioning=True).sort("deal", "distribution_date")
    names = {"deal": reports["deal"][0], "first": str(reports["distribution_date"][0])[:7]}
    said = []
    for lake in (str(both.folder), both.url):
        given = [part.format(**names).replace("LAKE", lake) for part in command]
        done = call_etl(*given, cwd=tmp_path, **storage.variables)
        assert done.returncode == 0, done.stderr
        said.append(done.stdout)
    assert said[0] == said[1]
    assert len(said[0]) > 100


def test_commands_that_read_a_lake_name_the_url_in_their_errors(storage: Storage, tmp_path: Path) -> None:
    url = f"s3://{storage.bucket()}/nothing"
    done = call_etl("check", url, cwd=tmp_path, **storage.variables)
    assert done.returncode != 0
    assert done.stderr.startswith(f"etl: {url}")
    assert "trustee-etl-" not in done.stderr


@pytest.mark.parametrize("command", [("compact",), ("views",), ("views", "--print", "duckdb")])
def test_commands_for_folders_refuse_a_url(both: Both, command: tuple[str, ...]) -> None:
    name, *options = command
    done = call_etl(name, both.url, *options)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert f"{both.url}: etl {name} works on a folder" in done.stderr


# --- files of other processes ---------------------------------------------------------------------------------


def _lake_files(both: Both) -> dict[str, bytes]:
    files = [file for file in both.folder.rglob("*.parquet") if file.is_file()]
    return {file.relative_to(both.folder).as_posix(): file.read_bytes() for file in files}


def test_files_of_other_processes_come_with_the_commit(storage: Storage, both: Both) -> None:
    bucket = storage.bucket()
    files = _lake_files(both)
    manifest = {file: content for file, content in files.items() if file.startswith("_")}
    tables = {file: content for file, content in files.items() if file not in manifest}
    store = ObjectStore(f"s3://{bucket}/lake")
    with store.lock(None), store.staging("a-run") as staging:
        folder = staging.next_folder()
        deposit = pickle.loads(pickle.dumps(staging.deposit(folder)))  # noqa: S301
        half = len(tables) // 2
        parts = [dict(list(tables.items())[:half]), dict(list(tables.items())[half:])]
        tokens = [deposit.put(part) for part in parts]
        assert deposit.put(parts[0]) == tokens[0]
        assert len([key for key in e_tags(bucket, "lake") if key.endswith(".tar")]) == 2
        for file, content in manifest.items():
            stage_file(folder, file, content)
        assert not store.existing(tables)
        staging.commit(folder, [*tables, *manifest], (), tokens)
        assert store.existing(tables) == list(tables)
        assert store.stand_whole(tables)
        assert store.partitioning() is PartitionBy.DATE
    assert objects(bucket, "lake") == files


def test_large_files_come_in_pieces(storage: Storage) -> None:
    bucket = storage.bucket()
    content = os.urandom(2 * PIECE_BYTES + 1)
    store = ObjectStore(f"s3://{bucket}/lake")
    with store.lock(None), store.staging("a-run") as staging:
        folder = staging.next_folder()
        stage_file(folder, "_sources/aa/large.gz", content)
        staging.commit(folder, ["_sources/aa/large.gz"])
        store.fetch(["_sources/aa/large.gz"])
        assert (store.root / "_sources/aa/large.gz").read_bytes() == content
    assert objects(bucket) == {"lake/_sources/aa/large.gz": content}


def test_files_of_other_processes_without_a_commit_are_cleared_away(storage: Storage, both: Both) -> None:
    bucket = storage.bucket()
    store = ObjectStore(f"s3://{bucket}/lake")
    with store.lock(None), store.staging("a-run") as staging:
        staging.deposit(staging.next_folder()).put(_lake_files(both))
    assert not e_tags(bucket)


def test_a_copy_of_a_lake_has_all_of_it_and_goes(both: Both) -> None:
    """Also the files that are fetched first, while the folder for them is made."""
    for _ in range(10):
        with lake_copy(both.url, with_sources=True) as folder:
            assert hashes(folder) == hashes(both.folder)
        assert not folder.parent.exists()


def test_a_copy_waits_for_a_commit_and_is_of_one_state(
    storage: Storage, both: Both, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it fetched while a commit came and went is thrown away."""
    monkeypatch.setattr(object_lake, "PAUSE_SECONDS", 0.05)
    bucket = storage.bucket()
    url = upload(bucket, "lake", both.folder)
    download_as_it_is = ObjectStore.download
    fetched = []

    def meanwhile(store: ObjectStore, files: Iterable[str]) -> None:
        download_as_it_is(store, files)
        fetched.append(hashes(store.root))
        if len(fetched) == 1:
            amended = restate(write_inbox(tmp_path / "inbox", (0,), 1), tmp_path / "amended", every=1)
            etl.run([amended], url)

    with monkeypatch.context() as patch:
        patch.setattr(ObjectStore, "download", meanwhile)
        with lake_copy(url, with_sources=True) as folder:
            read = hashes(folder)
    states = [found for found in fetched if found.keys() & {"_manifest/documents.parquet"}]
    assert read == object_hashes(bucket, "lake") == states[-1] != states[0]


def test_a_store_gives_its_folder_back_at_once(both: Both, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When it is let go of, without a search for what refers to itself; or when it is closed, at any time."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    files = [file for file in _lake_files(both) if file.startswith("classes/")]
    gc.disable()
    try:
        store = ObjectStore(both.url)
        store.fetch(files)
        assert len(list(tmp_path.iterdir())) == 1
        del store
        assert not list(tmp_path.iterdir())
    finally:
        gc.enable()
    store = ObjectStore(both.url)
    for _ in range(2):
        store.close()
        store.clear()
        assert not list(tmp_path.iterdir())
        store.fetch(files)
        store.clear()
        store.clear()
        assert not store.root.exists()
    store.close()
    store.close()
    assert not list(tmp_path.iterdir())


def test_a_store_goes_to_other_processes_as_its_url(both: Both) -> None:
    store = pickle.loads(pickle.dumps(ObjectStore(both.url)))  # noqa: S301
    files = [file for file in _lake_files(both) if file.startswith("classes/")]
    store.fetch([*files, "classes/deal=none/none.parquet"])
    scratch = store.scratch
    assert all((store.root / file).read_bytes() == (both.folder / file).read_bytes() for file in files)
    del store
    gc.collect()
    assert not scratch.exists()
