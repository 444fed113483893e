# SPDX-License-Identifier: Apache-2.0
"""Nobody holds a connection for ever: not by saying nothing, and not by reading nothing."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import Route

from tabard_web.bounds import Bounds
from tests.clients.fakes.server import FakeServer
from tests.web.running import PATIENCE_SECONDS, gateway_to, running

HEAD = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n"


def place_of(url: httpx.URL) -> tuple[str, int]:
    return url.host, url.port or 0


def is_cut_off(line: socket.socket) -> bool:
    """Wait until it is; an answer may come before."""
    try:
        while line.recv(65_536):
            pass
    except TimeoutError:
        return False
    except ConnectionResetError:
        pass
    return True


def test_half_a_head_is_cut_off(server: FakeServer) -> None:
    """Before the first request, and behind one that was answered."""
    with gateway_to(server.address, head_seconds_max=0.2) as web:
        with socket.create_connection(place_of(web.base_url), timeout=PATIENCE_SECONDS) as silent:
            first = is_cut_off(silent)
        with socket.create_connection(place_of(web.base_url), timeout=PATIENCE_SECONDS) as slow:
            slow.sendall(HEAD + b"\r\n" + HEAD)
            answer = slow.recv(65_536)
            second = is_cut_off(slow)

    assert answer.startswith(b"HTTP/1.1 200 ")
    assert (first, second) == (True, True)


def test_answer_takes_as_long_as_it_takes(server: FakeServer) -> None:
    """Whoever waits for an image has said all that there is to say."""
    server.state.step_seconds = 0.2
    with gateway_to(server.address, head_seconds_max=0.1) as web:
        answer = web.post("/v1/images/generations", json={"prompt": "a"})

    assert answer.status_code == 200


def test_reader_who_reads_nothing_is_cut_off() -> None:
    """Whatever was to be sent is let go, and does not wait for ever."""
    is_over = threading.Event()

    async def answer(_request: Request) -> StreamingResponse:
        async def pieces() -> AsyncIterator[bytes]:
            try:
                while True:
                    yield b"x" * 65_536
                    await asyncio.sleep(0)
            finally:
                is_over.set()

        return StreamingResponse(pieces())

    app = Starlette(routes=[Route("/healthz", answer)])
    with (
        running(app, bounds=Bounds(reader_seconds_max=0.2)) as url,
        socket.create_connection(place_of(httpx.URL(url)), timeout=PATIENCE_SECONDS) as line,
    ):
        line.sendall(HEAD + b"\r\n")
        read = line.recv(1)

        assert (read, is_over.wait(PATIENCE_SECONDS)) == (b"H", True)


def test_connections_are_bounded(server: FakeServer) -> None:
    """One more is closed as it comes; whoever has one goes on."""
    with (
        gateway_to(server.address, connections_max=1) as web,
        socket.create_connection(place_of(web.base_url), timeout=PATIENCE_SECONDS) as first,
    ):
        first.sendall(HEAD + b"\r\n")
        answer = first.recv(65_536)
        with socket.create_connection(place_of(web.base_url), timeout=PATIENCE_SECONDS) as second:
            is_closed = is_cut_off(second)

    assert answer.startswith(b"HTTP/1.1 200 ")
    assert is_closed
