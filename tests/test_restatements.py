"""Reports that are filed again: the latest version holds, the others stay, and the order of arrival does not matter."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from itertools import permutations
from pathlib import Path

import duckdb
import polars as pl
import pyarrow.parquet as pq
import pytest

from etl import LakeError, Summary, arrow_schema, load_layouts, run
from etl.compaction import compact
from etl.documents import Document, Found, document_from_bytes, gone_sources
from etl.lake import Lake
from etl.lake_checks import check_lake
from etl.layout import Layout
from etl.manifest import Readers, read_manifest, readers, with_folder
from etl.partitions import PartitionBy
from etl.schema import TABLES

from .filings import COVER, submission
from .kit import absc_2003_he2, render
from .lakes import hashes
from .remembered import Remembered, read_with

pytestmark = pytest.mark.usefixtures("remembered")

ORIGINAL = render(absc_2003_he2.report())
NEXT_MONTH = render(absc_2003_he2.following_months(1)[0])
AMENDED = ORIGINAL.replace("Form 8-K", "Form 8-K/A").replace("FORM 8-K", "FORM 8-K/A").replace("278,036", "278,037")
OTHER = ORIGINAL.replace("278,036", "278,038")
# The same figures in another file: with the line ends of another system.
AGAIN = ORIGINAL.replace("\n", "\r\n")


def _revised(text: str, mark: str) -> str:
    return text.replace("STATEMENT TO CERTIFICATEHOLDERS", f"{mark}\n\nSTATEMENT TO CERTIFICATEHOLDERS", 1)


def _inbox(folder: Path, texts: dict[str, str]) -> Path:
    folder.mkdir(exist_ok=True)
    for name, text in texts.items():
        (folder / name).write_bytes(text.encode())
    return folder


def _rows(output: Path, table: str, columns: str, place: str = "") -> list[tuple[object, ...]]:
    files = f"{output}/{place}{table}/**/*.parquet"
    if not list((output / place / table).rglob("*.parquet")):
        return []
    return duckdb.sql(f"SELECT {columns} FROM read_parquet('{files}', hive_partitioning=true) ORDER BY ALL").fetchall()  # type: ignore[union-attr]  # noqa: S608


def _fees(output: Path, place: str = "") -> list[int]:
    """What tells the versions apart."""
    rows = _rows(output, "measures", "measure, CAST(value AS BIGINT)", place)
    return [value for name, value in rows if name == "servicing_fee"]  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "mark"),
    [
        (AMENDED, None),
        (_revised(OTHER, "REVISED"), "REVISED"),
        (_revised(OTHER, "*** Corrected Statement ***"), "Corrected Statement"),
        (OTHER.replace("STATEMENT TO CERTIFICATEHOLDERS", "REVISED STATEMENT TO CERTIFICATEHOLDERS", 1), "REVISED"),
        (OTHER.replace("STATEMENT TO CERTIFICATEHOLDERS", "STATEMENT TO CERTIFICATEHOLDERS (REVISED)", 1), "REVISED"),
    ],
)
def test_the_latest_version_holds_and_the_other_stays(tmp_path: Path, text: str, mark: str | None) -> None:
    assert text not in (ORIGINAL, OTHER)
    inbox = _inbox(tmp_path / "inbox", {"a.txt": ORIGINAL, "b.txt": text})
    summary = run([inbox], tmp_path / "output")
    assert (summary.reports_read, summary.conflicts, summary.numbers_unclaimed) == (2, [], 0)
    (superseded,) = summary.superseded
    assert superseded["source"] == f"{inbox}/a.txt"
    ((source, found),) = _rows(tmp_path / "output", "reports", "source, revision_mark")
    assert (source, found) == (f"{inbox}/b.txt", mark)
    assert _rows(tmp_path / "output", "reports", "source", "_superseded/") == [(f"{inbox}/a.txt",)]
    assert _fees(tmp_path / "output") != _fees(tmp_path / "output", "_superseded/") == [278036]
    for table in TABLES:
        (file,) = (tmp_path / "output" / "_superseded" / table).rglob("*.parquet")
        assert pq.read_schema(file).equals(arrow_schema(table), check_metadata=True)
        assert file.relative_to(tmp_path / "output" / "_superseded") in {
            current.relative_to(tmp_path / "output") for current in (tmp_path / "output" / table).rglob("*.parquet")
        }


@pytest.mark.parametrize(
    "text", ["as amended and restated, revised from time to time", "Amended and Restated Agreement"]
)
def test_words_of_prose_are_no_mark(tmp_path: Path, text: str) -> None:
    said = _revised(ORIGINAL, f"The agreement, {text}, governs.")
    run([_inbox(tmp_path / "inbox", {"a.txt": said})], tmp_path / "output")
    assert _rows(tmp_path / "output", "reports", "revision_mark") == [(None,)]


TEXTS = {"a.txt": ORIGINAL, "b.txt": AMENDED, "c.txt": OTHER, "d.txt": AGAIN, "e.txt": ORIGINAL, "f.txt": NEXT_MONTH}


@pytest.mark.parametrize("partition_by", list(PartitionBy))
def test_neither_order_nor_split_changes_a_byte(tmp_path: Path, partition_by: PartitionBy) -> None:
    inbox = _inbox(tmp_path / "inbox", TEXTS)
    run([inbox], tmp_path / "clean", partition_by=partition_by)
    expected = hashes(tmp_path / "clean")
    files = sorted(inbox.iterdir())
    splits: list[Sequence[Sequence[Path]]] = [[[file] for file in order] for order in list(permutations(files))[::241]]
    splits += [[files[3:], files[:3]], [files[1:5], files[4:], files[:2]]]
    for number, parts in enumerate(splits):
        for part in parts:
            run(part, tmp_path / str(number), partition_by=partition_by)
        assert hashes(tmp_path / str(number)) == expected, [[file.name for file in part] for part in parts]


def test_a_part_of_the_inbox_erases_nothing(tmp_path: Path) -> None:
    inbox = _inbox(tmp_path / "inbox", TEXTS)
    run([inbox], tmp_path / "output")
    expected = hashes(tmp_path / "output")
    for file in sorted(inbox.iterdir()):
        if file.name not in ("d.txt", "e.txt"):
            assert run([file], tmp_path / "output", force=True).reports_read == 1
            assert hashes(tmp_path / "output") == expected


def _conflict(tmp_path: Path) -> tuple[Summary, Path]:
    inbox = _inbox(tmp_path / "inbox", {"a.txt": ORIGINAL, "b.txt": OTHER})
    return run([inbox], tmp_path / "output"), tmp_path / "output"


def test_two_reports_that_nothing_orders_are_a_conflict(tmp_path: Path) -> None:
    summary, output = _conflict(tmp_path)
    (conflict,) = summary.conflicts
    assert conflict["sources"] == [f"{tmp_path}/inbox/a.txt", f"{tmp_path}/inbox/b.txt"]
    assert _fees(output) == [278036, 278038]
    assert _fees(output, "_superseded/") == []
    again = run([tmp_path / "inbox"], output)
    assert (again.skipped, again.conflicts) == (2, [conflict])


def test_an_amendment_ends_a_conflict(tmp_path: Path) -> None:
    _, output = _conflict(tmp_path)
    summary = run([_inbox(tmp_path / "later", {"c.txt": AMENDED})], output)
    assert (len(summary.superseded), summary.conflicts) == (2, [])
    assert _fees(output) == [278037]
    assert _fees(output, "_superseded/") == [278036, 278038]


def test_the_same_report_filed_twice_is_no_conflict(tmp_path: Path) -> None:
    summary = run([_inbox(tmp_path / "inbox", {"a.txt": ORIGINAL, "b.txt": AGAIN})], tmp_path / "output")
    assert (summary.reports_read, summary.conflicts, len(summary.superseded)) == (2, [], 1)
    assert _fees(tmp_path / "output") == _fees(tmp_path / "output", "_superseded/") == [278036]


def test_a_version_without_rows_in_a_table_takes_the_others_out(tmp_path: Path) -> None:
    lines = ("Trigger Event Occurrence", "Step Down Date Occurred", "Has Fairbanks failed")
    text = "\n".join(line for line in AMENDED.split("\n") if not line.startswith(lines))
    inbox = _inbox(tmp_path / "inbox", {"a.txt": ORIGINAL})
    run([inbox], tmp_path / "output")
    assert _rows(tmp_path / "output", "triggers", "trigger")
    _inbox(inbox, {"b.txt": text})
    run([inbox], tmp_path / "output")
    assert not list((tmp_path / "output" / "triggers").rglob("*"))
    assert _rows(tmp_path / "output", "triggers", "trigger", "_superseded/")
    run([inbox], tmp_path / "clean")
    assert hashes(tmp_path / "output") == hashes(tmp_path / "clean")


@pytest.mark.parametrize("text", [ORIGINAL, ORIGINAL.replace("278,036", "278,036.123")], ids=["read", "rejected"])
def test_what_is_remembered_is_what_is_read(tmp_path: Path, text: str) -> None:
    """Here, and where other processes look it up; under the name that a document has now."""
    (layout,) = [layout for layout in load_layouts() if layout.name == "us-bank-text"]
    one, other = (document_from_bytes(text.encode(), name) for name in ("one", "other"))
    assert isinstance(one, Document)
    assert isinstance(other, Document)
    known = Remembered(tmp_path)
    known(layout, [one])
    read = read_with(layout, [other])
    for asked in (known, Remembered(tmp_path, learns=False)):
        found = asked(layout, [other])
        assert found.identity is not None
        assert read.identity is not None
        assert found.identity.equals(read.identity)
        assert found.rejections.equals(read.rejections)
        assert found.tables.keys() == read.tables.keys()
        assert all(found.tables[name].equals(read.tables[name]) for name in read.tables)


# --- the same bytes in several filings ---------------------------------------------------------------------

# A part of a submission ends with the end of its last line, and so do bare copies of it.
EXHIBIT = ORIGINAL.rstrip("\n")
FILED = submission([COVER, EXHIBIT], filed="20031121", number="0000950000-03-000042")
FILED_AGAIN = submission([COVER, EXHIBIT], form="8-K/A", filed="20031203", number="0000950000-03-000077")
FACTS = "accession_number, filed_date, form_type, is_amendment"
FIRST = ("0000950000-03-000042", dt.date(2003, 11, 21), "8-K", False)
SECOND = ("0000950000-03-000077", dt.date(2003, 12, 3), "8-K/A", True)
# Bare copies stand before, between and behind the filings; one filing is there twice.
FILINGS = {
    "a.txt": f"{EXHIBIT}\n",
    "b.txt": FILED,
    "c.txt": f"{EXHIBIT}\n",
    "d.txt": FILED_AGAIN,
    "e.txt": FILED,
    "f.txt": f"{EXHIBIT}\n",
    "g.txt": NEXT_MONTH,
}


def test_the_same_exhibit_in_two_filings_is_two_versions(tmp_path: Path) -> None:
    inbox = _inbox(tmp_path / "inbox", {"a.txt": FILED_AGAIN, "b.txt": FILED})
    output = tmp_path / "output"
    summary = run([inbox], output)
    assert (summary.reports_read, summary.attached, summary.conflicts) == (2, 2, [])
    assert [superseded["source"] for superseded in summary.superseded] == [f"{inbox}/b.txt#2"]
    assert _rows(output, "reports", FACTS) == [SECOND]
    assert _rows(output, "reports", FACTS, "_superseded/") == [FIRST]
    ids = {report_id for place in ("", "_superseded/") for (report_id,) in _rows(output, "reports", "report_id", place)}
    assert len(ids) == 2
    for table in TABLES:
        (file,) = (output / "_superseded" / table).rglob("*.parquet")
        assert pq.read_schema(file).equals(arrow_schema(table), check_metadata=True)
        assert len(_rows(output, table, "*", "_superseded/")) == len(_rows(output, table, "*")) > 0
    assert len(list((output / "_sources").rglob("*.gz"))) == 1
    assert check_lake(Lake(output)).breaks == []


def test_what_is_filed_twice_is_skipped_and_read_anew_like_all_else(tmp_path: Path) -> None:
    inbox = _inbox(tmp_path / "inbox", FILINGS)
    output = tmp_path / "output"
    first = run([inbox], output)
    assert (first.reports_read, first.duplicates, first.skipped) == (3, 4, 0)
    expected = hashes(output)
    again = run([inbox], output)
    assert (again.reports_read, again.duplicates, again.skipped) == (0, 4, 3)
    forced = run([inbox], output, force=True)
    assert (forced.reports_read, forced.duplicates, forced.skipped) == (3, 4, 0)
    assert hashes(output) == expected
    for name in FILINGS.keys() - {"e.txt"}:
        run([inbox / name], output, force=True)
        assert hashes(output) == expected, name
    for file in (output / "_superseded" / "classes").rglob("*.parquet"):
        file.unlink()
    assert run([inbox], output).reports_read == 1
    assert hashes(output) == expected


@pytest.mark.parametrize("partition_by", list(PartitionBy))
def test_neither_order_nor_split_of_filings_changes_a_byte(tmp_path: Path, partition_by: PartitionBy) -> None:
    inbox = _inbox(tmp_path / "inbox", FILINGS)
    run([inbox], tmp_path / "clean", partition_by=partition_by)
    expected = hashes(tmp_path / "clean")
    (listed,) = {number for (number,) in _rows(tmp_path / "clean", "_manifest", "count(report_id)")}
    assert listed == 3
    files = sorted(inbox.iterdir())
    splits: list[Sequence[Sequence[Path]]] = [[[file] for file in order] for order in list(permutations(files))[::991]]
    splits += [
        [files[2:], files[:2]],
        [files[:1], files],
        [files[3:5], files[:4], files[4:]],
        [files[::2], files[1::2]],
    ]
    for number, parts in enumerate(splits):
        for part in parts:
            run(part, tmp_path / str(number), partition_by=partition_by)
        assert hashes(tmp_path / str(number)) == expected, [[file.name for file in part] for part in parts]


def test_batches_of_filings_do_not_change_a_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inbox = _inbox(tmp_path / "inbox", FILINGS)
    run([inbox], tmp_path / "together")
    monkeypatch.setattr("etl.inbox.BATCH_DOCUMENTS", 0)
    run([inbox], tmp_path / "apart")
    assert hashes(tmp_path / "apart") == hashes(tmp_path / "together")


def test_a_bare_copy_says_nothing_beside_a_filing(tmp_path: Path) -> None:
    """It is counted as a copy, whichever is there first, and never stands beside it."""
    inbox = _inbox(tmp_path / "inbox", {"a.txt": f"{EXHIBIT}\n"})
    output = tmp_path / "output"
    run([inbox], output)
    assert _rows(output, "reports", "source, accession_number") == [(f"{inbox}/a.txt", None)]
    _inbox(inbox, {"b.txt": FILED})
    summary = run([inbox / "b.txt"], output)
    assert (summary.reports_read, summary.superseded, summary.lost, summary.conflicts) == (1, [], [], [])
    for force in (False, True):
        summary = run([inbox / "a.txt"], output, force=force)
        assert (summary.documents, summary.duplicates, summary.reports_read) == (1, 1, 0)
        assert _rows(output, "reports", "source, accession_number") == [(f"{inbox}/b.txt#2", FIRST[0])]
        assert _rows(output, "reports", "source", "_superseded/") == []


def test_a_bare_copy_brings_back_the_figures_of_a_filing_that_are_lost(tmp_path: Path) -> None:
    inbox = _inbox(tmp_path / "inbox", {"a.txt": f"{EXHIBIT}\n", "b.txt": FILED})
    output = tmp_path / "output"
    run([inbox], output)
    expected = hashes(output)
    for file in (output / "classes").rglob("*.parquet"):
        file.unlink()
    summary = run([inbox / "a.txt"], output)
    assert (summary.reports_read, summary.duplicates) == (1, 0)
    assert _rows(output, "reports", "source") == [(f"{inbox}/a.txt",)]
    assert len(_rows(output, "classes", "*")) > 0
    run([inbox], output)  # which has the filing
    assert hashes(output) == expected


def test_a_later_copy_of_a_filing_that_is_read_anew_gives_way_to_the_first(tmp_path: Path) -> None:
    """The line of a report and the facts of its header are those of one file, which may differ from the other's."""
    in_tags = submission([COVER, EXHIBIT], number=FIRST[0], tags=True)
    inbox = _inbox(tmp_path / "inbox", {"a.txt": FILED, "b.nc": in_tags})
    run([inbox], tmp_path / "output")
    expected = hashes(tmp_path / "output")
    place = _rows(tmp_path / "output", "reports", "source, source_line")
    run([inbox / "b.nc"], tmp_path / "output")
    assert hashes(tmp_path / "output") == expected
    run([inbox / "b.nc"], tmp_path / "output", force=True)
    line = in_tags[: in_tags.index(EXHIBIT)].count("\n") + 1
    assert _rows(tmp_path / "output", "reports", "source, source_line") == [(f"{inbox}/b.nc#2", line)] != place
    run([inbox], tmp_path / "output")
    assert hashes(tmp_path / "output") == expected


