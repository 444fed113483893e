# SPDX-License-Identifier: Apache-2.0
"""How the server stands, with its canaries where there are some to see."""

import httpx

from tests.clients.fakes.server import FakeServer
from tests.clients.fakes.state import FakeStatus


def test_status_is_told(web: httpx.Client) -> None:
    """As the SDK has it; a server that knows no canaries says so, and tells the rest."""
    told = web.get("/api/operate").json()

    assert {"state", "residents", "steps", "registry_seq", "causes"} <= {*told["status"]}
    assert told["canaries"] == []
    assert told["canaries_failure"]["message"]


def test_server_that_is_away_is_told(web: httpx.Client, server: FakeServer) -> None:
    """With what to do."""
    server.state.fail_with = FakeStatus(14, "nobody answers", "UNAVAILABLE", "start it")

    answer = web.get("/api/operate")

    assert (answer.status_code, answer.json()["error"]["reason"]) == (503, "UNAVAILABLE")
