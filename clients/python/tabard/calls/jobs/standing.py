# SPDX-License-Identifier: Apache-2.0
"""The verbs of a job that was begun: look at it, watch it, end it, run it again."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import grpc

from tabard.calls.call import Call, Caller, Pages
from tabard.calls.generation import read_accepted, read_image
from tabard.calls.jobs.listing import listed
from tabard.convert import field_value, same_fields
from tabard.errors import TabardError
from tabard.jobs.status import JobEvent, JobImage, JobStatus, JobWebhook
from tabard.result import Accepted, GeneratedImage, Preview, Progress
from tabard.rpc_errors import STATUS_TABLE
from tabard.v1 import job_service_pb2 as pb

T = TypeVar("T")


def job_status(caller: Caller, job_id: str) -> Call[JobStatus]:
    """Give how a job stands.

    Raises:
        NotFound: The caller has no such job, or it is not kept any more.
    """
    return _of_job(
        caller, pb.GetJobRequest(job_id=job_id), read=lambda answer: read_job(answer.job)
    )


def watch_job(
    caller: Caller,
    job_id: str,
    *,
    after_event_id: int = 0,
    timeout_seconds: float | None = None,
) -> Call[JobEvent]:
    """Yield what becomes of a job, behind an event that is known, until its end.

    Of progress and previews only the newest of each image come. A broken connection ends it; go on
    with the last `event_id`, as `job.wait()` does.

    Raises:
        NotFound: The caller has no such job, or it is not kept any more.
    """
    return _of_job(
        caller,
        pb.WatchJobRequest(job_id=job_id, after_event_id=after_event_id),
        read=read_job_event,
        knows=lambda message: message.WhichOneof("event") is not None,
        timeout_seconds=timeout_seconds,
    )


def jobs(caller: Caller, *, limit: int | None = None) -> Pages[JobStatus, tuple[JobStatus, ...]]:
    """Give the caller's jobs, the newest first; at most `limit`.

    Each server keeps jobs of its own. Where the one that answers names others, behind the same
    address, they are asked in turn.
    """
    del caller
    return listed(read_job, limit=limit)


def cancel_job(caller: Caller, job_id: str, *, forget: bool = False) -> Call[JobStatus]:
    """End a job; `forget` keeps nothing of it. One that is over stays as it is.

    Raises:
        NotFound: The caller has no such job, or it is not kept any more.
    """
    return _of_job(
        caller,
        pb.CancelJobRequest(job_id=job_id, forget=forget),
        read=lambda answer: read_job(answer.job),
    )


def retry_job(caller: Caller, job_id: str) -> Call[JobStatus]:
    """Run a job again that ended without all its images: same id, seeds and releases.

    Raises:
        NotFound: The caller has no such job, or it is not kept any more.
        ResourceExhausted: The server is full; see `.retry_after_seconds`.
    """
    return _of_job(
        caller, pb.RetryJobRequest(job_id=job_id), read=lambda answer: read_job(answer.job)
    )


def job_image(caller: Caller, job_id: str, index: int = 0) -> Call[GeneratedImage]:
    """Give a finished image of a job.

    Raises:
        NotFound: It is not finished, or not kept any more.
    """
    return _of_job(
        caller,
        pb.GetJobImageRequest(job_id=job_id, index=index),
        read=lambda answer: read_image(answer.image),
    )


def _of_job(caller: Caller, request: Any, *, read: Callable[[Any], T], **more: Any) -> Call[T]:
    """Give a call about one job: it goes to the server that keeps it, once somebody said which."""
    return Call(
        request=request,
        read=read,
        metadata=caller.servers.metadata(request.job_id),
        on_server=partial(caller.servers.note, request.job_id),
        **more,
    )


def read_job(message: pb.Job) -> JobStatus:
    """Give the value of a job."""
    queued, total = (field_value(message, f"{name}_duration") for name in ("queue", "total"))
    return same_fields(
        JobStatus,
        message,
        accepted=read_accepted(message.accepted),
        images=tuple(same_fields(JobImage, one) for one in message.images),
        progress=tuple(same_fields(Progress, one) for one in message.progress),
        failure=_read_failure(message.failure) if message.HasField("failure") else None,
        webhook=same_fields(JobWebhook, message.webhook) if message.HasField("webhook") else None,
        queue_ms=queued * 1000,
        total_ms=total * 1000,
    )


def read_job_event(message: pb.WatchJobResponse) -> JobEvent:
    """Give the value of an event."""
    what: Accepted | Progress | Preview | JobImage | JobStatus
    match message.WhichOneof("event"):
        case "accepted":
            what = read_accepted(message.accepted)
        case "progress":
            what = same_fields(Progress, message.progress)
        case "preview":
            what = same_fields(Preview, message.preview)
        case "image":
            what = same_fields(JobImage, message.image)
        case _:
            what = read_job(message.ended)
    return JobEvent(event_id=message.event_id, what=what)


def _read_failure(message: pb.JobFailure) -> TabardError:
    codes = {code.value[0]: code for code in grpc.StatusCode}
    code = codes.get(message.code, grpc.StatusCode.UNKNOWN)
    retry = field_value(message, "retry_delay") if message.HasField("retry_delay") else None
    return STATUS_TABLE[code](
        message.message,
        reason=message.reason,
        hint=message.hint,
        status=code.name,
        retry_after_seconds=retry,
    )
