"""`etl run --engine spark` and spark-submit as people start them, and runs that are killed whole."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

import etl
from etl.manifest import read_manifest

from .conftest import REPOSITORY
from .faults_lakes import wait_for
from .lakes import hashes
from .spark_inboxes import write_few, write_later_inbox
from .spark_sessions import needs_java

SECONDS = 180
ETL = (Path(sys.executable).with_name("etl"),)


@pytest.fixture
def few(tmp_path: Path) -> Path:
    return write_few(tmp_path / "few")


@pytest.fixture
def java() -> None:
    needs_java()


def _called(*arguments: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "COLUMNS": "80", **variables}
    return subprocess.run(
        [*map(str, arguments)], env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
    )


@pytest.mark.spark
@pytest.mark.usefixtures("java")
def test_the_command_starts_spark_and_says_nothing_of_it(few: Path, tmp_path: Path) -> None:
    etl.run([few], tmp_path / "local")
    called = _called(*ETL, "run", few, "--out", tmp_path / "lake", "--engine", "spark", "--json")
    assert (called.returncode, called.stderr) == (0, "")
    assert json.loads(called.stdout)["reports_read"] == 3
    assert hashes(tmp_path / "lake") == hashes(tmp_path / "local")


@pytest.mark.spark
@pytest.mark.usefixtures("java")
def test_the_example_runs_under_spark_submit(few: Path, tmp_path: Path) -> None:
    etl.run([few], tmp_path / "local")
    submit = Path(sys.executable).with_name("spark-submit")
    master = ("--master", "local[2]", "--conf", "spark.ui.enabled=false")
    script = REPOSITORY / "examples/spark_submit.py"
    called = _called(submit, *master, script, few, tmp_path / "lake", PYSPARK_PYTHON=sys.executable)
    assert called.returncode == 0, called.stderr
    assert called.stdout == "3 reports read, 0 skipped, 1 rejected\n"
    assert hashes(tmp_path / "lake") == hashes(tmp_path / "local")
    called = _called(submit, *master, script, "nowhere", tmp_path / "lake", PYSPARK_PYTHON=sys.executable)
    assert called.returncode == 1
    assert (
        called.stdout == "nowhere: there is no such file or folder; check the name\n"
    )  # spark-submit has both streams of a script there
    called = _called(sys.executable, script, few)
    assert (called.returncode, called.stdout) == (2, "")
    assert called.stderr == "name one or more inboxes, then the output: spark_submit.py INBOX... OUTPUT\n"


# The program, whose Spark is killed in the middle of a run.
WITHOUT_JAVA = """
import os, signal, sys
from etl import cli, spark_engine

going_on = spark_engine.SparkEngine._by_owner

def die(engine, owners):
    java = engine._context._gateway.proc
    os.kill(java.pid, signal.SIGKILL)
    java.wait()
    return going_on(engine, owners)

spark_engine.SparkEngine._by_owner = die
sys.argv = ["etl", *sys.argv[1:]]
cli.main()
"""


@pytest.mark.spark
@pytest.mark.usefixtures("java")
def test_a_spark_that_ends_is_told_of(few: Path, tmp_path: Path) -> None:
    """In the last line: a thread of Spark's own may say something before."""
    lake = tmp_path / "lake"
    called = _called(sys.executable, "-c", WITHOUT_JAVA, "run", few, "--out", lake, "--engine", "spark")
    assert (called.returncode, called.stdout) == (1, ""), called.stderr
    last = called.stderr.splitlines()[-1]
    assert last.startswith("etl: Spark could not put the files of partitions together: "), called.stderr
    assert "spark_engine.py" not in called.stderr
    assert read_manifest(lake).rows.is_empty()


# The program, which is killed as a whole where it comes to this function.
DYING = """
import os, signal, sys
from etl import cli, commits

def die(*_given, **_named):
    os.kill(os.getpid(), signal.SIGKILL)

commits.{name} = die
sys.argv = ["etl", *sys.argv[1:]]
cli.main()
"""


