# SPDX-License-Identifier: Apache-2.0
"""Decoded values become pixels as diffusers makes them, and a broken image is told."""

import numpy as np
import pytest
import torch
from diffusers.image_processor import VaeImageProcessor

from tabard_server.engine.sampling.readback import Readback
from tabard_server.engine_port.errors import RowNotFinite


def test_pixels_equal_diffusers() -> None:
    """Clamped and rounded as its image processor does, in `[height, width, 3]`."""
    image = torch.randn(3, 5, 7, generator=torch.Generator().manual_seed(1))

    found = Readback(image).pixels()

    processor = VaeImageProcessor()
    (expected,) = processor.numpy_to_pil(processor.pt_to_numpy(processor.denormalize(image[None])))
    assert found.shape == (5, 7, 3)
    assert np.array_equal(found, np.asarray(expected))


@pytest.mark.parametrize(("value", "pixel"), [(-1.0, 0), (0.0, 128), (1.0, 255), (9.0, 255)])
def test_ends_of_the_range(value: float, pixel: int) -> None:
    """From -1 to 1, and no wrapping round beyond."""
    assert (Readback(torch.full((3, 2, 2), value)).pixels() == pixel).all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_every_dtype_gives_bytes(dtype: torch.dtype) -> None:
    """Whatever the model computes in."""
    assert Readback(torch.zeros(3, 2, 2, dtype=dtype)).pixels().dtype == np.uint8


def test_broken_latents_are_told_when_read() -> None:
    """Nobody waits for the answer before the pixels are asked for."""
    image = torch.zeros(3, 2, 2)
    whole = Readback(image, is_finite=torch.tensor(True))
    broken = Readback(image, is_finite=torch.tensor(False))

    assert whole.pixels().any()
    with pytest.raises(RowNotFinite) as caught:
        broken.pixels()

    assert caught.value.hint
