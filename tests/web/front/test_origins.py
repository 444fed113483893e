# SPDX-License-Identifier: Apache-2.0
"""A page of another site cannot draw through the browser of somebody who runs a gateway."""

from collections.abc import Iterator

import httpx
import pytest

from tabard_web.front.origins import LOOPBACK_NAMES
from tests.clients.fakes.server import FakeServer
from tests.web.running import gateway_to


@pytest.fixture
def near(server: FakeServer) -> Iterator[httpx.Client]:
    """A gateway that knows under which names it is asked."""
    with gateway_to(server.address, names={*LOOPBACK_NAMES, "Styles.example"}) as client:
        yield client


@pytest.mark.parametrize(
    "host", ["localhost:1", "127.0.0.1", "[::1]:8080", "LOCALHOST", "styles.example:443"]
)
def test_its_own_names_are_answered(near: httpx.Client, host: str) -> None:
    """The address it listens at, and what it was told."""
    assert near.get("/healthz", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:8080", "localhost:x"])
def test_another_name_is_refused(near: httpx.Client, host: str) -> None:
    """A site may let its name point here: its pages would then be of the same origin."""
    answer = near.get("/healthz", headers={"Host": host})

    assert answer.status_code == 403
    assert answer.json()["error"]["reason"] == "HOST_UNKNOWN"


@pytest.mark.parametrize("host", ["[::1", "a/page/", "a:b", "a:1:2", "a b", "a?", "http://a"])
def test_no_name_is_refused_whatever_names_there_are(web: httpx.Client, host: str) -> None:
    """Nothing behind it has to read what cannot be one."""
    answer = web.get("/api/session", headers={"Host": host})

    assert (answer.status_code, answer.json()["error"]["reason"]) == (403, "HOST_UNKNOWN")


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:1"},
        {"Origin": "http://[::1"},
        {"Origin": ""},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
def test_another_origin_is_refused(
    near: httpx.Client, server: FakeServer, headers: dict[str, str]
) -> None:
    """Whatever the method: nothing reaches the server."""
    answer = near.get("/readyz", headers=headers)

    assert answer.status_code == 403
    assert answer.json()["error"]["reason"] == "ORIGIN_REFUSED"
    assert not server.state.requests


def test_its_own_pages_are_answered(near: httpx.Client) -> None:
    """A browser says of a page of the gateway's that it is its own."""
    origin = str(near.base_url).rstrip("/")

    assert near.get("/readyz", headers={"Origin": origin}).status_code == 200
    assert near.get("/readyz", headers={"Sec-Fetch-Site": "same-origin"}).status_code == 200


VISIT = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}


def test_link_leads_to_the_page(near: httpx.Client) -> None:
    """Somebody follows a link in a message: the page opens, and nothing else does."""
    assert near.get("/", headers=VISIT).status_code == 200
    assert near.get("/api/styles", headers=VISIT).status_code == 403
    assert near.post("/", headers=VISIT).status_code == 403


@pytest.mark.parametrize("target", ["iframe", "script", "empty", ""])
def test_page_is_opened_by_itself_alone(near: httpx.Client, target: str) -> None:
    """Not within a page of another site."""
    assert near.get("/", headers={**VISIT, "Sec-Fetch-Dest": target}).status_code == 403
