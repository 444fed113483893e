# SPDX-License-Identifier: Apache-2.0
"""Draws shadows: beside a caller's image the other release's and the base's, of the same seed.

In: requests on their way to `generation`, whose events pass through unchanged. Out: pairs of
pictures to the watch of a canary. A caller is given its own image alone, and waits for nothing; its
rows share their steps with the shadow's where these have room. Asyncio thread.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, replace

from tabard_registry import AdapterRef, Release, State
from tabard_registry.evidence.grid import without_trigger
from tabard_registry.refs.digest import Digest
from tabard_registry.refs.names import AdapterName, ByChannel
from tabard_registry.release.canary import OBSERVATIONS_PER_ACT_MAX, Canary
from tabard_registry.state.canaries import open_canary
from tabard_server.admission.triggers import triggers_of
from tabard_server.callers.caller import Caller
from tabard_server.canary.served import release_asked, releases_by_place
from tabard_server.engine_port.drawing import Size
from tabard_server.engine_port.errors import RowNotFinite
from tabard_server.evaluation.cells import Side
from tabard_server.jobs.job import Accepted, Event, ImageReady, Job, JobSpec, WantedAdapter
from tabard_server.jobs.words.controls import NOTHING_SAID, bare_ref, read_said
from tabard_server.jobs.words.prompt_tags import read_tags
from tabard_server.judgement.canary.units import unit_of
from tabard_server.scheduler.claims import Priority
from tabard_server.telemetry.logs import log_problem

Generate = Callable[[JobSpec], AsyncGenerator[Event, None]]
CANARIES = Caller("canaries")
"""Who draws shadows: the server itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Three pictures of one prompt and seed.

    Attributes:
        unit: What it is counted under.
        pngs: One of each side; None: its latents became NaN or infinite.
        size: Of all of them.
    """

    unit: str
    pngs: Mapping[Side, bytes | None]
    size: Size


class Watched:
    """One canary that wants pairs, as far as drawing goes."""

    def __init__(self, adapter: AdapterName, candidate: Digest) -> None:
        self.adapter = adapter
        self.candidate = candidate
        self.pairs: asyncio.Queue[Pair] = asyncio.Queue()
        self.units: set[str] = set()
        """Counted, or being drawn."""
        self.wants_pairs = False


class Shadowing:
    """Draws the shadows of a server's canaries."""

    def __init__(
        self,
        generate: Generate,
        *,
        state: Callable[[], State],
        pairs_max: int,
        seconds_max: float,
    ) -> None:
        """Take the walk of a request.

        Args:
            generate: The walk.
            state: The newest snapshot.
            pairs_max: Pairs that are drawn at once, of all canaries.
            seconds_max: How long one may take; on a server that has no room it is given up.
        """
        self._generate = generate
        self._state = state
        self._pairs_max = pairs_max
        self._seconds_max = seconds_max
        self._watched: dict[tuple[AdapterName, Digest], Watched] = {}
        self._drawing: set[asyncio.Task[None]] = set()

    def watch(self, one: Watched) -> None:
        """Draw pairs for a canary from now on."""
        self._watched[one.adapter, one.candidate] = one

    def forget(self, one: Watched) -> None:
        """Draw no more for it."""
        self._watched.pop((one.adapter, one.candidate), None)

    def close(self) -> None:
        """Draw nothing more. Idempotent."""
        self._watched.clear()
        for task in self._drawing:
            task.cancel()

    async def generate(self, spec: JobSpec) -> AsyncGenerator[Event, None]:
        """Pass a request on, and its events back; draw a shadow beside it where one is wanted.

        Raises:
            ServerError, RegistryError, EngineError: As the walk does.
        """
        served: asyncio.Future[bytes | None] | None = None
        walk = self._generate(spec)
        asked = spec if self._watched and _can_be_paired(spec) else None
        # A request may hold a picture, which is let go of once it is read.
        del spec
        async with aclosing(walk) as events:
            try:
                async for event in events:
                    if isinstance(event, Accepted) and asked is not None:
                        served = self._begin(asked, event.job)
                    elif isinstance(event, ImageReady) and event.index == 0:
                        _serve(served, event)
                    yield event
            except RowNotFinite:
                _settle(served, None)
                raise
            finally:
                if served is not None:
                    served.cancel()

    def _begin(self, spec: JobSpec, job: Job) -> asyncio.Future[bytes | None] | None:
        """Begin a shadow of a job that a canary wants; return what waits for the job's image."""
        if len(self._drawing) >= self._pairs_max:
            return None
        found = self._find(spec, job)
        if found is None:
            return None
        watched, canary, at = found
        if watched.pairs.qsize() >= OBSERVATIONS_PER_ACT_MAX:
            # They are drawn faster than they are scored, and their pictures wait in memory.
            return None
        unit = unit_of(spec.wanted.prompt)
        if unit in watched.units:
            return None
        watched.units.add(unit)
        served: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()
        work = self._draw(spec, job, watched=watched, canary=canary, at=at, served=served)
        task = asyncio.create_task(work, name="tabard-shadow")
        self._drawing.add(task)
        task.add_done_callback(self._drawing.discard)
        return served

    def _find(self, spec: JobSpec, job: Job) -> tuple[Watched, Canary, int] | None:
        """Return the canary that a request came through, and the place of its ref."""
        state = self._state()
        asked = releases_by_place(job, count=len(spec.adapters))
        for at, release in enumerate(asked or ()):
            ref = AdapterRef.parse(bare_ref(spec.adapters[at].ref))
            if not isinstance(ref.selector, ByChannel):
                continue
            line = state.adapters.get(ref.adapter)
            canary = open_canary(line, channel=ref.selector.channel) if line else None
            if canary is None:
                continue
            watched = self._watched.get((ref.adapter, canary.terms.candidate))
            sides = (canary.terms.candidate, canary.terms.baseline)
            if watched and watched.wants_pairs and release.digest in sides:
                return watched, canary, at
        return None

    async def _draw(
        self,
        spec: JobSpec,
        job: Job,
        *,
        watched: Watched,
        canary: Canary,
        at: int,
        served: asyncio.Future[bytes | None],
    ) -> None:
        """Draw what is missing of a pair, and hand it over with what the caller was served."""
        unit = unit_of(spec.wanted.prompt)
        is_candidate = _asked(spec, job)[at].digest == canary.terms.candidate
        other = canary.terms.baseline if is_candidate else canary.terms.candidate
        mine, others = Side.CANDIDATE, Side.AGAINST
        if not is_candidate:
            mine, others = others, mine
        try:
            async with asyncio.timeout(self._seconds_max), asyncio.TaskGroup() as drawing:
                # In one breath with the caller's own row: they meet at the next step boundary.
                theirs, base = (
                    drawing.create_task(self._picture(_shadow(spec, job, at=at, digest=digest)))
                    for digest in (other, None)
                )
                own = await served
        except (asyncio.CancelledError, TimeoutError):
            # The caller left, the server had no room for too long, or it stops: no pair, no harm.
            watched.units.discard(unit)
        except Exception as error:
            # The outermost frame of this task: callers are served on, and the canary has others.
            watched.units.discard(unit)
            log_problem("canary.pair_lost", reason=_reason(error))
        else:
            pngs = {mine: own, others: theirs.result(), Side.BASE: base.result()}
            watched.pairs.put_nowait(Pair(unit=unit, pngs=pngs, size=job.drawing.size))

    async def _picture(self, spec: JobSpec) -> bytes | None:
        """Draw one picture; None: its latents became NaN or infinite."""
        png: bytes | None = None
        try:
            async with aclosing(self._generate(spec)) as events:
                async for event in events:
                    if isinstance(event, ImageReady):
                        png = event.content
        except RowNotFinite:
            return None
        return png


