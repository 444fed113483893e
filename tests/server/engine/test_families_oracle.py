# SPDX-License-Identifier: Apache-2.0
"""sd2 and sdxl against diffusers alone, in float64: every sampler in every stack, and mixed."""

import itertools
import random
from collections.abc import Mapping

import numpy as np
import pytest
import torch

from livery_server.engine import Picture, RowSpec
from tests.server.engine.studio import Studio, draw, open_studio, run_of

pytestmark = pytest.mark.oracle

TOLERANCE = 1e-9
VISIBLE = 0.02
STACKS: Mapping[str, Mapping[str, float]] = {
    "none": {},
    "lora": {"lora": 1.0},
    "kohya_of_everything": {"kohya": 0.7},
    "lora_of_every_text_encoder": {"text": 0.8},
    "inversion": {"inversion": 1.0},
    "stack": {"lora": 0.6, "text": 0.5, "inversion": 1.0},
}


@pytest.fixture(scope="module", params=["sd2", "sdxl"])
def studio(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Studio:
    return open_studio(tmp_path_factory.mktemp(request.param), family=request.param)


@pytest.fixture(scope="module", params=["sd2", "sdxl"])
def noisy_studio(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Studio:
    """A base trained down to pure noise, to predict velocities, walked by trailing timesteps."""
    folder = tmp_path_factory.mktemp(f"{request.param}-noisy")
    return open_studio(folder, family=request.param, is_zero_snr=True)


def _compare(studio: Studio, stack: Mapping[str, float], specs: list[RowSpec]) -> None:
    """Draw each row alone and all in one batch; both are what diffusers draws."""
    expected = studio.expect(stack, specs)
    together = draw(studio.engine, specs)
    for spec, mixed, theirs in zip(specs, together, expected, strict=True):
        torch.testing.assert_close(mixed, theirs, rtol=TOLERANCE, atol=TOLERANCE, msg=spec.sampler)
    alone = draw(studio.engine, specs[:1])[0]
    torch.testing.assert_close(alone, expected[0], rtol=TOLERANCE, atol=TOLERANCE)


@pytest.mark.parametrize("name", STACKS)
def test_every_sampler_equals_diffusers(studio: Studio, name: str) -> None:
    """Rows of all samplers share passes, and each is what diffusers alone draws."""
    specs = [studio.spec(STACKS[name], sampler=sampler) for sampler in studio.engine.samplers]

    _compare(studio, STACKS[name], specs)


@pytest.mark.parametrize("name", ["none", "stack"])
def test_zero_snr_equals_diffusers(noisy_studio: Studio, name: str) -> None:
    """So it is on a base of zero terminal SNR, for every sampler that heeds it."""
    studio = noisy_studio
    specs = [studio.spec(STACKS[name], sampler=sampler) for sampler in studio.engine.samplers]

    _compare(studio, STACKS[name], specs)


def test_every_stack_changes_picture(studio: Studio) -> None:
    """The comparisons above mean something: each stack moves the latents by far more."""
    results = draw(studio.engine, [studio.spec(stack) for stack in STACKS.values()])

    for left, right in itertools.combinations(results, 2):
        assert (left - right).abs().max() > VISIBLE


@pytest.mark.parametrize(
    "changes",
    [
        {"negative_prompt": ""},
        {"guidance_scale": 1.0},
        {"width": 96, "height": 64},
        {"steps": 1},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_other_requests_equal_diffusers(studio: Studio, changes: dict[str, object]) -> None:
    """No negative prompt, no guidance, another shape and a single step are as in diffusers."""
    stack = STACKS["stack"]

    _compare(studio, stack, [studio.spec(stack, **changes)])


def test_sizes_reach_the_unet(tmp_path_factory: pytest.TempPathFactory) -> None:
    """SDXL is told of the sizes that a request gives, and of its own where it gives none."""
    studio = open_studio(tmp_path_factory.mktemp("sizes"), family="sdxl")
    changed = studio.spec({}, original_size=(256, 128), crop_top_left=(8, 16), target_size=(96, 32))
    sizes = {"original_size": (128, 256), "crops_coords_top_left": (8, 16), "target_size": (32, 96)}

    drawn, plain = draw(studio.engine, [changed, studio.spec({})])

    (expected,) = studio.expect({}, [changed], **sizes)
    torch.testing.assert_close(drawn, expected, rtol=TOLERANCE, atol=TOLERANCE)
    assert (drawn - plain).abs().max() > VISIBLE


def _random_spec(studio: Studio, dice: random.Random) -> RowSpec:
    names = dice.sample(sorted(studio.adapters), dice.randint(0, 3))
    rows = np.random.default_rng(dice.randint(0, 99))
    pixels = rows.integers(0, 256, (64, 64, 3), dtype=np.uint8)
    mask = rows.integers(0, 256, (64, 64), dtype=np.uint8)
    picture = Picture(pixels=pixels, strength=0.7, mask=dice.choice([None, mask]))
    return studio.spec(
        {name: dice.choice([0.4, 1.0, -0.5]) for name in names},
        seed=dice.randint(0, 1000),
        steps=dice.randint(2, 6),
        sampler=dice.choice(studio.engine.samplers),
        guidance_scale=dice.choice([1.0, 4.0, 7.5]),
        negative_prompt=dice.choice(["", "a blue star"]),
        clip_skip=dice.choice([0, 1]),
        picture=dice.choice([None, picture]),
    )


@pytest.mark.parametrize("seed", range(2))
def test_random_batch_equals_lone_rows(studio: Studio, seed: int) -> None:
    """Eight rows of random stacks, samplers, prompts and pictures do not touch each other."""
    dice = random.Random(seed)
    specs = [_random_spec(studio, dice) for _ in range(8)]

    together = draw(studio.engine, specs)

    for spec, mixed in zip(specs, together, strict=True):
        lone = draw(studio.engine, [spec])[0]
        run = {key: value for key, value in run_of(spec).items() if key not in ("image", "mask")}
        torch.testing.assert_close(mixed, lone, rtol=TOLERANCE, atol=TOLERANCE, msg=str(run))
