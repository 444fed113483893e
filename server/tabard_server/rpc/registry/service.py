# SPDX-License-Identifier: Apache-2.0
"""RegistryService: releases and channels over gRPC, one method an RPC.

In: messages. Out: messages, written of one snapshot; of an act once it holds its place in the log
and is in effect here. How values become messages and back is in the rooms beside this one.
"""

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import aclosing
from datetime import datetime
from typing import Any, TypeVar

from google.protobuf.message import Message

from tabard.v1 import adapter_pb2, registry_service_pb2_grpc
from tabard.v1 import registry_service_pb2 as pb
from tabard_registry import AdapterName, AdapterRef, Registry, Release, State, Version
from tabard_registry.acts import Acted
from tabard_registry.state.dependents import channels_to
from tabard_registry.state.sight import seen_by
from tabard_server.errors import invalid
from tabard_server.evaluation.drawer import Asker
from tabard_server.evaluation.previews import PreviewRoom
from tabard_server.publishing.downloads import Downloads
from tabard_server.publishing.publishing import Publishing, read_expectation
from tabard_server.publishing.questions import Questions
from tabard_server.publishing.uploads import Upload, Uploads
from tabard_server.rpc.pages import Pages
from tabard_server.rpc.registry import messages
from tabard_server.rpc.registry.comparison import write_comparison
from tabard_server.rpc.registry.downloads import send_files
from tabard_server.rpc.registry.messages import StandingRequest, read_author, read_draft
from tabard_server.rpc.registry.uploads import receive
from tabard_server.rpc.status import Context
from tabard_server.rpc.times import read_time

M = TypeVar("M", bound=Message)


