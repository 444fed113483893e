# SPDX-License-Identifier: Apache-2.0
"""The process of a gateway: it listens, says so, answers until it is stopped, and ends tidily.

In: an address to listen at and the application. A second signal, or the end of whoever started it,
hurries it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import uvicorn
from starlette.types import ASGIApp

from tabard import InvalidArgument, TabardError
from tabard_web.activation import passed_socket
from tabard_web.app import Gateway
from tabard_web.bounds import Bounds
from tabard_web.connections import connection_type
from tabard_web.front.origins import LOOPBACK_NAMES

__all__ = [
    "LOOPBACK_NAMES",
    "SYSTEMD",
    "OnReady",
    "Place",
    "config_of",
    "open_socket",
    "read_place",
    "serve",
    "take_place",
]

SYSTEMD = "systemd"
"""What is said in place of an address where systemd passes a socket."""

OnReady = Callable[[str], None]
"""Told once where the gateway is reached, as `http://host:port`."""

_PLACE = re.compile(r"(?P<host>[\w.-]+|\[[0-9a-fA-F:.]+\]):(?P<port>\d{1,5})")
_LOOPBACK = re.compile(r"localhost|127(\.\d{1,3}){3}|\[::1\]", re.IGNORECASE)
_BACKLOG = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a gateway listens; port 0 lets the system choose."""

    host: str
    port: int

    @property
    def is_near(self) -> bool:
        """Whether only this machine can reach it."""
        return _LOOPBACK.fullmatch(self.host) is not None


def read_place(text: str, *, insecure: bool) -> Place:
    """Read where to listen.

    Raises:
        InvalidArgument: It is no address, or others could reach it and read along.
    """
    found = _PLACE.fullmatch(text)
    if found is None or int(found["port"]) > 65_535:
        raise InvalidArgument(
            f"'{text}' is no address to listen at",
            reason="BAD_ADDRESS",
            hint="write HOST:PORT, such as 127.0.0.1:8080",
        )
    place = Place(host=found["host"], port=int(found["port"]))
    if not (place.is_near or insecure):
        raise InvalidArgument(
            f"others could reach the gateway at {text}, and read tokens and images on the way",
            reason="INSECURE_LISTEN",
            hint="listen at 127.0.0.1 behind a proxy that ends TLS; or, if you trust the network, "
            "--insecure",
        )
    return place


def take_place(text: str, *, insecure: bool) -> tuple[Place, socket.socket]:
    """Take the address that a text says, or the socket that systemd passed: `systemd`.

    Raises:
        InvalidArgument: It cannot be had, or others could reach it and read along.
    """
    if text != SYSTEMD:
        place = read_place(text, insecure=insecure)
        return place, open_socket(place)
    opened = passed_socket(os.environ)
    host, port, *_rest = opened.getsockname()
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        return read_place(address, insecure=insecure), opened
    except InvalidArgument:
        opened.close()
        raise


def open_socket(place: Place) -> socket.socket:
    """Take an address.

    Raises:
        InvalidArgument: It cannot be had.
    """
    family = socket.AF_INET6 if place.host.startswith("[") else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_STREAM)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind((place.host.strip("[]"), place.port))
        opened.listen(_BACKLOG)
    except OSError as error:
        opened.close()
        raise InvalidArgument(
            f"{place.host}:{place.port} cannot be listened at: {error.strerror or error}",
            reason="ADDRESS_NOT_AVAILABLE",
            hint="choose another port, or stop what has it",
        ) from error
    return opened


def serve(
    app: Gateway,
    *,
    opened: socket.socket,
    bounds: Bounds,
    on_ready: OnReady,
    ends_with_stdin: bool = False,
) -> None:
    """Answer requests until SIGTERM or SIGINT; what was begun has some time then.

    Args:
        app: The gateway.
        opened: Where it listens.
        bounds: How long its end may take, and how many requests it takes.
        on_ready: Told once where it is.
        ends_with_stdin: Stop when standard input ends, as it does when its parent is gone.
    """
    config = config_of(app, bounds)
    server = _Server(config, on_ready=on_ready, on_stop=app.let_go, ends_with_stdin=ends_with_stdin)
    asyncio.run(server.serve(sockets=[opened]))
    if not server.started:
        raise TabardError("the gateway did not start", reason="GATEWAY_FAILED")


def config_of(app: ASGIApp, bounds: Bounds) -> uvicorn.Config:
    """Say how an application is served, wherever it listens."""
    return uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        lifespan="on",
        ws="none",
        http=connection_type(bounds),
        timeout_graceful_shutdown=max(1, round(bounds.stop_seconds_max)),
    )


class _Server(uvicorn.Server):
    """uvicorn's server with signals of our own: it would raise them again once it has ended."""

    def __init__(
        self,
        config: uvicorn.Config,
        *,
        on_ready: OnReady,
        on_stop: Callable[[], None],
        ends_with_stdin: bool,
    ) -> None:
        super().__init__(config)
        self._on_ready = on_ready
        self._on_stop = on_stop
        self._ends_with_stdin = ends_with_stdin

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Hear signals in the loop, for as long as it serves."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop)
        if self._ends_with_stdin:
            loop.add_reader(sys.stdin.fileno(), self._hear_parent)
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say where."""
        await super().startup(sockets)
        if sockets and self.started:
            host, port, *_rest = sockets[0].getsockname()
            self._on_ready(f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}")

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no more requests, let go of what has no end, and finish the rest."""
        self._on_stop()
        await super().shutdown(sockets)

    def _stop(self) -> None:
        self.force_exit = self.should_exit
        self.should_exit = True

    def _hear_parent(self) -> None:
        """Stop when nobody holds the other end any more; nothing that comes is read."""
        if not os.read(sys.stdin.fileno(), 4096):
            asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
            self._stop()
