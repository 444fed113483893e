# SPDX-License-Identifier: Apache-2.0
"""The gateway runs or not; whether jobs are taken is its server's word."""

import httpx
import pytest

from tests.clients.fakes.server import FakeServer
from tests.clients.fakes.state import FakeStatus
from tests.web.running import gateway_to


def test_healthz_asks_nobody(web: httpx.Client, server: FakeServer) -> None:
    """Whoever supervises the gateway does not restart it for what its server does."""
    assert web.get("/healthz").json() == {"status": "ok"}
    assert not server.state.requests


def test_readyz_follows_the_server(web: httpx.Client, server: FakeServer) -> None:
    """One that finishes what it has takes no more."""
    before = web.get("/readyz").status_code
    server.state.draining = True
    after = web.get("/readyz")

    assert (before, after.status_code) == (200, 503)
    assert after.json()["error"]["reason"] == "SERVER_NOT_READY"


@pytest.mark.parametrize("code", [7, 16])
def test_readyz_needs_no_token(web: httpx.Client, server: FakeServer, code: int) -> None:
    """A server that tells strangers nothing is there all the same."""
    server.state.fail_with = FakeStatus(code, "who are you?", "TOKEN_MISSING", "")

    assert web.get("/readyz").status_code == 200


def test_readyz_without_a_server_is_unavailable() -> None:
    """Nobody answers there."""
    with gateway_to("127.0.0.1:1") as web:
        assert web.get("/readyz").status_code == 503
        assert web.get("/healthz").status_code == 200
