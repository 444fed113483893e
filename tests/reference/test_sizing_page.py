# SPDX-License-Identifier: Apache-2.0
"""docs/sizing.md says what the planner says, family by family."""

import pytest

from tests.golden.full_size.models import FAMILIES
from tests.reference import sizing_page
from tests.root import ROOT


def page() -> str:
    """Return the page as it is committed."""
    return (ROOT / "docs" / sizing_page.NAME).read_text(encoding="utf-8")


def test_smallest_family_is_current() -> None:
    """Whoever changes the plan writes the page anew."""
    assert [line for line in sizing_page.lines_of("sd1") if line not in page()] == []


@pytest.mark.oracle
def test_page_is_current() -> None:
    """All of it, with the families that take longer to walk through."""
    assert page() == sizing_page.written(), "run: make reference"


def test_page_says_that_nothing_is_measured() -> None:
    """A planned number is not sold as a measured one, and every family has its lines."""
    text = page()

    assert "Planned, not measured" in text
    for family in FAMILIES:
        assert text.count(f"| {sizing_page.TITLES[family]} |") == 2