def _can_be_paired(spec: JobSpec) -> bool:
    """Say whether a request is plain enough to be drawn again with another release."""
    is_callers = spec.priority > Priority.BACKGROUND
    is_bare = spec.wanted.image is None and not spec.wanted.regions
    is_plain = is_bare and spec.written.format == "png"
    return is_callers and is_plain and not read_tags(spec.wanted.prompt).refs


def _shadow(spec: JobSpec, job: Job, *, at: int, digest: Digest | None) -> JobSpec:
    """Return the request of a shadow: another release in one place of the stack, or none.

    All others are those that the job wears, whatever their own channels and canaries would give
    the shadow; each at the weight that was said, or else at its own.
    """
    digests = [one.digest for one in _asked(spec, job)]
    asked = [_as_asked(one) for one in spec.adapters]
    wanted = spec.wanted
    if digest is None:
        worn = [one for one in job.worn if release_asked(one).digest != digests[at]]
        del digests[at], asked[at]
        if not triggers_of(worn):
            wanted = replace(wanted, prompt=without_trigger(wanted.prompt))
    else:
        digests[at] = digest
    return JobSpec(
        wanted=wanted,
        adapters=tuple(
            replace(one, ref=f"{AdapterRef.parse(one.ref).adapter}@{pinned}")
            for one, pinned in zip(asked, digests, strict=True)
        ),
        seed=job.seeds[0],
        images=1,
        is_deterministic=spec.is_deterministic,
        caller=CANARIES,
        priority=Priority.SHADOW,
    )


def _as_asked(wanted: WantedAdapter) -> WantedAdapter:
    """Return what was asked for, with all that its ref says beside it."""
    said = read_said(wanted.ref, place_of="adapters")
    return WantedAdapter(
        ref=said.ref,
        weight=said.weight if wanted.weight is None else wanted.weight,
        controls=wanted.controls if said.controls == NOTHING_SAID else said.controls,
    )


def _asked(spec: JobSpec, job: Job) -> list[Release]:
    asked = releases_by_place(job, count=len(spec.adapters))
    assert asked is not None, "only plain stacks are paired"
    return asked


def _serve(served: asyncio.Future[bytes | None] | None, image: ImageReady) -> None:
    """Hand over what the caller was served; one that was altered shows nothing of a release."""
    if image.is_altered and served is not None:
        served.cancel()
    else:
        _settle(served, image.content)


def _settle(served: asyncio.Future[bytes | None] | None, png: bytes | None) -> None:
    if served is not None and not served.done():
        served.set_result(png)


def _reason(error: Exception) -> str:
    if isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return str(getattr(error, "reason", "INTERNAL"))
