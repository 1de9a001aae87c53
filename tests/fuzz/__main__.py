"""Fuzzes the reader, guided by the coverage of its code: python -m tests.fuzz FOLDER [options of libFuzzer].

FOLDER keeps the inputs that reached something new; a new one is filled with generated reports. An input for which a
promise does not hold ends the run and is left as a file `broken-*`; with --keep-going the run goes on. Such as
`python -m tests.fuzz FOLDER -max_total_time=1200`. Needs `pip install 'trustee-etl[fuzz]'`.
"""

from __future__ import annotations

import sys
from hashlib import sha256
from pathlib import Path
from random import Random

import atheris

with atheris.instrument_imports(include=["etl"]):
    from etl import load_layouts
    from tests.fuzz.damage import damaged
    from tests.fuzz.properties import broken_promises

from tests.kit import absc_2003_he2, make_deal, random_style, render, simulate

SEEDS = 24
LONGEST = 200_000
_LAYOUTS = load_layouts()


# An input is read together with so many damaged copies: most of what a batch costs does not grow with its documents.
COPIES = 24


class BrokenPromiseError(Exception):
    """Something that must hold of every document does not hold of this one."""


def seeds() -> list[bytes]:
    """Reports of the generator, in many styles."""
    reports = [absc_2003_he2.report(), *(simulate(make_deal(number), 2)[-1] for number in range(SEEDS - 1))]
    return [render(report, random_style(number)).encode() for number, report in enumerate(reports)]


def try_one(content: bytes) -> None:
    """What libFuzzer calls with each input. Documents that break a promise are left as files `broken-*`."""
    draw = Random(content)
    copies = [damaged(content, draw)[:LONGEST] for _ in range(COPIES)]
    broken = broken_promises([content, *copies], _LAYOUTS)
    for document, promises in broken.items():
        Path(f"broken-{sha256(document).hexdigest()[:16]}").write_bytes(document)
        sys.stderr.write(f"{len(document)} bytes: {promises[:5]}\n")
    if broken and "--keep-going" not in sys.argv:
        raise BrokenPromiseError(str(next(iter(broken.values()))[:5]))


def mutate(content: bytes, longest: int, seed: int) -> bytes:
    """Another input: mostly one with a damaged line or word, now and then libFuzzer's own."""
    draw = Random(seed)
    if draw.random() < 0.1:
        return bytes(atheris.Mutate(content, longest))
    return damaged(content, draw)[:longest]


def main(arguments: list[str]) -> None:
    """Fuzz until an input breaks a promise or the time is up."""
    if len(arguments) < 2 or arguments[1].startswith("-"):
        sys.exit(__doc__)
    folder = Path(arguments[1])
    if not folder.exists():
        folder.mkdir(parents=True)
        for number, seed in enumerate(seeds()):
            (folder / f"seed-{number:02}").write_bytes(seed)
    atheris.Setup(
        [*arguments, f"-max_len={LONGEST}", "-timeout=60", "-rss_limit_mb=4096"], try_one, custom_mutator=mutate
    )
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv)
