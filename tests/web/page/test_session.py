# SPDX-License-Identifier: Apache-2.0
"""Who looks at the page: nobody is asked, or somebody shows a token once."""

import httpx
import pytest

from tests.clients.fakes.server import FakeServer
from tests.clients.fakes.state import FakeStatus

PATH = "/api/session"
PAGE = {"X-Tabard-Page": "1"}


def test_nobody_is_asked_without_identity(web: httpx.Client) -> None:
    """The page is used as it is."""
    told = web.get(PATH).json()

    assert (told["is_asked"], told["has_session"], told["name"]) == (False, False, "")


def test_token_becomes_a_session(web: httpx.Client) -> None:
    """It is told whose it is, then and later."""
    begun = web.post(PATH, json={"token": " tabard_x "}, headers=PAGE)
    later = web.get(PATH)

    assert begun.json() == later.json()
    assert (later.json()["name"], later.json()["tenant"]) == ("ann", "studio")
    assert later.json()["has_session"]


def test_wrong_token_begins_nothing(web: httpx.Client, server: FakeServer) -> None:
    """What the server says of it is told; the token is not."""
    server.state.fail_with = FakeStatus(16, "no such token", "TOKEN_UNKNOWN", "ask for one")

    answer = web.post(PATH, json={"token": "wrong-token"}, headers=PAGE)

    assert (answer.status_code, answer.json()["error"]["reason"]) == (401, "TOKEN_UNKNOWN")
    assert "set-cookie" not in answer.headers
    assert "wrong-token" not in answer.text


def test_whoever_is_asked_is_told_so(web: httpx.Client, server: FakeServer) -> None:
    """By the server: the gateway knows nobody."""
    server.state.fail_with = FakeStatus(16, "who are you?", "TOKEN_REQUIRED")

    answer = web.get(PATH)

    assert (answer.status_code, answer.json()["error"]["reason"]) == (401, "TOKEN_REQUIRED")


def test_session_is_ended(web: httpx.Client) -> None:
    """Its secret is worth nothing from then on."""
    web.post(PATH, json={"token": "tabard_x"}, headers=PAGE)
    kept = dict(web.cookies)

    ended = web.delete(PATH, headers=PAGE)
    web.cookies.update(kept)

    assert ended.status_code == 204
    assert web.get(PATH).json()["has_session"] is False


@pytest.mark.parametrize("method", ["POST", "DELETE"])
@pytest.mark.parametrize("headers", [{}, {"X-Tabard-Page": "2"}])
def test_forged_request_does_nothing(
    web: httpx.Client, server: FakeServer, method: str, headers: dict[str, str]
) -> None:
    """A form and a picture of another site send no header of their own."""
    answer = web.request(method, PATH, json={"token": "x"}, headers=headers)

    assert answer.status_code == 400
    assert "set-cookie" not in answer.headers
    assert not server.state.requests
