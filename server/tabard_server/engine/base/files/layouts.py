# SPDX-License-Identifier: Apache-2.0
"""Which family a single file is of, and what the keys of each of its components begin with.

In: keys. Out: a layout, or a refusal. Files of UNets hold everything; of those of transformers many
hold the transformer alone, with or without a prefix, and ComfyUI's whole ones name the texts.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tabard_server.engine.base.files.checkpoint_keys import OTHER_VAE, UNET, VAE
from tabard_server.engine_port.errors import BaseNotLoadable

SD2_TEXT = "cond_stage_model.model."
_SDXL = ("conditioner.embedders.0.transformer.", "conditioner.embedders.1.model.")
_CLIP_L, _CLIP_G, _T5 = (f"text_encoders.{name}." for name in ("clip_l", "clip_g", "t5xxl"))
_TEXTS: Mapping[str, Mapping[str, str]] = {
    "sd1": {"text_encoder": "cond_stage_model.transformer."},
    "sd2": {"text_encoder": SD2_TEXT},
    "sdxl": {"text_encoder": _SDXL[0], "text_encoder_2": _SDXL[1]},
    "sd3": {"text_encoder": _CLIP_L, "text_encoder_2": _CLIP_G, "text_encoder_3": _T5},
    "flux": {"text_encoder": _CLIP_L, "text_encoder_2": _T5},
}
"""Family to component to what its keys begin with; of UNets, only that family has them."""
UNPROJECTED = (_CLIP_L,)
"""Text encoders of whole files whose summary is read before its projection."""
TRANSFORMERS: Mapping[str, re.Pattern[str]] = {
    "sd3": re.compile(r"(model\.diffusion_model\.)?joint_blocks\.\d+\.x_block\.attn\.qkv\.weight"),
    "flux": re.compile(r"(model\.diffusion_model\.)?double_blocks\.\d+\.img_attn\.qkv\.weight"),
}
"""Family to a key that its whole transformer has and no adapter of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What the keys of a file begin with, by component.

    Attributes:
        family: `sd1`, `sd2`, `sdxl`, `sd3` or `flux`.
        denoiser: Its network's, which may be nothing at all.
        vae: Its VAE's: one of these.
        texts: Those of its text encoders by component.
    """

    family: str
    denoiser: str
    vae: tuple[str, ...]
    texts: Mapping[str, str]

    @property
    def is_transformer(self) -> bool:
        """Whether it draws with a transformer, so that a file may hold that alone."""
        return self.family in TRANSFORMERS

    @property
    def beside(self) -> Mapping[str, tuple[str, ...]]:
        """Beginnings of keys of all components but the network, by component."""
        return {"vae": self.vae, **{name: (prefix,) for name, prefix in self.texts.items()}}


def find_layout(keys: Iterable[str], *, source: str) -> Layout:
    """Return how a file is laid out.

    Raises:
        BaseNotLoadable: It holds no whole network of a family that is served.
    """
    keys = list(keys)
    for family, pattern in TRANSFORMERS.items():
        if (found := next(filter(None, map(pattern.fullmatch, keys)), None)) is not None:
            vae, prefix = (VAE, OTHER_VAE), found[1] or ""
            return Layout(family=family, denoiser=prefix, vae=vae, texts=_TEXTS[family])
    family = _family_of_unet(keys, source=source)
    return Layout(family=family, denoiser=UNET, vae=(VAE,), texts=_TEXTS[family])


def _family_of_unet(keys: Iterable[str], *, source: str) -> str:
    def has(prefix: str) -> bool:
        return any(key.startswith(prefix) for key in keys)

    if not has(UNET):
        raise BaseNotLoadable(
            f"{source} holds no UNet of Stable Diffusion, and no transformer of SD3 or Flux",
            hint="give a full checkpoint; adapters are published, not served as a base",
        )
    for family in ("sd1", "sd2", "sdxl"):
        # What lacks the first of two encoders lacks weights; it is not of another family.
        if has(list(_TEXTS[family].values())[-1]):
            return family
    if has("conditioner.embedders.0.model."):
        raise BaseNotLoadable(
            f"{source} is an SDXL refiner, which is not served",
            hint="give the checkpoint of a base model; it draws the whole picture",
        )
    raise BaseNotLoadable(
        f"{source} holds no text encoder of Stable Diffusion",
        hint="give a full checkpoint of the sd1, sd2 or sdxl family, not a UNet alone",
    )
