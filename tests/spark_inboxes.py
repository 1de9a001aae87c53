"""Inboxes with all that an inbox may hold."""

from __future__ import annotations

import gzip
import os
from dataclasses import replace
from functools import cache
from pathlib import Path

from etl.layout import Layout, load_layouts

from .filings import COVER, submission
from .kit import absc_2003_he2, make_deal, random_style, render, simulate
from .test_filings import several, tarred, zipped

ORIGINAL = render(absc_2003_he2.report())
AMENDED = ORIGINAL.replace("FORM 8-K", "FORM 8-K/A").replace("278,036", "278,037")
CONFLICTING = ORIGINAL.replace("278,036", "278,038")
NUMBERS = [f"0000950000-03-{number:06}" for number in range(10)]
# Of a family that no layout knows: its own arithmetic proves it, or does not.
UNKNOWN = "Statement\n\nClass  Beginning  Principal  Ending\nA      100.00     10.00      90.00\n"


@cache
def reports() -> tuple[str, ...]:
    """Months of three deals."""
    return tuple(render(report, random_style(seed)) for seed in (1, 2, 3) for report in simulate(make_deal(seed), 3))


@cache
def layouts() -> tuple[Layout, ...]:
    """The packaged layouts, by which a document may hold several reports: each has its cover."""
    return tuple(replace(layout, report_begins=r"\*\*\* REPORT [0-9]+ \*\*\*") for layout in load_layouts())


def bare(text: str) -> str:
    """A report as its submission has it: with the end of the line before its mark."""
    return f"{text}\n"


def write_mixed_inbox(folder: Path) -> Path:
    """Reports alone, in submissions and in archives; copies, restatements and conflicts; and what is no report."""
    some = reports()
    page = f"<html><body><pre>{some[2]}</pre></body></html>"
    plain = {"a.txt": some[0].encode(), "dir/b.txt": submission([COVER, some[1]], number=NUMBERS[1]).encode()}
    files: dict[str, bytes] = {
        "original.txt": ORIGINAL.encode(),
        "copy of original.txt": ORIGINAL.encode(),
        "conflict.txt": CONFLICTING.encode(),
        "filed.txt": submission([COVER, some[3]], number=NUMBERS[2]).encode(),
        "bare copy of filed.txt": bare(some[3]).encode(),
        "a bare copy that comes first.txt": bare(some[4]).encode(),
        "z filed.txt": submission([COVER, some[4]], number=NUMBERS[3]).encode(),
        "twice/filed again.txt": submission([COVER, some[3]], number=NUMBERS[4], filed="20031222").encode(),
        "pem.txt": submission([COVER, some[5]], number=NUMBERS[5], pem=True).encode(),
        "page.htm": page.encode(),
        "many.txt": several(some[5:8], above="A letter above all\n").encode(),
        "feed.zip": zipped(plain),
        "feed.tar.gz": tarred({"c.txt": bare(some[8]).encode(), "no.txt": b"Dear Sirs"}, "w:gz"),
        "deep.zip": zipped({"inner.tar.gz": tarred(plain, "w:gz"), "letter.txt": b"Dear Sirs"}),
        "alone.txt.gz": gzip.compress(some[6].encode(), mtime=0),
        "damaged.zip": zipped(plain)[:-30],
        "empty.txt": b"",
        "blank.txt": b" \n\n",
        "picture.png": b"\x89PNG\r\n\x1a\n0000",
        "letter.txt": b"Dear Sirs",
        "letter again.txt": b"Dear Sirs",
        "unknown.txt": UNKNOWN.encode(),
        "cut.txt": some[7][: len(some[7]) // 2].encode(),
        "cut again.txt": some[7][: len(some[7]) // 2].encode(),
        "crlf.txt": some[8].replace("\n", "\r\n").encode(),
        ".hidden.txt": simulated(4).encode(),
        "_underscored.txt": simulated(5).encode(),
        "a b%20c#1[x]{y}*?é中!.txt": simulated(6).encode(),
        "colon: and \\ backslash.txt": simulated(7).encode(),
        "[1]/%/#/ü.txt": simulated(8).encode(),
        "only a cover.txt": submission([COVER], number=NUMBERS[6]).encode(),
    }
    for name, content in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    (folder / os.fsdecode(b"latin-\xe9.txt")).write_bytes(simulated(9).encode())
    (folder / "link.txt").symlink_to(folder / "original.txt")
    return folder


def write_later_inbox(folder: Path) -> Path:
    """What comes later: an amendment, a filing of what was bare, a new month, a copy."""
    some = reports()
    folder.mkdir(parents=True)
    (folder / "amended.txt").write_text(AMENDED)
    (folder / "filed later.txt").write_text(submission([COVER, some[8]], number=NUMBERS[7]))
    (folder / "new.txt").write_text(simulated(10))
    (folder / "copy.txt").write_text(some[0])
    return folder


def write_few(folder: Path) -> Path:
    """Some reports, one of which comes filed and bare, and a letter."""
    folder.mkdir(parents=True)
    (folder / "original.txt").write_text(ORIGINAL)
    (folder / "0 bare copy.txt").write_text(bare(reports()[8]))
    (folder / "1.txt").write_text(submission([COVER, reports()[8]], number=NUMBERS[8]))
    (folder / "2.txt").write_text(reports()[0])
    (folder / "letter.txt").write_text("Dear Sirs")
    return folder


@cache
def simulated(seed: int) -> str:
    """A report of another deal."""
    return render(simulate(make_deal(seed), 1)[0], random_style(seed))
