# SPDX-License-Identifier: Apache-2.0
"""Adapters in host memory: what lies there, who holds it, and what goes to make room.

In: loaded adapters. Out: leases, each of a whole stack or of nothing. What is leased stays; the
rest goes by use and size, and last what a rollback may need. Any thread. Knows neither who waits
nor how an adapter is loaded.
"""

import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Self

from tabard_server.adapters.eviction import EvictionOrder
from tabard_server.engine_port.stack import HostAdapterLike, Resident
from tabard_server.telemetry.metrics import Metrics

_TRIP_BYTES = 4 << 20
"""What is read from the disk in the time that a load takes beside that."""
_SIZES_MAX = 4_096
"""Adapters whose size is remembered after they have gone."""


@dataclass(slots=True, kw_only=True)
class _Entry:
    adapter: HostAdapterLike
    leases: int = 0
    is_dropped: bool = False


class Lease:
    """Keeps the adapters of one stack in memory until released. Any thread.

    Attributes:
        adapters: The stack, in its order.
        waiting_rows: Images it is held for that have not begun.
        tenant: Whose job holds it.
    """

    def __init__(
        self,
        adapters: Sequence[HostAdapterLike] = (),
        *,
        digests: Sequence[str] = (),
        waiting_rows: int = 0,
        tenant: str = "",
        memory: "HostMemory | None" = None,
    ) -> None:
        self.adapters = tuple(adapters)
        self.tenant = tenant
        self.digests = tuple(digests)
        self.waiting_rows = waiting_rows
        self._memory = memory

    def begin_row(self) -> None:
        """Note that one of the images has begun."""
        if self._memory is not None:
            self._memory.give_back(self, rows=1)

    def release(self) -> None:
        """Let what is held be evicted when its room is needed. Idempotent."""
        memory, self._memory = self._memory, None
        if memory is not None:
            memory.give_back(self, rows=self.waiting_rows, digests=self.digests)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.release()


