# SPDX-License-Identifier: Apache-2.0
"""The families that are served, and how a pipeline shows to which one it belongs.

In: names of pipeline classes, or models. Out: a family, or a refusal that names what
was found. Reads no files.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from tabard_registry.grammar import with_article
from tabard_server.engine_port.errors import BaseNotLoadable

NATIVE_LATENTS_MAX = 4096
"""Most latents along one side that a UNet may say it was trained at; SDXL has 128."""
_SERVED = "sd1, sd2 and sdxl are served: text-to-image pipelines with all their text encoders"


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineKind:
    """One of diffusers' pipeline classes that can be a base.

    Attributes:
        pipeline: Its name in diffusers.
        text_encoders: Component to class name, in the order in which their outputs are joined.
    """

    pipeline: str
    text_encoders: Mapping[str, str]

    @property
    def models(self) -> Mapping[str, str]:
        """Class name of everything with weights, by component."""
        return {"unet": "UNet2DConditionModel", "vae": "AutoencoderKL", **self.text_encoders}

    @property
    def tokenizers(self) -> tuple[str, ...]:
        """Name of each text encoder's tokenizer, in the same order."""
        return tuple(name.replace("text_encoder", "tokenizer") for name in self.text_encoders)


KINDS: Mapping[str, PipelineKind] = {
    kind.pipeline: kind
    for kind in (
        PipelineKind(
            pipeline="StableDiffusionPipeline", text_encoders={"text_encoder": "CLIPTextModel"}
        ),
        PipelineKind(
            pipeline="StableDiffusionXLPipeline",
            text_encoders={
                "text_encoder": "CLIPTextModel",
                "text_encoder_2": "CLIPTextModelWithProjection",
            },
        ),
    )
}
"""By the name that a `model_index.json` gives."""
PIPELINE_OF_FAMILY: Mapping[str, str] = {
    "sd1": "StableDiffusionPipeline",
    "sd2": "StableDiffusionPipeline",
    "sdxl": "StableDiffusionXLPipeline",
}
"""Which pipeline draws with the checkpoints of a family."""


def kind_of(pipeline_class: str, *, source: str) -> PipelineKind:
    """Return the kind of pipeline of that name.

    Raises:
        BaseNotLoadable: It is none that is served.
    """
    kind = KINDS.get(pipeline_class)
    if kind is None:
        raise BaseNotLoadable(
            f"{source} holds {with_article(pipeline_class)}, which is not served",
            hint=f"{_SERVED}; give a {' or a '.join(KINDS)}",
        )
    return kind


def family_of(models: Mapping[str, Any], *, source: str) -> str:
    """Return `sd1`, `sd2` or `sdxl`.

    Args:
        models: The components of a pipeline; their weights are not looked at.
        source: What to call it.

    Raises:
        BaseNotLoadable: The UNet wants more than text, or its parts do not belong together.
    """
    config, vae = models["unet"].config, models["vae"].config
    first, second = models["text_encoder"], models.get("text_encoder_2")
    problem = _foreign_part(config, latent_channels=int(vae.latent_channels))
    if second is not None:
        family, width = "sdxl", _width(first) + _width(second)
        if config.addition_embed_type != "text_time":
            problem = problem or "its UNet takes no pooled text and sizes, as SDXL's does"
    else:
        family = "sd2" if config.use_linear_projection else "sd1"
        width = _width(first)
        if config.addition_embed_type is not None:
            problem = problem or f"its UNet wants {config.addition_embed_type} conditioning"
    if config.cross_attention_dim != width:
        problem = problem or (
            f"its UNet reads text {config.cross_attention_dim} wide, its text encoders write "
            f"{width}"
        )
    problem = problem or _impossible_number(config, vae=vae)
    if problem:
        raise BaseNotLoadable(f"the base {source!r} cannot be served: {problem}", hint=_SERVED)
    return family


def vae_dtype(config: Any, *, family: str, dtype: torch.dtype) -> torch.dtype:
    """Return the dtype of a VAE in a base of a dtype.

    SDXL's overflows in half precision, so that its config asks for float32; the config of older
    families asks too, by default only, and diffusers does not obey it there.
    """
    wants_float32 = family == "sdxl" and config.get("force_upcast", False)
    return torch.float32 if dtype == torch.float16 and wants_float32 else dtype


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


def _impossible_number(config: Any, *, vae: Any) -> str:
    if type(config.sample_size) is not int or not 1 <= config.sample_size <= NATIVE_LATENTS_MAX:
        return f"its UNet's sample_size is {str(config.sample_size)[:40]}, not a number of latents"
    scale = vae.scaling_factor
    if type(scale) not in (int, float) or not 0 < scale < math.inf:
        return f"its VAE's scaling_factor is {str(scale)[:40]}"
    for name in ("latents_mean", "latents_std"):
        found = vae.get(name)
        if found is not None and not (
            isinstance(found, list | tuple)
            and len(found) == vae.latent_channels
            and all(type(number) in (int, float) for number in found)
        ):
            return f"its VAE's {name} is {str(found)[:40]}, not a number for each channel"
    return ""


def _width(text_encoder: Any) -> int:
    return int(text_encoder.config.hidden_size)
