# SPDX-License-Identifier: Apache-2.0
"""The operator's verbs: status, replicas, verify, warm, drain."""

from __future__ import annotations

from google.protobuf.duration_pb2 import Duration

from tabard.calls.call import Call, Caller
from tabard.convert import field_value, same_fields
from tabard.errors import InvalidArgument
from tabard.operations import (
    Cause,
    Compiled,
    ContentCredentials,
    Drained,
    MemoryPlan,
    Replica,
    Replicas,
    Resident,
    SafetyCheck,
    SafetyLabel,
    SamplerOptions,
    ScheduleNames,
    ServerStatus,
    TenantLoad,
    Verification,
    VerifiedComponent,
)
from tabard.v1 import operations_service_pb2 as pb

DRAIN_GRACE_SECONDS = 30.0
VERIFY_SECONDS_MAX = 3_600.0


def status(caller: Caller) -> Call[ServerStatus]:
    """Give what the server is, and how busy."""
    del caller
    return Call(
        request=pb.GetStatusRequest(),
        read=read_status,
    )


def replicas(caller: Caller) -> Call[Replicas]:
    """List the servers of the registry, as each told of itself last.

    Raises:
        PermissionDenied: The caller may not `operate` in all namespaces.
    """
    del caller
    return Call(request=pb.ListReplicasRequest(), read=read_replicas)


def verify(caller: Caller) -> Call[Verification]:
    """Let the server hash the weights in its memory again: seconds, for a large base minutes.

    Raises:
        ResourceExhausted: It does so already.
    """
    del caller
    return Call(
        request=pb.VerifyRequest(),
        read=read_verification,
        timeout_seconds=VERIFY_SECONDS_MAX,
    )


def warm(caller: Caller, ref: str) -> Call[Resident]:
    """Bring a release into host memory ahead of its first request.

    Raises:
        NotFound: The ref names nothing.
    """
    del caller
    return Call(
        request=pb.WarmRequest(ref=ref),
        read=read_resident,
    )


def drain(caller: Caller, *, wait_seconds: float = 0.0) -> Call[Drained]:
    """Refuse new jobs and finish the running ones, waiting at most `wait_seconds` for them."""
    del caller
    return Call(
        request=pb.DrainRequest(wait=_duration(wait_seconds)),
        read=read_drained,
        timeout_seconds=wait_seconds + DRAIN_GRACE_SECONDS,
    )


def read_status(message: pb.GetStatusResponse) -> ServerStatus:
    """Give the value of a status response."""
    plan = message.memory_plan if message.HasField("memory_plan") else None
    return same_fields(
        ServerStatus,
        message,
        uptime_seconds=field_value(message, "uptime"),
        registry_lag_seconds=field_value(message, "registry_lag"),
        residents=tuple(same_fields(Resident, one) for one in message.residents),
        memory_plan=same_fields(MemoryPlan, plan) if plan is not None else None,
        tenants=tuple(same_fields(TenantLoad, one) for one in message.tenants),
        sampler_options=tuple(same_fields(SamplerOptions, one) for one in message.sampler_options),
        schedules=tuple(same_fields(ScheduleNames, one) for one in message.schedules),
        causes=tuple(
            same_fields(Cause, one, seconds=field_value(one, "duration")) for one in message.causes
        ),
        c2pa=_credentials(message.c2pa) if message.HasField("c2pa") else None,
        safety=_safety(message.safety) if message.HasField("safety") else None,
        compiled=same_fields(Compiled, message.compiled) if message.HasField("compiled") else None,
    )


def read_replicas(message: pb.ListReplicasResponse) -> Replicas:
    """Give the value of a list of servers."""
    return same_fields(
        Replicas,
        message,
        replicas=tuple(
            same_fields(
                Replica,
                one,
                started_at=field_value(one, "start_time"),
                age_seconds=field_value(one, "age"),
                interval_seconds=field_value(one, "interval"),
                registry_lag_seconds=field_value(one, "registry_lag"),
                clock_ahead_seconds=field_value(one, "clock_ahead"),
            )
            for one in message.replicas
        ),
    )


def read_verification(message: pb.VerifyResponse) -> Verification:
    """Give the value of what a server found in its memory."""
    components = tuple(same_fields(VerifiedComponent, one) for one in message.components)
    return Verification(components=components, seconds=field_value(message, "duration"))


def read_resident(message: pb.WarmResponse) -> Resident:
    """Give the value of a release in memory."""
    return same_fields(Resident, message.resident)


def read_drained(message: pb.DrainResponse) -> Drained:
    """Give the value of how far a drain got."""
    return same_fields(Drained, message)


def _credentials(message: pb.ContentCredentials) -> ContentCredentials:
    expires_at = field_value(message, "expire_time")
    return same_fields(ContentCredentials, message, expires_at=expires_at)


def _safety(message: pb.SafetyCheck) -> SafetyCheck:
    labels = tuple(same_fields(SafetyLabel, one) for one in message.labels)
    return same_fields(SafetyCheck, message, labels=labels)


def _duration(seconds: float) -> Duration:
    try:
        return Duration(seconds=int(seconds), nanos=int(seconds % 1 * 1e9))
    except (ValueError, OverflowError) as error:
        raise InvalidArgument(
            f"{seconds} is no number of seconds",
            reason="WAIT_OUT_OF_RANGE",
            hint="give seconds from 0 up",
        ) from error
