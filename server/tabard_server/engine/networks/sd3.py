# SPDX-License-Identifier: Apache-2.0
"""The transformer of Stable Diffusion 3 and 3.5: text and picture attend to each other as one.

In: diffusers' `SD3Transformer2DModel`. Out: a network. Source: Esser et al., Scaling Rectified Flow
Transformers for High-Resolution Image Synthesis, 2024, and diffusers' `StableDiffusion3Pipeline`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from tabard_server.engine.networks.joint_attention import attention_mask, obey_masks
from tabard_server.engine.networks.network import Judged, Words, impossible_side
from tabard_server.engine.networks.parts import (
    Transformer,
    other_channels,
    other_summary,
    other_t5,
)
from tabard_server.engine_port.base_facts import Guidance
from tabard_server.engine_port.drawing import Drawing


class SD3Transformer(Transformer):
    """A transformer of Stable Diffusion 3."""

    guidance: Guidance = "classifier_free"
    numbers = 0

    def __init__(self, module: Any) -> None:
        """Take the model, whose attention learns to pass over words that are nobody's."""
        self.module = module
        obey_masks(module)

    @property
    def channels(self) -> int:
        """Channels of latents."""
        return int(self.module.config.in_channels)

    @property
    def native_side(self) -> int:
        """Latents along one side that it was trained at."""
        return int(self.module.config.sample_size)

    @property
    def patch(self) -> int:
        """Latents along one side of a patch."""
        return int(self.module.config.patch_size)

    @property
    def side_max(self) -> int | None:
        """Latents along one side of its table of positions."""
        return int(self.module.config.pos_embed_max_size) * self.patch

    @property
    def skippable_blocks(self) -> int:
        """All its blocks."""
        return len(self.module.transformer_blocks)

    def judge(self, texts: Mapping[str, Any], *, latent_channels: int) -> Judged:
        """Look at how wide its text, its summary and its blocks are."""
        return Judged("sd3", self._problem(texts, latent_channels=latent_channels))

    def numbers_of(self, drawing: Drawing) -> tuple[float, ...]:
        """Return nothing."""
        return ()

    def _problem(self, texts: Mapping[str, Any], *, latent_channels: int) -> str:
        config = self.module.config
        clips = [one for one in texts.values() if one.model_type != "t5"]
        width, summary = (
            sum(int(getattr(one, name)) for one in clips)
            for name in ("hidden_size", "projection_dim")
        )
        made = config.num_attention_heads * config.attention_head_dim
        if foreign := other_channels(self, latent_channels=latent_channels):
            return foreign
        if problem := other_t5(self, texts):
            return problem
        if width > self.text_width:
            return f"its transformer reads text {self.text_width} wide, its CLIPs write {width}"
        if summary != self.pooled_width:
            return other_summary(self, summary)
        if config.caption_projection_dim != made:
            return (
                f"its transformer is {made} wide, and makes its text "
                f"{config.caption_projection_dim} wide"
            )
        return impossible_side("transformer", config.sample_size)

    def arguments(
        self,
        latents: torch.Tensor,
        timesteps: torch.Tensor,
        words: Words,
        *,
        skipped: Sequence[int] = (),
    ) -> dict[str, Any]:
        """Return what the model is called with, by name."""
        return {
            "hidden_states": latents,
            "timestep": timesteps,
            "encoder_hidden_states": words.text,
            "pooled_projections": words.pooled,
            "joint_attention_kwargs": self._masked(words.mask, latents=latents),
            "skip_layers": list(skipped) or None,
        }

    def _masked(
        self, mask: torch.Tensor | None, *, latents: torch.Tensor
    ) -> dict[str, torch.Tensor] | None:
        if mask is None:
            return None
        patches = latents[0, 0].numel() // self.patch**2
        return attention_mask(mask, image_tokens=patches, is_text_first=False)
