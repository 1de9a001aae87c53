"""A document of many reports → its reports, by the lines at which its layout says that they begin."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import polars as pl

from etl.documents import (
    Document,
    Found,
    Reject,
    cut_source,
    document_from_bytes,
    source_name,
    source_of,
    source_path,
    source_url,
)
from etl.errors import UsageError
from etl.filings import documents_in
from etl.layout import Layout, choose_layout
from etl.objects import Bucket, StoredObject, is_url, location_of, refuse_lost_slash

# The largest filings have some hundred in a document. Each costs some milliseconds, however short it is.
MAX_REPORTS = 2000
# The expression of a report's first line may go on over so many lines.
_LINES = 3
# How a place in a file begins, in a source.
_PLACE = re.compile("!/|#[0-9]")
_LINE_END = re.compile(rb"\r\n|\r|\n")


def reports_in(given: Path | Found | StoredObject, layouts: Sequence[Layout]) -> list[Document | Reject]:
    """The documents in a file, those of many reports taken apart."""
    return list(split_reports(list(documents_in(given)), layouts))


def named_reports(given: str, layouts: Sequence[Layout]) -> list[Document | Reject]:
    """The documents that a path or a URL names, those of many reports taken apart; or those that a source names, as a
    run spells it: `file#2`, `archive.zip!/file#2/17`.

    Raises UsageError where the file has nothing of this name, or no object has it; StorageError where the store cannot
    be asked.
    """
    file, place = named_file(given)
    source = (source_of(file) if isinstance(file, StoredObject) else source_name(file)) + place
    near = [item for item in documents_in(file) if _lies_in(item.source, source) or _lies_in(source, item.source)]
    items = [item for item in split_reports(near, layouts) if _lies_in(item.source, source)]
    if place and not items:
        whole = file.location.url if isinstance(file, StoredObject) else file
        raise UsageError(f"{given}: there is no such document in {whole}; without what follows it all are named")
    return items


def named_file(given: str) -> tuple[Path | StoredObject, str]:
    """The file that a path or a source names, and the place in it: the rest of the source. What names no file is a path
    at which none is. Of a URL it is the object; raises UsageError or StorageError where there is none."""
    refuse_lost_slash(given)
    if is_url(given):
        return _named_object(given)
    for end in _ends(given):
        for path in (Path(given[:end]), source_path(given[:end])):
            if os.path.isfile(path):  # noqa: PTH113 - says no, too, where there can be no such path
                return path, given[end:]
    return Path(given), ""


def _named_object(given: str) -> tuple[StoredObject, str]:
    *longer, shortest = _ends(given)
    bucket = Bucket(location_of(given[:shortest]))
    for end in (*longer, shortest):
        for url in dict.fromkeys((given[:end], source_url(given[:end]))):
            with suppress(UsageError):  # what follows upon the name of an object may be no part of a key
                key = location_of(url).key
                if key and (found := bucket.head(key)) is not None:
                    return found, given[end:]
    raise UsageError(f"{given}: there is no such object; name one, not what its key begins with")


def _ends(given: str) -> list[int]:
    """Where the name of a file may end in a source, the longest first."""
    return [len(given), *reversed([mark.start() for mark in _PLACE.finditer(given)])]


def _lies_in(source: str, other: str) -> bool:
    """Whether a source names the same as another one, or something in it."""
    return source == other or source.startswith((f"{other}/", f"{other}#", f"{other}!/"))


def split_reports(items: Sequence[Document | Reject], layouts: Sequence[Layout]) -> Iterator[Document | Reject]:
    """The reports of all documents; a document that has no more than one stays as it is, and so does a reject.

    What stands above the first report of a document comes first, as number 0, where it has any text. The source of a
    report is that of the document, with its number.
    """
    several = _with_several(items, layouts)
    for number, item in enumerate(items):
        if isinstance(item, Document) and number in several:
            yield from _split(item, several[number])
        else:
            yield item


def _split(document: Document, layout: Layout) -> Iterator[Document | Reject]:
    lines, begins = _begins(document, layout)
    if len(begins) < 2:  # noqa: PLR2004 - several
        yield document
        return
    if len(begins) > MAX_REPORTS:
        message = f"{len(begins):,} reports begin in it; at most {MAX_REPORTS:,} are read"
        hint = "split the document into its reports"
        yield Reject(document.source, document.sha256, document.size, "too_large", message, hint, document.file)
        return
    content = _content(document)
    ends = [0, *(found.end() for found in _LINE_END.finditer(content)), len(content)]
    for number, (first, after) in enumerate(pairwise([0, *begins, lines])):
        part = content[ends[first] : ends[after]]
        if number or part.strip():
            yield document_from_bytes(
                part,
                cut_source(document, number),
                file=document.file or document.source,
                first_line=document.first_line + first,
                header=document.header,
                is_escaped=document.is_escaped,
            )


def _with_several(items: Sequence[Document | Reject], layouts: Sequence[Layout]) -> dict[int, Layout]:
    """The documents that may hold several reports, by their numbers, and the layout that says where these begin: it
    knows the document by all of its marks."""
    documents = {number: item for number, item in enumerate(items) if isinstance(item, Document)}
    several: dict[int, Layout] = {}
    for layout in layouts:
        if layout.report_begins is None or not documents:
            continue
        texts = pl.DataFrame({"number": list(documents), "text": [document.text for document in documents.values()]})
        begun = texts.filter(pl.col("text").str.contains(layout.report_begins))
        scores = choose_layout(begun["text"].to_list(), [layout]).filter(pl.col("found") == pl.col("wanted"))
        several |= dict.fromkeys(begun["number"].gather(scores["document"]).to_list(), layout)
    return several


def _begins(document: Document, layout: Layout) -> tuple[int, list[int]]:
    """How many lines a document has, and at which of them (from 0) its reports begin."""
    lines = pl.DataFrame({"line": document.text.split("\n")})
    following = [pl.col("line").shift(-after) for after in range(_LINES)]
    several = pl.concat_str(following, separator="\n", ignore_nulls=True)
    begins = lines.select(several.str.contains(rf"^[^\S\n]*(?:{layout.report_begins})")).to_series()
    return lines.height, begins.arg_true().to_list()


def _content(document: Document) -> bytes:
    """The bytes whose lines are those of the text: the document's own, or of HTML its text."""
    return document.text.encode(errors="replace") if document.is_page else document.content
