"""A document of many reports → its reports, by the lines at which its layout says that they begin."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import polars as pl

from etl.documents import Document, Reject, document_from_bytes
from etl.html_text import is_html
from etl.layout import Layout, choose_layout

# The expression of a report's first line may go on over so many lines.
_LINES = 3
_LINE_END = re.compile(rb"\r\n|\r|\n")


def split_reports(document: Document, layouts: Sequence[Layout]) -> Iterator[Document | Reject]:
    """The reports of a document, or the document itself where it has no more than one.

    What stands above the first report comes first, as number 0, where it has any text. The source of a report is that
    of the document, with its number.
    """
    lines, begins = _begins(document, layouts)
    if len(begins) < 2:  # noqa: PLR2004 - several
        yield document
        return
    content = _content(document)
    ends = [0, *(found.end() for found in _LINE_END.finditer(content)), len(content)]
    starts = [0, *begins]
    for number, (first, after) in enumerate(zip(starts, [*begins, lines], strict=True)):
        if first == after:
            continue
        part = content[ends[first] : ends[after]]
        if number or part.strip():
            yield document_from_bytes(
                part,
                f"{document.source}/{number}" if document.file else f"{document.source}#1/{number}",
                file=document.file or document.source,
                first_line=document.first_line + first,
                header=document.header,
            )


def _begins(document: Document, layouts: Sequence[Layout]) -> tuple[int, list[int]]:
    """How many lines a document has, and at which of them (from 0) its reports begin."""
    text = pl.Series([document.text])
    for layout in layouts:
        if layout.report_begins is None or not text.str.contains(f"(?m){layout.report_begins}").item():
            continue
        scores = choose_layout([document.text], [layout])
        if (scores["found"] < scores["wanted"]).item():
            continue
        lines = pl.DataFrame({"line": document.text.split("\n")})
        several = pl.concat_str(
            *(pl.col("line").shift(-after) for after in range(_LINES)), separator="\n", ignore_nulls=True
        )
        begins = lines.select(several.str.contains(rf"^[^\S\n]*(?:{layout.report_begins})")).to_series()
        return lines.height, begins.arg_true().to_list()
    return 0, []


def _content(document: Document) -> bytes:
    """The bytes whose lines are those of the text: the document's own, or of HTML its text."""
    return document.text.encode(errors="replace") if is_html(document.content) else document.content
