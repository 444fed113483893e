# SPDX-License-Identifier: Apache-2.0
"""The application on a real Ray of this machine: two replicas behind HAProxy. `make ray`."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

import grpc
import pytest

from tabard import NotFound
from tabard.v1 import (
    generation_service_pb2,
    generation_service_pb2_grpc,
    operations_service_pb2,
    operations_service_pb2_grpc,
)

if TYPE_CHECKING:
    from tests.deploy.ray.cluster import Cluster

pytestmark = pytest.mark.ray

_CANCELS = 20


@pytest.fixture(scope="module")
def two(cluster: Cluster) -> Cluster:
    """The application with two replicas."""
    cluster.deploy()
    return cluster


def test_images_come_through(two: Cluster) -> None:
    """A picture comes through HAProxy as it was drawn: the same seed is the same bytes."""
    with two.client() as client:
        once, again = (
            client.generate("a red circle", num_inference_steps=3, seed=7, deterministic=True)
            for _ in range(2)
        )

    assert once.images[0].pil.tobytes() == again.images[0].pil.tobytes()


def test_stack_keeps_its_replica(two: Cluster) -> None:
    """Calls with one `tabard-stack` reach one replica, and several of them reach both."""
    with grpc.insecure_channel(two.address) as channel:
        operations = operations_service_pb2_grpc.OperationsServiceStub(channel)
        reached = {
            stack: {_replica(operations, stack=stack) for _ in range(6)}
            for stack in map(str, range(12))
        }

    assert all(len(replicas) == 1 for replicas in reached.values())
    assert len(set.union(*reached.values())) == 2


def test_cancels_are_heard(two: Cluster) -> None:
    """Of twenty jobs that are cancelled right after their first message, none goes on."""
    with grpc.insecure_channel(two.address) as channel:
        stub = generation_service_pb2_grpc.GenerationServiceStub(channel)
        for number in range(_CANCELS):
            call = stub.Generate(_long_request(), metadata=[("tabard-stack", str(number))])
            next(iter(call))
            call.cancel()
        _await_idle(channel)


def test_refusal_says_why(two: Cluster) -> None:
    """An error before the first message has its reason and its hint."""
    with two.client() as client, pytest.raises(NotFound) as refused:
        client.generate("a red circle", adapters=["nobody/nothing"])

    assert refused.value.reason == "ADAPTER_NOT_FOUND"
    assert refused.value.hint


def test_killed_replica_loses_nothing(two: Cluster) -> None:
    """Requests go on elsewhere when a replica is killed: each gives its picture, once."""
    with two.client() as client:
        expected = client.generate(
            "a red circle", num_inference_steps=20, seed=3, deterministic=True
        )
    victim = two.replicas()[0]

    with ThreadPoolExecutor(4) as pool:
        drawn = [pool.submit(_draw, two) for _ in range(16)]
        time.sleep(1.0)
        os.kill(victim, signal.SIGKILL)
        pictures = [one.result() for one in drawn]

    assert pictures == [expected.images[0].pil.tobytes()] * 16
    _await_replicas(two, count=2)
    assert victim not in two.replicas()


def test_update_fails_no_request(two: Cluster) -> None:
    """All replicas are replaced, one after the other, and no request fails meanwhile."""
    before = set(two.replicas())

    with _asked_all_the_time(two) as told:
        two.deploy(settings={"defaults.steps": 4})
        _await_replicas(two, count=2, without=before)

    assert told.failures == []
    assert told.answers > 5


def test_replicas_follow_the_queue(cluster: Cluster) -> None:
    """Work that waits brings a second replica; where none waits, it goes again."""
    cluster.deploy(
        replicas_min=1,
        replicas_max=2,
        queue_work_seconds=1.0,
        upscale_delay_seconds=1.0,
        downscale_delay_seconds=5.0,
    )
    _await_running(cluster, count=1)

    with ThreadPoolExecutor(40) as pool:
        stop = threading.Event()
        try:
            for _ in range(40):
                pool.submit(_keep_drawing, cluster, stop)
            _await_running(cluster, count=2)
        finally:
            stop.set()
    _await_running(cluster, count=1)


class _Told:
    answers = 0

    def __init__(self) -> None:
        self.failures: list[Exception] = []


@contextmanager
def _asked_all_the_time(cluster: Cluster) -> Iterator[_Told]:
    told, stop = _Told(), threading.Event()

    def ask() -> None:
        with cluster.client() as client:
            while not stop.is_set():
                try:
                    client.generate("a red circle", num_inference_steps=3)
                    told.answers += 1
                except Exception as error:
                    told.failures.append(error)

    askers = [threading.Thread(target=ask) for _ in range(3)]
    for asker in askers:
        asker.start()
    try:
        yield told
    finally:
        stop.set()
        for asker in askers:
            asker.join()


def _draw(cluster: Cluster) -> bytes:
    with cluster.client() as client:
        result = client.generate("a red circle", num_inference_steps=20, seed=3, deterministic=True)
    return result.images[0].pil.tobytes()


def _keep_drawing(cluster: Cluster, stop: threading.Event) -> None:
    with cluster.client() as client:
        while not stop.is_set():
            client.generate("a red circle", num_inference_steps=40)


def _replica(operations: operations_service_pb2_grpc.OperationsServiceStub, *, stack: str) -> str:
    """Return the id that the replica which answers has drawn at its start."""
    listed = operations.ListReplicas(
        operations_service_pb2.ListReplicasRequest(), metadata=[("tabard-stack", stack)]
    )
    return str(listed.replica_id)


def _long_request() -> generation_service_pb2.GenerateRequest:
    return generation_service_pb2.GenerateRequest(
        prompt="a red circle", num_inference_steps=150, num_images=8
    )


def _await_idle(channel: grpc.Channel) -> None:
    from tests.deploy.ray.cluster import await_true  # noqa: PLC0415 - it imports no Ray yet

    operations = operations_service_pb2_grpc.OperationsServiceStub(channel)

    def is_idle() -> bool:
        statuses = [
            operations.GetStatus(
                operations_service_pb2.GetStatusRequest(), metadata=[("tabard-stack", str(stack))]
            )
            for stack in range(12)
        ]
        return all(one.rows_running + one.rows_waiting == 0 for one in statuses)

    # Drawn to their ends, these jobs would take many minutes.
    await_true(is_idle, what="jobs that were cancelled go on", seconds=30.0)


def _await_replicas(cluster: Cluster, *, count: int, without: set[int] | None = None) -> None:
    from tests.deploy.ray.cluster import await_true  # noqa: PLC0415

    def are_there() -> bool:
        found = set(cluster.replicas())
        return cluster.running() == count == len(found) and not found & (without or set())

    await_true(are_there, what=f"{count} replicas")


def _await_running(cluster: Cluster, *, count: int) -> None:
    from tests.deploy.ray.cluster import await_true  # noqa: PLC0415

    await_true(lambda: cluster.running() == count, what=f"{count} replicas")
