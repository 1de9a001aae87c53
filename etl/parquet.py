"""Tables → the bytes of Parquet files, and back.

The same rows give the same bytes. Files are compressed with zstd, but for those so small that it would
make them larger; statistics of every column and, in files of several years, row groups of a year each
and Bloom filters of the classes let readers skip what a filter on class or date leaves out.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from etl.errors import LakeError, first_line
from etl.partitions import DATE_COLUMN

# Below so many rows a compressed file is hardly smaller (the disk gives it whole blocks anyway), and takes half as long
# again.
COMPRESSED_ROWS = 32
# Below so many rows dictionaries of the values save no bytes, and take a quarter of the time.
DICTIONARY_ROWS = 1000
# In files of several reports: whether a class is among them (the first and the last say little of the others).
_CLASSES = {"class_key": {"ndv": 64, "fpp": 0.01}}
# What mends a file that cannot be read. While it stands there, a run that must keep other reports of it cannot go on.
REREAD = "delete it and run `etl run --force` over its reports"
_END, SMALLEST = b"PAR1", 12
ROW_GROUP_ROWS = 256 * 1024


def parquet_bytes(data: pa.Table, schema: pa.Schema) -> bytes:
    """The Parquet file of the rows, with exactly this schema."""
    compression = "zstd" if data.num_rows >= COMPRESSED_ROWS else "none"
    several = data.num_rows and DATE_COLUMN in schema.names and "class_key" in schema.names
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(
        sink,
        schema,
        compression=compression,
        use_dictionary=data.num_rows >= DICTIONARY_ROWS,
        bloom_filter_options=_CLASSES if several else None,
    ) as writer:
        for rows in _row_groups(data):
            writer.write_table(rows, ROW_GROUP_ROWS)
    content: bytes = sink.getvalue().to_pybytes()
    return content


def read_parquet(file: Path, schema: pa.Schema) -> pa.Table:
    """The rows of a file with this schema; columns that a file of an older run lacks are null.

    Raises LakeError where the file cannot be read or has other types, FileNotFoundError where it is not there.
    """
    try:
        data = pq.ParquetFile(file).read(use_threads=False)
        columns = [
            data.column(field.name).cast(field.type)
            if field.name in data.column_names
            else pa.nulls(data.num_rows, field.type)
            for field in schema
        ]
        return pa.Table.from_arrays(columns, schema=schema)
    except FileNotFoundError:
        raise
    except (pa.ArrowException, OSError) as error:
        message = f"cannot be read: {first_line(error)}"
        raise LakeError(file, message, REREAD) from error


def has_end(file: str) -> bool:
    """Whether a file is there and ends as a Parquet file does: so it was not cut. What is in it is not looked at."""
    try:
        with open(file, "rb", buffering=0) as stream:  # noqa: PTH123 - one of many thousands
            if stream.seek(0, os.SEEK_END) < SMALLEST:
                return False
            stream.seek(-len(_END), os.SEEK_END)
            return stream.read() == _END
    except OSError:
        return False


def stretches(data: pa.Table, values: pa.ChunkedArray) -> Iterator[tuple[Any, pa.Table]]:
    """Each value, and the rows in which it stands; rows with the same value stand together."""
    runs = pc.run_end_encode(values.combine_chunks())
    start = 0
    for end, value in zip(runs.run_ends.to_pylist(), runs.values.to_pylist(), strict=True):
        yield value, data.slice(start, end - start)
        start = end


def _row_groups(data: pa.Table) -> Iterator[pa.Table]:
    """The rows year by year, where they have a date; they are sorted by it."""
    if DATE_COLUMN not in data.column_names or data.schema.field(DATE_COLUMN).nullable:
        yield data
        return
    yield from (rows for _, rows in stretches(data, pc.year(data.column(DATE_COLUMN))))
