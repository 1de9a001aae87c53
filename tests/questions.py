"""The ten questions of `examples/questions` as notebooks and as a page: `python -m tests.questions` writes them.

Notebooks are kept without outputs, which are the reader's own; the page has what the sample inbox answers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

import etl
from etl.sql import ask

REPOSITORY = Path(__file__).parent.parent
FILES = sorted((REPOSITORY / "examples" / "questions").glob("*.sql"))
NOTEBOOKS = REPOSITORY / "examples" / "notebooks"
PAGE = REPOSITORY / "docs" / "questions.md"

ROWS_SHOWN = 3
_HIDDEN = ("deal", "source_sha256")

_ABOUT = """# Ten questions to a lake, in {engine}

The questions are those of [examples/questions](../questions); `python -m tests.questions` makes notebooks of them.
`TRUSTEE_ETL_LAKE` names the folder of the tables, else it is `output`."""
_DUCKDB = """import os
from pathlib import Path

import duckdb

from etl.views import script

lake = Path(os.environ.get("TRUSTEE_ETL_LAKE", "output"))
database = duckdb.connect()
_ = database.execute(script(lake, "duckdb"))"""
_SPARK = """import os
import sys
from pathlib import Path

from pyspark.sql import SparkSession

from etl.views import script

os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
lake = Path(os.environ.get("TRUSTEE_ETL_LAKE", "output"))
spark = SparkSession.builder.appName("Ten questions").getOrCreate()
for statement in script(lake, "spark").split(";\\n"):
    if statement.strip():
        _ = spark.sql(statement)"""
_ENGINES = {
    "duckdb": ("DuckDB", _DUCKDB, 'database.sql("""\n{sql}\n""")'),
    "spark": ("Spark", _SPARK, 'spark.sql("""\n{sql}\n""").show(50, truncate=False)'),
}


_HEAD = """# Ten questions

The questions that analysts ask first, as SQL that DuckDB and Spark answer alike:
`etl sql output --file examples/questions/01-class-balances-and-factors.sql`, or in Spark over the views of `etl views`.
Both are tested, cell by cell. `examples/notebooks` has them as notebooks.

Add a `WHERE` to narrow a question to a deal. Rates and shares are computed, and say so; other figures are as printed.
What is computed is exact: rounded once, a half away from zero. DuckDB divides decimals as floating numbers, but its
remainder is exact; so the part is cut to a multiple of one more digit than is shown, which divides without a rest, and
then rounded. There is no share of a whole that is nothing or less, nor where the part is 100,000 times the whole.

A lake may have two reports of one date, where nothing says which of them is later; then questions about a date have the
rows of both. `python -m tests.questions` writes this page; the answers are those of the sample inbox, the first {rows}
rows, without the columns `deal` and `source_sha256`."""


@dataclass(frozen=True)
class Question:
    """A question: its number, what it asks, what its rows are, and its SQL without these comments."""

    file: Path
    title: str
    about: str
    sql: str

    @property
    def number(self) -> str:
        """Two digits."""
        return self.file.name[:2]


def question(file: Path) -> Question:
    """The question that a file has: comments, the first of them the title, then the SQL."""
    lines = file.read_text(encoding="utf-8").splitlines()
    comments = [line.removeprefix("--").strip() for line in lines if line.startswith("--")]
    sql = "\n".join(line for line in lines if not line.startswith("--"))
    return Question(file, comments[0], " ".join(comments[1:]), sql.strip())


def notebook(engine: str) -> str:
    """The notebook of all questions for an engine, duckdb or spark, as JSON."""
    name, start, call = _ENGINES[engine]
    cells = [new_markdown_cell(_ABOUT.format(engine=name), id="about"), new_code_cell(start, id="start")]
    for asked in map(question, FILES):
        title = f"## {int(asked.number)}. {asked.title}\n\n{asked.about}"
        cells.append(new_markdown_cell(title, id=f"question-{asked.number}"))
        cells.append(new_code_cell(call.format(sql=asked.sql), id=f"answer-{asked.number}"))
    kernel = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    return f"{nbformat.writes(new_notebook(cells=cells, metadata=kernel))}\n"


def page(lake: Path) -> str:
    """The page with each question, its SQL and the first rows of what a lake answers."""
    parts = [_HEAD.format(rows=ROWS_SHOWN)]
    for asked in map(question, FILES):
        place = asked.file.relative_to(REPOSITORY).as_posix()
        parts.append(f"## {int(asked.number)}. {asked.title}")
        parts.append(f"`{place}`: {asked.about[0].lower()}{asked.about[1:]}")
        parts.append(f"```sql\n{asked.sql}\n```")
        parts.append("\n".join(_table(lake, asked)))
    return "\n\n".join(parts) + "\n"


def _table(lake: Path, asked: Question) -> Iterator[str]:
    with ask(lake, asked.sql) as answer:
        shown = [at for at, name in enumerate(answer.columns) if name not in _HIDDEN]
        yield f"| {' | '.join(answer.columns[at] for at in shown)} |"
        yield f"|{' --- |' * len(shown)}"
        for row, _ in zip(answer.rows, range(ROWS_SHOWN), strict=False):
            yield f"| {' | '.join(_cell(row[at]) for at in shown)} |"


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return f"{value:f}"
    return re.sub(r"([|<>*_])", r"\\\1", str(value).lower() if isinstance(value, bool) else str(value))


def sample_page() -> str:
    """The page with the answers of the sample inbox."""
    with TemporaryDirectory() as folder:
        etl.run([REPOSITORY / "samples" / "inbox"], Path(folder) / "lake")
        return page(Path(folder) / "lake").replace(f"{REPOSITORY}/", "")


def main() -> None:
    """Write the notebooks and the page."""
    NOTEBOOKS.mkdir(exist_ok=True)
    for engine in _ENGINES:
        (NOTEBOOKS / f"questions-{engine}.ipynb").write_text(notebook(engine), encoding="utf-8")
    PAGE.write_text(sample_page(), encoding="utf-8")


if __name__ == "__main__":
    main()
