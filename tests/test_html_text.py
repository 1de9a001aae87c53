"""HTML as a person sees it: lines and columns, nothing hidden, whatever the bytes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.errors import RejectedError
from etl.html_text import MAX_DEPTH, MAX_TAGS, html_text, is_html

MOST = 8 * 2**20
MEMORY = 400 * 2**20
SECONDS = 60


def _text(html: str) -> str:
    return html_text(html.encode())


def _table(*rows: str) -> list[str]:
    """The lines of a table whose cells are given with bars between them; `a*3` is a cell over three columns."""
    lines = []
    for row in rows:
        cells = [cell.strip().partition("*") for cell in row.split("|")]
        lines.append("<tr>" + "".join(f"<td colspan='{span or 1}'>{text}</td>" for text, _, span in cells) + "</tr>")
    return _text("<table>\n" + "\n".join(lines) + "\n</table>").splitlines()


# --- what is HTML -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        b"<html>",
        b"\xef\xbb\xbf\n<!DOCTYPE HTML PUBLIC '-//W3C//DTD HTML 4.01//EN'>",
        b"<XBRL>\n<?xml version='1.0'?>\n<html xmlns='x'>",
        b"<BODY BGCOLOR=white>",
        b"<div>a</div><p>b</p><br/>",
        b"<PRE>a</PRE><TABLE><TR><TD>1",
        b"\xef\xbb\xbf\n <pre>\na &lt; b\n</pre>",
    ],
)
def test_pages_are_html(content: bytes) -> None:
    assert is_html(content)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"a report",
        b"<PAGE>\n<TABLE>\n<CAPTION>\nClass  Balance\n<S>    <C>\nA-1      1\n</TABLE>\n<FN><F1>" * 100,
        b"<PDF>\nbegin 644 a.pdf\n",
        b"a < b, <htmls and <p>",
        b"a <pre>",
        b"<preface>",
        b"<DIVISION> <TRUST> <BODYSHOP> <FONTANA> <HTMLS>" * 9,
    ],
)
def test_text_with_a_few_tags_is_none(content: bytes) -> None:
    assert not is_html(content)


def test_real_text_filings_are_none(corpus: Path) -> None:
    files = sorted(corpus.glob("*.txt"))
    if not files:
        pytest.skip(f"needs real filings, which are not in {corpus}")
    assert not [file.name for file in files if is_html(file.read_bytes())]


# --- text -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("html", "lines"),
    [
        ("<p>one\n two</p><p>three</p>", ["one two", "", "three"]),
        ("<div>a</div><div>b</div>", ["a", "b"]),
        ("a<br>b<br/>c<br><br>d", ["a", "b", "c", "", "d"]),
        ("<b>a</b>b <i>c</i>", ["ab c"]),
        ("&amp;&lt;&#36;&#151;&nbsp;x&nbsp;&nbsp; y", ["&<$— x   y"]),
        ("<p>&nbsp;a&nbsp;&nbsp;&nbsp;1\n 2&nbsp;</p>", [" a   1 2"]),
        ("<div>a</div><div>&nbsp;</div><div>b</div><div></div><div>c</div>", ["a", "", "b", "c"]),
        ("a<br>&nbsp;<br>b", ["a", "", "b"]),
        ("<pre>&nbsp;a&nbsp;&nbsp;b</pre>", [" a  b"]),
        ("a<style>b</style><script>c<b></script><!-- d -->e", ["ae"]),
        ("<head><title>a</title></head>b", ["b"]),
        ("a<div style='color:red; DISPLAY : none'>b<div>c</div></div>d", ["ad"]),
        ("a<p hidden>b</p>c", ["ac"]),
        ("<ix:header><ix:hidden>a</ix:hidden></ix:header><ix:nonFraction name='x'>1,234</ix:nonFraction>", ["1,234"]),
        ("<h1>a</h1><ul><li>b<li>c</ul><hr>d", ["a", "", "b", "c", "", "d"]),
        ("zero\u200bwidth and soft\xadhyphen", ["zerowidth and softhyphen"]),
        ("<td>a</td><td>b</td>", ["a b"]),
        ("<p>unclosed <b>bold <p>next", ["unclosed bold", "", "next"]),
        ("&nb sp; &zz;", ["&nb sp; &zz;"]),
        ("", []),
    ],
)
def test_what_is_seen(html: str, lines: list[str]) -> None:
    assert _text(html).splitlines() == lines


def test_encodings_are_those_of_all_documents() -> None:
    """Whatever the page says of itself."""
    page = "<html><meta charset='iso-8859-2'><p>\N{EM DASH} é</p>"
    assert html_text(page.encode()) == html_text(page.encode("cp1252")) == "— é\n"


def test_text_that_is_laid_out_stays_so() -> None:
    laid_out = "Class    Balance\n\n  A-1  <b>1,234</b>\tx\n     &lt;S&gt;&nbsp;2"
    expected = ["Class    Balance", "", "  A-1  1,234\tx", "     <S> 2"]
    assert _text(f"<p>a</p><pre>\n{laid_out}\n</pre>b").splitlines() == ["a", "", *expected, "", "b"]
    assert _text(f"<div style='white-space: pre'>{laid_out}</div>").splitlines() == expected
    tagged = f"<PRE><PAGE><TABLE><CAPTION>{laid_out}<S><C>\n  z</TABLE></PRE>"
    assert _text(tagged).splitlines() == [*expected, "  z"]


def test_text_that_is_laid_out_in_a_cell() -> None:
    assert _text("<table><tr><td><pre>a   b\n  c</pre></td></tr></table>") == "a   b\n  c\n"
    assert _table("x | <pre>1,234</pre>", "y | <pre>5</pre>") == ["x   1,234", "y       5"]


# --- tables -----------------------------------------------------------------------------------------------


def test_columns_are_as_wide_as_their_widest_cells() -> None:
    assert _table("Class | Balance | Rate", "A-1 | 1,234,567.00 | 1.5", "A-IO-INV | 9 | 12.25") == [
        "Class           Balance    Rate",
        "A-1        1,234,567.00     1.5",
        "A-IO-INV              9   12.25",
    ]


def test_signs_join_their_numbers() -> None:
    rows = ("A || $ | 1,234 || 1.5 | %", "B || ( | 12 | ) | 2 |", "C || $( | 3 | )|  | x", "D || $ | - || 10.25 | %")
    assert [line.split() for line in _table(*rows)] == [
        ["A", "$1,234", "1.5%"],
        ["B", "(12)", "2"],
        ["C", "$(3)", "x"],
        ["D", "$-", "10.25%"],
    ]


@pytest.mark.parametrize("row", ["a | % | b", "( | a | )", "$ | a", "1 | $", "a | )", "$", "- | 12"])
def test_other_signs_stay_where_they_are(row: str) -> None:
    cells = [cell.strip() for cell in row.split("|")]
    (line,) = _table(row)
    assert line.split("   ") == cells or line.split() == cells


def test_spacers_and_empty_columns_go() -> None:
    assert _table("|&nbsp;| a || 1 |", "||||", "| | b |&nbsp;| 22 |") == ["a    1", "b   22"]


def test_cells_over_several_columns() -> None:
    assert _table("Class | Principal and more*2 | Rate", "A | 1 | 2 | 3", "Total*3 | 4") == [
        "Class   Principal and more   Rate",
        "A       1                2      3",
        "Total                           4",
    ]


def test_a_row_of_blanks_that_do_not_break_is_a_blank_line() -> None:
    assert _table("|a|1|", "|&nbsp;||", "|b|22|", "|||", "|c|3|") == ["a    1", "", "b   22", "c    3"]


def test_a_nested_table_of_one_text_is_text_of_its_cell() -> None:
    nested = "<table><tr><td>&nbsp;&nbsp;&nbsp;Total</td></tr></table>"
    assert _text(f"<table><tr><td>{nested}</td><td>5</td></tr></table>").splitlines() == ["Total   5"]


def test_a_head_over_spacers_stands_over_its_column() -> None:
    assert _table("Class | Balance*3 | Loss*2", "A | $ | 1,000,000 || 5 |", "B || 2 || 66 |") == [
        "Class      Balance   Loss",
        "A       $1,000,000      5",
        "B                2     66",
    ]


def test_a_cell_over_several_rows_stands_in_the_first() -> None:
    html = "<table><tr><td rowspan=2>a<td>1<tr><td>2<tr><td>b<td>3</table>"
    assert _text(html).splitlines() == ["a   1", "    2", "b   3"]


def test_lines_in_a_cell() -> None:
    assert _table("a<br>b | <p>c</p><p>d\n  e</p>") == ["a b   c d e"]
    assert _table("a<br>b", "<p>c</p><p>d</p>") == ["a", "b", "c", "", "d"]


def test_prose_does_not_move_columns() -> None:
    prose = "word " * 30
    assert _table(f"{prose} | 1", "a | 2") == [f"{prose.strip()}   1", "a   2"]
    assert _table("a | 1", f"{prose}*2") == ["a   1", prose.strip()]


def test_tables_in_tables_stand_in_reading_order() -> None:
    inner = "<table><tr><td>x<td>1<tr><td>yy<td>22</table>"
    html = f"<p>0</p><table><tr><td>a<td>b {inner} c<td>d<tr><td>e<td>f</table>g"
    lines = ["0", "", "a   b", "", "x     1", "yy   22", "", "    c   d", "e   f", "", "g"]
    assert _text(html).splitlines() == lines


def test_a_table_of_one_cell_is_text_of_its_cell() -> None:
    number = "<table><tr><td>{}</td></tr></table>"
    assert _table(f"a | {number.format(5)}", f"b | {number.format(1234)}") == ["a      5", "b   1234"]


def test_hidden_cells_and_rows_are_none() -> None:
    html = "<table><tr><td>a<td style='display:none'>b<td>c<tr style='display:none'><td>d<tr><td>e<td>f</table>"
    assert _text(html).splitlines() == ["a   c", "e   f"]


def test_what_stands_beside_cells_is_not_lost() -> None:
    html = "<table>one<caption>two</caption><tr>three<td>four</td>five</tr>six</table>"
    assert sorted(_text(html).split()) == sorted(["one", "two", "three", "four", "five", "six"])


# --- whatever the bytes -----------------------------------------------------------------------------------

_TAGS = ["table", "tr", "td", "th", "caption", "p", "div", "pre", "xmp", "br", "b", "span", "ul", "li", "hr"]
_TAGS += ["html", "head", "title", "body", "style", "script", "select", "a"]
_TEXTS = ["&nbsp;", "&#0;", "&#x110000;", "\x00", "\r\n", " ", "1,234", "$", "(", ")", "%", "word", "\ud7ff", "<"]
_TEXTS += ["<td colspan=3>", "<td rowspan=2>", "<p hidden>", "<!--", "-->"]
_PIECES = st.sampled_from([*(f"<{tag}>" for tag in _TAGS), *(f"</{tag}>" for tag in _TAGS), *_TEXTS])


@given(st.lists(_PIECES | st.text(max_size=4), max_size=60).map("".join))
def test_any_page_has_a_text(html: str) -> None:
    content = html.encode("utf-8", "replace")
    text = html_text(content)
    assert text == html_text(content)
    assert all(line == line.rstrip() for line in text.split("\n"))
    is_html(content)


@given(st.binary(max_size=300))
def test_any_bytes_have_a_text(content: bytes) -> None:
    html_text(content)
    html_text(b"<html><table><tr><td>" + content)


_WORDS = st.from_regex(r"[a-z]{1,8}|[0-9]{1,3}(,[0-9]{3})?", fullmatch=True)
_ROWS = st.lists(st.lists(_WORDS, min_size=3, max_size=3), min_size=1, max_size=8)


@given(_ROWS)
def test_cells_come_out_as_they_went_in(rows: list[list[str]]) -> None:
    lines = _table(*(" | ".join(row) for row in rows))
    assert [line.split() for line in lines] == rows


# --- harm -------------------------------------------------------------------------------------------------


def _most(piece: bytes) -> bytes:
    return piece * min(MOST // len(piece), (MAX_TAGS - 2000) // max(piece.count(b"<"), 1))


HARMFUL: dict[str, Callable[[], bytes]] = {
    "a row of cells": lambda: b"<table><tr>" + _most(b"<td>1"),
    "one wide cell": lambda: b"<table><tr><td>" + b"x" * (MOST // 2) + b"<td>1" + b"<tr><td>a<td>b" * (MAX_TAGS // 4),
    "wide columns": lambda: b"<table><tr>" + (b"<td>" + b"x" * 120) * 120 + _most(b"<tr><td colspan=127><td>x"),
    "cells over rows": lambda: b"<table><tr>" + b"<td rowspan=65534>a" * 120 + _most(b"<tr><td>1"),
    "cells over all": lambda: b"<table>" + _most(b"<tr><td colspan=999 rowspan=999>1"),
    "end tags": lambda: b"<div>" * (MAX_DEPTH - 5) + _most(b"</i>"),
    "text": lambda: _most(b"x &amp; "),
    "one style": lambda: b'<i style="display' + b" " * MOST + b'">a',
}


@pytest.mark.parametrize("name", HARMFUL)
def test_the_worst_pages_have_bounded_costs(tmp_path: Path, name: str) -> None:
    file = tmp_path / "page"
    file.write_bytes(HARMFUL[name]())
    done = subprocess.run(
        [sys.executable, "-c", _DRIVER, file], capture_output=True, text=True, check=True, timeout=120
    )
    memory, seconds = done.stdout.split()
    assert int(memory) < MEMORY
    assert float(seconds) < SECONDS


_DRIVER = """
import sys, time
from benchmarks.hostile import peak_memory
from etl.html_text import html_text
with open(sys.argv[1], "rb") as file:
    content = file.read()
