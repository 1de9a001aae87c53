"""Which known layout comes nearest to a document, by the words of its heads and labels."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from etl.blocks import AMOUNT, MAX_HEAD_LINES
from etl.layout import Layout

# Words are looked for among those of so many characters.
LOOKED_AT = 400_000
MAX_NAMED = 6
# A layout of which less than this share of the heads stand in a document is not near.
_LEAST_SHARE = 0.3
_AMOUNT = re.compile(AMOUNT)


@dataclass(frozen=True)
class NearMiss:
    """A layout that comes near: how many of its heads were found, and the missing ones."""

    layout: str
    found: int
    wanted: int
    missing: tuple[str, ...]

    def __str__(self) -> str:
        named = ", ".join(f"'{head}'" for head in self.missing[:MAX_NAMED])
        more = f" and {len(self.missing) - MAX_NAMED} more" if len(self.missing) > MAX_NAMED else ""
        lacking = f"; missing: {named}{more}" if named else ""
        return f"{self.found} of {self.wanted} heads of {self.layout} were found{lacking}"


def nearest(text: str, layouts: Sequence[Layout]) -> NearMiss | None:
    """The layout most of whose heads stand in the text, if any comes near.

    Words are compared as the layout compares them. A label is found where a line has it, a head where lines without
    amounts have all its words, as many lines together as a head may have: they need not stand in the order of its
    columns. So it is a hint for a person, and nothing is read by it.
    """
    lines = [line for line in text[:LOOKED_AT].split("\n") if line.strip()]
    misses = []
    for _, alike in groupby(sorted(layouts, key=_any_case), _any_case):
        group = list(alike)
        looked = _Looked(lines, group)
        misses += [_near_miss(looked, layout) for layout in group]
    near = [miss for miss in misses if miss.wanted and miss.found >= max(2, _LEAST_SHARE * miss.wanted)]
    return max(near, key=lambda miss: miss.found / miss.wanted, default=None)


def _any_case(layout: Layout) -> bool:
    return layout.any_case


class _Looked:
    """A text as it is looked at for layouts that compare words alike: its lines, blanks collapsed, and near which lines
    each word of their heads stands."""

    def __init__(self, lines: Sequence[str], layouts: Sequence[Layout]) -> None:
        folded = [layouts[0].folded(line).split() for line in lines]
        self.text = "\n".join(" ".join(words) for words in folded)
        heads = (layout.folded(word) for layout in layouts for block in layout.blocks for word in block.head_words)
        self._near: dict[str, set[int]] = {word: set() for word in heads}
        for number, words in enumerate(folded):
            if not _AMOUNT.search(lines[number]):
                for word in self._near.keys() & words:
                    self._near[word].update(range(number, number + MAX_HEAD_LINES))

    def has(self, words: Sequence[str]) -> bool:
        """Whether so few lines together have all the words."""
        first, *others = (self._near[word] for word in words)
        return bool(first.intersection(*others))


def _near_miss(looked: _Looked, layout: Layout) -> NearMiss:
    heads = dict.fromkeys(head for block in layout.blocks for head in block.heads if head.strip())
    labels = dict.fromkeys(label for block in layout.blocks for label in block.labels if label.strip())
    missing = [head for head in heads if not looked.has(layout.folded(head).split())]
    missing += [label for label in labels if " ".join(layout.folded(label).split()) not in looked.text]
    wanted = len(heads) + len(labels)
    return NearMiss(layout.name, wanted - len(missing), wanted, tuple(missing))
