"""Documents and inboxes that mean harm: what they cost is bounded, and nothing outside of an inbox is read."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import signal
import socket
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

import etl.documents
from benchmarks.hostile import cases, read_in_a_process
from etl import RejectedError, Summary, read_report, run
from etl.deals import deal_slug
from etl.decoding import count_lines
from etl.documents import (
    MAX_BYTES,
    MAX_LINES,
    MAX_NUMBERS,
    Document,
    Found,
    Reject,
    count_numbers,
    document_from_bytes,
    find_inputs,
)
from etl.schema import TABLES

from .kit import absc_2003_he2, make_deal, render, simulate
from .processes import call_etl
from .reading import Outcome, only_document, read_texts, scan_numbers

REPORT = render(absc_2003_he2.report()).encode()
SECRET = render(simulate(make_deal(5), 1)[0]).encode()
# A worker that reads any one document stays below this, above what it holds before it reads.
MEMORY = 400 * 2**20
SECONDS = 60


def _reason(content: bytes) -> tuple[str, str]:
    with pytest.raises(RejectedError) as caught:
        read_report(content)
    return caught.value.reason_code, caught.value.message


def _reasons(summary: Summary) -> dict[str, object]:
    return {Path(str(reject["source"])).name: reject["reason_code"] for reject in summary.rejects}


# --- what one document may cost ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "a class over and over in two strips",
        "a deal's name of combining marks",
        "all prose, many times, at the end of a paragraph",
        "lone surrogates",
    ],
)
def test_the_worst_documents_have_bounded_costs(tmp_path: Path, name: str) -> None:
    """Each meets another guard. All that we measure: python -m benchmarks.hostile."""
    file = tmp_path / "document.txt"
    file.write_bytes(dict(cases())[name]())
    measured = read_in_a_process(file, SECONDS)
    assert measured.outcome in ("read", "doubled_row", "conflicting_values")
    assert measured.memory < MEMORY
    assert measured.seconds < SECONDS


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (REPORT + b" " * MAX_BYTES, f"{MAX_BYTES + len(REPORT):,} bytes; at most 8,388,608 are read"),
        (REPORT + b"\n" * MAX_LINES, f"{MAX_LINES + count_lines(REPORT):,} lines; at most 400,000 are read"),
        (REPORT + b"1 " * MAX_NUMBERS, " numbers; at most 350,000 are read"),
    ],
    ids=["bytes", "lines", "numbers"],
)
def test_a_document_above_a_limit_is_told_by_how_much(content: bytes, message: str) -> None:
    code, said = _reason(content)
    assert code == "too_large"
    assert said.endswith(message)


def test_a_document_at_all_limits_is_read() -> None:
    rest = MAX_NUMBERS - count_numbers(REPORT), MAX_LINES - count_lines(REPORT)
    content = REPORT + b"7\n" * min(rest)
    content += b" " * (MAX_BYTES - len(content))
    assert len(content) == MAX_BYTES
    counts = read_report(content).tables["reports"].row(0, named=True)
    assert counts["numbers_found"] == len(scan_numbers(content.decode()))
    assert _reason(content + b" ")[0] == "too_large"


def test_a_file_of_a_thousand_reports_is_within_the_limits() -> None:
    """So it is refused for what it holds, not for its size. It has several MiB and hundreds of thousands of numbers."""
    content = REPORT * 500
    assert len(content) > 6 * 2**20
    assert count_numbers(content) > 200_000
    assert _reason(content)[0] == "doubled_row"


@pytest.mark.parametrize(
    ("content", "numbers"),
    [
        (b"", 0),
        (b"1", 1),
        (b"a1b22c", 2),
        (b"1,234.50 (12) .5 5. 17-Nov-03", 6),
        (b"04541GDP4", 2),
        (b"1,,2 3.,4", 4),
        (b"1..2", 2),
        ("\u0663 \uff11".encode(), 0),
    ],
)
def test_numbers_are_counted_in_bytes_as_they_are_in_texts(content: bytes, numbers: int) -> None:
    assert count_numbers(content) == len(scan_numbers(content.decode())) == numbers


def test_the_count_of_numbers_is_never_too_low() -> None:
    assert count_numbers(b"1,2,3 1.2.3.4") >= len(scan_numbers("1,2,3 1.2.3.4")) == 2
    assert 0 <= count_numbers(REPORT) - len(scan_numbers(REPORT.decode())) < 5  # items 1,2,4,5


@pytest.mark.parametrize(("content", "lines"), [(b"", 1), (b"a\r\nb\rc\nd", 4), (b"\r\r\n\n", 4), (b"a\n", 2)])
def test_lines_are_counted_whatever_ends_them(content: bytes, lines: int) -> None:
    assert count_lines(content) == lines


def test_a_file_of_two_gigabytes_is_refused_without_being_read(tmp_path: Path) -> None:
    for name, begins in (("text", b"STATEMENT"), ("zip", b"PK\x03\x04")):
        (tmp_path / name).write_bytes(begins)
        os.truncate(tmp_path / name, 2 * 1024**3)
    begun = time.perf_counter()
    summary = run([tmp_path], tmp_path / "output")
    assert time.perf_counter() - begun < 5
    assert _reasons(summary) == {"text": "too_large", "zip": "archive_damaged"}
    assert summary.rejects[0]["message"] == "2,147,483,648 bytes; at most 67,108,864 are read"


def test_documents_say_their_share_of_what_may_be_read_at_once() -> None:
    shares = [document_from_bytes(content, "a") for content in (REPORT, b"1 " * MAX_NUMBERS, b"x\n" * (MAX_LINES - 1))]
    assert [round(item.share, 3) for item in shares if isinstance(item, Document)] == [0.002, 1.0, 1.0]


def test_memory_does_not_grow_with_the_number_of_costly_documents(tmp_path: Path) -> None:
    """Each is small, and as many numbers as a document may have."""
    numbers = b"1 " * (MAX_NUMBERS - 2 * count_numbers(REPORT))
    peaks = []
    for count in (1, 4):
        inbox = tmp_path / f"{count}"
        inbox.mkdir()
        for number in range(count):
            (inbox / f"{number}.txt").write_bytes(REPORT + b"\n" * (number + 2) + numbers)
        done = subprocess.run(
            [sys.executable, "-c", _PEAK_OF_A_RUN, inbox, tmp_path / f"output-{count}"],
            env={**os.environ, "POLARS_MAX_THREADS": "1"},
            capture_output=True,
            text=True,
            check=True,
        )
        reports, peak = done.stdout.split()
        assert int(reports) == count
        peaks.append(int(peak))
    assert peaks[1] < 1.5 * peaks[0]


_PEAK_OF_A_RUN = """
import sys
import etl
from benchmarks.hostile import peak_memory
print(etl.run([sys.argv[1]], sys.argv[2]).reports_read, peak_memory())
"""


# --- names ------------------------------------------------------------------------------------------------


DEALS = (
    "../../etc/cron.d",
    "x/../../y",
    "a=b",
    "deal=x/distribution_date=2003-01-01",
    "N" * 10_000,
    "{deal}",
    "%2e%2e%2f",
    "CON",
    "a\x1b[31mb",
    "a\u202eb",
)


def test_no_name_of_a_deal_leaves_the_output(tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    for number, name in enumerate(DEALS):
        (inbox / f"{number}.txt").write_bytes(REPORT.replace(b"Home Equity", name.encode()))
    summary = run([inbox], tmp_path / "output")
    assert (summary.documents, summary.reports_read + summary.rejected) == (len(DEALS), len(DEALS))
    assert {entry.name for entry in tmp_path.iterdir()} == {"inbox", "output"}
    for table in TABLES:
        folders = list((tmp_path / "output" / table).iterdir())
        assert len(folders) == summary.reports_read
        for folder in folders:
            assert folder.name.startswith("deal=")
            assert len(folder.name) <= 105
            assert folder.name.isascii()
            assert len(list(folder.rglob("*.parquet"))) == 1


def test_a_name_costs_time_in_proportion_to_its_length() -> None:
    """Unicode's normal form of this takes minutes."""
    begun = time.perf_counter()
    slugs = {deal_slug("a\u0315\u0327\u0300" * count) for count in (100_000, 100_001)}
    assert time.perf_counter() - begun < 10
    assert len(slugs) == 2


NAMES = (
    b"two\nlines.txt",
    b"\x1b]0;title\x07.txt",
    b"\xff\xfe\x80.txt",
    b"a\rb\x08.txt",
    "a\u202eb\u2028.txt".encode(),
)


@pytest.mark.parametrize(
    ("kind", "code"), [("file", "not_a_report"), ("folder", "not_a_report"), ("link", "not_a_file")]
)
def test_what_is_said_of_a_name_is_one_line(tmp_path: Path, kind: str, code: str) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    for number, name in enumerate(NAMES):
        entry = inbox / os.fsdecode(name)
        if kind == "link":
            entry.symlink_to("/")
            continue
        if kind == "folder":
            entry.mkdir()
            entry /= "letter.txt"
        entry.write_bytes(b"Dear Sirs %d" % number)
    done = call_etl("run", inbox, "--out", tmp_path / "output")
    said = [line for line in done.stdout.split("\n") if line.startswith("rejected ")]
    assert (done.returncode, done.stderr, len(said)) == (0, "", len(NAMES))
    assert all(line.isprintable() for line in done.stdout.split("\n"))
    rejects = json.loads(call_etl("run", inbox, "--out", tmp_path / "output", "--json").stdout)["rejects"]
    assert [reject["reason_code"] for reject in rejects] == [code] * len(NAMES)


