# SPDX-License-Identifier: Apache-2.0
"""The pictures both sides draw, and how rounds become one number."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from tabard.cli.demo.catalog import Catalog

STEPS = 25
GUIDANCE_SCALE = 7.5
CROWD = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One image of one adapter."""

    prompt: str
    adapter: str
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Seconds of several rounds of one thing."""

    name: str
    seconds: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.seconds:
            raise ValueError(f"{self.name} was never measured")

    @property
    def median(self) -> float:
        """The middle round, which one slow round does not move."""
        return median(self.seconds)


def mixed_crowd(catalog: Catalog) -> list[Picture]:
    """Return `CROWD` pictures whose adapters alternate: the worst order for a loop that swaps."""
    styles = (catalog.style, catalog.partner)
    turns = [styles[number % len(styles)] for number in range(CROWD)]
    return [
        Picture(prompt=style.prompt, adapter=style.adapter, seed=number)
        for number, style in enumerate(turns)
    ]


def ratio(slow: Measured, fast: Measured) -> float:
    """Return how many times longer the median round of `slow` took."""
    return slow.median / fast.median


def spread(rounds: Sequence[float]) -> str:
    """Return the fastest and slowest round, as people read them."""
    return f"{min(rounds):.3f} to {max(rounds):.3f}"
