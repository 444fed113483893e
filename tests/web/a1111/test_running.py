# SPDX-License-Identifier: Apache-2.0
"""Each caller sees and interrupts what is their own."""

import asyncio

from tabard import GeneratedImage, Preview, Progress
from tabard_web.a1111.running import Running


def test_progress_is_that_of_the_oldest() -> None:
    """Over all its images, with what is left by what the rest took."""
    now = 100.0
    running = Running(lambda: now)
    drawing = running.begin("ann", "txt2img", count=2)
    running.begin("ann", "img2img", count=1)
    now = 130.0
    drawing.feed(GeneratedImage(index=0, seed=1, content=b"", provenance_json="{}"))
    drawing.feed(Progress(index=1, step=5, steps=10))
    drawing.feed(Preview(index=1, step=5, content=b"look"))

    told = running.progress("ann", with_image=True)

    assert (told["progress"], told["eta_relative"]) == (0.75, 10.0)
    assert told["current_image"] == "bG9vaw=="
    state = {name: told["state"][name] for name in ("job", "job_count", "job_no", "sampling_step")}
    assert state == {"job": "txt2img", "job_count": 2, "job_no": 1, "sampling_step": 5}
    assert told["state"]["job_timestamp"] == "19700101000140"
    assert running.progress("ann", with_image=False)["current_image"] is None


def test_progress_of_more_than_anybody_draws() -> None:
    """What will be refused is not walked over by whoever asks meanwhile."""
    running = Running(lambda: 0.0)
    drawing = running.begin("ann", "txt2img", count=1 << 60)
    drawing.feed(Progress(index=0, step=5, steps=10))

    assert running.progress("ann", with_image=False)["progress"] == 0.5 / (1 << 60)


def test_others_see_nothing() -> None:
    """Nor does anybody once it is over."""
    running = Running(lambda: 0.0)
    drawing = running.begin("ann", "txt2img", count=1)

    before = running.progress("ann", with_image=True)["state"]["job_count"]
    other = running.progress("bob", with_image=True)
    running.end("ann", drawing)

    assert (before, other["state"]["job_count"], other["progress"]) == (1, 0, 0.0)
    assert running.progress("ann", with_image=True) == other


def test_interrupt_ends_the_work_of_its_caller() -> None:
    """Nobody else's, and without an error."""

    async def walk() -> tuple[bool, bool]:
        running = Running(lambda: 0.0)
        ann = running.begin("ann", "txt2img", count=1)
        bob = running.begin("bob", "txt2img", count=1)

        async def forever() -> None:
            running.interrupt("ann")
            await asyncio.Event().wait()

        await ann.until_interrupted(forever())
        return ann.is_interrupted, bob.is_interrupted

    assert asyncio.run(walk()) == (True, False)


def test_work_that_is_done_is_done() -> None:
    """Nothing waits for an interruption."""

    async def walk() -> int:
        running = Running(lambda: 0.0)
        await running.begin("ann", "txt2img", count=1).until_interrupted(asyncio.sleep(0))
        return len(asyncio.all_tasks())

    assert asyncio.run(walk()) == 1
