"""The declared schemas are the output contract, and a table that does not fit one is refused."""

from __future__ import annotations

from decimal import Decimal

import pyarrow as pa
import pytest

from etl import SchemaError, arrow_schema, partitioning
from etl.dictionary import dictionary_page
from etl.schema import LISTS, TABLES, conform, table

from .conftest import REPOSITORY

MONEY, RATE, PER_1000 = "decimal128(18, 2)", "decimal128(14, 10)", "decimal128(18, 8)"
VALUE, COUNT, TEXT, DATE = "decimal128(38, 10)", "int64", "string", "date32[day]"


def _all(kind: str, names: str) -> dict[str, str]:
    return dict.fromkeys(names.split(), kind)


# What users' queries rely on: columns may be added, these stay.
CONTRACT: dict[str, dict[str, str]] = {
    "reports": {
        **_all(TEXT, "report_id deal_name series form_type registrant state_of_incorporation commission_file_number"),
        **_all(TEXT, "irs_number cik accession_number trustee servicer layout source source_sha256"),
        **_all(DATE, "report_date filed_date"),
        **_all("bool", "is_amendment"),
        **_all(COUNT, "source_bytes numbers_found numbers_claimed checks_passed checks_failed"),
    },
    "classes": {
        **_all(TEXT, "report_id class_id class_key cusip isin"),
        **_all("bool", "is_notional"),
        **_all(MONEY, "original_balance beginning_balance principal_distribution interest_distribution realized_loss"),
        **_all(MONEY, "total_distribution interest_shortfall ending_balance unpaid_interest_shortfall"),
        **_all(MONEY, "realized_loss_shortfall prepayment_interest_shortfall relief_act_shortfall net_wac_carryover"),
        **_all(MONEY, "cumulative_realized_loss"),
        **_all(RATE, "pass_through_rate"),
        **_all(PER_1000, "principal_per_1000 interest_per_1000 total_per_1000"),
        **_all(PER_1000, "interest_carryforward_per_1000 ending_balance_per_1000"),
    },
    "pools": {
        **_all(TEXT, "report_id group_id"),
        **_all(MONEY, "beginning_balance scheduled_principal prepayments liquidation_proceeds repurchases"),
        **_all(MONEY, "total_principal realized_loss ending_balance scheduled_interest relief_act_shortfall"),
        **_all(MONEY, "prepayment_interest_shortfall nonrecoverable_advances total_interest"),
        **_all(COUNT, "ending_count"),
    },
    "delinquencies": {
        **_all(TEXT, "report_id group_id status bucket method"),
        **_all(COUNT, "loan_count"),
        **_all(MONEY, "balance market_value"),
        "excludes": "list<string>",
    },
    "measures": {**_all(TEXT, "report_id group_id measure label unit"), "value": VALUE},
    "triggers": {
        **_all(TEXT, "report_id trigger label"),
        "occurred": "bool",
        **_all(VALUE, "test_value threshold"),
    },
    "checks": {
        **_all(TEXT, "report_id check subject outcome explanation"),
        **_all(VALUE, "expected actual difference tolerance"),
    },
    "records": {
        **_all(TEXT, "report_id table block row_label column_label field class_key group_id raw unit status rule"),
        "value": VALUE,
        **_all("int32", "record_no printed_decimals line column_start column_end"),
    },
}
MEASURES = [
    "servicing_fee",
    "advances_current",
    "advances_outstanding_prior",
    "prepayment_premium_loan_count",
    "prepayment_premium_loan_count_2",
    "prepayment_premium_loan_balance",
    "prepayment_premiums",
    "realized_losses_current",
    "realized_losses_cumulative",
    "weighted_average_remaining_term",
    "weighted_average_gross_coupon",
    "weighted_average_net_coupon",
    "pool_loan_count",
    "ending_pool_balance",
    "liquidated_loan_count",
    "oc_amount",
    "oc_target",
    "credit_enhancement",
    "oc_increase",
    "oc_release",
    "oc_deficiency",
    "oc_excess",
    "yield_maintenance_payment",
    "excess_cash_flow",
    "extraordinary_expenses",
]


def _kind(field: pa.Field) -> str:
    return "list<string>" if field.type == pa.list_(pa.string()) else str(field.type)


@pytest.mark.parametrize("name", TABLES)
def test_columns_have_the_contracts_types(name: str) -> None:
    declared = {field.name: _kind(field) for field in arrow_schema(name)}
    assert {column: declared.get(column) for column in CONTRACT[name]} == CONTRACT[name]


def test_the_tables_are_the_contracts() -> None:
    assert set(TABLES) == set(CONTRACT)
    assert sorted(file.stem for file in (REPOSITORY / "schemas").glob("*.toml")) == sorted((*TABLES, *LISTS))


