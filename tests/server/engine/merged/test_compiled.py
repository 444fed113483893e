# SPDX-License-Identifier: Apache-2.0
"""Wearing a merged copy, leaving it and merging another stack never make a new graph."""

import random
from collections.abc import Iterator

import pytest
import torch
from torch import nn

from tabard_server.engine.merged.merged_copy import MergedWeights
from tabard_server.engine.slots.slotted_layers import add_slots
from tabard_server.engine.slots.worn_rows import Binding
from tests.server.engine.merged.random_changes import adapter, copy_of, dense, pair


class Block(nn.Module):
    """A convolution, a norm and a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(4, 6, 3, stride=2, padding=1)
        self.norm = nn.LayerNorm(6)
        self.linear = nn.Linear(6, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return `[batch, pixels, 8]`."""
        hidden = self.norm(self.conv(x).flatten(2).transpose(1, 2))
        return self.linear(hidden)  # type: ignore[no-any-return]


@pytest.fixture(autouse=True)
def _fresh_compiler() -> Iterator[None]:
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


@pytest.fixture(params=["plain", "slotted"])
def block(request: pytest.FixtureRequest) -> Block:
    torch.manual_seed(3)
    block = Block().double().requires_grad_(False)
    if request.param == "slotted":
        binding = Binding()
        for layer in (block.conv, block.linear):
            add_slots(layer, binding=binding, rank_rows=9)
    return block


def merge_random(merged: MergedWeights, block: Block, rng: random.Random) -> None:
    """Merge a stack that changes any of the layers."""
    names = rng.sample(["conv", "linear"], rng.randrange(3))
    layers = {name: pair(getattr(block, name).weight, rank=rng.randrange(1, 5)) for name in names}
    changes = [dense("norm.weight", block.norm.weight), dense("linear.bias", block.linear.bias)]
    made = adapter(str(rng.random()), layers, changes[: rng.randrange(3)])
    merged.merge([(made, rng.uniform(-1, 1))])


def test_merging_never_recompiles(block: Block) -> None:
    """A hundred stacks, worn and taken off in turn, run the graphs of the first round."""
    rng, merged = random.Random(5), copy_of(block)
    compiled = torch.compile(block, backend="eager", fullgraph=True, dynamic=False)
    x = torch.randn(2, 4, 6, 6, dtype=torch.float64)
    guard = torch.compiler.set_stance("default")
    outcomes = set[float]()

    for number in range(100):
        with torch.inference_mode():
            merge_random(merged, block, rng)
        if number == 1:
            guard = torch.compiler.set_stance("fail_on_recompile")
        with guard, torch.inference_mode():
            bare = compiled(x)
            torch.testing.assert_close(bare, block(x), rtol=0, atol=0)
            with merged.wearing("unet"):
                worn = compiled(x)
                torch.testing.assert_close(worn, block(x), rtol=0, atol=0)
        outcomes.add(float((worn - bare).abs().sum()))

    assert len(outcomes) > 80
