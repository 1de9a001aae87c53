"""A lake of Delta tables: the rows of a lake of Parquet, one commit for each batch and table, whole at every moment.

The runs are real ones, killed by real signals; the tables are read by engines that know nothing of this program.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path
from random import Random
from threading import Event
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.dataset as pads
import pytest
from deltalake import DeltaTable

import etl
from etl import LakeError, UsageError, delta_tables, run
from etl.commits import LakeLock, Staging, is_delta
from etl.compaction import compact
from etl.delta_tables import (
    DataFile,
    DeltaStore,
    DeltaTables,
    FolderTables,
    as_folder,
    delta_schema,
    table_schema,
)
from etl.errors import OutputError
from etl.lake import Lake
from etl.layout import load_layouts
from etl.partitions import PartitionBy, partition_file
from etl.schema import TABLES, table

from .conftest import REPOSITORY
from .delta_lakes import NAMES, by_report, log, opened, rows, state, versions
from .faults_driver import Fault
from .faults_lakes import Amended, copy, restate, wait_for, write_inbox
from .lakes import PARTITIONINGS, hashes
from .pages import examples
from .processes import call_etl
from .remembered import Remembered
from .test_faults import Forked
from .test_rejected_records import LOST
from .test_restatements import AMENDED, NEXT_MONTH, ORIGINAL, TEXTS

pytestmark = pytest.mark.usefixtures("remembered")

DEAL = "asset-backed-securities-corporation-home-equity-loan-trust-series-2003-he2"


def _inbox(folder: Path, texts: dict[str, str]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (folder / name).write_bytes(text.encode())
    return folder


@pytest.fixture(scope="module")
def lakes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Path]]:
    """By partitioning: a lake of Parquet and one of Delta tables, of the same inbox: the samples, versions of one
    report, a conflict, documents that are rejected, one of them with numbers. Nothing is written into them."""
    folder = tmp_path_factory.mktemp("delta")
    inbox = shutil.copytree(REPOSITORY / "samples" / "inbox", folder / "inbox")
    conflict = NEXT_MONTH.replace("267,618", "267,619")
    _inbox(inbox / "again", {**TEXTS, "conflict.txt": conflict, "lost.txt": LOST})
    made = {}
    for way in PARTITIONINGS:
        parquet, delta = folder / f"parquet-{way}", folder / f"delta-{way}"
        run([inbox], parquet, partition_by=way)
        summary = run([inbox], delta, partition_by=way, lake_format="delta")
        assert summary.superseded
        assert summary.conflicts
        assert summary.rejected == 2
        made[way] = (parquet, delta)
    return made


@pytest.fixture
def amended(tmp_path: Path) -> Path:
    """A lake of one report, into which an amendment came in a second run."""
    output = tmp_path / "amended"
    run([_inbox(tmp_path / "first", {"a.txt": ORIGINAL})], output, lake_format="delta")
    run([_inbox(tmp_path / "second", {"b.txt": AMENDED})], output)
    return output


# --- rows, bytes, schema --------------------------------------------------------------------------------------


def _parquet_rows(lake: Path, name: str) -> pl.DataFrame:
    data = pads.dataset(str(lake / name), partitioning=etl.partitioning()).to_table()
    return _sorted(pl.from_arrow(data))


def _sorted(frame: Any) -> pl.DataFrame:
    """The rows in an order of their own; what cannot be sorted, lists, stands behind what tells the rows apart."""
    assert isinstance(frame, pl.DataFrame)
    plain = [name for name, kind in frame.schema.items() if not kind.is_nested()]
    return frame.select(sorted(frame.columns)).sort(sorted(plain))


@pytest.mark.parametrize("way", PARTITIONINGS)
@pytest.mark.parametrize("name", NAMES)
def test_the_rows_are_those_of_the_parquet_lake(lakes: dict[str, tuple[Path, Path]], way: str, name: str) -> None:
    parquet, delta = lakes[way]
    found = pl.from_arrow(rows(delta, name))
    assert isinstance(found, pl.DataFrame)
    if way == "deal,year":
        assert (found["year"] == found["distribution_date"].dt.year()).all()
        found = found.drop("year")
    wanted = _parquet_rows(parquet, name)
    assert wanted.height > 0
    assert _sorted(found).equals(wanted.select(sorted(found.columns)))
    assert not set(wanted.columns) - set(found.columns) - {"year"}


@pytest.mark.parametrize("way", PARTITIONINGS)
def test_as_a_folder_it_is_the_parquet_lake_byte_for_byte(
    lakes: dict[str, tuple[Path, Path]], way: str, tmp_path: Path
) -> None:
    parquet, delta = lakes[way]
    with as_folder(delta) as folder:
        shutil.copytree(folder, tmp_path / "copy", ignore=shutil.ignore_patterns("_runs"))
    assert not folder.exists()
    assert hashes(tmp_path / "copy") == hashes(parquet)


@pytest.mark.parametrize("way", PARTITIONINGS)
@pytest.mark.parametrize("name", NAMES)
def test_the_schema_is_the_declared_one(lakes: dict[str, tuple[Path, Path]], way: str, name: str) -> None:
    """Names, order, types, nullability, and what is said of each column."""
    there = opened(lakes[way][1], name)
    declared = table(name.rpartition("/")[2])
    wanted = table_schema(declared.name, PartitionBy(way))
    assert wanted.names[:2] == ["deal", "distribution_date"]
    found = pa.schema(there.schema().to_arrow())
    assert found.names == wanted.names
    for field, asked in zip(found, wanted, strict=True):
        said = {**asked.metadata, b"comment": asked.metadata[b"description"]}
        assert (field.type, field.nullable, field.metadata) == (asked.type, asked.nullable, said)
    metadata = there.metadata()
    assert (metadata.name, metadata.description) == (declared.name, declared.description)
    assert metadata.partition_columns == list(PartitionBy(way).keys)
    protocol = there.protocol()
    assert (protocol.min_reader_version, protocol.min_writer_version) == (1, 2)


def test_the_log_tells_the_rows_and_dates_of_files(lakes: dict[str, tuple[Path, Path]]) -> None:
    for way, (_, delta) in lakes.items():
        there = opened(delta, "classes")
        told = pl.DataFrame(pa.table(there.get_add_actions(flatten=True)))
        assert told["num_records"].sum() == rows(delta, "classes").num_rows
        if way != "deal,date":
            dates = pl.DataFrame(rows(delta, "classes"))["distribution_date"]
            assert (told["min.distribution_date"].min(), told["max.distribution_date"].max()) == (
                dates.min(),
                dates.max(),
            )


# --- readers --------------------------------------------------------------------------------------------------

FIGURES = "count(*), sum(ending_balance), count(DISTINCT class_key), min(distribution_date), max(distribution_date)"


def _figures(lake: Path) -> tuple[Any, ...]:
    """What a lake of Parquet answers."""
    files = f"{lake}/classes/**/*.parquet"
    (answer,) = duckdb.sql(f"SELECT {FIGURES} FROM read_parquet('{files}', hive_partitioning = true)").fetchall()  # type: ignore[union-attr]  # noqa: S608
    return answer


@pytest.mark.parametrize("way", PARTITIONINGS)
def test_polars_and_duckdb_read_it(lakes: dict[str, tuple[Path, Path]], way: str) -> None:
    parquet, delta = lakes[way]
    wanted = _figures(parquet)
    place = str(delta / "classes")
    classes = DeltaTable(place).to_pyarrow_dataset()
    assert duckdb.sql(f"FROM classes SELECT {FIGURES}").fetchall() == [wanted]  # type: ignore[union-attr]
    assert classes.count_rows() == wanted[0]
    balance, date = pl.col("ending_balance"), pl.col("distribution_date")
    asked = [pl.len(), balance.sum(), pl.col("class_key").n_unique(), date.min().alias("min"), date.max().alias("max")]
    assert pl.read_delta(place).select(asked).row(0) == wanted
    assert pl.scan_delta(place).select(asked).collect().row(0) == wanted
    first = pl.scan_delta(place).filter(date == wanted[3]).select(pl.len()).collect().item()
    assert 0 < first < wanted[0]
    assert first == pl.DataFrame(rows(delta, "classes")).filter(date == wanted[3]).height


# What a DuckDB with its own reader of Delta tables is asked; it keeps to the folder that it is given.
OWN_READER = """
import glob, json, os, sys
import duckdb, duckdb_extension_delta
package = os.path.dirname(duckdb_extension_delta.__file__)
(extension,) = glob.glob(os.path.join(package, "**", "*.duckdb_extension"), recursive=True)
settings = {"extension_directory": sys.argv[1], "autoinstall_known_extensions": False}
database = duckdb.connect(config=settings)
database.execute(f"LOAD '{extension}'")
answers = [[str(value) for value in database.execute(query).fetchone()] for query in sys.argv[2:]]
print(json.dumps(answers))
"""


@pytest.fixture(scope="module")
def own_reader(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python with the last DuckDB whose reader of Delta tables is packaged."""
    folder = tmp_path_factory.mktemp("duckdb")
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    python = folder / "venv" / "bin" / "python"
    wanted = ["duckdb==1.5.5", "duckdb-extensions==1.5.5", "duckdb-extension-delta==1.5.5"]
    done = subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "--no-cache-dir", *wanted],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"needs a package index with {', '.join(wanted)}: {done.stderr.strip().splitlines()[-1]}")
    return python


