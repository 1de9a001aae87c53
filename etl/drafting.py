"""Text of an unknown layout → a draft: its tables, their columns by position, and what their heads mean.

Nothing is guessed. What a column means follows from its printed head by the list in `synonyms.toml`; a head that is
not in the list stays unmapped. A draft proves nothing: `generic.py` holds it against its own arithmetic, and
`layout_text` writes it down for a person to finish.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from pathlib import Path

from etl.identifiers import is_cusip
from etl.patterns import NOT_APPLICABLE

SYNONYMS = Path(__file__).parent / "synonyms.toml"
MAX_HEAD_LINES = 6
# A row of a table has at least so many numbers.
MIN_CELLS = 2
# Longer lines are no rows of a table that a person reads.
MAX_LINE = 2000
MAX_WORDS = 100
# So many columns of text may stand left of the numbers of a row.
MAX_TEXTS = 10
TOTAL_LABELS = ("total", "totals", "grand total", "total:", "totals:")

_TOKEN = re.compile(r"\S+")
_CELL = re.compile(r"\$?-?\(?-?\$?(?:[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]*)?|[0-9]+(?:\.[0-9]*)?|\.[0-9]+)%?\)?")
_DASHES = re.compile(r"[-\u2013\u2014]{1,6}")
_RULE = re.compile(r"[-=_~*.\s\u2013\u2014]+")
_TAG = re.compile(r"(?:<[^<>\s]{1,20}>\s*+)++")
_FOOTNOTE = re.compile(r"\([0-9*]{1,2}\)")
_NOT_A_WORD = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True)
class DraftCell:
    """A printed cell of a table and the characters of its line that it takes."""

    raw: str
    start: int
    end: int

    @property
    def is_amount(self) -> bool:
        """Whether it is a number, with or without a per cent sign; `N/A` and dashes are none."""
        return any(character.isdigit() for character in self.raw)


@dataclass(frozen=True)
class DraftColumn:
    """A column: the words of its head on each head line, the field of table `classes` that the head means, and where
    it stands."""

    head_lines: tuple[str, ...]
    field: str | None
    is_text: bool
    start: int
    end: int

    @property
    def head(self) -> str:
        """Its head as one text; empty if it has none."""
        return " ".join(line for line in self.head_lines if line)


@dataclass(frozen=True)
class DraftRow:
    """A row: its line, the label that it prints (empty if it has none), a cell for each column, None where it has
    none. The label is the cell of the first column of a table with labels."""

    line: int
    label: str
    cells: tuple[DraftCell | None, ...]
    is_total: bool


@dataclass(frozen=True)
class DraftTable:
    """A table, or one strip of a table that is cut.

    `heads`: the printed lines of its head. `labelled`: whether its first column names the rows. `continues`: of a
    strip the number of the table whose rows it goes on with.
    """

    first_line: int
    last_line: int
    heads: tuple[str, ...]
    columns: tuple[DraftColumn, ...]
    rows: tuple[DraftRow, ...]
    labelled: bool
    continues: int | None = None

    @property
    def names_classes(self) -> bool:
        """Whether the head says that its rows are classes."""
        return self.labelled and self.columns[0].field == "class_id"

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of its rows, the total left out."""
        return tuple(row.label for row in self.rows if not row.is_total)


@dataclass(frozen=True)
class Draft:
    """What could be seen of a document without a layout: its tables, and its lines of titles."""

    tables: tuple[DraftTable, ...]
    titles: tuple[str, ...]


@dataclass(frozen=True)
class _Line:
    number: int
    text: str
    tokens: tuple[DraftCell, ...]  # all words of a line that may be a row
    cells: tuple[DraftCell, ...]  # the numbers at its end


def draft(text: str, first_line: int = 1) -> Draft:
    """The tables of a text, in time that is linear in its length."""
    lines = _lines(text, first_line)
    spacing = min((after.number - line.number for line, after in pairwise(lines)), default=1)
    tables = [table for rows, above in _runs(lines) if (table := _table(rows, lines, above, spacing)) is not None]
    heads = {line for table in tables for line in table.heads}
    return Draft(tuple(_joined(tables)), tuple(_titles([line for line in lines if line.text not in heads])))


@cache
def synonyms() -> dict[str, str]:
    """The published list: the normal form of each head → the column of table `classes` that it means."""
    declared = tomllib.loads(SYNONYMS.read_text(encoding="utf-8"))["classes"]
    return {head: field for field, heads in declared.items() for head in heads}


