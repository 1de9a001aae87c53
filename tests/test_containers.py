"""Archives: every file in them, in order, under a name that is its own; and bounds for those that mean harm."""

from __future__ import annotations

import bz2
import gzip
import io
import os
import struct
import subprocess
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.containers import MAX_DEPTH, MAX_NAME_BYTES, Member, is_archive, member_name, members
from etl.documents import MAX_FILE_BYTES, Reject

FILES = [("a.txt", b"first\n"), ("folder/b.txt", b"second\r\n" * 1000), ("empty.txt", b"")]
MEMORY = 300 * 2**20


def _zip(files: Sequence[tuple[str, bytes]], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as zipped:
        for name, content in files:
            zipped.writestr(zipfile.ZipInfo(name), content, method)
    return made.getvalue()


def _tar(files: Sequence[tuple[str, bytes]], form: int = tarfile.USTAR_FORMAT) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=form) as tar:
        for name, content in files:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return made.getvalue()


def _tar_of(*infos: tarfile.TarInfo) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for info in infos:
            tar.addfile(info, io.BytesIO(b"x" * info.size))
    return made.getvalue()


def _info(name: str, kind: bytes = tarfile.REGTYPE, size: int = 0) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.size, info.linkname = kind, size, "../../etc/passwd"
    return info


def _gzip(content: bytes, name: str = "") -> bytes:
    made = io.BytesIO()
    with gzip.GzipFile(name, "wb", fileobj=made, mtime=0) as zipped:
        zipped.write(content)
    return made.getvalue()


def _read(content: bytes, source: str = "in/x") -> tuple[list[tuple[str, bytes]], list[tuple[str, str]]]:
    """Sources and contents of the files, sources and reasons of the rejects."""
    items = list(members(source, content))
    found = [(item.source, item.content) for item in items if isinstance(item, Member)]
    return found, [(item.source, item.reason_code) for item in items if isinstance(item, Reject)]


def _named(archive: str) -> list[tuple[str, bytes]]:
    return [(f"{archive}!/{name}", content) for name, content in FILES]


# --- what is read -----------------------------------------------------------------------------------------

WHOLE = {
    "zip": _zip(FILES),
    "stored zip": _zip(FILES, zipfile.ZIP_STORED),
    "tar": _tar(FILES),
    "GNU tar": _tar(FILES, tarfile.GNU_FORMAT),
    "POSIX tar": _tar(FILES, tarfile.PAX_FORMAT),
    "tar.gz": _gzip(_tar(FILES)),
    "tar.gz in pieces": _gzip(_tar(FILES)[:700]) + _gzip(_tar(FILES)[700:]) + b"\0" * 100,
}


@pytest.mark.parametrize("content", WHOLE.values(), ids=WHOLE.keys())
def test_all_files_in_their_order(content: bytes) -> None:
    assert is_archive(content)
    assert is_archive(content[:512])
    assert _read(content) == (_named("in/x"), [])
    stream = io.BytesIO(content)
    assert [item.source for item in members("in/x", stream)] == [source for source, _ in _named("in/x")]


@pytest.mark.parametrize("content", WHOLE.values(), ids=WHOLE.keys())
def test_archives_in_archives(content: bytes) -> None:
    outer = _zip([("one", content), ("last.txt", b"z")])
    assert _read(outer) == ([*_named("in/x!/one"), ("in/x!/last.txt", b"z")], [])
    outer = _gzip(_tar([("one", _zip([("two", content)])), ("last.txt", b"z")]))
    found, rejects = _read(outer)
    assert found == [*_named("in/x!/one!/two"), ("in/x!/last.txt", b"z")]
    assert rejects == []


class _Pipe(io.BytesIO):
    def seekable(self) -> bool:
        return False


@pytest.mark.parametrize("content", WHOLE.values(), ids=WHOLE.keys())
def test_a_stream_need_not_seek(content: bytes) -> None:
    items = list(members("in/x", _Pipe(content)))
    assert [item.source for item in items if isinstance(item, Member)] == [source for source, _ in _named("in/x")]


def test_a_file_that_is_no_archive_is_its_own_only_member() -> None:
    assert _read(b"text") == ([("in/x", b"text")], [])
    assert _read(bz2.compress(b"text")) == ([("in/x", bz2.compress(b"text"))], [])


