# SPDX-License-Identifier: Apache-2.0
"""From an adapter's slab into the tables of the layers: one copy to the device, one within it.

In: a host adapter, the layers it changes, and which rank rows of their tables are its; the tables
are `slot_down [P, in * k]` and `slot_up [P, out]`, in the model's dtype. On the CPU a slab that is
mapped from a file is copied once, from the page cache. Knows nothing of who decides which rows.
"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import torch

from tabard_server.adapters.host_adapter import HostAdapter, SlabLayers
from tabard_server.adapters.slab_layout import LayerKey, SlabLayout
from tabard_server.engine.slots.magnitudes import MagnitudeCache
from tabard_server.engine.slots.slotted_layers import SlottedLayer

_RUNS_KEPT_MAX = 256
_WAYS_KEPT_MAX = 32
"""Ways from a slab into rank rows that are remembered: a few hundred small objects each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Way:
    """How the factors of a slab come into rank rows.

    Attributes:
        spans: First byte of each piece in the slab, and the one after its last.
        targets: Where each of these goes, seen as one row.
        windows: The bytes of the targets, where they lie in this process' own memory.
    """

    spans: list[tuple[int, int]]
    targets: list[torch.Tensor]
    windows: list[memoryview]


class Ways:
    """The ways into the tables of one component's layers, by layout and rank rows."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[SlabLayout, tuple[int, ...]], _Way] = OrderedDict()

    def find(
        self,
        layout: SlabLayout,
        *,
        layers: Mapping[LayerKey, SlottedLayer],
        ranks: tuple[int, ...],
    ) -> _Way:
        """Return the way of slabs of a layout into these rank rows."""
        key = (layout, ranks)
        way = self._kept.get(key)
        if way is None:
            way = _new_way(layout, layers=layers, ranks=ranks)
        self._kept[key] = way
        self._kept.move_to_end(key)
        while len(self._kept) > _WAYS_KEPT_MAX:
            self._kept.popitem(last=False)
        return way


@torch.inference_mode()
def fill_layers(
    adapter: HostAdapter,
    *,
    layers: Mapping[LayerKey, SlottedLayer],
    ranks: tuple[int, ...],
    magnitudes: tuple[int, ...],
    measured: MagnitudeCache | None = None,
    ways: Ways | None = None,
) -> bool:
    """Copy an adapter into rank rows that are zero; measure its magnitudes against the base.

    Args:
        adapter: What to copy: a slab, uint8 `[bytes]`, in which each layer sees `down
            [rank, in * k]` and `up [rank, out]` in the model's dtype.
        layers: The layers it changes, by its names for them.
        ranks: Rank rows of its factors, ascending; a layer of a smaller rank takes the first.
        magnitudes: Rank rows of its magnitudes, ascending: three, of whose table each takes `[in]`
            or `[out]` numbers as `magnitudes.measure` gives them; or none.
        measured: What was measured of this base before; None to measure anew.
        ways: What is known of earlier fills of the same layers; None to find it anew.

    Returns:
        Whether all magnitudes are finite; if not, empty the rows again.
    """
    if adapter.slab is None or not layers:
        return True
    layout = adapter.layout
    device = next(iter(layers.values())).slot_down.device
    slab = adapter.slab.to(device, non_blocking=True)
    _copy(slab, (ways or Ways()).find(layout, layers=layers, ranks=ranks), dtype=layout.dtype)
    if not adapter.magnitude_rows:
        return True
    there = adapter.layers if slab is adapter.slab else SlabLayers(layout, slab=slab)
    vectors = []
    for key, place in layout.layers.items():
        if place.magnitude is not None:
            layer = layers[key]
            found = (measured or MagnitudeCache()).measure(
                there[key], key=key, layer=layer, digest=adapter.digest
            )
            vectors.append(found)
            is_output = place.axis == "outputs"
            table = layer.slot_up if is_output else layer.slot_down[:, : found.shape[1]]
            for first, stop, at in _runs(magnitudes):
                table[first:stop].copy_(found if at is None else found[at : at + stop - first])
    return bool(torch.cat([v.isfinite().all().view(1) for v in vectors]).all())


@torch.inference_mode()
def empty_layers(layers: Sequence[SlottedLayer], *, rows: tuple[int, ...]) -> None:
    """Zero rank rows in both tables of these layers.

    Args:
        layers: On one device.
        rows: Numbers of rank rows, ascending, from 1 up: row 0 is zero always.
    """
    tables = [table for layer in layers for table in (layer.slot_down, layer.slot_up)]
    views = [table[first:stop] for first, stop, _ in _runs(rows) for table in tables]
    if views:
        torch._foreach_zero_(views)


@lru_cache(maxsize=_RUNS_KEPT_MAX)
def _runs(rows: tuple[int, ...]) -> tuple[tuple[int, int, int | None], ...]:
    """Cut ascending rank rows into runs that lie side by side.

    Returns:
        First rank row, the one after the last, and where the run begins among the rows; None where
        it is all of them.
    """
    if not rows:
        return ()
    breaks = [at for at, (left, right) in enumerate(pairwise(rows), start=1) if right > left + 1]
    ends = [*breaks, len(rows)]
    return tuple(
        (rows[begin], rows[end - 1] + 1, begin if breaks else None)
        for begin, end in zip([0, *breaks], ends, strict=True)
    )


def _new_way(
    layout: SlabLayout,
    *,
    layers: Mapping[LayerKey, SlottedLayer],
    ranks: tuple[int, ...],
) -> _Way:
    spans, targets = [], []
    for key, place in layout.layers.items():
        layer, rows = layers[key], ranks[: place.rank]
        for start, width, table in (
            (place.down, place.inputs, layer.slot_down),
            (place.up, place.outputs, layer.slot_up),
        ):
            row_bytes = width * layout.dtype.itemsize
            for first, stop, at in _runs(rows):
                begin = start + (at or 0) * row_bytes
                spans.append((begin, begin + (stop - first) * row_bytes))
                targets.append(table[first:stop].view(-1))
    windows = [_bytes_of(target) for target in targets if target.device.type == "cpu"]
    return _Way(spans=spans, targets=targets, windows=windows)


def _bytes_of(tensor: torch.Tensor) -> memoryview:
    return tensor.view(torch.uint8).numpy().data


def _copy(slab: torch.Tensor, way: _Way, *, dtype: torch.dtype) -> None:
    """Copy the pieces of a slab that lies on the device of the tables, which are of its dtype."""
    if way.windows:
        # There are hundreds of small copies, of each of which torch takes as long as of its bytes.
        content = _bytes_of(slab)
        for window, (start, stop) in zip(way.windows, way.spans, strict=True):
            window[:] = content[start:stop]
        return
    flat, itemsize = slab.view(dtype), dtype.itemsize
    pieces = [flat[start // itemsize : stop // itemsize] for start, stop in way.spans]
    torch._foreach_copy_(way.targets, pieces)