@pytest.mark.parametrize("way", PARTITIONINGS)
def test_duckdbs_own_reader_reads_it(
    own_reader: Path, lakes: dict[str, tuple[Path, Path]], way: str, tmp_path: Path
) -> None:
    parquet, delta = lakes[way]
    scan = f"delta_scan('{delta / 'classes'}')"
    lists = f"delta_scan('{delta / 'checks'}')"
    queries = [
        f"FROM {scan} SELECT {FIGURES}",
        f"FROM {scan} SELECT count(*), sum(ending_balance) WHERE distribution_date = DATE '2003-11-17'",
        f"FROM {lists} SELECT count(*), sum(len(lines))",
        f"FROM delta_scan('{delta / '_superseded' / 'reports'}') SELECT count(*)",
    ]
    done = subprocess.run(
        [own_reader, "-c", OWN_READER, tmp_path / "extensions", *queries],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "HOME": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr
    assert not list(tmp_path.rglob("*.duckdb_extension"))
    figures, november, checks, superseded = json.loads(done.stdout)
    assert figures == [str(value) for value in _figures(parquet)]
    day = pl.DataFrame(rows(delta, "classes")).filter(pl.col("distribution_date") == pl.date(2003, 11, 17))
    assert november == [str(day.height), str(day["ending_balance"].sum())]
    stored = pl.DataFrame(rows(delta, "checks"))
    assert checks == [str(stored.height), str(stored["lines"].list.len().sum())]
    assert superseded == [str(rows(delta, "_superseded/reports").num_rows)]


# --- commits --------------------------------------------------------------------------------------------------


def test_each_batch_is_one_commit_to_each_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("etl.inbox.BATCH_DOCUMENTS", 3)
    inbox = write_inbox(tmp_path / "inbox", range(2), 4)  # eight reports and a letter
    (inbox / "letter.txt").unlink()
    run([inbox], tmp_path / "output", lake_format="delta")
    assert versions(tmp_path / "output") == dict.fromkeys(NAMES, 0) | dict.fromkeys(TABLES, 2)
    numbers = set()
    for name in TABLES:
        for version, files in enumerate((3, 3, 2)):
            done = log(tmp_path / "output", name, version)
            assert (len(done["add"]), done.get("remove", []), len(done["txn"])) == (files, [], 1)
            numbers.add((version, done["txn"][0]["appId"], done["txn"][0]["version"]))
    assert len(numbers) == 3, "all tables have the number of the batch"
    (told,) = (tmp_path / "output" / "_runs").iterdir()
    said = json.loads(told.read_text())
    assert said["delta_versions"] == versions(tmp_path / "output")
    assert log(tmp_path / "output", "classes", 0)["commitInfo"][0]["userMetadata"] == said["run_id"]


@pytest.mark.parametrize("way", PARTITIONINGS)
def test_a_run_over_the_same_inbox_makes_no_version(
    lakes: dict[str, tuple[Path, Path]], way: str, tmp_path: Path
) -> None:
    parquet, delta = lakes[way]
    inbox = parquet.parent / "inbox"
    output = copy(delta, tmp_path / "output")
    before, stand = versions(output), state(output)
    summary = run([inbox], output)
    assert (summary.reports_read, summary.skipped > 10) == (0, True)
    assert run([inbox], output, force=True).reports_read > 10
    assert versions(output) == before
    assert {name: found for name, found in state(output).items() if "_runs" not in name} == stand


@pytest.mark.parametrize("way", PARTITIONINGS)
def test_neither_order_nor_split_changes_the_rows(tmp_path: Path, way: str) -> None:
    inbox = _inbox(tmp_path / "inbox", TEXTS)
    run([inbox], tmp_path / "clean", partition_by=way, lake_format="delta")
    files = sorted(inbox.iterdir())
    for number, order in enumerate((files[::-1], files[3:] + files[:3], [files[1], files[0], *files[2:]])):
        for file in order:
            run([file], tmp_path / str(number), partition_by=way, lake_format="delta")
        assert state(tmp_path / str(number)) == state(tmp_path / "clean")


def test_a_restatement_replaces_and_the_past_can_still_be_read(amended: Path) -> None:
    assert versions(amended) == dict.fromkeys(NAMES, 1)
    fees = [
        {row["measure"]: row["value"] for row in rows(amended, name, version).to_pylist()}.get("servicing_fee")
        for name, version in (("measures", 0), ("measures", 1), ("_superseded/measures", 1))
    ]
    assert [int(fee or 0) for fee in fees] == [278036, 278037, 278036]
    assert rows(amended, "_superseded/measures", 0).num_rows == 0
    done = log(amended, "measures", 1)
    assert (len(done["add"]), len(done["remove"])) == (1, 1)
    assert {action["partitionValues"]["distribution_date"] for kind in ("add", "remove") for action in done[kind]} == {
        "2003-11-17"
    }


def test_vacuum_takes_the_past_and_leaves_the_present(amended: Path, tmp_path: Path) -> None:
    present = state(amended)
    for name in NAMES:
        opened(amended, name).vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)
    assert {name: found for name, found in state(amended).items() if name in NAMES} == {
        name: found for name, found in present.items() if name in NAMES
    }
    with pytest.raises(Exception, match=r"(?i)no such file|not found"):
        rows(amended, "measures", 0)
    before = versions(amended)
    assert run([tmp_path / "first", tmp_path / "second"], amended).skipped == 2
    assert versions(amended) == before


