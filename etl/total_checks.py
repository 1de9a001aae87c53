"""Which rows does a printed total cover? Sums over rows, and the rows that a total leaves out.

Where the rows of a column do not add up to its printed total, sets of rows that the total may leave out are
tried, in this order: all classes of one or several kinds (notional classes, over-collateralization, ...), one
class, classes of such kinds and one more, two classes. Columns of one family (balances, payments, ...) leave
out the same rows, so the set that most columns of the family agree with counts. It must be no accident:

- either two columns need it, each by its own figures, or
- the chance that a wrong total falls on the sum of any set that was tried is below one in a hundred, and the
  sum is no figure that one wrong digit gives (700, 60,000,000).

Each part of the set, all classes of a kind or one class, must be no accident either: a single column does not
tell that a class is left out whose figure there is one wrong digit, nor that an ordinary class is left out at all.
Single classes that a single column leaves out must be left out by another family too. A total of zero speaks for no
set: it would leave out whatever there is. Else nothing is explained, and the break is told with its size.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import combinations

import polars as pl

from etl.cells import VALUE
from etl.figures import is_total
from etl.formulas import outcome, tolerance_of
from etl.identities import ADDED_STATUSES, LOANS, LOANS_OF_A_GROUP, Total
from etl.identity_checks import ReportFigures, plain
from etl.rules import TOTAL

# Kinds of classes that totals are known to leave out together.
_KINDS = ("notional", "over_collateralization", "prepayment_premium", "residual")
_KIND_NAMES = {
    "notional": "notional",
    "over_collateralization": "over-collateralization",
    "prepayment_premium": "prepayment premiums",
    "residual": "residual",
}
# How likely an accidental explanation may be.
_CHANCE = 0.01
_WITNESSES = 2
# Reports with more classes are only asked for whole kinds and single classes.
_MAX_CLASSES = 60
# Of sets that fit as well as the chosen one, so many are told.
_OTHERS_TOLD = 3
# Reports that are looked at more closely at a time, to bound memory.
_CHUNK = 20
_CELL = ["check", "document", "column"]


def check_totals(figures: ReportFigures, totals: Sequence[Total]) -> pl.DataFrame:
    """The outcome of each printed total: the columns of `outcomes.SCHEMA`."""
    cells = _cells(figures, totals)
    rows, printed = cells.filter("is_added"), _printed(cells)
    compared = _summed(rows, printed)
    found = [
        _left_out_of(rows, compared, figures, number) for number, total in enumerate(totals) if total.may_leave_out
    ]
    both = _with_covered(compared, rows, printed, pl.concat([pl.DataFrame(schema=_SETS_OF_CHECKS), *found]))
    # Buckets and statuses are added up wherever a report prints their total too.
    over = pl.col("check").is_in([number for number, total in enumerate(totals) if total.over is not None])
    told = _told(_judged(both.filter(~over | pl.col("total").is_not_null())).rechunk())
    broken = pl.col("check").is_in([number for number, total in enumerate(totals) if total.may_leave_out])
    alone = _without_rows(printed.filter(~over), compared, broken)
    checks = pl.concat([told, alone], how="diagonal").sort("check", maintain_order=True)
    names = pl.Series([total.name for total in totals], dtype=pl.String)
    return checks.with_columns(check=pl.lit(names).gather(pl.col("check")))


def left_out(figures: ReportFigures, total: Total) -> pl.DataFrame:
    """`document`, `family` (behind the section of its classes) and `keys` of the rows that a printed total leaves out
    in the columns of a family; no row where it leaves out none."""
    if not total.may_leave_out:
        return pl.DataFrame(schema=_LEFT_OUT).select("document", "family", "keys")
    cells = _cells(figures, [total])
    rows = cells.filter("is_added")
    return _left_out(rows, _summed(rows, _printed(cells)), figures.kinds).select("document", "family", "keys")


# --- what is added up ---------------------------------------------------------------------------------------------


def _cells(figures: ReportFigures, totals: Sequence[Total]) -> pl.DataFrame:
    """The figures of each total, one total after the other: `check` (its number), `document`, `column` (what
    `identities.total_subjects` says of a cell), `family` (of classes, behind their section), `key`, `raw`, `value`,
    `error`, `line`, and whether it `is_added` up or `is_total`."""
    tables = dict.fromkeys(total.table for total in totals)
    by_table = {table: figures.first.filter(pl.col("table") == table).rechunk() for table in tables}
    if "delinquencies" in by_table:
        by_table["delinquencies"] = _with_parts(by_table["delinquencies"])
    return pl.concat(
        by_table[total.table]
        .filter(pl.col("field").is_in(total.columns))
        .select(
            "document",
            **(_of_loans(total.over) if total.table == "delinquencies" else _of_rows(total)),
            check=pl.lit(number, pl.UInt32),
            key="key",
            raw="raw",
            value="value",
            error="error",
            line="line",
        )
        for number, total in enumerate(totals)
    ).rechunk()  # joins of texts panic over empty chunks, see rejections


def _of_rows(total: Total) -> dict[str, pl.Expr]:
    families = {column: family for family, columns in total.families.items() for column in columns}
    family = pl.col("field").replace_strict(families)
    of_all = is_total(pl.col("key"))
    return {
        "column": pl.concat_str("section", "field", separator=" ", ignore_nulls=True),
        "family": pl.concat_str("section", family, separator=" ", ignore_nulls=True),
        "is_added": ~of_all,
        "is_total": of_all,
    }


def _with_parts(loans: pl.DataFrame) -> pl.DataFrame:
    """Figures of loans with the `group`, `status` and `bucket` of their keys, and what stands behind the group
    (`rest`). Of many thousand cells a few dozen keys are taken apart."""
    key = pl.col("key")
    parts = {name: key.str.extract(LOANS, part) for part, name in enumerate(("group", "status", "bucket"), 1)}
    keys = loans.select(key.unique()).with_columns(**parts, rest=key.str.extract(LOANS_OF_A_GROUP))
    return loans.join(keys, on="key", how="left", maintain_order="left").rechunk()


def _of_loans(over: str | None) -> dict[str, pl.Expr]:
    if over is None:
        of_all = pl.col("key").str.starts_with(f"{TOTAL} ")
        column = pl.format("{} {}", "rest", "field")
        return {"column": column, "family": pl.lit(""), "is_added": ~of_all, "is_total": of_all}
    by_bucket = over == "buckets"
    common = ("group", "status", "field") if by_bucket else ("group", "bucket", "field")
    return {
        "column": pl.concat_str(common, separator=" ", ignore_nulls=True),
        "family": pl.lit(""),
        "is_added": pl.col("bucket").is_not_null() if by_bucket else pl.col("status").is_in(ADDED_STATUSES),
        "is_total": pl.col("bucket").is_null() if by_bucket else pl.col("status") == "total",
    }


def _printed(cells: pl.DataFrame) -> pl.DataFrame:
    return cells.filter("is_total").select(*_CELL, "raw", "line", total="value", total_error="error")


def _left_out_of(rows: pl.DataFrame, compared: pl.DataFrame, figures: ReportFigures, number: int) -> pl.DataFrame:
    """What the totals of one check leave out."""
    own = pl.col("check") == number
    sets = _left_out(rows.filter(own), compared.filter(own), figures.kinds)
    return sets.with_columns(check=pl.lit(number, pl.UInt32)).select(_SETS_OF_CHECKS.names())


def _with_covered(
    compared: pl.DataFrame, rows: pl.DataFrame, printed: pl.DataFrame, sets: pl.DataFrame
) -> pl.DataFrame:
    """`compared` with the `label` of what a total leaves out, and how far the rows that it covers are from it."""
    if sets.is_empty():
        nothing = pl.lit(None, pl.String)
        return compared.with_columns(label=nothing, gap_covered="gap", tolerance_covered="tolerance")
    family = ["check", "document", "family"]
    omitted = sets.explode("keys").rename({"keys": "key"})
    concerned = rows.join(sets, on=family, how="semi", maintain_order="left")
    covered = _summed(concerned.join(omitted, on=[*family, "key"], how="anti", maintain_order="left"), printed)
    both = compared.join(
        covered.select(*_CELL, "gap", "tolerance"), on=_CELL, how="left", suffix="_covered", maintain_order="left"
    ).join(sets.drop("keys"), on=family, how="left", maintain_order="left")
    whole = pl.col("label").is_null()
    return both.with_columns(
        gap_covered=pl.when(whole).then("gap").otherwise("gap_covered"),
        tolerance_covered=pl.when(whole).then("tolerance").otherwise("tolerance_covered"),
    )


def _judged(compared: pl.DataFrame) -> pl.DataFrame:
    """The outcome of each column, from the sum of all its rows and the sum of those that its total covers."""
    plainly, covered = _outcome("gap", "tolerance"), _outcome("gap_covered", "tolerance_covered")
    explained = (plainly == "fail") & pl.col("label").is_not_null() & (covered != "fail")
    found = compared.with_columns(
        outcome=pl.when(explained.fill_null(value=False))
        .then(pl.lit("explained"))
        .otherwise(plainly.fill_null("not_applicable")),
        omitted=pl.col("gap") - pl.col("gap_covered").fill_null(pl.col("gap")),
        tolerance=pl.when(pl.col("label").is_not_null()).then("tolerance_covered").otherwise("tolerance"),
    )
    # A break is measured against the rows that the total covers, an explained difference against all.
    broken = pl.col("outcome") == "fail"
    expected = pl.when(broken).then(pl.col("sum") - pl.col("omitted")).otherwise("sum")
    return found.with_columns(expected=pl.when(pl.col("total").is_not_null()).then(expected))


def _told(judged: pl.DataFrame) -> pl.DataFrame:
    """The columns of `outcomes.SCHEMA`; where it is to be told, what was added up and left out in words."""
    rows = judged.with_row_index("row")
    told = rows.filter(pl.col("outcome").is_in(["rounding", "explained", "fail"])).rechunk()
    told = told.lazy().select("row", **_words()).collect()  # which computes once what the texts have in common
    outcome = pl.col("outcome")
    nothing = pl.when(outcome == "not_applicable").then(pl.lit("no total is printed"))
    return rows.join(told, on="row", how="left", maintain_order="left").select(
        "document",
        "check",
        subject="column",
        outcome="outcome",
        expected="expected",
        actual="total",
        difference=pl.col("total") - pl.col("expected"),
        tolerance=pl.when(pl.col("total").is_not_null()).then("tolerance"),
        explanation=pl.coalesce("explanation", nothing),
        lines="lines",
    )


def _words() -> dict[str, pl.Expr]:
    """What was added up and what was left out, and in which lines that stands."""
    outcome = pl.col("outcome")
    known = pl.col("label").is_not_null() & (outcome == "fail")
    without = pl.when(known).then(pl.format(" without {}, as in other totals,", "label")).otherwise(pl.lit(""))
    added = plain(pl.col("expected"))
    lines = pl.when(pl.col("first") == pl.col("last")).then(pl.format("line {}", "first"))
    where = lines.otherwise(pl.format("lines {} to {}", "first", "last"))
    rows_text = pl.format("rows in {}{} add up to {}, printed: {} (line {})", where, without, added, "raw", "line")
    left_out = pl.format("the total leaves out {}, together {}; {}", "label", plain(pl.col("omitted")), rows_text)
    return {
        "explanation": pl.when(outcome == "explained").then(left_out).otherwise(rows_text),
        "lines": pl.concat_list("first", "last", "line").list.unique(maintain_order=True),
    }


def _without_rows(printed: pl.DataFrame, compared: pl.DataFrame, must_have_rows: pl.Expr) -> pl.DataFrame:
    """Totals of columns in which no row has a figure. Of classes they break where they are not zero and the table has
    rows; figures of loans may be printed for the whole deal alone."""
    alone = printed.join(compared, on=_CELL, how="anti", maintain_order="left").join(
        compared.select("check", "document", has_rows=pl.lit(value=True)).unique(),
        on=["check", "document"],
        how="left",
        maintain_order="left",
    )
    broken = pl.col("has_rows").is_not_null() & (pl.col("total") != 0) & must_have_rows
    return alone.rechunk().select(
        "document",
        "check",
        subject="column",
        outcome=pl.when(broken).then(pl.lit("fail")).otherwise(pl.lit("not_applicable")),
        expected=pl.when(broken).then(pl.lit(0).cast(VALUE)),
        actual=pl.when(broken).then("total"),
        difference=pl.when(broken).then("total"),
        tolerance=pl.when(broken).then("total_error"),
        explanation=pl.format("no row has a figure, printed: {} (line {})", "raw", "line"),
        lines=pl.when(broken).then(pl.concat_list("line")),
    )


def _summed(rows: pl.DataFrame, printed: pl.DataFrame) -> pl.DataFrame:
    """The sum of the rows of each column beside its printed total, how far they are apart, and the tolerance."""
    sums = rows.group_by(_CELL, maintain_order=True).agg(
        family=pl.col("family").first(),
        sum=pl.col("value").sum(),
        errors=pl.col("error").sum(),
        largest=pl.col("error").max(),
        uncertain=(pl.col("error") > 0).sum().cast(pl.Int32),
        first=pl.col("line").min(),
        last=pl.col("line").max(),
    )
    both = sums.join(printed, on=_CELL, how="left", maintain_order="left")
    uncertain = pl.col("uncertain") + (pl.col("total_error") > 0).cast(pl.Int32)
    largest = pl.max_horizontal("largest", "total_error")
    tolerance = tolerance_of(uncertain, pl.col("errors") + pl.col("total_error"), largest)
    return both.with_columns(gap=pl.col("sum") - pl.col("total"), tolerance=tolerance)


def _outcome(gap: str, tolerance: str) -> pl.Expr:
    return outcome(pl.col(gap).abs(), pl.lit(0).cast(VALUE), pl.col(tolerance))


# --- rows that a total leaves out --------------------------------------------------------------------------------

_LEFT_OUT = pl.Schema(
    {"document": pl.UInt32(), "family": pl.String(), "label": pl.String(), "keys": pl.List(pl.String())}
)
_SETS_OF_CHECKS = pl.Schema({"check": pl.UInt32(), **_LEFT_OUT})


def _left_out(rows: pl.DataFrame, compared: pl.DataFrame, kinds: pl.DataFrame) -> pl.DataFrame:
    """`document`, `family`, `label` and `keys` of the rows that the totals of a family leave out.

    Below, a family of a document is known by its number `of`, a column by `at`, and a row of a family by `member`.
    """
    family = ["document", "family"]
    is_open = pl.col("gap").abs() > pl.col("tolerance")
    families = compared.filter(is_open).select(family).unique(maintain_order=True).with_row_index("of")
    if families.is_empty():
        return pl.DataFrame(schema=_LEFT_OUT)
    columns = compared.join(families, on=family, how="inner", maintain_order="left").with_row_index("at")
    numbers = columns.select("document", "column", "of", "at")
    cells = rows.join(numbers, on=["document", "column"], how="inner", maintain_order="left")
    cells = cells.join(kinds, on=["document", "key"], how="left", maintain_order="left")
    members = cells.select("of", "key", "document", "kind").unique(["of", "key"], keep="first", maintain_order=True)
    members = members.with_row_index("member").rechunk()
    cells = cells.join(members.select("of", "key", "member"), on=["of", "key"], how="left", maintain_order="left")
    cells = cells.select("member", "at", "value", "error")
    columns = columns.select("of", "at", "gap", "tolerance", "total", "total_error", "errors", "largest", "uncertain")
    sets = _best(columns, cells, members, [_kind_sets(members), _single_sets(members)])
    # Sets that do not fit all columns may be a part of what is left out.
    missed = families.join(sets.filter("fits_all"), on="of", how="anti", maintain_order="left")
    if not missed.is_empty():
        larger = _larger(columns, cells, members, missed)
        sets = pl.concat([sets.join(larger, on="of", how="anti", maintain_order="left"), larger])
    named = sets.join(families, on="of", how="left", maintain_order="left").with_columns(keys=_keys(sets, members))
    return _confirmed(named).select(*family, "label", "keys")


def _larger(columns: pl.DataFrame, cells: pl.DataFrame, members: pl.DataFrame, missed: pl.DataFrame) -> pl.DataFrame:
    """What `_best` finds where kinds and one class, or two classes, are tried too."""
    small = members.group_by("document").agg(classes=pl.col("key").n_unique()).filter(pl.col("classes") <= _MAX_CLASSES)
    missed = missed.join(small, on="document", how="semi", maintain_order="left")
    documents = missed["document"].unique(maintain_order=True)
    found = [pl.DataFrame(schema=_FOUND)]
    for begin in range(0, documents.len(), _CHUNK):
        here = missed.filter(pl.col("document").is_in(documents[begin : begin + _CHUNK].implode()))
        some, theirs = (part.filter(pl.col("of").is_in(here["of"].implode())) for part in (members, columns))
        wanted = [_kind_sets(some), _single_sets(some), _kinds_and_one(some), _pairs(some)]
        found.append(_best(theirs, cells, some, wanted))
    return pl.concat(found)


def _keys(sets: pl.DataFrame, members: pl.DataFrame) -> pl.Series:
    """The keys of the members of each set, in their order."""
    exploded = sets.select("members").with_row_index("set").explode("members")
    keys = exploded.with_columns(keys=members["key"].gather(exploded["members"]))
    return keys.group_by("set", maintain_order=True).agg(pl.col("keys").sort())["keys"]


def _confirmed(sets: pl.DataFrame) -> pl.DataFrame:
    """The sets that two columns of their family ask for, whole kinds, and those that leave out what such sets do.

    A single column alone is no proof that single classes are left out. Of whole kinds it is taken for one, though a
    figure that is wrongly there, where the kind has none, would be left out as well.
    """
    firm = (pl.col("witnesses") >= _WITNESSES) | (pl.col("rank") <= len(_KINDS))
    if sets.filter(~firm).is_empty():
        return sets
    proven = sets.filter(firm).explode("keys").group_by("document").agg(proven=pl.col("keys").unique())
    both = sets.join(proven, on="document", how="left", maintain_order="left")
    known = pl.col("keys").list.set_difference(pl.col("proven").fill_null([])).list.len() == 0
    return both.filter(firm | known).drop("proven")


def _best(
    columns: pl.DataFrame, cells: pl.DataFrame, members: pl.DataFrame, sets: Sequence[pl.DataFrame]
) -> pl.DataFrame:
    """`of`, `label` and `members` of the set that a family leaves out, where that is no accident, its `rank`, how many
    columns need it (`witnesses`), and whether all columns of the family agree (`fits_all`).

    A set is a row of `sets`: `of` (which family), `rank` (the plainer the lower), `label`, `members`.
    """
    tried = pl.concat(sets).unique(["of", "members"], keep="first", maintain_order=True).with_row_index("set")
    fitted = _fitted(columns, cells, tried)
    ranked = _ranked_by_fit(fitted)
    ranked = ranked.join(_frail(ranked, tried, cells, members, fitted), on="set", how="anti", maintain_order="left")
    first = pl.struct("agreeing", "rank").first().over("of")
    alike = ranked.filter(pl.struct("agreeing", "rank") == first).group_by("of", maintain_order=True)
    chosen = alike.agg(
        pl.col("set", "rank", "witnesses", "surprising", "label", "fits_all").first(),
        others=pl.col("label").slice(1, _OTHERS_TOLD),
    )
    chosen = chosen.filter((pl.col("witnesses") >= _WITNESSES) | pl.col("surprising")).rechunk()
    others = pl.format("{}, where {} would fit as well", "label", pl.col("others").list.join(" or "))
    label = pl.when(pl.col("others").list.len() > 0).then(others).otherwise("label")
    with_members = chosen.join(tried.select("set", "members"), on="set", how="left", maintain_order="left")
    return with_members.select("of", label, "members", pl.col("witnesses").cast(pl.UInt32), "rank", "fits_all")


def _fitted(columns: pl.DataFrame, cells: pl.DataFrame, tried: pl.DataFrame) -> pl.DataFrame:
    """Each set with each column of its family: what it would leave out, whether the column needs to leave out
    something, whether this set fits, how many columns it fits (`agreeing`), and how many sets were tried.

    `tolerance` is that of the rows which the total then covers: what it leaves out brings no error into it.
    """
    sums = (
        tried.select("set", member="members")
        .explode("member")
        .join(cells, on="member", how="inner")
        .group_by("set", "at")
        .agg(
            omitted=pl.col("value").sum(),
            omitted_errors=pl.col("error").sum(),
            omitted_uncertain=(pl.col("error") > 0).sum().cast(pl.Int32),
        )
    )
    both = tried.drop("members").join(columns, on="of", how="inner", maintain_order="left")
    both = both.join(sums, on=["set", "at"], how="left", maintain_order="left")
    needed = pl.col("gap").abs() > pl.col("tolerance")
    errors = pl.col("errors") - pl.col("omitted_errors")
    uncertain = pl.col("uncertain") - pl.col("omitted_uncertain") + (pl.col("total_error") > 0).cast(pl.Int32)
    largest = pl.max_horizontal("total_error", pl.min_horizontal("largest", errors))
    fits = (pl.col("gap") - pl.col("omitted")).abs() <= pl.col("tolerance")
    # A total of nothing leaves out whatever there is, so it says nothing.
    return (
        both.with_columns(
            pl.col("omitted", "omitted_errors", "omitted_uncertain").fill_null(0),
            tries=pl.col("set").n_unique().over("of"),
            needed=needed,
        )
        .with_columns(tolerance=tolerance_of(uncertain, errors + pl.col("total_error"), largest))
        .with_columns(fits=fits & ~(pl.col("needed") & (pl.col("total") == 0)))
        .with_columns(agreeing=pl.col("fits").sum().over("set"))
    )


def _ranked_by_fit(fitted: pl.DataFrame) -> pl.DataFrame:
    """The sets that some column needs and that no fewer columns agree with than with leaving out nothing; for each
    family the best first."""
    left_over = (pl.col("gap") - pl.col("omitted")).abs().cast(pl.Float64)
    asking = fitted.filter("fits", "needed").with_columns(surprising=_surprising())
    witnesses = asking.group_by("set").agg(pl.col("surprising").any(), witnesses=pl.len())
    asked_for = fitted.join(witnesses, on="set", how="inner", maintain_order="left")
    counted = asked_for.group_by("set", maintain_order=True).agg(
        pl.col("of", "rank", "label", "witnesses", "surprising", "agreeing").first(),
        plain=(~pl.col("needed")).sum(),
        fits_all=pl.col("fits").all(),
        left_over=left_over.filter(pl.col("fits")).sum(),
    )
    order = ["of", "agreeing", "rank", "left_over", "set"]
    usable = counted.filter(pl.col("agreeing") >= pl.col("plain"))
    return usable.sort(order, descending=[name == "agreeing" for name in order])


def _surprising() -> pl.Expr:
    """Whether it is no accident that `omitted` is the gap of one column: a wrong total hardly falls on it."""
    window = (pl.col("tolerance") * 2).cast(pl.Float64) + 1
    chance = pl.col("tries") * window / pl.col("omitted").abs().cast(pl.Float64)
    digits = pl.col("omitted").abs().cast(pl.String).str.replace_all("[.0]", "")
    # Original balances are round; those of a kind that has run off are left out where its other balances are nothing.
    run_off = (pl.col("rank") <= len(_KINDS)) & (pl.col("agreeing") > _WITNESSES)
    return (chance < _CHANCE) & ((digits.str.len_bytes() > 1) | run_off)


def _frail(
    ranked: pl.DataFrame, tried: pl.DataFrame, cells: pl.DataFrame, members: pl.DataFrame, fitted: pl.DataFrame
) -> pl.DataFrame:
    """`set` of those with a part that a single column asks for, by a figure that may be an accident.

    That a single column leaves out an ordinary class is always taken for one: totals are there to cover those.
    """
    of_kinds = members.select("member", "key", "kind", of_kind=pl.len().over("of", "kind"))
    held = tried.join(ranked.select("set"), on="set", how="semi", maintain_order="left")
    held = held.select("set", member="members").explode("member")
    held = held.join(of_kinds, on="member", how="inner", maintain_order="left")
    known = pl.col("kind").is_in(_KINDS).fill_null(value=False)
    whole_kind = known & (pl.len().over("set", "kind") == pl.col("of_kind"))
    asking = (
        held.select("set", "member", part=pl.when(whole_kind).then("kind").otherwise("key"), ordinary=~known)
        .join(cells, on="member", how="inner", maintain_order="left")
        .group_by("set", "part", "at", maintain_order=True)
        .agg(pl.col("ordinary").any(), omitted=pl.col("value").sum())
        .filter(pl.col("omitted") != 0)
        .join(fitted.filter("fits", "needed").drop("omitted"), on=["set", "at"], how="inner", maintain_order="left")
    )
    accident = asking.with_columns(no_accident=_surprising() & ~pl.col("ordinary"))
    support = accident.group_by("set", "part").agg(pl.col("no_accident").any(), columns=pl.len())
    return support.filter((pl.col("columns") < _WITNESSES) & ~pl.col("no_accident")).select("set").unique()


def _kind_sets(members: pl.DataFrame) -> pl.DataFrame:
    """All classes of one kind, of two, ..."""
    there = members.filter(pl.col("kind").is_in(_KINDS))
    if there.is_empty():
        return pl.DataFrame(schema=_SETS)
    kinds = there.group_by("of", "kind", maintain_order=True).agg(names=pl.col("key").str.join(", "), members="member")
    name = pl.format("{} ({})", "names", pl.col("kind").replace_strict(_KIND_NAMES))
    kinds = kinds.rechunk().select("of", "kind", "members", name=name)
    sets = _kinds_together().join(kinds, on="kind", how="inner", maintain_order="left_right")
    whole = sets.group_by("of", "together", maintain_order=True).agg(
        pl.col("rank").first(),
        label=pl.col("name").str.join(" and "),
        members=pl.col("members").explode(),
        kinds=pl.len(),
    )
    whole = whole.filter(pl.col("kinds") == pl.col("rank")).with_columns(pl.col("members").list.sort())
    return whole.select(_SETS.names())


@cache
def _kinds_together() -> pl.DataFrame:
    """Each choice of kinds (`together`), those of one kind first: a row for each `kind` of it; `rank`: how many."""
    chosen = [kinds for count in range(1, len(_KINDS) + 1) for kinds in combinations(_KINDS, count)]
    rows = [(number, len(kinds), kind) for number, kinds in enumerate(chosen) for kind in kinds]
    return pl.DataFrame(rows, {"together": pl.UInt32, "rank": pl.Int32, "kind": pl.String}, orient="row")


_SETS = pl.Schema(
    {
        "of": pl.UInt32(),
        "rank": pl.Int32(),
        "label": pl.String(),
        "members": pl.List(pl.UInt32()),
    }
)
_FOUND = pl.Schema(
    {
        "of": pl.UInt32(),
        "label": pl.String(),
        "members": pl.List(pl.UInt32()),
        "witnesses": pl.UInt32(),
        "rank": pl.Int32(),
        "fits_all": pl.Boolean(),
    }
)
_SINGLE, _KINDS_AND_ONE, _PAIR = len(_KINDS) + 1, len(_KINDS) + 2, len(_KINDS) + 3


def _ranked(sets: pl.DataFrame, rank: int) -> pl.DataFrame:
    return sets.select("of", rank=pl.lit(rank, pl.Int32), label="label", members="members")


def _single_sets(members: pl.DataFrame) -> pl.DataFrame:
    """Each class by itself."""
    kind = pl.col("kind").replace_strict(_KIND_NAMES, default=None, return_dtype=pl.String)
    label = pl.when(kind.is_not_null()).then(pl.format("{} ({})", "key", kind)).otherwise("key")
    return _ranked(members.select("of", label=label, members=pl.concat_list("member")), _SINGLE)


def _kinds_and_one(members: pl.DataFrame) -> pl.DataFrame:
    """All classes of some kinds, and one class more."""
    return _ranked(_joined(_kind_sets(members), _single_sets(members)), _KINDS_AND_ONE)


def _pairs(members: pl.DataFrame) -> pl.DataFrame:
    """Each two classes."""
    singles = _single_sets(members)
    return _ranked(_joined(singles, singles), _PAIR)


def _joined(left: pl.DataFrame, right: pl.DataFrame) -> pl.DataFrame:
    """Each set of `left` with each of `right` that has other classes."""
    both = left.join(right, on="of", how="inner", suffix="_more", maintain_order="left_right")
    apart = both.filter(pl.col("members").list.set_intersection("members_more").list.len() == 0)
    return apart.rechunk().select(
        "of",
        label=pl.format("{} and {}", "label", "label_more"),
        members=pl.concat_list("members", "members_more").list.sort(),
    )
