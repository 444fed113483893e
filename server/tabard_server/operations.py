# SPDX-License-Identifier: Apache-2.0
"""What an operator asks of a running server, whichever door he comes by: residents, warm, drain.

In: parsed values. Out: values of this moment. Knows nothing of protobuf.
"""

import asyncio
import contextlib
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tabard_registry import AdapterRef, Registry, Release
from tabard_registry.identity.identity import Identity
from tabard_registry.identity.roles import ANY_NAMESPACE, EVERYTHING, Grants, Role
from tabard_registry.state.sight import hidden_from
from tabard_registry.trust.servable import check_servable
from tabard_registry.trust.signatures import Verifier
from tabard_server.adapters.host_cache import HostCache
from tabard_server.errors import invalid
from tabard_server.generation import Generation
from tabard_server.jobs.job import worn_for
from tabard_server.loop.loop import Loop
from tabard_server.telemetry.labels import Labels

WAIT_SECONDS_MAX = 3_600.0
"""Longest that one call waits for running jobs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InMemory:
    """A release in the highest tier that holds it.

    Attributes:
        adapter: The release line.
        version: Its version.
        digest: `sha256:…`.
        tier: `slot` or `host`.
        bytes: Bytes it takes there.
        leases: Rows or jobs that hold it now.
    """

    adapter: str
    version: str
    digest: str
    tier: str
    bytes: int
    leases: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantLoad:
    """What one tenant has here now.

    Attributes:
        tenant: Its name; empty: callers whom nobody asked.
        rows_waiting: Images that wait.
        rows_running: Images begun and not sent.
    """

    tenant: str
    rows_waiting: int
    rows_running: int


class Operations:
    """Answers operators. Asyncio thread."""

    def __init__(
        self,
        registry: Registry,
        *,
        generation: Generation,
        loop: Loop[Any],
        cache: HostCache,
        labels: Labels,
        verifier: Verifier,
        drain: Callable[[], None],
    ) -> None:
        """Take what is operated; `drain` makes the whole server refuse new jobs."""
        self._registry = registry
        self._generation = generation
        self._loop = loop
        self._cache = cache
        self._labels = labels
        self._verifier = verifier
        self._drain = drain

    def hidden(self, digest: str, *, grants: Grants) -> bool:
        """Say whether a release in memory does not exist for somebody.

        One whose name was forgotten may be anybody's.
        """
        hidden = hidden_from(self._registry.state, grants)
        if hidden is None:
            return False
        adapter, _version = self._labels.of(digest)
        return not adapter or adapter.partition("/")[0] in hidden.namespaces

    def residents(self, *, grants: Grants = EVERYTHING) -> Iterator[InMemory]:
        """Yield each release that somebody may know of once, in the highest tier that holds it."""
        slots = {use.digest: use for use in self._loop.residents}
        hosts = {use.digest: use for use in self._cache.residents()}
        for digest in dict.fromkeys([*slots, *hosts]):
            if self.hidden(digest, grants=grants):
                continue
            adapter, version = self._labels.of(digest)
            yield InMemory(
                adapter=adapter,
                version=version,
                digest=digest,
                tier="slot" if digest in slots else "host",
                bytes=(slots.get(digest) or hosts[digest]).bytes,
                leases=(hosts.get(digest) or slots[digest]).leases,
            )

    def tenants(self, *, identity: Identity) -> list[TenantLoad]:
        """Return who has images here, the busiest first; whoever may not operate sees its own."""
        sees_all = identity.grants.allow(Role.OPERATE, namespace=ANY_NAMESPACE)
        found = [
            TenantLoad(tenant=tenant, rows_waiting=waiting, rows_running=running)
            for tenant, (waiting, running) in self._generation.rows_by_tenant().items()
            if sees_all or tenant == identity.tenant
        ]
        return sorted(found, key=lambda one: (-one.rows_running - one.rows_waiting, one.tenant))

    async def warm(self, ref: AdapterRef) -> InMemory:
        """Bring a release into host memory, when it is its turn.

        Raises:
            TooLarge: It is larger than host memory.
            NotServable: This server cannot wear it.
            RegistryError: There is no such release, or nobody may be served with it.
        """
        state = self._registry.state
        release = state.resolve(ref)
        check_servable(state, release, verifier=self._verifier)
        self._labels.note(release)
        digests = worn_for(release)
        (await self._cache.acquire(digests)).release()
        return _together(release, [one for one in self.residents() if one.digest in digests])

    async def drain(self, *, wait_seconds: float) -> int:
        """Refuse new jobs, wait for the running ones, and return how many are left.

        Raises:
            InvalidRequest: Nobody waits that long.
        """
        if not (math.isfinite(wait_seconds) and 0 <= wait_seconds <= WAIT_SECONDS_MAX):
            raise invalid(
                "wait",
                f"wait is {wait_seconds:g} s",
                reason="WAIT_OUT_OF_RANGE",
                hint=f"use 0 to {WAIT_SECONDS_MAX:g} s",
            )
        self._drain()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_seconds):
                await self._generation.wait_until_empty()
        return self._generation.jobs_left


def _together(release: Release, found: Sequence[InMemory]) -> InMemory:
    """Speak of a recipe's members as one: in the lowest of their tiers, with all their bytes."""
    return InMemory(
        adapter=str(release.adapter),
        version=str(release.version),
        digest=str(release.digest),
        tier="host" if any(one.tier == "host" for one in found) else "slot",
        bytes=sum(one.bytes for one in found),
        leases=max((one.leases for one in found), default=0),
    )
