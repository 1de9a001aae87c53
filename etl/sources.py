"""The sources of the reports, kept in the lake: named by what is in them, compressed.

    OUTPUT/_sources/<first 2 hex digits>/<SHA-256>.gz

So a value can be shown where it is printed after the inbox has gone. The same source gives the same
bytes. What is read back is bounded, and held against its name.
"""

from __future__ import annotations

import gzip
import hashlib
import re
import zlib
from pathlib import Path

from etl.documents import MAX_BYTES
from etl.errors import LakeError
from etl.partitions import SOURCES_FOLDER

# The levels above take twice the time and more for a tenth of the bytes.
_LEVEL = 3
_SHA256 = re.compile(r"[0-9a-f]{64}")


def source_file(sha256: str) -> str:
    """Where the source with this SHA-256 stands, below the lake. Raises ValueError for what is no SHA-256."""
    if not _SHA256.fullmatch(sha256):
        raise ValueError(f"{sha256!r} is no SHA-256")
    return f"{SOURCES_FOLDER}/{sha256[:2]}/{sha256}.gz"


def compressed(content: bytes) -> bytes:
    """The bytes of a source's file."""
    return gzip.compress(content, _LEVEL, mtime=0)


def read_source(output: Path, sha256: str) -> bytes:
    """The source with this SHA-256. Raises LakeError where it is missing or damaged."""
    file = output / source_file(sha256)
    try:
        with gzip.open(file) as stream:
            content = stream.read(MAX_BYTES + 1)  # never more, whatever the file would grow to
    except FileNotFoundError as error:
        raise LakeError(file, "is not there", "run `etl run` over its report again, without --no-sources") from error
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise _damaged(file, str(error)) from error
    except OSError as error:
        raise LakeError(file, f"cannot be read: {error.strerror or error}", "check its rights and the disk") from error
    if len(content) > MAX_BYTES:
        raise _damaged(file, f"more than {MAX_BYTES:,} bytes")
    if hashlib.sha256(content).hexdigest() != sha256:
        raise _damaged(file, "it does not have the SHA-256 of its name")
    return content


def _damaged(file: Path, message: str) -> LakeError:
    return LakeError(file, f"is damaged: {message}", "delete it and run `etl run` over its report again")
