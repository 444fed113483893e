# SPDX-License-Identifier: Apache-2.0
"""docs/chart-values.md says what the chart takes."""

from typing import Any

from tests.reference import chart_page
from tests.root import ROOT


def test_page_is_current() -> None:
    """Whoever changes the chart writes the page anew."""
    page = (ROOT / "docs" / chart_page.NAME).read_text(encoding="utf-8")

    assert page == chart_page.written(), "run: make reference"


def test_every_value_is_explained() -> None:
    """Schema and defaults have the same names, each has a meaning, and none is left open."""

    def agree(schema: Any, values: Any) -> None:
        own = {*schema["properties"]} - {"global"}
        assert own == {*values}
        assert schema["additionalProperties"] is False
        for name, one in schema["properties"].items():
            assert one["description"].endswith("."), name
            if one.get("properties") and "requests" not in one["properties"]:
                agree(one, values[name])

    agree(chart_page.schema(), chart_page.values())
