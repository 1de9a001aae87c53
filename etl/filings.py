"""A file of the inbox → its documents: archives are opened, submissions taken apart.

The source of a document says where it stands: `archive.zip!/file` for a file in an archive, `file#2` for the
second document of a submission.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from io import BufferedReader
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
    source_of,
    too_large,
    unreadable,
)
from etl.errors import RejectedError
from etl.object_files import ChangedError, Fetched, beginning, fetch, has_changed, large, stream_of
from etl.objects import PIECE_BYTES, StoredObject
from etl.submissions import split_submission


def documents_in(given: Path | Found | StoredObject | Fetched) -> Iterator[Document | Reject]:
    """The documents in a file or an object, in their order; what cannot be read comes as a reject.

    What was a file when the inbox was looked through may be anything by now. So a link is not followed to it, a
    pipe is not waited for, and a file that is written to while it is read is told of.
    """
    if isinstance(given, StoredObject | Fetched):
        yield from _in_object(given)
        return
    found = given if isinstance(given, Found) else Found(given)
    source = source_name(found.path)
    if source == STANDARD_INPUT and found.below is None:
        with open(0, "rb", closefd=False) as stream:
            yield from _standard_input(source, stream)
        return
    try:
        with opened(found) as file:
            if file is None:
                yield not_a_file(found.path)
            elif is_archive(os.pread(file, KIND_BYTES, 0)):
                yield from _archived(file, source)
            else:
                content = read_whole(file, source, MAX_FILE_BYTES)
                if isinstance(content, Reject):
                    yield content
                else:
                    yield from _taken_apart(source, content)
    except OSError as error:
        yield unreadable(found.path, error)


def _in_object(given: StoredObject | Fetched) -> Iterator[Document | Reject]:
    if isinstance(given, StoredObject) and given.size <= PIECE_BYTES:
        given = fetch(given)
    if isinstance(given, Fetched):
        source, content = source_of(given.item), given.content
    else:
        source, begun = source_of(given), beginning(given)
        if not isinstance(begun, Reject) and is_archive(begun):
            try:
                yield from _unpacked(source, stream_of(given))
            except ChangedError:
                yield has_changed(given)
            return
        content = begun if isinstance(begun, Reject) else large(given, begun)
    if isinstance(content, Reject):
        yield content
    else:
        yield from documents_of(source, content)


def _standard_input(source: str, stream: BufferedReader) -> Iterator[Document | Reject]:
    if is_archive(stream.peek(KIND_BYTES)[:KIND_BYTES]):
        yield from _unpacked(source, stream)
        return
    content = stream.read(MAX_FILE_BYTES + 1)
    if len(content) > MAX_FILE_BYTES:
        yield too_large(source, len(content), MAX_FILE_BYTES)
    else:
        yield from _taken_apart(source, content)


def documents_of(source: str, content: bytes) -> Iterator[Document | Reject]:
    """The documents in these bytes of a file."""
    if not is_archive(content[:KIND_BYTES]):
        yield from _taken_apart(source, content)
        return
    yield from _unpacked(source, content)


def _unpacked(source: str, archive: bytes | BinaryIO) -> Iterator[Document | Reject]:
    for member in members(source, archive):
        if isinstance(member, Reject):
            yield replace(member, file=source)
        else:
            yield from _taken_apart(member.source, member.content, archive=source)


def _archived(file: int, source: str) -> Iterator[Document | Reject]:
    before = os.fstat(file)
    with open(file, "rb", closefd=False) as stream:
        yield from _unpacked(source, stream)
    after = os.fstat(file)
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        yield changed(source, before.st_size, after.st_size)


def _taken_apart(source: str, content: bytes, archive: str | None = None) -> Iterator[Document | Reject]:
    """The documents of a submission; what is none is a document itself. `archive`: the file that it was found in."""
    try:
        submission = split_submission(content)
    except RejectedError as error:
        yield Reject(source, None, len(content), error.reason_code, error.message, error.hint, archive)
        return
    if submission is None:
        yield document_from_bytes(content, source)
        return
    if not submission.parts:  # all that there is of it
        yield document_from_bytes(content, source, header=submission.header, is_escaped=submission.is_escaped)
    for number, part in enumerate(submission.parts, 1):
        yield document_from_bytes(
            part.content,
            f"{source}#{number}",
            file=source,
            first_line=part.first_line,
            header=part.header,
            is_escaped=submission.is_escaped,
        )
