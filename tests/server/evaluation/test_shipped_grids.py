# SPDX-License-Identifier: Apache-2.0
"""The grids that every server has."""

import pytest

from tabard_registry.evidence.grid import TRIGGER
from tabard_server.evaluation.shipped_grids import SEEDS, shipped_grids
from tests.server.releases import release

GRIDS = shipped_grids(width=512, height=768, steps=25, guidance_scale=7.5)


@pytest.mark.parametrize("name", ["style", "subject", "concept"])
def test_grid_has_sixteen_prompts_and_controls(name: str) -> None:
    """Four seeds that never change, the base's own size, and a place for the trigger."""
    grid = GRIDS[name]

    scored = [prompt for prompt in grid.prompts if not prompt.control]
    controls = [prompt for prompt in grid.prompts if prompt.control]
    assert (len(scored), len(controls), grid.seeds) == (16, 4, SEEDS)
    assert (grid.width, grid.height, grid.steps, grid.guidance_scale) == (512, 768, 25, 7.5)
    assert grid.purpose == grid.name == name
    assert all(TRIGGER in prompt.text for prompt in scored)
    grid.refuse_without_trigger(("ink style",))


def test_subject_has_a_class_word() -> None:
    """The base is asked for some thing, where the release is asked for its subject."""
    words = {prompt.class_word for prompt in GRIDS["subject"].prompts if not prompt.control}

    assert words == {"thing"}


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ({"kind": "lora"}, "style"),
        ({"kind": "textual_inversion"}, "concept"),
        ({"kind": "dreambooth"}, "subject"),
        ({"kind": "lora", "purpose": "subject"}, "subject"),
        ({"kind": "textual_inversion", "purpose": "style"}, "style"),
        ({"kind": "recipe"}, "style"),
    ],
)
def test_grid_follows_the_purpose(said: dict[str, str], name: str) -> None:
    """What its author says it is for; else what its kind is mostly for."""
    assert release(**{"purpose": "", **said}).judged_as == name
    assert name in GRIDS
