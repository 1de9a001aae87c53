"""A folder for a new layout: a draft of it, and the report that it is drafted from as its sample."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from etl.documents import Document
from etl.drafting import draft, layout_text
from etl.errors import LayoutError, UsageError
from etl.layout import NAME, Layout, load_layout
from etl.samples import SAMPLE


@dataclass(frozen=True)
class NewLayout:
    """The files that were written; `problem` is why the draft cannot be loaded yet, if it cannot."""

    name: str
    folder: Path
    layout: Path
    sample: Path
    problem: str | None = None


def new_layout(document: Document, name: str | None, out: Path, known: Sequence[Layout]) -> NewLayout:
    """Write the draft of a layout for a report, in a folder below `out`. No file is ever overwritten.

    Raises UsageError where the name cannot be one, is taken, or where the files are there.
    """
    chosen = _name_of(document) if name is None else name
    if not NAME.fullmatch(chosen):
        raise UsageError(
            f"--name {chosen!r}: write a name in small letters, digits and hyphens, such as wells-fargo-text"
        )
    taken = next((layout for layout in known if layout.name == chosen), None)
    if taken is not None:
        raise UsageError(f"there is a layout {chosen!r} in {taken.file.parent}; choose another name with --name")
    folder = out / chosen.replace("-", "_")
    new = NewLayout(chosen, folder, folder / "layout.toml", folder / SAMPLE)
    for file in (new.layout, new.sample):
        if file.exists():
            raise UsageError(f"{file} is there already and is not overwritten; choose another --name or --out")
    text = layout_text(draft(document.text), chosen)
    folder.mkdir(parents=True, exist_ok=True)
    for file, content in ((new.layout, text.encode()), (new.sample, document.content)):
        with file.open("xb") as stream:
            stream.write(content)
    try:
        load_layout(new.layout)
    except LayoutError as error:
        return NewLayout(chosen, folder, new.layout, new.sample, str(error))
    return new


def _name_of(document: Document) -> str:
    """A name for the layout of a document, by the name of its file."""
    file = Path((document.file or document.source).rpartition("!/")[2] or document.source)
    words = re.sub("[^a-z0-9]+", "-", file.stem.lower()).strip("-")
    return words if words[:1].isalpha() else f"report-{words}".strip("-")
