# SPDX-License-Identifier: Apache-2.0
"""GenerationService: one request in, the events of its job out.

Converts once on the way in and once on the way out; `generation` does everything between.
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from tabard.v1 import generation_service_pb2, generation_service_pb2_grpc
from tabard_server.jobs.job import Accepted, Event, ImageReady, Job, JobSpec
from tabard_server.rpc.generation.messages import read_request, write_event
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
    ) -> None:
        """Take the walk of a request, and what is told of each image that is sent, at once."""
        self._generate = generate
        self._on_sent = on_sent

    async def Generate(
        self, request: generation_service_pb2.GenerateRequest, context: Context
    ) -> None:
        """Stream the life of one job; a caller that leaves stops it, as `Generation` says."""
        spec = read_request(
            request,
            seconds_left=context.time_remaining(),
            caller=context.caller,
            identity=context.identity,
            traceparent=context.said(TRACEPARENT),
        )
        # Nobody else may hold the request: a picture is let go of once it is read.
        del request
        events_of = self._generate(spec)
        del spec
        job: Job | None = None
        async with aclosing(events_of) as events:
            async for event in events:
                if isinstance(event, Accepted):
                    job = event.job
                elif isinstance(event, ImageReady) and job is not None:
                    self._on_sent(job, event)
                await context.write(write_event(event))
