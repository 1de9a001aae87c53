"""A lake → what a web page about it shows, as plain data: texts, numbers, lists, with decimals as texts.

Every figure comes with the place where it is printed, and every report with the lines around those places; where the
lake has no sources there are no lines. What is derived is kept apart from what is reported. All is bounded, and what
was left out is said.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import polars as pl

from etl.analytics import DERIVED, analytics
from etl.cells import VALUE
from etl.documents import Document, document_from_bytes
from etl.errors import LakeError
from etl.figures import class_row, number_fields, record_key
from etl.identities import catalogue
from etl.lake import Lake
from etl.lake_checks import check_lake
from etl.losses import NOTHING_LISTED, listed_tables, losses, unread_tables
from etl.overview import SHOWN, checks_using, figure_columns
from etl.schema import TABLES, table
from etl.sources import read_source

# What a page has at the most; more would make it slow to open rather than more useful.
MAX_DEALS = 500
MAX_NUMBERS_OF_A_DEAL = 200_000
MAX_BREAKS = 2000
MAX_CELLS = 24_000
MAX_LINE_LENGTH = 1000
CONTEXT = 3

# Facts of a report that the page shows, in this order.
FACTS = (
    "deal_name", "series", "trustee", "servicer", "registrant", "form_type", "report_date", "filed_date", "cik",
    "accession_number",
)  # fmt: skip
# What is said of a report that it does not print.
_ABOUT = (
    "report_id", "layout", "source", "source_sha256", "source_line", "numbers_found", "numbers_claimed",
    "checks_passed", "checks_failed",
)  # fmt: skip
# Texts that are shown beside the numbers of their table.
_TEXTS = {
    "classes": ("class_id", "class_type", "is_notional", "cusip", "isin"),
    "delinquencies": ("method", "excludes"),
}
# Fields, and those that come from them where they have no cell of their own.
_STANDING_IN = {
    ("reports", "registrant"): ("deal_name",),
    ("reports", "issuer"): ("deal_name",),
    ("classes", "class_id"): ("class_type", "is_notional"),
}
_PLACE = ("line", "column_start", "column_end", "raw", "rule")
_OF_TRIGGERS = {"occurred": "", "test_value": ".test_value", "threshold": ".threshold"}
_CHECK = ("check", "subject", "outcome", "difference", "explanation")
# The checks from month to month; that a file is lost is one of the lake.
_WHOLE = "tables_are_whole"
_BETWEEN = {check.name for check in catalogue().between} - {_WHOLE}
_FIGURE = ("table", "key", "field", "value", "unit")


@dataclass(frozen=True)
class PageOverview:
    """What the page says of the lake as a whole: the deals that it shows, sorted, and how many it leaves out; how many
    files of the lake cannot be read or are lost. `breaks` are all; the page has the first `MAX_BREAKS`."""

    deals: list[dict[str, Any]]
    years: list[int]
    coverage: list[dict[str, Any]]
    breaks: list[dict[str, Any]]
    all_breaks: int
    deals_left_out: int
    years_left_out: int
    unreadable_files: int
    lost_files: int
    latest: str


def page_overview(lake: Lake, chosen: Sequence[str] | None, max_deals: int) -> PageOverview:
    """The deals of a page, `chosen` or all, at most `max_deals`; where each has reports; what does not add up."""
    wanted = lake.deals() if chosen is None else sorted(set(chosen))
    shown = wanted[:max_deals]
    columns = ["report_id", "deal_name", "numbers_found", "numbers_claimed"]
    reports = lake.passing_over_damage().read("reports", shown, columns=columns)
    everything = chosen is None and len(shown) == len(wanted)
    checked = check_lake(lake, None if everything else shown)
    breaks, unreadable = checked.breaks, len(checked.damaged)
    try:
        lost = losses(lake, None if everything else shown)
    except LakeError:  # the manifest cannot be read, which is a break
        lost_files, unreadable = 0, unreadable + 1
    else:
        lost_files = len({lake.file(name, deal, date) for deal, date, name in lost.iter_rows()})
    failed = Counter(row["deal"] for row in breaks)
    names = dict(reports.filter(pl.col("deal_name").is_not_null()).select("deal", "deal_name").iter_rows())
    counts = dict(reports.group_by("deal").len().iter_rows())
    unread = {
        str(row["distribution_date"])[:4] for row in breaks if row["check"] == _WHOLE and row["distribution_date"]
    }
    years = sorted({*reports["distribution_date"].dt.year(), *map(int, unread)})
    last_years = years[-max(1, MAX_CELLS // (12 * max(1, len(shown)))) :]
    latest = reports["distribution_date"].max()
    return PageOverview(
        deals=[
            {"slug": slug, "name": names.get(slug, slug), "reports": counts.get(slug, 0), "breaks": failed[slug]}
            for slug in shown
        ],
        years=last_years,
        coverage=_coverage(reports, breaks, last_years),
        breaks=_plain(breaks),
        all_breaks=len(breaks),
        deals_left_out=len(wanted) - len(shown),
        years_left_out=len(years) - len(last_years),
        unreadable_files=unreadable,
        lost_files=lost_files,
        latest=str(latest or ""),
    )


def _coverage(reports: pl.DataFrame, breaks: Iterable[Mapping[str, Any]], years: Sequence[int]) -> list[dict[str, Any]]:
    """A row for each deal and month that has reports, or has had some that are lost."""
    failed = Counter((row["deal"], str(row["distribution_date"])[:7]) for row in breaks)
    months = (
        reports.filter(pl.col("distribution_date").dt.year().is_in(list(years)))
        .group_by("deal", month=pl.col("distribution_date").dt.strftime("%Y-%m"))
        .agg(
            reports=pl.len(),
            report_id=pl.col("report_id").first(),
            found=pl.col("numbers_found").sum(),
            claimed=pl.col("numbers_claimed").sum(),
        )
        .sort("deal", "month")
    )
    rows = {(row["deal"], row["month"]): row for row in months.iter_rows(named=True)}
    for deal, month in failed:
        if month[:4] in map(str, years):
            none = {"deal": deal, "month": month, "reports": 0, "report_id": None, "found": 0, "claimed": 0}
            rows.setdefault((deal, month), none)
    return [{**rows[key], "failed": failed[key]} for key in sorted(rows)]


def tables_of_reports(lake: Lake) -> pl.DataFrame:
    """What `listed_tables` gives; nothing where the manifest cannot be read: that is a break, and `deal_data` goes by
    what the records tell."""
    try:
        return listed_tables(lake)
    except LakeError:
        return NOTHING_LISTED


def deal_data(lake: Lake, deal: str, breaks: Iterable[Mapping[str, Any]], listed: pl.DataFrame) -> dict[str, Any]:
    """All that the page shows of a deal: its latest reports with their figures, what is derived from them, the checks
    that speak against figures, and the lines of the reports around all figures and breaks. `breaks`: those of the
    deal, as in `PageOverview`; `listed`: as `tables_of_reports` gives it."""
    breaks = list(breaks)
    lake = lake.passing_over_damage()
    found = lake.read("reports", [deal])
    reports = _latest(found)
    dates = reports["distribution_date"].unique().to_list() if found.height > reports.height else None
    tables = {
        name: lake.read(name, [deal], dates).join(reports, on="report_id", how="semi", maintain_order="left")
        for name in TABLES
        if name != "reports"
    }
    known = figures(reports, tables)
    lines = _lines_wanted(known, breaks)
    unread = unread_tables(listed.filter(pl.col("deal") == deal), tables)
    between = Counter(row["report_id"] for row in breaks if row["check"] in _BETWEEN)
    whole = Counter(row["report_id"] or row["distribution_date"] for row in breaks if row["check"] == _WHOLE)
    told = [
        {
            **_report(lake, row, lines.get(row["report_id"], set())),
            "between_failed": between[row["report_id"]],
            "whole_failed": whole[row["report_id"]] + whole[str(row["distribution_date"])],
            "unread": unread.get(row["report_id"], []),
        }
        for row in reports.iter_rows(named=True)
    ]
    places = {row["id"]: number for number, row in enumerate(told)}
    derived = analytics(reports, tables["classes"], tables["pools"], tables["checks"])
    return {
        "slug": deal,
        "reports": told,
        "reports_left_out": found.height - reports.height,
        "figures": _numbered(known.select("report_id", *_FIGURE, *_PLACE), places),
        **_spoken_of(tables, places, breaks),
        "derived": _numbered(
            derived.select("report_id", "name", "key", value=_as_text(pl.col("value")), missing="missing"), places
        ),
    }


def _spoken_of(
    tables: Mapping[str, pl.DataFrame], places: Mapping[str, int], breaks: Iterable[Mapping[str, Any]]
) -> dict[str, Any]:
    """`checks` that fail or are explained, each once, and `marks`: report, table, key and field of each figure that
    such checks use, with their places in `checks`. Without a check that no figure uses."""
    mine = [row for row in breaks if row["report_id"] in places and row["check"] != _WHOLE]
    explained = tables["checks"].filter(pl.col("outcome") == "explained").iter_rows(named=True)
    speaking: dict[str, dict[tuple[str, str], Mapping[str, Any]]] = defaultdict(dict)
    for row in (*_plain(mine), *_plain(list(explained))):
        speaking[row["report_id"]].setdefault((row["check"], row["subject"]), row)
    numbers: dict[tuple[str, str, str], int] = {}
    checks: list[list[Any]] = []
    marks: list[list[Any]] = []
    for report_id, name, key, field, used in _uses(tables, {report: set(rows) for report, rows in speaking.items()}):
        for check in used:
            if (report_id, *check) not in numbers:
                numbers[report_id, *check] = len(checks)
                checks.append([speaking[report_id][check][column] for column in _CHECK])
        marks.append([places[report_id], name, key, field, [numbers[report_id, *check] for check in used]])
    return {"checks": checks, "marks": marks}


def _uses(
    tables: Mapping[str, pl.DataFrame], asked: Mapping[str, set[tuple[str, str]]]
) -> Iterator[tuple[str, str, str, str, list[tuple[str, str]]]]:
    """Report, table, key and field of each figure that checks use which are asked for of its report, and those."""
    for name in SHOWN:
        columns = figure_columns(name)
        known: dict[tuple[Any, ...], set[tuple[str, str]]] = {}  # a deal's reports have the same rows
        rows = tables[name].filter(pl.col("report_id").is_in(list(asked))).with_columns(page_key=_row_key(name))
        for row in rows.iter_rows(named=True):
            words = tuple(row.get(part) for part in (*SHOWN[name], "class_type"))
            for column in (column for column in columns if row[column] is not None):
                if (column, *words) not in known:
                    known[column, *words] = checks_using(name, row, column)
                if used := known[column, *words] & asked[row["report_id"]]:
                    yield row["report_id"], name, row["page_key"], _field(name, row, column), sorted(used)


def _field(name: str, row: Mapping[str, Any], column: str) -> str:
    """What a column of a row is called among the figures."""
    if name == "measures":
        return str(row["measure"])
    if name == "triggers":
        return f"{row['trigger']}{_OF_TRIGGERS[column]}"
    return column


def _latest(reports: pl.DataFrame) -> pl.DataFrame:
    """The last reports that have so few numbers together, at least one."""
    together = pl.col("numbers_found").cum_sum(reverse=True)
    return reports.filter((together <= MAX_NUMBERS_OF_A_DEAL) | (pl.int_range(pl.len()) == pl.len() - 1))


def figures(reports: pl.DataFrame, tables: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """The printed values of the tables, and the cell that each comes from: `report_id`, `table`, `key`, `field`,
    `value` and `unit` as texts, and `line`, `column_start`, `column_end`, `raw`, `rule`, null where no cell says it.

    Where a value is printed several times, the first cell that says what the table has is taken, else the first.
    """
    every = {"reports": reports} | {name: tables[name] for name in SHOWN}
    values = pl.concat([part for name, rows in every.items() for part in _values(name, rows)])
    cells = _cells(tables["records"])
    numbered = values.with_row_index("figure_no").with_columns(
        # Columns of a trigger are printed under its name.
        cell_field=pl.col("field").str.replace(r"\.(test_value|threshold)$", "")
    )
    says = (pl.col("cell_value") == pl.col("number")) | (pl.col("raw").str.replace_all(r"\s+", " ") == pl.col("value"))
    placed = (
        numbered.join(cells, on=["report_id", "table", "key", "cell_field"], how="left", nulls_equal=True)
        .with_columns(says=says.fill_null(value=False))
        .sort(["figure_no", "says", "cell_no"], descending=[False, True, False], nulls_last=True)
        .unique("figure_no", keep="first", maintain_order=True)
    )
    return placed.select("report_id", *_FIGURE, *_PLACE)


def _values(name: str, rows: pl.DataFrame) -> list[pl.DataFrame]:
    """The values of a table, a frame for each of its columns that is shown."""
    if name == "measures":
        return [_column(rows, name, "value", pl.col("measure"), pl.col("unit"))]
    units = {column.name: column.unit for column in table(name).columns}
    if name == "triggers":
        return [
            _column(rows, name, column, pl.concat_str("trigger", pl.lit(suffix)), pl.lit(units[column]))
            for column, suffix in _OF_TRIGGERS.items()
        ]
    shown = FACTS if name == "reports" else (*number_fields(name), *_TEXTS.get(name, ()))
    return [_column(rows, name, column, pl.lit(column), pl.lit(units[column])) for column in shown]


def _column(rows: pl.DataFrame, name: str, column: str, field: pl.Expr, unit: pl.Expr) -> pl.DataFrame:
    """The values of a column, without nulls: as texts, and as numbers where they are some."""
    kind, value = rows.schema[column], pl.col(column)
    number = value.cast(VALUE) if kind.is_numeric() else pl.lit(None, dtype=VALUE)
    words = value.list.join(", ") if isinstance(kind, pl.List) else value.cast(pl.String)
    return rows.filter(value.is_not_null()).select(
        "report_id",
        table=pl.lit(name),
        key=_row_key(name),
        field=field,
        number=number,
        value=_as_text(number) if kind.is_numeric() else words,
        unit=unit,
    )


def _as_text(number: pl.Expr) -> pl.Expr:
    """Decimals without the zeros that only say how wide their type is."""
    return number.cast(pl.String).str.strip_chars_end("0").str.strip_chars_end(".")


def _row_key(name: str) -> pl.Expr:
    """What tells a row of a table from the others of its report."""
    if name == "classes":
        return class_row()
    if name == "delinquencies":
        return pl.concat_str("group_id", "status", "bucket", separator=" ", ignore_nulls=True)
    return pl.lit("") if name == "reports" else pl.col("group_id").fill_null("")


def _cells(records: pl.DataFrame) -> pl.DataFrame:
    """The records as cells that values may come from; those that stand for another field come after its own."""
    cells = records.select(
        "report_id",
        "table",
        *_PLACE,
        key=record_key().fill_null(""),
        cell_field="field",
        cell_value="value",
        cell_no=pl.col("record_no").cast(pl.Int64),
    )
    after = cells.height
    standing_in = [
        cells.filter((pl.col("table") == name) & (pl.col("cell_field") == field)).with_columns(
            cell_field=pl.lit(other), cell_no=pl.col("cell_no") + after
        )
        for (name, field), others in _STANDING_IN.items()
        for other in others
    ]
    return pl.concat([cells, *standing_in])


def _lines_wanted(known: pl.DataFrame, breaks: Iterable[Mapping[str, Any]]) -> dict[str, set[int]]:
    """Numbers of the lines of each report that figures and breaks lead to."""
    printed = known.drop_nulls("line").group_by("report_id").agg(pl.col("line").unique())
    wanted = {report_id: set(lines) for report_id, lines in printed.iter_rows()}
    for row in breaks:
        if row["report_id"] and row["lines"]:
            wanted.setdefault(row["report_id"], set()).update(row["lines"])
    return wanted


def _report(lake: Lake, row: Mapping[str, Any], wanted: set[int]) -> dict[str, Any]:
    """What is said of a report, and its lines around those that are wanted."""
    about = {name: row[name] for name in _ABOUT if name != "report_id"}
    lines, note = _lines(lake, row, wanted)
    return {"id": row["report_id"], "date": str(row["distribution_date"]), **about, "note": note, "lines": lines}


def _lines(lake: Lake, row: Mapping[str, Any], wanted: set[int]) -> tuple[dict[int, str], str | None]:
    """Lines by their numbers in the document; and why there are none."""
    try:
        document = document_from_bytes(read_source(lake.output, row["source_sha256"]), row["source"])
    except (LakeError, ValueError) as error:
        damaged = isinstance(error, LakeError) and "damaged" in error.message
        return {}, "the kept source is damaged" if damaged else "the lake keeps no source of this report"
    if not isinstance(document, Document):
        return {}, document.message
    first = row["source_line"] or 1
    texts = document.text.split("\n")
    around = {number for line in wanted for number in range(line - CONTEXT, line + CONTEXT + 1)}
    shown = sorted(number for number in around if 0 <= number - first < len(texts))
    return {number: texts[number - first][:MAX_LINE_LENGTH] for number in shown}, None


def _numbered(rows: pl.DataFrame, places: Mapping[str, int]) -> list[list[Any]]:
    """Rows whose report is named by its place in the list of reports."""
    return [[places[report_id], *rest] for report_id, *rest in rows.iter_rows()]


def _plain(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rows as JSON has them: decimals and dates as texts."""
    return [
        {name: value if isinstance(value, str | int | list | None) else _word(value) for name, value in row.items()}
        for row in rows
    ]


def _word(value: Any) -> str:
    if isinstance(value, dt.date):
        return value.isoformat()
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def explanations(breaks: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """What the page says of names: columns, measures and triggers, checks that broke, and derived figures."""
    checks = {check.name: check.statement for check in catalogue().checks}
    broken = {row["check"] for row in breaks}
    return {
        "fields": {
            f"{name}.{field.name}": field.description
            for name in ("reports", *SHOWN)
            for fields in (table(name).columns, table(name).terms)
            for field in fields
        },
        "checks": {name: said for name, said in checks.items() if name in broken},
        "derived": [
            {name: value for name, value in asdict(derived).items() if name not in ("compute", "is_monthly")}
            for derived in DERIVED
        ],
    }
