# SPDX-License-Identifier: Apache-2.0
"""Pictures of releases for the page: covers from their evidence, or drawn when somebody asks.

What was drawn is kept in memory for a while, by the digest of the release, and shown to whoever
the server shows that release.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict
from starlette.responses import Response

from tabard import AsyncClient, EvidenceKind, NotFound, Release
from tabard_web.front.said_once import door
from tabard_web.gone import unless_gone
from tabard_web.page.best_cell import best_picture
from tabard_web.page.errors import FAILURES
from tabard_web.page.review.blindness import can_vote
from tabard_web.page.visitors import OwnPage, Visitors, require_own_page
from tabard_web.pictures.studio import Studio
from tabard_web.pictures.thumbnails import MEDIA_TYPE
from tabard_web.texts import Text

SUBJECT = "a house by a lake"
"""What a cover shows that nobody has drawn before."""

_SEED = 7
_FRESH_SECONDS = 60
_PICTURE = {200: {"content": {MEDIA_TYPE: {}, "image/png": {}}, "description": "The picture."}}

Pixels = Annotated[int, Query(ge=16, le=1024)]


class CoverRequest(BaseModel):
    """Somebody wants to see a release that has no picture.

    Attributes:
        ref: The release.
    """

    model_config = ConfigDict(extra="forbid")

    ref: Text


class CoversDoor:
    """Shows releases."""

    def __init__(self, visitors: Visitors, studio: Studio, *, kept_max: int) -> None:
        """Take who looks, what makes pictures small, and how many that were drawn are kept."""
        self._visitors = visitors
        self._studio = studio
        self._kept_max = kept_max
        self._kept: OrderedDict[str, bytes] = OrderedDict()

    @property
    def router(self) -> APIRouter:
        """The paths."""
        router = door(
            prefix="/api",
            tags=["page"],
            responses={**FAILURES, **_PICTURE},
        )
        for path, answer in (("/cover", self.cover), ("/picture", self.picture)):
            router.add_api_route(path, answer, methods=["GET"], response_class=Response)
        router.add_api_route("/cover", self.draw, methods=["POST"], response_class=Response)
        return router

    async def cover(self, request: Request, ref: Text, pixels: Pixels = 384) -> Response:
        """Give the best picture of a release, small; 404: there is none yet."""
        async with self._visitors.client(request) as client:
            release = await client.resolve(ref)
            png = self._kept.get(release.digest) or await _shown(client, release)
        if release.digest in self._kept:
            self._kept.move_to_end(release.digest)
        return await self._small(png, pixels)

    async def draw(self, asked: CoverRequest, request: Request, page: OwnPage) -> Response:
        """Draw a cover for a release that has none, and give it."""
        del page
        require_own_page(request)
        async with self._visitors.client(request) as client:
            release = await client.resolve(asked.ref)
            work = client.generate(
                SUBJECT,
                adapters=f"{release.adapter}@{release.digest}:1",
                seed=_SEED,
                auto_trigger=True,
                priority="low",
            )
            png = (await unless_gone(request, work)).images[0].content
        self._kept[release.digest] = png
        while len(self._kept) > self._kept_max:
            self._kept.popitem(last=False)
        return await self._small(png, 384)

    async def picture(
        self,
        request: Request,
        ref: Text,
        evidence: Text,
        digest: Text,
        pixels: Pixels | None = None,
    ) -> Response:
        """Give a picture of a document of evidence: the PNG, or a small WebP."""
        async with self._visitors.client(request) as client:
            png = await client.evidence_picture(ref, evidence=evidence, digest=digest)
        if pixels is not None:
            return await self._small(png, pixels)
        return Response(png, media_type="image/png", headers=_fresh())

    async def _small(self, png: bytes, pixels: int) -> Response:
        small = await self._studio.small(png, pixels=pixels)
        return Response(small, media_type=MEDIA_TYPE, headers=_fresh())


async def _shown(client: AsyncClient, release: Release) -> bytes:
    """Return the PNG that shows a release best, of its newest report or of its previews.

    Of the previews alone for those who may still vote on pairs of the report.

    Raises:
        NotFound: Nothing shows it.
    """
    ref = f"{release.adapter}@{release.digest}"
    kinds: tuple[EvidenceKind, ...] = ("report", "previews")
    for kind in kinds[1:] if await can_vote(client, ref) else kinds:
        try:
            found = await client.evidence_document(ref, kind=kind)
        except NotFound:
            continue
        if picture := best_picture(found.document):
            return await client.evidence_picture(ref, evidence=found.note.digest, digest=picture)
    raise NotFound(
        f"there is no picture of {release.adapter} {release.version} yet",
        reason="COVER_MISSING",
        hint="have one drawn, or evaluate the release",
    )


def _fresh() -> dict[str, str]:
    """Let one browser keep a picture for a moment: lists are drawn again whenever one acts."""
    return {"Cache-Control": f"private, max-age={_FRESH_SECONDS}"}
