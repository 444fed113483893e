# SPDX-License-Identifier: Apache-2.0
"""What a failure means to whoever asked: one table from exceptions to kinds, for every door.

In: any exception. Out: a `Refusal`, whose kind a door turns into a status of its protocol. A test
proves the table total.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum

import tabard_registry.errors as registry_errors
import tabard_server.engine_port.errors as engine_errors
from tabard_server import errors
from tabard_server.errors import Violation


class Kind(Enum):
    """A failure as its caller sees it, and what it means."""

    INVALID = "the request is wrong as it stands"
    UNAUTHENTICATED = "who calls is not known here"
    FORBIDDEN = "who calls may not do that"
    NOT_FOUND = "what it names does not exist"
    UNIMPLEMENTED = "there is no such method"
    EXISTS = "the name stands for something else already"
    PRECONDITION = "things are not in the state that it needs"
    ABORTED = "what it began with was taken away meanwhile: ask again"
    TOO_LARGE = "more than this server has room for"
    BUSY = "a bound is reached now: try again later"
    UNAVAILABLE = "this server, or what it needs, does not answer: try again, or elsewhere"
    OUT_OF_TIME = "the deadline passed, or is too near"
    CANCELLED = "stopped before its end, as was asked"
    DAMAGED = "stored bytes are not what they must be"
    INTERNAL = "the server's own failure"


KINDS: Mapping[type[Exception], Kind] = {
    registry_errors.RegistryError: Kind.INTERNAL,
    registry_errors.InvalidName: Kind.INVALID,
    registry_errors.InvalidField: Kind.INVALID,
    registry_errors.Forbidden: Kind.FORBIDDEN,
    registry_errors.NotFound: Kind.NOT_FOUND,
    registry_errors.AlreadyExists: Kind.EXISTS,
    registry_errors.PreconditionFailed: Kind.PRECONDITION,
    registry_errors.IntakeRefused: Kind.INVALID,
    registry_errors.StoreUnavailable: Kind.UNAVAILABLE,
    registry_errors.CorruptRegistry: Kind.DAMAGED,
    registry_errors.UnusableRegistry: Kind.PRECONDITION,
    engine_errors.EngineError: Kind.INTERNAL,
    engine_errors.BaseNotLoadable: Kind.PRECONDITION,
    engine_errors.UnknownSampler: Kind.INVALID,
    engine_errors.SamplerNotServed: Kind.INVALID,
    engine_errors.UnknownSchedule: Kind.INVALID,
    engine_errors.ScheduleNotServed: Kind.INVALID,
    engine_errors.UnknownSpacing: Kind.INVALID,
    engine_errors.RowNotPossible: Kind.INVALID,
    engine_errors.PromptTooLong: Kind.INVALID,
    engine_errors.SlotsExhausted: Kind.TOO_LARGE,
    engine_errors.AdapterMismatch: Kind.PRECONDITION,
    engine_errors.MergedTooLarge: Kind.TOO_LARGE,
    engine_errors.DeviceMemoryFull: Kind.TOO_LARGE,
    engine_errors.MemoryTooSmall: Kind.PRECONDITION,
    engine_errors.RowNotFinite: Kind.PRECONDITION,
    errors.ServerError: Kind.INTERNAL,
    errors.BadSettings: Kind.PRECONDITION,
    errors.Unauthenticated: Kind.UNAUTHENTICATED,
    errors.InvalidRequest: Kind.INVALID,
    errors.UploadRefused: Kind.INVALID,
    errors.NotServable: Kind.PRECONDITION,
    errors.NotEvaluable: Kind.PRECONDITION,
    errors.ImageUnknown: Kind.NOT_FOUND,
    # Not PRECONDITION, which it is at the door: asked again by channel it may well succeed.
    errors.ReleaseWithdrawn: Kind.ABORTED,
    errors.Overloaded: Kind.BUSY,
    errors.TooLarge: Kind.TOO_LARGE,
    errors.MethodUnknown: Kind.UNIMPLEMENTED,
    errors.ServiceUnknown: Kind.NOT_FOUND,
    # Asked again as it is, it would be withheld again.
    errors.ImageWithheld: Kind.PRECONDITION,
    errors.NotServing: Kind.UNAVAILABLE,
    errors.RequestIdTaken: Kind.EXISTS,
    errors.ReadElsewhere: Kind.ABORTED,
    errors.JobUnknown: Kind.NOT_FOUND,
    errors.JobElsewhere: Kind.UNAVAILABLE,
    errors.JobNotKept: Kind.UNAVAILABLE,
    errors.OutOfTime: Kind.OUT_OF_TIME,
    errors.JobCancelled: Kind.CANCELLED,
    errors.WatchEnded: Kind.UNAVAILABLE,
    errors.JobFailed: Kind.INTERNAL,
}
"""The table. An exception that is not in it is a bug: INTERNAL, and its text stays here."""

# Clients refuse metadata beyond 8 KiB; these bounds keep the worst case below it.
_MESSAGE_BYTES_MAX = 600
_HINT_BYTES_MAX = 500
_VIOLATION_BYTES_MAX = 300
_VIOLATIONS_MAX = 6
_BASE_BYTES_MAX = 100

_STORE_RETRY_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """What a caller is told of a failure; every text is short enough for a header.

    Attributes:
        kind: What a door makes its status of.
        message: What went wrong.
        reason: Stable code in upper snake case.
        hint: What the caller can do next; may be empty.
        violations: The first fields that are wrong; mostly empty.
        retry_seconds: When to try again; None: not on its own account.
        base: Fingerprint of the base that a server should have; mostly empty.
        server: How a proxy knows the server to ask; mostly empty.
    """

    kind: Kind
    message: str
    reason: str
    hint: str = ""
    violations: tuple[Violation, ...] = ()
    retry_seconds: float | None = None
    base: str = ""
    server: str = ""


class Refused(Exception):
    """A refusal that was kept, and is told once more.

    Attributes:
        refusal: What a caller is told.
    """

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


def is_foreseen(error: Exception) -> bool:
    """Say whether the table knows the exception; the text of any other is for the log alone."""
    return type(error) in KINDS or isinstance(error, Refused)


def refusal_of(error: Exception) -> Refusal:
    """Return what a caller is told of an exception."""
    if isinstance(error, Refused):
        return error.refusal
    if not is_foreseen(error):
        return Refusal(
            kind=Kind.INTERNAL,
            message="the server failed unexpectedly",
            reason="INTERNAL",
            hint="retry; if it happens again, the server's log has the traceback",
        )
    return Refusal(
        kind=KINDS[type(error)],
        message=_trim(str(error), bytes_max=_MESSAGE_BYTES_MAX),
        reason=str(getattr(error, "reason", "INTERNAL")),
        hint=_trim(str(getattr(error, "hint", "")), bytes_max=_HINT_BYTES_MAX),
        violations=tuple(map(_short, getattr(error, "violations", ())[:_VIOLATIONS_MAX])),
        retry_seconds=getattr(
            error,
            "retry_seconds",
            _STORE_RETRY_SECONDS if isinstance(error, registry_errors.StoreUnavailable) else None,
        ),
        base=_trim(str(getattr(error, "base", "")), bytes_max=_BASE_BYTES_MAX),
        server=_trim(str(getattr(error, "server", "")), bytes_max=_BASE_BYTES_MAX),
    )


def _short(violation: Violation) -> Violation:
    return replace(
        violation,
        description=_trim(violation.description, bytes_max=_VIOLATION_BYTES_MAX),
        hint=_trim(violation.hint, bytes_max=_HINT_BYTES_MAX),
    )


def _trim(text: str, *, bytes_max: int) -> str:
    encoded = text.encode("utf-8", "replace")
    if len(encoded) <= bytes_max:
        return encoded.decode()
    return encoded[: bytes_max - 3].decode("utf-8", "ignore") + "…"
