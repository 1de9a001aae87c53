"""Archives → the files in them, one after the other, within bounds; nothing is unpacked to the disk.

gzip, zip and tar are opened, also in each other: a zip of gzipped files, a tar.gz of submissions. What a file is, its
first bytes say, not its name. A name inside an archive never chooses a path: it only names what is read. bzip2, xz and
Zstandard stay closed, and so do zip members that are packed otherwise than with deflate: decompressing these may take
gigabytes of memory.

All that comes out of one file of the inbox is paid from one budget, at whatever depth it is found. When it is used up,
or an archive is damaged, the files before that place have been given out already, and a reject says the rest.
"""

from __future__ import annotations

import hashlib
import io
import re
import stat
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO, BinaryIO, Protocol

from etl.documents import EMPTY_ZIP, GZIP, MAX_FILE_BYTES, TAR, TAR_AT, ZIP, Reject

# A tar of zips of gzipped files is as deep as archives are in practice. A tar.gz counts as one archive.
MAX_DEPTH = 3
# A day of the EDGAR feed has some thousand submissions. A few hundred bytes of memory are kept for each.
MAX_MEMBERS = 100_000
# A day of the EDGAR feed has some GiB. To decompress so much takes about a minute.
MAX_EXPANDED_BYTES = 16 * 1024**3
# Reports shrink to a tenth, tables of blanks and zeros to a hundredth; deflate can reach a thousandth.
MAX_RATIO = 200
# What the ratio does not count: a small file of blanks is no bomb.
FREE_BYTES = 64 * 1024**2
# Paths are no longer on any system.
MAX_NAME_BYTES = 4096
# The directory of a zip with so many members; it is read at once.
MAX_DIRECTORY_BYTES = 16 * 1024**2

_CHUNK = 64 * 1024
_BLOCK = 512  # of a tar
# What stands before a member of a tar, about it: long names and attributes. There are two or three of them.
_MAX_NOTES, _MAX_NOTE_BYTES = 8, 64 * 1024
_UNIX = 3  # the system that made a member of a zip
_DIRECTORY_ENTRY = b"PK\x01\x02"
_FETCH = "fetch it again, or pack its files anew"


@dataclass(frozen=True)
class Member:
    """A file inside an archive. `source` is `<path of the archive>!/<name inside>`, for each archive that it is in."""

    source: str
    content: bytes


class _Stream(Protocol):
    def read(self, size: int, /) -> bytes:
        """So many of the next bytes; fewer only at the end."""


class _DamagedError(Exception):
    """An archive cannot be read on. `archive` is its source."""

    def __init__(self, archive: str, message: str) -> None:
        super().__init__(message)
        self.archive = archive


class _SpentError(Exception):
    """The budget of the outermost archive is used up."""


@dataclass
class _Budget:
    """What may come out of the outermost archive: bytes that were read of it, made of them, and members."""

    taken: int = 0
    made: int = 0
    members: int = 0
    at: str = ""  # the source of the member that was begun last

    def make(self, size: int) -> None:
        """Count bytes that were decompressed."""
        self.made += size
        if self.made > MAX_EXPANDED_BYTES:
            raise _SpentError(f"expands to more than {MAX_EXPANDED_BYTES:,} bytes")
        if self.made > FREE_BYTES + MAX_RATIO * self.taken:
            raise _SpentError(f"expands to more than {MAX_RATIO} times its size")

    def count(self) -> None:
        """Count a member, or what costs as much."""
        self.members += 1
        if self.members > MAX_MEMBERS:
            raise _SpentError(f"has more than {MAX_MEMBERS:,} members")


@dataclass
class _Archive:
    """An archive while it is read. `spelled` has what tells the names that it has had."""

    source: str
    depth: int
    budget: _Budget
    last: str | None = None
    is_within: bool = False  # the last member
    spelled: dict[bytes, int] = field(default_factory=dict)

    def member_source(self, name: bytes) -> str:
        r"""The source of a member, another for each; the second of one name ends with `\#2`."""
        digest = hashlib.blake2b(name, digest_size=12).digest()
        number = self.spelled[digest] = self.spelled.get(digest, 0) + 1
        source = f"{self.source}!/{member_name(name)}" + (rf"\#{number}" if number > 1 else "")
        self.last = self.budget.at = source
        return source

    def place(self) -> str:
        """Where it is being read."""
        if self.last is None:
            return "before its first file"
        return f"{'within' if self.is_within else 'after'} {self.last}"


