# SPDX-License-Identifier: Apache-2.0
"""What documents of every kind list."""

from __future__ import annotations

from typing import Any

import pytest

from tests.clients.health.documents import found


@pytest.mark.parametrize(
    ("said", "pictures"),
    [
        ({}, ()),
        ({"pictures": ["a", "b", "a"]}, ("a", "b")),
        ({"cells": [{"image": "a"}, {"image": ""}]}, ("a",)),
        (
            {
                "candidates": [{"image": "a"}],
                "baseline": [{"image": "b"}],
                "prompt_record": [{"reference": "c"}, {}],
            },
            ("a", "b", "c"),
        ),
    ],
)
def test_pictures_are_listed_once(said: dict[str, Any], pictures: tuple[str, ...]) -> None:
    """Of references, previews and reports alike."""
    assert found(**said).pictures == pictures


def test_document_is_parsed() -> None:
    """And its bytes stay out of what is printed."""
    assert found(outcome="kept").document == {"outcome": "kept"}
    assert "content" not in repr(found())
