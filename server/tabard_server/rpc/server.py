# SPDX-License-Identifier: Apache-2.0
"""The gRPC server itself: services, health, reflection, an address for callers, one for operators.

In: servicers, later than the addresses. Out: a running server, which refuses calls with a reason
until there are servicers. Knows nothing of what they serve.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import grpc
from grpc_health.v1 import health_pb2

from tabard.v1 import (
    canary_service_pb2,
    canary_service_pb2_grpc,
    evaluation_service_pb2,
    evaluation_service_pb2_grpc,
    evidence_service_pb2,
    evidence_service_pb2_grpc,
    generation_service_pb2,
    generation_service_pb2_grpc,
    identity_service_pb2,
    identity_service_pb2_grpc,
    job_service_pb2,
    job_service_pb2_grpc,
    operations_service_pb2,
    operations_service_pb2_grpc,
    registry_service_pb2,
    registry_service_pb2_grpc,
    review_service_pb2,
    review_service_pb2_grpc,
)
from tabard_server.access.certificate_files import CertificateFiles
from tabard_server.callers.caller import OPERATORS
from tabard_server.callers.gate import Gate
from tabard_server.callers.read_on import ReadOn
from tabard_server.life.readiness import Readiness
from tabard_server.limits import Limits
from tabard_server.rpc.canary.service import CanaryServicer
from tabard_server.rpc.door.door import Door, Recognition
from tabard_server.rpc.door.peers import caller_of
from tabard_server.rpc.evaluation.service import EvaluationServicer
from tabard_server.rpc.evidence.service import EvidenceServicer
from tabard_server.rpc.generation.service import GenerationServicer
from tabard_server.rpc.health import Health
from tabard_server.rpc.identity.service import IdentityServicer
from tabard_server.rpc.jobs.service import JobServicer
from tabard_server.rpc.listener import Listener
from tabard_server.rpc.operations import OperationsServicer
from tabard_server.rpc.reflection import REFLECTION
from tabard_server.rpc.registry.service import RegistryServicer
from tabard_server.rpc.review.service import ReviewServicer

SERVICES = tuple(
    module.DESCRIPTOR.services_by_name[name].full_name
    for module, name in (
        (generation_service_pb2, "GenerationService"),
        (job_service_pb2, "JobService"),
        (evaluation_service_pb2, "EvaluationService"),
        (evidence_service_pb2, "EvidenceService"),
        (registry_service_pb2, "RegistryService"),
        (operations_service_pb2, "OperationsService"),
        (identity_service_pb2, "IdentityService"),
        (review_service_pb2, "ReviewService"),
        (canary_service_pb2, "CanaryService"),
    )
)
"""Full names of Tabard's services."""
SERVED = (
    *(
        service
        for module in (
            generation_service_pb2,
            job_service_pb2,
            evaluation_service_pb2,
            evidence_service_pb2,
            canary_service_pb2,
            registry_service_pb2,
            operations_service_pb2,
            identity_service_pb2,
            review_service_pb2,
            health_pb2,
        )
        for service in module.DESCRIPTOR.services_by_name.values()
    ),
    *REFLECTION,
)
"""Descriptors of everything that can be called, health and reflection too."""


class RpcServer:
    """The same services on two addresses: one for callers, one for operators. Asyncio thread."""

    def __init__(
        self,
        *,
        limits: Limits,
        readiness: Readiness,
        gate: Gate,
        count: Callable[[str], None],
        recognition: Recognition,
        trusts_operators: bool,
        files: CertificateFiles | None = None,
    ) -> None:
        """Take what health says, the gate before all calls, and what counts failures by reason.

        Args:
            limits: The bounds of this server.
            readiness: What health says.
            gate: The gate before all calls.
            count: Counts failures by reason.
            recognition: How callers are known.
            trusts_operators: Whether operators are not asked who they are.
            files: The certificates; None: nothing is encrypted.
        """
        self._services = _Services()
        self._follow: ReadOn | None = None
        open_door = partial(
            Door,
            SERVED,
            gate=gate,
            readiness=readiness,
            count=count,
            limits=limits,
            read_on=self._read_on,
        )
        listener = partial(
            Listener,
            services=self._services,
            names=SERVICES,
            health_servicer=Health(readiness, services=SERVICES),
            limits=limits,
            files=files,
        )
        self._callers = listener(
            open_door(caller_of=caller_of, recognition=recognition),
            connections_max=limits.connections_max,
        )
        self._operators = listener(
            open_door(
                caller_of=lambda _peer: OPERATORS,
                recognition=replace(recognition, trusts=trusts_operators),
            ),
            connections_max=limits.operator_calls_reserved,
        )

    async def start(self, listen: str) -> str:
        """Listen to callers; return the address with the port that was really taken.

        Raises:
            BadSettings: The address cannot be had.
        """
        return await self._callers.start(listen)

    async def start_for_operators(self, listen: str) -> str:
        """Listen to operators as well. Returns and raises as `start`."""
        return await self._operators.start(listen, is_private=True)

    def serve(
        self,
        *,
        read_on: ReadOn,
        generation: GenerationServicer,
        jobs: JobServicer,
        evaluation: EvaluationServicer,
        evidence: EvidenceServicer,
        registry: RegistryServicer,
        operations: OperationsServicer,
        identity: IdentityServicer,
        review: ReviewServicer,
        canary: CanaryServicer,
    ) -> None:
        """Let these answer from now on, and read on where what is asked for is not there."""
        self._follow = read_on
        servicers: tuple[tuple[Any, Any], ...] = (
            (generation_service_pb2_grpc.add_GenerationServiceServicer_to_server, generation),
            (job_service_pb2_grpc.add_JobServiceServicer_to_server, jobs),
            (evaluation_service_pb2_grpc.add_EvaluationServiceServicer_to_server, evaluation),
            (evidence_service_pb2_grpc.add_EvidenceServiceServicer_to_server, evidence),
            (registry_service_pb2_grpc.add_RegistryServiceServicer_to_server, registry),
            (operations_service_pb2_grpc.add_OperationsServiceServicer_to_server, operations),
            (identity_service_pb2_grpc.add_IdentityServiceServicer_to_server, identity),
            (review_service_pb2_grpc.add_ReviewServiceServicer_to_server, review),
            (canary_service_pb2_grpc.add_CanaryServiceServicer_to_server, canary),
        )
        for add, servicer in servicers:
            add(servicer, self._services)

    async def _read_on(self) -> bool:
        return self._follow is not None and await self._follow()

    async def stop(self, *, grace_seconds: float) -> None:
        """Refuse new calls, let running ones end, then cut them off. Idempotent."""
        await asyncio.gather(
            self._callers.stop(grace_seconds=grace_seconds),
            self._operators.stop(grace_seconds=grace_seconds),
        )


class _Services(grpc.GenericRpcHandler):
    """Tabard's services: their servicers, once there are any."""

    def __init__(self) -> None:
        self._handlers: list[Any] = []

    def add_generic_rpc_handlers(self, handlers: Sequence[Any]) -> None:
        """Take the methods of a servicer, as a gRPC server does."""
        self._handlers += handlers

    def add_registered_method_handlers(self, _service: str, _methods: Any) -> None:
        """Take nothing: they are those of `add_generic_rpc_handlers` once more."""

    def service(self, handler_call_details: Any) -> Any:
        """Return what handles a call; None for a method that nobody serves, or not yet."""
        found = (handler.service(handler_call_details) for handler in self._handlers)
        return next((one for one in found if one is not None), None)
