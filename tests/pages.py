"""The examples of a page."""

from __future__ import annotations

import re
from pathlib import Path


def examples(page: Path, language: str) -> list[str]:
    """The blocks of a page in a language, as they stand there."""
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(), re.DOTALL)
