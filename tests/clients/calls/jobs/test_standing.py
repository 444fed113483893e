# SPDX-License-Identifier: Apache-2.0
"""The verbs of detached jobs as messages, and their answers as values."""

from google.protobuf.duration_pb2 import Duration

from tabard import InvalidArgument, JobImage, Unavailable
from tabard.calls.call import Caller
from tabard.calls.jobs import standing as jobs
from tabard.v1 import job_service_pb2 as pb

CALLER = Caller(actor="alice", new_id=lambda: "fresh")


def test_failure_is_the_error_that_a_call_would_raise() -> None:
    """By its code, with its reason, and when to come back."""
    failure = pb.JobFailure(
        reason="SERVER_STOPPED", message="gone", code=14, retry_delay=Duration(seconds=1)
    )
    job = jobs.read_job(pb.Job(job_id="a", state=pb.JOB_STATE_FAILED, failure=failure))
    unknown = jobs.read_job(pb.Job(failure=pb.JobFailure(code=3)))

    assert isinstance(job.failure, Unavailable)
    assert (job.failure.reason, job.failure.retry_after_seconds) == ("SERVER_STOPPED", 1.0)
    assert isinstance(unknown.failure, InvalidArgument)
    assert job.is_ended


def test_every_event_is_read() -> None:
    """An image without its bytes among them; what is newer than the SDK is passed over."""
    image = pb.JobImage(
        index=1, seed=8, format="IMAGE_FORMAT_PNG", byte_count=9, digest="sha256:aa"
    )
    event = jobs.read_job_event(pb.WatchJobResponse(event_id=4, image=image))
    ended = jobs.read_job_event(pb.WatchJobResponse(event_id=5, ended=pb.Job(job_id="a")))
    watch = jobs.watch_job(CALLER, "a", after_event_id=3)

    assert event.what == JobImage(index=1, seed=8, format="png", byte_count=9, digest="sha256:aa")
    assert (event.event_id, ended.event_id) == (4, 5)
    assert not watch.knows(pb.WatchJobResponse(event_id=6))
