# SPDX-License-Identifier: Apache-2.0
"""Texts of a PNG, however they are packed; and files that strangers made."""

import struct
import zlib

import pytest

from tabard.errors import InvalidArgument
from tabard.pictures.png_text import TEXT_BYTES_MAX, read_texts

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def chunk(kind: bytes, content: bytes) -> bytes:
    checksum = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + checksum


def png(*chunks: bytes) -> bytes:
    return b"".join((SIGNATURE, *chunks, chunk(b"IEND", b"")))


@pytest.mark.parametrize(
    "text",
    [
        chunk(b"tEXt", b"tabard\0caf\xe9"),
        chunk(b"zTXt", b"tabard\0\0" + zlib.compress(b"caf\xe9")),
        chunk(b"iTXt", b"tabard\0\0\0\0\0" + "café".encode()),
        chunk(b"iTXt", b"tabard\0\x01\0en\0x\0" + zlib.compress("café".encode())),
    ],
)
def test_every_packing_is_read(text: bytes) -> None:
    """The three kinds of texts of a PNG are read alike."""
    assert read_texts(png(chunk(b"IDAT", b"not looked at"), text)) == {"tabard": "café"}


BOMB = zlib.compress(b"a" * (TEXT_BYTES_MAX + 1))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"GIF89a",
        SIGNATURE,
        png()[:-6],
        SIGNATURE + b"\xff\xff\xff\xfftEXt",
        png(chunk(b"tEXt", b"tabard\0x")).replace(b"\0x", b"\0y"),
        png(chunk(b"tEXt", b"tabard\0" + b"a" * TEXT_BYTES_MAX)),
        png(chunk(b"zTXt", b"tabard\0\0" + BOMB)),
        png(chunk(b"zTXt", b"tabard\0\0" + BOMB[:20])),
        png(chunk(b"zTXt", b"tabard\0\0no zlib")),
        png(chunk(b"iTXt", b"tabard\0\0\0\0\0\xff")),
        png(chunk(b"tEXt", b"tabard\0{}"), chunk(b"iTXt", b"tabard\0\0\0\0\0{}")),
    ],
)
def test_hostile_file_is_refused(content: bytes) -> None:
    """Cut, forged, endless and ambiguous files are one typed error."""
    with pytest.raises(InvalidArgument) as caught:
        read_texts(content)

    assert caught.value.reason == "NOT_A_PICTURE"
