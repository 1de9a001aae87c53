"""A zoo of wrong layout files: each is refused with the file, the key and the mend."""

from __future__ import annotations

from pathlib import Path

import pytest

from etl import EtlError, Layout, LayoutError, UsageError, known_layouts, load_layout, load_layouts
from etl.layout import PACKAGED

GOOD = """\
name = "good"
version = 1
title = "A good layout"
identify = ['STATEMENT', 'Dist Date']

[classes]
aliases = { BIO = "B-IO" }
totals = ["Total"]
types = { notional = 'IO' }

[[block]]
name = "balances"
table = "classes"
columns = ["Class", "Beg Bal"]
row = '{class_id} {beginning_balance}'
same_rows_as = "first"
may_omit = ["R"]
required = false
sample = 'A-1 5'

[[block]]
name = "rates"
table = "classes"
columns = ["Rate"]
row = '{pass_through_rate}'
total_row = '{pass_through_rate}'
labels_from = "balances"

[[block]]
name = "pools"
table = "pools"
groups = 'GROUP [0-9]+'
title = "Pools:"
[block.labels]
"Beginning" = "beginning_balance"

[[block]]
name = "more_pools"
table = "pools"
groups = 'GROUP [0-9]+'
title = "More:"
columns_of = "pools"
[block.labels]
"Ending" = "ending_balance"

[[block]]
name = "status"
table = "delinquencies"
groups = 'GROUP [0-9]+'
columns = ["Count", "Balance"]
cells = ["loan_count", "balance"]
[block.labels]
"30 days" = { status = "delinquent", bucket = "30-59" }
[block.footnote]
pattern = 'without (?P<excludes>[^.]+)'
codes = { REO = "reo" }

[[block]]
name = "figures"
table = "measures"
[block.labels]
"Servicing Fee" = "servicing_fee"

[[block]]
name = "reo"
table = "delinquencies"
columns = ["REO", "1 Payment", "Total"]
status = "reo"
buckets = ["30-59", ""]
row_groups = 'GROUP [0-9]+'
[block.labels]
"Balance" = "balance"

[[find]]
name = "dated"
pattern = 'dated {distribution_date}'
""".replace(
    '[[block]]\nname = "balances"',
    '[[block]]\nname = "first"\ntable = "classes"\ncolumns = ["Class", "Orig"]\n'
    "row = '{class_id} {original_balance}'\n\n[[block]]\nname = \"balances\"",
)


def _written(folder: Path, text: str | bytes, name: str = "wrong") -> Path:
    file = folder / name / "layout.toml"
    file.parent.mkdir()
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


def _changed(old: str, new: str) -> str:
    assert old in GOOD
    return GOOD.replace(old, new, 1)


def test_the_good_layout_loads(tmp_path: Path) -> None:
    layout = load_layout(_written(tmp_path, GOOD))
    assert isinstance(layout, Layout)
    assert (layout.label, len(layout.blocks), len(layout.finds)) == ("good@1", 8, 1)
    assert next(block for block in layout.blocks if block.name == "rates").labels_from == "balances"


@pytest.mark.parametrize("status", ["outstanding", "delinquent", "foreclosure", "bankruptcy", "reo"])
def test_a_layout_may_name_every_status_of_loans(tmp_path: Path, status: str) -> None:
    layout = load_layout(_written(tmp_path, _changed('status = "delinquent"', f'status = "{status}"')))
    (block,) = [block for block in layout.blocks if block.name == "status"]
    assert block.labels["30 days"].status == status


BUCKETS = """columns = ["REO", "1 Payment", "Total"]
status = "reo"
buckets = ["30-59", ""]
row_groups = 'GROUP [0-9]+'
[block.labels]
"Balance" = "balance"
"""
COLUMNS_OF = """
[[block]]
name = "more"
table = "delinquencies"
title = "MORE"
columns_of = "reo"
status = "foreclosure"
buckets = ["30-59"]
[block.labels]
"Balance" = "balance"
"""

