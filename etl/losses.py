"""What a lake says it has and has not: rows that are lost must not look like what no report prints.

The manifest lists the tables that have rows of each report; here their files are looked for. What a file holds that is
there, `etl check` looks at.
"""

from __future__ import annotations

from collections.abc import Sequence

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


def refuse_losses(lost: pl.DataFrame, lake: Lake) -> None:
    """Raise LakeError for the first of the files that `losses` gives."""
    for deal, date, name in lost.iter_rows():
        more = f", one of {lost.height:,} such files" if lost.height > 1 else ""
        file = lake.file(name, deal, date)
        raise LakeError(file, f"is not there or cannot be seen, though the lake has had rows in it{more}", _MEND)
