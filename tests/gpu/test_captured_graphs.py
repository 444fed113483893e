# SPDX-License-Identifier: Apache-2.0
"""Compiled and captured on a CUDA device: swaps and merges replay the graphs of the first few."""

import random
import time

import pytest
import torch
from torch._dynamo.utils import counters

from tabard_server.adapters.host_adapter import HostAdapter, PackedLayer, lay_out
from tabard_server.engine.engine import Engine
from tabard_server.engine.load_engine import EngineSettings, load_engine
from tabard_server.engine.row import Row
from tabard_server.engine_port.costs import Compiling
from tests.bases import make_tiny_base
from tests.server.drawings import row_spec

pytestmark = pytest.mark.gpu

SWAPS = 1_000
COMPILER_SECONDS_MAX = 240.0


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    base = make_tiny_base(tmp_path_factory.mktemp("base") / "tiny")
    settings = EngineSettings(
        base=str(base),
        device="cuda",
        dtype="float16",
        compiling=Compiling(root=base.parent / "compiled"),
    )
    return load_engine(settings)


def _lora(engine: Engine, *, seed: int) -> HostAdapter:
    dice, generator = random.Random(seed), torch.Generator().manual_seed(seed)
    layers = {
        ("unet", name): PackedLayer(
            down=0.1 * torch.randn(4, shape.inputs * shape.kernel[0] * shape.kernel[1]),
            up=0.1 * torch.randn(4, shape.outputs, generator=generator),
        )
        for name, shape in engine.profile.modules["unet"].items()
        if dice.random() < 0.5
    }
    return lay_out(layers, digest=f"sha256:{seed}", dtype=torch.float16, is_pinned=True)


def _open(engine: Engine, adapters: list[HostAdapter]) -> list[Row]:
    specs = [
        row_spec(stack=((adapter, 0.8),), seed=number) for number, adapter in enumerate(adapters)
    ]
    rows = [row for row in engine.open_rows(specs) if isinstance(row, Row)]
    assert len(rows) == len(specs)
    return rows


def _walk(engine: Engine, adapters: list[HostAdapter], *, is_merged: bool) -> None:
    rows = _open(engine, adapters)
    while not rows[0].is_done:
        engine.step(rows, is_merged=is_merged)
    for row in rows:
        engine.close_row(row)
    engine.slots.evict_idle()


def _await_compiler(engine: Engine) -> None:
    """Wait for the process beside; it leaves what the next passes trace."""
    deadline = time.monotonic() + COMPILER_SECONDS_MAX
    while (found := engine.compiled) is not None and found.waiting:
        assert time.monotonic() < deadline, "it takes too long"
        time.sleep(0.2)
    assert found is not None and not found.failure, found


def test_swaps_record_no_graph(engine: Engine) -> None:
    """A thousand swaps, merged ones among them: no graph is traced and none captured again."""
    dice = random.Random(1)
    adapters = [_lora(engine, seed=n) for n in range(8)]
    for _ in ("what orders them", "what traces and captures them"):
        for number, adapter in enumerate(adapters * 2):
            _walk(engine, [adapter] * 2, is_merged=number % 2 == 0)
        _await_compiler(engine)
    torch.cuda.synchronize()
    before = torch.cuda.memory_allocated()
    counters.clear()

    with torch.compiler.set_stance("fail_on_recompile"):
        for number in range(SWAPS // 3):
            one, other = dice.choices(adapters, k=2)
            is_merged = number % 4 == 0
            _walk(engine, [one, one if is_merged else other], is_merged=is_merged)

    torch.cuda.synchronize()
    assert not counters["inductor"].get("cudagraph_recorded_non_static_inputs")
    assert not counters["inductor"].get("cudagraph_skips")
    assert engine.compiled is not None and engine.compiled.ready >= 2
    assert torch.cuda.memory_allocated() <= 1.01 * before


def test_switch_of_residents_costs_no_copy(engine: Engine) -> None:
    """Rows that change what they wear between steps fill nothing when it is resident."""
    adapters = [_lora(engine, seed=n) for n in range(4)]
    with engine.slots.held(adapters):
        loads = engine.slots.loads
        for number in range(8):
            _walk(engine, [adapters[number % 4]] * 2, is_merged=False)
        assert engine.slots.loads == loads
