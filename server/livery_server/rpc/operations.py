# SPDX-License-Identifier: Apache-2.0
"""OperationsService: what an operator asks of a running server.

In: status, warm and drain calls. Out: numbers of this moment. Holds no state but the start time.
"""

import math
import time
from collections.abc import Callable, Iterator
from typing import Any

import grpc

from livery.v1 import operations_service_pb2 as pb
from livery.v1 import operations_service_pb2_grpc
from livery_registry import AdapterRef, Registry, Release
from livery_server.adapters.tiers import HostCache
from livery_server.corridor import Corridor
from livery_server.engine_port import EnginePort
from livery_server.errors import invalid
from livery_server.loop import Loop
from livery_server.rpc.status import Guard
from livery_server.scheduler.queue import WaitingRoom
from livery_server.version import livery_version

Context = grpc.aio.ServicerContext[Any, Any]
_WAIT_SECONDS_MAX = 3_600.0


class OperationsServicer(operations_service_pb2_grpc.OperationsServiceServicer):
    """Serves `livery.v1.OperationsService`."""

    def __init__(
        self,
        *,
        registry: Registry,
        engine: EnginePort[Any],
        corridor: Corridor,
        room: WaitingRoom,
        loop: Loop[Any],
        cache: HostCache[Any],
        drain: Callable[[], Any],
        guard: Guard,
    ) -> None:
        """Take what can be asked; `drain` makes the whole server refuse new jobs."""
        self._registry = registry
        self._engine = engine
        self._corridor = corridor
        self._room = room
        self._loop = loop
        self._cache = cache
        self._drain_server = drain
        self._guard = guard
        self._fingerprint = engine.profile.fingerprint
        self._started_at = time.monotonic()

    async def GetStatus(
        self, request: pb.GetStatusRequest, context: Context
    ) -> pb.GetStatusResponse:
        """Say what the server is, and how busy."""
        return await self._guard.call(context, self._get_status())

    async def Warm(self, request: pb.WarmRequest, context: Context) -> pb.WarmResponse:
        """Bring a release into host memory."""
        return await self._guard.call(context, self._warm(request))

    async def Drain(self, request: pb.DrainRequest, context: Context) -> pb.DrainResponse:
        """Refuse new jobs and wait for the running ones."""
        return await self._guard.call(context, self._drain(request))

    async def _get_status(self) -> pb.GetStatusResponse:
        engine = self._engine
        return pb.GetStatusResponse(
            version=livery_version(),
            base_family=engine.profile.family,
            base_fingerprint=self._fingerprint,
            base_source=engine.source,
            device=engine.device,
            registry_id=self._registry.id,
            registry_seq=self._registry.seq,
            rows_waiting=self._room.depth,
            rows_running=self._loop.running_count,
            draining=self._corridor.is_draining,
            residents=list(self._residents()),
            samplers=engine.samplers,
            uptime_seconds=time.monotonic() - self._started_at,
            native_width=engine.native_width,
            native_height=engine.native_height,
        )

    async def _warm(self, request: pb.WarmRequest) -> pb.WarmResponse:
        release = self._registry.resolve(AdapterRef.parse(request.ref))
        with await self._cache.acquire(str(release.digest)):
            found = [one for one in self._residents() if one.digest == str(release.digest)]
        return pb.WarmResponse(resident=found[0])

    async def _drain(self, request: pb.DrainRequest) -> pb.DrainResponse:
        seconds = request.wait_seconds
        if not (math.isfinite(seconds) and 0 <= seconds <= _WAIT_SECONDS_MAX):
            raise invalid(
                "wait_seconds",
                f"wait_seconds is {seconds}",
                reason="WAIT_OUT_OF_RANGE",
                hint=f"use 0 to {_WAIT_SECONDS_MAX:g}",
            )
        await self._drain_server()
        left = await self._corridor.wait_until_empty(seconds_max=seconds)
        return pb.DrainResponse(jobs_left=left)

    def _residents(self) -> Iterator[pb.Resident]:
        """Yield each release once, in the highest tier that holds it."""
        names = _releases_by_digest(self._registry)
        slots = {use.digest: use for use in self._loop.residents}
        hosts = {use.digest: use for use in self._cache.residents()}
        for digest in dict.fromkeys([*slots, *hosts]):
            release = names.get(digest)
            use = slots.get(digest) or hosts[digest]
            held = hosts[digest].leases if digest in hosts else use.leases
            yield pb.Resident(
                adapter=str(release.adapter) if release else "",
                version=str(release.version) if release else "",
                digest=digest,
                tier="slot" if digest in slots else "host",
                bytes=use.bytes,
                leases=held,
            )


def _releases_by_digest(registry: Registry) -> dict[str, Release]:
    return {
        str(digest): release
        for adapter in registry.adapters()
        for digest, release in adapter.by_digest.items()
    }
