# SPDX-License-Identifier: Apache-2.0
"""Open pages are told what happens, by one watch for all who may see the same."""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import httpx
import pytest

from tabard.v1 import registry_service_pb2
from tests.clients.fakes.server import FakeServer
from tests.clients.fakes.state import FakeStatus
from tests.web.running import gateway_to, until

PATH = "/api/events"


@contextmanager
def opened(web: httpx.Client) -> Iterator[Iterator[tuple[str, Any]]]:
    """Open a page; give its events."""
    with web.stream("GET", PATH) as answer:
        assert answer.status_code == 200, answer.read()
        yield told(answer)


def told(answer: httpx.Response) -> Iterator[tuple[str, Any]]:
    name = ""
    for line in answer.iter_lines():
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, json.loads(line.removeprefix("data: "))


def happen(server: FakeServer, reason: str) -> None:
    server.state.record(actor="ann", reason=reason, type="promote", adapter="acme/ink")


def watches(server: FakeServer) -> int:
    return sum(isinstance(one, registry_service_pb2.WatchRequest) for one in server.state.requests)


def test_pages_are_told_what_happens(web: httpx.Client, server: FakeServer) -> None:
    """All of them, by one watch."""
    with opened(web) as first, opened(web) as second:
        stands = [next(first)[0], next(second)[0]]
        until(lambda: watches(server))
        happen(server, "a reason")
        records = [next(first), next(second)]

    assert stands == ["here", "here"]
    assert [name for name, _ in records] == ["record", "record"]
    assert [one["reason"] for _, one in records] == ["a reason", "a reason"]
    assert watches(server) == 1


def test_last_page_ends_the_watch(web: httpx.Client, server: FakeServer) -> None:
    """Nobody looks: nothing is followed."""
    with opened(web) as events:
        next(events)
        until(lambda: watches(server))

    assert server.state.cancelled.wait(60)


def test_page_learns_that_the_server_is_away(web: httpx.Client, server: FakeServer) -> None:
    """And that it is back, without being asked."""
    with opened(web) as events:
        assert next(events)[0] == "here"
        until(lambda: watches(server))
        server.state.watch_breaks = 1
        server.state.fail_with = FakeStatus(14, "nobody is there", "UNAVAILABLE")
        happen(server, "the last one")
        until_away = [next(events)]
        while until_away[-1][0] != "away":
            until_away.append(next(events))
        server.state.fail_with = None
        back = next(events)

    assert until_away[-1][1]["error"]["message"]
    assert back[0] == "here"


def test_refused_token_ends_the_stream(web: httpx.Client, server: FakeServer) -> None:
    """With the server's word for it; the session has ended."""
    headers = {"X-Tabard-Page": "1"}
    web.post("/api/session", json={"token": "tabard_x"}, headers=headers)
    server.state.fail_with = FakeStatus(16, "it was revoked", "TOKEN_REVOKED")

    with opened(web) as events:
        all_told = list(events)

    assert [name for name, _ in all_told] == ["refused"]
    assert all_told[0][1]["error"]["reason"] == "TOKEN_REVOKED"
    assert web.get("/api/session").status_code == 401


def test_stream_ends_with_its_session(web: httpx.Client, server: FakeServer) -> None:
    """Whoever signs out in one window is signed out in all, and told nothing more."""
    headers = {"X-Tabard-Page": "1"}
    web.post("/api/session", json={"token": "tabard_x"}, headers=headers)
    with opened(web) as events:
        first = next(events)[0]
        until(lambda: watches(server))
        web.delete("/api/session", headers=headers)
        happen(server, "a secret")
        rest = list(events)

    assert (first, rest) == ("here", [])


def test_open_pages_are_bounded(server: FakeServer) -> None:
    """One more than there is room for is told to come back; the others go on."""
    with gateway_to(server.address, pages_max=2) as web, ExitStack() as open_pages:
        pages = [open_pages.enter_context(opened(web)) for _page in range(2)]
        assert [next(page)[0] for page in pages] == ["here", "here"]
        refused = web.get(PATH)

    assert refused.status_code == 429
    assert refused.json()["error"]["reason"] == "GATEWAY_BUSY"


def test_open_pages_take_no_requests_away(server: FakeServer) -> None:
    """They last for hours: what they hold is not what others wait for."""
    with gateway_to(server.address, requests_max=1) as web, ExitStack() as open_pages:
        pages = [open_pages.enter_context(opened(web)) for _page in range(3)]
        assert [next(page)[0] for page in pages] == ["here"] * 3
        answer = web.get("/healthz")

    assert answer.status_code == 200


@pytest.mark.parametrize("site", ["same-site", "cross-site"])
def test_another_page_is_told_nothing(web: httpx.Client, site: str) -> None:
    """Whatever port of this machine it is on."""
    assert web.get(PATH, headers={"Sec-Fetch-Site": site}).status_code == 403
