# SPDX-License-Identifier: Apache-2.0
"""What a turn of the loop costs beside the engine, with few jobs and adapters and with many.

Eight rows step; in every turn one is done and another begins. The loop, the queue, the line for
host memory and the book of slots are the server's own; nothing is drawn. Processor time; all scenes
of a line stand beside each other and take turns, twenty at a time; ratios are of neighbours.
"""

import asyncio
import gc
import time
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from statistics import median
from typing import Any

from tabard_server.adapters.host_adapter import HostAdapter, adapters_of
from tabard_server.adapters.host_cache import HostCache
from tabard_server.adapters.line import Place
from tabard_server.callers.caller import Caller
from tabard_server.engine.slots.slot_table import SlotTable
from tabard_server.engine_port.costs import TextCounts
from tabard_server.engine_port.errors import EngineError
from tabard_server.engine_port.row_spec import RowSpec
from tabard_server.engine_port.stack import Resident
from tabard_server.jobs.job import ImageReady
from tabard_server.jobs.outbox import Outbox
from tabard_server.jobs.queue import Queue, queue_for
from tabard_server.jobs.run import JobRun
from tabard_server.limits import Limits, Tenants
from tabard_server.loop.loop import Loop
from tabard_server.telemetry.metrics import Metrics
from tests.server.drawings import drawing
from tests.server.fakes import FakeEngine, FakeReadback, FakeRow
from tests.server.jobs.small_jobs import job

ROWS = 8
TURNS = 20
"""Of a scene, before another has its own."""
ROUND = 10
PROMISED = 1.15
_TENANTS = 4

Scene = tuple[str, int, int]
"""Where the others wait, how many, and how many adapters lie in slots."""
WHERE = ("engine", "memory")
SCENES: tuple[Scene, ...] = tuple(
    (where, waiting, residents)
    for where in WHERE
    for waiting, residents in ((10, 4), (256, 4), (10_000, 4), (10, 1_000), (10_000, 1_000))
)


def run(*, rounds: int) -> dict[Scene, dict[str, list[float]]]:
    """Return microseconds of each scene: of a turn, of a job that comes, of one that is ended."""
    return asyncio.run(_measure(rounds=rounds))


def report(measured: dict[Scene, dict[str, list[float]]]) -> None:
    """Print medians, and what the longest queue makes of the shortest."""
    print(f"\n{'processor microseconds, medians':50}{'a turn':>8}{'comes':>8}{'is ended':>10}")
    for (where, waiting, residents), found in measured.items():
        title = f"{waiting} jobs wait for the {where}, {residents} in slots"
        turn, comes, ended = (median(found[kind]) for kind in ("turn", "comes", "ended"))
        print(f"{title:50}{turn:>8.0f}{comes:>8.0f}{ended:>10.0f}")
    for scene, found in measured.items():
        least = measured[scene[0], *SCENES[0][1:]]["turn"]
        ratios = [own / first for own, first in zip(found["turn"], least, strict=True)]
        print(f"{scene}: {median(ratios):.2f} of the smallest; promised {PROMISED:g}")


async def _measure(*, rounds: int) -> dict[Scene, dict[str, list[float]]]:
    found: dict[Scene, dict[str, list[float]]] = {}
    for where in WHERE:
        scenes = [scene for scene in SCENES if scene[0] == where]
        found |= {scene: {"turn": [], "comes": [], "ended": []} for scene in scenes}
        async with AsyncExitStack() as opened:
            # All there at once: what slows the machine for a moment slows each of them.
            servers = {scene: await opened.enter_async_context(_server(*scene)) for scene in scenes}
            for server in servers.values():
                await server.warm()
            gc.collect()
            for number in range(rounds * ROUND):
                for scene in scenes[:: 1 if number % 2 else -1]:
                    for kind, seconds in (await servers[scene].measure()).items():
                        found[scene][kind].append(1e6 * seconds)
            for scene, server in servers.items():
                found[scene]["ended"].append(1e6 * await server.end())
    return found


@dataclass(slots=True, kw_only=True)
class _Engine(FakeEngine):
    """Draws nothing; the book of its slots is the real one."""

    table: SlotTable
    leased: dict[int, Sequence[Any]] = field(default_factory=dict)

    def can_open(self, spec: RowSpec) -> bool:
        return self.table.can_hold(adapters_of(spec.stack))

    def open_rows(self, specs: Sequence[RowSpec]) -> list[FakeRow | EngineError]:
        found: list[FakeRow | EngineError] = []
        for spec in specs:
            row = FakeRow(spec=spec)
            self.leased[id(row)] = self.table.acquire(adapters_of(spec.stack))
            found.append(row)
        return found

    def step(self, rows: Sequence[FakeRow], *, is_merged: bool) -> None:
        assert not is_merged
        for row in rows:
            row.steps_done += 1

    def decode(self, row: FakeRow) -> FakeReadback:
        return _NOTHING_DRAWN

    def close_row(self, row: FakeRow) -> None:
        for slot in self.leased.pop(id(row)):
            self.table.release(slot)

    def residents(self) -> list[Resident]:
        return self.table.residents()

    @property
    def texts(self) -> TextCounts:
        return TextCounts()

    @property
    def resident_bytes(self) -> int:
        return self.table.resident_bytes

    def holds(self, digest: str) -> bool:
        return digest in self.table


