# SPDX-License-Identifier: Apache-2.0
"""A UNet of diffusers at a few channels, and what the registry knows of it."""

from typing import Any

import torch
from diffusers import UNet2DConditionModel

from tabard_registry import BaseProfile, ModuleShape, sha256_bytes


def tiny_unet() -> Any:
    """The same random UNet at every call."""
    torch.manual_seed(3)
    return UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(8, 16),
        layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=12,
        norm_num_groups=4,
        attention_head_dim=4,
    )


def profile_of(unet: Any, *, has_biases: bool = False) -> BaseProfile:
    """Its layers, and if wanted their biases."""
    layers = {
        name: module
        for name, module in unet.named_modules()
        if isinstance(module, torch.nn.Linear | torch.nn.Conv2d)
    }
    biases = {f"{name}.bias": len(x.bias) for name, x in layers.items() if x.bias is not None}
    return BaseProfile(
        family="sd1",
        fingerprints={"unet": str(sha256_bytes(b"unet"))},
        modules={"unet": {name: _shape(tuple(x.weight.shape)) for name, x in layers.items()}},
        token_widths={},
        vectors={"unet": biases} if has_biases else {},
    )


def _shape(shape: tuple[int, ...]) -> ModuleShape:
    outputs, inputs, *kernel = shape
    if not kernel:
        return ModuleShape(kind="linear", inputs=inputs, outputs=outputs)
    return ModuleShape(kind="conv2d", inputs=inputs, outputs=outputs, kernel=(kernel[0], kernel[1]))
