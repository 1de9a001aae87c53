"""The name of a deal → its slug, which names its folders.

A deal is known by the words of its name and their order: line wraps, commas, other separating
punctuation and capitals do not matter. Everything that does matter is in the slug, so that two deals
never share one: where a name has other characters, or is too long, two hyphens and a hash of its
words are appended. No plain name has two hyphens.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

MAX_LENGTH = 100
_HASH_LENGTH = 10
# Unicode's normal forms take quadratic time over runs of combining marks. A longer text is no name of a deal, and is
# taken as it is printed.
_MAX_NORMALIZED = 1000
# Blanks, punctuation, and the dashes and quotes of Unicode.
_SEPARATORS = re.compile(r"[\s,.;:'\"()\[\]/_\u2010-\u2015\u2018-\u201f-]+")
_WORD = re.compile(r"[a-z0-9]+")
_OTHERS = re.compile("[^a-z0-9]")


def deal_slug(name: str) -> str:
    """The slug of a deal's name: `[a-z][a-z0-9-]{0,99}`.

    >>> deal_slug("Home Equity Loan Trust,  Series 2003-HE2")
    'home-equity-loan-trust-series-2003-he2'
    """
    return _slug(name) if len(name) > _MAX_NORMALIZED else _known_slug(name)


def _slug(name: str) -> str:
    words = _words(name)
    slug = _plain(words)
    lossless = all(_WORD.fullmatch(word) for word in words)
    if lossless and slug[:1].isalpha() and len(slug) <= MAX_LENGTH:
        return slug
    digest = hashlib.sha256(" ".join(words).encode()).hexdigest()[:_HASH_LENGTH]
    kept = slug if slug[:1].isalpha() else f"deal-{slug}"
    return f"{kept[: MAX_LENGTH - _HASH_LENGTH - 2].rstrip('-')}--{digest}"


# A report names its deal several times, and so do those of the next months.
_known_slug = lru_cache(1000)(_slug)


def plain_slug(name: str) -> str:
    """The plain words of a name or of a part of it, as they stand in slugs.

    >>> plain_slug("Series 2003-HE2")
    'series-2003-he2'
    """
    return _plain(_words(name))


def _plain(words: Sequence[str]) -> str:
    plain = [_OTHERS.sub("", word) for word in words]
    return "-".join(word for word in plain if word)


def _words(name: str) -> list[str]:
    normal = unicodedata.normalize("NFKC", name) if len(name) <= _MAX_NORMALIZED else name
    return [word for word in _SEPARATORS.split(normal.casefold()) if word]
