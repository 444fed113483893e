# SPDX-License-Identifier: Apache-2.0
"""What there is, as A1111 lists it: samplers, schedules, the base, styles, embeddings, options.

Also `png-info`: what a picture says of itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel

from tabard import Adapter, Channel, Release
from tabard_web.a1111.errors import FAILURES
from tabard_web.a1111.infotext import read_parameters
from tabard_web.a1111.overrides import (
    checkpoint_hash,
    checkpoint_name,
    checkpoint_title,
    options_of,
    require_unchanged,
)
from tabard_web.a1111.requests import read_base64
from tabard_web.a1111.samplers import list_samplers, list_schedulers
from tabard_web.caller import Token
from tabard_web.front.said_once import door
from tabard_web.pictures.studio import Studio
from tabard_web.upstream import Upstream

_EMBEDDING = "textual_inversion"
_DEFAULT_CHANNEL = "stable"


class PngInfoRequest(BaseModel):
    """A picture.

    Attributes:
        image: A PNG, JPEG or WebP as base64.
    """

    image: str


class PngInfo(BaseModel):
    """What a picture says of itself.

    Attributes:
        info: A1111's text; empty where there is none.
        items: Every text.
        parameters: The facts of A1111's text.
    """

    info: str
    items: dict[str, str]
    parameters: dict[str, Any]


class CatalogueDoor:
    """Lists what there is."""

    def __init__(self, upstream: Upstream, studio: Studio) -> None:
        self._upstream = upstream
        self._studio = studio

    @property
    def router(self) -> APIRouter:
        """The paths."""
        router = door(prefix="/sdapi/v1", tags=["a1111"], responses=FAILURES)
        for path, answer in (
            ("/samplers", self.samplers),
            ("/schedulers", self.schedulers),
            ("/sd-models", self.sd_models),
            ("/loras", self.loras),
            ("/embeddings", self.embeddings),
            ("/options", self.options),
        ):
            router.add_api_route(path, answer, methods=["GET"])
        router.add_api_route("/options", self.set_options, methods=["POST"])
        router.add_api_route("/png-info", self.png_info, methods=["POST"])
        return router

    async def samplers(self, token: Token) -> list[dict[str, Any]]:
        """List the samplers."""
        async with self._upstream.client(token) as client:
            return list(list_samplers(await client.status()))

    async def schedulers(self, token: Token) -> list[dict[str, Any]]:
        """List the schedules."""
        async with self._upstream.client(token) as client:
            return list(list_schedulers(await client.status()))

    async def sd_models(self, token: Token) -> list[dict[str, Any]]:
        """List the one base."""
        async with self._upstream.client(token) as client:
            status = await client.status()
        name, digits = checkpoint_name(status), checkpoint_hash(status)
        told = {"title": checkpoint_title(status), "model_name": name, "filename": name}
        return [{**told, "hash": digits[:10], "sha256": digits, "config": None}]

    async def loras(self, token: Token) -> list[dict[str, Any]]:
        """List what a tag may name: every channel of every line but embeddings."""
        async with self._upstream.client(token) as client:
            return list(_loras(await client.list(all_releases=False)))

    async def embeddings(self, token: Token) -> dict[str, dict[str, Any]]:
        """List the embeddings by what wears them: a UI puts that into a prompt as it stands."""
        async with self._upstream.client(token) as client:
            lines = list(_channels(await client.list(all_releases=False)))
        loaded = {
            f"embedding:{name}": _embedding(one) for name, one in lines if one.kind == _EMBEDDING
        }
        return {"loaded": loaded, "skipped": {}}

    async def options(self, token: Token) -> dict[str, Any]:
        """Tell the options that hold for everybody."""
        async with self._upstream.client(token) as client:
            return options_of(await client.status())

    async def set_options(self, said: dict[str, Any], token: Token) -> None:
        """Take options that hold already; every other one is refused by name."""
        async with self._upstream.client(token) as client:
            require_unchanged(said, status=await client.status())

    async def png_info(self, asked: PngInfoRequest) -> PngInfo:
        """Tell what a picture says of itself."""
        items = await self._studio.words(read_base64(asked.image, name="image"))
        info = items.get("parameters", "")
        parameters = read_parameters(info) if info else {}
        return PngInfo(info=info, items=items, parameters=parameters)


def _loras(lines: Iterable[Adapter]) -> Iterator[dict[str, Any]]:
    found = [(name, one) for name, one in _channels(lines) if one.kind != _EMBEDDING]
    short = Counter(name.partition("/")[2] for name, _release in found)
    for name, release in found:
        plain = name.partition("/")[2]
        yield {
            "name": name,
            "alias": plain if short[plain] == 1 else name,
            "path": f"{release.adapter}@{release.version}",
            "metadata": {
                "digest": release.digest,
                "kind": release.kind,
                "base_family": release.base_family,
                "title": release.title,
                "trigger_words": list(release.trigger_words),
            },
        }


def _channels(lines: Iterable[Adapter]) -> Iterator[tuple[str, Release]]:
    """Give what a tag may say, and what it means now: the default channel has the bare name."""
    for line in lines:
        releases = {one.digest: one for one in line.releases}
        for channel in line.channels:
            if (release := releases.get(channel.digest)) is not None:
                yield _named(line, channel), release


def _named(line: Adapter, channel: Channel) -> str:
    return line.name if channel.name == _DEFAULT_CHANNEL else f"{line.name}@{channel.name}"


def _embedding(release: Release) -> dict[str, Any]:
    return {
        "step": None,
        "sd_checkpoint": release.base_fingerprint.removeprefix("sha256:")[:10] or None,
        "sd_checkpoint_name": None,
        "shape": None,
        "vectors": release.target_count,
    }
