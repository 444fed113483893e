# SPDX-License-Identifier: Apache-2.0
"""What a picture says of itself is read, whatever its format, and whoever made it."""

import io
import json
import random
import struct

import pytest
from PIL import Image
from PIL.ExifTags import IFD

from tabard import ImageFormat, InvalidArgument
from tabard.pictures.png_text import TEXT_BYTES_MAX
from tabard.pictures.words import format_of, read_words
from tests.web.pictures.files import file_of

WORDS = {
    "tabard": json.dumps({"prompt": 'a <b> & "c" 猫 𝄞', "seed": 7}, ensure_ascii=False),
    "parameters": "a <b>, 猫 𝄞\nSteps: 3, Sampler: Euler a",
}
KINDS: tuple[ImageFormat, ...] = ("png", "jpeg", "webp")
LOSSY: tuple[ImageFormat, ...] = ("jpeg", "webp")


@pytest.mark.parametrize("kind", KINDS)
def test_words_are_read_from_every_format(kind: ImageFormat) -> None:
    """Any letters, and what would end the XML around them."""
    picture = file_of(WORDS, kind)

    assert (format_of(picture), read_words(picture)) == (kind, WORDS)


@pytest.mark.parametrize("kind", KINDS)
def test_image_without_words_has_none(kind: ImageFormat) -> None:
    """Previews say nothing of themselves."""
    assert read_words(file_of({}, kind)) == {}


@pytest.mark.parametrize("order", ["II", "MM"])
@pytest.mark.parametrize("kind", LOSSY)
def test_other_writers_of_exif_are_read(kind: ImageFormat, order: str) -> None:
    """Pillow's own, in both orders of bytes, with other entries before ours."""
    exif, sink = Image.Exif(), io.BytesIO()
    exif.endian = "<" if order == "II" else ">"
    exif[0x010F], exif[0x0131] = "a maker of cameras", "another tool"
    exif.get_ifd(IFD.Exif)[0x9286] = b"UNICODE\0" + "a cat".encode("utf-16-be")
    Image.new("RGB", (8, 8)).save(sink, kind.upper(), exif=exif)

    assert read_words(sink.getvalue()) == {"parameters": "a cat"}


@pytest.mark.parametrize("picture", [b"", b"GIF89a", b"\xff\xd8\xff half", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_picture_is_refused(picture: bytes) -> None:
    """Whatever it pretends to be."""
    with pytest.raises(InvalidArgument) as refused:
        read_words(picture)

    assert refused.value.reason == "NOT_A_PICTURE"


@pytest.mark.parametrize("kind", LOSSY)
def test_words_that_are_said_twice_are_refused(kind: ImageFormat) -> None:
    """Nobody would know which of them another reader believes."""
    told = '{}</tabard:provenance><tabard:provenance>{"seed": 9}'
    sink = io.BytesIO()
    xmp = f"<x><tabard:provenance>{told}</tabard:provenance></x>".encode()
    Image.new("RGB", (8, 8)).save(sink, kind.upper(), xmp=xmp)

    with pytest.raises(InvalidArgument, match="says twice"):
        read_words(sink.getvalue())


def test_endless_words_are_refused() -> None:
    """A WebP may have any number of bytes of them."""
    sink = io.BytesIO()
    Image.new("RGB", (8, 8)).save(sink, "WEBP", xmp=b" " * (TEXT_BYTES_MAX + 1))

    with pytest.raises(InvalidArgument, match="longer than"):
        read_words(sink.getvalue())


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_files_are_read_or_refused(kind: ImageFormat) -> None:
    """Whatever bytes of strangers say: no other failure, and no warning."""
    rng, whole = random.Random(7), file_of(WORDS, kind)
    for _ in range(2_000):
        broken = bytearray(whole)
        for _ in range(rng.randint(1, 5)):
            broken[rng.randrange(min(len(broken), 900))] = rng.randrange(256)
        if rng.random() < 0.3:
            del broken[rng.randrange(len(broken)) :]
        try:
            assert read_words(bytes(broken)).keys() <= WORDS.keys() | {"XML:com.adobe.xmp"} or (
                kind == "png"
            )
        except InvalidArgument as refused:
            assert refused.reason == "NOT_A_PICTURE"


def test_words_that_never_end_are_walked_once() -> None:
    """What begins ten thousands of times, and ends never, says nothing."""
    picture = webp_of(b"<tabard:provenance>" * (TEXT_BYTES_MAX // 32))

    assert read_words(picture) == {}


def test_words_in_many_parts_are_bounded() -> None:
    """All of them together."""
    with pytest.raises(InvalidArgument, match="longer"):
        read_words(webp_of(*[b"a" * (TEXT_BYTES_MAX // 2)] * 3))


def webp_of(*said: bytes) -> bytes:
    """Make a WebP that is nothing but XMP."""
    parts = b"".join(
        b"XMP " + struct.pack("<I", len(one)) + one + b"\0" * (len(one) % 2) for one in said
    )
    return b"RIFF" + struct.pack("<I", len(parts) + 4) + b"WEBP" + parts