class HostMemory:
    """Adapters by digest, at most `bytes_max` together."""

    def __init__(
        self, *, bytes_max: int, metrics: Metrics, on_freed: Callable[[], None] = lambda: None
    ) -> None:
        """Take what is told, from any thread, when something was given back."""
        self.bytes_max = bytes_max
        self._metrics = metrics
        self._on_freed = on_freed
        self._entries: dict[str, _Entry] = {}
        self._order: EvictionOrder[str] = EvictionOrder(trip_size=_TRIP_BYTES)
        self._sizes: OrderedDict[str, int] = OrderedDict()
        self._favoured: frozenset[str] = frozenset()
        self._held_bytes = 0
        self._waiting_rows: Counter[str] = Counter()
        self._held_by: dict[str, Counter[str]] = {}
        # What somebody waits for, by how many; and of that, what is not here.
        self._wanted: Counter[str] = Counter()
        self._lacking: set[str] = set()
        self._lock = threading.Lock()

    def __contains__(self, digest: str) -> bool:
        return digest in self._entries

    @property
    def resident_bytes(self) -> int:
        """Bytes of all adapters in memory."""
        return self._order.size

    @property
    def held_bytes(self) -> int:
        """Bytes of those that are leased."""
        return self._held_bytes

    @property
    def waiting_rows(self) -> int:
        """Images that something is leased for and that have not begun."""
        return self._waiting_rows.total()

    def waiting_rows_of(self, tenant: str) -> int:
        """Return those of one tenant."""
        return self._waiting_rows[tenant]

    def holding_of(self, tenant: str, *, digests: Collection[str]) -> int:
        """Return the bytes that a tenant would hold with these, as far as sizes are known.

        What several tenants hold counts for each of them.
        """
        with self._lock:
            held = self._held_by.get(tenant, Counter())
            return sum(self.size_of(digest) or 0 for digest in {*held, *digests})

    @property
    def wanted(self) -> AbstractSet[str]:
        """What somebody waits for."""
        return self._wanted.keys()

    @property
    def lacks_any(self) -> bool:
        """Whether anything that somebody waits for is not here."""
        return bool(self._lacking)

    def want(self, digests: Collection[str]) -> None:
        """Note that somebody waits for these."""
        with self._lock:
            self._wanted.update(digests)
            self._lacking |= set(digests) - self._entries.keys()

    def want_no_longer(self, digests: Collection[str]) -> None:
        """Note that one of those does not wait any more."""
        with self._lock:
            _take_off(self._wanted, Counter(digests))
            self._lacking -= set(digests) - self._wanted.keys()

    def size_of(self, digest: str) -> int | None:
        """Return the bytes of an adapter that was here at some time, or None."""
        entry = self._entries.get(digest)
        return self._sizes.get(digest) if entry is None else entry.adapter.resident_bytes

    def need_of(self, digests: Collection[str]) -> int:
        """Return the bytes of these that nobody holds, as far as their sizes are known."""
        with self._lock:
            return sum(self.size_of(one) or 0 for one in set(digests) if not self._is_held(one))

    def lease(self, digests: Sequence[str], *, rows: int = 0, tenant: str = "") -> Lease | None:
        """Lease a stack for so many images; None unless all of it is here."""
        with self._lock:
            if not all(digest in self._entries for digest in digests):
                return None
            adapters = [self._take(digest) for digest in digests]
            self._waiting_rows[tenant] += rows
            self._held_by.setdefault(tenant, Counter()).update(digests)
        return Lease(adapters, digests=digests, waiting_rows=rows, tenant=tenant, memory=self)

    def give_back(self, lease: Lease, *, rows: int, digests: Sequence[str] = ()) -> None:
        """Free what a lease holds; only `Lease` calls this."""
        with self._lock:
            rows = min(rows, lease.waiting_rows)
            lease.waiting_rows -= rows
            for digest in digests:
                self._let_go(digest)
            # Tenants come and go, and nothing is kept of those who hold nothing.
            _take_off(self._waiting_rows, {lease.tenant: rows})
            held = self._held_by.get(lease.tenant, Counter())
            _take_off(held, Counter(digests))
            if not held:
                self._held_by.pop(lease.tenant, None)
        self._on_freed()

    def put(
        self,
        adapter: HostAdapterLike,
        *,
        digest: str,
        kept: AbstractSet[str] = frozenset(),
        spared: AbstractSet[str] = frozenset(),
    ) -> bool:
        """Keep an adapter that was loaded, if there is room or can be made.

        Args:
            adapter: What was loaded.
            digest: Its digest.
            kept: What may not go for it, beside what is leased.
            spared: What goes last.
        """
        wanted = adapter.resident_bytes
        with self._lock:
            self._note_size(digest, size_bytes=wanted)
            if digest in self._entries:
                return True
            excess = self._order.size + wanted - self.bytes_max
            if excess > 0 and not self._evict(excess, kept=kept, spared=spared):
                return False
            self._entries[digest] = _Entry(adapter=adapter)
            self._lacking.discard(digest)
            self._order.add(digest, size=wanted)
            self._measure()
        return True

    def drop(self, digest: str) -> None:
        """Forget an adapter as soon as nobody holds it, for it may not be worn any more.

        Whoever leases it again knows better, and keeps it.
        """
        with self._lock:
            if digest in self._entries:
                self._entries[digest].is_dropped = True
                self._remove_dropped(digest)

    def favour(self, digests: frozenset[str]) -> None:
        """Evict these last: what live channels point to, and what a rollback returns to."""
        self._favoured = digests

    def residents(self) -> tuple[Resident, ...]:
        """Return what lies in memory, first to be evicted first."""
        with self._lock:
            return tuple(
                Resident(
                    digest=digest,
                    bytes=self._entries[digest].adapter.resident_bytes,
                    leases=self._entries[digest].leases,
                )
                for digest in self._order.in_order(favoured=self._favoured)
            )

    def _evict(self, excess: int, *, kept: AbstractSet[str], spared: AbstractSet[str]) -> bool:
        """Make so much room; False, and nothing goes, where that cannot be."""
        held = {name for name, entry in self._entries.items() if entry.leases}
        victims = self._order.victims(
            excess=excess, held=held | kept, favoured=self._favoured | spared
        )
        for name in victims or ():
            del self._entries[name]
            self._order.evict(name)
            self._note_gone(name)
        return victims is not None

    def _note_gone(self, digest: str) -> None:
        if digest in self._wanted:
            self._lacking.add(digest)

    def _is_held(self, digest: str) -> bool:
        entry = self._entries.get(digest)
        return entry is not None and entry.leases > 0

    def _take(self, digest: str) -> HostAdapterLike:
        entry = self._entries[digest]
        self._held_bytes += 0 if entry.leases else entry.adapter.resident_bytes
        entry.leases += 1
        entry.is_dropped = False
        self._order.use(digest)
        return entry.adapter

    def _let_go(self, digest: str) -> None:
        entry = self._entries[digest]
        assert entry.leases > 0, "a lease was given back twice"
        entry.leases -= 1
        self._held_bytes -= 0 if entry.leases else entry.adapter.resident_bytes
        self._remove_dropped(digest)

    def _note_size(self, digest: str, *, size_bytes: int) -> None:
        self._sizes[digest] = size_bytes
        self._sizes.move_to_end(digest)
        if len(self._sizes) > _SIZES_MAX:
            self._sizes.popitem(last=False)

    def _remove_dropped(self, digest: str) -> None:
        entry = self._entries[digest]
        if entry.is_dropped and entry.leases == 0:
            del self._entries[digest]
            self._order.remove(digest)
            self._note_gone(digest)
            self._measure()

    def _measure(self) -> None:
        self._metrics.adapter_resident_bytes.labels(tier="host").set(self._order.size)


def _take_off(counts: Counter[str], amounts: Mapping[str, int]) -> None:
    """Take amounts off; nothing is kept of what comes to nothing."""
    for key, amount in amounts.items():
        counts[key] -= amount
        if counts[key] <= 0:
            del counts[key]
