# SPDX-License-Identifier: Apache-2.0
"""The outbox: bounded for progress, faithful for images and ends."""

import asyncio
import threading

import pytest

from tabard_server.errors import JobFailed, ReadElsewhere
from tabard_server.jobs.job import Done, Event, Failed, ImageReady, Progress
from tabard_server.jobs.outbox import Outbox, Reader, bare

DONE = Done(queue_seconds=0.0, total_seconds=0.0)


def image(index: int, png: bytes = b"") -> ImageReady:
    """Return an image event."""
    return ImageReady(index=index, content=png, seed=0, provenance_json="")


def kept_outbox() -> Outbox:
    """Return one of a job that is done and kept, with two images."""
    outbox = Outbox(droppable_max=3, reader_loop=asyncio.get_running_loop(), keeps=True)
    for event in (image(0, b"one"), image(1, b"two"), DONE):
        outbox.put(event)
    return outbox


async def drain(outbox: Outbox) -> list[Event]:
    """Read to the end."""
    return await read(outbox.attach())


async def read(reader: Reader) -> list[Event]:
    """Read to the end."""
    events = [await reader.get()]
    while not isinstance(events[-1], Done | Failed):
        events.append(await reader.get())
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

    assert asyncio.run(outbox.attach().get()) is DONE


def test_new_reader_has_every_image_again() -> None:
    """Of a job that is kept: those that were read, those that were not, and the end, in order."""

    async def walk() -> None:
        outbox = kept_outbox()
        first = outbox.attach()
        await first.get()
        assert (outbox.kept_bytes, outbox.unread_bytes) == (3, 3)

        second = outbox.attach()
        with pytest.raises(ReadElsewhere):
            await first.get()

        assert await read(second) == [image(0, b"one"), image(1, b"two"), DONE]
        assert not first.leave()
        assert second.leave()
        assert (outbox.kept_bytes, outbox.unread_bytes) == (6, 0)
        assert await read(outbox.attach()) == [image(0, b"one"), image(1, b"two"), DONE]

    asyncio.run(walk())


def test_waiting_reader_is_told_to_go() -> None:
    """It does not wait for an event of a job that another reads."""

    async def walk() -> None:
        outbox = Outbox(droppable_max=3, reader_loop=asyncio.get_running_loop(), keeps=True)
        waiting = asyncio.ensure_future(outbox.attach().get())
        await asyncio.sleep(0)
        outbox.attach()
        with pytest.raises(ReadElsewhere):
            await waiting

    asyncio.run(walk())


def test_forgotten_images_are_held_by_nobody() -> None:
    """A reader that is here reads on; without one nothing is taken any more."""

    async def walk() -> None:
        outbox = kept_outbox()
        reader = outbox.attach()
        await reader.get()
        outbox.forget()
        assert await read(reader) == [image(1, b"two"), DONE]
        assert outbox.kept_bytes == 0

        unread = kept_outbox()
        unread.forget()
        unread.put(image(2, b"more"))
        assert (unread.kept_bytes, unread.unread_bytes) == (0, 0)

    asyncio.run(walk())


def test_kept_failure_holds_no_frames() -> None:
    """It says the same, and nothing of where it was raised stays alive."""
    try:
        raise JobFailed("broke", reason="X") from OSError("disk")
    except JobFailed as error:
        copy = bare(error)

    assert (str(copy), getattr(copy, "reason", "")) == ("broke", "X")
    assert (copy.__traceback__, copy.__cause__, copy.__context__) == (None, None, None)
