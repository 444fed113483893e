# SPDX-License-Identifier: Apache-2.0
"""The families that are served, and how a pipeline shows to which one it belongs.

In: names of pipeline classes, or models. Out: a family, or a refusal that names what
was found. Reads no files.
"""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tabard_registry.grammar import with_article
from tabard_server.engine.base.text_layout import CLIP, CLIP_JOINED, FLUX, SD3, TextLayout
from tabard_server.engine.networks.flux import FluxTransformer
from tabard_server.engine.networks.sd3 import SD3Transformer
from tabard_server.engine.networks.unet import UNet
from tabard_server.engine_port.errors import BaseNotLoadable

_SERVED = (
    "sd1, sd2, sdxl, sd3 and flux are served: text-to-image pipelines with their text encoders; of "
    "sd3 the T5 may be absent"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineKind:
    """One of diffusers' pipeline classes that can be a base.

    Attributes:
        pipeline: Its name in diffusers.
        network: What its denoising network is made into.
        network_class: Class name of that network.
        text_encoders: Component to class name, in the order in which their outputs are joined.
        optional: Text encoders that people leave out.
        text: What its network reads of the text encoders.
        is_flow: Whether it is walked along straight lines from noise to picture.
        has_linear_sigmas: Whether its pipeline gives its scheduler sigmas that fall evenly.
        has_zero_text: Whether its pipeline may say an empty negative prompt by zeros.
        was_saved_otherwise: Whether there are configurations of it that pipelines correct.
        options: What its pipeline is made with, beside its parts.
    """

    pipeline: str
    network: type[UNet | SD3Transformer | FluxTransformer]
    network_class: str
    text_encoders: Mapping[str, str]
    text: TextLayout
    optional: frozenset[str] = frozenset()
    is_flow: bool = False
    has_linear_sigmas: bool = False
    has_zero_text: bool = False
    was_saved_otherwise: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def denoiser(self) -> str:
        """The component that its network is."""
        return self.network.component

    @property
    def models(self) -> Mapping[str, str]:
        """Class name of everything with weights, by component."""
        return {self.denoiser: self.network_class, "vae": "AutoencoderKL", **self.text_encoders}

    @property
    def absent(self) -> tuple[str, ...]:
        """Text encoders that may be absent, and are."""
        return tuple(sorted(self.optional - set(self.text_encoders)))

    def without(self, components: Collection[str]) -> "PipelineKind":
        """Return the same without some of its text encoders."""
        texts = {name: one for name, one in self.text_encoders.items() if name not in components}
        return replace(self, text_encoders=texts)

    def tokenizer_of(self, text_encoder: str) -> str:
        """Return the component that a text encoder's tokenizer is."""
        return text_encoder.replace("text_encoder", "tokenizer")


_UNET: dict[str, Any] = {"network": UNet, "network_class": "UNet2DConditionModel"}
_CLIP, _PROJECTED, _T5 = "CLIPTextModel", "CLIPTextModelWithProjection", "T5EncoderModel"
KINDS: Mapping[str, PipelineKind] = {
    kind.pipeline: kind
    for kind in (
        PipelineKind(
            pipeline="StableDiffusionPipeline",
            text_encoders={"text_encoder": _CLIP},
            text=CLIP,
            was_saved_otherwise=True,
            options={
                "safety_checker": None,
                "feature_extractor": None,
                "requires_safety_checker": False,
            },
            **_UNET,
        ),
        PipelineKind(
            pipeline="StableDiffusionXLPipeline",
            text_encoders={"text_encoder": _CLIP, "text_encoder_2": _PROJECTED},
            text=CLIP_JOINED,
            has_zero_text=True,
            options={"add_watermarker": False},
            **_UNET,
        ),
        PipelineKind(
            pipeline="StableDiffusion3Pipeline",
            network=SD3Transformer,
            network_class="SD3Transformer2DModel",
            text_encoders={
                "text_encoder": _PROJECTED,
                "text_encoder_2": _PROJECTED,
                "text_encoder_3": _T5,
            },
            optional=frozenset({"text_encoder_3"}),
            text=SD3,
            is_flow=True,
        ),
        PipelineKind(
            pipeline="FluxPipeline",
            network=FluxTransformer,
            network_class="FluxTransformer2DModel",
            text_encoders={"text_encoder": _CLIP, "text_encoder_2": _T5},
            text=FLUX,
            is_flow=True,
            has_linear_sigmas=True,
        ),
    )
}
"""By the name that a `model_index.json` gives."""
PIPELINE_OF_FAMILY: Mapping[str, str] = {
    "sd1": "StableDiffusionPipeline",
    "sd2": "StableDiffusionPipeline",
    "sdxl": "StableDiffusionXLPipeline",
    "sd3": "StableDiffusion3Pipeline",
    "flux": "FluxPipeline",
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


def family_of(kind: PipelineKind, models: Mapping[str, Any], *, source: str) -> str:
    """Return `sd1`, `sd2`, `sdxl`, `sd3` or `flux`.

    Args:
        kind: Of the pipeline.
        models: Its components; their weights are not looked at.
        source: What to call it.

    Raises:
        BaseNotLoadable: Its network wants more than text, or its parts do not belong together.
    """
    vae = models["vae"].config
    texts = {name: models[name].config for name in kind.text_encoders if name in models}
    judged = kind.network(models[kind.denoiser]).judge(
        texts, latent_channels=int(vae.latent_channels)
    )
    if problem := judged.problem or _impossible_scale(vae):
        raise BaseNotLoadable(f"the base {source!r} cannot be served: {problem}", hint=_SERVED)
    return judged.family


def _impossible_scale(vae: Any) -> str:
    scale, shift = vae.scaling_factor, vae.get("shift_factor")
    if type(scale) not in (int, float) or not 0 < scale < math.inf:
        return f"its VAE's scaling_factor is {str(scale)[:40]}"
    if shift is not None and (type(shift) not in (int, float) or not math.isfinite(shift)):
        return f"its VAE's shift_factor is {str(shift)[:40]}"
    for name in ("latents_mean", "latents_std"):
        found = vae.get(name)
        if found is not None and not (
            isinstance(found, list | tuple)
            and len(found) == vae.latent_channels
            and all(type(number) in (int, float) for number in found)
        ):
            return f"its VAE's {name} is {str(found)[:40]}, not a number for each channel"
    return ""
