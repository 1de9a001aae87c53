"""Records → tidy tables: pure reshapes. A tidy value is the value of a record, or its text."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache

import polars as pl

from etl.cells import date, flag
from etl.deals import deal_slug
from etl.documents import Document
from etl.layout import Layout, fields_of_name
from etl.rules import TOTAL
from etl.schema import Column, table

_POLARS_TYPES: dict[str, pl.DataType | type[pl.DataType]] = {
    "string": pl.String,
    "bool": pl.Boolean,
    "int32": pl.Int32,
    "int64": pl.Int64,
    "date32": pl.Date,
    "list<string>": pl.List(pl.String),
    "list<int32>": pl.List(pl.Int32),
}
_SOURCE = {"source": pl.String, "source_sha256": pl.String, "source_line": pl.Int32, "source_bytes": pl.Int64}
# What a header says and no report prints, and what it says as well as a cover.
_HEADER: dict[str, pl.DataType | type[pl.DataType]] = {
    **dict.fromkeys(("accession_number", "cik", "sic"), pl.String),
    **dict.fromkeys(("filed_date", "period_of_report"), pl.Date),
    **dict.fromkeys(("header_form_type", "header_registrant", "header_state_of_incorporation"), pl.String),
    **dict.fromkeys(("header_commission_file_number", "header_irs_number"), pl.String),
    "header_items": pl.List(pl.String),
    "header_is_amendment": pl.Boolean,
}
_HEADER_FACTS = {"period_of_report": "period", "header_registrant": "company_name"}
_PRINTED_FIRST = ("registrant", "state_of_incorporation", "commission_file_number", "irs_number")
# What tells one report from another.
IDENTITY = pl.Schema({"document": pl.UInt32, "deal": pl.String, "distribution_date": pl.Date, "report_id": pl.String})


@cache
def polars_type(column: Column) -> pl.DataType | type[pl.DataType]:
    """The polars type of a declared column."""
    if column.type.startswith("decimal128"):
        precision, scale = column.type.removeprefix("decimal128(").removesuffix(")").split(", ")
        return pl.Decimal(int(precision), int(scale))
    return _POLARS_TYPES[column.type]


def field_values(records: pl.DataFrame) -> pl.DataFrame:
    """What the report says of itself, every time that it says it.

    Columns: `document`, `field`, `text` (pieces of a wrapped cell joined by one blank), `line`; the
    cell that counts comes first.
    """
    columns = ["document", "field", "raw", "line", "column_start", "priority", "piece"]
    said = _cells_of(records, "reports", columns).sort("document", "priority", "line", "column_start")
    said = said.with_columns(cell=(pl.col("piece") == 0).cum_sum())
    whole = said.group_by("cell", maintain_order=True).agg(
        pl.col("document").first(),
        pl.col("field").first(),
        pl.col("raw").str.join(" ").alias("text"),
        pl.col("line").first(),
    )
    return whole.select("document", "field", pl.col("text").str.replace_all(r"\s+", " "), "line")


def with_deal_names(said: pl.DataFrame, layout: Layout) -> pl.DataFrame:
    """`said` with the names of the deal that the layout makes of several fields.

    The first that a report says of each field make its name; where it says another value later, there is another
    name too, in the line of that value.
    """
    if layout.deal_name is None:
        return said
    names = fields_of_name(layout.deal_name)
    first = said.select("document").unique(maintain_order=True)
    for name in names:
        first = first.join(_first(said, name), on="document", how="inner", maintain_order="left")
    template = re.sub(r"\{[a-z0-9_]+\}", "{}", layout.deal_name)
    made = [
        said.filter(pl.col("field") == name)
        .select("document", "line", pl.col("text").alias(name))
        .join(first.drop(name), on="document", how="inner", maintain_order="left")
        .rechunk()  # joins of texts panic over empty chunks, see rejections
        .select("document", pl.lit("deal_name").alias("field"), pl.format(template, *names).alias("text"), "line")
        for name in names
    ]
    composed = pl.concat(made).unique(["document", "text"], keep="first", maintain_order=True)
    return pl.concat([said.with_columns(pl.col("field").cast(pl.String)), composed])


def identify_reports(said: pl.DataFrame, documents: Sequence[Document]) -> pl.DataFrame:
    """`document`, `deal`, `distribution_date` and `report_id` of each document; deal and date are
    null where the report does not say them."""
    named = _first(said, "deal_name").join(
        _first(said, "registrant"), on="document", how="full", coalesce=True, maintain_order="left_right"
    )
    names = named.select("document", name=pl.coalesce("deal_name", "registrant"))
    dated = _first(said, "distribution_date").select("document", _day("distribution_date"))
    ids = [document.report_id for document in documents]
    frame = pl.DataFrame({"report_id": ids}, schema={"report_id": pl.String}).with_row_index("document")
    deals = names.select("document", deal=_slugs(names["name"]))
    joined = frame.join(deals, on="document", how="left", maintain_order="left")
    return joined.join(dated, on="document", how="left", maintain_order="left").select(list(IDENTITY))


def different_names(said: pl.DataFrame) -> pl.DataFrame:
    """`document` and `names` (with their lines) of reports that name two deals."""
    named = said.filter(pl.col("field").is_in(["registrant", "deal_name"]))
    names = named.with_columns(slug=_slugs(named["text"])).unique(
        ["document", "slug"], keep="first", maintain_order=True
    )
    several = names.group_by("document", maintain_order=True).agg(
        names=pl.format("line {}: {}", "line", "text").str.join("; "), count=pl.len()
    )
    return several.filter(pl.col("count") > 1)


def _slugs(names: pl.Series) -> pl.Series:
    """The slug of each name; each distinct name is spelled once."""
    slugs = {name: deal_slug(name) for name in names.unique().to_list()}
    return names.replace_strict(slugs, default=None, return_dtype=pl.String)


def tidy_tables(
    records: pl.DataFrame, said: pl.DataFrame, identity: pl.DataFrame, documents: Sequence[Document], layout: Layout
) -> dict[str, pl.DataFrame]:
    """All tidy tables but `checks`, of the reports in `identity`.

    Each has `document` and the declared columns; in `reports` those that the checks add are null.
    """
    tables = {
        "reports": _reports(said, identity, documents, layout),
        "classes": _classes(records, layout),
        "pools": _pools(records),
        "delinquencies": _delinquencies(records, layout),
        "measures": _measures(records),
        "triggers": _triggers(records),
        "records": records,
    }
    return {name: declared_columns(frame, name, identity) for name, frame in tables.items()}


def declared_columns(frame: pl.DataFrame, name: str, identity: pl.DataFrame) -> pl.DataFrame:
    """`document` and the declared columns of table `name`, typed; those that `frame` lacks are null."""
    ids = identity.select("document", "report_id")
    identified = frame.select("document").join(ids, on="document", how="left", maintain_order="left")
    given = {series.name: series for series in (*frame, *identified)}
    columns = [given["document"]]
    for column in table(name).columns:
        wanted = polars_type(column)
        if column.name not in given:
            columns.append(pl.Series(column.name, [None], dtype=wanted).new_from_index(0, frame.height))
        elif isinstance(given[column.name].dtype, pl.Enum):  # names stay the small numbers that they are
            columns.append(given[column.name])
        else:
            columns.append(given[column.name].cast(wanted))
    return pl.DataFrame(columns)


def _first(said: pl.DataFrame, field: str) -> pl.DataFrame:
    """The value that counts of a field: `document` and a column called as the field."""
    first = said.filter(pl.col("field") == field).unique("document", keep="first", maintain_order=True)
    return first.select("document", pl.col("text").alias(field))


def _reports(said: pl.DataFrame, identity: pl.DataFrame, documents: Sequence[Document], layout: Layout) -> pl.DataFrame:
    frame = (
        pl.DataFrame(
            {
                "source": [document.source for document in documents],
                "source_sha256": [document.sha256 for document in documents],
                "source_line": [document.first_line for document in documents],
                "source_bytes": [document.size for document in documents],
                **_header_columns(documents),
            },
            schema={**_SOURCE, **_HEADER},
        )
        .with_row_index("document")
        .join(identity.select("document"), on="document", how="semi", maintain_order="left")
    )
    texts = ["deal_name", "series", "form_type", "report_date", "record_date", "registrant", "state_of_incorporation"]
    texts += ["commission_file_number", "irs_number", "trustee", "servicer", "seller", "underwriter", "administrator"]
    texts += ["revision_mark", "issuer", "pool_number", "determination_date"]
    first = _pivot(said, ["document"], "text", texts)
    frame = frame.join(first, on="document", how="left", maintain_order="left")
    items = said.filter(pl.col("field") == "items").group_by("document").agg(items="text")
    return (
        frame.join(items, on="document", how="left", maintain_order="left")
        .with_columns(
            *(_day(name) for name in ("record_date", "determination_date")),
            pl.coalesce(_day("report_date"), _event_day()),
            *(pl.coalesce(f"header_{name}", name).alias(name) for name in ("form_type", "items")),
            *(pl.coalesce(name, f"header_{name}").alias(name) for name in _PRINTED_FIRST),
            deal_name=pl.coalesce("deal_name", "registrant"),
            layout=pl.lit(layout.label),
        )
        .with_columns(
            is_amendment=pl.coalesce("header_is_amendment", pl.col("form_type").str.to_uppercase().str.ends_with("/A"))
        )
    )


@cache
def _day(column: str) -> pl.Expr:
    return date(pl.col(column))


def _event_day() -> pl.Expr:
    """Of a Form 8-K the header's period of report is the date of the earliest event, which its cover prints as the Date
    of Report (EDGAR Filer Manual: Period)."""
    return pl.when(pl.col("header_form_type").str.starts_with("8-K")).then("period_of_report")


def _header_columns(documents: Sequence[Document]) -> dict[str, list[object]]:
    """What the headers of the submissions say: a column for each of `_HEADER`."""
    headers = [document.header for document in documents]
    columns: dict[str, list[object]] = {}
    for name in _HEADER:
        fact = _HEADER_FACTS.get(name, name.removeprefix("header_"))
        said = [getattr(header, fact) if header is not None else None for header in headers]
        columns[name] = [(list(value) or None) if isinstance(value, tuple) else value for value in said]
    return columns


def _classes(records: pl.DataFrame, layout: Layout) -> pl.DataFrame:
    columns = ["document", "section", "class_key", "field", "raw", "value", "status", "priority", "line"]
    cells = _cells_of(records, "classes", columns).filter(pl.col("class_key").is_not_null())
    keys = ["document", "section", "class_key"]
    printed_text = pl.col("field").is_in(["class_id", "cusip", "isin"]) & (pl.col("status") == "reported")
    texts = cells.filter(printed_text).sort("document", "priority", "line", maintain_order=True)
    printed = _pivot(texts, keys, "raw", _text_columns("classes", texts))
    # Where the CUSIP is the key, the class is known by what is printed.
    called = pl.col("class_key")
    if {"class_id", "cusip"} <= set(printed.columns):
        called = pl.when(called == pl.col("cusip")).then("class_id").otherwise(called)
    kinds = [pl.when(called.str.contains(names)).then(pl.lit(kind)) for kind, names in layout.classes.types.items()]
    class_type = pl.when(pl.col("class_key") != TOTAL).then(pl.coalesce([*kinds, pl.lit(None, pl.String)]))
    # Where no rule tells kinds of classes apart, nothing says that a class is not notional.
    told = (pl.col("class_key") != TOTAL) & pl.lit(bool(layout.classes.types))
    notional = pl.when(told).then((pl.col("class_type") == "notional").fill_null(value=False))
    values = _pivot(cells, keys, "value", _number_columns("classes"))
    joined = printed.join(values, on=keys, how="full", coalesce=True, nulls_equal=True, maintain_order="left_right")
    first = cells.group_by(keys).agg(pl.col("line").min())
    joined = joined.join(first, on=keys, how="left", nulls_equal=True, maintain_order="left")
    return (
        joined.sort("document", "line", maintain_order=True)
        .with_columns(class_type=class_type)
        .with_columns(is_notional=notional)
    )


def _pools(records: pl.DataFrame) -> pl.DataFrame:
    cells = _cells_of(records, "pools", ["document", "group_id", "field", "value"])
    return _pivot(cells, ["document", "group_id"], "value", _number_columns("pools"))


def _delinquencies(records: pl.DataFrame, layout: Layout) -> pl.DataFrame:
    columns = ["document", "group_id", "loan_status", "bucket", "field", "raw", "value", "line"]
    cells = _cells_of(records, "delinquencies", columns)
    numbers = _number_columns("delinquencies")
    values = cells.filter(pl.col("field").is_in(numbers))
    keys = ["document", "group_id", "loan_status", "bucket"]
    rows = _pivot(values, keys, "value", numbers)
    excludes = _excludes(cells, layout)
    joined = rows.join(excludes, on=["document", "group_id"], how="left", maintain_order="left")
    return joined.rename({"loan_status": "status"}).with_columns(
        excludes=pl.when(pl.col("status") == "delinquent").then("excludes")
    )


def _excludes(cells: pl.DataFrame, layout: Layout) -> pl.DataFrame:
    """The statuses that a footnote leaves out, in printed order, for each group of the head above it."""
    notes = cells.filter(pl.col("field") == "excludes").sort("document", "line", maintain_order=True)
    heads = cells.filter(pl.col("field") == "group_id").select("document", "group_id", "line", head="line")
    above = heads.unique(["document", "line"], keep="first", maintain_order=True).sort("line").drop("group_id")
    placed = notes.sort("line").join_asof(above, on="line", by="document", check_sortedness=False)
    whole = (
        placed.sort("document", "line")
        .group_by("document", "head", maintain_order=True)
        .agg(note=pl.col("raw").str.join(" "))
    )
    codes: dict[str, str] = {}
    for block in layout.blocks:
        codes |= block.footnote.codes if block.footnote else {}
    read = [(note, _codes_in(note, codes) or None) for note in whole["note"].unique().to_list()]
    decoded = pl.DataFrame(read, schema={"note": pl.String, "excludes": pl.List(pl.String)}, orient="row")
    by_head = whole.join(decoded, on="note", how="left", maintain_order="left").drop("note")
    grouped = heads.join(by_head, on=["document", "head"], how="inner", maintain_order="left")
    return grouped.select("document", "group_id", "excludes").unique(["document", "group_id"], keep="first")


def _codes_in(note: str, codes: Mapping[str, str]) -> list[str]:
    text = note.lower()
    places = sorted((text.index(word), code) for word, code in codes.items() if word in text)
    return list(dict.fromkeys(code for _, code in places))


def _measures(records: pl.DataFrame) -> pl.DataFrame:
    cells = _cells_of(records, "measures", ["document", "field", "row_label", "value", "unit", "group_id"])
    once = _terms_once(cells, "measures")
    return once.select("document", "value", "unit", "group_id", measure="field", label=_label())


def _triggers(records: pl.DataFrame) -> pl.DataFrame:
    cells = _cells_of(records, "triggers", ["document", "group_id", "field", "row_label", "raw"])
    once = _terms_once(cells, "triggers")
    return once.select("document", "group_id", trigger="field", label=_label(), occurred=flag(pl.col("raw")))


def _terms_once(cells: pl.DataFrame, name: str) -> pl.DataFrame:
    """The first cell of each measure or trigger of a group; labels of rows and columns are none."""
    terms = [term.name for term in table(name).terms]
    printed = cells.filter(pl.col("field").cast(pl.String).is_in(terms))
    return printed.unique(["document", "group_id", "field"], keep="first", maintain_order=True)


def _label() -> pl.Expr:
    """The printed label; where a sentence begins with the cell there is none, and its name stands in."""
    return pl.coalesce("row_label", pl.col("field").cast(pl.String))


def _cells_of(records: pl.DataFrame, name: str, columns: Sequence[str]) -> pl.DataFrame:
    """The records of one table, with these columns only."""
    if name not in records.schema["table"].categories:  # type: ignore[attr-defined]
        return records.select(columns).clear()
    return records.select("table", *columns).filter(pl.col("table") == name).drop("table")


def _pivot(cells: pl.DataFrame, keys: list[str], values: str, fields: Sequence[str]) -> pl.DataFrame:
    """One row for each key, in the order in which they come, one column for each field; the first cell counts.

    All columns are gathered at once, one below the other. polars' own pivot looks through all cells for each column.
    """
    names = pl.Enum(fields)
    column = pl.col("field").cast(names, strict=False).to_physical().cast(pl.UInt32)
    numbered = cells.select(*keys, column=column, cell=pl.int_range(pl.len(), dtype=pl.UInt32)).drop_nulls("column")
    rows = numbered.group_by(keys, maintain_order=True).agg("column", "cell")
    placed = rows.select("column", "cell", row=pl.int_range(pl.len(), dtype=pl.UInt32)).explode("column", "cell")
    last_to_first = placed.select(
        place=(pl.col("column") * rows.height + pl.col("row")).reverse(), cell=pl.col("cell").reverse()
    )
    nothing = pl.Series([None], dtype=pl.UInt32).new_from_index(0, len(fields) * rows.height)
    content = cells[values][nothing.scatter(last_to_first["place"], last_to_first["cell"])]
    columns = [content.slice(number * rows.height, rows.height).alias(field) for number, field in enumerate(fields)]
    return rows.select(keys).hstack(columns)


def _number_columns(name: str) -> list[str]:
    return [column.name for column in table(name).columns if column.unit not in ("text", "flag", "date")]


def _text_columns(name: str, cells: pl.DataFrame) -> list[str]:
    present = set(cells["field"].unique().to_list())
    return [column.name for column in table(name).columns if column.name in present]
