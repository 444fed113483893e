# SPDX-License-Identifier: Apache-2.0
"""Graphs that are captured on CUDA, rehearsed on a CPU: eager serves until their kernels are there.

What compiles is a stand-in, but in the last test; what is traced is the UNet itself.
"""

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch._dynamo.utils import counters

from tabard_server.engine import engine as engine_module
from tabard_server.engine.base.loading import load_base
from tabard_server.engine.compiled import captured
from tabard_server.engine.compiled.build import build
from tabard_server.engine.compiled.builder import Builder, run_process
from tabard_server.engine.compiled.captured import CapturedGraphs, write_mark
from tabard_server.engine.compiled.folder import LibraryFolder
from tabard_server.engine.compiled.graph import PassShape
from tabard_server.engine.compiled.library import LibraryDamaged
from tabard_server.engine.compiled.order import BaseOrder, Order
from tabard_server.engine.compiled.passes import CompiledPasses
from tabard_server.engine.compiled.ways import captured_way
from tabard_server.engine.engine import Engine
from tabard_server.engine.row import Row
from tabard_server.engine.slots.worn_rows import WornRows
from tabard_server.engine_port.costs import CAPTURED, Compiled, Compiling
from tests.bases import make_tiny_base
from tests.server.drawings import row_spec
from tests.server.engine.compiled.conftest import RANK_ROWS, TOKENS, lay_down, until

SHAPE = PassShape(samples=2, height=8, width=8, tokens=TOKENS, rows=2, ranks=16)
CPU, SIDE = torch.device("cpu"), 64


