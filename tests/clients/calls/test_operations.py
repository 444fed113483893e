# SPDX-License-Identifier: Apache-2.0
"""The operator's verbs: what a server is asked, and for how long."""

from datetime import timedelta

import tabard
from tabard import Client
from tabard.calls import operations
from tabard.calls.call import Caller
from tabard.v1 import operations_service_pb2 as pb
from tests.clients.fakes.server import FakeServer

CALLER = Caller(actor="alice", new_id=lambda: "id")


def test_operator_verbs_are_typed(client: Client, stable: tabard.Release) -> None:
    """Status, warm and drain give values."""
    resident = client.warm("acme/watercolor")
    drained = client.drain(wait_seconds=1)
    status = client.status()

    assert (resident.tier, resident.version) == ("host", "1.0.0")
    assert drained.jobs_left == 2
    assert (status.draining, status.samplers, status.device) == (True, ("ddim", "euler"), "cpu")
    assert status.residents == (resident,)


def test_verification_is_a_value(client: Client, server: FakeServer) -> None:
    """What differs is not sound, and so the whole is not."""
    before = client.verify()
    server.state.unet_fingerprint = "sha256:" + "c" * 64
    after = client.verify()

    assert (before.is_sound, after.is_sound, after.seconds) == (True, False, 1.5)
    assert [one.component for one in after.components if not one.is_sound] == ["unet"]


def test_drain_outlives_its_wait() -> None:
    """The deadline leaves the server time to answer after it has waited."""
    call = operations.drain(CALLER, wait_seconds=100)

    assert call.request == pb.DrainRequest(wait=timedelta(seconds=100))
    assert call.timeout_seconds is not None
    assert call.timeout_seconds > 100


def test_optional_messages_are_none() -> None:
    """A plan that nobody made is not a plan of nothing."""
    bare = operations.read_status(pb.GetStatusResponse())
    planned = pb.GetStatusResponse(memory_plan=pb.MemoryPlan(base_bytes=5))

    assert bare.memory_plan is None
    plan = operations.read_status(planned).memory_plan
    assert plan is not None
    assert plan.total_bytes == 5
