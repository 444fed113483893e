# SPDX-License-Identifier: Apache-2.0
"""Jobs of which a test says only what it is about, their runs, and styles without weights."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tabard_server.adapters.host_memory import Lease
from tabard_server.callers.caller import NOBODY
from tabard_server.jobs.job import Job
from tabard_server.jobs.outbox import Outbox
from tabard_server.jobs.run import JobRun
from tabard_server.jobs.waiting_room import WaitingRoom
from tests.server.drawings import drawing

JOB = Job(
    id="j",
    ticket=1,
    drawing=drawing(),
    worn=(),
    seeds=(7,),
    is_deterministic=False,
    preview_every=0,
    registry_seq=1,
    admitted_at=100.0,
    deadline_at=None,
    prompt_windows=1,
)


def job(*, ticket: int = 1, images: int = 1, **changes: Any) -> Job:
    """Return a small job; image i has seed 7 + i."""
    return replace(JOB, ticket=ticket, seeds=tuple(7 + i for i in range(images)), **changes)


@dataclass(frozen=True, kw_only=True)
class Style:
    """An adapter in host memory without weights."""

    digest: str
    resident_bytes: int = 10
    changes_weights: bool = True
    is_merged_only: bool = False


@dataclass(kw_only=True)
class Counter:
    """Takes leases back, in place of host memory."""

    returned: list[str] = field(default_factory=list)
    begun: int = 0

    def give_back(self, lease: Lease, *, rows: int, digests: Sequence[str] = ()) -> None:
        lease.waiting_rows -= rows
        self.begun += rows if not digests else 0
        self.returned += digests

    def lease(self, *digests: str, rows: int = 1) -> Lease:
        """Lend styles."""
        styles = [Style(digest=digest) for digest in digests]
        memory: Any = self
        return Lease(styles, digests=digests, waiting_rows=rows, memory=memory)


def room_of(rows_max: int, *, caller_share_max: float = 1.0, **said: Any) -> WaitingRoom:
    """Return a waiting room where everybody is told to come back in two seconds."""
    given = {"retry_after": lambda _rows, _tenant: 2.0, "clock": lambda: 100.0} | said
    return WaitingRoom(rows_max=rows_max, caller_share_max=caller_share_max, **given)


@dataclass(kw_only=True)
class Running:
    """A run, its room, what its end told, and a clock that stands still."""

    of: Job
    now: float = 100.0
    room: WaitingRoom = field(default_factory=lambda: room_of(16))
    ends: list[Exception | None] = field(default_factory=list)

    def __post_init__(self) -> None:
        loop = asyncio.new_event_loop()
        self.outbox = Outbox(droppable_max=8, reader_loop=loop)
        # Nobody waits: what was sent is read from the outbox afterwards.
        loop.close()
        self.run = JobRun(
            self.of,
            outbox=self.outbox,
            seats=self.room.enter(len(self.of.seeds), caller=NOBODY),
            on_end=self._note_end,
            clock=lambda: self.now,
        )

    @property
    def sent(self) -> list[Any]:
        """Everything that was sent, in order."""
        return list(self.outbox._events)

    def _note_end(self, run: JobRun, error: Exception | None) -> None:
        assert run is self.run
        self.ends.append(error)


def running(*, wears: tuple[Style, ...] = (), **changes: Any) -> Running:
    """Return a run of a small job whose stack is loaded, every style at 0.5."""
    found = Running(of=job(**changes))
    found.run.stack = tuple((style, 0.5) for style in wears)
    return found
