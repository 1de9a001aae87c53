"""Bytes → documents: find the inputs, read them, tell text from what is no text.

Nothing here looks for a report in a document; that is the layouts' work. Files come from
strangers, so sizes are bounded and links are not followed out of the inbox.
"""

from __future__ import annotations

import errno
import hashlib
import itertools
import os
import re
import stat
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from glob import has_magic
from pathlib import Path

from etl.decoding import count_lines, decode
from etl.errors import NothingFoundError, RejectedError, UsageError
from etl.html_text import html_text, is_html
from etl.object_inbox import list_url
from etl.objects import Location, StoredObject, is_url, place_of, refuse_lost_slash
from etl.partitions import FETCH_FOLDER, OUTPUT_MARKS
from etl.submissions import Header, without_escapes

# What a document may be at the most, so that reading it takes some seconds and a few hundred MiB of memory at worst:
# docs/benchmarks.md. A file of a hundred reports has 1 MiB, 20,000 lines and 40,000 numbers.
MAX_BYTES = 8 * 1024 * 1024
MAX_LINES = 400_000
MAX_NUMBERS = 350_000
# What a file may be at the most that holds several documents: a full submission, or a file in an archive. A filing of
# some hundred reports has 10 MiB; with pictures and PDFs beside them a few times as much. It is held in memory whole.
MAX_FILE_BYTES = 64 * 1024 * 1024

# As the name of an input: what comes in on standard input.
STANDARD_INPUT = "-"

# How archives begin that are opened; a tar has its mark further on, as it begins with the name of a file.
GZIP, ZIP, EMPTY_ZIP = b"\x1f\x8b", b"PK\x03\x04", b"PK\x05\x06"
TAR, TAR_AT = b"ustar", 257
KIND_BYTES = 512

# How files begin that are no text. Here archives are not opened: `containers` does that, within its bounds.
_MAGIC = {
    b"%PDF": "a PDF",
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"GIF8": "a GIF picture",
    ZIP: "a ZIP archive or an Office file",
    EMPTY_ZIP: "an empty ZIP archive",
    GZIP: "a gzip archive",
    b"BZh": "a bzip2 archive",
    b"\xfd7zXZ": "an xz archive",
    b"(\xb5/\xfd": "a Zstandard archive",
    b"7z\xbc\xaf": "a 7z archive",
    b"Rar!": "a RAR archive",
    b"\xd0\xcf\x11\xe0": "an old Office file",
    b"{\\rtf": "a file in rich text",
    b"\xff\xfe": "text in UTF-16 or UTF-32",
    b"\xfe\xff": "text in UTF-16",
}

# A report is known by so many hex digits.
_ID_DIGITS = 16


# How pictures and PDFs stand in a submission.
_UUENCODED = re.compile(rb"\s*+(?:<[A-Z-]{1,20}>\s*+)*+begin [0-7]{3,4} [^\r\n]")


@dataclass(frozen=True)
class Document:
    """A text document: a file, or a part of one. `text` has universal newlines: its lines are parted by line feeds
    alone; `content` has the bytes as they were given.

    Of a part, `file` is the source of the file, `first_line` the number of the part's first line there, and
    `header` what the header of its submission says. `is_page`: it is HTML, and `text` what a person sees of it.
    `is_escaped`: it comes out of a message in which a hyphen at the beginning of a line is escaped.
    """

    source: str
    sha256: str
    size: int
    text: str
    content: bytes
    file: str | None = None
    first_line: int = 1
    header: Header | None = None
    is_page: bool = False
    is_escaped: bool = False

    def with_text(self) -> Document:
        """The document with its text, which is made of its bytes once more. Raises RejectedError."""
        return replace(self, text=_text(self.content, is_page=self.is_page, is_escaped=self.is_escaped))

    @property
    def report_id(self) -> str:
        """What identifies the report in the document: its bytes, and the number of the filing that it came with.

        So the same exhibit in two filings is two versions of a report. Where no number is known, the bytes alone do.
        """
        number = self._accession_number
        if number is None:
            return bare_report_id(self.sha256)
        return hashlib.sha256(f"{self.sha256} {number}".encode()).hexdigest()[:_ID_DIGITS]

    @property
    def is_filed(self) -> bool:
        """Whether it is known in which filing it came. Of such a document the same bytes without one are a copy."""
        return self._accession_number is not None

    @property
    def _accession_number(self) -> str | None:
        return None if self.header is None else self.header.accession_number

    @property
    def share(self) -> float:
        """How much the document is of the largest that may be read: what it costs in memory. Documents that are
        read together should not be more than 1."""
        lines, numbers = count_lines(self.content), count_numbers(self.content)
        return max(self.size / MAX_BYTES, lines / MAX_LINES, numbers / MAX_NUMBERS)


