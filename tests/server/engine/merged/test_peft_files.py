# SPDX-License-Identifier: Apache-2.0
"""Folders that PEFT saved of what is not low-rank give, merged, what PEFT's own forward gave."""

from pathlib import Path
from typing import Any

import pytest
import torch
from peft import (
    BOFTConfig,
    IA3Config,
    LoHaConfig,
    LoKrConfig,
    LoraConfig,
    OFTConfig,
    get_peft_model,
)
from torch import nn

from tabard_registry import Checked, IntakeLimits, check
from tests.server.adapters.packing import pack_file
from tests.server.engine.merged.one_layer_base import profile_of_layer, run_merged

CONFIGS: dict[str, tuple[Any, dict[str, Any]]] = {
    "oft": (OFTConfig, {"oft_block_size": 4}),
    "oft of three terms": (OFTConfig, {"oft_block_size": 4, "num_cayley_neumann_terms": 3}),
    "oft of two terms": (OFTConfig, {"oft_block_size": 4, "num_cayley_neumann_terms": 2}),
    "oft solved": (OFTConfig, {"oft_block_size": 4, "use_cayley_neumann": False}),
    "oft shared": (OFTConfig, {"oft_block_size": 4, "block_share": True}),
    "oft bounded": (OFTConfig, {"oft_block_size": 4, "coft": True, "eps": 0.25}),
    "boft": (BOFTConfig, {"boft_block_size": 4}),
    "ia3": (IA3Config, {"feedforward_modules": []}),
    "ia3 inputs": (IA3Config, {"feedforward_modules": ["layer"]}),
    "loha": (LoHaConfig, {"r": 4, "alpha": 3}),
    "loha cores": (LoHaConfig, {"r": 4, "alpha": 3, "use_effective_conv2d": True}),
    "lokr": (LoKrConfig, {"r": 2, "alpha": 3}),
    "lokr whole": (LoKrConfig, {"r": 30, "alpha": 3}),
    "lora": (LoraConfig, {"r": 4, "lora_alpha": 6}),
    "lora with a bias": (LoraConfig, {"r": 4, "lora_alpha": 6, "lora_bias": True}),
    "rslora": (LoraConfig, {"r": 4, "lora_alpha": 6, "use_rslora": True}),
    "dora": (LoraConfig, {"r": 4, "lora_alpha": 6, "use_dora": True}),
}
LAYERS = {
    "linear": (lambda: nn.Linear(16, 24), (2, 16)),
    "conv": (lambda: nn.Conv2d(8, 12, 3, padding=1), (2, 8, 5, 4)),
    "point": (lambda: nn.Conv2d(8, 12, 1), (2, 8, 5, 4)),
}


def save_folder(name: str, kind: str, folder: Path) -> tuple[nn.Module, Any]:
    """A folder that PEFT saved; the bare layer, and PEFT's model."""
    torch.manual_seed(5)
    make_config, options = CONFIGS[name]
    bare = LAYERS[kind][0]()
    model = nn.Sequential()
    model.add_module("layer", LAYERS[kind][0]())
    model.layer.load_state_dict(bare.state_dict())
    worn: Any = get_peft_model(model, make_config(target_modules=["layer"], **options))
    for key, parameter in worn.named_parameters():
        if parameter.requires_grad and "magnitude" not in key:
            steps = torch.randint(-8, 9, parameter.shape) / 16
            parameter.data = 1 + steps if "ia3_l" in key or "boft_s" in key else steps
    worn.save_pretrained(str(folder))
    return bare, worn


@pytest.mark.filterwarnings("ignore:Failed to load the CUDA extension")
@pytest.mark.filterwarnings("ignore:Setting boft_n_butterfly_factor to 1")
@pytest.mark.filterwarnings("ignore:Adapter 'default'")
@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("name", CONFIGS)
def test_folder_of_peft_is_merged_exactly(name: str, kind: str, tmp_path: Path) -> None:
    """Tensors and configuration together: accepted whole, equal up to PEFT's own rounding."""
    bare, worn = save_folder(name, kind, tmp_path)
    if name.startswith("oft") and kind == "conv":
        report = _check(tmp_path, bare).report
        assert [problem.reason for problem in report.problems] == ["UNSUPPORTED_DIALECT"]
        assert "merged" in report.problems[0].message
        return
    x = torch.randn(LAYERS[kind][1])

    adapter = pack_file(
        tmp_path / "adapter_model.safetensors",
        beside=[tmp_path / "adapter_config.json"],
        profile=profile_of_layer(bare),
        folder=tmp_path,
        dtype=torch.float64,
        limits=IntakeLimits(rank_max=1),
    )
    found = run_merged(bare.double(), x.double(), stack=[(adapter, 1.0)])

    with torch.no_grad():
        expected = worn.eval()(x).double()
    assert adapter.is_merged_only
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=2e-5)
    assert (found - bare(x.double())).abs().max() > 0.01


def _check(folder: Path, bare: nn.Module) -> Checked:
    files = [folder / "adapter_model.safetensors", folder / "adapter_config.json"]
    return check(files, profile=profile_of_layer(bare))
