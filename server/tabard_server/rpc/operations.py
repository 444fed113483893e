# SPDX-License-Identifier: Apache-2.0
"""OperationsService: what an operator asks of a running server.

In: status, warm and drain calls. Out: numbers of this moment. Holds no state but the start time.
"""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from tabard.v1 import operations_service_pb2 as pb
from tabard.v1 import operations_service_pb2_grpc
from tabard_registry import AdapterRef, Registry, Release
from tabard_registry.trust.servable import check_servable
from tabard_registry.trust.signatures import Verifier
from tabard_server.adapters.host_cache import HostCache
from tabard_server.engine_port.memory import MemoryPlan
from tabard_server.engine_port.port import EnginePort
from tabard_server.errors import invalid
from tabard_server.followers.follower import Follower
from tabard_server.generation import Generation
from tabard_server.jobs.job import worn_for
from tabard_server.jobs.waiting_room import WaitingRoom
from tabard_server.loop.loop import Loop
from tabard_server.rpc.status import Context, Guard, guarded
from tabard_server.telemetry.labels import Labels
from tabard_server.version import tabard_version

_WAIT_SECONDS_MAX = 3_600.0


class OperationsServicer(operations_service_pb2_grpc.OperationsServiceServicer):
    """Serves `tabard.v1.OperationsService`."""

    def __init__(
        self,
        *,
        registry: Registry,
        engine: EnginePort[Any],
        generation: Generation,
        room: WaitingRoom,
        loop: Loop[Any],
        cache: HostCache,
        follower: Follower,
        labels: Labels,
        verifier: Verifier,
        drain: Callable[[], Any],
        guard: Guard,
    ) -> None:
        """Take what can be asked; `drain` makes the whole server refuse new jobs."""
        self._registry = registry
        self._engine = engine
        self._generation = generation
        self._room = room
        self._loop = loop
        self._cache = cache
        self._follower = follower
        self._labels = labels
        self._verifier = verifier
        self._drain = drain
        self.guard = guard
        self._fingerprint = engine.profile.fingerprint
        self._started_at = time.monotonic()

    @guarded
    async def GetStatus(
        self, request: pb.GetStatusRequest, context: Context
    ) -> pb.GetStatusResponse:
        """Say what the server is, and how busy."""
        engine = self._engine
        return pb.GetStatusResponse(
            version=tabard_version(),
            base_family=engine.profile.family,
            base_fingerprint=self._fingerprint,
            base_source=engine.source,
            device=engine.device,
            registry_id=self._registry.id,
            registry_seq=self._registry.seq,
            rows_waiting=self._room.depth,
            rows_running=self._loop.running_count,
            draining=self._generation.is_draining,
            registry_lag_seconds=self._follower.lag_seconds,
            residents=list(self._residents()),
            samplers=engine.facts.samplers,
            uptime_seconds=time.monotonic() - self._started_at,
            native_width=engine.facts.native_width,
            native_height=engine.facts.native_height,
            memory_plan=None if engine.plan is None else _plan(engine.plan),
            merged_digests=[digest for digest, _weight in engine.merged_stack],
        )

    @guarded
    async def Warm(self, request: pb.WarmRequest, context: Context) -> pb.WarmResponse:
        """Bring a release into host memory."""
        state = self._registry.state
        release = state.resolve(AdapterRef.parse(request.ref))
        check_servable(state, release, verifier=self._verifier)
        self._labels.note(release)
        digests = worn_for(release)
        for digest in digests:
            (await self._cache.acquire(digest)).release()
        found = [one for one in self._residents() if one.digest in digests]
        return pb.WarmResponse(resident=_together(release, found))

    @guarded
    async def Drain(self, request: pb.DrainRequest, context: Context) -> pb.DrainResponse:
        """Refuse new jobs and wait for the running ones."""
        seconds = request.wait_seconds
        if not (math.isfinite(seconds) and 0 <= seconds <= _WAIT_SECONDS_MAX):
            raise invalid(
                "wait_seconds",
                f"wait_seconds is {seconds}",
                reason="WAIT_OUT_OF_RANGE",
                hint=f"use 0 to {_WAIT_SECONDS_MAX:g}",
            )
        await self._drain()
        left = await self._generation.wait_until_empty(seconds_max=seconds)
        return pb.DrainResponse(jobs_left=left)

    def _residents(self) -> Iterator[pb.Resident]:
        """Yield each release once, in the highest tier that holds it."""
        slots = {use.digest: use for use in self._loop.residents}
        hosts = {use.digest: use for use in self._cache.residents()}
        for digest in dict.fromkeys([*slots, *hosts]):
            adapter, version = self._labels.of(digest)
            yield pb.Resident(
                adapter=adapter,
                version=version,
                digest=digest,
                tier="slot" if digest in slots else "host",
                bytes=(slots.get(digest) or hosts[digest]).bytes,
                leases=(hosts.get(digest) or slots[digest]).leases,
            )


def _together(release: Release, found: Sequence[pb.Resident]) -> pb.Resident:
    """Speak of a recipe's members as one: in the lowest of their tiers, with all their bytes."""
    return pb.Resident(
        adapter=str(release.adapter),
        version=str(release.version),
        digest=str(release.digest),
        tier="host" if any(one.tier == "host" for one in found) else "slot",
        bytes=sum(one.bytes for one in found),
        leases=max((one.leases for one in found), default=0),
    )


def _plan(plan: MemoryPlan) -> pb.MemoryPlan:
    return pb.MemoryPlan(
        base_bytes=plan.base,
        slot_bytes=plan.slots,
        merged_bytes=plan.merged,
        gathered_bytes=plan.gathered,
        activation_bytes=plan.activations,
        free_bytes=plan.free or 0,
    )
