# SPDX-License-Identifier: Apache-2.0
"""From a failed RPC to the error tree: one table of statuses, and the google.rpc details unpacked.

Comes in: what grpc or grpc.aio raised. Goes out: a `TabardError`. Opens no connection.
"""

from __future__ import annotations

import contextlib
from typing import Any, Protocol

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

from tabard import errors
from tabard.errors import FieldViolation, TabardError

ERROR_DOMAIN = "tabard"
DETAILS_METADATA = "grpc-status-details-bin"

_TOO_LARGE = "message larger than max"

STATUS_TABLE: dict[grpc.StatusCode, type[TabardError]] = {
    grpc.StatusCode.CANCELLED: errors.Cancelled,
    grpc.StatusCode.UNKNOWN: errors.Internal,
    grpc.StatusCode.INVALID_ARGUMENT: errors.InvalidArgument,
    grpc.StatusCode.DEADLINE_EXCEEDED: errors.DeadlineExceeded,
    grpc.StatusCode.NOT_FOUND: errors.NotFound,
    grpc.StatusCode.ALREADY_EXISTS: errors.AlreadyExists,
    grpc.StatusCode.PERMISSION_DENIED: errors.PermissionDenied,
    grpc.StatusCode.RESOURCE_EXHAUSTED: errors.ResourceExhausted,
    grpc.StatusCode.FAILED_PRECONDITION: errors.FailedPrecondition,
    grpc.StatusCode.ABORTED: errors.Aborted,
    grpc.StatusCode.OUT_OF_RANGE: errors.InvalidArgument,
    grpc.StatusCode.UNIMPLEMENTED: errors.Unimplemented,
    grpc.StatusCode.INTERNAL: errors.Internal,
    grpc.StatusCode.UNAVAILABLE: errors.Unavailable,
    grpc.StatusCode.DATA_LOSS: errors.Internal,
    grpc.StatusCode.UNAUTHENTICATED: errors.Unauthenticated,
}

_DEFAULT_HINTS: dict[grpc.StatusCode, str] = {
    grpc.StatusCode.UNAVAILABLE: "is the server running at {address}? Start one: tabard serve; or, "
    "if callers hold all its connections, use its operators' address",
    grpc.StatusCode.DEADLINE_EXCEEDED: "allow more time with timeout_seconds, or ask for less",
    grpc.StatusCode.UNAUTHENTICATED: "say tabard login, set TABARD_TOKEN, or pass token=",
    grpc.StatusCode.UNIMPLEMENTED: "the server at {address} is older than this SDK; upgrade it",
    grpc.StatusCode.INTERNAL: "look at the log of the server at {address}",
    grpc.StatusCode.UNKNOWN: "look at the log of the server at {address}",
}

_NOT_REACHED = ("failed to connect", "errors resolving", "DNS resolution failed")
"""How gRPC begins where no connection came about; of all else it cannot say how far it came."""

_RESET = ("RST_STREAM", "Stream removed")
"""In what gRPC says where a stream was cut off on the way: a server was killed, a proxy lost it."""
_ENDED_HERE = ("Locally cancelled", "Channel closed")
"""How it begins where this program gave up the call itself."""

_OWN_WORDS: dict[grpc.StatusCode, str] = {
    grpc.StatusCode.DEADLINE_EXCEEDED: "the time that was allowed for the call is over",
    grpc.StatusCode.UNIMPLEMENTED: "the server at {address} does not know this call",
}


class FailedCall(Protocol):
    """What `grpc.Call` and `grpc.aio.AioRpcError` have in common."""

    def code(self) -> Any:
        """Give the status code."""

    def details(self) -> Any:
        """Give the status message."""

    def trailing_metadata(self) -> Any:
        """Give the trailing metadata."""


def tabard_error(call: FailedCall, *, address: str) -> TabardError:
    """Give the error of the tree that says what a failed RPC says."""
    code: grpc.StatusCode = call.code() or grpc.StatusCode.UNKNOWN
    info = error_details_pb2.ErrorInfo()
    violations: tuple[FieldViolation, ...] = ()
    retry_after_seconds: float | None = None
    # What stands there and cannot be read is passed over: the status itself was understood.
    for detail in _details(call):
        with contextlib.suppress(DecodeError):
            if detail.Is(error_details_pb2.ErrorInfo.DESCRIPTOR):
                detail.Unpack(info)
            elif detail.Is(error_details_pb2.BadRequest.DESCRIPTOR):
                violations += _violations(detail)
            elif detail.Is(error_details_pb2.RetryInfo.DESCRIPTOR):
                retry = error_details_pb2.RetryInfo()
                detail.Unpack(retry)
                delay = retry.retry_delay
                retry_after_seconds = max(0.0, delay.seconds + delay.nanos / 1e9)
    reason, hint, message = code.name, _default_hint(code, address), _message(call, address)
    if info.domain != ERROR_DOMAIN and _is_cut_off(code, str(call.details())):
        # No word of a server's: whatever it is called on the way, the server is lost.
        code, message = grpc.StatusCode.UNAVAILABLE, "the connection to the server was lost"
        reason, hint = errors.CONNECTION_LOST, _default_hint(code, address)
    elif info.domain == ERROR_DOMAIN:
        reason = info.reason
    elif code in _OWN_WORDS:
        # gRPC's own, on either side: "Deadline Exceeded" tells a person nothing.
        message = _OWN_WORDS[code].format(address=address)
    elif code is grpc.StatusCode.RESOURCE_EXHAUSTED and _TOO_LARGE in str(call.details()):
        # Said by gRPC itself, on either side, before anything of Tabard sees the message.
        reason, hint = "MESSAGE_TOO_LARGE", "send a smaller picture (limits.message_bytes_max)"
    elif code is grpc.StatusCode.UNAVAILABLE and not str(call.details()).startswith(_NOT_REACHED):
        reason = errors.CONNECTION_LOST
    return STATUS_TABLE[code](
        message or code.name,
        reason=reason,
        hint=info.metadata.get("hint", hint),
        status=code.name,
        violations=violations,
        retry_after_seconds=retry_after_seconds,
        base=info.metadata.get("base", ""),
        server=info.metadata.get("server", ""),
    )


def _is_cut_off(code: grpc.StatusCode, details: str) -> bool:
    """Say whether a call that no server ended was ended by something between, unasked."""
    match code:
        case grpc.StatusCode.CANCELLED:
            return not details.startswith(_ENDED_HERE)
        case grpc.StatusCode.INTERNAL | grpc.StatusCode.UNKNOWN:
            return any(word in details for word in _RESET)
    return False


def _message(call: FailedCall, address: str) -> str:
    text = str(call.details() or "")
    # gRPC lists every address it tried, and how; a person asks whether somebody is there.
    if text.startswith("failed to connect"):
        return f"no server answers at {address}"
    if text.startswith(("errors resolving", "DNS resolution failed")):
        return f"no machine is known by the name in {address}"
    return text


def _details(call: FailedCall) -> list[Any]:
    for key, value in call.trailing_metadata() or ():
        if key == DETAILS_METADATA:
            with contextlib.suppress(DecodeError):
                return list(status_pb2.Status.FromString(value).details)
    return []


def _violations(detail: Any) -> tuple[FieldViolation, ...]:
    request = error_details_pb2.BadRequest()
    detail.Unpack(request)
    return tuple(
        FieldViolation(field=violation.field, description=violation.description)
        for violation in request.field_violations
    )


def _default_hint(code: grpc.StatusCode, address: str) -> str:
    return _DEFAULT_HINTS.get(code, "").format(address=address)
