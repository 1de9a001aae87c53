"""What the pages say is what the program does."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.core import TyperGroup
from typer.main import get_command

import etl
from etl.cli import app
from etl.dictionary import checks_page, dictionary_page
from etl.identities import catalogue
from etl.schema import LISTS, TABLES, table
from etl.show_commands import CommandHelp, commands_page, described_commands

from .pages import examples
from .processes import call_etl

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
PROGRAM = get_command(app)
assert isinstance(PROGRAM, TyperGroup)
COMMANDS = described_commands(PROGRAM)
WRITING = [file for file in sorted((ROOT / "benchmarks").glob("*.py")) if '"--write"' in file.read_text()]


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sample inbox and the examples, in which a run has been made."""
    place = tmp_path_factory.mktemp("workplace")
    shutil.copytree(ROOT / "samples", place / "samples")
    shutil.copytree(ROOT / "examples", place / "examples")
    etl.run([place / "samples" / "inbox"], place / "output")
    return place


def test_the_data_dictionary_is_current() -> None:
    page = dictionary_page([table(name) for name in (*TABLES, *LISTS)])
    assert (ROOT / "docs" / "data-dictionary.md").read_text() == page, (
        "run: etl schema --markdown > docs/data-dictionary.md"
    )


def test_every_column_is_described() -> None:
    for name in (*TABLES, *LISTS):
        descriptions = {column.name: column.description for column in table(name).columns}
        descriptions |= {term.name: term.description for term in table(name).terms}
        assert all(text.endswith(".") for text in descriptions.values()), name


def test_the_reference_of_commands_is_current() -> None:
    page = (ROOT / "docs" / "commands.md").read_text()
    assert page == commands_page(COMMANDS), "run: etl commands --markdown > docs/commands.md"


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_every_command_and_option_is_described(command: CommandHelp) -> None:
    assert command.text.endswith(".")
    for name, text in (*command.arguments, *command.options):
        assert name
        assert text.split("  [")[0].endswith("."), f"{command.name} {name}"


def test_the_page_about_python_has_all_names() -> None:
    page = (ROOT / "docs" / "python.md").read_text()
    assert [name for name in etl.__all__ if not re.search(rf"\b{name}\b", page)] == []


@pytest.mark.parametrize("benchmark", WRITING, ids=lambda file: file.stem)
def test_a_page_of_figures_says_its_command(benchmark: Path) -> None:
    (page,) = set(re.findall(r"puts? (?:it|them) into (docs/[a-z]+\.md)", benchmark.read_text()))
    assert re.search(rf"python -m benchmarks\.{benchmark.stem}\b.* --write", (ROOT / page).read_text())


def test_ci_runs_the_test_command_of_the_readme() -> None:
    (command,) = [block.strip() for block in examples(ROOT / "README.md", "sh") if "pytest" in block]
    assert command in (ROOT / ".ci" / "run").read_text().splitlines()


def test_the_main_job_of_the_readme_ends_in_a_table(workplace: Path) -> None:
    """The command itself makes an environment; here its last two steps run in this one."""
    (command,) = [block.strip() for block in examples(ROOT / "README.md", "sh") if "samples/inbox" in block]
    run, show = (step.strip().split() for step in command.split("&&")[-2:])
    assert run == [".venv/bin/etl", "run", "samples/inbox", "--out", "output"]
    assert show[0] == ".venv/bin/python"
    done = subprocess.run([sys.executable, *show[1:]], cwd=workplace, capture_output=True, text=True, check=True)
    assert "345199023.00" in done.stdout


def test_the_break_is_what_the_program_prints(tmp_path: Path) -> None:
    (shown,) = [block for block in examples(ROOT / "README.md", "text") if "off by" in block]
    shutil.copytree(ROOT / "samples", tmp_path / "samples")
    report = tmp_path / "samples" / "inbox" / "absc-2003-he2_2003-12-15.txt"
    text = report.read_text()
    assert "328,979,574" in text.split("\n")[78]
    report.write_text(text.replace("328,979,574", "328,979,674"))
    for arguments in (["run", "samples/inbox", "--out", "output"], ["check", "output"]):
        done = call_etl(*arguments, cwd=tmp_path)
        assert done.returncode == 0
    assert shown in done.stdout
    assert "class_roll_forward            1      100" in done.stdout


def test_the_catalogue_of_checks_is_current() -> None:
    page = (ROOT / "docs" / "checks.md").read_text()
    assert page == checks_page(catalogue().checks), "run: etl check --list --markdown > docs/checks.md"


def test_the_reason_codes_are_those_of_the_program() -> None:
    page = (ROOT / "docs" / "reason-codes.md").read_text().split("| --- |")[-1]
    explained = {code for row in page.splitlines() for code in re.findall("`([a-z_]+)`", row.partition(" | ")[0])}
    source = "".join(file.read_text() for file in (ROOT / "etl").glob("*.py"))
    assert all(f'"{code}"' in source for code in explained)
    rejections = set(re.findall(r'[Rr]eject(?:edError)?\([^"]*"([a-z]+(?:_[a-z]+)+|empty|binary)"', source))
    assert {"missing_row", "doubled_row", "binary", "too_large"} <= rejections
    assert rejections <= explained


def test_every_layout_is_named() -> None:
    for layout in etl.load_layouts():
        assert f"`{layout.name}`" in README
        assert layout.name in (ROOT / "CHANGELOG.md").read_text()


def test_links_of_the_pages_lead_somewhere() -> None:
    for page in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")):
        for target in re.findall(r"\]\((?!http)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
