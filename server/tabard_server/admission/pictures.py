# SPDX-License-Identifier: Apache-2.0
"""Pictures to begin from: decoded in threads of their own, and brought to the size that is drawn.

In: a request as written. Out: pixels, or a violation for each thing that is wrong with the files.
A request that says both width and height has its picture resized to them; one that says neither is
drawn at the picture's own size, rounded down to what the base can draw. Both are diffusers' rules.
"""

import hashlib
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from tabard_server.admission.bounds.numbers import Bounds
from tabard_server.admission.picture_files import open_picture
from tabard_server.admission.regions.reader import MaskFile, Masks
from tabard_server.callers.caller import Caller
from tabard_server.callers.places import Places, PlacesRule
from tabard_server.engine_port.drawing import Picture, Size, WantedDrawing
from tabard_server.errors import InvalidRequest, Violation, invalid
from tabard_server.limits import Limits
from tabard_server.threads import Threads


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PictureReading:
    """What the files of a request come to.

    Attributes:
        picture: The picture and its mask; None: none was sent, or something is wrong.
        size: What is drawn if the request says no size; None: the base's own.
        masks: Those of regions, by the place of the region.
        violations: What is wrong with the files.
    """

    picture: Picture | None = None
    size: Size | None = None
    masks: Masks = field(default_factory=dict)
    violations: tuple[Violation, ...] = ()


NO_PICTURE = PictureReading()


class PictureReader:
    """Reads the files of requests, so many at once, off the asyncio thread."""

    def __init__(self, *, bounds: Bounds, limits: Limits) -> None:
        """Take what says which sizes can be drawn, and the bounds of files."""
        self._bounds = bounds
        self._limits = limits
        self._threads = Threads("picture", threads_max=limits.picture_reads_max)
        self._places = Places(
            PlacesRule(
                what="pictures",
                setting="picture_queue_max",
                places_max=limits.picture_reads_max,
                share=limits.caller_share_max,
                queue_max=limits.picture_queue_max,
                wait_seconds_max=limits.queue_seconds_max,
                reason="PICTURE_QUEUE_FULL",
                retry_seconds=limits.retry_seconds,
                retry_seconds_min=limits.retry_seconds_min,
            )
        )

    async def read(self, wanted: WantedDrawing, *, caller: Caller) -> PictureReading:
        """Read the files of a request; without a picture there is nothing to wait for.

        Raises:
            Overloaded: Too many wait already, or too many of this caller.
        """
        if not wanted.has_files:
            return NO_PICTURE
        async with self._places.one(caller):
            return await self._threads.run(self.read_now, wanted)

    def read_now(self, wanted: WantedDrawing) -> PictureReading:
        """Read the files of a request in this thread."""
        violations: list[Violation] = []
        image = self._open(wanted.image, field="image", violations=violations)
        mask = self._open(wanted.mask_image, field="mask_image", violations=violations)
        if violations:
            return PictureReading(violations=tuple(violations))
        size = None
        try:
            if image is not None:
                size = self._bounds.size_of_picture(wanted, sent=image.size)
                if mask is not None:
                    _check_mask(mask, image=image)
        except InvalidRequest as error:
            return PictureReading(violations=error.violations)
        drawn = self._bounds.size_of(wanted, size)
        if self._bounds.check_size(wanted, drawn):
            # The request's own size is wrong: it is told so with its other numbers.
            return PictureReading(size=size)
        masks = self._read_masks(wanted, size=drawn, violations=violations)
        if violations:
            return PictureReading(size=size, violations=tuple(violations))
        picture = None if image is None else _fit(wanted, image=image, mask=mask, size=drawn)
        return PictureReading(size=size, picture=picture, masks=masks)

    def close(self) -> None:
        """Read nothing more. Idempotent."""
        self._threads.close()

    def _read_masks(
        self, wanted: WantedDrawing, *, size: Size, violations: list[Violation]
    ) -> Masks:
        """Read the masks of regions; more than there may be are refused unread."""
        masks: dict[int, MaskFile] = {}
        for index, region in enumerate(wanted.regions[: self._limits.regions_per_request_max]):
            name = f"regions[{index}].mask"
            mask = self._open(region.mask, field=name, violations=violations)
            if mask is None or region.mask is None:
                continue
            if mask.size != size:
                violations += _other_size(mask, field=name, size=size).violations
                continue
            masks[index] = MaskFile(
                pixels=np.asarray(mask.convert("L")), sha256=_sha256(region.mask)
            )
        return masks

    def _open(
        self, data: bytes | None, *, field: str, violations: list[Violation]
    ) -> Image.Image | None:
        if data is None:
            return None
        try:
            return open_picture(data, field=field, limits=self._limits)
        except InvalidRequest as error:
            violations += error.violations
            return None


def _check_mask(mask: Image.Image, *, image: Image.Image) -> None:
    if mask.size != image.size:
        raise invalid(
            "mask_image",
            f"mask_image is {mask.width}x{mask.height}, image is {image.width}x{image.height}",
            reason="MASK_SIZE_DIFFERS",
            hint="send a mask of the picture's size; both are resized alike",
        )


def _other_size(mask: Image.Image, *, field: str, size: Size) -> InvalidRequest:
    return invalid(
        field,
        f"{field} is {mask.width}x{mask.height}, and {size[0]}x{size[1]} is drawn",
        reason="MASK_SIZE_DIFFERS",
        hint="send a mask of the size that is drawn, or boxes, which fit every size",
    )


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _fit(
    wanted: WantedDrawing, *, image: Image.Image, mask: Image.Image | None, size: Size
) -> Picture:
    lanczos = Image.Resampling.LANCZOS
    pixels = image.convert("RGB").resize(size, resample=lanczos)
    redrawn = None if mask is None else mask.resize(size, resample=lanczos).convert("L")
    return Picture(
        pixels=np.asarray(pixels),
        sha256=_sha256(wanted.image or b""),
        sent_size=image.size,
        mask=None if redrawn is None else np.asarray(redrawn),
        mask_sha256="" if redrawn is None else _sha256(wanted.mask_image or b""),
    )
