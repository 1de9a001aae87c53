"""Every example of the pages is run, or says which test runs it, or why none can."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import date
from pathlib import Path

import pytest

from .conftest import REPOSITORY
from .edgar_server import filed, made_filings, serving
from .pages import PAGES, Block, blocks
from .quick_command import quick_command
from .workplaces import fill_bucket, run_example, write_workplace

# What is run. Other words for these (bash, console, pycon) are not used, so that nothing escapes.
RUN = ("sh", "python", "sql")
SHOWN = ("text", "toml")
# Pages that are run whole by a test of their own, which follows their story.
OF_THEIR_OWN = {
    "delta.md": "test_delta.py",
    "questions.md": "questions.py",  # which writes the page with its answers; test_notebooks.py compares
    "readers.md": "test_readers_page.py",
    "tutorial-layout.md": "test_tutorial.py",
}
# All the reasons for which an example is not run: `<!-- not run: REASON -->` right above it.
REASONS = (
    "installs packages",
    "is the tests themselves",
    "measures for minutes",
    "needs a cluster of Spark",
    "needs a crontab",
)
_COMMAND = re.compile(
    r"\n\n(?: {4}|\t)(?:\$ )?(?:[A-Z_]+=\S+|etl|python3?|pip|duckdb|curl|spark-submit|import|from \w+ import)\b.*"
)

ALL = [block for page in PAGES for block in blocks(page) if page.name not in OF_THEIR_OWN]
EXAMPLES = [block for block in ALL if block.language in RUN]


def runs_here(block: Block) -> bool:
    """Whether an example is run as it stands."""
    return block in EXAMPLES and not block.mark


def needs_spark(block: Block) -> bool:
    """Whether an example starts Spark: another file runs it."""
    return "engine spark" in block.text or "pyspark" in block.text


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_workplace(tmp_path_factory.mktemp("workplace"))


@pytest.fixture(scope="module")
def commands(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with quick_command(tmp_path_factory.mktemp("commands")) as folder:
        yield folder


@pytest.mark.parametrize(
    "page", [page for page in PAGES if any(runs_here(block) for block in blocks(page))], ids=lambda page: page.name
)
def test_the_examples_run(
    page: Path,
    workplace: Path,
    commands: Path,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One after the other, as somebody does who follows the page."""
    place = shutil.copytree(workplace, tmp_path / "place")
    chosen = [block for block in blocks(page) if runs_here(block) and not needs_spark(block)]
    if any("run samples/inbox --out output" in block.text for block in chosen):  # it makes the lake itself
        shutil.rmtree(place / "output")
    if any("s3://" in block.text for block in chosen):
        fill_bucket(request.getfixturevalue("storage"), place)
    with ExitStack() as opened:
        if any("etl fetch" in block.text for block in chosen):
            later = filed("0000950000-07-000401", "10-D", date(2007, 2, 26), "No report\n")
            edgar = opened.enter_context(serving([*made_filings(), later]))
            monkeypatch.setenv("ETL_FETCH_BASE_URL", edgar.url)
        for block in chosen:
            run_example(block, place, commands)


@pytest.mark.parametrize("block", [block for block in ALL if block.mark], ids=str)
def test_an_example_that_is_not_run_here_says_why(block: Block) -> None:
    kind, _, rest = block.mark.partition(" ")
    if kind == "run":
        file = REPOSITORY / rest.removeprefix("by ")
        assert file.parent == REPOSITORY / "tests", f"{block}: {block.mark}"
        assert f'"{block.page.resolve().name}"' in file.read_text(encoding="utf-8"), f"{block}: {file.name} does not"
    else:
        assert block.mark.removeprefix("not run: ") in REASONS, f"{block}: {block.mark}"


def test_every_reason_is_needed() -> None:
    assert set(REASONS) == {block.mark.removeprefix("not run: ") for block in ALL if block.mark.startswith("not run: ")}


@pytest.mark.parametrize(("page", "test"), OF_THEIR_OWN.items())
def test_pages_of_a_test_of_their_own_are_run_by_it(page: str, test: str) -> None:
    text = (REPOSITORY / "tests" / test).read_text(encoding="utf-8")
    assert f'PAGE = REPOSITORY / "docs" / "{page}"' in text
    for language in {block.language for block in blocks(REPOSITORY / "docs" / page)} & set(RUN):
        ways = (f'examples(PAGE, "{language}")', "PAGE.read_text()", "PAGE.write_text(sample_page()")
        assert any(way in text for way in ways), f"{test} leaves out {language}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_nothing_escapes(page: Path) -> None:
    """Fences begin their lines and name a known language; commands stand in fences; what is shown belongs to an
    example, or says what it is."""
    text = page.read_text(encoding="utf-8")
    found = blocks(page)
    assert text.count("```") == 2 * len(found)
    assert "~~~" not in text
    assert {block.language for block in found} <= {*RUN, *SHOWN}
    assert not _COMMAND.findall(text)
    if page.name not in OF_THEIR_OWN:
        behind = [block for block, before in zip(found[1:], found, strict=False) if before.prints == block.text]
        alone = [block for block in found if block.language == "text" and block not in behind and not block.mark]
        assert not alone, f"{alone[0]}: put it right behind the example that prints it"
