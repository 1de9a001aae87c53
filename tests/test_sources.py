"""The sources of the reports in the lake: which are kept, the same bytes every time, bounded reading."""

from __future__ import annotations

import gzip
import hashlib
import os
from pathlib import Path

import pytest

from etl import LakeError, OutputError, run
from etl.documents import MAX_BYTES, source_name, source_path
from etl.sources import compressed, read_source, source_file

from .kit import absc_2003_he2, make_deal, render, simulate

pytestmark = pytest.mark.usefixtures("remembered")

REPORT = render(absc_2003_he2.report()).encode()
# Bytes that are no UTF-8, a byte order mark, and line ends of another system.
OTHER = b"\xef\xbb\xbf" + render(simulate(make_deal(0), 1)[0]).replace("\n", "\r\n").encode()

KEPT = compressed(REPORT)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _sources(output: Path) -> dict[str, bytes]:
    files = [file for file in (output / "_sources").rglob("*") if file.is_file()]
    return {str(file.relative_to(output)): file.read_bytes() for file in files}


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    folder = tmp_path / "inbox"
    folder.mkdir()
    (folder / "a.txt").write_bytes(REPORT)
    (folder / "b.txt").write_bytes(OTHER)
    (folder / "copy-of-a.txt").write_bytes(REPORT)
    (folder / "letter.txt").write_text("Dear Sirs")
    (folder / "damaged.txt").write_bytes(REPORT[:5000])
    return folder


def test_the_sources_of_reports_alone_are_kept(inbox: Path, tmp_path: Path) -> None:
    run([inbox], tmp_path / "output")
    names = {f"_sources/{_sha256(content)[:2]}/{_sha256(content)}.gz": content for content in (REPORT, OTHER)}
    assert {name: gzip.decompress(content) for name, content in _sources(tmp_path / "output").items()} == names
    for content in (REPORT, OTHER):
        assert read_source(tmp_path / "output", _sha256(content)) == content


def test_the_same_source_gives_the_same_bytes(inbox: Path, tmp_path: Path) -> None:
    run([inbox], tmp_path / "one")
    for file in inbox.iterdir():
        os.utime(file, (0, 0))
    run([inbox / "a.txt"], tmp_path / "two")
    run([inbox / "b.txt"], tmp_path / "two")
    assert _sources(tmp_path / "one") == _sources(tmp_path / "two")


def test_a_source_that_stands_there_is_not_written_again(inbox: Path, tmp_path: Path) -> None:
    run([inbox], tmp_path / "output")
    files = [tmp_path / "output" / name for name in _sources(tmp_path / "output")]
    before = [file.stat() for file in files]
    run([inbox], tmp_path / "output")
    assert [(file.stat().st_ino, file.stat().st_mtime_ns) for file in files] == [
        (status.st_ino, status.st_mtime_ns) for status in before
    ]


def test_sources_may_be_left_out(inbox: Path, tmp_path: Path) -> None:
    run([inbox], tmp_path / "output", keep_sources=False)
    assert not (tmp_path / "output" / "_sources").exists()
    with pytest.raises(LakeError, match=r"is not there; run .* without --no-sources"):
        read_source(tmp_path / "output", _sha256(REPORT))


def test_sources_in_an_output_inside_an_inbox_are_no_inputs(inbox: Path) -> None:
    run([inbox], inbox / "output")
    assert run([inbox], inbox / "output").documents == 5


def test_the_source_stands_there_before_the_report(inbox: Path, tmp_path: Path) -> None:
    """A run that breaks off at the source leaves no report that lacks it."""
    (tmp_path / "output").mkdir()
    (tmp_path / "output" / "_sources").write_text("in the way")
    with pytest.raises(OutputError, match=r"_sources.*cannot be written"):
        run([inbox], tmp_path / "output")
    assert {entry.name for entry in (tmp_path / "output").iterdir()} == {"_runs", "_sources", "_staging"}


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (b"", "is damaged|SHA-256"),
        (KEPT[:-5], "is damaged"),
        (KEPT[:100], "is damaged"),
        (b"no gzip at all", "is damaged"),
        (KEPT[:200] + bytes(50) + KEPT[250:], "is damaged"),
        (compressed(OTHER), "it does not have the SHA-256 of its name"),
        (KEPT + compressed(b"more"), "it does not have the SHA-256 of its name"),
        (KEPT + b"more", "is damaged"),
    ],
)
def test_a_damaged_source_is_named(tmp_path: Path, damage: bytes, said: str) -> None:
    file = tmp_path / source_file(_sha256(REPORT))
    file.parent.mkdir(parents=True)
    file.write_bytes(damage)
    with pytest.raises(LakeError, match=said) as caught:
        read_source(tmp_path, _sha256(REPORT))
    assert str(caught.value).startswith(f"{file}: is damaged: ")
    assert str(caught.value).endswith("; delete it and run `etl run` over its report again")
    assert "\n" not in str(caught.value)


def test_a_folder_in_place_of_a_source_is_told(tmp_path: Path) -> None:
    (tmp_path / source_file(_sha256(REPORT))).mkdir(parents=True)
    with pytest.raises(LakeError, match="cannot be read"):
        read_source(tmp_path, _sha256(REPORT))


def test_no_more_is_decompressed_than_the_program_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small file that would grow to 2 GiB."""
    sizes: list[int] = []
    read = gzip.GzipFile.read

    def counted(self: gzip.GzipFile, size: int | None = -1) -> bytes:
        content = read(self, size)
        sizes.append(len(content))
        return content

    monkeypatch.setattr(gzip.GzipFile, "read", counted)
    file = tmp_path / source_file("0" * 64)
    file.parent.mkdir(parents=True)
    member = gzip.compress(bytes(16 * 1024 * 1024), 9)
    file.write_bytes(member * 128)
    with pytest.raises(LakeError, match=f"more than {MAX_BYTES:,} bytes"):
        read_source(tmp_path, "0" * 64)
    assert sum(sizes) <= MAX_BYTES + 1


@pytest.mark.parametrize("sha256", ["", "../../../etc/passwd", "a" * 63, "A" * 64, f"{'a' * 64}/..", f"{'a' * 64}\n"])
def test_a_name_that_is_no_hash_leads_nowhere(sha256: str) -> None:
    with pytest.raises(ValueError, match="is no SHA-256"):
        source_file(sha256)


@pytest.mark.parametrize("path", [b"a/b.txt", b"a\\b.txt", b"a\\x41.txt", "é報.txt".encode(), b"\xff\\\xfe", b"\\\\"])
def test_the_name_of_a_source_leads_back_to_its_path(path: bytes) -> None:
    given = Path(os.fsdecode(path))
    assert source_path(source_name(given)) == given
