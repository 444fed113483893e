# SPDX-License-Identifier: Apache-2.0
"""How a picture is guided: what a base knows of it, and what a request may say.

In: a request as written, and the facts of the base. Out: its scale, or a violation for each field
that the base does not know. Looks at no prompt but whether there is one.
"""

import math
from collections.abc import Iterator

from tabard_server.engine_port.base_facts import BaseFacts
from tabard_server.engine_port.drawing import SkippedLayers, WantedDrawing
from tabard_server.errors import Violation
from tabard_server.settings import Defaults

SKIPPED_SCALE_MAX = 100.0
"""Highest scale of skip-layer guidance; 2.8 is usual."""


class GuidanceReader:
    """Reads how requests want to be guided on one base."""

    def __init__(self, *, facts: BaseFacts, defaults: Defaults, scale_max: float) -> None:
        """Take the base, what holds where nothing is said, and the highest scale."""
        self._facts, self._defaults, self._scale_max = facts, defaults, scale_max

    def scale_of(self, wanted: WantedDrawing) -> float:
        """Return the scale that a request is drawn with."""
        return self._facts.guidance_scale(
            wanted.guidance_scale, default=self._defaults.guidance_scale
        )

    def is_guided(self, wanted: WantedDrawing) -> bool:
        """Say whether a second sample is drawn beside its own."""
        return self._facts.guidance == "classifier_free" and self.scale_of(wanted) > 1.0

    def check(self, wanted: WantedDrawing) -> list[Violation]:
        """Return what is wrong with the guidance of a request."""
        return [*self._scale(wanted), *self._unknown(wanted), *self._skipped(wanted)]

    def _scale(self, wanted: WantedDrawing) -> Iterator[Violation]:
        scale = self.scale_of(wanted)
        if not (math.isfinite(scale) and 0 <= scale <= self._scale_max):
            is_distilled = self._facts.guidance == "distilled"
            yield Violation(
                field="guidance_scale",
                description=f"guidance_scale {scale} is not from 0 to {self._scale_max:g}",
                reason="GUIDANCE_OUT_OF_RANGE",
                hint="3.5 is usual on this base"
                if is_distilled
                else "7.5 is usual; 1 or less turns guidance off",
            )

    def _unknown(self, wanted: WantedDrawing) -> Iterator[Violation]:
        """Refuse what would be told to nobody."""
        kind = self._facts.guidance
        if kind == "none" and wanted.guidance_scale not in (None, 0.0, 1.0):
            yield Violation(
                field="guidance_scale",
                description=f"guidance_scale {wanted.guidance_scale:g} is told to nobody: this "
                "base is not guided",
                reason="GUIDANCE_NOT_SERVED",
                hint="leave guidance_scale out, or send it to a base that is guided",
            )
        if kind != "classifier_free" and wanted.negative_prompt:
            yield Violation(
                field="negative_prompt",
                description="a negative prompt is told to nobody: this base draws no second "
                "sample to be guided away from",
                reason="GUIDANCE_NOT_SERVED",
                hint="leave negative_prompt out, and say in the prompt what shall be seen",
            )

    def _skipped(self, wanted: WantedDrawing) -> Iterator[Violation]:
        said = wanted.skipped
        if said is None:
            return
        count = self._facts.skippable_blocks
        if not count:
            yield _violation(
                "layers cannot be left out on this base",
                reason="SKIP_LAYERS_NOT_SERVED",
                hint="leave skip_guidance_layers out; bases of SD3.5 know skip-layer guidance",
            )
        elif not self.is_guided(wanted):
            yield _violation(
                "skip-layer guidance is part of guidance, and guidance_scale "
                f"{self.scale_of(wanted):g} turns that off",
                reason="SKIP_LAYERS_NOT_SERVED",
                hint="use a guidance_scale above 1, or leave skip_guidance_layers out",
            )
        else:
            yield from _out_of_range(said, count=count)


def _out_of_range(said: SkippedLayers, *, count: int) -> Iterator[Violation]:
    if not said.layers or not all(0 <= one < count for one in said.layers):
        yield _violation(
            f"layers {list(said.layers)[:8]} are not some of 0 to {count - 1}",
            hint="7, 8 and 9 are usual on SD3.5 medium",
        )
    elif len(set(said.layers)) == count:
        yield _violation("all layers are left out", hint="7, 8 and 9 are usual on SD3.5 medium")
    if not (math.isfinite(said.scale) and 0 <= said.scale <= SKIPPED_SCALE_MAX):
        yield _violation(
            f"scale {said.scale} is not from 0 to {SKIPPED_SCALE_MAX:g}", hint="2.8 is usual"
        )
    if not 0 <= said.start <= said.stop <= 1:
        yield _violation(
            f"start {said.start:g} and stop {said.stop:g} are not shares of the steps in order",
            hint="0.01 and 0.2 are usual",
        )


def _violation(
    description: str, *, hint: str, reason: str = "SKIP_LAYERS_OUT_OF_RANGE"
) -> Violation:
    return Violation(
        field="skip_guidance_layers", description=description, reason=reason, hint=hint
    )
