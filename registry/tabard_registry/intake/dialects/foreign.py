# SPDX-License-Identifier: Apache-2.0
"""Formats that are known and not taken yet, and files made for other families: refused by name."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from tabard_registry.intake.profile import BaseProfile
from tabard_registry.report import Problem

_AS_LORA = (
    "Export it as a plain LoRA (lora_down/lora_up), for example with the trainer's converter."
)
_LAYERS_ONLY = "Train or export it for linear layers and convolutions only."
_EXTRACT = (
    "Extract an adapter from it, `tabard extract CHECKPOINT --base BASE --out FILE`, where BASE is "
    "what it was trained from (add --low-rank-only to wear it row by row), and publish that."
)
_OF_SDXL = "made for SDXL"
_OTHER_BASE = "Serve it on a base of its own family, or train it on this one."


@dataclass(frozen=True, slots=True, kw_only=True)
class _Format:
    pattern: re.Pattern[str]
    what: str
    remedy: str
    reason: str = "UNSUPPORTED_DIALECT"


def _format(pattern: str, what: str, remedy: str, *, reason: str = "") -> _Format:
    return _Format(
        pattern=re.compile(pattern),
        what=what,
        remedy=remedy,
        reason=reason or "UNSUPPORTED_DIALECT",
    )


_FORMATS = (
    _format(
        r"lora_te3_|text_encoder_3\.|lora_transformer_|transformer\.|t5xxl$"
        r"|(?:lora_unet_|diffusion_model\.)(?:double|single|joint)_blocks?[._]|text_encoders\.t5",
        "made for a later family, such as SD3 or Flux",
        _OTHER_BASE,
        reason="WRONG_FAMILY",
    ),
    _format(
        r"lora_te2_|text_encoder_2\.|text_encoders\.clip_g\.|conditioner\.|clip_[lg]$"
        r"|.*(?:label_emb|add_embedding)[._]|.*transformer_blocks[._][1-9]",
        _OF_SDXL,
        _OTHER_BASE,
        reason="WRONG_FAMILY",
    ),
    _format(r".*\.bm\.weight$", "a GLoRA with a core", _AS_LORA),
    _format(r".*\.ln_tuning_layers\.", "a PEFT LN_TUNING, which replaces norms", _AS_LORA),
    _format(
        r".*\.lora(?:_linear_layer)?[._](?:A|down)\.bias$", "a LoRA with inner biases", _AS_LORA
    ),
    _format(r".*\.lora_embedding_[AB]", "a LoRA of an embedding", _LAYERS_ONLY),
    _format(r".*\.(?:vera_|hra_|poly_)", "a PEFT method other than LoRA", _AS_LORA),
    _format(r"control_model\.|controlnet_", "a ControlNet", "Tabard serves adapters of styles."),
    _format(
        r"model\.diffusion_model\.|first_stage_model\.|cond_stage_model\.|model_ema\."
        r"|(?:conv_in|conv_out|time_embedding\.linear_[12])\.weight$"
        r"|(?:diffusion_model\.)?(?:input_blocks\.0\.0|out\.2|time_embed\.[02])\.weight$",
        "a full checkpoint",
        _EXTRACT,
    ),
)


def find_foreign(keys: Iterable[str], *, name: str, profile: BaseProfile) -> tuple[Problem, ...]:
    """Return one problem for each foreign format found among the keys of the file `name`."""
    formats = [known for known in _FORMATS if known.what != _OF_SDXL or not _is_large(profile)]
    # Asking once for all of them is what most files need: none of their keys is foreign.
    is_any = re.compile("|".join(f"(?:{known.pattern.pattern})" for known in formats))
    found: dict[_Format, list[str]] = {}
    for key in filter(is_any.match, keys):
        for known in formats:
            if known.pattern.match(key):
                found.setdefault(known, []).append(key)
                break
    return tuple(
        Problem(
            reason=known.reason,
            message=f"{name} is {known.what}: {len(hits)} of its tensors are not taken",
            remedy=known.remedy,
            keys=tuple(hits),
        )
        for known, hits in found.items()
    )


def _is_large(profile: BaseProfile) -> bool:
    """Whether the base itself is of SDXL's shape, so that such names are at home."""
    unet = profile.modules.get("unet", {})
    return "text_encoder_2" in profile.modules or any("transformer_blocks.1." in m for m in unet)
