"""Where the keys of a layout file stand, so that a message about one can name its line.

What reads TOML for Python does not say where a value stood. A layout has few shapes, so a look at how its lines begin
is enough: headers of tables, keys, and what goes on over several lines.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

# Tables of which there are several, each with a name.
_NAMED = ("block", "find")
_HEADER = re.compile(r"\s*+\[\[?+([^\[\]#]++)\]\]?+\s*+(?:#.*)?$")
_KEY = re.compile(r"""\s*+("(?:\\.|[^"\\])*+"|'[^']*+'|[A-Za-z0-9_-]++)\s*+(?:\.\s*+([A-Za-z0-9_-]++)\s*+)?=""")
# What a value is made of: texts of both kinds, brackets, comments. Of a text that goes on, only its beginning.
_TOKEN = re.compile(r"'''(?:.*?''')?|\"\"\"(?:(?:\\.|[^\\])*?\"\"\")?|\"(?:\\.|[^\"\\])*+\"|'[^']*+'|#.*|[\[{]|[\]}]")
_QUOTED = re.compile(r"'([^']+)'")


@dataclass
class _Section:
    """The file's own keys, or a table of it: its kind, its number and name, and where its keys stand."""

    kind: str
    number: int
    line: int
    name: str = ""
    keys: list[tuple[str, int]] = field(default_factory=list)
    last: int = 0


def line_of(text: str, where: str, message: str) -> int | None:
    """The line of a key of a layout file, as messages name it: `block rates.row`, `find 2`, `classes.types`.

    Where the message quotes a word that stands further in, the line is that of the word. None where nothing of the name
    is found: of a file that is no TOML, or where a key of the file itself is missing.
    """
    lines = text.split("\n")
    kind, _, rest = where.partition(" ")
    several = kind in _NAMED and bool(rest)
    sections = [section for section in _sections(lines) if section.kind == (kind if several else "")]
    section = max(sections, key=lambda found: _fits(found, rest) if several else 1, default=None)
    if section is None or (several and not _fits(section, rest)):
        return None
    below = rest[_fits(section, rest) :] if several else where
    keys = [key for key in below.split(".") if key and key != "the file"]
    return _within(lines, section, keys, message)


def _fits(section: _Section, rest: str) -> int:
    """How much of the name of a place is that of the section; 0 where it is another's."""
    names = [name for name in (section.name, str(section.number)) if name]
    return max((len(name) for name in names if rest == name or rest.startswith(f"{name}.")), default=0)


def _within(lines: Sequence[str], section: _Section, keys: Sequence[str], message: str) -> int | None:
    """The line of the innermost key, or of the word that is wrong in it."""
    first, after, found = section.line, section.last + 1, False
    for number, (key, line) in enumerate(section.keys):
        if keys and key == ".".join(keys[: key.count(".") + 1]):
            others = (at for other, at in section.keys[number:] if f"{other}.".removeprefix(f"{key}.") == f"{other}.")
            first, after, found = line, next(others, section.last + 1), True
    for word in _QUOTED.findall(message):
        for line in range(max(first, 1), after):
            if word in lines[line - 1]:
                return line
    return first if found or section.kind else None


def _sections(lines: Sequence[str]) -> list[_Section]:
    sections = [_Section("", 1, 0)]
    prefix: list[str] = []
    for number, line in _statements(lines):
        header = _HEADER.match(line)
        if header:
            kind, *prefix = [part.strip().strip("\"'") for part in header[1].split(".")]
            if kind not in _NAMED:
                prefix = [kind, *prefix]
                here = sections[0] if prefix else sections[-1]
                here.keys.append((".".join(prefix), number))
                sections.append(here)
            elif not prefix:
                count = len({section.line for section in sections if section.kind == kind})
                sections.append(_Section(kind, count + 1, number))
            else:
                here = next(section for section in reversed(sections) if section.kind == kind)
                here.keys.append((".".join(prefix), number))
                sections.append(here)
        elif key := _KEY.match(line):
            section = sections[-1]
            name = ".".join([*prefix, key[1].strip("\"'"), *([key[2]] if key[2] else [])])
            section.keys.append((name, number))
            if name == "name" and section.kind:
                section.name = line.partition("=")[2].partition("#")[0].strip().strip("\"'")
        sections[-1].last = max(sections[-1].last, number)
    distinct = list({id(section): section for section in sections}.values())
    return _with_ends(distinct, len(lines))


def _with_ends(sections: list[_Section], lines: int) -> list[_Section]:
    """Each section ends where its last value does: before the next one begins."""
    begins = sorted(section.line for section in sections if section.kind)
    for section in sections:
        if section.kind:
            section.last = next((line - 1 for line in begins if line > section.line), lines)
        section.keys.sort(key=lambda key: key[1])
    return sections


def _statements(lines: Sequence[str]) -> Iterator[tuple[int, str]]:
    """The number and the text of each line at which a header or a key begins."""
    depth, quotes = 0, ""
    for number, line in enumerate(lines, 1):
        rest = line
        if quotes:
            _, ended, rest = rest.partition(quotes)
            quotes = "" if ended else quotes
        elif depth == 0 and rest.strip() and not rest.lstrip().startswith("#"):
            yield number, line
            rest = "" if _HEADER.match(line) else rest
        for piece in [] if quotes else _TOKEN.findall(rest):
            quotes = piece if piece in ("'''", '"""') else ""
            depth = max(0, depth + (piece in "[{") - (piece in "]}"))
