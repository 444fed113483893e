# SPDX-License-Identifier: Apache-2.0
"""`GET /api/styles` and `/api/search`: every release line that a visitor may see, in few words."""

from __future__ import annotations

from collections.abc import Iterator

from fastapi import APIRouter, Request
from pydantic import BaseModel

from tabard import Adapter, Release
from tabard_web.page.errors import FAILURES
from tabard_web.page.visitors import Visitors
from tabard_web.texts import Text

DEFAULT_CHANNEL = "stable"
_HITS_MAX = 100


class ChannelCard(BaseModel):
    """Where a channel points.

    Attributes:
        name: The channel.
        version: The release that it points to.
    """

    name: str
    version: str


class StyleCard(BaseModel):
    """A release line.

    Attributes:
        name: `namespace/name`.
        title: What people call it.
        kind: `lora`, `textual_inversion`, `dreambooth` or `recipe`.
        purpose: `concept`, `style`, `subject` or empty.
        shown: The version that the rest is about: of `stable`, else the newest one.
        digest: Its digest.
        state: `live`, `yanked`, `quarantined` or `purged`.
        trigger_words: What wakes it.
        channels: Its channels.
        release_count: How many releases it has.
        changed_at: When the newest was published, as RFC 3339.
    """

    name: str
    title: str
    kind: str
    purpose: str
    shown: str
    digest: str
    state: str
    trigger_words: tuple[str, ...]
    channels: tuple[ChannelCard, ...]
    release_count: int
    changed_at: str


class Hit(BaseModel):
    """A line that has the words.

    Attributes:
        name: `namespace/name`.
        snippet: The words around what was found.
        found_in: What holds them.
    """

    name: str
    snippet: str
    found_in: tuple[str, ...]


class GalleryDoor:
    """Lists and finds lines."""

    def __init__(self, visitors: Visitors) -> None:
        self._visitors = visitors

    @property
    def router(self) -> APIRouter:
        """The paths."""
        router = APIRouter(prefix="/api", tags=["page"], responses=FAILURES)
        router.add_api_route("/styles", self.styles, methods=["GET"])
        router.add_api_route("/search", self.search, methods=["GET"])
        return router

    async def styles(self, request: Request) -> list[StyleCard]:
        """List every line, by name."""
        async with self._visitors.client(request) as client:
            return list(_cards(await client.list()))

    async def search(self, request: Request, words: Text) -> list[Hit]:
        """Find lines that have all the words, the best first."""
        async with self._visitors.client(request) as client:
            found = await client.search(words, limit=_HITS_MAX)
        return [Hit(name=hit.adapter, snippet=hit.snippet, found_in=hit.found_in) for hit in found]


def _cards(lines: tuple[Adapter, ...]) -> Iterator[StyleCard]:
    for line in lines:
        if not line.releases:
            continue
        shown = _shown(line)
        yield StyleCard(
            name=line.name,
            title=shown.title,
            kind=shown.kind,
            purpose=shown.purpose,
            shown=shown.version,
            digest=shown.digest,
            state=shown.state,
            trigger_words=shown.trigger_words,
            channels=tuple(ChannelCard(name=c.name, version=c.version) for c in line.channels),
            release_count=len(line.releases),
            changed_at=max(one.published_at for one in line.releases),
        )


def _shown(line: Adapter) -> Release:
    """Return the release that people are served with, else the newest."""
    served = {one.digest for one in line.channels if one.name == DEFAULT_CHANNEL}
    return next((one for one in line.releases if one.digest in served), line.releases[0])
