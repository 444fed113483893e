# SPDX-License-Identifier: Apache-2.0
"""Times and durations between messages and the rooms behind the door."""

from datetime import UTC, datetime

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from tabard_server.errors import InvalidRequest
from tabard_server.rpc.times import read_duration, read_time, write_duration, write_time


def test_time_of_the_log_goes_out_and_in() -> None:
    """To the microsecond."""
    written = write_time("2030-01-01T00:00:00.000001Z")

    assert written is not None
    assert read_time(written, field="since") == datetime(2030, 1, 1, microsecond=1, tzinfo=UTC)


@pytest.mark.parametrize(
    "text", ["", "teatime", "2030-01-01T00:00:00", "0001-01-01T00:00:00+23:00"]
)
def test_unreadable_time_is_left_out(text: str) -> None:
    """The log takes any text; a message has no field for it."""
    assert write_time(text) is None


@pytest.mark.parametrize(
    "message",
    [
        Timestamp(nanos=-1),
        Timestamp(nanos=10**9),
        Timestamp(seconds=-(1 << 62)),
        Timestamp(seconds=1 << 62),
    ],
)
def test_what_is_no_time_is_refused(message: Timestamp) -> None:
    """By its field."""
    with pytest.raises(InvalidRequest) as caught:
        read_time(message, field="since")

    (violation,) = caught.value.violations
    assert (violation.field, violation.reason) == ("since", "TIME_INVALID")


@pytest.mark.parametrize("seconds", [0.0, 1.5, -1.5, 3_600.000000001])
def test_durations_go_out_and_in(seconds: float) -> None:
    """Below zero too: both parts have one sign."""
    assert read_duration(write_duration(seconds), field="wait") == pytest.approx(seconds)


@pytest.mark.parametrize(
    "message",
    [Duration(seconds=1, nanos=-1), Duration(nanos=10**9), Duration(seconds=1 << 62)],
)
def test_what_is_no_duration_is_refused(message: Duration) -> None:
    """By its field."""
    with pytest.raises(InvalidRequest) as caught:
        read_duration(message, field="wait")

    assert (caught.value.reason, caught.value.violations[0].field) == ("DURATION_INVALID", "wait")
