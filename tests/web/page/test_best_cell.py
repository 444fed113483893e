# SPDX-License-Identifier: Apache-2.0
"""Of the pictures of a document, the one that shows a release best."""

from typing import Any

import pytest

from tabard_web.page.best_cell import best_picture

RECORD = [{"prompt": "a cat"}, {"prompt": "a control"}, {"prompt": "a dog"}]
CELLS = [
    {"image": "cat", "prompt": 0, "seed": 1},
    {"image": "", "prompt": 2, "seed": 1},
    {"image": "dog", "prompt": 2, "seed": 2},
]
JUDGED = [{"prompt": "a cat", "mean": 0.5}, {"prompt": "a dog", "mean": 0.9}]


@pytest.mark.parametrize(
    ("document", "picture"),
    [
        ({"candidates": CELLS, "prompts": JUDGED, "prompt_record": RECORD}, "dog"),
        ({"candidates": CELLS, "prompts": JUDGED}, "cat"),
        ({"candidates": CELLS}, "cat"),
        ({"candidates": [*CELLS, {"image": "chosen", "selected": True}]}, "chosen"),
        ({"cells": CELLS[1:]}, "dog"),
        ({"candidates": [{"image": "", "prompt": 0}]}, ""),
        ({}, ""),
    ],
)
def test_best_picture_is_found(document: dict[str, Any], picture: str) -> None:
    """A person's choice, else the best prompt, else the first that was drawn at all."""
    assert best_picture(document) == picture