def normal_head(head: str) -> str:
    """The form in which heads are compared.

    >>> normal_head("Pass-Through Rate (1)")
    'pass through rate'
    """
    return _NOT_A_WORD.sub(" ", _FOOTNOTE.sub(" ", head).lower()).strip()


# --- lines ---------------------------------------------------------------------------------------------------------


def _lines(text: str, first_line: int) -> list[_Line]:
    """The lines that are neither blank nor mere rules and tags."""
    lines = []
    for number, line in enumerate(text.split("\n"), first_line):
        if not line.strip() or _RULE.fullmatch(line) or _TAG.fullmatch(line.strip()):
            continue
        tokens = tuple(_tokens(line)) if len(line) <= MAX_LINE else ()
        tokens = tokens if len(tokens) <= MAX_WORDS else ()
        lines.append(_Line(number, line, tokens, tuple(_cells_at_end(line, tokens))))
    return lines


def _tokens(line: str) -> Iterator[DraftCell]:
    for found in _TOKEN.finditer(line):
        yield DraftCell(found.group(), found.start(), found.end())


def _cells_at_end(line: str, tokens: Sequence[DraftCell]) -> list[DraftCell]:
    """The numbers with which a line ends; a per cent sign belongs to the number before it."""
    cells: list[DraftCell] = []
    percent: DraftCell | None = None
    for token in reversed(tokens):
        if token.raw == "%" and percent is None:
            percent = token
        elif _is_cell(token.raw) and not (len(cells) >= MIN_CELLS and is_cusip(token.raw)):
            end = token.end if percent is None else percent.end
            cells.append(DraftCell(line[token.start : end], token.start, end))
            percent = None
        else:
            break
    return [] if percent is not None else cells[::-1]


def _is_cell(word: str) -> bool:
    return bool(_CELL.fullmatch(word)) or word in NOT_APPLICABLE or bool(_DASHES.fullmatch(word))


# --- tables --------------------------------------------------------------------------------------------------------


def _runs(lines: Sequence[_Line]) -> Iterator[tuple[list[tuple[_Line, tuple[DraftCell | None, ...]]], int]]:
    """Runs of lines that look like rows of one table, their cells by columns, and which line stands above them."""
    run: list[tuple[_Line, tuple[DraftCell | None, ...]]] = []
    spans: list[tuple[int, int]] = []
    begun = 0
    for index, line in enumerate(lines):
        is_row = len(line.cells) >= MIN_CELLS and any(cell.is_amount for cell in line.cells)
        cells = _in_columns(line.cells, spans) if is_row and run else None
        if cells is None:
            if run:
                yield run, begun - 1
            run, spans, begun = [], [], index
            if is_row:
                cells = line.cells
                spans = [(cell.start, cell.end) for cell in cells]
        if cells is not None:
            run.append((line, cells))
            spans = [
                span if cell is None else (min(span[0], cell.start), max(span[1], cell.end))
                for span, cell in zip(spans, cells, strict=True)
            ]
    if run:
        yield run, begun - 1


def _in_columns(cells: Sequence[DraftCell], spans: Sequence[tuple[int, int]]) -> tuple[DraftCell | None, ...] | None:
    """The cells by the columns of the rows above: as many by their order, fewer by where they stand."""
    if len(cells) == len(spans):
        return tuple(cells)
    if len(cells) > len(spans):
        return None
    placed: list[DraftCell | None] = [None] * len(spans)
    at = 0
    for cell in cells:
        while at < len(spans) and spans[at][1] <= cell.start:
            at += 1
        if at == len(spans) or cell.end <= spans[at][0] or placed[at] is not None:
            return None
        if at + 1 < len(spans) and spans[at + 1][0] < cell.end:
            return None  # it stands under two columns
        placed[at] = cell
    return tuple(placed)


def _table(
    run: Sequence[tuple[_Line, tuple[DraftCell | None, ...]]], lines: Sequence[_Line], above: int, spacing: int
) -> DraftTable | None:
    """The table with these rows: its head is looked for in the lines above."""
    numeric = [
        _span([cell for _, cells in run if (cell := cells[column]) is not None]) for column in range(len(run[0][1]))
    ]
    words = [line.tokens[: len(line.tokens) - _words_in(line)] for line, _ in run]
    texts = _text_columns(words)
    if len(texts) > MAX_TEXTS:
        return None
    spans = [*texts, *numeric]
    head = _head_lines(lines, above, spans, spacing)
    columns = _columns(head, spans, len(texts))
    if columns is None:
        return None
    labelled = bool(texts) and (len(texts) == 1 or columns[0].field == "class_id" or not columns[0].field)
    rows = []
    for number, ((line, cells), label_words) in enumerate(zip(run, words, strict=True)):
        text_cells = _text_cells(line.text, label_words, texts)
        label = text_cells[0].raw if text_cells and text_cells[0] is not None else ""
        last = number == len(run) - 1
        is_total = " ".join(label.split()).lower() in TOTAL_LABELS or (bool(texts) and last and not label_words)
        rows.append(DraftRow(line.number, label, (*text_cells, *cells), is_total and number > 0))
    first = head[0].number if head else run[0][0].number
    return DraftTable(first, run[-1][0].number, tuple(line.text for line in head), columns, tuple(rows), labelled)