def test_a_filing_that_takes_the_place_of_another_file_is_another_version(tmp_path: Path) -> None:
    """The same bytes at the same place, but in another filing."""
    inbox = _inbox(tmp_path / "inbox", {"a.txt": FILED})
    run([inbox], tmp_path / "output")
    _inbox(inbox, {"a.txt": FILED_AGAIN})
    run([inbox], tmp_path / "output")
    assert _rows(tmp_path / "output", "reports", FACTS) == [SECOND]
    assert _rows(tmp_path / "output", "reports", FACTS, "_superseded/") == [FIRST]
    expected = hashes(tmp_path / "output")
    assert run([inbox], tmp_path / "output", force=True).reports_read == 1
    assert hashes(tmp_path / "output") == expected


def test_two_filings_of_one_day_that_say_the_same_are_no_conflict(tmp_path: Path) -> None:
    same_day = submission([COVER, EXHIBIT], number="0000950000-03-000043")
    summary = run([_inbox(tmp_path / "inbox", {"a.txt": FILED, "b.txt": same_day})], tmp_path / "output")
    assert (summary.reports_read, summary.conflicts, len(summary.superseded)) == (2, [], 1)


def test_each_filing_of_what_is_rejected_has_a_row(tmp_path: Path) -> None:
    letter = "Dear Sirs"
    filings = [submission([letter]), submission([letter], number="0000950000-03-000043")]
    inbox = _inbox(tmp_path / "inbox", {"a.txt": filings[0], "b.txt": filings[1], "c.txt": f"{letter}\n"})
    summary = run([inbox], tmp_path / "output")
    assert (summary.rejected, summary.attached, summary.duplicates) == (3, 0, 0)
    rejects = [(f"{inbox}/{name}",) for name in ("a.txt#1", "b.txt#1", "c.txt")]
    assert _rows(tmp_path / "output", "_rejects", "source") == rejects
    for name in ("c.txt", "b.txt", "a.txt"):
        run([inbox / name], tmp_path / "parts")
    assert hashes(tmp_path / "parts") == hashes(tmp_path / "output")


