# SPDX-License-Identifier: Apache-2.0
"""Every format that images are written as has the name that browsers know it by."""

from typing import get_args

from tabard.enums import IMAGE_FORMATS
from tabard_web.pictures.formats import MEDIA_TYPES, Format


def test_every_format_has_a_media_type() -> None:
    """Those of the SDK, and no others."""
    assert set(MEDIA_TYPES) == set(IMAGE_FORMATS) == set(get_args(Format))
    assert all(one.startswith("image/") for one in MEDIA_TYPES.values())
