# SPDX-License-Identifier: Apache-2.0
"""What an engine uses of its device, by purpose: what is chosen so that it fits, or the refusal."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from tabard_server.engine_port.drawing import Size
from tabard_server.engine_port.errors import MemoryTooSmall
from tabard_server.engine_port.work import GUIDED_SAMPLES, Curve

MEBIBYTE = 1 << 20
TEXT_BYTES_MAX = 64 * MEBIBYTE
"""Encoded prompts that are kept where nobody says how many: a hundred or so."""
ROWS_PER_STEP = 8
"""Rows that share a step where nobody says and memory allows."""
ROWS_BESIDE_COPY_MIN = 4
"""The merged copy goes before fewer share one: it is for few adapters, and a batch for all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tiling:
    """How large pictures are worked through.

    Attributes:
        tile: Its size.
        whole_pixels_max: A picture of no more has no tiles.
        pixel_bytes: Of a picture that is put together, for each of its pixels.
    """

    tile: Size
    whole_pixels_max: int
    pixel_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PassBytes:
    """What the passes of a base keep alive, by size.

    Attributes:
        step: A denoise step.
        image: The decoding of one image, or the encoding of one picture if that is more.
        tiling: Where that is done in tiles.
    """

    step: Curve = field(default_factory=Curve)
    image: Curve = field(default_factory=Curve)
    tiling: Tiling | None = None

    def of(self, size: Size, *, samples: int) -> int:
        """Return the bytes of a step with so many samples, or of its images one by one."""
        return max(round(self.step.at(size, samples=samples)), self.of_image(size))

    def of_image(self, size: Size) -> int:
        """Return the bytes of decoding one image: of a tile and the picture, if it has tiles."""
        if self.tiling is None or math.prod(size) <= self.tiling.whole_pixels_max:
            return round(self.image.at(size))
        tile = self.image.at(self.tiling.tile)
        return round(tile + self.tiling.pixel_bytes * math.prod(size))


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryPlan:
    """Bytes on the device, by purpose.

    Attributes:
        base: Weights of all models.
        slots: Tables of rank rows beside every layer.
        merged: The merged copy when all layers are changed; 0 without one.
        gathered: Factors that are kept from one step to the next, and what the UNet is told.
        activations: A step of as many rows as may share one, at the base's own size, or the
            decoding of one image if that is more.
        passes: The same for any size.
        free: What the device has for all of this; None where nobody can say.
        rows_per_step: Rows that may share a step.
        samples_per_row: Samples that each of them costs at most.
        chosen: Settings that nobody fixed, and that were chosen so that all of this fits.
        packed: Weights of convolutions once more, laid out for a CPU's kernels; they get what the
            rest leaves.
        texts: Encoded prompts; they too.
        beside: The decoding of one image while a step is under way; 0: it comes after the step.
        compiled: Weights once more, laid out for a compiled graph.
        texts_movable: What each text encoder takes that may lie in host memory between uses.
        shelved: Text encoders that do, all together, which are then no part of `base`.
        visiting: The largest of them; it is on the device when no step is.
    """

    base: int
    slots: int
    merged: int
    gathered: int
    activations: int
    passes: PassBytes = field(default_factory=PassBytes)
    free: int | None = None
    rows_per_step: int = ROWS_PER_STEP
    samples_per_row: int = GUIDED_SAMPLES
    chosen: tuple[str, ...] = ()
    packed: int = 0
    texts: int = 0
    beside: int = 0
    compiled: int = 0
    texts_movable: tuple[int, ...] = ()
    shelved: int = 0
    visiting: int = 0

    @property
    def fits(self) -> bool:
        """Whether the device has that much, as far as anybody knows."""
        return self.free is None or self.total <= self.free

    @property
    def total(self) -> int:
        """Bytes of everything."""
        weights = self.base + self.slots + self.merged + self.packed + self.compiled
        return weights + self.gathered + self.texts + self._passing + self.beside

    @property
    def room(self) -> int:
        """Bytes that activations may take; without end where nobody knows."""
        return NO_END if self.free is None else self.free - self.total + self._passing

    def activations_of(self, size: Size, *, samples: int) -> int:
        """Return the bytes of a step with so many samples of a size, and of what follows it."""
        return self.passes.of(size, samples=samples)

    def holds(self, size: Size, *, samples: int) -> bool:
        """Say whether such a step fits."""
        return self.activations_of(size, samples=samples) <= self.room

    def measured(self, passes: PassBytes, *, size: Size) -> "MemoryPlan":
        """Return the plan with what passes were seen to take, for a base of that size."""
        rows = passes.of(size, samples=self.samples_per_row * self.rows_per_step)
        return replace(self, passes=passes, activations=rows)

    def packing(self, wanted: int) -> "MemoryPlan":
        """Return the plan with packed weights, in at most half of what is left for large images."""
        return replace(self, packed=self._of_what_is_left(wanted))

    def keeping_texts(self, wanted: int) -> "MemoryPlan":
        """Return the plan with encoded prompts, in at most half of what is left likewise."""
        return replace(self, texts=self._of_what_is_left(wanted))

    def shelving(self) -> "MemoryPlan":
        """Return the plan with its text encoders in host memory between uses, where they may go."""
        return replace(
            self,
            base=self.base - sum(self.texts_movable),
            texts_movable=(),
            shelved=sum(self.texts_movable),
            visiting=max(self.texts_movable, default=0),
        )

    def require(self) -> None:
        """Refuse what cannot fit.

        Raises:
            MemoryTooSmall: The device has less than that.
        """
        if self.fits:
            return
        parts = ", ".join(
            f"{name} {_mebibytes(getattr(self, name))}"
            for name in ("base", "slots", "merged", "gathered", "activations", "compiled")
        )
        raise MemoryTooSmall(
            f"the server would use {_mebibytes(self.total)} of memory and may have "
            f"{_mebibytes(self.free or 0)}: {parts}",
            hint=f"{self._advice()}lower slot_rank_total, or serve in float16",
        )

    def decoding_beside(self, size: Size) -> "MemoryPlan":
        """Return the plan with room to decode an image of a size beside steps, if half is enough.

        What a device decodes after a step needs none: the two are never alive at once.
        """
        wanted = self.passes.of_image(size)
        return replace(self, beside=wanted if self._of_what_is_left(wanted) == wanted else 0)

    def decodes_beside(self, size: Size) -> bool:
        """Say whether there is room to decode an image of that size beside steps."""
        return 0 < self.passes.of_image(size) <= self.beside

    @property
    def _passing(self) -> int:
        """Bytes of what comes and goes: a step, or the encoding of a text."""
        return max(self.activations, self.visiting)

    def _of_what_is_left(self, wanted: int) -> int:
        left = NO_END if self.free is None else max(0, self.free - self.total)
        return min(wanted, left // 2)

    def _advice(self) -> str:
        """Say what was fixed and need not be."""
        rows = self.rows_per_step > 1 and "leave limits.rows_per_step_max out, "
        copy = bool(self.merged) and "leave merged_copy out, "
        return (rows or "") + (copy or "")


def choose_plan(
    plan_of: Callable[[int, bool], MemoryPlan], *, rows: int | None, has_copy: bool | None
) -> MemoryPlan:
    """Return the best plan that fits, or the smallest where none does.

    Args:
        plan_of: Plans for so many rows in a step, with or without a merged copy.
        rows: Rows of a step, where somebody fixed them.
        has_copy: Whether there is a merged copy, where somebody fixed that.
    """
    names = (("limits.rows_per_step_max", rows), ("merged_copy", has_copy))
    chosen = tuple(name for name, fixed in names if fixed is None)
    most = ROWS_PER_STEP if rows is None else rows
    counts = range(most, 0, -1) if rows is None else (most,)
    enough = [count for count in counts if count >= min(most, ROWS_BESIDE_COPY_MIN)]
    tried = {
        None: [*((count, True) for count in enough), *((count, False) for count in counts)],
        True: [(count, True) for count in counts],
        False: [(count, False) for count in counts],
    }[has_copy]
    plans = [plan_of(count, with_copy) for count, with_copy in tried]
    # A text encoder that comes and goes costs time, and goes only where nothing else fits.
    plans += [plan.shelving() for plan in plans if plan.texts_movable]
    plan = next((plan for plan in plans if plan.fits), plans[-1])
    return replace(plan, chosen=chosen)


NO_END = 1 << 62
"""Room where nobody knows how much there is."""


def _mebibytes(count: int) -> str:
    return f"{count / MEBIBYTE:,.0f} MiB"
