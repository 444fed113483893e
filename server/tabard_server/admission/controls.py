# SPDX-License-Identifier: Apache-2.0
"""From the controls that somebody said of an adapter to those that this base can be drawn with.

In: what was said, and the blocks of the UNet. Out: checked controls, their blocks by name; or a
refusal that names the field, the value, and what is allowed.
"""

from collections.abc import Sequence
from itertools import pairwise

from tabard_server.engine_port.drawing import Drawing
from tabard_server.engine_port.weights.blocks import TEXT_BLOCK, Blocks
from tabard_server.engine_port.weights.strength import Controls, Point
from tabard_server.errors import InvalidRequest, Violation, invalid
from tabard_server.jobs.job import Worn
from tabard_server.jobs.words.controls import NOTHING_SAID, SaidControls, write_points

_PLACES = "use 0 to 1: shares of the steps, 0 is their beginning"


class ControlReader:
    """Checks controls for one base."""

    def __init__(self, *, blocks: Blocks, family: str) -> None:
        self._blocks = blocks
        self._family = family

    def read(self, said: SaidControls, *, field: str, adapter: str) -> Controls | None:
        """Check controls and name their blocks; nothing said is None.

        Args:
            said: As it was said.
            field: Where.
            adapter: Of whom.

        Raises:
            InvalidRequest: Something of it cannot be (`CONTROL_OUT_OF_RANGE`,
                `CONTROL_CONTRADICTED`, `BLOCK_UNKNOWN`, `BLOCK_LIST_LENGTH`).
        """
        if said == NOTHING_SAID:
            return None
        start = 0.0 if said.start is None else said.start
        end = 1.0 if said.end is None else said.end
        for name, value in (("start", start), ("end", end)):
            if not 0.0 <= value <= 1.0:
                raise _out_of_range(field, f"{name} of {adapter} is {value:g}", hint=_PLACES)
        if start >= end:
            what = f"start {start:g} of {adapter} is not before its end {end:g}"
            raise _out_of_range(field, what, hint=f"{_PLACES}; start lies before end")
        _check_points(said.unet, field=field, adapter=adapter)
        # A single point holds everywhere, wherever it was put.
        is_one = len(said.unet) == 1
        return Controls(
            text_encoder=said.text_encoder,
            unet=(Point(weight=said.unet[0].weight, at=0.0),) if is_one else said.unet,
            start=start,
            end=end,
            region=said.region,
            blocks=self._read_blocks(said, field=field, adapter=adapter),
        )

    def _read_blocks(
        self, said: SaidControls, *, field: str, adapter: str
    ) -> tuple[tuple[str, float], ...]:
        if said.blocks and said.block_weights:
            raise invalid(
                field,
                f"{adapter} has a list of block weights and {said.blocks[0][0]} beside it",
                reason="CONTROL_CONTRADICTED",
                hint="say the list, or the blocks by name",
            )
        found: dict[str, float] = {}
        if said.block_weights:
            found = self._listed(said.block_weights, field=field, adapter=adapter)
        # A group comes before the blocks of it that are named.
        for name, factor in sorted(
            said.blocks, key=lambda one: one[0].upper() not in ("IN", "OUT")
        ):
            meant = self._blocks.meant(name)
            if not meant:
                raise invalid(
                    field,
                    f"{name[:20]!r} of {adapter} is no block of this base ({self._family})",
                    reason="BLOCK_UNKNOWN",
                    hint=f"use {TEXT_BLOCK}, IN, OUT, {', '.join(self._blocks.names)}",
                )
            found |= dict.fromkeys(meant, factor)
        order = (TEXT_BLOCK, *self._blocks.names)
        return tuple((name, found[name]) for name in order if found.get(name, 1.0) != 1.0)

    def _listed(self, weights: Sequence[float], *, field: str, adapter: str) -> dict[str, float]:
        """Read the list of a UI. The short one leaves out blocks, and what it leaves out is 0."""
        lists = {len(names): names for names in self._blocks.lists}
        if len(weights) not in lists:
            told = " or ".join(f"{n} ({', '.join(names)})" for n, names in lists.items())
            raise invalid(
                field,
                f"{len(weights)} block weights of {adapter}; on this base ({self._family}) a list "
                f"has {' or '.join(map(str, lists))}",
                reason="BLOCK_LIST_LENGTH",
                hint=f"give {told}",
            )
        names = lists[len(weights)]
        left_out = dict.fromkeys(self._blocks.names, 0.0)
        return left_out | dict(zip(names, weights, strict=True))


def check_windows(worn: Sequence[Worn], *, drawing: Drawing) -> None:
    """Refuse a window in which no step begins: what it is for would silently not be worn.

    Args:
        worn: The stack.
        drawing: What is drawn; some samplers take more steps than it says, never fewer.

    Raises:
        InvalidRequest: There is such a window.
    """
    share = 1.0 if drawing.strength is None else drawing.strength
    steps = max(1, int(drawing.steps * share))
    violations = [
        Violation(
            field="adapters",
            description=f"none of {steps} steps begins within {one.controls.start:g} to "
            f"{one.controls.end:g} of {one.release.adapter}",
            reason="CONTROL_OUT_OF_RANGE",
            hint=f"step i of {steps} begins at i / {steps}: widen the window, or take more steps",
        )
        for one in worn
        if one.controls is not None
        and not any(one.controls.holds(step=step, steps=steps) for step in range(steps))
    ]
    if violations:
        raise InvalidRequest(tuple(violations))


def _check_points(points: Sequence[Point], *, field: str, adapter: str) -> None:
    said = f"the points {write_points(tuple(points))[:60]} of {adapter}"
    if not all(0.0 <= point.at <= 1.0 for point in points):
        raise _out_of_range(field, f"{said} leave 0 to 1", hint=_PLACES)
    if not all(left.at < right.at for left, right in pairwise(points)):
        hint = f"{_PLACES}; each place lies behind the one before"
        raise _out_of_range(field, f"{said} are out of order", hint=hint)


def _out_of_range(field: str, message: str, *, hint: str) -> InvalidRequest:
    return invalid(field, message, reason="CONTROL_OUT_OF_RANGE", hint=hint)