def _words_in(line: _Line) -> int:
    """How many words the cells at the end of a line take; a lone per cent sign is a word."""
    return sum(2 if cell.raw.endswith("%") and len(cell.raw.split()) > 1 else 1 for cell in line.cells)


def _span(cells: Sequence[DraftCell]) -> tuple[int, int]:
    return min(cell.start for cell in cells), max(cell.end for cell in cells)


def _text_columns(rows: Sequence[Sequence[DraftCell]]) -> list[tuple[int, int]]:
    """Where texts stand left of the numbers: columns are parted by two blanks in all rows."""
    columns: list[tuple[int, int]] = []
    for start, end in sorted((word.start, word.end) for words in rows for word in words):
        if columns and start < columns[-1][1] + 2:
            columns[-1] = (columns[-1][0], max(columns[-1][1], end))
        else:
            columns.append((start, end))
    return columns


def _text_cells(text: str, words: Sequence[DraftCell], columns: Sequence[tuple[int, int]]) -> list[DraftCell | None]:
    cells: list[DraftCell | None] = []
    for start, end in columns:
        inside = [word for word in words if start <= word.start and word.end <= end]
        cells.append(
            DraftCell(text[inside[0].start : inside[-1].end], inside[0].start, inside[-1].end) if inside else None
        )
    return cells


# --- heads ---------------------------------------------------------------------------------------------------------


def _head_lines(lines: Sequence[_Line], above: int, spans: Sequence[tuple[int, int]], spacing: int) -> list[_Line]:
    """The lines of a table's head, from top to bottom.

    Lines that stand as close as lines of this document do belong together; a rule or a blank line ends the head at
    its top. A line with words that run over several columns is a title and no head.
    """
    head: list[_Line] = []
    for index in range(above, max(above - MAX_HEAD_LINES, -1), -1):
        line = lines[index]
        if head and head[-1].number - line.number > spacing:
            break
        if not line.tokens or len(line.cells) >= MIN_CELLS:
            break
        if head and any(_columns_under(group, spans) > 1 for group in _groups(line)):
            break
        head.append(line)
    return head[::-1]


def _groups(line: _Line) -> list[list[DraftCell]]:
    """The words of a line in groups that are parted by two blanks or more, or a tab."""
    groups: list[list[DraftCell]] = []
    for token in line.tokens:
        if groups and token.start - groups[-1][-1].end == 1 and line.text[token.start - 1] == " ":
            groups[-1].append(token)
        else:
            groups.append([token])
    return groups


def _columns_under(group: Sequence[DraftCell], spans: Sequence[tuple[int, int]]) -> int:
    return sum(start < group[-1].end and group[0].start < end for start, end in spans)


def _columns(head: Sequence[_Line], spans: Sequence[tuple[int, int]], texts: int) -> tuple[DraftColumn, ...] | None:
    """The columns with their heads; None where a word of the head stands over no column in particular."""
    printed: list[list[str]] = [[""] * len(head) for _ in spans]
    for number, line in enumerate(head):
        for group in _groups(line):
            for part in [group] if _columns_under(group, spans) <= 1 else [[word] for word in group]:
                column = _column_under(part[0].start, part[-1].end, spans)
                if column is None:
                    return None
                printed[column][number] = " ".join([printed[column][number], *(word.raw for word in part)]).strip()
    heads = [" ".join(lines) for lines in printed]
    known = synonyms()
    fields = [known.get(normal_head(text)) for text in heads]
    doubled = {field for field in fields if field is not None and fields.count(field) > 1}
    columns = []
    for index, ((start, end), lines, field) in enumerate(zip(spans, printed, fields, strict=True)):
        is_text = index < texts
        fits = field not in doubled and (field in ("class_id", "cusip")) == is_text
        columns.append(DraftColumn(tuple(lines), field if fits else None, is_text, start, end))
    return tuple(columns)