def is_archive(beginning: bytes) -> bool:
    """Whether a file whose first 512 bytes (or more) these are is an archive that is opened here."""
    return _kind(beginning) is not None


def members(source: str, given: bytes | BinaryIO) -> Iterator[Member | Reject]:
    """The files in an archive, in its order; a file that is no archive is its own only member.

    `given` is the archive's bytes, or a stream of them; of a stream that cannot seek, a zip must fit into memory.
    What cannot be read comes as a reject: of a member, or of the archive from some place on. Folders are left out.
    """
    budget = _Budget()
    stream = _Counted(io.BytesIO(given) if isinstance(given, bytes) else given, budget)
    try:
        yield from _files(source, stream, 0, budget)
    except _SpentError as error:
        message = f"the archive {error}" + (f", at {budget.at}; the files before that were read" if budget.at else "")
        hint = "unpack it, and put the reports themselves into the inbox"
        yield Reject(source, None, None, "archive_too_large", message, hint)
    except OSError as error:
        message = f"the archive cannot be read: {error.strerror or error}"
        yield Reject(source, None, None, "unreadable", message, "check that the file is there and may be read")


def member_name(name: bytes) -> str:
    r"""A name inside an archive as text, another for each name, in one line, without `!/` and `#`, which part names.

    >>> member_name(b"a/b\n\xff!/c\\")
    'a/b\\x0a\\xff\\x21/c\\\\'
    """
    text = name.replace(b"\\", b"\\\\").decode("utf-8", "backslashreplace")
    spelled = "".join(_spelled(letter) if _is_hidden(letter) else letter for letter in text)
    return spelled.replace("!/", r"\x21/").replace("#", r"\x23")


def _is_hidden(letter: str) -> bool:
    """Whether a character is none that can be seen, or turns others around."""
    return not letter.isprintable() and unicodedata.category(letter) != "Zs"


def _spelled(letter: str) -> str:
    # Bytes that are no UTF-8 are spelled as \x80 to \xff, so nothing else may be.
    return f"\\x{ord(letter):02x}" if letter.isascii() else f"\\U{ord(letter):08x}"


# --- what is read, and how much of it ---------------------------------------------------------------------


class _Counted:
    """The outermost stream: what is read of it is counted."""

    def __init__(self, stream: BinaryIO, budget: _Budget) -> None:
        self._stream = stream
        self._budget = budget

    def read(self, size: int, /) -> bytes:
        content = self._stream.read(size)
        self._budget.taken += len(content)
        return content

    def seekable(self) -> bool:
        return self._stream.seekable()

    def seek(self, offset: int, whence: int = 0, /) -> int:
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()


class _Ahead:
    """A stream whose beginning can be looked at."""

    def __init__(self, stream: _Stream) -> None:
        self._stream = stream
        self._held = b""

    def peek(self, size: int) -> bytes:
        while len(self._held) < size and (more := self._stream.read(size - len(self._held))):
            self._held += more
        return self._held[:size]

    def read(self, size: int, /) -> bytes:
        pieces = [self._held[:size]]
        self._held = self._held[size:]
        missing = size - len(pieces[0])
        while missing and (piece := self._stream.read(missing)):
            pieces.append(piece)
            missing -= len(piece)
        return b"".join(pieces)


class _Stretch:
    """The next so many bytes of a tar."""

    def __init__(self, archive: _Archive, stream: _Ahead, size: int) -> None:
        self._archive = archive
        self._stream = stream
        self._left = size

    def read(self, size: int, /) -> bytes:
        wanted = min(size, self._left)
        content = self._stream.read(wanted)
        if len(content) < wanted:
            raise _DamagedError(self._archive.source, "the tar ends too early")
        self._left -= wanted
        return content

    def skip(self) -> None:
        """Go to its end."""
        while self.read(_CHUNK):
            pass


def _whole(stream: _Stream) -> bytes | None:
    """All of a stream; None if it is more than a file may be."""
    pieces, size = [], 0
    while piece := stream.read(_CHUNK):
        pieces.append(piece)
        size += len(piece)
        if size > MAX_FILE_BYTES:
            return None
    return b"".join(pieces)


