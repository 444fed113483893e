# SPDX-License-Identifier: Apache-2.0
"""Handles of detached jobs against a real server, and against one that goes away meanwhile."""

import asyncio
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from tabard import (
    AsyncClient,
    Client,
    DeadlineExceeded,
    InvalidArgument,
    Job,
    JobEvent,
    NotFound,
    Progress,
    Unavailable,
)
from tests.clients.fakes.real_server import real_server


def test_job_is_waited_for_by_id_alone(tmp_path: Path) -> None:
    """Another client, as another process has, gives the images that `generate` would have."""
    with real_server(tmp_path) as server:
        server.publish("acme/ink")
        said: dict[str, Any] = {
            "adapters": "acme/ink@1.0.0",
            "seed": 7,
            "num_images": 2,
            "deterministic": True,
        }
        with Client(server.address) as client:
            begun = client.start("a cat", **said)
        with Client(server.address) as client:
            steps: list[Progress] = []
            job = client.job(begun.id)
            result = job.wait(on_progress=steps.append)
            waited = client.generate("a cat", **said)

            assert [one.content for one in result.images] == [one.content for one in waited.images]
            assert (result.job_id, result.worn) == (begun.id, waited.worn)
            assert result.total_ms > 0
            assert job.status().state == "succeeded"
            assert [one.job_id for one in client.jobs()] == [begun.id]
            assert [type(one.what).__name__ for one in job.events()][-1] == "JobStatus"
            assert job.retry().run == 1
            job.cancel(forget=True)
            with pytest.raises(NotFound):
                job.status()


def test_async_handle_does_the_same(tmp_path: Path) -> None:
    """By the same words."""

    async def walk(address: str) -> None:
        async with AsyncClient(address) as client:
            begun = await client.start("a cat", seed=3)
            job = client.job(begun.id)
            result = await job.wait()
            events = [event async for event in job.events()]

            assert [one.seed for one in result.images] == [3]
            assert (await job.image()).content == result.images[0].content
            assert (await job.status()).is_ended
            assert events[-1].event_id == (await job.cancel()).event_id
            assert (await job.retry()).state == "succeeded"

    with real_server(tmp_path) as server:
        asyncio.run(walk(server.address))


def test_refusal_is_told_at_once(tmp_path: Path) -> None:
    """There is no job then."""
    with real_server(tmp_path) as server, Client(server.address) as client:
        with pytest.raises(InvalidArgument) as refused:
            client.start("a cat", webhook_url="https://127.0.0.1/hook")
        with pytest.raises(NotFound):
            client.start("a cat", adapters="acme/none")
        assert refused.value.reason == "WEBHOOKS_OFF"
        assert client.jobs() == ()


class _Breaking:
    """A client whose watches break off: each gives the events of one list, then fails."""

    def __init__(self, *watches: list[JobEvent]) -> None:
        self._watches = list(watches)
        self.asked: list[int] = []

    def watch_job(
        self, job_id: str, *, after_event_id: int = 0, timeout_seconds: float | None = None
    ) -> Generator[JobEvent, None, None]:
        self.asked.append(after_event_id)
        if not self._watches:
            raise DeadlineExceeded("over") if timeout_seconds else Unavailable("gone")
        yield from self._watches.pop(0)
        raise Unavailable("gone")


def test_waiting_goes_on_behind_the_last_event() -> None:
    """After each broken connection; the time that was said is kept."""
    first = JobEvent(event_id=5, what=Progress(index=0, step=1, steps=9))
    second = JobEvent(event_id=8, what=Progress(index=0, step=2, steps=9))
    client: Any = _Breaking([first], [second])
    steps: list[Progress] = []

    with pytest.raises(DeadlineExceeded, match="not done yet"):
        Job(client, "a").wait(on_progress=steps.append, timeout_seconds=0.4)

    assert client.asked[:3] == [0, 5, 8]
    assert [one.step for one in steps] == [1, 2]
