# SPDX-License-Identifier: Apache-2.0
"""The bounds of a small base."""

from dataclasses import replace
from typing import Any

from tabard_server.admission.numbers import Bounds
from tabard_server.admission.sizes import Sizes
from tabard_server.limits import Limits
from tabard_server.settings import Defaults
from tests.server.fakes import BASE_FACTS


def bounds_of(family: str = "sd1", **limits: Any) -> Bounds:
    """Return the bounds of a small base."""
    facts = replace(BASE_FACTS, native_height=48, pixel_multiple=16, clip_skip_max=3)
    bounds = Limits(**limits)
    sizes = Sizes(facts=facts, limits=bounds)
    return Bounds(family=family, facts=facts, sizes=sizes, limits=bounds, defaults=Defaults())