# what is changed in the good layout, into what, and what the message says: key and mend
WRONG = {
    "unknown_key": ("version = 1", "version = 1\nversoin = 2", ["versoin", "did you mean 'version'"]),
    "unknown_block_key": ("columns_of =", "colums_of =", ["block 5", "colums_of", "did you mean 'columns_of'"]),
    "unknown_find_key": ("pattern = 'dated", "patern = 'dated", ["find 1", "patern", "did you mean 'pattern'"]),
    "unknown_label_key": ("{ status =", "{ statsu =", ["block status", "statsu", "did you mean 'status'"]),
    "unknown_status": ('status = "delinquent"', 'status = "delinqent"', ["block status", "did you mean 'delinquent'"]),
    "unknown_footnote_key": ("codes =", "code =", ["block status.footnote", "did you mean 'codes'"]),
    "unknown_classes_key": ("aliases =", "alias =", ["classes", "did you mean 'aliases'"]),
    "unknown_table": ('table = "pools"', 'table = "pool"', ["block pools.table", "did you mean 'pools'"]),
    "unknown_field_of_a_label": ('"servicing_fee"', '"servicing_fees"', ["figures", "did you mean 'servicing_fee'"]),
    "unknown_field_of_a_row": (
        "{pass_through_rate}'\ntotal",
        "(?P<pass_trough_rate>x)'\ntotal",
        ["rates", "did you mean 'pass_through_rate'"],
    ),
    "unknown_cell": ('"loan_count"', '"loans"', ["block status", "has no field 'loans'"]),
    "unknown_field_of_a_footnote": ("(?P<excludes>", "(?P<exclude>", ["status", "did you mean 'excludes'"]),
    "unknown_untyped_cell": ("{beginning_balance}", "{begining_balance}", ["block balances.row", "begining_balance"]),
    "bad_expression": ("{class_id} {beginning", "[ {class_id} {beginning", ["block balances.row", "does not compile"]),
    "bad_groups": ("'GROUP [0-9]+'\ntitle = \"Pools:\"", "'GROUP ['\ntitle = \"Pools:\"", ["block pools.groups"]),
    "bad_mark": ("'STATEMENT'", "'STATEMENT('", ["identify", "STATEMENT("]),
    "capturing_group": ("'dated {", "'(dated|of) {", ["find dated", "(?:...)"]),
    "field_in_a_mark": ("'STATEMENT'", "'{class_id}'", ["identify", "takes no fields"]),
    "find_without_a_field": ("'dated {distribution_date}'", "'dated'", ["find dated", "no field"]),
    "row_without_class_id": (
        "row = '{class_id} {beg",
        "row = '{ending_balance} {beg",
        ["block balances.row", "labels_from"],
    ),
    "two_blocks_of_one_name": ('name = "rates"', 'name = "balances"', ["block balances", "rename one"]),
    "two_finds_of_one_name": ("[[find]]", "[[find]]\nname='dated'\npattern='x {report_date}'\n[[find]]", ["dated"]),
    "later_block": (
        'labels_from = "balances"',
        'labels_from = "pools"',
        ["block rates.labels_from", "no block 'pools'"],
    ),
    "itself": ('labels_from = "balances"', 'labels_from = "rates"', ["block rates.labels_from"]),
    "unknown_block": ('same_rows_as = "first"', 'same_rows_as = "frist"', ["same_rows_as", "did you mean 'first'"]),
    "columns_of_no_groups": ('columns_of = "pools"', 'columns_of = "rates"', ["more_pools.columns_of", "no groups"]),
    "field_read_twice": ("{beginning_balance}", "{original_balance}", ["balances", "original_balance", "first"]),
    "field_twice_in_a_row": ("{beginning_balance}", "{beginning_balance} {beginning_balance}", ["beginning_balance"]),
    "sample_that_does_not_fit": ("sample = 'A-1 5'", "sample = 'A-1 x'", ["block balances.sample", "'A-1 x'"]),
    "neither_row_nor_labels": ("row = '{class_id} {beginning_balance}'\n", "", ["block balances", "row", "labels"]),
    "row_and_labels": ('labels_from = "balances"', 'labels_from = "balances"\nlabels = { A = "cusip" }', ["rates"]),
    "row_without_a_head": ('columns = ["Rate"]\n', "", ["block rates", "columns"]),
    "more_cells_than_columns": ('["loan_count", "balance"]', '["loan_count", "balance", "market_value"]', ["status"]),
    "odd_name": ('name = "good"', 'name = "Good@1"', ["name", "small letters"]),
    "no_name": ('name = "good"\n', "", ["the file", "'name' is missing"]),
    "no_identify": ("identify = ['STATEMENT', 'Dist Date']\n", "", ["'identify' is missing"]),
    "empty_identify": ("['STATEMENT', 'Dist Date']", "[]", ["identify"]),
    "no_table": ('table = "measures"\n', "", ["'table' is missing"]),
    "no_pattern": ("pattern = 'dated {distribution_date}'\n", "", ["find", "'pattern' is missing"]),
    "no_codes": ('codes = { REO = "reo" }\n', "", ["footnote", "'codes' is missing"]),
    "unknown_field_of_the_name": (
        "version = 1",
        "version = 1\ndeal_name = '{isuer} {series}'",
        ["deal_name", "did you mean 'issuer'"],
    ),
    "name_of_no_field": ("version = 1", "version = 1\ndeal_name = 'A deal'", ["deal_name", "write {field}"]),
    "name_of_a_date": ("version = 1", "version = 1\ndeal_name = '{report_date}'", ["deal_name", "no text"]),
    "unknown_percentage": (
        "version = 1",
        'version = 1\nunsigned_percentages = ["pool_factr"]',
        ["did you mean 'pool_factor'"],
    ),
    "percentage_of_dollars": (
        "version = 1",
        'version = 1\nunsigned_percentages = ["balance"]',
        ["no fraction is called 'balance'"],
    ),
    "unknown_cell_of_a_row": (
        "{class_id} {beginning_balance}",
        "{class_id} {begining_balance}",
        ["block balances.row", "table classes has no field 'begining_balance'; did you mean 'beginning_balance'?"],
    ),
    "other_figure_that_is_a_field": (
        "version = 1",
        'version = 1\nother_figures = ["ending_balance"]',
        ["'ending_balance' is a field of table "],
    ),
    "other_figure_with_a_blank": (
        "version = 1",
        'version = 1\nother_figures = ["Other figure"]',
        ["'Other figure' is no name"],
    ),
    "optional_cell_of_a_find": ("{distribution_date}'", "{distribution_date}? x'", ["find dated", "write two finds"]),
    "optional_amount": (
        "{beginning_balance}",
        "{beginning_balance}?",
        ["balances.row", "only {class_id}? and {cusip}?"],
    ),
    "instead_of_a_later_block": (
        'columns_of = "pools"',
        'instead_of = "status"',
        ["block more_pools.instead_of", "no block 'status'"],
    ),
    "loose_row_with_an_optional_cell": (
        'columns = ["Class", "Beg Bal"]\nrow = \'{class_id}',
        "row = '{class_id}?",
        ["balances.row", "prints all"],
    ),
    "field_without_a_status": (
        '"servicing_fee"',
        '{ field = "servicing_fee" }',
        ["figures.labels", "names the status"],
    ),
    "field_beside_cells": (
        'bucket = "30-59" }',
        'field = "balance" }',
        ["block status.labels", "a label means a field"],
    ),
    "fields_without_columns": ('"servicing_fee"', '["servicing_fee"]', ["figures.labels", "one for each column"]),
    "fields_by_group": ('= "ending_balance"', '= ["ending_balance"]', ["more_pools.labels", "the block no groups"]),
    "loans_without_a_status": (
        'cells = ["loan_count", "balance"]\n[block.labels]\n"30 days" = { status = "delinquent", bucket = "30-59" }',
        '[block.labels]\n"30 days" = "balance"',
        ["block status.labels", "needs a status"],
    ),
    "head_over_labels_and_groups": (
        '["Count", "Balance"]',
        '["Loans", "Count", "Balance"]',
        ["block status.cells", "without groups"],
    ),
    "deal_name_without_fields": ("version = 1", 'version = 1\ndeal_name = "X"', ["deal_name", "write {field}"]),
    "deal_name_of_no_text": ("version = 1", "version = 1\ndeal_name = '{isuer}'", ["deal_name", "mean 'issuer'"]),
    "bad_sections": ("types = {", "sections = 'REMIC ('\ntypes = {", ["classes", "REMIC ("]),
    "bad_may_omit": ('may_omit = ["R"]', "may_omit = ['R(']", ["block balances.may_omit", "R("]),
    "sparse_rows": ('labels_from = "balances"', 'labels_from = "balances"\nsparse = true', ["rates", "with labels"]),
    "sparse_lines": (
        'table = "measures"',
        'table = "measures"\nsparse = true',
        ["block figures", "whose columns are groups alone"],
    ),
    "total_of_no_groups": ('table = "measures"', 'table = "measures"\nmay_lack_total = true', ["may_lack_total"]),
    "row_groups_without_buckets": (
        'columns_of = "pools"',
        'columns_of = "pools"\nrow_groups = "A"',
        ["block more_pools.row_groups", "only where the columns are buckets"],
    ),
    "buckets_without_a_status": (
        'columns_of = "pools"',
        'columns_of = "pools"\nbuckets = ["30-59"]',
        ["block more_pools.buckets", "need the block's status"],
    ),
    "buckets_of_pools": (
        'columns_of = "pools"',
        'columns_of = "pools"\nbuckets = ["30-59"]\nstatus = "reo"',
        ["block more_pools.buckets", "table delinquencies, without groups"],
    ),
    "unknown_status_of_a_block": (BUCKETS, BUCKETS.replace('"reo"', '"REO"'), ["block reo.status", "no status 'REO'"]),
    "more_buckets_than_columns": (
        BUCKETS,
        BUCKETS.replace(', "1 Payment", "Total"', ""),
        ["block reo.buckets", "name a head"],
    ),
    "other_buckets_above": (BUCKETS, BUCKETS + COLUMNS_OF, ["block more.columns_of", "has other columns"]),
    "label_of_a_table_alone": (
        '"Beginning" = "beginning_balance"',
        '"Beginning" = { table = "measures" }',
        ["block pools.labels", "its table and its field"],
    ),
    "label_of_an_unknown_table": (
        '"Beginning" = "beginning_balance"',
        '"Beginning" = { table = "measure", field = "servicing_fee" }',
        ["block pools.labels", "did you mean 'measures'"],
    ),
    "label_of_an_unknown_field": (
        '"Beginning" = "beginning_balance"',
        '"Beginning" = { table = "measures", field = "servicing_fees" }',
        ["block pools.labels", "did you mean 'servicing_fee'"],
    ),
    "no_toml": ("version = 1", "version = ", ["no valid TOML"]),
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_wrong_layout_is_refused_with_its_key_and_mend(tmp_path: Path, kind: str) -> None:
    old, new, said = WRONG[kind]
    file = _written(tmp_path, _changed(old, new))
    with pytest.raises(LayoutError) as caught:
        load_layout(file)
    message = str(caught.value)
    line = caught.value.line
    assert message.startswith(f"{file}, line {line}: {caught.value.key}: " if line else f"{file}: {caught.value.key}: ")
    assert "\n" not in message
    assert [word for word in said if word not in message] == []
    text = _changed(old, new)
    if kind in NOWHERE:
        assert line is None
    elif kind in AT_THE_BLOCK:
        assert line is not None
        assert text.split("\n")[line - 1].startswith("[") or kind in ("no_codes", "head_over_labels_and_groups")
    else:
        assert line is not None
        begins = text.count("\n", 0, text.index(new)) + 1
        assert begins <= line <= begins + new.count("\n")


# What is missing in the file itself has no line; what is missing in a block, or stands twice, has that of its head.
NOWHERE = ("no_name", "no_identify")
AT_THE_BLOCK = (
    *("two_blocks_of_one_name", "two_finds_of_one_name", "field_read_twice", "neither_row_nor_labels"),
    *("row_and_labels", "row_without_a_head", "no_table", "no_pattern", "no_codes", "sparse_rows", "sparse_lines"),
    # Of labels that do not go together, that of their table.
    *("field_without_a_status", "field_beside_cells", "fields_without_columns", "fields_by_group"),
    *("head_over_labels_and_groups", "label_of_a_table_alone"),
)


# values of a TOML type that does not belong there: the key, and how the good layout writes it
TYPES = {
    "name_number": ('name = "good"', "name = 5"),
    "version_text": ("version = 1", "version = 'one'"),
    "title_list": ('title = "A good layout"', "title = ['a']"),
    "identify_text": ("identify = ['STATEMENT', 'Dist Date']", "identify = 'STATEMENT'"),
    "identify_numbers": ("identify = ['STATEMENT', 'Dist Date']", "identify = [1]"),
    "aliases_list": ('aliases = { BIO = "B-IO" }', "aliases = ['BIO']"),
    "aliases_numbers": ('aliases = { BIO = "B-IO" }', "aliases = { BIO = 1 }"),
    "totals_text": ('totals = ["Total"]', "totals = 'Total'"),
    "kind_number": ("notional = 'IO'", "notional = 1"),
    "block_name_number": ('name = "rates"', "name = 7"),
    "table_list": ('table = "measures"', "table = ['measures']"),
    "columns_text": ('columns = ["Rate"]', "columns = 'Rate'"),
    "columns_numbers": ('columns = ["Rate"]', "columns = [1]"),
    "row_list": ("row = '{class_id} {beginning_balance}'", "row = ['{class_id}']"),
    "row_number": ("row = '{class_id} {beginning_balance}'", "row = 1"),
    "total_row_table": ("total_row = '{pass_through_rate}'", "total_row = { a = 1 }"),
    "labels_from_list": ('labels_from = "balances"', "labels_from = ['balances']"),
    "may_omit_text": ('may_omit = ["R"]', "may_omit = 'R'"),
    "required_text": ("required = false", "required = 'no'"),
    "sample_number": ("sample = 'A-1 5'", "sample = 5"),
    "block_title_number": ('title = "Pools:"', "title = 3"),
    "groups_number": ("groups = 'GROUP [0-9]+'\ntitle = \"Pools:\"", 'groups = 1\ntitle = "Pools:"'),
    "cells_text": ('cells = ["loan_count", "balance"]', "cells = 'loan_count'"),
    "label_number": ('"Servicing Fee" = "servicing_fee"', '"Servicing Fee" = 1'),
    "label_list": ('"Servicing Fee" = "servicing_fee"', '"Servicing Fee" = ["servicing_fee"]'),
    "label_status_number": ('{ status = "delinquent", bucket = "30-59" }', "{ status = 1 }"),
    "labels_text": ('[block.labels]\n"Servicing Fee" = "servicing_fee"', "labels = 'servicing_fee'"),
    "labels_list": ('[block.labels]\n"Servicing Fee" = "servicing_fee"', "labels = ['servicing_fee']"),
    "codes_text": ('codes = { REO = "reo" }', "codes = 'reo'"),
    "codes_numbers": ('codes = { REO = "reo" }', "codes = { REO = 1 }"),
    "pattern_number": ("pattern = 'dated {distribution_date}'", "pattern = 1"),
    "find_text": ("[[find]]\nname = \"dated\"\npattern = 'dated {distribution_date}'", ""),
}


@pytest.mark.parametrize("kind", TYPES)
def test_a_value_of_a_wrong_type_is_refused(tmp_path: Path, kind: str) -> None:
    old, new = TYPES[kind]
    text = _changed(old, new)
    if kind == "find_text":
        text = "find = 'dated'\n" + text
    file = _written(tmp_path, text)
    with pytest.raises(LayoutError) as caught:
        load_layout(file)
    key = new.split("\n")[-1].partition("=")[0] if kind != "find_text" else "find"
    assert caught.value.line
    assert key.strip().split()[0] in text.split("\n")[caught.value.line - 1] or kind.startswith(("label", "groups"))
    assert str(caught.value).startswith(f"{file}, line {caught.value.line}: ")


HEAD = "name='x'\nversion=1\ntitle='x'\nidentify=['x']\n"


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\xff\xfe",
        b"\x00",
        HEAD,
        HEAD + "block='x'",
        HEAD + "block=1",
        HEAD + "block=['x']",
        HEAD + "block=[[]]",
        HEAD + "[block]\nname='x'",
        HEAD + "classes='x'\nblock=[]",
        HEAD + "classes=1\nblock=[]",
        HEAD + "find=1\nblock=[]",
        HEAD + "find=['x']\nblock=[]",
    ],
    ids=repr,
)
def test_other_shapes_are_refused(tmp_path: Path, text: str | bytes) -> None:
    file = _written(tmp_path, text)
    with pytest.raises(LayoutError) as caught:
        load_layout(file)
    assert str(caught.value).startswith((f"{file}: ", f"{file}, line "))


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LayoutError, match=r"layout\.toml: file: No such file"):
        load_layout(tmp_path / "layout.toml")


