# SPDX-License-Identifier: Apache-2.0
"""The client for asyncio: the same verbs as `tabard.Client`, each a coroutine or async iterator.

Verbs are the builders of `tabard.calls`; this file only sends them and turns failures into errors.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Self, TypeVar

import grpc

from tabard import calls, compositions
from tabard.calls.call import Call, Caller, Pages, Requests
from tabard.calls.method import late, shown_as, typed
from tabard.connection import closed, find_connection
from tabard.errors import DeadlineExceeded, TabardError, Unavailable
from tabard.history import Record
from tabard.patience import WATCH_PATIENCE_SECONDS, OnWait, Patience, Retries
from tabard.releases.release import Adapter

if TYPE_CHECKING:
    from tabard.calls.downloads import Download
    from tabard.calls.generation import Collecting
    from tabard.calls.health.evaluation import Ask
    from tabard.calls.uploads import Upload
    from tabard.health.evaluation import AsyncEvaluation
    from tabard.releases.pulled import Pulled
    from tabard.result import GenerateResult

P = ParamSpec("P")
E = TypeVar("E")
T = TypeVar("T")


def _verb(
    build: Callable[Concatenate[Caller, P], Call[T] | Upload[T]],
) -> Callable[Concatenate[AsyncClient, P], Coroutine[Any, Any, T]]:
    ask = typed(build)

    @shown_as(build, owner="AsyncClient")
    async def method(self: AsyncClient, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._send(ask(self._caller, *args, **kwargs))

    return method


def _paged(
    build: Callable[Concatenate[Caller, P], Pages[E, T]],
) -> Callable[Concatenate[AsyncClient, P], Coroutine[Any, Any, T]]:
    ask = typed(build)

    @shown_as(build, owner="AsyncClient")
    async def method(self: AsyncClient, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._send_all(ask(self._caller, *args, **kwargs))

    return method


def _download(
    build: Callable[Concatenate[Caller, P], Download],
) -> Callable[Concatenate[AsyncClient, P], Coroutine[Any, Any, Pulled]]:
    ask = typed(build)

    @shown_as(build, owner="AsyncClient", returns="Pulled")
    async def method(self: AsyncClient, /, *args: P.args, **kwargs: P.kwargs) -> Pulled:
        download = ask(self._caller, *args, **kwargs)
        with download.landing() as landing:
            async with contextlib.aclosing(self._receive(download.call)) as parts:
                async for part in parts:
                    landing.take(part)
            return landing.end()

    return method


def _stream(
    build: Callable[Concatenate[Caller, P], Call[T]],
) -> Callable[Concatenate[AsyncClient, P], AsyncGenerator[T, None]]:
    ask = typed(build)

    @shown_as(build, owner="AsyncClient", returns="AsyncGenerator[{}, None]")
    async def method(
        self: AsyncClient, /, *args: P.args, **kwargs: P.kwargs
    ) -> AsyncGenerator[T, None]:
        # In a thread, because pictures are read and encoded there.
        call = await asyncio.to_thread(ask, self._caller, *args, **kwargs)
        async with contextlib.aclosing(self._receive(call)) as messages:
            async for message in messages:
                yield message

    return method


def _job(
    build: Callable[Concatenate[Caller, P], Collecting],
) -> Callable[Concatenate[AsyncClient, P], Coroutine[Any, Any, GenerateResult]]:
    ask = typed(build)

    @shown_as(build, owner="AsyncClient", returns="GenerateResult")
    async def method(self: AsyncClient, /, *args: P.args, **kwargs: P.kwargs) -> GenerateResult:
        from tabard.result import Collector  # noqa: PLC0415 - only those who draw need it

        # In a thread, because pictures are read and encoded there.
        job = await asyncio.to_thread(ask, self._caller, *args, **kwargs)
        collector, retries = (
            Collector(job.on_progress),
            self._retries(job.call.timeout_seconds, job.call),
        )
        async with contextlib.aclosing(self._receive(job.call, retries)) as events:
            async for event in events:
                collector.feed(event)
        return collector.result(attempts=retries.attempts)

    return method


def _evaluation(
    build: Callable[Concatenate[Caller, P], Ask],
) -> Callable[Concatenate[AsyncClient, P], Coroutine[Any, Any, AsyncEvaluation]]:
    ask = typed(build)

    @shown_as(build, owner="AsyncClient", returns="AsyncEvaluation")
    async def method(self: AsyncClient, /, *args: P.args, **kwargs: P.kwargs) -> AsyncEvaluation:
        # In a thread, because pictures are read there.
        wanted = await asyncio.to_thread(ask, self._caller, *args, **kwargs)
        return wanted.followed_async(self._receive(wanted.call))

    return method


class AsyncClient:
    """A connection to one Tabard server, for one event loop.

    Use it in an `async with` block, or await `close()`. Takes what `tabard.Client` takes; the
    channel opens with the first call.
    """

    def __init__(
        self,
        address: str | None = None,
        *,
        token: str | None = None,
        token_file: str | Path | None = None,
        tls_ca: str | Path | None = None,
        certificate: tuple[str | Path, str | Path] | None = None,
        profile: str | None = None,
        insecure: bool | None = None,
        base: str | None = None,
        actor: str | None = None,
        timeout_seconds: float | None = None,
        patience_seconds: float | None = None,
        on_wait: OnWait | None = None,
    ) -> None:
        self._connection = find_connection(
            address=address,
            token=token,
            token_file=token_file,
            tls_ca=tls_ca,
            certificate=certificate,
            profile=profile,
            insecure=insecure,
            base=base,
            actor=actor,
            timeout_seconds=timeout_seconds,
            patience_seconds=patience_seconds,
        )
        self._on_wait = on_wait
        self._caller = self._connection.caller()
        self._open_channel: grpc.aio.Channel | None = None
        self._is_closed = False

    # Each is made when it is looked for: who lists releases imports nothing of what draws.
    generate = late(lambda: _job(calls.generation.generate))
    stream = late(lambda: _stream(calls.generation.stream))
    start = late(lambda: compositions.starting_async(calls.jobs.beginning.start))
    job = late(lambda: compositions.handling_async(calls.jobs.beginning.job))
    jobs = late(lambda: _paged(calls.jobs.standing.jobs))
    job_status = late(lambda: _verb(calls.jobs.standing.job_status))
    watch_job = late(lambda: _stream(calls.jobs.standing.watch_job))
    cancel_job = late(lambda: _verb(calls.jobs.standing.cancel_job))
    retry_job = late(lambda: _verb(calls.jobs.standing.retry_job))
    job_image = late(lambda: _verb(calls.jobs.standing.job_image))
    evaluate = late(lambda: _evaluation(calls.health.evaluation.evaluate))
    compare = late(lambda: compositions.comparing_async(calls.health.compare.compare))
    replay = late(lambda: compositions.replaying_async(calls.replay.replay))
    evidence = late(lambda: _paged(calls.health.evidence.evidence))
    evidence_document = late(lambda: _verb(calls.health.evidence.evidence_document))
    evidence_picture = late(lambda: _verb(calls.health.evidence.evidence_picture))
    edit_evidence = late(lambda: _verb(calls.health.evidence.edit_evidence))
    file_review = late(lambda: _verb(calls.health.evidence.file_review))
    put_grid = late(lambda: _verb(calls.health.grids.put_grid))
    grid = late(lambda: _verb(calls.health.grids.grid))
    grids = late(lambda: _paged(calls.health.grids.grids))
    lookup = late(lambda: _verb(calls.health.lookup.lookup))
    publish_references = late(lambda: _verb(calls.health.references.publish_references))
    publish = late(lambda: _verb(calls.uploads.publish))
    check = late(lambda: _verb(calls.uploads.check))
    pull = late(lambda: _download(calls.downloads.pull))
    publish_recipe = late(lambda: _verb(calls.acts.publish_recipe))
    releases = late(lambda: _paged(calls.registry.releases))
    resolve = late(lambda: _verb(calls.registry.resolve))
    manifest = late(lambda: _verb(calls.findings.manifest))
    diff = late(lambda: _verb(calls.findings.diff))
    dependents = late(lambda: _verb(calls.findings.dependents))
    search = late(lambda: _paged(calls.findings.search))
    history = late(lambda: _paged(calls.records.history))
    served_at = late(lambda: _paged(calls.records.served_at))
    promote = late(lambda: _verb(calls.acts.promote))
    rollback = late(lambda: _verb(calls.acts.rollback))
    yank = late(lambda: _verb(calls.acts.yank))
    unyank = late(lambda: _verb(calls.acts.unyank))
    quarantine = late(lambda: _verb(calls.acts.quarantine))
    lift = late(lambda: _verb(calls.acts.lift))
    purge = late(lambda: _verb(calls.acts.purge))
    edit = late(lambda: _verb(calls.acts.edit))
    sign = late(lambda: _verb(calls.acts.sign))
    status = late(lambda: _verb(calls.operations.status))
    replicas = late(lambda: _verb(calls.operations.replicas))
    verify = late(lambda: _verb(calls.operations.verify))
    warm = late(lambda: _verb(calls.operations.warm))
    drain = late(lambda: _verb(calls.operations.drain))
    whoami = late(lambda: _verb(calls.identity.whoami))
    create_token = late(lambda: _verb(calls.identity.create_token))
    tokens = late(lambda: _paged(calls.identity.tokens))
    revoke_token = late(lambda: _verb(calls.identity.revoke_token))
    policy = late(lambda: _verb(calls.identity.policy))
    set_policy = late(lambda: _verb(calls.identity.set_policy))
    start_canary = late(lambda: _verb(calls.health.canary.start_canary))
    canary = late(lambda: _verb(calls.health.canary.canary))
    canaries = late(lambda: _verb(calls.health.canary.canaries))
    stop_canary = late(lambda: _verb(calls.health.canary.stop_canary))
    report_image = late(lambda: _verb(calls.health.canary.report_image))
    explain_policy = late(lambda: _verb(calls.health.review.explain_policy))
    review = late(lambda: _verb(calls.health.review.review))
    reviews = late(lambda: _paged(calls.health.review.reviews))
    next_pair = late(lambda: _verb(calls.health.review.next_pair))
    pair_picture = late(lambda: _verb(calls.health.review.pair_picture))
    vote = late(lambda: _verb(calls.health.review.vote))

    async def get(self, name: str) -> Adapter:
        """Give one adapter (`namespace/name`) with its releases and channels.

        Raises:
            NotFound: No such adapter; the hint names near ones.
        """
        return await self._whole(await self._send(typed(calls.registry.get)(self._caller, name)))

    async def list(self, *, all_releases: bool = True) -> tuple[Adapter, ...]:
        """Give all adapters by name, with their releases and channels.

        Without `all_releases` long lines have the newest, and those that channels point to.
        """
        found = await self._send_all(calls.registry.adapters(self._caller))
        return tuple([await self._whole(one, all_releases=all_releases) for one in found])

    async def watch(
        self, *, from_seq: int = 0, patience_seconds: float = WATCH_PATIENCE_SECONDS
    ) -> AsyncGenerator[Record, None]:
        """Give records as they happen, from log position `from_seq` on; 0: only what is new.

        When the server goes away, goes on from the next record as soon as one is back: none is
        missed, none comes twice.

        Raises:
            Unavailable: No server for `patience_seconds`, or none was there to begin with.
        """
        patience = Patience(patience_seconds)
        while True:
            try:
                status = await self.status()
                from_seq = from_seq or status.registry_seq + 1
                patience.renew()
                call = calls.records.watch_from(self._caller, from_seq)
                async with contextlib.aclosing(self._receive(call)) as records:
                    async for record in records:
                        patience.renew()
                        from_seq = record.seq + 1
                        yield record
                lost: TabardError = Unavailable("the server ended the watch", reason="WATCH_ENDED")
            except (Unavailable, DeadlineExceeded) as error:
                lost = error
            await asyncio.sleep(patience.pause_after(lost))

    async def close(self) -> None:
        """Close the connection; running calls end as cancelled. Idempotent.

        Calls raise `FailedPrecondition` from then on.
        """
        self._is_closed = True
        if self._open_channel is not None:
            await self._open_channel.close()
            self._open_channel = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    @property
    def _channel(self) -> grpc.aio.Channel:
        if self._is_closed:
            raise closed()
        # A channel belongs to the loop it is made in, and __init__ may run before there is one.
        if self._open_channel is None:
            self._open_channel = self._connection.open_channel(grpc.aio)
        return self._open_channel

    async def _send(self, call: Call[T] | Upload[T]) -> T:
        retries = self._retries(call.timeout_seconds or self._connection.timeout_seconds, call)
        while True:
            invoke, sent = call.on(self._channel)
            try:
                async with self._errors(sent):
                    response = await invoke(
                        sent,
                        timeout=retries.seconds_left,
                        metadata=retries.metadata(self._connection.metadata + call.metadata),
                    )
                return call.read(response)
            except TabardError as refusal:
                pause = retries.pause_after(refusal)
            await asyncio.sleep(pause)

    async def _send_all(self, pages: Pages[E, T]) -> T:
        found: tuple[E, ...] = ()
        token: str | None = None
        while (call := pages.next(found, token)) is not None:
            page, token = await self._send(call)
            found += page
        return pages.gather(found, bool(token))

    async def _whole(self, adapter: Adapter, *, all_releases: bool = True) -> Adapter:
        """Give a line with all of its releases; it comes with the newest."""
        if calls.registry.is_enough(adapter, all_releases=all_releases):
            return adapter
        return replace(adapter, releases=await self.releases(adapter.name))

    async def _receive(
        self, call: Call[T], retries: Retries | None = None
    ) -> AsyncGenerator[T, None]:
        retries = retries or self._retries(call.timeout_seconds, call)
        invoke = self._channel.unary_stream(*call.rpc)
        while True:
            rpc = invoke(
                retries.request(call.request),
                timeout=retries.seconds_left,
                metadata=retries.metadata(self._connection.metadata + call.metadata),
            )
            try:
                async with self._errors(retries=retries):
                    async for message in rpc:
                        retries.note_answer()
                        if call.knows(message) and retries.is_new(value := call.read(message)):
                            yield value
                return
            except TabardError as refusal:
                pause = retries.pause_after(refusal)
            finally:
                rpc.cancel()
            await asyncio.sleep(pause)

    def _retries(self, timeout_seconds: float | None, call: object = None) -> Retries:
        return self._connection.retries(timeout_seconds, call=call, on_wait=self._on_wait)

    @contextlib.asynccontextmanager
    async def _errors(
        self, sent: object = None, *, retries: Retries | None = None
    ) -> AsyncIterator[None]:
        try:
            yield
        except asyncio.CancelledError as error:
            # So gRPC ends a call whose requests broke off; a task that is cancelled stays so.
            if isinstance(sent, Requests) and sent.failure is not None:
                raise sent.failure from error
            raise
        except grpc.aio.AioRpcError as error:
            from tabard.rpc_errors import tabard_error  # noqa: PLC0415 - only failures need it

            failure = tabard_error(error, address=self._connection.address)
            if retries is None or not retries.is_under_way:
                # In a thread, because it asks the network.
                failure = await asyncio.to_thread(self._connection.explained, failure)
            raise failure from error
