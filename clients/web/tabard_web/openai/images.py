# SPDX-License-Identifier: Apache-2.0
"""`POST /v1/images/generations` and `/edits`: images at once, or as they are drawn."""

from __future__ import annotations

import base64
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from pydantic import BaseModel
from starlette.responses import Response, StreamingResponse

from tabard import (
    AsyncClient,
    Cancelled,
    GenerateEvent,
    GenerateOptions,
    GenerateResult,
    WornRelease,
)
from tabard_web.caller import Token
from tabard_web.front.said_once import door, require_once
from tabard_web.gone import unless_gone
from tabard_web.openai.errors import FAILURES
from tabard_web.openai.events import Kind, Telling, tell
from tabard_web.openai.requests import EditRequest, GenerationRequest
from tabard_web.pictures.studio import Studio
from tabard_web.upstream import Upstream


class Worn(BaseModel):
    """A release that the images wear.

    Attributes:
        ref: As it was asked for.
        adapter: Its line.
        version: Its version.
        digest: Its digest.
        weight: Its weight.
    """

    ref: str
    adapter: str
    version: str
    digest: str
    weight: float


class OpenAIImage(BaseModel):
    """An image.

    Attributes:
        b64_json: Its file, as base64; absent where there is a URL.
        url: Where it is kept for a while; absent where it is here.
        seed: Its seed.
    """

    b64_json: str | None = None
    url: str | None = None
    seed: int


class ImagesAnswer(BaseModel):
    """Images, and what they wear.

    Attributes:
        created: Seconds since 1970.
        background: `opaque`.
        output_format: How the images are written.
        data: The images.
        worn: What every image wears, pinned.
    """

    created: int
    background: str = "opaque"
    output_format: str
    data: list[OpenAIImage]
    worn: list[Worn]


_STREAM: dict[str, Any] = {
    "description": "The images; with stream: true, events as they are drawn.",
    "content": {"text/event-stream": {"schema": {"type": "string"}}},
}


class ImagesDoor:
    """Draws images."""

    def __init__(
        self, upstream: Upstream, studio: Studio, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._upstream = upstream
        self._studio = studio
        self._clock = clock

    @property
    def router(self) -> APIRouter:
        """The paths."""
        responses = {**FAILURES, 200: _STREAM}
        router = door(prefix="/v1/images", tags=["openai"], responses=responses)
        for path, answer in (("/generations", self.generations), ("/edits", self.edits)):
            router.add_api_route(
                path,
                answer,
                methods=["POST"],
                response_model=ImagesAnswer,
                response_model_exclude_none=True,
            )
        return router

    async def generations(self, asked: GenerationRequest, request: Request, token: Token) -> Any:
        """Draw images, wearing what `model` names."""
        return await self._draw(request, asked, asked.options, token, kind="image_generation")

    async def edits(
        self,
        asked: Annotated[EditRequest, Form(media_type="multipart/form-data")],
        request: Request,
        token: Token,
    ) -> Any:
        """Draw a picture anew: all of it, or where its mask is transparent."""
        names = (name for name, _value in (await request.form()).multi_items())
        require_once(names, several=EditRequest.lists())
        options = asked.options
        options["image"] = await asked.picture.read()
        if asked.mask is not None:
            options["mask_image"] = await self._studio.mask(await asked.mask.read())
        return await self._draw(request, asked, options, token, kind="image_edit")

    async def _draw(
        self,
        request: Request,
        asked: GenerationRequest,
        options: GenerateOptions,
        token: str,
        *,
        kind: Kind,
    ) -> ImagesAnswer | Response:
        if asked.stream:
            telling = Telling(
                kind=kind,
                created=int(self._clock()),
                size=asked.size,
                output_format=asked.output_format,
                partial_images=asked.partial_images,
            )
            return await self._stream(request, asked.prompt, options, token, telling=telling)
        async with self._upstream.client(token) as client:
            if asked.response_format == "url":
                return await self._keep(client, request, asked, options)
            result = await unless_gone(request, client.generate(asked.prompt, **options))
        return self._answer(result, asked)

    async def _keep(
        self,
        client: AsyncClient,
        request: Request,
        asked: GenerationRequest,
        options: GenerateOptions,
    ) -> ImagesAnswer:
        """Have the images drawn and kept by the server, and give where they are."""
        job = await unless_gone(request, client.start(asked.prompt, **options))
        try:
            status = await unless_gone(request, job.ended())
        except Cancelled:
            # Its caller has gone, and knows no id to ask for it.
            await job.cancel(forget=True)
            raise
        place = _place_of(request)
        images = [
            OpenAIImage(url=f"{place}/v1/jobs/{job.id}/images/{one.index}", seed=one.seed)
            for one in status.images
        ]
        return self._told(status.accepted.worn, images, kind=asked.output_format)

    def _answer(self, result: GenerateResult, asked: GenerationRequest) -> Response:
        """Write the answer at once: megabytes of images are not checked and walked again."""
        images = [
            OpenAIImage(b64_json=base64.b64encode(one.content).decode(), seed=one.seed)
            for one in result.images
        ]
        told = self._told(result.worn, images, kind=asked.output_format)
        return Response(told.model_dump_json(exclude_none=True), media_type="application/json")

    def _told(
        self, wears: Sequence[WornRelease], images: list[OpenAIImage], *, kind: str
    ) -> ImagesAnswer:
        worn = [
            Worn(
                ref=one.ref,
                adapter=one.adapter,
                version=one.version,
                digest=one.digest,
                weight=one.weight,
            )
            for one in wears
        ]
        return ImagesAnswer(created=int(self._clock()), output_format=kind, data=images, worn=worn)

    async def _stream(
        self,
        request: Request,
        prompt: str,
        options: GenerateOptions,
        token: str,
        *,
        telling: Telling,
    ) -> Response:
        """Answer once the job is admitted: what is refused has a status, and is no event."""
        stack = contextlib.AsyncExitStack()
        try:
            client = await stack.enter_async_context(self._upstream.client(token))
            events = await stack.enter_async_context(
                contextlib.aclosing(_events(client, prompt, options, telling=telling))
            )
            await unless_gone(request, anext(events))
        except BaseException:
            await stack.aclose()
            raise

        async def sent() -> AsyncIterator[bytes]:
            async with stack:
                async for piece in tell(events, telling=telling):
                    yield piece

        return StreamingResponse(sent(), media_type="text/event-stream")


def _place_of(request: Request) -> str:
    """Give the address that the gateway was asked under; a proxy says that it ended TLS."""
    is_by_tls = request.headers.get("x-forwarded-proto", "").lower() == "https"
    base = request.base_url.replace(scheme="https") if is_by_tls else request.base_url
    return str(base).rstrip("/")


def _events(client: AsyncClient, prompt: str, options: GenerateOptions, *, telling: Telling) -> Any:
    # Which looks are told is chosen when they come: only then is it known how many steps there are.
    preview_every = 1 if telling.partial_images else 0
    events: AsyncIterator[GenerateEvent] = client.stream(
        prompt, preview_every=preview_every, **options
    )
    return events
