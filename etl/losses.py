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

_MEND = "run `etl run` over its reports again; `etl check` names all that is lost"


def losses(lake: Lake, deals: Sequence[str] | None = None, names: Sequence[str] = TABLES) -> pl.DataFrame:
    """`deal`, `distribution_date` and `table`, of files with rows of these deals that are not there, or in folders that
    cannot be looked into; none where no manifest tells of any. Raises LakeError where that cannot be read."""
    columns = ["deal", "distribution_date", "table"]
    if not has_manifest(lake.output):
        return pl.DataFrame(schema={"deal": pl.String, "distribution_date": pl.Date, "table": pl.String})
    rows = read_manifest(lake.output).rows.filter(pl.col("outcome") == READ, pl.col("standing") != SUPERSEDED)
    if deals is not None:
        rows = rows.filter(pl.col("deal").is_in(list(deals)))
    told = rows.select("deal", "distribution_date", table=pl.col("tables")).explode("table")
    told = told.filter(pl.col("table").is_in(list(names))).unique(maintain_order=True).sort(columns)
    is_lost = [not lake.file(name, deal, date).is_file() for deal, date, name in told.iter_rows()]
    return told.filter(pl.Series(is_lost, dtype=pl.Boolean))


def unread_tables(lake: Lake, deal: str, tables: Mapping[str, pl.DataFrame]) -> dict[str, list[str]]:
    """Report id → tables of which it has rows by the manifest or by its records, and of which none was read. `tables`:
    what was read of the deal, at least its records. Records and checks every report has."""
    told = tables["records"].select("report_id", "table")
    try:
        listed = read_manifest(lake.output).rows.filter(pl.col("outcome") == READ, pl.col("deal") == deal)
    except LakeError:
        pass  # that it is damaged is a break; what the records tell remains
    else:
        told = pl.concat([told, listed.select("report_id", table="tables").explode("table")], how="vertical_relaxed")
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
    for deal, date, name in lost.iter_rows():
        more = f", one of {lost.height:,} such files" if lost.height > 1 else ""
        file = lake.file(name, deal, date)
        raise LakeError(file, f"is not there or cannot be seen, though the lake has had rows in it{more}", _MEND)
