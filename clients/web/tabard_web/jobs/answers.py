# SPDX-License-Identifier: Apache-2.0
"""Jobs as JSON, and their events as server-sent events. In: values of the SDK."""

from __future__ import annotations

import base64
import json
from typing import Any

from pydantic import BaseModel

from tabard import (
    Accepted,
    JobEvent,
    JobImage,
    JobStatus,
    JobWebhook,
    Preview,
    Progress,
    TabardError,
)


class Worn(BaseModel):
    """A release that the images wear, pinned."""

    ref: str
    adapter: str
    version: str
    digest: str
    weight: float


class ImageAnswer(BaseModel):
    """A finished image; `url` is a path of this gateway."""

    index: int
    seed: int
    format: str
    byte_count: int
    digest: str
    url: str


class ProgressAnswer(BaseModel):
    """Steps done by one image."""

    index: int
    step: int
    steps: int


class ErrorAnswer(BaseModel):
    """Why a job has not all its images; `retry_after_seconds`: run it again after so long."""

    reason: str
    message: str
    hint: str
    retry_after_seconds: float | None


class WebhookAnswer(BaseModel):
    """Who is told of the end, and what became of that."""

    url: str
    state: str
    attempts: int
    problem: str


class JobAnswer(BaseModel):
    """How a job stands.

    Attributes:
        id: Its id.
        state: `waiting`, `running`, `succeeded`, `failed` or `cancelled`.
        request_id: The caller's own id of it.
        created_at: When it was accepted.
        ended_at: When it ended; empty: it has not.
        kept_until: Until when it is kept.
        seeds: One for each image.
        worn: What every image wears.
        images: Those that are finished.
        progress: How far the others are.
        queue_place: Images that wait before it.
        error: Why it has not all its images.
        event_id: Id of its newest event.
        webhook: Who is told of its end.
        run: How often it was begun.
        namespace: Whose bucket its images are in.
        url: Its path.
    """

    id: str
    state: str
    request_id: str
    created_at: str
    ended_at: str
    kept_until: str
    seeds: list[int]
    worn: list[Worn]
    images: list[ImageAnswer]
    progress: list[ProgressAnswer]
    queue_place: int
    error: ErrorAnswer | None
    event_id: int
    webhook: WebhookAnswer | None
    run: int
    namespace: str
    url: str


class JobList(BaseModel):
    """Jobs, the newest first."""

    data: list[JobAnswer]


def path_of(job_id: str, index: int | None = None) -> str:
    """Give the path of a job, or of an image of it."""
    return f"/v1/jobs/{job_id}" + ("" if index is None else f"/images/{index}")


def job_answer(status: JobStatus) -> JobAnswer:
    """Give a job as it is answered."""
    return JobAnswer(
        id=status.job_id,
        state=status.state,
        request_id=status.request_id,
        created_at=status.created_at,
        ended_at=status.ended_at,
        kept_until=status.kept_until,
        seeds=list(status.accepted.seeds),
        worn=_worn(status.accepted),
        images=[_image(one, status.job_id) for one in status.images],
        progress=[_progress(one) for one in status.progress],
        queue_place=status.queue_place,
        error=_error(status.failure) if status.failure else None,
        event_id=status.event_id,
        webhook=_webhook(status.webhook) if status.webhook else None,
        run=status.run,
        namespace=status.namespace,
        url=path_of(status.job_id),
    )


def event_of(event: JobEvent, *, job_id: str) -> bytes:
    """Give an event as it is sent: its id is what a browser comes back with."""
    name, told = _told(event, job_id)
    data = json.dumps(told, ensure_ascii=True, separators=(",", ":"))
    return f"id: {event.event_id}\nevent: {name}\ndata: {data}\n\n".encode()


def _told(event: JobEvent, job_id: str) -> tuple[str, dict[str, Any]]:
    match event.what:
        case Accepted() as accepted:
            worn = [one.model_dump() for one in _worn(accepted)]
            return "accepted", {"id": job_id, "seeds": list(accepted.seeds), "worn": worn}
        case Progress() as progress:
            return "progress", _progress(progress).model_dump()
        case Preview(index=index, step=step, content=content):
            b64 = base64.b64encode(content).decode()
            return "preview", {"index": index, "step": step, "b64_json": b64}
        case JobImage() as image:
            return "image", _image(image, job_id).model_dump()
        case JobStatus() as status:
            return "ended", job_answer(status).model_dump()


def _image(image: JobImage, job_id: str) -> ImageAnswer:
    return ImageAnswer(
        index=image.index,
        seed=image.seed,
        format=image.format,
        byte_count=image.byte_count,
        digest=image.digest,
        url=path_of(job_id, image.index),
    )


def _progress(progress: Progress) -> ProgressAnswer:
    return ProgressAnswer(index=progress.index, step=progress.step, steps=progress.steps)


def _worn(accepted: Accepted) -> list[Worn]:
    return [
        Worn(
            ref=one.ref,
            adapter=one.adapter,
            version=one.version,
            digest=one.digest,
            weight=one.weight,
        )
        for one in accepted.worn
    ]


def _webhook(hook: JobWebhook) -> WebhookAnswer:
    return WebhookAnswer(
        url=hook.url, state=hook.state, attempts=hook.attempts, problem=hook.problem
    )


def _error(failure: TabardError) -> ErrorAnswer:
    return ErrorAnswer(
        reason=failure.reason,
        message=str(failure),
        hint=failure.hint,
        retry_after_seconds=failure.retry_after_seconds,
    )
