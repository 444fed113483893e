# SPDX-License-Identifier: Apache-2.0
"""What a batch gathers by: few small tensors, of few shapes."""

import random
from collections.abc import Iterator, Sequence

import pytest
import torch

from tabard_server.adapters.host_adapter import HostAdapter
from tabard_server.engine.slots import slotted_layers
from tabard_server.engine.slots.binding import GATHERED_BYTES_MAX, SlotStack, bind_rows, bucket
from tabard_server.engine.slots.slot_table import SlotTable
from tabard_server.engine.slots.worn_rows import Binding
from tests.server.engine.slots.slotted_block import RANK_ROWS, Block, adapter_for, slotted


@pytest.fixture(autouse=True)
def _fresh_compiler() -> Iterator[None]:
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


@pytest.mark.parametrize("blocks", [1, 3])
@pytest.mark.parametrize("axis", ["", "outputs", "inputs"])
def test_swaps_never_recompile(block: Block, axis: str, blocks: int) -> None:
    """Two hundred random swaps run one compiled graph, whatever the ranks and the layers."""
    binding, rng = Binding(), random.Random(5)
    layers = slotted(block, binding, has_tables=True)
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
            stacks=[
                [(slot, tuple(rng.uniform(-1, 1) for _ in range(blocks))) for slot in slots]
                for slots in held
            ],
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


@pytest.mark.parametrize(("count", "size"), [(0, 4), (4, 4), (5, 8), (1024, 1024), (1025, 1025)])
def test_bucket_is_the_next_larger(count: int, size: int) -> None:
    """Beyond the last there is no bucket, and everything fits all the same."""
    assert bucket(count) == size


def bound(table: SlotTable, *stacks: Sequence[tuple[HostAdapter, float]]) -> Binding:
    """Bind rows that wear these, one sample each."""
    binding = Binding()
    held = [table.acquire([adapter for adapter, _ in stack]) for stack in stacks]
    bind_rows(
        binding,
        stacks=[
            [(slot, (weight,)) for slot, (_, weight) in zip(slots, stack, strict=True)]
            for slots, stack in zip(held, stacks, strict=True)
        ],
        samples_per_row=1,
        device=torch.device("cpu"),
        dtype=torch.float32,
    )
    return binding


def test_rows_are_padded_by_the_zero_row(block: Block) -> None:
    """Each rank row has its adapter's weight; what fills up is row 0 at weight 0."""
    table = SlotTable(slotted(block, Binding()), rank_rows=RANK_ROWS)
    small, large = (adapter_for(block, name=str(n), rank=n, axis="") for n in (2, 3))

    worn = bound(table, [(small, 0.5), (large, -1.0)], [], [(large, 2.0)]).worn

    assert worn is not None
    assert worn.index.tolist() == [
        [1, 2, 3, 4, 5, 0, 0, 0],
        [0] * 8,
        [3, 4, 5, 0, 0, 0, 0, 0],
    ]
    weights = worn.weight.squeeze(2).tolist()
    assert weights == [[0.5] * 2 + [-1.0] * 3 + [0.0] * 3, [0.0] * 8, [2.0] * 3 + [0.0] * 5]
    assert worn.scaling is None


def test_ranks_are_scaled_by_what_comes_after(block: Block) -> None:
    """A rank row belongs to the first magnitude worn with it or after it, if there is one."""
    table = SlotTable(slotted(block, Binding()), rank_rows=RANK_ROWS)
    plain, later = (adapter_for(block, name=n, rank=1, axis="") for n in ("plain", "later"))
    one, other = (adapter_for(block, name=n, rank=1, axis="outputs") for n in ("one", "other"))

    worn = bound(table, [(plain, 1.0), (one, 0.5), (other, 2.0), (later, 1.0)]).worn

    assert worn is not None and worn.scaling is not None
    assert worn.scaling.share[0].tolist() == [[1, 0], [1, 0], [0, 1], [0, 0]]
    assert worn.scaling.weight.flatten().tolist() == [0.5, 2.0]
    assert (len(worn.scaling.outputs or ()), worn.scaling.inputs) == (2, frozenset())


def test_same_rows_are_bound_as_before(block: Block) -> None:
    """What a batch gathered is found again; at other weights it is another batch."""
    table = SlotTable(slotted(block, Binding()), rank_rows=RANK_ROWS)
    (slot,) = table.acquire([adapter_for(block, name="a", rank=2, axis="")])
    binding, seen = Binding(), []

    for weight in (1.0, 0.5, 1.0):
        bind_rows(
            binding,
            stacks=[[(slot, (weight,))]],
            samples_per_row=1,
            device=torch.device("cpu"),
            dtype=torch.float32,
        )
        seen.append(binding.worn)

    assert seen[0] is seen[2] is not seen[1]