def test_two_layouts_of_one_name_are_refused(tmp_path: Path) -> None:
    _written(tmp_path, GOOD, "a")
    _written(tmp_path, GOOD, "b")
    with pytest.raises(
        LayoutError, match=r"b/layout.toml, line 1: name: two layouts are called 'good'; .*a/layout.toml"
    ):
        load_layouts(tmp_path)


def test_a_folder_of_layouts_is_read_by_name(tmp_path: Path) -> None:
    _written(tmp_path, GOOD, "b")
    _written(tmp_path, GOOD.replace('"good"', '"other"'), "a")
    assert [layout.name for layout in load_layouts(tmp_path)] == ["other", "good"]
    assert load_layouts(tmp_path / "none") == ()


def test_errors_are_errors_of_the_package() -> None:
    assert issubclass(LayoutError, EtlError)
    assert all(layout.file.parent.parent == PACKAGED for layout in load_layouts())


def test_a_users_folder_adds_to_the_packaged_layouts(tmp_path: Path) -> None:
    _written(tmp_path, GOOD, "mine")
    packaged = [layout.name for layout in load_layouts()]
    assert [layout.name for layout in known_layouts(tmp_path)] == [*packaged, "good"]
    assert known_layouts(tmp_path / "mine")[-1].name == "good"
    (tmp_path / "empty").mkdir()
    for folder, said in ((tmp_path / "empty", "holds no layout"), (tmp_path / "none", "is no folder"), ("", "is no")):
        with pytest.raises(UsageError, match=said):
            known_layouts(folder)


