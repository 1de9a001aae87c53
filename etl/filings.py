"""A file of the inbox → its documents: archives are opened, submissions and files of many reports taken apart.

The source of a document says where it stands: `archive.zip!/file` for a file in an archive, `file#2` for the
second document of a submission, `file#2/17` for the seventeenth report in that.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from etl.containers import is_archive, members
from etl.documents import (
    KIND_BYTES,
    MAX_FILE_BYTES,
    STANDARD_INPUT,
    Document,
    Found,
    Reject,
    changed,
    document_from_bytes,
    not_a_file,
    opened,
    read_whole,
    source_name,
    unreadable,
)
from etl.errors import RejectedError
from etl.layout import Layout
from etl.splits import split_reports
from etl.submissions import split_submission


def documents_in(given: Path | Found, layouts: Sequence[Layout]) -> Iterator[Document | Reject]:
    """The documents in a file, in their order; what cannot be read comes as a reject.

    What was a file when the inbox was looked through may be anything by now. So a link is not followed to it, a
    pipe is not waited for, and a file that is written to while it is read is told of.
    """
    found = given if isinstance(given, Found) else Found(given)
    source = source_name(found.path)
    if source == STANDARD_INPUT:
        with open(0, "rb", closefd=False) as stream:
            yield from documents_of(source, stream.read(MAX_FILE_BYTES + 1), layouts)
        return
    try:
        with opened(found) as file:
            if file is None:
                yield not_a_file(found.path)
            elif is_archive(os.pread(file, KIND_BYTES, 0)):
                yield from _archived(file, source, layouts)
            else:
                content = read_whole(file, source, MAX_FILE_BYTES)
                if isinstance(content, Reject):
                    yield content
                else:
                    yield from _taken_apart(source, content, layouts)
    except OSError as error:
        yield unreadable(found.path, error)


def documents_of(source: str, content: bytes, layouts: Sequence[Layout]) -> Iterator[Document | Reject]:
    """The documents in these bytes of a file."""
    if not is_archive(content[:KIND_BYTES]):
        yield from _taken_apart(source, content, layouts)
        return
    yield from _unpacked(source, content, layouts)


def _unpacked(source: str, archive: bytes | BinaryIO, layouts: Sequence[Layout]) -> Iterator[Document | Reject]:
    for member in members(source, archive):
        if isinstance(member, Reject):
            yield replace(member, file=source)
        else:
            yield from _taken_apart(member.source, member.content, layouts)


def _archived(file: int, source: str, layouts: Sequence[Layout]) -> Iterator[Document | Reject]:
    before = os.fstat(file)
    with open(file, "rb", closefd=False) as stream:
        yield from _unpacked(source, stream, layouts)
    after = os.fstat(file)
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        yield changed(source, before.st_size, after.st_size)


def _taken_apart(source: str, content: bytes, layouts: Sequence[Layout]) -> Iterator[Document | Reject]:
    """The documents of a submission, and the reports of each."""
    try:
        submission = split_submission(content)
    except RejectedError as error:
        yield Reject(source, None, len(content), error.reason_code, error.message, error.hint)
        return
    if submission is None:
        documents = [document_from_bytes(content, source)]
    else:
        documents = [
            document_from_bytes(
                part.content, f"{source}#{number}", file=source, first_line=part.first_line, header=submission.header
            )
            for number, part in enumerate(submission.parts, 1)
        ]
    for document in documents:
        yield from [document] if isinstance(document, Reject) else split_reports(document, layouts)