before, begun = peak_memory(), time.process_time()
html_text(content)
print(peak_memory() - before, time.process_time() - begun)
"""


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"<br>" * (MAX_TAGS + 1), "too_large"),
        (b"<div>" * MAX_TAGS, "nested_too_deep"),
        (b"<table><tr><td>" * (MAX_TAGS // 3), "nested_too_deep"),
        (b"<b><i><font>x" * (MAX_TAGS // 3), "nested_too_deep"),
    ],
    ids=["tags", "div", "table", "font"],
)
def test_a_page_beyond_the_limits_is_refused(content: bytes, reason: str) -> None:
    with pytest.raises(RejectedError) as caught:
        html_text(content)
    assert caught.value.reason_code == reason


def test_nothing_is_fetched_or_expanded(tmp_path: Path) -> None:
    secret = tmp_path / "file"
    secret.write_text("secret")
    address = secret.as_uri()
    page = f"<!DOCTYPE html SYSTEM '{address}' [<!ENTITY a SYSTEM '{address}'>]><p>&a;</p><iframe src='{address}'>"
    assert "secret" not in _text(page)
    laughs = "".join(f"<!ENTITY l{number + 1} '{f'&l{number};' * 10}'>" for number in range(9))
    assert len(_text(f"<!DOCTYPE html [<!ENTITY l0 'ha'>{laughs}]><p>&l9;</p>")) < 2000
