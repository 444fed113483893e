# SPDX-License-Identifier: Apache-2.0
"""A visitor is known by a cookie that no script, no other site and no plain line gets."""

from collections.abc import Iterator

import httpx
import pytest

from tests.clients.fakes.server import FakeServer
from tests.clients.fakes.state import FakeStatus

PAGE = {"X-Tabard-Page": "1"}
SIGN_IN = {"token": "tabard_x"}


@pytest.fixture
def signed_in(web: httpx.Client, server: FakeServer) -> Iterator[httpx.Client]:
    assert web.post("/api/session", json=SIGN_IN, headers=PAGE).status_code == 200
    server.state.metadata.clear()
    yield web


def test_session_shows_its_token(signed_in: httpx.Client, server: FakeServer) -> None:
    """At every call; the browser has sent a secret that is not it."""
    signed_in.get("/api/styles")

    assert server.state.metadata[-1]["authorization"] == "Bearer tabard_x"
    assert "tabard_x" not in str(signed_in.cookies)


def test_other_doors_know_no_session(signed_in: httpx.Client, server: FakeServer) -> None:
    """Tools show their token themselves: a cookie draws nothing for anybody."""
    signed_in.get("/v1/models")

    assert "authorization" not in server.state.metadata[-1]


@pytest.mark.parametrize(("origin", "is_secure"), [("http", False), ("https", True)])
def test_cookie_is_for_the_page_alone(web: httpx.Client, origin: str, is_secure: bool) -> None:
    """Over TLS it goes no other way; its name has the port, which browsers do not tell apart."""
    host = web.base_url.netloc.decode()
    headers = {**PAGE, "Origin": f"{origin}://{host}"}

    cookie = web.post("/api/session", json=SIGN_IN, headers=headers).headers["set-cookie"]

    assert cookie.startswith(f"tabard-{web.base_url.port}=")
    assert {"HttpOnly", "SameSite=strict", "Path=/"} <= {*cookie.split("; ")}
    assert ("Secure" in cookie.split("; ")) is is_secure
    assert "Domain" not in cookie


def test_revoked_token_ends_the_session(signed_in: httpx.Client, server: FakeServer) -> None:
    """Whoever asks from then on is told why, and the server is asked no more."""
    server.state.fail_with = FakeStatus(16, "it was revoked", "TOKEN_REVOKED", "ask for another")
    first = signed_in.get("/api/styles")
    server.state.fail_with = None
    server.state.requests.clear()

    second = signed_in.get("/api/styles")

    assert [one.status_code for one in (first, second)] == [401, 401]
    assert second.json()["error"]["reason"] == "TOKEN_REVOKED"
    assert not server.state.requests


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_another_page_gets_nothing(signed_in: httpx.Client, server: FakeServer, site: str) -> None:
    """Also one on another port of this machine, which a cookie takes for the same site."""
    server.state.requests.clear()

    answer = signed_in.get("/api/styles", headers={"Sec-Fetch-Site": site})

    assert answer.status_code == 403
    assert answer.json()["error"]["reason"] == "ORIGIN_REFUSED"
    assert not server.state.requests
