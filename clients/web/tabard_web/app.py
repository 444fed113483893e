# SPDX-License-Identifier: Apache-2.0
"""The gateway as one ASGI application, put together: the only place where its rooms are built."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Collection

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from tabard import TabardError, __version__
from tabard_web.a1111 import images as a1111_images
from tabard_web.a1111.catalogue import CatalogueDoor
from tabard_web.a1111.errors import a1111_failure
from tabard_web.bounds import Bounds
from tabard_web.failures import Failures
from tabard_web.front.bodies import Bodies
from tabard_web.front.headers import SecurityHeaders
from tabard_web.front.origins import Origins
from tabard_web.health import HealthDoor
from tabard_web.jobs.door import JobsDoor
from tabard_web.openai import images as openai_images
from tabard_web.openai.errors import openai_failure
from tabard_web.openai.models import ModelsDoor
from tabard_web.pictures.studio import Studio
from tabard_web.upstream import Connect, Upstream


def build_app(
    connect: Connect, *, bounds: Bounds | None = None, names: Collection[str] | None = None
) -> ASGIApp:
    """Give the application.

    Args:
        connect: Makes a client of the server for a token.
        bounds: What it takes; left out: the defaults.
        names: The names it is asked under; None: any.
    """
    bounds = bounds or Bounds()
    upstream = Upstream(connect, kept_max=bounds.connections_kept_max)
    failures = Failures({"/sdapi/": a1111_failure}, default=openai_failure)
    app = _doors(upstream, Studio(bounds), failures=failures)
    bounded = Bodies(app, bounds=bounds, failures=failures)
    return SecurityHeaders(Origins(bounded, names=names, failures=failures))


def _doors(upstream: Upstream, studio: Studio, *, failures: Failures) -> FastAPI:
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
    for door in (
        HealthDoor(upstream),
        ModelsDoor(upstream),
        JobsDoor(upstream),
        openai_images.ImagesDoor(upstream, studio),
        a1111_images.ImagesDoor(upstream),
        CatalogueDoor(upstream, studio),
    ):
        app.include_router(door.router)
    return app
