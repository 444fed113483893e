# SPDX-License-Identifier: Apache-2.0
"""Callers at the door, and what they were told: each request is one `Told` at its end.

In: requests of the script. Out: what came back over gRPC. They cancel in the middle of a stream
when the script says so, and judge nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field

from tabard import AsyncClient, TabardError
from tabard.result import Accepted, Done, GeneratedImage
from tests.interleavings.regions import sent
from tests.interleavings.script import Draw

PATIENCE_SECONDS = 120.0
HASTE_SECONDS = 0.004


@dataclass(slots=True, kw_only=True)
class Told:
    """One request and everything its caller heard.

    Attributes:
        number: Which action of the script.
        drawn: The request.
        seq: The last log position that was acknowledged to anybody before it went out.
        accepted: What was pinned; None when it never got so far.
        images: What arrived.
        is_done: The server said that this was all.
        has_left: The caller went away.
        error: How it failed.
    """

    number: int
    drawn: Draw
    seq: int
    accepted: Accepted | None = None
    images: list[GeneratedImage] = field(default_factory=list)
    is_done: bool = False
    has_left: bool = False
    error: TabardError | None = None


async def play(client: AsyncClient, drawn: Draw, *, number: int, seq: int) -> Told:
    """Send a request and listen, as long as its caller cares."""
    told = Told(number=number, drawn=drawn, seq=seq)
    try:
        if drawn.leaves_after == 0:
            async with asyncio.timeout(HASTE_SECONDS):
                await _listen(client, told)
        else:
            await _listen(client, told)
    except TimeoutError:
        told.has_left = True
    except TabardError as error:
        told.error = error
    return told


async def _listen(client: AsyncClient, told: Told) -> None:
    drawn, heard = told.drawn, 0
    prompts = dict(drawn.region_prompts)
    events = client.stream(
        drawn.prompt,
        negative_prompt=drawn.negative_prompt,
        adapters=[str(ref) for ref in drawn.refs],
        seed=drawn.seed,
        num_inference_steps=drawn.steps,
        guidance_scale=drawn.guidance_scale,
        width=drawn.width,
        height=drawn.height,
        num_images=drawn.images,
        sampler=drawn.sampler,
        deterministic=drawn.is_deterministic,
        preview_every=drawn.preview_every,
        regions=[
            sent(name, prompt=prompts.get(name), size=(drawn.width, drawn.height))
            for name in drawn.named_regions
        ],
        timeout_seconds=drawn.timeout_seconds or PATIENCE_SECONDS,
    )
    async with contextlib.aclosing(events):
        async for event in events:
            heard += 1
            if isinstance(event, Accepted):
                told.accepted = event
            elif isinstance(event, GeneratedImage):
                told.images.append(event)
            told.is_done |= isinstance(event, Done)
            if drawn.leaves_after and heard >= drawn.leaves_after:
                told.has_left = True
                return
