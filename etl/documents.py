"""Bytes → documents: find the inputs, read them, tell text from what is no text.

Nothing here looks for a report in a document; that is the layouts' work. Files come from
strangers, so sizes are bounded and links are not followed out of the inbox.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import re
import stat
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from glob import glob, has_magic
from pathlib import Path

from etl.errors import UsageError

MAX_BYTES = 32 * 1024 * 1024
# Numbers are what costs memory; only large documents are counted.
MAX_NUMBERS = 2_000_000
COUNTED_BYTES = 4 * 1024 * 1024

# Stands in every output folder; by it an output inside an inbox is known.
RUNS_FOLDER = "_runs"
SOURCES_FOLDER = "_sources"

_MAGIC = {
    b"%PDF": "a PDF",
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"GIF8": "a GIF picture",
    b"PK\x03\x04": "a ZIP archive or an Office file",
    b"\x1f\x8b": "a gzip archive",
    b"\xd0\xcf\x11\xe0": "an old Office file",
}


@dataclass(frozen=True)
class Document:
    """A text document. `text` has universal newlines: its lines are parted by line feeds alone;
    `content` has the bytes as they were given."""

    source: str
    sha256: str
    size: int
    text: str
    content: bytes

    @property
    def report_id(self) -> str:
        """Identifier of the report in the document: the first 16 hex digits of its SHA-256."""
        return self.sha256[:16]


@dataclass(frozen=True)
class Reject:
    """A document that could not be read, with the reason and what to do about it."""

    source: str
    sha256: str | None
    size: int | None
    reason_code: str
    message: str
    hint: str


def find_inputs(inputs: Iterable[str], output_folders: Collection[str] = ()) -> list[Path | Reject]:
    """The files that files, folders (recursive) and globs stand for, sorted, each once.

    Links and special files inside a folder come back as rejects: they are not followed. Where a
    folder holds the output of runs, its `output_folders` are left out. Raises UsageError where an
    input does not exist.
    """
    found: dict[str, Path | Reject] = {}
    for given in inputs:
        for root in _expand(given):
            for item in _walk(root, output_folders) if isinstance(root, Path) and root.is_dir() else [root]:
                found[item.source if isinstance(item, Reject) else source_name(item)] = item
    return [found[source] for source in sorted(found)]


def read_document(path: Path) -> Document | Reject:
    """The document at `path`, or the reason why it is none."""
    source = source_name(path)
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            return not_a_file(path)
        if status.st_size > MAX_BYTES:
            message = f"{status.st_size:,} bytes; at most {MAX_BYTES:,} are read"
            return Reject(source, None, status.st_size, "too_large", message, "split the file into its reports")
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        message = error.strerror or str(error)
        return Reject(source, None, None, "unreadable", message, "check that the file is there and may be read")
    return document_from_bytes(content, source)


def document_from_bytes(content: bytes, source: str) -> Document | Reject:
    """The document with these bytes, or the reason why it is none (too large, empty, binary)."""
    sha256 = hashlib.sha256(content).hexdigest()

    def reject(reason_code: str, message: str, hint: str) -> Reject:
        return Reject(source, sha256, len(content), reason_code, message, hint)

    if len(content) > MAX_BYTES:
        return reject("too_large", f"more than {MAX_BYTES:,} bytes", "split the file into its reports")
    if not decode(content[:1024]).strip() and not decode(content).strip():
        return reject("empty", "the file has no text", "fetch it again, or take it out of the inbox")
    kind = next((kind for magic, kind in _MAGIC.items() if content.startswith(magic)), None)
    if kind is not None:
        return reject("binary", f"the file is {kind}", "give the report's text, as filed")
    if b"\x00" in content:
        at = content.index(b"\x00")
        return reject(
            "binary", f"the file has a NUL byte at offset {at:,}", "give the report as text in UTF-8 or cp1252"
        )
    if len(content) > COUNTED_BYTES and sum(1 for _ in re.finditer(rb"[0-9]+", content)) > MAX_NUMBERS:
        return reject("too_large", f"more than {MAX_NUMBERS:,} numbers", "split the file into its reports")
    text = decode(content).replace("\r\n", "\n").replace("\r", "\n")
    return Document(source, sha256, len(content), text, content)


def decode(content: bytes) -> str:
    """Text of the bytes: UTF-8 (a byte order mark is dropped), else cp1252, else latin-1."""
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    return content.decode("latin-1")


def not_a_file(path: Path) -> Reject:
    """The reject for a folder, a link, a device, a pipe or a socket."""
    kind = "a link" if path.is_symlink() else "no regular file"
    return Reject(
        source_name(path), None, None, "not_a_file", f"the path is {kind}", "put the file itself into the inbox"
    )


def source_name(path: Path) -> str:
    """The path as text, another for each path: bytes that are no UTF-8 are spelled out, and
    backslashes are doubled."""
    return os.fsencode(path).replace(b"\\", b"\\\\").decode("utf-8", "backslashreplace")


def source_path(source: str) -> Path:
    """The path of which `source_name` made this text."""
    spelled = re.sub(
        rb"\\(\\|x([0-9a-f]{2}))",
        lambda match: bytes.fromhex(match[2].decode()) if match[2] else b"\\",
        source.encode("utf-8", "surrogatepass"),
    )
    return Path(os.fsdecode(spelled))


def _expand(given: str) -> list[Path | Reject]:
    path = Path(given)
    try:
        found = bool(given) and path.exists()
    except OSError as error:
        raise UsageError(f"{given[:200]}: {error.strerror or error}") from error
    if found:
        return [path]
    if has_magic(given):
        matches = [Path(match) for match in sorted(glob(given, recursive=True))]  # noqa: PTH207 - may be absolute
        if matches:
            return [not_a_file(match) if _by_link(match, given) else match for match in matches]
        raise UsageError(f"{given}: the pattern matches no file")
    if path.is_symlink():
        raise UsageError(f"{given}: the link leads nowhere")
    raise UsageError(f"{given or 'an empty name'}: there is no such file or folder")


def _by_link(match: Path, given: str) -> bool:
    """Whether the match of a pattern is a link, or was reached through one below the pattern's fixed part."""
    fixed = list(itertools.takewhile(lambda part: not has_magic(part), Path(given).parts))
    steps = [Path(*match.parts[:count]) for count in range(len(fixed) + 1, len(match.parts) + 1)]
    return any(step.is_symlink() for step in steps)


def _walk(folder: Path, output_folders: Collection[str]) -> Iterator[Path | Reject]:
    """All files below a folder; what is no file, and folders that cannot be read, as rejects."""
    pending = [folder]
    while pending:
        here = pending.pop()
        try:
            entries = list(here.iterdir())
        except OSError as error:
            message = error.strerror or str(error)
            yield Reject(source_name(here), None, None, "unreadable", message, "check that the folder may be read")
            continue
        is_output = any(entry.name == RUNS_FOLDER for entry in entries)
        for entry in entries:
            if is_output and entry.name in output_folders:
                continue
            if entry.is_symlink() or not (entry.is_dir() or entry.is_file()):
                yield not_a_file(entry)
            elif entry.is_file():
                yield entry
            else:
                pending.append(entry)
