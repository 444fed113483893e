# SPDX-License-Identifier: Apache-2.0
"""What callers do to the registry: publish, move channels, withdraw, sign.

In: messages. Out: messages, once the act holds its place in the log and is in effect here.
"""

from collections.abc import AsyncIterator

from tabard.v1 import adapter_pb2
from tabard.v1 import registry_service_pb2 as pb
from tabard_registry import AdapterName, AdapterRef, Release, ReleaseDraft, Version
from tabard_server.publishing.publishing import Publishing, Standing, read_expectation
from tabard_server.publishing.uploads import Upload, Uploads
from tabard_server.rpc.registry import messages
from tabard_server.rpc.registry.messages import StandingRequest, read_author
from tabard_server.rpc.registry.uploads import receive


class Writes:
    """Answers the RPCs that write. Asyncio thread."""

    def __init__(self, publishing: Publishing, *, uploads: Uploads) -> None:
        self._publishing = publishing
        self._uploads = uploads

    async def publish(self, parts: AsyncIterator[pb.PublishRequest]) -> pb.PublishResponse:
        """Receive files, check them, publish them."""
        with self._uploads.one() as upload:
            draft = await receive(parts, upload=upload)
            return await upload.use(self._publish(draft, upload))

    async def check(self, parts: AsyncIterator[pb.CheckRequest]) -> pb.CheckResponse:
        """Receive files and check them."""
        with self._uploads.one() as upload:
            draft = await receive(parts, upload=upload)
            return await upload.use(self._check(draft, upload))

    async def publish_recipe(self, request: pb.PublishRecipeRequest) -> pb.PublishRecipeResponse:
        """Publish a combination of releases."""
        published = await self._publishing.publish_recipe(
            _draft(request.draft),
            members=[AdapterRef.parse(member) for member in request.members],
            author=read_author(request.draft),
        )
        return pb.PublishRecipeResponse(
            release=self._write(published.release), created=published.created
        )

    async def promote(self, request: pb.PromoteRequest) -> pb.PromoteResponse:
        """Move a channel to a release that this server has loaded."""
        move = await self._publishing.promote(
            AdapterRef.parse(request.ref),
            channel=request.channel,
            expect=read_expectation(request.expect_digest),
            author=read_author(request),
        )
        return pb.PromoteResponse(move=messages.write_move(move))

    async def roll_back(self, request: pb.RollbackRequest) -> pb.RollbackResponse:
        """Return a channel to an earlier release."""
        move = await self._publishing.roll_back(
            AdapterName.parse(request.adapter),
            channel=request.channel,
            to=Version.parse(request.to_version) if request.to_version else None,
            expect=read_expectation(request.expect_digest),
            author=read_author(request),
        )
        return pb.RollbackResponse(move=messages.write_move(move))

    async def set_standing(
        self, request: StandingRequest, *, standing: Standing
    ) -> adapter_pb2.Release:
        """Yank, quarantine or purge a release, or undo the first two; return it as it is now."""
        release = await self._publishing.set_standing(
            AdapterRef.parse(request.ref), standing=standing, author=read_author(request)
        )
        return self._write(release)

    async def sign(self, request: pb.SignRequest) -> pb.SignResponse:
        """Put a signature beside a release."""
        release = await self._publishing.sign(
            AdapterRef.parse(request.ref),
            key_id=request.key_id,
            signature=request.signature,
            author=read_author(request),
        )
        return pb.SignResponse(release=self._write(release))

    async def _publish(self, draft: pb.ReleaseDraft, upload: Upload) -> pb.PublishResponse:
        published, checked = await self._publishing.publish(
            _draft(draft), files=upload.files, author=read_author(draft)
        )
        return pb.PublishResponse(
            release=self._write(published.release),
            created=published.created,
            report=messages.write_report(checked.report),
        )

    async def _check(self, draft: pb.ReleaseDraft, upload: Upload) -> pb.CheckResponse:
        checked = await self._publishing.check(
            upload.files,
            kind=messages.read_kind(draft.kind),
            trigger_words=tuple(draft.trigger_words),
        )
        return pb.CheckResponse(report=messages.write_report(checked.report))

    def _write(self, release: Release) -> adapter_pb2.Release:
        return messages.write_release(release, state=self._publishing.state)


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