@pytest.mark.parametrize("given", ["\x1b[31mno\nthing", "no\nthing/*", "x" * 5000])
def test_what_is_said_of_a_wrong_input_is_one_line(tmp_path: Path, given: str) -> None:
    done = call_etl("run", given, "--out", tmp_path / "output")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert done.stderr.strip().isprintable()


# --- what lies in an inbox --------------------------------------------------------------------------------


@pytest.fixture
def inbox(tmp_path: Path) -> Iterator[Path]:
    """An inbox with one report and everything that is no file."""
    folder = tmp_path / "inbox"
    (folder / "sub").mkdir(parents=True)
    (folder / "report.txt").write_bytes(REPORT)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.txt").write_bytes(SECRET)
    (folder / "link.txt").symlink_to(outside / "secret.txt")
    (folder / "link-to-folder.txt").symlink_to(outside)
    (folder / "parent.txt").symlink_to("..")
    (folder / "self.txt").symlink_to("self.txt")
    (folder / "sub" / "loop.txt").symlink_to("loop2.txt")
    (folder / "sub" / "loop2.txt").symlink_to("loop.txt")
    (folder / "device.txt").symlink_to("/dev/zero")
    (folder / "output.txt").symlink_to(tmp_path / "output")
    os.mkfifo(folder / "pipe.txt")
    with socket.socket(socket.AF_UNIX) as bound:
        here = Path.cwd()
        os.chdir(folder)  # the path of a socket must be short
        bound.bind("socket.txt")
        os.chdir(here)
        yield folder


NO_FILES = (
    "link.txt",
    "link-to-folder.txt",
    "parent.txt",
    "self.txt",
    "device.txt",
    "output.txt",
    "pipe.txt",
    "socket.txt",
)


@pytest.mark.parametrize("pattern", ["", "/*.txt", "/**/*.txt", "/*", "/**"])
def test_only_files_are_read_however_they_are_named(inbox: Path, pattern: str) -> None:
    output = inbox.parent / "output"
    for _ in range(2):  # the link to the output leads somewhere the second time
        summary = run([f"{inbox}{pattern}"], output, force=True)
        loops = () if pattern == "/*.txt" else ("loop.txt", "loop2.txt")
        assert _reasons(summary) == dict.fromkeys((*NO_FILES, *loops), "not_a_file")
        assert (summary.reports_read, summary.documents) == (1, 1 + len(NO_FILES) + len(loops))


