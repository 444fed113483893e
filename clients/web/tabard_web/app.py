# SPDX-License-Identifier: Apache-2.0
"""The gateway as one ASGI application, put together: the only place where its rooms are built."""

from __future__ import annotations

import contextlib
import functools
import re
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from tabard import TabardError, __version__
from tabard_web.a1111 import images as a1111_images
from tabard_web.a1111.catalogue import CatalogueDoor
from tabard_web.a1111.errors import a1111_failure
from tabard_web.bounds import Bounds
from tabard_web.failures import Failures, Shape
from tabard_web.front.bodies import Bodies
from tabard_web.front.headers import SecurityHeaders
from tabard_web.front.origins import Origins
from tabard_web.health import HealthDoor
from tabard_web.jobs import requests as jobs
from tabard_web.jobs.door import STREAM_PATH, JobsDoor
from tabard_web.openai import images as openai_images
from tabard_web.openai.errors import FAILURES, openai_failure
from tabard_web.openai.models import ModelsDoor
from tabard_web.page import events
from tabard_web.page.assembly import Door, PageDoors
from tabard_web.page.assets import VISITS
from tabard_web.page.errors import page_failure
from tabard_web.pictures.studio import Studio
from tabard_web.upstream import Connect, Upstream


class Gateway:
    """The application; `let_go` ends its endless answers, so that a stop need not wait for them."""

    def __init__(self, app: ASGIApp, *, let_go: Callable[[], None]) -> None:
        self._app = app
        self.let_go = let_go

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await self._app(scope, receive, send)


_SHAPES: Mapping[str, Shape] = {
    "/sdapi/": a1111_failure,
    "/api/": page_failure,
    "/page/": page_failure,
    "/v1/jobs": functools.partial(openai_failure, params=jobs.PARAMS),
}
_ENDLESS = re.compile(f"{events.PATH}|{STREAM_PATH}")


def build_app(
    connect: Connect, *, bounds: Bounds | None = None, names: Collection[str] | None = None
) -> Gateway:
    """Give the application.

    Args:
        connect: Makes a client of the server for a token.
        bounds: What it takes; left out: the defaults.
        names: The names it is asked under; None: any.
    """
    bounds = bounds or Bounds()
    upstream = Upstream(connect, kept_max=bounds.connections_kept_max)
    failures = Failures(_SHAPES, default=openai_failure)
    studio = Studio(bounds)
    page = PageDoors(upstream, studio, bounds=bounds)
    jobs_door = JobsDoor(upstream, failures=FAILURES, streams_max=bounds.job_streams_max)
    doors: Sequence[Door] = (
        HealthDoor(upstream),
        ModelsDoor(upstream),
        jobs_door,
        openai_images.ImagesDoor(upstream, studio),
        a1111_images.ImagesDoor(upstream),
        CatalogueDoor(upstream, studio),
        *page.doors,
    )
    app = _routed(doors, upstream=upstream, failures=failures)
    bounded = Bodies(app, bounds=bounds, failures=failures, endless=_ENDLESS)
    fronted = Origins(bounded, names=names, failures=failures, visits=VISITS)

    def let_go() -> None:
        page.let_go()
        jobs_door.let_go()

    return Gateway(SecurityHeaders(fronted), let_go=let_go)


def _routed(doors: Sequence[Door], *, upstream: Upstream, failures: Failures) -> FastAPI:
    @contextlib.asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        await upstream.close()

    app = FastAPI(
        title="Tabard",
        version=__version__,
        description="Images in the styles of a registry, by the APIs that tools already speak.",
        # Their pages load scripts from elsewhere.
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    for kind in (TabardError, RequestValidationError, HTTPException, Exception):
        app.add_exception_handler(kind, failures.on_error)
    for door in doors:
        app.include_router(door.router)
    return app
