"""Where files that people ask for may stand: only a regular file is replaced, whatever writes it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

import etl
from etl.data_package import write_data_package
from etl.errors import OutputError, UsageError
from etl.views import write_views
from etl.whole_files import hold_off, place_of, write_whole

from .conftest import REPOSITORY
from .lakes import hashes


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("made") / "lake"
    etl.run([REPOSITORY / "samples/inbox/absc-2003-he2_2003-11-17.txt"], output)
    return output


@pytest.mark.parametrize(
    ("write", "name"),
    [(write_data_package, "datapackage.json"), (write_views, "_views/duckdb.sql"), (write_views, "_views/spark.sql")],
)
def test_what_is_no_file_stays_in_the_lake(lake: Path, write: Callable[[Path], object], name: str) -> None:
    place = lake / name
    place.parent.mkdir(exist_ok=True)
    place.unlink(missing_ok=True)
    os.mkfifo(place)
    try:
        with pytest.raises(OutputError, match=f"{name}: cannot be written: it is no regular file; "):
            write(lake)
        assert place.is_fifo()
    finally:
        place.unlink()
    write(lake)
    assert place.is_file()


def test_a_file_is_replaced_where_its_link_leads(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / "a").write_bytes(b"old")
    (tmp_path / "link").symlink_to("far/a")
    write_whole(tmp_path / "link", b"new", "name another")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "far" / "a").read_bytes() == b"new"
    assert sorted(file.name for file in tmp_path.rglob("*")) == ["a", "far", "link"]


@pytest.mark.parametrize("place", ["file/a", "file/folder/a"])
def test_a_file_where_a_folder_belongs_is_said(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"cannot be written: what stands above it is no folder; name another$"):
        write_whole(tmp_path / place, b"new", "name another")
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("kind", ["pipe", "link", "around"])
def test_what_is_no_file_is_in_the_way(tmp_path: Path, kind: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    (tmp_path / "around").symlink_to("around")
    with pytest.raises(OutputError, match=f"{kind}: cannot be written: it is no regular file; name another$"):
        write_whole(tmp_path / kind, b"new", "name another")
    with pytest.raises(UsageError, match=f"{kind}: is no regular file; name a file$"):
        hold_off(tmp_path / kind, "s3://bucket/lake")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["around", "link", "pipe"]
    assert (tmp_path / "pipe").is_fifo()


def test_a_pipe_or_a_removed_file_that_is_open_is_in_the_way(tmp_path: Path) -> None:
    """Such as `--html /dev/stdout`: its link leads to no path that could be written."""
    reads, writes = os.pipe()
    with os.fdopen(reads), os.fdopen(writes, "w"), (tmp_path / "removed").open("w") as removed:
        (tmp_path / "removed").unlink()
        for number in (writes, removed.fileno()):
            with pytest.raises(OutputError, match=f"/dev/fd/{number}: cannot be written: it is no regular file; "):
                write_whole(Path(f"/dev/fd/{number}"), b"new", "name another")
    assert not list(tmp_path.iterdir())


def test_a_place_in_the_lake_is_known_by_name_and_by_links(lake: Path, tmp_path: Path) -> None:
    """A table may be a link to another disk: what is written below its name is still a part of the lake."""
    before = hashes(lake, but="")
    (tmp_path / "linked").symlink_to(lake)
    (tmp_path / "lake").mkdir()
    (tmp_path / "lake" / "classes").symlink_to(tmp_path)
    for file, output in (
        (lake / "a", lake),
        (lake / "classes" / "a", lake),
        (lake / "no" / ".." / "a", lake),
        (tmp_path / "linked" / "a", lake),
        (lake / "a", tmp_path / "linked"),
        (tmp_path / "lake" / "classes" / "a", tmp_path / "lake"),
    ):
        with pytest.raises(UsageError, match="stands in the lake"):
            hold_off(file, str(output))
    for file in (lake.parent / "a", lake.with_name("lake2") / "a", lake / ".." / "a"):
        hold_off(file, str(lake))
    assert hashes(lake, but="") == before


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("", "--to is empty; name what is to be written"),
        ("-", "--to -: nothing is written to standard output; name a path"),
        ("s3://bucket/a", "--to s3://bucket/a: it is written to this machine; name a path"),
    ],
)
def test_an_option_names_a_place_of_this_machine(given: str, told: str) -> None:
    with pytest.raises(UsageError) as refused:
        place_of("--to", given)
    assert str(refused.value) == told
    assert place_of("--to", "./-") == Path("-")
