# SPDX-License-Identifier: Apache-2.0
"""The RPCs that only read the registry. In: messages. Out: messages, written of one snapshot."""

from tabard.v1 import registry_service_pb2 as pb
from tabard_registry import AdapterName, AdapterRef, State
from tabard_server.publishing.questions import Questions
from tabard_server.rpc.registry import messages


class Reads:
    """Answers the RPCs that only read. Asyncio thread."""

    def __init__(self, questions: Questions) -> None:
        self._questions = questions

    async def get_adapter(self, request: pb.GetAdapterRequest) -> pb.GetAdapterResponse:
        """Return one adapter."""
        state = self._questions.state
        adapter = state.adapter(AdapterName.parse(request.adapter))
        return pb.GetAdapterResponse(adapter=messages.write_adapter(adapter, state=state))

    async def list_adapters(self, request: pb.ListAdaptersRequest) -> pb.ListAdaptersResponse:
        """Return a page of adapters."""
        page, following = await self._questions.adapters(
            after=request.page_token, size=request.page_size
        )
        state = self._questions.state
        return pb.ListAdaptersResponse(
            adapters=[messages.write_adapter(adapter, state=state) for adapter in page],
            next_page_token=following,
        )

    async def resolve(self, request: pb.ResolveRequest) -> pb.ResolveResponse:
        """Say what a ref means now."""
        state = self._questions.state
        meaning = state.find if request.include_withdrawn else state.resolve
        release = meaning(AdapterRef.parse(request.ref))
        return pb.ResolveResponse(
            release=messages.write_release(release, state=state), registry_seq=state.seq
        )

    async def get_manifest(self, request: pb.GetManifestRequest) -> pb.GetManifestResponse:
        """Return the bytes that a release's digest is the sha256 of."""
        state = self._questions.state
        release, manifest = await self._questions.manifest(AdapterRef.parse(request.ref))
        return pb.GetManifestResponse(
            release=messages.write_release(release, state=state), manifest=manifest.to_bytes()
        )

    async def search(self, request: pb.SearchRequest) -> pb.SearchResponse:
        """Find release lines by words."""
        hits = await self._questions.search(request.words, limit=request.limit)
        state = self._questions.state
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
        entries = await self._questions.history(
            request.adapter,
            channel=request.channel,
            since=request.since,
            until=request.until,
            limit=request.limit,
        )
        return pb.HistoryResponse(records=messages.write_history(entries))

    async def served_at(self, request: pb.ServedAtRequest) -> pb.ServedAtResponse:
        """Say what channels pointed to at some time, and who moved them there."""
        servings, is_truncated = await self._questions.served_at(
            request.time, adapter=request.adapter, channel=request.channel, limit=request.limit
        )
        state = self._questions.state
        return pb.ServedAtResponse(
            servings=[messages.write_serving(one, state=state) for one in servings],
            is_truncated=is_truncated,
        )


def _releases(state: State, name: AdapterName) -> int:
    line = state.adapters.get(name)
    return len(line.by_digest) if line else 0
