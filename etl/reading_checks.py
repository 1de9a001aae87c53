"""Checks of the reading itself: were all expected lines found, was every number claimed, does the report say
the same wherever it says it twice.
"""

from __future__ import annotations

import polars as pl

from etl.cells import date
from etl.layout import Layout
from etl.outcomes import MAX_LINES, SCHEMA
from etl.records import Extraction
from etl.rules import TOTAL
from etl.schema import find_field

_DATES = ("distribution_date", "report_date", "record_date", "determination_date")
# Wording that may differ between two places of a report without saying anything else.
_SAME_WORDS = r"[\s,]+"


def check_reading(
    extraction: Extraction, said: pl.DataFrame, reports: pl.DataFrame, layout: Layout
) -> list[pl.DataFrame]:
    """The checks of the reading, a frame for each, as `outcomes.shaped` takes them.

    `said` as `tables.field_values`, `reports` with `document` and the columns of its table.
    """
    return [
        _joined_blocks(extraction.joins),
        _every_number_claimed(extraction),
        _repeated_fields(said),
        _without_cover(_expected_lines(extraction, layout), reports, layout),
        _same_groups(extraction.records, layout),
    ]


def _compared(frame: pl.DataFrame, check: str, explanation: pl.Expr) -> pl.DataFrame:
    """A check for each row of `frame`, which has `document`, `subject`, `expected` and `actual`."""
    return frame.rechunk().with_columns(  # joins of texts panic over empty chunks, see rejections
        check=pl.lit(check),
        outcome=pl.when(pl.col("expected") == pl.col("actual")).then(pl.lit("pass")).otherwise(pl.lit("fail")),
        difference=pl.col("actual") - pl.col("expected"),
        tolerance=pl.lit(0),
        explanation=explanation,
    )


def _joined_blocks(joins: pl.DataFrame) -> pl.DataFrame:
    """Blocks without labels have as many rows as the block whose labels they take."""
    return _compared(
        joins.rename({"block": "subject"}),
        "joined_blocks_have_equal_rows",
        pl.format("{} rows without labels, {} labelled rows", "actual", "expected"),
    )


def _every_number_claimed(extraction: Extraction) -> pl.DataFrame:
    """Every numeric token of the document is claimed by a record; the first of the others are named."""
    numbers, records = extraction.numbers, extraction.records
    left = records.filter(pl.col("status") == "unclaimed").rechunk()  # see rejections
    named = pl.format("{} (line {})", "raw", "line").head(MAX_LINES).str.join(", ")
    first = left.group_by("document", maintain_order=True).agg(
        named=named, lines=pl.col("line").unique(maintain_order=True).head(MAX_LINES)
    )
    frame = numbers.select("document", subject=pl.lit("report"), expected="numbers_found", actual="numbers_claimed")
    frame = frame.join(first, on="document", how="left", maintain_order="left")
    claimed = pl.format("{} of {} numbers are claimed by a record", "actual", "expected")
    unclaimed = pl.format("{}; unclaimed: {}", claimed, "named")
    checks = _compared(frame, "every_number_claimed", pl.coalesce(unclaimed, claimed))
    # Counts that agree beside an unclaimed number are no proof: another one was then counted twice.
    outcome = pl.when(pl.col("named").is_not_null()).then(pl.lit("fail")).otherwise("outcome")
    return checks.with_columns(outcome=outcome)


def _repeated_fields(said: pl.DataFrame) -> pl.DataFrame:
    """What the report says of itself in several places is the same everywhere."""
    twice = said.filter(pl.struct("document", "field").is_duplicated() & (pl.col("field") != "items"))
    if twice.is_empty():
        return pl.DataFrame(schema=SCHEMA)
    several = twice.with_columns(same=pl.col("text").str.replace_all(_SAME_WORDS, " ").str.to_lowercase())
    days = several.filter(pl.col("field").is_in(_DATES)).with_columns(same=date(pl.col("text")).cast(pl.String))
    several = pl.concat(
        [several.filter(~pl.col("field").is_in(_DATES)), days.with_columns(pl.col("same").fill_null("?"))]
    )
    fields = several.group_by("document", "field", maintain_order=True).agg(
        texts=pl.col("same").n_unique(),
        explanation=pl.format("line {}: {}", "line", "text").str.join("; "),
    )
    frame = fields.with_columns(subject="field", expected=pl.lit(1), actual=pl.col("texts").cast(pl.Int64))
    return _compared(frame, "repeated_fields_agree", pl.col("explanation"))