_NOTHING_DRAWN: Any = None


class _Finisher:
    """Delivers at once."""

    def finish(self, run: JobRun, *, index: int, readback: FakeReadback) -> None:
        run.deliver(ImageReady(index=index, content=b"", seed=7, provenance_json=""))


@dataclass(kw_only=True)
class _Server:
    """The rooms that a job walks through from its seat to its last image."""

    loop: Loop[FakeRow]
    cache: HostCache
    queue: Queue
    digests: Sequence[str]
    waiting: int
    numbers: "count[int]" = field(default_factory=count)
    runs: dict[int, JobRun] = field(default_factory=dict)
    places: dict[int, Place] = field(default_factory=dict)

    async def warm(self) -> None:
        """Let the line fill, and turn until rows of every age step."""
        for _ in range(3 * ROWS):
            self.fill()
            await self.turn()

    async def measure(self) -> dict[str, float]:
        """Return seconds of a turn and of a job that comes."""
        turn = comes = 0.0
        for _ in range(TURNS):
            begun_at = time.process_time()
            await self.turn()
            turned_at = time.process_time()
            self.fill()
            await _settle()
            turn += turned_at - begun_at
            comes += time.process_time() - turned_at
        return {"turn": turn / TURNS, "comes": comes / TURNS}

    async def end(self) -> float:
        """End all jobs; return seconds of one."""
        left = len(self.runs)
        begun_at = time.process_time()
        for run in list(self.runs.values()):
            run.fail(RuntimeError("cancelled"))
        await _settle()
        self.loop._sweep()
        await _settle()
        assert not self.runs
        return (time.process_time() - begun_at) / left

    def fill(self) -> None:
        """Let as many come as have gone."""
        while len(self.runs) < self.waiting + ROWS:
            self.come()

    async def turn(self) -> None:
        """Take one turn, and do what it leaves to the other thread."""
        self.loop.turn()
        await _settle()

    def come(self) -> None:
        """Let one job come; the first ones are of different lengths, so that one ends a turn."""
        number = next(self.numbers)
        tenant = f"tenant {number % _TENANTS}"
        one = job(
            ticket=number,
            drawing=drawing(steps=1 + number if number < ROWS else ROWS),
            tenant=tenant,
            worn=(_Worn(digest=self.digests[number % len(self.digests)]),),
        )
        run = JobRun(
            one,
            outbox=Outbox(droppable_max=4, reader_loop=_NO_READER),
            seats=self.queue.enter(one, caller=Caller(f"caller {number}", tenant)),
            on_end=self._on_end,
            on_row_begun=self.queue.forecast.note_begun,
        )
        self.queue.forecast.add(run)
        self.runs[number] = run

        def join(lease: Any) -> None:
            run.hold(lease)
            self.loop.join(run)

        place = self.cache.enter(
            one.digests, rows=1, claim=one.claim, on_lease=join, on_failure=run.fail
        )
        self.places[number] = place

    def _on_end(self, run: JobRun, error: Exception | None) -> None:
        self.queue.leave(run)
        del self.runs[run.job.ticket]
        place = self.places.pop(run.job.ticket)
        if error is not None:
            self.cache.leave(place)


@dataclass(frozen=True, kw_only=True)
class _Worn:
    digest: str
    strength: float = 0.5


class _NoReader:
    def call_soon_threadsafe(self, *_told: object) -> None:
        """Wake nobody."""


_NO_READER: Any = _NoReader()


async def _settle() -> None:
    for _ in range(2):
        await asyncio.sleep(0)


@asynccontextmanager
async def _server(where: str, waiting: int, residents: int) -> AsyncIterator[_Server]:
    limits = Limits(
        queue_rows_max=2 * waiting + 64,
        running_rows_max=ROWS,
        rows_per_step_max=ROWS,
        ready_rows_max=2 * waiting + 64 if where == "engine" else ROWS,
        caller_share_max=1.0,
    )
    adapters = {
        f"sha256:{n}": HostAdapter(
            digest=f"sha256:{n}", kind="lora", rank=1, layers={}, tokens=(), resident_bytes=1_000
        )
        for n in range(residents)
    }
    table = SlotTable({}, rank_rows=residents + 64)
    for adapter in adapters.values():
        table.release(table.acquire([adapter])[0])
    engine = _Engine(table=table)
    tenants, metrics, finisher = Tenants(), Metrics(), _Finisher()
    with ThreadPoolExecutor(1) as executor:
        cache = HostCache(
            load=adapters.__getitem__,
            bytes_max=1 << 40,
            loads_max=8,
            waiting_rows_max=limits.ready_rows_max,
            overtakes_max=limits.overtakes_max,
            executor=executor,
            metrics=metrics,
            tenants=tenants,
        )
        await asyncio.gather(*map(cache.load, adapters))
        yield _Server(
            loop=Loop(
                engine,
                limits=limits,
                finisher=finisher,  # type: ignore[arg-type]
                metrics=metrics,
                tenants=tenants,
            ),
            cache=cache,
            queue=queue_for(engine, limits=limits, tenants=tenants, metrics=metrics),
            digests=list(adapters),
            waiting=waiting,
        )
