"""Neither the number of processes nor the size of batches changes a byte; memory and order do not depend on them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from etl import WorkerError, run
from etl.inbox import BATCH_DOCUMENTS
from etl.runs import FEW_DOCUMENTS
from etl.workers import Workers

from .kit import absc_2003_he2, make_deal, random_style, render, simulate
from .lakes import hashes

DEALS = FEW_DOCUMENTS // 12 + 1


@pytest.fixture(scope="module")
def inbox(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """More documents than one process reads: a year of some deals by month, versions of one report, and rejects."""
    folder = tmp_path_factory.mktemp("inbox")
    for seed in range(DEALS):
        for month, report in enumerate(simulate(make_deal(seed), 12)):
            place = folder / f"month-{month:02}"
            place.mkdir(exist_ok=True)
            (place / f"deal-{seed}.txt").write_text(render(report, random_style(seed)))
    text = render(absc_2003_he2.report())
    versions = {"a": text, "z": text.replace("278,036", "278,037"), "m": text.replace("FORM 8-K", "FORM 8-K/A")}
    for name, version in versions.items():
        (folder / f"{name}.txt").write_text(version)
        (folder / f"letter-{name}.txt").write_text("Dear Sirs")
    return folder


@pytest.fixture(scope="module")
def expected(inbox: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    output = tmp_path_factory.mktemp("alone") / "output"
    summary = run([inbox], output, workers=1)
    assert (summary.workers, summary.reports_read, summary.rejected) == (1, DEALS * 12 + 3, 3)
    return hashes(output)


@pytest.mark.parametrize(("workers", "batch"), [(2, BATCH_DOCUMENTS), (2, 7), (3, 40)])
def test_processes_and_batches_change_no_byte(
    inbox: Path,
    expected: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    workers: int,
    batch: int,
) -> None:
    monkeypatch.setattr("etl.inbox.BATCH_DOCUMENTS", batch)
    summary = run([inbox], tmp_path / "output", workers=workers)
    assert summary.workers == workers
    assert hashes(tmp_path / "output") == expected
    (told,) = (tmp_path / "output" / "_runs").iterdir()
    sources = [document["source"] for document in json.loads(told.read_text())["documents_read"]]
    assert sources == sorted(sources)
    assert len(sources) == summary.documents == DEALS * 12 + 6


def test_a_script_needs_no_guard(inbox: Path, tmp_path: Path) -> None:
    """Workers do not import the script that called `etl.run` once more."""
    script = tmp_path / "script.py"
    script.write_text(
        f"import etl\nprint(etl.run([{str(inbox)!r}], {str(tmp_path / 'output')!r}, workers=2).reports_read)\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{DEALS * 12 + 3}\n", "")


@pytest.mark.parametrize("name", ["polars.py", "pickle.py", "etl.py"])
def test_a_folder_of_strangers_is_no_place_for_modules(
    inbox: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Whoever runs in a folder with such a file does not run that file, nor do its workers."""
    (tmp_path / name).write_text("raise SystemExit('code of a stranger ran')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("etl.runs.FEW_DOCUMENTS", 0)
    summary = run([inbox / "a.txt"], tmp_path / "output", workers=2)
    assert (summary.workers, summary.reports_read) == (2, 1)


def test_a_defect_in_a_job_is_told() -> None:
    with Workers(2) as workers:
        future = workers.submit(json.loads, "{")
        with pytest.raises(WorkerError, match="JSONDecodeError"):
            future.result()
        assert workers.submit(json.loads, "[1]").result() == [1]
