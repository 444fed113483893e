# SPDX-License-Identifier: Apache-2.0
"""`POST /api/draw`: images as they are drawn, for the page: progress, rough looks, pictures.

Who closes the answer ends the job. What is refused has a status, and no events.
"""

from __future__ import annotations

import base64
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response, StreamingResponse

from tabard import (
    Accepted,
    Done,
    GeneratedImage,
    GenerateEvent,
    GenerateOptions,
    Preview,
    Progress,
    TabardError,
)
from tabard_web.front.said_once import door
from tabard_web.gone import unless_gone
from tabard_web.options import options_of
from tabard_web.page.errors import FAILURES, page_failure
from tabard_web.page.events import written
from tabard_web.page.visitors import OwnPage, Visitors, require_own_page
from tabard_web.texts import Text

_LOOK_EVERY = 2
_EVENTS = ("accepted", "progress", "preview", "image", "done", "error")
_EVENT = {
    "type": "object",
    "properties": {"event": {"enum": list(_EVENTS)}, "data": {"type": "string"}},
    "required": ["event", "data"],
}
_STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The job as it is drawn; error, if there is one, is the last event.",
        "content": {"text/event-stream": {"schema": _EVENT}},
    }
}


class DrawRequest(BaseModel):
    """What to draw; names are those of the SDK, and what is left out is the server's to say.

    Attributes:
        prompt: What to draw.
        adapters: Refs, each with its weight if it has one.
        negative_prompt: What to keep away from.
        seed: Image i uses `seed + i`; left out: drawn by the server.
        num_images: How many.
        num_inference_steps: Denoise steps.
        guidance_scale: Classifier-free guidance.
        width: Pixels.
        height: Pixels.
        sampler: Short name, or A1111's spelling.
        schedule: Likewise.
        timestep_spacing: `leading`, `trailing` or `linspace`.
        deterministic: Byte-identical files for the same request.
        auto_trigger: Put trigger words in front of the prompt.
    """

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    prompt: Text
    adapters: tuple[Text, ...] = ()
    negative_prompt: Text = ""
    seed: Annotated[int | None, Field(ge=0)] = None
    num_images: Annotated[int | None, Field(ge=1)] = None
    num_inference_steps: Annotated[int | None, Field(ge=1)] = None
    guidance_scale: float | None = None
    width: Annotated[int | None, Field(ge=1)] = None
    height: Annotated[int | None, Field(ge=1)] = None
    sampler: Text = ""
    schedule: Text = ""
    timestep_spacing: Text = ""
    deterministic: bool = False
    auto_trigger: bool = False

    @property
    def options(self) -> GenerateOptions:
        """What the SDK is asked."""
        return options_of(self.model_dump(exclude={"prompt"}))


class DrawingDoor:
    """Draws for the page."""

    def __init__(self, visitors: Visitors) -> None:
        self._visitors = visitors

    @property
    def router(self) -> APIRouter:
        """The path."""
        responses = {**FAILURES, **_STREAM}
        router = door(prefix="/api", tags=["page"], responses=responses)
        router.add_api_route("/draw", self.draw, methods=["POST"], response_class=Response)
        return router

    async def draw(self, asked: DrawRequest, request: Request, page: OwnPage) -> Response:
        """Draw images, and tell how far they are."""
        del page
        require_own_page(request)
        stack = contextlib.AsyncExitStack()
        try:
            client = await stack.enter_async_context(self._visitors.client(request))
            stream = client.stream(asked.prompt, preview_every=_LOOK_EVERY, **asked.options)
            events = await stack.enter_async_context(contextlib.aclosing(stream))
            first = await unless_gone(request, anext(events))
        except BaseException:
            await stack.aclose()
            raise

        async def sent() -> AsyncIterator[bytes]:
            async with stack:
                async for piece in tell(first, events):
                    yield piece

        return StreamingResponse(sent(), media_type="text/event-stream")


async def tell(
    first: GenerateEvent, events: AsyncGenerator[GenerateEvent, None]
) -> AsyncIterator[bytes]:
    """Yield what is sent, event by event; a failure is the last of it."""
    yield written(*_told(first))
    try:
        async for event in events:
            yield written(*_told(event))
    except TabardError as error:
        yield written("error", page_failure(error))


def _told(event: GenerateEvent) -> tuple[str, dict[str, Any]]:
    match event:
        case Accepted():
            return "accepted", asdict(event)
        case Progress():
            return "progress", asdict(event)
        case Preview(index=index, step=step, content=png):
            return "preview", {"index": index, "step": step, "png": _text(png)}
        case GeneratedImage(index=index, seed=seed, content=png):
            return "image", {"index": index, "seed": seed, "png": _text(png)}
        case Done():
            return "done", asdict(event)


def _text(png: bytes) -> str:
    return base64.b64encode(png).decode()
