"""Sessions of Spark on this machine, for tests; what they are made of."""

from __future__ import annotations

import os
import shutil
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pyspark import TaskContext
    from pyspark.sql import SparkSession

SETTINGS = {
    "spark.ui.enabled": "false",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.sql.shuffle.partitions": "5",
    "spark.sql.maxMetadataStringLength": "10000",  # plans with the whole of their filters
    "spark.ui.showConsoleProgress": "false",
}


def needs_java() -> None:
    """Skip where there is no Java, with the package to install; fail where it is required."""
    if shutil.which("java") or os.environ.get("JAVA_HOME"):
        return
    reason = "needs Java 17 for Spark: install Debian's package openjdk-17-jre-headless"
    if os.environ.get("TRUSTEE_ETL_REQUIRE_JAVA"):
        pytest.fail(reason)
    pytest.skip(reason)


@contextmanager
def started_spark(folder: Path, master: str = "local[2,4]", **settings: str) -> Iterator[SparkSession]:
    """A session whose tasks are tried four times."""
    needs_java()
    os.environ["PYSPARK_PYTHON"] = sys.executable
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        from pyspark.sql import SparkSession  # noqa: PLC0415 - a second, and not needed without Java

        builder = SparkSession.builder.master(master).appName("trustee-etl tests")
        given = {**SETTINGS, "spark.sql.warehouse.dir": str(folder), **settings}
        for name, value in given.items():
            builder = builder.config(name, value)
        session = builder.getOrCreate()
        session.sparkContext.setLogLevel("OFF")
        yield session
        session.stop()


def children(parent: int) -> list[int]:
    """The processes that a process has started (Linux)."""
    threads = Path(f"/proc/{parent}/task").glob("*/children")
    try:
        return [int(child) for thread in threads for child in thread.read_text().split()]
    except OSError:  # it has just ended
        return []


def java_process(session: SparkSession) -> int:
    """The process of a session that this one has started."""
    gateway = session.sparkContext._gateway  # noqa: SLF001 - pyspark tells it nowhere else
    assert gateway is not None
    process: int = gateway.proc.pid
    return process


def task_context() -> TaskContext:
    """Within a task: which one it is."""
    from pyspark import TaskContext  # noqa: PLC0415

    context = TaskContext.get()
    assert context is not None
    return context
