# SPDX-License-Identifier: Apache-2.0
"""The parameters of a base, and the part each may play in an adapter's file.

In: a loaded base. Out: every parameter under its classic name, with its role and kohya's stem.
Knows no tuned model.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from diffusers.models.normalization import RMSNorm
from torch import nn

from tabard_registry import BaseProfile
from tabard_registry.intake.dialects.module_names import text_prefixes
from tabard_server.engine.base.loading import Base
from tabard_server.engine.base.names import TEXT_PREFIX, classic_name, tied_weights

Role = Literal["matrix", "bias", "norm_weight", "norm_bias", "embedding", "other"]

WHOLE_FORMS: Mapping[Role, str] = {
    "matrix": "diff",
    "bias": "diff_b",
    "norm_weight": "w_norm",
    "norm_bias": "b_norm",
}
"""How LyCORIS calls the whole difference of a parameter."""

_STEMS = {"unet": "lora_unet_", "transformer": "lora_transformer_"}
"""A transformer's by diffusers' names, as OneTrainer has them: kohya's fuse several layers."""


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
    stems = {**_STEMS, **text_prefixes(profile)}
    for component in base.adaptable:
        tied = tied_weights(base.models[component])
        for path, module in base.models[component].named_modules():
            for own, weight in module.named_parameters(recurse=False):
                if (full := f"{path}.{own}".lstrip(".")) in tied:
                    continue
                plain = full.removeprefix(TEXT_PREFIX)
                module_name = plain.removesuffix(own).rstrip(".")
                name = f"{classic_name(module_name, component)}.{own}"
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


def _role(module: nn.Module, *, own: str) -> Role:
    if own not in ("weight", "bias"):
        return "other"
    if isinstance(module, nn.Linear | nn.Conv2d):
        return "matrix" if own == "weight" else "bias"
    if isinstance(module, nn.GroupNorm | nn.LayerNorm | nn.RMSNorm | RMSNorm):
        return "norm_weight" if own == "weight" else "norm_bias"
    return "embedding" if isinstance(module, nn.Embedding) else "other"
