"""Figures + declared identities → outcomes, over all reports of a batch at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from itertools import count, groupby

import polars as pl

from etl.figures import first_of_each, is_total, wide
from etl.formulas import SIDES, Figure, Formula, beyond, error_column, held, lacking, outcome, sides
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
        frames = wide(self.first)
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
        others: dict[tuple[str, str | None], dict[str, Figure]] = {}
        for figure in figures:
            if figure.table is not None:
                of_kinds = figure.table == "classes" and figure.kind is not None
                others.setdefault((figure.table, KIND if of_kinds else figure.kind), {})[figure.name] = figure
        for (other, kind), wanted in others.items():
            keys = ["document", "key"] if (table, other) == ("pools", "delinquencies") else ["document"]
            elsewhere = self._elsewhere(table, other, kind, list(wanted.values()))
            frame = frame.join(elsewhere, on=keys, how="left", maintain_order="left")
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
        if kind is not None:
            return _of_kinds(frame, wanted)
        if other == "classes":
            certificates = frame.join(self.class_totals, on=["document", "key"], how="semi", maintain_order="left")
            return certificates.select("document", *_renamed(wanted))
        return _of_the_deal(frame, wanted, may_add_up=other == "measures")


def _of_kinds(classes: pl.DataFrame, wanted: Sequence[Figure]) -> pl.DataFrame:
    """Sums over the classes of a kind, as columns with their names; null where no class of the kind prints one."""
    of_kind = classes.filter(pl.col(KIND).is_in({figure.kind for figure in wanted}))
    columns = [(figure, pl.col(KIND) == figure.kind) for figure in wanted]
    parts = of_kind.select(
        "document",
        *(pl.when(is_so).then(figure.field).alias(figure.name) for figure, is_so in columns),
        *(
            pl.when(is_so).then(error_column(figure.field)).alias(error_column(figure.name))
            for figure, is_so in columns
        ),
    )
    names = [figure.name for figure in wanted]
    return parts.group_by("document", maintain_order=True).agg(
        *(pl.when(pl.col(name).count() > 0).then(pl.col(name).sum()) for name in names),
        pl.col(map(error_column, names)).sum(),
    )


def _of_the_deal(frame: pl.DataFrame, wanted: Sequence[Figure], *, may_add_up: bool) -> pl.DataFrame:
    """Figures of the total row, as columns with their names. A measure that is printed for the loan groups alone is
    their sum."""
    is_total_row = pl.col("key") == TOTAL
    totals = frame.filter(is_total_row).select("document", *_renamed(wanted))
    if not may_add_up or totals.height == frame.height:
        return totals
    groups = frame.filter(~is_total_row).group_by("document", maintain_order=True)
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
    declared = _declared(tuple(identities))
    rows = {table: figures.rows(table, named).with_row_index("row") for table, named in declared.figures.items()}
    judged = _judged(declared.asked_first, rows)
    mains = _with_reasons(judged, declared)
    mains = _with_other_readings(mains, declared, rows)
    checks = _told(mains, [identity.name for identity in identities])
    return with_printed_figures(checks, figures, {identity.name: _all_figures(identity) for identity in identities})


@cache
def _all_figures(identity: Identity) -> tuple[str, tuple[Figure, ...]]:
    others = [figure for other in identity.otherwise for figure in other.formula.figures]
    named = {figure.name: figure for figure in (*identity.formula.figures, *others)}
    return identity.table, tuple(named.values())


# --- claims ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Claim:
    """A formula of an identity, made ready for the rows of its table.

    `number` tells it from all other claims, `identity` is the number of its identity; `because` is what it says
    where it does not hold (a condition) or does (another reading).
    """

    number: int
    identity: int
    table: str
    formula: Formula
    because: str = ""
    only_for: tuple[str, ...] = ()
    not_for: Mapping[str, str] = field(default_factory=dict)
    not_zero: bool = False

    @cached_property
    def needed(self) -> list[str]:
        """The figures without which it says nothing."""
        return [figure.name for figure in self.formula.figures if not figure.optional]

    @cached_property
    def sides(self) -> list[pl.Expr]:
        """Both sides, as `formulas.sides` gives them."""
        return [side.alias(self.column(part)) for part, side in sides(self.formula).items()]

    @cached_property
    def lacking(self) -> pl.Expr:
        """The needed figures that are not printed."""
        return lacking(self.formula).alias(self.column("lacking"))

    @cached_property
    def of_kinds(self) -> list[pl.Expr]:
        """Of which kinds of rows it speaks, and why not of others."""
        kind = pl.col(KIND)
        speaks = [kind.is_in(self.only_for).alias(self.column("speaks"))] if self.only_for else []
        if not self.not_for:
            return speaks
        excluded = kind.replace_strict(dict(self.not_for), default=None, return_dtype=pl.String)
        return [*speaks, excluded.alias(self.column("excluded"))]

    def column(self, part: str) -> str:
        """The name of a part of it where all claims stand side by side."""
        return f"{self.number} {part}"


@dataclass(frozen=True)
class _Declared:
    """The claims of identities, and all figures that they need by table.

    `claims` stand in the order of their numbers: first the formulas of the identities themselves, table by table,
    then their conditions, then other readings.
    """

    figures: Mapping[str, Sequence[Figure]]
    claims: Sequence[_Claim]
    mains: int
    conditions: int

    @cached_property
    def asked_first(self) -> list[_Claim]:
        """The formulas of the identities and their conditions, those over one table together."""
        first = self.claims[: self.mains + self.conditions]
        return [claim for table in self.figures for claim in first if claim.table == table]

    @property
    def others(self) -> Sequence[_Claim]:
        """Other readings."""
        return self.claims[self.mains + self.conditions :]

    @cached_property
    def words(self) -> pl.Expr:
        """What the claim of a row says."""
        return pl.lit(pl.Series([claim.because for claim in self.claims], dtype=pl.String)).gather(pl.col("claim"))

    def have(self, numbers: Iterable[int]) -> pl.Expr:
        """Whether the claim of a row is one of these."""
        return pl.col("claim").is_in(list(numbers))


@cache
def _declared(identities: tuple[Identity, ...]) -> _Declared:
    number = count()
    tables = dict.fromkeys(identity.table for identity in identities)
    by_table = [(at, one) for table in tables for at, one in enumerate(identities) if one.table == table]
    figures: dict[str, list[Figure]] = {table: [] for table in tables}
    for _, one in by_table:
        figures[one.table] += [figure for formula in one.formulas for figure in formula.figures]
    mains = [
        _Claim(next(number), at, one.table, one.formula, only_for=one.only_for, not_for=one.not_for)
        for at, one in by_table
    ]
    conditions = [
        _Claim(next(number), at, one.table, condition, f"only where {condition.text}")
        for at, one in by_table
        for condition in one.only_if
    ]
    others = [
        _Claim(next(number), at, one.table, other.formula, other.because, other.only_for, not_zero=other.not_zero)
        for at, one in by_table
        for other in one.otherwise
    ]
    return _Declared(figures, [*mains, *conditions, *others], len(mains), len(conditions))


def _judged(claims: Sequence[_Claim], rows: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """The outcome of each claim for each row of its table of which it speaks, claim by claim.

    Columns: `claim` and `identity` (their numbers), `row`, `document`, `key`, `actual`, `expected`, `tolerance`,
    `lacking`, `excluded` (why it does not speak of the kind of row) and `outcome`, null where nothing can be compared.
    """
    both = [_sides(list(some), rows[table]) for table, some in groupby(claims, lambda claim: claim.table)]
    heights = [rows[claim.table].height for claim in claims]
    said = {
        "claim": pl.Series([claim.number for claim in claims], dtype=pl.UInt32),
        "identity": pl.Series([claim.identity for claim in claims], dtype=pl.UInt32),
        "relation": pl.Series([claim.formula.relation for claim in claims], dtype=pl.String),
    }
    at = pl.select(pl.int_range(len(claims)).repeat_by(pl.Series(heights, dtype=pl.UInt32)).explode()).to_series()
    found = pl.concat(both).rechunk().hstack([values.gather(at).alias(name) for name, values in said.items()])
    found = found.filter("speaks").with_columns(**held({part: pl.col(part) for part in SIDES}))
    found = found.with_columns(missed=beyond(pl.col("actual"), pl.col("relation"), pl.col("expected")))
    return found.select(*_JUDGED, outcome=outcome(*(pl.col(name) for name in ("missed", "exact", "tolerance"))))


def _sides(claims: Sequence[_Claim], rows: pl.DataFrame) -> pl.DataFrame:
    """What `_judged` judges. Sides for which no row has all that is needed are not computed."""
    height = rows.height
    nulls = {name: rows[name].null_count() for name in {name for claim in claims for name in claim.needed}}
    wanted: list[pl.Expr] = []
    said: dict[str, pl.Series] = {}
    for claim in claims:
        missing = [name for name in claim.needed if nulls[name]]
        nowhere = [name for name in missing if nulls[name] == height]
        wanted += claim.of_kinds
        wanted += claim.sides if height and not nowhere else []
        if missing != nowhere:
            wanted.append(claim.lacking)
        elif missing:
            said[claim.column("lacking")] = pl.Series([", ".join(missing)]).new_from_index(0, height)
    # Lazily: columns that several claims need are computed once.
    said |= {column.name: column for column in rows.lazy().select(wanted).collect().get_columns()}
    parts = [
        _end_to_end([said.get(claim.column(part)) for claim in claims], pl.Series(part, [value], kind), height)
        for part, (kind, value) in _PARTS.items()
    ]
    return pl.concat([rows.select("row", "document", "key")] * len(claims)).hstack(parts)


def _end_to_end(columns: Sequence[pl.Series | None], otherwise: pl.Series, height: int) -> pl.Series:
    """Columns of one height one after the other; `otherwise` holds the value of those that are not there."""
    if all(column is None for column in columns):
        return otherwise.new_from_index(0, height * len(columns))
    missing = otherwise.new_from_index(0, height)
    return pl.concat([missing if column is None else column for column in columns]).alias(otherwise.name)


# What there is of a claim for each row, and what holds of all rows where nothing else is computed.
_PARTS: Mapping[str, tuple[pl.DataType, object]] = {
    **{part: (kind, None) for part, kind in SIDES.items()},
    "lacking": (pl.String(), None),
    "excluded": (pl.String(), None),
    "speaks": (pl.Boolean(), True),
}
_JUDGED = ("claim", "identity", "row", "document", "key", "actual", "expected", "tolerance", "lacking", "excluded")
_PLACE = ["identity", "row"]


def _with_reasons(judged: pl.DataFrame, declared: _Declared) -> pl.DataFrame:
    """The rows of identities with `reason`: why the identity is not applicable to the row, null where it is."""
    is_main = pl.col("claim") < declared.mains
    unmet = judged.filter(~is_main & ~_holds()).select(*_PLACE, unmet=declared.words)
    unmet = unmet.unique(_PLACE, keep="first", maintain_order=True)
    lacking = pl.when(pl.col("lacking") != "").then(pl.format("not printed: {}", "lacking"))
    # What divides by nothing has no expected value; that it is printed all the same is to be told.
    missed = pl.col("outcome").fill_null(pl.when(pl.col("actual") != 0).then(pl.lit("fail")))
    nothing = pl.when(missed.is_null()).then(pl.lit("there is nothing to divide by"))
    mains = judged.filter(is_main).join(unmet, on=_PLACE, how="left", maintain_order="left").rechunk()
    return mains.with_columns(outcome=missed, reason=pl.coalesce("excluded", lacking, "unmet", nothing))


def _with_other_readings(mains: pl.DataFrame, declared: _Declared, rows: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """The rows with `because`: which other reading holds where the identity fails, and what it gives."""
    broken = mains.filter(pl.col("reason").is_null() & (pl.col("outcome") == "fail")).select(_PLACE)
    identities = set(broken["identity"].unique())
    asked = [claim for claim in declared.others if claim.identity in identities]
    if not asked:
        return mains.with_columns(because=pl.lit(None, pl.String))
    broken_rows = {}
    for table in {claim.table for claim in asked}:
        own = pl.col("identity").is_in([claim.identity for claim in asked if claim.table == table])
        broken_rows[table] = rows[table].join(broken.filter(own), on="row", how="semi", maintain_order="left").rechunk()
    judged = _judged(asked, broken_rows).join(broken, on=_PLACE, how="semi", maintain_order="left").rechunk()
    constant = declared.have(claim.number for claim in asked if claim.formula.is_constant)
    not_zero = declared.have(claim.number for claim in asked if claim.not_zero)
    gives = pl.format("{}, which gives {}", declared.words, plain(pl.col("expected")))
    holding = judged.filter(_holds() & ~(not_zero & (pl.col("actual") == 0)))
    told = holding.select(*_PLACE, because=pl.when(constant).then(declared.words).otherwise(gives))
    first = told.unique(_PLACE, keep="first", maintain_order=True)
    return mains.join(first, on=_PLACE, how="left", maintain_order="left").rechunk()


def _holds() -> pl.Expr:
    return pl.col("outcome").is_in(["pass", "rounding"]).fill_null(value=False)


def _told(mains: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
    """The columns of `outcomes.SCHEMA`."""
    applies = pl.col("reason").is_null()
    said = (
        pl.when(~applies).then(pl.lit("not_applicable"))
        .when(pl.col("because").is_not_null()).then(pl.lit("explained"))
        .otherwise("outcome")
    )  # fmt: skip
    return mains.select(
        "document",
        check=pl.lit(pl.Series(names, dtype=pl.String)).gather(pl.col("identity")),
        subject="key",
        outcome=said,
        expected=pl.when(applies).then("expected"),
        actual=pl.when(applies).then("actual"),
        difference=pl.when(applies).then(pl.col("actual") - pl.col("expected")),
        tolerance=pl.when(applies).then("tolerance"),
        explanation=pl.coalesce("reason", "because"),
    )


# --- what was compared -----------------------------------------------------------------------------------------


def with_printed_figures(
    checks: pl.DataFrame, figures: ReportFigures, compared: dict[str, tuple[str, tuple[Figure, ...]]]
) -> pl.DataFrame:
    """`checks` with the printed figures and their lines, where they do not agree to the last digit.

    `compared` has for each check the table that it is over, and its figures. A figure of the distribution
    before is looked for in `previous_document`.
    """
    numbered = checks.with_row_index("row")
    told = numbered.filter(pl.col("outcome").is_in(["rounding", "explained", "fail"]))
    if told.is_empty():
        return checks
    off = set(told["check"].unique())
    places = _places(told, {check: what for check, what in compared.items() if check in off}, figures)
    asked = figures.first.filter(pl.col("field").is_in(places["field"].unique().implode()))
    printed = places.join(
        asked.select("document", "table", "key", "field", "raw", "line"),
        on=["document", "table", "key", "field"],
        how="inner",
        maintain_order="left",
    ).rechunk()  # joins of texts panic over empty chunks, see rejections
    whose = pl.when(pl.col("whose") != "").then(pl.format("{} ", "whose")).otherwise(pl.lit(""))
    texts = (
        printed.with_columns(text=pl.format("{}{} {} (line {})", whose, "field", "raw", "line"))
        .sort("row", "place", maintain_order=True)
        .group_by("row", maintain_order=True)
        .agg(
            text=pl.col("text").head(MAX_LINES).str.join(", "),
            more=pl.len().cast(pl.Int64) - MAX_LINES,
            lines=pl.col("line").filter(~pl.col("earlier")).unique().sort().head(MAX_LINES),
        )
    )
    more = pl.when(pl.col("more") > 0).then(pl.format(" and {} more", "more")).otherwise(pl.lit(""))
    printed_text = pl.format("printed: {}{}", "text", more)
    said = pl.concat_str(["explanation", printed_text], separator="; ", ignore_nulls=True)
    with_text = told.select("row", "explanation").join(texts, on="row", how="inner", maintain_order="left").rechunk()
    joined = numbered.join(with_text.select("row", "lines", said=said), on="row", how="left", maintain_order="left")
    return joined.rechunk().with_columns(explanation=pl.coalesce("said", "explanation")).drop("row", "said")


def plain(value: pl.Expr) -> pl.Expr:
    """A decimal as a person writes it: thousands parted, without the zeros that only say how wide its type is."""
    text = value.cast(pl.String).str.replace(r"\.?0+$", "")
    digits = text.str.extract("([0-9]+)").str.reverse().str.replace_all("([0-9]{3})", "$1,").str.strip_suffix(",")
    sign = pl.when(text.str.starts_with("-")).then(pl.lit("-")).otherwise(pl.lit(""))
    return pl.concat_str(sign, digits.str.reverse(), text.str.extract(r"(\.[0-9]+)$").fill_null(""))


def _places(
    told: pl.DataFrame, compared: Mapping[str, tuple[str, Sequence[Figure]]], figures: ReportFigures
) -> pl.DataFrame:
    """Where the figures of checks stand: `row`, `place` (order), `document`, `table`, `key`, `field`,
    `whose` row it is where that is not the subject's, and whether it is of an `earlier` report."""
    stands = [
        (check, place, figure.table or own, figure.field, figure.previous, *_stands(figure, own))
        for check, (own, named) in compared.items()
        for place, figure in enumerate(named)
    ]
    rows = told.select("row", "document", "check", "subject", *({"previous_document"} & set(told.columns)))
    places = rows.join(pl.DataFrame(stands, _STANDS, orient="row"), on="check", how="inner", maintain_order="left")
    if "previous_document" in told.columns:
        places = places.with_columns(document=pl.when("earlier").then("previous_document").otherwise("document"))
    of_classes = pl.col("kind").is_not_null()
    group = pl.when(pl.col("status").is_not_null()).then(pl.format("{} {}", "subject", "status")).otherwise("subject")
    alone = places.rechunk().filter(~of_classes).with_columns(key=pl.coalesce("key", group))
    members = places.filter(of_classes)
    if members.is_empty():
        return alone.select(_PLACES)
    kinds = figures.kinds
    if TOTAL_ROW in members["kind"]:
        kinds = pl.concat([kinds, figures.class_totals.with_columns(kind=pl.lit(TOTAL_ROW))])
    found = members.drop("key").join(kinds, on=["document", "kind"], how="inner", maintain_order="left_right")
    whose = pl.when(pl.col("kind") == TOTAL_ROW).then("kind").otherwise("key")
    return pl.concat([alone.select(_PLACES), found.with_columns(whose=whose).select(_PLACES)])


_STANDS = pl.Schema(
    {
        "check": pl.String(),
        "place": pl.Int32(),
        "table": pl.String(),
        "field": pl.String(),
        "earlier": pl.Boolean(),
        "key": pl.String(),
        "status": pl.String(),
        "kind": pl.String(),
        "whose": pl.String(),
    }
)
_PLACES = ("row", "place", "document", "table", "key", "field", "whose", "earlier")


def _stands(figure: Figure, own: str) -> tuple[str | None, str | None, str | None, str]:
    """In which row a figure stands: its key, null where it is that of the subject; the status behind the subject of
    its loans; the kind of its classes; and whose row that is."""
    whose = "previous" if figure.previous else ""
    if figure.table is None:
        return None, None, None, whose
    if figure.table == "classes":
        return None, None, figure.kind or TOTAL_ROW, whose
    if figure.table == "delinquencies":
        own_group = own == "pools"
        return None if own_group else f"{TOTAL} {figure.kind}", figure.kind if own_group else None, None, whose
    return TOTAL, None, None, "pool" if figure.kind is None and figure.table == "pools" else whose
