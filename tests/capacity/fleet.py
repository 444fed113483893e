# SPDX-License-Identifier: Apache-2.0
"""Many servers behind one router, for one day of traffic in virtual time.

In: a plan. Out: a result. Before the day, requests of earlier days pass through the tiers alone,
so that it does not begin with empty ones.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from tabard.routing import stack_hash
from tabard_server.limits import Limits
from tabard_server.telemetry.metrics import Metrics
from tests.capacity.disk_tier import DiskTier
from tests.capacity.inputs import Inputs
from tests.capacity.ring import LeastOfTwo, Random, RingHash, Router, addresses
from tests.capacity.server import Request, Server
from tests.capacity.trace import Arrival, Move, Workload, arrivals, moves, popular
from tests.capacity.virtual_time import VirtualLoop, virtual_loop

WARM_SPACING_SECONDS = 4.0
"""Between requests of earlier days at one server: every load has time to end."""
RAMP = 0.2
"""Part of the day in which nothing is measured: servers begin with nobody in them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One run.

    Attributes:
        servers: One GPU each.
        load: Images asked for, as a share of what full batches without loads could draw.
        images: Requests of the day, on average.
        router: `ring`, `random` or `least` (of two).
        balance_factor: Of the ring, in percent; 0: no bound.
        ring_size: Envoy's `minimum_ring_size`.
        warm: Requests of earlier days, for each server.
        seed: Of everything that is drawn.
        adapters, exponent, wave, bursts, releases: As in `Workload`.
    """

    servers: int
    load: float
    images: int
    adapters: int
    exponent: float
    wave: float = 1.0
    bursts: int = 0
    releases: int = 0
    router: str = "ring"
    balance_factor: int = 150
    ring_size: int = 1_024
    warm: int = 150
    seed: int = 1

    def workload(self, inputs: Inputs) -> Workload:
        """Return the traffic of the day."""
        rate = self.servers * self.load * inputs.images_per_second
        seconds = self.images / rate
        return Workload(
            adapters=self.adapters,
            exponent=self.exponent,
            rate=rate,
            seconds=seconds,
            wave=self.wave,
            bursts=self.bursts,
            burst_seconds=seconds / 10,
            releases=self.releases,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a run showed.

    Attributes:
        images: That were measured.
        refused: Share of requests without a seat.
        queue_mean, queue_p50, queue_p99: Seconds until an image began.
        latency_p50, latency_p99: Seconds until it was drawn.
        slot_hits, host_hits, disk_hits: Adapters found in slots, of those that rows began with; in
            host memory, of those that were asked for; on disk, of those that were loaded.
        store_loads: Adapters that came from the bucket, for each image.
        busy: Share of the engines' time.
        rows: Rows of a pass, on average.
        spread: Images of the server that drew most, to the mean.
    """

    images: int
    refused: float
    queue_mean: float
    queue_p50: float
    queue_p99: float
    latency_p50: float
    latency_p99: float
    slot_hits: float
    host_hits: float
    disk_hits: float
    store_loads: float
    busy: float
    rows: float
    spread: float


def run(
    plan: Plan, *, inputs: Inputs, limits: Limits | None = None, may_skip: bool = True
) -> Result:
    """Live through one day; `may_skip` as in `Server`."""

    async def live(loop: VirtualLoop) -> Result:
        day = _Day(plan, inputs=inputs, limits=limits or Limits(), loop=loop, may_skip=may_skip)
        return await day.live()

    with virtual_loop() as loop:
        return loop.run_until_complete(live(loop))


