# SPDX-License-Identifier: Apache-2.0
"""How gRPC says a refusal: a status code for each kind, and the details that travel with it.

In: any exception. Out: a code, a message, and `google.rpc` details: ErrorInfo with the reason and
the hint, BadRequest with the fields, RetryInfo. What an error means stands in `error_kinds`.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NoReturn, Protocol, TypeVar

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from tabard_registry.identity.identity import Identity
from tabard_server.callers.caller import Caller
from tabard_server.error_kinds import Kind, Refusal, is_foreseen, refusal_of
from tabard_server.identity.credentials import Session
from tabard_server.telemetry.logs import log_problem

DOMAIN = "tabard"
"""Domain of every ErrorInfo."""
DETAILS_KEY = "grpc-status-details-bin"
"""Trailing metadata that holds the details, as every gRPC client knows it."""
HINT_KEY = "hint"
"""Where ErrorInfo keeps what to do next."""
BASE_KEY = "base"
"""Where it keeps the fingerprint of the base that is needed, if this server has another one."""
SERVER_KEY = "server"
"""Where it keeps what to say in the metadata `tabard-server`, to reach the right one by a proxy."""

CODES: Mapping[Kind, grpc.StatusCode] = {
    Kind.INVALID: grpc.StatusCode.INVALID_ARGUMENT,
    Kind.UNAUTHENTICATED: grpc.StatusCode.UNAUTHENTICATED,
    Kind.FORBIDDEN: grpc.StatusCode.PERMISSION_DENIED,
    Kind.NOT_FOUND: grpc.StatusCode.NOT_FOUND,
    Kind.UNIMPLEMENTED: grpc.StatusCode.UNIMPLEMENTED,
    Kind.EXISTS: grpc.StatusCode.ALREADY_EXISTS,
    Kind.PRECONDITION: grpc.StatusCode.FAILED_PRECONDITION,
    Kind.ABORTED: grpc.StatusCode.ABORTED,
    Kind.TOO_LARGE: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Kind.BUSY: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Kind.UNAVAILABLE: grpc.StatusCode.UNAVAILABLE,
    Kind.OUT_OF_TIME: grpc.StatusCode.DEADLINE_EXCEEDED,
    Kind.CANCELLED: grpc.StatusCode.CANCELLED,
    Kind.DAMAGED: grpc.StatusCode.DATA_LOSS,
    Kind.INTERNAL: grpc.StatusCode.INTERNAL,
}
"""The code of every kind."""


class Context(Protocol):
    """What a servicer, and a guard, know of a call.

    Attributes:
        caller: Who calls, as far as places go.
        identity: Who calls, as far as roles go.
        session: How that is known.
    """

    caller: Caller
    identity: Identity
    session: Session

    def time_remaining(self) -> float | None:
        """Return the seconds until the caller's deadline; None: there is none."""

    def said(self, key: str) -> str:
        """Return what the caller says in its metadata; empty: nothing, or more than one thing."""

    async def write(self, message: Message) -> None:
        """Send a message, and wait until there is room for the next one."""

    async def abort(self, code: grpc.StatusCode, details: str, **trailing: Any) -> NoReturn:
        """End the call with a status."""


T = TypeVar("T")


def build_status(refusal: Refusal) -> tuple[grpc.StatusCode, bytes]:
    """Return the code and the serialised `google.rpc.Status` of a refusal."""
    code = CODES[refusal.kind]
    info = error_details_pb2.ErrorInfo(reason=refusal.reason, domain=DOMAIN)
    if refusal.hint:
        info.metadata[HINT_KEY] = refusal.hint
    if refusal.base:
        info.metadata[BASE_KEY] = refusal.base
    if refusal.server:
        info.metadata[SERVER_KEY] = refusal.server
    details: list[Message] = [info]
    if refusal.violations:
        violations = [
            error_details_pb2.BadRequest.FieldViolation(
                field=violation.field, description=violation.description, reason=violation.reason
            )
            for violation in refusal.violations
        ]
        details.append(error_details_pb2.BadRequest(field_violations=violations))
    if refusal.retry_seconds is not None:
        delay = Duration()
        delay.FromMilliseconds(int(refusal.retry_seconds * 1000))
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
    status = status_pb2.Status(
        code=code.value[0], message=refusal.message, details=[_pack(detail) for detail in details]
    )
    return code, status.SerializeToString()


class Guard:
    """Turns whatever an RPC raises into a typed status. The outermost loop of every call."""

    def __init__(self, *, count: Callable[[str], None]) -> None:
        """Take what counts a failure by its reason."""
        self._count = count

    async def call(self, context: Context, work: Awaitable[T]) -> T | None:
        """Await the work of a call; abort with a status if it fails."""
        try:
            return await work
        except (asyncio.CancelledError, grpc.aio.BaseError):
            # The call is over: the caller has gone, or was told already.
            raise
        except Exception as error:
            await self._abort(context, error)
            return None

    async def _abort(self, context: Context, error: Exception) -> None:
        if not is_foreseen(error):
            log_problem("call.failed", error=error)
        refusal = refusal_of(error)
        self._count(refusal.reason)
        code, details = build_status(refusal)
        # It cannot be said to a caller who went while it waited; gRPC knows how the call ended.
        with contextlib.suppress(grpc.aio.InternalError):
            await context.abort(code, refusal.message, trailing_metadata=((DETAILS_KEY, details),))


def _pack(message: Message) -> AnyMessage:
    packed = AnyMessage()
    packed.Pack(message)
    return packed
