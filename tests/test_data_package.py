"""The descriptor of a lake: valid, true of its files, and in nobody's way."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import duckdb
import pytest
from frictionless import Package

import etl
from etl.data_package import data_package
from etl.partitions import DESCRIPTOR
from etl.schema import TABLES, table

from .conftest import REPOSITORY
from .lakes import PARTITIONINGS, hashes, rearranged
from .processes import call_etl

INBOX = REPOSITORY / "samples" / "inbox"


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("made") / "lake"
    etl.run([INBOX], output)
    done = call_etl("datapackage", output)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"{output}/datapackage.json  ")
    return output


def test_it_is_a_data_package(lake: Path) -> None:
    told = Package.validate_descriptor(str(lake / DESCRIPTOR))
    assert told.valid, told.flatten(["message"])
    package = Package.from_descriptor(json.loads((lake / DESCRIPTOR).read_text()))
    names = [resource.name for resource in package.resources]
    assert names == [*TABLES, "rejects", "rejected_records", *(f"superseded_{name}" for name in TABLES)]
    classes = package.get_resource("classes")
    assert classes.schema.get_field("ending_balance").type == "number"
    assert classes.schema.get_field("class_key").required


def test_a_descriptor_that_is_wrong_is_found() -> None:
    wrong = data_package()
    wrong["resources"][0]["schema"]["fields"][0]["type"] = "decimal"
    assert not Package.validate_descriptor(wrong).valid


@pytest.mark.parametrize("by", PARTITIONINGS)
def test_its_paths_and_fields_are_those_of_the_lake(lake: Path, tmp_path: Path, by: str) -> None:
    output = rearranged(lake, by, tmp_path / "lake")
    resources = {resource["name"]: resource for resource in json.loads((output / DESCRIPTOR).read_text())["resources"]}
    for name in (*TABLES, "rejects"):
        fields = resources[name]["schema"]["fields"]
        described = duckdb.connect().execute("DESCRIBE FROM read_parquet(?)", [f"{output}/{resources[name]['path']}"])
        columns = [row[0] for row in described.fetchall() if row[0] != "year"]
        assert sorted(columns) == sorted(field["name"] for field in fields), name
        required = {field["name"] for field in fields if "constraints" in field}
        assert required.issuperset(resources[name]["schema"].get("primaryKey", []))


def test_keys_hold(lake: Path) -> None:
    database = duckdb.connect()
    for resource in data_package()["resources"]:
        if resource["name"] not in TABLES:
            continue
        source = f"read_parquet('{lake}/{resource['path']}')"
        schema = resource["schema"]
        key = schema["primaryKey"] if "primaryKey" in schema else schema["uniqueKeys"][0]
        assert key == list(table(resource["name"]).key)
        columns = ", ".join(f'"{column}"' for column in key)
        doubled = f"SELECT {columns} FROM {source} GROUP BY ALL HAVING count(*) > 1"  # noqa: S608
        assert database.execute(doubled).fetchall() == []
        for refers in schema.get("foreignKeys", []):
            assert refers["reference"] == {"resource": "reports", "fields": ["report_id"]}
            reports = f"SELECT report_id FROM '{lake}/reports/**/*.parquet'"  # noqa: S608
            lost = f"FROM {source} WHERE report_id NOT IN ({reports})"
            assert database.execute(lost).fetchall() == []


def test_a_lake_with_it_stays_a_lake(lake: Path, tmp_path: Path) -> None:
    output = rearranged(lake, "deal", tmp_path / "lake")  # by a compaction
    assert (output / DESCRIPTOR).read_bytes() == (lake / DESCRIPTOR).read_bytes()
    assert etl.run([INBOX], output).skipped == 7
    before = hashes(output)
    done = call_etl("check", output, "--strict")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "nothing breaks")
    assert call_etl("sql", output, "SELECT count(*) AS n FROM reports", "--csv").stdout == "n\n7\n"
    assert call_etl("datapackage", output).returncode == 0
    assert hashes(output) == before


@pytest.mark.parametrize("place", ["inbox/lake", "inbox"])
def test_it_is_no_input_where_a_lake_lies_in_its_inbox(tmp_path: Path, place: str) -> None:
    shutil.copytree(INBOX, tmp_path / "inbox")
    output = tmp_path / place
    for _ in range(2):
        call_etl("run", tmp_path / "inbox", "--out", output)
        assert call_etl("datapackage", output).returncode == 0
    (tmp_path / "inbox" / "kept").mkdir()
    (tmp_path / "inbox" / "kept" / DESCRIPTOR).write_text("{}")
    summary = etl.run([tmp_path / "inbox"], output)
    rejected = sorted(Path(str(reject["source"])).relative_to(tmp_path / "inbox") for reject in summary.rejects)
    assert rejected == [Path("cover-letter_2003-11-18.txt"), Path("kept") / DESCRIPTOR]


def test_it_is_the_same_for_every_lake(lake: Path) -> None:
    assert json.loads((lake / DESCRIPTOR).read_text()) == data_package()


def test_what_cannot_be_described_is_said(tmp_path: Path) -> None:
    etl.run([INBOX / "absc-2003-he2_2003-11-17.txt"], tmp_path / "delta", lake_format="delta")
    for output, told in (
        (tmp_path / "delta", "Delta tables"),
        ("s3://a/b", "works on a folder"),
        (tmp_path, "no tables"),
    ):
        done = call_etl("datapackage", output)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
        assert told in done.stderr
    assert not list(tmp_path.rglob(DESCRIPTOR))
