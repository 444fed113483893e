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


def test_servers_of_the_registry_are_told(web: httpx.Client) -> None:
    """Those that told of themselves, and which of them is asked."""
    told = web.get("/api/operate/replicas").json()

    assert [one["is_lost"] for one in told["replicas"]] == [False, True]
    assert (told["replica_id"], told["failure"]) == ("1" * 32, None)


def test_who_may_not_see_the_servers_is_told_why(web: httpx.Client, server: FakeServer) -> None:
    """The rest of the screen stands."""
    server.state.fail_with = FakeStatus(7, "this needs the role operate", "ROLE_MISSING", "ask")

    answer = web.get("/api/operate/replicas")

    assert (answer.status_code, answer.json()["replicas"]) == (200, [])
    assert answer.json()["failure"]["reason"] == "ROLE_MISSING"
