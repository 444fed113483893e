# SPDX-License-Identifier: Apache-2.0
"""Files that are no base, by the keys that show it: named, with what to do. Pure functions of keys.

A file with the UNet and a text encoder of Stable Diffusion is none of them, nor is one with a
transformer of SD3 or Flux.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tabard_server.engine.base.files.layouts import TRANSFORMERS
from tabard_server.engine_port.errors import BaseNotLoadable

_OTHER_FAMILY = "sd1, sd2, sdxl, sd3 and flux are served; give a checkpoint of one of them"
_PART = "give the whole checkpoint, or a diffusers folder with all components"
_PUBLISH = "publish it as an adapter: `tabard publish`"
_BESIDE = "give the checkpoint that it is used with; this kind of file is not served"
_APART = "one component alone in diffusers' names, or a model that draws with another transformer"
_FOLDER = "serve the diffusers folder that it lies in, or the file that the model was published as"
_UNET = r"(?:model\.diffusion_model\.|diffusion_model\.|transformer\.)?"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    pattern: re.Pattern[str]
    what: str
    hint: str


def _kind(pattern: str, what: str, hint: str) -> _Kind:
    return _Kind(pattern=re.compile(pattern), what=what, hint=hint)


_LIKE_FLUX = (
    _kind(rf"{_UNET}distilled_guidance_layer\.", "a Chroma model", _OTHER_FAMILY),
    _kind(rf"{_UNET}(?:double|single)_stream_modulation", "a Flux.2 model", _OTHER_FAMILY),
    _kind(rf"{_UNET}txt_in\.individual_token_refiner\.", "a HunyuanVideo model", _OTHER_FAMILY),
)
"""Families whose blocks are called as Flux's are."""
# The first that matches any key names the file, so that what holds the most comes first.
_KINDS = (
    _kind(r"edm_(?:mean|std|vpred\.)", "a model of EDM's noise schedule", _OTHER_FAMILY),
    _kind(
        r".*(?:lora_(?:down|up|unet|te\d?)|lora_[AB]\b|hada_w1|lokr_w|oft_)",
        "an adapter",
        _PUBLISH,
    ),
    _kind(
        r"control_model\.|controlnet_|input_hint_block\.|lllite_|control_(?:net_)?blocks\.",
        "a ControlNet",
        _BESIDE,
    ),
    _kind(r"ip_adapter\.|image_proj\.", "an IP-Adapter", _BESIDE),
    _kind(r"adapter\.body\.|body\.\d+\.(?:resnets|block\d|in_conv)\b", "a T2I-Adapter", _BESIDE),
    _kind(r".*motion_modules?\.", "a motion module", _BESIDE),
    *_LIKE_FLUX,
    _kind(
        rf"{_UNET}(?:double_blocks|single_blocks|joint_blocks)\.",
        "a part of a transformer, as those that control another are",
        _BESIDE,
    ),
    _kind(rf"{_UNET}transformer_blocks\.\d+\.img_mod", "a Qwen-Image model", _OTHER_FAMILY),
    _kind(
        rf"{_UNET}(?:blocks\.\d+\.(?:self_attn|cross_attn|attn1)\.|patch_embedding\.|head\.modul)",
        "a Wan model, or another that draws with a transformer",
        _OTHER_FAMILY,
    ),
    _kind(rf"{_UNET}(?:single_)?transformer_blocks\.\d+\.(?:attn|norm1?)\.", _APART, _FOLDER),
    _kind(
        rf"{_UNET}(?:x_embedder|t_embedder|cap_embedder|pos_embed|patchify_proj|img_in)\b",
        "a model that draws with a transformer",
        _OTHER_FAMILY,
    ),
    _kind(r"emb_params$|string_to_param|clip_[lg]$", "a textual inversion", _PUBLISH),
)
_PARTS = (
    _kind(
        r"conv_first\.|model\.\d+\.|model\.\d+\.sub\.|body\.\d+\.rdb\d|params_ema",
        "an upscaler of pictures",
        _BESIDE,
    ),
    _kind(
        r"(?:first_stage_model\.|vae\.)?(?:de|en)coder\.(?:conv_in|conv1|mid|up|down)",
        "a VAE",
        _PART,
    ),
    _kind(
        r"(?:.*\.)?(?:text_model\.encoder\.layers|encoder\.block\.\d+\.layer"
        r"|transformer\.resblocks|encoder\.layers)\.",
        "a text encoder",
        _PART,
    ),
    _kind(
        r"(?:model\.diffusion_model\.|diffusion_model\.)?(?:input_blocks|down_blocks)\.",
        "a UNet alone",
        _PART,
    ),
)
_OF_A_BASE = re.compile(r"model\.diffusion_model\.input_blocks\.|cond_stage_model\.|conditioner\.")


def refuse_foreign(keys: Iterable[str], *, source: str) -> None:
    """Refuse a file that is something else than a whole checkpoint.

    Raises:
        BaseNotLoadable: It is known by name.
    """
    keys = list(keys)
    owned = [bool(_OF_A_BASE.match(key)) for key in keys]
    has_unet = any(key.startswith("model.diffusion_model.input_blocks.") for key in keys)
    is_base = has_unet and any(
        key.startswith(("cond_stage_model.", "conditioner.")) for key in keys
    )
    known: Sequence[_Kind] = _KINDS[:1] if is_base else _KINDS if any(owned) else (*_KINDS, *_PARTS)
    if any(pattern.fullmatch(key) for pattern in TRANSFORMERS.values() for key in keys):
        known = _LIKE_FLUX
    for kind in known:
        shown = next((key for key in keys if kind.pattern.match(key)), None)
        if shown is not None:
            raise BaseNotLoadable(
                f"{source} is {kind.what}, as {shown[:120]} shows", hint=kind.hint
            )
