# SPDX-License-Identifier: Apache-2.0
"""The bodies of requests: each is read whole before a door sees it; all together are bounded."""

from __future__ import annotations

import asyncio
import re

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tabard import InvalidArgument, ResourceExhausted, TabardError
from tabard_web.bounds import Bounds
from tabard_web.failures import Failures

_RETRY_SECONDS = 1.0


class Bodies:
    """Takes as many requests, and as many bytes of them, as the bounds allow."""

    def __init__(
        self, app: ASGIApp, *, bounds: Bounds, failures: Failures, endless: re.Pattern[str]
    ) -> None:
        """Take what answers, the bounds, how a refusal is told, and the paths of endless answers.

        Those do not count as requests once they are read: their doors have bounds of their own.
        """
        self._app = app
        self._endless = endless
        self._bounds = bounds
        self._failures = failures
        self._requests = 0
        self._bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        held = _Held()
        self._requests += 1
        try:
            headers, path = Headers(scope=scope), scope["path"]
            answer = self._refuse_two_lengths(headers, path=path)
            answer = answer or await self._read(held, headers, receive, path=path)
            if self._endless.fullmatch(scope["path"]):
                self._requests -= 1
                held.is_counted = False
            await (answer or self._app)(scope, held.replayed(receive), send)
        except _Gone:
            return
        finally:
            self._requests -= held.is_counted
            self._bytes -= held.bytes

    async def _read(
        self, held: _Held, headers: Headers, receive: Receive, *, path: str
    ) -> ASGIApp | None:
        """Read the body; give what answers the request instead, where it cannot be taken."""
        try:
            if self._requests > self._bounds.requests_max:
                raise self._busy("requests_max")
            said = headers.get("content-length", "")
            if said.isdigit() and int(said[:20]) > self._bounds.body_bytes_max:
                raise self._too_large()
            async with asyncio.timeout(self._bounds.body_seconds_max):
                await self._read_all(held, receive)
        except TimeoutError:
            error: TabardError = InvalidArgument(
                "the body of the request did not come in time",
                reason="BODY_TOO_SLOW",
                hint=f"it has body_seconds_max = {self._bounds.body_seconds_max:g} seconds",
            )
            return self._failures.answer(path, error)
        except TabardError as refusal:
            return self._failures.answer(path, refusal)
        return None

    def _refuse_two_lengths(self, headers: Headers, *, path: str) -> ASGIApp | None:
        """Refuse a request whose end depends on who reads it: behind it another one could hide."""
        if not {"content-length", "transfer-encoding"} <= set(headers.keys()):
            return None
        error = InvalidArgument(
            "the request says in two ways where its body ends",
            reason="BODY_UNREADABLE",
            hint="send Content-Length, or Transfer-Encoding: chunked",
        )
        answer = self._failures.answer(path, error)
        answer.headers["Connection"] = "close"
        return answer

    async def _read_all(self, held: _Held, receive: Receive) -> None:
        is_more = True
        while is_more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise _Gone
            part = message.get("body", b"")
            held.take(part)
            self._bytes += len(part)
            if held.bytes > self._bounds.body_bytes_max:
                raise self._too_large()
            if self._bytes > self._bounds.bodies_bytes_max:
                raise self._busy("bodies_bytes_max")
            is_more = message.get("more_body", False)

    def _too_large(self) -> InvalidArgument:
        most = self._bounds.body_bytes_max
        return InvalidArgument(
            f"the body of the request is larger than {most} bytes",
            reason="BODY_TOO_LARGE",
            hint=f"send a smaller picture (body_bytes_max = {most})",
        )

    def _busy(self, bound: str) -> ResourceExhausted:
        return ResourceExhausted(
            f"the gateway has as much to do as it may ({bound})",
            reason="GATEWAY_BUSY",
            hint="wait as Retry-After says",
            retry_after_seconds=_RETRY_SECONDS,
        )


class _Gone(Exception):
    """The caller went away before its request was whole."""


class _Held:
    """A body that was read, to be read again by the door."""

    def __init__(self) -> None:
        self.bytes = 0
        self.is_counted = True
        self._parts: list[bytes] = []

    def take(self, part: bytes) -> None:
        """Take the next part."""
        self.bytes += len(part)
        self._parts.append(part)

    def replayed(self, receive: Receive) -> Receive:
        """Give what the door receives: the body once, then what comes behind it."""
        waiting: list[Message] = [
            {"type": "http.request", "body": b"".join(self._parts), "more_body": False}
        ]
        self._parts.clear()

        async def receive_again() -> Message:
            return waiting.pop() if waiting else await receive()

        return receive_again
