# SPDX-License-Identifier: Apache-2.0
"""The host tier: who waits for adapters in host memory, and what is loaded next.

In: stacks; tenants take turns. Out: leases, each of a whole stack or of nothing. Who
stands in line holds nothing: what is loaded for him stays evictable until it is his turn. A load
delays only those who wait for it; for room a stack is passed by a bounded number of times. Knows
neither torch nor the registry. See docs/decisions/0026.
"""

import asyncio
import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor

from tabard_server.adapters.host_memory import HostMemory, Lease
from tabard_server.adapters.line import Line, OnFailure, OnLease, Place
from tabard_server.engine_port.stack import HostAdapterLike, Resident
from tabard_server.errors import TooLarge
from tabard_server.limits import Tenants
from tabard_server.scheduler.claims import UNSAID, Claim
from tabard_server.scheduler.fair_queue import Turns
from tabard_server.scheduler.shares import Shares
from tabard_server.telemetry.metrics import Metrics

_LOOKED_AT_MAX = 256
"""Stacks at the front of the line that are looked at: those behind come nearer."""


class HostCache:
    """The line in front of host memory. Make it within a running event loop; asyncio thread.

    Leases are released, and residents asked for, from any thread.
    """

    def __init__(
        self,
        *,
        load: Callable[[str], HostAdapterLike],
        bytes_max: int,
        loads_max: int,
        waiting_rows_max: int,
        overtakes_max: int,
        executor: Executor,
        metrics: Metrics,
        tenants: Tenants | None = None,
    ) -> None:
        """Take how adapters are loaded, and the bounds.

        Args:
            load: Loads a digest; runs in the executor's threads.
            bytes_max: Adapters in memory.
            loads_max: Loads at once.
            waiting_rows_max: Images that hold leases and have not begun.
            overtakes_max: How often a stack that waits for room is passed by.
            executor: Where loads run.
            metrics: Where hits and loads are counted.
            tenants: What each tenant has.
        """
        self._tenants = tenants or Tenants()
        self._tenants_leased: Shares[str] = Shares()
        self._load = load
        self._loads_max = loads_max
        self._waiting_rows_max = waiting_rows_max
        self._overtakes_max = overtakes_max
        self._executor = executor
        self._metrics = metrics
        self._loop = asyncio.get_running_loop()
        self._memory = HostMemory(bytes_max=bytes_max, metrics=metrics, on_freed=self._note_freed)
        self._line = Line(self._memory)
        # Whether the line is to move up already: told once, however much is given back meanwhile.
        self._is_told = False
        self._asked: dict[str, asyncio.Future[None]] = {}
        self._loads: dict[str, asyncio.Task[None]] = {}
        self._dropped_loads: set[str] = set()

    def enter(
        self,
        digests: Sequence[str],
        *,
        rows: int,
        on_lease: OnLease,
        on_failure: OnFailure,
        claim: Claim = UNSAID,
    ) -> Place:
        """Stand in line for a stack; one of the two is told, maybe before this returns."""
        place = Place(
            digests=tuple(digests),
            rows=rows,
            claim=claim,
            key=self._line.next_key(),
            on_lease=on_lease,
            on_failure=on_failure,
        )
        hits = sum(digest in self._memory for digest in place.digests)
        self._metrics.adapter_cache_hits.labels(tier="host").inc(hits)
        self._line.enter(place)
        self._move_up()
        return place

    def leave(self, place: Place) -> None:
        """Stand in line no longer; nobody is told. Idempotent. A load goes on to its end."""
        if place.is_in_line:
            self._line.leave(place)
            self._move_up()

    async def acquire(self, digests: Sequence[str], *, rows: int = 0) -> Lease:
        """Lease a stack when it is its turn.

        Raises:
            TooLarge: All of host memory is not enough for it.
            Exception: Whatever a load raised; the next caller tries again.
        """
        self.require_room(digests)
        ready: asyncio.Future[Lease] = self._loop.create_future()
        place = self.enter(
            digests, rows=rows, on_lease=ready.set_result, on_failure=ready.set_exception
        )
        try:
            return await asyncio.shield(ready)
        except asyncio.CancelledError:
            self.leave(place)
            if ready.done() and ready.exception() is None:
                ready.result().release()
            raise

    async def load(self, digest: str) -> None:
        """Load an adapter before anybody else's; keep it if there is room. Leases nothing.

        Raises:
            Exception: Whatever the load raised.
        """
        if digest in self._memory:
            self._metrics.adapter_cache_hits.labels(tier="host").inc()
            return
        asked = self._asked.get(digest)
        if asked is None:
            asked = self._asked[digest] = self._loop.create_future()
            # Whoever asked may have gone when it fails; then nobody is left to be told.
            asked.add_done_callback(lambda done: done.cancelled() or done.exception())
            self._begin_loads()
        await asyncio.shield(asked)

    def require_room(self, digests: Sequence[str], *, tenant: str = "") -> None:
        """Refuse a stack that is known to be larger than host memory, or than a tenant's part.

        Raises:
            TooLarge: It can never be leased.
        """
        total = sum(self._memory.size_of(digest) or 0 for digest in set(digests))
        mine = self._tenants.of(tenant).resident_bytes_max
        if mine is not None and total > mine:
            raise TooLarge(
                f"the stack takes {total} bytes; a tenant like this one has {mine} in host memory",
                reason="HOST_MEMORY_TOO_SMALL",
                hint="wear fewer or smaller adapters, or raise resident_bytes_max of the tenant",
            )
        if total > self._memory.bytes_max:
            raise TooLarge(
                f"the stack takes {total} bytes; host memory has {self._memory.bytes_max} for "
                "all adapters",
                reason="HOST_MEMORY_TOO_SMALL",
                hint="wear fewer or smaller adapters, or serve with more limits.host_bytes_max",
            )

    def drop(self, digest: str) -> None:
        """Forget an adapter as soon as nobody holds it; one that loads is for who waits now."""
        if digest in self._loads:
            self._dropped_loads.add(digest)
        self._memory.drop(digest)
        self._begin_loads()

    def favour(self, digests: frozenset[str]) -> None:
        """Evict these last: what live channels point to, and what a rollback returns to."""
        self._memory.favour(digests)

    def residents(self) -> tuple[Resident, ...]:
        """Return what lies in memory, first to be evicted first."""
        return self._memory.residents()

    @property
    def room_bytes(self) -> int:
        """Bytes for which nothing has to go."""
        return self._memory.bytes_max - self._memory.resident_bytes

    @property
    def resident_bytes(self) -> int:
        """Bytes of all adapters in memory."""
        return self._memory.resident_bytes

    @property
    def line_length(self) -> int:
        """Stacks that wait."""
        return len(self._line)

    def _note_freed(self) -> None:
        """Somebody gave something back; from any thread."""
        if not self._line or self._is_told:
            return
        self._is_told = True
        try:
            self._loop.call_soon_threadsafe(self._move_up)
        except RuntimeError:
            # The loop is closed: nobody waits any more.
            return

    def _move_up(self) -> None:
        """Lease what can be leased, in order; then load for those who wait."""
        self._is_told = False
        for place, lease in self._grants():
            place.on_lease(lease)
        self._begin_loads()

    def _grants(self) -> list[tuple[Place, Lease]]:
        """Walk the line. Beside those who were passed by too often nobody takes their room."""
        granted: list[tuple[Place, Lease]] = []
        waiting: list[Place] = []
        for turns in self._walks():
            for place in itertools.islice(turns, _LOOKED_AT_MAX):
                tenant = place.claim.tenant
                if not self._may_hold(1, tenant=tenant):
                    turns.close_tenant(place)
                elif not self._is_within_part(place):
                    continue
                elif not self._has_room(place, waiting=waiting):
                    waiting.append(place)
                elif not self._may_hold(place.rows, tenant=tenant):
                    turns.close_tenant(place)
                elif lease := self._memory.lease(place.digests, rows=place.rows, tenant=tenant):
                    granted.append((place, lease))
                    self._count_overtaken(waiting)
        for place, _lease in granted:
            self._line.leave(place)
            amount = place.rows * place.claim.work / self._tenants.weights.of(place.claim.tenant)
            self._tenants_leased.note(place.claim.tenant, amount=amount)
        return granted

    def _has_room(self, place: Place, *, waiting: Sequence[Place]) -> bool:
        """Say whether all of a stack is here, and room for it beside those who wait too long."""
        memory = self._memory
        if not all(digest in memory for digest in place.digests):
            return False
        kept = sum(
            memory.need_of(one.digests) for one in waiting if one.overtaken >= self._overtakes_max
        )
        need = memory.need_of(place.digests)
        return not place.digests or memory.held_bytes + kept + need <= memory.bytes_max

    def _walks(self) -> list[Turns[Place]]:
        """Return a walk through all others, and one through background."""
        return self._line.walks(self._tenants_leased.ahead(), weights=self._tenants.weights)

    def _in_order(self) -> Iterator[Place]:
        """Walk through those who stand in front."""
        return itertools.islice(itertools.chain(*self._walks()), _LOOKED_AT_MAX)

    def _may_hold(self, rows: int, *, tenant: str) -> bool:
        """Say whether a tenant may hold more; who holds nothing does not wait for the others."""
        memory = self._memory
        held = memory.waiting_rows
        return not memory.waiting_rows_of(tenant) or held + rows <= self._waiting_rows_max

    def _is_within_part(self, place: Place) -> bool:
        """Say whether a tenant holds no more than its part with this stack as well."""
        tenant = place.claim.tenant
        most = self._tenants.of(tenant).resident_bytes_max
        return most is None or self._memory.holding_of(tenant, digests=place.digests) <= most

    def _count_overtaken(self, waiting: Sequence[Place]) -> None:
        for place in waiting:
            needed = self._memory.held_bytes + self._memory.need_of(place.digests)
            place.overtaken += needed > self._memory.bytes_max

    def _begin_loads(self) -> None:
        missing = self._missing()
        while len(self._loads) < self._loads_max and (digest := next(missing, None)):
            task = self._loop.create_task(self._load_once(digest), name=f"load {digest}")
            self._loads[digest] = task

    def _missing(self) -> Iterator[str]:
        """Yield what shall be loaded, first what was asked for, then what there may be room for."""
        yield from [digest for digest in self._asked if digest not in self._loads]
        if not self._memory.lacks_any:
            return
        room = self._memory.bytes_max - self._memory.held_bytes
        counted: set[str] = set()
        for place in self._in_order():
            if room <= 0:
                return
            for digest in place.digests:
                if digest in counted:
                    continue
                counted.add(digest)
                size = self._memory.size_of(digest)
                is_here = digest in self._memory or digest in self._loads
                if is_here or room >= (size or 1):
                    room -= self._memory.need_of([digest])
                    if not is_here:
                        yield digest
                elif place.overtaken >= self._overtakes_max:
                    return

    async def _load_once(self, digest: str) -> None:
        begun = time.perf_counter()
        try:
            adapter = await self._loop.run_in_executor(self._executor, self._load, digest)
        except Exception as error:
            self._fail(digest, error)
        else:
            metrics, seconds = self._metrics, time.perf_counter() - begun
            metrics.adapter_loads.labels(tier="host").inc()
            metrics.adapter_load_seconds.labels(tier="host").observe(seconds)
            self._keep(digest, adapter)
        finally:
            del self._loads[digest]
            self._dropped_loads.discard(digest)
        self._move_up()

    def _keep(self, digest: str, adapter: HostAdapterLike) -> None:
        """Put it into memory, at the cost of nobody who stands before the first who wants it."""
        older, is_wanted = set[str](), bool(self._line.wanting(digest))
        for place in self._in_order() if is_wanted else ():
            older.update(place.digests)
            if digest in place.digests:
                break
        # What was dropped while it loaded is for those who waited, and for nobody else.
        if is_wanted or digest not in self._dropped_loads:
            self._memory.put(adapter, digest=digest, kept=older, spared=self._memory.wanted)
        self._refuse_hopeless(digest)
        if asked := self._asked.pop(digest, None):
            asked.set_result(None)

    def _refuse_hopeless(self, digest: str) -> None:
        """Tell those for whom the size that is known now is too much."""
        for place in self._line.wanting(digest):
            try:
                self.require_room(place.digests, tenant=place.claim.tenant)
            except TooLarge as error:
                self._refuse(place, error)

    def _fail(self, digest: str, error: Exception) -> None:
        for place in self._line.wanting(digest):
            self._refuse(place, error)
        if asked := self._asked.pop(digest, None):
            asked.set_exception(error)

    def _refuse(self, place: Place, error: Exception) -> None:
        # Whoever was told before may have taken others with him.
        if place.is_in_line:
            self._line.leave(place)
            place.on_failure(error)
