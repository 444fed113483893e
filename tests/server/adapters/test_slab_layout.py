# SPDX-License-Identifier: Apache-2.0
"""Equal layouts are one object, however they came about."""

import pytest
import torch

from tabard_server.adapters.slab_layout import LayerPlace, layout_of, parse_layout, write_layout

ROWS = (
    ("unet", "one", 4, 8, 2, 0, 128),
    ("unet", "two", 1, 8, 2, 160, 192, 208, 2, "outputs"),
)


def test_equal_layouts_are_one() -> None:
    """Of the same rows and the same dtype, made or read."""
    layout = layout_of(ROWS, dtype=torch.float32)

    assert layout_of(list(ROWS), dtype=torch.float32) is layout
    assert parse_layout(write_layout(layout), torch.float32) is layout
    assert layout_of(ROWS, dtype=torch.float16) is not layout
    assert layout_of(ROWS[:1], dtype=torch.float32) is not layout


def test_places_have_names() -> None:
    """Each layer is found by its name, with its magnitude where it has one."""
    found = layout_of(ROWS, dtype=torch.float32).layers

    assert list(found) == [("unet", "one"), ("unet", "two")]
    assert found["unet", "one"] == LayerPlace("unet", "one", 4, 8, 2, 0, 128)
    place = found["unet", "two"]
    assert (place.rank, place.magnitude, place.width, place.axis) == (1, 208, 2, "outputs")


def test_what_is_no_layout_is_refused() -> None:
    """A text of anything else raises."""
    with pytest.raises(ValueError, match="property name"):
        parse_layout(b"{", torch.float32)
