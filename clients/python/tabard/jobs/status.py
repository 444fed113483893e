# SPDX-License-Identifier: Apache-2.0
"""What a server tells of a detached job: how it stands, and what becomes of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tabard.enums import ImageFormat
from tabard.errors import TabardError
from tabard.result import Accepted, GeneratedImage, GenerateResult, Preview, Progress

JobState = Literal["waiting", "running", "succeeded", "failed", "cancelled"]
ENDED: tuple[JobState, ...] = ("succeeded", "failed", "cancelled")


@dataclass(frozen=True, slots=True, kw_only=True)
class JobImage:
    """A finished image of a job, which the server keeps.

    Attributes:
        index: Which image of the job.
        seed: Its seed.
        format: How it is written.
        byte_count: Its size.
        digest: `sha256:…` of its bytes.
    """

    index: int
    seed: int
    format: ImageFormat
    byte_count: int
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobWebhook:
    """Who is told of the end of a job.

    Attributes:
        url: Where.
        state: `waiting`, `delivered` or `failed`.
        attempts: How often it was tried.
        problem: Why the last try failed; empty: it did not.
    """

    url: str
    state: str
    attempts: int
    problem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobStatus:
    """How a job stands.

    Attributes:
        job_id: Its id.
        state: `waiting`, `running`, `succeeded`, `failed` or `cancelled`.
        request_id: Its owner's own id of it.
        created_at: When it was accepted.
        ended_at: When it ended; empty: it has not.
        kept_until: Until when it is kept, if there is room; empty: it has not ended.
        accepted: Its stack, pinned, and its seeds.
        images: Those that are finished.
        progress: How far the others are.
        queue_place: Images that wait before it.
        failure: Why it has not all its images; None: it has, or runs.
        event_id: Id of its newest event.
        webhook: Who is told of its end; None: nobody.
        run: How often it was begun.
        namespace: Whose bucket its images are in; empty: the server keeps them.
        queue_ms: Milliseconds from acceptance to the first step.
        total_ms: Milliseconds from acceptance to the last image.
    """

    job_id: str
    state: JobState
    request_id: str
    created_at: str
    ended_at: str
    kept_until: str
    accepted: Accepted
    images: tuple[JobImage, ...]
    progress: tuple[Progress, ...]
    queue_place: int
    failure: TabardError | None
    event_id: int
    webhook: JobWebhook | None
    run: int
    namespace: str
    queue_ms: float
    total_ms: float

    @property
    def is_ended(self) -> bool:
        """Whether nothing comes any more, unless it is run again."""
        return self.state in ENDED

    def result(self, images: tuple[GeneratedImage, ...]) -> GenerateResult:
        """Give what `generate` would have given."""
        return GenerateResult(
            images=images,
            job_id=self.job_id,
            worn=self.accepted.worn,
            registry_seq=self.accepted.registry_seq,
            queue_ms=self.queue_ms,
            total_ms=self.total_ms,
            trace_id=self.accepted.trace_id,
            warnings=self.accepted.warnings,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class JobEvent:
    """What became of a job, and its id: who watches on says the last one that they know.

    Attributes:
        event_id: Its id; ids rise.
        what: That it was accepted, how far an image is, an image, or its end.
    """

    event_id: int
    what: Accepted | Progress | Preview | JobImage | JobStatus
