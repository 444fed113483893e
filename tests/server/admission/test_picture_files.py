# SPDX-License-Identifier: Apache-2.0
"""Picture files as people have them, and as attackers make them."""

import random
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tabard_server.admission.picture_files import open_picture
from tabard_server.errors import InvalidRequest
from tabard_server.limits import Limits
from tests.server.output.made_pictures import bomb, encode, picture

LIMITS = Limits()
ORIENTATION = 0x0112


def refusal_of(data: bytes, *, limits: Limits = LIMITS) -> InvalidRequest:
    """Return why a file is refused."""
    with pytest.raises(InvalidRequest) as caught:
        open_picture(data, field="image", limits=limits)
    assert caught.value.hint
    assert [violation.field for violation in caught.value.violations] == ["image"]
    return caught.value


@pytest.mark.parametrize(
    ("mode", "kind", "options"),
    [
        ("RGB", "PNG", {}),
        ("P", "PNG", {}),
        ("RGBA", "PNG", {}),
        ("RGB", "WEBP", {"lossless": True}),
    ],
)
def test_pixels_arrive_as_they_are(mode: str, kind: str, options: dict[str, Any]) -> None:
    """A lossless file gives its own pixels, an opaque alpha channel left out."""
    image = picture(mode)

    opened = open_picture(encode(image, kind, **options), field="image", limits=LIMITS)

    assert opened.mode == "RGB"
    assert np.array_equal(np.asarray(opened), np.asarray(image.convert("RGB")))


@pytest.mark.parametrize(("mode", "read_as"), [("L", "L"), ("1", "L"), ("CMYK", "RGB")])
def test_other_channels_are_read(mode: str, read_as: str) -> None:
    """Grey stays grey, and what a printer would read becomes colours."""
    kind = "JPEG" if mode == "CMYK" else "PNG"

    opened = open_picture(encode(picture(mode), kind), field="image", limits=LIMITS)

    assert (opened.mode, opened.size) == (read_as, (48, 32))


def test_photo_stands_upright() -> None:
    """A phone's note of how it was held is obeyed, as diffusers' own loader does."""
    image, notes = picture(), Image.Exif()
    notes[ORIENTATION] = 6

    opened = open_picture(encode(image, exif=notes), field="image", limits=LIMITS)

    upright = image.transpose(Image.Transpose.ROTATE_270)
    assert opened.size == (32, 48)
    assert np.array_equal(np.asarray(opened), np.asarray(upright))


def test_phone_photo_with_second_picture_is_read() -> None:
    """A JPEG that holds a thumbnail beside the photo is its first picture."""
    data = encode(picture(), "MPO", save_all=True, append_images=[picture(size=(16, 16))])

    assert open_picture(data, field="image", limits=LIMITS).size == (48, 32)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "IMAGE_NOT_READABLE"),
        (b"GIF89a" + bytes(64), "IMAGE_NOT_READABLE"),
        (encode(picture(), "GIF"), "IMAGE_NOT_READABLE"),
        (encode(picture(), "TIFF"), "IMAGE_NOT_READABLE"),
        (encode(picture())[:-200], "IMAGE_NOT_READABLE"),
        (encode(picture(), "JPEG")[:200], "IMAGE_NOT_READABLE"),
        (encode(Image.new("I;16", (32, 32), 300)), "IMAGE_NOT_READABLE"),
        (
            encode(picture(), "WEBP", save_all=True, append_images=[picture("L").convert("RGB")]),
            "IMAGE_ANIMATED",
        ),
        (
            encode(picture(), save_all=True, append_images=[picture("L").convert("RGB")]),
            "IMAGE_ANIMATED",
        ),
        (encode(Image.new("RGBA", (32, 32), (9, 9, 9, 254))), "IMAGE_TRANSPARENT"),
        (encode(Image.new("LA", (32, 32), (9, 0))), "IMAGE_TRANSPARENT"),
        (encode(Image.new("RGB", (32, 32)), transparency=(0, 0, 0)), "IMAGE_TRANSPARENT"),
    ],
    ids=[
        "empty",
        "gif header",
        "gif",
        "tiff",
        "cut png",
        "cut jpeg",
        "16 bits",
        "moving webp",
        "moving png",
        "half transparent",
        "grey transparent",
        "transparent colour",
    ],
)
def test_what_has_no_one_meaning_is_refused(data: bytes, reason: str) -> None:
    """Nothing is guessed: not a frame, not a background, not half a file."""
    assert refusal_of(data).reason == reason


def test_limits_are_the_settings() -> None:
    """Bytes and pixels are bounded by name."""
    data = encode(picture())

    few_bytes = refusal_of(data, limits=Limits(picture_bytes_max=100))
    few_pixels = refusal_of(data, limits=Limits(picture_pixels_max=1_000))

    assert few_bytes.reason == few_pixels.reason == "IMAGE_TOO_LARGE"
    assert "picture_bytes_max" in few_bytes.hint
    assert "picture_pixels_max" in few_pixels.hint


@pytest.mark.parametrize("side", [5_000, 12_000, 60_000, 2**31 - 1])
def test_bomb_is_refused_undecoded(side: int) -> None:
    """A file of a few bytes that promises a wall of pixels is refused by its header."""
    assert refusal_of(bomb(side)).reason == "IMAGE_TOO_LARGE"


@pytest.mark.filterwarnings("ignore:Truncated File Read", "ignore:Corrupt EXIF", "ignore:Tag data")
def test_damaged_files_are_read_or_refused() -> None:
    """Whatever is done to a file, it is a picture or a refusal."""
    notes = Image.Exif()
    notes[ORIENTATION] = 6
    files = [encode(picture(), kind, exif=notes) for kind in ("PNG", "JPEG", "WEBP")]
    dice, ends = random.Random(0), {"read": 0, "refused": 0}

    for number in range(1_500):
        data = bytearray(files[number % len(files)])
        for _ in range(dice.choice([1, 2, 8])):
            data[dice.randrange(len(data))] = dice.randrange(256)
        try:
            open_picture(bytes(data[: dice.randint(1, 2 * len(data))]), field="x", limits=LIMITS)
            ends["read"] += 1
        except InvalidRequest:
            ends["refused"] += 1

    assert min(ends.values()) > 100