@pytest.mark.parametrize("axis", ["", "outputs", "inputs"])
def test_what_is_not_kept_shares_memory(
    block: Block, axis: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Layers that gather into the same memory, one after the other, give the bits of those kept."""
    binding, seen = Binding(), []
    table = SlotTable(slotted(block, binding), rank_rows=RANK_ROWS)
    slots = table.acquire([adapter_for(block, name=n, rank=2, axis=axis) for n in ("a", "b")])
    stacks = [[(slots[0], (0.7,))], [(slots[1], (0.3,)), (slots[0], (1.0,))]]
    x = torch.randn(4, 4, 6, 6)

    for room, scratch in ((GATHERED_BYTES_MAX, 96 << 20), (0, 96 << 20), (0, 0)):
        monkeypatch.setattr(slotted_layers, "SCRATCH_BYTES_MAX", scratch)
        binding.kept.clear()
        binding.scratch.clear()
        bind_rows(
            binding,
            stacks=stacks,
            samples_per_row=2,
            device=torch.device("cpu"),
            dtype=torch.float32,
            gathered_bytes_max=room,
        )
        assert binding.worn is not None
        with torch.inference_mode():
            seen += [block(x), block(x)]
        assert bool(binding.worn.gathered) == bool(room)
        assert bool(binding.scratch) == (not room and bool(scratch))

    assert all(torch.equal(found, seen[0]) for found in seen)


def test_rows_dressed_alike_are_gathered_once(block: Block) -> None:
    """They are one row of more samples, and come out as each by itself."""
    binding, found = Binding(), []
    table = SlotTable(slotted(block, binding), rank_rows=RANK_ROWS)
    slots = table.acquire([adapter_for(block, name=n, rank=2, axis="outputs") for n in ("a", "b")])
    alike = [(slots[0], (0.7,)), (slots[1], (0.3,))]
    x = torch.randn(6, 4, 6, 6)

    for stacks in ([alike] * 3, [alike, alike, alike[:1]]):
        bind_rows(
            binding,
            stacks=stacks,
            samples_per_row=2,
            device=torch.device("cpu"),
            dtype=torch.float32,
        )
        assert binding.worn is not None
        with torch.inference_mode():
            found.append((len(binding.worn.index), block(x)))
        binding.clear()

    (once, together), (thrice, apart) = found
    assert (once, thrice) == (1, 3)
    torch.testing.assert_close(together[:4], apart[:4])
    assert not torch.allclose(together[4:], apart[4:])


@pytest.mark.parametrize("blocks", [1, 3])
def test_one_set_is_gathered_once(block: Block, blocks: int) -> None:
    """Rows of the same adapters, in any order at any weight, come out as each by itself."""
    binding, rng = Binding(), random.Random(3)
    table = SlotTable(slotted(block, binding), rank_rows=RANK_ROWS)
    slots = table.acquire([adapter_for(block, name=n, rank=3, axis="") for n in "abc"])
    stacks = [
        [(slot, tuple(rng.uniform(-1, 1) for _ in range(blocks))) for slot in rng.sample(slots, 3)]
        for _ in range(3)
    ]
    x = torch.randn(6, 4, 6, 6)

    def draw(x: torch.Tensor, stacks: list[SlotStack]) -> tuple[int, torch.Tensor]:
        bind_rows(binding, stacks=stacks, samples_per_row=2, device=x.device, dtype=x.dtype)
        assert binding.worn is not None
        gathered = len(binding.worn.index)
        with torch.inference_mode():
            found = block(x)
        binding.clear()
        return gathered, found

    rows, together = draw(x, stacks)
    alone = [draw(part, [stack])[1] for part, stack in zip(x.split(2), stacks, strict=True)]

    assert rows == 1
    torch.testing.assert_close(together, torch.cat(alone), rtol=1e-5, atol=1e-4)
    assert draw(x, [*stacks[:2], stacks[2][:2]])[0] == len(stacks)


def test_order_of_magnitudes_is_kept(block: Block) -> None:
    """Rows that wear the same magnitudes in another order are rows of their own."""
    binding = Binding()
    table = SlotTable(slotted(block, binding), rank_rows=RANK_ROWS)
    slots = table.acquire([adapter_for(block, name=n, rank=2, axis="outputs") for n in "ab"])
    stack = [(slot, (0.5,)) for slot in slots]

    bind_rows(
        binding,
        stacks=[stack, stack[::-1]],
        samples_per_row=1,
        device=torch.device("cpu"),
        dtype=torch.float32,
    )

    assert binding.worn is not None
    assert len(binding.worn.index) == len(binding.worn.weight) == 2
