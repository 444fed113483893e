# SPDX-License-Identifier: Apache-2.0
"""Nobody can hold more of the gateway than the bounds say, whatever is sent, or not sent."""

import socket
import threading
from collections.abc import Iterator

import httpx
import pytest

from tests.clients.fakes.server import FakeServer
from tests.web.running import PATIENCE_SECONDS, gateway_to, until

PATH = "/v1/images/generations"


def reason(answer: httpx.Response) -> str:
    return str(answer.json()["error"]["reason"])


@pytest.mark.parametrize("is_announced", [True, False])
def test_large_body_is_refused(server: FakeServer, is_announced: bool) -> None:
    """By what it says of its length, and by what comes where it says nothing."""
    body = b"x" * 2_000

    def parts() -> Iterator[bytes]:
        yield body

    with gateway_to(server.address, body_bytes_max=1_000) as web:
        answer = web.post(PATH, content=body if is_announced else parts())

    assert (answer.status_code, reason(answer)) == (413, "BODY_TOO_LARGE")


def test_slow_body_is_refused(server: FakeServer) -> None:
    """A body that does not come holds nothing for ever."""
    with gateway_to(server.address, body_seconds_max=0.05) as web:
        place = (web.base_url.host, web.base_url.port or 0)
        with socket.create_connection(place, timeout=PATIENCE_SECONDS) as line:
            line.sendall(b"POST /v1/x HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf")
            answer = line.recv(65_536)

    assert answer.startswith(b"HTTP/1.1 408 ")


def test_body_with_two_ends_is_refused(server: FakeServer) -> None:
    """What stands behind the first end is no request of anybody: the connection is closed."""
    with gateway_to(server.address) as web:
        place = (web.base_url.host, web.base_url.port or 0)
        with socket.create_connection(place, timeout=PATIENCE_SECONDS) as line:
            lengths = b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
            line.sendall(b"POST /v1/x HTTP/1.1\r\nHost: a\r\n" + lengths)
            line.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
            answer = b"".join(iter(lambda: line.recv(65_536), b""))

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1 ") == 1


def test_all_bodies_together_are_bounded(server: FakeServer) -> None:
    """One who holds half a body leaves room for what fits beside it, and for no more."""
    with gateway_to(server.address, bodies_bytes_max=1_000) as web:
        place = (web.base_url.host, web.base_url.port or 0)
        with socket.create_connection(place, timeout=PATIENCE_SECONDS) as line:
            start = b"POST /v1/x HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n"
            line.sendall(start + b"x" * 900)
            refused = until(lambda: _asked(web, busy=True))
        freed = until(lambda: _asked(web, busy=False))

    assert refused is not None and freed is not None
    assert (refused.status_code, reason(refused)) == (429, "GATEWAY_BUSY")
    assert refused.headers["retry-after"] == "1"
    assert freed.status_code == 404


def test_requests_at_once_are_bounded(server: FakeServer) -> None:
    """The first is held by a server that is slow; the second is told to come back."""
    server.state.step_seconds = 0.2
    with gateway_to(server.address, requests_max=1) as web:
        drawing = threading.Thread(target=web.post, args=(PATH,), kwargs={"json": {"prompt": "a"}})
        drawing.start()
        until(lambda: server.state.requests)
        refused = web.get("/healthz")
        drawing.join(PATIENCE_SECONDS)
        after = web.get("/healthz")

    assert (refused.status_code, reason(refused)) == (429, "GATEWAY_BUSY")
    assert after.status_code == 200


def _asked(web: httpx.Client, *, busy: bool) -> httpx.Response | None:
    """Ask with a body that fits alone; give the answer if the gateway is as busy as that."""
    answer = web.post("/v1/x", content=b"x" * 200)
    return answer if (answer.status_code == 429) is busy else None
