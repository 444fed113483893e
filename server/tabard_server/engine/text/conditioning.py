# SPDX-License-Identifier: Apache-2.0
"""What a UNet is told about one row: the words, and for SDXL their summary and the picture's sizes.

In: the prompts of a row and what its placeholders stand for. Out: tensors, one sample for each
prompt. Joins all text encoders of a base. Knows nothing of latents, samplers or slots.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch

from tabard_server.engine.base.loading import Base
from tabard_server.engine.text.text_encoder import TextEncoder, TokenizedPrompts
from tabard_server.engine_port.prompt_style import PLAIN, PromptStyle

Wearing = Callable[[str, int], AbstractContextManager[None]]
"""Wear a row's adapters in a text encoder while it encodes so many sequences."""
Placeholders = Mapping[str, Mapping[str, torch.Tensor]]
"""Component to placeholder to vectors `[n, width]`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """One text of a row.

    Attributes:
        text: What it says.
        clip_skip: Last layers of the text encoders to leave out.
        is_zero: Whether zeros stand for it, as SDXL wants for no negative prompt.
    """

    text: str
    clip_skip: int = 0
    is_zero: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditioning:
    """What the UNet is told about the samples of one row.

    Attributes:
        text: Hidden states `[samples, length, width]`.
        pooled: Summary of each text `[samples, width]`; None where the UNet takes none.
    """

    text: torch.Tensor
    pooled: torch.Tensor | None = None


class Conditioner:
    """All text encoders of one base."""

    def __init__(self, base: Base) -> None:
        """Take the text encoders; their embeddings learn to read placeholders."""
        self._encoders = [
            TextEncoder(part, takes_penultimate=len(base.text_parts) > 1)
            for part in base.text_parts
        ]

    @property
    def clip_skip_max(self) -> int:
        """Most layers that a prompt may leave out."""
        return min(encoder.clip_skip_max for encoder in self._encoders)

    def encode(
        self,
        prompts: Sequence[Prompt],
        *,
        placeholders: Placeholders,
        wearing: Wearing,
        style: PromptStyle = PLAIN,
    ) -> Conditioning:
        """Encode the prompts of one row, in one pass of each encoder.

        Args:
            prompts: As many as the row has samples.
            placeholders: What placeholders stand for, in each encoder.
            wearing: How the row's adapters are worn meanwhile.
            style: How the texts are read.

        Raises:
            PromptTooLong: A text does not fit.
            RowNotPossible: A text is not written in its syntax, or too many layers are skipped.
        """
        encoded = [prompt for prompt in prompts if not prompt.is_zero]
        hidden, pooled = [], None
        for encoder, reading in self._read(encoded, placeholders=placeholders, style=style):
            with wearing(encoder.component, len(encoded) * reading.window_count):
                states, summary = encoder.encode(
                    reading, clip_skips=[prompt.clip_skip for prompt in encoded]
                )
            hidden.append(states)
            pooled = pooled if summary is None else summary
        is_zero = [prompt.is_zero for prompt in prompts]
        return Conditioning(
            text=_with_zeros(torch.cat(hidden, dim=-1), is_zero=is_zero),
            pooled=None if pooled is None else _with_zeros(pooled, is_zero=is_zero),
        )

    def _read(
        self, prompts: Sequence[Prompt], *, placeholders: Placeholders, style: PromptStyle
    ) -> list[tuple[TextEncoder, TokenizedPrompts]]:
        """Read the prompts by each encoder, in equally many windows."""

        def read(encoder: TextEncoder, *, windows_min: int) -> TokenizedPrompts:
            return encoder.read(
                [prompt.text for prompt in prompts],
                placeholders=placeholders.get(encoder.component, {}),
                style=style,
                windows_min=windows_min,
            )

        readings = [read(encoder, windows_min=1) for encoder in self._encoders]
        count = max(reading.window_count for reading in readings)
        return [
            (
                encoder,
                reading if reading.window_count == count else read(encoder, windows_min=count),
            )
            for encoder, reading in zip(self._encoders, readings, strict=True)
        ]


def join_parts(parts: Sequence[Conditioning]) -> Conditioning:
    """Put what the parts of one row are told behind each other."""
    if len(parts) == 1:
        return parts[0]
    pooled = [part.pooled for part in parts if part.pooled is not None]
    return Conditioning(
        text=join_texts([part.text for part in parts]),
        pooled=torch.cat(pooled) if pooled else None,
    )


def join_texts(texts: Sequence[torch.Tensor]) -> torch.Tensor:
    """Put hidden states `[samples, length, width]` of several rows into one batch.

    Rows of fewer windows say theirs several times over: attention to the same tokens twice is
    attention to them once, so a row is not changed by a longer neighbour.
    """
    length = math.lcm(*(text.shape[1] for text in texts))
    return torch.cat([text.repeat(1, length // text.shape[1], 1) for text in texts])


def _with_zeros(states: torch.Tensor, *, is_zero: Sequence[bool]) -> torch.Tensor:
    """Put a sample of zeros in wherever one was not encoded."""
    if not any(is_zero):
        return states
    encoded = iter(states)
    return torch.stack([torch.zeros_like(states[0]) if zero else next(encoded) for zero in is_zero])
