# SPDX-License-Identifier: Apache-2.0
"""A job in memory: watchers are told what is new, of progress only the newest, and never wait."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from tabard_server.detached.held import Begun, Ended, Held
from tabard_server.detached.record import JobState, KeptImage
from tabard_server.errors import JobUnknown
from tabard_server.jobs.job import Preview, Progress
from tests.server.detached.records import done, image, record


def test_late_watcher_has_the_newest_of_each_image() -> None:
    """A thousand steps pile up nowhere."""

    async def walk() -> list[object]:
        held = Held(record())
        for step in range(1_000):
            held.pass_on(Progress(index=step % 2, step=step, steps=1_000))
            held.pass_on(Preview(index=step % 2, step=step, content=b"png"))
        held.become(done(last_event=held.last_event + 1))
        return [told.what async for told in held.watch(after=0)]

    first, *_rest, last = asyncio.run(walk())
    assert isinstance(first, Begun)
    assert isinstance(last, Ended)


def test_watcher_waits_for_what_comes() -> None:
    """It hears of progress, of an image, and of the end, in the order of their ids."""

    async def walk() -> list[object]:
        held = Held(record())
        heard: list[object] = []
        ids: list[int] = []

        async def listen() -> None:
            async for told in held.watch(after=0):
                heard.append(type(told.what))
                ids.append(told.id)

        listening = asyncio.create_task(listen())
        await asyncio.sleep(0)
        held.pass_on(Progress(index=0, step=1, steps=2))
        await asyncio.sleep(0)
        event = held.next_id()
        held.become(record(images=(image(event_id=event),), last_event=event))
        await asyncio.sleep(0)
        over: dict[str, Any] = {
            "state": JobState.SUCCEEDED,
            "ended_at": 2.0,
            "last_event": held.next_id(),
        }
        held.become(replace(held.record, **over))
        await listening
        assert ids == sorted(set(ids))
        return heard

    assert asyncio.run(walk()) == [Begun, Progress, KeptImage, Ended]


def test_watcher_of_a_forgotten_job_is_told() -> None:
    """It does not wait for ever."""

    async def walk() -> None:
        held = Held(record())
        held.vanish()
        with pytest.raises(JobUnknown):
            async for _told in held.watch(after=0):
                pass

    asyncio.run(walk())


def test_finished_image_has_no_progress() -> None:
    """What is told of an unfinished image ends with it."""
    held = Held(record())
    held.pass_on(Progress(index=0, step=1, steps=2))
    held.pass_on(Progress(index=1, step=1, steps=2))
    held.become(record(images=(image(0),)))

    assert [one.index for one in held.progress] == [1]
