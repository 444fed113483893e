# SPDX-License-Identifier: Apache-2.0
"""How a refusal travels over gRPC: a code for every kind, and well-formed details."""

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from tabard_server.error_kinds import Kind, Refusal, refusal_of
from tabard_server.errors import InvalidRequest, Violation
from tabard_server.rpc.status import CODES, build_status


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_has_a_code(kind: Kind) -> None:
    """No kind is missing, and none looks like success."""
    assert CODES[kind] is not grpc.StatusCode.OK


def test_reason_and_hint_travel() -> None:
    """ErrorInfo holds domain, reason and hint."""
    refusal = Refusal(kind=Kind.BUSY, message="no room", reason="QUEUE_FULL", hint="wear less")

    code, details = build_status(refusal)

    info = error_details_pb2.ErrorInfo()
    status = status_pb2.Status.FromString(details)
    status.details[0].Unpack(info)
    assert (code.value[0], "no room") == (status.code, status.message)
    assert (info.domain, info.reason) == ("tabard", "QUEUE_FULL")
    assert info.metadata["hint"] == "wear less"


def test_violations_travel() -> None:
    """BadRequest names every field that is wrong."""
    violation = Violation(field="steps", description="too many", reason="TOO_MANY")

    _code, details = build_status(refusal_of(InvalidRequest((violation,))))

    request = error_details_pb2.BadRequest()
    assert status_pb2.Status.FromString(details).details[1].Unpack(request)
    (told,) = request.field_violations
    assert (told.field, told.description, told.reason) == ("steps", "too many", "TOO_MANY")


def test_retry_time_travels() -> None:
    """RetryInfo says when to come back."""
    refusal = Refusal(kind=Kind.BUSY, message="full", reason="QUEUE_FULL", retry_seconds=1.5)

    _code, details = build_status(refusal)

    retry = error_details_pb2.RetryInfo()
    assert status_pb2.Status.FromString(details).details[-1].Unpack(retry)
    assert retry.retry_delay.ToMilliseconds() == 1_500


def test_details_fit_into_metadata() -> None:
    """However long and foreign the words are, the trailer stays below 8 KiB."""
    violation = Violation(field="prompt", description="ж" * 9_000, reason="X", hint="ж" * 9_000)
    refusal = refusal_of(InvalidRequest((violation,) * 40))

    _code, details = build_status(refusal)

    percent_encoded = sum(3 if byte > 126 else 1 for byte in refusal.message.encode())
    assert percent_encoded + len(details) * 4 / 3 < 8_192 - 512
