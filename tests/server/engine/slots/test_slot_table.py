# SPDX-License-Identifier: Apache-2.0
import weakref
from collections.abc import Mapping
from unittest.mock import Mock

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from tabard_server.adapters.host_adapter import HostAdapter, PackedLayer, lay_out
from tabard_server.engine.slots import slot_table
from tabard_server.engine.slots.slot_table import SlotTable, table_rows
from tabard_server.engine.slots.slotted_layers import SlottedLayer, add_slots
from tabard_server.engine.slots.worn_rows import Binding
from tabard_server.engine_port.errors import AdapterMismatch, SlotsExhausted
from tests.server.engine.slots.slotted_block import RANK_ROWS, Block, adapter_for, slotted

KEYS = (("unet", "one"), ("unet", "two"))


def _layers(rank_rows: int) -> Mapping[tuple[str, str], SlottedLayer]:
    binding = Binding()
    return {key: add_slots(nn.Linear(3, 5), binding=binding, rank_rows=rank_rows) for key in KEYS}


def _adapter(name: str, *, rank: int, keys: tuple[tuple[str, str], ...] = KEYS) -> HostAdapter:
    value = float(sum(name.encode()))
    layers = {
        key: PackedLayer(down=torch.full((rank, 3), value), up=torch.full((rank, 5), value))
        for key in keys
    }
    return lay_out(layers, digest=name)


def _assert_tables_are_true(
    table: SlotTable, layers: Mapping[tuple[str, str], SlottedLayer]
) -> None:
    """Assert that each resident's rank rows hold its own value, and free rows hold zero."""
    owned: set[int] = set()
    for slot in table._slots.values():
        value = float(sum(slot.digest.encode()))
        for layer in slot.layers:
            assert (layer.slot_down[list(slot.ranks)] == value).all()
        assert not owned & set(slot.ranks)
        owned |= set(slot.ranks)
    free = [row for row in range(table.capacity + 1) if row not in owned]
    for layer in layers.values():
        assert (layer.slot_down[free] == 0).all()
        assert (layer.slot_up[free] == 0).all()


def test_slot_keeps_nothing_of_what_it_was_filled_from() -> None:
    """Else the bound of host memory would be none: slots hold what host memory let go."""
    table = SlotTable(_layers(9), rank_rows=9)
    adapter = _adapter("a", rank=4)
    seen = weakref.ref(adapter.layers[KEYS[0]].down)

    table.acquire([adapter])
    del adapter

    assert seen() is None
    assert [resident.leases for resident in table.residents()] == [1]


def test_resident_adapter_is_not_reloaded() -> None:
    """The second acquire of an adapter copies nothing."""
    table = SlotTable(_layers(9), rank_rows=9)
    adapter = _adapter("a", rank=4)

    with table.held([adapter]), table.held([adapter]):
        pass

    assert (table.loads, table.hits) == (1, 1)


def test_least_recently_used_leaves_first() -> None:
    """Room is made by evicting the idle adapter that was used longest ago."""
    table = SlotTable(_layers(9), rank_rows=9)
    a, b, c = (_adapter(name, rank=4) for name in "abc")
    for adapter in (a, b, a):
        with table.held([adapter]):
            pass

    with table.held([c]):
        pass

    assert [use.digest for use in table.residents()] == ["a", "c"]


def test_worn_adapter_is_never_evicted() -> None:
    """When everything is worn, a newcomer is told so and nothing is lost."""
    layers = _layers(9)
    table = SlotTable(layers, rank_rows=9)

    with table.held([_adapter("a", rank=4)]), table.held([_adapter("b", rank=4)]):
        newcomer = _adapter("c", rank=1)
        assert not table.can_hold([newcomer])
        with pytest.raises(SlotsExhausted):
            table.acquire([newcomer])
        _assert_tables_are_true(table, layers)


def test_subset_of_layers_leaves_rest_zero() -> None:
    """An adapter of fewer layers after one of more leaves no trace of the first."""
    layers = _layers(5)
    table = SlotTable(layers, rank_rows=5)
    with table.held([_adapter("a", rank=4)]):
        pass

    with table.held([_adapter("b", rank=4, keys=KEYS[:1])]):
        _assert_tables_are_true(table, layers)
        assert (layers[KEYS[1]].slot_down == 0).all()


def test_foreign_layer_is_refused() -> None:
    """An adapter for a layer or width the base lacks is refused before anything is copied."""
    layers = _layers(9)
    table = SlotTable(layers, rank_rows=9)
    wide = PackedLayer(down=torch.ones(1, 4), up=torch.ones(1, 5))
    bad_width = lay_out({KEYS[0]: wide}, digest="w")

    for adapter in (_adapter("x", rank=1, keys=(("unet", "three"),)), bad_width):
        with pytest.raises(AdapterMismatch):
            table.acquire([adapter])

    _assert_tables_are_true(table, layers)
    assert table.residents() == []


def test_rank_above_all_slots_is_refused() -> None:
    """A rank that can never fit is an error, not an endless wait."""
    table = SlotTable(_layers(5), rank_rows=5)

    with pytest.raises(SlotsExhausted, match="rank 9"):
        table.acquire([_adapter("a", rank=9)])


@settings(max_examples=60)
@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 2)), max_size=40))
def test_random_histories_keep_tables_true(history: list[tuple[str, int]]) -> None:
    """Whatever is acquired and released, each slot holds its own weights and free rows are zero."""
    ranks = {"a": 1, "b": 2, "c": 3, "d": 4, "e": 5, "f": 7}
    layers = _layers(11)
    table = SlotTable(layers, rank_rows=11)
    held = []
    for name, action in history:
        adapter = _adapter(name, rank=ranks[name])
        if action < 2 and table.can_hold([adapter]):
            held += table.acquire([adapter])
        elif held:
            table.release(held.pop(0))
        _assert_tables_are_true(table, layers)


