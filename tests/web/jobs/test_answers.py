# SPDX-License-Identifier: Apache-2.0
"""Jobs as JSON, and their events as lines that a browser reads."""

import json

from tabard import (
    Accepted,
    JobEvent,
    JobImage,
    JobStatus,
    JobWebhook,
    Preview,
    Progress,
    Unavailable,
)
from tabard_web.jobs.answers import event_of, job_answer

ACCEPTED = Accepted(job_id="a1", worn=(), seeds=(7,), registry_seq=0, queue_depth=0)
IMAGE = JobImage(index=0, seed=7, format="png", byte_count=9, digest="sha256:aa")


def status() -> JobStatus:
    return JobStatus(
        job_id="a1",
        state="failed",
        request_id="",
        created_at="2026-11-29T12:00:00Z",
        ended_at="2026-11-29T12:00:01Z",
        kept_until="",
        accepted=ACCEPTED,
        images=(IMAGE,),
        progress=(),
        queue_place=0,
        failure=Unavailable("it stopped", reason="SERVER_STOPPED", retry_after_seconds=1.0),
        event_id=9,
        webhook=JobWebhook(url="https://a.example", state="waiting", attempts=0, problem=""),
        run=1,
        namespace="",
        queue_ms=0.0,
        total_ms=0.0,
    )


def test_job_says_why_and_where() -> None:
    """Its failure with when to come back, its image with its path."""
    told = job_answer(status())

    assert told.error is not None
    assert (told.error.reason, told.error.retry_after_seconds) == ("SERVER_STOPPED", 1.0)
    assert told.images[0].url == "/v1/jobs/a1/images/0"
    assert told.webhook is not None


def test_every_event_is_one_block() -> None:
    """With its id; no text can begin another line."""
    whats = {
        "accepted": ACCEPTED,
        "progress": Progress(index=0, step=1, steps=2),
        "preview": Preview(index=0, step=1, content=b"\n\npng"),
        "image": IMAGE,
        "ended": status(),
    }
    for name, what in whats.items():
        lines = event_of(JobEvent(event_id=5, what=what), job_id="a1").decode().split("\n")
        assert lines[:2] == ["id: 5", f"event: {name}"]
        assert json.loads(lines[2].removeprefix("data: "))
        assert lines[3:] == ["", ""]
