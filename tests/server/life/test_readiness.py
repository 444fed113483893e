# SPDX-License-Identifier: Apache-2.0
"""The one state of a server: the gravest cause decides, and everybody is told of each change."""

import logging

import pytest

from tabard_server.errors import NotServing
from tabard_server.life.readiness import Readiness, State
from tabard_server.telemetry.metrics import Metrics
from tests.server.telemetry.logged import logged


class Server:
    """A readiness with a clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.metrics = Metrics()
        self.readiness = Readiness(metrics=self.metrics, retry_seconds=2.0, clock=lambda: self.now)

    def shown(self) -> set[str]:
        """Return the states that the metric says."""
        value = self.metrics.registry.get_sample_value
        return {x.value for x in State if value("tabard_state", {"state": x.value})}


@pytest.fixture
def server() -> Server:
    """A server that serves."""
    server = Server()
    server.readiness.leave(State.STARTING)
    return server


def test_server_begins_as_starting() -> None:
    """Until its base is loaded it takes nothing, and says so."""
    server = Server()

    with pytest.raises(NotServing) as refusal:
        server.readiness.require()

    assert server.readiness.state is State.STARTING
    assert server.shown() == {"starting"}
    assert (refusal.value.reason, refusal.value.retry_seconds) == ("SERVER_STARTING", 2.0)
    assert refusal.value.hint


@pytest.mark.parametrize("state", [one for one in State if one is not State.SERVING])
def test_each_state_is_entered_and_left(server: Server, state: State) -> None:
    """While it lasts, state, metric and refusal agree; afterwards everything is as before."""
    server.readiness.enter(state, "so it is", lasted_seconds=5.0)
    server.now += 2.0
    (cause,) = server.readiness.causes

    assert (server.readiness.state, server.shown()) == (state, {state.value})
    assert (cause.message, server.readiness.seconds(cause)) == ("so it is", 7.0)
    if state.takes_jobs:
        server.readiness.require()
    else:
        with pytest.raises(NotServing, match="so it is") as refusal:
            server.readiness.require()
        assert refusal.value.reason == cause.reason

    server.readiness.leave(state)
    server.readiness.require()
    assert (server.readiness.state, server.shown()) == (State.SERVING, {"serving"})
    assert server.readiness.causes == ()


def test_only_serving_and_degraded_take_jobs() -> None:
    """Health says SERVING for these two and no other."""
    assert {one for one in State if one.takes_jobs} == {State.SERVING, State.DEGRADED}


def test_gravest_cause_decides(server: Server) -> None:
    """All of them are told, the gravest first; each stays until it is over itself."""
    server.readiness.enter(State.DEGRADED, "old news")
    server.readiness.enter(State.DRAINING, "it ends")
    server.readiness.enter(State.STALLED, "silence")

    states = [cause.state for cause in server.readiness.causes]
    server.readiness.leave(State.DRAINING)

    assert states == [State.DRAINING, State.STALLED, State.DEGRADED]
    assert server.readiness.state is State.STALLED


def test_change_is_logged_once(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    """One line when it begins, with the reason, and one when it is over, with its length."""
    with caplog.at_level(logging.INFO, logger="tabard"):
        for _ in range(3):
            server.readiness.enter(State.STALLED, "silence")
        server.now += 61.0
        for _ in range(3):
            server.readiness.leave(State.STALLED)

    (begun,) = logged(caplog, "server.state_entered")
    (over,) = logged(caplog, "server.state_left")
    assert (begun["level"], begun["state"]) == ("error", "stalled")
    assert (begun["reason"], begun["message"]) == ("ENGINE_STALLED", "silence")
    assert (over["level"], over["state"], over["seconds"]) == ("info", "stalled", 61.0)
