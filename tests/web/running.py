# SPDX-License-Identifier: Apache-2.0
"""A gateway on a port of its own, in a thread of this process."""

import socket
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import httpx
import uvicorn
from starlette.types import ASGIApp

from tabard import AsyncClient
from tabard_web.app import build_app
from tabard_web.bounds import Bounds
from tabard_web.serving import Place, config_of, open_socket

PATIENCE_SECONDS = 60.0

T = TypeVar("T")


def until(is_so: Callable[[], T]) -> T:
    """Wait until something is so, and give it; a minute is more than anything here takes."""
    patient_until = time.monotonic() + PATIENCE_SECONDS
    while not (found := is_so()):
        assert time.monotonic() < patient_until, "it did not come about"
        time.sleep(0.01)
    return found


def free_address() -> str:
    """Give an address on loopback that nobody listened at just now."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return f"127.0.0.1:{probe.getsockname()[1]}"


@contextmanager
def running(app: ASGIApp, *, bounds: Bounds | None = None) -> Iterator[str]:
    """Serve an application for the length of a block; give its address."""
    opened = open_socket(Place(host="127.0.0.1", port=0))
    server = uvicorn.Server(config_of(app, bounds or Bounds(stop_seconds_max=5)))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [opened]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{opened.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(PATIENCE_SECONDS)
        opened.close()
        assert not thread.is_alive(), "the gateway did not end"


@contextmanager
def gateway_to(
    address: str, *, names: Collection[str] | None = None, **bounds: Any
) -> Iterator[httpx.Client]:
    """Run a gateway in front of a server, and give a client of it."""

    def connect(token: str, actor: str) -> AsyncClient:
        return AsyncClient(address, token=token, actor=actor, patience_seconds=0)

    said = Bounds(**{"stop_seconds_max": 5, **bounds})
    with (
        running(build_app(connect, bounds=said, names=names), bounds=said) as url,
        httpx.Client(
            base_url=url, timeout=PATIENCE_SECONDS, trust_env=False, verify=False
        ) as client,
    ):
        yield client
