# SPDX-License-Identifier: Apache-2.0
"""In which numbers a base is computed, and each weight of its models is kept.

In: models, and what was asked. Out: dtypes by weight. A network's layers may be kept in eight bits,
and are cast to what they read whenever they are called; which ones is diffusers' own choice for
`enable_layerwise_casting`: no norms, embeddings or last layers.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from diffusers.hooks.layerwise_casting import DEFAULT_SKIP_MODULES_PATTERN
from torch import nn

from tabard_registry.intake.profile import DENOISERS


@dataclass(frozen=True, slots=True)
class Precision:
    """What a base is served in.

    Attributes:
        dtype: What it is computed in, and kept in where nothing else is said.
        storage: What most weights of its network are kept in; None: the same.
    """

    dtype: torch.dtype = torch.float32
    storage: torch.dtype | None = None


def component_dtype(component: str, config: Any, *, family: str, dtype: torch.dtype) -> torch.dtype:
    """Return the dtype of a component in a base of a dtype: a wider one where that overflows.

    SDXL's VAE overflows in half precision, so that its config asks for float32; the config of older
    families asks too, by default only, and diffusers does not obey it there. What the T5 multiplies
    out in its layers overflows in float16, and not in bfloat16, in which it was trained.
    """
    if dtype != torch.float16:
        return dtype
    if component == "vae":
        wants_float32 = family == "sdxl" and config.get("force_upcast", False)
        return torch.float32 if wants_float32 else dtype
    return torch.bfloat16 if getattr(config, "model_type", "") == "t5" else dtype


def stored_weights(component: str, model: nn.Module, *, precision: Precision) -> Collection[str]:
    """Return which weights of a model are kept in `precision.storage`, by name."""
    if precision.storage is None or component not in DENOISERS:
        return ()
    patterns = [
        *DEFAULT_SKIP_MODULES_PATTERN,
        *(getattr(model, "_skip_layerwise_casting_patterns", None) or ()),
        *(getattr(model, "_keep_in_fp32_modules", None) or ()),
    ]
    return [
        f"{name}.weight"
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear | nn.Conv2d)
        and not any(re.search(pattern, name) for pattern in patterns)
    ]


def kept_dtypes(
    component: str, model: Any, *, family: str, precision: Precision
) -> Mapping[str, torch.dtype]:
    """Return the dtype in which each floating-point weight of a model is kept, by name."""
    own = component_dtype(component, model.config, family=family, dtype=precision.dtype)
    kept = {name: own for name, one in model.state_dict().items() if one.is_floating_point()}
    if precision.storage is not None:
        stored = stored_weights(component, model, precision=precision)
        kept |= dict.fromkeys(stored, precision.storage)
    return kept
