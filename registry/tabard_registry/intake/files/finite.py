# SPDX-License-Identifier: Apache-2.0
"""Whether numbers are numbers: looks at the bits of weights, in pieces that fit into a cache.

Bytes in, a truth out. Nothing is widened and nothing grows with the size of the file.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_PIECE_BYTES = 1 << 17
_INFINITY: dict[str, tuple[np.dtype[Any], int]] = {
    "F16": (np.dtype("<u2"), 0xF800),
    "BF16": (np.dtype("<u2"), 0xFF00),
    "F32": (np.dtype("<u4"), 0xFF000000),
}
"""Per type: an integer of its width, and the bits of infinity once the sign is shifted out."""
_FLOAT32_MAX = float(np.finfo(np.float32).max)


def are_finite(content: NDArray[np.uint8], *, dtype: str) -> bool:
    """Whether bytes hold neither NaN nor infinity, and nothing that float32 cannot say.

    Args:
        content: The bytes of any number of weights.
        dtype: `F16`, `BF16`, `F32` or `F64`.
    """
    pieces = (content[at : at + _PIECE_BYTES] for at in range(0, content.size, _PIECE_BYTES))
    if dtype == "F64":
        return all(_fit_float32(piece.view(np.dtype("<f8"))) for piece in pieces)
    kind, infinity = _INFINITY[dtype]
    room = np.empty(_PIECE_BYTES // kind.itemsize, dtype=kind)
    return all(_peak(piece.view(kind), room=room) < infinity for piece in pieces)


def _peak(bits: NDArray[Any], *, room: NDArray[Any]) -> int:
    """Return the largest number's bits without its sign: larger numbers have larger bits."""
    return int(np.left_shift(bits, 1, out=room[: bits.size]).max())


def _fit_float32(found: NDArray[Any]) -> bool:
    return bool((np.abs(found) <= _FLOAT32_MAX).all())
