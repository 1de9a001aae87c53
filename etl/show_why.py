"""What people see of a document read line by line: what a layout claims in it, and what is missing."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from itertools import groupby

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from etl.terminal import MIN_WIDTH, OUTCOME_STYLES, hanging, printable
from etl.why import BlockSeen, Cell, Line, Marks, Misfit, Why

# Marks of what stands in a line, below it: cells that were read, numbers that no rule claims.
READ, UNCLAIMED = "-", "?"
# Names of blocks have so much room in the gutter.
_NAMES = 24
_LABEL = 11
# So many are told one by one; --json has all.
MAX_TOLD = 40
_NUMBERS_TOLD = 20


def why_as_json(found: Why) -> str:
    """All of it as one JSON object."""
    return json.dumps(asdict(found))


def show_why(found: Why) -> None:
    """Print a document line by line, and what became of it."""
    console = Console(highlight=False, soft_wrap=True, emoji=False, markup=False)
    width = max(MIN_WIDTH, console.width)
    console.print(printable(found.source))
    read = ", and by which head" if found.without_layout and found.layout else ""
    left = " (? says where it stands)" if found.without_layout else ""
    console.print(
        f"below a line: {READ * 3} is read (= says as what{read}), {UNCLAIMED * 3} is a number that nothing claims"
        f"{left}; H marks heads, ! lines with such numbers"
    )
    console.print()
    names = max((len(_by(line)) for line in found.lines), default=0)
    before: tuple[str, ...] = ()
    for line in found.lines:
        rules = _rules(line, heads=found.without_layout)
        paths = _paths(line) if found.without_layout else ""
        for text in _line(line, min(names, _NAMES), () if rules == before else rules, paths):
            console.print(text)
        before = rules or before
    console.print()
    for text in _summary(found, width):
        console.print(text)


# --- the lines ----------------------------------------------------------------------------------------------


def _line(line: Line, names: int, rules: Sequence[str], paths: str) -> Iterator[Text]:
    """A line with its gutter, the marks below it, and, if that is to be said, which rules read it and where the numbers
    stand that are left."""
    unclaimed = any(cell.block is None for cell in line.cells)
    mark = "!" if unclaimed else "H" if line.head_of else " "
    by = _by(line)
    name = by if len(by) <= names else f"{by[: names - 1]}…"
    styled = Text(f"{line.number:>6} {name:<{names}} {mark}| ", style="bold red" if unclaimed else "")
    shown = printable(line.text)
    text = Text(shown.rstrip(), style="bold" if line.head_of else "")
    for cell in line.cells:
        text.stylize(_style(cell), cell.start, cell.end)
    styled.append_text(text)
    styled.rstrip()
    yield styled
    gutter = f"{'':>6} {'':<{names}}  | "
    marks = _marks_below(shown, line.cells)
    if marks:
        yield Text(gutter + marks)
    if rules:
        yield Text(f"{gutter[:-2]}= {printable(', '.join(rules))}", style="dim")
    if paths:
        yield Text(f"{gutter[:-2]}? {printable(paths)}", style="dim")


def _style(cell: Cell) -> str:
    if cell.block is None:
        return "bold red"
    return "yellow" if cell.status == "unparsable" else "green"


def _by(line: Line) -> str:
    """The blocks and finds that read a line, or in whose head it stands."""
    names = [cell.block for cell in line.cells if cell.block is not None] or [line.head_of or ""]
    return ", ".join(dict.fromkeys(names))


def _rules(line: Line, *, heads: bool) -> tuple[str, ...]:
    """What the cells of a line were read as, from left to right: the fields of a block, or rules where there are
    several; with `heads` also the head that says so."""
    read = [cell for cell in line.cells if cell.block is not None]
    several = len({cell.block for cell in read}) > 1
    rules = [f"{cell.block}.{cell.field}" if several else cell.field or "" for cell in read]
    if heads:
        rules = [
            f"{rule} ('{cell.column_label}')" if cell.column_label else rule
            for rule, cell in zip(rules, read, strict=True)
        ]
    return tuple(rules)


def _paths(line: Line) -> str:
    """Where the numbers of a line stand that nothing claims: the label of the row / the heads of the columns."""
    left = [cell for cell in line.cells if cell.block is None]
    paths = []
    for label, cells in groupby(left, lambda cell: cell.row_label):
        heads = ", ".join(dict.fromkeys(cell.column_label for cell in cells if cell.column_label))
        paths.append(" / ".join(filter(None, (label or (heads and "-"), heads))))
    return "; ".join(filter(None, paths))


def _marks_below(text: str, cells: Sequence[Cell]) -> str:
    marks = ""
    for cell in sorted(cells, key=lambda cell: cell.start):
        marks += " " * (cell_len(text[: cell.start]) - len(marks))
        marks += (READ if cell.block is not None else UNCLAIMED) * max(1, cell_len(text[cell.start : cell.end]))
    return marks


# --- what became of it --------------------------------------------------------------------------------------


def _summary(found: Why, width: int) -> Iterator[Text]:
    yield from _layout_lines(found, width)
    if found.layout is None:
        yield from _refusals(found, width)
    yield from _item("numbers", _numbers(found), width)
    if found.layout is None:
        return
    blocks = [line for block in found.blocks for line in _block(block, width)]
    yield from _bounded("blocks", blocks)
    outcomes = ", ".join(f"{count:,} {outcome}" for outcome, count in found.outcomes.items())
    yield from _item("checks", outcomes or "none: they are made of reports that were read", width)
    failed = [
        line
        for check in found.failed_checks
        for line in hanging(
            " " * _LABEL,
            f"fail: {check.check}: {check.subject}"
            + (f", off by {check.difference}" if check.difference not in (None, "0") else "")
            + f"; {check.explanation}",
            width,
        )
    ]
    for line in failed[:MAX_TOLD]:
        line.stylize(OUTCOME_STYLES["fail"], _LABEL, _LABEL + 4)
        yield line
    yield from _more(len(failed))
    yield from _refusals(found, width)


def _numbers(found: Why) -> str:
    """How many numbers were claimed, and the first that were not."""
    left = found.numbers_found - found.numbers_claimed
    said = f"{found.numbers_found:,} found, {found.numbers_claimed:,} claimed, {left:,} unclaimed"
    places = [
        f"{cell.raw} (line {line.number}{_path(cell) if found.without_layout else ''})"
        for line in found.lines
        for cell in line.cells
        if cell.block is None
    ]
    more = f" and {len(places) - _NUMBERS_TOLD:,} more" if len(places) > _NUMBERS_TOLD else ""
    return f"{said}: {printable(', '.join(places[:_NUMBERS_TOLD]))}{more}" if places else said


def _path(cell: Cell) -> str:
    labels = " / ".join(filter(None, (cell.row_label, cell.column_label)))
    return f": {labels}" if labels else ""


def _layout_lines(found: Why, width: int) -> Iterator[Text]:
    """Which layout it was read with, and the marks that decide."""
    if found.layout is None:
        said = "none comes near; --layout NAME shows what one would read all the same"
        yield from _item("layout", said, width)
    elif found.without_layout:
        said = "none knows it; its class table is read as etl run reads it, by its heads and its own arithmetic"
        yield from _item("layout", said, width)
    else:
        chosen = "as etl run reads it" if found.by_run else "etl run does not read it so"
        yield from _item("layout", f"{found.layout}, {chosen}", width)
    name = (found.layout or "").partition("@")[0]
    shown = [marks for marks in found.marks if marks.found or marks.layout == name]
    for marks in sorted(shown, key=lambda marks: marks.layout != name):
        yield from _item("marks", _marks(marks), width)


def _marks(marks: Marks) -> str:
    count = len(marks.found) + len(marks.missing)
    missing = f"; missing: {_quoted(marks.missing)}" if marks.missing else ""
    there = f"; there: {_quoted(marks.found)}" if marks.missing and marks.found else ""
    return f"{marks.layout}: {len(marks.found)} of {count}{there}{missing}"


def _block(block: BlockSeen, width: int) -> Iterator[Text]:
    style = ""
    if block.heads or block.rows:
        read = f"{len(block.rows):,} lines read{_places(block.rows)}" if block.rows else "no line read"
        head = f"head in {_spans(block.heads)}; " if block.heads else ""
        said = f"{head}{read}"
        style = "bold red" if block.heads and not block.rows and block.required else ""
    else:
        said = "not found" + (" (required)" if block.required else " (may be missing)") + _near(block)
        style = "bold red" if block.required else ""
    lines = list(hanging(f"{'':<{_LABEL}}{printable(block.name)}: ", said, width))
    lines[0].stylize(style, _LABEL, _LABEL + len(block.name))
    yield from lines
    for misfit in block.misfits:
        yield from hanging(" " * (_LABEL + 4), _misfit(misfit), width)


def _near(block: BlockSeen) -> str:
    near = block.nearest
    if near is None:
        return "; no line is like its head"
    place = _place(near.lines)
    if not near.missing and not near.other:
        return f"; {place} has all words of its head, but not in the order of its columns from left to right"
    parts = [f"; nearest is {place}, with {near.found} of {near.wanted} words of its head"]
    parts += [f"missing: {_quoted(near.missing)}"] if near.missing else []
    parts += [f"not in it: {_quoted(near.other)}"] if near.other else []
    return "; ".join(parts)


def _misfit(misfit: Misfit) -> str:
    rest = misfit.rest if len(misfit.rest) <= MIN_WIDTH else f"{misfit.rest[:MIN_WIDTH]}..."
    here = f"here stands: {rest}" if rest else "here the line ends"
    if misfit.next_field is None:
        return f"line {misfit.line} is no row: it goes on where the row ends; {here}"
    after = f"after {misfit.fits[-1]}" if misfit.fits else "at its beginning"
    return f"line {misfit.line} is no row: {after} a row has {misfit.next_field}; {here}"


def _refusals(found: Why, width: int) -> Iterator[Text]:
    if not found.refusals:
        yield from _item("rejected", "no" if found.layout else "yes", width)
        return
    for refusal in found.refusals[:MAX_TOLD]:
        lines = list(_item("rejected", f"{refusal.reason_code}: {refusal.message}; {refusal.hint}", width))
        lines[0].stylize(OUTCOME_STYLES["fail"], 0, len("rejected"))
        yield from lines
    yield from _more(len(found.refusals))


# --- words --------------------------------------------------------------------------------------------------


def _item(label: str, text: str, width: int) -> Iterator[Text]:
    yield from hanging(f"{label:<{_LABEL}}", text, width)


def _bounded(label: str, lines: Sequence[Text]) -> Iterator[Text]:
    for number, line in enumerate(lines):
        yield Text(f"{label:<{_LABEL}}").append_text(line[_LABEL:]) if number == 0 else line


def _more(count: int) -> Iterator[Text]:
    if count > MAX_TOLD:
        yield Text(f"{'':<{_LABEL}}... and {count - MAX_TOLD:,} more; --json gives all of them")


def _quoted(words: Iterable[str]) -> str:
    return ", ".join(f"'{word}'" for word in words)


def _places(lines: Sequence[int]) -> str:
    return f", line {lines[0]}" if len(lines) == 1 else f", lines {lines[0]}-{lines[-1]}"


def _place(lines: Sequence[int]) -> str:
    return f"line {lines[0]}" if len(lines) == 1 else f"lines {lines[0]}-{lines[-1]}"


def _spans(heads: Sequence[Sequence[int]]) -> str:
    return ", ".join(_place(lines) for lines in heads)
