# SPDX-License-Identifier: Apache-2.0
"""How a job stands: whether it is over, and the result that it comes to."""

from tabard import JobStatus
from tabard.jobs.status import ENDED
from tabard.result import Accepted, GeneratedImage

ACCEPTED = Accepted(job_id="a1", worn=(), seeds=(1,), registry_seq=4, queue_depth=0, trace_id="t")


def status(state: str) -> JobStatus:
    return JobStatus(
        job_id="a1",
        state=state,  # type: ignore[arg-type]
        request_id="",
        created_at="",
        ended_at="",
        kept_until="",
        accepted=ACCEPTED,
        images=(),
        progress=(),
        queue_place=0,
        failure=None,
        event_id=1,
        webhook=None,
        run=1,
        namespace="",
        queue_ms=2.0,
        total_ms=5.0,
    )


def test_end_is_one_of_three() -> None:
    """Whatever is newer than this SDK is no end."""
    assert all(status(state).is_ended for state in ENDED)
    assert not any(status(state).is_ended for state in ("waiting", "running", ""))


def test_result_is_what_generate_gives() -> None:
    """With the times and the stack of the job."""
    image = GeneratedImage(index=0, seed=1, content=b"png", provenance_json="{}")
    result = status("succeeded").result((image,))

    assert (result.images, result.job_id, result.registry_seq) == ((image,), "a1", 4)
    assert (result.queue_ms, result.total_ms, result.trace_id) == (2.0, 5.0, "t")
