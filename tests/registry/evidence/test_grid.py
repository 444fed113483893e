# SPDX-License-Identifier: Apache-2.0
from typing import Any

import pytest

from tabard_registry.errors import InvalidField, RegistryError
from tabard_registry.evidence.grid import GridPrompt
from tests.registry.evidence.reports import grid


def prompts(count: int, *, controls: int = 0) -> tuple[GridPrompt, ...]:
    """Different prompts."""
    scored = (GridPrompt(text=f"{{trigger}} {n}") for n in range(count))
    return (*scored, *(GridPrompt(text=f"a {n}", control=True) for n in range(controls)))


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"prompts": ()}, "GRID_EMPTY"),
        ({"prompts": prompts(11, controls=4)}, "GRID_EMPTY"),
        ({"seeds": ()}, "GRID_EMPTY"),
        ({"prompts": prompts(60, controls=5)}, "GRID_TOO_LARGE"),
        ({"seeds": tuple(range(17))}, "GRID_TOO_LARGE"),
        ({"seeds": (1, 1)}, "FIELD_INVALID"),
        ({"seeds": (-1,)}, "FIELD_INVALID"),
        ({"steps": 0}, "FIELD_INVALID"),
        ({"name": "No Name"}, "INVALID_CHANNEL"),
    ],
)
def test_impossible_grids(fields: dict[str, Any], reason: str) -> None:
    """Too few prompts, too many, the same twice: control prompts do not count."""
    with pytest.raises(RegistryError) as refused:
        grid(**fields)

    assert refused.value.reason == reason


def test_prompts_name_the_trigger() -> None:
    """Of a release that declares one; control prompts never do."""
    lacking = grid(prompts=(*prompts(12), GridPrompt(text="a tree")))

    lacking.refuse_without_trigger(())
    with pytest.raises(InvalidField, match="'a tree'") as refused:
        lacking.refuse_without_trigger(("inkstyle",))

    assert refused.value.reason == "TRIGGER_MISSING"
    grid(prompts=prompts(12, controls=2)).refuse_without_trigger(("inkstyle",))
    with pytest.raises(InvalidField, match="control"):
        GridPrompt(text="{trigger} tree", control=True)


def test_trigger_takes_its_place() -> None:
    """Without a trigger word nothing is left of the place."""
    prompt = GridPrompt(text="a tree, {trigger}, at night")

    assert prompt.drawn("inkstyle") == "a tree, inkstyle, at night"
    assert GridPrompt(text="{trigger} a tree").drawn("") == "a tree"
