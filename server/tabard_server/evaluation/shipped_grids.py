# SPDX-License-Identifier: Apache-2.0
"""The grids that every server has, by what a release is for: 16 prompts and 4 controls, 4 seeds.

Subjects, places and light that any base knows; the size and the sampler are the base's own. Seeds
are fixed and published, never drawn. Pure.
"""

from typing import Literal

from tabard_registry.evidence.grid import TRIGGER, Grid, GridPrompt

SEEDS = (11, 23, 47, 101)
_SCENES = (
    "a lighthouse on a cliff",
    "a bowl of fruit on a table",
    "a portrait of an old man",
    "a street at night in the rain",
    "a mountain lake in the morning",
    "a cat asleep on a chair",
    "a red bicycle against a wall",
    "a ship in a storm",
    "a forest path in autumn",
    "a glass of water",
    "a crowded market",
    "a castle on a hill",
    "a dancer on a stage",
    "a vase of sunflowers",
    "an astronaut on the moon",
    "a wooden house in the snow",
)
_PLACES = (
    "on white background",
    "in a forest",
    "on a beach",
    "in the snow",
    "in a kitchen",
    "on a city street",
    "in a library",
    "on a mountain",
    "in the rain at night",
    "on grass",
    "under water",
    "in front of a red wall",
    "on a wooden table",
    "seen from above",
    "seen from the side",
    "very close",
)
_CONTROLS = (
    "a photo of a bridge over a river",
    "a photo of a green apple",
    "a photo of a woman with a hat",
    "a photo of a train in a station",
)
_PURPOSES: tuple[Literal["style", "subject", "concept"], ...] = ("style", "subject", "concept")


def shipped_grids(*, width: int, height: int, steps: int, guidance_scale: float) -> dict[str, Grid]:
    """Return every shipped grid, by name, for a base of this size."""
    words = {
        "style": [(f"{scene} {TRIGGER}", "") for scene in _SCENES],
        "concept": [(f"{scene} with {TRIGGER}", "") for scene in _SCENES],
        "subject": [(f"a {TRIGGER} {place}", "thing") for place in _PLACES],
    }
    return {
        purpose: Grid(
            name=purpose,
            purpose=purpose,
            prompts=(
                *(GridPrompt(text=text, class_word=word) for text, word in words[purpose]),
                *(GridPrompt(text=text, control=True) for text in _CONTROLS),
            ),
            seeds=SEEDS,
            steps=steps,
            width=width,
            height=height,
            guidance_scale=guidance_scale,
        )
        for purpose in _PURPOSES
    }
