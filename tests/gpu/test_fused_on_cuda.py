# SPDX-License-Identifier: Apache-2.0
"""The fused kernel as Triton compiles it: the plain calls' numbers, in graphs too, at a start."""

import pytest
import torch

from tabard_server.engine.load_engine import EngineSettings, load_engine
from tabard_server.engine.slots.fused.choice import TILES, TRIED_RANKS, FusedCall
from tests.bases import make_tiny_base
from tests.server.engine.slots.fused.worn_block import LAYERS, WornBlock

pytestmark = pytest.mark.gpu

TOLERANCES = {torch.float32: 1e-5, torch.float16: 4e-3, torch.bfloat16: 3e-2}
"""Of the largest value: the plain calls round what they add to what the dtype can say."""
RANKS = [size for sizes in TRIED_RANKS.values() for size in sizes]


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("dtype", TOLERANCES, ids=str)
@pytest.mark.parametrize("rank", RANKS)
def test_kernel_equals_plain_calls(name: str, dtype: torch.dtype, rank: int) -> None:
    """Every kind of layer, dtype and number of ranks, cut in every way."""
    from tabard_server.engine.slots.fused.kernel import multiply  # noqa: PLC0415 - needs Triton

    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    block = WornBlock(name, rank=rank, dtype=dtype, device="cuda")
    plain = block.run(may_fuse=False)

    for tiles in TILES:
        block.layer.slot_fused = {rank: FusedCall(multiply=multiply, tiles=tiles)}
        fused = block.run(may_fuse=True)
        assert (fused - plain).abs().max() <= TOLERANCES[dtype] * plain.abs().max()


def test_kernel_is_captured() -> None:
    """A captured graph replays it for another adapter."""
    from tabard_server.engine.slots.fused.kernel import multiply  # noqa: PLC0415 - needs Triton

    block = WornBlock("linear", rank=16, dtype=torch.float16, device="cuda")
    plain = [block.run(may_fuse=False, turn=turn) for turn in range(2)]
    block.layer.slot_fused = {16: FusedCall(multiply=multiply, tiles=TILES[0])}
    graph = torch.compile(block.forward, fullgraph=True, dynamic=False, mode="reduce-overhead")

    for _ in range(3):
        block.run(may_fuse=True, forward=graph)
    with torch.compiler.set_stance("fail_on_recompile"):
        fused = [block.run(may_fuse=True, turn=turn, forward=graph) for turn in range(2)]

    for one, other in zip(fused, plain, strict=True):
        assert (one - other).abs().max() <= 4e-3 * other.abs().max()


def test_start_tries_every_kind(tmp_path_factory: pytest.TempPathFactory) -> None:
    """An engine on CUDA begins with what it measured, whatever that is."""
    base = make_tiny_base(tmp_path_factory.mktemp("base") / "tiny")

    engine = load_engine(EngineSettings(base=str(base), device="cuda", dtype="float16"))

    assert engine.fused_layers >= 0
