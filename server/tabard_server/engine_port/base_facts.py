# SPDX-License-Identifier: Apache-2.0
"""What an engine says of its base once and for all. Knows no torch."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Guidance = Literal["classifier_free", "distilled", "none"]
"""How a base is guided: by a second sample, by a number that it was trained to read, or not."""
DISTILLED_SCALE = 3.5
"""What a base that is guided by a number is told where nothing is said, as in diffusers."""
UNGUIDED_SCALE = 1.0
"""The scale of a base that is not guided."""
NUMERICS = "3"
"""Version of the arithmetic from noise to image: equal requests give equal bytes while it stays.

Raised by whoever changes the bytes of a `deterministic` image. 1: each row by diffusers' own step.
2: samplers are tables, and latents stay in float32 between the steps of a model in half precision.
3: pictures of more than four times the pixels of the base's own size are decoded in tiles.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseFacts:
    """What the base can draw.

    Attributes:
        native_width: Pixels it was trained at: the width when a request says nothing.
        native_height: The same for the height.
        pixel_multiple: Width and height are multiples of it.
        latent_factor: Pixels of a side of one latent pixel.
        clip_skip_max: Most last layers of its text encoders that a prompt may leave out.
        train_timesteps: Timesteps of its training; a walk names them from 0 to one less.
        prediction: What its network predicts, like `epsilon`.
        samplers: Short names of the samplers that it can be walked with.
        dtype: In which precision it is drawn, like `float32`.
        versions: Versions of what shapes an image: libraries, and `numerics`, the arithmetic here.
        guidance: How it is guided.
        takes_sizes: Whether it is told the sizes that a picture shall seem to have.
        side_pixels_max: Longest side that it has positions for; None: it needs none.
        skippable_blocks: Blocks that skip-layer guidance may leave out; 0: it has none.
        remarks: What an operator should know of it, from keys that are not read to other sizes.
    """

    native_width: int
    native_height: int
    pixel_multiple: int
    latent_factor: int
    clip_skip_max: int
    train_timesteps: int
    prediction: str
    samplers: tuple[str, ...]
    dtype: str
    versions: Mapping[str, str]
    guidance: Guidance = "classifier_free"
    takes_sizes: bool = False
    side_pixels_max: int | None = None
    skippable_blocks: int = 0
    remarks: tuple[str, ...] = ()

    def guidance_scale(self, said: float | None, *, default: float) -> float:
        """Return the scale that this base draws with.

        Args:
            said: By somebody; None: by nobody.
            default: Of bases that are guided by a second sample.
        """
        if self.guidance == "none":
            return UNGUIDED_SCALE
        if said is not None:
            return said
        return DISTILLED_SCALE if self.guidance == "distilled" else default