def _expected_lines(extraction: Extraction, layout: Layout) -> pl.DataFrame:
    """Blocks that may be missing are there; lines that may stand anywhere were found."""
    wanted = _wanted_lines(layout)
    if not wanted:
        return pl.DataFrame(schema=SCHEMA)
    numbers = {line: number for number, line in enumerate(wanted)}
    # One of two blocks of which each may stand for the other is enough.
    for block in layout.blocks:
        if block.instead_of is not None and (block.instead_of, None) in numbers:
            numbers[block.name, None] = numbers[block.instead_of, None]
    rules = extraction.rules.select(pl.col("block", "field").cast(pl.String)).iter_rows()
    line_of_rule = pl.Series(
        [numbers.get((block, field), numbers.get((block, None))) for block, field in rules], dtype=pl.Int32
    )
    priority = extraction.records["priority"]
    seen = extraction.records.select("document", line=line_of_rule.gather(priority)).drop_nulls().unique()
    lines = pl.DataFrame(
        [(number, block, field or _fields_of(block, layout)) for number, (block, field) in enumerate(wanted)],
        schema={"line": pl.Int32, "subject": pl.String, "name": pl.String},
        orient="row",
    )
    expected = (
        extraction.numbers.select("document")
        .join(lines, how="cross")
        .join(seen.with_columns(found=pl.lit(value=True)), on=["document", "line"], how="left", maintain_order="left")
    )
    counted = expected.group_by("document", "subject", maintain_order=True).agg(
        expected=pl.len().cast(pl.Int64),
        actual=pl.col("found").count().cast(pl.Int64),
        missing=pl.col("name").filter(pl.col("found").is_null()).str.join(", "),
    )
    found = pl.when(pl.col("missing") != "").then(pl.format("not found: {}", "missing")).otherwise(pl.lit("all found"))
    return _compared(counted, "expected_lines_found", found)


def _without_cover(checks: pl.DataFrame, reports: pl.DataFrame, layout: Layout) -> pl.DataFrame:
    """What a document of a submission lacks of its cover is none of its lines: the cover is a document of its own."""
    if checks.is_empty():
        return checks
    covers = [block.name for block in layout.blocks if block.table == "reports"]
    covers += [find.name for find in layout.finds if all(_is_said_of_a_report(name) for name in find.pattern.fields)]
    exhibits = reports.filter(pl.col("accession_number").is_not_null())["document"]
    elsewhere = (
        (pl.col("outcome") == "fail") & pl.col("subject").is_in(covers) & pl.col("document").is_in(exhibits.implode())
    )
    told = pl.format("{}; the cover of a submission is a document of its own", "explanation")
    return checks.with_columns(
        outcome=pl.when(elsewhere).then(pl.lit("not_applicable")).otherwise("outcome"),
        difference=pl.when(~elsewhere).then("difference"),
        explanation=pl.when(elsewhere).then(told).otherwise("explanation"),
    )


def _is_said_of_a_report(name: str) -> bool:
    """Whether a field is a column of `reports`, or of no table."""
    known = find_field(name)
    return known is None or known[0] == "reports"


def _wanted_lines(layout: Layout) -> list[tuple[str, str | None]]:
    """Block and field of the lines that may stand anywhere, and the blocks that may be missing."""
    lines: list[tuple[str, str | None]] = []
    for block in layout.blocks:
        if not block.expected:
            continue
        if not block.has_head:
            lines += [(block.name, meaning.field) for meaning in block.labels.values() if block.required]
        elif not block.required and block.instead_of is None:
            lines.append((block.name, None))
    lines += [(find.name, None) for find in layout.finds if find.expected]
    return list(dict.fromkeys(lines))


def _fields_of(name: str, layout: Layout) -> str:
    """What is lost with a find; of a block its name says it."""
    return next((", ".join(find.pattern.fields) for find in layout.finds if find.name == name), name)


def _same_groups(records: pl.DataFrame, layout: Layout) -> pl.DataFrame:
    """Every block by loan group prints the same groups, and their total but where the layout says that it may lack."""
    if "group_id" not in records.schema["field"].categories:  # type: ignore[attr-defined]
        return pl.DataFrame(schema=SCHEMA)
    heads = records.select("document", "block", "group_id", "field").filter(pl.col("field") == "group_id")
    lacking = pl.col("block").cast(pl.String).is_in([block.name for block in layout.blocks if block.may_lack_total])
    groups = heads.select(pl.col("document"), pl.col("block", "group_id").cast(pl.String)).unique(maintain_order=True)
    every = groups.group_by("document", maintain_order=True).agg(every=pl.col("group_id").unique(maintain_order=True))
    blocks = groups.group_by("document", "block", maintain_order=True).agg(pl.col("group_id"))
    both = blocks.join(every, on="document", how="left", maintain_order="left")
    with_total = pl.col("group_id").list.set_union([TOTAL]).list.set_intersection("every")
    frame = both.with_columns(group_id=pl.when(lacking).then(with_total).otherwise("group_id")).select(
        "document",
        subject="block",
        expected=pl.col("every").list.len().cast(pl.Int64),
        actual=pl.col("group_id").list.len().cast(pl.Int64),
        lost=pl.col("every").list.set_difference("group_id").list.sort().list.join(", "),
    )
    explanation = pl.when(pl.col("lost") != "").then(pl.format("not found: {}", "lost")).otherwise(pl.lit("all found"))
    return _compared(frame, "same_groups_in_all_blocks", explanation)