@pytest.mark.parametrize("name", ["pipe.txt", "socket.txt", "device.txt"])
def test_what_is_given_by_its_name_is_read_only_if_it_is_a_file(inbox: Path, name: str) -> None:
    summary = run([inbox / name], inbox.parent / "output")
    assert _reasons(summary) == {name: "not_a_file"}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a device")
def test_a_device_in_an_inbox_is_not_opened(tmp_path: Path) -> None:
    (tmp_path / "inbox").mkdir()
    try:
        os.mknod(tmp_path / "inbox" / "zero.txt", 0o20666, os.makedev(1, 5))
    except OSError as error:
        pytest.skip(f"no devices can be made here: {error}")
    assert _reasons(run([tmp_path / "inbox"], tmp_path / "output")) == {"zero.txt": "not_a_file"}


@pytest.mark.parametrize("pattern", ["**/*.txt", "*/*/*/*.txt", "**/**/**/*.txt"])
def test_folders_that_lead_to_themselves_have_an_end(tmp_path: Path, pattern: str) -> None:
    """Two such links have 2**40 paths until the system says that there are too many links."""
    (tmp_path / "inbox" / "a" / "b" / "c").mkdir(parents=True)
    for name in ("one", "two", "a/three", "a/b/c/four"):
        (tmp_path / "inbox" / name).symlink_to(tmp_path / "inbox")
    (tmp_path / "inbox" / "a" / "b" / "c" / "report.txt").write_bytes(REPORT)
    done = call_etl("run", f"inbox/{pattern}", "--out", "output", "--json", cwd=tmp_path)
    summary = json.loads(done.stdout)
    assert summary["reports_read"] == 1
    assert {reject["reason_code"] for reject in summary["rejects"]} <= {"not_a_file"}


@pytest.mark.parametrize("pattern", ["", "/**/*.txt"])
def test_folders_may_be_nested_thousands_of_times(tmp_path: Path, pattern: str) -> None:
    """Down to where the system has no name for them; there one reject says so."""
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox" / "report.txt").write_bytes(REPORT)
    with _nested(tmp_path / "inbox", 3000):
        done = call_etl("run", f"inbox{pattern}", "--out", "output", "--json", cwd=tmp_path)
    summary = json.loads(done.stdout)
    assert summary["reports_read"] == 1
    assert [reject["reason_code"] for reject in summary["rejects"]] == ["unreadable"]
    assert "too long" in summary["rejects"][0]["message"]


@contextmanager
def _nested(folder: Path, depth: int) -> Iterator[None]:
    """Folders within each other below `folder`, taken away again step by step: no path leads so deep."""
    with ExitStack() as opened:
        here = os.open(folder, os.O_RDONLY)
        opened.callback(os.close, here)
        for _ in range(depth):
            os.mkdir("dd", dir_fd=here)
            below = os.open("dd", os.O_RDONLY, dir_fd=here)
            opened.callback(os.close, below)
            opened.callback(os.rmdir, "dd", dir_fd=here)
            here = below
        yield


# --- what changes between the listing and the reading ----------------------------------------------------


@pytest.fixture
def impatient() -> Iterator[None]:
    """Whatever waits for ten seconds fails."""

    def fail(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, fail)
    signal.alarm(10)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def _found(inbox: Path) -> Found:
    (item,) = find_inputs([str(inbox)]).found
    assert isinstance(item, Found)
    return item


def _after(found: Found, change: Callable[[Path], None]) -> Reject:
    """What is said of a file that was found, and then changed."""
    change(found.path)
    item = only_document(found)
    assert isinstance(item, Reject)
    return item


@pytest.fixture
def one(tmp_path: Path) -> Found:
    """A report, found in a folder of an inbox."""
    (tmp_path / "inbox" / "sub").mkdir(parents=True)
    (tmp_path / "inbox" / "sub" / "report.txt").write_bytes(REPORT)
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "report.txt").write_bytes(SECRET)
    return _found(tmp_path / "inbox")