@pytest.mark.parametrize(
    ("content", "source", "name"),
    [
        (_gzip(b"text", "in/report.txt"), "x.gz", "report.txt"),
        (_gzip(b"text"), "in/report.txt.gz", "report.txt"),
        (_gzip(b"text"), "in/report.TXT.GZ", "report.TXT"),
        (_gzip(b"text"), "in/report", "report"),
        (_gzip(b"text"), "in/.gz", "data"),
        (_gzip(_gzip(b"text"), "b"), "a", "b!/b"),
        (_gzip(b"te") + _gzip(b"xt"), "a.gz", "a"),
        (b"\x1f\x8b\x08\x0c" + bytes(6) + b"\x02\x00AB" + b"n\xffm\0" + _gzip(b"text")[10:], "a.gz", r"n\xffm"),
    ],
)
def test_a_gzipped_file_has_the_name_in_its_header_or_that_of_the_archive(
    content: bytes, source: str, name: str
) -> None:
    assert _read(content, source) == ([(f"{source}!/{name}", b"text")], [])


@pytest.mark.parametrize(
    "form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT], ids=["USTAR", "GNU", "POSIX"]
)
def test_long_names(form: int) -> None:
    name = "/".join(["a" * 40] * (5 if form == tarfile.USTAR_FORMAT else 60))
    assert _read(_tar([(name, b"1"), ("b", b"2")], form)) == ([(f"in/x!/{name}", b"1"), ("in/x!/b", b"2")], [])


def test_folders_are_left_out() -> None:
    tar = _tar_of(_info("folder", tarfile.DIRTYPE), _info("folder/a", size=1))
    assert _read(tar) == ([("in/x!/folder/a", b"x")], [])
    assert _read(_zip([("folder/", b""), ("folder/a", b"x")])) == ([("in/x!/folder/a", b"x")], [])


@pytest.mark.parametrize("content", [_zip([]), _zip([("a/", b"")]), _tar_of(_info("a", tarfile.DIRTYPE))], ids=range(3))
def test_an_archive_without_files_says_so(content: bytes) -> None:
    assert _read(content) == ([], [("in/x", "empty")])


def test_links_and_devices_are_not_followed() -> None:
    kinds = [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE]
    tar = _tar_of(*(_info(f"{number}", kind) for number, kind in enumerate(kinds)), _info("a", size=1))
    rejects = [(f"in/x!/{number}", "not_a_file") for number in range(5)]
    assert _read(tar) == ([("in/x!/a", b"x")], rejects)
    link = zipfile.ZipInfo("link")
    link.create_system, link.external_attr = 3, 0o120777 << 16
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as zipped:
        zipped.writestr(link, "/etc/passwd")
    assert _read(made.getvalue()) == ([], [("in/x!/link", "not_a_file")])


def test_office_files_are_no_archives_of_reports() -> None:
    assert _read(_zip([("[Content_Types].xml", b"<x/>"), ("word/document.xml", b"<x/>")])) == ([], [("in/x", "binary")])


# --- names ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "spelled"),
    [
        ("../../etc/cron.d", "../../etc/cron.d"),
        ("/abs", "/abs"),
        ("a\nb\x1b[31m", r"a\x0ab\x1b[31m"),
        ("a\\b", r"a\\b"),
        ("x.zip!/y", r"x.zip\x21/y"),
        ("é b\u202ec\u0085", "é b\\U0000202ec\\U00000085"),
    ],
)
def test_names_only_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, spelled: str) -> None:
    monkeypatch.chdir(tmp_path)
    assert _read(_zip([(name, b"1")])) == ([(f"in/x!/{spelled}", b"1")], [])
    assert _read(_tar([(name, b"1")])) == ([(f"in/x!/{spelled}", b"1")], [])
    assert list(tmp_path.iterdir()) == []


@given(st.lists(st.binary(max_size=6) | st.text(max_size=4).map(lambda text: text.encode("utf-8", "surrogatepass"))))
def test_another_name_for_each(names: list[bytes]) -> None:
    spelled = {member_name(name) for name in names}
    assert len(spelled) == len(set(names))
    assert all(name.isprintable() or any(letter.isspace() for letter in name) for name in spelled)
    assert not any("\n" in name or "\r" in name or "!/" in name for name in spelled)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_files_of_one_name_are_told_apart() -> None:
    files = [("a", b"1"), ("a", b"2"), ("a#2", b"3"), ("a", b"4")]
    named = [("in/x!/a", b"1"), (r"in/x!/a\#2", b"2"), (r"in/x!/a\x232", b"3"), (r"in/x!/a\#3", b"4")]
    assert _read(_tar(files)) == (named, [])
    assert _read(_zip(files)) == (named, [])


