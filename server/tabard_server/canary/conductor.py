# SPDX-License-Identifier: Apache-2.0
"""Leads the open canaries of a registry, on this server: pairs in, steps in the log out.

In: a word after each record. Out: `observe`, `share` and `end` steps. The log is the state: any
replica goes on where another was, what two of them write twice counts once, and a verdict that was
said is not said again. A scorer that fails or stands still makes a canary inconclusive; what people
do goes its own way and waits for nothing here. Asyncio thread.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from tabard_registry import Registry, RegistryError, State
from tabard_registry.acts.act import Act
from tabard_registry.acts.canaries import (
    CanaryName,
    CanaryStep,
    end_canary,
    observe,
    raise_share,
)
from tabard_registry.errors import NotFound, PreconditionFailed
from tabard_registry.refs.digest import Digest
from tabard_registry.refs.names import AdapterName
from tabard_registry.release.canary import (
    INCONCLUSIVE,
    OBSERVATIONS_PER_ACT_MAX,
    PAIR,
    Canary,
    CanaryFigures,
    Observation,
)
from tabard_registry.state.canaries import canary_of
from tabard_server.canary.calibrating import Calibrating
from tabard_server.canary.course import (
    decision_of,
    figures_of,
    server_author,
    share_of,
    told,
    verdict_of,
)
from tabard_server.canary.scorer import Calibration, observe_pair
from tabard_server.canary.shadowing import Pair, Shadowing, Watched
from tabard_server.evaluation.looks import Encoders
from tabard_server.judgement.canary.decision import Course
from tabard_server.judgement.scores.result import NotChecked
from tabard_server.telemetry.logs import log_event, log_problem
from tabard_server.threads import Threads

CALIBRATIONS_MAX = 3
"""Attempts at the pictures that a canary is scored by."""

Key = tuple[AdapterName, Digest]


class ScorerStopped(Exception):
    """A canary cannot be scored here; the message says why."""


class Conductor:
    """Leads canaries for one server."""

    def __init__(
        self,
        registry: Registry,
        *,
        shadowing: Shadowing,
        calibrating: Calibrating,
        encoders: Encoders,
        on_act: Callable[[], Awaitable[None]],
        scoring_seconds_max: float,
        retry_seconds: float,
    ) -> None:
        """Take what draws and what scores.

        Args:
            registry: Where canaries are.
            shadowing: What draws pairs.
            calibrating: What draws what they are scored by.
            encoders: What looks at pictures.
            on_act: Called after each step that was written.
            scoring_seconds_max: How long one pair may be scored; then the scorer stands still.
            retry_seconds: How long to wait after a store that fails.
        """
        self._registry = registry
        self._shadowing = shadowing
        self._calibrating = calibrating
        self._encoders = encoders
        self._on_act = on_act
        self._scoring_seconds_max = scoring_seconds_max
        self._retry_seconds = retry_seconds
        self._acting = Threads("canary", threads_max=1)
        self._watches: dict[Key, asyncio.Task[None]] = {}
        self._wakers: dict[Key, asyncio.Event] = {}

    def review(self) -> None:
        """Begin to lead what was opened, and look again at what changed. Must not wait."""
        for key in _open_in(self._registry.state) - self._watches.keys():
            self._wakers[key] = asyncio.Event()
            task = asyncio.create_task(self._lead(key), name="tabard-canary")
            self._watches[key] = task
            task.add_done_callback(partial(self._drop, key))
        for waker in self._wakers.values():
            waker.set()

    def close(self) -> None:
        """Lead nothing more; what the log has goes on elsewhere, or later. Idempotent."""
        self._shadowing.close()
        for task in self._watches.values():
            task.cancel()
        self._acting.close()

    def _drop(self, key: Key, _task: asyncio.Task[None]) -> None:
        self._watches.pop(key, None)
        self._wakers.pop(key, None)

    async def _lead(self, key: Key) -> None:
        watched = Watched(*key)
        self._shadowing.watch(watched)
        scoring = Threads("score", threads_max=1)
        try:
            await self._follow(key, watched, scoring=scoring)
        except ScorerStopped as stopped:
            await self._give_up(key, str(stopped))
        except asyncio.CancelledError:
            raise
        except Exception as error:
            # The outermost frame of this task: never a Success by silence.
            log_problem("canary.failed", error=error, adapter=str(key[0]))
            await self._give_up(key, "the server failed while it judged")
        finally:
            self._shadowing.forget(watched)
            scoring.close()

    async def _follow(self, key: Key, watched: Watched, *, scoring: Threads) -> None:
        """Lead one canary until it has ended."""
        waker = self._wakers[key]
        calibration: Calibration | None = None
        while (canary := self._canary(key)) is not None and canary.is_open:
            waker.clear()
            watched.units |= {one.unit for one in canary.seen if one.kind == PAIR}
            decision = decision_of(canary)
            if verdict := verdict_of(canary, decision):
                figures, said = figures_of(decision), told(verdict, decision)
                if await self._end(key, verdict, figures=figures, said=said):
                    continue
            if (share := share_of(canary, decision)) is not None:
                await self._act(key, raise_share(_name(key), share=share))
                log_event("canary.share", adapter=str(key[0]), share=share)
                continue
            watched.wants_pairs = decision.course is Course.GO_ON and not canary.is_held
            if watched.wants_pairs and calibration is None:
                calibration = await self._calibrate(key, canary, scoring=scoring)
            pairs = await _next_pairs(watched, waker)
            if pairs and calibration is not None:
                await self._observe(key, pairs, calibration=calibration, scoring=scoring)

    async def _calibrate(self, key: Key, canary: Canary, *, scoring: Threads) -> Calibration:
        begun_at = time.monotonic()
        for attempt in range(CALIBRATIONS_MAX):
            try:
                author = server_author(canary)
                found = await self._calibrating.calibrate(
                    key[0], canary, author=author, scoring=scoring
                )
            except TimeoutError as late:
                raise ScorerStopped("the scorer stands still") from late
            except Exception as error:
                # Whatever it was: a scorer that cannot begin is no evidence of health.
                reason = getattr(error, "reason", "INTERNAL")
                log_problem("canary.not_calibrated", reason=reason, adapter=str(key[0]))
                if attempt + 1 == CALIBRATIONS_MAX:
                    raise ScorerStopped(f"what it is scored by was not drawn: {error}") from error
                await asyncio.sleep(self._retry_seconds)
            else:
                if isinstance(found, NotChecked):
                    raise ScorerStopped(f"the style cannot be scored: {found.reason}")
                seconds = time.monotonic() - begun_at
                log_event("canary.calibrated", adapter=str(key[0]), seconds=seconds)
                return found
        raise AssertionError("the last attempt returns or raises")

    async def _observe(
        self, key: Key, pairs: Sequence[Pair], *, calibration: Calibration, scoring: Threads
    ) -> None:
        seen: list[Observation] = []
        for pair in pairs:
            try:
                async with asyncio.timeout(self._scoring_seconds_max):
                    seen.append(
                        await scoring.run(
                            observe_pair,
                            pair.unit,
                            pair.pngs,
                            size=pair.size,
                            calibration=calibration,
                            encoders=self._encoders,
                        )
                    )
            except TimeoutError as late:
                raise ScorerStopped("the scorer stands still") from late
            except Exception as error:
                log_problem("canary.scorer_failed", error=error, adapter=str(key[0]))
                raise ScorerStopped(f"the scorer failed: {type(error).__name__}") from error
        await self._act(key, observe(_name(key), observations=seen))

    async def _end(
        self, key: Key, verdict: str, *, figures: CanaryFigures | None = None, said: str
    ) -> bool:
        """Say a verdict; return whether that could be done. Where it cannot, people decide."""
        act = end_canary(_name(key), verdict=verdict, figures=figures, said=said)
        try:
            await self._act(key, act, strict=True)
        except PreconditionFailed as refusal:
            if refusal.reason == "CANARY_ENDED":
                return True
            log_problem("canary.not_ended", reason=refusal.reason, message=str(refusal))
            said = f"{said}; it cannot be done: {refusal}"
            act = end_canary(_name(key), verdict=INCONCLUSIVE, figures=figures, said=said)
            await self._act(key, act)
            return False
        log_event("canary.ended", adapter=str(key[0]), verdict=verdict, said=said)
        return True

    async def _give_up(self, key: Key, why: str) -> None:
        canary = self._canary(key)
        if canary is None or not canary.is_open or canary.is_held:
            return
        decision = decision_of(canary)
        await self._end(key, INCONCLUSIVE, figures=figures_of(decision), said=why)

    async def _act(self, key: Key, act: Act[CanaryStep], *, strict: bool = False) -> None:
        """Write a step; an outage is waited out, and what ended meanwhile is no failure."""
        while (canary := self._canary(key)) is not None:
            try:
                await self._acting.run(self._registry.commit, act, author=server_author(canary))
            except (PreconditionFailed, NotFound):
                if strict:
                    raise
            except RegistryError as error:
                log_problem("canary.not_written", reason=error.reason, message=str(error))
                await asyncio.sleep(self._retry_seconds)
                continue
            await self._on_act()
            return

    def _canary(self, key: Key) -> Canary | None:
        line = self._registry.state.adapters.get(key[0])
        return canary_of(line, candidate=key[1]) if line else None


def _open_in(state: State) -> set[Key]:
    """Return every open canary of a snapshot."""
    lines = (state.adapters.get(name) for name in state.canaried)
    return {
        (line.name, one.terms.candidate)
        for line in lines
        if line is not None
        for one in line.canaries
        if one.is_open
    }


def _name(key: Key) -> CanaryName:
    return CanaryName(adapter=key[0], candidate=key[1])


async def _next_pairs(watched: Watched, waker: asyncio.Event) -> list[Pair]:
    """Wait for pairs, or for a record; return all the pairs that are there, if any."""
    got, woken = asyncio.ensure_future(watched.pairs.get()), asyncio.ensure_future(waker.wait())
    try:
        await asyncio.wait((got, woken), return_when=asyncio.FIRST_COMPLETED)
        pairs = [got.result()] if got.done() else []
    finally:
        got.cancel()
        woken.cancel()
    while not watched.pairs.empty() and len(pairs) < OBSERVATIONS_PER_ACT_MAX:
        pairs.append(watched.pairs.get_nowait())
    return pairs
