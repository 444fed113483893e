# SPDX-License-Identifier: Apache-2.0
"""Sums and products of parts equal the weights that PEFT itself merges, in float64."""

from typing import Any

import pytest
import torch
from peft import IA3Config, LoHaConfig, LoKrConfig

from tabard_server.engine.merged.changes import materialise
from tests.server.engine.merged.peft_layers import TARGET, merged, parts_of, wear
from tests.server.engine.merged.random_changes import change_of

SCALED: dict[str, Any] = {
    "loha": LoHaConfig(r=2, alpha=3, **TARGET),
    "loha cores": LoHaConfig(r=2, alpha=3, use_effective_conv2d=True, **TARGET),
    "lokr": LoKrConfig(r=2, alpha=3, **TARGET),
    "lokr cores": LoKrConfig(r=1, alpha=3, use_effective_conv2d=True, **TARGET),
    "lokr both": LoKrConfig(r=1, alpha=3, decompose_both=True, **TARGET),
    "lokr whole": LoKrConfig(r=30, alpha=3, **TARGET),
}


@pytest.mark.parametrize("weight", [1.0, 0.5, -0.75])
@pytest.mark.parametrize("kind", ["linear", "conv2d"])
@pytest.mark.parametrize("name", SCALED)
def test_product_equals_peft(name: str, kind: str, weight: float) -> None:
    """LoHa and LoKr at any weight are what PEFT, which rounds it to float32, merges."""
    config = SCALED[name]
    worn, bare = wear(config, kind)
    method = "hadamard" if name.startswith("loha") else "kronecker"
    change = change_of(method, parts_of(worn), scale=config.alpha / config.r)

    found = materialise(change, bare, stack_weight=weight)

    worn.set_scale("default", weight)
    torch.testing.assert_close(found, worn.get_delta_weight("default"), rtol=1e-9, atol=1e-9)
    assert found.abs().max() > 0.01


@pytest.mark.parametrize("kind", ["linear", "conv2d"])
@pytest.mark.parametrize("on_input", [False, True])
def test_scaling_equals_peft(kind: str, on_input: bool) -> None:
    """IA3 of inputs, or of outputs with their bias."""
    config = IA3Config(feedforward_modules=["layer"] if on_input else [], **TARGET)
    worn, bare = wear(config, kind)
    bias = worn.base_layer.bias.detach().clone()
    parts = {"weight": parts_of(worn)["ia3_l"] - 1}

    found = bare + materialise(change_of("ia3", parts, on_input=on_input), bare)
    moved = bias
    if not on_input:
        moved = bias + materialise(change_of("ia3", parts, parameter="bias"), bias)

    torch.testing.assert_close(found, merged(worn), rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(moved, worn.base_layer.bias, rtol=1e-9, atol=1e-9)
