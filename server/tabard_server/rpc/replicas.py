# SPDX-License-Identifier: Apache-2.0
"""The servers of a registry as messages: what each said, and what follows from when. Pure."""

from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from tabard.v1 import operations_service_pb2 as pb
from tabard_registry.content.replicas import SeenReplica
from tabard_server.rpc.names import number_of
from tabard_server.rpc.times import write_duration, write_time


def write_replica(seen: SeenReplica, *, now: datetime) -> pb.Replica:
    """Write what a server said of itself; `now` is the clock of the one that answers."""
    said, age = seen.replica, seen.age_seconds
    state: Any = 0
    with suppress(ValueError):
        # A newer one may say what is not known here.
        state = number_of(pb.ServerState.DESCRIPTOR, said.state)
    ahead = _ahead_seconds(said.told_at, age_seconds=age, now=now)
    return pb.Replica(
        id=said.id,
        address=said.address,
        host=said.host,
        version=said.version,
        record_version=min(said.record_version, 2**32 - 1),
        base_family=said.base_family,
        base_fingerprint=said.base_fingerprint,
        device=said.device,
        state=state,
        start_time=write_time(said.started_at),
        age=write_duration(age),
        interval=write_duration(said.every_seconds),
        is_lost=seen.is_lost,
        registry_seq=said.seq,
        registry_lag=write_duration(said.lag_seconds),
        clock_ahead=None if ahead is None else write_duration(ahead),
        rows_waiting=min(said.rows_waiting, 2**32 - 1),
        rows_running=min(said.rows_running, 2**32 - 1),
    )


def _ahead_seconds(told_at: str, *, age_seconds: float, now: datetime) -> float | None:
    """Say how far a clock is ahead of ours; None: it cannot be told."""
    with suppress(ValueError, OverflowError, TypeError):
        told = datetime.fromisoformat(told_at)
        return (told - (now - timedelta(seconds=age_seconds))).total_seconds()
    return None
