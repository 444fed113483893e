# SPDX-License-Identifier: Apache-2.0
"""Layers that PEFT wrapped, with random parameters, and what it merges of them."""

from typing import Any

import torch
from peft import get_peft_model
from torch import nn

TARGET: dict[str, Any] = {"target_modules": ["layer"]}


def wear(config: Any, kind: str) -> tuple[Any, torch.Tensor]:
    """A layer that PEFT wrapped, random parameters in it, and its bare weight."""
    torch.manual_seed(7)
    model = nn.Sequential()
    model.add_module("layer", nn.Linear(16, 24) if kind == "linear" else nn.Conv2d(8, 24, 2))
    worn: Any = get_peft_model(model.double(), config).base_model.model.layer
    worn.double()
    for name, parameter in worn.named_parameters():
        if "base_layer" not in name:
            noise = torch.randn_like(parameter) * 0.3
            parameter.data = 1 + noise if "ia3" in name or "boft_s" in name else noise
    return worn, worn.base_layer.weight.detach().clone()


def parts_of(worn: Any) -> dict[str, torch.Tensor]:
    """PEFT's parameters, under the names of the parts."""
    return {
        name.removesuffix(".default").removeprefix("hada_").removeprefix("lokr_"): value.detach()
        for name, value in worn.named_parameters()
        if "base_layer" not in name
    }


def merged(worn: Any) -> torch.Tensor:
    """The weight that PEFT merges."""
    worn.merge()
    return worn.base_layer.weight.detach()  # type: ignore[no-any-return]
