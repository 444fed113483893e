# SPDX-License-Identifier: Apache-2.0
"""Folders that PEFT saved of LoRA, DoRA, LoHa and LoKr give what PEFT's own forward gave."""

from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoHaConfig, LoKrConfig, LoraConfig, get_peft_model
from torch import nn

from tabard_registry import BaseProfile, ModuleShape, sha256_bytes
from tests.server.adapters.packing import pack_file
from tests.server.engine.slots.one_layer import WornLayer

CONFIGS: dict[str, tuple[Any, dict[str, Any]]] = {
    "lora": (LoraConfig, {"r": 3, "lora_alpha": 6}),
    "rslora": (LoraConfig, {"r": 4, "lora_alpha": 6, "use_rslora": True}),
    "dora": (LoraConfig, {"r": 3, "lora_alpha": 6, "use_dora": True}),
    "loha": (LoHaConfig, {"r": 2, "alpha": 3}),
    "loha cores": (LoHaConfig, {"r": 2, "alpha": 3, "use_effective_conv2d": True}),
    "lokr": (LoKrConfig, {"r": 2, "alpha": 3}),
    "lokr cores": (LoKrConfig, {"r": 1, "alpha": 3, "use_effective_conv2d": True}),
    "lokr both": (LoKrConfig, {"r": 1, "alpha": 3, "decompose_both": True}),
    "lokr whole": (LoKrConfig, {"r": 30, "alpha": 3}),
}


@pytest.mark.parametrize("kind", ["linear", "conv2d"])
@pytest.mark.parametrize("name", CONFIGS)
def test_folder_of_peft_is_worn_exactly(name: str, kind: str, tmp_path: Path) -> None:
    """Tensors and configuration together: accepted whole, equal up to float32's own rounding."""
    torch.manual_seed(5)
    make_config, options = CONFIGS[name]
    model = nn.Sequential()
    layer: nn.Module = nn.Linear(24, 40) if kind == "linear" else nn.Conv2d(12, 20, 3, padding=1)
    model.add_module("layer", layer)
    worn_layer = WornLayer(layer.double(), rank_rows=257)
    worn: Any = get_peft_model(model.float(), make_config(target_modules=["layer"], **options))
    for key, parameter in worn.named_parameters():
        if parameter.requires_grad and "magnitude" not in key:
            # Multiples of a power of two: multiplying them out rounds nothing.
            parameter.data = torch.randint(-8, 9, parameter.shape) / 16
    worn.save_pretrained(str(tmp_path))
    x = torch.randn(2, *((24,) if kind == "linear" else (12, 5, 4)), dtype=torch.float64)

    adapter = pack_file(
        tmp_path / "adapter_model.safetensors",
        beside=[tmp_path / "adapter_config.json"],
        profile=_profile(layer),
        folder=tmp_path,
        dtype=torch.float64,
    )
    found = worn_layer.run(x, stacks=[[(adapter, 1.0)]])

    with torch.no_grad():
        expected = worn.double().eval()(x)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)
    assert (found - worn_layer.run(x, stacks=[[]])).abs().max() > 0.01


def _profile(layer: Any) -> BaseProfile:
    weight = layer.base_layer.weight if hasattr(layer, "base_layer") else layer.weight
    outputs, inputs, *kernel = weight.shape
    shape = ModuleShape(
        kind="conv2d" if kernel else "linear",
        inputs=inputs,
        outputs=outputs,
        kernel=(3, 3) if kernel else (1, 1),
    )
    return BaseProfile(
        family="sd1",
        fingerprints={"unet": str(sha256_bytes(b"unet"))},
        modules={"unet": {"layer": shape}},
        token_widths={},
    )
