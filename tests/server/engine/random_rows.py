# SPDX-License-Identifier: Apache-2.0
"""Rows of everything that may share a forward pass, drawn from seeded dice.

In: a studio and dice. Out: row specs of one pixel size, of any stack, sampler, guidance, length of
prompt and picture.
"""

import random
from typing import Any

import numpy as np

from tabard_server.admission.regions.areas import draw_boxes, share_out
from tabard_server.engine_port.prompt_style import PromptStyle
from tabard_server.engine_port.regions import Box, Region
from tabard_server.engine_port.row_spec import RowSpec
from tabard_server.engine_port.samplers import SAMPLERS, Sampler
from tabard_server.engine_port.walk import PLAIN_WALK, SCHEDULES, TIMESTEP_SPACINGS, Walk
from tabard_server.engine_port.weights.strength import Controls, Point, Strength, Weight
from tests.server.drawings import picture_of
from tests.server.engine.tiny_base import TOKEN, TWIN, Studio

ROWS_MAX = 8
STACK_MAX = 4
PROMPTS = (
    f"a red {TOKEN} circle",
    f"a {TOKEN} star BREAK a circle",
    f"two {TOKEN} BREAK b BREAK a green square",
)
NEGATIVES = ("", "a blue star", "ugly BREAK blurred", f"ugly {TOKEN}")
SEVERAL_WINDOWS = PromptStyle(syntax="a1111", windows_max=3)


def random_batch(studio: Studio, *, seed: int, size: tuple[int, int]) -> list[RowSpec]:
    """Return two to eight rows of one size."""
    dice = random.Random(seed)
    return [random_row(studio, dice, size=size) for _ in range(dice.randint(2, ROWS_MAX))]


def random_row(studio: Studio, dice: random.Random, *, size: tuple[int, int]) -> RowSpec:
    """Return one row."""
    # Two that teach one word are never worn together.
    names = dice.sample(sorted({*studio.adapters} - {TWIN}), dice.randint(0, STACK_MAX))
    steps = dice.randint(2, 5)
    sampler = dice.choice(_samplers(studio, steps=steps))
    return studio.spec(
        {name: _weight(dice, name=name) for name in names},
        prompt=dice.choice(PROMPTS),
        negative_prompt=dice.choice(NEGATIVES),
        style=SEVERAL_WINDOWS,
        clip_skip=dice.choice([0, 0, 1]),
        seed=dice.randint(0, 2**63),
        steps=steps,
        guidance_scale=dice.choice([1.0, 4.0, 7.5]),
        sampler=sampler,
        walk=_walk(dice, sampler=SAMPLERS[sampler], steps=steps),
        width=size[0],
        height=size[1],
        regions=_regions(studio, dice, size=size),
        **_redrawing(dice, size=size),
    )


def _weight(dice: random.Random, *, name: str) -> Weight:
    """Return a weight, for half of the adapters one with controls; words have none."""
    weight = dice.choice([0.4, 1.0, -0.5])
    if name == "inversion" or dice.random() < 0.5:
        return weight
    controls = Controls(
        text_encoder=dice.choice([None, None, 0.0, 0.6]),
        unet=dice.choice([(), (Point(0.5, 0.0),), (Point(0.2, 0.0), Point(1.0, 0.7))]),
        start=dice.choice([0.0, 0.0, 0.3]),
        end=dice.choice([1.0, 1.0, 0.8]),
        region=dice.choice(["", "", "left", "top"]),
        blocks=dice.choice([(), (("IN01", 0.0), ("MID", 0.5)), (("OUT02", -1.0), ("BASE", 0.5))]),
    )
    return Strength(weight=weight, controls=controls)


def _regions(studio: Studio, dice: random.Random, *, size: tuple[int, int]) -> tuple[Region, ...]:
    """Return the parts of a third of the pictures, with prompts of one to three windows."""
    if dice.random() < 2 / 3:
        return ()
    boxes = {
        "left": draw_boxes([Box(0.0, 0.0, dice.uniform(0.2, 0.8), 1.0)], size=size),
        "top": draw_boxes([Box(0.0, 0.0, 1.0, 0.5)], size=size),
    }
    shares, rest = share_out(list(boxes.values()), factor=studio.engine.facts.latent_factor)
    assert rest is not None
    parts = zip(("", *boxes), (rest, *shares), strict=True)
    return tuple(Region(name=name, shares=one, prompt=dice.choice(PROMPTS)) for name, one in parts)


def _samplers(studio: Studio, *, steps: int) -> list[str]:
    # PNDM warms up over more steps than a short walk has.
    return [name for name in studio.engine.facts.samplers if name != "pndm" or steps >= 4]


def _walk(dice: random.Random, *, sampler: Sampler, steps: int) -> Walk:
    """Return a walk that the sampler can take, half of the time the plain one."""
    ways: list[dict[str, Any]] = []
    if "timestep_spacing" in sampler.abilities:
        ways.append({"timestep_spacing": dice.choice(TIMESTEP_SPACINGS)})
    if "schedule" in sampler.abilities and not sampler.schedule:
        ways.append({"schedule": dice.choice(sorted(SCHEDULES))})
    if "timesteps" in sampler.abilities and not (sampler.schedule or sampler.name == "heun"):
        ways.append({"timesteps": tuple(sorted(dice.sample(range(1000), steps), reverse=True))})
    if "eta" in sampler.abilities:
        ways.append({"eta": dice.choice([0.3, 1.0])})
    return Walk(**dice.choice(ways)) if ways and dice.random() < 0.5 else PLAIN_WALK


def _redrawing(dice: random.Random, *, size: tuple[int, int]) -> dict[str, Any]:
    if dice.random() < 0.5:
        return {}
    rows = np.random.default_rng(dice.randint(0, 99))
    pixels = rows.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    mask = rows.integers(0, 256, (size[1], size[0]), dtype=np.uint8)
    return {"picture": picture_of(pixels, mask=dice.choice([None, mask])), "strength": 0.7}
