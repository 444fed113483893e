# SPDX-License-Identifier: Apache-2.0
"""Regions of a request, and the messages that they become."""

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tabard import Region, Wear
from tabard.calls.options import write_request


def test_region_is_sent_where_it_is_said(tmp_path: Path) -> None:
    """Boxes and prompts as they are; a mask from a path, bytes or a picture."""
    file = tmp_path / "hat.png"
    image = Image.new("L", (8, 8), 255)
    image.save(file)
    regions = [
        Region(name="left", boxes="0,0,0.5,1", prompt=""),
        *(Region(name="hat", mask=mask) for mask in (file, file.read_bytes(), image)),
    ]
    worn = Wear(ref="a/b", region="left")

    message = write_request("x", options={"regions": regions, "adapters": worn})

    left, *hats = message.regions
    assert (left.name, left.boxes) == ("left", "0,0,0.5,1")
    assert left.HasField("prompt") and not left.HasField("mask")
    assert all(one.mask.startswith(b"\x89PNG") and not one.HasField("prompt") for one in hats)
    assert message.adapters[0].controls.region == "left"


@pytest.mark.parametrize("regions", [["left"], [Region(name=7)], [{"name": "left"}]])  # type: ignore[arg-type]
def test_region_of_another_type_is_named(regions: Any) -> None:
    """Before anything is sent."""
    with pytest.raises(TypeError, match="regions"):
        write_request("x", options={"regions": regions})
