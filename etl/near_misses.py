"""Which known layout comes nearest to a document, by the words of its heads and labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from etl.layout import Layout

# Words are looked for among those of so many characters.
LOOKED_AT = 400_000
MAX_NAMED = 6
# A layout of which less than this share of the heads stand in a document is not near.
_LEAST_SHARE = 0.3


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

    A label is found where it stands, a head where all its words stand in the text, wherever: stacked heads have them on
    several lines. So it is a hint for a person, and nothing is read by it.
    """
    words = text[:LOOKED_AT].split()
    misses = [_near_miss(set(words), " ".join(words), layout) for layout in layouts]
    near = [miss for miss in misses if miss.wanted and miss.found >= max(2, _LEAST_SHARE * miss.wanted)]
    return max(near, key=lambda miss: miss.found / miss.wanted, default=None)


def _near_miss(words: set[str], text: str, layout: Layout) -> NearMiss:
    heads = dict.fromkeys(head for block in layout.blocks for head in block.heads if head.strip())
    labels = dict.fromkeys(label for block in layout.blocks for label in block.labels if label.strip())
    missing = [head for head in heads if not words.issuperset(head.split())]
    missing += [label for label in labels if " ".join(label.split()) not in text]
    wanted = len(heads) + len(labels)
    return NearMiss(layout.name, wanted - len(missing), wanted, tuple(missing))
