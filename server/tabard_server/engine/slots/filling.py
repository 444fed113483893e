# SPDX-License-Identifier: Apache-2.0
"""From an adapter's slab into the tables of the layers: one copy to the device, one within it.

In: a host adapter, the layers it changes, and which rank rows of their tables are its; the tables
are `slot_down [P, in * k]` and `slot_up [P, out]`, in the model's dtype. On the CPU a slab that is
mapped from a file is copied once, from the page cache. Knows nothing of who decides which rows.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise

import torch

from tabard_server.adapters.host_adapter import HostAdapter, LayerKey, PackedLayer
from tabard_server.engine.slots.magnitudes import MagnitudeCache
from tabard_server.engine.slots.slotted_layers import SlottedLayer

_RUNS_KEPT_MAX = 256


@torch.inference_mode()
def fill_layers(
    adapter: HostAdapter,
    *,
    layers: Mapping[LayerKey, SlottedLayer],
    ranks: tuple[int, ...],
    magnitudes: tuple[int, ...],
    measured: MagnitudeCache | None = None,
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

    Returns:
        Whether all magnitudes are finite; if not, empty the rows again.
    """
    if adapter.slab is None:
        return True
    measured = measured or MagnitudeCache()
    view = _viewer(adapter.slab, device=next(iter(layers.values())).slot_down.device)
    targets: list[torch.Tensor] = []
    sources: list[torch.Tensor] = []
    vectors: list[torch.Tensor] = []

    def copy(source: torch.Tensor, table: torch.Tensor, rows: tuple[int, ...]) -> None:
        for first, stop, at in _runs(rows):
            targets.append(table[first:stop])
            sources.append(source if at is None else source[at : at + stop - first])

    for key, packed in adapter.layers.items():
        layer, rows = layers[key], ranks[: packed.down.shape[0]]
        down, up = view(packed.down), view(packed.up)
        copy(down, layer.slot_down, rows)
        copy(up, layer.slot_up, rows)
        if packed.magnitude is not None:
            there = PackedLayer(
                down=down,
                up=up,
                magnitude=view(packed.magnitude),
                magnitude_axis=packed.magnitude_axis,
            )
            found = measured.measure(there, key=key, layer=layer, digest=adapter.digest)
            vectors.append(found)
            is_output = packed.magnitude_axis == "outputs"
            table = layer.slot_up if is_output else layer.slot_down[:, : found.shape[1]]
            copy(found, table, magnitudes)
    torch._foreach_copy_(targets, sources)
    return not vectors or bool(torch.cat([v.isfinite().all().view(1) for v in vectors]).all())


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


def _viewer(slab: torch.Tensor, *, device: torch.device) -> Callable[[torch.Tensor], torch.Tensor]:
    """Copy a slab of bytes to the device; return what finds there what a view shows of it here."""
    if slab.device == device:
        return lambda host: host
    staged = slab.to(device, non_blocking=True)
    by_dtype: dict[torch.dtype, torch.Tensor] = {}

    def view(host: torch.Tensor) -> torch.Tensor:
        if host.dtype not in by_dtype:
            whole = staged.numel() // host.itemsize * host.itemsize
            by_dtype[host.dtype] = staged[:whole].view(host.dtype)
        return by_dtype[host.dtype].as_strided(host.shape, host.stride(), host.storage_offset())

    return view
