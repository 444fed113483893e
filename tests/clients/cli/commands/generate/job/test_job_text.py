# SPDX-License-Identifier: Apache-2.0
"""Jobs as people read them, and as JSON."""

import json

from tabard import JobStatus, JobWebhook, Progress, Unavailable
from tabard.cli.commands.generate.job.job_text import document_of, row_of, text_of
from tabard.cli.layout import lines_of
from tabard.cli.output import to_json
from tabard.result import Accepted


def status(**said: object) -> JobStatus:
    usual: dict[str, object] = {
        "job_id": "a1",
        "state": "waiting",
        "request_id": "",
        "created_at": "2026-11-29T12:00:00Z",
        "ended_at": "",
        "kept_until": "",
        "accepted": Accepted(job_id="a1", worn=(), seeds=(1, 2), registry_seq=0, queue_depth=0),
        "images": (),
        "progress": (),
        "queue_place": 3,
        "failure": None,
        "event_id": 1,
        "webhook": None,
        "run": 1,
        "namespace": "",
        "queue_ms": 0.0,
        "total_ms": 0.0,
    }
    return JobStatus(**usual | said)  # type: ignore[arg-type]


def test_failure_is_told_whole() -> None:
    """With what to do, and in JSON by its reason."""
    failure = Unavailable("it stopped", reason="SERVER_STOPPED", hint="run it again")
    failed = status(state="failed", failure=failure)

    told = json.loads(to_json(document_of(failed)))

    assert told["failure"]["reason"] == "SERVER_STOPPED"
    assert told["failure"]["hint"] == "run it again"
    assert len(text_of(failed)) == 1


def test_waiting_job_says_its_place() -> None:
    """And one that runs how far it is; a webhook is told of."""
    hook = JobWebhook(url="https://a.example", state="waiting", attempts=1, problem="status 500")
    running = status(state="running", progress=(Progress(index=0, step=2, steps=9),), webhook=hook)

    assert row_of(status())[1:3] == ("waiting", "0 of 2")
    assert "images before it" in _shown(status())
    assert "image 0: 2 of 9" in _shown(running)
    assert "waiting after 1 tries: status 500" in _shown(running)


def _shown(one: JobStatus) -> str:
    return "\n".join(line for part in text_of(one) for line in lines_of(part, columns=200))
