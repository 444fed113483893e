# SPDX-License-Identifier: Apache-2.0
"""OperationsService: what an operator asks of a running server.

In: status, warm and drain calls. Out: numbers of this moment. Holds no state but the start time.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from tabard.v1 import operations_service_pb2 as pb
from tabard.v1 import operations_service_pb2_grpc
from tabard_registry import AdapterRef, Registry
from tabard_server.admission.walks import SamplerOptions
from tabard_server.c2pa.credential import Credential
from tabard_server.engine_port.memory import MemoryPlan
from tabard_server.engine_port.port import EnginePort
from tabard_server.engine_port.walk import SCHEDULES
from tabard_server.followers.follower import Follower
from tabard_server.followers.heartbeat import Heartbeat
from tabard_server.jobs.waiting_room import WaitingRoom
from tabard_server.life.readiness import Cause, Readiness, State
from tabard_server.life.weight_check import WeightCheck
from tabard_server.loop.loop import Loop
from tabard_server.operations import InMemory, Operations
from tabard_server.output.clearance import Clearance
from tabard_server.publishing.questions import Questions
from tabard_server.rpc.names import number_of
from tabard_server.rpc.replicas import write_replica
from tabard_server.rpc.status import Context
from tabard_server.rpc.times import read_duration, write_duration, write_time
from tabard_server.safety.check import SafetyCheck
from tabard_server.version import tabard_version


class OperationsServicer(operations_service_pb2_grpc.OperationsServiceServicer):
    """Serves `tabard.v1.OperationsService`."""

    def __init__(
        self,
        operations: Operations,
        *,
        registry: Registry,
        engine: EnginePort[Any],
        sampler_options: Sequence[SamplerOptions],
        readiness: Readiness,
        weight_check: WeightCheck,
        room: WaitingRoom,
        loop: Loop[Any],
        follower: Follower,
        heartbeat: Heartbeat,
        questions: Questions,
        clearance: Clearance,
        identity_ways: Sequence[str],
        has_traces: bool,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Take what can be asked, and what a status is read off."""
        self._operations = operations
        self._registry = registry
        self._engine = engine
        self._sampler_options = sampler_options
        self._readiness = readiness
        self._weight_check = weight_check
        self._room = room
        self._loop = loop
        self._follower = follower
        self._heartbeat = heartbeat
        self._questions = questions
        self._clock = clock
        self._clearance = clearance
        self._identity_ways = identity_ways
        self._has_traces = has_traces
        self._fingerprint = engine.profile.fingerprint
        self._started_at = time.monotonic()

    async def GetStatus(
        self, request: pb.GetStatusRequest, context: Context
    ) -> pb.GetStatusResponse:
        """Say what the server is, and how busy."""
        engine, grants = self._engine, context.identity.grants
        signer, safety = self._clearance.signer, self._clearance.safety
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
            draining=self._readiness.state is State.DRAINING,
            registry_lag=write_duration(self._follower.lag_seconds),
            residents=map(_resident, self._operations.residents(grants=grants)),
            samplers=engine.facts.samplers,
            uptime=write_duration(time.monotonic() - self._started_at),
            native_width=engine.facts.native_width,
            native_height=engine.facts.native_height,
            memory_plan=None if engine.plan is None else _plan(engine.plan),
            merged_digests=[
                digest
                for digest, _weight in engine.merged_stack
                if not self._operations.hidden(digest, grants=grants)
            ],
            base_prediction=_number(pb.Prediction, engine.profile.prediction),
            base_zero_snr=bool(engine.profile.is_zero_snr),
            base_remarks=engine.facts.remarks,
            state=_number(pb.ServerState, self._readiness.state.value),
            causes=map(self._cause, self._readiness.causes),
            identity=self._identity_ways,
            traces=self._has_traces,
            tenants=[
                pb.TenantLoad(**asdict(one))
                for one in self._operations.tenants(identity=context.identity)
            ],
            steps=self._loop.steps,
            row_steps=self._loop.row_steps,
            sampler_options=[pb.SamplerOptions(**asdict(one)) for one in self._sampler_options],
            schedules=self._schedules(),
            c2pa=None if signer is None else _credentials(signer.credential),
            safety=None if safety is None else _safety(safety),
            compiled=None if engine.compiled is None else pb.Compiled(**asdict(engine.compiled)),
        )

    async def Verify(self, request: pb.VerifyRequest, context: Context) -> pb.VerifyResponse:
        """Hash the weights in memory again."""
        begun_at = time.monotonic()
        found = await self._weight_check.run()
        return pb.VerifyResponse(
            components=[pb.VerifiedComponent(**asdict(one)) for one in found],
            duration=write_duration(time.monotonic() - begun_at),
        )

    async def Warm(self, request: pb.WarmRequest, context: Context) -> pb.WarmResponse:
        """Bring a release into host memory."""
        found = await self._operations.warm(AdapterRef.parse(request.ref))
        return pb.WarmResponse(resident=_resident(found))

    async def Drain(self, request: pb.DrainRequest, context: Context) -> pb.DrainResponse:
        """Refuse new jobs and wait for the running ones."""
        wait_seconds = read_duration(request.wait, field="wait")
        left = await self._operations.drain(wait_seconds=wait_seconds)
        return pb.DrainResponse(jobs_left=left)

    async def ListReplicas(
        self, request: pb.ListReplicasRequest, context: Context
    ) -> pb.ListReplicasResponse:
        """List the servers of the registry."""
        found = await self._questions.aside(self._heartbeat.replicas)
        now = self._clock()
        return pb.ListReplicasResponse(
            replicas=[write_replica(one, now=now) for one in found],
            replica_id=self._heartbeat.replica_id,
            registry_seq=self._registry.seq,
        )

    def _schedules(self) -> Iterator[pb.ScheduleNames]:
        taken = {name for one in self._sampler_options for name in one.schedules}
        for name, schedule in SCHEDULES.items():
            if name in taken:
                yield pb.ScheduleNames(name=name, title=schedule.title, aliases=schedule.aliases)

    def _cause(self, cause: Cause) -> pb.Cause:
        return pb.Cause(
            state=_number(pb.ServerState, cause.state.value),
            reason=cause.reason,
            message=cause.message,
            duration=write_duration(self._readiness.seconds(cause)),
        )


