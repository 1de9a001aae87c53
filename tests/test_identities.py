"""The declared checks: what the file may say, and which checks speak of a printed figure."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import polars as pl
import pytest

from etl import SchemaError
from etl.accrual_checks import check_accruals
from etl.cells import VALUE
from etl.figures import figures
from etl.formulas import Figure
from etl.identities import ANY_SUBJECT, REPORT, TOTAL_ROW, between_checks_on, catalogue, checks_on, read_catalogue
from etl.identity_checks import ReportFigures, check_identities
from etl.outcomes import shaped
from etl.total_checks import check_totals

from .kit import absc_2003_he2, make_deal, render, simulate
from .reading import Outcome, read_text

SCHEMAS = Path(__file__).parent.parent / "schemas"
KINDS = {"notional", "over_collateralization", "prepayment_premium", "residual", "senior", "subordinate", TOTAL_ROW}


def declared_names(table: str) -> set[str]:
    """The columns and terms that the schema of a table declares."""
    schema = tomllib.loads((SCHEMAS / f"{table}.toml").read_text())
    return {entry["name"] for part in ("column", "measure", "trigger") for entry in schema.get(part, [])}


# --- the packaged file -----------------------------------------------------------------------------------------


def test_every_check_has_a_name_of_its_own_and_says_where_it_comes_from() -> None:
    checks = catalogue().checks
    names = [check.name for check in checks]
    assert len(names) == len(set(names)) > 40
    assert all(re.fullmatch("[a-z][a-z0-9_]*", name) for name in names)
    assert all(check.statement.endswith(".") and check.reference for check in checks)


def test_every_figure_is_declared_by_its_table() -> None:
    declared = catalogue()
    used = [(check.table, figure) for check in declared.identities for one in check.formulas for figure in one.figures]
    used += [
        (check.table or "", figure) for check in declared.between if check.formula for figure in check.formula.figures
    ]
    used += [(total.table, Figure(None, None, column)) for total in declared.totals for column in total.columns]
    for accrual in declared.accruals:
        columns = (accrual.interest, accrual.balance, accrual.rate, accrual.shortfall)
        used += [(accrual.table, Figure(None, None, column)) for column in columns]
        used += [(accrual.table, accrual.other_balance)]
    for own, figure in used:
        assert figure.field in declared_names(figure.table or own), (own, figure)
    texts = {check.column for check in declared.check_digits}
    texts |= {column for check in declared.between for column in check.unchanged}
    assert texts == {"cusip", "isin"} <= declared_names("classes")


def test_every_kind_is_one_that_layouts_tell() -> None:
    kinds: set[str] = set()
    for identity in catalogue().identities:
        kinds |= {*identity.only_for, *identity.not_for}
        kinds |= {kind for other in identity.otherwise for kind in other.only_for}
        kinds |= {
            figure.kind
            for one in identity.formulas
            for figure in one.figures
            if figure.kind and figure.table == "classes"
        }
    assert kinds <= KINDS


def test_the_file_is_loaded_once() -> None:
    assert catalogue() is catalogue()


# --- wrong declarations ------------------------------------------------------------------------------------------

RIGHT = """
[[identity]]
name = "rolls"
table = "classes"
formula = "ending_balance = beginning_balance - principal_distribution"
statement = "It rolls."
reference = "Usage"
"""


def test_a_right_declaration_is_read() -> None:
    (identity,) = read_catalogue(RIGHT).identities
    assert (identity.name, identity.table, identity.statement, identity.reference) == (
        "rolls",
        "classes",
        "It rolls.",
        "Usage",
    )
    assert [figure.name for figure in identity.formula.figures] == [
        "ending_balance", "beginning_balance", "principal_distribution",
    ]  # fmt: skip
    assert read_catalogue("").checks == ()


TOTAL = """
[[total]]
name = "totals"
table = "pools"
statement = "They add up."
reference = "Usage"
"""
BETWEEN = """
[[between]]
name = "follows"
table = "classes"
statement = "It follows."
reference = "Usage"
"""


@pytest.mark.parametrize(
    ("text", "name", "problem"),
    [
        (RIGHT.replace("principal_distribution", "principle"), "rolls", "there is no figure 'principle'"),
        (RIGHT.replace("principal_distribution", "pools.principle"), "rolls", "there is no figure 'pools.principle'"),
        (RIGHT.replace("ending_balance =", "ending ="), "rolls", "there is no figure 'ending'"),
        (RIGHT.replace("- principal", "- - principal"), "rolls", "'-' was not expected there"),
        (RIGHT.replace(" = beginning_balance - principal_distribution", ""), "rolls", "has no =, <= or >="),
        (RIGHT.replace('"ending_balance =', '"2 * ending_balance ='), "rolls", "must be one printed figure"),
        (RIGHT.replace('"classes"', '"report"'), "rolls", "there is no figure 'ending_balance'"),
        (RIGHT + 'only_for = ["notionl"]\n', "rolls", "there is no kind of class 'notionl'"),
        (RIGHT.replace("formula", "formular"), "rolls", "'formula': declare it as its neighbours are"),
        (RIGHT + 'only_if = ["realised_loss = 0"]\n', "rolls", "there is no figure 'realised_loss'"),
        (RIGHT + 'only_if = ["realized_loss"]\n', "rolls", "has no =, <= or >="),
        (RIGHT + '[[identity.otherwise]]\nformula = "ending = 0"\nbecause = "so"\n', "rolls", "no figure 'ending'"),
        (RIGHT + '[[identity.otherwise]]\nformula = "ending_balance"\nbecause = "so"\n', "rolls", "has no =, <= or >="),
        (RIGHT + RIGHT, "rolls", "two checks are called 'rolls'"),
        (RIGHT + TOTAL.replace("totals", "rolls") + 'columns = ["prepayments"]\n', "rolls", "two checks are called"),
        (TOTAL + 'columns = ["prepayments", "premiums"]\n', "totals", "there is no figure 'premiums'"),
        (TOTAL + '[total.families]\nall = ["premiums"]\n', "totals", "there is no figure 'premiums'"),
        (BETWEEN + 'formula = "beginning_balance = previous.ending"\n', "follows", "no figure 'previous.ending'"),
        (BETWEEN + 'formula = "beginning_balance = previous."\n', "follows", "cannot be read"),
    ],
)  # fmt: skip
def test_a_wrong_declaration_is_refused_by_name(text: str, name: str, problem: str) -> None:
    with pytest.raises(SchemaError) as caught:
        read_catalogue(text)
    assert str(caught.value).startswith("identities.toml: ")
    assert name in str(caught.value)
    assert problem in str(caught.value)


# --- which checks speak of a figure ------------------------------------------------------------------------------


Row = tuple[str, str]
_SEEN = ("outcome", "expected", "actual", "difference", "tolerance")
# The rate of X is one on the pool: the check of its interest looks at the pool too, which no cell of the class says.
BESIDE = {("pools", "TOTAL", "beginning_balance"): {("interest_accrual", "X")}}


@dataclass(frozen=True)
class Changed:
    """A report, and as many copies of it as it has figures, in each of which another one is changed."""

    outcome: Outcome
    factor: str

    @cached_property
    def known(self) -> pl.DataFrame:
        records = self.outcome.tables["records"].with_columns(document=pl.lit(0, pl.UInt32))
        return figures(records).with_row_index("cell", offset=1)

    @cached_property
    def kinds(self) -> dict[str, str]:
        return dict(self.outcome.tables["classes"].select("class_key", "class_type").iter_rows())

    @cached_property
    def rows(self) -> dict[int, dict[Row, tuple[object, ...]]]:
        """By copy (0: the report itself), check and subject what comes out."""
        documents = pl.DataFrame({"document": range(self.known.height + 1)}, schema={"document": pl.UInt32})
        here = pl.col("cell") == pl.col("document")
        other = (pl.col("value") * pl.lit(self.factor).cast(VALUE)).round(2) + pl.col("half_unit") * 2 * 1234
        copies = documents.join(self.known.drop("document"), how="cross").with_columns(
            value=pl.when(here).then(other.cast(VALUE)).otherwise("value"),
            error=pl.when(here & (pl.col("value") == 0)).then("half_unit").otherwise("error"),
        )
        kinds = pl.DataFrame(list(self.kinds.items()), {"key": pl.String, "kind": pl.String}, orient="row")
        printed = ReportFigures(copies.drop("cell"), documents, documents.join(kinds, how="cross"))
        declared = catalogue()
        dates = documents.with_columns(distribution_date=pl.lit(self.outcome.date))
        checks = shaped(
            [
                check_identities(printed, declared.identities),
                check_accruals(printed, declared.accruals, dates),
                check_totals(printed, declared.totals),
            ]
        )
        found: dict[int, dict[Row, tuple[object, ...]]] = {number: {} for number in documents["document"]}
        for document, check, subject, *said in checks.select("document", "check", "subject", *_SEEN).iter_rows():
            found[document][check, subject] = tuple(said)
        return found

    def cells(self) -> Iterable[tuple[int, str, str, str]]:
        yield from self.known.select("cell", "table", "key", "field").iter_rows()

    def moved(self, cell: int) -> set[Row]:
        """Check and subject of all that come out otherwise where this figure is another one."""
        before, after = self.rows[0], self.rows[cell]
        return {row for row in before.keys() | after.keys() if before.get(row) != after.get(row)}

    def named(self, table: str, key: str, field: str) -> set[Row]:
        return set(checks_on(table, key, field, self.kinds.get(key) if table == "classes" else None))


REPORTS = ("sample", "deal 2", "deal 5")


@pytest.fixture(scope="module")
def changed() -> dict[str, list[Changed]]:
    """Copies of the sample report and of generated ones, in which figures grow and in which they shrink."""
    printed = {
        name: absc_2003_he2.report() if name == "sample" else simulate(make_deal(int(name[-1])), 1)[0]
        for name in REPORTS
    }
    outcomes = {name: read_text(render(report)) for name, report in printed.items()}
    assert [outcome.failed_checks() for outcome in outcomes.values()] == [[]] * len(REPORTS)
    return {name: [Changed(outcome, factor) for factor in ("1.37", "0.81")] for name, outcome in outcomes.items()}


def covers(named: set[Row], row: Row) -> bool:
    return row in named or (row[0], ANY_SUBJECT) in named


@pytest.mark.parametrize("name", REPORTS)
def test_a_figure_moves_no_check_but_those_that_are_named(changed: dict[str, list[Changed]], name: str) -> None:
    for copies in changed[name]:
        for cell, table, key, field in copies.cells():
            named = copies.named(table, key, field) | BESIDE.get((table, key, field), set())
            beyond = {row for row in copies.moved(cell) if not covers(named, row)}
            assert beyond == set(), (table, key, field)


def test_an_identity_is_named_for_no_column_that_never_moves_it(changed: dict[str, list[Changed]]) -> None:
    """A single figure may not move it: a share of nothing stays nothing. Nor does what another reading looks at,
    where the first one holds."""
    declared = catalogue().identities
    identities = {identity.name for identity in declared}
    other_readings = {
        (identity.name, figure.table or identity.table, figure.field)
        for identity in declared
        for other in identity.otherwise
        for figure in other.formula.figures
        if figure.field not in {one.field for one in identity.formula.figures}
    }
    named: set[tuple[str, str, str]] = set()
    moved: set[tuple[str, str, str]] = set()
    for copies in (copies for name in REPORTS for copies in changed[name]):
        applied = identities & {check for (check, _), said in copies.rows[0].items() if said[0] != "not_applicable"}
        for cell, table, key, field in copies.cells():
            named |= {(check, table, field) for check, _ in copies.named(table, key, field) if check in applied}
            moved |= {(check, table, field) for check, _ in copies.moved(cell)}
    assert len(named) > 70
    assert named - moved <= other_readings


def test_an_identifier_has_its_check_digit_and_nothing_else() -> None:
    assert checks_on("classes", "M-1", "cusip", "subordinate") == [("cusip_check_digit", "M-1")]
    assert checks_on("classes", "M-1", "isin", "subordinate") == [("isin_check_digit", "M-1")]


@pytest.mark.parametrize(
    ("cell", "kind", "named"),
    [
        (
            ("classes", "X", "ending_balance"),
            "over_collateralization",
            {("oc_class_roll_forward", "X"), ("oc_class_is_the_oc_amount", REPORT), ("credit_enhancement", REPORT),
             ("class_totals", "ending_balance")},
        ),
        (("classes", "A-1", "realized_loss"), "senior",
            {("class_roll_forward", "A-1"), ("class_totals", "realized_loss")}),
        (("classes", "TOTAL", "net_wac_carryover"), None,
            {("class_totals", "net_wac_carryover"), ("excess_cash_flow_is_distributed", REPORT)}),
        (("measures", "TOTAL", "oc_release"), None,
            {("oc_class_roll_forward", "*"), ("certificate_principal", REPORT)}),
        (
            ("delinquencies", "GROUP 1 outstanding", "loan_count"),
            None,
            {("outstanding_count", "GROUP 1"), ("delinquency_totals", "outstanding loan_count")},
        ),
        (("delinquencies", "TOTAL delinquent 30-59", "balance"), None,
            {("delinquency_totals", "delinquent 30-59 balance")}),
        (("pools", "GROUP 1", "prepayments"), None, {("pool_principal", "GROUP 1"), ("group_totals", "prepayments")}),
        (("measures", "TOTAL", "extraordinary_expenses"), None, set()),
    ],
)  # fmt: skip
def test_a_cell_is_named_by_these_checks(cell: tuple[str, str, str], kind: str | None, named: set[Row]) -> None:
    assert named <= set(checks_on(*cell, kind))


def test_loans_are_named_by_their_own_status() -> None:
    """Only those that are outstanding are held against the pool."""
    for status in ("foreclosure", "bankruptcy", "reo", "delinquent 30-59", "delinquent 90+"):
        named = checks_on("delinquencies", f"GROUP 1 {status}", "balance", None)
        assert named[0] == ("delinquency_totals", f"{status} balance")
        assert {check for check, _ in named[1:]} == {"bucket_totals", "status_totals"}


def test_a_bucket_may_have_blanks() -> None:
    named = checks_on("delinquencies", "GROUP 1 delinquent 90 days or more", "balance", None)
    assert named == [
        ("delinquency_totals", "delinquent 90 days or more balance"),
        ("bucket_totals", "GROUP 1 delinquent balance"),
        ("status_totals", "GROUP 1 90 days or more balance"),
    ]


@pytest.mark.parametrize(
    "field", ["beginning_balance", "pass_through_rate", "interest_distribution", "interest_shortfall"]
)
def test_what_interest_is_made_of_may_move_the_days(field: str) -> None:
    named = checks_on("classes", "A-1", field, "senior")
    assert {("interest_accrual", "A-1"), ("accrual_days", ANY_SUBJECT)} <= set(named)


@pytest.mark.parametrize(
    ("cell", "named"),
    [
        # Check, subject, and whether it is that of the report after.
        (("classes", "A-1", "ending_balance"), [("class_balance_continues", "A-1", True)]),
        (("classes", "A-1", "beginning_balance"), [("class_balance_continues", "A-1", False)]),
        (
            ("classes", "A-1", "original_balance"),
            [("original_balance_stays", "A-1", False), ("original_balance_stays", "A-1", True)],
        ),
        (("classes", "A-1", "cusip"), [("identifiers_stay", "A-1", False), ("identifiers_stay", "A-1", True)]),
        (("pools", "GROUP 1", "ending_balance"), [("pool_balance_continues", "GROUP 1", True)]),
        (
            ("measures", "TOTAL", "realized_losses_current"),
            [("losses_add_up", "realized_losses_cumulative", False)],
        ),
        (
            ("measures", "TOTAL", "realized_losses_cumulative"),
            [
                (check, "realized_losses_cumulative", later)
                for check in ("losses_never_fall", "losses_add_up")
                for later in (False, True)
            ],
        ),
        (("classes", "A-1", "interest_distribution"), []),
        (("delinquencies", "TOTAL reo", "balance"), []),
    ],
)
def test_a_cell_is_named_by_these_checks_between_distributions(
    cell: tuple[str, str, str], named: list[tuple[str, str, bool]]
) -> None:
    assert between_checks_on(*cell) == named


def test_a_figure_that_no_check_uses_is_named_by_none() -> None:
    assert checks_on("measures", "TOTAL", "extraordinary_expenses", None) == []
    assert checks_on("classes", "M-1", "class_id", "subordinate") == []