@pytest.fixture
def traced(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Take PyTorch's tracer, and of its compiler nothing; say how many calls were in each trace."""
    sizes: list[int] = []

    def backend(graph: Any, _inputs: Any) -> Any:
        sizes.append(len(graph.graph.nodes))
        return graph.forward

    monkeypatch.setattr(captured, "_OPTIONS", {"backend": backend})
    # On CUDA no weights are packed.
    monkeypatch.setattr(engine_module, "can_pack", lambda **_told: False)
    torch._dynamo.reset()
    return sizes


class _Stage:
    """An engine on a CPU whose passes run captured graphs, as on CUDA."""

    def __init__(self, folder: Path, run: Any) -> None:
        base = load_base(str(make_tiny_base(folder / "base")))
        compiling = Compiling(root=folder / "compiled")
        self.engine = Engine(
            base, device=CPU, dtype=torch.float32, slot_rank_total=16, compiling=compiling
        )
        self._base, self._unet, self._root = base, base.network.module, compiling.root
        self.start(run)

    def start(self, run: Any) -> None:
        """Begin anew with what is kept."""
        denoiser = self.engine._denoiser
        config = {name: one for name, one in self._unet.config.items() if name[0] != "_"}
        order = BaseOrder(config=config, dtype="float32", rank_rows=17, compiler=CAPTURED)
        folder = LibraryFolder(self._root, key=order.key, bytes_max=1 << 20)
        denoiser._libraries = CompiledPasses(
            folder=folder,
            builder=Builder(order, folder=folder, run=run),
            tensors=dict,
            way=captured_way(self._unet, binding=denoiser.binding, dtype=torch.float32),
        )
        side = SIDE // self._base.latent_factor
        tokens = self._base.text_parts[0].tokenizer.model_max_length
        denoiser.warm((side, side), tokens=tokens, rows_max=1)

    @property
    def state(self) -> Compiled:
        """What status says."""
        found = self.engine.compiled
        assert found is not None
        return found

    def draw(self, *, is_deterministic: bool = False) -> torch.Tensor:
        """Draw one image of 64 pixels a side."""
        spec = row_spec(seed=3)
        object.__setattr__(spec, "is_deterministic", is_deterministic)
        (row,) = self.engine.open_rows([spec])
        assert isinstance(row, Row)
        while not row.is_done:
            self.engine.step([row])
        self.engine.close_row(row)
        return row.latents


def _mark(order: Order, scratch: Path) -> dict[str, float]:
    took = lay_down(order, scratch)
    write_mark(order.target, order.shape)
    return took


def test_eager_serves_until_it_is_compiled(tmp_path: Path, traced: list[int]) -> None:
    """Status counts what is compiled; then it runs and gives the same. Deterministic rows never."""
    may_go_on = threading.Event()

    def run(order: Order, scratch: Path) -> dict[str, float]:
        assert may_go_on.wait(60)
        return _mark(order, scratch)

    stage = _Stage(tmp_path, run)
    eager = stage.draw()
    assert (stage.state, traced) == (Compiled(waiting=2), [])

    may_go_on.set()
    until(lambda: stage.state.waiting == 0)
    stage.draw(is_deterministic=True)
    assert traced == []
    torch.testing.assert_close(stage.draw(), eager)
    assert (stage.state.ready, len(traced)) == (1, 1) and traced[0] > 100
    stage.draw()
    assert len(traced) == 1


def test_second_start_waits_for_nothing(tmp_path: Path, traced: list[int]) -> None:
    """What an earlier start has compiled is not ordered again, and runs from the first pass on."""
    stage = _Stage(tmp_path, _mark)
    until(lambda: stage.state.waiting == 0)
    eager = stage.draw(is_deterministic=True)

    def refuse(_order: Order, _scratch: Path) -> dict[str, float]:
        raise AssertionError("it is kept")

    stage.start(refuse)
    assert stage.state.waiting == 0
    torch.testing.assert_close(stage.draw(), eager)
    assert len(traced) == 1 and stage.state.failure == ""


def test_built_kernels_are_marked(unet: Any, tmp_path: Path, traced: list[int]) -> None:
    """The process traces the pass that the server runs, and leaves word of it."""
    build(_order(unet, tmp_path / "one.so"))
    graphs = CapturedGraphs(unet, binding=unet.tests_binding, dtype=torch.float32)

    graph = graphs.load(tmp_path / "one.so", {})
    found = graph.run(*_given(), None)

    assert graphs.load(tmp_path / "one.so", {}) is graph
    assert len(traced) == 2 and traced[0] == traced[1]
    torch.testing.assert_close(found, _eager(unet))


def test_damaged_mark_is_told(unet: Any, tmp_path: Path) -> None:
    """It is no reason to end a step."""
    path = tmp_path / "one.so"
    path.write_text('{"samples": 2}')
    graphs = CapturedGraphs(unet, binding=unet.tests_binding, dtype=torch.float32)

    with pytest.raises(LibraryDamaged, match="no mark"):
        graphs.load(path, {})


@pytest.mark.oracle
@pytest.mark.filterwarnings("ignore:`torch.jit.script_method`:DeprecationWarning")
def test_kernels_of_the_process_are_found(
    unet: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the real compiler: who comes after it traces, and compiles nothing again."""
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "inductor"))
    torch._dynamo.reset()
    run_process(_order(unet, tmp_path / "one.so"), tmp_path)
    graph = CapturedGraphs(unet, binding=unet.tests_binding, dtype=torch.float32).load(
        tmp_path / "one.so", {}
    )

    counters.clear()
    with torch.inference_mode():
        found = graph.run(*_given(), None)

    told = counters["aot_autograd"], counters["inductor"]
    assert (told[0]["autograd_cache_hit"], told[0]["autograd_cache_miss"]) == (1, 0), told
    assert told[1]["fxgraph_cache_miss"] == 0, told
    torch.testing.assert_close(found, _eager(unet), rtol=1e-4, atol=1e-5)


def _order(unet: Any, target: Path) -> Order:
    config: Mapping[str, Any] = {name: one for name, one in unet.config.items() if name[0] != "_"}
    base = BaseOrder(config=config, dtype="float32", rank_rows=RANK_ROWS, compiler=CAPTURED)
    return Order(base=base, shape=SHAPE, threads=1, target=target)


def _given() -> tuple[WornRows, torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    worn = WornRows(
        index=torch.arange(1, 17).expand(2, 16).contiguous(),
        weight=torch.full((2, 16, 1), 0.7),
        samples_per_row=1,
        active=None,
    )
    return (
        worn,
        torch.randn(2, 4, 8, 8, generator=generator),
        torch.tensor([500.0, 20.0]),
        torch.randn(2, TOKENS, 8, generator=generator),
    )


@torch.inference_mode()
def _eager(unet: Any) -> torch.Tensor:
    worn, latents, timesteps, text = _given()
    unet.tests_binding.worn = worn
    try:
        found: torch.Tensor = unet(
            latents, timesteps, encoder_hidden_states=text, return_dict=False
        )[0]
    finally:
        unet.tests_binding.clear()
    return found