# --- what is skipped --------------------------------------------------------------------------------------


def test_what_has_not_changed_is_skipped_and_what_is_lost_is_read_again(tmp_path: Path) -> None:
    inbox = _inbox(tmp_path / "inbox", TEXTS)
    output = tmp_path / "output"
    run([inbox], output)
    expected = hashes(output)
    summary = run([inbox], output)
    assert (summary.reports_read, summary.skipped, summary.duplicates) == (0, 5, 1)
    assert summary.numbers_claimed == summary.numbers_found > 0
    for victim in ("triggers", "_superseded/classes", "_sources"):
        for file in (output / victim).rglob("*.*"):
            if file.is_file():
                file.unlink()
        assert run([inbox], output).reports_read > 0
        assert hashes(output) == expected


def test_another_version_of_the_program_reads_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inbox = _inbox(tmp_path / "inbox", {"a.txt": ORIGINAL, "letter.txt": "Dear Sirs"})
    run([inbox], tmp_path / "output")
    assert run([inbox], tmp_path / "output").reports_read == 0
    monkeypatch.setattr("etl.manifest.__version__", "99")
    assert run([inbox], tmp_path / "output").reports_read == 1
    assert run([inbox], tmp_path / "output").reports_read == 0


def test_layouts_are_hashed_once_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is skipped and what is written down follow from one answer."""
    asked: list[int] = []

    def counted(layouts: Sequence[Layout]) -> Readers:
        asked.append(len(layouts))
        return readers(layouts)

    monkeypatch.setattr("etl.runs.readers", counted)
    inbox = _inbox(tmp_path / "inbox", {"a.txt": ORIGINAL, "letter.txt": "Dear Sirs"})
    assert run([inbox], tmp_path / "output").reports_read == 1
    assert run([inbox], tmp_path / "output").skipped == 1
    assert asked == [len(load_layouts())] * 2


def test_a_report_that_is_rejected_now_leaves_the_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another version of the program no longer reads it."""
    inbox = _inbox(tmp_path / "inbox", {"a.txt": ORIGINAL, "b.txt": NEXT_MONTH})
    run([inbox], tmp_path / "output")
    with monkeypatch.context() as patch:
        patch.setattr("etl.batch.choose_layout", _knows_only_december)
        assert run([inbox], tmp_path / "output", force=True).rejected == 1
    assert _rows(tmp_path / "output", "reports", "source") == [(f"{inbox}/b.txt",)]
    assert _rows(tmp_path / "output", "classes", "count(*)") == [(14,)]
    run([inbox], tmp_path / "output", force=True)
    run([inbox], tmp_path / "clean")
    assert hashes(tmp_path / "output") == hashes(tmp_path / "clean")


