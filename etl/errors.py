"""Everything that a caller of this package may want to catch.

EtlError
├── UsageError      the call cannot be carried out as it was given (no such inbox, ...)
│   ├── NothingFoundError  a pattern or a prefix among the inputs stands for nothing
│   └── NotListedError     object storage did not say what an input stands for
├── LayoutError     a layout file is wrong: names the file, the line, the key and the mend
├── SchemaError     a table does not fit its declared schema: a defect of the program
├── OutputError     the output folder cannot be written
│   └── StorageError    object storage cannot be asked, or refuses: names the URL and the mend
├── LakeError       a file in the output folder cannot be read: names the file and the mend
├── FetchError      filings cannot be listed or fetched: names what was asked for and what was answered
├── WorkerError     a worker process ended before its work was done
└── RejectedError   one document could not be read: reason code, message, hint
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def first_line(error: BaseException) -> str:
    """What another library's error says, in one line."""
    return str(error).strip().partition("\n")[0]


class EtlError(Exception):
    """Base of all errors of this package. Its text is one line for a person."""


class UsageError(EtlError):
    """The call cannot be carried out as it was given."""


class NothingFoundError(UsageError):
    """A pattern or a prefix among the inputs stands for nothing, at least now."""


class NotListedError(UsageError):
    """The objects that an input stands for cannot be listed, at least now."""


class LayoutError(EtlError):
    """A layout file cannot be used."""

    def __init__(self, file: Path, key: str, message: str, line: int | None = None) -> None:
        place = "" if line is None else f", line {line}"
        super().__init__(f"{file}{place}: {key}: {message}")
        self.file = file
        self.key = key
        self.line = line


class SchemaError(EtlError):
    """A table does not have the declared columns, types or nullability."""


class OutputError(EtlError):
    """The output folder cannot be written."""


class StorageError(OutputError):
    """Object storage cannot be reached, or refuses what was asked of it."""


class LakeError(EtlError):
    """A file in the output folder cannot be read."""

    def __init__(self, file: Path | str, message: str, hint: str) -> None:
        super().__init__(f"{file}: {message}; {hint}")
        self.file = file
        self.message = message
        self.hint = hint

    def __reduce__(self) -> tuple[type[LakeError], tuple[Path | str, str, str]]:
        return LakeError, (self.file, self.message, self.hint)  # it comes out of worker processes


class FetchError(EtlError):
    """Filings cannot be listed or fetched."""


class WorkerError(EtlError):
    """A worker process ended before its work was done, or a job had a defect."""


class RejectedError(EtlError):
    """One document could not be read."""

    def __init__(self, reason_code: str, message: str, hint: str) -> None:
        super().__init__(f"{reason_code}: {message} ({hint})")
        self.reason_code = reason_code
        self.message = message
        self.hint = hint


@contextmanager
def named_as(folder: Path, place: str) -> Iterator[None]:
    """Let errors name a place, where they would name the folder that stands for it only for a while; and the file that
    a link in it leads to."""
    try:
        yield
    except EtlError as error:
        if isinstance(error, LakeError):
            if os.path.islink(error.file):  # noqa: PTH114 - it may be a URL
                error.file = os.path.realpath(error.file)
            elif str(folder) in str(error.file):
                error.file = str(error.file).replace(str(folder), place)
            error.message = error.message.replace(str(folder), place)
            error.hint = error.hint.replace(str(folder), place)
            error.args = (f"{error.file}: {error.message}; {error.hint}",)
        else:
            error.args = (str(error).replace(str(folder), place),)
        raise