def test_a_name_may_be_so_long() -> None:
    files = [("a" * (MAX_NAME_BYTES + 1), b"1"), ("b" * MAX_NAME_BYTES, b"2")]
    for content in (_zip(files), _tar(files, tarfile.GNU_FORMAT)):
        found, rejects = _read(content)
        assert found == [("in/x!/" + "b" * MAX_NAME_BYTES, b"2")]
        assert rejects == [(f"in/x!/{'a' * 100}...", "archive_unsupported")]


# --- damage -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", WHOLE)
def test_a_cut_archive_gives_what_stands_before(name: str) -> None:
    content = WHOLE[name]
    whole = _named("in/x")
    for size in range(0, len(content) - (100 if "pieces" in name else 0), 7):
        found, rejects = _read(content[:size])
        if is_archive(content[:size]):
            assert found == whole[: len(found)]
            if not (found == whole and content[size:].strip(b"\0") == b""):  # zeros fill up a tar
                assert rejects == [("in/x", "archive_damaged")]


def test_a_cut_archive_gives_files_before_the_cut() -> None:
    noise = os.urandom(100_000)
    tar = _tar([("a", noise), ("b", noise), ("c", noise)])
    for content in (tar[:-120_000], _gzip(tar)[:-120_000]):
        (first, *others) = members("in/x", content)
        assert first == Member("in/x!/a", noise)
        assert isinstance(others[-1], Reject)
        assert others[-1].reason_code == "archive_damaged"
        assert others[-1].message.endswith("within in/x!/b")


def test_damage_inside_stays_inside() -> None:
    cut = _gzip(_tar(FILES))[:-30]
    for outer in (_zip([("bad", cut), ("good", b"1")]), _tar([("bad", cut), ("good", b"1")])):
        found, rejects = _read(outer)
        assert found[-1] == ("in/x!/good", b"1")
        assert rejects == [("in/x!/bad", "archive_damaged")]


def test_damage_outside_ends_what_is_inside() -> None:
    inner = _tar([("a", os.urandom(5000)), ("b", os.urandom(5000))])
    outer = _gzip(_tar([("one", inner)]))
    found, rejects = _read(outer[:8000])
    assert [source for source, _ in found] == ["in/x!/one!/a"]
    assert rejects == [("in/x", "archive_damaged")]


def test_wrong_check_sums_are_seen() -> None:
    zipped = bytearray(_zip([("a", b"content"), ("b", b"2")], zipfile.ZIP_STORED))
    zipped[zipped.index(b"content")] ^= 1
    assert _read(bytes(zipped)) == ([("in/x!/b", b"2")], [("in/x!/a", "archive_damaged")])
    packed = bytearray(_gzip(b"content"))
    packed[-8] ^= 1
    assert _read(bytes(packed)) == ([], [("in/x", "archive_damaged")])
    tar = bytearray(_tar(FILES))
    tar[1024] ^= 1
    assert _read(bytes(tar)) == (_named("in/x")[:1], [("in/x", "archive_damaged")])


@pytest.mark.parametrize("rest", [b"x", b"\0x", b"\x1fx", _zip(FILES)])
def test_what_follows_an_archive_is_not_passed_over(rest: bytes) -> None:
    for content in (_gzip(b"a" * 9) + rest, _tar(FILES) + b"\0" * 512 + rest):
        assert _read(content)[1] == [("in/x", "archive_damaged")]


def test_encrypted_members_are_named() -> None:
    zipped = _zip(FILES[:2])
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):  # the flags of the first member
        place = zipped.index(mark) + at
        zipped = zipped[:place] + b"\x01" + zipped[place + 1 :]
    assert _read(zipped) == (_named("in/x")[1:2], [("in/x!/a.txt", "archive_encrypted")])


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_packings_are_not_read(method: int) -> None:
    assert _read(_zip([("a", b"1")], method)) == ([], [("in/x!/a", "archive_unsupported")])


def test_sparse_members_are_not_read() -> None:
    attributes = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "1000000000000"}
    sparse = _info("a", size=512)
    sparse.pax_headers = attributes
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.PAX_FORMAT) as tar:
        tar.addfile(sparse, io.BytesIO(bytes(512)))
        tar.addfile(_info("b", size=1), io.BytesIO(b"x"))
    assert _read(made.getvalue()) == ([("in/x!/b", b"x")], [("in/x!/a", "archive_unsupported")])
    old = _tar_of(_info("a", b"S", 0), _info("b", size=1))
    assert _read(old) == ([("in/x!/b", b"x")], [("in/x!/a", "archive_unsupported")])


