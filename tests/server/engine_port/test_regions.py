# SPDX-License-Identifier: Apache-2.0
"""Regions as values: which of them a request defines, and what a picture in parts asks for."""

import numpy as np
import pytest

from tabard_server.engine_port.regions import Region
from tests.server.drawings import drawing

WHOLE = np.ones((8, 8))


@pytest.mark.parametrize(
    ("region", "is_named"),
    [
        (Region(name="", shares=WHOLE, prompt=""), False),
        (Region(name="0,0,1,1", boxes="0,0,1,1", shares=WHOLE, prompt=""), False),
        (Region(name="left", boxes="0,0,1,1", shares=WHOLE, prompt=""), True),
        (Region(name="hat", mask_sha256="ab", shares=WHOLE, prompt=""), True),
    ],
)
def test_boxes_of_an_adapter_have_no_name(region: Region, is_named: bool) -> None:
    """They stand in its controls; the rest is said nowhere."""
    assert region.is_named == is_named


def test_shares_are_exact_and_flat() -> None:
    """Rounded ones would not add up."""
    with pytest.raises(AssertionError):
        Region(name="a", shares=WHOLE.astype(np.float32), prompt="")  # type: ignore[arg-type]


@pytest.mark.parametrize(("scale", "each"), [(5.0, 2), (1.0, 1)])
def test_every_part_is_a_row(scale: float, each: int) -> None:
    """In samples, and in work: what tenants have and admission weighs."""
    parts = tuple(Region(name=name, shares=WHOLE, prompt=name) for name in ("", "a", "b"))
    plain = drawing(guidance_scale=scale)

    found = drawing(guidance_scale=scale, regions=parts)

    assert (plain.samples, found.samples) == (each, 3 * each)
    assert found.samples_per_part == each
    assert found.work == 3 * plain.work
    assert (found.part_names, found.prompts) == (("", "a", "b"), ("", "a", "b"))
    assert (plain.part_names, plain.prompts) == (("",), (plain.prompt,))
