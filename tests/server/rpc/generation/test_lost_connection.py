# SPDX-License-Identifier: Apache-2.0
"""Both clients and a server process, over a network that breaks: each image is drawn once."""

import asyncio
import contextlib
import json
import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tabard import Accepted, AsyncClient, Client, GeneratedImage, Progress
from tabard.result import GenerateEvent, GenerateResult
from tests.server.harness import read_page
from tests.server.life.server_process import Process, running
from tests.server.rpc.generation.cutting_proxy import CuttingProxy, cutting

STEPS = 4
WANTED: dict[str, Any] = {"seed": 7, "num_images": 3, "num_inference_steps": STEPS}
SETTINGS = {"metrics_listen": "127.0.0.1:0", "limits": {"running_rows_max": 1}}
TOLD = Callable[[Any], None]
ASKS = [
    pytest.param(Client, id="blocking"),
    pytest.param(AsyncClient, id="asyncio"),
]


def server_in(folder: Path) -> Any:
    """Run a server whose steps wait for `allow`; one image is drawn after the other."""
    return running(folder, stuck="steps", settings=SETTINGS)


def allow(server: Process, steps: int) -> None:
    """Let so many steps happen, all told."""
    new = server.folder / "allowed.new"
    new.write_text(str(steps))
    new.replace(server.folder / "allowed")


def metric(server: Process, line: str) -> float:
    """Read one sample of the metrics page; what was never counted is 0."""
    address = json.loads(server.awaited("ready.json").read_text())["metrics_address"]
    for text in read_page(address).splitlines():
        if text.startswith(f"{line} "):
            return float(text.rpartition(" ")[2])
    return 0.0


def attached(server: Process) -> float:
    return metric(server, 'tabard_jobs_attached_total{running="yes"}')


def stream(client: type[Client | AsyncClient], address: str, *, told: TOLD) -> list[GenerateEvent]:
    """Return all events of a job, each told as it comes."""
    seen: list[GenerateEvent] = []

    def note(event: GenerateEvent) -> None:
        seen.append(event)
        told(event)

    async def walk() -> None:
        async with AsyncClient(address) as one:
            async for event in one.stream("x", **WANTED):
                note(event)

    if client is AsyncClient:
        asyncio.run(walk())
    else:
        with Client(address) as one:
            for event in one.stream("x", **WANTED):
                note(event)
    return seen


def generate(client: type[Client | AsyncClient], address: str, *, told: TOLD) -> GenerateResult:
    """Return the result of a job, whose progress is told."""

    async def walk() -> GenerateResult:
        async with AsyncClient(address) as one:
            return await one.generate("x", on_progress=told, **WANTED)

    if client is AsyncClient:
        return asyncio.run(walk())
    with Client(address) as one:
        return one.generate("x", on_progress=told, **WANTED)


@contextlib.contextmanager
def cutting_twice(server: Process, proxy: CuttingProxy) -> Iterator[threading.Event]:
    """Cut once the event is set, and again once the client is back; then let all be drawn.

    Allows the steps of the first image to begin with.
    """
    lost, over = threading.Event(), threading.Event()

    def cut() -> None:
        # A client that gives up ends the waiting, too.
        server.until(lambda: lost.is_set() or over.is_set(), what="no image comes")
        for back in (1, 2):
            proxy.cut()
            server.until(
                lambda back=back: attached(server) == back or over.is_set(),  # type: ignore[misc]
                what="the client does not come back",
            )
        allow(server, 1_000)

    allow(server, STEPS)
    with ThreadPoolExecutor(1) as pool:
        breaking = pool.submit(cut)
        try:
            yield lost
        finally:
            over.set()
        breaking.result()


def drawn_alone(server: Process) -> list[bytes]:
    """Draw the same once more, over a network that holds."""
    with Client(server.address) as client:
        return [image.pil.tobytes() for image in client.generate("x", **WANTED).images]


@pytest.mark.parametrize("client", ASKS)
def test_stream_goes_on_where_it_was(tmp_path: Path, client: type[Client | AsyncClient]) -> None:
    """The same images arrive, each once, and no step is told twice; each was drawn once."""
    with server_in(tmp_path) as server, cutting(server.address) as proxy:
        with cutting_twice(server, proxy) as lost:
            seen = stream(
                client,
                proxy.address,
                told=lambda event: lost.set() if isinstance(event, GeneratedImage) else None,
            )

        assert (type(seen[0]), [type(one) for one in seen].count(Accepted)) == (Accepted, 1)
        # Files are written beside each other, so they may overtake one another.
        images = sorted(
            (one for one in seen if isinstance(one, GeneratedImage)), key=lambda one: one.index
        )
        assert [one.index for one in images] == [0, 1, 2]
        steps = [(one.index, one.step) for one in seen if isinstance(one, Progress)]
        assert steps == sorted(set(steps))
        assert (metric(server, "tabard_images_total"), attached(server)) == (3, 2)
        assert metric(server, 'tabard_jobs_total{outcome="done"}') == 1
        assert [one.pil.tobytes() for one in images] == drawn_alone(server)


@pytest.mark.parametrize("client", ASKS)
def test_result_says_how_often_it_was_asked_for(
    tmp_path: Path, client: type[Client | AsyncClient], caplog: pytest.LogCaptureFixture
) -> None:
    """In `attempts`, and with a line of the log for each break."""
    caplog.set_level(logging.INFO, logger="tabard")
    with server_in(tmp_path) as server, cutting(server.address) as proxy:
        with cutting_twice(server, proxy) as lost:
            result = generate(client, proxy.address, told=lambda _step: lost.set())

        assert (len(result.images), result.attempts) == (3, 3)
        lines = [one.getMessage() for one in caplog.records if one.name == "tabard"]
        assert [line.startswith("not done (CONNECTION_LOST)") for line in lines] == [True, True]
        assert metric(server, "tabard_images_total") == 3


@pytest.mark.parametrize("client", ASKS)
def test_server_that_was_killed_draws_anew(
    tmp_path: Path, client: type[Client | AsyncClient]
) -> None:
    """The next one does not know the job, and draws the same: each image is given once."""
    with (
        server_in(tmp_path / "a") as first,
        server_in(tmp_path / "b") as second,
        cutting(first.address) as proxy,
    ):
        allow(second, 1_000)
        there = second.address

        def told(event: GenerateEvent) -> None:
            if isinstance(event, GeneratedImage) and first.process.poll() is None:
                proxy.target = there
                first.process.kill()

        allow(first, STEPS)
        seen = stream(client, proxy.address, told=told)

        begun = [i for i, one in enumerate(seen) if isinstance(one, Accepted)]
        images = [one.index for one in seen if isinstance(one, GeneratedImage)]
        assert (len(begun), sorted(images)) == (2, [0, 1, 2])
        assert len({one.seeds for one in seen if isinstance(one, Accepted)}) == 1
        assert metric(second, "tabard_images_total") == 3
