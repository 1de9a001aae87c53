"""The folder that a command names as its lake: on this machine, or one that stands for it while the command runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from etl.commits import is_delta
from etl.delta_tables import as_folder
from etl.errors import UsageError
from etl.object_lake import lake_copy
from etl.objects import is_url, location_of


@contextmanager
def lake_folder(output: str, *, with_sources: bool = False) -> Iterator[Path]:
    """A folder with the tables of a lake as Parquet files: its own, or for the while one that stands for it: a copy of
    one in object storage, links to the files that Delta tables have now."""
    if is_url(output):
        with lake_copy(output, with_sources=with_sources) as copy:
            yield copy
    elif is_delta(folder := Path(output)):
        with as_folder(folder) as links:
            yield links
    else:
        yield folder


def own_folder(output: str, command: str) -> Path:
    """The folder of a lake on this machine. Raises UsageError for a URL."""
    if is_url(output):
        url = location_of(output).url
        raise UsageError(f"{url}: etl {command} works on a folder; fetch the lake into one and name that")
    return Path(output)