# --- harm -------------------------------------------------------------------------------------------------


def _nested(content: bytes, times: int) -> bytes:
    for _ in range(times):
        content = _zip([("x", content)])
    return content


def test_archives_may_be_nested_so_deep() -> None:
    assert _read(_nested(b"1", MAX_DEPTH)) == ([("in/x" + "!/x" * MAX_DEPTH, b"1")], [])
    found, rejects = _read(_nested(b"1", MAX_DEPTH + 1))
    assert (found, rejects) == ([], [("in/x" + "!/x" * MAX_DEPTH, "nested_too_deep")])


def _zeros(size: int) -> bytes:
    """Zeros, gzipped, without ever holding them."""
    packer = zlib.compressobj(9, wbits=31)
    pieces = [packer.compress(bytes(2**20)) for _ in range(size // 2**20)]
    return b"".join([*pieces, packer.flush()])


def _gzipped_tar_of_zeros(size: int) -> bytes:
    header = _tar_of(_info("a", size=0))[:512]
    info = tarfile.TarInfo("zeros")
    info.size = size
    packer = zlib.compressobj(9, wbits=31)
    pieces = [packer.compress(header + info.tobuf()), *(packer.compress(bytes(2**20)) for _ in range(size // 2**20))]
    return b"".join([*pieces, packer.flush()])


def _quine_like(levels: int) -> bytes:
    """Many copies of an archive of many copies."""
    content = _zeros(32 * 2**20)
    for _ in range(levels):
        content = _zip([(f"{number}", content) for number in range(16)])
    return content


def _overlapping() -> bytes:
    """A zip whose directory names one member a thousand times."""
    zipped = _zip([("a", bytes(10**6))])
    start = zipped.index(b"PK\x01\x02")
    end = zipped.index(b"PK\x05\x06")
    directory = zipped[start:end] * 1000
    tail = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1000, 1000, len(directory), start, 0)
    return zipped[:start] + directory + tail


def _with_directory(directory: bytes) -> bytes:
    return b"PK\x03\x04" + directory + struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, len(directory), 4, 0)


def _lying_zip() -> bytes:
    """A member that is larger than the directory and its header say."""
    zipped = _zip([("a", bytes(10**6))])
    return zipped.replace(struct.pack("<L", 10**6), struct.pack("<L", 10))


def _long_note(kind: bytes, size: int) -> bytes:
    info = tarfile.TarInfo("note")
    info.type, info.size = kind, size
    packer = zlib.compressobj(9, wbits=31)
    return b"".join(
        [packer.compress(info.tobuf()), *(packer.compress(bytes(2**20)) for _ in range(200)), packer.flush()]
    )


def _huge_tar() -> bytes:
    info = tarfile.TarInfo("huge")
    info.size = 2**60
    return info.tobuf(tarfile.GNU_FORMAT) + bytes(1024)


HARMFUL: dict[str, tuple[Callable[[], bytes], str]] = {
    "zeros in gzip": (lambda: _zeros(200 * 2**20), "too_large"),
    "zeros in a tar.gz": (lambda: _gzipped_tar_of_zeros(400 * 2**20), "archive_too_large"),
    "zips of zips of zeros": (lambda: _quine_like(2), "archive_too_large"),
    "one member a thousand times": (_overlapping, "archive_damaged"),
    "a member of another size": (_lying_zip, "archive_damaged"),
    "empty members in a zip": (lambda: _with_directory((b"PK\x01\x02" + bytes(42)) * 300_000), "archive_too_large"),
    "a directory of one block": (lambda: _with_directory(b"PK\x01\x02" + bytes(20 * 2**20)), "archive_too_large"),
    "empty members in a tar": (lambda: _gzip(_tar([("a", b"")])[:512] * 120_000), "archive_too_large"),
    "folders in a tar": (lambda: _gzip(_tar_of(_info("a", tarfile.DIRTYPE))[:512] * 120_000), "archive_too_large"),
    "empty gzip streams": (lambda: _gzip(_gzip(b"") * 200_000), "archive_too_large"),
    "a long name": (lambda: _long_note(b"L", 200 * 2**20), "archive_damaged"),
    "long attributes": (lambda: _long_note(b"x", 200 * 2**20), "archive_damaged"),
    "names without a file": (lambda: _gzip(_tar_of(_info("n", b"L", 9))[:1024] * 100_000), "archive_damaged"),
    "a size beyond all": (_huge_tar, "too_large"),
}


_DRIVER = """
import sys, time
from benchmarks.hostile import peak_memory
from etl.containers import Member, members
before, begun, files, reasons = peak_memory(), time.process_time(), 0, []
with open(sys.argv[1], "rb") as file:
    for item in members("in/x", file):
        if isinstance(item, Member):
            files += 1
        else:
            reasons.append(item.reason_code)
print(files, peak_memory() - before, time.process_time() - begun, *reasons)
"""


@pytest.mark.parametrize("name", HARMFUL)
def test_what_means_harm_has_bounded_costs(tmp_path: Path, name: str) -> None:
    make, reason = HARMFUL[name]
    file = tmp_path / "file"
    file.write_bytes(make())
    done = subprocess.run(
        [sys.executable, "-c", _DRIVER, file], capture_output=True, text=True, check=True, timeout=120
    )
    _, memory, seconds, *reasons = done.stdout.split()
    assert reason in reasons
    assert int(memory) < MEMORY
    assert float(seconds) < 60


def test_the_reject_of_a_bomb_names_the_archive_and_the_place() -> None:
    good = _zip([("a.txt", b"1"), ("bomb.tar.gz", _gzipped_tar_of_zeros(400 * 2**20)), ("b.txt", b"2")])
    first, *others = members("in/x", good)
    assert first == Member("in/x!/a.txt", b"1")
    last = others[-1]
    assert isinstance(last, Reject)
    assert (last.source, last.reason_code) == ("in/x", "archive_too_large")
    assert "in/x!/bomb.tar.gz!/zeros" in last.message
    assert last.hint


def test_a_file_too_large_is_left_out_and_the_next_is_read() -> None:
    large = bytes(MAX_FILE_BYTES + 1)
    for content in (_tar([("a", large), ("b", b"1")]), _zip([("a", large), ("b", b"1")])):
        assert _read(content) == ([("in/x!/b", b"1")], [("in/x!/a", "too_large")])


def test_a_file_at_the_limit_is_read() -> None:
    ((source, content),), rejects = _read(_zip([("a", bytes(MAX_FILE_BYTES))]))
    assert (source, len(content), rejects) == ("in/x!/a", MAX_FILE_BYTES, [])


def test_tables_of_blanks_are_no_bomb() -> None:
    text = b"".join(b"%-40d%90d\n" % (number, number * 7) for number in range(200_000))
    assert len(text) / len(_gzip(text)) > 20
    assert _read(_gzip(text), "a.gz") == ([("a.gz!/a", text)], [])


def test_an_archive_that_cannot_be_read_is_told_of() -> None:
    class Broken(io.BytesIO):
        def read(self, _size: int | None = -1, /) -> bytes:
            raise OSError(5, "Input/output error")

    (item,) = members("in/x", Broken(b""))
    assert isinstance(item, Reject)
    assert item.reason_code == "unreadable"


# --- whatever the bytes -----------------------------------------------------------------------------------

_SEEDS = st.sampled_from([*WHOLE.values(), _zip([("x", WHOLE["tar.gz"])]), _tar([("x", WHOLE["zip"])])])


@st.composite
def _damaged(draw: st.DrawFn) -> bytes:
    content = bytearray(draw(_SEEDS))
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(content) - 1))
        content[at : at + draw(st.integers(0, 4))] = draw(st.binary(max_size=4))
    return bytes(content) or b"x"


@given(_damaged() | st.binary(max_size=600))
def test_any_bytes_give_files_and_rejects(content: bytes) -> None:
    items = list(members("in/x", content))
    assert items
    sources = [item.source for item in items if isinstance(item, Member)]
    assert len(sources) == len(set(sources))
    assert all(item.hint and item.message for item in items if isinstance(item, Reject))


_NAMES = st.text("ab/é ", min_size=1, max_size=8).filter(lambda name: not name.endswith("/"))
_CONTENTS = st.binary(max_size=2000).filter(lambda content: not is_archive(content))


@given(st.lists(st.tuples(_NAMES, _CONTENTS), min_size=1, max_size=6))
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_whatever_is_packed_comes_out_again(files: list[tuple[str, bytes]]) -> None:
    contents = [content for _, content in files]
    for packed in (_zip(files), _tar(files), _gzip(_tar(files, tarfile.PAX_FORMAT))):
        assert [content for _, content in _read(packed)[0]] == contents
