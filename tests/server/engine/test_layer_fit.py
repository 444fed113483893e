# SPDX-License-Identifier: Apache-2.0
"""A packed layer fits the base's own to the last width, or is refused with both."""

import pytest
import torch

from tabard_server.adapters.host_adapter import PackedLayer
from tabard_server.engine.layer_fit import check_widths, no_such_layer
from tabard_server.engine_port.errors import AdapterMismatch

KEY = ("unet", "conv")


def packed(inputs: int, outputs: int, *, magnitude: int = 0, axis: str = "") -> PackedLayer:
    """Return a pair of rank 2, with a magnitude of this length if there is an axis."""
    return PackedLayer(
        down=torch.zeros(2, inputs),
        up=torch.zeros(2, outputs),
        magnitude=torch.ones(magnitude) if axis else None,
        magnitude_axis=axis,
    )


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (packed(4, 6), (6, 4)),
        (packed(36, 6), (6, 4, 3, 3)),
        (packed(36, 6, magnitude=6, axis="outputs"), (6, 4, 3, 3)),
        (packed(36, 6, magnitude=4, axis="inputs"), (6, 4, 3, 3)),
    ],
)
def test_fitting_layer_is_taken(layer: PackedLayer, shape: tuple[int, ...]) -> None:
    """Columns with their kernel, rows, and the side that a magnitude scales."""
    check_widths(layer, weight=torch.zeros(shape), key=KEY, digest="d")


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (packed(5, 6), (6, 4)),
        (packed(4, 7), (6, 4)),
        (packed(4, 6), (6, 4, 3, 3)),
        (packed(4, 6, magnitude=6, axis="inputs"), (6, 4)),
        (packed(4, 6, magnitude=5, axis="outputs"), (6, 4)),
        (packed(6, 6), (6,)),
    ],
)
def test_other_width_is_refused(layer: PackedLayer, shape: tuple[int, ...]) -> None:
    """The release, its widths and the layer are named."""
    with pytest.raises(AdapterMismatch, match=r"d has widths .* for unet:conv") as caught:
        check_widths(layer, weight=torch.zeros(shape), key=KEY, digest="d")

    assert caught.value.hint


def test_absent_layer_is_named() -> None:
    """What the base does not have is told with the release that changes it."""
    error = no_such_layer("d", *KEY)

    assert "d changes unet:conv" in str(error)
    assert error.hint
