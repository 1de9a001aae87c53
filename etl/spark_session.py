"""The Spark session of a run: the one that there is, or one that is started, quietly, with the settings that it finds.

So `spark-submit`, `spark-defaults.conf` and the environment say which cluster it is; where nothing does, it is all
cores of this machine.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING

from etl.errors import UsageError, first_line
from etl.workers import ENVIRONMENT

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_INSTALL = "pip install 'trustee-etl[spark]'"
_JAVA = "install Java 17, such as Debian's package openjdk-17-jre-headless, or set JAVA_HOME"
# Set by spark-submit, which has started Java already.
_SUBMITTED = "PYSPARK_GATEWAY_PORT"
_PYTHON = "PYSPARK_PYTHON"


@contextmanager
def spark_session(given: SparkSession | None = None) -> Iterator[SparkSession]:
    """A session for a run. One that was started for it ends with it. Raises UsageError where there can be none."""
    _require_libraries()
    from pyspark.sql import SparkSession  # noqa: PLC0415 - optional, and takes half a second

    there = given or SparkSession.getActiveSession()
    if there is not None:
        with _workers_like_this(there):
            yield there
        return
    session = _started()
    try:
        with _workers_like_this(session):
            yield session
    finally:
        with suppress(Exception):  # where Spark itself has ended, its own error tells
            session.stop()


def _require_libraries() -> None:
    try:
        from pyspark.sql.pandas.utils import (  # noqa: PLC0415
            require_minimum_pandas_version,
            require_minimum_pyarrow_version,
        )

        require_minimum_pandas_version()
        require_minimum_pyarrow_version()
    except ImportError as error:
        raise UsageError(f"the Spark engine lacks a library: {first_line(error)}; {_INSTALL}") from error


def _started() -> SparkSession:
    from pyspark.sql import SparkSession  # noqa: PLC0415

    submitted = _SUBMITTED in os.environ
    if not submitted and not shutil.which("java") and not os.environ.get("JAVA_HOME"):
        raise UsageError(f"the Spark engine needs Java: {_JAVA}")
    with TemporaryFile("w+", encoding="utf-8", errors="replace") as said:
        try:
            with _stderr_into(said):  # Java keeps it: what Spark logs is for the operators of a cluster
                session = SparkSession.builder.appName("trustee-etl").getOrCreate()
        except Exception as error:
            raise UsageError(f"Spark does not start: {_reason(said, error)}") from error
    if not submitted:
        session.sparkContext.setLogLevel("OFF")
    return session


def _reason(said: IO[str], error: Exception) -> str:
    """The line that tells why Spark did not start: Java's, if it said one."""
    said.seek(0)
    lines = [line.strip() for line in said if line.strip()]
    telling = [line for line in lines if "JAVA_HOME" in line or "java: " in line or "Exception" in line]
    if any("JAVA_HOME" in line or "java: " in line for line in telling):
        return f"{telling[0]}; {_JAVA}"
    said_last = [*telling[:1], *lines[-1:], first_line(error)]
    return f"{said_last[0]}; check the settings of Spark (spark-defaults.conf, SPARK_CONF_DIR)"


@contextmanager
def _stderr_into(file: IO[str]) -> Iterator[None]:
    sys.stderr.flush()
    kept = os.dup(2)
    os.dup2(file.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


@contextmanager
def _workers_like_this(session: SparkSession) -> Iterator[None]:
    """Have the Python of tasks use one thread each, as Spark starts one for each core; on this machine it is this one,
    unless another is asked for."""
    context = session.sparkContext
    environment, python = dict(context.environment), context.pythonExec
    context.environment.update(ENVIRONMENT)
    if (context.master or "").startswith("local") and _PYTHON not in os.environ:
        context.pythonExec = sys.executable
    try:
        yield
    finally:
        context.environment.clear()
        context.environment.update(environment)
        context.pythonExec = python