@dataclass(frozen=True)
class ToldDocument(Document):
    """A document of which another process has the text and the bytes: what it costs to read, and whether a layout knows
    it, are told."""

    told_share: float = 0.0
    is_known: bool = False

    @property
    def share(self) -> float:
        """How much the document is of the largest that may be read."""
        return self.told_share


def bare_report_id(sha256: str) -> str:
    """The identifier of a report of which no filing is known: the first 16 hex digits of the SHA-256 of its bytes."""
    return sha256[:_ID_DIGITS]


@dataclass(frozen=True)
class Reject:
    """A document that could not be read, with the reason and what to do about it."""

    source: str
    sha256: str | None
    size: int | None
    reason_code: str
    message: str
    hint: str
    file: str | None = None  # of a part of a file: the source of the file

    @property
    def error(self) -> RejectedError:
        """The error to raise where the document is all that was asked for."""
        return RejectedError(self.reason_code, f"{self.source}: {self.message}", self.hint)


@dataclass(frozen=True)
class Found:
    """A file of an inbox. Where it was found below a folder, `below` is that folder: on the way from there to the
    file no link is followed."""

    path: Path
    below: Path | None = None

    @property
    def source(self) -> str:
        """The path as text."""
        return source_name(self.path)


@dataclass(frozen=True)
class Inputs:
    """What is given to a run: its files and objects, sorted, each once, and the folders and prefixes of which all was
    looked through.

    `unread` are files and objects that stand there too, and need not be read.
    """

    given: list[str]
    found: list[Found | StoredObject | Reject]
    folders: list[Path | Location]
    unread: list[Found | StoredObject | Reject] = field(default_factory=list)


def find_inputs(inputs: Iterable[str], output_folders: Collection[str] = (), *, may_be_empty: bool = False) -> Inputs:
    """What files, folders (recursive), globs and URLs stand for.

    Links and special files inside a folder come back as rejects: they are not followed. Where a
    folder holds the output of runs, its `output_folders` are left out. Raises UsageError where an
    input does not exist, its kind NothingFoundError for a pattern or a prefix that stands for nothing, unless these
    `may_be_empty`.
    """
    given = list(inputs)
    found: dict[str, Found | StoredObject | Reject] = {}
    folders: list[Path | Location] = []
    for name in given:
        try:
            listed = _listed_url(name, output_folders) if is_url(name) else _listed_paths(name, output_folders)
        except NothingFoundError:
            if not may_be_empty:
                raise
        else:
            found |= {source_of(item): item for item in listed.found}
            folders += listed.folders
    return Inputs(given, [found[source] for source in sorted(found)], folders)


def _listed_paths(given: str, output_folders: Collection[str]) -> Inputs:
    listed = Inputs([given], [], [])
    for root in _expand(given):
        if isinstance(root, Found) and root.path.is_dir():
            listed.folders.append(root.path)
            listed.found.extend(_walk(root, output_folders))
        else:
            listed.found.append(root)
    return listed


def _listed_url(given: str, output_folders: Collection[str]) -> Inputs:
    listed = list_url(given, output_folders)
    return Inputs([given], [*listed.objects], [] if listed.prefix is None else [listed.prefix])


def source_of(item: Found | StoredObject | Reject) -> str:
    """The source of what was found."""
    return source_name(item.location) if isinstance(item, StoredObject) else item.source


def gone_sources(
    sources: Mapping[str, str],
    folders: Sequence[Path | Location],
    found: Iterable[Found | StoredObject | Reject],
) -> list[str]:
    """Those of the sources, given with their files, at which nothing stands any more: these lie in folders that were
    walked, and were not found.

    What lies in a folder that could not be listed may still be there.
    """
    asked = {source: file for source, file in sources.items() if _lies_in(file, folders)}
    if not asked:
        return []
    there = {source_of(item): item for item in found}
    unlisted = [source_place(source) for source, item in there.items() if _is_unreadable(item)]
    return [source for source, file in asked.items() if file not in there and not _lies_in(file, unlisted)]


def _is_unreadable(item: Found | StoredObject | Reject) -> bool:
    return isinstance(item, Reject) and item.reason_code == "unreadable"


