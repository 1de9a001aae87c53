"""Measures what the worst documents that we could think of cost: each is read alone, in a process of its own.

python -m benchmarks.hostile                     prints the table
python -m benchmarks.hostile --write             and puts it into docs/benchmarks.md
python -m benchmarks.hostile --only number,row   those whose names have one of these words
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.page import PAGE, write
from etl import RejectedError, load_layouts, read_report
from etl.decoding import count_lines
from etl.documents import MAX_BYTES, MAX_LINES, MAX_NUMBERS, count_numbers
from tests.kit import absc_2003_he2, render

BEGIN, END = "<!-- hostile: begin -->", "<!-- hostile: end -->"
# A process that takes longer or more is ended, so that a case cannot harm the machine.
MAX_SECONDS = 300
MAX_ADDRESSES = 20 * 1024**3

REPORT = render(absc_2003_he2.report()).encode()
_MARKS = b"STATEMENT TO CERTIFICATEHOLDERS\nDistribution Date: 17-Nov-03\nAMOUNTS PER $1,000 UNIT\nOrig\n"


# A place for each pattern that looks through prose.
_PROSE = (
    b"  A Trust, Series 2003-HE2\n B Certificates, Series 2003-HE2\n(Exact name of registrant\n"
    b"New York 333-86750 13-3354848\nHas Fairbanks failed the Termination Test NO\n:\n US Bank, as Trustee\n"
    b"Form 8-K\nItem 5. On 17-Nov-03 a scheduled distribution, Monthly Report, dated 17-Nov-03\n"
    b"D.C. 20549 (212) 555-0100 Section 13 or 15(d) Act of 1934 Exhibit No. 1\n1.) Form 10-Q Items 1,2\n"
    b"F. Item 5: (1) and PER $1,000 UNIT"
)


@dataclass(frozen=True)
class Measured:
    """What became of a document, its seconds on the clock, and the bytes of memory above those at the start."""

    outcome: str
    seconds: float
    memory: int


def _most(piece: bytes, least: int = 1) -> bytes:
    """The piece as often as the limits allow, beside a report."""
    room = (MAX_BYTES - len(REPORT)) // len(piece)
    lines, numbers = count_lines(piece) - 1, count_numbers(piece)
    if lines:
        room = min(room, (MAX_LINES - count_lines(REPORT)) // lines)
    if numbers:
        room = min(room, (MAX_NUMBERS - count_numbers(REPORT)) // numbers)
    return piece * max(room - 1, least)


def _different(form: bytes, start: int = 1_000_000) -> bytes:
    """The form with one number after the other, as often as the limits allow."""
    return b"".join(form % (start + number) for number in range(_most(form % start).count(form % start)))


def _with(hostile: bytes) -> bytes:
    """The whole valid report with something below its cover, where prose stands."""
    before, mark, after = REPORT.partition(b"STATEMENT TO CERTIFICATEHOLDERS")
    return before + hostile + b"\n" + mark + after


def _all_strips(name: bytes = b"M-1%d ") -> bytes:
    """Every class table many times as long, with this name of the class in each row that has any."""
    added = {
        line: [line.replace(b"M-1 ", name % number if b"%" in name else name, 1) for number in range(MAX_NUMBERS // 31)]
        if b"M-1 " in line
        else [line] * (MAX_NUMBERS // 31)
        for line in REPORT.split(b"\n")
        if line.startswith(b"      M-1 ") or line in _UNLABELLED
    }
    return b"\n".join(row for line in REPORT.split(b"\n") for row in (line, *added.get(line, [])))


_UNLABELLED = (b"    2.02000%       81,733", b"       0         44,140,000", b"    1.85167        1.85167")


def _up_to_the_limit(report: bytes) -> bytes:
    """The report with a line above its statement that makes it as large as may be."""
    mark, letters = b"STATEMENT TO", b"\xed\xa0\x80"
    return report.replace(mark, letters * ((MAX_BYTES - len(report)) // len(letters) - 1) + b"\n" + mark, 1)


def _below(line: bytes, hostile: bytes) -> bytes:
    """The report with something below a line of it."""
    assert line in REPORT
    return REPORT.replace(line, line + hostile, 1)


def cases() -> Iterator[tuple[str, Callable[[], bytes]]]:  # noqa: PLR0915 - a list
    """Names of documents, most of them as large as may be, and how to make them."""
    row = b"      A-1        397,000,000    345,199,023      16,219,450\n"
    yield "a report as filed", lambda: REPORT
    yield "the report over and over", lambda: _most(REPORT)
    yield "one line of letters", lambda: b"x" * MAX_BYTES
    yield "one line of digits with all marks", lambda: _MARKS + b"1" * (MAX_BYTES - 200)
    yield "blanks", lambda: b" " * MAX_BYTES
    yield "blanks in a report", lambda: _with(_most(b" "))
    yield "blank lines in a report", lambda: _with(_most(b"\n"))
    yield "short lines in a report", lambda: _with(_most(b"x\n"))
    yield "short lines with numbers", lambda: _with(_most(b"1\n"))
    yield "long lines", lambda: _with(_most(b"a word and " * 20_000 + b"\n"))
    yield "most lines, numbers and bytes at once", lambda: _with(_most(b"1 xxxxxxxxxxxxxxxxx\n"))
    yield "the same, all different", lambda: _with(_different(b"%d xxxxxxxxxxx\n\n\n"))
    yield "tabs and form feeds", lambda: _with(_most(b"\t\x0c\x0b x\n"))
    yield "line separators of Unicode", lambda: _with(_most("a\u2028b\u0085c\r".encode()))
    yield "one word", lambda: _with(_most(b"A"))
    yield "characters of four bytes", lambda: _with(_most("😀".encode()))
    yield "letters of cp1252", lambda: _with(_most(b"\xe9"))
    yield "bytes that are not even cp1252", lambda: _with(_most(b"\x81"))
    yield "lone surrogates", lambda: _with(_most(b"\xed\xa0\x80"))
    yield "control characters", lambda: _with(_most(bytes(range(1, 32))))
    yield "numbers in one paragraph", lambda: _with(_most(b"1 2 3 4\n"))
    yield "numbers in one line", lambda: _with(_most(b"1 "))
    yield "numbers in equal paragraphs", lambda: _with(_most(b"1 2 3\n\n\n"))
    yield "numbers in different paragraphs", lambda: _with(_different(b"%d 1 2\n\n\n"))
    yield "long numbers", lambda: _with(_most(b"1,234,567,890.12\n"))
    yield "one number with commas", lambda: _with(b"11," * (MAX_BYTES // 3 - 10_000))
    yield "different classes in one strip", lambda: _below(row, _different(row.replace(b"A-1 ", b"A-%d ")))
    yield "a class over and over", lambda: _below(row, _most(row))
    yield (
        "a class over and over in two strips",
        lambda: _below(
            b"      A-1            N/A        16,694,098\n", b"      A-1            N/A        16,694,098\n" * 40_000
        ).replace(row, row * 40_000),
    )
    yield "a class over and over in all strips", lambda: _all_strips(b"      M-1 ")
    yield "classes in all strips", _all_strips
    yield "classes in all strips, and letters up to the limit", lambda: _up_to_the_limit(_all_strips())
    yield "heads", lambda: _with(_most(b"     Class         Orig Bal       Beg Bal           Prin\n"))
    yield "pieces of heads", lambda: _with(_most(b"Class\nClass Orig\nInt Int Int\nEnd Bal\n"))
    yield "heads with groups", lambda: _with(_most(b"GROUP 1 GROUP 2 TOTAL\n" + b"Count Balance " * 3 + b"\n"))
    yield "heads with different groups", lambda: _with(_different(b"GROUP %d\nCount Balance\n"))
    yield "words of heads on one line", lambda: _with(_most(b"Count Balance "))
    yield (
        "different blanks between words of heads",
        lambda: _with(b"".join(b"Int" + b" " * n + b"Bal" + b" " * (n % 97) + b"Prin\n" for n in range(1, 3_800))),
    )
    yield "wrapped labels", lambda: _with(_most(b"Number of Loans for which\nPrepayment Premiums   91\n"))
    yield "single lines", lambda: _with(_most(b"Servicing Fee      278,036\n"))
    yield "different single lines", lambda: _with(_different(b"Servicing Fee %d\n"))
    yield (
        "delinquencies",
        lambda: _below(
            b"30-59 days delinq    82         11,291,931          32           6197784.4\n",
            _most(b"30-59 days delinq    82   11,291,931    32   6197784.4\n"),
        ),
    )
    yield (
        "notes and numbers in one line",
        lambda: _below(b"(REO)\n", b"do not include loans in x. " * 20 + _most(b"1 ") + b"\n"),
    )
    yield "notes below a head", lambda: _below(b"(REO)\n", _most(b"do not include loans in x.\n"))
    yield "series in one paragraph", lambda: _with(_most(b"Series 2003-HE2 "))
    yield "series in equal paragraphs", lambda: _with(_most(b"Series 2003-HE2\n\n\n"))
    yield "names of deals", lambda: _with(_different(b"Home Trust, Series 2003-%d\n\n\n"))
    yield "certificates", lambda: _with(_most(b"A Certificates\n"))
    yield "a deal's name of 10,000 characters", lambda: REPORT.replace(b"Home Equity", b"H" * 10_000)
    yield "a deal's name of 1 MB", lambda: REPORT.replace(b"Home Equity", b"Home " * 200_000)
    yield (
        "a deal's name of combining marks",
        lambda: REPORT.replace(b"Home Equity", "Home e\u0315\u0327\u0300".encode() * 100_000),
    )
    yield "a number of 1 MB", lambda: REPORT.replace(b"278,036", b"9" * 1_000_000)
    yield "colons and capitals for a trustee", lambda: _with(_most(b": x\n A b\n"))
    yield "zip codes for an address", lambda: _with(_most(b"x 10001 "))
    yield "telephones", lambda: _with(_most(b"(212) 555-0100\n\n\n"))
    yield "dates", lambda: _with(_most(b"On 17-Nov-03 a scheduled distribution\n\n\n"))
    yield (
        "all prose, many times, at the end of a paragraph",
        lambda: _with(_most(b"x")[: -len(_PROSE) * 40] + (b"\n" + _PROSE) * 25),
    )
    yield (
        "all prose, many times, in each paragraph",
        lambda: _with(_most((_PROSE + b"\n") * 10 + b"x" * 1_000 + b"\n\n\n")),
    )
    yield (
        "all prose in different paragraphs",
        lambda: _with(_different((_PROSE.replace(b"%", b"%%") + b"\n") * 10 + b"\n%d\n\n")),
    )
    yield "UTF-16 with a mark", lambda: _most(REPORT)[: MAX_BYTES // 2 - 2].decode().encode("utf-16")
    yield "NUL bytes", lambda: bytes(MAX_BYTES)
    yield "too many lines", lambda: b"x\n" * (MAX_BYTES // 2)
    yield "too many numbers", lambda: b"1 " * (MAX_BYTES // 2)
    yield "too many bytes", lambda: _most(REPORT) * 2
    yield "a file of 2 GB", lambda: b""


def read_in_a_process(file: Path, most: float = MAX_SECONDS) -> Measured:
    """The document read in a fresh process, which is ended after so many seconds."""
    variables = {**os.environ, "POLARS_MAX_THREADS": "1"}
    command = [sys.executable, "-m", "benchmarks.hostile", "--child", str(file)]
    try:
        done = subprocess.run(  # noqa: S603 - this program itself
            command, env=variables, capture_output=True, text=True, timeout=most, check=False
        )
    except subprocess.TimeoutExpired:
        return Measured("still reading", most, 0)
    if done.returncode:
        return Measured(f"died: {done.stderr.strip()[-120:]}", 0, 0)
    return Measured(**json.loads(done.stdout))


def _child(file: Path) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MAX_ADDRESSES, MAX_ADDRESSES))
    layouts = load_layouts()
    started, begun = peak_memory(), time.perf_counter()
    try:
        read_report(file, layouts)
        outcome = "read"
    except RejectedError as error:
        outcome = error.reason_code
    measured = {"outcome": outcome, "seconds": time.perf_counter() - begun, "memory": peak_memory() - started}
    sys.stdout.write(json.dumps(measured))


def peak_memory() -> int:
    """The most memory that the process has held so far, in bytes. (What `getrusage` says begins with the memory of
    the process that started this one.)"""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def _measured(words: list[str]) -> Iterator[str]:
    """Rows of the table, as they are measured."""
    yield "| document | MiB | seconds | MiB of memory | outcome |\n| --- | ---: | ---: | ---: | --- |"
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "document.txt"
        for name, make in cases():
            if any(word in name for word in words):
                file.write_bytes(make())
                if name == "a file of 2 GB":
                    os.truncate(file, 2 * 1024**3)
                got = read_in_a_process(file)
                size, memory = file.stat().st_size / 2**20, got.memory / 2**20
                yield f"| {name} | {size:,.1f} | {got.seconds:.1f} | {memory:,.0f} | `{got.outcome}` |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="words of names, parted by commas")
    parser.add_argument("--write", action="store_true", help=f"put the table into {PAGE.name}")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child is not None:
        _child(given.child)
        return
    rows = []
    for row in _measured(given.only.split(",")):
        print(row, flush=True)
        rows.append(row)
    if given.write:
        write("\n".join(rows), PAGE, BEGIN, END)


if __name__ == "__main__":
    main()
