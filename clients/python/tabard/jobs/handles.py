# SPDX-License-Identifier: Apache-2.0
"""Handles of detached jobs, for both clients: to wait for one, to end it, to have its images.

A handle needs no connection of its own: it holds an id, and asks by its client's verbs.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Callable, Generator
from typing import Protocol

from tabard.errors import DeadlineExceeded, TabardError, Unavailable
from tabard.jobs.status import JobEvent, JobStatus
from tabard.patience import WATCH_PATIENCE_SECONDS, Patience
from tabard.result import GeneratedImage, GenerateResult, Progress


class Asking(Protocol):
    """The verbs of a client that a handle asks by."""

    def job_status(self, job_id: str) -> JobStatus:
        """Give how a job stands."""

    def watch_job(
        self, job_id: str, *, after_event_id: int = 0, timeout_seconds: float | None = None
    ) -> Generator[JobEvent, None, None]:
        """Yield what becomes of it."""

    def job_image(self, job_id: str, index: int = 0) -> GeneratedImage:
        """Give an image."""

    def cancel_job(self, job_id: str, *, forget: bool = False) -> JobStatus:
        """End it."""

    def retry_job(self, job_id: str) -> JobStatus:
        """Run it again."""


class AsyncAsking(Protocol):
    """The same for asyncio."""

    async def job_status(self, job_id: str) -> JobStatus:
        """Give how a job stands."""

    def watch_job(
        self, job_id: str, *, after_event_id: int = 0, timeout_seconds: float | None = None
    ) -> AsyncGenerator[JobEvent, None]:
        """Yield what becomes of it."""

    async def job_image(self, job_id: str, index: int = 0) -> GeneratedImage:
        """Give an image."""

    async def cancel_job(self, job_id: str, *, forget: bool = False) -> JobStatus:
        """End it."""

    async def retry_job(self, job_id: str) -> JobStatus:
        """Run it again."""


class Job:
    """A detached job of a `Client`.

    Attributes:
        id: Its id; `client.job(id)` gives the handle anywhere.
    """

    def __init__(self, client: Asking, job_id: str) -> None:
        self.id = job_id
        self._client = client

    def __repr__(self) -> str:
        return f"Job({self.id!r})"

    def status(self) -> JobStatus:
        """Give how it stands."""
        return self._client.job_status(self.id)

    def events(self, *, after_event_id: int = 0) -> Generator[JobEvent, None, None]:
        """Yield what becomes of it, behind an event that is known, until its end."""
        return self._client.watch_job(self.id, after_event_id=after_event_id)

    def wait(
        self,
        *,
        on_progress: Callable[[Progress], None] | None = None,
        timeout_seconds: float | None = None,
    ) -> GenerateResult:
        """Wait for its end, through broken connections and restarts, and give its images.

        Args:
            on_progress: Told as steps are done.
            timeout_seconds: How long to wait; left out: as long as it takes. The job goes on.

        Raises:
            NotFound: There is no such job, or it is not kept any more.
            DeadlineExceeded: The time is over; the job goes on.
            TabardError: What it failed with.
        """
        status = self.ended(on_progress=on_progress, timeout_seconds=timeout_seconds)
        return status.result(tuple(self.image(one.index) for one in status.images))

    def ended(
        self,
        *,
        on_progress: Callable[[Progress], None] | None = None,
        timeout_seconds: float | None = None,
    ) -> JobStatus:
        """Wait for its end and say how it stands then; its images stay where they are.

        Takes and raises what `wait` does.
        """
        waiting = _Waiting(on_progress, timeout_seconds)
        while waiting.ended is None:
            try:
                with contextlib.closing(
                    self._client.watch_job(
                        self.id,
                        after_event_id=waiting.last_event,
                        timeout_seconds=waiting.seconds_left,
                    )
                ) as events:
                    for event in events:
                        waiting.feed(event)
                failure: TabardError | None = None
            except (Unavailable, DeadlineExceeded) as error:
                failure = error
            if waiting.ended is None:
                time.sleep(waiting.pause_after(failure))
        return waiting.result()

    def image(self, index: int = 0) -> GeneratedImage:
        """Give a finished image.

        Raises:
            NotFound: It is not finished, or not kept any more.
        """
        return self._client.job_image(self.id, index)

    def cancel(self, *, forget: bool = False) -> JobStatus:
        """End it; `forget` keeps nothing of it. One that is over stays as it is."""
        return self._client.cancel_job(self.id, forget=forget)

    def retry(self) -> JobStatus:
        """Run it again if it ended without all its images: same seeds, same releases."""
        return self._client.retry_job(self.id)


class AsyncJob:
    """The same for asyncio.

    Attributes:
        id: Its id; `client.job(id)` gives the handle anywhere.
    """

    def __init__(self, client: AsyncAsking, job_id: str) -> None:
        self.id = job_id
        self._client = client

    def __repr__(self) -> str:
        return f"AsyncJob({self.id!r})"

    async def status(self) -> JobStatus:
        """Give how it stands."""
        return await self._client.job_status(self.id)

    def events(self, *, after_event_id: int = 0) -> AsyncGenerator[JobEvent, None]:
        """Yield what becomes of it, behind an event that is known, until its end."""
        return self._client.watch_job(self.id, after_event_id=after_event_id)

    async def wait(
        self,
        *,
        on_progress: Callable[[Progress], None] | None = None,
        timeout_seconds: float | None = None,
    ) -> GenerateResult:
        """Wait for its end and give its images; as `Job.wait`."""
        status = await self.ended(on_progress=on_progress, timeout_seconds=timeout_seconds)
        return status.result(tuple([await self.image(one.index) for one in status.images]))

    async def ended(
        self,
        *,
        on_progress: Callable[[Progress], None] | None = None,
        timeout_seconds: float | None = None,
    ) -> JobStatus:
        """Wait for its end and say how it stands then; as `Job.ended`."""
        waiting = _Waiting(on_progress, timeout_seconds)
        while waiting.ended is None:
            try:
                async with contextlib.aclosing(
                    self._client.watch_job(
                        self.id,
                        after_event_id=waiting.last_event,
                        timeout_seconds=waiting.seconds_left,
                    )
                ) as events:
                    async for event in events:
                        waiting.feed(event)
                failure: TabardError | None = None
            except (Unavailable, DeadlineExceeded) as error:
                failure = error
            if waiting.ended is None:
                await asyncio.sleep(waiting.pause_after(failure))
        return waiting.result()

    async def image(self, index: int = 0) -> GeneratedImage:
        """Give a finished image; as `Job.image`."""
        return await self._client.job_image(self.id, index)

    async def cancel(self, *, forget: bool = False) -> JobStatus:
        """End it; as `Job.cancel`."""
        return await self._client.cancel_job(self.id, forget=forget)

    async def retry(self) -> JobStatus:
        """Run it again; as `Job.retry`."""
        return await self._client.retry_job(self.id)


class _Waiting:
    """What somebody knows who waits for a job, over all connections."""

    def __init__(
        self, on_progress: Callable[[Progress], None] | None, timeout_seconds: float | None
    ) -> None:
        self.ended: JobStatus | None = None
        self.last_event = 0
        self._on_progress = on_progress
        self._until = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        self._patience = Patience(WATCH_PATIENCE_SECONDS)

    @property
    def seconds_left(self) -> float | None:
        """How long one may still wait; None: for ever."""
        return None if self._until is None else max(0.001, self._until - time.monotonic())

    def feed(self, event: JobEvent) -> None:
        """Take the next event."""
        self._patience.renew()
        self.last_event = event.event_id
        if isinstance(event.what, JobStatus):
            self.ended = event.what
        elif isinstance(event.what, Progress) and self._on_progress is not None:
            self._on_progress(event.what)

    def pause_after(self, failure: TabardError | None) -> float:
        """Give how long to wait before watching on.

        Raises:
            TabardError: The time is over, or the server has been away for too long.
        """
        lost = failure or Unavailable("the server ended the watch", reason="WATCH_ENDED")
        if self._until is not None and time.monotonic() >= self._until:
            raise DeadlineExceeded(
                "the job is not done yet",
                reason="DEADLINE_EXCEEDED",
                hint="it goes on: wait for it again",
            ) from lost
        return self._patience.pause_after(lost)

    def result(self) -> JobStatus:
        """Give the end of a job that has all its images.

        Raises:
            TabardError: What it failed with.
        """
        assert self.ended is not None
        if self.ended.failure is not None:
            raise self.ended.failure
        return self.ended
