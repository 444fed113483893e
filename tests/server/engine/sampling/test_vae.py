# SPDX-License-Identifier: Apache-2.0
"""Between pixels and latents: what diffusers' VAE gives, in the precision that it needs."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from tabard_server.engine.base.loading import Base, load_base
from tabard_server.engine.load_engine import EngineSettings, load_engine
from tabard_server.engine.sampling.readback import Readback
from tabard_server.engine.sampling.vae import LatentSpace
from tabard_server.engine_port.errors import RowNotFinite
from tests.server.engine.base.changed_folders import change_config, copy_folder
from tests.tiny_models import tiny_vae


@pytest.mark.oracle
def test_large_vae_is_kept_wide_in_half_precision(bases: dict[str, Path], tmp_path: Path) -> None:
    """SDXL's VAE, which overflows in half precision, stays in float32 where its config says so."""
    folder = copy_folder(bases["sdxl"], tmp_path)
    change_config(folder / "vae/config.json", force_upcast=True)

    upcast = load_engine(EngineSettings(base=str(folder), device="cpu", dtype="float16"))
    plain = load_engine(EngineSettings(base=str(bases["sdxl"]), device="cpu", dtype="float16"))

    assert upcast._base.vae.dtype == torch.float32
    assert plain._base.vae.dtype == torch.float16
    assert upcast._base.network.module.dtype == torch.float16


@pytest.fixture(scope="module")
def base(tiny_base: Path) -> Base:
    return load_base(str(tiny_base))


@pytest.fixture(scope="module")
def space(base: Base) -> LatentSpace:
    """A latent space in float64."""
    return LatentSpace(base, device=torch.device("cpu"), dtype=torch.float64)


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)


@torch.no_grad()
def test_decoding_equals_diffusers(base: Base, space: LatentSpace) -> None:
    """Latents over the scaling factor, through the VAE; latent resolution is its average."""
    latents = noise(1, 4, 4, 6)

    whole, small = space.decode(latents).pixels(), space.decode_small(latents).pixels()

    image = base.vae.decode(latents / base.vae.config.scaling_factor).sample[0]
    assert np.array_equal(whole, Readback(image).pixels())
    assert (whole.shape, small.shape) == ((16, 24, 3), (4, 6, 3))
    mean = torch.nn.functional.avg_pool2d(image[None], 4)[0]
    assert np.array_equal(small, Readback(mean).pixels())


@torch.no_grad()
def test_encoding_equals_diffusers(base: Base, space: LatentSpace) -> None:
    """A sample of the posterior times the factor, from the row's own generator."""
    pixels = noise(1, 3, 16, 24).clamp(-1, 1)

    found = space.encode(pixels, generator=torch.Generator().manual_seed(4))

    posterior = base.vae.encode(pixels).latent_dist
    sampled = posterior.sample(torch.Generator().manual_seed(4))
    assert torch.equal(found, sampled * base.vae.config.scaling_factor)
    assert found.shape == space.shape(width=24, height=16)


@torch.no_grad()
def test_passing_over_draws_as_much(space: LatentSpace) -> None:
    """A generator stands where it would after an encoding, for a picture not looked at."""
    one, other = (torch.Generator().manual_seed(4) for _ in range(2))

    space.encode(noise(1, 3, 16, 24), generator=one)
    space.pass_over(other, width=24, height=16)

    assert torch.equal(one.get_state(), other.get_state())


@torch.no_grad()
def test_whitened_latents_come_back(base: Base, space: LatentSpace) -> None:
    """A VAE that says mean and deviation has them taken out, and put in again."""
    mean, deviation = [0.1, -0.2, 0.3, 0.4], [2.0, 0.5, 1.5, 3.0]
    plain, latents = base.vae.config, noise(1, 4, 2, 2)
    expected = base.vae.decode(
        latents * torch.tensor(deviation).view(1, 4, 1, 1).double() / plain.scaling_factor
        + torch.tensor(mean).view(1, 4, 1, 1).double()
    ).sample[0]

    base.vae.register_to_config(latents_mean=mean, latents_std=deviation)
    try:
        found = space.decode(latents).pixels()
        encoded = space.encode(noise(1, 3, 16, 16), generator=torch.Generator().manual_seed(4))
    finally:
        base.vae.register_to_config(latents_mean=None, latents_std=None)

    bare = space.encode(noise(1, 3, 16, 16), generator=torch.Generator().manual_seed(4))
    assert np.array_equal(found, Readback(expected).pixels())
    sampled = bare / plain.scaling_factor
    whitened = (sampled - torch.tensor(mean).view(1, 4, 1, 1)) * plain.scaling_factor
    torch.testing.assert_close(encoded, whitened / torch.tensor(deviation).view(1, 4, 1, 1))


def test_broken_latents_are_noted(space: LatentSpace) -> None:
    """NaN before the decoder is told, though the decoder may hide it."""
    with torch.no_grad():
        readback = space.decode(torch.full((1, 4, 2, 2), float("nan"), dtype=torch.float64))

    with pytest.raises(RowNotFinite):
        readback.pixels()


@torch.no_grad()
def test_shifted_latents_come_back() -> None:
    """A VAE of 16 channels without quantising convolutions, as SD 3.5 and Flux.1 have it."""
    torch.manual_seed(1)
    vae = tiny_vae(
        latent_channels=16,
        scaling_factor=1.5305,
        shift_factor=0.0609,
        use_quant_conv=False,
        use_post_quant_conv=False,
    ).double()
    flow: Any = SimpleNamespace(vae=vae, latent_factor=4, family="sd3", native_pixels=64)
    space = LatentSpace(flow, device=torch.device("cpu"), dtype=torch.float64)
    latents, pixels = noise(1, 16, 4, 6), noise(1, 3, 16, 24).clamp(-1, 1)

    found = space.decode(latents).pixels()
    encoded = space.encode(pixels, generator=torch.Generator().manual_seed(4))

    assert encoded.shape == space.shape(width=24, height=16) == (1, 16, 4, 6)
    image = vae.decode(latents / 1.5305 + 0.0609).sample[0]
    assert np.array_equal(found, Readback(image).pixels())
    sampled = vae.encode(pixels).latent_dist.sample(torch.Generator().manual_seed(4))
    assert torch.equal(encoded, (sampled - 0.0609) * 1.5305)