def _knows_only_december(texts: list[str], layouts: object) -> object:
    from etl.layout import choose_layout  # noqa: PLC0415 - the real one

    hidden = [text if "Dec-03" in text else "" for text in texts]
    return choose_layout(hidden, layouts)  # type: ignore[arg-type]


def test_the_path_in_the_tables_does_not_depend_on_the_order(tmp_path: Path) -> None:
    """The same bytes at two paths: the first of them counts, whichever was seen first."""
    inbox = _inbox(tmp_path / "inbox", {"a.txt": ORIGINAL, "b.txt": ORIGINAL})
    run([inbox / "b.txt"], tmp_path / "output")
    run([inbox / "a.txt"], tmp_path / "output")
    run([inbox], tmp_path / "clean")
    assert hashes(tmp_path / "output") == hashes(tmp_path / "clean")


def test_copies_of_a_rejected_document_have_a_row_each(tmp_path: Path) -> None:
    inbox = _inbox(tmp_path / "inbox", {"a.txt": "Dear Sirs", "b.txt": "Dear Sirs", "c.txt": "", "d.txt": ""})
    summary = run([inbox], tmp_path / "output")
    assert (summary.rejected, summary.duplicates) == (4, 0)
    for order in (("b.txt", "a.txt"), ("d.txt", "c.txt")):
        for name in order:
            run([inbox / name], tmp_path / "parts")
    assert hashes(tmp_path / "parts") == hashes(tmp_path / "output")


