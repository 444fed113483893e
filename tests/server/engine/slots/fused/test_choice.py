# SPDX-License-Identifier: Apache-2.0
"""Layers wear the kernel where it is sooner by a margin, and nowhere else."""

from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from tabard_server.adapters.host_adapter import HostAdapter
from tabard_server.engine.engine import Engine
from tabard_server.engine.load_engine import EngineSettings, load_engine
from tabard_server.engine.measures.passes import denoising
from tabard_server.engine.row import Row
from tabard_server.engine.slots.fused.choice import (
    TILES,
    TRIAL_SECONDS_MAX,
    TRIED_RANKS,
    FusedCall,
    Tiles,
    fuse_where_it_pays,
)
from tabard_server.engine.slots.slotted_layers import add_slots, is_slottable
from tabard_server.engine.slots.worn_rows import Binding
from tests.bases import make_tiny_base, write_kohya_lora
from tests.server.adapters.packing import pack_file
from tests.server.drawings import row_spec
from tests.server.engine.slots.fused.interpreted import interpreted_kernel
from tests.server.engine.slots.fused.worn_block import WornBlock


class Model(nn.Module):
    """Two linear layers of one kind, one of another, and two convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.other = nn.Linear(8, 8), nn.Linear(8, 8)
        self.wide = nn.Linear(8, 32, bias=False)
        self.pixel, self.kernel = nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 3, padding=1)
        for module in list(self.children()):
            assert is_slottable(module)
            add_slots(module, binding=Binding(), rank_rows=2)

    def forward(self) -> None:
        """One pass, as one row."""
        self.wide(self.other(self.one(torch.zeros(2, 3, 8))))
        self.kernel(self.pixel(torch.zeros(2, 4, 5, 5)))


@pytest.fixture
def model() -> Any:
    """Give a new one."""
    return Model().requires_grad_(False)


def _never(*_: object, **__: object) -> torch.Tensor:
    raise AssertionError("nobody calls it: the times are the test's own")


def _fuse(model: Any, times: Callable[[Callable[[], object]], float], **options: Any) -> int:
    return fuse_where_it_pays(
        model, model, rows=2, is_compiled=False, multiply=_never, seconds=times, **options
    )


def _is_plain(call: Callable[[], object]) -> bool:
    return getattr(call, "__name__", "") == "_plain"


def test_sooner_layers_are_fused(model: Any) -> None:
    """All linear layers and the 1x1 convolution, for every number of ranks that was tried."""
    fused = _fuse(model, lambda call: 1.0 if _is_plain(call) else 0.5)

    assert fused == 4
    sizes = {size for sizes in TRIED_RANKS.values() for size in sizes}
    for layer in (model.one, model.other, model.wide, model.pixel):
        assert set(layer.slot_fused) == sizes
    assert not model.kernel.slot_fused


def test_small_gain_is_none(model: Any) -> None:
    """What is as soon as the plain calls, or nearly, stays plain."""
    assert _fuse(model, lambda call: 1.0 if _is_plain(call) else 0.98) == 0
    assert not model.one.slot_fused


def test_soonest_tiles_are_worn(model: Any) -> None:
    """Each kind is tried with all of them."""
    turn = count()

    def times(call: Callable[[], object]) -> float:
        return 1.0 if _is_plain(call) else 0.5 - 0.1 * (next(turn) % len(TILES))

    _fuse(model, times)

    assert model.one.slot_fused[16].tiles == TILES[-1]


def test_trial_ends_in_time(model: Any) -> None:
    """The largest kinds come first; what was not tried in time stays plain."""
    clock = iter([0.0, 0.0, TRIAL_SECONDS_MAX]).__next__

    fused = _fuse(model, lambda call: 1.0 if _is_plain(call) else 0.5, clock=clock)

    # Of 8 x 8 there are two, of 8 x 32 there is one with more work than both.
    assert fused == 1
    assert model.wide.slot_fused


def test_plain_calls_are_those_of_the_layer() -> None:
    """What is timed beside the kernel gives what the kernel is to give."""
    found = []

    def times(call: Callable[[], torch.Tensor]) -> float:
        found.append(call())
        return 1.0

    def multiply(x: torch.Tensor, weight: torch.Tensor, bias: Any, **worn: Any) -> torch.Tensor:
        index, hidden = worn["index"], []
        for row, ranks in enumerate(index):
            down, up = worn["down"][ranks], worn["up"][ranks] * worn["strength"][row]
            hidden.append((x[row] @ down.T) @ up)
        return nn.functional.linear(x, weight, bias) + torch.stack(hidden)

    fuse_where_it_pays(
        Model().requires_grad_(False).one,
        lambda: None,
        rows=2,
        is_compiled=True,
        multiply=multiply,
        seconds=times,
    )
    model = Model().requires_grad_(False)
    fuse_where_it_pays(model, model, rows=2, is_compiled=True, multiply=multiply, seconds=times)

    group = 1 + len(TILES)
    for first in range(0, len(found), group):
        for fused in found[first + 1 : first + group]:
            torch.testing.assert_close(fused, found[first], atol=1e-3, rtol=1e-4)


def test_row_alone_stays_plain() -> None:
    """Without leave of the batch a layer never calls its kernel."""
    block = WornBlock("linear", rank=4)
    block.layer.slot_fused = {4: FusedCall(multiply=_never, tiles=TILES[0])}

    assert block.run(may_fuse=False).isfinite().all()
    with pytest.raises(AssertionError, match="nobody calls it"):
        block.run(may_fuse=True)


def test_numbers_of_tiles_come_back() -> None:
    """A graph's node knows numbers only."""
    for tiles in TILES:
        assert Tiles.of(tiles.numbers()) == tiles


