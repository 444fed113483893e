# SPDX-License-Identifier: Apache-2.0
"""Slots: where adapters lie on the device, ready for any row of any batch.

Every slotted layer has tables of P rank rows. A slot is a set of rank rows, the same in every
layer, that holds one adapter; so memory follows rank, a stack of adapters is the concatenation of
its slots, and a swap is one copy to the device and one within it. Free rank rows are zero in every
layer. A layer's tables take memory from the first adapter on that changes it. In: host adapters.
Out: leased slots. One thread. Knows nothing of rows, text or samplers.
"""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from tabard_server.adapters.eviction import EvictionOrder
from tabard_server.adapters.host_adapter import MAGNITUDE_ROWS, HostAdapter
from tabard_server.adapters.slab_layout import LayerKey, SlabLayout
from tabard_server.engine.layer_fit import check_widths, no_such_layer
from tabard_server.engine.slots.filling import Ways, empty_layers, fill_layers
from tabard_server.engine.slots.magnitudes import MagnitudeCache
from tabard_server.engine.slots.slotted_layers import SlottedLayer, has_kernel, make_tables
from tabard_server.engine_port.errors import AdapterMismatch, SlotsExhausted
from tabard_server.engine_port.stack import Resident

_SCALED_STACK = 8
"""Adapters with magnitudes in one stack for which there is room beside all factors."""

_TRIP_ROWS = 16
"""Rank rows that are copied in the time that filling a slot takes beside that."""


@dataclass(slots=True, kw_only=True, eq=False)
class Slot:
    """One adapter on the device.

    It keeps nothing of the adapter in host memory, which may go once it lies here.

    Attributes:
        digest: Which release lies here.
        resident_bytes: What the adapter takes.
        ranks: Rank rows of its factors in every table, ascending.
        magnitudes: Rank rows of its magnitudes, or none.
        layers: The layers it changes.
        active: Their `id()`s.
        scaled: By axis, `id()`s of the layers it scales.
        leases: Rows that wear it now.
        has_kernels: Whether it changes convolutions of more than one pixel.
    """

    digest: str
    resident_bytes: int
    ranks: tuple[int, ...]
    magnitudes: tuple[int, ...]
    layers: Sequence[SlottedLayer]
    active: frozenset[int]
    scaled: Mapping[str, frozenset[int]]
    leases: int = 0
    has_kernels: bool = False

    @property
    def rows(self) -> tuple[int, ...]:
        """Every rank row it has."""
        return (*self.ranks, *self.magnitudes)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fit:
    """What a layout that fits this base changes of it.

    Attributes:
        layers: The layers, by the layout's names for them.
        active: Their `id()`s.
        scaled: By axis, `id()`s of the layers that it scales.
        has_kernels: Whether any is a convolution of more than one pixel.
    """

    layers: Mapping[LayerKey, SlottedLayer]
    active: frozenset[int]
    scaled: Mapping[str, frozenset[int]]
    has_kernels: bool


def table_rows(rank_total: int) -> int:
    """Return how many rows tables have, so that factors of this rank in all always fit.

    The zero row comes first; magnitudes have room of their own, so that a stack which was admitted
    by its ranks never waits for slots that cannot be.
    """
    return 1 + rank_total + _SCALED_STACK * MAGNITUDE_ROWS


