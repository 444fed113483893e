# SPDX-License-Identifier: Apache-2.0
"""The same request id, again: one job whatever breaks, over real gRPC."""

import asyncio
import threading
from pathlib import Path
from typing import Any

import grpc
import pytest

from tabard_registry import StoreUnavailable
from tabard_server.jobs.request_book import RequestBook
from tests.server.fakes import FakeEngine
from tests.server.harness import (
    Request,
    Server,
    read_refusal,
    refs,
    refusal_of,
    serving,
    small_limits,
    until,
)

STEPS = 4


def request(prompt: str = "x", **said: Any) -> Any:
    """Return a request with an id."""
    fields: dict[str, Any] = {"request_id": "once", "seed": 7, "num_inference_steps": STEPS} | said
    return Request(prompt=prompt, **fields)


async def told(call: Any) -> list[Any]:
    """Read a call to its end."""
    return [event async for event in call]


def images(events: list[Any]) -> list[bytes]:
    """Return the files among events."""
    return [event.image.content for event in events if event.HasField("image")]


def drawn(engine: FakeEngine) -> int:
    """Return the steps of all images that were drawn."""
    return sum(map(len, engine.batches))


def waiting(book: RequestBook) -> int:
    """Return how many calls wait for an earlier one to be admitted."""
    return sum(len(entry.settled._waiters) for entry in book._entries.values())


def attached(server: Server, *, running: str) -> float:
    """Return how many calls were given an earlier one's job."""
    registry = server.app.metrics.registry
    found = registry.get_sample_value("tabard_jobs_attached_total", {"running": running})
    return found or 0.0


def test_newest_reader_has_the_job(tmp_path: Path) -> None:
    """Of two calls at once the later one gets everything; the earlier is told so."""
    engine = FakeEngine()
    engine.hold_steps()

    async def walk() -> None:
        async with serving(tmp_path, engine=engine) as server:
            first = aiter(server.generation.Generate(request()))
            accepted = await anext(first)
            second = aiter(server.generation.Generate(request()))
            refusal = await refusal_of(first)
            assert (await anext(second)).accepted == accepted.accepted
            engine.allow(1000)
            events = await told(second)

            assert (refusal.code, refusal.reason) == (grpc.StatusCode.ABORTED, "READ_ELSEWHERE")
            assert len(images(events)) == 1
            assert drawn(engine) == STEPS
            assert not server.app.generation._unread

    asyncio.run(walk())


def test_many_at_once_are_one_job(tmp_path: Path) -> None:
    """Whoever comes while the first is still being admitted waits for it."""
    engine = FakeEngine()

    async def walk() -> None:
        async with serving(tmp_path, engine=engine) as server:

            async def ask() -> list[bytes]:
                try:
                    return images(await told(server.generation.Generate(request())))
                except grpc.aio.AioRpcError as error:
                    assert read_refusal(error).reason == "READ_ELSEWHERE"
                    return []

            generation, gate = server.app.generation, threading.Event()
            held = asyncio.ensure_future(generation._threads.run(gate.wait))
            calls = [asyncio.ensure_future(ask()) for _ in range(12)]
            try:
                await until(lambda: waiting(generation._book) == 11)
            finally:
                gate.set()
            await held
            answers = await asyncio.gather(*calls)

            assert len({png for files in answers for png in files}) == 1
            assert drawn(engine) == STEPS

    asyncio.run(walk())


def test_ended_job_is_given_again(tmp_path: Path) -> None:
    """To the byte, and under the same job id; another request under that id is refused."""
    engine = FakeEngine()

    async def walk() -> None:
        async with serving(tmp_path, engine=engine) as server:
            first = await told(server.generation.Generate(request(num_images=2)))
            await until(lambda: server.app.generation.jobs_left == 0)
            again = await told(server.generation.Generate(request(num_images=2)))
            other = await refusal_of(server.generation.Generate(request("y")))

            assert sorted(images(again)) == sorted(images(first))
            assert again[0] == first[0]
            assert again[-1] == first[-1]
            assert drawn(engine) == 2 * STEPS
            assert (other.code, other.reason) == (
                grpc.StatusCode.ALREADY_EXISTS,
                "REQUEST_ID_REUSED",
            )
            assert attached(server, running="no") == 1

    asyncio.run(walk())


@pytest.mark.parametrize(
    "bound", [{"replay_bytes_max": 1}, {"replay_seconds_max": 0.01}], ids=["bytes", "seconds"]
)
def test_what_is_not_kept_is_not_drawn_again(tmp_path: Path, bound: dict[str, Any]) -> None:
    """Beyond the bounds it is said what became of the job, and no second one begins."""
    engine = FakeEngine()

    async def walk() -> None:
        async with serving(tmp_path, engine=engine, limits=small_limits(**bound)) as server:
            events = await told(server.generation.Generate(request()))
            await until(lambda: server.app.generation._book.kept_bytes == 0)
            refusal = await refusal_of(server.generation.Generate(request()))

            assert refusal.reason == "RESULT_NOT_KEPT"
            assert events[0].accepted.job_id in refusal.message
            assert drawn(engine) == STEPS

    asyncio.run(walk())


