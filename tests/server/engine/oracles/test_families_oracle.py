# SPDX-License-Identifier: Apache-2.0
"""Every family against diffusers alone, in float64: every sampler in every stack, and mixed."""

import itertools
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
import torch

from tabard_server.admission.walks import WalkReader
from tabard_server.engine_port.drawing import WantedDrawing
from tabard_server.engine_port.row_spec import RowSpec
from tabard_server.engine_port.samplers import SAMPLERS, Sampler
from tabard_server.engine_port.walk import SCHEDULES, TIMESTEP_SPACINGS, Walk
from tabard_server.errors import InvalidRequest
from tests.server.drawings import picture_of
from tests.server.engine.random_rows import random_batch
from tests.server.engine.tiny_base import TOKEN, TWIN, Studio, draw, open_studio

pytestmark = pytest.mark.oracle

TOLERANCE = 1e-9
VISIBLE = 0.02
MATRIX_ROWS = 64
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


def _walks_of(sampler: Sampler) -> Iterator[dict[str, Any]]:
    """Give every way in which a sampler can be told of its steps."""
    abilities = sampler.abilities
    if "timestep_spacing" in abilities:
        yield from ({"timestep_spacing": one} for one in TIMESTEP_SPACINGS)
        yield from (
            {"schedule": name}
            for name, one in SCHEDULES.items()
            if not one.warp or "schedule" in abilities
        )
    if "schedule" in abilities:
        yield {"schedule": "exponential", "timestep_spacing": "trailing"}
    if "timesteps" in abilities:
        yield {"timesteps": (999, 749, 499, 249)}
    if "sigmas" in abilities:
        yield {"sigmas": (14.6, 4.5, 1.7, 0.6, 0.0)}
    if "eta" in abilities:
        yield {"eta": 0.7}


def _matrix_of(studio: Studio) -> Iterator[tuple[str, Walk]]:
    """Give every sampler with every spacing and schedule that a request may say with it."""
    reader = WalkReader(
        resolve_sampler=studio.engine.resolve_sampler,
        samplers=studio.engine.facts.samplers,
        train_timesteps=studio.engine.facts.train_timesteps,
        default_sampler="ddim",
    )
    names = (studio.engine.facts.samplers, ("", *TIMESTEP_SPACINGS), ("", *SCHEDULES))
    for sampler, spacing, schedule in itertools.product(*names):
        said = {"sampler": sampler, "timestep_spacing": spacing, "schedule": schedule}
        with suppress(InvalidRequest):
            yield reader.read(WantedDrawing(prompt="", **said))


def test_every_spacing_of_every_schedule_equals_diffusers(studio: Studio) -> None:
    """Whatever of spacing and schedule is admitted with a sampler is what diffusers makes of it."""
    specs = [
        studio.spec({}, sampler=sampler, walk=walk, seed=number)
        for number, (sampler, walk) in enumerate(_matrix_of(studio))
    ]

    assert len(specs) > 8 * len(studio.engine.facts.samplers)
    for first in range(0, len(specs), MATRIX_ROWS):
        _compare(studio, {}, specs[first : first + MATRIX_ROWS])


WALKED = [name for name, one in SAMPLERS.items() if not one.schedule]


@pytest.mark.parametrize("name", ["none", "stack"])
def test_every_walk_equals_diffusers(studio: Studio, name: str) -> None:
    """Rows of every sampler with every spacing, schedule and list of steps share passes."""
    stack = STACKS[name]
    names = [one for one in WALKED if one in studio.engine.facts.samplers]
    specs = [
        studio.spec(stack, sampler=one, walk=Walk(**walk))
        for one in names
        for walk in _walks_of(SAMPLERS[one])
    ]

    _compare(studio, stack, specs)


def test_every_walk_over_noise_equals_diffusers(noisy_studio: Studio) -> None:
    """So it is on a base of zero terminal SNR."""
    studio = noisy_studio
    names = [one for one in WALKED if one in studio.engine.facts.samplers]
    specs = [
        studio.spec({}, sampler=one, walk=Walk(**walk))
        for one in names
        for walk in _walks_of(SAMPLERS[one])
    ]

    _compare(studio, {}, specs)


def test_walks_over_pictures_equal_diffusers(studio: Studio) -> None:
    """And where a picture is redrawn, or a part of one."""
    pixels = np.random.default_rng(3).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    mask = np.kron(np.eye(2), np.full((32, 32), 255)).astype(np.uint8)
    pictures = (picture_of(pixels), picture_of(pixels, mask=mask))
    specs = [
        studio.spec({}, sampler=one, walk=Walk(**walk), picture=picture, strength=0.6)
        for one in ("ddim", "euler", "dpmpp_2m", "unipc", "tcd")
        for walk in _walks_of(SAMPLERS[one])
        for picture in pictures
        if picture.mask is None or not {"timesteps", "sigmas"} & walk.keys()
    ]

    _compare(studio, {}, specs)


IN_EITHER: Mapping[str, tuple[str, str]] = {
    "prompt": (f"a red {TOKEN} circle", "blue"),
    "negative": ("a red circle", f"{TOKEN}, blue"),
    "both": (f"a {TOKEN} circle", f"a blue {TOKEN}"),
}
"""Prompt and negative prompt, by where the word of an embedding stands."""


def test_inversions_in_either_prompt_equal_diffusers(studio: Studio) -> None:
    """Two embeddings that teach one word share passes, in either prompt, beside rows without."""
    stacks: list[dict[str, float]] = [
        *({"inversion": 1.0}, {TWIN: 1.0}, {"inversion": 1.0, "text": 0.5}, {}),
    ]
    specs = [
        (stack, studio.spec(stack, prompt=prompt, negative_prompt=negative, seed=31))
        for stack in stacks
        for prompt, negative in IN_EITHER.values()
    ]

    together = draw(studio.engine, [spec for _, spec in specs])

    for (stack, spec), mixed in zip(specs, together, strict=True):
        (expected,) = studio.expect(stack, [spec])
        assert_equal(mixed, expected, spec)
    for left, right in itertools.combinations(together, 2):
        assert (left - right).abs().max() > VISIBLE


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
