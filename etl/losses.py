"""What a lake says it has and has not: rows that are lost must not look like what no report prints.

The manifest lists the tables that have rows of each report; here their files are looked for. What a file holds that is
there, `etl check` looks at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from etl.errors import LakeError
from etl.lake import Lake
from etl.manifest import READ, has_manifest, read_manifest
from etl.schema import TABLES
from etl.versions import SUPERSEDED

NOTHING_LISTED = pl.DataFrame(
    schema={"deal": pl.String, "distribution_date": pl.Date, "report_id": pl.String, "table": pl.String}
)
_MEND = "run `etl run` over its reports again; `etl check` names all that is lost"


def listed_tables(lake: Lake) -> pl.DataFrame:
    """`deal`, `distribution_date`, `report_id` and `table`: the tables that have rows of each report that holds, as the
    manifest lists them; none where there is no manifest. Raises LakeError where that cannot be read."""
    if not has_manifest(lake.output):
        return NOTHING_LISTED
    rows = read_manifest(lake.output).rows.filter(pl.col("outcome") == READ, pl.col("standing") != SUPERSEDED)
    return rows.select("deal", "distribution_date", "report_id", table="tables").explode("table")


def losses(lake: Lake, deals: Sequence[str] | None = None, names: Sequence[str] = TABLES) -> pl.DataFrame:
    """`deal`, `distribution_date` and `table`, of files with rows of these deals that are not there, or in folders that
    cannot be looked into. Raises LakeError where the manifest cannot be read."""
    columns = ["deal", "distribution_date", "table"]
    told = listed_tables(lake).filter(pl.col("table").is_in(list(names))).select(columns)
    if deals is not None:
        told = told.filter(pl.col("deal").is_in(list(deals)))
    told = told.unique().sort(columns)
    is_lost = [not lake.file(name, deal, date).is_file() for deal, date, name in told.iter_rows()]
    return told.filter(pl.Series(is_lost, dtype=pl.Boolean))


def unread_tables(listed: pl.DataFrame, tables: Mapping[str, pl.DataFrame]) -> dict[str, list[str]]:
    """Report id → tables of which it has rows, as the manifest lists them (`listed_tables`, of the deal) or its records
    tell, and of which none was read. `tables`: what was read of the deal, at least its records. Records and checks
    every report has."""
    columns = ["report_id", "table"]
    told = pl.concat([tables["records"].select(columns), listed.select(columns)], how="vertical_relaxed")
    wanted: dict[str, set[str]] = {}
    for report_id, name in told.unique().drop_nulls().iter_rows():
        wanted.setdefault(report_id, {"records", "checks"}).add(name)
    have = {name: set(rows["report_id"]) for name, rows in tables.items()}
    return {
        report_id: [name for name in TABLES if name in names and name in have and report_id not in have[name]]
        for report_id, names in wanted.items()
    }


def refuse_losses(lost: pl.DataFrame, lake: Lake) -> None:
    """Raise LakeError for the first of the files that `losses` gives."""
    if lost.is_empty():
        return
    deal, date, name = lost.row(0)
    more = f", one of {lost.height:,} such files" if lost.height > 1 else ""
    told = f"is not there or cannot be seen, though the lake has had rows in it{more}"
    raise LakeError(lake.file(name, deal, date), told, _MEND)
