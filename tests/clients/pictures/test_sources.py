# SPDX-License-Identifier: Apache-2.0
"""A picture in any form becomes the bytes that are sent, or a refusal."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tabard import InvalidArgument
from tabard.calls.options import write_request
from tabard.pictures.sources import read_picture

IMAGE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (8, 12, 3), dtype=np.uint8))


@pytest.mark.parametrize("source", ["path", "text", "bytes", "pillow"])
def test_picture_from_anything(tmp_path: Path, source: str) -> None:
    """A path and bytes go as they are; a Pillow image keeps every pixel."""
    file = tmp_path / "photo.jpg"
    IMAGE.save(file)
    given: dict[str, Any] = {"path": file, "text": str(file), "bytes": file.read_bytes()}

    request = write_request("x", options={"image": given.get(source, IMAGE)})

    if source == "pillow":
        with Image.open(io.BytesIO(request.image)) as sent:
            assert np.array_equal(np.asarray(sent), np.asarray(IMAGE))
    else:
        assert request.image == file.read_bytes()


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_bytes_of_any_kind_go_as_they_are(kind: Any) -> None:
    """Nobody looks into them here."""
    assert read_picture(kind(b"picture"), name="image") == b"picture"


def test_encoded_picture_keeps_its_mode() -> None:
    """A mask stays a mask; a picture with holes keeps them."""
    for mode in ("L", "RGBA"):
        sent = read_picture(Image.new(mode, (2, 2)), name="image")

        with Image.open(io.BytesIO(sent)) as image:
            assert (image.format, image.mode) == ("PNG", mode)


def test_unreadable_file_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the parameter, the path and the reason."""
    path = tmp_path / "photo.png"
    path.write_bytes(b"x")

    def refuse(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)

    with pytest.raises(InvalidArgument, match=r"mask_image: .*photo\.png.*Permission") as caught:
        read_picture(path, name="mask_image")

    assert caught.value.reason == "FILE_NOT_READABLE"
