# SPDX-License-Identifier: Apache-2.0
"""What the formats share: shapes of convolutions, and an alpha that gives a scale back exactly."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabard_registry.content.canonical import Layer

Array = NDArray[Any]
Tensors = dict[str, Array]

_CONVOLUTION = re.compile(r"(?:^|\.)(?:conv_in|conv_out|conv1|conv2|conv_shortcut|conv)$")
_PROJECTION = re.compile(r"\.proj_(?:in|out)$")


class CannotHold(Exception):
    """A format has no place for something; the text says for what."""


def is_convolution(module: str, *, family: str) -> bool:
    """Whether a module of the UNet is a convolution, also where its kernel is a point.

    Projections around attention are convolutions in the first family and linear since.
    """
    if _PROJECTION.search(module):
        return family == "sd1"
    return bool(_CONVOLUTION.search(module))


def pointed(found: Array) -> Array:
    """Write a matrix as a kernel of one point, and leave every other kernel as it is."""
    return found.reshape(*found.shape, 1, 1) if found.ndim == 2 else found


def factors(layer: Layer, *, family: str) -> tuple[Array, Array]:
    """Return down and up in the shapes that a module's kind has everywhere."""
    if layer.down.ndim > 2 or is_convolution(layer.module, family=family):
        return pointed(layer.down), pointed(layer.up)
    return layer.down, layer.up


def alpha_of(scale: float, *, rank: int) -> float:
    """Return the alpha whose quotient with the rank is the scale, to the bit where there is one."""
    return next(
        (alpha for alpha in _near(scale * rank) if alpha / rank == scale),
        scale * rank,
    )


def alpha_tensor(scale: float, *, rank: int) -> Array:
    """Return it as a tensor: in single precision if that is exact."""
    alpha = alpha_of(scale, rank=rank)
    single = np.float32(alpha)
    return np.asarray(single if float(single) == alpha else alpha)


def _near(number: float) -> Iterator[float]:
    yield float(np.float32(number))
    yield number
    for bound in (math.inf, -math.inf):
        near = number
        for _ in range(4):
            near = math.nextafter(near, bound)
            yield near
