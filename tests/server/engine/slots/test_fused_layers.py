# SPDX-License-Identifier: Apache-2.0
"""Layers wear the kernel where it is sooner by a margin, and nowhere else."""

from collections.abc import Callable
from itertools import count
from typing import Any

import pytest
import torch
from torch import nn

from tabard_server.engine.slots.fused_layers import (
    TILES,
    TRIAL_SECONDS_MAX,
    TRIED_RANKS,
    FusedCall,
    Tiles,
    fuse_where_it_pays,
)
from tabard_server.engine.slots.slotted_layers import add_slots, is_slottable
from tabard_server.engine.slots.worn_rows import Binding
from tests.server.engine.slots.worn_block import WornBlock


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
