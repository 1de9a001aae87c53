"""What all tests share: the corpus of real filings, the layouts, and a Hypothesis profile that repeats itself."""

from __future__ import annotations

import compileall
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from etl import Layout, load_layouts

from .kit import Report, absc_2003_he2
from .reading import Outcome, read_text
from .remembered import Remembered
from .storage import Storage, running

REPOSITORY = Path(__file__).parent.parent

settings.register_profile("repeatable", derandomize=True, deadline=None, max_examples=40, database=None)
settings.load_profile("repeatable")


def pytest_configure(config: pytest.Config) -> None:
    """Compile the package as an installation has it: the processes that tests start would each do so where Python is
    told to write no bytecode."""
    if not hasattr(config, "workerinput"):
        compileall.compile_dir(REPOSITORY / "etl", quiet=1)


@pytest.fixture(scope="session")
def layouts() -> tuple[Layout, ...]:
    return load_layouts()


@pytest.fixture(scope="session")
def corpus() -> Path:
    """Folder of real filings, which the project does not hold."""
    given = os.environ.get("TRUSTEE_ETL_CORPUS")
    folder = Path(given) if given else REPOSITORY.parent / "shared" / "corpus"
    if not folder.is_dir():
        pytest.skip(f"needs the corpus of real filings: no folder {folder}; name one in TRUSTEE_ETL_CORPUS")
    return folder


@pytest.fixture(scope="session")
def real_file(corpus: Path) -> Path:
    """The filing whose figures the test kit holds."""
    file = corpus / "absc-2003-he2_2003-11-17_8-K.txt"
    if not file.is_file():
        pytest.skip(f"needs the real filing {file.name}, which is not in {corpus}")
    return file


@pytest.fixture(scope="session")
def real_text(real_file: Path) -> str:
    return real_file.read_bytes().decode("cp1252").replace("\r\n", "\n")


@pytest.fixture(scope="session")
def real(real_text: str) -> Outcome:
    """The real filing, read once."""
    return read_text(real_text)


@pytest.fixture(scope="session")
def seed_report() -> Report:
    """The test kit's report with the figures of the real filing."""
    return absc_2003_he2.report()


@pytest.fixture(scope="session")
def readings(tmp_path_factory: pytest.TempPathFactory) -> Remembered:
    return Remembered(tmp_path_factory.mktemp("readings"))


@pytest.fixture(scope="module")
def remembered(readings: Remembered) -> Iterator[None]:
    """For a module that asks what a lake is after many runs: this process reads no documents twice."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("etl.batch._read_with", readings)
        yield


@pytest.fixture(scope="session")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Storage]:
    """A store of objects on this machine; this process has the credentials for it."""
    with running(tmp_path_factory.mktemp("storage")) as started, pytest.MonkeyPatch.context() as patch:
        for name, value in started.variables.items():
            patch.setenv(name, value)
        yield started
