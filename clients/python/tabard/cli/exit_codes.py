# SPDX-License-Identifier: Apache-2.0
"""What the exit code of `tabard` says, and which error means which code."""

from __future__ import annotations

from tabard import errors
from tabard.errors import TabardError

OK = 0
UNEXPECTED = 1
USAGE = 2
NOT_FOUND = 3
INVALID = 4
PRECONDITION = 5
BUSY = 6
NOT_ALLOWED = 7
DAMAGED = 8
PARTLY = 9
ABANDONED = 10
DECLINED = 11
DIFFERENT = 12
INTERRUPTED = 130

MEANINGS: dict[int, str] = {
    OK: "done",
    UNEXPECTED: "unexpected failure, here or on the server; a demo that did not hold",
    USAGE: "the command line is wrong",
    NOT_FOUND: "no such adapter, release or channel; a picture that nobody knows",
    INVALID: "refused: a value, a setting or a file is wrong",
    PRECONDITION: "not in this state: exists already, nothing to roll back, yanked, quarantined, "
    "purged, not signed, lost a race",
    BUSY: "unavailable, a limit is reached, or out of time: try again later",
    NOT_ALLOWED: "not authenticated, or not permitted",
    DAMAGED: "a registry, or a base in a server's memory, is damaged; the findings name what",
    PARTLY: "some of many files were refused; the others are published",
    ABANDONED: "a server that was stopped ended though a thread of it was still at work",
    DECLINED: "you were asked and said no: nothing was done",
    DIFFERENT: "an image that was made again is another one; the differences name what is",
    INTERRUPTED: "interrupted",
}

SAID_NO = "DECLINED"
"""The reason of an error that is a person's own no."""

CODES: dict[type[TabardError], int] = {
    errors.InvalidArgument: INVALID,
    errors.NotFound: NOT_FOUND,
    errors.AlreadyExists: PRECONDITION,
    errors.FailedPrecondition: PRECONDITION,
    errors.Aborted: PRECONDITION,
    errors.ResourceExhausted: BUSY,
    errors.DeadlineExceeded: BUSY,
    errors.Unavailable: BUSY,
    errors.Cancelled: INTERRUPTED,
    errors.Unauthenticated: NOT_ALLOWED,
    errors.PermissionDenied: NOT_ALLOWED,
    errors.Unimplemented: UNEXPECTED,
    errors.Internal: UNEXPECTED,
}


def exit_code(error: TabardError) -> int:
    """Give the exit code of an error."""
    if error.status == "DATA_LOSS":
        return DAMAGED
    if error.reason == SAID_NO:
        return DECLINED
    return CODES.get(type(error), UNEXPECTED)


def table() -> str:
    """Give the exit codes and their meanings, one a line."""
    return "\n".join(f"  {code:<4}{meaning}" for code, meaning in MEANINGS.items())
