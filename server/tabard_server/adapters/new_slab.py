# SPDX-License-Identifier: Apache-2.0
"""Makes the one piece of memory in which all of an adapter lies, and a view for each tensor.

Shapes and dtypes in, a slab and its views out. Knows nothing of adapters.
"""

from collections.abc import Sequence

import torch

_ALIGNMENT_BYTES = 16

Piece = tuple[torch.Tensor, torch.dtype, float]
"""What is copied into a slab, as which dtype, and what it is multiplied with."""


def new_slab(
    pieces: Sequence[Piece], *, is_pinned: bool
) -> tuple[torch.Tensor | None, list[torch.Tensor]]:
    """Make a slab, and a view for each piece; what lies between them is zero."""
    if not pieces:
        return None, []
    starts, stop = [], 0
    for piece, dtype, _ in pieces:
        starts.append(_aligned(stop))
        stop = starts[-1] + piece.numel() * dtype.itemsize
    slab = torch.empty(_aligned(stop), dtype=torch.uint8, pin_memory=is_pinned)
    # There are hundreds: one call for each view, through one tensor of each dtype.
    flat = {dtype: slab.view(dtype) for dtype in {dtype for _, dtype, _ in pieces}}
    views = []
    for (piece, dtype, _), start, end in zip(pieces, starts, [*starts[1:], len(slab)], strict=True):
        shape, stride = piece.shape, _dense_strides(piece.shape)
        views.append(flat[dtype].as_strided(shape, stride, start // dtype.itemsize))
        stop = start + piece.numel() * dtype.itemsize
        if stop < end:
            # Slabs are kept on disk: no bytes of other things may lie between the views.
            slab[stop:end] = 0
    return slab, views


def _dense_strides(shape: Sequence[int]) -> list[int]:
    strides = [1]
    for size in reversed(shape[1:]):
        strides.insert(0, strides[0] * size)
    return strides[: len(shape)]


def _aligned(size_bytes: int) -> int:
    return -(-size_bytes // _ALIGNMENT_BYTES) * _ALIGNMENT_BYTES
