"""A real Chromium for tests: pages are opened from the file system, and what they ask for and complain of is kept."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

# Without them it asks its maker's hosts for what it deems to need.
_ALONE = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
_NAMES = ("chromium", "chromium-browser")


def needs_chromium() -> str:
    """The Chromium of this machine; without one the test is skipped, or fails where it must not be."""
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    if found is not None:
        return found
    reason = "needs a browser: install Debian's package chromium"
    if os.environ.get("TRUSTEE_ETL_REQUIRE_CHROMIUM"):
        pytest.fail(reason)
    pytest.skip(reason)


@contextmanager
def started_chromium() -> Iterator[Browser]:
    executable = needs_chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=[*_ALONE])
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Opened:
    """A page, what it asked for, and what it complained of: errors, warnings, breaches of its policy, dialogs."""

    page: Page
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


@contextmanager
def opened(browser: Browser, file: Path, fragment: str = "", **settings: Any) -> Iterator[Opened]:
    """A page from the file system, once it is ready."""
    context = browser.new_context(offline=True, **{"viewport": {"width": 1280, "height": 900}, **settings})
    page = context.new_page()
    found = Opened(page)
    page.on("request", lambda request: found.requests.append(request.url))
    page.on("console", lambda message: found.complaints.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: found.complaints.append(f"error: {error}"))
    page.on("dialog", lambda dialog: found.complaints.append(f"dialog: {dialog.message}"))
    try:
        page.goto(f"{file.absolute().as_uri()}{fragment}")
        page.wait_for_selector("html[data-ready]", timeout=20_000)
        yield found
    finally:
        context.close()
