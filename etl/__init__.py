"""Trustee distribution reports → tidy, typed, checked Parquet.

import etl

report = etl.read_report("report.txt")     # frames, nothing is written
report.tables["classes"]
summary = etl.run(["inbox/"], "output/")   # what the command does
"""

from etl.api import Report, read_report, read_reports
from etl.errors import (
    EtlError,
    LakeError,
    LayoutError,
    OutputError,
    RejectedError,
    SchemaError,
    UsageError,
    WorkerError,
)
from etl.layout import Layout, known_layouts, load_layout, load_layouts
from etl.runs import run
from etl.schema import arrow_schema, partitioning
from etl.summary import Summary
from etl.version import __version__
from etl.watching import watch

__all__ = [
    "EtlError",
    "LakeError",
    "Layout",
    "LayoutError",
    "OutputError",
    "RejectedError",
    "Report",
    "SchemaError",
    "Summary",
    "UsageError",
    "WorkerError",
    "__version__",
    "arrow_schema",
    "known_layouts",
    "load_layout",
    "load_layouts",
    "partitioning",
    "read_report",
    "read_reports",
    "run",
    "watch",
]
