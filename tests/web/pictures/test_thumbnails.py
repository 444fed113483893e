# SPDX-License-Identifier: Apache-2.0
"""Small pictures of large ones, never larger, and of pictures alone."""

import io

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from tabard import InvalidArgument
from tabard_web.pictures.thumbnails import require_pixels, thumbnail

MOST = 10_000


def png(size: tuple[int, int]) -> bytes:
    sink = io.BytesIO()
    Image.new("RGB", size, "red").save(sink, format="PNG")
    return sink.getvalue()


@pytest.mark.parametrize(
    ("size", "small"), [((100, 50), (40, 20)), ((20, 30), (20, 30)), ((50, 100), (20, 40))]
)
def test_longer_side_is_bounded(size: tuple[int, int], small: tuple[int, int]) -> None:
    """And the shape stays."""
    with Image.open(io.BytesIO(thumbnail(png(size), pixels=40, pixels_max=MOST))) as image:
        assert (image.format, image.size) == ("WEBP", small)


@pytest.mark.parametrize(("mark", "is_kept"), [(b"<x>made</x>", True), (b"<x/>" * 999, False)])
def test_mark_is_kept(mark: bytes, is_kept: bool) -> None:
    """Of a picture that a model made; a long XMP is of somebody else."""
    said, sink = PngInfo(), io.BytesIO()
    said.add_itxt("XML:com.adobe.xmp", mark.decode())
    Image.new("RGB", (20, 20), "red").save(sink, format="PNG", pnginfo=said)

    with Image.open(io.BytesIO(thumbnail(sink.getvalue(), pixels=40, pixels_max=MOST))) as image:
        assert image.info.get("xmp", b"") == (mark if is_kept else b"")


@pytest.mark.parametrize("content", [b"", b"no picture", png((20, 20))[:60], png((101, 100))])
def test_what_is_no_small_picture_is_refused(content: bytes) -> None:
    """Whatever somebody had put there."""
    with pytest.raises(InvalidArgument) as refused:
        thumbnail(content, pixels=40, pixels_max=MOST)

    assert refused.value.reason == "NOT_A_PICTURE"


def test_size_is_seen_before_pixels_are() -> None:
    """A small file may say that it is huge."""
    require_pixels(png((100, 100)), pixels_max=MOST)

    with pytest.raises(InvalidArgument) as refused:
        require_pixels(png((101, 100))[:60], pixels_max=MOST)
    assert "more than 10000 pixels" in str(refused.value)