def _column_under(start: int, end: int, spans: Sequence[tuple[int, int]]) -> int | None:
    """The column over which words stand: that which they overlap most, else the nearest; None between two."""
    shared = [min(end, right) - max(start, left) for left, right in spans]  # negative: how far apart
    best = max(shared)
    return shared.index(best) if shared.count(best) == 1 else None


# --- strips --------------------------------------------------------------------------------------------------------


def _joined(tables: Sequence[DraftTable]) -> Iterator[DraftTable]:
    """The tables, each strip with the number of the table that it continues.

    A strip with labels repeats those of the table; one without follows it at once and has as many rows. It adds
    columns: none of its fields has been read before.
    """
    first, last = None, -1
    fields: set[str] = set()
    for number, table in enumerate(tables):
        new = {column.field for column in table.columns if column.field not in (None, "class_id", "cusip")}
        if first is not None and not new & fields and _continues(table, tables[first], number == last + 1):
            fields |= {field for field in new if field is not None}
            last = number
            yield replace(table, continues=first)
        else:
            if first is None and table.names_classes and new and _all_dollars(table):
                first, last, fields = number, number, {field for field in new if field is not None}
            yield table


def _continues(table: DraftTable, begun: DraftTable, adjacent: bool) -> bool:  # noqa: FBT001
    if not _all_dollars(table):
        return False
    if table.labelled:
        return table.labels == begun.labels
    return adjacent and len(table.rows) == len(begun.rows)


def _all_dollars(table: DraftTable) -> bool:
    return all(_fits_dollars(table, index) for index, column in enumerate(table.columns) if column.field)


def _fits_dollars(table: DraftTable, index: int) -> bool:
    """Whether no amount of a column has more decimals than dollars have; amounts per 1,000 have."""
    if table.columns[index].is_text or table.columns[index].field == "pass_through_rate":
        return True
    cells = [cell for row in table.rows if (cell := row.cells[index]) is not None]
    return all(decimals(cell.raw) <= DOLLAR_DECIMALS and "%" not in cell.raw for cell in cells)


DOLLAR_DECIMALS = 2


def decimals(raw: str) -> int:
    """How many decimals a number prints."""
    return len(raw.rstrip("%) ").partition(".")[2])


# --- titles, and the text of a layout --------------------------------------------------------------------------------

_TITLE_LINES = 400
_MAX_TITLES = 60
_MAX_TITLE = 80
_NO_TITLE = re.compile(r"[0-9:;.()/$]")
_MARKS = re.compile(
    r"\b(?:statement|report|certificateholders|noteholders|distribution|summary|certificate)\b", re.IGNORECASE
)


def _titles(lines: Sequence[_Line]) -> Iterator[str]:
    """Short lines of words alone, with a capital first, as titles are."""
    seen: set[str] = set()
    for line in lines[:_TITLE_LINES]:
        title = " ".join(line.text[: MAX_LINE + 1].split())
        is_title = len(title) <= _MAX_TITLE and title[0].isupper() and not _NO_TITLE.search(title)
        if is_title and title not in seen and len(seen) < _MAX_TITLES:
            seen.add(title)
            yield title


def layout_text(draft: Draft, name: str) -> str:
    """A layout file to begin with: the marks, and a block for each strip of the class table whose heads are known.

    Columns that are not known are commented. It loads if it has a block; else it says what is missing.
    """
    begun = _begun(draft)
    strips = [
        table for number, table in enumerate(draft.tables) if begun is not None and begun in (number, table.continues)
    ]
    parts = [_file_head(draft, strips, name)]
    named: str | None = None
    for number, table in enumerate(strips, 1):
        block = _block_text(table, f"class_table_{number}", named)
        if block:
            parts.append(block)
            named = named or (f"class_table_{number}" if table.labelled else None)
    others = [table for table in draft.tables if table not in strips and table.heads]
    parts += [_other_text(table) for table in others[:_MAX_OTHERS]]
    return "\n".join(parts)


_MAX_OTHERS = 40


def _begun(draft: Draft) -> int | None:
    """The number of the table that is the first strip of the class table."""
    continued = {table.continues for table in draft.tables}
    tables = enumerate(draft.tables)
    fitting = (
        number for number, table in tables if number in continued or (_has_figures(table) and _all_dollars(table))
    )
    return next(fitting, None)


def _has_figures(table: DraftTable) -> bool:
    return table.names_classes and any(column.field not in (None, "class_id", "cusip") for column in table.columns)


