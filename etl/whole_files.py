"""Files that people ask for, written whole: beside its place first, then renamed into it."""

from __future__ import annotations

import os
from pathlib import Path

from etl.errors import OutputError


def write_whole(file: Path, data: bytes, mend: str) -> None:
    """Put a file into its place by one rename, over the one that stands there; folders above it are made.

    Raises OutputError, with the mend, where that cannot be done.
    """
    staged = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            staged.write_bytes(data)
            staged.replace(file)
        finally:
            staged.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"{file}: cannot be written: {error.strerror or error}; {mend}") from error
