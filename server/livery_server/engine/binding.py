# SPDX-License-Identifier: Apache-2.0
"""From each row's rank rows to the two small tensors that a batch gathers by.

In: per row, lists of rank rows and weights. Out: a bound `Binding`. The rank axis is padded with
the zero row to a fixed bucket, so that shapes are few. Knows nothing of slots or rows.
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

import torch

from livery_server.engine.layers import Binding

RANK_BUCKETS = (4, 8, 16, 32, 64, 128, 256, 512, 1024)


def rank_bucket(ranks: int) -> int:
    """Return the smallest bucket that holds so many rank rows."""
    for bucket in RANK_BUCKETS:
        if ranks <= bucket:
            return bucket
    return ranks


def bind_rows(
    binding: Binding,
    *,
    ranks: Sequence[Sequence[int]],
    weights: Sequence[Sequence[float]],
    samples_per_row: int,
    active: AbstractSet[int],
    device: torch.device,
    dtype: torch.dtype,
) -> None:
    """Bind rows to their rank rows until the binding is cleared.

    Args:
        binding: The component's binding.
        ranks: Rank rows of each row.
        weights: Their weights, of the same lengths.
        samples_per_row: Adjacent samples that share a row's adapters.
        active: `id()`s of the layers that any of these adapters changes.
        device: Where the tables lie.
        dtype: Dtype of the model.
    """
    if not active:
        binding.clear()
        return
    width = rank_bucket(max(len(row) for row in ranks))
    index = torch.tensor([[*row, *[0] * (width - len(row))] for row in ranks])
    weight = torch.tensor([[[*row, *[0.0] * (width - len(row))]] for row in weights], dtype=dtype)
    if device.type == "cuda":
        index, weight = index.pin_memory(), weight.pin_memory()
    binding.bind(
        index=index.to(device, non_blocking=True),
        weight=weight.to(device, non_blocking=True),
        samples_per_row=samples_per_row,
        active=active,
    )
