# SPDX-License-Identifier: Apache-2.0
"""From each row's stack of slots to the few small tensors that a batch gathers by.

In: per row, slots and weights in the order of its stack; those of a slot are one for all blocks, or
one for each. Out: a bound `Binding`; a batch that was bound a moment ago is bound again as it was.
The rank axis is padded with the zero row to a fixed bucket, and so is that of magnitudes: shapes
are few.
"""

from collections.abc import Sequence

import torch

from tabard_server.adapters.host_adapter import MAGNITUDE_ROWS, wide
from tabard_server.engine.sending import send
from tabard_server.engine.slots.slot_table import Slot
from tabard_server.engine.slots.worn_rows import (
    KEPT_BATCHES,
    SCRATCH_BYTES_MAX,
    Binding,
    Scaling,
    WornRows,
)
from tabard_server.engine_port.weights.strength import BlockWeights

SlotStack = Sequence[tuple[Slot, BlockWeights]]
"""What one row wears, in order."""

RANK_BUCKETS = (4, 8, 16, 32, 64, 128, 256, 512, 1024)
COMPILED_RANK_BUCKETS = (16, 64, 256, 1024)
"""Fewer sizes for a compiled model, of which each is a graph."""
MAGNITUDE_BUCKETS = (1, 2, 4, 8)
_DIMENSIONS = 3
GATHERED_BYTES_MAX = 512 << 20
"""Gathered factors that a component keeps for batches that step again, scratch included."""


def bucket(count: int, *, buckets: Sequence[int] = RANK_BUCKETS) -> int:
    """Return the smallest bucket that holds so many."""
    return next((size for size in buckets if count <= size), count)


def bind_rows(
    binding: Binding,
    *,
    stacks: Sequence[SlotStack],
    samples_per_row: int,
    device: torch.device,
    dtype: torch.dtype,
    is_everywhere: bool = False,
    rank_buckets: Sequence[int] = RANK_BUCKETS,
    gathered_bytes_max: int = GATHERED_BYTES_MAX,
    may_fuse: bool = False,
) -> None:
    """Bind rows to what they wear until the binding is cleared.

    Rows must keep their slots leased from one pass to the next; what a slot holds is told by its
    adapter's digest.

    Args:
        binding: The component's binding.
        stacks: What each row wears. Of R rank rows at most in one stack, padded to a bucket, come
            `index [rows, R]` in int64 and `weight [rows, R, 1]` in the model's dtype, of B blocks
            `[B, rows, R, 1]`; of K magnitudes, padded likewise, those of `Scaling`. Rows that wear
            the same adapters have one row of `index`.
        samples_per_row: Adjacent samples that share a row's adapters.
        device: Where the tables lie.
        dtype: Dtype of the model.
        is_everywhere: Let every layer gather, whichever the adapters change: for a compiled model,
            to which a swap is then no new graph.
        rank_buckets: Sizes that the rank axis is padded to.
        gathered_bytes_max: Bytes that may be kept for batches that step again, and for scratch.
        may_fuse: Whether layers may make product and delta in one kernel.
    """
    if not is_everywhere and _wear_one_set(stacks):
        # Rows that wear the same adapters are one row of more samples: gathered once, larger
        # products. Where they wear them at weights of their own, the layers weigh what is between.
        stacks = _in_one_order(stacks)
        weighed = stacks if len(set(_key(stacks))) > 1 else []
        samples_per_row, stacks = samples_per_row * len(stacks), stacks[:1]
    else:
        weighed = []
    key = (_key(weighed or stacks), samples_per_row, is_everywhere, may_fuse)
    if key in binding.kept:
        binding.wear(binding.kept[key], key=key)
        return
    active = frozenset[int]().union(*(slot.active for stack in stacks for slot, _ in stack))
    if not active:
        binding.clear()
        return
    ranks = [[rank for slot, _ in stack for rank in slot.ranks] for stack in stacks]
    size = bucket(max(map(len, ranks)), buckets=rank_buckets)
    counts = [
        [(len(slot.ranks), weights) for slot, weights in stack] for stack in weighed or stacks
    ]
    worn = WornRows(
        index=binding.index_of([[*row, *[0] * (size - len(row))] for row in ranks], device=device),
        weight=send(_weights(counts, size=size, dtype=dtype), device),
        samples_per_row=samples_per_row,
        is_weighed_between=bool(weighed),
        active=None if is_everywhere else active,
        scaling=_scaling(
            stacks, ranks=size, device=device, dtype=dtype, is_everywhere=is_everywhere
        ),
        may_fuse=may_fuse and not weighed,
        room_bytes=max(0, gathered_bytes_max - SCRATCH_BYTES_MAX) // KEPT_BATCHES,
    )
    binding.wear(worn, key=key)