def _lies_in(source: str, folders: Iterable[Path | Location]) -> bool:
    place = source_place(source)
    return any(_has(folder, place) for folder in folders)


def _has(folder: Path | Location, place: Path | Location) -> bool:
    if isinstance(folder, Location) or isinstance(place, Location):
        return isinstance(folder, Location) and isinstance(place, Location) and folder.has(place)
    return place.is_relative_to(folder) and ".." not in place.relative_to(folder).parts


def size_of(found: Found | StoredObject) -> int:
    """The size of a file or an object; 0 where that cannot be known."""
    if isinstance(found, StoredObject):
        return found.size
    try:
        return found.path.lstat().st_size
    except OSError:
        return 0


def read_whole(file: int, source: str, most: int) -> bytes | Reject:
    """The bytes of an open file; a reject where there are more than `most`, or where it changes. Raises OSError."""
    before = os.fstat(file)
    if before.st_size > most:
        return too_large_to_read(source, before.st_size, _read(file, KIND_BYTES), most)
    content = _read(file, before.st_size + 1)
    after = os.fstat(file)
    if (before.st_size, before.st_mtime_ns, before.st_size) != (after.st_size, after.st_mtime_ns, len(content)):
        return changed(source, before.st_size, after.st_size)
    return content


def changed(source: str, before: int, after: int) -> Reject:
    """The reject for a file that was written to while it was read; its sizes."""
    message = f"the file changed while it was read: {before:,} bytes, then {after:,}"
    return Reject(source, None, None, "changed", message, "run again when nothing writes to it any more")


def unreadable(path: Path, error: OSError) -> Reject:
    """The reject for a file that could not be read."""
    if error.errno == errno.ELOOP:
        return not_a_file(path, is_link=True)
    hint = "check that the file is there and may be read"
    return Reject(source_name(path), None, None, "unreadable", error.strerror or str(error), hint)


def document_from_bytes(
    content: bytes,
    source: str,
    *,
    file: str | None = None,
    first_line: int = 1,
    header: Header | None = None,
    is_escaped: bool = False,
) -> Document | Reject:
    """The document with these bytes, or the reason why it is none (too large, empty, binary). Of a part of a file:
    where it stands, and what is said of it, as `Document` has it."""
    is_page = not _is_cut(source) and is_html(content)
    if is_page:  # its lines are those of the text that a person sees: they have no place in the file to be true to
        content, first_line, is_escaped = without_escapes(content, b"") if is_escaped else content, 1, False
    sha256 = hashlib.sha256(content).hexdigest()
    try:
        _refuse_what_is_no_text(content)
        text = _text(content, is_page=is_page, is_escaped=is_escaped)
    except RejectedError as error:
        return Reject(source, sha256, len(content), error.reason_code, error.message, error.hint, file)
    return Document(source, sha256, len(content), text, content, file, first_line, header, is_page, is_escaped)


def cut_source(document: Document, number: int) -> str:
    """The source of one of many reports in a document."""
    return f"{document.source}/{number}" if document.file else f"{document.source}#1/{number}"


def _is_cut(source: str) -> bool:
    """Whether it is the source of one of many reports in a document. These are text, whatever stands in them: they were
    cut out of the text that a person sees, or out of what was found to be text."""
    return re.search(r"#[0-9]+/[0-9]+\Z", source) is not None


def _refuse_what_is_no_text(content: bytes) -> None:
    """Raise RejectedError for bytes that are too many, or no text."""
    if _UUENCODED.match(content, 0, KIND_BYTES):  # however large
        raise RejectedError("binary", "the file is a picture, a PDF or the like in uuencoding", _AS_FILED)
    if len(content) > MAX_BYTES:
        raise RejectedError("too_large", f"{len(content):,} bytes; at most {MAX_BYTES:,} are read", _SPLIT)
    if not decode(content[:1024]).strip() and not decode(content).strip():
        raise RejectedError("empty", "the file has no text", "fetch it again, or take it out of the inbox")
    kind = _kind(content)
    if kind is not None:
        hint = _ENCODE if kind.startswith("text") else _AS_FILED
        raise RejectedError("binary", f"the file is {kind}", hint)
    if b"\x00" in content:
        message = f"the file has a NUL byte at offset {content.index(0):,}"
        raise RejectedError("binary", message, _ENCODE)
    for most, count, what in ((MAX_LINES, count_lines, "lines"), (MAX_NUMBERS, count_numbers, "numbers")):
        if len(content) >= most and (counted := count(content)) > most:  # of bytes there are always as many
            raise RejectedError("too_large", f"{counted:,} {what}; at most {most:,} are read", _SPLIT)