class SlotTable:
    """All slots of one engine.

    Attributes:
        capacity: Rank rows of all of them.
        resident_bytes: What the adapters here take.
        loads: Adapters that were filled in so far.
        hits: Adapters that lay here already when they were wanted.
    """

    def __init__(self, layers: Mapping[LayerKey, SlottedLayer], *, rank_rows: int) -> None:
        """Take the slotted layers of the base; each table has `rank_rows` rows, row 0 zero."""
        self._layers = layers
        self._free = list(range(1, rank_rows))
        self._slots: dict[str, Slot] = {}
        self._order: EvictionOrder[str] = EvictionOrder(trip_size=_TRIP_ROWS)
        self._measured = MagnitudeCache()
        self._ways = Ways()
        self._fitting: WeakKeyDictionary[SlabLayout, _Fit] = WeakKeyDictionary()
        # Rank rows of slots that nobody wears: kept, since it is asked for whoever waits.
        self._idle_rows = 0
        # What lies here is listed from other threads.
        self._lock = threading.Lock()
        self.resident_bytes = 0
        self.capacity = rank_rows - 1
        self.loads = 0
        self.hits = 0

    def can_hold(self, adapters: Sequence[HostAdapter]) -> bool:
        """Say whether these adapters fit now, evicting what nobody wears."""
        wanted = {adapter.digest: adapter for adapter in adapters}
        missing = sum(a.rank_rows for digest, a in wanted.items() if digest not in self._slots)
        here = (self._slots[digest] for digest in wanted if digest in self._slots)
        idle = self._idle_rows - sum(len(slot.rows) for slot in here if slot.leases == 0)
        return missing <= len(self._free) + idle

    def acquire(self, adapters: Sequence[HostAdapter]) -> list[Slot]:
        """Lease a slot for each adapter, filling those that are not resident.

        Raises:
            AdapterMismatch: An adapter names a layer or width this base lacks, or scales one
                that has no length.
            SlotsExhausted: They do not fit beside what is worn now.
        """
        for adapter in adapters:
            self._check(adapter)
        if not self.can_hold(adapters):
            total = sum(adapter.rank_rows for adapter in adapters)
            raise SlotsExhausted(
                f"the stack needs {total} rank rows; {self.capacity} exist and too few are free",
                hint="wear fewer or smaller adapters, or serve with more slot ranks",
            )
        kept = frozenset(adapter.digest for adapter in adapters)
        leased: list[Slot] = []
        try:
            for adapter in adapters:
                leased.append(self._lease(adapter, kept=kept))
        finally:
            if len(leased) < len(adapters):
                for slot in leased:
                    self.release(slot)
        return leased

    def release(self, slot: Slot) -> None:
        """Give one lease back; the adapter stays until its ranks are needed."""
        assert slot.leases > 0, "a slot was released more often than acquired"
        slot.leases -= 1
        if slot.leases == 0:
            self._idle_rows += len(slot.rows)

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

    def forget(self, digest: str) -> bool:
        """Empty the slot of a release unless a row wears it; say whether it lies here no more."""
        slot = self._slots.get(digest)
        if slot is not None and slot.leases == 0:
            self._evict(digest)
        return digest not in self._slots

    def residents(self) -> list[Resident]:
        """Return what lies in the slots, first to be evicted first."""
        with self._lock:
            slots = [self._slots[digest] for digest in self._order.in_order()]
        return [
            Resident(digest=slot.digest, bytes=slot.resident_bytes, leases=slot.leases)
            for slot in slots
        ]

    def __contains__(self, digest: str) -> bool:
        return digest in self._slots

    def _check(self, adapter: HostAdapter) -> None:
        if adapter.rank_rows > self.capacity:
            raise SlotsExhausted(
                f"{adapter.digest} has rank {adapter.rank_rows}; all slots have {self.capacity}",
                hint="serve with more slot ranks",
            )
        if adapter.layout in self._fitting:
            return
        for key, packed in adapter.layers.items():
            if key not in self._layers:
                raise no_such_layer(adapter.digest, *key)
            check_widths(packed, weight=self._layers[key].weight, key=key, digest=adapter.digest)
        self._fitting[adapter.layout] = self._fit_of(adapter.layout)

    def _fit_of(self, layout: SlabLayout) -> _Fit:
        worn = {key: self._layers[key] for key in layout.layers}
        for layer in worn.values():
            make_tables(layer)
        return _Fit(
            layers=worn,
            active=frozenset(map(id, worn.values())),
            scaled={
                axis: frozenset(
                    id(worn[key]) for key, place in layout.layers.items() if place.axis == axis
                )
                for axis in ("inputs", "outputs")
            },
            has_kernels=any(map(has_kernel, worn.values())),
        )

    def _lease(self, adapter: HostAdapter, *, kept: frozenset[str]) -> Slot:
        slot = self._slots.get(adapter.digest)
        if slot is None:
            slot = self._fill(adapter, kept=kept)
            self.loads += 1
        else:
            self._order.use(adapter.digest)
            self.hits += 1
        if slot.leases == 0:
            self._idle_rows -= len(slot.rows)
        slot.leases += 1
        return slot

    def _fill(self, adapter: HostAdapter, *, kept: frozenset[str]) -> Slot:
        self._make_room(adapter.rank_rows, kept=kept)
        rows = self._take_free(adapter.rank_rows)
        fit = self._fitting[adapter.layout]
        slot = Slot(
            digest=adapter.digest,
            resident_bytes=adapter.resident_bytes,
            ranks=rows[: adapter.rank],
            magnitudes=rows[adapter.rank :],
            layers=tuple(fit.layers.values()),
            active=fit.active,
            scaled=fit.scaled,
            has_kernels=fit.has_kernels,
        )
        with self._lock:
            self._slots[adapter.digest] = slot
            self._order.add(adapter.digest, size=adapter.rank_rows)
        self._idle_rows += len(slot.rows)
        self.resident_bytes += slot.resident_bytes
        if not fill_layers(
            adapter,
            layers=fit.layers,
            ranks=slot.ranks,
            magnitudes=slot.magnitudes,
            measured=self._measured,
            ways=self._ways,
        ):
            self._evict(adapter.digest)
            raise AdapterMismatch(
                f"{adapter.digest} scales a part of this base that is zero, or is not finite",
                hint="wear it on the base it was trained on",
            )
        return slot

    def _take_free(self, count: int) -> tuple[int, ...]:
        """Take free rank rows, side by side if there are such: then a fill is plain copies."""
        if count == 0:
            return ()
        free = self._free
        runs = (i for i in range(len(free) - count + 1) if free[i + count - 1] - free[i] < count)
        first = next(runs, 0)
        self._free = free[:first] + free[first + count :]
        return tuple(free[first : first + count])

    def _make_room(self, rank_rows: int, *, kept: frozenset[str]) -> None:
        excess = rank_rows - len(self._free)
        if excess <= 0:
            return
        held = kept | {digest for digest, slot in self._slots.items() if slot.leases}
        victims = self._order.victims(excess=excess, held=held)
        assert victims is not None, "`can_hold` said that there is room"
        for digest in victims:
            self._evict(digest)

    def _evict(self, digest: str) -> None:
        with self._lock:
            slot = self._slots.pop(digest)
            self._order.evict(digest)
        self._idle_rows -= len(slot.rows)
        self.resident_bytes -= slot.resident_bytes
        empty_layers(slot.layers, rows=slot.rows)
        self._free = sorted([*self._free, *slot.rows])
