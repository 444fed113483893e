# SPDX-License-Identifier: Apache-2.0
"""What a batch gathers by: few small tensors, of few shapes."""

import random
from collections.abc import Iterator

import pytest
import torch

from tabard_server.engine.slots.binding import bind_rows
from tabard_server.engine.slots.slot_table import SlotTable
from tabard_server.engine.slots.slotted_layers import Binding
from tests.server.engine.slots.slotted_block import RANK_ROWS, Block, adapter_for, slotted


@pytest.fixture(autouse=True)
def _fresh_compiler() -> Iterator[None]:
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


@pytest.mark.parametrize("axis", ["", "outputs", "inputs"])
def test_swaps_never_recompile(block: Block, axis: str) -> None:
    """Two hundred random swaps run one compiled graph, whatever the ranks and the layers."""
    binding, rng = Binding(), random.Random(5)
    layers = slotted(block, binding)
    table = SlotTable(layers, rank_rows=RANK_ROWS)
    adapters = [
        adapter_for(block, name=str(n), rank=rng.choice([5, 6, 7, 8]), axis=axis, parts=parts)
        for n, parts in enumerate([["conv"], ["linear"], ["conv", "linear"]] * 3)
    ]
    compiled = torch.compile(block, backend="eager", fullgraph=True, dynamic=False)
    x = torch.randn(4, 4, 6, 6)
    guard = torch.compiler.set_stance("default")

    for number in range(200):
        stacks = [[rng.choice(adapters)] for _ in range(2)]
        held = [table.acquire(stack) for stack in stacks]
        bind_rows(
            binding,
            stacks=[[(slot, rng.uniform(-1, 1)) for slot in slots] for slots in held],
            samples_per_row=2,
            device=x.device,
            dtype=x.dtype,
            is_everywhere=True,
        )
        if number == 1:
            guard = torch.compiler.set_stance("fail_on_recompile")
        with guard, torch.no_grad():
            found = compiled(x)
            torch.testing.assert_close(found, block(x), rtol=0, atol=0)
        binding.clear()
        for slot in (slot for slots in held for slot in slots):
            table.release(slot)

    assert table.loads > 50
