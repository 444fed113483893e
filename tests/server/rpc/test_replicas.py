# SPDX-License-Identifier: Apache-2.0
"""A server that told of itself, as a message: what follows from when it did."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tabard.v1 import operations_service_pb2 as pb
from tabard_registry.content.replicas import Replica, SeenReplica
from tabard_server.rpc.replicas import write_replica

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def written(*, age: float = 10.0, **said: Any) -> pb.Replica:
    """The message of a server that tells every minute."""
    told_at = (NOW - timedelta(seconds=age)).isoformat()
    fields = {"id": "1" * 32, "every_seconds": 60.0, "told_at": told_at, **said}
    return write_replica(SeenReplica(replica=Replica(**fields), age_seconds=age), now=NOW)


@pytest.mark.parametrize(("age", "is_lost"), [(0.0, False), (184.0, False), (186.0, True)])
def test_three_words_left_out_are_a_loss(age: float, is_lost: bool) -> None:
    """And a little, for a slow store."""
    assert written(age=age).is_lost is is_lost


def test_clocks_are_compared_by_what_was_told_when() -> None:
    """The age is by the store's clock, the time by the writer's."""
    ahead = written(told_at=(NOW + timedelta(seconds=30)).isoformat())
    behind = written(told_at=(NOW - timedelta(seconds=310)).isoformat())

    assert ahead.clock_ahead.ToTimedelta() == timedelta(seconds=40)
    assert behind.clock_ahead.ToTimedelta() == timedelta(minutes=-5)
    assert written().clock_ahead.ToTimedelta() == timedelta(0)


@pytest.mark.parametrize("said", ["", "noon", "2026-01-01T12:00:00", "9999-99-99", "0" * 99])
def test_unreadable_times_are_left_out(said: str) -> None:
    """Nothing is guessed."""
    message = written(told_at=said, started_at=said)

    assert not message.HasField("clock_ahead")
    assert not message.HasField("start_time")


def test_what_is_not_known_here_is_not_told() -> None:
    """A newer server may be in another state; what is too large has a bound."""
    message = written(state="dreaming", record_version=2**50, rows_waiting=2**50, seq=7)

    assert (message.state, message.registry_seq) == (pb.SERVER_STATE_UNSPECIFIED, 7)
    assert message.record_version == message.rows_waiting == 2**32 - 1
    assert written(state="serving").state == pb.SERVER_STATE_SERVING
