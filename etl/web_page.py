"""Plain data → one web page that needs nothing beside it: no network, no server, no other file.

The page's own parts stand in `etl/web/`; the charting library comes from the package that the extra brings. Its policy
lets nothing run but these scripts, which it names by their hashes, and nothing be loaded. Data of the lake are no
script: the overview is JSON in which no character can end its element, each deal is compressed, and all of it comes to
the screen as text.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import html
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from importlib.resources import files
from pathlib import Path
from typing import Any

from etl.errors import EtlError, UsageError

# What the deals of a page may have at the most, compressed and written in letters: a browser opens it in some seconds.
MAX_DEALS_BYTES = 32 * 1024 * 1024

_LEVEL = 6
_SCRIPTS = ("data.js", "source.js", "charts.js", "page.js")
_HOLE = re.compile(r"\[\[([a-z]+)\]\]")
_PACKAGE = "uplot-python"
# The package brings the licence of its own code alone; its copy of uPlot has the copyright, but not the terms.
_LICENCE = """uPlot, https://github.com/leeoniya/uPlot
Copyright (c) Leon Sorokin

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated \
documentation files (the "Software"), to deal in the Software without restriction, including without limitation the \
rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit \
persons to whom the Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the \
Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE \
WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR \
COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR \
OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE."""


@dataclass(frozen=True)
class ChartLibrary:
    """The charting library as it stands in the page."""

    script: str
    style: str


def chart_library() -> ChartLibrary:
    """The charting library, from the package that the extra brings: its files alone, the package is not imported.

    Raises UsageError where it is not there, EtlError where it lacks a file.
    """
    try:
        package = distribution(_PACKAGE)
    except PackageNotFoundError as error:
        raise UsageError("etl report needs the extra [report]: pip install 'trustee-etl[report]'") from error
    places = [Path(str(package.locate_file(f"uplot/static/{name}"))) for name in ("uPlot.iife.js", "uPlot.min.css")]
    try:
        script, style = (_unix(place.read_text(encoding="utf-8")) for place in places)
    except (OSError, UnicodeDecodeError) as error:
        mend = "pip install --force-reinstall 'trustee-etl[report]'"
        raise EtlError(f"{_PACKAGE} {package.version} lacks what it should bring, {places[0]}: {mend}") from error
    return ChartLibrary(script, style)


def packed(deal: Mapping[str, Any]) -> str:
    """A deal as it stands in the page: JSON, compressed, in letters that cannot end an element."""
    return base64.b64encode(gzip.compress(_json(deal).encode(), _LEVEL, mtime=0)).decode("ascii")


def web_page(title: str, index: Mapping[str, Any], deals: Mapping[str, str], library: ChartLibrary) -> bytes:
    """The whole page. `index`: what it says of the lake; `deals`: slug → what `packed` made of the deal."""
    style = library.style + _part("page.css")
    script = "".join(_part(name) for name in _SCRIPTS)
    holes = {
        "policy": _policy([library.script, script], style),
        "title": html.escape(title),
        "style": style,
        "licence": html.escape(_LICENCE),
        "index": _json(index).replace("<", "\\u003c"),
        "deals": "\n".join(
            f'<script type="application/gzip" id="data-{html.escape(slug)}">{data}</script>'
            for slug, data in deals.items()
        ),
        "library": library.script,
        "script": script,
    }
    _hold_to_elements(library.script, script, style)
    return _HOLE.sub(lambda hole: holes[hole[1]], _part("page.html")).encode()


def _policy(scripts: Sequence[str], style: str) -> str:
    """Nothing may run but these scripts, nothing be loaded at all; `data:` is the empty icon."""
    runs = " ".join(_hash(script) for script in scripts)
    return (
        f"default-src 'none'; script-src {runs}; style-src {_hash(style)}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode('ascii')}'"


def _hold_to_elements(*texts: str) -> None:
    """Raise EtlError where the text of a script or style would end its own element."""
    if any(re.search(r"</(script|style)|<!--", text, re.IGNORECASE) for text in texts):
        raise EtlError(
            f"{_PACKAGE} cannot stand in a page: it has the end of an element in it; install another version"
        )


def _json(data: Any) -> str:
    """ASCII alone, so that no separator of lines that JavaScript knows and no odd encoding is in it."""
    return json.dumps(data, ensure_ascii=True, separators=(",", ":"), allow_nan=False)


def _part(name: str) -> str:
    return _unix((files("etl") / "web" / name).read_text(encoding="utf-8"))


def _unix(text: str) -> str:
    """Line ends as browsers count them when they compute the hash."""
    return text.replace("\r\n", "\n").replace("\r", "\n")
