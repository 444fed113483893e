# SPDX-License-Identifier: Apache-2.0
"""How a detached job is begun: by the message that a call which waits would send."""

import pytest

from tabard import Internal
from tabard.calls.call import Caller
from tabard.calls.jobs import beginning as jobs
from tabard.result import Accepted, Done
from tabard.v1 import generation_service_pb2

CALLER = Caller(actor="alice", new_id=lambda: "fresh")


def test_begun_job_is_a_detached_request() -> None:
    """With an id of its own, so that asking again begins no second one."""
    call = jobs.start(CALLER, "a cat", webhook_url="https://a.example/", namespace="acme", seed=3)

    request = call.request
    assert isinstance(request, generation_service_pb2.GenerateRequest)
    assert (request.detach.webhook_url, request.detach.namespace) == ("https://a.example/", "acme")
    assert (request.prompt, request.seed, request.request_id) == ("a cat", 3, "fresh")


def test_id_is_that_of_the_acceptance() -> None:
    """A server that says none has begun nothing that anybody could wait for."""
    accepted = Accepted(job_id="a1", worn=(), seeds=(1,), registry_seq=0, queue_depth=0)

    assert jobs.accepted_id([accepted]) == "a1"
    with pytest.raises(Internal):
        jobs.accepted_id([Done(queue_ms=0.0, total_ms=0.0)])