def test_a_link_that_takes_the_place_of_a_file_is_not_followed(one: Found, tmp_path: Path) -> None:
    def change(path: Path) -> None:
        path.unlink()
        path.symlink_to(tmp_path / "outside" / "report.txt")

    assert _after(one, change).reason_code == "not_a_file"


def test_a_link_that_takes_the_place_of_a_folder_is_not_followed(one: Found, tmp_path: Path) -> None:
    def change(path: Path) -> None:
        path.unlink()
        path.parent.rmdir()
        path.parent.symlink_to(tmp_path / "outside")

    reject = _after(one, change)
    assert (reject.reason_code, reject.sha256) in (("not_a_file", None), ("unreadable", None))


@pytest.mark.usefixtures("impatient")
def test_a_pipe_that_takes_the_place_of_a_file_is_not_waited_for(one: Found) -> None:
    def change(path: Path) -> None:
        path.unlink()
        os.mkfifo(path)

    assert _after(one, change).reason_code == "not_a_file"


@pytest.mark.usefixtures("impatient")
def test_a_pipe_that_comes_at_the_last_moment_is_not_waited_for(one: Found, monkeypatch: pytest.MonkeyPatch) -> None:
    """After its kind was looked at, before it is opened."""
    look = os.stat

    def then_change(*given: object, **more: object) -> os.stat_result:
        status = look(*given, **more)  # type: ignore[arg-type]
        monkeypatch.undo()
        one.path.unlink()
        os.mkfifo(one.path)
        return status

    monkeypatch.setattr(os, "stat", then_change)
    item = only_document(one)
    assert isinstance(item, Reject)
    assert item.reason_code == "not_a_file"


def test_a_link_that_comes_at_the_last_moment_is_not_followed(
    one: Found, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = os.stat

    def then_change(*given: object, **more: object) -> os.stat_result:
        status = look(*given, **more)  # type: ignore[arg-type]
        monkeypatch.undo()
        one.path.unlink()
        one.path.symlink_to(tmp_path / "outside" / "report.txt")
        return status

    monkeypatch.setattr(os, "stat", then_change)
    item = only_document(one)
    assert isinstance(item, Reject)
    assert item.reason_code == "not_a_file"


def test_a_file_that_vanishes_is_told(one: Found) -> None:
    reject = _after(one, Path.unlink)
    assert (reject.reason_code, reject.message) == ("unreadable", "No such file or directory")


def _append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def _cut(path: Path) -> None:
    os.truncate(path, 10)


def _rewrite(path: Path) -> None:
    path.write_bytes(REPORT[::-1])
    os.utime(path, ns=(0, 0))


@pytest.mark.parametrize("change", [_append, _cut, _rewrite])
@pytest.mark.parametrize("before", [True, False], ids=["before its bytes", "after them"])
def test_a_file_that_changes_while_it_is_read_is_refused(
    one: Found,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[Path], None],
    before: bool,  # noqa: FBT001
) -> None:
    read = etl.documents._read  # noqa: SLF001

    def while_read(file: int, size: int) -> bytes:
        if before:
            change(one.path)
        content = read(file, size)
        if not before:
            change(one.path)
        return content

    monkeypatch.setattr(etl.documents, "_read", while_read)
    summary = run([one.path.parent], one.path.parent.parent.parent / "output")
    assert _reasons(summary) == {"report.txt": "changed"}
    assert "changed while it was read" in str(summary.rejects[0]["message"])
    assert summary.rejects[0]["hint"]


def test_a_link_that_is_given_by_its_name_is_followed(tmp_path: Path) -> None:
    """Whoever gives a link means what it leads to."""
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "report.txt").write_bytes(REPORT)
    (tmp_path / "folder").symlink_to("real")
    (tmp_path / "file.txt").symlink_to("real/report.txt")
    for given in ("folder", "file.txt", "folder/*.txt", "folder/report.txt"):
        assert run([tmp_path / given], tmp_path / "output", force=True).reports_read == 1


# --- archives ---------------------------------------------------------------------------------------------