def _kind(beginning: bytes) -> str | None:
    if beginning.startswith(GZIP):
        return "gzip"
    if beginning.startswith((ZIP, EMPTY_ZIP)):
        return "zip"
    return "tar" if beginning.startswith(TAR, TAR_AT) else None


# --- archives ---------------------------------------------------------------------------------------------


def _files(source: str, stream: _Stream, depth: int, budget: _Budget) -> Iterator[Member | Reject]:
    """A file, or if it is an archive, the files in it."""
    ahead = _Ahead(stream)
    kind = _kind(ahead.peek(_BLOCK))
    if kind is None:
        content = _whole(ahead)
        yield Member(source, content) if content is not None else _too_large(source)
        return
    if depth == MAX_DEPTH:
        message = f"it is an archive in an archive, more than {MAX_DEPTH} deep"
        yield Reject(source, None, None, "nested_too_deep", message, "unpack the outer ones")
        return
    archive = _Archive(source, depth, budget)
    if kind == "zip":
        items = _of_zip(archive, stream if isinstance(stream, _Counted) else None, ahead)
    else:
        items = _of_gzip(archive, ahead) if kind == "gzip" else _of_tar(archive, ahead)
    is_empty = True
    try:
        for item in items:
            is_empty = False
            yield item
    except _DamagedError as error:
        if error.archive != source:
            raise
        message = f"the archive is damaged: {error}, {archive.place()}"
        yield Reject(source, None, None, "archive_damaged", message, _FETCH)
    else:
        if is_empty:
            yield Reject(source, None, None, "empty", "the archive has no files", "take it out of the inbox")


def _too_large(source: str, size: int | None = None) -> Reject:
    said = f"{size:,}" if size is not None else f"more than {MAX_FILE_BYTES:,}"
    message = f"{said} bytes; at most {MAX_FILE_BYTES:,} of a file in an archive are read"
    return Reject(source, None, size, "too_large", message, "if there are reports in it, give them by themselves")


def _member(archive: _Archive, source: str, stream: _Stream) -> Iterator[Member | Reject]:
    """A file of an archive, or the files in it."""
    archive.is_within = True
    yield from _files(source, stream, archive.depth + 1, archive.budget)
    archive.is_within = False


def _badly_named(archive: _Archive, name: bytes) -> Reject | None:
    """The reject for a member whose name is too long."""
    if len(name) <= MAX_NAME_BYTES:
        return None
    source = archive.member_source(name[:100] + b"...")
    message = f"its name has {len(name):,} bytes; at most {MAX_NAME_BYTES:,} are read"
    return Reject(source, None, None, "archive_unsupported", message, "give it a shorter name")


def _no_file(source: str, what: str) -> Reject:
    return Reject(source, None, None, "not_a_file", f"the member is {what}", "put the file itself into the archive")


# --- gzip -------------------------------------------------------------------------------------------------


class _Gunzipped:
    """What a gzip archive holds, decompressed: the streams in it one after the other."""

    def __init__(self, archive: _Archive, stream: _Ahead) -> None:
        self._archive = archive
        self._stream = stream
        self._inflate = zlib.decompressobj(wbits=31)
        self._given = b""
        self._ended = False
        archive.budget.count()

    def read(self, size: int, /) -> bytes:
        pieces = []
        while size and not self._ended:
            piece = self._piece(size)
            pieces.append(piece)
            size -= len(piece)
        return b"".join(pieces)

    def _piece(self, size: int) -> bytes:
        """Some of the next bytes, or none when a stream ends."""
        if self._inflate.eof:
            self._next_stream()
            return b""
        self._given = self._given or self._stream.read(_CHUNK)
        try:
            piece = self._inflate.decompress(self._given, min(size, _CHUNK))
        except zlib.error as error:
            raise _DamagedError(self._archive.source, f"gzip data are wrong ({error})") from error
        if not (self._given or piece or self._inflate.eof):
            raise _DamagedError(self._archive.source, "gzip data end too early")
        self._given = self._inflate.unused_data if self._inflate.eof else self._inflate.unconsumed_tail
        self._archive.budget.make(len(piece))
        return piece

    def _next_stream(self) -> None:
        """Begin the next stream, if there is one; zeros may fill up the end."""
        while not (begin := self._given.lstrip(b"\0")):
            self._given = self._stream.read(_CHUNK)
            if not self._given:
                self._ended = True
                return
        self._given = begin if len(begin) > 1 else begin + self._stream.read(_CHUNK)
        if not self._given.startswith(GZIP):
            raise _DamagedError(self._archive.source, "something else follows the gzip data")
        self._archive.budget.count()
        self._inflate = zlib.decompressobj(wbits=31)