def test_a_user_cannot_take_the_name_of_a_packaged_layout(tmp_path: Path) -> None:
    name = load_layouts()[0].name
    file = _written(tmp_path, GOOD.replace('"good"', f'"{name}"', 1), "mine")
    with pytest.raises(LayoutError, match="rename one: the other stands in ") as caught:
        known_layouts(tmp_path)
    assert (caught.value.file, caught.value.line) == (file, 1)
    assert str(PACKAGED) in str(caught.value)


# what is changed in the good layout, into what, and what is said
TOO_MUCH = {
    "file": ("version = 1", "version = 1\n" + "# much\n" * 50_000, "more than 262,144 bytes"),
    "deep": ("version = 1", "version = " + "[" * 2000, "nested too deep"),
    "blocks": ("[[find]]", "[[block]]\nname = 'x'\n" * 300 + "[[find]]", "block has 308 entries; at most 200"),
    "marks": ("'Dist Date'", "'x', " * 60, "identify has 61 entries; at most 50"),
    "words": ('["Class", "Beg Bal"]', '["' + "Bal " * 20 + '"]', "'Bal' stands there 20 times; at most 12"),
    "pattern": ("'dated {", "'" + "x" * 5000 + " {", "5,0"),
    "groups": ("'dated {", "'" + "(?:" * 500 + "x" + ")" * 500 + " {", "deep"),
    "compiled": ("'dated {", r"'\\w{400} {".replace("\\\\", "\\"), "size limit"),
    "compiled_share": ("'dated {", r"'\\w{100} {".replace("\\\\", "\\"), "too large when it is compiled"),
    "mark": ("'STATEMENT'", "'" + "(?:" * 500 + "x" + ")" * 500 + "'", "deep"),
}


