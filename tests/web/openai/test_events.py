# SPDX-License-Identifier: Apache-2.0
"""The events of a stream: as many looks as were asked for, then every image, or what failed."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from tabard import GeneratedImage, GenerateEvent, Internal, Preview, Progress, TabardError
from tabard_web.bounds import Bounds
from tabard_web.openai.events import Looks, Telling, tell
from tabard_web.pictures.studio import Studio


def told(
    events: Sequence[GenerateEvent], *, partial_images: int = 0, failure: TabardError | None = None
) -> list[dict[str, Any]]:
    """Give what is sent for the events of a drawing."""
    telling = Telling(
        kind="image_generation",
        created=60,
        size="auto",
        output_format="png",
        quality=100,
        partial_images=partial_images,
    )

    async def drawing() -> AsyncIterator[GenerateEvent]:
        for event in events:
            yield event
        if failure is not None:
            raise failure

    async def walk() -> list[bytes]:
        return [piece async for piece in tell(drawing(), telling=telling, studio=Studio(Bounds()))]

    pieces = [piece.decode() for piece in asyncio.run(walk())]
    read = [json.loads(piece.split("\ndata: ")[1]) for piece in pieces]
    assert [piece.split("\n")[0] for piece in pieces] == [f"event: {one['type']}" for one in read]
    return read


def drawing_of(steps: int) -> list[GenerateEvent]:
    """Give the events of one image, with a look after each step."""
    events: list[GenerateEvent] = []
    for step in range(1, steps + 1):
        events += [
            Progress(index=0, step=step, steps=steps),
            Preview(index=0, step=step, content=b"p"),
        ]
    return [*events, GeneratedImage(index=0, seed=7, content=b"image", provenance_json="{}")]


@pytest.mark.parametrize("wanted", [0, 1, 2, 3])
def test_looks_are_as_many_as_asked_for(wanted: int) -> None:
    """They are numbered, and come before the image."""
    read = told(drawing_of(20), partial_images=wanted)

    assert [one.get("partial_image_index") for one in read] == [*range(wanted), None]
    assert read[-1] == {
        "type": "image_generation.completed",
        "created_at": 60,
        "size": "auto",
        "quality": "auto",
        "background": "opaque",
        "output_format": "png",
        "b64_json": "aW1hZ2U=",
        "image_index": 0,
        "seed": 7,
    }


def test_looks_are_spread_over_the_steps() -> None:
    """Three of twenty steps: after a quarter, a half and three quarters."""
    looks = Looks(wanted=3, steps=20)

    assert [step for step in range(1, 21) if looks.is_due(step)] == [5, 10, 15]


def test_few_steps_have_few_looks() -> None:
    """OpenAI allows fewer than were asked for."""
    looks = Looks(wanted=3, steps=2)

    assert sum(looks.is_due(step) for step in range(1, 3)) == 2


def test_failure_ends_the_stream() -> None:
    """The status was sent long before: the last event says what failed."""
    read = told(drawing_of(1)[:1], failure=Internal("broke", reason="ENGINE_ERROR"))

    assert read[-1]["type"] == "error"
    assert read[-1]["error"]["reason"] == "ENGINE_ERROR"
