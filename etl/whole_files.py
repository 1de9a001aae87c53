"""Files that people ask for: where they may stand, and how they are written whole: beside their place first, then
renamed into it.

Links are followed: the file that a link leads to is replaced, and the link stays.
"""

from __future__ import annotations

import os
from pathlib import Path

from etl.errors import OutputError, UsageError
from etl.objects import is_url


def place_of(option: str, given: str) -> Path:
    """The place that an option names. Raises UsageError where it names none on this machine."""
    if not given:
        raise UsageError(f"{option} is empty; name what is to be written")
    if given == "-":
        raise UsageError(f"{option} -: nothing is written to standard output; name a path")
    if is_url(given):
        raise UsageError(f"{option} {given}: it is written to this machine; name a path")
    return Path(given)


def hold_off(file: Path, output: str) -> None:
    """Raise UsageError where a file would stand in the lake, by its name or by links, or over what is no file."""
    keep_out(file, output)
    if (found := _in_the_way(file)) is not None:
        raise UsageError(f"{file}: is {found}; name a file")


def keep_out(file: Path, output: str) -> None:
    """Raise UsageError where a file would stand in the lake, by its name or by links."""
    if not is_url(output) and any(
        Path(known(file)).is_relative_to(known(output)) for known in (os.path.abspath, os.path.realpath)
    ):
        raise UsageError(f"{file}: stands in the lake, where readers take it for a part; name another place")


def write_whole(file: Path, data: bytes, mend: str) -> None:
    """Put a file into its place by one rename, over the file that stands there; folders above it are made.

    Raises OutputError, with the mend, where that cannot be done, and where what stands there is no file.
    """
    if (found := _in_the_way(file)) is not None:
        raise OutputError(f"{file}: cannot be written: it is {found}; {mend}")
    place = Path(os.path.realpath(file))
    staged = place.with_name(f".{place.name}.{os.getpid()}")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            staged.write_bytes(data)
            staged.replace(place)
        finally:
            staged.unlink(missing_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise OutputError(f"{file}: cannot be written: what stands above it is no folder; {mend}") from error
    except OSError as error:
        raise OutputError(f"{file}: cannot be written: {error.strerror or error}; {mend}") from error


def _in_the_way(file: Path) -> str | None:
    """What stands at a place and is not to be replaced, as a device or a pipe that others use; None where a regular
    file or nothing stands there, or where that cannot be known."""
    if os.path.isdir(file):  # noqa: PTH112 - no error where that cannot be known
        return "a folder"
    place = os.path.realpath(file)
    # Both, as a pipe has no path that its link could lead to (/dev/stdout), and a link to itself leads nowhere.
    stands = os.path.exists(file) or os.path.lexists(place)  # noqa: PTH110 - the same
    return "no regular file" if stands and not os.path.isfile(place) else None  # noqa: PTH113 - the same
