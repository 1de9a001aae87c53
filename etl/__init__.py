"""Trustee distribution reports → tidy, typed, checked Parquet.

import etl

report = etl.read_report("report.txt")     # frames, nothing is written
report.tables["classes"]
summary = etl.run(["inbox/"], "output/")   # what the command does
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from etl.version import __version__

if TYPE_CHECKING:
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
# What stands where: it is loaded when it is asked for, so that a command can be interrupted from its beginning.
_PLACES = {
    "etl.api": ("Report", "read_report", "read_reports"),
    "etl.errors": (
        "EtlError",
        "LakeError",
        "LayoutError",
        "OutputError",
        "RejectedError",
        "SchemaError",
        "UsageError",
        "WorkerError",
    ),
    "etl.layout": ("Layout", "known_layouts", "load_layout", "load_layouts"),
    "etl.runs": ("run",),
    "etl.schema": ("arrow_schema", "partitioning"),
    "etl.summary": ("Summary",),
    "etl.watching": ("watch",),
}


def __getattr__(name: str) -> Any:
    """Load a public name from where it stands."""
    for place, names in _PLACES.items():
        if name in names:
            return getattr(import_module(place), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """The public names."""
    return __all__
