"""Every example of docs/readers.md is run."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

import etl

from .conftest import REPOSITORY
from .pages import examples
from .processes import call_etl
from .spark_sessions import needs_java

PAGE = REPOSITORY / "docs" / "readers.md"


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a lake of the sample inbox and its views."""
    place = tmp_path_factory.mktemp("workplace")
    shutil.copytree(REPOSITORY / "samples", place / "samples")
    etl.run([place / "samples" / "inbox"], place / "output")
    assert call_etl("views", "output", cwd=place).returncode == 0
    return place


COMMANDS = [line for block in examples(PAGE, "sh") for line in block.splitlines()]


@pytest.mark.parametrize("command", COMMANDS)
def test_the_commands_run(workplace: Path, command: str) -> None:
    words = shlex.split(command, comments=True)
    assert words[0] == "etl"
    done = call_etl(*words[1:], cwd=workplace)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout


def test_the_sql_runs(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (example,) = examples(PAGE, "sql")
    monkeypatch.chdir(workplace)
    assert len(duckdb.connect().execute(example).fetchall()) == 3 * 14


@pytest.mark.parametrize(
    ("example", "shown"),
    [
        pytest.param(example, shown, marks=[pytest.mark.spark] if "pyspark" in example else [])
        for example, shown in zip(
            examples(PAGE, "python"), ("328979574.00", "balance", "sum(ending_balance)"), strict=True
        )
    ],
)
def test_the_python_runs(workplace: Path, example: str, shown: str) -> None:
    if "pyspark" in example:
        needs_java()
    done = subprocess.run(
        [sys.executable, "-c", example],
        cwd=workplace,
        env={**os.environ, "POLARS_FMT_MAX_ROWS": "100"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert shown in done.stdout
