# SPDX-License-Identifier: Apache-2.0
"""Records as they happen, from any position of the log on: every one, in order, none twice.

A reader's slowness holds up nobody else: each watch keeps its own position and takes bounded
pages, old ones from the log, in worker threads.
"""

from collections.abc import AsyncGenerator

from tabard_registry import AppliedRecord, Registry
from tabard_server.errors import WatchEnded
from tabard_server.followers.follower import Follower
from tabard_server.limits import Limits
from tabard_server.publishing.at_once import AtOnce
from tabard_server.threads import Threads

_RECORDS_AT_ONCE = 256


class Watches:
    """Lets callers follow the log, and bounds how many do. Asyncio thread."""

    def __init__(
        self, registry: Registry, *, follower: Follower, threads: Threads, limits: Limits
    ) -> None:
        self._registry = registry
        self._follower = follower
        self._threads = threads
        self._running = AtOnce(
            "watches", limit="watchers_max", reason="WATCHERS_BUSY", limits=limits
        )

    async def records(self, *, from_seq: int) -> AsyncGenerator[AppliedRecord]:
        """Yield records until the caller leaves.

        Args:
            from_seq: The first; 0 begins with the next that happens.

        Raises:
            Overloaded: Too many watch already.
            WatchEnded: The server stops; the hint says where to go on.
            RegistryError: Old records cannot be read.
        """
        with self._running.one():
            seq = from_seq - 1 if from_seq else self._registry.seq
            while not self._follower.is_closed:
                found = await self._threads.run(self._registry.since, seq, limit=_RECORDS_AT_ONCE)
                for applied in found:
                    yield applied
                    seq = applied.seq
                await self._follower.wait_beyond(seq)
        raise WatchEnded(
            "the server stops", hint=f"watch again from seq {seq + 1}", retry_seconds=1.0
        )
