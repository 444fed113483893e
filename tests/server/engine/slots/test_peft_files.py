# SPDX-License-Identifier: Apache-2.0
"""Folders that PEFT saved of LoRA, DoRA, LoHa and LoKr give what PEFT's own forward gave."""

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoHaConfig, LoKrConfig, LoraConfig, get_peft_model
from torch import nn

from tabard_registry import BaseProfile, ModuleShape, check, sha256_bytes
from tests.server.adapters.packing import pack_file
from tests.server.engine.slots.one_layer import WornLayer

CONFIGS: dict[str, tuple[Any, dict[str, Any]]] = {
    "lora": (LoraConfig, {"r": 3, "lora_alpha": 6}),
    "rslora": (LoraConfig, {"r": 4, "lora_alpha": 6, "use_rslora": True}),
    "dora": (LoraConfig, {"r": 3, "lora_alpha": 6, "use_dora": True}),
    "gaussian": (LoraConfig, {"r": 4, "lora_alpha": 6, "init_lora_weights": "gaussian"}),
    "orthogonal": (LoraConfig, {"r": 4, "lora_alpha": 6, "init_lora_weights": "orthogonal"}),
    "minor components": (LoraConfig, {"r": 4, "lora_alpha": 6, "init_lora_weights": "mica"}),
    "eva": (LoraConfig, {"r": 4, "lora_alpha": 6, "init_lora_weights": "eva"}),
    "loha": (LoHaConfig, {"r": 2, "alpha": 3}),
    "loha cores": (LoHaConfig, {"r": 2, "alpha": 3, "use_effective_conv2d": True}),
    "lokr": (LoKrConfig, {"r": 2, "alpha": 3}),
    "lokr cores": (LoKrConfig, {"r": 1, "alpha": 3, "use_effective_conv2d": True}),
    "lokr both": (LoKrConfig, {"r": 1, "alpha": 3, "decompose_both": True}),
    "lokr whole": (LoKrConfig, {"r": 30, "alpha": 3}),
}
LINEAR_ONLY = ("orthogonal", "minor components", "eva")


@pytest.mark.filterwarnings("ignore:`init_lora_weights` is 'eva' but `eva_config`")
@pytest.mark.filterwarnings("ignore:lora with eva initialization")
@pytest.mark.parametrize("kind", ["linear", "conv2d"])
@pytest.mark.parametrize("name", CONFIGS)
def test_folder_of_peft_is_worn_exactly(name: str, kind: str, tmp_path: Path) -> None:
    """Tensors and configuration together: accepted whole, equal up to float32's own rounding."""
    if name in LINEAR_ONLY and kind != "linear":
        pytest.skip("PEFT initialises so linear layers only")
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


@pytest.mark.filterwarnings("ignore:.* changes the base weights of the model")
@pytest.mark.parametrize("init", ["pissa", "pissa_niter_4", "olora"])
def test_what_changes_the_base_is_refused_until_it_is_converted(init: str, tmp_path: Path) -> None:
    """PEFT's own writer: refused by name, and worn exactly after what the remedy says."""
    torch.manual_seed(5)
    model = nn.Sequential()
    model.add_module("layer", nn.Linear(24, 40))
    bare = copy.deepcopy(model.layer)
    config = LoraConfig(r=4, lora_alpha=6, target_modules=["layer"], init_lora_weights=init)
    worn: Any = get_peft_model(model, config)
    config.init_lora_weights = True
    worn.save_pretrained(str(tmp_path / "start"))
    config.init_lora_weights = init
    for parameter in worn.parameters():
        if parameter.requires_grad:
            parameter.data += torch.randn_like(parameter) / 8
    worn.save_pretrained(str(tmp_path / "plain"))
    start = str(tmp_path / "start")
    worn.save_pretrained(str(tmp_path / "lora"), path_initial_model_for_weight_conversion=start)
    x = torch.randn(2, 24)

    report = check(files_of(tmp_path / "plain"), profile=_profile(bare)).report
    adapter = pack_file(
        tmp_path / "lora" / "adapter_model.safetensors",
        beside=[tmp_path / "lora" / "adapter_config.json"],
        profile=_profile(bare),
        folder=tmp_path,
        dtype=torch.float64,
    )
    found = WornLayer(bare.double(), rank_rows=257).run(x.double(), stacks=[[(adapter, 1.0)]])

    assert [problem.reason for problem in report.problems] == ["UNSUPPORTED_CONFIG"]
    assert init in report.problems[0].message
    assert "path_initial_model_for_weight_conversion" in report.problems[0].remedy
    with torch.no_grad():
        torch.testing.assert_close(found, worn.eval()(x).double(), rtol=1e-4, atol=1e-4)


def files_of(folder: Path) -> list[Path]:
    """What PEFT wrote."""
    return [folder / "adapter_model.safetensors", folder / "adapter_config.json"]


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
