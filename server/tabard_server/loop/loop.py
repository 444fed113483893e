# SPDX-License-Identifier: Apache-2.0
"""The one thread that owns the engine: at each step boundary it takes in, chooses, opens, steps.

In: admitted runs whose adapters are in host memory, through one inbox. Out: pixels to the
finisher and events to the runs. Knows nothing of gRPC, refs or the registry. It outlives whatever
goes wrong within a job.
"""

import queue
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Generic

from tabard_server.engine_port.costs import TextCounts
from tabard_server.engine_port.errors import DeviceMemoryFull, EngineError, SlotsExhausted
from tabard_server.engine_port.port import EnginePort, R
from tabard_server.engine_port.stack import Resident
from tabard_server.errors import JobFailed, NotServing
from tabard_server.jobs.job import Progress
from tabard_server.jobs.run import JobRun
from tabard_server.life.pulse import Pulse
from tabard_server.limits import Limits, Tenants
from tabard_server.loop.roster import Begun, Roster
from tabard_server.output.finisher import Finisher
from tabard_server.scheduler.policy import choose
from tabard_server.scheduler.snapshot import Choice, RowKey
from tabard_server.telemetry.logs import log_problem
from tabard_server.telemetry.metrics import Metrics
from tabard_server.threads import Daemon


