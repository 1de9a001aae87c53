"""A real spreadsheet program for tests: LibreOffice, without a screen, computing every formula anew."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

SECONDS = 120
# Else it shows what the file says that its formulas give.
_ALWAYS_COMPUTE = """<?xml version="1.0" encoding="UTF-8"?>
<oor:items xmlns:oor="http://openoffice.org/2001/registry">
<item oor:path="/org.openoffice.Office.Calc/Formula/Load">
<prop oor:name="OOXMLRecalcMode" oor:op="fuse"><value>0</value></prop></item>
</oor:items>
"""


def needs_libreoffice() -> str:
    """The program; skip where there is none, with the package to install, and fail where it is required."""
    if program := shutil.which("soffice"):
        return program
    reason = "needs LibreOffice to compute workbooks: install Debian's package libreoffice-calc-nogui"
    if os.environ.get("TRUSTEE_ETL_REQUIRE_LIBREOFFICE"):
        pytest.fail(reason)
    pytest.skip(reason)


def computed(workbooks: Sequence[Path], folder: Path) -> list[Path]:
    """Copies of workbooks, below a folder, in which every formula was computed anew."""
    program = needs_libreoffice()
    profile, made = folder / "profile", folder / "computed"
    (profile / "user").mkdir(parents=True, exist_ok=True)
    (profile / "user" / "registrymodifications.xcu").write_text(_ALWAYS_COMPUTE)
    command = [program, f"-env:UserInstallation={profile.as_uri()}", "--headless", "--convert-to", "xlsx"]
    subprocess.run(
        [*command, "--outdir", made, *workbooks], check=True, capture_output=True, timeout=SECONDS, cwd=folder
    )
    return [made / file.name for file in workbooks]