def _of_gzip(archive: _Archive, stream: _Ahead) -> Iterator[Member | Reject]:
    """The file that is compressed, or the files if it is a tar."""
    name = _gzip_name(stream.peek(_CHUNK), archive.source)
    unzipped = _Ahead(_Gunzipped(archive, stream))
    if _kind(unzipped.peek(_BLOCK)) == "tar":
        yield from _of_tar(archive, unzipped)
        return
    if unnamed := _badly_named(archive, name):
        yield unnamed
    else:
        yield from _member(archive, archive.member_source(name), unzipped)


def _gzip_name(beginning: bytes, source: str) -> bytes:
    """The name of the file in a gzip archive: that in its header, or else that of the archive without its ending."""
    has_name, has_extra = (beginning[3] & flag for flag in (8, 4)) if beginning[10:] else (0, 0)
    at = 12 + int.from_bytes(beginning[10:12], "little") if has_extra else 10
    if has_name and (end := beginning.find(b"\0", at)) > at:
        return beginning[at:end].rpartition(b"/")[2] or b"data"
    last = re.split(r"!/|/", source)[-1]
    return (re.sub(r"(?i)\.gz\Z", "", last) or "data").encode("utf-8", "backslashreplace")


# --- tar --------------------------------------------------------------------------------------------------


@dataclass
class _Notes:
    """What stands before a member of a tar, about it."""

    name: bytes | None = None
    size: int | None = None
    is_sparse: bool = False


def _of_tar(archive: _Archive, stream: _Ahead) -> Iterator[Member | Reject]:
    """The files in a tar. Python's own reader is not used: a header can make it take any memory and time."""
    notes, number = _Notes(), 0
    while header := _tar_header(archive, stream):
        kind, size = header[156:157], _tar_number(archive, header[124:136])
        if kind in b"LKxXg":
            number += 1
            _take_note(archive, notes, kind, _note(archive, stream, size, number))
            continue
        archive.budget.count()
        name = notes.name if notes.name is not None else _tar_name(header)
        size = size if notes.size is None else notes.size
        more = kind == b"S" and header[482]
        while more:  # of the map of its gaps
            more = _block(archive, stream)[504]
        yield from _tar_member(archive, stream, name, b"S" if notes.is_sparse else kind, size)
        notes, number = _Notes(), 0
    while rest := stream.read(_CHUNK):
        if rest.strip(b"\0"):
            raise _DamagedError(archive.source, "something follows the mark of the tar's end")


_NO_FILES = {b"1": "a link", b"2": "a link", b"3": "a device", b"4": "a device", b"6": "a pipe"}
_WITHOUT_DATA = (*_NO_FILES, b"5")
_PLAIN_FILES = (b"0", b"\0", b"7")


def _tar_member(archive: _Archive, stream: _Ahead, name: bytes, kind: bytes, size: int) -> Iterator[Member | Reject]:
    """A member of a tar: a file, or what is none. Afterwards the stream stands behind it."""
    size = 0 if kind in _WITHOUT_DATA else size
    data = _Stretch(archive, stream, size)
    is_folder = kind == b"5" or (kind == b"\0" and name.endswith(b"/"))
    if is_folder or kind == b"V":  # the name of the tar
        pass
    elif unnamed := _badly_named(archive, name):
        yield unnamed
    elif kind in _NO_FILES:
        yield _no_file(archive.member_source(name), _NO_FILES[kind])
    elif kind not in _PLAIN_FILES:
        message = "the member is stored in a way that is not read (with gaps, or in pieces)"
        source = archive.member_source(name)
        yield Reject(source, None, None, "archive_unsupported", message, "pack it as a plain file")
    elif size > MAX_FILE_BYTES and not is_archive(stream.peek(_BLOCK)):
        yield _too_large(archive.member_source(name), size)
    else:
        yield from _member(archive, archive.member_source(name), data)
    data.skip()
    _Stretch(archive, stream, -size % _BLOCK).skip()


