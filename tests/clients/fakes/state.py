# SPDX-License-Identifier: Apache-2.0
"""What the fake server knows: releases, channels, records, and how it fails when told to."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.rpc import error_details_pb2, status_pb2

from tabard.v1 import adapter_pb2, identity_service_pb2, operations_service_pb2


@dataclass
class FakeStatus:
    """A rich status, as the real server sends it."""

    code: int
    message: str
    reason: str = ""
    hint: str = ""
    violations: tuple[tuple[str, str], ...] = ()
    retry_seconds: float = 0
    base: str = ""

    def message_pb(self) -> status_pb2.Status:
        """Give the google.rpc message."""
        info = error_details_pb2.ErrorInfo(domain="tabard", reason=self.reason)
        if self.hint:
            info.metadata["hint"] = self.hint
        if self.base:
            info.metadata["base"] = self.base
        details: list[Any] = [info]
        if self.violations:
            request = error_details_pb2.BadRequest()
            for name, description in self.violations:
                request.field_violations.add(field=name, description=description)
            details.append(request)
        if self.retry_seconds:
            delay = duration_pb2.Duration(nanos=int(self.retry_seconds % 1 * 1e9))
            delay.seconds = int(self.retry_seconds)
            details.append(error_details_pb2.RetryInfo(retry_delay=delay))
        status = status_pb2.Status(code=self.code, message=self.message)
        for detail in details:
            packed = any_pb2.Any()
            packed.Pack(detail)
            status.details.append(packed)
        return status

    def abort(self, context: grpc.ServicerContext) -> NoReturn:
        """End the call with this status."""
        code = next(code for code in grpc.StatusCode if code.value[0] == self.code)
        data = self.message_pb().SerializeToString()
        context.set_trailing_metadata((("grpc-status-details-bin", data),))
        context.abort(code, self.message)
        raise AssertionError("abort raises")


@dataclass
class FakeState:
    """Everything the fake knows."""

    releases: dict[str, list[adapter_pb2.Release]] = field(default_factory=dict)
    channels: dict[tuple[str, str], list[adapter_pb2.Release]] = field(default_factory=dict)
    effects: dict[str, bool] = field(default_factory=dict)
    records: list[adapter_pb2.Record] = field(default_factory=list)
    metadata: list[dict[str, Any]] = field(default_factory=list)
    requests: list[Any] = field(default_factory=list)
    fail_with: FakeStatus | None = None
    fail_times: int | None = None
    fail_accepted_with: FakeStatus | None = None
    fail_image_with: FakeStatus | None = None
    is_rollback_broken: bool = False
    is_deaf: bool = False
    step_seconds: float = 0.0
    draining: bool = False
    base_fingerprint: str = "sha256:" + "b" * 64
    unet_fingerprint: str = ""
    manifest: bytes = b""
    memory_plan: operations_service_pb2.MemoryPlan | None = None
    c2pa: operations_service_pb2.ContentCredentials | None = None
    safety: operations_service_pb2.SafetyCheck | None = None
    compiled: operations_service_pb2.Compiled | None = None
    watch_breaks: int = 0
    tokens: list[identity_service_pb2.Token] = field(default_factory=list)
    policies: dict[str, identity_service_pb2.Policy] = field(default_factory=dict)
    cancelled: threading.Event = field(default_factory=threading.Event)

    def enter(self, request: Any, context: grpc.ServicerContext) -> None:
        """Note a call; fail it when told to."""
        self.requests.append(request)
        self.metadata.append(dict(context.invocation_metadata()))
        if self.fail_with is not None and self.fail_times != 0:
            if self.fail_times is not None:
                self.fail_times -= 1
            self.fail_with.abort(context)

    def record(self, *, actor: str, reason: str, **action: Any) -> int:
        """Append a record and give its seq."""
        seq = len(self.records) + 1
        self.records.append(
            adapter_pb2.Record(
                seq=seq,
                id=f"id-{seq}",
                time=datetime(2030, 1, 1, tzinfo=UTC) + timedelta(seconds=seq),
                actor=actor,
                reason=reason,
                actions=[_action(effective=True, actor=actor, reason=reason, **action)],
            )
        )
        return seq

    def resolve(self, ref: str, context: grpc.ServicerContext) -> adapter_pb2.Release:
        """Find what a ref without weight means."""
        name, _, selector = ref.partition("@")
        if name not in self.releases:
            near = ", ".join(sorted(self.releases)) or "nothing yet"
            status = FakeStatus(
                5, f"there is no adapter {name}", "ADAPTER_NOT_FOUND", f"try {near}"
            )
            status.abort(context)
        for release in self.releases[name]:
            if selector in (release.version, release.digest):
                return release
        moves = self.channels.get((name, selector or "stable"))
        if not moves:
            status = FakeStatus(
                5, f"{name} has no {selector}", "CHANNEL_NOT_FOUND", "promote first"
            )
            status.abort(context)
        return moves[-1]

    def channels_to(self, release: adapter_pb2.Release) -> list[str]:
        """Name the channels that point to a release."""
        return [
            channel
            for (adapter, channel), moves in self.channels.items()
            if adapter == release.adapter and moves[-1].digest == release.digest
        ]


def _action(*, type: str, **said: Any) -> adapter_pb2.Action:
    member = adapter_pb2.ActionType.Value(f"ACTION_TYPE_{type.upper()}")
    return adapter_pb2.Action(type=member, **said)
