# SPDX-License-Identifier: Apache-2.0
"""The mark of a picture that a model has made: where it stands, and what XML says of it."""

import io
from xml.etree import ElementTree

import pytest
from PIL import Image, PngImagePlugin

from tabard_server.output.marking import COMPOSITE, TRAINED, XMP_CHUNK, add_marking
from tests.server.output.png_chunks import chunks_in_order

SOURCE = "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}DigitalSourceType"


@pytest.mark.parametrize(("is_composite", "source"), [(False, TRAINED), (True, COMPOSITE)])
def test_mark_is_xmp_before_the_pixels(is_composite: bool, source: str) -> None:
    """What a parser of XML reads, in the chunk that Adobe names."""
    chunks, sink = PngImagePlugin.PngInfo(), io.BytesIO()
    chunks.add_text("parameters", "a cat")
    add_marking(chunks, is_composite=is_composite)
    Image.new("RGB", (8, 8)).save(sink, format="PNG", pnginfo=chunks)

    with Image.open(io.BytesIO(sink.getvalue())) as image:
        packet = image.info[XMP_CHUNK]
    root = ElementTree.fromstring(packet.encode())
    assert [one.get(SOURCE) for one in root.iter() if one.get(SOURCE)] == [source]
    assert source.endswith("rainedAlgorithmicMedia")
    kinds = list(chunks_in_order(sink.getvalue()))
    assert kinds[:4] == [
        ("IHDR", ""),
        ("tEXt", "parameters"),
        ("iTXt", XMP_CHUNK),
        ("IDAT", ""),
    ]
