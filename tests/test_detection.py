"""How many wrong figures the checks notice does not fall below a floor; and the measure itself can be trusted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import zip_longest

import polars as pl
import pytest

from benchmarks import detection, neighbours
from benchmarks.detection import DOLLARS, Original, mutations, originals, rate, readings, verdicts
from benchmarks.mutations import (
    ANY_DIGIT,
    DIGITS,
    DROPPED_ROW,
    EXCHANGED_CELLS,
    SHIFTED_COLUMN,
    STRUCTURAL,
    SWAPPED_ROWS,
    Cell,
    Mutation,
    cells,
)
from benchmarks.page import BEGIN, END
from etl.batch import Batch, read_safely
from etl.documents import Document, Reject
from etl.layout import Layout
from etl.month_checks import Reports, check_months

GENERATED = 2
# Of so many reports, the cells alone that checks between distributions compare.
GENERATED_IN_LAKES = 8


@pytest.fixture(scope="module")
def reports(layouts: tuple[Layout, ...]) -> list[Original]:
    return originals(GENERATED, layouts)


@pytest.fixture(scope="module")
def found(reports: list[Original], layouts: tuple[Layout, ...]) -> pl.DataFrame:
    """The verdict on each mutation of all reports."""
    pairs = ((report, mutation) for report in reports for mutation in mutations(report, [ANY_DIGIT]))
    return verdicts(pairs, layouts).filter("changed")


# --- the floor --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("real", [True, False], ids=["real", "generated"])
def test_a_wrong_digit_in_dollars_is_noticed(found: pl.DataFrame, real: bool) -> None:  # noqa: FBT001
    dollars = found.filter(DOLLARS & (pl.col("kind") == ANY_DIGIT) & (pl.col("real") == real))
    assert rate(dollars) >= 0.95, _missed(dollars)


@pytest.mark.parametrize("kind", STRUCTURAL)
def test_every_wrong_row_and_column_is_noticed(found: pl.DataFrame, kind: str) -> None:
    assert _missed(found.filter(kind=kind)) == []


def test_hardly_a_wrong_digit_is_explained(found: pl.DataFrame) -> None:
    assert rate(found.filter(kind=ANY_DIGIT), "explained") < 0.01


def test_hardly_a_wrong_digit_is_taken_up_by_an_explanation(found: pl.DataFrame) -> None:
    assert rate(found.filter(kind=ANY_DIGIT), "taken_up") < 0.01


def test_hardly_a_wrong_figure_has_an_excuse_and_nothing_else(found: pl.DataFrame) -> None:
    alone = found.select(alone=pl.col("explained") & ~pl.col("noticed"))
    assert rate(alone, "alone") < 0.01


def _missed(found: pl.DataFrame, outcome: str = "noticed") -> list[str]:
    missed = found.filter(~pl.col(outcome)).select("report", "what")
    return [f"{report}: {what}" for report, what in missed.iter_rows()]


# --- with the months before and after ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def in_lakes(found: pl.DataFrame, layouts: tuple[Layout, ...]) -> pl.DataFrame:
    """The verdict on each wrong digit that a check between distributions could notice, and on one that none could.

    Of the reports of which `found` tells, it tells the same.
    """
    fields = ("original_balance", "beginning_balance", "cusip", "realized_losses_cumulative", "servicing_fee")
    known = found["report"].unique()
    pairs = [
        (report, mutation)
        for report in originals(GENERATED_IN_LAKES, layouts)
        if report.name not in known
        for mutation in _of_kind(report, ANY_DIGIT)
        if mutation.cell.field in fields
    ]
    of_known = found.filter(pl.col("field").is_in(fields), kind=ANY_DIGIT)
    return pl.concat([of_known, verdicts(pairs, layouts).filter("changed")])


# The sample has no month before it, so nothing more is known of what it begins with.
@pytest.mark.parametrize(
    ("field", "real", "floor"),
    [
        ("original_balance", True, 1),
        ("original_balance", False, 0.99),
        ("beginning_balance", False, 0.99),
        ("cusip", True, 1),
        ("cusip", False, 0.99),
        ("realized_losses_cumulative", True, 1),
        ("realized_losses_cumulative", False, 1),
    ],
)
def test_a_wrong_digit_is_noticed_between_the_months(
    in_lakes: pl.DataFrame,
    field: str,
    real: bool,  # noqa: FBT001
    floor: float,
) -> None:
    here = in_lakes.filter(field=field, real=real)
    for table in here["table"].unique():
        of_table = here.filter(table=table)
        assert rate(of_table, "with_neighbours") >= floor, _missed(of_table, "with_neighbours")


@pytest.mark.parametrize(("field", "real"), [("beginning_balance", True), ("servicing_fee", False)])
def test_what_no_month_before_tells_is_noticed_no_more(in_lakes: pl.DataFrame, field: str, real: bool) -> None:  # noqa: FBT001
    here = in_lakes.filter(field=field, real=real)
    assert here.height >= GENERATED_IN_LAKES
    assert here["with_neighbours"].equals(here["noticed"])
    assert rate(here) < 1


def test_months_without_a_mistake_break_no_check(reports: list[Original]) -> None:
    """Each deal keeps to itself, though all copies are of the same report."""
    for report in reports:
        months = report.months_with(report.reading)
        assert len(months) == (2 if report.real else 3)
        assert report.failures == frozenset()
        assert neighbours.failures([months, months, months]) == [frozenset()] * 3
    assert neighbours.failures([]) == []


def test_a_failure_is_told_of_its_own_deal_and_month(reports: list[Original]) -> None:
    report = reports[1]
    months = report.months_with(report.reading)
    same_twice = [months[0], months[0], months[2]]
    sound, broken = neighbours.failures([months, same_twice])
    assert sound == frozenset()
    assert {(1, "one_report_a_distribution", "report"), (2, "no_month_missing", "report")} < broken


def test_other_kinds_are_not_measured_between_the_months(found: pl.DataFrame) -> None:
    measured = found.group_by(pl.col("kind") == ANY_DIGIT).agg(known=pl.col("with_neighbours").is_not_null().mean())
    assert dict(measured.iter_rows()) == {True: 1, False: 0}


# --- mutations --------------------------------------------------------------------------------------------


def _of_kind(report: Original, *kinds: str) -> list[Mutation]:
    return [mutation for mutation in mutations(report) if mutation.kind in kinds]


def test_the_draws_are_the_same_each_time(reports: list[Original]) -> None:
    for report in reports:
        assert [*mutations(report)] == [*mutations(report)]


def test_each_cell_with_digits_is_changed(reports: list[Original]) -> None:
    """All but the zero that stands for the CUSIP of a total."""
    for report in reports:
        changeable = [
            cell for cell in report.figures if cell.has_digits and (cell.field, cell.raw) != ("cusip", "0.00")
        ]
        for kind in DIGITS:
            assert [mutation.cell for mutation in _of_kind(report, kind)] == changeable


def test_one_digit_of_the_text_is_changed(reports: list[Original]) -> None:
    for report in reports:
        lines = report.text.split("\n")
        for mutation in _of_kind(report, *DIGITS):
            changed = [pair for pair in zip_longest(lines, mutation.text.split("\n")) if pair[0] != pair[1]]
            ((before, after),) = changed
            assert len(before) == len(after)
            ((old, new),) = [pair for pair in zip(before, after, strict=True) if pair[0] != pair[1]]
            assert old in "0123456789"
            assert new in "0123456789"


def test_one_cell_is_read_otherwise(reports: list[Original], layouts: tuple[Layout, ...]) -> None:
    for report in reports:
        for mutation, figures in _read(_of_kind(report, *DIGITS)[::11], layouts):
            changed = [pair for pair in zip_longest(report.figures, figures) if pair[0] != pair[1]]
            assert [before for before, _ in changed] == [mutation.cell], mutation.what


def test_rows_change_places_or_are_lost(reports: list[Original]) -> None:
    for report in reports:
        lines = report.text.split("\n")
        for mutation in _of_kind(report, SWAPPED_ROWS):
            after = mutation.text.split("\n")
            (first, second) = [number for number, line in enumerate(lines) if line != after[number]]
            assert (after[first], after[second]) == (lines[second], lines[first])
        for mutation in _of_kind(report, DROPPED_ROW):
            line = mutation.cell.line
            assert mutation.text.split("\n") == lines[:line] + lines[line + 1 :]


def test_cells_change_places(reports: list[Original], layouts: tuple[Layout, ...]) -> None:
    for report in reports:
        for mutation, figures in _read(_of_kind(report, EXCHANGED_CELLS)[::3], layouts):
            pairs = zip(report.figures, figures, strict=True)
            left, right = [(before.raw, after.raw) for before, after in pairs if before.raw != after.raw]
            assert left == right[::-1], mutation.what


def test_the_cells_of_a_column_move_down(reports: list[Original], layouts: tuple[Layout, ...]) -> None:
    for report in reports:
        for mutation, figures in _read(_of_kind(report, SHIFTED_COLUMN), layouts):
            before, other_before = _column(report.figures, mutation)
            after, other_after = _column(figures, mutation)
            assert after == [before[-1], *before[:-1]], mutation.what
            assert other_after == other_before, mutation.what


def _column(figures: Sequence[Cell], mutation: Mutation) -> tuple[list[str], list[str]]:
    """The cells of the column in which the mutation is, and all others."""
    place = (mutation.cell.block, mutation.cell.column)
    within = [cell.raw for cell in figures if (cell.block, cell.column) == place]
    return within, [cell.raw for cell in figures if (cell.block, cell.column) != place]


def _read(mutated: Sequence[Mutation], layouts: tuple[Layout, ...]) -> list[tuple[Mutation, list[Cell]]]:
    """The mutations whose texts are read, each with the figures that are read."""
    read = readings([mutation.text for mutation in mutated], layouts)
    found = [
        (mutation, cells(reading.tables["records"]))
        for mutation, reading in zip(mutated, read, strict=True)
        if reading.rejected is None
    ]
    assert found
    return found


# --- the measure can fail ---------------------------------------------------------------------------------


def test_without_checks_no_wrong_digit_is_noticed(
    reports: list[Original], layouts: tuple[Layout, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    def all_pass(documents: Sequence[Document], layouts: Sequence[Layout]) -> list[Batch]:
        passed = pl.lit("pass").alias("outcome")
        return [
            replace(batch, tables=batch.tables | {"checks": batch.tables["checks"].with_columns(passed)})
            for batch in read_safely(documents, layouts)
        ]

    monkeypatch.setattr(detection, "read_safely", all_pass)
    some = _of_kind(reports[0], ANY_DIGIT)[::3]
    blind = verdicts(((reports[0], mutation) for mutation in some), layouts)
    assert blind.height > 100
    assert blind["changed"].all()
    assert rate(blind) == 0


def test_without_checks_between_months_no_more_is_noticed(
    reports: list[Original], layouts: tuple[Layout, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    def all_pass(given: Reports) -> pl.DataFrame:
        return check_months(given).with_columns(outcome=pl.lit("pass"))

    report = reports[0]
    losses = [(report, one) for one in _of_kind(report, ANY_DIGIT) if one.cell.field == "realized_losses_cumulative"]
    others = [(report, one) for one in _of_kind(report, ANY_DIGIT) if one.cell.field == "original_balance"]
    seeing = verdicts(losses + others, layouts)
    assert rate(seeing, "with_neighbours") > rate(seeing)
    monkeypatch.setattr(neighbours, "check_months", all_pass)
    blind = verdicts(losses + others, layouts)
    assert blind["with_neighbours"].equals(blind["noticed"])
    assert blind["noticed"].equals(seeing["noticed"])


def test_a_failed_check_between_months_counts_only_if_it_is_new(
    reports: list[Original], layouts: tuple[Layout, ...]
) -> None:
    report = reports[1]
    wrong = next(one for one in _of_kind(report, ANY_DIGIT) if one.cell.field == "realized_losses_cumulative")
    (reading,) = readings([wrong.text], layouts)
    (failed,) = neighbours.failures([report.months_with(reading)])
    assert failed
    verdict = verdicts([(report, wrong), (replace(report, failures=failed), wrong)], layouts)
    assert verdict["noticed"].to_list() == [False, False]
    assert verdict["with_neighbours"].to_list() == [True, False]


def test_what_changes_no_table_is_no_mutation(reports: list[Original], layouts: tuple[Layout, ...]) -> None:
    report = reports[0]
    mutation = next(mutations(report))
    same = [replace(mutation, text=text) for text in (report.text, f"{report.text}\n")]
    verdict = verdicts([(report, mutation), *((report, other) for other in same)], layouts)
    assert verdict["changed"].to_list() == [True, False, False]


def test_a_failed_check_counts_only_if_it_is_new(reports: list[Original], layouts: tuple[Layout, ...]) -> None:
    """The same wrong text is noticed beside the right report, and not beside itself."""
    report = reports[0]
    lost = next(mutation for mutation in _of_kind(report, DROPPED_ROW) if mutation.cell.table == "measures")
    (reading,) = readings([lost.text], layouts)
    assert reading.failed
    verdict = verdicts([(report, lost), (replace(report, reading=reading), lost)], layouts)
    assert verdict["noticed"].to_list() == [True, False]


def test_a_text_that_breaks_the_program_is_not_noticed(
    reports: list[Original], layouts: tuple[Layout, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(documents: Sequence[Document], _layouts: Sequence[Layout]) -> list[Batch]:
        rejects = [
            Reject(one.source, one.sha256, one.size, "internal_error", "a defect of the program: x", "")
            for one in documents
        ]
        return [Batch(pl.DataFrame(), {}, rejects)]

    monkeypatch.setattr(detection, "read_safely", broken)
    with pytest.raises(ValueError, match="breaks the program: a defect of the program: x"):
        verdicts([(reports[0], next(mutations(reports[0])))], layouts)


def test_every_row_of_the_page_names_what_it_measures(reports: list[Original], found: pl.DataFrame) -> None:
    text = detection.page(reports, found)
    for kind in (*DIGITS, *STRUCTURAL):
        assert kind in text
    for name in (*detection.GROUPS, "classes `original_balance`", "measures `oc_excess`"):
        assert f"| {name} |" in text
    assert f"| real: {detection.AFTER} |" in text
    assert f"| generated: {detection.BEFORE_AND_AFTER} |" in text
    page = detection.PAGE.read_text(encoding="utf-8")
    assert "python -m benchmarks.detection --write" in page
    assert (page.count(BEGIN), page.count(END)) == (1, 1)
