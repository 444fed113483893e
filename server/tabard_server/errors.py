# SPDX-License-Identifier: Apache-2.0
"""What the server refuses or fails at, each class a different thing for the caller to do.

ServerError
├── BadSettings          the server does not start: correct the settings
├── Unauthenticated      say who you are, by something that counts here
├── InvalidRequest       change the request; lists every field that is wrong
├── UploadRefused        the files cannot be published; holds the report
├── NotServable          the release exists, but this server cannot wear it
├── NotEvaluable         there is nothing that a release could be judged by
├── ImageUnknown         this server drew no such picture, or too long ago
├── ReleaseWithdrawn     the release was quarantined or purged while a job wore it
├── Overloaded           a bound is reached: retry later
├── TooLarge             more than this server has room for, however long one waits
├── MethodUnknown        there is no such method here: compare versions
├── ServiceUnknown       health is asked of a service that is not here
├── ImageWithheld        the safety classifier lets no caller have the picture: ask otherwise
├── NotServing           this server takes no new work, or has stopped: go to another
├── RequestIdTaken       the request id stands for something else, or for what is gone: take another
├── ReadElsewhere        a newer call with the same request id has the job now
├── JobUnknown           this caller has no such job, or it is not kept any more
├── JobElsewhere         another server keeps the job: ask that one
├── JobNotKept           the server's disk does not keep jobs
├── OutOfTime            the deadline passed, or is too near to begin
├── JobCancelled         the caller left or the server stopped
├── WatchEnded           resume the watch from the last seq
└── JobFailed            the server's own failure, logged there with its traceback
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tabard_registry import Report

VIOLATIONS_TOLD_MAX = 16
"""Fields that are wrong, told in one refusal: a status travels in a header of 8 KiB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """One field of a request that is wrong.

    Attributes:
        field: Name in the proto, like `adapters[1]`.
        description: What is wrong with it.
        reason: Stable code in upper snake case.
        hint: What to write instead.
    """

    field: str
    description: str
    reason: str
    hint: str = ""


class ServerError(Exception):
    """A failure with a stable reason and advice.

    Attributes:
        reason: Stable code in upper snake case.
        hint: What the caller can do next.
        violations: Fields that are wrong; mostly empty.
        retry_seconds: When to try again; None: not on its own account.
    """

    reason = "SERVER_ERROR"

    def __init__(
        self,
        message: str,
        *,
        reason: str | None = None,
        hint: str = "",
        violations: tuple[Violation, ...] = (),
        retry_seconds: float | None = None,
    ) -> None:
        super().__init__(message)
        self.reason = reason or type(self).reason
        self.hint = hint
        self.violations = violations
        self.retry_seconds = retry_seconds


class BadSettings(ServerError):
    """A setting is wrong or unknown; the server does not start.

    Attributes:
        names: The settings that it is about, the wrong one first.
    """

    reason = "BAD_SETTINGS"

    def __init__(
        self, message: str, *, names: tuple[str, ...] = (), reason: str | None = None, hint: str
    ) -> None:
        super().__init__(message, reason=reason, hint=hint)
        self.names = names

    @classmethod
    def refuse(cls, mistakes: Sequence[BadSettings]) -> None:
        """Tell of all mistakes at once, each with its own hint; of none, do nothing.

        Raises:
            BadSettings: There are some.
        """
        if len(mistakes) == 1:
            raise mistakes[0]
        if not mistakes:
            return
        reasons = {one.reason for one in mistakes}
        raise cls(
            "; ".join(map(str, mistakes)),
            names=tuple(name for one in mistakes for name in one.names),
            reason=reasons.pop() if len(reasons) == 1 else None,
            hint="; ".join(f"{one.names[0]}: {one.hint}" for one in mistakes),
        )


class Unauthenticated(ServerError):
    """What the call shows of who makes it does not count here, or there is nothing."""

    reason = "TOKEN_MISSING"


class InvalidRequest(ServerError):
    """One or more fields of a request are wrong; reason and hint are those of the first.

    Of very many, the first are told: an answer has no room for more.
    """

    reason = "INVALID_REQUEST"

    def __init__(self, violations: tuple[Violation, ...]) -> None:
        first, told = violations[0], violations[:VIOLATIONS_TOLD_MAX]
        message = "; ".join(violation.description for violation in told)
        if len(told) < len(violations):
            message += f"; and {len(violations) - len(told)} more"
        super().__init__(message, reason=first.reason, hint=first.hint, violations=told)


