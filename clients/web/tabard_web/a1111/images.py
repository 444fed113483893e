# SPDX-License-Identifier: Apache-2.0
"""`txt2img`, `img2img`, `progress` and `interrupt`: images, and what becomes of them meanwhile."""

from __future__ import annotations

import base64
import contextlib
import json
import time
from collections.abc import AsyncGenerator, Callable, Hashable, Sequence
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel

from tabard import AsyncClient, GenerateEvent, GenerateOptions
from tabard_web.a1111.errors import FAILURES
from tabard_web.a1111.infotext import tell_images
from tabard_web.a1111.overrides import Overrides, needs_status, read_overrides
from tabard_web.a1111.requests import Img2Img, Txt2Img
from tabard_web.a1111.running import Drawing, Running
from tabard_web.a1111.tags import with_whole_names
from tabard_web.caller import Token
from tabard_web.front.said_once import door
from tabard_web.gone import unless_gone
from tabard_web.upstream import Upstream

_LOOK_EVERY = 10
"""Steps from one look at an unfinished image to the next, as in A1111."""
_LINES_MAX = 200
"""Lines that a plain name is looked for among; those that are called so come first."""


class ImagesAnswer(BaseModel):
    """Images.

    Attributes:
        images: As base64.
        parameters: What was asked for.
        info: How they were made, as JSON in a text.
    """

    images: list[str]
    parameters: dict[str, Any]
    info: str


class ProgressAnswer(BaseModel):
    """How far the caller's oldest request is.

    Attributes:
        progress: From 0 to 1.
        eta_relative: Seconds that are left, by what the rest took.
        state: Images and steps.
        current_image: A rough look, as base64.
        textinfo: Nothing.
    """

    progress: float
    eta_relative: float
    state: dict[str, Any]
    current_image: str | None
    textinfo: str | None


class ImagesDoor:
    """Draws images, and knows how far they are."""

    def __init__(self, upstream: Upstream, *, clock: Callable[[], float] = time.time) -> None:
        self._upstream = upstream
        self._running = Running(clock)

    @property
    def router(self) -> APIRouter:
        """The paths."""
        router = door(prefix="/sdapi/v1", tags=["a1111"], responses=FAILURES)
        router.add_api_route("/txt2img", self.txt2img, methods=["POST"])
        router.add_api_route("/img2img", self.img2img, methods=["POST"])
        router.add_api_route("/progress", self.progress, methods=["GET"])
        router.add_api_route("/interrupt", self.interrupt, methods=["POST"])
        return router

    async def txt2img(self, asked: Txt2Img, request: Request, token: Token) -> ImagesAnswer:
        """Draw images for a prompt."""
        return await self._draw(asked, request, token, job="txt2img")

    async def img2img(self, asked: Img2Img, request: Request, token: Token) -> ImagesAnswer:
        """Draw a picture anew: all of it, or where its mask is white."""
        return await self._draw(asked, request, token, job="img2img")

    async def progress(
        self, request: Request, token: Token, *, skip_current_image: bool = False
    ) -> ProgressAnswer:
        """Tell how far the caller's oldest request is."""
        told = self._running.progress(_caller(request, token), with_image=not skip_current_image)
        return ProgressAnswer(**told)

    async def interrupt(self, request: Request, token: Token) -> dict[str, Any]:
        """End what the caller has drawn; the images that are done are answered."""
        self._running.interrupt(_caller(request, token))
        return {}

    async def _draw(
        self, asked: Txt2Img, request: Request, token: str, *, job: str
    ) -> ImagesAnswer:
        options = asked.options
        caller = _caller(request, token)
        drawing = self._running.begin(caller, job, count=asked.count)
        try:
            async with self._upstream.client(token) as client:
                overrides = await _overrides(client, asked)
                if overrides.clip_skip:
                    options["clip_skip"] = overrides.clip_skip
                options["image_format"] = overrides.picture_format
                work = _collect(client, drawing, asked.prompt, options)
                await unless_gone(request, drawing.until_interrupted(work))
        finally:
            self._running.end(caller, drawing)
        images = [drawing.images[index] for index in sorted(drawing.images)]
        written = [base64.b64encode(one.content).decode() for one in images if asked.send_images]
        return ImagesAnswer(
            images=written, parameters=asked.parameters, info=json.dumps(tell_images(images))
        )


def _caller(request: Request, token: str) -> Hashable:
    """Say who has something drawn: a token, and the machine that it comes from."""
    return token, request.client.host if request.client else ""


async def _overrides(client: AsyncClient, asked: Txt2Img) -> Overrides:
    said = asked.override_settings
    status = await client.status() if needs_status(said) else None
    return read_overrides(said, restored=asked.override_settings_restore_afterwards, status=status)


async def _collect(
    client: AsyncClient, drawing: Drawing, prompt: str, options: GenerateOptions
) -> None:
    async def find(name: str) -> Sequence[str]:
        return [hit.adapter for hit in await client.search(name, limit=_LINES_MAX)]

    whole = await with_whole_names(prompt, find=find)
    events: AsyncGenerator[GenerateEvent, None] = client.stream(
        whole, preview_every=_LOOK_EVERY, **options
    )
    async with contextlib.aclosing(events):
        async for event in events:
            drawing.feed(event)
