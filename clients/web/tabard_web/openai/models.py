# SPDX-License-Identifier: Apache-2.0
"""`GET /v1/models`: the base, and every style that a channel points to, as the caller sees them."""

from __future__ import annotations

from fastapi import APIRouter

from tabard import NotFound
from tabard_web.caller import Token
from tabard_web.openai.errors import FAILURES
from tabard_web.openai.model_names import Model, ModelList, list_models, read_model, seconds_of
from tabard_web.upstream import Upstream


class ModelsDoor:
    """Lists models, and tells of one."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream

    @property
    def router(self) -> APIRouter:
        """The paths."""
        router = APIRouter(prefix="/v1", tags=["openai"], responses=FAILURES)
        router.add_api_route("/models", self.list_models, methods=["GET"])
        router.add_api_route("/models/{model:path}", self.get_model, methods=["GET"])
        return router

    async def list_models(self, token: Token) -> ModelList:
        """List what may be asked for as `model`; other refs of the same lines may be, too."""
        async with self._upstream.client(token) as client:
            return ModelList(data=list(list_models(await client.list(all_releases=False))))

    async def get_model(self, model: str, token: Token) -> Model:
        """Tell of one model, which may be any ref."""
        async with self._upstream.client(token) as client:
            refs = read_model(model)
            if not refs:
                return next(list_models(()))
            if len(refs) > 1:
                message = "several styles at once are no model that is listed"
                raise NotFound(message, reason="MODEL_UNKNOWN", hint="ask for one of them")
            release = await client.resolve(refs[0])
        return Model(
            id=model,
            created=seconds_of(release.published_at),
            owned_by=release.adapter.partition("/")[0],
        )
