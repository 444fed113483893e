# SPDX-License-Identifier: Apache-2.0
"""GenerationService: one request in, the events of its job out.

Converts once on the way in and once on the way out; `generation` and `detached` do everything
between.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing

from tabard.v1 import generation_service_pb2, generation_service_pb2_grpc
from tabard_server.detached.detached import Detached
from tabard_server.detached.drawing import Asked
from tabard_server.detached.held import Begun, Ended, Held
from tabard_server.detached.record import KeptImage
from tabard_server.error_kinds import Refused
from tabard_server.jobs.job import Accepted, Done, Event, ImageReady, Job, JobSpec, Progress
from tabard_server.rpc.generation.messages import read_accepted, read_request, write_event
from tabard_server.rpc.status import Context

TRACEPARENT = "traceparent"
"""The key under which a caller says what trace its call belongs to, as W3C has it."""


class GenerationServicer(generation_service_pb2_grpc.GenerationServiceServicer):
    """Serves `tabard.v1.GenerationService`."""

    def __init__(
        self,
        generate: Callable[[JobSpec], AsyncGenerator[Event, None]],
        *,
        on_sent: Callable[[Job, ImageReady], None],
        jobs: Detached,
        reach: Callable[[int], Awaitable[None]],
    ) -> None:
        """Take the walk of a request.

        Args:
            generate: The walk.
            on_sent: Told of each image that is sent, at once.
            jobs: Where jobs are whose callers do not wait.
            reach: Reads the log up to a position, if it can be read.
        """
        self._generate = generate
        self._on_sent = on_sent
        self._jobs = jobs
        self._reach = reach

    async def Generate(
        self, request: generation_service_pb2.GenerateRequest, context: Context
    ) -> None:
        """Stream the life of one job; a caller that leaves stops it, as `Generation` says."""
        is_detached = request.HasField("detach")
        spec = read_request(
            request,
            # A detached job has no caller whose patience could end.
            seconds_left=None if is_detached else context.time_remaining(),
            caller=context.caller,
            identity=context.identity,
            traceparent=context.said(TRACEPARENT),
        )
        if spec.again is not None:
            # Another server may have read of a release before this one.
            await self._reach(spec.again.registry_seq)
        if is_detached:
            await self._detach(spec, request, context)
            return
        is_quiet = request.without_progress
        # Nobody else may hold the request: a picture is let go of once it is read.
        del request
        if spec.request_id and (held := await self._jobs.find(spec)):
            await self._follow(held, context, is_quiet=is_quiet)
            return
        events_of = self._generate(spec)
        del spec
        job: Job | None = None
        async with aclosing(events_of) as events:
            async for event in events:
                if is_quiet and isinstance(event, Progress):
                    continue
                if isinstance(event, Accepted):
                    job = event.job
                elif isinstance(event, ImageReady) and job is not None:
                    self._on_sent(job, event)
                await context.write(write_event(event))

    async def _detach(
        self,
        spec: JobSpec,
        request: generation_service_pb2.GenerateRequest,
        context: Context,
    ) -> None:
        wanted = request.detach
        asked = Asked(
            spec=spec,
            request=request.SerializeToString(),
            hook_url=wanted.webhook_url,
            place=wanted.namespace,
        )
        record = await self._jobs.start(asked)
        await context.write(read_accepted(record.accepted))

    async def _follow(self, held: Held, context: Context, *, is_quiet: bool) -> None:
        """Stream the life of a detached job to a caller that asks for the same by its id."""
        job, identity = held.record.id, context.identity
        async with aclosing(self._jobs.watch(job, after=0, identity=identity)) as events:
            async for told in events:
                match told.what:
                    case Begun(record=record):
                        await context.write(read_accepted(record.accepted))
                    case KeptImage(index=index):
                        ready = await self._jobs.image(job, index=index, identity=identity)
                        await context.write(write_event(ready))
                    case Ended(record=record) if record.failure is not None:
                        raise Refused(record.failure.refusal)
                    case Ended(record=record):
                        done = Done(
                            queue_seconds=record.queue_seconds, total_seconds=record.total_seconds
                        )
                        await context.write(write_event(done))
                    case Progress() if is_quiet:
                        continue
                    case event:
                        await context.write(write_event(event))
