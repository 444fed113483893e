# SPDX-License-Identifier: Apache-2.0
"""The passes of a base with nothing in them: inputs of any size, for whoever measures or counts.

In: a base and a size in latents. Out: a call that can be made, really or dry.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from tabard_server.engine.base.loading import Base, TextPart


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
    config, words = base.unet.config, _words(base.text_parts[0])
    like: dict[str, Any] = {"device": device, "dtype": dtype}
    added = None
    if config.addition_embed_type is not None:
        pooled = [part.model.config.projection_dim for part in base.text_parts if part.is_pooled]
        added = {
            "text_embeds": torch.zeros(samples, pooled[-1], **like),
            "time_ids": torch.zeros(samples, 6, **like),
        }
    inputs = {
        "sample": torch.zeros(samples, config.in_channels, side, side, **like),
        "timestep": torch.zeros(samples, dtype=torch.long, device=device),
        "encoder_hidden_states": torch.zeros(samples, words, config.cross_attention_dim, **like),
        "added_cond_kwargs": added,
    }
    return Pass(model=base.unet, inputs=inputs)


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
                "input_ids": torch.zeros(1, _words(part), **like),
                "output_hidden_states": True,
            },
        )
        for part in base.text_parts
    )


def _words(part: TextPart) -> int:
    """Return the tokens of one window of a text encoder."""
    return int(part.model.config.max_position_embeddings)
