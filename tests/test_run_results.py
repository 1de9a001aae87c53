"""What a run leaves in `_runs`: counts, changed partitions and how it ended, as JSON and as OpenLineage events."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any
from uuid import UUID

import polars as pl
import pytest

import etl
from etl import LakeError, UsageError
from etl.lineage import dataset
from etl.manifest import list_bytes
from etl.schema import TABLES

from .kit import make_deal, random_style, render, simulate
from .lakes import hashes
from .processes import call_etl

MONTHS = simulate(make_deal(5), 3)
TEXTS = [render(report, random_style(5)) for report in MONTHS]


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    folder = tmp_path / "inbox"
    folder.mkdir()
    for month in (0, 1):
        (folder / f"{month}.txt").write_text(TEXTS[month])
    return folder


def _result(output: Path) -> dict[str, Any]:
    """What the last run left."""
    last = max((output / "_runs").glob("*Z-*.json"))
    return dict(json.loads(last.read_text(encoding="utf-8")))


def _events(output: Path) -> list[dict[str, Any]]:
    last = max((output / "_runs").glob("*.openlineage.jsonl"))
    return [json.loads(line) for line in last.read_text(encoding="utf-8").splitlines()]


def _folders(output: Path) -> list[str]:
    return sorted(str(file.parent.relative_to(output / "reports")) for file in (output / "reports").rglob("*.parquet"))


def test_the_result_names_the_partitions_that_changed(inbox: Path, tmp_path: Path) -> None:
    output = tmp_path / "lake"
    summary = etl.run([inbox], output)
    result = _result(output)
    assert result["state"] == "complete"
    assert result["changed_partitions"] == _folders(output)
    assert result["partitions_changed"] == summary.partitions_changed == 2
    etl.run([inbox], output)
    assert (_result(output)["changed_partitions"], _result(output)["skipped"]) == ([], 2)
    before = hashes(output)
    (inbox / "2.txt").write_text(TEXTS[2])
    (inbox / "again.txt").write_text(f"REVISED\n\n{TEXTS[0]}")
    etl.run([inbox], output)
    after = hashes(output)
    changed = {
        file.partition("/")[2].rpartition("/")[0]
        for file in after
        if file.partition("/")[0] in TABLES and after[file] != before.get(file)
    }
    assert _result(output)["changed_partitions"] == sorted(changed)
    assert len(changed) == 2


@pytest.mark.parametrize(("by", "folders"), [("deal,year", 1), ("deal", 1)])
def test_partitions_are_those_of_the_lake(inbox: Path, tmp_path: Path, by: str, folders: int) -> None:
    output = tmp_path / "lake"
    etl.run([inbox], output, partition_by=by)
    assert _result(output)["changed_partitions"] == _folders(output)
    assert len(_folders(output)) == folders


def test_a_partition_that_a_report_leaves_has_changed(inbox: Path, tmp_path: Path) -> None:
    """A report that another program read as one of another day."""
    output = tmp_path / "lake"
    (inbox / "1.txt").unlink()
    etl.run([inbox], output)
    (day,) = _folders(output)
    manifest = output / "_manifest" / "documents.parquet"
    rows = pl.read_parquet(manifest)
    elsewhere = day.replace(str(rows["distribution_date"][0]), "1999-01-25")
    for name in TABLES:
        for file in (output / name).rglob("*.parquet"):
            target = output / name / elsewhere / file.name.replace(str(rows["distribution_date"][0]), "1999-01-25")
            target.parent.mkdir(parents=True)
            shutil.move(file, target)
    moved = rows.with_columns(distribution_date=pl.lit("1999-01-25").str.to_date(), read_by=pl.lit("another"))
    manifest.write_bytes(list_bytes(moved, "documents"))
    etl.run([inbox], output)
    assert _result(output)["changed_partitions"] == sorted([day, elsewhere])
    assert not list((output / "reports" / elsewhere).glob("*"))


@pytest.mark.parametrize("by", ["deal,date", "deal"])
def test_what_a_killed_run_has_changed_is_told_by_the_next(
    inbox: Path, tmp_path: Path, by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "lake"
    with monkeypatch.context() as patch:
        patch.setattr("etl.runs._finish", lambda *_: (_ for _ in ()).throw(MemoryError("killed")))
        with pytest.raises(MemoryError):
            etl.run([inbox], output, partition_by=by)
    for file in (output / "_runs").iterdir():
        file.unlink()  # what is killed leaves no word
    summary = etl.run([inbox], output)
    assert (summary.reports_read, summary.skipped) == (0, 2)
    assert _result(output)["changed_partitions"] == _folders(output)
    etl.run([inbox], output)
    assert _result(output)["changed_partitions"] == []


def test_a_run_that_fails_says_so(inbox: Path, tmp_path: Path) -> None:
    output = tmp_path / "lake"
    etl.run([inbox], output)
    for file in (output / "reports").rglob("*.parquet"):
        file.write_bytes(b"PAR1 no Parquet PAR1")
    (inbox / "again.txt").write_text(f"REVISED\n\n{TEXTS[0]}")
    with pytest.raises(LakeError, match="cannot be read") as raised:
        etl.run([inbox], output, lineage=True)
    result = _result(output)
    assert (result["state"], result["error"]) == ("failed", str(raised.value))
    start, end = _events(output)
    assert (start["eventType"], end["eventType"]) == ("START", "FAIL")
    assert end["run"]["facets"]["errorMessage"]["message"] == str(raised.value)


def test_lineage_events_name_inputs_and_tables(inbox: Path, tmp_path: Path) -> None:
    output = tmp_path / "lake"
    summary = etl.run([inbox], output, lineage=True)
    start, end = _events(output)
    assert (start["eventType"], end["eventType"]) == ("START", "COMPLETE")
    assert start["run"]["runId"] == end["run"]["runId"] == str(UUID(end["run"]["runId"]))
    assert start["eventTime"] < end["eventTime"]
    (given,) = end["inputs"]
    assert (given["namespace"], given["name"]) == ("file", str(inbox))
    assert "inputFacets" not in given or not given["inputFacets"]  # documents are counted, which are no files
    outputs = {Path(one["name"]).name: one for one in end["outputs"]}
    assert list(outputs) == list(TABLES)
    for name, one in outputs.items():
        assert one["name"] == f"{output}/{name}"
        assert one["outputFacets"]["outputStatistics"]["rowCount"] == summary.rows[name]
        fields = [field["name"] for field in one["facets"]["schema"]["fields"]]
        assert fields[:2] == ["deal", "distribution_date"]
        assert fields[2:] == etl.arrow_schema(name).names
    etl.run([inbox], output, lineage=True)
    assert _events(output)[0]["run"]["runId"] != start["run"]["runId"]


def test_no_events_unless_asked_for(inbox: Path, tmp_path: Path) -> None:
    etl.run([inbox], tmp_path / "lake")
    assert not list((tmp_path / "lake" / "_runs").glob("*.jsonl"))
    assert call_etl("run", inbox, "--out", tmp_path / "lake", "--lineage").returncode == 0
    assert len(list((tmp_path / "lake" / "_runs").glob("*.jsonl"))) == 1


def test_without_the_library_nothing_is_begun(inbox: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openlineage.client", None)
    with pytest.raises(UsageError, match=r"pip install 'trustee-etl\[lineage\]'"):
        etl.run([inbox], tmp_path / "lake", lineage=True)
    assert not (tmp_path / "lake").exists()


@pytest.mark.parametrize(
    ("place", "named"),
    [
        ("s3://bucket/lake/classes", ("s3://bucket", "lake/classes")),
        ("s3://bucket", ("s3://bucket", "/")),
        ("/data/inbox/", ("file", "/data/inbox")),
    ],
)
def test_places_are_named_as_lineage_names_them(place: str, named: tuple[str, str]) -> None:
    assert dataset(place) == named
