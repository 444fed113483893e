# SPDX-License-Identifier: Apache-2.0
"""Nobody draws for a caller who went away."""

import asyncio
import socket

import httpx
import pytest
from starlette.requests import Request
from starlette.types import Message

from tabard import Cancelled
from tabard_web.gone import unless_gone
from tests.clients.fakes.server import FakeServer
from tests.web.running import PATIENCE_SECONDS, until


def request_of(*messages: Message) -> Request:
    """Give a request whose connection says these, then nothing any more."""
    waiting = list(messages)

    async def receive() -> Message:
        if not waiting:
            await asyncio.Event().wait()
        return waiting.pop(0)

    return Request({"type": "http", "headers": []}, receive)


def test_work_is_given_while_caller_is_there() -> None:
    """What was worked for comes back, and nothing waits on."""

    async def walk() -> tuple[int, int]:
        answer = await unless_gone(request_of(), asyncio.sleep(0, 7))
        return answer, len(asyncio.all_tasks())

    assert asyncio.run(walk()) == (7, 1)


def test_work_fails_as_it_does() -> None:
    """An error of the work is the error."""

    async def fail() -> None:
        raise ValueError("of the work")

    with pytest.raises(ValueError, match="of the work"):
        asyncio.run(unless_gone(request_of(), fail()))


def test_work_ends_with_its_caller() -> None:
    """It is cancelled, and has ended by then."""
    ended: list[str] = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("work")

    rest = {"type": "http.request", "body": b"", "more_body": False}
    with pytest.raises(Cancelled):
        asyncio.run(unless_gone(request_of(rest, {"type": "http.disconnect"}), work()))

    assert ended == ["work"]


@pytest.mark.parametrize("stream", ["true", "false"])
def test_closed_connection_ends_the_job(web: httpx.Client, server: FakeServer, stream: str) -> None:
    """The server hears of it, whether its events were passed on or gathered."""
    server.state.step_seconds = 0.05
    body = f'{{"prompt": "a", "num_inference_steps": 10000, "stream": {stream}}}'.encode()
    head = "POST /v1/images/generations HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
    place = (web.base_url.host, web.base_url.port or 0)
    with socket.create_connection(place, timeout=PATIENCE_SECONDS) as line:
        line.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        until(lambda: server.state.requests)

    assert server.state.cancelled.wait(PATIENCE_SECONDS)
