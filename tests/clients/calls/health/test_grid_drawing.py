# SPDX-License-Identifier: Apache-2.0
"""A grid as something to draw; what is no grid is refused before anything is asked."""

import json
from pathlib import Path
from typing import Any

import pytest

from tabard.calls.health.grid_drawing import grid_drawing, is_grid_file, read_grid_file
from tabard.errors import InvalidArgument
from tests.clients.calls.health.pets import GRID


def test_grid_is_what_is_drawn(tmp_path: Path) -> None:
    """Prompts in their order, and options by the names that `generate` has for them."""
    file = tmp_path / "pets.json"
    file.write_text(json.dumps(GRID), encoding="utf-8")

    found = read_grid_file(file)

    assert found.prompts == ("a {trigger} in a forest", "a {trigger} at sea", "a photo of a bridge")
    assert found.controls == {"a photo of a bridge"}
    assert found.class_words == {"a {trigger} in a forest": "dog"}
    assert found.seeds == (7, 8)
    assert found.options == {
        "num_inference_steps": 4,
        "guidance_scale": 5.0,
        "width": 64,
        "height": 96,
    }


@pytest.mark.parametrize(
    "change",
    [{"prompts": None}, {"prompts": ["a cat"]}, {"prompts": [{}]}, {"seeds": ["one"]}],
)
def test_other_documents_are_refused(change: dict[str, Any]) -> None:
    """Whatever lacks or is of another kind."""
    with pytest.raises(InvalidArgument, match="no grid") as caught:
        grid_drawing(GRID | change)

    assert caught.value.reason == "FIELD_INVALID"
    assert [one.field for one in caught.value.violations] == ["grid"]


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    """None, and one that is no JSON."""
    with pytest.raises(InvalidArgument) as missing:
        read_grid_file(tmp_path / "none.json")
    (tmp_path / "odd.json").write_bytes(b"\xff{")
    with pytest.raises(InvalidArgument, match="no JSON"):
        read_grid_file(tmp_path / "odd.json")

    assert missing.value.reason == "FILE_UNREADABLE"


def test_name_and_file_are_told_apart() -> None:
    """As for an evaluation: a path, or what ends as a document does."""
    assert [is_grid_file(one) for one in ("style", "pets.json", Path("pets"))] == [
        False,
        True,
        True,
    ]
