# SPDX-License-Identifier: Apache-2.0
"""Every family against diffusers alone, in float64: every sampler in every stack, and mixed."""

import itertools
from collections.abc import Mapping

import pytest
import torch

from tabard_server.engine_port.row_spec import RowSpec
from tests.server.engine.random_rows import random_batch
from tests.server.engine.tiny_base import Studio, draw, open_studio

pytestmark = pytest.mark.oracle

TOLERANCE = 1e-9
VISIBLE = 0.02
STACKS: Mapping[str, Mapping[str, float]] = {
    "none": {},
    "lora": {"lora": 1.0},
    "lora_of_convolutions": {"conv": 0.8},
    "kohya_of_everything": {"kohya": 0.7},
    "lora_of_every_text_encoder": {"text": 0.8},
    "dora": {"dora": 0.9},
    "inversion": {"inversion": 1.0},
    "stack": {"lora": 0.6, "text": 0.5, "inversion": 1.0},
    "stack_with_magnitudes": {"conv": 0.5, "text": 0.4, "dora": 0.6, "inversion": 1.0},
}
FAMILIES: Mapping[str, tuple[str, ...]] = {
    "sd1": tuple(STACKS),
    # Its layers are sd1's; what differs is how its text encoder ends and what its UNet predicts.
    "sd2": ("none", "lora_of_every_text_encoder", "stack"),
    "sdxl": tuple(STACKS),
}


@pytest.fixture(scope="module", params=FAMILIES)
def studio(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Studio:
    return open_studio(tmp_path_factory.mktemp(request.param), family=request.param)


@pytest.fixture(scope="module", params=["sd2", "sdxl"])
def noisy_studio(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Studio:
    """A base trained down to pure noise, to predict velocities, walked by trailing timesteps."""
    folder = tmp_path_factory.mktemp(f"{request.param}-noisy")
    return open_studio(folder, family=request.param, is_zero_snr=True)


def assert_equal(found: torch.Tensor, expected: torch.Tensor, spec: RowSpec) -> None:
    """Equal to 1e-9 of the largest value."""
    bound = TOLERANCE * max(1.0, float(expected.abs().max()))
    assert float((found - expected).abs().max()) <= bound, spec.drawing.sampler


def _compare(studio: Studio, stack: Mapping[str, float], specs: list[RowSpec]) -> None:
    """Draw all in one batch, and the first row alone; all are what diffusers draws."""
    expected = studio.expect(stack, specs)
    together = draw(studio.engine, specs)
    for spec, mixed, theirs in zip(specs, together, expected, strict=True):
        assert_equal(mixed, theirs, spec)
    alone = draw(studio.engine, specs[:1])[0]
    assert_equal(alone, expected[0], specs[0])


@pytest.mark.parametrize(
    ("studio", "name"),
    [(family, name) for family, names in FAMILIES.items() for name in names],
    indirect=["studio"],
    scope="module",
)
def test_every_sampler_equals_diffusers(studio: Studio, name: str) -> None:
    """Rows of all samplers share passes, and each is what diffusers alone draws."""
    specs = [studio.spec(STACKS[name], sampler=sampler) for sampler in studio.engine.facts.samplers]

    _compare(studio, STACKS[name], specs)


@pytest.mark.parametrize("name", ["none", "stack"])
def test_zero_snr_equals_diffusers(noisy_studio: Studio, name: str) -> None:
    """So it is on a base of zero terminal SNR, for every sampler that heeds it."""
    studio = noisy_studio
    specs = [studio.spec(STACKS[name], sampler=sampler) for sampler in studio.engine.facts.samplers]

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
    assert_equal(drawn, expected, changed)
    assert (drawn - plain).abs().max() > VISIBLE


@pytest.mark.parametrize("seed", range(2))
def test_random_batch_equals_lone_rows(studio: Studio, seed: int) -> None:
    """Rows of random stacks, samplers, prompts and pictures do not touch each other."""
    specs = random_batch(studio, seed=seed, size=(32, 32))

    together = draw(studio.engine, specs)

    for spec, mixed in zip(specs, together, strict=True):
        lone = draw(studio.engine, [spec])[0]
        assert_equal(mixed, lone, spec)
