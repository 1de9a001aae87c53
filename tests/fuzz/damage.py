"""The bytes of a report → bytes that are damaged in a few places. All that is drawn comes from the given `Random`."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

# What may stand where it should not: words that the layouts look for, and bytes that trip readers up.
_WORDS = r"""
0 1 12 1,250 1,25 1. .5 1.2.3 (0) (4,179) $( -$1 1.50000% N/A NA n/a YES NO 17-Nov-03 31-Feb-03 1/2/03
Total TOTAL GROUP A-1 A-IO A1 BIO P X R Class Orig Bal Int Rate Loss Prin Cusip Count Balance RAISF : x
../../x a=b %2e {} {x} $(id) 'x' "x" \ \n ; --
é 日本 😀 ½ ² İ ﬁ
"""
_PHRASES = """GROUP 1
GROUP 2 TOTAL
GROUP 10
Principal Distributions:
Interest Distributions:
Int Short       End Bal
Series 2003-HE2
Trust, Series 2003-HE3
Certificates, Series 2003-HE2
as Trustee
Distribution Date:
Exhibit No. 1
Form 8-K/A
Item 5.
On 17-Nov-03 a scheduled
do not include loans in REO.
Servicing Fee 1
Number of Loans for which
(Exact name of registrant
(212) 555-0100"""
_BLANKS = ("\n", "\n\n", "\r", "\r\n", " ", "\t", "\x0c", "\x0b", "\x1c", "\x85", "\u2028", "\xa0", "\ufeff")
_LOOKALIKES = ("\u0660\u0661", "\u202e", "e\u0301", "\uff21\uff11", "\uff11\uff12", "\x1b[31m", "\x00", "\x7f")
_BYTES = (b"\x80", b"\xff", b"\x85", b"\xed\xa0\x80", b"\xf4\x90\x80\x80")
SNIPPETS = (
    *(text.encode() for text in (*_WORDS.split(), *_PHRASES.split("\n"), *_BLANKS, *_LOOKALIKES)),
    *_BYTES,
)
_RUNS = (b" ", b"0", b"9", b"1 ", b"x", b"A-", b"\n", b"x\n", b"1\n", b"(", b",", b"1,", b"\t", b"Class ", b"\xe9")


def damaged(content: bytes, draw: Random, most: int = 4) -> bytes:
    """`content` with one to `most` damages."""
    for _ in range(draw.randint(1, most)):
        content = draw.choice(_DAMAGES)(content, draw)
    return content


def _byte(content: bytes, draw: Random) -> bytes:
    """A byte with other bits."""
    if not content:
        return bytes([draw.randrange(256)])
    at = draw.randrange(len(content))
    return content[:at] + bytes([draw.randrange(256)]) + content[at + 1 :]


def _digit(content: bytes, draw: Random) -> bytes:
    """Another digit in the place of one."""
    places = [at for at, byte in enumerate(content) if 48 <= byte <= 57]
    if not places:
        return content
    at = draw.choice(places)
    return content[:at] + str(draw.randrange(10)).encode() + content[at + 1 :]


def _snippet(content: bytes, draw: Random) -> bytes:
    """A snippet between two bytes, or in the place of some."""
    at = draw.randint(0, len(content))
    return content[:at] + draw.choice(SNIPPETS) + content[at + draw.choice((0, 0, 1, 5)) :]


def _word(content: bytes, draw: Random) -> bytes:
    """A snippet, or another word of the document, in the place of a word."""
    words = content.split(b" ")
    full = [at for at, word in enumerate(words) if word.strip()]
    if not full:
        return content
    words[draw.choice(full)] = draw.choice((draw.choice(SNIPPETS), words[draw.choice(full)], b""))
    return b" ".join(words)


def _line_of(change: Callable[[list[bytes], int, Random], None]) -> Callable[[bytes, Random], bytes]:
    """A damage that changes the list of lines at one of them."""

    def damage(content: bytes, draw: Random) -> bytes:
        lines = content.split(b"\n")
        change(lines, draw.randrange(len(lines)), draw)
        return b"\n".join(lines)

    return damage


def _lose(lines: list[bytes], at: int, draw: Random) -> None:
    del lines[at : at + draw.choice((1, 1, 1, 3, 30))]


def _double(lines: list[bytes], at: int, draw: Random) -> None:
    lines[at:at] = lines[at : at + draw.choice((1, 1, 3, 20, 400))] * draw.choice((1, 1, 2, 30))


def _move(lines: list[bytes], at: int, draw: Random) -> None:
    taken = lines[at : at + draw.choice((1, 1, 2, 15))]
    del lines[at : at + len(taken)]
    to = draw.randint(0, len(lines))
    lines[to:to] = taken


def _exchange(lines: list[bytes], at: int, draw: Random) -> None:
    other = draw.randrange(len(lines))
    lines[at], lines[other] = lines[other], lines[at]


def _join(lines: list[bytes], at: int, draw: Random) -> None:
    lines[at : at + 2] = [draw.choice((b"", b" ", b"   ")).join(lines[at : at + 2])]


def _break(lines: list[bytes], at: int, draw: Random) -> None:
    place = draw.randint(0, len(lines[at]))
    lines[at : at + 1] = [lines[at][:place], lines[at][place:]]


def _shift(lines: list[bytes], at: int, draw: Random) -> None:
    lines[at] = draw.choice(
        (b" " * 7 + lines[at], lines[at].strip(), lines[at].replace(b"  ", b" "), lines[at] + b"  1")
    )


def _cut(content: bytes, draw: Random) -> bytes:
    at = draw.randint(0, len(content))
    return content[:at] if draw.random() < 0.7 else content[at:]


def _run(content: bytes, draw: Random) -> bytes:
    at = draw.randint(0, len(content))
    return content[:at] + draw.choice(_RUNS) * draw.choice((2, 20, 100, 3000)) + content[at:]


def _ends(content: bytes, draw: Random) -> bytes:
    """Other ends of lines, in a part of the document."""
    at = draw.randint(0, len(content))
    end = draw.choice((b"\r\n", b"\r", b"\n\r", b"\x0c", b"\xc2\x85", b"\xe2\x80\xa8", b"\n\n", b" \n", b" "))
    return content[:at] + content[at:].replace(b"\n", end, draw.choice((1, 5, -1)))


def _encoding(content: bytes, draw: Random) -> bytes:
    """A part of the document in another encoding."""
    start, end = sorted((draw.randint(0, len(content)), draw.randint(0, len(content))))
    text = content[start:end].decode("latin-1")
    return content[:start] + text.encode(draw.choice(("utf-8", "utf-8-sig", "utf-7", "cp037"))) + content[end:]


_DAMAGES: tuple[Callable[[bytes, Random], bytes], ...] = (
    _byte,
    *(_digit, _snippet, _snippet, _word, _word, _word),
    *(_line_of(change) for change in (_lose, _lose, _double, _double, _move, _move, _exchange, _join, _break, _shift)),
    *(_cut, _run, _run, _ends, _encoding),
)
