# SPDX-License-Identifier: Apache-2.0
"""Detached jobs as messages: every state, every event, and what is not said stays absent."""

from tabard.v1 import job_service_pb2 as pb
from tabard_server.detached.held import Begun, Ended, Held, Told
from tabard_server.detached.record import Failure, JobState, ended
from tabard_server.error_kinds import refusal_of
from tabard_server.errors import NotServing
from tabard_server.jobs.job import Preview, Progress
from tabard_server.rpc.jobs.messages import _STATES, write_job, write_told
from tests.server.detached.records import done, image, record


def test_every_state_has_its_number() -> None:
    """And none is used twice."""
    assert set(_STATES) == set(JobState)
    assert set(_STATES.values()) == set(pb.JobState.values()) - {pb.JOB_STATE_UNSPECIFIED}


def test_running_job_says_how_far_it_is() -> None:
    """It has no end, and nothing says until when it is kept."""
    held = Held(record(accepted=b"", hook_url="https://example.com/"))
    held.pass_on(Progress(index=1, step=2, steps=3))

    job = write_job(held.record, held=held, queue_place=4)

    assert (job.state, job.queue_place) == (pb.JOB_STATE_RUNNING, 4)
    assert [(one.index, one.step) for one in job.progress] == [(1, 2)]
    assert job.event_id == held.last_event
    assert job.webhook.state == "waiting"
    assert not (job.HasField("ended_at") or job.HasField("failure") or job.HasField("kept_until"))


def test_failure_says_what_its_call_would_have_said() -> None:
    """With the code of gRPC, and when to come back."""
    failure = Failure.of(refusal_of(NotServing("gone", hint="again", retry_seconds=1.5)))
    over = ended(record(accepted=b""), event_id=9, now=5.25, failure=failure)

    job = write_job(over, kept_until=6.0)

    assert (job.failure.code, job.failure.reason) == (14, "NOT_SERVING")
    assert job.failure.retry_delay.ToTimedelta().total_seconds() == 1.5
    assert (job.ended_at.seconds, job.ended_at.nanos) == (5, 250_000_000)
    assert job.kept_until.seconds == 6


def test_every_event_is_written() -> None:
    """Each with its id, and no image with its bytes."""
    over = done(accepted=b"")
    whats = {
        "accepted": Begun(record=over),
        "progress": Progress(index=0, step=1, steps=2),
        "preview": Preview(index=0, step=1, content=b"png"),
        "image": image(),
        "ended": Ended(record=over),
    }
    for number, (name, what) in enumerate(whats.items()):
        written = write_told(Told(id=number, what=what), kept_until=None)
        assert (written.event_id, written.WhichOneof("event")) == (number, name)