def _block(archive: _Archive, stream: _Ahead) -> bytes:
    block = stream.read(_BLOCK)
    if len(block) < _BLOCK:
        raise _DamagedError(archive.source, "the tar ends too early")
    return block


def _tar_header(archive: _Archive, stream: _Ahead) -> bytes | None:
    """The next header; None at the mark of the end."""
    block = _block(archive, stream)
    if not block.strip(b"\0"):
        return None
    printed = block[148:156]
    unsigned = sum(block) - sum(printed) + 8 * ord(" ")
    signed = unsigned - 256 * len((block[:148] + block[156:]).translate(None, bytes(range(128))))
    if _tar_number(archive, printed) not in (unsigned, signed):
        raise _DamagedError(archive.source, "the check sum of a tar header is wrong")
    return block


def _tar_number(archive: _Archive, printed: bytes) -> int:
    """A number of a header: octal digits, or bytes after one that is 0x80."""
    if printed.startswith(b"\x80"):
        return int.from_bytes(printed[1:], "big")
    digits = printed.split(b"\0")[0].strip(b" ")
    if not re.fullmatch(rb"[0-7]*", digits):
        raise _DamagedError(archive.source, "a number of a tar header is none")
    return int(digits or b"0", 8)


def _tar_name(header: bytes) -> bytes:
    """The name in a header; the POSIX form may have its beginning elsewhere."""
    name, prefix = header[:100].split(b"\0")[0], header[345:500].split(b"\0")[0]
    return prefix + b"/" + name if prefix and header[257:263] == b"ustar\0" else name


def _note(archive: _Archive, stream: _Ahead, size: int, number: int) -> bytes:
    """The content of a note about the next member."""
    if size > _MAX_NOTE_BYTES or number > _MAX_NOTES:
        raise _DamagedError(archive.source, "the tar says too much about a file")
    return _Stretch(archive, stream, size + -size % _BLOCK).read(_MAX_NOTE_BYTES)[:size]


def _take_note(archive: _Archive, notes: _Notes, kind: bytes, content: bytes) -> None:
    """Add what a note says of the next member. What holds for all members is none of what is read here."""
    if kind == b"L":
        notes.name = content.split(b"\0")[0]
    if kind not in b"xX":
        return
    for key, value in _attributes(archive, content):
        if key == b"path":
            notes.name = value
        elif key == b"size":
            notes.size = _attribute_number(archive, value)
        elif key.startswith(b"GNU.sparse."):
            notes.is_sparse = True


def _attributes(archive: _Archive, content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of lines `<length> <key>=<value>`, whose length counts all of it."""
    at = 0
    while at < len(content):
        length, _, _ = content[at : at + 12].partition(b" ")
        end = at + _attribute_number(archive, length)
        key, equals, value = content[at + len(length) + 1 : end].partition(b"=")
        if end <= at or end > len(content) or not equals or not value.endswith(b"\n"):
            raise _DamagedError(archive.source, "an attribute in the tar is none")
        yield key, value[:-1]
        at = end


def _attribute_number(archive: _Archive, printed: bytes) -> int:
    if not re.fullmatch(rb"[0-9]{1,20}", printed):
        raise _DamagedError(archive.source, "a number in the tar is none")
    return int(printed)


# --- zip --------------------------------------------------------------------------------------------------


class _Directory(io.BufferedIOBase):
    """The file of a zip, as Python's reader sees it: it reads the whole directory at once, so that has a bound."""

    def __init__(self, archive: _Archive, stream: _Counted | io.BytesIO) -> None:
        self._archive = archive
        self._file = stream

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or size < 0:
            size = MAX_DIRECTORY_BYTES
        if size > MAX_DIRECTORY_BYTES:
            raise _SpentError(f"has a directory of more than {MAX_DIRECTORY_BYTES:,} bytes")
        content = self._file.read(size)
        if content.startswith(_DIRECTORY_ENTRY) and content.count(_DIRECTORY_ENTRY) > MAX_MEMBERS:
            raise _SpentError(f"has more than {MAX_MEMBERS:,} members")
        return content

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0, /) -> int:
        if whence == io.SEEK_SET and offset < 0:
            raise ValueError("a place before the file")  # as in memory; a file on the disk says otherwise
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()


