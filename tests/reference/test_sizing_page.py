# SPDX-License-Identifier: Apache-2.0
"""docs/sizing.md says what the planner says, family by family."""

import pytest

from tests.golden.full_size import transformers
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
@pytest.mark.parametrize("model", transformers.MODELS)
def test_transformers_are_smaller_in_eight_bits(model: str) -> None:
    """A transformer in fewer bits takes less, an adapter and a merged copy take what they took."""
    wide, narrow = (
        [float(cell.strip("* ")) for cell in line.strip("| ").split("|")[2:]]
        for line in sizing_page.lines_of_transformer(model)
    )

    assert narrow[1] < wide[1]
    assert narrow[2:5] == wide[2:5]
    assert narrow[-1] - narrow[-2] == pytest.approx(wide[-1] - wide[-2], abs=0.11)
    assert narrow[-4] < narrow[-3] < narrow[-2]


@pytest.mark.oracle
def test_page_is_current() -> None:
    """All of it, with the families that take longer to walk through."""
    assert page() == sizing_page.written(), "run: make reference"


def test_page_says_that_nothing_is_measured() -> None:
    """A planned number is not sold as a measured one, and every family has its lines."""
    text = page()

    assert "Planned, not measured" in text
    for family in (*FAMILIES, *transformers.MODELS):
        assert text.count(f"| {sizing_page.TITLES[family]} |") == 2