# --- what could not be read at all ------------------------------------------------------------------------


def _rejected(output: Path) -> set[str]:
    """The names of what stands in the rejects, which is what the manifest knows."""
    rows = _rows(output, "_rejects", "source")
    rejected = read_manifest(output).rows.filter(pl.col("outcome") == "rejected")
    assert [source for (source,) in rows] == sorted(rejected["source"])
    return {Path(str(source)).name for (source,) in rows}


@pytest.fixture
def unread(tmp_path: Path) -> Path:
    """An inbox with a link, which is not followed, in each of its folders."""
    inbox = _inbox(tmp_path / "inbox", {"a.txt": ORIGINAL, "letter.txt": "Dear Sirs"})
    _inbox(inbox / "sub", {"b.txt": NEXT_MONTH})
    for link in (inbox / "link.txt", inbox / "sub" / "deep.txt"):
        link.symlink_to(inbox / "a.txt")
    run([inbox], tmp_path / "output")
    assert _rejected(tmp_path / "output") == {"letter.txt", "link.txt", "deep.txt"}
    return inbox


def test_what_could_not_be_read_and_is_gone_leaves_the_rejects(unread: Path, tmp_path: Path) -> None:
    """What was read and rejected stays: the lake knows what it is."""
    shutil.rmtree(unread / "sub")
    for name in ("link.txt", "letter.txt"):
        (unread / name).unlink()
    run([unread], tmp_path / "output")
    assert _rejected(tmp_path / "output") == {"letter.txt"}
    again = hashes(tmp_path / "output")
    run([unread], tmp_path / "output")
    assert hashes(tmp_path / "output") == again


