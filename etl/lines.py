"""Documents → lines: one frame for a whole batch."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl


def lines_frame(texts: Sequence[str], first_lines: Sequence[int] | None = None) -> pl.DataFrame:
    """All non-blank lines of all texts; `first_lines` has the number of the first line of each, by default 1.

    Columns: `document` (position in `texts`), `line` (its number), `text` (as it
    stands, tabs and outer blanks included), `position` (counts non-blank lines over the batch, so
    that neighbours differ by one).
    """
    first = [1] * len(texts) if first_lines is None else first_lines
    frame = pl.DataFrame({"text": texts, "first": first}, schema={"text": pl.String, "first": pl.Int32})
    return (
        frame.with_row_index("document")
        .with_columns(pl.col("text").str.split("\n"))
        .explode("text")
        .with_columns(line=pl.int_range(0, pl.len(), dtype=pl.Int32).over("document") + pl.col("first"))
        .filter(pl.col("text").str.contains(r"\S"))
        .with_row_index("position")
        .select("document", "line", "text", "position")
    )
