"""A layout: the description, as data, of one family of reports.

A layout is a folder with a `layout.toml`, a `sample.txt` and the sample's `expected/` tables. This
module turns the file into checked, compiled objects, and tells which layout a document has.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import polars as pl

from etl.errors import LayoutError, UsageError
from etl.layout_lines import line_of
from etl.patterns import Pattern, PatternError, compile_find, compile_row, compile_search, printed_unit
from etl.schema import find_field, unit_of
from etl.schema import table as declared_table

PACKAGED = Path(__file__).parent / "layouts"

# Kinds of classes, which the checks treat differently.
CLASS_TYPES = ("notional", "over_collateralization", "prepayment_premium", "residual", "senior", "subordinate")

# What the contract calls the standing of loans.
# `total` is what a report prints for all of these together.
LOAN_STATUSES = ("outstanding", "delinquent", "foreclosure", "bankruptcy", "reo", "total")

# What a layout may be at the most. A layout comes from anywhere, and all of it is compiled and searched for: these keep
# that cheap. The packaged ones are far below.
MAX_LAYOUTS = 200
MAX_FILE_BYTES = 256 * 1024
_MOST = {"block": 200, "find": 200, "labels": 500, "columns": 60, "identify": 50}
# So often may one word stand in the heads of a block: each way to tell them apart is tried.
_MOST_SAME_WORDS = 12

# Names stand in tables, in messages and on the command line.
NAME = re.compile("[a-z][a-z0-9]*+(?:-[a-z0-9]++)*+")
_FIELD_NAME = re.compile("[a-z][a-z0-9_]*+")

# Tables whose names a layout may use.
_TABLES = ("classes", "pools", "delinquencies", "reports", "triggers", "measures")


@dataclass(frozen=True)
class Meaning:
    """What a labelled row means: the field of its cell, a field for each column, or the keys that its cells share.

    A row with `status` and `field` has a single cell.
    """

    field: str | None = None
    fields: tuple[str, ...] = ()
    table: str | None = None  # of the field, where it is not the block's
    status: str | None = None
    bucket: str | None = None
    blank: tuple[str, ...] = ()  # cells that the row does not print


@dataclass(frozen=True)
class Footnote:
    """Prose below a table: its pattern, and the code of each word (in small letters) of its field."""

    pattern: Pattern
    codes: Mapping[str, str]


@dataclass(frozen=True)
class Block:
    """One printed table, or (without `columns`, `title` or `groups`) lines that may stand anywhere."""

    name: str
    table: str
    columns: tuple[str, ...] = ()
    title: str | None = None
    groups: str | None = None
    columns_of: str | None = None
    instead_of: str | None = None
    may_lack_groups: bool = False
    may_lack_total: bool = False
    status: str | None = None
    buckets: tuple[str, ...] = ()  # of the last columns; empty for the total over buckets
    row_groups: str | None = None
    sparse: bool = False
    row: Pattern | None = None
    total_row: Pattern | None = None
    cells: tuple[str, ...] = ()
    labels: Mapping[str, Meaning] = field(default_factory=dict)
    labels_from: str | None = None
    same_rows_as: str | None = None
    may_omit: str | None = None  # expression of class keys or labels
    required: bool = True
    expected: bool = True
    footnote: Footnote | None = None

    @property
    def heads(self) -> tuple[str, ...]:
        """What stands in its head: the heads of its columns, and its title."""
        return (*self.columns, self.title) if self.title else self.columns

    @property
    def head_words(self) -> list[str]:
        """The words of its head, without its groups."""
        return [word for head in self.heads for word in head.split()]

    @property
    def has_head(self) -> bool:
        """Whether the block starts at a head; without one its lines may stand anywhere."""
        return bool(self.columns or self.title or self.groups)

    @property
    def label_heads(self) -> int:
        """How many of the columns stand over the labels of labelled rows, not over cells: one or none."""
        cells = len(self.cells) or max((len(meaning.fields) for meaning in self.labels.values()), default=0)
        return len(self.columns) - cells if cells else 0


@dataclass(frozen=True)
class Find:
    """Cells in prose: the cover, footers, signatures."""

    name: str
    pattern: Pattern
    expected: bool = False


@dataclass(frozen=True)
class Classes:
    """How the family names its classes."""

    aliases: Mapping[str, str]
    totals: tuple[str, ...]
    types: Mapping[str, str]  # kind of class → expression of its names; the first that fits
    sections: str | None = None  # expression of the lines that begin a section of the classes


@dataclass(frozen=True)
class Layout:
    """One family of reports, ready to run."""

    name: str
    version: int  # 0: made in memory for one document, without versions
    title: str
    file: Path
    identify: Mapping[str, str]
    report_begins: str | None  # the first line of each report, where one document may have several
    classes: Classes
    blocks: tuple[Block, ...]
    finds: tuple[Find, ...]
    any_case: bool = False
    deal_name: str | None = None  # how the name of the deal is made of {fields} that the report prints apart
    unsigned_percentages: frozenset[str] = frozenset()  # fractions that are printed as percentages without a sign
    other_figures: frozenset[str] = frozenset()  # what its rows print that no table has

    def folded(self, text: str) -> str:
        """A head, a title or a label as it is compared: where capitals do not matter, without them."""
        return text.lower() if self.any_case else text

    @property
    def label(self) -> str:
        """Name and version, as they stand in `reports.layout`."""
        return f"{self.name}@{self.version}" if self.version else self.name


# What a caller may give: layouts, or a user's folder of them, which adds to the packaged ones; None for these alone.
Layouts = Sequence[Layout] | str | os.PathLike[str] | None


def load_layouts(folder: str | os.PathLike[str] = PACKAGED) -> tuple[Layout, ...]:
    """All layouts of a folder, by the names of their folders. Raises LayoutError at the first that is wrong."""
    files = sorted(file for file in Path(folder).glob("*/layout.toml") if file.is_file())
    if len(files) > MAX_LAYOUTS:
        raise UsageError(f"{folder}: {len(files):,} layouts; at most {MAX_LAYOUTS} are loaded: take some out")
    return _distinct(load_layout(file) for file in files)


def known_layouts(folder: str | os.PathLike[str]) -> tuple[Layout, ...]:
    """The packaged layouts and those of a user's folder.

    The folder holds folders of layouts, or is that of a single one. Raises LayoutError where one is wrong or two have
    one name, UsageError where the folder holds none.
    """
    alone = Path(folder) / "layout.toml"
    theirs = (load_layout(alone),) if alone.is_file() else load_layouts(folder)
    if not theirs:
        what = "holds no layout: there is no */layout.toml in it" if Path(folder).is_dir() else "is no folder"
        raise UsageError(f"{folder or 'an empty name'} {what}; name the folder that holds the folders of your layouts")
    return _distinct([*load_layouts(), *theirs])


def usable_layouts(layouts: Layouts) -> Sequence[Layout]:
    """The given layouts, or the packaged ones; with a user's folder these and its own. Raises UsageError where there
    is none at all."""
    if isinstance(layouts, (str, os.PathLike)):
        return known_layouts(layouts)
    chosen = load_layouts() if layouts is None else layouts
    if not chosen:
        raise UsageError("there is no layout to read with; give at least one")
    return chosen


def find_named(name: str, layouts: Sequence[Layout]) -> Layout:
    """The layout of this name, or of this name and version. Raises UsageError where there is none."""
    for layout in layouts:
        if name in (layout.name, layout.label):
            return layout
    raise UsageError(f"there is no layout {name!r}{_nearest(name, [layout.name for layout in layouts])}")


def load_layout(file: Path) -> Layout:
    """The layout in a `layout.toml`. Raises LayoutError that names the line, the key and the mend."""
    try:
        with file.open("rb") as stream:
            content = stream.read(MAX_FILE_BYTES + 1)
        if len(content) > MAX_FILE_BYTES:
            raise LayoutError(file, "file", f"more than {MAX_FILE_BYTES:,} bytes; a layout is a short description")
        text = content.decode("utf-8")
        declared = tomllib.loads(text)
    except OSError as error:
        raise LayoutError(file, "file", error.strerror or str(error)) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        place = re.search(r"\(at line ([0-9]+)", str(error))
        raise LayoutError(file, "file", f"is no valid TOML: {error}", int(place[1]) if place else None) from error
    except RecursionError as error:
        raise LayoutError(
            file, "file", "its lists and tables are nested too deep; a layout needs three levels"
        ) from error
    return _Reader(file, text).layout(declared)


def _distinct(layouts: Iterable[Layout]) -> tuple[Layout, ...]:
    """The layouts, if each has a name of its own."""
    by_name: dict[str, Layout] = {}
    for layout in layouts:
        first = by_name.setdefault(layout.name, layout)
        if first is not layout:
            message = f"two layouts are called {layout.name!r}; rename one: the other stands in {first.file}"
            line = line_of(layout.file.read_text(encoding="utf-8"), "name", "")
            raise LayoutError(layout.file, "name", message, line)
    return tuple(by_name.values())


def choose_layout(texts: Sequence[str], layouts: Sequence[Layout]) -> pl.DataFrame:
    """How many of each layout's marks stand in each text.

    Columns: `document` (position in `texts`), `layout` (position in `layouts`), `found`, `wanted`
    (numbers of marks) and `missing` (the marks that were not found, as the layout writes them).
    """
    frame = pl.DataFrame({"text": texts}, schema={"text": pl.String}).with_row_index("document")
    scored = [pl.DataFrame(schema=_SCORES)]
    for index, layout in enumerate(layouts):
        marks = [pl.col("text").str.contains(expression) for expression in layout.identify.values()]
        missing = [pl.when(~mark).then(pl.lit(source)) for mark, source in zip(marks, layout.identify, strict=True)]
        scored.append(
            frame.select(
                "document",
                layout=pl.lit(index, pl.Int32),
                found=pl.sum_horizontal([mark.cast(pl.Int32) for mark in marks]).cast(pl.Int32),
                wanted=pl.lit(len(marks), pl.Int32),
                missing=pl.concat_list(missing).list.drop_nulls(),
            )
        )
    return pl.concat(scored)


_SCORES = pl.Schema(
    {
        "document": pl.UInt32(),
        "layout": pl.Int32(),
        "found": pl.Int32(),
        "wanted": pl.Int32(),
        "missing": pl.List(pl.String()),
    }
)


# What stands behind each key, at whatever level of the file.
_TEXT, _NUMBER, _SWITCH, _TABLE = "a text", "a whole number", "true or false", "a table"
_TEXTS, _TEXT_TABLE, _TABLES_LIST = "a list of texts", "a table of texts", "a list of tables"
_KINDS = {
    **dict.fromkeys(("name", "title", "table", "groups", "columns_of", "row", "total_row", "labels_from"), _TEXT),
    **dict.fromkeys(("same_rows_as", "sample", "pattern", "status", "bucket", "report_begins"), _TEXT),
    **dict.fromkeys(("deal_name", "field", "instead_of", "sections", "row_groups"), _TEXT),
    **dict.fromkeys(("identify", "unsigned_percentages", "columns", "cells", "may_omit", "totals", "blank"), _TEXTS),
    "other_figures": _TEXTS,
    "buckets": _TEXTS,
    **dict.fromkeys(("classes", "labels", "footnote"), _TABLE),
    **dict.fromkeys(("aliases", "codes", "types"), _TEXT_TABLE),
    **dict.fromkeys(("block", "find"), _TABLES_LIST),
    "version": _NUMBER,
    "required": _SWITCH,
    "expected": _SWITCH,
    "any_case": _SWITCH,
    "may_lack_groups": _SWITCH,
    "may_lack_total": _SWITCH,
    "sparse": _SWITCH,
}


def _is(value: Any, kind: str) -> bool:
    if kind in (_TEXTS, _TABLES_LIST):
        item = str if kind == _TEXTS else dict
        return isinstance(value, list) and all(isinstance(entry, item) for entry in value)
    if kind == _TEXT_TABLE:
        return isinstance(value, dict) and all(isinstance(entry, str) for entry in value.values())
    return type(value) is {_TEXT: str, _NUMBER: int, _SWITCH: bool, _TABLE: dict}[kind]


class _Reader:
    """Reads one layout file; knows its path and its text for the messages."""

    _KEYS = (
        "name", "version", "title", "identify", "report_begins", "deal_name", "unsigned_percentages", "other_figures",
        "any_case", "classes", "block", "find",
    )  # fmt: skip

    def __init__(self, file: Path, text: str) -> None:
        self.file = file
        self.text = text
        self.unsigned: frozenset[str] = frozenset()
        self.others: frozenset[str] = frozenset()

    def layout(self, declared: dict[str, Any]) -> Layout:
        self._known_keys(declared, self._KEYS, "the file")
        self._needs(declared, ("name", "version", "title", "identify", "block"), "the file")
        if not NAME.fullmatch(declared["name"]):
            self._fail("name", "write a name in small letters, digits and hyphens, such as 'us-text-2002'")
        if not declared["identify"]:
            self._fail("identify", "name at least one mark by which the family's reports are known")
        self.unsigned = self._unsigned(declared.get("unsigned_percentages", []))
        self.others = self._other_figures(declared.get("other_figures", []))
        classes = declared.get("classes", {})
        self._known_keys(classes, ("aliases", "totals", "types", "sections"), "classes")
        blocks = tuple(self._block(block, f"block {number}") for number, block in enumerate(declared["block"], 1))
        self._references(blocks)
        finds = tuple(self._find(find, f"find {number}") for number, find in enumerate(declared.get("find", []), 1))
        self._distinct([find.name for find in finds], "find")
        return Layout(
            name=declared["name"],
            version=declared["version"],
            title=declared["title"],
            file=self.file,
            identify={mark: self._compiled(compile_search, mark, "identify") for mark in declared["identify"]},
            report_begins=self._optional(compile_search, declared, "report_begins", "the file"),
            classes=Classes(
                aliases=classes.get("aliases", {}),
                totals=tuple(classes.get("totals", [])),
                types=self._class_types(classes.get("types", {})),
                sections=self._optional(compile_search, classes, "sections", "classes"),
            ),
            blocks=blocks,
            finds=finds,
            any_case=declared.get("any_case", False),
            deal_name=self._deal_name(declared.get("deal_name")),
            unsigned_percentages=self.unsigned,
            other_figures=self.others,
        )

    def _unsigned(self, names: Sequence[str]) -> frozenset[str]:
        """The fields that are printed as percentages without a sign: each must be a fraction of some table."""
        fractions = [
            name for table in _TABLES for name in declared_table(table).fields if unit_of(table, name) == "fraction"
        ]
        for name in names:
            if name not in fractions:
                self._fail("unsigned_percentages", f"no fraction is called {name!r}{_nearest(name, fractions)}")
        return frozenset(names)

    def _other_figures(self, names: Sequence[str]) -> frozenset[str]:
        """What columns print that no table has: none of them is a field."""
        for name in names:
            if not _FIELD_NAME.fullmatch(name):
                self._fail("other_figures", f"{name!r} is no name; write small letters, digits and _")
            if known := [table for table in _TABLES if unit_of(table, name)]:
                self._fail("other_figures", f"{name!r} is a field of table {known[0]}; leave it out here")
        return frozenset(names)

    def _unit_in(self, table: str, name: str) -> str | None:
        """The unit of a field of a table, or that its percentages are printed without a sign. Raises PatternError."""
        unit = unit_of(table, name)
        if unit is None and name not in self.others:
            raise PatternError(_no_field(table, name))
        return unit and printed_unit(unit, name, self.unsigned)

    def _unit_anywhere(self, name: str) -> str | None:
        known = find_field(name)
        return self._unit_in(known[0], name) if known else None

    def _deal_name(self, template: str | None) -> str | None:
        if template is None:
            return None
        names = fields_of_name(template)
        if not names:
            self._fail("deal_name", "write {field} where what the report prints stands: '{issuer} SERIES {series}'")
        for name in names:
            if unit_of("reports", name) != "text" or name == "deal_name":
                known = _nearest(name, declared_table("reports").fields)
                self._fail("deal_name", f"table reports has no text {name!r} to name a deal by{known}")
        return template

    def _class_types(self, declared: Mapping[str, str]) -> dict[str, str]:
        for kind in declared:
            if kind not in CLASS_TYPES:
                self._fail("classes.types", f"there is no kind of class {kind!r}{_nearest(kind, CLASS_TYPES)}")
        return {kind: self._compiled(compile_search, name, f"classes.types.{kind}") for kind, name in declared.items()}

    def _block(self, declared: dict[str, Any], where: str) -> Block:
        self._known_keys(declared, (*(known.name for known in fields(Block)), "sample"), where)
        self._needs(declared, ("name", "table"), where)
        where = f"block {declared['name']}"
        table = declared["table"]
        if table not in _TABLES:
            self._fail(f"{where}.table", f"there is no table {table!r}{_nearest(table, _TABLES)}")
        units = partial(self._unit_in, table)
        block = Block(
            name=declared["name"],
            table=table,
            columns=tuple(declared.get("columns", [])),
            title=declared.get("title"),
            groups=self._optional(compile_search, declared, "groups", where),
            columns_of=declared.get("columns_of"),
            instead_of=declared.get("instead_of"),
            may_lack_groups=declared.get("may_lack_groups", False),
            may_lack_total=declared.get("may_lack_total", False),
            status=declared.get("status"),
            buckets=tuple(declared.get("buckets", [])),
            row_groups=self._optional(compile_search, declared, "row_groups", where),
            sparse=declared.get("sparse", False),
            row=self._optional(partial(compile_row, unit_of=units), declared, "row", where),
            total_row=self._optional(partial(compile_row, unit_of=units), declared, "total_row", where),
            cells=tuple(declared.get("cells", [])),
            labels={label: self._meaning(value, where) for label, value in declared.get("labels", {}).items()},
            labels_from=declared.get("labels_from"),
            same_rows_as=declared.get("same_rows_as"),
            may_omit=self._any_of(declared.get("may_omit", []), f"{where}.may_omit"),
            required=declared.get("required", True),
            expected=declared.get("expected", True),
            footnote=self._footnote(declared["footnote"], units, where) if "footnote" in declared else None,
        )
        self._check_block(block, where)
        self._check_sample(block, declared.get("sample"), where)
        return block

    def _check_block(self, block: Block, where: str) -> None:
        self._check_heads(block, where)
        if (block.row is None) == (not block.labels):
            self._fail(where, "a block has either a row (every line has the same shape) or labels (each line its own)")
        for name in _fields_of(block):
            if unit_of(block.table, name) is None and (block.row is None or name not in self.others):
                self._fail(where, _no_field(block.table, name))
        if block.row is not None:
            self._check_row_block(block, block.row, where)
        else:
            self._check_label_block(block, where)

    def _check_heads(self, block: Block, where: str) -> None:
        words = Counter(word for head in block.columns for word in head.split())
        word, count = max(words.items(), key=lambda counted: counted[1], default=("", 0))
        if count > _MOST_SAME_WORDS:
            self._fail(f"{where}.columns", f"{word!r} stands there {count} times; at most {_MOST_SAME_WORDS} are read")

    def _check_row_block(self, block: Block, row: Pattern, where: str) -> None:
        if len(block.columns) > len(row.fields):
            self._fail(f"{where}.columns", "there are more columns than the row has fields")
        if not block.has_head and block.same_rows_as is None:
            self._fail(
                where,
                "a block with rows needs columns, title or groups to be recognised by; rows that may stand anywhere "
                "need same_rows_as, the block whose classes they speak of",
            )
        if not block.has_head and row.optional:
            self._fail(f"{where}.row", "a row that may stand anywhere prints all its fields")
        if not set(row.optional) <= {"class_id", "cusip"}:
            self._fail(f"{where}.row", "only {class_id}? and {cusip}? may be missing in a row")
        if block.labels_from is None and "class_id" not in row.fields:
            self._fail(f"{where}.row", "the row has no {class_id}; name the block that labels its rows in labels_from")
        if block.buckets or block.status or block.row_groups or block.sparse or block.may_lack_groups:
            self._fail(where, "buckets, status, row_groups, sparse and may_lack_groups are for blocks with labels")

    def _check_label_block(self, block: Block, where: str) -> None:
        if block.cells and not 0 <= block.label_heads <= (0 if block.groups else 1):
            self._fail(
                f"{where}.cells",
                "each cell needs its column, and each column its cell; without groups one more may stand first, over "
                "the labels",
            )
        if block.cells and any(block.cells[0] in meaning.blank for meaning in block.labels.values()):
            self._fail(f"{where}.labels", f"{block.cells[0]} stands first and cannot be blank")
        if any(bool(meaning.field or meaning.fields) == bool(block.cells) for meaning in block.labels.values()):
            self._fail(f"{where}.labels", "a label means a field; only with cells does it mean a status and bucket")
        loans = [meaning for meaning in block.labels.values() if (meaning.table or block.table) == "delinquencies"]
        if block.status is None and any(meaning.status is None for meaning in loans):
            self._fail(f"{where}.labels", "a label of delinquencies needs a status")
        self._check_lists_of_fields(block, where)
        self._check_buckets(block, where)

    def _check_lists_of_fields(self, block: Block, where: str) -> None:
        counts = {len(meaning.fields) for meaning in block.labels.values()}
        if counts == {0}:
            return
        if block.groups or block.buckets or len(counts) > 1 or not 0 <= block.label_heads <= 1:
            self._fail(
                f"{where}.labels",
                "a list of fields has one for each column, in every label, and the block no groups or buckets; one "
                "more column may stand first, over the labels",
            )

    def _check_buckets(self, block: Block, where: str) -> None:
        if bool(block.buckets) != (block.status is not None):
            self._fail(f"{where}.buckets", "columns for buckets need the block's status, and a status its buckets")
        if block.buckets and (block.table != "delinquencies" or block.groups or block.cells):
            self._fail(f"{where}.buckets", "columns for buckets stand in table delinquencies, without groups and cells")
        if block.buckets and not block.columns_of and len(block.columns) < len(block.buckets):
            self._fail(f"{where}.buckets", "there are more buckets than columns; name a head for each")
        if block.status is not None and block.status not in LOAN_STATUSES:
            self._fail(f"{where}.status", f"there is no status {block.status!r}{_nearest(block.status, LOAN_STATUSES)}")
        if block.row_groups is not None and not block.buckets:
            self._fail(f"{where}.row_groups", "groups stand in the rows only where the columns are buckets")
        if block.may_lack_total and not (block.groups or block.row_groups):
            self._fail(f"{where}.may_lack_total", "a total over groups is missed only where there are groups")
        if (block.may_lack_groups or block.sparse) and not (block.groups and not block.cells):
            self._fail(where, "may_lack_groups and sparse are for blocks whose columns are groups alone")

    def _check_sample(self, block: Block, sample: str | None, where: str) -> None:
        if sample is None or block.row is None:
            return
        if not pl.select(block.row.matches(pl.lit(sample))).item():
            self._fail(f"{where}.sample", f"the row does not fit its own sample {sample!r}")

    def _find(self, declared: dict[str, Any], where: str) -> Find:
        self._known_keys(declared, ("name", "pattern", "expected", "any_case"), where)
        self._needs(declared, ("name", "pattern"), where)
        where = f"find {declared['name']}"

        any_case = declared.get("any_case", False)
        compile_ = partial(compile_find, unit_of=self._unit_anywhere, any_case=any_case)
        pattern = self._compiled(compile_, declared["pattern"], f"{where}.pattern")
        return Find(declared["name"], pattern, declared.get("expected", False))

    def _footnote(self, declared: dict[str, Any], units: Callable[[str], str | None], where: str) -> Footnote:
        where = f"{where}.footnote"
        self._known_keys(declared, ("pattern", "codes"), where)
        self._needs(declared, ("pattern", "codes"), where)
        compile_ = partial(compile_find, unit_of=units, any_case=True)
        codes = {word.lower(): code for word, code in declared["codes"].items()}
        return Footnote(self._compiled(compile_, declared["pattern"], f"{where}.pattern"), codes)

    def _meaning(self, declared: Any, where: str) -> Meaning:
        if isinstance(declared, str):
            return Meaning(field=declared)
        if _is(declared, _TEXTS) and declared:
            return Meaning(fields=tuple(declared))
        if not isinstance(declared, dict):
            self._fail(f"{where}.labels", "a label means a field, a list of fields, or a table with status and bucket")
        self._known_keys(declared, ("field", "table", "status", "bucket", "blank"), f"{where}.labels")
        table, field_ = declared.get("table"), declared.get("field")
        if table is not None:
            self._other_table(table, field_, where)
        blank = tuple(declared.get("blank", []))
        status = declared.get("status")
        if status is not None and status not in LOAN_STATUSES:
            self._fail(f"{where}.labels", f"there is no status {status!r}{_nearest(status, LOAN_STATUSES)}")
        if field_ is not None and ((status is None and table is None) or blank):
            self._fail(
                f"{where}.labels",
                "a table with field names the status of its one cell, or the table of the field, and nothing blank",
            )
        return Meaning(field=field_, table=table, status=status, bucket=declared.get("bucket"), blank=blank)

    def _other_table(self, table: str, name: str | None, where: str) -> None:
        """A label's table is one, and has its field."""
        if name is None:
            self._fail(f"{where}.labels", "a label of another table needs both: its table and its field")
        elif table not in _TABLES:
            self._fail(f"{where}.labels", f"there is no table {table!r}{_nearest(table, _TABLES)}")
        elif unit_of(table, name) is None:
            self._fail(f"{where}.labels", _no_field(table, name))

    def _references(self, blocks: Sequence[Block]) -> None:
        names = [block.name for block in blocks]
        self._distinct(names, "block")
        for block in blocks:
            above = next((other for other in blocks if other.name == block.columns_of), None)
            if above is not None and not (above.groups or above.buckets):
                self._fail(f"block {block.name}.columns_of", f"block {above.name} has no groups; name one that has")
            if above is not None and len(above.buckets) != len(block.buckets):
                self._fail(f"block {block.name}.columns_of", f"block {above.name} has other columns: {above.buckets}")
            for key in ("labels_from", "same_rows_as", "columns_of", "instead_of"):
                target = getattr(block, key)
                if target is not None and target not in names[: names.index(block.name)]:
                    self._fail(
                        f"block {block.name}.{key}", f"no block {target!r} stands before{_nearest(target, names)}"
                    )
        cells = [(block.table, name, block.name) for block in blocks if block.row for name in _fields_of(block)]
        seen: dict[tuple[str, str], str] = {}
        for table, name, block_name in cells:
            if name == "class_id":
                continue
            if seen.setdefault((table, name), block_name) != block_name:
                self._fail(f"block {block_name}", f"{name} is read by block {seen[table, name]} as well; one must do")

    def _distinct(self, names: Sequence[str], kind: str) -> None:
        for name in names:
            if names.count(name) > 1:
                self._fail(f"{kind} {name}", f"two {kind}s have this name; rename one")

    def _optional(self, compile_: Callable[[str], Any], declared: dict[str, Any], key: str, where: str) -> Any:
        return self._compiled(compile_, declared[key], f"{where}.{key}") if key in declared else None

    def _any_of(self, expressions: Sequence[str], where: str) -> str | None:
        compiled = [self._compiled(compile_search, expression, where) for expression in expressions]
        return f"^(?:{'|'.join(compiled)})$" if compiled else None

    def _compiled(self, compile_: Callable[[str], Any], source: str, where: str) -> Any:
        try:
            return compile_(source)
        except PatternError as error:
            message = f"{error}: in {source!r}"
            raise LayoutError(self.file, where, message, line_of(self.text, where, message)) from error

    def _known_keys(self, declared: Mapping[str, Any], known: Sequence[str], where: str) -> None:
        for key in declared:
            if key not in known:
                self._fail(where, f"there is no key {key!r}{_nearest(key, known)}")
            if not _is(declared[key], _KINDS[key]):
                self._fail(where, f"{key} must be {_KINDS[key]}", at=key)
            if key in _MOST and len(declared[key]) > _MOST[key]:
                self._fail(where, f"{key} has {len(declared[key]):,} entries; at most {_MOST[key]} are read", at=key)

    def _needs(self, declared: Mapping[str, Any], keys: Iterable[str], where: str) -> None:
        for key in keys:
            if key not in declared:
                self._fail(where, f"the key {key!r} is missing; add it")

    def _fail(self, where: str, message: str, at: str | None = None) -> NoReturn:
        """Refuse the file for what stands at `where`, or for its key `at`."""
        inner = where if at is None else at if where == "the file" else f"{where}.{at}"
        raise LayoutError(self.file, where, message, line_of(self.text, inner, message))


def _fields_of(block: Block) -> Iterator[str]:
    """The fields that a block's cells are read into."""
    for pattern in (block.row, block.total_row):
        yield from pattern.fields if pattern else ()
    yield from block.footnote.pattern.fields if block.footnote else ()
    yield from block.cells
    yield from (cell for meaning in block.labels.values() for cell in meaning.blank)
    yield from (meaning.field for meaning in block.labels.values() if meaning.field and meaning.table is None)
    yield from (name for meaning in block.labels.values() for name in meaning.fields)


def fields_of_name(template: str) -> tuple[str, ...]:
    """The fields that a deal's name is made of.

    >>> fields_of_name("{issuer} SERIES {series}")
    ('issuer', 'series')
    """
    return tuple(re.findall(r"\{([a-z][a-z0-9_]*)\}", template))


def _no_field(table: str, name: str) -> str:
    """That a table has no field of a name, with the mend."""
    return f"table {table} has no field {name!r}{_nearest(name, declared_table(table).fields)}"


def _nearest(wrong: str, known: Iterable[str]) -> str:
    """A suggestion for a misspelt name, or the names there are."""
    known = list(known)
    close = difflib.get_close_matches(wrong, known, n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; there are {', '.join(known)}"
