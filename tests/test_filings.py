"""Files of several documents: submissions, archives, exhibits of many reports, and what becomes of their parts."""

from __future__ import annotations

import gzip
import html
import io
import re
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import duckdb
import polars as pl
import pytest

import etl
from etl.documents import Document, Reject
from etl.explain import explain
from etl.filings import _standard_input, documents_in, documents_of
from etl.html_text import html_text
from etl.lake import Lake
from etl.layout import Layout, load_layouts
from etl.splits import split_reports
from etl.summary import Summary

from .filings import COVER, submission
from .kit import make_deal, random_style, render, simulate
from .lakes import hashes

MONTHS = 3


@pytest.fixture(scope="module")
def reports() -> list[str]:
    """Three months of one deal."""
    return [render(report, random_style(3)) for report in simulate(make_deal(3), MONTHS)]


@pytest.fixture(scope="module")
def layouts() -> list[Layout]:
    """The packaged layouts, by which a document may hold several reports: each has its cover."""
    return [replace(layout, report_begins=r"\*\*\* REPORT [0-9]+ \*\*\*") for layout in load_layouts()]


def several(reports: Sequence[str], above: str = "") -> str:
    return above + "\n".join(f"*** REPORT {number} ***\n\n{text}" for number, text in enumerate(reports, 1))


def sources(documents: Iterator[Document | Reject]) -> list[str]:
    return [document.source for document in documents]


def lake_rows(output: Path, query: str) -> list[tuple[object, ...]]:
    with duckdb.connect() as database:
        tables = ("reports", "classes", "records")
        for name in tables:
            files = f"'{output}/{name}/**/*.parquet'"
            database.execute(f"create view {name} as from read_parquet({files}, hive_partitioning=1)")
        return database.execute(query).fetchall()


def assert_cut_out_again(output: Path, read: dict[str, list[str]]) -> None:
    """Every record is what its file has at its line and columns; `read` has the lines of each file."""
    query = "select source, line, column_start, column_end, raw from records join reports using (report_id)"
    rows = lake_rows(output, query)
    assert rows
    for source, line, start, end, raw in rows:
        lines = read[str(source).partition("#")[0]]
        assert lines[int(str(line)) - 1][int(str(start)) : int(str(end))] == raw


# --- submissions --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dialect", [{"tags": True}, {"tags": False}, {"tags": False, "pem": True}])
def test_a_submission_gives_its_reports_with_what_its_header_says(
    dialect: dict[str, bool], reports: list[str], tmp_path: Path
) -> None:
    file = tmp_path / "filing.txt"
    text = submission([COVER, *reports[:2]], tags=dialect.get("tags", False), pem=dialect.get("pem", False))
    file.write_text(text)
    summary = etl.run([file], tmp_path / "out")
    assert (summary.reports_read, summary.rejected, summary.attached, summary.documents) == (2, 0, 1, 3)
    said = lake_rows(
        tmp_path / "out",
        "select source, accession_number, cik, sic, filed_date, period_of_report, form_type, is_amendment, "
        "source_line from reports order by source",
    )
    facts = ("0000950000-03-000042", "0001234567", "6189", date(2003, 11, 21), date(2003, 11, 17), "8-K", False)
    lines = text.split("\n")
    begins = [number + 2 for number, line in enumerate(lines) if line == "<TEXT>"]
    assert said == [(f"{file}#{number}", *facts, begins[number - 1]) for number in (2, 3)]
    assert_cut_out_again(tmp_path / "out", {str(file): lines})


def test_a_row_that_begins_with_a_hyphen_is_read_out_of_a_message_that_escapes_it(
    reports: list[str], tmp_path: Path
) -> None:
    """At the columns of the file, whose lines have the escape."""
    plain, count = re.subn(r"(?m)^ +0( +[0-9,]+)$", r"-3\1", reports[0], count=1)
    assert count
    file = tmp_path / "filing.txt"
    text = submission([COVER, plain], pem=True)
    file.write_text(text)
    assert "\n- -3 " in text
    assert etl.run([file], tmp_path / "out").reports_read == 1
    assert_cut_out_again(tmp_path / "out", {str(file): text.split("\n")})
    escaped = etl.read_report(file)
    assert (
        escaped.tables["classes"]
        .drop("report_id")
        .equals(etl.read_report(plain.encode()).tables["classes"].drop("report_id"))
    )
    ((line, start),) = escaped.records.filter(raw="-3").select("line", "column_start").rows()
    assert text.split("\n")[line - 1][start : start + 2] == "-3"
    assert start == 2


