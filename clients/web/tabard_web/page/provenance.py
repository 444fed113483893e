# SPDX-License-Identifier: Apache-2.0
"""What a picture says of how it was made, and the same picture made again.

In: the bytes of a picture that somebody dropped on the page. Out: its words; or a comparison.
"""

from __future__ import annotations

import asyncio
import base64
import json
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Body, Request
from pydantic import BaseModel

from tabard_web.gone import unless_gone
from tabard_web.page.errors import FAILURES, PageError, page_failure
from tabard_web.page.visitors import OwnPage, Visitors, require_own_page
from tabard_web.pictures.formats import MEDIA_TYPES
from tabard_web.pictures.studio import Studio

_REPLAYS_MAX = 4
"""Pictures that are made again at once: two of each lie in memory to be compared."""

Picture = Annotated[bytes, Body(media_type="application/octet-stream")]


class Words(BaseModel):
    """What a picture says of itself.

    Attributes:
        provenance: How Tabard made it; None: it says nothing that can be read.
        parameters: A1111's text; may be empty.
        is_replayable: Whether it can be made again: it has a provenance.
    """

    provenance: dict[str, Any] | None
    parameters: str
    is_replayable: bool


class Difference(BaseModel):
    """Something that is not as it was then.

    Attributes:
        name: Where it stands in the provenance.
        then: What the picture says.
        now: What the new one says, or the server.
    """

    name: str
    then: str
    now: str


class Replayed(BaseModel):
    """A picture that was made again.

    Attributes:
        outcome: `same_file`, `same_pixels`, `close`, `different` or `not_drawn`.
        is_faithful: Whether it is the picture again, as far as that was promised.
        differences: What is not as it was then.
        pixels: How far the pixels are apart: `max`, `mean` and `changed`.
        content: The new one, as base64; empty: it was not drawn.
        media_type: What it is written as, like the first one.
        refusal: Why it was not drawn.
    """

    outcome: str
    is_faithful: bool
    differences: list[Difference]
    pixels: dict[str, float] | None
    content: str
    media_type: str
    refusal: PageError | None


class ProvenanceDoor:
    """Reads pictures, and makes them again."""

    def __init__(self, visitors: Visitors, studio: Studio) -> None:
        self._visitors = visitors
        self._studio = studio
        self._replays = asyncio.Semaphore(_REPLAYS_MAX)

    @property
    def router(self) -> APIRouter:
        """The paths."""
        router = APIRouter(prefix="/api", tags=["page"], responses=FAILURES)
        router.add_api_route("/provenance", self.words, methods=["POST"])
        router.add_api_route("/replay", self.replay, methods=["POST"])
        return router

    async def words(self, picture: Picture, request: Request, page: OwnPage) -> Words:
        """Tell what a picture says of itself; nothing is asked of the server."""
        del page
        require_own_page(request)
        said = await self._studio.words(picture)
        provenance = _document(said.get("tabard", ""))
        return Words(
            provenance=provenance,
            parameters=said.get("parameters", ""),
            is_replayable=provenance is not None,
        )

    async def replay(self, picture: Picture, request: Request, page: OwnPage) -> Replayed:
        """Make a picture again from what it says, and say what differs from then."""
        del page
        require_own_page(request)
        await self._studio.require_size(picture)
        async with self._replays, self._visitors.client(request) as client:
            made = await unless_gone(request, client.replay(picture))
        return Replayed(
            outcome=made.outcome,
            is_faithful=made.is_faithful,
            differences=[Difference(**asdict(one)) for one in made.differences],
            pixels=asdict(made.pixels) if made.pixels else None,
            content=base64.b64encode(made.image.content).decode() if made.image else "",
            media_type=MEDIA_TYPES[made.image.format] if made.image else "",
            refusal=PageError(**page_failure(made.refusal)["error"]) if made.refusal else None,
        )


def _document(text: str) -> dict[str, Any] | None:
    """Read what strangers may have written; None: it is no JSON object."""
    try:
        read = json.loads(text) if text else None
        # Also what JSON can be read from, and cannot be written to again.
        json.dumps(read, allow_nan=False, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return None
    return read if isinstance(read, dict) else None