def _knows_only_december(texts: list[str], layouts: object) -> object:
    from etl.layout import choose_layout  # noqa: PLC0415 - the real one

    hidden = [text if "Dec-03" in text else "" for text in texts]
    return choose_layout(hidden, layouts)  # type: ignore[arg-type]


def test_a_report_that_is_rejected_now_leaves_its_partition_and_may_come_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its file goes in one commit, comes again in another, and outlives a vacuum."""
    inbox = _inbox(tmp_path / "inbox", {"a.txt": ORIGINAL, "b.txt": NEXT_MONTH})
    output = tmp_path / "output"
    run([inbox], output, lake_format="delta")
    whole = state(output)
    with monkeypatch.context() as patch:
        patch.setattr("etl.batch.choose_layout", _knows_only_december)
        assert run([inbox], output, force=True).rejected == 1
    assert rows(output, "reports")["source"].to_pylist() == [f"{inbox}/b.txt"]
    done = log(output, "classes", 1)
    assert (len(done.get("add", [])), len(done["remove"])) == (0, 1)
    run([inbox], output, force=True)
    opened(output, "classes").vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False, full=True)
    assert _tables(state(output)) == _tables(whole)


def _tables(found: dict[str, object]) -> dict[str, object]:
    return {name: files for name, files in found.items() if name in NAMES}


def test_a_report_of_another_day_leaves_its_old_partition(tmp_path: Path) -> None:
    """A layout reads the day from another line than it did."""
    line = "Distribution Date:                   17-Nov-03"
    inbox = _inbox(tmp_path / "inbox", {"a.txt": ORIGINAL.replace(line, f"{line}\nPay Day:    18-Nov-03")})
    output = tmp_path / "output"
    (layout,) = [layout for layout in load_layouts() if layout.name == "us-bank-text"]
    run([inbox], output, [layout], lake_format="delta")
    other = tmp_path / "layouts" / "us_bank_text"
    other.mkdir(parents=True)
    text = layout.file.read_text().replace('"Distribution Date:" =', '"Pay Day:" =')
    (other / "layout.toml").write_text(text.replace("{distribution_date}", "{report_date}"))
    changed = load_layouts(tmp_path / "layouts")
    assert run([inbox], output, changed).reports_read == 1
    for name in TABLES:
        assert {str(date) for date in rows(output, name)["distribution_date"].to_pylist()} == {"2003-11-18"}
        done = log(output, name, 1)
        assert [action["partitionValues"]["distribution_date"] for action in done["remove"]] == ["2003-11-17"]
        assert versions(output)[name] == 1
    run([inbox], tmp_path / "clean", changed, lake_format="delta")
    assert _tables(state(output)) == _tables(state(tmp_path / "clean"))


# --- one format -----------------------------------------------------------------------------------------------


def test_a_lake_keeps_its_format(lakes: dict[str, tuple[Path, Path]], tmp_path: Path) -> None:
    inbox = _inbox(tmp_path / "inbox", {"a.txt": ORIGINAL})
    parquet, delta = lakes["deal,date"]
    before = hashes(parquet, but="none"), versions(delta)
    for output, wanted, told in (
        (
            parquet,
            "delta",
            "its tables are folders of Parquet files; run again without --format, or name another folder",
        ),
        (
            delta,
            "parquet",
            "its tables are Delta tables; run again without --format, or name another folder with --out",
        ),
        (delta, "iceberg", "a lake cannot have the format 'iceberg'; the formats are 'parquet', 'delta'"),
    ):
        done = call_etl("run", inbox, "--out", output, "--format", wanted)
        assert (done.returncode, done.stdout) == (2, "")
        (line,) = done.stderr.splitlines()
        assert told in line
    assert (hashes(parquet, but="none"), versions(delta)) == before
    assert not (delta / "_staging").exists()


def test_a_lake_keeps_its_partitioning(lakes: dict[str, tuple[Path, Path]]) -> None:
    _, delta = lakes["deal,year"]
    with pytest.raises(UsageError, match="is partitioned by deal,year; leave --partition-by out, or name another"):
        run([delta.parent / "inbox"], delta, partition_by="deal")


def test_what_does_not_know_delta_tables_says_so(lakes: dict[str, tuple[Path, Path]], tmp_path: Path) -> None:
    """Their folders have files of the past too."""
    _, delta = lakes["deal"]
    with pytest.raises(UsageError, match="are Delta tables; `etl sql`"):
        Lake(delta)
    with pytest.raises(UsageError, match="are Delta tables; make a new lake of larger files"):
        compact(delta, PartitionBy.DATE)
    done = call_etl("views", delta, "--to", tmp_path / "sql")
    assert done.returncode == 2
    assert "its tables are Delta tables; read each with DuckDB's delta_scan('OUTPUT/<table>')" in done.stderr
    assert not (tmp_path / "sql").exists()


def test_without_the_library_the_mend_is_told(tmp_path: Path) -> None:
    inbox = _inbox(tmp_path / "inbox", {"a.txt": ORIGINAL})
    without = "import sys; sys.modules['deltalake'] = None; from etl.cli import main; main()"
    call = [sys.executable, "-c", without, "run", str(inbox), "--out", str(tmp_path / "output")]
    done = subprocess.run([*call, "--format", "delta"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "etl: Delta tables need the library deltalake: pip install 'trustee-etl[delta]'\n"
    assert not (tmp_path / "output").exists()
    assert subprocess.run(call, capture_output=True, check=False).returncode == 0, "Parquet does not need it"


def test_tables_without_a_manifest_are_not_begun_anew(amended: Path, tmp_path: Path) -> None:
    shutil.rmtree(amended / "_manifest")
    with pytest.raises(LakeError, match="amended/_manifest: is not there"):
        run([tmp_path / "first"], amended)


def test_compacting_leaves_a_commit_to_delta_tables_alone(tmp_path: Path) -> None:
    """It may have been left by a run that this one waited for."""
    output, killed = tmp_path / "output", tmp_path / "killed"
    run([_inbox(tmp_path / "inbox", {"a.txt": ORIGINAL})], output)
    ready = killed / "_staging" / "a-run" / "00000001.ready"
    shutil.copytree(output / "reports", ready / "reports")
    (ready / "tables.json").write_bytes(FolderTables(killed).plan(ready, _files_below(ready), []))
    before = hashes(output)
    holder = LakeLock(output)

    def give_way() -> None:
        (killed / "_staging").rename(output / "_staging")
        holder.__exit__(None, None, None)

    holder.__enter__()
    with pytest.raises(UsageError, match="its tables are Delta tables; make a new lake"):
        compact(output, PartitionBy.DEAL, workers=1, waiting=give_way)
    left = hashes(output)
    with pytest.raises(OutputError, match=r"00000001\.ready: a commit to Delta tables is not finished; run `etl run`"):
        Staging(output, "another-run").__enter__()
    assert hashes(output) == left
    assert {file: digest for file, digest in left.items() if not file.startswith("_staging")} == before
    assert sum(file.startswith("_staging") for file in left) == 2


def _files_below(folder: Path) -> list[str]:
    return [file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()]


def test_a_link_to_a_partition_is_never_missing(amended: Path) -> None:
    """Tasks that are tried again, or twice at once, fetch the same files below the same root."""
    named = [f"reports/{partition_file(partition)}" for partition in DeltaTables(str(amended)).partitions("reports")]
    stores = [DeltaStore(amended, "a-run") for _ in range(2)]
    links = [stores[0].root / file for file in named]
    there = DeltaStore(amended, "a-run")
    there.fetch(named)
    (elsewhere := amended / "another.parquet").write_bytes(links[0].read_bytes())
    ended = Event()

    def turned_away() -> None:
        while not ended.is_set():  # as another version of the same partition would
            (aside := links[0].with_name("aside")).symlink_to(elsewhere)
            aside.replace(links[0])

    def fetched(store: DeltaStore) -> int:
        for _ in range(500):
            store.fetch(named)
        return sum(not os.path.exists(link) for _ in range(2000) for link in links)  # noqa: PTH110 - at a run

    with ThreadPoolExecutor() as pool:
        turning = pool.submit(turned_away)
        try:
            missing = [pool.submit(fetched, store) for store in stores]
            while not all(job.done() for job in missing):
                assert all(map(os.path.exists, links))
            assert [job.result() for job in missing] == [0, 0]
        finally:
            ended.set()
        turning.result()
    there.fetch(named)
    assert [link.resolve() for link in links] == [_file_of(amended, "reports").resolve()]


# --- kill -9, and readers ---------------------------------------------------------------------------------------

KILLS = bool(os.environ.get("TRUSTEE_ETL_KILLS"))
ONE_BY_ONE = Fault(batch=1, few=1000)


@pytest.fixture(scope="module")
def forked(readings: Remembered) -> Forked:
    return Forked(readings.folder)


Small = Amended[dict[str, object]]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Small:
    return Small.made(tmp_path_factory.mktemp("small"), _lasting, "delta")


def _lasting(lake: Path) -> dict[str, object]:
    """What a lake holds, but for what is said of each run."""
    return {name: found for name, found in state(lake).items() if not name.startswith("_runs")}


def _points(steps: Sequence[str], every: int) -> list[int]:
    """Steps before which a process is to die: about the commits to the logs of tables, and some of the others."""
    commits = [number for number, step in enumerate(steps, 1) if step.startswith("faults.commit")]
    others = [number for number in range(1, len(steps) + 1) if number not in commits]
    return list(range(1, len(steps) + 1)) if KILLS else sorted(commits[::every] + others[:: every * 2])


def test_a_run_that_dies_at_any_step_is_finished_by_the_next(forked: Forked, small: Small, tmp_path: Path) -> None:
    output = tmp_path / "output"
    arguments = ("run", small.new, "--out", output)
    copy(small.lake, output)
    steps = forked.steps(ONE_BY_ONE, tmp_path / "trace", *arguments)
    assert sum(step.startswith("faults.commit before") for step in steps) == 2 * len(NAMES)
    reached = set()
    for at in _points(steps, 11):
        copy(small.lake, output)
        assert forked(replace(ONE_BY_ONE, die_at=at), *arguments) == -signal.SIGKILL
        run([small.empty], output)
        reached.add(small.boundaries.index(_lasting(output)))
        assert not (output / "_staging").exists()
        run([small.new], output)
        assert _lasting(output) == small.boundaries[-1], steps[at - 1]
    assert reached == {0, 1, 2}


def test_a_recovery_that_dies_at_any_step_is_finished_by_the_next(forked: Forked, small: Small, tmp_path: Path) -> None:
    output = tmp_path / "output"
    arguments = ("run", small.new, "--out", output)
    copy(small.lake, output)
    steps = forked.steps(ONE_BY_ONE, tmp_path / "trace", *arguments)
    middle = steps.index("faults.commit after _superseded/classes") + 1
    cut = copy(small.lake, tmp_path / "cut")
    assert forked(replace(ONE_BY_ONE, die_at=middle), "run", small.new, "--out", cut) == -signal.SIGKILL
    assert list(cut.glob("_staging/*/*.ready/tables.json"))
    done = versions(cut)
    assert done["_superseded/classes"] == done["_superseded/records"] == 1 > done["classes"]
    copy(cut, output)
    again = ("run", small.empty, "--out", output)
    recovery = forked.steps(ONE_BY_ONE, tmp_path / "trace", *again)
    for at in _points(recovery, 4):
        copy(cut, output)
        assert forked(replace(ONE_BY_ONE, die_at=at), *again) == -signal.SIGKILL
        run([small.empty], output)
        assert _lasting(output) == small.boundaries[1]
        assert set(versions(output).values()) == {1}, "no commit is made twice"


def test_a_new_lake_that_dies_in_its_first_batch_stays_one_of_delta_tables(
    forked: Forked, small: Small, tmp_path: Path
) -> None:
    """Also where none of its tables was made yet: the next run need not be told."""
    output = tmp_path / "output"
    arguments = ("run", small.old, "--out", output, "--format", "delta")
    steps = forked.steps(ONE_BY_ONE, tmp_path / "trace", *arguments)
    first = steps.index("faults.commit before _superseded/records") + 1
    for at in (first, first + 1, first + 2, first + len(NAMES)):
        shutil.rmtree(output)
        assert forked(replace(ONE_BY_ONE, die_at=at), *arguments) == -signal.SIGKILL
        assert is_delta(output)
        run([small.old], output)
        assert _lasting(output) == small.boundaries[0]


def _started(fault: Fault, *arguments: str | Path) -> subprocess.Popen[bytes]:
    """The command as a process, with a fault."""
    call = [sys.executable, "-m", "tests.faults_driver", json.dumps(asdict(fault)), *map(str, arguments)]
    return subprocess.Popen(call, cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def test_kill_9_at_any_moment(tmp_path: Path) -> None:
    old = write_inbox(tmp_path / "old", range(3), 6)
    new = restate(old, tmp_path / "new", 3)
    fault = Fault(batch=3, few=10)
    arguments = ("--format", "delta", "--workers", "2", "--out")
    begun = time.monotonic()
    assert _started(fault, "run", old, new, *arguments, tmp_path / "clean").wait() == 0
    seconds = time.monotonic() - begun
    wanted = _lasting(tmp_path / "clean")
    random, killed = Random(20031117), 0
    for number in range(20 if KILLS else 3):
        output = tmp_path / f"output-{number}"
        process = _started(fault, "run", old, new, *arguments, output)
        try:
            process.wait(seconds * (0.4 + 0.6 * random.random()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            killed += 1
        assert _started(fault, "run", old, new, *arguments, output).wait() == 0
        assert _lasting(output) == wanted
        assert not (output / "_staging").exists()
    assert killed


def _truth(lake: Path) -> dict[str, list[dict[str, int]]]:
    """The states in which each table was, by its log."""
    newest = versions(lake)
    return {
        name: [by_report(opened(lake, name, version)) for version in range(newest[name] + 1)]
        for name in ("reports", "classes", "checks", "_superseded/classes")
    }


class Reading:
    """A reader in a process of its own, from now until it is asked what it saw."""

    def __init__(self, lake: Path, truth: Path) -> None:
        call = [sys.executable, "-m", "tests.delta_reader", str(lake), str(truth)]
        self._process = subprocess.Popen(call, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "reading\n"

    def seen(self) -> dict[str, Any]:
        """What it saw: all states that were none are `torn`."""
        said, _ = self._process.communicate(timeout=60)
        found: dict[str, Any] = json.loads(said)
        return found


def test_a_reader_never_sees_half_a_batch(tmp_path: Path) -> None:
    old = write_inbox(tmp_path / "old", range(3), 4)
    new = restate(old, tmp_path / "new", 2)
    fault = Fault(batch=4, few=1000)
    calls = [("run", inbox, "--format", "delta", "--out") for inbox in (old, new)]
    for call in calls:
        assert _started(fault, *call, tmp_path / "clean").wait() == 0
    truth = tmp_path / "truth.json"
    truth.write_text(json.dumps(_truth(tmp_path / "clean")))
    reading = Reading(tmp_path / "output", truth)
    for call in calls:
        assert _started(fault, *call, tmp_path / "output").wait() == 0
    seen = reading.seen()
    assert seen["torn"] == []
    assert seen["polls"] > 20
    assert seen["states"] > len(json.loads(truth.read_text()))
    assert _lasting(tmp_path / "output") == _lasting(tmp_path / "clean")


def test_a_reader_would_see_a_batch_in_several_commits(tmp_path: Path) -> None:
    """Without the guard, and stopped in between."""
    old = write_inbox(tmp_path / "old", range(2), 2)
    clean = Fault(batch=10, few=1000)
    assert _started(clean, "run", old, "--format", "delta", "--out", tmp_path / "clean").wait() == 0
    truth = tmp_path / "truth.json"
    truth.write_text(json.dumps(_truth(tmp_path / "clean")))
    fault = replace(clean, without="a batch is one commit")
    trace = tmp_path / "trace"
    call = ("run", old, "--format", "delta", "--out")
    assert _started(replace(fault, trace=str(trace)), *call, tmp_path / "traced").wait() == 0
    at = trace.read_text().splitlines().index("faults.commit after reports") + 1
    process = _started(replace(fault, stop_at=at), *call, tmp_path / "output")
    assert wait_for(lambda: is_delta(tmp_path / "output") and (tmp_path / "output" / "reports" / "_delta_log").is_dir())
    reading = Reading(tmp_path / "output", truth)
    time.sleep(1)
    torn = reading.seen()["torn"]
    process.kill()
    process.wait()
    assert any(found.startswith("reports in version 0") for found in torn)


# --- what reads a lake ----------------------------------------------------------------------------------------

COMMANDS: Sequence[tuple[str, ...]] = (
    ("sql", "LAKE", f"FROM classes SELECT {FIGURES}"),
    ("sql", "LAKE", "SELECT count(*) FROM superseded_reports", "--json"),
    ("sql", "LAKE", "SELECT reason_code FROM rejects JOIN rejected_records ON sha256 = source_sha256"),
    ("check", "LAKE", "--json"),
    ("check", "LAKE", "--deal", "harbor-light"),
    ("explain", "LAKE", "harbor-light", "2003-01", "A-1", "ending_balance"),
    ("diff", "LAKE", "2003-03", "2003-04", "--deal", "tamarind"),
)  # fmt: skip


@pytest.mark.parametrize(
    ("way", "command"),
    [*(("deal,date", command) for command in COMMANDS), *((way, COMMANDS[3]) for way in PARTITIONINGS[1:])],
)
def test_commands_answer_as_of_a_parquet_lake(
    lakes: dict[str, tuple[Path, Path]], way: str, command: tuple[str, ...]
) -> None:
    answers = []
    for lake in lakes[way]:
        done = call_etl(*(str(lake) if word == "LAKE" else word for word in command))
        assert done.returncode == 0, done.stderr
        answers.append(done.stdout)
    assert answers[0] == answers[1] != ""


def test_commands_do_not_see_the_past(amended: Path) -> None:
    stale = list((amended / "reports").rglob("*.parquet"))
    assert len(stale) == 2
    done = call_etl("sql", amended, "SELECT count(*) AS n FROM reports", "--json")
    assert json.loads(done.stdout) == [{"n": 1}]
    assert json.loads(call_etl("check", amended, "--json").stdout)["breaks"] == []


def _file_of(lake: Path, name: str) -> Path:
    """The last of the files that a table has now."""
    ((path, _), *_) = reversed(state(lake)[name])  # type: ignore[call-overload]
    return Path(lake, name, path)


def test_a_lost_file_is_told_and_made_again(amended: Path, tmp_path: Path) -> None:
    whole, before = state(amended), versions(amended)
    _file_of(amended, "classes").unlink()
    said = json.loads(call_etl("check", amended, "--json").stdout)["breaks"]
    assert [one["check"] for one in said] == ["tables_are_whole"]
    assert run([tmp_path / "first", tmp_path / "second"], amended).reports_read == 1
    assert _tables(state(amended)) == _tables(whole)
    assert versions(amended) == before


def test_a_damaged_file_is_named_and_mended(amended: Path, tmp_path: Path) -> None:
    whole = state(amended)
    victim = _file_of(amended, "classes")
    victim.write_bytes(victim.read_bytes()[:-10])
    (first, *_) = json.loads(call_etl("check", amended, "--json").stdout)["breaks"]
    assert first["subject"] == str(victim)
    done = call_etl("sql", amended, "SELECT * FROM classes")
    assert done.returncode == 1
    with pytest.raises(LakeError, match="delete it and run") as raised:
        run([tmp_path / "second"], amended)
    assert raised.value.file == victim
    victim.unlink()
    run([tmp_path / "first", tmp_path / "second"], amended, force=True)
    assert _tables(state(amended)) == _tables(whole)


def test_errors_name_the_lake_and_no_folder_of_links(amended: Path, tmp_path: Path) -> None:
    run([write_inbox(tmp_path / "more", (0,), 1)], amended)
    done = call_etl("diff", amended, "previous", "latest")
    assert done.returncode == 2
    assert done.stderr.startswith(f"etl: {amended}: holds 2 deals: ")
    manifest = amended / "_manifest" / "documents.parquet"
    manifest.write_bytes(manifest.read_bytes()[:-10])
    with pytest.raises(LakeError, match="cannot be read") as raised:
        run([tmp_path / "second"], amended)
    assert str(raised.value).startswith(f"{manifest}: ")
    assert str(raised.value.file) == str(manifest)
    assert "_staging" not in str(raised.value)


def test_what_another_program_has_rewritten_is_no_riddle(amended: Path, tmp_path: Path) -> None:
    """Such as OPTIMIZE ZORDER: its files have other names, and their rows another order."""
    opened(amended, "classes").optimize.z_order(["class_key"])
    assert opened(amended, "classes").version() == 2
    said = "another program has rewritten it; bring the table back to a version that `etl run` wrote"
    for call in (("sql", amended, "SELECT 1"), ("run", tmp_path / "second", "--out", amended)):
        done = call_etl(*call)
        assert done.returncode == 1
        assert said in done.stderr
    opened(amended, "classes").restore(1)
    assert run([tmp_path / "second"], amended).skipped == 1


# --- columns and partitionings of the past --------------------------------------------------------------------


def test_a_table_of_an_older_program_gets_new_columns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output = tmp_path / "output"
    with monkeypatch.context() as patch:
        patch.setattr(delta_tables, "delta_schema", _without_last)
        run([_inbox(tmp_path / "first", {"a.txt": ORIGINAL})], output, lake_format="delta")
    last = table("classes").columns[-1].name
    assert last not in rows(output, "classes").column_names
    run([_inbox(tmp_path / "second", {"b.txt": NEXT_MONTH})], output)
    run([tmp_path / "first", tmp_path / "second"], tmp_path / "clean", lake_format="delta")
    assert _sorted(pl.DataFrame(rows(output, "classes"))).equals(
        _sorted(pl.DataFrame(rows(tmp_path / "clean", "classes")))
    )
    column = pa.schema(opened(output, "classes").schema().to_arrow()).field(last)
    assert column.metadata[b"comment"].decode() == table("classes").columns[-1].description


def _without_last(name: str, partition_by: PartitionBy) -> Any:
    from deltalake import Schema  # noqa: PLC0415 - only here

    return Schema(delta_schema(name, partition_by).fields[:-1])


def test_tables_that_no_report_is_left_in_may_be_partitioned_anew(tmp_path: Path) -> None:
    logs = DeltaTables(str(tmp_path / "lake"))
    file = DataFile("deal=a/a-0123456789abcdef.parquet", 1, '{"numRecords": 1}')
    logs.commit("classes", {"deal=a": file}, PartitionBy.DEAL, 1, "first")
    assert (logs.partitioning(), logs.file("classes", "deal=a").path) == (PartitionBy.DEAL, file.path)  # type: ignore[union-attr]
    logs.commit("classes", {"deal=a": None}, PartitionBy.DEAL, 2, "second")
    later = replace(file, path="deal=a/year=2003/a_2003-0123456789abcdef.parquet")
    logs.commit("classes", {"deal=a/year=2003": later}, PartitionBy.YEAR, 3, "third")
    for again in (logs, DeltaTables(str(tmp_path / "lake"))):
        assert again.partitioning() is PartitionBy.YEAR
        assert set(again.partitions("classes")) == {"deal=a/year=2003"}
        assert again.versions() == {"classes": 2}


def test_a_commit_that_was_made_is_not_made_again(tmp_path: Path) -> None:
    file = DataFile("deal=a/a-0123456789abcdef.parquet", 1, '{"numRecords": 1}')
    logs = DeltaTables(str(tmp_path / "lake"))
    logs.commit("classes", {"deal=a": file}, PartitionBy.DEAL, 1, "run")
    for again in (logs, DeltaTables(str(tmp_path / "lake"))):  # as a run, and the next one that finishes it
        again.commit("classes", {"deal=a": None}, PartitionBy.DEAL, 1, "run")
        assert (again.versions(), again.file("classes", "deal=a")) == ({"classes": 0}, replace(file, stats=""))
    (tmp_path / "file").write_text("")
    blocked = DeltaTables(str(tmp_path / "file"))
    with pytest.raises(OutputError, match="cannot be written"):
        blocked.commit("classes", {}, PartitionBy.DEAL, 1, "run")


# --- the page -------------------------------------------------------------------------------------------------

PAGE = REPOSITORY / "docs" / "delta.md"


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the lake that the page begins with."""
    place = tmp_path_factory.mktemp("workplace")
    shutil.copytree(REPOSITORY / "samples", place / "samples")
    (command,) = (line for block in examples(PAGE, "sh") for line in block.splitlines())
    assert call_etl(*command.split()[1:], cwd=place).returncode == 0
    assert is_delta(place / "output")
    return place


@pytest.mark.parametrize(
    ("example", "shown"),
    [*zip(examples(PAGE, "python"), ("CREATE TABLE", "A-1", "328979574.00", "b'usd'"), strict=True)],
    ids=["past", "folder", "polars", "arrow"],
)
def test_the_python_of_the_page_runs(
    workplace: Path, example: str, shown: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """In this process: threads of the libraries now and then abort one that ends right after such an example."""
    monkeypatch.chdir(workplace)
    with pl.Config(tbl_rows=200):
        exec(compile(example, "the page", "exec"), {})  # noqa: S102 - what the page says
    assert shown in capfd.readouterr().out