def _resident(found: InMemory) -> pb.Resident:
    return pb.Resident(**asdict(found) | {"tier": _number(pb.Tier, found.tier)})


def _number(enum: Any, name: str) -> Any:
    return number_of(enum.DESCRIPTOR, name)


def _credentials(credential: Credential) -> pb.ContentCredentials:
    return pb.ContentCredentials(
        subject=credential.subject,
        expire_time=write_time(credential.expires_at.isoformat()),
        algorithm=credential.algorithm,
    )


def _safety(check: SafetyCheck) -> pb.SafetyCheck:
    settings = check.settings
    return pb.SafetyCheck(
        model=settings.folder.name,
        policy=settings.policy,
        labels=[
            pb.SafetyLabel(label=one.label, threshold=one.threshold) for one in settings.labels
        ],
        failure=check.failure,
    )


def _plan(plan: MemoryPlan) -> pb.MemoryPlan:
    return pb.MemoryPlan(
        base_bytes=plan.base,
        slot_bytes=plan.slots,
        merged_bytes=plan.merged,
        gathered_bytes=plan.gathered,
        activation_bytes=max(plan.activations, plan.visiting) + plan.beside,
        free_bytes=plan.free or 0,
        rows_per_step=plan.rows_per_step,
        chosen=plan.chosen,
        packed_bytes=plan.packed + plan.compiled,
        text_bytes=plan.texts,
        shelved_bytes=plan.shelved,
    )