class UploadRefused(ServerError):
    """The files were read and cannot be published.

    Attributes:
        report: What the checks said.
    """

    reason = "UPLOAD_REFUSED"

    def __init__(self, report: Report) -> None:
        problems = [problem for problem in report.problems if not problem.is_warning]
        first = problems[0]
        rest = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        super().__init__(
            first.message + rest,
            reason=first.reason,
            hint=first.remedy,
            violations=tuple(
                Violation(
                    field="file",
                    description=f"{problem.message.rstrip('.')}. {problem.remedy}".strip(),
                    reason=problem.reason,
                    hint=problem.remedy,
                )
                for problem in problems
            ),
        )
        self.report = report


class NotServable(ServerError):
    """The release cannot be worn by the base of this server, or the request is for another base.

    Attributes:
        base: Fingerprint of the base that it needs; empty: that is not what is wrong.
    """

    reason = "NOT_SERVABLE"

    def __init__(
        self, message: str, *, reason: str | None = None, hint: str = "", base: str = ""
    ) -> None:
        super().__init__(message, reason=reason, hint=hint)
        self.base = base


class NotEvaluable(ServerError):
    """There is nothing that a release can be judged by."""

    reason = "REFERENCES_MISSING"


class ImageUnknown(ServerError):
    """A complaint is about a picture that this server does not know, or not any more."""

    reason = "IMAGE_UNKNOWN"


class ReleaseWithdrawn(ServerError):
    """A job was cut off because what it wears was taken out of service."""

    reason = "RELEASE_QUARANTINED"


class Overloaded(ServerError):
    """A named bound is reached."""

    reason = "OVERLOADED"


class TooLarge(ServerError):
    """More than this server has room for, even when nobody else is served."""

    reason = "TOO_LARGE"


class MethodUnknown(ServerError):
    """There is no such method on this server."""

    reason = "METHOD_UNKNOWN"


class ServiceUnknown(ServerError):
    """There is no such service on this server, whose health could be told."""

    reason = "SERVICE_UNKNOWN"


class ImageWithheld(ServerError):
    """The picture was drawn, and the server's policy lets nobody have it."""

    reason = "IMAGE_WITHHELD"


class NotServing(ServerError):
    """The server takes no new work now, or has stopped; the reason says why."""

    reason = "NOT_SERVING"


class RequestIdTaken(ServerError):
    """A request id stands for another request, or for a job whose images are not kept any more."""

    reason = "REQUEST_ID_REUSED"


class ReadElsewhere(ServerError):
    """A newer call with the same request id reads the job now."""

    reason = "READ_ELSEWHERE"


class JobUnknown(ServerError):
    """The caller has no such job, or it is not kept any more; an image of it is not there."""

    reason = "JOB_UNKNOWN"


class JobElsewhere(ServerError):
    """Another server of the registry keeps the job, if anybody does.

    Attributes:
        server: How a proxy knows it, for the metadata `tabard-server`; empty: it does not say.
        base: Fingerprint of its base.
    """

    reason = "JOB_ELSEWHERE"

    def __init__(self, message: str, *, server: str, base: str, **more: Any) -> None:
        super().__init__(message, **more)
        self.server = server
        self.base = base


class JobNotKept(ServerError):
    """What detached jobs are kept on does not take them, or does not give them back."""

    reason = "JOB_NOT_KEPT"


class OutOfTime(ServerError):
    """The caller's deadline passed, or is too near to begin."""

    reason = "DEADLINE_EXCEEDED"


class JobCancelled(ServerError):
    """The job was stopped before its end."""

    reason = "JOB_CANCELLED"


class WatchEnded(ServerError):
    """The server ends a watch; nothing is lost when it is resumed."""

    reason = "WATCH_ENDED"


class JobFailed(ServerError):
    """Something broke that should not; the log of the server has the traceback."""

    reason = "JOB_FAILED"


def invalid(field: str, description: str, *, reason: str, hint: str = "") -> InvalidRequest:
    """Make the error for a single wrong field."""
    return InvalidRequest(
        (Violation(field=field, description=description, reason=reason, hint=hint),)
    )