# A class need not stand in a section, a trigger for a group, loans in a bucket.
NULLABLE_KEYS = {"classes": ["section"], "delinquencies": ["bucket"], "triggers": ["group_id"]}


@pytest.mark.parametrize("name", [*TABLES, *LISTS])
def test_keys_are_columns_that_are_never_null(name: str) -> None:
    declared = table(name)
    columns = {column.name: column for column in declared.columns}
    assert declared.name == name
    assert len(columns) == len(declared.columns)
    assert set(declared.key) <= set(columns)
    assert "report_id" in columns or name in LISTS
    if name not in LISTS:
        assert [key for key in declared.key if columns[key].nullable] == NULLABLE_KEYS.get(name, [])


@pytest.mark.parametrize("name", TABLES)
def test_partition_columns_are_not_in_the_files(name: str) -> None:
    assert table(name).partition == ("deal", "distribution_date")
    assert not {"deal", "distribution_date"} & set(arrow_schema(name).names)


def test_the_canonical_names_are_declared_with_their_units() -> None:
    units = {term.name: term.unit for term in table("measures").terms}
    assert set(MEASURES) <= set(units)
    assert set(units.values()) <= {"usd", "fraction", "count", "months", "per_1000"}
    assert (units["weighted_average_remaining_term"], units["credit_enhancement"]) == ("months", "fraction")
    triggers = {term.name for term in table("triggers").terms}
    assert {"servicer_termination_test_failed", "trigger_event", "step_down_date"} <= triggers


def test_the_partitioning_is_typed() -> None:
    assert partitioning().schema.types == [pa.string(), pa.date32()]


def test_an_unknown_table_is_named() -> None:
    with pytest.raises(SchemaError, match="no table 'nosuch'; the tables are reports, classes"):
        arrow_schema("nosuch")


def test_the_data_dictionary_is_current() -> None:
    pages = [
        file
        for file in (REPOSITORY / "docs").glob("*.md")
        if file.read_text(encoding="utf-8").startswith("# Data dictionary")
    ]
    page = dictionary_page([table(name) for name in (*TABLES, *LISTS)])
    assert [file.read_text(encoding="utf-8") for file in pages] == [page]


# --- conform ----------------------------------------------------------------------------------------------


def _triggers(**columns: pa.Array) -> pa.Table:
    """A table that fits, with some columns replaced."""
    good = {
        "report_id": pa.array(["a"]),
        "group_id": pa.array([None], pa.string()),
        "trigger": pa.array(["b"]),
        "label": pa.array(["c"]),
        "occurred": pa.array([True]),
        "test_value": pa.array([None], pa.decimal128(38, 10)),
        "threshold": pa.array([Decimal(1)], pa.decimal128(38, 10)),
    }
    return pa.table(good | columns)


def test_a_table_that_fits_gets_the_declared_schema() -> None:
    assert conform(_triggers(), "triggers").schema.equals(arrow_schema("triggers"), check_metadata=True)


def test_order_and_spelling_of_types_do_not_matter() -> None:
    wide = _triggers(label=pa.array(["c"], pa.large_string()), trigger=pa.array(["b"]).dictionary_encode())
    shuffled = wide.select(wide.column_names[::-1])
    assert conform(shuffled, "triggers").equals(conform(_triggers(), "triggers"))


@pytest.mark.parametrize(
    ("column", "array", "said"),
    [
        ("occurred", pa.array(["YES"]), "column occurred is string, declared bool"),
        ("test_value", pa.array([1.5]), "column test_value is double, declared decimal128(38, 10)"),
        ("test_value", pa.array([Decimal("1.23")]), "column test_value is decimal128(3, 2), declared"),
        ("trigger", pa.array([None], pa.string()), "column trigger has 1 nulls, declared without"),
        ("more", pa.array([1]), "column more is not declared"),
    ],
)
def test_a_column_that_does_not_fit_is_named(column: str, array: pa.Array, said: str) -> None:
    with pytest.raises(SchemaError) as caught:
        conform(_triggers(**{column: array}), "triggers")
    assert str(caught.value).startswith("table triggers does not fit its schema: ")
    assert said in str(caught.value)


def test_all_bad_columns_are_named_at_once() -> None:
    bad = _triggers(occurred=pa.array(["YES"]), more=pa.array([1]), trigger=pa.array([None], pa.string())).drop(
        ["label"]
    )
    with pytest.raises(SchemaError) as caught:
        conform(bad, "triggers")
    assert [name for name in ("occurred", "more", "trigger", "label") if name not in str(caught.value)] == []