def _zip(content: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("report.txt", content)
    return file.getvalue()


def _tar(content: bytes) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        entry = tarfile.TarInfo("../report.txt")
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    return file.getvalue()


ARCHIVES: dict[str, Callable[[bytes], bytes]] = {
    "ZIP": _zip,
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "tar": _tar,
}


@pytest.mark.parametrize("kind", ARCHIVES)
def test_an_archive_is_named_and_not_opened(tmp_path: Path, kind: str) -> None:
    pack = ARCHIVES[kind]
    bomb = pack(bytes(100 * 2**20)) if kind != "tar" else pack(REPORT)
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox" / "plain").write_bytes(pack(REPORT))
    (tmp_path / "inbox" / "bomb").write_bytes(bomb)
    (tmp_path / "inbox" / "nested").write_bytes(pack(pack(bomb)))
    (tmp_path / "inbox" / "tarred").write_bytes(pack(_tar(bomb)))
    begun = time.perf_counter()
    items = [document_from_bytes(file.read_bytes(), file.name) for file in (tmp_path / "inbox").iterdir()]
    assert time.perf_counter() - begun < 1
    rejects = [item for item in items if isinstance(item, Reject)]
    assert len(items) == len(rejects) == 4
    assert all(reject.reason_code == "binary" and kind in reject.message for reject in rejects)


def test_an_empty_zip_is_an_archive_too() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w"):
        pass
    assert _reason(file.getvalue())[0] == "empty"


# --- encodings --------------------------------------------------------------------------------------------


ENCODED = {
    "plain": REPORT,
    "mark": b"\xef\xbb\xbf" + REPORT,
    "CRLF": REPORT.replace(b"\n", b"\r\n"),
    "CR": REPORT.replace(b"\n", b"\r"),
    "mixed": REPORT.replace(b"\n", b"\r\n", 150).replace(b"\n\n", b"\n\r\n"),
    "surrogates": REPORT.replace(b"Sample Street", b"Sample \xed\xa0\x80 Street"),
    "latin-1": REPORT.replace(b"Sample Street", b"S\xe9mple \x81 Street"),
    "form-feeds": REPORT.replace(b"\n\n", b"\n\x0c\n"),
    "form-feed-in-line": REPORT.replace(b"AMOUNTS", b"\x0cAMOUNTS"),
    "U+2028": REPORT.replace(b"Sample Street", "Sample\u2028Stre\u0085et".encode()),
    "separators": REPORT.replace(b"Sample Street", b"Sample\x1c\x1d\x1e\x0b Street"),
}


@pytest.fixture(scope="module")
def encoded() -> dict[str, Outcome]:
    return read_texts(ENCODED)


@pytest.mark.parametrize("name", list(ENCODED)[1:])
def test_a_report_is_read_in_any_encoding_of_a_text(encoded: dict[str, Outcome], name: str) -> None:
    assert encoded[name].message == ""
    read, plain = (encoded[one].tables["classes"].drop("report_id") for one in (name, "plain"))
    assert read.equals(plain)


@pytest.mark.parametrize(
    ("encoding", "message"),
    [("utf-16", "text in UTF-16"), ("utf-16-le", "a NUL byte"), ("utf-16-be", "a NUL byte"), ("utf-32", "or UTF-32")],
)
def test_other_encodings_are_refused_with_the_mend(encoding: str, message: str) -> None:
    with pytest.raises(RejectedError) as caught:
        read_report(REPORT.decode().encode(encoding))
    assert (caught.value.reason_code, caught.value.hint) == ("binary", "give the report as text in UTF-8 or cp1252")
    assert message in caught.value.message


def test_the_tables_of_a_hostile_run_are_the_declared_ones(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(REPORT.replace(b"Home Equity", b"N" * 10_000))
    run([tmp_path / "a.txt"], tmp_path / "output")
    beside = {"_manifest", "_rejects", "_runs", "_sources"}
    assert {folder.name for folder in (tmp_path / "output").iterdir()} - beside == set(TABLES)