@pytest.mark.parametrize("kind", TOO_MUCH)
def test_a_layout_that_would_cost_much_is_refused(tmp_path: Path, kind: str) -> None:
    old, new, said = TOO_MUCH[kind]
    file = _written(tmp_path, _changed(old, new))
    with pytest.raises(LayoutError) as caught:
        load_layout(file)
    assert said in str(caught.value)


@pytest.mark.parametrize("blanks", ["[ {} 'a#b' {} ]", "{} 'a#b' {} . {} c {} = 1", "a = [ {} '' {} ]"])
def test_the_line_is_found_soon_whatever_stands_there(tmp_path: Path, blanks: str) -> None:
    many = " " * 50_000
    file = _written(tmp_path, GOOD + "\n" + blanks.replace("{}", many))
    with pytest.raises(LayoutError):
        load_layout(file)


def test_lines_are_found_beside_texts_over_several_lines(tmp_path: Path) -> None:
    text = GOOD.replace("version = 1", "version = 1 # [not]\n").replace(
        "identify = [", "identify = [ # [[block]]\n  # name = 'x'\n"
    )
    text = text.replace('title = "A good layout"', 'title = """\nA [[block]]\nname = "x"\n"""')
    file = _written(tmp_path, text.replace("sample = 'A-1 5'", "sample = 'A-1 x'"))
    with pytest.raises(LayoutError) as caught:
        load_layout(file)
    assert caught.value.line == text[: text.index("sample = 'A-1 5'")].count("\n") + 1
