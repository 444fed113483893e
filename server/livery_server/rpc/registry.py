# SPDX-License-Identifier: Apache-2.0
"""RegistryService: releases and channels over gRPC.

Parses at the door, calls the registry's rooms, converts the answers. Holds no rule of its own but
the bounds of an upload, a page and a watch.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import grpc

from livery.v1 import registry_service_pb2 as pb
from livery.v1 import registry_service_pb2_grpc
from livery_registry import (
    ABSENT,
    DEFAULT_CHANNEL,
    Absent,
    AdapterName,
    AdapterRef,
    Digest,
    Registry,
    ReleaseDraft,
    Version,
)
from livery_server.errors import Overloaded, WatchEnded, invalid
from livery_server.follower import Follower
from livery_server.limits import Limits
from livery_server.publishing import Publishing, Signature
from livery_server.rpc import convert
from livery_server.rpc.status import Guard
from livery_server.rpc.uploads import Part, Upload, receive

Context = grpc.aio.ServicerContext[Any, Any]
T = TypeVar("T")
_NOBODY = "anonymous"
_NO_RELEASE = "none"


class RegistryServicer(registry_service_pb2_grpc.RegistryServiceServicer):
    """Serves `livery.v1.RegistryService`."""

    def __init__(
        self,
        registry: Registry,
        *,
        publishing: Publishing,
        follower: Follower,
        limits: Limits,
        guard: Guard,
    ) -> None:
        self._registry = registry
        self._publishing = publishing
        self._follower = follower
        self._limits = limits
        self._guard = guard
        self._uploads = 0
        self._watchers = 0

    async def Publish(
        self, request_iterator: AsyncIterator[pb.PublishRequest], context: Context
    ) -> pb.PublishResponse:
        """Receive, check, publish."""
        return await self._guard.call(context, self._upload(request_iterator, self._publish))

    async def Check(
        self, request_iterator: AsyncIterator[pb.CheckRequest], context: Context
    ) -> pb.CheckResponse:
        """Receive and check."""
        return await self._guard.call(context, self._upload(request_iterator, self._check))

    async def GetAdapter(
        self, request: pb.GetAdapterRequest, context: Context
    ) -> pb.GetAdapterResponse:
        """Return one adapter."""
        return await self._guard.call(context, self._get_adapter(request))

    async def ListAdapters(
        self, request: pb.ListAdaptersRequest, context: Context
    ) -> pb.ListAdaptersResponse:
        """Return a page of adapters."""
        return await self._guard.call(context, self._list_adapters(request))

    async def Resolve(self, request: pb.ResolveRequest, context: Context) -> pb.ResolveResponse:
        """Say what a ref means now."""
        return await self._guard.call(context, self._resolve(request))

    async def Promote(self, request: pb.PromoteRequest, context: Context) -> pb.PromoteResponse:
        """Move a channel to a release that this server has loaded."""
        return await self._guard.call(context, self._promote(request))

    async def Rollback(self, request: pb.RollbackRequest, context: Context) -> pb.RollbackResponse:
        """Return a channel to an earlier release."""
        return await self._guard.call(context, self._roll_back(request))

    async def Yank(self, request: pb.YankRequest, context: Context) -> pb.YankResponse:
        """Take a release out of resolution by channel."""
        return await self._guard.call(context, self._yank(request))

    async def Unyank(self, request: pb.UnyankRequest, context: Context) -> pb.UnyankResponse:
        """Undo a yank."""
        return await self._guard.call(context, self._unyank(request))

    async def History(self, request: pb.HistoryRequest, context: Context) -> pb.HistoryResponse:
        """Return the newest records, oldest first."""
        return await self._guard.call(context, self._history(request))

    async def Watch(self, request: pb.WatchRequest, context: Context) -> None:
        """Stream records as they happen."""
        await self._guard.call(context, self._watch(request, context))

    async def _upload(
        self, parts: AsyncIterator[Part], use: Callable[[Upload], Coroutine[Any, Any, T]]
    ) -> T:
        if self._uploads >= self._limits.uploads_max:
            raise Overloaded(
                f"{self._uploads} uploads run already",
                reason="UPLOADS_BUSY",
                hint="retry after a moment (limits.uploads_max)",
                retry_seconds=self._limits.retry_seconds,
            )
        self._uploads += 1
        try:
            with tempfile.TemporaryDirectory(prefix="livery-upload-") as folder:
                upload = await receive(parts, folder=Path(folder), limits=self._limits)
                return await _to_the_end(use(upload))
        finally:
            self._uploads -= 1

    async def _publish(self, upload: Upload) -> pb.PublishResponse:
        message = upload.draft
        draft = ReleaseDraft(
            adapter=AdapterName.parse(message.adapter),
            version=Version.parse(message.version),
            purpose=convert.read_purpose(message.purpose),
            notes=message.notes,
            licence=message.licence,
            trigger_words=tuple(message.trigger_words),
            kind=convert.read_kind(message.kind),
        )
        published, checked = await self._publishing.publish(
            draft,
            files=upload.files,
            signature=self._sign(message.actor, request_id=message.request_id),
        )
        return pb.PublishResponse(
            release=convert.write_release(published.release),
            created=published.created,
            report=convert.write_report(checked.report),
        )

    async def _check(self, upload: Upload) -> pb.CheckResponse:
        checked = await self._publishing.check(
            upload.files,
            kind=convert.read_kind(upload.draft.kind),
            trigger_words=tuple(upload.draft.trigger_words),
        )
        return pb.CheckResponse(report=convert.write_report(checked.report))

    async def _get_adapter(self, request: pb.GetAdapterRequest) -> pb.GetAdapterResponse:
        adapter = self._registry.adapter(AdapterName.parse(request.adapter))
        return pb.GetAdapterResponse(adapter=convert.write_adapter(adapter))

    async def _list_adapters(self, request: pb.ListAdaptersRequest) -> pb.ListAdaptersResponse:
        size = self._page_size(request.page_size)
        after = request.page_token
        found = [a for a in self._registry.adapters() if str(a.name) > after][: size + 1]
        page = found[:size]
        return pb.ListAdaptersResponse(
            adapters=[convert.write_adapter(adapter) for adapter in page],
            next_page_token=str(page[-1].name) if len(found) > size else "",
        )

    async def _resolve(self, request: pb.ResolveRequest) -> pb.ResolveResponse:
        state = self._registry.state
        release = state.resolve(AdapterRef.parse(request.ref))
        return pb.ResolveResponse(release=convert.write_release(release), registry_seq=state.seq)

    async def _promote(self, request: pb.PromoteRequest) -> pb.PromoteResponse:
        move = await self._publishing.promote(
            AdapterRef.parse(request.ref),
            channel=request.channel or DEFAULT_CHANNEL,
            expect=_expectation(request.expect_digest),
            signature=self._sign(
                request.actor, reason=request.reason, request_id=request.request_id
            ),
        )
        return pb.PromoteResponse(move=convert.write_move(move))

    async def _roll_back(self, request: pb.RollbackRequest) -> pb.RollbackResponse:
        move = await self._publishing.roll_back(
            AdapterName.parse(request.adapter),
            channel=request.channel or DEFAULT_CHANNEL,
            to=Version.parse(request.to_version) if request.to_version else None,
            signature=self._sign(
                request.actor, reason=request.reason, request_id=request.request_id
            ),
        )
        return pb.RollbackResponse(move=convert.write_move(move))

    async def _yank(self, request: pb.YankRequest) -> pb.YankResponse:
        release = await self._publishing.set_yanked(
            AdapterRef.parse(request.ref),
            is_yanked=True,
            signature=self._sign(request.actor, reason=request.reason),
        )
        return pb.YankResponse(release=convert.write_release(release))

    async def _unyank(self, request: pb.UnyankRequest) -> pb.UnyankResponse:
        release = await self._publishing.set_yanked(
            AdapterRef.parse(request.ref),
            is_yanked=False,
            signature=self._sign(request.actor, reason=request.reason),
        )
        return pb.UnyankResponse(release=convert.write_release(release))

    async def _history(self, request: pb.HistoryRequest) -> pb.HistoryResponse:
        adapter = AdapterName.parse(request.adapter) if request.adapter else None
        if adapter is not None:
            self._registry.adapter(adapter)
        records = self._registry.history(
            adapter, channel=request.channel or None, limit=self._page_size(request.limit)
        )
        return pb.HistoryResponse(records=[convert.write_record(one) for one in records])

    async def _watch(self, request: pb.WatchRequest, context: Context) -> None:
        if self._watchers >= self._limits.watchers_max:
            raise Overloaded(
                f"{self._watchers} watches run already",
                reason="WATCHERS_BUSY",
                hint="retry after a moment (limits.watchers_max)",
                retry_seconds=self._limits.retry_seconds,
            )
        self._watchers += 1
        try:
            await self._send_records(request, context)
        finally:
            self._watchers -= 1

    async def _send_records(self, request: pb.WatchRequest, context: Context) -> None:
        seq = request.from_seq - 1 if request.from_seq else self._registry.seq
        while not self._follower.is_closed:
            for applied in self._registry.since(seq):
                await context.write(pb.WatchResponse(record=convert.write_record(applied)))
                seq = applied.seq
            await self._follower.wait_beyond(seq)
        raise WatchEnded(
            "the server stops", hint=f"watch again from seq {seq + 1}", retry_seconds=1.0
        )

    def _page_size(self, asked: int) -> int:
        return min(asked or self._limits.page_size_default, self._limits.page_size_max)

    def _sign(self, actor: str, *, reason: str = "", request_id: str = "") -> Signature:
        most = self._limits.reason_chars_max
        for name, text in (("actor", actor), ("reason", reason), ("request_id", request_id)):
            if len(text) > most:
                raise invalid(
                    name,
                    f"{name} has {len(text)} characters, at most {most}",
                    reason="FIELD_TOO_LONG",
                    hint="shorten it (limits.reason_chars_max)",
                )
        return Signature(actor=actor or _NOBODY, reason=reason, request_id=request_id)


def _expectation(text: str) -> Digest | Absent | None:
    if not text:
        return None
    return ABSENT if text == _NO_RELEASE else Digest.parse(text)


async def _to_the_end(work: Coroutine[Any, Any, T]) -> T:
    """Let work on uploaded files end before they are removed, even when the caller leaves."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise
