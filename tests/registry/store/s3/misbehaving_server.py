# SPDX-License-Identifier: Apache-2.0
"""An S3 server that misbehaves on demand: requests meet the faults that a test has lined up.

Objects live in a dictionary. It speaks as much S3 as `S3Store` needs for objects of one request.
"""

from __future__ import annotations

import re
import socket
import struct
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

from tabard_registry.store.s3 import S3Limits


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What happens to one request.

    Attributes:
        method: The requests that it waits for.
        does_it: Whether the store does what is asked before it misbehaves.
        status: Status of the answer; 0 resets the connection, -1 never answers.
        code: S3's code of the answer.
        body_bytes_max: An answer of 200 breaks off after so many bytes of its body.
        is_held: It does not break off, but stands still there.
        trickle_seconds: Every byte of its body takes so long.
    """

    method: str
    does_it: bool = False
    status: int = 0
    code: str = ""
    body_bytes_max: int | None = None
    is_held: bool = False
    trickle_seconds: float = 0.0

    @property
    def is_in_body(self) -> bool:
        """Whether the answer begins well."""
        return self.body_bytes_max is not None or self.trickle_seconds > 0


@dataclass(slots=True)
class ScriptedS3:
    """A running server.

    Attributes:
        url: Its endpoint.
        held: Objects by path.
        faults: What happens to the next requests; each is used once.
        asked: Method and range of every request so far.
        is_chunked: Answers do not say how long they are.
    """

    url: str = ""
    held: dict[str, bytes] = field(default_factory=dict)
    faults: deque[Fault] = field(default_factory=deque)
    asked: list[str] = field(default_factory=list)
    is_chunked: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)
    closing: threading.Event = field(default_factory=threading.Event)


@contextmanager
def scripted_s3() -> Iterator[ScriptedS3]:
    """Run a server for the block."""
    state = ScriptedS3()
    handler = type("Handler", (_Handler,), {"state": state})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    state.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield state
    finally:
        state.closing.set()
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    state: ClassVar[ScriptedS3]
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        """Stay silent."""

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        fault = self._meet()
        taken = False
        if fault is None or fault.does_it:
            with self.state.lock:
                taken = "If-None-Match" in self.headers and self.path in self.state.held
                if not taken:
                    self.state.held[self.path] = body
        if fault is not None:
            self._misbehave(fault)
        elif taken:
            self._refuse(412, "PreconditionFailed")
        else:
            self._answer(200, b"")

    def do_GET(self) -> None:
        fault = self._meet()
        if fault is not None and not fault.is_in_body:
            self._misbehave(fault)
            return
        if "list-type" in self.path:
            self._answer(
                200, b"<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>"
            )
            return
        content = self.state.held.get(self.path)
        if content is None:
            self._refuse(404, "NoSuchKey")
            return
        status, headers = 200, dict[str, str]()
        if asked := re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", "")):
            first, last = int(asked[1]), min(int(asked[2]), len(content) - 1)
            headers["Content-Range"] = f"bytes {first}-{last}/{len(content)}"
            status, content = 206, content[first : last + 1]
        self._answer(status, content, headers=headers, fault=fault)

    def do_HEAD(self) -> None:
        fault = self._meet()
        if fault is not None:
            self._misbehave(fault)
        elif (content := self.state.held.get(self.path)) is None:
            self._answer(404, b"")
        else:
            self._answer(200, content)

    def do_DELETE(self) -> None:
        if fault := self._meet():
            self._misbehave(fault)
        else:
            self.state.held.pop(self.path, None)
            self._answer(204, b"")

    def _meet(self) -> Fault | None:
        with self.state.lock:
            self.state.asked.append(f"{self.command} {self.headers.get('Range', '')}".strip())
            faults = self.state.faults
            return faults.popleft() if faults and faults[0].method == self.command else None

    def _misbehave(self, fault: Fault) -> None:
        if fault.status > 0:
            self._refuse(fault.status, fault.code)
            return
        if fault.status < 0:
            self.state.closing.wait(30)
        now = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, now)
        self.close_connection = True
        self.connection.close()
        self.rfile.close()

    def _refuse(self, status: int, code: str) -> None:
        body = f"<Error><Code>{code}</Code><Message>scripted</Message></Error>".encode()
        self._answer(status, body)

    def _answer(
        self,
        status: int,
        body: bytes,
        *,
        headers: dict[str, str] | None = None,
        fault: Fault | None = None,
    ) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if self.state.is_chunked:
            self.send_header("Transfer-Encoding", "chunked")
            body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
        else:
            self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", '"x"')
        self.end_headers()
        if fault is not None:
            self._send_badly(body, fault)
        elif self.command != "HEAD":
            self.wfile.write(body)

    def _send_badly(self, body: bytes, fault: Fault) -> None:
        self.close_connection = True
        with suppress(OSError):  # whoever asked may have gone
            if not fault.trickle_seconds:
                self.wfile.write(body[: fault.body_bytes_max])
            for byte in body if fault.trickle_seconds else b"":
                self.wfile.write(bytes([byte]))
                self.state.closing.wait(fault.trickle_seconds)
            if fault.is_held:
                self.wfile.flush()
                self.state.closing.wait(30)


LIMITS = S3Limits(
    read_timeout_seconds=0.5,
    write_timeout_seconds=0.5,
    connect_timeout_seconds=2.0,
    part_bytes=1000,
    # No request goes out twice because the machine is busy; a test of that says so.
    late_seconds=60.0,
)
PATH = "/bucket/team/log/1"


def refusal(status: int, code: str, method: str = "PUT") -> Fault:
    """A refusal of one request."""
    return Fault(method=method, status=status, code=code)
