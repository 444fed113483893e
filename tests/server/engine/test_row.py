# SPDX-License-Identifier: Apache-2.0
"""One image on its way: guidance, sampler and kept part as diffusers computes them."""

import diffusers
import numpy as np
import pytest
import torch

from tabard_server.engine.engine import Engine
from tabard_server.engine.row import Row
from tabard_server.engine.sampling.pass_courses import PassCourses
from tabard_server.engine_port.regions import Region
from tests.server.drawings import picture_of, row_spec
from tests.server.engine.sampling.known_courses import AHEAD

SHAPE = (1, 4, 16, 16)


def opened(engine: Engine, **changes: object) -> Row:
    """Open a row; the caller closes nothing, for a bare row holds no slot."""
    (row,) = engine.open_rows([row_spec(**changes)])  # type: ignore[arg-type]
    assert isinstance(row, Row), row
    return row


def advance(row: Row, said: torch.Tensor) -> None:
    """Take one step with what a model says of the row's samples."""
    PassCourses([row.course], ahead=AHEAD).advance_tables(said)


def noise(samples: int, *, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(samples, *SHAPE[1:], generator=generator, dtype=torch.float64)


def test_latents_are_those_of_the_seed(engine: Engine) -> None:
    """Drawn on the CPU in the model's dtype, as diffusers draws them, whatever else is asked."""
    expected = torch.randn(
        SHAPE, generator=torch.Generator("cpu").manual_seed(5), dtype=torch.float64
    )

    assert torch.equal(opened(engine, seed=5, prompt="other").latents, expected)


@pytest.mark.parametrize(("scale", "samples"), [(5.0, 2), (1.0, 1), (0.0, 1)])
def test_guided_row_takes_two_samples(engine: Engine, scale: float, samples: int) -> None:
    """The same latents for both; who is not guided takes one."""
    row = opened(engine, guidance_scale=scale)

    model_input = PassCourses([row.course], ahead=AHEAD).model_input()

    assert row.samples == len(model_input) == samples
    assert all(torch.equal(sample, row.latents[0]) for sample in model_input)


@pytest.mark.parametrize("scale", [1.0, 3.5])
def test_step_equals_diffusers(engine: Engine, scale: float) -> None:
    """Guidance is `u + s (c - u)`; then the sampler's own step, until nothing is left."""
    row = opened(engine, guidance_scale=scale, steps=3, sampler="ddim")
    theirs = diffusers.DDIMScheduler.from_config(engine._base.scheduler_config)
    theirs.set_timesteps(3)
    latents = row.latents.clone()

    for number, timestep in enumerate(theirs.timesteps):
        said = noise(row.samples, seed=number)
        guided = said[:1] + scale * (said[1:] - said[:1]) if len(said) == 2 else said
        latents = theirs.step(guided, timestep, latents, return_dict=False)[0]
        assert PassCourses([row.course], ahead=AHEAD).timesteps().unique() == timestep
        advance(row, said)

    torch.testing.assert_close(row.latents, latents, rtol=1e-12, atol=1e-12)
    assert (row.is_done, row.steps_done, row.steps_total) == (True, 3, 3)


def test_kept_part_is_put_back(engine: Engine) -> None:
    """Where a mask keeps, the last step leaves the picture's own latents, whatever was said."""
    pixels = np.full((64, 64, 3), 200, dtype=np.uint8)
    mask = np.zeros((64, 64), dtype=np.uint8)
    mask[:, 32:] = 255
    rows = [
        opened(engine, picture=picture_of(pixels, mask=mask), strength=1.0, steps=2)
        for _ in range(2)
    ]

    for number, row in enumerate(rows):
        while not row.is_done:
            advance(row, noise(row.samples, seed=number))

    kept, drawn = (rows[0].latents - rows[1].latents).abs().split(8, dim=3)
    assert float(kept.max()) == 0.0
    assert float(drawn.max()) > 0.1


@pytest.mark.parametrize("scale", [1.0, 3.5])
def test_parts_are_mixed_by_their_shares(engine: Engine, scale: float) -> None:
    """Each is guided by itself; what a step is told is one prediction."""
    half = np.zeros(SHAPE[2:])
    half[:, :8] = 0.25
    parts = (
        Region(name="", shares=1 - half, prompt="a"),
        Region(name="a", shares=half, prompt="a blue star"),
    )
    row = opened(engine, guidance_scale=scale, steps=3, sampler="ddim", regions=parts)
    theirs = diffusers.DDIMScheduler.from_config(engine._base.scheduler_config)
    theirs.set_timesteps(3)
    said, latents = noise(row.samples, seed=1), row.latents.clone()

    advance(row, said)

    each = 2 if scale > 1 else 1
    assert len(said) == row.samples == 2 * each
    rest, part = (
        no + scale * (yes - no) if scale > 1 else yes
        for no, yes in ((one[:1], one[-1:]) for one in said.split(each))
    )
    share = torch.from_numpy(half)
    mixed = (1 - share) * rest + share * part
    expected = theirs.step(mixed, theirs.timesteps[0], latents, return_dict=False)[0]
    torch.testing.assert_close(row.latents, expected, rtol=0, atol=1e-12)
