# SPDX-License-Identifier: Apache-2.0
"""The verbs that give handles of detached jobs: begin one, or name it by its id."""

from __future__ import annotations

from typing import Any, Unpack

from tabard.calls.call import Call, Caller
from tabard.calls.generation import stream
from tabard.calls.options import GenerateOptions
from tabard.errors import Internal
from tabard.jobs.handles import Asking, AsyncAsking, AsyncJob, Job
from tabard.result import Accepted, GenerateEvent
from tabard.v1 import generation_service_pb2

START_TIMEOUT_SECONDS = 60.0


def start(
    caller: Caller,
    prompt: str,
    *,
    webhook_url: str = "",
    namespace: str = "",
    timeout_seconds: float = START_TIMEOUT_SECONDS,
    **options: Unpack[GenerateOptions],
) -> Call[GenerateEvent]:
    """Begin a job that goes on without this connection; give its handle.

    Takes what `generate` takes.

    Args:
        caller: Filled in by the client.
        prompt: What to draw.
        webhook_url: Told of its end by a signed POST; an https:// URL.
        namespace: Write its images into the bucket that the server knows of this namespace.
        timeout_seconds: How long its acceptance may take.
        **options: Everything else, each described at `tabard.GenerateOptions`.

    Raises:
        InvalidArgument: Something asked for cannot be; see `.violations`.
        NotFound: An adapter, release or channel does not exist.
        AlreadyExists: The `request_id` stands for another request.
        ResourceExhausted: The server is full; see `.retry_after_seconds`.
    """
    call = stream(caller, prompt, timeout_seconds=timeout_seconds, **options)
    request: Any = call.request
    request.detach.CopyFrom(
        generation_service_pb2.Detach(webhook_url=webhook_url, namespace=namespace)
    )
    return call


def accepted_id(events: list[GenerateEvent]) -> str:
    """Give the id of a job that was begun.

    Raises:
        Internal: The server began none.
    """
    for event in events:
        if isinstance(event, Accepted):
            return event.job_id
    raise Internal(
        "the server did not say which job it began",
        reason="STREAM_INCOMPLETE",
        hint="ask again with the same request_id",
    )


def job(caller: Caller, job_id: str) -> str:
    """Give the handle of a job by its id; the server is not asked yet."""
    del caller
    return job_id


def handle(client: Asking, job_id: str) -> Job:
    """Give the handle of a job."""
    return Job(client, job_id)


def handle_async(client: AsyncAsking, job_id: str) -> AsyncJob:
    """Give the handle of a job, for asyncio."""
    return AsyncJob(client, job_id)
