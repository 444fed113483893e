# SPDX-License-Identifier: Apache-2.0
"""The table of errors: total over every exception tree, and its answers well-formed."""

from collections.abc import Iterator

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from tabard_registry import Problem, RegistryError, Report
from tabard_server.engine_port.errors import EngineError, SlotsExhausted
from tabard_server.errors import InvalidRequest, Overloaded, ServerError, UploadRefused, Violation
from tabard_server.rpc.status import CODES, build_status


def family(root: type[Exception]) -> Iterator[type[Exception]]:
    """Yield a class and everything below it."""
    yield root
    for child in root.__subclasses__():
        yield from family(child)


@pytest.mark.parametrize(
    "kind",
    [kind for root in (RegistryError, ServerError, EngineError) for kind in family(root)],
    ids=lambda kind: kind.__name__,
)
def test_every_exception_has_a_code(kind: type[Exception]) -> None:
    """No exception of any tree is missing from the table."""
    assert kind in CODES


def test_stranger_is_internal_and_mute() -> None:
    """An exception nobody knows is INTERNAL and says nothing of itself."""
    code, message, details = build_status(KeyError("password=hunter2"))

    assert code is grpc.StatusCode.INTERNAL
    assert "hunter2" not in message
    assert b"hunter2" not in details


def test_reason_and_hint_travel() -> None:
    """ErrorInfo holds domain, reason and hint."""
    _code, _message, details = build_status(SlotsExhausted("no room", hint="wear less"))

    info = error_details_pb2.ErrorInfo()
    status_pb2.Status.FromString(details).details[0].Unpack(info)
    assert (info.domain, info.reason) == ("tabard", "SLOTS_EXHAUSTED")
    assert info.metadata["hint"] == "wear less"


def test_retry_time_travels() -> None:
    """RetryInfo says when to come back."""
    _code, _message, details = build_status(Overloaded("full", retry_seconds=1.5))

    retry = error_details_pb2.RetryInfo()
    assert status_pb2.Status.FromString(details).details[-1].Unpack(retry)
    assert retry.retry_delay.ToMilliseconds() == 1_500


def test_report_becomes_violations() -> None:
    """Every problem of an upload is a violation; warnings are not."""
    problems = (
        Problem(reason="UNKNOWN_KEYS", message="3 keys fit nothing.", remedy="Retrain."),
        Problem(reason="NO_TRIGGER", message="No trigger.", remedy="Name one.", is_warning=True),
    )
    error = UploadRefused(Report(accepted=False, problems=problems))

    assert error.reason == "UNKNOWN_KEYS"
    assert [violation.reason for violation in error.violations] == ["UNKNOWN_KEYS"]


def test_details_fit_into_metadata() -> None:
    """However long and foreign the words are, the trailer stays below 8 KiB."""
    violation = Violation(field="prompt", description="ж" * 9_000, reason="X", hint="ж" * 9_000)
    _code, message, details = build_status(InvalidRequest((violation,) * 40))

    percent_encoded = sum(3 if byte > 126 else 1 for byte in message.encode())
    assert percent_encoded + len(details) * 4 / 3 < 8_192 - 512
