# SPDX-License-Identifier: Apache-2.0
"""What an engine uses of its device, by purpose, and the refusal of what cannot fit."""

from dataclasses import dataclass, field

from tabard_server.engine_port.drawing import Size
from tabard_server.engine_port.errors import MemoryTooSmall
from tabard_server.engine_port.work import Curve

MEBIBYTE = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class PassBytes:
    """What the passes of a base keep alive, by size.

    Attributes:
        step: A denoise step.
        image: The decoding of one image, or the encoding of one picture if that is more.
    """

    step: Curve = field(default_factory=Curve)
    image: Curve = field(default_factory=Curve)

    def of(self, size: Size, *, samples: int) -> int:
        """Return the bytes of a step with so many samples, or of its images one by one."""
        return round(max(self.step.at(size, samples=samples), self.image.at(size)))


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryPlan:
    """Bytes on the device, by purpose.

    Attributes:
        base: Weights of all models.
        slots: Tables of rank rows beside every layer.
        merged: The merged copy when all layers are changed; 0 without one.
        gathered: Factors that are kept from one step to the next.
        activations: A step of as many rows as may share one, at the base's own size, or the
            decoding of one image if that is more.
        passes: The same for any size.
        free: What the device has for all of this; None where nobody can say.
    """

    base: int
    slots: int
    merged: int
    gathered: int
    activations: int
    passes: PassBytes = field(default_factory=PassBytes)
    free: int | None = None

    @property
    def total(self) -> int:
        """Bytes of everything."""
        return self.base + self.slots + self.merged + self.gathered + self.activations

    @property
    def room(self) -> int:
        """Bytes that activations may take; without end where nobody knows."""
        return NO_END if self.free is None else self.free - self.total + self.activations

    def activations_of(self, size: Size, *, samples: int) -> int:
        """Return the bytes of a step with so many samples of a size, and of what follows it."""
        return self.passes.of(size, samples=samples)

    def holds(self, size: Size, *, samples: int) -> bool:
        """Say whether such a step fits."""
        return self.activations_of(size, samples=samples) <= self.room

    def require(self) -> None:
        """Refuse what cannot fit.

        Raises:
            MemoryTooSmall: The device has less than that.
        """
        if self.free is None or self.total <= self.free:
            return
        parts = ", ".join(
            f"{name} {_mebibytes(getattr(self, name))}"
            for name in ("base", "slots", "merged", "gathered", "activations")
        )
        raise MemoryTooSmall(
            f"the server would use {_mebibytes(self.total)} of memory and may have "
            f"{_mebibytes(self.free)}: {parts}",
            hint="lower slot_rank_total or limits.rows_per_step_max, say merged_copy = false, or "
            "serve in float16",
        )


NO_END = 1 << 62
"""Room where nobody knows how much there is."""


def _mebibytes(count: int) -> str:
    return f"{count / MEBIBYTE:,.0f} MiB"
