# SPDX-License-Identifier: Apache-2.0
"""`/api/looks`: what a release shall look like and what it was trained on, by number.

A picture is known by its place alone: whoever votes on pairs may see it, and learns no digest.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel
from starlette.responses import Response

from tabard import AsyncClient, FailedPrecondition, NotFound
from tabard_web.page.errors import FAILURES
from tabard_web.page.visitors import Visitors
from tabard_web.pictures.studio import Studio
from tabard_web.pictures.thumbnails import MEDIA_TYPE
from tabard_web.texts import Text

Kind = Literal["references", "training"]

_PICTURES_MAX = 128
_VERSIONS_MAX = 24
_KEPT_MAX = 64
_PICTURE = {200: {"content": {MEDIA_TYPE: {}}, "description": "The picture."}}


class Looks(BaseModel):
    """What there is.

    Attributes:
        count: How many pictures.
        are_hidden: Whether they are kept as embeddings alone, which nobody sees.
    """

    count: int
    are_hidden: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Album:
    ref: str = ""
    evidence: str = ""
    pictures: tuple[str, ...] = ()
    are_hidden: bool = False


class LooksDoor:
    """Shows references and training pictures."""

    def __init__(self, visitors: Visitors, studio: Studio) -> None:
        self._visitors = visitors
        self._studio = studio
        self._kept: OrderedDict[tuple[str, str, Kind], _Album] = OrderedDict()

    @property
    def router(self) -> APIRouter:
        """The paths."""
        router = APIRouter(prefix="/api/looks", tags=["page"], responses=FAILURES)
        router.add_api_route("", self.looks, methods=["GET"])
        router.add_api_route(
            "/picture",
            self.picture,
            methods=["GET"],
            response_class=Response,
            responses=_PICTURE,  # type: ignore[arg-type]
        )
        return router

    async def looks(self, request: Request, ref: Text, kind: Kind) -> Looks:
        """Say how many pictures stand for a release: its own, or those of one before it."""
        async with self._visitors.client(request) as client:
            album = await _find(client, ref, kind=kind)
        self._keep((self._visitors.token(request), ref, kind), album)
        return Looks(count=len(album.pictures), are_hidden=album.are_hidden)

    async def picture(
        self,
        request: Request,
        ref: Text,
        kind: Kind,
        place: Annotated[int, Query(ge=0, lt=_PICTURES_MAX)],
        pixels: Annotated[int, Query(ge=16, le=1024)] = 512,
    ) -> Response:
        """Give one of them, as a small WebP."""
        key = (self._visitors.token(request), ref, kind)
        async with self._visitors.client(request) as client:
            album = self._kept.get(key) or await _find(client, ref, kind=kind)
            if place >= len(album.pictures):
                raise NotFound(
                    "there is no such picture", reason="EVIDENCE_NOT_FOUND", hint="load it again"
                )
            png = await client.evidence_picture(
                album.ref, evidence=album.evidence, digest=album.pictures[place]
            )
        self._keep(key, album)
        small = await self._studio.small(png, pixels=pixels)
        return Response(small, media_type=MEDIA_TYPE)

    def _keep(self, key: tuple[str, str, Kind], album: _Album) -> None:
        self._kept[key] = album
        self._kept.move_to_end(key)
        while len(self._kept) > _KEPT_MAX:
            self._kept.popitem(last=False)


async def _find(client: AsyncClient, ref: str, *, kind: Kind) -> _Album:
    """Find what was published beside a release, or else beside the newest sound one before it."""
    release = await client.resolve(ref)
    line = await client.get(release.adapter)
    # Releases come by descending version.
    versions = [one.version for one in line.releases]
    start = versions.index(release.version) if release.version in versions else len(versions)
    for one in line.releases[start : start + _VERSIONS_MAX]:
        if one.version != release.version and one.state in ("purged", "quarantined"):
            continue
        found = f"{line.name}@{one.version}"
        try:
            document = await client.evidence_document(found, kind=kind)
        except (NotFound, FailedPrecondition):
            continue
        pictures = tuple(dict.fromkeys(document.document.get("pictures", ())))[:_PICTURES_MAX]
        return _Album(
            ref=found,
            evidence=document.note.digest,
            pictures=pictures,
            are_hidden=not pictures,
        )
    return _Album()
