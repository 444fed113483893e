# SPDX-License-Identifier: Apache-2.0
"""A PNG is its pixels and how it is turned, whatever else was written into it."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from tabard_server.admission.picture_files import open_picture
from tabard_server.admission.png_chunks import pixels_only
from tabard_server.errors import InvalidRequest
from tabard_server.limits import Limits
from tests.server.output.made_pictures import encode, picture

LONG = "x" * (3 << 20)
XMP = b"XML:com.adobe.xmp"
TURN = "Raw profile type exif"


def chunk(kind: bytes, body: bytes) -> bytes:
    """One chunk of a PNG."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def with_chunk(kind: bytes, body: bytes, *, at_end: bool = False) -> bytes:
    """A picture with one chunk more, behind its header or behind its pixels."""
    data = encode(picture())
    place = len(data) - 12 if at_end else 33
    return data[:place] + chunk(kind, body) + data[place:]


CHUNKS: dict[str, tuple[bytes, bytes]] = {
    "profile": (b"iCCP", b"name\0\0" + zlib.compress(bytes(2 << 20))),
    "profile of an unknown kind": (b"iCCP", b"name\0\7" + bytes(9)),
    "compressed text": (b"zTXt", b"parameters\0\0" + zlib.compress(LONG.encode())),
    "text of any script": (b"iTXt", b"prompt\0\1\0\0\0" + zlib.compress(LONG.encode())),
    "plain text": (b"tEXt", b"workflow\0" + LONG.encode()),
}


@pytest.mark.parametrize("at_end", [False, True])
@pytest.mark.parametrize("name", CHUNKS)
def test_long_chunk_does_not_hide_the_pixels(name: str, at_end: bool) -> None:
    """A colour profile or a workflow of megabytes beside them: the pixels are read."""
    kind, body = CHUNKS[name]

    opened = open_picture(with_chunk(kind, body, at_end=at_end), field="image", limits=Limits())

    assert np.array_equal(np.asarray(opened), np.asarray(picture()))


def test_turn_in_a_text_is_obeyed() -> None:
    """Some tools write the camera's note into a text; it is kept where others are dropped."""
    notes = Image.Exif()
    notes[0x0112] = 6
    info = PngInfo()
    content = notes.tobytes().hex()
    info.add_text(TURN, f"\nexif\n{len(content) // 2:8}\n{content}\n", zip=True)
    sink = io.BytesIO()
    picture().save(sink, format="PNG", pnginfo=info)

    opened = open_picture(sink.getvalue(), field="image", limits=Limits())

    assert opened.size == (32, 48)


def test_long_text_with_the_turn_is_refused() -> None:
    """What is not read might turn the picture: it is refused in our own words."""
    data = with_chunk(b"iTXt", XMP + b"\0\1\0\0\0" + zlib.compress(LONG.encode()))

    with pytest.raises(InvalidRequest) as refused:
        open_picture(data, field="image", limits=Limits())

    assert refused.value.reason == "IMAGE_NOT_READABLE"
    assert "how it is turned" in str(refused.value) and "metadata" in refused.value.hint


@pytest.mark.parametrize("cut", [1, 9, 40])
def test_broken_picture_stays_broken(cut: int) -> None:
    """Half a file is not made whole, and what is no PNG is left alone."""
    data = with_chunk(b"tEXt", b"a\0b", at_end=True)

    assert pixels_only(data[:-cut]).startswith(b"\x89PNG")
    assert pixels_only(b"\x89PNG") == b"\x89PNG"
    assert pixels_only(encode(picture(), "JPEG")) == encode(picture(), "JPEG")


def test_other_chunks_are_kept_to_the_byte() -> None:
    """Palette, transparency, frames and gamma are what they were."""
    data = encode(picture("P"), transparency=3, dpi=(72, 72))

    assert pixels_only(data) == data