def test_what_can_be_read_now_leaves_the_rejects(unread: Path, tmp_path: Path) -> None:
    for link in (unread / "link.txt", unread / "sub" / "deep.txt"):
        link.unlink()
        link.write_text(NEXT_MONTH)
    run([unread / "link.txt"], tmp_path / "output")
    assert _rejected(tmp_path / "output") == {"letter.txt", "deep.txt"}, "the other was not looked at"
    run([unread], tmp_path / "output")
    assert _rejected(tmp_path / "output") == {"letter.txt"}
    run([unread], tmp_path / "clean")
    assert hashes(tmp_path / "output") == hashes(tmp_path / "clean")


def test_a_run_forgets_nothing_that_it_did_not_look_for(unread: Path, tmp_path: Path) -> None:
    for link in (unread / "link.txt", unread / "sub" / "deep.txt"):
        link.unlink()
    (tmp_path / "elsewhere").mkdir()
    for inputs in (unread / "a.txt", unread / "*.txt", tmp_path / "elsewhere"):
        run([inputs], tmp_path / "output")
        assert _rejected(tmp_path / "output") == {"letter.txt", "link.txt", "deep.txt"}
    run([unread / "sub"], tmp_path / "output")
    assert _rejected(tmp_path / "output") == {"letter.txt", "link.txt"}


