# SPDX-License-Identifier: Apache-2.0
"""What `gpu-bench` is to show, and whether it did. Results in, lines out; measures nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Parts = Mapping[str, Mapping[str, Any]]
"""What is in the file of results, by the name of a part."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """One promise.

    Attributes:
        says: What is measured.
        part: Which part finds it.
        name: As what that part tells it.
        bound: What it is held to.
        is_least: Whether that is the least, or else the most, that it may be.
        unit: Of both.
    """

    says: str
    part: str
    name: str
    bound: float
    is_least: bool = False
    unit: str = ""

    def found(self, parts: Parts) -> float | None:
        """Return what was found; None: it was not measured."""
        value = parts.get(self.part, {}).get("found", {}).get(self.name)
        return None if value is None else float(value)

    def verdict(self, parts: Parts) -> str:
        """Say `met`, `not met` or `not measured`."""
        found = self.found(parts)
        if found is None:
            return "not measured"
        is_met = found >= self.bound if self.is_least else found <= self.bound
        return "met" if is_met else "not met"


GOALS = (
    Goal(
        says="eight rows of eight adapters to bare, SD1.5, compiled",
        part="sd15 compiled",
        name="different_to_bare",
        bound=1.08,
    ),
    Goal(
        says="merged to bare, SD1.5, compiled",
        part="sd15 compiled",
        name="merged_to_bare",
        bound=1.01,
    ),
    Goal(
        says="share of the data sheet's bfloat16, SD1.5, eight rows, compiled",
        part="sd15 compiled",
        name="share_of_peak",
        bound=0.40,
        is_least=True,
    ),
    Goal(
        says="mixed traffic through gRPC to the diffusers loop",
        part="served",
        name="gain",
        bound=2.5,
        is_least=True,
        unit=" times",
    ),
    Goal(
        says="a newcomer's first step beside a full batch",
        part="served",
        name="newcomer_steps_median",
        bound=2.0,
        unit=" steps",
    ),
    Goal(
        says="a swap: an adapter in pinned memory until it is in its slots",
        part="engine",
        name="swap_ms",
        bound=1.0,
        unit=" ms",
    ),
)
