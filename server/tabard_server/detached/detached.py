# SPDX-License-Identifier: Apache-2.0
"""Detached jobs as their owners see them: begun, looked at, watched, cancelled, run again.

In: requests whose callers do not wait, and questions. Out: jobs, after a restart of the server too.
Nobody but its owner learns that there is such a job. Asyncio thread.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from tabard_registry import Digest, State
from tabard_registry.acts.permission import refuse_role
from tabard_registry.identity.identity import Identity
from tabard_registry.identity.roles import Role
from tabard_server.callers.caller import Caller
from tabard_server.detached.drawing import Asked, Drawing, Walk, Words, stopped
from tabard_server.detached.folder import JobFolder
from tabard_server.detached.held import Held, Told
from tabard_server.detached.record import Failure, JobRecord, JobState, Owner, ended
from tabard_server.detached.results import Results
from tabard_server.detached.shelf import Shelf
from tabard_server.detached.webhooks import Webhooks
from tabard_server.error_kinds import refusal_of
from tabard_server.errors import (
    JobCancelled,
    JobUnknown,
    ReleaseWithdrawn,
    RequestIdTaken,
    invalid,
)
from tabard_server.jobs.job import ImageReady, JobSpec
from tabard_server.jobs.request_book import fingerprint_of
from tabard_server.telemetry.logs import log_event, log_problem
from tabard_server.threads import Threads


class Detached:
    """The detached jobs of one server."""

    def __init__(
        self,
        *,
        walk: Walk,
        words: Words,
        folder: JobFolder,
        results: Results,
        shelf: Shelf,
        webhooks: Webhooks,
        threads: Threads,
        state: Callable[[], State],
        clock: Callable[[], float],
        review_seconds: float,
    ) -> None:
        """Take its rooms; `clock` tells seconds since 1970."""
        self._walk = walk
        self._words = words
        self._folder = folder
        self._results = results
        self._shelf = shelf
        self._webhooks = webhooks
        self._threads = threads
        self._state = state
        self._clock = clock
        self._review_seconds = review_seconds
        self._opened = asyncio.Event()
        self._starting: dict[tuple[Owner, str], asyncio.Event] = {}
        self._jobs: set[asyncio.Task[None]] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._drawing = Drawing(
            walk=walk,
            words=words,
            folder=folder,
            results=results,
            shelf=shelf,
            threads=threads,
            clock=clock,
            on_end=lambda held: self._spawn(self._tell(held)),
        )

    def __len__(self) -> int:
        return len(self._shelf)

    async def open(self) -> None:
        """Take the folder, and find the jobs of an earlier server in it; nobody is asked before.

        What that was drawing is over: its owner may have it run again.

        Raises:
            BadSettings: The folder cannot be had.
        """
        for found in await self._threads.run(self._folder.open):
            record = found
            if not record.state.is_ended:
                # More was told than was kept, so its end is the first event of another run.
                record = replace(record, run=record.run + 1)
                record = ended(
                    record,
                    event_id=record.accepted_event,
                    now=self._clock(),
                    failure=Failure.of(refusal_of(stopped())),
                )
                await self._threads.run(self._folder.update, record)
            held = Held(record)
            self._shelf.add(held)
            self._spawn(self._tell(held))
        self._withdraw_known()
        await self._drawing.make_room()
        self._spawn(self._review())
        self._opened.set()

    async def close(self) -> None:
        """Keep what jobs came to that have just ended, and let go of the folder. Idempotent."""
        await asyncio.gather(*self._jobs, return_exceptions=True)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._threads.close()
        self._folder.close()

    async def start(self, asked: Asked) -> JobRecord:
        """Accept a job; the same request id stands for the same job.

        Raises:
            RequestIdTaken: The id stands for another request.
            ServerError, RegistryError: It is refused.
        """
        await self._opened.wait()
        spec = asked.spec
        if asked.hook_url:
            self._webhooks.check(asked.hook_url, tenant=spec.identity.tenant)
        if asked.place:
            self._results.check(asked.place)
            refuse_role(Role.GENERATE, namespace=asked.place, grants=spec.identity.grants)
        if not spec.request_id:
            return await self._begin(asked)
        key = Owner.of(spec.identity), spec.request_id
        while starting := self._starting.get(key):
            await starting.wait()
        if found := self._found(spec, asked=asked):
            return await self._begin(asked, held=found) if _is_asked_back(found) else found.record
        settled = self._starting[key] = asyncio.Event()
        try:
            return await self._begin(asked)
        finally:
            del self._starting[key]
            settled.set()

    async def find(self, spec: JobSpec) -> Held | None:
        """Return the job that a request stands for by its id, while it runs and once it is done.

        Raises:
            RequestIdTaken: The id stands for another request.
            Forbidden: The caller may not generate any more with what it wears.
        """
        await self._opened.wait()
        held = self._found(spec)
        return None if held is None or _is_asked_back(held) else held

    async def get(self, job: str, *, identity: Identity) -> Held:
        """Return a job of somebody.

        Raises:
            InvalidRequest: No job is named.
            JobUnknown: They have no such job.
            Forbidden: They may not generate any more with what it wears.
        """
        await self._opened.wait()
        if not job:
            raise invalid(
                "job_id", "no job is named", reason="FIELD_REQUIRED", hint="say the id of one"
            )
        held = self._shelf.get(job, owner=Owner.of(identity))
        if held is None:
            raise JobUnknown(
                f"there is no job {job[:64]!r}",
                hint="it is another's, was never accepted, or is not kept any more "
                "(jobs.keep_seconds, jobs.bytes_max)",
            )
        _refuse_stranger(held, identity)
        return held

    async def list(self, identity: Identity) -> Sequence[Held]:
        """Return somebody's jobs, the newest first."""
        await self._opened.wait()
        return self._shelf.of(Owner.of(identity))

    def kept_until(self, held: Held) -> float | None:
        """Say until when a job is kept; None: it is not over."""
        return self._shelf.kept_until(held) if held.record.state.is_ended else None

    def rows_before(self, held: Held) -> int:
        """Say how many images wait before it."""
        waits = held.record.state is JobState.WAITING
        return self._walk.rows_before(held.record.id) if waits else 0

    async def watch(
        self, job: str, *, after: int, identity: Identity
    ) -> AsyncGenerator[Told, None]:
        """Yield the events of a job behind one that is known. Raises as `get`."""
        held = await self.get(job, identity=identity)
        async with aclosing(held.watch(after=after)) as events:
            async for told in events:
                yield told

    async def image(self, job: str, *, index: int, identity: Identity) -> ImageReady:
        """Return a finished image.

        Raises:
            JobUnknown: There is no such job, or it has no such image.
            JobNotKept: It cannot be read.
        """
        held = await self.get(job, identity=identity)
        found = next((one for one in held.record.images if one.index == index), None)
        if found is None:
            raise JobUnknown(
                f"the job has no image {index}, or not yet",
                reason="JOB_IMAGE_UNKNOWN",
                hint="watch the job: an event tells of each image",
            )
        content, provenance = await self._threads.run(self._results.get, held.record, found)
        return ImageReady(
            index=index,
            content=content,
            seed=found.seed,
            provenance_json=provenance,
            format=found.format,
        )

    async def cancel(self, job: str, *, identity: Identity, forgets: bool = False) -> Held:
        """End a job; one that is over stays as it is. Raises as `get`.

        Args:
            job: Its id.
            identity: Whose it is.
            forgets: Whether nothing of it is kept.
        """
        held = await self.get(job, identity=identity)
        if held.task is not None:
            gone = JobCancelled("its owner cancelled it", hint="run it again, if it was a mistake")
            self._walk.stop_where(lambda one: one.id == job, error=gone)
            await asyncio.wait({held.task})
        if forgets:
            await self._drawing.drop(held)
        return held

    async def retry(self, job: str, *, identity: Identity, caller: Caller) -> JobRecord:
        """Run a job again that ended without all its images; another one stays as it is.

        It has the same id, seeds and releases. Raises as `get` and `start`.
        """
        held = await self.get(job, identity=identity)
        if held.record.state not in (JobState.FAILED, JobState.CANCELLED):
            return held.record
        request = await self._threads.run(self._folder.request, job)
        spec = self._words.read_request(request, identity, caller)
        return await self._begin(Asked(spec=spec, request=request), held=held)

    def withdraw(self, digest: str, error: ReleaseWithdrawn) -> None:
        """Keep no images of jobs that wear a release which was withdrawn."""
        for held in self._shelf.all():
            if digest in held.record.digests and held.record.images:
                self._spawn(self._empty(held, error))

    def _withdraw_known(self) -> None:
        """Keep no images of what was withdrawn while no server was here."""
        for line in self._state().adapters.values():
            for release in line.by_digest.values():
                if release.purged or release.quarantined:
                    self.withdraw(str(release.digest), _withdrawn(release.digest))

    def _found(self, spec: JobSpec, *, asked: Asked | None = None) -> Held | None:
        held = self._shelf.called(spec.request_id, owner=Owner.of(spec.identity))
        if held is None:
            return None
        record = held.record
        hook_url = record.hook.url if record.hook else ""
        is_same = record.fingerprint == fingerprint_of(spec).hex() and (
            asked is None or (asked.hook_url, asked.place) == (hook_url, record.place)
        )
        if not is_same:
            raise RequestIdTaken(
                "the request id was used for another request",
                reason="REQUEST_ID_REUSED",
                hint="make a fresh request id for each job",
            )
        _refuse_stranger(held, spec.identity)
        return held

    async def _begin(self, asked: Asked, *, held: Held | None = None) -> JobRecord:
        """Draw a job, for the first time or again; return once it is accepted and kept."""
        if held is not None and held.task is not None and held.accepted is not None:
            return await asyncio.shield(held.accepted)
        accepted: asyncio.Future[JobRecord] = asyncio.get_running_loop().create_future()
        work = self._drawing.draw(asked, held, accepted=accepted)
        task = asyncio.create_task(work, name="tabard-job")
        if held is not None:
            held.task, held.accepted = task, accepted
        self._jobs.add(task)
        task.add_done_callback(self._jobs.discard)
        try:
            return await asyncio.shield(accepted)
        except asyncio.CancelledError:
            # Nobody was promised anything: who asks again by the same id finds no job.
            if not accepted.done():
                task.cancel()
            raise

    async def _tell(self, held: Held) -> None:
        """Send its webhook, if it has one that waits; keep what came of each try."""
        record = held.record
        try:
            async for hook in self._webhooks.send(record):
                log_event(
                    "webhook.tried",
                    job=record.id,
                    outcome=hook.state.value,
                    attempts=hook.attempts,
                    message=hook.problem,
                )
                if held.record.run != record.run or self._shelf.find(record.id) is not held:
                    return
                await self._drawing.keep(held, replace(held.record, hook=hook))
        except Exception as error:
            # The outermost frame of this task.
            log_problem("webhook.failed", error=error, job=record.id)

    async def _empty(self, held: Held, error: ReleaseWithdrawn) -> None:
        """Remove the images of a job; its end says why they are gone."""
        record = held.record
        for one in record.images:
            await self._threads.run(self._folder.remove_image, record.id, index=one.index)
        emptied = replace(held.record, images=())
        if emptied.state.is_ended:
            failure = Failure.of(refusal_of(error))
            event_id, now = held.next_id(), record.ended_at
            emptied = ended(emptied, event_id=event_id, now=now, failure=failure)
        await self._drawing.keep(held, emptied)

    async def _review(self) -> None:
        while True:
            await asyncio.sleep(self._review_seconds)
            await self._drawing.make_room()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _is_asked_back(held: Held) -> bool:
    """Say whether its owner was told to come back: then the same request draws it again."""
    return held.task is None and held.record.can_be_retried


def _refuse_stranger(held: Held, identity: Identity) -> None:
    for namespace in held.record.namespaces:
        refuse_role(Role.GENERATE, namespace=namespace, grants=identity.grants)


def _withdrawn(digest: Digest) -> ReleaseWithdrawn:
    return ReleaseWithdrawn(
        f"{digest}, which the job wore, was withdrawn",
        hint="ask again without it, or by a channel once that is rolled back",
    )
