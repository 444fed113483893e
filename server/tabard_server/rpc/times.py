# SPDX-License-Identifier: Apache-2.0
"""Times and durations as messages have them, and as the rooms behind the door do.

Out go what records and clocks say; what callers say is checked on its way in.
"""

import contextlib
from datetime import UTC, datetime

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from tabard_server.errors import invalid

_NANOS = 1_000_000_000
_SECONDS_MAX = 315_576_000_000
"""Ten thousand years: what a Duration may hold."""


def write_time(text: str) -> Timestamp | None:
    """Write a time of the log; None when it is none that can be read: the log takes any text."""
    with contextlib.suppress(ValueError, OverflowError):
        said = datetime.fromisoformat(text)
        if said.tzinfo is not None:
            return _timestamp(said.astimezone(UTC))
    return None


def write_duration(seconds: float) -> Duration:
    """Write how long something takes, or took."""
    whole, rest = divmod(round(seconds * _NANOS), _NANOS)
    if whole < 0 and rest:
        whole, rest = whole + 1, rest - _NANOS
    return Duration(seconds=whole, nanos=rest)


def read_time(message: Timestamp, *, field: str) -> datetime:
    """Read a time.

    Raises:
        InvalidRequest: It is outside the years 1 to 9999, or its parts do not fit together.
    """
    with contextlib.suppress(ValueError, OverflowError):
        if 0 <= message.nanos < _NANOS:
            return message.ToDatetime(tzinfo=UTC)
    raise invalid(
        field,
        f"{field} is no time: {message.seconds} seconds and {message.nanos} nanoseconds",
        reason="TIME_INVALID",
        hint="send a google.protobuf.Timestamp of the years 1 to 9999",
    )


def read_duration(message: Duration, *, field: str) -> float:
    """Read a duration, in seconds.

    Raises:
        InvalidRequest: Its parts do not fit together.
    """
    is_one_sign = message.seconds * message.nanos >= 0
    if is_one_sign and abs(message.nanos) < _NANOS and abs(message.seconds) <= _SECONDS_MAX:
        return message.seconds + message.nanos / _NANOS
    raise invalid(
        field,
        f"{field} is no duration: {message.seconds} seconds and {message.nanos} nanoseconds",
        reason="DURATION_INVALID",
        hint="send a google.protobuf.Duration, like 30s",
    )


def _timestamp(time: datetime) -> Timestamp:
    written = Timestamp()
    written.FromDatetime(time)
    return written