def test_window_ends(tmp_path: Path) -> None:
    """After it the id is free again."""
    engine = FakeEngine()
    limits = small_limits(request_window_seconds=0.01, replay_seconds_max=0.01)

    async def walk() -> None:
        async with serving(tmp_path, engine=engine, limits=limits) as server:
            first = await told(server.generation.Generate(request()))
            await asyncio.sleep(0.05)
            second = await told(server.generation.Generate(request()))

            assert first[0].accepted.job_id != second[0].accepted.job_id
            assert drawn(engine) == 2 * STEPS

    asyncio.run(walk())


def test_nobody_came_back(tmp_path: Path) -> None:
    """After the grace the job ends and frees everything; its id says so."""
    engine = FakeEngine()
    engine.hold_steps()
    limits = small_limits(request_grace_seconds=0.05)

    async def walk() -> None:
        async with serving(tmp_path, engine=engine, limits=limits) as server:
            call = server.generation.Generate(request())
            await until(lambda: server.app.loop.running_count == 1)
            call.cancel()
            await until(lambda: server.app.generation.jobs_left == 0)
            refusal = await refusal_of(server.generation.Generate(request()))
            engine.allow(1000)
            await until(lambda: server.app.loop.running_count == 0)

            assert refusal.code is grpc.StatusCode.CANCELLED
            assert server.app.room.depth == 0
            assert not server.app.generation._unread
            assert not server.app.generation._graces

    asyncio.run(walk())


def test_failure_is_given_again(tmp_path: Path) -> None:
    """A job that failed after Accepted is not tried again under its id."""

    async def walk() -> None:
        async with serving(tmp_path) as server:
            await server.publish("acme/ink")
            server.loader.errors = [OSError("disk")]
            said = request(adapters=refs("acme/ink@1.0.0"))
            first = await refusal_of(server.generation.Generate(said))
            await until(lambda: server.app.generation.jobs_left == 0)
            again = aiter(server.generation.Generate(said))
            assert (await anext(again)).HasField("accepted")

            assert await refusal_of(again) == first

    asyncio.run(walk())


def test_refusal_forgets_the_id(tmp_path: Path) -> None:
    """What was refused at the door may be asked again, changed or not."""
    engine = FakeEngine()

    async def walk() -> None:
        async with serving(tmp_path, engine=engine) as server:
            refused = await refusal_of(server.generation.Generate(request(num_images=999)))
            events = await told(server.generation.Generate(request()))

            assert refused.code is grpc.StatusCode.INVALID_ARGUMENT
            assert len(images(events)) == 1

    asyncio.run(walk())


def test_failure_that_asks_to_come_back_is_tried_again(tmp_path: Path) -> None:
    """A store that was away for a moment: the same id draws once it is back, and only then."""
    engine = FakeEngine()

    async def walk() -> None:
        async with serving(tmp_path, engine=engine) as server:
            await server.publish("acme/ink")
            server.loader.errors = [StoreUnavailable("away", reason="STORE_UNAVAILABLE")]
            said = request(adapters=refs("acme/ink@1.0.0"))
            first = await refusal_of(server.generation.Generate(said))
            events = await told(server.generation.Generate(said))

            assert first.retry_seconds is not None
            assert len(images(events)) == 1
            assert drawn(engine) == STEPS

    asyncio.run(walk())


def test_withdrawn_images_are_not_given_again(tmp_path: Path) -> None:
    """Not those of a job that the quarantine ended, though its caller was given them before."""
    engine = FakeEngine()
    engine.hold_steps()

    async def walk() -> None:
        async with serving(
            tmp_path, engine=engine, limits=small_limits(running_rows_max=1)
        ) as server:
            await server.publish("acme/ink")
            said = request(adapters=refs("acme/ink@1.0.0"), num_images=2)
            first = aiter(server.generation.Generate(said))
            engine.allow(STEPS)
            while not (await anext(first)).HasField("image"):
                pass
            await server.quarantine("acme/ink@1.0.0")
            ended = await refusal_of(first)
            await until(lambda: server.app.generation.jobs_left == 0)
            again = await refusal_of(server.generation.Generate(said))
            engine.let_go()

            assert (ended.reason, again.reason) == ("RELEASE_QUARANTINED", "RELEASE_QUARANTINED")
            assert server.app.generation._book.kept_bytes == 0

    asyncio.run(walk())


def test_drain_lets_a_caller_come_back(tmp_path: Path) -> None:
    """What is new is refused; who had a job before has it still."""
    engine = FakeEngine()
    engine.hold_steps()

    async def walk() -> None:
        async with serving(tmp_path, engine=engine) as server:
            first = aiter(server.generation.Generate(request()))
            await anext(first)
            server.app.drain()
            new = await refusal_of(server.generation.Generate(request(request_id="other")))
            second = server.generation.Generate(request())
            engine.let_go()

            assert new.code is grpc.StatusCode.UNAVAILABLE
            assert len(images(await told(second))) == 1
            assert drawn(engine) == STEPS

    asyncio.run(walk())
