# SPDX-License-Identifier: Apache-2.0
"""The bounds of a small base."""

from typing import Any

from tabard_server.admission.numbers import Bounds, Canvas
from tabard_server.limits import Limits
from tabard_server.settings import Defaults


def bounds_of(family: str = "sd1", **limits: Any) -> Bounds:
    """Return the bounds of a small base."""
    canvas = Canvas(
        native_width=64, native_height=48, pixel_multiple=16, clip_skip_max=3, family=family
    )
    return Bounds(canvas=canvas, limits=Limits(**limits), defaults=Defaults())
