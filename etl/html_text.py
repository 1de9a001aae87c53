"""HTML → the text that a person sees, in lines and columns as a text report has them.

Read by libxml2 (lxml): it mends HTML as it goes and hands over tags and text one after the other, so there is no tree,
and memory does not grow with depth. It fetches nothing, and expands no entities but those of HTML.

A row of a table is a line. Columns stand as far apart as their widest cells need; numbers end where their column ends.
Text in `<pre>` stays as it is.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import NamedTuple

from lxml import etree

from etl.decoding import decode
from etl.errors import RejectedError

# Blanks between two columns.
GAP = 3
# Wider cells are prose: they do not move what stands in other rows.
MAX_COLUMN_WIDTH = 120
# Real tables have less than a hundred, spacers included. What stands further right goes into the last one.
MAX_COLUMNS = 128
# So many characters may be aligned, then the cells of a table just follow each other: more would not be read.
MAX_ALIGNED = 16 * 1024 * 1024
# 8 MiB of real pages have about half as many; each costs some microseconds, and a cell some hundred bytes.
MAX_TAGS = 800_000
# Deeper pages are mostly tags that nobody closed. An end tag is looked for in all open elements: the most tags times
# this depth takes some seconds.
MAX_DEPTH = 1000

_HEAD_BYTES = 64 * 1024
_CHUNK = 64 * 1024  # the parser looks at its orders only between two of these
_IS_PAGE = re.compile(rb"<(?:!doctype[ \t\r\n]++html|html|body)[ \t\r\n>]", re.IGNORECASE)
_IS_KEPT = re.compile(rb"(?:\xef\xbb\xbf)?\s*+<pre[ \t\r\n>]", re.IGNORECASE)
# Tags that text exhibits do not have. (They have PAGE, TABLE, CAPTION, S, C, FN.)
_IS_MARKUP = re.compile(rb"<(?:p|br|div|td|tr|font|span|center|pre)[ \t\r\n/>]", re.IGNORECASE)
_MARKUP_TAGS = 3

# Not seen by anybody.
_HIDDEN = {"head", "title", "script", "style", "template", "noscript", "object", "iframe", "ix:header", "ix:hidden"}
_HIDING = re.compile(r"display\s*+:\s*+none", re.IGNORECASE)
_CELLS = ("td", "th")
_PRE = {"pre", "xmp", "listing", "plaintext"}
_KEEPING = re.compile(r"white-space\s*+:\s*+(?:pre|break-spaces)", re.IGNORECASE)
# Begin and end a line; those of the second kind have a blank line around them.
_LINES = {"address", "article", "aside", "body", "center", "dd", "div", "dt", "fieldset", "figure", "footer", "form"}
_LINES |= {"header", "html", "li", "main", "nav", "option", "page", "section", "caption", "legend", "table", "tr"}
_PARAGRAPHS = {"blockquote", "dl", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "ol", "p", "ul"}

# Marks without a width are nothing. Of blanks in a row a person sees one, but all of those that do not break.
_UNSEEN = str.maketrans({"\xad": None, "\u200b": None, "\u200c": None, "\u200d": None, "\ufeff": None})
_NO_BREAK = "\xa0"
_BLANKS = re.compile(rf"[^\S{_NO_BREAK}]+")
_SPAN = re.compile(r"\s*+([0-9]{1,5})")
_NUMBER = re.compile(r"[-+($€£ ]*+(?:[0-9][0-9,]*+(?:\.[0-9]*+)?|\.[0-9]++)[)% ]*+")
_NOTHING = {"-", "--", "---", "\N{EN DASH}", "\N{EM DASH}", "N/A", "n/a", "NA"}  # what stands for a number
_BEFORE, _AFTER = frozenset("$€£("), frozenset(")%")


class _Cell(NamedTuple):
    """A cell with text, in the columns `start` to `end`; lines within it are parted by line feeds."""

    start: int
    end: int
    text: str


_Row = list[_Cell]


@dataclass
class _Block:
    """Lines that stay as they are."""

    lines: list[str]


def is_html(content: bytes) -> bool:
    """Whether a document is HTML, and not text with a few tags for pages and columns."""
    head = content[:_HEAD_BYTES]
    if b"<" not in head:  # the expressions would take long to find that out
        return False
    if _IS_KEPT.match(head):
        return True
    return _IS_PAGE.search(head) is not None or len(_IS_MARKUP.findall(head)) >= _MARKUP_TAGS


def html_text(content: bytes) -> str:
    """The text of an HTML document as a person sees it. The same bytes give the same text.

    Raises RejectedError where it has too many tags, or they are nested too deep.
    """
    if (tags := content.count(b"<")) > MAX_TAGS:
        raise RejectedError(
            "too_large", f"{tags:,} HTML tags; at most {MAX_TAGS:,} are read", "split it into its reports"
        )
    page = _Page()
    parser = etree.HTMLParser(target=page, encoding="utf-8", huge_tree=True, no_network=True)
    given = decode(content).encode()
    for at in range(0, len(given), _CHUNK):
        parser.feed(given[at : at + _CHUNK])
    if given:
        parser.close()
    return page.text()


class _Flow:
    """Text that runs on in lines."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.has_blank_line = False
        self._pieces: list[str] = []
        self._is_apart = False

    def add(self, text: str) -> None:
        self._pieces.append(text)

    def end_line(self) -> bool:
        """End the line; False if there was nothing in it. Of blanks that do not break it is a blank line."""
        line = _seen("".join(self._pieces))
        self._pieces = []
        if line.strip():
            self._put([line])
        elif line:
            self.has_blank_line = self._is_apart = True
        return bool(line.strip())

    def part(self) -> None:
        """End the line, and leave a blank one before the next."""
        self.end_line()
        self._is_apart = True

    def block(self, lines: list[str]) -> None:
        """Lines that stay as they are, apart from others."""
        self.part()
        if lines:
            self._put(lines)
            self._is_apart = True

    def _put(self, lines: list[str]) -> None:
        if self._is_apart and self.lines:
            self.lines.append("")
        self._is_apart = False
        self.lines += lines


