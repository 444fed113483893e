# SPDX-License-Identifier: Apache-2.0
"""Draws one detached job after another's request: reads its events, and keeps what they bring.

In: a request. Out: a job that is accepted once it is on the disk, and what it comes to, kept before
anybody is told of it. Asyncio thread; the disk is asked in threads.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace

from tabard_registry.identity.identity import Identity
from tabard_registry.refs.digest import sha256_bytes
from tabard_server.callers.caller import Caller
from tabard_server.detached.folder import JobFolder
from tabard_server.detached.held import Held
from tabard_server.detached.record import (
    Failure,
    JobRecord,
    JobState,
    KeptImage,
    begun_again,
    ended,
    record_of,
)
from tabard_server.detached.results import Results
from tabard_server.detached.shelf import Shelf
from tabard_server.error_kinds import is_foreseen, refusal_of
from tabard_server.errors import JobNotKept, NotServing, ReadElsewhere
from tabard_server.jobs.job import (
    Accepted,
    Done,
    Event,
    ImageReady,
    Job,
    JobSpec,
    Preview,
    Progress,
)
from tabard_server.jobs.request_book import fingerprint_of
from tabard_server.telemetry.logs import log_event, log_problem
from tabard_server.threads import Threads

_TAKEN_OVER_MAX = 3
_STOPPED_RETRY_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request to draw something detached.

    Attributes:
        spec: What.
        request: The same, as the door reads it again for another run.
        hook_url: Who is told of its end; empty: nobody.
        place: Namespace in whose bucket the images shall be; empty: on the server's disk.
    """

    spec: JobSpec
    request: bytes
    hook_url: str = ""
    place: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """How jobs are drawn.

    Attributes:
        generate: The walk of a request.
        stop_where: Ends running jobs with an error.
        rows_before: Images that wait before a job.
        on_image: Told of each image that is kept.
    """

    generate: Callable[[JobSpec], AsyncGenerator[Event, None]]
    stop_where: Callable[..., int]
    rows_before: Callable[[str], int]
    on_image: Callable[[Job, ImageReady], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """How the door writes what a job was told, and reads its request again."""

    write_accepted: Callable[[Accepted], bytes]
    read_request: Callable[[bytes, Identity, Caller], JobSpec]


class Drawing:
    """Draws the detached jobs of one server."""

    def __init__(
        self,
        *,
        walk: Walk,
        words: Words,
        folder: JobFolder,
        results: Results,
        shelf: Shelf,
        threads: Threads,
        clock: Callable[[], float],
        on_end: Callable[[Held], None],
    ) -> None:
        """Take its rooms; `clock` tells seconds since 1970, `on_end` must not wait."""
        self._walk = walk
        self._words = words
        self._folder = folder
        self._results = results
        self._shelf = shelf
        self._threads = threads
        self._clock = clock
        self._on_end = on_end

    async def draw(
        self, asked: Asked, held: Held | None, *, accepted: "asyncio.Future[JobRecord]"
    ) -> None:
        """Draw a job; the outermost frame of its task.

        Args:
            asked: The request.
            held: The job, if it is run again.
            accepted: Told of its acceptance, or why there is none.
        """
        spec = asked.spec
        if held is not None:
            again = held.record.again
            spec = replace(spec, seed=held.record.seeds[0], request_id="", again=again)
        for left in reversed(range(_TAKEN_OVER_MAX)):
            try:
                held = await self._follow(spec, asked, held, accepted=accepted)
            except ReadElsewhere as error:
                # A call that was on its way before this job was known here; it is drawn on.
                if left and accepted.done():
                    held = self._shelf.find(accepted.result().id)
                    continue
                await self._fail(held, error, accepted=accepted)
            except asyncio.CancelledError:
                await self._fail(held, stopped(), accepted=accepted)
                raise
            except Exception as error:
                await self._fail(held, error, accepted=accepted)
            return

    async def keep(self, held: Held, record: JobRecord) -> None:
        """Keep what became of a job, then tell of it.

        Raises:
            JobNotKept: The disk does not take it; nothing is told.
        """
        await self._threads.run(self._folder.update, record)
        held.become(record)

    async def drop(self, held: Held) -> None:
        """Keep nothing of a job. Idempotent."""
        self._shelf.take(held)
        await self._threads.run(self._folder.remove, held.record.id)

    async def make_room(self) -> None:
        """Drop what is too old, or more than may be kept."""
        for held in self._shelf.due():
            log_event("job.dropped", job=held.record.id)
            await self.drop(held)

    async def _follow(
        self,
        spec: JobSpec,
        asked: Asked,
        held: Held | None,
        *,
        accepted: "asyncio.Future[JobRecord]",
    ) -> Held | None:
        job: Job | None = None
        async with aclosing(self._walk.generate(spec)) as events:
            async for event in events:
                if isinstance(event, Accepted):
                    job = event.job
                    if not accepted.done():
                        held = await self._accept_or_end(event, asked, held)
                        accepted.set_result(held.record)
                    continue
                assert held is not None and job is not None, "a job is accepted first"
                await self._take(held, event, job=job)
        return held

    async def _accept_or_end(self, event: Accepted, asked: Asked, held: Held | None) -> Held:
        """Accept a job; one that cannot be kept is drawn for nobody, and its id is free again."""
        try:
            return await self._accept(event, asked, held)
        except JobNotKept as error:
            gone = JobNotKept(str(error), hint=error.hint, retry_seconds=_STOPPED_RETRY_SECONDS)
            self._walk.stop_where(lambda one: one.id == event.job.id, error=gone)
            raise

    async def _accept(self, event: Accepted, asked: Asked, held: Held | None) -> Held:
        told = self._words.write_accepted(event)
        if held is None:
            record = record_of(
                event,
                told=told,
                request_id=asked.spec.request_id,
                fingerprint=fingerprint_of(asked.spec).hex(),
                place=asked.place,
                hook_url=asked.hook_url,
                now=self._clock(),
            )
            held = Held(record)
            held.task = asyncio.current_task()
        else:
            record = begun_again(held.record, event, told=told)
        await self._threads.run(self._folder.begin, record, request=asked.request)
        held.become(record)
        self._shelf.add(held)
        log_event("job.detached", job=record.id, run=record.run)
        await self.make_room()
        return held

    async def _take(self, held: Held, event: Event, *, job: Job) -> None:
        match event:
            case Progress() | Preview():
                held.pass_on(event)
            case ImageReady():
                await self._threads.run(
                    self._results.put,
                    held.record,
                    index=event.index,
                    content=event.content,
                    provenance=event.provenance_json,
                )
                await self.keep(held, _with_image(held, event))
                self._walk.on_image(job, event)
                await self.make_room()
            case Done(queue_seconds=queued, total_seconds=total):
                record = replace(held.record, queue_seconds=queued, total_seconds=total)
                await self._end(held, record)
            case _:
                pass

    async def _fail(
        self, held: Held | None, error: Exception, *, accepted: "asyncio.Future[JobRecord]"
    ) -> None:
        if not accepted.done():
            # Of a job that is run again the earlier end still holds.
            if held is not None:
                held.task = None
            accepted.set_exception(error)
            # Nobody may be left to hear of it.
            accepted.exception()
            return
        held = self._shelf.find(accepted.result().id)
        if held is None:
            return
        if not is_foreseen(error):
            log_problem("job.not_kept", error=error, job=held.record.id)
        await self._end(held, held.record, failure=Failure.of(refusal_of(error)))

    async def _end(self, held: Held, record: JobRecord, *, failure: Failure | None = None) -> None:
        record = ended(record, event_id=held.next_id(), now=self._clock(), failure=failure)
        try:
            await self.keep(held, record)
        except Exception as error:
            # After a restart it will have failed; until then its owner can have it.
            log_problem("job.not_kept", error=error, job=record.id)
            held.become(record)
        held.task = None
        self._on_end(held)
        await self.make_room()


def stopped() -> NotServing:
    """Make the error of a job that was drawn when its server stopped."""
    return NotServing(
        "the server stopped before the job was done",
        reason="SERVER_STOPPED",
        hint="run the job again: it has the same seeds and releases",
        retry_seconds=_STOPPED_RETRY_SECONDS,
    )


def _with_image(held: Held, event: ImageReady) -> JobRecord:
    others = [one for one in held.record.images if one.index != event.index]
    image = KeptImage(
        index=event.index,
        seed=event.seed,
        format=event.format,
        byte_count=len(event.content),
        digest=str(sha256_bytes(event.content)),
        event_id=held.next_id(),
    )
    images = tuple(sorted((*others, image), key=lambda one: one.index))
    state = JobState.RUNNING
    return replace(held.record, images=images, state=state, last_event=image.event_id)
