# SPDX-License-Identifier: Apache-2.0
"""Slots: where adapters lie on the device, ready for any row of any batch.

Every slotted layer has tables of P rank rows. A slot is a set of rank rows, the same in every
layer, that holds one adapter of that rank; so memory follows rank, a stack of adapters is the
concatenation of its slots, and a swap is a handful of copies. Free rank rows are zero in every
layer. In: host adapters. Out: leased slots. One thread. Knows nothing of rows, text or samplers.
"""

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from livery_server.adapters.packed import HostAdapter, LayerKey
from livery_server.engine.errors import AdapterMismatch, SlotsExhausted
from livery_server.engine.layers import SlottedLayer


@dataclass(slots=True, kw_only=True, eq=False)
class Slot:
    """One adapter on the device.

    Attributes:
        adapter: What lies here.
        ranks: Its rank rows in every table, ascending.
        active: `id()`s of the layers it changes.
        leases: Rows that wear it now.
    """

    adapter: HostAdapter
    ranks: tuple[int, ...]
    active: frozenset[int]
    leases: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotUse:
    """What one slot holds, for operators."""

    digest: str
    bytes: int
    leases: int


class SlotTable:
    """All slots of one engine."""

    def __init__(self, layers: Mapping[LayerKey, SlottedLayer], *, rank_rows: int) -> None:
        """Take the slotted layers of the base; each table has `rank_rows` rows, row 0 zero."""
        self._layers = layers
        self._free = list(range(1, rank_rows))
        self._slots: OrderedDict[str, Slot] = OrderedDict()
        self.capacity = rank_rows - 1
        self.loads = 0
        self.hits = 0

    def can_hold(self, adapters: Sequence[HostAdapter]) -> bool:
        """Say whether these adapters fit now, evicting what nobody wears."""
        wanted = {adapter.digest: adapter for adapter in adapters}
        missing = sum(a.rank for digest, a in wanted.items() if digest not in self._slots)
        idle = sum(
            len(slot.ranks)
            for digest, slot in self._slots.items()
            if slot.leases == 0 and digest not in wanted
        )
        return missing <= len(self._free) + idle

    def acquire(self, adapters: Sequence[HostAdapter]) -> list[Slot]:
        """Lease a slot for each adapter, filling those that are not resident.

        Raises:
            AdapterMismatch: An adapter names a layer or width this base lacks.
            SlotsExhausted: They do not fit beside what is worn now.
        """
        for adapter in adapters:
            self._check(adapter)
        if not self.can_hold(adapters):
            total = sum(adapter.rank for adapter in adapters)
            raise SlotsExhausted(
                f"the stack needs {total} rank rows; {self.capacity} exist and too few are free",
                hint="wear fewer or smaller adapters, or serve with more slot ranks",
            )
        kept = frozenset(adapter.digest for adapter in adapters)
        return [self._lease(adapter, kept=kept) for adapter in adapters]

    def release(self, slot: Slot) -> None:
        """Give one lease back; the adapter stays until its ranks are needed."""
        assert slot.leases > 0, "a slot was released more often than acquired"
        slot.leases -= 1

    @contextmanager
    def held(self, adapters: Sequence[HostAdapter]) -> Iterator[list[Slot]]:
        """Acquire for the length of a `with` block."""
        slots = self.acquire(adapters)
        try:
            yield slots
        finally:
            for slot in slots:
                self.release(slot)

    def evict_idle(self) -> int:
        """Empty every slot that nobody wears; return how many."""
        idle = [digest for digest, slot in self._slots.items() if slot.leases == 0]
        for digest in idle:
            self._evict(digest)
        return len(idle)

    def residents(self) -> list[SlotUse]:
        """Return what lies in the slots, least recently used first."""
        return [
            SlotUse(digest=digest, bytes=slot.adapter.resident_bytes, leases=slot.leases)
            for digest, slot in self._slots.items()
        ]

    def _check(self, adapter: HostAdapter) -> None:
        if adapter.rank > self.capacity:
            raise SlotsExhausted(
                f"{adapter.digest} has rank {adapter.rank}; all slots have {self.capacity}",
                hint="serve with more slot ranks",
            )
        for key, packed in adapter.layers.items():
            layer = self._layers.get(key)
            if layer is None:
                raise AdapterMismatch(
                    f"{adapter.digest} changes {key[0]}:{key[1]}, which this base does not have",
                    hint="the release was checked against another base; publish it for this one",
                )
            widths = (packed.down.shape[1], packed.up.shape[1])
            if widths != (layer.slot_down.shape[1], layer.slot_up.shape[1]):
                raise AdapterMismatch(
                    f"{adapter.digest} has widths {widths} for {key[0]}:{key[1]}, which differ",
                    hint="the release was checked against another base; publish it for this one",
                )

    def _lease(self, adapter: HostAdapter, *, kept: frozenset[str]) -> Slot:
        slot = self._slots.get(adapter.digest)
        if slot is None:
            slot = self._fill(adapter, kept=kept)
            self.loads += 1
        else:
            self.hits += 1
        self._slots.move_to_end(adapter.digest)
        slot.leases += 1
        return slot

    def _fill(self, adapter: HostAdapter, *, kept: frozenset[str]) -> Slot:
        self._make_room(adapter.rank, kept=kept)
        ranks, self._free = tuple(self._free[: adapter.rank]), self._free[adapter.rank :]
        where = _rows(ranks)
        with torch.inference_mode():
            for key, packed in adapter.layers.items():
                layer = self._layers[key]
                count = packed.down.shape[0]
                rows = where if count == adapter.rank else _rows(ranks[:count])
                layer.slot_down[rows] = packed.down.to(layer.slot_down, non_blocking=True)
                layer.slot_up[rows] = packed.up.to(layer.slot_up, non_blocking=True)
        active = frozenset(id(self._layers[key]) for key in adapter.layers)
        slot = Slot(adapter=adapter, ranks=ranks, active=active)
        self._slots[adapter.digest] = slot
        return slot

    def _make_room(self, rank: int, *, kept: frozenset[str]) -> None:
        for digest in list(self._slots):
            if len(self._free) >= rank:
                return
            if self._slots[digest].leases == 0 and digest not in kept:
                self._evict(digest)

    def _evict(self, digest: str) -> None:
        slot = self._slots.pop(digest)
        rows = _rows(slot.ranks)
        with torch.inference_mode():
            for key in slot.adapter.layers:
                self._layers[key].slot_down[rows] = 0
                self._layers[key].slot_up[rows] = 0
        self._free = sorted([*self._free, *slot.ranks])


def _rows(ranks: tuple[int, ...]) -> slice | list[int]:
    """Return a slice where the rank rows lie side by side, so that a fill is one plain copy."""
    if ranks and ranks[-1] - ranks[0] + 1 == len(ranks):
        return slice(ranks[0], ranks[-1] + 1)
    return list(ranks)
