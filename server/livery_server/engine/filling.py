# SPDX-License-Identifier: Apache-2.0
"""From an adapter's slab into the tables of the layers: one copy to the device, one within it.

In: a host adapter, the layers it changes, the rank rows that are its. Knows nothing of who
decides that.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from livery_server.adapters.packed import HostAdapter, LayerKey, PackedLayer
from livery_server.engine.layers import SlottedLayer
from livery_server.engine.magnitudes import measure


@torch.inference_mode()
def fill_layers(
    adapter: HostAdapter,
    *,
    layers: Mapping[LayerKey, SlottedLayer],
    ranks: tuple[int, ...],
    magnitudes: tuple[int, ...],
) -> bool:
    """Copy an adapter into rank rows that are zero; measure its magnitudes against the base.

    Returns:
        Whether all magnitudes are finite; if not, empty the rows again.
    """
    if adapter.slab is None:
        return True
    device = next(iter(layers.values())).slot_down.device
    staged = adapter.slab.to(device, non_blocking=True)
    targets: list[tuple[torch.Tensor, tuple[int, ...], torch.Tensor]] = []
    vectors: list[torch.Tensor] = []
    for key, packed in adapter.layers.items():
        layer, there = layers[key], _on_device(packed, staged=staged)
        rows = ranks[: there.down.shape[0]]
        targets += [(layer.slot_down, rows, there.down), (layer.slot_up, rows, there.up)]
        if there.magnitude is not None:
            found = measure(there, weight=layer.weight).to(layer.slot_up.dtype)
            vectors.append(found)
            is_output = there.magnitude_axis == "outputs"
            table = layer.slot_up if is_output else layer.slot_down[:, : found.shape[1]]
            targets.append((table, magnitudes, found))
    _copy_rows(targets)
    return not vectors or bool(torch.cat([v.isfinite().all().view(1) for v in vectors]).all())


@torch.inference_mode()
def empty_layers(layers: Sequence[SlottedLayer], *, rows: tuple[int, ...]) -> None:
    """Zero rank rows in these layers."""
    tables = [table for layer in layers for table in (layer.slot_down, layer.slot_up)]
    if not tables or not rows:
        return
    where = _where(rows, device=tables[0].device)
    if isinstance(where, slice):
        torch._foreach_zero_([table[where] for table in tables])
    else:
        for table in tables:
            table[where] = 0


def _on_device(packed: PackedLayer, *, staged: torch.Tensor) -> PackedLayer:
    """Return the same views, into the copy of the slab instead of the slab."""

    def view(host: torch.Tensor) -> torch.Tensor:
        start = host.storage_offset() * host.itemsize
        return staged[start : start + host.nbytes].view(host.dtype).view(host.shape)

    return PackedLayer(
        down=view(packed.down),
        up=view(packed.up),
        magnitude=None if packed.magnitude is None else view(packed.magnitude),
        magnitude_axis=packed.magnitude_axis,
    )


def _copy_rows(targets: Sequence[tuple[torch.Tensor, tuple[int, ...], torch.Tensor]]) -> None:
    """Copy all at once where rank rows lie side by side; else layer by layer."""
    side_by_side: list[tuple[torch.Tensor, torch.Tensor]] = []
    known: dict[tuple[int, ...], Any] = {}
    for table, rows, source in targets:
        if rows not in known:
            known[rows] = _where(rows, device=table.device)
        where = known[rows]
        if isinstance(where, slice):
            side_by_side.append((table[where], source))
        else:
            table[where] = source
    if side_by_side:
        torch._foreach_copy_([view for view, _ in side_by_side], [s for _, s in side_by_side])


def _where(rows: tuple[int, ...], *, device: torch.device) -> slice | torch.Tensor:
    """Return a slice where rank rows lie side by side."""
    if rows[-1] - rows[0] + 1 == len(rows):
        return slice(rows[0], rows[-1] + 1)
    return torch.tensor(rows, device=device)
