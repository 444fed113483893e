# SPDX-License-Identifier: Apache-2.0
"""What a picture says of itself is read, whatever its format."""

import json

import pytest

from tabard import ImageFormat, InvalidArgument
from tabard_web.pictures.formats import read_words
from tests.web.pictures.files import file_of

WORDS = {
    "tabard": json.dumps({"prompt": 'a <b> & "c" 猫 𝄞', "seed": 7}, ensure_ascii=False),
    "parameters": "a <b>, 猫 𝄞\nSteps: 3, Sampler: Euler a",
}


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp"])
def test_words_are_read_from_every_format(kind: ImageFormat) -> None:
    """Any letters, and what would end the XML around them."""
    assert read_words(file_of(WORDS, kind)) == WORDS


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp"])
def test_image_without_words_has_none(kind: ImageFormat) -> None:
    """Previews say nothing of themselves."""
    assert read_words(file_of({}, kind)) == {}


@pytest.mark.parametrize("picture", [b"", b"GIF89a", b"\xff\xd8\xff half", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_picture_is_refused(picture: bytes) -> None:
    """Whatever it pretends to be."""
    with pytest.raises(InvalidArgument):
        read_words(picture)
