# SPDX-License-Identifier: Apache-2.0
"""docs/settings.md says what the code says."""

from pathlib import Path

from tabard_server.settings_sources import setting_names
from tests.reference import settings_page
from tests.root import ROOT


def test_page_is_current() -> None:
    """Whoever changes the code writes the page anew."""
    page = (ROOT / "docs" / settings_page.NAME).read_text(encoding="utf-8")

    assert page == settings_page.written(), "run: make reference"


def test_every_setting_is_on_the_page() -> None:
    """Each once, with a kind that says more than nothing."""
    lines = settings_page.written().splitlines()

    for name in setting_names():
        [line] = [one for one in lines if one.startswith(f"| `{name}` |")]
        assert all(cell.strip() for cell in line.strip("|").split("|")), line


def test_no_home_is_on_the_page() -> None:
    """The page is the same on every machine."""
    assert str(Path.home()) not in settings_page.written()