def _text(content: bytes, *, is_page: bool, is_escaped: bool) -> str:
    """The text of a document, with universal newlines: of HTML what a person sees of it. Raises RejectedError.

    Two blanks stand where a hyphen was escaped, so that all columns are those of the file.
    """
    if is_page:
        return html_text(content)
    if is_escaped:
        content = without_escapes(content, b"  ")
    return decode(content).replace("\r\n", "\n").replace("\r", "\n")


def count_numbers(content: bytes) -> int:
    """About how many numbers stand in these bytes; never fewer, and more only where digits stand alone between
    commas or points.

    >>> count_numbers(b"1,234.50 12 17-Nov-03")
    4
    """
    looks = content.translate(_LOOKS)
    return looks.count(b" 1") + looks.count(b",1") - looks.count(b"1,1") + looks.startswith(b"1")


# Each byte as a digit, a comma (or point), or something else.
_LOOKS = b" " * ord(",") + b", , " + b"1" * 10 + b" " * (255 - ord("9"))
_SPLIT = "split the file into its reports"
_AS_FILED = "give the report's text, as filed"
_ENCODE = "give the report as text in UTF-8 or cp1252"


def _kind(content: bytes) -> str | None:
    """What the file is that begins so, if it is known to be no text."""
    if content.startswith(TAR, TAR_AT):
        return "a tar archive"
    return next((kind for magic, kind in _MAGIC.items() if content.startswith(magic)), None)


def too_large_to_read(source: str, size: int, beginning: bytes, most: int) -> Reject:
    """The reject for a file of which only the beginning was read."""
    kind = _kind(beginning)
    if kind is not None:
        return Reject(source, None, size, "binary", f"the file is {kind}", _AS_FILED)
    return too_large(source, size, most)


def too_large(source: str, size: int, most: int) -> Reject:
    """The reject for a file that has more bytes than are read."""
    return Reject(source, None, size, "too_large", f"{size:,} bytes; at most {most:,} are read", _SPLIT)


@contextmanager
def opened(found: Found) -> Iterator[int | None]:
    """The file, open; None if it is no regular file, or a link to one that must not be followed. Raises OSError."""
    closing = ExitStack()

    def opened(path: Path, flags: int) -> int:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | flags, dir_fd=folder)
        closing.callback(os.close, file)
        return file

    folder: int | None = None
    path, no_link = found.path, 0
    with closing:
        if found.below is not None:
            *steps, name = found.path.relative_to(found.below).parts
            folder = opened(found.below, os.O_DIRECTORY)
            for step in steps:
                folder = opened(Path(step), os.O_DIRECTORY | os.O_NOFOLLOW)
            path, no_link = Path(name), os.O_NOFOLLOW
        # What is no file is not even opened: to open a device may do something.
        is_file = stat.S_ISREG(os.stat(path, dir_fd=folder, follow_symlinks=not no_link).st_mode)
        file = opened(path, os.O_NOCTTY | os.O_NONBLOCK | no_link) if is_file else None
        yield file if file is not None and stat.S_ISREG(os.fstat(file).st_mode) else None


def _read(file: int, size: int) -> bytes:
    """The next bytes of a file, `size` if it has as many."""
    with open(file, "rb", closefd=False) as stream:
        return stream.read(size)


def not_a_file(path: Path, *, is_link: bool | None = None) -> Reject:
    """The reject for a folder, a link, a device, a pipe or a socket."""
    kind = "a link" if (path.is_symlink() if is_link is None else is_link) else "no regular file"
    return Reject(
        source_name(path), None, None, "not_a_file", f"the path is {kind}", "put the file itself into the inbox"
    )


def source_name(path: Path | Location | str) -> str:
    """The path or URL as text, another for each: bytes that are no UTF-8 are spelled out, and backslashes are doubled.

    So are the marks that say where a document stands in a file: no name on the disk looks like a place in another file.
    """
    named = path.url.encode("utf-8", "surrogatepass") if isinstance(path, Location) else os.fsencode(path)
    spelled = named.replace(b"\\", b"\\\\").replace(b"#", b"\\x23").replace(b"!/", b"\\x21/")
    return spelled.decode("utf-8", "backslashreplace")


