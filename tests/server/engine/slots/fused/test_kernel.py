# SPDX-License-Identifier: Apache-2.0
"""The kernel gives what the layer's plain calls give, under Triton's interpreter on the CPU."""

from typing import Any

import pytest
import torch

from tabard_server.engine.slots.fused.choice import FusedCall, Tiles
from tests.server.engine.slots.fused.interpreted import interpreted_kernel
from tests.server.engine.slots.fused.worn_block import LAYERS, WornBlock

TOLERANCE = 1e-6
TILES = Tiles(pixels=16, outputs=32, inputs=16, warps=4, stages=1)


@pytest.fixture(scope="module")
def kernel() -> Any:
    """Triton's interpreter runs it."""
    return interpreted_kernel()


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("rank", [4, 16, 64])
def test_kernel_equals_plain_calls(name: str, rank: int, kernel: Any) -> None:
    """Rows of different adapters, samples and sizes that fill no tile."""
    block = WornBlock(name, rank=rank)
    plain = block.run(may_fuse=False)

    block.layer.slot_fused = {rank: FusedCall(multiply=kernel.multiply, tiles=TILES)}
    fused = block.run(may_fuse=True)

    assert fused.shape == plain.shape
    assert (fused - plain).abs().max() <= TOLERANCE * plain.abs().max()
    assert not torch.equal(plain, block.bare())


def test_one_node_of_a_graph(kernel: Any) -> None:
    """A compiled layer calls the kernel without a break, and another adapter is no new graph."""
    block = WornBlock("linear", rank=16)
    plain = [block.run(may_fuse=False, turn=turn) for turn in range(2)]
    block.layer.slot_fused = {16: FusedCall(multiply=kernel.multiply, tiles=TILES)}
    graph = torch.compile(block.forward, fullgraph=True, dynamic=False, backend="aot_eager")

    block.run(may_fuse=True, forward=graph)
    with torch.compiler.set_stance("fail_on_recompile"):
        fused = [block.run(may_fuse=True, turn=turn, forward=graph) for turn in range(2)]

    for one, other in zip(fused, plain, strict=True):
        assert (one - other).abs().max() <= TOLERANCE * other.abs().max()


def test_nan_stays_in_its_row(kernel: Any) -> None:
    """A row gathers its own rank rows and nobody else's."""
    block = WornBlock("linear", rank=4)
    plain = block.run(may_fuse=False)
    block.layer.slot_down[block.ranks_of(row=0)[0]] = torch.nan
    block.layer.slot_fused = {4: FusedCall(multiply=kernel.multiply, tiles=TILES)}

    fused = block.run(may_fuse=True)

    assert fused[: block.samples].isnan().any()
    assert (fused - plain)[block.samples :].abs().max() <= TOLERANCE * plain.abs().max()
