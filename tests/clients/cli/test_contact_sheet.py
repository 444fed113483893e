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


def _ink_rows(sheet: Image.Image, box: tuple[int, int, int, int]) -> int:
    """Count the lines of pixels in a box that have a letter in them."""
    part = sheet.convert("L").crop(box)
    return sum(
        min(part.crop((0, y, part.width, y + 1)).tobytes()) < 150 for y in range(part.height)
    )


def test_every_cell_has_its_caption() -> None:
    """Captions stand below their images, within the width of a cell, and make room for it."""
    images = (_square(RED), _square(GREEN))
    bare = contact_sheet([SheetRow(label="", images=images)])
    rows = [SheetRow(label="", images=images, captions=("seed 7", "acme/watercolour-" * 4))]

    sheet = contact_sheet(rows)

    assert sheet.width == bare.width
    grown = sheet.height - bare.height
    assert grown > 3 * 13
    left, top = 32, 32 + 128
    assert _ink_rows(sheet, (left, top + 2, left + 128, top + grown)) > 0
    assert _ink_rows(sheet, (left + 136, top + 2, left + 264, top + grown)) > 3 * 8
    assert _ink_rows(sheet, (left + 129, top + 2, left + 135, top + grown)) == 0


def test_label_stays_within_its_row() -> None:
    """What is longer than its row is cut, and says so, rather than running into the next."""
    rows = [SheetRow(label="watercolor " * 200, images=(_square(RED),)) for _ in range(2)]

    sheet = contact_sheet(rows)

    between = 32 + 128 + 4
    assert _ink_rows(sheet, (32, between - 3, 332, between + 3)) == 0


def test_empty_sheet_is_refused() -> None:
    """There is no picture of nothing."""
    with pytest.raises(ValueError, match="at least one image"):
        contact_sheet([SheetRow(label="empty", images=())])
