"""Check digits of CUSIPs and ISINs, over a whole column of them."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from etl.cells import is_not_applicable
from etl.figures import class_row
from etl.identifiers import LENGTHS, check_digit
from etl.identities import CheckDigit
from etl.outcomes import SCHEMA
from etl.rules import TOTAL


def check_digits(classes: pl.DataFrame, records: pl.DataFrame, declared: Sequence[CheckDigit]) -> pl.DataFrame:
    """The outcome for each class that prints an identifier. `classes` and `records` have `document` and the
    columns of their tables. Columns as `outcomes.SCHEMA`."""
    columns = {check.column: check.name for check in declared if classes[check.column].null_count() < classes.height}
    if not columns:
        return pl.DataFrame(schema=SCHEMA)
    checks = pl.concat([_checked(classes, check) for check in declared if check.column in columns])
    cells = records.filter(pl.col("field").is_in(list(columns))).select(
        "document",
        check=pl.col("field").cast(pl.String).replace_strict(columns),
        subject=class_row(),
        line="line",
    )
    keys = ["document", "check", "subject"]
    placed = checks.join(cells.unique(keys, keep="first"), on=keys, how="left", maintain_order="left")
    return placed.with_columns(lines=pl.when(pl.col("outcome") == "fail").then(pl.concat_list("line"))).drop("line")


def _checked(classes: pl.DataFrame, check: CheckDigit) -> pl.DataFrame:
    code = pl.col(check.column)
    printed = classes.filter(code.is_not_null()).select("document", "section", "class_key", code)
    printed = printed.rechunk()  # see rejections
    length = LENGTHS[check.method]
    built = printed.filter(code.str.contains(rf"^[0-9A-Z*@#]{{{length - 1}}}[0-9]$"))[check.column].unique()
    digits = [check_digit(text, check.method) for text in built]
    wanted = pl.DataFrame({check.column: built, "digit": pl.Series(digits, dtype=pl.String)})
    judged = printed.join(wanted, on=check.column, how="left", maintain_order="left").rechunk()
    last = code.str.slice(-1)
    no_identifier = (pl.col("class_key") == TOTAL) | is_not_applicable(code)
    outcome = (
        pl.when(no_identifier).then(pl.lit("not_applicable"))
        .when(pl.col("digit") == last).then(pl.lit("pass"))
        .otherwise(pl.lit("fail"))
    )  # fmt: skip
    name, letters = pl.lit(check.method.upper()), pl.lit(length)
    total = pl.format("the total row has no {}; {} is printed", name, code)
    misbuilt = pl.format("{} is not built as a {} is: {} characters, the last a digit", code, name, letters)
    wrong = pl.format(
        "the check digit of {} would be {}: misread, misprinted, or the trustee's own number", code, "digit"
    )
    explanation = (
        pl.when(no_identifier & (pl.col("class_key") == TOTAL)).then(total)
        .when(no_identifier).then(pl.format("{} is printed", code))
        .when(pl.col("digit").is_null()).then(misbuilt)
        .when(pl.col("digit") != last).then(wrong)
    )  # fmt: skip
    return judged.select(
        "document",
        check=pl.lit(check.name),
        subject=class_row(),
        outcome=outcome,
        expected=pl.when(~no_identifier).then(pl.col("digit").cast(pl.Int64)),
        actual=pl.when(~no_identifier).then(last.cast(pl.Int64, strict=False)),
        explanation=explanation,
    )