def _wear_one_set(stacks: Sequence[SlotStack]) -> bool:
    """Say whether all rows wear the same slots, each once, in an order that does not matter.

    A magnitude scales what comes before it, so a stack of several has its order.
    """
    if len(set(_key(stacks))) == 1:
        return True
    worn = [slot for slot, _ in stacks[0]]
    return not any(slot.magnitudes for slot in worn) and all(
        len(stack) == len(worn) == len({*worn, *(slot for slot, _ in stack)}) for stack in stacks
    )


def _in_one_order(stacks: Sequence[SlotStack]) -> list[SlotStack]:
    """Return stacks of the same slots, each in the order of the first."""
    if len(set(_key(stacks))) == 1:
        return list(stacks)
    place = {id(slot): n for n, (slot, _) in enumerate(stacks[0])}
    return [sorted(stack, key=lambda one: place[id(one[0])]) for stack in stacks]


def _key(stacks: Sequence[SlotStack]) -> tuple[object, ...]:
    """Say what rows wear and where it lies."""
    return tuple(
        tuple((slot.digest, slot.ranks, slot.magnitudes, weights) for slot, weights in stack)
        for stack in stacks
    )


def _scaling(
    stacks: Sequence[SlotStack],
    *,
    ranks: int,
    device: torch.device,
    dtype: torch.dtype,
    is_everywhere: bool,
) -> Scaling | None:
    worn = [[(slot, weights) for slot, weights in stack if slot.magnitudes] for stack in stacks]
    size = max(map(len, worn))
    if size == 0:
        return None
    size = bucket(size, buckets=MAGNITUDE_BUCKETS)
    index = torch.tensor(
        [
            _padded([r for slot, _ in row for r in slot.magnitudes], MAGNITUDE_ROWS * size)
            for row in worn
        ]
    )
    weight = _weights(
        [[(1, weights) for _, weights in row] for row in worn], size=size, dtype=wide(dtype)
    )
    if weight.dim() > _DIMENSIONS:
        # The zero row scales nothing: a block that has the weight 0 does not wear the magnitude.
        is_worn = _weights(
            [[(1, _worn_in(weights)) for _, weights in row] for row in worn],
            size=size,
            dtype=torch.int64,
        )
        index = index * is_worn.squeeze(3).repeat_interleave(MAGNITUDE_ROWS, 2)
    share = torch.zeros(len(stacks), ranks, size, dtype=dtype)
    for row, stack in enumerate(stacks):
        _share_out(share[row], stack)
    scaled = {
        axis: frozenset[int]().union(*(slot.scaled[axis] for row in worn for slot, _ in row))
        for axis in ("inputs", "outputs")
    }
    return Scaling(
        index=send(index.flatten(-2), device),
        weight=send(weight, device),
        share=send(share, device),
        outputs=None if is_everywhere and scaled["outputs"] else scaled["outputs"],
        inputs=None if is_everywhere and scaled["inputs"] else scaled["inputs"],
    )


def _share_out(share: torch.Tensor, stack: SlotStack) -> None:
    """Point every rank row at the first magnitude worn with it or after it.

    Args:
        share: Zeros `[R, K]`, written in place.
        stack: What the row wears.
    """
    magnitude = rank = 0
    count = sum(bool(slot.magnitudes) for slot, _ in stack)
    for slot, _ in stack:
        if magnitude < count:
            share[rank : rank + len(slot.ranks), magnitude] = 1
        rank += len(slot.ranks)
        magnitude += bool(slot.magnitudes)


def _weights(
    rows: Sequence[Sequence[tuple[int, BlockWeights]]], *, size: int, dtype: torch.dtype
) -> torch.Tensor:
    """Return weights `[rows, size, 1]`, each repeated as often as is said; of blocks `[B, …]`."""
    blocks = max((len(weights) for row in rows for _, weights in row), default=1)
    if blocks == 1:
        flat = [[weights[0] for count, weights in row for _ in range(count)] for row in rows]
        return torch.tensor([_padded(row, size) for row in flat], dtype=dtype).unsqueeze(2)
    found = torch.zeros(blocks, len(rows), size, 1, dtype=dtype)
    for number, row in enumerate(rows):
        at = 0
        for count, weights in row:
            found[:, number, at : at + count] = torch.tensor(weights, dtype=dtype).view(-1, 1, 1)
            at += count
    return found


def _worn_in(weights: BlockWeights) -> BlockWeights:
    """Return 1 for each block that wears a magnitude; one weight for all keeps it even at 0."""
    return tuple(1.0 if weight or len(weights) == 1 else 0.0 for weight in weights)


def _padded(values: Sequence[float], size: int) -> list[float]:
    return [*values, *[0] * (size - len(values))]