class _Unzipped:
    """What a member of a zip holds, decompressed. Damage is that of the member."""

    def __init__(self, source: str, stream: IO[bytes], size: int, budget: _Budget) -> None:
        self._source = source
        self._stream = stream
        self._left = size
        self._budget = budget

    def read(self, size: int, /) -> bytes:
        try:
            content = self._stream.read(min(size, _CHUNK))
        except _ZIP_ERRORS as error:
            raise _DamagedError(self._source, f"{error or 'it ends too early'}") from error
        self._budget.make(len(content))
        self._left -= len(content)
        if size and not content and self._left:
            raise _DamagedError(self._source, "it has another size than the directory says")
        return content


# What Python's reader raises where a zip is damaged.
_ZIP_ERRORS = (zipfile.BadZipFile, zlib.error, struct.error, ValueError, EOFError, NotImplementedError, OverflowError)


def _of_zip(archive: _Archive, file: _Counted | None, ahead: _Ahead) -> Iterator[Member | Reject]:
    """The files in a zip. Its directory stands at its end, so it is a file that can seek, or it is held in memory."""
    if file is None or not file.seekable():
        content = _whole(ahead)
        if content is None:
            yield _too_large(archive.source)
            return
        opened: _Counted | io.BytesIO = io.BytesIO(content)
    else:
        opened = file
    try:
        zipped = zipfile.ZipFile(_Directory(archive, opened))
    except _ZIP_ERRORS as error:
        raise _DamagedError(archive.source, f"the directory of the zip is wrong ({error})") from error
    with zipped:
        infos = zipped.infolist()
        if any(info.orig_filename == "[Content_Types].xml" for info in infos):
            hint = "give the report's text, as filed"
            yield Reject(archive.source, None, None, "binary", "the file is an Office file", hint)
            return
        _refuse_overlaps(archive, infos, zipped.start_dir)
        for info in infos:
            archive.budget.count()
            yield from _zip_member(archive, zipped, info)


def _refuse_overlaps(archive: _Archive, infos: list[zipfile.ZipInfo], end: int) -> None:
    """Raise if members share bytes, as they do in bombs."""
    for info in sorted(infos, key=lambda info: info.header_offset, reverse=True):
        if info.header_offset + 30 + info.compress_size > end:
            raise _DamagedError(archive.source, "members of the zip overlap")
        end = info.header_offset


def _zip_member(archive: _Archive, zipped: zipfile.ZipFile, info: zipfile.ZipInfo) -> Iterator[Member | Reject]:
    """A member of a zip: a file, or what is none."""
    name = info.orig_filename.encode("utf-8" if info.flag_bits & 0x800 else "cp437", "backslashreplace")
    if name.endswith(b"/"):
        return
    if unnamed := _badly_named(archive, name):
        yield unnamed
        return
    source = archive.member_source(name)
    if info.create_system == _UNIX and stat.S_ISLNK(info.external_attr >> 16):
        yield _no_file(source, "a link")
    elif info.flag_bits & 1:
        message, hint = "the member is encrypted", "unpack it with its password"
        yield Reject(source, None, info.file_size, "archive_encrypted", message, hint)
    elif info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        message, hint = "the member is packed in a way that is not read", "pack it with deflate"
        yield Reject(source, None, info.file_size, "archive_unsupported", message, hint)
    else:
        try:
            yield from _zip_file(archive, zipped, info, source)
        except _DamagedError as error:
            if error.archive != source:
                raise
            yield Reject(source, None, info.file_size, "archive_damaged", f"the member is damaged: {error}", _FETCH)


def _zip_file(
    archive: _Archive, zipped: zipfile.ZipFile, info: zipfile.ZipInfo, source: str
) -> Iterator[Member | Reject]:
    """A file of a zip."""
    try:
        stream = zipped.open(info)
    except _ZIP_ERRORS as error:
        raise _DamagedError(source, str(error)) from error
    with stream:
        yield from _member(archive, source, _Unzipped(source, stream, info.file_size, archive.budget))
