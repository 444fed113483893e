# SPDX-License-Identifier: Apache-2.0
"""Filling slots: one slab, no new shapes, nothing left behind."""

import random
from collections.abc import Iterator, Sequence

import pytest
import torch
from torch import nn

from tabard_server.adapters.host_adapter import HostAdapter, NotRepresentable, PackedLayer, lay_out
from tabard_server.engine.slots.binding import bind_rows
from tabard_server.engine.slots.slot_table import SlotTable, table_rows
from tabard_server.engine.slots.slotted_layers import Binding, SlottedLayer, add_slots

RANK_ROWS = 41


class Block(nn.Module):
    """A convolution and a linear layer, one after the other."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(4, 6, 3, stride=2, padding=1)
        self.linear = nn.Linear(6, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return `[batch, pixels, 8]`."""
        return self.linear(self.conv(x).flatten(2).transpose(1, 2))  # type: ignore[no-any-return]


def slotted(block: Block, binding: Binding) -> dict[tuple[str, str], SlottedLayer]:
    """Give both layers slots."""
    return {
        ("unet", name): add_slots(getattr(block, name), binding=binding, rank_rows=RANK_ROWS)
        for name in ("conv", "linear")
    }


def adapter_for(
    block: Block,
    *,
    name: str,
    rank: int,
    axis: str,
    parts: Sequence[str] = ("conv", "linear"),
) -> HostAdapter:
    """Random factors on these layers."""
    layers = {}
    for part in parts:
        weight = getattr(block, part).weight
        width = {"outputs": weight.shape[0], "inputs": weight.shape[1]}.get(axis)
        layers["unet", part] = PackedLayer(
            down=torch.randn(rank, weight[0].numel()),
            up=torch.randn(rank, weight.shape[0]),
            magnitude=None if width is None else 1 + torch.rand(width),
            magnitude_axis=axis,
        )
    return lay_out(layers, digest=name)


@pytest.fixture
def block() -> Block:
    torch.manual_seed(3)
    return Block().requires_grad_(False)


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


def test_slab_holds_every_tensor(block: Block) -> None:
    """All layers are views of one buffer, aligned, of the bytes that are counted."""
    adapter = adapter_for(block, name="a", rank=3, axis="outputs")

    assert adapter.slab is not None
    start, stop = adapter.slab.data_ptr(), adapter.slab.data_ptr() + adapter.slab.nbytes
    views = [view for layer in adapter.layers.values() for view in layer.tensors()]
    assert len(views) == 6
    assert all(start <= view.data_ptr() < stop and view.data_ptr() % 16 == 0 for view in views)
    assert adapter.resident_bytes == adapter.slab.nbytes
    assert (adapter.rank, adapter.rank_rows) == (3, 6)


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


def test_number_beyond_float16_is_refused(block: Block) -> None:
    """A factor that float16 cannot say is never worn as infinity."""
    packed = PackedLayer(down=torch.ones(1, 6), up=torch.ones(1, 8) * 1e5)

    with pytest.raises(NotRepresentable, match="float16"):
        lay_out({("unet", "linear"): packed}, digest="a", dtype=torch.float16)


def test_small_scales_survive_float16() -> None:
    """Magnitudes are compared with the base's lengths before they are rounded."""
    torch.manual_seed(1)
    layer = nn.Linear(64, 48).half().requires_grad_(False)
    lengths = layer.weight.float().norm(dim=1)
    magnitude = lengths * (1 + torch.randn(48) * 1e-3)
    packed = PackedLayer(
        down=torch.randn(2, 64) * 1e-3,
        up=torch.randn(2, 48) * 1e-3,
        magnitude=magnitude,
        magnitude_axis="outputs",
    )
    key = ("unet", "linear")
    worn = add_slots(layer, binding=Binding(), rank_rows=9)
    table = SlotTable({key: worn}, rank_rows=9)

    (slot,) = table.acquire([lay_out({key: packed}, digest="a", dtype=torch.float16)])

    stored = worn.slot_up[slot.magnitudes[0]].float()
    torch.testing.assert_close(stored, magnitude / lengths - 1, rtol=2e-3, atol=2e-6)
