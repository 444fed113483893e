# SPDX-License-Identifier: Apache-2.0
"""A JPEG or WebP shows what the PNG shows, and says of itself what the PNG says."""

import io
import json

import pytest
from PIL import Image

from tabard import InvalidArgument
from tabard_web.pictures.formats import Format, read_words, written_as
from tests.web.pictures.files import png_of

WORDS = {
    "tabard": json.dumps({"prompt": 'a <b> & "c" 猫 𝄞', "seed": 7}, ensure_ascii=False),
    "parameters": "a <b>, 猫 𝄞\nSteps: 3, Sampler: Euler a",
}


@pytest.mark.parametrize("kind", ["jpeg", "webp"])
def test_words_survive(kind: Format) -> None:
    """Any letters, and what would end the XML around them."""
    written = written_as(png_of(WORDS), kind)

    assert read_words(written) == WORDS
    with Image.open(io.BytesIO(written)) as image:
        assert image.format == kind.upper()


@pytest.mark.parametrize("kind", ["jpeg", "webp"])
def test_pixels_survive(kind: Format) -> None:
    """At the best quality nobody sees a difference; a lower one makes a smaller file."""
    source = png_of(WORDS)
    best, small = written_as(source, kind), written_as(source, kind, quality=10)

    with Image.open(io.BytesIO(source)) as was, Image.open(io.BytesIO(best)) as now:
        pairs = zip(was.convert("RGB").tobytes(), now.convert("RGB").tobytes(), strict=True)
        assert max(abs(one - other) for one, other in pairs) <= 4
    assert len(small) < len(best)


@pytest.mark.parametrize("kind", ["jpeg", "webp"])
def test_mark_survives(kind: Format) -> None:
    """That a model made it, as the PNG says it; a PNG without a mark gives none."""
    source = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
    mark = f'Iptc4xmpExt:DigitalSourceType="{source}"'
    xmp = {"XML:com.adobe.xmp": f"<x:xmpmeta><rdf:Description {mark}/></x:xmpmeta>"}

    marked = written_as(png_of(WORDS | xmp), kind)

    assert mark.encode() in marked
    assert read_words(marked) == WORDS
    assert b"DigitalSourceType" not in written_as(png_of(WORDS), kind)


def test_png_stays_to_the_byte() -> None:
    """It is what the server made."""
    source = png_of(WORDS)

    assert written_as(source, "png") is source
    assert read_words(source) == WORDS


def test_image_without_words_has_none() -> None:
    """Previews say nothing of themselves."""
    assert read_words(written_as(png_of({}), "jpeg")) == {}


@pytest.mark.parametrize("name", ["tabard", "parameters"])
def test_words_too_long_for_a_jpeg_are_refused(name: str) -> None:
    """They are not left out, and not cut; a WebP holds them."""
    source = png_of({name: "x" * 70_000})

    with pytest.raises(InvalidArgument) as refused:
        written_as(source, "jpeg")

    assert refused.value.reason == "PROVENANCE_TOO_LONG"
    assert read_words(written_as(source, "webp"))[name] == "x" * 70_000


@pytest.mark.parametrize("picture", [b"", b"GIF89a", b"\xff\xd8\xff half", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_picture_is_refused(picture: bytes) -> None:
    """Whatever it pretends to be."""
    with pytest.raises(InvalidArgument):
        read_words(picture)
