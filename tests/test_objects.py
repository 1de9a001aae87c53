"""URLs of inboxes and lakes: what they stand for, and what is said where they stand for nothing."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

import etl
from etl import object_files
from etl.documents import MAX_FILE_BYTES, Document, Reject, find_inputs, gone_sources, source_name, source_of
from etl.errors import OutputError, UsageError
from etl.filings import documents_in
from etl.manifest import read_manifest
from etl.object_inbox import fits
from etl.objects import PIECE_BYTES, Location, StoredObject, location_of, place_of
from etl.partitions import OUTPUT_NAMES

from .conftest import REPOSITORY
from .faults_lakes import write_inbox
from .storage import KEY, SECRET, Storage, objects, put, remove, upload

pytestmark = pytest.mark.usefixtures("storage", "remembered")


# --- what a URL is --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        ("s3://b/a/c.txt", ("s3", "b", "a/c.txt")),
        ("s3://b", ("s3", "b", "")),
        ("gs://b/a/", ("gs", "b", "a")),
        ("az://b/a b#1?.txt", ("az", "b", "a b#1?.txt")),
    ],
)
def test_a_url_names_a_place(url: str, wanted: tuple[str, str, str]) -> None:
    assert location_of(url) == Location(*wanted)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("s3:///a", "name of the bucket is missing"),
        ("http://host/a", "begins with http:// is not read"),
        ("S3://b/a", "begins with S3:// is not read"),
        ("s3://b//a", "empty part"),
        ("s3://b/a/../c", "empty part"),
    ],
)
def test_a_url_that_names_none_is_refused(url: str, words: str) -> None:
    with pytest.raises(UsageError, match=words) as told:
        location_of(url)
    assert url.partition("//")[0] in str(told.value)


@pytest.mark.parametrize(
    "url", ["s3://k:hidden@b/a", "s3://hidden@b", "s3://k:hid/den@b/a", "s3://b/a?hidden=1", "s3://b?X-hidden=1"]
)
def test_a_url_with_secrets_is_refused_without_them(url: str, tmp_path: Path) -> None:
    for inputs, output in (([url], str(tmp_path / "lake")), ([str(tmp_path)], url)):
        with pytest.raises(UsageError, match="credentials or a query") as told:
            etl.run(inputs, output)
        assert "hid" not in str(told.value)


def test_a_path_that_was_a_url_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="give it as text"):
        etl.run([tmp_path], Path("s3://bucket/lake"))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("key", ["a/b.txt", "a b", r"a\b#1!/c", "ü", "a?b=1.txt"])
def test_a_source_leads_back_to_its_object(key: str) -> None:
    place = Location("s3", "bucket", key)
    source = source_name(place)
    assert source.startswith("s3://bucket/")
    assert "#" not in source
    assert "!/" not in source
    assert gone_sources({source: source}, [Location("s3", "bucket", "")], []) == [source]
    assert gone_sources({source: source}, [Location("s3", "bucket", "other"), Path("s3:")], []) == []
    assert place_of(place.url) == place


# --- what it stands for ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "wanted"),
    [
        ("in/*.txt", ["in/a.txt", "in/b#1.txt"]),
        ("in/[a]*", ["in/a.txt"]),
        ("in/**/*.txt", ["in/.hidden/c.txt", "in/a.txt", "in/b#1.txt", "in/deep/d/e.txt"]),
        ("in/d*", ["in/deep/d/e.txt"]),
        ("in/*/d", ["in/deep/d/e.txt"]),
        ("in", ["in/.hidden/c.txt", "in/.hide.txt", "in/a.txt", "in/b#1.txt", "in/deep/d/e.txt"]),
        ("in/", ["in/.hidden/c.txt", "in/.hide.txt", "in/a.txt", "in/b#1.txt", "in/deep/d/e.txt"]),
        ("in/a.txt", ["in/a.txt"]),
        ("i?/?.txt", ["in/a.txt"]),
    ],
)
def test_a_url_stands_for_what_the_path_does(storage: Storage, tmp_path: Path, pattern: str, wanted: list[str]) -> None:
    if pattern == "in/**/*.txt":
        wanted = wanted[1:]  # folders that begin with a point are not gone through
    for name in ("a.txt", "b#1.txt", ".hide.txt", ".hidden/c.txt", "deep/d/e.txt", "deep/.fetch/f.txt"):
        file = tmp_path / "in" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("text")
    bucket = storage.bucket()
    upload(bucket, "in", tmp_path / "in")
    put(bucket, {"inside.txt": b"not below it"})
    found = find_inputs([f"s3://{bucket}/{pattern}"]).found
    assert [item.location.key for item in found if isinstance(item, StoredObject)] == wanted
    local = find_inputs([f"{tmp_path}/{pattern}"]).found
    assert [source_of(item).removeprefix(f"{tmp_path}/") for item in local] == [
        source_of(item).removeprefix(f"s3://{bucket}/") for item in found
    ]


def test_many_folders_in_a_pattern_are_none_or_more() -> None:
    assert fits(("a", "b", "c.txt"), ("**", "c.txt"))
    assert fits(("c.txt",), ("**", "c.txt"))
    assert not fits(("a", "b"), ("**", "c.txt"))
    assert not fits(("a",), ("a", "b"))


def test_inputs_of_all_kinds_are_sorted_and_each_is_there_once(storage: Storage, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("text")
    bucket = storage.bucket()
    put(bucket, {"in/a.txt": b"text", "in/b.txt": b"text"})
    urls = [f"s3://{bucket}/in/b.txt", f"s3://{bucket}/in", f"s3://{bucket}/in/*.txt"]
    inputs = find_inputs([*urls, str(tmp_path)])
    assert [source_of(item) for item in inputs.found] == [
        str(tmp_path / "a.txt"), f"s3://{bucket}/in/a.txt", f"s3://{bucket}/in/b.txt",
    ]  # fmt: skip
    assert inputs.folders == [Location("s3", bucket, "in"), tmp_path]


def test_lakes_below_a_prefix_and_marks_of_folders_are_left_out(storage: Storage) -> None:
    bucket = storage.bucket()
    lake = {f"in/out/{name}/x": b"x" for name in ("_runs", "_manifest", "classes", "_sources")}
    put(bucket, {"in/a.txt": b"text", "in/classes/b.txt": b"text", "in/out/mine.txt": b"text", **lake})
    put(bucket, {"in/datapackage.json": b"{}", "in/out/datapackage.json": b"{}"})
    storage.put_raw(bucket, "in/folder/")
    found = find_inputs([f"s3://{bucket}/in"], OUTPUT_NAMES).found
    assert [source_of(item).partition("/in/")[2] for item in found] == [
        "a.txt", "classes/b.txt", "datapackage.json", "out/mine.txt",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["nothing", "nothing/", "nothing/*.txt", ""])
def test_where_nothing_stands_is_an_error(storage: Storage, name: str) -> None:
    bucket = storage.bucket()
    with pytest.raises(UsageError, match=r"no such object|fits no object"):
        find_inputs([f"s3://{bucket}/{name}"])


def test_a_key_that_cannot_be_asked_for_is_an_error_that_names_it(storage: Storage) -> None:
    bucket = storage.bucket()
    storage.put_raw(bucket, "in//a.txt")
    with pytest.raises(UsageError, match=r"in//a\.txt"):
        find_inputs([f"s3://{bucket}/in"])


# --- how it is read -------------------------------------------------------------------------------------------


def _listed(storage: Storage, name: str, content: bytes) -> StoredObject:
    bucket = storage.bucket()
    put(bucket, {name: content})
    (item,) = find_inputs([f"s3://{bucket}/{name}"]).found
    assert isinstance(item, StoredObject)
    return item


def _reason(item: StoredObject) -> list[str]:
    return [read.reason_code for read in documents_in(item) if isinstance(read, Reject)]


def test_an_object_that_has_gone_or_is_too_large_is_rejected(storage: Storage) -> None:
    item = _listed(storage, "a.txt", b"text")
    remove(item.location.bucket, "a.txt")
    assert _reason(item) == ["unreadable"]
    large = StoredObject(item.location, MAX_FILE_BYTES + 1, "x")
    assert _reason(large) == ["unreadable"]
    put(item.location.bucket, {"a.txt": b"%PDF" + bytes(MAX_FILE_BYTES)})
    (found,) = find_inputs([item.location.url]).found
    assert isinstance(found, StoredObject)
    assert _reason(found) == ["binary"]


def _archive(size: int) -> bytes:
    """An archive of two texts and of what does not become smaller."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("first.txt", "first")
        archive.writestr("noise.pdf", b"%PDF" + os.urandom(size))
        archive.writestr("last.txt", "last")
    return packed.getvalue()


