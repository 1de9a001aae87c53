"""Figures + declared identities → outcomes, over all reports of a batch at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property

import polars as pl

from etl.figures import FIGURE_TABLES, first_of_each, is_total, wide
from etl.formulas import Figure, compared, error_column
from etl.identities import REPORT, TOTAL_ROW, Identity
from etl.outcomes import MAX_LINES
from etl.rules import TOTAL

KIND = "kind of row"


@dataclass(frozen=True)
class ReportFigures:
    """The figures of a batch of reports.

    `known` as `figures.figures` gives them; `documents`: one column, `document`; `kinds`: `document`, `key`
    and `kind` of the classes.
    """

    known: pl.DataFrame
    documents: pl.DataFrame
    kinds: pl.DataFrame

    @cached_property
    def first(self) -> pl.DataFrame:
        """The figures that count: where a report prints one twice, the first."""
        return first_of_each(self.known)

    @cached_property
    def tables(self) -> dict[str, pl.DataFrame]:
        """Each table wide, with the kind of its rows in `kind of row`."""
        frames = {name: wide(self.known, name) for name in FIGURE_TABLES}
        # A class that prints no figure at all is a row too.
        kinds = self.kinds.select("document", "key", pl.col("kind").alias(KIND))
        frames["classes"] = kinds.join(frames["classes"], on=["document", "key"], how="left", maintain_order="left")
        total = pl.when(is_total(pl.col("key"))).then(pl.lit(TOTAL_ROW))
        return {
            name: frame.with_columns(
                pl.coalesce([total, pl.col(KIND) if name == "classes" else pl.lit(None)]).alias(KIND)
            )
            for name, frame in frames.items()
        }

    @cached_property
    def class_totals(self) -> pl.DataFrame:
        """`document` and `key` of the total that formulas mean by the table: where a report has one for each section
        of its classes, that of the only section with senior classes, which are those that investors hold."""
        classes = self.tables["classes"]
        total = is_total(pl.col("key"))
        of_section = pl.when(total).then(pl.col("key").str.strip_suffix(TOTAL))
        totals = classes.filter(total).select("document", "key", section=of_section)
        several = totals.filter(pl.len().over("document") > 1)
        senior = classes.filter(pl.col(KIND) == "senior").select("document", member="key")
        held = several.join(senior, on="document", how="inner", maintain_order="left")
        held = held.filter(pl.col("member").str.starts_with(pl.col("section"))).unique(["document", "key"])
        chosen = [totals.filter(pl.len().over("document") == 1), held.filter(pl.len().over("document") == 1)]
        return pl.concat([part.select("document", "key") for part in chosen])

    def rows(self, table: str, figures: Iterable[Figure]) -> pl.DataFrame:
        """The rows that identities over `table` speak of: `document`, `key`, the kind, their own columns, and
        those `figures` that belong to other tables."""
        if table == REPORT:
            frame = self.documents.with_columns(key=pl.lit(REPORT)).with_columns(pl.lit(None, pl.String).alias(KIND))
        else:
            frame = self.tables[table]
        others: dict[tuple[str, str | None], list[Figure]] = {}
        for figure in {figure.name: figure for figure in figures}.values():
            if figure.table is not None:
                others.setdefault((figure.table, figure.kind), []).append(figure)
        for (other, kind), wanted in others.items():
            keys = ["document", "key"] if (table, other) == ("pools", "delinquencies") else ["document"]
            frame = frame.join(self._elsewhere(table, other, kind, wanted), on=keys, how="left", maintain_order="left")
        return frame.rechunk()  # joins of texts panic over empty chunks, see rejections

    def _elsewhere(self, own: str, other: str, kind: str | None, wanted: Sequence[Figure]) -> pl.DataFrame:
        """Figures of another table, as columns with their names: its total, or the rows of a kind."""
        frame = self.tables[other]
        if other == "delinquencies":
            if own == "pools":
                suffix = f" {kind}"
                loans = frame.filter(pl.col("key").str.ends_with(suffix))
                return loans.select("document", pl.col("key").str.strip_suffix(suffix), *_renamed(wanted))
            return frame.filter(pl.col("key") == f"{TOTAL} {kind}").select("document", *_renamed(wanted))
        if kind is None and other == "classes":
            certificates = frame.join(self.class_totals, on=["document", "key"], how="semi", maintain_order="left")
            return certificates.select("document", *_renamed(wanted))
        if kind is None:
            return _of_the_deal(frame, wanted, may_add_up=other == "measures")
        printed = {
            figure.name: pl.when(pl.col(figure.field).count() > 0).then(pl.col(figure.field).sum()) for figure in wanted
        }
        errors = {error_column(figure.name): pl.col(error_column(figure.field)).sum() for figure in wanted}
        return frame.filter(pl.col(KIND) == kind).group_by("document", maintain_order=True).agg(**printed, **errors)


def _of_the_deal(frame: pl.DataFrame, wanted: Sequence[Figure], *, may_add_up: bool) -> pl.DataFrame:
    """Figures of the total row, as columns with their names. A measure that is printed for the loan groups alone is
    their sum."""
    totals = frame.filter(pl.col("key") == TOTAL).select("document", *_renamed(wanted))
    if not may_add_up:
        return totals
    groups = frame.filter(pl.col("key") != TOTAL).group_by("document", maintain_order=True)
    sums = groups.agg(
        *(pl.when(pl.col(f.field).count() > 0).then(pl.col(f.field).sum()).alias(f.name) for f in wanted),
        *(pl.col(error_column(f.field)).sum().alias(error_column(f.name)) for f in wanted),
    )
    both = totals.join(sums, on="document", how="full", coalesce=True, suffix=_SUMMED, maintain_order="left_right")
    return both.select(
        "document",
        *(
            pl.when(pl.col(figure.name).is_not_null()).then(column).otherwise(f"{column}{_SUMMED}").alias(column)
            for figure in wanted
            for column in (figure.name, error_column(figure.name))
        ),
    )


_SUMMED = " summed"


def _renamed(figures: Sequence[Figure]) -> Iterator[pl.Expr]:
    for figure in figures:
        yield pl.col(figure.field).alias(figure.name)
        yield pl.col(error_column(figure.field)).alias(error_column(figure.name))


def check_identities(figures: ReportFigures, identities: Sequence[Identity]) -> pl.DataFrame:
    """The outcome of each identity for each of its rows: the columns of `outcomes.SCHEMA`."""
    found = []
    for table in dict.fromkeys(identity.table for identity in identities):
        here = [identity for identity in identities if identity.table == table]
        named = [figure for identity in here for formula in identity.formulas for figure in formula.figures]
        rows = figures.rows(table, named).lazy()
        found += pl.collect_all([_checked(rows, identity) for identity in here])
    checks = pl.concat(found, how="diagonal")
    return with_printed_figures(checks, figures, {identity.name: _all_figures(identity) for identity in identities})


def _all_figures(identity: Identity) -> tuple[str, tuple[Figure, ...]]:
    others = [figure for other in identity.otherwise for figure in other.formula.figures]
    named = {figure.name: figure for figure in (*identity.formula.figures, *others)}
    return identity.table, tuple(named.values())


def _checked(rows: pl.LazyFrame, identity: Identity) -> pl.LazyFrame:
    for step in _steps(identity):
        rows = rows.with_columns(step)
    speaks_of = pl.col(KIND).is_in(identity.only_for) if identity.only_for else pl.lit(value=True)
    return rows.filter(speaks_of).select(_outcomes(identity))


@cache
def _steps(identity: Identity) -> list[list[pl.Expr]]:
    """The columns that an identity needs, step by step: its formulas, and why another reading holds or none."""
    # What divides by nothing has no expected value; that it is printed all the same is to be told.
    missed = pl.col("main outcome").fill_null(pl.when(pl.col("main actual") != 0).then(pl.lit("fail")))
    return [
        *compared(identity.formula, "main"),
        *(step for n, condition in enumerate(identity.only_if) for step in compared(condition, f"only if {n}")),
        *(step for n, other in enumerate(identity.otherwise) for step in compared(other.formula, f"otherwise {n}")),
        [missed.alias("missed")],
        [pl.coalesce(_reasons(identity)).alias("reason"), pl.coalesce(_because(identity)).alias("because")],
    ]


@cache
def _outcomes(identity: Identity) -> list[pl.Expr]:
    """The columns of `outcomes.SCHEMA`, of rows that have those of `_steps`."""
    outcome = (
        pl.when(pl.col("reason").is_not_null()).then(pl.lit("not_applicable"))
        .when(pl.col("because").is_not_null()).then(pl.lit("explained"))
        .otherwise("missed")
    )  # fmt: skip
    applies = pl.col("reason").is_null()
    return [
        pl.col("document"),
        pl.lit(identity.name).alias("check"),
        pl.col("key").alias("subject"),
        outcome.alias("outcome"),
        pl.when(applies).then("main expected").alias("expected"),
        pl.when(applies).then("main actual").alias("actual"),
        pl.when(applies).then(pl.col("main actual") - pl.col("main expected")).alias("difference"),
        pl.when(applies).then("main tolerance").alias("tolerance"),
        pl.coalesce("reason", "because").alias("explanation"),
    ]


def _reasons(identity: Identity) -> Iterator[pl.Expr]:
    """Why the identity is not applicable to a row; null where it is."""
    if identity.not_for:
        yield pl.col(KIND).replace_strict(dict(identity.not_for), default=None, return_dtype=pl.String)
    yield pl.when(pl.col("main lacking") != "").then(pl.format("not printed: {}", "main lacking"))
    for number, condition in enumerate(identity.only_if):
        yield pl.when(~_holds(f"only if {number}")).then(pl.lit(f"only where {condition.text}"))
    yield pl.when(pl.col("missed").is_null()).then(pl.lit("there is nothing to divide by"))


def _because(identity: Identity) -> Iterator[pl.Expr]:
    """Which other reading holds where the identity fails, and what it gives; null where none does."""
    yield pl.lit(None, pl.String)
    for number, other in enumerate(identity.otherwise):
        speaks = pl.col(KIND).is_in(other.only_for) if other.only_for else pl.lit(value=True)
        holds = (pl.col("missed") == "fail") & speaks & _holds(f"otherwise {number}")
        if other.not_zero:
            holds &= pl.col(f"otherwise {number} actual") != 0
        gives = pl.format("{}, which gives {}", pl.lit(other.because), plain(pl.col(f"otherwise {number} expected")))
        yield pl.when(holds).then(pl.lit(other.because) if other.formula.is_constant else gives)


def _holds(name: str) -> pl.Expr:
    return pl.col(f"{name} outcome").is_in(["pass", "rounding"]).fill_null(value=False)


# --- what was compared -----------------------------------------------------------------------------------------


def with_printed_figures(
    checks: pl.DataFrame, figures: ReportFigures, compared: dict[str, tuple[str, tuple[Figure, ...]]]
) -> pl.DataFrame:
    """`checks` with the printed figures and their lines, where they do not agree to the last digit.

    `compared` has for each check the table that it is over, and its figures. A figure of the distribution
    before is looked for in `previous_document`.
    """
    told = checks.with_row_index("row").filter(pl.col("outcome").is_in(["rounding", "explained", "fail"]))
    if told.is_empty():
        return checks.with_columns(lines=pl.lit(None, pl.List(pl.Int32)))
    off = set(told["check"].unique())
    asked = {check: what for check, what in compared.items() if check in off}
    places = pl.concat([_places(told, check, table, named, figures) for check, (table, named) in asked.items()])
    # Only figures of these reports are looked up.
    near = figures.first.join(places.select("document").unique(), on="document", how="semi")
    printed = places.join(
        near.select("document", "table", "key", "field", "raw", "line"),
        on=["document", "table", "key", "field"],
        how="inner",
        maintain_order="left",
    ).rechunk()  # joins of texts panic over empty chunks, see rejections
    whose = pl.when(pl.col("whose") != "").then(pl.format("{} ", "whose")).otherwise(pl.lit(""))
    texts = (
        printed.sort("row", "place", maintain_order=True)
        .group_by("row", maintain_order=True)
        .agg(
            text=pl.format("{}{} {} (line {})", whose, "name", "raw", "line").head(MAX_LINES).str.join(", "),
            more=pl.len().cast(pl.Int64) - MAX_LINES,
            lines=pl.col("line").filter(~pl.col("earlier")).unique().sort().head(MAX_LINES),
        )
    )
    joined = checks.with_row_index("row").join(texts, on="row", how="left", maintain_order="left")
    more = pl.when(pl.col("more") > 0).then(pl.format(" and {} more", "more")).otherwise(pl.lit(""))
    printed_text = pl.format("printed: {}{}", "text", more)
    said = pl.concat_str(["explanation", printed_text], separator="; ", ignore_nulls=True)
    return (
        joined.rechunk()
        .with_columns(explanation=pl.when(pl.col("text").is_null()).then("explanation").otherwise(said))
        .drop("row", "text", "more")
    )


def plain(value: pl.Expr) -> pl.Expr:
    """A decimal as a person writes it: thousands parted, without the zeros that only say how wide its type is."""
    text = value.cast(pl.String).str.replace(r"\.?0+$", "")
    digits = text.str.extract("([0-9]+)").str.reverse().str.replace_all("([0-9]{3})", "$1,").str.strip_suffix(",")
    sign = pl.when(text.str.starts_with("-")).then(pl.lit("-")).otherwise(pl.lit(""))
    return pl.concat_str(sign, digits.str.reverse(), text.str.extract(r"(\.[0-9]+)$").fill_null(""))


def _places(told: pl.DataFrame, check: str, own: str, named: Sequence[Figure], figures: ReportFigures) -> pl.DataFrame:
    """Where the figures of a check stand: `row`, `place` (order), `document`, `table`, `key`, `field`, `name`,
    `whose` row it is where that is not the subject's, and whether it is of an `earlier` report."""
    rows = told.filter(pl.col("check") == check).rechunk()
    parts = [pl.DataFrame(schema=_PLACES)]
    for place, figure in enumerate(named):
        document = "previous_document" if figure.previous else "document"
        frame = rows.select("row", pl.col(document).alias("document"), key=_key_of(figure, own))
        whose = pl.lit("previous" if figure.previous else "")
        if figure.kind is not None and figure.table == "classes":
            members = figures.kinds.filter(pl.col("kind") == figure.kind).select("document", "key")
            frame = frame.drop("key").join(members, on="document", how="inner", maintain_order="left_right")
            whose = pl.col("key")
        elif figure.kind is None and figure.table == "classes":
            frame = frame.drop("key").join(figures.class_totals, on="document", how="inner", maintain_order="left")
            whose = pl.lit("total")
        elif figure.kind is None and figure.table in ("classes", "pools"):
            whose = pl.lit("total" if figure.table == "classes" else "pool")
        parts.append(
            frame.select(
                "row",
                "document",
                place=pl.lit(place, pl.Int32),
                table=pl.lit(figure.table or own),
                key="key",
                field=pl.lit(figure.field),
                name=pl.lit(figure.field),
                whose=whose,
                earlier=pl.lit(figure.previous),
            ).cast({name: kind for name, kind in _PLACES.items() if name != "document"})
        )
    return pl.concat([part.with_columns(pl.col("document").cast(told.schema["document"])) for part in parts])


_PLACES = pl.Schema(
    {
        "row": pl.UInt32(),
        "document": pl.UInt32(),
        "place": pl.Int32(),
        "table": pl.String(),
        "key": pl.String(),
        "field": pl.String(),
        "name": pl.String(),
        "whose": pl.String(),
        "earlier": pl.Boolean(),
    }
)


def _key_of(figure: Figure, own: str) -> pl.Expr:
    if figure.table is None:
        return pl.col("subject")
    if figure.table == "delinquencies":
        group = pl.col("subject") if own == "pools" else pl.lit(TOTAL)
        return pl.format("{} {}", group, pl.lit(figure.kind))
    return pl.lit(TOTAL)
