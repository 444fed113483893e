# SPDX-License-Identifier: Apache-2.0
"""A TCP proxy before a store, which fails as stores and networks do, when it is told to.

Knows nothing of HTTP: it stalls, cuts and refuses bytes. One thread for each connection.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Literal
from urllib.parse import urlsplit

Mode = Literal["pass", "stall", "cut", "refuse"]
"""`stall`: answers stop and nothing is closed; `cut`: they end early; `refuse`: nobody is there."""
MODES: tuple[Mode, ...] = ("stall", "cut", "refuse")

_CHUNK_BYTES = 1 << 14
_CUT_AFTER_BYTES = 1 << 12
_TICK_SECONDS = 0.1


class FaultyProxy:
    """Forwards to one address, on a port that the system gives. Close it."""

    def __init__(self, target: str) -> None:
        """Listen; `target` is the URL of the store."""
        parts = urlsplit(target)
        self._target = (parts.hostname or "127.0.0.1", parts.port or 80)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._is_closed = threading.Event()
        self.mode: Mode = "pass"
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        """Where it listens."""
        host, port = self._listener.getsockname()
        return f"http://{host}:{port}"

    def close(self) -> None:
        """Stop listening; connections end with their next byte."""
        self._is_closed.set()
        self._listener.close()

    def _accept(self) -> None:
        while not self._is_closed.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            if self.mode == "refuse":
                return
            with socket.create_connection(self._target) as store:
                upward = threading.Thread(target=self._pump, args=(client, store), daemon=True)
                upward.start()
                self._answer(store, client)
                # Closing alone would wait for the other thread, which reads from it.
                client.shutdown(socket.SHUT_RDWR)

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while chunk := source.recv(_CHUNK_BYTES):
                target.sendall(chunk)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)

    def _answer(self, store: socket.socket, client: socket.socket) -> None:
        sent = 0
        while chunk := store.recv(_CHUNK_BYTES):
            while self.mode == "stall" and not self._is_closed.wait(_TICK_SECONDS):
                pass
            if self.mode in ("cut", "refuse") and sent + len(chunk) > _CUT_AFTER_BYTES:
                client.sendall(chunk[:_CUT_AFTER_BYTES])
                return
            client.sendall(chunk)
            sent += len(chunk)
