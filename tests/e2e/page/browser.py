# SPDX-License-Identifier: Apache-2.0
"""A real browser, Debian's Chromium, as the tests of the page use it; and what they need of npm.

Where one of them is missing the tests are skipped by its name; in CI they fail.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.root import ROOT

TOOLS = ROOT / "tests/e2e/page/tools"
WIDE, NARROW = (1280, 860), (390, 844)
Theme = Literal["light", "dark"]
THEMES: tuple[Theme, ...] = ("light", "dark")
PATIENCE_MS = 60_000

_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# What a person sees only when a picture is missing is told by a status of its own.
_EXPECTED = "Failed to load resource"


def required(what: str, path: str | Path | None) -> Path:
    """Give where something is; without it, fail in CI and skip elsewhere."""
    if path is not None and Path(path).exists():
        return Path(path)
    message = f"the tests of the page need {what}: make page fetches it, or says how"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


@contextmanager
def launched() -> Iterator[Browser]:
    """Run the browser for the length of a block."""
    chromium = required("Debian's chromium", shutil.which("chromium"))
    with sync_playwright() as tool:
        # Its sandbox needs what containers seldom have; all it loads here is ours.
        browser = tool.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        browser.close()


@dataclass(kw_only=True)
class Visit:
    """Somebody who looks at the page.

    Attributes:
        page: The page.
        url: Where its gateway is.
        complaints: What the browser said of scripts, policies and markup.
        asked: Every address that was asked for.
    """

    page: Page
    url: str
    complaints: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def go(self, place: str) -> None:
        """Open a screen, and wait until it is there."""
        # From elsewhere, so that what is waited for is not what was there before.
        self.page.goto("about:blank")
        self.page.goto(f"{self.url}/#/{place}")
        self.page.wait_for_selector("main h1")
        self.page.wait_for_selector("main > [aria-busy]", state="detached")

    def violations(self) -> list[str]:
        """Give what axe finds against WCAG AA."""
        axe = required("axe-core of npm", TOOLS / "node_modules/axe-core/axe.min.js")
        self.page.evaluate(axe.read_text(encoding="utf-8"))
        options = json.dumps({"runOnly": _RULES})
        found: Any = self.page.evaluate(f"axe.run(document, {options})")
        return [f"{one['id']}: {one['nodes'][0]['html']}" for one in found["violations"]]

    def overflow(self) -> int:
        """Give by how many pixels the page is wider than its window."""
        found: int = self.page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        return found

    def shoot(self, name: str) -> None:
        """Take a picture, where `TABARD_PAGE_SHOTS` names a folder for it."""
        if folder := os.environ.get("TABARD_PAGE_SHOTS"):
            self.page.screenshot(path=Path(folder) / f"{name}.png")


@contextmanager
def visiting(
    browser: Browser, url: str, *, theme: Theme = "light", size: tuple[int, int] = WIDE
) -> Iterator[Visit]:
    """Look at a page with a browser that has never seen it."""
    width, height = size
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=theme, reduced_motion="reduce"
    )
    context.set_default_timeout(PATIENCE_MS)
    visit = Visit(page=context.new_page(), url=url)
    visit.page.on("console", lambda said: _note(visit, said.type, said.text))
    visit.page.on("pageerror", lambda error: visit.complaints.append(str(error)))
    visit.page.on("request", lambda request: visit.asked.append(request.url))
    try:
        yield visit
    finally:
        context.close()


def _note(visit: Visit, kind: str, text: str) -> None:
    if kind in ("error", "warning") and _EXPECTED not in text:
        visit.complaints.append(text)
