# SPDX-License-Identifier: Apache-2.0
"""What happened, and what was served."""

from datetime import UTC, datetime

import pytest

import tabard
from tabard import Client
from tests.clients.fakes.server import FakeServer

INK = "acme/ink@1.0.0"


def test_served_at_names_the_act(stocked: Client, server: FakeServer) -> None:
    """What was served, since when and by whom; that there is more is not hidden."""
    stocked.promote(INK, reason="first")
    moment = datetime(2030, 1, 1, 12, tzinfo=UTC)

    served = stocked.served_at(moment, name="acme/ink", channel="stable")

    assert served.is_truncated
    assert served.servings[0].release.version == "1.0.0"
    assert served.servings[0].since.actions[0].reason == "first"
    assert server.state.requests[-1].time.ToDatetime(UTC) == moment


def test_position_that_cannot_be_is_refused(stocked: Client) -> None:
    """Named as the caller calls it."""
    with pytest.raises(tabard.InvalidArgument) as caught:
        next(stocked.watch(from_seq=10**30))

    assert str(caught.value) == f"from_seq {10**30} is out of range"


def test_history_takes_times(stocked: Client, server: FakeServer) -> None:
    """Texts and aware datetimes alike."""
    stocked.history(since="2030-01-01T00:00:00Z", until=datetime(2031, 1, 1, tzinfo=UTC))

    request = server.state.requests[-1]
    assert request.since.ToDatetime() == datetime(2030, 1, 1)
    assert request.until.ToDatetime() == datetime(2031, 1, 1)


def test_naive_time_is_refused(stocked: Client) -> None:
    """Nobody guesses what a time without an offset means."""
    with pytest.raises(tabard.InvalidArgument) as caught:
        stocked.served_at(datetime(2030, 1, 1))

    assert caught.value.reason == "TIME_INVALID"


def test_history_keeps_actor_and_reason(client: Client, stable: tabard.Release) -> None:
    """History filters by adapter and channel and is cut to the newest."""
    client.promote("acme/watercolor@1.0.0", channel="canary", reason="try it")

    records = client.history("acme/watercolor", channel="canary", limit=5)

    assert [(one.actor, one.reason, one.actions[0].type) for one in records] == [
        ("alice", "try it", "promote")
    ]
    assert client.history(limit=1)[0].seq == 3


def test_limit_below_zero_is_refused(stocked: Client) -> None:
    """It would be taken for no limit at all."""
    with pytest.raises(tabard.InvalidArgument) as caught:
        stocked.history(limit=-1)

    assert (caught.value.reason, caught.value.violations[0].field) == (
        "VALUE_OUT_OF_RANGE",
        "limit",
    )