@dataclass
class _Table:
    """A table while it is read: its rows, and the lines between them that are no rows of its own."""

    items: list[_Row | _Block] = field(default_factory=list)
    row: _Row | None = None
    cell: _Flow | None = None
    between: _Flow = field(default_factory=_Flow)
    _is_spaced: bool = False  # whether a cell of the row has blanks that do not break, and nothing else
    _span: tuple[int, int] = (0, 0)
    _number: int = 0  # of the row
    _column: int = 0
    # Columns that cells of earlier rows reach into, and the row that is free of them again.
    _taken: dict[int, int] = field(default_factory=dict)

    def begin_row(self) -> None:
        self.end_row()
        self._say_what_is_between()
        self.row = []
        self._number += 1
        self._column = 0

    def end_row(self) -> None:
        """Put the row into its place. One of blanks that do not break keeps others apart."""
        self.end_cell()
        if self.row:
            self.items.append(self.row)
        elif self._is_spaced:
            self.items.append(_Block([]))
        self.row, self._is_spaced = None, False

    def begin_cell(self, columns: int = 1, rows: int = 1) -> None:
        self.end_cell()
        if self.row is None:
            self.begin_row()
        taken, number, column = self._taken, self._number, self._column
        while column in taken and taken[column] > number:
            column += 1
        start = min(column, MAX_COLUMNS - 1)
        end = min(start + columns, MAX_COLUMNS) - 1
        if rows > 1:
            self._taken.update(dict.fromkeys(range(start, end + 1), self._number + rows))
        self._span, self._column, self.cell = (start, end), end + 1, _Flow()

    def end_cell(self) -> None:
        """Put the cell into its row; one without text is none."""
        if self.cell is not None and self.row is not None:
            self.cell.end_line()
            self._is_spaced |= self.cell.has_blank_line
            if self.cell.lines:
                self.row.append(_Cell(*self._span, "\n".join(self.cell.lines)))
        self.cell = None

    def insert(self, lines: list[str]) -> None:
        """Lines that stand in a cell but are none of it: what is left of it and its row comes after them."""
        if self.cell is not None:
            self.end_cell()
            self.cell = _Flow()
        if self.row:
            self.items.append(self.row)
            self.row = []
        self._say_what_is_between()
        self.items.append(_Block(lines))

    def flow(self) -> _Flow:
        """Where text goes."""
        if self.cell is None and self.row is not None:
            self.begin_cell()
        return self.between if self.cell is None else self.cell

    def end(self) -> list[_Row | _Block]:
        self.end_row()
        self._say_what_is_between()
        return self.items

    def _say_what_is_between(self) -> None:
        self.between.end_line()
        if self.between.lines:
            self.items.append(_Block(self.between.lines))
            self.between = _Flow()