@torch.inference_mode()
def test_mixed_batch_draws_the_same(tmp_path: Path) -> None:
    """Rows of an engine whose layers are all fused, beside the same rows of plain layers."""
    base = make_tiny_base(tmp_path / "base")
    engine = load_engine(EngineSettings(base=str(base), device="cpu", dtype="float32"))
    kernel, calls = interpreted_kernel(), count()

    def multiply(*arguments: Any, **worn: Any) -> torch.Tensor:
        next(calls)
        return kernel.multiply(*arguments, **worn)  # type: ignore[no-any-return]

    adapters = _adapters(engine, tmp_path)
    plain = _walk(engine, adapters)
    one = denoising(engine._base, side=8, device=torch.device("cpu"), dtype=torch.float32)
    fused_layers = fuse_where_it_pays(
        engine._base.network.module,
        one.run,
        rows=2,
        is_compiled=False,
        multiply=multiply,
        seconds=lambda call: 1.0 if _is_plain(call) else 0.5,
    )
    fused = _walk(engine, adapters)
    called = next(calls)
    alone = _walk(engine, adapters[:1])

    assert fused_layers > 20
    assert called > fused_layers
    assert next(calls) == called + 1, "a row alone called a kernel"
    for ours, theirs in zip(fused, plain, strict=True):
        assert (ours - theirs).abs().max() <= 1e-5 * theirs.abs().max()
    assert alone[0].shape == plain[0].shape


def _adapters(engine: Engine, folder: Path) -> list[HostAdapter]:
    files = [
        write_kohya_lora(Path(engine.source), folder / f"{seed}.safetensors", seed=seed, text=())
        for seed in (1, 2)
    ]
    return [
        pack_file(file, profile=engine.profile, folder=folder, dtype=torch.float32)
        for file in files
    ]


def _walk(engine: Engine, adapters: list[HostAdapter]) -> list[torch.Tensor]:
    # The interpreter takes its time by pixel.
    small = {"width": 32, "height": 32}
    specs = [row_spec(stack=((one, 0.8),), seed=seed, **small) for seed, one in enumerate(adapters)]
    rows = [row for row in engine.open_rows(specs) if isinstance(row, Row)]
    for _ in range(2):
        engine.step(rows)
    found = [row.latents.clone() for row in rows]
    for row in rows:
        engine.close_row(row)
    return found
