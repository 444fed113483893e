# SPDX-License-Identifier: Apache-2.0
"""Sums and products of parts equal the weights that PEFT itself merges, in float64."""

from typing import Any

import pytest
import torch
from peft import IA3Config, LoHaConfig, LoKrConfig
from torch.nn import functional

from tabard_server.engine.merged.change_parts import ChangeParts
from tabard_server.engine.merged.changes import materialise
from tabard_server.engine.merged.products import dense, glora, hadamard, kronecker, low_rank
from tabard_server.engine_port.errors import AdapterMismatch
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


def random(*shape: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def parts_for(base: torch.Tensor, **parts: torch.Tensor) -> ChangeParts:
    """Return the parts of a change of this parameter."""
    return ChangeParts(change_of("any", parts), base=base)


@pytest.mark.parametrize("kernel", [(), (3, 3)])
def test_low_rank_is_its_product(kernel: tuple[int, ...]) -> None:
    """`up @ down`, the kernel unrolled."""
    up, down = random(6, 2), random(2, 4, *kernel)

    found = low_rank(parts_for(random(6, 4, *kernel), up=up, down=down))

    torch.testing.assert_close(found, torch.einsum("or,ri...->oi...", up, down))


def test_core_stands_between_the_factors() -> None:
    """Tucker: a convolution through the core is the product of three."""
    up, down, core = random(6, 2), random(2, 4), random(2, 2, 3, 3)

    found = low_rank(parts_for(random(6, 4, 3, 3), up=up, down=down, mid=core))

    x = random(1, 4, 5, 5, seed=2)
    inner = functional.conv2d(x, down.view(2, 4, 1, 1))
    # The first axis of the core belongs to the outputs.
    expected = functional.conv2d(functional.conv2d(inner, core), up.view(6, 2, 1, 1))
    torch.testing.assert_close(functional.conv2d(x, found), expected)


def test_hadamard_multiplies_by_elements() -> None:
    """Two products, of ranks of their own."""
    parts = {"w1_a": random(6, 2), "w1_b": random(2, 4)}
    parts |= {"w2_a": random(6, 3, seed=2), "w2_b": random(3, 4, seed=2)}

    found = hadamard(parts_for(random(6, 4), **parts))

    first, second = (parts[f"w{n}_a"] @ parts[f"w{n}_b"] for n in (1, 2))
    torch.testing.assert_close(found, first * second)


def test_kronecker_repeats_its_right_side() -> None:
    """Every element of `w1` stands before a whole `w2`."""
    left, right = random(2, 3), random(4, 5, seed=2)

    found = kronecker(parts_for(random(8, 15), w1=left, w2=right))

    blocks = [torch.cat([value * right for value in row], dim=1) for row in left]
    torch.testing.assert_close(found, torch.cat(blocks))


def test_glora_turns_the_inputs() -> None:
    """`W a1 a2 + b1 b2`, with ranks that may differ."""
    base, a1, a2 = random(6, 4), random(4, 2), random(2, 4)
    b1, b2 = random(6, 3, seed=2), random(3, 4, seed=2)

    found = glora(parts_for(base, a1=a1, a2=a2, b1=b1, b2=b2))

    torch.testing.assert_close(found, base @ a1 @ a2 + b1 @ b2)


@pytest.mark.parametrize("shape", [(6, 4), (6, 4, 3, 3), (6,)])
def test_dense_is_what_it_is(shape: tuple[int, ...]) -> None:
    """A difference of any shape, however its axes lie."""
    diff = random(*shape)

    assert torch.equal(dense(parts_for(random(*shape, seed=2), diff=diff.flatten())), diff)


def test_kronecker_of_another_size_is_refused() -> None:
    """The size that comes out is named."""
    with pytest.raises(AdapterMismatch, match=r"\[8, 15\]"):
        kronecker(parts_for(random(8, 16), w1=random(2, 3), w2=random(4, 5)))
