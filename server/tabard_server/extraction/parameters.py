# SPDX-License-Identifier: Apache-2.0
"""The parameters of a base, and the part each may play in an adapter's file.

In: a loaded base. Out: every parameter under its classic name, with its role and kohya's stem.
Knows no tuned model.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from tabard_registry import BaseProfile
from tabard_registry.intake.dialects.module_names import text_prefixes
from tabard_server.engine.base.loading import Base
from tabard_server.engine.base.names import TEXT_PREFIX, TEXT_PROJECTION

Role = Literal["matrix", "bias", "norm_weight", "norm_bias", "embedding", "other"]

WHOLE_FORMS: Mapping[Role, str] = {
    "matrix": "diff",
    "bias": "diff_b",
    "norm_weight": "w_norm",
    "norm_bias": "b_norm",
}
"""How LyCORIS calls the whole difference of a parameter."""

_UNET_STEM = "lora_unet_"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Parameter:
    """One parameter of the base.

    Attributes:
        component: `unet`, `text_encoder`, ….
        name: Its classic name, text encoders with `text_model.`.
        plain: The same without `text_model.`, as sources are looked up.
        role: What an adapter can make of a change of it.
        stem: What kohya calls its module.
        weight: The base's own values, in float32.
    """

    component: str
    name: str
    plain: str
    role: Role
    stem: str
    weight: torch.Tensor


def parameters_of(base: Base, *, profile: BaseProfile) -> Iterator[Parameter]:
    """Yield the parameters that adapters may change, in the models' order."""
    stems = {"unet": _UNET_STEM, **text_prefixes(profile)}
    for component in base.adaptable:
        for path, module in base.models[component].named_modules():
            for own, weight in module.named_parameters(recurse=False):
                plain = f"{path}.{own}".lstrip(".").removeprefix(TEXT_PREFIX)
                name = _classic(plain, component=component)
                yield Parameter(
                    component=component,
                    name=name,
                    plain=plain,
                    role=_role(module, own=own),
                    stem=stems[component] + name.rpartition(".")[0].replace(".", "_"),
                    weight=weight.detach(),
                )


def vae_parameters_of(base: Base) -> Iterator[Parameter]:
    """Yield the parameters of the VAE, which no adapter carries."""
    for name, weight in base.vae.named_parameters():
        yield Parameter(
            component="vae", name=name, plain=name, role="other", stem="", weight=weight.detach()
        )


def _classic(plain: str, *, component: str) -> str:
    if component == "unet" or plain.startswith(f"{TEXT_PROJECTION}."):
        return plain
    return TEXT_PREFIX + plain


def _role(module: nn.Module, *, own: str) -> Role:
    if own not in ("weight", "bias"):
        return "other"
    if isinstance(module, nn.Linear | nn.Conv2d):
        return "matrix" if own == "weight" else "bias"
    if isinstance(module, nn.GroupNorm | nn.LayerNorm):
        return "norm_weight" if own == "weight" else "norm_bias"
    return "embedding" if isinstance(module, nn.Embedding) else "other"
