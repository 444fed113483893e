# SPDX-License-Identifier: Apache-2.0
"""Which pictures a VAE works through in tiles, and how large a tile is; see docs/decisions/0078.

In: a VAE, the size for which its base was trained. Out: diffusers' own tiles, switched on for one
call. The size of the picture alone decides, so that the same request comes to the same bits
wherever it is drawn.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

OVERLAP = 0.25
"""Share of a tile that the next one has too, as in diffusers; there they are mixed."""
_WHOLE_SIDES = 2
"""A picture with this many times both sides that the base was trained for is not yet tiled."""


def whole_pixels_max(native_pixels: int) -> int:
    """Return the pixels of the largest picture that is worked through whole.

    Args:
        native_pixels: Of one side of the pictures that the base was trained for; a tile's side too.
    """
    return (_WHOLE_SIDES * native_pixels) ** 2


class Tiles:
    """Tiles for the larger pictures of one VAE. Used from the engine's thread."""

    def __init__(self, vae: Any, *, native_pixels: int, factor: int) -> None:
        """Tell a VAE of diffusers how large its tiles are.

        Args:
            vae: An `AutoencoderKL`.
            native_pixels: Of one side of a tile.
            factor: Pixels of one side to a latent.
        """
        self._vae, self._factor = vae, factor
        self._whole_pixels_max = whole_pixels_max(native_pixels)
        vae.tile_sample_min_size = native_pixels
        vae.tile_latent_min_size = native_pixels // factor
        vae.tile_overlap_factor = OVERLAP

    @contextmanager
    def of_latents(self, height: int, width: int) -> Iterator[None]:
        """Decode or encode a picture of so many latents, in tiles if it is large."""
        pixels = math.prod((height, width)) * self._factor**2
        self._vae.use_tiling = pixels > self._whole_pixels_max
        try:
            yield
        finally:
            self._vae.use_tiling = False
