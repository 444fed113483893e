# SPDX-License-Identifier: Apache-2.0
"""A receiver of webhooks on loopback: keeps what it is sent, answers as it is told."""

import asyncio
import base64
import hashlib
import hmac
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

KEY = b"k" * 32
SECRET = "whsec_" + base64.b64encode(KEY).decode()


@dataclass(frozen=True, kw_only=True)
class Heard:
    """One request."""

    line: str
    headers: dict[str, str]
    body: bytes

    @property
    def told(self) -> Any:
        """What it says."""
        return json.loads(self.body)

    @property
    def is_signed(self) -> bool:
        """Whether its signature holds, by the rules of Standard Webhooks, written anew here."""
        said = self.headers["webhook-signature"].removeprefix("v1,")
        parts = (self.headers["webhook-id"], self.headers["webhook-timestamp"], self.body.decode())
        wanted = hmac.new(KEY, ".".join(parts).encode(), hashlib.sha256).digest()
        return base64.b64decode(said) == wanted


@dataclass(kw_only=True)
class Listener:
    """A receiver, and what it has heard."""

    port: int = 0
    heard: list[Heard] = field(default_factory=list)
    answers: Callable[[int], bytes | None] = lambda _number: answer(204)

    def url(self, path: str = "/hook?a=1") -> str:
        """Give its URL."""
        return f"http://127.0.0.1:{self.port}{path}"


def answer(status: int, *headers: str) -> bytes:
    """Write an answer."""
    lines = [f"HTTP/1.1 {status} Said", *headers, "Content-Length: 0", "", ""]
    return "\r\n".join(lines).encode()


@asynccontextmanager
async def listening(context: ssl.SSLContext | None = None) -> AsyncIterator[Listener]:
    """Listen for the length of a block; an answer that is None never comes."""
    listener = Listener()
    over = asyncio.Event()

    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            line, *rest = head.strip().split("\r\n")
            headers = {name.lower(): value for name, value in (one.split(": ", 1) for one in rest)}
            body = await reader.readexactly(int(headers["content-length"]))
            number = len(listener.heard)
            listener.heard.append(Heard(line=line, headers=headers, body=body))
            said = listener.answers(number)
            if said is None:
                await over.wait()
            else:
                writer.write(said)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(hear, "127.0.0.1", 0, ssl=context)
    listener.port = server.sockets[0].getsockname()[1]
    try:
        yield listener
    finally:
        over.set()
        server.close()
        await server.wait_closed()
