# SPDX-License-Identifier: Apache-2.0
"""What callers ask of the registry: what there is, what it means, what happened.

Answered from one snapshot. What may have to read the store or the index waits in worker threads;
every answer is bounded, and 0 asks for as many as is usual.
"""

import contextlib
from collections.abc import AsyncGenerator, Callable
from datetime import UTC, datetime
from typing import ParamSpec, TypeVar

from tabard_registry import (
    Adapter,
    AdapterName,
    AdapterRef,
    AppliedRecord,
    HistoryEntry,
    Manifest,
    Registry,
    Release,
    SearchHit,
    Serving,
)
from tabard_server.errors import WatchEnded, invalid
from tabard_server.followers.follower import Follower
from tabard_server.limits import Limits
from tabard_server.threads import Threads

P = ParamSpec("P")
T = TypeVar("T")

_RECORDS_AT_ONCE = 256


class Questions:
    """Answers whatever only reads. Asyncio thread."""

    def __init__(
        self, registry: Registry, *, follower: Follower, threads: Threads, limits: Limits
    ) -> None:
        """Take the threads where reads wait for the store, and what tells of new records."""
        self._registry = registry
        self._follower = follower
        self._threads = threads
        self._limits = limits

    async def aside(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do what a large answer makes long, like writing it, where questions wait."""
        return await self._threads.run(call, *args, **kwargs)

    async def adapters(self, *, after: str, size: int) -> tuple[tuple[Adapter, ...], str]:
        """Return a page of release lines, and the token of the next; a name is that token."""
        size = self._bound(size)
        found = await self._threads.run(self._registry.state.adapters_after, after, limit=size + 1)
        page = found[:size]
        return page, str(page[-1].name) if len(found) > size else ""

    async def manifest(self, ref: AdapterRef) -> tuple[Release, Manifest]:
        """Return a release, served or not, and what its digest is the sha256 of."""
        release = self._registry.state.find(ref)
        return release, await self._threads.run(self._registry.manifest, release.digest)

    async def search(self, words: str, *, limit: int) -> tuple[SearchHit, ...]:
        """Find release lines by words."""
        return await self._threads.run(
            self._registry.queries.search, words, limit=self._bound(limit)
        )

    async def history(
        self, adapter: str, *, channel: str, since: str, until: str, limit: int
    ) -> tuple[HistoryEntry, ...]:
        """Return the newest acts, oldest first; empty words ask for all of them.

        Raises:
            InvalidRequest: That is no time.
            NotFound: There is no such adapter.
        """
        return await self._threads.run(
            self._registry.queries.history,
            self._known(adapter),
            channel=channel or None,
            since=_read_time(since, field="since") if since else None,
            until=_read_time(until, field="until") if until else None,
            limit=self._bound(limit),
        )

    async def served_at(
        self, time: str, *, adapter: str, channel: str, limit: int
    ) -> tuple[tuple[Serving, ...], bool]:
        """Say what channels pointed to at some time, and whether there are more.

        Raises:
            InvalidRequest: That is no time.
            NotFound: There is no such adapter.
        """
        found = await self._threads.run(
            self._registry.queries.served_at,
            _read_time(time, field="time"),
            adapter=self._known(adapter),
            channel=channel or None,
        )
        size = self._bound(limit)
        return found[:size], len(found) > size

    async def records(self, *, from_seq: int) -> AsyncGenerator[AppliedRecord]:
        """Yield records as they happen until the caller leaves: every one, in order, none twice.

        A reader's slowness holds up nobody else: each has its own position and takes bounded pages.

        Args:
            from_seq: The first; 0 begins with the next that happens.

        Raises:
            WatchEnded: The server stops; the hint says where to go on.
            RegistryError: Old records cannot be read.
        """
        seq = from_seq - 1 if from_seq else self._registry.seq
        while not self._follower.is_closed:
            found = await self._threads.run(self._registry.since, seq, limit=_RECORDS_AT_ONCE)
            for applied in found:
                yield applied
                seq = applied.seq
            await self._follower.wait_beyond(seq)
        raise WatchEnded(
            "the server stops", hint=f"watch again from seq {seq + 1}", retry_seconds=1.0
        )

    def _known(self, name: str) -> AdapterName | None:
        return self._registry.state.adapter(AdapterName.parse(name)).name if name else None

    def _bound(self, asked: int) -> int:
        return min(asked or self._limits.page_size_default, self._limits.page_size_max)


def _read_time(text: str, *, field: str) -> datetime:
    """Read RFC 3339 with an offset."""
    time: datetime | None = None
    # The first and last days of the calendar have no time in UTC.
    with contextlib.suppress(ValueError, OverflowError):
        said = datetime.fromisoformat(text)
        time = said.astimezone(UTC) if said.tzinfo is not None else None
    if time is None:
        raise invalid(
            field,
            f"{field} is {text[:80]!r}, not a time with an offset",
            reason="TIME_INVALID",
            hint="write RFC 3339, like 2026-11-23T12:00:00Z",
        )
    return time