class _Page:
    """What the parser tells its tags and texts to."""

    def __init__(self) -> None:
        self._flow = _Flow()
        self._tables: list[_Table] = []
        self._open: list[tuple[bool, bool]] = []  # of each open element, whether it is hidden, and keeps its layout
        self._kept: list[str] | None = None  # text that keeps its layout
        self._left = MAX_ALIGNED

    def text(self) -> str:
        """All that was seen."""
        while self._tables:
            self._end_table()
        self._end_kept()
        self._flow.end_line()
        return "".join(f"{line.rstrip()}\n" for line in self._flow.lines)

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        """An element begins."""
        if len(self._open) >= MAX_DEPTH:
            message = f"HTML elements are nested more than {MAX_DEPTH:,} deep"
            raise RejectedError("nested_too_deep", message, "save it as text, and give that")
        was_hidden, was_kept = self._open[-1] if self._open else (False, False)
        style = attributes.get("style", "")
        is_hidden = was_hidden or tag in _HIDDEN or "hidden" in attributes or _HIDING.search(style) is not None
        is_kept = tag not in _CELLS and (was_kept or tag in _PRE or _KEEPING.search(style) is not None)
        self._open.append((is_hidden, is_kept))
        if is_hidden:
            return
        if is_kept and not was_kept:
            self._begin_kept()
        self._begin(tag, attributes)

    def end(self, tag: str) -> None:
        """An element ends."""
        is_hidden, is_kept = self._open.pop()
        if is_hidden:
            return
        if tag == "table" and self._tables:
            self._end_table()
        elif tag in _CELLS and self._tables:
            self._tables[-1].end_cell()
        elif tag == "tr" and self._tables:
            self._tables[-1].end_row()
        elif tag != "br":
            self._break(tag)
        if is_kept and not (self._open and self._open[-1][1]):
            self._end_kept()

    def data(self, text: str) -> None:
        """A piece of text."""
        is_hidden, is_kept = self._open[-1] if self._open else (False, False)
        if is_hidden:
            return
        if not text.isascii():
            text = text.translate(_UNSEEN)
        if is_kept:
            if self._kept is None:
                self._begin_kept()
            assert self._kept is not None
            self._kept.append(text.replace(_NO_BREAK, " "))
        elif self._tables and self._tables[-1].cell is None and not text.strip():
            pass  # between the tags of a table
        else:
            self._where().add(text)

    def comment(self, text: str) -> None:
        """Nobody sees it."""

    def pi(self, target: str, data: str | None = None) -> None:
        """Nobody sees it."""

    def close(self) -> None:
        """The parser has no more to tell."""

    def _begin(self, tag: str, attributes: Mapping[str, str]) -> None:
        if tag == "table":
            self._begin_table()
        elif tag == "br":
            self._end_of_line()
        elif tag in _CELLS and self._tables:
            self._end_kept()
            self._tables[-1].begin_cell(_number(attributes, "colspan"), _number(attributes, "rowspan"))
        elif tag in _CELLS:
            self._where().add(" ")
        elif tag == "tr" and self._tables:
            self._end_kept()
            self._tables[-1].begin_row()
        else:
            self._break(tag)

    def _where(self) -> _Flow:
        return self._tables[-1].flow() if self._tables else self._flow

    def _break(self, tag: str) -> None:
        """Begin or end what stands in lines of its own."""
        if tag not in _LINES and tag not in _PARAGRAPHS:
            return
        if self._kept is not None:
            if self._kept and not self._kept[-1].endswith("\n"):
                self._kept.append("\n")
        elif self._tables and self._tables[-1].cell is None:
            self._tables[-1].between.end_line()
        elif tag in _PARAGRAPHS:
            self._where().part()
        else:
            self._where().end_line()

    def _end_of_line(self) -> None:
        if self._kept is not None:
            self._kept.append("\n")
        elif not self._where().end_line():
            self._where().part()

    def _begin_kept(self) -> None:
        if self._tables and self._tables[-1].cell is None:
            self._tables[-1].between.end_line()
        else:
            self._where().end_line()
        self._kept = []

    def _end_kept(self) -> None:
        if self._kept is not None:
            lines = "".join(self._kept).replace("\r\n", "\n").replace("\r", "\n").split("\n")
            self._kept = None
            self._insert(_trimmed(line.rstrip() for line in lines))

    def _begin_table(self) -> None:
        self._break("table")
        self._tables.append(_Table())

    def _end_table(self) -> None:
        items = self._tables.pop().end()
        if self._kept is None or items:
            self._end_kept()
            self._insert(self._lines(items))

    def _insert(self, lines: list[str]) -> None:
        """Lines that stay as they are, at this place; one without columns in a cell is text of it."""
        if not lines:
            return
        table = self._tables[-1] if self._tables else None
        if table is None:
            self._flow.block(lines)
        elif table.cell is not None and len(lines) == 1 and " " * GAP not in lines[0].strip():
            table.cell.end_line()
            table.cell.add(lines[0])
            table.cell.end_line()
        else:
            table.insert(lines)

    def _lines(self, items: Sequence[_Row | _Block]) -> list[str]:
        """The lines of a table."""
        rows = [item for item in items if not isinstance(item, _Block)]
        is_data = any(len(row) > 1 for row in rows)
        if is_data:
            rows = [_joined([cell._replace(text=" ".join(cell.text.split())) for cell in row]) for row in rows]
            places = _places(rows)
            length = sum(ends[-1] for ends in _ends(rows, places))
            if length > self._left:
                places = [[0] * len(row) for row in rows]
            else:
                self._left -= length
            lines = iter([[_line(row, starts)] for row, starts in zip(rows, places, strict=True)])
        else:
            lines = iter([cell.text.split("\n") for row in rows for cell in row])
        return _trimmed(
            line
            for item in items
            for line in ((["", *item.lines, ""] if item.lines else [""]) if isinstance(item, _Block) else next(lines))
        )


