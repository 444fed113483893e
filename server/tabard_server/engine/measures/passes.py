# SPDX-License-Identifier: Apache-2.0
"""The passes of a base with nothing in them: inputs of any size, for whoever measures or counts.

In: a base and a size in latents. Out: a call that can be made, really or dry.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from tabard_server.engine.base.loading import Base
from tabard_server.engine.networks.network import empty_words


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """A call of one model.

    Attributes:
        model: What is called.
        inputs: Its arguments by name.
    """

    model: nn.Module
    inputs: Mapping[str, Any]

    def run(self) -> None:
        """Make the call, and drop what comes of it."""
        self.model(**self.inputs)


def denoising(
    base: Base, *, side: int, device: torch.device, dtype: torch.dtype, samples: int = 1
) -> Pass:
    """Return a denoise step of square images."""
    network = base.network
    latents = torch.zeros(samples, network.channels, side, side, device=device, dtype=dtype)
    words = empty_words(
        network, samples=samples, tokens=base.text_tokens, device=device, dtype=dtype
    )
    timesteps = torch.zeros(samples, device=device)
    return Pass(
        model=network.module,
        inputs={**network.arguments(latents, timesteps, words), "return_dict": False},
    )


def decoding(base: Base, *, side: int, device: torch.device, dtype: torch.dtype) -> Pass:
    """Return the decoding of one square image."""
    shape = (1, base.vae.config.latent_channels, side, side)
    latents = torch.zeros(shape, device=device, dtype=dtype)
    return Pass(model=base.vae.decoder, inputs={"sample": latents})


def encoding(base: Base, *, side: int, device: torch.device, dtype: torch.dtype) -> Pass:
    """Return the encoding of one square picture."""
    pixels = side * base.latent_factor
    shape = (1, base.vae.config.in_channels, pixels, pixels)
    return Pass(
        model=base.vae.encoder, inputs={"sample": torch.zeros(shape, device=device, dtype=dtype)}
    )


def text_windows(base: Base, *, device: torch.device) -> tuple[Pass, ...]:
    """Return the encoding of one window by each text encoder."""
    like: dict[str, Any] = {"dtype": torch.long, "device": device}
    return tuple(
        Pass(
            model=part.model,
            inputs={
                "input_ids": torch.zeros(1, base.length_of(part), **like),
                "output_hidden_states": True,
            },
        )
        for part in base.text_parts
    )
