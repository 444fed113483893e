# SPDX-License-Identifier: Apache-2.0
"""What callers ask of the registry: what there is, what it means, what happened.

In: messages. Out: messages, answered from one snapshot. What may have to read the store or the
index waits in worker threads; every answer is bounded.
"""

from tabard.v1 import registry_service_pb2 as pb
from tabard_registry import AdapterName, AdapterRef, Registry, State
from tabard_server.limits import Limits
from tabard_server.rpc.registry import messages
from tabard_server.threads import Threads


class Questions:
    """Answers the RPCs that only read. Asyncio thread."""

    def __init__(self, registry: Registry, *, threads: Threads, limits: Limits) -> None:
        self._registry = registry
        self._threads = threads
        self._limits = limits

    async def get_adapter(self, request: pb.GetAdapterRequest) -> pb.GetAdapterResponse:
        """Return one adapter."""
        state = self._registry.state
        adapter = state.adapter(AdapterName.parse(request.adapter))
        return pb.GetAdapterResponse(adapter=messages.write_adapter(adapter, state=state))

    async def list_adapters(self, request: pb.ListAdaptersRequest) -> pb.ListAdaptersResponse:
        """Return a page of adapters; a name is the token of what follows it."""
        size = self._bound(request.page_size)
        found = await self._threads.run(
            self._registry.adapters, after=request.page_token, limit=size + 1
        )
        state, page = self._registry.state, found[:size]
        return pb.ListAdaptersResponse(
            adapters=[messages.write_adapter(adapter, state=state) for adapter in page],
            next_page_token=str(page[-1].name) if len(found) > size else "",
        )

    async def resolve(self, request: pb.ResolveRequest) -> pb.ResolveResponse:
        """Say what a ref means now."""
        state = self._registry.state
        meaning = state.find if request.include_withdrawn else state.resolve
        release = meaning(AdapterRef.parse(request.ref))
        return pb.ResolveResponse(
            release=messages.write_release(release, state=state), registry_seq=state.seq
        )

    async def get_manifest(self, request: pb.GetManifestRequest) -> pb.GetManifestResponse:
        """Return the bytes that a release's digest is the sha256 of."""
        state = self._registry.state
        release = state.find(AdapterRef.parse(request.ref))
        manifest = await self._threads.run(self._registry.manifest, release.digest)
        return pb.GetManifestResponse(
            release=messages.write_release(release, state=state), manifest=manifest.to_bytes()
        )

    async def search(self, request: pb.SearchRequest) -> pb.SearchResponse:
        """Find release lines by words."""
        hits = await self._threads.run(
            self._registry.chronicle.search, request.words, limit=self._bound(request.limit)
        )
        state = self._registry.state
        return pb.SearchResponse(
            hits=[
                pb.SearchHit(
                    adapter=str(hit.adapter),
                    snippet=hit.snippet,
                    release_count=_releases(state, hit.adapter),
                )
                for hit in hits
            ]
        )

    async def history(self, request: pb.HistoryRequest) -> pb.HistoryResponse:
        """Return the newest acts, oldest first."""
        adapter = self._known(request.adapter)
        entries = await self._threads.run(
            self._registry.chronicle.history,
            adapter,
            channel=request.channel or None,
            since=messages.read_time(request.since, field="since") if request.since else None,
            until=messages.read_time(request.until, field="until") if request.until else None,
            limit=self._bound(request.limit),
        )
        return pb.HistoryResponse(records=messages.write_history(entries))

    async def served_at(self, request: pb.ServedAtRequest) -> pb.ServedAtResponse:
        """Say what channels pointed to at some time, and who moved them there."""
        servings = await self._threads.run(
            self._registry.chronicle.served_at,
            messages.read_time(request.time, field="time"),
            adapter=self._known(request.adapter),
            channel=request.channel or None,
        )
        state, size = self._registry.state, self._bound(request.limit)
        return pb.ServedAtResponse(
            servings=[messages.write_serving(one, state=state) for one in servings[:size]],
            is_truncated=len(servings) > size,
        )

    def _known(self, name: str) -> AdapterName | None:
        if not name:
            return None
        return self._registry.adapter(AdapterName.parse(name)).name

    def _bound(self, asked: int) -> int:
        return min(asked or self._limits.page_size_default, self._limits.page_size_max)


def _releases(state: State, name: AdapterName) -> int:
    line = state.adapters.get(name)
    return len(line.by_digest) if line else 0
