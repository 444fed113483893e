# SPDX-License-Identifier: Apache-2.0
"""A mask by transparency becomes one by brightness; whatever else is sent is refused."""

import io
from typing import Any

import pytest
from PIL import Image

from tabard import InvalidArgument
from tabard_web.pictures.masks import mask_of

PIXELS_MAX = 64 * 64


def file_of(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    sink = io.BytesIO()
    image.save(sink, format=kind, **options)
    return sink.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_transparent_is_white(kind: str) -> None:
    """Where nothing is, the picture is drawn anew; half of it is half of it."""
    image = Image.new("RGBA", (3, 1), (9, 9, 9, 255))
    image.putpixel((1, 0), (0, 0, 0, 0))
    image.putpixel((2, 0), (0, 0, 0, 100))

    made = mask_of(file_of(image, kind, lossless=True), pixels_max=PIXELS_MAX)

    with Image.open(io.BytesIO(made)) as mask:
        assert (mask.mode, list(mask.tobytes())) == ("L", [0, 255, 155])


def test_transparent_colour_of_a_palette_counts() -> None:
    """Small PNGs say it so."""
    image = Image.new("P", (2, 1), 0)
    image.putpalette([0, 0, 0, 9, 9, 9])
    image.putpixel((1, 0), 1)

    made = mask_of(file_of(image, transparency=1), pixels_max=PIXELS_MAX)

    with Image.open(io.BytesIO(made)) as mask:
        assert list(mask.tobytes()) == [0, 255]


@pytest.mark.parametrize(
    ("picture", "words"),
    [
        (file_of(Image.new("L", (2, 2), 255)), "no transparency"),
        (file_of(Image.new("RGBA", (65, 64))), "more than"),
        (file_of(Image.new("RGB", (2, 2)), "JPEG"), "cannot be read"),
        (b"", "cannot be read"),
        (b"\x89PNG\r\n\x1a\n half", "cannot be read"),
        (file_of(Image.new("RGBA", (32, 32)))[:-30], "cannot be read"),
    ],
)
def test_no_mask_is_refused(picture: bytes, words: str) -> None:
    """By its name, and with why."""
    with pytest.raises(InvalidArgument, match=words) as refused:
        mask_of(picture, pixels_max=PIXELS_MAX)

    assert refused.value.violations[0].field == "mask"
