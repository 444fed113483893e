# SPDX-License-Identifier: Apache-2.0
"""Pictures that somebody sends with an evaluation."""

import io

import pytest
from PIL import Image

from tabard_server.errors import InvalidRequest
from tabard_server.evaluation.references import SIDE_MAX, read_pictures
from tabard_server.limits import Limits
from tests.server.evaluation.wishes.planning import png_of

FILES = [png_of(seed) for seed in range(4)]


def saved_again(level: int) -> bytes:
    """The first picture in another file."""
    file = io.BytesIO()
    Image.open(io.BytesIO(FILES[0])).save(file, "PNG", compress_level=level)
    return file.getvalue()


SAVED_AGAIN = [saved_again(level) for level in (0, 1, 6, 9)]


def test_pictures_are_read_in_their_order() -> None:
    """As they look, and the same one once."""
    found = read_pictures([*FILES, FILES[0]], field="references", limits=Limits())

    assert [one.shape for one in found] == [(64, 64, 3)] * 4
    assert (found[0] != found[1]).any()
    assert read_pictures([], field="references", limits=Limits()) == []


def test_large_picture_is_made_smaller() -> None:
    """No encoder looks more closely, and its shape stays."""
    file = io.BytesIO()
    Image.new("RGB", (4 * SIDE_MAX, SIDE_MAX)).save(file, "PNG")

    found = read_pictures([*FILES, file.getvalue()], field="references", limits=Limits())

    assert found[-1].shape == (SIDE_MAX // 4, SIDE_MAX, 3)


@pytest.mark.parametrize("files", [FILES[:3], [FILES[0]] * 4, SAVED_AGAIN])
def test_fewer_than_four_are_refused(files: list[bytes]) -> None:
    """Of four alike, in whatever files, nothing is known of how they vary."""
    with pytest.raises(InvalidRequest) as refused:
        read_pictures(files, field="training", limits=Limits())

    assert refused.value.reason == "REFERENCES_TOO_FEW"
    assert [one.field for one in refused.value.violations] == ["training"]


def test_unreadable_picture_is_named() -> None:
    """By its place among what was sent."""
    with pytest.raises(InvalidRequest) as refused:
        read_pictures([*FILES[:2], b"no picture", FILES[2]], field="references", limits=Limits())

    assert [one.field for one in refused.value.violations] == ["references[2]"]