def test_a_large_archive_is_read_in_pieces(storage: Storage, tmp_path: Path) -> None:
    content = _archive(3 * PIECE_BYTES)
    item = _listed(storage, "in/a.zip", content)
    file = tmp_path / "a.zip"
    file.write_bytes(content)
    asked = len(storage.requests())
    found = list(documents_in(item))
    pieces = [path for method, path in storage.requests()[asked:] if method == "GET" and path.endswith("in/a.zip")]
    assert len(pieces) > 4
    local = list(documents_in(file))
    assert [read.sha256 for read in found] == [read.sha256 for read in local]
    assert [read.source.removeprefix(source_of(item)) for read in found] == ["!/first.txt", "!/noise.pdf", "!/last.txt"]


def test_an_archive_that_is_another_while_it_is_read_is_rejected(storage: Storage) -> None:
    item = _listed(storage, "a.zip", _archive(3 * PIECE_BYTES))
    reading = documents_in(item)
    first = next(reading)
    assert isinstance(first, Document)
    put(item.location.bucket, {"a.zip": _archive(PIECE_BYTES)})
    *_, last = reading
    assert isinstance(last, Reject)
    assert (last.reason_code, last.source) == ("changed", item.location.url)


def test_objects_come_in_their_order_while_some_are_fetched_ahead(storage: Storage, tmp_path: Path) -> None:
    bucket = storage.bucket()
    wanted = {f"in/{number:03}.txt": f"text {number}".encode() for number in range(60)}
    put(bucket, wanted)
    (tmp_path / "a.txt").write_text("text")
    found = find_inputs([f"s3://{bucket}/in", str(tmp_path)]).found
    items = list(object_files.fetched_ahead(found))
    fetched = [item for item in items if isinstance(item, object_files.Fetched)]
    assert [item.item.location.key for item in fetched] == list(wanted)
    assert [item.content for item in fetched] == list(wanted.values())
    assert len(items) == 61


def test_what_could_not_be_read_is_forgotten_when_its_object_has_gone(storage: Storage, tmp_path: Path) -> None:
    bucket = storage.bucket()
    url = upload(bucket, "in", write_inbox(tmp_path / "inbox", (0,), 1))
    put(bucket, {"in/large.txt": bytes(MAX_FILE_BYTES + 1)})
    summary = etl.run([url], tmp_path / "lake")
    assert {reject["reason_code"] for reject in summary.rejects} == {"not_a_report", "too_large"}
    remove(bucket, "in/large.txt")
    etl.run([f"{url}/letter.txt"], tmp_path / "lake")
    assert f"{url}/large.txt" in set(read_manifest(tmp_path / "lake").rows["source"])
    etl.run([url], tmp_path / "lake")
    assert f"{url}/large.txt" not in set(read_manifest(tmp_path / "lake").rows["source"])


def test_a_report_at_a_url_is_read_without_a_run(storage: Storage, tmp_path: Path) -> None:
    reports = sorted(write_inbox(tmp_path / "inbox", (0,), 2).iterdir())
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for report in reports:
            archive.writestr(f"./{report.name}", report.read_bytes())
    bucket = storage.bucket()
    put(bucket, {"in/a #1 report.txt": reports[0].read_bytes(), "in/feed.zip": packed.getvalue()})
    wanted = etl.read_report(reports[0])
    url = f"s3://{bucket}/in"
    for name in ("a #1 report.txt", r"a \x231 report.txt", f"feed.zip!/./{reports[0].name}"):
        found = etl.read_report(f"{url}/{name}")
        assert (found.report_id, found.deal) == (wanted.report_id, wanted.deal)
    assert [report.report_id for report in etl.read_reports(f"{url}/feed.zip")][:1] == [wanted.report_id]
    code, said = _etl(storage.variables, "layout", "why", f"{url}/a #1 report.txt", "--json")
    assert code == 0, said
    assert json.loads(said)["source"] == rf"{url}/a \x231 report.txt"
    new = ("layout", "new", f"{url}/a #1 report.txt", "--out", tmp_path / "layouts")
    assert _etl(storage.variables, *new)[0] == 0
    (sample,) = (tmp_path / "layouts").glob("*/sample.txt")
    assert sample.read_bytes() == reports[0].read_bytes()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("s3://BUCKET/in", "s3://BUCKET/in: there is no such object; name one"),
        ("s3://BUCKET", "s3://BUCKET: there is no such object; name one"),
        ("s3://BUCKET/in/none.zip!/a.txt", "there is no such object"),
        ("s3://BUCKET/in/a.txt#7", "there is no such document in s3://BUCKET/in/a.txt; without what follows"),
        ("hdfs://BUCKET/a.txt", "what begins with hdfs:// is not read"),
        ("s3:/BUCKET/a.txt", "a URL needs two slashes"),
    ],
)
def test_a_url_at_which_no_report_stands_is_told(storage: Storage, given: str, words: str) -> None:
    bucket = storage.bucket()
    put(bucket, {"in/a.txt": b"Dear Sirs"})
    with pytest.raises(UsageError) as raised:
        etl.read_report(given.replace("BUCKET", bucket))
    assert words.replace("BUCKET", bucket) in str(raised.value)
    code, said = _etl(storage.variables, "layout", "why", given.replace("BUCKET", bucket))
    assert (code, said.count("\n")) == (2, 1)


