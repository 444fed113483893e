# SPDX-License-Identifier: Apache-2.0
"""The files of the page, as they lie in the package: read once, and kept by browsers for good.

All stand below a folder that is named after what is in them, so a page never mixes files of two
versions. Only the page itself is asked for anew, and names that folder.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from importlib.resources.abc import Traversable

from fastapi import APIRouter, Request
from starlette.responses import Response

from tabard import NotFound

PAGE = "index.html"
PLACE = "/page"
VISITS = ("/",)
"""Paths that a link on any site may lead to: they are read, and tell nothing."""
PAGE_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        # Pictures that came within an answer are shown from memory.
        "img-src 'self' blob:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        # No text ever becomes markup, whoever wrote it: browsers refuse the ways to do that.
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
"""What a browser may do with the page."""
MEDIA_TYPES: Mapping[str, str] = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}

_BASE = b"{base}"
_KEPT = "public, max-age=31536000, immutable"
_ASKED_ANEW = "no-cache"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """One file.

    Attributes:
        content: Its bytes.
        media_type: What it is.
        etag: What tells its versions apart.
    """

    content: bytes = field(repr=False)
    media_type: str
    etag: str


class Assets:
    """Serves the page and its files."""

    def __init__(self) -> None:
        found = dict(_read(files("tabard_web.page") / "files"))
        mark = hashlib.sha256()
        for name, content in sorted(found.items()):
            mark.update(f"{name}\0{len(content)}\0".encode() + content)
        self.base = f"{PLACE}/{mark.hexdigest()[:16]}"
        page = found.pop(PAGE).replace(_BASE, self.base.encode())
        self._page = _asset(PAGE, page)
        self._by_path = {
            f"{self.base}/{name}": _asset(name, content) for name, content in found.items()
        }

    @property
    def router(self) -> APIRouter:
        """The paths; they are no part of what OpenAPI describes."""
        router = APIRouter(include_in_schema=False)
        router.add_api_route("/", self.page, methods=["GET", "HEAD"])
        router.add_api_route(PLACE + "/{path:path}", self.file, methods=["GET", "HEAD"])
        return router

    async def page(self, request: Request) -> Response:
        """Give the page."""
        return _answer(self._page, request, kept=_ASKED_ANEW)

    async def file(self, request: Request) -> Response:
        """Give a file of the page, by exactly its path."""
        asset = self._by_path.get(request.scope["path"])
        if asset is None:
            raise NotFound(
                "the page has no such file",
                reason="PATH_UNKNOWN",
                hint="load the page again: it is another version now",
            )
        return _answer(asset, request, kept=_KEPT)


def _answer(asset: Asset, request: Request, *, kept: str) -> Response:
    headers = {"ETag": asset.etag, "Cache-Control": kept, "Content-Security-Policy": PAGE_POLICY}
    if request.headers.get("if-none-match") == asset.etag:
        return Response(status_code=304, headers=headers)
    return Response(asset.content, media_type=asset.media_type, headers=headers)


def _asset(name: str, content: bytes) -> Asset:
    end = "." + name.rpartition(".")[2]
    etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    return Asset(content=content, media_type=MEDIA_TYPES[end], etag=etag)


def _read(folder: Traversable, above: str = "") -> Iterator[tuple[str, bytes]]:
    for one in folder.iterdir():
        name = f"{above}{one.name}"
        if one.is_dir():
            yield from _read(one, f"{name}/")
        elif "." + one.name.rpartition(".")[2] in MEDIA_TYPES:
            yield name, one.read_bytes()
