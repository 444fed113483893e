# SPDX-License-Identifier: Apache-2.0
"""One layer as a whole base: its profile, and what it does when adapters are merged into it."""

from collections.abc import Sequence

import torch
from torch import nn

from tabard_registry import BaseProfile, ModuleShape, sha256_bytes
from tabard_server.adapters.host_adapter import HostAdapter
from tabard_server.engine.merged.merged_copy import MergedWeights

NAME = "layer"


def profile_of_layer(layer: nn.Module) -> BaseProfile:
    """The profile of a base whose UNet is this one layer."""
    modules: dict[str, ModuleShape] = {}
    if isinstance(layer, nn.Linear):
        modules[NAME] = ModuleShape(
            kind="linear", inputs=layer.in_features, outputs=layer.out_features
        )
    elif isinstance(layer, nn.Conv2d):
        kernel = (layer.kernel_size[0], layer.kernel_size[1])
        modules[NAME] = ModuleShape(
            kind="conv2d", inputs=layer.in_channels, outputs=layer.out_channels, kernel=kernel
        )
    return BaseProfile(
        family="sd1",
        fingerprints={"unet": str(sha256_bytes(b"unet"))},
        modules={"unet": modules},
        token_widths={},
        vectors={
            "unet": {
                f"{NAME}.{own}": parameter.numel()
                for own, parameter in layer.named_parameters()
                if parameter.ndim == 1
            }
        },
    )


def run_merged(
    layer: nn.Module, x: torch.Tensor, *, stack: Sequence[tuple[HostAdapter, float]]
) -> torch.Tensor:
    """What the layer gives while a stack is merged into it."""
    model = nn.Sequential()
    model.add_module(NAME, layer)
    merged = MergedWeights({"unet": model}, device=torch.device("cpu"), bytes_max=None)
    merged.merge(stack)
    with torch.no_grad(), merged.wearing("unet"):
        found: torch.Tensor = model(x)
    return found
