# SPDX-License-Identifier: Apache-2.0
"""Metrics and health on a port of their own, in threads of their own.

Whoever connects and does not ask, or does not read, holds a thread: for a bounded time, and not at
all once others need it.
"""

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import CollectorRegistry

from tabard_server.errors import BadSettings
from tabard_server.telemetry.pages import AskHealth, Refuse, pages

READERS_MAX = 32
"""Connections at once; the one that has been there longest makes room for another."""
_READER_SECONDS_MAX = 10.0
"""How long a connection may last, whatever it does."""


class MetricsPage:
    """Serves one collector registry until closed.

    Attributes:
        address: Host and the port that was really taken.
    """

    def __init__(
        self,
        listen: str,
        *,
        registry: CollectorRegistry,
        ask: AskHealth = lambda: None,
        refuse: Refuse | None = None,
        context: Callable[[], ssl.SSLContext | None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Listen on `host:port`.

        Args:
            listen: The address.
            registry: What the metrics page shows.
            ask: Asks the server for its health; called in threads of the page.
            refuse: Says who may not read the metrics; None: everybody may. Called likewise.
            context: Returns what a connection is encrypted with, asked for each; None: it is not.
            clock: Monotonic seconds.

        Raises:
            BadSettings: The address cannot be had.
        """
        host, _colon, port = listen.rpartition(":")
        try:
            self._server = _Server(host.strip("[]"), int(port), clock=clock, context=context)
        except OSError as error:
            raise BadSettings(
                f"cannot serve metrics on {listen}: {error.strerror}",
                reason="ADDRESS_NOT_AVAILABLE",
                hint="choose another metrics_listen, port 0 for any, or leave it empty for none",
            ) from error
        self._server.set_app(pages(registry, ask=ask, refuse=refuse))
        self._thread = threading.Thread(
            target=self._server.serve_forever, name="tabard-metrics", daemon=True
        )
        self._thread.start()
        self.address = f"{host}:{self._server.server_port}"

    @property
    def readers(self) -> int:
        """How many are connected."""
        return self._server.readers

    def close(self) -> None:
        """Stop serving. Waits for the thread."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(WSGIRequestHandler):
    """Answers without a word in the log."""

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    # With fewer, many who connect at once wait for seconds: their systems try again late.
    request_queue_size = 4 * READERS_MAX

    def __init__(
        self,
        host: str,
        port: int,
        *,
        clock: Callable[[], float],
        context: Callable[[], ssl.SSLContext | None],
    ) -> None:
        self._clock = clock
        self._context = context
        self._lock = threading.Lock()
        self._begun_at: dict[socket.socket, float] = {}
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        self.address_family, *_rest, address = found[0]
        super().__init__((str(address[0]), port), _Handler)

    @property
    def readers(self) -> int:
        return len(self._begun_at)

    def get_request(self) -> tuple[Any, Any]:
        """Accept a connection; what it is encrypted with is agreed on in its own thread."""
        request, client_address = super().get_request()
        context = self._context()
        if context is not None:
            request = context.wrap_socket(request, server_side=True, do_handshake_on_connect=False)
        return request, client_address

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            if len(self._begun_at) >= READERS_MAX:
                self._end(next(iter(self._begun_at)))
            self._begun_at[request] = self._clock()
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._begun_at.pop(request, None)
        super().shutdown_request(request)

    def service_actions(self) -> None:
        """End what has lasted too long; called every half second."""
        super().service_actions()
        with self._lock:
            overdue = self._clock() - _READER_SECONDS_MAX
            for request in [one for one, begun in self._begun_at.items() if begun <= overdue]:
                self._end(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a reader who has gone is no trouble of this server."""

    def _end(self, request: socket.socket) -> None:
        """Let the thread of a connection see its end."""
        del self._begun_at[request]
        with contextlib.suppress(OSError):
            request.shutdown(socket.SHUT_RDWR)