class _Day:
    """One day of a fleet, from its building to its result."""

    def __init__(
        self, plan: Plan, *, inputs: Inputs, limits: Limits, loop: VirtualLoop, may_skip: bool
    ) -> None:
        self._plan = plan
        self._loop = loop
        self._rng = np.random.default_rng(plan.seed)
        self._workload = plan.workload(inputs)
        self._metrics = Metrics()
        hosts = math.ceil(plan.servers / inputs.gpus_per_host)
        self._disks = [DiskTier(bytes_max=limits.disk_bytes_max) for _ in range(hosts)]
        self._servers = [
            Server(
                loop,
                inputs=inputs,
                limits=limits,
                disk=self._disks[number // inputs.gpus_per_host],
                metrics=self._metrics,
                may_skip=may_skip,
            )
            for number in range(plan.servers)
        ]
        self._router = router_for(plan, rng=self._rng)
        # What the router knows: calls that each server has.
        self._active = [0] * plan.servers
        self._total = 0
        self._drawn = [0] * plan.servers
        self._ended: list[Request] = []
        self._versions: dict[int, int] = {}
        self._warming: set[asyncio.Task[None]] = set()

    async def live(self) -> Result:
        """Pass earlier days, then the measured one, then let the queues run empty."""
        await self._pass_earlier_days()
        workload, begun_at = self._workload, self._loop.time()
        self._follow(iter(arrivals(workload, rng=self._rng)), begun_at=begun_at)
        for move in moves(workload, rng=self._rng):
            self._loop.call_at(begun_at + move.at, self._move, move)
        measured_from = begun_at + RAMP * workload.seconds
        await self._until(measured_from)
        before = self._counts()
        await self._until(begun_at + workload.seconds)
        after = self._counts()
        while self._total:
            await self._until(self._loop.time() + 1.0)
        await asyncio.gather(*self._warming)
        counted = {name: after[name] - before[name] for name in after}
        measured = [one for one in self._ended if one.arrived_at >= measured_from]
        return self._result(measured, counted, seconds=(1.0 - RAMP) * workload.seconds)

    async def _pass_earlier_days(self) -> None:
        count = self._plan.warm * self._plan.servers
        spacing = WARM_SPACING_SECONDS / self._plan.servers
        begun_at = self._loop.time()
        for number, line in enumerate(map(int, popular(self._workload, count, rng=self._rng))):
            # Nobody has calls yet: the router's choice is the one it prefers.
            server = self._router.choose(_key((line,)), active=self._active, total=0)
            self._servers[server].touch((self._digest(line),))
            await self._until(begun_at + number * spacing)
        await self._until(self._loop.time() + 10 * WARM_SPACING_SECONDS)

    async def _until(self, at: float) -> None:
        reached = self._loop.create_future()
        self._loop.call_at(at, reached.set_result, None)
        await reached

    def _follow(self, coming: Iterator[Arrival], *, begun_at: float) -> None:
        """Let the next one arrive when it does: the loop need not hold the whole day."""
        if (arrival := next(coming, None)) is not None:

            def arrive() -> None:
                self._arrive(arrival)
                self._follow(coming, begun_at=begun_at)

            self._loop.call_at(begun_at + arrival.at, arrive)

    def _arrive(self, arrival: Arrival) -> None:
        key = _key(arrival.lines)
        server = self._router.choose(key, active=self._active, total=self._total)
        self._active[server] += 1
        self._total += 1

        def end(request: Request) -> None:
            self._active[server] -= 1
            self._total -= 1
            self._drawn[server] += request.opened_at is not None
            self._ended.append(request)

        digests = tuple(self._digest(line) for line in arrival.lines)
        self._servers[server].enter(Request(digests, self._loop.time(), end))

    def _move(self, move: Move) -> None:
        """Let every server follow the log: each loads what a channel points to now."""
        self._versions[move.line] = move.version
        for server in self._servers:
            task = self._loop.create_task(server.warm(self._digest(move.line)))
            self._warming.add(task)
            task.add_done_callback(self._warming.discard)

    def _digest(self, line: int) -> str:
        return f"{line}.{self._versions.get(line, 0)}"

    def _counts(self) -> dict[str, float]:
        served = [server.served for server in self._servers]
        names = ("asked", "store_loads", "refused", "busy_seconds", "row_steps", "passes")
        sums = {name: float(sum(getattr(one, name) for one in served)) for name in names}
        hits = self._metrics.registry.get_sample_value(
            "tabard_adapter_cache_hits_total", {"tier": "host"}
        )
        slots = [server.slots for server in self._servers]
        return sums | {
            "host_hits": hits or 0.0,
            "slot_hits": float(sum(one.hits for one in slots)),
            "slot_loads": float(sum(one.loads for one in slots)),
            "disk_hits": float(sum(disk.hits for disk in self._disks)),
            "disk_misses": float(sum(disk.misses for disk in self._disks)),
        }

    def _result(
        self, measured: Sequence[Request], counted: Mapping[str, float], *, seconds: float
    ) -> Result:
        drawn = [one for one in measured if one.opened_at is not None]
        queues = [(one.opened_at or 0.0) - one.arrived_at for one in drawn]
        latencies = [one.ended_at - one.arrived_at for one in drawn]
        mean = sum(self._drawn) / len(self._drawn)
        return Result(
            images=len(drawn),
            refused=1.0 - share(len(drawn), len(measured)),
            queue_mean=float(np.mean(queues)) if queues else 0.0,
            queue_p50=_percentile(queues, 50),
            queue_p99=_percentile(queues, 99),
            latency_p50=_percentile(latencies, 50),
            latency_p99=_percentile(latencies, 99),
            slot_hits=share(counted["slot_hits"], counted["slot_hits"] + counted["slot_loads"]),
            host_hits=share(counted["host_hits"], counted["asked"]),
            disk_hits=share(counted["disk_hits"], counted["disk_hits"] + counted["disk_misses"]),
            store_loads=share(counted["store_loads"], len(drawn)),
            busy=counted["busy_seconds"] / (seconds * self._plan.servers),
            rows=share(counted["row_steps"], counted["passes"]),
            spread=max(self._drawn) / mean if mean else 0.0,
        )


def router_for(plan: Plan, *, rng: np.random.Generator) -> Router:
    """Return the router of a plan."""
    if plan.router == "random":
        return Random(plan.servers, rng=rng)
    if plan.router == "least":
        return LeastOfTwo(plan.servers, rng=rng)
    return RingHash(
        addresses(plan.servers),
        balance_factor=plan.balance_factor,
        minimum_ring_size=plan.ring_size,
    )


def share(part: float, whole: float) -> float:
    """Return a part of a whole; of nothing, all."""
    return part / whole if whole else 1.0


def _percentile(values: Sequence[float], percent: float) -> float:
    return float(np.percentile(values, percent)) if values else 0.0


@lru_cache(maxsize=100_000)
def _key(lines: tuple[int, ...]) -> str:
    """Return what the SDK says of a stack to a router: a hash of names, not of releases."""
    return stack_hash([f"team/style-{line}" for line in lines])
