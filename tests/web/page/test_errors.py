# SPDX-License-Identifier: Apache-2.0
"""The page reads every failure in one shape."""

from tabard import FieldViolation, InvalidArgument, ResourceExhausted
from tabard_web.page.errors import page_failure


def test_failure_says_all_there_is() -> None:
    """What happened, what to do, and which field."""
    violation = FieldViolation(field="reason", description="is missing")
    error = InvalidArgument("no", reason="BAD", hint="say why", violations=(violation,))

    assert page_failure(error)["error"] == {
        "message": "no",
        "reason": "BAD",
        "hint": "say why",
        "field": "reason",
        "retry_after_seconds": None,
    }


def test_wait_is_told() -> None:
    """For those who wait by themselves."""
    error = ResourceExhausted("busy", reason="BUSY", retry_after_seconds=2.5)

    assert page_failure(error)["error"]["retry_after_seconds"] == 2.5
