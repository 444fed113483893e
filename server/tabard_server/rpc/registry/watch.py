# SPDX-License-Identifier: Apache-2.0
"""Records streamed to clients as they happen, from any position of the log on.

In: a position. Out: every record from there, in order, none twice. A reader's slowness holds up
nobody else: each watch keeps its own position and takes bounded pages, old ones from the log, in
worker threads.
"""

from typing import Any

import grpc

from tabard.v1 import registry_service_pb2 as pb
from tabard_registry import Registry
from tabard_server.errors import Overloaded, WatchEnded
from tabard_server.followers.follower import Follower
from tabard_server.limits import Limits
from tabard_server.rpc.registry import messages
from tabard_server.threads import Threads

Context = grpc.aio.ServicerContext[Any, Any]

_RECORDS_AT_ONCE = 256


class Watching:
    """Answers Watch. Asyncio thread."""

    def __init__(
        self, registry: Registry, *, follower: Follower, threads: Threads, limits: Limits
    ) -> None:
        self._registry = registry
        self._follower = follower
        self._threads = threads
        self._limits = limits
        self._watchers = 0

    async def watch(self, request: pb.WatchRequest, context: Context) -> None:
        """Stream records until the caller leaves.

        Raises:
            Overloaded: Too many watch already.
            WatchEnded: The server stops; the hint says where to go on.
            RegistryError: Old records cannot be read.
        """
        if self._watchers >= self._limits.watchers_max:
            raise Overloaded(
                f"{self._watchers} watches run already",
                reason="WATCHERS_BUSY",
                hint="retry after a moment (limits.watchers_max)",
                retry_seconds=self._limits.retry_seconds,
            )
        self._watchers += 1
        try:
            await self._send(request, context)
        finally:
            self._watchers -= 1

    async def _send(self, request: pb.WatchRequest, context: Context) -> None:
        seq = request.from_seq - 1 if request.from_seq else self._registry.seq
        while not self._follower.is_closed:
            records = await self._threads.run(self._registry.since, seq, limit=_RECORDS_AT_ONCE)
            for applied in records:
                await context.write(pb.WatchResponse(record=messages.write_record(applied)))
                seq = applied.seq
            await self._follower.wait_beyond(seq)
        raise WatchEnded(
            "the server stops", hint=f"watch again from seq {seq + 1}", retry_seconds=1.0
        )
