# SPDX-License-Identifier: Apache-2.0
"""Which places a tenant may take beside others."""

from dataclasses import replace

from tabard_server.scheduler.claims import Claim
from tabard_server.scheduler.places import Places
from tabard_server.scheduler.snapshot import RunningRow, Snapshot, WaitingRow
from tests.server.engine_port.known_work import LARGE, SMALL
from tests.server.scheduler.traces import queued

MOMENT = Snapshot(
    turn=1, waiting=queued(), running=(), rows_per_step_max=4, running_rows_max=8, overtakes_max=3
)


def row(tenant: str) -> WaitingRow:
    """Return a small row that waits."""
    return WaitingRow(key=(99, 0), size=SMALL, claim=Claim(tenant=tenant))


def running(tenant: str, count: int) -> list[RunningRow]:
    """Return small rows that run."""
    claim = Claim(tenant=tenant)
    return [RunningRow(key=(n, 0), size=SMALL, claim=claim) for n in range(count)]


def test_one_tenant_has_all_places() -> None:
    """As long as nobody else is there."""
    places = Places(running("a", 7), waiting="a", snapshot=MOMENT)

    assert places.has_one_for(row("a"))
    places.take(row("a"))
    assert not places.has_one_for(row("a"))


def test_full_batch_leaves_places_to_others() -> None:
    """More of its size make nothing faster, and another tenant would wait for them."""
    places = Places(running("a", 4), waiting="ab", snapshot=MOMENT)

    assert not places.has_one_for(row("a"))
    assert places.has_one_for(row("b"))


def test_last_places_are_for_smaller_shares() -> None:
    """A size of which there is no batch yet may begin, but not with the last quarter."""
    large = replace(row("a"), size=LARGE)

    assert Places(running("a", 5), waiting="ab", snapshot=MOMENT).has_one_for(large)
    assert not Places(running("a", 6), waiting="ab", snapshot=MOMENT).has_one_for(large)
