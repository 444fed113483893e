# SPDX-License-Identifier: Apache-2.0
"""One server in virtual time: the real tiers, roster and policy around an engine that only waits.

In: requests. Out: when each began and ended, to a tally. What `Loop` does at a step boundary is
done here in its order; no thread, no pixels, no gRPC.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from tabard_server.adapters.host_cache import HostCache
from tabard_server.adapters.host_memory import Lease
from tabard_server.engine.slots.slot_table import Slot, SlotTable, table_rows
from tabard_server.engine_port.costs import Costs
from tabard_server.engine_port.errors import SlotsExhausted
from tabard_server.limits import Limits
from tabard_server.loop.roster import Begun, Roster
from tabard_server.scheduler.claims import Claim
from tabard_server.scheduler.policy import choose
from tabard_server.settings import Settings
from tabard_server.telemetry.metrics import Metrics
from tests.capacity.disk_tier import DiskTier
from tests.capacity.inputs import SIZE, Inputs
from tests.capacity.virtual_time import VirtualExecutor, VirtualLoop

SLOT_RANKS: int = Settings.model_fields["slot_rank_total"].default
"""Rank rows of the slots, as a server has them where nobody says otherwise."""


class _Layout:
    """A layout that changes no layer: the slots count its rank rows and copy nothing."""

    layers: dict[Any, Any] = {}  # noqa: RUF012 - nobody writes into it


_LAYOUT = _Layout()


@dataclass(frozen=True, eq=False)
class Adapter:
    """A release, as far as tiers and policy look at one."""

    digest: str
    resident_bytes: int
    rank: int
    changes_weights: bool = True
    is_merged_only: bool = False
    magnitude_rows: int = 0
    slab: None = None
    layout: _Layout = _LAYOUT

    @property
    def rank_rows(self) -> int:
        """Rank rows in the slots."""
        return self.rank

    @property
    def layers(self) -> dict[Any, Any]:
        """Nothing: no bytes are copied."""
        return self.layout.layers


@dataclass(slots=True, eq=False)
class Request:
    """One image that somebody waits for.

    Attributes:
        digests: What it wears.
        arrived_at: When it came.
        on_end: Told when it is over.
        opened_at: When it began; None: not yet, or never.
        ended_at: When it was over.
    """

    digests: tuple[str, ...]
    arrived_at: float
    on_end: Callable[[Request], None]
    opened_at: float | None = None
    ended_at: float = 0.0


class _Run:
    """What the roster wants of a job."""

    is_late = False

    def __init__(self, request: Request, lease: Lease, *, ticket: int, inputs: Inputs) -> None:
        self.request = request
        self.lease = lease
        self.stack = tuple((adapter, 1.0) for adapter in lease.adapters)
        work = float(SIZE[0] * SIZE[1] * inputs.steps * inputs.samples)
        self.job = SimpleNamespace(
            ticket=ticket,
            claim=Claim(work=work),
            tenant="",
            seeds=(0,),
            deadline_at=None,
            is_deterministic=False,
            prompt_windows=1,
            drawing=SimpleNamespace(
                size=SIZE, steps=inputs.steps, samples=inputs.samples, picture=None, regions=()
            ),
        )
        self.times = SimpleNamespace(note=lambda _what, **_more: None)

    def leave_seat(self) -> None:
        """Hold a seat no longer; the server counts by itself who waits."""


@dataclass(slots=True, eq=False)
class _Row:
    slots: list[Slot]
    steps_total: int
    steps_done: int = 0


class _Engine:
    """What the roster asks of an engine."""

    plan = None
    can_merge = False
    merged_stack = ()

    def __init__(self, costs: Costs) -> None:
        self._costs = costs
        self.slots = SlotTable({}, rank_rows=table_rows(SLOT_RANKS))

    def costs(self) -> Costs:
        return self._costs

    def can_open(self, spec: Any) -> bool:
        return self.slots.can_hold([adapter for adapter, _weight in spec.stack])


class _Passes:
    """Passes of one batch, one after the other, with nothing to decide in between."""

    def __init__(
        self,
        batch: list[Begun[_Row]],
        *,
        count: int,
        begun_at: float,
        seconds: float,
        settle: Callable[[_Passes], None],
    ) -> None:
        self.batch = batch
        self.count = count
        self.seconds = seconds
        self._begun_at = begun_at
        self._settle = settle
        self._handle: asyncio.TimerHandle | None = None

    def schedule(self, loop: VirtualLoop) -> None:
        """Let them end when they end."""
        ends_at = self._begun_at + self.count * self.seconds
        self._handle = loop.call_at(ends_at, self._settle, self)

    def end_early(self, loop: VirtualLoop) -> None:
        """End with the pass that is under way: somebody came."""
        if self.count == 1 or self._handle is None:
            return
        passed = max(1, math.ceil((loop.time() - self._begun_at) / self.seconds))
        if passed < self.count:
            self._handle.cancel()
            self.count = passed
            self.schedule(loop)


@dataclass(slots=True, kw_only=True)
class Served:
    """What one server did.

    Attributes:
        asked: Adapters that requests wore.
        store_loads: Adapters that came from the bucket.
        refused: Requests for which there was no seat.
        busy_seconds: Of the engine.
        row_steps: Rows of all passes.
        passes: Their number.
    """

    asked: int = 0
    store_loads: int = 0
    refused: int = 0
    busy_seconds: float = 0.0
    row_steps: int = 0
    passes: int = 0


class Server:
    """One server."""

    def __init__(
        self,
        loop: VirtualLoop,
        *,
        inputs: Inputs,
        limits: Limits,
        disk: DiskTier,
        metrics: Metrics,
        may_skip: bool = True,
    ) -> None:
        """Take the disk tier, which those of one host share.

        Where the policy cannot but choose alike for a while, it is asked once, if that `may_skip`.
        """
        self._may_skip = may_skip
        self._loop = loop
        self._inputs = inputs
        self._limits = limits
        self._disk = disk
        self._engine = _Engine(inputs.costs)
        self._roster: Roster[_Row] = Roster(limits=limits)
        self._cache = HostCache(
            load=lambda digest: Adapter(digest, inputs.bytes, inputs.rank),
            bytes_max=limits.host_bytes_max,
            loads_max=limits.adapter_loads_max,
            waiting_rows_max=limits.ready_rows_max,
            overtakes_max=limits.overtakes_max,
            executor=VirtualExecutor(loop, seconds_of=self._load_seconds),
            metrics=metrics,
        )
        self._inbox: deque[_Run] = deque()
        self._done: deque[_Run] = deque()
        self._tickets = 0
        # Who has a seat, and those of them who have their adapters already.
        self._waiting = self._rows_waiting = 0
        self._is_turning = False
        self._passes: _Passes | None = None
        self.served = Served()

    @property
    def slots(self) -> SlotTable:
        """Its slots, which count what they found and filled."""
        return self._engine.slots

    def enter(self, request: Request) -> None:
        """Take a request in, or refuse it at once where all seats are taken."""
        self.served.asked += len(request.digests)
        if self._waiting >= self._limits.queue_rows_max:
            self.served.refused += 1
            _end(request, at=self._loop.time())
            return
        self._waiting += 1
        self._tickets += 1
        ticket = self._tickets

        def begin(lease: Lease) -> None:
            self._inbox.append(_Run(request, lease, ticket=ticket, inputs=self._inputs))
            if self._passes is not None:
                self._passes.end_early(self._loop)
            elif not self._is_turning:
                self._is_turning = True
                self._loop.call_soon(self._turn)

        self._cache.enter(request.digests, rows=1, on_lease=begin, on_failure=_fail)

    def touch(self, digests: Sequence[str]) -> None:
        """Let a request of an earlier day pass: the tiers see it, the engine does not."""
        self._cache.enter(digests, rows=0, on_lease=Lease.release, on_failure=_fail)

    async def warm(self, digest: str) -> None:
        """Load what a channel was moved to, as a server does that follows the log."""
        await self._cache.load(digest)

    def _load_seconds(self, digest: str) -> float:
        inputs = self._inputs
        is_kept = digest in self._disk
        self._disk.use(digest, size=inputs.bytes)
        self.served.store_loads += not is_kept
        return inputs.disk_seconds if is_kept else inputs.store_seconds

    def _turn(self) -> None:
        """Do what belongs to one step boundary, then let the step take its time."""
        while self._inbox:
            self._roster.add(self._inbox.popleft())  # type: ignore[arg-type]
            self._rows_waiting += 1
        if self._roster.is_empty and not self._done:
            self._is_turning = False
            return
        choice = choose(self._roster.snapshot(self._engine))  # type: ignore[arg-type]
        self._roster.note_overtaken(choice.overtaken)
        opening_seconds = self._open(choice.opened)
        batch = [begun for key in choice.batch if (begun := self._roster.begun(key))]
        self.served.busy_seconds += opening_seconds
        self._passes = _Passes(
            batch,
            count=self._passes_alike(batch),
            begun_at=self._loop.time() + opening_seconds,
            seconds=self._inputs.step_seconds(len(batch)) if batch else 0.0,
            settle=self._settle,
        )
        self._passes.schedule(self._loop)

    def _passes_alike(self, batch: Sequence[Begun[_Row]]) -> int:
        """Return how many passes the policy would choose alike, if nobody came meanwhile.

        Those are all until a row is done, where nobody waits and everybody steps together.
        """
        is_everybody = len(batch) == self._roster.running_count
        if not batch or not self._may_skip or not is_everybody or self._rows_waiting:
            return 1
        return min(one.row.steps_total - one.row.steps_done for one in batch)

    def _open(self, keys: Sequence[Any]) -> float:
        seconds, slots = 0.0, self._engine.slots
        for key in keys:
            run: Any = self._roster.run(key)
            filled = slots.loads
            try:
                leased = slots.acquire(run.lease.adapters)
            except SlotsExhausted:
                # Another one of this turn took the room; it goes on waiting, as in `Loop`.
                continue
            seconds += (slots.loads - filled) * self._inputs.slot_fill_seconds
            seconds += self._inputs.opening_seconds
            run.request.opened_at = self._loop.time()
            run.lease.begin_row()
            self._waiting -= 1
            self._rows_waiting -= 1
            self._roster.open(key, _Row(leased, run.job.drawing.steps))
        return seconds

    def _settle(self, passes: _Passes) -> None:
        """Tell of steps that are over; decode what is done, no longer than a step meanwhile."""
        self._passes = None
        self._count(passes)
        for begun in passes.batch:
            self._roster.note_stepped(begun)
            begun.row.steps_done += passes.count
            if begun.row.steps_done < begun.row.steps_total:
                continue
            run: Any = begun.run
            self._roster.close(begun)
            for slot in begun.row.slots:
                self._engine.slots.release(slot)
            run.lease.release()
            self._done.append(run)
        spent = 0.0
        while self._done and not (self._roster.running_count and spent > self._engine.costs().step):
            spent += self._inputs.decode_seconds
            request = self._done.popleft().request
            _end(request, at=self._loop.time() + spent)
        self.served.busy_seconds += spent
        self._loop.call_later(spent, self._turn)

    def _count(self, passes: _Passes) -> None:
        if not passes.batch:
            return
        seconds = passes.count * passes.seconds
        self._roster.note_served(passes.batch, seconds=seconds)
        self.served.busy_seconds += seconds
        self.served.passes += passes.count
        self.served.row_steps += passes.count * len(passes.batch)


def _end(request: Request, *, at: float) -> None:
    request.ended_at = at
    request.on_end(request)


def _fail(error: Exception) -> None:
    raise error
