# SPDX-License-Identifier: Apache-2.0
"""One detached job in memory: its record, what is too small to keep, and whoever watches it.

A watcher is told what changed since the last event that it knows: of progress and previews only the
newest of each image. So any number may watch, and come back, and nothing piles up. Asyncio thread.
"""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace
from typing import TypeAlias

from tabard_server.detached.record import RUN_SHIFT, JobRecord, JobState, KeptImage
from tabard_server.errors import JobUnknown
from tabard_server.jobs.job import Preview, Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """The job was accepted."""

    record: JobRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The job is over."""

    record: JobRecord


What: TypeAlias = Begun | Progress | Preview | KeptImage | Ended


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One event of a job, with its id."""

    id: int
    what: What


class Held:
    """A detached job of this server.

    Attributes:
        record: What is kept of it.
        task: What draws it now; None: nothing.
        accepted: Done once what draws it now was accepted, or refused.
    """

    def __init__(self, record: JobRecord) -> None:
        self.record = record
        self.task: asyncio.Task[None] | None = None
        self.accepted: asyncio.Future[JobRecord] | None = None
        self._passing: dict[tuple[type, int], Told] = {}
        self._newest = record.last_event
        self._changed = asyncio.Event()
        self._is_gone = False

    @property
    def last_event(self) -> int:
        """Id of the newest event."""
        return max(self._newest, self.record.last_event)

    @property
    def progress(self) -> tuple[Progress, ...]:
        """How far the images are that are not finished."""
        done = {one.index for one in self.record.images}
        found = (told.what for told in self._passing.values())
        return tuple(one for one in found if isinstance(one, Progress) and one.index not in done)

    def next_id(self) -> int:
        """Return the id of the next event."""
        self._newest = max(self.last_event, self.record.run << RUN_SHIFT) + 1
        return self._newest

    def pass_on(self, event: Progress | Preview) -> None:
        """Tell of what is not kept."""
        if self.record.state is JobState.WAITING:
            self.record = replace(self.record, state=JobState.RUNNING)
        self._passing[type(event), event.index] = Told(id=self.next_id(), what=event)
        self._wake()

    def become(self, record: JobRecord) -> None:
        """Take a record that is kept by now, and tell of what it says."""
        if record.run != self.record.run or record.state.is_ended:
            self._passing.clear()
        for one in record.images:
            for kind in (Progress, Preview):
                self._passing.pop((kind, one.index), None)
        self.record = record
        self._wake()

    def vanish(self) -> None:
        """Tell whoever watches that nothing is kept any more."""
        self._is_gone = True
        self._wake()

    async def watch(self, *, after: int) -> AsyncGenerator[Told, None]:
        """Yield what comes after an event, 0 being the beginning; ends with the job.

        Raises:
            JobUnknown: It is not kept any more.
        """
        while True:
            changed = self._changed
            for told in self._since(after):
                yield told
                after = told.id
            if self._is_gone:
                raise JobUnknown("the job is not kept any more", hint="look for it with ListJobs")
            if changed is not self._changed:
                continue
            if self.record.state.is_ended:
                return
            await changed.wait()

    def _since(self, after: int) -> list[Told]:
        record = self.record
        found = [Told(id=record.accepted_event, what=Begun(record=record))]
        found += self._passing.values()
        found += [Told(id=one.event_id, what=one) for one in record.images]
        if record.state.is_ended:
            found.append(Told(id=record.last_event, what=Ended(record=record)))
        return sorted((one for one in found if one.id > after), key=lambda one: one.id)

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