def test_scattered_rank_rows_are_filled_too(block: Block) -> None:
    """When no free rank rows lie side by side, the slot is scattered and just as right."""
    binding = Binding()
    layers = slotted(block, binding)
    table = SlotTable(layers, rank_rows=RANK_ROWS)
    small = [adapter_for(block, name=f"s{n}", rank=4, axis="") for n in range(10)]
    held = [table.acquire([adapter])[0] for adapter in small]
    for slot in held[::2]:
        table.release(slot)
    wide = adapter_for(block, name="wide", rank=11, axis="outputs")

    (worn,) = table.acquire([wide])

    rows = list(worn.ranks)
    assert rows[-1] - rows[0] >= len(rows)
    for key, packed in wide.layers.items():
        assert torch.equal(layers[key].slot_down[rows], packed.down)
        assert torch.equal(layers[key].slot_up[rows], packed.up)
        assert layers[key].slot_up[list(worn.magnitudes)].any()
    for slot in (worn, *held[1::2]):
        table.release(slot)
    table.evict_idle()
    assert not any(layer.slot_down.any() or layer.slot_up.any() for layer in layers.values())


def test_forgotten_release_leaves_its_slot(block: Block) -> None:
    """Not while a row wears it; afterwards at once, and its rank rows are free and zero."""
    layers = slotted(block, Binding())
    table = SlotTable(layers, rank_rows=RANK_ROWS)
    (slot,) = table.acquire([adapter_for(block, name="a", rank=2, axis="")])

    assert not table.forget(slot.digest)
    table.release(slot)
    assert table.forget(slot.digest) and table.forget("unknown")

    assert table.residents() == []
    assert not any(layer.slot_down.any() for layer in layers.values())


def test_neighbouring_rank_rows_are_preferred(block: Block) -> None:
    """A slot takes rows side by side where there are such, though lower ones are free."""
    table = SlotTable(slotted(block, Binding()), rank_rows=RANK_ROWS)
    first, second = (adapter_for(block, name=n, rank=2, axis="") for n in "ab")
    (one,), (_,) = table.acquire([first]), table.acquire([second])
    table.release(one)
    table.evict_idle()

    (slot,) = table.acquire([adapter_for(block, name="c", rank=4, axis="")])

    assert slot.ranks == (5, 6, 7, 8)


def test_admitted_stack_of_scaled_adapters_fits(block: Block) -> None:
    """Eight adapters whose ranks fill the slots fit with all their magnitudes."""
    rank_rows = table_rows(40)
    binding = Binding()
    layers = {
        ("unet", name): add_slots(getattr(block, name), binding=binding, rank_rows=rank_rows)
        for name in ("conv", "linear")
    }
    table = SlotTable(layers, rank_rows=rank_rows)
    stack = [adapter_for(block, name=str(n), rank=5, axis="outputs") for n in range(8)]

    with table.held(stack) as slots:
        assert not table.can_hold([adapter_for(block, name="more", rank=1, axis="")])

    assert len({row for slot in slots for row in (*slot.ranks, *slot.magnitudes)}) == 8 * 8


def test_tables_take_memory_at_first_need() -> None:
    """Of a layer that no adapter changes they take none; those that were needed stay."""
    layers = _layers(RANK_ROWS)
    table = SlotTable(layers, rank_rows=RANK_ROWS)
    full = RANK_ROWS * (3 + 5) * 4

    assert _taken(layers) == [8, 8]
    table.acquire([_adapter("a", rank=4, keys=KEYS[:1])])
    assert _taken(layers) == [full, 8]
    _assert_tables_are_true(table, layers)

    table.release(next(iter(table._slots.values())))
    table.evict_idle()
    table.acquire([_adapter("b", rank=2)])
    assert _taken(layers) == [full, full]
    _assert_tables_are_true(table, layers)


def test_tables_that_do_not_fit_leave_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory that is not to be had is told, and the next adapter finds the slots as they were."""
    layers = _layers(9)
    table = SlotTable(layers, rank_rows=9)
    with monkeypatch.context() as patch, pytest.raises(MemoryError):
        patch.setattr(slot_table, "make_tables", Mock(side_effect=[None, MemoryError]))
        table.acquire([_adapter("a", rank=4)])

    assert table.residents() == []
    table.acquire([_adapter("b", rank=8)])
    _assert_tables_are_true(table, layers)


def test_what_is_asked_often_is_kept() -> None:
    """Bytes, idle rank rows and who lies here, whatever has come and gone."""
    table = SlotTable(_layers(9), rank_rows=9)
    a, b, c = (_adapter(name, rank=4) for name in "abc")

    with table.held([a]), table.held([b]):
        assert not table.can_hold([c])
    assert table.can_hold([c])
    # What is worn again is not also room for another.
    assert not table.can_hold([a, b, c])
    with table.held([c]):
        pass

    assert ("a" in table, "b" in table, "c" in table) == (False, True, True)
    assert table.resident_bytes == sum(use.bytes for use in table.residents())
    table.evict_idle()
    assert (table.resident_bytes, "c" in table) == (0, False)


def _taken(layers: Mapping[tuple[str, str], SlottedLayer]) -> list[int]:
    """Return the bytes that the tables of each layer take."""
    return [
        sum(table.untyped_storage().nbytes() for table in (layer.slot_down, layer.slot_up))
        for layer in layers.values()
    ]