def _seen(text: str) -> str:
    """A line as a person sees it."""
    if _NO_BREAK not in text:
        return " ".join(text.split())
    line = _BLANKS.sub(" ", text).strip(" ").replace(_NO_BREAK, " ")
    return line.rstrip() or line


def _number(attributes: Mapping[str, str], name: str) -> int:
    """How many columns or rows a cell has."""
    found = _SPAN.match(attributes.get(name, ""))
    return max(int(found[1]), 1) if found else 1


def _trimmed(lines: Iterable[str]) -> list[str]:
    """Lines without blank ones at both ends."""
    listed = list(lines)
    while listed and not listed[-1]:
        listed.pop()
    first = next((at for at, line in enumerate(listed) if line), 0)
    return listed[first:]


# --- the cells of a table ---------------------------------------------------------------------------------


def _is_figure(text: str) -> bool:
    """Whether a cell has a number, or what stands for none."""
    return text in _NOTHING or _NUMBER.fullmatch(text) is not None


def _joined(row: _Row) -> _Row:
    """The row with its signs of currency and percent and its parentheses in the cells of their numbers."""
    done: _Row = []
    before: _Row = []
    for cell in row:
        signs = cell.text.replace(" ", "")
        if _BEFORE.issuperset(signs):
            before.append(cell)
        elif _AFTER.issuperset(signs) and done and not before and _is_figure(done[-1].text):
            done[-1] = done[-1]._replace(text=done[-1].text + signs)
        elif before and _is_figure(cell.text):
            done.append(cell._replace(text="".join(sign.text.replace(" ", "") for sign in before) + cell.text))
            before = []
        else:
            done += [*before, cell]
            before = []
    return done + before


