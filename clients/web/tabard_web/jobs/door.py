# SPDX-License-Identifier: Apache-2.0
"""`/v1/jobs`: what is asked is passed on; the gateway holds nothing, so nothing ends with it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Query, Request
from starlette.responses import Response, StreamingResponse

from tabard import InvalidArgument, ResourceExhausted, TabardError
from tabard_web.caller import Token
from tabard_web.front.said_once import door
from tabard_web.gone import unless_gone
from tabard_web.jobs.answers import JobAnswer, JobList, event_of, job_answer, path_of
from tabard_web.jobs.requests import JobRequest
from tabard_web.pictures.formats import MEDIA_TYPES
from tabard_web.upstream import Upstream

JobId = Annotated[str, Path(pattern=r"^[0-9a-f]{1,64}$")]
STREAM_PATH = r"/v1/jobs/[^/]+/events"
"""The paths of streams: they last as long as their jobs, and have a bound of their own."""
_ALIVE_SECONDS = 15.0
_BUSY_SECONDS = 30.0
_ALIVE = b": alive\n\n"
_EVENT_IDS_MAX = 1 << 64


class JobsDoor:
    """Begins jobs, and tells of them."""

    def __init__(
        self,
        upstream: Upstream,
        *,
        failures: Mapping[int | str, Any],
        streams_max: int,
        alive_seconds: float = _ALIVE_SECONDS,
    ) -> None:
        """Take the server, and how streams are bounded.

        Args:
            upstream: The server.
            failures: How its failures are described.
            streams_max: How many streams of events there may be.
            alive_seconds: After how much silence a line is sent: proxies cut off others.
        """
        self._failures = dict(failures)
        self._upstream = upstream
        self._streams_max = streams_max
        self._alive_seconds = alive_seconds
        self._streams = 0
        self._over = asyncio.Event()

    @property
    def router(self) -> APIRouter:
        """The paths."""
        router = door(prefix="/v1/jobs", tags=["jobs"], responses=self._failures)
        router.add_api_route("", self.begin, methods=["POST"], status_code=202)
        router.add_api_route("", self.list_jobs, methods=["GET"])
        router.add_api_route("/{job_id}", self.get_job, methods=["GET"])
        router.add_api_route("/{job_id}", self.cancel, methods=["DELETE"])
        router.add_api_route("/{job_id}/retry", self.retry, methods=["POST"], status_code=202)
        router.add_api_route(
            "/{job_id}/events",
            self.events,
            methods=["GET"],
            response_class=StreamingResponse,
            responses={
                200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}},
                204: {"description": "There is no more."},
            },
        )
        router.add_api_route(
            "/{job_id}/images/{index}",
            self.image,
            methods=["GET"],
            response_class=Response,
            responses={200: {"content": {kind: {} for kind in MEDIA_TYPES.values()}}},
        )
        return router

    def let_go(self) -> None:
        """End all streams: whoever watched comes back with the last event that they know."""
        self._over.set()

    async def begin(
        self, asked: JobRequest, request: Request, response: Response, token: Token
    ) -> JobAnswer:
        """Begin a job; it goes on whatever becomes of the connection."""
        async with self._upstream.client(token) as client:
            job = await unless_gone(
                request,
                client.start(
                    asked.prompt,
                    webhook_url=asked.webhook_url,
                    namespace=asked.namespace,
                    **asked.options,
                ),
            )
            response.headers["Location"] = path_of(job.id)
            return job_answer(await job.status())

    async def list_jobs(
        self, token: Token, limit: Annotated[int, Query(ge=1, le=1_000)] = 100
    ) -> JobList:
        """List the caller's jobs, the newest first."""
        async with self._upstream.client(token) as client:
            found = await client.jobs(limit=limit)
        return JobList(data=[job_answer(one) for one in found])

    async def get_job(self, job_id: JobId, token: Token) -> JobAnswer:
        """Tell how a job stands."""
        async with self._upstream.client(token) as client:
            return job_answer(await client.job_status(job_id))

    async def cancel(self, job_id: JobId, token: Token, *, forget: bool = False) -> JobAnswer:
        """End a job; `forget` keeps nothing of it. One that is over stays as it is."""
        async with self._upstream.client(token) as client:
            return job_answer(await client.cancel_job(job_id, forget=forget))

    async def retry(self, job_id: JobId, token: Token) -> JobAnswer:
        """Run a job again that ended without all its images."""
        async with self._upstream.client(token) as client:
            return job_answer(await client.retry_job(job_id))

    async def image(
        self, job_id: JobId, index: Annotated[int, Path(ge=0, lt=1 << 32)], token: Token
    ) -> Response:
        """Give a finished image."""
        async with self._upstream.client(token) as client:
            image = await client.job_image(job_id, index)
        headers = {"Cache-Control": "private, max-age=3600"}
        return Response(image.content, media_type=MEDIA_TYPES[image.format], headers=headers)

    async def events(
        self,
        job_id: JobId,
        request: Request,
        token: Token,
        last_event_id: Annotated[str, Header()] = "",
    ) -> Response:
        """Tell what becomes of a job, behind the event that the caller knows, until its end."""
        after = _event_id(last_event_id)
        self._refuse_crowd()
        with self._counted():
            # What is refused has a status, and is no event.
            async with self._upstream.client(token) as client:
                status = await unless_gone(request, client.job_status(job_id))
        if status.is_ended and status.event_id <= after:
            # A browser comes back for ever, until it is told that there is no more.
            return Response(status_code=204)

        async def sent() -> AsyncIterator[bytes]:
            # Nothing is held before this begins: it never does for a caller who is gone by now.
            with self._counted():
                async with self._upstream.client(token) as client:
                    events = client.watch_job(job_id, after_event_id=after)
                    async with contextlib.aclosing(events):
                        async for piece in self._told(events, job_id):
                            yield piece

        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(sent(), media_type="text/event-stream", headers=headers)

    def _refuse_crowd(self) -> None:
        if self._streams >= self._streams_max:
            raise ResourceExhausted(
                f"the gateway tells of as many jobs as it may ({self._streams_max})",
                reason="GATEWAY_BUSY",
                hint="wait as Retry-After says, or look at the job now and then",
                retry_after_seconds=_BUSY_SECONDS,
            )

    @contextlib.contextmanager
    def _counted(self) -> Iterator[None]:
        self._streams += 1
        try:
            yield
        finally:
            self._streams -= 1

    async def _told(self, events: Any, job_id: str) -> AsyncIterator[bytes]:
        """Yield events, and a sign of life where there are none for long."""
        following: asyncio.Future[Any] | None = None
        over = asyncio.ensure_future(self._over.wait())
        try:
            while not over.done():
                following = following or asyncio.ensure_future(anext(events))
                await asyncio.wait(
                    {following, over},
                    timeout=self._alive_seconds,
                    return_when=asyncio.FIRST_COMPLETED,
                )
                if not following.done():
                    yield _ALIVE
                    continue
                event, following = following.result(), None
                yield event_of(event, job_id=job_id)
        except (StopAsyncIteration, TabardError):
            # Whoever wants to know more comes back with the last id.
            return
        finally:
            waiting = [one for one in (following, over) if one is not None]
            for one in waiting:
                one.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)


def _event_id(said: str) -> int:
    if not said:
        return 0
    if not said.isascii() or not said.isdigit() or int(said[:21]) >= _EVENT_IDS_MAX:
        raise InvalidArgument(
            "Last-Event-ID is no id of an event",
            reason="FIELD_INVALID",
            hint="send the id of the last event, or leave it out",
        )
    return int(said)
