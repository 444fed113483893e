# SPDX-License-Identifier: Apache-2.0
"""Changes of PEFT's methods equal the weights that PEFT itself merges, in float64."""

from typing import Any
from unittest import mock

import pytest
import torch
from peft import BOFTConfig, IA3Config, LoHaConfig, LoKrConfig, OFTConfig, get_peft_model
from peft.tuners.boft import layer as peft_boft
from torch import nn

from tabard_server.engine.merged.changes import materialise
from tests.server.engine.merged.random_changes import change_of

TARGET: dict[str, Any] = {"target_modules": ["layer"]}
SCALED: dict[str, Any] = {
    "loha": LoHaConfig(r=2, alpha=3, **TARGET),
    "loha cores": LoHaConfig(r=2, alpha=3, use_effective_conv2d=True, **TARGET),
    "lokr": LoKrConfig(r=2, alpha=3, **TARGET),
    "lokr cores": LoKrConfig(r=1, alpha=3, use_effective_conv2d=True, **TARGET),
    "lokr both": LoKrConfig(r=1, alpha=3, decompose_both=True, **TARGET),
    "lokr whole": LoKrConfig(r=30, alpha=3, **TARGET),
}


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
@pytest.mark.parametrize("is_shared", [False, True])
@pytest.mark.parametrize("terms", [0, 1, 2, 3, 4, 5, 8])
def test_rotation_of_inputs_equals_peft(kind: str, is_shared: bool, terms: int) -> None:
    """OFT, exact or by any number of terms of its series, its blocks shared or not."""
    config = OFTConfig(
        r=0,
        oft_block_size=4,
        use_cayley_neumann=terms > 0,
        num_cayley_neumann_terms=terms,
        block_share=is_shared,
        **TARGET,
    )
    worn, bare = wear(config, kind)
    packed = worn.oft_R["default"].weight.detach()
    blocks = torch.zeros(len(packed), 4, 4, dtype=torch.float64)
    blocks[:, *torch.triu_indices(4, 4, 1)] = packed

    change = change_of("oft", {"blocks": blocks}, on_input=True, terms=float(terms))
    found = bare + materialise(change, bare)

    torch.testing.assert_close(found, merged(worn), rtol=1e-9, atol=1e-9)
    assert (found - bare).abs().max() > 0.01 or terms == 1


class _BlocksOnCpu:
    """What PEFT compiles for CUDA: matrices along the diagonal, stage by stage."""

    @staticmethod
    def apply(blocks: torch.Tensor) -> torch.Tensor:
        return torch.stack([torch.block_diag(*stage) for stage in blocks])


@pytest.mark.parametrize("kind", ["linear", "conv2d"])
@pytest.mark.parametrize("stages", [1, 2, 3])
def test_butterfly_of_inputs_equals_peft(kind: str, stages: int) -> None:
    """BOFT of one stage or more; PEFT keeps twice the blocks and lengths of the outputs."""
    config = BOFTConfig(boft_block_size=4, boft_n_butterfly_factor=stages, **TARGET)
    with (
        mock.patch.object(peft_boft, "get_fbd_cuda", lambda: True),
        mock.patch.object(peft_boft, "FastBlockDiag", _BlocksOnCpu, create=True),
    ):
        worn, bare = wear(config, kind)
        parts = parts_of(worn)
        halves = {"blocks": parts["boft_R"] / 2, "rescale": parts["boft_s"]}

        found = bare + materialise(change_of("boft", halves, on_input=True), bare)

        assert len(parts["boft_R"]) == stages
        torch.testing.assert_close(found, merged(worn), rtol=1e-9, atol=1e-9)


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
