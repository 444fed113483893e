# SPDX-License-Identifier: Apache-2.0
"""Pictures of a request brought to the size that is drawn, with their masks."""

import asyncio
import hashlib
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tabard_server.admission.pictures import PictureReader, PictureReading
from tabard_server.callers.caller import Caller
from tabard_server.engine_port.drawing import WantedDrawing
from tabard_server.engine_port.regions import WantedRegion
from tabard_server.errors import Overloaded
from tabard_server.limits import Limits
from tests.server.drawings import bounds_of
from tests.server.output.made_pictures import encode, picture


@pytest.fixture
def reader() -> PictureReader:
    return PictureReader(bounds=bounds_of(), limits=Limits())


def read(reader: PictureReader, image: Image.Image, **said: Any) -> PictureReading:
    if (mask := said.pop("mask", None)) is not None:
        said["mask_image"] = encode(mask)
    return reader.read_now(WantedDrawing(prompt="x", image=encode(image), **said))


def test_fitting_picture_is_left_alone(reader: PictureReader) -> None:
    """A picture whose size can be drawn keeps every pixel; its file's hash is its name."""
    image = picture(size=(64, 48))

    reading = read(reader, image)

    assert reading.size == (64, 48)
    assert reading.picture is not None
    assert np.array_equal(reading.picture.pixels, np.asarray(image))
    assert reading.picture.sha256 == hashlib.sha256(encode(image)).hexdigest()


@pytest.mark.parametrize(
    ("said", "size"), [({}, (64, 48)), ({"width": 32, "height": 32}, (32, 32))]
)
def test_picture_is_resized_as_diffusers_does(
    reader: PictureReader, said: dict[str, int], size: tuple[int, int]
) -> None:
    """Lanczos, to the size said or to its own rounded down; the sent size is remembered."""
    image = picture(size=(70, 50))

    reading = read(reader, image, **said)

    expected = image.resize(size, resample=Image.Resampling.LANCZOS)
    assert reading.picture is not None
    assert np.array_equal(reading.picture.pixels, np.asarray(expected))
    assert reading.picture.sent_size == (70, 50)


def test_mask_is_resized_along(reader: PictureReader) -> None:
    """A mask goes the way of its picture, and stays grey until the engine halves it."""
    mask = picture("L", size=(70, 50))

    reading = read(reader, picture(size=(70, 50)), mask=mask)

    expected = mask.resize((64, 48), resample=Image.Resampling.LANCZOS)
    assert reading.picture is not None and reading.picture.mask is not None
    assert np.array_equal(reading.picture.mask, np.asarray(expected))
    assert reading.picture.mask_sha256 == hashlib.sha256(encode(mask)).hexdigest()


def test_mask_of_other_size_is_refused(reader: PictureReader) -> None:
    """A mask lies on its picture or it means nothing."""
    reading = read(reader, picture(size=(64, 48)), mask=picture("L", size=(48, 64)))

    (violation,) = reading.violations
    assert (violation.field, violation.reason) == ("mask_image", "MASK_SIZE_DIFFERS")
    assert reading.picture is None


def test_both_files_are_judged(reader: PictureReader) -> None:
    """A broken picture does not hide a broken mask."""
    reading = reader.read_now(WantedDrawing(prompt="x", image=b"no", mask_image=b"neither"))

    assert [violation.field for violation in reading.violations] == ["image", "mask_image"]


def test_nothing_is_resized_to_a_wrong_size(reader: PictureReader) -> None:
    """A size beyond the bounds costs no memory: its violation comes from the bounds."""
    reading = read(reader, picture(), width=1_000_000, height=1_000_000)

    assert (reading.picture, reading.violations) == (None, ())


def test_waiting_pictures_are_bounded() -> None:
    """One more than may wait is told to come back, and the others are read."""
    limits = Limits(picture_reads_max=1, picture_queue_max=2)
    reader = PictureReader(bounds=bounds_of(), limits=limits)
    wanted = WantedDrawing(prompt="x", image=encode(picture(size=(64, 48))))
    callers = [Caller(key) for key in "abcd"]

    async def walk() -> list[object]:
        readings = [reader.read(wanted, caller=caller) for caller in callers]
        return list(await asyncio.gather(*readings, return_exceptions=True))

    *read_, refused = asyncio.run(walk())

    assert all(isinstance(one, PictureReading) and one.picture for one in read_)
    assert isinstance(refused, Overloaded)
    assert (refused.reason, refused.retry_seconds) == ("PICTURE_QUEUE_FULL", 1.0)
    assert isinstance(asyncio.run(reader.read(wanted, caller=callers[0])), PictureReading)
    reader.close()


def test_pictures_of_one_stop_nobody() -> None:
    """However many one caller sends, there is room in the line for the picture of another."""
    limits = Limits(picture_reads_max=1, picture_queue_max=4)
    reader = PictureReader(bounds=bounds_of(), limits=limits)
    wanted = WantedDrawing(prompt="x", image=encode(picture(size=(64, 48))))

    async def walk() -> list[object]:
        readings = [reader.read(wanted, caller=Caller("many")) for _ in range(8)]
        return list(
            await asyncio.gather(
                *readings, reader.read(wanted, caller=Caller("one")), return_exceptions=True
            )
        )

    *many, other = asyncio.run(walk())
    reader.close()

    assert isinstance(other, PictureReading) and other.picture
    refused = [one for one in many if isinstance(one, Overloaded)]
    assert len(refused) == len(many) - 4
    assert {one.reason for one in refused} == {"PICTURE_QUEUE_FULL"}


def masked(reader: PictureReader, *masks: bytes | None, **said: Any) -> PictureReading:
    """Read a request of regions with these masks."""
    regions = tuple(
        WantedRegion(name=f"r{number}", boxes="" if mask else "0,0,1,1", mask=mask)
        for number, mask in enumerate(masks)
    )
    return reader.read_now(WantedDrawing(prompt="x", regions=regions, **said))


def test_masks_of_regions_are_read_without_a_picture(reader: PictureReader) -> None:
    """Grey as they are, by the place of their region; a region of boxes has none."""
    mask = picture("L", size=(64, 48))

    reading = masked(reader, None, encode(mask), encode(mask.convert("RGB")))

    assert reading.violations == () and reading.size is None
    assert sorted(reading.masks) == [1, 2]
    assert np.array_equal(reading.masks[1].pixels, np.asarray(mask))
    assert reading.masks[1].sha256 == hashlib.sha256(encode(mask)).hexdigest()


def test_mask_of_a_region_has_the_size_that_is_drawn(reader: PictureReader) -> None:
    """Not that of the picture that is sent."""
    mask, image = encode(picture("L", size=(32, 32))), encode(picture(size=(64, 48)))

    (violation,) = masked(reader, None, mask, image=image).violations
    assert (violation.field, violation.reason) == ("regions[1].mask", "MASK_SIZE_DIFFERS")
    assert "32x32" in violation.description and "64x48" in violation.description
    assert masked(reader, mask, image=image, width=32, height=32).violations == ()


def test_more_masks_than_may_be_are_not_read() -> None:
    """Whatever they are; the request is refused for their number."""
    few = PictureReader(bounds=bounds_of(), limits=Limits(regions_per_request_max=1))

    assert masked(few, None, b"no picture").violations == ()


def test_all_broken_masks_are_told(reader: PictureReader) -> None:
    """Each by its field."""
    reading = masked(reader, b"no", b"no")

    assert [one.field for one in reading.violations] == ["regions[0].mask", "regions[1].mask"]
