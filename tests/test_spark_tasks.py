"""What tasks of Spark do, without Spark: files that are put twice, or too late, and how work is shared out."""

from __future__ import annotations

import pickle
import re
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pytest

import etl
from etl.commits import Staging
from etl.documents import MAX_FILE_BYTES, Found, Reject, source_name
from etl.spark_engine import packs_of, split_inputs
from etl.spark_tasks import Reading, found_slices, read_contents, read_found
from etl.stores import FolderStore

from .lakes import hashes


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "lake"


def _everything(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def test_files_that_are_put_twice_are_there_once(output: Path) -> None:
    with Staging(output, "run") as staging:
        folder = staging.next_folder()
        files = {"classes/deal=a/a.parquet": b"1", "_sources/00/0.gz": b"2", "alone": b"3"}
        deposit = pickle.loads(pickle.dumps(staging.deposit(folder)))  # noqa: S301
        told = [deposit.put(files), deposit.put(files)]
        assert told[0] != told[1]
        assert _everything(folder.parent) == {folder.name} | {
            f"{folder.name}/{path}" for path in ("classes", "classes/deal=a", "_sources", "_sources/00", *files)
        }
        staging.commit(folder, files, deposited=told[1:])
    assert {file: (output / file).read_bytes() for file in files} == files
    assert not (output / "_staging").exists()


def test_what_comes_after_the_commit_is_refused(output: Path) -> None:
    with Staging(output, "run") as staging:
        folder = staging.next_folder()
        deposit = staging.deposit(folder)
        told = deposit.put({"classes/a": b"old"})
        staging.commit(folder, ["classes/a"], deposited=[told])
        for file in ("classes/a", "b"):
            with pytest.raises(etl.OutputError):
                deposit.put({file: b"new"})
        assert not folder.exists()
        assert list(folder.parent.iterdir()) == []
    with pytest.raises(etl.OutputError):
        deposit.put({"classes/a": b"new"})
    assert hashes(output).keys() == {"classes/a"}
    assert (output / "classes/a").read_bytes() == b"old"


def test_what_a_killed_process_left_in_the_middle_is_cleared_away(output: Path) -> None:
    with Staging(output, "run") as staging:
        folder = staging.next_folder()
        half = folder.with_name(f"{folder.name}.0123")
        half.mkdir()
        (half / "0").write_bytes(b"hal")
        staging.commit(folder, [])
    assert hashes(output) == {}
    assert not (output / "_staging").exists()


def test_a_commit_without_its_files_does_not_begin(output: Path) -> None:
    """As where two machines see different folders at the same path."""
    with Staging(output, "run") as staging:
        folder = staging.next_folder()
        with pytest.raises(etl.OutputError, match=r"b: was written elsewhere and is not seen here \(1 such files\)"):
            staging.commit(folder, ["b"], deposited=["elsewhere"])
    assert hashes(output) == {}


def test_a_store_is_the_same_in_another_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    sent = pickle.dumps(FolderStore(Path("lake")))
    monkeypatch.chdir("/")
    assert pickle.loads(sent).root == tmp_path / "lake"  # noqa: S301


@pytest.mark.parametrize(
    ("shares", "tasks", "sizes"),
    [
        ([], 6, []),
        ([0.001] * 300, 6, [50] * 6),
        ([0.001] * 4, 6, [1] * 4),
        ([0.001] * 1000, 2, [250] * 4),  # no more than are read together
        ([1.0, 1.0, 0.001], 1, [1, 1, 1]),
        ([0.5, 0.5, 0.5, 0.5], 1, [2, 2]),
    ],
)
def test_packs_cost_about_the_same(shares: list[float], tasks: int, sizes: list[int]) -> None:
    packs = packs_of(shares, tasks)
    assert packs == sorted(packs)
    assert [packs.count(pack) for pack in sorted(set(packs))] == sizes
    assert set(packs) == set(range(len(sizes)))


def test_slices_of_files_cost_about_the_same() -> None:
    found = [Found(Path(str(number))) for number in range(20)]
    slices = found_slices(found, [10_000_000, *[1000] * 19], 4, 500)
    assert [item for each in slices for item in each] == found
    assert [len(each) for each in slices] == [1, 19]
    assert [len(each) for each in found_slices(found, [1000] * 20, 4, 500)] == [5] * 4
    assert [len(each) for each in found_slices(found, [1000] * 20, 1, 8)] == [8, 8, 4]
    assert found_slices([], [], 4, 500) == []


def test_a_folder_that_executors_do_not_see_is_named(tmp_path: Path) -> None:
    """Relative paths belong to it; whole ones do not."""
    (tmp_path / "a.txt").write_text("Dear Sirs")
    ids = pa.RecordBatch.from_pydict({"id": [0]})
    for path, folder in ((tmp_path / "a.txt", None), (Path("a.txt"), str(tmp_path))):
        slices = SimpleNamespace(value=[[Found(path)]])
        (rows,) = read_found(iter([ids]), slices, Reading((), folder, asks_for_layouts=False))
        assert rows.column("source").to_pylist() == [source_name(path)]
    gone = tmp_path / "gone"
    with pytest.raises(etl.UsageError, match=rf"\A{re.escape(str(gone))}: the executors [^\n]*by its whole path\Z"):
        list(read_found(iter([ids]), slices, Reading((), str(gone), asks_for_layouts=False)))


def test_urls_are_told_from_paths() -> None:
    given = ["inbox", "/a:b/c", "c:/d", "file:///a%20b/c", "file:/d", "hdfs://host/a b", "s3a://bucket/x"]
    assert split_inputs(given) == (
        ["inbox", "/a:b/c", "c:/d", "/a b/c", "/d"],
        ["hdfs://host/a b", "s3a://bucket/x"],
    )
    with pytest.raises(etl.UsageError, match="standard input"):
        split_inputs(["-"])


@pytest.mark.parametrize(
    "url",
    [
        "s3a://AKID:geheim@bucket/x",
        "s3a://AKID:ge/heim@bucket/x",
        "s3a://AKID:123/geheim@bucket/x",
        "s3a:/AKID:geheim@bucket/x",
        "S3A://AKID:geheim@bucket/x",
        "hdfs://user:geheim@namenode:8020/x",
        "wasbs://container@account.blob.core.windows.net/x?sv=1&sig=geheim",
    ],
)
def test_secrets_in_urls_are_refused_and_not_repeated(url: str, tmp_path: Path) -> None:
    with pytest.raises(etl.UsageError, match=r"has credentials or a query in it[^\n]*settings of Spark") as raised:
        etl.run([url], tmp_path / "lake", engine="spark")
    assert not [word for word in ("AKID", "heim", "user", "123") if word in str(raised.value)]
    assert not (tmp_path / "lake").exists()


def test_urls_without_secrets_are_read() -> None:
    given = [
        "abfss://container@account.dfs.core.windows.net/x",
        "hdfs://namenode:8020/a@b",
        "hdfs://[::1]:8020/x",
        "hdfs:///x",
        "hdfs:/x",
        "alluxio://zk@one:2181,two:2181/x",
        "s3a://bucket/what?/b",
    ]
    assert split_inputs(given) == ([], given)


def test_a_large_file_in_a_row_is_rejected_as_one_on_the_disk() -> None:
    content = b"a" * (MAX_FILE_BYTES + 1)
    batch = pa.RecordBatch.from_pydict({"path": ["hdfs://host/a#b"], "content": [content]})
    (rows,) = read_contents(iter([batch]), Reading((), "/", asks_for_layouts=False))
    (reject,) = [pickle.loads(item) for item in rows.column("item").to_pylist()]  # noqa: S301
    assert isinstance(reject, Reject)
    assert (reject.reason_code, reject.source, reject.size) == (
        "too_large",
        source_name("hdfs://host/a#b"),
        len(content),
    )
