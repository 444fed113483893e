# SPDX-License-Identifier: Apache-2.0
"""What a network is told about one row: the words, and for most bases a summary of them.

In: the prompts of a row and what its placeholders stand for. Out: tensors, one sample for each
prompt. Joins all text encoders of a base as its layout says. Knows nothing of latents, samplers or
slots.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch
from torch.nn import functional

from tabard_server.engine.base.loading import Base, TextPart
from tabard_server.engine.text.prompt_reader import PromptReader
from tabard_server.engine.text.row_lengths import pad_texts, repeat_texts
from tabard_server.engine.text.t5_encoder import T5Encoder
from tabard_server.engine.text.t5_reader import JointReader, T5Reader
from tabard_server.engine.text.text_encoder import TextEncoder, TokenizedPrompts
from tabard_server.engine_port.errors import AdapterMismatch
from tabard_server.engine_port.port import PromptReaderLike
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
        clip_skip: Last layers of the CLIPs to leave out.
        is_zero: Whether zeros stand for it, as SDXL wants for no negative prompt.
    """

    text: str
    clip_skip: int = 0
    is_zero: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditioning:
    """What the network is told about the samples of one row.

    Attributes:
        text: Hidden states `[samples, length, width]`.
        pooled: Summary of each text `[samples, width]`; None where the network takes none.
        mask: Which tokens are a sample's own, boolean `[samples, length]`; None: all are.
    """

    text: torch.Tensor
    pooled: torch.Tensor | None = None
    mask: torch.Tensor | None = None


