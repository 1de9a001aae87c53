"""A layout: the description, as data, of one family of reports.

A layout is a folder with a `layout.toml`, a `sample.txt` and the sample's `expected/` tables. This
module turns the file into checked, compiled objects, and tells which layout a document has.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from etl.errors import LayoutError, UsageError
from etl.patterns import Pattern, PatternError, compile_find, compile_row, compile_search
from etl.schema import find_field, unit_of
from etl.schema import table as declared_table

PACKAGED = Path(__file__).parent / "layouts"

# Kinds of classes, which the checks treat differently.
CLASS_TYPES = ("notional", "over_collateralization", "prepayment_premium", "residual", "senior", "subordinate")

# What the contract calls the standing of loans.
LOAN_STATUSES = ("outstanding", "delinquent", "foreclosure", "bankruptcy", "reo")

# Tables whose names a layout may use.
_TABLES = ("classes", "pools", "delinquencies", "reports", "triggers", "measures")


@dataclass(frozen=True)
class Meaning:
    """What a labelled row means: the field of its cell, or the keys that its cells share."""

    field: str | None = None
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
    row: Pattern | None = None
    total_row: Pattern | None = None
    cells: tuple[str, ...] = ()
    labels: Mapping[str, Meaning] = field(default_factory=dict)
    labels_from: str | None = None
    same_rows_as: str | None = None
    may_omit: tuple[str, ...] = ()
    required: bool = True
    footnote: Footnote | None = None

    @property
    def has_head(self) -> bool:
        """Whether the block starts at a head; without one its lines may stand anywhere."""
        return bool(self.columns or self.title or self.groups)


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

    @property
    def label(self) -> str:
        """Name and version, as they stand in `reports.layout`."""
        return f"{self.name}@{self.version}" if self.version else self.name


def load_layouts(folder: Path = PACKAGED) -> tuple[Layout, ...]:
    """All layouts of a folder, by name. Raises LayoutError at the first that is wrong."""
    layouts = [load_layout(file) for file in sorted(folder.glob("*/layout.toml"))]
    names = [layout.name for layout in layouts]
    for layout in layouts:
        if names.count(layout.name) > 1:
            raise LayoutError(layout.file, "name", f"two layouts are called {layout.name!r}; rename one")
    return tuple(layouts)


def usable_layouts(layouts: Sequence[Layout] | None) -> Sequence[Layout]:
    """The given layouts, or the packaged ones. Raises UsageError where there is none at all."""
    chosen = load_layouts() if layouts is None else layouts
    if not chosen:
        raise UsageError("there is no layout to read with; give at least one")
    return chosen


def load_layout(file: Path) -> Layout:
    """The layout in a `layout.toml`. Raises LayoutError that names the key and the mend."""
    try:
        declared = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise LayoutError(file, "file", error.strerror or str(error)) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise LayoutError(file, "file", f"is no valid TOML: {error}") from error
    return _Reader(file).layout(declared)


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
    **dict.fromkeys(("identify", "columns", "cells", "may_omit", "totals", "blank"), _TEXTS),
    **dict.fromkeys(("classes", "labels", "footnote"), _TABLE),
    **dict.fromkeys(("aliases", "codes", "types"), _TEXT_TABLE),
    **dict.fromkeys(("block", "find"), _TABLES_LIST),
    "version": _NUMBER,
    "required": _SWITCH,
    "expected": _SWITCH,
    "any_case": _SWITCH,
}


def _is(value: Any, kind: str) -> bool:
    if kind in (_TEXTS, _TABLES_LIST):
        item = str if kind == _TEXTS else dict
        return isinstance(value, list) and all(isinstance(entry, item) for entry in value)
    if kind == _TEXT_TABLE:
        return isinstance(value, dict) and all(isinstance(entry, str) for entry in value.values())
    return type(value) is {_TEXT: str, _NUMBER: int, _SWITCH: bool, _TABLE: dict}[kind]


class _Reader:
    """Reads one layout file; knows its path for the messages."""

    _KEYS = ("name", "version", "title", "identify", "report_begins", "classes", "block", "find")

    def __init__(self, file: Path) -> None:
        self.file = file

    def layout(self, declared: dict[str, Any]) -> Layout:
        self._known_keys(declared, self._KEYS, "the file")
        self._needs(declared, ("name", "version", "title", "identify", "block"), "the file")
        if not declared["identify"]:
            self._fail("identify", "name at least one mark by which the family's reports are known")
        classes = declared.get("classes", {})
        self._known_keys(classes, ("aliases", "totals", "types"), "classes")
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
            ),
            blocks=blocks,
            finds=finds,
        )

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
        units = partial(unit_of, table)
        block = Block(
            name=declared["name"],
            table=table,
            columns=tuple(declared.get("columns", [])),
            title=declared.get("title"),
            groups=self._optional(compile_search, declared, "groups", where),
            columns_of=declared.get("columns_of"),
            row=self._optional(partial(compile_row, unit_of=units), declared, "row", where),
            total_row=self._optional(partial(compile_row, unit_of=units), declared, "total_row", where),
            cells=tuple(declared.get("cells", [])),
            labels={label: self._meaning(value, where) for label, value in declared.get("labels", {}).items()},
            labels_from=declared.get("labels_from"),
            same_rows_as=declared.get("same_rows_as"),
            may_omit=tuple(declared.get("may_omit", [])),
            required=declared.get("required", True),
            footnote=self._footnote(declared["footnote"], units, where) if "footnote" in declared else None,
        )
        self._check_block(block, where)
        self._check_sample(block, declared.get("sample"), where)
        return block

    def _check_block(self, block: Block, where: str) -> None:
        if (block.row is None) == (not block.labels):
            self._fail(where, "a block has either a row (every line has the same shape) or labels (each line its own)")
        for name in _fields_of(block):
            if unit_of(block.table, name) is None:
                known = _nearest(name, declared_table(block.table).fields)
                self._fail(where, f"table {block.table} has no field {name!r}{known}")
        if block.row is not None:
            self._check_row_block(block, block.row, where)
        else:
            self._check_label_block(block, where)

    def _check_row_block(self, block: Block, row: Pattern, where: str) -> None:
        if len(block.columns) > len(row.fields):
            self._fail(f"{where}.columns", "there are more columns than the row has fields")
        if not block.has_head:
            self._fail(where, "a block with rows needs columns, title or groups to be recognised by")
        if block.labels_from is None and "class_id" not in row.fields:
            self._fail(f"{where}.row", "the row has no {class_id}; name the block that labels its rows in labels_from")

    def _check_label_block(self, block: Block, where: str) -> None:
        if block.cells and len(block.cells) != len(block.columns):
            self._fail(f"{where}.cells", "each cell needs its column, and each column its cell")
        if block.cells and any(block.cells[0] in meaning.blank for meaning in block.labels.values()):
            self._fail(f"{where}.labels", f"{block.cells[0]} stands first and cannot be blank")
        if any((meaning.field is None) != bool(block.cells) for meaning in block.labels.values()):
            self._fail(f"{where}.labels", "a label means a field; only with cells does it mean a status and bucket")

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
        compile_ = partial(compile_find, unit_of=_unit_anywhere, any_case=any_case)
        pattern = self._compiled(compile_, declared["pattern"], where)
        return Find(declared["name"], pattern, declared.get("expected", False))

    def _footnote(self, declared: dict[str, Any], units: Callable[[str], str | None], where: str) -> Footnote:
        where = f"{where}.footnote"
        self._known_keys(declared, ("pattern", "codes"), where)
        self._needs(declared, ("pattern", "codes"), where)
        compile_ = partial(compile_find, unit_of=units, any_case=True)
        codes = {word.lower(): code for word, code in declared["codes"].items()}
        return Footnote(self._compiled(compile_, declared["pattern"], where), codes)

    def _meaning(self, declared: Any, where: str) -> Meaning:
        if isinstance(declared, str):
            return Meaning(field=declared)
        if not isinstance(declared, dict):
            self._fail(f"{where}.labels", "a label means a field, or a table with status and bucket")
        self._known_keys(declared, ("status", "bucket", "blank"), f"{where}.labels")
        blank = tuple(declared.get("blank", []))
        status = declared.get("status")
        if status is not None and status not in LOAN_STATUSES:
            self._fail(f"{where}.labels", f"there is no status {status!r}{_nearest(status, LOAN_STATUSES)}")
        return Meaning(status=declared.get("status"), bucket=declared.get("bucket"), blank=blank)

    def _references(self, blocks: Sequence[Block]) -> None:
        names = [block.name for block in blocks]
        self._distinct(names, "block")
        for block in blocks:
            above = next((other for other in blocks if other.name == block.columns_of), None)
            if above is not None and above.groups is None:
                self._fail(f"block {block.name}.columns_of", f"block {above.name} has no groups; name one that has")
            for key in ("labels_from", "same_rows_as", "columns_of"):
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

    def _compiled(self, compile_: Callable[[str], Any], source: str, where: str) -> Any:
        try:
            return compile_(source)
        except PatternError as error:
            raise LayoutError(self.file, where, f"{error}: in {source!r}") from error

    def _known_keys(self, declared: Mapping[str, Any], known: Sequence[str], where: str) -> None:
        for key in declared:
            if key not in known:
                self._fail(where, f"there is no key {key!r}{_nearest(key, known)}")
            if not _is(declared[key], _KINDS[key]):
                self._fail(where, f"{key} must be {_KINDS[key]}")

    def _needs(self, declared: Mapping[str, Any], keys: Iterable[str], where: str) -> None:
        for key in keys:
            if key not in declared:
                self._fail(where, f"the key {key!r} is missing; add it")

    def _fail(self, key: str, message: str) -> None:
        raise LayoutError(self.file, key, message)


def _fields_of(block: Block) -> Iterator[str]:
    """The fields that a block's cells are read into."""
    for pattern in (block.row, block.total_row):
        yield from pattern.fields if pattern else ()
    yield from block.footnote.pattern.fields if block.footnote else ()
    yield from block.cells
    yield from (cell for meaning in block.labels.values() for cell in meaning.blank)
    yield from (meaning.field for meaning in block.labels.values() if meaning.field)


def _unit_anywhere(name: str) -> str | None:
    known = find_field(name)
    return known[1] if known else None


def _nearest(wrong: str, known: Iterable[str]) -> str:
    """A suggestion for a misspelt name, or the names there are."""
    known = list(known)
    close = difflib.get_close_matches(wrong, known, n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; there are {', '.join(known)}"
