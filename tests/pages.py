"""The examples of a page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .conftest import REPOSITORY

# Pages with examples. Those of docs that are links stand at the top of the repository, where code hosts look for them.
PAGES = (REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md")))
_FENCED = re.compile(r"(?:^<!-- (?P<mark>.*) -->\n)?^```(?P<language>.*)\n(?P<text>(?:.*\n)*?)^```$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A fenced block of a page.

    `mark` is what a comment right above it says, empty where there is none; `prints` the text block right behind it, or
    None.
    """

    page: Path
    line: int
    language: str
    text: str
    mark: str
    prints: str | None

    def __str__(self) -> str:
        return f"{self.page.name}, line {self.line}"


def examples(page: Path, language: str) -> list[str]:
    """The blocks of a page in a language, as they stand there."""
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(), re.DOTALL)


def blocks(page: Path) -> list[Block]:
    """All fenced blocks of a page."""
    return list(_blocks(page, page.read_text(encoding="utf-8")))


def _blocks(page: Path, text: str) -> Iterator[Block]:
    for found in _FENCED.finditer(text):
        behind = _FENCED.match(text, found.end() + len("\n\n"))
        prints = behind["text"] if behind and behind["language"] == "text" and not behind["mark"] else None
        line = text.count("\n", 0, found.start("language")) + 1
        yield Block(page, line, found["language"], found["text"], found["mark"] or "", prints)