def test_a_folder_that_cannot_be_listed_is_not_empty(
    unread: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = os.scandir

    def refused(folder: Path) -> Iterator[os.DirEntry[str]]:
        if folder == unread / "sub":
            raise PermissionError(13, "Permission denied")
        return listed(folder)

    (unread / "sub" / "deep.txt").unlink()
    with monkeypatch.context() as patch:
        patch.setattr("etl.documents.os.scandir", refused)
        run([unread], tmp_path / "output")
    assert _rejected(tmp_path / "output") == {"letter.txt", "link.txt", "deep.txt", "sub"}
    run([unread], tmp_path / "output")
    assert _rejected(tmp_path / "output") == {"letter.txt", "link.txt"}


@pytest.mark.parametrize(
    ("folder", "gone"),
    [
        (".", ["a.txt", "in/b.txt"]),
        ("in", ["in/b.txt"]),
        ("..", ["../c.txt"]),
        ("../in", []),
        ("/in", ["/in/d.txt", "/in"]),
        ("/i", []),
    ],
)
def test_paths_lie_in_the_folders_that_they_name(folder: str, gone: list[str]) -> None:
    sources = ["a.txt", "in/b.txt", "../c.txt", "/in/d.txt", "/in"]
    assert gone_sources(dict(zip(sources, sources, strict=True)), [Path(folder)], []) == gone
    assert (
        gone_sources(
            dict(zip(sources, sources, strict=True)), [Path(folder)], [Found(Path(source)) for source in sources]
        )
        == []
    )


# --- what a lake must not forget --------------------------------------------------------------------------


def test_another_layout_tries_what_was_rejected_once_more(tmp_path: Path) -> None:
    (layout,) = [layout for layout in load_layouts() if layout.name == "us-bank-text"]
    inbox = _inbox(tmp_path / "inbox", {"a.txt": ORIGINAL, "b.txt": ORIGINAL.replace("Distribution Date:", "Date:")})
    folder = tmp_path / "layouts" / "other"
    folder.mkdir(parents=True)
    text = layout.file.read_text().replace('name = "us-bank-text"', 'name = "other"')
    (folder / "layout.toml").write_text(text.replace("'Distribution Date:'", "'  Date:'"))
    (other,) = load_layouts(tmp_path / "layouts")
    assert run([inbox], tmp_path / "output", [layout]).rejected == 1
    summary = run([inbox], tmp_path / "output", [layout, other])
    assert (summary.skipped, summary.rejected + summary.reports_read) == (1, 1)
    told = json.loads(max((tmp_path / "output" / "_runs").iterdir()).read_text())
    (tried,) = [document for document in told["documents_read"] if document["source"].endswith("b.txt")]
    assert "marks of us-bank-text were found" not in str(tried["message"])


def test_a_name_is_no_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rejected file that is called like the SHA-256 of a report takes nothing from it."""
    _inbox(tmp_path / "inbox", {"a.txt": ORIGINAL})
    run([tmp_path / "inbox"], tmp_path / "output")
    name = hashlib.sha256(ORIGINAL.encode()).hexdigest()
    monkeypatch.chdir(_inbox(tmp_path / "letters", {name: "Dear Sirs"}))
    run([name], tmp_path / "output")
    rows = _rows(tmp_path / "output", "_manifest", "outcome")
    assert rows == [("read",), ("rejected",)]


def test_a_file_that_is_amended_in_place_counts_once(tmp_path: Path) -> None:
    inbox = _inbox(tmp_path / "inbox", {"a.txt": ORIGINAL})
    run([inbox], tmp_path / "output")
    _inbox(inbox, {"a.txt": AMENDED})
    summary = run([inbox], tmp_path / "output")
    assert (summary.documents, summary.reports_read, len(summary.superseded)) == (1, 1, 1)


@pytest.mark.parametrize("partition_by", [PartitionBy.YEAR, PartitionBy.DEAL])
def test_rows_that_are_lost_in_one_table_are_read_again(tmp_path: Path, partition_by: PartitionBy) -> None:
    """Though the file is there again, with the rows of another report."""
    inbox = _inbox(tmp_path / "inbox", {"a.txt": ORIGINAL, "b.txt": NEXT_MONTH})
    run([inbox], tmp_path / "output", partition_by=partition_by)
    expected = hashes(tmp_path / "output")
    (file,) = (tmp_path / "output" / "classes").rglob("*.parquet")
    file.unlink()
    with pytest.raises(LakeError, match="are lost; run"):
        compact(tmp_path / "output", PartitionBy.DATE)
    run([inbox / "b.txt"], tmp_path / "output", force=True)
    assert file.exists()
    assert run([inbox], tmp_path / "output").reports_read == 1
    assert hashes(tmp_path / "output") == expected


def test_a_rejected_document_keeps_its_own_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was read under the first of its paths, where something else stands now."""
    inbox = _inbox(tmp_path / "inbox", {"a.txt": ORIGINAL, "b.txt": ORIGINAL})
    run([inbox], tmp_path / "output")
    _inbox(inbox, {"a.txt": "Dear Sirs"})
    with monkeypatch.context() as patch:
        patch.setattr("etl.batch.choose_layout", _knows_only_december)
        run([inbox], tmp_path / "output", force=True)
        expected = hashes(tmp_path / "output")
        assert _rows(tmp_path / "output", "_rejects", "source") == [(f"{inbox}/a.txt",), (f"{inbox}/b.txt",)]
        run([inbox], tmp_path / "output", force=True)
        assert hashes(tmp_path / "output") == expected


def test_a_defect_takes_nothing_out_and_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inbox = _inbox(tmp_path / "inbox", {"a.txt": ORIGINAL, "b.txt": NEXT_MONTH})
    run([inbox / "a.txt"], tmp_path / "output")
    with monkeypatch.context() as patch:
        patch.setattr("etl.batch.read_batch", _broken)
        summary = run([inbox], tmp_path / "output", force=True)
        assert {reject["reason_code"] for reject in summary.rejects} == {"internal_error"}
    assert _rows(tmp_path / "output", "reports", "source") == [(f"{inbox}/a.txt",)]
    assert run([inbox], tmp_path / "output").reports_read == 1
    run([inbox], tmp_path / "clean")
    assert hashes(tmp_path / "output") == hashes(tmp_path / "clean")


def _broken(*_: object) -> object:
    raise ZeroDivisionError


@pytest.mark.parametrize("mark", ["_staging", "_manifest", "_runs"])
def test_an_output_in_the_inbox_is_known_from_its_first_moment(tmp_path: Path, mark: str) -> None:
    inbox = _inbox(tmp_path / "inbox", {"a.txt": ORIGINAL})
    run([inbox], tmp_path / "inbox" / "output")
    for folder in {"_staging", "_manifest", "_runs", "_views"} - {mark}:
        shutil.rmtree(inbox / "output" / folder, ignore_errors=True)
    (inbox / "output" / mark).mkdir(exist_ok=True)
    (inbox / "output" / mark / "something.txt").write_text("else")
    assert run([inbox], tmp_path / "other").documents == 1


# --- partitionings ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[PartitionBy, Path]:
    """A lake of all texts with each partitioning, and the inbox beside them; nothing is written into them."""
    folder = tmp_path_factory.mktemp("written")
    inbox = _inbox(folder / "inbox", TEXTS)
    for way in PartitionBy:
        run([inbox], folder / way.name, partition_by=way)
    return {way: folder / way.name for way in PartitionBy}


@pytest.mark.parametrize("was", list(PartitionBy))
@pytest.mark.parametrize("now", list(PartitionBy))
def test_a_compacted_lake_is_as_if_it_had_been_written_so(
    written: dict[PartitionBy, Path], tmp_path: Path, was: PartitionBy, now: PartitionBy
) -> None:
    output = shutil.copytree(written[was], tmp_path / "output")
    done = compact(output, now, workers=1)
    assert (done.was, done.now, done.reports) == (was, now, 5)
    assert done.files_now == len([file for file in hashes(written[now]) if "deal=" in file])
    assert hashes(output) == hashes(written[now])
    inbox = written[now].parent / "inbox"
    assert run([inbox], output).skipped == 5
    run([inbox], output, force=True)
    assert hashes(output) == hashes(written[now])


def test_lost_rows_are_not_compacted_away(tmp_path: Path) -> None:
    run([_inbox(tmp_path / "inbox", TEXTS)], tmp_path / "output")
    for file in (tmp_path / "output").glob("*/deal=*/distribution_date=2003-12-15/*.parquet"):
        file.unlink()
    before = hashes(tmp_path / "output")
    with pytest.raises(LakeError, match="are lost; run"):
        compact(tmp_path / "output", PartitionBy.DEAL)
    assert hashes(tmp_path / "output") == before


@pytest.mark.parametrize("partition_by", list(PartitionBy))
@pytest.mark.parametrize("dates", [[], ["2003-11-17", "2003-12-15", "2003-11-17", "0987-01-01"]])
def test_one_rule_says_where_rows_stand(
    monkeypatch: pytest.MonkeyPatch, partition_by: PartitionBy, dates: list[str]
) -> None:
    """For a frame as for a single report."""
    days = [dt.date.fromisoformat(date) for date in dates]
    deals = [f"deal-{number}" for number in range(len(days))]
    rows = pl.DataFrame({"deal": deals, "distribution_date": days}, {"deal": pl.String, "distribution_date": pl.Date})
    there = [partition_by.folder(deal, day) for deal, day in zip(deals, days, strict=True)]
    assert with_folder(rows, partition_by)["folder"].to_list() == there
    monkeypatch.setattr(PartitionBy, "folder", lambda _, deal, date: f"{date}/{deal}")
    elsewhere = [f"{day}/{deal}" for deal, day in zip(deals, days, strict=True)]
    assert with_folder(rows, partition_by)["folder"].to_list() == elsewhere
