"""Documents → lines: one frame for a whole batch."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl


def lines_frame(texts: Sequence[str]) -> pl.DataFrame:
    """All non-blank lines of all texts.

    Columns: `document` (position in `texts`), `line` (from 1, in the document), `text` (as it
    stands, tabs and outer blanks included), `position` (counts non-blank lines over the batch, so
    that neighbours differ by one).
    """
    frame = pl.DataFrame({"text": texts}, schema={"text": pl.String})
    return (
        frame.with_row_index("document")
        .with_columns(pl.col("text").str.split("\n"))
        .explode("text")
        .with_columns(line=pl.int_range(1, pl.len() + 1, dtype=pl.Int32).over("document"))
        .filter(pl.col("text").str.contains(r"\S"))
        .with_row_index("position")
        .select("document", "line", "text", "position")
    )
