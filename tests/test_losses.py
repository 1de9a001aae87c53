"""Losses that certificates or the over-collateralization bear, in place of excess cash flow."""

from __future__ import annotations

from dataclasses import replace

from .kit import Report, absc_2003_he2, render
from .reading import Outcome, read_text

REPORT = absc_2003_he2.report()
# Pool principal 25,266,944, increase of the over-collateralization 1,023,926, losses 18,051.
WITHOUT_THE_LOSSES = "26,290,870"


def with_class(report: Report, class_id: str, **printed: str) -> Report:
    return replace(
        report,
        classes=tuple(replace(row, **printed) if row.class_id == class_id else row for row in report.classes),
    )


def read(report: Report) -> Outcome:
    outcome = read_text(render(report))
    assert outcome.reject is None
    return outcome


def test_excess_cash_flow_covers_the_losses() -> None:
    assert read(REPORT).check("certificate_principal", "report")[0] == "rounding"


def test_a_class_that_bears_the_losses_is_not_paid_them() -> None:
    report = with_class(REPORT, "Total", principal_distribution=WITHOUT_THE_LOSSES, realized_loss="18,051.00")
    assert read(report).check("certificate_principal", "report")[0] == "pass"


def test_over_collateralization_that_bears_the_losses_is_explained() -> None:
    report = with_class(REPORT, "Total", principal_distribution=WITHOUT_THE_LOSSES)
    outcome, explanation = read(report).check("certificate_principal", "report")
    assert outcome == "explained"
    assert explanation is not None
    assert explanation.startswith("the over-collateralization bears the losses of the period, which gives 26,290,870; ")


def test_the_class_of_the_over_collateralization_falls_by_the_losses() -> None:
    report = with_class(REPORT, "X", ending_balance="14,326,286")  # 13,320,411 + 1,023,926 - 18,051
    outcome, explanation = read(report).check("oc_class_roll_forward", "X")
    assert (outcome, (explanation or "").partition(",")[0]) == ("explained", "it bears the losses of the period")


def test_losses_that_nobody_bears_are_a_break() -> None:
    report = with_class(REPORT, "Total", principal_distribution="26,280,870")
    assert read(report).check("certificate_principal", "report")[0] == "fail"
