# SPDX-License-Identifier: Apache-2.0
"""Which server a request goes to: that of its stack, unless that has too much; and nothing more."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
import pytest

from tabard import Client
from tabard.routing import BASE_METADATA, STACK_METADATA
from tabard.v1 import adapter_pb2, generation_service_pb2, generation_service_pb2_grpc
from tests.fleet.conftest import STACKS, Fleet

pytestmark = pytest.mark.fleet

HOT = 16
WANTED: dict[str, Any] = {"num_inference_steps": 1, "deterministic": True}


@contextmanager
def counting(fleet: Fleet) -> Iterator[dict[str, int]]:
    """Give how many calls each server was given in a block, once it is over."""
    before, found = fleet.envoy.served(), {}
    yield found
    after = fleet.envoy.served()
    found |= {host: after[host] - before[host] for host in after if after[host] > before[host]}


def test_stack_stays_with_a_server(fleet: Fleet) -> None:
    """However often it is asked for, and in whatever order it is written."""
    with Client(fleet.envoy.address) as client:
        homes = []
        for stack in STACKS[:3]:
            with counting(fleet) as found:
                for seed in range(4):
                    client.generate(
                        "a cat", adapters=list(stack)[:: (-1) ** seed], seed=seed, **WANTED
                    )
            homes.append(found)

    assert [list(found.values()) for found in homes] == [[4], [4], [4]]


def test_hot_stack_spills(fleet: Fleet) -> None:
    """What is beyond its share goes to the next server, and draws the same."""
    with Client(fleet.envoy.address) as client, counting(fleet) as found:

        def draw(_number: int) -> bytes:
            result = client.generate("a cat", adapters="acme/neon", seed=3, **WANTED)
            return result.images[0].content

        with ThreadPoolExecutor(HOT) as threads:
            images = set(threads.map(draw, range(HOT)))

    assert len(images) == 1
    assert len(found) > 1
    assert sum(found.values()) == HOT


def test_forged_headers_change_the_server_alone(fleet: Fleet) -> None:
    """Another stack, another base, an order to Envoy: what is drawn is what the request says."""
    with Client(fleet.envoy.address) as client:
        honest = client.generate("a cat", adapters="acme/neon", seed=3, **WANTED)
    request = generation_service_pb2.GenerateRequest(
        prompt="a cat",
        adapters=[adapter_pb2.WeightedRef(ref="acme/neon")],
        seed=3,
        num_inference_steps=1,
        deterministic=True,
    )
    forged = (
        (STACK_METADATA, "0" * 16),
        (BASE_METADATA, "f" * 12),
        ("x-envoy-retry-on", "5xx,cancelled"),
        ("x-envoy-max-retries", "100"),
        ("x-envoy-upstream-rq-timeout-ms", "1"),
        ("x-envoy-original-path", "/tabard.v1.OperationsService/Drain"),
    )

    with counting(fleet) as found, grpc.insecure_channel(fleet.envoy.address) as channel:
        stub = generation_service_pb2_grpc.GenerationServiceStub(channel)
        for _ in range(3):
            events = list(stub.Generate(request, metadata=forged))
            worn = [one.digest for one in events[0].accepted.worn]
            images = [one.image.content for one in events if one.HasField("image")]

            assert worn == [one.digest for one in honest.worn]
            assert images == [honest.images[0].content]

    assert len(found) == 1
