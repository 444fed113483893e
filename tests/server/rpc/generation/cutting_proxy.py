# SPDX-License-Identifier: Apache-2.0
"""A TCP proxy that cuts every connection when it is told to, as networks do. Two threads for each.

Knows nothing of gRPC. Its port stays while what is behind it changes.
"""

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator

_CHUNK_BYTES = 1 << 16
_RESET = struct.pack("ii", 1, 0)
"""Closing drops what was not sent, and resets the connection."""


class CuttingProxy:
    """Forwards to `target`, `host:port`, on a port that the system gives."""

    def __init__(self, target: str) -> None:
        """Listen."""
        self.target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._begin(self._accept)

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"127.0.0.1:{self._listener.getsockname()[1]}"

    def cut(self) -> None:
        """Reset every connection."""
        with self._lock:
            cut, self._open = self._open, []
        for one in cut:
            with contextlib.suppress(OSError):
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                # Wakes the thread that reads it, which `close` does not.
                one.shutdown(socket.SHUT_RD)
            one.close()

    def close(self) -> None:
        """Cut everything and listen no more."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        for thread in self._threads:
            thread.join()

    def _begin(self, run: object, *args: object) -> None:
        thread = threading.Thread(target=run, args=args)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                host, _, port = self.target.rpartition(":")
                try:
                    far = socket.create_connection((host, int(port)))
                except OSError:
                    near.close()
                    continue
                with self._lock:
                    self._open += [near, far]
                self._begin(self._pump, near, far)
                self._begin(self._pump, far, near)

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(_CHUNK_BYTES):
                sink.sendall(data)
        # Whatever ended one direction ends both.
        for one in (source, sink):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def cutting(target: str) -> Iterator[CuttingProxy]:
    """Have a proxy for the length of a block."""
    proxy = CuttingProxy(target)
    try:
        yield proxy
    finally:
        proxy.close()