def _file_head(draft: Draft, strips: Sequence[DraftTable], name: str) -> str:
    totals = sorted({row.label for table in strips for row in table.rows if row.is_total and row.label})
    marks = [title for title in draft.titles if _MARKS.search(title)][:3]
    if not marks:
        marks = list(draft.titles[:1])
    marks += [" ".join(line.split()) for table in strips[:1] for line in table.heads[-1:]]
    marks = list(dict.fromkeys(marks))
    listed = "".join(f"  {_quoted(escaped(mark))},\n" for mark in marks if mark)
    note = "" if strips else "\n# No table with known heads of classes was found: write the blocks by hand.\n"
    return (
        "# A draft: look at it and at the report side by side. docs/layouts.md explains the keys.\n\n"
        f"name = {_quoted(name)}\nversion = 1\ntitle = {_quoted(name)}\n\n"
        "# A document has this layout if it has all of these marks. Keep those that every report has, and no other.\n"
        f"identify = [\n{listed}]\n\n[classes]\ntotals = [{', '.join(map(_quoted, totals))}]\n{note}"
    )


def _block_text(table: DraftTable, name: str, named: str | None) -> str:
    """A block, or nothing where the strip has no column that is known, or a column without a head."""
    headed = [column for column in table.columns if column.head]
    unheaded = [column for column in table.columns if not column.head]
    leading = table.columns[: len(unheaded)]
    if any(column.head for column in leading) or not any(column.field for column in headed):
        return ""
    if named is None and not table.labelled:
        return ""
    pattern, unknown = _row_text(table, with_names=not (named and not table.labelled))
    lines = [f'[[block]]\nname = {_quoted(name)}\ntable = "classes"']
    lines += [
        f"# Not known: column {_quoted(head)}; until it has a field, or a name in other_figures, its numbers\n"
        "# are unclaimed, and its words stand with its neighbour's."
        for head in unknown
    ]
    lines.append(f"columns = [{', '.join(map(_quoted, _heads_of_read(headed, table)))}]")
    lines.append(f"row = {_quoted(pattern)}")
    total = table.rows[-1]
    if table.labelled and total.is_total and not total.label:
        lines.append(f"total_row = {_quoted(_total_text(table, total))}")
    if named:
        lines.append(f"{'same_rows_as' if table.labelled else 'labels_from'} = {_quoted(named)}")
    return "\n".join(lines) + "\n"


def _heads_of_read(columns: Sequence[DraftColumn], table: DraftTable) -> Iterator[str]:
    """The heads of the columns that are read. Those of the others stand with the next one's, else with the last's, line
    by line as they are printed: a head is found by all its words."""
    groups: list[list[DraftColumn]] = [[]]
    for column in columns:
        groups[-1].append(column)
        if _is_read(column, table):
            groups.append([])
    last = groups.pop()
    groups[-1] += last
    for group in groups:
        height = len(group[0].head_lines)
        words = (column.head_lines[line] for line in range(height) for column in group)
        yield " ".join(word for word in words if word)


def _is_read(column: DraftColumn, table: DraftTable) -> bool:
    return column.field is not None or (table.labelled and column is table.columns[0])


def _row_text(table: DraftTable, *, with_names: bool) -> tuple[str, list[str]]:
    parts, unknown = [], []
    for index, column in enumerate(table.columns):
        if index == 0 and table.labelled and with_names:
            parts.append(r"(?P<class_id>[A-Za-z0-9]\S*(?: [A-Za-z0-9]\S*)*?)")
        elif column.field is not None and column.field != "class_id":
            parts.append("{" + column.field + "}")
        else:
            unknown.append(column.head)
            parts.append(r"\S+")
    return " ".join(parts), unknown


def _total_text(table: DraftTable, total: DraftRow) -> str:
    """The pattern of a total row without a label: the columns in which it has a cell."""
    printed = [column for column, cell in zip(table.columns, total.cells, strict=True) if cell is not None]
    return " ".join("{" + column.field + "}" if column.field else r"\S+" for column in printed)


def _other_text(table: DraftTable) -> str:
    heads = ", ".join(_quoted(column.head) for column in table.columns if column.head)
    fields = ", ".join(column.field or "?" for column in table.columns if column.head)
    return f"# Lines {table.first_line}-{table.last_line}, columns = [{heads}]\n#   perhaps: {fields}\n"


def escaped(text: str) -> str:
    """A text as a pattern that fits it alone; blanks stand for any run of blanks."""
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", " ".join(text.split()))


def _quoted(text: str) -> str:
    """A text as TOML writes it, literally where that can be."""
    printable = "".join(character if character.isprintable() else " " for character in text)
    if "'" not in printable:
        return f"'{printable}'"
    return '"' + printable.replace("\\", "\\\\").replace('"', '\\"') + '"'
