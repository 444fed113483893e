# SPDX-License-Identifier: Apache-2.0
"""Tells the other servers of the registry that this one is there, now and then, and how it stands.

In: what the server is at this moment. Out: one small object in the store, written over each time,
and removed when the server ends. A failure is logged once and never more than that.
"""

import asyncio
import contextlib
import platform
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from tabard_registry import Registry
from tabard_registry.content.replicas import Replica, ReplicaBook, SeenReplica
from tabard_registry.errors import RegistryError
from tabard_registry.log.records import RECORD_VERSION_MAX
from tabard_server.engine_port.port import EnginePort
from tabard_server.followers.others import Others
from tabard_server.life.readiness import Readiness
from tabard_server.settings import Settings
from tabard_server.telemetry.logs import log_event, log_problem
from tabard_server.threads import Threads
from tabard_server.version import tabard_version

_BEATS_BETWEEN_SWEEPS = 60


class Heartbeat:
    """The heartbeat of one server. Asyncio thread."""

    def __init__(
        self, book: ReplicaBook, *, describe: Callable[[], Replica], every_seconds: float
    ) -> None:
        """Take where it is told, what says how the server stands, and how often; 0: never.

        `others` knows those that tell of themselves likewise.
        """
        now = describe()
        self.others = Others(now.id, seen=book.seen, own_address=now.address)
        self._book = book
        self._describe = describe
        self._every_seconds = every_seconds
        self._threads = Threads("heartbeat", threads_max=1)
        self._woken = asyncio.Event()
        self._is_closed = False
        self._is_failing = False

    @property
    def replica_id(self) -> str:
        """What this server is called among those of its registry."""
        return self._describe().id

    def replicas(self) -> tuple[SeenReplica, ...]:
        """Return the servers that were heard of last, this one among them. Any thread; blocks.

        Raises:
            StoreUnavailable: The store did not answer.
        """
        return self._book.seen()

    async def run(self) -> None:
        """Tell it until it is closed."""
        beats = 0
        while self._every_seconds and not self._is_closed:
            await self._try(self._beat, is_first_of_many=beats % _BEATS_BETWEEN_SWEEPS == 0)
            beats += 1
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), self._every_seconds)
            self._woken.clear()
        if beats:
            await self._try(self._forget)
        self._threads.close()

    def beat(self) -> None:
        """Tell it soon: something has changed. Idempotent."""
        self._woken.set()

    def close(self) -> None:
        """Tell it no more; what was told is removed. Idempotent."""
        self._is_closed = True
        self.others.close()
        self.beat()

    def _beat(self, *, is_first_of_many: bool) -> None:
        self._book.tell(self._describe())
        if is_first_of_many:
            self._book.sweep()

    def _forget(self) -> None:
        self._book.forget(self.replica_id)

    async def _try(self, call: Callable[..., None], **said: bool) -> None:
        try:
            await self._threads.run(call, **said)
        except Exception as error:
            # The outermost loop of this task: a server that cannot tell of itself serves all the
            # same.
            is_known = isinstance(error, RegistryError | OSError)
            if not self._is_failing:
                log_problem(
                    "heartbeat.failed",
                    error=None if is_known else error,
                    reason=getattr(error, "reason", "INTERNAL"),
                    message=str(error),
                )
            self._is_failing = True
        else:
            if self._is_failing:
                log_event("heartbeat.goes_on")
            self._is_failing = False


def heartbeat_for(
    settings: Settings,
    registry: Registry,
    *,
    engine: EnginePort[Any],
    readiness: Readiness,
    lag_seconds: Callable[[], float],
    rows: Callable[[], tuple[int, int]],
    server_id: str,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Heartbeat:
    """Return the heartbeat of a server that begins now; `rows` are those that wait, and that run.

    What it tells names no namespace and no caller.
    """
    begun = Replica(
        id=server_id,
        address=settings.advertise,
        host=platform.node(),
        version=tabard_version(),
        record_version=RECORD_VERSION_MAX,
        base_family=engine.profile.family,
        base_fingerprint=engine.profile.fingerprint,
        device=engine.device,
        started_at=clock().isoformat(),
        every_seconds=settings.heartbeat_seconds,
    )

    def describe() -> Replica:
        waiting, running = rows()
        return replace(
            begun,
            state=readiness.state.value,
            told_at=clock().isoformat(),
            seq=registry.seq,
            lag_seconds=round(lag_seconds(), 3),
            rows_waiting=waiting,
            rows_running=running,
        )

    return Heartbeat(
        ReplicaBook(registry.store), describe=describe, every_seconds=settings.heartbeat_seconds
    )