class RegistryServicer(registry_service_pb2_grpc.RegistryServiceServicer):
    """Serves `tabard.v1.RegistryService`. Asyncio thread."""

    def __init__(
        self,
        registry: Registry,
        *,
        publishing: Publishing,
        questions: Questions,
        uploads: Uploads,
        downloads: Downloads,
        previews: PreviewRoom,
        pages: Pages,
    ) -> None:
        """Take what can be asked and done; other doors may share it."""
        self._registry = registry
        self._publishing = publishing
        self._questions = questions
        self._uploads = uploads
        self._downloads = downloads
        self._previews = previews
        self._pages = pages

    async def Publish(
        self, request: AsyncIterator[pb.PublishRequest], context: Context
    ) -> pb.PublishResponse:
        """Receive files, check them, publish them."""
        with self._uploads.one() as upload:
            draft = await receive(request, upload=upload, silence=pb.ReleaseDraft())
            return await upload.use(self._publish(draft, upload, context))

    async def Check(
        self, request: AsyncIterator[pb.CheckRequest], context: Context
    ) -> pb.CheckResponse:
        """Receive files and check them."""
        with self._uploads.one() as upload:
            options = await receive(request, upload=upload, silence=pb.CheckOptions())
            return await upload.use(self._check(options, upload))

    async def PublishRecipe(
        self, request: pb.PublishRecipeRequest, context: Context
    ) -> pb.PublishRecipeResponse:
        """Publish a combination of releases."""
        published = await self._publishing.act(
            self._registry.publish_recipe,
            read_draft(request.draft),
            members=[messages.read_member(member) for member in request.members],
            author=read_author(request.draft, identity=context.identity),
        )
        self._begin_previews(published.release, request.draft, context)
        return pb.PublishRecipeResponse(
            release=self._write(published.release, context),
            created=published.created,
            untaken=published.untaken,
        )

    async def Promote(self, request: pb.PromoteRequest, context: Context) -> pb.PromoteResponse:
        """Move a channel to a release that this server has loaded."""
        move = await self._publishing.promote(
            AdapterRef.parse(request.ref),
            channel=request.channel,
            expect=read_expectation(request.expect_digest),
            author=read_author(request, identity=context.identity),
            override=request.override,
        )
        return pb.PromoteResponse(move=messages.write_move(move))

    async def Rollback(self, request: pb.RollbackRequest, context: Context) -> pb.RollbackResponse:
        """Return a channel to an earlier release."""
        move = await self._publishing.roll_back(
            AdapterName.parse(request.adapter),
            channel=request.channel,
            to=Version.parse(request.to_version) if request.to_version else None,
            expect=read_expectation(request.expect_digest),
            author=read_author(request, identity=context.identity),
        )
        return pb.RollbackResponse(move=messages.write_move(move))

    async def Edit(self, request: pb.EditRequest, context: Context) -> pb.EditResponse:
        """Amend the words of a release."""
        edited = await self._publishing.act(
            self._registry.edit,
            AdapterRef.parse(request.ref),
            words=messages.read_words(request),
            author=read_author(request, identity=context.identity),
        )
        return self._changed(edited, answer=pb.EditResponse, context=context)

    async def Sign(self, request: pb.SignRequest, context: Context) -> pb.SignResponse:
        """Put a signature beside a release."""
        signed = await self._publishing.act(
            self._registry.sign,
            AdapterRef.parse(request.ref),
            key_id=request.key_id,
            signature=request.signature,
            author=read_author(request, identity=context.identity),
        )
        return self._changed(signed, answer=pb.SignResponse, context=context)

    async def Yank(self, request: pb.YankRequest, context: Context) -> pb.YankResponse:
        """Take a release out of resolution by channel and range."""
        return await self._set_standing(self._registry.yank, request, pb.YankResponse, context)

    async def Unyank(self, request: pb.UnyankRequest, context: Context) -> pb.UnyankResponse:
        """Undo a yank."""
        return await self._set_standing(self._registry.unyank, request, pb.UnyankResponse, context)

    async def Quarantine(
        self, request: pb.QuarantineRequest, context: Context
    ) -> pb.QuarantineResponse:
        """Serve nobody with a release until that is lifted."""
        return await self._set_standing(
            self._registry.quarantine, request, pb.QuarantineResponse, context
        )

    async def Lift(self, request: pb.LiftRequest, context: Context) -> pb.LiftResponse:
        """Undo a quarantine."""
        return await self._set_standing(self._registry.lift, request, pb.LiftResponse, context)

    async def Purge(self, request: pb.PurgeRequest, context: Context) -> pb.PurgeResponse:
        """Delete the bytes of a release for good."""
        return await self._set_standing(self._registry.purge, request, pb.PurgeResponse, context)

    async def GetAdapter(
        self, request: pb.GetAdapterRequest, context: Context
    ) -> pb.GetAdapterResponse:
        """Return one adapter."""
        state = self._seen(context)
        adapter = await self._questions.aside(
            messages.write_adapter,
            state.adapter(AdapterName.parse(request.adapter)),
            state=state,
            bytes_max=self._pages.bytes_max,
        )
        return pb.GetAdapterResponse(adapter=adapter)

    async def ListAdapters(
        self, request: pb.ListAdaptersRequest, context: Context
    ) -> pb.ListAdaptersResponse:
        """Return a page of adapters."""
        (after,) = self._pages.start_of(request, str) or ("",)
        size = self._pages.size_of(request)
        state, bytes_max = self._seen(context), self._pages.bytes_max
        found, is_more = await self._questions.adapters(state, after=after, size=size)
        written = (
            ((str(one.name),), messages.write_adapter(one, state=state, bytes_max=bytes_max))
            for one in found
        )
        adapters, following = await self._fill(request, written, is_more=is_more)
        return pb.ListAdaptersResponse(adapters=adapters, next_page_token=following)

    async def ListReleases(
        self, request: pb.ListReleasesRequest, context: Context
    ) -> pb.ListReleasesResponse:
        """Return a page of the releases of one adapter."""
        start = self._pages.start_of(request, str)
        found, is_more = await self._questions.releases(
            self._seen(context),
            AdapterName.parse(request.adapter),
            after=Version.parse(start[0]) if start else None,
            size=self._pages.size_of(request),
        )
        written = (((str(one.version),), self._write(one, context)) for one in found)
        releases, following = await self._fill(request, written, is_more=is_more)
        return pb.ListReleasesResponse(releases=releases, next_page_token=following)

    async def Resolve(self, request: pb.ResolveRequest, context: Context) -> pb.ResolveResponse:
        """Say what a ref means now."""
        state = self._seen(context)
        meaning = state.find if request.include_withdrawn else state.resolve
        release = meaning(AdapterRef.parse(request.ref))
        return pb.ResolveResponse(
            release=messages.write_release(release, state=state), registry_seq=state.seq
        )

    async def GetManifest(
        self, request: pb.GetManifestRequest, context: Context
    ) -> pb.GetManifestResponse:
        """Return the bytes that a release's digest is the sha256 of: what a signer vouches for."""
        state = self._seen(context)
        release, manifest = await self._questions.manifest(state, AdapterRef.parse(request.ref))
        return pb.GetManifestResponse(
            release=messages.write_release(release, state=state), manifest=manifest.to_bytes()
        )

    async def Search(self, request: pb.SearchRequest, context: Context) -> pb.SearchResponse:
        """Find release lines by words."""
        (after,) = self._pages.start_of(request, int) or (0,)
        size = self._pages.size_of(request)
        state = self._seen(context)
        found, is_more = await self._questions.search(
            request.words, after=after, size=size, grants=context.identity.grants
        )
        lines = state.adapters
        written = (
            (
                (place,),
                pb.SearchHit(
                    adapter=str(hit.adapter),
                    snippet=hit.snippet,
                    release_count=len(lines[hit.adapter].by_digest) if hit.adapter in lines else 0,
                    found_in=hit.found_in,
                    version=hit.version,
                ),
            )
            for place, hit in enumerate(found, start=after + 1)
        )
        hits, following = await self._fill(request, written, is_more=is_more)
        return pb.SearchResponse(hits=hits, next_page_token=following)

    async def Diff(self, request: pb.DiffRequest, context: Context) -> pb.DiffResponse:
        """Compare two releases."""
        left, right, found = await self._questions.comparison(
            self._seen(context), AdapterRef.parse(request.ref), AdapterRef.parse(request.other_ref)
        )
        return await self._questions.aside(
            write_comparison, self._write(left, context), self._write(right, context), found
        )

    async def GetDependents(
        self, request: pb.GetDependentsRequest, context: Context
    ) -> pb.GetDependentsResponse:
        """Say what depends on a release."""
        release, found, job_count = await self._questions.dependents(
            self._seen(context), AdapterRef.parse(request.ref)
        )
        return pb.GetDependentsResponse(
            release=self._write(release, context),
            channels=found.channels,
            recipes=[str(one) for one in found.recipes[: messages.RECIPES_SHOWN_MAX]],
            recipe_count=len(found.recipes),
            job_count=job_count,
        )

    async def Fetch(self, request: pb.FetchRequest, context: Context) -> None:
        """Stream the files of a release."""
        await send_files(self._downloads, request, context=context)

    async def ServedAt(self, request: pb.ServedAtRequest, context: Context) -> pb.ServedAtResponse:
        """Say what channels pointed to at some time, and who moved them there."""
        start: Any = self._pages.start_of(request, str, str)
        state = self._seen(context)
        found, is_more = await self._questions.served_at(
            _required_time(request, "time"),
            adapter=request.adapter,
            channel=request.channel,
            after=start,
            size=self._pages.size_of(request),
            grants=context.identity.grants,
        )
        written = (
            ((str(one.adapter), one.channel), messages.write_serving(one, state=state))
            for one in found
        )
        servings, following = await self._fill(request, written, is_more=is_more)
        return pb.ServedAtResponse(servings=servings, next_page_token=following)

    async def History(self, request: pb.HistoryRequest, context: Context) -> pb.HistoryResponse:
        """Return a page of records, newest first."""
        start = self._pages.start_of(request, int)
        found, is_more = await self._questions.history(
            request.adapter,
            channel=request.channel,
            since=_time(request, "since"),
            until=_time(request, "until"),
            before=start[0] if start else None,
            size=self._pages.size_of(request),
            grants=context.identity.grants,
        )
        written = (((acts[0].seq,), messages.write_acts(acts)) for acts in found)
        records, following = await self._fill(request, written, is_more=is_more)
        return pb.HistoryResponse(records=records, next_page_token=following)

    async def Watch(self, request: pb.WatchRequest, context: Context) -> None:
        """Stream records as they happen, until the caller leaves."""
        grants = context.identity.grants
        told = self._questions.records(from_seq=request.from_seq, grants=grants)
        async with aclosing(told) as records:
            async for applied in records:
                await context.write(pb.WatchResponse(record=messages.write_record(applied)))

    async def _publish(
        self, draft: pb.ReleaseDraft, upload: Upload, context: Context
    ) -> pb.PublishResponse:
        published, checked = await self._publishing.publish(
            read_draft(draft),
            files=upload.files,
            author=read_author(draft, identity=context.identity),
        )
        self._begin_previews(published.release, draft, context)
        return pb.PublishResponse(
            release=self._write(published.release, context),
            created=published.created,
            untaken=published.untaken,
            report=messages.write_report(checked.report),
        )

    def _begin_previews(self, release: Release, draft: pb.ReleaseDraft, context: Context) -> None:
        asker = Asker(caller=context.caller, identity=context.identity)
        author = read_author(draft, identity=context.identity)
        self._previews.begin(release, asker=asker, author=author, is_wanted=draft.previews)

    async def _check(self, options: pb.CheckOptions, upload: Upload) -> pb.CheckResponse:
        checked = await self._publishing.check(
            upload.files,
            kind=messages.read_kind(options.kind, field="options.kind"),
            trigger_words=tuple(options.trigger_words),
        )
        return pb.CheckResponse(report=messages.write_report(checked.report))

    async def _set_standing(
        self,
        act: Callable[..., Acted[Release]],
        request: StandingRequest,
        answer: type[M],
        context: Context,
    ) -> M:
        """Yank, quarantine or purge a release, or undo the first two; answer as it is now."""
        ref = AdapterRef.parse(request.ref)
        author = read_author(request, identity=context.identity)
        done = await self._publishing.take_back(act, ref, author=author)
        return self._changed(done, answer=answer, context=context)

    def _changed(self, done: Acted[Release], *, answer: type[M], context: Context) -> M:
        """Say what became of a release, and what points to it."""
        release, seen = done.subject, self._seen(context)
        return answer(
            release=messages.write_release(release, state=seen),
            changed=done.changed,
            channels=channels_to(seen, release),
        )

    async def _fill(
        self, request: Any, written: Iterable[tuple[tuple[Any, ...], M]], *, is_more: bool
    ) -> tuple[list[M], str]:
        """Write a page where questions wait, because a large one takes its time."""
        return await self._questions.aside(self._pages.fill, request, written, is_more=is_more)

    def _seen(self, context: Context) -> State:
        """Return the snapshot of now, as far as the caller may know of it."""
        return seen_by(self._registry.state, context.identity.grants)

    def _write(self, release: Release, context: Context) -> adapter_pb2.Release:
        return messages.write_release(release, state=self._seen(context))


def _time(request: Any, field: str) -> datetime | None:
    return read_time(getattr(request, field), field=field) if request.HasField(field) else None


def _required_time(request: Any, field: str) -> datetime:
    time = _time(request, field)
    if time is None:
        raise invalid(
            field,
            f"{field} is missing",
            reason="FIELD_REQUIRED",
            hint="send a google.protobuf.Timestamp",
        )
    return time