# --- what is said where it goes wrong -------------------------------------------------------------------------


def _etl(variables: Mapping[str, str], *arguments: str | Path) -> tuple[int, str]:
    """Exit code and all that the command says, with no other credentials than these."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "GOOGLE_", "AZURE_"))}
    call = [sys.executable, "-c", "from etl.cli import main; main()", *map(str, arguments)]
    done = subprocess.run(call, env=own | dict(variables), capture_output=True, text=True, check=False, timeout=100)
    return done.returncode, done.stdout + done.stderr


@contextmanager
def _refusing() -> Iterator[str]:
    """A store that refuses everybody."""

    class Refuse(BaseHTTPRequestHandler):
        def _refuse(self) -> None:
            self.rfile.read(int(self.headers.get("content-length") or 0))
            content = b"" if self.command == "HEAD" else b"<Error><Code>AccessDenied</Code></Error>"
            self.send_response(403)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = _refuse  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Refuse) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


CREDENTIALS = {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET}
NOWHERE = "http://127.0.0.1:9"
INBOX = REPOSITORY / "samples" / "inbox"


@pytest.mark.parametrize("side", ["inbox", "lake"])
@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({**CREDENTIALS, "AWS_ENDPOINT_URL": NOWHERE}, "cannot be reached"),
        ({"AWS_METADATA_ENDPOINT": NOWHERE}, "no credentials were found; set AWS_ACCESS_KEY_ID"),
        (CREDENTIALS, "there is no such bucket"),
        (CREDENTIALS, "access is denied"),
    ],
)
def test_what_is_wrong_with_a_store_is_one_line(
    storage: Storage, tmp_path: Path, side: str, variables: dict[str, str], words: str
) -> None:
    url = "s3://no-such-bucket/there"
    arguments = ("run", url, "--out", tmp_path / "lake") if side == "inbox" else ("run", INBOX, "--out", url)
    with _refusing() as refusing:
        endpoint = refusing if "denied" in words else storage.endpoint
        code, said = _etl({"AWS_ENDPOINT_URL": endpoint, **variables}, *arguments)
    assert code == (2 if side == "inbox" else 1)
    assert said.startswith(f"etl: {url}")
    assert words in said
    assert said.count("\n") == 1
    assert KEY not in said
    assert SECRET not in said


@pytest.mark.parametrize(("scheme", "word"), [("gs", "GOOGLE_APPLICATION_CREDENTIALS"), ("az", "AZURE_STORAGE")])
def test_stores_that_were_not_tried_say_what_they_need(tmp_path: Path, scheme: str, word: str) -> None:
    code, said = _etl({}, "run", f"{scheme}://bucket/in", "--out", tmp_path / "lake")
    assert code == 2
    assert said.startswith(f"etl: {scheme}://bucket")
    assert said.count("\n") == 1
    assert word in said or "cannot be reached" in said  # without a network nobody can be asked for a role


def test_a_lake_without_its_manifest_is_refused(storage: Storage, tmp_path: Path) -> None:
    bucket = storage.bucket()
    inbox = write_inbox(tmp_path / "inbox", (0,), 1)
    etl.run([inbox], f"s3://{bucket}/lake")
    remove(bucket, "lake/_manifest/documents.parquet")
    with pytest.raises(etl.EtlError, match=f"s3://{bucket}/lake/_manifest: is not there"):
        etl.run([inbox], f"s3://{bucket}/lake")


def test_a_damaged_file_is_named_by_its_url(storage: Storage, tmp_path: Path) -> None:
    bucket = storage.bucket()
    inbox = write_inbox(tmp_path / "inbox", (0,), 1)
    etl.run([inbox], f"s3://{bucket}/lake")
    put(bucket, {"lake/_manifest/documents.parquet": b"PAR1 this is no Parquet file PAR1"})
    with pytest.raises(etl.EtlError, match=f"s3://{bucket}/lake/_manifest/documents.parquet: cannot be read"):
        etl.run([inbox], f"s3://{bucket}/lake")


def test_nothing_that_is_written_has_a_secret_in_it(storage: Storage, tmp_path: Path) -> None:
    bucket = storage.bucket()
    url = upload(bucket, "in", write_inbox(tmp_path / "inbox", (0,), 1))
    code, said = _etl(storage.variables, "run", url, "--out", f"s3://{bucket}/lake", "--json")
    assert (code, json.loads(said)["reports_read"]) == (0, 1)
    for key, content in objects(bucket, "lake").items():
        assert SECRET.encode() not in content, key
        assert KEY.encode() not in content, key
    assert SECRET not in said


def test_the_missing_library_is_told_with_the_mend(tmp_path: Path) -> None:
    (tmp_path / "obstore.py").write_text("raise ImportError('not here')")
    code, said = _etl({"PYTHONPATH": str(tmp_path)}, "run", "s3://bucket/in", "--out", tmp_path / "lake")
    assert code == 2
    assert "pip install 'trustee-etl[objects]'" in said
    assert said.count("\n") == 1


def test_outputs_that_fail_are_output_errors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", NOWHERE)
    with pytest.raises(OutputError, match="cannot be reached"):
        etl.run([write_inbox(tmp_path / "inbox", (0,), 1)], "s3://bucket-that-was-never-asked-for/lake")
