# SPDX-License-Identifier: Apache-2.0
"""Large pictures are worked through in diffusers' own tiles, others whole."""

import math
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from tabard_server.engine.base.loading import Base, load_base
from tabard_server.engine.base.place import DEMO_BASE
from tabard_server.engine.measures.dry_run import run_dry, walk_through
from tabard_server.engine.measures.memory_plan import plan_memory
from tabard_server.engine.measures.passes import Pass
from tabard_server.engine.sampling.readback import Readback
from tabard_server.engine.sampling.tiles import whole_pixels_max
from tabard_server.engine.sampling.vae import LatentSpace

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def base(tiny_base: Path) -> Base:
    return load_base(str(tiny_base))


@pytest.fixture(scope="module")
def space(base: Base) -> LatentSpace:
    """A latent space in float64."""
    return LatentSpace(base, device=CPU, dtype=torch.float64)


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)


def tiled_by_diffusers(base: Base) -> Any:
    """Another VAE of the same weights, tiled as `enable_vae_tiling` does, whatever the size."""
    vae = deepcopy(base.vae)
    vae.enable_tiling()
    # Where a config says how large pictures were in training, this is what diffusers takes.
    vae.tile_sample_min_size = base.native_pixels
    vae.tile_latent_min_size = base.native_pixels // base.latent_factor
    return vae


def side_of(base: Base, *, share: float) -> int:
    """Return latents along a side, as a share of the largest picture that is whole."""
    return round(share * math.isqrt(whole_pixels_max(base.native_pixels)) / base.latent_factor)


@torch.no_grad()
@pytest.mark.parametrize("sides", [(1.25, 1.25), (0.75, 2.0), (2.25, 0.5)])
def test_large_pictures_are_diffusers_tiles(
    base: Base, space: LatentSpace, sides: tuple[float, float]
) -> None:
    """Both ways, to the bit, of any shape."""
    height, width = (side_of(base, share=share) for share in sides)
    latents = noise(1, 4, height, width)
    pixels = noise(1, 3, height * base.latent_factor, width * base.latent_factor).clamp(-1, 1)
    oracle, scale = tiled_by_diffusers(base), base.vae.config.scaling_factor

    decoded = space.decode(latents).pixels()
    encoded = space.encode(pixels, generator=torch.Generator().manual_seed(4))

    assert np.array_equal(decoded, Readback(oracle.decode(latents / scale).sample[0]).pixels())
    posterior = oracle.encode(pixels).latent_dist
    assert torch.equal(encoded, posterior.sample(torch.Generator().manual_seed(4)) * scale)
    whole = Readback(base.vae.decode(latents / scale).sample[0]).pixels()
    assert not np.array_equal(decoded, whole), "it had no tiles"


@torch.no_grad()
def test_pictures_up_to_a_size_are_whole(base: Base, space: LatentSpace) -> None:
    """Twice the sides that the base was trained for; and after a large one, too."""
    space.decode(noise(1, 4, side_of(base, share=1.25), side_of(base, share=1.0)))
    latents = noise(1, 4, side_of(base, share=1.0), side_of(base, share=1.0))

    found = space.decode(latents).pixels()

    whole = base.vae.decode(latents / base.vae.config.scaling_factor).sample[0]
    assert np.array_equal(found, Readback(whole).pixels())


@torch.no_grad()
def test_tiles_are_near_the_whole() -> None:
    """On a VAE that has learnt: four levels of 256 on average, and no farther from the picture."""
    demo = load_base(str(DEMO_BASE))
    space = LatentSpace(demo, device=CPU, dtype=torch.float32)
    side = side_of(demo, share=1.5) * demo.latent_factor
    rows, columns = torch.meshgrid(2 * [torch.linspace(-3, 3, side)], indexing="ij")
    disc = (rows**2 + columns**2 < 2).float()
    picture = torch.stack([0.8 + 0 * disc, 0.8 - 1.6 * disc, 0.8 - 1.6 * disc])[None]
    latents = demo.vae.encode(picture).latent_dist.mean * demo.vae.config.scaling_factor

    tiled = space.decode(latents).pixels().astype(float)

    whole = demo.vae.decode(latents / demo.vae.config.scaling_factor).sample[0]
    drawn, sent = (Readback(one).pixels().astype(float) for one in (whole, picture[0]))
    assert np.abs(tiled - drawn).mean() < 4
    assert np.abs(tiled - sent).mean() <= np.abs(drawn - sent).mean()


class _Decoding(nn.Module):
    """A VAE that decodes when it is called."""

    def __init__(self, vae: Any) -> None:
        super().__init__()
        self.vae = vae

    def forward(self, latents: torch.Tensor) -> torch.Tensor:
        """Give the picture, and its pixels as they are read back."""
        image: torch.Tensor = self.vae.decode(latents, return_dict=False)[0]
        unit = (image[0] / 2 + 0.5).clamp(0, 1).permute(1, 2, 0).float()
        return (unit * 255).round().to(torch.uint8)


def test_plan_counts_a_tile(base: Base) -> None:
    """What is alive in a tiled decoding is no more than the plan says, and far less than whole."""
    side = side_of(base, share=3.0)
    latents = torch.zeros(1, 4, side, side, device="meta")
    pixels = side * base.latent_factor
    plan = plan_memory(
        base,
        walked=walk_through(base),
        dtype=torch.float32,
        slot_rank_total=1,
        rows_per_step_max=1,
        can_merge=False,
        device=CPU,
        free_bytes=None,
    )

    tiled = run_dry(Pass(model=_Decoding(tiled_by_diffusers(base)), inputs={"latents": latents}))

    counted = plan.passes.of_image((pixels, pixels))
    assert tiled.peak_bytes <= counted
    assert counted < plan.passes.image.at((pixels, pixels)) / 3
