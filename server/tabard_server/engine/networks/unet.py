# SPDX-License-Identifier: Apache-2.0
"""The UNets of Stable Diffusion 1, 2 and XL: they read text, and XL's a summary and sizes as well.

In: diffusers' `UNet2DConditionModel`. Out: a network. Source: the configurations that diffusers
publishes for these models.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from tabard_server.engine.networks.network import Judged, Network, Words, impossible_side
from tabard_server.engine_port.base_facts import Guidance
from tabard_server.engine_port.drawing import Drawing

_SIZES = 6
"""Numbers that say sizes to SDXL: of the original, of its corner, of the target."""


class UNet(Network):
    """A UNet."""

    component = "unet"
    patch = 1
    side_max = None
    guidance: Guidance = "classifier_free"
    skippable_blocks = 0
    is_convolutional = True

    def __init__(self, module: Any) -> None:
        """Take the model."""
        self.module = module

    @property
    def channels(self) -> int:
        """Channels of latents."""
        return int(self.module.config.in_channels)

    @property
    def native_side(self) -> int:
        """Latents along one side that it was trained at."""
        return int(self.module.config.sample_size)

    @property
    def text_width(self) -> int:
        """Width of the hidden states that it reads."""
        return int(self.module.config.cross_attention_dim)

    @property
    def pooled_width(self) -> int:
        """Width of the summary that SDXL's takes; 0 for others."""
        config = self.module.config
        if config.addition_embed_type is None:
            return 0
        sizes = _SIZES * int(config.addition_time_embed_dim)
        return int(config.projection_class_embeddings_input_dim) - sizes

    @property
    def numbers(self) -> int:
        """Sizes that SDXL's is told."""
        return 0 if self.module.config.addition_embed_type is None else _SIZES

    @property
    def takes_sizes(self) -> bool:
        """Whether it is SDXL's."""
        return self.numbers > 0

    @property
    def library_config(self) -> Mapping[str, Any] | None:
        """Its configuration."""
        return {
            name: value for name, value in self.module.config.items() if not name.startswith("_")
        }

    def judge(self, texts: Mapping[str, Any], *, latent_channels: int) -> Judged:
        """Look at what it wants to be told, and how wide its text is."""
        config = self.module.config
        problem = _foreign_part(config, latent_channels=latent_channels)
        width = sum(int(one.hidden_size) for one in texts.values())
        if len(texts) > 1:
            family = "sdxl"
            if config.addition_embed_type != "text_time":
                problem = problem or "its UNet takes no pooled text and sizes, as SDXL's does"
        else:
            family = "sd2" if config.use_linear_projection else "sd1"
            if config.addition_embed_type is not None:
                problem = problem or f"its UNet wants {config.addition_embed_type} conditioning"
        if config.cross_attention_dim != width:
            problem = problem or (
                f"its UNet reads text {config.cross_attention_dim} wide, its text encoders write "
                f"{width}"
            )
        return Judged(family, problem or impossible_side("UNet", config.sample_size))

    def numbers_of(self, drawing: Drawing) -> tuple[float, ...]:
        """Return the sizes of a row."""
        return drawing.time_ids if self.numbers else ()

    def arguments(
        self,
        latents: torch.Tensor,
        timesteps: torch.Tensor,
        words: Words,
        *,
        skipped: Sequence[int] = (),
    ) -> dict[str, Any]:
        """Return what the model is called with, by name; `skipped` is empty."""
        added = None
        if words.pooled is not None:
            added = {"text_embeds": words.pooled, "time_ids": words.numbers}
        return {
            "sample": latents,
            "timestep": timesteps,
            "encoder_hidden_states": words.text,
            "added_cond_kwargs": added,
        }


def _foreign_part(config: Any, *, latent_channels: int) -> str:
    """Say what a UNet wants that a text-to-image pipeline does not give; empty: nothing."""
    if config.in_channels != latent_channels:
        return (
            f"its UNet takes {config.in_channels} channels and not {latent_channels}, as those "
            "of inpainting, editing and upscaling models do"
        )
    if config.class_embed_type is not None or config.num_class_embeds is not None:
        return "its UNet wants class labels, as those of upscalers do"
    if config.time_cond_proj_dim is not None:
        return "its UNet takes the guidance scale as an input, as distilled ones do"
    if config.encoder_hid_dim_type is not None:
        return f"its UNet projects {config.encoder_hid_dim_type} conditioning"
    return ""
