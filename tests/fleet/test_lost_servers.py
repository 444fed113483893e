# SPDX-License-Identifier: Apache-2.0
"""Hundreds of jobs while servers are killed, drained, renewed: none is lost, doubled or wrong."""

import itertools
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from tabard import Accepted, Client, Done, GeneratedImage, Progress
from tests.fleet.conftest import STACKS, Fleet, await_seq

pytestmark = pytest.mark.fleet

CALLERS = 6
JOBS_MIN = 200
SEEDS = 4
IMAGES = 2
STEPS = 1

Key = tuple[tuple[str, ...], int]


@dataclass(kw_only=True)
class Told:
    """What became of all jobs.

    Attributes:
        images: Each picture, by stack and seed.
        digests: What each stack wore.
        jobs: How many were done.
        runs: How many of them were begun more than once.
        wrong: Everything that may not be.
    """

    images: dict[Key, set[bytes]] = field(default_factory=dict)
    digests: dict[tuple[str, ...], set[tuple[str, ...]]] = field(default_factory=dict)
    jobs: int = 0
    runs: int = 0
    wrong: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


def draw(client: Client, told: Told, stack: tuple[str, ...], seed: int) -> None:
    """Draw one job, and look at everything that was told of it."""
    seen: list[Any] = []
    wanted = {"seed": seed, "num_inference_steps": STEPS, "num_images": IMAGES}
    try:
        for event in client.stream("a cat", adapters=stack, deterministic=True, **wanted):
            seen.append(event)
    except Exception as error:
        with told.lock:
            told.wrong.append(f"lost: {stack} {seed}: {error!r}")
        return
    kinds = Counter(type(one) for one in seen)
    images = {one.index: one.content for one in seen if isinstance(one, GeneratedImage)}
    steps = [(one.index, one.step) for one in seen if isinstance(one, Progress)]
    worn = {tuple(w.digest for w in one.worn) for one in seen if isinstance(one, Accepted)}
    with told.lock:
        told.jobs += 1
        told.runs += kinds[Accepted] > 1
        told.digests.setdefault(stack, set()).update(worn)
        for index, content in images.items():
            told.images.setdefault((stack, seed + index), set()).add(content)
        if (kinds[GeneratedImage], kinds[Done]) != (IMAGES, 1) or len(images) != IMAGES:
            told.wrong.append(f"doubled or missing: {stack} {seed}: {kinds}")
        if len(set(steps)) != len(steps):
            told.wrong.append(f"progress told twice: {stack} {seed}: {steps}")


@contextmanager
def drawing(fleet: Fleet) -> Iterator[Told]:
    """Draw without a pause for the length of a block, and until there were jobs enough."""
    told, over, failed = Told(), threading.Event(), threading.Event()
    numbers = itertools.count()

    def go_on() -> None:
        with Client(fleet.envoy.address, patience_seconds=120) as client:
            while not failed.is_set() and (told.jobs < JOBS_MIN or not over.is_set()):
                number = next(numbers)
                stack, seed = number % len(STACKS), number // len(STACKS) % SEEDS
                draw(client, told, STACKS[stack], 2 * seed)

    with ThreadPoolExecutor(CALLERS) as threads:
        callers = [threads.submit(go_on) for _ in range(CALLERS)]
        try:
            yield told
        except BaseException:
            failed.set()
            raise
        over.set()
        for one in callers:
            one.result()


def test_servers_come_and_go(fleet: Fleet) -> None:
    """A kill, a drain and a renewal of each; every picture is that of a server left in peace."""
    first, second, third = fleet.servers
    with drawing(fleet) as told:
        # On a busy machine a job may end between the look and the kill.
        while not told.runs:
            fleet.envoy.await_call(first.address)
            first.kill()
            fleet.envoy.await_healthy([second.address, third.address])
            first.start()
            fleet.envoy.await_healthy(fleet.addresses)
        with Client(second.address) as operator:
            assert operator.drain(wait_seconds=60).jobs_left == 0
        fleet.envoy.await_healthy([first.address, third.address])
        for server in (second, third, first):
            server.stop()
            server.start()
            fleet.envoy.await_healthy(fleet.addresses)

    calm = Told()
    with Client(first.address) as alone:
        for stack, seed in itertools.product(STACKS, range(0, 2 * SEEDS, 2)):
            draw(alone, calm, stack, seed)
    print(f"{told.jobs} jobs, {told.runs} of them begun again elsewhere")
    assert told.wrong == calm.wrong == []
    assert told.jobs >= JOBS_MIN
    assert told.runs > 0
    assert told.images == calm.images
    assert all(len(pictures) == 1 for pictures in told.images.values())
    assert told.digests == calm.digests


def test_moves_hold_behind_one_address(fleet: Fleet) -> None:
    """Once every server has read of a promotion or a rollback, no job wears anything else."""
    with Client(fleet.envoy.address) as client:
        before = client.resolve("acme/watercolor").version
        wearing: list[tuple[int, str, str]] = []
        phase = itertools.count(1)
        now, over = [0], threading.Event()

        def go_on() -> None:
            while not over.is_set():
                begun = now[0]
                result = client.generate("a cat", adapters="acme/watercolor", num_inference_steps=1)
                drawn = result.images[0].provenance["stack"][0]["digest"]
                assert drawn == result.worn[0].digest
                wearing.append((begun, result.worn[0].version, drawn))

        with ThreadPoolExecutor(4) as threads:
            callers = [threads.submit(go_on) for _ in range(4)]
            try:
                moves = []
                for move in (
                    lambda: client.promote("acme/watercolor@1.1.0", channel="stable"),
                    lambda: client.rollback("acme/watercolor", reason="colours drift"),
                ):
                    moves.append(move())
                    await_seq(fleet, moves[-1].seq)
                    now[0] = next(phase)
                    count = len(wearing)
                    while len(wearing) < count + 30 and not any(one.done() for one in callers):
                        over.wait(0.05)
            finally:
                over.set()
            for one in callers:
                one.result()

    promoted = {version for begun, version, _digest in wearing if begun == 1}
    after = {version for begun, version, _digest in wearing if begun == 2}
    # A job that began before the rollback may wear what was promoted; one that began after may not.
    assert before == "1.0.0"
    assert promoted <= {"1.1.0", "1.0.0"}
    assert "1.1.0" in promoted
    assert after == {"1.0.0"}
