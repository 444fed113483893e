# SPDX-License-Identifier: Apache-2.0
"""Drawings, pictures, rows and bounds of which a test says only what it is about."""

from dataclasses import replace
from typing import Any

from tabard_server.admission.bounds.numbers import Bounds
from tabard_server.admission.bounds.sizes import Sizes
from tabard_server.engine_port.drawing import Drawing, Picture, Pixels
from tabard_server.engine_port.row_spec import RowSpec
from tabard_server.engine_port.stack import Stack
from tabard_server.limits import Limits
from tabard_server.settings import Defaults
from tests.server.fakes import BASE_FACTS

DRAWING = Drawing(
    prompt="a red circle", steps=3, guidance_scale=5.0, width=64, height=64, sampler="ddim"
)


def drawing(**changes: Any) -> Drawing:
    """Return a small drawing with some fields of its own."""
    return replace(DRAWING, **changes)


def row_spec(*, stack: Stack = (), seed: int = 11, **changes: Any) -> RowSpec:
    """Return a row of such a drawing."""
    return RowSpec(drawing=drawing(**changes), stack=stack, seed=seed)


def picture_of(pixels: Pixels, *, mask: Pixels | None = None) -> Picture:
    """Return these pixels as if somebody had sent them at the size that is drawn."""
    height, width = pixels.shape[:2]
    return Picture(pixels=pixels, sha256="0" * 64, sent_size=(width, height), mask=mask)


def bounds_of(family: str = "sd1", **limits: Any) -> Bounds:
    """Return the bounds of a small base."""
    facts = replace(
        BASE_FACTS,
        native_height=48,
        pixel_multiple=16,
        clip_skip_max=3,
        takes_sizes=family == "sdxl",
    )
    bounds = Limits(**limits)
    sizes = Sizes(facts=facts, limits=bounds)
    return Bounds(family=family, facts=facts, sizes=sizes, limits=bounds, defaults=Defaults())
