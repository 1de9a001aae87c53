"""The wheel holds what the program needs and nothing more, and works where the repository is not."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from etl.schema import LISTS, TABLES

from .conftest import REPOSITORY


def _python(*arguments: str | Path, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if importlib.util.find_spec("build") is None:
        pytest.skip("needs the package build, which the dev extra brings")
    folder = tmp_path_factory.mktemp("dist")
    isolated = ["--no-isolation"] if importlib.util.find_spec("hatchling") else []
    done = _python("-m", "build", "--wheel", *isolated, "--outdir", folder, REPOSITORY, cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    (file,) = folder.glob("*.whl")
    return file


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder in which the wheel alone is installed; its dependencies come from this environment."""
    target = tmp_path_factory.mktemp("installed")
    done = _python("-m", "pip", "install", "--no-deps", "--no-index", "--target", target, wheel, cwd=target)
    assert done.returncode == 0, done.stdout + done.stderr
    return target


def test_the_wheel_holds_the_package_alone(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"etl"}
    assert len(tops) == 2
    assert not [name for name in names if "__pycache__" in name or name.endswith(".pyc")]


def test_the_wheel_holds_schemas_layouts_and_the_page(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {f"etl/schemas/{table}.toml" for table in (*TABLES, *LISTS)} <= names
    layouts = REPOSITORY / "etl" / "layouts"
    files = {file.relative_to(REPOSITORY).as_posix() for file in layouts.rglob("*") if file.is_file()}
    assert files
    assert files <= names
    web = {f"etl/web/{file.name}" for file in (REPOSITORY / "etl" / "web").iterdir()}
    assert "etl/web/page.html" in web
    assert web <= names
    assert "etl/py.typed" in names
    assert [name for name in names if name.endswith("LICENSE")]


def test_the_wheel_holds_what_the_repository_holds(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        for file in (REPOSITORY / "schemas").glob("*.toml"):
            assert archive.read(f"etl/schemas/{file.name}") == file.read_bytes()


def _isolated(installed: Path, cwd: Path, code: str) -> subprocess.CompletedProcess[str]:
    """Run code that sees the wheel before this repository, and the repository's own folder not at all."""
    clean = f"import sys; sys.path[:] = [p for p in sys.path if p != {str(REPOSITORY)!r}]\n"
    return _python("-c", clean + code, cwd=cwd, PYTHONPATH=str(installed))


def test_the_wheel_works_alone(installed: Path, tmp_path: Path) -> None:
    code = "import etl, etl.schema\nprint(etl.__file__)\nprint(etl.schema.arrow_schema('classes').names[0])"
    done = _isolated(installed, tmp_path, code)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [str(installed / "etl" / "__init__.py"), "report_id"]


def test_no_module_is_called_schemas(installed: Path, tmp_path: Path) -> None:
    done = _isolated(installed, tmp_path, "import schemas")
    assert done.returncode == 1
    assert "ModuleNotFoundError: No module named 'schemas'" in done.stderr


def test_the_installed_command_works(installed: Path, tmp_path: Path) -> None:
    code = "from etl.cli import main; sys.argv = ['etl', 'schema', 'classes']; main()"
    done = _isolated(installed, tmp_path, code)
    assert (done.returncode, done.stderr) == (0, "")
    assert "pass_through_rate" in done.stdout


def test_the_installed_package_reads_a_report(installed: Path, tmp_path: Path) -> None:
    sample = REPOSITORY / "etl" / "layouts" / "us_bank_text" / "sample.txt"
    code = f"import etl; print(etl.run([{str(sample)!r}], 'output').reports_read)"
    done = _isolated(installed, tmp_path, code)
    assert (done.returncode, done.stdout, done.stderr) == (0, "1\n", "")
    assert (tmp_path / "output" / "classes").is_dir()
