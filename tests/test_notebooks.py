"""The example notebooks and the page of questions are those of the questions, and the notebooks run."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

import etl

from .questions import FILES, NOTEBOOKS, PAGE, REPOSITORY, notebook, sample_page
from .spark_sessions import needs_java

SECONDS = 120
AGAIN = "run: python -m tests.questions"


@pytest.mark.parametrize("engine", ["duckdb", "spark"])
def test_the_notebooks_are_current_and_without_outputs(engine: str) -> None:
    kept = (NOTEBOOKS / f"questions-{engine}.ipynb").read_text()
    assert kept == notebook(engine), AGAIN
    read = nbformat.reads(kept, as_version=4)
    nbformat.validate(read)
    assert not [cell for cell in read.cells if cell.get("outputs") or cell.get("execution_count")]


def test_the_page_is_current() -> None:
    assert PAGE.read_text() == sample_page(), AGAIN


@pytest.mark.parametrize("engine", ["duckdb", pytest.param("spark", marks=pytest.mark.spark)])
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")  # of the kernel's own client
def test_a_notebook_runs(engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if engine == "spark":
        needs_java()
    etl.run([REPOSITORY / "samples" / "inbox"], tmp_path / "lake")
    monkeypatch.setenv("TRUSTEE_ETL_LAKE", str(tmp_path / "lake"))
    monkeypatch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
    monkeypatch.setenv("PYSPARK_SUBMIT_ARGS", "--master local[2] --conf spark.sql.shuffle.partitions=2 pyspark-shell")
    monkeypatch.setenv("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    read = nbformat.read(NOTEBOOKS / f"questions-{engine}.ipynb", as_version=4)
    NotebookClient(
        read, timeout=SECONDS, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    answers = [cell for cell in read.cells if cell.id.startswith("answer-")]
    assert len(answers) == len(FILES)
    texts = ["".join(_text(output) for output in cell.outputs) for cell in answers]
    assert all("2003-" in text for text in texts)
    for text, figure in zip(texts, ("328979574.00", "12545334.00", "17489715.08", "22480.0000000000"), strict=False):
        assert figure in text


def _text(output: nbformat.NotebookNode) -> str:
    """What an output shows."""
    return str(output.get("text") or output.get("data", {}).get("text/plain", ""))
