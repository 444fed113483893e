# SPDX-License-Identifier: Apache-2.0
"""The transformer of Flux.1: a picture is a sequence of 2x2 latents, guidance a number it reads.

In: diffusers' `FluxTransformer2DModel`. Out: a network. Source: the model's published code, and
diffusers' `FluxPipeline`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from tabard_server.engine.networks.joint_attention import attention_mask
from tabard_server.engine.networks.network import Judged, Words
from tabard_server.engine.networks.parts import (
    Transformer,
    other_channels,
    other_summary,
    other_t5,
)
from tabard_server.engine_port.base_facts import Guidance
from tabard_server.engine_port.drawing import Drawing

_PATCH = 2
_NATIVE_SIDE = 128
"""Flux's configuration does not say it; its pipeline draws 1024x1024 where nothing is said."""
_TIMESTEPS = 1000.0
"""The model multiplies the time, which runs from 0 to 1, by this."""


class FluxTransformer(Transformer):
    """A transformer of Flux.1: `dev`, which is guided by a number, or `schnell`, which is not."""

    patch = _PATCH
    native_side = _NATIVE_SIDE
    side_max = None
    skippable_blocks = 0

    def __init__(self, module: Any) -> None:
        """Take the model."""
        self.module = module

    @property
    def channels(self) -> int:
        """Channels of latents; the model reads those of a patch at once."""
        return int(self.module.config.in_channels) // _PATCH**2

    @property
    def guidance(self) -> Guidance:
        """Distilled into the model, or none."""
        return "distilled" if self.module.config.guidance_embeds else "none"

    @property
    def numbers(self) -> int:
        """The guidance, where it reads one."""
        return int(self.guidance == "distilled")

    def judge(self, texts: Mapping[str, Any], *, latent_channels: int) -> Judged:
        """Look at how wide its text and its summary are, and at its positions."""
        return Judged("flux", self._problem(texts, latent_channels=latent_channels))

    def numbers_of(self, drawing: Drawing) -> tuple[float, ...]:
        """Return the guidance of a row."""
        return (drawing.guidance_scale,) if self.numbers else ()

    def _problem(self, texts: Mapping[str, Any], *, latent_channels: int) -> str:
        config = self.module.config
        clips = [one for one in texts.values() if one.model_type != "t5"]
        summary = sum(int(one.hidden_size) for one in clips)
        rotated = tuple(config.axes_dims_rope)
        if config.in_channels % _PATCH**2:
            return f"its transformer takes {config.in_channels} channels, which are no patches"
        if foreign := other_channels(self, latent_channels=latent_channels):
            return foreign
        if problem := other_t5(self, texts):
            return problem
        if summary != self.pooled_width:
            return other_summary(self, summary)
        if sum(rotated) != config.attention_head_dim or any(one % 2 for one in rotated):
            return (
                f"its transformer's axes_dims_rope are {str(rotated)[:40]}, and its heads are "
                f"{config.attention_head_dim} wide"
            )
        return ""

    def predict(
        self,
        latents: torch.Tensor,
        timesteps: torch.Tensor,
        words: Words,
        *,
        skipped: Sequence[int] = (),
    ) -> torch.Tensor:
        """Return what the model says of a sequence, as latents again."""
        found = super().predict(latents, timesteps, words, skipped=skipped)
        return self.unpacked(found, shape=latents.shape)

    def unpacked(self, walked: torch.Tensor, *, shape: torch.Size) -> torch.Tensor:
        """Return a sequence of patches as latents of a shape."""
        samples, channels, height, width = shape
        patches = walked.view(samples, height // _PATCH, width // _PATCH, channels, _PATCH, _PATCH)
        return patches.permute(0, 3, 1, 4, 2, 5).reshape(shape)

    def arguments(
        self,
        latents: torch.Tensor,
        timesteps: torch.Tensor,
        words: Words,
        *,
        skipped: Sequence[int] = (),
    ) -> dict[str, Any]:
        """Return what the model is called with, by name; `skipped` is empty."""
        samples, channels, height, width = latents.shape
        rows, columns = height // _PATCH, width // _PATCH
        patches = latents.reshape(samples, channels, rows, _PATCH, columns, _PATCH)
        guidance = None if words.numbers is None else words.numbers[:, 0]
        masked = None
        if words.mask is not None:
            masked = attention_mask(words.mask, image_tokens=rows * columns, is_text_first=True)
        return {
            "hidden_states": patches.permute(0, 2, 4, 1, 3, 5).reshape(
                samples, rows * columns, channels * _PATCH**2
            ),
            "timestep": timesteps.to(latents.dtype) / _TIMESTEPS,
            "guidance": guidance,
            "encoder_hidden_states": words.text,
            "pooled_projections": words.pooled,
            "txt_ids": latents.new_zeros(words.text.shape[1], 3),
            "img_ids": _places(rows, columns, like=latents),
            "joint_attention_kwargs": masked,
        }


def _places(rows: int, columns: int, *, like: torch.Tensor) -> torch.Tensor:
    """Return row and column of each patch, `[rows * columns, 3]`; the first number is zero."""
    places = like.new_zeros(rows, columns, 3)
    places[..., 1] = torch.arange(rows, device=like.device)[:, None]
    places[..., 2] = torch.arange(columns, device=like.device)
    return places.view(rows * columns, 3)
