"""The tutorial is followed to its end: each command is run, each piece of the layout written, each print compared."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from etl import known_layouts, load_layouts
from etl.samples import check_samples

from .conftest import REPOSITORY

PAGE = REPOSITORY / "docs" / "tutorial-layout.md"
EXAMPLES = REPOSITORY / "examples" / "layouts"
PROGRAM = [sys.executable, "-c", "from etl.cli import main; main()"]
LAYOUT = "layouts/wells_fargo_text/layout.toml"


def _run(place: Path, command: str) -> str:
    words = shlex.split(command)
    assert words[0] == "etl"
    environment = {**os.environ, "COLUMNS": "80", "NO_COLOR": "1"}
    done = subprocess.run(
        [*PROGRAM, *words[1:]], cwd=place, env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, ""), command
    return done.stdout.replace("\t", " ")


def test_the_tutorial_holds(tmp_path: Path) -> None:
    for name in ("samples", "examples"):
        shutil.copytree(REPOSITORY / name, tmp_path / name)
    written, printed, steps = "", "", 0
    for language, text in re.findall(r"```(\w+)\n(.*?)```", PAGE.read_text(), re.DOTALL):
        if language == "toml":
            written += text
            (tmp_path / LAYOUT).write_text(written)
        elif language == "sh":
            printed = "".join(_run(tmp_path, command) for command in text.splitlines())
            steps += 1
        else:
            missing = [piece for piece in re.split(r"^\.\.\.\n", text, flags=re.MULTILINE) if piece not in printed]
            assert missing == [], printed
    assert steps > 5
    example = EXAMPLES / "wells_fargo_text"
    made = (tmp_path / LAYOUT).parent
    for file in (path.relative_to(example) for path in example.rglob("*") if path.is_file()):
        assert (made / file).read_bytes() == (example / file).read_bytes(), file


def test_the_samples_of_the_examples_read_as_expected() -> None:
    known = known_layouts(EXAMPLES)
    examples = known[len(load_layouts()) :]
    assert examples
    for layout in examples:
        (sample,) = check_samples(layout, known).samples
        assert (sample.problems, sample.differences) == ((), ())


def test_no_packaged_layout_knows_the_report_of_the_tutorial() -> None:
    (report,) = (REPOSITORY / "samples" / "tutorial").iterdir()
    assert report.read_bytes() == (EXAMPLES / "wells_fargo_text" / "sample.txt").read_bytes()