@pytest.mark.parametrize(
    ("line", "read"),
    [
        ("- -3  4", "  -3  4"),
        ("- ---", "  ---"),
        ("- - -3", "  - -3"),
        ("- 3", "- 3"),
        (" - -3", " - -3"),
        ("3 - -3", "3 - -3"),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_escapes_are_undone_in_a_message_alone(line: str, read: str, end: str) -> None:
    text = submission([f"{line}\n{line}"], pem=False).replace("\n", end)
    envelope = "-----BEGIN PRIVACY-ENHANCED MESSAGE-----\n\n".replace("\n", end)
    (bare,) = documents_of("a", text.encode())
    (wrapped,) = documents_of("a", (envelope + text).encode())
    assert isinstance(bare, Document)
    assert isinstance(wrapped, Document)
    assert (bare.text, wrapped.text) == (f"{line}\n{line}\n", f"{read}\n{read}\n")
    assert bare.content == wrapped.content == f"{line}{end}{line}{end}".encode()


def test_a_page_in_a_message_is_read_without_escapes() -> None:
    """Its lines count in what a person sees, so nothing needs to stand in their place."""
    page = "<html><body><pre>\n- -3  4\n</pre>\n- -5\n</body></html>"
    message = "-----BEGIN PRIVACY-ENHANCED MESSAGE-----\n\n" + submission([page])
    (document,) = documents_of("a", message.encode())
    assert isinstance(document, Document)
    assert document.text == "-3  4\n\n-5\n"
    assert document.with_text().text == document.text


def test_an_amended_submission_supersedes_the_first(reports: list[str], tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    amended = reports[0].replace("Extra Ordinary", "Extra  Ordinary")
    (inbox / "a.txt").write_text(submission([COVER, amended], form="8-K/A", filed="20031203"))
    (inbox / "b.txt").write_text(submission([COVER, reports[0]]))
    summary = etl.run([inbox], tmp_path / "out")
    assert (summary.reports_read, len(summary.superseded), len(summary.conflicts)) == (2, 1, 0)
    held = lake_rows(tmp_path / "out", "select source, form_type, is_amendment, filed_date from reports")
    assert held == [(f"{inbox}/a.txt#2", "8-K/A", True, date(2003, 12, 3))]


def test_a_second_run_skips_all_parts(reports: list[str], tmp_path: Path) -> None:
    file = tmp_path / "filing.txt"
    file.write_text(submission([COVER, reports[0]]))
    etl.run([file], tmp_path / "out")
    before = hashes(tmp_path / "out")
    again = etl.run([file], tmp_path / "out")
    assert (again.reports_read, again.skipped, again.rejected, again.attached) == (0, 1, 0, 1)
    assert hashes(tmp_path / "out") == before
    forced = etl.run([file], tmp_path / "out", force=True)
    assert (forced.reports_read, forced.attached, forced.rejected) == (1, 1, 0)
    assert hashes(tmp_path / "out") == before


def test_a_submission_without_documents_is_not_lost(reports: list[str], tmp_path: Path) -> None:
    """It is read as it stands, with what its header says."""
    indented = submission([COVER, reports[0]]).replace("<DOCUMENT>", " <DOCUMENT>")
    (tmp_path / "indented.txt").write_text(indented)
    (tmp_path / "header.txt").write_text(submission([], number="0000950000-03-000043"))
    summary = etl.run([tmp_path / "indented.txt", tmp_path / "header.txt"], tmp_path / "out")
    assert (summary.documents, summary.reports_read, summary.rejected) == (2, 1, 1)
    assert [reject["source"] for reject in summary.rejects] == [f"{tmp_path}/header.txt"]
    said = lake_rows(tmp_path / "out", "select source, accession_number, source_line from reports")
    assert said == [(f"{tmp_path}/indented.txt", "0000950000-03-000042", 1)]
    assert_cut_out_again(tmp_path / "out", {f"{tmp_path}/indented.txt": indented.split("\n")})


@pytest.mark.parametrize("size", [90, 9 * 1024 * 1024])
@pytest.mark.parametrize("above", ["", "<PDF>\n", "<GRAPHIC>\n\n<X-Y> \n"])
def test_a_picture_beside_a_report_is_attached(above: str, size: int, reports: list[str], tmp_path: Path) -> None:
    """However large it is, and though it has more numbers than are read."""
    lines = "M" + "1,2." * 15 + "\n"
    picture = f"{above}begin 644 picture.jpg\n{lines * (size // 62 + 1)}`\nend"
    file = tmp_path / "filing.txt"
    file.write_text(submission([COVER, reports[0], picture]))
    summary = etl.run([file], tmp_path / "out")
    assert (summary.reports_read, summary.attached, summary.rejected) == (1, 2, 0)
    with pytest.raises(etl.RejectedError, match=r"binary: .*uuencoding"):
        etl.read_report(picture.encode())


def test_a_report_may_begin_with_begin(reports: list[str]) -> None:
    assert etl.read_report(f"begin 644\n<PDF>\nbegin 644 b\n{reports[0]}".encode()).tables["classes"].height > 1


def test_a_cover_without_a_report_is_rejected(tmp_path: Path) -> None:
    file = tmp_path / "filing.txt"
    file.write_text(submission([COVER, "Dear Sirs"]))
    summary = etl.run([file], tmp_path / "out")
    assert (summary.rejected, summary.attached) == (2, 0)
    assert {reject["source"] for reject in summary.rejects} == {f"{file}#1", f"{file}#2"}
    assert {reject["reason_code"] for reject in summary.rejects} == {"not_a_report"}


def test_parts_in_two_batches_are_attached_all_the_same(
    reports: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("etl.inbox.BATCH_DOCUMENTS", 0)
    file = tmp_path / "filing.txt"
    file.write_text(submission([COVER, reports[0], "Dear Sirs"]))
    etl.run([file], tmp_path / "apart")
    monkeypatch.undo()
    etl.run([file], tmp_path / "together")
    apart, together = hashes(tmp_path / "apart"), hashes(tmp_path / "together")
    assert apart == together
    assert pl.read_parquet(tmp_path / "apart/_rejects/rejects.parquet").is_empty()


# --- many reports in one document ---------------------------------------------------------------------------


def test_a_document_gives_its_reports_and_what_stands_above_them(
    reports: list[str], layouts: list[Layout], tmp_path: Path
) -> None:
    file = tmp_path / "all.txt"
    file.write_text(several(reports, above=COVER))
    documents = list(split_reports(list(documents_in(file)), layouts))
    assert [document.source for document in documents] == [f"{file}#1/{number}" for number in range(MONTHS + 1)]
    assert all(isinstance(document, Document) for document in documents)
    assert b"".join(document.content for document in documents if isinstance(document, Document)) == file.read_bytes()
    summary = etl.run([file], tmp_path / "out", layouts)
    assert (summary.reports_read, summary.attached, summary.rejected) == (MONTHS, 1, 0)
    assert_cut_out_again(tmp_path / "out", {str(file): file.read_text().split("\n")})


def test_one_report_is_not_taken_apart(reports: list[str], layouts: list[Layout]) -> None:
    assert sources(split_reports(list(documents_of("a", several(reports[:1], above=COVER).encode())), layouts)) == ["a"]


def test_reports_of_an_exhibit_are_numbered_in_it(reports: list[str], layouts: list[Layout], tmp_path: Path) -> None:
    file = tmp_path / "filing.txt"
    text = submission([COVER, several(reports)], tags=True)
    file.write_text(text)
    numbered = [f"{file}#2/{number}" for number in range(1, MONTHS + 1)]
    assert sources(split_reports(list(documents_in(file)), layouts)) == [f"{file}#1", *numbered]
    etl.run([file], tmp_path / "out", layouts)
    assert_cut_out_again(tmp_path / "out", {str(file): text.split("\n")})


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_do_not_matter(end: str, reports: list[str], layouts: list[Layout]) -> None:
    text = several(reports, above="above\n").replace("\n", end)
    documents = list(split_reports(list(documents_of("a", text.encode())), layouts))
    assert b"".join(document.content for document in documents if isinstance(document, Document)) == text.encode()
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for document in documents:
        assert isinstance(document, Document)
        assert lines[document.first_line - 1] == document.text.split("\n")[0]


def _with_tags(text: str) -> str:
    """The report with tags that a person sees, as many as make a page."""
    return text.replace("STATEMENT TO CERTIFICATEHOLDERS", "<p>\n<p> <div> <td>\nSTATEMENT TO CERTIFICATEHOLDERS", 1)


@pytest.mark.parametrize("form", ["<html><body><pre>{}</pre></body></html>", "{}"])
def test_tags_that_a_person_sees_are_no_markup_of_the_reports(
    form: str, reports: list[str], layouts: list[Layout], tmp_path: Path
) -> None:
    """A page is read as one once, and a report that is cut out of a text is text."""
    text = several([*reports[:2], _with_tags(reports[2])], above="above\n" * 7000)
    file = tmp_path / "filing.txt"
    file.write_text(form.format(text if form == "{}" else html.escape(text)))
    seen = [document.text for document in documents_in(file) if isinstance(document, Document)]
    assert "<p> <div> <td>" in seen[0]
    summary = etl.run([file], tmp_path / "out", layouts)
    assert (summary.reports_read, summary.rejected) == (MONTHS, 0)
    assert_cut_out_again(tmp_path / "out", {str(file): seen[0].split("\n")})
    lake = Lake(tmp_path / "out")
    (deal,) = lake.deals()
    last = lake.dates(deal)[-1]
    ((key, line),) = lake_rows(
        tmp_path / "out",
        f"select class_key, line from records where field = 'ending_balance' and distribution_date = '{last}' limit 1",  # noqa: S608
    )
    explained = explain(lake, deal, str(last), [str(key), "ending_balance"])
    shown = {shown.number: shown.text for report in explained.reports for shown in report.source.lines}
    assert shown[int(str(line))] == seen[0].split("\n")[int(str(line)) - 1]


# --- archives -----------------------------------------------------------------------------------------------


def zipped(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


def tarred(files: dict[str, bytes], mode: str) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as archive:  # type: ignore[call-overload]
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def test_archives_give_what_the_files_in_them_give(reports: list[str], tmp_path: Path) -> None:
    plain = {f"2003/{number}.txt": submission([COVER, text]).encode() for number, text in enumerate(reports)}
    kinds = {
        "feed.zip": zipped(plain),
        "feed.tar": tarred(plain, "w"),
        "feed.tar.gz": tarred(plain, "w:gz"),
        "deep.zip": zipped({"inner.tar.gz": tarred(plain, "w:gz")}),
    }
    wanted: list[tuple[object, ...]] | None = None
    for name, content in kinds.items():
        file = tmp_path / name
        file.write_bytes(content)
        summary = etl.run([file], tmp_path / f"{name}-out")
        assert (summary.reports_read, summary.attached, summary.rejected) == (MONTHS, MONTHS, 0), name
        inside = f"{file}!/inner.tar.gz!/" if name == "deep.zip" else f"{file}!/"
        found = lake_rows(tmp_path / f"{name}-out", "select source from reports order by source")
        assert found == [(f"{inside}2003/{number}.txt#2",) for number in range(MONTHS)], name
        rows = lake_rows(tmp_path / f"{name}-out", "select * exclude (report_id) from classes order by all")
        wanted = wanted or rows
        assert rows == wanted


def test_a_compressed_report_is_read(reports: list[str], tmp_path: Path) -> None:
    file = tmp_path / "report.txt.gz"
    file.write_bytes(gzip.compress(reports[0].encode()))
    assert etl.run([file], tmp_path / "out").reports_read == 1
    assert etl.read_report(file).tables["classes"].equals(etl.read_report(reports[0].encode()).tables["classes"])


# --- standard input, and the face of Python -----------------------------------------------------------------


def test_standard_input_is_read(reports: list[str], tmp_path: Path) -> None:
    command = [sys.executable, "-c", "from etl.cli import main; main()", "run", "-", "--out", str(tmp_path / "out")]
    given = submission([COVER, *reports]).encode()
    done = subprocess.run(command, input=given, capture_output=True, check=True)
    assert b"3 reports read, 0 rejected" in done.stdout
    found = lake_rows(tmp_path / "out", "select source from reports order by source")
    assert found == [("-#2",), ("-#3",), ("-#4",)]


def test_several_reports_are_not_taken_for_one(reports: list[str]) -> None:
    content = submission([COVER, *reports]).encode()
    assert [report.distribution_date for report in etl.read_reports(content)] == [
        etl.read_report(text.encode()).distribution_date for text in reports
    ]
    with pytest.raises(etl.RejectedError, match="3 reports stand in the file"):
        etl.read_report(content)


def test_a_report_is_read_by_the_name_that_a_run_gives_it(
    reports: list[str], layouts: list[Layout], tmp_path: Path
) -> None:
    filing = submission([COVER, several(reports[:2]), reports[2]])
    files = {r"back\slash#1.txt": filing.encode(), "plain.txt": several(reports).encode(), "a.txt": reports[0].encode()}
    files["all.zip"] = zipped({"in/one.txt": filing.encode(), "in/one.txt.gz": gzip.compress(reports[0].encode())})
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    for number, (name, content) in enumerate(files.items()):
        (inbox / name).write_bytes(content)
        etl.run([inbox / name], tmp_path / f"out-{number}", layouts)
        named = lake_rows(tmp_path / f"out-{number}", "select source, distribution_date from reports")
        assert named
        for source, day in named:
            report = etl.read_report(str(source), layouts)
            assert report.distribution_date == day
            assert report.tables["reports"]["source"].to_list() == [source]
    assert len(etl.read_reports(f"{inbox}/all.zip!/in/one.txt", layouts)) == 3
    assert len(etl.read_reports(f"{inbox}/all.zip!/in/one.txt#2", layouts)) == 2
    with pytest.raises(etl.RejectedError, match="2 reports stand in the file"):
        etl.read_report(f"{inbox}/all.zip!/in/one.txt#2", layouts)
    for none in ("plain.txt#1/9", "all.zip!/in/two.txt", "a.txt#2"):
        with pytest.raises(etl.UsageError, match="there is no such document in"):
            etl.read_report(f"{inbox}/{none}", layouts)
    with pytest.raises(etl.RejectedError, match="unreadable"):
        etl.read_report(f"{inbox}/none.txt#2", layouts)


def test_what_is_read_of_a_submission_is_explained_by_its_own_line(reports: list[str], tmp_path: Path) -> None:
    file = tmp_path / "filing.txt"
    text = submission([COVER, reports[0]])
    file.write_text(text)
    summary: Summary = etl.run([file], tmp_path / "out")
    assert summary.reports_read == 1
    command = [sys.executable, "-c", "from etl.cli import main; main()", "explain", str(tmp_path / "out")]
    deal = next((tmp_path / "out/classes").iterdir()).name.removeprefix("deal=")
    ((key, day),) = lake_rows(tmp_path / "out", "select class_key, distribution_date from classes limit 1")
    told = subprocess.run(
        [*command, deal, str(day), str(key), "beginning_balance", "--json"], capture_output=True, check=False
    )
    assert told.returncode == 0, told


# --- nothing is lost, and nothing costs without end ---------------------------------------------------------


def test_standard_input_that_is_too_large_is_no_shorter_document(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("etl.filings.MAX_FILE_BYTES", 10)
    (document,) = _standard_input("-", io.BufferedReader(io.BytesIO(b"x" * 11)))
    assert isinstance(document, Reject)
    assert document.reason_code == "too_large"


def test_an_archive_on_standard_input_may_have_any_size(monkeypatch: pytest.MonkeyPatch, reports: list[str]) -> None:
    monkeypatch.setattr("etl.filings.MAX_FILE_BYTES", 10)
    archive = tarred({"a": reports[0].encode()}, "w:gz")
    assert sources(_standard_input("-", io.BufferedReader(io.BytesIO(archive)))) == ["-!/a"]


def test_a_submission_of_too_many_documents_stays_rejected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("etl.submissions.MAX_PARTS", 2)
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    (inbox / "a.zip").write_bytes(zipped({"a.txt": submission(["1", "2", "3"]).encode()}))
    for _ in range(2):
        assert etl.run([inbox], tmp_path / "out").rejected == 1
        rejects = pl.read_parquet(tmp_path / "out/_rejects/rejects.parquet")
        assert rejects.select("source", "reason_code").rows() == [(f"{inbox}/a.zip!/a.txt", "too_large")]


def test_a_document_of_too_many_reports_is_one_reject(layouts: list[Layout], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("etl.splits.MAX_REPORTS", 2)
    text = several(["STATEMENT TO CERTIFICATEHOLDERS Distribution Date: AMOUNTS PER $1,000 UNIT Orig"] * 3)
    (document,) = split_reports(list(documents_of("a", text.encode())), layouts)
    assert isinstance(document, Reject)
    assert (document.reason_code, document.source) == ("too_large", "a")


@pytest.mark.parametrize("with_report", ["a.txt", "b.txt"])
def test_a_cover_that_two_filings_share_is_attached_where_its_own_has_a_report(
    reports: list[str], tmp_path: Path, with_report: str
) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    for name in ("a.txt", "b.txt"):
        (inbox / name).write_text(submission([COVER, reports[0]] if name == with_report else [COVER]))
    for _ in range(2):
        summary = etl.run([inbox], tmp_path / "out")
        rejects = pl.read_parquet(tmp_path / "out/_rejects/rejects.parquet")
        other = "b.txt" if with_report == "a.txt" else "a.txt"
        assert rejects["source"].to_list() == [f"{inbox}/{other}#1"]
        assert (summary.rejected, summary.attached) == (1, 1)


def test_what_is_said_of_a_part_is_of_its_own_file(reports: list[str], layouts: list[Layout], tmp_path: Path) -> None:
    """The same report in two files of many."""
    one, other = tmp_path / "a.txt", tmp_path / "z.txt"
    one.write_text(several(reports[:2]))
    other.write_text(several([reports[2], reports[1]], above="Dear Sirs\n"))
    query = "select source, source_line from reports order by all"
    etl.run([one], tmp_path / "out", layouts)
    (_, first) = lake_rows(tmp_path / "out", query)
    etl.run([other], tmp_path / "out", layouts, force=True)
    (_, _, second) = lake_rows(tmp_path / "out", query)
    assert first[0] == f"{one}#1/2"
    assert second[0] == f"{other}#1/2"
    assert first[1] != second[1]
    assert_cut_out_again(tmp_path / "out", {str(file): file.read_text().split("\n") for file in (one, other)})


def test_a_name_on_the_disk_is_no_place_in_a_file(tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    (inbox / "a.zip!").mkdir(parents=True)
    (inbox / "s.txt").write_text(submission(["Dear Sirs"]))
    (inbox / "s.txt#1").write_text("Dear Sir")
    (inbox / "a.zip!" / "x").write_text("Dear")
    (inbox / "a.zip").write_bytes(zipped({"x": b"Madam", "s": submission(["Sirs"]).encode(), "s#1": b"Sir"}))
    assert etl.run([inbox], tmp_path / "out").rejected == 6
    assert pl.read_parquet(tmp_path / "out/_rejects/rejects.parquet")["source"].n_unique() == 6


def test_a_report_as_a_page_is_read_and_explained_by_the_lines_of_its_text(reports: list[str], tmp_path: Path) -> None:
    file = tmp_path / "filing.txt"
    page = f"<html><body><pre>{html.escape(reports[0])}</pre></body></html>"
    file.write_text(submission([COVER, page]))
    assert etl.run([file], tmp_path / "out").reports_read == 1
    text = html_text(page.encode()).split("\n")
    query = "select line, column_start, column_end, raw from records"
    for line, start, end, raw in lake_rows(tmp_path / "out", query):
        assert text[int(str(line)) - 1][int(str(start)) : int(str(end))] == raw
    plain = etl.read_report(reports[0].encode()).tables["classes"].drop("report_id")
    assert etl.read_report(file).tables["classes"].drop("report_id").equals(plain)


def _row(line: str) -> str:
    cells = re.split(" {2,}", line.strip()) if line.strip() else ["\xa0"]
    return "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells) + "</tr>\n"


@pytest.mark.parametrize(
    "page",
    [
        lambda text: f"<table>{''.join(map(_row, text.splitlines()))}</table>",
        lambda text: "".join(
            f"<div>{html.escape(line).replace(' ', '&nbsp;') or '&nbsp;'}</div>" for line in text.splitlines()
        ),
        lambda text: "<br>\n".join(html.escape(line).replace("  ", "&nbsp; ") for line in text.splitlines()),
    ],
    ids=["rows", "divs", "lines"],
)
def test_a_page_without_pre_says_the_same(page: Callable[[str], str], reports: list[str]) -> None:
    plain = etl.read_report(reports[0].encode())
    read = etl.read_report(f"<html><body>{page(reports[0])}</body></html>".encode())
    for name in ("classes", "pools", "delinquencies", "measures", "triggers"):
        assert read.tables[name].drop("report_id").equals(plain.tables[name].drop("report_id"))
    assert "unclaimed" not in read.records["status"]


def test_what_stands_on_the_cover_of_a_submission_is_not_missing(reports: list[str], tmp_path: Path) -> None:
    exhibit = reports[0][reports[0].index("Item 7") :] if "Item 7" in reports[0] else reports[0]
    file = tmp_path / "filing.txt"
    file.write_text(submission([COVER, exhibit]))
    etl.run([file], tmp_path / "out")
    ((form, day),) = lake_rows(tmp_path / "out", "select form_type, report_date from reports")
    assert (form, day) == ("8-K", date(2003, 11, 17)) or "Date of Report" in exhibit
    checks = etl.read_report(file).tables["checks"].filter(check="expected_lines_found")
    assert "fail" not in checks["outcome"]


def test_a_cover_is_attached_where_its_reports_came_with_another_file(reports: list[str], tmp_path: Path) -> None:
    one, other = tmp_path / "one.txt", tmp_path / "two.txt"
    one.write_text(submission([COVER, reports[0]]))
    other.write_text(submission([f"{COVER} again", reports[0]], form="8-K/A"))
    assert etl.run([one], tmp_path / "out").rejected == 0
    for files in ([other], [one, other], [other]):
        summary = etl.run(files, tmp_path / "out")
        assert (summary.rejected, summary.attached) == (0, len(files))


def test_a_cover_is_no_second_reject_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "filing.txt"
    file.write_text(submission([COVER, "STATEMENT TO CERTIFICATEHOLDERS\nDistribution Date: 17-Nov-03\n"]))
    summary = etl.run([file], tmp_path / "out")
    assert (summary.rejected, summary.attached) == (1, 1)
    assert [reject["source"] for reject in summary.rejects] == [f"{file}#2"]


def test_each_document_counts_once(reports: list[str], tmp_path: Path) -> None:
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text(submission([COVER, reports[0]]))
    summary = etl.run([tmp_path / "a.txt", tmp_path / "b.txt"], tmp_path / "out")
    assert (summary.documents, summary.reports_read, summary.duplicates, summary.attached) == (4, 1, 1, 2)