def source_path(source: str) -> Path:
    """The path of which `source_name` made this text."""
    return Path(os.fsdecode(_named(source)))


def source_place(source: str) -> Path | Location:
    """The path or the place in object storage of which `source_name` made this text."""
    return place_of(source_url(source)) if is_url(source) else source_path(source)


def source_url(source: str) -> str:
    """The URL of which `source_name` made this text."""
    return _named(source).decode("utf-8", "replace")


def _named(source: str) -> bytes:
    return re.sub(
        rb"\\(\\|x([0-9a-f]{2}))",
        lambda match: bytes.fromhex(match[2].decode()) if match[2] else b"\\",
        source.encode("utf-8", "surrogatepass"),
    )


def _expand(given: str) -> list[Found | Reject]:
    refuse_lost_slash(given)
    path = Path(given)
    if given == STANDARD_INPUT:
        return [Found(path)]
    try:
        found = bool(given) and path.exists()
    except (OSError, ValueError) as error:  # a name that is too long, or has a NUL
        told = getattr(error, "strerror", None) or error
        raise UsageError(f"{given[:200]}: {told}; check the name") from error
    if found:
        return [Found(path)]
    if has_magic(given):
        fixed = list(itertools.takewhile(lambda part: not has_magic(part), path.parts))
        matches = list(_matches(Path(*fixed), path.parts[len(fixed) :]))
        if matches:
            return matches
        raise NothingFoundError(
            f"{given}: the pattern matches no file; check it, and quote it where a shell would change it"
        )
    if path.is_symlink():
        raise UsageError(f"{given}: the link leads nowhere; name the file itself")
    raise UsageError(f"{given or 'an empty name'}: there is no such file or folder; check the name")


def _matches(folder: Path, pattern: Sequence[str]) -> Iterator[Found | Reject]:
    """The files and folders below `folder` that fit the pattern: its parts as in `glob`, but links are not followed,
    so folders that lead to themselves have an end, and depth has no limit."""
    pending = [(folder, "folder", 0)] if folder.is_dir() else []
    seen = set(pending)
    while pending:
        here, kind, at = pending.pop()
        if kind == "link":
            yield not_a_file(here, is_link=True)
        elif at == len(pattern):
            yield Found(here, folder)
        elif kind == "folder":
            entries = _entries(here)
            if isinstance(entries, Reject):
                yield entries
                continue
            steps = [(here / name, kind, at + 1) for name, kind in entries if _fits(name, pattern[at])]
            if pattern[at] == "**":
                folders = [name for name, kind in entries if kind == "folder" and not name.startswith(".")]
                steps = [(here, "folder", at + 1), *((here / name, "folder", at) for name in folders)]
            pending += [step for step in steps if step not in seen]
            seen.update(steps)


def _fits(name: str, part: str) -> bool:
    """Whether a name fits a part of a pattern; hidden files need a pattern that begins with a point."""
    return name == part or (fnmatchcase(name, part) and (part.startswith(".") or not name.startswith(".")))


def _walk(root: Found, output_folders: Collection[str]) -> Iterator[Found | Reject]:
    """All files below a folder; what is no file, and folders that cannot be read, as rejects."""
    pending = [root.path]
    while pending:
        here = pending.pop()
        entries = _entries(here)
        if isinstance(entries, Reject):
            yield entries
            continue
        is_output = any(name in OUTPUT_MARKS for name, _ in entries)
        for name, kind in entries:
            if (is_output and name in output_folders) or name == FETCH_FOLDER:
                continue
            if kind == "folder":
                pending.append(here / name)
            elif kind == "file":
                yield Found(here / name, root.below or root.path)
            else:
                yield not_a_file(here / name, is_link=kind == "link")


def _entries(folder: Path) -> list[tuple[str, str]] | Reject:
    """Name and kind (folder, file, link or other) of all that a folder holds, or why it cannot be read."""
    try:
        with os.scandir(folder) as listed:
            return [(entry.name, _entry_kind(entry)) for entry in listed]
    except OSError as error:
        hint = "check that the folder may be read"
        return Reject(source_name(folder), None, None, "unreadable", error.strerror or str(error), hint)


def _entry_kind(entry: os.DirEntry[str]) -> str:
    if entry.is_symlink():
        return "link"
    if entry.is_dir(follow_symlinks=False):
        return "folder"
    return "file" if entry.is_file(follow_symlinks=False) else "other"