class Loop(Generic[R]):
    """Drives the engine. `join`, `forget`, `wake`, `start` and `stop` are for the asyncio thread.

    Attributes:
        steps: Denoise steps since the start.
        row_steps: The same for each row: a step of four rows counts four times.
    """

    def __init__(
        self,
        engine: EnginePort[R],
        *,
        limits: Limits,
        finisher: Finisher,
        metrics: Metrics,
        tenants: Tenants | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._engine = engine
        self._limits = limits
        self._finisher = finisher
        self._metrics = metrics
        self._clock = clock
        self._roster: Roster[R] = Roster(limits=limits, tenants=tenants)
        self._done: deque[Begun[R]] = deque()
        # Bounded by what leases are given for before it begins, `limits.ready_rows_max`.
        self._inbox: queue.SimpleQueue[JobRun | None] = queue.SimpleQueue()
        # Runs that ended, from whatever thread ended them.
        self._ended: deque[JobRun] = deque()
        self._unwanted: deque[str] = deque()
        self._preview_seconds = 0.0
        self._is_stopping = False
        self._pulse = Pulse(clock=clock)
        self._thread = Daemon("tabard-engine", self._live)
        self.steps = self.row_steps = 0

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    async def stop(self) -> None:
        """Stop at the next step boundary; what still runs fails. Waits for the thread."""
        self._is_stopping = True
        self.wake()
        await self._thread.result()

    @property
    def is_dead(self) -> bool:
        """Whether the thread is over: it ends for `stop` only."""
        return self._thread.is_dead

    @property
    def silent_seconds(self) -> float:
        """Seconds since the thread was heard of; 0 while it has nothing to do."""
        return self._pulse.silent_seconds

    def join(self, run: JobRun) -> None:
        """Let a run in; its rows may begin at the next step boundary."""
        self._inbox.put(run)
        run.watch(self._ended.append)

    def wake(self) -> None:
        """Make an idle loop look at its runs; whatever lies in the inbox wakes it anyway."""
        if self._inbox.empty():
            self._inbox.put(None)

    def forget(self, digest: str) -> None:
        """Let the slot of a withdrawn release be emptied, once no row wears it."""
        self._unwanted.append(digest)
        self.wake()

    @property
    def residents(self) -> Sequence[Resident]:
        """What lies in slots, as of this moment; from any thread."""
        return self._engine.residents()

    @property
    def running_count(self) -> int:
        """Open rows, as of this moment."""
        return self._roster.running_count

    def turn(self) -> None:
        """Do everything that belongs to one step boundary, and one step."""
        self._take_in()
        self._sweep()
        self._preview_seconds = 0.0
        choice = self._choose()
        self._roster.note_overtaken(choice.overtaken)
        self._open(choice.opened)
        batch = [begun for key in choice.batch if (begun := self._roster.begun(key))]
        self._step(batch, is_merged=choice.is_merged)
        self._decode()
        self._empty_slots()

    def _live(self) -> None:
        while not self._is_stopping:
            try:
                self.turn()
            except Exception as error:
                # The outermost loop of this thread: whatever it was, those who ran are told, and
                # the thread goes on for those who come.
                self._fail_all(self._roster.runs(), error, event="loop.turn_failed")
        stopped = NotServing("the server stopped", reason="SERVER_STOPPED", hint="retry")
        self._take_in()
        for run in (*self._roster.runs(), *(begun.run for begun in self._done)):
            self._drop(run, stopped)

    def _take_in(self) -> None:
        """Empty the inbox; wait for a first arrival when there is nothing to do."""
        may_wait = self._roster.is_empty and not self._done and not self._is_stopping
        if may_wait:
            self._pulse.rest()
        try:
            while True:
                run = self._inbox.get(block=may_wait)
                may_wait = False
                if run is not None and not run.is_ended:
                    self._roster.add(run)
                elif run is not None:
                    run.let_go()
        except queue.Empty:
            self._pulse.beat()

    def _sweep(self) -> None:
        """Let go of whoever is over, before anything costs a step."""
        for run in self._roster.late():
            run.expire()
        while self._ended:
            self._drop(self._ended.popleft(), None)

    def _choose(self) -> Choice:
        choice = choose(self._roster.snapshot(self._engine))
        self._evict(choice.evicted)
        if choice.is_unfinished:
            choice = choose(self._roster.snapshot(self._engine))
            self._evict(choice.evicted)
        return choice

    def _evict(self, keys: Iterable[RowKey]) -> None:
        """Close background rows before their end; their seeds draw the same image another time."""
        for begun in [begun for key in keys if (begun := self._roster.begun(key))]:
            self._roster.evict(begun)
            self._close_row(begun)

    def _open(self, keys: Iterable[RowKey]) -> None:
        """Open rows; where the slots have no room for all of them, background makes it."""
        lacking = self._open_once(keys)
        background = self._roster.background_under(lacking)
        if background:
            self._evict(background)
            self._open_once(lacking)

    def _open_once(self, keys: Iterable[RowKey]) -> list[RowKey]:
        """Open rows; return those that the slots have no room for just now."""
        chosen = [(key, self._roster.spec(key)) for key in keys]
        if not chosen:
            return []
        worn = {adapter.digest for _key, spec in chosen for adapter, _weight in spec.stack}
        before = {digest for digest in worn if self._engine.holds(digest)}
        begun_at, texts = self._clock(), self._engine.texts
        try:
            results = self._engine.open_rows([spec for _key, spec in chosen])
        except Exception as error:
            runs = {self._roster.run(key) for key, _spec in chosen}
            self._fail_all(runs, error, event="rows.opening_failed")
            return []
        lacking: list[RowKey] = []
        failures: dict[JobRun, EngineError] = {}
        for (key, _spec), result in zip(chosen, results, strict=True):
            if not isinstance(result, EngineError):
                self._roster.open(key, result)
            elif isinstance(result, SlotsExhausted) and self._roster.running_count:
                lacking.append(key)
            else:
                failures[self._roster.run(key)] = result
        for run, failure in failures.items():
            self._drop(run, failure)
        self._note_texts(texts)
        self._note_slots(worn, before=before, seconds=self._clock() - begun_at)
        return lacking

    def _step(self, batch: list[Begun[R]], *, is_merged: bool) -> None:
        if not batch:
            return
        for begun in batch:
            begun.run.begin()
        self._pulse.beat()
        begun_at = self._clock()
        try:
            self._engine.step([begun.row for begun in batch], is_merged=is_merged)
        except EngineError as error:
            self._step_otherwise(batch, error, is_merged=is_merged)
            return
        except Exception as error:
            self._fail_all({begun.run for begun in batch}, error, event="step.failed")
            return
        self._roster.note_mode(is_merged=is_merged, merged_stack=self._engine.merged_stack)
        self._note_served(batch)
        self._metrics.step_seconds.observe(self._clock() - begun_at)
        self._metrics.batch_rows.observe(len(batch))
        self.steps += 1
        self.row_steps += len(batch)
        for begun in batch:
            if not begun.run.is_ended:
                self._settle(begun)

    def _step_otherwise(
        self, batch: list[Begun[R]], error: EngineError, *, is_merged: bool
    ) -> None:
        """Go on after a step that was not possible: without the copy, in halves, or not at all."""
        if is_merged and self._roster.note_unmergeable(batch[0]):
            # First, for the batch may well fit once there is no copy to make.
            log_problem("stack.not_merged", reason=error.reason, message=str(error))
            self._step(batch, is_merged=False)
        elif isinstance(error, DeviceMemoryFull) and len(batch) > 1:
            log_problem("step.halved", reason=error.reason, rows=len(batch))
            parts = sum(max(1, len(begun.run.job.drawing.regions)) for begun in batch)
            self._roster.note_fit(batch[0], rows=parts)
            middle = len(batch) // 2
            for half in (batch[:middle], batch[middle:]):
                self._step(half, is_merged=is_merged)
        else:
            for run in {begun.run for begun in batch}:
                self._drop(run, error)

    def _note_served(self, batch: list[Begun[R]]) -> None:
        """Note the time of a step, as the engine measures it: on CUDA this thread does not wait."""
        drawings = [begun.run.job.drawing for begun in batch]
        samples = sum(drawing.samples for drawing in drawings)
        seconds = self._engine.work.step.seconds(drawings[0].size, samples=samples)
        self._roster.note_served(batch, seconds=seconds)

    def _settle(self, begun: Begun[R]) -> None:
        """Tell of one row's step; free its slots when it is done."""
        run, row, index = begun.run, begun.row, begun.index
        self._roster.note_stepped(begun)
        if row.failure is not None:
            self._drop(run, row.failure)
            return
        run.send(Progress(index=index, step=row.steps_done, steps=row.steps_total))
        every = run.job.preview_every
        try:
            if row.is_done:
                run.times.note("stepped", index=index)
                self._close(begun)
                self._done.append(begun)
                if not self._roster.has(run):
                    run.let_go()
            elif every and row.steps_done % every == 0 and self._may_preview(run):
                readback = self._engine.preview(row)
                self._finisher.show(run, index=index, step=row.steps_done, readback=readback)
        except EngineError as error:
            self._drop(run, error)
        except Exception as error:
            self._fail_all([run], error, event="image.decoding_failed")

    def _may_preview(self, run: JobRun) -> bool:
        """Say whether one more look fits into this turn; else its caller sees the next."""
        work, before = self._engine.work, self._preview_seconds
        self._preview_seconds += work.decoding.seconds(run.job.drawing.size)
        return not before or self._preview_seconds <= work.bound(self._limits.step_seconds_max)

    def _decode(self) -> None:
        """Decode done rows, while others run for no longer than one of their steps."""
        costs = self._engine.costs()
        spent = 0.0
        while self._done and not (self._roster.running_count and spent > costs.step):
            self._pulse.beat()
            begun = self._done.popleft()
            run, begun_at = begun.run, self._clock()
            if run.is_ended:
                continue
            run.times.note("decoding", index=begun.index)
            try:
                readback = self._engine.decode(begun.row)
                self._finisher.finish(run, index=begun.index, readback=readback)
            except EngineError as error:
                self._drop(run, error)
            except Exception as error:
                self._fail_all([run], error, event="image.decoding_failed")
            expected = costs.work.decoding.seconds(run.job.drawing.size)
            spent += max(expected, self._clock() - begun_at)

    def _fail_all(self, runs: Iterable[JobRun], error: Exception, *, event: str) -> None:
        log_problem(event, error=error)
        for run in list(runs):
            failure = JobFailed(
                "the server failed while it drew this image",
                hint="retry; if it happens again, the server's log has the traceback",
            )
            failure.__cause__ = error
            self._drop(run, failure)

    def _drop(self, run: JobRun, error: Exception | None) -> None:
        """Free everything a run has here, then end it with the error, if there is one."""
        for begun in self._roster.remove(run):
            self._close(begun)
        run.let_go()
        if error is not None:
            run.fail(error)

    def _close(self, begun: Begun[R]) -> None:
        self._roster.close(begun)
        self._close_row(begun)

    def _close_row(self, begun: Begun[R]) -> None:
        try:
            self._engine.close_row(begun.row)
        except Exception as error:
            log_problem("row.closing_failed", error=error, job=begun.run.job.id)

    def _empty_slots(self) -> None:
        if not self._unwanted:
            return
        for _ in range(len(self._unwanted)):
            digest = self._unwanted.popleft()
            if not self._engine.forget(digest):
                self._unwanted.append(digest)  # its rows are closed at a later boundary
        self._note_bytes()
        self._metrics.text_bytes.set(self._engine.texts.bytes)

    def _note_bytes(self) -> None:
        held = self._engine.resident_bytes
        self._metrics.adapter_resident_bytes.labels(tier="slot").set(held)

    def _note_texts(self, before: TextCounts) -> None:
        now = self._engine.texts
        self._metrics.texts.labels(outcome="found").inc(now.found - before.found)
        self._metrics.texts.labels(outcome="encoded").inc(now.encoded - before.encoded)
        self._metrics.text_bytes.set(now.bytes)

    def _note_slots(self, worn: set[str], *, before: set[str], seconds: float) -> None:
        self._note_bytes()
        now = {digest for digest in worn if self._engine.holds(digest)}
        self._metrics.adapter_cache_hits.labels(tier="slot").inc(len(before))
        if loaded := now - before:
            self._metrics.adapter_loads.labels(tier="slot").inc(len(loaded))
            self._metrics.adapter_load_seconds.labels(tier="slot").observe(seconds)
