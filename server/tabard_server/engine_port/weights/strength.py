# SPDX-License-Identifier: Apache-2.0
"""How strongly an adapter acts where that is not one number: by part, by block, over the steps.

Frozen values, and what they come to in a text encoder, at a step and in a block. Knows no torch.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple, TypeAlias

from tabard_server.engine_port.weights.blocks import TEXT_BLOCK, Blocks


class Point(NamedTuple):
    """A weight at a place of the schedule, 0 its beginning and 1 its end."""

    weight: float
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Controls:
    """What a request says of an adapter beside its weight.

    Attributes:
        text_encoder: Its weight in the text encoders; None: as its weight.
        unet: Its weight in the UNet: between two points on the line that joins them, before the
            first and after the last as there; empty: as its weight.
        start: Share of the steps before which the UNet does not wear it.
        end: Share of the steps from which on it does not.
        region: Where in the picture it acts, as `Region.name`; empty: everywhere.
        blocks: By what its weight is multiplied in a block, by name; in others it is not.
    """

    text_encoder: float | None = None
    unet: tuple[Point, ...] = ()
    start: float = 0.0
    end: float = 1.0
    region: str = ""
    blocks: tuple[tuple[str, float], ...] = ()

    def __post_init__(self) -> None:
        places = [point.at for point in self.unet]
        assert 0.0 <= self.start < self.end <= 1.0
        assert all(left < right for left, right in pairwise(places))

    @property
    def is_steady(self) -> bool:
        """Say whether it is the same at every step."""
        return len(self.unet) < 2 and (self.start, self.end) == (0.0, 1.0)

    def scaled(self, factor: float) -> "Controls":
        """Return the same of a member of a recipe."""
        text = self.text_encoder
        return replace(
            self,
            text_encoder=None if text is None else text * factor,
            unet=tuple(Point(weight=one.weight * factor, at=one.at) for one in self.unet),
        )

    def holds(self, *, step: int, steps: int) -> bool:
        """Say whether the UNet wears it at a step."""
        return self.start <= step / steps < self.end


@dataclass(frozen=True, slots=True, kw_only=True)
class Strength:
    """A weight and what is said beside it."""

    weight: float
    controls: Controls

    @property
    def in_text(self) -> float:
        """Its weight in the text encoders."""
        own = self.controls.text_encoder
        factor = dict(self.controls.blocks).get(TEXT_BLOCK, 1.0)
        return (self.weight if own is None else own) * factor

    def at(self, place: float) -> float:
        """Return its weight in the UNet at a place of the schedule, whatever the window."""
        points = self.controls.unet
        if not points:
            return self.weight
        after = bisect_right([point.at for point in points], place)
        if after in (0, len(points)):
            return points[max(0, after - 1)].weight
        left, right = points[after - 1], points[after]
        share = (place - left.at) / (right.at - left.at)
        return left.weight + share * (right.weight - left.weight)

    @property
    def extremes(self) -> tuple[float, ...]:
        """Weights among which all lie that it comes to."""
        factors = [one for name, one in self.controls.blocks if name != TEXT_BLOCK]
        unet = [point.weight for point in self.controls.unet] or [self.weight]
        return (self.in_text, *unet, *(one * factor for one in unet for factor in factors))


def stated_weights(weight: float, controls: Controls | None) -> tuple[float, ...]:
    """Return the weights that are said of an adapter, each once; those of blocks are factors."""
    if controls is None:
        return (weight,)
    text = weight if controls.text_encoder is None else controls.text_encoder
    unet = [point.weight for point in controls.unet] or [weight]
    return tuple(dict.fromkeys((text, *unet)))


Weight: TypeAlias = float | Strength
"""How strongly an adapter acts: mostly one number everywhere."""
BlockWeights: TypeAlias = tuple[float, ...]
"""The same in the layers of one component at one step: by block, or one that holds for all."""


def is_steady(weight: Weight) -> bool:
    """Say whether it is the same at every step and everywhere in the picture."""
    if not isinstance(weight, Strength):
        return True
    return weight.controls.is_steady and not weight.controls.region


def is_worn_in(weight: Weight, *, region: str) -> bool:
    """Say whether an adapter acts in a region; what says none acts in all of them."""
    own = weight.controls.region if isinstance(weight, Strength) else ""
    return own in ("", region)


def weights_in_text(weight: Weight) -> BlockWeights:
    """Return what it comes to in text encoders; empty: they do not wear it."""
    if not isinstance(weight, Strength):
        return (weight,)
    return (weight.in_text,) if weight.in_text else ()


def weights_by_step(weight: Weight, *, steps: int, blocks: Blocks) -> Sequence[BlockWeights]:
    """Return what it comes to in the UNet at each step; empty: it does not wear it there."""
    if not isinstance(weight, Strength):
        return [(weight,)] * steps
    factors = blocks.factors(weight.controls.blocks) or (1.0,)
    if weight.controls.is_steady:
        return [_by_block(weight.at(0.0), factors)] * steps
    return [
        _by_block(weight.at(step / steps), factors)
        if weight.controls.holds(step=step, steps=steps)
        else ()
        for step in range(steps)
    ]


def weight_of_part(weight: Weight, *, component: str, block: int, blocks: Blocks) -> float:
    """Return what a steady weight comes to in one part of the base; 0: it is not worn there.

    Args:
        weight: The weight.
        component: The text encoder or UNet.
        block: Of the UNet, as `Blocks.index_of` gives it.
        blocks: Those of the UNet.
    """
    if not isinstance(weight, Strength):
        return weight
    if component != "unet":
        return weight.in_text
    factors = blocks.factors(weight.controls.blocks)
    return weight.at(0.0) * (factors[block] if factors else 1.0)


def _by_block(weight: float, factors: tuple[float, ...]) -> BlockWeights:
    found = tuple(weight * factor for factor in factors)
    return found if any(found) else ()
