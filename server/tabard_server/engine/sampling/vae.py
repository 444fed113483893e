# SPDX-License-Identifier: Apache-2.0
"""Between pixels and latents: the VAE of a base, in the precision that it needs.

In: latents, or pixels in [-1, 1]. Out: the other. Knows nothing of rows or samplers.
"""

from typing import Any

import torch
from diffusers.utils.torch_utils import randn_tensor

from tabard_server.engine.base.loading import Base
from tabard_server.engine.networks.precision import component_dtype
from tabard_server.engine.sampling.readback import Readback
from tabard_server.engine.sampling.side_stream import SideStream
from tabard_server.engine.sampling.tiles import Tiles
from tabard_server.engine.sending import send


class LatentSpace:
    """The VAE of one base on its device.

    Attributes:
        device: Where latents lie.
        dtype: Dtype of latents; the VAE itself may be wider.
        beside: Where decoding may run while a step is under way.
    """

    def __init__(self, base: Base, *, device: torch.device, dtype: torch.dtype) -> None:
        """Move the VAE to the device."""
        self._vae: Any = base.vae
        self._factor = base.latent_factor
        self._scale = float(base.vae.config.scaling_factor)
        # Half of the families' VAEs say none, and the others a number that may be zero.
        self._shift = float(base.vae.config.get("shift_factor") or 0.0)
        self._vae_dtype = component_dtype("vae", base.vae.config, family=base.family, dtype=dtype)
        torch.nn.Module.to(self._vae, device=device, dtype=self._vae_dtype)
        self._vae.to(memory_format=torch.channels_last)
        self._tiles = Tiles(base.vae, native_pixels=base.native_pixels, factor=self._factor)
        self.device, self.dtype = device, dtype
        self.beside = SideStream(device)

    def shape(self, *, width: int, height: int) -> tuple[int, int, int, int]:
        """Return the shape of one row's latents."""
        channels = int(self._vae.config.latent_channels)
        return (1, channels, height // self._factor, width // self._factor)

    def decode(self, latents: torch.Tensor) -> Readback:
        """Begin to decode the picture of one row's latents."""
        return Readback(self._decode(latents)[0], is_finite=torch.isfinite(latents).all())

    def decode_small(self, latents: torch.Tensor) -> Readback:
        """Begin to decode a picture at latent resolution."""
        image = self._decode(latents)
        return Readback(torch.nn.functional.avg_pool2d(image, self._factor)[0])

    def encode(self, pixels: torch.Tensor, *, generator: torch.Generator) -> torch.Tensor:
        """Draw latents `[1, channels, h, w]` of pixels `[1, 3, height, width]` in [-1, 1]."""
        height, width = (side // self._factor for side in pixels.shape[-2:])
        with self._tiles.of_latents(height, width):
            posterior = self._vae.encode(pixels.to(self.device, self._vae_dtype)).latent_dist
        drawn: torch.Tensor = posterior.sample(generator).to(self.dtype)
        if (spread := self._spread(drawn)) is not None:
            mean, deviation = spread
            return (drawn - mean) * self._scale / deviation
        if self._shift:
            drawn = drawn - self._shift
        return drawn * self._scale

    def pass_over(self, generator: torch.Generator, *, width: int, height: int) -> None:
        """Draw what `encode` would draw, for a picture that is not looked at."""
        shape = self.shape(width=width, height=height)
        randn_tensor(shape, generator=generator, device=self.device, dtype=self._vae_dtype)

    def _decode(self, latents: torch.Tensor) -> torch.Tensor:
        latents = latents.to(self._vae_dtype)
        if (spread := self._spread(latents)) is not None:
            mean, deviation = spread
            plain = latents * deviation / self._scale + mean
        else:
            plain = latents / self._scale
            if self._shift:
                plain = plain + self._shift
        with self._tiles.of_latents(*plain.shape[-2:]):
            image: torch.Tensor = self._vae.decode(plain, return_dict=False)[0]
        return image

    def _spread(self, like: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor] | None:
        """Return mean and deviation of latents, for a VAE that was trained to whiten them."""
        config = self._vae.config
        mean, deviation = config.get("latents_mean"), config.get("latents_std")
        if mean is None or deviation is None:
            return None
        shape = (1, len(mean), 1, 1)
        return (
            send(torch.tensor(mean, dtype=like.dtype).view(shape), like.device),
            send(torch.tensor(deviation, dtype=like.dtype).view(shape), like.device),
        )
