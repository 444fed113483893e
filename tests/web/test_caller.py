# SPDX-License-Identifier: Apache-2.0
"""Whoever calls the gateway is who calls the server; the gateway is nobody."""

import base64

import httpx
import pytest

from tabard import Unauthenticated
from tabard.routing import stack_hash
from tabard_web.caller import read_token
from tests.clients.fakes.server import FakeServer


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("header", "token"),
    [
        ("", ""),
        ("Bearer secret", "secret"),
        ("bearer  secret ", "secret"),
        (basic("ann:secret"), "secret"),
        (basic(":se:cret"), "se:cret"),
    ],
)
def test_token_is_read_from_header(header: str, token: str) -> None:
    """A bearer token, or the password of tools that know only passwords."""
    assert read_token(header) == token


@pytest.mark.parametrize("header", ["Digest a=b", "Basic !", basic("no colon"), "secret"])
def test_unreadable_header_is_refused(header: str) -> None:
    """It is not taken for nobody: that could be allowed more."""
    with pytest.raises(Unauthenticated) as refused:
        read_token(header)

    assert refused.value.reason == "AUTHORIZATION_UNREADABLE"


def test_each_caller_is_passed_on(
    web: httpx.Client, server: FakeServer, styles: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tokens of callers reach the server as they are; without one nothing does."""
    # That of the machine the gateway runs on is not the callers'.
    monkeypatch.setenv("TABARD_TOKEN", "of-the-gateway")

    for header in ({"Authorization": "Bearer ann"}, {}, {"Authorization": basic("x:bob")}):
        assert web.get("/v1/models", headers=header).status_code == 200

    shown = [one.get("authorization") for one in server.state.metadata]
    assert list(dict.fromkeys(shown)) == ["Bearer ann", None, "Bearer bob"]


def test_stack_is_said_to_a_proxy_behind(
    web: httpx.Client, server: FakeServer, styles: None
) -> None:
    """By whichever door: what stands between gateway and servers keeps a stack together."""
    asks = {
        "/v1/images/generations": {"prompt": "x", "model": "acme/ink"},
        "/sdapi/v1/txt2img": {"prompt": "x <lora:acme/ink:0.5>", "steps": 2},
    }
    for path, body in asks.items():
        assert web.post(path, json=body).status_code == 200

    said = [one["tabard-stack"] for one in server.state.metadata if "tabard-stack" in one]
    assert said == [stack_hash(["acme/ink"])] * 2


def test_token_that_cannot_be_one_is_refused(web: httpx.Client, server: FakeServer) -> None:
    """Nothing is sent to the server."""
    answer = web.get("/v1/models", headers={"Authorization": "Bearer two words"})

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.json()["error"]["reason"] == "TOKEN_MALFORMED"
    assert "two words" not in answer.text
    assert not server.state.requests
