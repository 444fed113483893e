# SPDX-License-Identifier: Apache-2.0
"""Redrawing pictures, whole or where a mask says, against diffusers' pipelines in float64."""

import numpy as np
import pytest
import torch

from tabard_server.engine_port.drawing import Pixels
from tabard_server.engine_port.errors import RowNotPossible
from tests.server.drawings import picture_of
from tests.server.engine.tiny_base import Studio, draw, open_studio

pytestmark = pytest.mark.oracle

TOLERANCE = 1e-9
STACK = {"lora": 0.6, "text": 0.5}
SAMPLERS = ("ddim", "euler_a", "heun", "dpmpp_2m_sde_karras", "pndm", "lcm", "unipc")
PIXELS = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
MASK = np.kron(np.eye(8, dtype=np.uint8), np.full((8, 8), 255, dtype=np.uint8))


@pytest.fixture(scope="module", params=["sd1", "sdxl"])
def studio(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Studio:
    return open_studio(tmp_path_factory.mktemp(request.param), family=request.param)


@pytest.mark.parametrize(
    ("mask", "strength"),
    [(None, 0.6), (None, 1.0), (MASK, 0.6), (MASK, 1.0)],
    ids=["redrawn", "redrawn wholly", "filled", "filled anew"],
)
def test_picture_equals_diffusers(studio: Studio, mask: Pixels | None, strength: float) -> None:
    """Rows of several samplers begin from a picture in one batch, each as diffusers alone."""
    said = {"picture": picture_of(PIXELS, mask=mask), "strength": strength, "steps": 5}
    specs = [studio.spec(STACK, sampler=sampler, **said) for sampler in SAMPLERS]

    together = draw(studio.engine, specs)

    for spec, mixed, theirs in zip(specs, together, studio.expect(STACK, specs), strict=True):
        sampler = spec.drawing.sampler
        torch.testing.assert_close(mixed, theirs, rtol=TOLERANCE, atol=TOLERANCE, msg=sampler)


def test_kept_part_stays_and_the_rest_changes(studio: Studio) -> None:
    """Outside the mask the latents are the picture's; inside they are the prompt's."""
    whole = np.zeros((64, 64), dtype=np.uint8)
    half = whole.copy()
    half[:, 32:] = 255

    kept, filled = draw(
        studio.engine,
        [
            studio.spec({}, picture=picture_of(PIXELS, mask=mask), strength=1.0)
            for mask in (whole, half)
        ],
    )

    torch.testing.assert_close(filled[..., :8], kept[..., :8], rtol=0, atol=0)
    assert (filled[..., 8:] - kept[..., 8:]).abs().max() > 0.1


def test_too_little_strength_is_refused(studio: Studio) -> None:
    """A strength that leaves no step is refused with one that would do; no slot is kept."""
    spec = studio.spec(STACK, picture=picture_of(PIXELS), strength=0.1)

    (error,) = studio.engine.open_rows([spec])

    assert isinstance(error, RowNotPossible)
    assert error.reason == "STRENGTH_TOO_SMALL"
    assert "0.25" in error.hint
    assert not any(use.leases for use in studio.engine.residents())
