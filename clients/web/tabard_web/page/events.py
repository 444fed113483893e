# SPDX-License-Identifier: Apache-2.0
"""`GET /api/events`: what happens in the registry, told to open pages as server-sent events.

All pages of one token share one watch at the server, and end with it when the token ends. A page
that cannot keep up is let go; it comes back, and looks anew.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import StreamingResponse

from tabard import (
    AsyncClient,
    DeadlineExceeded,
    Record,
    ResourceExhausted,
    TabardError,
    Unauthenticated,
    Unavailable,
)
from tabard_web.page.errors import page_failure
from tabard_web.page.visitors import Visitors

PATH = "/api/events"

_WAITING_MAX = 64
"""Events that one page may be behind."""
_BEAT_SECONDS = 20.0
"""How often a stream says something, so that whatever stands between does not close it."""
_AGAIN_SECONDS = 1.0
"""How long a server that is away is left alone."""

Event = tuple[str, dict[str, Any]]


class EventsDoor:
    """Tells pages what happens."""

    def __init__(
        self, visitors: Visitors, *, pages_max: int, beat_seconds: float = _BEAT_SECONDS
    ) -> None:
        """Take who looks, how many pages may be open, and how often they hear something."""
        self._visitors = visitors
        self._pages_max = pages_max
        self._beat_seconds = beat_seconds
        self._watches: dict[str, _Watch] = {}

    @property
    def router(self) -> APIRouter:
        """The path; OpenAPI has no word for a stream without an end."""
        router = APIRouter(include_in_schema=False)
        router.add_api_route(PATH, self.events, methods=["GET"])
        return router

    async def events(self, request: Request) -> StreamingResponse:
        """Tell what happens from now on, until the page is closed."""
        token = self._visitors.token(request)
        if sum(len(one.pages) for one in self._watches.values()) >= self._pages_max:
            raise ResourceExhausted(
                f"the gateway has as many open pages as it may ({self._pages_max})",
                reason="GATEWAY_BUSY",
                hint="close some pages",
                retry_after_seconds=30.0,
            )
        stream = self._stream(request, token)
        return StreamingResponse(stream, media_type="text/event-stream")

    def let_go(self) -> None:
        """End all streams."""
        for watch in list(self._watches.values()):
            watch.end()

    async def _stream(self, request: Request, token: str) -> AsyncIterator[bytes]:
        page: asyncio.Queue[Event | None] = asyncio.Queue(_WAITING_MAX)
        watch = self._watches.get(token)
        if watch is None or watch.is_over:
            watch = self._watches[token] = _Watch(self._visitors, token)
        watch.join(page)
        try:
            while (event := await self._next(page)) is not None:
                if self._visitors.has_left(request, token):
                    # In another window; this one asks again, and learns that.
                    return
                name, told = event
                if name == "refused":
                    self._visitors.refuse(request, told.pop("why"))
                yield written(name, told) if name else b": still here\n\n"
        finally:
            watch.leave(page)
            if not watch.pages and self._watches.get(token) is watch:
                del self._watches[token]
                watch.end()

    async def _next(self, page: asyncio.Queue[Event | None]) -> Event | None:
        try:
            async with asyncio.timeout(self._beat_seconds):
                return await page.get()
        except TimeoutError:
            return "", {}


def written(name: str, told: dict[str, Any]) -> bytes:
    """Write one event."""
    return f"event: {name}\ndata: {json.dumps(told, separators=(',', ':'))}\n\n".encode()


def _told(record: Record) -> Event:
    """Tell of a record; of votes only that something happened: voters look on."""
    if all(act.type == "vote" for act in record.actions):
        return "here", {"seq": record.seq}
    return "record", asdict(record)


class _Watch:
    """One watch at the server, for all pages of a token."""

    def __init__(self, visitors: Visitors, token: str) -> None:
        self.pages: set[asyncio.Queue[Event | None]] = set()
        self._visitors = visitors
        self._token = token
        self._state: Event | None = None
        self._task = asyncio.ensure_future(self._follow())
        # Whatever ends it lets go of the pages: none waits for what does not come.
        self._task.add_done_callback(lambda _task: self.end())

    @property
    def is_over(self) -> bool:
        """Whether it follows nothing any more."""
        return self._task.done()

    def join(self, page: asyncio.Queue[Event | None]) -> None:
        """Tell a page how it stands, and what happens from now on."""
        self.pages.add(page)
        if self._state is not None:
            page.put_nowait(self._state)

    def leave(self, page: asyncio.Queue[Event | None]) -> None:
        """Tell a page nothing more. Idempotent."""
        self.pages.discard(page)

    def end(self) -> None:
        """Follow nothing any more; every page is let go. Idempotent."""
        self._task.cancel()
        for page in list(self.pages):
            self._let_go(page)

    async def _follow(self) -> None:
        """Follow the registry until the token ends, over servers that go and come back."""
        while True:
            try:
                async with self._visitors.client_of(self._token) as client:
                    await self._tell_records(client)
            except (Unavailable, DeadlineExceeded) as error:
                self._stand("away", page_failure(error))
                await asyncio.sleep(_AGAIN_SECONDS)
            except TabardError as error:
                # One dictionary for each page: each takes the error out of its own.
                for page in list(self.pages):
                    told = page_failure(error)
                    if isinstance(error, Unauthenticated):
                        self._tell(page, ("refused", {**told, "why": error}))
                    else:
                        self._tell(page, ("failed", told))
                return

    async def _tell_records(self, client: AsyncClient) -> None:
        status = await client.status()
        self._stand("here", {"seq": status.registry_seq})
        records = client.watch(from_seq=status.registry_seq + 1, patience_seconds=0)
        async with contextlib.aclosing(records):
            async for record in records:
                self._tell_all(_told(record))
                self._state = ("here", {"seq": record.seq})

    def _stand(self, name: str, told: dict[str, Any]) -> None:
        """Tell how it stands, once for each time that it changes."""
        if self._state is None or self._state[0] != name or name == "here":
            self._tell_all((name, told))
        self._state = (name, told)

    def _tell_all(self, event: Event) -> None:
        for page in list(self.pages):
            self._tell(page, event)

    def _tell(self, page: asyncio.Queue[Event | None], event: Event) -> None:
        try:
            page.put_nowait(event)
        except asyncio.QueueFull:
            self._let_go(page)

    def _let_go(self, page: asyncio.Queue[Event | None]) -> None:
        self.pages.discard(page)
        if page.full():
            page.get_nowait()
        page.put_nowait(None)
