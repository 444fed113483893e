# SPDX-License-Identifier: Apache-2.0
"""What callers do to the registry: publish, move channels, withdraw, sign.

In: messages. Out: messages, once the act holds its place in the log and is in effect here. Parses
at the door and knows the bounds of an upload and of who signs for an act.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any, Protocol, TypeVar

from tabard.v1 import adapter_pb2
from tabard.v1 import registry_service_pb2 as pb
from tabard_registry import (
    DEFAULT_CHANNEL,
    AdapterName,
    AdapterRef,
    Registry,
    Release,
    ReleaseDraft,
    Version,
)
from tabard_server.errors import Overloaded, invalid
from tabard_server.limits import Limits
from tabard_server.publishing import Author, Publishing, Standing
from tabard_server.rpc.registry import messages
from tabard_server.rpc.registry.uploads import Part, Upload, receive

T = TypeVar("T")
_NOBODY = "anonymous"


class StandingRequest(Protocol):
    """What the messages that change how one release stands have in common."""

    @property
    def ref(self) -> str:
        """The release."""

    @property
    def reason(self) -> str:
        """Why."""

    @property
    def actor(self) -> str:
        """Who."""

    @property
    def request_id(self) -> str:
        """Key of the caller for this act."""


class Acts:
    """Answers the RPCs that write. Asyncio thread."""

    def __init__(self, registry: Registry, *, publishing: Publishing, limits: Limits) -> None:
        self._registry = registry
        self._publishing = publishing
        self._limits = limits
        self._uploads = 0

    async def publish(self, parts: AsyncIterator[pb.PublishRequest]) -> pb.PublishResponse:
        """Receive files, check them, publish them."""
        return await self._upload(parts, self._publish)

    async def check(self, parts: AsyncIterator[pb.CheckRequest]) -> pb.CheckResponse:
        """Receive files and check them."""
        return await self._upload(parts, self._check)

    async def publish_recipe(self, request: pb.PublishRecipeRequest) -> pb.PublishRecipeResponse:
        """Publish a combination of releases."""
        published = await self._publishing.publish_recipe(
            _draft(request.draft),
            members=[AdapterRef.parse(member) for member in request.members],
            author=self._author_of_draft(request.draft),
        )
        return pb.PublishRecipeResponse(
            release=self._write(published.release), created=published.created
        )

    async def promote(self, request: pb.PromoteRequest) -> pb.PromoteResponse:
        """Move a channel to a release that this server has loaded."""
        move = await self._publishing.promote(
            AdapterRef.parse(request.ref),
            channel=request.channel or DEFAULT_CHANNEL,
            expect=messages.read_expectation(request.expect_digest),
            author=self._author(
                request.actor, reason=request.reason, request_id=request.request_id
            ),
        )
        return pb.PromoteResponse(move=messages.write_move(move))

    async def roll_back(self, request: pb.RollbackRequest) -> pb.RollbackResponse:
        """Return a channel to an earlier release."""
        move = await self._publishing.roll_back(
            AdapterName.parse(request.adapter),
            channel=request.channel or DEFAULT_CHANNEL,
            to=Version.parse(request.to_version) if request.to_version else None,
            expect=messages.read_expectation(request.expect_digest),
            author=self._author(
                request.actor, reason=request.reason, request_id=request.request_id
            ),
        )
        return pb.RollbackResponse(move=messages.write_move(move))

    async def set_standing(
        self, request: StandingRequest, *, standing: Standing
    ) -> adapter_pb2.Release:
        """Yank, quarantine or purge a release, or undo the first two; return it as it is now."""
        release = await self._publishing.set_standing(
            AdapterRef.parse(request.ref),
            standing=standing,
            author=self._author(
                request.actor, reason=request.reason, request_id=request.request_id
            ),
        )
        return self._write(release)

    async def sign(self, request: pb.SignRequest) -> pb.SignResponse:
        """Put a signature beside a release."""
        release = await self._publishing.sign(
            AdapterRef.parse(request.ref),
            key_id=request.key_id,
            signature=request.signature,
            author=self._author(
                request.actor, reason=request.reason, request_id=request.request_id
            ),
        )
        return pb.SignResponse(release=self._write(release))

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
            with tempfile.TemporaryDirectory(prefix="tabard-upload-") as folder:
                upload = await receive(parts, folder=Path(folder), limits=self._limits)
                return await _to_the_end(use(upload))
        finally:
            self._uploads -= 1

    async def _publish(self, upload: Upload) -> pb.PublishResponse:
        published, checked = await self._publishing.publish(
            _draft(upload.draft),
            files=upload.files,
            author=self._author_of_draft(upload.draft),
        )
        return pb.PublishResponse(
            release=self._write(published.release),
            created=published.created,
            report=messages.write_report(checked.report),
        )

    async def _check(self, upload: Upload) -> pb.CheckResponse:
        checked = await self._publishing.check(
            upload.files,
            kind=messages.read_kind(upload.draft.kind),
            trigger_words=tuple(upload.draft.trigger_words),
        )
        return pb.CheckResponse(report=messages.write_report(checked.report))

    def _write(self, release: Release) -> adapter_pb2.Release:
        return messages.write_release(release, state=self._registry.state)

    def _author_of_draft(self, draft: pb.ReleaseDraft) -> Author:
        return self._author(draft.actor, reason=draft.reason, request_id=draft.request_id)

    def _author(self, actor: str, *, reason: str, request_id: str) -> Author:
        most = self._limits.reason_chars_max
        for name, text in (("actor", actor), ("reason", reason), ("request_id", request_id)):
            if len(text) > most:
                raise invalid(
                    name,
                    f"{name} has {len(text)} characters, at most {most}",
                    reason="FIELD_TOO_LONG",
                    hint="shorten it (limits.reason_chars_max)",
                )
        return Author(actor=actor or _NOBODY, reason=reason, request_id=request_id)


def _draft(message: pb.ReleaseDraft) -> ReleaseDraft:
    return ReleaseDraft(
        adapter=AdapterName.parse(message.adapter),
        version=Version.parse(message.version),
        purpose=messages.read_purpose(message.purpose),
        notes=message.notes,
        licence=message.licence,
        trigger_words=tuple(message.trigger_words),
        kind=messages.read_kind(message.kind),
    )


async def _to_the_end(work: Coroutine[Any, Any, T]) -> T:
    """Let work on uploaded files end before they are removed, even when the caller leaves."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise
