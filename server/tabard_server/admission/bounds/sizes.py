# SPDX-License-Identifier: Apache-2.0
"""Which sizes are drawn: by the base's shape, by pixels, by the time of a step, and by memory.

In: a size, and what is asked of it. Out: everything wrong with it, and the nearest size that is
drawn. A step cannot be interrupted and memory cannot be had later, so both are weighed here, before
anything is queued. The base's own size is always drawn.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tabard_server.engine_port.base_facts import BaseFacts
from tabard_server.engine_port.drawing import Size
from tabard_server.engine_port.memory import MEBIBYTE, MemoryPlan
from tabard_server.engine_port.work import GUIDED_SAMPLES, Work
from tabard_server.errors import Violation
from tabard_server.limits import Limits

_TRIES = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is asked of a size.

    Attributes:
        samples: Of one image in a step.
        has_picture: Whether a picture is encoded at that size.
    """

    samples: int = GUIDED_SAMPLES
    has_picture: bool = False


class Sizes:
    """Judges sizes on one server."""

    def __init__(
        self,
        *,
        facts: BaseFacts,
        limits: Limits,
        work: Callable[[], Work] = Work,
        plan: MemoryPlan | None = None,
    ) -> None:
        """Take the base, the bounds, and what the engine says of time and memory.

        Args:
            facts: What the base can draw.
            limits: The bounds of this server.
            work: Says what calls of the engine take now.
            plan: What the engine uses of its device; None: nobody asked.
        """
        self._facts = facts
        self._limits = limits
        self._work = work
        self._plan = plan
        multiple = facts.pixel_multiple
        self._least = math.ceil(limits.side_pixels_min / multiple) * multiple
        native = max(facts.native_width, facts.native_height)
        by_ratio = max(native, self.floor(int(limits.side_ratio_max * native)))
        positions = facts.side_pixels_max
        self._most = by_ratio if positions is None else min(by_ratio, self.floor(positions))
        self._has_positions = positions is not None and self._most < by_ratio

    def check(self, size: Size, asked: Asked) -> list[Violation]:
        """Return what is wrong with the size of an image."""
        # What is no size at all has no costs.
        return (
            [*self._grid(size)]
            or [*self._pixels(size, asked)]
            or [*self._sides(size)]
            or [*self._costs(size, asked)]
        )

    def floor(self, pixels: int) -> int:
        """Return the nearest side below that can be drawn."""
        multiple = self._facts.pixel_multiple
        return pixels // multiple * multiple

    def nearest(self, size: Size, asked: Asked) -> Size:
        """Return the largest size of about this shape that is drawn, no larger than it."""
        low, high = 0.0, 1.0
        if self._is_drawn(self._shrunk(size, high), asked):
            return self._shrunk(size, high)
        for _ in range(_TRIES):
            middle = (low + high) / 2
            if self._is_drawn(self._shrunk(size, middle), asked):
                low = middle
            else:
                high = middle
        return self._shrunk(size, low)

    def _shrunk(self, size: Size, share: float) -> Size:
        width, height = (
            min(self._most, max(self._least, self.floor(math.floor(side * share)))) for side in size
        )
        return width, height

    def _grid(self, size: Size) -> Iterator[Violation]:
        multiple = self._facts.pixel_multiple
        for name, pixels in zip(("width", "height"), size, strict=True):
            if pixels < self._least or pixels % multiple:
                near = min(self._most, max(self._least, round(pixels / multiple) * multiple))
                yield Violation(
                    field=name,
                    description=f"{name} {pixels} is not a multiple of {multiple} from "
                    f"{self._limits.side_pixels_min} up",
                    reason="SIZE_INVALID",
                    hint=f"use {name} {near}",
                )

    def _pixels(self, size: Size, asked: Asked) -> Iterator[Violation]:
        width, height = size
        if width * height > self._limits.pixels_max:
            yield Violation(
                field="width",
                description=f"{width}x{height} is {width * height} pixels, above "
                f"{self._limits.pixels_max}",
                reason="SIZE_TOO_LARGE",
                hint=self._advice(size, asked),
            )

    def _sides(self, size: Size) -> Iterator[Violation]:
        for name, pixels in zip(("width", "height"), size, strict=True):
            if pixels > self._most:
                yield Violation(
                    field=name,
                    description=f"{name} {pixels} is above {self._most}, the longest side of a "
                    + (
                        "base that has no positions beyond"
                        if self._has_positions
                        else f"base that was trained at {self._facts.native_width} pixels"
                    ),
                    reason="SIDE_TOO_LONG",
                    hint=f"use {name} {self._most} at most"
                    + ("" if self._has_positions else " (limits.side_ratio_max)"),
                )

    def _costs(self, size: Size, asked: Asked) -> Iterator[Violation]:
        (width, height), plan = size, self._plan
        if plan is not None and not plan.holds(size, samples=asked.samples):
            needed = plan.activations_of(size, samples=asked.samples)
            yield Violation(
                field="width",
                description=f"{width}x{height} needs {math.ceil(needed / MEBIBYTE):,} MiB of "
                f"memory, and this server has {plan.room // MEBIBYTE:,} MiB beside the base",
                reason="SIZE_OVER_MEMORY",
                hint=self._advice(size, asked),
            )
        elif (seconds := self._seconds(size, asked)) > (most := self._seconds_max()):
            yield Violation(
                field="width",
                description=f"a step at {width}x{height} takes about {seconds:.1f} s here, in "
                f"which nobody else is served, above {most:.1f} s",
                reason="SIZE_TOO_SLOW",
                hint=self._advice(size, asked),
            )

    def _is_drawn(self, size: Size, asked: Asked) -> bool:
        return not any(self._grid(size)) and self._bound_on(size, asked) is None

    def _bound_on(self, size: Size, asked: Asked) -> str | None:
        """Name the setting that is in the way of a size; empty: it is memory, None: nothing is."""
        width, height = size
        if width * height > self._limits.pixels_max:
            return "limits.pixels_max"
        if max(size) > self._most:
            return "" if self._has_positions else "limits.side_ratio_max"
        if self._plan is not None and not self._plan.holds(size, samples=asked.samples):
            return ""
        is_slow = self._seconds(size, asked) > self._seconds_max()
        return "limits.step_seconds_max" if is_slow else None

    def _seconds(self, size: Size, asked: Asked) -> float:
        return self._work().longest_call(size, samples=asked.samples, has_picture=asked.has_picture)

    def _seconds_max(self) -> float:
        return self._work().bound(self._limits.step_seconds_max)

    def _advice(self, size: Size, asked: Asked) -> str:
        # What is asked may be above one bound, and the nearest that is drawn below another.
        width, height = self.nearest(size, asked)
        multiple = self._facts.pixel_multiple
        bound = self._bound_on((width + multiple, height + multiple), asked)
        advice = f"use {width}x{height}, or less"
        return f"{advice} ({bound})" if bound else advice
