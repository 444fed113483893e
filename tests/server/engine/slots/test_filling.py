# SPDX-License-Identifier: Apache-2.0
"""From a slab into the tables, whatever rank rows are free; magnitudes are measured once."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from tabard_server.adapters.host_adapter import HostAdapter, PackedLayer, lay_out
from tabard_server.engine.slots.filling import Ways, empty_layers, fill_layers
from tabard_server.engine.slots.magnitudes import MagnitudeCache, measure
from tabard_server.engine.slots.slotted_layers import SlottedLayer, add_slots
from tabard_server.engine.slots.worn_rows import Binding

KEY = ("unet", "one")
ROWS = 12


def slotted() -> SlottedLayer:
    """Make a layer with slots, its weights known."""
    torch.manual_seed(0)
    return add_slots(nn.Linear(6, 5), binding=Binding(), rank_rows=ROWS, has_tables=True)


def adapter(*, rank: int, axis: str = "") -> HostAdapter:
    """Make an adapter of noise."""
    torch.manual_seed(rank)
    magnitude = torch.rand({"inputs": 6, "outputs": 5}[axis]) + 1 if axis else None
    layer = PackedLayer(
        down=torch.randn(rank, 6),
        up=torch.randn(rank, 5),
        magnitude=magnitude,
        magnitude_axis=axis,
    )
    return lay_out({KEY: layer}, digest=f"{axis}{rank}")


@given(st.sets(st.integers(1, ROWS - 1), min_size=1).map(sorted))
def test_any_free_rows_hold_an_adapter(rows: list[int]) -> None:
    """Side by side or scattered: its rows hold it, all others stay zero, and emptying undoes it."""
    layer, worn = slotted(), adapter(rank=len(rows))
    others = [row for row in range(ROWS) if row not in rows]

    fill_layers(worn, layers={KEY: layer}, ranks=tuple(rows), magnitudes=())

    assert torch.equal(layer.slot_down[rows], worn.layers[KEY].down)
    assert torch.equal(layer.slot_up[rows], worn.layers[KEY].up)
    assert not layer.slot_down[others].any()
    assert not layer.slot_up[others].any()
    empty_layers([layer], rows=tuple(rows))
    assert not layer.slot_down.any()
    assert not layer.slot_up.any()


@given(st.lists(st.sampled_from([(1, 2, 3), (2, 3, 5), (4,), (1, 3)]), min_size=2, max_size=6))
def test_known_way_leads_to_the_same_rows(turns: list[tuple[int, ...]]) -> None:
    """Filled again by what is kept, into any rows in any order: the same bits as the first time."""
    layer, ways = slotted(), Ways()
    for turn, rows in enumerate(turns):
        torch.manual_seed(turn)
        packed = PackedLayer(down=torch.randn(len(rows), 6), up=torch.randn(len(rows), 5))
        worn = lay_out({KEY: packed}, digest=str(turn))

        fill_layers(worn, layers={KEY: layer}, ranks=rows, magnitudes=(), ways=ways)

        assert torch.equal(layer.slot_down[list(rows)], packed.down)
        assert torch.equal(layer.slot_up[list(rows)], packed.up)
        others = [row for row in range(ROWS) if row not in rows]
        assert not layer.slot_down[others].any() and not layer.slot_up[others].any()
        empty_layers([layer], rows=rows)


@pytest.mark.parametrize("axis", ["inputs", "outputs"])
def test_known_lengths_change_no_number(axis: str) -> None:
    """The second filling reads the base no more, and puts the same bits there."""
    layer, worn, known = slotted(), adapter(rank=2, axis=axis), MagnitudeCache()
    table = layer.slot_up if axis == "outputs" else layer.slot_down
    plain = measure(worn.layers[KEY], weight=layer.weight)

    found = []
    for _ in range(2):
        fill_layers(worn, layers={KEY: layer}, ranks=(1, 2), magnitudes=(4, 5, 6), measured=known)
        found.append(table[4:7].clone())
        empty_layers([layer], rows=(1, 2, 4, 5, 6))
        with torch.no_grad():
            layer.weight.fill_(float("nan"))

    assert torch.equal(found[0], plain)
    assert torch.equal(found[1], plain)


@pytest.mark.parametrize("axis", ["inputs", "outputs"])
def test_lengths_of_the_base_are_shared(axis: str) -> None:
    """Another adapter is measured by what is known of the base, and comes out as it would alone."""
    layer, known = slotted(), MagnitudeCache()
    for worn in (adapter(rank=2, axis=axis), adapter(rank=3, axis=axis)):
        packed = worn.layers[KEY]

        found = known.measure(packed, key=KEY, layer=layer, digest=worn.digest)

        assert torch.equal(found, measure(packed, weight=layer.weight))
    assert len(known._base) == 1


def test_old_adapters_are_forgotten() -> None:
    """What it remembers is bounded."""
    layer, known = slotted(), MagnitudeCache()
    packed = adapter(rank=2, axis="outputs").layers[KEY]

    for number in range(100):
        known.measure(packed, key=KEY, layer=layer, digest=str(number))

    assert len(known._adapters) == 32
