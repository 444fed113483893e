# SPDX-License-Identifier: Apache-2.0
"""Files of LoRAs and whole differences for a base of a few modules."""

from pathlib import Path

import numpy as np

from tabard_registry import (
    BaseProfile,
    Checked,
    ModuleShape,
    check,
    sha256_bytes,
)
from tests.registry.fakes import Tensors, linear, write

PROFILE = BaseProfile(
    family="sd1",
    fingerprints={"unet": str(sha256_bytes(b"unet"))},
    modules={
        "unet": {
            "down_blocks.0.resnets.0.conv1": ModuleShape(
                kind="conv2d", inputs=8, outputs=16, kernel=(3, 3)
            ),
            "down_blocks.0.attentions.0.proj_in": linear(8, 8),
            "mid_block.fc": linear(12, 16),
        },
        "text_encoder": {"text_model.encoder.layers.0.mlp.fc1": linear(12, 16)},
    },
    vectors={
        "unet": {
            "down_blocks.0.resnets.0.conv1.bias": 16,
            "down_blocks.0.resnets.0.norm1.weight": 8,
            "down_blocks.0.resnets.0.norm1.bias": 8,
            "mid_block.fc.bias": 16,
            "conv_norm_out.weight": 8,
            "conv_norm_out.bias": 8,
        },
        "text_encoder": {
            "text_model.final_layer_norm.weight": 12,
            "text_model.final_layer_norm.bias": 12,
        },
    },
    token_widths={},
)


FC = "lora_unet_mid_block_fc"


CONV = "lora_unet_down_blocks_0_resnets_0_conv1"


NORM = "lora_unet_down_blocks_0_resnets_0_norm1"


def some(*shape: int, dtype: str = "float32") -> np.ndarray:
    """Numbers that differ."""
    return (np.arange(np.prod(shape)).reshape(shape) / 8 + 0.125).astype(dtype)


def scalar(value: float, dtype: str = "float32") -> np.ndarray:
    """A tensor of one number."""
    return np.full((), value, dtype)


def lora(**more: np.ndarray) -> Tensors:
    """A LoRA of rank 4 and alpha 2, and what lies beside it."""
    parts = {"lora_down.weight": some(4, 12), "lora_up.weight": some(16, 4), "alpha": scalar(2)}
    return {f"{FC}.{part}": value for part, value in {**parts, **more}.items()}


def checked(folder: Path, tensors: Tensors, **options: object) -> Checked:
    """Check tensors as one file."""
    metadata = options.pop("metadata", None)
    profile = options.pop("profile", PROFILE)
    path = write(folder / "x.safetensors", tensors, metadata=metadata)  # type: ignore[arg-type]
    return check([path], profile=profile, **options)  # type: ignore[arg-type]
