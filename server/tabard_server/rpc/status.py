# SPDX-License-Identifier: Apache-2.0
"""One table from exceptions to gRPC status, and the details that travel with a refusal.

In: any exception. Out: a code, a message, and `google.rpc` details: ErrorInfo with the reason and
the hint, BadRequest with the fields, RetryInfo. A test proves the table total.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NoReturn, TypeVar

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2, status_pb2

import tabard_registry.errors as registry_errors
import tabard_server.engine_port.errors as engine_errors
from tabard_server import errors
from tabard_server.telemetry.logs import log_problem

DOMAIN = "tabard"
"""Domain of every ErrorInfo."""
DETAILS_KEY = "grpc-status-details-bin"
"""Trailing metadata that holds the details, as every gRPC client knows it."""
HINT_KEY = "hint"
"""Where ErrorInfo keeps what to do next."""

_Code = grpc.StatusCode
CODES: Mapping[type[Exception], grpc.StatusCode] = {
    registry_errors.RegistryError: _Code.INTERNAL,
    registry_errors.InvalidName: _Code.INVALID_ARGUMENT,
    registry_errors.InvalidField: _Code.INVALID_ARGUMENT,
    registry_errors.NotFound: _Code.NOT_FOUND,
    registry_errors.AlreadyExists: _Code.ALREADY_EXISTS,
    registry_errors.PreconditionFailed: _Code.FAILED_PRECONDITION,
    registry_errors.IntakeRefused: _Code.INVALID_ARGUMENT,
    registry_errors.StoreUnavailable: _Code.UNAVAILABLE,
    registry_errors.CorruptRegistry: _Code.DATA_LOSS,
    registry_errors.UnusableRegistry: _Code.FAILED_PRECONDITION,
    engine_errors.EngineError: _Code.INTERNAL,
    engine_errors.BaseNotLoadable: _Code.FAILED_PRECONDITION,
    engine_errors.UnknownSampler: _Code.INVALID_ARGUMENT,
    engine_errors.SamplerNotServed: _Code.INVALID_ARGUMENT,
    engine_errors.RowNotPossible: _Code.INVALID_ARGUMENT,
    engine_errors.PromptTooLong: _Code.INVALID_ARGUMENT,
    engine_errors.SlotsExhausted: _Code.RESOURCE_EXHAUSTED,
    engine_errors.AdapterMismatch: _Code.FAILED_PRECONDITION,
    engine_errors.MergedTooLarge: _Code.RESOURCE_EXHAUSTED,
    engine_errors.DeviceMemoryFull: _Code.RESOURCE_EXHAUSTED,
    engine_errors.MemoryTooSmall: _Code.FAILED_PRECONDITION,
    engine_errors.RowNotFinite: _Code.FAILED_PRECONDITION,
    errors.ServerError: _Code.INTERNAL,
    errors.BadSettings: _Code.FAILED_PRECONDITION,
    errors.InvalidRequest: _Code.INVALID_ARGUMENT,
    errors.UploadRefused: _Code.INVALID_ARGUMENT,
    errors.NotServable: _Code.FAILED_PRECONDITION,
    # Not FAILED_PRECONDITION, which it is at the door: asked again by channel it may well succeed.
    errors.ReleaseWithdrawn: _Code.ABORTED,
    errors.Overloaded: _Code.RESOURCE_EXHAUSTED,
    errors.Draining: _Code.UNAVAILABLE,
    errors.OutOfTime: _Code.DEADLINE_EXCEEDED,
    errors.JobCancelled: _Code.CANCELLED,
    errors.WatchEnded: _Code.UNAVAILABLE,
    errors.JobFailed: _Code.INTERNAL,
}
"""The table. An exception that is not in it is a bug: INTERNAL, and its text stays here."""

# Clients refuse metadata beyond 8 KiB; these bounds keep the worst case below it.
_MESSAGE_BYTES_MAX = 600
_HINT_BYTES_MAX = 500
_VIOLATION_BYTES_MAX = 300
_VIOLATIONS_MAX = 6

T = TypeVar("T")


def build_status(error: Exception) -> tuple[grpc.StatusCode, str, bytes]:
    """Return the code, the message and the serialised `google.rpc.Status` of an exception."""
    code = CODES.get(type(error))
    if code is None:
        code, message, reason = _Code.INTERNAL, "the server failed unexpectedly", "INTERNAL"
        hint = "retry; if it happens again, the server's log has the traceback"
    else:
        message, reason = str(error), str(getattr(error, "reason", "INTERNAL"))
        hint = str(getattr(error, "hint", ""))
    message = _trim(message, bytes_max=_MESSAGE_BYTES_MAX)
    info = error_details_pb2.ErrorInfo(reason=reason, domain=DOMAIN)
    if hint:
        info.metadata[HINT_KEY] = _trim(hint, bytes_max=_HINT_BYTES_MAX)
    details = [info, *_bad_request(error), *_retry_info(error)]
    status = status_pb2.Status(
        code=code.value[0], message=message, details=[_pack(detail) for detail in details]
    )
    return code, message, status.SerializeToString()


def reason_of(error: Exception) -> str:
    """Return the stable reason of an exception; `INTERNAL` for one that nobody expects."""
    return str(getattr(error, "reason", "INTERNAL")) if type(error) in CODES else "INTERNAL"


class Guard:
    """Turns whatever an RPC raises into a typed status. The outermost loop of every call."""

    def __init__(self, *, count: Callable[[str], None]) -> None:
        """Take what counts a failure by its reason."""
        self._count = count

    async def call(self, context: "grpc.aio.ServicerContext[Any, Any]", work: Awaitable[T]) -> T:
        """Await the work of a call; abort with a status if it fails."""
        try:
            return await work
        except asyncio.CancelledError:
            raise
        except Exception as error:
            await self._abort(context, error)

    async def _abort(
        self, context: "grpc.aio.ServicerContext[Any, Any]", error: Exception
    ) -> NoReturn:
        if type(error) not in CODES:
            log_problem("call.failed", error=error)
        self._count(reason_of(error))
        code, message, details = build_status(error)
        await context.abort(code, message, trailing_metadata=((DETAILS_KEY, details),))


def _bad_request(error: Exception) -> list[error_details_pb2.BadRequest]:
    violations = getattr(error, "violations", ())
    if not violations:
        return []
    return [
        error_details_pb2.BadRequest(
            field_violations=[
                error_details_pb2.BadRequest.FieldViolation(
                    field=violation.field,
                    description=_trim(violation.description, bytes_max=_VIOLATION_BYTES_MAX),
                    reason=violation.reason,
                )
                for violation in violations[:_VIOLATIONS_MAX]
            ]
        )
    ]


def _retry_info(error: Exception) -> list[error_details_pb2.RetryInfo]:
    seconds = getattr(error, "retry_seconds", None)
    if seconds is None and isinstance(error, registry_errors.StoreUnavailable):
        seconds = 1.0
    if seconds is None:
        return []
    delay = Duration()
    delay.FromMilliseconds(int(seconds * 1000))
    return [error_details_pb2.RetryInfo(retry_delay=delay)]


def _pack(message: Any) -> AnyMessage:
    packed = AnyMessage()
    packed.Pack(message)
    return packed


def _trim(text: str, *, bytes_max: int) -> str:
    encoded = text.encode("utf-8", "replace")
    if len(encoded) <= bytes_max:
        return encoded.decode()
    return encoded[: bytes_max - 3].decode("utf-8", "ignore") + "…"
