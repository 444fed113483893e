# SPDX-License-Identifier: Apache-2.0
"""DoRA's magnitudes: what a slot stores of them, and how far they scale a row at any weight.

A DoRA gives the rows (or columns) of the changed weight `W0 + w BA` the lengths `m`. With
`n0 = |W0|^2`, `n1 = <W0, BA>` and `n2 = |BA|^2` per row, the scale at weight w is
`m / sqrt(n0 + 2 w n1 + w^2 n2)`. A slot stores `m / sqrt(n0) - 1`, `n1 / n0` and `n2 / n0`: zero
wherever nothing is scaled, so that empty rank rows are neutral. See docs/decisions/0010.
"""

from collections import OrderedDict

import torch
from torch import nn

from tabard_server.adapters.host_adapter import MAGNITUDE_ROWS, PackedLayer, wide
from tabard_server.adapters.slab_layout import LayerKey

_ADAPTERS_KEPT_MAX = 32


class MagnitudeCache:
    """Measures magnitudes against one base, and remembers: lengths of the base, last adapters.

    Of a base only its own lengths, of an adapter only what a slot stores. One thread.
    """

    def __init__(self) -> None:
        self._base: dict[tuple[LayerKey, str], torch.Tensor] = {}
        self._adapters: OrderedDict[str, dict[LayerKey, torch.Tensor]] = OrderedDict()

    def measure(
        self, packed: PackedLayer, *, key: LayerKey, layer: nn.Module, digest: str
    ) -> torch.Tensor:
        """Return the three vectors of a layer in the dtype of its tables; see `measure`.

        Args:
            packed: The layer's factors and magnitude, on the device of the weight.
            key: Name of the layer.
            layer: The base layer.
            digest: Which release they belong to.
        """
        known = self._adapters.setdefault(digest, {})
        self._adapters.move_to_end(digest)
        while len(self._adapters) > _ADAPTERS_KEPT_MAX:
            self._adapters.popitem(last=False)
        if key not in known:
            weight = layer.weight
            assert isinstance(weight, torch.Tensor)
            axis = packed.magnitude_axis
            if (key, axis) not in self._base:
                self._base[key, axis] = squares(weight, axis=axis)
            found = measure(packed, weight=weight, base_square=self._base[key, axis])
            known[key] = found.to(getattr(layer, "slot_up", weight).dtype)
        return known[key]


def squares(weight: torch.Tensor, *, axis: str) -> torch.Tensor:
    """Return the squared lengths of the rows (`outputs`) or columns (`inputs`) of a weight."""
    base = weight.flatten(1).to(wide(weight.dtype))
    if axis == "outputs":
        return base.square().sum(1)
    return _by_input(base.square().sum(0), weight.shape[1])


def measure(
    packed: PackedLayer, *, weight: torch.Tensor, base_square: torch.Tensor | None = None
) -> torch.Tensor:
    """Return the three vectors of a layer, `[3, in or out]`, in at least float32.

    Infinite or NaN where the base's own row or column is zero, and has no length to compare with.

    Args:
        packed: The layer's factors and magnitude, on the device of the weight.
        weight: The resident base weight, `[out, in]` or `[out, in, height, width]`.
        base_square: What `squares` gives for it, if that is known.
    """
    assert packed.magnitude is not None
    dtype = wide(weight.dtype)
    down, up, base = packed.down.to(dtype), packed.up.to(dtype), weight.flatten(1).to(dtype)
    if base_square is None:
        base_square = squares(weight, axis=packed.magnitude_axis)
    if packed.magnitude_axis == "outputs":
        cross = (up * (down @ base.T)).sum(0)
        square = (up * ((down @ down.T) @ up)).sum(0)
    else:
        inputs = weight.shape[1]
        cross = _by_input((down * (up @ base)).sum(0), inputs)
        square = _by_input((down * ((up @ up.T) @ down)).sum(0), inputs)
    length = packed.magnitude.to(dtype) / base_square.sqrt()
    return torch.stack([length - 1, cross / base_square, square / base_square])


def excesses(vectors: torch.Tensor, *, weight: torch.Tensor) -> torch.Tensor:
    """Return how far beyond 1 each adapter of a stack, and all after it, scale: `[rows, K, width]`.

    What an adapter adds is scaled by its own magnitude and by those worn after it.

    Args:
        vectors: What `measure` gave, gathered in the order of the stacks: `[rows, 3 * K, width]`.
        weight: The adapters' weights, `[rows, K, 1]`, in at least float32.
    """
    rows, _, width = vectors.shape
    parts = vectors.to(weight.dtype).view(rows, -1, MAGNITUDE_ROWS, width)
    length, cross, square = parts.unbind(2)
    norm = 1 + weight * (2 * cross + weight * square)
    scale = (1 + length) * norm.rsqrt()
    return scale.flip(1).cumprod(1).flip(1) - 1


def _by_input(columns: torch.Tensor, inputs: int) -> torch.Tensor:
    """Sum over the kernel."""
    return columns.view(inputs, -1).sum(1)
