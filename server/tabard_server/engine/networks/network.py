# SPDX-License-Identifier: Apache-2.0
"""The network that takes the noise out, whatever its family: what the engine asks of it.

In: latents of several samples, and what each is told. Out: what the network says to them, in the
latents' shape. How latents become the network's own input, and what it is called with, is known
in the modules beside this one and nowhere else. Knows nothing of rows, samplers or slots.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch

from tabard_server.engine_port.base_facts import Guidance
from tabard_server.engine_port.drawing import Drawing


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What the samples of a batch are told, beside the time.

    Attributes:
        text: Hidden states `[samples, length, width]`.
        pooled: Summary of each text `[samples, width]`; None where the network takes none.
        numbers: What `Network.numbers_of` gives `[samples, n]`; None where that is nothing.
        mask: `[samples, length]`, True where a token is the sample's own; None: all are.
    """

    text: torch.Tensor
    pooled: torch.Tensor | None = None
    numbers: torch.Tensor | None = None
    mask: torch.Tensor | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """What the parts of a pipeline come to.

    Attributes:
        family: `sd1`, `sd2`, `sdxl`, `sd3` or `flux`.
        problem: Why it is not served; empty: it is.
    """

    family: str
    problem: str = ""


class Network(Protocol):
    """A denoising network of one family."""

    component: str
    """What a pipeline calls it: `unet` or `transformer`."""
    module: Any
    """The model itself."""

    @property
    def channels(self) -> int:
        """Channels of latents."""

    @property
    def native_side(self) -> int:
        """Latents along one side that it was trained at."""

    @property
    def patch(self) -> int:
        """Latents along one side that are one position to it; sizes are multiples of that."""

    @property
    def side_max(self) -> int | None:
        """Most latents along one side that it has positions for; None: any number."""

    @property
    def guidance(self) -> Guidance:
        """How it is guided."""

    @property
    def text_width(self) -> int:
        """Width of the hidden states that it reads."""

    @property
    def pooled_width(self) -> int:
        """Width of the summary that it takes; 0: it takes none."""

    @property
    def numbers(self) -> int:
        """How many numbers a row is told beside text."""

    @property
    def takes_sizes(self) -> bool:
        """Whether the numbers are sizes that a picture shall seem to have."""

    @property
    def skippable_blocks(self) -> int:
        """Blocks of which a pass may leave out some, for skip-layer guidance; 0: none."""

    @property
    def is_convolutional(self) -> bool:
        """Whether most of it are convolutions, which read pixels without turning them around."""

    @property
    def library_config(self) -> Mapping[str, Any] | None:
        """Its configuration, where passes of it can be built as libraries for a CPU; None: not."""

    def judge(self, texts: Mapping[str, Any], *, latent_channels: int) -> Judged:
        """Look at whether it wants nothing but text, and belongs to the other parts.

        Args:
            texts: Configurations of the text encoders by component.
            latent_channels: What its VAE writes.
        """

    def numbers_of(self, drawing: Drawing) -> tuple[float, ...]:
        """Return what a row is told beside text: sizes, or how strongly to follow it."""

    def unpacked(self, walked: torch.Tensor, *, shape: torch.Size) -> torch.Tensor:
        """Return what diffusers' pipeline of the family walks as latents of a shape."""
        return walked.view(shape)

    def predict(
        self,
        latents: torch.Tensor,
        timesteps: torch.Tensor,
        words: Words,
        *,
        skipped: Sequence[int] = (),
    ) -> torch.Tensor:
        """Return what the network says, `[samples, channels, h, w]`.

        Args:
            latents: `[samples, channels, h, w]`.
            timesteps: As the sampler says them, `[samples]` in float32.
            words: What each sample is told.
            skipped: Blocks to leave out.
        """
        return self.module(  # type: ignore[no-any-return]
            **self.arguments(latents, timesteps, words, skipped=skipped), return_dict=False
        )[0]

    def arguments(
        self,
        latents: torch.Tensor,
        timesteps: torch.Tensor,
        words: Words,
        *,
        skipped: Sequence[int] = (),
    ) -> dict[str, Any]:
        """Return what the module is called with for that, by name."""


NATIVE_LATENTS_MAX = 4096
"""Most latents along one side that a network may say it was trained at; SDXL has 128."""


def impossible_side(what: str, side: object) -> str:
    """Say what is wrong with the side that a network was trained at; empty: nothing."""
    if type(side) is not int or not 1 <= side <= NATIVE_LATENTS_MAX:
        return f"its {what}'s sample_size is {str(side)[:40]}, not a number of latents"
    return ""


def empty_words(
    network: Network, *, samples: int, tokens: int, device: torch.device, dtype: torch.dtype
) -> Words:
    """Return words of zeros, for whoever measures or counts passes."""
    like: dict[str, Any] = {"device": device, "dtype": dtype}
    pooled, numbers = network.pooled_width, network.numbers
    return Words(
        text=torch.zeros(samples, tokens, network.text_width, **like),
        pooled=torch.zeros(samples, pooled, **like) if pooled else None,
        numbers=torch.zeros(samples, numbers, **like) if numbers else None,
    )
