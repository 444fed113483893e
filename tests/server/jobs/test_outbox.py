# SPDX-License-Identifier: Apache-2.0
"""The outbox: bounded for progress, faithful for images and ends."""

import asyncio
import threading

from tabard_server.jobs.job import Done, Event, ImageReady, Progress
from tabard_server.jobs.outbox import Outbox

DONE = Done(queue_seconds=0.0, total_seconds=0.0)


def image(index: int) -> ImageReady:
    """Return an image event."""
    return ImageReady(index=index, png=b"", seed=0, provenance_json="")


async def drain(outbox: Outbox) -> list[Event]:
    """Read to the end."""
    events = [await outbox.get()]
    while not isinstance(events[-1], Done):
        events.append(await outbox.get())
    return events


def test_slow_reader_loses_only_progress() -> None:
    """Old progress is dropped; images and the end are kept, in order."""

    async def walk() -> list[Event]:
        outbox = Outbox(droppable_max=3, reader_loop=asyncio.get_running_loop())
        for step in range(50):
            outbox.put(Progress(index=0, step=step, steps=50))
            if step % 10 == 0:
                outbox.put(image(step))
        outbox.put(DONE)
        assert outbox.dropped == 47
        return await drain(outbox)

    events = asyncio.run(walk())
    assert [e.index for e in events if isinstance(e, ImageReady)] == [0, 10, 20, 30, 40]
    assert [e.step for e in events if isinstance(e, Progress)] == [47, 48, 49]


def test_nothing_follows_the_end() -> None:
    """What comes after the end is not taken."""

    async def walk() -> list[Event]:
        outbox = Outbox(droppable_max=3, reader_loop=asyncio.get_running_loop())
        outbox.put(DONE)
        outbox.put(image(1))
        return await drain(outbox)

    assert asyncio.run(walk()) == [DONE]


def test_reader_wakes_for_other_threads() -> None:
    """Events of another thread reach a reader that waits."""

    async def walk() -> int:
        outbox = Outbox(droppable_max=1_000, reader_loop=asyncio.get_running_loop())

        def write() -> None:
            for index in range(500):
                outbox.put(image(index))
            outbox.put(DONE)

        thread = threading.Thread(target=write)
        thread.start()
        events = await drain(outbox)
        thread.join()
        return len(events)

    assert asyncio.run(walk()) == 501


def test_closed_reader_hurts_nobody() -> None:
    """Writing to a job whose event loop is gone keeps the event and raises nothing."""
    loop = asyncio.new_event_loop()
    outbox = Outbox(droppable_max=1, reader_loop=loop)
    loop.close()

    outbox.put(DONE)

    assert asyncio.run(outbox.get()) is DONE