@pytest.mark.spark
@pytest.mark.usefixtures("java")
@pytest.mark.parametrize(
    ("name", "engine", "decided"),
    [("_require", "spark", False), ("_apply", "local", True)],
)
def test_a_run_that_is_killed_is_finished_by_the_next(
    *, name: str, engine: str, decided: bool, few: Path, tmp_path: Path
) -> None:
    """Before the commit is decided, when all files are there, and just after it."""
    lake, later = tmp_path / "lake", write_later_inbox(tmp_path / "later")
    etl.run([few, later], tmp_path / "clean")
    etl.run([few], lake)
    before = hashes(lake)
    mark = uuid.uuid4().hex
    arguments = ("run", few, later, "--out", lake, "--engine", "spark")
    called = _called(sys.executable, "-c", DYING.format(name=name), *arguments, KILLED_RUN=mark)
    assert called.returncode == -9, called.stderr
    assert wait_for(lambda: not _processes_with(mark)), "the run has left processes behind"
    here = hashes(lake)
    assert {file: digest for file, digest in here.items() if not file.startswith("_staging/")} == before
    staged = [file for file in here if file.startswith("_staging/") and "/classes/" in file]
    assert staged, "it was killed too early to show anything"
    assert all(("ready/" in file) is decided for file in staged)
    summary = etl.run([few, later], lake) if engine == "local" else None
    if summary is None:
        assert _called(*ETL, *arguments).returncode == 0
    else:
        assert summary.reports_read == 0  # all that was decided is there
    assert hashes(lake) == hashes(tmp_path / "clean")
    assert not (lake / "_staging").exists()


def _processes_with(mark: str) -> list[Path]:
    """Processes that have a word in their environment (Linux)."""
    found = []
    for file in Path("/proc").glob("[0-9]*/environ"):
        try:
            if mark.encode() in file.read_bytes():
                found.append(file)
        except OSError:  # it has ended, or is somebody else's
            continue
    return found


# --- where Spark cannot be used ---------------------------------------------------------------------------------


def _refused(called: subprocess.CompletedProcess[str], *said: str) -> None:
    assert (called.returncode, called.stdout) == (2, "")
    (line,) = called.stderr.splitlines()
    assert all(part.lower() in line.lower() for part in said), line


def test_an_engine_that_there_is_not_is_named(few: Path, tmp_path: Path) -> None:
    called = _called(*ETL, "run", few, "--out", tmp_path / "lake", "--engine", "sparc")
    _refused(called, "there is no engine 'sparc'; the engines are 'local' and 'spark'")


def test_without_java_the_mend_is_named(few: Path, tmp_path: Path) -> None:
    arguments = ("run", few, "--out", tmp_path / "lake", "--engine", "spark")
    _refused(_called(*ETL, *arguments, PATH="/nowhere", JAVA_HOME=""), "needs Java: install Java 17")
    _refused(_called(*ETL, *arguments, JAVA_HOME="/nowhere"), "Spark does not start: ", "/nowhere", "install Java 17")
    assert not (tmp_path / "lake").exists()


@pytest.mark.parametrize("library", ["pandas", "pyspark"])
def test_without_a_library_the_mend_is_named(library: str, few: Path, tmp_path: Path) -> None:
    without = f"import sys; sys.modules[{library!r}] = None; from etl.cli import main; sys.argv[0] = 'etl'; main()"
    called = _called(sys.executable, "-c", without, "run", few, "--out", tmp_path / "lake", "--engine", "spark")
    _refused(called, library, "pip install 'trustee-etl[spark]'")


@pytest.mark.spark
@pytest.mark.usefixtures("java")
def test_a_spark_that_does_not_start_tells_why(few: Path, tmp_path: Path) -> None:
    (tmp_path / "spark-defaults.conf").write_text("spark.master nonsense\n")
    arguments = ("run", few, "--out", tmp_path / "lake", "--engine", "spark")
    called = _called(*ETL, *arguments, SPARK_CONF_DIR=str(tmp_path))
    _refused(called, "Spark does not start: ", "Master must", "check the settings of Spark")


@pytest.mark.spark
@pytest.mark.usefixtures("java")
def test_a_url_that_spark_cannot_read_is_named(tmp_path: Path) -> None:
    called = _called(*ETL, "run", "s3a://bucket/inbox", "--out", tmp_path / "lake", "--engine", "spark")
    _refused(called, "s3a://bucket/inbox: Spark cannot list it: ", "S3AFileSystem not found", "--packages")
    assert read_manifest(tmp_path / "lake").rows.is_empty()
