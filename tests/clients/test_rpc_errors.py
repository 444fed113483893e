# SPDX-License-Identifier: Apache-2.0
"""Every gRPC status becomes an error of the tree, with reason, hint and details."""

from dataclasses import dataclass
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

import tabard
from tabard import Client, DeadlineExceeded
from tabard.rpc_errors import DETAILS_METADATA, STATUS_TABLE, tabard_error
from tests.clients.fakes.server import FakeServer
from tests.clients.fakes.state import FakeStatus

FAILURES = [code for code in grpc.StatusCode if code is not grpc.StatusCode.OK]


@dataclass
class Failed:
    """Implements `FailedCall`, with details that somebody else wrote."""

    value: bytes

    def code(self) -> Any:
        return grpc.StatusCode.RESOURCE_EXHAUSTED

    def details(self) -> Any:
        return "x"

    def trailing_metadata(self) -> Any:
        return ((DETAILS_METADATA, self.value),)


def test_every_status_is_mapped() -> None:
    """No status falls through the table."""
    assert set(STATUS_TABLE) == set(FAILURES)


@pytest.mark.parametrize("code", FAILURES, ids=lambda code: code.name)
def test_rich_status_becomes_error(
    client: Client, server: FakeServer, code: grpc.StatusCode
) -> None:
    """Class, reason, hint, violations and retry delay survive the wire, for every status."""
    server.state.fail_with = FakeStatus(
        code.value[0],
        "it happened",
        reason="SOME_REASON",
        hint="do this",
        violations=(("steps", "too many"),),
        retry_seconds=3,
    )

    with pytest.raises(STATUS_TABLE[code]) as caught:
        client.warm("a/b")

    error = caught.value
    assert (str(error), error.reason, error.hint) == ("it happened", "SOME_REASON", "do this")
    assert error.status == code.name
    assert error.violations == (tabard.FieldViolation(field="steps", description="too many"),)
    assert error.retry_after_seconds == 3.0


def test_stream_maps_errors_too(client: Client, server: FakeServer) -> None:
    """A job that is refused raises at the first event."""
    server.state.fail_with = FakeStatus(8, "full", reason="QUEUE_FULL", retry_seconds=2)

    with pytest.raises(tabard.ResourceExhausted) as caught:
        client.generate("x")

    assert (caught.value.reason, caught.value.retry_after_seconds) == ("QUEUE_FULL", 2.0)


def test_unknown_machine_is_said_in_our_words() -> None:
    """What gRPC's resolver says of a name that nobody has."""
    with Client("nobody.invalid:1") as client, pytest.raises(tabard.Unavailable) as caught:
        client.warm("a/b")

    assert str(caught.value) == "no machine is known by the name in nobody.invalid:1"


def test_absent_server_is_unavailable() -> None:
    """Nobody at the address: the hint says how to start a server there."""
    with Client("127.0.0.1:1") as client, pytest.raises(tabard.Unavailable) as caught:
        client.warm("a/b")

    assert str(caught.value) == "no server answers at 127.0.0.1:1"
    assert caught.value.reason == "UNAVAILABLE"
    assert "tabard serve" in caught.value.hint
    assert "127.0.0.1:1" in caught.value.hint


class MissedDeadline:
    """What gRPC itself raises where an answer did not come in time."""

    def code(self) -> grpc.StatusCode:
        return grpc.StatusCode.DEADLINE_EXCEEDED

    def details(self) -> str:
        return "Deadline Exceeded"

    def trailing_metadata(self) -> None:
        return None


def test_missed_deadline_is_said_in_our_words() -> None:
    """The two words of gRPC tell nobody what to do."""
    error = tabard_error(MissedDeadline(), address="host:1")

    assert isinstance(error, DeadlineExceeded)
    assert "the time that was allowed" in str(error)
    assert "timeout_seconds" in error.hint


@pytest.mark.parametrize("value", [b"\xff\xff garbage", b"\x1a\x04\x0a\xff\xff\xff"])
def test_details_that_are_garbage_are_passed_over(value: bytes) -> None:
    """The status was understood, and is told."""
    failed = Failed(value)

    assert isinstance(tabard_error(failed, address="here"), tabard.ResourceExhausted)


def test_endless_wait_is_only_a_number() -> None:
    """A server may ask to wait longer than any calendar goes."""
    status, retry = status_pb2.Status(), error_details_pb2.RetryInfo()
    retry.retry_delay.seconds = 1 << 62
    status.details.add().Pack(retry)

    found = tabard_error(Failed(status.SerializeToString()), address="here")

    assert found.retry_after_seconds == float(1 << 62)


@dataclass
class Cut:
    """Implements `FailedCall`: what gRPC says where no server of Tabard ended the call."""

    status: grpc.StatusCode
    said: str

    def code(self) -> Any:
        return self.status

    def details(self) -> Any:
        return self.said

    def trailing_metadata(self) -> Any:
        return ()


RESET = "Stream removed (RST_STREAM (Received RST_STREAM with error code 2))"


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (grpc.StatusCode.INTERNAL, RESET),
        (grpc.StatusCode.INTERNAL, "Received RST_STREAM with error code 2"),
        (grpc.StatusCode.CANCELLED, "Received RST_STREAM with error code 8"),
        (grpc.StatusCode.CANCELLED, "CANCELLED"),
        (grpc.StatusCode.UNKNOWN, "Stream removed"),
        (grpc.StatusCode.UNAVAILABLE, "upstream connect error or disconnect/reset before headers"),
    ],
)
def test_lost_server_is_one_however_it_is_called(status: grpc.StatusCode, said: str) -> None:
    """A proxy says of a killed server whatever it likes; the caller hears that it is lost."""
    error = tabard_error(Cut(status, said), address="proxy:1")

    assert isinstance(error, tabard.Unavailable)
    assert (error.reason, error.status) == ("CONNECTION_LOST", "UNAVAILABLE")


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (grpc.StatusCode.CANCELLED, "Locally cancelled by application!"),
        (grpc.StatusCode.CANCELLED, "Channel closed!"),
        (grpc.StatusCode.INTERNAL, "Exception deserializing response!"),
        (grpc.StatusCode.UNKNOWN, "Exception iterating responses"),
    ],
)
def test_what_ended_otherwise_is_not_lost(status: grpc.StatusCode, said: str) -> None:
    """A call that this program gave up, or that failed for good, is not sent again."""
    error = tabard_error(Cut(status, said), address="proxy:1")

    assert type(error) is STATUS_TABLE[status]
    assert error.reason == status.name


def test_refusal_names_the_base_that_is_needed(client: Client, server: FakeServer) -> None:
    """It is in the details, for programs; the words have it for people."""
    base = "sha256:" + "01" * 32
    server.state.fail_with = FakeStatus(
        grpc.StatusCode.FAILED_PRECONDITION.value[0],
        "acme/ink is for sdxl",
        reason="BASE_FAMILY_MISMATCH",
        base=base,
    )

    with pytest.raises(tabard.FailedPrecondition) as caught:
        client.warm("a/b")

    assert caught.value.base == base
