"""The site is built as strictly as it can be, and needs nothing but itself."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urldefrag, urlsplit

import pytest
from lxml import html

from .conftest import REPOSITORY

PAGES = sorted(file.name for file in (REPOSITORY / "docs").glob("*.md"))
# What a browser fetches by itself, and what it goes to when somebody clicks.
LOADED = (
    "//script/@src|//img/@src|//iframe/@src|//source/@src|//link[not(@rel='canonical')]/@href|//@srcset|//*/@poster"
)
LINKS = "//a/@href"


def _copy(place: Path) -> Path:
    shutil.copytree(REPOSITORY / "docs", place / "docs")  # pages that are links too, by what they stand for
    shutil.copy(REPOSITORY / "zensical.toml", place)
    return place


def _build(place: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "zensical", "build", "--clean", "--strict"]
    return subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = _copy(tmp_path_factory.mktemp("site"))
    done = _build(place)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert "warning" not in said.lower(), said
    return place / "site"


@pytest.fixture(scope="module")
def built(site: Path) -> dict[Path, Any]:
    """The pages of the site, parsed."""
    return {file: html.parse(file) for file in site.rglob("*.html")}


def _targets(nav: list[dict[str, Any]]) -> Iterator[str]:
    for entry in nav:
        for target in entry.values():
            if isinstance(target, str):
                yield target
            else:
                yield from _targets(target)


def _file(site: Path, page: Path, path: str) -> Path:
    """The file of a site that a page names; the page for what is not found, which has no place, begins at the top."""
    file = (site / unquote(path[1:]) if path.startswith("/") else page.parent / unquote(path)).resolve()
    return file / "index.html" if file.is_dir() else file


def test_every_page_has_one_place() -> None:
    config = tomllib.loads((REPOSITORY / "zensical.toml").read_text(encoding="utf-8"))
    assert sorted(_targets(config["project"]["nav"])) == PAGES


def test_every_page_is_built(site: Path) -> None:
    assert {f"{Path(name).stem}.html" for name in PAGES} <= {file.name for file in site.iterdir()}


def test_links_lead_somewhere(site: Path, built: dict[Path, Any]) -> None:
    """To a file of the site, and to an element that is there."""
    names = {file: {*page.xpath("//@id"), *page.xpath("//a/@name"), ""} for file, page in built.items()}
    checked = 0
    for file, page in built.items():
        for link in page.xpath(LINKS):
            if urlsplit(link).scheme in ("http", "https"):
                continue
            path, anchor = urldefrag(link)
            target = _file(site, file, path) if path else file
            assert target.is_file(), f"{file.name}: {link}"
            assert unquote(anchor) in names.get(target, {""}), f"{file.name}: {link}"
            checked += 1
    assert checked > 10 * len(built)


def test_nothing_is_loaded_from_elsewhere(site: Path, built: dict[Path, Any]) -> None:
    loaded = {(file, str(place)) for file, page in built.items() for place in page.xpath(LOADED)}
    loaded |= {
        (file, place)
        for file in site.rglob("*.css")
        for place in re.findall(r"""(?:url\(|@import)\s*["']?([^"')\s;]+)""", file.read_text(encoding="utf-8"))
    }
    assert any(place.endswith(".js") for _, place in loaded)
    assert any(place.endswith(".css") for _, place in loaded)
    for file, place in loaded:
        parts = urlsplit(place)
        assert parts.scheme in ("", "data"), f"{file.name}: {place}"
        assert not parts.netloc, f"{file.name}: {place}"
        assert parts.scheme or _file(site, file, parts.path).is_file(), f"{file.name}: {place}"


def test_the_search_knows_every_page(site: Path) -> None:
    items = json.loads((site / "search.json").read_text(encoding="utf-8"))["items"]
    assert {f"{Path(name).stem}.html" for name in PAGES} <= {urldefrag(item["location"])[0] for item in items}


@pytest.mark.parametrize("link", ["nowhere.md", "lake.md#nowhere"])
def test_a_broken_link_ends_the_build(tmp_path: Path, link: str) -> None:
    with (_copy(tmp_path) / "docs" / "start.md").open("a", encoding="utf-8") as page:
        page.write(f"\n[nowhere]({link})\n")
    done = _build(tmp_path)
    assert done.returncode == 1
    assert "does not exist" in done.stdout + done.stderr