class Conditioner:
    """All text encoders of one base.

    Attributes:
        layout: What the network reads of them.
    """

    def __init__(self, base: Base) -> None:
        """Take the text encoders; the embeddings of the CLIPs learn to read placeholders."""
        clips, self._t5_part = _sorted_out(base.text_parts)
        self.layout, self._width = base.text_layout, base.network.text_width
        self._clip_parts = clips
        self._clips = [TextEncoder(part, layout=self.layout) for part in clips]
        self._t5 = None if self._t5_part is None else T5Encoder(self._t5_part, layout=self.layout)
        assert self._t5 is not None or self.layout.clip_states != "none", "nobody writes the text"

    @property
    def clip_skip_max(self) -> int:
        """Most layers that a prompt may leave out."""
        return min(encoder.clip_skip_max for encoder in self._clips)

    def new_prompt_reader(self) -> PromptReaderLike:
        """Return a reader that counts as the encoders do, for a thread of its own."""
        clip = PromptReader(self._clip_parts[0].tokenizer)
        if self._t5_part is None:
            return clip
        return JointReader(clip, T5Reader(self._t5_part.tokenizer, layout=self.layout))

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
            AdapterMismatch: A word is taught to the T5.
        """
        encoded = [prompt for prompt in prompts if not prompt.is_zero]
        self._refuse_taught_t5(placeholders)
        texts = [prompt.text for prompt in encoded]
        whole = None if self._t5 is None else self._t5.read(texts, style=style)
        hidden, pooled = [], []
        for encoder, reading in self._read(encoded, placeholders=placeholders, style=style):
            with wearing(encoder.component, len(encoded) * reading.window_count):
                states, summary = encoder.encode(
                    reading, clip_skips=[prompt.clip_skip for prompt in encoded]
                )
            hidden += [] if states is None else [states]
            pooled += [] if summary is None else [summary]
        joined = torch.cat(hidden, dim=-1) if hidden else None
        if self._t5 is not None and whole is not None:
            with wearing(self._t5.component, len(encoded)):
                # A T5 may be served in another dtype than what reads it.
                own = self._t5.encode(whole).to(self._clip_parts[0].model.dtype)
            text = self._with_t5(joined, own)
        else:
            assert joined is not None, "somebody writes the text"
            text = self._without_t5(joined)
        is_zero = [prompt.is_zero for prompt in prompts]
        return Conditioning(
            text=_with_zeros(text, is_zero=is_zero),
            pooled=_with_zeros(torch.cat(pooled, dim=-1), is_zero=is_zero) if pooled else None,
        )

    def _with_t5(self, clips: torch.Tensor | None, t5: torch.Tensor) -> torch.Tensor:
        """Put what the T5 wrote behind the CLIPs, which are padded to its width."""
        if clips is None:
            return t5
        padded = functional.pad(clips, (0, t5.shape[-1] - clips.shape[-1]))
        return torch.cat([padded, t5], dim=1)

    def _without_t5(self, clips: torch.Tensor) -> torch.Tensor:
        """Let zeros stand for one window of a T5 that the base is served without."""
        if not self.layout.t5_tokens:
            return clips
        assert self._width is not None, "the width of a T5 that is not there is the network's"
        absent = clips.new_zeros(len(clips), self.layout.t5_tokens, self._width)
        return self._with_t5(clips, absent)

    def _refuse_taught_t5(self, placeholders: Placeholders) -> None:
        taught = placeholders.get(self._t5.component, {}) if self._t5 is not None else {}
        if taught:
            raise AdapterMismatch(
                f"{next(iter(taught))} is taught to the T5 of this base, which knows no taught "
                "words",
                hint="train the word for the CLIPs of the base",
            )

    def _read(
        self, prompts: Sequence[Prompt], *, placeholders: Placeholders, style: PromptStyle
    ) -> list[tuple[TextEncoder, TokenizedPrompts]]:
        """Read the prompts by each CLIP, in equally many windows; beside a T5 in one."""

        def read(encoder: TextEncoder, *, windows_min: int) -> TokenizedPrompts:
            return encoder.read(
                [prompt.text for prompt in prompts],
                placeholders=placeholders.get(encoder.component, {}),
                style=style,
                windows_min=windows_min,
                takes_beginning=self._t5 is not None,
            )

        readings = [read(encoder, windows_min=1) for encoder in self._clips]
        count = max(reading.window_count for reading in readings)
        return [
            (
                encoder,
                reading if reading.window_count == count else read(encoder, windows_min=count),
            )
            for encoder, reading in zip(self._clips, readings, strict=True)
        ]


def following(guided: Conditioning) -> Conditioning:
    """Return what the samples of a guided row are told that follow its prompt: every second."""
    return Conditioning(
        text=guided.text[1::2],
        pooled=None if guided.pooled is None else guided.pooled[1::2],
        mask=None if guided.mask is None else guided.mask[1::2],
    )


def join_parts(parts: Sequence[Conditioning], *, is_masked: bool = False) -> Conditioning:
    """Put what the parts of one row are told behind each other.

    Args:
        parts: Of one base.
        is_masked: Whether shorter ones are padded and masked, and not repeated.
    """
    if len(parts) == 1:
        return parts[0]
    pooled = [part.pooled for part in parts if part.pooled is not None]
    texts = [part.text for part in parts]
    text, mask = pad_texts(texts) if is_masked else (repeat_texts(texts), None)
    return Conditioning(text=text, pooled=torch.cat(pooled) if pooled else None, mask=mask)


def _sorted_out(parts: Sequence[TextPart]) -> tuple[list[TextPart], TextPart | None]:
    """Return the CLIPs, and the T5 if there is one."""
    t5 = [part for part in parts if part.is_t5]
    assert len(t5) < 2, "a pipeline has one T5"
    return [part for part in parts if not part.is_t5], next(iter(t5), None)


def _with_zeros(states: torch.Tensor, *, is_zero: Sequence[bool]) -> torch.Tensor:
    """Put a sample of zeros in wherever one was not encoded."""
    if not any(is_zero):
        return states
    encoded = iter(states)
    return torch.stack([torch.zeros_like(states[0]) if zero else next(encoded) for zero in is_zero])
