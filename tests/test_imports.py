"""The package flows in one direction, prints in one place, and holds no family's words in its code."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from etl.partitions import OUTPUT_FOLDERS
from etl.schema import TABLES

from .conftest import REPOSITORY

# A module imports only modules that stand above it.
ORDER = [
    "errors",
    "version",
    "schema",
    "deals",
    "identifiers",
    "partitions",
    "objects",
    "object_inbox",
    "commits",
    "decoding",
    "submissions",
    "html_text",
    "documents",
    "object_files",
    "containers",
    "filings",
    "sources",
    "lines",
    "patterns",
    "cells",
    "layout_lines",
    "layout",
    "drafting",
    "splits",
    "rules",
    "rejections",
    "blocks",
    "near_heads",
    "class_rows",
    "labelled_rows",
    "prose",
    "records",
    "label_paths",
    "class_proofs",
    "lookalikes",
    "near_misses",
    "generic",
    "tables",
    "rejected_records",
    "formulas",
    "identities",
    "dictionary",
    "figures",
    "outcomes",
    "identity_checks",
    "accrual_checks",
    "total_checks",
    "identifier_checks",
    "reading_checks",
    "checks",
    "month_checks",
    "batch",
    "why",
    "samples",
    "new_layouts",
    "versions",
    "parquet",
    "manifest",
    "staging",
    "stores",
    "delta_tables",
    "leases",
    "object_lake",
    "workers",
    "worker",
    "summary",
    "lineage",
    "inbox",
    "landing",
    "local_engine",
    "spark_session",
    "spark_tasks",
    "spark_engine",
    "telling",
    "compaction",
    "lake",
    "queries",
    "whole_files",
    "views",
    "sql",
    "lake_checks",
    "losses",
    "movements",
    "deal_tables",
    "excel_formulas",
    "sheets",
    "reconciliation",
    "workbook",
    "csv_files",
    "data_package",
    "explain",
    "overview",
    "analytics",
    "page_data",
    "web_page",
    "runs",
    "watching",
    "api",
    "edgar",
    "downloads",
    "fetched_files",
    "fetching",
    "lake_folders",
    "terminal",
    "logs",
    "ending",
    "grids",
    "show_schema",
    "show_checks",
    "show_run",
    "show_explanation",
    "show_movements",
    "show_answer",
    "show_views",
    "show_overview",
    "show_why",
    "show_layouts",
    "show_fetch",
    "completion",
    "arguments",
    "configuration",
    "command_show",
    "command_config",
    "command_fetch",
    "show_report",
    "command_report",
    "show_export",
    "command_export",
    "command_datapackage",
    "show_commands",
    "command_commands",
    "cli",
    "command",
]
# Modules that start processes, or are one.
PROCESSES = ("worker", "workers", "spark_session")
# Modules that lay out and print what people see.
PRINTING = (
    *("cli", "command", "terminal", "grids", "logs", "ending", "completion", "arguments"),
    *(module for module in ORDER if module.startswith(("show_", "command_"))),
)
PACKAGE = REPOSITORY / "etl"
MODULES = sorted(file.stem for file in PACKAGE.glob("*.py") if file.stem not in ("__init__", "__main__"))

FAMILIES = re.compile(
    r"\b(US Bank|U\.S\. Bank|us.bank|Wells Fargo|Bankers Trust|Deutsche|Fairbanks|Chase|JPMorgan|Citibank|HSBC|LaSalle"
    r"|Wilmington|BNY|Bank of New York|Residential Funding|RFMSI|Aames|Asset Backed Securities Corporation)\b",
    re.IGNORECASE,
)


def _tree(module: str) -> ast.Module:
    return ast.parse((PACKAGE / f"{module}.py").read_text(encoding="utf-8"))


def _imported(module: str) -> Iterator[str]:
    """Names of all modules that a module imports, wherever the import stands."""
    for node in ast.walk(_tree(module)):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            prefix = "etl." if node.level else ""
            base = f"{prefix}{node.module or ''}".rstrip(".")
            yield base
            yield from (f"{base}.{name.name}" for name in node.names if base == "etl")


def _steps(module: str) -> set[str]:
    """The modules of the package that a module imports."""
    return {name.split(".")[1] for name in _imported(module) if name.startswith("etl.")} & set(MODULES)


def test_every_module_has_its_place() -> None:
    assert sorted(ORDER) == MODULES
    assert not [file for file in PACKAGE.rglob("*.py") if file.parent != PACKAGE]


@pytest.mark.parametrize("module", MODULES)
def test_a_step_imports_only_earlier_steps(module: str) -> None:
    assert _steps(module) <= set(ORDER[: ORDER.index(module)])


def test_imports_are_seen() -> None:
    assert {"schema", "layout", "runs"} <= set().union(*map(_steps, MODULES))


@pytest.mark.parametrize("module", [module for module in MODULES if module not in (*PRINTING, *PROCESSES)])
def test_only_the_command_prints(module: str) -> None:
    tops = {name.split(".")[0] for name in _imported(module)}
    assert not tops & {"typer", "rich", "click", "sys", "logging"}
    calls = [node for node in ast.walk(_tree(module)) if isinstance(node, ast.Call)]
    assert not [
        call for call in calls if isinstance(call.func, ast.Name) and call.func.id in ("print", "input", "exit")
    ]


@pytest.mark.parametrize("module", [module for module in MODULES if module != "partitions"])
def test_the_folders_of_a_lake_are_named_in_one_place(module: str) -> None:
    named = {node.value for node in ast.walk(_tree(module)) if isinstance(node, ast.Constant)}
    assert not named & set(OUTPUT_FOLDERS).difference(TABLES)


@pytest.mark.parametrize("file", sorted(PACKAGE.rglob("*.py")), ids=lambda file: file.stem)
def test_no_module_names_a_family(file: Path) -> None:
    assert not FAMILIES.findall(file.read_text(encoding="utf-8"))


def test_layouts_do_name_their_families() -> None:
    """So the expression above would find them."""
    assert all(FAMILIES.search(file.read_text(encoding="utf-8")) for file in PACKAGE.glob("layouts/*/layout.toml"))
