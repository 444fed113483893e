# SPDX-License-Identifier: Apache-2.0
"""Contact sheets hold every image, enlarge small ones exactly, and never squeeze a label."""

import pytest
from PIL import Image

from tabard.cli.contact_sheet import SheetRow, contact_sheet

RED, GREEN, BLUE = (200, 30, 30), (30, 160, 60), (30, 60, 200)


def _square(colour: tuple[int, int, int], size: tuple[int, int] = (64, 64)) -> Image.Image:
    return Image.new("RGB", size, colour)


def _area(sheet: Image.Image, colour: tuple[int, int, int]) -> int:
    data = sheet.convert("RGB").tobytes()
    return sum(data[i : i + 3] == bytes(colour) for i in range(0, len(data), 3))


def test_every_image_is_enlarged_exactly() -> None:
    """A 64 pixel image fills 128 x 128 pixels, without a blended one among them."""
    rows = [
        SheetRow(label="one", images=(_square(RED), _square(GREEN))),
        SheetRow(label="two", images=(_square(BLUE),)),
    ]

    sheet = contact_sheet(rows, columns=["seed 7", "seed 8"], title="t", caption="c")

    assert [_area(sheet, colour) for colour in (RED, GREEN, BLUE)] == [128 * 128] * 3


def test_large_image_is_reduced() -> None:
    """A cell never grows beyond what was asked for."""
    sheet = contact_sheet([SheetRow(label="", images=(_square(RED, (512, 256)),))], cell_pixels=128)

    assert _area(sheet, RED) == 128 * 64


def test_long_texts_make_room() -> None:
    """Labels widen the margin up to a limit and wrap; a caption and a title add room."""
    images = (_square(RED),)

    bare = contact_sheet([SheetRow(label="", images=images)])
    named = contact_sheet([SheetRow(label="watercolor " * 20, images=images)])
    full = contact_sheet(
        [SheetRow(label="", images=images)], title="a title", caption="a caption " * 30
    )

    assert bare.width < named.width < bare.width + 400
    assert full.height > bare.height


def test_empty_sheet_is_refused() -> None:
    """There is no picture of nothing."""
    with pytest.raises(ValueError, match="at least one image"):
        contact_sheet([SheetRow(label="empty", images=())])
