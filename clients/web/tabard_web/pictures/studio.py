# SPDX-License-Identifier: Apache-2.0
"""Where pictures are read, and masks written anew: in threads, a few at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from tabard.pictures.words import read_words
from tabard_web.bounds import Bounds
from tabard_web.pictures.masks import mask_of
from tabard_web.pictures.thumbnails import require_pixels, thumbnail

T = TypeVar("T")


class Studio:
    """Works on pictures for all doors together."""

    def __init__(self, bounds: Bounds) -> None:
        self._pixels_max = bounds.picture_pixels_max
        self._places = asyncio.Semaphore(bounds.pictures_converted_max)

    async def mask(self, picture: bytes) -> bytes:
        """Give the mask of what is transparent.

        Raises:
            InvalidArgument: There is none.
        """
        return await self._work(lambda: mask_of(picture, pixels_max=self._pixels_max))

    async def small(self, png: bytes, *, pixels: int) -> bytes:
        """Give a small WebP of a PNG.

        Raises:
            InvalidArgument: It cannot be read, or is too large.
        """
        most = self._pixels_max
        return await self._work(lambda: thumbnail(png, pixels=pixels, pixels_max=most))

    async def require_size(self, png: bytes) -> None:
        """See that a PNG is small enough to be worked on.

        Raises:
            InvalidArgument: It cannot be read, or is too large.
        """
        most = self._pixels_max
        await self._work(lambda: require_pixels(png, pixels_max=most))

    async def words(self, picture: bytes) -> dict[str, str]:
        """Give what a picture says of itself.

        Raises:
            InvalidArgument: It is no PNG, JPEG or WebP.
        """
        return await self._work(lambda: read_words(picture))

    async def _work(self, work: Callable[[], T]) -> T:
        async with self._places:
            return await asyncio.to_thread(work)