def _columns(rows: Sequence[_Row]) -> list[int]:
    """The columns in which something stands: cells over several need one of their own only if none of these is."""
    spans = {(cell.end - cell.start, cell.start, cell.end, _is_figure(cell.text)) for row in rows for cell in row}
    columns: list[int] = []
    for _, start, end, is_figure in sorted(spans):
        if bisect_left(columns, start) == bisect_right(columns, end):
            insort(columns, end if is_figure else start)
    return columns


def _places(rows: Sequence[_Row]) -> list[list[int]]:
    """Where each cell of each row begins."""
    columns = _columns(rows)
    spans = [[(bisect_left(columns, cell.start), bisect_right(columns, cell.end)) for cell in row] for row in rows]
    widths, figures = _widths(rows, spans, len(columns))
    begins = [begin + GAP * at for at, begin in enumerate(accumulate(widths, initial=0))]
    ends = [begin + width for begin, width in zip(begins, widths, strict=False)]
    return [
        [
            _place(cell.text, begins[first], ends[last - 1], first, last, ends_right=figures[last - 1] > 0)
            for cell, (first, last) in zip(row, found, strict=True)
        ]
        for row, found in zip(rows, spans, strict=True)
    ]


def _place(text: str, begin: int, end: int, first: int, last: int, *, ends_right: bool) -> int:
    """Where a cell begins: numbers end with their column, and so do others among them; heads stand over the middle."""
    if _is_figure(text) or (last - first == 1 and ends_right):
        return max(end - len(text), 0)
    if last - first == 1 or first == 0:
        return begin
    return begin + max(end - begin - len(text), 0) // 2


def _widths(
    rows: Sequence[_Row], spans: Sequence[Sequence[tuple[int, int]]], count: int
) -> tuple[list[int], list[int]]:
    """Of each column its width, and how many more numbers than texts it has."""
    widths, figures = [0] * count, [0] * count
    wide: dict[tuple[int, int, int], int] = {}
    for row, found in zip(rows, spans, strict=True):
        for at, (cell, (first, last)) in enumerate(zip(row, found, strict=True)):
            width = len(cell.text) if len(cell.text) <= MAX_COLUMN_WIDTH else 0
            if last - first == 1:
                widths[first] = max(widths[first], width)
                figures[first] += 1 if _is_figure(cell.text) else -1
            elif at + 1 < len(row):  # something follows, for which there must be room
                key = (last - first, first, last)
                wide[key] = max(wide.get(key, 0), width)
    for (_, first, last), width in sorted(wide.items()):
        widths[last - 1] += max(width - sum(widths[first:last]) - GAP * (last - first - 1), 0)
    return widths, figures


def _ends(rows: Sequence[_Row], places: Sequence[Sequence[int]]) -> Iterator[list[int]]:
    """Where each cell of each row ends, when the cells before it have had their room."""
    for row, starts in zip(rows, places, strict=True):
        ends: list[int] = []
        for cell, start in zip(row, starts, strict=True):
            ends.append(max(start, ends[-1] + GAP if ends else 0) + len(cell.text))
        yield ends


def _line(row: _Row, places: Sequence[int]) -> str:
    """The line of a row."""
    (ends,) = _ends([row], [places])
    before = [0, *ends[:-1]]
    return "".join(cell.text.rjust(end - start) for cell, start, end in zip(row, before, ends, strict=True))
