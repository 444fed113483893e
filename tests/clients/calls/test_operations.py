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


def test_replicas_are_values(client: Client) -> None:
    """Ages, intervals and clocks in seconds."""
    found = client.replicas()
    one, other = found.replicas

    assert (found.replica_id, found.registry_seq) == (one.id, 9)
    assert (one.address, one.state, one.registry_seq) == ("10.0.0.1:50051", "serving", 7)
    assert (one.age_seconds, one.interval_seconds, one.is_lost) == (20.0, 60.0, False)
    assert (other.host, other.is_lost, other.clock_ahead_seconds) == ("two", True, -90.0)
    assert (other.registry_lag_seconds, other.version) == (70.0, "0.0.9")


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

    assert bare.memory_plan is None and bare.compiled is None
    told = pb.GetStatusResponse(compiled=pb.Compiled(ready=2, failure="no g++"))
    compiled = operations.read_status(told).compiled
    assert compiled is not None and (compiled.ready, compiled.failure) == (2, "no g++")
    plan = operations.read_status(planned).memory_plan
    assert plan is not None
    assert plan.total_bytes == 5
