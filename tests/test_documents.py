"""Inboxes come from strangers: whatever lies there, a run tells what it is and goes on."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import etl.documents
import etl.filings
from etl import Summary, UsageError, run
from etl.documents import Document, Reject, document_from_bytes, find_inputs, source_of

from .kit import absc_2003_he2, render
from .reading import only_document

REPORT = render(absc_2003_he2.report()).encode()


def _reject(content: bytes) -> Reject:
    item = document_from_bytes(content, "a.txt")
    assert isinstance(item, Reject)
    return item


def _text(content: bytes) -> str:
    item = document_from_bytes(content, "a.txt")
    assert isinstance(item, Document)
    return item.text


def _inbox(tmp_path: Path, files: dict[str, bytes]) -> Path:
    folder = tmp_path / "inbox"
    folder.mkdir()
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def _run(tmp_path: Path, *inputs: Path | str) -> Summary:
    return run(inputs, tmp_path / "output")


def _reasons(summary: Summary) -> dict[str, object]:
    return {Path(str(reject["source"])).name: reject["reason_code"] for reject in summary.rejects}


# --- what the bytes are -----------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"", b" ", b"\n\n\t \r\n", b"\x0c\n", b"\xef\xbb\xbf", b"\xef\xbb\xbf \n"])
def test_a_file_without_text_is_empty(content: bytes) -> None:
    assert _reject(content).reason_code == "empty"


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"\x89PNG\r\n\x1a\n....", "PNG"),
        (b"%PDF-1.4\n...", "PDF"),
        (b"PK\x03\x04....", "ZIP"),
        (b"\xff\xd8\xff\xe0....", "JPEG"),
        (b"GIF89a", "GIF"),
        (b"\x1f\x8b\x08", "gzip"),
        (b"\xd0\xcf\x11\xe0", "Office"),
        (b"{\\rtf1\\ansi", "rich text"),
        (b"some text\x00more", "NUL byte at offset 9"),
        (REPORT.decode().encode("utf-16"), "UTF-16"),
        (REPORT.decode().encode("utf-16-be"), "NUL"),
    ],
)
def test_a_binary_file_is_named_by_its_kind(content: bytes, kind: str) -> None:
    reject = _reject(content)
    assert (reject.reason_code, reject.size) == ("binary", len(content))
    assert kind in reject.message
    assert reject.hint


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"caf\xc3\xa9", "café"),
        (b"caf\xe9 \x93x\x94", "café “x”"),
        (b"caf\xe9 \x81", "café \x81"),
        (b"\xef\xbb\xbfcaf\xc3\xa9", "café"),
        (b"a\r\nb\rc\nd", "a\nb\nc\nd"),
        (b"a\r\r\nb", "a\n\nb"),
        (b"a\x0bb\x85\xe2\x80\xa8", "a\x0bb…â€¨"),
    ],
)
def test_text_is_decoded_with_universal_newlines(content: bytes, text: str) -> None:
    assert _text(content) == text


def test_a_report_is_known_by_its_bytes() -> None:
    document = document_from_bytes(b"abc", "a.txt")
    assert isinstance(document, Document)
    assert document.sha256 == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert (document.report_id, document.size) == ("ba7816bf8f01cfea", 3)


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(etl.documents, "MAX_BYTES", 10)
    monkeypatch.setattr(etl.filings, "MAX_FILE_BYTES", 10)
    for name, content in (("fits", b"0123456789"), ("large", b"0123456789a")):
        (tmp_path / name).write_bytes(content)
    assert isinstance(only_document(tmp_path / "fits"), Document)
    reject = only_document(tmp_path / "large")
    assert isinstance(reject, Reject)
    assert (reject.reason_code, reject.size, reject.sha256) == ("too_large", 11, None)
    assert _reject(b"0123456789a").reason_code == "too_large"


# --- what lies in an inbox --------------------------------------------------------------------------------


@pytest.mark.skipif(os.geteuid() == 0, reason="needs a user whom permissions bind; root reads everything")
def test_a_file_that_may_not_be_read_is_a_reject(tmp_path: Path) -> None:
    inbox = _inbox(tmp_path, {"closed.txt": REPORT, "open.txt": REPORT})
    (inbox / "closed.txt").chmod(0)
    summary = _run(tmp_path, inbox)
    assert (_reasons(summary), summary.reports_read) == ({"closed.txt": "unreadable"}, 1)


def test_a_file_that_vanishes_is_a_reject(tmp_path: Path) -> None:
    reject = only_document(tmp_path / "gone.txt")
    assert isinstance(reject, Reject)
    assert (reject.reason_code, reject.message) == ("unreadable", "No such file or directory")


def test_links_are_not_followed(tmp_path: Path) -> None:
    inbox = _inbox(tmp_path, {"a/report.txt": REPORT})
    (tmp_path / "secret.txt").write_bytes(REPORT + b"\n")
    (inbox / "inside.txt").symlink_to(inbox / "a" / "report.txt")
    (inbox / "outside.txt").symlink_to(tmp_path / "secret.txt")
    (inbox / "loop").symlink_to(inbox, target_is_directory=True)
    (inbox / "dangling.txt").symlink_to(tmp_path / "nothing")
    summary = _run(tmp_path, inbox)
    assert _reasons(summary) == dict.fromkeys(("inside.txt", "outside.txt", "loop", "dangling.txt"), "not_a_file")
    assert (summary.reports_read, summary.duplicates) == (1, 0)
    assert all("link" in str(reject["message"]) for reject in summary.rejects)


def test_a_glob_does_not_follow_links_either(tmp_path: Path) -> None:
    inbox = _inbox(tmp_path, {"report.txt": REPORT})
    (tmp_path / "secret.txt").write_bytes(REPORT + b"\n")
    (inbox / "outside.txt").symlink_to(tmp_path / "secret.txt")
    summary = _run(tmp_path, f"{inbox}/*.txt")
    assert (summary.reports_read, _reasons(summary)) == (1, {"outside.txt": "not_a_file"})


def test_a_pipe_does_not_stop_the_run(tmp_path: Path) -> None:
    inbox = _inbox(tmp_path, {"report.txt": REPORT})
    os.mkfifo(inbox / "pipe.txt")
    summary = _run(tmp_path, inbox)
    assert (_reasons(summary), summary.reports_read) == ({"pipe.txt": "not_a_file"}, 1)
    again = _run(tmp_path, inbox / "pipe.txt")
    assert _reasons(again) == {"pipe.txt": "not_a_file"}


def test_a_folder_that_is_called_like_a_file_is_walked(tmp_path: Path) -> None:
    inbox = _inbox(tmp_path, {"folder.txt/report.txt": REPORT, "empty.txt/.keep": b" "})
    summary = _run(tmp_path, inbox)
    assert (summary.reports_read, _reasons(summary)) == (1, {".keep": "empty"})


def test_equal_bytes_are_read_once(tmp_path: Path) -> None:
    inbox = _inbox(tmp_path, {"b.txt": REPORT, "a.txt": REPORT, "c.txt": b"Dear Sirs"})
    summary = _run(tmp_path, inbox, inbox / "a.txt")
    assert (summary.documents, summary.reports_read, summary.duplicates, summary.rejected) == (3, 1, 1, 1)
    (file,) = (tmp_path / "output" / "reports").rglob("*.parquet")
    assert pq.read_table(file)["source"].to_pylist() == [(inbox / "a.txt").as_posix()]


@pytest.mark.parametrize(
    "name", [b"report \xff\xfe.txt", b"two\nlines.txt", b"\x1b[31mred.txt", "報告 é.txt".encode(), b"a:x:[red]b.txt"]
)
@pytest.mark.parametrize("content", [REPORT, b"Dear Sirs"], ids=["report", "letter"])
def test_any_name_of_a_file_will_do(tmp_path: Path, name: bytes, content: bytes) -> None:
    inbox = _inbox(tmp_path, {"other.txt": REPORT + b"\n"})
    (inbox / os.fsdecode(name)).write_bytes(content)
    summary = _run(tmp_path, inbox)
    assert (summary.documents, summary.rejected) == (2, int(content != REPORT))
    assert {reject["reason_code"] for reject in summary.rejects} <= {"not_a_report"}


def test_two_names_that_are_spelled_alike_are_two_files(tmp_path: Path) -> None:
    """A byte that is no UTF-8, and a name that spells this byte out."""
    inbox = _inbox(tmp_path, {r"a\xff.txt": b"Dear Sirs"})
    (inbox / os.fsdecode(b"a\xff.txt")).write_bytes(b"Dear Madam")
    summary = _run(tmp_path, inbox)
    assert summary.documents == 2


# --- what is given ----------------------------------------------------------------------------------------


def _found(*inputs: str) -> list[str]:
    return [Path(source_of(item)).name for item in find_inputs(inputs).found]


def test_files_folders_and_globs(tmp_path: Path) -> None:
    inbox = _inbox(tmp_path, {"b.txt": b"b", "a.txt": b"a", "sub/c.txt": b"c", "sub/deep/d.htm": b"d"})
    assert _found(str(inbox)) == ["a.txt", "b.txt", "c.txt", "d.htm"]
    assert _found(f"{inbox}/*.txt") == ["a.txt", "b.txt"]
    assert _found(f"{inbox}/**/*.txt") == ["a.txt", "b.txt", "c.txt"]
    assert _found(f"{inbox}/s*") == ["c.txt", "d.htm"]
    assert _found(f"{inbox}/b.txt", str(inbox), f"{inbox}/./a.txt") == ["a.txt", "b.txt", "c.txt", "d.htm"]
    assert _found() == []


def test_a_file_may_be_called_like_a_glob(tmp_path: Path) -> None:
    inbox = _inbox(tmp_path, {"a[1].txt": b"a", "a1.txt": b"b"})
    assert _found(f"{inbox}/a[1].txt") == ["a[1].txt"]


@pytest.mark.parametrize("given", ["none", "none/*.txt", "none*", ""])
def test_an_input_that_is_not_there_is_a_usage_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=r"no such file|matches no file"):
        find_inputs([given])


def test_an_empty_inbox_is_no_error(tmp_path: Path) -> None:
    summary = _run(tmp_path, _inbox(tmp_path, {}))
    assert (summary.documents, summary.rejects) == (0, [])
    lists = {file.parent.name for file in (tmp_path / "output").rglob("*.parquet")}
    assert lists == {"_manifest", "_rejects"}  # empty ones, which readers can read


def test_a_run_goes_on_after_every_kind_of_file(tmp_path: Path) -> None:
    files = {"pdf": b"%PDF", "empty": b"", "nul": b"a\0", "letter": b"Dear Sirs 1 2", "report": REPORT}
    files |= {"half": REPORT[: len(REPORT) // 2], "head": b"Distribution Date: 1-Jan-03"}
    inbox = _inbox(tmp_path, files)
    with zipfile.ZipFile(inbox / "zip", "w") as archive:
        archive.writestr("report.txt", REPORT)
    summary = _run(tmp_path, inbox)
    reasons = _reasons(summary)
    assert reasons.pop("half") in ("missing_block", "missing_row")
    assert reasons == {
        "pdf": "binary",
        "empty": "empty",
        "nul": "binary",
        "letter": "not_a_report",
        "head": "no_layout",
    }
    assert (summary.reports_read, summary.duplicates) == (1, 1)  # the one in the archive is the same


def test_a_glob_does_not_go_through_a_link_to_a_folder(tmp_path: Path) -> None:
    inbox = _inbox(tmp_path, {"a.txt": REPORT})
    (inbox / "loop").symlink_to(inbox)
    summary = _run(tmp_path, f"{inbox}/**/*.txt")
    assert summary.reports_read == 1
    assert set(_reasons(summary).values()) <= {"not_a_file"}


@pytest.mark.parametrize("place", ["inbox/output", "inbox"])
def test_a_run_does_not_read_its_own_output(tmp_path: Path, place: str) -> None:
    inbox = _inbox(tmp_path, {"a.txt": REPORT})
    for known in (0, 1):
        summary = run([inbox], tmp_path / place)
        assert (summary.documents, summary.reports_read, summary.skipped) == (1, 1 - known, known)


def test_a_document_with_too_many_numbers_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(etl.documents, "MAX_NUMBERS", 100)
    reject = _reject(b"1 " * 1000)
    assert (reject.reason_code, reject.message) == ("too_large", "1,000 numbers; at most 100 are read")


def test_a_message_does_not_repeat_a_long_document(tmp_path: Path) -> None:
    long = REPORT.replace(b"278,036", b"9" * 1_000_000)
    summary = _run(tmp_path, _inbox(tmp_path, {"a.txt": long}))
    assert _reasons(summary) == {"a.txt": "value_does_not_fit"}
    assert len(str(summary.rejects[0]["message"])) < 1000


def test_an_empty_name_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="an empty name"):
        find_inputs([""])
