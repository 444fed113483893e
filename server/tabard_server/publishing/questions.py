# SPDX-License-Identifier: Apache-2.0
"""What callers ask of the registry: what there is, what it means, what happened.

Answered from one snapshot, as far as the caller may know of it. What may have to read the store or
the index waits in worker threads. Every answer has a size, begins after some place, and says
whether there is more behind it.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from datetime import datetime
from itertools import groupby
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
    State,
    Version,
)
from tabard_registry.content.comparison import Comparison, compare_releases
from tabard_registry.identity.roles import EVERYTHING, Grants
from tabard_registry.log.records import ACTIONS_MAX
from tabard_registry.state.dependents import Dependents, dependents_of
from tabard_registry.state.sight import seen_by, told_to
from tabard_server.errors import WatchEnded
from tabard_server.followers.follower import Follower
from tabard_server.threads import Threads

P = ParamSpec("P")
T = TypeVar("T")

_RECORDS_AT_ONCE = 256


class Questions:
    """Answers whatever only reads. Asyncio thread."""

    def __init__(
        self,
        registry: Registry,
        *,
        follower: Follower,
        threads: Threads,
        jobs_wearing: Callable[[str], int],
    ) -> None:
        """Take the threads where reads wait for the store, and what tells of records and jobs."""
        self._jobs_wearing = jobs_wearing
        # A comparison holds two whole releases in memory: there is never more than one.
        self._comparing = asyncio.Lock()
        self._registry = registry
        self._follower = follower
        self._threads = threads

    async def aside(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do what a large answer makes long, like writing it, where questions wait."""
        return await self._threads.run(call, *args, **kwargs)

    async def adapters(
        self, state: State, *, after: str, size: int
    ) -> tuple[tuple[Adapter, ...], bool]:
        """Return release lines behind a name, by name."""
        found = await self._threads.run(state.adapters_after, after, limit=size + 1)
        return found[:size], len(found) > size

    async def releases(
        self, state: State, adapter: AdapterName, *, after: Version | None, size: int
    ) -> tuple[Sequence[Release], bool]:
        """Return releases of a line behind a version, highest first.

        Raises:
            NotFound: There is no such adapter.
        """
        line = state.adapter(adapter)
        found = await self._threads.run(
            lambda: [one for one in line.releases if after is None or one.version < after]
        )
        return found[:size], len(found) > size

    async def manifest(self, state: State, ref: AdapterRef) -> tuple[Release, Manifest]:
        """Return a release, served or not, and what its digest is the sha256 of."""
        release = state.find_kept(ref)
        return release, await self._threads.run(self._registry.manifest, release.digest)

    async def dependents(self, state: State, ref: AdapterRef) -> tuple[Release, Dependents, int]:
        """Return a release, what depends on it, and how many jobs of this server wear it.

        Raises:
            NotFound: There is no such release.
        """
        release = state.find(ref)
        found = await self._threads.run(dependents_of, state, release)
        return release, found, self._jobs_wearing(str(release.digest))

    async def comparison(
        self, state: State, ref: AdapterRef, other_ref: AdapterRef
    ) -> tuple[Release, Release, Comparison]:
        """Return two releases, and what is different; one comparison after the other.

        Raises:
            NotFound: There is no such release.
            PreconditionFailed: One was purged.
            RegistryError: Its bytes are damaged or out of reach.
        """
        left, right = state.find_kept(ref), state.find_kept(other_ref)
        async with self._comparing:
            found = await self._threads.run(compare_releases, self._registry, left, right)
        return left, right, found

    async def search(
        self, words: str, *, after: int, size: int, grants: Grants
    ) -> tuple[tuple[SearchHit, ...], bool]:
        """Find release lines by words, behind the first so many, best first."""
        find = self._registry.queries.search
        found = await self._threads.run(find, words, limit=after + size + 1, grants=grants)
        return found[after : after + size], len(found) > after + size

    async def history(
        self,
        adapter: str,
        *,
        channel: str,
        since: datetime | None,
        until: datetime | None,
        before: int | None,
        size: int,
        grants: Grants,
    ) -> tuple[list[tuple[HistoryEntry, ...]], bool]:
        """Return the acts of the newest records before a log position, newest record first.

        Empty words ask for everything. A record is whole, so there may be fewer than asked for.

        Raises:
            NotFound: There is no such adapter, or it never had such a channel.
        """
        limit = size + ACTIONS_MAX
        name = self._known(adapter, grants=grants)
        found = await self._threads.run(
            self._registry.queries.history,
            name,
            channel=channel or None,
            since=since,
            until=until,
            before=before,
            limit=limit,
            grants=grants,
        )
        if name is not None and channel and not found:
            self._registry.state.channel(name, channel=channel)
        records = [tuple(acts) for _seq, acts in groupby(found, key=lambda entry: entry.seq)]
        # Some acts of the oldest record may be behind the limit; it has not room for all of them.
        is_cut = len(found) == limit
        whole = records[is_cut:][::-1]
        return whole[:size], is_cut or len(whole) > size

    async def served_at(
        self,
        time: datetime,
        *,
        adapter: str,
        channel: str,
        after: tuple[str, str] | None,
        size: int,
        grants: Grants,
    ) -> tuple[list[Serving], bool]:
        """Say what channels pointed to at some time, behind an adapter and its channel.

        Raises:
            NotFound: There is no such adapter.
        """
        found = await self._threads.run(
            self._registry.queries.served_at,
            time,
            adapter=self._known(adapter, grants=grants),
            channel=channel or None,
            grants=grants,
        )
        rest = [one for one in found if after is None or (str(one.adapter), one.channel) > after]
        return rest[:size], len(rest) > size

    async def records(
        self, *, from_seq: int, grants: Grants = EVERYTHING
    ) -> AsyncGenerator[AppliedRecord]:
        """Yield records as they happen until the caller leaves: every one, in order, none twice.

        Acts that are nothing for the caller are left out, and records of nothing else; acts on
        tokens are for nobody.

        A reader's slowness holds up nobody else: each has its own position and takes bounded pages.

        Args:
            from_seq: The first; 0 begins with the next that happens.
            grants: Those of the caller.

        Raises:
            WatchEnded: The server stops; the hint says where to go on.
            RegistryError: Old records cannot be read.
        """
        seq = from_seq - 1 if from_seq else self._registry.seq
        while not self._follower.is_closed:
            found = await self._threads.run(self._registry.since, seq, limit=_RECORDS_AT_ONCE)
            for applied in found:
                told = told_to(applied, state=self._registry.state, grants=grants)
                if told.record.actions or not applied.record.actions:
                    yield told
                seq = applied.seq
            await self._follower.wait_beyond(seq)
        raise WatchEnded(
            "the server stops", hint=f"watch again from seq {seq + 1}", retry_seconds=1.0
        )

    def _known(self, name: str, *, grants: Grants) -> AdapterName | None:
        if not name:
            return None
        return seen_by(self._registry.state, grants).adapter(AdapterName.parse(name)).name
