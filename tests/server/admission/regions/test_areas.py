# SPDX-License-Identifier: Apache-2.0
"""Masks become shares that add up to 1 in every latent pixel."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tabard_server.admission.regions.areas import draw_boxes, share_out
from tabard_server.engine_port.drawing import Pixels
from tabard_server.engine_port.regions import Box


def test_box_holds_the_pixels_whose_centres_it_holds() -> None:
    """Its left and top belong to it, its right and bottom do not."""
    mask = draw_boxes([Box(0.25, 0.0, 0.5, 0.625)], size=(8, 4))

    assert mask.tolist() == [[0, 0, 255, 255, 0, 0, 0, 0]] * 2 + [[0] * 8] * 2
    assert draw_boxes([Box(0.0, 0.0, 0.06, 1.0)], size=(8, 4)).max() == 0


@given(st.lists(st.floats(0, 1), max_size=6), st.integers(1, 40))
def test_boxes_side_by_side_leave_nothing_out(edges: list[float], width: int) -> None:
    """Wherever they are cut, each pixel lies in one of them."""
    cuts = sorted({0.0, 1.0, *edges})
    boxes = [Box(left, 0, right, 1) for left, right in pairwise(cuts)]

    total = sum(draw_boxes([box], size=(width, 1)).astype(int) for box in boxes)

    assert np.all(total == 255)


def test_overlap_is_shared_and_the_rest_is_left() -> None:
    """One pixel a share: alone, both, soft, nobody."""
    first = np.array([[255, 255, 51, 0]], np.uint8)
    second = np.array([[0, 255, 0, 0]], np.uint8)

    (one, other), rest = share_out([first, second], factor=1)

    assert one.tolist() == [[1.0, 0.5, 0.2, 0.0]]
    assert other.tolist() == [[0.0, 0.5, 0.0, 0.0]]
    assert rest is not None and rest.tolist() == [[0.0, 0.0, 0.8, 1.0]]


def test_latent_pixel_is_the_mean_of_its_pixels() -> None:
    """Shared in pixels first: two masks on one half of it leave the other half to the rest."""
    mask = np.array([[255, 0], [255, 0]], np.uint8)

    shares, rest = share_out([mask, mask], factor=2)

    assert [one.tolist() for one in shares] == [[[0.25]], [[0.25]]]
    assert rest is not None and rest.tolist() == [[0.5]]


@st.composite
def all_masks(draw: st.DrawFn) -> list[Pixels]:
    """One to four masks of 8x8 pixels."""
    values = st.sampled_from([0, 0, 1, 128, 254, 255, 255])
    count = draw(st.integers(1, 4))
    return [
        np.array(draw(st.lists(values, min_size=64, max_size=64)), np.uint8).reshape(8, 8)
        for _ in range(count)
    ]


@given(all_masks(), st.sampled_from([1, 2, 4, 8]))
def test_shares_add_up(masks: list[Pixels], factor: int) -> None:
    """To 1 everywhere, and there is a rest only if something is left."""
    shares, rest = share_out(masks, factor=factor)

    total = sum(shares, np.zeros_like(shares[0])) + (0.0 if rest is None else rest)
    assert np.allclose(total, 1.0, rtol=0, atol=1e-12)
    assert (rest is None) == all(sum(int(m[i]) for m in masks) >= 255 for i in np.ndindex(8, 8))
