# SPDX-License-Identifier: Apache-2.0
"""What an operator asks, whichever door he comes by: residents by tier, and a bounded drain."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from tabard_server.engine_port.stack import Resident
from tabard_server.errors import InvalidRequest
from tabard_server.operations import WAIT_SECONDS_MAX, Operations
from tabard_server.telemetry.labels import Labels


def operations(*, slots: Any = (), hosts: Any = (), drained: list[str] | None = None) -> Operations:
    """Operate a server that is nothing but what it holds, with two jobs that never end."""

    def drain() -> None:
        assert drained is not None
        drained.append("drained")

    async def wait_until_empty() -> None:
        await asyncio.Event().wait()

    anything: Any = SimpleNamespace(
        residents=slots,
        state=SimpleNamespace(policies={}),
        wait_until_empty=wait_until_empty,
        jobs_left=2,
    )
    cache: Any = SimpleNamespace(residents=lambda: hosts)
    return Operations(
        anything,
        generation=anything,
        loop=anything,
        cache=cache,
        labels=Labels(),
        verifier=anything,
        drain=drain,
    )


def test_release_is_told_in_its_highest_tier() -> None:
    """Bytes are those of the slots; leases are those of the jobs that hold it."""
    in_slots = [Resident(digest="a", bytes=7, leases=1)]
    in_host = [Resident(digest="a", bytes=5, leases=3), Resident(digest="b", bytes=5, leases=0)]

    found = list(operations(slots=in_slots, hosts=in_host).residents())

    told = [(one.digest, one.tier, one.bytes, one.leases) for one in found]
    assert told == [("a", "slot", 7, 3), ("b", "host", 5, 0)]


@pytest.mark.parametrize("seconds", [-1.0, WAIT_SECONDS_MAX + 1, float("nan"), float("inf")])
def test_endless_wait_is_refused(seconds: float) -> None:
    """And nothing is drained by a call that is wrong."""
    drained: list[str] = []

    with pytest.raises(InvalidRequest) as caught:
        asyncio.run(operations(drained=drained).drain(wait_seconds=seconds))

    assert caught.value.reason == "WAIT_OUT_OF_RANGE"
    assert not drained


def test_drain_tells_who_is_left() -> None:
    """The server refuses new jobs first, then waits."""
    drained: list[str] = []

    left = asyncio.run(operations(drained=drained).drain(wait_seconds=0.0))

    assert (left, drained) == (2, ["drained"])
