# SPDX-License-Identifier: Apache-2.0
"""Everything the SDK raises, one class for each way a caller would act differently.

TabardError
├─ InvalidArgument      the request is wrong: change it         (also gRPC OUT_OF_RANGE)
├─ NotFound             no such adapter, release or channel
├─ AlreadyExists        the version exists with other bytes
├─ FailedPrecondition   not in this state: nothing to roll back, yanked, expectation not met
├─ Aborted              lost a race: read again and retry
├─ ResourceExhausted    a limit is reached: wait or ask for less
├─ DeadlineExceeded     out of time
├─ Cancelled            the caller or the server gave up
├─ Unauthenticated      who are you?
├─ PermissionDenied     not allowed
├─ Unimplemented        the server does not know this call
├─ Unavailable          no server there, or it is draining
└─ Internal             the server's fault                      (also UNKNOWN and DATA_LOSS)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

NOBODY_ANSWERS = "UNAVAILABLE"
"""The reason of a failure that gRPC itself found: nobody was reached."""
CONNECTION_LOST = "CONNECTION_LOST"
"""Likewise: the connection ended during the call, and nobody knows how far it came."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldViolation:
    """One field of a request that the server refused, and why."""

    field: str
    description: str


class TabardError(Exception):
    """The root of the tree; `str()` says what happened.

    Attributes:
        reason: Stable UPPER_SNAKE code, e.g. `RELEASE_NOT_FOUND`; empty when nobody gave one.
        hint: What to do next; may be empty.
        status: Name of the gRPC status, e.g. `NOT_FOUND`.
        violations: The fields that were refused, one by one.
        retry_after_seconds: How long the server asks to wait, if it says.
        base: Fingerprint of the base that is needed, where the server has another one; else empty.
        server: How a proxy knows the server to ask, where another one keeps the job; else empty.
    """

    status: str
    default_status: ClassVar[str] = "UNKNOWN"

    def __init__(
        self,
        message: str,
        *,
        reason: str = "",
        hint: str = "",
        status: str = "",
        violations: tuple[FieldViolation, ...] = (),
        retry_after_seconds: float | None = None,
        base: str = "",
        server: str = "",
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.hint = hint
        self.status = status or self.default_status
        self.violations = violations
        self.retry_after_seconds = retry_after_seconds
        self.base = base
        self.server = server
        # A traceback of an error that nobody caught shows these below the message.
        for violation in violations:
            self.add_note(f"{violation.field}: {violation.description}")
        if reason:
            self.add_note(f"reason: {reason}")
        if hint:
            self.add_note(f"hint: {hint}")


class InvalidArgument(TabardError):
    """The request itself is wrong; sending it again will not help."""

    default_status = "INVALID_ARGUMENT"


class NotFound(TabardError):
    """No such adapter, release or channel."""

    default_status = "NOT_FOUND"


class AlreadyExists(TabardError):
    """The version is taken by other bytes."""

    default_status = "ALREADY_EXISTS"


class FailedPrecondition(TabardError):
    """The request is right, but not in the present state."""

    default_status = "FAILED_PRECONDITION"


class Aborted(TabardError):
    """Somebody else was faster; read the state again and retry."""

    default_status = "ABORTED"


class ResourceExhausted(TabardError):
    """A named limit is reached; see `retry_after_seconds`."""

    default_status = "RESOURCE_EXHAUSTED"


class DeadlineExceeded(TabardError):
    """The time allowed for the call is over."""

    default_status = "DEADLINE_EXCEEDED"


class Cancelled(TabardError):
    """The call was cancelled, here or by the server."""

    default_status = "CANCELLED"


class Unauthenticated(TabardError):
    """The server does not know who is calling; set `TABARD_TOKEN`."""

    default_status = "UNAUTHENTICATED"


class PermissionDenied(TabardError):
    """The caller is known and not allowed."""

    default_status = "PERMISSION_DENIED"


class Unimplemented(TabardError):
    """The server does not know this call; it is older than this SDK."""

    default_status = "UNIMPLEMENTED"


class Unavailable(TabardError):
    """No server answers at the address, or it takes no work just now."""

    default_status = "UNAVAILABLE"


class Internal(TabardError):
    """The server failed in a way it does not explain."""

    default_status = "INTERNAL"
